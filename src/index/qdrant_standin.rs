//! A stand-in for a Qdrant server in tests: its REST paths and JSON, answered by real shards (qdrant-edge).
//!
//! It reads requests strictly, as the server does, and refuses what it does not know.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::any;
use serde_json::{Value, json};

use super::edge::INDEXED;
use super::{
    Condition, DENSE, EdgeOptions, EdgeStore, Filter, LEARNED, Mode, Payload, Point, Query, SPARSE, VectorStore,
    Vectors,
};
use crate::text::bm25::SparseVector;

/// Runs until dropped.
pub(super) struct Standin {
    url: String,
    refusals: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

struct Server {
    key: String,
    refusals: Arc<AtomicUsize>,
    collections: Mutex<HashMap<String, Collection>>,
}

struct Collection {
    kept: Vectors,
    store: EdgeStore,
    _folder: tempfile::TempDir,
}

type Refusal = (StatusCode, String);

impl Standin {
    pub(super) fn start(key: &str) -> Standin {
        let refusals = Arc::new(AtomicUsize::new(0));
        let server = Arc::new(Server {
            key: key.to_owned(),
            refusals: refusals.clone(),
            collections: Mutex::new(HashMap::new()),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/collections/{name}", any(answer_collection))
            .route("/collections/{name}/{*rest}", any(answer_inside))
            .with_state(server);
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Standin { url, refusals, _runtime: runtime }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The next `n` requests are answered 503.
    pub(super) fn refuse_next(&self, n: usize) {
        self.refusals.store(n, Ordering::SeqCst);
    }
}

async fn answer_collection(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    server.answer(&headers, || server.collection(&name, &method, &body))
}

async fn answer_inside(
    State(server): State<Arc<Server>>,
    Path((name, rest)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    server.answer(&headers, || server.inside(&name, &rest, &method, &body))
}

impl Server {
    fn answer(&self, headers: &HeaderMap, work: impl FnOnce() -> Result<Value, Refusal>) -> Response {
        let busy = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        let result = if busy {
            Err((StatusCode::SERVICE_UNAVAILABLE, "busy".to_owned()))
        } else if headers.get("api-key").is_none_or(|k| k.as_bytes() != self.key.as_bytes()) {
            Err((StatusCode::UNAUTHORIZED, "Must provide an API key".to_owned()))
        } else {
            work()
        };
        match result {
            Ok(result) => Json(json!({ "result": result, "status": "ok", "time": 0.0 })).into_response(),
            Err((code, what)) => (code, Json(json!({ "status": { "error": what }, "time": 0.0 }))).into_response(),
        }
    }

    fn collection(&self, name: &str, method: &Method, body: &[u8]) -> Result<Value, Refusal> {
        let mut collections = self.collections.lock().unwrap();
        match method.as_str() {
            "GET" => {
                let found = collections.get(name).ok_or_else(|| missing(name))?;
                let vectors = match found.kept.dim {
                    0 => json!({}),
                    dim => json!({ DENSE: { "size": dim, "distance": "Cosine" } }),
                };
                let params = json!({ "vectors": vectors, "sparse_vectors": sparse_vectors(found.kept.learned) });
                Ok(json!({ "status": "green", "config": { "params": params } }))
            }
            "PUT" => {
                let body = read(body, &["vectors", "sparse_vectors"])?;
                let learned = !body["sparse_vectors"][LEARNED].is_null();
                if body["sparse_vectors"] != sparse_vectors(learned) {
                    return Err(bad("other sparse vectors than those of words with IDF and learned ones without"));
                }
                let dim = body["vectors"][DENSE]["size"].as_u64().unwrap_or(0) as usize;
                let kept = Vectors { dim, learned };
                let folder = tempfile::tempdir().unwrap();
                let store = EdgeStore::open(&folder.path().join("shard"), kept, EdgeOptions::default())
                    .map_err(|e| bad(e.to_string()))?;
                collections.insert(name.to_owned(), Collection { kept, store, _folder: folder });
                Ok(json!(true))
            }
            "DELETE" => collections.remove(name).map(|_| json!(true)).ok_or_else(|| missing(name)),
            other => Err(bad(format!("{other} of a collection"))),
        }
    }

    fn inside(&self, name: &str, rest: &str, method: &Method, body: &[u8]) -> Result<Value, Refusal> {
        let collections = self.collections.lock().unwrap();
        let store = &collections.get(name).ok_or_else(|| missing(name))?.store;
        let failed = |e: super::IndexError| bad(e.to_string());
        match (method.as_str(), rest) {
            ("PUT", "index") => {
                let body = read(body, &["field_name", "field_schema"])?;
                let known = INDEXED.iter().any(|(f, k)| body["field_name"] == *f && body["field_schema"] == *k);
                if known { Ok(json!({ "status": "completed" })) } else { Err(bad("unknown field")) }
            }
            ("PUT", "points") => {
                let body = read(body, &["points"])?;
                let points = items(&body["points"]).map(point).collect::<Result<Vec<Point>, Refusal>>()?;
                store.upsert(points).map_err(failed)?;
                Ok(json!({ "status": "completed" }))
            }
            ("POST", "points/delete") => {
                let body = read(body, &["points"])?;
                store.delete(&typed::<Vec<u64>>(&body["points"])?).map_err(failed)?;
                Ok(json!({ "status": "completed" }))
            }
            ("POST", "points/query") => found(store, body),
            ("POST", "points/query/batch") => {
                let body = read(body, &["searches"])?;
                items(&body["searches"]).map(|search| found(store, search.to_string().as_bytes())).collect()
            }
            ("POST", "points/count") => {
                let body = read(body, &["exact", "filter"])?;
                Ok(json!({ "count": store.count(filter(&body["filter"])?.as_ref()).map_err(failed)? }))
            }
            ("POST", "points/scroll") => {
                let body = read(body, &["limit", "offset", "with_payload", "with_vector"])?;
                // The offset is the first id of the page, ours the last of the page before.
                let after = body["offset"].as_u64().map(|id| id - 1);
                let ids = store.ids(after, typed(&body["limit"])?).map_err(failed)?;
                let points: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
                Ok(json!({ "points": points, "next_page_offset": null }))
            }
            ("POST", "facet") => {
                let body = read(body, &["key", "limit", "exact", "filter"])?;
                let key = typed::<String>(&body["key"])?;
                let rows = store.facet(&key, filter(&body["filter"])?.as_ref()).map_err(failed)?;
                let hits: Vec<Value> = rows.iter().map(|(v, n)| json!({ "value": v, "count": n })).collect();
                Ok(json!({ "hits": hits }))
            }
            (method, rest) => Err((StatusCode::NOT_FOUND, format!("{method} {rest}"))),
        }
    }
}

/// The answer to one search.
fn found(store: &EdgeStore, body: &[u8]) -> Result<Value, Refusal> {
    let keys = ["query", "using", "params", "filter", "prefetch", "limit", "with_payload"];
    let query = query(&read(body, &keys)?)?;
    let hits = store.query(&query).map_err(|e| bad(e.to_string()))?;
    let points: Vec<Value> = hits.iter().map(|h| json!({ "id": h.id, "score": h.score })).collect();
    Ok(json!({ "points": points }))
}

/// As the server writes them: terms weighed by IDF, learned weights as they are.
fn sparse_vectors(learned: bool) -> Value {
    match learned {
        false => json!({ SPARSE: { "modifier": "idf" } }),
        true => json!({ SPARSE: { "modifier": "idf" }, LEARNED: {} }),
    }
}

fn missing(name: &str) -> Refusal {
    (StatusCode::NOT_FOUND, format!("Not found: Collection `{name}` doesn't exist!"))
}

fn bad(what: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, what.into())
}

/// A JSON object with no keys but these.
fn read(body: &[u8], keys: &[&str]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|e| bad(e.to_string()))?;
    let fields = value.as_object().ok_or_else(|| bad("not an object"))?;
    match fields.keys().find(|k| !keys.contains(&k.as_str())) {
        Some(key) => Err(bad(format!("unknown field `{key}`"))),
        None => Ok(value),
    }
}

fn typed<T: for<'a> serde::Deserialize<'a>>(value: &Value) -> Result<T, Refusal> {
    serde_json::from_value(value.clone()).map_err(|e| bad(e.to_string()))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn sparse(value: &Value) -> Result<SparseVector, Refusal> {
    Ok(SparseVector { indices: typed(&value["indices"])?, values: typed(&value["values"])? })
}

fn point(value: &Value) -> Result<Point, Refusal> {
    let dense = match &value["vector"][DENSE] {
        Value::Null => None,
        dense => Some(typed(dense)?),
    };
    let learned = match &value["vector"][LEARNED] {
        Value::Null => None,
        learned => Some(sparse(learned)?),
    };
    let payload: Payload = typed(&value["payload"])?;
    Ok(Point { id: typed(&value["id"])?, dense, sparse: sparse(&value["vector"][SPARSE])?, learned, payload })
}

fn filter(value: &Value) -> Result<Option<Filter>, Refusal> {
    if value.is_null() {
        return Ok(None);
    }
    let condition = |c: &Value| {
        let key = INDEXED.iter().find(|(f, _)| c["key"] == *f).ok_or_else(|| bad("a filter on no indexed field"))?.0;
        match (&c["match"], &c["range"]) {
            (Value::Null, Value::Null) => Err(bad("a condition without match or range")),
            (Value::Null, range) => Ok(Condition::Range(key, range["gte"].as_i64(), range["lte"].as_i64())),
            (matches, _) => Ok(Condition::AnyOf(key, typed(&matches["any"])?)),
        }
    };
    Ok(Some(Filter { all: items(&value["must"]).map(condition).collect::<Result<_, Refusal>>()? }))
}

fn query(body: &Value) -> Result<Query, Refusal> {
    let nearest = |side: &Value| match side["using"].as_str() {
        Some(DENSE) => Ok(Mode::Dense(typed(&side["query"])?)),
        Some(SPARSE) => Ok(Mode::Sparse(sparse(&side["query"])?)),
        Some(LEARNED) => Ok(Mode::Learned(sparse(&side["query"])?)),
        _ => Err(bad("a vector that the collection does not have")),
    };
    let limit = typed(&body["limit"])?;
    let rrf = &body["query"]["rrf"];
    if rrf.is_null() {
        let exact = body["params"]["exact"] == true;
        return Ok(Query { mode: nearest(body)?, filter: filter(&body["filter"])?, limit, exact });
    }
    let weights: Vec<f32> = typed(&rrf["weights"])?;
    let sides: Vec<&Value> = items(&body["prefetch"]).collect();
    if weights.len() != sides.len() || sides.is_empty() {
        return Err(bad("the number of weights is not that of the prefetches"));
    }
    let (mut dense, mut terms, mut learned) = (None, SparseVector::default(), None);
    let mut weighed = [1.0f32; 3];
    for (side, weight) in sides.iter().zip(&weights) {
        match nearest(side)? {
            Mode::Dense(v) => (dense, weighed[0]) = (Some(v), *weight),
            Mode::Sparse(v) => (terms, weighed[1]) = (v, *weight),
            Mode::Learned(v) => (learned, weighed[2]) = (Some(v), *weight),
            Mode::Hybrid { .. } => return Err(bad("a fusion inside a fusion")),
        }
    }
    let mode = Mode::Hybrid {
        dense: dense.ok_or_else(|| bad("no dense side"))?,
        sparse: terms,
        learned,
        k: typed(&rrf["k"])?,
        weights: weighed,
        prefetch: typed(&sides[0]["limit"])?,
    };
    Ok(Query { mode, filter: filter(&sides[0]["filter"])?, limit, exact: sides[0]["params"]["exact"] == true })
}
