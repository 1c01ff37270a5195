//! The vocabulary every other room speaks: what a document, a section, a chunk and a passage are.
//!
//! Plain data only. This module knows nothing of files, stores, models or HTTP.
//!
//! Offsets: inside the program a [`Span`] counts **bytes** of [`Document::text`] and always lies on
//! character boundaries. At the doors (command line JSON, HTTP) offsets are **characters** (Unicode
//! scalar values), so that `text[start:end]` in Python is the quote; see [`CharIndex`].
//!
//! ```
//! use sectora::document::{CharIndex, Span};
//! let text = "전해질 is an electrolyte";
//! let span = Span { start: 0, end: "전해질".len() };
//! assert_eq!(span.slice(text), "전해질");
//! assert_eq!(CharIndex::new(text).chars(span), (0, 3));
//! ```

mod language;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use language::Language;

/// Half-open byte range of a [`Document::text`], on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The text the span covers, or `""` when the span does not fit `text`.
    pub fn slice<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// True when the span covers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Translates byte spans of one text into character offsets, `O(log n)` a look-up.
pub struct CharIndex {
    /// Byte offset of every 64th character.
    marks: Vec<usize>,
    text_len: usize,
    bytes: Box<[u8]>,
}

impl CharIndex {
    const STEP: usize = 64;

    /// Reads `text` once.
    pub fn new(text: &str) -> Self {
        let marks = text.char_indices().step_by(Self::STEP).map(|(i, _)| i).collect();
        CharIndex { marks, text_len: text.len(), bytes: text.as_bytes().into() }
    }

    /// Number of characters before byte `at` (clamped to the text).
    pub fn char_at(&self, at: usize) -> usize {
        let at = at.min(self.text_len);
        let mark = self.marks.partition_point(|&m| m <= at).saturating_sub(1);
        let from = self.marks.get(mark).copied().unwrap_or(0);
        // A UTF-8 character starts at every byte that is not a continuation byte.
        let rest = self.bytes[from..at].iter().filter(|b| (**b & 0xC0) != 0x80).count();
        mark * Self::STEP + rest
    }

    /// The span in characters, `(start, end)`.
    pub fn chars(&self, span: Span) -> (usize, usize) {
        (self.char_at(span.start), self.char_at(span.end))
    }
}

/// The file format a document was read from, decided by content, not by file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Office Open XML word processing.
    Docx,
    /// Office Open XML presentation.
    Pptx,
    /// Office Open XML workbook.
    Xlsx,
    /// Word 97-2003.
    Doc,
    /// PowerPoint 97-2003.
    Ppt,
    /// Excel 97-2003.
    Xls,
    /// Hangul Word Processor 5 binary.
    Hwp,
    /// Hangul Word Processor, OWPML (KS X 6101).
    Hwpx,
    /// OpenDocument text, spreadsheet or presentation.
    Odf,
    /// HTML.
    Html,
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// Comma- (tab-, semicolon-, bar-) separated values.
    Csv,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
}

/// What counts as one unit of place in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// A page of a paged document.
    Page,
    /// A slide.
    Slide,
    /// A worksheet.
    Sheet,
    /// A section of a format without pages (HWP section, HTML body, text file).
    Body,
}

/// Where in [`Document::text`] a page, slide or sheet begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Page, slide, sheet or body.
    pub kind: UnitKind,
    /// Number counted from 1 as in the source.
    pub number: u32,
    /// Sheet name or slide title, where there is one.
    pub label: Option<String>,
    /// The text of the unit.
    pub span: Span,
}

/// A run of text under one heading; sections of a document are disjoint and in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Headings from the outermost to this one; empty before the first heading.
    pub path: Vec<String>,
    /// The section's text, its own heading line included, its sub-sections excluded.
    pub span: Span,
}

/// Who may see a document. Ordered: a reader cleared for a level sees that level and those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anyone.
    #[default]
    Public,
    /// Members of the sector's institutes.
    Internal,
    /// Named people only.
    Restricted,
}

impl Access {
    /// All levels, lowest first.
    pub const ALL: [Access; 3] = [Access::Public, Access::Internal, Access::Restricted];

    /// The name used in files, filters and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::Internal => "internal",
            Access::Restricted => "restricted",
        }
    }

    /// The level of this [`name`](Access::name).
    pub fn named(name: &str) -> Option<Access> {
        Access::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What is known about a document besides its text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Identifier in the source system (record id, BEIR `_id`), if any.
    pub external_id: Option<String>,
    /// Performing institution as written in the source.
    pub institution: Option<String>,
    /// Year the work started (or the document was published).
    pub year: Option<i32>,
    /// Budget in the source's currency unit, as a number.
    pub budget: Option<f64>,
    /// `record`, `report`, `patent`, `call`, `paper`, `notice` or what the sector says.
    pub doc_type: Option<String>,
    /// Access level.
    #[serde(default)]
    pub access: Access,
    /// Every other named field of a record, as text, in the order of its name.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// One document after extraction and cleaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// 16 hexadecimal digits: the start of the SHA-256 of the content (a file's bytes, or a record's canonical JSON).
    pub id: String,
    /// Path (relative to the ingested root where there is one), with `#record` appended for records.
    pub source: String,
    /// Format by content.
    pub format: Format,
    /// Title: the source's own, else the first heading, else the file name.
    pub title: String,
    /// Main language.
    pub language: Language,
    /// Institution, year and so on.
    pub metadata: Metadata,
    /// The extracted text (Markdown), UTF-8, NFC, `\n` line ends. All spans point into it.
    pub text: String,
    /// Pages, slides, sheets; cover the text in order.
    pub units: Vec<Unit>,
    /// Sections; cover the text in order.
    pub sections: Vec<Section>,
}

/// Types of documents that tell of no work done or proposed.
const NO_WORK: [&str; 10] = ["call", "notice", "memo", "announcement", "news", "data", "web", "공고", "need", "수요"];

impl Document {
    /// True for what tells of work done or proposed (not calls, notices, memos, needs).
    pub fn is_work(&self) -> bool {
        let kind = self.metadata.doc_type.as_deref().unwrap_or("").to_lowercase();
        // A table of measurements or a page of the web has no type; only typed documents and running text count.
        let is_table = matches!(self.format, Format::Csv | Format::Xlsx | Format::Xls | Format::Html);
        !NO_WORK.iter().any(|other| kind.contains(other)) && (!kind.is_empty() || !is_table)
    }

    /// A text as it stands, without id: one unit, one section, its first line as title.
    pub fn plain(source: &str, text: String) -> Document {
        let span = Span { start: 0, end: text.len() };
        let first = text.lines().map(|l| l.trim().trim_start_matches('#').trim()).find(|l| !l.is_empty()).unwrap_or("");
        Document {
            id: String::new(),
            source: source.to_owned(),
            format: Format::Text,
            title: first.chars().take(200).collect(),
            language: Language::detect(&text),
            metadata: Metadata::default(),
            units: vec![Unit { kind: UnitKind::Body, number: 1, label: None, span }],
            sections: vec![Section { path: Vec::new(), span }],
            text,
        }
    }

    /// The unit that holds byte `at`.
    pub fn unit_at(&self, at: usize) -> Option<&Unit> {
        let i = self.units.partition_point(|u| u.span.start <= at);
        self.units.get(i.checked_sub(1)?)
    }

    /// The page (slide, sheet) number at byte `at`; `None` where the format has no pages.
    pub fn page_at(&self, at: usize) -> Option<u32> {
        self.unit_at(at).filter(|u| u.kind != UnitKind::Body).map(|u| u.number)
    }
}

/// A piece of a document that is indexed and retrieved as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Point id in the vector store: from document id and ordinal, so the same content always gets the same id.
    pub id: u64,
    /// [`Document::id`].
    pub doc_id: String,
    /// 0, 1, 2 … within the document.
    pub ordinal: u32,
    /// Place in the document's text; within one section.
    pub span: Span,
    /// Heading path of that section.
    pub path: Vec<String>,
    /// Page of the first byte, where the format has pages.
    pub page: Option<u32>,
}

/// A chunk that was retrieved for a question, with everything needed to show and cite it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Passage {
    /// 1, 2, 3 …: the number citations use.
    pub n: usize,
    /// [`Chunk::id`].
    pub chunk_id: u64,
    /// [`Document::id`].
    pub doc_id: String,
    /// Document title.
    pub title: String,
    /// Document source (path).
    pub source: String,
    /// Page, slide or sheet number.
    pub page: Option<u32>,
    /// Heading path.
    pub path: Vec<String>,
    /// Place in the document's text (bytes); not shown at the doors.
    #[serde(skip)]
    pub span: Span,
    /// First character of the passage in the document's text.
    pub start: usize,
    /// One past its last character.
    pub end: usize,
    /// The chunk's text, byte-exact.
    pub text: String,
    /// The header of the table that the chunk begins in the middle of.
    pub header: Option<String>,
    /// Fused retrieval score (unitless, comparable within one question only).
    pub score: f32,
    /// Document metadata.
    pub metadata: Metadata,
    /// Document language.
    pub language: Language,
}

#[cfg(test)]
impl Passage {
    /// A passage that is its whole document, `d{n}`.
    pub(crate) fn whole(n: usize, title: &str, text: &str) -> Passage {
        Passage {
            n,
            chunk_id: n as u64,
            doc_id: format!("d{n}"),
            title: title.into(),
            source: "s".into(),
            page: None,
            path: vec![],
            span: Span { start: 0, end: text.len() },
            start: 0,
            end: text.chars().count(),
            text: text.into(),
            header: None,
            score: 1.0,
            metadata: Metadata::default(),
            language: Language::detect(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn char_index_agrees_with_counting(text in "\\PC{0,300}", a in 0usize..300, b in 0usize..300) {
            let cut = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(i, _)| i);
            let (a, b) = (cut(a.min(b)), cut(a.max(b)));
            let index = CharIndex::new(&text);
            prop_assert_eq!(index.char_at(a), text[..a].chars().count());
            prop_assert_eq!(index.char_at(b), text[..b].chars().count());
        }
    }

    #[test]
    fn a_span_that_does_not_fit_is_empty_text_not_a_panic() {
        assert_eq!(Span { start: 1, end: 2 }.slice("가"), "");
        assert_eq!(Span { start: 0, end: 99 }.slice("가"), "");
    }
}
