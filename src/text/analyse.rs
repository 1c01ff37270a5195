//! From text to weighted terms, without a dictionary. Version `koen-1`.
//!
//! | text | terms (weight) |
//! | --- | --- |
//! | Korean word | stem (1), its syllable bigrams, marked `~` (0.5) |
//! | English word | Snowball stem (1); stop words give none |
//! | hyphenated words | each word (1), the words joined (0.5) |
//! | code `NCM811`, `6204-2RS` | the whole in lower case (1), its parts (0.5); `-` at a letter is dropped: `NCM-811` is `ncm811` |
//! | formula `LiNi0.8Co0.2O2` | the whole (1), elements and elements with counts (0.5) |
//! | number `1,000`, `0.8` | without separators of thousands (1) |
//! | number with unit `5 mg`, `300억` | number (1), unit as a word (1), both joined (0.5) |
//! | Han, kana | pairs (1) and single characters (0.5); a lone character (1) |
//!
//! A word ends where the script changes, and a particle left over there gives no term.

use std::ops::Range;

use super::normalise::{Letter, normalise};
use super::{codes, english, korean};

/// Name and version of the analyser; an index records it and refuses another.
pub const ANALYSER: &str = "koen-1";

/// One term of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The normalised term; what is hashed into a sparse dimension.
    pub text: String,
    /// Weight in a query and a document, 1.0 for a whole word, less for a part of one.
    pub weight: f32,
    /// Bytes of the input the term came from.
    pub span: Range<usize>,
}

/// Weight of a whole word, number or code.
pub(super) const WHOLE: f32 = 1.0;
/// Weight of a part, or of a joined form beside its parts.
pub(super) const PART: f32 = 0.5;

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
    each_term(text, |term, weight, span| terms.push(Term { text: term.to_owned(), weight, span }));
    terms
}

/// Calls `emit` with each term of `text`, its weight and its bytes, without keeping them.
pub(super) fn each_term(text: &str, mut emit: impl FnMut(&str, f32, Range<usize>)) {
    let letters = normalise(text);
    let mut buffer = String::new();
    let mut emit = |term: &str, weight: f32, letters: &[Letter]| {
        if let (Some(first), Some(last)) = (letters.first(), letters.last()) {
            emit(term, weight, first.start..last.end);
        }
    };
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
                let glued = at > 0 && Script::of(letters[at - 1].ch) == Script::Latin;
                hangul(run, glued, &mut buffer, &mut emit);
            }
            Script::Han | Script::Kana => ideographs(run, &mut buffer, &mut emit),
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

/// A Korean word: its stem and the stem's syllable bigrams.
fn hangul(run: &[Letter], glued: bool, buffer: &mut String, emit: &mut impl FnMut(&str, f32, &[Letter])) {
    let mut syllables = [' '; LONGEST_WORD];
    for run in run.chunks(LONGEST_WORD) {
        for (slot, letter) in syllables.iter_mut().zip(run) {
            *slot = letter.ch;
        }
        let word = &syllables[..run.len()];
        if glued && korean::is_particle(word) {
            continue;
        }
        let stem = &word[..korean::stem_len(word)];
        buffer.clear();
        buffer.extend(stem);
        if korean::is_stop_word(buffer) {
            continue;
        }
        emit(buffer, WHOLE, &run[..stem.len()]);
        for (i, pair) in stem.windows(2).enumerate() {
            buffer.clear();
            buffer.push('~');
            buffer.extend(pair);
            emit(buffer, PART, &run[i..i + 2]);
        }
    }
}

/// Han or kana: pairs and single characters, since nothing marks the words.
fn ideographs(run: &[Letter], buffer: &mut String, emit: &mut impl FnMut(&str, f32, &[Letter])) {
    let single = if run.len() == 1 { WHOLE } else { PART };
    for (i, letter) in run.iter().enumerate() {
        buffer.clear();
        buffer.push(letter.ch);
        emit(buffer, single, &run[i..=i]);
        if let Some(next) = run.get(i + 1) {
            buffer.push(next.ch);
            emit(buffer, WHOLE, &run[i..i + 2]);
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
