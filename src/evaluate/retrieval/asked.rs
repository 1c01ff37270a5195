//! All queries put to an index in one mode, their documents ranked by their best chunks.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::super::metrics::{self, Qrels, Ranking, Run};
use super::super::statistics::Random;
use super::super::typing::{self, Typing};
use super::super::{EvaluateError, beir};
use super::{ModeResult, RetrievalOptions};
use crate::config;
use crate::embed::{Embedder, Encoded, Reranker, Side};
use crate::index::{Hit, Index, IndexError, Mode, Query};
use crate::retrieve::fusion::{self, Join};
use crate::retrieve::{Glossary, Lexicon, RetrieveError, Support, by_vocabulary};

/// Documents of a run.
const DEPTH: usize = 100;
/// Chunks fetched to find them.
const CHUNKS: usize = 300;
/// Queries encoded at a time.
const BATCH: usize = 256;

/// An index and how it is asked.
pub(super) struct Asked<'a> {
    pub(super) index: &'a Index,
    pub(super) embedder: Option<&'a dyn Embedder>,
    pub(super) glossary: &'a Glossary,
    pub(super) lexicon: &'a Lexicon,
    pub(super) names: &'a HashMap<u64, String>,
    pub(super) options: &'a RetrievalOptions,
}

impl Asked<'_> {
    /// All queries in mode `kind`; the row is called `name`.
    pub(super) fn ask(
        &self,
        name: &'static str,
        kind: &str,
        queries: &BTreeMap<String, String>,
        qrels: &Qrels,
    ) -> Result<(ModeResult, Run, Vec<Vec<Hit>>), EvaluateError> {
        let encoded = self.embedder.map(|e| encode(e, queries.values())).transpose()?;
        let mut times = Vec::with_capacity(queries.len());
        let mut run = Run::new();
        let mut found = Vec::with_capacity(queries.len());
        for (i, (id, text)) in queries.iter().enumerate() {
            let vector = encoded.as_ref().map(|e| &e[i]);
            let begin = Instant::now();
            let hits = self.find(mode(kind, text, vector, &self.options.search, self.glossary), text)?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            run.insert(id.clone(), rank(hits.iter().map(|h| (h.id, h.score)), self.names));
            found.push(hits);
        }
        Ok((ModeResult::of(name, &run, times, qrels, self.options.seed), run, found))
    }

    /// Adds the rows of questions with one typing error each, as they are and respelt, and of those without, respelt.
    pub(super) fn mistyped(
        &self,
        kind: &str,
        data: &beir::Beir,
        modes: &mut Vec<ModeResult>,
    ) -> Result<Typing, EvaluateError> {
        let mut random = Random::new(self.options.seed);
        let mut typing = Typing::default();
        let [mut wrong, mut mended, mut clean] = [data.queries.clone(), data.queries.clone(), data.queries.clone()];
        for (id, text) in &data.queries {
            let respell = |text: &str| by_vocabulary(&self.index.catalog, self.glossary, text);
            let (respelt, changes) = respell(text)?;
            typing.clean_respelt += usize::from(!changes.is_empty());
            for c in changes {
                *typing.clean_changes.entry(format!("{} -> {}", c.from, c.to)).or_default() += 1;
            }
            clean.insert(id.clone(), respelt);
            let Some(mistyped) = typing::mistype(text, &mut random) else { continue };
            let (respelt, changes) = respell(&mistyped)?;
            typing.mistyped += 1;
            typing.respelt += usize::from(!changes.is_empty());
            typing.restored += usize::from(respelt.to_lowercase() == text.to_lowercase());
            wrong.insert(id.clone(), mistyped);
            mended.insert(id.clone(), respelt);
        }
        for (name, queries) in [("mistyped", &wrong), ("mistyped, respelt", &mended), ("unmistyped, respelt", &clean)] {
            modes.push(self.ask(name, kind, queries, &data.qrels)?.0);
        }
        Ok(typing)
    }

    /// The chunks that were found in the order of a reranker.
    pub(super) fn rerank(
        &self,
        reranker: &dyn Reranker,
        queries: &BTreeMap<String, String>,
        found: &[Vec<Hit>],
        qrels: &Qrels,
    ) -> Result<(ModeResult, Run), EvaluateError> {
        let mut times = Vec::with_capacity(queries.len());
        let mut run = Run::new();
        for ((id, text), hits) in queries.iter().zip(found) {
            let begin = Instant::now();
            let scored = self.scored(reranker, text, hits)?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            run.insert(id.clone(), rank(scored.into_iter(), self.names));
        }
        Ok((ModeResult::of("reranked", &run, times, qrels, self.options.seed), run))
    }

    /// The chunks with the reranker's scores; those that it did not read within its time are behind the others, as they were.
    fn scored(&self, reranker: &dyn Reranker, question: &str, hits: &[Hit]) -> Result<Vec<(u64, f32)>, EvaluateError> {
        let (catalog, search) = (&self.index.catalog, &self.options.search);
        let until = Instant::now() + Duration::from_millis(search.rerank_ms);
        let mut texts = Vec::new();
        for hit in hits.iter().take(search.rerank_candidates) {
            let chunk = catalog.chunk(hit.id)?;
            let text = chunk.map(|c| Ok::<_, IndexError>(c.span.slice(&catalog.document(&c.doc_id)?.text).to_owned()));
            texts.push(text.transpose()?.unwrap_or_default());
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scores = reranker.score(question, &texts, until)?;
        // Probabilities, so above every one of those that were not read.
        let place = |(i, hit): (usize, &Hit)| (hit.id, scores.get(i).copied().unwrap_or(-1.0 - i as f32));
        Ok(hits.iter().enumerate().map(place).collect())
    }

    /// As [`crate::retrieve::search`] finds chunks.
    fn find(&self, mode: Mode, text: &str) -> Result<Vec<Hit>, RetrieveError> {
        let index = self.index;
        match (Join::of(&mode, self.embedder)?, mode) {
            (Join::Scores(scale), Mode::Hybrid { dense, sparse, weights, prefetch, .. }) => {
                let support = Support::new(text, self.glossary, &index.catalog)?;
                let lexicon = self.options.search.across_words.then_some(self.lexicon);
                let question = fusion::Question { text, support: &support, lexicon, dense, sparse, scale };
                let weights = [weights[0], weights[1]];
                fusion::search(&index.catalog, &*index.store, question, None, weights, prefetch, CHUNKS)
            }
            (Join::Scores(_) | Join::Ranks, mode) => {
                Ok(index.store.query(&Query { mode, filter: None, limit: CHUNKS, exact: false })?)
            }
        }
    }
}

fn encode<'q>(
    embedder: &dyn Embedder,
    queries: impl Iterator<Item = &'q String>,
) -> Result<Vec<Encoded>, EvaluateError> {
    let texts: Vec<&str> = queries.map(String::as_str).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(embedder.encode(batch, Side::Query)?);
    }
    Ok(vectors)
}

fn mode(kind: &str, text: &str, encoded: Option<&Encoded>, search: &config::Search, glossary: &Glossary) -> Mode {
    let sparse = || glossary.expand(text, search.glossary_weight);
    match (kind, encoded) {
        ("dense", Some(e)) => Mode::Dense(e.dense.clone()),
        ("learned", Some(e)) => Mode::Learned(e.learned.clone().unwrap_or_default()),
        ("hybrid", Some(e)) => Mode::Hybrid {
            dense: e.dense.clone(),
            sparse: sparse(),
            learned: e.learned.clone(),
            k: search.rrf_k,
            weights: [search.dense_weight, search.sparse_weight, search.learned_weight],
            prefetch: search.prefetch.max(CHUNKS),
        },
        _ => Mode::Sparse(sparse()),
    }
}

/// Documents by their best chunk.
fn rank(hits: impl Iterator<Item = (u64, f32)>, names: &HashMap<u64, String>) -> Ranking {
    let mut best: BTreeMap<&String, f32> = BTreeMap::new();
    for (id, score) in hits {
        if let Some(name) = names.get(&id) {
            let slot = best.entry(name).or_insert(score);
            *slot = slot.max(score);
        }
    }
    let mut ranking: Ranking = best.into_iter().map(|(name, score)| (name.clone(), score)).collect();
    metrics::sort(&mut ranking);
    ranking.truncate(DEPTH);
    ranking
}
