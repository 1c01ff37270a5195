use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Context, Failure, Outcome, this_program};
use crate::app::App;
use crate::document::{Access, Language};
use crate::portfolio::join::Join;
use crate::portfolio::landscape::{Landscape, LandscapeOptions, landscape, remembered};
use crate::portfolio::overlap::{self, Overlap, OverlapOptions};
use crate::portfolio::verdict::{WeightFile, read_weights};
use crate::portfolio::{Holdings, Institutes, Kind, PortfolioError, Proposal};

#[derive(Args)]
pub(super) struct Arguments {
    /// A proposal: a file of any format that ingest reads, or `-` for text on standard input
    #[arg(value_name = "FILE|-", required_unless_present_any = ["project", "all"])]
    proposal: Option<String>,
    /// Check a project that is already in the index, by its id, document id or path
    #[arg(long, value_name = "ID", conflicts_with = "proposal")]
    project: Option<String>,
    /// The whole portfolio against itself: pairs, clusters, timeline, matrix, avoidable spending
    #[arg(long, conflicts_with_all = ["proposal", "project"])]
    all: bool,
    /// With --all: compare every project again, not only those that are new since the last time
    #[arg(long, requires = "all")]
    afresh: bool,
    /// With --all: ask the vector store for candidates, in batches, instead of comparing in memory (for a Qdrant cluster)
    #[arg(long, requires = "all")]
    through_store: bool,
    /// Verdicts shown
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Candidates compared sentence by sentence
    #[arg(long, default_value_t = 40)]
    candidates: usize,
    /// Leave this project or document out (may be repeated)
    #[arg(long, value_name = "ID")]
    exclude: Vec<String>,
    /// Only work that began up to this year
    #[arg(long, value_name = "YEAR")]
    until: Option<i32>,
    /// Exit 1 if a `done already` verdict has at least this probability
    #[arg(long, value_name = "P", num_args = 0..=1, default_missing_value = "0.5")]
    fail_on: Option<f64>,
    /// Report as Markdown, an HTML page or a Word document
    #[arg(long, value_enum, default_value_t = Shape::Markdown)]
    format: Shape,
    /// Write the report into this file (needed for a Word document); its ending names the format
    #[arg(long, value_name = "FILE.md|html|docx|json", conflicts_with = "all")]
    out: Option<PathBuf>,
    /// Language of the report; default: the proposal's
    #[arg(long, value_parser = ["ko", "en"])]
    language: Option<String>,
    /// Weights of the verdicts in place of the program's (as `sectora eval overlap --fit --weights-out` writes them)
    #[arg(long, value_name = "FILE.toml")]
    weights: Option<PathBuf>,
    /// Have the language model (`--generator`) read the proposal's facts and unsure facets; what it says counts only where it stands in the text
    #[arg(long, conflicts_with = "all")]
    read: bool,
    /// Show candidates judged `none` too
    #[arg(long)]
    with_none: bool,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shape {
    Markdown,
    Html,
    Docx,
    Json,
}

impl Shape {
    /// By the ending of a file.
    fn of(file: &Path) -> Result<Shape, Failure> {
        let ending = file.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "md" => Ok(Shape::Markdown),
            "html" | "htm" => Ok(Shape::Html),
            "docx" => Ok(Shape::Docx),
            "json" => Ok(Shape::Json),
            _ => Err(Failure::bad_input(format!("--out {}: must end with .md, .html, .docx or .json", file.display()))),
        }
    }

    /// The report's bytes.
    fn report(self, found: &Overlap, language: Language) -> Vec<u8> {
        match self {
            Shape::Markdown => found.markdown(language).into_bytes(),
            Shape::Html => found.html(language).into_bytes(),
            Shape::Docx => found.docx(language),
            Shape::Json => serde_json::to_vec_pretty(found).expect("our own plain data serialises"),
        }
    }
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if let Some(p) = arguments.fail_on
        && !(0.0..=1.0).contains(&p)
    {
        return Err(Failure::bad_input(format!("--fail-on {p}: must be 0 to 1")));
    }
    if !(1..=200).contains(&arguments.candidates) || !(1..=200).contains(&arguments.limit) {
        return Err(Failure::bad_input("--candidates and --limit must be 1 to 200"));
    }
    let shape = arguments.out.as_deref().map(Shape::of).transpose()?;
    if shape.is_none() && matches!(arguments.format, Shape::Docx) {
        return Err(Failure::bad_input("a Word document goes into a file: --out FILE.docx"));
    }
    let own = own_weights(arguments.weights.as_deref())?;
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    if arguments.all {
        return whole(context, &app, &institutes, &arguments, own);
    }
    let options = OverlapOptions {
        limit: arguments.limit,
        candidates: arguments.candidates,
        exclude: arguments.exclude.clone(),
        until: arguments.until,
        access: arguments.access,
        with_none: arguments.with_none,
        weights: own,
    };
    let mut proposal = match (&arguments.project, arguments.proposal.as_deref()) {
        (Some(id), _) => indexed(&app, id, &institutes)?,
        (None, given) => read(&app, given.unwrap_or("-"), &institutes)?,
    };
    if arguments.read {
        proposal.read_with(app.generator(), &institutes)?;
    }
    let found = overlap::find(&app.parts(), &institutes, &proposal, &options)?;
    let language = match arguments.language.as_deref() {
        Some("ko") => Language::Ko,
        Some(_) => Language::En,
        None => found.language(),
    };
    if let (Some(file), Some(shape)) = (&arguments.out, shape) {
        fs_err::write(file, shape.report(&found, language)).map_err(|e| Failure::bad_input(e.to_string()))?;
        context.output.note(&format!("written: {}", file.display()));
    }
    if arguments.out.is_none() || context.output.is_json() {
        let text = |found: &Overlap| String::from_utf8_lossy(&arguments.format.report(found, language)).into_owned();
        context.output.result(&found, text);
    }
    Ok(if arguments.fail_on.is_some_and(|p| fails(&found, p)) { Outcome::No } else { Outcome::Yes })
}

/// `--all`.
fn whole(
    context: &Context,
    app: &App,
    institutes: &Institutes,
    arguments: &Arguments,
    weights: Option<Arc<WeightFile>>,
) -> Result<Outcome, Failure> {
    let access = arguments.access;
    let holdings = Holdings::load(&app.parts(), institutes, access)?;
    // Verdicts of other weights are not kept beside those of the program's.
    let remember = weights.is_none().then(|| remembered(&app.index_folder(), access));
    if let Some(file) = remember.as_ref().filter(|f| arguments.afresh && f.exists()) {
        fs_err::remove_file(file).map_err(|e| Failure::internal(e.to_string()))?;
    }
    let join = if arguments.through_store { Join::Store } else { Join::Memory };
    let options =
        LandscapeOptions { limit: arguments.limit.max(50), weights, remember, join, ..LandscapeOptions::default() };
    let found = landscape(&app.parts(), institutes, &holdings, &options)?;
    let fails = arguments.fail_on.is_some_and(|p| found.pairs.iter().any(|pair| pair.done >= p));
    context.output.result(&found, all_text);
    Ok(if fails { Outcome::No } else { Outcome::Yes })
}

fn all_text(found: &Landscape) -> String {
    let mut out = format!(
        "{} projects ({} compared now), {} pairs judged, {} clusters of repeated work, avoidable spending about {:.0} (in the source's unit)\n",
        found.projects,
        found.compared,
        found.judged,
        found.clusters.len(),
        found.avoidable_total
    );
    out.push_str("\nBy avoidable spending\n");
    for a in &found.avoidable {
        out.push_str(&format!(
            "  {:12.0}  {} {} repeats {}\n",
            a.spending, a.project.project_id, a.project.title, a.repeats
        ));
    }
    out.push_str("\nClusters, in order of time\n");
    for c in &found.clusters {
        let line: Vec<String> = c
            .timeline
            .iter()
            .map(|e| {
                format!(
                    "{} {} ({})",
                    e.began.map_or_else(|| "?".into(), |y| y.to_string()),
                    e.project_id,
                    e.institution.as_deref().unwrap_or("?")
                )
            })
            .collect();
        out.push_str(&format!("  {} | spent after the first: {}\n", line.join(" → "), c.spent_after));
    }
    out.push_str("\nBetween institutes\n");
    for (a, b, n) in &found.matrix {
        out.push_str(&format!("  {n:4}  {a} × {b}\n"));
    }
    out.push_str("\nPairs\n");
    for p in &found.pairs {
        out.push_str(&format!(
            "  {} {:.2}: {} after {}\n",
            p.kind.name(),
            p.probability,
            p.later.project_id,
            p.earlier.project_id
        ));
        for (a, b) in p.evidence.iter().take(1) {
            let one = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            out.push_str(&format!("      “{}”\n      “{}”\n", one(&a.quote), one(&b.quote)));
        }
    }
    out
}

fn fails(found: &Overlap, at_least: f64) -> bool {
    found.verdicts.iter().any(|v| v.kind == Kind::DoneAlready && v.probability >= at_least)
}

/// Weights from a file.
pub(super) fn own_weights(file: Option<&Path>) -> Result<Option<Arc<WeightFile>>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = fs_err::read_to_string(file).map_err(|e| Failure::bad_input(e.to_string()))?;
    let read = read_weights(&text).map_err(|e| Failure::bad_input(format!("{}: {e}", file.display())))?;
    Ok(Some(Arc::new(read)))
}

/// A proposal from a file or, for `-`, from standard input.
pub(super) fn read(app: &App, given: &str, institutes: &Institutes) -> Result<Proposal, Failure> {
    if given == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| Failure::bad_input(format!("standard input: {e}")))?;
        return Ok(Proposal::from_text(&text, institutes)?);
    }
    let path = PathBuf::from(given);
    if path.symlink_metadata().is_err() {
        return Err(Failure::bad_input(format!("{given}: no such file; `-` reads text from standard input")));
    }
    let (settings, mapping) = (&app.config().ingest, &app.sector().records);
    Ok(Proposal::from_file(&path, &this_program()?, settings, mapping, institutes)?)
}

/// A project of the index, by its own id, by document id or by path.
fn indexed(app: &App, id: &str, institutes: &Institutes) -> Result<Proposal, Failure> {
    let catalog = app.catalog();
    let found = catalog.find_external(id)?.into_iter().next();
    let document = match found {
        Some(doc_id) => catalog.document(&doc_id)?,
        None => match catalog.document(id) {
            Ok(document) => document,
            Err(_) => by_path(app, id)?.ok_or_else(|| PortfolioError::NoProject(id.to_owned()))?,
        },
    };
    Ok(Proposal::of(document, institutes))
}

fn by_path(app: &App, source: &str) -> Result<Option<crate::document::Document>, Failure> {
    let mut after = String::new();
    loop {
        let ids = app.catalog().document_ids(&after, 500)?;
        let Some(last) = ids.last() else { return Ok(None) };
        after.clone_from(last);
        for id in &ids {
            let document = app.catalog().document(id)?;
            if document.source == source {
                return Ok(Some(document));
            }
        }
    }
}
