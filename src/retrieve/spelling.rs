//! A question's word that no document has, replaced by the nearest one that documents have.
//!
//! In: a question and the words of the index. Out: the question with typing errors mended, and what was changed, to be shown.
//! English words are compared by letters, Korean ones by the keys they are typed with, neighbours swapped counting as one error
//! (the restricted distance of Damerau 1964). Codes, figures, acronyms and short words are never touched, nor a word that is
//! merely an inflection, a compound or a longer form of a known one, a Korean word that known compounds are
//! made of, or a word that the encoder inside the program knows.

use std::collections::HashMap;
use std::ops::Range;

use crate::embed::StaticModel;
use crate::index::{Catalog, IndexError, vocabulary_form};
use crate::text::{Term, analyse, bm25};

use super::{Glossary, Parts, RetrieveError, check_length};

/// Different words of a question that are judged, the first: each unknown one is held against a part of the vocabulary.
const JUDGED: usize = 64;

/// Fewest letters of an English word that is judged, and fewest syllables of a Korean one.
const SHORTEST_LATIN: usize = 5;
const SHORTEST_HANGUL: usize = 3;
/// From so many letters or keys on, two errors are believed.
const TWO_ERRORS: usize = 9;
/// Last syllables of words that are verbs rather than names: an unknown one is a form, not an error.
const VERBAL: &str = "나까요다지니며고서면던는은한된인할될을를의에로가이와과도만";

/// Endings that tell one substance from another: an amylase is no mistyped amylose.
const OF_SUBSTANCES: [&str; 12] = ["ase", "ose", "ate", "ide", "ite", "ine", "ese", "ene", "ane", "yne", "one", "ol"];

/// One word that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Respelling {
    /// As asked.
    pub from: String,
    /// As searched for.
    pub to: String,
}

/// `question` with its typing errors mended, where the settings say so. What is too long for a question is refused
/// here, for all doors.
pub fn respell(parts: &Parts<'_>, question: &str) -> Result<(String, Vec<Respelling>), RetrieveError> {
    check_length(question)?;
    if !parts.settings.spelling {
        return Ok((question.to_owned(), Vec::new()));
    }
    Ok(by_vocabulary(parts.catalog, parts.glossary, question)?)
}

/// `question` with its typing errors mended; nothing is changed where nothing is near enough.
pub fn by_vocabulary(
    catalog: &Catalog,
    glossary: &Glossary,
    question: &str,
) -> Result<(String, Vec<Respelling>), IndexError> {
    let errors = errors(catalog, glossary, question)?;
    let mut out = question.to_owned();
    // From the end, so that places before stay where they are.
    for (span, to) in errors.iter().rev() {
        let after = agreeing(&question[span.end..], &question[span.clone()], to);
        out.replace_range(
            span.start..span.end + after.map_or(0, |a| a.0),
            &match after {
                Some((_, particle)) => format!("{to}{particle}"),
                None => to.clone(),
            },
        );
    }
    let changes = errors.into_iter().map(|(span, to)| Respelling { from: question[span].to_owned(), to });
    Ok((out, changes.collect()))
}

/// Where the errors stand, and what is meant, in order.
fn errors(catalog: &Catalog, glossary: &Glossary, question: &str) -> Result<Vec<(Range<usize>, String)>, IndexError> {
    let known = glossary.matches(question);
    // As written, and whether beside a hyphen: what a word is replaced by, if it is.
    let mut judged: HashMap<(&str, bool), Option<String>> = HashMap::new();
    let mut errors = Vec::new();
    for term in analyse(question) {
        if known.iter().any(|k| k.span.start <= term.span.start && term.span.end <= k.span.end) {
            continue;
        }
        let Some(word) = vocabulary_form(question, &term) else { continue };
        let written = (&question[term.span.clone()], touches_hyphen(question, &term));
        let to = match judged.get(&written).cloned() {
            Some(to) => to,
            None if judged.len() == JUDGED => break,
            None => {
                let to = if is_doubtful(catalog, question, &term, &word)? { nearest(catalog, &word)? } else { None };
                judged.insert(written, to.clone());
                to
            }
        };
        errors.extend(to.map(|to| (term.span, to)));
    }
    Ok(errors)
}

/// True for the word of a term that can be an error: long enough, and in no document, neither itself nor its stem.
fn is_doubtful(catalog: &Catalog, question: &str, term: &Term, word: &str) -> Result<bool, IndexError> {
    let letters: Vec<char> = word.chars().collect();
    let hangul = is_hangul(word);
    if letters.len() < if hangul { SHORTEST_HANGUL } else { SHORTEST_LATIN } {
        return Ok(false);
    }
    // ASSB and NaCl are names of their own, unless all is written so; so is a word joined to others by a hyphen.
    let capitals = question[term.span.clone()].bytes().skip(1).any(|b| b.is_ascii_uppercase());
    let shouted = !question.bytes().any(|b| b.is_ascii_lowercase());
    if !hangul && (capitals && !shouted || touches_hyphen(question, term)) {
        return Ok(false);
    }
    if catalog.chunks_with_term(bm25::dimension(&term.text))? > 0 || catalog.chunks_with_word(word)? > 0 {
        return Ok(false);
    }
    // A word of the language that these documents happen not to use is no error: `paint` is not `point`.
    if StaticModel::embedded().is_ok_and(|model| model.has_word(word)) {
        return Ok(false);
    }
    if hangul && (is_longer_form(catalog, &letters)? || catalog.has_compound_with(word)?) {
        return Ok(false);
    }
    Ok(true)
}

fn touches_hyphen(question: &str, term: &Term) -> bool {
    question[..term.span.start].ends_with('-') || question[term.span.end..].starts_with('-')
}

/// True for a compound of known words, and for a known word with something behind it.
fn is_longer_form(catalog: &Catalog, syllables: &[char]) -> Result<bool, IndexError> {
    let knows = |part: &[char]| -> Result<bool, IndexError> {
        Ok(part.len() >= 2 && catalog.chunks_with_word(&part.iter().collect::<String>())? > 0)
    };
    for cut in 2..syllables.len() {
        let (head, tail) = syllables.split_at(cut);
        if knows(head)? && (tail.len() == 1 || knows(tail)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The nearest word of the index; among equally near ones the most frequent.
///
/// The first key must agree, with two errors the first four: few errors are made there, and many opposites are told there
/// (un-, im-, hypo- and hyper-, 음극 and 양극).
fn nearest(catalog: &Catalog, word: &str) -> Result<Option<String>, IndexError> {
    let keys = keys(word);
    let most = if keys.len() >= TWO_ERRORS { 2 } else { 1 };
    let letters = word.chars().count();
    let hangul = is_hangul(word);
    let verbal = hangul && word.ends_with(|c| VERBAL.contains(c));
    let shortest = if hangul { SHORTEST_HANGUL } else { SHORTEST_LATIN };
    let mut best: Option<(usize, std::cmp::Reverse<u64>, String)> = None;
    let Some(first) = word.chars().next().map(same_key) else { return Ok(None) };
    for (candidate, chunks) in catalog.words(shortest.max(letters.saturating_sub(most))..=letters + most, first)? {
        // `leaky` is a form of `leak`, not an error, nor is 알아낸 one of 알아낼.
        let form = word.starts_with(&candidate)
            || verbal && differ_only_at_the_end(word, &candidate)
            || hangul && differ_as_verbs_do(word, &candidate)
            || differ_as_substances_do(word, &candidate);
        if is_hangul(&candidate) != hangul || form {
            continue;
        }
        let other = self::keys(&candidate);
        let Some(distance) = distance(&keys, &other, most) else { continue };
        let same = if distance > 1 { 4 } else { 1 };
        if keys.iter().zip(&other).take(same).any(|(a, b)| a != b) {
            continue;
        }
        let this = (distance, std::cmp::Reverse(chunks), candidate);
        if best.as_ref().is_none_or(|b| this < *b) {
            best = Some(this);
        }
    }
    Ok(best.map(|b| b.2))
}

/// The letters, or syllables, that begin with the same key.
fn same_key(first: char) -> std::ops::RangeInclusive<char> {
    const OF_ONE_LEAD: u32 = 588;
    let lead = (first as u32).wrapping_sub(0xAC00) / OF_ONE_LEAD;
    let syllable = |n: u32| char::from_u32(0xAC00 + n).filter(|c| ('가'..='힣').contains(c)).unwrap_or(first);
    if is_hangul(first.encode_utf8(&mut [0; 4])) {
        syllable(lead * OF_ONE_LEAD)..=syllable((lead + 1) * OF_ONE_LEAD - 1)
    } else {
        first..=first
    }
}

fn differ_only_at_the_end(word: &str, other: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    same + 1 >= a.len().min(b.len())
}

/// True for words that differ only in a ㄴ, ㄹ, ㅁ or ㅂ under the last syllable, as forms of one verb do; nouns that differ so
/// are left alone with them.
fn differ_as_verbs_do(word: &str, other: &str) -> bool {
    const ENDINGS: [u32; 4] = [4, 8, 16, 17];
    let open = |word: &str| -> Option<(String, u32)> {
        let last = word.chars().next_back()?;
        let n = u32::from(last).checked_sub(0xAC00)?;
        Some((format!("{}{}", word.strip_suffix(last)?, n / 28), n % 28))
    };
    let (Some((a, end)), Some((b, other_end))) = (open(word), open(other)) else { return false };
    a == b && ENDINGS.contains(&end) && ENDINGS.contains(&other_end)
}

fn differ_as_substances_do(word: &str, other: &str) -> bool {
    let stem = |word: &str| OF_SUBSTANCES.iter().find_map(|end| word.strip_suffix(end).map(str::to_owned));
    word != other && stem(word).is_some_and(|stem_of_word| stem(other) == Some(stem_of_word))
}

fn is_hangul(word: &str) -> bool {
    word.starts_with(|c| ('가'..='힣').contains(&c))
}

/// Letters as they are typed: Korean syllables one by one, double vowels and finals as their two keys.
fn keys(word: &str) -> Vec<char> {
    const LEAD: [char; 19] = [
        'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ',
        'ㅎ',
    ];
    const VOWEL: [&str; 21] = [
        "ㅏ", "ㅐ", "ㅑ", "ㅒ", "ㅓ", "ㅔ", "ㅕ", "ㅖ", "ㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅛ", "ㅜ", "ㅜㅓ", "ㅜㅔ",
        "ㅜㅣ", "ㅠ", "ㅡ", "ㅡㅣ", "ㅣ",
    ];
    const FINAL: [&str; 28] = [
        "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ", "ㄹㅌ", "ㄹㅍ",
        "ㄹㅎ", "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ", "ㅎ",
    ];
    let mut keys = Vec::with_capacity(word.len());
    for c in word.chars() {
        if ('가'..='힣').contains(&c) {
            let n = c as usize - 0xAC00;
            keys.push(LEAD[n / 588]);
            keys.extend(VOWEL[n % 588 / 28].chars());
            keys.extend(FINAL[n % 28].chars());
        } else {
            keys.push(c);
        }
    }
    keys
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`; `None` for more than `most`.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        // rows: two before, one before, this.
        let [before, last, this] = &mut rows;
        this[0] = i;
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            this[j] = replaced.min(last[j] + 1).min(this[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                this[j] = this[j].min(before[j - 2] + 1);
            }
        }
        if this.iter().all(|d| *d > most) {
            return None;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][b.len()]).filter(|d| *d <= most)
}

/// The particle after a Korean word in the form that suits the new one, and the bytes of the old form: 를 after a vowel is 을
/// after a consonant. `None` where it may stay.
fn agreeing(rest: &str, from: &str, to: &str) -> Option<(usize, &'static str)> {
    const PAIRS: [(&str, &str); 5] = [("은", "는"), ("을", "를"), ("이", "가"), ("과", "와"), ("으로", "로")];
    let closed = |word: &str| {
        word.chars().last().filter(|c| ('가'..='힣').contains(c)).map(|c| !(c as u32 - 0xAC00).is_multiple_of(28))
    };
    let (before, now) = (closed(from)?, closed(to)?);
    if before == now {
        return None;
    }
    PAIRS.iter().find_map(|(after_closed, after_open)| {
        let (old, new) = if before { (after_closed, after_open) } else { (after_open, after_closed) };
        rest.starts_with(old).then_some((old.len(), *new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(a: &str, b: &str) -> Option<usize> {
        distance(&keys(a), &keys(b), 2)
    }

    #[test]
    fn words_are_as_far_apart_as_the_errors_between_them() {
        assert_eq!(apart("electrolyte", "elecrtolyte"), Some(1), "two neighbours swapped");
        assert_eq!(apart("electrolyte", "elctrolite"), Some(2));
        assert_eq!(apart("electrolyte", "electrode"), None);
        assert_eq!(apart("전해질", "전헤질"), Some(1), "one vowel");
        assert_eq!(apart("전해질", "전해지"), Some(1), "one final left out");
        assert_eq!(apart("값", "갑"), Some(1), "one of the two keys of a final");
        assert_eq!(apart("값싼", "감썬"), None, "three keys");
        assert_eq!(apart("", ""), Some(0));
    }

    #[test]
    fn a_substance_is_no_error_of_another() {
        assert!(differ_as_substances_do("amylase", "amylose") && differ_as_substances_do("manganate", "manganese"));
        assert!(!differ_as_substances_do("amylse", "amylose") && !differ_as_substances_do("methan", "methane"));
    }

    #[test]
    fn forms_of_one_verb_are_no_errors_of_each_other() {
        assert!(differ_as_verbs_do("알아낸", "알아낼") && differ_as_verbs_do("줄임", "줄일"));
        assert!(!differ_as_verbs_do("전해직", "전해질"), "a final that no verb ends in");
        assert!(!differ_as_verbs_do("알아넨", "알아낼"), "another vowel");
        assert!(!differ_as_verbs_do("알어낸", "알아낼"), "another syllable");
        assert!(!differ_as_verbs_do("", "알"));
    }

    #[test]
    fn words_that_begin_with_the_same_key_are_looked_at() {
        assert_eq!(same_key('전'), '자'..='짛');
        assert_eq!(same_key('힘'), '하'..='힣');
        assert_eq!(same_key('e'), 'e'..='e');
    }

    #[test]
    fn a_particle_agrees_with_the_word_it_now_follows() {
        assert_eq!(agreeing("를 쓰면", "전해지", "전해질"), Some((3, "을")));
        assert_eq!(agreeing("으로는", "전해즐", "전해지"), Some((6, "로")));
        assert_eq!(agreeing("은", "전헤질", "전해질"), None);
        assert_eq!(agreeing(" was", "anod", "anode"), None);
    }
}
