//! Running lines: headers and footers that repeat over pages, and page numbers.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

/// Lines at the top and bottom of a page among which headers and footers are looked for.
const EDGE_LINES: usize = 3;
/// A line is a header or footer if it stands on at least so many pages …
const REPEATED_PAGES: usize = 3;
/// … and so large a share of them.
const REPEATED_SHARE: f32 = 0.5;
/// … and no longer than this, in characters: a paragraph said twice is not a header.
const RUNNING_LENGTH: usize = 150;

/// A running line at the top of the first page that may be the title.
pub(super) struct Head {
    /// Its words, without the number of the page.
    pub(super) title: String,
    /// The line, if it is the same on all pages, and how many of those that are left stand above it on the first.
    pub(super) line: Option<(usize, String)>,
}

/// Takes away what stands at the top or bottom of most pages, page numbers aside, and bare page numbers. Rows of tables stay: the
/// header of one that goes on over pages repeats, too. Gives back what may be the title among it.
pub(super) fn remove_running_lines(pages: &mut [Vec<String>]) -> Option<Head> {
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
    let is_repeated = |shape: &Shape| seen.get(shape).is_some_and(|pages| *pages >= needed);
    let is_running = |line: &str, n: usize| {
        let counted = page_number(line).is_some_and(|value| numbering == Some(value - n as i64));
        counted || names_a_page(line, count) || shapes(line, n).iter().any(is_repeated)
    };
    let head = pages.first().and_then(|page| {
        let edges = edges(page);
        let (i, title, is_numbered) = title(page, count, is_repeated)?;
        let above = i - edges.iter().filter(|edge| **edge < i && is_running(&page[**edge], 0)).count();
        Some(Head { title, line: (!is_numbered).then(|| (above, page[i].clone())) })
    });
    for (n, page) in pages.iter_mut().enumerate() {
        for i in edges(page).into_iter().rev() {
            if is_running(&page[i], n) {
                page.remove(i);
            }
        }
    }
    head
}

/// Which running line at the top of the first page may be the title, its words, and whether it has the number of the page in it: one
/// that is a heading there, else the first. A mark of one word (`대외비`) is none.
fn title(page: &[String], pages: usize, is_repeated: impl Fn(&Shape) -> bool) -> Option<(usize, String, bool)> {
    let filled = (0..page.len()).filter(|i| !page[*i].trim().is_empty()).take(EDGE_LINES);
    let filled = filled.filter(|i| !page[*i].trim_start().starts_with('|') && !names_a_page(&page[*i], pages));
    let mut found = filled.filter_map(|i| {
        let (words, ahead) = shapes(&page[i], 0).into_iter().find(&is_repeated)?;
        let title = with_blanks(&page[i], &words).filter(|title| title.contains(' '))?;
        Some((i, title.replace("**", ""), ahead.is_some()))
    });
    let first = found.next()?;
    if page[first.0].starts_with('#') {
        return Some(first);
    }
    Some(found.find(|(i, ..)| page[*i].starts_with('#')).unwrap_or(first))
}

/// The part of a line that has these words, which [`shapes`] took the blanks out of.
fn with_blanks<'l>(line: &'l str, words: &str) -> Option<&'l str> {
    let kept: Vec<(usize, char)> = line.char_indices().filter(|(_, c)| !is_left_out(*c)).collect();
    let bare: String = kept.iter().map(|(_, c)| c).collect();
    let first = bare[..bare.find(words)?].chars().count();
    let (start, _) = kept.get(first)?;
    let (last, c) = kept.get(first + words.chars().count().checked_sub(1)?)?;
    Some(&line[*start..last + c.len_utf8()])
}

/// What two lines may differ in and be the same.
fn is_left_out(c: char) -> bool {
    matches!(c, '#' | '*' | ' ')
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
    let bare: String = line.chars().filter(|c| !is_left_out(*c)).collect();
    let numbered = bare.trim_matches(is_ornament);
    let ahead = |number: &str| -> Option<i64> { Some(whole_number(number)? - n as i64) };
    let (words, last) = split_last_number(numbered);
    // `Report 3/20`, `Report 3 of 20`: the number of pages stays.
    let before_total = words.strip_suffix('/').or_else(|| words.strip_suffix("of")).map(split_last_number);
    let rest = numbered.trim_start_matches(|c: char| c.is_ascii_digit());
    let first = &numbered[..numbered.len() - rest.len()];
    let is_decimal = rest.strip_prefix(['.', ',']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut shapes = vec![(bare.clone(), None)];
    shapes.extend(ahead(last).map(|ahead| (words.trim_end_matches(is_ornament).to_owned(), Some(ahead))));
    shapes.extend(before_total.and_then(|(words, page)| Some((format!("{words}/{last}"), Some(ahead(page)?)))));
    let first = ahead(first).filter(|_| !is_decimal);
    shapes.extend(first.map(|ahead| (rest.trim_start_matches(is_ornament).to_owned(), Some(ahead))));
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

#[cfg(test)]
mod tests {
    use super::super::assemble;
    use super::super::tests::{paged, pages};
    use crate::document::UnitKind;

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
    fn a_running_head_that_is_the_title_stays_on_the_first_page_and_names_the_document() {
        let laid_out = |first: &str, head: &str| {
            let texts = [(1, "Aims"), (2, "Firing"), (3, "Waste"), (4, "Costs")].map(|(n, part)| {
                let head = if n == 1 { first } else { head }.replace('@', &n.to_string());
                format!("{head}\n\n## {n}. {part}\n\nFinding {n} holds.\n")
            });
            assemble(pages(UnitKind::Page, &texts.each_ref().map(String::as_str)), "r.pdf", None)
        };
        for (first, head, title, times) in [
            ("# Kilns (2024)", "Kilns (2024)", "Kilns (2024)", 1),
            ("Less gas in kilns", "Less gas in kilns", "Less gas in kilns", 1),
            ("GN-24\n\n**Less gas** in kilns", "Less gas in kilns", "Less gas in kilns", 1),
            ("DRAFT\n\nOf Norwind\n\n# Less gas", "DRAFT\n\nOf Norwind\n\nLess gas", "Less gas", 1),
            ("Less gas | @", "Less gas | @", "Less gas", 0),
            ("@ | Less gas", "@ | Less gas", "Less gas", 0),
            ("DRAFT", "DRAFT", "1. Aims", 1),
        ] {
            let document = laid_out(first, head);
            assert_eq!(document.title, title, "{first}");
            assert_eq!(document.text.replace("**", "").matches(title).count(), times, "{first}: {}", document.text);
        }
        let document = laid_out("GN-24\n\nLess gas in kilns", "Less gas in kilns");
        assert!(document.text.starts_with("GN-24\n\nLess gas in kilns\n\n## 1. Aims"), "{}", document.text);
        let other = laid_out("Norwind Ltd\n\n# Less gas in kilns", "Norwind Ltd");
        assert_eq!(other.title, "Less gas in kilns", "a heading that begins no numbered section");
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
    fn page_numbers_that_change_sides_are_found_on_every_page() {
        let texts = [1, 2, 3, 4, 5].map(|n| {
            let head = if n % 2 == 1 { format!("Kiln report | {n}") } else { format!("{n} | Kiln report") };
            format!("{head}\n\nFinding {} holds.\n", ["a", "b", "c", "d", "e"][n - 1])
        });
        let text = paged(&texts.each_ref().map(String::as_str));
        assert!(text.starts_with("Finding a holds.\n\nFinding b holds."), "{text}");
        assert!(!text.contains("Kiln report"), "{text}");
    }
}
