//! Cleans a reader's parts and lays them out as one document.
//!
//! Removed: headers and footers that repeat over pages, page numbers, tables of contents, pictures,
//! control characters, blank rows and columns of tables. Kept exactly: everything else; spans are computed on the text as it is stored.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::{Extracted, Override, institution, tables};
use crate::document::{Document, Language, Section, Span, Unit, UnitKind};
use crate::text::{fields, figures};

/// Lines at the top and bottom of a page among which headers and footers are looked for.
const EDGE_LINES: usize = 3;
/// A line is a header or footer if it stands on at least so many pages …
const REPEATED_PAGES: usize = 3;
/// … and so large a share of them.
const REPEATED_SHARE: f32 = 0.5;
/// … and no longer than this, in characters: a paragraph said twice is not a header.
const RUNNING_LENGTH: usize = 150;
/// Lines in a row that end in a page number make a table of contents.
const CONTENTS_RUN: usize = 4;
/// Characters in which the name of a field is looked for before its colon.
const FIELD_NAME: usize = 40;
/// A line of a form is no longer than this, in bytes.
const FORM_LINE: usize = 4000;

/// Cleans the parts and lays them out as one document. `source` is the path shown to readers.
pub fn assemble(extracted: Extracted, source: &str, stated: Option<&Override>) -> Document {
    let mut pages: Vec<Vec<String>> = extracted.parts.iter().map(|p| lines(&p.markdown)).collect();
    let paged = extracted.parts.first().is_some_and(|p| p.kind == UnitKind::Page);
    if paged {
        let whole = pages.clone();
        remove_running_lines(&mut pages);
        // A document that says the same on every page has no headers, only text.
        if pages.iter().flatten().all(|line| line.trim().is_empty()) {
            pages = whole;
        }
    }
    let mut in_contents = false;
    for page in &mut pages {
        in_contents = remove_contents(page, paged, in_contents);
        if paged {
            join_hyphens(page);
            split_form_lines(page);
            mark_headings(page);
        }
        tables::tidy(page);
        squeeze(page);
    }
    let mut text = String::new();
    let mut units = Vec::with_capacity(pages.len());
    for (part, page) in extracted.parts.iter().zip(&pages) {
        let start = text.len();
        for line in page {
            text.push_str(line);
            text.push('\n');
        }
        if !page.is_empty() {
            text.push('\n');
        }
        let span = Span { start, end: text.len() };
        units.push(Unit { kind: part.kind, number: part.number, label: part.label.clone(), span });
    }
    let sections = sections(&text, &units);
    let mut metadata = extracted.metadata;
    if let Some(stated) = stated {
        metadata.doc_type = stated.doc_type.clone().or(metadata.doc_type);
        metadata.institution = stated.institution.clone().or(metadata.institution);
        metadata.year = stated.year.or(metadata.year);
        metadata.access = stated.access.unwrap_or(metadata.access);
        metadata.fields.extend(stated.fields.clone());
    }
    if metadata.institution.is_none() && extracted.record.is_none() {
        metadata.institution = institution::stated(&text);
    }
    let first_heading = || sections.iter().find_map(|s| s.path.last().cloned());
    let stem = || Path::new(source).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let own = extracted.title.filter(|t| is_a_title(t));
    let title = own.or_else(first_heading).unwrap_or_else(stem);
    Document {
        id: extracted.sha256.chars().take(16).collect(),
        source: source.to_owned(),
        format: extracted.format,
        title: title.nfc().collect(),
        language: Language::detect(&text),
        metadata,
        text,
        units,
        sections,
    }
}

/// Producers write their own name or the file's path where the title belongs.
fn is_a_title(title: &str) -> bool {
    let lower = title.to_lowercase();
    let letters = title.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 3
        && !["untitled", "microsoft word", "microsoft powerpoint", "powerpoint presentation", "제목 없음"]
            .iter()
            .any(|n| lower.starts_with(n))
        && ![".doc", ".docx", ".hwp", ".indd", ".dvi", ".tex", ".ppt", ".pptx", ".qxd"]
            .iter()
            .any(|e| lower.ends_with(e))
}

/// Lines in NFC without control characters and pictures; form feeds end lines.
fn lines(markdown: &str) -> Vec<String> {
    static PICTURE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"!\[[^\]]*\]\([^)]*\)").expect("a constant pattern"));
    let text = markdown.replace("\r\n", "\n").replace(['\r', '\u{c}', '\u{b}', '\u{2028}', '\u{2029}'], "\n");
    let clean = |line: &str| {
        let kept: String = line
            .chars()
            .map(|c| if c == '\t' || c == '\u{a0}' { ' ' } else { c })
            .filter(|c| !unwanted(*c))
            .nfc()
            .collect();
        let kept = if kept.contains("![") { PICTURE.replace_all(&kept, "").into_owned() } else { kept };
        kept.trim_end().to_owned()
    };
    text.split('\n').map(clean).collect()
}

fn unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' | '\u{fffd}' | '\u{e000}'..='\u{f8ff}')
}

/// Takes away what stands at the top or bottom of most pages, page numbers aside, and bare page numbers. Rows of tables stay: the
/// header of one that goes on over pages repeats, too.
fn remove_running_lines(pages: &mut [Vec<String>]) {
    let edges = |page: &[String]| -> Vec<usize> {
        let filled: Vec<usize> = (0..page.len()).filter(|i| !page[*i].trim().is_empty()).collect();
        let head = filled.iter().take(EDGE_LINES);
        let tail = filled.iter().rev().take(EDGE_LINES);
        let mut edges: Vec<usize> = head.chain(tail).copied().collect();
        edges.sort_unstable();
        edges.dedup();
        edges.retain(|i| !page[*i].trim_start().starts_with('|'));
        edges
    };
    let mut seen: HashMap<Shape, usize> = HashMap::new();
    for (n, page) in pages.iter().enumerate() {
        let on_page: HashSet<Shape> = edges(page).iter().flat_map(|i| shapes(&page[*i], n)).collect();
        on_page.into_iter().for_each(|s| *seen.entry(s).or_default() += 1);
    }
    let count = pages.len();
    let needed = REPEATED_PAGES.max((count as f32 * REPEATED_SHARE).ceil() as usize);
    let numbering = numbering(pages.iter().map(|page| edges(page).iter().map(|i| page[*i].as_str()).collect()));
    for (n, page) in pages.iter_mut().enumerate() {
        for i in edges(page).into_iter().rev() {
            let repeated = shapes(&page[i], n).iter().any(|shape| seen.get(shape).is_some_and(|n| *n >= needed));
            let number = page_number(&page[i]);
            let counted = number.is_some_and(|value| numbering == Some(value - n as i64));
            if repeated || counted || names_a_page(&page[i], count) {
                page.remove(i);
            }
        }
    }
}

/// What bare numbers at the edges of pages are ahead of the count of pages, if they go with it on two pages or more:
/// other numbers that stand alone are figures.
fn numbering<'a>(edges: impl Iterator<Item = Vec<&'a str>>) -> Option<i64> {
    let mut ahead: HashMap<i64, usize> = HashMap::new();
    for (n, lines) in edges.enumerate() {
        let mut found: Vec<i64> = lines.into_iter().filter_map(page_number).map(|value| value - n as i64).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().for_each(|offset| *ahead.entry(offset).or_default() += 1);
    }
    ahead.into_iter().filter(|(_, pages)| *pages >= 2).max_by_key(|(offset, pages)| (*pages, -offset)).map(|(o, _)| o)
}

/// What a line may have in common with lines of other pages: its words and, where a number at its end is left out of them, by how
/// much that is ahead of the count of pages.
type Shape = (String, Option<i64>);

/// The shapes of a line on the page that `n` others precede; none of a long line and of one without a letter.
fn shapes(line: &str, n: usize) -> Vec<Shape> {
    if line.chars().count() > RUNNING_LENGTH || !line.contains(char::is_alphabetic) {
        return Vec::new();
    }
    let bare: String = line.chars().filter(|c| !matches!(c, '#' | '*' | ' ')).collect();
    let numbered = bare.trim_matches(is_ornament);
    let ahead = |number: &str| -> Option<i64> { Some(whole_number(number)? - n as i64) };
    let (words, last) = split_last_number(numbered);
    // `Report 3/20`, `Report 3 of 20`: the number of pages stays.
    let before_total = words.strip_suffix('/').or_else(|| words.strip_suffix("of")).map(split_last_number);
    let rest = numbered.trim_start_matches(|c: char| c.is_ascii_digit());
    let first = &numbered[..numbered.len() - rest.len()];
    let is_decimal = rest.strip_prefix(['.', ',']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut shapes = vec![(bare.clone(), None)];
    shapes.extend(ahead(last).map(|ahead| (words.to_owned(), Some(ahead))));
    shapes.extend(before_total.and_then(|(words, page)| Some((format!("{words}/{last}"), Some(ahead(page)?)))));
    shapes.extend(ahead(first).filter(|_| !is_decimal).map(|ahead| (rest.to_owned(), Some(ahead))));
    shapes
}

/// A text and the digits at its end, where these are no decimals.
fn split_last_number(text: &str) -> (&str, &str) {
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let whole = words.trim_end_matches(['.', ',']);
    let decimal = whole.len() < words.len() && whole.ends_with(|c: char| c.is_ascii_digit());
    if decimal { (text, "") } else { text.split_at(words.len()) }
}

/// What stands around a page number: `- 12 -`, `**12**`, `[12]`.
fn is_ornament(c: char) -> bool {
    c.is_whitespace() || "-–—―~*#_.·•:()[]<>|".contains(c)
}

/// The number of a line that is nothing else: `12`, `- 12 -`, `**12**`.
fn page_number(line: &str) -> Option<i64> {
    whole_number(line.trim_matches(is_ornament))
}

/// Up to four digits.
fn whole_number(digits: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// A line that says it is the number of one of `pages` pages: `Page 3`, `3/10`, `3 쪽`. A date is none: `2023/12`.
fn names_a_page(line: &str, pages: usize) -> bool {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\W*((page|p\.|쪽)\s*[0-9]{1,4}\s*((/|of|중)\s*[0-9]{1,4})?|[0-9]{1,4}\s*(쪽|페이지))\W*$")
            .expect("a constant pattern")
    });
    static OF_ALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\W*([0-9]{1,4})\s*(?:/|of)\s*([0-9]{1,4})\W*$").expect("a constant pattern")
    });
    let line = line.trim();
    let of_all = || {
        let found = OF_ALL.captures(line)?;
        let (page, all) = (whole_number(&found[1])?, whole_number(&found[2])?);
        Some(page <= all && usize::try_from(all).is_ok_and(|all| all <= pages))
    };
    line.chars().count() <= RUNNING_LENGTH && (NAMED.is_match(line) || of_all().unwrap_or(false))
}

/// Takes away runs of lines that end in a page number after dots or, on pages below the heading of a table of contents, after a wide
/// gap: elsewhere a gap parts the cells of a table. `goes_on` says that the page before ended in such a run; gives back whether
/// this one does.
fn remove_contents(page: &mut Vec<String>, paged: bool, goes_on: bool) -> bool {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:\.{3,}|…{2,}|·{3,}|(?:\. ){3,}| {4,})[\s|*.]*([0-9]{1,4}|[ivxl]{1,6})\**\s*\|?$")
            .expect("a constant pattern")
    });
    let entry = |line: &String| -> Option<Entry> {
        let found = ENTRY.captures(line)?;
        let dotted = ["...", "……", "···", ". . ."].iter().any(|dots| found[0].contains(dots));
        let is_entry = dotted || (paged && !line.trim_start().starts_with('|'));
        // Roman numerals number what comes before the first page.
        is_entry.then(|| Entry { dotted, page: found[1].parse().unwrap_or(0) })
    };
    let entries: Vec<Option<Entry>> = page.iter().map(entry).collect();
    let blank: Vec<bool> = page.iter().map(|l| l.trim().is_empty()).collect();
    let mut remove = vec![false; page.len()];
    let mut ends_in_contents = false;
    let mut i = 0;
    while i < page.len() {
        let mut end = i;
        let mut run: Vec<&Entry> = Vec::new();
        while end < page.len() && (entries[end].is_some() || (blank[end] && !run.is_empty())) {
            run.extend(&entries[end]);
            end += 1;
        }
        if run.len() >= CONTENTS_RUN {
            let above = (0..i).rev().find(|h| !blank[*h]);
            let heading = above.filter(|h| is_contents_heading(&page[*h]));
            let is_below = heading.is_some() || (above.is_none() && goes_on);
            let in_order = run.is_sorted_by_key(|entry| entry.page);
            let dotted = run.iter().all(|entry| entry.dotted);
            let is_contents = if dotted { is_below || in_order } else { is_below && in_order };
            if is_contents {
                remove[i..end].fill(true);
                ends_in_contents = end == page.len();
                // The heading of the table goes with it.
                if let Some(h) = heading {
                    remove[h] = true;
                }
            }
        }
        i = end.max(i + 1);
    }
    let mut keep = remove.iter().map(|r| !r);
    page.retain(|_| keep.next().unwrap_or(true));
    ends_in_contents
}

/// A line of a table of contents.
struct Entry {
    /// Dots lead to the number, not a gap alone.
    dotted: bool,
    page: u32,
}

fn is_contents_heading(line: &str) -> bool {
    let word: String = line.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    matches!(word.as_str(), "목차" | "차례" | "contents" | "tableofcontents" | "표목차" | "그림목차")
}

/// Joins words that a line end cut (`elec-` / `trode`).
fn join_hyphens(page: &mut Vec<String>) {
    let mut joined: Vec<String> = Vec::with_capacity(page.len());
    for line in page.drain(..) {
        let cut = line.starts_with(|c: char| c.is_ascii_lowercase());
        match joined.last_mut().filter(|last| cut && is_cut(last)) {
            Some(last) => {
                last.pop();
                last.push_str(&line);
            }
            None => joined.push(line),
        }
    }
    *page = joined;
}

fn is_cut(line: &str) -> bool {
    line.strip_suffix('-').is_some_and(|word| word.ends_with(|c: char| c.is_ascii_lowercase()))
}

/// The lines of a form that were run together (`주관기관: 가람 참여기관: 남서풍`) are taken apart before each known name.
fn split_form_lines(page: &mut Vec<String>) {
    let split = |line: String| -> Vec<String> {
        let starts = if line.len() <= FORM_LINE { field_starts(&line) } else { Vec::new() };
        let begins = starts.first().is_some_and(|first| !line[..*first].contains(char::is_alphanumeric));
        if !begins || starts.len() < 2 || line.starts_with('|') {
            return vec![line];
        }
        let ends = starts[1..].iter().copied().chain([line.len()]);
        [0].into_iter()
            .chain(starts[1..].iter().copied())
            .zip(ends)
            .map(|(a, b)| line[a..b].trim_end().into())
            .collect()
    };
    *page = std::mem::take(page).into_iter().flat_map(split).collect();
}

/// Where known names of fields with a colon behind them start: the longest of up to three words.
fn field_starts(line: &str) -> Vec<usize> {
    let start = |(colon, _): (usize, &str)| {
        let before = line[..colon].trim_end();
        let from = before.char_indices().rev().take(FIELD_NAME).last().map_or(0, |(i, _)| i);
        let words = before[from..].rmatch_indices(' ').map(|(i, _)| from + i + 1);
        let words = words.chain((from == 0).then_some(0)).take(3);
        words.filter(|i| fields::field(&before[*i..]).is_some()).last()
    };
    line.match_indices(':').filter_map(start).collect()
}

/// Numbered headings that a paged format shows as plain short lines become Markdown headings. Figures that begin a line (`12 Ah급 셀`)
/// are none, nor are the items of a list: numbered lines that follow each other with nothing between.
fn mark_headings(page: &mut [String]) {
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\*\*)?(제\s?[0-9]+\s?[장절]|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]+\.|[0-9]{1,2}(\.[0-9]{1,2}){0,2}\.?)\s+\S.{0,58}$")
            .expect("a constant pattern")
    });
    let filled: Vec<usize> = (0..page.len()).filter(|i| !page[*i].trim().is_empty()).collect();
    let labels: Vec<Option<Vec<u32>>> = filled.iter().map(|i| label(&page[*i])).collect();
    let is_next = |a: Option<&Option<Vec<u32>>>, b: Option<&Option<Vec<u32>>>| {
        a.and_then(Option::as_deref).zip(b.and_then(Option::as_deref)).is_some_and(|(a, b)| follows(a, b))
    };
    for (n, &i) in filled.iter().enumerate() {
        let alone = |j: Option<usize>| j.and_then(|j| page.get(j)).is_none_or(|l| l.trim().is_empty());
        let line = &page[i];
        let ends = line.trim_end_matches('*').ends_with(|c: char| c.is_alphanumeric() || c == ')');
        let verb = line.trim_end_matches('*').ends_with(['다', '음', '임']) && line.chars().count() > 25;
        let own = labels.get(n);
        let is_item = is_next(own, labels.get(n + 1)) || is_next(n.checked_sub(1).and_then(|n| labels.get(n)), own);
        if alone(i.checked_sub(1))
            && alone(Some(i + 1))
            && ends
            && !verb
            && !is_item
            && NUMBERED.is_match(line)
            && !begins_with_a_figure(line)
        {
            let depth = line.chars().take_while(|c| !c.is_whitespace()).filter(|c| *c == '.').count().clamp(1, 3);
            let text = line.replace("**", "");
            page[i] = format!("{} {text}", "#".repeat(depth + 1));
        }
    }
}

/// The number that a line begins with: `2.1 Kilns` is 2, 1.
fn label(line: &str) -> Option<Vec<u32>> {
    let number = line.trim_start_matches('*').split(char::is_whitespace).next()?;
    number.trim_end_matches('.').split('.').map(|part| part.parse::<u32>().ok().filter(|n| *n < 100)).collect()
}

/// True for 2.1 and 2.2: the same but for the last number, which is the next.
fn follows(a: &[u32], b: &[u32]) -> bool {
    match (a.split_last(), b.split_last()) {
        (Some((last, above)), Some((next, same))) => above == same && last + 1 == *next,
        _ => false,
    }
}

/// `3.5 mAh`, `25 °C`, `12 Ah급 파우치 셀`. A word is no unit: `1 A study of kilns`, `4 시간대별 부하`.
fn begins_with_a_figure(line: &str) -> bool {
    let line = line.trim_matches('*');
    let Some(figure) = figures(line).into_iter().next().filter(|f| f.span.start == 0 && !f.unit.is_empty()) else {
        return false;
    };
    let is_hangul = |c: char| ('가'..='힣').contains(&c);
    let (said, rest) = line.split_at(figure.span.end);
    let is_word = match figure.unit.as_str() {
        "A" => rest.starts_with(' '),
        _ => said.ends_with(is_hangul) && rest.starts_with(is_hangul),
    };
    !is_word
}

/// At most one blank line in a row, none at the ends.
fn squeeze(page: &mut Vec<String>) {
    let mut before = true;
    page.retain(|line| {
        let blank = line.trim().is_empty();
        let keep = !(blank && before);
        before = blank;
        keep
    });
    while page.last().is_some_and(|l| l.trim().is_empty()) {
        page.pop();
    }
}

/// Sections by Markdown headings; slides and sheets are sections of their own.
fn sections(text: &str, units: &[Unit]) -> Vec<Section> {
    let mut starts: Vec<(usize, Vec<String>)> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut fenced = false;
    let mut offset = 0;
    let mut units = units.iter().peekable();
    for line in text.split_inclusive('\n') {
        // Of several that begin here the last one holds the line: the others are empty.
        let begin = std::iter::from_fn(|| units.next_if(|unit| unit.span.start <= offset)).last();
        if let Some(unit) = begin.filter(|unit| matches!(unit.kind, UnitKind::Slide | UnitKind::Sheet)) {
            path = unit.label.clone().map(|l| (0, l)).into_iter().collect();
            starts.push((offset, path.iter().map(|p| p.1.clone()).collect()));
        }
        fenced ^= line.trim_start().starts_with("```");
        if let Some((level, heading)) = heading(line).filter(|_| !fenced) {
            // A slide's title and a sheet's name stand as a heading, too; once is enough.
            path.retain(|(l, name)| *l < level && *name != heading);
            path.push((level, heading));
            let names = path.iter().map(|p| p.1.clone()).collect();
            match starts.last_mut().filter(|(at, _)| *at == offset) {
                Some(same) => same.1 = names,
                None => starts.push((offset, names)),
            }
        }
        offset += line.len();
    }
    if starts.first().is_none_or(|(at, _)| *at > 0) && !text.is_empty() {
        starts.insert(0, (0, Vec::new()));
    }
    let ends = starts.iter().skip(1).map(|s| s.0).chain([text.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).map(|((start, path), end)| Section { path, span: Span { start, end } }).collect()
}

/// Level and text of an ATX heading.
fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    let rest = line.get(level..)?;
    if !(1..=6).contains(&level) || !rest.starts_with(' ') {
        return None;
    }
    let text = rest.trim().trim_end_matches('#').replace("**", "").replace("__", "");
    let text = text.trim();
    (!text.is_empty()).then(|| (level, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{Format, Metadata};
    use crate::ingest::Part;

    fn pages(kind: UnitKind, texts: &[&str]) -> Extracted {
        let part = |(i, t): (usize, &&str)| Part { kind, number: i as u32 + 1, label: None, markdown: (*t).to_owned() };
        Extracted {
            format: Format::Pdf,
            title: None,
            record: None,
            sha256: "0123456789abcdef0123".into(),
            metadata: Metadata::default(),
            parts: texts.iter().enumerate().map(part).collect(),
            warnings: vec![],
        }
    }

    #[test]
    fn the_institution_is_that_of_the_record_or_the_sector_else_that_of_a_line_near_the_head() {
        let text = "# Kilns\n\nInstitution: Norwind Institute\n";
        let who = |extracted: Extracted, stated: Option<&Override>| {
            assemble(extracted, "r.md", stated).metadata.institution.unwrap_or_default()
        };
        let report = || pages(UnitKind::Body, &[text]);
        assert_eq!(who(report(), None), "Norwind Institute");
        let sector = Override { institution: Some("한빛요업".into()), ..Override::default() };
        assert_eq!(who(report(), Some(&sector)), "한빛요업");
        let own = Metadata { institution: Some("가온".into()), ..Metadata::default() };
        assert_eq!(who(Extracted { metadata: own, ..report() }, None), "가온");
        assert_eq!(who(Extracted { record: Some("1".into()), ..report() }, None), "");
    }

    #[test]
    fn running_headers_and_page_numbers_go_the_content_stays() {
        let texts: Vec<String> =
            (1..=4).map(|i| format!("Gaon Report 2021-{i}\n\nFinding {i} holds at 45 °C.\n\n- {i} -\n")).collect();
        let document =
            assemble(pages(UnitKind::Page, &texts.iter().map(String::as_str).collect::<Vec<_>>()), "r.pdf", None);
        assert!(!document.text.contains("Gaon Report") && !document.text.contains("- 2 -"), "{}", document.text);
        let at = document.text.find("Finding 3").unwrap();
        assert_eq!(document.page_at(at), Some(3));
    }

    #[test]
    fn figures_that_stand_alone_and_paragraphs_said_twice_are_no_running_lines() {
        let long = "이 문단은 모든 쪽에 똑같이 나오지만 머리글이라고 하기에는 너무 길다. ".repeat(6);
        let texts: Vec<String> = [12, 48, 36].iter().map(|n| format!("{long}\n\nmiddle\n\n{n}\n")).collect();
        let document =
            assemble(pages(UnitKind::Page, &texts.iter().map(String::as_str).collect::<Vec<_>>()), "r.pdf", None);
        assert_eq!(document.text.matches("머리글이라고").count(), 18);
        assert!(["12", "48", "36"].iter().all(|n| document.text.contains(n)), "{}", document.text);
    }

    fn paged(texts: &[&str]) -> String {
        assemble(pages(UnitKind::Page, texts), "r.pdf", None).text
    }

    #[test]
    fn figures_and_headers_of_tables_at_the_edges_of_pages_are_no_running_lines() {
        let measured = ["500회 유지율: 80.7 %", "500회 유지율: 61.5 %", "500회 유지율: 74.2 %"];
        let text = paged(&measured.map(|line| format!("본문이다.\n\n{line}\n")).each_ref().map(String::as_str));
        assert!(measured.iter().all(|line| text.contains(line)), "{text}");
        let dated = ["2023/12", "2024/06", "2024/11"];
        let text = paged(&dated.map(|line| format!("본문이다.\n\n{line}\n")).each_ref().map(String::as_str));
        assert!(dated.iter().all(|line| text.contains(line)), "{text}");
        let rows = ["A1", "A2", "A3"].map(|cell| format!("| 셀 | 손실 |\n|---|---|\n| {cell} | 3 % |\n"));
        let text = paged(&rows.each_ref().map(String::as_str));
        assert_eq!(text.matches("| 셀 | 손실 |").count(), 3, "{text}");
        let text = paged(&["at\n\n80 %", "at\n\n81 %", "at\n\n82 %"]);
        assert!(text.contains("80 %") && text.contains("82 %"), "{text}");
    }

    #[test]
    fn a_page_number_is_found_at_either_end_of_a_running_line_and_before_the_number_of_pages() {
        for line in ["Kiln report @", "@ | Kiln report", "Kiln report – @ –", "Kiln report @/4", "@/4", "Page @ of 4"]
        {
            let texts: Vec<String> = (1..=4)
                .map(|n| {
                    format!("{}\n\nFinding {} holds.\n", line.replace('@', &n.to_string()), ["a", "b", "c", "d"][n - 1])
                })
                .collect();
            let text = paged(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(
                text, "Finding a holds.\n\nFinding b holds.\n\nFinding c holds.\n\nFinding d holds.\n\n",
                "{line}"
            );
        }
    }

    #[test]
    fn a_document_that_repeats_itself_is_not_emptied() {
        let document = assemble(pages(UnitKind::Page, &["같은 말", "같은 말", "같은 말"]), "r.pdf", None);
        assert_eq!(document.text.matches("같은 말").count(), 3);
    }

    #[test]
    fn a_table_of_contents_goes_with_its_heading() {
        let text = "# 목차\n\n1. 서론 ........ 1\n2. 실험 ........ 4\n3. 결과 ........ 9\n4. 결론 ........ 12\n\n# 서론\n\n본문이다.\n";
        let document = assemble(pages(UnitKind::Body, &[text]), "r.md", None);
        assert!(!document.text.contains("목차") && !document.text.contains("...."), "{}", document.text);
        assert_eq!(document.title, "서론");
    }

    #[test]
    fn rows_and_lines_with_a_wide_gap_are_no_table_of_contents() {
        let table = "| Cell           | Loss |\n|----------------|------|\n| A1             |    3 |\n| A2             |    4 |\n| A3             |    5 |\n| A4             |    6 |";
        let data = "Temperature    25\nPressure    30\nHumidity    40\nFlow    55";
        for text in [table, data] {
            for kind in [UnitKind::Body, UnitKind::Page] {
                assert_eq!(assemble(pages(kind, &[text]), "r", None).text.trim(), text, "{kind:?}");
            }
        }
        let listed = "Contents\n\nTemperature    25\nPressure    30\nHumidity    28\nFlow    55";
        assert_eq!(paged(&[listed]).trim(), listed, "its numbers go down");
        let dotted = "Cells    ...... 25\nRuns ...... 3\nDays ...... 40\nTests ...... 2";
        assert_eq!(paged(&[dotted]).trim(), dotted);
    }

    #[test]
    fn a_table_of_contents_by_gaps_goes_from_its_heading_over_the_end_of_the_page() {
        let first = "Contents\n\n1 Aims    1\n2 Kilns    4\n3 Glazes    9\n4 Firing    12";
        let second = "5 Gas    15\n6 Cost    20\n7 Waste    22\n8 Outlook    30\n\nThe kiln was fired.";
        assert_eq!(paged(&[first, second]).trim(), "The kiln was fired.");
    }

    #[test]
    fn figures_and_items_of_a_list_are_no_headings() {
        for line in ["3.5 mAh", "25 °C", "12 Ah급 파우치 셀", "80 % 이상"] {
            let text = format!("본문이다.\n\n{line}\n\n본문이다.");
            assert_eq!(paged(&[text.as_str()]).trim(), text);
        }
        let items = "1. 이온전도도 5 mS/cm 이상\n\n2. 두께 30 μm 이하\n\n3. 수명 500회";
        assert_eq!(paged(&[items]).trim(), items);
        let headed = "1. 개요\n\n1.1 배경\n\n본문이다.\n\n1.2 목표\n\n본문이다.\n\n4 시간대별 부하\n\n본문이다.";
        let expected =
            "## 1. 개요\n\n## 1.1 배경\n\n본문이다.\n\n## 1.2 목표\n\n본문이다.\n\n## 4 시간대별 부하\n\n본문이다.";
        assert_eq!(paged(&[headed]).trim(), expected);
    }

    #[test]
    fn a_long_line_of_colons_is_left_as_it_is() {
        let line = format!("{}주관기관: 가람", "a:".repeat(500_000));
        assert_eq!(paged(&[line.as_str()]).trim(), line);
    }

    #[test]
    fn a_slide_without_text_lends_its_name_to_no_other() {
        let mut extracted = pages(UnitKind::Slide, &["", "The kiln was fired."]);
        extracted.parts.iter_mut().zip(["Empty", "Kilns"]).for_each(|(part, name)| part.label = Some(name.into()));
        let document = assemble(extracted, "r.pptx", None);
        let paths: Vec<String> = document.sections.iter().map(|s| s.path.join("/")).collect();
        assert_eq!(paths, ["Kilns"]);
    }

    #[test]
    fn headings_nest_and_code_does_not_count() {
        let text = "intro\n# A\na\n## B\nb\n```\n# not a heading\n```\n# C\nc\n";
        let document = assemble(pages(UnitKind::Body, &[text]), "r.md", None);
        let paths: Vec<String> = document.sections.iter().map(|s| s.path.join("/")).collect();
        assert_eq!(paths, ["", "A", "A/B", "C"]);
        assert!(document.sections[2].span.slice(&document.text).contains("# not a heading"));
    }

    #[test]
    fn what_the_sector_states_wins() {
        let stated = Override { year: Some(2019), doc_type: Some("patent".into()), ..Override::default() };
        let document = assemble(pages(UnitKind::Body, &["text"]), "dir/name.txt", Some(&stated));
        assert_eq!((document.metadata.year, document.metadata.doc_type.as_deref()), (Some(2019), Some("patent")));
        assert_eq!((document.title.as_str(), document.id.as_str()), ("name", "0123456789abcdef"));
    }

    #[test]
    fn words_cut_at_a_line_end_are_joined_in_paged_formats() {
        let document = assemble(pages(UnitKind::Page, &["The elec-\ntrode swelled."]), "r.pdf", None);
        assert!(document.text.starts_with("The electrode swelled."), "{}", document.text);
    }

    #[test]
    fn lines_of_a_form_that_were_run_together_stand_alone_again() {
        let run = "- 주관기관: 가람복합소재 연구기간: 2020년 7월 1일 ~ 2023년 6월 30일 총연구비: 34억 5천만 원";
        let document = assemble(pages(UnitKind::Page, &[run]), "r.pdf", None);
        let lines: Vec<&str> = document.text.trim().lines().collect();
        let apart =
            ["- 주관기관: 가람복합소재", "연구기간: 2020년 7월 1일 ~ 2023년 6월 30일", "총연구비: 34억 5천만 원"];
        assert_eq!(lines, apart);
        let prose = "The budget: what it buys is told under period: never.";
        assert_eq!(assemble(pages(UnitKind::Page, &[prose]), "r.pdf", None).text.trim(), prose);
    }

    proptest! {
        #[test]
        fn units_and_sections_cover_the_text_in_order(
            texts in prop::collection::vec("(#{1,3} )?\\PC{0,40}\n{0,2}(\\PC{0,20}\n)?", 1..6),
            paged in any::<bool>(),
        ) {
            let kind = if paged { UnitKind::Page } else { UnitKind::Slide };
            let document = assemble(pages(kind, &texts.iter().map(String::as_str).collect::<Vec<_>>()), "x", None);
            for spans in [
                document.units.iter().map(|u| u.span).collect::<Vec<_>>(),
                document.sections.iter().map(|s| s.span).collect(),
            ] {
                let mut at = 0;
                for span in spans {
                    prop_assert_eq!(span.start, at);
                    prop_assert!(document.text.get(span.start..span.end).is_some());
                    at = span.end;
                }
                prop_assert_eq!(at, document.text.len());
            }
        }
    }
}
