//! Cleans a reader's parts and lays them out as one document.
//!
//! Removed: headers and footers that repeat over pages, page numbers, tables of contents, pictures,
//! control characters, blank rows and columns of tables. Kept exactly: everything else; spans are computed on the text as it is stored.
//! A sentence that runs over the end of a page stays one: no blank line parts the pages there.

mod contents;
mod headings;
mod running;

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::{Extracted, Override, head, tables};
use crate::document::{Document, Language, Span, Unit, UnitKind};
use crate::text::{begins_a_caption, columns, is_final_ending};
use contents::remove_contents;
use headings::{is_numbered, mark_headings, sections};
use running::remove_running_lines;

/// A line of a form is no longer than this, in bytes.
const FORM_LINE: usize = 4000;
/// A paragraph of at least so many columns, two a syllable of Hangul, fills its last line but one.
const FULL_LINE: usize = 60;

/// Cleans the parts and lays them out as one document. `source` is the path shown to readers.
pub fn assemble(extracted: Extracted, source: &str, stated: Option<&Override>) -> Document {
    let mut pages: Vec<Vec<String>> = extracted.parts.iter().map(|p| lines(&p.markdown)).collect();
    let paged = extracted.parts.first().is_some_and(|p| p.kind == UnitKind::Page);
    let mut head = None;
    if paged {
        let whole = pages.clone();
        head = remove_running_lines(&mut pages);
        let kept = head.as_ref().and_then(|head| head.line.clone());
        // A document that says the same on every page has no headers, only text.
        if pages.iter().flatten().all(|line| line.trim().is_empty()) {
            pages = whole;
        } else if let Some((first, (above, line))) = pages.first_mut().zip(kept) {
            first.insert(above, line);
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
    for (n, (part, page)) in extracted.parts.iter().zip(&pages).enumerate() {
        let start = text.len();
        for line in page {
            text.push_str(line);
            text.push('\n');
        }
        let next = pages[n + 1..].iter().find_map(|page| page.first()).filter(|_| paged);
        let over = page.last().zip(next);
        if over.is_some_and(|(last, next)| is_cut(last) && next.starts_with(|c: char| c.is_ascii_lowercase())) {
            text.truncate(text.len() - "-\n".len());
        } else if !page.is_empty() && !over.is_some_and(|(last, next)| goes_on(last, next)) {
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
    if extracted.record.is_none() {
        metadata.institution = metadata.institution.or_else(|| head::institution(&text));
        metadata.year = metadata.year.or_else(|| head::year(&text));
    }
    let head = head.map(|head| head.title).filter(|title| is_a_title(title));
    let first_heading = sections.iter().find_map(|s| s.path.last());
    // The heading of a numbered section is the title only for want of another.
    let heading = first_heading.filter(|heading| head.is_none() || !is_numbered(heading)).cloned();
    let stem = || Path::new(source).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let own = extracted.title.filter(|t| is_a_title(t));
    let title = own.or(heading).or(head).unwrap_or_else(stem);
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

/// True where the paragraph at the end of a page goes on at the top of the next: it fills a line, ends in no stop and is no caption or
/// footnote, and what follows begins as no sentence does or, in a script without capitals, is prose as it is.
fn goes_on(last: &str, next: &str) -> bool {
    const STOPS: [char; 9] = ['.', '?', '!', '…', '。', ':', '：', ';', '|'];
    let end = last.trim_end_matches(|c: char| c.is_numeric() || "()[]*\"”’".contains(c));
    let is_open = !end.ends_with(STOPS) && !end.ends_with(is_final_ending) && !last.starts_with(['#', '|']);
    let is_note = last.starts_with(|c: char| c.is_numeric() || "[†‡".contains(c));
    let is_prose = |line: &str| {
        let mut chars = line.chars();
        let begin = (chars.next(), chars.next());
        let is_item = matches!(begin, (_, Some('.' | ')')) | (Some('ㅇ' | 'o'), Some(' ')));
        begin.0.is_some_and(char::is_alphabetic) && !is_item && !begins_a_caption(line)
    };
    let begins_a_sentence = next.starts_with(char::is_uppercase);
    let is_wrapped = next.starts_with(char::is_lowercase) || (is_prose(last) && next.ends_with(STOPS));
    let may_go_on = columns(last) >= FULL_LINE && is_open && !is_note && !begins_a_caption(last);
    may_go_on && is_prose(next) && !begins_a_sentence && is_wrapped
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

/// Where known names of fields with a colon behind them start.
fn field_starts(line: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    // The name before and where its value begins.
    let mut before: Option<(&str, usize)> = None;
    for (colon, mark) in line.match_indices(':') {
        let Some(at) = head::name_start(&line[..colon]) else { continue };
        let start = match before {
            Some((name, from)) if from <= at => from + head::first_word(name, &line[from..colon], at - from),
            _ => at,
        };
        starts.push(start);
        before = Some((&line[start..colon], colon + mark.len()));
    }
    starts
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

    #[test]
    fn the_year_is_that_of_the_record_or_the_sector_else_that_of_a_line_near_the_head() {
        let year = |extracted: Extracted, stated: Option<&Override>| assemble(extracted, "r.md", stated).metadata.year;
        let report = || pages(UnitKind::Body, &["# Kilns\n\nYear: 2016\n"]);
        assert_eq!(year(report(), None), Some(2016));
        let sector = Override { year: Some(2017), ..Override::default() };
        assert_eq!(year(report(), Some(&sector)), Some(2017));
        let own = Metadata { year: Some(2018), ..Metadata::default() };
        assert_eq!(year(Extracted { metadata: own, ..report() }, None), Some(2018));
        assert_eq!(year(Extracted { record: Some("1".into()), ..report() }, None), None);
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
    fn a_sentence_that_runs_over_the_end_of_a_page_stays_one_and_begins_on_the_first() {
        let korean = "이 과제는 저온에서 두 번 구운 도자기의 강도를 높이는 유약을 개발하고 그 성능을";
        let english = "The kiln was fired at low heat for a day and a night before the glaze (Fig. 2)";
        for (last, next, sentence) in [
            (korean, "시험하였다. 결과는 좋았다.", format!("{korean}\n시험하였다.")),
            (english, "was laid on. It held.", format!("{english}\nwas laid on.")),
            ("The glaze of the elec-", "trode swelled. It held.", "The glaze of the electrode swelled.".into()),
        ] {
            let document = assemble(pages(UnitKind::Page, &[&format!("Aims.\n\n{last}"), "", next]), "r.pdf", None);
            let found = crate::text::sentences(&document.text);
            let said: Vec<&str> = found.iter().map(|span| span.slice(&document.text)).collect();
            assert_eq!(said[1], sentence);
            assert_eq!([1, 2].map(|i| document.page_at(found[i].start)), [Some(1), Some(3)], "{last}");
        }
        let ended = format!("{korean} 시험함");
        let [item, caption, note] = ["- ", "그림 3. ", "1) "].map(|mark| format!("{mark}{korean}"));
        let footnote = format!("2 {english}");
        for (last, next) in [
            (ended.as_str(), "결과는 좋았다."),
            (item.as_str(), "결과는 좋았다."),
            (caption.as_str(), "결과는 좋았다."),
            (note.as_str(), "결과는 좋았다."),
            (footnote.as_str(), "was laid on. It held."),
            (korean, "그림 3. 도자기의 강도이다."),
            (korean, "가. 결과는 좋았다."),
            (english, "It held."),
            ("도자기의 강도", "결과는 좋았다."),
        ] {
            assert_eq!(paged(&[last, next]).trim(), format!("{last}\n\n{next}"));
        }
    }

    #[test]
    fn lines_of_a_form_that_were_run_together_stand_alone_again() {
        let run = "- 주관기관: 가람복합소재 연구기간: 2020년 7월 1일 ~ 2023년 6월 30일 총연구비: 34억 5천만 원";
        let document = assemble(pages(UnitKind::Page, &[run]), "r.pdf", None);
        let lines: Vec<&str> = document.text.trim().lines().collect();
        let apart =
            ["- 주관기관: 가람복합소재", "연구기간: 2020년 7월 1일 ~ 2023년 6월 30일", "총연구비: 34억 5천만 원"];
        assert_eq!(lines, apart);
        let named_in_two =
            "수행기관: 가람복합소재 시험 기간: 2021년 3월 ~ 5월 총 연구비: 3억 원 과제명: 얇은 막 연구 기간: 2022";
        let lines = paged(&[named_in_two]);
        let lines: Vec<&str> = lines.trim().lines().collect();
        let apart = [
            "수행기관: 가람복합소재",
            "시험 기간: 2021년 3월 ~ 5월",
            "총 연구비: 3억 원",
            "과제명: 얇은 막 연구",
            "기간: 2022",
        ];
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
