//! Excel workbooks, new and old, through undoc: sheets whose rows are records, and all others as a document of sheets.
//!
//! New ones are rewritten first (`xlsx`). What is merged is repeated in each of its rows, and a merged head in each of its
//! columns, so that a row can be read alone; a head of several rows is joined. A title and a unit above the heads are no rows.

use std::collections::BTreeSet;
use std::ops::Range;

use undoc::model::{Block, Cell, Row, Table};

use super::{Input, document, office, records, xlsx};
use crate::document::Format;
use crate::ingest::{Extracted, Part, ReadError, RecordMapping};

/// A merged text longer than this, in characters, stands once in a sheet that is a document. Records have it in every row.
const REPEATED: usize = 80;
/// Most rows that the heads of columns take; a cell merged over more is no head.
const HEADS: usize = 4;
/// Places of one sheet that merged cells may fill besides their own.
const FILLED: usize = 100_000;

/// A workbook: records if the columns of the mapping are there, else a document with its sheets.
pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Vec<Extracted>, ReadError> {
    let (rewritten, mut sheets) = if format == Format::Xlsx { xlsx::rewrite(input.bytes)? } else { (None, Vec::new()) };
    let mut parsed = undoc::parse_bytes(rewritten.as_deref().unwrap_or(input.bytes)).map_err(office::error)?;
    if sheets.len() != parsed.sections.len() {
        sheets.clear();
    }
    let mut warnings = Vec::new();
    let mut found = Vec::new();
    let mut columns = BTreeSet::new();
    // Whether each sheet belongs to the document: not if it is hidden or its rows are records.
    let mut ordinary = Vec::with_capacity(parsed.sections.len());
    for (i, section) in parsed.sections.iter_mut().enumerate() {
        let name = match sheets.get(i) {
            Some(sheet) => sheet.name.clone(),
            None => section.name.clone().unwrap_or_default(),
        };
        section.name = Some(name.clone()).filter(|n| !n.is_empty());
        if sheets.get(i).is_some_and(|sheet| sheet.hidden) {
            section.content.clear();
            ordinary.push(false);
            warnings.push(format!("the hidden sheet `{name}` was left out; show it and ingest the file again"));
            continue;
        }
        let held = sheets.get(i).map(|sheet| sheet.rows.as_slice()).unwrap_or_default();
        let (mut tables, mut hidden_rows, mut comments) = (Vec::new(), 0, 0);
        for mut block in std::mem::take(&mut section.content) {
            if let Block::Table(table) = &mut block {
                if format == Format::Xls {
                    round(table);
                }
                let grid = Grid::of(table, held, input.mapping);
                hidden_rows +=
                    held.iter().zip(&table.rows).filter(|(held, row)| held.hidden && !row.is_empty()).count();
                comments += table.rows.iter().flat_map(|row| &row.cells).filter(|c| is_commented(c)).count();
                let above = above(table, &grid);
                section.content.extend(above.iter().flat_map(|cell| cell.content.clone()).map(Block::Paragraph));
                tables.push(records::Table {
                    above: above.iter().map(|cell| value(cell).to_owned()).collect(),
                    names: names(table, &grid),
                    rows: rows(table, &grid, held),
                });
                if table.has_merged_cells() || hidden_rows > 0 || !grid.above.is_empty() {
                    *table = laid_out(table, &grid);
                }
            }
            section.content.push(block);
        }
        if hidden_rows > 0 {
            warnings.push(format!(
                "hidden rows of the sheet `{name}` were left out: {hidden_rows}; show them and ingest the file again"
            ));
        }
        let read = records::from_tables(&tables, format, input.mapping);
        ordinary.push(read.is_none());
        if let Some(read) = read {
            found.extend(read);
            section.content.clear();
            if comments > 0 {
                warnings.push(format!("comments on records of the sheet `{name}` were left out: {comments}"));
            }
        }
        columns.extend(tables.into_iter().flat_map(|table| table.names));
    }
    records::sheets_have_columns(columns, !found.is_empty(), input.mapping)?;
    let (title, parts) = office::parts(&parsed, format)?;
    // Sheets that are no records (an explanation, a summary) make a document beside them.
    let rest: Vec<Part> = parts.into_iter().zip(ordinary).filter_map(|(part, is)| is.then_some(part)).collect();
    if found.is_empty() || rest.iter().any(says_something) {
        found.push(document(input, format, title, rest)?);
    }
    found[0].warnings.append(&mut warnings);
    Ok(found)
}

/// More than the name of the sheet.
fn says_something(part: &Part) -> bool {
    part.markdown.lines().any(|l| !l.starts_with('#') && l.chars().any(char::is_alphanumeric))
}

/// The parser puts a cell's comment behind its value.
fn is_commented(cell: &Cell) -> bool {
    cell.content.iter().any(|paragraph| paragraph.runs.len() > 1)
}

/// What a cell holds, without the comment on it.
fn value(cell: &Cell) -> &str {
    cell.content.first().and_then(|paragraph| paragraph.runs.first()).map_or("", |run| run.text.trim())
}

/// Workbooks hold binary fractions; what a person typed as 90.6 reads 90.59999999999999.
fn round(table: &mut Table) {
    for cell in table.rows.iter_mut().flat_map(|row| &mut row.cells) {
        if let Some(run) = cell.content.first_mut().and_then(|paragraph| paragraph.runs.first_mut())
            && let Some(rounded) = rounded(&run.text)
        {
            run.text = rounded;
        }
    }
}

/// A cell that is one long figure and nothing else; `None` for any other.
fn rounded(text: &str) -> Option<String> {
    let is_figure = text.contains('.')
        && text.chars().filter(char::is_ascii_digit).count() > 10
        && text.trim_start_matches('-').chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_figure { text.parse::<f64>().ok().map(xlsx::number) } else { None }
}

/// Which cell stands at each place of a sheet.
struct Grid {
    /// For each row its places, a cell by its row and its place in that row. Hidden rows are empty.
    places: Vec<Vec<Option<(usize, usize)>>>,
    /// The rows above the heads of the columns: a title, a unit.
    above: Range<usize>,
    /// The rows with the heads of the columns.
    heads: Range<usize>,
}

impl Grid {
    fn of(table: &Table, held: &[xlsx::Row], mapping: &RecordMapping) -> Grid {
        let is_hidden = |row: usize| held.get(row).is_some_and(|row| row.hidden);
        let visible = (0..table.rows.len()).find(|row| !is_hidden(*row)).unwrap_or(0);
        let texts = table.rows.iter().enumerate().skip(visible).map(|(r, row)| {
            let cells: &[Cell] = if is_hidden(r) { &[] } else { &row.cells };
            cells.iter().map(value)
        });
        let first = visible + records::rows_above(texts, mapping);
        let first_cells = table.rows.get(first).map(|row| row.cells.as_slice()).unwrap_or_default();
        let deepest = first_cells.iter().map(|cell| cell.row_span as usize).max().unwrap_or(1);
        let fits = (1..=HEADS).contains(&deepest) && first + deepest <= table.rows.len();
        let heads = first..first + if fits { deepest } else { 1 };
        let width = table.column_count();
        let mut places = vec![Vec::new(); table.rows.len()];
        let mut filled = 0;
        for (r, columns) in table.cell_columns().into_iter().enumerate() {
            for (i, (at, cell)) in columns.into_iter().zip(&table.rows[r].cells).enumerate() {
                let across = (cell.col_span as usize).clamp(1, (width - at).max(1));
                // Over the whole width stands a title, which is no head.
                let across = if heads.contains(&r) && across < width { across } else { 1 };
                let down = (cell.row_span as usize).clamp(1, table.rows.len() - r);
                let (across, down) = if filled + across * down <= FILLED { (across, down) } else { (1, 1) };
                filled += across * down - 1;
                for row in &mut places[r..r + down] {
                    if row.len() < at + across {
                        row.resize(at + across, None);
                    }
                    row[at..at + across].fill(Some((r, i)));
                }
            }
        }
        for (_, row) in places.iter_mut().enumerate().filter(|(row, _)| is_hidden(*row)) {
            row.clear();
        }
        Grid { places, above: visible..first, heads }
    }
}

/// The cells above the heads of the columns that say something.
fn above<'t>(table: &'t Table, grid: &Grid) -> Vec<&'t Cell> {
    let seen = grid.above.clone().filter(|row| !grid.places[*row].is_empty());
    seen.flat_map(|row| &table.rows[row].cells).filter(|cell| !value(cell).is_empty()).collect()
}

/// The text at a place of a sheet.
fn text(table: &Table, place: Option<(usize, usize)>) -> &str {
    place.map_or("", |(row, i)| value(&table.rows[row].cells[i]))
}

/// The heads of the columns, each in one line.
fn names(table: &Table, grid: &Grid) -> Vec<String> {
    let levels = grid.places.get(grid.heads.clone()).unwrap_or_default();
    let width = levels.iter().map(Vec::len).max().unwrap_or(0);
    let head = |column: usize| {
        let places = levels.iter().filter_map(|row| row.get(column));
        let mut parts: Vec<&str> = places.map(|place| text(table, *place)).collect();
        parts.retain(|part| !part.is_empty());
        parts.dedup();
        parts.join(" ")
    };
    (0..width).map(head).collect()
}

/// The values of the rows below the heads, with the numbers of the rows in the sheet, as far as the file says them.
fn rows(table: &Table, grid: &Grid, held: &[xlsx::Row]) -> Vec<(usize, Vec<String>)> {
    let number = |row: usize| held.get(row).map_or(row + 1, |row| row.number);
    let values = |row: &Vec<Option<(usize, usize)>>| row.iter().map(|place| text(table, *place).to_owned()).collect();
    let below = grid.places.iter().enumerate().skip(grid.heads.end);
    below.map(|(r, row)| (number(r), values(row))).collect()
}

/// The table without merged cells, hidden rows and what stands above its heads.
fn laid_out(table: &Table, grid: &Grid) -> Table {
    let mut rows = Vec::new();
    let from_heads = grid.places.iter().enumerate().skip(grid.heads.start);
    for (r, places) in from_heads.filter(|(_, places)| !places.is_empty()) {
        let cell = |(column, place): (usize, &Option<(usize, usize)>)| match place {
            None => Cell::new(),
            Some((row, i)) => {
                let cell = &table.rows[*row].cells[*i];
                let repeated = *row < r || (column > 0 && places[column - 1] == *place);
                placed(cell, repeated)
            }
        };
        rows.push(Row { cells: places.iter().enumerate().map(cell).collect(), ..Row::new() });
    }
    Table { rows, ..Table::new() }
}

/// A cell in one place, or its value in a further one.
fn placed(cell: &Cell, repeated: bool) -> Cell {
    if repeated && value(cell).chars().count() > REPEATED {
        return Cell::new();
    }
    let mut cell = Cell { col_span: 1, row_span: 1, ..cell.clone() };
    if repeated {
        for paragraph in &mut cell.content {
            paragraph.runs.truncate(1);
            paragraph.images.clear();
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::super::package::made::{TYPES, relations, zipped};
    use super::*;

    /// A workbook of sheets: name, further attributes, and what is in its `worksheet`; with the comments on the first.
    fn workbook(sheets: &[(&str, &str, String)], comments: &str) -> Vec<u8> {
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let ids: Vec<(String, String)> =
            (1..=sheets.len()).map(|i| (format!("s{i}"), format!("worksheets/sheet{i}.xml"))).collect();
        let list: String = sheets
            .iter()
            .zip(&ids)
            .map(|((name, more, _), (id, _))| format!("<sheet name=\"{name}\" sheetId=\"1\" {more} r:id=\"{id}\"/>"))
            .collect();
        let related: Vec<(&str, &str, &str)> =
            ids.iter().map(|(id, target)| (id.as_str(), "worksheet", target.as_str())).collect();
        let paths: Vec<String> = ids.iter().map(|(_, target)| format!("xl/{target}")).collect();
        let mut files = vec![
            ("[Content_Types].xml", TYPES.to_owned()),
            ("_rels/.rels", relations(&[("r1", "officeDocument", "xl/workbook.xml")])),
            ("xl/workbook.xml", format!("<workbook xmlns=\"{main}\" xmlns:r=\"r\"><sheets>{list}</sheets></workbook>")),
            ("xl/_rels/workbook.xml.rels", relations(&related)),
            ("xl/worksheets/_rels/sheet1.xml.rels", relations(&[("c", "comments", "../comments1.xml")])),
            (
                "xl/comments1.xml",
                format!("<comments xmlns=\"{main}\"><commentList>{comments}</commentList></comments>"),
            ),
        ];
        for (path, (_, _, content)) in paths.iter().zip(sheets) {
            files.push((path.as_str(), format!("<worksheet xmlns=\"{main}\">{content}</worksheet>")));
        }
        zipped(&files)
    }

    /// Rows of texts; a blank one has no cell. Merged ranges follow.
    fn sheet(rows: &[&[&str]], merged: &[&str]) -> String {
        let row = |(r, cells): (usize, &&[&str])| {
            let cell = |(c, text): (usize, &&str)| {
                let place = format!("{}{}", char::from(b'A' + c as u8), r + 1);
                if text.is_empty() {
                    return String::new();
                }
                format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
            };
            let hidden = if cells.first() == Some(&"hidden") { " hidden=\"1\"" } else { "" };
            let cells: String = cells.iter().enumerate().map(cell).collect();
            format!("<row r=\"{}\"{hidden}>{cells}</row>", r + 1)
        };
        let rows: String = rows.iter().enumerate().map(row).collect();
        let merged: String = merged.iter().map(|range| format!("<mergeCell ref=\"{range}\"/>")).collect();
        format!("<sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells>")
    }

    fn read_all(bytes: &[u8]) -> Vec<Extracted> {
        let mapping = crate::ingest::RecordMapping::default();
        read(&Input { bytes, name: "a.xlsx", mapping: &mapping }, Format::Xlsx).unwrap()
    }

    fn field<'a>(record: &'a Extracted, name: &str) -> Option<&'a str> {
        record.metadata.fields.get(name).map(String::as_str)
    }

    #[test]
    fn sheets_that_are_no_records_make_a_document_beside_the_records() {
        let found = read_all(&workbook(
            &[
                ("과제", "", sheet(&[&["id", "title", "text"], &["P1", "양극재", "본문"]], &[])),
                ("설명", "", sheet(&[&["용어", "뜻"], &["SOC", "충전 상태"]], &[])),
            ],
            "",
        ));
        assert_eq!(found.iter().map(|d| d.record.as_deref()).collect::<Vec<_>>(), [Some("P1"), None]);
        assert_eq!(found[1].parts.len(), 1);
        assert_eq!((found[1].parts[0].number, found[1].parts[0].label.as_deref()), (2, Some("설명")));
        assert!(found[1].parts[0].markdown.contains("충전 상태"));
    }

    #[test]
    fn merged_cells_leave_every_value_in_its_column_and_stand_in_each_row() {
        let rows: &[&[&str]] = &[
            &["id", "기관명", "text", "연구비", ""],
            &["", "", "", "2021", "2022"],
            &["P1", "가온", "첫째", "10", "20"],
            &["P2", "", "둘째", "30", "40"],
        ];
        let merged = ["A1:A2", "B1:B2", "C1:C2", "D1:E1", "B3:B4"];
        let found = read_all(&workbook(&[("과제", "", sheet(rows, &merged))], ""));
        let read: Vec<_> = found
            .iter()
            .map(|d| {
                let year = |name: &str| field(d, name).unwrap_or_default();
                (d.record.as_deref(), d.metadata.institution.as_deref(), year("연구비 2021"), year("연구비 2022"))
            })
            .collect();
        assert_eq!(read, [(Some("P1"), Some("가온"), "10", "20"), (Some("P2"), Some("가온"), "30", "40")]);
    }

    #[test]
    fn a_title_and_a_unit_above_the_heads_are_no_records_and_rows_keep_their_numbers() {
        let rows: &[&[&str]] = &[
            &["2024년 과제 현황"],
            &["", "", "", "(단위: 천원)"],
            &["과제번호", "과제명", "내용", "연구비"],
            &["P1", "양극재", "본문", "870"],
            &["", "분리막", "본문"],
        ];
        // The file does not hold the blank rows 5 and 6.
        let content = sheet(rows, &["A1:C1"]).replace("5\"", "7\"");
        let found = read_all(&workbook(&[("과제", "", content)], ""));
        assert_eq!(found.iter().map(|d| d.record.as_deref()).collect::<Vec<_>>(), [Some("P1"), Some("row 7")]);
        assert_eq!(found[0].metadata.budget, Some(870_000.0));
        assert_eq!((field(&found[0], "연구비 (천원)"), field(&found[1], "단위")), (Some("870"), Some("천원")));
        assert_eq!(found[0].warnings, ["above the names of the columns and in no record: 2024년 과제 현황"]);
    }

    #[test]
    fn the_title_of_a_sheet_that_is_a_document_stands_above_its_table() {
        let rows: &[&[&str]] = &[&["전도도 측정"], &["전해질", "값"], &["LGPS", "12"]];
        let found = read_all(&workbook(&[("표", "", sheet(rows, &[]))], ""));
        let text = &found[0].parts[0].markdown;
        assert!(text.lines().any(|line| line.trim() == "전도도 측정"), "{text}");
        assert!(text.contains("| 전해질 | 값 |") && text.contains("| LGPS | 12 |"), "{text}");
    }

    #[test]
    fn a_sheet_that_is_a_document_repeats_what_is_merged_over_rows() {
        let rows: &[&[&str]] = &[&["전해질", "측정"], &["LGPS", "12"], &["", "11"]];
        let found = read_all(&workbook(&[("표", "", sheet(rows, &["A2:A3"]))], ""));
        assert!(found[0].parts[0].markdown.contains("| LGPS | 11 |"), "{}", found[0].parts[0].markdown);
    }

    #[test]
    fn numbers_read_as_they_were_typed() {
        let content = "<sheetData><row r=\"1\"><c r=\"A1\"><v>2.5000000000000001E-2</v></c><c r=\"B1\"><v>7</v></c></row></sheetData>";
        let found = read_all(&workbook(&[("표", "", content.into())], ""));
        assert!(found[0].parts[0].markdown.contains("| 0.025 | 7 |"), "{}", found[0].parts[0].markdown);
    }

    #[test]
    fn hidden_sheets_and_rows_are_left_out_and_the_report_says_so() {
        let rows: &[&[&str]] = &[&["시료", "값"], &["hidden", "초안"], &["A", "1"]];
        let found = read_all(&workbook(
            &[("계산", "state=\"hidden\"", sheet(&[&["비밀", "9"]], &[])), ("R&amp;D", "", sheet(rows, &[]))],
            "",
        ));
        assert_eq!(found[0].parts.len(), 1);
        let part = &found[0].parts[0];
        assert_eq!((part.number, part.label.as_deref()), (2, Some("R&D")));
        assert!(part.markdown.contains("| A | 1 |"), "{}", part.markdown);
        assert!(!part.markdown.contains("초안"), "{}", part.markdown);
        let said = &found[0].warnings;
        assert!(
            said[0].contains("hidden sheet `계산`") && said[1].contains("sheet `R&D` were left out: 1;"),
            "{said:?}"
        );
    }

    #[test]
    fn a_comment_is_no_part_of_a_field() {
        let rows: &[&[&str]] = &[&["id", "text"], &["P1", "본문"]];
        let comment = "<comment ref=\"A2\"><text><t>확인 필요</t></text></comment>";
        let found = read_all(&workbook(&[("과제", "", sheet(rows, &[]))], comment));
        assert_eq!(found[0].record.as_deref(), Some("P1"));
        let said = &found[0].warnings;
        assert!(said.iter().any(|line| line == "comments on records of the sheet `과제` were left out: 1"), "{said:?}");
    }

    #[test]
    fn figures_of_old_workbooks_lose_the_traces_of_their_binary_form_and_nothing_else() {
        assert_eq!(rounded("90.59999999999999").as_deref(), Some("90.6"));
        assert_eq!(rounded("0.0000000000000012").as_deref(), Some("1.2E-15"));
        assert_eq!(rounded("3.14159265358979").as_deref(), Some("3.14159265358979"));
        assert_eq!(rounded("D = 0.0000000000000012"), None);
        assert_eq!(rounded("12.5"), None);
        assert_eq!(rounded("2021.03.01.12.30.00"), None, "no figure");
    }
}
