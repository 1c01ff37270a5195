//! The same questions put to other servers.

use std::collections::HashSet;

use super::super::all::AllResult;
use super::super::answers::metrics;
use super::answers::entailment;
use super::words::both;
use super::{Section, Table, comparisons};

pub(super) fn section(result: &AllResult) -> Section {
    let rows = result.servers.iter().flat_map(|a| a.comparisons.iter().map(|c| comparisons::row(&a.dataset, c)));
    let means = result.servers.iter().flat_map(|a| {
        let here = result.answers.iter().find(|s| s.dataset == a.dataset);
        // Of this side too only what both were asked.
        let asked: HashSet<(&str, &str)> = a.there.rows.iter().map(|r| (r.id.as_str(), r.question.as_str())).collect();
        let rows = here.iter().flat_map(|h| &h.rows).filter(|r| asked.contains(&(r.id.as_str(), r.question.as_str())));
        let line = |(k, v): (String, f64)| {
            let other = a.there.metrics.get(&k).map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
            vec![a.dataset.clone(), both(&k), format!("{v:.4}"), other, a.server.clone()]
        };
        metrics(rows).into_iter().map(line).collect::<Vec<_>>()
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
        tables: [
            Table::new(
                "평균 · Means",
                &["데이터 · dataset", "지표 · measure", "여기 · here", "저기 · there", "서버 · server"],
                means,
            ),
            comparisons::table(rows),
        ]
        .into_iter()
        .chain(result.servers.first().map(|s| entailment(&s.there.entailment_by, &s.there.entailment)))
        .collect(),
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::all::against;
    use super::super::super::answers::{self, Asking};
    use super::super::super::dataset::{Question, QuestionFormat, QuestionSet};
    use super::super::super::entailment::Entailment;
    use super::super::super::peer::Peer;
    use super::*;

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
        let section = section(&result);
        let rows = &section.tables[0].rows;
        assert!(!rows.is_empty() && rows.iter().all(|row| row[2] == row[3]), "{rows:?}");
        assert!(section.intro.contains("1 that are to be asked without"), "{}", section.intro);
    }
}
