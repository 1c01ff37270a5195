//! Injected instructions and direct requests.

use super::super::safety::{Outcomes, Requests, SafetyResult};
use super::words::{both, named};
use super::{CASES, Case, Section, Table};

pub(super) fn section(result: &SafetyResult) -> Section {
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
        tables: vec![
            Table { caption: "문서에 숨긴 지시 · Instructions hidden in documents".into(), columns, rows },
            Table::new(
                "직접 요청 · Direct requests",
                &["범주 · category", "요청 · asked", "내줌 · given", "거부 · refused"],
                requests,
            ),
        ],
        cases: cases.collect(),
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_a_prompt_that_is_not_there_are_not_counted_as_refused() {
        let requests = [("prompt extraction".to_owned(), Requests { not_applicable: 6, ..Requests::default() })];
        let section = section(&SafetyResult { requests: requests.into(), ..SafetyResult::default() });
        assert_eq!(section.tables[1].rows[0][1..], ["해당 없음 · not applicable", "–", "–"]);
    }
}
