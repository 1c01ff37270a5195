//! Every refusal and failure as the `{"error": {...}}` object that OpenAI's clients understand.
//!
//! A room's error becomes a status through its [`ErrorKind`] alone. What went wrong inside is logged
//! under the request's id; the reader of a 500 gets that hint, not our paths.

use std::borrow::Cow;
use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Classified, ErrorKind};

/// Seconds after which a refused client is told to come back.
const RETRY_AFTER_S: u64 = 5;

/// The body of every error response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorObject,
}

/// What happened, where in the request, and what to do.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ErrorObject {
    /// For a person.
    message: String,
    /// `invalid_request_error`, `not_found_error`, `conflict_error`, `rate_limit_error`, `service_unavailable_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field of the request that is wrong, for instance `messages[0].content`.
    param: Option<String>,
    /// For a program, for instance `model_not_found`.
    code: Option<&'static str>,
}

/// A response that is not what was asked for.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { status, message: message.into(), param: None, code: None, retry_after_s: None }
    }

    /// 400: `param` of the request is wrong.
    pub(super) fn field(param: impl Into<String>, message: impl Display) -> ApiError {
        let param = param.into();
        ApiError {
            param: Some(param.clone()),
            ..ApiError::new(StatusCode::BAD_REQUEST, format!("`{param}`: {message}")).code("invalid_value")
        }
    }

    /// 400: `param` asks for something this server does not do.
    pub(super) fn unsupported(param: &str, message: impl Display) -> ApiError {
        ApiError::field(param, message).code("unsupported_parameter")
    }

    /// 429: as many requests wait as may wait, in our line or in an engine's.
    pub(super) fn busy(message: impl Display) -> ApiError {
        let message = format!("{message}; try again in {RETRY_AFTER_S} s");
        ApiError {
            retry_after_s: Some(RETRY_AFTER_S),
            ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).code("server_busy")
        }
    }

    /// 500: a task of ours died. The cause is in the log.
    pub(super) fn internal() -> ApiError {
        let message = "the server failed on this request; its log says why, under the id in the x-request-id header";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message).code("internal_error")
    }

    pub(super) fn code(mut self, code: &'static str) -> ApiError {
        self.code = Some(code);
        self
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> ApiError {
        self.param = Some(param.into());
        self
    }

    /// The JSON body, which a stream that has begun sends in place of a status.
    pub(super) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.message.clone().into_owned(),
                kind: type_of(self.status),
                param: self.param.clone(),
                code: self.code,
            },
        }
    }
}

impl<E: Classified> From<E> for ApiError {
    fn from(error: E) -> ApiError {
        let status = match error.kind() {
            ErrorKind::BadInput => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Busy => return ApiError::busy(error.for_client()),
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Cancelled => {
                return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping").code("stopping");
            }
            ErrorKind::Internal => {
                tracing::error!(%error, "request failed");
                return ApiError::internal();
            }
        };
        ApiError::new(status, error.for_client())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> ApiError {
        ApiError::new(rejection.status(), format!("the address cannot be read: {rejection}"))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new(rejection.status(), format!("the query string cannot be read: {rejection}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn type_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::CONFLICT => "conflict_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "service_unavailable_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

/// Answers a path that is not there.
pub(super) async fn unknown_route(method: Method, uri: Uri) -> ApiError {
    let message = format!("no such address: {method} {}; /docs lists all there are", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, message).code("unknown_url")
}

/// Answers a path that is there with another method.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}; the Allow header says what it takes", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message).code("method_not_allowed")
}

/// Answers for a handler that panicked.
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let what = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = what.unwrap_or("of an unknown kind"), "a handler panicked");
    ApiError::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::GenerateError;

    #[test]
    fn a_client_is_told_no_remedy_on_a_command_line() {
        use crate::answer::AnswerError;
        use crate::index::IndexError;
        use crate::portfolio::PortfolioError;
        use crate::retrieve::RetrieveError;
        let too_long = GenerateError::TooLong { model: "m".into(), tokens: 9, window: 8 };
        for error in [
            ApiError::from(RetrieveError::EmptyIndex("kiln".into())),
            ApiError::from(AnswerError::from(RetrieveError::EmptyIndex("kiln".into()))),
            ApiError::from(RetrieveError::NoEncoder),
            ApiError::from(RetrieveError::TooLong { bytes: 20_000 }),
            ApiError::from(IndexError::NoIndex("/data".into())),
            ApiError::from(IndexError::NoDocument("x".into())),
            ApiError::from(IndexError::Locked { path: "/data".into(), holder: "1".into() }),
            ApiError::from(IndexError::Fingerprint { path: "/data".into(), found: "a".into(), asked: "b".into() }),
            ApiError::from(PortfolioError::NoProject("x".into())),
            ApiError::from(AnswerError::from(too_long)),
        ] {
            let message = &error.message;
            assert!(error.status.is_client_error(), "{message}");
            assert!(
                !message.contains("`sectora ") && !message.contains("--") && !message.contains("/data"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_busy_engine_says_when_to_come_back_as_the_line_before_it_does() {
        let behind = ApiError::from(GenerateError::Busy { model: "local:m".into(), waiting: 4 });
        for error in [behind, ApiError::busy("4 requests are waiting already")] {
            assert!(error.message.ends_with("try again in 5 s"), "{}", error.message);
            let response = error.into_response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[RETRY_AFTER], "5");
        }
    }
}
