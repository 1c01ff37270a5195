//! An Excel workbook before its parser sees it: numbers as a person reads them, and which sheets and rows are hidden.
//!
//! The file stores `80.7 %` as 0.80700000000000005, a date as a count of days and a small number with an exponent; the
//! parser shows what is stored, except dates of some formats. Here such cells become text.
//! Source: ECMA-376 part 1, 18.8.30 (number formats; 27 to 36 and 50 to 58 are dates of Korean, Japanese and Chinese
//! workbooks).

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::package;
use crate::ingest::ReadError;

/// Significant digits of a number, as spreadsheet programs show at most.
const DIGITS: usize = 15;
/// Numbers are written with an exponent below and from here.
const SMALLEST: f64 = 1e-5;
const LARGEST: f64 = 1e21;
const DAY: i64 = 86_400;
/// A time of more days than this is a date whose format shows its hours only.
const LONGEST: i64 = 100;
/// Days from the first day of workbooks that count from 1900 to that of those that count from 1904.
const FROM_1904: i64 = 1462;
/// 1970-01-01 as a day of a workbook that counts from 1900.
const EPOCH: i64 = 25_569;
/// 9999-12-31.
const LAST_DAY: i64 = 2_958_465;

/// A sheet, in the order of the workbook.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) hidden: bool,
    /// The rows that the file holds, in order.
    pub(super) rows: Vec<Row>,
}

/// A row of a sheet.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// Its number, from 1: a file need not hold blank rows.
    pub(super) number: usize,
    /// Hidden by hand. What a filter or a closed group hides is the state of a view and counts as seen.
    pub(super) hidden: bool,
}

/// The package with its numbers as text, `None` when it can stay as it is; and its sheets.
pub(super) fn rewrite(bytes: &[u8]) -> Result<(Option<Vec<u8>>, Vec<Sheet>), ReadError> {
    let mut archive = package::open(bytes, "XLSX")?;
    let Some(workbook) = package::part(&mut archive, "xl/workbook.xml", "XLSX")? else { return Ok((None, Vec::new())) };
    let (found, from_1904) = sheets(&workbook);
    let relations = package::relations(&mut archive, "xl/workbook.xml", "XLSX")?;
    let styles = package::part(&mut archive, "xl/styles.xml", "XLSX")?.map(|xml| formats(&xml)).unwrap_or_default();
    let targets: Vec<Option<&str>> = found.iter().map(|(_, id)| relations.get(id).map(|r| r.target.as_str())).collect();
    let mut rows: HashMap<String, Vec<Row>> = HashMap::new();
    let wanted = |name: &str| targets.contains(&Some(name));
    let new = package::rewrite(bytes, "XLSX", wanted, |name, xml| {
        let (new, of_sheet) = rewritten(xml, &styles, from_1904)?;
        rows.insert(name.to_owned(), of_sheet);
        Some(new)
    })?;
    let mut sheets = Vec::with_capacity(targets.len());
    for ((sheet, _), target) in found.into_iter().zip(&targets) {
        let rows = target.and_then(|target| rows.remove(target)).unwrap_or_default();
        sheets.push(Sheet { rows, ..sheet });
    }
    Ok((new, sheets))
}

/// The sheets of a workbook with their relationship ids, and whether its days count from 1904.
fn sheets(workbook: &str) -> (Vec<(Sheet, String)>, bool) {
    let (mut sheets, mut from_1904) = (Vec::new(), false);
    // Where it is not well-formed the parser refuses the file.
    let _ = package::events(workbook, |event| {
        if let Event::Start(e) | Event::Empty(e) = &event {
            match e.name().as_ref() {
                "workbookPr" => from_1904 = package::is_on(e, "date1904"),
                "sheet" => {
                    let name = package::attribute(e, "name").unwrap_or_default();
                    let hidden = package::attribute(e, "state").is_some_and(|s| s != "visible");
                    if !name.is_empty() {
                        let sheet = Sheet { name, hidden, rows: Vec::new() };
                        sheets.push((sheet, package::attribute(e, "id").unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
    });
    (sheets, from_1904)
}

/// What a number format makes of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    Plain,
    Percent,
    Date,
    /// Hours, minutes and seconds without a day.
    Time,
}

/// The format of each cell style.
fn formats(styles: &str) -> Vec<Shown> {
    let mut own: HashMap<u32, Shown> = HashMap::new();
    let mut ids: Vec<u32> = Vec::new();
    let mut of_cells = false;
    let id = |e: &BytesStart<'_>| -> Option<u32> { package::attribute(e, "numFmtId").and_then(|v| v.parse().ok()) };
    let _ = package::events(styles, |event| match &event {
        Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
            "numFmt" => {
                if let (Some(id), Some(code)) = (id(e), package::attribute(e, "formatCode")) {
                    own.entry(id).or_insert_with(|| by_code(&code));
                }
            }
            "cellXfs" => of_cells = matches!(event, Event::Start(_)),
            "xf" if of_cells => ids.push(id(e).unwrap_or(0)),
            _ => {}
        },
        Event::End(e) if e.local_name().as_ref() == "cellXfs" => of_cells = false,
        _ => {}
    });
    ids.iter().map(|id| own.get(id).copied().unwrap_or_else(|| built_in(*id))).collect()
}

fn built_in(id: u32) -> Shown {
    match id {
        9 | 10 => Shown::Percent,
        14..=17 | 22 | 27..=31 | 34..=36 | 50..=58 => Shown::Date,
        18..=21 | 32 | 33 | 45..=47 => Shown::Time,
        _ => Shown::Plain,
    }
}

/// By the code of a format, its first section: `yyyy"년" m"월"` is a date, `0.0" mol/dm3"` a plain number with a unit.
fn by_code(code: &str) -> Shown {
    let mut letters = String::new();
    let mut bracketed: Option<String> = None;
    let mut quoted = false;
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        if let Some(mut inner) = bracketed.take() {
            if c != ']' {
                inner.push(c.to_ascii_lowercase());
                bracketed = Some(inner);
            } else if inner.chars().all(|c| "hms".contains(c)) {
                // `[h]` counts hours beyond a day; other brackets hold colours, conditions and languages.
                letters.push_str(&inner);
            }
            continue;
        }
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => bracketed = Some(String::new()),
            '\\' | '_' | '*' => {
                chars.next();
            }
            ';' => break,
            c => letters.push(c.to_ascii_lowercase()),
        }
    }
    let has = |any: &[char]| letters.contains(any);
    if has(&['%']) {
        Shown::Percent
    } else if has(&['y', 'd']) || (has(&['m']) && !has(&['h', 's'])) {
        Shown::Date
    } else if has(&['h', 's']) {
        Shown::Time
    } else {
        Shown::Plain
    }
}

/// A cell that holds a number.
struct Cell {
    /// Where it begins in the output.
    start: usize,
    reference: Option<String>,
    format: Shown,
    value: String,
    in_value: bool,
}

/// A sheet with its numbers as text, and its rows.
fn rewritten(xml: &str, formats: &[Shown], from_1904: bool) -> Option<(String, Vec<Row>)> {
    let mut out = String::with_capacity(xml.len());
    let mut rows: Vec<Row> = Vec::new();
    let mut filtered = false;
    let mut cell: Option<Cell> = None;
    package::events(xml, |event| {
        match &event {
            Event::Start(e) | Event::Empty(e) => match e.name().as_ref() {
                "sheetPr" if package::is_on(e, "filterMode") => filtered = true,
                // Filters of tables stand in parts of their own.
                "filterColumn" | "tablePart" => filtered = true,
                "row" if matches!(event, Event::Start(_)) => {
                    let grouped = package::attribute(e, "outlineLevel").is_some_and(|level| level != "0");
                    let next = || rows.last().map_or(1, |row| row.number.saturating_add(1));
                    let number = package::attribute(e, "r").and_then(|r| r.parse().ok()).unwrap_or_else(next);
                    rows.push(Row { number, hidden: package::is_on(e, "hidden") && !grouped });
                }
                "c" if matches!(event, Event::Start(_)) => cell = number_cell(e, formats, out.len()),
                "v" => {
                    if let Some(cell) = &mut cell {
                        cell.in_value = matches!(event, Event::Start(_));
                    }
                }
                _ => {}
            },
            Event::End(e) => match e.name().as_ref() {
                "v" => {
                    if let Some(cell) = &mut cell {
                        cell.in_value = false;
                    }
                }
                "c" => {
                    let whole = cell.take().and_then(|cell| Some((shown(&cell.value, cell.format, from_1904)?, cell)));
                    if let Some((text, cell)) = whole {
                        out.truncate(cell.start);
                        let place = cell.reference.map(|r| format!(" r=\"{}\"", package::escaped(&r)));
                        let place = place.unwrap_or_default();
                        out.push_str(&format!("<c{place} t=\"str\"><v>{text}</v></c>"));
                        return;
                    }
                }
                _ => {}
            },
            other => {
                if let Some(cell) = cell.as_mut().filter(|cell| cell.in_value) {
                    cell.value.push_str(&package::characters(other).unwrap_or_default());
                }
            }
        }
        package::echo(&event, &mut out);
    })
    .ok()?;
    if filtered {
        rows.iter_mut().for_each(|row| row.hidden = false);
    }
    Some((out, rows))
}

/// The opening of a cell, if what it holds is a number and no picture stands in its place.
fn number_cell(e: &BytesStart<'_>, formats: &[Shown], start: usize) -> Option<Cell> {
    let of = |name: &str| package::attribute(e, name);
    if of("t").is_some_and(|kind| kind != "n") || of("vm").is_some() {
        return None;
    }
    let style = of("s").and_then(|s| s.parse::<usize>().ok());
    let format = style.and_then(|s| formats.get(s)).copied().unwrap_or(Shown::Plain);
    Some(Cell { start, reference: of("r"), format, value: String::new(), in_value: false })
}

/// A stored number as its format shows it; `None` if it is no number.
fn shown(stored: &str, format: Shown, from_1904: bool) -> Option<String> {
    let value: f64 = stored.trim().parse().ok().filter(|v: &f64| v.is_finite())?;
    Some(match format {
        Shown::Plain => number(value),
        Shown::Percent => format!("{}%", number(value * 100.0)),
        Shown::Date | Shown::Time => moment(value, format == Shown::Time, from_1904).unwrap_or_else(|| number(value)),
    })
}

/// A number with 15 significant digits, without the traces of its binary form: 0.30000000000000004 reads 0.3.
pub(super) fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    let size = rounded.abs();
    if size == 0.0 {
        "0".into()
    } else if (SMALLEST..LARGEST).contains(&size) {
        format!("{rounded}")
    } else {
        format!("{rounded:E}")
    }
}

/// Days, and a share of a day, as date and time (ISO 8601), or as a time alone.
fn moment(value: f64, is_time: bool, from_1904: bool) -> Option<String> {
    let seconds = (value * DAY as f64).round();
    if !(0.0..=(LAST_DAY * DAY) as f64).contains(&seconds) {
        return None;
    }
    let (days, rest) = (seconds as i64 / DAY, seconds as i64 % DAY);
    let clock = |hours: i64| {
        let second = rest % 60;
        let second = if second == 0 { String::new() } else { format!(":{second:02}") };
        format!("{hours:02}:{:02}{second}", rest / 60 % 60)
    };
    if is_time && days < LONGEST {
        return Some(clock(days * 24 + rest / 3600));
    }
    if days == 0 {
        return (rest > 0).then(|| clock(rest / 3600));
    }
    let date = date(days + if from_1904 { FROM_1904 } else { 0 });
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(if rest == 0 { date } else { format!("{date}T{hour:02}:{minute:02}:{second:02}") })
}

/// A day counted from 1900 on. Day 60 is 29 February 1900, which never was: the days before it lie one later than those
/// after it say. Source of the calendar: H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn date(day: i64) -> String {
    let days = day - EPOCH + i64::from(day < 60) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_fifteen_digits_from_the_first_that_counts() {
        for (stored, read) in [
            ("2.5000000000000001E-2", "0.025"),
            ("90.599999999999994", "90.6"),
            ("0.30000000000000004", "0.3"),
            ("1.2000000000000001E-15", "1.2E-15"),
            ("-3.5", "-3.5"),
            ("1200000", "1200000"),
            ("6.02E+23", "6.02E23"),
            ("0", "0"),
        ] {
            assert_eq!(shown(stored, Shown::Plain, false).as_deref(), Some(read), "{stored}");
        }
        assert_eq!(shown("NaN", Shown::Plain, false), None);
        assert_eq!(shown("0.80700000000000005", Shown::Percent, false).as_deref(), Some("80.7%"));
    }

    #[test]
    fn days_are_dates_and_shares_of_days_are_times() {
        for (stored, format, read) in [
            ("1", Shown::Date, "1900-01-01"),
            ("59", Shown::Date, "1900-02-28"),
            ("61", Shown::Date, "1900-03-01"),
            ("45351", Shown::Date, "2024-02-29"),
            ("45658", Shown::Date, "2025-01-01"),
            ("44197.5", Shown::Date, "2021-01-01T12:00:00"),
            ("44197.999999", Shown::Date, "2021-01-02"),
            ("0.604166666666667", Shown::Time, "14:30"),
            ("0.604166666666667", Shown::Date, "14:30"),
            ("1.5", Shown::Time, "36:00"),
            ("-1", Shown::Date, "-1"),
        ] {
            assert_eq!(shown(stored, format, false).as_deref(), Some(read), "{stored}");
        }
        assert_eq!(shown("43830", Shown::Date, true).as_deref(), Some("2024-01-01"), "counted from 1904");
    }

    #[test]
    fn a_format_says_what_its_numbers_are_whatever_unit_it_adds() {
        for (code, format) in [
            ("General", Shown::Plain),
            ("#,##0.00_);[Red]\\(#,##0.00\\)", Shown::Plain),
            ("0.0\" mol/dm3\"", Shown::Plain),
            ("0.00E+00", Shown::Plain),
            ("0.0%", Shown::Percent),
            ("yyyy\"년\" m\"월\" d\"일\"", Shown::Date),
            ("[$-412]mmm;@", Shown::Date),
            ("h:mm AM/PM", Shown::Time),
            ("[h]:mm", Shown::Time),
            ("mm:ss.0", Shown::Time),
        ] {
            assert_eq!(by_code(code), format, "{code}");
        }
        let styles = "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"0.0&quot; d&quot;\"/></numFmts>\
            <cellStyleXfs><xf numFmtId=\"9\"/></cellStyleXfs>\
            <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"31\"><alignment/></xf><xf numFmtId=\"164\"/></cellXfs></styleSheet>";
        assert_eq!(formats(styles), [Shown::Plain, Shown::Date, Shown::Plain]);
    }

    #[test]
    fn cells_with_numbers_become_text_where_they_stand() {
        let xml = "<sheetData><row r=\"1\"><c r=\"A1\" s=\"1\"><f>B1/2</f><v>0.80700000000000005</v></c>\
            <c r=\"B1\" t=\"s\"><v>3</v></c><c r=\"C1\" s=\"1\"/></row></sheetData>";
        let expected = "<sheetData><row r=\"1\"><c r=\"A1\" t=\"str\"><v>80.7%</v></c>\
            <c r=\"B1\" t=\"s\"><v>3</v></c><c r=\"C1\" s=\"1\"/></row></sheetData>";
        let (new, rows) = rewritten(xml, &[Shown::Plain, Shown::Percent], false).unwrap();
        assert_eq!((new.as_str(), rows), (expected, vec![Row { number: 1, hidden: false }]));
    }

    #[test]
    fn rows_have_the_numbers_of_the_sheet() {
        let xml = "<s><row r=\"2\"><c/></row><row><c/></row><row r=\"7\"><c/></row></s>";
        let (_, rows) = rewritten(xml, &[], false).unwrap();
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3, 7]);
    }

    #[test]
    fn rows_hidden_by_hand_are_told_from_those_of_a_filter_or_a_closed_group() {
        let rows =
            "<row hidden=\"1\"><c><v>1</v></c></row><row hidden=\"1\" outlineLevel=\"1\"><c/></row><row><c/></row>";
        let hidden = |after: &str| -> Vec<bool> {
            let (_, rows) = rewritten(&format!("<s>{rows}{after}</s>"), &[], false).unwrap();
            rows.iter().map(|row| row.hidden).collect()
        };
        assert_eq!(hidden(""), [true, false, false]);
        assert_eq!(hidden("<autoFilter ref=\"A1:B9\"/>"), [true, false, false], "it filters nothing");
        assert_eq!(hidden("<autoFilter ref=\"A1:B9\"><filterColumn colId=\"0\"/></autoFilter>"), [false; 3]);
    }
}
