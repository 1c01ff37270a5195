//! Passages for every part of a question that asks several things: where none of those found speaks of a part, it is searched for
//! by itself, and what is found takes the place of the last.

use std::collections::HashSet;

use super::reading::in_context;
use crate::document::Passage;
use crate::retrieve::{self, Parts, RetrieveError, SearchOptions, Support};
use crate::text::QuestionPart;
use crate::text::coverage::{Coverage, term_set};
use crate::text::fields;

/// A passage speaks of a part if it holds more than this of what the part asks.
const PART: f32 = 0.5;
/// Passages that one part is searched for.
const LOOKED_AT: usize = 3;

/// `passages` with one for each part of the question that none of them speaks of, where there is one.
pub(super) fn completed(
    all: &Parts<'_>,
    question: &str,
    asked: &[QuestionPart],
    options: &SearchOptions,
    mut passages: Vec<Passage>,
) -> Result<Vec<Passage>, RetrieveError> {
    if asked.is_empty() || passages.is_empty() {
        return Ok(passages);
    }
    let fields = fields::asked(question);
    let speaks = |own: &Coverage, p: &Passage| own.by(&term_set(&in_context(p, &p.text, &fields))) > PART;
    let whole = Support::new(question, all.glossary, all.catalog)?;
    let mut added: Vec<Passage> = Vec::new();
    for part in asked {
        let holds = |span: &std::ops::Range<usize>| part.span.start <= span.start && span.end <= part.span.end;
        let own = whole.coverage().reweighed(|span| f32::from(u8::from(holds(span))));
        if own.is_empty() || passages.iter().chain(&added).any(|p| speaks(&own, p)) {
            continue;
        }
        let options = SearchOptions { limit: LOOKED_AT, ..options.clone() };
        let found = retrieve::search(all, &part.alone(question, asked), &options)?;
        added.extend(found.into_iter().find(|p| speaks(&own, p)));
    }
    let known: HashSet<u64> = added.iter().map(|p| p.chunk_id).collect();
    passages.retain(|p| !known.contains(&p.chunk_id));
    // The first stays in any case.
    passages.truncate(options.limit.saturating_sub(added.len()).max(1));
    passages.extend(added);
    passages.iter_mut().zip(1..).for_each(|(p, n)| p.n = n);
    Ok(passages)
}
