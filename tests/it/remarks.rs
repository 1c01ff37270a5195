//! What is said beside an answer, and what a reader of either language is shown of fields and rows: through the program.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::interrupted::documents;
use super::program::{code, json, sectora, sectora_writing};

/// An index of a report, a table long enough for several chunks, and records.
fn index(data: &Path) {
    let folder = data.join("documents");
    std::fs::create_dir_all(&folder).unwrap();
    let report = "# Vapour compression\n\n## Objective\n\nThe project aims to reach a distillate yield of 40 t per day.\n\n## Results\n\n\
                  With steam at 60 °C the evaporator reached a gain ratio of 13.2. Scaling appeared after 41 days.\n";
    std::fs::write(folder.join("vapour.md"), report).unwrap();
    let row = |i: usize| format!("HD-{i:03},TFC,{},{}.5,{}\n", 40 + i % 20, 90 + i % 9, i * 3);
    let table =
        "sample_id,membrane,pressure_bar,rejection_pct,hours\n".to_owned() + &(1..=150).map(row).collect::<String>();
    std::fs::write(folder.join("screening.csv"), table).unwrap();
    let record = r#"{"id":"P1","title":"염수 확산관 개선","institution":"해든물연구원","lead":"정하늘","start":"2021-03","end":"2023-02","budget_mkrw":870,"text":"노즐 각도를 바꾸어 염도 상승을 낮추었다."}"#;
    std::fs::write(folder.join("projects.jsonl"), format!("{record}\n")).unwrap();
    let report = json(&sectora(data).args(["--json", "ingest"]).arg(&folder).output().unwrap());
    assert_eq!(report["documents"], 3, "{report}");
}

fn ask(data: &Path, question: &str) -> (Value, String) {
    let whole = json(&sectora(data).args(["--json", "ask", question]).output().unwrap());
    let shown = sectora(data).args(["ask", question]).output().unwrap();
    (whole, String::from_utf8_lossy(&shown.stdout).into_owned())
}

fn notes(answer: &Value) -> Vec<&str> {
    answer["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn what_a_question_presumes_wrongly_and_what_is_missing_is_said() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let (answer, shown) = ask(data.path(), "Which gain ratio did the evaporator reach with steam at 90 °C?");
    assert_eq!(notes(&answer), ["The question says 90 °C, which the cited source does not; it says 60 °C."]);
    assert!(shown.contains("※ The question says 90 °C"), "{shown}");
    let (answer, _) = ask(data.path(), "Which gain ratio did the evaporator reach with steam at 60 °C?");
    assert!(notes(&answer).is_empty(), "{answer}");
    let (answer, _) = ask(data.path(), "What distillate yield was reached per day?");
    assert_eq!(notes(&answer), ["What is cited on this is an aim; what was achieved was not found."], "{answer}");
    let (answer, _) = ask(data.path(), "염수 확산관 개선 과제의 예산과 특허는?");
    assert_eq!(notes(&answer), ["인용한 문장에서 찾지 못한 부분: 특허."], "{answer}");
}

#[test]
fn years_and_institutes_that_no_document_matches_are_said_in_both_languages() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let (answer, shown) = ask(data.path(), "2030년 이후 염수 확산관 개선 과제의 예산은?");
    assert_eq!(notes(&answer), ["질문의 조건(연도: 2030년부터)에 맞는 문서가 없어, 이 조건 없이 찾았습니다."]);
    assert!(shown.contains("※ 질문의 조건"), "{shown}");
    let (answer, _) = ask(data.path(), "Which projects since 2030 reached a gain ratio with steam?");
    assert!(notes(&answer)[0].ends_with("(years: from 2030); it was searched without."), "{answer}");
    let (answer, _) = ask(data.path(), "대한수소연구원이 수행한 염수 확산관 과제는?");
    assert_eq!(notes(&answer), ["찾은 문서에는 ‘대한수소연구원’(이)라는 이름이 없습니다."]);
    let found =
        json(&sectora(data.path()).args(["--json", "search", "projects on steam since 2030"]).output().unwrap());
    assert!(found["note"].as_str().unwrap().contains("years: from 2030"), "{found}");
    assert!(!found["passages"].as_array().unwrap().is_empty());
}

#[test]
fn an_institute_that_the_document_names_in_another_spelling_or_place_is_not_said_to_be_missing() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("documents");
    std::fs::create_dir_all(&folder).unwrap();
    let hall: String = (1..=90).map(|i| format!("Bolt {i} of the hall was painted with {i} grams of zinc. ")).collect();
    let built = "# Rain rig\n\nBuilt by the Orvik Marine Institute.\n\n## Hall\n\n";
    let report = format!("{built}{hall}\n\n## Days\n\nThe rig ran for 41 days without a pit.\n");
    std::fs::write(folder.join("rig.md"), report).unwrap();
    let report = json(&sectora(data.path()).args(["--json", "ingest"]).arg(&folder).output().unwrap());
    assert_eq!(report["documents"], 1, "{report}");
    let (answer, _) = ask(data.path(), "How many days did the rig of the Orvik-Marine Institute run without a pit?");
    assert!(notes(&answer).is_empty(), "{answer}");
    let (answer, _) = ask(data.path(), "How many days did the rig of the Tessaly Institute run without a pit?");
    assert_eq!(notes(&answer), ["None of the documents found names “Tessaly Institute”."], "{answer}");
}

#[test]
fn rows_bear_the_names_of_their_columns_wherever_a_table_is_cut() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    for i in [3, 77, 146] {
        let (answer, _) = ask(data.path(), &format!("What was the rejection of sample HD-{i:03}?"));
        let text = answer["answer"].as_str().unwrap();
        let expected = format!(
            "sample_id: HD-{i:03}; membrane: TFC; pressure_bar: {}; rejection_pct: {}.5;",
            40 + i % 20,
            90 + i % 9
        );
        assert!(text.starts_with(&expected), "{text}");
        assert_eq!(answer["citations"].as_array().unwrap().len(), 1, "no other row: {text}");
    }
}

#[test]
fn fields_of_records_are_asked_for_and_shown_in_either_language() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    for (question, expected) in [
        ("염수 확산관 개선 과제의 비용은?", "예산 (백만 원): 870 [1]"),
        ("염수 확산관 개선 과제의 주관기관은?", "주관기관: 해든물연구원 [1]"),
        ("염수 확산관 개선 과제의 연구책임자는?", "연구책임자: 정하늘 [1]"),
        ("염수 확산관 개선 과제의 기간은?", "시작: 2021-03 [1] 종료: 2023-02 [1]"),
    ] {
        let (answer, _) = ask(data.path(), question);
        assert_eq!(answer["answer"], expected, "{question}");
    }
}

#[test]
fn documents_above_the_stated_level_are_mentioned_under_an_abstention_and_only_there() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(json(&sectora(data.path()).args(["--json", "ingest"]).output().unwrap())["failed"], 0);
    let said = |arguments: &[&str]| {
        let output = sectora(data.path()).args(["ask"]).args(arguments).output().unwrap();
        (code(&output), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (exit, text) = said(&["Who won the football world cup in 1998?"]);
    assert!(exit == 1 && text.contains("※ Documents above the access level public were not searched"), "{text}");
    let (_, text) = said(&["Who won the football world cup in 1998?", "--access", "restricted"]);
    assert!(!text.contains("access level"), "{text}");
    let (exit, text) = said(&["How thick must an aerogel barrier be to stop propagation between 60 Ah cells?"]);
    assert!(exit == 0 && !text.contains("access level"), "{text}");
}

#[test]
fn notes_at_the_start_are_in_the_language_of_the_question_or_of_the_session() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let noted = |arguments: &[&str], locale: &str| {
        let output = sectora_writing(data.path(), "auto").env("LC_ALL", locale).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(noted(&["ask", "확산관 과제의 예산은?"], "C").contains("쓸 수 있는 언어 모델이 없어"));
    assert!(noted(&["ask", "Which gain ratio was reached?"], "ko_KR.UTF-8").contains("no language model at hand"));
    let output = sectora_writing(data.path(), "auto")
        .env("LC_ALL", "ko_KR.UTF-8")
        .arg("chat")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("쓸 수 있는 언어 모델이 없어"), "{output:?}");
}

#[test]
fn an_interrupted_ingest_names_the_file_it_was_at() {
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path(), 400);
    let data = tempfile::tempdir().unwrap();
    let mut command = sectora(data.path());
    command.args(["--json", "ingest"]).arg(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("\"next\":\"cell-000.md\""));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let message = serde_json::from_str::<Value>(&out).unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("of 400 files were read, it was at cell-"), "{message}");
}
