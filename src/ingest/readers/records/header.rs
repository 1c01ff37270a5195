//! What stands above the names of a table's columns: a title, a date, a unit (`(단위: 백만원)`).
//!
//! In: the first rows of a table. Out: how many of them stand above the names; what these say the amounts below are counted in, for
//! the names of the columns, and what they say besides, for a warning.

use std::collections::HashSet;

use super::fields::{is_amount, is_known};
use super::one_line;
use crate::ingest::RecordMapping;
use crate::text::{is_hangul, letters, may_be_year, money};

/// Most rows above the names of columns.
pub(super) const ABOVE: usize = 6;
/// Rows looked at to tell how many cells a row has.
const LOOKED_AT: usize = 20;
/// What a unit is called, as [`letters`] writes it.
const UNIT: [&str; 3] = ["단위", "unit", "units"];

/// How many rows of a table, given by its cells, stand above the names of its columns: those before a row of names that have one
/// filled cell at most, a unit beside it not counted. A header of one name, which may stand above rows of more cells, is none of them.
pub(in crate::ingest::readers) fn rows_above<'c, Cells: Iterator<Item = &'c str>>(
    rows: impl Iterator<Item = Cells>,
    mapping: &RecordMapping,
) -> usize {
    let filled = |cells: Cells| cells.filter(|cell| !cell.is_empty()).collect::<Vec<&str>>();
    let filled: Vec<Vec<&str>> = rows.take(LOOKED_AT).map(filled).collect();
    let is_above = |row: &&Vec<&str>| row.iter().filter(|cell| unit_line(cell).is_none()).count() <= 1;
    let above = filled.iter().take(ABOVE).take_while(is_above).count();
    let Some(names) = filled.get(above).filter(|names| above > 0 && names.len() >= 2) else { return 0 };
    let widest = filled.iter().map(Vec::len).max().unwrap_or(0);
    let distinct: HashSet<&str> = names.iter().copied().collect();
    let are_names =
        names.len() * 2 > widest && distinct.len() == names.len() && !names.iter().any(|name| is_figure(name));
    let known = |row: &[&str]| row.iter().filter(|name| is_known(name, mapping)).count();
    if are_names && filled[..above].iter().all(|row| known(row) <= known(names)) { above } else { 0 }
}

/// A number, with a unit perhaps that is no word; a year may name a column.
fn is_figure(cell: &str) -> bool {
    !may_be_year(cell) && cell.contains(|c: char| c.is_ascii_digit()) && !cell.contains(char::is_alphabetic)
}

/// Name and value of a cell that says in what a table counts: `(단위: 백만원, 명)`, `[Unit: million KRW]`, `(천원)`.
pub(super) fn unit_line(cell: &str) -> Option<(&str, &str)> {
    let inside = cell.trim_matches([' ', '(', ')', '[', ']', '（', '）', '<', '>', '※', '*']);
    if let Some((name, unit)) = inside.split_once([':', '：']) {
        let (name, unit) = (name.trim(), unit.trim());
        return (UNIT.contains(&letters(name).as_str()) && !unit.is_empty()).then_some((name, unit));
    }
    let name = if inside.contains(is_hangul) { UNIT[0] } else { UNIT[1] };
    (inside.len() < cell.len() && of_money(inside) == Some(inside)).then_some((name, inside))
}

/// The part of a unit that counts money: `백만원` of `백만원, 명`.
fn of_money(unit: &str) -> Option<&str> {
    let counts = |part: &&str| money::in_column(&format!("x ({part})"), "1").is_some_and(|m| m.currency.is_some());
    std::iter::once(unit).chain(unit.split([',', '，', '/', '·', ';', '、'])).map(str::trim).find(counts)
}

/// The names of columns, those of amounts of money that have no unit of their own with this one.
pub(super) fn in_unit(columns: &[String], unit: &str, mapping: &RecordMapping) -> Vec<String> {
    let unit = of_money(unit);
    let named = |name: &String| {
        let counted = unit.map(|unit| format!("{name} ({unit})"));
        let takes_it = |counted: &String| {
            is_amount(name, mapping) && money::bare(name) == name.as_str() && !columns.contains(counted)
        };
        counted.filter(takes_it).unwrap_or_else(|| name.clone())
    };
    columns.iter().map(named).collect()
}

/// What stands above the names of the columns besides their unit, which the records have.
pub(super) fn left_above(above: &[&str]) -> Option<String> {
    let unit = above.iter().position(|line| unit_line(line).is_some());
    let left = above.iter().enumerate().filter(|(i, _)| Some(*i) != unit).map(|(_, line)| *line);
    let left: Vec<&str> = left.collect();
    let said = || format!("above the names of the columns and in no record: {}", one_line(&left.join(" / ")));
    (!left.is_empty()).then(said)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, names, read};
    use super::*;

    #[test]
    fn a_title_and_a_unit_above_the_names_of_the_columns_are_no_header() {
        let rows = "2024년 과제 현황,,,\n,,,\"(단위: 백만원, 명)\"\n과제번호,과제명,내용,연구비\nP1,양극재,본문,870\n\
                    P2,분리막,본문,1억 원\n,음극재,본문,\n";
        let found = found(rows, "t.csv");
        assert_eq!(names(&found), ["P1", "P2", "line 6"]);
        let budgets: Vec<Option<f64>> = found.iter().map(|d| d.metadata.budget).collect();
        assert_eq!(budgets, [Some(8.7e8), Some(1e8), None]);
        let fields = &found[0].metadata.fields;
        assert_eq!((fields["연구비 (백만원)"].as_str(), fields["단위"].as_str()), ("870", "백만원, 명"));
        assert_eq!(found[0].warnings, ["above the names of the columns and in no record: 2024년 과제 현황"]);
    }

    #[test]
    fn a_mapped_column_is_found_by_its_name_without_the_unit_from_above() {
        let mapping = RecordMapping { budget: Some("지원 규모".into()), strict: true, ..RecordMapping::default() };
        let rows = "(unit: million USD),,\nid,text,지원 규모\nP1,one,2\nP2,two,3\n";
        let found = read(rows, "t.csv", &mapping).unwrap();
        assert_eq!(found.iter().map(|d| d.metadata.budget).collect::<Vec<_>>(), [Some(2e6), Some(3e6)]);
    }

    #[test]
    fn a_table_that_is_no_records_has_its_title_above_it() {
        let found = found("측정 결과\n셀;2023;2024\nA1;3 %;4 %\nA2;4 %;\n", "t.csv");
        assert!(
            found[0].parts[0]
                .markdown
                .starts_with("측정 결과\n\n| 셀 | 2023 | 2024 |\n|---|---|---|\n| A1 | 3 % | 4 % |\n"),
            "{}",
            found[0].parts[0].markdown
        );
        assert!(found[0].warnings.is_empty(), "{:?}", found[0].warnings);
    }

    #[test]
    fn rows_stand_above_the_names_only_where_names_follow() {
        let mapping = RecordMapping::default();
        let above = |rows: &[&[&str]]| rows_above(rows.iter().map(|row| row.iter().copied()), &mapping);
        assert_eq!(above(&[&["Projects"], &["2024-12-31", "(unit: EUR)"], &[], &["id", "text", "sum"]]), 3);
        let none: [&[&[&str]]; 6] = [
            &[&["id", "text"], &["1", "a"]],
            &[&["text"], &["A", "B"], &["C", "D"]],
            &[&["Results"], &["A1", "3 %"], &["A2", "4 %"]],
            &[&["Results"], &["a", "a"], &["b", "c"]],
            &[&["Results"], &["a", "b"], &["1", "2", "3", "4"]],
            &[&["a"], &["b"]],
        ];
        for rows in none {
            assert_eq!(above(rows), 0, "{rows:?}");
        }
    }

    #[test]
    fn a_unit_says_its_name_and_which_part_of_it_is_money() {
        for (cell, line, of) in [
            ("(단위: 백만원, 명)", Some(("단위", "백만원, 명")), Some("백만원")),
            ("[ 단위 : 천원 ]", Some(("단위", "천원")), Some("천원")),
            ("※ Unit: thousand USD, %", Some(("Unit", "thousand USD, %")), Some("thousand USD")),
            ("(단위: 명)", Some(("단위", "명")), None),
            ("(백만원)", Some(("단위", "백만원")), Some("백만원")),
            ("(in thousands of USD)", Some(("unit", "in thousands of USD")), Some("in thousands of USD")),
            ("(2024년 12월 31일)", None, None),
            ("기준: 백만원", None, None),
            ("백만원", None, None),
        ] {
            assert_eq!(unit_line(cell), line, "{cell}");
            assert_eq!(line.and_then(|(_, unit)| of_money(unit)), of, "{cell}");
        }
    }
}
