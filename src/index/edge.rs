//! The embedded [`VectorStore`]: a Qdrant shard in this process (qdrant-edge), with a write-ahead log.

use std::path::Path;

use qdrant_edge as edge;
use serde_json::{Value, json};

use super::space;
use super::{
    Condition, DENSE, Filter, Hit, IndexError, LEARNED, Mode, Payload, Point, Query, SPARSE, VectorStore, Vectors,
    best_first,
};
use crate::text::bm25::SparseVector;

/// Distinct values of a facet that are asked for.
const FACETS: usize = 100_000;

/// Payload keys with an index, and its type.
pub(super) const INDEXED: [(&str, &str); 7] = [
    ("sector", "keyword"),
    ("doc_id", "keyword"),
    ("institution", "keyword"),
    ("doc_type", "keyword"),
    ("language", "keyword"),
    ("access", "keyword"),
    ("year", "integer"),
];

/// Extra hits fetched so that equal scores at the cut are ordered by id, not by chance.
pub(super) const TIE_MARGIN: usize = 16;

/// Vectors of a segment, or those of them that a filter leaves, that are compared one by one; more are searched through a
/// graph, and a segment with fewer needs none.
const COMPARED: usize = 20_000;
/// Vectors taken by their int8 copies, for each hit that is wanted, before the vectors themselves decide.
const OVERSAMPLING: f64 = 2.0;
/// Share of the points up to which a filter makes the graph be walked two links at a time (ACORN,
/// <https://arxiv.org/abs/2403.04871>): of single links too few would lead on.
const SELECTIVE: f64 = 0.4;

/// How a shard keeps and finds its vectors. Changed on a shard that is there, it takes effect at the next
/// [`VectorStore::maintain`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeOptions {
    /// Search int8 copies of the vectors, held in memory, and compare the best hits again with the vectors themselves, left
    /// on disk.
    pub quantized: bool,
    /// Give every frequent value of every payload key links of its own in the graph. More to build, and it found no more
    /// (`eval/README.md`).
    pub payload_links: bool,
}

/// A shard in a folder of its own. One process at a time (see [`super::open`]).
pub struct EdgeStore {
    shard: edge::EdgeShard,
    path: String,
    options: EdgeOptions,
}

impl EdgeStore {
    /// Opens the shard in `folder`, replaying its log, or creates it for these vectors.
    pub fn open(folder: &Path, vectors: Vectors, options: EdgeOptions) -> Result<EdgeStore, IndexError> {
        if !folder.exists() {
            // Built beside and moved into place: killed half-way, nothing half-made stands in the way.
            let beside = folder.with_extension("new");
            if beside.exists() {
                fs_err::remove_dir_all(&beside)?;
            }
            space::require(&beside, space::TO_CREATE)?;
            EdgeStore::create(&beside, vectors, options)?;
            fs_err::rename(&beside, folder)?;
        }
        space::require_to_read(folder)?;
        let path = folder.display().to_string();
        let failed = |what: String| IndexError::Store { path: path.clone(), what };
        let tuned = tuned(vectors.dim, options).map_err(|e| failed(e.to_string()))?.build();
        match edge::EdgeShard::load(folder, Some(tuned)) {
            Ok(shard) => Ok(EdgeStore { shard, path, options }),
            Err(e) => Err(failed(format!("{e}; `sectora ingest --rebuild` makes it anew"))),
        }
    }

    /// An empty shard with its payload indexes, on disk and closed.
    fn create(folder: &Path, vectors: Vectors, options: EdgeOptions) -> Result<(), IndexError> {
        let dim = vectors.dim;
        fs_err::create_dir_all(folder)?;
        let path = folder.display().to_string();
        let failed = |what: String| IndexError::Store { path: path.clone(), what };
        let sparse = edge::EdgeSparseVectorParams::builder().modifier(edge::Modifier::Idf).build();
        let mut config = tuned(dim, options).map_err(|e| failed(e.to_string()))?.sparse_vector(SPARSE, sparse);
        if vectors.learned {
            config = config.sparse_vector(LEARNED, edge::EdgeSparseVectorParams::builder().build());
        }
        if dim > 0 {
            let mut vector = edge::EdgeVectorParams::builder(dim, edge::Distance::Cosine);
            if options.quantized {
                vector = vector.memory(edge::Memory::Cold);
            }
            config = config.vector(DENSE, vector.build());
        }
        let shard = edge::EdgeShard::new(folder, config.build()).map_err(|e| failed(e.to_string()))?;
        let store = EdgeStore { shard, path, options };
        for (key, kind) in INDEXED {
            store.index_payload(key, kind)?;
        }
        store.flush()
    }

    fn index_payload(&self, key: &str, kind: &str) -> Result<(), IndexError> {
        let index = edge::CreateIndex {
            field_name: self.json_path(key)?,
            field_schema: Some(serde_json::from_value(json!(kind)).map_err(|e| self.failed(e))?),
        };
        let create = edge::FieldIndexOperations::CreateIndex(index);
        self.shard.update(edge::UpdateOperation::FieldIndexOperation(create)).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn json_path(&self, key: &str) -> Result<edge::JsonPath, IndexError> {
        key.try_into().map_err(|()| self.failed(format!("`{key}` is not a payload key")))
    }

    fn failed(&self, what: impl std::fmt::Display) -> IndexError {
        IndexError::Store { path: self.path.clone(), what: what.to_string() }
    }

    fn update(&self, operation: edge::PointOperations) -> Result<(), IndexError> {
        self.shard.update(edge::UpdateOperation::PointOperation(operation)).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn filter(&self, filter: Option<&Filter>) -> Result<Option<edge::Filter>, IndexError> {
        let Some(filter) = filter else { return Ok(None) };
        serde_json::from_value(filter_json(filter)).map(Some).map_err(|e| self.failed(e))
    }

    fn sparse(&self, vector: &SparseVector) -> Result<edge::SparseVector, IndexError> {
        edge::SparseVector::new(vector.indices.clone(), vector.values.clone()).map_err(|e| self.failed(e))
    }

    fn params(&self, query: &Query) -> Result<edge::SearchParams, IndexError> {
        let mut params = json!({ "exact": query.exact });
        if self.options.quantized && !query.exact {
            params["quantization"] = rescored();
        }
        if query.filter.is_some() {
            params["acorn"] = json!({ "enable": true, "max_selectivity": SELECTIVE });
        }
        serde_json::from_value(params).map_err(|e| self.failed(e))
    }

    fn request(&self, query: &Query) -> Result<edge::QueryRequest, IndexError> {
        let filter = self.filter(query.filter.as_ref())?;
        let params = self.params(query)?;
        let nearest = |vector, name: &str| {
            edge::ScoringQuery::Vector(edge::QueryEnum::Nearest(edge::NamedQuery {
                query: vector,
                using: Some(name.into()),
            }))
        };
        let dense = |v: &Vec<f32>| nearest(edge::VectorInternal::from(v.clone()), DENSE);
        let terms =
            |v: &SparseVector, name| Ok::<_, IndexError>(nearest(edge::VectorInternal::Sparse(self.sparse(v)?), name));
        let mut request = edge::QueryRequestBuilder::new(query.limit + TIE_MARGIN).params(params.clone());
        request = match &query.mode {
            Mode::Dense(v) => request.query(dense(v)),
            Mode::Sparse(v) => request.query(terms(v, SPARSE)?),
            Mode::Learned(v) => request.query(terms(v, LEARNED)?),
            Mode::Hybrid { dense: d, sparse, learned, k, weights, prefetch } => {
                let side = |scoring| {
                    let side = edge::PrefetchBuilder::new(*prefetch).query(scoring).params(params.clone());
                    match &filter {
                        Some(f) => side.filter(f.clone()).build(),
                        None => side.build(),
                    }
                };
                let mut request = request.add_prefetch(side(dense(d)));
                let mut weighed = vec![weights[0]];
                // The shard would refuse an empty vector; the other sides then decide.
                for (vector, name, weight) in
                    [(Some(sparse), SPARSE, weights[1]), (learned.as_ref(), LEARNED, weights[2])]
                {
                    if let Some(vector) = vector.filter(|v| !v.indices.is_empty()) {
                        request = request.add_prefetch(side(terms(vector, name)?));
                        weighed.push(weight);
                    }
                }
                let weights = Some(weighed.into_iter().map(Into::into).collect());
                request.query(edge::ScoringQuery::Fusion(edge::Fusion::Rrf { k: *k as usize, weights }))
            }
        };
        Ok(match (&query.mode, filter) {
            (Mode::Dense(_) | Mode::Sparse(_) | Mode::Learned(_), Some(f)) => request.filter(f).build(),
            (Mode::Dense(_) | Mode::Sparse(_) | Mode::Learned(_), None) | (Mode::Hybrid { .. }, _) => request.build(),
        })
    }
}

impl VectorStore for EdgeStore {
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        if points.is_empty() {
            return Ok(());
        }
        space::require(Path::new(&self.path), space::TO_WRITE)?;
        let list = points.into_iter().map(|p| self.point(p)).collect::<Result<Vec<_>, IndexError>>()?;
        self.update(edge::PointOperations::UpsertPoints(edge::PointInsertOperations::PointsList(list)))
    }

    fn delete(&self, ids: &[u64]) -> Result<(), IndexError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = ids.iter().map(|id| edge::PointId::NumId(*id)).collect();
        self.update(edge::PointOperations::DeletePoints { ids })
    }

    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError> {
        // A question without a single known term finds nothing; the shard would refuse an empty vector.
        if matches!(&query.mode, Mode::Sparse(v) | Mode::Learned(v) if v.indices.is_empty()) {
            return Ok(Vec::new());
        }
        let found = self.shard.query(self.request(query)?).map_err(|e| self.failed(e))?;
        Ok(best_first(found.iter().map(|p| Hit { id: number(&p.id), score: p.score }), query.limit))
    }

    fn count(&self, filter: Option<&Filter>) -> Result<u64, IndexError> {
        let request = edge::CountRequest { filter: self.filter(filter)?, exact: true };
        Ok(self.shard.count(request).map_err(|e| self.failed(e))? as u64)
    }

    fn ids(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, IndexError> {
        let mut request = edge::ScrollRequest::new();
        request.offset = match after {
            Some(u64::MAX) => return Ok(Vec::new()),
            Some(id) => Some(edge::PointId::NumId(id + 1)),
            None => None,
        };
        request.limit = Some(limit);
        let (points, _) = self.shard.scroll(request).map_err(|e| self.failed(e))?;
        Ok(points.iter().map(|p| number(&p.id)).collect())
    }

    fn facet(&self, key: &str, filter: Option<&Filter>) -> Result<Vec<(String, u64)>, IndexError> {
        let mut request = edge::FacetRequest::new(self.json_path(key)?);
        request.filter = self.filter(filter)?;
        request.exact = true;
        // The library's default is ten.
        request.limit = FACETS;
        let found = self.shard.facet(request).map_err(|e| self.failed(e))?;
        let mut rows: Vec<(String, u64)> = found
            .hits
            .iter()
            .map(|hit| match &hit.value {
                edge::FacetValue::Keyword(k) => (k.clone(), hit.count as u64),
                other => (format!("{other:?}"), hit.count as u64),
            })
            .collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(rows)
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.shard.flush().map_err(|e| self.failed(e))
    }

    fn maintain(&self) -> Result<(), IndexError> {
        self.flush()?;
        space::require(Path::new(&self.path), space::TO_WRITE)?;
        self.shard.optimize().map_err(|e| self.failed(e))?;
        self.flush()
    }
}

impl EdgeStore {
    fn point(&self, point: Point) -> Result<edge::PointStructPersisted, IndexError> {
        let sparse = edge::Vector::new_sparse(point.sparse.indices, point.sparse.values).map_err(|e| self.failed(e))?;
        let mut vectors = vec![(SPARSE, sparse)];
        if let Some(learned) = point.learned {
            let learned = edge::Vector::new_sparse(learned.indices, learned.values).map_err(|e| self.failed(e))?;
            vectors.push((LEARNED, learned));
        }
        if let Some(dense) = point.dense {
            vectors.push((DENSE, edge::Vector::new_dense(dense)));
        }
        let payload: &Payload = &point.payload;
        let payload = serde_json::to_value(payload).map_err(|e| self.failed(e))?;
        Ok(edge::PointStruct::new(point.id, edge::Vectors::new_named(vectors), payload).into())
    }
}

/// What of a shard's configuration may change while it is there.
fn tuned(dim: usize, options: EdgeOptions) -> serde_json::Result<edge::EdgeConfigBuilder> {
    // Kilobytes of vectors.
    let compared = (COMPARED * dim.max(1) * size_of::<f32>()).div_ceil(1024);
    let mut graph = json!({ "m": 16, "ef_construct": 100, "full_scan_threshold": compared });
    if !options.payload_links {
        graph["payload_m"] = json!(0);
    }
    let optimizers = edge::EdgeOptimizersConfig { indexing_threshold: Some(compared), ..Default::default() };
    let config = edge::EdgeConfig::builder().hnsw_config(serde_json::from_value(graph)?).optimizers(optimizers);
    Ok(if options.quantized { config.quantization_config(serde_json::from_value(int8())?) } else { config })
}

/// Scalar quantization as Qdrant's API writes it: one byte a dimension, in memory; the largest 1 % of values are cut off.
pub(super) fn int8() -> Value {
    json!({ "scalar": { "type": "int8", "quantile": 0.99, "memory": "pinned" } })
}

/// How int8 copies are searched, as Qdrant's API writes it.
pub(super) fn rescored() -> Value {
    json!({ "ignore": false, "rescore": true, "oversampling": OVERSAMPLING })
}

/// A filter as Qdrant's REST API writes it, which is also what the shard reads.
pub(super) fn filter_json(filter: &Filter) -> Value {
    let must: Vec<Value> = filter.all.iter().map(condition).collect();
    json!({ "must": must })
}

fn condition(condition: &Condition) -> Value {
    match condition {
        Condition::AnyOf(key, values) => json!({ "key": key, "match": { "any": values } }),
        Condition::Range(key, from, to) => json!({ "key": key, "range": { "gte": from, "lte": to } }),
    }
}

fn number(id: &edge::PointId) -> u64 {
    match id {
        edge::PointId::NumId(n) => *n,
        // We only ever write numbers.
        edge::PointId::Uuid(_) => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::conformance;

    #[test]
    fn keeps_the_promises_of_a_vector_store() {
        for kept in conformance::KINDS {
            let dir = tempfile::tempdir().unwrap();
            let store = EdgeStore::open(&dir.path().join("store"), kept, EdgeOptions::default()).unwrap();
            conformance::all(&store, kept);
        }
    }

    /// As wide as it takes for neighbours to be apart by more than rounding.
    const WIDE: usize = 32;

    /// Numbers in -0.5..0.5, always the same for a seed.
    fn numbers(seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        std::iter::repeat_with(next).skip(4).take(WIDE).collect()
    }

    /// Points in all directions.
    fn crowd(n: u64) -> Vec<Point> {
        let one = |id: u64| Point { dense: Some(numbers(id)), ..conformance::point(id, &[(1, 1.0)], None) };
        (0..n).map(one).collect()
    }

    #[test]
    fn int8_copies_with_rescoring_find_what_the_vectors_themselves_find() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        let plain = EdgeStore::open(&folder, Vectors::dense(WIDE), EdgeOptions::default()).unwrap();
        crowd(COMPARED as u64 + 2_000).chunks(2_000).for_each(|c| plain.upsert(c.to_vec()).unwrap());
        drop(plain);
        // Switched on for a shard that is there.
        let options = EdgeOptions { quantized: true, ..EdgeOptions::default() };
        let store = EdgeStore::open(&folder, Vectors::dense(WIDE), options).unwrap();
        store.maintain().unwrap();
        let ask = |seed: u64, filter: &Option<Filter>, exact| {
            let mode = Mode::Dense(numbers(seed));
            store.query(&Query { mode, filter: filter.clone(), limit: 10, exact }).unwrap()
        };
        for filter in [None, Some(Filter::default().years(Some(9_000), Some(19_999)))] {
            let mut kept = 0;
            for seed in 1_000_000..1_000_020 {
                let (exact, found) = (ask(seed, &filter, true), ask(seed, &filter, false));
                for hit in &exact {
                    let same = found.iter().find(|f| f.id == hit.id);
                    kept += usize::from(same.is_some());
                    assert!(same.is_none_or(|f| (f.score - hit.score).abs() < 1e-5), "scores are the vectors' own");
                }
            }
            assert!(kept >= 180, "{kept} of 200, {filter:?}");
        }
    }

    #[test]
    fn it_is_searched_while_it_is_written_and_optimised() {
        let dir = tempfile::tempdir().unwrap();
        let store = EdgeStore::open(&dir.path().join("store"), Vectors::dense(WIDE), EdgeOptions::default()).unwrap();
        store.upsert(crowd(500)).unwrap();
        let written = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                crowd(6_000).chunks(500).for_each(|c| store.upsert(c.to_vec()).unwrap());
                store.maintain().unwrap();
                written.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            loop {
                let last = written.load(std::sync::atomic::Ordering::SeqCst);
                let mode = Mode::Dense(numbers(1_000_000));
                let found = store.query(&Query { mode, filter: None, limit: 10, exact: false }).unwrap();
                assert_eq!(found.len(), 10);
                if last {
                    break;
                }
            }
        });
        assert_eq!(store.count(None).unwrap(), 6_000);
    }

    #[test]
    fn a_creation_that_was_killed_does_not_stand_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        fs_err::create_dir_all(folder.with_extension("new").join("wal")).unwrap();
        let store = EdgeStore::open(&folder, Vectors::default(), EdgeOptions::default()).unwrap();
        store.upsert(vec![conformance::point(7, &[(1, 1.0)], None)]).unwrap();
        assert_eq!(store.count(None).unwrap(), 1);
    }

    #[test]
    fn what_was_acknowledged_is_there_after_reopening_without_a_flush() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        let store = EdgeStore::open(&folder, Vectors::default(), EdgeOptions::default()).unwrap();
        store.upsert(vec![conformance::point(7, &[(1, 1.0)], None)]).unwrap();
        // Forgotten, not dropped: no destructor flushes anything, as after `kill -9`.
        std::mem::forget(store);
        let copy = dir.path().join("copy");
        copy_folder(&folder, &copy);
        let again = EdgeStore::open(&copy, Vectors::default(), EdgeOptions::default()).unwrap();
        assert_eq!(again.ids(None, 10).unwrap(), [7]);
    }

    fn copy_folder(from: &Path, to: &Path) {
        fs_err::create_dir_all(to).unwrap();
        for entry in fs_err::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy_folder(&entry.path(), &target);
            } else {
                fs_err::copy(entry.path(), target).unwrap();
            }
        }
    }
}
