//! Our own protocol: search without an answer, a document to check a quote against, the sector, health.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Server;
use super::body::Body;
use super::errors::{ApiError, ErrorBody};
use super::wire::{self, At, Filters, Names};
use crate::app::App;
use crate::document::{Access, CharIndex, Document, Format, UnitKind};
use crate::index::{self, Filter, IndexError};
use crate::retrieve::{Found, SearchOptions};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(search_by_link, search))
        .routes(routes!(document))
        .routes(routes!(sector))
        .routes(routes!(health))
        .routes(routes!(ready))
}

/// `POST /v1/search`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SearchRequest {
    /// What to look for; at most 12 KiB.
    q: String,
    /// Which documents.
    filters: Option<Filters>,
    /// Passages, 1 to 50.
    limit: Option<i64>,
    /// `auto`, `sparse`, `dense` or `hybrid`.
    mode: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResponse {
    q: String,
    /// Words of `q` that no document has, and what was searched for instead.
    respelt: Vec<wire::Respelling>,
    /// Best first.
    passages: Vec<wire::Passage>,
    /// Why there are no passages, where no document passes the filters or a filter by year leaves out documents without
    /// one, or what `q` says of years and institutions that no document matches and was left aside, or that none of the
    /// passages has a word of `q`; else `null`.
    note: Option<String>,
}

/// Passages for a question, without an answer
#[utoipa::path(post, path = "/v1/search", tag = "sectora", request_body = SearchRequest, responses(
    (status = 200, body = SearchResponse),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "nothing is indexed"),
    (status = 429, body = ErrorBody),
))]
async fn search(
    State(server): State<Server>,
    Body(request): Body<SearchRequest>,
) -> Result<Json<SearchResponse>, ApiError> {
    let filters = request.filters.unwrap_or_default();
    let options = filters.lower(server.app().config(), request.limit, request.mode.as_deref(), At::Body)?;
    find(server, request.q, options).await
}

/// Passages for a question, as a link; `institution` and `doc_type` may be repeated
#[utoipa::path(get, path = "/v1/search", tag = "sectora", params(
    ("q" = String, Query, description = "What to look for"),
    ("institution" = Option<Vec<String>>, Query, description = "Only these institutions"),
    ("doc_type" = Option<Vec<String>>, Query, description = "Only these document types"),
    ("year_from" = Option<i64>, Query, description = "First year"),
    ("year_to" = Option<i64>, Query, description = "Last year"),
    ("language" = Option<String>, Query, description = "`ko` or `en`"),
    ("limit" = Option<i64>, Query, description = "Passages, 1 to 50"),
    ("mode" = Option<String>, Query, description = "`auto`, `sparse`, `dense` or `hybrid`"),
), responses(
    (status = 200, body = SearchResponse),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "nothing is indexed"),
    (status = 429, body = ErrorBody),
))]
async fn search_by_link(
    State(server): State<Server>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<SearchResponse>, ApiError> {
    let Query(pairs) = pairs?;
    let (mut q, mut limit, mut mode) = (None, None, None);
    let mut filters = Filters::default();
    for (key, value) in pairs {
        match key.as_str() {
            "q" => q = Some(value),
            "institution" => filters.institution.get_or_insert_with(Names::default).0.push(value),
            "doc_type" => filters.doc_type.get_or_insert_with(Names::default).0.push(value),
            "year_from" => filters.year_from = Some(whole_number(&key, &value)?),
            "year_to" => filters.year_to = Some(whole_number(&key, &value)?),
            "language" => filters.language = Some(value),
            "limit" => limit = Some(whole_number(&key, &value)?),
            "mode" => mode = Some(value),
            _ => {
                let known = "q, institution, doc_type, year_from, year_to, language, limit, mode";
                return Err(ApiError::field(key, format!("is not a parameter of this address; there is: {known}")));
            }
        }
    }
    let q = q.ok_or_else(|| ApiError::field("q", "is required").code("missing_required_parameter"))?;
    let options = filters.lower(server.app().config(), limit, mode.as_deref(), At::Query)?;
    find(server, q, options).await
}

fn whole_number(key: &str, value: &str) -> Result<i64, ApiError> {
    value.trim().parse().map_err(|_| ApiError::field(key, format!("{value:?} is not a whole number")))
}

async fn find(server: Server, q: String, options: SearchOptions) -> Result<Json<SearchResponse>, ApiError> {
    if q.trim().is_empty() {
        return Err(ApiError::field("q", "is empty"));
    }
    wire::check_length("q", &q)?;
    let found = server
        .lookup(move |app| {
            let (question, respelt) = app.respell(&q)?;
            let Found { passages, set_aside } = app.search(&question, &options)?;
            let note = app.note_on_search(&question, &options, &passages, set_aside.as_ref())?;
            let passages = wire::passages(&passages);
            Ok(SearchResponse { q, respelt: wire::respelt(&respelt), passages, note })
        })
        .await?;
    Ok(Json(found))
}

/// A document with the text that citations point into. Offsets are characters of `text`.
#[derive(Debug, Serialize, ToSchema)]
struct DocumentResponse {
    doc_id: String,
    title: String,
    source: String,
    /// By content: `pdf`, `hwpx`, `markdown` …
    #[schema(value_type = String)]
    format: Format,
    /// `ko`, `en` or `other`.
    language: &'static str,
    /// Identifier in the source system.
    external_id: Option<String>,
    institution: Option<String>,
    year: Option<i32>,
    /// In the source's currency.
    budget: Option<f64>,
    doc_type: Option<String>,
    /// Every other named field of a record.
    fields: BTreeMap<String, String>,
    /// The extracted text.
    text: String,
    units: Vec<UnitPlace>,
    sections: Vec<SectionPlace>,
}

/// A page, slide, sheet or body.
#[derive(Debug, Serialize, ToSchema)]
struct UnitPlace {
    /// `page`, `slide`, `sheet` or `body`.
    #[schema(value_type = String)]
    kind: UnitKind,
    /// From 1.
    number: u32,
    label: Option<String>,
    start: usize,
    end: usize,
}

/// A run of text under one heading.
#[derive(Debug, Serialize, ToSchema)]
struct SectionPlace {
    /// Headings, outermost first.
    path: Vec<String>,
    start: usize,
    end: usize,
}

impl From<Document> for DocumentResponse {
    fn from(document: Document) -> Self {
        let index = CharIndex::new(&document.text);
        let unit = |u: &crate::document::Unit| {
            let (start, end) = index.chars(u.span);
            UnitPlace { kind: u.kind, number: u.number, label: u.label.clone(), start, end }
        };
        let section = |s: &crate::document::Section| {
            let (start, end) = index.chars(s.span);
            SectionPlace { path: s.path.clone(), start, end }
        };
        DocumentResponse {
            units: document.units.iter().map(unit).collect(),
            sections: document.sections.iter().map(section).collect(),
            doc_id: document.id,
            title: document.title,
            source: document.source,
            format: document.format,
            language: document.language.name(),
            external_id: document.metadata.external_id,
            institution: document.metadata.institution,
            year: document.metadata.year,
            budget: document.metadata.budget,
            doc_type: document.metadata.doc_type,
            fields: document.metadata.fields,
            text: document.text,
        }
    }
}

/// A document's extracted text, to check a quote against
#[utoipa::path(get, path = "/v1/documents/{id}", tag = "sectora", params(("id" = String, Path)), responses(
    (status = 200, body = DocumentResponse),
    (status = 404, body = ErrorBody),
))]
async fn document(
    State(server): State<Server>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<DocumentResponse>, ApiError> {
    let Path(id) = id?;
    let found = server.lookup(move |app| public_document(app, &id).map(DocumentResponse::from)).await?;
    Ok(Json(found))
}

/// A document of the index that everybody may read.
pub(super) fn public_document(app: &App, id: &str) -> Result<Document, ApiError> {
    match app.document(id) {
        // What a reader is not cleared for does not exist for him.
        Ok(document) if document.metadata.access > Access::Public => Err(no_document(id)),
        Err(IndexError::NoDocument(_)) => Err(no_document(id)),
        Ok(document) => Ok(document),
        Err(error) => Err(error.into()),
    }
}

fn no_document(id: &str) -> ApiError {
    let message = format!("no document `{id}` in this index; citations and /v1/search name documents by `doc_id`");
    ApiError::new(StatusCode::NOT_FOUND, message).param("id")
}

/// What this server answers about, and with what.
#[derive(Debug, Serialize, ToSchema)]
struct SectorResponse {
    name: String,
    title: InBoth,
    description: InBoth,
    examples: Examples,
    /// Institutions of the documents, most frequent first; entries that name nobody (`N/A`) are left out.
    institutions: Vec<Counted>,
    /// Document types, most frequent first.
    doc_types: Vec<Counted>,
    /// Name for `model` in requests.
    model: Option<String>,
    /// What writes the answers.
    generator: String,
    /// The encoder of the index; `null` where search is by words only.
    encoder: Option<String>,
}

/// A text in Korean and English.
#[derive(Debug, Serialize, ToSchema)]
struct InBoth {
    ko: String,
    en: String,
}

/// Questions to begin with.
#[derive(Debug, Serialize, ToSchema)]
struct Examples {
    ko: Vec<String>,
    en: Vec<String>,
}

/// A value and how many passages have it.
#[derive(Debug, Serialize, ToSchema)]
struct Counted {
    name: String,
    passages: u64,
}

/// The sector: names, examples, institutions
#[utoipa::path(get, path = "/v1/sector", tag = "sectora", responses((status = 200, body = SectorResponse)))]
async fn sector(State(server): State<Server>) -> Result<Json<SectorResponse>, ApiError> {
    let response = server
        .lookup(|app| {
            let sector = app.sector();
            let seen = Filter::default().sector(&sector.name).access_up_to(Access::Public);
            let counted = |values: Vec<(String, u64)>| -> Vec<Counted> {
                values.into_iter().map(|(name, passages)| Counted { name, passages }).collect()
            };
            let both = |text: &crate::sector::Bilingual| InBoth { ko: text.ko.clone(), en: text.en.clone() };
            Ok(SectorResponse {
                name: sector.name.clone(),
                title: both(&sector.title),
                description: both(&sector.description),
                examples: Examples { ko: sector.examples.ko.clone(), en: sector.examples.en.clone() },
                institutions: counted(index::institutions(app.store(), &seen)?),
                doc_types: counted(app.store().facet("doc_type", Some(&seen))?),
                model: app.model_names().into_iter().next(),
                generator: app.generator_name().to_owned(),
                encoder: app.embedder().map(|e| e.id().to_owned()),
            })
        })
        .await?;
    Ok(Json(response))
}

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`
    status: &'static str,
    /// Of this program.
    version: &'static str,
}

/// The process lives
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// That questions can be answered.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// `ready`
    status: &'static str,
    /// Passages in the index.
    passages: u64,
}

/// Questions can be answered: the index opens and holds something
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, body = Ready),
    (status = 503, body = ErrorBody),
))]
async fn ready(State(server): State<Server>) -> Result<Json<Ready>, ApiError> {
    if server.stopping() {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping").code("stopping"));
    }
    let passages = server.lookup(|app| Ok(app.store().count(None)?)).await?;
    if passages == 0 {
        let message = "the index is empty; whoever runs this server must read documents into it";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).code("empty_index"));
    }
    Ok(Json(Ready { status: "ready", passages }))
}
