//! Answers to one question set: measures, when to abstain, the worst cases.

use super::super::answers::AnswerResult;
use super::super::entailment::Accuracy;
use super::super::judge::Judgement;
use super::super::statistics::Estimate;
use super::super::sweep::{Point, sweep};
use super::svg::{self, Bar, Series};
use super::words::{both, named};
use super::{CASES, Case, Section, Table};

pub(super) fn section(set: &AnswerResult) -> Section {
    let a = &set.abstention;
    let intro = format!(
        "질문 {}개(전체 {}개) 중 답할 수 있는 질문 {}개에서 {}개 응답, 답할 수 없는 질문 {}개에서 {}개 기권. · \
         {} of {} questions; answered {} of {} answerable, abstained on {} of {} unanswerable.",
        set.questions,
        set.total,
        a.answerable,
        a.answered,
        a.unanswerable,
        a.abstained,
        set.questions,
        set.total,
        a.answered,
        a.answerable,
        a.abstained,
        a.unanswerable
    );
    let bars: Vec<Bar> = set
        .confidence
        .iter()
        .map(|(name, e)| Bar { label: both(name), value: e.mean, interval: Some((e.low, e.high)) })
        .collect();
    let mut plots =
        vec![svg::bars(&format!("{0}: 평균과 95 % 구간 · {0}: means and 95 % intervals", set.dataset), &bars)];
    plots.extend(support(set));
    plots.extend(distribution(set));
    let estimate = |(name, e): (&String, &Estimate)| {
        vec![both(name), format!("{:.4}", e.mean), format!("{:.4} – {:.4}", e.low, e.high), e.n.to_string()]
    };
    let mut tables = vec![Table::new(
        "지표와 95 % 신뢰구간 · Measures with 95 % intervals",
        &["지표 · measure", "평균 · mean", "95 %", "n"],
        set.confidence.iter().map(estimate),
    )];
    let shown: Vec<&String> = set.metrics.keys().filter(|k| !k.starts_with("abstention")).collect();
    for (caption, groups) in [("질문 유형별 · By type", &set.by_type), ("언어별 · By language", &set.by_language)]
    {
        // A measure a row: there are more measures than groups, and names of groups are short.
        let mut columns = vec!["지표 · measure".to_owned()];
        columns.extend(groups.keys().map(|k| named(k)));
        let counts = std::iter::once("n".to_owned()).chain(groups.values().map(|g| g.n.to_string()));
        let row = |k: &&String| {
            let values = groups.values().map(|g| g.metrics.get(*k).map_or_else(|| "–".into(), |v| format!("{v:.3}")));
            std::iter::once(both(k)).chain(values).collect()
        };
        let rows = std::iter::once(counts.collect()).chain(shown.iter().map(row));
        tables.push(Table { caption: caption.into(), columns, rows: rows.collect() });
    }
    tables.push(entailment(&set.entailment_by, &set.entailment));
    if set.timings_ms.median > 0.0 {
        let row = [set.timings_ms.median, set.timings_ms.p95].map(|ms| format!("{ms:.1}")).to_vec();
        tables.push(Table::new("시간 (ms) · Time (ms)", &["중앙값 · median", "p95"], std::iter::once(row)));
    }
    Section { heading: format!("응답 · Answers: {}", set.dataset), intro, plots, tables, cases: worst(set) }
}

/// How far the rule behind every citation measure can be trusted.
pub(super) fn entailment(by: &str, measured: &[Accuracy]) -> Table {
    let row = |e: &Accuracy| {
        let f = |v: f64| format!("{v:.3}");
        vec![e.dataset.clone(), e.pairs.to_string(), f(e.accuracy), f(e.majority), f(e.precision), f(e.recall)]
    };
    Table::new(
        format!(
            "인용 지표에 쓰인 함의 판정({by})의 정확도 · Accuracy of the entailment ({by}) behind the citation measures"
        ),
        &[
            "자료 · labelled set",
            "쌍 · pairs",
            "정확도 · accuracy",
            "늘 같은 답 · constant answer",
            "정밀도 · precision",
            "재현율 · recall",
        ],
        measured.iter().map(row),
    )
}

/// How well the best passage covers questions that can and cannot be answered, and what thresholds would do.
fn support(set: &AnswerResult) -> Vec<String> {
    let of = |answerable: bool| -> Vec<f64> {
        let rows = set.rows.iter().filter(|r| r.answerable == Some(answerable));
        rows.filter_map(|r| r.response.support.map(f64::from)).collect()
    };
    let (yes, no) = (of(true), of(false));
    if yes.is_empty() || no.is_empty() {
        return Vec::new();
    }
    let series = [
        Series { label: "답할 수 있음 · answerable".into(), values: yes },
        Series { label: "답할 수 없음 · unanswerable".into(), values: no },
    ];
    // What was left unanswered cannot be seen answered: below the threshold of this run every point is the same.
    let all = sweep(&set.rows);
    let same =
        |a: &Point, b: &Point| a.answer_rate_of_answerable == b.answer_rate_of_answerable && a.recall == b.recall;
    let flat = all.windows(2).take_while(|w| same(&w[0], &w[1])).count();
    let points = all.get(flat..).filter(|p| p.len() > 1).unwrap_or(&all);
    let line = |label: &str, value: &dyn Fn(&Point) -> f64| Series {
        label: label.into(),
        values: points.iter().map(value).collect(),
    };
    let lines = [
        line("응답률 · answered", &|p| p.answer_rate_of_answerable),
        line("기권 재현율 · abstention recall", &|p| p.recall),
        line("기권 정밀도 · precision", &|p| p.precision),
    ];
    let marks: Vec<String> = points.iter().map(|p| format!("{:.2}", p.threshold)).collect();
    vec![
        svg::histogram(
            "근거 점수 분포 · Support of the best passage",
            "최선의 구절이 질문을 덮는 정도 · how much of the question the best passage covers",
            &series,
        ),
        svg::lines("기권 문턱값 · Abstention by threshold", "answer.min_support", &marks, &lines),
    ]
}

/// How the wording scores are spread.
fn distribution(set: &AnswerResult) -> Option<String> {
    let values = |name: &str| -> Vec<f64> { set.rows.iter().filter_map(|r| r.values.get(name).copied()).collect() };
    let series: Vec<Series<f64>> = ["f1", "rouge_l"]
        .into_iter()
        .map(|n| Series { label: both(n).replace(" · ", " / "), values: values(n) })
        .filter(|s| !s.values.is_empty())
        .collect();
    (!series.is_empty()).then(|| svg::histogram("점수 분포 · Distribution of scores", "점수 · score", &series))
}

/// The worst first: invented facts, wrongly answered, unsupported, wrongly silent.
fn worst(set: &AnswerResult) -> Vec<Case> {
    let mut rows: Vec<(f64, String, &Judgement)> = set
        .rows
        .iter()
        .map(|r| {
            let (badness, why) = fault(r);
            (badness, why, r)
        })
        .filter(|(badness, _, _)| *badness > 0.0)
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.2.id.cmp(&b.2.id)));
    rows.into_iter()
        .take(CASES)
        .map(|(_, why, r)| Case {
            id: r.id.clone(),
            why,
            question: r.question.clone(),
            reference: r.reference.clone(),
            answer: r.response.answer.clone(),
            passages: r
                .response
                .passages
                .iter()
                .take(3)
                .map(|p| (format!("[{}] {} ({})", p.n, p.title, p.source), p.text.clone()))
                .collect(),
        })
        .collect()
}

fn fault(row: &Judgement) -> (f64, String) {
    let value = |name: &str| row.values.get(name).copied();
    if !row.invented.is_empty() {
        let what: Vec<String> = row.invented.iter().map(|i| format!("{} {}", i.kind, i.text)).collect();
        let what = what.join(", ");
        return (5.0, format!("지어낸 사실: {what} · invented: {what}"));
    }
    match (row.answerable, row.response.abstained) {
        (Some(false), false) => (4.0, "답할 수 없는 질문에 답함 · answered the unanswerable".into()),
        (Some(true), true) => (2.0, "답할 수 있는 질문에 기권 · abstained though answerable".into()),
        (Some(false), true) => (0.0, String::new()),
        _ if value("citation_recall").is_some_and(|v| v < 1.0) => {
            (3.0, "뒷받침되지 않는 문장 · a statement without support".into())
        }
        _ if value("expected_words") == Some(0.0) => {
            (2.5, "기대한 수치가 없음 · the expected figure is missing".into())
        }
        _ => (
            value("answer_contained").or(value("rouge_l")).map_or(0.0, |v| 1.0 - v),
            "정답과 다름 · far from the reference".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::dataset::{Question, QuestionFormat};
    use super::super::super::entailment::Entailment;
    use super::super::super::judge::judge;
    use super::super::super::peer::Response;
    use super::*;

    #[test]
    fn a_right_abstention_is_no_case_and_a_wrong_one_is() {
        let silent = |answerable| {
            let question = Question {
                answerable: Some(answerable),
                long_answer: Some("Sorry, the documents do not say.".into()),
                ..Question::default()
            };
            let response = Response { abstained: true, answer: "I do not know.".into(), ..Response::default() };
            judge(&question, QuestionFormat::Mtrag, response, (0, 0), &Entailment::Rule).unwrap()
        };
        assert_eq!((fault(&silent(false)).0, fault(&silent(true)).0), (0.0, 2.0));
    }
}
