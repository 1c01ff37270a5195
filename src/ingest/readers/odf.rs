//! OpenDocument text, spreadsheets and presentations: a walk through `content.xml`.

use quick_xml::events::{BytesStart, Event};

use super::{Input, damaged, document, package};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};
use crate::text::spaced;

/// A cell or row that is said to repeat more often than this stands for the rest of a sheet, not for content.
const REPEAT: usize = 64;
/// Paragraphs in text boxes in paragraphs, this deep; text further in belongs to the deepest of them.
const DEEPEST: usize = 50;
/// Tracked changes, reviewers' comments, what a program draws or says for itself, and copies of other workbooks' cells.
const SKIPPED: [&str; 6] = ["tracked-changes", "annotation", "settings", "forms", "content-validations", "dde-links"];

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let mut archive = package::open(input.bytes, "ODF")?;
    let encrypted = package::part(&mut archive, "META-INF/manifest.xml", "ODF")?;
    if encrypted.is_some_and(|manifest| manifest.contains("encryption-data")) {
        return Err(ReadError::Encrypted);
    }
    let xml = package::part(&mut archive, "content.xml", "ODF")?.ok_or_else(|| damaged("ODF", "no content.xml"))?;
    let mut walk = Walk::default();
    let mut skipped = 0usize;
    package::events(&xml, |event| match &event {
        Event::Start(_) if skipped > 0 => skipped += 1,
        Event::End(_) if skipped > 0 => skipped -= 1,
        _ if skipped > 0 => {}
        Event::Start(e) if SKIPPED.contains(&e.local_name().as_ref()) => skipped = 1,
        Event::Start(e) => walk.open(e),
        Event::Empty(e) => {
            walk.open(e);
            walk.close(e.local_name().as_ref());
        }
        Event::End(e) => walk.close(e.local_name().as_ref()),
        other => walk.text(&package::characters(other).unwrap_or_default()),
    })
    .map_err(|e| damaged("ODF", e))?;
    walk.finish();
    document(input, Format::Odf, None, walk.parts)
}

/// A paragraph or heading that is open; text boxes and notes open others inside it.
#[derive(Default)]
struct Paragraph {
    text: String,
    /// Level of a heading, 0 for a paragraph.
    heading: usize,
    /// What was anchored in it and follows it.
    after: String,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: Option<String>,
    /// How often the open cell and the open row stand.
    repeat: usize,
    repeat_row: usize,
}

#[derive(Default)]
struct Walk {
    parts: Vec<Part>,
    /// The document is a workbook: its tables are sheets.
    workbook: bool,
    kind: Option<(UnitKind, Option<String>)>,
    markdown: String,
    paragraphs: Vec<Paragraph>,
    /// Open paragraphs beyond the deepest.
    deeper: usize,
    tables: Vec<Table>,
}

impl Walk {
    fn open(&mut self, e: &BytesStart<'_>) {
        let number = |key: &str| package::attribute(e, key).and_then(|v| v.parse::<usize>().ok());
        match e.local_name().as_ref() {
            "spreadsheet" => self.workbook = true,
            "page" => self.begin(UnitKind::Slide, package::attribute(e, "name")),
            "notes" if matches!(self.kind, Some((UnitKind::Slide, _))) => self.markdown.push_str("Notes:\n\n"),
            "table" => {
                if self.workbook && self.tables.is_empty() {
                    self.begin(UnitKind::Sheet, package::attribute(e, "name"));
                }
                self.tables.push(Table::default());
            }
            "table-row" => {
                if let Some(table) = self.tables.last_mut() {
                    table.repeat_row = number("number-rows-repeated").unwrap_or(1);
                }
            }
            "table-cell" | "covered-table-cell" => {
                if let Some(table) = self.tables.last_mut() {
                    table.cell = Some(String::new());
                    table.repeat = number("number-columns-repeated").unwrap_or(1);
                }
            }
            "p" | "h" if self.paragraphs.len() > DEEPEST => self.deeper += 1,
            "p" => self.paragraphs.push(Paragraph::default()),
            "h" => {
                let heading = number("outline-level").unwrap_or(1).clamp(1, 6);
                self.paragraphs.push(Paragraph { heading, ..Paragraph::default() });
            }
            "tab" | "s" => self.text(" "),
            "line-break" => self.text("\n"),
            // The number of a note: its text follows the paragraph.
            "note" => self.text(" "),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" | "h" if self.deeper > 0 => self.deeper -= 1,
            "p" | "h" => {
                let Some(done) = self.paragraphs.pop() else { return };
                let marks = "#".repeat(done.heading);
                let space = if marks.is_empty() { "" } else { " " };
                let text = done.text.trim();
                let block = if text.is_empty() { String::new() } else { format!("{marks}{space}{text}\n\n") };
                self.put(&format!("{block}{}", done.after), text);
            }
            "table-cell" | "covered-table-cell" => {
                let Some(table) = self.tables.last_mut() else { return };
                let text = table.cell.take().unwrap_or_default();
                let text = spaced(&text).replace('|', "/");
                table.row.extend(std::iter::repeat_n(text, table.repeat.clamp(1, REPEAT)));
            }
            "table-row" => {
                let Some(table) = self.tables.last_mut() else { return };
                while table.row.last().is_some_and(String::is_empty) {
                    table.row.pop();
                }
                let row = std::mem::take(&mut table.row);
                if !row.is_empty() {
                    table.rows.extend(std::iter::repeat_n(row, table.repeat_row.clamp(1, REPEAT)));
                }
            }
            "table" => self.table(),
            "page" => self.finish(),
            _ => {}
        }
    }

    /// A finished paragraph goes behind the one it is anchored in, into its cell, or onto the page.
    fn put(&mut self, block: &str, plain: &str) {
        if let Some(outer) = self.paragraphs.last_mut() {
            outer.after.push_str(block);
        } else if let Some(cell) = self.tables.last_mut().and_then(|t| t.cell.as_mut()) {
            cell.push_str(plain);
            cell.push(' ');
            cell.push_str(block.trim().strip_prefix(plain).unwrap_or(""));
        } else {
            self.markdown.push_str(block);
        }
    }

    fn table(&mut self) {
        let Some(table) = self.tables.pop() else { return };
        // A table within a cell is a list in it: rows parted by semicolons.
        if let Some(cell) = self.tables.last_mut().and_then(|t| t.cell.as_mut()) {
            let rows: Vec<String> = table.rows.iter().map(|row| row.join(", ")).collect();
            cell.push_str(&format!("{} ", rows.join("; ")));
            return;
        }
        let width = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut block = String::new();
        for (i, mut row) in table.rows.into_iter().enumerate() {
            row.resize(width, String::new());
            block.push_str(&format!("| {} |\n", row.join(" | ")));
            if i == 0 {
                block.push_str(&format!("|{}\n", "---|".repeat(width)));
            }
        }
        block.push('\n');
        self.put(&block, "");
        if matches!(self.kind, Some((UnitKind::Sheet, _))) {
            self.finish();
        }
    }

    fn begin(&mut self, kind: UnitKind, label: Option<String>) {
        self.finish();
        self.kind = Some((kind, label));
    }

    /// Blank slides and sheets count: those after them keep their numbers.
    fn finish(&mut self) {
        let markdown = std::mem::take(&mut self.markdown);
        let known = self.kind.take();
        if known.is_some() || !markdown.trim().is_empty() {
            let (kind, label) = known.unwrap_or((UnitKind::Body, None));
            self.parts.push(Part { kind, number: self.parts.len() as u32 + 1, label, markdown });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn parts(kind: &str, body: &str) -> Vec<Part> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file("content.xml", zip::write::SimpleFileOptions::default()).unwrap();
        write!(archive, "<office:document-content><office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>").unwrap();
        let bytes = archive.finish().unwrap().into_inner();
        let mapping = crate::ingest::RecordMapping::default();
        read(&Input { bytes: &bytes, name: "a.odt", mapping: &mapping }).unwrap().parts
    }

    fn text(body: &str) -> String {
        parts("text", body).remove(0).markdown
    }

    fn cell(text: &str) -> String {
        format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>")
    }

    #[test]
    fn a_table_in_a_cell_stays_in_its_row() {
        let inner = format!("<table:table><table:table-row>{}{}</table:table-row></table:table>", cell("a"), cell("b"));
        let outer = format!(
            "<text:p>앞</text:p><table:table><table:table-row>{}{}</table:table-row><table:table-row>{}<table:table-cell><text:p>안:</text:p>{inner}</table:table-cell></table:table-row></table:table><text:p>뒤</text:p>",
            cell("항목"),
            cell("값"),
            cell("전지")
        );
        assert_eq!(text(&outer), "앞\n\n| 항목 | 값 |\n|---|---|\n| 전지 | 안: a, b |\n\n뒤\n\n");
    }

    #[test]
    fn notes_and_text_boxes_follow_the_paragraph_comments_are_left_out() {
        let note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>각주</text:p></text:note-body></text:note>";
        let comment = "<office:annotation><text:p>검토 의견</text:p></office:annotation>";
        assert_eq!(text(&format!("<text:p>앞{note}{comment} 뒤</text:p>")), "앞 1 뒤\n\n각주\n\n");
    }

    #[test]
    fn blank_sheets_and_slides_count_and_a_text_that_begins_with_a_table_is_no_sheet() {
        let table = |name: &str, rows: &str| format!("<table:table table:name=\"{name}\">{rows}</table:table>");
        let row = format!("<table:table-row>{}</table:table-row>", cell("값"));
        let named = |parts: &[Part]| -> Vec<String> {
            parts.iter().map(|p| format!("{:?} {} {}", p.kind, p.number, p.label.as_deref().unwrap_or("-"))).collect()
        };
        let sheets = parts("spreadsheet", &format!("{}{}", table("빈칸", ""), table("표", &row)));
        assert_eq!(named(&sheets), ["Sheet 1 빈칸", "Sheet 2 표"]);
        assert_eq!((sheets[0].markdown.trim(), sheets[1].markdown.trim()), ("", "| 값 |\n|---|"));

        let slides = parts("presentation", "<draw:page/><draw:page><text:p>둘</text:p></draw:page>");
        assert_eq!(named(&slides), ["Slide 1 -", "Slide 2 -"]);

        let text = parts("text", &format!("{}<text:p>뒤</text:p>", table("표1", &row)));
        assert_eq!(named(&text), ["Body 1 -"]);
    }

    #[test]
    fn a_row_that_repeats_stands_as_often_within_reason() {
        let row = |times: usize| {
            format!("<table:table-row table:number-rows-repeated=\"{times}\">{}</table:table-row>", cell("같음"))
        };
        let found = parts("spreadsheet", &format!("<table:table>{}{}</table:table>", row(3), row(9_000_000)));
        assert_eq!(found[0].markdown.matches("| 같음 |").count(), 3 + REPEAT);
    }
}
