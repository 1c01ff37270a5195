//! What a generator has written, sentence by sentence: what of it is let through, and when it only repeats itself.
//!
//! In: pieces of text as they are complete, and the [`Verifier`]. Out: the sentence as it is shown, or nothing where
//! no passage supports it, where it was said before, or where it says nothing (a lone mark, the question again, the
//! sentence that stands for "not answered").

use std::collections::HashMap;

use super::verify::{Verified, Verifier};
use crate::document::Span;
use crate::generate::{Generation, TokenLogprob};
use crate::prompt;
use crate::text::letters;

/// How often a generator may say the same thing; small models with greedy sampling never leave such a circle.
const TIMES: usize = 3;

/// What has been let through so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) sentences: Vec<Verified>,
    pub(super) dropped: usize,
    pub(super) prompt_tokens: usize,
    pub(super) completion_tokens: usize,
    pub(super) first_token_s: f64,
    pub(super) complete: bool,
    pub(super) tokens: Vec<TokenLogprob>,
    /// Where the sentences let through stand in the generator's text.
    places: Vec<Span>,
    /// How often each piece was written, by its letters and digits.
    written: HashMap<String, usize>,
}

impl Draft {
    /// The next piece as it is shown, if it stands; `place` is where the generator wrote it.
    pub(super) fn offer(&mut self, piece: &str, place: Span, verifier: &Verifier<'_>) -> Option<String> {
        if !verifier.claims(piece) {
            return None;
        }
        let times = self.written.entry(letters(piece)).or_default();
        *times += 1;
        if *times > 1 || prompt::is_abstention(piece) || verifier.repeats_the_prompt(piece) {
            return None;
        }
        let Some(sentence) = verifier.check(piece) else {
            self.dropped += 1;
            return None;
        };
        let shown = match self.text.is_empty() {
            true => sentence.shown(),
            false => format!(" {}", sentence.shown()),
        };
        self.text.push_str(&shown);
        self.places.push(place);
        self.sentences.push(sentence);
        Some(shown)
    }

    /// True when something was claimed and nothing of it let through; not where the documents were said not to answer.
    pub(super) fn is_all_unsupported(&self) -> bool {
        self.sentences.is_empty() && self.dropped > 0
    }

    /// Another generator goes on: what the first one repeated is no repetition of its.
    pub(super) fn start_over(&mut self) {
        self.written.clear();
    }

    /// True when the generator writes the same over and over.
    pub(super) fn goes_in_circles(&self) -> bool {
        self.written.values().any(|times| *times >= TIMES)
    }

    /// Takes over what is known of the generation as a whole; of its tokens, those of the sentences let through.
    pub(super) fn end(&mut self, generation: Generation, complete: bool) {
        self.prompt_tokens += generation.prompt_tokens;
        self.completion_tokens += generation.completion_tokens;
        self.first_token_s = self.first_token_s.max(generation.first_token_s);
        self.complete = complete;
        let within = |token: &TokenLogprob| {
            self.places.iter().any(|span| token.start < span.end && token.start + token.bytes.len() > span.start)
        };
        self.tokens = generation.tokens.into_iter().filter(within).collect();
    }

    /// The same for JSON, which is shown whole or, where a claim of it does not stand, not at all.
    pub(super) fn end_json(
        &mut self,
        text: String,
        claims: Option<Vec<Verified>>,
        generation: Generation,
        complete: bool,
    ) {
        match claims {
            Some(claims) => {
                self.places.push(Span { start: 0, end: text.len() });
                (self.text, self.sentences) = (text, claims);
            }
            None => self.dropped = 1,
        }
        self.end(generation, complete);
    }
}
