//! Retrieval on a BEIR folder, through the real pipeline: workers, catalogue, store, fusion.
//!
//! A document that is longer than a chunk is scored by its best chunk.

mod asked;
mod compared;
mod scored;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde::Serialize;

use super::metrics::{self, PerQuery, Qrels, Run};
use super::statistics::{Comparison, Estimate};
use super::typing::Typing;
use super::{EvaluateError, beir, trec};
use crate::config;
use crate::embed::{Embedder, EncoderOptions, StaticModel, TransformerEncoder, open_reranker};
use crate::index::{self, EdgeOptions, Index, StorePlace, SyncOptions};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::retrieve::{Glossary, Lexicon};
use crate::text::bm25::Bm25;
use asked::Asked;
pub(super) use compared::MAIN;
use compared::{between_modes, confidence};
pub use scored::{RunResult, score};

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

impl ModeResult {
    fn of(mode: &'static str, run: &Run, mut times: Vec<f64>, qrels: &Qrels, seed: u64) -> ModeResult {
        times.sort_by(f64::total_cmp);
        let search_ms = times.get(times.len() / 2).copied().unwrap_or(0.0);
        let per_query = metrics::per_query(run, qrels);
        let confidence = confidence(&per_query, seed);
        ModeResult { mode, metrics: metrics::means(&per_query), confidence, search_ms, per_query }
    }
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
    /// [`crate::embed::Reranker::id`].
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
        let (result, ranked) = bench.rerank(&**reranker, &data.queries, &candidates, &data.qrels)?;
        run = ranked;
        modes.push(result);
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

fn worth(id: &str, modes: &[ModeResult], comparisons: &[Comparison]) -> Option<Worth> {
    let [.., before, _] = modes else { return None };
    let row = comparisons.iter().find(|c| c.metric == "ndcg@10" && c.b == before.mode)?;
    let (difference, p) = (row.difference, row.p_corrected);
    Some(Worth { id: id.to_owned(), difference, p, keep: difference > 0.0 && p < 0.05 })
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

#[cfg(test)]
mod tests {
    use super::super::statistics;
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
