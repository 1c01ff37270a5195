//! What happens to a question before it is searched, and to what is found before it is read: through the program.

use std::path::Path;

use serde_json::Value;

use super::program::{code, json, sectora};

/// An index of three short documents.
fn index(data: &Path) {
    let documents = data.join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (name, text) in [
        ("a.md", "# Storage\n\nA redox flow battery (RFB) was built. The electrolyte was pumped through felt.\n"),
        ("b.md", "# Pump hall\n\nIn June the RFB leaked for two days. 누설된 전해질은 모두 회수하였다.\n"),
        ("c.md", "# Bearings\n\nBearing 6204-2RS was replaced twice. The membrane stayed dry.\n"),
    ] {
        std::fs::write(documents.join(name), text).unwrap();
    }
    let report = json(&sectora(data).args(["--json", "ingest"]).arg(&documents).output().unwrap());
    assert_eq!(report["documents"], 3, "{report}");
}

fn search(data: &Path, query: &str, settings: &[(&str, &str)]) -> Value {
    let output = sectora(data).envs(settings.iter().copied()).args(["--json", "search", query]).output().unwrap();
    json(&output)
}

fn sources(found: &Value) -> Vec<&str> {
    found["passages"].as_array().unwrap().iter().map(|p| p["source"].as_str().unwrap()).collect()
}

#[test]
fn a_typing_error_is_searched_for_as_the_documents_spell_it_and_the_reader_is_told() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let found = search(data.path(), "elecrtolyte felt", &[]);
    assert_eq!(found["respelt"], serde_json::json!([{"from": "elecrtolyte", "to": "electrolyte"}]));
    assert_eq!(sources(&found)[0], "a.md");
    let found = search(data.path(), "회수한 전헤질은?", &[]);
    assert_eq!(found["respelt"], serde_json::json!([{"from": "전헤질", "to": "전해질"}]));
    let off = search(data.path(), "elecrtolyte", &[("SECTORA_SEARCH__SPELLING", "false")]);
    assert_eq!((off["respelt"].as_array().unwrap().len(), sources(&off).len()), (0, 0), "{off}");
    let output = sectora(data.path()).args(["search", "elecrtolyte felt"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(words.starts_with("Searched for “electrolyte” instead of “elecrtolyte”."), "{words}");
}

#[test]
fn filters_that_nothing_passes_are_not_blamed_on_the_documents() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    for (question, filter, expected) in [
        ("What leaked?", ["--since", "2999"], "passes the filter (years: from 2999)."),
        ("What leaked?", ["--institution", "Nobody"], "No document of the index states its institution."),
        ("무엇이 누설되었나?", ["--type", "nonsense"], "조건에 맞는 문서가 이 분야에 없습니다(문서 유형: nonsense)."),
    ] {
        for command in ["ask", "search"] {
            let output = sectora(data.path()).args([command, question]).args(filter).output().unwrap();
            let words = String::from_utf8_lossy(&output.stdout);
            assert_eq!(code(&output), 1, "{command} {filter:?}: {words}");
            assert!(words.contains(expected), "{command} {filter:?}: {words}");
        }
    }
    let output = sectora(data.path()).args(["ask", "What leaked?", "--language", "en"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("passes the filter"));
}

#[test]
fn codes_names_inflections_and_known_words_are_not_respelt() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    for query in ["6204-2RZ", "RFBX leak", "leak leaks leaked", "dly", "전해질막", "회수하였는가", "membranes"]
    {
        let found = search(data.path(), query, &[]);
        assert_eq!(found["respelt"].as_array().unwrap().len(), 0, "{query}: {found}");
    }
}

#[test]
fn questions_without_typing_errors_are_asked_as_they_are() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(json(&sectora(data.path()).args(["--json", "ingest"]).output().unwrap())["failed"], 0);
    // 전고체 stands in the documents only within 전고체전지, and 전구체 is another thing; `paint` is in none, and is not `point`.
    for query in [
        "황화물 전고체 파일럿 라인에서 외부 가압 3 MPa일 때 500회 유지율은?",
        "How were false alarms from paint smell dealt with?",
    ] {
        let found = search(data.path(), query, &[]);
        assert_eq!(found["respelt"].as_array().unwrap().len(), 0, "{query}: {}", found["respelt"]);
    }
}

#[test]
fn an_abbreviation_that_a_document_explains_finds_the_documents_that_only_abbreviate() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let found = search(data.path(), "redox flow battery", &[]);
    assert_eq!(sources(&found), ["a.md", "b.md"]);
    let off = search(data.path(), "redox flow battery", &[("SECTORA_SEARCH__ACRONYMS", "false")]);
    assert_eq!(sources(&off), ["a.md"]);
}

#[test]
fn a_section_is_shown_around_what_was_found_and_can_still_be_opened() {
    let data = tempfile::tempdir().unwrap();
    let ingest = sectora(data.path()).args(["--json", "ingest"]).output().unwrap();
    assert_eq!(json(&ingest)["failed"], 0);
    let query = "지그 강성 팽창력";
    let length = |found: &Value| found["passages"][0]["text"].as_str().unwrap().chars().count();
    let alone = search(data.path(), query, &[]);
    let found = search(data.path(), query, &[("SECTORA_SEARCH__EXPAND", "section")]);
    assert!(length(&found) >= length(&alone));
    for passage in found["passages"].as_array().unwrap() {
        let id = passage["doc_id"].as_str().unwrap();
        let document = json(&sectora(data.path()).args(["--json", "show", id]).output().unwrap());
        let place = |key: &str| passage[key].as_u64().unwrap() as usize;
        let (start, end) = (place("start"), place("end"));
        let text: String = document["text"].as_str().unwrap().chars().skip(start).take(end - start).collect();
        assert_eq!(text, passage["text"].as_str().unwrap());
    }
}

#[test]
fn paraphrased_questions_of_the_demonstration_sectors_are_found_and_each_stage_is_measured() {
    let data = tempfile::tempdir().unwrap();
    let measure = |sector: &str, stages: &[&str]| {
        let file = format!("eval/paraphrased/{sector}.jsonl");
        let mut command = sectora(data.path());
        command.args(["--sector", sector, "--json", "eval", "retrieval", "--questions", &file]).args(stages);
        json(&command.output().unwrap())
    };
    let one = measure("desalination", &["--stages"]);
    assert_eq!(one["n"], 8);
    let names: Vec<&str> = one["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["as set"]) && names.contains(&"section shown"), "{names:?}");
    let reworded = |result: &Value| {
        let kinds = result["by_kind"].as_object().unwrap();
        let of = |language: &str| kinds[&format!("reworded, {language}")]["metrics"]["success@5"].as_f64().unwrap();
        of("ko").min(of("en"))
    };
    assert!(reworded(&one) >= 0.5, "{one}");
    let two = measure("battery", &[]);
    assert_eq!((two["n"].as_u64(), two["stages"].as_array().unwrap().len()), (Some(34), 1), "words only: one stage");
    assert!(reworded(&two) >= 0.5, "{two}");
}

#[test]
fn a_report_is_found_by_the_institution_that_a_line_near_its_head_names() {
    let data = tempfile::tempdir().unwrap();
    let documents = data.path().join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (name, text) in [
        ("a.md", "# Tunnel kiln\n\nInstitution: Norwind Institute\nPeriod: 2021\n\nThe kiln saved 23 % of its gas.\n"),
        ("b.txt", "소성로 보고서\n\n수행기관: 한빛요업\n\n소성로의 가스를 12 % 줄였다.\n"),
        (
            "c.md",
            "# Other kiln\n\nThe kiln saved 3 % of its gas. Norwind Institute was asked. 소성로 과제를 한빛요업에 물었다.\n",
        ),
    ] {
        std::fs::write(documents.join(name), text).unwrap();
    }
    sectora(data.path()).arg("ingest").arg(&documents).output().unwrap();
    for (arguments, expected) in [
        (&["gas of the kiln", "--institution", "Norwind Institute"][..], "a.md"),
        (&["소성로 가스", "--institution", "한빛요업"][..], "b.txt"),
        (&["한빛요업이 수행한 소성로 과제는?"][..], "b.txt"),
        (&["Which kiln projects were carried out by Norwind Institute?"][..], "a.md"),
    ] {
        let found = json(&sectora(data.path()).args(["--json", "search"]).args(arguments).output().unwrap());
        assert!(
            sources(&found).iter().all(|s| *s == expected) && !sources(&found).is_empty(),
            "{arguments:?}: {found}"
        );
    }
}
