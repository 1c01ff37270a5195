//! Who did the work, where neither a record nor the sector says it: a line near the head that names the institute.
//!
//! In: a document's text. Out: the value of `Institution: X`, `수행기관: X` or `| 기관명 | X |`; `None` where the head names several. Knows field names
//! ([`fields`]), not institutes: only of names that also mean something else (`기관`, an engine) the value must look like one.

use crate::text::{fields, institutes, names_nobody, rows};

/// Bytes in which the line stands: a cover page, or what comes before the first section.
const HEAD: usize = 4000;
/// Longest name, in characters.
const LONGEST: usize = 80;
const COLON: [char; 2] = [':', '：'];
/// Names of the field that are also those of other things, or of persons.
const VAGUE: [&str; 5] = ["기관", "institute", "coordinator", "performer", "lead partner"];

/// The institution that the head of `text` states.
pub(super) fn stated(text: &str) -> Option<String> {
    let head = &text[..text.floor_char_boundary(HEAD)];
    // A line that is cut off names something else.
    let whole = if head.len() < text.len() { head.rfind('\n').unwrap_or(0) } else { head.len() };
    let lines: Vec<&str> = head[..whole].lines().collect();
    let mut found = lines.iter().enumerate().flat_map(|(i, line)| of_line(line, &lines[i + 1..]));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

fn of_line(line: &str, next: &[&str]) -> Vec<String> {
    if rows::is_row(line) {
        // The header of a table of several columns names no values: what stands under it would be pairs, too.
        let is_header = next.first().is_some_and(|l| rows::may_be_rule(l));
        let below = next.get(1).filter(|l| is_header && rows::is_row(l));
        let pairs = rows::pairs(line).filter(|_| below.is_none_or(|l| rows::pairs(l).is_some()));
        return pairs.into_iter().flatten().filter_map(|(name, value)| value_of(name, value)).collect();
    }
    let pieces = line.split(['|', ';']).flat_map(|piece| piece.split("  "));
    pieces.flat_map(facts).filter_map(|(name, value)| value_of(name, value)).collect()
}

/// `과제명: 소성로 수행기관: 한빛요업 기간: 2021`: a PDF's lines come as one. Names and values, the first at the start.
fn facts(piece: &str) -> Vec<(&str, &str)> {
    let Some((mut name, mut rest)) = piece.split_once(COLON) else { return Vec::new() };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((colon, mark)) = rest[from..].match_indices(COLON).next().map(|(at, mark)| (from + at, mark)) {
        from = colon + mark.len();
        let words = rest[..colon].rmatch_indices(' ').map(|(at, _)| at).take(3);
        if let Some(at) = words.filter(|at| fields::field(&rest[*at..colon]).is_some()).last() {
            found.push((name, &rest[..at]));
            (name, rest, from) = (&rest[at..colon], &rest[from..], 0);
        }
    }
    found.push((name, rest));
    if fields::field(found[0].0).is_some() { found } else { found.into_iter().take(1).collect() }
}

/// The value if `name` is the field's, perhaps numbered, marked or set apart (`1. 수 행 기 관`).
fn value_of(name: &str, value: &str) -> Option<String> {
    let name = name.trim_start_matches(|c: char| !c.is_alphabetic()).trim_end_matches(['*', '_', ' ']);
    let joined: String = name.split_whitespace().collect();
    let is = |name: &str| fields::field(name).is_some_and(|f| Some(f) == fields::field("institution"));
    if !is(name) && !is(&joined) {
        return None;
    }
    let value = value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | ',' | '-'));
    let company = ["Ltd.", "Inc.", "Corp.", "Co."].iter().any(|form| value.ends_with(form));
    let value = if company { value } else { value.trim_end_matches('.') };
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    let placeholder = value.starts_with(['(', '[', '<']) || value.contains(['○', '〇', '◯']) || value.contains(COLON);
    let sentence = value.ends_with(['다', '요']) || value.contains(". ") || value.chars().count() > LONGEST;
    let vague = VAGUE.contains(&name.to_lowercase().as_str()) && institutes(value).next().is_none();
    (letters >= 2 && !placeholder && !names_nobody(value) && !sentence && !vague).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_near_the_head_names_the_institution() {
        for (text, expected) in [
            ("# Report\n\nTitle: Kilns\nInstitution: Norwind Institute\nPeriod: 2021\n", "Norwind Institute"),
            ("보고서\n\n수행기관: 한빛전지연구원\n", "한빛전지연구원"),
            ("보고서\n\n- **기관명:** 가온\n", "가온"),
            ("1. 주 관 기 관 ： 가온에너지소재(주)", "가온에너지소재(주)"),
            ("| 과제명 | 소성로 |\n|---|---|\n| 주관기관 | 한빛요업 |\n", "한빛요업"),
            ("| 주관기관 | 한빛요업 | 연구책임자 | 김하늘 |\n|---|---|---|---|\n", "한빛요업"),
            ("수행기관: 한빛요업 연구책임자: 김하늘", "한빛요업"),
            ("과제명: 얇은 분리막 수행기관: 가온에너지소재 기간: 2022", "가온에너지소재"),
            ("Title: Kilns: a report Lead institution: Kiln Works Period: 2021", "Kiln Works"),
            ("Host institution: Kiln Works Ltd.", "Kiln Works Ltd."),
            ("기관: 한빛연구원\n\n주관기관: 한빛연구원\n", "한빛연구원"),
        ] {
            assert_eq!(stated(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_statement_of_one_institution_gives_none() {
        let far = format!("{}\n\nInstitution: Norwind Institute\n", "The kiln was fired. ".repeat(300));
        let cut = format!("{}\nInstitution: Norwind Institute of Kilns\n", "-".repeat(HEAD - 30));
        for text in [
            &cut,
            "The institution: it was founded late.",
            "Institution: A Institute\n\nInstitution: B Institute\n",
            "| 기관 | 용량 |\n|---|---|\n| 가온 | 300 |\n",
            "| 수행기관 | 비중 |\n|---|---|\n| 가온 | 30 |\n",
            "| 수행기관 | 비중 |\n| - | - |\n| 가온 | 30 |\n",
            "기관: 4기통 디젤",
            "Coordinator: Ida Morrow",
            "주관기관: (기재)\n수행기관: ○○대학교\n기관명: 미정",
            "주관기관: 비공개 (심사용)",
            "수행기관: 추후 선정",
            "Institution: to be determined",
            "참여기관: 한빛요업",
            "수행기관: 두 곳이 나누어 하였다",
            "We asked two things of the institution: its size and year",
            &far,
        ] {
            assert_eq!(stated(text), None, "{text}");
        }
    }
}
