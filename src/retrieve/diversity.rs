//! Which of the candidates are shown: near-duplicates of a better one never, and, where asked for, something new before more of
//! the same (maximal marginal relevance, Carbonell & Goldstein 1998).
//!
//! In: candidates in the order of the search, and how alike two texts may be. Out: which of them, in the order they are shown.
//! Likeness is what two texts share of all their terms (Jaccard).

use std::collections::HashSet;

use crate::text::coverage::term_set;

/// A candidate: its text's terms and what it scored.
pub(super) struct Candidate {
    terms: HashSet<String>,
    score: f32,
}

impl Candidate {
    pub(super) fn new(text: &str, score: f32) -> Candidate {
        Candidate { terms: term_set(text), score }
    }
}

/// Tells near-duplicates of what was shown before, as candidates come, so that none is looked at without need.
pub(super) struct Seen {
    near_duplicate: f32,
    shown: Vec<HashSet<String>>,
}

impl Seen {
    /// `near_duplicate` as in [`Chooser`].
    pub(super) fn new(near_duplicate: f32) -> Seen {
        Seen { near_duplicate, shown: Vec::new() }
    }

    /// False for a near-duplicate of an earlier text that was new.
    pub(super) fn is_new(&mut self, text: &str) -> bool {
        if self.near_duplicate >= 1.0 {
            return true;
        }
        let terms = term_set(text);
        let new = self.shown.iter().all(|other| shared(other, &terms) < self.near_duplicate);
        if new {
            self.shown.push(terms);
        }
        new
    }
}

/// Chooses among candidates by what they score and what they add.
pub(super) struct Chooser {
    /// Candidates this much alike to a chosen one are left out; 1: none are.
    pub(super) near_duplicate: f32,
    /// What relevance counts beside novelty: 1 keeps the order of the search.
    pub(super) relevance: f32,
}

impl Chooser {
    /// Positions of at most `limit` candidates.
    pub(super) fn choose(&self, candidates: &[Candidate], limit: usize) -> Vec<usize> {
        let best = candidates.iter().map(|c| c.score).fold(f32::MIN_POSITIVE, f32::max);
        // The greatest likeness of each candidate to a chosen one.
        let mut alike = vec![0.0f32; candidates.len()];
        let mut left: Vec<usize> = (0..candidates.len()).collect();
        let mut chosen = Vec::with_capacity(limit);
        while chosen.len() < limit {
            left.retain(|i| self.near_duplicate >= 1.0 || alike[*i] < self.near_duplicate);
            let worth = |i: usize| self.relevance * candidates[i].score / best - (1.0 - self.relevance) * alike[i];
            let next = left.iter().copied().max_by(|a, b| worth(*a).total_cmp(&worth(*b)).then(b.cmp(a)));
            let Some(next) = next else { break };
            left.retain(|i| *i != next);
            for i in &left {
                alike[*i] = alike[*i].max(shared(&candidates[*i].terms, &candidates[next].terms));
            }
            chosen.push(next);
        }
        chosen
    }
}

/// What two texts share of all their terms.
fn shared(a: &HashSet<String>, b: &HashSet<String>) -> f32 {
    let both = a.intersection(b).count();
    let all = a.len() + b.len() - both;
    if all == 0 { 1.0 } else { both as f32 / all as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let texts = ["anode coating thickness dry", "anode coating thickness wet", "separator pore", "separator pore"];
        texts.iter().enumerate().map(|(i, t)| Candidate::new(t, 1.0 - 0.1 * i as f32)).collect()
    }

    #[test]
    fn a_near_duplicate_is_left_out_and_the_order_stays() {
        let mut seen = Seen::new(0.9);
        assert_eq!(["anode dry", "separator pore", "separator pore"].map(|t| seen.is_new(t)), [true, true, false]);
        let mut all = Seen::new(1.0);
        assert!(all.is_new("separator pore") && all.is_new("separator pore"));
        let chooser = Chooser { near_duplicate: 0.9, relevance: 0.99 };
        assert_eq!(chooser.choose(&candidates(), 4), [0, 1, 2]);
    }

    #[test]
    fn something_new_comes_before_more_of_the_same() {
        let chooser = Chooser { near_duplicate: 1.0, relevance: 0.5 };
        assert_eq!(chooser.choose(&candidates(), 2), [0, 2]);
        assert!(chooser.choose(&[], 2).is_empty());
    }
}
