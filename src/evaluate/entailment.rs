//! Does a premise support a claim? A lexical rule, stated here and measured: no model is needed, and none is hidden.
//!
//! In the window of `WINDOW` sentences of the premise (with its title and headings) that holds most of the claim's
//! terms, each word of the claim counts 1 if it occurs, else the cosine to the nearest word there in the encoder inside the
//! program. A claim is taken as entailed if a quarter of the terms' share and three quarters of the words' mean reach
//! [`threshold`], **every figure of the claim occurs**, and claim and window agree in whether they are negated; a claim that
//! stands there literally is. What it cannot see: roles exchanged, causes reversed, knowledge that is not in the words. How
//! often it is right is in [`own_accuracy`], which every score that uses it carries.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EvaluateError;
use crate::document::Language;
use crate::embed::{Embedder, Side, StaticModel};
use crate::text::coverage::{Coverage, term_set, whole_words};
use crate::text::sentences;

/// Sentences that may share a claim's evidence.
const WINDOW: usize = 3;
/// How much the words' nearness weighs beside the share of terms; chosen on the first halves of the labelled sets.
const NEARNESS: f32 = 0.75;

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
    let told = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
    if told(premise).contains(told(claim).as_str()) {
        return 1.0;
    }
    // Short windows first: of two that hold as much, the one with less beside it is the evidence.
    let spans = sentences(premise);
    let mut best = (0.0f32, "");
    for length in 0..WINDOW {
        for (first, last) in spans.iter().zip(spans.iter().skip(length)) {
            let window = &premise[first.start..last.end];
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

/// True when the premise supports the claim by this rule.
pub fn entails(context: &str, premise: &str, claim: &str) -> bool {
    score(context, premise, claim) >= threshold(claim)
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
    /// Pairs of the second half, which the threshold was not chosen on.
    pub pairs: usize,
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

/// KLUE-NLI: entailment against neutral and contradiction.
pub fn klue(file: &Path) -> Result<Accuracy, EvaluateError> {
    let mut pairs = Vec::new();
    each(file, &mut |row| {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        pairs.push((score("", &text("premise"), &text("hypothesis")), row["gold_label"] == "entailment"));
    })?;
    measured("klue_nli_dev", &pairs, threshold("한국어"), file)
}

/// SciFact: claims against the cited abstract, SUPPORT against CONTRADICT and NOT_ENOUGH_INFO.
pub fn scifact(folder: &Path) -> Result<Accuracy, EvaluateError> {
    let mut abstracts = std::collections::HashMap::new();
    each(&folder.join("corpus.jsonl"), &mut |row| {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        abstracts.insert(text("_id"), (text("title"), text("text")));
    })?;
    let mut claims = std::collections::HashMap::new();
    each(&folder.join("queries.jsonl"), &mut |row| {
        claims.insert(row["_id"].as_str().unwrap_or("").to_owned(), row["text"].as_str().unwrap_or("").to_owned());
    })?;
    let mut pairs = Vec::new();
    let labels = folder.join("claim_labels.jsonl");
    each(&labels, &mut |row| {
        let document = row["doc_id"].as_str().or_else(|| row["cited"].get(0)?.as_str()).unwrap_or("");
        let claim = claims.get(row["claim_id"].as_str().unwrap_or(""));
        if let (Some((title, text)), Some(claim)) = (abstracts.get(document), claim) {
            pairs.push((score(title, text, claim), row["label"] == "SUPPORT"));
        }
    })?;
    measured("scifact", &pairs, threshold("English"), &labels)
}

/// The threshold is looked for on every other pair from the first, the accuracy measured on the rest.
fn measured(name: &str, pairs: &[(f32, bool)], used: f32, file: &Path) -> Result<Accuracy, EvaluateError> {
    let half = |odd: usize| pairs.iter().enumerate().filter(move |(i, _)| i % 2 == odd).map(|(_, p)| *p);
    let right = |threshold: f32, odd: usize| half(odd).filter(|(s, yes)| (*s >= threshold) == *yes).count();
    let n = half(1).count();
    if n == 0 {
        return Err(EvaluateError::Dataset { path: file.display().to_string(), what: "no labelled pairs".into() });
    }
    let steps: Vec<f32> = (0..=100).map(|i| i as f32 / 100.0).collect();
    let best_threshold = steps.iter().copied().max_by_key(|t| right(*t, 0)).unwrap_or(used);
    let (called, hit) = half(1).fold((0usize, 0usize), |(c, h), (s, yes)| {
        let says = s >= used;
        (c + usize::from(says), h + usize::from(says && yes))
    });
    let positive = half(1).filter(|(_, yes)| *yes).count();
    let share = |a: usize, b: usize| if b > 0 { a as f64 / b as f64 } else { 0.0 };
    Ok(Accuracy {
        dataset: name.into(),
        pairs: n,
        accuracy: share(right(used, 1), n),
        majority: share(positive.max(n - positive), n),
        precision: share(hit, called),
        recall: share(hit, positive),
        best_threshold,
    })
}

fn each(file: &Path, on: &mut dyn FnMut(Value)) -> Result<(), EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let wrong = |e: serde_json::Error| EvaluateError::Dataset {
            path: file.display().to_string(),
            what: format!("line {}: {e}", i + 1),
        };
        on(serde_json::from_str(line).map_err(wrong)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_the_figures_and_the_negation_must_agree() {
        let premise = "The plant was visited. The pouch cell kept 83 % of its capacity after 500 cycles.";
        assert!(entails("", premise, "The cell kept 83 % of its capacity."));
        assert!(!entails("", premise, "The cell kept 93 % of its capacity."));
        assert!(!entails("", premise, "The cell did not keep 83 % of its capacity."));
        assert!(!entails("", premise, "Quantum computers break encryption."));
        assert!(entails("", "발코니에서 흡연이 가능합니다.", "발코니 흡연이 가능하다."));
    }

    #[test]
    fn a_table_row_is_read_under_its_head() {
        let rows: String = (1..9).map(|i| format!("| P{i} | {i} | 0 |\n")).collect();
        let table = format!("| 부품 | 소비 전력 | 비율 |\n|---|---|---|\n{rows}| 고압 펌프 | 2.36 | 63.6 |\n");
        assert!(entails("", &table, "부품: 고압 펌프; 소비 전력: 2.36; 비율: 63.6"));
    }

    #[test]
    fn evidence_far_apart_does_not_add_up() {
        let far = format!("The anode was graphite. {}The oven failed.", "It rained. ".repeat(9));
        assert!(score("", &far, "The graphite anode oven failed.") < 0.8);
    }

    #[test]
    fn the_committed_accuracy_is_better_than_always_saying_no() {
        let all = own_accuracy();
        assert_eq!(all.len(), 2, "eval/entailment.json holds klue_nli_dev and scifact");
        assert!(all.iter().all(|a| a.pairs > 100 && a.accuracy > 0.0 && a.accuracy <= 1.0));
    }
}
