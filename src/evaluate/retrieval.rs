//! Retrieval on a BEIR folder, through the real pipeline: workers, catalogue, store, fusion.
//!
//! A document that is longer than a chunk is scored by its best chunk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::metrics::{self, PerQuery, Ranking, Run};
use super::statistics::{self, Comparison, Estimate, Pair};
use super::typing::{self, Typing};
use super::{EvaluateError, beir, trec};
use crate::config;
use crate::embed::{Embedder, Encoded, EncoderOptions, Reranker, Side, StaticModel, TransformerEncoder, open_reranker};
use crate::index::{self, EdgeOptions, Hit, Index, IndexError, Mode, Query, StorePlace, SyncOptions};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::retrieve::fusion::{self, Join};
use crate::retrieve::{Glossary, Lexicon, RetrieveError, Support, by_vocabulary};
use crate::text::bm25::Bm25;

/// Documents of a run.
const DEPTH: usize = 100;
/// Chunks fetched to find them.
const CHUNKS: usize = 300;
/// Queries encoded at a time.
const BATCH: usize = 256;

/// What is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: words and the encoder inside the program.
    Embedded,
    /// An encoder.
    Standard,
    /// An encoder and a reranker.
    Best,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct RetrievalOptions {
    /// BEIR folder.
    pub dataset: PathBuf,
    /// Split of the judgements.
    pub split: Option<String>,
    /// Level; by default what the encoder allows.
    pub level: Option<Level>,
    /// Encoder folder.
    pub encoder: Option<PathBuf>,
    /// How it is computed.
    pub how: EncoderOptions,
    /// Chunk sizes.
    pub chunks: ChunkOptions,
    /// Reranker folder, to be tested against the search without it.
    pub reranker: Option<PathBuf>,
    /// At level `embedded`: words only.
    pub words_only: bool,
    /// Ask each query with a typing error too, as it is and respelt.
    pub mistyped: bool,
    /// Where to write a TREC run of the level's mode.
    pub run_out: Option<PathBuf>,
    /// Fusion.
    pub search: config::Search,
    /// The program started as a worker.
    pub program: PathBuf,
    /// Seed of the resampling.
    pub seed: u64,
}

/// Metrics of one mode.
#[derive(Clone, Debug, Serialize)]
pub struct ModeResult {
    /// `sparse`, `dense`, `learned` (an encoder's sparse head), `hybrid`, `reranked`.
    pub mode: &'static str,
    /// By name.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals of the main ones.
    pub confidence: BTreeMap<String, Estimate>,
    /// Median milliseconds of one search, encoding left out (of `reranked`: of reranking alone).
    pub search_ms: f64,
    /// Every metric of every query; not part of the summary.
    #[serde(skip)]
    pub per_query: PerQuery,
}

/// An existing run against judgements.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// The run's file.
    pub run: String,
    /// The judgements' file.
    pub qrels: String,
    /// Judged queries.
    pub queries: usize,
    /// Queries of the run that nobody judged; they are left out.
    pub unjudged: usize,
    /// By name.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals of the main ones.
    pub confidence: BTreeMap<String, Estimate>,
    /// Against a second run, where one was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// Every metric of every query.
    #[serde(skip)]
    pub per_query: PerQuery,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalResult {
    /// Folder name.
    pub dataset: String,
    /// Split.
    pub split: String,
    /// Level.
    pub level: Level,
    /// Encoder.
    pub encoder: Option<String>,
    /// Documents.
    pub documents: u64,
    /// Chunks.
    pub chunks: u64,
    /// Judged queries.
    pub queries: usize,
    /// Relevant documents of the judgements that the corpus does not hold: they count as not found.
    pub absent_documents: usize,
    /// The mode the level uses.
    pub mode: &'static str,
    /// Its metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Metrics of every mode, then those of mistyped questions, where they were asked.
    pub modes: Vec<ModeResult>,
    /// What the reranker is worth, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranker: Option<Worth>,
    /// Each mode against the one the level uses, and respelt questions against mistyped ones, with Holm's correction over all rows.
    pub comparisons: Vec<Comparison>,
    /// What typing errors did, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<Typing>,
    /// Seconds of indexing.
    pub index_s: f64,
}

impl RetrievalResult {
    /// What the level's mode gave.
    pub fn of_level(&self) -> Option<&ModeResult> {
        self.modes.iter().find(|m| m.mode == self.mode)
    }
}

/// Whether a reranker pays on a collection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// [`Reranker::id`].
    pub id: String,
    /// nDCG@10 with it less that without.
    pub difference: f64,
    /// Of the paired permutation test, corrected over the table.
    pub p: f64,
    /// True only where it is better and that is no chance: then `search.reranker` may name it.
    pub keep: bool,
}

/// Indexes the corpus into a folder that is thrown away, and asks every judged query.
pub fn run(options: &RetrievalOptions) -> Result<RetrievalResult, EvaluateError> {
    let data = beir::open(&options.dataset, options.split.as_deref())?;
    let (level, encoder) = encoder(options)?;
    let embedder = encoder.as_deref();
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    let index = index::open(folder.path(), &StorePlace::Embedded(EdgeOptions::default()), embedder, false)?;
    let report =
        index::sync(&index.catalog, &*index.store, embedder, &sync_options(&data.corpus, options), &mut |_| ())?;
    if let Some(error) = report.rows.iter().find_map(|r| r.error.clone()) {
        return Err(EvaluateError::Dataset { path: data.corpus.display().to_string(), what: error });
    }
    let index_s = begin.elapsed().as_secs_f64();
    let names = document_names(&index)?;
    let there: HashSet<&String> = names.values().collect();
    let relevant = data.qrels.values().flatten().filter(|(_, grade)| **grade > 0).map(|(document, _)| document);
    let absent: HashSet<&String> = relevant.filter(|d| !there.contains(d)).collect();
    let glossary = Glossary::mined(&if options.search.acronyms { index.catalog.same_things()? } else { Vec::new() });
    let lexicon = Lexicon::default();
    let bench = Asked { index: &index, embedder, glossary: &glossary, lexicon: &lexicon, names: &names, options };
    let kinds = match embedder.map(Embedder::learns_weights) {
        Some(true) => &["sparse", "dense", "learned", "hybrid"][..],
        Some(false) => &["sparse", "dense", "hybrid"],
        None => &["sparse"],
    };
    let reranker = options.reranker.as_deref().map(open_reranker).transpose()?;
    let mut run = Run::new();
    let mut candidates = Vec::new();
    let mut modes = Vec::new();
    for kind in kinds {
        let (result, ranked, hits) = bench.ask(kind, kind, &data.queries, &data.qrels)?;
        (run, candidates) = (ranked, hits);
        modes.push(result);
    }
    let asked_in = modes.last().map_or("sparse", |m| m.mode);
    if let Some(reranker) = &reranker {
        let mut times = Vec::with_capacity(data.queries.len());
        for ((id, text), hits) in data.queries.iter().zip(&candidates) {
            let begin = Instant::now();
            let ordered = reranked(&index, &**reranker, text, hits, &options.search)?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            run.insert(id.clone(), rank(ordered.into_iter(), &names));
        }
        modes.push(result("reranked", &run, times, &data.qrels, options.seed));
    }
    let measured = modes.len();
    let mode = modes.last().map_or("sparse", |m| m.mode);
    let typing = options.mistyped.then(|| bench.mistyped(asked_in, &data, &mut modes)).transpose()?;
    let comparisons = between_modes(&modes, measured, options.seed);
    if let Some(file) = &options.run_out {
        trec::write_run(file, &run, &format!("sectora-{mode}"))?;
    }
    Ok(RetrievalResult {
        dataset: data.name,
        split: data.split,
        level,
        encoder: embedder.map(|e| e.id().to_owned()),
        documents: report.documents,
        chunks: report.chunks,
        queries: data.queries.len(),
        absent_documents: absent.len(),
        mode,
        metrics: modes.get(measured - 1).map(|m| m.metrics.clone()).unwrap_or_default(),
        reranker: reranker.and_then(|r| worth(r.id(), &modes[..measured], &comparisons)),
        comparisons,
        typing,
        modes,
        index_s,
    })
}

fn result(mode: &'static str, run: &Run, mut times: Vec<f64>, qrels: &metrics::Qrels, seed: u64) -> ModeResult {
    times.sort_by(f64::total_cmp);
    let search_ms = times.get(times.len() / 2).copied().unwrap_or(0.0);
    let per_query = metrics::per_query(run, qrels);
    let confidence = confidence(&per_query, seed);
    ModeResult { mode, metrics: metrics::means(&per_query), confidence, search_ms, per_query }
}

/// The chunks, those the reranker read within its time in its order, the others behind them as they were.
fn reranked(
    index: &Index,
    reranker: &dyn Reranker,
    question: &str,
    hits: &[Hit],
    search: &config::Search,
) -> Result<Vec<(u64, f32)>, EvaluateError> {
    let until = Instant::now() + Duration::from_millis(search.rerank_ms);
    let mut texts = Vec::new();
    for hit in hits.iter().take(search.rerank_candidates) {
        let chunk = index.catalog.chunk(hit.id)?;
        let text =
            chunk.map(|c| Ok::<_, IndexError>(c.span.slice(&index.catalog.document(&c.doc_id)?.text).to_owned()));
        texts.push(text.transpose()?.unwrap_or_default());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scores = reranker.score(question, &texts, until)?;
    // Probabilities, so above every one of those that were not read.
    let place = |(i, hit): (usize, &Hit)| (hit.id, scores.get(i).copied().unwrap_or(-1.0 - i as f32));
    Ok(hits.iter().enumerate().map(place).collect())
}

fn worth(id: &str, modes: &[ModeResult], comparisons: &[Comparison]) -> Option<Worth> {
    let [.., before, _] = modes else { return None };
    let row = comparisons.iter().find(|c| c.metric == "ndcg@10" && c.b == before.mode)?;
    let (difference, p) = (row.difference, row.p_corrected);
    Some(Worth { id: id.to_owned(), difference, p, keep: difference > 0.0 && p < 0.05 })
}

/// An index and how it is asked.
struct Asked<'a> {
    index: &'a Index,
    embedder: Option<&'a dyn Embedder>,
    glossary: &'a Glossary,
    lexicon: &'a Lexicon,
    names: &'a HashMap<u64, String>,
    options: &'a RetrievalOptions,
}

impl Asked<'_> {
    /// All queries in mode `kind`; the row is called `name`.
    fn ask(
        &self,
        name: &'static str,
        kind: &str,
        queries: &BTreeMap<String, String>,
        qrels: &metrics::Qrels,
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
        Ok((result(name, &run, times, qrels, self.options.seed), run, found))
    }

    /// Adds the rows of questions with one typing error each, as they are and respelt, and of those without, respelt.
    fn mistyped(&self, kind: &str, data: &beir::Beir, modes: &mut Vec<ModeResult>) -> Result<Typing, EvaluateError> {
        let mut random = statistics::Random::new(self.options.seed);
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

/// Scores a run against judgements, and against a second run question by question.
pub fn score(run: &Path, qrels: &Path, against: Option<&Path>, seed: u64) -> Result<RunResult, EvaluateError> {
    let judged = trec::qrels(qrels)?;
    let ranked = trec::read_run(run)?;
    if !ranked.keys().any(|q| judged.contains_key(q)) {
        return Err(EvaluateError::Dataset {
            path: run.display().to_string(),
            what: format!(
                "none of its {} queries is judged in {}; do both use the same query ids?",
                ranked.len(),
                qrels.display()
            ),
        });
    }
    let per_query = metrics::per_query(&ranked, &judged);
    let name = |p: &Path| p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let comparisons = match against {
        None => Vec::new(),
        Some(file) => {
            let other = metrics::per_query(&trec::read_run(file)?, &judged);
            let (a, b) = (name(run), name(file));
            compare(&[((&a, &per_query), (&b, &other))], seed)
        }
    };
    Ok(RunResult {
        run: run.display().to_string(),
        qrels: qrels.display().to_string(),
        queries: judged.len(),
        unjudged: ranked.keys().filter(|q| !judged.contains_key(*q)).count(),
        metrics: metrics::means(&per_query),
        confidence: confidence(&per_query, seed),
        comparisons,
        per_query,
    })
}

/// The metrics that intervals and tests are made for.
const MAIN: [&str; 4] = ["ndcg@10", "mrr@10", "map", "recall@100"];

fn confidence(values: &PerQuery, seed: u64) -> BTreeMap<String, Estimate> {
    let estimate = |m: &&str| Some(((*m).to_owned(), statistics::bootstrap(&metrics::column(values, m), seed)?));
    MAIN.iter().filter_map(estimate).collect()
}

/// The level's mode (the last of `kinds`) against the other rows, and mistyped questions against the same respelt.
fn between_modes(modes: &[ModeResult], kinds: usize, seed: u64) -> Vec<Comparison> {
    let Some(last) = modes.get(kinds - 1) else { return Vec::new() };
    let mut pairs: Vec<(Named<'_>, Named<'_>)> =
        modes.iter().filter(|m| m.mode != last.mode).map(|m| (named(last), named(m))).collect();
    if let [wrong, mended, _] = &modes[kinds..] {
        pairs.push((named(mended), named(wrong)));
    }
    compare(&pairs, seed)
}

/// A system's name and what it gave.
type Named<'v> = (&'v str, &'v PerQuery);

fn named(mode: &ModeResult) -> Named<'_> {
    (mode.mode, &mode.per_query)
}

/// Every pair by every metric, corrected together: all that one table shows.
fn compare(pairs: &[(Named<'_>, Named<'_>)], seed: u64) -> Vec<Comparison> {
    let pairs = pairs.iter().flat_map(|(one, other)| {
        MAIN.iter().map(move |metric| Pair {
            metric,
            names: (one.0, other.0),
            a: metrics::column(one.1, metric),
            b: metrics::column(other.1, metric),
        })
    });
    statistics::compare(&pairs.collect::<Vec<_>>(), seed)
}

fn encoder(options: &RetrievalOptions) -> Result<(Level, Option<Box<dyn Embedder>>), EvaluateError> {
    let level = options.level.unwrap_or(if options.encoder.is_some() { Level::Standard } else { Level::Embedded });
    let how = &options.how;
    match (level, &options.encoder) {
        (Level::Embedded, _) if options.words_only => Ok((level, None)),
        (Level::Embedded, _) => Ok((level, Some(Box::new(StaticModel::embedded()?)))),
        (Level::Standard, Some(folder)) => Ok((level, Some(Box::new(TransformerEncoder::open_with(folder, how)?)))),
        (Level::Standard, None) => {
            Err(EvaluateError::Level("level standard needs an encoder: --encoder FOLDER".into()))
        }
        (Level::Best, _) => {
            let what = "level best is not measured here: it needs a reranker's weights; --level standard --encoder FOLDER measures any encoder";
            Err(EvaluateError::Level(what.into()))
        }
    }
}

fn sync_options<'a>(corpus: &Path, options: &RetrievalOptions) -> SyncOptions<'a> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    SyncOptions {
        sector: "evaluation".into(),
        roots: vec![corpus.to_path_buf()],
        mapping: RecordMapping::default(),
        stated: &|_| None,
        chunks: options.chunks,
        bm25: Bm25::default(),
        limits: Limits::default(),
        program: options.program.clone(),
        prune: false,
        cancel: &NEVER,
    }
}

/// Chunk id -> the data set's document id.
fn document_names(index: &Index) -> Result<HashMap<u64, String>, EvaluateError> {
    let mut names = HashMap::new();
    let mut after = String::new();
    loop {
        let ids = index.catalog.document_ids(&after, 1000)?;
        let Some(last) = ids.last() else { return Ok(names) };
        after.clone_from(last);
        for id in &ids {
            let name = index.catalog.document(id)?.metadata.external_id.unwrap_or_else(|| id.clone());
            names.extend(index.catalog.chunks_of(id)?.into_iter().map(|c| (c.id, name.clone())));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A row in which each of 40 questions has `value` in every metric that is tested.
    fn mode(mode: &'static str, value: f64) -> ModeResult {
        let values: BTreeMap<String, f64> = MAIN.iter().map(|m| ((*m).to_owned(), value)).collect();
        let per_query: PerQuery = (0..40).map(|i| (format!("{i:02}"), values.clone())).collect();
        let metrics = metrics::means(&per_query);
        ModeResult { mode, metrics, confidence: BTreeMap::new(), search_ms: 0.0, per_query }
    }

    fn modes() -> Vec<ModeResult> {
        let names = ["sparse", "hybrid", "mistyped", "mistyped, respelt", "unmistyped, respelt"];
        names.into_iter().zip([0.4, 0.6, 0.3, 0.5, 0.6]).map(|(name, value)| mode(name, value)).collect()
    }

    #[test]
    fn everything_that_one_table_shows_is_corrected_together() {
        let rows = between_modes(&modes(), 2, 1);
        assert_eq!(rows.len(), 5 * MAIN.len());
        let last = rows.last().unwrap();
        assert_eq!((last.a.as_str(), last.b.as_str()), ("mistyped, respelt", "mistyped"));
        let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
        assert_eq!(rows.iter().map(|r| r.p_corrected).collect::<Vec<_>>(), statistics::holm(&p));
        assert!(last.p_corrected > last.p * MAIN.len() as f64, "{last:?}");
    }

    #[test]
    fn the_mode_of_the_level_is_not_the_last_row_where_mistyped_questions_were_asked() {
        let modes = modes();
        let result = RetrievalResult {
            dataset: String::new(),
            split: String::new(),
            level: Level::Embedded,
            encoder: None,
            documents: 0,
            chunks: 0,
            queries: 40,
            absent_documents: 0,
            mode: "hybrid",
            metrics: modes[1].metrics.clone(),
            modes,
            reranker: None,
            comparisons: Vec::new(),
            typing: None,
            index_s: 0.0,
        };
        let level = result.of_level().unwrap();
        assert_eq!((level.mode, &level.metrics), ("hybrid", &result.metrics));
    }
}
