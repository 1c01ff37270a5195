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
const COLON: [char; 2] = [':', '：'];
const OPEN: [char; 3] = ['(', '[', '（'];

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
    if let Some((name, unit)) = inside.split_once(COLON) {
        let (name, unit) = (name.trim(), unit.trim());
        return (UNIT.contains(&letters(name).as_str()) && !unit.is_empty()).then_some((name, unit));
    }
    let name = if inside.contains(is_hangul) { UNIT[0] } else { UNIT[1] };
    let is_whole = inside.len() < cell.len() && !inside.contains(OPEN);
    (is_whole && of_money(inside) == Some(inside)).then_some((name, inside))
}

/// What stands above the names of a table's columns says that the amounts below are counted in this.
pub(super) struct Counted<'a> {
    /// Which of the texts above says so.
    at: usize,
    /// What that says besides.
    title: &'a str,
    /// What it calls the unit.
    pub(super) name: &'a str,
    /// The unit.
    pub(super) unit: &'a str,
}

/// The unit that one of the texts above a table is, else the one at the end of one.
pub(super) fn counted<'a>(above: &[&'a str]) -> Option<Counted<'a>> {
    let is_unit = |(at, &text): (usize, &&'a str)| {
        let (name, unit) = unit_line(text)?;
        Some(Counted { at, title: "", name, unit })
    };
    let ends_in_one = |(at, &text): (usize, &&'a str)| {
        let (title, (name, unit)) = title_and_unit(text)?;
        Some(Counted { at, title, name, unit })
    };
    let texts = || above.iter().enumerate();
    texts().find_map(is_unit).or_else(|| texts().find_map(ends_in_one))
}

/// A title and the unit at its end: `2024년 예산 현황 (단위: 백만원)`, `Awards [Unit: million USD]`, `예산 현황, 단위: 천원`. Without a
/// bracket of its own it has to be one of money; figures in a bracket that does not say `unit` are an amount.
fn title_and_unit(text: &str) -> Option<(&str, (&str, &str))> {
    let text = text.trim_end();
    let bracket = text.rfind(OPEN).filter(|_| text.ends_with([')', ']', '）']));
    let is_amount = |inside: &str| !inside.contains(COLON) && inside.contains(|c: char| c.is_ascii_digit());
    if let Some(at) = bracket.filter(|at| !is_amount(&text[*at..]))
        && let Some(stated) = unit_line(&text[at..])
    {
        return Some((text[..at].trim_end(), stated));
    }
    let (before, unit) = text.rsplit_once(COLON)?;
    let unit = unit.trim_matches([' ', ')', ']', '）']);
    let before = before.trim_end();
    let at = before.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| before.ceil_char_boundary(at + 1));
    let is_unit = UNIT.contains(&letters(&before[at..]).as_str()) && of_money(unit).is_some();
    let title = before[..at].trim_end_matches([' ', ',', '/', '(', '[', '（', '·', '-']);
    is_unit.then_some((title, (&before[at..], unit)))
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
    let counted = counted(above);
    let texts = above.iter().enumerate();
    let besides = texts.map(|(at, text)| counted.as_ref().filter(|c| c.at == at).map_or(*text, |c| c.title));
    let left: Vec<&str> = besides.filter(|text| !text.is_empty()).collect();
    let said = || format!("above the names of the columns and in no record: {}", one_line(&left.join(" / ")));
    (!left.is_empty()).then(said)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, names, read};
    use super::super::{Table, from_tables};
    use super::*;
    use crate::document::Format;

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
            ("과제 목록(백만원)", None, None),
        ] {
            assert_eq!(unit_line(cell), line, "{cell}");
            assert_eq!(line.and_then(|(_, unit)| of_money(unit)), of, "{cell}");
        }
    }

    #[test]
    fn a_unit_at_the_end_of_a_title_is_one() {
        let budgets = |title: &str| -> Vec<Option<f64>> {
            let rows = format!("\"{title}\",,\n과제번호,내용,예산\nP1,막,310\nP2,펌프,\"1,200\"\n");
            found(&rows, "t.csv").into_iter().map(|d| d.metadata.budget).collect()
        };
        for (title, budget) in [
            ("2023년 지원 과제 목록 (단위: 백만원)", 3.1e8),
            ("2023년 지원 과제 목록(백만원)", 3.1e8),
            ("지원 과제 목록 (2023년, 단위: 천원)", 3.1e5),
            ("지원 과제 목록, 단위: 천원", 3.1e5),
            ("Funded projects [Unit: million KRW]", 3.1e8),
            ("2023년 지원 과제 목록 (총 1,510 백만원)", 310.0),
            ("2023년 지원 과제 목록 (단위: 건)", 310.0),
        ] {
            assert_eq!(budgets(title)[0], Some(budget), "{title}");
        }
        let above = ["지원 과제 (단위: 백만원)", "2023년 12월"];
        assert_eq!(
            left_above(&above).as_deref(),
            Some("above the names of the columns and in no record: 지원 과제 / 2023년 12월")
        );
        assert_eq!(counted(&["지원 과제 (단위: 건)", "(단위: 천원)"]).map(|c| c.unit), Some("천원"));
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let sheet = Table {
            above: vec!["Funded projects (thousand USD)".to_owned()],
            names: row(["id", "text", "budget"]),
            rows: vec![(3, row(["P1", "a membrane", "310"])), (4, row(["P2", "a pump", "1200"]))],
        };
        let found = from_tables(&[sheet], Format::Xlsx, &RecordMapping::default()).unwrap();
        assert_eq!(found.iter().map(|d| d.metadata.budget).collect::<Vec<_>>(), [Some(3.1e5), Some(1.2e6)]);
    }
}
