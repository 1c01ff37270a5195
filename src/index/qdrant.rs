//! The scaled-out [`VectorStore`]: one collection of a Qdrant server (1.17 or later), over its REST API.
//!
//! REST, because the seam is synchronous and the filters are then the very JSON that the embedded shard reads.
//! Writes wait until they are applied (`wait=true`). A request that did not get through is sent again: every
//! one of them may be repeated. The key is sent and never shown.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::edge::{INDEXED, TIE_MARGIN, filter_json, rescored};
use super::{DENSE, Filter, Hit, IndexError, LEARNED, Mode, Point, Query, SPARSE, VectorStore, Vectors, best_first};
use crate::text::bm25::SparseVector;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts at a request whose transport failed or that the server could not serve just now.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// Distinct values of a facet that are asked for; the server's default is ten.
const FACET_VALUES: usize = 10_000;
/// Characters of a refusal that are shown.
const SHOWN: usize = 300;

/// Where the collection is.
#[derive(Clone)]
pub struct QdrantOptions {
    /// Address of the REST interface, for instance `http://127.0.0.1:6333`.
    pub url: String,
    /// `api-key` header.
    pub api_key: Option<String>,
    /// Collection name.
    pub collection: String,
    /// Whether the server searches int8 copies in memory and compares the best again with the vectors on disk; a collection
    /// gets them when it is made.
    pub quantized: bool,
}

impl fmt::Debug for QdrantOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} (key {})", if self.api_key.is_some() { "set" } else { "not set" })
    }
}

impl fmt::Display for QdrantOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/collections/{}", self.url.trim_end_matches('/'), self.collection)
    }
}

/// A collection.
pub struct QdrantStore {
    options: QdrantOptions,
    agent: ureq::Agent,
}

impl QdrantStore {
    /// Whether the collection is there.
    pub fn exists(options: QdrantOptions) -> Result<bool, IndexError> {
        Ok(QdrantStore::connect(options)?.vectors()?.is_some())
    }

    /// Opens the collection, creating it for these vectors, with its payload indexes, if need be.
    pub fn open(options: QdrantOptions, wanted: Vectors) -> Result<QdrantStore, IndexError> {
        let store = QdrantStore::connect(options)?;
        match store.vectors()? {
            None => store.create(wanted)?,
            Some(found) if found == wanted => {}
            Some(found) => {
                let (has, not) = match (found.dim == wanted.dim, found.learned) {
                    (false, _) => (format!("{} dimensions", found.dim), wanted.dim.to_string()),
                    (true, true) => (format!("sparse vectors `{LEARNED}`"), "none of them".to_owned()),
                    (true, false) => (format!("no sparse vectors `{LEARNED}`"), "both kinds".to_owned()),
                };
                let what = format!(
                    "the collection has {has} and not {not}: somebody else's, or made with another encoder. Name another in store.collection"
                );
                return Err(store.failed(what));
            }
        }
        for (field, kind) in INDEXED {
            let body = json!({ "field_name": field, "field_schema": kind });
            store.expect("PUT", "/index?wait=true", Some(&body))?;
        }
        Ok(store)
    }

    /// Removes the collection, if it is there.
    pub fn remove(options: QdrantOptions) -> Result<(), IndexError> {
        let store = QdrantStore::connect(options)?;
        match store.send("DELETE", "", None)? {
            (200 | 404, _) => Ok(()),
            (status, body) => Err(store.refused(status, &body)),
        }
    }

    /// An error if the collection is there and holds points.
    pub fn refuse_foreign(options: &QdrantOptions) -> Result<(), IndexError> {
        let store = QdrantStore::connect(options.clone())?;
        let points = if store.vectors()?.is_some() { store.count(None)? } else { 0 };
        if points == 0 {
            return Ok(());
        }
        let what = format!(
            "the collection holds {points} points that this data folder knows nothing of. Name another in store.collection, or replace them with `sectora ingest --rebuild`"
        );
        Err(store.failed(what))
    }

    /// Checks address and name; nothing is sent yet.
    fn connect(options: QdrantOptions) -> Result<QdrantStore, IndexError> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .build();
        let store = QdrantStore { options, agent: agent.into() };
        if !store.options.url.starts_with("http://") && !store.options.url.starts_with("https://") {
            return Err(store.failed("store.url must begin with http:// or https://"));
        }
        let name = &store.options.collection;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(store
                .failed("a collection is named with Latin letters, digits, `-`, `_` and `.`; set store.collection"));
        }
        Ok(store)
    }

    /// What the collection keeps, or `None` where there is no such collection.
    fn vectors(&self) -> Result<Option<Vectors>, IndexError> {
        let (status, body) = self.send("GET", "", None)?;
        match status {
            404 => return Ok(None),
            200 => {}
            _ => return Err(self.refused(status, &body)),
        }
        let parameters = &body["result"]["config"]["params"];
        if parameters["sparse_vectors"][SPARSE].is_null() {
            return Err(self.failed(format!(
                "the collection has no sparse vector `{SPARSE}`, so it is not ours. Name another in store.collection"
            )));
        }
        let size = parameters["vectors"][DENSE]["size"].as_u64().unwrap_or(0);
        let learned = !parameters["sparse_vectors"][LEARNED].is_null();
        Ok(Some(Vectors { dim: usize::try_from(size).unwrap_or(usize::MAX), learned }))
    }

    fn create(&self, kept: Vectors) -> Result<(), IndexError> {
        let Vectors { dim, learned } = kept;
        let mut vectors = json!({});
        if dim > 0 {
            vectors[DENSE] = json!({ "size": dim, "distance": "Cosine" });
            if self.options.quantized {
                vectors[DENSE]["on_disk"] = json!(true);
                vectors[DENSE]["quantization_config"] =
                    json!({ "scalar": { "type": "int8", "quantile": 0.99, "always_ram": true } });
            }
        }
        let mut sparse = json!({ SPARSE: { "modifier": "idf" } });
        if learned {
            sparse[LEARNED] = json!({});
        }
        let body = json!({ "vectors": vectors, "sparse_vectors": sparse });
        self.expect("PUT", "", Some(&body)).map(|_| ())
    }

    /// Sends and insists on success; the `result` of the answer.
    fn expect(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, IndexError> {
        match self.send(method, path, body)? {
            (200, mut answer) => Ok(answer["result"].take()),
            (status, answer) => Err(self.refused(status, &answer)),
        }
    }

    /// Status and body; what did not get through is tried again.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), IndexError> {
        let address = format!("{}{path}", self.options);
        let mut attempt = 1;
        loop {
            let answer = self.send_once(method, &address, body);
            let again = match &answer {
                Ok((status, _)) => matches!(status, 429 | 502 | 503 | 504),
                // Who was waited for in vain is not waited for thrice.
                Err(e) => !matches!(e, ureq::Error::Timeout(_)),
            };
            if !again || attempt == ATTEMPTS {
                return answer.map_err(|e| self.failed(format!("{e}; is the Qdrant server running? (store.url)")));
            }
            std::thread::sleep(PAUSE * attempt);
            attempt += 1;
        }
    }

    fn send_once(&self, method: &str, address: &str, body: Option<&Value>) -> Result<(u16, Value), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(address);
        if let Some(key) = &self.options.api_key {
            request = request.header("api-key", key);
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string())?;
                self.agent.run(request)?
            }
            None => self.agent.run(request.body(())?)?,
        };
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string()?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    fn refused(&self, status: u16, body: &Value) -> IndexError {
        let said = body["status"]["error"].as_str().or(body.as_str()).unwrap_or_default();
        let said: String = said.chars().take(SHOWN).collect();
        let hint = match status {
            401 | 403 => "; set SECTORA_STORE__API_KEY",
            404 => "; the collection has gone, `sectora ingest --rebuild` makes it anew",
            _ => "",
        };
        self.failed(format!("status {status}: {said}{hint}"))
    }

    fn failed(&self, what: impl fmt::Display) -> IndexError {
        IndexError::Store { path: self.options.to_string(), what: what.to_string() }
    }

    fn parsed<T: for<'a> Deserialize<'a>>(&self, value: Value) -> Result<T, IndexError> {
        serde_json::from_value(value).map_err(|e| self.failed(format!("unexpected answer: {e}")))
    }
}

#[derive(Deserialize)]
struct Found {
    points: Vec<Scored>,
}

impl Found {
    fn hits(&self, limit: usize) -> Vec<Hit> {
        best_first(self.points.iter().map(|p| Hit { id: p.id, score: p.score }), limit)
    }
}

#[derive(Deserialize)]
struct Scored {
    id: u64,
    #[serde(default)]
    score: f32,
}

#[derive(Deserialize)]
struct Facets {
    hits: Vec<FacetHit>,
}

#[derive(Deserialize)]
struct FacetHit {
    value: Value,
    count: u64,
}

impl VectorStore for QdrantStore {
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        if points.is_empty() {
            return Ok(());
        }
        let points: Vec<Value> = points.iter().map(point_json).collect();
        self.expect("PUT", "/points?wait=true", Some(&json!({ "points": points }))).map(|_| ())
    }

    fn delete(&self, ids: &[u64]) -> Result<(), IndexError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.expect("POST", "/points/delete?wait=true", Some(&json!({ "points": ids }))).map(|_| ())
    }

    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError> {
        let Some(body) = query_json(query, self.options.quantized) else { return Ok(Vec::new()) };
        let found: Found = self.parsed(self.expect("POST", "/points/query", Some(&body))?)?;
        Ok(found.hits(query.limit))
    }

    fn query_batch(&self, queries: &[Query]) -> Result<Vec<Vec<Hit>>, IndexError> {
        let bodies: Vec<Option<Value>> = queries.iter().map(|q| query_json(q, self.options.quantized)).collect();
        let searches: Vec<&Value> = bodies.iter().flatten().collect();
        if searches.is_empty() {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let body = json!({ "searches": searches });
        let found: Vec<Found> = self.parsed(self.expect("POST", "/points/query/batch", Some(&body))?)?;
        if found.len() != searches.len() {
            return Err(self.failed(format!("{} answers to {} searches of a batch", found.len(), searches.len())));
        }
        let mut found = found.into_iter();
        let hits = |(query, body): (&Query, &Option<Value>)| match body {
            Some(_) => found.next().map(|f| f.hits(query.limit)).unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(queries.iter().zip(&bodies).map(hits).collect())
    }

    fn count(&self, filter: Option<&Filter>) -> Result<u64, IndexError> {
        let mut body = json!({ "exact": true });
        restrict(&mut body, filter);
        let result = self.expect("POST", "/points/count", Some(&body))?;
        result["count"].as_u64().ok_or_else(|| self.failed("unexpected answer: no count"))
    }

    fn ids(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, IndexError> {
        let mut body = json!({ "limit": limit, "with_payload": false, "with_vector": false });
        match after {
            Some(u64::MAX) => return Ok(Vec::new()),
            Some(id) => body["offset"] = json!(id + 1),
            None => {}
        }
        let found: Found = self.parsed(self.expect("POST", "/points/scroll", Some(&body))?)?;
        Ok(found.points.iter().map(|p| p.id).collect())
    }

    fn facet(&self, key: &str, filter: Option<&Filter>) -> Result<Vec<(String, u64)>, IndexError> {
        let mut body = json!({ "key": key, "limit": FACET_VALUES, "exact": true });
        restrict(&mut body, filter);
        let found: Facets = self.parsed(self.expect("POST", "/facet", Some(&body))?)?;
        let text = |v: Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let mut rows: Vec<(String, u64)> = found.hits.into_iter().map(|h| (text(h.value), h.count)).collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(rows)
    }

    /// Nothing to do: writes were waited for.
    fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Nothing to do: the server optimises on its own.
    fn maintain(&self) -> Result<(), IndexError> {
        Ok(())
    }
}

fn restrict(body: &mut Value, filter: Option<&Filter>) {
    if let Some(filter) = filter {
        body["filter"] = filter_json(filter);
    }
}

fn point_json(point: &Point) -> Value {
    let mut vector = json!({ SPARSE: sparse_json(&point.sparse) });
    if let Some(learned) = &point.learned {
        vector[LEARNED] = sparse_json(learned);
    }
    if let Some(dense) = &point.dense {
        vector[DENSE] = json!(dense);
    }
    json!({ "id": point.id, "vector": vector, "payload": point.payload })
}

fn sparse_json(vector: &SparseVector) -> Value {
    json!({ "indices": vector.indices, "values": vector.values })
}

/// The body of a query; `None` where it can find nothing.
fn query_json(query: &Query, quantized: bool) -> Option<Value> {
    let mut params = json!({ "exact": query.exact });
    if quantized && !query.exact {
        params["quantization"] = rescored();
    }
    let nearest = |vector: Value, using: &str| {
        let mut body = json!({ "query": vector, "using": using, "params": params });
        restrict(&mut body, query.filter.as_ref());
        body
    };
    let mut body = match &query.mode {
        Mode::Dense(v) => nearest(json!(v), DENSE),
        Mode::Sparse(v) | Mode::Learned(v) if v.indices.is_empty() => return None,
        Mode::Sparse(v) => nearest(sparse_json(v), SPARSE),
        Mode::Learned(v) => nearest(sparse_json(v), LEARNED),
        Mode::Hybrid { dense, sparse, learned, k, weights, prefetch } => {
            let mut sides = vec![(nearest(json!(dense), DENSE), weights[0])];
            for (vector, name, weight) in [(Some(sparse), SPARSE, weights[1]), (learned.as_ref(), LEARNED, weights[2])]
            {
                if let Some(vector) = vector.filter(|v| !v.indices.is_empty()) {
                    sides.push((nearest(sparse_json(vector), name), weight));
                }
            }
            let (mut sides, weights): (Vec<Value>, Vec<f32>) = sides.into_iter().unzip();
            for side in &mut sides {
                side["limit"] = json!(prefetch);
            }
            json!({ "prefetch": sides, "query": { "rrf": { "k": k, "weights": weights } } })
        }
    };
    body["limit"] = json!(query.limit + TIE_MARGIN);
    body["with_payload"] = json!(false);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{conformance, qdrant_standin::Standin};

    fn options(url: &str, collection: &str) -> QdrantOptions {
        QdrantOptions {
            url: url.into(),
            api_key: Some("secret-key".into()),
            collection: collection.into(),
            quantized: false,
        }
    }

    #[test]
    fn a_question_to_int8_copies_asks_for_the_vectors_themselves_to_decide() {
        let query = |exact| Query { mode: Mode::Dense(vec![1.0]), filter: None, limit: 1, exact };
        let body = query_json(&query(false), true).unwrap();
        assert_eq!(body["params"]["quantization"]["rescore"], json!(true));
        assert!(query_json(&query(true), true).unwrap()["params"]["quantization"].is_null(), "exact is exact");
        assert!(query_json(&query(false), false).unwrap()["params"]["quantization"].is_null());
    }

    #[test]
    fn keeps_the_promises_of_a_vector_store() {
        let standin = Standin::start("secret-key");
        for (i, kept) in conformance::KINDS.into_iter().enumerate() {
            let options = options(standin.url(), &format!("t-{i}"));
            assert!(!QdrantStore::exists(options.clone()).unwrap());
            conformance::all(&QdrantStore::open(options.clone(), kept).unwrap(), kept);
            assert!(QdrantStore::exists(options.clone()).unwrap());
            assert!(QdrantStore::open(options.clone(), kept).is_ok(), "it is there already");
            QdrantStore::remove(options.clone()).unwrap();
            QdrantStore::remove(options).unwrap();
        }
    }

    /// The same against a real server: `SECTORA_TEST_QDRANT=http://127.0.0.1:6333 make test`.
    #[test]
    fn keeps_the_promises_of_a_vector_store_on_a_real_server() {
        let Ok(url) = std::env::var("SECTORA_TEST_QDRANT") else {
            eprintln!("SKIPPED: SECTORA_TEST_QDRANT names no Qdrant server");
            return;
        };
        for (i, kept) in conformance::KINDS.into_iter().enumerate() {
            let name = format!("sectora-test-{i}-{}", std::process::id());
            assert!(!QdrantStore::exists(options(&url, &name)).unwrap());
            let store = QdrantStore::open(options(&url, &name), kept).unwrap();
            conformance::all(&store, kept);
            QdrantStore::remove(store.options).unwrap();
        }
    }

    #[test]
    fn a_wrong_key_a_foreign_collection_and_an_absent_server_are_said_plainly() {
        let standin = Standin::start("secret-key");
        let store = QdrantStore::open(options(standin.url(), "ours"), Vectors::dense(4)).unwrap();
        let message = |o: QdrantOptions, dim| QdrantStore::open(o, Vectors::dense(dim)).err().unwrap().to_string();

        let wrong = message(QdrantOptions { api_key: Some("guess".into()), ..options(standin.url(), "ours") }, 4);
        assert!(wrong.contains("401") && wrong.contains("SECTORA_STORE__API_KEY"), "{wrong}");
        assert!(!wrong.contains("guess") && !format!("{:?}", store.options).contains("secret-key"));

        let other = message(options(standin.url(), "ours"), 8);
        assert!(other.contains("4 dimensions and not 8"), "{other}");
        let learned = QdrantStore::open(options(standin.url(), "ours"), Vectors { dim: 4, learned: true });
        let learned = learned.err().unwrap().to_string();
        assert!(learned.contains("no sparse vectors `learned`"), "{learned}");
        let name = message(options(standin.url(), "a/b"), 4);
        assert!(name.contains("letters, digits"), "{name}");
        let scheme = message(options("127.0.0.1:6333", "ours"), 4);
        assert!(scheme.contains("http://"), "{scheme}");

        // A port nobody listens on any more.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let absent = message(options(&format!("http://127.0.0.1:{port}"), "ours"), 4);
        assert!(absent.contains("is the Qdrant server running?"), "{absent}");

        QdrantStore::remove(store.options.clone()).unwrap();
        let gone = store.upsert(vec![conformance::point(1, &[(1, 1.0)], Some([1.0, 0.0, 0.0, 0.0]))]);
        assert!(gone.unwrap_err().to_string().contains("--rebuild"));
    }

    #[test]
    fn a_request_that_the_server_could_not_serve_just_now_is_sent_again() {
        let standin = Standin::start("secret-key");
        let store = QdrantStore::open(options(standin.url(), "busy"), Vectors::default()).unwrap();
        standin.refuse_next(2);
        store.upsert(vec![conformance::point(1, &[(1, 1.0)], None)]).unwrap();
        assert_eq!(store.count(None).unwrap(), 1);
        standin.refuse_next(3);
        assert!(store.count(None).unwrap_err().to_string().contains("503"));
    }
}
