//! All documents that pass a filter, each by one passage, and the filter that a question for a list states.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::understand::{self, Restrictions};
use super::{Parts, RetrieveError, SearchOptions, filter, known_institutions, passages};
use crate::document::{Document, Passage};
use crate::index::Hit;
use crate::text::{is_whole_sentence, sentences};

/// Documents that are looked at for one list; of more the rest is only counted.
const LOOKED_AT: usize = 3_000;

/// What a question for a list says of years and institutions.
pub struct Stated {
    /// The options of a search with it.
    pub options: SearchOptions,
    /// Where the question says it (bytes).
    pub said: Vec<Range<usize>>,
    /// It says who did the work.
    pub names_who: bool,
    /// It names an institution of the index otherwise than as who did the work.
    pub names_another: bool,
}

/// What `question` says of years and institutions beside the filters of `options`; `None` where the two leave nothing. Unlike a search, a
/// list also takes one year for a filter (`in 2018`).
pub fn stated_for_list(
    parts: &Parts<'_>,
    question: &str,
    options: &SearchOptions,
) -> Result<Option<Stated>, RetrieveError> {
    let found = match parts.settings.filters {
        true => understand::of_list(question, &known_institutions(parts, options)?),
        false => Restrictions::default(),
    };
    let from = options.year_from.max(found.year_from);
    let to = [options.year_to, found.year_to].into_iter().flatten().min();
    let names_who = !found.institutions.is_empty();
    // Those known pass the filter that was given.
    let institutions = if names_who { found.institutions } else { options.institutions.clone() };
    let is_empty = from.zip(to).is_some_and(|(from, to)| from > to);
    Ok((!is_empty).then(|| Stated {
        options: SearchOptions { year_from: from, year_to: to, institutions, ..options.clone() },
        said: found.said,
        names_who,
        names_another: found.names_another,
    }))
}

/// Documents of a list.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// One passage a document, the newest document first, those without a year last; numbered from 1.
    pub passages: Vec<Passage>,
    /// How many documents there are; at least so many where `is_all` is false.
    pub total: usize,
    /// How many of each type, where they have one.
    pub kinds: BTreeMap<String, usize>,
    /// False where there were more than were looked at.
    pub is_all: bool,
}

impl Documents {
    /// Counts a document.
    pub fn count(&mut self, kind: Option<&str>) {
        self.total += 1;
        if let Some(kind) = kind {
            *self.kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

/// The documents that pass `options` and `wanted`, the first `limit` by the first passage with a sentence (else by
/// their first one).
pub fn documents(
    parts: &Parts<'_>,
    options: &SearchOptions,
    limit: usize,
    wanted: &dyn Fn(&Document) -> bool,
) -> Result<Documents, RetrieveError> {
    let ids = parts.store.facet("doc_id", Some(&filter(&parts.sector.name, options)))?;
    let mut out = Documents { is_all: ids.len() <= LOOKED_AT, ..Documents::default() };
    let mut found = Vec::new();
    for (id, _) in ids.into_iter().take(LOOKED_AT) {
        let document = parts.catalog.document(&id)?;
        if wanted(&document) {
            out.count(document.metadata.doc_type.as_deref());
            found.push((Reverse(document.metadata.year), document.title, id));
        }
    }
    found.sort_unstable();
    let mut hits = Vec::new();
    for (.., id) in found.iter().take(limit) {
        let chunks = parts.catalog.chunks_of(id)?;
        let document = parts.catalog.document(id)?;
        let tells = chunks.iter().find(|chunk| {
            let text = chunk.span.slice(&document.text);
            sentences(text).iter().any(|s| is_whole_sentence(s.slice(text)))
        });
        hits.extend(tells.or(chunks.first()).map(|chunk| Hit { id: chunk.id, score: 0.0 }));
    }
    out.passages = passages(parts, &hits, limit, |_| true)?;
    out.passages.iter_mut().zip(1..).for_each(|(passage, n)| passage.n = n);
    Ok(out)
}
