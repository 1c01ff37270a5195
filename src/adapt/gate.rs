//! Is the adapted model better, and worse at nothing that matters?
//!
//! In: the same held-out questions, answered before and after and judged by [`crate::evaluate::judge`]. Out: a yes with its
//! reasons, or a no with the check that said it. Pure: whoever measured what it is given decides nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluate::judge::Judgement;
use crate::evaluate::statistics::{self, Estimate};

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// `f1`, `abstention_recall`, `abstention_precision`, `citation_validity` or `no_invented_facts`.
    pub measure: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Mean before; absent where nothing could be measured.
    pub before: Option<f64>,
    /// Mean after.
    pub after: Option<f64>,
    /// Mean of the paired differences with its 95 % interval, over questions that both have a value for.
    pub difference: Option<Estimate>,
    /// Of the paired permutation test.
    pub p: Option<f64>,
    /// Whether it holds.
    pub passed: bool,
}

/// What came of all rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// Every rule holds.
    pub kept: bool,
    /// The first rule that does not hold; `f1` where all do, since that is why the model is kept.
    pub decided_by: &'static str,
    /// All rules.
    pub checks: Vec<Check>,
}

/// What a rule asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The interval of the difference lies above zero, and the permutation test says so too: over a few questions the bootstrap's
    /// interval is too narrow.
    Better,
    /// The mean is not lower; what was never said was never said wrongly.
    NotLower,
    /// The mean is not lower, and there is one.
    MeasuredNotLower,
}

/// Applies the rules; both sides have the same questions.
pub(super) fn decide(before: &[Judgement], after: &[Judgement], seed: u64) -> Decision {
    let value = |name: &'static str| move |j: &Judgement| j.values.get(name).copied();
    let of_answerable = |j: &Judgement| j.values.get("f1").copied().filter(|_| j.answerable == Some(true));
    let abstained = |j: &Judgement| (j.answerable == Some(false)).then(|| f64::from(u8::from(j.response.abstained)));
    // Of the abstentions, those that are right: silence where the documents answer is no gain either.
    let silent = |j: &Judgement| {
        j.answerable.filter(|_| j.response.abstained).map(|answerable| f64::from(u8::from(!answerable)))
    };
    // Without an unanswerable question neither says anything.
    let is_asked = [before, after].iter().all(|rows| rows.iter().any(|j| j.answerable == Some(false)));
    let precision = if is_asked { Rule::NotLower } else { Rule::MeasuredNotLower };
    let checks = vec![
        check("f1", Rule::Better, (before, after), &of_answerable, seed),
        check("abstention_recall", Rule::MeasuredNotLower, (before, after), &abstained, seed),
        check("abstention_precision", precision, (before, after), &silent, seed),
        check("citation_validity", Rule::NotLower, (before, after), &value("citation_validity"), seed),
        check("no_invented_facts", Rule::NotLower, (before, after), &value("no_invented_facts"), seed),
    ];
    let failed = checks.iter().find(|c| !c.passed).map(|c| c.measure);
    Decision { kept: failed.is_none(), decided_by: failed.unwrap_or("f1"), checks }
}

fn check(
    measure: &'static str,
    rule: Rule,
    (before, after): (&[Judgement], &[Judgement]),
    value: &dyn Fn(&Judgement) -> Option<f64>,
    seed: u64,
) -> Check {
    let of = |rows: &[Judgement]| -> BTreeMap<String, f64> {
        rows.iter().filter_map(|j| Some((j.id.clone(), value(j)?))).collect()
    };
    let (before, after) = (of(before), of(after));
    let mean = |values: &BTreeMap<String, f64>| {
        (!values.is_empty()).then(|| values.values().sum::<f64>() / values.len() as f64)
    };
    let pairs: Vec<(f64, f64)> = after.iter().filter_map(|(id, a)| Some((*a, *before.get(id)?))).collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let difference = statistics::bootstrap(&differences, seed);
    let (then, now) = (mean(&before), mean(&after));
    let p = (!pairs.is_empty()).then(|| statistics::permutation(&a, &b, seed));
    // What said nothing said nothing wrong: a perfect score to keep. Rounding is no fall.
    let is_kept = now.unwrap_or(1.0) >= then.unwrap_or(1.0) - 1e-9;
    let (text, passed) = match rule {
        Rule::Better => (
            "the 95 % interval of the paired difference lies above 0, and p < 0.05",
            difference.is_some_and(|d| d.low > 0.0) && p.is_some_and(|p| p < statistics::ALPHA),
        ),
        Rule::MeasuredNotLower if then.is_none() || now.is_none() => {
            ("not measured: it needs questions without an answer before and after", false)
        }
        Rule::NotLower | Rule::MeasuredNotLower => ("the mean is not lower than before", is_kept),
    };
    Check { measure, rule: text, before: then, after: now, difference, p, passed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::dataset::{Question, QuestionFormat};
    use crate::evaluate::entailment::Entailment;
    use crate::evaluate::judge::judge;
    use crate::evaluate::peer::{Response, Shown};

    /// A question answered with `said`, judged as the harness does; nothing is an abstention.
    fn judged(id: usize, answerable: bool, said: &str) -> Judgement {
        let question = Question {
            id: id.to_string(),
            text: "How much did the cell keep?".into(),
            answerable: Some(answerable),
            answers: if answerable { vec!["83 %".into()] } else { vec![] },
            ..Question::default()
        };
        let passage = Shown { n: 1, source: "a.md".into(), text: "The cell kept 83 %.".into(), ..Shown::default() };
        let response = Response {
            answer: said.into(),
            abstained: said.is_empty(),
            passages: vec![passage],
            shows_passages: true,
            ..Response::default()
        };
        judge(&question, QuestionFormat::Questions, response, (0, 0), &Entailment::Rule).unwrap()
    }

    /// Ten answerable questions answered with `said` as far as `right` goes, then abstained from; ten unanswerable ones.
    fn side(said: &str, right: usize, told: &str) -> Vec<Judgement> {
        let answered = (0..10).map(|i| judged(i, true, if i < right { said } else { "" }));
        answered.chain((10..20).map(|i| judged(i, false, told))).collect()
    }

    fn failed(before: &[Judgement], after: &[Judgement]) -> (&'static str, Vec<&'static str>) {
        let decision = decide(before, after, 1);
        let failed = decision.checks.iter().filter(|c| !c.passed).map(|c| c.measure).collect();
        assert_eq!(decision.kept, decision.checks.iter().all(|c| c.passed));
        (decision.decided_by, failed)
    }

    #[test]
    fn more_right_answers_and_nothing_worse_is_kept() {
        assert_eq!(failed(&side("83 %. [1]", 2, ""), &side("83 %. [1]", 9, "")), ("f1", vec![]));
    }

    #[test]
    fn the_same_answers_or_a_gain_inside_the_noise_are_refused_by_f1() {
        let before = side("83 %. [1]", 2, "");
        assert_eq!(failed(&before, &before), ("f1", vec!["f1"]));
        assert_eq!(failed(&before, &side("83 %. [1]", 3, "")), ("f1", vec!["f1"]), "one question more");
        let nothing = vec!["f1", "abstention_recall", "abstention_precision"];
        assert_eq!(failed(&[], &[]), ("f1", nothing), "nothing measured is no gain");
    }

    #[test]
    fn a_few_better_answers_are_no_gain_where_chance_would_do_as_well() {
        // All else unanswered on both sides: sign flips of 3 or 4 equal differences come out as far one time in 4 or 8.
        for (answered, of, p) in [(3, 8, 0.25), (4, 20, 0.125)] {
            let side = |right: usize| -> Vec<Judgement> {
                let asked = (0..of).map(|i| judged(i, true, if i < right { "83 %. [1]" } else { "" }));
                asked.chain((of..of + 4).map(|i| judged(i, false, ""))).collect()
            };
            let (before, after) = (side(0), side(answered));
            assert_eq!(failed(&before, &after), ("f1", vec!["f1"]), "{answered} of {of}");
            let f1 = &decide(&before, &after, 1).checks[0];
            assert!((f1.p.unwrap() - p).abs() < 0.02, "{f1:?}");
            assert!(of < 20 || f1.difference.unwrap().low > 0.0, "the interval alone would have kept it: {f1:?}");
        }
    }

    #[test]
    fn abstention_that_nobody_measured_is_not_taken_for_granted() {
        let answerable = |right: usize| -> Vec<Judgement> {
            (0..10).map(|i| judged(i, true, if i < right { "83 %. [1]" } else { "93 %. [1]" })).collect()
        };
        let decision = decide(&answerable(1), &answerable(10), 1);
        assert_eq!((decision.kept, decision.decided_by), (false, "abstention_recall"));
        let recall = &decision.checks[1];
        assert_eq!((recall.before, recall.after), (None, None));
        assert!(recall.rule.starts_with("not measured"), "{}", recall.rule);
    }

    #[test]
    fn a_gain_that_costs_abstention_citations_or_truth_is_refused_by_what_it_costs() {
        let before = side("83 %. [1]", 2, "");
        let talks = failed(&before, &side("83 %. [1]", 9, "83 %. [1]"));
        assert_eq!(talks, ("abstention_recall", vec!["abstention_recall", "abstention_precision"]));
        // Longer right answers to fewer questions.
        let before_short = side("about 83 % of what it had at first. [1]", 8, "");
        let quiet = failed(&before_short, &side("83 %. [1]", 7, ""));
        assert_eq!(quiet, ("abstention_precision", vec!["abstention_precision"]));
        let miscites = failed(&before, &side("83 %. [7]", 9, ""));
        assert_eq!(miscites.0, "citation_validity");
        // It was silent before; the first words it says cite what is not there.
        assert_eq!(failed(&side("", 0, ""), &side("83 %. [7]", 9, "")).0, "citation_validity");
        let invents = failed(&side("", 0, ""), &side("83 % and 91 %. [1]", 9, ""));
        assert_eq!(invents, ("no_invented_facts", vec!["no_invented_facts"]));
    }
}
