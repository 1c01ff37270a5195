//! The words of an index, and what its documents say are two names of one thing.
//!
//! Counted with the terms, kept in the catalogue beside them: spelling is judged by the words, the pairs join the glossary.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Catalog, IndexError};
use crate::text::{SameThing, Term, abbreviations};

/// Its tables.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, letters INTEGER NOT NULL, chunks INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS same_things (name TEXT NOT NULL, other TEXT NOT NULL, chunks INTEGER NOT NULL, PRIMARY KEY (name, other)) WITHOUT ROWID;
";

/// Shorter words are not kept: too many are one letter apart. Letters of an English word …
const LATIN: RangeInclusive<usize> = 4..=32;
/// … and syllables of a Korean one.
const HANGUL: RangeInclusive<usize> = 2..=12;

/// The form in which a word is kept: a Korean word without its particle, an English word as written, in lower case. `None`
/// for figures, codes, parts of words, and what is too short or too long to be judged.
pub fn vocabulary_form(text: &str, term: &Term) -> Option<String> {
    let syllables = term.text.chars().count();
    if term.weight >= 1.0 && term.text.chars().all(|c| ('가'..='힣').contains(&c)) {
        return HANGUL.contains(&syllables).then(|| term.text.clone());
    }
    let word = text.get(term.span.clone())?;
    (term.weight >= 1.0 && LATIN.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic()))
        .then(|| word.to_ascii_lowercase())
}

/// What is being counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Vocabulary {
    words: HashMap<String, i64>,
    pairs: BTreeMap<SameThing, i64>,
}

/// The words of one chunk, and the pairs of names that it says are one thing.
pub(super) struct ChunkWords {
    words: HashSet<String>,
    pairs: HashSet<SameThing>,
}

impl ChunkWords {
    /// `indexed` is the chunk's text with title and headings, `terms` what that was analysed into.
    pub(super) fn new(indexed: &str, terms: &[Term]) -> ChunkWords {
        ChunkWords {
            words: terms.iter().filter_map(|t| vocabulary_form(indexed, t)).collect(),
            pairs: abbreviations(indexed).into_iter().collect(),
        }
    }
}

impl Vocabulary {
    /// Counts a chunk.
    pub(super) fn add(&mut self, chunk: ChunkWords) {
        chunk.words.into_iter().for_each(|word| *self.words.entry(word).or_default() += 1);
        chunk.pairs.into_iter().for_each(|pair| *self.pairs.entry(pair).or_default() += 1);
    }

    /// Replaces what was counted before.
    pub(super) fn write(&self, t: &Transaction<'_>) -> rusqlite::Result<()> {
        t.execute_batch("DELETE FROM words; DELETE FROM same_things")?;
        let mut word = t.prepare("INSERT INTO words (word, letters, chunks) VALUES (?1, ?2, ?3)")?;
        // In their order, so that each goes to the end of the table.
        let mut words: Vec<(&String, &i64)> = self.words.iter().collect();
        words.sort_unstable();
        for (text, n) in words {
            word.execute(params![text, text.chars().count() as i64, n])?;
        }
        let mut pair = t.prepare("INSERT INTO same_things (name, other, chunks) VALUES (?1, ?2, ?3)")?;
        self.pairs.iter().try_for_each(|(p, n)| pair.execute(params![p.name, p.other, n]).map(drop))
    }
}

impl Catalog {
    /// False for an index whose words were never counted (one made by an older version).
    pub(super) fn has_words(&self) -> Result<bool, IndexError> {
        self.with(|c| Ok(c.query_row("SELECT 1 FROM words LIMIT 1", [], |_| Ok(())).optional()?.is_some()))
    }

    /// Words of this many letters (or syllables) whose first is one of `first`, each with the chunks it occurs in, in their order.
    pub fn words(
        &self,
        letters: RangeInclusive<usize>,
        first: RangeInclusive<char>,
    ) -> Result<Vec<(String, u64)>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached(
                "SELECT word, chunks FROM words WHERE word >= ?1 AND word < ?2 AND letters BETWEEN ?3 AND ?4",
            )?;
            let (from, to) = (first.start().to_string(), format!("{}\u{10FFFF}", first.end()));
            let range = params![from, to, *letters.start() as i64, *letters.end() as i64];
            statement.query_map(range, |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.max(0) as u64)))?.collect()
        })
    }

    /// In how many chunks a word stands, in the form of [`vocabulary_form`].
    pub fn chunks_with_word(&self, word: &str) -> Result<u64, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT chunks FROM words WHERE word = ?1")?;
            let n: Option<i64> = statement.query_row([word], |r| r.get(0)).optional()?;
            Ok(n.unwrap_or(0).max(0) as u64)
        })
    }

    /// True if a longer word has this one in it: 전고체 stands in 전고체전지. Reads the whole vocabulary.
    pub fn has_compound_with(&self, word: &str) -> Result<bool, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT EXISTS (SELECT 1 FROM words WHERE instr(word, ?1) > 0)")?;
            statement.query_row([word], |r| r.get(0))
        })
    }

    /// In how many chunks each term occurs, whatever it is to its word.
    pub fn chunks_with_term(&self, dimension: u32) -> Result<u64, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare_cached("SELECT chunks FROM terms WHERE dimension = ?1")?;
            let n: Option<i64> = statement.query_row([dimension], |r| r.get(0)).optional()?;
            Ok(n.unwrap_or(0).max(0) as u64)
        })
    }

    /// What the documents say are two names of one thing, with the number of chunks that say so, in order.
    pub fn same_things(&self) -> Result<Vec<(SameThing, u64)>, IndexError> {
        self.with(|c| {
            let mut statement = c.prepare("SELECT name, other, chunks FROM same_things ORDER BY name, other")?;
            let row = |r: &rusqlite::Row<'_>| {
                Ok((SameThing { name: r.get(0)?, other: r.get(1)? }, r.get::<_, i64>(2)?.max(0) as u64))
            };
            statement.query_map([], row)?.collect()
        })
    }
}
