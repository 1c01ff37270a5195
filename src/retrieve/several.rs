//! One search out of several: the same question in other words, or a passage that might answer it (HyDE, Gao 2022), each searched
//! for itself and joined by reciprocal rank.

use std::collections::BTreeMap;

use crate::index::{Hit, best_first};

/// The lists joined, best first, equal ones by id; one list alone keeps its scores. `k` as in reciprocal rank fusion
/// (Cormack 2009): `sum(1 / (k + rank))`, ranks from 1.
pub(super) fn joined(mut lists: Vec<Vec<Hit>>, k: u32, limit: usize) -> Vec<Hit> {
    if lists.len() == 1 {
        return lists.pop().unwrap_or_default();
    }
    let mut scores: BTreeMap<u64, f32> = BTreeMap::new();
    for list in &lists {
        for (rank, hit) in (1u32..).zip(list) {
            *scores.entry(hit.id).or_default() += 1.0 / (k + rank) as f32;
        }
    }
    best_first(scores.into_iter().map(|(id, score)| Hit { id, score }), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_wordings_find_comes_first() {
        let list = |ids: &[u64]| ids.iter().map(|id| Hit { id: *id, score: 9.0 }).collect::<Vec<_>>();
        let ids = |hits: Vec<Hit>| hits.into_iter().map(|h| h.id).collect::<Vec<_>>();
        assert_eq!(ids(joined(vec![list(&[1, 2, 3]), list(&[3, 4]), list(&[3])], 60, 3)), [3, 1, 2]);
        assert_eq!(joined(vec![list(&[7, 5])], 60, 9)[0].score, 9.0);
        assert!(joined(vec![list(&[])], 60, 9).is_empty());
    }
}
