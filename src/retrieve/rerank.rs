//! A second look at the best passages: a cross-encoder reads each with the question, for as long as the budget lasts.
//!
//! In: passages in the order of the search. Out: the same passages, those that were read in the order of the reranker's
//! scores, those it did not reach behind them as they were. A passage keeps the score of its search.

use std::time::{Duration, Instant};

use crate::document::Passage;
use crate::embed::{EmbedError, Reranker};

/// Orders the passages anew.
pub(super) fn rerank(
    reranker: &dyn Reranker,
    question: &str,
    passages: Vec<Passage>,
    budget: Duration,
) -> Result<Vec<Passage>, EmbedError> {
    let until = Instant::now() + budget;
    let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
    let scores = reranker.score(question, &texts, until)?;
    let mut order: Vec<usize> = (0..scores.len().min(passages.len())).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.extend(order.len()..passages.len());
    let mut passages: Vec<Option<Passage>> = passages.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| passages[i].take()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the length of a text as its score, of the first few texts only.
    struct ByLength(usize);

    impl Reranker for ByLength {
        fn id(&self) -> &str {
            "by length"
        }

        fn score(&self, _: &str, texts: &[&str], _: Instant) -> Result<Vec<f32>, EmbedError> {
            Ok(texts.iter().take(self.0).map(|t| t.len() as f32).collect())
        }
    }

    fn passage(text: &str) -> Passage {
        Passage::whole(0, "", text)
    }

    fn order(read: usize) -> Vec<String> {
        let passages = ["bb", "a", "dddd", "ccc"].map(passage).to_vec();
        let made = rerank(&ByLength(read), "q", passages, Duration::from_secs(1)).unwrap();
        made.into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn passages_stand_in_the_order_of_the_reranker() {
        assert_eq!(order(4), ["dddd", "ccc", "bb", "a"]);
    }

    #[test]
    fn what_the_budget_does_not_reach_stays_behind_in_its_order() {
        assert_eq!(order(2), ["bb", "a", "dddd", "ccc"]);
        assert_eq!(order(3), ["dddd", "bb", "a", "ccc"]);
        assert_eq!(order(0), ["bb", "a", "dddd", "ccc"]);
    }
}
