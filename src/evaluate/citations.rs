//! Do the citations carry the answer? ALCE's citation recall and precision (Gao et al. 2023), and whether marks
//! and quotes point where they say.
//!
//! Recall: share of statements that their cited passages, taken together, support. Precision: share of citations
//! that are not idle; one is idle if it does not support its statement alone and the others do without it, or if
//! nothing does. "Support" is what [`Entailment`] says.

use serde::Serialize;

use super::EvaluateError;
use super::entailment::Entailment;
use super::peer::{Response, Shown};
use crate::text::{fields, sentences};

/// A statement of an answer with the passages it cites.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Without its marks.
    pub text: String,
    /// Numbers, in order, without repeats.
    pub cited: Vec<usize>,
}

/// What was counted in one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Statements.
    pub statements: usize,
    /// Statements with at least one mark.
    pub marked: usize,
    /// Statements their citations support.
    pub supported: usize,
    /// Marks in the text.
    pub marks: usize,
    /// Marks that name a passage that was retrieved.
    pub valid: usize,
    /// Marks that are not idle.
    pub useful: usize,
}

/// Cuts an answer into statements.
pub fn statements(answer: &str) -> Vec<Statement> {
    let mut out: Vec<Statement> = Vec::new();
    for span in sentences(answer) {
        for piece in after_marks(span.slice(answer)) {
            let (text, cited) = take_marks(piece);
            if text.chars().any(char::is_alphanumeric) {
                out.push(Statement { text, cited });
            } else if let Some(last) = out.last_mut() {
                last.cited.extend(cited);
            }
        }
    }
    for statement in &mut out {
        let mut seen = std::collections::BTreeSet::new();
        statement.cited.retain(|n| seen.insert(*n));
    }
    out
}

/// Counts one answer.
pub fn count(response: &Response, entailment: &Entailment) -> Result<Counts, EvaluateError> {
    let mut counts = Counts::default();
    let passage = |n: usize| response.passages.iter().find(|p| p.n == n);
    for statement in statements(&response.answer) {
        counts.statements += 1;
        counts.marked += usize::from(!statement.cited.is_empty());
        counts.marks += statement.cited.len();
        let cited: Vec<_> = statement.cited.iter().filter_map(|n| passage(*n)).collect();
        counts.valid += cited.len();
        let supports = |skip: Option<usize>| -> Result<bool, EvaluateError> {
            let kept: Vec<_> = cited.iter().filter(|p| Some(p.n) != skip).collect();
            let header: Vec<String> = kept.iter().map(|p| heading(p)).collect();
            let text: Vec<&str> = kept.iter().map(|p| p.text.as_str()).collect();
            Ok(!kept.is_empty() && holds(entailment, &header.join("\n"), &text.join("\n\n"), &statement.text)?)
        };
        if !supports(None)? {
            continue;
        }
        counts.supported += 1;
        for p in &cited {
            let alone = holds(entailment, &heading(p), &p.text, &statement.text)?;
            counts.useful += usize::from(alone || !supports(Some(p.n))?);
        }
    }
    Ok(counts)
}

/// What stands above a passage: title, headings, the header of a table that it continues.
fn heading(p: &Shown) -> String {
    format!("{}\n{}\n{}", p.title, p.section, p.header.as_deref().unwrap_or_default())
}

/// A fact of a record or form may bear the name of its field in the reader's language.
fn holds(entailment: &Entailment, header: &str, text: &str, statement: &str) -> Result<bool, EvaluateError> {
    let written = fields::as_written(statement, text);
    entailment.entails(header, text, written.as_deref().unwrap_or(statement))
}

/// Cuts behind a group of marks that ends a statement: what follows begins one (no small letter, no comma).
fn after_marks(sentence: &str) -> Vec<&str> {
    let (mut out, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(close) = sentence[at..].find(']').map(|i| at + i + 1) {
        at = close;
        let rest = sentence[close..].trim_start();
        let begins = rest.starts_with(|c: char| c.is_alphanumeric() && !c.is_ascii_lowercase());
        let is_mark = sentence[..close].rfind('[').is_some_and(|o| is_numbers(&sentence[o + 1..close - 1]));
        if is_mark && begins {
            out.push(&sentence[from..close]);
            from = close;
        }
    }
    out.push(&sentence[from..]);
    out
}

fn take_marks(piece: &str) -> (String, Vec<usize>) {
    let (mut text, mut cited, mut rest) = (String::new(), Vec::new(), piece);
    while let Some(open) = rest.find('[') {
        let inside = rest[open + 1..].find(']').map(|close| &rest[open + 1..open + 1 + close]);
        match inside.filter(|i| is_numbers(i)) {
            Some(inside) => {
                text.push_str(rest[..open].trim_end());
                cited.extend(inside.split([',', ' ']).filter_map(|n| n.parse::<usize>().ok()));
                rest = &rest[open + inside.len() + 2..];
            }
            None => {
                text.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    text.push_str(rest);
    (text.trim().to_owned(), cited)
}

fn is_numbers(inside: &str) -> bool {
    inside.contains(|c: char| c.is_ascii_digit())
        && inside.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(n: usize, text: &str) -> Shown {
        Shown { n, text: text.into(), ..Shown::default() }
    }

    fn of(answer: &str) -> Counts {
        let passages = vec![
            shown(1, "The pouch cell kept 83 % of its capacity after 500 cycles."),
            shown(2, "The binder was polyacrylic acid."),
        ];
        count(&Response { answer: answer.into(), passages, ..Response::default() }, &Entailment::Rule).unwrap()
    }

    #[test]
    fn statements_end_at_sentences_and_at_marks() {
        let all = statements("A cell lasted [1]. 용량은 83 %였다 [1][2] Cell: A1; Loss: 3 % [3] and more [4, 4].");
        let cited: Vec<Vec<usize>> = all.iter().map(|s| s.cited.clone()).collect();
        assert_eq!(cited, [vec![1], vec![1, 2], vec![3, 4]]);
        assert_eq!(all[1].text, "용량은 83 %였다");
    }

    #[test]
    fn a_fact_named_in_the_readers_language_is_held_by_the_record_that_has_it() {
        let passages = vec![shown(1, "id: HD-1 | institution: 한빛전지 | budget_mkrw: 870")];
        let of = |answer: &str| {
            let response = Response { answer: answer.into(), passages: passages.clone(), ..Response::default() };
            count(&response, &Entailment::Rule).unwrap().supported
        };
        assert_eq!(of("예산 (백만 원): 870 [1]"), 1);
        assert_eq!(of("예산 (백만 원): 910 [1]"), 0);
        assert_eq!(of("연구책임자: 한빛전지 [1]"), 0);
    }

    #[test]
    fn right_idle_wrong_and_missing_citations_are_told_apart() {
        let right = of("The pouch cell kept 83 % of its capacity. [1] The binder was polyacrylic acid. [2]");
        assert_eq!((right.supported, right.useful, right.valid), (2, 2, 2));
        let idle = of("The binder was polyacrylic acid. [1][2]");
        assert_eq!((idle.supported, idle.useful, idle.marks), (1, 1, 2));
        let wrong = of("The binder was polyacrylic acid. [1]");
        assert_eq!((wrong.supported, wrong.useful, wrong.valid), (0, 0, 1));
        let dangling = of("The binder was polyacrylic acid. [7]");
        assert_eq!((dangling.supported, dangling.valid, dangling.marks), (0, 0, 1));
        let none = of("The binder was polyacrylic acid.");
        assert_eq!((none.statements, none.marked, none.supported), (1, 0, 0));
    }
}
