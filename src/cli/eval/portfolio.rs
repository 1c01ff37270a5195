use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome};
use crate::evaluate::matching::{MatchMeasured, time_split};
use crate::evaluate::overlap::{Grouped, Measured, OverlapEvaluation, PlantedRow, constructed, grouped, planted};
use crate::evaluate::statistics::Estimate;

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
    #[arg(long, default_value_t = 0.3)]
    threshold: f32,
    /// Projects that proposals are made of
    #[arg(long, default_value_t = 200)]
    projects: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fit weights on one half of the projects and judge the other with them
    #[arg(long)]
    fit: bool,
    /// Fit on proposals written by hand as well (each also with its source left out)
    #[arg(long, value_name = "FILE.jsonl", requires = "fit")]
    by_hand: Option<PathBuf>,
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
        by_hand: arguments.by_hand.clone(),
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
    let measured = time_split(&app, arguments.until, arguments.sample, arguments.seed)?;
    context.output.result(&measured, match_text);
    Ok(Outcome::Yes)
}

fn shown(estimate: &Option<Estimate>) -> String {
    estimate.map_or_else(|| "-".into(), |e| format!("{:.3} [{:.3}, {:.3}] (n {})", e.mean, e.low, e.high, e.n))
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
    if let Some((precision, threshold)) = m.at_recall_90 {
        out.push_str(&format!("precision at recall 0.90: {precision:.3} (threshold {threshold:.3})\n"));
    }
    for r in &m.by_noise {
        let at = r.at_recall_90.map_or_else(|| "-".into(), |(p, t)| format!("{p:.3} (threshold {t:.3})"));
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
            "{:14} {:24} right {}  recall@10 {}  proposals with a false alarm {}\n",
            format!("{:?}", r.recipe),
            r.label.name(),
            shown(&r.right),
            shown(&r.recall_10),
            r.false_alarms
        ));
    }
    out.push_str("label -> verdict\n");
    for (label, verdict, n) in &m.confusion {
        out.push_str(&format!("  {:24} -> {:24} {n}\n", label.name(), verdict.name()));
    }
    out.push_str("calibration of p(done already): from to pairs mean share\n");
    for (from, to, n, mean, share) in &m.calibration {
        out.push_str(&format!("  {from:.2} {to:.2} {n:6} {mean:.3} {share:.3}\n"));
    }
    out.push_str(&format!("expected calibration error {:.4}\n", m.calibration_error));
    out
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
            let one = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            out.push_str(&format!("      “{}”\n      “{}”\n", one(a), one(b)));
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
    out.push_str(&format!(
        "match against bm25: p = {:.4}; first institution with two citations: {:.3}\n",
        m.p_against_bm25, m.two_citations
    ));
    out
}
