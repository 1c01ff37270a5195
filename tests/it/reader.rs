//! `--generator embedded`: the project's own reading model, here one with random weights.

use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use sectora_lm::Architecture;
use sectora_lm::random::{RandomShape, write_gguf};

use crate::program::{code, json, sectora_writing};

/// A tiny model that says of itself what models/reader/export.py writes.
fn write_reader(file: &Path) {
    let plain = file.with_extension("plain");
    write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::F32, &plain, 5).unwrap();
    let mut source = std::fs::File::open(&plain).unwrap();
    let content = Content::read(&mut source).unwrap();
    let names = content.tensor_infos.keys();
    let tensors: Vec<(&String, QTensor)> =
        names.map(|name| (name, content.tensor(&mut source, name, &Device::Cpu).unwrap())).collect();
    let prompt = Value::String("reader".into());
    let mut metadata: Vec<(&str, &Value)> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    metadata.push(("sectora.prompt", &prompt));
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    gguf_file::write(&mut std::fs::File::create(file).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn without_a_reader_the_program_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    // Not in the checkout, which may hold one.
    let sector = concat!(env!("CARGO_MANIFEST_DIR"), "/sectors/battery");
    let output = sectora_writing(dir.path(), "embedded")
        .args(["--sector", sector, "ask", "q"])
        .current_dir(&dir)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 2, "{words}");
    assert!(words.contains("reader.gguf") && words.contains("models/reader/README.md"), "{words}");
}

#[test]
fn a_model_that_is_no_reader_is_refused_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::F32, &models.join("reader.gguf"), 5).unwrap();
    let output = sectora_writing(dir.path(), "embedded").args(["ask", "q"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 2, "{words}");
    assert!(words.contains("sectora.prompt = reader"), "{words}");
}

#[test]
fn the_reader_answers_as_embedded_and_shows_nothing_that_no_passage_supports() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    write_reader(&models.join("reader.gguf"));
    let notes = dir.path().join("notes");
    std::fs::create_dir_all(&notes).unwrap();
    let long = "The lattice plant in Orvale treats 48 tonnes of brine a day. ".to_owned()
        + &"Its owner keeps a log of every valve. ".repeat(60);
    std::fs::write(notes.join("plant.md"), format!("# Orvale plant\n\n{long}\n")).unwrap();
    let run =
        |arguments: &[&str]| sectora_writing(dir.path(), "embedded").arg("--json").args(arguments).output().unwrap();
    assert_eq!(code(&run(&["ingest", notes.to_str().unwrap()])), 0);
    // The passages are longer than the model's window of 512 tokens: they are cut, not refused.
    let answer = json(&run(&["ask", "How much brine does the lattice plant in Orvale treat a day?"]));
    assert_eq!(answer["generator"], "embedded");
    assert!(answer["prompt_tokens"].as_u64().unwrap() > 100, "{answer}");
    assert_eq!(answer["abstained"], answer["citations"].as_array().unwrap().is_empty(), "{answer}");
    // `auto` does not take a reader unasked.
    let auto = json(
        &sectora_writing(dir.path(), "auto")
            .args(["--json", "ask", "How much brine does the plant treat?"])
            .output()
            .unwrap(),
    );
    assert_eq!(auto["generator"], "extractive");
}
