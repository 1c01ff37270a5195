//! The page at `/`: files embedded in the program, nothing from elsewhere; and how the files of any page are served.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Server;

/// Address, media type, content.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../../web/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_str!("../../web/app.js")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../web/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("../../web/icon.svg")),
];

/// The routes.
pub(super) fn routes() -> Router<Server> {
    serving(&FILES)
}

/// Routes of files: address, media type, content.
pub(super) fn serving(files: &[(&'static str, &'static str, &'static str)]) -> Router<Server> {
    files
        .iter()
        .fold(Router::new(), |router, &(path, kind, content)| router.route(path, get(move || file(kind, content))))
}

async fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    // A new program may bring a new page under the same address.
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], content)
}
