use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome};
use crate::evaluate::at_recall::AtRecall;
use crate::evaluate::calls::{Opened, Supported, openings, supported};
use crate::evaluate::few::HeldOut;
use crate::evaluate::groups::{Grouped, grouped};
use crate::evaluate::matching::{MatchMeasured, time_split};
use crate::evaluate::measured::Measured;
use crate::evaluate::overlap::{OverlapEvaluation, constructed};
use crate::evaluate::repeats::{PlantedRow, planted};
use crate::evaluate::statistics::Estimate;
use crate::portfolio::Kind;
use crate::text::spaced;

/// Verdicts of `overlap` against labels; without an option, proposals made from the index's own projects.
#[derive(Args)]
pub(in crate::cli) struct OverlapArguments {
    /// Pairs with their kind (`repeats.jsonl`): planted repeats, or proposals written by hand
    #[arg(long, value_name = "FILE.jsonl", conflicts_with = "groups")]
    pairs: Option<PathBuf>,
    /// Groups of the same work: a JSON list of lists of ids
    #[arg(long, value_name = "FILE.json")]
    groups: Option<PathBuf>,
    /// Threshold of `consolidate` in the comparison with groups
    #[arg(long, default_value_t = 0.4)]
    threshold: f32,
    /// Projects that proposals are made of; what is left over of a multiple of four is not used
    #[arg(long, default_value_t = 200)]
    projects: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fit weights on one half of the projects and judge the other with them
    #[arg(long)]
    fit: bool,
    /// Fit the weights for an index of few documents: on proposals written by hand alone, of the first --features-in only as seen among few
    /// candidates; also on all but a quarter of the other files at a time, to be measured on those left out
    #[arg(long, requires_all = ["fit", "features_in"])]
    few: bool,
    /// Fit on proposals written by hand as well (each also with its source left out)
    #[arg(long, value_name = "FILE.jsonl")]
    by_hand: Option<PathBuf>,
    /// Where to write the features of every compared pair, one JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    features_out: Option<PathBuf>,
    /// Fit and measure on features that were written so in this index, comparing nothing anew; of a second and later file (other
    /// indexes, the same encoder) the proposals written by hand are fitted on as well
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["by_hand", "features_out"])]
    features_in: Vec<PathBuf>,
    /// Judge pairs and groups with these weights in place of the program's
    #[arg(long, value_name = "FILE.toml", conflicts_with = "fit")]
    weights: Option<PathBuf>,
    /// Where to write the fitted weights
    #[arg(long, value_name = "FILE.toml", requires = "fit")]
    weights_out: Option<PathBuf>,
}

/// Institutions named by `match` for later projects, against BM25 and the most frequent.
#[derive(Args)]
pub(in crate::cli) struct MatchArguments {
    /// Projects up to this year may be looked at; later ones are the needs
    #[arg(long, value_name = "YEAR")]
    until: i32,
    /// Calls instead: do two citations support the first match of each call of the index, and does an institute's earlier
    /// work find its own later project among calls?
    #[arg(long)]
    calls: bool,
    /// Needs drawn
    #[arg(long, default_value_t = 200)]
    sample: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
struct Planted {
    pairs: Vec<PlantedRow>,
}

pub(super) fn overlap(context: &Context, arguments: OverlapArguments) -> Result<Outcome, Failure> {
    let own = super::super::overlap::own_weights(arguments.weights.as_deref())?;
    let app = context.open()?;
    if let Some(file) = &arguments.pairs {
        let pairs = Planted { pairs: planted(&app, file, own)? };
        context.output.result(&pairs, planted_text);
        return Ok(Outcome::Yes);
    }
    if let Some(file) = &arguments.groups {
        context.output.result(&grouped(&app, file, arguments.threshold, own)?, grouped_text);
        return Ok(Outcome::Yes);
    }
    let options = OverlapEvaluation {
        projects: arguments.projects,
        seed: arguments.seed,
        fit: arguments.fit,
        few: arguments.few,
        by_hand: arguments.by_hand.clone(),
        features_out: arguments.features_out.clone(),
        features_in: arguments.features_in.clone(),
    };
    let measured = constructed(&app, &options)?;
    if let (Some(file), Some(fitted)) = (&arguments.weights_out, &measured.fitted) {
        let text = toml::to_string(fitted).map_err(|e| Failure::internal(e.to_string()))?;
        let head = "# Weights of src/portfolio/verdict.rs. Rows: done already, same aim, same method, related, none; the constant is last.\n";
        fs_err::write(file, format!("{head}{text}")).map_err(|e| Failure::bad_input(e.to_string()))?;
    }
    context.output.result(&measured, measured_text);
    Ok(Outcome::Yes)
}

pub(super) fn matching(context: &Context, arguments: MatchArguments) -> Result<Outcome, Failure> {
    let app = context.open()?;
    if arguments.calls {
        let calls = Calls {
            supported: supported(&app, arguments.sample, arguments.seed)?,
            openings: openings(&app, arguments.until, arguments.sample, arguments.seed)?,
        };
        context.output.result(&calls, calls_text);
        return Ok(Outcome::Yes);
    }
    let measured = time_split(&app, arguments.until, arguments.sample, arguments.seed)?;
    context.output.result(&measured, match_text);
    Ok(Outcome::Yes)
}

fn shown(estimate: &Option<Estimate>) -> String {
    estimate.map_or_else(|| "-".into(), |e| format!("{:.3} [{:.3}, {:.3}] (n {})", e.mean, e.low, e.high, e.n))
}

fn at_recall(found: &Option<AtRecall>) -> String {
    found.map_or_else(
        || "-".into(),
        |a| format!("{:.3} [{:.3}, {:.3}] (threshold {:.3})", a.precision, a.low, a.high, a.threshold),
    )
}

fn measured_text(m: &Measured) -> String {
    let mut out = format!(
        "{} projects, {} test proposals, {} documents, {}\nweights: {}\n",
        m.projects,
        m.proposals,
        m.documents,
        m.encoder.as_deref().unwrap_or("words only"),
        m.weights
    );
    out.push_str(&format!("done already: recall {}  precision {}\n", shown(&m.recall), shown(&m.precision)));
    out.push_str(&format!("precision at recall 0.90: {}\n", at_recall(&m.at_recall_90)));
    for r in &m.by_noise {
        let at = at_recall(&r.at_recall_90);
        out.push_str(&format!(
            "{:.0} to {:.0} % of words changed: recall {}  precision {}  precision at recall 0.90 {at}\n",
            r.from * 100.0,
            r.to * 100.0,
            shown(&r.recall),
            shown(&r.precision)
        ));
    }
    for r in &m.recipes {
        out.push_str(&format!(
            "{:14} {:24} right {}  recall@10 {}  proposals with a false alarm {} of {}  precision {}  at recall 0.90 {}\n",
            format!("{:?}", r.recipe),
            label_name(r.label),
            shown(&r.right),
            shown(&r.recall_10),
            r.false_alarms,
            r.proposals,
            shown(&r.precision),
            at_recall(&r.at_recall_90)
        ));
    }
    out.push_str("label -> verdict\n");
    for (label, verdict, n) in &m.confusion {
        out.push_str(&format!("  {:24} -> {:24} {n}\n", label_name(*label), verdict.name()));
    }
    out.push_str("calibration of p(done already): from to pairs mean share\n");
    for (from, to, n, mean, share) in &m.calibration {
        out.push_str(&format!("  {from:.2} {to:.2} {n:6} {mean:.3} {share:.3}\n"));
    }
    out.push_str(&format!("expected calibration error {:.4}\n", m.calibration_error));
    for h in &m.held_out {
        let HeldOut { features, repeats, found, false_alarms } = h;
        out.push_str(&format!(
            "held out {}: {found} of {repeats} repeats, {false_alarms} false alarms\n",
            features.display()
        ));
    }
    out
}

fn label_name(label: Option<Kind>) -> &'static str {
    label.map_or("unlabelled", Kind::name)
}

fn planted_text(p: &Planted) -> String {
    let mut out = String::new();
    let mut counts: BTreeMap<(&str, &str), [usize; 3]> = BTreeMap::new();
    for r in &p.pairs {
        let count = counts.entry((&r.label, &r.languages)).or_default();
        count[0] += usize::from(r.judged.is_some_and(|k| k.name() == r.label));
        count[1] += 1;
        count[2] += r.others.len();
    }
    for ((label, languages), [right, all, others]) in counts {
        out.push_str(&format!(
            "{label} {languages}: {right} of {all} judged so, {others} other works judged done already\n"
        ));
    }
    for r in &p.pairs {
        out.push_str(&format!(
            "{:14} judged {:24} p(done) {:.2} rank {:2}  {} {} <- {}  others: {}\n",
            r.label,
            r.judged.map_or("not a candidate", |k| k.name()),
            r.done,
            r.rank,
            r.languages,
            r.proposal,
            r.prior,
            r.others.join(" ")
        ));
        if let Some((a, b)) = &r.evidence {
            out.push_str(&format!("      “{}”\n      “{}”\n", spaced(a), spaced(b)));
        }
    }
    out
}

fn grouped_text(g: &Grouped) -> String {
    let mut out = format!(
        "{} of {} pairs found, {:.1} s; {} other pairs judged the same work\n",
        g.found,
        g.pairs,
        g.seconds,
        g.others.len()
    );
    for (a, b) in &g.missed {
        out.push_str(&format!("missed {a} {b}\n"));
    }
    for (a, b, p) in g.others.iter().take(40) {
        out.push_str(&format!("other {a} {b} {p:.2}\n"));
    }
    let b = &g.b_cubed;
    out.push_str(&format!(
        "consolidate: B³ precision {:.3} recall {:.3} F1 {:.3} over {} members of groups; F1 {:.3} over all projects\n",
        b.precision, b.recall, b.f1, b.items, b.f1_all
    ));
    out
}

fn match_text(m: &MatchMeasured) -> String {
    let mut out = format!(
        "{} earlier projects up to {}, {} needs, {} unreachable left out\n",
        m.earlier, m.until, m.needs, m.unreachable
    );
    for r in &m.rankers {
        out.push_str(&format!("{:14} MRR {}  HR@10 {}\n", r.name, shown(&r.mrr), shown(&r.hr_10)));
    }
    out.push_str(&super::retrieval::comparisons(&m.comparisons));
    out.push_str(&supported_text(&m.citations));
    out
}

#[derive(Serialize)]
struct Calls {
    supported: Supported,
    openings: Opened,
}

fn calls_text(c: &Calls) -> String {
    let o = &c.openings;
    format!(
        "calls as needs\n{}institutes by their work up to {}: {} institutes, {} later projects held back among {} calls\nMRR {}  HR@10 {}  (ten at random: {:.3})\n",
        supported_text(&c.supported),
        o.until,
        o.institutes,
        o.held_back,
        o.calls,
        shown(&o.mrr),
        shown(&o.hr_10),
        o.chance
    )
}

fn supported_text(s: &Supported) -> String {
    let mut out = format!(
        "{} needs, {} with a match; first institution cites two sentences {}; both support the need {}, one does {}\n",
        s.needs,
        s.matched,
        shown(&s.two_citations),
        shown(&s.both_supported),
        shown(&s.one_supported)
    );
    for r in &s.rule {
        out.push_str(&format!(
            "  (the rule is right on {:.3} of {} {} pairs, always the same answer {:.3})\n",
            r.accuracy, r.pairs, r.dataset, r.majority
        ));
    }
    out
}
