//! Blocks of Markdown: which lines are one heading, table row, list item or paragraph.

use super::super::figures;
use super::{columns, is_final_ending, is_hangul, is_stop};
use crate::document::Span;

pub(super) enum Block {
    /// One unit, whatever stops it holds: a heading, a table row, a line of code.
    Whole(Span),
    /// Running text of one paragraph or list item.
    Prose(Span),
}

pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut prose: Option<Span> = None;
    let mut in_code = false;
    let mut start = 0;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // One line alone that begins with a word and a colon may be any sentence, wrapped.
    let named: Vec<bool> = lines.iter().map(|line| list_marker(line).is_none() && states_a_value(line)).collect();
    let mut named_first = false;
    let in_a_run = |i: usize| named[i] && (i > 0 && named[i - 1] || named.get(i + 1) == Some(&true));
    for (i, line) in lines.iter().copied().enumerate() {
        let span = Span { start, end: start + line.len() };
        start = span.end;
        let trimmed = line.trim();
        let fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if fence || in_code || trimmed.is_empty() || is_heading(trimmed) || trimmed.starts_with('|') || is_rule(trimmed)
        {
            blocks.extend(prose.take().map(Block::Prose));
            in_code ^= fence;
            if !fence && !trimmed.is_empty() {
                blocks.push(Block::Whole(span));
            }
            continue;
        }
        let apart = in_a_run(i) || named[i] && named_first || i > 0 && in_a_run(i - 1) && !goes_on(lines[i - 1], line);
        let marker = list_marker(line).filter(|_| prose.is_none() || !is_minus(&lines, i));
        match (marker, &mut prose) {
            (None, Some(open)) if !apart => open.end = span.end,
            (marker, _) => {
                blocks.extend(prose.take().map(Block::Prose));
                prose = Some(Span { start: span.start + marker.unwrap_or(0), end: span.end });
                named_first = named[i];
            }
        }
    }
    blocks.extend(prose.map(Block::Prose));
    blocks
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - rest.len())) && (rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// `---`, `***`, `===`: a thematic break or the underline of a heading.
fn is_rule(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '*' | '_' | '=' | ' '))
}

/// `Institution: X`, `**연구 기간:** 2021`, as the head of a report has them: a short name, a colon, a value.
fn states_a_value(line: &str) -> bool {
    let Some((name, value)) = line.trim().split_once([':', '：']) else { return false };
    let name = name.trim_matches(['*', '_', ' ']);
    let short = name.chars().count() <= 30 && name.split_whitespace().count() <= 4;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '/' | '(' | ')' | '·' | '&');
    let apart =
        value.starts_with([' ', '\t', '*', '_']) || name.ends_with(is_hangul) && !value.starts_with(char::is_numeric);
    short
        && name.starts_with(char::is_alphabetic)
        && name.chars().all(plain)
        && apart
        && value.chars().any(char::is_alphanumeric)
}

/// True where the value of `line` was wrapped: its line is full, or what follows begins as no sentence does.
fn goes_on(line: &str, next: &str) -> bool {
    columns(line.trim_end()) > 60
        || line.trim_end().ends_with([',', '-', '·'])
        || next.starts_with(|c: char| c.is_whitespace() || c.is_lowercase())
}

pub(super) const BULLETS: &[char] = &[
    '-', '*', '+', '>', '•', '·', '∙', '‧', '◦', '▪', '■', '□', '○', '●', '◎', '◆', '◇', '▶', '▷', '►', '※', 'ㅇ', '➢',
    '➤', '✓', '\u{F0B7}', '\u{F06C}', 'o',
];

/// For a line that starts a list item: how many bytes of it are indentation and bullet.
fn list_marker(line: &str) -> Option<usize> {
    let item = line.trim_start();
    let indent = line.len() - item.len();
    let rest = item.trim_start_matches('>').trim_start();
    let quoted = item.len() - rest.len();
    if let Some(after) = rest.strip_prefix(BULLETS)
        && after.starts_with([' ', '\t', '\u{A0}'])
    {
        return Some(indent + item.len() - after.len());
    }
    if quoted > 0 || is_numbered(rest) { Some(indent + quoted) } else { None }
}

/// `… 온도를` / `- 20 ℃로 낮추었다`: at the start of a wrapped line the dash before a temperature is its sign. A list has an item
/// above or below, or a line above that ends.
fn is_minus(lines: &[&str], i: usize) -> bool {
    let is_item = |line: Option<&&str>| line.is_some_and(|line| list_marker(line).is_some());
    let above = i.checked_sub(1).and_then(|i| lines.get(i));
    let goes_on = above.is_some_and(|line| {
        let last = line.trim_end().chars().next_back();
        last.is_some_and(|c| !is_stop(c) && !is_final_ending(c) && !matches!(c, ':' | '：' | ';'))
    });
    let is_temperature = |rest: &str| {
        figures(rest.trim_start()).first().is_some_and(|figure| figure.span.start == 0 && figure.unit == "°C")
    };
    let dashed = lines[i].trim_start().strip_prefix("- ");
    goes_on && !is_item(above) && !is_item(lines.get(i + 1)) && dashed.is_some_and(is_temperature)
}

/// `1. `, `12) `, `(3) `, `가. `, `① `.
fn is_numbered(item: &str) -> bool {
    let open = item.strip_prefix('(');
    let label = open.unwrap_or(item);
    let digits = label.bytes().take_while(u8::is_ascii_digit).count();
    let rest = match label.chars().next() {
        Some('①'..='⑳' | '❶'..='❿') => return true,
        Some(c) if is_enumerator(c) => &label[c.len_utf8()..],
        _ if (1..=3).contains(&digits) => &label[digits..],
        _ => return false,
    };
    let mut after = rest.chars();
    let closed = match after.next() {
        Some(')') => true,
        Some('.') => open.is_none(),
        _ => false,
    };
    closed && after.next().is_none_or(char::is_whitespace)
}

/// The syllables Korean lists are numbered with.
pub(super) fn is_enumerator(c: char) -> bool {
    "가나다라마바사아자차카타파하".contains(c)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn a_minus_at_the_start_of_a_wrapped_line_is_no_bullet() {
        check("전지는 저온인\n- 20 ℃에서 시험하였다.", &["전지는 저온인\n- 20 ℃에서 시험하였다."]);
        check("The cells stood at\n- 20 °C for a week.", &["The cells stood at\n- 20 °C for a week."]);
        check("시험 조건\n- 25 ℃ 방치\n- 45 ℃ 방치", &["시험 조건", "25 ℃ 방치", "45 ℃ 방치"]);
        check("다음에서 보았다.\n- 25 ℃ 방치", &["다음에서 보았다.", "25 ℃ 방치"]);
        check("시험 조건\n- 셀 20개", &["시험 조건", "셀 20개"]);
    }

    #[test]
    fn structure_makes_spans_of_its_own() {
        let text = "# 1. 개요. 목적\n본문은\n두 줄이다. 둘째.\n- 하나. 둘\n  이어짐\n□ 항목\n1. 첫째 일. 끝\n\n| a. B | c |\n|---|---|\n| 1 | 2 |\n***\n> 인용문\n```\nx. Y = 1\n```\n";
        check(
            text,
            &[
                "# 1. 개요. 목적",
                "본문은\n두 줄이다.",
                "둘째.",
                "하나.",
                "둘\n  이어짐",
                "항목",
                "1. 첫째 일.",
                "끝",
                "| a. B | c |",
                "| 1 | 2 |",
                "인용문",
                "x. Y = 1",
            ],
        );
    }

    #[test]
    fn lines_that_name_a_value_each_are_apart() {
        check(
            "Title: Less air\nInstitution: Norwind Institute\n**Period:** 2021. 3. ~ 2023\nWe saved gas. It was\nmuch.\n",
            &[
                "Title: Less air",
                "Institution: Norwind Institute",
                "**Period:** 2021. 3. ~ 2023",
                "We saved gas.",
                "It was\nmuch.",
            ],
        );
        check(
            "과제명: 소성로\n수행기관:한빛요업\n연구 기간 : 2021년",
            &["과제명: 소성로", "수행기관:한빛요업", "연구 기간 : 2021년"],
        );
        check(
            "Institution: Norwind Institute of kilns and of everything else that burns\ngas in a hall\nPeriod: 2021\nStatus: over",
            &[
                "Institution: Norwind Institute of kilns and of everything else that burns\ngas in a hall",
                "Period: 2021",
                "Status: over",
            ],
        );
        check("Keywords: kiln,\nglaze\nStage: TRL 5", &["Keywords: kiln,\nglaze", "Stage: TRL 5"]);
        check("A report\nStage: TRL 5\nStatus: over", &["A report", "Stage: TRL 5", "Status: over"]);
    }

    #[test]
    fn lines_of_wrapped_prose_still_join() {
        check(
            "The kiln was fired twice in the\nsecond year: at first with gas, then with\nhydrogen from the harbour.",
            &["The kiln was fired twice in the\nsecond year: at first with gas, then with\nhydrogen from the harbour."],
        );
        check(
            "It began at\n10:30 and ended at\n11:45 on Monday.",
            &["It began at\n10:30 and ended at\n11:45 on Monday."],
        );
        check(
            "두 가지를 보았다. 하나는\n온도: 높았고\n둘째는 압력이다.",
            &["두 가지를 보았다.", "하나는\n온도: 높았고\n둘째는 압력이다."],
        );
        check(
            "See\nhttp://a.example\nhttp://b.example for more.",
            &["See\nhttp://a.example\nhttp://b.example for more."],
        );
    }
}
