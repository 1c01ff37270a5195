//! Compares logits with those PyTorch `transformers` computed: `tools/lm_parity/run.sh` runs both sides.
//!
//! `cargo run --release -p sectora-lm --example parity -- DIR`: for each `CASE.json`, `CASE.gguf` and Hugging Face
//! folder `CASE` in DIR prints the largest absolute difference over all positions, with keys and values kept as f32, as f16 (the
//! default, as in llama.cpp) and in eight bits. Fails when the file or the folder differs by more than [`TOLERANCE`],
//! or f16 moves the logits by more than [`HALF_TOLERANCE`] allows; eight bits are a choice whose price is printed.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use sectora_lm::gguf::Gguf;
use sectora_lm::{Decoder, Kv, Options};

/// Largest difference of a logit, f32 on both sides; logits have a standard deviation of about 1.
const TOLERANCE: f32 = 1e-4;
/// By how much keys and values in f16 may move a logit: so many times as much as they move PyTorch's own, and
/// this much more.
const HALF_TOLERANCE: (f32, f32) = (1.2, 1e-3);

type Failure = Box<dyn std::error::Error>;

#[derive(serde::Deserialize)]
struct Case {
    prompt: Vec<u32>,
    next: Vec<u32>,
    logits: Vec<Vec<f32>>,
    half_shift: Option<f32>,
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
    let titles = ["largest logit", "f32 cache", "from a folder", "f16 cache", "PyTorch's f16", "8-bit cache"];
    println!("{:<12}{}", "case", titles.map(|title| format!(" {title:>13}")).concat());
    for file in files {
        let case: Case = serde_json::from_reader(File::open(&file)?)?;
        let path = file.with_extension("gguf");
        let kept = |path: &Path, kv| ours(path, &case, kv).map(|rows| difference(&case, &rows));
        let exact = kept(&path, Kv::F32)?;
        // A case may come without the same model as a folder, and without PyTorch's movement: then these are not judged.
        let folder = Some(file.with_extension("")).filter(|folder| folder.is_dir());
        let folder = folder.map(|folder| kept(&folder, Kv::F32)).transpose()?;
        let (half, eight) = (kept(&path, Kv::F16)?, kept(&path, Kv::Q8)?);
        let largest = case.logits.iter().flatten().fold(0.0f32, |m, x| m.max(x.abs()));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let show = |x: Option<f32>| x.map_or_else(|| format!(" {:>13}", "-"), |x| format!(" {x:>13.2e}"));
        let numbers = [Some(exact), folder, Some(half), case.half_shift, Some(eight)].map(show).concat();
        println!("{name:<12} {largest:>13.2}{numbers}");
        let (times, more) = HALF_TOLERANCE;
        failed |= [Some(exact), folder].into_iter().flatten().any(|x| x.is_nan() || x > TOLERANCE);
        failed |= half.is_nan() || case.half_shift.is_some_and(|shift| half > times * shift + more);
    }
    println!("tolerances {TOLERANCE:.0e}, {HALF_TOLERANCE:?}: {}", if failed { "FAILED" } else { "passed" });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn difference(case: &Case, rows: &[Vec<f32>]) -> f32 {
    let pairs = case.logits.iter().flatten().zip(rows.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

fn ours(path: &Path, case: &Case, kv: Kv) -> Result<Vec<Vec<f32>>, Failure> {
    let options = Options { context: usize::MAX, kv, ..Options::default() };
    let mut decoder = Decoder::open(&mut Gguf::open(path)?, &options)?;
    Ok(case.steps().map(|tokens| decoder.forward(tokens)).collect::<Result<_, _>>()?)
}
