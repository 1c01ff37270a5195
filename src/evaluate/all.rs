//! Everything at once: the sectors' own questions, the safety suite, and what public data is at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::EvaluateError;
use super::answers::{self, AnswerResult, Asking};
use super::dataset::{QuestionFormat, QuestionSet};
use super::entailment::Entailment;
use super::judge::Judgement;
use super::peer::{Peer, Server};
use super::plant::Plant;
use super::repeats::{self, PlantedRow};
use super::retrieval::{self, RetrievalOptions, RetrievalResult};
use super::safety::{self, SafetyOptions, SafetyResult};
use super::statistics::{self, Comparison, Pair};
use crate::app::{self, App};
use crate::config::Config;
use crate::ingest::ChunkOptions;
use crate::portfolio::Kind;
use crate::text::analyse;

/// What to measure.
#[derive(Clone, Debug)]
pub struct AllOptions {
    /// Only the sectors' questions and our own attacks.
    pub quick: bool,
    /// Folder with `SECTOR/questions.jsonl`.
    pub questions: PathBuf,
    /// Folder with public data (`retrieval/`, `qa/`, `security/bipia`).
    pub data: Option<PathBuf>,
    /// Questions of a public set at most.
    pub limit: usize,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Servers that get the sectors' questions too: address and model.
    pub servers: Vec<(String, Option<String>)>,
    /// Folder of an entailment model for the citation measures; without one, the lexical rule.
    pub entailment_model: Option<PathBuf>,
    /// Broken on purpose, one after the other.
    pub plants: Vec<Plant>,
    /// The program started as a worker.
    pub program: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct AllResult {
    /// Seed.
    pub seed: u64,
    /// Question sets.
    pub answers: Vec<AnswerResult>,
    /// BEIR folders.
    pub retrieval: Vec<RetrievalResult>,
    /// Attacks.
    pub safety: Option<SafetyResult>,
    /// The same questions elsewhere.
    pub servers: Vec<Against>,
    /// Repeats that the sectors' demonstration projects hold, and what `overlap` says of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlap: Vec<Repeats>,
    /// Questions of a public set at most; absent in a quick run, which asks none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Public sets that were measured: name, and place below the folder of public data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub public: BTreeMap<String, String>,
    /// Public sets that a full run asks for and that are not there: name, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, String>,
    /// Milliseconds of a fixed piece of work (analysing a text), to hold speed against.
    pub reference_ms: f64,
}

/// Known repeats of one sector (`eval/SECTOR/repeats.jsonl`).
#[derive(Clone, Debug, Serialize)]
pub struct Repeats {
    /// The sector.
    pub dataset: String,
    /// Pairs.
    pub pairs: usize,
    /// Of these, labelled `done already`.
    pub repeats: usize,
    /// Of the repeats, those whose earlier work is the first verdict.
    pub first: usize,
    /// Of the pairs, labelled `related`: near topics, which are no repeats.
    pub related: usize,
    /// Of the related ones, those not judged `done already`.
    pub told_apart: usize,
    /// Of all pairs, judged as labelled.
    pub judged: usize,
}

/// What a full run measures beside the sectors: its place below the folder of public data, its format.
const PUBLIC: [(&str, Option<QuestionFormat>); 11] = [
    (BIPIA, None),
    ("retrieval/cranfield", None),
    ("retrieval/cacm", None),
    ("retrieval/npl", None),
    ("retrieval/korquad1_dev", None),
    ("retrieval/scifact", None),
    ("qa/squad2_sample/squad2_1000.jsonl", Some(QuestionFormat::Squad)),
    ("retrieval/korquad1_dev", Some(QuestionFormat::Korquad)),
    ("qa/covidqa/200423_covidQA.json", Some(QuestionFormat::Squad)),
    ("qa/mtrag_un/reference.jsonl", Some(QuestionFormat::Mtrag)),
    ("qa/pubmedqa_l/pubmedqa_l.jsonl", Some(QuestionFormat::Pubmedqa)),
];
const BIPIA: &str = "security/bipia";

/// `qa/squad2_sample/squad2_1000.jsonl` is `squad2_sample`.
fn public_name(path: &str) -> String {
    path.split('/').nth(1).unwrap_or(path).to_owned()
}

/// One set of questions put to this process and to a server.
#[derive(Debug, Serialize)]
pub struct Against {
    /// The set.
    pub dataset: String,
    /// The server.
    pub server: String,
    /// What it reached.
    pub there: AnswerResult,
    /// Measures both have, with Holm's correction.
    pub comparisons: Vec<Comparison>,
}

/// A run with a planted regression.
#[derive(Debug)]
pub struct Planted {
    /// What was broken.
    pub plant: Plant,
    /// Everything, with the broken sets in it.
    pub result: AllResult,
}

impl AllResult {
    /// Reference over median answer: a dimensionless speed, higher is better.
    pub fn speed(&self) -> Option<f64> {
        // The sectors' only: which public data is at hand must not change the figure.
        let own = self.answers.iter().filter(|a| !self.public.contains_key(&a.dataset));
        let times: Vec<f64> = own.map(|a| a.timings_ms.median).filter(|t| *t > 0.0).collect();
        let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
        (mean > 0.0 && self.reference_ms > 0.0).then_some(self.reference_ms / mean)
    }

    /// Sets every time to zero: what is left depends on the seed alone.
    pub fn forget_times(&mut self) {
        self.reference_ms = 0.0;
        let there = self.servers.iter_mut().map(|s| &mut s.there);
        for set in self.answers.iter_mut().chain(there) {
            set.timings_ms = answers::Latency::default();
            set.rows.iter_mut().for_each(|r| r.response.ms = 0.0);
        }
        for set in &mut self.retrieval {
            set.index_s = 0.0;
            set.modes.iter_mut().for_each(|m| m.search_ms = 0.0);
        }
    }

    /// Encoder and generator of the answers.
    pub fn parts(&self) -> (Option<String>, String) {
        self.answers.first().map(|a| (a.encoder.clone(), a.generator.clone())).unwrap_or_default()
    }
}

/// Runs it all; then again on the same indexes for each planted regression.
pub fn run(
    config: &Config,
    options: &AllOptions,
    note: &mut dyn FnMut(&str),
) -> Result<(AllResult, Vec<Planted>), EvaluateError> {
    let config = &of_the_program(config);
    let timeout = Duration::from_secs(config.remote.timeout_s.max(1));
    let servers: Vec<Server> = options
        .servers
        .iter()
        .map(|(url, model)| Server::connect(url, model.as_deref(), timeout))
        .collect::<Result<_, _>>()?;
    let servers: Vec<(String, Peer)> = servers.into_iter().map(|s| (s.name(), Peer::Server(s))).collect();
    let mut result = AllResult {
        seed: options.seed,
        answers: Vec::new(),
        retrieval: Vec::new(),
        safety: None,
        servers: Vec::new(),
        overlap: Vec::new(),
        limit: (!options.quick).then_some(options.limit),
        public: BTreeMap::new(),
        skipped: BTreeMap::new(),
        reference_ms: 0.0,
    };
    let entailment = Entailment::open(options.entailment_model.as_deref(), Path::new(&config.data_dir))?;
    let asking = |plant| Asking { seed: options.seed, plant, entailment: &entailment };
    let mut broken: Vec<Vec<AnswerResult>> = options.plants.iter().map(|_| Vec::new()).collect();
    // Before and after each sector's questions, so that what else the machine does slows both alike.
    let mut references = reference().to_vec();
    for (sector, file) in sectors(&options.questions)? {
        note(&format!("answers: {sector}"));
        let mut set = QuestionSet::open(&file, QuestionFormat::Questions)?;
        set.name.clone_from(&sector);
        let (app, _folder) =
            answers::bench_sector(&Config { sector, ..config.clone() }, &options.program)?.into_parts();
        let peer = Peer::Local(Box::new(app));
        let here = answers::ask(&set, &peer, &asking(None), &mut |_| ())?;
        references.extend(reference());
        for (plant, sets) in options.plants.iter().zip(&mut broken) {
            sets.push(answers::ask(&set, &peer, &asking(Some(*plant)), &mut |_| ())?);
        }
        for (name, server) in &servers {
            let there = answers::ask(&set, server, &asking(None), &mut |_| ())?;
            result.servers.push(against(&here, there, name, options.seed));
        }
        result.answers.push(here);
        let pairs = file.with_file_name("repeats.jsonl");
        if let (false, true, Peer::Local(app)) = (options.quick, pairs.is_file(), &peer) {
            result.overlap.push(repeats(app, &pairs)?);
        }
    }
    references.sort_by(f64::total_cmp);
    result.reference_ms = references[references.len() / 2];
    note("safety");
    let bipia = options.data.as_ref().map(|d| d.join(BIPIA)).filter(|d| d.is_dir());
    let safety_options = SafetyOptions { bipia, every: 1, seed: options.seed };
    result.safety = Some(safety::run(config, &safety_options, &options.program)?);
    if !options.quick {
        public(config, options, &asking(None), &mut result, note)?;
    }
    let planted = options.plants.iter().zip(broken).map(|(plant, answers)| {
        let mut other =
            AllResult { answers, retrieval: result.retrieval.clone(), safety: result.safety.clone(), ..result.empty() };
        // Data beyond the sectors is not broken.
        other.answers.extend(result.answers.iter().skip(other.answers.len()).cloned());
        Planted { plant: *plant, result: other }
    });
    let planted = planted.collect();
    Ok((result, planted))
}

/// The baselines are of what is part of the program; whoever has other models at hand and means them names them.
fn of_the_program(config: &Config) -> Config {
    let mut config = config.clone();
    if config.encoder == "auto" {
        config.encoder = "embedded".into();
    }
    if config.generator == "auto" && config.remote.url.is_empty() {
        config.generator = "extractive".into();
    }
    config
}

impl AllResult {
    fn empty(&self) -> AllResult {
        AllResult {
            seed: self.seed,
            answers: Vec::new(),
            retrieval: Vec::new(),
            safety: None,
            servers: Vec::new(),
            overlap: self.overlap.clone(),
            limit: self.limit,
            public: self.public.clone(),
            skipped: self.skipped.clone(),
            reference_ms: self.reference_ms,
        }
    }
}

/// Sectors that have questions, by name.
fn sectors(folder: &Path) -> Result<Vec<(String, PathBuf)>, EvaluateError> {
    let mut out = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let file = entry?.path().join("questions.jsonl");
        let name = file.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        if let (true, Some(name)) = (file.is_file(), name) {
            out.push((name, file));
        }
    }
    out.sort();
    match out.is_empty() {
        true => Err(EvaluateError::Dataset {
            path: folder.display().to_string(),
            what: "holds no SECTOR/questions.jsonl".into(),
        }),
        false => Ok(out),
    }
}

/// How `overlap` judges the pairs of `file`, whose projects are in the index at hand.
fn repeats(app: &App, file: &Path) -> Result<Repeats, EvaluateError> {
    Ok(counted(app.config().sector.clone(), &repeats::planted(app, file, None)?))
}

/// Of a repeat the earlier work should be the first verdict; of a related pair it should not be taken for one.
fn counted(dataset: String, rows: &[PlantedRow]) -> Repeats {
    let of = |kind: Kind| rows.iter().filter(move |r| r.label == kind.name());
    Repeats {
        dataset,
        pairs: rows.len(),
        repeats: of(Kind::DoneAlready).count(),
        first: of(Kind::DoneAlready).filter(|r| r.rank == 1).count(),
        related: of(Kind::Related).count(),
        told_apart: of(Kind::Related).filter(|r| r.judged != Some(Kind::DoneAlready)).count(),
        judged: rows.iter().filter(|r| r.judged.is_some_and(|kind| r.label == kind.name())).count(),
    }
}

/// Public sets that are there; those that are not are named in the result.
fn public(
    config: &Config,
    options: &AllOptions,
    asking: &Asking<'_>,
    result: &mut AllResult,
    note: &mut dyn FnMut(&str),
) -> Result<(), EvaluateError> {
    for (path, format) in PUBLIC {
        let name = public_name(path);
        let Some(data) = &options.data else {
            result.skipped.insert(name, format!("{path}: no folder of public data was named (--data)"));
            continue;
        };
        let place = data.join(path);
        if !place.exists() {
            note(&format!("not there, not measured: {}", place.display()));
            result.skipped.insert(name, format!("{path} is not in the folder of public data"));
            continue;
        }
        result.public.insert(name.clone(), path.to_owned());
        match format {
            None if path == BIPIA => {}
            None => {
                note(&format!("retrieval: {name}"));
                result.retrieval.push(collection(config, options, place)?);
            }
            Some(format) => {
                note(&format!("answers: {name}"));
                let mut set = QuestionSet::open(&place, format)?;
                set.name = name;
                set.sample(options.limit, options.seed);
                let (app, _folder) = answers::bench(config, &set.documents, &options.program)?.into_parts();
                let peer = Peer::Local(Box::new(app));
                result.answers.push(answers::ask(&set, &peer, asking, &mut |_| ())?);
            }
        }
    }
    Ok(())
}

fn collection(config: &Config, options: &AllOptions, dataset: PathBuf) -> Result<RetrievalResult, EvaluateError> {
    let folder = Some(config.encoder.as_str()).filter(|e| !matches!(*e, "auto" | "embedded" | "none"));
    retrieval::run(&RetrievalOptions {
        dataset,
        split: None,
        level: None,
        encoder: folder.map(PathBuf::from),
        how: app::encoder_options(config),
        chunks: ChunkOptions::default(),
        reranker: None,
        words_only: config.encoder == "none",
        mistyped: false,
        run_out: None,
        search: config.search.clone(),
        program: options.program.clone(),
        seed: options.seed,
    })
}

/// Measures that both sides have for the same questions, tested in pairs. `there` may lack some of the questions, twins among them.
pub fn against(here: &AnswerResult, there: AnswerResult, server: &str, seed: u64) -> Against {
    let name = format!("Sectora ({})", here.generator);
    let measures = [
        "answered_rightly_or_abstained_rightly",
        "expected_words",
        "answer_contained",
        "em",
        "f1",
        "rouge_l",
        "gold_cited",
        "citation_recall",
        "no_invented_facts",
    ];
    // Both in the order of the set.
    let mut rest = here.rows.iter();
    let both: Vec<(&Judgement, &Judgement)> = there
        .rows
        .iter()
        .filter_map(|b| Some((rest.find(|a| (&a.id, &a.question) == (&b.id, &b.question))?, b)))
        .collect();
    let pairs: Vec<Pair<'_>> = measures
        .iter()
        .filter_map(|metric| {
            let values: Vec<(f64, f64)> =
                both.iter().filter_map(|(a, b)| Some((*a.values.get(metric)?, *b.values.get(metric)?))).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            (!a.is_empty()).then_some(Pair { metric, names: (&name, server), a, b })
        })
        .collect();
    let comparisons = statistics::compare(&pairs, seed);
    drop(pairs);
    drop(both);
    Against { dataset: here.dataset.clone(), server: server.to_owned(), comparisons, there }
}

/// Milliseconds of a fixed piece of this program's own work, five times.
fn reference() -> [f64; 5] {
    let text =
        "황화물 전고체 셀을 85 °C, 480 MPa에서 10분 눌렀다. The pouch cell kept 83 % after 500 cycles. ".repeat(200);
    std::array::from_fn(|_| {
        let begin = Instant::now();
        std::hint::black_box(analyse(&text).len());
        begin.elapsed().as_secs_f64() * 1e3
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::dataset::Question;

    #[test]
    fn first_place_is_right_for_a_repeat_and_a_related_pair_must_only_be_told_apart() {
        let row = |label: &str, judged, rank| PlantedRow {
            proposal: "a".into(),
            prior: "b".into(),
            label: label.into(),
            languages: String::new(),
            judged,
            done: 0.0,
            rank,
            others: vec![],
            evidence: None,
        };
        let rows = [
            row("done already", Some(Kind::DoneAlready), 1),
            row("done already", Some(Kind::Related), 2),
            row("related", Some(Kind::Related), 1),
            row("related", Some(Kind::DoneAlready), 1),
            row("related", None, 0),
        ];
        let r = counted("x".into(), &rows);
        assert_eq!((r.pairs, r.repeats, r.first), (5, 2, 1));
        assert_eq!((r.related, r.told_apart, r.judged), (3, 2, 2));
    }

    #[test]
    fn a_server_that_was_asked_no_twins_is_compared_question_by_question() {
        let asked = |with_twins: bool| {
            let question = |i: usize| Question {
                id: i.to_string(),
                text: "Q?".into(),
                answerable: Some(true),
                // The second is the twin.
                without: if with_twins && i == 1 { vec!["a.md".into()] } else { vec![] },
                ..Question::default()
            };
            let set = QuestionSet {
                name: "set".into(),
                format: QuestionFormat::Questions,
                documents: vec![],
                questions: (0..4).map(question).collect(),
                total: 4,
            };
            // Silent on the last two.
            let said = |i: usize| (i.to_string(), if i < 2 { "A".to_owned() } else { String::new() });
            let peer = Peer::Recorded((0..4).map(said).collect());
            answers::ask(&set, &peer, &Asking { seed: 1, plant: None, entailment: &Entailment::Rule }, &mut |_| ())
                .unwrap()
        };
        let compared = against(&asked(false), asked(true), "there", 1);
        assert_eq!(compared.there.twins_left_out, 1);
        let rightly = &compared.comparisons[0];
        assert_eq!((rightly.metric.as_str(), rightly.n), ("answered_rightly_or_abstained_rightly", 3));
        assert_eq!((rightly.difference, rightly.p), (0.0, 1.0), "each question with itself");
    }
}
