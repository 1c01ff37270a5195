//! Which words of an index say in the other language what the words of a question say?
//!
//! In: a question. Out: a sparse vector of the index's own words, each weighed by its cosine to the word it stands for. They are
//! found by the embedded encoder's vectors of single words, which lie close where one translates the other, among the most
//! frequent words of the index; words that come later are known to the next [`Lexicon`]. Beside a text's one vector, in
//! which all its words are blurred, this finds the texts that say the question's rare words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::RetrieveError;
use super::across::Script;
use crate::embed::{StaticModel, dot};
use crate::index::Catalog;
use crate::text::analyse;
use crate::text::bm25::{SparseVector, query_vector};

/// A word may stand for another from this cosine on …
const SAME_MEANING: f32 = 0.65;
/// … if none comes closer by more than this …
const NEAR_BEST: f32 = 0.2;
/// … and not more than so many.
const AT_MOST: usize = 6;
/// Different words of a question that are translated, the first: a long text says what it is about early and often.
const ASKED: usize = 64;
/// Words of a script that are looked at, the most frequent: 27 MB of vectors.
const WORDS: usize = 30_000;

/// The index keeps no longer words.
const ANY_LENGTH: RangeInclusive<usize> = 1..=32;

/// Finds them. Cheap to make: the words are read when first needed.
#[derive(Default)]
pub struct Lexicon {
    known: OnceLock<Known>,
}

struct Known {
    model: StaticModel,
    latin: Words,
    hangul: Words,
}

/// Words and their vectors, one after the other.
struct Words {
    names: Vec<String>,
    vectors: Vec<f32>,
}

impl Words {
    fn read(catalog: &Catalog, model: &StaticModel, first: RangeInclusive<char>) -> Result<Words, RetrieveError> {
        let mut all = catalog.words(ANY_LENGTH, first)?;
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(WORDS);
        let names: Vec<String> = all.into_iter().map(|w| w.0).collect();
        let vectors = names.iter().flat_map(|name| model.vector(name)).collect();
        Ok(Words { names, vectors })
    }

    /// The words that may stand for one with this vector, nearest first.
    fn near(&self, vector: &[f32]) -> Vec<(f32, &str)> {
        let cosines = self.vectors.chunks_exact(vector.len().max(1)).map(|v| dot(v, vector));
        let mut found: Vec<(f32, &str)> =
            cosines.zip(&self.names).filter(|(c, _)| *c >= SAME_MEANING).map(|(c, name)| (c, name.as_str())).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        found.truncate(AT_MOST);
        let best = found.first().map_or(0.0, |f| f.0);
        found.retain(|f| f.0 >= best - NEAR_BEST);
        found
    }
}

impl Lexicon {
    fn known(&self, catalog: &Catalog) -> Result<&Known, RetrieveError> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let model = StaticModel::embedded()?;
        let latin = Words::read(catalog, &model, 'a'..='z')?;
        let hangul = Words::read(catalog, &model, '가'..='힣')?;
        Ok(self.known.get_or_init(|| Known { model, latin, hangul }))
    }

    /// The question in the other language's words of the index of `catalog`; empty where none is near enough.
    pub fn translated(&self, catalog: &Catalog, question: &str) -> Result<SparseVector, RetrieveError> {
        let known = self.known(catalog)?;
        let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for term in analyse(question).into_iter().filter(|t| t.weight >= 1.0) {
            let Some(script) = Script::of(&term.text) else { continue };
            let word = script.spelt(question, &term).to_lowercase();
            if asked.len() == ASKED || asked.contains(&word) {
                continue;
            }
            let vector = known.model.vector(&word);
            asked.insert(word);
            let other = match script {
                Script::Hangul => &known.latin,
                Script::Latin => &known.hangul,
            };
            for (cosine, name) in other.near(&vector) {
                let found = query_vector(name);
                for (dimension, value) in found.indices.into_iter().zip(found.values) {
                    let slot = weights.entry(dimension).or_insert(0.0);
                    *slot = slot.max(value * cosine);
                }
            }
        }
        let (indices, values) = weights.into_iter().unzip();
        Ok(SparseVector { indices, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::bm25::dimension;

    #[test]
    fn words_stand_for_their_translations_the_nearest_first() {
        let model = StaticModel::embedded().unwrap();
        let names: Vec<String> = ["anode", "cathode", "laser", "weld", "weather"].map(str::to_owned).to_vec();
        let vectors = names.iter().flat_map(|n| model.vector(n)).collect();
        let words = Words { names, vectors };
        let near = |word: &str| words.near(&model.vector(word)).into_iter().map(|f| f.1).collect::<Vec<_>>();
        assert_eq!(near("레이저"), ["laser"]);
        assert_eq!(near("음극").first(), Some(&"anode"));
        assert!(near("협동조합").is_empty());
    }

    #[test]
    fn a_question_becomes_the_words_of_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite3")).unwrap();
        let model = StaticModel::embedded().unwrap();
        let words = |all: &[&str]| Words {
            names: all.iter().map(|w| (*w).to_owned()).collect(),
            vectors: all.iter().flat_map(|w| model.vector(w)).collect(),
        };
        let known = Known { latin: words(&["laser", "charging"]), hangul: words(&["압력"]), model };
        let lexicon = Lexicon { known: OnceLock::from(known) };
        let found = lexicon.translated(&catalog, "레이저 압력 12 bar").unwrap();
        assert_eq!(found.indices, [dimension("laser")]);
        assert!(found.values[0] > 0.6 && found.values[0] <= 1.0, "{found:?}");
        let empty = Lexicon::default().translated(&catalog, "레이저").unwrap();
        assert!(empty.indices.is_empty(), "an index without words: {empty:?}");
    }
}
