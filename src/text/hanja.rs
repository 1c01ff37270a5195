//! How are Chinese characters read in Korean? 電池 is 전지, and 理論 is 이론.
//!
//! The readings are those of the Unicode Character Database (field `kHangul`; Unicode licence v3), one a character, written into
//! `hanja.txt` by `tools/hanja/make.py`: a reading, and the characters read so. At the beginning of a word ㄹ and ㄴ
//! soften (두음법칙, Hangul orthography 10 to 12), and 렬 and 률 do after a vowel or ㄴ (11).

use std::collections::HashMap;
use std::sync::OnceLock;

use super::normalise::Letter;

/// Syllables that share a first consonant, and those that share first consonant and vowel.
const INITIAL: u32 = 21 * 28;
const FINALS: u32 = 28;
/// Numbers of consonants and vowels in the order of Unicode's syllables.
const N: u32 = 2;
const R: u32 = 5;
const SILENT: u32 = 11;
const FINAL_N: u32 = 4;

/// The word that Chinese characters spell in Korean, each syllable with the bytes of its character; `None` where one has
/// no Korean reading.
pub(super) fn reading(run: &[Letter]) -> Option<Vec<Letter>> {
    let mut word: Vec<Letter> = Vec::with_capacity(run.len());
    for letter in run {
        let full = *readings().get(&letter.ch)?;
        let ch = match word.last() {
            None => at_the_beginning(full),
            Some(before) if matches!(full, '렬' | '률') && matches!(final_of(before.ch), 0 | FINAL_N) => {
                at_the_beginning(full)
            }
            Some(_) => full,
        };
        word.push(Letter { ch, ..*letter });
    }
    Some(word)
}

fn readings() -> &'static HashMap<char, char> {
    static READINGS: OnceLock<HashMap<char, char>> = OnceLock::new();
    READINGS.get_or_init(|| {
        let lines = include_str!("hanja.txt").lines().filter_map(|line| {
            let mut chars = line.chars();
            Some((chars.next()?, chars))
        });
        lines.flat_map(|(reading, characters)| characters.map(move |c| (c, reading))).collect()
    })
}

/// Number of a syllable's final consonant, 0 without one.
fn final_of(syllable: char) -> u32 {
    (u32::from(syllable) - u32::from('가')) % FINALS
}

fn at_the_beginning(syllable: char) -> char {
    let index = u32::from(syllable) - u32::from('가');
    let (initial, vowel) = (index / INITIAL, index % INITIAL / FINALS);
    // ㅑ ㅕ ㅖ ㅛ ㅠ ㅣ
    let soft = matches!(vowel, 2 | 6 | 7 | 12 | 17 | 20);
    let softened = match initial {
        R | N if soft => SILENT,
        R => N,
        other => other,
    };
    char::from_u32(u32::from('가') + softened * INITIAL + index % INITIAL).unwrap_or(syllable)
}

#[cfg(test)]
mod tests {
    use super::super::normalise::normalise;
    use super::*;

    fn read(text: &str) -> Option<String> {
        reading(&normalise(text)).map(|word| word.iter().map(|l| l.ch).collect())
    }

    #[test]
    fn words_are_read_as_they_are_written_in_hangul() {
        for (hanja, hangul) in [
            ("電池", "전지"),
            ("理論", "이론"),
            ("女性", "여성"),
            ("勞動", "노동"),
            ("原理", "원리"),
            ("效率", "효율"),
            ("比率", "비율"),
            ("確率", "확률"),
            ("系列", "계열"),
            ("年", "연"),
        ] {
            assert_eq!(read(hanja).as_deref(), Some(hangul), "{hanja}");
        }
    }

    #[test]
    fn what_has_no_korean_reading_has_none() {
        assert_eq!(read("電々"), None);
        assert_eq!(read("込"), None, "a character made in Japan");
    }

    #[test]
    fn every_line_is_a_syllable_and_the_characters_read_so() {
        let mut seen = std::collections::HashSet::new();
        for line in include_str!("hanja.txt").lines() {
            let mut chars = line.chars();
            assert!(chars.next().is_some_and(|c| ('가'..='힣').contains(&c)), "{line}");
            let count = chars.clone().count();
            assert!(count > 0 && chars.all(|c| seen.insert(c)), "{line}");
        }
        assert!(seen.len() > 8_000);
    }
}
