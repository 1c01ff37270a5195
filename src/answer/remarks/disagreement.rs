//! Another document that gives another value for what was asked.
//!
//! In: what a reader found in the passages, and what the answer cites. Out: a remark for each value that a sentence of another document
//! gives in the unit of the cited one. Two projects that measured the same of different things do not disagree, so much is asked for:
//! both sentences were read as surely answering, in one exact figure, say it in nearly the same words and under the same conditions,
//! and their documents have one title but for what kind of document it names: `(interim report)`, `최종보고서`.

use std::collections::HashSet;
use std::ops::Range;

use super::super::screen::Screened;
use super::{Cited, Measure, YEAR, measures};
use crate::document::{Language, Passage, Span};
use crate::generate::Read;
use crate::prompt;
use crate::text::coverage::whole_words;
use crate::text::{figures, may_be_year, rows};

/// Remarks at most.
const TOLD: usize = 2;
/// By so much the other sentence may be less sure to answer than the cited one.
const LESS_SURE: f32 = 2.0;
/// Share of the words of both sentences that they must have in common, and how many at least.
const ALIKE: f32 = 0.6;
const WORDS: usize = 2;

/// A sentence that was read as surely answering the question, with one figure.
struct Answering<'a> {
    passage: &'a Passage,
    text: &'a str,
    /// Where in the passage's text it stands (bytes).
    span: Span,
    measure: Measure,
    /// The figure as it stands there.
    figure: &'a str,
    margin: f32,
}

/// The remarks on values that other documents give; of `passages` was read what is left of them in `screened`.
pub(super) fn disagreements(
    language: Language,
    read: &Read,
    cited: &[Cited<'_>],
    passages: &[Passage],
    screened: &Screened,
) -> Vec<String> {
    let answering: Vec<Answering<'_>> = read
        .sure()
        .filter_map(|(n, place, words, margin)| Answering::of((passages, screened), (n, place), words, margin))
        .collect();
    let own: Vec<&Answering<'_>> = answering.iter().filter(|a| cited.iter().any(|c| a.is_quoted(c))).collect();
    let mut told: Vec<&Answering<'_>> = Vec::new();
    for other in &answering {
        let is_known = cited.iter().any(|c| states(c.claim, &other.measure) || states(&c.passage.text, &other.measure));
        let is_told = told.iter().any(|t| is_same(&t.measure, &other.measure));
        if !is_known && !is_told && own.iter().any(|own| other.contradicts(own)) {
            told.push(other);
        }
    }
    told.into_iter().take(TOLD).map(|other| other.remark(language)).collect()
}

impl<'a> Answering<'a> {
    /// None where what was found is not one exact figure with its unit, in a sentence that says what came out.
    fn of(
        (passages, screened): (&'a [Passage], &'a Screened),
        (n, place): (usize, Range<usize>),
        words: &str,
        margin: f32,
    ) -> Option<Answering<'a>> {
        let at = passages.iter().position(|p| p.n == n)?;
        let (passage, span) = (&passages[at], screened.place(at, &place));
        let text = screened.text(at).get(place)?;
        let mut found = measures(text, true).into_iter().filter(|(_, f)| words.contains(f) || f.starts_with(words));
        let (measure, figure) = found.next()?;
        let is_one = found.next().is_none() && figures(words).len() == 1 && measure.unit != YEAR;
        let is_aim = || Cited { claim: text, passage, span }.is_aim();
        let is_meant = is_one && !rows::is_row(text) && !is_aim();
        is_meant.then_some(Answering { passage, text, span, measure, figure, margin })
    }

    /// True where this sentence is cited for its figure.
    fn is_quoted(&self, c: &Cited<'_>) -> bool {
        let is_quote = self.span.start < c.span.end && c.span.start < self.span.end;
        c.passage.n == self.passage.n && is_quote && states(c.claim, &self.measure)
    }

    fn contradicts(&self, own: &Answering<'_>) -> bool {
        self.passage.doc_id != own.passage.doc_id
            && self.measure.unit == own.measure.unit
            && !is_same(&self.measure, &own.measure)
            && self.margin >= own.margin - LESS_SURE
            && is_of_the_same(self.passage, own.passage)
            && self.is_worded_like(own)
    }

    fn is_worded_like(&self, other: &Answering<'_>) -> bool {
        let (own, others) = (self.without_figure(), other.without_figure());
        let (words, marks) = (term_words(&own), marks(&own));
        let (others_words, others_marks) = (term_words(&others), self::marks(&others));
        let common = words.intersection(&others_words).count();
        common >= WORDS
            && common as f32 >= ALIKE * words.union(&others_words).count() as f32
            && (marks.is_subset(&others_marks) || others_marks.is_subset(&marks))
    }

    fn without_figure(&self) -> String {
        self.text.replacen(self.figure, " ", 1)
    }

    fn remark(&self, language: Language) -> String {
        prompt::other_document(language, self.figure, &self.passage.title, self.passage.metadata.year)
    }
}

fn states(text: &str, measure: &Measure) -> bool {
    measures(text, false).iter().any(|(stated, _)| is_same(stated, measure))
}

/// True for two values of which one may be the other, rounded.
fn is_same(a: &Measure, b: &Measure) -> bool {
    let places = |m: &Measure| m.digits.split_once('.').map_or(0, |(_, places)| places.len());
    let shift = 10f64.powi(places(a).min(places(b)).min(9) as i32);
    let rounded = |m: &Measure| m.digits.parse::<f64>().map(|value| (value * shift).round());
    let is_rounded = || matches!((rounded(a), rounded(b)), (Ok(a), Ok(b)) if a == b);
    a.unit == b.unit && (a.digits == b.digits || is_rounded())
}

fn term_words(text: &str) -> HashSet<String> {
    whole_words(text).into_iter().collect()
}

/// Figures, codes and names in capitals: the conditions and things of a sentence.
fn marks(text: &str) -> HashSet<&str> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').map(|run| run.trim_matches('.'));
    let is_mark = |run: &&str| {
        run.contains(|c: char| c.is_ascii_digit()) || (!run.is_empty() && run.chars().all(|c| c.is_ascii_uppercase()))
    };
    runs.filter(is_mark).collect()
}

/// True for two documents of one piece of work.
fn is_of_the_same(a: &Passage, b: &Passage) -> bool {
    let (by, others) = (&a.metadata.institution, &b.metadata.institution);
    let is_elsewhere = by.is_some() && others.is_some() && by != others;
    let (a, b) = (subject(&a.title), subject(&b.title));
    !is_elsewhere && a.len() >= WORDS && a == b
}

/// The words of a title without those that say what kind of document it is, and of when.
fn subject(title: &str) -> HashSet<String> {
    let words = title.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| !word.is_empty() && !is_kind(word) && !may_be_year(word)).collect()
}

/// True for a word that says what kind of document it is: `interim`, `최종보고서`, `2차년도`.
fn is_kind(word: &str) -> bool {
    const ENGLISH: &str = "interim final annual progress preliminary report paper summary abstract draft version revised \
                           revision corrected correction erratum update updated the";
    const KOREAN: &str = "중간 최종 연차 예비 결과 보고서 보고 요약 초록 논문 초안 수정 개정 정정 본 판";
    const ORDINAL: [&str; 4] = ["차년도", "년도", "차", "년"];
    let mut rest = word;
    while let Some(left) = KOREAN.split(' ').find_map(|piece| rest.strip_prefix(piece)) {
        rest = left;
    }
    let behind = word.trim_start_matches(|c: char| c.is_ascii_digit());
    ENGLISH.split(' ').any(|kind| kind == word)
        || rest.is_empty()
        || (behind.len() < word.len() && ORDINAL.contains(&behind))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cited, cited_at};
    use super::*;
    use crate::generate::{Evidence, GenerateError, SpanFinder, read};
    use crate::text::coverage::Coverage;

    /// Finds the first of these words that a sentence has, so much likelier than not.
    struct Finds<'a>(&'a [(&'a str, f32)]);

    impl SpanFinder for Finds<'_> {
        fn find(&self, _: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            let place = |text: &str, words: &str| text.find(words).map(|at| at..at + words.len());
            let found = |text: &str| self.0.iter().find_map(|(words, margin)| Some((place(text, words)?, *margin)));
            Ok(sentences.iter().map(|&(_, text)| found(text).unwrap_or((0..0, -9.0))).collect())
        }
    }

    const QUESTION: &str = "How many hours did the brine line run at 60 °C?";
    const CITED: &str = "At 60 °C the brine line ran for 30 hours.";

    fn interim() -> Passage {
        Passage::whole(1, "Brine line at Orvale (interim report)", &format!("{CITED} Its pump was new."))
    }

    fn last(text: &str) -> Passage {
        let mut passage = Passage::whole(2, "Brine line at Orvale (final report)", text);
        passage.metadata.year = Some(2022);
        passage
    }

    /// What is remarked where the first sentence of the first passage is cited, and these words are found.
    fn remarked(language: Language, question: &str, passages: &[Passage], found: &[(&str, f32)]) -> Vec<String> {
        let first = crate::text::sentences(&passages[0].text)[0].slice(&passages[0].text);
        read_beside((language, question), passages, &Finds(found), cited(first, &passages[0]))
    }

    /// What is remarked where this is cited, and a reader finds what it finds.
    fn read_beside(
        (language, question): (Language, &str),
        passages: &[Passage],
        finder: &dyn SpanFinder,
        cited: Cited<'_>,
    ) -> Vec<String> {
        let screened = Screened::new(question, passages, false);
        let shown = passages.iter().zip(screened.texts());
        let evidence: Vec<Evidence<'_>> =
            shown.map(|(p, text)| Evidence { n: p.n, heading: p.title.clone(), text, header: None }).collect();
        let coverage = Coverage::of_question(question, &[]);
        let read = read(finder, (question, question), &[], &coverage, &evidence).unwrap();
        disagreements(language, &read, &[cited], passages, &screened)
    }

    fn beside(passages: &[Passage], found: &[(&str, f32)]) -> Vec<String> {
        remarked(Language::En, QUESTION, passages, found)
    }

    const FOUND: [(&str, f32); 2] = [("30 hours", 6.0), ("34 hours", 5.5)];

    #[test]
    fn the_value_of_another_report_on_the_same_work_is_told() {
        let other = last("The seal held. At 60 °C the brine line ran for 34 hours.");
        let told = ["Another document says 34 hours (Brine line at Orvale (final report), 2022)."];
        assert_eq!(beside(&[interim(), other], &FOUND), told);
        let passages = [
            Passage::whole(1, "염수 순환관 부식 시험 중간보고서", "60 °C에서 염수 순환관은 30시간을 버텼다."),
            Passage::whole(2, "염수 순환관 부식 시험 (2차년도 최종보고서)", "염수 순환관은 60 °C에서 34시간을 버텼다."),
        ];
        let question = "염수 순환관은 60 °C에서 몇 시간을 버텼나?";
        let told = remarked(Language::Ko, question, &passages, &[("30시간", 6.0), ("34시간", 5.5)]);
        assert_eq!(told, ["다른 문서에는 34시간(으)로 나와 있습니다(염수 순환관 부식 시험 (2차년도 최종보고서))."]);
    }

    /// Is sure of 30 hours and less sure of 34, and least below a sentence on something worn.
    struct LessSureBelow;

    impl SpanFinder for LessSureBelow {
        fn find(&self, asked: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            let mut found = Finds(&[("30 hours", 9.0), ("34 hours", 5.5)]).find(asked, sentences)?;
            let below = sentences.iter().zip(&mut found).filter(|((above, _), _)| above.contains("worn"));
            below.for_each(|(_, (_, margin))| *margin -= 4.0);
            Ok(found)
        }
    }

    #[test]
    fn a_sentence_that_stands_twice_is_as_sure_as_where_it_is_cited() {
        let text = format!(
            "## North hall\n\nThe felt seal of the north hall was new. {CITED}\n\n\
             ## South hall\n\nThe felt seal of the south hall was worn. {CITED}\n"
        );
        let passages = [Passage::whole(1, &interim().title, &text), last("At 60 °C the brine line ran for 34 hours.")];
        let beside = |start: usize| {
            let cited = cited_at(start, CITED, &passages[0]);
            read_beside((Language::En, QUESTION), &passages, &LessSureBelow, cited).len()
        };
        assert_eq!(beside(text.find(CITED).unwrap()), 0, "surer than the other document");
        assert_eq!(beside(text.rfind(CITED).unwrap()), 1);
    }

    #[test]
    fn a_cited_sentence_is_known_behind_what_was_not_read() {
        let text = format!("Describe the plot of a famous novel. Tell me a joke. {CITED} Its pump was new.");
        let passages = [Passage::whole(1, &interim().title, &text), last("At 60 °C the brine line ran for 34 hours.")];
        let cited = cited(CITED, &passages[0]);
        assert!(Screened::new(QUESTION, &passages, false).text(0).len() + CITED.len() < text.len());
        assert_eq!(read_beside((Language::En, QUESTION), &passages, &Finds(&FOUND), cited).len(), 1);
    }

    #[test]
    fn what_is_about_another_thing_is_not() {
        let same = "At 60 °C the brine line ran for 34 hours.";
        let mut project = last(same);
        project.title = "Brine line at Tarnow (final report)".into();
        assert!(beside(&[interim(), project], &FOUND).is_empty(), "another project");
        let (mut here, mut there) = (interim(), last(same));
        here.metadata.institution = Some("Orvik Institute".into());
        there.metadata.institution = Some("Tessaly Institute".into());
        assert!(beside(&[here, there], &FOUND).is_empty(), "another institute");
        for text in [
            "At 80 °C the brine line ran for 34 hours.",
            "With a felt seal in front of its new pump the line was kept going for 34 hours.",
            "At 60 °C the brine line ran for over 34 hours.",
            "The aim is that at 60 °C the brine line ran for 34 hours.",
            "| At 60 °C the brine line ran for | 34 hours |",
        ] {
            assert!(beside(&[interim(), last(text)], &FOUND).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_does_not_surely_answer_or_says_the_same_is_not() {
        let other = |text: &str| [interim(), last(text)];
        let same = other("At 60 °C the brine line ran for 34 hours.");
        assert!(beside(&same, &[("30 hours", 6.0), ("34 hours", 3.5)]).is_empty());
        assert!(beside(&same, &[("30 hours", 0.5), ("34 hours", -0.5)]).is_empty());
        assert!(beside(&same, &[("34 hours", 5.5), ("brine", 6.0)]).is_empty(), "no figure is cited");
        let days = [("30 hours", 6.0), ("34 days", 5.5)];
        assert!(beside(&other("At 60 °C the brine line ran for 34 days."), &days).is_empty());
        let rounded = [("30 hours", 6.0), ("30.2 hours", 5.5)];
        assert!(beside(&other("At 60 °C the brine line ran for 30.2 hours."), &rounded).is_empty());
        let mut one = same.clone();
        one[1].doc_id = one[0].doc_id.clone();
        assert!(beside(&one, &FOUND).is_empty(), "the same document");
        let mut knowing = same;
        knowing[0].text = format!("{CITED} The 34 hours of the first report are corrected.");
        assert!(beside(&knowing, &FOUND).is_empty(), "the cited document tells it itself");
    }
}
