use serde::Serialize;

use super::{Context, Failure, Outcome};
use crate::adapt::available_memory;
use crate::app::App;
use crate::document::Language;
use crate::error::Classified;

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// Checks what a user would otherwise find out one error at a time.
pub(super) fn run(context: &Context) -> Result<Outcome, Failure> {
    let mut checks = vec![data_dir(context), processor()];
    checks.extend(memory(context));
    if checks.iter().any(|check| check.name == "memory" && !check.ok) {
        // Loading it now would only show what is known.
        return Ok(finish(context, &checks));
    }
    match App::open(context.config.clone()) {
        Ok(app) => checks.extend(opened(&app, context.language)?),
        Err(e) => checks.push(Check { name: "index", ok: false, detail: format!("{e} ({:?})", e.kind()) }),
    }
    Ok(finish(context, &checks))
}

fn finish(context: &Context, checks: &Vec<Check>) -> Outcome {
    context.output.result(checks, |all| {
        let line = |c: &Check| format!("{:9} {}  {}", c.name, if c.ok { "ok     " } else { "PROBLEM" }, c.detail);
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    if checks.iter().all(|c| c.ok) { Outcome::Yes } else { Outcome::No }
}

/// What the language model will take, said before it is loaded.
fn memory(context: &Context) -> Option<Check> {
    let memory = match App::memory(&context.config) {
        Ok(memory) => memory?,
        // Opening says what is wrong.
        Err(_) => return None,
    };
    let free = available_memory();
    let enough = free.is_none_or(|free| memory.peak() <= free);
    let free = free.map_or_else(String::new, |free| format!("; {} MB are free", free >> 20));
    let remedy = if enough { "" } else { "; choose a smaller model or lower server.concurrency" };
    Some(Check { name: "memory", ok: enough, detail: format!("the language model takes {memory}{free}{remedy}") })
}

fn data_dir(context: &Context) -> Check {
    let folder = context.config.data_dir();
    let probe = folder.join(".doctor");
    let written = fs_err::create_dir_all(&folder)
        .and_then(|()| fs_err::write(&probe, b"x"))
        .and_then(|()| fs_err::remove_file(&probe));
    match written {
        Ok(()) => Check { name: "data", ok: true, detail: format!("{} can be written", folder.display()) },
        Err(e) => Check { name: "data", ok: false, detail: format!("{e}; choose another folder with --data-dir") },
    }
}

fn processor() -> Check {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    for (name, has) in [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
        ("F16C", std::arch::is_x86_feature_detected!("f16c")),
        ("AVX-VNNI", std::arch::is_x86_feature_detected!("avxvnni")),
        ("AVX-512F", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX-512 VNNI", std::arch::is_x86_feature_detected!("avx512vnni")),
    ] {
        if has {
            found.push(name);
        }
    }
    #[cfg(target_arch = "aarch64")]
    found.push("NEON");
    let features = if found.is_empty() { "no vector extensions known".to_owned() } else { found.join(", ") };
    let kernels = sectora_lm::CpuPath::best().describe();
    Check {
        name: "cpu",
        ok: true,
        detail: format!("{threads} threads, {features}; a local model computes with {kernels}"),
    }
}

fn opened(app: &App, language: Language) -> Result<Vec<Check>, Failure> {
    let stats = app.catalog().stats()?;
    let points = app.store().count(None)?;
    let same = points == stats.chunks;
    let remedy = if same { "" } else { "; run `sectora ingest` again to finish, or `sectora ingest --rebuild`" };
    let encoder = app
        .embedder()
        .map_or("none: search by words only".to_owned(), |e| format!("{}, {} dimensions", e.id(), e.dim()));
    let mut checks = vec![
        Check {
            name: "index",
            ok: same,
            detail: format!(
                "{}: {} documents, {} chunks, {points} points{remedy}",
                app.index_folder().display(),
                stats.documents,
                stats.chunks
            ),
        },
        Check { name: "encoder", ok: true, detail: encoder },
        Check { name: "generator", ok: true, detail: app.generator_name().to_owned() },
    ];
    checks.extend(app.notes().iter().map(|n| Check { name: "note", ok: true, detail: n.of(language).to_owned() }));
    Ok(checks)
}
