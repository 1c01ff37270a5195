//! OpenAI's protocol: chat completions, completions, models, embeddings.
//!
//! Any client of theirs works by changing its base address. What is ours rides in one field, `sectora`:
//! on requests it restricts the documents, on responses it carries citations, passages and abstention.
//! System messages of clients are accepted and change nothing: the rules of grounding are not theirs to lift.

mod embeddings;
mod request;
mod response;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answering::Answering;
use super::body::Body;
use super::errors::{ApiError, ErrorBody};
use super::{Server, fresh_id};
use request::{Asked, ChatRequest, CompletionRequest, unknown_model};
use response::{ChatChunk, ChatCompletion, Chunks, Door, Head, TextCompletion};

/// How long a stream waits for its first step before it begins with `200`.
const BEGIN: Duration = Duration::from_secs(5);
/// Comment lines keep proxies from closing a stream while a model reads.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(chat_completions))
        .routes(routes!(completions))
        .routes(routes!(list_models))
        .routes(routes!(get_model))
        .routes(routes!(embeddings::embeddings))
}

/// A cited answer to the last message of a conversation
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = ChatRequest, responses(
    (status = 200, description = "Whole, or with `stream: true` as server-sent events of chunks that end with `[DONE]`", content(
        (ChatCompletion = "application/json"),
        (ChatChunk = "text/event-stream"),
    )),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "unknown model, or nothing is indexed"),
    (status = 413, body = ErrorBody),
    (status = 429, body = ErrorBody, description = "the line is full; see Retry-After"),
    (status = 503, body = ErrorBody, description = "the engine is out of reach"),
))]
async fn chat_completions(
    State(server): State<Server>,
    Body(request): Body<ChatRequest>,
) -> Result<Response, ApiError> {
    let asked = request.lower(&server.app())?;
    respond(server, Door::Chat, asked).await
}

/// A cited answer to one question
#[utoipa::path(post, path = "/v1/completions", tag = "openai", request_body = CompletionRequest, responses(
    (status = 200, description = "Whole, or with `stream: true` as server-sent events that end with `[DONE]`", content(
        (TextCompletion = "application/json"),
        (TextCompletion = "text/event-stream"),
    )),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody, description = "unknown model, or nothing is indexed"),
    (status = 413, body = ErrorBody),
    (status = 429, body = ErrorBody, description = "the line is full; see Retry-After"),
    (status = 503, body = ErrorBody, description = "the engine is out of reach"),
))]
async fn completions(
    State(server): State<Server>,
    Body(request): Body<CompletionRequest>,
) -> Result<Response, ApiError> {
    let asked = request.lower(&server.app())?;
    respond(server, Door::Completions, asked).await
}

async fn respond(server: Server, door: Door, asked: Asked) -> Result<Response, ApiError> {
    let Asked { model, ask, stream } = asked;
    let structured = ask.schema.is_some();
    let prefix = match door {
        Door::Chat => "chatcmpl-",
        Door::Completions => "cmpl-",
    };
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let head = Head { id: format!("{prefix}{}", fresh_id()), created, model };
    let mut answering = Answering::start(&server, ask)?;
    match (stream, door) {
        (Some(streaming), _) => {
            answering.begun(BEGIN).await?;
            let chunks = Chunks::new(door, structured, head, streaming, answering);
            Ok(Sse::new(chunks).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
        }
        (None, Door::Chat) => {
            Ok(Json(ChatCompletion::new(head, answering.finished().await?, structured)).into_response())
        }
        (None, Door::Completions) => Ok(Json(TextCompletion::new(head, &answering.finished().await?)).into_response()),
    }
}

/// One model.
#[derive(Debug, Serialize, ToSchema)]
struct Model {
    id: String,
    /// `model`
    object: &'static str,
    /// Seconds since 1970 at which this server started.
    created: u64,
    /// `sectora`
    owned_by: &'static str,
}

/// All models.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// `list`
    object: &'static str,
    data: Vec<Model>,
}

/// The models that answer; the encoder of /v1/embeddings is named by /v1/sector
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = ModelList)))]
async fn list_models(State(server): State<Server>) -> Json<ModelList> {
    let data = server.app().model_names().into_iter().map(|id| model(&server, id)).collect();
    Json(ModelList { object: "list", data })
}

/// One model
#[utoipa::path(get, path = "/v1/models/{id}", tag = "openai", params(("id" = String, Path)), responses(
    (status = 200, body = Model),
    (status = 404, body = ErrorBody),
))]
async fn get_model(
    State(server): State<Server>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Model>, ApiError> {
    let Path(id) = id?;
    let app = server.app();
    let listed = app.model_names();
    // An encoder is a model of /v1/embeddings, where it is asked for by name; a list is what clients chat with.
    let known = listed.iter().map(String::as_str).chain(app.embedder().map(|e| e.id()));
    match known.into_iter().find(|known| *known == id) {
        Some(_) => Ok(Json(model(&server, id))),
        None => Err(unknown_model(&id, &listed)),
    }
}

fn model(server: &Server, id: String) -> Model {
    Model { id, object: "model", created: server.started, owned_by: "sectora" }
}
