//! Rows of Markdown tables: which are headers, and how a row is read out with the names of its columns.
//!
//! A table of two columns whose first is the names of fields (`| 주관기관 | … |`) has no header: its first row is one like the others.

use super::fields;
use crate::document::Language;

/// The line under a table's header, wherever it stands: `| - | - |` may as well be a row whose cells hold nothing, and is none.
pub fn is_rule(line: &str) -> bool {
    let holds_nothing = || line.contains(' ') && cells(line).all(|cell| matches!(cell, "-" | ""));
    may_be_rule(line) && !holds_nothing()
}

/// The same right below a row that may be a header: `| - | - |` is one there.
pub fn may_be_rule(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// True for a row, a rule among them.
pub fn is_row(line: &str) -> bool {
    line.trim_start().starts_with('|')
}

/// True for the row at byte `at` of `text` where it names columns: a rule stands right below, be it one only there where no row
/// stands above.
pub fn is_header(text: &str, at: usize) -> bool {
    let begin = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let mut lines = text[begin..].lines();
    let (row, below) = (lines.next().unwrap_or_default(), lines.next());
    let is_first = !text[..begin].lines().next_back().is_some_and(is_row);
    pairs(row).is_none() && below.is_some_and(|line| is_rule(line) || is_first && may_be_rule(line))
}

/// The header row of the table that holds byte `at` of `text`: its first, where a rule stands right below. `None` outside of
/// tables, in a table without one, and where the first row names a field and its value.
pub fn header_of(text: &str, at: usize) -> Option<&str> {
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    let above = text[..end].rsplit('\n').map(str::trim).take_while(|line| is_row(line));
    let (below, first) = above.fold((None, None), |(_, last), line| (last, Some(line)));
    first.filter(|header| below.is_some_and(may_be_rule) && pairs(header).is_none())
}

/// The header of the table that a piece of `text` beginning at byte `at` is cut off from; `None` where it begins elsewhere.
pub fn header_before(text: &str, at: usize) -> Option<&str> {
    let first = text[at..].trim_start().lines().next()?;
    let header = header_of(text, at).filter(|_| is_row(first) && !is_rule(first))?;
    (header.trim() != first.trim()).then_some(header)
}

/// The cells of a row as they are written, trimmed; an escaped bar (`a \| b`) separates none.
pub fn cells(row: &str) -> impl Iterator<Item = &str> {
    let row = row.trim();
    let open = row.strip_prefix('|').unwrap_or(row);
    let inner = open.strip_suffix('|').filter(|inner| !inner.ends_with('\\')).unwrap_or(open);
    let mut before = ' ';
    let separates = move |c: char| {
        let is_escaped = std::mem::replace(&mut before, c) == '\\';
        c == '|' && !is_escaped
    };
    inner.split(separates).map(str::trim)
}

/// Names and values of a row that says `| name | value | name | value |`, the names being those of known fields.
pub fn pairs(row: &str) -> Option<Vec<(&str, &str)>> {
    let cells: Vec<&str> = cells(row).collect();
    let names = cells.iter().step_by(2).all(|name| fields::field(name).is_some());
    let values = cells.iter().skip(1).step_by(2).all(|value| fields::field(value).is_none());
    (cells.len() >= 2 && cells.len().is_multiple_of(2) && names && values)
        .then(|| cells.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// A row as a reader sees it: `column: cell; column: cell`, names of known fields in the reader's language, bars without their escape.
pub fn read(row: &str, header: Option<&str>, language: Language) -> String {
    if let Some(pairs) = pairs(row) {
        let read = pairs.into_iter().map(|(name, value)| format!("{}: {value}", fields::shown(name, language)));
        return read.collect::<Vec<_>>().join("; ").replace("\\|", "|");
    }
    let names: Vec<&str> = header.map(|h| cells(h).collect()).unwrap_or_default();
    let read = cells(row).enumerate().filter(|(_, cell)| !cell.is_empty());
    let read = read.map(|(i, cell)| match names.get(i).filter(|name| !name.is_empty() && **name != cell) {
        Some(name) => format!("{name}: {cell}"),
        None => cell.to_owned(),
    });
    read.collect::<Vec<_>>().join("; ").replace("\\|", "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "Text.\n| Cell | Loss |\n|---|---|\n| A1 | 3 % |\n| A2 |  |\n\n| B1 | 4 |\n";

    #[test]
    fn a_header_has_a_rule_below_and_a_row_of_nothing_makes_none_of_the_row_above() {
        let is = |text: &str, row: &str| is_header(text, text.find(row).unwrap());
        assert!(is(TABLE, "| Cell") && !is(TABLE, "| A1") && !is(TABLE, "Text"));
        let spaced = "| Cell | Loss |\n| - | - |\n| A1 | 3 |\n| - | - |\n| A2 | 4 |\n";
        assert!(is(spaced, "| Cell") && !is(spaced, "| A1") && !is(spaced, "| A2"));
        assert!(!is("| 주관기관 | 가온 |\n|---|---|\n", "| 주관기관"), "a field and its value");
    }

    #[test]
    fn a_row_is_read_with_the_names_of_its_columns() {
        let header = |row: &str| header_of(TABLE, TABLE.find(row).unwrap());
        assert_eq!(read("| A1 | 3 % |", header("| A1"), Language::En), "Cell: A1; Loss: 3 %");
        assert_eq!(read("| A2 |  |", header("| A2"), Language::En), "Cell: A2");
        assert_eq!((header("| B1"), header("Text")), (None, None));
        assert_eq!(read("| B1 | 4 |", None, Language::En), "B1; 4");
    }

    #[test]
    fn a_form_of_names_and_values_is_no_table_with_a_header() {
        let form = "| 과제명 | 세라믹막 |\n|---|---|\n| 주관기관 | 한빛 |\n| 기간 | 2021-03 | 예산 | 3억 원 |\n";
        assert_eq!(header_of(form, form.find("| 주관").unwrap()), None);
        assert_eq!(read("| 주관기관 | 한빛 |", None, Language::En), "institution: 한빛");
        assert_eq!(read("| 기간 | 2021-03 | 예산 | 3억 원 |", None, Language::Ko), "기간: 2021-03; 예산: 3억 원");
        assert_eq!(pairs("| institution | budget |"), None);
    }

    #[test]
    fn an_empty_cell_and_an_escaped_bar_keep_their_column() {
        let header = Some("| A | B |");
        assert_eq!(read("||80|", header, Language::En), "B: 80");
        assert_eq!(read("|80||", header, Language::En), "A: 80");
        assert_eq!(cells(r"| a \| b | c \| |").collect::<Vec<_>>(), [r"a \| b", r"c \|"]);
        assert_eq!(cells(r"| a | b \|").collect::<Vec<_>>(), ["a", r"b \|"]);
        assert_eq!(read(r"| a \| b | c |", header, Language::En), "A: a | b; B: c");
    }

    #[test]
    fn only_the_line_below_the_first_row_is_a_rule() {
        let table = "| Cell | Loss |\n|---|---|\n| A1 | 3 |\n| - | - |\n| A2 | 4 |\n";
        assert_eq!(header_of(table, table.find("| A2").unwrap()), Some("| Cell | Loss |"));
        assert!(!is_rule("| - | - |") && is_rule("|-|-|") && is_rule("| --- | :-: |"));
        let short = "| Cell | Loss |\n| - | - |\n| A1 | 3 |\n";
        assert_eq!(header_of(short, short.find("| A1").unwrap()), Some("| Cell | Loss |"));
        assert_eq!(header_of(short, 0), None);
        let bare = "| A1 | 3 |\n| A2 | 4 |\n| - | - |\n| A3 | 5 |\n";
        assert_eq!(header_of(bare, bare.find("| A3").unwrap()), None);
    }
}
