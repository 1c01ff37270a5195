//! Headings, found in the plain lines of paged formats, and the sections that they begin.

use std::sync::LazyLock;

use regex::Regex;

use crate::document::{Section, Span, Unit, UnitKind};
use crate::text::figures;

static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\*\*)?(제\s?[0-9]+\s?[장절]|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ]+\.|[0-9]{1,2}(\.[0-9]{1,2}){0,2}\.?)\s+\S.{0,58}$")
        .expect("a constant pattern")
});

/// True for the heading of a numbered section: `1. Aims`, `제2장 …`.
pub(super) fn is_numbered(heading: &str) -> bool {
    NUMBERED.is_match(heading)
}

/// Numbered headings that a paged format shows as plain short lines become Markdown headings. Figures that begin a line (`12 Ah급 셀`)
/// are none, nor are the items of a list: numbered lines that follow each other, each alone, with nothing between.
pub(super) fn mark_headings(page: &mut [String]) {
    let is_blank = |i: Option<usize>| i.and_then(|i| page.get(i)).is_none_or(|line| line.trim().is_empty());
    let filled: Vec<usize> = (0..page.len()).filter(|i| !is_blank(Some(*i))).collect();
    let alone: Vec<bool> = filled.iter().map(|i| is_blank(i.checked_sub(1)) && is_blank(Some(i + 1))).collect();
    let labels: Vec<Option<Vec<u32>>> =
        filled.iter().zip(&alone).map(|(i, alone)| label(&page[*i]).filter(|_| *alone)).collect();
    let is_next = |a: Option<&Option<Vec<u32>>>, b: Option<&Option<Vec<u32>>>| {
        a.and_then(Option::as_deref).zip(b.and_then(Option::as_deref)).is_some_and(|(a, b)| follows(a, b))
    };
    for (n, &i) in filled.iter().enumerate() {
        let line = &page[i];
        let ends = line.trim_end_matches('*').ends_with(|c: char| c.is_alphanumeric() || c == ')');
        let verb = line.trim_end_matches('*').ends_with(['다', '음', '임']) && line.chars().count() > 25;
        let own = labels.get(n);
        let is_item = is_next(own, labels.get(n + 1)) || is_next(n.checked_sub(1).and_then(|n| labels.get(n)), own);
        if alone[n] && ends && !verb && !is_item && is_numbered(line) && !begins_with_a_figure(line) {
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

/// Sections by Markdown headings; slides and sheets are sections of their own.
pub(super) fn sections(text: &str, units: &[Unit]) -> Vec<Section> {
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
    use super::super::assemble;
    use super::super::tests::{paged, pages};
    use crate::document::UnitKind;

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
        let listed = "3. 연구 내용\n\n1. 소재 개발\n2. 공정 개발\n3. 셀 평가\n\n4. 결론\n\n본문이다.";
        let expected = listed.replace("3. 연구", "## 3. 연구").replace("4. 결론", "## 4. 결론");
        assert_eq!(paged(&[listed]).trim(), expected);
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
}
