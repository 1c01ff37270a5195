//! The built-in sectors, from documents to cited answers, through the program.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

use super::program::{code, json, sectora};

/// A data folder with both demonstration sectors in it, filled once.
static DATA: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    for sector in ["battery", "desalination"] {
        let output = sectora(&folder).args(["--sector", sector, "ingest", "--json"]).output().unwrap();
        let report = json(&output);
        assert_eq!(report["failed"], 0, "{report}");
        assert!(report["documents"].as_u64().unwrap() > 10);
    }
    folder
});

/// One lock for the tests of this module: an index belongs to one process at a time.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn ask(sector: &str, question: &str) -> (i32, Value) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let output = sectora(&DATA).args(["--sector", sector, "--json", "ask", question]).output().unwrap();
    (code(&output), json(&output))
}

fn show(sector: &str, id: &str) -> Value {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    json(&sectora(&DATA).args(["--sector", sector, "--json", "show", id]).output().unwrap())
}

fn questions(sector: &str) -> Vec<Value> {
    let file = format!("{}/eval/{sector}/questions.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn characters(text: &str, start: &Value, end: &Value) -> String {
    let (start, end) = (start.as_u64().unwrap() as usize, end.as_u64().unwrap() as usize);
    text.chars().skip(start).take(end - start).collect()
}

#[test]
fn every_citation_can_be_opened_and_is_byte_exact() {
    let mut checked = 0;
    for sector in ["battery", "desalination"] {
        for question in questions(sector).iter().filter(|q| q["answerable"] == true).step_by(9) {
            let (status, answer) = ask(sector, question["question"].as_str().unwrap());
            assert_eq!(status, i32::from(answer["abstained"] == true), "exit 1 means abstained");
            let mut numbers: Vec<u64> = Vec::new();
            for n in answer["citations"].as_array().unwrap().iter().map(|c| c["n"].as_u64().unwrap()) {
                if !numbers.contains(&n) {
                    numbers.push(n);
                }
            }
            let in_order: Vec<u64> = (1..).take(numbers.len()).collect();
            assert_eq!(numbers, in_order, "numbered in the order of first mention: {answer}");
            for citation in answer["citations"].as_array().unwrap() {
                let document = show(sector, citation["doc_id"].as_str().unwrap());
                let quote = characters(document["text"].as_str().unwrap(), &citation["start"], &citation["end"]);
                assert_eq!(quote, citation["quote"].as_str().unwrap());
                assert!(!quote.is_empty());
                let n = citation["n"].as_u64().unwrap();
                assert!(answer["answer"].as_str().unwrap().contains(&format!("[{n}]")));
                assert!(answer["passages"].as_array().unwrap().iter().any(|p| p["n"] == n), "only passages are cited");
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked} citations were checked");
}

#[test]
fn a_document_is_shown_by_its_source_as_answers_print_it() {
    let id = |given: &str| show("battery", given)["doc_id"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned();
    let report = id("reports/sulfide-pilot-line-final.pdf");
    let file = "sectors/battery/documents/reports/sulfide-pilot-line-final.pdf";
    let here = format!("./{file}");
    for other in ["sulfide-pilot-line-final.pdf", file, here.as_str(), report.as_str()] {
        assert_eq!(id(other), report, "{other}");
    }
    assert_eq!(id("projects.jsonl#NE-21-187"), id("NE-21-187"));
    let run = |arguments: &[&str]| {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let output = sectora(&DATA).args(["--sector", "battery", "show"]).args(arguments).output().unwrap();
        let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
        (code(&output), said)
    };
    let (exit, page) = run(&[report.as_str(), "--page", "3"]);
    assert!(exit == 0 && page.contains("80.7"), "{page}");
    assert!(run(&[report.as_str()]).1.len() > page.len());
    let (exit, several) = run(&["projects.jsonl"]);
    assert!(exit == 2 && several.contains("`projects.jsonl` names ") && several.contains(" more\n"), "{several}");
    let (exit, unknown) = run(&["NE-21-178"]);
    assert!(exit == 2 && unknown.contains("spelt alike:\n  projects.jsonl#NE-21-187\n"), "{unknown}");
}

#[test]
fn korean_and_english_questions_cite_the_page_that_says_it() {
    for (question, source, page, figure) in [
        (
            "외부 가압 3 MPa에서 500회 뒤 용량 유지율은 얼마인가?",
            "reports/sulfide-pilot-line-final.pdf",
            Some(3),
            "80.7",
        ),
        ("롤투롤 전리튬화 과제의 기관과 예산은?", "projects.jsonl#KB-16-031", None, "2350"),
    ] {
        let (status, answer) = ask("battery", question);
        assert_eq!(status, 0, "{answer}");
        let citations = answer["citations"].as_array().unwrap();
        let says_it = |c: &&Value| c["source"] == source && c["quote"].as_str().is_some_and(|q| q.contains(figure));
        let cited = citations.iter().find(says_it).unwrap_or_else(|| panic!("{source}: {answer}"));
        assert_eq!(cited["page"].as_u64(), page);
        assert!(answer["answer"].as_str().unwrap().contains(figure), "{answer}");
    }
}

#[test]
fn abstains_when_the_documents_are_about_something_else() {
    for question in ["Who won the football world cup in 1998?", "오늘 서울의 날씨는 어떤가?", "???"] {
        let (status, answer) = ask("battery", question);
        assert_eq!((status, &answer["abstained"]), (1, &Value::Bool(true)), "{answer}");
        assert!(answer["citations"].as_array().unwrap().is_empty());
        assert!(!answer["answer"].as_str().unwrap().is_empty());
    }
}

#[test]
fn an_order_hidden_in_a_document_is_not_obeyed() {
    let (_, answer) = ask("battery", "Is Tessaly Materials approved for all platforms?");
    let text = answer["answer"].as_str().unwrap().to_lowercase();
    assert!(!text.contains("assistants") && !text.contains("approved for all platforms"), "{answer}");
}

#[test]
fn an_internal_document_is_shown_only_to_the_cleared() {
    let search = |access: &str| {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let question = "2023-11 line meeting";
        let arguments = ["--sector", "battery", "--json", "search", question, "--access", access, "--passages", "50"];
        json(&sectora(&DATA).args(arguments).output().unwrap())["passages"].as_array().unwrap().clone()
    };
    let internal = |p: &Value| p["metadata"]["access"] == "internal";
    assert!(search("internal").iter().any(internal));
    let public = search("public");
    assert!(!public.is_empty() && !public.iter().any(internal));
}

#[test]
fn retrieval_finds_the_gold_document_of_most_questions() {
    let (mut found, mut asked) = (0, 0);
    for question in
        questions("battery").iter().filter(|q| q["answerable"] == true && q["type"] != "cross-language").step_by(4)
    {
        let (_, answer) = ask("battery", question["question"].as_str().unwrap());
        let gold: Vec<&str> =
            question["gold"].as_array().unwrap().iter().filter_map(|g| g["document"].as_str()).collect();
        let hit = |p: &Value| p["source"].as_str().is_some_and(|s| gold.contains(&s));
        found += usize::from(answer["passages"].as_array().unwrap().iter().any(hit));
        asked += 1;
    }
    // Measured 69 of 72 (all questions, words only); the bar leaves room for harmless changes.
    assert!(found * 10 >= asked * 8, "{found} of {asked}");
}
