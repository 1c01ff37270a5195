use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{Context, Failure, Outcome, this_program};
use crate::app;
use crate::evaluate::metrics::PerQuery;
use crate::evaluate::retrieval::{self, Level, RetrievalOptions, RetrievalResult, RunResult};
use crate::evaluate::stages::{self, Asked, StagesOptions, StagesResult};
use crate::evaluate::statistics::{Comparison, Estimate};
use crate::ingest::ChunkOptions;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Folder with corpus.jsonl, queries.jsonl and qrels
    #[arg(long, value_name = "BEIR_DIR", required_unless_present_any = ["run", "questions"])]
    dataset: Option<PathBuf>,
    /// Our own questions instead: are the documents of their `gold` among the first passages? Over the sector's documents,
    /// or over --documents
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dataset", "run"])]
    questions: Option<PathBuf>,
    /// Files and folders that --questions ask about (may be repeated)
    #[arg(long, value_name = "PATH", requires = "questions")]
    documents: Vec<PathBuf>,
    /// Fields of record files, as in `sectora ingest --map`
    #[arg(long, value_name = "FIELD=COLUMN,…", requires = "documents")]
    map: Option<String>,
    /// Switch each stage of a search over and test what it gives; with a language model as --generator also what it writes to
    /// search with (other wordings, HyDE)
    #[arg(long, conflicts_with = "run")]
    stages: bool,
    /// Score this TREC run instead of searching
    #[arg(long, value_name = "FILE", requires = "qrels", conflicts_with = "dataset")]
    run: Option<PathBuf>,
    /// Judgements for --run: BEIR's three columns or TREC's four
    #[arg(long, value_name = "FILE", requires = "run")]
    qrels: Option<PathBuf>,
    /// A second run to test --run against, question by question
    #[arg(long, value_name = "FILE", requires = "run")]
    against: Option<PathBuf>,
    /// Split of the qrels
    #[arg(long)]
    split: Option<String>,
    /// `embedded` uses nothing downloaded, `standard` an encoder
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// A reranker's folder: measured against the search without it, with the verdict whether it pays
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    reranker: Option<PathBuf>,
    /// Largest chunk, tokens (filled at least half)
    #[arg(long, value_name = "N", conflicts_with = "run")]
    chunk_tokens: Option<usize>,
    /// Write a TREC run, 100 deep
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    run_out: Option<PathBuf>,
    /// Ask each query with one typing error too, as it is and respelt by the words of the index
    #[arg(long, conflicts_with = "run")]
    mistyped: bool,
    /// Write every metric of every query, in the level's mode, as JSON
    #[arg(long, value_name = "FILE")]
    per_query: Option<PathBuf>,
    /// Seed of bootstrap and permutation
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if let (Some(run), Some(qrels)) = (&arguments.run, &arguments.qrels) {
        let result = retrieval::score(run, qrels, arguments.against.as_deref(), arguments.seed)?;
        write_per_query(arguments.per_query.as_deref(), &result.per_query)?;
        context.output.result(&result, run_table);
        return Ok(Outcome::Yes);
    }
    let asked = match (arguments.questions, &arguments.dataset) {
        (Some(file), _) => {
            let mapping = arguments.map.as_deref().map(super::super::ingest::mapping).transpose()?;
            Some(Asked::Questions(file, arguments.documents, mapping))
        }
        (None, Some(folder)) if arguments.stages => Some(Asked::Beir(folder.clone(), arguments.split.clone())),
        (None, _) => None,
    };
    if let Some(asked) = asked {
        let options = StagesOptions { asked, all: arguments.stages, program: this_program()?, seed: arguments.seed };
        let result = stages::run(&context.config, &options)?;
        context.output.result(&result, stages_table);
        return Ok(Outcome::Yes);
    }
    let encoder = Some(context.config.encoder.as_str()).filter(|e| !matches!(*e, "auto" | "embedded" | "none"));
    let options = RetrievalOptions {
        dataset: arguments.dataset.ok_or_else(|| Failure::bad_input("--dataset BEIR_DIR is missing"))?,
        split: arguments.split,
        level: arguments.level,
        encoder: encoder.map(PathBuf::from),
        how: app::encoder_options(&context.config),
        chunks: arguments
            .chunk_tokens
            .map_or_else(ChunkOptions::default, |n| ChunkOptions { max_tokens: n.max(1), min_tokens: n / 2 }),
        reranker: arguments.reranker,
        words_only: context.config.encoder == "none",
        mistyped: arguments.mistyped,
        run_out: arguments.run_out,
        search: context.config.search.clone(),
        program: this_program()?,
        seed: arguments.seed,
    };
    let result = retrieval::run(&options)?;
    if let Some(level) = result.of_level() {
        write_per_query(arguments.per_query.as_deref(), &level.per_query)?;
    }
    context.output.result(&result, table);
    Ok(Outcome::Yes)
}

fn write_per_query(file: Option<&Path>, values: &PerQuery) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let text = serde_json::to_string(values).map_err(|e| Failure::internal(e.to_string()))?;
    fs_err::write(file, text).map_err(|e| Failure::bad_input(e.to_string()))
}

pub(super) fn table(result: &RetrievalResult) -> String {
    let mut out = format!("{}: {} documents, {} queries\n", result.dataset, result.documents, result.queries);
    if result.absent_documents > 0 {
        out.push_str(&format!(
            "{} relevant documents of the judgements are not in the corpus; they count as not found\n",
            result.absent_documents
        ));
    }
    for row in &result.modes {
        out.push_str(&format!("{:8} {}\n", row.mode, line(&row.metrics)));
        out.push_str(&intervals(&row.confidence));
    }
    if let Some(t) = &result.typing {
        out.push_str(&format!(
            "typing errors: {} made, {} questions respelt, {} as they were; of {} without an error {} respelt\n",
            t.mistyped, t.respelt, t.restored, result.queries, t.clean_respelt
        ));
    }
    out.push_str(&comparisons(&result.comparisons));
    if let Some(worth) = &result.reranker {
        out.push_str(&format!(
            "reranker {}: nDCG@10 {:+.4}, p {:.4} (Holm): {}\n",
            worth.id,
            worth.difference,
            worth.p,
            if worth.keep { "keep it (search.reranker)" } else { "leave it out: no gain that is more than chance" }
        ));
    }
    out
}

fn stages_table(result: &StagesResult) -> String {
    let mut out = format!("{}: {} questions over {} documents\n", result.questions, result.n, result.documents);
    if let Some(generator) = &result.generator {
        out.push_str(&format!("other wordings and passages of HyDE by {generator}\n"));
    }
    for s in &result.stages {
        out.push_str(&format!(
            "{:20} {}  documents {:.2}  characters {:.0}  {:.2} ms\n",
            s.name,
            line(&s.metrics),
            s.documents,
            s.characters,
            s.search_ms
        ));
        out.push_str(&intervals(&s.confidence));
    }
    for (kind, row) in &result.by_kind {
        out.push_str(&format!("{kind:24} {:4}  {}\n", row.n, line(&row.metrics)));
    }
    if !result.missed.is_empty() {
        out.push_str(&format!("not among the first five: {}\n", result.missed.join(" ")));
    }
    out + &comparisons(&result.comparisons)
}

fn run_table(result: &RunResult) -> String {
    let mut out = format!("{}: {} judged queries", result.run, result.queries);
    if result.unjudged > 0 {
        out.push_str(&format!(", {} more that nobody judged", result.unjudged));
    }
    out.push_str(&format!("\n{}\n{}", line(&result.metrics), intervals(&result.confidence)));
    out + &comparisons(&result.comparisons)
}

fn line(metrics: &BTreeMap<String, f64>) -> String {
    metrics.iter().map(|(k, v)| format!("{k} {v:.4}")).collect::<Vec<_>>().join("  ")
}

fn intervals(confidence: &BTreeMap<String, Estimate>) -> String {
    let one = |(k, e): (&String, &Estimate)| format!("{k} {:.4} to {:.4}", e.low, e.high);
    format!("         95 %: {}\n", confidence.iter().map(one).collect::<Vec<_>>().join("  "))
}

pub(super) fn comparisons(rows: &[Comparison]) -> String {
    let row = |c: &Comparison| {
        format!("{} {} - {}: {:+.4}, p {:.4} (Holm): {}\n", c.metric, c.a, c.b, c.difference, c.p_corrected, c.verdict)
    };
    rows.iter().map(row).collect()
}
