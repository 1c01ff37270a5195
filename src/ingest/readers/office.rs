//! Word, PowerPoint and Excel, new and old, through undoc: slides and sheets are parts of their own.
//!
//! Speaker notes are left out: the parser attaches them to the wrong slide, and a wrong place is worse than none.

use std::sync::LazyLock;

use regex::Regex;
use undoc::render::RenderOptions;

use super::{Input, damaged, document, records};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let parsed = undoc::parse_bytes(input.bytes).map_err(error)?;
    let (title, parts) = parts(&parsed, format)?;
    document(input, format, title, parts)
}

/// A workbook: records if the columns of the mapping are there, else a document with its sheets.
pub(super) fn read_workbook(input: &Input<'_>, format: Format) -> Result<Vec<Extracted>, ReadError> {
    let parsed = undoc::parse_bytes(input.bytes).map_err(error)?;
    let tables: Vec<Vec<Vec<String>>> = parsed
        .sections
        .iter()
        .flat_map(|s| &s.content)
        .filter_map(|block| match block {
            undoc::model::Block::Table(table) => Some(rows(table)),
            _ => None,
        })
        .collect();
    if let Some(found) = records::from_tables(&tables, format, input.mapping) {
        return found;
    }
    let (title, parts) = parts(&parsed, format)?;
    document(input, format, title, parts).map(|d| vec![d])
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
        ..RenderOptions::default()
    };
    let mut parts = Vec::with_capacity(parsed.sections.len());
    for (i, section) in parsed.sections.iter().enumerate() {
        let alone = undoc::model::Document {
            format: parsed.format,
            sections: vec![section.clone()],
            ..undoc::model::Document::default()
        };
        let markdown = round_figures(&undoc::render::to_markdown(&alone, &options).map_err(error)?);
        let label = section.name.clone().filter(|_| kind != UnitKind::Body);
        parts.push(Part { kind, number: i as u32 + 1, label, markdown });
    }
    Ok((parsed.metadata.title.clone(), parts))
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
    use super::round_figures;

    #[test]
    fn binary_fractions_are_shown_as_they_were_typed() {
        assert_eq!(round_figures("| 90.59999999999999 | 0.1 | 12.000000000000002 |"), "| 90.6 | 0.1 | 12 |");
        assert_eq!(round_figures("pi 3.14159265358979"), "pi 3.14159265358979");
    }
}
