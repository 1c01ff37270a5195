//! Record files: JSONL, JSON, CSV and sheets whose rows are projects, papers or notices.
//!
//! A [`RecordMapping`] says which field means what; where it is silent, or its fields are not in the
//! file, common field names are recognised. A file without a text field is one document, not records.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::{Input, body, damaged, document, one_line, sha256, text};
use crate::document::{Access, Format, Metadata};
use crate::ingest::{Extracted, ReadError, RecordMapping};
use crate::text::{letters, money};

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

/// A data row is shown under its header again after this many rows.
const TABLE_ROWS: usize = 50;
/// Rows looked at to tell which character separates cells.
const SNIFF_ROWS: usize = 20;
/// Columns named in an error.
const COLUMNS: usize = 40;
/// Skipped lines reported one by one.
const WARNINGS: usize = 20;

type Record = Map<String, Value>;

pub(super) fn read_jsonl(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "JSONL")?;
    let (mut records, mut warnings, mut skipped) = (Vec::new(), Vec::new(), 0usize);
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        match serde_json::from_str::<Value>(line.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(record)) => records.push((i + 1, record)),
            other => {
                skipped += 1;
                if skipped <= WARNINGS {
                    let what = other.map_or_else(|e| e.to_string(), |_| "not an object".to_owned());
                    warnings.push(format!("line {}: {}", i + 1, one_line(&what)));
                }
            }
        }
    }
    if skipped > WARNINGS {
        warnings.push(format!("{} more lines were skipped", skipped - WARNINGS));
    }
    if records.is_empty() {
        return Err(damaged("JSONL", warnings.first().map_or("no record", String::as_str)));
    }
    has_columns(records.iter().map(|(_, r)| r), input.mapping)?;
    match fields(records.iter().map(|(_, r)| r), input.mapping) {
        Some(fields) => Ok(documents(records, &fields, Format::Jsonl, warnings)),
        None => Err(ReadError::Records(missing(&records[0].1))),
    }
}

pub(super) fn read_json(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "JSON")?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| damaged("JSON", e))?;
    if let Value::Array(items) = &value
        && items.iter().all(Value::is_object)
        && !items.is_empty()
    {
        let records: Vec<(usize, Record)> =
            items.iter().filter_map(Value::as_object).cloned().enumerate().map(|(i, r)| (i + 1, r)).collect();
        has_columns(records.iter().map(|(_, r)| r), input.mapping)?;
        if let Some(fields) = fields(records.iter().map(|(_, r)| r), input.mapping) {
            return Ok(documents(records, &fields, Format::Json, Vec::new()));
        }
    }
    let pretty = serde_json::to_string_pretty(&value).map_err(|e| damaged("JSON", e))?;
    document(input, Format::Json, None, body(pretty)).map(|d| vec![d])
}

pub(super) fn read_csv(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "CSV")?;
    let separator = delimiter(&text).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| damaged("CSV", e))?;
        rows.push(row.iter().map(|c| c.trim().trim_start_matches('\u{feff}').to_owned()).collect());
    }
    let table = [rows];
    names_columns(table[0].iter().take(1).flatten().cloned(), input.mapping)?;
    if let Some(found) = from_tables(&table, Format::Csv, input.mapping) {
        return found;
    }
    document(input, Format::Csv, None, body(markdown(&table[0]))).map(|d| vec![d])
}

/// The rows of tables as records, if their header names a title and a text; `None` if it does not.
pub(super) fn from_tables(
    tables: &[Vec<Vec<String>>],
    format: Format,
    mapping: &RecordMapping,
) -> Option<Result<Vec<Extracted>, ReadError>> {
    let mut found = Vec::new();
    for rows in tables {
        let Some((header, rows)) = rows.split_first() else { continue };
        let records: Vec<(usize, Record)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.iter().any(|c| !c.is_empty()))
            .map(|(i, row)| {
                let cells = header.iter().zip(row).filter(|(h, c)| !h.is_empty() && !c.is_empty());
                (i + 2, cells.map(|(h, c)| (h.clone(), Value::String(c.clone()))).collect())
            })
            .collect();
        if let Some(fields) = fields(records.iter().map(|(_, r)| r), mapping) {
            found.extend(documents(records, &fields, format, Vec::new()));
        }
    }
    (!found.is_empty()).then_some(Ok(found))
}

/// The character that separates cells: the one that occurs equally often, at least once, in the first
/// rows; `None` if none does, or if blanks after it show that it is punctuation.
pub(super) fn delimiter(text: &str) -> Option<u8> {
    let count = |separator: u8| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().take(SNIFF_ROWS).flatten().collect();
        let width = rows.first().map_or(1, csv::StringRecord::len);
        let cells = || rows.iter().flat_map(|r| r.iter().skip(1));
        let prose = cells().filter(|c| c.starts_with(' ')).count() * 2 > cells().count();
        (rows.len() >= 2 && width >= 2 && !prose && rows.iter().all(|r| r.len() == width)).then_some(width)
    };
    b",\t;|".iter().filter_map(|s| count(*s).map(|width| (width, *s))).max_by_key(|(width, _)| *width).map(|(_, s)| s)
}

/// Which field means what in this file.
struct Fields {
    id: Option<String>,
    title: Option<String>,
    text: Vec<String>,
    institution: Option<String>,
    year: Option<String>,
    budget: Option<String>,
    doc_type: Option<String>,
    access: Option<String>,
}

/// Maps the fields that occur in any record; `None` where there is neither a mapped nor a common text field.
fn fields<'r>(records: impl Iterator<Item = &'r Record>, mapping: &RecordMapping) -> Option<Fields> {
    let mut names: Vec<&String> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for record in records {
        names.extend(record.keys().filter(|k| seen.insert(k)));
    }
    let named = |wanted: &str| names.iter().find(|n| is_named(n, wanted)).map(|n| n.to_string());
    let pick = |mapped: &Option<String>, common: &[&str]| {
        mapped.as_deref().and_then(named).or_else(|| common.iter().find_map(|c| named(c)))
    };
    let with_unit = || names.iter().find(|n| BUDGET.iter().any(|common| is_named(money::bare(n), common)));
    let mapped: Vec<String> = mapping.text.iter().filter_map(|t| named(t)).collect();
    let text = if mapped.is_empty() { TEXT.iter().find_map(|c| named(c)).into_iter().collect() } else { mapped };
    if text.is_empty() {
        return None;
    }
    Some(Fields {
        id: pick(&mapping.id, &ID),
        title: pick(&mapping.title, &TITLE),
        institution: pick(&mapping.institution, &INSTITUTION),
        year: pick(&mapping.year, &YEAR),
        budget: pick(&mapping.budget, &BUDGET).or_else(|| with_unit().map(|n| n.to_string())),
        doc_type: mapping.doc_type.as_deref().and_then(named),
        access: mapping.access.as_deref().and_then(named),
        text,
    })
}

/// Refuses a strict mapping that names what no record has.
fn has_columns<'r>(records: impl Iterator<Item = &'r Record>, mapping: &RecordMapping) -> Result<(), ReadError> {
    names_columns(records.flat_map(Record::keys).cloned(), mapping)
}

/// The same of a workbook, whose `tables` may be records or not: where they are not and have no column of the mapping, it is an
/// ordinary document among others.
pub(super) fn sheets_have_columns(
    tables: &[Vec<Vec<String>>],
    are_records: bool,
    mapping: &RecordMapping,
) -> Result<(), ReadError> {
    let columns: BTreeSet<String> = tables.iter().filter_map(|rows| rows.first()).flatten().cloned().collect();
    let is_there = |column: &str| columns.iter().any(|c| is_named(c, column));
    if are_records || mapping.pairs().any(|(_, column)| is_there(column)) {
        return names_columns(columns, mapping);
    }
    Ok(())
}

fn names_columns(columns: impl IntoIterator<Item = String>, mapping: &RecordMapping) -> Result<(), ReadError> {
    if !mapping.strict {
        return Ok(());
    }
    let columns: BTreeSet<String> = columns.into_iter().collect();
    let absent = |column: &str| !columns.iter().any(|c| is_named(c, column));
    match mapping.pairs().find(|(_, column)| absent(column)) {
        None => Ok(()),
        Some((meaning, column)) => Err(ReadError::NoColumn {
            meaning: meaning.to_owned(),
            column: column.to_owned(),
            columns: listed(&columns),
        }),
    }
}

fn listed(columns: &BTreeSet<String>) -> String {
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

fn missing(record: &Record) -> String {
    let names: Vec<&str> = record.keys().map(String::as_str).take(12).collect();
    format!(
        "no text field among `{}`; name it with --map text=FIELD,title=FIELD or in [records] of sector.toml",
        names.join("`, `")
    )
}

fn documents(
    records: Vec<(usize, Record)>,
    fields: &Fields,
    format: Format,
    mut warnings: Vec<String>,
) -> Vec<Extracted> {
    let mut out: Vec<Extracted> = Vec::with_capacity(records.len());
    let mut unknown_access = BTreeMap::new();
    for (line, record) in records {
        out.push(record_document(line, &record, fields, format, &mut unknown_access));
    }
    let levels = Access::ALL.map(Access::name).join(", ");
    warnings.extend(unknown_access.into_iter().take(WARNINGS).map(|(said, records)| {
        format!("access `{said}` ({records} records) is none of {levels}: taken as restricted")
    }));
    if let Some(first) = out.first_mut() {
        first.warnings.append(&mut warnings);
    }
    out
}

/// What access levels say that are none is counted in `unknown_access`; nobody may see more by a word that was not understood.
fn record_document(
    line: usize,
    record: &Record,
    fields: &Fields,
    format: Format,
    unknown_access: &mut BTreeMap<String, usize>,
) -> Extracted {
    let get = |name: &Option<String>| name.as_ref().and_then(|n| record.get(n)).and_then(plain);
    let id = get(&fields.id);
    let institution = get(&fields.institution);
    let year = get(&fields.year);
    let budget = fields.budget.as_deref().zip(get(&fields.budget));
    let used = |name: &String| fields.text.contains(name) || fields.title.as_ref() == Some(name);
    // Facts of a record are part of its text, under the source's own names, so that an answer can cite them.
    let facts: Vec<String> = record
        .iter()
        .filter(|(name, _)| !used(name))
        .filter_map(|(name, value)| Some((name, plain(value)?)))
        .filter(|(_, value)| value.chars().count() <= 200)
        .map(|(name, value)| format!("{name}: {}", value.replace('\n', " ")))
        .collect();
    let mut markdown = facts.join(" | ");
    if !markdown.is_empty() {
        markdown.push_str("\n\n");
    }
    for name in &fields.text {
        if let Some(text) = record.get(name).and_then(plain) {
            if fields.text.len() > 1 {
                markdown.push_str(&format!("## {name}\n\n"));
            }
            markdown.push_str(&text);
            markdown.push_str("\n\n");
        }
    }
    let extra: BTreeMap<String, String> =
        record.iter().filter(|(n, _)| !used(n)).filter_map(|(n, v)| Some((n.clone(), plain(v)?))).collect();
    let access = get(&fields.access).map_or(Access::default(), |said| {
        Access::named(&said.to_lowercase()).unwrap_or_else(|| {
            *unknown_access.entry(said).or_insert(0) += 1;
            Access::Restricted
        })
    });
    Extracted {
        format,
        title: get(&fields.title),
        record: Some(id.clone().unwrap_or_else(|| line.to_string())),
        sha256: sha256(serde_json::to_string(record).unwrap_or_default().as_bytes()),
        metadata: Metadata {
            external_id: id,
            institution,
            year: year.as_deref().and_then(year_in),
            budget: budget.and_then(|(column, said)| money::in_column(column, &said)).map(|m| m.amount),
            doc_type: Some(get(&fields.doc_type).unwrap_or_else(|| "record".into())),
            access,
            fields: extra,
        },
        parts: body(markdown),
        warnings: Vec::new(),
    }
}

/// A value as text: lists joined, objects and nulls left out.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Array(items) => items.iter().filter_map(plain).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The first four-digit year, 1900 to 2099, in a text such as `2021-03-01` or `03/2021`.
fn year_in(text: &str) -> Option<i32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 4 || run.len() == 8)
        .filter_map(|run| run[..4].parse().ok())
        .find(|year| (1900..2100).contains(year))
}

/// Rows as a Markdown table, the header repeated now and then so that every piece of it can be read alone.
fn markdown(rows: &[Vec<String>]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells = (0..width).map(|i| row.get(i).map(|c| c.replace('|', "/").replace('\n', " ")).unwrap_or_default());
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let Some((header, data)) = rows.split_first() else { return String::new() };
    let head = format!("{}|{}\n", line(header), "---|".repeat(width));
    let blocks = data.chunks(TABLE_ROWS).map(|rows| format!("{head}{}\n", rows.iter().map(line).collect::<String>()));
    if data.is_empty() { head } else { blocks.collect() }
}

fn decode(input: &Input<'_>, format: &str) -> Result<String, ReadError> {
    let decoded = text::decode(input.bytes);
    decoded.map(|d| d.text).ok_or_else(|| damaged(format, "not text in UTF-8, UTF-16, CP949 or Windows-1252"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str, name: &str, mapping: &RecordMapping) -> Result<Vec<Extracted>, ReadError> {
        super::super::read(&Input { bytes: bytes.as_bytes(), name, mapping })
    }

    #[test]
    fn a_bad_line_is_reported_and_the_rest_is_read() {
        let lines = "{\"_id\":\"a\",\"title\":\"T\",\"text\":\"one\"}\nnot json\n{\"_id\":\"b\",\"title\":\"U\",\"text\":\"two\"}\n";
        let found = read(lines, "c.jsonl", &RecordMapping::default()).unwrap();
        assert_eq!(found.iter().map(|d| d.record.as_deref().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found[0].warnings.len(), 1);
        assert!(found[0].warnings[0].starts_with("line 2: "));
    }

    #[test]
    fn mapped_fields_become_metadata_and_stay_visible_in_the_text() {
        let mapping = RecordMapping {
            id: Some("no".into()),
            text: vec!["aim".into(), "result".into()],
            institution: Some("who".into()),
            year: Some("from".into()),
            budget: Some("won".into()),
            ..RecordMapping::default()
        };
        let line =
            r#"{"no":"P1","title":"양극재","aim":"가","result":"나","who":"가온","from":"2021-03-01","won":"1,200"}"#;
        let found = read(&format!("{line}\n"), "p.jsonl", &mapping).unwrap();
        let meta = &found[0].metadata;
        assert_eq!((meta.institution.as_deref(), meta.year, meta.budget), (Some("가온"), Some(2021), Some(1200.0)));
        let text = &found[0].parts[0].markdown;
        assert!(text.contains("who: 가온") && text.contains("## aim\n\n가") && text.contains("won: 1,200"), "{text}");
    }

    #[test]
    fn an_access_level_is_never_lowered_by_its_spelling_or_its_place() {
        let mut rows = String::from("text,level\n");
        (0..120).for_each(|i| rows.push_str(&format!("row {i},\n")));
        rows.push_str("a,RESTRICTED\nb,Internal\nc,대외비\nd,대외비\n");
        let mapping = RecordMapping { access: Some("level".into()), ..RecordMapping::default() };
        let found = read(&rows, "p.csv", &mapping).unwrap();
        let levels: Vec<Access> = found[119..].iter().map(|d| d.metadata.access).collect();
        let expected = [Access::Public, Access::Restricted, Access::Internal, Access::Restricted, Access::Restricted];
        assert_eq!(levels, expected);
        assert_eq!(found[0].warnings.len(), 1);
        assert!(found[0].warnings[0].contains("`대외비` (2 records)"), "{:?}", found[0].warnings);
    }

    #[test]
    fn a_table_without_a_text_column_is_one_document() {
        let found = read("cell;loss\nA1;3 %\nA2;4 %\n", "t.csv", &RecordMapping::default()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].parts[0].markdown.starts_with("| cell | loss |\n|---|---|\n| A1 | 3 % |\n"));
    }

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
        let sheets = [vec![vec!["award id".to_owned(), "sum".to_owned()], vec!["1".to_owned(), "2".to_owned()]]];
        assert!(sheets_have_columns(&sheets, true, &strict("award_idd")).is_err());
        assert!(sheets_have_columns(&sheets, false, &strict("award_idd")).is_ok(), "an ordinary workbook");
    }

    #[test]
    fn years_are_found_in_dates() {
        assert_eq!(year_in("01/09/2015"), Some(2015));
        assert_eq!(year_in("20210301"), Some(2021));
        assert_eq!(year_in("n/a 12345"), None);
    }

    #[test]
    fn a_budget_is_counted_in_the_unit_of_its_column_or_its_own() {
        for (column, cell, budget) in [
            ("총연구비(천원)", "2,100,000", Some(2.1e9)),
            ("연구비 (백만 원)", "870", Some(8.7e8)),
            ("budget", "€ 1,499,900.50", Some(1_499_900.5)),
            ("budget", "1,200", Some(1200.0)),
            ("예산", "14억 5천만 원", Some(1.45e9)),
            ("amount", "추후 협의", None),
        ] {
            let table = format!("id;text;{column}\n1;one;{cell}\n2;two;{cell}\n");
            let found = read(&table, "p.csv", &RecordMapping::default()).unwrap();
            assert_eq!(found[0].metadata.budget, budget, "{column}: {cell}");
        }
    }
}
