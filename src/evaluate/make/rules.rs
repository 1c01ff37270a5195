//! One rule a kind of evidence: a document in, proposals out.

use std::sync::LazyLock;

use regex::Regex;

use super::super::dataset::Gold;
use super::Proposal;
use crate::document::{Document, Language, Section};
use crate::text::sentences;

static FIGURE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+(?:[.,]\d+)*").expect("constant pattern"));
static DEFINED_EN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:An?\s|The\s)?([A-Z]?[\w-]+(?:\s[\w-]+){0,3}) (?:is|are) (?:an?|the) \w").expect("constant pattern")
});
static DEFINED_KO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([가-힣A-Za-z0-9-]+(?:\s[가-힣A-Za-z0-9-]+){0,2}?)(?:이란|란|은|는)\s.{8,}(?:뜻한다|말한다|의미한다|이다|것이다|장치다)\.?$")
        .expect("constant pattern")
});

/// Everything that can be asked of `document` by rule.
pub(super) fn of(document: &Document) -> Vec<Proposal> {
    let mut out = record(document);
    out.extend(tables(document));
    for section in &document.sections {
        out.extend(definition(document, section));
        out.extend(finding(document, section));
    }
    out
}

/// Institution, year and budget of a record.
fn record(document: &Document) -> Vec<Proposal> {
    if !document.source.contains('#') {
        return Vec::new();
    }
    let (m, title, ko) = (&document.metadata, &document.title, document.language == Language::Ko);
    let ask = |korean: &str, english: &str, answer: Option<String>| {
        let question =
            if ko { format!("‘{title}’ 과제{korean}") } else { format!("{english} the project “{title}”?") };
        answer.map(|a| proposal(document, question, "record", a.clone(), a))
    };
    let plain = |b: f64| if b.fract() == 0.0 { format!("{b:.0}") } else { b.to_string() };
    [
        ask("를 수행한 기관은 어디인가?", "Which institution carried out", m.institution.clone()),
        ask("는 몇 년의 과제인가?", "Of which year is", m.year.map(|y| y.to_string())),
        ask("의 예산은 얼마였나?", "What was the budget of", m.budget.map(plain)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The value of a row in a column that holds figures.
fn tables(document: &Document) -> Vec<Proposal> {
    let ko = document.language == Language::Ko;
    let lines: Vec<&str> = document.text.lines().map(str::trim).collect();
    let cells = |row: &str| row.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<String>>();
    let mut out = Vec::new();
    let mut head: Option<Vec<String>> = None;
    for pair in lines.windows(2) {
        let (row, next) = (pair[0], pair[1]);
        let is_rule = |l: &str| l.contains("--") && l.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
        if row.starts_with('|') && is_rule(next) {
            head = Some(cells(row));
        } else if !row.starts_with('|') {
            head = None;
        } else if let Some(names) = head.as_ref().filter(|_| !is_rule(row)) {
            let values = cells(row);
            let Some(label) = values.first().filter(|l| l.chars().any(char::is_alphabetic)) else { continue };
            // One column a row: the first with a figure and a name.
            let found = values
                .iter()
                .zip(names)
                .skip(1)
                .find(|(v, n)| FIGURE.is_match(v) && n.chars().any(char::is_alphabetic));
            if let Some((value, name)) = found {
                let title = &document.title;
                let question = if ko {
                    format!("‘{title}’의 표에서 {label} 항목의 {name}: 값은 얼마인가?")
                } else {
                    format!("In the table of “{title}”, what is the {name} of {label}?")
                };
                out.push(proposal(document, question, "table", value.clone(), values.join(" | ")));
            }
        }
    }
    out
}

/// `X is a …`: what is X?
fn definition(document: &Document, section: &Section) -> Option<Proposal> {
    let text = section.span.slice(&document.text);
    sentences(text).into_iter().map(|s| s.slice(text)).filter(|s| !s.starts_with(['#', '|'])).find_map(|sentence| {
        let ko = document.language == Language::Ko;
        let found = if ko { DEFINED_KO.captures(sentence) } else { DEFINED_EN.captures(sentence) }?;
        let term = found.get(1)?.as_str();
        // "It is a", "This is the", "결과는 …이다" define nothing.
        let empty =
            ["it", "this", "that", "there", "these", "which", "he", "she", "they", "result", "results", "aim", "goal"];
        let empty_ko = ["이것", "그것", "결과", "목표", "목적", "원인", "이는", "다음", "본 과제", "값", "이유"];
        if term.chars().count() < 2
            || empty.contains(&term.to_lowercase().as_str())
            || empty_ko.iter().any(|e| term.starts_with(e))
        {
            return None;
        }
        let question =
            if ko { format!("{term}: 이것은 무엇인가?") } else { format!("What is meant by “{term}”?") };
        Some(proposal(document, question, "fact", sentence.to_owned(), sentence.to_owned()))
    })
}

/// The first sentence under a heading that states a figure.
fn finding(document: &Document, section: &Section) -> Option<Proposal> {
    let heading = section.path.last().filter(|h| **h != document.title)?;
    let text = section.span.slice(&document.text);
    let stated = sentences(text).into_iter().map(|s| s.slice(text));
    let sentence =
        stated.filter(|s| !s.starts_with(['#', '|'])).find(|s| FIGURE.is_match(s) && s.chars().count() < 300)?;
    let title = &document.title;
    let question = if document.language == Language::Ko {
        format!("‘{title}’의 ‘{heading}’에서는 어떤 수치를 보고했나?")
    } else {
        format!("Which figure does “{title}” report under “{heading}”?")
    };
    let figures: Vec<String> = FIGURE.find_iter(sentence).take(2).map(|m| m.as_str().to_owned()).collect();
    let mut made = proposal(document, question, "number", sentence.to_owned(), sentence.to_owned());
    made.must_include = figures;
    Some(made)
}

fn proposal(document: &Document, question: String, kind: &str, answer: String, quote: String) -> Proposal {
    Proposal {
        id: String::new(),
        question,
        language: document.language,
        answerable: true,
        kind: kind.into(),
        must_include: if kind == "fact" { Vec::new() } else { vec![answer.clone()] },
        answer,
        gold: vec![Gold { document: document.source.clone(), quote }],
        without: Vec::new(),
        access: document.metadata.access,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, Metadata, Span};

    fn document(source: &str, text: &str, path: &[&str]) -> Document {
        Document {
            id: "d".into(),
            source: source.into(),
            format: Format::Markdown,
            title: "Cell report".into(),
            language: Language::detect(text),
            metadata: Metadata { institution: Some("Hanbit".into()), year: Some(2021), ..Metadata::default() },
            text: text.into(),
            units: vec![],
            sections: vec![Section {
                path: path.iter().map(|s| (*s).to_owned()).collect(),
                span: Span { start: 0, end: text.len() },
            }],
        }
    }

    #[test]
    fn records_give_their_fields_and_files_do_not() {
        let text = "A silicon anode was coated and tested in many cells of the plant.";
        let made = record(&document("p.jsonl#7", text, &[]));
        assert_eq!(made.iter().map(|p| p.answer.as_str()).collect::<Vec<_>>(), ["Hanbit", "2021"]);
        assert!(record(&document("a.md", text, &[])).is_empty());
    }

    #[test]
    fn tables_definitions_and_findings_are_asked_for_with_their_evidence() {
        let text = "A pouch cell is a battery in soft foil.\n\n| Cell | Loss (%) |\n|---|---|\n| A1 | 3.5 |\n\nThe loss was 3.5 % after 500 cycles.";
        let made = of(&document("a.md", text, &["Cell report", "Ageing"]));
        let of_kind = |k: &str| made.iter().find(|p| p.kind == k).unwrap();
        assert_eq!((of_kind("table").answer.as_str(), of_kind("table").gold[0].quote.as_str()), ("3.5", "A1 | 3.5"));
        assert!(of_kind("fact").question.contains("pouch cell"));
        assert_eq!(of_kind("number").must_include, ["3.5", "500"]);
    }
}
