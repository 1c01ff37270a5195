//! A report for people: Markdown, or one HTML file that needs nothing else; Korean and English side by side.
//!
//! In: what `eval all` measured. Out: text. It computes nothing that is not in the JSON, and leaves out times
//! where they would make two equal runs differ, but for the table that is about time.

mod answers;
mod comparisons;
mod html;
mod markdown;
mod repeats;
mod retrieval;
mod safety;
mod servers;
mod svg;
mod words;

use super::all::AllResult;
use words::{MEANINGS, Meaning, both};

pub use html::html;
pub use markdown::markdown;

/// Cases shown of each question set.
const CASES: usize = 8;

/// A report before it has a form.
pub struct Report {
    title: String,
    facts: Vec<(String, String)>,
    sections: Vec<Section>,
}

#[derive(Default)]
struct Section {
    heading: String,
    intro: String,
    plots: Vec<String>,
    tables: Vec<Table>,
    cases: Vec<Case>,
}

struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(caption: impl Into<String>, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
        let columns = columns.iter().map(|c| (*c).to_owned()).collect();
        Table { caption: caption.into(), columns, rows: rows.collect() }
    }
}

/// A question that went wrong, with everything needed to see why.
struct Case {
    id: String,
    why: String,
    question: String,
    reference: String,
    answer: String,
    passages: Vec<(String, String)>,
}

/// Arranges a result.
pub fn report(result: &AllResult) -> Report {
    let (encoder, generator) = result.parts();
    let mut sections = Vec::new();
    sections.extend(result.answers.iter().map(answers::section));
    if !result.retrieval.is_empty() {
        sections.push(retrieval::section(result));
    }
    sections.extend(result.safety.as_ref().map(safety::section));
    if !result.overlap.is_empty() {
        sections.push(repeats::section(result));
    }
    if !result.servers.is_empty() {
        sections.push(servers::section(result));
    }
    sections.push(meanings());
    let skipped: Vec<String> = result.skipped.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    let skipped = skipped.join("; ");
    Report {
        title: "Sectora 평가 보고서 · Evaluation report".into(),
        facts: vec![
            ("생성기 · Generator".into(), generator),
            ("인코더 · Encoder".into(), encoder.unwrap_or_else(|| "없음 · none".into())),
            ("시드 · Seed".into(), result.seed.to_string()),
            ("버전 · Version".into(), env!("CARGO_PKG_VERSION").into()),
        ]
        .into_iter()
        .chain((!skipped.is_empty()).then(|| ("재지 않음 · Not measured".into(), skipped)))
        .collect(),
        sections,
    }
}

fn meanings() -> Section {
    let row = |m: &Meaning| vec![both(m.name), m.explain_ko.to_owned(), m.explain_en.to_owned()];
    Section {
        heading: "지표의 뜻 · What the measures mean".into(),
        tables: vec![Table::new("", &["지표 · measure", "한국어", "English"], MEANINGS.iter().map(row))],
        ..Section::default()
    }
}

/// For HTML, SVG and attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
