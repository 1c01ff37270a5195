//! `bench llm`: how fast does the local engine read and write on this machine, next to its peers?
//!
//! Weights are random (speed does not depend on them), shapes are real. Engines take turns in every round, and the median of
//! the rounds counts. llama.cpp is measured by its own `llama-bench` on the same file, candle-transformers by
//! `tools/candle_peer`, which takes the same arguments.

mod random;
mod report;
mod reuse;
mod speed;
mod workload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use candle_core::Device;
use clap::Args;
use sectora_lm::{CpuPath, Memory, Model, Options};

use super::super::{Context, Failure, Outcome};
use super::{memory, temporary, threads};
use random::{Quant, Shape, value_name};
use report::{Measured, Reading, Report, median, medians, one_chat, table};
use workload::{Test, Workload};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
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
    /// six passages of N tokens in all that come again in another order, and what using their keys and values again changes,
    /// sN is a chat that writes while another's prompt of N tokens is read, and its longest pause
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
    /// Instructions to use instead of the best: amx-bf16, avx512-bf16, avx512-vnni, avxvnni, avx2, neon-dot, neon-mull
    /// or scalar; amx, avx512 and neon stand for the fastest of that name that the processor has
    #[arg(long)]
    path: Option<String>,
    /// Measure candle's kernels too, in tests of at most 128 tokens (they are slow)
    #[arg(long)]
    candle: bool,
    /// llama.cpp's llama-bench, to measure too
    #[arg(long, value_name = "FILE")]
    llama_bench: Option<PathBuf>,
    /// candle-transformers' own quantized Qwen3, to measure too: the program of tools/candle_peer (CONTRIBUTING.md
    /// has the command that builds it)
    #[arg(long, value_name = "FILE")]
    candle_transformers: Option<PathBuf>,
    /// Keep the random files in this folder and use them again
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// This engine, and the same where it takes no drafts, in qN tests.
const OURS: &str = "sectora";
const PLAIN: &str = "sectora without drafts";

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    let threads = threads(arguments.threads.unwrap_or(context.config.threads));
    let tests = arguments.tests.iter().map(|name| Test::named(name)).collect::<Result<Vec<_>, _>>()?;
    let path = arguments.path.as_deref().map(instructions).transpose()?;
    let temporary = temporary()?;
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    fs_err::create_dir_all(folder).map_err(|e| Failure::bad_input(e.to_string()))?;
    let mut report = Report { results: Vec::new(), reused: Vec::new(), ratios: BTreeMap::new(), memory: None };
    let quants: Vec<Option<Quant>> = match arguments.model {
        Some(_) => vec![None],
        None => arguments.quant.iter().copied().map(Some).collect(),
    };
    for quant in quants {
        let (file, quant) = match (&arguments.model, quant) {
            (None, Some(quant)) => (random::file(context, folder, arguments.shape, quant)?, value_name(quant)),
            (file, _) => (file.clone().unwrap_or_default(), "as in the file".to_owned()),
        };
        let model = arguments.model.as_ref().map_or_else(|| value_name(arguments.shape), |f| f.display().to_string());
        Bench { context, arguments, file: &file, threads, path, model, quant }.run(&tests, &mut report)?;
    }
    report.memory = report.memory.zip(peak_memory()).map(|([announced, before], now)| [announced, before.max(now)]);
    context.output.result(&report, table);
    Ok(Outcome::Yes)
}

fn instructions(name: &str) -> Result<CpuPath, Failure> {
    CpuPath::named(name).ok_or_else(|| {
        let known: Vec<&str> = CpuPath::all().into_iter().map(CpuPath::name).collect();
        Failure::bad_input(format!("this processor has no {name}; it has {}", known.join(", ")))
    })
}

struct Bench<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    file: &'a Path,
    threads: usize,
    path: Option<CpuPath>,
    model: String,
    quant: String,
}

impl Bench<'_> {
    fn run(&self, tests: &[Test], report: &mut Report) -> Result<(), Failure> {
        let options = self.options(tests);
        let announced = Memory::plan(self.file, &options).map_err(|e| Failure::bad_input(e.to_string()))?.peak();
        let [most, used] = report.memory.unwrap_or_default();
        report.memory = Some([most.max(announced), used]);
        let open = |options: &Options| Model::open(self.file, options).map_err(|e| Failure::bad_input(e.to_string()));
        let mut ours = open(&options)?;
        self.context.output.note(&format!("{} {}: {}", self.model, self.quant, ours.describe()));
        let mut candle = match self.arguments.candle {
            true => Some(open(&Options { candle_kernels: true, ..options })?),
            false => None,
        };
        for test in tests {
            match *test {
                Test::Speed(workload) => self.measure(workload, (&mut ours, candle.as_mut()), report)?,
                Test::Reordered(tokens) => {
                    let place = (self.model.as_str(), self.quant.as_str(), self.threads);
                    report.reused.extend(reuse::run(&mut ours, tokens, self.rounds(), place)?);
                }
            }
        }
        Ok(())
    }

    fn options(&self, tests: &[Test]) -> Options {
        Options {
            device: Device::Cpu,
            context: tests.iter().map(|test| test.size()).max().unwrap_or(0) + 512,
            threads: self.threads,
            path: self.path,
            // Random weights repeat themselves, which lookup would make too good to be true.
            lookup: 0,
            kv: self.context.config.kv.into(),
            quantize: self.context.config.quantize,
            sequences: tests.iter().map(|test| test.chats()).max().unwrap_or(1),
            segment_bytes: if tests.iter().any(|t| matches!(t, Test::Reordered(_))) { reuse::BYTES } else { 0 },
            ..Options::default()
        }
    }

    fn rounds(&self) -> usize {
        self.arguments.rounds.max(1)
    }

    /// All rounds of a workload, the engines in turns.
    fn measure(
        &self,
        workload: Workload,
        (ours, mut candle): (&mut Model, Option<&mut Model>),
        report: &mut Report,
    ) -> Result<(), Failure> {
        let write = self.arguments.write;
        let mut rounds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut first: Vec<[f64; 2]> = Vec::new();
        let mut pauses: Vec<[f64; 2]> = Vec::new();
        let mut grammar_share = None;
        let mut bandwidth: f64 = 0.0;
        for _ in 0..self.rounds() {
            if matches!(workload, Workload::Decode(_)) {
                bandwidth = bandwidth.max(self.bandwidth(report));
            }
            let done = speed::of(ours, workload, write)?;
            rounds.entry(OURS).or_default().push(done.tokens_per_s);
            if let Some(plain) = done.without_drafts {
                rounds.entry(PLAIN).or_default().push(plain);
            }
            first.extend(done.first_token_s);
            pauses.extend(done.pause_s);
            grammar_share = done.grammar_share;
            if let Some(candle) = candle.as_deref_mut().filter(|_| workload.suits_candle()) {
                rounds.entry("candle").or_default().push(speed::of(candle, workload, write)?.tokens_per_s);
            }
            for (peer, program) in self.peers() {
                if let Some(speed) = self.llama_bench(program, workload)? {
                    rounds.entry(peer).or_default().push(speed);
                }
            }
        }
        let own = rounds.get(OURS).map_or(0.0, |r| median(r));
        let bytes = match workload {
            Workload::Decode(depth) => ours.token_bytes(depth + write / 2),
            Workload::Prefill(_)
            | Workload::FirstToken(_)
            | Workload::Batch(_)
            | Workload::Formed(..)
            | Workload::Quoting(_)
            | Workload::Beside(_) => None,
        };
        let reading = bytes.map(|bytes| Reading {
            token_bytes: bytes as u64,
            bytes_per_s: bandwidth,
            share: own * bytes as f64 / bandwidth,
        });
        if matches!(workload, Workload::Batch(chats) if chats > 1)
            && let Some(one) = one_chat(&report.results, &self.quant)
        {
            report.ratios.insert(format!("{} {workload}/{}", self.quant, Workload::Batch(1)), own / one);
        }
        for (engine, rounds) in rounds {
            let speed = median(&rounds);
            if engine != OURS {
                report.ratios.insert(format!("{} {workload} {OURS}/{engine}", self.quant), own / speed);
            }
            report.results.push(Measured {
                engine: engine.to_owned(),
                model: self.model.clone(),
                quant: self.quant.clone(),
                threads: self.threads,
                test: workload.to_string(),
                tokens_per_s: speed,
                rounds,
                first_token_s: medians(&first).filter(|_| engine == OURS),
                pause_s: medians(&pauses).filter(|_| engine == OURS),
                grammar_share: grammar_share.filter(|_| engine == OURS),
                reading: reading.filter(|_| engine == OURS),
            });
        }
        Ok(())
    }

    /// Bytes a second that memory gives. Measuring it takes half a gibibyte, which is not the engine's.
    fn bandwidth(&self, report: &mut Report) -> f64 {
        if let Some([_, used]) = &mut report.memory {
            *used = peak_memory().unwrap_or(0).max(*used);
        }
        let bytes_per_s = sectora_lm::read_bandwidth(self.threads);
        forget_peak();
        bytes_per_s
    }

    /// Engines that a program measures which takes llama-bench's arguments and prints its JSON.
    fn peers(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let Arguments { llama_bench, candle_transformers, .. } = self.arguments;
        let peers = [("llama.cpp", llama_bench), ("candle-transformers", candle_transformers)];
        peers.into_iter().filter_map(|(peer, program)| Some((peer, program.as_deref()?)))
    }

    /// The figure of llama-bench or of a program like it; nothing for what it does not measure.
    fn llama_bench(&self, program: &Path, workload: Workload) -> Result<Option<f64>, Failure> {
        let (read, write, depth) = match workload {
            Workload::Prefill(tokens) => (tokens, 0, 0),
            Workload::Decode(depth) => (0, self.arguments.write, depth),
            Workload::FirstToken(_)
            | Workload::Batch(_)
            | Workload::Formed(..)
            | Workload::Quoting(_)
            | Workload::Beside(_) => return Ok(None),
        };
        let [read, write, depth, threads] = [read, write, depth, self.threads].map(|n| n.to_string());
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
            Failure::bad_input(format!("{} gave no avg_ts for {workload}; it said: {last}", program.display()))
        })
    }
}

/// Most bytes this process had in memory so far, where the system says so.
fn peak_memory() -> Option<u64> {
    memory("VmHWM:")
}

/// From now on [`peak_memory`] counts from what is in memory now; Linux alone can.
fn forget_peak() {
    // Where it cannot, the figure is too large, not too small.
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}
