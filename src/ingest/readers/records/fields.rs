//! Which field of a file's records means what.
//!
//! In: the records, or the columns of a table, and a [`RecordMapping`]. Out: [`Fields`], or what to say where the mapping names a
//! column that is not there or no field is the text.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::Record;
use crate::ingest::{ReadError, RecordMapping};
use crate::text::{fields::field, letters, money};

/// Common names, best first, compared without case, blanks and underscores.
const ID: [&str; 13] = [
    "_id",
    "id",
    "project_id",
    "award_id",
    "award_number",
    "record_id",
    "doc_id",
    "uid",
    "identifier",
    "과제번호",
    "과제고유번호",
    "acronym",
    "project_acronym",
];
const TITLE: [&str; 8] = ["title", "project_title", "title_clean", "name", "project", "과제명", "제목", "사업명"];
const TEXT: [&str; 12] = [
    "text",
    "abstract",
    "abstract_text",
    "description",
    "summary",
    "details_project",
    "objective",
    "content",
    "body",
    "내용",
    "요약",
    "연구내용",
];
const INSTITUTION: [&str; 9] = [
    "institution",
    "host_institution",
    "organization",
    "organisation",
    "institute",
    "company",
    "performer",
    "수행기관",
    "기관명",
];
const YEAR: [&str; 9] =
    ["year", "start_year", "start", "start_date", "date_start_project", "published", "date", "연도", "시작일"];
/// With or without a unit at the end: `총연구비(천원)`.
const BUDGET: [&str; 13] = [
    "budget",
    "amount",
    "amount_usd",
    "budget_project",
    "award_amount",
    "total_cost",
    "funding",
    "연구비",
    "총연구비",
    "연구개발비",
    "총연구개발비",
    "총사업비",
    "예산",
];
/// Columns named in an error.
const COLUMNS: usize = 40;

pub(super) fn is_known(name: &str, mapping: &RecordMapping) -> bool {
    let common = [&ID[..], &TITLE, &TEXT, &INSTITUTION, &YEAR, &BUDGET];
    !name.is_empty()
        && (common.iter().copied().flatten().any(|known| is_named(name, known))
            || mapping.pairs().any(|(_, column)| is_named(name, column)))
}

/// True for the name of an amount of money.
pub(super) fn is_amount(name: &str, mapping: &RecordMapping) -> bool {
    let mut names = mapping.budget.as_deref().into_iter().chain(BUDGET);
    names.any(|budget| is_named(name, budget)) || field(name) == field("budget")
}

/// Which field means what in this file.
pub(super) struct Fields {
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) text: Vec<String>,
    pub(super) institution: Option<String>,
    pub(super) year: Option<String>,
    pub(super) budget: Option<String>,
    pub(super) doc_type: Option<String>,
    pub(super) access: Option<String>,
    /// The mapping says what the text is: other long fields are not wanted in it.
    pub(super) is_mapped: bool,
}

/// Names and values of a record; those of an object in it have both names: `results.loss`.
pub(super) fn entries(record: &Record) -> Vec<(String, &Value)> {
    let mut out = Vec::with_capacity(record.len());
    for (name, value) in record {
        match value {
            Value::Object(inner) => out.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value))),
            _ => out.push((name.clone(), value)),
        }
    }
    out
}

/// Maps the fields that occur in any record; `None` where there is neither a mapped nor a common text field.
pub(super) fn fields<'r>(records: impl Iterator<Item = &'r Record>, mapping: &RecordMapping) -> Option<Fields> {
    let mut names: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (name, _) in records.flat_map(entries) {
        if seen.insert(name.clone()) {
            names.push(name);
        }
    }
    let named = |wanted: &str| names.iter().find(|n| is_named(n, wanted)).cloned();
    let pick = |mapped: &Option<String>, common: &[&str]| {
        mapped.as_deref().and_then(named).or_else(|| common.iter().find_map(|c| named(c)))
    };
    let with_unit =
        |wanted: &[&str]| names.iter().find(|n| wanted.iter().any(|budget| is_named(money::bare(n), budget))).cloned();
    // A unit that stands above the table is put behind the name, which a mapping does not know.
    let mapped_budget = mapping.budget.as_deref().and_then(|budget| named(budget).or_else(|| with_unit(&[budget])));
    let mapped: Vec<String> = mapping.text.iter().filter_map(|t| named(t)).collect();
    let is_mapped = !mapped.is_empty();
    let text = if is_mapped { mapped } else { TEXT.iter().find_map(|c| named(c)).into_iter().collect() };
    if text.is_empty() {
        return None;
    }
    // An institution that is an object is called by its name.
    let named_or_of = |wanted: &str| named(wanted).or_else(|| names.iter().find(|n| is_name_of(n, wanted)).cloned());
    let mapped_institution = mapping.institution.as_deref().and_then(named_or_of);
    Some(Fields {
        id: pick(&mapping.id, &ID),
        title: pick(&mapping.title, &TITLE),
        institution: mapped_institution
            .or_else(|| pick(&None, &INSTITUTION))
            .or_else(|| INSTITUTION.iter().find_map(|c| named(&format!("{c}.name")))),
        year: pick(&mapping.year, &YEAR),
        budget: mapped_budget.or_else(|| pick(&None, &BUDGET)).or_else(|| with_unit(&BUDGET)),
        doc_type: mapping.doc_type.as_deref().and_then(named),
        access: mapping.access.as_deref().and_then(named),
        text,
        is_mapped,
    })
}

/// Refuses a strict mapping that names what no record has.
pub(super) fn has_columns<'r>(
    records: impl Iterator<Item = &'r Record>,
    mapping: &RecordMapping,
) -> Result<(), ReadError> {
    names_columns(records.flat_map(entries).map(|(name, _)| name), mapping)
}

/// The same of a workbook with these `columns`, whose sheets may be records or not: where they are not and have no column of the
/// mapping, it is an ordinary document among others.
pub(in crate::ingest::readers) fn sheets_have_columns(
    columns: BTreeSet<String>,
    are_records: bool,
    mapping: &RecordMapping,
) -> Result<(), ReadError> {
    let is_there = |column: &str| columns.iter().any(|c| is_named(c, column));
    if are_records || mapping.pairs().any(|(_, column)| is_there(column)) {
        return names_columns(columns, mapping);
    }
    Ok(())
}

pub(super) fn names_columns(
    columns: impl IntoIterator<Item = String>,
    mapping: &RecordMapping,
) -> Result<(), ReadError> {
    if !mapping.strict {
        return Ok(());
    }
    let columns: BTreeSet<String> = columns.into_iter().collect();
    match absent_column(&columns, mapping) {
        None => Ok(()),
        Some((meaning, column)) => Err(ReadError::NoColumn {
            meaning: meaning.to_owned(),
            column: column.to_owned(),
            columns: listed(&columns),
        }),
    }
}

/// What is mapped to a column that is not among these: its meaning and that column.
pub(super) fn absent_column<'m>(
    columns: &BTreeSet<String>,
    mapping: &'m RecordMapping,
) -> Option<(&'static str, &'m str)> {
    let is =
        |c: &str, meaning: &str, column: &str| is_named(c, column) || meaning == "institution" && is_name_of(c, column);
    mapping.pairs().find(|(meaning, column)| !columns.iter().any(|c| is(c, meaning, column)))
}

pub(super) fn listed(columns: &BTreeSet<String>) -> String {
    if columns.is_empty() {
        return "none".into();
    }
    let shown: Vec<String> = columns.iter().take(COLUMNS).map(|c| format!("`{c}`")).collect();
    match columns.len().saturating_sub(COLUMNS) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Compared without case, blanks and underscores.
fn is_named(column: &str, wanted: &str) -> bool {
    column == wanted || letters(column) == letters(wanted)
}

/// True for the name in an object: `org.name` of `org`.
fn is_name_of(column: &str, object: &str) -> bool {
    column.strip_suffix(".name").is_some_and(|column| is_named(column, object))
}

pub(super) fn missing(record: &Record) -> String {
    let names: Vec<&str> = record.keys().map(String::as_str).take(12).collect();
    format!(
        "no text field among `{}`; name it with --map text=FIELD,title=FIELD or in [records] of sector.toml",
        names.join("`, `")
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn records_without_a_text_field_say_which_fields_there_are() {
        let error = read("{\"a\":1}\n{\"a\":2}\n", "x.jsonl", &RecordMapping::default()).unwrap_err().to_string();
        assert!(error.contains("`a`") && error.contains("--map"), "{error}");
    }

    #[test]
    fn a_strict_mapping_may_name_only_columns_that_some_record_has() {
        let strict = |id: &str| RecordMapping { id: Some(id.into()), strict: true, ..RecordMapping::default() };
        let files = [
            ("{\"text\":\"a\"}\n{\"award id\":\"1\",\"text\":\"b\"}\n", "p.jsonl"),
            ("[{\"award id\":\"1\",\"text\":\"b\"}]", "p.json"),
            ("award id,text\n1,b\n2,c\n", "p.csv"),
        ];
        for (bytes, name) in files {
            let error = read(bytes, name, &strict("award_idd")).unwrap_err().to_string();
            assert!(error.contains("`id`") && error.contains("`award_idd`"), "{name}: {error}");
            assert!(error.ends_with("the columns are `award id`, `text`"), "{name}: {error}");
            assert!(read(bytes, name, &strict("Award_ID")).is_ok(), "{name}");
            let loose = RecordMapping { strict: false, ..strict("award_idd") };
            assert!(read(bytes, name, &loose).is_ok(), "{name}: a sector's mapping need not fit every file");
        }
        let columns = BTreeSet::from(["award id".to_owned(), "sum".to_owned()]);
        assert!(sheets_have_columns(columns.clone(), true, &strict("award_idd")).is_err());
        assert!(sheets_have_columns(columns, false, &strict("award_idd")).is_ok(), "an ordinary workbook");
    }

    #[test]
    fn an_institution_that_is_mapped_to_an_object_is_called_by_its_name() {
        let lines = "{\"id\":\"1\",\"text\":\"a\",\"host\":{\"name\":\"가온\",\"city\":\"남쪽\"},\"company\":\"다온\"}\n\
                     {\"id\":\"2\",\"text\":\"b\",\"company\":\"다온\"}\n";
        let of = |host: &str, strict: bool| {
            let mapping = RecordMapping { institution: Some(host.into()), strict, ..RecordMapping::default() };
            read(lines, "p.jsonl", &mapping).map(|found| found[0].metadata.institution.clone())
        };
        for strict in [true, false] {
            assert_eq!(of("host", strict).unwrap().as_deref(), Some("가온"));
            assert_eq!(of("host.name", strict).unwrap().as_deref(), Some("가온"));
        }
        assert!(of("hosts", true).is_err());
        let title = RecordMapping { title: Some("host".into()), strict: true, ..RecordMapping::default() };
        assert!(read(lines, "p.jsonl", &title).is_err(), "of an institution only");
    }
}
