//! What both protocols show of an answer, and the restrictions both take. Offsets are characters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::errors::ApiError;
use crate::answer::{Answer, Timings};
use crate::config::Config;
use crate::document::{self, Language};
use crate::error::Classified;
use crate::retrieve::{self, SearchMode, SearchOptions};

/// Most passages one request may ask for.
const MAX_PASSAGES: i64 = 50;

/// A retrieved passage with where it comes from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Passage {
    /// The number that citations `[n]` use; absent from passages that come before the text which numbers them.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    /// Document id, as in `/v1/documents/{id}`.
    doc_id: String,
    /// Title of the document.
    title: String,
    /// Path of the source.
    source: String,
    /// Performing institution.
    institution: Option<String>,
    /// Year.
    year: Option<i32>,
    /// `record`, `report`, `patent` …
    doc_type: Option<String>,
    /// `ko`, `en` or `other`.
    language: &'static str,
    /// Page, slide or sheet number.
    page: Option<u32>,
    /// Heading path, outermost first, joined by ` > `.
    section: String,
    /// The passage, byte for byte.
    text: String,
    /// The header row of the table that the passage begins in the middle of; else `null`.
    header: Option<String>,
    /// First character of the passage in the document's extracted text.
    start: usize,
    /// One past the last character.
    end: usize,
    /// Fused retrieval score; comparable within one question only.
    score: f32,
}

/// One link from a sentence of the answer to the words that support it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Citation {
    /// Passage number, as in `[n]`: from 1 in the order of first mention; of JSON that a schema asked for, as the passage was found.
    n: usize,
    /// Which sentence of the answer, from 0.
    sentence: usize,
    /// Document id, as in `/v1/documents/{id}`.
    doc_id: String,
    /// Title of the document.
    title: String,
    /// Path of the source.
    source: String,
    /// Page, slide or sheet number.
    page: Option<u32>,
    /// Heading path, outermost first, joined by ` > `.
    section: String,
    /// The words of the source, byte for byte.
    quote: String,
    /// First character of the quote in the document's extracted text.
    start: usize,
    /// One past the last character.
    end: usize,
}

/// Milliseconds spent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct TimingsMs {
    /// Making a follow-up question stand alone, and wording it otherwise.
    condense: f64,
    /// Search.
    retrieve: f64,
    /// Until the generator's first piece of text, from its start.
    first_token: f64,
    /// Generation and verification.
    generate: f64,
    /// All of it.
    total: f64,
}

/// Refuses what is too long for a question; `field` of the request holds it.
pub(super) fn check_length(field: &str, question: &str) -> Result<(), ApiError> {
    retrieve::check_length(question).map_err(|error| too_long(field, error.for_client()))
}

/// 400: a text of the request is longer than it may be.
pub(super) fn too_long(field: &str, message: String) -> ApiError {
    ApiError::field(field, message).code("string_above_max_length")
}

/// A word of the question that no document has, and the near one that was searched for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Respelling {
    /// As asked.
    from: String,
    /// As searched for.
    to: String,
}

/// What was respelt, as it is shown.
pub(super) fn respelt(found: &[retrieve::Respelling]) -> Vec<Respelling> {
    found.iter().map(|r| Respelling { from: r.from.clone(), to: r.to.clone() }).collect()
}

/// The extension field `sectora` of a response: what the answer rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Grounds {
    /// The question that was searched for (a follow-up is made to stand alone).
    question: String,
    /// Words of the question that no document has, and what was searched for instead.
    respelt: Vec<Respelling>,
    /// What must be known beside the answer, in the language of the question: a year or institution of the question that no document
    /// matches, a figure that the sources give otherwise, a part that is not answered, an aim in place of a result. They end the
    /// content, too, below a blank line, where it is no JSON and not empty.
    notes: Vec<String>,
    /// True when the documents do not answer, or none passes the filters (the text says which); `passages` are then the nearest
    /// there is.
    abstained: bool,
    /// What wrote the answer: `extractive`, `span`, `local:<model>` or `remote:<model>`.
    generator: String,
    /// How well the passages answer, 0 to 1, by their words and by reading them; without a reader the share of the question that the
    /// best one covers.
    support: f32,
    /// Sentences that were left out because no passage supports them.
    dropped_sentences: usize,
    /// Where each sentence comes from.
    citations: Vec<Citation>,
    /// What was retrieved, best first; what is not cited has the numbers behind those that are.
    passages: Vec<Passage>,
    /// Where the time went.
    timings_ms: TimingsMs,
}

impl Grounds {
    pub(super) fn new(answer: &Answer) -> Grounds {
        let citation = |c: &crate::answer::Citation| Citation {
            n: c.n,
            sentence: c.sentence,
            doc_id: c.doc_id.clone(),
            title: c.title.clone(),
            source: c.source.clone(),
            page: c.page,
            section: c.section.clone(),
            quote: c.quote.clone(),
            start: c.start,
            end: c.end,
        };
        let Timings { condense, retrieve, first_token, generate, total } = answer.timings_ms;
        Grounds {
            question: answer.question.clone(),
            respelt: respelt(&answer.respelt),
            notes: answer.notes.clone(),
            abstained: answer.abstained,
            generator: answer.generator.clone(),
            support: answer.support,
            dropped_sentences: answer.dropped_sentences,
            citations: answer.citations.iter().map(citation).collect(),
            passages: passages(&answer.passages),
            timings_ms: TimingsMs { condense, retrieve, first_token, generate, total },
        }
    }
}

/// The passages as they are shown.
pub(super) fn passages(found: &[document::Passage]) -> Vec<Passage> {
    found.iter().map(passage).collect()
}

/// The same ahead of the answer that numbers them.
pub(super) fn unnumbered(found: &[document::Passage]) -> Vec<Passage> {
    found.iter().map(|p| Passage { n: None, ..passage(p) }).collect()
}

fn passage(p: &document::Passage) -> Passage {
    Passage {
        n: Some(p.n),
        doc_id: p.doc_id.clone(),
        title: p.title.clone(),
        source: p.source.clone(),
        institution: p.metadata.institution.clone(),
        year: p.metadata.year,
        doc_type: p.metadata.doc_type.clone(),
        language: p.language.name(),
        page: p.page,
        section: p.path.join(" > "),
        text: p.text.clone(),
        header: p.header.clone(),
        start: p.start,
        end: p.end,
        score: p.score,
    }
}

/// Which documents may be used; everything else in the sector is left out.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    /// Only these institutions, as written in the documents: one name or a list.
    #[schema(schema_with = names_schema)]
    pub(super) institution: Option<Names>,
    /// Only these document types: one name or a list.
    #[schema(schema_with = names_schema)]
    pub(super) doc_type: Option<Names>,
    /// First year.
    pub(super) year_from: Option<i64>,
    /// Last year.
    pub(super) year_to: Option<i64>,
    /// `ko` or `en`.
    pub(super) language: Option<String>,
}

/// One name or several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> serde::de::Visitor<'de> for OneOrMore {
            type Value = Names;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E>(self, one: &str) -> Result<Names, E> {
                Ok(Names(vec![one.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// The schema of a string or a list of strings.
pub(super) fn names_schema() -> utoipa::openapi::schema::Schema {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
    let string = || ObjectBuilder::new().schema_type(Type::String);
    OneOfBuilder::new().item(string()).item(ArrayBuilder::new().items(string())).into()
}

/// Where in a request the restrictions stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// In the query string, side by side.
    Query,
    /// `filters` beside `limit` and `mode`.
    Body,
    /// The same within the field `sectora`.
    Extension,
}

impl At {
    fn filter(self, name: &str) -> String {
        match self {
            At::Query => name.to_owned(),
            At::Body => format!("filters.{name}"),
            At::Extension => format!("sectora.filters.{name}"),
        }
    }

    fn option(self, name: &str) -> String {
        match self {
            At::Query | At::Body => name.to_owned(),
            At::Extension => format!("sectora.{name}"),
        }
    }
}

impl Filters {
    /// What retrieval takes. `at` is where filters, limit and mode stand in the request, for messages.
    /// Everybody is cleared for public documents only, until there are accounts.
    pub(super) fn lower(
        self,
        config: &Config,
        limit: Option<i64>,
        mode: Option<&str>,
        at: At,
    ) -> Result<SearchOptions, ApiError> {
        if let (Some(from), Some(to)) = (self.year_from, self.year_to)
            && from > to
        {
            return Err(ApiError::field(at.filter("year_from"), format!("{from} is after year_to {to}")));
        }
        let language = match self.language.as_deref() {
            None => None,
            Some("ko") => Some(Language::Ko),
            Some("en") => Some(Language::En),
            Some(other) => {
                return Err(ApiError::field(at.filter("language"), format!("{other:?} is not `ko` or `en`")));
            }
        };
        Ok(SearchOptions {
            limit: passage_limit(config, limit, at)?,
            mode: search_mode(mode, at)?,
            institutions: named(self.institution),
            doc_types: named(self.doc_type),
            language,
            year_from: self.year_from,
            year_to: self.year_to,
            ..SearchOptions::default()
        })
    }
}

fn named(names: Option<Names>) -> Vec<String> {
    names.unwrap_or_default().0.into_iter().filter(|n| !n.trim().is_empty()).collect()
}

fn passage_limit(config: &Config, limit: Option<i64>, at: At) -> Result<usize, ApiError> {
    match limit {
        None => Ok(config.search.passages),
        Some(n) if (1..=MAX_PASSAGES).contains(&n) => Ok(n as usize),
        Some(n) => Err(ApiError::field(at.option("limit"), format!("{n} is not between 1 and {MAX_PASSAGES}"))),
    }
}

fn search_mode(mode: Option<&str>, at: At) -> Result<SearchMode, ApiError> {
    match mode {
        None | Some("auto") => Ok(SearchMode::Auto),
        Some("sparse") => Ok(SearchMode::Sparse),
        Some("dense") => Ok(SearchMode::Dense),
        Some("hybrid") => Ok(SearchMode::Hybrid),
        Some(other) => {
            Err(ApiError::field(at.option("mode"), format!("{other:?} is not `auto`, `sparse`, `dense` or `hybrid`")))
        }
    }
}
