use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::{Args, Subcommand};
use serde_json::json;

use super::ingest::{Shown, cancel_on_signal};
use super::{Context, Failure, Outcome};
use crate::app::{AppError, Maintenance, Rebuilt};
use crate::index::{Archived, BackupOptions, IndexError, Restored};

/// What is done to an index as a whole.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Write the index into one file, verified
    Backup(Backup),
    /// Put a backup in the index's place, after checking every byte of it
    Restore(Restore),
    /// Bring an index of an older program to this one's analyser and layout, from its stored texts
    Migrate,
    /// Change to the encoder of the settings (--encoder), from the stored texts; questions are answered meanwhile
    Reembed,
}

#[derive(Args)]
pub(super) struct Backup {
    /// The archive to write
    file: PathBuf,
    /// Texts only: smaller, and possible while a server runs; restoring computes the vectors again
    #[arg(long)]
    without_vectors: bool,
    /// Replace an existing file
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
pub(super) struct Restore {
    /// The archive to read
    file: PathBuf,
    /// Replace an existing index
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    let index = Maintenance::of(context.config.clone())?;
    match command {
        Command::Backup(a) => backup(context, &index, &a),
        Command::Restore(a) => restore(context, &index, &a),
        Command::Migrate => rebuild(context, |cancel, shown| index.migrate(cancel, &mut |p| shown.step(&p))),
        Command::Reembed => rebuild(context, |cancel, shown| {
            let waiting =
                "built; waiting until the process that holds the index takes it over (a server does within seconds)";
            index.reembed(cancel, &mut |p| shown.step(&p), &mut || context.output.note(waiting))
        }),
    }
}

fn backup(context: &Context, index: &Maintenance, arguments: &Backup) -> Result<Outcome, Failure> {
    let options = BackupOptions { vectors: !arguments.without_vectors, replace: arguments.replace };
    let archived = match index.backup(&arguments.file, options) {
        Ok(archived) => archived,
        Err(AppError::Index(e @ IndexError::Locked { .. })) => {
            return Err(Failure::bad_input(format!("{e}; or back up its texts beside it with --without-vectors")));
        }
        Err(e) => return Err(e.into()),
    };
    context.output.result(&archived, |a: &Archived| {
        let vectors = if a.manifest.vectors { "with" } else { "without" };
        format!(
            "{}: {} documents, {} chunks {vectors} vectors, {:.1} MiB, read back and verified",
            a.file,
            a.manifest.documents,
            a.manifest.chunks,
            a.bytes as f64 / f64::from(1 << 20)
        )
    });
    Ok(Outcome::Yes)
}

fn restore(context: &Context, index: &Maintenance, arguments: &Restore) -> Result<Outcome, Failure> {
    let cancel = cancel_on_signal()?;
    let shown = Shown::new(context);
    let restored = index.restore(&arguments.file, arguments.replace, &cancel, &mut |p| shown.step(&p))?;
    shown.done();
    context.output.result(&restored, |r: &Restored| {
        format!(
            "{}: {} documents, {} chunks restored ({})",
            r.folder, r.manifest.documents, r.manifest.chunks, r.manifest.made_with
        )
    });
    Ok(Outcome::Yes)
}

fn rebuild(
    context: &Context,
    work: impl FnOnce(&AtomicBool, &Shown<'_>) -> Result<Rebuilt, AppError>,
) -> Result<Outcome, Failure> {
    let cancel = cancel_on_signal()?;
    let shown = Shown::new(context);
    let rebuilt = work(&cancel, &shown)?;
    shown.done();
    let (state, written) = match rebuilt {
        Rebuilt::Already => ("already", 0),
        Rebuilt::Switched(written) => ("switched", written),
        Rebuilt::TakenOver(written) => ("taken over", written),
    };
    let encoder = &context.config.encoder;
    context.output.result(&json!({ "state": state, "written": written, "encoder": encoder }), |_| match rebuilt {
        Rebuilt::Already => "the index is as these settings would make it; nothing to do".to_owned(),
        Rebuilt::Switched(_) => {
            format!("{written} chunks written; the index answers from the new vectors. Keep `encoder = \"{encoder}\"` in the settings")
        }
        Rebuilt::TakenOver(_) => format!(
            "{written} chunks written; the running server answers from the new vectors. Set `encoder = \"{encoder}\"` before it is started again"
        ),
    });
    Ok(Outcome::Yes)
}
