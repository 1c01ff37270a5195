//! The answer of an index that lacks some documents: how the twin of a question that they answer is asked.
//!
//! They are left out of every search, as a filter would do it; the sector's pack and all other documents are what any question
//! meets. What is counted over the whole index (how rare a term is, which words and institutions there are) still counts them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::answer::{self, Answer, AnswerError, Ask};
use crate::app::App;
use crate::index::{Filter, Hit, IndexError, Mode, Point, Query, VectorStore};
use crate::retrieve::Parts;

/// What `app` answers where the chunks of `hidden` are not found.
pub(super) fn answer(app: &App, ask: &Ask, hidden: &HashSet<u64>) -> Result<Answer, AnswerError> {
    let parts = app.parts();
    let store = Without { store: parts.store, hidden };
    let parts = Parts { store: &store, ..parts };
    answer::answer(&parts, &app.writer(), ask, &mut |_| ControlFlow::Continue(()))
}

/// A store that does not find some of its points.
struct Without<'a> {
    store: &'a dyn VectorStore,
    hidden: &'a HashSet<u64>,
}

impl VectorStore for Without<'_> {
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        self.store.upsert(points)
    }

    fn delete(&self, ids: &[u64]) -> Result<(), IndexError> {
        self.store.delete(ids)
    }

    /// Asks for as many more as are hidden, so that what is left is what a store without them would find. Lists that are
    /// fused by rank in the store itself keep the gaps that the hidden points leave in them.
    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError> {
        let mut wider = query.clone();
        wider.limit = query.limit.saturating_add(self.hidden.len());
        if let Mode::Hybrid { prefetch, .. } = &mut wider.mode {
            *prefetch = prefetch.saturating_add(self.hidden.len());
        }
        let mut hits = self.store.query(&wider)?;
        hits.retain(|hit| !self.hidden.contains(&hit.id));
        hits.truncate(query.limit);
        Ok(hits)
    }

    fn count(&self, filter: Option<&Filter>) -> Result<u64, IndexError> {
        self.store.count(filter)
    }

    fn ids(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, IndexError> {
        self.store.ids(after, limit)
    }

    fn facet(&self, key: &str, filter: Option<&Filter>) -> Result<Vec<(String, u64)>, IndexError> {
        self.store.facet(key, filter)
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.store.flush()
    }

    fn maintain(&self) -> Result<(), IndexError> {
        self.store.maintain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Answering;
    use crate::text::bm25;

    /// Finds the points 1, 2, 3 … in this order, of a fused list no more than were fetched ahead.
    fn ranked(query: &Query) -> Vec<Hit> {
        let there = match query.mode {
            Mode::Hybrid { prefetch, .. } => prefetch.min(query.limit),
            Mode::Dense(_) | Mode::Sparse(_) | Mode::Learned(_) => query.limit,
        };
        (1..=there as u64).map(|id| Hit { id, score: 1.0 / id as f32 }).collect()
    }

    #[test]
    fn what_is_hidden_makes_room_for_what_comes_next() {
        let hidden = HashSet::from([1, 3, 9]);
        let store = Without { store: &Answering(ranked), hidden: &hidden };
        let fused = Mode::Hybrid {
            dense: vec![1.0],
            sparse: bm25::query_vector("cell"),
            learned: None,
            k: 60,
            weights: [1.0; 3],
            prefetch: 4,
        };
        for mode in [Mode::Dense(vec![1.0]), fused] {
            let hits = store.query(&Query { mode, filter: None, limit: 4, exact: true }).unwrap();
            assert_eq!(hits.iter().map(|h| h.id).collect::<Vec<_>>(), [2, 4, 5, 6]);
        }
    }
}
