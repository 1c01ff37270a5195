//! One answer against one question: every measure that is defined for the pair, by name.
//!
//! A measure that does not apply (no reference, no citations shown, no answer) is absent, not zero.

mod whole;

use std::collections::BTreeMap;

use serde::Serialize;

use super::EvaluateError;
use super::citations::{self, Counts};
use super::dataset::{Question, QuestionFormat};
use super::entailment::Entailment;
use super::facts::{self, Invented};
use super::peer::Response;
use super::wording::{self, best, rouge_l, without_marks};

/// A question with what was answered and how that is judged.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// Question id.
    pub id: String,
    /// The question.
    pub question: String,
    /// Language.
    pub language: &'static str,
    /// Kind.
    pub kind: String,
    /// Whether the documents answer it.
    pub answerable: Option<bool>,
    /// A right answer.
    pub reference: String,
    /// What was answered.
    pub response: Response,
    /// Values by measure.
    pub values: BTreeMap<&'static str, f64>,
    /// What no cited passage says.
    pub invented: Vec<Invented>,
    /// Citations counted.
    pub citations: Counts,
}

/// Judges one answer. `exact` is how many quotes stand where they say, of how many that could be checked.
pub fn judge(
    question: &Question,
    format: QuestionFormat,
    response: Response,
    exact: (usize, usize),
    entailment: &Entailment,
) -> Result<Judgement, EvaluateError> {
    let mut values: BTreeMap<&'static str, f64> = BTreeMap::new();
    let answered = !response.abstained;
    let said = if answered { without_marks(&response.answer) } else { String::new() };
    let yes = |b: bool| f64::from(u8::from(b));
    values.insert("answer_rate", yes(answered));
    if let Some(answerable) = question.answerable {
        values.insert("answered_rightly_or_abstained_rightly", yes(answered == answerable));
    }
    wording_of(question, format, &said, answered, &mut values);
    if question.answerable != Some(false) && !question.gold.is_empty() && response.shows_passages {
        let is_gold = |source: &str| question.gold.iter().any(|g| is_source(source, &g.document));
        values.insert("gold_retrieved", yes(response.passages.iter().any(|p| is_gold(&p.source))));
        let rank = response.passages.iter().position(|p| is_gold(&p.source));
        values.insert("gold_mrr", rank.map_or(0.0, |i| 1.0 / (i as f64 + 1.0)));
        values.insert("gold_cited", yes(answered && response.citations.iter().any(|c| is_gold(&c.source))));
    }
    let mut counts = Counts::default();
    let mut invented = Vec::new();
    if answered && response.shows_passages {
        counts = citations::count(&response, entailment)?;
        invented = invented_in(question, &response, &said);
        let share = |a: usize, b: usize| a as f64 / b as f64;
        if counts.statements > 0 {
            values.insert("statements_cited", share(counts.marked, counts.statements));
            values.insert("citation_recall", share(counts.supported, counts.statements));
            // An answer without any mark has no precision that is good.
            let marks = counts.marks.max(1);
            values.insert("citation_precision", share(counts.useful, marks));
            values.insert("citation_validity", share(counts.valid, marks));
        }
        if exact.1 > 0 {
            values.insert("quote_exactness", share(exact.0, exact.1));
        }
        values.insert("no_invented_facts", yes(invented.is_empty()));
    }
    let reference = question.long_answer.clone().or_else(|| question.answers.first().cloned()).unwrap_or_default();
    Ok(Judgement {
        id: question.id.clone(),
        question: question.text.clone(),
        language: question.language.name(),
        kind: question.kind.clone(),
        answerable: question.answerable,
        reference,
        response,
        values,
        invented,
        citations: counts,
    })
}

fn wording_of(
    question: &Question,
    format: QuestionFormat,
    said: &str,
    answered: bool,
    values: &mut BTreeMap<&'static str, f64>,
) {
    let yes = |b: bool| f64::from(u8::from(b));
    let convention = format.convention(question.language);
    let spans = matches!(format, QuestionFormat::Squad | QuestionFormat::Korquad);
    if spans || !question.answers.is_empty() {
        // As in SQuAD 2.0: for a question without answer the right one is to say nothing.
        values.insert("em", best(&question.answers, |r| convention.exact_match(said, r)));
        values.insert("f1", best(&question.answers, |r| convention.f1(said, r)));
    }
    if !question.answers.is_empty() {
        let is_within = |r: &String| whole::holds(said, r, convention);
        values.insert("answer_contained", yes(answered && question.answers.iter().any(is_within)));
        values.insert("rouge_l", best(&question.answers, |r| rouge_l(said, r)));
    }
    // What a set words as its refusal is no reference: the right answer is to say nothing.
    if let Some(long) = question.long_answer.as_ref().filter(|_| question.answerable != Some(false)) {
        values.insert("rouge_l", rouge_l(said, long));
    }
    if !question.must_include.is_empty() && question.answerable == Some(true) {
        let all = question.must_include.iter().all(|w| whole::says(said, w));
        values.insert("expected_words", yes(answered && all));
    }
    if let Some(decision) = &question.decision {
        let first = wording::words(said).into_iter().next().unwrap_or_default();
        let stated = ["yes", "no", "maybe"].contains(&first.as_str());
        values.insert("decision_stated", yes(stated));
        values.insert("decision_accuracy", yes(first == *decision));
    }
}

/// `corpus.jsonl#ID`, `projects.jsonl#ID`, or a path.
pub(super) fn is_source(source: &str, gold: &str) -> bool {
    source == gold || source.strip_suffix(gold).is_some_and(|rest| rest.ends_with(['#', '/']))
}

fn invented_in(question: &Question, response: &Response, said: &str) -> Vec<Invented> {
    let cited: Vec<usize> = citations::statements(&response.answer).into_iter().flat_map(|s| s.cited).collect();
    // Metadata is part of what a passage shows (a record's institution, its year), and so are the columns that a table is cut off from.
    let evidence: Vec<String> = response
        .passages
        .iter()
        .filter(|p| cited.contains(&p.n))
        .map(|p| {
            let year = p.year.map(|y| y.to_string()).unwrap_or_default();
            let [header, by] = [&p.header, &p.institution].map(|of| of.as_deref().unwrap_or(""));
            format!("{}\n{}\n{header}\n{}\n{by}\n{year}", p.title, p.section, p.text)
        })
        .collect();
    let evidence: Vec<&str> = evidence.iter().map(String::as_str).collect();
    facts::invented(said, &question.text, &evidence)
}

#[cfg(test)]
mod tests {
    use super::super::peer::{Cited, Shown};
    use super::*;
    use crate::document::Language;
    use crate::evaluate::dataset::Gold;

    fn question() -> Question {
        Question {
            id: "1".into(),
            text: "How much did the cell keep?".into(),
            answerable: Some(true),
            answers: vec!["83 %".into()],
            must_include: vec!["83 %".into()],
            gold: vec![Gold { document: "r/a.md".into(), ..Gold::default() }],
            ..Question::default()
        }
    }

    fn response(answer: &str) -> Response {
        Response {
            answer: answer.into(),
            passages: vec![Shown {
                n: 1,
                source: "r/a.md".into(),
                text: "The cell kept 83 %.".into(),
                ..Shown::default()
            }],
            citations: vec![Cited { n: 1, source: "r/a.md".into(), ..Cited::default() }],
            shows_passages: true,
            ..Response::default()
        }
    }

    fn judged(question: &Question, format: QuestionFormat, response: Response, exact: (usize, usize)) -> Judgement {
        judge(question, format, response, exact, &Entailment::Rule).unwrap()
    }

    #[test]
    fn a_right_answer_scores_in_every_measure() {
        let values = judged(&question(), QuestionFormat::Questions, response("The cell kept 83%. [1]"), (1, 1)).values;
        let all = [
            "expected_words",
            "answer_contained",
            "gold_mrr",
            "gold_cited",
            "citation_recall",
            "citation_precision",
            "quote_exactness",
            "no_invented_facts",
        ];
        assert!(all.iter().all(|name| values[name] == 1.0), "{values:?}");
    }

    #[test]
    fn a_figure_in_the_name_of_a_column_is_not_invented() {
        let mut response = response("Code: C-5; Kept at 45 °C (%): 83 [1]");
        response.passages[0].text = "| C-5 | 83 |".into();
        response.passages[0].header = Some("| Code | Kept at 45 °C (%) |".into());
        assert_eq!(judged(&question(), QuestionFormat::Questions, response, (1, 1)).invented, []);
    }

    #[test]
    fn an_invented_figure_and_a_missing_citation_cost() {
        let judgement = judged(&question(), QuestionFormat::Questions, response("The cell kept 93 %. [1]"), (0, 1));
        assert_eq!((judgement.values["no_invented_facts"], judgement.values["quote_exactness"]), (0.0, 0.0));
        assert_eq!(judgement.invented[0].text, "93%");
        let bare = judged(&question(), QuestionFormat::Questions, response("The cell kept 83 %."), (0, 0)).values;
        assert_eq!((bare["statements_cited"], bare["citation_precision"]), (0.0, 0.0));
        assert!(!bare.contains_key("quote_exactness"));
    }

    #[test]
    fn an_abstention_is_judged_as_one() {
        let silent = Response { abstained: true, ..response("I do not know.") };
        let values = judged(&question(), QuestionFormat::Squad, silent.clone(), (0, 0)).values;
        assert_eq!(
            (values["answer_rate"], values["f1"], values["answered_rightly_or_abstained_rightly"]),
            (0.0, 0.0, 0.0)
        );
        let unanswerable = Question { answerable: Some(false), answers: vec![], ..question() };
        let values = judged(&unanswerable, QuestionFormat::Squad, silent, (0, 0)).values;
        assert_eq!((values["em"], values["f1"], values["answered_rightly_or_abstained_rightly"]), (1.0, 1.0, 1.0));
        assert!(!values.contains_key("gold_retrieved"));
    }

    #[test]
    fn a_refusal_that_a_set_words_itself_is_no_reference() {
        let refusal = |answerable| Question {
            answerable,
            answers: vec![],
            long_answer: Some("Sorry, the documents do not say.".into()),
            ..question()
        };
        let silent = Response { abstained: true, ..response("I do not know.") };
        let values = judged(&refusal(Some(false)), QuestionFormat::Mtrag, silent.clone(), (0, 0)).values;
        assert_eq!(values.get("rouge_l"), None);
        assert_eq!(values["answered_rightly_or_abstained_rightly"], 1.0);
        assert_eq!(judged(&refusal(Some(true)), QuestionFormat::Mtrag, silent, (0, 0)).values["rouge_l"], 0.0);
    }

    #[test]
    fn our_own_questions_count_characters_in_korean_and_words_in_english() {
        let asked = |language, answer: &str| Question { language, answers: vec![answer.into()], ..question() };
        let f1 = |question: &Question, said: &str| {
            judged(question, QuestionFormat::Questions, response(said), (0, 0)).values["f1"]
        };
        // The particle is one character of five: precision 4/5, recall 1.
        let korean = f1(&asked(Language::Ko, "한빛전지"), "한빛전지는 [1]");
        assert!((korean - 8.0 / 9.0).abs() < 1e-12, "{korean}");
        assert_eq!(f1(&asked(Language::En, "Hanbit"), "Hanbits [1]"), 0.0);
    }

    #[test]
    fn expected_words_and_contained_answers_are_whole() {
        let asked = Question { answers: vec!["25".into()], must_include: vec!["25".into()], ..question() };
        let values = |said: &str| judged(&asked, QuestionFormat::Questions, response(said), (0, 0)).values;
        let of = |said: &str| (values(said)["expected_words"], values(said)["answer_contained"]);
        assert_eq!(of("It began in 2025. [1]"), (0.0, 0.0));
        assert_eq!(of("It took 25 days. [1]"), (1.0, 1.0));
    }

    #[test]
    fn gold_documents_are_known_by_record_or_path() {
        assert!(
            is_source("corpus.jsonl#17", "17") && is_source("a/b.md", "b.md") && is_source("p.jsonl#X", "p.jsonl#X")
        );
        assert!(!is_source("corpus.jsonl#117", "17"));
    }
}
