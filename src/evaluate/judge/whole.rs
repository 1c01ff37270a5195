//! Does a text hold a word or a figure as a whole, and not as a piece of a longer one?
//!
//! `ten` is not in `often`, `25` not in `2025`, `3` neither in `13` nor in `3.2`. What begins or ends in Hangul stays open there,
//! since particles and units follow without a gap (`전지는`, `10분간`), and so does a figure before its unit (`3MPa`).

use super::super::wording::Convention;
use crate::text::is_hangul;

/// A decimal point between two digits, or a comma there that groups no thousands.
const MARK: char = '\u{E000}';

/// True where `text` holds `wanted`, both in the convention's form. Punctuation goes, as the convention has it (`U.S.`), or is
/// a gap (`lithium-ion`).
pub(super) fn holds(text: &str, wanted: &str, convention: Convention) -> bool {
    let spaced = |text: &str| separated(text).replace(|c: char| c.is_ascii_punctuation(), " ");
    let laid = |text: &str| convention.normalise(text).chars().map(|c| (c, false)).collect::<Vec<_>>();
    stands(&laid(&separated(text)), &laid(&separated(wanted))) || stands(&laid(&spaced(text)), &laid(&spaced(wanted)))
}

/// True where `text` holds `wanted`, whatever the case, blanks (`480 MPa`, `480MPa`) and thousands separators.
pub(super) fn says(text: &str, wanted: &str) -> bool {
    stands(&squeezed(text), &squeezed(wanted))
}

/// Characters without blanks and commas, each with whether such a gap was before it.
fn squeezed(text: &str) -> Vec<(char, bool)> {
    let (mut out, mut gap) = (Vec::new(), false);
    for c in separated(&text.to_lowercase()).chars() {
        match c.is_whitespace() || c == ',' {
            true => gap = true,
            false => out.push((c, std::mem::take(&mut gap))),
        }
    }
    out
}

/// Commas that group thousands are dropped; other marks between digits become [`MARK`] or, where they are no separator of a
/// figure (`2022-07`), a blank.
fn separated(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|i| chars.get(i)).is_some_and(|c| c.is_ascii_digit());
    let groups = |at: usize| chars[at..].iter().take_while(|c| c.is_ascii_digit()).count() == 3;
    let mut out = String::with_capacity(text.len());
    for (i, c) in chars.iter().enumerate() {
        let within = c.is_ascii_punctuation() && is_digit(i.checked_sub(1)) && is_digit(Some(i + 1));
        match c {
            _ if !within => out.push(*c),
            ',' if groups(i + 1) => {}
            '.' | ',' => out.push(MARK),
            _ => out.push(' '),
        }
    }
    out
}

/// True where the characters of `wanted` stand in a row in `text` and nothing next to them makes them a piece of something
/// longer.
fn stands(text: &[(char, bool)], wanted: &[(char, bool)]) -> bool {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return false };
    // A gap within a figure makes two of it.
    let is_one = |k: usize| k > 0 && wanted[k - 1].0.is_ascii_digit() && wanted[k].0.is_ascii_digit();
    let same = |window: &[(char, bool)]| {
        window.iter().zip(wanted).enumerate().all(|(k, (a, b))| a.0 == b.0 && (a.1 == b.1 || !is_one(k)))
    };
    let is_piece = |end: char, neighbour: Option<&(char, bool)>| neighbour.is_some_and(|c| goes_on(end, c.0));
    text.windows(wanted.len()).enumerate().filter(|(_, window)| same(window)).any(|(i, window)| {
        let before = i.checked_sub(1).and_then(|j| text.get(j)).filter(|_| !window[0].1);
        let after = text.get(i + wanted.len()).filter(|next| !next.1);
        !is_piece(first.0, before) && !is_piece(last.0, after)
    })
}

/// Whether what ends in `end` goes on in its neighbour.
fn goes_on(end: char, neighbour: char) -> bool {
    match end {
        _ if end.is_ascii_digit() => neighbour.is_ascii_digit() || neighbour == MARK,
        _ if is_hangul(end) => false,
        _ => end.is_alphanumeric() && neighbour.is_alphanumeric() && !is_hangul(neighbour),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_longer_word_or_figure_is_not_held() {
        for (text, wanted) in [
            ("It often failed.", "ten"),
            ("in 2025", "25"),
            ("13 cells", "3"),
            ("3.2 MPa", "3"),
            ("0.3 MPa", "3"),
            ("1,234 cells", "234"),
            ("12 of 34", "1234"),
            ("3-5 bar", "35"),
            ("2 5 bar", "25"),
            ("Li2S", "Li"),
        ] {
            assert!(!says(text, wanted), "{wanted} in {text}");
            assert!(!holds(text, wanted, Convention::Squad), "{wanted} in {text}");
        }
        assert!(!says("anything", "") && !holds("anything", "the", Convention::Squad));
    }

    #[test]
    fn a_whole_word_or_figure_is_held_before_units_particles_and_marks() {
        for (text, wanted) in [
            ("It took ten days.", "ten"),
            ("It held 3MPa.", "3"),
            ("10분간 눌렀다", "10분"),
            ("LFP를 썼다", "LFP"),
            ("전고체전지는", "전고체전지"),
            ("1,234 cells", "1234"),
            ("The yield was 80.7%.", "80.7"),
            ("It began on 2022-07-15.", "2022"),
            ("a lithium-ion cell", "lithium"),
        ] {
            assert!(says(text, wanted), "{wanted} in {text}");
            assert!(holds(text, wanted, Convention::Squad), "{wanted} in {text}");
        }
        assert!(says("가압 480MPa에서", "480 MPa") && says("480 MPa", "480MPa"));
        assert!(holds("It is in the U.S. now.", "US", Convention::Squad));
        assert!(holds("‘노아’는 배를", "노아", Convention::Korquad));
    }
}
