//! What might come next? The text often says: answers quote their context.
//!
//! The last tokens are looked for earlier in the prompt and the answer, and what followed there is read
//! together with the next token (prompt lookup, Saxena 2023; verified as in Leviathan et al. 2022,
//! <https://arxiv.org/abs/2211.17192>). A weight is read from memory once for all of them. The sampler
//! draws every token from the model's own logits, which are the same bit for bit whether tokens are read one
//! by one or together, so the text is the same with and without drafts, greedy or not.

use crate::{Decoder, LmError};

/// Tokens that must agree before what followed them is proposed.
const AGREE: usize = 3;

/// Logits of the next token, and of those after it as long as the draft is right.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// One row for the next token and one for each token of the draft.
    rows: Vec<f32>,
    vocabulary: usize,
    draft: Vec<u32>,
    /// Tokens of the draft that were chosen.
    used: usize,
    most: usize,
    /// How far to look now: it doubles when all was right and halves when nothing was.
    reach: usize,
    pub(crate) drafted: usize,
    pub(crate) accepted: usize,
}

impl Ahead {
    pub(crate) fn new(logits: Vec<f32>, most: usize) -> Ahead {
        let (vocabulary, reach) = (logits.len(), most.min(4));
        Ahead { rows: logits, vocabulary, draft: Vec::new(), used: 0, most, reach, drafted: 0, accepted: 0 }
    }

    pub(crate) fn logits(&self) -> &[f32] {
        &self.rows[self.used * self.vocabulary..(self.used + 1) * self.vocabulary]
    }

    /// Moves past `token`, which was chosen from [`Ahead::logits`]; `seen` is what the cache holds of the text
    /// and gets the token; `left` tokens are still wanted.
    pub(crate) fn step(
        &mut self,
        decoder: &mut Decoder,
        seen: &mut Vec<u32>,
        token: u32,
        left: usize,
    ) -> Result<(), LmError> {
        if self.draft.get(self.used) == Some(&token) {
            seen.push(token);
            self.used += 1;
            self.accepted += 1;
            return Ok(());
        }
        if !self.draft.is_empty() {
            self.reach = match self.used {
                0 => (self.reach / 2).max(1),
                all if all == self.draft.len() => (self.reach * 2).min(self.most),
                _ => self.reach,
            };
            decoder.truncate(seen.len());
        }
        let room = decoder.window().saturating_sub(seen.len() + 1).min(left.saturating_sub(1));
        self.draft = draft(seen, token, self.reach.min(room));
        self.drafted += self.draft.len();
        self.used = 0;
        let mut tokens = Vec::with_capacity(1 + self.draft.len());
        tokens.push(token);
        tokens.extend(&self.draft);
        self.rows = decoder.forward_all(&tokens)?;
        seen.push(token);
        Ok(())
    }
}

/// At most `most` tokens that followed the latest earlier place where the text ended as it does now.
fn draft(seen: &[u32], token: u32, most: usize) -> Vec<u32> {
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
    fn a_text_that_repeats_itself_proposes_its_own_next_tokens() {
        assert_eq!(draft(&[7, 8, 7, 8, 7], 8, 3), [7]);
        assert_eq!(draft(&[5, 5, 5, 5], 5, 2), [5]);
    }
}
