//! From text to letters in one normal form, each with the bytes it came from.
//!
//! NFKC applied to one combining cluster at a time, so that every letter keeps a place in the
//! input: full and half width, ligatures, sub- and superscripts, unit signs (`㎎`, `℃`), conjoining
//! and compatibility jamo all fold together. On top of it Latin letters lose their accents, dashes
//! become `-`, and invisible characters vanish. Case is kept: formulas need it.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// One normalised character and where it came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Letter {
    /// The normalised character.
    pub(super) ch: char,
    /// First byte of the cluster it came from.
    pub(super) start: usize,
    /// One past that cluster's last byte.
    pub(super) end: usize,
}

/// The letters of `text`, in order. Several letters may share one cluster's bytes (`㎎` is `m`, `g`).
pub(super) fn normalise(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        let alone = chars.peek().is_none_or(|&(_, next)| !extends(next));
        if alone && is_normal(c) {
            letters.push(Letter { ch: c, start, end });
            continue;
        }
        while let Some((at, next)) = chars.next_if(|&(_, next)| extends(next)) {
            end = at + next.len_utf8();
        }
        if let Some(ch) = punctuation(c) {
            letters.push(Letter { ch, start, end });
        } else if !is_invisible(c) {
            // 10⁵ is not 105.
            if is_superscript(c) && letters.last().is_some_and(|l| l.end == start && l.ch.is_ascii_digit()) {
                letters.push(Letter { ch: '^', start, end: start });
            }
            letters.extend(text[start..end].nfkc().map(|ch| Letter { ch: unaccented(ch), start, end }));
        }
    }
    letters
}

/// True for a character that joins the one before it into one cluster.
fn extends(c: char) -> bool {
    match c {
        ..'\u{300}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => false,
        '\u{1160}'..='\u{11FF}' | '\u{D7B0}'..='\u{D7FB}' => true,
        _ => canonical_combining_class(c) != 0,
    }
}

/// True for characters that are their own normal form and make up nearly all text.
fn is_normal(c: char) -> bool {
    c.is_ascii()
        || matches!(c, '\u{AC00}'..='\u{D7A3}' | '\u{4E00}'..='\u{9FFF}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FE}')
}

fn punctuation(c: char) -> Option<char> {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}' => Some('-'),
        '\u{2018}' | '\u{2019}' | '\u{02BC}' => Some('\''),
        _ => None,
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

fn is_superscript(c: char) -> bool {
    matches!(c, '\u{B2}' | '\u{B3}' | '\u{B9}' | '\u{2070}'..='\u{207B}')
}

/// A Latin letter without its accent.
fn unaccented(c: char) -> char {
    match c {
        '\u{2212}' => '-',
        '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => std::iter::once(c).nfd().next().unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> String {
        normalise(text).iter().map(|l| l.ch).collect()
    }

    #[test]
    fn widths_jamo_units_and_accents_fold() {
        assert_eq!(normal("ＮＣＭ８１１"), "NCM811");
        assert_eq!(normal("\u{1112}\u{1161}\u{11AB}글"), "한글");
        assert_eq!(normal("ㄱ"), normal("\u{1100}"));
        assert_eq!(normal("5㎎, 25℃, Li₂O"), "5mg, 25°C, Li2O");
        assert_eq!(normal("Schro\u{308}dinger naïve"), "Schrodinger naive");
        assert_eq!(normal("a\u{200B}b\u{AD}c a–b"), "abc a-b");
        assert_eq!(normal("10⁵ m²"), "10^5 m2");
    }

    #[test]
    fn a_letter_keeps_the_bytes_it_came_from() {
        let text = "값 5㎎";
        let letters = normalise(text);
        let last = letters[letters.len() - 1];
        assert_eq!(last.ch, 'g');
        assert_eq!(&text[last.start..last.end], "㎎");
    }

    proptest! {
        #[test]
        fn letters_are_in_order_and_on_boundaries(text in "\\PC{0,200}") {
            let mut before = 0;
            for l in normalise(&text) {
                prop_assert!(before <= l.start && l.start <= l.end);
                prop_assert!(text.get(l.start..l.end).is_some());
                before = l.start;
            }
        }
    }
}
