//! Full-width letters, digits and marks (`１２３`, `＠`) as their ASCII twins, which rules are written in.

use std::borrow::Cow;

/// The ASCII twin of a character of the full-width block, a blank for the wide one; any other character as it is.
pub fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// The text with the twins of its full-width characters; as it is where it has none.
pub fn narrowed(text: &str) -> Cow<'_, str> {
    match text.chars().all(|c| narrow(c) == c) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(narrow).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wide_becomes_narrow_and_nothing_else_changes() {
        assert_eq!(narrowed("ＮＣＭ８１１＠ 가·℃ㄱ\u{3000}a"), "NCM811@ 가·℃ㄱ a");
        assert!(matches!(narrowed("NCM811 가"), Cow::Borrowed("NCM811 가")));
    }
}
