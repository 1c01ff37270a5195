//! Hangul documents, binary (HWP 5) and XML (HWPX), through unhwp.
//!
//! The formats hold no pages: where a page ends is decided by the word processor.

use super::{Input, body, damaged, document};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let options = unhwp::ParseOptions { extract_resources: false, parallel: false, ..unhwp::ParseOptions::default() };
    let parsed = unhwp::parse_bytes_with_options(input.bytes, &options).map_err(error)?;
    let render = unhwp::RenderOptions { escape_special_chars: false, ..unhwp::RenderOptions::default() };
    let markdown = unhwp::render::render_markdown(&parsed, &render).map_err(error)?;
    let mut read = document(input, format, parsed.metadata.title.clone(), body(markdown))?;
    if !parsed.skipped_sections.is_empty() {
        let skipped: Vec<String> = parsed.skipped_sections.iter().map(|s| (s + 1).to_string()).collect();
        read.warnings.push(format!("damaged sections left out: {}", skipped.join(", ")));
    }
    Ok(read)
}

fn error(error: unhwp::Error) -> ReadError {
    match error {
        unhwp::Error::Encrypted | unhwp::Error::DistributionRestricted => ReadError::Encrypted,
        other => damaged("HWP", other),
    }
}
