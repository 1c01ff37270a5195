//! Answers to a question set: the set's documents are read into an index that is thrown away, through the same
//! path as any other, and every question is put to who is measured.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::EvaluateError;
use super::dataset::{Question, QuestionFormat, QuestionSet, Source};
use super::entailment::{Accuracy, Entailment};
use super::judge::{Judgement, is_source, judge};
use super::make;
use super::peer::{self, Peer, Response};
use super::plant::Plant;
use super::statistics::{self, Estimate};
use crate::app::{App, IngestRequest};
use crate::config::Config;
use crate::ingest::RecordMapping;

/// An index of a question set's own documents, in a folder that goes with it.
pub struct Bench {
    /// Ready to be asked.
    pub app: App,
    // Dropped after the app, which holds files in it.
    folder: tempfile::TempDir,
}

impl Bench {
    /// The app and the folder that must outlive it.
    pub fn into_parts(self) -> (App, tempfile::TempDir) {
        (self.app, self.folder)
    }
}

/// Reads `documents` into a fresh index with the settings of `config`.
pub fn bench(config: &Config, documents: &[Source], program: &Path) -> Result<Bench, EvaluateError> {
    let folder = tempfile::tempdir()?;
    let corpus = folder.path().join("documents");
    fs_err::create_dir(&corpus)?;
    let mut lines = String::new();
    for document in documents {
        lines.push_str(&serde_json::to_string(document).map_err(std::io::Error::other)?);
        lines.push('\n');
    }
    fs_err::write(corpus.join("corpus.jsonl"), lines)?;
    let pack = "name = \"evaluation\"\ntitle = { ko = \"평가\", en = \"Evaluation\" }\ndocuments = [\"documents\"]\n\
                [records]\nid = \"_id\"\ntitle = \"title\"\ntext = [\"text\"]\naccess = \"access\"\n";
    fs_err::write(folder.path().join("sector.toml"), pack)?;
    let config = in_folder(config, folder.path(), &folder.path().to_string_lossy());
    Ok(Bench { app: filled(config, Vec::new(), None, program)?, folder })
}

/// A sector's own documents in a fresh index.
pub fn bench_sector(config: &Config, program: &Path) -> Result<Bench, EvaluateError> {
    let folder = tempfile::tempdir()?;
    let config = in_folder(config, folder.path(), &config.sector);
    Ok(Bench { app: filled(config, Vec::new(), None, program)?, folder })
}

/// These files in a fresh index, read with `mapping` where they are records.
pub fn bench_files(
    config: &Config,
    roots: Vec<PathBuf>,
    mapping: Option<RecordMapping>,
    program: &Path,
) -> Result<Bench, EvaluateError> {
    let folder = tempfile::tempdir()?;
    let pack = "name = \"evaluation\"\ntitle = { ko = \"평가\", en = \"Evaluation\" }\n";
    fs_err::write(folder.path().join("sector.toml"), pack)?;
    let config = in_folder(config, folder.path(), &folder.path().to_string_lossy());
    Ok(Bench { app: filled(config, roots, mapping, program)?, folder })
}

fn in_folder(config: &Config, folder: &Path, sector: &str) -> Config {
    let mut config = config.clone();
    // What answers is what would answer outside: models stay where they are.
    config.models_dir = config.models_dir().to_string_lossy().into_owned();
    config.data_dir = folder.join("data").to_string_lossy().into_owned();
    config.sector = sector.to_owned();
    config
}

/// Reads the files, or without any the sector's own, then opens what was read.
fn filled(
    config: Config,
    roots: Vec<PathBuf>,
    mapping: Option<RecordMapping>,
    program: &Path,
) -> Result<App, EvaluateError> {
    let never = AtomicBool::new(false);
    let request = IngestRequest { roots, mapping, prune: false, program: program.to_owned(), cancel: &never };
    let app = App::open_for_ingest(config.clone(), false)?;
    let report = app.ingest(&request, &mut |_| ())?;
    if let Some(what) = report.rows.iter().find_map(|r| r.error.clone()) {
        return Err(EvaluateError::Dataset { path: app.sector().folder.display().to_string(), what });
    }
    drop(app);
    Ok(App::open(config)?)
}

/// What to ask and how many.
#[derive(Clone, Debug)]
pub struct AnswerOptions {
    /// File or folder.
    pub dataset: PathBuf,
    /// Its format.
    pub format: QuestionFormat,
    /// Questions at most, drawn with `seed`.
    pub limit: Option<usize>,
    /// Seed of sampling and resampling.
    pub seed: u64,
}

/// How abstention and answering go together; one without the other says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Abstention {
    /// Questions the documents answer.
    pub answerable: usize,
    /// Of these, answered.
    pub answered: usize,
    /// Questions they do not answer.
    pub unanswerable: usize,
    /// Of these, left unanswered.
    pub abstained: usize,
    /// Of the abstentions, the share that is right.
    pub precision: f64,
    /// Of the unanswerable questions, the share left unanswered.
    pub recall: f64,
    /// Harmonic mean.
    pub f1: f64,
    /// Of the answerable questions, the share answered: what abstention costs.
    pub answer_rate_of_answerable: f64,
}

/// A group of questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Questions.
    pub n: usize,
    /// Means.
    pub metrics: BTreeMap<String, f64>,
}

/// Milliseconds of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub median: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerResult {
    /// Name of the set.
    pub dataset: String,
    /// Format.
    pub format: QuestionFormat,
    /// Who answered.
    pub generator: String,
    /// Encoder of the index, if any.
    pub encoder: Option<String>,
    /// Questions asked.
    pub questions: usize,
    /// Questions of the set.
    pub total: usize,
    /// Twins that were not asked: whoever answered finds the documents that they are to be asked without.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub twins_left_out: usize,
    /// Questions that the predictions hold no answer to, which counts as an abstention.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub without_prediction: usize,
    /// Seed.
    pub seed: u64,
    /// Documents of the set (0 where they are a sector's).
    pub documents: usize,
    /// Means over the questions each is defined for.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % bootstrap intervals and numbers of questions.
    pub confidence: BTreeMap<String, Estimate>,
    /// Answering and abstaining.
    pub abstention: Abstention,
    /// By kind of question.
    pub by_type: BTreeMap<String, Group>,
    /// By language.
    pub by_language: BTreeMap<String, Group>,
    /// Facts that no cited passage says, by kind.
    pub invented: BTreeMap<String, usize>,
    /// What decides support in `citation_recall` and `citation_precision`: the lexical rule, or a model.
    pub entailment_by: String,
    /// How often that is right; empty for a model that was never measured on this machine.
    pub entailment: Vec<Accuracy>,
    /// Time.
    pub timings_ms: Latency,
    /// Every question; printed with `--rows`, and what reports are made of.
    #[serde(skip)]
    pub rows: Vec<Judgement>,
}

/// Reads the set and draws the sample.
pub fn open(options: &AnswerOptions) -> Result<QuestionSet, EvaluateError> {
    let mut set = QuestionSet::open(&options.dataset, options.format)?;
    if let Some(limit) = options.limit {
        set.sample(limit, options.seed);
    }
    Ok(set)
}

/// How questions are put and answers judged.
pub struct Asking<'e> {
    /// Seed of the intervals, and of what a plant breaks.
    pub seed: u64,
    /// Breaks the answers on purpose.
    pub plant: Option<Plant>,
    /// Says which citations support their statements.
    pub entailment: &'e Entailment,
}

/// Puts every question to `peer`, a twin (`without`) where its documents are not found; what has an index of its own is not asked
/// twins. `progress` gets the number of answers so far.
pub fn ask(
    set: &QuestionSet,
    peer: &Peer,
    asking: &Asking<'_>,
    progress: &mut dyn FnMut(usize),
) -> Result<AnswerResult, EvaluateError> {
    let hidden = hidden(set, peer)?;
    let can_hide = matches!(peer, Peer::Local(_));
    let asked: Vec<(&Question, &HashSet<u64>)> =
        set.questions.iter().zip(&hidden).filter(|(q, _)| can_hide || q.without.is_empty()).collect();
    let mut texts = HashMap::new();
    let mut rows = Vec::with_capacity(asked.len());
    for (i, (question, hidden)) in asked.iter().enumerate() {
        let mut response = peer.ask_without(question, hidden)?;
        if let Some(plant) = asking.plant {
            response = plant.apply(response, asking.seed.wrapping_add(i as u64));
        }
        rows.push(judged(set, question, response, peer, &mut texts, asking.entailment)?);
        progress(i + 1);
    }
    let encoder = match peer {
        Peer::Local(app) => app.embedder().map(|e| e.id().to_owned()),
        Peer::Server(_) | Peer::Recorded(_) => None,
    };
    let without_prediction = match peer {
        Peer::Recorded(answers) => asked.iter().filter(|(q, _)| !answers.contains_key(&q.id)).count(),
        Peer::Local(_) | Peer::Server(_) => 0,
    };
    let twins_left_out = set.questions.len() - asked.len();
    Ok(AnswerResult { twins_left_out, without_prediction, ..summarise(set, encoder, rows, asking)? })
}

/// Of each question, the chunks of the documents that it is asked without; only of an index at hand.
fn hidden(set: &QuestionSet, peer: &Peer) -> Result<Vec<HashSet<u64>>, EvaluateError> {
    let mut hidden = vec![HashSet::new(); set.questions.len()];
    let Peer::Local(app) = peer else { return Ok(hidden) };
    if set.questions.iter().all(|q| q.without.is_empty()) {
        return Ok(hidden);
    }
    let documents = make::documents(app)?;
    known(set, documents.iter().map(|d| d.source.as_str()))?;
    for document in documents {
        let left_out = |q: &Question| q.without.iter().any(|name| is_source(&document.source, name));
        for (_, chunks) in set.questions.iter().zip(&mut hidden).filter(|(q, _)| left_out(q)) {
            chunks.extend(app.catalog().chunks_of(&document.id)?.iter().map(|chunk| chunk.id));
        }
    }
    Ok(hidden)
}

/// Refuses a question that is to be asked without a document of which there is none: its evidence may be found under another name.
fn known<'s>(set: &QuestionSet, sources: impl Iterator<Item = &'s str> + Clone) -> Result<(), EvaluateError> {
    for question in &set.questions {
        if let Some(name) = question.without.iter().find(|name| !sources.clone().any(|source| is_source(source, name)))
        {
            return Err(EvaluateError::Dataset {
                path: set.name.clone(),
                what: format!(
                    "question `{}` is to be asked without `{name}`, and no document of the index is called so; mend `without`, or read that document (`sectora ingest`)",
                    question.id
                ),
            });
        }
    }
    Ok(())
}

fn judged(
    set: &QuestionSet,
    question: &Question,
    response: Response,
    peer: &Peer,
    texts: &mut HashMap<String, Option<String>>,
    entailment: &Entailment,
) -> Result<Judgement, EvaluateError> {
    let (mut exact, mut checked) = (0, 0);
    for citation in &response.citations {
        if !texts.contains_key(&citation.doc_id) {
            texts.insert(citation.doc_id.clone(), peer.text(&citation.doc_id)?);
        }
        if let Some(Some(text)) = texts.get(&citation.doc_id) {
            checked += 1;
            exact += usize::from(peer::is_exact(citation, text));
        }
    }
    judge(question, set.format, response, (exact, checked), entailment)
}

/// Means, intervals and groups of judged answers.
fn summarise(
    set: &QuestionSet,
    encoder: Option<String>,
    rows: Vec<Judgement>,
    asking: &Asking<'_>,
) -> Result<AnswerResult, EvaluateError> {
    let seed = asking.seed;
    let columns = columns(&rows);
    let confidence: BTreeMap<String, Estimate> = columns
        .iter()
        .filter_map(|(name, values)| Some(((*name).to_owned(), statistics::bootstrap(values, seed)?)))
        .collect();
    let (metrics, abstention) = (metrics(&rows), abstention(&rows));
    let group = |key: &dyn Fn(&Judgement) -> String| {
        let mut parts: BTreeMap<String, Vec<&Judgement>> = BTreeMap::new();
        rows.iter().for_each(|r| parts.entry(key(r)).or_default().push(r));
        parts.into_iter().map(|(k, of)| (k, Group { n: of.len(), metrics: means(of) })).collect()
    };
    let mut invented: BTreeMap<String, usize> = BTreeMap::new();
    for fact in rows.iter().flat_map(|r| &r.invented) {
        *invented.entry(fact.kind.to_owned()).or_default() += 1;
    }
    let mut times: Vec<f64> = rows.iter().map(|r| r.response.ms).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0);
    Ok(AnswerResult {
        dataset: set.name.clone(),
        format: set.format,
        generator: rows.first().map(|r| r.response.generator.clone()).unwrap_or_default(),
        encoder,
        questions: rows.len(),
        total: set.total,
        twins_left_out: 0,
        without_prediction: 0,
        seed,
        documents: set.documents.len(),
        metrics,
        confidence,
        abstention,
        by_type: group(&|r| r.kind.clone()),
        by_language: group(&|r| r.language.to_owned()),
        invented,
        entailment_by: asking.entailment.name().to_owned(),
        entailment: asking.entailment.accuracy()?,
        timings_ms: Latency { median: at(0.5), p95: at(0.95) },
        rows,
    })
}

/// Values by measure, each over the questions it is defined for.
fn columns<'r>(rows: impl IntoIterator<Item = &'r Judgement>) -> BTreeMap<&'static str, Vec<f64>> {
    let mut out: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (name, value) in rows.into_iter().flat_map(|r| &r.values) {
        out.entry(name).or_default().push(*value);
    }
    out
}

/// Means by measure, those of abstention among them.
pub(super) fn metrics<'r>(rows: impl IntoIterator<Item = &'r Judgement> + Clone) -> BTreeMap<String, f64> {
    let abstention = abstention(rows.clone());
    let mut metrics = means(rows);
    // Where every question has an answer, nothing can be abstained on rightly.
    if abstention.unanswerable > 0 {
        metrics.insert("abstention_precision".into(), abstention.precision);
        metrics.insert("abstention_recall".into(), abstention.recall);
    }
    metrics
}

fn means<'r>(rows: impl IntoIterator<Item = &'r Judgement>) -> BTreeMap<String, f64> {
    let mean = |v: &Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
    columns(rows).iter().map(|(name, values)| ((*name).to_owned(), mean(values))).collect()
}

fn abstention<'r>(rows: impl IntoIterator<Item = &'r Judgement> + Clone) -> Abstention {
    let count = |answerable: bool, abstained: bool| {
        let of = |r: &&Judgement| r.answerable == Some(answerable) && r.response.abstained == abstained;
        rows.clone().into_iter().filter(of).count()
    };
    let (right, wrong, missed, answered) =
        (count(false, true), count(true, true), count(false, false), count(true, false));
    let share = |a: usize, b: usize| if b > 0 { a as f64 / b as f64 } else { 0.0 };
    let (precision, recall) = (share(right, right + wrong), share(right, right + missed));
    Abstention {
        answerable: answered + wrong,
        answered,
        unanswerable: right + missed,
        abstained: right,
        precision,
        recall,
        f1: if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 },
        answer_rate_of_answerable: share(answered, answered + wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(answerable: bool, abstained: bool) -> Judgement {
        let question = Question { answerable: Some(answerable), ..Question::default() };
        let response = Response { abstained, answer: "x".into(), ..Response::default() };
        judge(&question, QuestionFormat::Squad, response, (0, 0), &Entailment::Rule).unwrap()
    }

    #[test]
    fn abstention_is_counted_from_both_sides() {
        let rows = [row(true, false), row(true, true), row(false, true), row(false, true), row(false, false)];
        let a = abstention(&rows);
        assert_eq!((a.answerable, a.answered, a.unanswerable, a.abstained), (2, 1, 3, 2));
        assert!((a.precision - 2.0 / 3.0).abs() < 1e-12 && (a.recall - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(abstention(&[row(true, false)]).precision, 0.0);
    }

    #[test]
    fn recorded_answers_are_not_asked_twins_and_what_they_lack_is_counted() {
        let question = |id: &str, without: &[&str]| Question {
            id: id.into(),
            text: "Q?".into(),
            answerable: Some(without.is_empty()),
            without: without.iter().map(|d| (*d).to_owned()).collect(),
            ..Question::default()
        };
        let set = QuestionSet {
            name: "set".into(),
            format: QuestionFormat::Questions,
            documents: vec![],
            questions: vec![question("1", &[]), question("1-u", &["a.md"]), question("2", &[])],
            total: 3,
        };
        let peer = Peer::Recorded([("1".to_owned(), "A".to_owned()), ("1-u".to_owned(), "A".to_owned())].into());
        let asking = Asking { seed: 1, plant: None, entailment: &Entailment::Rule };
        let result = ask(&set, &peer, &asking, &mut |_| ()).unwrap();
        assert_eq!((result.questions, result.twins_left_out, result.without_prediction), (2, 1, 1));
        assert_eq!(result.abstention.unanswerable, 0, "the twin is not counted as wrongly answered");
    }

    #[test]
    fn each_document_that_a_question_is_asked_without_must_be_there() {
        let set = |without: &[&str]| QuestionSet {
            name: "set".into(),
            format: QuestionFormat::Questions,
            documents: vec![],
            questions: vec![Question {
                id: "1-u".into(),
                without: without.iter().map(|d| (*d).to_owned()).collect(),
                ..Question::default()
            }],
            total: 1,
        };
        let there = ["papers/3.md", "papers/13.md"];
        assert!(known(&set(&["3.md", "papers/13.md"]), there.into_iter()).is_ok());
        let said = known(&set(&["3.md", "kiln.md"]), there.into_iter()).unwrap_err().to_string();
        assert!(said.contains("`1-u`") && said.contains("without `kiln.md`"), "{said}");
    }
}
