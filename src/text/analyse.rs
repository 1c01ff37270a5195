//! From text to weighted terms, without a dictionary. Version `koen-2`.
//!
//! | text | terms (weight) |
//! | --- | --- |
//! | Korean word | stem (1), its syllable bigrams, marked `~` (0.5) |
//! | English word | Snowball stem (1); stop words give none |
//! | hyphenated words | each word (1), the words joined (0.5) |
//! | code `NCM811`, `6204-2RS` | the whole in lower case (1), its parts (0.5); `-` at a letter is dropped: `NCM-811` is `ncm811` |
//! | formula `LiNi0.8Co0.2O2` | the whole (1), elements and elements with counts (0.5) |
//! | number `1,000`, `0.8` | without separators of thousands (1) |
//! | number with unit `5 mg`, `300억` | number (1), unit as a word (1), both joined (1) |
//! | Han, kana | pairs (1) and single characters (0.5); a lone character (1) |
//! | Han with a Korean reading, `電池` | the word it spells, as a Korean word: `전지`; its pairs and characters (0.5) |
//!
//! A word ends where the script changes, and a particle left over there gives no term. A reading that stands beside its
//! characters, `전지(電池)` or `電池(전지)`, is not counted twice.
//!
//! Sparse vectors hold more, at 0.35, which help Korean ranking only ([`Role::Aid`]): the first and the
//! last two syllables of a longer stem as words, the single syllables of a short one, the bigram of a
//! stem's last syllable and what came off after it, and the bigram across the space between two words
//! (compounds are written with and without it).

use std::ops::Range;

use super::normalise::{Letter, normalise};
use super::{codes, english, hanja, korean};

/// Name and version of the analyser; an index records it and refuses another.
pub const ANALYSER: &str = "koen-2";

/// One term of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The normalised term; what is hashed into a sparse dimension.
    pub text: String,
    /// Weight in a query: 1.0 for a whole word, less for a part of one. Documents count occurrences.
    pub weight: f32,
    /// Bytes of the input the term came from.
    pub span: Range<usize>,
}

/// What a term is to its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A word, number or code as such.
    Whole,
    /// A part of one, or its joined form beside the parts.
    Part,
    /// Helps ranking, but says nothing about what a text contains; not among the terms of [`analyse`].
    Aid,
}

impl Role {
    /// Weight in a query.
    pub(super) fn weight(self) -> f32 {
        match self {
            Role::Whole => 1.0,
            Role::Part => 0.5,
            Role::Aid => 0.35,
        }
    }
}

/// Longest word that is taken as one term, in characters; longer runs are not language.
const LONGEST_WORD: usize = 64;

/// All terms of `text`, in order.
///
/// ```
/// use sectora::text::analyse;
/// let terms: Vec<String> = analyse("NCM811을 개발했다").into_iter().map(|t| t.text).collect();
/// assert_eq!(terms, ["ncm811", "ncm", "811", "개발", "~개발"]);
/// ```
pub fn analyse(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    each_term(text, |term, role, span| {
        if role != Role::Aid {
            terms.push(Term { text: term.to_owned(), weight: role.weight(), span });
        }
    });
    terms
}

/// Calls `emit` with each term of `text`, aids included, its role and its bytes, without keeping them.
pub(super) fn each_term(text: &str, mut emit: impl FnMut(&str, Role, Range<usize>)) {
    let letters = normalise(text);
    let mut buffer = String::new();
    let mut emit = |term: &str, role: Role, letters: &[Letter]| {
        if let (Some(first), Some(last)) = (letters.first(), letters.last()) {
            emit(term, role, first.start..last.end);
        }
    };
    let mut before: Option<Letter> = None;
    let mut at = 0;
    while at < letters.len() {
        let script = Script::of(letters[at].ch);
        let end = match script {
            Script::Latin => codes::run_end(&letters, at),
            Script::Hangul | Script::Han | Script::Kana => run_end(&letters, at, script),
            Script::None => at + 1,
        };
        let run = &letters[at..end];
        match script {
            Script::Hangul => {
                let glued = at > 0 && matches!(Script::of(letters[at - 1].ch), Script::Latin | Script::Han);
                let last = if glued { None } else { before.filter(|_| letters[at - 1].ch == ' ') };
                before = hangul(run, glued, last, &mut buffer, &mut emit);
            }
            Script::Han => {
                let word = hanja::reading(run);
                ideographs(run, if word.is_some() { Role::Part } else { Role::Whole }, &mut buffer, &mut emit);
                if let Some(word) = word.filter(|word| !stands_beside(&letters, at..end, word)) {
                    hangul(&word, false, None, &mut buffer, &mut emit);
                }
            }
            Script::Kana => ideographs(run, Role::Whole, &mut buffer, &mut emit),
            Script::Latin if is_clitic(&letters[..at], run) => {}
            Script::Latin => codes::terms(run, &letters[end..], &mut buffer, &mut emit),
            Script::None => {}
        }
        at = end;
    }
}

/// The scripts that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Korean syllables and jamo.
    Hangul,
    /// Chinese characters.
    Han,
    /// Hiragana and katakana.
    Kana,
    /// Every other letter and digit.
    Latin,
    /// Neither letter nor digit.
    None,
}

/// A syllable or a letter of Hangul.
pub(crate) fn is_hangul(c: char) -> bool {
    Script::of(c) == Script::Hangul
}

impl Script {
    pub(super) fn of(c: char) -> Script {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Script::Latin,
            '\0'..='\u{7F}' => Script::None,
            '\u{AC00}'..='\u{D7A3}' | '\u{1100}'..='\u{11FF}' => Script::Hangul,
            '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}' | '々' => Script::Han,
            '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | 'ー' => Script::Kana,
            _ if c.is_alphanumeric() => Script::Latin,
            _ => Script::None,
        }
    }
}

fn run_end(letters: &[Letter], from: usize, script: Script) -> usize {
    let len = letters[from..].iter().take_while(|l| Script::of(l.ch) == script).count();
    from + len
}

/// True for what English hangs on a word with an apostrophe: Alzheimer's, don't, they'll.
fn is_clitic(before: &[Letter], run: &[Letter]) -> bool {
    let hung = matches!(before, [.., word, mark] if mark.ch == '\'' && word.ch.is_alphabetic());
    hung && run.len() <= 2 && run.iter().all(|l| l.ch.is_ascii_alphabetic())
}

/// A Korean word: its stem, bigrams, and the aids of ranking.
///
/// `before` is the last syllable of the stem one space before. Gives back the last syllable of this
/// stem, `None` for a stop word or a particle.
fn hangul(
    run: &[Letter],
    glued: bool,
    before: Option<Letter>,
    buffer: &mut String,
    emit: &mut impl FnMut(&str, Role, &[Letter]),
) -> Option<Letter> {
    let mut syllables = [' '; LONGEST_WORD];
    let mut before = before;
    for run in run.chunks(LONGEST_WORD) {
        for (slot, letter) in syllables.iter_mut().zip(run) {
            *slot = letter.ch;
        }
        let word = &syllables[..run.len()];
        let stem = &word[..korean::stem_len(word)];
        fill(buffer, stem);
        if (glued && korean::is_particle(word)) || korean::is_stop_word(buffer) {
            before = None;
            continue;
        }
        emit(buffer, Role::Whole, &run[..stem.len()]);
        if let Some(before) = before {
            fill(buffer, &['~', before.ch, stem[0]]);
            emit(buffer, Role::Aid, &[before, run[0]]);
        }
        match stem.len() {
            1 | 2 => {
                for (i, &syllable) in stem.iter().enumerate() {
                    fill(buffer, &['~', syllable]);
                    emit(buffer, Role::Aid, &run[i..=i]);
                }
            }
            len => {
                fill(buffer, &stem[..2]);
                emit(buffer, Role::Aid, &run[..2]);
                if len > 3 {
                    fill(buffer, &stem[len - 2..]);
                    emit(buffer, Role::Aid, &run[len - 2..len]);
                }
            }
        }
        // One syllable more than the stem: what came off may have belonged to it (전자회로).
        for (i, pair) in word[..word.len().min(stem.len() + 1)].windows(2).enumerate() {
            fill(buffer, &['~', pair[0], pair[1]]);
            emit(buffer, if i + 1 < stem.len() { Role::Part } else { Role::Aid }, &run[i..i + 2]);
        }
        before = Some(run[stem.len() - 1]);
    }
    before
}

fn fill(buffer: &mut String, chars: &[char]) {
    buffer.clear();
    buffer.extend(chars);
}

/// True where the word in Hangul stands in brackets behind these letters, or they do behind it.
fn stands_beside(letters: &[Letter], run: Range<usize>, word: &[Letter]) -> bool {
    let same = |some: &[Letter]| some.iter().map(|l| l.ch).eq(word.iter().map(|l| l.ch));
    let opens = |letter: Option<&Letter>| letter.is_some_and(|l| matches!(l.ch, '(' | '['));
    let before = || run.start.checked_sub(word.len() + 1).is_some_and(|at| same(&letters[at..run.start - 1]));
    let behind = || letters.get(run.end + 1..run.end + 1 + word.len()).is_some_and(same);
    (opens(run.start.checked_sub(1).map(|at| &letters[at])) && before()) || (opens(letters.get(run.end)) && behind())
}

/// Han or kana: pairs and single characters, since nothing marks the words.
fn ideographs(run: &[Letter], pair: Role, buffer: &mut String, emit: &mut impl FnMut(&str, Role, &[Letter])) {
    let single = if run.len() == 1 { pair } else { Role::Part };
    for (i, letter) in run.iter().enumerate() {
        buffer.clear();
        buffer.push(letter.ch);
        emit(buffer, single, &run[i..=i]);
        if let Some(next) = run.get(i + 1) {
            buffer.push(next.ch);
            emit(buffer, pair, &run[i..i + 2]);
        }
    }
}

/// The word as a term: lower-cased, stopped and stemmed. Empty for a stop word.
pub(super) fn english_term(word: &[Letter], buffer: &mut String) {
    lower(word, buffer);
    if english::is_stop_word(buffer) {
        buffer.clear();
    } else {
        english::stem(buffer);
    }
}

/// The letters in lower case, at most [`LONGEST_WORD`] of them.
pub(super) fn lower(letters: &[Letter], buffer: &mut String) {
    buffer.clear();
    for letter in letters.iter().take(LONGEST_WORD) {
        if letter.ch.is_ascii() {
            buffer.push(letter.ch.to_ascii_lowercase());
        } else {
            buffer.extend(letter.ch.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(text: &str) -> Vec<String> {
        analyse(text).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn a_word_ends_where_the_script_changes() {
        assert_eq!(terms("NCM811을"), terms("NCM811"));
        assert_eq!(terms("pH가"), ["ph"]);
        assert_eq!(terms("LG화학은"), ["lg", "화학", "~화학"]);
    }

    #[test]
    fn inflected_words_meet_in_one_term() {
        assert_eq!(terms("전해질을 개발하였다"), terms("전해질은 개발된"));
        assert_eq!(
            terms("electrolytes were developed"),
            terms("developing the electrolyte").into_iter().rev().collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_same_text_in_another_encoding_has_the_same_terms() {
        assert_eq!(terms("ＮＣＭ８１１ 양극재"), terms("NCM811 양극재"));
        assert_eq!(terms("\u{110B}\u{1163}\u{11BC}\u{1100}\u{1173}\u{11A8}"), terms("양극"));
    }

    #[test]
    fn questions_ask_with_stop_words() {
        assert_eq!(terms("무엇이 있는가? 어떻게 하는가?"), Vec::<String>::new());
        assert_eq!(terms("What is it, and where?"), Vec::<String>::new());
        assert_eq!(terms("don't, Alzheimer's"), ["don", "alzheim"]);
    }

    #[test]
    fn han_and_kana_give_pairs_and_single_characters() {
        assert_eq!(terms("働込"), ["働", "働込", "込"]);
        assert_eq!(terms("は"), ["は"]);
    }

    #[test]
    fn chinese_characters_meet_the_korean_word_that_they_spell() {
        assert_eq!(terms("電池"), ["電", "電池", "池", "전지", "~전지"]);
        assert!(terms("二次電池의 效率").contains(&"효율".to_owned()));
        let whole =
            |text: &str| analyse(text).into_iter().filter(|t| t.weight == 1.0).map(|t| t.text).collect::<Vec<_>>();
        assert_eq!(whole("電解質을"), whole("전해질을"));
        for text in ["전지(電池)", "電池(전지)", "전지[電池]"] {
            assert_eq!(whole(text), ["전지"], "{text}");
        }
    }

    #[test]
    fn aids_reach_vectors_only() {
        let mut aids = Vec::new();
        each_term("고체 전해질막을", |term, role, _| {
            if role == Role::Aid {
                aids.push(term.to_owned());
            }
        });
        assert_eq!(aids, ["~고", "~체", "~체전", "전해", "질막", "~막을"]);
        assert!(terms("고체 전해질막을").iter().all(|t| !aids.contains(t)));
    }

    #[test]
    fn a_span_covers_what_the_term_came_from() {
        let text = "약 5㎎의 NCM-811을";
        let spans: Vec<(String, &str)> = analyse(text).into_iter().map(|t| (t.text, &text[t.span])).collect();
        assert!(spans.contains(&("5mg".into(), "5㎎")), "{spans:?}");
        assert!(spans.contains(&("ncm811".into(), "NCM-811")), "{spans:?}");
    }

    proptest! {
        #[test]
        fn spans_hold_text_and_words_come_in_order(text in "(\\PC|[가-힣]{1,5} ?|[A-Z]{1,3}[0-9]{1,2}|[0-9]{1,4}[.,-]|[a-z]{1,8} ){0,60}") {
            let mut before = 0;
            for term in analyse(&text) {
                prop_assert!(!term.text.is_empty());
                prop_assert!(text.get(term.span.clone()).is_some_and(|t| !t.is_empty()), "{:?}", term);
                if term.weight == 1.0 && !term.text.contains(char::is_numeric) {
                    prop_assert!(before <= term.span.start, "{:?}", term);
                    before = term.span.start;
                }
            }
        }

        #[test]
        fn case_does_not_matter_to_words(text in "([A-Za-z]{1,9}[ ,.-]){0,20}") {
            prop_assert_eq!(terms(&text), terms(&text.to_lowercase()));
        }
    }
}
