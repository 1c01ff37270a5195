//! Word and PowerPoint, new and old, through undoc: slides are parts of their own. Excel's workbooks are read in `workbook`.
//!
//! Word documents are rewritten first (`docx`), and speaker notes are read beside the parser (`notes`):
//! it drops equations and attaches notes to the wrong slide.

use std::sync::LazyLock;

use regex::Regex;
use undoc::render::RenderOptions;

use super::{Input, damaged, document, docx, notes};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let (rewritten, mut warnings) =
        if format == Format::Docx { docx::rewrite(input.bytes)? } else { (None, Vec::new()) };
    let parsed = undoc::parse_bytes(rewritten.as_deref().unwrap_or(input.bytes)).map_err(error)?;
    let (title, mut parts) = parts(&parsed, format)?;
    if format == Format::Pptx {
        warnings.extend(notes::attach(input.bytes, &mut parts)?);
    }
    let mut read = document(input, format, title, parts)?;
    read.warnings = warnings;
    Ok(read)
}

/// The title and the parts of what undoc read: slides, sheets, or one body a section.
pub(super) fn parts(parsed: &undoc::model::Document, format: Format) -> Result<(Option<String>, Vec<Part>), ReadError> {
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
        let markdown = without_tags(&markdown);
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

pub(super) fn error(error: undoc::Error) -> ReadError {
    match error {
        undoc::Error::Encrypted => ReadError::Encrypted,
        other => damaged("Office", other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::package::made::{TYPES, relations, zipped};
    use super::*;

    #[test]
    fn an_equation_in_a_cell_is_read_in_its_cell() {
        let cell = |inner: &str| format!("<w:tc><w:p>{inner}</w:p></w:tc>");
        let run = |text: &str| format!("<w:r><w:t>{text}</w:t></w:r>");
        let math = "<m:oMath><m:f><m:num><m:r><m:t>σ</m:t></m:r></m:num><m:den><m:r><m:t>d</m:t></m:r></m:den></m:f></m:oMath>";
        let table = format!(
            "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}</w:tr></w:tbl>",
            cell(&run("quantity")),
            cell(&run("is")),
            cell(&run("conductance")),
            cell(math)
        );
        let document = format!(
            "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" xmlns:m=\"http://schemas.openxmlformats.org/officeDocument/2006/math\"><w:body>{table}</w:body></w:document>"
        );
        let bytes = zipped(&[
            ("[Content_Types].xml", TYPES.into()),
            ("_rels/.rels", relations(&[("r1", "officeDocument", "word/document.xml")])),
            ("word/document.xml", document),
        ]);
        let mapping = crate::ingest::RecordMapping::default();
        let found = read(&Input { bytes: &bytes, name: "a.docx", mapping: &mapping }, Format::Docx).unwrap();
        assert!(found.parts[0].markdown.contains("| conductance | σ/d |"), "{}", found.parts[0].markdown);
    }

    #[test]
    fn a_slide_is_called_by_its_title_once() {
        let slide = "## Slide 3\n\n# **Results**\n\ntext\n".to_owned();
        let (label, text) = titled(Some("Slide 3".into()), slide);
        assert_eq!((label.as_deref(), text.contains("Slide 3")), (Some("Results"), false));
        assert_eq!(titled(Some("Slide 4".into()), "## Slide 4\n\ntext".into()).0.as_deref(), Some("Slide 4"));
    }

    #[test]
    fn small_figures_in_prose_stay_as_they_were_written() {
        let text = "D = 0.0000000000000012 m2/s, pi 3.14159265358979323846";
        let document = format!(
            "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
        );
        let bytes = zipped(&[
            ("[Content_Types].xml", TYPES.into()),
            ("_rels/.rels", relations(&[("r1", "officeDocument", "word/document.xml")])),
            ("word/document.xml", document),
        ]);
        let mapping = crate::ingest::RecordMapping::default();
        let found = read(&Input { bytes: &bytes, name: "a.docx", mapping: &mapping }, Format::Docx).unwrap();
        assert!(found.parts[0].markdown.contains(text), "{}", found.parts[0].markdown);
    }
}
