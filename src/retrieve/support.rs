//! How much of a question a passage covers, its terms weighed by how rare they are in the whole index.

use super::{Glossary, Translations};
use crate::document::Passage;
use crate::index::{Catalog, IndexError};
use crate::text::bm25;
use crate::text::coverage::{Coverage, term_set};

/// Share of a follow-up that its own words are: a passage that only covers what was asked before holds less than half of it.
const OWN: f32 = 0.55;

/// A question prepared for measuring.
pub struct Support(Coverage);

impl Support {
    /// Prepares `question`.
    pub fn new(question: &str, glossary: &Glossary, catalog: &Catalog) -> Result<Support, IndexError> {
        let coverage = Coverage::of_question(question, &glossary.matches(question));
        let dimensions: Vec<u32> = coverage.terms().map(bm25::dimension).collect();
        Ok(Support(coverage.weigh(catalog.idf(&dimensions)?)))
    }

    /// Lets words of the passages in the other language count that translate words of the question.
    pub fn across(self, translations: &Translations, question: &str, passages: &[Passage]) -> Support {
        let texts = passages.iter().flat_map(|p| [p.title.as_str(), p.text.as_str()]);
        Support(self.0.or(&translations.of(question, texts)))
    }

    /// Makes what a follow-up asks itself, from byte `own` of the question on, decide: what was asked before, ahead of it, is covered
    /// by what was answered before.
    pub fn of_follow_up(self, own: usize) -> Support {
        if own == 0 { self } else { Support(self.0.stress(own, OWN)) }
    }

    /// The question's terms, weighed.
    pub fn coverage(&self) -> &Coverage {
        &self.0
    }

    /// The share of the question that `text` covers, 0 to 1; 0 for a question without content words.
    pub fn of(&self, text: &str) -> f32 {
        self.0.by(&term_set(text))
    }
}
