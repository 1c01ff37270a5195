//! What would other thresholds of `answer.min_support` do? Answers once, at the lowest; each threshold is then counted.

use serde::Serialize;

use super::judge::Judgement;

/// Answering and abstaining at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// `answer.min_support`.
    pub threshold: f64,
    /// Of the answerable questions, the share answered.
    pub answer_rate_of_answerable: f64,
    /// Of the abstentions, the share that is right.
    pub precision: f64,
    /// Of the unanswerable questions, the share left unanswered.
    pub recall: f64,
    /// Harmonic mean.
    pub f1: f64,
}

/// Thresholds 0, 0.05 … 1 over answers made with the lowest.
pub fn sweep(rows: &[Judgement]) -> Vec<Point> {
    let abstains = |r: &Judgement, threshold: f64| {
        r.response.abstained || r.response.support.is_some_and(|s| f64::from(s) < threshold)
    };
    let share = |a: usize, b: usize| if b > 0 { a as f64 / b as f64 } else { 0.0 };
    (0..=20)
        .map(|i| {
            let threshold = f64::from(i) / 20.0;
            let count = |answerable: bool, abstained: bool| {
                rows.iter().filter(|r| r.answerable == Some(answerable) && abstains(r, threshold) == abstained).count()
            };
            let (right, wrong, missed) = (count(false, true), count(true, true), count(false, false));
            let (precision, recall) = (share(right, right + wrong), share(right, right + missed));
            Point {
                threshold,
                answer_rate_of_answerable: share(count(true, false), count(true, false) + wrong),
                precision,
                recall,
                f1: if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{Question, QuestionFormat};
    use super::super::entailment::Entailment;
    use super::super::judge::judge;
    use super::super::peer::Response;
    use super::*;

    #[test]
    fn a_higher_threshold_abstains_more_and_answers_less() {
        let row = |answerable, support| {
            let question = Question { answerable: Some(answerable), ..Question::default() };
            let response = Response { answer: "x".into(), support: Some(support), ..Response::default() };
            judge(&question, QuestionFormat::Squad, response, (0, 0), &Entailment::Rule).unwrap()
        };
        let points = sweep(&[row(true, 0.9), row(true, 0.4), row(false, 0.3), row(false, 0.6)]);
        let at = |t: f64| points.iter().find(|p| (p.threshold - t).abs() < 1e-9).unwrap();
        assert_eq!((at(0.0).recall, at(0.0).answer_rate_of_answerable), (0.0, 1.0));
        assert_eq!((at(0.5).recall, at(0.5).answer_rate_of_answerable, at(0.5).precision), (0.5, 0.5, 0.5));
        assert_eq!((at(1.0).recall, at(1.0).answer_rate_of_answerable), (1.0, 0.0));
    }
}
