//! Candidates of the join from the vector store, asked for many projects in one request: on a Qdrant server or cluster the work
//! is done there, by its inverted lists and graphs, and spreads over its nodes.
//!
//! In: projects. Out: for each the projects whose passages the store finds by its heaviest words and, where vectors may speak,
//! by its vector. How alike they are is decided by [`Holdings::alike`], as for the join in memory.

use std::cell::RefCell;
use std::collections::HashMap;

use super::PortfolioError;
use super::holdings::Holdings;
use super::neighbours::heaviest;
use super::similarity::Weigher;
use crate::document::Language;
use crate::index::{Filter, Mode, Query};
use crate::retrieve::Parts;
use crate::text::bm25::SparseVector;

/// Projects asked for in one request, of two searches each.
pub(super) const BATCH: usize = 64;
/// Passages asked for each candidate wanted: a document may give several.
const PASSAGES: usize = 5;

/// Asks the store. One a thread.
pub(super) struct StoreJoin<'a> {
    parts: &'a Parts<'a>,
    holdings: &'a Holdings,
    weigher: Weigher<'a>,
    by_document: HashMap<&'a str, usize>,
    /// The project of a passage, if it is one that the reader sees.
    project_of: RefCell<HashMap<u64, Option<usize>>>,
}

impl<'a> StoreJoin<'a> {
    /// For the projects of `holdings`.
    pub(super) fn new(parts: &'a Parts<'a>, holdings: &'a Holdings) -> StoreJoin<'a> {
        let by_document = holdings.all.iter().enumerate().map(|(i, h)| (h.project.doc_id.as_str(), i)).collect();
        StoreJoin { parts, holdings, weigher: Weigher::new(parts), by_document, project_of: RefCell::default() }
    }

    /// The candidates of each of these projects, `most` at most by words and as many by vectors; in no order, not each once.
    pub(super) fn of(&self, projects: &[usize], most: usize) -> Result<Vec<Vec<usize>>, PortfolioError> {
        let mut queries: Vec<Query> = Vec::new();
        let mut whose: Vec<usize> = Vec::new();
        for (place, &i) in projects.iter().enumerate() {
            for query in [Some(self.by_words(i, most)?), self.by_vector(i, most)].into_iter().flatten() {
                queries.push(query);
                whose.push(place);
            }
        }
        let mut out = vec![Vec::new(); projects.len()];
        for (place, hits) in whose.into_iter().zip(self.parts.store.query_batch(&queries)?) {
            for hit in hits {
                if let Some(j) = self.project(hit.id)?.filter(|j| *j != projects[place]) {
                    out[place].push(j);
                }
            }
        }
        Ok(out)
    }

    /// The store weighs each term by its rarity; so is the weight here, and it must count once.
    fn by_words(&self, i: usize, most: usize) -> Result<Query, PortfolioError> {
        let mut terms = Vec::new();
        for (d, weight) in heaviest(self.holdings, i) {
            let idf = self.weigher.idf(d)?;
            if idf > 0.0 {
                terms.push((d, weight / idf));
            }
        }
        terms.sort_unstable_by_key(|(d, _)| *d);
        let (indices, values) = terms.into_iter().unzip();
        Ok(self.query(Mode::Sparse(SparseVector { indices, values }), &[], most))
    }

    /// Only among texts in whose language vectors may speak; `None` where there is no such language.
    fn by_vector(&self, i: usize, most: usize) -> Option<Query> {
        let vector = self.holdings.all[i].meaning.vector.clone()?;
        let speak: Vec<Language> =
            Language::ALL.into_iter().filter(|l| self.holdings.vectors_speak(i, l.name())).collect();
        (!speak.is_empty()).then(|| self.query(Mode::Dense(vector), &speak, most))
    }

    fn query(&self, mode: Mode, languages: &[Language], most: usize) -> Query {
        let filter =
            Filter::default().sector(&self.parts.sector.name).access_up_to(self.holdings.access).languages(languages);
        Query { mode, filter: Some(filter), limit: PASSAGES * most, exact: false }
    }

    fn project(&self, chunk: u64) -> Result<Option<usize>, PortfolioError> {
        if let Some(known) = self.project_of.borrow().get(&chunk) {
            return Ok(*known);
        }
        let found = self.parts.catalog.chunk(chunk)?.and_then(|c| self.by_document.get(c.doc_id.as_str()).copied());
        self.project_of.borrow_mut().insert(chunk, found);
        Ok(found)
    }
}
