//! Word, PowerPoint and Excel, new and old, through undoc: slides and sheets are parts of their own.

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
    table.rows.iter().map(|row| row.cells.iter().map(|cell| cell.plain_text().trim().to_owned()).collect()).collect()
}

fn parts(parsed: &undoc::model::Document, format: Format) -> Result<(Option<String>, Vec<Part>), ReadError> {
    let kind = match format {
        Format::Pptx | Format::Ppt => UnitKind::Slide,
        Format::Xlsx | Format::Xls => UnitKind::Sheet,
        _ => UnitKind::Body,
    };
    let mut options = RenderOptions::default();
    options.include_images = false;
    options.escape_special_chars = false;
    options.include_headers_footers = false;
    let mut parts = Vec::with_capacity(parsed.sections.len());
    for (i, section) in parsed.sections.iter().enumerate() {
        let alone = undoc::model::Document {
            format: parsed.format,
            sections: vec![section.clone()],
            ..undoc::model::Document::default()
        };
        let mut markdown = undoc::render::to_markdown(&alone, &options).map_err(error)?;
        if let Some(notes) = &section.notes {
            let notes: Vec<String> = notes.iter().map(|p| p.plain_text()).filter(|t| !t.trim().is_empty()).collect();
            let missing = notes.iter().filter(|n| !markdown.contains(n.trim())).cloned().collect::<Vec<_>>().join("\n\n");
            if !missing.is_empty() {
                markdown = format!("{}\n\n{missing}", markdown.trim_end());
            }
        }
        let label = section.name.clone().filter(|_| kind != UnitKind::Body);
        parts.push(Part { kind, number: i as u32 + 1, label, markdown });
    }
    Ok((parsed.metadata.title.clone(), parts))
}

fn error(error: undoc::Error) -> ReadError {
    match error {
        undoc::Error::Encrypted => ReadError::Encrypted,
        other => damaged("Office", other),
    }
}
