//! Record files: JSONL, JSON, CSV and sheets whose rows are projects, papers or notices.
//!
//! A [`RecordMapping`] says which field means what; where it is silent, or its fields are not in the
//! file, common field names are recognised. A file without a text field is one document, not records.
//! What no place is found for is named in a warning.

mod documents;
mod fields;
mod json;
mod rows;

use serde_json::{Map, Value};

use super::{Input, body, damaged, document, one_line, spaced, text};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError, RecordMapping};
use documents::documents;
pub(super) use fields::sheets_have_columns;
use fields::{fields, has_columns, missing, names_columns};
use json::{listed_records, parse};
pub(super) use rows::delimiter;
use rows::{column_names, markdown, ragged, records, rows, separator};

/// Skipped lines reported one by one.
const WARNINGS: usize = 20;

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

/// The rows of tables as records, if their header names a title and a text; `None` if it does not.
pub(super) fn from_tables(
    tables: &[Vec<Vec<String>>],
    format: Format,
    mapping: &RecordMapping,
) -> Option<Vec<Extracted>> {
    let mut found = Vec::new();
    for table in tables {
        let rows: Vec<&[String]> = table.iter().map(Vec::as_slice).collect();
        let records = records(&column_names(&rows), (1..).zip(rows).skip(1));
        if let Some(fields) = fields(records.iter().map(|(_, r)| r), mapping) {
            found.extend(documents(records, &fields, format, "row", Vec::new()));
        }
    }
    (!found.is_empty()).then_some(found)
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

fn decode(input: &Input<'_>, format: &str) -> Result<String, ReadError> {
    let decoded = text::decode(input.bytes);
    decoded.map(|d| d.text).ok_or_else(|| damaged(format, "not text in UTF-8, UTF-16, CP949 or Windows-1252"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(bytes: &str, name: &str, mapping: &RecordMapping) -> Result<Vec<Extracted>, ReadError> {
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
    fn a_table_without_a_text_column_is_one_document() {
        let found = read("cell;loss\nA1;3 %\nA2;4 %\n", "t.csv", &RecordMapping::default()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].parts[0].markdown.starts_with("| cell | loss |\n|---|---|\n| A1 | 3 % |\n"));
    }

    /// Records without a mapping.
    pub(super) fn found(bytes: &str, name: &str) -> Vec<Extracted> {
        read(bytes, name, &RecordMapping::default()).unwrap()
    }

    pub(super) fn names(found: &[Extracted]) -> Vec<&str> {
        found.iter().map(|d| d.record.as_deref().unwrap_or("none")).collect()
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
}
