//! Does a premise support a claim? A lexical rule, stated here and measured, or an entailment model where one is at hand
//! ([`Entailment`]).
//!
//! The rule: in the window of `WINDOW` sentences of the premise (with its title and headings) that holds most of the claim's
//! terms, each word of the claim counts 1 if it occurs, else the cosine to the nearest word there in the encoder inside the
//! program. A claim is taken as entailed if a quarter of the terms' share and three quarters of the words' mean reach
//! [`threshold`], **every figure of the claim occurs**, and claim and window agree in whether they are negated; a claim that
//! stands there literally is. What it cannot see: roles exchanged, causes reversed, knowledge that is not in the words. How
//! often it is right is in [`own_accuracy`], which every score that uses it carries.
//!
//! A model ([`NliModel`]) reads the `MODEL_WINDOWS` windows that hold most of the claim's terms, each below the title and
//! headings; the claim is taken as entailed if one of them gives it a probability of one half. Its accuracy is measured by
//! the same command, on the same pairs, and kept beside the indexes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EvaluateError;
use super::json_lines::json_lines;
use crate::document::{Language, Span};
use crate::embed::{Embedder, NliModel, Side, StaticModel};
use crate::portfolio::UnionFind;
use crate::text::coverage::{Coverage, term_set, whole_words};
use crate::text::{sentences, spaced};

/// Sentences that may share a claim's evidence.
const WINDOW: usize = 3;
/// How much the words' nearness weighs beside the share of terms; chosen on the first halves of the labelled sets.
const NEARNESS: f32 = 0.75;

/// Windows of a premise that a model reads; the claim's terms stand in one of the first, or nowhere.
const MODEL_WINDOWS: usize = 8;
/// The probability at which a model calls a claim entailed.
const MODEL_THRESHOLD: f32 = 0.5;

/// Who says whether a premise supports a claim.
pub enum Entailment {
    /// The lexical rule.
    Rule,
    /// An entailment model.
    Model(Box<Model>),
}

/// An entailment model, and how often it is right.
pub struct Model {
    nli: NliModel,
    /// Where its accuracy is kept.
    file: PathBuf,
}

impl Entailment {
    /// The rule, or the model in `folder`, whose accuracy is kept below `data_dir`.
    pub fn open(folder: Option<&Path>, data_dir: &Path) -> Result<Entailment, EvaluateError> {
        let Some(folder) = folder else { return Ok(Entailment::Rule) };
        let nli = NliModel::open(folder)?;
        let file = data_dir.join("entailment").join(format!("{}.json", nli.id()));
        Ok(Entailment::Model(Box::new(Model { nli, file })))
    }

    /// For people: `lexical rule`, or the model's name and content hash.
    pub fn name(&self) -> &str {
        match self {
            Entailment::Rule => "lexical rule",
            Entailment::Model(m) => m.nli.id(),
        }
    }

    /// True when the premise, below its title and headings (`context`), supports the claim.
    pub fn entails(&self, context: &str, premise: &str, claim: &str) -> Result<bool, EvaluateError> {
        Ok(self.score(context, premise, claim)? >= self.threshold(claim))
    }

    /// 0 to 1: the rule's [`score`], or the model's probability for the best window.
    pub fn score(&self, context: &str, premise: &str, claim: &str) -> Result<f32, EvaluateError> {
        match self {
            Entailment::Rule => Ok(score(context, premise, claim)),
            Entailment::Model(model) => {
                let windows: Vec<String> = read_by_model(premise, claim)
                    .into_iter()
                    .map(|window| format!("{context}\n{window}").trim().to_owned())
                    .collect();
                let pairs: Vec<(&str, &str)> = windows.iter().map(|window| (window.as_str(), claim)).collect();
                Ok(model.nli.entailment(&pairs)?.into_iter().fold(0.0, f32::max))
            }
        }
    }

    fn threshold(&self, claim: &str) -> f32 {
        match self {
            Entailment::Rule => threshold(claim),
            Entailment::Model(_) => MODEL_THRESHOLD,
        }
    }

    /// How often it is right, as last measured by `sectora eval entailment`; empty for a model that was never measured here.
    pub fn accuracy(&self) -> Result<Vec<Accuracy>, EvaluateError> {
        let Entailment::Model(model) = self else { return Ok(own_accuracy()) };
        let text = match fs_err::read_to_string(&model.file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        serde_json::from_str(&text)
            .map_err(|e| EvaluateError::Dataset { path: model.file.display().to_string(), what: e.to_string() })
    }

    /// Keeps what was measured of a model; the rule's own is committed (`eval/entailment.json`), not kept here.
    pub fn keep(&self, measured: &[Accuracy]) -> Result<(), EvaluateError> {
        let Entailment::Model(model) = self else { return Ok(()) };
        if let Some(folder) = model.file.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(measured).map_err(std::io::Error::from)?;
        Ok(fs_err::write(&model.file, text + "\n")?)
    }
}

/// Windows of at most `WINDOW` sentences, those that hold most of the claim's terms first.
fn read_by_model<'p>(premise: &'p str, claim: &str) -> Vec<&'p str> {
    let coverage = Coverage::of_statement(claim, &[]);
    let spans = sentences(premise);
    let length = WINDOW.min(spans.len());
    let mut windows: Vec<(f32, &str)> = windows(premise, &spans, length.saturating_sub(1))
        .map(|window| (coverage.by(&term_set(window)), window))
        .collect();
    windows.sort_by(|a, b| b.0.total_cmp(&a.0));
    windows.into_iter().take(MODEL_WINDOWS).map(|(_, window)| window).collect()
}

/// Runs of `more + 1` sentences, in order.
fn windows<'p>(premise: &'p str, spans: &[Span], more: usize) -> impl Iterator<Item = &'p str> {
    spans.iter().zip(spans.iter().skip(more)).map(|(first, last)| &premise[first.start..last.end])
}

/// What [`score`] must reach; chosen on the first halves of the labelled sets. Korean hypotheses of KLUE repeat their
/// premise's words whether they follow from it or not, English claims of scifact hardly do.
pub fn threshold(claim: &str) -> f32 {
    if Language::detect(claim) == Language::Ko { 0.90 } else { 0.69 }
}

static NEGATION_KO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"않|못하|못한|못했|없[다었을는이음]|아니|아닙|불가능|금지|부족|미흡").expect("constant pattern")
});
static NEGATION_EN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(not|no|never|none|nor|without|neither|cannot|fails? to|failed to|lacks?|lacked|unable|absence)\b|n't\b")
        .expect("constant pattern")
});

/// How much of the claim the best window holds or comes near to, 0 to 1; 0 where a figure is missing or the negation differs.
pub fn score(context: &str, premise: &str, claim: &str) -> f32 {
    let coverage = Coverage::of_statement(claim, &[]);
    let mut header = term_set(context);
    header.extend(term_set(&table_heads(premise)));
    let needed = figures(claim);
    let all = figures(&format!("{context}\n{premise}"));
    if !needed.is_subset(&all) {
        return 0.0;
    }
    if spaced(premise).contains(&spaced(claim)) {
        return 1.0;
    }
    // Short windows first: of two that hold as much, the one with less beside it is the evidence.
    let spans = sentences(premise);
    let mut best = (0.0f32, "");
    for length in 0..WINDOW {
        for window in windows(premise, &spans, length) {
            let mut terms = term_set(window);
            terms.extend(header.iter().cloned());
            let held = coverage.by(&terms);
            if held > best.0 {
                best = (held, window);
            }
        }
    }
    if negated(claim) != negated(best.1) {
        return 0.0;
    }
    (1.0 - NEARNESS) * best.0 + NEARNESS * nearness(claim, best.1, header).unwrap_or(best.0)
}

/// Mean over the claim's words: 1 where the window or its header has the word, else the cosine to the nearest word there.
fn nearness(claim: &str, window: &str, header: HashSet<String>) -> Option<f32> {
    let model = StaticModel::embedded().ok()?;
    let wanted: BTreeSet<String> = whole_words(claim).into_iter().collect();
    let there: BTreeSet<String> = whole_words(window).into_iter().chain(header).collect();
    let texts: Vec<&str> = there.iter().map(String::as_str).collect();
    let vectors = model.embed(&texts, Side::Query).ok()?;
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let mut sum = 0.0;
    for word in &wanted {
        sum += match there.contains(word) {
            true => 1.0,
            false => {
                let one = model.embed(&[word], Side::Query).ok()?;
                vectors.iter().map(|v| cosine(v, &one[0])).fold(0.0, f32::max)
            }
        };
    }
    (!wanted.is_empty()).then(|| sum / wanted.len() as f32)
}

/// The head rows of the tables in a Markdown text: what each cell below them means.
fn table_heads(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let rules =
        |l: &str| l.starts_with('|') && l.contains("--") && l.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
    lines.windows(2).filter(|w| rules(w[1])).map(|w| w[0]).collect::<Vec<_>>().join("\n")
}

fn negated(text: &str) -> bool {
    let count = NEGATION_KO.find_iter(text).count() + NEGATION_EN.find_iter(text).count();
    count % 2 == 1
}

fn figures(text: &str) -> BTreeSet<String> {
    static FIGURE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)?").expect("constant pattern"));
    let plain: String = text.replace(',', "");
    FIGURE.find_iter(&plain).map(|m| m.as_str().to_owned()).collect()
}

/// How often the rule is right on one labelled set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The set.
    pub dataset: String,
    /// Pairs of the second half, which the threshold was not chosen on; the halves share no premise.
    pub pairs: usize,
    /// Labelled pairs whose claim or document the set lacks.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub skipped: usize,
    /// Share of right decisions (supported or not).
    pub accuracy: f64,
    /// The same of the best constant answer.
    pub majority: f64,
    /// Of the pairs called supported, the share that is.
    pub precision: f64,
    /// Of the supported pairs, the share found.
    pub recall: f64,
    /// The threshold that would be best on the first half.
    pub best_threshold: f32,
}

/// The rule's accuracy as last measured by `sectora eval entailment` (file `eval/entailment.json`).
pub fn own_accuracy() -> Vec<Accuracy> {
    serde_json::from_str(include_str!("../../eval/entailment.json")).unwrap_or_default()
}

/// A labelled pair.
struct Pair {
    score: f32,
    supported: bool,
    /// What it is made of; pairs that share any of it are halved together.
    parts: [String; 2],
}

/// KLUE-NLI: entailment against neutral and contradiction, several hypotheses to a premise.
pub fn klue(by: &Entailment, file: &Path) -> Result<Accuracy, EvaluateError> {
    let mut pairs = Vec::new();
    each(file, &mut |row| {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        let premise = text("premise");
        let score = by.score("", &premise, &text("hypothesis"))?;
        pairs.push(Pair { score, supported: row["gold_label"] == "entailment", parts: [premise.clone(), premise] });
        Ok(())
    })?;
    measured("klue_nli_dev", &pairs, 0, by.threshold("한국어"), file)
}

/// SciFact: claims against the cited abstract, SUPPORT against CONTRADICT and NOT_ENOUGH_INFO.
pub fn scifact(by: &Entailment, folder: &Path) -> Result<Accuracy, EvaluateError> {
    let mut abstracts = HashMap::new();
    each(&folder.join("corpus.jsonl"), &mut |row| {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        abstracts.insert(text("_id"), (text("title"), text("text")));
        Ok(())
    })?;
    let mut claims = HashMap::new();
    each(&folder.join("queries.jsonl"), &mut |row| {
        claims.insert(row["_id"].as_str().unwrap_or("").to_owned(), row["text"].as_str().unwrap_or("").to_owned());
        Ok(())
    })?;
    let (mut pairs, mut skipped) = (Vec::new(), 0);
    let labels = folder.join("claim_labels.jsonl");
    each(&labels, &mut |row| {
        let document = row["doc_id"].as_str().or_else(|| row["cited"].get(0)?.as_str()).unwrap_or("");
        let id = row["claim_id"].as_str().unwrap_or("");
        match (abstracts.get(document), claims.get(id)) {
            (Some((title, text)), Some(claim)) => pairs.push(Pair {
                score: by.score(title, text, claim)?,
                supported: row["label"] == "SUPPORT",
                parts: [format!("claim {id}"), format!("document {document}")],
            }),
            (None, _) | (_, None) => skipped += 1,
        }
        Ok(())
    })?;
    measured("scifact", &pairs, skipped, by.threshold("English"), &labels)
}

/// Which pairs are of the second half: those that share a part, directly or through others, are of the same, and each such
/// group goes to the half that has fewer so far.
fn second_half(pairs: &[Pair]) -> Vec<bool> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut linked = Vec::with_capacity(pairs.len());
    for pair in pairs {
        linked.push(pair.parts.each_ref().map(|part| {
            let next = known.len();
            *known.entry(part.as_str()).or_insert(next)
        }));
    }
    let mut sets = UnionFind::new(known.len());
    linked.iter().for_each(|&[a, b]| sets.union(a, b));
    let groups: Vec<usize> = linked.iter().map(|&[a, _]| sets.find(a)).collect();
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    groups.iter().for_each(|group| *sizes.entry(*group).or_default() += 1);
    let mut halves: HashMap<usize, bool> = HashMap::new();
    let mut filled = [0, 0];
    let half_of = |group: &usize| {
        *halves.entry(*group).or_insert_with(|| {
            let second = filled[1] < filled[0];
            filled[usize::from(second)] += sizes[group];
            second
        })
    };
    groups.iter().map(half_of).collect()
}

/// The threshold is looked for on the first half, the accuracy measured on the second.
fn measured(name: &str, pairs: &[Pair], skipped: usize, used: f32, file: &Path) -> Result<Accuracy, EvaluateError> {
    let (second, first): (Vec<_>, Vec<_>) = pairs.iter().zip(second_half(pairs)).partition(|(_, second)| *second);
    let right = |half: &[(&Pair, bool)], threshold: f32| {
        half.iter().filter(|(pair, _)| (pair.score >= threshold) == pair.supported).count()
    };
    let n = second.len();
    if n == 0 {
        return Err(EvaluateError::Dataset { path: file.display().to_string(), what: "no labelled pairs".into() });
    }
    let steps: Vec<f32> = (0..=100).map(|i| i as f32 / 100.0).collect();
    let best_threshold = steps.iter().copied().max_by_key(|t| right(&first, *t)).unwrap_or(used);
    let called = second.iter().filter(|(pair, _)| pair.score >= used);
    let hit = called.clone().filter(|(pair, _)| pair.supported).count();
    let positive = second.iter().filter(|(pair, _)| pair.supported).count();
    let share = |a: usize, b: usize| if b > 0 { a as f64 / b as f64 } else { 0.0 };
    Ok(Accuracy {
        dataset: name.into(),
        pairs: n,
        skipped,
        accuracy: share(right(&second, used), n),
        majority: share(positive.max(n - positive), n),
        precision: share(hit, called.count()),
        recall: share(hit, positive),
        best_threshold,
    })
}

fn each(file: &Path, on: &mut dyn FnMut(Value) -> Result<(), EvaluateError>) -> Result<(), EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    json_lines(file, &text).try_for_each(|row| on(row?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::tiny_classifier;

    #[test]
    fn the_words_the_figures_and_the_negation_must_agree() {
        let premise = "The plant was visited. The pouch cell kept 83 % of its capacity after 500 cycles.";
        let entails = |context, premise, claim| Entailment::Rule.entails(context, premise, claim).unwrap();
        assert!(entails("", premise, "The cell kept 83 % of its capacity."));
        assert!(!entails("", premise, "The cell kept 93 % of its capacity."));
        assert!(!entails("", premise, "The cell did not keep 83 % of its capacity."));
        assert!(!entails("", premise, "Quantum computers break encryption."));
        assert!(entails("", "발코니에서 흡연이 가능합니다.", "발코니 흡연이 가능하다."));
    }

    #[test]
    fn a_model_is_asked_where_the_claims_words_stand_and_its_accuracy_is_kept() {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny_classifier::write(folder.path(), false, &["contradiction", "entailment", "neutral"]);
        let model = Entailment::open(Some(folder.path()), data.path()).unwrap();
        let far = format!("{}The anode is lithium. {}", "It rained. ".repeat(40), "It rained. ".repeat(40));
        let read = read_by_model(&far, "lithium anode");
        assert!(read.len() == MODEL_WINDOWS && read[0].contains("The anode is lithium."));
        let p = model.score("", &far, "lithium anode").unwrap();
        assert!(p > 0.0 && p < 1.0);
        assert_eq!(model.entails("", &far, "lithium anode").unwrap(), p >= MODEL_THRESHOLD);
        assert_eq!(model.score("", "", "lithium anode").unwrap(), 0.0);

        assert!(model.accuracy().unwrap().is_empty(), "never measured");
        model.keep(&own_accuracy()).unwrap();
        assert_eq!(Entailment::open(Some(folder.path()), data.path()).unwrap().accuracy().unwrap(), own_accuracy());
        assert_ne!(model.name(), Entailment::Rule.name());
    }

    #[test]
    fn a_table_row_is_read_under_its_head() {
        let rows: String = (1..9).map(|i| format!("| P{i} | {i} | 0 |\n")).collect();
        let table = format!("| 부품 | 소비 전력 | 비율 |\n|---|---|---|\n{rows}| 고압 펌프 | 2.36 | 63.6 |\n");
        assert!(Entailment::Rule.entails("", &table, "부품: 고압 펌프; 소비 전력: 2.36; 비율: 63.6").unwrap());
    }

    #[test]
    fn evidence_far_apart_does_not_add_up() {
        let far = format!("The anode was graphite. {}The oven failed.", "It rained. ".repeat(9));
        assert!(score("", &far, "The graphite anode oven failed.") < 0.8);
    }

    #[test]
    fn the_committed_accuracy_is_better_than_always_the_same_answer() {
        let all = own_accuracy();
        assert_eq!(all.len(), 2, "eval/entailment.json holds klue_nli_dev and scifact");
        assert!(all.iter().all(|a| a.pairs > 100 && a.accuracy > a.majority && a.accuracy <= 1.0), "{all:?}");
    }

    #[test]
    fn pairs_that_share_a_premise_or_are_linked_through_others_are_of_one_half() {
        let pair = |a: &str, b: &str| Pair { score: 0.0, supported: false, parts: [a.into(), b.into()] };
        let by_premise: Vec<Pair> = ["a", "a", "a", "b", "b", "b", "c"].iter().map(|p| pair(p, p)).collect();
        assert_eq!(second_half(&by_premise), [false, false, false, true, true, true, false]);
        // The last pair ties the first two together.
        let linked = [pair("1", "x"), pair("2", "y"), pair("3", "z"), pair("1", "y")];
        assert_eq!(second_half(&linked), [false, false, true, false]);
        assert!(second_half(&[]).is_empty());
    }

    #[test]
    fn labels_without_their_claim_or_document_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: &[&str]| fs_err::write(dir.path().join(name), lines.join("\n")).unwrap();
        write(
            "corpus.jsonl",
            &[r#"{"_id": "1", "title": "T", "text": "It rained."}"#, r#"{"_id": "2", "text": "It snowed."}"#],
        );
        write("queries.jsonl", &[r#"{"_id": "a", "text": "It rained."}"#, r#"{"_id": "b", "text": "It snowed."}"#]);
        write(
            "claim_labels.jsonl",
            &[
                r#"{"claim_id": "a", "doc_id": "1", "label": "SUPPORT"}"#,
                r#"{"claim_id": "b", "doc_id": "2", "label": "SUPPORT"}"#,
                r#"{"claim_id": "b", "doc_id": "9", "label": "SUPPORT"}"#,
                r#"{"claim_id": "c", "doc_id": "1", "label": "SUPPORT"}"#,
            ],
        );
        let measured = scifact(&Entailment::Rule, dir.path()).unwrap();
        assert_eq!((measured.pairs, measured.skipped, measured.accuracy), (1, 2, 1.0));
    }
}
