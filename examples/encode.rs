//! Encodes texts with an encoder folder and prints the vectors: what `tools/encoder_parity` compares and times.
//!
//! `cargo run --release --example encode -- FOLDER query|document [REPEAT] < texts.json`: a JSON list of texts comes in,
//! one JSON object with `id`, `dim`, `cut`, `seconds` (the fastest of REPEAT runs) and `vectors` goes out. `rerank` takes the
//! first text as the question, `entailment` as the premise; both print the `scores` of the others. `learned` prints `weights`, what a
//! sparse head weighs each text's tokens: `[ids, values]`, or `null`.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use sectora::embed::{CrossEncoder, Embedder, EncoderOptions, NliModel, Reranker, Side, TransformerEncoder};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, side, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("use: encode FOLDER query|document|rerank|entailment|learned [REPEAT] < texts.json");
    };
    if matches!(side.as_str(), "rerank" | "entailment") {
        return pairs(Path::new(folder), side == "entailment");
    }
    if side == "learned" {
        return learned(Path::new(folder));
    }
    let side = match side.as_str() {
        "query" => Side::Query,
        "document" => Side::Document,
        other => anyhow::bail!("side {other} is not query, document, rerank, entailment or learned"),
    };
    let repeat: usize = rest.first().map_or(Ok(1), |n| n.parse())?;
    let texts = texts()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoder = TransformerEncoder::open(Path::new(folder))?;
    let mut vectors = Vec::new();
    let mut seconds = f64::INFINITY;
    for _ in 0..repeat.max(1) {
        let begin = Instant::now();
        vectors = encoder.embed(&texts, side)?;
        seconds = seconds.min(begin.elapsed().as_secs_f64());
    }
    let cut = encoder.cut() / repeat.max(1) as u64;
    let out = serde_json::json!({ "id": encoder.id(), "dim": encoder.dim(), "cut": cut, "seconds": seconds, "vectors": vectors });
    println!("{out}");
    Ok(())
}

fn texts() -> anyhow::Result<Vec<String>> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    Ok(serde_json::from_str(&input)?)
}

fn learned(folder: &Path) -> anyhow::Result<()> {
    let options = EncoderOptions { sparse: true, ..EncoderOptions::default() };
    let encoder = TransformerEncoder::open_with(folder, &options)?;
    anyhow::ensure!(encoder.learns_weights(), "{} has no sparse head", folder.display());
    let texts = texts()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoded = encoder.encode(&texts, Side::Document)?;
    let weights: Vec<_> = encoded.into_iter().map(|e| e.learned.map(|v| (v.indices, v.values))).collect();
    println!("{}", serde_json::json!({ "id": encoder.id(), "weights": weights }));
    Ok(())
}

fn pairs(folder: &Path, entailment: bool) -> anyhow::Result<()> {
    let texts = texts()?;
    let Some((first, texts)) = texts.split_first() else { anyhow::bail!("no texts") };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scores = if entailment {
        let pairs: Vec<(&str, &str)> = texts.iter().map(|text| (first.as_str(), *text)).collect();
        NliModel::open(folder)?.entailment(&pairs)?
    } else {
        CrossEncoder::open(folder)?.score(first, &texts, Instant::now() + Duration::from_secs(600))?
    };
    println!("{}", serde_json::json!({ "scores": scores }));
    Ok(())
}
