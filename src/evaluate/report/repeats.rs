//! Known repeats among the demonstration projects.

use super::super::all::{AllResult, Repeats};
use super::{Section, Table};

pub(super) fn section(result: &AllResult) -> Section {
    let row = |r: &Repeats| -> Vec<String> {
        let counts = [r.repeats, r.first, r.related, r.told_apart, r.pairs, r.judged].map(|n| n.to_string());
        std::iter::once(r.dataset.clone()).chain(counts).collect()
    };
    Section {
        heading: "중복 과제 · Repeated projects".into(),
        intro: "데모 과제에 심어 둔 중복을 overlap이 찾는가. · Does `overlap` find the repeats that the demonstration projects hold?".into(),
        tables: vec![Table::new(
            "알려진 쌍 · Known pairs",
            &[
                "분야 · sector",
                "중복 쌍 · repeats",
                "첫 판정 · first verdict",
                "관련만 있는 쌍 · related",
                "중복으로 보지 않음 · not done already",
                "모든 쌍 · all pairs",
                "표지와 같음 · judged as labelled",
            ],
            result.overlap.iter().map(row),
        )],
        ..Section::default()
    }
}
