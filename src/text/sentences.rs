//! Where sentences begin and end in Korean and English Markdown.
//!
//! First lines are gathered into blocks (a heading, a table row, a list item, a paragraph), then each
//! paragraph is cut after its full stops. A citation marker `[1]` stays with the sentence it follows.

mod blocks;
mod stops;

use crate::document::Span;
use blocks::{BULLETS, Block, blocks};
pub(crate) use stops::begins_a_caption;
use stops::ends_sentence;

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

/// True for what ends like a sentence and has its length: no title, line of names, fact or row.
pub fn is_whole_sentence(text: &str) -> bool {
    const WORDS: usize = 5;
    let is_marked = text.starts_with(['#', '|']);
    !is_marked && text.ends_with(['.', '!', '?', '。']) && text.split_whitespace().count() >= WORDS
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

fn is_hangul(c: char) -> bool {
    ('\u{AC00}'..='\u{D7A3}').contains(&c)
}

/// How wide a line is: two columns a syllable of Hangul, one any other character.
pub(crate) fn columns(line: &str) -> usize {
    line.chars().map(|c| if is_hangul(c) { 2 } else { 1 }).sum()
}

/// Syllables Korean sentences end with.
pub(crate) fn is_final_ending(c: char) -> bool {
    matches!(c, '다' | '요' | '음' | '함' | '임' | '됨' | '까' | '죠' | '오')
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

    pub(super) fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = sentences(text).iter().map(|s| s.slice(text)).collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn a_whole_sentence_is_told_from_titles_names_and_rows() {
        assert!(is_whole_sentence("The kiln held for 40 days.") && is_whole_sentence("가마는 첫 겨울을 40일 버텼다."));
        for other in
            ["Kilns of the north", "우지호·서채운, 한빛연구원.", "# What the kiln did in winter.", "| a | b | c | d. |"]
        {
            assert!(!is_whole_sentence(other), "{other}");
        }
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
