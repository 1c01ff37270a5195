//! Which sentences of each passage does a model with a small window get to read?
//!
//! In: the passages' texts, best first, the question taken apart, and how many tokens there are. Out: a text for
//! each passage, its sentences in their order; a passage that fits is left whole. Room that a passage does not
//! need is left to those after it. Knows nothing of prompts.

use crate::text::coverage::{Coverage, term_set};
use crate::text::sentences;

/// The texts cut to `room` tokens in all, as `tokens` counts them.
pub(super) fn excerpts(
    texts: &[&str],
    coverage: &Coverage,
    room: usize,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<String> {
    let mut left = room;
    let mut out = Vec::with_capacity(texts.len());
    for (i, text) in texts.iter().enumerate() {
        let excerpt = excerpt(text, coverage, left / (texts.len() - i), tokens);
        left = left.saturating_sub(tokens(&excerpt));
        out.push(excerpt);
    }
    out
}

/// The sentences that cover most of the question, as many as fit.
fn excerpt(text: &str, coverage: &Coverage, room: usize, tokens: &dyn Fn(&str) -> usize) -> String {
    if tokens(text) <= room {
        return text.to_owned();
    }
    let spans = sentences(text);
    let share = |i: &usize| coverage.by(&term_set(spans[*i].slice(text)));
    let mut ranked: Vec<(f32, usize)> = (0..spans.len()).map(|i| (share(&i), i)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (mut chosen, mut left) = (Vec::new(), room);
    for (_, i) in ranked {
        // One for what stands between two sentences.
        let needed = tokens(spans[i].slice(text)) + 1;
        if needed <= left {
            left -= needed;
            chosen.push(i);
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|i| spans[i].slice(text).trim()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_keeps_the_sentences_that_answer_in_order() {
        let coverage = Coverage::of_question("What was the yield of the pilot line?", &[]);
        let long =
            "The pilot line opened late. Its owner is a foundation. Nobody visited it. The yield was 91 percent.";
        let short = "A short note.";
        let cut = excerpts(&[short, long], &coverage, 16, &words);
        assert_eq!(cut, [short, "The pilot line opened late.\nThe yield was 91 percent."]);
        assert_eq!(excerpts(&[short, long], &coverage, 100, &words), [short, long]);
    }

    #[test]
    fn no_room_leaves_nothing() {
        let coverage = Coverage::of_question("yield?", &[]);
        assert_eq!(excerpts(&["The yield was 91 percent."], &coverage, 2, &words), [""]);
        assert!(excerpts(&[], &coverage, 10, &words).is_empty());
    }
}
