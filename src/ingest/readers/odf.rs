//! OpenDocument text, spreadsheets and presentations: a walk through `content.xml`.

use std::io::Read;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Input, damaged, document};
use crate::document::{Format, UnitKind};
use crate::ingest::{Extracted, Part, ReadError};

/// Largest `content.xml` that is unpacked, bytes.
const LIMIT: u64 = 256 << 20;
/// Repeated empty cells and rows stand for the rest of a sheet; more than this is not content.
const REPEAT: usize = 64;

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(input.bytes)).map_err(|e| damaged("ODF", e))?;
    let file = archive.by_name("content.xml").map_err(|e| damaged("ODF", e))?;
    if file.encrypted() {
        return Err(ReadError::Encrypted);
    }
    let mut xml = String::new();
    file.take(LIMIT).read_to_string(&mut xml).map_err(|e| damaged("ODF", e))?;
    let mut walk = Walk::default();
    let mut reader = Reader::from_str(&xml);
    loop {
        match reader.read_event().map_err(|e| damaged("ODF", e))? {
            Event::Start(e) => walk.open(e.local_name().as_ref(), &attributes(&e)),
            Event::Empty(e) => {
                let name = e.local_name();
                walk.open(name.as_ref(), &attributes(&e));
                walk.close(name.as_ref());
            }
            Event::End(e) => walk.close(e.local_name().as_ref()),
            Event::Text(e) => walk.text(&e.xml_content(quick_xml::XmlVersion::Implicit1_0)),
            Event::GeneralRef(e) => {
                let number = e.resolve_char_ref().ok().flatten().map(String::from);
                let named = || quick_xml::escape::resolve_predefined_entity(&e).map(str::to_owned);
                walk.text(&number.or_else(named).unwrap_or_default());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    walk.finish();
    document(input, Format::Odf, None, walk.parts)
}

type Attributes = Vec<(String, String)>;

fn attributes(e: &quick_xml::events::BytesStart<'_>) -> Attributes {
    e.attributes().flatten().map(|a| (a.key.local_name().as_ref().to_owned(), a.value.into_owned())).collect()
}

#[derive(Default)]
struct Walk {
    parts: Vec<Part>,
    kind: Option<(UnitKind, Option<String>)>,
    markdown: String,
    paragraph: String,
    heading: usize,
    row: Vec<String>,
    rows: Vec<Vec<String>>,
    in_cell: bool,
    repeat: usize,
}

impl Walk {
    fn open(&mut self, name: &str, attributes: &Attributes) {
        let value = |key: &str| attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        match name {
            "page" => self.begin(UnitKind::Slide, value("name")),
            "table" if self.kind.is_none() || matches!(self.kind, Some((UnitKind::Sheet, _))) => {
                if self.markdown.trim().is_empty() && self.paragraph.is_empty() {
                    self.begin(UnitKind::Sheet, value("name"));
                }
                self.rows.clear();
            }
            "table" => self.rows.clear(),
            "table-row" => self.row.clear(),
            "table-cell" | "covered-table-cell" => {
                self.in_cell = true;
                self.paragraph.clear();
                self.repeat = value("number-columns-repeated").and_then(|v| v.parse().ok()).unwrap_or(1);
            }
            "h" => self.heading = value("outline-level").and_then(|v| v.parse().ok()).unwrap_or(1).clamp(1, 6),
            "tab" | "s" => self.paragraph.push(' '),
            "line-break" => self.paragraph.push('\n'),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.paragraph.push_str(text);
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" | "h" if self.in_cell => self.paragraph.push(' '),
            "p" | "h" => {
                let text = std::mem::take(&mut self.paragraph);
                let marks = "#".repeat(std::mem::take(&mut self.heading));
                if !text.trim().is_empty() {
                    let space = if marks.is_empty() { "" } else { " " };
                    self.markdown.push_str(&format!("{marks}{space}{}\n\n", text.trim()));
                }
            }
            "table-cell" | "covered-table-cell" => {
                let text = std::mem::take(&mut self.paragraph).split_whitespace().collect::<Vec<_>>().join(" ");
                let times = if text.is_empty() { self.repeat.min(REPEAT) } else { self.repeat.clamp(1, REPEAT) };
                self.row.extend(std::iter::repeat_n(text.replace('|', "/"), times));
                self.in_cell = false;
            }
            "table-row" => {
                while self.row.last().is_some_and(String::is_empty) {
                    self.row.pop();
                }
                if !self.row.is_empty() {
                    self.rows.push(std::mem::take(&mut self.row));
                }
            }
            "table" => self.table(),
            "page" => self.finish(),
            _ => {}
        }
    }

    fn table(&mut self) {
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        for (i, mut row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            row.resize(width, String::new());
            self.markdown.push_str(&format!("| {} |\n", row.join(" | ")));
            if i == 0 {
                self.markdown.push_str(&format!("|{}\n", "---|".repeat(width)));
            }
        }
        self.markdown.push('\n');
        if matches!(self.kind, Some((UnitKind::Sheet, _))) {
            self.finish();
        }
    }

    fn begin(&mut self, kind: UnitKind, label: Option<String>) {
        self.finish();
        self.kind = Some((kind, label));
    }

    fn finish(&mut self) {
        let markdown = std::mem::take(&mut self.markdown);
        let (kind, label) = self.kind.take().unwrap_or((UnitKind::Body, None));
        if !markdown.trim().is_empty() {
            self.parts.push(Part { kind, number: self.parts.len() as u32 + 1, label, markdown });
        }
    }
}
