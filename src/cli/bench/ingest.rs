//! `bench ingest`: how fast are documents read, cut and indexed on this machine, and next to pdftotext?
//!
//! Everything goes into an index that is thrown away, through the same path as any other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome, this_program};
use crate::app::{App, IngestRequest};
use crate::index::Phase;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Files and folders; without any, the sector's own documents
    paths: Vec<PathBuf>,
    /// Poppler's pdftotext, to be timed on the same PDF files
    #[arg(long, value_name = "FILE")]
    pdftotext: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    files: u64,
    failed: u64,
    bytes: u64,
    documents: u64,
    chunks: u64,
    /// Seconds of reading (workers, text, cutting), of counting terms, and of encoding and writing vectors.
    reading_s: f64,
    indexing_s: f64,
    total_s: f64,
    mib_per_s: f64,
    chunks_per_s: f64,
    /// The PDF files alone, read one after the other by each program: files and seconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pdf: BTreeMap<String, Pdf>,
    /// How many times as fast this program is: their seconds over ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ratios: BTreeMap<String, f64>,
}

#[derive(Serialize)]
struct Pdf {
    files: u64,
    failed: u64,
    seconds: f64,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    if let Some(path) = arguments.paths.iter().find(|p| p.symlink_metadata().is_err()) {
        return Err(Failure::bad_input(format!("{}: no such file or folder", path.display())));
    }
    let mut report = measure(context, &arguments.paths)?;
    if let Some(program) = &arguments.pdftotext {
        let pdfs = pdf_files(context, &arguments.paths)?;
        let (ours, theirs) = (ours(context, &pdfs)?, theirs(program, &pdfs)?);
        report.ratios.insert("pdftotext".into(), theirs.seconds / ours.seconds);
        report.pdf.insert("sectora".into(), ours);
        report.pdf.insert("pdftotext".into(), theirs);
    }
    context.output.result(&report, text);
    Ok(Outcome::Yes)
}

/// Reads `paths` into an index that is thrown away.
fn measure(context: &Context, paths: &[PathBuf]) -> Result<Report, Failure> {
    let folder = tempfile::tempdir().map_err(|e| Failure::internal(format!("no temporary folder: {e}")))?;
    let mut config = context.config.clone();
    config.data_dir = folder.path().display().to_string();
    let app = App::open_for_ingest(config, false)?;
    let never = AtomicBool::new(false);
    let request =
        IngestRequest { roots: paths.to_vec(), mapping: None, prune: false, program: this_program()?, cancel: &never };
    let begin = Instant::now();
    let mut read = 0.0;
    let done = app.ingest(&request, &mut |progress| {
        if progress.phase == Phase::Reading {
            read = begin.elapsed().as_secs_f64();
        }
    })?;
    let total_s = begin.elapsed().as_secs_f64();
    let bytes = files(context, paths)?.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum::<u64>();
    Ok(Report {
        files: done.files,
        failed: done.failed,
        bytes,
        documents: done.documents,
        chunks: done.chunks,
        reading_s: read,
        indexing_s: total_s - read,
        total_s,
        mib_per_s: bytes as f64 / (1 << 20) as f64 / total_s,
        chunks_per_s: done.chunks as f64 / total_s,
        pdf: BTreeMap::new(),
        ratios: BTreeMap::new(),
    })
}

fn files(context: &Context, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let roots = match paths {
        [] => crate::sector::Sector::open(&context.config.sector, Path::new(&context.config.sectors_dir))?
            .document_roots(),
        some => some.to_vec(),
    };
    let entries = roots.iter().flat_map(|root| walkdir::WalkDir::new(root).sort_by_file_name());
    Ok(entries.flatten().filter(|e| e.file_type().is_file()).map(walkdir::DirEntry::into_path).collect())
}

fn pdf_files(context: &Context, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = files(context, paths)?;
    found.retain(|f| f.extension().is_some_and(|e| e.eq_ignore_ascii_case("pdf")));
    if found.is_empty() {
        return Err(Failure::bad_input("--pdftotext: no PDF files among what was read"));
    }
    Ok(found)
}

/// The whole way from file to index, the PDF files alone.
fn ours(context: &Context, pdfs: &[PathBuf]) -> Result<Pdf, Failure> {
    let report = measure(context, pdfs)?;
    Ok(Pdf { files: report.files, failed: report.failed, seconds: report.reading_s })
}

/// One process a file, text thrown away.
fn theirs(program: &Path, pdfs: &[PathBuf]) -> Result<Pdf, Failure> {
    let begin = Instant::now();
    let mut failed = 0;
    for pdf in pdfs {
        let done = Process::new(program).arg(pdf).arg("-").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = done.map_err(|e| Failure::bad_input(format!("{}: {e}", program.display())))?;
        failed += u64::from(!status.success());
    }
    Ok(Pdf { files: pdfs.len() as u64, failed, seconds: begin.elapsed().as_secs_f64() })
}

fn text(r: &Report) -> String {
    let mut lines = vec![format!(
        "{} files ({} failed), {:.1} MiB, {} documents, {} chunks: read in {:.2} s, indexed in {:.2} s, {:.2} MiB/s, {:.0} chunks/s",
        r.files,
        r.failed,
        r.bytes as f64 / (1 << 20) as f64,
        r.documents,
        r.chunks,
        r.reading_s,
        r.indexing_s,
        r.mib_per_s,
        r.chunks_per_s
    )];
    for (name, pdf) in &r.pdf {
        lines.push(format!("PDF, {name}: {} files ({} failed) in {:.2} s", pdf.files, pdf.failed, pdf.seconds));
    }
    lines.extend(r.ratios.iter().map(|(name, ratio)| format!("sectora / {name}: {ratio:.2} times the speed")));
    lines.join("\n")
}
