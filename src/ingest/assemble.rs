//! Cleans a reader's parts and lays them out as one document.
//!
//! Removed: headers and footers that repeat over pages, page numbers, tables of contents, pictures,
//! control characters, blank rows and columns of tables. Kept exactly: everything else; spans are computed on the text as it is stored.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::{Extracted, Override, institution, tables};
use crate::document::{Document, Language, Section, Span, Unit, UnitKind};
use crate::text::fields;

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
    pages.iter_mut().for_each(|page| {
        remove_contents(page);
        if paged {
            join_hyphens(page);
            split_form_lines(page);
            mark_headings(page);
        }
        tables::tidy(page);
        squeeze(page);
    });
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

/// Takes away what stands at the top or bottom of most pages, page numbers aside, and bare page numbers.
fn remove_running_lines(pages: &mut [Vec<String>]) {
    let edges = |page: &[String]| -> Vec<usize> {
        let filled: Vec<usize> = (0..page.len()).filter(|i| !page[*i].trim().is_empty()).collect();
        let head = filled.iter().take(EDGE_LINES);
        let tail = filled.iter().rev().take(EDGE_LINES);
        let mut edges: Vec<usize> = head.chain(tail).copied().collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for page in pages.iter() {
        let mut shapes: Vec<String> = edges(page).iter().map(|i| shape(&page[*i])).collect();
        shapes.sort();
        shapes.dedup();
        shapes.into_iter().for_each(|s| *seen.entry(s).or_default() += 1);
    }
    let needed = REPEATED_PAGES.max((pages.len() as f32 * REPEATED_SHARE).ceil() as usize);
    let numbering = numbering(pages.iter().map(|page| edges(page).iter().map(|i| page[*i].as_str()).collect()));
    for (n, page) in pages.iter_mut().enumerate() {
        for i in edges(page).into_iter().rev() {
            let shape = shape(&page[i]);
            let short = page[i].chars().count() <= RUNNING_LENGTH;
            let repeated = short && !shape.is_empty() && seen.get(&shape).is_some_and(|n| *n >= needed);
            let number = page_number(&page[i]);
            let counted = number.is_some_and(|value| numbering == Some(value - n as i64));
            if repeated || counted || names_a_page(&page[i]) {
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

/// A line without marks and without the page number it may begin or end with.
fn shape(line: &str) -> String {
    let bare: String = line.chars().filter(|c| !matches!(c, '#' | '*' | '|' | ' ')).collect();
    bare.trim_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation() || c == '–').to_owned()
}

/// The number of a line that is nothing else: `12`, `- 12 -`, `**12**`.
fn page_number(line: &str) -> Option<i64> {
    let bare = line.trim().trim_matches(|c: char| !c.is_alphanumeric() && c != '|');
    let digits = !bare.is_empty() && bare.len() <= 4 && bare.bytes().all(|b| b.is_ascii_digit());
    if digits { bare.parse().ok() } else { None }
}

/// A line that says it is a page's number: `Page 3`, `3/10`, `3 쪽`.
fn names_a_page(line: &str) -> bool {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^\W*((page|p\.|쪽)\s*\d{1,4}\s*((/|of|중)\s*\d{1,4})?|\d{1,4}\s*(쪽|페이지)|\d{1,4}\s*(/|of)\s*\d{1,4})\W*$",
        )
        .expect("a constant pattern")
    });
    let line = line.trim();
    !line.starts_with('|') && NAMED.is_match(line)
}

/// Takes away runs of lines that end in a page number after dots or a wide gap.
fn remove_contents(page: &mut Vec<String>) {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\.{3,}|…{1,}|·{3,}|(\. ){3,}| {4,})[\s|*.]*(\d{1,4}|[ivxl]{1,6})\**\s*\|?$")
            .expect("a constant pattern")
    });
    let entry: Vec<bool> = page.iter().map(|l| ENTRY.is_match(l) && !l.trim_start().starts_with("|-")).collect();
    let blank: Vec<bool> = page.iter().map(|l| l.trim().is_empty()).collect();
    let mut remove = vec![false; page.len()];
    let mut i = 0;
    while i < page.len() {
        let mut end = i;
        let mut entries = 0;
        while end < page.len() && (entry[end] || (blank[end] && entries > 0)) {
            entries += usize::from(entry[end]);
            end += 1;
        }
        if entries >= CONTENTS_RUN {
            remove[i..end].fill(true);
            // The heading of the table goes with it.
            if let Some(h) = (0..i).rev().find(|h| !blank[*h]).filter(|h| is_contents_heading(&page[*h])) {
                remove[h] = true;
            }
        }
        i = end.max(i + 1);
    }
    let mut keep = remove.iter().map(|r| !r);
    page.retain(|_| keep.next().unwrap_or(true));
}

fn is_contents_heading(line: &str) -> bool {
    let word: String = line.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    matches!(word.as_str(), "목차" | "차례" | "contents" | "tableofcontents" | "표목차" | "그림목차")
}

/// Joins words that a line end cut (`elec-` / `trode`).
fn join_hyphens(page: &mut Vec<String>) {
    let mut i = 0;
    while i + 1 < page.len() {
        let cut = page[i].strip_suffix('-').is_some_and(|w| w.ends_with(|c: char| c.is_ascii_lowercase()))
            && page[i + 1].starts_with(|c: char| c.is_ascii_lowercase());
        if cut {
            let next = page.remove(i + 1);
            page[i].pop();
            page[i].push_str(&next);
        } else {
            i += 1;
        }
    }
}

/// The lines of a form that were run together (`주관기관: 가람 참여기관: 남서풍`) are taken apart before each known name.
fn split_form_lines(page: &mut Vec<String>) {
    let split = |line: String| -> Vec<String> {
        let starts = field_starts(&line);
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
        let words = before.rmatch_indices(' ').map(|(i, _)| i + 1).chain([0]).take(3);
        words.filter(|i| fields::field(&before[*i..]).is_some()).last()
    };
    line.match_indices(':').filter_map(start).collect()
}

/// Numbered headings that a paged format shows as plain short lines become Markdown headings.
fn mark_headings(page: &mut [String]) {
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\*\*)?(제\s?\d+\s?[장절]|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]+\.|\d{1,2}(\.\d{1,2}){0,2}\.?)\s+\S.{0,58}$")
            .expect("a constant pattern")
    });
    for i in 0..page.len() {
        let alone = |j: Option<usize>| j.and_then(|j| page.get(j)).is_none_or(|l| l.trim().is_empty());
        let line = &page[i];
        let ends = line.trim_end_matches('*').ends_with(|c: char| c.is_alphanumeric() || c == ')');
        let verb = line.trim_end_matches('*').ends_with(['다', '음', '임']) && line.chars().count() > 25;
        if alone(i.checked_sub(1)) && alone(Some(i + 1)) && ends && !verb && NUMBERED.is_match(line) {
            let depth = line.chars().take_while(|c| !c.is_whitespace()).filter(|c| *c == '.').count().clamp(1, 3);
            let text = line.replace("**", "");
            page[i] = format!("{} {text}", "#".repeat(depth + 1));
        }
    }
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
    for line in text.split_inclusive('\n') {
        let unit = units.iter().find(|u| u.span.start == offset && matches!(u.kind, UnitKind::Slide | UnitKind::Sheet));
        if let Some(unit) = unit {
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
