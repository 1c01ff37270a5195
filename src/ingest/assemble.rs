//! Cleans a reader's parts and lays them out as one document.
//!
//! Removed: headers and footers that repeat over pages, page numbers, tables of contents, pictures,
//! control characters, blank rows and columns of tables. Kept exactly: everything else; spans are computed on the text as it is stored.

mod contents;
mod headings;
mod running;

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::{Extracted, Override, institution, tables};
use crate::document::{Document, Language, Span, Unit, UnitKind};
use crate::text::fields;
use contents::remove_contents;
use headings::{mark_headings, sections};
use running::remove_running_lines;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{Format, Metadata};
    use crate::ingest::Part;

    pub(super) fn pages(kind: UnitKind, texts: &[&str]) -> Extracted {
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

    pub(super) fn paged(texts: &[&str]) -> String {
        assemble(pages(UnitKind::Page, texts), "r.pdf", None).text
    }

    #[test]
    fn a_document_that_repeats_itself_is_not_emptied() {
        let document = assemble(pages(UnitKind::Page, &["같은 말", "같은 말", "같은 말"]), "r.pdf", None);
        assert_eq!(document.text.matches("같은 말").count(), 3);
    }

    #[test]
    fn a_long_line_of_colons_is_left_as_it_is() {
        let line = format!("{}주관기관: 가람", "a:".repeat(500_000));
        assert_eq!(paged(&[line.as_str()]).trim(), line);
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
