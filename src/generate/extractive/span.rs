//! The words that answer, out of the sentences that [`super::ExtractiveGenerator`] would quote.

use std::ops::Range;
use std::time::Instant;

use super::candidates::{Candidate, Kind};
use super::{ExtractiveGenerator, choose, write};
use crate::document::Language;
use crate::generate::{GenerateError, Generation, Generator, PromptStyle, Request, Sink};
use crate::text::rows;

/// What a sentence's own score counts beside the logarithm of how likely an answer is in it.
const SCORE: f32 = 4.0;
/// An answer that is so much less likely than "not here" is left to the whole sentences.
const LEAST: f32 = -4.0;

/// Finds where in sentences the answer to a question stands.
pub trait SpanFinder: Send + Sync {
    /// For each sentence, given behind what stands above it: the bytes of the likeliest answer, and the logarithm of how many
    /// times likelier that is than that the sentence does not answer.
    fn find(&self, question: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError>;
}

/// Short answers: the words of a sentence that answer, and the whole sentences where it is not sure of them.
pub struct SpanGenerator<F>(pub F);

impl<F: SpanFinder> Generator for SpanGenerator<F> {
    fn name(&self) -> &str {
        "span"
    }

    fn context_tokens(&self) -> usize {
        ExtractiveGenerator.context_tokens()
    }

    fn count_tokens(&self, text: &str) -> usize {
        ExtractiveGenerator.count_tokens(text)
    }

    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::None
    }

    fn has_logprobs(&self) -> bool {
        false
    }

    fn follows_schemas(&self) -> bool {
        false
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let begin = Instant::now();
        let chosen = choose(request);
        let answers = self.answers(request, &chosen)?;
        let whole = || chosen.iter().map(|c| (c.text, c.n));
        Ok(match answers {
            Some((text, n)) => write(request, begin, std::iter::once((text, n)), sink),
            None => write(request, begin, whole(), sink),
        })
    }
}

impl<F: SpanFinder> SpanGenerator<F> {
    /// The likeliest answer in the chosen sentences, and the number of its passage; none where none is likely enough.
    fn answers<'a>(
        &self,
        request: &Request<'a>,
        chosen: &[Candidate<'a>],
    ) -> Result<Option<(&'a str, usize)>, GenerateError> {
        let language = Language::detect(request.question);
        let heading =
            |c: &Candidate<'_>| request.evidence.iter().find(|e| e.n == c.n).map_or("", |e| e.heading.as_str());
        let shown: Vec<String> = chosen
            .iter()
            .map(|c| match c.kind {
                Kind::Row => rows::read(c.text, Some(c.header).filter(|h| !h.is_empty()), language),
                Kind::Sentence | Kind::Fact(_) => c.text.to_owned(),
            })
            .collect();
        let read: Vec<(&str, &str)> = chosen.iter().zip(&shown).map(|(c, text)| (heading(c), text.as_str())).collect();
        let found = self.0.find(request.question, &read)?;
        let answers = chosen.iter().zip(&shown).zip(found).filter_map(|((c, text), (span, margin))| {
            // As the passage writes it: a row is read with the names of its columns.
            let words = text.get(span).filter(|words| !words.is_empty())?;
            let start = c.text.find(words)?;
            Some((margin, margin + SCORE * c.score, &c.text[start..start + words.len()], c.n))
        });
        let best = answers.reduce(|best, next| if next.1 > best.1 { next } else { best });
        Ok(best.filter(|(margin, ..)| *margin > LEAST).map(|(_, _, words, n)| (words, n)))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::generate::{Evidence, Sampling};
    use crate::text::coverage::Coverage;

    /// Finds `words` wherever they stand, so much likelier than not.
    struct Finds(&'static str, f32);

    impl SpanFinder for Finds {
        fn find(&self, _: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            let place = |text: &str| text.find(self.0).map(|at| (at..at + self.0.len(), self.1));
            Ok(sentences.iter().map(|(_, text)| place(text).unwrap_or((0..0, -9.0))).collect())
        }
    }

    fn answer(finder: Finds, text: &str, question: &str) -> String {
        let evidence = [Evidence { n: 4, heading: "Pilot line".into(), text, header: None }];
        let coverage = Coverage::of_question(question, &[]);
        let sampling = Sampling::default();
        let request = Request {
            question,
            evidence: &evidence,
            coverage: &coverage,
            parts: &[],
            messages: &[],
            sampling: &sampling,
            schema: None,
            silence: "",
        };
        let mut out = String::new();
        let sink = &mut |piece: &str| {
            out.push_str(piece);
            ControlFlow::Continue(())
        };
        SpanGenerator(finder).generate(&request, sink).unwrap();
        out.trim_end().to_owned()
    }

    const LINE: &str = "The pilot line was opened by Hana Kovacs in Lisbon.";
    const WHO: &str = "Who opened the pilot line?";

    #[test]
    fn the_words_that_answer_stand_alone_where_they_are_likely_enough() {
        assert_eq!(answer(Finds("Hana Kovacs", LEAST + 1.0), LINE, WHO), "Hana Kovacs [4]");
        assert_eq!(answer(Finds("Hana Kovacs", LEAST - 1.0), LINE, WHO), format!("{LINE} [4]"));
        assert_eq!(answer(Finds("Bruno", LEAST + 1.0), LINE, WHO), format!("{LINE} [4]"));
        assert_eq!(answer(Finds("Hana Kovacs", LEAST + 1.0), LINE, "Who won the football match?"), "");
    }

    #[test]
    fn a_row_is_read_with_its_columns_and_answered_with_what_its_cell_says() {
        let table = "| Cell | Loss after storage |\n|---|---|\n| cell A1 | 3.1 % |\n| cell A2 | 4.7 % |\n";
        let question = "What was the loss after storage of cell A2?";
        assert_eq!(answer(Finds("4.7 %", LEAST + 1.0), table, question), "4.7 % [4]");
        // The name of a column is no cell of the row.
        assert_eq!(answer(Finds("Loss after storage", LEAST + 1.0), table, question), "| cell A2 | 4.7 % | [4]");
    }
}
