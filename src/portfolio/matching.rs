//! Who can meet a need, on what evidence, and what gap stays? And the other way: which calls fit an institute?
//!
//! In: a need in its own words, and the index. Sentences of the need are searched one by one and together, once
//! per language; each project found is compared sentence by sentence. An institute's score is
//! `(its share of what all compared projects score + 0.1) · (its passages in the index) ^ 0.5`, with a project's score
//! `strongest⁴ · (0.5 + 0.5 · recency)`: who does much is likelier to do this too, and the text says how much likelier.
//! Every match cites at least two sentences, of two projects where there are two. The gap is what no cited project says.
//! It knows nothing of people's time or prices.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Side, compare};
use super::facet::Facet;
use super::holdings::{Citation, Holdings};
use super::institute::Institutes;
use super::overlap::{Compared, OverlapOptions, compared};
use super::project::{Project, is_call};
use super::proposal::Proposal;
use super::similarity::{Terms, Weigher};
use crate::document::{Access, CharIndex};
use crate::index::Filter;
use crate::retrieve::Parts;

/// A sentence of the need that is less alike to everything an institute did is a gap.
const GAP: f32 = 0.14;
/// Recency counts half after so many years.
const HALF_LIFE: f64 = 10.0;

/// What an institute of which nothing compared speaks would still have.
const UNSAID: f64 = 0.1;
/// How much the size of an institute counts; 1 is best for naming the performer (`docs/portfolio.md`), less is kinder to small ones.
const SIZE: f64 = 0.5;

/// How many, and what may be seen.
#[derive(Clone, Debug)]
pub struct MatchOptions {
    /// Institutes shown.
    pub limit: usize,
    /// Projects compared.
    pub candidates: usize,
    /// What the reader is cleared for.
    pub access: Access,
    /// Projects that are not looked at.
    pub exclude: Vec<String>,
    /// Only work that began up to this year.
    pub until: Option<i32>,
}

impl Default for MatchOptions {
    fn default() -> Self {
        MatchOptions { limit: 10, candidates: 80, access: Access::Public, exclude: Vec::new(), until: None }
    }
}

/// Institutes for a need.
#[derive(Clone, Debug, Serialize)]
pub struct Matches {
    /// Best first.
    pub matches: Vec<Match>,
    /// Projects compared.
    pub compared: usize,
}

/// One institute.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    /// Name.
    pub institution: String,
    /// Unitless, comparable within one need.
    pub score: f64,
    /// Its people on these projects.
    pub people: Vec<String>,
    /// What it rests on; at least two.
    pub citations: Vec<NeedCitation>,
    /// Sentences of the need that none of its projects speaks of.
    pub gap: Vec<String>,
    /// True where fewer than two sentences support it: look for yourself.
    pub thin: bool,
}

/// A quote and the sentence of the need that it answers.
#[derive(Clone, Debug, Serialize)]
pub struct NeedCitation {
    /// The quote.
    #[serde(flatten)]
    pub citation: Citation,
    /// The need's sentence.
    pub need: String,
    /// First character of it in the need's text.
    pub need_start: usize,
    /// One past its last.
    pub need_end: usize,
    /// 0 to 1.
    pub alike: f32,
}

/// Institutes for a need.
pub fn for_need(
    parts: &Parts<'_>,
    institutes: &Institutes,
    need: &Proposal,
    options: &MatchOptions,
) -> Result<Matches, PortfolioError> {
    let search = OverlapOptions {
        candidates: options.candidates,
        access: options.access,
        exclude: options.exclude.clone(),
        until: options.until,
        ..OverlapOptions::default()
    };
    let (own, found) = compared(parts, institutes, need, &search)?;
    let present = found.iter().filter_map(|c| c.project.year).max().unwrap_or(2000);
    let mut groups: BTreeMap<String, Vec<(f64, &Compared)>> = BTreeMap::new();
    for candidate in &found {
        if let Some(institute) = &candidate.project.institute {
            groups.entry(institute.key.clone()).or_default().push((score(candidate, present), candidate));
        }
    }
    let index = CharIndex::new(&need.document.text);
    let sizes = sizes(parts, institutes, options)?;
    let total: f64 = groups.values().flatten().map(|m| m.0).sum::<f64>().max(f64::MIN_POSITIVE);
    let mut matches: Vec<Match> = Vec::new();
    for (key, mut members) in groups {
        members.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.project.id.cmp(&b.1.project.id)));
        let share = members.iter().map(|m| m.0).sum::<f64>() / total;
        let size = sizes.get(&key).copied().unwrap_or(1).max(1) as f64;
        let score = (share + UNSAID) * size.powf(SIZE);
        let citations = citations(need, &own, &members, &index);
        let mut people: Vec<String> = Vec::new();
        for (_, c) in &members {
            people.extend(c.project.people.iter().filter(|p| !people.contains(p)).cloned().collect::<Vec<_>>());
        }
        people.truncate(5);
        matches.push(Match {
            institution: members[0].1.project.institute.as_ref().map_or_else(String::new, |i| i.name.clone()),
            score,
            people,
            gap: gap(need, &own, &members),
            thin: citations.len() < 2 || citations.iter().all(|c| c.alike < GAP),
            citations,
        });
    }
    matches.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.institution.cmp(&b.institution)));
    matches.truncate(options.limit);
    Ok(Matches { matches, compared: found.len() })
}

/// Passages of each institute in the index, as far as they may be looked at.
fn sizes(
    parts: &Parts<'_>,
    institutes: &Institutes,
    options: &MatchOptions,
) -> Result<HashMap<String, u64>, PortfolioError> {
    let filter = Filter::default()
        .sector(&parts.sector.name)
        .years(None, options.until.map(i64::from))
        .access_up_to(options.access);
    let mut out: HashMap<String, u64> = HashMap::new();
    for (written, passages) in parts.store.facet("institution", Some(&filter))? {
        *out.entry(institutes.find(&written).key).or_insert(0) += passages;
    }
    Ok(out)
}

/// How well a project meets the need: whole text and best sentences, weighed by recency.
fn score(candidate: &Compared, present: i32) -> f64 {
    let f = &candidate.comparison.features;
    // whole_cosine, proposal_covered, the best sentence and the vectors (0 without an encoder).
    let strongest = f64::from(f[0] + 0.5 * f[1] + 0.25 * f[12] + 0.5 * f[14] + 0.25 * f[15]);
    let age = candidate.project.end.or(candidate.project.year).map_or(HALF_LIFE, |y| f64::from((present - y).max(0)));
    strongest.powi(4) * (0.5 + 0.5 * 0.5f64.powf(age / HALF_LIFE))
}

fn citations(need: &Proposal, own: &Side, members: &[(f64, &Compared)], index: &CharIndex) -> Vec<NeedCitation> {
    let mut out: Vec<NeedCitation> = Vec::new();
    // The best pair of each of the first projects, then second pairs, until there are three.
    for round in 0..3 {
        for (_, c) in members.iter().take(3) {
            let mut order = c.comparison.matches.clone();
            order.sort_by(|a, b| b.alike.total_cmp(&a.alike).then(a.proposal.cmp(&b.proposal)));
            order.dedup_by_key(|m| m.candidate);
            let Some(m) = order.get(round) else { continue };
            let (there, here) = (c.side.span(m.candidate), own.span(m.proposal));
            let (start, end) = CharIndex::new(&c.document.text).chars(there);
            let quote = there.slice(&c.document.text).to_owned();
            if out.iter().any(|o| o.citation.quote == quote) {
                continue;
            }
            let (need_start, need_end) = index.chars(here);
            out.push(NeedCitation {
                citation: Citation {
                    project_id: c.project.id.clone(),
                    doc_id: c.project.doc_id.clone(),
                    title: c.project.title.clone(),
                    year: c.project.year,
                    start,
                    end,
                    quote,
                },
                need: here.slice(&need.document.text).to_owned(),
                need_start,
                need_end,
                alike: m.alike,
            });
            if out.len() == 3 {
                return out;
            }
        }
        if out.len() >= 2 {
            break;
        }
    }
    out
}

fn gap(need: &Proposal, own: &Side, members: &[(f64, &Compared)]) -> Vec<String> {
    let mut nearest: HashMap<usize, f32> = HashMap::new();
    for (_, c) in members {
        for m in &c.comparison.matches {
            let slot = nearest.entry(m.proposal).or_insert(0.0);
            *slot = slot.max(m.alike);
        }
    }
    let unmet = |i: &usize| nearest.get(i).copied().unwrap_or(0.0) < GAP;
    (0..own.sentences.len()).filter(unmet).map(|i| own.span(i).slice(&need.document.text).to_owned()).collect()
}

/// Calls and needs of the index for an institute.
#[derive(Clone, Debug, Serialize)]
pub struct Openings {
    /// The institute as counted.
    pub institution: String,
    /// Its projects.
    pub projects: usize,
    /// Best first.
    pub calls: Vec<Opening>,
}

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Opening {
    /// Document.
    pub doc_id: String,
    /// Title.
    pub title: String,
    /// Year.
    pub year: Option<i32>,
    /// 0 to 1.
    pub score: f32,
    /// The call's sentence and the institute's that answers it.
    pub pairs: Vec<(Citation, Citation)>,
}

/// What an institute's projects speak of, together.
pub fn profile<'s>(projects: impl Iterator<Item = &'s Side>) -> Terms {
    Terms::sum(projects.map(Side::terms))
}

/// How well a call fits such a profile, 0 to 1.
pub fn fit(profile: &Terms, call: &Side) -> f32 {
    profile.cosine(call.terms())
}

/// Which calls of the index fit an institute's work?
pub fn for_institute(
    parts: &Parts<'_>,
    institutes: &Institutes,
    holdings: &Holdings,
    name: &str,
    limit: usize,
    access: Access,
) -> Result<Openings, PortfolioError> {
    let wanted = institutes.find(name);
    let own: Vec<&Project> = holdings
        .all
        .iter()
        .filter(|h| h.project.institute.as_ref().is_some_and(|i| i.key == wanted.key))
        .map(|h| &h.project)
        .collect();
    if own.is_empty() {
        return Err(PortfolioError::Nothing(format!(
            "no project of `{name}` in this index; `sectora strengths` lists the institutes"
        )));
    }
    let weigher = Weigher::new(parts);
    let mut sides: Vec<(&Project, crate::document::Document, Side)> = Vec::new();
    for project in own {
        let document = parts.catalog.document(&project.doc_id)?;
        let read = Project::read(&document, institutes);
        let side = Side::new(&weigher, &document.title, &document.text, &read.sentences)?;
        sides.push((project, document, side));
    }
    let profile = profile(sides.iter().map(|s| &s.2));
    let mut calls: Vec<Opening> = Vec::new();
    let mut after = String::new();
    loop {
        let ids = parts.catalog.document_ids(&after, 500)?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        for id in &ids {
            let document = parts.catalog.document(id)?;
            if !is_call(&document) || document.metadata.access > access {
                continue;
            }
            let read = Project::read(&document, institutes);
            let call = Side::new(&weigher, &document.title, &document.text, &read.sentences)?;
            let score = fit(&profile, &call);
            calls.push(Opening {
                doc_id: document.id.clone(),
                title: document.title.clone(),
                year: document.metadata.year,
                score,
                pairs: Vec::new(),
            });
        }
    }
    calls.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.doc_id.cmp(&b.doc_id)));
    calls.truncate(limit);
    for opening in &mut calls {
        let document = parts.catalog.document(&opening.doc_id)?;
        let read = Project::read(&document, institutes);
        let call = Side::new(&weigher, &document.title, &document.text, &read.sentences)?;
        let all: Vec<&Side> = sides.iter().map(|s| &s.2).collect();
        let compared = compare(&call, &all);
        let mut pairs: Vec<(f32, Citation, Citation)> = Vec::new();
        let place = |document: &crate::document::Document, project: &Project, span: crate::document::Span| {
            let (start, end) = CharIndex::new(&document.text).chars(span);
            Citation {
                project_id: project.id.clone(),
                doc_id: document.id.clone(),
                title: document.title.clone(),
                year: project.year,
                start,
                end,
                quote: span.slice(&document.text).to_owned(),
            }
        };
        for ((project, mine, side), comparison) in sides.iter().zip(compared) {
            for m in comparison.matches {
                if call.sentences[m.proposal].0.facet != Facet::Other {
                    let (a, b) = (call.span(m.proposal), side.span(m.candidate));
                    pairs.push((m.alike, place(&document, &read, a), place(mine, project, b)));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.start.cmp(&b.1.start)));
        pairs.dedup_by(|a, b| a.1.start == b.1.start);
        opening.pairs = pairs.into_iter().take(3).map(|(_, a, b)| (a, b)).collect();
    }
    Ok(Openings { institution: wanted.name, projects: sides.len(), calls })
}
