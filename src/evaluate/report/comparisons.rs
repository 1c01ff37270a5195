//! Tests of two systems on the same questions.

use super::super::statistics::Comparison;
use super::Table;
use super::words::both;

pub(super) fn row(set: &str, c: &Comparison) -> Vec<String> {
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

/// The table of such rows.
pub(super) fn table(rows: impl Iterator<Item = Vec<String>>) -> Table {
    Table::new(
        "짝지은 순열 검정, Holm 보정 · Paired permutation tests, Holm-corrected",
        &[
            "데이터 · dataset",
            "지표 · measure",
            "무엇과 무엇 · which two",
            "차이 · difference",
            "p",
            "n",
            "판정 · verdict",
        ],
        rows,
    )
}
