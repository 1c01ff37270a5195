//! Characters of symbol fonts as Unicode: Word stores them as a place in a font (`w:sym`), not as characters.
//!
//! Source: Adobe's Symbol encoding (Unicode Consortium, `VENDORS/ADOBE/symbol.txt`). The other symbol fonts have no published
//! mapping: of Wingdings those signs are known that a program writes by itself or that carry a meaning in forms.

/// Codes 0x20 to 0x7e and 0xa0 to 0xfe of the font Symbol.
const LOW: &str = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλµνοπθρστυϖωξψζ{|}∼";
const HIGH: &str =
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…│─↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\u{fffd}⟩∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭";
/// Arrows that Word writes for `-->` and the like, and boxes that are ticked or not.
const WINGDINGS: [(u32, char); 12] = [
    (0x6f, '□'),
    (0x71, '❑'),
    (0xa8, '◻'),
    (0xdf, '←'),
    (0xe0, '→'),
    (0xe7, '←'),
    (0xe8, '→'),
    (0xf0, '⇨'),
    (0xfb, '✗'),
    (0xfc, '✓'),
    (0xfd, '☒'),
    (0xfe, '☑'),
];

/// The character at `code` of `font`; `None` where nobody knows. Codes may lie in the private area from U+F000 on.
pub(super) fn character(font: &str, code: u32) -> Option<char> {
    let font = font.to_lowercase();
    let place = if (0xf000..=0xf0ff).contains(&code) { code & 0xff } else { code };
    match font.as_str() {
        "symbol" if place <= 0xff => match place {
            0x20..=0x7e => LOW.chars().nth(place as usize - 0x20),
            0xa0..=0xfe => HIGH.chars().nth(place as usize - 0xa0).filter(|c| *c != '\u{fffd}'),
            _ => None,
        },
        "wingdings" if place <= 0xff => {
            Some(WINGDINGS.iter().find(|(known, _)| *known == place).map_or('•', |(_, sign)| *sign))
        }
        "wingdings 2" | "wingdings 3" | "webdings" if place <= 0xff => Some('•'),
        // A code outside of the private areas is the character itself.
        _ => char::from_u32(code).filter(|c| !matches!(c, '\0'..='\u{1f}' | '\u{e000}'..='\u{f8ff}')),
    }
}

#[cfg(test)]
mod tests {
    use super::character;

    #[test]
    fn units_and_signs_of_the_symbol_font_are_known() {
        let read = |codes: &[u32]| codes.iter().map(|c| character("Symbol", *c).unwrap()).collect::<String>();
        assert_eq!(read(&[0xf06d, 0xf0b1, 0xf0b0, 0xf0b4, 0xf057, 0xf061, 0xf0a3, 0xf0ae]), "µ±°×Ωα≤→");
        assert_eq!(read(&[0x20, 0x7e, 0xa0, 0xf0fe]), " ∼€⎭", "both ends of both ranges");
        assert_eq!(character("Symbol", 0xf0f0), None);
    }

    #[test]
    fn other_fonts_give_a_bullet_the_character_itself_or_nothing() {
        assert_eq!(character("Wingdings", 0xf0a7), Some('•'));
        assert_eq!(character("Wingdings", 0xf0e0), Some('→'));
        assert_eq!(character("Wingdings 2", 0xf050), Some('•'));
        assert_eq!(character("Arial", 0x2126), Some('\u{2126}'));
        assert_eq!(character("MT Extra", 0xf06c), None);
    }
}
