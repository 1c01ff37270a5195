//! Words that are no rarity: the pieces of the encoder inside the program, most frequent first.
//!
//! Learnt from openly licensed prose and technical text (`models/embedded/DATA.md`). Names of persons are hardly among them, which is what
//! tells a name from a word.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Lines of a piece, a tab and its logarithmic probability.
pub static PIECES: &str = include_str!("../../models/embedded/pieces.txt");

/// True for a whole word of the list; `word` in lower case.
pub fn is_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| PIECES.lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect());
    WORDS.contains(word)
}
