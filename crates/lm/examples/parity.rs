//! Compares logits with those PyTorch `transformers` computed: `tools/lm_parity/run.sh` runs both sides.
//!
//! `cargo run --release -p sectora-lm --example parity -- DIR`: for each `CASE.json` and `CASE.gguf` in DIR
//! prints the largest absolute difference over all positions, with keys and values kept as f32 and as f16
//! (the default, as in llama.cpp). Fails when one is above [`TOLERANCE`] or [`HALF_TOLERANCE`].

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use sectora_lm::gguf::Gguf;
use sectora_lm::{Decoder, Options};

/// Largest difference of a logit, f32 on both sides; logits have a standard deviation of about 1.
const TOLERANCE: f32 = 1e-4;
/// The same with keys and values rounded to f16, eleven bits.
const HALF_TOLERANCE: f32 = 1e-2;

type Failure = Box<dyn std::error::Error>;

#[derive(serde::Deserialize)]
struct Case {
    prompt: Vec<u32>,
    next: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

impl Case {
    /// What is fed before each row of logits.
    fn steps(&self) -> impl Iterator<Item = &[u32]> {
        std::iter::once(self.prompt.as_slice()).chain(self.next.chunks(1))
    }
}

fn main() -> Result<ExitCode, Failure> {
    let folder = std::env::args().nth(1).ok_or("which folder? see tools/lm_parity/run.sh")?;
    let mut files: Vec<_> = std::fs::read_dir(&folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut failed = files.is_empty();
    println!("{:<14} {:>14} {:>14} {:>14}", "case", "largest logit", "f32 cache", "f16 cache");
    for file in files {
        let case: Case = serde_json::from_reader(File::open(&file)?)?;
        let path = file.with_extension("gguf");
        let [exact, half] = [true, false].map(|exact| ours(&path, &case, exact).map(|rows| difference(&case, &rows)));
        let (exact, half) = (exact?, half?);
        let largest = case.logits.iter().flatten().fold(0.0f32, |m, x| m.max(x.abs()));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name:<14} {largest:>14.2} {exact:>14.2e} {half:>14.2e}");
        failed |= exact.is_nan() || exact > TOLERANCE || half.is_nan() || half > HALF_TOLERANCE;
    }
    println!("tolerances {TOLERANCE:.0e}, {HALF_TOLERANCE:.0e}: {}", if failed { "FAILED" } else { "passed" });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn difference(case: &Case, rows: &[Vec<f32>]) -> f32 {
    let pairs = case.logits.iter().flatten().zip(rows.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

fn ours(path: &Path, case: &Case, exact_kv: bool) -> Result<Vec<Vec<f32>>, Failure> {
    let options = Options { context: usize::MAX, exact_kv, ..Options::default() };
    let mut decoder = Decoder::open(&mut Gguf::open(path)?, &options)?;
    Ok(case.steps().map(|tokens| decoder.forward(tokens)).collect::<Result<_, _>>()?)
}
