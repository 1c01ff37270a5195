//! Which names for one thing does a text put side by side? `redox flow battery (RFB)`, `전고체전지(ASSB)`,
//! `고체전해질(solid electrolyte, SE)`, `RFB (redox flow battery)`.
//!
//! In: a text. Out: pairs of names, as written. What stands before a bracket is cut where the letters of an English short form
//! begin (Schwartz & Hearst 2003, <https://psb.stanford.edu/psb-online/proceedings/psb03/schwartz.pdf>); a Korean name has no
//! such letters and is the word that touches the bracket, with the one before it where it is short.

use super::analyse::is_hangul;
use super::normalise::normalise;
use super::{english, korean};

/// Longest content of a bracket that is looked at, characters.
const LONGEST_BRACKET: usize = 80;
/// Letters and digits of a short form.
const SHORT: std::ops::RangeInclusive<usize> = 2..=10;
/// Words of an English name in a bracket.
const NAME_WORDS: usize = 5;
/// A Korean name of fewer syllables takes the word before it along.
const ALONE: usize = 3;
/// Syllables of a Korean name in a bracket.
const KOREAN_NAME: std::ops::RangeInclusive<usize> = 2..=14;

/// Two names that a text says are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SameThing {
    /// What stands outside the bracket, or the longer one of two inside it.
    pub name: String,
    /// What stands inside.
    pub other: String,
}

/// The pairs of names in `text`, in order; the same pair may come twice.
///
/// ```
/// use sectora::text::abbreviations;
/// let pairs = abbreviations("A redox flow battery (RFB) was built.");
/// assert_eq!((pairs[0].name.as_str(), pairs[0].other.as_str()), ("redox flow battery", "RFB"));
/// ```
pub fn abbreviations(text: &str) -> Vec<SameThing> {
    let text: String = normalise(text).iter().map(|l| l.ch).collect();
    let mut pairs = Vec::new();
    for (open, _) in text.match_indices('(') {
        let inside = &text[open + 1..];
        let Some(close) = inside.find([')', '(', '\n']).filter(|at| inside[*at..].starts_with(')')) else { continue };
        let inside = &inside[..close];
        if inside.chars().count() > LONGEST_BRACKET {
            continue;
        }
        let before = clause(&text[..open]);
        let names: Vec<&str> = inside.split([',', ';', '=']).filter_map(named).collect();
        for name in &names {
            if let Some(outside) = outside(before, name) {
                pairs.push(SameThing { name: outside.to_owned(), other: (*name).to_owned() });
            }
        }
        // (solid electrolyte, SE): two names of one thing inside.
        if let [long, short] = names[..]
            && is_abbreviation(short)
            && spelt_by(short, long).is_some_and(|found| found.len() == long.len())
        {
            pairs.push(SameThing { name: long.to_owned(), other: short.to_owned() });
        }
    }
    pairs
}

/// What stands before a bracket, back to the last mark that ends a thought.
fn clause(before: &str) -> &str {
    let start = before
        .char_indices()
        .rev()
        .find(|(i, c)| {
            matches!(c, '\n' | '(' | ')' | '[' | ']' | ':' | ';' | ',' | '|' | '"' | '?' | '!')
                || (*c == '.' && before[i + 1..].starts_with(' '))
        })
        .map_or(0, |(i, c)| i + c.len_utf8());
    &before[start..]
}

/// A name out of a bracket: a short form, an English or a Korean name; `None` for figures, sentences, remarks.
fn named(part: &str) -> Option<&str> {
    let part = part.trim().trim_start_matches("이하 ").trim_matches(['\'', '"', '“', '”', '「', '」', ' ']);
    let words: Vec<&str> = part.split_whitespace().collect();
    let (first, last) = (words.first()?, words.last()?);
    if is_abbreviation(part) {
        return Some(part);
    }
    if words.iter().all(|w| w.chars().all(is_hangul)) {
        let syllables = words.iter().map(|w| w.chars().count()).sum::<usize>();
        return (KOREAN_NAME.contains(&syllables) && words.len() <= 3).then_some(part);
    }
    let letters = |w: &&str| w.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let empty = |w: &str| english::is_stop_word(&w.to_lowercase());
    let is_name = words.len() <= NAME_WORDS && part.len() >= 4 && words.iter().all(letters);
    (is_name && !empty(first) && !empty(last)).then_some(part)
}

/// True for RFB, NMR, CaMKII, Li-S; not for a word, a figure or a code of figures.
pub fn is_abbreviation(name: &str) -> bool {
    let count = |is: fn(&char) -> bool| name.chars().filter(is).count();
    let (upper, digits) = (count(char::is_ascii_uppercase), count(char::is_ascii_digit));
    name.is_ascii()
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && SHORT.contains(&count(char::is_ascii_alphanumeric))
        && upper >= 2
        && digits <= 2
        && upper + digits >= count(char::is_ascii_lowercase)
}

/// The name before a bracket that holds `inside`.
fn outside<'a>(before: &'a str, inside: &str) -> Option<&'a str> {
    let touching = before.trim_end();
    let last = touching.rsplit(char::is_whitespace).next().filter(|w| !w.is_empty())?;
    if is_abbreviation(last) {
        // RFB (redox flow battery), SOC(충전상태).
        let korean = inside.chars().any(is_hangul);
        return (!is_abbreviation(inside) && (korean || spelt_by(last, inside) == Some(inside))).then_some(last);
    }
    if last.chars().all(is_hangul) {
        // A bracket after a space is a remark.
        return if touching.len() == before.len() && !inside.chars().any(is_hangul) {
            korean_name(touching)
        } else {
            None
        };
    }
    let found = is_abbreviation(inside).then(|| spelt_by(inside, touching)).flatten()?;
    let first = found.split([' ', '-']).next().unwrap_or_default().to_lowercase();
    (found.len() > inside.len() && !english::is_stop_word(&first) && !found.split(' ').any(|w| w == inside))
        .then_some(found)
}

/// The Korean word at the end, and the one before it where it is short.
fn korean_name(before: &str) -> Option<&str> {
    let last = before.rsplit(char::is_whitespace).next()?;
    if last.chars().count() >= ALONE {
        return Some(last);
    }
    let rest = before[..before.len() - last.len()].trim_end();
    let previous = rest.rsplit(char::is_whitespace).next().filter(|w| is_bare_noun(w));
    match previous {
        Some(word) if word.chars().count() >= 2 => Some(&before[rest.len() - word.len()..]),
        _ => (last.chars().count() >= 2).then_some(last),
    }
}

/// True for a Korean word without particle or ending that says something.
fn is_bare_noun(word: &str) -> bool {
    let syllables: Vec<char> = word.chars().collect();
    let bare = |s: &[char]| s.iter().all(|c| is_hangul(*c)) && korean::stem_len(s) == s.len();
    !syllables.is_empty()
        && bare(&syllables)
        && !korean::is_stop_word(word)
        && !word.ends_with(['한', '된', '는', '의'])
}

/// The end of `text` whose letters spell `short`: each of them occurs in order, the first at the start of a word, as few words
/// as that takes and no more than a short form of this length can stand for.
fn spelt_by<'a>(short: &str, text: &'a str) -> Option<&'a str> {
    let wanted: Vec<char> = short.trim_end_matches('s').chars().filter(char::is_ascii_alphanumeric).collect();
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut at = letters.len();
    for (i, wanted) in wanted.iter().enumerate().rev() {
        loop {
            at = at.checked_sub(1)?;
            let starts = at == 0 || !letters[at - 1].1.is_alphanumeric();
            if letters[at].1.eq_ignore_ascii_case(wanted) && (i > 0 || starts) {
                break;
            }
        }
    }
    let found = &text[letters.get(at)?.0..];
    let words = found.split_whitespace().count();
    (words <= (wanted.len() + 5).min(wanted.len() * 2)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        abbreviations(text).into_iter().map(|p| (p.name, p.other)).collect()
    }

    fn pair(name: &str, other: &str) -> (String, String) {
        (name.into(), other.into())
    }

    #[test]
    fn the_letters_of_a_short_form_find_its_name() {
        assert_eq!(
            pairs("We built a vanadium redox flow battery (VRFB)."),
            [pair("vanadium redox flow battery", "VRFB")]
        );
        assert_eq!(pairs("Nuclear magnetic resonance (NMR) shows it"), [pair("Nuclear magnetic resonance", "NMR")]);
        assert_eq!(pairs("polytetrafluoroethylene (PTFE) binder"), [pair("polytetrafluoroethylene", "PTFE")]);
        assert_eq!(pairs("several redox flow batteries (RFBs)"), [pair("redox flow batteries", "RFBs")]);
        assert_eq!(pairs("An RFB (redox flow battery) is large."), [pair("RFB", "redox flow battery")]);
    }

    #[test]
    fn a_korean_name_touches_its_bracket() {
        assert_eq!(pairs("본 과제는 전고체전지(ASSB)를 다룬다."), [pair("전고체전지", "ASSB")]);
        assert_eq!(pairs("나트륨이온 전지(이하 'SIB')의"), [pair("나트륨이온 전지", "SIB")]);
        assert_eq!(
            pairs("고체전해질(solid electrolyte, SE)을"),
            [pair("고체전해질", "solid electrolyte"), pair("고체전해질", "SE"), pair("solid electrolyte", "SE")]
        );
        assert_eq!(pairs("SOC(충전상태) 50 %"), [pair("SOC", "충전상태")]);
        assert_eq!(pairs("측정 또는 검증(validation)"), [pair("검증", "validation")]);
    }

    #[test]
    fn remarks_figures_and_codes_are_no_names() {
        for text in [
            "The cell (see Table 2) failed.",
            "가압(3 MPa)에서",
            "the result (in all cells) was",
            "고니켈 양극(NCM811)",
            "셀이 부풀었다 (시험 중단)",
            "It fell (p. 12). New (2021).",
            "a battery (XQZ)",
            "()(",
        ] {
            assert!(pairs(text).is_empty(), "{text}: {:?}", pairs(text));
        }
    }

    #[test]
    fn a_name_does_not_reach_over_the_end_of_a_sentence() {
        assert!(pairs("Redox was first. A flow battery (RFB)").is_empty());
    }
}
