//! The portfolio over HTTP: overlap, strengths, matching, consolidation, and their plain page at `/portfolio`.
//!
//! Readers are cleared for public documents only, as everywhere at this door. The JSON is that of the command line.

use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Server;
use super::body::Body;
use super::errors::{ApiError, ErrorBody};
use super::page::serving;
use crate::app::App;
use crate::document::{Access, Language};
use crate::error::Classified;
use crate::portfolio::consolidate::{ConsolidateOptions, Refused, consolidate as group};
use crate::portfolio::landscape::{LandscapeOptions, landscape, remembered};
use crate::portfolio::matching::{MatchOptions, for_institute, for_need};
use crate::portfolio::overlap::{Overlap, OverlapOptions, find};
use crate::portfolio::strengths::{Strengths, strengths as profile};
use crate::portfolio::{Holdings, Institutes, PortfolioError, Proposal};

/// Address, media type, content.
const FILES: [(&str, &str, &str); 3] = [
    ("/portfolio", "text/html; charset=utf-8", include_str!("../../web/portfolio.html")),
    ("/portfolio.js", "text/javascript; charset=utf-8", include_str!("../../web/portfolio.js")),
    ("/portfolio.css", "text/css; charset=utf-8", include_str!("../../web/portfolio.css")),
];

/// The page.
pub(super) fn page() -> Router<Server> {
    serving(&FILES)
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(overlap))
        .routes(routes!(overlap_report))
        .routes(routes!(overlap_all))
        .routes(routes!(matching))
        .routes(routes!(strengths))
        .routes(routes!(strengths_map))
        .routes(routes!(consolidate))
}

/// `POST /v1/overlap`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OverlapRequest {
    /// The proposal's text (Markdown headings help); offsets of the answer count its characters.
    text: String,
    /// Verdicts, 1 to 100; 10 by default.
    limit: Option<usize>,
    /// Project or document ids that are not compared.
    #[serde(default)]
    exclude: Vec<String>,
    /// Only work that began up to this year.
    until: Option<i32>,
    /// Have the language model read the proposal's facts and unsure facets; 400 where none is configured.
    #[serde(default)]
    read: bool,
}

/// Was this done before? Verdicts with evidence of both sides, as `sectora overlap --json` prints them
#[utoipa::path(post, path = "/v1/overlap", tag = "portfolio", request_body = OverlapRequest, responses(
    (status = 200, body = Value),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "nothing is indexed"),
    (status = 429, body = ErrorBody),
))]
async fn overlap(State(server): State<Server>, Body(request): Body<OverlapRequest>) -> Result<Json<Value>, ApiError> {
    let limit = limited("limit", request.limit, 10)?;
    judged(&server, request.read, move |app| json(&checked(app, request, limit)?)).await
}

/// Whoever has a model read stands in its line.
async fn judged<T: Send + 'static>(
    server: &Server,
    read: bool,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if read { server.written(work).await } else { server.analysis(work).await }
}

fn checked(app: &App, request: OverlapRequest, limit: usize) -> Result<Overlap, ApiError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let mut proposal = written("text", &request.text, &institutes)?;
    if request.read {
        proposal.read_with(app.generator(), &institutes).map_err(refused)?;
    }
    let options = OverlapOptions { limit, exclude: request.exclude, until: request.until, ..OverlapOptions::default() };
    find(&app.parts(), &institutes, &proposal, &options).map_err(refused)
}

/// The proposal that `field` of the request holds.
fn written(field: &str, text: &str, institutes: &Institutes) -> Result<Proposal, ApiError> {
    Proposal::from_text(text, institutes).map_err(|error| {
        if matches!(error, PortfolioError::Empty) {
            return ApiError::field(field, "is empty");
        }
        ApiError::from(error).param(field)
    })
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Markdown,
    Html,
    Docx,
}

/// `POST /v1/overlap/report`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReportRequest {
    /// The proposal's text.
    text: String,
    /// `markdown`, `html` or `docx`.
    format: Format,
    /// `ko` or `en`; the proposal's language by default.
    language: Option<String>,
    /// Verdicts, 1 to 100; 10 by default.
    limit: Option<usize>,
    /// Project or document ids that are not compared.
    #[serde(default)]
    exclude: Vec<String>,
    /// Only work that began up to this year.
    until: Option<i32>,
    /// Have the language model read the proposal's facts and unsure facets; 400 where none is configured.
    #[serde(default)]
    read: bool,
}

/// The same as a report for people: Markdown, an HTML page or a Word document
#[utoipa::path(post, path = "/v1/overlap/report", tag = "portfolio", request_body = ReportRequest, responses(
    (status = 200, description = "the report as a file", body = String, content_type = "application/octet-stream"),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "nothing is indexed"),
    (status = 429, body = ErrorBody),
))]
async fn overlap_report(
    State(server): State<Server>,
    Body(request): Body<ReportRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let ReportRequest { text, format, language, limit, exclude, until, read } = request;
    let limit = limited("limit", limit, 10)?;
    let language = reader(language.as_deref())?;
    let request = OverlapRequest { text, limit: None, exclude, until, read };
    let found = judged(&server, read, move |app| checked(app, request, limit)).await?;
    let language = language.unwrap_or_else(|| found.language());
    let (kind, name, bytes) = match format {
        Format::Markdown => ("text/markdown; charset=utf-8", "overlap.md", found.markdown(language).into_bytes()),
        Format::Html => ("text/html; charset=utf-8", "overlap.html", found.html(language).into_bytes()),
        Format::Docx => (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "overlap.docx",
            found.docx(language),
        ),
    };
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))], bytes))
}

/// The whole portfolio against itself: pairs, clusters in order of time, matrix of institutes, avoidable spending
///
/// Sums (`avoidable_total`, `spent_after`) are lists, one `{"currency", "amount", "projects"}` a currency, that of most projects
/// first; `currency` is an ISO 4217 code, `null` where no source states it. Nothing is converted.
#[utoipa::path(get, path = "/v1/overlap/all", tag = "portfolio", responses(
    (status = 200, body = Value),
    (status = 429, body = ErrorBody),
))]
async fn overlap_all(State(server): State<Server>) -> Result<Json<Value>, ApiError> {
    server
        .analysis(|app| {
            let institutes = Institutes::new(&app.sector().institutes);
            let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
            // What the command line remembers is used here too, and the other way round.
            let remember = Some(remembered(&app.index_folder(), Access::Public));
            let options = LandscapeOptions { remember, ..LandscapeOptions::default() };
            json(&landscape(&app.parts(), &institutes, &holdings, &options)?)
        })
        .await
}

/// `POST /v1/match`: a need, or an institute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MatchRequest {
    /// A need in its own words: which institutes?
    need: Option<String>,
    /// Or an institute: which calls?
    institution: Option<String>,
    /// Institutes or calls, 1 to 100; 10 by default.
    limit: Option<usize>,
}

/// Institutes for a need, or calls for an institute, each with citations
#[utoipa::path(post, path = "/v1/match", tag = "portfolio", request_body = MatchRequest, responses(
    (status = 200, body = Value),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody),
    (status = 429, body = ErrorBody),
))]
async fn matching(State(server): State<Server>, Body(request): Body<MatchRequest>) -> Result<Json<Value>, ApiError> {
    let limit = limited("limit", request.limit, 10)?;
    if request.need.is_some() == request.institution.is_some() {
        return Err(ApiError::field("need", "give either `need` or `institution`"));
    }
    server
        .analysis(move |app| {
            let institutes = Institutes::new(&app.sector().institutes);
            match (request.need, request.institution) {
                (Some(need), _) => {
                    let need = written("need", &need, &institutes)?;
                    let options = MatchOptions { limit, ..MatchOptions::default() };
                    json(&for_need(&app.parts(), &institutes, &need, &options)?)
                }
                (None, name) => {
                    let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
                    let name = name.unwrap_or_default();
                    let found = for_institute(&app.parts(), &institutes, &holdings, &name, limit, Access::Public);
                    json(&found.map_err(refused)?)
                }
            }
        })
        .await
}

/// `?language=ko`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ReaderQuery {
    /// `ko` or `en` (default): language of the sentences that the program writes, and of topics where the glossary has their names.
    language: Option<String>,
}

/// Who is strong in what, with evidence and uncertainty
///
/// The sums `budget` are lists, one `{"currency", "amount", "projects"}` a currency; `currency` is `null` where no source states it.
#[utoipa::path(get, path = "/v1/strengths", tag = "portfolio", params(ReaderQuery), responses(
    (status = 200, body = Value),
    (status = 404, body = ErrorBody),
    (status = 429, body = ErrorBody),
))]
async fn strengths(
    State(server): State<Server>,
    query: Result<Query<ReaderQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let reader = reader(query?.language.as_deref())?.unwrap_or(Language::En);
    server.analysis(move |app| json(&strengths_of(app, reader)?)).await
}

/// The map topics × institutes
#[utoipa::path(get, path = "/v1/strengths.svg", tag = "portfolio", params(ReaderQuery), responses(
    (status = 200, body = String, content_type = "image/svg+xml"),
    (status = 404, body = ErrorBody),
))]
async fn strengths_map(
    State(server): State<Server>,
    query: Result<Query<ReaderQuery>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let reader = reader(query?.language.as_deref())?.unwrap_or(Language::En);
    let svg = server.analysis(move |app| Ok(strengths_of(app, reader)?.svg(reader))).await?;
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")], svg))
}

fn strengths_of(app: &App, reader: Language) -> Result<Strengths, ApiError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
    Ok(profile(&app.parts(), &holdings, None, reader)?)
}

/// `POST /v1/consolidate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConsolidateRequest {
    /// Projects a group has at least; 2 by default.
    min_size: Option<usize>,
    /// Every group holds a project of each of these institutes.
    #[serde(default)]
    must: Vec<String>,
    /// No group holds a project of these institutes.
    #[serde(default)]
    must_not: Vec<String>,
    /// Two projects more alike than this gain from being together; 0.4 by default.
    threshold: Option<f32>,
    /// Only projects with at most this budget, in the base unit of `currency`, or without a known one.
    max_budget: Option<f64>,
    /// Of `max_budget`: an ISO 4217 code, or `none` for budgets of which no source states it; needed where budgets are of
    /// several currencies. Projects whose budget is in another currency are left out.
    currency: Option<String>,
    /// Groups, 1 to 100; 20 by default.
    limit: Option<usize>,
    /// `ko` or `en` (default): language of the reasons.
    language: Option<String>,
}

/// Small projects that should be one programme
///
/// The sums `budget` are lists, one `{"currency", "amount", "projects"}` a currency; `currency` is `null` where no source states it.
#[utoipa::path(post, path = "/v1/consolidate", tag = "portfolio", request_body = ConsolidateRequest, responses(
    (status = 200, body = Value),
    (status = 400, body = ErrorBody),
    (status = 429, body = ErrorBody),
))]
async fn consolidate(
    State(server): State<Server>,
    Body(request): Body<ConsolidateRequest>,
) -> Result<Json<Value>, ApiError> {
    let options = grouping(request)?;
    server
        .analysis(move |app| {
            let institutes = Institutes::new(&app.sector().institutes);
            let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
            json(&group(&app.parts(), &institutes, &holdings, &options).map_err(refused)?)
        })
        .await
}

/// The options, checked before anything waits for its turn.
fn grouping(request: ConsolidateRequest) -> Result<ConsolidateOptions, ApiError> {
    let plain = ConsolidateOptions::default();
    let options = ConsolidateOptions {
        min_size: request.min_size.unwrap_or(plain.min_size),
        must: request.must,
        must_not: request.must_not,
        threshold: request.threshold.unwrap_or(plain.threshold),
        max_budget: request.max_budget,
        currency: request.currency,
        limit: limited("limit", request.limit, plain.limit)?,
        reader: reader(request.language.as_deref())?.unwrap_or(Language::En),
    };
    options.check().map_err(|wrong| refused(wrong.into()))?;
    Ok(options)
}

/// A refusal names the field of the request, not an option of the command line.
fn refused(error: PortfolioError) -> ApiError {
    let no_project = |name: &str| format!("no project of `{name}` in this index; /v1/strengths lists the institutes");
    match error {
        PortfolioError::Consolidate(Refused::Threshold(value)) => {
            ApiError::field("threshold", format!("{value}: must be at least 0 and under 1"))
        }
        PortfolioError::Consolidate(Refused::MinSize(value)) => {
            ApiError::field("min_size", format!("{value}: a group has at least 2 projects"))
        }
        PortfolioError::Consolidate(Refused::MaxBudget(value)) => {
            ApiError::field("max_budget", format!("{value}: must be over 0"))
        }
        PortfolioError::Consolidate(Refused::CurrencyAlone(_)) => {
            ApiError::field("currency", "is that of `max_budget`, which is missing")
        }
        PortfolioError::Consolidate(Refused::Currency { asked, here }) => {
            ApiError::field("currency", format!("{asked}: no budget is in it; the budgets here: {here}"))
        }
        PortfolioError::Consolidate(Refused::SeveralCurrencies(here)) => {
            ApiError::field("currency", format!("must be named with `max_budget`; the budgets here: {here}"))
        }
        PortfolioError::Consolidate(Refused::Must { at, name }) => {
            ApiError::field(format!("must[{at}]"), no_project(&name))
        }
        PortfolioError::NoInstitute(name) => {
            let message = format!("`institution`: {}", no_project(&name));
            ApiError::new(StatusCode::NOT_FOUND, message).param("institution")
        }
        PortfolioError::NoModel(name) => {
            ApiError::field("read", format!("{name} reads no proposals; this server runs no language model that could"))
        }
        few @ PortfolioError::TooFewWords { .. } => ApiError::field("text", few.for_client()),
        other => other.into(),
    }
}

fn reader(language: Option<&str>) -> Result<Option<Language>, ApiError> {
    match language {
        None => Ok(None),
        Some("ko") => Ok(Some(Language::Ko)),
        Some("en") => Ok(Some(Language::En)),
        Some(other) => Err(ApiError::field("language", format!("`{other}`: must be ko or en"))),
    }
}

fn limited(field: &str, given: Option<usize>, plain: usize) -> Result<usize, ApiError> {
    match given.unwrap_or(plain) {
        n @ 1..=100 => Ok(n),
        n => Err(ApiError::field(field, format!("{n}: must be 1 to 100"))),
    }
}

fn json<T: Serialize>(value: &T) -> Result<Json<Value>, ApiError> {
    serde_json::to_value(value).map(Json).map_err(|error| {
        tracing::error!(%error, "a result does not serialise");
        ApiError::internal()
    })
}
