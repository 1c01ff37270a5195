//! Word, PowerPoint and Excel, new and old, through undoc: slides and sheets are parts of their own.
//!
//! Word documents are rewritten first (`docx`), and speaker notes are read beside the parser (`notes`):
//! it drops equations and attaches notes to the wrong slide.

use std::sync::LazyLock;

use regex::Regex;
use undoc::render::RenderOptions;

use super::{Input, damaged, document, docx, notes, records};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let rewritten = if format == Format::Docx { docx::rewrite(input.bytes)? } else { None };
    let parsed = undoc::parse_bytes(rewritten.as_deref().unwrap_or(input.bytes)).map_err(error)?;
    let (title, mut parts) = parts(&parsed, format)?;
    if format == Format::Pptx {
        notes::attach(input.bytes, &mut parts)?;
    }
    document(input, format, title, parts)
}

/// A workbook: records if the columns of the mapping are there, else a document with its sheets.
pub(super) fn read_workbook(input: &Input<'_>, format: Format) -> Result<Vec<Extracted>, ReadError> {
    let parsed = undoc::parse_bytes(input.bytes).map_err(error)?;
    let mut found = Vec::new();
    let mut ordinary = Vec::new();
    for (sheet, part) in parsed.sections.iter().zip(0..) {
        let tables: Vec<Vec<Vec<String>>> = sheet
            .content
            .iter()
            .filter_map(|block| match block {
                undoc::model::Block::Table(table) => Some(rows(table)),
                _ => None,
            })
            .collect();
        match records::from_tables(&tables, format, input.mapping) {
            Some(records) => found.extend(records?),
            None => ordinary.push(part),
        }
    }
    let (title, parts) = parts(&parsed, format)?;
    if found.is_empty() {
        return document(input, format, title, parts).map(|d| vec![d]);
    }
    // Sheets that are no records (an explanation, a summary) make a document beside them.
    let rest: Vec<Part> = parts.into_iter().zip(0..).filter(|(_, i)| ordinary.contains(i)).map(|(p, _)| p).collect();
    if rest.iter().any(|p| says_something(p)) {
        found.push(document(input, format, title, rest)?);
    }
    Ok(found)
}

/// More than the name of the sheet.
fn says_something(part: &Part) -> bool {
    part.markdown.lines().any(|l| !l.starts_with('#') && l.chars().any(char::is_alphanumeric))
}

fn rows(table: &undoc::model::Table) -> Vec<Vec<String>> {
    table
        .rows
        .iter()
        .map(|row| row.cells.iter().map(|cell| round_figures(cell.plain_text().trim())).collect())
        .collect()
}

fn parts(parsed: &undoc::model::Document, format: Format) -> Result<(Option<String>, Vec<Part>), ReadError> {
    let kind = match format {
        Format::Pptx | Format::Ppt => UnitKind::Slide,
        Format::Xlsx | Format::Xls => UnitKind::Sheet,
        _ => UnitKind::Body,
    };
    let options = RenderOptions {
        include_images: false,
        escape_special_chars: false,
        include_headers_footers: false,
        preserve_line_breaks: true,
        ..RenderOptions::default()
    };
    let mut parts = Vec::with_capacity(parsed.sections.len());
    for (i, section) in parsed.sections.iter().enumerate() {
        let alone = undoc::model::Document {
            format: parsed.format,
            sections: vec![section.clone()],
            ..undoc::model::Document::default()
        };
        let markdown = undoc::render::to_markdown(&alone, &options).map_err(error)?;
        let markdown = round_figures(&without_tags(&markdown));
        let name = section.name.clone().filter(|_| kind != UnitKind::Body);
        let (label, markdown) = if kind == UnitKind::Slide { titled(name, markdown) } else { (name, markdown) };
        parts.push(Part { kind, number: i as u32 + 1, label, markdown });
    }
    Ok((parsed.metadata.title.clone(), parts))
}

/// A slide is called by its title; the parser's `## Slide 3` above it is no text of the slide.
fn titled(name: Option<String>, markdown: String) -> (Option<String>, String) {
    let markdown = match &name {
        Some(name) => markdown.trim_start().strip_prefix(&format!("## {name}\n")).unwrap_or(&markdown).to_owned(),
        None => markdown,
    };
    let title = markdown.lines().find(|l| !l.trim().is_empty()).and_then(|l| l.strip_prefix("# "));
    let title = title.map(|t| t.replace("**", "").trim().to_owned()).filter(|t| !t.is_empty());
    (title.or(name), markdown)
}

/// The parser writes what Markdown cannot say as HTML, which nobody would want quoted.
fn without_tags(markdown: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"</?(u|sup|sub)>").expect("a constant pattern"));
    // Excel's advice to those whose version cannot show a thread of comments.
    static ADVICE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[Threaded comment\].{0,400}?Comment:\s*").expect("a constant pattern"));
    let markdown = markdown.replace("<br>", " ");
    ADVICE.replace_all(&TAG.replace_all(&markdown, ""), "").into_owned()
}

/// Workbooks hold binary fractions; what a person typed as 90.6 reads 90.59999999999999. Figures are shown with 15
/// significant digits, as spreadsheet programs do.
fn round_figures(text: &str) -> String {
    static LONG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+\.\d{10,}").expect("a constant pattern"));
    let round = |found: &regex::Captures<'_>| {
        let value: f64 = found[0].parse().unwrap_or_default();
        let digits = found[0].find('.').unwrap_or(1);
        let rounded = format!("{value:.*}", 15usize.saturating_sub(digits));
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    LONG.replace_all(text, round).into_owned()
}

fn error(error: undoc::Error) -> ReadError {
    match error {
        undoc::Error::Encrypted => ReadError::Encrypted,
        other => damaged("Office", other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slide_is_called_by_its_title_once() {
        let slide = "## Slide 3\n\n# **Results**\n\ntext\n".to_owned();
        let (label, text) = titled(Some("Slide 3".into()), slide);
        assert_eq!((label.as_deref(), text.contains("Slide 3")), (Some("Results"), false));
        assert_eq!(titled(Some("Slide 4".into()), "## Slide 4\n\ntext".into()).0.as_deref(), Some("Slide 4"));
    }

    #[test]
    fn binary_fractions_are_shown_as_they_were_typed() {
        assert_eq!(round_figures("| 90.59999999999999 | 0.1 | 12.000000000000002 |"), "| 90.6 | 0.1 | 12 |");
        assert_eq!(round_figures("pi 3.14159265358979"), "pi 3.14159265358979");
    }
}
