//! How long a text is for a model, without that model's tokenizer.

use super::korean::is_syllable;

/// Letters of a word one subword token covers.
const LETTERS_A_TOKEN: usize = 6;
/// Digits of a number one token covers.
const DIGITS_A_TOKEN: usize = 3;

/// An estimate of how many subword tokens `text` is; chunks are measured with it.
///
/// One token for each started six letters of a word or three digits of a number, two for three
/// Hangul syllables, one for any other visible character, none for white space. Never smaller for a
/// longer text.
///
/// ```
/// assert_eq!(sectora::text::tokens("The electrolyte, 25 °C: 전해질"), 1 + 2 + 1 + 1 + 1 + 1 + 1 + 2);
/// ```
pub fn tokens(text: &str) -> usize {
    let mut tokens = 0;
    let mut run = (Class::Space, 0);
    for c in text.chars() {
        let class = Class::of(c);
        if class == run.0 {
            run.1 += 1;
        } else {
            tokens += run.0.tokens(run.1);
            run = (class, 1);
        }
    }
    tokens + run.0.tokens(run.1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letters,
    Digits,
    Hangul,
    Sign,
}

impl Class {
    fn of(c: char) -> Class {
        match c {
            'a'..='z' | 'A'..='Z' => Class::Letters,
            '0'..='9' => Class::Digits,
            _ if is_syllable(c) => Class::Hangul,
            // Scripts without spaces: one token a character.
            '\u{3041}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}' => Class::Sign,
            _ if c.is_whitespace() => Class::Space,
            _ if c.is_alphabetic() => Class::Letters,
            _ => Class::Sign,
        }
    }

    fn tokens(self, characters: usize) -> usize {
        match self {
            Class::Space => 0,
            Class::Letters => characters.div_ceil(LETTERS_A_TOKEN),
            Class::Digits => characters.div_ceil(DIGITS_A_TOKEN),
            Class::Hangul => (characters * 2).div_ceil(3),
            Class::Sign => characters,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::tokens;

    #[test]
    fn white_space_costs_nothing() {
        assert_eq!(tokens(" \n\t "), 0);
        assert_eq!(tokens("a b"), tokens("a \n\n b"));
    }

    proptest! {
        #[test]
        fn a_longer_text_is_never_smaller(a in "\\PC{0,60}", b in "\\PC{0,60}") {
            let both = tokens(&format!("{a}{b}"));
            prop_assert!(tokens(&a) <= both && tokens(&b) <= both);
            prop_assert!(both <= tokens(&a) + tokens(&b));
        }
    }
}
