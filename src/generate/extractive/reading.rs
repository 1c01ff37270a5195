//! What a reader makes of the candidates: the words that it takes for the answer, and how sure it is. With it
//! [`super::choose`] finds sentences that say the same in other words, and leaves those that only have the question's words.

use std::borrow::Cow;
use std::ops::Range;

use super::candidates::{Candidate, Found, Kind, Tells};
use super::{Scored, scored};
use crate::document::Language;
use crate::generate::{Evidence, GenerateError};
use crate::text::coverage::Coverage;
use crate::text::{QuestionPart, rows};

/// Candidates that are read for the whole question, the likeliest by their words …
const READ: usize = 16;
/// … and for a part of it.
const READ_FOR_PART: usize = 8;
/// What a unit of the margin counts beside the words where a sentence answers (eval/README.md, "Is there an answer at all?") …
const FOR: f32 = 0.12;
/// … and where it does not: at the same worth too many right sentences are denied (of korquad1 0.91 answered for 0.95).
const AGAINST: f32 = 0.08;
/// What is added to a margin before that: it is learnt on questions of which two fifths have no answer in the sentence, and
/// an answer's likelihood is spread over the places where a long one may begin and end.
const LEAN: f32 = 2.2;
/// Surer than this is no surer.
const SURE: f32 = 12.0;
/// What a denial counts of a result where it is asked whether something is so.
const DENIED: f32 = 0.5;
/// A sentence that scores less does not answer, whoever asks for it.
pub(super) const LEAST: f32 = 0.0;

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
    /// For the whole question, and for each part.
    found: Vec<Option<Found>>,
}

impl Read {
    /// The score of the likeliest sentence, of its words and of what was found in it; none where there is no sentence.
    pub fn best(&self) -> Option<f32> {
        self.best
    }

    /// True where these words of a passage are likelier to answer than not, the question or a part of it.
    pub fn answers(&self, n: usize, words: &str) -> bool {
        let found = self.sentences.iter().filter(|s| s.n == n).flat_map(|s| s.found.iter().flatten());
        !words.is_empty() && found.into_iter().any(|found| found.is_sure() && found.words == words)
    }

    /// True where words that answer part `part` (from 0) of the question, likelier than not, stand in this sentence of a passage.
    pub fn answers_part(&self, n: usize, sentence: &str, part: usize) -> bool {
        let mut found = self.sentences.iter().filter(|s| s.n == n).filter_map(|s| s.found.get(part + 1)?.as_ref());
        found.any(|found| found.is_sure() && !found.words.is_empty() && sentence.contains(&found.words))
    }

    /// Says of each candidate what was found in it.
    pub(super) fn mark(&self, candidates: &mut [Candidate<'_>]) {
        for c in candidates {
            if let Some(read) = self.sentences.iter().find(|s| s.n == c.n && s.place == c.place) {
                c.found.clone_from(&read.found);
            }
        }
    }

    /// What was found that is likelier to answer the whole question than not: passage, bytes of the sentence there, words and margin.
    pub(crate) fn sure(&self) -> impl Iterator<Item = (usize, Range<usize>, &str, f32)> {
        self.sentences.iter().filter_map(|s| {
            let found = s.found.first()?.as_ref().filter(|found| found.is_sure() && !found.words.is_empty())?;
            Some((s.n, s.place.clone(), found.words.as_str(), found.margin.min(SURE)))
        })
    }
}

/// Reads evidence: for the whole question, then for each part of it. `own` is what the reader is asked for the whole:
/// the question, or of a follow-up only what it asks itself.
pub(crate) fn read(
    finder: &dyn SpanFinder,
    (question, own): (&str, &str),
    parts: &[QuestionPart],
    coverage: &Coverage,
    evidence: &[Evidence<'_>],
) -> Result<Read, GenerateError> {
    let Scored { mut candidates, parts: asked, .. } = scored(question, parts, coverage, evidence);
    candidates.truncate(READ);
    candidates.iter_mut().for_each(|c| c.found = vec![None; 1 + parts.len()]);
    let language = Language::detect(question);
    let shown: Vec<(String, Cow<'_, str>)> = candidates
        .iter()
        .map(|c| {
            let above = format!("{}\n{}", evidence[c.rank].heading, c.before);
            // A row is read with the names of its columns.
            let text = match c.kind {
                Kind::Row => rows::read(c.text, Some(c.header).filter(|h| !h.is_empty()), language).into(),
                Kind::Sentence | Kind::Fact(_) => c.text.into(),
            };
            (above.trim_end().to_owned(), text)
        })
        .collect();
    let find = |question: &str, places: &[usize], asked: usize, candidates: &mut [Candidate<'_>]| {
        let pairs: Vec<(&str, &str)> = places.iter().map(|at| (shown[*at].0.as_str(), &*shown[*at].1)).collect();
        for ((at, (_, text)), (span, margin)) in places.iter().zip(&pairs).zip(finder.find(question, &pairs)?) {
            let c = &mut candidates[*at];
            let words = text.get(span).filter(|words| c.text.contains(words)).unwrap_or_default().to_owned();
            c.found[asked] = Some(Found { words, margin });
        }
        Ok::<(), GenerateError>(())
    };
    let all: Vec<usize> = (0..candidates.len()).collect();
    find(own, &all, 0, &mut candidates)?;
    for (i, (part, asked)) in parts.iter().zip(&asked).enumerate() {
        let mut likeliest: Vec<(f32, usize)> = candidates.iter().map(|c| asked.score(c).0).zip(0..).collect();
        likeliest.sort_by(|a, b| b.0.total_cmp(&a.0));
        let places: Vec<usize> = likeliest.into_iter().take(READ_FOR_PART).map(|(_, at)| at).collect();
        find(&part.alone(question, parts), &places, i + 1, &mut candidates)?;
    }
    let best = candidates.iter().map(|c| c.score + gain(c, 0)).reduce(f32::max);
    let read = candidates.into_iter().map(|c| Sentence { n: c.n, place: c.place, found: c.found });
    Ok(Read { sentences: read.collect(), best })
}

/// What a candidate's score gains by what was found in it, for the whole question 0 or a part of it. A fact of a record whose name is asked
/// for answers by its form: reading adds nothing.
pub(super) fn gain(c: &Candidate<'_>, asked: usize) -> f32 {
    let worth = || worth(c.found(asked).map(|found| found.margin));
    match (c.kind, c.tells) {
        (Kind::Fact(_), _) => 0.0,
        // To a reader it answers: it repeats the question.
        (_, Tells::WhatIsOpen) => worth().min(0.0),
        // `Is it better?` is answered by `No difference was seen.`, which a reader hardly takes for an answer.
        (_, Tells::WhatWasFound) => worth().max(DENIED * worth()),
        (_, Tells::Anything) => worth(),
    }
}

/// What was not read counts as surely no answer.
fn worth(margin: Option<f32>) -> f32 {
    let margin = margin.map_or(-SURE, |margin| margin + LEAN).clamp(-SURE, SURE);
    margin * if margin > 0.0 { FOR } else { AGAINST }
}

#[cfg(test)]
mod tests {
    use super::super::ExtractiveGenerator;
    use super::super::tests::{Finds, read_and_said};
    use super::*;

    const TEXT: &str = "The kiln of the pilot plant cracked in its first winter. Frost had split the bricks after ten days. \
                        The pilot plant has a second kiln.";

    fn read_and_answered(finds: &'static [(&'static str, f32)], text: &str, question: &str) -> (Read, String) {
        let passage = Evidence { n: 3, heading: "Report".into(), text, header: None };
        read_and_said(&ExtractiveGenerator, &Finds(finds), passage, question)
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
        assert!(sure.best().unwrap() > unsure.best().unwrap() + 12.0 * AGAINST);
        assert_eq!(read_and_answered(&[], "# Kilns\n", question).0.best(), None);
    }

    #[test]
    fn that_something_was_looked_into_is_no_answer_however_sure_a_reader_is() {
        let text = "To determine whether the kiln cracked in frost. The kiln was found cracked in frost.";
        let finds = &[("whether the kiln cracked", 9.0), ("found cracked", -4.0)];
        assert_eq!(
            read_and_answered(finds, text, "Did the kiln crack in frost?").1,
            "The kiln was found cracked in frost. [3]"
        );
    }

    /// Finds words where this is asked, and nothing otherwise.
    struct Only(&'static str, &'static str);

    impl SpanFinder for Only {
        fn find(&self, asked: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            Finds(&[(if asked == self.0 { self.1 } else { "nowhere" }, 9.0)]).find(asked, sentences)
        }
    }

    #[test]
    fn of_a_follow_up_the_reader_is_asked_its_own_words() {
        let (question, own) = ("Which kiln cracked? What split the bricks?", "What split the bricks?");
        let evidence = [Evidence { n: 3, heading: "Report".into(), text: TEXT, header: None }];
        let coverage = Coverage::of_question(question, &[]);
        let read = read(&Only(own, "Frost"), (question, own), &[], &coverage, &evidence).unwrap();
        assert!(read.answers(3, "Frost"));
    }

    #[test]
    fn each_part_of_a_question_is_read_by_itself() {
        let question = "How many days did the kiln last, and what split the bricks?";
        let (read, answer) = read_and_answered(&[("ten days", 5.0), ("second kiln", -1.0)], TEXT, question);
        assert!(read.sentences.iter().any(|s| s.found.len() == 3 && s.found.iter().all(Option::is_some)));
        assert!(answer.contains("ten days"), "{answer}");
        let frost = "Frost had split the bricks after ten days.";
        assert!(read.answers_part(3, frost, 0) && read.answers_part(3, frost, 1));
        assert!(!read.answers_part(2, frost, 0) && !read.answers_part(3, "The pilot plant has a second kiln.", 0));
    }
}
