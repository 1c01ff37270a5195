//! PDF, page by page, through unpdf.

use unpdf::render::{PageSelection, RenderOptions};

use super::{Input, damaged, document, pdf_cmap};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let mut options = unpdf::ParseOptions::new();
    options.extract_resources = false;
    options.parallel = false;
    let corrected = pdf_cmap::corrected(input.bytes);
    let bytes = corrected.as_deref().unwrap_or(input.bytes);
    // Offsets in a PDF count from its header, which some producers put a few bytes into the file.
    let start = bytes.windows(5).take(1024).position(|w| w == b"%PDF-").unwrap_or(0);
    let parsed = unpdf::parse_bytes_with_options(&bytes[start..], options.clone())
        .or_else(|e| if start > 0 { unpdf::parse_bytes_with_options(bytes, options) } else { Err(e) })
        .map_err(error)?;
    let mut parts = Vec::with_capacity(parsed.pages.len());
    for page in &parsed.pages {
        let mut render = RenderOptions::new();
        render.escape_special_chars = false;
        render.page_selection = PageSelection::Pages(vec![page.number]);
        let markdown = unpdf::render::to_markdown(&parsed, &render).map_err(error)?;
        let markdown = without_blank_fields(&markdown);
        parts.push(Part { kind: UnitKind::Page, number: page.number, label: None, markdown });
    }
    if parts.is_empty() {
        return Err(damaged("PDF", "no page can be found in it"));
    }
    if parts.iter().all(|p| p.markdown.trim().is_empty()) {
        let pages = parts.len();
        return Err(ReadError::NoText(format!("{pages} {}", if pages == 1 { "page" } else { "pages" })));
    }
    document(input, Format::Pdf, parsed.metadata.title.clone(), parts)
}

/// The parser lists the fields of a form below its page; those nobody filled in say nothing.
fn without_blank_fields(markdown: &str) -> String {
    const HEADING: &str = "## Form Fields";
    let Some((page, fields)) = markdown.rsplit_once(HEADING) else { return markdown.to_owned() };
    if fields.lines().any(|l| !l.trim().is_empty() && !l.starts_with("- **")) {
        return markdown.to_owned();
    }
    let filled = |l: &&str| !l.ends_with(": _(empty)_") && !l.ends_with(": [ ]") && !l.trim().is_empty();
    let filled: Vec<&str> = fields.lines().filter(filled).collect();
    if filled.is_empty() { page.to_owned() } else { format!("{page}{HEADING}\n\n{}\n", filled.join("\n")) }
}

fn error(error: unpdf::Error) -> ReadError {
    match error {
        unpdf::Error::Encrypted | unpdf::Error::InvalidPassword => ReadError::Encrypted,
        // The parser underneath reports some encrypted files as broken ones.
        other if other.to_string().to_lowercase().contains("encrypt") => ReadError::Encrypted,
        other => damaged("PDF", other),
    }
}

#[cfg(test)]
mod tests {
    use super::without_blank_fields;

    #[test]
    fn only_filled_fields_of_a_form_are_text() {
        let page = "text\n\n## Form Fields\n\n- **Name**: Kim\n- **Date**: _(empty)_\n- **Agreed**: [ ]\n";
        assert_eq!(without_blank_fields(page), "text\n\n## Form Fields\n\n- **Name**: Kim\n");
        assert_eq!(without_blank_fields("text\n\n## Form Fields\n\n- **Date**: _(empty)_\n"), "text\n\n");
    }
}
