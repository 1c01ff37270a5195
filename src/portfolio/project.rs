//! What is a project? Facts from a record's fields or, found by pattern, from a document, each with its source.
//!
//! In: a [`Document`]. Out: a [`Project`]. The catalogue holds the texts; a project keeps places in them.

use serde::Serialize;

use super::facet::{Sentence, facets};
use super::fields::{self, Field, FieldKind};
use super::institute::{Institute, Institutes};
use crate::document::{CharIndex, Document, Format, Span};
use crate::index::{Catalog, IndexError};
use crate::text::personal;

/// Types of documents that announce work rather than report it.
const ANNOUNCEMENTS: [&str; 8] = ["call", "notice", "memo", "announcement", "news", "data", "web", "공고"];
/// Types of documents that announce work to be done.
const CALLS: [&str; 4] = ["call", "notice", "announcement", "공고"];
/// A fact that is less sure is marked so wherever it is shown.
pub(super) const SURE: f32 = 0.6;
/// Documents read at a time.
const PAGE: usize = 500;

/// Where a fact was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// A field of the record, or what the sector states of the file.
    Field,
    /// A pattern in the text; characters of the extracted text.
    Text {
        /// First character.
        start: usize,
        /// One past the last.
        end: usize,
    },
    /// A language model, which copied it from the text; characters of the extracted text.
    Generator {
        /// First character.
        start: usize,
        /// One past the last.
        end: usize,
        /// Which model.
        by: String,
    },
}

/// A value, where it was read, and how sure that is (1: a record's own field).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// As written.
    pub value: String,
    /// Where.
    #[serde(flatten)]
    pub origin: Origin,
    /// 0 to 1; below 0.6 is marked as unsure wherever it is shown.
    pub confidence: f32,
}

/// A project as far as one document tells of it.
#[derive(Clone, Debug)]
pub struct Project {
    /// [`Document::id`].
    pub doc_id: String,
    /// The source system's id, else the source's path.
    pub id: String,
    /// Title.
    pub title: String,
    /// Institute as counted, if known.
    pub institute: Option<Institute>,
    /// Institute as written.
    pub institution: Option<Fact>,
    /// People.
    pub people: Vec<String>,
    /// Programme.
    pub programme: Option<Fact>,
    /// First year.
    pub start: Option<i32>,
    /// Last year.
    pub end: Option<i32>,
    /// The year the source gives for it.
    pub year: Option<i32>,
    /// Budget of a record in the source's own unit; sums are made of these only.
    pub budget: Option<f64>,
    /// Budget as a document states it, with its own unit.
    pub budget_stated: Option<Fact>,
    /// TRL or stage.
    pub stage: Option<Fact>,
    /// Status (running, finished, proposal …).
    pub status: Option<Fact>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Document type.
    pub doc_type: String,
    /// Sentences with their facets; those that hold personal data are left out.
    pub sentences: Vec<Sentence>,
    /// `ko`, `en`, `other`.
    pub language: &'static str,
}

/// True for documents that tell of work done or proposed (not calls, notices, memos).
pub fn is_work(document: &Document) -> bool {
    let kind = document.metadata.doc_type.as_deref().unwrap_or("").to_lowercase();
    // A table of measurements or a page of the web has no type; only typed documents and running text count.
    !ANNOUNCEMENTS.iter().any(|a| kind.contains(a))
        && (!kind.is_empty() || !matches!(document.format, Format::Csv | Format::Xlsx | Format::Xls | Format::Html))
}

/// True for what announces work: calls and notices, not memos, news or pages.
pub fn is_call(document: &Document) -> bool {
    let kind = document.metadata.doc_type.as_deref().unwrap_or("").to_lowercase();
    CALLS.iter().any(|call| kind.contains(call))
}

impl Project {
    /// Reads a document.
    pub fn read(document: &Document, institutes: &Institutes) -> Project {
        let meta = &document.metadata;
        let rows = matches!(document.format, Format::Jsonl | Format::Json | Format::Csv | Format::Xlsx | Format::Xls);
        let is_record = rows && meta.external_id.is_some();
        let found = if is_record { Vec::new() } else { fields::fields(&document.text) };
        let index = CharIndex::new(&document.text);
        let text_fact =
            |kind: FieldKind| found.iter().find(|f| f.kind == kind).map(|f| fact(f, &document.text, &index));
        let field = |names: &[&str]| {
            let value = names.iter().find_map(|n| named(document, n))?;
            Some(Fact { value, origin: Origin::Field, confidence: 1.0 })
        };
        let of_field = meta.institution.clone().map(|value| Fact { value, origin: Origin::Field, confidence: 1.0 });
        // Ingest has it from the text where no field said it: then it has a place there.
        let institution = match (of_field, text_fact(FieldKind::Institution)) {
            (Some(of_field), Some(written)) if of_field.value == written.value => Some(written),
            (of_field, written) => of_field.or(written),
        };
        let period = text_fact(FieldKind::Period).and_then(|f| fields::years(&f.value));
        let year_of = |names: &[&str]| field(names).and_then(|f| fields::years(&f.value)).map(|y| y.0);
        let start = year_of(&["start", "start_date", "date_start_project", "start_year", "시작일", "연구시작일"])
            .or(period.map(|p| p.0));
        let end = year_of(&["end", "end_date", "date_end_project", "end_year", "종료일", "연구종료일"])
            .or(period.map(|p| p.1));
        let keywords = field(&["keywords", "keyword", "키워드", "핵심어"]).or_else(|| text_fact(FieldKind::Keywords));
        Project {
            doc_id: document.id.clone(),
            id: meta.external_id.clone().unwrap_or_else(|| document.source.clone()),
            title: document.title.clone(),
            institute: institution.as_ref().map(|f| institutes.find(&f.value)),
            people: people(document, text_fact(FieldKind::Person)),
            programme: field(&["program", "programme", "program_name", "scheme", "사업명"])
                .or_else(|| text_fact(FieldKind::Programme)),
            year: meta.year.or(end).or(start),
            start,
            end,
            budget: meta.budget,
            budget_stated: text_fact(FieldKind::Budget),
            stage: field(&["stage", "trl", "TRL", "phase", "기술성숙도"]).or_else(|| text_fact(FieldKind::Stage)),
            status: field(&["status", "상태", "진행상태"]).or_else(|| text_fact(FieldKind::Status)),
            keywords: keywords.map_or_else(Vec::new, |f| fields::keywords(&f.value)),
            doc_type: meta.doc_type.clone().unwrap_or_else(|| "document".to_owned()),
            sentences: evidence(&document.text),
            language: document.language.name(),
            institution,
        }
    }

    /// The year work began, as far as is known.
    pub fn began(&self) -> Option<i32> {
        self.start.or(self.year)
    }

    /// Places of the sentences with one of these facets.
    pub fn spans<'a>(&'a self, facets: &'a [super::Facet]) -> impl Iterator<Item = Span> + 'a {
        self.sentences.iter().filter(|s| facets.contains(&s.facet)).map(|s| s.span)
    }
}

/// Every project of the index whose document `keep` accepts, with its text, in order of document id.
pub fn each(
    catalog: &Catalog,
    institutes: &Institutes,
    mut visit: impl FnMut(Document, Project) -> Result<(), IndexError>,
    keep: impl Fn(&Document) -> bool,
) -> Result<(), IndexError> {
    let mut after = String::new();
    loop {
        let ids = catalog.document_ids(&after, PAGE)?;
        let Some(last) = ids.last() else { return Ok(()) };
        after.clone_from(last);
        for id in &ids {
            let document = catalog.document(id)?;
            if is_work(&document) && keep(&document) {
                let project = Project::read(&document, institutes);
                visit(document, project)?;
            }
        }
    }
}

fn fact(field: &Field, text: &str, index: &CharIndex) -> Fact {
    let (start, end) = index.chars(field.span);
    Fact { value: field.span.slice(text).to_owned(), origin: Origin::Text { start, end }, confidence: field.confidence }
}

/// The sentences that may be compared and quoted: none that holds personal data.
fn evidence(text: &str) -> Vec<Sentence> {
    let mut sentences = facets(text);
    sentences.retain(|s| personal::held(s.span.slice(text)).is_none());
    sentences
}

fn named(document: &Document, name: &str) -> Option<String> {
    document.metadata.fields.get(name).filter(|v| !v.is_empty()).cloned()
}

fn people(document: &Document, found: Option<Fact>) -> Vec<String> {
    let get = |name: &str| named(document, name);
    if let (Some(first), Some(last)) = (get("pi_first"), get("pi_last")) {
        return vec![format!("{first} {last}")];
    }
    let one = ["main_researcher", "pi", "principal_investigator", "연구책임자", "leader", "researcher"];
    match one.iter().find_map(|n| get(n)).or(found.map(|f| f.value)) {
        Some(name) => vec![personal::without_personal_data(&name.chars().take(60).collect::<String>())],
        None => Vec::new(),
    }
}
