//! The words that answer, out of the sentences that [`super::ExtractiveGenerator`] would quote, as a reader found them; of a question that
//! asks several things those of each, or the sentences where one is missing.

use std::time::Instant;

use super::candidates::Candidate;
use super::{choose, write};
use crate::generate::{GenerateError, Generation, Generator, PromptStyle, Request, Sink};

/// What a sentence's own score counts beside the logarithm of how likely an answer is in it.
const SCORE: f32 = 4.0;
/// An answer that is so much less likely than "not here" is left to the whole sentences.
const LEAST: f32 = -4.0;

/// Short answers: the words of a sentence that answer, and the whole sentences where the reader is not sure of them.
pub struct SpanGenerator;

impl Generator for SpanGenerator {
    fn name(&self) -> &str {
        "span"
    }

    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::None
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let begin = Instant::now();
        let chosen = choose(request);
        let asked = if request.parts.is_empty() { 0..1 } else { 1..request.parts.len() + 1 };
        let answers: Option<Vec<(&str, usize)>> = asked.map(|asked| answer(&chosen, asked)).collect();
        let whole = || chosen.iter().map(|c| (c.text, c.n)).collect();
        let mut said: Vec<(&str, usize)> = answers.unwrap_or_else(whole);
        // Two parts may have one answer.
        said.dedup();
        Ok(write(request, begin, said.into_iter(), sink))
    }
}

/// The likeliest answer to a question, or a part of one, in the chosen sentences, and the number of its passage; none where none is
/// likely enough.
fn answer<'c>(chosen: &'c [Candidate<'_>], asked: usize) -> Option<(&'c str, usize)> {
    let found = chosen.iter().filter_map(|c| Some((c, c.found(asked)?)));
    let found = found.filter(|(_, found)| !found.words.is_empty() && found.margin > LEAST);
    let scored = found.map(|(c, found)| (found.margin + SCORE * c.score, (found.words.as_str(), c.n)));
    scored.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, answer)| answer)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::SpanFinder;
    use super::super::tests::{Finds, read_and_said};
    use super::*;
    use crate::generate::Evidence;

    fn answer(finder: impl SpanFinder, text: &str, question: &str) -> String {
        let passage = Evidence { n: 4, heading: "Pilot line".into(), text, header: None };
        read_and_said(&SpanGenerator, &finder, passage, question).1
    }

    const LINE: &str = "The pilot line was opened by Hana Kovacs in Lisbon.";
    const WHO: &str = "Who opened the pilot line?";

    #[test]
    fn the_words_that_answer_stand_alone_where_they_are_likely_enough() {
        assert_eq!(answer(Finds(&[("Hana Kovacs", LEAST + 1.0)]), LINE, WHO), "Hana Kovacs [4]");
        assert_eq!(answer(Finds(&[("Hana Kovacs", LEAST - 1.0)]), LINE, WHO), format!("{LINE} [4]"));
        assert_eq!(answer(Finds(&[("Bruno", LEAST + 1.0)]), LINE, WHO), format!("{LINE} [4]"));
        assert_eq!(answer(Finds(&[("Hana Kovacs", LEAST + 1.0)]), LINE, "Who won the football match?"), "");
    }

    /// Another answer to a question that speaks of the flux.
    struct ByPart(&'static str, &'static str);

    impl SpanFinder for ByPart {
        fn find(&self, asked: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            Finds(&[(if asked.contains("유량") { self.0 } else { self.1 }, 9.0)]).find(asked, sentences)
        }
    }

    #[test]
    fn each_part_of_a_question_gets_its_words_or_all_the_whole_sentences() {
        let text = "세라믹막의 투과 유량은 24.6 L였다. 세라믹막 시험은 동해에서 하였다. 교체 주기는 14개월이었다.";
        let question = "세라믹막의 투과 유량과 교체 주기는?";
        assert_eq!(answer(ByPart("24.6 L", "14개월"), text, question), "24.6 L [4]\n\n14개월 [4]");
        assert_eq!(answer(ByPart("24.6 L", "24.6 L"), text, question), "24.6 L [4]");
        let whole = answer(ByPart("24.6 L", "한 달"), text, question);
        assert!(whole.starts_with("세라믹막의 투과 유량은 24.6 L였다. [4]"), "{whole}");
    }

    #[test]
    fn a_row_is_read_with_its_columns_and_answered_with_what_its_cell_says() {
        let table = "| Cell | Loss after storage |\n|---|---|\n| cell A1 | 3.1 % |\n| cell A2 | 4.7 % |\n";
        let question = "What was the loss after storage of cell A2?";
        assert_eq!(answer(Finds(&[("4.7 %", LEAST + 1.0)]), table, question), "4.7 % [4]");
        // The name of a column is no cell of the row.
        assert_eq!(answer(Finds(&[("Loss after storage", LEAST + 1.0)]), table, question), "| cell A2 | 4.7 % | [4]");
    }
}
