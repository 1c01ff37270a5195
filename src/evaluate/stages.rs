//! What does each stage of a search give, and what does it cost? And: are questions in other words, or in the other language, found?
//!
//! In: questions with the documents that answer them, over a BEIR folder, a sector, or files of one's own. Everything is asked
//! through [`crate::retrieve::search_with`], as a reader's question is, once with the settings as they are and once for each stage
//! switched over, and the differences are tested question by question. Measured are the first ten passages: documents by their
//! first passage, and whether the words of the evidence are in the text that would be read. Where a language model is at hand, it
//! writes the other wordings and the passages of HyDE; its time counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::dataset::{Question, QuestionFormat, QuestionSet};
use super::metrics::{self, Judgements, PerQuery, Qrels, Run};
use super::statistics::{self, Comparison, Estimate, Pair};
use super::{EvaluateError, answers, beir, judge};
use crate::answer::wordings;
use crate::app::App;
use crate::config::{Config, Expand, Search};
use crate::document::Language;
use crate::generate::PromptStyle;
use crate::ingest::RecordMapping;
use crate::retrieve::{self, Glossary, Parts, SearchMode, SearchOptions};

/// Passages that are looked at.
const DEPTH: usize = 10;
/// What is reported and tested.
const MEASURES: [&str; 4] = ["success@5", "mrr@10", "ndcg@10", EVIDENCE];
/// Share of questions with a quote whose evidence is in the text of the passages that would be read.
const EVIDENCE: &str = "evidence";

/// Where the questions come from.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A BEIR folder and the split of its judgements.
    Beir(PathBuf, Option<String>),
    /// A file of our own questions; over the sector's documents, or over these.
    Questions(PathBuf, Vec<PathBuf>, Option<RecordMapping>),
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct StagesOptions {
    /// Questions and documents.
    pub asked: Asked,
    /// Switch every stage over, not only words and vectors alone.
    pub all: bool,
    /// The program started as a worker.
    pub program: PathBuf,
    /// Seed of the resampling.
    pub seed: u64,
}

/// One way to search.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// What is different from the settings.
    pub name: &'static str,
    /// By measure.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals.
    pub confidence: BTreeMap<String, Estimate>,
    /// Mean characters of the passages that would be read.
    pub characters: f64,
    /// Mean number of documents these are from.
    pub documents: f64,
    /// Median milliseconds of a search, all of it.
    pub search_ms: f64,
    #[serde(skip)]
    per_query: PerQuery,
}

/// A kind of question under the settings as they are.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Questions.
    pub n: usize,
    /// By measure.
    pub metrics: BTreeMap<String, f64>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct StagesResult {
    /// Name of the questions' file or folder.
    pub questions: String,
    /// Number of them.
    pub n: usize,
    /// Documents of the index.
    pub documents: u64,
    /// Encoder of the index.
    pub encoder: Option<String>,
    /// Who wrote other wordings and passages of HyDE; `None`: they were not asked for, or the generator is no chat model.
    pub generator: Option<String>,
    /// The settings as they are first.
    pub stages: Vec<Stage>,
    /// By kind and language, under the settings as they are.
    pub by_kind: BTreeMap<String, Row>,
    /// Questions whose document was not among the first five, under the settings as they are.
    pub missed: Vec<String>,
    /// Each stage against the settings as they are.
    pub comparisons: Vec<Comparison>,
}

struct Query {
    id: String,
    text: String,
    kind: String,
    judged: Judgements,
    quotes: Vec<String>,
}

/// Indexes the documents into a folder that is thrown away, and asks.
pub fn run(config: &Config, options: &StagesOptions) -> Result<StagesResult, EvaluateError> {
    let (name, queries, bench) = open(config, options)?;
    let app = &bench.app;
    let mut stages = Vec::new();
    let chats = app.generator().prompt_style() == PromptStyle::Chat;
    let mut variants = variants(&config.search, app.embedder().is_some(), options.all);
    if chats && options.all {
        variants.extend(written(&config.search));
    }
    let asked_for = |s: &Search| s.wordings > 0 || s.hyde;
    let writes = chats && variants.iter().any(|(_, _, settings)| asked_for(settings));
    let generator = writes.then(|| app.generator().name().to_owned());
    for (name, mode, settings) in variants {
        stages.push(stage(app, name, mode, &settings, &queries, options.seed)?);
    }
    let (first, others) = stages.split_first().expect("the settings as they are come first");
    let pairs: Vec<Pair<'_>> = others
        .iter()
        .flat_map(|other| MEASURES.map(|measure| (other, measure)))
        .map(|(other, metric)| Pair {
            metric,
            names: (other.name, first.name),
            a: metrics::column(&other.per_query, metric),
            b: metrics::column(&first.per_query, metric),
        })
        .filter(|pair| !pair.a.is_empty())
        .collect();
    let missed = queries.iter().filter(|q| first.per_query[&q.id]["success@5"] == 0.0).map(|q| q.id.clone());
    Ok(StagesResult {
        questions: name,
        n: queries.len(),
        documents: app.catalog().document_count()?,
        encoder: app.embedder().map(|e| e.id().to_owned()),
        generator,
        by_kind: by_kind(&queries, &first.per_query),
        missed: missed.collect(),
        comparisons: statistics::compare(&pairs, options.seed),
        stages,
    })
}

fn open(config: &Config, options: &StagesOptions) -> Result<(String, Vec<Query>, answers::Bench), EvaluateError> {
    match &options.asked {
        Asked::Beir(folder, split) => {
            let data = beir::open(folder, split.as_deref())?;
            let mut qrels = data.qrels;
            let query = |(id, text): (String, String)| {
                let judged = qrels.remove(&id).unwrap_or_default();
                Query { id, text, kind: "all".into(), judged, quotes: Vec::new() }
            };
            let queries = data.queries.into_iter().map(query).collect();
            let bench = answers::bench_files(config, vec![data.corpus], None, &options.program)?;
            Ok((data.name, queries, bench))
        }
        Asked::Questions(file, documents, mapping) => {
            let set = QuestionSet::open(file, QuestionFormat::Questions)?;
            let queries = found_by(set.questions);
            if queries.is_empty() {
                let what = "no question that a public reader's documents answer and whose `gold` names one of them";
                return Err(EvaluateError::Dataset { path: file.display().to_string(), what: what.into() });
            }
            let bench = if documents.is_empty() {
                answers::bench_sector(config, &options.program)?
            } else {
                answers::bench_files(config, documents.clone(), mapping.clone(), &options.program)?
            };
            Ok((set.name, queries, bench))
        }
    }
}

/// The questions whose documents a search should find: what nothing answers, or only what the reader is not cleared for, has none.
fn found_by(questions: Vec<Question>) -> Vec<Query> {
    let answerable = questions.into_iter().filter(|q| q.answerable != Some(false) && !q.gold.is_empty());
    let query = |q: Question| Query {
        kind: format!("{}, {}", q.kind, q.language.name()),
        judged: q.gold.iter().map(|g| (g.document.clone(), 1)).collect(),
        quotes: q.gold.into_iter().map(|g| plain(&g.quote)).filter(|q| !q.is_empty()).collect(),
        id: q.id,
        text: q.text,
    };
    answerable.map(query).collect()
}

/// The settings as they are, words and vectors alone, and each stage switched over.
fn variants(now: &Search, vectors: bool, all: bool) -> Vec<(&'static str, SearchMode, Search)> {
    let with = |change: &dyn Fn(&mut Search)| {
        let mut settings = now.clone();
        change(&mut settings);
        settings
    };
    let mut variants = vec![("as set", SearchMode::Auto, now.clone())];
    if vectors {
        variants.push(("words only", SearchMode::Sparse, now.clone()));
        variants.push(("vectors only", SearchMode::Dense, now.clone()));
    }
    if all {
        variants.extend([
            ("spelling switched", SearchMode::Auto, with(&|s| s.spelling = !now.spelling)),
            ("acronyms switched", SearchMode::Auto, with(&|s| s.acronyms = !now.acronyms)),
            ("translated words switched", SearchMode::Auto, with(&|s| s.across_words = !now.across_words)),
            ("filters switched", SearchMode::Auto, with(&|s| s.filters = !now.filters)),
            ("near-duplicates kept", SearchMode::Auto, with(&|s| s.near_duplicate = 1.0)),
            ("mmr 0.9", SearchMode::Auto, with(&|s| s.mmr = 0.9)),
            ("mmr 0.7", SearchMode::Auto, with(&|s| s.mmr = 0.7)),
            ("neighbours shown", SearchMode::Auto, with(&|s| s.expand = Expand::Neighbours)),
            ("section shown", SearchMode::Auto, with(&|s| s.expand = Expand::Section)),
        ]);
    }
    variants
}

/// What a language model writes to search with, one at a time.
fn written(now: &Search) -> [(&'static str, SearchMode, Search); 3] {
    let bare = Search { wordings: 0, hyde: false, ..now.clone() };
    [
        ("one other wording", SearchMode::Auto, Search { wordings: 1, ..bare.clone() }),
        ("three other wordings", SearchMode::Auto, Search { wordings: 3, ..bare.clone() }),
        ("HyDE", SearchMode::Auto, Search { hyde: true, ..bare }),
    ]
}

fn stage(
    app: &App,
    name: &'static str,
    mode: SearchMode,
    settings: &Search,
    queries: &[Query],
    seed: u64,
) -> Result<Stage, EvaluateError> {
    let pairs = if settings.acronyms { app.catalog().same_things()? } else { Vec::new() };
    let glossary = Glossary::of_index(&app.sector().glossary, &pairs);
    let parts = Parts { settings, glossary: &glossary, ..app.parts() };
    let options = SearchOptions { limit: DEPTH, mode, ..SearchOptions::default() };
    let (mut run, mut qrels, mut evidence) = (Run::new(), Qrels::new(), BTreeMap::new());
    let (mut characters, mut documents, mut times) = (0, 0, Vec::with_capacity(queries.len()));
    for query in queries {
        let begin = Instant::now();
        let (question, _) = retrieve::respell(&parts, &query.text)?;
        let wordings = wordings(app.generator(), Language::detect(&query.text), &question, settings)?;
        let found = retrieve::search_with(&parts, &question, &wordings, &options)?.passages;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        let mut ranking: Vec<(String, f32)> = Vec::new();
        for passage in &found {
            let gold = query.judged.keys().find(|g| judge::is_source(&passage.source, g));
            let document = gold.cloned().unwrap_or_else(|| passage.source.clone());
            if ranking.iter().all(|(known, _)| *known != document) {
                ranking.push((document, (DEPTH - ranking.len()) as f32));
            }
        }
        run.insert(query.id.clone(), ranking);
        qrels.insert(query.id.clone(), query.judged.clone());
        let read = &found[..found.len().min(settings.passages)];
        characters += read.iter().map(|p| p.end - p.start).sum::<usize>();
        documents += read.iter().map(|p| &p.doc_id).collect::<std::collections::BTreeSet<_>>().len();
        if !query.quotes.is_empty() {
            let texts: Vec<String> = read.iter().map(|p| plain(&p.text)).collect();
            let there = query.quotes.iter().all(|quote| texts.iter().any(|t| t.contains(quote.as_str())));
            evidence.insert(&query.id, f64::from(u8::from(there)));
        }
    }
    times.sort_by(f64::total_cmp);
    let mut per_query = metrics::per_query(&run, &qrels);
    for (id, values) in &mut per_query {
        values.retain(|name, _| MEASURES.contains(&name.as_str()));
        values.extend(evidence.get(id).map(|there| (EVIDENCE.to_owned(), *there)));
    }
    let column = |m: &str| metrics::column(&per_query, m);
    let estimate = |m: &&str| Some(((*m).to_owned(), statistics::bootstrap(&column(m), seed)?));
    let mean = |sum: usize| sum as f64 / queries.len().max(1) as f64;
    Ok(Stage {
        name,
        metrics: means(per_query.values()),
        confidence: MEASURES.iter().filter_map(estimate).collect(),
        characters: mean(characters),
        documents: mean(documents),
        search_ms: times.get(times.len() / 2).copied().unwrap_or(0.0),
        per_query,
    })
}

/// Means over the questions each measure is defined for.
fn means<'v>(rows: impl Iterator<Item = &'v BTreeMap<String, f64>>) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (name, value) in rows.flatten() {
        let sum = sums.entry(name.clone()).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    }
    sums.into_iter().map(|(name, (sum, n))| (name, sum / n as f64)).collect()
}

fn by_kind(queries: &[Query], values: &PerQuery) -> BTreeMap<String, Row> {
    let mut groups: BTreeMap<String, Vec<&BTreeMap<String, f64>>> = BTreeMap::new();
    for query in queries {
        groups.entry(query.kind.clone()).or_default().push(&values[&query.id]);
    }
    let row = |(kind, rows): (String, Vec<&BTreeMap<String, f64>>)| {
        (kind, Row { n: rows.len(), metrics: means(rows.into_iter()) })
    };
    groups.into_iter().map(row).collect()
}

/// Text without white space and marks of tables, so that a quote is found across the breaks of a line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '|').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_that_a_public_reader_can_have_answered_are_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("questions.jsonl");
        let line = |id: &str, answerable: bool, more: &str| {
            format!("{{\"id\": \"{id}\", \"question\": \"Q?\", \"answerable\": {answerable}{more}}}\n")
        };
        let gold = ", \"gold\": [{\"document\": \"a.md\"}]";
        let hidden = format!("{gold}, \"access\": \"internal\"");
        let lines = [
            line("seen", true, gold),
            line("hidden", true, &hidden),
            line("absent", false, gold),
            line("pointless", true, ""),
        ];
        fs_err::write(&file, lines.concat()).unwrap();
        let set = QuestionSet::open(&file, QuestionFormat::Questions).unwrap();
        assert_eq!(found_by(set.questions).iter().map(|q| q.id.as_str()).collect::<Vec<_>>(), ["seen"]);
    }
}
