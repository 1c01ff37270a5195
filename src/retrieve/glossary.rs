//! Terms that mean the same across languages, added to a question at a lower weight.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::sector::GlossaryRow;
use crate::text::analyse;
use crate::text::bm25::{SparseVector, query_vector};
use crate::text::coverage::Synonyms;

/// A sector's glossary, ready to be matched against questions.
pub struct Glossary {
    rows: Vec<Vec<Entry>>,
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
        let shared: Rows = toml::from_str(RESEARCH_TERMS).expect("the program's own table is tested");
        Glossary::new(&[rows, &shared.glossary].concat())
    }

    /// Prepares the rows of a sector file.
    pub fn new(rows: &[GlossaryRow]) -> Glossary {
        let entry = |term: &String| Entry { term: term.clone(), words: words(term).into_iter().map(|w| w.0).collect() };
        Glossary { rows: rows.iter().map(|row| row.terms.iter().map(entry).collect()).collect() }
    }

    /// The rows that occur in `question`, each with the terms that do not.
    pub fn matches(&self, question: &str) -> Vec<Synonyms> {
        let asked = words(question);
        self.rows.iter().filter_map(|row| find(row, &asked)).collect()
    }

    /// The question's sparse vector with the other terms of each matched row added at `weight`
    /// (0: none). A dimension that the question itself has keeps its own, larger value.
    pub fn expand(&self, question: &str, weight: f32) -> SparseVector {
        let own = query_vector(question);
        if weight <= 0.0 {
            return own;
        }
        let mut merged: BTreeMap<u32, f32> = own.indices.into_iter().zip(own.values).collect();
        for other in self.matches(question).iter().flat_map(|m| &m.others) {
            let added = query_vector(other);
            for (index, value) in added.indices.into_iter().zip(added.values) {
                let slot = merged.entry(index).or_insert(0.0);
                *slot = slot.max(value * weight);
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
