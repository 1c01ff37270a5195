//! `bench embed`: how many tokens a second does the encoder read on this machine?
//!
//! Texts are the sector's own documents, cut like chunks, or the lines of a file. With `--onnxruntime PYTHON` the same folder
//! is run by onnxruntime (`tools/encoder_peer/peer.py`), in turns with ours and on as many threads (the setting `threads`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::super::{Context, Failure, Outcome};
use super::threads;
use crate::embed::{Embedder, EncoderOptions, Side, StaticModel, TransformerEncoder};
use crate::text::tokens;

/// Texts encoded at a time, as while documents are read.
const BATCH: usize = 256;
/// The program that runs onnxruntime.
const PEER: &str = include_str!("../../../tools/encoder_peer/peer.py");
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
    /// Measure the folder in eight bits too
    #[arg(long, requires = "folder")]
    int8: bool,
    /// A Python with onnxruntime and onnx (tools/encoder_peer/requirements.txt): the same folder there, in turns
    #[arg(long, value_name = "PYTHON", requires = "folder")]
    onnxruntime: Option<PathBuf>,
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
    /// Seconds of the best round by engine.
    seconds: BTreeMap<String, f64>,
    /// How many times as fast the first engine of the name is as the second.
    ratios: BTreeMap<String, f64>,
    /// Least cosine of the first texts' vectors to those of our f32.
    cosines: BTreeMap<String, f32>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let source = match &arguments.texts {
        Some(file) => lines(file)?,
        None => documents(context)?,
    };
    let threads = threads(context.config.threads);
    let pool = pool(threads)?;
    let mut engines: Vec<(String, Engine)> = Vec::new();
    match &arguments.folder {
        Some(folder) => {
            engines.push(("sectora f32".into(), Engine::Ours(Box::new(TransformerEncoder::open(folder)?))));
            if arguments.int8 {
                let options = EncoderOptions { int8: true, threads, ..EncoderOptions::default() };
                let rounded = TransformerEncoder::open_with(folder, &options)?;
                engines.push(("sectora int8".into(), Engine::Ours(Box::new(rounded))));
            }
        }
        None => engines.push(("sectora".into(), Engine::Ours(Box::new(StaticModel::embedded()?)))),
    }
    let texts = repeated(&source, arguments.tokens);
    let mut peer = match (&arguments.onnxruntime, &arguments.folder) {
        (Some(python), Some(folder)) => Some(Peer::start(python, folder, &texts, threads)?),
        _ => None,
    };
    if peer.is_some() {
        engines.push(("onnxruntime f32".into(), Engine::Theirs("f32")));
        engines.push(("onnxruntime int8".into(), Engine::Theirs("int8")));
    }
    let mut seconds: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..arguments.rounds.max(1) {
        for (name, engine) in &engines {
            let took = match (engine, &mut peer) {
                (Engine::Ours(encoder), _) => encode(&pool, &**encoder, &texts)?,
                (Engine::Theirs(what), Some(peer)) => peer.round(what)?,
                (Engine::Theirs(_), None) => continue,
            };
            let best = seconds.entry(name.clone()).or_insert(f64::INFINITY);
            *best = best.min(took);
        }
    }
    let (Some((first, Engine::Ours(encoder))), read) = (engines.first(), texts.iter().map(|t| tokens(t)).sum()) else {
        return Err(Failure::internal("no engine of ours was measured"));
    };
    let begin = Instant::now();
    for text in texts.iter().take(20) {
        let question: String = text.chars().take(60).collect();
        pool.install(|| encoder.embed(&[&question], Side::Query))?;
    }
    let question_ms = begin.elapsed().as_secs_f64() * 1e3 / texts.len().clamp(1, 20) as f64;
    let words: usize = texts.iter().map(|t| t.split_whitespace().count()).sum();
    let report = Report {
        encoder: encoder.id().to_owned(),
        dim: encoder.dim(),
        texts: texts.len(),
        words,
        tokens: read,
        tokens_per_s: read as f64 / seconds[first],
        words_per_s: words as f64 / seconds[first],
        question_ms,
        ratios: ratios(&seconds),
        cosines: cosines(&engines, peer.as_mut(), &texts)?,
        seconds,
    };
    context.output.result(&report, table);
    Ok(Outcome::Yes)
}

/// What is measured.
enum Engine {
    Ours(Box<dyn Embedder>),
    /// By this name in the peer.
    Theirs(&'static str),
}

/// Threads that tokenizing and products of f32 spread over; else these take every processor, whatever `threads` says.
fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|e| Failure::internal(format!("{threads} threads: {e}")))
}

/// Seconds for all texts.
fn encode(pool: &rayon::ThreadPool, encoder: &dyn Embedder, texts: &[&str]) -> Result<f64, Failure> {
    let begin = Instant::now();
    for batch in texts.chunks(BATCH) {
        pool.install(|| encoder.embed(batch, Side::Document))?;
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// Ours over theirs.
fn ratios(seconds: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let of = |prefix: &'static str| seconds.iter().filter(move |(name, _)| name.starts_with(prefix));
    let pairs = of("sectora").flat_map(|ours| of("onnxruntime").map(move |theirs| (ours, theirs)));
    pairs.map(|((ours, fast), (theirs, slow))| (format!("{ours} / {theirs}"), slow / fast)).collect()
}

/// How near each engine's vectors are to the first one's.
fn cosines(
    engines: &[(String, Engine)],
    peer: Option<&mut Peer>,
    texts: &[&str],
) -> Result<BTreeMap<String, f32>, Failure> {
    let texts = &texts[..texts.len().min(8)];
    let mut theirs = match peer {
        Some(peer) => peer.ask("check")?,
        None => Value::Null,
    };
    let mut vectors: Vec<(String, Vec<Vec<f32>>)> = Vec::new();
    for (name, engine) in engines {
        let found = match engine {
            Engine::Ours(encoder) => encoder.embed(texts, Side::Document)?,
            Engine::Theirs(what) => serde_json::from_value(theirs[*what].take())
                .map_err(|e| Failure::internal(format!("the peer's vectors: {e}")))?,
        };
        vectors.push((name.clone(), found));
    }
    let Some(((_, reference), others)) = vectors.split_first() else { return Ok(BTreeMap::new()) };
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let least = |found: &[Vec<f32>]| reference.iter().zip(found).map(|(a, b)| cosine(a, b)).fold(1.0, f32::min);
    Ok(others.iter().map(|(name, found)| (name.clone(), least(found))).collect())
}

/// onnxruntime in a Python process.
struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    _texts: tempfile::TempDir,
}

impl Peer {
    fn start(python: &Path, folder: &Path, texts: &[&str], threads: usize) -> Result<Peer, Failure> {
        let io = |e: std::io::Error| Failure::bad_input(format!("{}: {e}", python.display()));
        let work = tempfile::tempdir().map_err(io)?;
        let file = work.path().join("texts.json");
        fs_err::write(&file, serde_json::json!(texts).to_string()).map_err(io)?;
        let threads = threads.to_string();
        let mut child = Process::new(python)
            .args(["-c", PEER])
            .args([folder, &file])
            .arg(&threads)
            // Its tokenizer takes every processor otherwise.
            .env("RAYON_NUM_THREADS", &threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::internal("the peer has no standard input and output"));
        };
        let mut peer = Peer { child, to, from: BufReader::new(from), _texts: work };
        peer.read()?;
        Ok(peer)
    }

    fn round(&mut self, what: &str) -> Result<f64, Failure> {
        let answer = self.ask(what)?;
        answer["seconds"].as_f64().ok_or_else(|| Failure::internal(format!("the peer answered {answer}")))
    }

    fn ask(&mut self, what: &str) -> Result<Value, Failure> {
        writeln!(self.to, "{what}").map_err(|e| Failure::internal(format!("the peer has gone: {e}")))?;
        self.read()
    }

    fn read(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|e| Failure::internal(format!("the peer: {e}")))?;
        serde_json::from_str(&line).map_err(|_| Failure::bad_input("onnxruntime did not start; its message is above"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn table(r: &Report) -> String {
    let mut lines = vec![format!(
        "{} ({} dimensions): {:.0} tokens/s, {:.0} words/s, one question {:.2} ms ({} texts, {} tokens by our estimate)",
        r.encoder, r.dim, r.tokens_per_s, r.words_per_s, r.question_ms, r.texts, r.tokens
    )];
    for (name, seconds) in &r.seconds {
        let near = r.cosines.get(name).map_or_else(String::new, |c| format!("   least cosine to ours in f32 {c:.6}"));
        lines.push(format!("{name:<18} {seconds:>8.2} s {:>9.1} texts/s{near}", r.texts as f64 / seconds));
    }
    lines.extend(r.ratios.iter().map(|(pair, ratio)| format!("{pair}: {ratio:.2} times the speed")));
    lines.join("\n")
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::embed::EmbedError;

    /// Notes how many threads its products would spread over.
    struct Counting(AtomicUsize);

    impl Embedder for Counting {
        fn id(&self) -> &str {
            "counting"
        }

        fn dim(&self) -> usize {
            1
        }

        fn embed(&self, texts: &[&str], _: Side) -> Result<Vec<Vec<f32>>, EmbedError> {
            self.0.store(rayon::current_num_threads(), Ordering::Relaxed);
            Ok(vec![vec![1.0]; texts.len()])
        }
    }

    #[test]
    fn our_encoder_keeps_to_the_threads_that_its_peer_gets() {
        for threads in [1, 3] {
            let encoder = Counting(AtomicUsize::new(0));
            encode(&pool(threads).map_err(|f| f.message).unwrap(), &encoder, &["a"]).map_err(|f| f.message).unwrap();
            assert_eq!(encoder.0.into_inner(), threads);
        }
    }

    #[test]
    fn a_ratio_says_how_many_times_as_fast_we_are() {
        let seconds = [("sectora int8", 2.0), ("onnxruntime int8", 3.0), ("onnxruntime f32", 8.0)];
        let ratios = ratios(&seconds.map(|(n, s)| (n.to_owned(), s)).into());
        assert_eq!(ratios["sectora int8 / onnxruntime int8"], 1.5);
        assert_eq!(ratios["sectora int8 / onnxruntime f32"], 4.0);
        assert_eq!(ratios.len(), 2);
    }

    #[test]
    fn texts_are_repeated_until_there_are_enough() {
        let source = ["one two three".to_owned(), String::new()];
        let texts = repeated(&source, 10);
        assert!(texts.iter().map(|t| tokens(t)).sum::<usize>() + texts.len() >= 10);
        assert!(repeated(&source, 0).is_empty());
    }
}
