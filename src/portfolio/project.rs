//! What is a project? Facts from a record's fields or, found by pattern, from a document, each with its source.
//!
//! In: a [`Document`]. Out: a [`Project`]. The catalogue holds the texts; a project keeps places in them.

use std::collections::HashMap;

use serde::Serialize;

use super::facet::{Sentence, facets};
use super::fields::{self, Field, FieldKind};
use super::institute::{Institute, Institutes};
use crate::document::{CharIndex, Document, Format, Span};
use crate::index::{Catalog, IndexError};
use crate::text::money::{self, Money};
use crate::text::{names_nobody, personal};

/// Types of documents that announce work to be done.
const CALLS: [&str; 3] = ["call", "announcement", "공고"];
/// What a notice offers, if it is a call: in its title, or with a word of how to apply.
const OFFERED: [&str; 15] = [
    "공모",
    "모집",
    "신규과제",
    "신규 과제",
    "과제 공고",
    "사업 공고",
    "사업공고",
    "지원사업",
    "call for projects",
    "call for proposals",
    "call for applications",
    "open call",
    "funding opportunity",
    "request for proposals",
    "invitation to tender",
];
const APPLIED_FOR: [&str; 9] =
    ["신청", "접수", "마감", "제출", "deadline", "applicants", "applications", "eligible", "submission"];
/// Characters of a notice that are looked at.
const NOTICE: usize = 6000;
/// A fact that is less sure is marked so wherever it is shown.
pub(super) const SURE: f32 = 0.6;
/// Confidence in a label at the start of a line or cell, with its mark.
const ON_ITS_OWN: f32 = 0.9;
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
    /// As [`id`] says; where two projects of different files that are shown together have one, their paths.
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
    /// Budget in its currency's base unit: a record's, else what the document surely states with a currency. Sums are
    /// made of these only.
    pub budget: Option<f64>,
    /// Where the source states a range, its upper end in the same unit; `budget` is the lower one.
    pub budget_upper: Option<f64>,
    /// ISO 4217 code of the budget's currency, where the source states it.
    pub currency: Option<&'static str>,
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

/// True for what announces work to be done: calls, and notices that read like one. A notice on safety is none.
pub fn is_call(document: &Document) -> bool {
    let kind = document.metadata.doc_type.as_deref().unwrap_or("").to_lowercase();
    CALLS.iter().any(|call| kind.contains(call)) || kind.contains("notice") && reads_like_a_call(document)
}

fn reads_like_a_call(document: &Document) -> bool {
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    let text = document.text.chars().take(NOTICE).collect::<String>().to_lowercase();
    has(&document.title.to_lowercase(), &OFFERED) || has(&text, &OFFERED) && has(&text, &APPLIED_FOR)
}

impl Project {
    /// Reads a document.
    pub fn read(document: &Document, institutes: &Institutes) -> Project {
        Project::of(document, &stated(document), institutes)
    }

    /// Reads a document of whose text the fields are [`stated`].
    pub(super) fn of(document: &Document, found: &[Field], institutes: &Institutes) -> Project {
        let meta = &document.metadata;
        let index = CharIndex::new(&document.text);
        let text_fact =
            |kind: FieldKind| found.iter().find(|f| f.kind == kind).map(|f| fact(f, &document.text, &index));
        let field = |names: &[&str]| {
            let value = names.iter().find_map(|n| named(document, n))?;
            Some(Fact { value, origin: Origin::Field, confidence: 1.0 })
        };
        let of_field = meta.institution.clone().filter(|name| !names_nobody(name));
        let of_field = of_field.map(|value| Fact { value, origin: Origin::Field, confidence: 1.0 });
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
        let (budget, budget_upper) = match meta.budget {
            Some(amount) => {
                let currency = money::of_fields(&meta.fields, amount).and_then(|(_, money)| money.currency);
                (Some(Money { amount, currency }), money::upper_of_fields(&meta.fields, amount))
            }
            None => {
                let stated = found.iter().find(|f| f.kind == FieldKind::Budget);
                let stated = stated.and_then(|f| stated_budget(f, &document.text));
                (stated.map(|s| s.0), stated.and_then(|s| s.1))
            }
        };
        let keywords = field(&["keywords", "keyword", "키워드", "핵심어"]).or_else(|| text_fact(FieldKind::Keywords));
        Project {
            doc_id: document.id.clone(),
            id: id(document),
            title: document.title.clone(),
            institute: institution.as_ref().map(|f| institutes.find(&f.value)),
            people: people(document, text_fact(FieldKind::Person)),
            programme: field(&["program", "programme", "program_name", "scheme", "사업명"])
                .or_else(|| text_fact(FieldKind::Programme)),
            year: meta.year.or(end).or(start),
            start,
            end,
            budget: budget.map(|money| money.amount),
            budget_upper,
            currency: budget.and_then(|money| money.currency),
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

    /// The budget as far as it may stand in a sum.
    pub fn money(&self) -> Option<Money> {
        Some(Money { amount: self.budget?, currency: self.currency })
    }

    /// True where all of the budget, of a range its upper end, is at most this in its own currency, or nothing is known of it.
    pub fn costs_at_most(&self, most: f64) -> bool {
        self.budget_upper.or(self.budget).is_none_or(|amount| amount <= most)
    }

    /// The year work began, as far as is known.
    pub fn began(&self) -> Option<i32> {
        self.start.or(self.year)
    }

    /// True where both years are known and this work began in a later one.
    pub(super) fn began_after(&self, other: &Project) -> bool {
        is_earlier(other.began(), self.began())
    }

    /// Places of the sentences with one of these facets.
    pub fn spans<'a>(&'a self, facets: &'a [super::Facet]) -> impl Iterator<Item = Span> + 'a {
        self.sentences.iter().filter(|s| facets.contains(&s.facet)).map(|s| s.span)
    }
}

/// What a document's project is called: the source system's id, with what ingest put behind it where another record of the file
/// has that id (`P1~2`), else the source's path.
pub fn id(document: &Document) -> String {
    let Some(own) = &document.metadata.external_id else { return document.source.clone() };
    let record = document.source.rsplit_once(&format!("#{own}")).map_or("", |(_, behind)| behind);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let tells_apart = record.strip_prefix('~').is_some_and(|numbers| numbers.split('~').all(is_number));
    if tells_apart { format!("{own}{record}") } else { own.clone() }
}

/// The documents whose project is called so; where there is none, those of the records with that id in the source system.
pub fn called(catalog: &Catalog, name: &str) -> Result<Vec<Document>, IndexError> {
    let of = |external: &str| -> Result<Vec<Document>, IndexError> {
        catalog.find_external(external)?.iter().map(|id| catalog.document(id)).collect()
    };
    let mut found = Vec::new();
    let mut external = Some(name);
    while let Some(own) = external {
        found.extend(of(own)?.into_iter().filter(|document| id(document) == name));
        external = own.rsplit_once('~').map(|(own, _)| own);
    }
    if found.is_empty() { of(name) } else { Ok(found) }
}

/// True where both years are known and the first is the earlier one.
pub(super) fn is_earlier(year: Option<i32>, other: Option<i32>) -> bool {
    year.zip(other).is_some_and(|(year, other)| year < other)
}

/// Calls projects that would be shown under one id by their paths instead.
pub(super) fn tell_apart<'p>(
    catalog: &Catalog,
    projects: impl Iterator<Item = &'p mut Project>,
) -> Result<(), IndexError> {
    let mut of_id: HashMap<String, Vec<&mut Project>> = HashMap::new();
    for project in projects {
        of_id.entry(project.id.clone()).or_default().push(project);
    }
    for project in of_id.into_values().filter(|same| same.len() > 1).flatten() {
        project.id = catalog.document(&project.doc_id)?.source;
    }
    Ok(())
}

/// The fields that a document's text states; of a row of a file of records none, whose fields are its own.
pub(super) fn stated(document: &Document) -> Vec<Field> {
    let rows = matches!(document.format, Format::Jsonl | Format::Json | Format::Csv | Format::Xlsx | Format::Xls);
    let is_record = rows && document.metadata.external_id.is_some();
    if is_record { Vec::new() } else { fields::fields(&document.text) }
}

/// The title among the fields that a document states on a line or in a cell of its own (`과제명: …`), under a heading that may be
/// that of a form.
pub(super) fn stated_title<'d>(document: &'d Document, found: &[Field]) -> Option<&'d str> {
    let stated = found.iter().find(|f| f.kind == FieldKind::Title && f.confidence >= ON_ITS_OWN)?;
    let title = stated.span.slice(&document.text);
    // One word may be the next name in the header of a table.
    let is_title = title.split_whitespace().nth(1).is_some() && title.contains(char::is_alphabetic);
    (is_title && !names_nobody(title)).then_some(title)
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
            if document.is_work() && keep(&document) {
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

/// The number of a budget that a document surely states, with its currency, and the upper end where it is a range. Its unit may
/// stand in the label: `총연구비(천원)`.
fn stated_budget(field: &Field, text: &str) -> Option<(Money, Option<f64>)> {
    let before = text[..field.span.start].trim_end_matches([' ', '\t', '|', ':', '：', '*']);
    let label = &before[before.rfind(['\n', '|']).map_or(0, |at| at + 1)..];
    let money = money::in_column(label, field.span.slice(text))?;
    let upper = money::upper_in_column(label, field.span.slice(text));
    (field.confidence >= SURE && money.currency.is_some()).then_some((money, upper))
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
    let get = |name: &str| named(document, name).filter(|value| !names_nobody(value));
    let one = ["main_researcher", "pi", "principal_investigator", "연구책임자", "leader", "researcher"];
    let name = match (get("pi_first"), get("pi_last")) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        _ => one.iter().find_map(|n| get(n)).or(found.map(|f| f.value)),
    };
    // Blotted before it is cut: half a number is not known as one.
    let shown = name.map(|name| personal::without_personal_data(&name).chars().take(60).collect::<String>());
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> Project {
        Project::read(&Document::plain("a.md", text.to_owned()), &Institutes::new(&[]))
    }

    #[test]
    fn who_is_not_named_is_nobody() {
        let text = "# 블레이드\n\n주관기관: 비공개\n\n연구책임자: 공개하지 않음\n\n블레이드를 시험하였다.\n";
        let found = project(text);
        assert!(found.people.is_empty() && found.institution.is_none() && found.institute.is_none());
        let mut record = Document::plain("p.jsonl#1", "A blade was tested for two years.".to_owned());
        record.metadata.institution = Some("N/A".into());
        record.metadata.fields.insert("pi".into(), "TBD".into());
        record.metadata.fields.insert("leader".into(), "Nora Lind".into());
        let found = Project::read(&record, &Institutes::new(&[]));
        assert!(found.institution.is_none());
        assert_eq!(found.people, ["Nora Lind"]);
    }

    #[test]
    fn nothing_of_a_number_beside_a_name_is_left_wherever_the_name_is_cut() {
        let of = |fields: &[(&str, &str)]| {
            let mut record = Document::plain("p.jsonl#1", "A blade was tested for two years.".to_owned());
            record.metadata.fields.extend(fields.iter().map(|(name, value)| ((*name).into(), (*value).into())));
            Project::read(&record, &Institutes::new(&[])).people
        };
        let long = format!("Nora {} 010-2345-6789", "A".repeat(44));
        let cut = of(&[("pi", long.as_str())]);
        assert!(cut.len() == 1 && cut[0].chars().count() == 60 && !cut[0].contains("2345"), "{cut:?}");
        assert_eq!(of(&[("pi_first", "Nora"), ("pi_last", "Lind")]), ["Nora Lind"]);
        assert!(!of(&[("pi_first", "Nora"), ("pi_last", "Lind 010-2345-6789")])[0].contains("2345"));
    }

    #[test]
    fn a_budget_that_a_document_states_is_a_number_in_its_currency() {
        for (line, amount, currency) in [
            ("총연구비: 14억 5천만 원", 1.45e9, "KRW"),
            ("| 총연구비(천원) | 2,100,000 |", 2.1e9, "KRW"),
            ("Requested funding: EUR 1.9 million", 1.9e6, "EUR"),
            ("Total budget: USD 900,000", 9e5, "USD"),
        ] {
            let found = project(&format!("# Blades\n\n{line}\n\nThe aim is a longer blade.\n"));
            assert_eq!((found.budget, found.currency), (Some(amount), Some(currency)), "{line}");
            assert!(found.budget_stated.is_some(), "{line}");
        }
        // A number without a currency, and a label inside a sentence, are not sure enough for a sum.
        for line in ["Budget: 900,000", "이 과제의 연구비는 12억 원으로 부족하였다."] {
            assert_eq!(project(&format!("# Blades\n\n{line}\n")).budget, None, "{line}");
        }
    }

    #[test]
    fn a_record_keeps_its_number_and_says_its_currency() {
        let mut record = Document::plain("p.jsonl#1", "A blade was tested.".to_owned());
        record.metadata.budget = Some(2.35e9);
        record.metadata.fields.insert("budget_mkrw".into(), "2350".into());
        let found = Project::read(&record, &Institutes::new(&[]));
        assert_eq!((found.budget, found.currency), (Some(2.35e9), Some("KRW")));
        record.metadata.fields.clear();
        let found = Project::read(&record, &Institutes::new(&[]));
        assert_eq!((found.budget, found.currency), (Some(2.35e9), None));
    }

    #[test]
    fn of_a_range_sums_have_the_lower_end_and_a_largest_budget_is_held_against_the_upper_one() {
        let mut record = Document::plain("p.jsonl#1", "A blade was tested.".to_owned());
        record.metadata.budget = Some(3e6);
        record.metadata.fields.insert("budget".into(), "EUR 3-5 million".into());
        let of_record = Project::read(&record, &Institutes::new(&[]));
        let of_document = project("# Blades\n\nTotal budget: EUR 3-5 million\n\nThe aim is a longer blade.\n");
        for found in [of_record, of_document] {
            assert_eq!((found.budget, found.budget_upper, found.currency), (Some(3e6), Some(5e6), Some("EUR")));
            assert!(found.costs_at_most(5e6) && !found.costs_at_most(4e6));
        }
        let plain = project("# Blades\n\nTotal budget: EUR 3 million\n");
        assert!(plain.budget_upper.is_none() && plain.costs_at_most(3e6) && !plain.costs_at_most(2e6));
        assert!(project("# Blades\n\nBlades wear.\n").costs_at_most(1.0), "nothing is known");
    }

    #[test]
    fn a_project_is_called_as_ingest_told_its_record_apart() {
        let called = |source: &str, own: Option<&str>| {
            let mut document = Document::plain(source, String::new());
            document.metadata.external_id = own.map(str::to_owned);
            id(&document)
        };
        assert_eq!(called("p.jsonl#P1", Some("P1")), "P1");
        assert_eq!(called("p.jsonl#P1~2", Some("P1")), "P1~2");
        assert_eq!(called("p.jsonl#P1~2~2", Some("P1~2")), "P1~2~2");
        assert_eq!(called("P~2/p#7.jsonl#7", Some("7")), "7");
        assert_eq!(called("p.jsonl#P1~b", Some("P1")), "P1");
        assert_eq!(called("blades.pdf", None), "blades.pdf");
    }

    #[test]
    fn a_type_decides_what_is_a_project_and_what_a_call() {
        let of = |kind: &str, text: &str| {
            let mut document = Document::plain("a.md", text.to_owned());
            document.metadata.doc_type = (!kind.is_empty()).then(|| kind.to_owned());
            (document.is_work(), is_call(&document))
        };
        let safety = "# Gas alarm\n\nThe second alarm is at 1.8 ppm. Leave by the south exit.";
        for kind in ["", "report", "record", "proposal", "제안서"] {
            assert_eq!(of(kind, safety), (true, false), "{kind}");
        }
        for kind in ["need", "company_need", "수요조사서", "memo", "notice"] {
            assert_eq!(of(kind, safety), (false, false), "{kind}");
        }
        for kind in ["call", "사업공고"] {
            assert_eq!(of(kind, safety), (false, true), "{kind}");
        }
        let offered = "# 2025년도 풍력 기술개발\n\n신규과제를 다음과 같이 지원한다. 신청서는 5월 2일까지 접수한다.";
        assert_eq!(of("notice", offered), (false, true));
        let form = "# 기준서 개정 안내\n\n점검을 50회마다 합니다. 신청은 4월 21일까지 받습니다.";
        assert_eq!(of("notice", form), (false, false));
    }
}
