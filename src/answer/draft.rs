//! What a generator has written, sentence by sentence: what of it is let through, and when it only repeats itself.
//!
//! In: pieces of text as they are complete, and the [`Verifier`]. Out: the sentence as it is shown, or nothing where
//! no passage supports it, where it was said before, or where it says nothing (a lone mark, the question again, the
//! sentence that stands for "not answered").

use std::collections::HashMap;

use super::Citation;
use super::verify::{Verified, Verifier};
use crate::document::{Passage, Span};
use crate::generate::{Generation, TokenLogprob};
use crate::prompt;
use crate::text::{letters, tokens};

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
    /// A stop string stood before all that could be shown: an empty text is then the answer, and no refusal.
    pub(super) stopped: bool,
    pub(super) tokens: Vec<TokenLogprob>,
    /// Where the sentences let through stand in the generator's text.
    places: Vec<Span>,
    /// How often each piece was written, by its letters and digits.
    written: HashMap<String, usize>,
    numbers: Numbers,
}

/// The numbers that passages are cited with: 1, 2, 3 … in the order of first mention. Holds, in that order, those they were found
/// with.
#[derive(Default)]
struct Numbers(Vec<usize>);

impl Numbers {
    fn of(&mut self, found: usize) -> usize {
        let place = self.0.iter().position(|n| *n == found).unwrap_or_else(|| {
            self.0.push(found);
            self.0.len() - 1
        });
        place + 1
    }
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
        let cited = sentence.shown(&mut |n| self.numbers.of(n));
        let shown = if self.text.is_empty() { cited } else { format!(" {cited}") };
        self.text.push_str(&shown);
        self.places.push(place);
        self.sentences.push(sentence);
        Some(shown)
    }

    /// Takes over a list, a line each, up to the line that holds a stop string, and gives what is shown of it.
    pub(super) fn list(&mut self, lines: Vec<Verified>, stop: &[String]) -> Vec<String> {
        let mut shown = Vec::with_capacity(lines.len());
        for line in lines {
            let cited = line.shown(&mut |n| self.numbers.of(n));
            let next = if self.text.is_empty() { cited } else { format!("\n- {cited}") };
            if stop.iter().any(|stop| next.contains(stop.as_str())) {
                break;
            }
            self.text.push_str(&next);
            self.completion_tokens += tokens(&next);
            self.sentences.push(line);
            shown.push(next);
        }
        shown
    }

    /// True when nothing was claimed, nor said that the documents do not answer.
    pub(super) fn is_blank(&self) -> bool {
        self.written.is_empty()
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

    /// Gives citations and passages, numbered as they were found, the numbers of the text; passages that it does not cite follow.
    pub(super) fn number(&mut self, citations: &mut [Citation], passages: &mut [Passage]) {
        citations.iter_mut().for_each(|c| c.n = self.numbers.of(c.n));
        passages.iter_mut().for_each(|p| p.n = self.numbers.of(p.n));
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

#[cfg(test)]
mod tests {
    use super::super::Material;
    use super::super::screen::Screened;
    use super::*;
    use crate::retrieve::{Glossary, Translations};

    #[test]
    fn passages_are_numbered_in_the_order_in_which_the_text_cites_them() {
        let texts = [
            "The kiln stood in Tarn.",
            "Glaze defects fell to 1.2 %.",
            "The recuperator weighed 40 kg. Its tubes were made of silicon carbide.",
        ];
        let passages: Vec<Passage> = (1..).zip(texts).map(|(n, text)| Passage::whole(n, "Kilns", text)).collect();
        let (screened, translations) = (Screened::new("", &passages, false), Translations::new().unwrap());
        let material = Material { passages: &passages, screened: &screened, translations: &translations, read: None };
        let glossary = Glossary::new(&[]);
        let verifier = Verifier::new("What was found?", &material, &glossary);
        let mut draft = Draft::default();
        for piece in [
            "The recuperator weighed 40 kg. [3]",
            "Glaze defects fell to 1.2 %. [2]",
            "Its tubes were made of silicon carbide. [3]",
        ] {
            assert!(draft.offer(piece, Span::default(), &verifier).is_some(), "{piece}");
        }
        let text = "The recuperator weighed 40 kg. [1] Glaze defects fell to 1.2 %. [2] Its tubes were made of silicon carbide. [1]";
        assert_eq!(draft.text, text);
        let mut shown = passages.clone();
        draft.number(&mut [], &mut shown);
        assert_eq!(shown.iter().map(|p| p.n).collect::<Vec<_>>(), [3, 2, 1], "those that are not cited follow");
    }
}
