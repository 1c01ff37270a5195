//! Each file is parsed in a process of its own: a hostile one can crash or starve only that.
//!
//! The program starts itself with [`WORKER`](super::WORKER) as its first argument, writes one request
//! to the worker's standard input and reads one reply from its standard output. The worker limits its
//! own memory and CPU time before it opens the file; the parent watches the clock and the size of the reply.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::readers::{self, Input, one_line};
use super::{ExtractOptions, Extracted, Limits, ReadError, RecordMapping, WORKER};

/// Stack of the thread that parses, bytes: deep nesting is refused late, not by a crash.
const STACK: usize = 256 << 20;
/// How often the parent looks whether the worker is done.
const POLL: Duration = Duration::from_millis(2);

#[derive(Serialize, Deserialize)]
struct Request {
    path: PathBuf,
    mapping: RecordMapping,
    limits: Limits,
}

type Reply = Result<Vec<Extracted>, ReadError>;

/// Reads one file in a worker process.
pub fn extract(path: &Path, options: &ExtractOptions<'_>) -> Result<Vec<Extracted>, ReadError> {
    let meta = fs_err::metadata(path).map_err(|e| ReadError::Io(e.to_string()))?;
    if !meta.is_file() {
        return Err(ReadError::Io("not a regular file".into()));
    }
    if meta.len() == 0 {
        return Err(ReadError::Empty);
    }
    if meta.len() > options.limits.input {
        return Err(ReadError::TooLarge { bytes: meta.len(), limit: options.limits.input });
    }
    let request = Request { path: path.to_path_buf(), mapping: options.mapping.clone(), limits: options.limits };
    run(options.program, &request).map_err(|e| ReadError::Io(format!("cannot run a worker: {e}")))?
}

fn run(program: &Path, request: &Request) -> std::io::Result<Reply> {
    let mut child = Command::new(program)
        .arg(WORKER)
        // Parsers must not spread over threads: CPU time is limited a process, and files go side by side already.
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("piped above");
    let output = child.stdout.take().expect("piped above");
    let errors = child.stderr.take().expect("piped above");
    input.write_all(&serde_json::to_vec(request)?)?;
    input.write_all(b"\n")?;
    let limits = request.limits;
    let begin = Instant::now();
    // The worker's input stays open: when this process dies it closes, and the worker ends itself.
    std::thread::scope(|scope| {
        let reply = scope.spawn(move || read_up_to(output, limits.output));
        let words = scope.spawn(move || read_up_to(errors, 64 << 10));
        let status = wait(&mut child, limits.wall)?;
        drop(input);
        let reply = reply.join().unwrap_or_default();
        let words = words.join().unwrap_or_default();
        Ok(judge(status, begin.elapsed(), &reply, &words, &limits))
    })
}

/// Reads at most `limit` bytes, then goes on reading to nowhere so that the writer does not block.
fn read_up_to(mut from: impl Read, limit: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = from.by_ref().take(limit + 1).read_to_end(&mut out);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    out
}

/// `None` when the time was up and the worker was killed.
fn wait(child: &mut Child, wall: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > wall {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn judge(status: Option<ExitStatus>, took: Duration, reply: &[u8], words: &[u8], limits: &Limits) -> Reply {
    let cpu_time = || Err(ReadError::Limit(format!("{} s of CPU time", limits.cpu.as_secs())));
    let memory = || Err(ReadError::Limit(format!("{} MiB of memory", limits.memory >> 20)));
    let Some(status) = status else {
        return Err(ReadError::Limit(format!("{} s", limits.wall.as_secs())));
    };
    if reply.len() as u64 > limits.output {
        return Err(ReadError::Limit(format!("{} MiB of text", limits.output >> 20)));
    }
    if status.success() {
        let reply: Reply = serde_json::from_slice(reply)
            .unwrap_or_else(|e| Err(ReadError::Crashed(one_line(&format!("its reply is cut off: {e}")))));
        // A parser that asks whether memory is left, instead of ending without it, takes the lack for damage.
        return if matches!(&reply, Err(e) if e.to_string().ends_with("out of memory")) { memory() } else { reply };
    }
    let words = String::from_utf8_lossy(words);
    if words.contains("memory allocation") {
        return memory();
    }
    match signal(status) {
        Some(Signal::CpuTime) => cpu_time(),
        // The hard limit of CPU time kills too, but no process uses more of it than the clock on its one thread shows.
        Some(Signal::Killed) if took >= limits.cpu => cpu_time(),
        Some(Signal::Killed) => Err(ReadError::Killed),
        Some(Signal::Other(n)) if words.contains("overflowed its stack") => {
            Err(ReadError::Crashed(format!("stack overflow, signal {n}: nested too deeply")))
        }
        Some(Signal::Other(n)) => Err(ReadError::Crashed(format!("signal {n}"))),
        None => {
            let last = words.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("no reason given");
            Err(ReadError::Crashed(one_line(last)))
        }
    }
}

enum Signal {
    CpuTime,
    Killed,
    Other(i32),
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<Signal> {
    use std::os::unix::process::ExitStatusExt;
    // SIGXCPU at the soft limit of CPU time, SIGKILL at the hard one (24 and 9 on every Unix we build for).
    status.signal().map(|n| match n {
        24 => Signal::CpuTime,
        9 => Signal::Killed,
        n => Signal::Other(n),
    })
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<Signal> {
    None
}

/// What the program does when it is started as a worker: one request on stdin, one reply on stdout.
pub fn worker_main() -> ExitCode {
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).is_err() {
        return ExitCode::from(2);
    }
    let Ok(request) = serde_json::from_str::<Request>(&line) else {
        eprintln!("{WORKER} is how sectora starts itself to read one file; use `sectora ingest`");
        return ExitCode::from(2);
    };
    limit_self(&request.limits);
    end_with_parent();
    let reply = parse(&request);
    let sent = serde_json::to_vec(&reply).map_err(std::io::Error::from).and_then(|bytes| {
        let mut out = std::io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    });
    if sent.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

#[cfg(unix)]
fn limit_self(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let both = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    let cpu = limits.cpu.as_secs().max(1);
    // Best effort: a system that refuses a limit still has the parent's clock.
    let _ = setrlimit(Resource::As, both(limits.memory));
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(cpu), maximum: Some(cpu + 1) });
    let _ = setrlimit(Resource::Core, both(0));
}

#[cfg(not(unix))]
fn limit_self(_limits: &Limits) {}

/// A thread that waits for the end of standard input, which comes only when the parent is gone.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(4);
    });
}

fn parse(request: &Request) -> Reply {
    std::panic::set_hook(Box::new(|_| ()));
    let work = || {
        let bytes = fs_err::read(&request.path).map_err(|e| ReadError::Io(e.to_string()))?;
        let name = request.path.file_name().unwrap_or_default().to_string_lossy();
        let input = Input { bytes: &bytes, name: &name, mapping: &request.mapping };
        catch_unwind(AssertUnwindSafe(|| readers::read(&input))).unwrap_or_else(|panic| {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic");
            Err(ReadError::Crashed(one_line(words)))
        })
    };
    std::thread::scope(|scope| match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or_else(|_| Err(ReadError::Crashed("panic".into()))),
        Err(e) => Err(ReadError::Io(format!("no memory for a thread: {e}"))),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn the_reason_of_an_end_is_said_exactly() {
        let limits = Limits { cpu: Duration::from_secs(20), wall: Duration::from_secs(30), ..Limits::default() };
        let said = |raw: Option<i32>, seconds: u64, words: &str| {
            let status = raw.map(ExitStatus::from_raw);
            judge(status, Duration::from_secs(seconds), b"", words.as_bytes(), &limits).unwrap_err().to_string()
        };
        assert!(said(None, 30, "").contains("30 s"));
        assert!(said(Some(24), 21, "").contains("20 s of CPU time"));
        assert!(said(Some(9), 21, "").contains("20 s of CPU time"));
        assert!(said(Some(9), 3, "").contains("memory of this machine"));
        assert!(said(Some(6), 3, "memory allocation of 8 bytes failed").contains("4096 MiB of memory"));
        assert!(said(Some(6), 3, "thread 'x' has overflowed its stack").contains("nested too deeply"));
        assert!(said(Some(11), 3, "").contains("signal 11"));
    }
}
