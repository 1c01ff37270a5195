//! Who can meet a need, on what evidence, and what gap stays? And the other way: which calls fit an institute?
//!
//! In: a need in its own words, and the index. Sentences of the need are searched one by one and together, once
//! per language; each project found is compared sentence by sentence. An institute's score is
//! `(its share of what all compared projects score + 0.1) · (its passages in the index) ^ 0.5`, with a project's score
//! `strongest⁴ · (0.5 + 0.5 · recency)`: who does much is likelier to do this too, and the text says how much likelier.
//! Every match cites at least two sentences, of two projects where there are two: those that say what a sentence of the
//! need asks for, word by word. Institutes without two such sentences, or one that says most of it alone, are marked `thin`
//! and stand behind those with them, whatever their scores. The gap is what none of its projects says. Lines of a form that
//! say who asks are no part of a need, nor what a sentence says of looking for somebody (`wanted.rs`).
//! It knows nothing of people's time or prices.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Match as Pairing, Side};
use super::fields::says_who_asks;
use super::holdings::{Citation, Holdings, citation};
use super::institute::Institutes;
use super::overlap::{Compared, OverlapOptions, compared};
use super::project::{Project, is_call};
use super::proposal::Proposal;
use super::said::{Asked, SAID, Said};
use super::similarity::{Terms, Weigher};
use super::wanted::{is_on_applying, wanted};
use crate::document::{Access, CharIndex, Document, Span};
use crate::index::{Filter, institutions};
use crate::retrieve::Parts;

/// A sentence of the need of which nothing says so much is a gap.
const GAP: f32 = 0.15;
/// Sentences cited.
const CITED: usize = 3;
/// What standing out from the other works of its language counts beside what a work says.
const STANDS_OUT: f32 = 0.5;
/// Recency counts half after so many years.
const HALF_LIFE: f64 = 10.0;

/// What an institute of which nothing compared speaks would still have.
const UNSAID: f64 = 0.1;
/// How much the size of an institute counts; less is kinder to small ones.
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
    /// Best first, those with thin evidence behind all others.
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
    /// True where fewer than two sentences say what the need asks for, and none says most of it alone: look for yourself.
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
    let asked = &what_is_asked(need);
    let search = OverlapOptions {
        candidates: options.candidates,
        access: options.access,
        exclude: options.exclude.clone(),
        until: options.until,
        ..OverlapOptions::default()
    };
    let (own, found) = compared(parts, institutes, asked, &search)?;
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
        let Evidence { citations, gap, titles, alone } = evidence(need, &own, &members, &index);
        let mut people: Vec<String> = Vec::new();
        for (_, c) in &members {
            people.extend(c.project.people.iter().filter(|p| !people.contains(p)).cloned().collect::<Vec<_>>());
        }
        people.truncate(5);
        matches.push(Match {
            institution: members[0].1.project.institute.as_ref().map_or_else(String::new, |i| i.name.clone()),
            score,
            people,
            gap,
            thin: !alone && citations.iter().filter(|c| c.alike >= SAID).count() + titles < 2,
            citations,
        });
    }
    best_first(&mut matches);
    matches.truncate(options.limit);
    Ok(Matches { matches, compared: found.len() })
}

/// The need without the lines of a form that say who asks for it, one of such lines alone as it is; of its title and of each
/// sentence only what is wanted.
fn what_is_asked(need: &Proposal) -> Proposal {
    let (mut document, mut project) = (need.document.clone(), need.project.clone());
    project.sentences.retain(|s| !says_who_asks(s.span.slice(&document.text)));
    if project.sentences.is_empty() {
        project.sentences.clone_from(&need.project.sentences);
    }
    for sentence in &mut project.sentences {
        let part = wanted(sentence.span.slice(&document.text));
        let start = sentence.span.start;
        sentence.span = Span { start: start + part.start, end: start + part.end };
    }
    document.title = document.title[wanted(&document.title)].to_owned();
    Proposal { document, project, reading: None }
}

/// The whole sentence of the need around a part of it.
fn around(need: &Proposal, part: Span) -> Span {
    let holds = |span: &Span| span.start <= part.start && part.end <= span.end;
    need.project.sentences.iter().map(|s| s.span).find(holds).unwrap_or(part)
}

/// By score, but a large institute of which nothing founded is known stands behind a small one of which something is.
fn best_first(matches: &mut [Match]) {
    matches.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score).then_with(|| a.institution.cmp(&b.institution));
        a.thin.cmp(&b.thin).then(by_score)
    });
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
    for (written, passages) in institutions(parts.store, &filter)? {
        *out.entry(institutes.find(&written).key).or_insert(0) += passages;
    }
    Ok(out)
}

/// How well a project meets the need: whole text and best sentences, and how it stands out from the others of its language, weighed by recency.
fn score(candidate: &Compared, present: i32) -> f64 {
    let f = &candidate.comparison.features;
    // whole_cosine, proposal_covered, the best sentence and the vectors (0 without an encoder).
    let said = f[0] + 0.5 * f[1] + 0.25 * f[12] + 0.5 * f[14] + 0.25 * f[15];
    // What is said in another language is always less; words_stand_out and vector_stands_out compare like with like.
    let strongest = f64::from(said + STANDS_OUT * (f[23].max(0.0) + f[26].max(0.0)));
    let age = candidate.project.end.or(candidate.project.year).map_or(HALF_LIFE, |y| f64::from((present - y).max(0)));
    strongest.powi(4) * (0.5 + 0.5 * 0.5f64.powf(age / HALF_LIFE))
}

/// What speaks for an institute.
struct Evidence {
    /// Up to three, the best pair of each project first.
    citations: Vec<NeedCitation>,
    /// The sentences of the need that nothing says.
    gap: Vec<String>,
    /// Projects whose title says what the need asks for and stands outside their text, as a record's does: each citation of the
    /// project shows it.
    titles: usize,
    /// A sentence or title of a cited project is enough by itself.
    alone: bool,
}

fn evidence(need: &Proposal, own: &Side, members: &[(f64, &Compared)], index: &CharIndex) -> Evidence {
    let asked = Asked::new(own);
    let said: Vec<Said> = members.iter().map(|(_, c)| asked.said_by(&c.side)).collect();
    let unmet = (0..own.sentences.len()).filter(|i| said.iter().all(|s| s.nearest[*i] < GAP));
    let gap = unmet.map(|i| around(need, own.span(i)).slice(&need.document.text).to_owned()).collect();
    // What says it stands before what hardly does, then each project's best before any second.
    let mut order: Vec<(bool, usize, usize, Pairing)> = Vec::new();
    for (m, Said { pairs, alone, .. }) in said.iter().enumerate() {
        let mut sentences: Vec<usize> = Vec::new();
        for pair in pairs {
            if !sentences.contains(&pair.candidate) && sentences.len() < CITED {
                order.push((pair.alike < SAID && !alone, sentences.len(), m, *pair));
                sentences.push(pair.candidate);
            }
        }
        // A title that says it, above a text that says nothing of it, is shown with the first sentence.
        let c = members[m].1;
        let is_placed = sentences.iter().any(|j| place(&c.side, &c.document, *j).is_some());
        if let Some(best) = pairs.first().filter(|_| *alone && !is_placed) {
            order.push((false, 0, m, Pairing { candidate: 0, alike: 0.0, ..*best }));
        }
    }
    order.sort_by_key(|o| (o.0, o.1));
    let mut out: Vec<NeedCitation> = Vec::new();
    for (_, _, m, pair) in order {
        let c = members[m].1;
        let Some(there) = place(&c.side, &c.document, pair.candidate) else { continue };
        let (quote, here) = (there.slice(&c.document.text).to_owned(), around(need, own.span(pair.proposal)));
        if out.len() == CITED || out.iter().any(|o| o.citation.quote == quote) {
            continue;
        }
        let (need_start, need_end) = index.chars(here);
        out.push(NeedCitation {
            citation: citation(&c.project, &c.document, there),
            need: here.slice(&need.document.text).to_owned(),
            need_start,
            need_end,
            alike: pair.alike,
        });
    }
    let says_it = |(_, c): &&(f64, &Compared), pairs: &[Pairing]| {
        let title = c.side.sentences.len();
        place(&c.side, &c.document, title).is_none() && pairs.iter().any(|p| p.candidate == title && p.alike >= SAID)
    };
    let titles = members.iter().zip(&said).filter(|(m, s)| says_it(m, &s.pairs)).count();
    let is_cited = |doc_id: &str| out.iter().any(|o| o.citation.doc_id == doc_id);
    let alone = members.iter().zip(&said).any(|(m, s)| s.alone && is_cited(&m.1.project.doc_id));
    Evidence { citations: out, gap, titles, alone }
}

/// Where a sentence of a work stands, after the last one its title; `None` where the text does not hold the title.
fn place(work: &Side, document: &Document, sentence: usize) -> Option<Span> {
    if sentence < work.sentences.len() {
        return Some(work.span(sentence));
    }
    let start = document.text.find(&document.title)?;
    Some(Span { start, end: start + document.title.len() })
}

/// Calls of the index for an institute.
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
    /// Path below what was ingested, with `#record` for records.
    #[serde(skip)]
    pub source: String,
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
        return Err(PortfolioError::NoInstitute(name.to_owned()));
    }
    let weigher = Weigher::new(parts);
    let mut sides: Vec<(&Project, Document, Side)> = Vec::new();
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
                source: document.source.clone(),
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
        let mut read = Project::read(&document, institutes);
        read.sentences.retain(|s| !is_on_applying(s.span.slice(&document.text)));
        let call = Side::new(&weigher, &document.title, &document.text, &read.sentences)?;
        let asked = Asked::new(&call);
        let mut pairs: Vec<(f32, Citation, Citation)> = Vec::new();
        for (project, mine, side) in &sides {
            for m in asked.said_by(side).pairs.into_iter().take(CITED).filter(|m| m.alike >= SAID) {
                if let Some(there) = place(side, mine, m.candidate) {
                    let here = citation(&read, &document, call.span(m.proposal));
                    pairs.push((m.alike, here, citation(project, mine, there)));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.start.cmp(&b.1.start)));
        opening.pairs = cited(pairs.into_iter().map(|(_, a, b)| (a, b)));
    }
    Ok(Openings { institution: wanted.name, projects: sides.len(), calls })
}

/// The first pairs of a call's sentence and an institute's, each sentence in one pair only.
fn cited(pairs: impl Iterator<Item = (Citation, Citation)>) -> Vec<(Citation, Citation)> {
    let mut out: Vec<(Citation, Citation)> = Vec::new();
    for (call, own) in pairs {
        let is_shown = out.iter().any(|(a, b)| a.start == call.start || b.quote == own.quote);
        if out.len() < CITED && !is_shown {
            out.push((call, own));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_of_a_call_and_of_an_institute_is_shown_once_and_those_not_shown_bar_none() {
        let quote = |start, quote: &str| Citation {
            project_id: "P-1".into(),
            doc_id: "d".into(),
            title: "Kilns".into(),
            year: None,
            start,
            end: start + 9,
            quote: quote.into(),
        };
        let pair = |start, own: &str| (quote(start, "Asked."), quote(0, own));
        let shown = cited([pair(0, "a"), pair(0, "b"), pair(10, "b"), pair(20, "a"), pair(30, "c")].into_iter());
        let shown: Vec<(usize, &str)> = shown.iter().map(|(call, own)| (call.start, own.quote.as_str())).collect();
        assert_eq!(shown, [(0, "a"), (10, "b"), (30, "c")]);
    }

    #[test]
    fn who_asks_is_no_requirement() {
        let text = "# 기술 수요\n\n기업명: 주식회사 바람결에너지\n담당자: 기술팀 이서준 책임\n\n\
                    요구 성능: 결빙 감지 정확도 95 % 이상\n\n겨울철 블레이드 결빙을 멀리서 감지하는 기술이 필요하다.\n";
        let need = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
        let asked = what_is_asked(&need);
        let sentences: Vec<&str> = asked.project.sentences.iter().map(|s| s.span.slice(text)).collect();
        assert!(need.project.sentences.len() > sentences.len(), "{sentences:?}");
        assert!(sentences.iter().all(|s| !s.contains("바람결에너지") && !s.contains("이서준")), "{sentences:?}");
        assert!(sentences.iter().any(|s| s.contains("95 %")), "{sentences:?}");
        let alone = Proposal::from_text("기업명: 주식회사 바람결에너지 기술연구소", &Institutes::new(&[])).unwrap();
        assert!(!what_is_asked(&alone).project.sentences.is_empty());
    }

    #[test]
    fn that_somebody_is_looked_for_is_no_requirement_but_stays_in_what_is_shown() {
        for (text, part) in [
            ("농축수에서 리튬을 회수할 수 있는 기관을 찾습니다.", "농축수에서 리튬을 회수할"),
            ("We need someone for lithium recovery from brine.", "lithium recovery from brine."),
        ] {
            let need = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
            let asked = what_is_asked(&need);
            let [sentence] = asked.project.sentences[..] else { panic!("one sentence: {:?}", asked.project.sentences) };
            assert_eq!((sentence.span.slice(text), asked.document.title.as_str()), (part, part));
            assert_eq!(around(&need, sentence.span).slice(text), text);
        }
    }

    #[test]
    fn founded_evidence_stands_before_thin_evidence_whatever_the_score() {
        let of = |institution: &str, score, thin| Match {
            institution: institution.to_owned(),
            score,
            people: Vec::new(),
            citations: Vec::new(),
            gap: Vec::new(),
            thin,
        };
        let mut matches = [of("a", 0.9, true), of("c", 0.3, false), of("b", 0.3, false), of("d", 0.4, false)];
        best_first(&mut matches);
        assert_eq!(matches.map(|m| m.institution), ["d", "b", "c", "a"]);
    }
}
