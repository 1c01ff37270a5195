//! Whether passages were found by their meaning alone: none of them has a word of the question.
//!
//! In: a question and the passages found for it. Out: yes or no. A search by vectors finds the nearest texts however far they are; who
//! reads them is to be told.

use super::{Parts, RetrieveError, Support, Translations};
use crate::document::Passage;
use crate::text::coverage::{Coverage, term_set};

/// True where none of the passages has a word of the question, a glossary's name for one, or a translation of one; false where there
/// are no passages.
pub fn is_by_meaning_alone(parts: &Parts<'_>, question: &str, passages: &[Passage]) -> Result<bool, RetrieveError> {
    let words = Support::new(question, parts.glossary, parts.catalog)?;
    if passages.is_empty() || !have_none_of(passages, words.coverage()) {
        return Ok(false);
    }
    let across = words.across(&Translations::new()?, question, passages);
    Ok(have_none_of(passages, across.coverage()))
}

fn have_none_of(passages: &[Passage], words: &Coverage) -> bool {
    let holds = |p: &Passage| {
        let (by, year) = (p.metadata.institution.as_deref(), p.metadata.year.map(|year| year.to_string()));
        let (header, kind) = (p.header.as_deref(), p.metadata.doc_type.as_deref());
        let beside = [by, year.as_deref(), header, kind].map(Option::unwrap_or_default).join("\n");
        words.by(&term_set(&format!("{}\n{}\n{}\n{beside}", p.title, p.path.join("\n"), p.text))) > 0.0
    };
    !words.is_empty() && !passages.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_without_a_word_of_the_query_are_told_from_those_with_one() {
        let mut passage = Passage::whole(1, "Kiln gas", "The kiln saved 23 % of its gas.");
        passage.metadata.institution = Some("Norwind Institute".into());
        let passages = [passage];
        let none = |query: &str| have_none_of(&passages, &Coverage::of_question(query, &[]));
        assert!(none("qqxyz") && none("football world cup"));
        for query in ["gas of whales", "Norwind", "", "What is it about?"] {
            assert!(!none(query), "{query}");
        }
        assert!(!have_none_of(&passages, &Coverage::of_statement("kilns", &[])));
    }
}
