//! A report for people: Markdown, or one HTML file that needs nothing else; Korean and English side by side.
//!
//! In: what `eval all` measured. Out: text. It computes nothing that is not in the JSON, and leaves out times
//! where they would make two equal runs differ, but for the table that is about time.

mod html;
mod markdown;
mod svg;
mod words;

use std::collections::HashSet;

use super::all::AllResult;
use super::answers::{self, AnswerResult};
use super::judge::Judgement;
use super::safety::{Outcomes, Requests};
use super::sweep::sweep;
use svg::{Bar, Series};
use words::{MEANINGS, both, named};

pub use html::html;
pub use markdown::markdown;

/// Cases shown of each question set.
const CASES: usize = 8;

/// A report before it has a form.
pub struct Report {
    title: String,
    facts: Vec<(String, String)>,
    sections: Vec<Section>,
}

struct Section {
    heading: String,
    intro: String,
    plots: Vec<String>,
    tables: Vec<Table>,
    cases: Vec<Case>,
}

struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A question that went wrong, with everything needed to see why.
struct Case {
    id: String,
    why: String,
    question: String,
    reference: String,
    answer: String,
    passages: Vec<(String, String)>,
}

/// Arranges a result.
pub fn report(result: &AllResult) -> Report {
    let (encoder, generator) = result.parts();
    let mut sections = Vec::new();
    sections.extend(result.answers.iter().map(answers));
    if !result.retrieval.is_empty() {
        sections.push(retrieval(result));
    }
    sections.extend(result.safety.as_ref().map(safety));
    if !result.overlap.is_empty() {
        sections.push(repeats(result));
    }
    if !result.servers.is_empty() {
        sections.push(servers(result));
    }
    sections.push(meanings());
    let skipped: Vec<String> = result.skipped.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    let skipped = skipped.join("; ");
    Report {
        title: "Sectora 평가 보고서 · Evaluation report".into(),
        facts: vec![
            ("생성기 · Generator".into(), generator),
            ("인코더 · Encoder".into(), encoder.unwrap_or_else(|| "없음 · none".into())),
            ("시드 · Seed".into(), result.seed.to_string()),
            ("버전 · Version".into(), env!("CARGO_PKG_VERSION").into()),
        ]
        .into_iter()
        .chain((!skipped.is_empty()).then(|| ("재지 않음 · Not measured".into(), skipped)))
        .collect(),
        sections,
    }
}

fn answers(set: &AnswerResult) -> Section {
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
    let estimate = |(name, e): (&String, &super::statistics::Estimate)| {
        vec![both(name), format!("{:.4}", e.mean), format!("{:.4} – {:.4}", e.low, e.high), e.n.to_string()]
    };
    let mut tables = vec![Table {
        caption: "지표와 95 % 신뢰구간 · Measures with 95 % intervals".into(),
        columns: ["지표 · measure", "평균 · mean", "95 %", "n"].map(str::to_owned).to_vec(),
        rows: set.confidence.iter().map(estimate).collect(),
    }];
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
        tables.push(Table {
            caption: "시간 (ms) · Time (ms)".into(),
            columns: ["중앙값 · median", "p95"].map(str::to_owned).to_vec(),
            rows: vec![vec![format!("{:.1}", set.timings_ms.median), format!("{:.1}", set.timings_ms.p95)]],
        });
    }
    Section { heading: format!("응답 · Answers: {}", set.dataset), intro, plots, tables, cases: worst(set) }
}

/// How far the rule behind every citation measure can be trusted.
fn entailment(by: &str, measured: &[super::entailment::Accuracy]) -> Table {
    let row = |e: &super::entailment::Accuracy| {
        let f = |v: f64| format!("{v:.3}");
        vec![e.dataset.clone(), e.pairs.to_string(), f(e.accuracy), f(e.majority), f(e.precision), f(e.recall)]
    };
    Table {
        caption: format!(
            "인용 지표에 쓰인 함의 판정({by})의 정확도 · Accuracy of the entailment ({by}) behind the citation measures"
        ),
        columns: [
            "자료 · labelled set",
            "쌍 · pairs",
            "정확도 · accuracy",
            "늘 같은 답 · constant answer",
            "정밀도 · precision",
            "재현율 · recall",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: measured.iter().map(row).collect(),
    }
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
    let same = |a: &super::sweep::Point, b: &super::sweep::Point| {
        a.answer_rate_of_answerable == b.answer_rate_of_answerable && a.recall == b.recall
    };
    let flat = all.windows(2).take_while(|w| same(&w[0], &w[1])).count();
    let points = all.get(flat..).filter(|p| p.len() > 1).unwrap_or(&all);
    let line = |label: &str, value: &dyn Fn(&super::sweep::Point) -> f64| Series {
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

fn retrieval(result: &AllResult) -> Section {
    const CUTS: [&str; 5] = ["1", "5", "10", "20", "100"];
    let names = ["ndcg@10", "mrr@10", "map", "recall@100"];
    let mut columns = vec!["데이터 · dataset".to_owned(), "방식 · mode".into(), "n".into()];
    columns.extend(names.map(both));
    let timed = result.retrieval.iter().flat_map(|s| &s.modes).any(|m| m.search_ms > 0.0);
    if timed {
        columns.push("검색 ms · search ms".into());
    }
    let mut rows = Vec::new();
    let mut curves = Vec::new();
    for set in &result.retrieval {
        for mode in &set.modes {
            let mut row = vec![set.dataset.clone(), named(mode.mode), set.queries.to_string()];
            for name in names {
                row.push(match mode.confidence.get(name) {
                    Some(e) => format!("{:.4} ({:.3} – {:.3})", e.mean, e.low, e.high),
                    None => mode.metrics.get(name).map_or_else(String::new, |v| format!("{v:.4}")),
                });
            }
            if timed {
                row.push(format!("{:.2}", mode.search_ms));
            }
            rows.push(row);
        }
        let at = |k: &&str| set.metrics.get(&format!("recall@{k}")).copied().unwrap_or(0.0);
        curves.push(Series { label: set.dataset.clone(), values: CUTS.iter().map(at).collect() });
    }
    let marks: Vec<String> = CUTS.map(str::to_owned).to_vec();
    let comparisons = result.retrieval.iter().flat_map(|set| set.comparisons.iter().map(move |c| (set, c)));
    let tests = comparisons.map(|(set, c)| comparison_row(&set.dataset, c)).collect::<Vec<_>>();
    let mut tables = vec![Table { caption: "검색 품질 · Retrieval (95 %)".into(), columns, rows }];
    if !tests.is_empty() {
        tables.push(comparison_table(tests));
    }
    Section {
        heading: "검색 · Retrieval".into(),
        intro: "지표는 trec_eval의 정의를 따른다. 동점은 문서 번호 내림차순. · Metrics as trec_eval defines them; ties by document id, descending.".into(),
        plots: std::iter::once(svg::lines("재현율 · Recall", "k", &marks, &curves))
            .chain(timed.then(|| cost(result)))
            .collect(),
        tables,
        cases: Vec::new(),
    }
}

/// What recall costs: every collection, in every mode, by the time of one search.
fn cost(result: &AllResult) -> String {
    let series: Vec<Series<(f64, f64)>> = result
        .retrieval
        .iter()
        .map(|set| {
            let point =
                |m: &super::retrieval::ModeResult| (m.search_ms, m.metrics.get("recall@100").copied().unwrap_or(0.0));
            Series { label: set.dataset.clone(), values: set.modes.iter().map(point).collect() }
        })
        .collect();
    let mut ways: Vec<String> = Vec::new();
    for mode in result.retrieval.iter().flat_map(|s| &s.modes).map(|m| named(m.mode)) {
        if !ways.contains(&mode) {
            ways.push(mode);
        }
    }
    svg::cost(
        "재현율@100과 시간 · Recall@100 and latency",
        "검색 한 번의 ms, 로그 눈금 · ms of one search, logarithmic",
        &ways,
        &series,
    )
}

fn comparison_row(set: &str, c: &super::statistics::Comparison) -> Vec<String> {
    let verdict = match c.verdict.as_str() {
        "inside the noise" => "잡음 범위 안 · inside the noise".to_owned(),
        other => match other.strip_suffix(" is better") {
            Some(who) => format!("{who} 쪽이 나음 · {other}"),
            None => other.to_owned(),
        },
    };
    vec![
        set.to_owned(),
        both(&c.metric),
        format!("{} − {}", c.a, c.b),
        format!("{:+.4}", c.difference),
        format!("{:.4}", c.p_corrected),
        c.n.to_string(),
        verdict,
    ]
}

fn comparison_table(rows: Vec<Vec<String>>) -> Table {
    Table {
        caption: "짝지은 순열 검정, Holm 보정 · Paired permutation tests, Holm-corrected".into(),
        columns: [
            "데이터 · dataset",
            "지표 · measure",
            "무엇과 무엇 · which two",
            "차이 · difference",
            "p",
            "n",
            "판정 · verdict",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    }
}

fn safety(result: &super::safety::SafetyResult) -> Section {
    let line = |name: &str, o: &Outcomes| {
        let n = |v: usize| v.to_string();
        vec![name.to_owned(), n(o.attacks), n(o.obeyed), n(o.refused), n(o.unaffected), n(o.derailed)]
    };
    let columns: Vec<String> = std::iter::once("공격 · attacks".to_owned())
        .chain(std::iter::once("n".to_owned()))
        .chain(["obeyed", "refused", "unaffected", "derailed"].map(both))
        .collect();
    let mut rows = vec![
        line("모두 · all", &result.injections),
        line("공격 없는 같은 문서 · the same without attack", &result.control),
    ];
    for groups in [&result.by_origin, &result.by_language, &result.by_disguise, &result.by_category] {
        rows.extend(groups.iter().map(|(name, o)| line(&named(name), o)));
    }
    let request = |(category, r): (&String, &Requests)| -> Vec<String> {
        let cells = match r.not_applicable {
            0 => [r.asked, r.given, r.refused].map(|n| n.to_string()),
            // It was not asked: what writes has no prompt to give away.
            _ => ["해당 없음 · not applicable".to_owned(), "–".to_owned(), "–".to_owned()],
        };
        std::iter::once(named(category)).chain(cells).collect()
    };
    let requests = result.requests.iter().map(request);
    let cases = result.failures.iter().take(CASES).map(|f| Case {
        id: f.id.clone(),
        why: named(&f.category),
        question: f.question.clone(),
        reference: String::new(),
        answer: f.answer.clone(),
        passages: Vec::new(),
    });
    Section {
        heading: "안전 · Safety".into(),
        intro: format!(
            "카나리아 낱말로 센다. 링크가 있는 답: {0}. · Counted by canary words. Answers with a link: {0}.",
            result.links
        ),
        plots: Vec::new(),
        tables: vec![
            Table { caption: "문서에 숨긴 지시 · Instructions hidden in documents".into(), columns, rows },
            Table {
                caption: "직접 요청 · Direct requests".into(),
                columns: ["범주 · category", "요청 · asked", "내줌 · given", "거부 · refused"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: requests.collect(),
            },
        ],
        cases: cases.collect(),
    }
}

/// Known repeats among the demonstration projects.
fn repeats(result: &AllResult) -> Section {
    let row = |r: &super::all::Repeats| {
        [r.repeats, r.first, r.related, r.told_apart, r.pairs, r.judged].iter().fold(
            vec![r.dataset.clone()],
            |mut row, n| {
                row.push(n.to_string());
                row
            },
        )
    };
    Section {
        heading: "중복 과제 · Repeated projects".into(),
        intro: "데모 과제에 심어 둔 중복을 overlap이 찾는가. · Does `overlap` find the repeats that the demonstration projects hold?".into(),
        plots: Vec::new(),
        tables: vec![Table {
            caption: "알려진 쌍 · Known pairs".into(),
            columns: [
                "분야 · sector",
                "중복 쌍 · repeats",
                "첫 판정 · first verdict",
                "관련만 있는 쌍 · related",
                "중복으로 보지 않음 · not done already",
                "모든 쌍 · all pairs",
                "표지와 같음 · judged as labelled",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: result.overlap.iter().map(row).collect(),
        }],
        cases: Vec::new(),
    }
}

fn servers(result: &AllResult) -> Section {
    let rows = result.servers.iter().flat_map(|a| a.comparisons.iter().map(|c| comparison_row(&a.dataset, c)));
    let means = result.servers.iter().flat_map(|a| {
        let here = result.answers.iter().find(|s| s.dataset == a.dataset);
        // Of this side too only what both were asked.
        let asked: HashSet<(&str, &str)> = a.there.rows.iter().map(|r| (r.id.as_str(), r.question.as_str())).collect();
        let rows = here.iter().flat_map(|h| &h.rows).filter(|r| asked.contains(&(r.id.as_str(), r.question.as_str())));
        let line = |(k, v): (String, f64)| {
            let other = a.there.metrics.get(&k).map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
            vec![a.dataset.clone(), both(&k), format!("{v:.4}"), other, a.server.clone()]
        };
        answers::metrics(rows).into_iter().map(line).collect::<Vec<_>>()
    });
    let twins: usize = result.servers.iter().map(|a| a.there.twins_left_out).sum();
    let intro = match twins {
        0 => "같은 질문을 두 쪽에 물었다. · The same questions were put to both.".to_owned(),
        n => format!(
            "같은 질문을 두 쪽에 물었다. 문서를 빼고 물어야 하는 질문 {n}건은 다른 서버에 묻지 않았으며, 평균과 검정에는 양쪽에 물은 질문만 들어간다. · \
             The same questions were put to both. {n} that are to be asked without their documents were not put to the other servers; means and tests are of the questions that both were asked."
        ),
    };
    Section {
        heading: "다른 서버와 비교 · Against other servers".into(),
        intro,
        plots: Vec::new(),
        tables: [
            Table {
                caption: "평균 · Means".into(),
                columns: ["데이터 · dataset", "지표 · measure", "여기 · here", "저기 · there", "서버 · server"]
                    .map(str::to_owned)
                    .to_vec(),
                rows: means.collect(),
            },
            comparison_table(rows.collect()),
        ]
        .into_iter()
        .chain(result.servers.first().map(|s| entailment(&s.there.entailment_by, &s.there.entailment)))
        .collect(),
        cases: Vec::new(),
    }
}

fn meanings() -> Section {
    let row = |m: &words::Meaning| vec![both(m.name), m.explain_ko.to_owned(), m.explain_en.to_owned()];
    Section {
        heading: "지표의 뜻 · What the measures mean".into(),
        intro: String::new(),
        plots: Vec::new(),
        tables: vec![Table {
            caption: String::new(),
            columns: ["지표 · measure", "한국어", "English"].map(str::to_owned).to_vec(),
            rows: MEANINGS.iter().map(row).collect(),
        }],
        cases: Vec::new(),
    }
}

/// For HTML, SVG and attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::all::against;
    use super::super::answers::Asking;
    use super::super::dataset::{Question, QuestionFormat, QuestionSet};
    use super::super::entailment::Entailment;
    use super::super::judge::judge;
    use super::super::peer::{Peer, Response};
    use super::super::safety::SafetyResult;
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

    #[test]
    fn means_of_two_sides_are_of_the_questions_that_both_were_asked() {
        let asked = |without: &[String]| {
            let question = |id: &str, without: &[String]| Question {
                id: id.into(),
                text: "Q?".into(),
                answerable: Some(true),
                without: without.to_vec(),
                ..Question::default()
            };
            let set = QuestionSet {
                name: "set".into(),
                format: QuestionFormat::Questions,
                documents: vec![],
                questions: vec![question("silent", &[]), question("twin", without)],
                total: 2,
            };
            let said = [("silent".to_owned(), String::new()), ("twin".to_owned(), "A".to_owned())];
            let asking = Asking { seed: 1, plant: None, entailment: &Entailment::Rule };
            answers::ask(&set, &Peer::Recorded(said.into()), &asking, &mut |_| ()).unwrap()
        };
        let here = asked(&[]);
        let there = against(&here, asked(&["a.md".to_owned()]), "there", 1);
        let result = AllResult {
            seed: 1,
            answers: vec![here],
            retrieval: vec![],
            safety: None,
            servers: vec![there],
            overlap: vec![],
            limit: None,
            public: BTreeMap::new(),
            skipped: BTreeMap::new(),
            reference_ms: 0.0,
        };
        let section = servers(&result);
        let rows = &section.tables[0].rows;
        assert!(!rows.is_empty() && rows.iter().all(|row| row[2] == row[3]), "{rows:?}");
        assert!(section.intro.contains("1 that are to be asked without"), "{}", section.intro);
    }

    #[test]
    fn requests_for_a_prompt_that_is_not_there_are_not_counted_as_refused() {
        let requests = [("prompt extraction".to_owned(), Requests { not_applicable: 6, ..Requests::default() })];
        let section = safety(&SafetyResult { requests: requests.into(), ..SafetyResult::default() });
        assert_eq!(section.tables[1].rows[0][1..], ["해당 없음 · not applicable", "–", "–"]);
    }
}
