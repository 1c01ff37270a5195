use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Failure, Outcome, this_program};
use crate::app::IngestRequest;
use crate::error::Classified;
use crate::index::{IndexError, Progress, Report};
use crate::ingest::{READABLE, RecordMapping};
use crate::sector::{self, Sector};

#[derive(Args)]
pub(super) struct Arguments {
    /// Files and folders (a sector's folder stands for its documents); without any, the sector's own documents
    paths: Vec<PathBuf>,
    /// Fields of record files: id=award_id,title=title_clean,text=abstract,institution=org,year=start,budget=amount
    #[arg(long, value_name = "FIELD=COLUMN,…")]
    map: Option<String>,
    /// Remove documents whose source file has gone
    #[arg(long)]
    prune: bool,
    /// Build the vector store anew from the stored texts (after a change of encoder)
    #[arg(long)]
    rebuild: bool,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let missing: Vec<_> = arguments.paths.iter().filter(|p| p.symlink_metadata().is_err()).collect();
    if let Some(path) = missing.first() {
        return Err(Failure::bad_input(format!("{}: no such file or folder", path.display())));
    }
    let mapping = arguments.map.as_deref().map(mapping).transpose()?;
    let program = this_program()?;
    let cancel = cancel_on_signal()?;
    let app = context.open_for_ingest(arguments.rebuild)?;
    note_other_sectors(context, app.sector(), &arguments.paths);
    let roots = arguments.paths.iter().map(|p| sector::documents_below(p)).collect::<Result<Vec<_>, _>>()?.concat();
    let request = IngestRequest { roots, mapping, prune: arguments.prune, program, cancel: &cancel };
    let shown = Shown::new(context);
    let report = app.ingest(&request, &mut |progress| shown.step(&progress)).map_err(|error| {
        shown.done();
        match (&error, shown.place()) {
            (IndexError::Interrupted, Some(place)) => {
                Failure { kind: error.kind(), message: format!("{error} ({place})") }
            }
            _ => error.into(),
        }
    })?;
    shown.done();
    let looked_in = if request.roots.is_empty() { app.sector().document_roots() } else { request.roots };
    context.output.result(&report, |report| text(report, &looked_in));
    let nothing_read = report.failed == report.files;
    Ok(if nothing_read { Outcome::No } else { Outcome::Yes })
}

/// Says so where documents of another sector's folder go into this sector's index, and how they would go into their own.
fn note_other_sectors(context: &Context, sector: &Sector, paths: &[PathBuf]) {
    let mut told: Vec<PathBuf> = Vec::new();
    for path in paths {
        let Some(other) = sector::around(path).filter(|o| o.name != sector.name && !told.contains(&o.folder)) else {
            continue;
        };
        let by_name = Sector::open(&other.name, Path::new(&context.config.sectors_dir));
        let found = by_name.ok().and_then(|s| fs_err::canonicalize(&s.folder).ok());
        let chosen = if found.as_ref() == Some(&other.folder) { other.name.clone() } else { shown(&other.folder) };
        context.output.note(&format!(
            "{} belongs to the sector `{}`, and is read into the index of `{}`; into its own: sectora --sector {chosen} ingest {}",
            shown(path),
            other.name,
            sector.name,
            shown(path)
        ));
        told.push(other.folder);
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Ctrl-C and SIGTERM stop between two files; a second one ends the program at once.
pub(super) fn cancel_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(3);
        }
    })
    .map_err(|e| Failure::internal(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(cancel)
}

pub(super) fn mapping(text: &str) -> Result<RecordMapping, Failure> {
    let mut mapping = RecordMapping { strict: true, ..RecordMapping::default() };
    for pair in text.split(',').filter(|p| !p.trim().is_empty()) {
        let (field, column) = pair.split_once('=').ok_or_else(|| {
            Failure::bad_input(format!("--map `{pair}`: write FIELD=COLUMN, for instance title=title_clean"))
        })?;
        let column = Some(column.trim().to_owned());
        match field.trim() {
            "id" => mapping.id = column,
            "title" => mapping.title = column,
            "text" => mapping.text.extend(column),
            "institution" => mapping.institution = column,
            "year" => mapping.year = column,
            "budget" => mapping.budget = column,
            "type" => mapping.doc_type = column,
            "access" => mapping.access = column,
            other => {
                return Err(Failure::bad_input(format!(
                    "--map: no field `{other}`; fields: id, title, text (may be repeated), institution, year, budget, type, access"
                )));
            }
        }
    }
    Ok(mapping)
}

/// Progress as a bar for a person, as JSON lines for a program, as nothing with `--quiet`.
pub(super) struct Shown<'a> {
    context: &'a Context,
    bar: Option<ProgressBar>,
    /// The latest step that named a file.
    last: RefCell<Option<Progress>>,
    said: Cell<Instant>,
}

/// Where nobody watches a bar, a line says how far it is after so long.
const EVERY: Duration = Duration::from_secs(10);

impl<'a> Shown<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let bar = context.output.is_interactive().then(|| {
            let style = ProgressStyle::with_template("{msg:9} {bar:30} {pos}/{len}  {per_sec}  {eta} left  {prefix}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Shown { context, bar, last: RefCell::default(), said: Cell::new(Instant::now()) }
    }

    pub(super) fn step(&self, progress: &Progress) {
        if progress.path.is_some() || progress.next.is_some() {
            self.last.replace(Some(progress.clone()));
        }
        if let Some(bar) = &self.bar {
            if bar.message() != progress.phase.name() {
                bar.reset();
                bar.set_message(progress.phase.name());
            }
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_prefix(progress.next.as_ref().or(progress.path.as_ref()).cloned().unwrap_or_default());
        } else if self.context.output.is_json() {
            self.context.output.line(&serde_json::json!({ "progress": progress }).to_string());
        } else if self.said.get().elapsed() >= EVERY {
            self.said.set(Instant::now());
            let file = progress.next.as_ref().map(|next| format!("; at {next}")).unwrap_or_default();
            self.context.output.line(&format!(
                "{}: {} of {}{file}",
                progress.phase.name(),
                progress.done,
                progress.total
            ));
        }
    }

    /// How far the reading of files came.
    fn place(&self) -> Option<String> {
        let last = self.last.borrow();
        let Progress { done, total, path, next, .. } = last.as_ref()?;
        let file = next.as_ref().map(|next| format!(", it was at {next}"));
        let file = file.or_else(|| path.as_ref().map(|path| format!(", the last {path}")));
        Some(format!("{done} of {total} files were read{}", file.unwrap_or_default()))
    }

    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(report: &Report, looked_in: &[PathBuf]) -> String {
    let mut out = String::new();
    if report.files == 0 {
        let places: Vec<String> = looked_in.iter().map(|p| shown(p)).collect();
        out.push_str(&format!("no readable file in {}; readable: {READABLE}\n", places.join(", ")));
    }
    for row in &report.rows {
        if let Some(error) = &row.error {
            out.push_str(&format!("failed     {}: {error}\n", row.path));
        }
        for warning in &row.warnings {
            out.push_str(&format!("warning    {}: {warning}\n", row.path));
        }
    }
    out.push_str(&format!(
        "{}: {} added, {} replaced, {} unchanged, {} removed, {} failed\n{}, {}, {} in the index; {:.1} s",
        counted(report.files, "file"),
        report.added,
        report.replaced,
        report.unchanged,
        report.removed,
        report.failed,
        counted(report.documents, "document"),
        counted(report.pages, "page"),
        counted(report.chunks, "chunk"),
        report.seconds,
    ));
    out
}

/// `1 file`, `2 files`.
fn counted(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}
