//! Full-width letters, digits and marks (`１２３`, `＠`) as their ASCII twins, which rules are written in.

/// The ASCII twin of a character of the full-width block, a blank for the wide one; any other character as it is.
pub fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wide_becomes_narrow_and_nothing_else_changes() {
        let narrowed: String = "ＮＣＭ８１１＠ 가·℃ㄱ\u{3000}a".chars().map(narrow).collect();
        assert_eq!(narrowed, "NCM811@ 가·℃ㄱ a");
    }
}
