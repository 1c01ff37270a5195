//! Record files: JSONL, JSON, CSV and sheets whose rows are projects, papers or notices.
//!
//! A [`RecordMapping`] says which field means what; where it is silent, or its fields are not in the
//! file, common field names are recognised. A file without a text field is one document, not records.
//! What no place is found for is named in a warning.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;
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
/// What may separate cells.
const SEPARATORS: [u8; 4] = *b",\t;|";
/// Columns named in an error.
const COLUMNS: usize = 40;
/// Skipped lines reported one by one.
const WARNINGS: usize = 20;
/// Characters of a fact; a longer text is a section of its own.
const FACT: usize = 200;

type Record = Map<String, Value>;

pub(super) fn read_jsonl(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "JSONL")?;
    let (mut records, mut skipped) = (Vec::new(), Several::default());
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        match parse(line.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(record)) => records.push((i + 1, record)),
            other => {
                let what = other.map_or_else(|e| e.to_string(), |_| "not an object".to_owned());
                skipped.add(format!("line {}: {}", i + 1, one_line(&what)));
            }
        }
    }
    let warnings = skipped.told("lines were skipped");
    if records.is_empty() {
        return Err(damaged("JSONL", warnings.first().map_or("no record", String::as_str)));
    }
    has_columns(records.iter().map(|(_, r)| r), input.mapping)?;
    match fields(records.iter().map(|(_, r)| r), input.mapping) {
        Some(fields) => Ok(documents(records, &fields, Format::Jsonl, "line", warnings)),
        None => Err(ReadError::Records(missing(&records[0].1))),
    }
}

pub(super) fn read_json(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "JSON")?;
    let value = parse(text.trim_start_matches('\u{feff}')).map_err(|e| damaged("JSON", e))?;
    let (mut records, mut skipped) = (Vec::new(), Several::default());
    let (items, mut warnings) = listed_records(&value, input.mapping);
    for (number, item) in (1..).zip(items) {
        match item.as_object() {
            Some(record) => records.push((number, record.clone())),
            None => skipped.add(format!("record {number}: not an object")),
        }
    }
    has_columns(records.iter().map(|(_, r)| r), input.mapping)?;
    if let Some(fields) = fields(records.iter().map(|(_, r)| r), input.mapping) {
        warnings.extend(skipped.told("records were skipped"));
        return Ok(documents(records, &fields, Format::Json, "record", warnings));
    }
    let pretty = serde_json::to_string_pretty(&value).map_err(|e| damaged("JSON", e))?;
    document(input, Format::Json, None, body(pretty)).map(|d| vec![d])
}

/// JSON, also as Python writes it: `NaN` and the infinities are nulls.
fn parse(text: &str) -> serde_json::Result<Value> {
    static TOKEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s)"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)"#).expect("a constant pattern"));
    serde_json::from_str(text).or_else(|error| {
        if !text.contains("NaN") && !text.contains("Infinity") {
            return Err(error);
        }
        let null =
            |found: &regex::Captures<'_>| if found[0].starts_with('"') { found[0].to_owned() } else { "null".into() };
        serde_json::from_str(&TOKEN.replace_all(text, null))
    })
}

/// The items of a file's one list of records, and a warning that names what stands beside it: the file is that list, or an object
/// that holds it and is no record itself. Under a strict mapping an object that holds no list is the only record.
fn listed_records<'v>(value: &'v Value, mapping: &RecordMapping) -> (&'v [Value], Vec<String>) {
    let is_list = |value: &Value| value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    let items = |list: &'v Value| list.as_array().filter(|_| is_list(list)).map(Vec::as_slice).unwrap_or_default();
    let Value::Object(outer) = value else { return (items(value), Vec::new()) };
    let mut lists = outer.iter().filter(|(_, value)| is_list(value));
    let only = lists.next().filter(|_| lists.next().is_none());
    let is_record = if mapping.strict {
        absent_column(&entries(outer).into_iter().map(|(name, _)| name).collect(), mapping).is_none()
    } else {
        let long = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() > FACT);
        outer.values().any(long) || fields(std::iter::once(outer), mapping).is_some()
    };
    match only.filter(|_| !is_record) {
        Some((name, list)) => {
            let beside: BTreeSet<String> = outer.keys().filter(|other| *other != name).cloned().collect();
            let warning = (!beside.is_empty()).then(|| format!("left out, beside the records: {}", listed(&beside)));
            (items(list), warning.into_iter().collect())
        }
        None if mapping.strict => (std::slice::from_ref(value), Vec::new()),
        None => (items(value), Vec::new()),
    }
}

pub(super) fn read_csv(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    let text = decode(input, "CSV")?.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_start_matches('\u{feff}');
    let (rows, mut warnings) = rows(text, separator(text, input.mapping))?;
    warnings.extend(ragged(&rows));
    let cells: Vec<&[String]> = rows.iter().map(|row| row.cells.as_slice()).collect();
    let columns = column_names(&cells);
    names_columns(columns.iter().cloned(), input.mapping)?;
    let records = records(&columns, rows.iter().skip(1).map(|row| (row.line, row.cells.as_slice())));
    if let Some(fields) = fields(records.iter().map(|(_, r)| r), input.mapping) {
        return Ok(documents(records, &fields, Format::Csv, "line", warnings));
    }
    let whole = document(input, Format::Csv, None, body(markdown(&cells)))?;
    Ok(vec![Extracted { warnings, ..whole }])
}

/// A row of a file: where it begins (byte; line, from 1) and its cells.
struct Row {
    start: usize,
    line: usize,
    cells: Vec<String>,
}

/// The rows of a file. A quote that is opened and never closed would take the rest of the file into its cell: its line is read as it
/// stands, with a warning.
fn rows(text: &str, separator: u8) -> Result<(Vec<Row>, Vec<String>), ReadError> {
    let mut rows = cut(text, separator, true)?;
    let Some(open) = rows.pop_if(|row| is_open(&text[row.start..], separator)) else { return Ok((rows, Vec::new())) };
    let rest = &text[open.start..];
    let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
    let moved = |row: Row, start: usize, line: usize| Row { start: row.start + start, line: row.line + line, ..row };
    rows.extend(cut(line, separator, false)?.into_iter().map(|row| moved(row, open.start, open.line - 1)));
    rows.extend(cut(below, separator, true)?.into_iter().map(|row| moved(row, open.start + line.len() + 1, open.line)));
    Ok((rows, vec![format!("line {}: a quote is opened and never closed; the line is read as it stands", open.line)]))
}

fn cut(text: &str, separator: u8, quoting: bool) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for record in reader(separator).quoting(quoting).from_reader(text.as_bytes()).records() {
        let record = record.map_err(|e| damaged("CSV", e))?;
        // Blank lines are passed over before a record.
        let from = record.position().map_or(counted, |position| position.byte() as usize);
        let start = from + text[from..].bytes().take_while(|b| *b == b'\n').count();
        line += text[counted..start].bytes().filter(|b| *b == b'\n').count();
        counted = start;
        rows.push(Row { start, line, cells: record.iter().map(|cell| cell.trim().to_owned()).collect() });
    }
    Ok(rows)
}

/// True where a quoted cell that begins in this row, the last one, is not closed.
fn is_open(row: &str, separator: u8) -> bool {
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = row.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if quoted {
            // Two quotes are one of the cell's own.
            quoted = byte != b'"' || bytes.next_if_eq(&b'"').is_some();
            begins = false;
        } else {
            quoted = begins && byte == b'"';
            begins = byte == separator || byte == b'\n';
        }
    }
    quoted
}

/// Rows that have not as many cells as the header.
fn ragged(rows: &[Row]) -> Option<String> {
    let width = rows.first()?.cells.len();
    let mut odd = rows.iter().filter(|row| row.cells.len() != width);
    let named = odd.by_ref().take(WARNINGS).map(|row| format!("line {} has {}", row.line, row.cells.len()));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = odd.count();
    let more = if more > 0 { format!(" and {more} more differ") } else { String::new() };
    (!named.is_empty()).then(|| format!("the header has {width} cells; {named}{more}"))
}

/// The names of all columns of a table: those of its first row in one line, `column 4` where it has none, `결과 2` where it has one twice.
fn column_names(rows: &[&[String]]) -> Vec<String> {
    let header: Vec<String> = rows.iter().take(1).copied().flatten().map(|name| spaced(name)).collect();
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let mut taken: HashSet<String> = HashSet::new();
    let name = |i: usize| {
        let name = header.get(i).filter(|name| !name.is_empty()).cloned();
        let name = name.unwrap_or_else(|| format!("column {}", i + 1));
        if taken.insert(name.clone()) {
            return name;
        }
        let mut others = (2..).map(|n| format!("{name} {n}")).filter(|other| !header.contains(other));
        others.find(|other| taken.insert(other.clone())).unwrap_or_default()
    };
    (0..width).map(name).collect()
}

/// Rows that say something as records of these columns.
fn records<'r>(columns: &[String], rows: impl Iterator<Item = (usize, &'r [String])>) -> Vec<(usize, Record)> {
    let record = |row: &[String]| -> Record {
        let cells = columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.clone(), Value::String(cell.clone()))).collect()
    };
    rows.map(|(place, row)| (place, record(row))).filter(|(_, record)| !record.is_empty()).collect()
}

/// The rows of tables as records, if their header names a title and a text; `None` if it does not.
pub(super) fn from_tables(
    tables: &[Vec<Vec<String>>],
    format: Format,
    mapping: &RecordMapping,
) -> Option<Result<Vec<Extracted>, ReadError>> {
    let mut found = Vec::new();
    for table in tables {
        let rows: Vec<&[String]> = table.iter().map(Vec::as_slice).collect();
        let records = records(&column_names(&rows), (1..).zip(rows).skip(1));
        if let Some(fields) = fields(records.iter().map(|(_, r)| r), mapping) {
            found.extend(documents(records, &fields, format, "row", Vec::new()));
        }
    }
    (!found.is_empty()).then_some(Ok(found))
}

/// The character that separates cells: the one that occurs equally often, at least once, in the first
/// rows; `None` if none does, or if blanks after it show that it is punctuation.
pub(super) fn delimiter(text: &str) -> Option<u8> {
    let width = |separator: u8| {
        let rows = first_rows(text, separator);
        let width = rows.first().map_or(1, csv::StringRecord::len);
        let is_even = rows.len() >= 2 && width >= 2 && rows.iter().all(|r| r.len() == width);
        (is_even && !is_prose(&rows)).then_some(width)
    };
    let widths = SEPARATORS.into_iter().filter_map(|s| Some((width(s)?, s)));
    widths.max_by_key(|(width, _)| *width).map(|(_, s)| s)
}

/// The same for a file that is known to hold rows, some of which may have a cell too many or too few: the character that splits the
/// header into names that are known, else [`delimiter`]'s, else the one that most rows agree on.
fn separator(text: &str, mapping: &RecordMapping) -> u8 {
    let known = |separator: u8| {
        let rows = first_rows(text, separator);
        rows.first().map_or(0, |header| header.iter().filter(|name| is_known(name.trim(), mapping)).count())
    };
    let agreeing = |separator: u8| {
        let rows = first_rows(text, separator);
        let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *widths.entry(row.len()).or_default() += 1);
        let (width, count) = widths.into_iter().max_by_key(|(_, count)| *count)?;
        (width >= 2 && count >= 2 && count * 2 > rows.len() && !is_prose(&rows)).then_some((count, width))
    };
    let by_names = SEPARATORS.into_iter().map(|s| (known(s), s)).filter(|(names, _)| *names >= 2).max();
    let by_rows = || SEPARATORS.into_iter().filter_map(|s| Some((agreeing(s)?, s))).max().map(|(_, s)| s);
    by_names.map(|(_, s)| s).or_else(|| delimiter(text)).or_else(by_rows).unwrap_or(b',')
}

fn first_rows(text: &str, separator: u8) -> Vec<csv::StringRecord> {
    reader(separator).from_reader(text.as_bytes()).records().take(SNIFF_ROWS).flatten().collect()
}

fn reader(separator: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(separator).has_headers(false).flexible(true);
    builder
}

fn is_prose(rows: &[csv::StringRecord]) -> bool {
    let cells = || rows.iter().flat_map(|row| row.iter().skip(1));
    cells().filter(|cell| cell.starts_with(' ')).count() * 2 > cells().count()
}

fn is_known(name: &str, mapping: &RecordMapping) -> bool {
    let common = [&ID[..], &TITLE, &TEXT, &INSTITUTION, &YEAR, &BUDGET];
    !name.is_empty()
        && (common.iter().copied().flatten().any(|known| is_named(name, known))
            || mapping.pairs().any(|(_, column)| is_named(name, column)))
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
    /// The mapping says what the text is: other long fields are not wanted in it.
    is_mapped: bool,
}

/// Names and values of a record; those of an object in it have both names: `results.loss`.
fn entries(record: &Record) -> Vec<(String, &Value)> {
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
fn fields<'r>(records: impl Iterator<Item = &'r Record>, mapping: &RecordMapping) -> Option<Fields> {
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
    let with_unit = || names.iter().find(|n| BUDGET.iter().any(|common| is_named(money::bare(n), common)));
    let mapped: Vec<String> = mapping.text.iter().filter_map(|t| named(t)).collect();
    let is_mapped = !mapped.is_empty();
    let text = if is_mapped { mapped } else { TEXT.iter().find_map(|c| named(c)).into_iter().collect() };
    if text.is_empty() {
        return None;
    }
    Some(Fields {
        id: pick(&mapping.id, &ID),
        title: pick(&mapping.title, &TITLE),
        institution: pick(&mapping.institution, &INSTITUTION),
        year: pick(&mapping.year, &YEAR),
        budget: pick(&mapping.budget, &BUDGET).or_else(|| with_unit().cloned()),
        doc_type: mapping.doc_type.as_deref().and_then(named),
        access: mapping.access.as_deref().and_then(named),
        text,
        is_mapped,
    })
}

/// Refuses a strict mapping that names what no record has.
fn has_columns<'r>(records: impl Iterator<Item = &'r Record>, mapping: &RecordMapping) -> Result<(), ReadError> {
    names_columns(records.flat_map(entries).map(|(name, _)| name), mapping)
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
fn absent_column<'m>(columns: &BTreeSet<String>, mapping: &'m RecordMapping) -> Option<(&'static str, &'m str)> {
    mapping.pairs().find(|(_, column)| !columns.iter().any(|c| is_named(c, column)))
}

fn listed(columns: &BTreeSet<String>) -> String {
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

fn missing(record: &Record) -> String {
    let names: Vec<&str> = record.keys().map(String::as_str).take(12).collect();
    format!(
        "no text field among `{}`; name it with --map text=FIELD,title=FIELD or in [records] of sector.toml",
        names.join("`, `")
    )
}

/// One document a record; `place` is what a number counts: `line`, `row`.
fn documents(
    records: Vec<(usize, Record)>,
    fields: &Fields,
    format: Format,
    place: &str,
    mut warnings: Vec<String>,
) -> Vec<Extracted> {
    let mut out: Vec<Extracted> = Vec::with_capacity(records.len());
    let mut noted = Noted::default();
    let mut names = Names::default();
    for (number, record) in records {
        let at = format!("{place} {number}");
        let mut document = record_document(&at, &record, fields, format, &mut noted);
        names.tell_apart(&mut document, at);
        out.push(document);
    }
    let levels = Access::ALL.map(Access::name).join(", ");
    warnings.extend(noted.unknown_access.into_iter().take(WARNINGS).map(|(said, records)| {
        format!("access `{said}` ({records} records) is none of {levels}: taken as restricted")
    }));
    if !noted.left_out.is_empty() {
        let what = format!("not in the text, being lists of objects, objects in objects or over {FACT} characters");
        warnings.push(format!("{what}: {}", listed(&noted.left_out)));
    }
    warnings.extend(names.twice.told("records have an id that another has"));
    if let Some(first) = out.first_mut() {
        first.warnings.append(&mut warnings);
    }
    out
}

/// What is told of a file's records once, not of each.
#[derive(Default)]
struct Noted {
    /// What access levels say that are none, and how often. Nobody may see more by a word that was not understood.
    unknown_access: BTreeMap<String, usize>,
    /// Fields that say something which is not in the text.
    left_out: BTreeSet<String>,
}

/// Warnings of one kind, the first of them one by one.
#[derive(Default)]
struct Several {
    shown: Vec<String>,
    more: usize,
}

impl Several {
    fn add(&mut self, warning: String) {
        if self.shown.len() < WARNINGS {
            self.shown.push(warning);
        } else {
            self.more += 1;
        }
    }

    /// All, the last of which says how many `more` there are.
    fn told(mut self, more: &str) -> Vec<String> {
        if self.more > 0 {
            self.shown.push(format!("{} more {more}", self.more));
        }
        self.shown
    }
}

/// The names of the records of a file. Two different ones of one id stay two: the second is `P1~2`.
#[derive(Default)]
struct Names {
    /// Where the record of each name is.
    given: HashMap<String, String>,
    /// The last number that an id got.
    last: HashMap<String, usize>,
    /// Hashes of the records; what is the same twice is dropped later.
    seen: HashSet<String>,
    twice: Several,
}

impl Names {
    fn tell_apart(&mut self, document: &mut Extracted, at: String) {
        let Some(id) = document.record.clone() else { return };
        if !self.seen.insert(document.sha256.clone()) {
            return;
        }
        let mut name = id.clone();
        let last = self.last.entry(id.clone()).or_insert(1);
        while self.given.contains_key(&name) {
            *last += 1;
            name = format!("{id}~{last}");
        }
        if name != id {
            let first = self.given.get(&id).map_or("", String::as_str);
            self.twice.add(format!("{at}: the id `{id}` is that of {first}, too; this record is called `{name}`"));
        }
        self.given.insert(name.clone(), at);
        document.record = Some(name);
    }
}

fn record_document(at: &str, record: &Record, fields: &Fields, format: Format, noted: &mut Noted) -> Extracted {
    let entries = entries(record);
    let value = |name: &String| entries.iter().find(|(n, _)| n == name).and_then(|(_, value)| plain(value));
    let get = |name: &Option<String>| name.as_ref().and_then(value);
    let id = get(&fields.id);
    let institution = get(&fields.institution);
    let year = get(&fields.year);
    let budget = fields.budget.as_deref().zip(get(&fields.budget));
    let used = |name: &String| fields.text.contains(name) || fields.title.as_ref() == Some(name);
    // Facts of a record are part of its text, under the source's own names, so that an answer can cite them.
    let mut facts: Vec<String> = Vec::new();
    let mut sections: Vec<(&str, String)> = Vec::new();
    let mut extra: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in entries.iter().filter(|(name, _)| !used(name)) {
        let text = plain(value);
        let is_short = text.as_ref().is_none_or(|text| text.chars().count() <= FACT);
        let is_section = !is_short && value.is_string() && !fields.is_mapped;
        if holds_objects(value) || (!is_short && !is_section) {
            noted.left_out.insert(name.clone());
        }
        let Some(text) = text else { continue };
        if is_section {
            sections.push((name.as_str(), text.clone()));
        } else if is_short {
            facts.push(format!("{name}: {}", spaced(&text)));
        }
        extra.insert(name.clone(), text);
    }
    let mut markdown = facts.join(" | ");
    if !markdown.is_empty() {
        markdown.push_str("\n\n");
    }
    for name in &fields.text {
        if let Some(text) = value(name) {
            if fields.text.len() > 1 {
                markdown.push_str(&format!("## {name}\n\n"));
            }
            markdown.push_str(&text);
            markdown.push_str("\n\n");
        }
    }
    sections.iter().for_each(|(name, text)| markdown.push_str(&format!("## {name}\n\n{text}\n\n")));
    let access = get(&fields.access).map_or(Access::default(), |said| {
        Access::named(&said.to_lowercase()).unwrap_or_else(|| {
            *noted.unknown_access.entry(said).or_insert(0) += 1;
            Access::Restricted
        })
    });
    Extracted {
        format,
        title: get(&fields.title),
        record: Some(id.clone().unwrap_or_else(|| at.to_owned())),
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

/// True for a value that says something which [`plain`] leaves out.
fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Object(inner) => !inner.is_empty(),
        Value::Array(items) => items.iter().any(holds_objects),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// In one line, one blank between words.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
fn markdown(rows: &[&[String]]) -> String {
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let line = |row: &&[String]| {
        let cells = (0..width).map(|i| row.get(i).map(|c| spaced(&c.replace('|', "/"))).unwrap_or_default());
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

    /// Records without a mapping.
    fn found(bytes: &str, name: &str) -> Vec<Extracted> {
        read(bytes, name, &RecordMapping::default()).unwrap()
    }

    fn names(found: &[Extracted]) -> Vec<&str> {
        found.iter().map(|d| d.record.as_deref().unwrap_or("none")).collect()
    }

    #[test]
    fn no_field_of_a_record_is_lost_in_silence() {
        let long = "가스를 줄인다. ".repeat(40);
        let line = serde_json::json!({
            "id": "P1", "abstract": "본문", "objective": long, "results": {"loss": "3 %", "runs": [1, 2], "raw": {"a": 1}},
            "team": [{"name": "가람"}], "empty": {}, "none": null,
        });
        let found = found(&format!("{line}\n{line}\n"), "p.jsonl");
        let text = &found[0].parts[0].markdown;
        assert!(text.contains("results.loss: 3 %") && text.contains("results.runs: 1, 2"), "{text}");
        assert!(text.ends_with(&format!("본문\n\n## objective\n\n{}\n\n", long.trim())), "{text}");
        assert_eq!(found[0].metadata.fields["results.loss"], "3 %");
        assert_eq!(found[0].warnings.len(), 1);
        assert!(found[0].warnings[0].ends_with(": `results.raw`, `team`"), "{:?}", found[0].warnings);
    }

    #[test]
    fn a_mapping_of_the_text_leaves_other_long_fields_out_and_says_so() {
        let line = serde_json::json!({"id": "1", "aim": "가", "notes": "나 ".repeat(150), "org": {"name": "가온"}});
        let mapping = RecordMapping {
            text: vec!["aim".into()],
            institution: Some("org.name".into()),
            ..RecordMapping::default()
        };
        let found = read(&format!("{line}\n{line}\n"), "p.jsonl", &mapping).unwrap();
        assert_eq!(found[0].parts[0].markdown, "id: 1 | org.name: 가온\n\n가\n\n");
        assert_eq!(found[0].metadata.institution.as_deref(), Some("가온"));
        assert!(found[0].warnings[0].ends_with(": `notes`"), "{:?}", found[0].warnings);
    }

    #[test]
    fn every_cell_has_a_column_and_rows_of_another_width_are_named() {
        let found = found("id,text,결과,결과,\nP1,one,3 %,4 %,5,6\n\nP2,two\n", "t.csv");
        assert_eq!(names(&found), ["P1", "P2"]);
        let facts = "id: P1 | 결과: 3 % | 결과 2: 4 % | column 5: 5 | column 6: 6\n\none\n\n";
        assert_eq!(found[0].parts[0].markdown, facts);
        assert_eq!(found[0].warnings, ["the header has 5 cells; line 2 has 6, line 4 has 2"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_spoils_its_line_only() {
        let found = found("id,text\nP1,\"one, and\nmore\"\nP2,\"two\nP3,three\nP4,four \"\"4\"\"\n", "t.csv");
        assert_eq!(names(&found), ["P1", "P2", "P3", "P4"]);
        assert_eq!(found[0].parts[0].markdown, "id: P1\n\none, and\nmore\n\n");
        assert_eq!(found[1].parts[0].markdown, "id: P2\n\n\"two\n\n");
        assert_eq!(found[2].parts[0].markdown, "id: P3\n\nthree\n\n");
        assert!(found[0].warnings[0].starts_with("line 4: a quote is opened"), "{:?}", found[0].warnings);
    }

    #[test]
    fn lines_within_a_cell_do_not_break_its_row() {
        let fact = found("id,text,note\r\nP1,one,\"a\r\nb\"\r\nP2,two,c\r\n", "t.csv");
        assert_eq!(fact[0].parts[0].markdown, "id: P1 | note: a b\n\none\n\n");
        let row = found("cell,loss\r\nA1,\"a\r\nb\"\r\n", "t.csv");
        assert_eq!(row[0].parts[0].markdown, "| cell | loss |\n|---|---|\n| A1 | a b |\n\n");
        let line = found("{\"id\":\"1\",\"text\":\"a\",\"note\":\"b\\r\\nc\"}\n{\"text\":\"d\"}\n", "p.jsonl");
        assert_eq!(line[0].parts[0].markdown, "id: 1 | note: b c\n\na\n\n");
    }

    #[test]
    fn one_ragged_row_does_not_change_the_separator() {
        let known = found("id;title;text\n1;A;one\n2;B\n3;C;three, or more\n", "t.csv");
        assert_eq!(names(&known), ["1", "2", "3"]);
        let unknown = found("cell;loss\nA1;3,5\nA2\nA3;4,5\n", "t.csv");
        assert!(unknown[0].parts[0].markdown.starts_with("| cell | loss |\n|---|---|\n| A1 | 3,5 |\n"));
        assert_eq!(unknown[0].warnings, ["the header has 2 cells; line 3 has 1"]);
    }

    #[test]
    fn the_records_of_a_json_file_are_found_inside_an_object_and_beside_others() {
        let mapping = RecordMapping { id: Some("no".into()), strict: true, ..RecordMapping::default() };
        let wrapped = r#"{"count": 2, "data": [{"no": "1", "text": "a"}, null, {"no": "2", "text": "b"}]}"#;
        for mapping in [&mapping, &RecordMapping::default()] {
            let found = read(wrapped, "p.json", mapping).unwrap();
            assert_eq!(found.len(), 2);
            let warnings = ["left out, beside the records: `count`", "record 2: not an object"];
            assert_eq!(found[0].warnings, warnings);
        }
        let one = r#"{"text": "a report", "authors": [{"name": "A", "description": "b"}]}"#;
        assert_eq!(found(one, "p.json")[0].record, None, "a document with a list in it");
        for wrong in [one, "[1, 2]"] {
            let error = read(wrong, "p.json", &mapping).unwrap_err().to_string();
            assert!(error.contains("`no`"), "{wrong}: {error}");
        }
        assert_eq!(names(&read(r#"{"no": "7", "text": "a"}"#, "p.json", &mapping).unwrap()), ["7"]);
    }

    #[test]
    fn numbers_of_python_that_are_none_are_nulls() {
        let text = r#"{"id": "1", "text": "NaN is kept, so is \"Infinity", "loss": NaN, "gain": -Infinity, "runs": 3}"#;
        for (bytes, name) in [(format!("{text}\n{text}\n"), "p.jsonl"), (format!("[{text}]"), "p.json")] {
            let found = found(&bytes, name);
            assert_eq!(found[0].parts[0].markdown, "id: 1 | runs: 3\n\nNaN is kept, so is \"Infinity\n\n", "{name}");
        }
    }

    #[test]
    fn records_of_one_id_are_told_apart_and_a_line_number_is_no_id() {
        let lines = "{\"id\":\"P1\",\"text\":\"a\"}\n{\"id\":\"P1\",\"text\":\"b\"}\n{\"text\":\"c\"}\n{\"id\":3,\"text\":\"d\"}\n\
                     {\"id\":\"P1\",\"text\":\"a\"}\n{\"id\":\"P1~2\",\"text\":\"e\"}\n";
        let found = found(lines, "p.jsonl");
        assert_eq!(names(&found), ["P1", "P1~2", "line 3", "3", "P1", "P1~2~2"]);
        assert_eq!(found[1].metadata.external_id.as_deref(), Some("P1"));
        assert_eq!(found[0].warnings.len(), 2, "{:?}", found[0].warnings);
        let said = "line 2: the id `P1` is that of line 1, too; this record is called `P1~2`";
        assert_eq!(found[0].warnings[0], said);
    }
}
