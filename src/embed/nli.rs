//! Natural language inference: does a premise entail a hypothesis?
//!
//! In: pairs of texts. Out: the probability of entailment of each. A folder is a sequence classifier whose labels name
//! `entailment`, such as a KLUE-RoBERTa or XLM-R trained on KLUE-NLI, XNLI or MNLI.

use std::path::Path;

use super::EmbedError;
use super::batch::runs;
use super::pair::PairClassifier;

/// Tokens computed at once.
const RUN_TOKENS: usize = 2048;

/// An entailment model on candle.
pub struct NliModel {
    classifier: PairClassifier,
    entailment: usize,
}

impl NliModel {
    /// Loads the folder onto the CPU.
    pub fn open(folder: &Path) -> Result<NliModel, EmbedError> {
        let classifier = PairClassifier::open(folder, "an entailment model", |labels| match entailment(labels) {
            Some(_) => Ok(()),
            None => Err(format!(
                "id2label names no `entailment` among {} labels ({}), so the outputs mean nothing; name them as the model was trained",
                labels.len(),
                labels.join(", ")
            )),
        })?;
        let entailment = entailment(&classifier.labels).unwrap_or_default();
        Ok(NliModel { classifier, entailment })
    }

    /// Name and content hash of the weights.
    pub fn id(&self) -> &str {
        &self.classifier.id
    }

    /// The probability of entailment of each (premise, hypothesis); what is longer than the model reads is cut.
    pub fn entailment(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, EmbedError> {
        let tokens = self.classifier.tokenize(pairs.to_vec())?;
        let mut out = Vec::with_capacity(pairs.len());
        for run in runs(&tokens, RUN_TOKENS) {
            out.extend(self.classifier.forward(run)?.iter().map(|logits| softmax(logits, self.entailment)));
        }
        Ok(out)
    }
}

/// `not_entailment` is a label too, and not this one.
fn entailment(labels: &[String]) -> Option<usize> {
    labels.iter().position(|l| matches!(l.to_lowercase().as_str(), "entailment" | "entail" | "entails"))
}

/// The share of output `at` among all.
fn softmax(logits: &[f32], at: usize) -> f32 {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - most).exp()).sum();
    (logits[at] - most).exp() / sum
}

#[cfg(test)]
mod tests {
    use super::super::pair::fixture;
    use super::*;

    #[test]
    fn the_probability_is_the_named_labels_and_independent_of_other_pairs() {
        for roberta in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let pairs = [("lithium anode cell", "anode"), ("cell", "lithium"), ("전해질 cell", "전해질")];
            let mut sum = [0.0f32; 3];
            for named in 0..3 {
                let labels: Vec<&str> = (0..3).map(|i| if i == named { "ENTAILMENT" } else { "neutral" }).collect();
                fixture::write(dir.path(), roberta, &labels);
                let model = NliModel::open(dir.path()).unwrap();
                let together = model.entailment(&pairs).unwrap();
                for ((pair, p), sum) in pairs.iter().zip(&together).zip(&mut sum) {
                    assert!((model.entailment(&[*pair]).unwrap()[0] - p).abs() < 1e-5);
                    *sum += p;
                }
            }
            assert!(sum.iter().all(|s| (s - 1.0).abs() < 1e-5), "{sum:?}");
        }
    }

    #[test]
    fn a_model_whose_labels_mean_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), false, &["LABEL_0", "LABEL_1", "LABEL_2"]);
        let error = NliModel::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("entailment") && error.contains("LABEL_1"), "{error}");
    }
}
