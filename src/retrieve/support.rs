//! How much of a question a text covers: the share of the question's information (IDF weight) whose
//! terms, or glossary equivalents, occur in the text. 0: nothing, 1: everything.
//!
//! This is lexical evidence only. It knows when a text is *about* something else, not when it
//! contradicts; `answer` decides what to do with it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Glossary;
use crate::index::{Catalog, IndexError};
use crate::text::{Term, analyse, bm25};

/// Words that ask rather than say; a text that answers does not repeat them. Matched as prefixes of
/// Korean words and as whole English ones.
const ASKING_KO: [&str; 27] = [
    "무엇", "무슨", "뭐", "얼마", "몇", "어느", "어떤", "어떻", "누가", "누구", "언제", "어디", "왜", "인가", "있나", "있습니",
    "했나", "했습니", "하나", "합니", "되나", "됐나", "됩니", "알려", "설명", "말해", "인지",
];
const ASKING_EN: [&str; 24] = [
    "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "many", "much", "do", "doe", "did", "can",
    "could", "tell", "explain", "describ", "give", "show", "list", "me", "about",
];

/// A question prepared for measuring.
pub struct Support {
    parts: Vec<Asked>,
    total: f32,
}

/// One term of the question with what it weighs and what may stand for it.
struct Asked {
    term: String,
    weight: f32,
    /// Each alternative is the set of words that must all occur.
    alternatives: Vec<Vec<String>>,
}

impl Support {
    /// Prepares `question`: its terms weighed by IDF over the whole index.
    pub fn new(question: &str, glossary: &Glossary, catalog: &Catalog) -> Result<Support, IndexError> {
        let terms: Vec<Term> = analyse(question).into_iter().filter(|t| !asks(question, &t.span)).collect();
        let matches = glossary.matches(question);
        let dimensions: Vec<u32> = terms.iter().map(|t| bm25::dimension(&t.text)).collect();
        let idf = catalog.idf(&dimensions)?;
        let mut seen = HashSet::new();
        let parts: Vec<Asked> = terms
            .into_iter()
            .zip(idf)
            .filter(|(t, _)| seen.insert(t.text.clone()))
            .map(|(t, idf)| Asked {
                weight: t.weight * idf,
                alternatives: matches
                    .iter()
                    .filter(|m| m.span.start <= t.span.start && t.span.end <= m.span.end)
                    .flat_map(|m| m.others.iter().map(|o| whole_words(o)))
                    .collect(),
                term: t.text,
            })
            .collect();
        let total = parts.iter().map(|p| p.weight).sum();
        Ok(Support { parts, total })
    }

    /// The share of the question that `text` covers, 0 to 1; 0 for a question without content words.
    pub fn of(&self, text: &str) -> f32 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let found: HashMap<String, ()> = analyse(text).into_iter().map(|t| (t.text, ())).collect();
        let has = |w: &String| found.contains_key(w);
        let covered = |p: &&Asked| has(&p.term) || p.alternatives.iter().any(|a| !a.is_empty() && a.iter().all(has));
        self.parts.iter().filter(covered).map(|p| p.weight).sum::<f32>() / self.total
    }
}

fn whole_words(text: &str) -> Vec<String> {
    analyse(text).into_iter().filter(|t| t.weight >= 1.0).map(|t| t.text).collect()
}

/// True when the word around `span` only asks.
fn asks(question: &str, span: &Range<usize>) -> bool {
    let before = question.get(..span.start).unwrap_or("");
    let start = before.char_indices().rev().take_while(|(_, c)| c.is_alphanumeric()).last().map_or(span.start, |(i, _)| i);
    let word: String = question.get(start..).unwrap_or("").chars().take_while(|c| c.is_alphanumeric()).collect();
    let word = word.to_lowercase();
    ASKING_KO.iter().any(|a| word.starts_with(a)) || ASKING_EN.iter().any(|a| word == *a || word == format!("{a}s") || word == format!("{a}e"))
}
