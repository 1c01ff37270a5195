//! `/v1/embeddings`: vectors of the encoder the index was made with.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::body::Body;
use super::super::errors::{ApiError, ErrorBody};
use super::super::wire::names_schema;
use super::super::{Server, in_turn};
use super::request::{Text, known_model};
use crate::embed::Side;
use crate::text::tokens;

/// Texts a request, at most.
const MAX_TEXTS: usize = 256;

/// `POST /v1/embeddings`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EmbeddingRequest {
    /// One of `/v1/models`.
    model: Option<String>,
    /// A text or up to 256 of them.
    #[schema(schema_with = names_schema)]
    input: Option<Text>,
    /// `float` or `base64` (little-endian f32).
    encoding_format: Option<String>,
    /// Only the encoder's own.
    dimensions: Option<i64>,
    /// Extension: `document` (the default) or `query`, for encoders that tell them apart.
    side: Option<String>,
}

/// The vectors, in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EmbeddingList {
    /// `list`
    object: &'static str,
    data: Vec<Embedding>,
    /// The encoder that made them.
    model: String,
    usage: EmbeddingUsage,
}

#[derive(Debug, Serialize, ToSchema)]
struct Embedding {
    /// `embedding`
    object: &'static str,
    index: usize,
    embedding: Vector,
}

/// Unit length.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens, estimated.
#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingUsage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Vectors of texts
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingRequest, responses(
    (status = 200, body = EmbeddingList),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody, description = "this index has no encoder"),
))]
pub(super) async fn embeddings(
    State(server): State<Server>,
    Body(request): Body<EmbeddingRequest>,
) -> Result<Json<EmbeddingList>, ApiError> {
    let app = server.app();
    let Some(embedder) = app.embedder() else {
        let message = "this index has no encoder, search is by words only; whoever runs this server can set `encoder` and \
                       build it anew";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).code("no_encoder"));
    };
    known_model(request.model, &[vec![embedder.id().to_owned()], app.model_names()].concat())?;
    let model = embedder.id().to_owned();
    if let Some(n) = request.dimensions.filter(|n| usize::try_from(*n) != Ok(embedder.dim())) {
        let message = format!("{n} is not possible; {model} has {} dimensions", embedder.dim());
        return Err(ApiError::unsupported("dimensions", message));
    }
    let base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            return Err(ApiError::field("encoding_format", format!("{other:?} is not `float` or `base64`")));
        }
    };
    let side = match request.side.as_deref() {
        None | Some("document") => Side::Document,
        Some("query") => Side::Query,
        Some(other) => return Err(ApiError::field("side", format!("{other:?} is not `document` or `query`"))),
    };
    let Text(texts) =
        request.input.ok_or_else(|| ApiError::field("input", "is required").code("missing_required_parameter"))?;
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        return Err(ApiError::field("input", format!("{} texts; send 1 to {MAX_TEXTS}", texts.len())));
    }
    if let Some(i) = texts.iter().position(|t| t.trim().is_empty()) {
        return Err(ApiError::field(format!("input[{i}]"), "is empty"));
    }
    let prompt_tokens = texts.iter().map(|t| tokens(t)).sum();
    let vectors = in_turn(&server.analyses, app, move |app| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        match app.embedder() {
            Some(embedder) => Ok(embedder.embed(&texts, side)?),
            None => Err(ApiError::internal()),
        }
    })
    .await?;
    let vector = |v: Vec<f32>| if base64 { Vector::Base64(little_endian(&v)) } else { Vector::Float(v) };
    let data = vectors
        .into_iter()
        .enumerate()
        .map(|(index, v)| Embedding { object: "embedding", index, embedding: vector(v) })
        .collect();
    let usage = EmbeddingUsage { prompt_tokens, total_tokens: prompt_tokens };
    Ok(Json(EmbeddingList { object: "list", data, model, usage }))
}

fn little_endian(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}
