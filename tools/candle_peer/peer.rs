//! candle-transformers as a peer of `sectora bench llm --candle-transformers PROGRAM`: its quantized Qwen3 on the CPU.
//!
//! Takes those arguments of llama.cpp's `llama-bench` that the bench gives, and prints its `avg_ts`: tokens a second,
//! the mean of `-r` times after one that does not count. `-p N -n 0` reads a prompt of N tokens, in one batch as
//! candle's own example does; `-p 0 -n N -d D` writes N tokens after D others. Like `llama-bench` it draws no tokens.
//!
//! Built for this processor, as candle builds itself:
//!
//! ```sh
//! RUSTFLAGS="-C target-cpu=native" cargo build --release --manifest-path tools/candle_peer/Cargo.toml \
//!   --target-dir target/candle_peer
//! target/candle_peer/release/candle_peer -m FILE.gguf -p 512 -n 0 -d 0 -t 2 -r 1
//! ```

use std::env::{args_os, set_var};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Error, Result, Tensor};
use candle_transformers::models::quantized_qwen3::ModelWeights;

const USAGE: &str =
    "usage: candle_peer -m FILE.gguf (-p N -n 0 -d 0 | -p 0 -n N -d D) -t THREADS [-r TIMES] [-ngl 0] [-o json]";

#[derive(Default)]
struct Arguments {
    file: PathBuf,
    read: usize,
    write: usize,
    depth: usize,
    threads: usize,
    times: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let wanted = arguments().ok_or_else(|| Error::msg(USAGE))?;
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: this is the only thread so far.
        unsafe { set_var(name, wanted.threads.to_string()) };
    }
    let wrong = |e: Error| e.with_path(&wanted.file);
    let mut file = BufReader::new(File::open(&wanted.file).map_err(|e| wrong(e.into()))?);
    let content = Content::read(&mut file).map_err(wrong)?;
    let mut model = ModelWeights::from_gguf(content, &mut file, &Device::Cpu).map_err(wrong)?;
    let speeds = Device::Cpu.with_context(|| measure(&mut model, &wanted))?;
    let mean = speeds.iter().sum::<f64>() / speeds.len() as f64;
    let Arguments { read, write, depth, threads, .. } = wanted;
    let what = format!(r#""n_prompt": {read}, "n_gen": {write}, "n_depth": {depth}, "n_threads": {threads}"#);
    println!(r#"[{{{what}, "avg_ts": {mean:?}, "samples_ts": {speeds:?}}}]"#);
    Ok(())
}

/// None where they are not as [`USAGE`] has them.
fn arguments() -> Option<Arguments> {
    let mut wanted = Arguments { times: 1, ..Arguments::default() };
    let mut given = args_os().skip(1);
    while let Some(name) = given.next() {
        let value = given.next()?;
        let number = value.to_str().and_then(|text| text.parse::<usize>().ok());
        match name.to_str()? {
            "-m" => wanted.file = value.into(),
            "-p" => wanted.read = number?,
            "-n" => wanted.write = number?,
            "-d" => wanted.depth = number?,
            "-t" => wanted.threads = number?,
            "-r" => wanted.times = number?,
            "-ngl" if number == Some(0) => {}
            "-o" if value.to_str() == Some("json") => {}
            _ => return None,
        }
    }
    let reads_or_writes = matches!((wanted.read, wanted.write, wanted.depth), (1.., 0, 0) | (0, 1.., _));
    (reads_or_writes && wanted.threads > 0 && wanted.times > 0).then_some(wanted)
}

/// Tokens a second, each time.
fn measure(model: &mut ModelWeights, wanted: &Arguments) -> Result<Vec<f64>> {
    // Threads start and weights are packed anew in the first one.
    time(model, 0, wanted.read, wanted.write.min(1))?;
    (0..wanted.times).map(|_| time(model, wanted.depth, wanted.read, wanted.write)).collect()
}

fn time(model: &mut ModelWeights, depth: usize, read: usize, write: usize) -> Result<f64> {
    model.clear_kv_cache();
    if depth > 0 {
        forward(model, 0, depth)?;
    }
    let begin = Instant::now();
    if read > 0 {
        forward(model, depth, read)?;
    }
    for position in depth..depth + write {
        forward(model, position, 1)?;
    }
    Ok((read + write) as f64 / begin.elapsed().as_secs_f64())
}

/// So many tokens from a position on; any vocabulary has them.
fn forward(model: &mut ModelWeights, position: usize, count: usize) -> Result<()> {
    let tokens: Vec<u32> = (position..position + count).map(|i| (i * 37 % 250) as u32).collect();
    model.forward(&Tensor::from_vec(tokens, (1, count), &Device::Cpu)?, position).map(drop)
}
