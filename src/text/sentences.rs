//! Where sentences begin and end in Korean and English Markdown.
//!
//! First lines are gathered into blocks (a heading, a table row, a list item, a paragraph), then each
//! paragraph is cut after its full stops. A citation marker `[1]` stays with the sentence it follows.

use super::figures;
use crate::document::Span;

/// Sentence spans of `text` in order (Korean and English; headings, list items and table rows are their own).
///
/// Spans are disjoint, trimmed of white space and hold at least one letter or digit. A heading keeps
/// its `#` and a table row its `|`, so that a reader can tell them from prose; bullets (`-`, `•`, `□`)
/// are left out, numbers of lists stay.
///
/// ```
/// use sectora::text::sentences;
/// let text = "Cells lasted 800 cycles (Fig. 3). [2] 용량은 1.5배가 되었다.";
/// let found: Vec<&str> = sentences(text).iter().map(|s| s.slice(text)).collect();
/// assert_eq!(found, ["Cells lasted 800 cycles (Fig. 3). [2]", "용량은 1.5배가 되었다."]);
/// ```
pub fn sentences(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for block in blocks(text) {
        match block {
            Block::Whole(span) => push(text, span, &mut spans),
            Block::Prose(span) => split_prose(text, span, &mut spans),
        }
    }
    spans
}

enum Block {
    /// One unit, whatever stops it holds: a heading, a table row, a line of code.
    Whole(Span),
    /// Running text of one paragraph or list item.
    Prose(Span),
}

fn blocks(text: &str) -> Vec<Block> {
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
    let columns: usize = line.trim_end().chars().map(|c| if is_hangul(c) { 2 } else { 1 }).sum();
    columns > 60
        || line.trim_end().ends_with([',', '-', '·'])
        || next.starts_with(|c: char| c.is_whitespace() || c.is_lowercase())
}

const BULLETS: &[char] = &[
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
fn is_enumerator(c: char) -> bool {
    "가나다라마바사아자차카타파하".contains(c)
}

fn split_prose(text: &str, block: Span, spans: &mut Vec<Span>) {
    let mut start = block.start;
    let mut at = block.start;
    while at < block.end {
        let Some(c) = text[at..block.end].chars().next() else { break };
        let after = at + c.len_utf8();
        if let Some(begin) = inline_item(&text[start..at], c, &text[after..block.end]) {
            push(text, Span { start, end: at }, spans);
            start = at + begin;
            at = after;
        } else if is_stop(c) {
            let end = after + tail_len(&text[after..block.end]);
            if ends_sentence(&text[start..at], c, &text[after..end], &text[end..block.end]) {
                let end = end + markers_len(&text[end..block.end]);
                push(text, Span { start, end }, spans);
                start = end;
            }
            at = end.max(start);
        } else {
            at = after;
        }
    }
    push(text, Span { start, end: block.end }, spans);
}

/// List items that lost their line breaks, as in Korean notices taken from PDF: `… 제출함 □ 신청 자격 ① …`.
/// Where the item's text begins after the start of its mark `c`, if it is one; `before` is the sentence so far.
fn inline_item(before: &str, c: char, rest: &str) -> Option<usize> {
    let apart = || before.ends_with(char::is_whitespace) && !before.trim().is_empty();
    let spaced = || rest.starts_with(char::is_whitespace) && apart();
    match c {
        '-' => {
            let said = || before.trim_end().ends_with(|c: char| is_final_ending(c) || c == '등' || c == ')');
            (spaced() && said() && rest.trim_start().starts_with(is_hangul)).then_some(1)
        }
        '·' | '•' | '∙' | '‧' | '*' | '+' | '>' | 'o' => None,
        '①'..='⑳' | '❶'..='❿' => apart().then_some(0),
        _ if BULLETS.contains(&c) => spaced().then_some(c.len_utf8()),
        _ => None,
    }
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '?' | '!' | '…' | '。' | '．' | '！' | '？')
}

/// Further stops, closing quotes and brackets, and citation markers that touch the stop.
fn tail_len(rest: &str) -> usize {
    let mut len = 0;
    while let Some(c) = rest[len..].chars().next() {
        if is_stop(c)
            || matches!(
                c,
                '"' | '\''
                    | '”'
                    | '’'
                    | ')'
                    | ']'
                    | '}'
                    | '」'
                    | '』'
                    | '》'
                    | '〉'
                    | '】'
                    | '*'
                    | '_'
                    | '¹'
                    | '²'
                    | '³'
                    | '⁰'..='⁹'
            )
        {
            len += c.len_utf8();
        } else {
            let marker = marker_len(&rest[len..]);
            if marker == 0 {
                break;
            }
            len += marker;
        }
    }
    len
}

/// Citation markers after the stop, spaces between allowed, on the same line.
fn markers_len(rest: &str) -> usize {
    let mut len = 0;
    loop {
        let spaces = rest[len..].bytes().take_while(|&b| b == b' ').count();
        let marker = marker_len(&rest[len + spaces..]);
        if marker == 0 {
            return len;
        }
        len += spaces + marker;
    }
}

/// `[1]`, `[1, 3]`, `[2-4]`, `[^5]`: its length, or 0.
fn marker_len(rest: &str) -> usize {
    let Some(inner) = rest.strip_prefix('[') else { return 0 };
    let len =
        inner.bytes().take(40).take_while(|b| b.is_ascii_digit() || matches!(b, b',' | b'-' | b' ' | b'^')).count();
    let inside = &inner[..len];
    // A Markdown link with digits for its text is no marker.
    let closed = inner[len..].starts_with(']') && !inner[len + 1..].starts_with('(');
    if closed && inside.bytes().any(|b| b.is_ascii_digit()) { len + 2 } else { 0 }
}

/// Whether `stop` ends a sentence: `before` is the sentence so far, `tail` the quotes and brackets
/// that touch the stop, `rest` what follows.
fn ends_sentence(before: &str, stop: char, tail: &str, rest: &str) -> bool {
    let Some(next) = rest.chars().next() else { return true };
    if matches!(stop, '。' | '！' | '？') {
        return true;
    }
    let last = before.chars().next_back().unwrap_or(' ');
    if !next.is_whitespace() {
        // 했다.그리고: a lost space. Otherwise 3.5, example.org, "…다."라고.
        return tail.is_empty() && is_final_ending(last) && is_hangul(next);
    }
    if matches!(stop, '?' | '!') {
        return true;
    }
    let following = rest.trim_start();
    let Some(next) = following.chars().next() else { return true };
    // `20 … 40 °C`: from one figure to another.
    if (stop == '…' || tail.starts_with("..")) && next.is_ascii_digit() {
        return false;
    }
    if is_hangul(last) {
        return !is_bare_label(before);
    }
    if last.is_whitespace() {
        return true;
    }
    if last.is_ascii_digit() {
        return !is_bare_label(before)
            && !next.is_ascii_digit()
            && may_start_sentence(following)
            && !ends_with_date(before);
    }
    let word = last_word(before);
    if word.is_empty() {
        return may_start_sentence(following);
    }
    if tail.is_empty() && is_abbreviation(word, following) && !is_unit(before, word) {
        return false;
    }
    may_start_sentence(following)
}

/// A lower-case word goes on with the sentence before it, but pH and mRNA may start one.
fn may_start_sentence(following: &str) -> bool {
    let mut word = following.chars().take_while(|c| c.is_alphanumeric());
    !following.starts_with(char::is_lowercase) || word.any(|c| c.is_uppercase() || c.is_ascii_digit())
}

fn is_hangul(c: char) -> bool {
    ('\u{AC00}'..='\u{D7A3}').contains(&c)
}

/// Syllables Korean sentences end with.
fn is_final_ending(c: char) -> bool {
    matches!(c, '다' | '요' | '음' | '함' | '임' | '됨' | '까' | '죠' | '오')
}

/// True when the sentence so far is only the number of a list item (`1`, `12`, `가`, `(2`) or of a figure or table above its caption
/// (`Fig. 2`, `그림 3`).
fn is_bare_label(before: &str) -> bool {
    let label = before.trim().trim_start_matches(['(', '*', '<', '[']);
    let mut chars = label.chars();
    let lone = chars.next().is_some_and(is_enumerator) && chars.next().is_none();
    let number = label.len() <= 3 && !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    lone || number || is_caption_label(label)
}

/// What the numbers of figures and tables stand behind.
const CAPTIONS: [&str; 11] = ["fig", "figs", "figure", "table", "tab", "scheme", "box", "그림", "표", "사진", "도표"];

fn is_caption_label(label: &str) -> bool {
    // The longest name and a number such as 12-3.
    if label.len() > 16 {
        return false;
    }
    let name = label.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let has_number = label[name.len()..].contains(|c: char| c.is_ascii_digit());
    has_number && CAPTIONS.contains(&name.trim_end_matches(['.', ' ', '\u{A0}']).to_lowercase().as_str())
}

/// True after `2024. 3`, `2024. 3. 15` or `3. 15`: dates are written with stops in Korean.
fn ends_with_date(before: &str) -> bool {
    let mut groups = before.rsplit('.').take(3).map(str::trim_start);
    let number = |g: Option<&str>, most: usize| {
        g.is_some_and(|g| (1..=most).contains(&g.len()) && g.bytes().all(|b| b.is_ascii_digit()))
    };
    let up_to = |g: &str, most: u8| g.len() <= 2 && g.parse().is_ok_and(|n: u8| (1..=most).contains(&n));
    let ends_in_month = |g: &str| up_to(g.rsplit(char::is_whitespace).next().unwrap_or_default(), 12);
    let ends_in_year = |g: Option<&str>| {
        g.is_some_and(|g| {
            let digits = g.bytes().rev().take_while(u8::is_ascii_digit).count();
            digits == 4 || (digits == 2 && g[..g.len() - 2].ends_with(['\'', '’', '‘']))
        })
    };
    let (last, middle, first) = (groups.next(), groups.next(), groups.next());
    let day_of_month = last.is_some_and(|g| up_to(g, 31)) && middle.is_some_and(ends_in_month);
    number(last, 2) && (ends_in_year(middle) || (number(middle, 2) && ends_in_year(first)) || day_of_month)
}

/// The Latin letters (and inner stops, as in `e.g`) right before the stop.
fn last_word(before: &str) -> &str {
    let start = before
        .char_indices()
        .rev()
        .take(12)
        .take_while(|(_, c)| c.is_alphabetic() && !is_hangul(*c) || *c == '.')
        .last();
    start.map_or("", |(i, _)| before[i..].trim_start_matches('.'))
}

/// Abbreviations that never end a sentence before more text of the same paragraph.
const NEVER_LAST: &[&str] = &[
    "fig", "figs", "eq", "eqs", "eqn", "ref", "refs", "sec", "sect", "chap", "ch", "tab", "vol", "pp", "dr", "prof",
    "mr", "mrs", "ms", "st", "vs", "al", "e.g", "i.e", "eg", "ie", "cf", "viz", "approx", "ca", "resp", "ed", "eds",
    "rev", "gen", "sen", "rep", "gov", "univ", "dept", "suppl", "ext",
];
/// Abbreviations before a number.
const BEFORE_NUMBER: &[&str] = &[
    "no", "nos", "p", "art", "par", "para", "ver", "v", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept",
    "oct", "nov", "dec",
];
/// Abbreviations that end a sentence only before a capital.
const BEFORE_LOWER: &[&str] =
    &["etc", "inc", "ltd", "co", "corp", "max", "min", "avg", "est", "temp", "conc", "wt", "a.m", "p.m", "ph.d"];
/// Countries that stand before names (`the U.S. Department of Energy`): they end a sentence only before a word that begins one.
const COUNTRIES: &[&str] = &["u.s", "u.k", "e.u", "u.n"];
/// Words that begin sentences, not names.
const OPENERS: &[&str] = &[
    "the", "a", "an", "this", "that", "these", "those", "it", "its", "they", "their", "we", "our", "he", "she",
    "there", "in", "on", "at", "for", "from", "with", "after", "before", "since", "as", "by", "to", "when", "while",
    "if", "but", "and", "however", "although", "no", "all", "both", "each", "such", "here", "then", "thus",
];
/// Forms of companies that `Co.` stands before.
const BEHIND_COMPANY: &[&str] = &["ltd", "limited", "inc", "kg", "llc", "kgaa"];

/// True for the `V` of `4.2 V` and the `C` of `25 °C`: a unit after its figure, not somebody's initial.
fn is_unit(before: &str, word: &str) -> bool {
    let figure = before[..before.len() - word.len()].trim_end();
    word.chars().count() == 1 && figure.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '°' | 'º' | '/' | '·'))
}

/// True where `word` and its stop go on with the sentence at `following`.
fn is_abbreviation(word: &str, following: &str) -> bool {
    let next = following.chars().next().unwrap_or(' ');
    let mut letters = word.chars();
    if let (Some(initial), None) = (letters.next(), letters.next())
        && initial.is_uppercase()
    {
        return true;
    }
    let lower = word.to_lowercase();
    let listed = |list: &[&str]| list.contains(&lower.as_str());
    let then = |list: &[&str]| {
        let word: String = following.chars().take_while(|c| c.is_alphabetic()).take(12).collect();
        list.contains(&word.to_lowercase().as_str())
    };
    listed(NEVER_LAST)
        || (listed(BEFORE_NUMBER) && next.is_ascii_digit())
        || (listed(BEFORE_LOWER) && !next.is_uppercase() && !is_hangul(next))
        || (listed(COUNTRIES) && !is_hangul(next) && !then(OPENERS))
        || (lower == "co" && then(BEHIND_COMPANY))
}

/// Adds the span without its white space, if it says anything.
fn push(text: &str, span: Span, spans: &mut Vec<Span>) {
    let slice = span.slice(text);
    let start = span.start + (slice.len() - slice.trim_start().len());
    let end = start + slice.trim().len();
    if text[start..end].chars().any(char::is_alphanumeric) {
        spans.push(Span { start, end });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = sentences(text).iter().map(|s| s.slice(text)).collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn korean_sentences_end_at_their_endings() {
        check(
            "용량은 1.5배가 되었다. 수명도 늘었어요. 시험을 마쳤음. 가능한가?",
            &["용량은 1.5배가 되었다.", "수명도 늘었어요.", "시험을 마쳤음.", "가능한가?"],
        );
        check("개발했다.그러나 실패했다.", &["개발했다.", "그러나 실패했다."]);
        check("그는 \"끝났다.\"라고 말했다. 끝.", &["그는 \"끝났다.\"라고 말했다.", "끝."]);
    }

    #[test]
    fn list_items_that_lost_their_line_breaks_are_apart() {
        check(
            "1. 사업 개요 □ 신청 자격 ◦ 대학 및 연구소 - 기업은 공동으로 참여 가능함 - 접수는 3월까지임 ※ 우편 불가",
            &[
                "1. 사업 개요",
                "신청 자격",
                "대학 및 연구소 - 기업은 공동으로 참여 가능함",
                "접수는 3월까지임",
                "우편 불가",
            ],
        );
        check("유형은 ① 주관 ② 공동이다.", &["유형은", "① 주관", "② 공동이다."]);
        check("김○○ 박사와 서울 - 부산 구간, 원·달러를 본다.", &["김○○ 박사와 서울 - 부산 구간, 원·달러를 본다."]);
        check("A - B is a vitamin o kind.", &["A - B is a vitamin o kind."]);
    }

    #[test]
    fn dates_with_stops_stay_whole() {
        check(
            "접수는 2024. 3. 15. 마감한다. 이후는 받지 않는다.",
            &["접수는 2024. 3. 15. 마감한다.", "이후는 받지 않는다."],
        );
        check("접수는 '24. 3. 마감한다.", &["접수는 '24. 3. 마감한다."]);
        check("접수는 3. 15. 마감한다. 끝.", &["접수는 3. 15. 마감한다.", "끝."]);
        check("12. 31. 끝난다.", &["12. 31. 끝난다."]);
        check("비율은 3. 45. 다음은", &["비율은 3. 45.", "다음은"]);
    }

    #[test]
    fn a_unit_of_one_letter_ends_a_sentence() {
        let text = "It kept 84 % at 25 °C. Lithium was charged to 4.2 V. The end by J. Smith came.";
        let found: Vec<&str> = sentences(text).iter().map(|s| s.slice(text)).collect();
        assert_eq!(found, ["It kept 84 % at 25 °C.", "Lithium was charged to 4.2 V.", "The end by J. Smith came."]);
    }

    #[test]
    fn abbreviations_decimals_and_initials_do_not_end_a_sentence() {
        check(
            "See Fig. 3 of Smith et al. (2019), e.g. No. 5. It rose by 3.5 %.",
            &["See Fig. 3 of Smith et al. (2019), e.g. No. 5.", "It rose by 3.5 %."],
        );
        check("Dr. J. Kim came. He said no. Then he left.", &["Dr. J. Kim came.", "He said no.", "Then he left."]);
        check(
            "Salts, solvents, etc. were dried. pH was 7. mRNA fell.",
            &["Salts, solvents, etc. were dried.", "pH was 7.", "mRNA fell."],
        );
    }

    #[test]
    fn names_behind_a_country_or_a_company_do_not_begin_a_sentence() {
        check(
            "It was funded by the U.S. Department of Energy. It was tested in the U.S. The cells held.",
            &["It was funded by the U.S. Department of Energy.", "It was tested in the U.S.", "The cells held."],
        );
        check(
            "Kiln Co. Ltd. built it. It was made by Kiln Ltd. Tests followed.",
            &["Kiln Co. Ltd. built it.", "It was made by Kiln Ltd.", "Tests followed."],
        );
    }

    #[test]
    fn captions_and_ranges_stay_whole() {
        check("Fig. 2. XRD patterns of the cathode", &["Fig. 2. XRD patterns of the cathode"]);
        check("그림 3. 전해질의 단면", &["그림 3. 전해질의 단면"]);
        check("**Table 2-1. Cells.** It held.", &["**Table 2-1. Cells.**", "It held."]);
        check("It is seen in Fig. 2. XRD was next.", &["It is seen in Fig. 2.", "XRD was next."]);
        check("It held at 20 … 40 °C. Then 20 ... 40 °C.", &["It held at 20 … 40 °C.", "Then 20 ... 40 °C."]);
    }

    #[test]
    fn a_minus_at_the_start_of_a_wrapped_line_is_no_bullet() {
        check("전지는 저온인\n- 20 ℃에서 시험하였다.", &["전지는 저온인\n- 20 ℃에서 시험하였다."]);
        check("The cells stood at\n- 20 °C for a week.", &["The cells stood at\n- 20 °C for a week."]);
        check("시험 조건\n- 25 ℃ 방치\n- 45 ℃ 방치", &["시험 조건", "25 ℃ 방치", "45 ℃ 방치"]);
        check("다음에서 보았다.\n- 25 ℃ 방치", &["다음에서 보았다.", "25 ℃ 방치"]);
        check("시험 조건\n- 셀 20개", &["시험 조건", "셀 20개"]);
    }

    #[test]
    fn quotes_brackets_and_citations_stay_with_their_sentence() {
        check(
            "It failed (twice.) It was \"done.\" Then more.",
            &["It failed (twice.)", "It was \"done.\"", "Then more."],
        );
        check(
            "전도도가 높다.[1] 수명이 길다. [2, 3] 값이 싸다 [4]. 끝이다.",
            &["전도도가 높다.[1]", "수명이 길다. [2, 3]", "값이 싸다 [4].", "끝이다."],
        );
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

    #[test]
    fn text_without_words_has_no_sentences() {
        check("", &[]);
        check(" \n--- ... !!\n|---|\n", &[]);
    }

    proptest! {
        #[test]
        fn spans_are_trimmed_disjoint_ordered_and_miss_no_word(
            text in "([가-힣]{1,3}|[A-Za-z]{1,4}|[0-9]{1,2}|[.?!…\"')\\[\\]|#*>• -]|\\[1\\]|\n|다\\. |\\PC){0,80}"
        ) {
            let mut before = 0;
            let mut uncovered = String::new();
            for span in sentences(&text) {
                prop_assert!(before <= span.start && span.start < span.end);
                let slice = text.get(span.start..span.end).expect("on character boundaries");
                prop_assert_eq!(slice, slice.trim());
                uncovered.push_str(&text[before..span.start]);
                before = span.end;
            }
            uncovered.push_str(&text[before..]);
            let lost = |c: &char| c.is_alphanumeric() && !BULLETS.contains(c);
            if !text.contains("```") && !text.contains("~~~") {
                prop_assert_eq!(uncovered.chars().find(lost), None);
            }
        }
    }
}
