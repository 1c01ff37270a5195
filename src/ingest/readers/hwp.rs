//! Hangul documents, binary (HWP 5) and XML (HWPX), through unhwp.
//!
//! The formats hold no pages: where a page ends is decided by the word processor.

use super::{Input, body, damaged, document, hwp5, hwpx};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let rewritten = if format == Format::Hwpx { hwpx::rewrite(input.bytes) } else { hwp5::rewrite(input.bytes) }?;
    let bytes = rewritten.as_deref().unwrap_or(input.bytes);
    let options = unhwp::ParseOptions {
        extract_resources: false,
        parallel: false,
        error_mode: unhwp::ErrorMode::Lenient,
        ..unhwp::ParseOptions::default()
    };
    let parsed = unhwp::parse_bytes_with_options(bytes, &options).map_err(error)?;
    let render = unhwp::RenderOptions { escape_special_chars: false, ..unhwp::RenderOptions::default() };
    let markdown = unhwp::render::render_markdown(&parsed, &render).map_err(error)?.replace("<br>", " ");
    let mut warnings = Vec::new();
    let skipped: Vec<String> = parsed.skipped_sections.iter().map(|s| (s + 1).to_string()).collect();
    let damage = match skipped.as_slice() {
        [] => None,
        [one] => Some(format!("section {one} is damaged")),
        more => Some(format!("sections {} are damaged", more.join(", "))),
    };
    let empty = !markdown.chars().any(char::is_alphanumeric);
    let preview = if empty && format == Format::Hwp { hwp5::preview(input.bytes) } else { None };
    if let (true, None, Some(damage)) = (empty, &preview, &damage) {
        return Err(damaged("HWP", damage));
    }
    warnings
        .extend(damage.map(|damage| format!("{damage} and left out; save the file anew in Hangul and ingest that")));
    let markdown = match preview {
        Some(text) => {
            warnings.push("no text in the body; its preview was read, about the first page".into());
            text
        }
        None => markdown,
    };
    let mut read = document(input, format, parsed.metadata.title.clone(), body(markdown))?;
    read.warnings = warnings;
    Ok(read)
}

fn error(error: unhwp::Error) -> ReadError {
    match error {
        unhwp::Error::Encrypted | unhwp::Error::DistributionRestricted => ReadError::Encrypted,
        other => damaged("HWP", other),
    }
}
