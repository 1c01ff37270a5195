//! Compares logits with those PyTorch `transformers` computed: `tools/lm_parity/run.sh` runs both sides.
//!
//! `cargo run --release -p sectora-lm --example parity -- DIR`: for each `CASE.json` and `CASE.gguf` in DIR
//! prints the largest absolute difference over all positions. Fails when one is above [`TOLERANCE`].

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use candle_core::Device;
use sectora_lm::Decoder;
use sectora_lm::gguf::Gguf;

/// Largest difference of a logit, f32 on both sides; logits have a standard deviation of about 1.
const TOLERANCE: f32 = 1e-4;

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
    println!("{:<14} {:>14} {:>14}", "case", "largest logit", "this engine");
    for file in files {
        let case: Case = serde_json::from_reader(File::open(&file)?)?;
        let path = file.with_extension("gguf");
        let ours = difference(&case, &ours(&path, &case)?);
        let largest = case.logits.iter().flatten().fold(0.0f32, |m, x| m.max(x.abs()));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name:<14} {largest:>14.2} {ours:>14.2e}");
        failed |= ours.is_nan() || ours > TOLERANCE;
    }
    println!("tolerance {TOLERANCE:.0e}: {}", if failed { "FAILED" } else { "passed" });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn difference(case: &Case, rows: &[Vec<f32>]) -> f32 {
    let pairs = case.logits.iter().flatten().zip(rows.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

fn ours(path: &Path, case: &Case) -> Result<Vec<Vec<f32>>, Failure> {
    let mut decoder = Decoder::load(&mut Gguf::open(path)?, usize::MAX, &Device::Cpu)?;
    Ok(case.steps().map(|tokens| decoder.forward(tokens)).collect::<Result<_, _>>()?)
}
