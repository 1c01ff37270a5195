//! Questions with a typing error made on purpose: what does spelling by the words of the index give back, and what does it cost
//! where nothing was mistyped?
//!
//! One error a question, in a word of at least four letters or two syllables that is drawn by the seed: two neighbours swapped,
//! one key left out, one doubled, or one replaced by a key beside it (QWERTY; Korean by its two-set keyboard). Whether the result
//! is another word of the index is not looked at.

use std::collections::BTreeMap;

use serde::Serialize;

use super::statistics::Random;
use crate::text::analyse;

/// How the questions of a collection came through.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Typing {
    /// Questions that hold a word to mistype.
    pub mistyped: usize,
    /// Of these, in which a word was replaced.
    pub respelt: usize,
    /// Of these, in which the word that was mistyped came back.
    pub restored: usize,
    /// Questions as they were, in which a word was replaced all the same.
    pub clean_respelt: usize,
    /// What was replaced in questions that had no error, with how often.
    pub clean_changes: BTreeMap<String, usize>,
}

/// `question` with one typing error; `None` where no word can have one.
pub fn mistype(question: &str, random: &mut Random) -> Option<String> {
    let words: Vec<_> = analyse(question)
        .into_iter()
        .filter(|t| t.weight >= 1.0)
        .filter(|t| {
            let word = &question[t.span.clone()];
            let hangul = word.chars().all(is_hangul) && word.chars().count() >= 2;
            hangul || word.len() >= 4 && word.bytes().all(|b| b.is_ascii_alphabetic())
        })
        .collect();
    let term = words.get(random.below(words.len().max(1)))?;
    let word = &question[term.span.clone()];
    for _ in 0..20 {
        let wrong = if word.starts_with(is_hangul) { korean(word, random) } else { english(word, random) };
        if let Some(wrong) = wrong.filter(|w| w != word) {
            return Some(format!("{}{wrong}{}", &question[..term.span.start], &question[term.span.end..]));
        }
    }
    None
}

fn english(word: &str, random: &mut Random) -> Option<String> {
    let mut letters: Vec<char> = word.chars().collect();
    let at = random.below(letters.len());
    match random.below(4) {
        0 if at + 1 < letters.len() => letters.swap(at, at + 1),
        0 => return None,
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, letters[at]),
        _ => letters[at] = beside(&["qwertyuiop", "asdfghjkl", "zxcvbnm"], letters[at], random)?,
    }
    Some(letters.into_iter().collect())
}

/// One key of one syllable: its vowel or its first consonant replaced by one beside it, its final left out, or two
/// syllables' vowels swapped.
fn korean(word: &str, random: &mut Random) -> Option<String> {
    const LEAD: [char; 19] = [
        'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ',
        'ㅎ',
    ];
    const VOWEL: [char; 21] = [
        'ㅏ', 'ㅐ', 'ㅑ', 'ㅒ', 'ㅓ', 'ㅔ', 'ㅕ', 'ㅖ', 'ㅗ', 'ㅘ', 'ㅙ', 'ㅚ', 'ㅛ', 'ㅜ', 'ㅝ', 'ㅞ', 'ㅟ', 'ㅠ',
        'ㅡ', 'ㅢ', 'ㅣ',
    ];
    const ROWS: [&str; 3] = ["ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ"];
    let mut syllables: Vec<[usize; 3]> =
        word.chars().map(|c| c as usize - 0xAC00).map(|n| [n / 588, n % 588 / 28, n % 28]).collect();
    let at = random.below(syllables.len());
    let place = |of: &[char], key: char| of.iter().position(|k| *k == key);
    match random.below(4) {
        0 => syllables[at][1] = place(&VOWEL, beside(&ROWS, VOWEL[syllables[at][1]], random)?)?,
        1 => syllables[at][0] = place(&LEAD, beside(&ROWS, LEAD[syllables[at][0]], random)?)?,
        2 => syllables[at][2] = 0,
        _ => {
            let vowel = syllables[at][1];
            let next = syllables.get(at + 1)?[1];
            syllables[at][1] = next;
            syllables[at + 1][1] = vowel;
        }
    }
    let syllable = |[l, v, f]: &[usize; 3]| char::from_u32((0xAC00 + l * 588 + v * 28 + f) as u32);
    syllables.iter().map(syllable).collect()
}

/// A key beside `key` in its row.
fn beside(rows: &[&str], key: char, random: &mut Random) -> Option<char> {
    let lower = key.to_ascii_lowercase();
    let row: Vec<char> = rows.iter().find(|r| r.contains(lower))?.chars().collect();
    let at = row.iter().position(|k| *k == lower)?;
    let near: Vec<char> =
        [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|i| row.get(i).copied()).collect();
    near.get(random.below(near.len().max(1))).copied()
}

fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_mistyped_and_the_rest_stays() {
        let mut random = Random::new(7);
        for question in ["전해질의 두께는?", "What limits the electrolyte thickness?"] {
            for _ in 0..200 {
                let wrong = mistype(question, &mut random).unwrap();
                let changed = wrong.split(' ').zip(question.split(' ')).filter(|(a, b)| a != b).count();
                assert_eq!((changed, wrong.split(' ').count()), (1, question.split(' ').count()), "{wrong}");
            }
        }
        assert_eq!(mistype("NCM811? 5 mg", &mut random), None);
    }
}
