//! Texts as token ids, packed one after another without padding.
//!
//! Every layer of an encoder but attention looks at one token at a time, so texts of any lengths share one matrix
//! `[tokens, hidden]`; attention looks at one text's rows. Nothing is computed for padding, there is no mask, and a
//! text's vector cannot depend on its neighbours.

use std::ops::Range;

/// One text as an encoder reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Vocabulary ids, special tokens included.
    pub(super) ids: Vec<u32>,
    /// 0, or 1 for the second text of a pair.
    pub(super) types: Vec<u32>,
    /// Whether the text was longer than the encoder reads.
    pub(super) cut: bool,
}

/// Some texts in one matrix.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    /// Ids of all texts.
    pub(super) ids: Vec<u32>,
    /// Token types of all texts.
    pub(super) types: Vec<u32>,
    /// The rows of each text.
    pub(super) texts: Vec<Range<usize>>,
}

impl Batch {
    /// Packs the texts in their order.
    pub(super) fn new(texts: &[Tokens]) -> Batch {
        let mut batch = Batch::default();
        for text in texts {
            let start = batch.ids.len();
            batch.ids.extend(&text.ids);
            batch.types.extend(&text.types);
            batch.texts.push(start..batch.ids.len());
        }
        batch
    }
}

/// Splits texts into runs of at most `limit` tokens (a longer text is a run by itself).
pub(super) fn runs(texts: &[Tokens], limit: usize) -> Vec<&[Tokens]> {
    let mut runs = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let mut tokens = 0;
        let fits = rest
            .iter()
            .take_while(|t| {
                tokens += t.ids.len();
                tokens <= limit
            })
            .count();
        let (run, later) = rest.split_at(fits.max(1));
        runs.push(run);
        rest = later;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(n: u32) -> Tokens {
        Tokens { ids: (0..n).collect(), types: vec![0; n as usize], cut: false }
    }

    #[test]
    fn texts_lie_one_after_another() {
        let batch = Batch::new(&[text(3), text(1), text(2)]);
        assert_eq!(batch.ids, [0, 1, 2, 0, 0, 1]);
        assert_eq!(batch.texts, [0..3, 3..4, 4..6]);
    }

    #[test]
    fn runs_hold_every_text_once_in_order_and_a_long_one_alone() {
        let texts: Vec<Tokens> = [4, 4, 3, 20, 1, 9, 1].into_iter().map(text).collect();
        let lengths: Vec<Vec<usize>> =
            runs(&texts, 10).into_iter().map(|r| r.iter().map(|t| t.ids.len()).collect()).collect();
        assert_eq!(lengths, [vec![4, 4], vec![3], vec![20], vec![1, 9], vec![1]]);
        assert!(runs(&[], 10).is_empty());
    }
}
