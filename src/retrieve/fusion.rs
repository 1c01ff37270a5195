//! Joining the words' ranking with that of an encoder which knows less than the words do.
//!
//! Reciprocal ranks treat both sides alike and lose much where one is weaker: with the embedded encoder hybrid search fell
//! below words alone on all five collections of `eval/README.md`. Scores keep what the sides know of their own certainty.

use std::collections::BTreeMap;

use crate::index::{Catalog, Hit, IndexError};
use crate::text::bm25::query_vector;

/// The share of [`full_score`] that the best text of the question's language usually reaches; below it the words are
/// unsure (a question in another language), and their scores count for less.
const REACH: f32 = 0.5;
/// A cosine below this share of the best one says nothing.
const FLOOR: f32 = 0.5;

/// What BM25 gives a text of average length that holds every term of the question once.
pub fn full_score(catalog: &Catalog, question: &str) -> Result<f32, IndexError> {
    let terms = query_vector(question);
    let rarity = catalog.idf(&terms.indices)?;
    Ok(terms.values.iter().zip(rarity).map(|(value, idf)| value * idf).sum())
}

/// `sparse / max(best sparse, REACH · full) · weights[1] + (cosine − floor) · weights[0]`, best first, equal scores by id.
pub fn by_score(dense: &[Hit], sparse: &[Hit], full: f32, weights: [f32; 2], limit: usize) -> Vec<Hit> {
    let mut scores: BTreeMap<u64, f32> = BTreeMap::new();
    if let Some(first) = sparse.first() {
        let whole = first.score.max(REACH * full).max(f32::MIN_POSITIVE);
        for hit in sparse {
            scores.insert(hit.id, hit.score / whole * weights[1]);
        }
    }
    if let (Some(first), Some(last)) = (dense.first(), dense.last()) {
        let floor = last.score.max(FLOOR * first.score);
        for hit in dense {
            *scores.entry(hit.id).or_insert(0.0) += (hit.score - floor).max(0.0) * weights[0];
        }
    }
    let mut hits: Vec<Hit> = scores.into_iter().map(|(id, score)| Hit { id, score }).collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    hits.truncate(limit);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(scores: &[(u64, f32)]) -> Vec<Hit> {
        scores.iter().map(|(id, score)| Hit { id: *id, score: *score }).collect()
    }

    fn ids(hits: &[Hit]) -> Vec<u64> {
        hits.iter().map(|h| h.id).collect()
    }

    #[test]
    fn sure_words_lead_and_unsure_words_follow() {
        let dense = hits(&[(9, 0.6), (1, 0.5), (8, 0.3)]);
        let sparse = hits(&[(1, 10.0), (2, 9.0)]);
        assert_eq!(ids(&by_score(&dense, &sparse, 12.0, [1.0, 1.0], 3)), [1, 2, 9]);
        // The same scores where the question could have had ten times as much: words of another language.
        assert_eq!(ids(&by_score(&dense, &sparse, 120.0, [1.0, 1.0], 3)), [1, 9, 2]);
    }

    #[test]
    fn one_side_alone_keeps_its_order() {
        let some = hits(&[(4, 0.9), (7, 0.8), (5, 0.7)]);
        assert_eq!(ids(&by_score(&some, &[], 1.0, [1.0, 1.0], 2)), [4, 7]);
        assert_eq!(ids(&by_score(&[], &some, 1.0, [1.0, 1.0], 9)), [4, 7, 5]);
        assert!(by_score(&[], &[], 1.0, [1.0, 1.0], 9).is_empty());
    }
}
