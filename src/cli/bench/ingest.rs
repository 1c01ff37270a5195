//! `bench ingest`: how fast are documents read, cut and indexed on this machine, and next to pdftotext?
//!
//! Everything goes into an index that is thrown away, through the same path as any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome, this_program};
use super::temporary;
use crate::app::{App, IngestRequest};
use crate::index::{ReportRow, Status, WORKERS};

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
    /// Bytes of the files that gave documents.
    bytes: u64,
    documents: u64,
    chunks: u64,
    /// Seconds of reading (workers, text, cutting, writing it down).
    reading_s: f64,
    /// Seconds of counting terms, encoding, and writing vectors.
    indexing_s: f64,
    total_s: f64,
    /// `bytes` a second of all.
    mib_per_s: f64,
    chunks_per_s: f64,
    /// The PDF files alone, two read at a time by each program: files, and seconds of reading.
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
    let (mut report, read) = measure(context, &arguments.paths)?;
    if let Some(program) = &arguments.pdftotext {
        let pdfs = pdf_files(read)?;
        let (ours, theirs) = (ours(context, &pdfs)?, theirs(program, &pdfs)?);
        report.ratios.insert("pdftotext".into(), theirs.seconds / ours.seconds);
        report.pdf.insert("sectora".into(), ours);
        report.pdf.insert("pdftotext".into(), theirs);
    }
    context.output.result(&report, text);
    Ok(Outcome::Yes)
}

/// Reads `paths` into an index that is thrown away; the files that were looked at come along.
fn measure(context: &Context, paths: &[PathBuf]) -> Result<(Report, BTreeSet<PathBuf>), Failure> {
    let folder = temporary()?;
    let mut config = context.config.clone();
    config.data_dir = folder.path().display().to_string();
    let app = App::open_for_ingest(config, false)?;
    let never = AtomicBool::new(false);
    let roots = if paths.is_empty() { app.sector().document_roots() } else { paths.to_vec() };
    let request =
        IngestRequest { roots: roots.clone(), mapping: None, prune: false, program: this_program()?, cancel: &never };
    let done = app.ingest(&request, &mut |_| ())?;
    let bytes = bytes(&roots, &done.rows);
    let report = Report {
        files: done.files,
        failed: done.failed,
        bytes,
        documents: done.documents,
        chunks: done.chunks,
        reading_s: done.reading_s,
        indexing_s: done.indexing_s,
        total_s: done.seconds,
        mib_per_s: bytes as f64 / (1 << 20) as f64 / done.seconds,
        chunks_per_s: done.chunks as f64 / done.seconds,
        pdf: BTreeMap::new(),
        ratios: BTreeMap::new(),
    };
    Ok((report, files(&roots, &done.rows)))
}

/// The files of these rows, each of which names its file as seen from the root that it lies under.
fn files<'r>(roots: &[PathBuf], rows: impl IntoIterator<Item = &'r ReportRow>) -> BTreeSet<PathBuf> {
    let under = |root: &PathBuf, row: &ReportRow| match root.is_dir() {
        true => Some(root.join(&row.path)).filter(|file| file.is_file()),
        false => root.ends_with(&row.path).then(|| root.clone()),
    };
    rows.into_iter().flat_map(|row| roots.iter().filter_map(move |root| under(root, row))).collect()
}

/// Bytes of the files that gave documents; what is hidden was not looked at, what is unknown or broken was not read.
fn bytes(roots: &[PathBuf], rows: &[ReportRow]) -> u64 {
    let read = files(roots, rows.iter().filter(|row| row.status != Status::Failed));
    read.iter().filter_map(|file| fs_err::metadata(file).ok()).map(|file| file.len()).sum()
}

fn pdf_files(files: BTreeSet<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let is_pdf = |file: &PathBuf| file.extension().is_some_and(|e| e.eq_ignore_ascii_case("pdf"));
    let found: Vec<PathBuf> = files.into_iter().filter(is_pdf).collect();
    if found.is_empty() {
        return Err(Failure::bad_input("--pdftotext: no PDF files among what was read"));
    }
    Ok(found)
}

/// The PDF files alone, cut into chunks and written down, but not indexed: what reading takes.
fn ours(context: &Context, pdfs: &[PathBuf]) -> Result<Pdf, Failure> {
    let (report, _) = measure(context, pdfs)?;
    Ok(Pdf { files: report.files, failed: report.failed, seconds: report.reading_s })
}

/// One process a file, as many at a time as we have workers, text thrown away.
fn theirs(program: &Path, pdfs: &[PathBuf]) -> Result<Pdf, Failure> {
    let next = AtomicUsize::new(0);
    let some = || -> std::io::Result<u64> {
        let mut failed = 0;
        while let Some(pdf) = pdfs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = Process::new(program).arg(pdf).arg("-").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            failed += u64::from(!done.success());
        }
        Ok(failed)
    };
    let begin = Instant::now();
    let failed = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(some)).collect();
        let done = readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|_| Err(std::io::Error::other("its thread panicked"))));
        done.sum::<std::io::Result<u64>>()
    });
    let failed = failed.map_err(|e| Failure::bad_input(format!("{}: {e}", program.display())))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_of_what_was_read_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: usize| {
            let file = dir.path().join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(&file, vec![b'x'; bytes]).unwrap();
            file
        };
        let (note, _, pdf) = (write("in/notes/a.md", 300), write("in/b.bin", 5000), write("in/c.PDF", 40));
        let alone = write("d.md", 7);
        // Rows name files as seen from their root; a root that is a file by its name.
        let row = |path: &str, status| {
            let (path, error) = (path.to_owned(), None);
            ReportRow { path, status, documents: 0, pages: 0, chunks: 0, error, warnings: Vec::new() }
        };
        let rows = [
            row("notes/a.md", Status::Added),
            row("b.bin", Status::Failed),
            row("c.PDF", Status::Added),
            row("d.md", Status::Added),
        ];
        let roots = [dir.path().join("in"), alone.clone()];
        assert_eq!(bytes(&roots, &rows), 347);
        assert_eq!(files(&roots, [&rows[0], &rows[3]]), BTreeSet::from([note, alone.clone()]));
        let pdfs = pdf_files(files(&roots, &rows)).map_err(|f| f.message).unwrap();
        assert_eq!(pdfs, [pdf]);
        assert!(pdf_files(BTreeSet::from([alone])).is_err());
    }

    /// `sh` in place of pdftotext: each file waits until another one is read beside it.
    #[cfg(unix)]
    #[test]
    fn pdftotext_reads_files_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let script = "touch \"$0.here\"\nn=0\nwhile [ $(ls \"${0%/*}\" | grep -c here) -lt 2 ]\n\
                      do n=$((n + 1)); [ $n -lt 1000 ] || exit 1; sleep 0.01; done\n";
        let pdfs = ["a.pdf", "b.pdf"].map(|name| dir.path().join(name));
        pdfs.iter().for_each(|pdf| fs_err::write(pdf, script).unwrap());
        let read = theirs(Path::new("sh"), &pdfs).map_err(|f| f.message).unwrap();
        assert_eq!((read.files, read.failed), (2, 0));
        let failed = theirs(Path::new("false"), &pdfs).map_err(|f| f.message).unwrap();
        assert_eq!((failed.files, failed.failed), (2, 2));
        let missing = theirs(Path::new("/nonexistent/pdftotext"), &pdfs).err().map(|f| f.message).unwrap();
        assert!(missing.starts_with("/nonexistent/pdftotext: "), "{missing}");
    }
}
