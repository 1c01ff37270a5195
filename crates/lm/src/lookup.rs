//! What might come next? The text often says: answers quote their context.
//!
//! The last tokens are looked for earlier in the prompt and the answer, and what followed there is read
//! together with the next token (prompt lookup, Saxena 2023; verified as in Leviathan et al. 2022,
//! <https://arxiv.org/abs/2211.17192>). A weight is read from memory once for all of them. The sampler
//! draws every token from the model's own logits, which are the same bit for bit whether tokens are read one
//! by one or together, so the text is the same with and without drafts, greedy or not.

/// Tokens that must agree before what followed them is proposed.
const AGREE: usize = 3;

/// How far ahead to look now: it doubles when all of a draft was right and halves when nothing was.
#[derive(Debug)]
pub(crate) struct Reach {
    now: usize,
    most: usize,
}

impl Reach {
    /// At most `most` tokens ahead; 0 never looks.
    pub(crate) fn new(most: usize) -> Reach {
        Reach { now: most.min(4), most }
    }

    /// Of a draft of `drafted` tokens, `right` were chosen.
    pub(crate) fn learn(&mut self, drafted: usize, right: usize) {
        self.now = match right {
            _ if drafted == 0 => self.now,
            0 => (self.now / 2).max(1),
            all if all == drafted => (self.now * 2).min(self.most),
            _ => self.now,
        };
    }

    pub(crate) fn now(&self) -> usize {
        self.now.min(self.most)
    }
}

/// At most `most` tokens that followed the latest earlier place where the text ended as it does now.
pub(crate) fn draft(seen: &[u32], token: u32, most: usize) -> Vec<u32> {
    let Some(before) = seen.len().checked_sub(AGREE - 1).filter(|_| most > 0) else {
        return Vec::new();
    };
    let tail = &seen[before..];
    // A place that nothing followed yet says nothing.
    let mut places = (0..seen.len().saturating_sub(AGREE)).rev();
    let place = places.find(|&at| seen[at + AGREE - 1] == token && seen[at..at + AGREE - 1] == *tail);
    place.map_or_else(Vec::new, |at| {
        let after = &seen[at + AGREE..];
        after[..most.min(after.len())].to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_the_latest_place_is_proposed() {
        let seen = [1, 2, 3, 4, 5, 1, 2, 3, 9, 8, 7, 1, 2];
        assert_eq!(draft(&seen, 3, 2), [9, 8]);
        assert_eq!(draft(&seen, 3, 50), [9, 8, 7, 1, 2]);
        assert!(draft(&seen, 4, 5).is_empty());
        assert!(draft(&seen, 3, 0).is_empty());
        assert!(draft(&[1], 2, 5).is_empty());
        assert!(draft(&[], 2, 5).is_empty());
    }

    #[test]
    fn a_right_draft_doubles_the_reach_and_a_wrong_one_halves_it() {
        let mut reach = Reach::new(10);
        let mut after = |drafted, right| {
            reach.learn(drafted, right);
            reach.now()
        };
        assert_eq!([after(4, 4), after(8, 8), after(10, 3), after(10, 0), after(0, 0)], [8, 10, 10, 5, 5]);
        assert_eq!([after(5, 0), after(2, 0), after(1, 0)], [2, 1, 1]);
        assert_eq!(Reach::new(0).now(), 0);
    }

    #[test]
    fn a_text_that_repeats_itself_proposes_its_own_next_tokens() {
        assert_eq!(draft(&[7, 8, 7, 8, 7], 8, 3), [7]);
        assert_eq!(draft(&[5, 5, 5, 5], 5, 2), [5]);
    }
}
