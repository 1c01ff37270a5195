//! What is a request given to read, and which parts of it may be computed apart?
//!
//! A passage that comes back in another prompt stands at another place and after other text, so its keys and
//! values are not those of a shared beginning. A caller may mark such parts as segments: each is then computed
//! after the prompt's fixed context alone (its rules, say) and never sees the other segments, as in Block-Attention
//! (Sun et al. 2024, <https://arxiv.org/abs/2409.15355>), TurboRAG (Lu et al. 2024, <https://arxiv.org/abs/2410.07590>)
//! and, with a shared prefix that takes the attention every first token draws, APE (Yang et al. 2025,
//! <https://arxiv.org/abs/2502.05431>). What stands between segments and after them is read over all of it. So is,
//! as a correction, a share of each segment from its first token on (EPIC, Hu et al. 2024,
//! <https://arxiv.org/abs/2410.15332>; CacheBlend, Yao et al. 2024, <https://arxiv.org/abs/2405.16444>, selects by
//! deviation instead).
//!
//! A segment's keys and values are a function of the context's tokens and its own, never of earlier requests:
//! the same request gets the same text whether they were at hand or not.

use std::ops::Range;

use crate::{ChatMessage, Tokenizer};

/// Segments shorter than this are read in their place.
const LEAST: usize = 64;

/// A prompt of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What to read.
    pub tokens: Vec<u32>,
    /// So many tokens at the beginning are what each segment is computed after.
    pub context: usize,
    /// Tokens that may be computed apart: in order, after the context, without overlap.
    pub segments: Vec<Range<usize>>,
}

impl From<&[u32]> for Prompt {
    fn from(tokens: &[u32]) -> Prompt {
        Prompt::from(tokens.to_vec())
    }
}

impl From<&Vec<u32>> for Prompt {
    fn from(tokens: &Vec<u32>) -> Prompt {
        Prompt::from(tokens.to_vec())
    }
}

impl<const N: usize> From<&[u32; N]> for Prompt {
    fn from(tokens: &[u32; N]) -> Prompt {
        Prompt::from(tokens.to_vec())
    }
}

impl From<&Prompt> for Prompt {
    fn from(prompt: &Prompt) -> Prompt {
        prompt.clone()
    }
}

impl From<Vec<u32>> for Prompt {
    fn from(tokens: Vec<u32>) -> Prompt {
        Prompt { tokens, context: 0, segments: Vec::new() }
    }
}

impl Prompt {
    /// Finds `texts` within the messages whose tokens these are. The context ends with the first message, or where
    /// the first segment in it begins. Only tokens that lie wholly in a text belong to its segment; a text that is
    /// not found, or not in this order, is none.
    pub(crate) fn marked(
        tokens: Vec<u32>,
        tokenizer: &Tokenizer,
        messages: &[ChatMessage],
        texts: &[String],
    ) -> Prompt {
        let mut prompt = Prompt::from(tokens);
        let Some(first) = messages.first() else { return prompt };
        let (mut begins, mut bytes) = (Vec::with_capacity(prompt.tokens.len()), Vec::<u8>::new());
        for &token in &prompt.tokens {
            begins.push(bytes.len());
            bytes.extend(tokenizer.bytes(token));
        }
        begins.push(bytes.len());
        let find = |text: &str, from: usize| -> Option<Range<usize>> {
            let text = tokenizer.defuse(text);
            let at = bytes[from..].windows(text.len().max(1)).position(|window| window == text.as_bytes())?;
            Some(from + at..from + at + text.len())
        };
        // Control tokens have no bytes: those before a text, and after it, do not belong to it.
        let within = |place: &Range<usize>| -> Range<usize> {
            let start = match begins.partition_point(|&b| b <= place.start) {
                next if begins[next - 1] == place.start => next - 1,
                next => next,
            };
            let end = match begins.partition_point(|&b| b < place.end) {
                end if begins.get(end) == Some(&place.end) => end,
                end => end.saturating_sub(1),
            };
            start..end.max(start)
        };
        let mut from = 0;
        for text in texts {
            let Some(place) = find(text, from) else { continue };
            from = place.end;
            prompt.segments.push(within(&place));
        }
        let rules = find(first.content.trim(), 0).map_or(0, |place| within(&place).end);
        prompt.context = prompt.segments.first().map_or(rules, |segment| segment.start.min(rules));
        prompt
    }

    /// What is computed apart when of each segment the share `reread` is read again, and no segment may have more
    /// than `most` tokens.
    pub(crate) fn apart(&self, reread: f64, most: usize) -> Apart {
        let mut pieces: Vec<Piece> = Vec::new();
        for range in &self.segments {
            let after = pieces.last().map_or(self.context, |piece| piece.range.end);
            // The last token of a prompt is always read: its logits are not kept.
            if range.start < after || range.end >= self.tokens.len() || !(LEAST..=most).contains(&range.len()) {
                continue;
            }
            let again = (range.len() as f64 * reread.clamp(0.0, 1.0)).ceil() as usize;
            let given = range.start + again..range.end;
            if !given.is_empty() {
                pieces.push(Piece { range: range.clone(), given });
            }
        }
        Apart { context: self.context, pieces }
    }
}

/// Which keys and values of a prompt are computed apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Apart {
    /// What each piece is computed after.
    pub(crate) context: usize,
    /// In order.
    pub(crate) pieces: Vec<Piece>,
}

/// A segment, and those of its positions whose keys and values come from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    /// The end of `range`: what is before it is read again in its place.
    pub(crate) given: Range<usize>,
}

impl Apart {
    /// The first position at which two texts that begin with the same tokens have other keys and values.
    pub(crate) fn departs(&self, other: &Apart) -> usize {
        let begin = |piece: Option<&Piece>| piece.map_or(usize::MAX, |piece| piece.given.start);
        let (mut mine, mut theirs) = (self.pieces.iter(), other.pieces.iter());
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return usize::MAX,
                (a, b) if a == b && self.context == other.context => {}
                (a, b) => return begin(a).min(begin(b)),
            }
        }
    }
}
