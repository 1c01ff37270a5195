//! What the head of a document states where neither a record nor the sector says it: who did the work, and in which year.
//!
//! In: a document's text. Out: the value of `Institution: X`, `수행기관: X` or `| 기관명 | X |`; the year of `연도: 2019`, else the last
//! one of `기간: 2021-03 ~ 2022-12`; `None` where the head names several. Knows field names ([`fields`]), not institutes: only of names
//! that also mean something else (`기관`, an engine) the value must look like one.

use std::sync::LazyLock;

use regex::Regex;

use crate::text::{fields, institutes, may_be_year, names_nobody, rows};

/// Bytes in which the line stands: a cover page, or what comes before the first section.
const HEAD: usize = 4000;
/// Longest name of an institution, in characters.
const LONGEST: usize = 80;
/// Characters in which the name of a field is looked for before its colon.
const FIELD_NAME: usize = 40;
const COLON: [char; 2] = [':', '：'];
/// Names of the institution that are also those of other things, or of persons.
const VAGUE: [&str; 5] = ["기관", "institute", "coordinator", "performer", "lead partner"];
/// First words of names that are written in two: `연구 기간`, `총 연구비`.
const FIRST_WORDS: [&str; 12] =
    ["총", "전체", "당해", "연구", "연구개발", "조사", "과제", "사업", "수행", "시험", "실증", "협약"];
/// Fields whose names have such a first word.
const OF_TWO_WORDS: [&str; 5] = ["period", "start", "end", "budget", "lead"];
/// Fields whose values do not end in such a word; a title may (`저온 소결 연구`).
const CLOSED: [&str; 8] = ["institution", "partners", "lead", "budget", "period", "start", "end", "year"];

/// The institution that the head of `text` states.
pub(super) fn institution(text: &str) -> Option<String> {
    agreed(stated(text).into_iter().filter_map(|(name, value)| institution_in(name, value)))
}

/// The year that the head of `text` states, else the last one of the period that it does.
pub(super) fn year(text: &str) -> Option<i32> {
    let stated = stated(text);
    let of = |field: &'static str| {
        let values = stated.iter().filter(move |(name, _)| is_named(bare(name), field));
        values.map(|(_, value)| value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_')))
    };
    let mut years = of("year").filter_map(plain_year).peekable();
    if years.peek().is_some() { agreed(years) } else { agreed(of("period").filter_map(last_year)) }
}

/// What all say.
fn agreed<T: PartialEq>(mut found: impl Iterator<Item = T>) -> Option<T> {
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// Names and values of the lines of the head.
fn stated(text: &str) -> Vec<(&str, &str)> {
    let head = &text[..text.floor_char_boundary(HEAD)];
    // A line that is cut off names something else.
    let whole = if head.len() < text.len() { head.rfind('\n').unwrap_or(0) } else { head.len() };
    let lines: Vec<&str> = head[..whole].lines().collect();
    lines.iter().enumerate().flat_map(|(i, &line)| of_line(line, &lines[i + 1..])).collect()
}

fn of_line<'t>(line: &'t str, next: &[&str]) -> Vec<(&'t str, &'t str)> {
    if rows::is_row(line) {
        // The header of a table of several columns names no values: what stands under it would be pairs, too.
        let is_header = next.first().is_some_and(|l| rows::may_be_rule(l));
        let below = next.get(1).filter(|l| is_header && rows::is_row(l));
        let pairs = rows::pairs(line).filter(|_| below.is_none_or(|l| rows::pairs(l).is_some()));
        return pairs.unwrap_or_default();
    }
    if let Some(year) = line_of_a_year(line) {
        return vec![year];
    }
    let pieces = line.split(['|', ';']).flat_map(|piece| piece.split("  "));
    pieces.flat_map(facts).collect()
}

/// `연도 2019`, a line of its own without a colon, which is no heading and no end of a sentence.
fn line_of_a_year(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, value) = line.rsplit_once(' ')?;
    let begins = !line.starts_with(|c: char| c == '#' || c.is_lowercase());
    (begins && is_named(bare(name), "year") && plain_year(value).is_some()).then_some((name, value))
}

/// `과제명: 소성로 수행기관: 한빛요업 기간: 2021`: a PDF's lines come as one. Names and values, the first at the start.
fn facts(piece: &str) -> Vec<(&str, &str)> {
    let Some((mut name, mut rest)) = piece.split_once(COLON) else { return Vec::new() };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((colon, mark)) = rest[from..].match_indices(COLON).next().map(|(at, mark)| (from + at, mark)) {
        from = colon + mark.len();
        if let Some(at) = name_start(&rest[..colon]) {
            let at = first_word(name, &rest[..colon], at);
            found.push((name, &rest[..at]));
            (name, rest, from) = (&rest[at..colon], &rest[from..], 0);
        }
    }
    found.push((name, rest));
    if fields::field(found[0].0).is_some() { found } else { found.into_iter().take(1).collect() }
}

/// Where the known name of a field starts that stands at the end of `before`, a colon behind it: the longest of up to three words.
pub(super) fn name_start(before: &str) -> Option<usize> {
    let before = before.trim_end();
    let from = before.char_indices().rev().take(FIELD_NAME).last().map_or(0, |(i, _)| i);
    let words = before[from..].rmatch_indices(' ').map(|(i, _)| from + i + 1);
    let words = words.chain((from == 0).then_some(0)).take(3);
    words.filter(|i| fields::field(&before[*i..]).is_some()).last()
}

/// The same with words before the one at `at` that are of the name (`조사 기간`), where what stands before is the value of the field
/// `name` and such a word would not be of it.
pub(super) fn first_word(name: &str, before: &str, at: usize) -> usize {
    let name = bare(name);
    let known = name_start(name).map_or(name, |start| &name[start..]);
    let is_value = CLOSED.iter().any(|field| is_named(known, field)) && !before.contains(COLON);
    if !is_value || !OF_TWO_WORDS.iter().any(|field| is_named(&before[at..], field)) {
        return at;
    }
    let mut start = at;
    while let Some((rest, word)) = before[..start].trim_end().rsplit_once(' ')
        && FIRST_WORDS.contains(&word)
    {
        start = rest.len() + 1;
    }
    start
}

/// True for a name of this field, perhaps set apart (`수 행 기 관`).
fn is_named(name: &str, field: &str) -> bool {
    let is = |name: &str| fields::field(name).is_some_and(|found| Some(found) == fields::field(field));
    is(name) || is(&name.split_whitespace().collect::<String>())
}

/// A name without numbers and marks: `1. **수행기관**`.
fn bare(name: &str) -> &str {
    name.trim_start_matches(|c: char| !c.is_alphabetic()).trim_end_matches(['*', '_', ' '])
}

/// `2019`, `2019년`, `2019년도` and nothing else.
fn plain_year(value: &str) -> Option<i32> {
    let year = value.strip_suffix("년도").or_else(|| value.strip_suffix('년')).unwrap_or(value);
    if year.len() == 4 && may_be_year(year) { year.parse().ok() } else { None }
}

/// The last year of a period that is told in dates alone: `2021-03 ~ 2022-12`, `2021년 3월 ~ 12월`, `May 2019 to October 2022`.
fn last_year(value: &str) -> Option<i32> {
    static PERIOD: LazyLock<Regex> = LazyLock::new(|| {
        let day = "(?:0?[1-9]|[12][0-9]|3[01])";
        let month = format!(r"(?:0?[1-9]|1[0-2])(?:\s?[.\-/월]\s?{day})?");
        let name = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*";
        let date = format!(r"(?:(?:{day}\s)?{name}\.?\s)?([0-9]{{4}})(?:\s?[.\-/년]\s?{month})?\s?[.년월일]?");
        let to = r"\s*(?:[~∼〜～–—-]|to\s|until\s|부터)\s*";
        let pattern =
            format!(r"(?i)^{date}(?:{to}(?:{date}|{month}\s?[.월일]?))?(?:\s?까지)?\s*(?:[(（\[][^)）\]]*[)）\]])?$");
        Regex::new(&pattern).expect("a constant pattern")
    });
    let found = PERIOD.captures(value)?;
    let year = |at: usize| found.get(at).and_then(|digits| plain_year(digits.as_str()));
    let (first, last) = (year(1)?, found.get(2).map_or(year(1), |_| year(2))?);
    (first <= last).then_some(last)
}

/// The institution if `name` is the field's, perhaps numbered, marked or set apart (`1. 수 행 기 관`).
fn institution_in(name: &str, value: &str) -> Option<String> {
    let name = bare(name);
    if !is_named(name, "institution") {
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
            ("수행기관: 한빛연구원 조사 기간: 2021년 3월 ~ 5월", "한빛연구원"),
            ("주관기관: 한빛연구원 총 연구 기간: 2021 ~ 2023", "한빛연구원"),
        ] {
            assert_eq!(institution(text).as_deref(), Some(expected), "{text}");
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
            assert_eq!(institution(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_word_of_a_name_of_two_is_no_part_of_a_value_and_the_last_one_of_a_title_stays() {
        assert_eq!(
            facts("수행기관: 가온 조사 기간: 2021 과제명: 막 연구 기간: 2022"),
            [("수행기관", " 가온 "), ("조사 기간", " 2021 "), ("과제명", " 막 연구 "), ("기간", " 2022")]
        );
        assert_eq!(facts("수행기관: 가온 주소: 남쪽 연구 기간: 2022")[0], ("수행기관", " 가온 주소: 남쪽 연구 "));
    }

    #[test]
    fn a_line_near_the_head_says_the_year_else_the_period_its_last_one() {
        for (text, expected) in [
            ("# Kilns\n\nInstitution: Norwind Institute\nYear: 2016\n\nIn 2011 it was built.\n", 2016),
            ("보고서\n\n- **연도:** 2017년\n", 2017),
            ("보고서\n\n수행기관: 한빛요업\n연도 2018\n", 2018),
            ("| 수행기관 | 한빛요업 | 연도 | 2014 |\n|---|---|---|---|\n", 2014),
            ("수행기관: 한빛요업 연도: 2015 기간: 2011 ~ 2013", 2015),
            ("Year: 2016\n\nPeriod: 2012 - 2014\n", 2016),
            ("기간: 2011.04 ~ 2013.03", 2013),
            ("연구 기간: 2011년 4월 1일부터 2013년 3월 31일까지 (24개월)", 2013),
            ("기간: 2012년 4월 ~ 9월", 2012),
            ("Duration: May 2012 to October 2014.", 2014),
            ("Period: 2012-2014", 2014),
        ] {
            assert_eq!(year(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_statement_of_one_year_gives_none() {
        for text in [
            "The kiln was built in 2016.",
            "It was the year 2016\nthat counted.",
            "year 2016",
            "Year 2016 was dry.",
            "## Year 2016",
            "Year: 2016\n\nYear: 2017\n",
            "Year: 1016",
            "Year: 2016 and 2017",
            "Year: the kilns of 2016",
            "| Year | Kilns |\n|---|---|\n| 2016 | 3 |\n",
            "| Year | 2016 |\n|---|---|\n| Kilns | 3 |\n",
            "연도 2016 2017 2018",
            "기간: 24개월",
            "기간: 2012 ~ 현재",
            "기간: 2012-14",
            "기간: 2014 ~ 2012",
            "기간: 2012년에 시작해 2014년에 끝났다",
            "보증 기간: 2012 ~ 2014",
            "기간: 2011 ~ 2012\n\n기간: 2013 ~ 2014\n",
        ] {
            assert_eq!(year(text), None, "{text}");
        }
    }
}
