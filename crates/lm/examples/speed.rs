//! Tokens a second, without drafts, and time to the first token, on random weights of Qwen3-0.6B's shape.
//!
//! `cargo run --release -p sectora-lm --example speed -- [MODEL.gguf|q8_0|q4_0|q4_k] [PROMPT_TOKENS] [NEW_TOKENS]`
//! Without a file, one is written to the system's temporary folder (Q8_0: 640 MB) and kept.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use candle_core::quantized::GgmlDType;
use sectora_lm::random::{RandomShape, write_gguf};
use sectora_lm::{Model, Options, Sampling};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "q8_0".into());
    let in_temporary = || std::env::temp_dir().join(format!("sectora-random-qwen3-0.6b-{model}.gguf"));
    let (path, quant) = match model.as_str() {
        "q8_0" => (in_temporary(), GgmlDType::Q8_0),
        "q4_0" => (in_temporary(), GgmlDType::Q4_0),
        "q4_k" => (in_temporary(), GgmlDType::Q4K),
        file => (PathBuf::from(file), GgmlDType::Q8_0),
    };
    let prompt: usize = arguments.next().map_or(Ok(512), |n| n.parse())?;
    let new: usize = arguments.next().map_or(Ok(64), |n| n.parse())?;
    if !path.exists() {
        let begin = Instant::now();
        write_gguf(&RandomShape::qwen3_0_6b(), quant, &path, 0)?;
        println!("wrote {} in {:.1} s", path.display(), begin.elapsed().as_secs_f64());
    }
    let begin = Instant::now();
    let mut model = Model::open(&path, &Options { device: sectora_lm::device(), lookup: 0, ..Options::default() })?;
    println!("loaded in {:.1} s", begin.elapsed().as_secs_f64());
    let tokens: Vec<u32> = (0..prompt as u32).map(|i| 300 + i * 37 % 1000).collect();
    let sampling = Sampling { max_tokens: new, ..Sampling::default() };
    for round in 1..=3 {
        // Else the next round would find its prompt read.
        model.forget();
        let g = model.generate(&tokens, &sampling, &|| false, &mut |_| ControlFlow::Continue(()))?;
        let prefill = g.prompt_tokens as f64 / g.first_token_s;
        let decode = (g.completion_tokens.saturating_sub(1)) as f64 / (g.total_s - g.first_token_s);
        let (p, n, first) = (g.prompt_tokens, g.completion_tokens, g.first_token_s);
        println!(
            "round {round}: {p} tokens read at {prefill:.1}/s, first token after {first:.2} s, {n} written at {decode:.1}/s"
        );
    }
    Ok(())
}
