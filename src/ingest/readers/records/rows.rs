//! The rows of a CSV file and the columns of a table.
//!
//! In: text, or rows of cells. Out: which character separates cells, rows with their lines, the names of columns, records, or the
//! rows as a Markdown table.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::super::damaged;
use super::fields::is_known;
use super::header::ABOVE;
use super::{Record, WARNINGS};
use crate::ingest::{ReadError, RecordMapping};
use crate::text::{Numbered, spaced};

/// A data row is shown under its header again after this many rows.
const TABLE_ROWS: usize = 50;
/// Rows looked at to tell which character separates cells.
const SNIFF_ROWS: usize = 20;
/// What may separate cells.
const SEPARATORS: [u8; 4] = *b",\t;|";

/// A row of a file: where it begins (byte; line, from 1) and its cells.
pub(super) struct Row {
    start: usize,
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// The rows of a file. A quote that is opened and never closed would take the rest of the file into its cell: its line is read as it
/// stands, with a warning.
pub(super) fn rows(text: &str, separator: u8) -> Result<(Vec<Row>, Vec<String>), ReadError> {
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
pub(super) fn ragged(rows: &[Row]) -> Option<String> {
    let width = rows.first()?.cells.len();
    let mut odd = rows.iter().filter(|row| row.cells.len() != width);
    let named = odd.by_ref().take(WARNINGS).map(|row| format!("line {} has {}", row.line, row.cells.len()));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = odd.count();
    let more = if more > 0 { format!(" and {more} more differ") } else { String::new() };
    (!named.is_empty()).then(|| format!("the header has {width} cells; {named}{more}"))
}

/// The names of all columns of a table: those of its first row in one line, `column 4` where it has none, `결과 2` where it has one twice.
pub(super) fn column_names(rows: &[&[String]]) -> Vec<String> {
    let header: Vec<String> = rows.iter().take(1).copied().flatten().map(|name| spaced(name)).collect();
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let own: HashSet<&str> = header.iter().map(String::as_str).collect();
    let (mut taken, mut numbered) = (HashSet::new(), Numbered::default());
    let name = |i: usize| {
        let name = header.get(i).filter(|name| !name.is_empty()).cloned();
        let name = name.unwrap_or_else(|| format!("column {}", i + 1));
        numbered.free(&name, " ", |other| (other == name || !own.contains(other)) && taken.insert(other.to_owned()))
    };
    (0..width).map(name).collect()
}

/// Rows that say something as records of these columns.
pub(super) fn records<'r>(
    columns: &[String],
    rows: impl Iterator<Item = (usize, &'r [String])>,
) -> Vec<(usize, Record)> {
    let record = |row: &[String]| -> Record {
        let cells = columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.clone(), Value::String(cell.clone()))).collect()
    };
    rows.map(|(place, row)| (place, record(row))).filter(|(_, record)| !record.is_empty()).collect()
}

/// The character that separates cells: the one that occurs equally often, at least once, in the first
/// rows; `None` if none does, or if blanks after it show that it is punctuation.
pub(in crate::ingest::readers) fn delimiter(text: &str) -> Option<u8> {
    let width = |separator: u8| {
        let rows = first_rows(text, separator);
        let width = rows.first().map_or(1, csv::StringRecord::len);
        let is_even = rows.len() >= 2 && width >= 2 && rows.iter().all(|r| r.len() == width);
        (is_even && !is_prose(&rows)).then_some(width)
    };
    let widths = SEPARATORS.into_iter().filter_map(|s| Some((width(s)?, s)));
    widths.max_by_key(|(width, _)| *width).map(|(_, s)| s)
}

/// The same for a file that is known to hold rows, some of which may have a cell too many or too few: the character that splits a
/// header into names that are known, else [`delimiter`]'s, else the one that most rows agree on.
pub(super) fn separator(text: &str, mapping: &RecordMapping) -> u8 {
    let known = |separator: u8| {
        let rows = first_rows(text, separator);
        let known = |row: &csv::StringRecord| row.iter().filter(|name| is_known(name.trim(), mapping)).count();
        rows.iter().take(ABOVE + 1).map(known).max().unwrap_or(0)
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

/// Rows as a Markdown table, the header repeated now and then so that every piece of it can be read alone.
pub(super) fn markdown(rows: &[&[String]]) -> String {
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

#[cfg(test)]
mod tests {
    use super::super::tests::{found, names};
    use super::*;

    #[test]
    fn every_cell_has_a_column_and_rows_of_another_width_are_named() {
        let found = found("id,text,결과,결과,\nP1,one,3 %,4 %,5,6\n\nP2,two\n", "t.csv");
        assert_eq!(names(&found), ["P1", "P2"]);
        let facts = "id: P1 | 결과: 3 % | 결과 2: 4 % | column 5: 5 | column 6: 6\n\none\n\n";
        assert_eq!(found[0].parts[0].markdown, facts);
        assert_eq!(found[0].warnings, ["the header has 5 cells; line 2 has 6, line 4 has 2"]);
    }

    #[test]
    fn a_header_of_one_name_many_times_is_read_at_once() {
        let header = vec!["x".to_owned(); 20_000];
        assert_eq!(column_names(&[header.as_slice()]).last().map(String::as_str), Some("x 20000"));
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
    fn one_ragged_row_does_not_change_the_separator() {
        let known = found("id;title;text\n1;A;one\n2;B\n3;C;three, or more\n", "t.csv");
        assert_eq!(names(&known), ["1", "2", "3"]);
        let unknown = found("cell;loss\nA1;3,5\nA2\nA3;4,5\n", "t.csv");
        assert!(unknown[0].parts[0].markdown.starts_with("| cell | loss |\n|---|---|\n| A1 | 3,5 |\n"));
        assert_eq!(unknown[0].warnings, ["the header has 2 cells; line 3 has 1"]);
    }
}
