//! Search on every collection, in every mode, and what it costs.

use super::super::all::AllResult;
use super::super::retrieval::{MAIN, ModeResult};
use super::svg::{self, Series};
use super::words::{both, named};
use super::{Section, Table, comparisons};

pub(super) fn section(result: &AllResult) -> Section {
    const CUTS: [&str; 5] = ["1", "5", "10", "20", "100"];
    let mut columns = vec!["데이터 · dataset".to_owned(), "방식 · mode".into(), "n".into()];
    columns.extend(MAIN.map(both));
    let timed = result.retrieval.iter().flat_map(|s| &s.modes).any(|m| m.search_ms > 0.0);
    if timed {
        columns.push("검색 ms · search ms".into());
    }
    let mut rows = Vec::new();
    let mut curves = Vec::new();
    for set in &result.retrieval {
        for mode in &set.modes {
            let mut row = vec![set.dataset.clone(), named(mode.mode), set.queries.to_string()];
            for name in MAIN {
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
    let mut tables = vec![Table { caption: "검색 품질 · Retrieval (95 %)".into(), columns, rows }];
    let sets = result.retrieval.iter();
    let tests = comparisons::table(sets.flat_map(|s| s.comparisons.iter().map(|c| comparisons::row(&s.dataset, c))));
    if !tests.rows.is_empty() {
        tables.push(tests);
    }
    Section {
        heading: "검색 · Retrieval".into(),
        intro: "지표는 trec_eval의 정의를 따른다. 동점은 문서 번호 내림차순. · Metrics as trec_eval defines them; ties by document id, descending.".into(),
        plots: std::iter::once(svg::lines("재현율 · Recall", "k", &marks, &curves))
            .chain(timed.then(|| cost(result)))
            .collect(),
        tables,
        ..Section::default()
    }
}

/// What recall costs: every collection, in every mode, by the time of one search.
fn cost(result: &AllResult) -> String {
    let series: Vec<Series<(f64, f64)>> = result
        .retrieval
        .iter()
        .map(|set| {
            let point = |m: &ModeResult| (m.search_ms, m.metrics.get("recall@100").copied().unwrap_or(0.0));
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
