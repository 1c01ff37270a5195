//! Terms that mean the same across languages, added to a question at a lower weight.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::acronyms;
use crate::sector::GlossaryRow;
use crate::text::bm25::{self, SparseVector, query_vector};
use crate::text::coverage::Synonyms;
use crate::text::{SameThing, analyse};

/// A sector's glossary, ready to be matched against questions.
pub struct Glossary {
    rows: Vec<Vec<Entry>>,
    /// Rows from here on are what documents say, not what the sector does.
    mined: usize,
    /// Which rows have a term that begins with this word.
    by_word: HashMap<String, Vec<usize>>,
}

struct Entry {
    term: String,
    /// The term's analysed words, in order.
    words: Vec<String>,
}

/// Words of research administration that every sector shares.
const RESEARCH_TERMS: &str = include_str!("research_terms.toml");

#[derive(serde::Deserialize)]
struct Rows {
    glossary: Vec<GlossaryRow>,
}

impl Glossary {
    /// The rows of a sector file, and the words of research administration that every sector shares.
    pub fn of_sector(rows: &[GlossaryRow]) -> Glossary {
        Glossary::of_index(rows, &[])
    }

    /// The same, with what the documents of an index say are two names of one thing.
    pub fn of_index(rows: &[GlossaryRow], pairs: &[(SameThing, u64)]) -> Glossary {
        let shared: Rows = toml::from_str(RESEARCH_TERMS).expect("the program's own table is tested");
        let stated = [rows, &shared.glossary].concat();
        let mined = stated.len();
        Glossary { mined, ..Glossary::new(&[stated, acronyms::rows(pairs)].concat()) }
    }

    /// Only what the documents of an index say.
    pub fn mined(pairs: &[(SameThing, u64)]) -> Glossary {
        Glossary { mined: 0, ..Glossary::new(&acronyms::rows(pairs)) }
    }

    /// Prepares the rows of a sector file.
    pub fn new(rows: &[GlossaryRow]) -> Glossary {
        let entry = |term: &String| Entry { term: term.clone(), words: words(term).into_iter().map(|w| w.0).collect() };
        let rows: Vec<Vec<Entry>> = rows.iter().map(|row| row.terms.iter().map(entry).collect()).collect();
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, row) in rows.iter().enumerate() {
            for first in row.iter().filter_map(|e| e.words.first()) {
                let places = by_word.entry(first.clone()).or_default();
                if places.last() != Some(&i) {
                    places.push(i);
                }
            }
        }
        Glossary { mined: rows.len(), rows, by_word }
    }

    /// Each row's names, as the BM25 dimensions of their words.
    pub fn names(&self) -> impl Iterator<Item = Vec<Vec<u32>>> {
        let dimensions = |e: &Entry| e.words.iter().map(|w| bm25::dimension(w)).collect();
        self.rows.iter().map(move |row| row.iter().map(dimensions).collect())
    }

    /// The rows that occur in `question`, each with the terms that do not.
    pub fn matches(&self, question: &str) -> Vec<Synonyms> {
        self.found(question).map(|(_, synonyms)| synonyms).collect()
    }

    /// The same with the number of the row.
    fn found(&self, question: &str) -> impl Iterator<Item = (usize, Synonyms)> {
        let asked = words(question);
        let rows: BTreeSet<usize> =
            asked.iter().filter_map(|(word, _)| self.by_word.get(word)).flatten().copied().collect();
        rows.into_iter().filter_map(move |i| Some((i, find(&self.rows[i], &asked)?)))
    }

    /// The question's sparse vector with the other terms of each matched row added at `weight`
    /// (0: none). A dimension that the question itself has keeps its own, larger value. The words of a name that documents
    /// give to an abbreviation share its weight: many names are long, and their words common.
    pub fn expand(&self, question: &str, weight: f32) -> SparseVector {
        let own = query_vector(question);
        if weight <= 0.0 {
            return own;
        }
        let mut merged: BTreeMap<u32, f32> = own.indices.into_iter().zip(own.values).collect();
        for (row, synonyms) in self.found(question) {
            for other in &synonyms.others {
                let shared = if row < self.mined { 1 } else { words(other).len().max(1) };
                let added = query_vector(other);
                for (index, value) in added.indices.into_iter().zip(added.values) {
                    let slot = merged.entry(index).or_insert(0.0);
                    *slot = slot.max(value * weight / shared as f32);
                }
            }
        }
        let (indices, values) = merged.into_iter().unzip();
        SparseVector { indices, values }
    }
}

/// Whole words (weight 1) of a text with their places.
fn words(text: &str) -> Vec<(String, Range<usize>)> {
    analyse(text).into_iter().filter(|t| t.weight >= 1.0).map(|t| (t.text, t.span)).collect()
}

fn find(row: &[Entry], asked: &[(String, Range<usize>)]) -> Option<Synonyms> {
    let mut found: HashSet<&str> = HashSet::new();
    let mut span: Option<Range<usize>> = None;
    for entry in row.iter().filter(|e| !e.words.is_empty()) {
        let run = asked.windows(entry.words.len()).find(|w| w.iter().zip(&entry.words).all(|(a, b)| a.0 == *b));
        if let Some(run) = run {
            found.insert(&entry.term);
            let here = run[0].1.start..run[run.len() - 1].1.end;
            span = Some(match span {
                Some(s) if s.len() >= here.len() => s,
                _ => here,
            });
        }
    }
    let others = row.iter().filter(|e| !found.contains(e.term.as_str())).map(|e| e.term.clone()).collect();
    span.map(|span| Synonyms { span, others })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glossary() -> Glossary {
        Glossary::new(&[
            GlossaryRow { terms: vec!["전고체전지".into(), "all-solid-state battery".into(), "ASSB".into()] },
            GlossaryRow { terms: vec!["용량 유지율".into(), "capacity retention".into()] },
        ])
    }

    #[test]
    fn a_korean_term_brings_its_english_ones() {
        let matches = glossary().matches("전고체전지의 용량 유지율은?");
        assert_eq!(matches.len(), 2);
        assert_eq!(matches[0].others, ["all-solid-state battery", "ASSB"]);
        let plain = query_vector("전고체전지의 용량 유지율은?");
        let expanded = glossary().expand("전고체전지의 용량 유지율은?", 0.5);
        let english = query_vector("capacity retention");
        assert!(expanded.indices.len() > plain.indices.len());
        for (index, value) in english.indices.iter().zip(&english.values) {
            let at = expanded.indices.binary_search(index).expect("English term was added");
            assert!((expanded.values[at] - value * 0.5).abs() < 1e-6);
        }
    }

    #[test]
    fn words_of_research_administration_are_known_in_every_sector() {
        let matches = Glossary::of_sector(&[]).matches("이 과제의 연구책임자는?");
        assert!(matches.iter().any(|m| m.others.contains(&"principal investigator".into())), "{matches:?}");
    }

    #[test]
    fn a_question_without_a_term_stays_as_it_is() {
        assert_eq!(glossary().expand("seawater intake", 0.5), query_vector("seawater intake"));
        assert_eq!(glossary().expand("전고체전지", 0.0), query_vector("전고체전지"));
    }
}
