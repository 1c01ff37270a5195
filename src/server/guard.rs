//! What every request and response passes: who may ask, what a browser may do, which id it has.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::middleware::Next;
use tower_http::request_id::{MakeRequestId, RequestId};

use super::errors::ApiError;

/// The page: its own files and its own API, nothing else, and in nobody's frame.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Swagger UI writes style attributes and draws its icons from data addresses.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which `Host` headers are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    /// Only names of this machine: a foreign name that resolves here is a web page reaching into the
    /// reader's machine (DNS rebinding).
    Loopback,
    /// Any: the server was put on a network on purpose, under names it cannot know.
    Any,
}

impl Hosts {
    /// By the address that is listened on.
    pub(super) fn of(address: SocketAddr) -> Hosts {
        if address.ip().is_loopback() { Hosts::Loopback } else { Hosts::Any }
    }

    fn allow(self, host: &str) -> bool {
        match self {
            Hosts::Any => true,
            Hosts::Loopback => {
                let name = without_port(host);
                name.eq_ignore_ascii_case("localhost")
                    || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Refuses foreign names.
pub(super) async fn check_host(
    State(hosts): State<Hosts>,
    request: Request,
    next: Next,
) -> Result<axum::response::Response, ApiError> {
    let named = request.headers().get(header::HOST).map(|v| v.to_str().unwrap_or(""));
    let host = named.or_else(|| request.uri().authority().map(|a| a.as_str())).unwrap_or("");
    if !hosts.allow(host) {
        let message = format!(
            "the Host header {host:?} is not this machine; open http://127.0.0.1 or http://localhost, or start the server with --host to serve a network"
        );
        return Err(ApiError::new(StatusCode::FORBIDDEN, message).code("foreign_host"));
    }
    Ok(next.run(request).await)
}

/// Headers that keep a browser from guessing, framing, leaking and loading.
pub(super) async fn secure(request: Request, next: Next) -> axum::response::Response {
    let policy = if request.uri().path().starts_with("/docs") { DOCS_POLICY } else { PAGE_POLICY };
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Gives every request an id that brings none.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreshIds;

impl MakeRequestId for FreshIds {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&fresh_id()).ok().map(RequestId::new)
    }
}

/// An id that no other request has had: nanoseconds since 1970 and a count.
pub(super) fn fresh_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    format!("{now:016x}{:08x}", COUNT.fetch_add(1, Ordering::Relaxed) as u32)
}

/// The span that log lines of one request stand in.
pub(super) fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or("");
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// One line a response.
pub(super) fn log<B>(response: &Response<B>, took: std::time::Duration, _: &tracing::Span) {
    tracing::info!(status = response.status().as_u16(), ms = took.as_millis() as u64, "answered");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_server_knows_only_names_of_this_machine() {
        for host in ["127.0.0.1:7878", "localhost", "LOCALHOST:80", "[::1]:7878", "127.1.2.3"] {
            assert!(Hosts::Loopback.allow(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:7878", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example"]
        {
            assert!(!Hosts::Loopback.allow(host), "{host}");
        }
        assert!(Hosts::Any.allow("sectora.institute.example"));
    }

    #[test]
    fn what_is_listened_on_decides() {
        assert_eq!(Hosts::of("127.0.0.1:1".parse().unwrap()), Hosts::Loopback);
        assert_eq!(Hosts::of("[::1]:1".parse().unwrap()), Hosts::Loopback);
        assert_eq!(Hosts::of("0.0.0.0:1".parse().unwrap()), Hosts::Any);
    }
}
