//! PDF, page by page, through unpdf.

use unpdf::render::{PageSelection, RenderOptions};

use super::{Input, damaged, document};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let mut options = unpdf::ParseOptions::new();
    options.extract_resources = false;
    options.parallel = false;
    // Offsets in a PDF count from its header, which some producers put a few bytes into the file.
    let start = input.bytes.windows(5).take(1024).position(|w| w == b"%PDF-").unwrap_or(0);
    let parsed = unpdf::parse_bytes_with_options(&input.bytes[start..], options.clone())
        .or_else(|e| if start > 0 { unpdf::parse_bytes_with_options(input.bytes, options) } else { Err(e) })
        .map_err(error)?;
    let mut parts = Vec::with_capacity(parsed.pages.len());
    for page in &parsed.pages {
        let mut render = RenderOptions::new();
        render.escape_special_chars = false;
        render.page_selection = PageSelection::Pages(vec![page.number]);
        let markdown = unpdf::render::to_markdown(&parsed, &render).map_err(error)?;
        parts.push(Part { kind: UnitKind::Page, number: page.number, label: None, markdown });
    }
    if parts.iter().all(|p| p.markdown.trim().is_empty()) {
        let pages = parts.len();
        return Err(ReadError::NoText(format!("{pages} {}", if pages == 1 { "page" } else { "pages" })));
    }
    document(input, Format::Pdf, parsed.metadata.title.clone(), parts)
}

fn error(error: unpdf::Error) -> ReadError {
    match error {
        unpdf::Error::Encrypted | unpdf::Error::InvalidPassword => ReadError::Encrypted,
        // The parser underneath reports some encrypted files as broken ones.
        other if other.to_string().to_lowercase().contains("encrypt") => ReadError::Encrypted,
        other => damaged("PDF", other),
    }
}
