//! `sectora adapt`: what is refused, what is kept and served, and what an interruption leaves.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use sectora::model_store::sha256;
use sectora_lm::Architecture;
use sectora_lm::gguf::Gguf;
use sectora_lm::lora::{Lora, LoraOptions, merge};
use sectora_lm::random::{RandomShape, write_gguf};
use serde_json::Value;

use crate::program::{code, json, sectora_writing};
use crate::reader::write_reader;

fn run(data: &Path, generator: &str, arguments: &[&str]) -> std::process::Output {
    sectora_writing(data, generator).arg("--json").args(arguments).output().unwrap()
}

/// The same with two passages a question, which a window of bytes has room for.
fn run_tiny(data: &Path, generator: &str, arguments: &[&str]) -> std::process::Output {
    let mut command = sectora_writing(data, generator);
    command.env("SECTORA_SEARCH__PASSAGES", "2").arg("--json").args(arguments).output().unwrap()
}

/// A tiny model of random weights in the place of the reader, and the built-in sector.
fn demonstration() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("models")).unwrap();
    write_reader(&dir.path().join("models/reader.gguf"), 2048);
    assert_eq!(code(&run_tiny(dir.path(), "embedded", &["--quiet", "ingest"])), 0);
    dir
}

#[test]
fn what_a_few_steps_teach_a_random_model_is_no_gain_and_is_refused_as_that() {
    let dir = demonstration();
    let arguments = ["adapt", "--steps", "3", "--batch", "2", "--rank", "2", "--questions", "60"];
    let output = run_tiny(dir.path(), "embedded", &arguments);
    let report = json(&output);
    assert_eq!(code(&output), 1, "{report}");
    assert_eq!((&report["decision"]["kept"], &report["decision"]["decided_by"]), (&false.into(), &"f1".into()));
    assert_eq!((&report["training"]["steps"], &report["kept"]), (&3.into(), &Value::Null));
    // The same questions before and after, and both kinds of them.
    let (before, after) = (&report["before"], &report["after"]);
    assert_eq!(before["questions"], after["questions"]);
    assert!(before["abstention"]["answerable"].as_u64().unwrap() >= 8);
    assert!(before["abstention"]["unanswerable"].as_u64().unwrap() >= 2, "{before:#}");
    assert_eq!(report["base"]["sha256"].as_str().unwrap().len(), 64);
    // Nothing is in use, nothing is left but the record.
    let folder = dir.path().join("models/adapted/battery");
    let left: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, ["last-run.json"]);
    let answer = json(&run_tiny(dir.path(), "embedded", &["ask", "How thick must an aerogel barrier be?"]));
    assert_eq!(answer["generator"], "embedded");
    let none = run_tiny(dir.path(), "adapted", &["ask", "How thick must an aerogel barrier be?"]);
    assert!(
        code(&none) == 2 && String::from_utf8_lossy(&none.stderr).contains("no model is adapted to sector battery")
    );
}

#[test]
fn a_plan_shows_the_prompts_of_the_product_and_nothing_of_a_held_out_document() {
    let dir = demonstration();
    let report = json(&run_tiny(dir.path(), "embedded", &["adapt", "--dry-run", "--questions", "80"]));
    let examples = report["examples"].as_array().unwrap();
    assert_eq!(examples.len() as u64, report["plan"]["examples"].as_u64().unwrap());
    assert!(report["training"].is_null() && report["plan"]["memory"]["activations"].as_u64().unwrap() > 0);
    assert!(examples.iter().any(|e| e["answerable"] == false) && examples.iter().any(|e| e["answerable"] == true));
    // Where nothing had to be left out, `ask` shows the model as many tokens.
    let mut same = 0;
    for example in examples.iter().filter(|e| e["left_out"] == 0 && e["answerable"] == true).take(4) {
        let answer = json(&run_tiny(dir.path(), "embedded", &["ask", example["question"].as_str().unwrap()]));
        assert_eq!(answer["prompt_tokens"], example["prompt_tokens"], "{example}");
        same += 1;
    }
    assert!(same > 0, "one example at least without anything left out");
    // The same seed, the same plan.
    let again = json(&run_tiny(dir.path(), "embedded", &["adapt", "--dry-run", "--questions", "80"]));
    assert_eq!(again["examples"], report["examples"]);
}

#[test]
fn what_cannot_be_adapted_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let said = |generator: &str, arguments: &[&str], expected: &str| {
        let output = run(dir.path(), generator, arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code(&output) == 2 && words.contains(expected), "{generator} {arguments:?}: {words}");
    };
    said("embedded", &["adapt"], "sectora ingest");
    said("extractive", &["adapt"], "--generator extractive is no model that can be trained");
    said("embedded", &["adapt", "--from", "/nonexistent/adapter"], "/nonexistent/adapter");
    said("embedded", &["adapt", "--held-out", "1"], "--held-out 1");
    let gemma = dir.path().join("gemma.gguf");
    write_gguf(&RandomShape::tiny(Architecture::Gemma3), GgmlDType::F32, &gemma, 5).unwrap();
    said(gemma.to_str().unwrap(), &["adapt"], "models of architecture gemma3 cannot be trained");
    let notes = dir.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(notes.join("a.md"), "# Orvale plant\n\nThe plant reached a yield of 48 %.\n").unwrap();
    assert_eq!(code(&run(dir.path(), "embedded", &["ingest", notes.to_str().unwrap()])), 0);
    said("embedded", &["adapt"], "questions to learn from in sector battery, 8 are needed");
    let nothing = run(dir.path(), "embedded", &["adapt", "--remove"]);
    assert_eq!((code(&nothing), &json(&nothing)["removed"]), (1, &false.into()));
}

/// Notes on invented works, plain enough for the shipped reader.
fn notes(folder: &Path) {
    const NAMES: [&str; 36] = [
        "Aldermoor",
        "Brackwater",
        "Calderon",
        "Dunmere",
        "Eskvale",
        "Fennwick",
        "Garrowby",
        "Holmfirth",
        "Inverloch",
        "Jorvik",
        "Kestrel",
        "Lindholm",
        "Marrowgate",
        "Northolme",
        "Orvale",
        "Penhallow",
        "Quarrington",
        "Ravensby",
        "Skelwith",
        "Thornbury",
        "Ulverton",
        "Valemont",
        "Westerdale",
        "Yarrowdale",
        "Zennor",
        "Ashcombe",
        "Birkdale",
        "Corvane",
        "Drayford",
        "Elmsworth",
        "Farrowden",
        "Glenmoor",
        "Hartsop",
        "Islebeck",
        "Kelmarsh",
        "Lorton",
    ];
    std::fs::create_dir_all(folder).unwrap();
    for (i, name) in NAMES.iter().enumerate() {
        let (cost, year) = (11 + 7 * i, 1990 + i);
        let text = format!(
            "# {name} project | {name} Institute | {year}\n\nThe {name} project had a budget of {cost} million euros. \
             The {name} project was led by the {name} Institute.\n"
        );
        std::fs::write(folder.join(format!("{}.md", name.to_lowercase())), text).unwrap();
    }
}

/// The shipped reader with a random addition that spoils it, and the addition that takes it away again.
fn spoilt_reader(folder: &Path) -> (PathBuf, PathBuf) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/reader/reader.gguf");
    let mut gguf = Gguf::open(&shipped).unwrap();
    let lora = Lora::open(&mut gguf, &LoraOptions { rank: 8, alpha: 16.0, seed: 3, ..LoraOptions::default() }).unwrap();
    let (spoiling, mending) = (folder.join("spoiling.safetensors"), folder.join("mending.safetensors"));
    lora.adapters().save(&spoiling).unwrap();
    let read = candle_core::safetensors::load(&spoiling, &Device::Cpu).unwrap();
    let with = |sign: f64| -> HashMap<String, Tensor> {
        let mut names: Vec<&String> = read.keys().collect();
        names.sort();
        let mut state = 17u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let filled = names.into_iter().map(|name| {
            let tensor = &read[name];
            if name.ends_with("lora_a") {
                return (name.clone(), tensor.clone());
            }
            let numbers: Vec<f32> = (0..tensor.elem_count()).map(|_| 0.3 * random()).collect();
            let tensor = (Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap() * sign).unwrap();
            (name.clone(), tensor)
        });
        filled.collect()
    };
    candle_core::safetensors::save(&with(1.0), &spoiling).unwrap();
    candle_core::safetensors::save(&with(-1.0), &mending).unwrap();
    lora.adapters().restore(&spoiling).unwrap();
    let spoilt = folder.join("models/reader.gguf");
    std::fs::create_dir_all(folder.join("models")).unwrap();
    merge(&mut gguf, lora.adapters(), &[], &spoilt).unwrap();
    (spoilt, mending)
}

/// A run that will not end by itself, once it has trained a step.
fn training(data: &Path) -> Child {
    let mut command = sectora_writing(data, "embedded");
    command.args(["--json", "adapt", "--steps", "100000", "--batch", "1", "--minutes", "30", "--questions", "40"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"step\":")), "it trains");
    // Kept open, so that the next line is not written into nothing.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// A reader spoilt on purpose, and an adapter that mends it: the harness measures a true gain, so the model is kept and served.
/// Then runs that are killed and stopped leave it as it is.
#[test]
fn a_true_gain_is_kept_and_served_and_outlives_interrupted_runs_until_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    notes(&data.join("notes"));
    let (spoilt, mending) = spoilt_reader(data);
    assert_eq!(code(&run(data, "embedded", &["ingest", data.join("notes").to_str().unwrap()])), 0);
    let question = "What is the budget of the Orvale project?";
    let ask = || json(&run(data, "embedded", &["ask", question]));
    // It abstains or babbles; which of the two differs from run to run with the rounding of the merged weights.
    let babbled = ask();
    assert!(!babbled["answer"].as_str().unwrap().contains("109"), "spoilt: {babbled}");

    let adapter = mending.to_str().unwrap();
    let unknown = run(data, "embedded", &["adapt", "--steps", "0", "--held-out", "0.5", "--from", adapter]);
    let words = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(code(&unknown) == 2 && words.contains("mending.json is missing"), "{words}");
    // It learnt from no note, so that any may be held out.
    let names = std::fs::read_dir(data.join("notes")).unwrap();
    let notes: Vec<String> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let never_learnt = serde_json::json!({
        "adapter": sha256(&mending).unwrap(), "base": sha256(&spoilt).unwrap(), "sector": "battery", "seed": 42,
        "held_out": 0.5, "questions": 400, "per_document": 6, "documents": notes,
    });
    std::fs::write(mending.with_extension("json"), never_learnt.to_string()).unwrap();
    let output = run(data, "embedded", &["adapt", "--steps", "0", "--held-out", "0.5", "--from", adapter]);
    let report = json(&output);
    assert_eq!(code(&output), 0, "{:#}", report["decision"]);
    assert_eq!(report["base"]["generator"], spoilt.to_str().unwrap());
    let kept = &report["kept"];
    let model = PathBuf::from(kept["model"].as_str().unwrap());
    let record: Value = serde_json::from_slice(&std::fs::read(kept["record"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!((&record["base"]["sha256"], &record["decision"]), (&report["base"]["sha256"], &report["decision"]));
    for beside in ["adapter.safetensors", "adapter.json", "questions.jsonl"] {
        assert!(model.with_file_name(beside).is_file(), "{beside}");
    }
    let gguf = Gguf::open(&model).unwrap();
    assert_eq!(gguf.str("sectora.adapted.base_sha256"), report["base"]["sha256"].as_str());

    let served = ask();
    assert_eq!(served["generator"], "adapted:battery");
    assert!(served["answer"].as_str().unwrap().contains("109 million"), "{served}");
    let mut aside = sectora_writing(data, "embedded");
    aside.env("SECTORA_ADAPTED", "false").args(["--json", "ask", question]);
    assert_eq!(json(&aside.output().unwrap())["generator"], "embedded");
    // It is whole: the base may go.
    std::fs::remove_file(&spoilt).unwrap();
    assert_eq!(ask()["answer"], served["answer"]);

    let bytes = std::fs::read(&model).unwrap();
    let mut killed = training(data);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(ask()["answer"], served["answer"]);
    let mut stopped = training(data);
    assert!(Command::new("kill").args(["-INT", &stopped.id().to_string()]).status().unwrap().success());
    assert_eq!(stopped.wait().unwrap().code(), Some(3));
    assert_eq!(ask()["answer"], served["answer"]);
    assert!(std::fs::read(&model).unwrap() == bytes);
    // What was trained goes on; the folder of the run that was killed is swept.
    let checkpoint = data.join("models/adapted/battery/checkpoint.safetensors");
    let from = checkpoint.to_str().unwrap();
    // Another split would hold out what it has learnt from.
    let again = ["adapt", "--steps", "1", "--batch", "1", "--questions", "40", "--seed", "43", "--from", from];
    let learnt = run(data, "embedded", &again);
    let words = String::from_utf8_lossy(&learnt.stderr).into_owned();
    assert!(code(&learnt) == 2 && words.contains("may have learnt from") && words.contains("--seed 42"), "{words}");
    let on = run(data, "embedded", &["adapt", "--steps", "1", "--batch", "1", "--questions", "40", "--from", from]);
    assert!([0, 1].contains(&code(&on)), "{}", String::from_utf8_lossy(&on.stderr));
    assert!(!checkpoint.exists() && !checkpoint.with_extension("json").exists());
    let folders = std::fs::read_dir(data.join("models/adapted/battery")).unwrap();
    assert_eq!(folders.filter(|e| e.as_ref().unwrap().path().is_dir()).count(), 1);

    assert_eq!(code(&run(data, "embedded", &["adapt", "--remove"])), 0);
    assert_eq!(ask()["generator"], "embedded");
}
