//! From a question to numbered passages: what it restricts itself to, glossary, hybrid search, fusion, near-duplicates left
//! out, provenance.
//!
//! In: a question and filters. Out: [`Passage`]s, best first, with everything needed to cite them.
//! Knows nothing of generators, prompts or HTTP.

mod acronyms;
mod across;
mod by_meaning;
mod diversity;
mod expand;
pub mod fusion;
mod glossary;
mod lexicon;
mod listing;
mod rerank;
mod several;
mod spelling;
mod support;
mod understand;
mod unmatched;

use std::collections::HashSet;
use std::time::Duration;

use crate::config::{self, Expand};
use crate::document::{Access, CharIndex, Language, Passage};
use crate::embed::{EmbedError, Embedder, Encoded, Reranker, Side};
use crate::error::{Classified, ErrorKind};
use crate::index::{self, Catalog, Filter, Hit, IndexError, Mode, Query, VectorStore};
use crate::sector::{InstituteNames, InstituteRow, Sector};
use crate::text::bm25::SparseVector;
use crate::text::width::narrowed;
use crate::text::{institutes, letters, rows};

pub use across::Translations;
pub use by_meaning::is_by_meaning_alone;
use diversity::{Candidate, Chooser, Seen};
use fusion::Join;
pub use glossary::Glossary;
pub use lexicon::Lexicon;
pub use listing::{Documents, Stated, documents, stated_for_list};
pub use spelling::{Respelling, by_vocabulary, respell};
pub use support::Support;
pub use unmatched::{SetAside, Undated, Unmatched, restricted_to, undated, unmatched};

/// Longest question that is searched for, bytes: the 4,000 characters that the page takes, in Korean. A longer text is
/// a proposal.
pub const LONGEST_QUESTION: usize = 12 << 10;

/// What a search needs.
pub struct Parts<'a> {
    /// Documents and chunks.
    pub catalog: &'a Catalog,
    /// Vectors.
    pub store: &'a dyn VectorStore,
    /// The encoder the index was made with, if any.
    pub embedder: Option<&'a dyn Embedder>,
    /// The cross-encoder that orders the best passages anew, if any.
    pub reranker: Option<&'a dyn Reranker>,
    /// Sector.
    pub sector: &'a Sector,
    /// The sector's glossary.
    pub glossary: &'a Glossary,
    /// The index's words in the other language.
    pub lexicon: &'a Lexicon,
    /// Settings.
    pub settings: &'a config::Search,
}

/// Which vectors to search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Hybrid where the index has an encoder, else sparse.
    #[default]
    Auto,
    /// BM25 only.
    Sparse,
    /// Vectors only.
    Dense,
    /// Both.
    Hybrid,
}

impl SearchMode {
    /// What is searched in an index with, or without, an encoder.
    pub fn in_index(self, has_encoder: bool) -> SearchMode {
        match self {
            SearchMode::Auto if has_encoder => SearchMode::Hybrid,
            SearchMode::Auto => SearchMode::Sparse,
            SearchMode::Sparse | SearchMode::Dense | SearchMode::Hybrid => self,
        }
    }
}

/// Restrictions and size of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOptions {
    /// Passages wanted.
    pub limit: usize,
    /// Which vectors.
    pub mode: SearchMode,
    /// Only these institutions (any if empty).
    pub institutions: Vec<String>,
    /// Only these document types (any if empty).
    pub doc_types: Vec<String>,
    /// Only this language.
    pub language: Option<Language>,
    /// First year.
    pub year_from: Option<i64>,
    /// Last year.
    pub year_to: Option<i64>,
    /// What the reader is cleared for.
    pub access: Access,
}

impl Default for SearchOptions {
    fn default() -> Self {
        SearchOptions {
            limit: 6,
            mode: SearchMode::Auto,
            institutions: Vec::new(),
            doc_types: Vec::new(),
            language: None,
            year_from: None,
            year_to: None,
            access: Access::Public,
        }
    }
}

/// What can go wrong in a search.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// Nothing was asked.
    #[error("the question is empty")]
    EmptyQuestion,
    /// More was asked than a question is.
    #[error(
        "the question has {bytes} bytes, at most {} are searched for; shorten it, or compare a long text with what was \
         done before: `sectora overlap FILE`",
        LONGEST_QUESTION
    )]
    TooLong {
        /// Bytes.
        bytes: usize,
    },
    /// Nothing is indexed.
    #[error("the index of sector `{0}` is empty; run `sectora ingest` first")]
    EmptyIndex(String),
    /// Dense search without an encoder.
    #[error(
        "this index was made without an encoder, so only sparse search is possible; set `encoder` and run `sectora ingest --rebuild`"
    )]
    NoEncoder,
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The encoder refused.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl Classified for RetrieveError {
    fn kind(&self) -> ErrorKind {
        match self {
            RetrieveError::EmptyQuestion | RetrieveError::TooLong { .. } => ErrorKind::BadInput,
            RetrieveError::EmptyIndex(_) => ErrorKind::NotFound,
            RetrieveError::NoEncoder => ErrorKind::Conflict,
            RetrieveError::Index(e) => e.kind(),
            RetrieveError::Embed(e) => e.kind(),
        }
    }

    fn for_client(&self) -> String {
        match self {
            RetrieveError::EmptyIndex(sector) => {
                format!("the index of sector `{sector}` is empty; whoever runs this server must read documents into it")
            }
            RetrieveError::NoEncoder => {
                "this index was made without an encoder, so only `sparse` search is possible".to_owned()
            }
            RetrieveError::TooLong { bytes } => format!(
                "the question has {bytes} bytes, at most {LONGEST_QUESTION} are searched for; shorten it, or send a \
                 long text to /v1/overlap"
            ),
            RetrieveError::Index(e) => e.for_client(),
            RetrieveError::EmptyQuestion | RetrieveError::Embed(_) => self.to_string(),
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Best first, numbered from 1.
    pub passages: Vec<Passage>,
    /// What the question says of years and institutions that no document matches; it was searched without.
    pub set_aside: Option<SetAside>,
}

/// Refuses what is longer than [`LONGEST_QUESTION`].
pub fn check_length(question: &str) -> Result<(), RetrieveError> {
    if question.len() > LONGEST_QUESTION {
        return Err(RetrieveError::TooLong { bytes: question.len() });
    }
    Ok(())
}

/// The passages for a question, best first, numbered from 1.
pub fn search(parts: &Parts<'_>, question: &str, options: &SearchOptions) -> Result<Vec<Passage>, RetrieveError> {
    Ok(search_with(parts, question, &[], options)?.passages)
}

/// The same with what was left aside, and with other wordings of the question searched beside it.
pub fn search_with(
    parts: &Parts<'_>,
    question: &str,
    wordings: &[String],
    options: &SearchOptions,
) -> Result<Found, RetrieveError> {
    if question.trim().is_empty() {
        return Err(RetrieveError::EmptyQuestion);
    }
    let settings = parts.settings;
    let limit = parts.reranker.map_or(options.limit, |_| options.limit.max(settings.rerank_candidates));
    let stated = stated(parts, question, options)?;
    // Twice as many: some may say the same.
    let chooses = settings.near_duplicate < 1.0 || settings.mmr < 1.0 || settings.expand != Expand::None;
    let wanted = if chooses { limit * 2 } else { limit };
    let find = |options: &SearchOptions| -> Result<Vec<Hit>, RetrieveError> {
        let asked = std::iter::once(question).chain(wordings.iter().map(String::as_str));
        let lists: Result<Vec<_>, _> = asked.map(|q| find(parts, q, options, wanted)).collect();
        Ok(several::joined(lists?, settings.rrf_k, wanted))
    };
    let mut hits = find(stated.as_ref().unwrap_or(options))?;
    let mut set_aside = SetAside::default();
    if let Some(stated) = stated.as_ref().filter(|_| hits.is_empty()) {
        // The institutions are some of the index: with them and without the years something is found.
        let by_institution = SearchOptions { year_from: None, year_to: None, ..stated.clone() };
        set_aside.years = [stated.year_from, stated.year_to];
        if !stated.institutions.is_empty() && set_aside.years != [None, None] {
            hits = find(&by_institution)?;
        }
        if hits.is_empty() {
            set_aside.institutions.clone_from(&stated.institutions);
            hits = find(options)?;
        }
    }
    if hits.is_empty() && parts.store.count(None)? == 0 {
        return Err(RetrieveError::EmptyIndex(parts.sector.name.clone()));
    }
    let mut passages = if settings.mmr < 1.0 {
        let found = passages(parts, &hits, wanted, |_| true)?;
        let chooser = Chooser { near_duplicate: settings.near_duplicate, relevance: settings.mmr };
        let candidates: Vec<_> = found.iter().map(|p| Candidate::new(&p.text, p.score)).collect();
        let mut found: Vec<Option<Passage>> = found.into_iter().map(Some).collect();
        chooser.choose(&candidates, limit).into_iter().filter_map(|i| found[i].take()).collect()
    } else {
        let mut seen = Seen::new(settings.near_duplicate);
        passages(parts, &hits, limit, |p| seen.is_new(&p.text))?
    };
    if let Some(reranker) = parts.reranker {
        let budget = Duration::from_millis(settings.rerank_ms);
        passages = rerank::rerank(reranker, question, passages, budget)?;
        passages.truncate(options.limit);
    }
    passages.iter_mut().zip(1..).for_each(|(passage, n)| passage.n = n);
    set_aside.unnamed = unnamed(parts, question, &passages)?;
    Ok(Found { passages, set_aside: Some(set_aside).filter(|s| *s != SetAside::default()) })
}

/// The institutes that a question names and none of the documents of these passages does, by none of the names that sector and
/// glossary give them. Width, case, blanks and marks do not matter.
fn unnamed(parts: &Parts<'_>, question: &str, passages: &[Passage]) -> Result<Vec<String>, RetrieveError> {
    let asked = institutes(question).map(|name| name.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let asked: Vec<&str> = asked.filter(|name| !understand::asks(name)).collect();
    if asked.is_empty() || passages.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = HashSet::new();
    let mut said = String::new();
    for passage in passages.iter().filter(|p| seen.insert(&p.doc_id)) {
        let document = parts.catalog.document(&passage.doc_id)?;
        let institution = document.metadata.institution.unwrap_or_default();
        said.push_str(&narrowed(&format!("{}\n{institution}\n{}\n", document.title, document.text)));
    }
    let letters_said = letters(&said);
    let is_said = |name: &str| letters_said.contains(&letters(&narrowed(name)));
    let names = InstituteNames::of(parts.sector);
    let of_sector =
        |name: &str| names.row(name).is_some_and(|row| row.all().any(|n| holds_name(&said, &letters_said, n)));
    let of_glossary = |name: &str| {
        let others = parts.glossary.matches(name).into_iter().filter(|s| s.span == (0..name.len()));
        others.flat_map(|s| s.others).any(|other| holds_word(&said, &other))
    };
    let unnamed = asked.into_iter().filter(|name| !is_said(name) && !of_sector(name) && !of_glossary(name));
    Ok(unnamed.map(str::to_owned).collect())
}

/// True where a text, its letters at hand, has this name: an abbreviation as a word, since `metric` and `task is to` have the letters
/// of ETRI and KIST; a longer one whatever its blanks, marks and case.
pub fn holds_name(text: &str, letters_of_text: &str, name: &str) -> bool {
    const SYLLABLES: usize = 4;
    let name = narrowed(name);
    let is_abbreviation = !name.contains(' ') && (name.is_ascii() || name.chars().count() <= SYLLABLES);
    if is_abbreviation { holds_word(text, &name) } else { letters_of_text.contains(&letters(&name)) }
}

fn holds_word(text: &str, name: &str) -> bool {
    word_places(text, name).next().is_some()
}

/// What stands before and behind each place where a text has this name, and not within a longer one.
fn word_places<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let places = text.match_indices(name).map(move |(at, name)| (&text[..at], &text[at + name.len()..]));
    places.filter(|(before, after)| {
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

/// The first `limit` hits that are to be kept, with their text and where it comes from. What two of them would both show is
/// shown once.
fn passages(
    parts: &Parts<'_>,
    hits: &[Hit],
    limit: usize,
    mut keep: impl FnMut(&Passage) -> bool,
) -> Result<Vec<Passage>, RetrieveError> {
    let settings = parts.settings;
    let mut passages: Vec<Passage> = Vec::with_capacity(limit.min(hits.len()));
    for hit in hits {
        if passages.len() == limit {
            break;
        }
        // A chunk deleted between the two look-ups is no longer evidence.
        let Some(chunk) = parts.catalog.chunk(hit.id)? else { continue };
        let document = parts.catalog.document(&chunk.doc_id)?;
        let span = match settings.expand {
            Expand::None => chunk.span,
            how @ (Expand::Neighbours | Expand::Section) => {
                let chunks = parts.catalog.chunks_of(&chunk.doc_id)?;
                expand::expanded(&document, &chunks, &chunk, how, settings.expand_tokens)
            }
        };
        let covers = |p: &Passage| p.doc_id == document.id && p.span.start < span.end && span.start < p.span.end;
        if settings.expand != Expand::None && passages.iter().any(covers) {
            continue;
        }
        let (start, end) = CharIndex::new(&document.text).chars(span);
        let passage = Passage {
            start,
            end,
            n: passages.len() + 1,
            chunk_id: chunk.id,
            page: chunk.page,
            path: chunk.path,
            span,
            text: span.slice(&document.text).to_owned(),
            header: rows::header_before(&document.text, span.start).map(str::to_owned),
            score: hit.score,
            doc_id: document.id,
            title: document.title,
            source: document.source,
            metadata: document.metadata,
            language: document.language,
        };
        if keep(&passage) {
            passages.push(passage);
        }
    }
    Ok(passages)
}

/// The options with what the question says of years and institutions; `None` where it says nothing, or filters were given.
fn stated(parts: &Parts<'_>, question: &str, options: &SearchOptions) -> Result<Option<SearchOptions>, RetrieveError> {
    let given = options.year_from.is_some() || options.year_to.is_some() || !options.institutions.is_empty();
    if !parts.settings.filters || given || !understand::asks_for_documents(question) {
        return Ok(None);
    }
    let found = understand::restrictions(question, &known_institutions(parts, options)?);
    Ok((!found.said.is_empty()).then(|| SearchOptions {
        year_from: found.year_from,
        year_to: found.year_to,
        institutions: found.institutions,
        ..options.clone()
    }))
}

/// The institutions of what `options` lets through, with what the sector calls them.
fn known_institutions(parts: &Parts<'_>, options: &SearchOptions) -> Result<Vec<understand::Known>, RetrieveError> {
    let names = InstituteNames::of(parts.sector);
    let others = |name: &str| names.row(name).into_iter().flat_map(InstituteRow::all).cloned().collect();
    let all = index::institutions(parts.store, &filter(&parts.sector.name, options))?.into_iter();
    Ok(all.map(|(name, _)| understand::Known { others: others(&name), name }).collect())
}

/// The chunks, best first, at most `limit`.
fn find(parts: &Parts<'_>, question: &str, options: &SearchOptions, limit: usize) -> Result<Vec<Hit>, RetrieveError> {
    let ask = |mode: Mode, limit: usize| {
        let filter = Some(filter(&parts.sector.name, options));
        parts.store.query(&Query { mode, filter, limit, exact: false })
    };
    let mode = mode(parts, question, options)?;
    match (Join::of(&mode, parts.embedder)?, mode) {
        (Join::Scores(scale), Mode::Hybrid { dense, sparse, weights, prefetch, .. }) => {
            let support = Support::new(question, parts.glossary, parts.catalog)?;
            let lexicon = parts.settings.across_words.then_some(parts.lexicon);
            let question = fusion::Question { text: question, support: &support, lexicon, dense, sparse, scale };
            let filter = filter(&parts.sector.name, options);
            let weights = [weights[0], weights[1]];
            let prefetch = prefetch.max(limit);
            fusion::search(parts.catalog, parts.store, question, Some(&filter), weights, prefetch, limit)
        }
        (Join::Scores(_) | Join::Ranks, mode) => Ok(ask(mode, limit)?),
    }
}

fn mode(parts: &Parts<'_>, question: &str, options: &SearchOptions) -> Result<Mode, RetrieveError> {
    let sparse = || parts.glossary.expand(question, parts.settings.glossary_weight);
    let encoded = || -> Result<Encoded, RetrieveError> {
        let embedder = parts.embedder.ok_or(RetrieveError::NoEncoder)?;
        let mut encoded = embedder.encode(&[question], Side::Query)?;
        encoded.pop().ok_or(RetrieveError::NoEncoder)
    };
    let hybrid = |Encoded { dense, learned }: Encoded, sparse: SparseVector| Mode::Hybrid {
        dense,
        sparse,
        learned,
        k: parts.settings.rrf_k,
        weights: [parts.settings.dense_weight, parts.settings.sparse_weight, parts.settings.learned_weight],
        prefetch: parts.settings.prefetch.max(options.limit),
    };
    Ok(match options.mode.in_index(parts.embedder.is_some()) {
        SearchMode::Sparse => Mode::Sparse(sparse()),
        SearchMode::Dense => Mode::Dense(encoded()?.dense),
        SearchMode::Hybrid | SearchMode::Auto => hybrid(encoded()?, sparse()),
    })
}

fn filter(sector: &str, options: &SearchOptions) -> Filter {
    let filter = Filter::default()
        .sector(sector)
        .institutions(&options.institutions)
        .doc_types(&options.doc_types)
        .years(options.year_from, options.year_to)
        .access_up_to(options.access);
    match options.language {
        Some(language) => filter.language(language),
        None => filter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_may_be_some_pages_long_and_no_longer() {
        assert!(check_length(&"가".repeat(LONGEST_QUESTION / 3)).is_ok());
        let error = check_length(&"가".repeat(LONGEST_QUESTION / 3 + 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let (told, client) = (error.to_string(), error.for_client());
        assert!(told.contains("at most 12288 ") && told.contains("sectora overlap"), "{told}");
        assert!(client.contains("at most 12288 ") && client.contains("/v1/overlap"), "{client}");
    }

    #[test]
    fn a_short_name_is_not_found_within_a_longer_one() {
        assert!(holds_word("Done at KIST.", "KIST") && holds_word("KIST가 하였다", "KIST"));
        assert!(!holds_word("Done at KISTLER.", "KIST") && !holds_word("한국KIST", "KIST"));
        let holds = |text: &str, name: &str| holds_name(text, &letters(text), name);
        assert!(!holds("A geometric task is to be solved.", "ETRI") && !holds("Its task is to last.", "KIST"));
        assert!(!holds("유한 전지", "한전") && holds("한전이 하였다", "한전"));
        assert!(holds("Done at (KIST).", "ＫＩＳＴ") && holds("한국 오르빅 연구원", "한국오르빅연구원"));
        assert!(holds("Orvik-Marine  institute", "Orvik Marine Institute"));
    }

    #[test]
    fn auto_is_what_the_index_has_vectors_for() {
        assert_eq!(SearchMode::Auto.in_index(true), SearchMode::Hybrid);
        assert_eq!(SearchMode::Auto.in_index(false), SearchMode::Sparse);
        assert_eq!(SearchMode::Dense.in_index(false), SearchMode::Dense);
    }
}
