//! A small sector, indexed once, and the service over it without a socket.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use sectora::app::{App, IngestRequest};
use sectora::config::Config;
use sectora::server::{ServeOptions, router};
use serde_json::Value;
use tower::ServiceExt;

const SECTOR: &str = r#"
name = "kiln"
title = { ko = "소성로", en = "Kilns" }
description = { ko = "가마 연구", en = "Research on kilns" }
languages = ["ko", "en"]
documents = ["docs"]
examples = { ko = ["한빛요업의 소성 온도는?"], en = ["What did the Norwind kiln save?"] }

[[documents_override]]
path = "norwind.md"
institution = "Norwind Institute"
year = 2021
doc_type = "report"

[[documents_override]]
path = "hanbit.md"
institution = "한빛요업"
year = 2024
doc_type = "record"

[[documents_override]]
path = "secret.md"
access = "restricted"
"#;

pub(super) const DOCUMENTS: [(&str, &str); 3] = [
    (
        "norwind.md",
        "# Norwind kiln project\n\n## Result\n\nThe Norwind tunnel kiln saved 23.5 % of its natural gas 🔥 after the \
         recuperator was installed. The glaze defects fell to 1.2 %.\n\n## Outlook\n\nA second kiln is planned at the harbour site.\n",
    ),
    (
        "hanbit.md",
        "# 한빛요업 소성 과제\n\n## 결과\n\n한빛요업은 백자의 소성 온도를 1,250 ℃로 낮추었다. 균열 불량률은 0.8 %였다.\n",
    ),
    ("secret.md", "# Withheld alloy\n\nThe withheld alloy xenotime-77 melts at 912 degrees in the vault furnace.\n"),
];

/// The service over an index that all tests share; extractive answers, words only.
pub(super) static SERVICE: LazyLock<Router> = LazyLock::new(|| service("extractive", &[], 2, 8));

/// A service of its own: other generator, more settings, other line.
pub(super) fn service(
    generator: &str,
    settings: &[(&'static str, String)],
    concurrency: usize,
    queue: usize,
) -> Router {
    let options = ServeOptions { host: "127.0.0.1".into(), port: 0, concurrency, queue, grace: Duration::from_secs(1) };
    router(Arc::new(app(generator, settings)), &options)
}

fn app(generator: &str, settings: &[(&'static str, String)]) -> App {
    let folder = sector_folder();
    let mut flags = vec![
        ("data_dir", folder.join("data").display().to_string()),
        ("sector", folder.join("kiln").display().to_string()),
        ("generator", generator.to_owned()),
        ("encoder", "none".to_owned()),
        ("offline", "true".to_owned()),
    ];
    flags.extend(settings.iter().cloned());
    let (config, _) = Config::load(None, &flags).unwrap();
    let app = App::open(config).unwrap();
    let request = IngestRequest {
        roots: Vec::new(),
        mapping: None,
        prune: false,
        program: env!("CARGO_BIN_EXE_sectora").into(),
        cancel: &AtomicBool::new(false),
    };
    app.ingest(&request, &mut |_| {}).unwrap();
    app
}

/// A fresh folder with the sector `kiln` in it; it outlives the test run, as the index in it is shared.
pub(super) fn sector_folder() -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    let docs = folder.join("kiln/docs");
    std::fs::create_dir_all(&docs).unwrap();
    std::fs::write(folder.join("kiln/sector.toml"), SECTOR).unwrap();
    for (name, text) in DOCUMENTS {
        std::fs::write(docs.join(name), text).unwrap();
    }
    folder
}

/// One exchange: status, headers, body.
pub(super) async fn call(service: &Router, request: Request<Body>) -> Response<Vec<u8>> {
    let response = service.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Response::from_parts(head, body)
}

pub(super) fn get(path: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, "127.0.0.1:7878").body(Body::empty()).unwrap()
}

pub(super) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, "localhost:7878")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

pub(super) fn json(response: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|e| {
        panic!("{e}: {} {}", response.status(), String::from_utf8_lossy(response.body()));
    })
}

/// GET that must succeed.
pub(super) async fn fetch(path: &str) -> Value {
    let response = call(&SERVICE, get(path)).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}: {}", String::from_utf8_lossy(response.body()));
    json(&response)
}

/// POST that must succeed.
pub(super) async fn send(path: &str, body: Value) -> Value {
    let response = call(&SERVICE, post(path, body.to_string())).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}: {}", String::from_utf8_lossy(response.body()));
    json(&response)
}

/// The `data` of each event of a stream that must succeed.
pub(super) async fn stream(path: &str, body: Value) -> Vec<String> {
    let response = call(&SERVICE, post(path, body.to_string())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let text = String::from_utf8(response.into_body()).unwrap();
    text.split("\n\n").filter_map(|event| event.strip_prefix("data: ").map(str::to_owned)).collect()
}
