//! Retrieval on a BEIR folder, through the real pipeline: workers, catalogue, store, fusion.
//!
//! A document that is longer than a chunk is scored by its best chunk.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde::Serialize;

use super::metrics::{self, Ranking};
use super::{EvaluateError, beir};
use crate::config;
use crate::embed::{Embedder, Side, TransformerEncoder};
use crate::index::{self, Index, Mode, Query, StorePlace, SyncOptions};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::text::bm25::{Bm25, query_vector};

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
    /// Nothing: words only, as long as the program ships no dense model.
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
    /// Where to write a TREC run of the level's mode.
    pub run_out: Option<PathBuf>,
    /// Fusion.
    pub search: config::Search,
    /// The program started as a worker.
    pub program: PathBuf,
}

/// Metrics of one mode.
#[derive(Clone, Debug, Serialize)]
pub struct ModeResult {
    /// `sparse`, `dense` or `hybrid`.
    pub mode: &'static str,
    /// By name.
    pub metrics: BTreeMap<String, f64>,
    /// Median milliseconds of one search, encoding left out.
    pub search_ms: f64,
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
    /// Metrics of the mode the level uses: the last of `modes`.
    pub metrics: BTreeMap<String, f64>,
    /// Metrics of every mode.
    pub modes: Vec<ModeResult>,
    /// Seconds of indexing.
    pub index_s: f64,
}

/// Indexes the corpus into a folder that is thrown away, and asks every judged query.
pub fn run(options: &RetrievalOptions) -> Result<RetrievalResult, EvaluateError> {
    let data = beir::open(&options.dataset, options.split.as_deref())?;
    let (level, encoder) = encoder(options)?;
    let embedder = encoder.as_ref().map(|e| e as &dyn Embedder);
    let folder = tempfile::tempdir()?;
    let begin = Instant::now();
    let index = index::open(folder.path(), &StorePlace::Embedded, embedder, false)?;
    let report =
        index::sync(&index.catalog, &*index.store, embedder, &sync_options(&data.corpus, options), &mut |_| ())?;
    if let Some(error) = report.rows.iter().find_map(|r| r.error.clone()) {
        return Err(EvaluateError::Dataset { path: data.corpus.display().to_string(), what: error });
    }
    let index_s = begin.elapsed().as_secs_f64();
    let names = document_names(&index)?;
    let dense = embedder.map(|e| encode(e, data.queries.values())).transpose()?;
    let mut modes = Vec::new();
    let mut run = BTreeMap::new();
    for kind in if dense.is_some() { &["sparse", "dense", "hybrid"][..] } else { &["sparse"] } {
        let mut times = Vec::with_capacity(data.queries.len());
        run = BTreeMap::new();
        for (i, (id, text)) in data.queries.iter().enumerate() {
            let vector = dense.as_ref().map(|d| &d[i]);
            let begin = Instant::now();
            let query =
                Query { mode: mode(kind, text, vector, &options.search), filter: None, limit: CHUNKS, exact: false };
            let hits = index.store.query(&query)?;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            run.insert(id.clone(), rank(hits.iter().map(|h| (h.id, h.score)), &names));
        }
        times.sort_by(f64::total_cmp);
        let search_ms = times.get(times.len() / 2).copied().unwrap_or(0.0);
        modes.push(ModeResult { mode: kind, metrics: metrics::all(&run, &data.qrels), search_ms });
    }
    if let Some(file) = &options.run_out {
        write_run(file, &run, modes.last().map_or("sparse", |m| m.mode))?;
    }
    Ok(RetrievalResult {
        dataset: data.name,
        split: data.split,
        level,
        encoder: embedder.map(|e| e.id().to_owned()),
        documents: report.documents,
        chunks: report.chunks,
        queries: data.queries.len(),
        metrics: modes.last().map(|m| m.metrics.clone()).unwrap_or_default(),
        modes,
        index_s,
    })
}

fn encoder(options: &RetrievalOptions) -> Result<(Level, Option<TransformerEncoder>), EvaluateError> {
    let level = options.level.unwrap_or(if options.encoder.is_some() { Level::Standard } else { Level::Embedded });
    match (level, &options.encoder) {
        (Level::Embedded, _) => Ok((level, None)),
        (Level::Standard, Some(folder)) => Ok((level, Some(TransformerEncoder::open(folder)?))),
        (Level::Standard, None) => {
            Err(EvaluateError::Level("level standard needs an encoder: --encoder FOLDER".into()))
        }
        (Level::Best, _) => {
            Err(EvaluateError::Level("level best needs a reranker, which this version does not have yet".into()))
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
        chunks: ChunkOptions::default(),
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
) -> Result<Vec<Vec<f32>>, EvaluateError> {
    let texts: Vec<&str> = queries.map(String::as_str).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        vectors.extend(embedder.embed(batch, Side::Query)?);
    }
    Ok(vectors)
}

fn mode(kind: &str, text: &str, dense: Option<&Vec<f32>>, search: &config::Search) -> Mode {
    match (kind, dense) {
        ("dense", Some(dense)) => Mode::Dense(dense.clone()),
        ("hybrid", Some(dense)) => Mode::Hybrid {
            dense: dense.clone(),
            sparse: query_vector(text),
            k: search.rrf_k,
            weights: [search.dense_weight, search.sparse_weight],
            prefetch: search.prefetch.max(CHUNKS),
        },
        _ => Mode::Sparse(query_vector(text)),
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

fn write_run(file: &Path, run: &BTreeMap<String, Ranking>, tag: &str) -> Result<(), EvaluateError> {
    let mut out = std::io::BufWriter::new(fs_err::File::create(file)?);
    for (query, ranking) in run {
        for (i, (document, score)) in ranking.iter().enumerate() {
            writeln!(out, "{query} Q0 {document} {} {score} sectora-{tag}", i + 1)?;
        }
    }
    Ok(out.flush()?)
}
