//! Cross-encoders: question and text read together, one score out. The [`Reranker`] seam.
//!
//! In: a question and texts, best first by another measure. Out: a score for as many of them as the time allows. A folder
//! is one of `BertForSequenceClassification` or `XLMRobertaForSequenceClassification` with a single label, such as
//! bge-reranker-v2-m3 or ms-marco-MiniLM.

use std::path::Path;
use std::time::{Duration, Instant};

use super::EmbedError;
use super::batch::{Tokens, runs};
use super::ops::sigmoid;
use super::pair::PairClassifier;

/// Tokens computed between two looks at the clock.
const RUN_TOKENS: usize = 512;

/// Says how well a text answers a question by reading both together.
pub trait Reranker: Send + Sync {
    /// Name and content hash of the weights.
    fn id(&self) -> &str;
    /// Scores of the first texts, higher is better, of as many as can be read until `until`: fewer than there are texts
    /// when time runs out, none when it has.
    fn score(&self, question: &str, texts: &[&str], until: Instant) -> Result<Vec<f32>, EmbedError>;
}

/// A cross-encoder on candle.
pub struct CrossEncoder(PairClassifier);

impl CrossEncoder {
    /// Loads the folder onto the CPU.
    pub fn open(folder: &Path) -> Result<CrossEncoder, EmbedError> {
        let one = |labels: &[String]| match labels.len() {
            0 | 1 => Ok(()),
            n => Err(format!("{n} labels, a reranker has one")),
        };
        Ok(CrossEncoder(PairClassifier::open(folder, "a reranker", one)?))
    }
}

impl Reranker for CrossEncoder {
    fn id(&self) -> &str {
        &self.0.id
    }

    /// The logistic function of the logit, as sentence-transformers' `CrossEncoder` gives for one label.
    fn score(&self, question: &str, texts: &[&str], until: Instant) -> Result<Vec<f32>, EmbedError> {
        let pairs = self.0.tokenize(texts.iter().map(|text| (question, *text)).collect())?;
        in_time(&pairs, until, |run| Ok(self.0.forward(run)?.iter().map(|logits| sigmoid(logits[0])).collect()))
    }
}

/// Scores run by run, as many as can be had until `until`.
pub(super) fn in_time(
    texts: &[Tokens],
    until: Instant,
    mut score: impl FnMut(&[Tokens]) -> Result<Vec<f32>, EmbedError>,
) -> Result<Vec<f32>, EmbedError> {
    let mut scores = Vec::with_capacity(texts.len());
    let mut last = Duration::ZERO;
    for run in runs(texts, RUN_TOKENS) {
        let begin = Instant::now();
        // The next run takes about as long as the last: better not begun than finished too late.
        if begin + last >= until {
            break;
        }
        scores.extend(score(run)?);
        last = begin.elapsed();
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::pair::fixture;
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_score_depends_on_question_and_text_and_not_on_other_texts() {
        for roberta in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            fixture::write(dir.path(), roberta, &["LABEL_0"]);
            let model = CrossEncoder::open(dir.path()).unwrap();
            let texts = ["lithium anode", "cell", "전해질 lithium cell anode cell"];
            let together = model.score("anode", &texts, soon()).unwrap();
            for (text, score) in texts.iter().zip(&together) {
                let alone = model.score("anode", &[text], soon()).unwrap();
                assert!((alone[0] - score).abs() < 1e-5 && *score > 0.0 && *score < 1.0);
            }
            assert!((together[0] - together[1]).abs() > 1e-4, "{together:?}");
            let other = model.score("cell", &texts, soon()).unwrap();
            assert!((together[0] - other[0]).abs() > 1e-4, "{together:?} {other:?}");
        }
    }

    #[test]
    fn nothing_is_read_when_the_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), false, &["LABEL_0"]);
        let model = CrossEncoder::open(dir.path()).unwrap();
        assert!(model.score("anode", &["cell"], Instant::now()).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_reranker_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), false, &["LABEL_0"]);
        let stated = fs_err::read_to_string(dir.path().join("config.json")).unwrap();
        let refused = |from: &str, to: &str, named: &str| {
            fs_err::write(dir.path().join("config.json"), stated.replace(from, to)).unwrap();
            let error = CrossEncoder::open(dir.path()).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        };
        refused("AnyForSequenceClassification", "BertModel", "not a reranker");
        refused(r#""0":"LABEL_0""#, r#""0":"NO","1":"YES""#, "2 labels");
        refused(r#""model_type":"bert""#, r#""model_type":"t5""#, "`t5`");
    }
}
