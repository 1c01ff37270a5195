//! PDF, page by page, through unpdf.

use std::collections::HashSet;

use unpdf::model::{Block, Document, FieldValue, FormField, InlineContent, Page, Paragraph, TextRun};
use unpdf::render::{PageSelection, RenderOptions};

use super::{Input, damaged, document, docx, numbers, pdf_cmap};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};
use crate::text::spaced;

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let mut options = unpdf::ParseOptions::new();
    options.extract_resources = false;
    options.parallel = false;
    let corrected = pdf_cmap::corrected(input.bytes);
    let bytes = corrected.as_deref().unwrap_or(input.bytes);
    // Offsets in a PDF count from its header, which some producers put a few bytes into the file.
    let start = bytes.windows(5).take(1024).position(|w| w == b"%PDF-").unwrap_or(0);
    let mut parsed = unpdf::parse_bytes_with_options(&bytes[start..], options.clone())
        .or_else(|e| if start > 0 { unpdf::parse_bytes_with_options(bytes, options) } else { Err(e) })
        .map_err(error)?;
    let parts = parts(&mut parsed)?;
    if parts.is_empty() {
        return Err(damaged("PDF", "no page can be found in it"));
    }
    if parts.iter().all(|p| p.markdown.trim().is_empty()) {
        let pages = parts.len();
        return Err(ReadError::NoText(format!("{pages} {}", if pages == 1 { "page" } else { "pages" })));
    }
    let warnings = lost(&parsed, &parts);
    let mut read = document(input, Format::Pdf, parsed.metadata.title.clone(), parts)?;
    read.warnings = warnings;
    Ok(read)
}

/// The pages; what was filled into a form stands below the last one, because the parser does not say where it belongs.
fn parts(parsed: &mut Document) -> Result<Vec<Part>, ReadError> {
    let filled: Vec<String> = std::mem::take(&mut parsed.form_fields).iter().filter_map(filled).collect();
    parsed.pages.iter_mut().for_each(raise);
    let mut parts = Vec::with_capacity(parsed.pages.len());
    for page in &parsed.pages {
        let mut render = RenderOptions::new();
        render.escape_special_chars = false;
        render.page_selection = PageSelection::Pages(vec![page.number]);
        let markdown = unpdf::render::to_markdown(parsed, &render).map_err(error)?;
        parts.push(Part { kind: UnitKind::Page, number: page.number, label: None, markdown });
    }
    if let Some(last) = parts.last_mut().filter(|_| !filled.is_empty()) {
        last.markdown.push_str(&format!("\n\n## Form Fields\n\n{}\n", filled.join("\n")));
    }
    Ok(parts)
}

/// Writes raised figures as such, for `10` with a raised `6` is no 106: the parser knows them by size and place, its Markdown does not.
fn raise(page: &mut Page) {
    for block in &mut page.elements {
        match block {
            Block::Paragraph(paragraph) => raise_in(paragraph),
            Block::Table(table) => {
                let cells = table.rows.iter_mut().flat_map(|row| &mut row.cells);
                cells.flat_map(|cell| &mut cell.content).for_each(raise_in);
            }
            _ => {}
        }
    }
}

/// A figure that touches no letter or number before it may be small type beside large.
fn raise_in(paragraph: &mut Paragraph) {
    let mut before = ' ';
    for inline in &mut paragraph.content {
        let (InlineContent::Text(TextRun { text, style }) | InlineContent::Link { text, style, .. }) = inline else {
            before = ' ';
            continue;
        };
        let touches = before.is_alphanumeric() || matches!(before, ')' | ']' | '⁻' | '⁺');
        if style.superscript
            && touches
            && let Some(raised) = docx::shifted(text, true)
        {
            *text = raised;
        }
        before = text.chars().next_back().unwrap_or(before);
    }
}

/// A field of a form that says something.
fn filled(field: &FormField) -> Option<String> {
    let value = match field.value.as_ref()? {
        FieldValue::Text(text) | FieldValue::Choice(text) => text.clone(),
        FieldValue::Choices(texts) => texts.join(", "),
        FieldValue::Boolean(true) => "[x]".into(),
        FieldValue::Boolean(false) => return None,
    };
    let value = spaced(&value);
    (!value.is_empty()).then(|| format!("- **{}**: {value}", field.name))
}

/// What is missing from the text, a line each: the parser's own diagnostics (all but counts of what was read, of pictures, and
/// of encryption that it opened), by pages where it says so.
fn lost(parsed: &Document, parts: &[Part]) -> Vec<String> {
    let quality = &parsed.extraction_quality;
    let pages_with = |wanted: &dyn Fn(&Page) -> bool| -> Option<String> {
        let found: Vec<u32> = parsed.pages.iter().filter_map(|page| wanted(page).then_some(page.number)).collect();
        named(&found)
    };
    let mut out = Vec::new();
    let read: HashSet<u32> = parts.iter().map(|part| part.number).collect();
    let declared = quality.declared_page_count.filter(|_| !quality.pages_incomplete);
    let last = read.iter().copied().chain(declared).max().unwrap_or(0);
    let unread: Vec<u32> = (1..=last).filter(|number| !read.contains(number)).collect();
    if let Some(pages) = named(&unread) {
        out.push(format!("{pages} left out, unreadable; save the file anew with another program and ingest that"));
    }
    if quality.pages_incomplete || quality.unresolved_page_nodes > 0 {
        let declared = quality.declared_page_count.map(|n| format!(" of {n}")).unwrap_or_default();
        out.push(format!(
            "the list of pages is damaged, {}{declared} were found; repair the file and ingest it again",
            read.len()
        ));
    }
    // A page on which nothing is drawn is blank, not unread.
    let drawn = |page: &Page| {
        [page.text_op_count, page.image_op_count, page.form_op_count, page.fill_op_count].iter().any(|n| *n > 0)
    };
    let says = |page: &Page| page.plain_text().chars().any(char::is_alphanumeric);
    if let Some(pages) = pages_with(&|page| drawn(page) && !says(page)) {
        let hold = if pages.starts_with("pages") { "hold" } else { "holds" };
        out.push(format!("{pages} {hold} no text (pictures need OCR)"));
    }
    if let Some(pages) = pages_with(&|page| page.ocr_text_suppressed) {
        out.push(format!("the recognised text of {pages} is unreadable and was left out; run OCR on it again"));
    }
    if let Some(pages) = pages_with(&|page| page.suppressed_text_runs > 0) {
        out.push(format!(
            "text on {pages} is in fonts that do not say their characters and was left out ({} pieces); OCR can read it",
            quality.suppressed_text_runs
        ));
    }
    if let Some(pages) = pages_with(&|page| page.undecodable_content_streams > 0) {
        out.push(format!("a part of {pages} is damaged and was left out; repair the file and ingest it again"));
    }
    if let Some(pages) = pages_with(&|page| page.plain_text().contains('\u{fffd}')) {
        out.push(format!(
            "characters of no known meaning on {pages} were left out ({}); OCR can read them",
            quality.replacement_char_count
        ));
    }
    if quality.skipped_object_count > 0 {
        out.push(format!(
            "damaged objects of the file were left out, with text perhaps ({}); compare it with the original",
            quality.skipped_object_count
        ));
    }
    if quality.xref_reconstructed {
        out.push(
            "the file is damaged, its objects were searched for and some may be missing; compare it with the original"
                .into(),
        );
    }
    out
}

fn named(pages: &[u32]) -> Option<String> {
    match pages {
        [] => None,
        [page] => Some(format!("page {page}")),
        pages => Some(format!("pages {}", numbers(pages))),
    }
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
    use unpdf::model::{FieldType, Table, TableCell, TableRow, TextStyle};

    use super::*;

    /// A document with a page a text; a blank one draws a picture.
    fn pages(texts: &[&str]) -> Document {
        let mut document = Document::new();
        for (number, text) in (1..).zip(texts) {
            let mut page = Page::a4(number);
            if text.is_empty() {
                page.image_op_count = 1;
            } else {
                page.text_op_count = 1;
                page.add_paragraph(Paragraph::with_text(*text));
            }
            document.add_page(page);
        }
        document
    }

    fn field(name: &str, value: Option<FieldValue>) -> FormField {
        FormField { name: name.into(), field_type: FieldType::Text, value, default_value: None }
    }

    #[test]
    fn what_was_filled_into_a_form_stands_once_below_the_last_page() {
        let mut document = pages(&["one", "two", "three"]);
        document.form_fields = vec![
            field("Name", Some(FieldValue::Text("Kim\nBora".into()))),
            field("Date", None),
            field("Agreed", Some(FieldValue::Boolean(false))),
            field("Visited", Some(FieldValue::Boolean(true))),
        ];
        let parts = parts(&mut document).unwrap();
        let text: Vec<&str> = parts.iter().map(|p| p.markdown.trim()).collect();
        assert_eq!(text, ["one", "two", "three\n\n## Form Fields\n\n- **Name**: Kim Bora\n- **Visited**: [x]"]);
    }

    #[test]
    fn raised_figures_are_no_digits_of_what_stands_before() {
        let raised = |text: &str| {
            let style = TextStyle { superscript: true, ..TextStyle::default() };
            InlineContent::Text(TextRun { text: text.into(), style })
        };
        let plain = |text: &str| InlineContent::Text(TextRun::new(text));
        let paragraph = |content: Vec<InlineContent>| Paragraph { content, ..Paragraph::new() };
        let mut document = pages(&["At"]);
        let page = &mut document.pages[0];
        page.add_paragraph(paragraph(vec![plain("up to 10"), raised("6"), plain(" Pa, 10"), raised("-"), raised("3")]));
        page.add_paragraph(paragraph(vec![plain("the 4"), raised("th"), plain(" report "), raised("2024")]));
        let cell = TableCell::with_content(vec![paragraph(vec![plain("m"), raised("2")])]);
        let mut table = Table::with_header(1);
        table.add_row(TableRow::header(vec![TableCell::text("area"), cell]));
        table.add_row(TableRow::from_strings(["kiln", "3"]));
        page.add_table(table);
        let text = parts(&mut document).unwrap().remove(0).markdown;
        assert!(text.contains("up to 10⁶ Pa, 10⁻³") && text.contains("the 4th report 2024"), "{text}");
        assert!(text.contains("| area | m² |"), "{text}");
    }

    #[test]
    fn pages_without_text_are_named() {
        let mut document = pages(&["one", "", "", "", "five", ""]);
        document.add_page(Page::a4(7));
        let parts = parts(&mut document).unwrap();
        assert_eq!(lost(&document, &parts), ["pages 2-4, 6 hold no text (pictures need OCR)"], "page 7 is blank");
    }

    #[test]
    fn what_the_parser_left_out_is_said_a_line_each() {
        let mut document = pages(&["one", "two"]);
        document.pages[1].suppressed_text_runs = 3;
        document.pages[0].undecodable_content_streams = 1;
        document.extraction_quality.suppressed_text_runs = 3;
        document.extraction_quality.declared_page_count = Some(4);
        document.extraction_quality.xref_reconstructed = true;
        let parts = parts(&mut document).unwrap();
        let said = lost(&document, &parts);
        let starts =
            ["pages 3-4 left out, unreadable", "text on page 2 is in fonts", "a part of page 1", "the file is damaged"];
        assert_eq!(said.len(), starts.len(), "{said:?}");
        for (line, start) in said.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
    }
}
