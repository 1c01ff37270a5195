//! What a reader makes of the candidates: the words that it takes for the answer, and how sure it is. With it
//! [`super::choose`] finds sentences that say the same in other words, and leaves those that only have the question's words.

use std::borrow::Cow;
use std::ops::Range;

use super::candidates::{Candidate, Found, Kind};
use super::scored;
use crate::document::Language;
use crate::generate::{Evidence, GenerateError, Request, Sampling};
use crate::text::coverage::Coverage;
use crate::text::{QuestionPart, rows};

/// Candidates that are read for the whole question, the likeliest by their words …
const READ: usize = 16;
/// … and for a part of it.
const READ_FOR_PART: usize = 8;
/// What a unit of the margin counts beside the words (eval/README.md, "Is there an answer at all?").
const GAIN: f32 = 0.06;
/// Surer than this is no surer.
const SURE: f32 = 12.0;
/// A sentence that scores less does not answer, whoever asks for it.
pub(super) const LEAST: f32 = -0.2;

/// Finds where in sentences the answer to a question stands.
pub trait SpanFinder: Send + Sync {
    /// For each sentence, given behind what stands above it: the bytes of the likeliest answer, and the logarithm of how many
    /// times likelier that is than that the sentence does not answer.
    fn find(&self, question: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError>;
}

/// What a reader found in the evidence of one question.
#[derive(Clone, Debug, Default)]
pub struct Read {
    sentences: Vec<Sentence>,
    best: Option<f32>,
}

/// A candidate that was read.
#[derive(Clone, Debug)]
struct Sentence {
    /// Its passage, and its bytes there.
    n: usize,
    place: Range<usize>,
    /// For the whole question, and for each part: the words, empty where the sentence has them only with the names of columns, and
    /// the margin.
    found: Vec<Option<(String, f32)>>,
}

impl Read {
    /// The score of the likeliest sentence, of its words and of what was found in it; none where there is no sentence.
    pub fn best(&self) -> Option<f32> {
        self.best
    }

    /// True where these words of a passage are likelier to answer than not, the question or a part of it.
    pub fn answers(&self, n: usize, words: &str) -> bool {
        let found = self.sentences.iter().filter(|s| s.n == n).flat_map(|s| s.found.iter().flatten());
        !words.is_empty() && found.into_iter().any(|(found, margin)| *margin > 0.0 && found == words)
    }

    /// Says of each candidate what was found in it.
    pub(super) fn mark(&self, candidates: &mut [Candidate<'_>]) {
        for c in candidates {
            let text = c.text;
            let words = |words: &str| text.find(words).map_or("", |at| &text[at..at + words.len()]);
            let of = |(found, margin): &(String, f32)| Found { words: words(found), margin: *margin };
            if let Some(read) = self.sentences.iter().find(|s| s.n == c.n && s.place == c.place) {
                c.found = read.found.iter().map(|found| found.as_ref().map(of)).collect();
            }
        }
    }
}

/// Reads evidence: for the whole question, then for each part of it.
pub(crate) fn read(
    finder: &dyn SpanFinder,
    question: &str,
    parts: &[QuestionPart],
    coverage: &Coverage,
    evidence: &[Evidence<'_>],
) -> Result<Read, GenerateError> {
    let sampling = Sampling::default();
    let request = &Request {
        question,
        evidence,
        coverage,
        parts,
        read: None,
        messages: &[],
        sampling: &sampling,
        schema: None,
        silence: "",
    };
    let mut scored = scored(request);
    let mut candidates = std::mem::take(&mut scored.candidates);
    candidates.truncate(READ);
    let mut sentences: Vec<Sentence> = candidates
        .iter()
        .map(|c| Sentence { n: c.n, place: c.place.clone(), found: vec![None; 1 + request.parts.len()] })
        .collect();
    let all: Vec<usize> = (0..candidates.len()).collect();
    find(finder, request, request.question, &candidates, &all, 0, &mut sentences)?;
    for (i, (part, asked)) in request.parts.iter().zip(&scored.parts).enumerate() {
        let score = |at: &usize| asked.score(&candidates[*at], scored.rank(&candidates[*at])).0;
        let mut likeliest = all.clone();
        likeliest.sort_by(|a, b| score(b).total_cmp(&score(a)));
        likeliest.truncate(READ_FOR_PART);
        let question = part.alone(request.question, request.parts);
        find(finder, request, &question, &candidates, &likeliest, i + 1, &mut sentences)?;
    }
    let mut read = Read { sentences, best: None };
    read.mark(&mut candidates);
    read.best = candidates.iter().map(|c| c.score + gain(c, 0)).reduce(f32::max);
    Ok(read)
}

/// Reads some of the candidates for a question, or a part of it.
fn find(
    finder: &dyn SpanFinder,
    request: &Request<'_>,
    question: &str,
    candidates: &[Candidate<'_>],
    places: &[usize],
    asked: usize,
    out: &mut [Sentence],
) -> Result<(), GenerateError> {
    let language = Language::detect(request.question);
    let heading = |n: usize| request.evidence.iter().find(|e| e.n == n).map_or("", |e| e.heading.as_str());
    let shown: Vec<(String, Cow<'_, str>)> = places
        .iter()
        .map(|at| &candidates[*at])
        .map(|c| {
            let above = format!("{}\n{}", heading(c.n), c.before);
            // A row is read with the names of its columns.
            let text = match c.kind {
                Kind::Row => rows::read(c.text, Some(c.header).filter(|h| !h.is_empty()), language).into(),
                Kind::Sentence | Kind::Fact(_) => c.text.into(),
            };
            (above.trim_end().to_owned(), text)
        })
        .collect();
    let pairs: Vec<(&str, &str)> = shown.iter().map(|(above, text)| (above.as_str(), &**text)).collect();
    for ((at, (_, text)), (span, margin)) in places.iter().zip(&shown).zip(finder.find(question, &pairs)?) {
        let words = text.get(span).filter(|words| candidates[*at].text.contains(words)).unwrap_or_default();
        out[*at].found[asked] = Some((words.to_owned(), margin));
    }
    Ok(())
}

/// What a candidate's score gains by what was found in it, for the whole question 0 or a part of it. A fact of a record whose name is asked
/// for answers by its form: reading adds nothing.
pub(super) fn gain(c: &Candidate<'_>, asked: usize) -> f32 {
    if matches!(c.kind, Kind::Fact(_)) { 0.0 } else { worth(c.found(asked).map(|found| found.margin)) }
}

/// What was not read counts as surely no answer.
fn worth(margin: Option<f32>) -> f32 {
    GAIN * margin.unwrap_or(-SURE).clamp(-SURE, SURE)
}

/// True where the words found are likelier to answer than not.
pub(super) fn is_sure(found: Option<&Found<'_>>) -> bool {
    found.is_some_and(|found| found.margin > 0.0)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::generate::{ExtractiveGenerator, Generator};

    /// Finds these words, so much likelier than not, and nothing in any other sentence.
    struct Finds(&'static [(&'static str, f32)]);

    impl SpanFinder for Finds {
        fn find(&self, asked: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            assert!(!asked.is_empty());
            let found = sentences.iter().map(|(_, text)| {
                let place = |(words, margin): &(&str, f32)| text.find(words).map(|at| (at..at + words.len(), *margin));
                self.0.iter().find_map(place).unwrap_or((0..0, -9.0))
            });
            Ok(found.collect())
        }
    }

    const TEXT: &str = "The kiln of the pilot plant cracked in its first winter. Frost had split the bricks after ten days. \
                        The pilot plant has a second kiln.";

    fn read_and_answered(finds: &'static [(&'static str, f32)], text: &str, question: &str) -> (Read, String) {
        let evidence = [Evidence { n: 3, heading: "Report".into(), text, header: None }];
        let (coverage, parts) = (Coverage::of_question(question, &[]), crate::text::parts(question));
        let read = read(&Finds(finds), question, &parts, &coverage, &evidence).unwrap();
        let sampling = Sampling::default();
        let request = Request {
            question,
            evidence: &evidence,
            coverage: &coverage,
            parts: &parts,
            read: Some(&read),
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
        ExtractiveGenerator.generate(&request, sink).unwrap();
        (read, out.trim_end().to_owned())
    }

    #[test]
    fn a_sentence_in_other_words_answers_where_the_reader_says_so() {
        let question = "How long did it take until the oven broke?";
        let answer = |finds| read_and_answered(finds, TEXT, question).1;
        assert_eq!(answer(&[("ten days", 9.0)]), "Frost had split the bricks after ten days. [3]");
        assert_eq!(answer(&[]), "");
    }

    #[test]
    fn a_sentence_with_the_words_of_the_question_does_not_where_the_reader_denies_it() {
        let question = "Which kiln of the pilot plant cracked?";
        let (sure, answer) = read_and_answered(&[("kiln of the pilot plant", 4.0)], TEXT, question);
        assert!(answer.starts_with("The kiln of the pilot plant cracked"), "{answer}");
        let (unsure, _) = read_and_answered(&[], TEXT, question);
        assert!(sure.best().unwrap() > unsure.best().unwrap() + 12.0 * GAIN);
        assert_eq!(read_and_answered(&[], "# Kilns\n", question).0.best(), None);
    }

    #[test]
    fn each_part_of_a_question_is_read_by_itself() {
        let question = "How many days did the kiln last, and what split the bricks?";
        let (read, answer) = read_and_answered(&[("ten days", 5.0), ("second kiln", -1.0)], TEXT, question);
        assert!(read.sentences.iter().any(|s| s.found.len() == 3 && s.found.iter().all(Option::is_some)));
        assert!(answer.contains("ten days"), "{answer}");
    }
}
