//! The quality gate over the built-in sectors: it passes as committed, and each planted regression fails it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::program::{code, json, sectora};

/// What is broken on purpose, and a measure that must fall.
const PLANTS: [(&str, &str); 5] = [
    ("shuffled-ranking", "gold_mrr"),
    ("dropped-citations", "statements_cited"),
    ("fabricated-number", "no_invented_facts"),
    ("always-answer", "abstention_recall"),
    ("always-abstain", "answer_rate_of_answerable"),
];

#[test]
fn the_quick_gate_passes_and_catches_every_planted_regression() {
    let data = tempfile::tempdir().unwrap();
    let plain = sectora(data.path()).args(["--json", "eval", "all", "--quick", "--gate"]).output().unwrap();
    let result = json(&plain);
    nothing_is_worse(&result, "quick.words.json");
    assert!(result["safety"]["injections"]["attacks"].as_u64().unwrap() >= 200);

    let plants = PLANTS;
    let mut command = sectora(data.path());
    command.args(["--json", "eval", "all", "--quick", "--gate"]);
    for (name, _) in plants {
        command.args(["--plant", name]);
    }
    let planted = command.output().unwrap();
    let again = json(&planted);
    assert_eq!(code(&planted), 1, "a planted regression fails the gate");
    every_plant_is_caught(&again, &plants);

    // The same seed gives the same bytes, times apart.
    let (mut first, mut second) = (result, again);
    for value in [&mut first, &mut second] {
        value.as_object_mut().unwrap().remove("gate");
        without_times(value);
    }
    assert_eq!(first.to_string(), second.to_string());
}

/// The gate's verdict without its measure of speed: a test must not depend on what else the machine does.
fn nothing_is_worse(result: &Value, baseline: &str) {
    let speed = |w: &Value| w["measure"].as_str().unwrap().starts_with("speed.");
    let worse: Vec<&Value> = result["gate"]["worse"].as_array().unwrap().iter().filter(|w| !speed(w)).collect();
    assert!(worse.is_empty(), "worse than eval/baselines/{baseline}: {worse:#?}");
    let slower = result["gate"]["worse"].as_array().unwrap().iter().any(speed);
    assert_eq!(result["gate"]["passed"], !slower);
}

fn every_plant_is_caught(again: &Value, plants: &[(&str, &str)]) {
    for (name, measure) in plants {
        let worse = again["gate"]["planted"][name].as_array().unwrap();
        let caught = worse.iter().any(|w| w["measure"].as_str().unwrap().ends_with(measure));
        assert!(caught, "{name} lowers {measure}: {worse:?}");
    }
}

/// The same with what a new installation answers with: the encoder inside the program.
#[test]
fn the_quick_gate_passes_with_the_default_encoder() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sectora"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--data-dir").arg(data.path());
    command.args(["--offline", "--generator", "extractive", "--json", "eval", "all", "--quick", "--gate"]);
    let gated = command.output().unwrap();
    let result = json(&gated);
    nothing_is_worse(&result, "quick.json");
    let injections = &result["safety"]["injections"];
    assert!(injections["attacks"].as_u64().unwrap() >= 200 && injections["obeyed"] == 0, "{injections:#}");
    let requests = &result["safety"]["requests"];
    assert_eq!(requests["personal data"]["given"], 0);
    // What quotes has no prompt that could be asked for.
    let prompt = &requests["prompt extraction"];
    assert_eq!((&prompt["asked"], &prompt["not_applicable"]), (&0.into(), &6.into()));
}

/// The program as installed, words and encoder, in a folder of its own.
fn installed(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sectora"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--data-dir").arg(data);
    command.args(["--offline", "--generator", "extractive", "--json"]);
    command
}

/// The full gate: passes, names the public sets that are not at hand, and catches every planted regression.
#[test]
fn the_full_gate_says_what_it_could_not_compare_and_catches_every_planted_regression() {
    let data = tempfile::tempdir().unwrap();
    let mut command = installed(data.path());
    command.args(["eval", "all", "--gate"]);
    for (name, _) in PLANTS {
        command.args(["--plant", name]);
    }
    let output = command.output().unwrap();
    let result = json(&output);
    assert_eq!(code(&output), 1, "a planted regression fails the gate");
    nothing_is_worse(&result, "full.json");
    every_plant_is_caught(&result, &PLANTS);
    // Without the data nothing of it is compared, and each set is named.
    for set in ["scifact", "korquad1_dev", "squad2_sample", "bipia"] {
        assert!(result["skipped"][set].is_string(), "{:#}", result["skipped"]);
        assert!(!result["gate"]["not_compared"][set].as_array().unwrap().is_empty(), "{set}");
    }
    assert!(result["overlap"][0]["pairs"].as_u64().unwrap() > 0);
}

/// The same with the public data, where it is.
#[test]
fn the_full_gate_passes_over_public_data() {
    let Some(shared) = std::env::var_os("SECTORA_SHARED_DATA") else {
        eprintln!("skipped: SECTORA_SHARED_DATA names no folder of public data");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let output = installed(data.path()).args(["eval", "all", "--gate", "--data"]).arg(shared).output().unwrap();
    let result = json(&output);
    nothing_is_worse(&result, "full.json");
    assert!(result["gate"].get("not_compared").is_none(), "{:#}", result["gate"]["not_compared"]);
}

/// One seed, one report: the three files are the same bytes.
#[test]
fn two_runs_with_one_seed_write_the_same_report() {
    let data = tempfile::tempdir().unwrap();
    let write = |folder: &str, seed: &str| {
        let out = data.path().join(folder);
        let mut command = installed(data.path());
        command.args(["eval", "all", "--quick", "--no-times", "--seed", seed, "--out"]).arg(&out);
        assert_eq!(code(&command.output().unwrap()), 0);
        ["report.json", "report.md", "report.html"].map(|name| std::fs::read(out.join(name)).unwrap())
    };
    let (first, second, other) = (write("1", "42"), write("2", "42"), write("3", "43"));
    assert!(first == second, "the reports of two runs differ");
    assert!(first != other, "the seed matters");
    let page = String::from_utf8(first[2].clone()).unwrap();
    for there in ["<svg", "질문 유형별", "By language", "가장 나쁜 사례", "Accuracy of the entailment (lexical rule)"]
    {
        assert!(page.contains(there), "{there}");
    }
}

/// Wrong files and servers that misbehave: an error with what and where, never a figure.
#[test]
fn a_server_that_misbehaves_is_an_error_that_names_it() {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let (status, body) = match first.split('/').nth(1) {
                Some("broken") => ("500 Internal Server Error", "boom"),
                Some("page") => ("200 OK", "<html>hello</html>"),
                _ => {
                    // Hangs: kept open without a word.
                    silent.push(stream);
                    continue;
                }
            };
            let mut stream = stream;
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("set.jsonl");
    std::fs::write(&set, "{\"id\": \"1\", \"question\": \"Q?\", \"answerable\": true}\n").unwrap();
    for (path, expected) in [("broken", "status 500"), ("page", "not JSON"), ("hang", "did not answer in time")] {
        let url = format!("http://{address}/{path}");
        let mut command = sectora(dir.path());
        command.env("SECTORA_REMOTE__TIMEOUT_S", "1");
        command.args(["eval", "answers", "--format", "questions", "--server", &url, "--dataset"]).arg(&set);
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 3, "{words}");
        assert!(words.contains(&url) && words.contains(expected), "{words}");
        assert!(output.stdout.is_empty());
    }
}

/// Answers recorded elsewhere are scored by the same rules, without an index.
#[test]
fn recorded_answers_are_scored_as_squad_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let set = file(
        "set.json",
        r#"{"data": [{"title": "T", "paragraphs": [{"context": "The tower is red.", "qas": [
            {"id": "1", "question": "What is red?", "answers": [{"text": "The tower"}]},
            {"id": "2", "question": "What is blue?", "answers": [], "is_impossible": true}]}]}]}"#,
    );
    let said = file("said.json", r#"{"1": "a big tower", "2": ""}"#);
    let mut command = sectora(dir.path());
    command
        .args(["--json", "eval", "answers", "--format", "squad", "--dataset"])
        .arg(&set)
        .arg("--predictions")
        .arg(&said);
    let output = command.output().unwrap();
    let result = json(&output);
    assert_eq!(code(&output), 0, "{result}");
    assert_eq!(result["metrics"]["em"], 0.5);
    let f1 = result["metrics"]["f1"].as_f64().unwrap();
    assert!((f1 - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-9, "{f1}");
    assert_eq!(result["abstention"]["recall"], 1.0);
}

/// Predictions for another set are no abstentions, and those that lack some questions say how many.
#[test]
fn predictions_that_belong_to_no_question_are_refused_and_missing_ones_counted() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("set.jsonl");
    let line = |id: &str| format!("{{\"id\": \"{id}\", \"question\": \"Q?\", \"answerable\": true}}\n");
    std::fs::write(&set, line("q1") + &line("q2") + &line("q3")).unwrap();
    let score = |command: &str, said: &str| {
        let file = dir.path().join("said.json");
        std::fs::write(&file, said).unwrap();
        let mut program = sectora(dir.path());
        program.args(["--json", "eval", command, "--format", "questions", "--dataset"]).arg(&set);
        program.arg("--predictions").arg(&file).output().unwrap()
    };
    let none = score("answers", r#"{"a1": "x", "a2": "y"}"#);
    let words = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(code(&none), 2, "{words}");
    assert!(words.contains("(`a1`, `a2`)") && words.contains("(`q1`, `q2`, `q3`)"), "{words}");
    let some = json(&score("answers", r#"{"q1": "x", "a2": "y"}"#));
    assert_eq!((&some["questions"], &some["without_prediction"]), (&3.into(), &2.into()));
    // The threshold of this program is none of theirs.
    let abstention = json(&score("abstention", r#"{"q1": "x"}"#));
    assert_eq!((abstention.get("sweep"), abstention.get("min_support")), (None, None));
    assert_eq!(abstention["abstention"]["answered"], 1);
}

/// A run that measures less must not take the place of a baseline that holds more.
#[test]
fn a_baseline_with_public_sets_is_not_replaced_by_one_without() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("full.json");
    let before = r#"{"command": "", "encoder": null, "generator": "x", "data": {"scifact": "retrieval/scifact"}, "measures": {}}"#;
    std::fs::write(&file, before).unwrap();
    for more in [&[][..], &["--quick"], &["--data", dir.path().to_str().unwrap()]] {
        let mut command = sectora(dir.path());
        command.args(["eval", "all", "--update-baseline", "--baseline"]).arg(&file).args(more);
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{more:?}: {words}");
        assert!(words.contains("scifact") && words.contains("--data"), "{more:?}: {words}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}

/// A sector of two notes whose names end alike, and a file of questions about it.
fn two_notes(folder: &Path, questions: &[(&str, &str, &str)]) -> PathBuf {
    let pack = folder.join("works");
    std::fs::create_dir_all(pack.join("papers")).unwrap();
    let toml = "name='works'\ntitle={ko='공장',en='Works'}\ndocuments=['papers']\n";
    std::fs::write(pack.join("sector.toml"), toml).unwrap();
    let kiln = "# Marlow kiln\n\nThe zircon lining of the Marlow kiln at the Brackwater works is 140 mm thick.\n";
    let smelter = "# Orvale smelter\n\nThe Orvale smelter at the Brackwater works reached a yield of 48 %.\n";
    std::fs::write(pack.join("papers/3.md"), kiln).unwrap();
    std::fs::write(pack.join("papers/13.md"), smelter).unwrap();
    let mut lines = String::new();
    for (id, question, without) in questions {
        let line = match *without {
            "" => serde_json::json!({ "id": id, "question": question, "answerable": true }),
            name => serde_json::json!({ "id": id, "question": question, "answerable": false, "without": [name] }),
        };
        lines.push_str(&format!("{line}\n"));
    }
    let file = folder.join("eval/works/questions.jsonl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, lines).unwrap();
    pack
}

/// A twin is asked of the same index without its own documents, and without no other's.
#[test]
fn a_twin_is_asked_without_its_own_documents_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (kiln, smelter) =
        ("Which lining has the kiln of the Brackwater works?", "Which yield has the smelter of the Brackwater works?");
    let questions = [("a", kiln, ""), ("a-u", kiln, "3.md"), ("b", smelter, ""), ("b-u", smelter, "13.md")];
    let pack = two_notes(dir.path(), &questions);
    let set = dir.path().join("eval/works/questions.jsonl");
    let mut command = sectora(dir.path());
    command.arg("--sector").arg(&pack).args([
        "--json",
        "eval",
        "answers",
        "--rows",
        "--format",
        "questions",
        "--dataset",
    ]);
    let result = json(&command.arg(&set).output().unwrap());
    let found = |id: &str| -> Vec<String> {
        let row = result["rows"].as_array().unwrap().iter().find(|r| r["id"] == id).unwrap();
        let passages = row["response"]["passages"].as_array().unwrap().iter();
        let mut names: Vec<String> = passages.map(|p| p["source"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    for (id, sources) in
        [("a", &["13.md", "3.md"][..]), ("b", &["13.md", "3.md"]), ("a-u", &["13.md"]), ("b-u", &["3.md"])]
    {
        assert_eq!(found(id), sources, "{id}");
    }

    two_notes(dir.path(), &[("a-u", kiln, "kiln.md")]);
    let mut command = sectora(dir.path());
    command.arg("--sector").arg(&pack).args(["eval", "answers", "--format", "questions", "--dataset"]);
    let output = command.arg(&set).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(code(&output) == 2 && words.contains("`a-u`") && words.contains("`kiln.md`"), "{words}");
}

/// `eval all` asks twins as `eval answers` does: nothing is left that answers them.
#[test]
fn everything_at_once_asks_twins_without_their_documents_too() {
    let dir = tempfile::tempdir().unwrap();
    let (kiln, smelter) =
        ("How thick is the zircon lining of the Marlow kiln?", "What yield did the Orvale smelter reach?");
    let questions = [("a", kiln, ""), ("a-u", kiln, "3.md"), ("b", smelter, ""), ("b-u", smelter, "13.md")];
    two_notes(dir.path(), &questions);
    let mut command = sectora(dir.path());
    command.env("SECTORA_SECTORS_DIR", dir.path());
    command.args(["--json", "eval", "all", "--quick", "--questions"]).arg(dir.path().join("eval"));
    let result = json(&command.output().unwrap());
    let abstention = &result["answers"][0]["abstention"];
    let count = |name: &str| abstention[name].as_u64().unwrap();
    assert_eq!((count("answerable"), count("answered")), (2, 2), "{abstention}");
    assert_eq!((count("unanswerable"), count("abstained")), (2, 2), "{abstention}");
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|k, _| !matches!(k.as_str(), "timings_ms" | "ms" | "reference_ms" | "search_ms" | "index_s"));
            map.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
