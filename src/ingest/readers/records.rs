//! Record files: JSONL, JSON, CSV and sheets whose rows are projects, papers or notices.
//!
//! A [`RecordMapping`] says which field means what; where it is silent, or its fields are not in the
//! file, common field names are recognised. A file without a text field is one document, not records.
//! What no place is found for is named in a warning.

mod documents;
mod fields;
mod header;
mod json;
mod rows;

use serde_json::{Map, Value};

use super::{Input, body, damaged, document, one_line, text};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError, RecordMapping};
use crate::text::spaced;
use documents::documents;
pub(super) use fields::sheets_have_columns;
use fields::{Fields, fields, has_columns, missing, names_columns};
pub(super) use header::rows_above;
use header::{Counted, counted, in_unit, left_above};
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
                // The parser knows this line only.
                let what = what.replace(" at line 1 column ", ", column ");
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
    let above = rows_above(rows.iter().map(|row| row.cells.iter().map(String::as_str)), input.mapping);
    let (above, rows) = rows.split_at(above);
    let above = above.iter().flat_map(|row| &row.cells).map(String::as_str).filter(|cell| !cell.is_empty());
    let above: Vec<&str> = above.collect();
    warnings.extend(ragged(rows));
    let cells: Vec<&[String]> = rows.iter().map(|row| row.cells.as_slice()).collect();
    let columns = column_names(&cells);
    names_columns(columns.iter().cloned(), input.mapping)?;
    let below = rows.iter().skip(1).map(|row| (row.line, row.cells.as_slice()));
    if let Some((records, fields)) = of_table(columns, below, &above, input.mapping) {
        warnings.extend(left_above(&above));
        return Ok(documents(records, &fields, Format::Csv, "line", warnings));
    }
    let above: String = above.iter().map(|line| format!("{}\n\n", spaced(&line.replace('|', "/")))).collect();
    let whole = document(input, Format::Csv, None, body(above + &markdown(&cells)))?;
    Ok(vec![Extracted { warnings, ..whole }])
}

/// A table of a workbook.
pub(super) struct Table {
    /// What stands above the names of its columns, a text a cell.
    pub(super) above: Vec<String>,
    /// The names of its columns.
    pub(super) names: Vec<String>,
    /// The rows below them, each with its number in the sheet.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

/// The rows of tables as records, if their header names a text; `None` if it does not.
pub(super) fn from_tables(tables: &[Table], format: Format, mapping: &RecordMapping) -> Option<Vec<Extracted>> {
    let mut found = Vec::new();
    for table in tables {
        let below = table.rows.iter().map(|(number, cells)| (*number, cells.as_slice()));
        let cells = std::iter::once(table.names.as_slice()).chain(below.clone().map(|(_, cells)| cells));
        let columns = column_names(&cells.collect::<Vec<_>>());
        let above: Vec<&str> = table.above.iter().map(String::as_str).collect();
        if let Some((records, fields)) = of_table(columns, below, &above, mapping) {
            found.extend(documents(records, &fields, format, "row", left_above(&above).into_iter().collect()));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Rows as records, and what their fields mean; `None` where no column is their text. What stands above the names of the columns says
/// what the amounts are counted in: of each record, and behind the names of those that are sums.
fn of_table<'r>(
    columns: Vec<String>,
    rows: impl Iterator<Item = (usize, &'r [String])>,
    above: &[&str],
    mapping: &RecordMapping,
) -> Option<(Vec<(usize, Record)>, Fields)> {
    let counted = counted(above);
    let columns = match &counted {
        Some(counted) => in_unit(&columns, counted.unit, mapping),
        None => columns,
    };
    let mut records = records(&columns, rows);
    if let Some(Counted { name, unit, .. }) = counted {
        for (_, record) in &mut records {
            record.entry(name).or_insert_with(|| unit.into());
        }
    }
    let fields = fields(records.iter().map(|(_, record)| record), mapping)?;
    Some((records, fields))
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
