//! `bench retrieve`: how long does a search take, what does it miss, what does the index weigh, at a given size?
//!
//! Points are made up: dense vectors around random centres (as texts gather around subjects), sparse vectors with terms
//! drawn by Zipf's law, years and institutions to filter on. Recall is taken against exact search of the same store.

mod world;

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::super::{Context, Failure, Outcome};
use super::{memory, temporary, threads};
use crate::evaluate::statistics::percentile;
use crate::index::{EdgeOptions, EdgeStore, Filter, Hit, IndexError, Mode, Query, VectorStore, Vectors};
use crate::retrieve::fusion;
use world::{Asked, World};

/// The program that runs usearch.
const PEER: &str = include_str!("../../../tools/vector_peer/peer.py");
/// Points written at a time.
const BATCH: usize = 512;
/// Candidates of each side before they are joined, as `search.prefetch`.
const PREFETCH: usize = 100;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Chunks in the index
    #[arg(long, default_value_t = 50_000)]
    chunks: usize,
    /// Length of the dense vectors (default: the encoder's inside the program)
    #[arg(long, default_value_t = 224)]
    dim: usize,
    /// Questions
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// Hits wanted
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Keep int8 copies of the vectors in memory and the vectors themselves on disk, for the last comparison
    #[arg(long)]
    quantized: bool,
    /// Give frequent values of the payload links of their own in the graph, as Qdrant does by default
    #[arg(long)]
    payload_links: bool,
    /// A Python with usearch (tools/vector_peer/requirements.txt): the same vectors and questions there
    #[arg(long, value_name = "PYTHON")]
    usearch: Option<PathBuf>,
    /// Seed
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Keep the index in this folder (it must not exist)
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    chunks: usize,
    dim: usize,
    quantized: bool,
    payload_links: bool,
    /// Seconds of writing all points; making them up is not counted.
    write_s: f64,
    /// Seconds of building the graphs afterwards, by the clock.
    optimise_s: f64,
    /// The same in seconds of processor time of all threads: what it takes whatever else the machine does.
    optimise_cpu_s: Option<f64>,
    /// Bytes of the index on disk.
    disk_bytes: u64,
    /// Memory of this process after the last search, files mapped into it included, and its peak.
    resident_bytes: Option<u64>,
    peak_bytes: Option<u64>,
    modes: Vec<Measured>,
    /// Other engines: dense search without a filter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<Peer>,
    /// Our dense search against each: how many times as fast at p50, by how much more it finds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ratios: BTreeMap<String, Ratio>,
}

/// What `tools/vector_peer/peer.py` prints.
#[derive(Serialize, Deserialize)]
struct Peer {
    engine: String,
    build_s: f64,
    build_cpu_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    recall: f64,
    /// Memory of its index.
    bytes: u64,
}

#[derive(Serialize)]
struct Ratio {
    p50: f64,
    recall_difference: f64,
    /// Its processor time of building over ours.
    build_cpu: Option<f64>,
}

#[derive(Serialize)]
struct Measured {
    mode: &'static str,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    /// Share of the exact search's hits that this one finds; none where it is the exact one.
    recall: Option<f64>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    if arguments.chunks == 0 || arguments.queries == 0 || arguments.limit == 0 {
        return Err(Failure::bad_input("--chunks, --queries and --limit must be at least 1"));
    }
    let temporary = temporary()?;
    let folder = arguments.keep.clone().unwrap_or_else(|| temporary.path().join("store"));
    if folder.exists() {
        return Err(Failure::bad_input(format!("{}: exists already; name a new folder", folder.display())));
    }
    let options = EdgeOptions { quantized: arguments.quantized, payload_links: arguments.payload_links };
    let store = EdgeStore::open(&folder, Vectors::dense(arguments.dim), options)?;
    let world = World::new(arguments);
    let shown = context.output.is_interactive();
    let mut write_s = 0.0;
    for from in (0..arguments.chunks).step_by(BATCH) {
        let to = arguments.chunks.min(from + BATCH);
        let points = (from..to).map(|i| world.point(i)).collect();
        let begin = Instant::now();
        store.upsert(points)?;
        write_s += begin.elapsed().as_secs_f64();
        if shown && from % (BATCH * 40) == 0 {
            context.output.note(&format!("{from} of {} chunks", arguments.chunks));
        }
    }
    let (begin, used) = (Instant::now(), processor_s());
    store.maintain()?;
    let optimise_s = begin.elapsed().as_secs_f64();
    let optimise_cpu_s = processor_s().zip(used).map(|(after, before)| after - before);
    let modes = measure(&world, &store, arguments)?;
    let peers = match &arguments.usearch {
        Some(python) => usearch(&world, &store, arguments, python)?,
        None => Vec::new(),
    };
    let report = Report {
        chunks: arguments.chunks,
        dim: arguments.dim,
        quantized: arguments.quantized,
        payload_links: arguments.payload_links,
        write_s,
        optimise_s,
        optimise_cpu_s,
        disk_bytes: bytes_below(&folder)?,
        resident_bytes: memory("VmRSS:"),
        peak_bytes: memory("VmHWM:"),
        ratios: ratios(&modes, &peers, optimise_cpu_s),
        modes,
        peers,
    };
    context.output.result(&report, table);
    Ok(Outcome::Yes)
}

fn measure(world: &World, store: &EdgeStore, arguments: &Arguments) -> Result<Vec<Measured>, Failure> {
    let questions: Vec<Asked> = (0..arguments.queries).map(|i| world.asked(i)).collect();
    let tenth = Filter::default().institutions(&["institution 3".to_owned()]).years(Some(2005), None);
    let limit = arguments.limit;
    let ask = |mode: Mode, filter: Option<&Filter>, limit: usize, exact: bool| {
        store.query(&Query { mode, filter: filter.cloned(), limit, exact })
    };
    let dense = |q: &Asked, filter, exact| ask(Mode::Dense(q.dense.clone()), filter, limit, exact);
    let both = |q: &Asked, filter: Option<&Filter>, exact| {
        let dense = ask(Mode::Dense(q.dense.clone()), filter, PREFETCH, exact)?;
        let sparse = ask(Mode::Sparse(q.sparse.clone()), filter, PREFETCH, exact)?;
        let sides = fusion::Sides { sparse: &sparse, dense: &dense, across: &[], found: 0.5 };
        Ok(fusion::by_score(&sides, [1.0, 1.0], limit))
    };
    let mut modes = Vec::new();
    let exact = timed("dense, exact", &questions, &mut modes, None, &|q| dense(q, None, true))?;
    timed("dense", &questions, &mut modes, Some(&exact), &|q| dense(q, None, false))?;
    timed("sparse", &questions, &mut modes, None, &|q| ask(Mode::Sparse(q.sparse.clone()), None, limit, false))?;
    let exact = timed("hybrid, exact", &questions, &mut modes, None, &|q| both(q, None, true))?;
    timed("hybrid", &questions, &mut modes, Some(&exact), &|q| both(q, None, false))?;
    let exact = timed("hybrid, filtered, exact", &questions, &mut modes, None, &|q| both(q, Some(&tenth), true))?;
    timed("hybrid, filtered", &questions, &mut modes, Some(&exact), &|q| both(q, Some(&tenth), false))?;
    Ok(modes)
}

/// The same vectors and questions in usearch; its recall is against our exact search.
fn usearch(world: &World, store: &EdgeStore, arguments: &Arguments, python: &Path) -> Result<Vec<Peer>, Failure> {
    let work = temporary()?;
    let file = |name: &str| work.path().join(name);
    let mut vectors = BufWriter::new(create(&file("vectors"))?);
    for i in 0..arguments.chunks {
        write_f32(&mut vectors, &world.dense(&mut world.random(i)))?;
    }
    let (mut questions, mut exact) =
        (BufWriter::new(create(&file("questions"))?), BufWriter::new(create(&file("exact"))?));
    for asked in (0..arguments.queries).map(|i| world.asked(i)) {
        write_f32(&mut questions, &asked.dense)?;
        let mode = Mode::Dense(asked.dense);
        let hits = store.query(&Query { mode, filter: None, limit: arguments.limit, exact: true })?;
        let missing = arguments.limit.saturating_sub(hits.len());
        let mut ids = hits.iter().map(|h| h.id).chain(std::iter::repeat_n(u64::MAX, missing));
        ids.try_for_each(|id| exact.write_all(&id.to_le_bytes())).map_err(failed)?;
    }
    for mut written in [vectors, questions, exact] {
        written.flush().map_err(failed)?;
    }
    let done = std::process::Command::new(python)
        .args(["-c", PEER])
        .args(["vectors", "questions", "exact"].map(file))
        .args([arguments.dim, arguments.limit, threads(0)].map(|n| n.to_string()))
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|e| Failure::bad_input(format!("{}: {e}", python.display())))?;
    serde_json::from_slice(&done.stdout).map_err(|_| Failure::bad_input("usearch did not run; its message is above"))
}

fn create(file: &Path) -> Result<fs_err::File, Failure> {
    fs_err::File::create(file).map_err(failed)
}

fn write_f32(to: &mut impl Write, numbers: &[f32]) -> Result<(), Failure> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    to.write_all(&bytes).map_err(failed)
}

fn failed(e: std::io::Error) -> Failure {
    Failure::internal(e.to_string())
}

fn ratios(modes: &[Measured], peers: &[Peer], build_cpu_s: Option<f64>) -> BTreeMap<String, Ratio> {
    let Some(ours) = modes.iter().find(|m| m.mode == "dense") else { return BTreeMap::new() };
    let ratio = |peer: &Peer| Ratio {
        p50: peer.p50_ms / ours.p50_ms,
        recall_difference: ours.recall.unwrap_or(f64::NAN) - peer.recall,
        build_cpu: build_cpu_s.map(|s| peer.build_cpu_s / s),
    };
    peers.iter().map(|peer| (format!("sectora / {}", peer.engine), ratio(peer))).collect()
}

type Asking<'a> = &'a dyn Fn(&Asked) -> Result<Vec<Hit>, IndexError>;

/// Asks every question twice and takes the second time (the first maps the files into memory).
fn timed(
    mode: &'static str,
    questions: &[Asked],
    modes: &mut Vec<Measured>,
    exact: Option<&[Vec<u64>]>,
    ask: Asking<'_>,
) -> Result<Vec<Vec<u64>>, Failure> {
    let mut found = Vec::with_capacity(questions.len());
    let mut times = Vec::with_capacity(questions.len());
    for question in questions {
        ask(question)?;
    }
    for question in questions {
        let begin = Instant::now();
        let hits = ask(question)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        found.push(hits.iter().map(|h| h.id).collect::<Vec<u64>>());
    }
    times.sort_by(f64::total_cmp);
    let at = |share| percentile(&times, share).unwrap_or(f64::NAN);
    let recall = exact.map(|exact| {
        let kept = exact.iter().zip(&found).map(|(e, f)| e.iter().filter(|id| f.contains(id)).count()).sum::<usize>();
        kept as f64 / exact.iter().map(Vec::len).sum::<usize>().max(1) as f64
    });
    modes.push(Measured { mode, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), recall });
    Ok(found)
}

fn bytes_below(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(folder) {
        let meta = entry.and_then(|e| e.metadata());
        let meta = meta.map_err(|e| Failure::internal(format!("{}: {e}", folder.display())))?;
        bytes += if meta.is_file() { on_disk(&meta) } else { 0 };
    }
    Ok(bytes)
}

/// What a file takes on the disk: files that are reserved ahead are longer than that.
#[cfg(unix)]
fn on_disk(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(meta) * 512
}

#[cfg(not(unix))]
fn on_disk(meta: &std::fs::Metadata) -> u64 {
    meta.len()
}

/// Processor seconds that all threads of this process have used; nothing where there is no `/proc`.
fn processor_s() -> Option<f64> {
    /// Ticks a second, the same on every Linux that we know of.
    const TICKS: f64 = 100.0;
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    // After the name, which may hold anything, user and system time are the 12th and 13th field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn table(report: &Report) -> String {
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    let memory = report.resident_bytes.zip(report.peak_bytes);
    let memory =
        memory.map_or_else(String::new, |(now, peak)| format!(", memory {:.0} MiB (peak {:.0})", mib(now), mib(peak)));
    let mut lines = vec![format!(
        "{} chunks of {} dimensions{}{}: written in {:.1} s, graphs in {:.1} s ({:.0} s of processor time), disk {:.0} MiB{memory}",
        report.chunks,
        report.dim,
        if report.quantized { ", int8" } else { "" },
        if report.payload_links { ", links by payload" } else { "" },
        report.write_s,
        report.optimise_s,
        report.optimise_cpu_s.unwrap_or(f64::NAN),
        mib(report.disk_bytes)
    )];
    lines.push(format!("{:<26} {:>9} {:>9} {:>9} {:>8}", "mode", "p50 ms", "p95 ms", "p99 ms", "recall"));
    for m in &report.modes {
        let recall = m.recall.map_or_else(|| "-".to_owned(), |r| format!("{r:.4}"));
        lines.push(format!("{:<26} {:>9.2} {:>9.2} {:>9.2} {recall:>8}", m.mode, m.p50_ms, m.p95_ms, m.p99_ms));
    }
    for p in &report.peers {
        let name = format!("dense, {}", p.engine);
        lines.push(format!(
            "{name:<26} {:>9.2} {:>9.2} {:>9.2} {:>8.4}   built in {:.1} s ({:.0} s of processor time), {:.0} MiB",
            p.p50_ms,
            p.p95_ms,
            p.p99_ms,
            p.recall,
            p.build_s,
            p.build_cpu_s,
            mib(p.bytes)
        ));
    }
    for (pair, r) in &report.ratios {
        let build = r.build_cpu.map_or_else(String::new, |b| format!(", building {b:.2} times"));
        lines.push(format!("{pair}: dense {:.2} times the speed, recall {:+.4}{build}", r.p50, r.recall_difference));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_index_is_searched_in_every_mode_and_exactly_where_that_is_said() {
        let arguments = Arguments {
            chunks: 300,
            dim: 16,
            queries: 5,
            limit: 10,
            quantized: false,
            payload_links: false,
            usearch: None,
            seed: 1,
            keep: None,
        };
        let dir = tempfile::tempdir().unwrap();
        let store = EdgeStore::open(&dir.path().join("s"), Vectors::dense(16), EdgeOptions::default()).unwrap();
        let world = World::new(&arguments);
        store.upsert((0..300).map(|i| world.point(i)).collect()).unwrap();
        let modes = measure(&world, &store, &arguments).map_err(|f| f.message).unwrap();
        assert_eq!(modes.len(), 7);
        // So few points are compared one by one: nothing can be missed.
        assert!(modes.iter().filter_map(|m| m.recall).all(|r| (r - 1.0).abs() < 1e-9));
        assert!(bytes_below(dir.path()).map_err(|f| f.message).unwrap() > 300 * 16 * 4);
    }
}
