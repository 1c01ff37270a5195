//! Reads a JSON body and says which field is wrong; or a file.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::errors::ApiError;

/// Largest body, bytes: a long conversation is some hundred kilobytes.
pub(super) const MAX_BODY: usize = 2 << 20;
/// Largest file, bytes: a proposal with its figures.
pub(super) const MAX_FILE: usize = 32 << 20;
/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A JSON body of type `T`.
///
/// Anything but `application/json` is refused: a page of another site can post only plain forms
/// without asking, so that it cannot put this server to work.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !says(&request, "application/json") {
            let message = "the body must be JSON and say so: send the header `Content-Type: application/json`";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).code("unsupported_media_type"));
        }
        let bytes = received(request, state, MAX_BODY).await?;
        parse(&bytes).map(Body)
    }
}

/// The bytes of a file, sent as `application/octet-stream`, which a page of another site cannot send without asking
/// either.
pub(super) struct FileBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for FileBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !says(&request, "application/octet-stream") {
            let message =
                "the body must be the file itself and say so: send the header `Content-Type: application/octet-stream`";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).code("unsupported_media_type"));
        }
        received(request, state, MAX_FILE).await.map(FileBody)
    }
}

/// All bytes of the body; of more than `most` the router has cut it off.
async fn received<S: Send + Sync>(request: Request, state: &S, most: usize) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_TIME, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body is over {} MiB", most >> 20);
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message).code("body_too_large"))
        }
        Ok(Err(rejection)) => {
            Err(ApiError::new(StatusCode::BAD_REQUEST, format!("the body could not be read: {rejection}")))
        }
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, message).code("body_timeout"))
        }
    }
}

fn says(request: &Request, kind: &str) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(kind)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let not_json = |e: &serde_json::Error| {
        let message = format!("the body is not valid JSON: {e}");
        ApiError::new(StatusCode::BAD_REQUEST, message).code("invalid_json")
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let cause = e.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data if path == "." => {
                ApiError::new(StatusCode::BAD_REQUEST, cause.to_string()).code("invalid_type")
            }
            serde_json::error::Category::Data => ApiError::field(path, cause).code("invalid_type"),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => not_json(&cause),
        }
    })?;
    json.end().map_err(|e| not_json(&e))?;
    Ok(value)
}
