//! What happens to a question before it is searched, and to what is found before it is read: through the program.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::program::{code, json, sectora, sectora_with};

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
fn only_the_first_words_of_a_long_question_are_respelt_and_a_longer_text_is_none() {
    let data = tempfile::tempdir().unwrap();
    index(data.path());
    let letter = |n: u8| char::from(b'a' + n);
    let unknown: Vec<String> = (0..64).map(|i| format!("zq{}{}x", letter(i / 26), letter(i % 26))).collect();
    let respelt = |query: String| search(data.path(), &query, &[])["respelt"].as_array().unwrap().len();
    assert_eq!(respelt(format!("{} elecrtolyte", unknown[1..].join(" "))), 1);
    assert_eq!(respelt(format!("{} elecrtolyte", unknown.join(" "))), 0);
    assert_eq!(respelt(format!("elecrtolyte {}", unknown.join(" "))), 1);
    let long = "leak ".repeat(3_000);
    for command in ["ask", "search"] {
        let output = sectora(data.path()).args([command, long.as_str()]).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{command}: {words}");
        assert!(words.contains("at most 12288 ") && words.contains("`sectora overlap FILE`"), "{command}: {words}");
    }
}

#[test]
fn the_mode_that_is_told_is_the_one_that_was_searched_with() {
    let data = tempfile::tempdir().unwrap();
    let note = data.path().join("note.md");
    std::fs::write(&note, "# Kiln\n\nThe kiln saved 23 % of its gas.\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = sectora_with(data.path(), "embedded").arg("--json").args(arguments).output().unwrap();
        json(&output)
    };
    assert_eq!(run(&["ingest", note.to_str().unwrap()])["documents"], 1);
    for (asked, told) in [("auto", "hybrid"), ("hybrid", "hybrid"), ("sparse", "sparse"), ("dense", "dense")] {
        assert_eq!(run(&["search", "kiln gas", "--mode", asked])["mode"], told, "{asked}");
    }
}

#[test]
fn a_search_that_finds_no_word_of_the_query_says_so() {
    let data = tempfile::tempdir().unwrap();
    let note = data.path().join("note.md");
    std::fs::write(&note, "# Kiln\n\nThe kiln saved 23 % of its gas.\n").unwrap();
    let said = |arguments: &[&str]| {
        let output = sectora_with(data.path(), "embedded").args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    said(&["ingest", note.to_str().unwrap()]);
    let none = "None of these texts has a word of the query";
    assert!(said(&["search", "football stadium", "--mode", "dense"]).contains(none));
    assert!(!said(&["search", "football gas", "--mode", "dense"]).contains(none));
}

#[test]
fn documents_that_a_filter_by_year_leaves_out_are_counted_where_nothing_answers() {
    let data = tempfile::tempdir().unwrap();
    let documents = data.path().join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    std::fs::write(documents.join("a.md"), "# Pump hall\n\nIn June the brine leaked.\n").unwrap();
    let record = r#"{"id":"P1","title":"Valve survey","year":"2022","aim":"Valves were counted in the north hall."}"#;
    std::fs::write(documents.join("projects.jsonl"), format!("{record}\n")).unwrap();
    let report = json(&sectora(data.path()).args(["--json", "ingest"]).arg(&documents).output().unwrap());
    assert_eq!(report["documents"], 2, "{report}");
    let said = |arguments: &[&str]| {
        let output = sectora(data.path()).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (en, ko) = ("leaves out 1 document without a year", "연도가 적히지 않은 문서 1건은");
    for command in ["ask", "search"] {
        for since in ["2020", "2030"] {
            let words = said(&[command, "When did the brine leak?", "--since", since]);
            assert!(words.contains(en), "{command} {since}: {words}");
            assert_eq!(words.contains("passes the filter (years: from 2030)."), since == "2030", "{words}");
        }
        assert!(said(&[command, "염수는 언제 누설되었나?", "--since", "2020"]).contains(ko), "{command}");
    }
    assert!(!said(&["search", "brine"]).contains(en));
    assert!(!said(&["search", "valves", "--since", "2020"]).contains(en), "something was found");
}

#[test]
fn in_a_conversation_a_new_question_is_asked_alone_and_half_a_question_is_not() {
    let data = tempfile::tempdir().unwrap();
    let documents = data.path().join("documents");
    std::fs::create_dir_all(&documents).unwrap();
    for (name, text) in [
        (
            "blade.md",
            "# 60 m급 블레이드 피로시험\n\n## 결과\n\n시험 기간은 아홉 달에서 다섯 달로 줄었다.\n\n\
             ## 비용\n\n총연구비는 8억 원이었다.\n",
        ),
        ("cap.md", "# 탄소섬유 스파캡\n\n탄소섬유 스파캡은 유리섬유 스파캡보다 28 % 가볍다.\n"),
        ("call.md", "# 신규과제 공모\n\n접수 마감은 2025년 3월 21일이다.\n"),
        ("tower.md", "# 타워 용접\n\n타워 용접부를 다시 쟀다. 총연구비는 3억 원이었다.\n"),
    ] {
        std::fs::write(documents.join(name), text).unwrap();
    }
    json(&sectora(data.path()).args(["--json", "ingest"]).arg(&documents).output().unwrap());
    let chat = |turns: &[&str]| -> Vec<String> {
        let mut command = sectora(data.path());
        let mut child = command.args(["-q", "chat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(turns.join("\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        words.split("(extractive").map(str::to_owned).collect()
    };
    let first = "60 m급 블레이드 시험은 몇 달로 줄었나?";
    let said = chat(&[first, "탄소섬유 스파캡은 얼마나 가벼운가?", "접수 마감은 언제인가?"]);
    assert!(said[0].contains("다섯 달로 줄었다"), "{said:?}");
    assert!(said[1].contains("28 % 가볍다") && !said[1].contains("다섯 달"), "{said:?}");
    assert!(said[2].contains("3월 21일") && !said[2].contains("다섯 달"), "{said:?}");
    for half in ["총연구비는?", "그럼 총연구비는?", "총연구비는 얼마인가?"] {
        let said = chat(&[first, half]);
        assert!(said[1].contains("8억 원") && !said[1].contains("다섯 달"), "{half}: {said:?}");
    }
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

#[test]
fn questions_that_no_public_document_answers_are_nothing_to_measure_a_search_on() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("questions.jsonl");
    let hidden = "{\"id\": \"1\", \"question\": \"Yield?\", \"answerable\": true, \"access\": \"internal\", \"gold\": [{\"document\": \"a.md\"}]}\n";
    std::fs::write(&file, hidden).unwrap();
    let output = sectora(data.path()).args(["eval", "retrieval", "--questions"]).arg(&file).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no question that a public reader's documents answer"));
}
