//! `POST /v1/extract?name=FILE`: the text of a file, so that a page or program can send a proposal as it is (PDF, HWP, DOCX …).
//!
//! In: the bytes, and a name whose ending helps to tell the format. Out: title and text; offsets of `/v1/overlap` and `/v1/match`
//! count characters of that text when it is sent to them. The file is read by the worker that ingest reads with, under the same
//! limits, and nothing of it is kept. It knows nothing of indexes.

use std::path::Path;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Server;
use super::body::{FileBody, MAX_FILE};
use super::errors::{ApiError, ErrorBody};
use crate::app::App;
use crate::portfolio::{Institutes, PortfolioError, Proposal};

/// The route.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new().routes(routes!(extract)).layer(DefaultBodyLimit::max(MAX_FILE))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ExtractQuery {
    /// The file's name with its ending.
    name: String,
}

/// What a file says.
#[derive(Debug, Serialize, ToSchema)]
struct Extracted {
    /// Its title.
    title: String,
    /// Its text; begins with the title.
    text: String,
}

/// The text of a file of any format that ingest reads
#[utoipa::path(post, path = "/v1/extract", tag = "portfolio", params(ExtractQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, body = Extracted),
    (status = 400, body = ErrorBody, description = "the file cannot be read, or holds several records"),
    (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody),
    (status = 429, body = ErrorBody),
))]
async fn extract(
    State(server): State<Server>,
    query: Result<Query<ExtractQuery>, QueryRejection>,
    FileBody(bytes): FileBody,
) -> Result<Json<Extracted>, ApiError> {
    let Query(query) = query?;
    server.analysis(move |app| read(app, &query.name, &bytes)).await.map(Json)
}

fn read(app: &App, name: &str, bytes: &[u8]) -> Result<Extracted, ApiError> {
    // Only the last part of the name, and not too long: it becomes the name of a file.
    let shown = Path::new(name).file_name().map_or_else(|| "proposal".into(), |n| n.to_string_lossy().into_owned());
    if shown.len() > 200 || shown.contains(['/', '\\', '\0']) {
        return Err(ApiError::field("name", "must be the name of a file, at most 200 bytes"));
    }
    let failed = |what: &str, error: std::io::Error| {
        tracing::error!(%error, "{what}");
        ApiError::internal()
    };
    let folder = tempfile::tempdir().map_err(|e| failed("no temporary folder", e))?;
    let path = folder.path().join(&shown);
    fs_err::write(&path, bytes).map_err(|e| failed("a temporary file cannot be written", e))?;
    let program = std::env::current_exe().map_err(|e| failed("this program does not find itself", e))?;
    let institutes = Institutes::new(&app.sector().institutes);
    let found = Proposal::from_file(&path, &program, &app.config().ingest, &app.sector().records, &institutes);
    let document = found.map_err(|error| refused(error, shown))?.document;
    let text = if first_line(&document.text) == document.title {
        document.text
    } else {
        format!("{}\n\n{}", document.title, document.text)
    };
    Ok(Extracted { title: document.title, text })
}

fn first_line(text: &str) -> &str {
    text.lines().map(|l| l.trim().trim_start_matches('#').trim()).find(|l| !l.is_empty()).unwrap_or("")
}

/// Errors name the client's file, not ours, and what a client of this address can do.
fn refused(error: PortfolioError, name: String) -> ApiError {
    match error {
        PortfolioError::Read { source, .. } => PortfolioError::Read { path: name, source }.into(),
        PortfolioError::Records { records, .. } => ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("{name} holds {records} records; a proposal is one. Send the text of one record to /v1/overlap"),
        ),
        other @ (PortfolioError::Empty
        | PortfolioError::TooFewWords { .. }
        | PortfolioError::TooLong { .. }
        | PortfolioError::NoProject(_)
        | PortfolioError::Nothing(_)
        | PortfolioError::NoInstitute(_)
        | PortfolioError::Consolidate(_)
        | PortfolioError::NoModel(_)
        | PortfolioError::Generate(_)
        | PortfolioError::Prompt(_)
        | PortfolioError::Retrieve(_)
        | PortfolioError::Index(_)) => other.into(),
    }
}
