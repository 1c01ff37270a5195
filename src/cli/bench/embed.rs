//! `bench embed`: how many tokens a second does the encoder read on this machine?
//!
//! Texts are the sector's own documents, cut like chunks, or the lines of a file. The same encoder on onnxruntime is timed
//! by `tools/encoder_parity`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome};
use crate::embed::{Embedder, Side, StaticModel, TransformerEncoder};
use crate::text::tokens;

/// Texts encoded at a time, as while documents are read.
const BATCH: usize = 64;
/// Characters of a text where a file is cut into texts.
const CUT: usize = 800;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// A file with one text a line (default: the sector's text documents)
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// An encoder folder (default: the encoder inside the program)
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Tokens to read in a round (our own estimate of tokens)
    #[arg(long, default_value_t = 200_000)]
    tokens: usize,
    /// Rounds; the best counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Serialize)]
struct Report {
    encoder: String,
    dim: usize,
    texts: usize,
    words: usize,
    /// By the estimate that sizes chunks.
    tokens: usize,
    tokens_per_s: f64,
    words_per_s: f64,
    /// Milliseconds of one question alone.
    question_ms: f64,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let source = match &arguments.texts {
        Some(file) => lines(file)?,
        None => documents(context)?,
    };
    let encoder: Box<dyn Embedder> = match &arguments.folder {
        Some(folder) => Box::new(TransformerEncoder::open(folder)?),
        None => Box::new(StaticModel::embedded()?),
    };
    let texts = repeated(&source, arguments.tokens);
    let read: usize = texts.iter().map(|t| tokens(t)).sum();
    let words: usize = texts.iter().map(|t| t.split_whitespace().count()).sum();
    let mut best = f64::INFINITY;
    for _ in 0..arguments.rounds.max(1) {
        let begin = Instant::now();
        for batch in texts.chunks(BATCH) {
            encoder.embed(batch, Side::Document)?;
        }
        best = best.min(begin.elapsed().as_secs_f64());
    }
    let begin = Instant::now();
    for text in texts.iter().take(20) {
        let question: String = text.chars().take(60).collect();
        encoder.embed(&[&question], Side::Query)?;
    }
    let report = Report {
        encoder: encoder.id().to_owned(),
        dim: encoder.dim(),
        texts: texts.len(),
        words,
        tokens: read,
        tokens_per_s: read as f64 / best,
        words_per_s: words as f64 / best,
        question_ms: begin.elapsed().as_secs_f64() * 1e3 / texts.len().clamp(1, 20) as f64,
    };
    context.output.result(&report, |r| {
        format!(
            "{} ({} dimensions): {:.0} tokens/s, {:.0} words/s, one question {:.2} ms ({} texts, {} tokens, one thread a batch as the encoder decides)",
            r.encoder, r.dim, r.tokens_per_s, r.words_per_s, r.question_ms, r.texts, r.tokens
        )
    });
    Ok(Outcome::Yes)
}

fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let text = fs_err::read_to_string(file).map_err(|e| Failure::bad_input(e.to_string()))?;
    let lines: Vec<String> = text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::bad_input(format!("{}: no text in it", file.display())));
    }
    Ok(lines)
}

/// The sector's documents that are plain text, cut.
fn documents(context: &Context) -> Result<Vec<String>, Failure> {
    let sector = crate::sector::Sector::open(&context.config.sector, Path::new(&context.config.sectors_dir))?;
    let mut texts = Vec::new();
    for entry in sector.document_roots().iter().flat_map(|root| walkdir::WalkDir::new(root).sort_by_file_name()) {
        let entry = entry.map_err(|e| Failure::bad_input(e.to_string()))?;
        let plain = entry.path().extension().is_some_and(|e| ["md", "txt", "jsonl", "html"].iter().any(|p| e == *p));
        if plain && let Ok(text) = fs_err::read_to_string(entry.path()) {
            let chars: Vec<char> = text.chars().collect();
            texts.extend(chars.chunks(CUT).map(|c| c.iter().collect::<String>()));
        }
    }
    if texts.is_empty() {
        return Err(Failure::bad_input("this sector has no plain text documents; name a file with --texts"));
    }
    Ok(texts)
}

/// The texts again and again until they hold `wanted` tokens.
fn repeated(source: &[String], wanted: usize) -> Vec<&str> {
    let mut have = 0;
    let endless = source.iter().cycle().map(String::as_str);
    endless
        .take_while(|text| {
            let more = have < wanted;
            // A text without tokens must not keep the loop going for ever.
            have += tokens(text).max(1);
            more
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_repeated_until_there_are_enough() {
        let source = ["one two three".to_owned(), String::new()];
        let texts = repeated(&source, 10);
        assert!(texts.iter().map(|t| tokens(t)).sum::<usize>() + texts.len() >= 10);
        assert!(repeated(&source, 0).is_empty());
    }
}
