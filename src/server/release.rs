//! `POST /v1/release/redact` and `/v1/release/decide`: what of a text may be shown, and why. The JSON is that of the command line.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Server;
use super::body::Body;
use super::errors::{ApiError, ErrorBody};
use super::native::public_document;
use crate::app::App;
use crate::document::Document;
use crate::release::{self, Policy};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new().routes(routes!(redact)).routes(routes!(decide))
}

/// A text to be shown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {
    /// The text; offsets of the answer count its characters. `/v1/extract` makes it of a file.
    text: String,
}

/// Names, numbers and addresses of persons replaced: `{text, spans: [{start, end, label, action, code, provision, rule, confidence, replacement}]}`
#[utoipa::path(post, path = "/v1/release/redact", tag = "release", request_body = ReleaseRequest, responses(
    (status = 200, body = Value),
    (status = 400, body = ErrorBody),
    (status = 429, body = ErrorBody),
))]
async fn redact(State(server): State<Server>, Body(request): Body<ReleaseRequest>) -> Result<Json<Value>, ApiError> {
    let work = move |app: &App| Ok(json(&release::redact(&request.text, &policy(app)?).report(&request.text)));
    server.analysis(work).await.map(Json)
}

/// What is decided about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecideRequest {
    /// A text; offsets of the answer count its characters.
    text: Option<String>,
    /// Or a document of the index; offsets count characters of the text that `/v1/documents/{id}` shows.
    doc_id: Option<String>,
}

/// What may be released of a text or of a document of the index, sentence by sentence, with reason codes: `{decision, reasons, parts, text, spans}`
#[utoipa::path(post, path = "/v1/release/decide", tag = "release", request_body = DecideRequest, responses(
    (status = 200, body = Value),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "no such document"),
    (status = 429, body = ErrorBody),
))]
async fn decide(State(server): State<Server>, Body(request): Body<DecideRequest>) -> Result<Json<Value>, ApiError> {
    let work = move |app: &App| {
        let document = match (request.text, request.doc_id) {
            (Some(text), None) => Document::plain("-", text),
            (None, Some(id)) => public_document(app, &id).map_err(|error| error.param("doc_id"))?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(ApiError::field("text", "either this or `doc_id`, and not both"));
            }
        };
        Ok(json(&release::decide(&document, &policy(app)?).report(&document)))
    };
    server.analysis(work).await.map(Json)
}

fn policy(app: &App) -> Result<Policy, ApiError> {
    // Read once already when the sector was opened.
    Policy::new(&app.sector().release).map_err(|error| {
        tracing::error!(%error, "the sector's release table");
        ApiError::internal()
    })
}

fn json(report: &impl serde::Serialize) -> Value {
    serde_json::to_value(report).expect("our own plain data serialises")
}
