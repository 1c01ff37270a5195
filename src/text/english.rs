//! English words to terms: stop words and Snowball stems (Porter 2).

use std::collections::HashSet;
use std::sync::LazyLock;

use qdrant_rust_stemmers::{Algorithm, Stemmer};

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// Function words and question words: frequent in questions, without a subject of their own.
const STOP_WORDS: &str = "a about above after again against all also am an and any are as at be because been before \
     being below between both but by can cannot could did do does doing done down during each eg either else etc few for \
     from further had has have having he hence her here hers him his how however i ie if in into is it its itself just \
     let may me might more most must my neither no nor not of off often on once only or other our out over own per \
     quite rather same shall she should since so some such than that the their theirs them then there thereby \
     therefore these they this those through thus to too toward towards under until up upon us very via was we were \
     what when where whereas whether which while who whom whose why will with within without would you your";

static STOP: LazyLock<HashSet<&'static str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());

/// True for a lower-case word that carries no subject.
pub(super) fn is_stop_word(word: &str) -> bool {
    word.len() <= 9 && STOP.contains(word)
}

/// Replaces a lower-case word by its stem. Other scripts than ASCII stay as they are.
pub(super) fn stem(word: &mut String) {
    if word.len() < 3 || !word.is_ascii() {
        return;
    }
    *word = STEMMER.stem(word).into_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stemmed(word: &str) -> String {
        let mut word = word.to_owned();
        stem(&mut word);
        word
    }

    #[test]
    fn inflections_share_a_stem() {
        assert_eq!(stemmed("batteries"), stemmed("battery"));
        assert_eq!(stemmed("degraded"), stemmed("degradation"));
        assert_eq!(stemmed("β"), "β");
    }

    #[test]
    fn function_words_stop_and_subjects_do_not() {
        assert!(is_stop_word("which") && is_stop_word("the"));
        assert!(!is_stop_word("anode") && !is_stop_word("use"));
    }
}
