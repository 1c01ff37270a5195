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
    let mut all = Vec::new();
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
        all.extend(tables);
    }
    records::sheets_have_columns(&all, !found.is_empty(), input.mapping)?;
    let (title, parts) = parts(&parsed, format)?;
    if found.is_empty() {
        return document(input, format, title, parts).map(|d| vec![d]);
    }
    // Sheets that are no records (an explanation, a summary) make a document beside them.
    let rest: Vec<Part> = parts.into_iter().zip(0..).filter(|(_, i)| ordinary.contains(i)).map(|(p, _)| p).collect();
    if rest.iter().any(says_something) {
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

    fn package(files: &[(&str, String)]) -> Vec<u8> {
        use std::io::Write;
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn relations(list: &[(&str, &str, &str)]) -> String {
        let one = |(id, kind, target): &(&str, &str, &str)| {
            format!(
                "<Relationship Id=\"{id}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/>"
            )
        };
        let all: String = list.iter().map(one).collect();
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{all}</Relationships>"
        )
    }

    const TYPES: &str = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>";

    #[test]
    fn sheets_that_are_no_records_make_a_document_beside_the_records() {
        let sheet = |rows: &[&[&str]]| {
            let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
            let row = |cells: &&[&str]| format!("<row>{}</row>", cells.iter().map(cell).collect::<String>());
            let rows: String = rows.iter().map(row).collect();
            format!(
                "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
            )
        };
        let workbook = "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"과제\" sheetId=\"1\" r:id=\"s1\"/><sheet name=\"설명\" sheetId=\"2\" r:id=\"s2\"/></sheets></workbook>";
        let bytes = package(&[
            ("[Content_Types].xml", TYPES.into()),
            ("_rels/.rels", relations(&[("r1", "officeDocument", "xl/workbook.xml")])),
            ("xl/workbook.xml", workbook.into()),
            (
                "xl/_rels/workbook.xml.rels",
                relations(&[
                    ("s1", "worksheet", "worksheets/sheet1.xml"),
                    ("s2", "worksheet", "worksheets/sheet2.xml"),
                ]),
            ),
            ("xl/worksheets/sheet1.xml", sheet(&[&["id", "title", "text"], &["P1", "양극재", "본문"]])),
            ("xl/worksheets/sheet2.xml", sheet(&[&["용어", "뜻"], &["SOC", "충전 상태"]])),
        ]);
        let mapping = crate::ingest::RecordMapping::default();
        let input = Input { bytes: &bytes, name: "a.xlsx", mapping: &mapping };
        let found = read_workbook(&input, Format::Xlsx).unwrap();
        assert_eq!(found.iter().map(|d| d.record.as_deref()).collect::<Vec<_>>(), [Some("P1"), None]);
        assert_eq!(found[1].parts.len(), 1);
        assert_eq!((found[1].parts[0].number, found[1].parts[0].label.as_deref()), (2, Some("설명")));
        assert!(found[1].parts[0].markdown.contains("충전 상태"));
    }

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
        let bytes = package(&[
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
    fn binary_fractions_are_shown_as_they_were_typed() {
        assert_eq!(round_figures("| 90.59999999999999 | 0.1 | 12.000000000000002 |"), "| 90.6 | 0.1 | 12 |");
        assert_eq!(round_figures("pi 3.14159265358979"), "pi 3.14159265358979");
    }
}
