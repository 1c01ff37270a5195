//! Was this proposed work done before, by whom, when, and how far did it get? And what in it is new?
//!
//! In: a [`Proposal`] and the index. Candidates come from hybrid search by title, by facet, by windows over
//! the text, and once per language; each is compared sentence by sentence ([`super::compare`]) and judged
//! ([`super::verdict`]). Out: [`Overlap`], every verdict with pairs of quotes. A work that began after the proposal is put in the
//! proposal's place: its verdict says what the proposal is to it. It judges what is in the index; what was never ingested it
//! cannot know, and it says how many documents it looked at.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::PortfolioError;
use super::compare::{Comparison, Match, Side, compare};
use super::facet::Facet;
use super::institute::Institutes;
use super::judge::judge;
use super::project::{Fact, Project, tell_apart};
use super::proposal::Proposal;
use super::reading::Reading;
use super::similarity::Weigher;
use super::verdict::{FEATURES, Features, Kind, Model, WeightFile, severity, weights};
use crate::config::{self, Expand};
use crate::document::{Access, CharIndex, Document, Language, Span};
use crate::retrieve::{self, Parts, SearchMode, SearchOptions};
use crate::text::analyse;

/// Restrictions and size.
#[derive(Clone, Debug)]
pub struct OverlapOptions {
    /// Verdicts shown.
    pub limit: usize,
    /// Candidates compared in full.
    pub candidates: usize,
    /// Document ids or project ids that are not compared (the proposal itself, its own earlier versions).
    pub exclude: Vec<String>,
    /// Only work that began up to this year.
    pub until: Option<i32>,
    /// What the reader is cleared for.
    pub access: Access,
    /// Show verdicts `none` too.
    pub with_none: bool,
    /// Weights in place of the program's.
    pub weights: Option<Arc<WeightFile>>,
}

impl Default for OverlapOptions {
    fn default() -> Self {
        OverlapOptions {
            limit: 10,
            candidates: 40,
            exclude: Vec::new(),
            until: None,
            access: Access::Public,
            with_none: false,
            weights: None,
        }
    }
}

/// A quote of the proposal; characters of its text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProposalQuote {
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Byte-exact.
    pub quote: String,
    /// What the sentence speaks of.
    pub facet: Facet,
}

/// A quote of a document; characters of its extracted text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceQuote {
    /// Document.
    pub doc_id: String,
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Byte-exact.
    pub quote: String,
    /// What the sentence speaks of.
    pub facet: Facet,
    /// Page, where the format has pages.
    pub page: Option<u32>,
}

/// Two sentences that say alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The proposal's.
    pub proposal: ProposalQuote,
    /// The earlier work's.
    pub source: SourceQuote,
    /// 0 to 1.
    pub alike: f32,
}

/// What one earlier work is to the proposal; of a later one, what the proposal is to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// As [`Project::id`].
    pub project_id: String,
    /// Document.
    pub doc_id: String,
    /// Verdict; to be read the other way round where `later`.
    pub kind: Kind,
    /// Of this verdict.
    pub probability: f64,
    /// Of every kind that the text decides.
    pub probabilities: Vec<(Kind, f64)>,
    /// Title.
    pub title: String,
    /// Institute as counted.
    pub institution: Option<String>,
    /// Year.
    pub year: Option<i32>,
    /// First and last year.
    pub period: (Option<i32>, Option<i32>),
    /// Budget, in the currency's base unit where the source states its unit.
    pub budget: Option<f64>,
    /// ISO 4217 code of the budget's currency, where the source states it.
    pub currency: Option<&'static str>,
    /// Budget as a document states it.
    pub budget_stated: Option<Fact>,
    /// People.
    pub people: Vec<String>,
    /// Programme.
    pub programme: Option<Fact>,
    /// TRL or stage.
    pub stage: Option<Fact>,
    /// Status.
    pub status: Option<Fact>,
    /// How far it got, in its own words.
    pub reached: Option<SourceQuote>,
    /// It began after the proposal's own year: it cannot have been done before, but may do again what is proposed.
    pub later: bool,
    /// `ko`, `en`, `other`.
    pub language: &'static str,
    /// Sentences of it that were not compared, its text being long.
    pub left_out: usize,
    /// Best first.
    pub evidence: Vec<Evidence>,
    /// What the probability was computed from.
    pub features: Vec<(&'static str, f32)>,
}

/// What the report says of the proposal itself.
#[derive(Clone, Debug, Serialize)]
pub struct ProposalFacts {
    /// Title.
    pub title: String,
    /// Institute, where it names one.
    pub institution: Option<Fact>,
    /// Years.
    pub period: (Option<i32>, Option<i32>),
    /// Budget, in the currency's base unit where the source states its unit.
    pub budget: Option<f64>,
    /// ISO 4217 code of the budget's currency, where the source states it.
    pub currency: Option<&'static str>,
    /// Budget as the text states it.
    pub budget_stated: Option<Fact>,
    /// `ko`, `en`, `other`.
    pub language: &'static str,
    /// Sentences compared, by facet.
    pub sentences: Vec<(Facet, usize)>,
    /// Sentences that were not compared, the text being long: neither searched for nor among the new ones.
    pub left_out: usize,
    /// What a language model read in it, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// The text that offsets count characters of.
    pub text: String,
}

/// A sentence of the proposal that nothing in the index says, and that is not shown as evidence of a likeness.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewSentence {
    /// The sentence.
    #[serde(flatten)]
    pub quote: ProposalQuote,
    /// The most alike sentence of all candidates, 0 to 1.
    pub nearest: f32,
}

/// A checked proposal.
#[derive(Clone, Debug, Serialize)]
pub struct Overlap {
    /// The proposal.
    pub proposal: ProposalFacts,
    /// Best first.
    pub verdicts: Vec<Verdict>,
    /// Probability of the likeliest `done already` of all verdicts, shown or not; what began later was not done before.
    #[serde(skip)]
    pub most_done: Option<f64>,
    /// What no candidate says, in order of the text.
    pub new_in_proposal: Vec<NewSentence>,
    /// How it was judged.
    pub judged_by: JudgedBy,
    /// Milliseconds.
    pub took_ms: u128,
}

/// What stands behind the figures.
#[derive(Clone, Debug, Serialize)]
pub struct JudgedBy {
    /// Documents in the index.
    pub documents: u64,
    /// Candidates compared in full.
    pub compared: usize,
    /// Encoder; `null`: words only, and across languages only the glossary.
    pub encoder: Option<String>,
    /// How the weights were made.
    pub weights: String,
    /// The same in Korean, for reports.
    #[serde(skip)]
    pub weights_korean: String,
}

/// Different words a proposal has at least: it says what is to be reached and how, and nothing under three words is taken for a
/// sentence ([`facets`](super::facet::facets)). Of fewer, every project that says them says all.
const LEAST_WORDS: usize = 6;
/// Works among which the proposal is seen by one that began later: as many as the whole portfolio judges a pair among.
const AMONG: usize = 20;
/// Sentences less alike than this to everything are new; measured in docs/portfolio.md.
const NEW: f32 = 0.22;
/// Sentences a window over the text holds, for the search.
const WINDOW: usize = 6;
/// Windows searched at most.
const WINDOWS: usize = 12;
/// Passages a search brings.
const DEPTH: usize = 30;
/// Bytes of a query at most.
const QUERY: usize = 1600;
/// Pairs shown with a verdict.
const PAIRS: usize = 4;
/// Pairs less alike are no evidence, unless there is nothing better.
const SHOWN: f32 = 0.1;

/// Checks a proposal against the index.
pub fn find(
    parts: &Parts<'_>,
    institutes: &Institutes,
    proposal: &Proposal,
    options: &OverlapOptions,
) -> Result<Overlap, PortfolioError> {
    let begin = Instant::now();
    let words = different_words(&proposal.document.text);
    if words < LEAST_WORDS {
        return Err(PortfolioError::TooFewWords { words, least: LEAST_WORDS });
    }
    let (own, candidates) = compared(parts, institutes, proposal, options)?;
    let index = CharIndex::new(&proposal.document.text);
    let documents = parts.catalog.document_count()?;
    let model = model(options.weights.as_deref(), parts.embedder.is_some(), documents);
    let mut verdicts: Vec<(f64, Verdict)> = Vec::new();
    let mut nearest = vec![0f32; own.sentences.len()];
    for (at, candidate) in candidates.iter().enumerate() {
        for m in &candidate.comparison.matches {
            nearest[m.proposal] = nearest[m.proposal].max(m.alike);
        }
        let ruling = rule(model, &proposal.project, &own, &candidates, at);
        if ruling.kind != Kind::None || options.with_none {
            verdicts.push((severity(&ruling.probabilities), verdict(proposal, &own, candidate, &ruling, &index)));
        }
    }
    verdicts.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.project_id.cmp(&b.1.project_id)));
    let done = verdicts.iter().map(|(_, v)| v).filter(|v| v.kind == Kind::DoneAlready && !v.later);
    let most_done = done.map(|v| v.probability).max_by(f64::total_cmp);
    verdicts.truncate(options.limit);
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(|(_, verdict)| verdict).collect();
    let mut counts: Vec<(Facet, usize)> = Vec::new();
    for (sentence, _) in &own.sentences {
        match counts.iter_mut().find(|(f, _)| *f == sentence.facet) {
            Some((_, n)) => *n += 1,
            None => counts.push((sentence.facet, 1)),
        }
    }
    let project = &proposal.project;
    let new_in_proposal = new_sentences(&own, &nearest, &proposal.document.text, &index);
    Ok(Overlap {
        new_in_proposal: without_evidence(new_in_proposal, &verdicts),
        verdicts,
        most_done,
        judged_by: JudgedBy {
            documents,
            compared: candidates.len(),
            encoder: parts.embedder.map(|e| e.id().to_owned()),
            weights: model.made(),
            weights_korean: match (&options.weights, parts.embedder) {
                (Some(_), _) => format!("직접 지정한 파일({})", model.made()),
                (None, None) => "프로그램에 포함된 값(단어만 비교하는 색인용)".to_owned(),
                (None, Some(_)) => model.made_in_korean().to_owned(),
            },
        },
        proposal: ProposalFacts {
            title: project.title.clone(),
            institution: project.institution.clone(),
            period: (project.start, project.end),
            budget: project.budget,
            currency: project.currency,
            budget_stated: project.budget_stated.clone(),
            language: project.language,
            sentences: counts,
            left_out: own.left_out,
            reading: proposal.reading.clone(),
            text: proposal.document.text.clone(),
        },
        took_ms: begin.elapsed().as_millis(),
    })
}

/// How many different words a text has, counted as far as [`LEAST_WORDS`] asks; figures are none.
fn different_words(text: &str) -> usize {
    let mut found: HashSet<String> = HashSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next().filter(|_| found.len() < LEAST_WORDS) {
        let words = analyse(line).into_iter().filter(|t| t.weight >= 1.0 && t.text.contains(char::is_alphabetic));
        found.extend(words.map(|t| t.text));
    }
    found.len()
}

/// How a pair is judged.
struct Ruling {
    kind: Kind,
    probability: f64,
    /// Of the kinds of [`Kind::FITTED`].
    probabilities: [f64; 5],
    features: Features,
    later: bool,
}

/// Judges candidate `at`. As in the whole portfolio, the later of the two is taken as the proposal: one that began later than
/// the `proposal` is compared with this among the other candidates, unless the two have nothing to do with each other.
fn rule(model: Model<'_>, proposal: &Project, own: &Side, candidates: &[Compared], at: usize) -> Ruling {
    let candidate = &candidates[at];
    let of = |comparison: &Comparison, later: (&Project, usize), earlier: &Project| {
        let probabilities = model.probabilities(&comparison.features);
        let (kind, probability) = judge(&probabilities, later, earlier, &comparison.matches);
        Ruling { kind, probability, probabilities, features: comparison.features, later: false }
    };
    let forward = of(&candidate.comparison, (proposal, own.sentences.len()), &candidate.project);
    let later = candidate.project.began_after(proposal);
    if !later || forward.kind == Kind::None {
        return Ruling { later, ..forward };
    }
    let others = candidates.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, other)| &other.side);
    let sides: Vec<&Side> = std::iter::once(own).chain(others).take(AMONG).collect();
    let back = compare(&candidate.side, &sides);
    let back = back.first().map(|c| of(c, (&candidate.project, candidate.side.sentences.len()), proposal));
    Ruling { later, ..back.unwrap_or(forward) }
}

/// The weights to judge with: one's own, or the program's.
pub(super) fn model(own: Option<&WeightFile>, with_encoder: bool, documents: u64) -> Model<'_> {
    own.map_or_else(|| weights(with_encoder, documents), |file| file.model(with_encoder, documents))
}

/// A candidate, compared.
pub struct Compared {
    /// Its document.
    pub document: Document,
    /// Its facts.
    pub project: Project,
    /// Its text taken apart.
    pub side: Side,
    /// With the proposal.
    pub comparison: Comparison,
}

/// Finds candidates and compares each; also what measurements are made on.
pub fn compared(
    parts: &Parts<'_>,
    institutes: &Institutes,
    proposal: &Proposal,
    options: &OverlapOptions,
) -> Result<(Side, Vec<Compared>), PortfolioError> {
    let weigher = Weigher::new(parts);
    let text = &proposal.document.text;
    let own = Side::new(&weigher, &proposal.document.title, text, &proposal.project.sentences)?;
    if own.sentences.is_empty() {
        return Err(PortfolioError::Empty);
    }
    let mut found: Vec<(Document, Project, Side)> = Vec::new();
    for id in candidates(parts, proposal, &own, options)? {
        let document = parts.catalog.document(&id)?;
        if !document.is_work() || document.metadata.access > options.access {
            continue;
        }
        let project = Project::read(&document, institutes);
        let excluded =
            options.exclude.iter().any(|e| *e == project.id || *e == project.doc_id || *e == document.source);
        let too_late = options.until.is_some_and(|until| project.began().is_some_and(|b| b > until));
        if excluded || too_late || project.doc_id == proposal.document.id {
            continue;
        }
        let side = Side::new(&weigher, &document.title, &document.text, &project.sentences)?;
        found.push((document, project, side));
        if found.len() >= options.candidates {
            break;
        }
    }
    tell_apart(parts.catalog, found.iter_mut().map(|f| &mut f.1))?;
    let sides: Vec<&Side> = found.iter().map(|f| &f.2).collect();
    let comparisons = compare(&own, &sides);
    let candidates = found
        .into_iter()
        .zip(comparisons)
        .map(|((document, project, side), comparison)| Compared { document, project, side, comparison })
        .collect();
    Ok((own, candidates))
}

/// Ids of documents worth comparing, best first: reciprocal ranks of several searches, summed.
fn candidates(
    parts: &Parts<'_>,
    proposal: &Proposal,
    own: &Side,
    options: &OverlapOptions,
) -> Result<Vec<String>, PortfolioError> {
    let text = &proposal.document.text;
    let joined = |facets: &[Facet]| -> String {
        let chosen = own.sentences.iter().filter(|(s, _)| facets.contains(&s.facet));
        let mut out = String::new();
        for (sentence, _) in chosen {
            if out.len() > QUERY {
                break;
            }
            out.push_str(sentence.span.slice(text));
            out.push('\n');
        }
        out
    };
    let aim = joined(&[Facet::Aim]);
    let mut queries: Vec<(String, Option<Language>)> = vec![
        (proposal.document.title.clone(), None),
        (aim.clone(), None),
        (joined(&[Facet::Method, Facet::Material]), None),
        (joined(&[Facet::Result]), None),
    ];
    let step = own.sentences.len().div_ceil(WINDOWS).max(WINDOW);
    for window in own.sentences.chunks(step) {
        let words: String = window.iter().take(WINDOW).map(|(s, _)| s.span.slice(text)).collect::<Vec<_>>().join("\n");
        queries.push((words, None));
    }
    // Once per language, so that many near texts in one do not crowd out the one in the other.
    for language in [Language::Ko, Language::En] {
        for words in [&proposal.document.title, &aim, &joined(&[Facet::Method, Facet::Material, Facet::Result])] {
            queries.push((words.clone(), Some(language)));
        }
    }
    let mut asked: Vec<(String, Option<Language>, SearchMode)> =
        queries.iter().map(|(q, l)| (q.clone(), *l, SearchMode::Auto)).collect();
    if parts.embedder.is_some() {
        // By vectors alone: words that two languages share by chance must not crowd out the meaning.
        let by_vector = queries.iter().filter(|(_, language)| language.is_some());
        asked.extend(by_vector.map(|(q, l)| (q.clone(), *l, SearchMode::Dense)));
    }
    // Texts that say the same are what is looked for, and a proposal's own years and institutes are no restriction.
    let settings = config::Search {
        near_duplicate: 1.0,
        filters: false,
        mmr: 1.0,
        expand: Expand::None,
        ..parts.settings.clone()
    };
    let parts = &Parts { settings: &settings, ..*parts };
    let mut scores: HashMap<String, f64> = HashMap::new();
    for (query, language, mode) in asked {
        let query = cut(&query);
        if query.trim().is_empty() {
            continue;
        }
        let search = SearchOptions { limit: DEPTH, language, mode, access: options.access, ..SearchOptions::default() };
        let mut seen: HashSet<String> = HashSet::new();
        for (rank, passage) in retrieve::search(parts, query, &search)?.into_iter().enumerate() {
            if seen.insert(passage.doc_id.clone()) {
                *scores.entry(passage.doc_id).or_insert(0.0) += 1.0 / (10.0 + rank as f64);
            }
        }
    }
    let mut order: Vec<(String, f64)> = scores.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(order.into_iter().map(|(id, _)| id).collect())
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(QUERY * 2);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn verdict(proposal: &Proposal, own: &Side, candidate: &Compared, ruling: &Ruling, index: &CharIndex) -> Verdict {
    let project = &candidate.project;
    let text = &candidate.document.text;
    let there = CharIndex::new(text);
    let source = |span: Span, facet: Facet| {
        let (start, end) = there.chars(span);
        let quote = span.slice(text).to_owned();
        SourceQuote {
            doc_id: project.doc_id.clone(),
            start,
            end,
            quote,
            facet,
            page: candidate.document.page_at(span.start),
        }
    };
    let evidence = pairs(own, candidate)
        .into_iter()
        .map(|m| Evidence {
            proposal: quote(own, m.proposal, &proposal.document.text, index),
            source: source(candidate.side.span(m.candidate), candidate.side.sentences[m.candidate].0.facet),
            alike: m.alike,
        })
        .collect();
    Verdict {
        project_id: project.id.clone(),
        doc_id: project.doc_id.clone(),
        kind: ruling.kind,
        probability: ruling.probability,
        probabilities: Kind::FITTED.into_iter().zip(ruling.probabilities).collect(),
        title: project.title.clone(),
        institution: project.institute.as_ref().map(|i| i.name.clone()),
        year: project.year,
        period: (project.start, project.end),
        budget: project.budget,
        currency: project.currency,
        budget_stated: project.budget_stated.clone(),
        people: project.people.clone(),
        programme: project.programme.clone(),
        stage: project.stage.clone(),
        status: project.status.clone(),
        reached: reached(candidate).map(|(span, facet)| source(span, facet)),
        later: ruling.later,
        language: project.language,
        left_out: candidate.side.left_out,
        evidence,
        features: FEATURES.into_iter().zip(ruling.features).collect(),
    }
}

/// The pairs that show a verdict best: the most alike, of different sentences, aim and method both if they are there.
fn pairs(own: &Side, candidate: &Compared) -> Vec<Match> {
    let mut order = candidate.comparison.matches.clone();
    order.sort_by(|a, b| b.alike.total_cmp(&a.alike).then(a.proposal.cmp(&b.proposal)));
    let facet = |m: &Match| own.sentences[m.proposal].0.facet;
    let mut chosen: Vec<Match> = Vec::new();
    for wanted in [Facet::Aim, Facet::Method] {
        chosen.extend(order.iter().find(|m| facet(m) == wanted && m.alike >= SHOWN).copied());
    }
    for m in &order {
        let taken = |c: &Match| c.proposal == m.proposal || c.candidate == m.candidate;
        if chosen.len() < PAIRS && !chosen.iter().any(taken) && m.alike >= SHOWN {
            chosen.push(*m);
        }
    }
    if chosen.is_empty() {
        chosen.extend(order.first());
    }
    chosen.sort_by(|a, b| b.alike.total_cmp(&a.alike));
    let mut seen = HashSet::new();
    chosen.retain(|m| seen.insert((m.proposal, m.candidate)));
    chosen
}

/// The sentence of the result that holds most figures; else the last of it.
fn reached(candidate: &Compared) -> Option<(Span, Facet)> {
    let text = &candidate.document.text;
    let digits = |span: Span| span.slice(text).chars().filter(char::is_ascii_digit).count();
    let results = candidate.project.sentences.iter().filter(|s| s.facet == Facet::Result);
    results.max_by_key(|s| digits(s.span)).map(|s| (s.span, s.facet))
}

fn new_sentences(own: &Side, nearest: &[f32], text: &str, index: &CharIndex) -> Vec<NewSentence> {
    own.sentences
        .iter()
        .enumerate()
        .filter(|(i, (s, _))| nearest[*i] < NEW && s.facet != Facet::Other)
        .map(|(i, _)| NewSentence { quote: quote(own, i, text, index), nearest: nearest[i] })
        .collect()
}

/// A sentence that is shown as alike to earlier work is not shown as new beside it, however little alike the two are.
fn without_evidence(mut new: Vec<NewSentence>, verdicts: &[Verdict]) -> Vec<NewSentence> {
    let alike = verdicts.iter().filter(|v| v.kind != Kind::None);
    let shown: HashSet<usize> = alike.flat_map(|v| &v.evidence).map(|e| e.proposal.start).collect();
    new.retain(|sentence| !shown.contains(&sentence.quote.start));
    new
}

fn quote(own: &Side, sentence: usize, text: &str, index: &CharIndex) -> ProposalQuote {
    let span = own.span(sentence);
    let (start, end) = index.chars(span);
    ProposalQuote { start, end, quote: span.slice(text).to_owned(), facet: own.sentences[sentence].0.facet }
}

#[cfg(test)]
impl Overlap {
    /// A proposal of `A <new> blade.` against one earlier work.
    pub(super) fn sample() -> Overlap {
        let origin = super::project::Origin::Field;
        let quote = |start: usize, text: &str| ProposalQuote {
            start,
            end: start + text.len(),
            quote: text.to_owned(),
            facet: Facet::Aim,
        };
        let source = SourceQuote {
            doc_id: "d1".into(),
            start: 3,
            end: 18,
            quote: "Blades were old.".into(),
            facet: Facet::Aim,
            page: None,
        };
        let verdict = Verdict {
            project_id: "P-1".into(),
            doc_id: "d1".into(),
            kind: Kind::Related,
            probability: 0.5,
            probabilities: Vec::new(),
            title: "Old blades".into(),
            institution: None,
            year: Some(2020),
            period: (None, None),
            budget: Some(1.42e9),
            currency: Some("KRW"),
            budget_stated: None,
            people: Vec::new(),
            programme: None,
            stage: None,
            status: None,
            reached: Some(source.clone()),
            later: false,
            language: "en",
            left_out: 0,
            evidence: vec![Evidence { proposal: quote(0, "A <new> blade."), source, alike: 0.15 }],
            features: Vec::new(),
        };
        Overlap {
            proposal: ProposalFacts {
                title: "Blades".into(),
                institution: Some(Fact { value: "Calder & Sons".into(), origin, confidence: 0.5 }),
                period: (None, None),
                budget: None,
                currency: None,
                budget_stated: None,
                language: "en",
                sentences: vec![(Facet::Aim, 1)],
                left_out: 0,
                reading: None,
                text: "A <new> blade.".into(),
            },
            verdicts: vec![verdict],
            most_done: None,
            new_in_proposal: vec![NewSentence { quote: quote(20, "It is new."), nearest: 0.1 }],
            judged_by: JudgedBy {
                documents: 9,
                compared: 4,
                encoder: None,
                weights: "fitted on pairs".into(),
                weights_korean: "프로그램에 포함된 값".into(),
            },
            took_ms: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_has_words_for_what_is_to_be_reached_and_how() {
        let words = different_words;
        assert_eq!((words("이리듐"), words("Iridium, 30 % less iridium"), words("\n 12")), (1, 2, 0));
        assert!(words("Kilns\n\nThe aim is a quiet kiln. Burners are throttled by valves.") >= LEAST_WORDS);
        assert!(words("가마의 소음을 줄이는 것이 목표이다. 버너의 밸브를 조인다.") >= LEAST_WORDS);
    }

    #[test]
    fn a_sentence_stands_in_the_evidence_or_among_the_new_ones_never_in_both() {
        let mut found = Overlap::sample();
        let both = NewSentence { quote: found.verdicts[0].evidence[0].proposal.clone(), nearest: 0.15 };
        let new = vec![both, found.new_in_proposal[0].clone()];
        assert_eq!(without_evidence(new.clone(), &found.verdicts), new[1..]);
        // What was judged to have nothing to do with the proposal shows no likeness.
        found.verdicts[0].kind = Kind::None;
        assert_eq!(without_evidence(new.clone(), &found.verdicts), new);
    }
}
