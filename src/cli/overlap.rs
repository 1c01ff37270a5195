use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Context, Failure, Outcome, show, this_program};
use crate::app::App;
use crate::document::{Access, Language};
use crate::portfolio::join::Join;
use crate::portfolio::landscape::{End, Landscape, LandscapeOptions, landscape, remembered};
use crate::portfolio::overlap::{self, Overlap, OverlapOptions};
use crate::portfolio::project;
use crate::portfolio::verdict::{WeightFile, read_weights};
use crate::portfolio::{Holdings, Institutes, PortfolioError, Proposal, Sum};
use crate::text::{money, spaced};

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
    /// Verdicts shown, by default 10; with --all: rows of each list, of avoidable spending of each currency, by default 50
    #[arg(long)]
    limit: Option<usize>,
    /// Candidates compared sentence by sentence
    #[arg(long, default_value_t = 40, conflicts_with = "all")]
    candidates: usize,
    /// Leave this project or document out (may be repeated)
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    exclude: Vec<String>,
    /// Only work that began up to this year
    #[arg(long, value_name = "YEAR", conflicts_with = "all")]
    until: Option<i32>,
    /// Exit 1 if a `done already` verdict has at least this probability
    #[arg(long, value_name = "P", num_args = 0..=1, default_missing_value = "0.5")]
    fail_on: Option<f64>,
    /// Report as Markdown, an HTML page or a Word document
    #[arg(long, value_enum, default_value_t = Shape::Markdown, conflicts_with = "all")]
    format: Shape,
    /// Write the report into this file (needed for a Word document); its ending names the format
    #[arg(long, value_name = "FILE.md|html|docx|json", conflicts_with = "all")]
    out: Option<PathBuf>,
    /// Language of the report; default: the proposal's, with --all English
    #[arg(long, value_parser = ["ko", "en"])]
    language: Option<String>,
    /// Weights of the verdicts in place of the program's (as `sectora eval overlap --fit --weights-out` writes them)
    #[arg(long, value_name = "FILE.toml")]
    weights: Option<PathBuf>,
    /// Have the language model (`--generator`) read the proposal's facts and unsure facets; what it says counts only where it stands in the text
    #[arg(long, conflicts_with = "all")]
    read: bool,
    /// Show candidates judged `none` too
    #[arg(long, conflicts_with = "all")]
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
    let limit = arguments.limit.unwrap_or_else(|| match arguments.all {
        true => LandscapeOptions::default().limit,
        false => OverlapOptions::default().limit,
    });
    if !(1..=200).contains(&arguments.candidates) || !(1..=200).contains(&limit) {
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
        return whole(context, &app, &institutes, &arguments, limit, own);
    }
    let options = OverlapOptions {
        limit,
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
    Ok(gate(arguments.fail_on, found.most_done))
}

/// `--all`.
fn whole(
    context: &Context,
    app: &App,
    institutes: &Institutes,
    arguments: &Arguments,
    limit: usize,
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
    let options = LandscapeOptions { limit, weights, remember, join, ..LandscapeOptions::default() };
    let found = landscape(&app.parts(), institutes, &holdings, &options)?;
    let outcome = gate(arguments.fail_on, found.most_done);
    let reader = arguments.language.as_deref().map_or(Language::En, super::reader);
    context.output.result(&found, |found| all_text(found, reader));
    Ok(outcome)
}

fn all_text(found: &Landscape, reader: Language) -> String {
    let korean = reader == Language::Ko;
    let say = |ko: &'static str, en: &'static str| if korean { ko } else { en };
    let Landscape { projects, compared, judged, clusters_found, .. } = found;
    let mut out = if korean {
        format!("과제 {projects}건 (이번에 비교 {compared}건), 비교한 쌍 {judged}개, 반복된 일 {clusters_found}묶음")
    } else {
        format!(
            "{projects} projects ({compared} compared now), {judged} pairs judged, {clusters_found} clusters of repeats"
        )
    };
    if found.pairs.is_empty() {
        out.push_str(say("\n겹치는 과제를 찾지 못했습니다.\n", "\nNothing that overlaps was found.\n"));
        return out;
    }
    // Of an estimate nobody asks for cents.
    let spending: Vec<Sum> =
        found.avoidable_total.iter().map(|sum| Sum { amount: sum.amount.round(), ..sum.clone() }).collect();
    let sum = budgets(&spending, found.avoidable_unknown, reader);
    out.push_str(&format!("\n{}: {sum}\n", say("줄일 수 있었을 지출 (추정)", "avoidable spending, estimated")));
    let mut section = |name: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str(&format!("\n{name}\n{}", lines.concat()));
        }
    };
    let avoidable = found.avoidable.iter().map(|a| {
        let (id, title, repeats) = (&a.project.project_id, &a.project.title, &a.repeats);
        let spending = amount(a.spending.round(), a.project.currency, reader);
        format!("  {spending:>20}  {id} {title} {} {repeats}\n", say("← 반복한 과제:", "repeats"))
    });
    section(say("줄일 수 있었을 지출이 큰 순서", "By avoidable spending"), avoidable.collect());
    let unordered = say("순서를 알 수 없음", "order unknown");
    let clusters = found.clusters.iter().map(|c| {
        let mut line = c.timeline.first().map(in_time).unwrap_or_default();
        for pair in c.timeline.windows(2) {
            let joined = if pair[0].is_before(&pair[1]) { "→".to_owned() } else { format!("– {unordered} –") };
            line.push_str(&format!(" {joined} {}", in_time(&pair[1])));
        }
        let spent = budgets(&c.spent_after, c.spent_after_unknown, reader);
        format!("  {line} | {}: {spent}\n", say("첫 과제 뒤에 쓴 예산", "spent after the first"))
    });
    section(say("반복된 일 (시간순)", "Clusters, in order of time"), clusters.collect());
    let matrix = found.matrix.iter().map(|(a, b, n)| format!("  {n:4}  {a} × {b}\n"));
    section(say("기관 사이", "Between institutes"), matrix.collect());
    let pairs = found.pairs.iter().map(|p| {
        let (later, earlier) = (&p.later.project_id, &p.earlier.project_id);
        let kind = if korean { p.kind.korean() } else { p.kind.name() };
        let pair = match (p.order_is_known(), korean) {
            (true, true) => format!("{later} (앞선 과제 {earlier})"),
            (true, false) => format!("{later} after {earlier}"),
            (false, _) => format!("{later}, {earlier} ({unordered})"),
        };
        let mut lines = format!("  {kind} {:.2}: {pair}\n", p.probability);
        for (a, b) in p.evidence.iter().take(1) {
            lines.push_str(&format!("      “{}”\n      “{}”\n", spaced(&a.quote), spaced(&b.quote)));
        }
        lines
    });
    section(say("겹치는 쌍", "Pairs"), pairs.collect());
    out
}

/// When, which project, whose.
fn in_time(project: &End) -> String {
    let began = project.began.map_or_else(|| "?".into(), |y| y.to_string());
    format!("{began} {} ({})", project.project_id, project.institution.as_deref().unwrap_or("?"))
}

/// The sums of the known budgets, currency by currency, and of how many projects beside them none is known.
pub(super) fn budgets(sums: &[Sum], unknown: usize, reader: Language) -> String {
    let korean = reader == Language::Ko;
    let all = unknown + sums.iter().map(|sum| sum.projects).sum::<usize>();
    let amounts: Vec<String> = sums.iter().map(|sum| amount(sum.amount, sum.currency, reader)).collect();
    let amounts = amounts.join("; ");
    match (sums.is_empty(), unknown) {
        (true, _) if korean => "모름".to_owned(),
        (true, _) => "unknown".to_owned(),
        (false, 0) => amounts,
        (false, _) if korean => format!("{amounts} ({all}건 중 {unknown}건은 예산을 모름)"),
        (false, _) => format!("{amounts} ({unknown} of {all} without a known budget)"),
    }
}

/// An amount and its currency, or that none is stated.
fn amount(amount: f64, currency: Option<&str>, reader: Language) -> String {
    let shown = money::shown(amount, currency);
    match (currency, reader) {
        (Some(_), _) => shown,
        (None, Language::Ko) => format!("{shown} (통화 표시 없음)"),
        (None, Language::En | Language::Other) => format!("{shown} (no currency stated)"),
    }
}

/// No where the likeliest `done already` is as likely as `--fail-on` says.
fn gate(fail_on: Option<f64>, most_done: Option<f64>) -> Outcome {
    let fails = fail_on.zip(most_done).is_some_and(|(least, done)| done >= least);
    if fails { Outcome::No } else { Outcome::Yes }
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
    let mut found = project::called(app.catalog(), id)?;
    if found.len() > 1 {
        let paths: Vec<&str> = found.iter().map(|d| d.source.as_str()).collect();
        return Err(Failure::bad_input(format!(
            "{id}: several projects are called so; name one: {}",
            paths.join(", ")
        )));
    }
    let document = match found.pop() {
        Some(document) => document,
        None => {
            // The end of a path names none here.
            let called = show::named(app, id)?.filter(|document| document.id == id || document.source == id);
            called.ok_or_else(|| PortfolioError::NoProject(id.to_owned()))?
        }
    };
    Ok(Proposal::of(document, institutes))
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::super::parsed;
    use super::*;
    use crate::portfolio::Kind;
    use crate::portfolio::landscape::{Avoidable, Cluster, Pair};

    #[test]
    fn the_whole_portfolio_refuses_options_of_a_proposal_and_takes_the_limit_as_given() {
        for option in [
            &["--exclude", "X"][..],
            &["--until", "2020"],
            &["--candidates", "5"],
            &["--with-none"],
            &["--format", "html"],
            &["--project", "X"],
            &["--out", "x.md"],
            &["--read"],
        ] {
            let line = [&["overlap", "--all"], option].concat();
            let refused = parsed::<Arguments>(&line).err().map(|e| e.kind());
            assert_eq!(refused, Some(ErrorKind::ArgumentConflict), "{option:?}");
        }
        let taken = parsed::<Arguments>(&["overlap", "--all", "--limit", "5", "--language", "ko"]).unwrap();
        assert_eq!((taken.limit, taken.language.as_deref()), (Some(5), Some("ko")));
    }

    fn end(id: &str) -> End {
        let (began, budget, currency) = (Some(2020), None, None);
        End { project_id: id.into(), title: "Rain erosion".into(), institution: None, began, budget, currency }
    }

    #[test]
    fn budgets_that_nobody_knows_are_not_0_and_nothing_found_is_one_line() {
        let kind = Kind::DoneAlready;
        let (later, earlier) = (End { began: Some(2021), ..end("P-2") }, end("P-1"));
        let timeline = vec![earlier.clone(), later.clone()];
        let cluster = Cluster { timeline, years_after: None, spent_after: Vec::new(), spent_after_unknown: 1 };
        let mut found = Landscape {
            projects: 3,
            compared: 3,
            judged: 2,
            pairs: vec![Pair { later, earlier, kind, probability: 0.75, done: 0.75, evidence: Vec::new() }],
            clusters: vec![cluster],
            clusters_found: 1,
            matrix: Vec::new(),
            avoidable: Vec::new(),
            avoidable_total: Vec::new(),
            avoidable_projects: 1,
            avoidable_unknown: 1,
            most_done: Some(0.75),
        };
        let english = all_text(&found, Language::En);
        for part in ["estimated: unknown\n", "spent after the first: unknown\n", "done already 0.75: P-2 after P-1\n"] {
            assert!(english.contains(part), "{part}: {english}");
        }
        assert!(!english.contains("Between institutes"), "nothing stands under it: {english}");
        let korean = all_text(&found, Language::Ko);
        for part in ["(추정): 모름\n", "첫 과제 뒤에 쓴 예산: 모름\n", "이미 수행됨 0.75: P-2 (앞선 과제 P-1)\n"]
        {
            assert!(korean.contains(part), "{part}: {korean}");
        }
        let project = End { budget: Some(1e6), currency: Some("EUR"), ..end("P-2") };
        found.avoidable = vec![Avoidable { project, repeats: "P-1".into(), spending: 749_999.6 }];
        found.avoidable_total = vec![Sum { currency: Some("EUR"), amount: 749_999.6, projects: 1 }];
        let english = all_text(&found, Language::En);
        let sum = "estimated: 750,000 EUR (1 of 2 without a known budget)\n";
        for part in [sum, "         750,000 EUR  P-2 Rain erosion repeats P-1\n"] {
            assert!(english.contains(part), "{part}: {english}");
        }
        found.pairs[0].later.began = None;
        found.clusters[0].timeline[1].began = Some(2020);
        let english = all_text(&found, Language::En);
        for part in ["done already 0.75: P-2, P-1 (order unknown)\n", "2020 P-1 (?) – order unknown – 2020 P-2 (?) |"]
        {
            assert!(english.contains(part), "{part}: {english}");
        }
        assert!(all_text(&found, Language::Ko).contains("P-2, P-1 (순서를 알 수 없음)\n"));
        found.pairs.clear();
        assert!(all_text(&found, Language::En).ends_with(" 1 clusters of repeats\nNothing that overlaps was found.\n"));
    }

    #[test]
    fn a_sum_is_shown_with_its_currency_and_never_added_to_another() {
        let won = Sum { currency: Some("KRW"), amount: 1.42e9, projects: 2 };
        let unstated = Sum { currency: None, amount: 870.0, projects: 1 };
        let both = [won.clone(), unstated];
        assert_eq!(budgets(&[won], 0, Language::En), "1,420,000,000 KRW");
        assert_eq!(budgets(&both, 0, Language::En), "1,420,000,000 KRW; 870 (no currency stated)");
        let known = "1,420,000,000 KRW; 870 (no currency stated) (2 of 5 without a known budget)";
        assert_eq!(budgets(&both, 2, Language::En), known);
        let known = "1,420,000,000 KRW; 870 (통화 표시 없음) (5건 중 2건은 예산을 모름)";
        assert_eq!(budgets(&both, 2, Language::Ko), known);
    }
}
