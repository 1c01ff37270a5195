//! Late chunking ([Günther et al. 2024](https://arxiv.org/abs/2409.04701)): a document is read once, as much of it at a time as
//! the encoder's window holds, and each chunk's vector is the mean of its own tokens, which have seen those around them.
//!
//! In: token ids of a title and of chunks that follow one another. Out: windows, and where in them each chunk lies. Knows
//! nothing of models.

use std::ops::Range;

use tokenizers::Tokenizer;

use super::batch::Tokens;

/// Of a window, the share that a title may take at most is one over this.
const TITLE: usize = 4;

/// What stands around every input, and how long one may be.
pub(super) struct Frame {
    before: Vec<u32>,
    after: Vec<u32>,
    longest: usize,
}

/// Chunks that are read together.
pub(super) struct Window {
    /// Special tokens, title, chunks.
    pub(super) tokens: Tokens,
    /// The tokens of each chunk; of one without any, the leading special ones.
    pub(super) chunks: Vec<Range<usize>>,
    /// How many chunks were longer than the window.
    pub(super) cut: u64,
}

impl Frame {
    /// The special tokens that this tokenizer puts around a text, for inputs of at most `longest` tokens.
    pub(super) fn of(tokenizer: &Tokenizer, longest: usize) -> tokenizers::Result<Frame> {
        let encoded = tokenizer.encode_fast("a", true)?;
        let (ids, special) = (encoded.get_ids(), encoded.get_special_tokens_mask());
        let before = special.iter().take_while(|s| **s == 1).count();
        let after = special[before..].iter().rev().take_while(|s| **s == 1).count();
        Ok(Frame { before: ids[..before].to_vec(), after: ids[ids.len() - after..].to_vec(), longest })
    }

    /// As few windows as hold all chunks in their order, each beginning with the title. A chunk longer than a window is cut.
    pub(super) fn windows(&self, title: &[u32], chunks: &[Vec<u32>]) -> Vec<Window> {
        let room = self.longest.saturating_sub(self.before.len() + self.after.len()).max(1);
        let title = &title[..title.len().min(room / TITLE)];
        let room = (room - title.len()).max(1);
        let mut windows = Vec::new();
        let mut open: Vec<&[u32]> = Vec::new();
        let mut cut = 0;
        for chunk in chunks {
            let fits = &chunk[..chunk.len().min(room)];
            if !open.is_empty() && open.iter().map(|c| c.len()).sum::<usize>() + fits.len() > room {
                windows.push(self.window(title, &std::mem::take(&mut open), std::mem::take(&mut cut)));
            }
            cut += u64::from(fits.len() < chunk.len());
            open.push(fits);
        }
        if !open.is_empty() {
            windows.push(self.window(title, &open, cut));
        }
        windows
    }

    fn window(&self, title: &[u32], chunks: &[&[u32]], cut: u64) -> Window {
        let mut ids = [&self.before[..], title].concat();
        let place = |chunk: &&[u32]| {
            let start = ids.len();
            ids.extend_from_slice(chunk);
            if chunk.is_empty() { 0..self.before.len().max(1) } else { start..ids.len() }
        };
        let places: Vec<Range<usize>> = chunks.iter().map(place).collect();
        ids.extend_from_slice(&self.after);
        Window { tokens: Tokens { types: vec![0; ids.len()], ids, cut: false }, chunks: places, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(longest: usize) -> Frame {
        Frame { before: vec![100], after: vec![101], longest }
    }

    /// Tokens, places of the chunks, how many were cut.
    type Described = (Vec<u32>, Vec<(usize, usize)>, u64);

    fn described(windows: &[Window]) -> Vec<Described> {
        let places = |w: &Window| w.chunks.iter().map(|c| (c.start, c.end)).collect();
        windows.iter().map(|w| (w.tokens.ids.clone(), places(w), w.cut)).collect()
    }

    #[test]
    fn chunks_that_fit_share_a_window_under_the_title() {
        let chunks = [vec![1, 2, 3], vec![4, 5], vec![6, 7, 8]];
        let windows = frame(10).windows(&[9], &chunks);
        let first = (vec![100, 9, 1, 2, 3, 4, 5, 101], vec![(2, 5), (5, 7)], 0);
        assert_eq!(described(&windows), [first, (vec![100, 9, 6, 7, 8, 101], vec![(2, 5)], 0)]);
        assert_eq!(frame(99).windows(&[9], &chunks).len(), 1);
        assert!(frame(99).windows(&[9], &[]).is_empty());
    }

    #[test]
    fn a_chunk_longer_than_a_window_and_a_long_title_are_cut_and_an_empty_chunk_has_a_place() {
        let windows = frame(10).windows(&[9; 7], &[vec![1; 20], vec![], vec![2]]);
        // A quarter of eight tokens for the title, six for chunks.
        let expected = [
            (vec![100, 9, 9, 1, 1, 1, 1, 1, 1, 101], vec![(3, 9), (0, 1)], 1),
            (vec![100, 9, 9, 2, 101], vec![(3, 4)], 0),
        ];
        assert_eq!(described(&windows), expected);
    }
}
