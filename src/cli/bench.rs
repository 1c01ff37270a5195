//! `bench`: what does this machine do? One measurement a file; here `bench llm`: how fast does the local engine read and write on this machine, next to its peers?
//!
//! Weights are random (speed does not depend on them), shapes are real. Engines take turns in every round,
//! and the median of the rounds counts. llama.cpp
//! is measured by its own `llama-bench` on the same file.

mod embed;
mod ingest;
mod portfolio;
mod retrieve;
mod reuse;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::Instant;

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use clap::{Args, Subcommand, ValueEnum};
use sectora_lm::random::{RandomShape, write_gguf};
use sectora_lm::{CpuPath, Form, Generation, Memory, Model, Options, Sampling};
use serde::Serialize;

use super::{Context, Failure, Outcome};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The language model engine: reading, writing, time to the first token
    Llm(Arguments),
    /// Searches in an index of a given size: milliseconds, what is missed, memory and disk
    Retrieve(retrieve::Arguments),
    /// Reading, cutting and indexing documents
    Ingest(ingest::Arguments),
    /// Encoding texts
    Embed(embed::Arguments),
    /// A made-up portfolio joined with itself: seconds, memory, planted repeats found
    Portfolio(portfolio::Arguments),
}

#[derive(Args)]
pub(super) struct Arguments {
    /// A GGUF file or Hugging Face folder instead of random weights
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shape", "quant"])]
    model: Option<PathBuf>,
    /// Shape of the random weights
    #[arg(long, value_enum, default_value_t = Shape::Qwen3)]
    shape: Shape,
    /// Quantizations
    #[arg(long, value_enum, value_delimiter = ',', default_value = "q8_0,q4_0,q4_k")]
    quant: Vec<Quant>,
    /// What to measure: pN reads N tokens, dN writes after N tokens, tN is the first token of a second
    /// question over the same N tokens, bN is N chats that write together, all their tokens counted, cN and jN write like dN, citing passages
    /// and as JSON, qN writes an answer of which two thirds stand in a prompt of N tokens, with drafts and without, rN is the first token over
    /// six passages of N tokens in all that come again in another order, and what using their keys and values again changes
    #[arg(long, value_delimiter = ',', default_value = "p128,p512,p2048,d0,d2048,t2048,b1,b4,b8")]
    tests: Vec<String>,
    /// Threads (default: the setting `threads`; 0 is one a processor)
    #[arg(long)]
    threads: Option<usize>,
    /// Rounds; the median counts (of rN tests the least time)
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Tokens to write in a dN test
    #[arg(long, default_value_t = 32)]
    write: usize,
    /// Instructions to use instead of the best: amx, avx512, avxvnni, avx2, neon, scalar
    #[arg(long)]
    path: Option<String>,
    /// Measure candle's kernels too, in tests of at most 128 tokens (they are slow)
    #[arg(long)]
    candle: bool,
    /// llama.cpp's llama-bench, to measure too
    #[arg(long, value_name = "FILE")]
    llama_bench: Option<PathBuf>,
    /// Keep the random files in this folder and use them again
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    #[value(name = "qwen3-0.6b")]
    Qwen3,
    #[value(name = "smollm2-135m")]
    Smollm2,
    #[value(name = "llama-3.2-1b")]
    Llama32,
    Tiny,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Quant {
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_1")]
    Q4_1,
    #[value(name = "q5_0")]
    Q5_0,
    #[value(name = "q5_1")]
    Q5_1,
    #[value(name = "q4_k")]
    Q4K,
    #[value(name = "q5_k")]
    Q5K,
    #[value(name = "q6_k")]
    Q6K,
    F16,
}

#[derive(Clone, Copy)]
enum Test {
    Prefill(usize),
    Decode(usize),
    FirstToken(usize),
    Batch(usize),
    Formed(usize, Grammar),
    Quoting(usize),
    Reordered(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Grammar {
    Citing,
    Json,
}

#[derive(Serialize)]
struct Report {
    results: Vec<Measured>,
    /// Of rN tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reused: Vec<reuse::Reused>,
    /// How many times as fast as a peer: `QUANT TEST sectora/PEER`, and as one chat: `QUANT batch N/batch 1`.
    ratios: BTreeMap<String, f64>,
    /// Most bytes in memory that were announced from the file's header, and that the process had in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<[u64; 2]>,
}

#[derive(Serialize)]
struct Measured {
    engine: String,
    model: String,
    quant: String,
    threads: usize,
    test: String,
    /// The median of the rounds.
    tokens_per_s: f64,
    /// Every round.
    rounds: Vec<f64>,
    /// Seconds to the first token, cold and over the same passages, in tN tests: medians of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_s: Option<[f64; 2]>,
    /// Share of the time that the grammar takes, in cN and jN tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    grammar_share: Option<f64>,
    /// In dN tests: bytes that a token reads, bytes a second that as many threads read from memory (the best of
    /// all rounds), and which share of that the median round reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<Reading>,
}

#[derive(Clone, Copy, Serialize)]
struct Reading {
    token_bytes: u64,
    bytes_per_s: f64,
    share: f64,
}

/// The engine that takes no drafts, in qN tests.
const PLAIN: &str = "sectora without drafts";

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    let arguments = match command {
        Command::Llm(arguments) => arguments,
        Command::Retrieve(arguments) => return retrieve::run(context, &arguments),
        Command::Ingest(arguments) => return ingest::run(context, &arguments),
        Command::Embed(arguments) => return embed::run(context, &arguments),
        Command::Portfolio(arguments) => return portfolio::run(context, &arguments),
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match arguments.threads.unwrap_or(context.config.threads) {
        0 => processors,
        some => some,
    };
    let tests = arguments.tests.iter().map(|name| test(name)).collect::<Result<Vec<_>, _>>()?;
    let path = match &arguments.path {
        None => None,
        Some(name) => Some(CpuPath::named(name).ok_or_else(|| {
            let known: Vec<&str> = CpuPath::all().into_iter().map(CpuPath::name).collect();
            Failure::bad_input(format!("this processor has no {name}; it has {}", known.join(", ")))
        })?),
    };
    let temporary = tempfile::tempdir().map_err(|e| Failure::internal(format!("no temporary folder: {e}")))?;
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    fs_err::create_dir_all(folder).map_err(|e| Failure::bad_input(e.to_string()))?;
    let mut report = Report { results: Vec::new(), reused: Vec::new(), ratios: BTreeMap::new(), memory: None };
    let quants: Vec<Option<Quant>> = match arguments.model {
        Some(_) => vec![None],
        None => arguments.quant.iter().copied().map(Some).collect(),
    };
    for quant in quants {
        let (file, name) = match (&arguments.model, quant) {
            (None, Some(quant)) => (random(context, folder, arguments.shape, quant)?, value_name(quant)),
            (file, _) => (file.clone().unwrap_or_default(), "as in the file".to_owned()),
        };
        let model = arguments.model.as_ref().map_or_else(|| value_name(arguments.shape), |f| f.display().to_string());
        let share = std::cell::Cell::new(None);
        let bench = Bench { context, arguments: &arguments, file: &file, threads, path, model, quant: name, share };
        bench.run(&tests, &mut report)?;
    }
    report.memory = report.memory.zip(peak_memory()).map(|([announced, before], now)| [announced, before.max(now)]);
    context.output.result(&report, table);
    Ok(Outcome::Yes)
}

struct Bench<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    file: &'a Path,
    threads: usize,
    path: Option<CpuPath>,
    model: String,
    quant: String,
    /// What the last cN or jN test saw of its grammar.
    share: std::cell::Cell<Option<f64>>,
}

impl Bench<'_> {
    fn run(&self, tests: &[Test], report: &mut Report) -> Result<(), Failure> {
        let context = tests.iter().map(|&test| size(test)).max().unwrap_or(0) + 512;
        let options = Options {
            device: Device::Cpu,
            context,
            threads: self.threads,
            path: self.path,
            // Random weights repeat themselves, which lookup would make too good to be true.
            lookup: 0,
            kv: self.context.config.kv.into(),
            quantize: self.context.config.quantize,
            sequences: tests.iter().map(|&test| chats(test)).max().unwrap_or(1),
            segment_bytes: if tests.iter().any(|t| matches!(t, Test::Reordered(_))) { reuse::BYTES } else { 0 },
            ..Options::default()
        };
        let announced = Memory::plan(self.file, &options).map_err(|e| Failure::bad_input(e.to_string()))?.peak();
        let [most, used] = report.memory.unwrap_or_default();
        report.memory = Some([most.max(announced), used]);
        let open = |options: &Options| Model::open(self.file, options).map_err(|e| Failure::bad_input(e.to_string()));
        let mut ours = open(&options)?;
        self.context.output.note(&format!("{} {}: {}", self.model, self.quant, ours.describe()));
        let mut candle = match self.arguments.candle {
            true => Some(open(&Options { candle_kernels: true, ..options.clone() })?),
            false => None,
        };
        for &test in tests {
            if let Test::Reordered(tokens) = test {
                let place = (self.model.as_str(), self.quant.as_str(), self.threads);
                report.reused.extend(reuse::run(&mut ours, tokens, self.arguments.rounds.max(1), place)?);
                continue;
            }
            let mut rounds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            let mut first: Vec<[f64; 2]> = Vec::new();
            let mut bandwidth: f64 = 0.0;
            self.share.set(None);
            for _ in 0..self.arguments.rounds.max(1) {
                if matches!(test, Test::Decode(_)) {
                    // Measuring it takes half a gibibyte, which is not the engine's.
                    if let Some([_, used]) = &mut report.memory {
                        *used = peak_memory().unwrap_or(0).max(*used);
                    }
                    bandwidth = bandwidth.max(sectora_lm::read_bandwidth(self.threads));
                    forget_peak();
                }
                if let Test::Quoting(tokens) = test {
                    let [plain, drafting] = quoting(&mut ours, tokens)?;
                    rounds.entry(PLAIN).or_default().push(plain);
                    rounds.entry("sectora").or_default().push(drafting);
                    continue;
                }
                let (speed, seconds) = self.ours(&mut ours, test)?;
                rounds.entry("sectora").or_default().push(speed);
                first.extend(seconds);
                if let Some(candle) = candle.as_mut().filter(|_| size(test) <= 128 && chats(test) == 1) {
                    rounds.entry("candle").or_default().push(self.ours(candle, test)?.0);
                }
                if let Some(program) = &self.arguments.llama_bench
                    && let Some(speed) = self.theirs(program, test)?
                {
                    rounds.entry("llama.cpp").or_default().push(speed);
                }
            }
            let own = rounds.get("sectora").map_or(0.0, |r| median(r));
            let bytes = match test {
                Test::Decode(depth) => ours.token_bytes(depth + self.arguments.write / 2),
                Test::Prefill(_)
                | Test::FirstToken(_)
                | Test::Batch(_)
                | Test::Formed(..)
                | Test::Quoting(_)
                | Test::Reordered(_) => None,
            };
            let reading = bytes.map(|bytes| Reading {
                token_bytes: bytes as u64,
                bytes_per_s: bandwidth,
                share: own * bytes as f64 / bandwidth,
            });
            if chats(test) > 1
                && let Some(one) = one_chat(&report.results, &self.quant)
            {
                report.ratios.insert(format!("{} {}/{}", self.quant, label(test), label(Test::Batch(1))), own / one);
            }
            for (engine, rounds) in rounds {
                let speed = median(&rounds);
                if engine != "sectora" {
                    let key = format!("{} {} sectora/{engine}", self.quant, label(test));
                    report.ratios.insert(key, own / speed);
                }
                report.results.push(Measured {
                    engine: engine.to_owned(),
                    model: self.model.clone(),
                    quant: self.quant.clone(),
                    threads: self.threads,
                    test: label(test),
                    tokens_per_s: speed,
                    rounds,
                    first_token_s: medians(&first).filter(|_| engine == "sectora"),
                    grammar_share: self.share.get().filter(|_| engine == "sectora"),
                    reading: reading.filter(|_| engine == "sectora"),
                });
            }
        }
        Ok(())
    }

    /// Tokens a second, and for a first token the seconds cold and over the same passages.
    fn ours(&self, model: &mut Model, test: Test) -> Result<(f64, Option<[f64; 2]>), Failure> {
        let failed = |e: sectora_lm::LmError| Failure::internal(e.to_string());
        // Ordinary words of any vocabulary that is large enough; small ones have their bytes there.
        let prompt = |length: usize, seed: u32| -> Vec<u32> {
            (0..length.max(1) as u32).map(|i| (seed + i * 37) % 250).collect()
        };
        if let Test::Batch(chats) = test {
            let sampling = Sampling { max_tokens: self.arguments.write.max(2), ..Sampling::default() };
            let requests: Vec<_> = (0..chats as u32).map(|i| (prompt(16, 7 * i), sampling.clone())).collect();
            let begin = Instant::now();
            let ends = model.generate_all(&requests).map_err(failed)?;
            let written: usize = ends.iter().map(|end| end.completion_tokens).sum();
            return Ok((written as f64 / begin.elapsed().as_secs_f64(), None));
        }
        if let Test::Formed(depth, grammar) = test {
            // Quotations all the time are the dearest that a citing text can be.
            let quotes = model.tokenizer().id("\"").filter(|_| grammar == Grammar::Citing);
            let logit_bias = quotes.map(|id| (id, 50.0)).into_iter().collect();
            let sampling = Sampling { max_tokens: self.arguments.write.max(2), logit_bias, ..Sampling::default() };
            let words = "What was measured, where, and how often it was repeated. ".repeat(30);
            let form = match grammar {
                Grammar::Citing => Form::Citing((1..=6).map(|n| (n, format!("{n}: {words}"))).collect()),
                Grammar::Json => Form::Json(serde_json::json!({
                    "type": "object",
                    "properties": { "answer": { "type": "string" }, "sources": { "type": "array", "items": { "type": "integer" } } },
                    "required": ["answer", "sources"],
                    "additionalProperties": false,
                })),
            };
            let wanted = (&sampling, Some(&form));
            let done = model.generate_as(prompt(depth, 0), wanted, &|| false, &mut |_| ControlFlow::Continue(()));
            let done = done.map_err(failed)?;
            let seconds = done.total_s - done.first_token_s;
            self.share.set(Some(done.form_s / seconds));
            return Ok((done.completion_tokens.saturating_sub(1) as f64 / seconds, None));
        }
        if matches!(test, Test::Prefill(_) | Test::FirstToken(_)) {
            // The last round left its prompt in the cache.
            model.forget();
        }
        let mut generate = |prompt: &[u32], new: usize| -> Result<Generation, Failure> {
            let sampling = Sampling { max_tokens: new, ..Sampling::default() };
            model.generate(prompt, &sampling, &|| false, &mut |_| ControlFlow::Continue(())).map_err(failed)
        };
        Ok(match test {
            Test::Prefill(tokens) => {
                generate(&[251, 1], 1)?;
                let done = generate(&prompt(tokens, 0), 1)?;
                (tokens as f64 / done.first_token_s, None)
            }
            Test::Decode(depth) => {
                let done = generate(&prompt(depth, 0), self.arguments.write.max(2))?;
                let written = done.completion_tokens.saturating_sub(1) as f64;
                (written / (done.total_s - done.first_token_s), None)
            }
            Test::FirstToken(tokens) => {
                generate(&[251, 1], 1)?;
                let question = |seed| [prompt(tokens, 0), prompt(32, seed)].concat();
                let cold = generate(&question(5), 1)?;
                let again = generate(&question(11), 1)?;
                let speed = (tokens + 32) as f64 / again.first_token_s;
                (speed, Some([cold.first_token_s, again.first_token_s]))
            }
            Test::Batch(_) | Test::Formed(..) | Test::Quoting(_) | Test::Reordered(_) => {
                unreachable!("measured elsewhere")
            }
        })
    }

    /// llama-bench's figure; nothing for what it does not measure.
    fn theirs(&self, program: &Path, test: Test) -> Result<Option<f64>, Failure> {
        let write = self.arguments.write.to_string();
        let (read, write, depth) = match test {
            Test::Prefill(tokens) => (tokens.to_string(), "0".to_owned(), 0),
            Test::Decode(depth) => ("0".to_owned(), write, depth),
            Test::FirstToken(_) | Test::Batch(_) | Test::Formed(..) | Test::Quoting(_) | Test::Reordered(_) => {
                return Ok(None);
            }
        };
        let (threads, depth) = (self.threads.to_string(), depth.to_string());
        let done = Process::new(program)
            .arg("-m")
            .arg(self.file)
            .args(["-p", &read, "-n", &write, "-d", &depth, "-t", &threads, "-r", "1", "-ngl", "0", "-o", "json"])
            .output()
            .map_err(|e| Failure::bad_input(format!("{}: {e}", program.display())))?;
        let answer: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        answer[0]["avg_ts"].as_f64().map(Some).ok_or_else(|| {
            let said = String::from_utf8_lossy(&done.stderr);
            let last = said.lines().last().unwrap_or("nothing").to_owned();
            Failure::bad_input(format!("{} gave no avg_ts for {}; it said: {last}", program.display(), label(test)))
        })
    }
}

fn test(name: &str) -> Result<Test, Failure> {
    let wrong = || {
        Failure::bad_input(format!(
            "test {name}: write p, d, t, c, j, q or r and a number of tokens, like p512, or b and up to 64 chats"
        ))
    };
    let (kind, tokens) = name.split_at_checked(1).ok_or_else(wrong)?;
    let tokens = tokens.parse().ok().filter(|&n: &usize| n <= 1 << 20).ok_or_else(wrong)?;
    match kind {
        "p" if tokens > 0 => Ok(Test::Prefill(tokens)),
        "d" => Ok(Test::Decode(tokens)),
        "t" if tokens > 0 => Ok(Test::FirstToken(tokens)),
        "c" => Ok(Test::Formed(tokens, Grammar::Citing)),
        "j" => Ok(Test::Formed(tokens, Grammar::Json)),
        "q" if tokens > 0 => Ok(Test::Quoting(tokens)),
        "r" if tokens >= 512 => Ok(Test::Reordered(tokens)),
        "b" if (1..=64).contains(&tokens) => Ok(Test::Batch(tokens)),
        _ => Err(wrong()),
    }
}

fn size(test: Test) -> usize {
    match test {
        Test::Prefill(n)
        | Test::Decode(n)
        | Test::FirstToken(n)
        | Test::Formed(n, _)
        | Test::Quoting(n)
        | Test::Reordered(n) => n,
        Test::Batch(_) => 16,
    }
}

fn chats(test: Test) -> usize {
    match test {
        Test::Batch(n) => n,
        Test::Prefill(_)
        | Test::Decode(_)
        | Test::FirstToken(_)
        | Test::Formed(..)
        | Test::Quoting(_)
        | Test::Reordered(_) => 1,
    }
}

/// Tokens a second that this engine writes in one chat, where that was measured.
fn one_chat(results: &[Measured], quant: &str) -> Option<f64> {
    let alone = |m: &&Measured| m.engine == "sectora" && m.test == label(Test::Batch(1)) && m.quant == quant;
    results.iter().find(alone).map(|m| m.tokens_per_s)
}

/// Tokens a second of the same answer without drafts and with them. A grammar allows one text only, so that any
/// weights write it; of its bytes two thirds stand in the prompt, in sentences that other words join.
fn quoting(model: &mut Model, tokens: usize) -> Result<[f64; 2], Failure> {
    let failed = |e: sectora_lm::LmError| Failure::internal(e.to_string());
    let passage = |n: usize| {
        let [a, b, c] = [n * 7919 % 97, n * 104_729 % 89, n * 1_299_709 % 83];
        format!("In trial {n} the cell kept {a}.{b} % of its charge after {c}00 cycles at {b} degrees. ")
    };
    let mut text: String = (0..).map(passage).take(tokens.div_ceil(20)).collect();
    let mut prompt = model.tokenizer().encode(&text).map_err(failed)?;
    prompt.truncate(tokens);
    text.truncate(model.tokenizer().decode(&prompt).len());
    let answer = quotes(&text).ok_or_else(|| {
        Failure::bad_input(format!(
            "test q{tokens}: with this model so many tokens hold no three sentences to quote; name more"
        ))
    })?;
    let form = Form::Json(serde_json::json!({ "const": answer }));
    let sampling = Sampling { max_tokens: 4 * answer.len(), ..Sampling::default() };
    let mut speeds = [0.0; 2];
    for (speed, lookup) in speeds.iter_mut().zip([0, Options::default().lookup]) {
        model.set_lookup(lookup);
        let mut written = String::new();
        let done = model.generate_as(&prompt, (&sampling, Some(&form)), &|| false, &mut |piece| {
            written.push_str(piece);
            ControlFlow::Continue(())
        });
        let done = done.map_err(failed)?;
        if serde_json::from_str::<String>(&written).ok().as_ref() != Some(&answer) {
            return Err(Failure::internal(format!("the model wrote {written:?} where only {answer:?} was allowed")));
        }
        *speed = done.completion_tokens.saturating_sub(1) as f64 / (done.total_s - done.first_token_s);
    }
    model.set_lookup(0);
    Ok(speeds)
}

/// An answer of three sentences of a text, each behind words of its own; none where the text has fewer.
fn quotes(text: &str) -> Option<String> {
    const OWN: [&str; 3] =
        ["As the reports of both groups say: ", "What followed was less clear, but ", "Nobody repeated it, and so "];
    let sentences: Vec<&str> = text.split_inclusive(". ").filter(|sentence| sentence.ends_with(". ")).collect();
    let quoted = OWN.iter().enumerate().map(|(i, own)| format!("{own}{}", sentences[sentences.len() * (i + 1) / 5]));
    (sentences.len() >= OWN.len()).then(|| quoted.collect())
}

/// From now on [`peak_memory`] counts from what is in memory now; Linux alone can.
fn forget_peak() {
    // Where it cannot, the figure is too large, not too small.
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// Most bytes this process had in memory so far, where the system says so.
fn peak_memory() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb << 10)
}

fn label(test: Test) -> String {
    match test {
        Test::Prefill(n) => format!("prefill {n}"),
        Test::Decode(n) => format!("decode at {n}"),
        Test::FirstToken(n) => format!("first token again {n}"),
        Test::Batch(n) => format!("batch {n}"),
        Test::Formed(n, Grammar::Citing) => format!("decode citing at {n}"),
        Test::Formed(n, Grammar::Json) => format!("decode JSON at {n}"),
        Test::Quoting(n) => format!("decode quoting {n}"),
        Test::Reordered(n) => format!("first token reordered {n}"),
    }
}

fn value_name<T: ValueEnum>(value: T) -> String {
    value.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

fn random(context: &Context, folder: &Path, shape: Shape, quant: Quant) -> Result<PathBuf, Failure> {
    let file = folder.join(format!("random-{}-{}.gguf", value_name(shape), value_name(quant)));
    if file.exists() {
        return Ok(file);
    }
    context.output.note(&format!("writing {}", file.display()));
    let dtype = match quant {
        Quant::Q8_0 => GgmlDType::Q8_0,
        Quant::Q4_0 => GgmlDType::Q4_0,
        Quant::Q4_1 => GgmlDType::Q4_1,
        Quant::Q5_0 => GgmlDType::Q5_0,
        Quant::Q5_1 => GgmlDType::Q5_1,
        Quant::Q4K => GgmlDType::Q4K,
        Quant::Q5K => GgmlDType::Q5K,
        Quant::Q6K => GgmlDType::Q6K,
        Quant::F16 => GgmlDType::F16,
    };
    let shape = match shape {
        Shape::Qwen3 => RandomShape::qwen3_0_6b(),
        Shape::Smollm2 => RandomShape::smollm2_135m(),
        Shape::Llama32 => RandomShape::llama_3_2_1b(),
        Shape::Tiny => RandomShape { context: 4096, ..RandomShape::tiny(sectora_lm::Architecture::Qwen3) },
    };
    write_gguf(&shape, dtype, &file, 0).map_err(|e| Failure::bad_input(format!("{}: {e}", file.display())))?;
    Ok(file)
}

fn table(report: &Report) -> String {
    let mut lines = vec![format!("{:<10} {:<16} {:<24} {:>12}", "quant", "engine", "test", "tokens/s")];
    for m in &report.results {
        let first = m.first_token_s.map_or_else(String::new, |[cold, again]| {
            format!("   first token {cold:.2} s cold, {again:.3} s again ({:.1} times)", cold / again)
        });
        let first = m.reading.map_or(first, |r| {
            let (bytes, speed) = (r.token_bytes as f64 / 1e6, r.bytes_per_s / 1e9);
            format!("   {bytes:.0} MB a token, {:.0} % of {speed:.1} GB/s", 100.0 * r.share)
        });
        let first = m.grammar_share.map_or(first, |share| format!("   grammar {:.2} % of it", 100.0 * share));
        lines.push(format!("{:<10} {:<16} {:<24} {:>12.1}{first}", m.quant, m.engine, m.test, m.tokens_per_s));
    }
    lines.extend(report.reused.iter().map(reuse::line));
    lines.extend(report.ratios.iter().map(|(what, ratio)| format!("{what}: {ratio:.2}")));
    if let Some([announced, measured]) = report.memory {
        lines.push(format!("memory: {} MB announced, {} MB at most in use", announced >> 20, measured >> 20));
    }
    lines.join("\n")
}

/// The median of each of two times; none without rounds.
fn medians(rounds: &[[f64; 2]]) -> Option<[f64; 2]> {
    let of = |i: usize| median(&rounds.iter().map(|round| round[i]).collect::<Vec<f64>>());
    (!rounds.is_empty()).then(|| [of(0), of(1)])
}

/// The middle one, or the mean of the two in the middle; 0 of none.
fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, middle) if n % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_rounds() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 30.0]), 3.0);
        assert_eq!(medians(&[[3.0, 0.1], [1.0, 0.3], [2.0, 0.2]]), Some([2.0, 0.2]));
        assert_eq!(medians(&[]), None);
    }

    #[test]
    fn many_chats_are_compared_with_one_of_this_engine() {
        let measured = |engine: &str, tokens_per_s| Measured {
            engine: engine.into(),
            model: String::new(),
            quant: "q4_0".into(),
            threads: 2,
            test: label(Test::Batch(1)),
            tokens_per_s,
            rounds: Vec::new(),
            first_token_s: None,
            grammar_share: None,
            reading: None,
        };
        let results = [measured("candle", 5.0), measured("sectora", 60.0)];
        assert_eq!((one_chat(&results, "q4_0"), one_chat(&results, "q8_0")), (Some(60.0), None));
        assert_eq!(one_chat(&results[..1], "q4_0"), None);
    }

    #[test]
    fn an_answer_quotes_three_sentences_or_there_is_none() {
        assert_eq!(quotes(""), None);
        assert_eq!(quotes("One. Two. Thr"), None);
        let five = quotes("Nil. One. Two. Three. Four. ").unwrap();
        assert!(["say: One. ", "but Two. ", "so Three. "].iter().all(|part| five.contains(part)), "{five}");
        assert!(quotes("Nil. One. Two. ").is_some());
    }

    #[test]
    fn tests_are_named_by_a_letter_and_a_number() {
        assert!(matches!(test("p128"), Ok(Test::Prefill(128))));
        assert!(matches!(test("d0"), Ok(Test::Decode(0))));
        assert!(matches!(test("t20"), Ok(Test::FirstToken(20))));
        assert!(matches!(test("b8"), Ok(Test::Batch(8))));
        assert!(matches!(test("r2048"), Ok(Test::Reordered(2048))));
        for wrong in ["", "p", "p0", "r100", "b0", "b65", "x5", "d-1", "é1", "p99999999"] {
            assert!(test(wrong).is_err(), "{wrong}");
        }
    }
}
