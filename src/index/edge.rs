//! The embedded [`VectorStore`]: a Qdrant shard in this process (qdrant-edge), with a write-ahead log.

use std::path::Path;

use qdrant_edge as edge;
use serde_json::{Value, json};

use super::{Condition, DENSE, Filter, Hit, IndexError, Mode, Payload, Point, Query, SPARSE, VectorStore};
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

/// A shard in a folder of its own. One process at a time (see [`super::open`]).
pub struct EdgeStore {
    shard: edge::EdgeShard,
    path: String,
}

impl EdgeStore {
    /// Opens the shard in `folder`, replaying its log, or creates it; `dim` 0 means no dense vector.
    pub fn open(folder: &Path, dim: usize) -> Result<EdgeStore, IndexError> {
        EdgeStore::open_with(folder, dim, false)
    }

    /// As [`Self::open`]; a new shard keeps int8 copies of its vectors in memory where `quantized`, and compares the best
    /// hits again with the vectors themselves.
    pub fn open_with(folder: &Path, dim: usize, quantized: bool) -> Result<EdgeStore, IndexError> {
        if !folder.exists() {
            // Built beside and moved into place: killed half-way, nothing half-made stands in the way.
            let beside = folder.with_extension("new");
            if beside.exists() {
                fs_err::remove_dir_all(&beside)?;
            }
            EdgeStore::create(&beside, dim, quantized)?;
            fs_err::rename(&beside, folder)?;
        }
        let path = folder.display().to_string();
        match edge::EdgeShard::load(folder, None) {
            Ok(shard) => Ok(EdgeStore { shard, path }),
            Err(e) => Err(IndexError::Store { path, what: format!("{e}; `sectora ingest --rebuild` makes it anew") }),
        }
    }

    /// An empty shard with its payload indexes, on disk and closed.
    fn create(folder: &Path, dim: usize, quantized: bool) -> Result<(), IndexError> {
        fs_err::create_dir_all(folder)?;
        let sparse = edge::EdgeSparseVectorParams::builder().modifier(edge::Modifier::Idf).build();
        let mut config = edge::EdgeConfig::builder().sparse_vector(SPARSE, sparse);
        let path = folder.display().to_string();
        if dim > 0 {
            let mut vector = edge::EdgeVectorParams::builder(dim, edge::Distance::Cosine);
            if quantized {
                let int8 = json!({ "scalar": { "type": "int8", "quantile": 0.99, "memory": "pinned" } });
                let int8 = serde_json::from_value(int8);
                let int8 = int8.map_err(|e| IndexError::Store { path: path.clone(), what: e.to_string() })?;
                vector = vector.quantization_config(int8).memory(edge::Memory::Cold);
            }
            config = config.vector(DENSE, vector.build());
        }
        let shard = edge::EdgeShard::new(folder, config.build())
            .map_err(|e| IndexError::Store { path: path.clone(), what: e.to_string() })?;
        let store = EdgeStore { shard, path };
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

    fn request(&self, query: &Query) -> Result<edge::QueryRequest, IndexError> {
        let filter = self.filter(query.filter.as_ref())?;
        let params = edge::SearchParams { exact: query.exact, ..Default::default() };
        let nearest = |vector, name: &str| {
            edge::ScoringQuery::Vector(edge::QueryEnum::Nearest(edge::NamedQuery {
                query: vector,
                using: Some(name.into()),
            }))
        };
        let dense = |v: &Vec<f32>| nearest(edge::VectorInternal::from(v.clone()), DENSE);
        let sparse =
            |v: &SparseVector| Ok::<_, IndexError>(nearest(edge::VectorInternal::Sparse(self.sparse(v)?), SPARSE));
        let mut request = edge::QueryRequestBuilder::new(query.limit + TIE_MARGIN).params(params.clone());
        request = match &query.mode {
            Mode::Dense(v) => request.query(dense(v)),
            Mode::Sparse(v) => request.query(sparse(v)?),
            Mode::Hybrid { dense: d, sparse: s, k, weights, prefetch } => {
                let side = |scoring| {
                    let side = edge::PrefetchBuilder::new(*prefetch).query(scoring).params(params.clone());
                    match &filter {
                        Some(f) => side.filter(f.clone()).build(),
                        None => side.build(),
                    }
                };
                // The shard would refuse an empty vector; the other side alone then decides.
                let sides = if s.indices.is_empty() { 1 } else { 2 };
                let weights = Some(weights.iter().take(sides).map(|w| (*w).into()).collect());
                let fusion = edge::Fusion::Rrf { k: *k as usize, weights };
                let mut request = request.add_prefetch(side(dense(d)));
                if sides == 2 {
                    request = request.add_prefetch(side(sparse(s)?));
                }
                request.query(edge::ScoringQuery::Fusion(fusion))
            }
        };
        Ok(match (&query.mode, filter) {
            (Mode::Dense(_) | Mode::Sparse(_), Some(f)) => request.filter(f).build(),
            (Mode::Dense(_) | Mode::Sparse(_), None) | (Mode::Hybrid { .. }, _) => request.build(),
        })
    }
}

impl VectorStore for EdgeStore {
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError> {
        if points.is_empty() {
            return Ok(());
        }
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
        if matches!(&query.mode, Mode::Sparse(v) if v.indices.is_empty()) {
            return Ok(Vec::new());
        }
        let found = self.shard.query(self.request(query)?).map_err(|e| self.failed(e))?;
        let mut hits: Vec<Hit> = found.iter().map(|p| Hit { id: number(&p.id), score: p.score }).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        hits.truncate(query.limit);
        Ok(hits)
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
        self.shard.optimize().map_err(|e| self.failed(e))?;
        self.flush()
    }
}

impl EdgeStore {
    fn point(&self, point: Point) -> Result<edge::PointStructPersisted, IndexError> {
        let sparse = edge::Vector::new_sparse(point.sparse.indices, point.sparse.values).map_err(|e| self.failed(e))?;
        let mut vectors = vec![(SPARSE, sparse)];
        if let Some(dense) = point.dense {
            vectors.push((DENSE, edge::Vector::new_dense(dense)));
        }
        let payload: &Payload = &point.payload;
        let payload = serde_json::to_value(payload).map_err(|e| self.failed(e))?;
        Ok(edge::PointStruct::new(point.id, edge::Vectors::new_named(vectors), payload).into())
    }
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
        for dim in [0, conformance::DIM] {
            let dir = tempfile::tempdir().unwrap();
            let store = EdgeStore::open(&dir.path().join("store"), dim).unwrap();
            conformance::all(&store, dim);
        }
    }

    #[test]
    fn a_creation_that_was_killed_does_not_stand_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        fs_err::create_dir_all(folder.with_extension("new").join("wal")).unwrap();
        let store = EdgeStore::open(&folder, 0).unwrap();
        store.upsert(vec![conformance::point(7, &[(1, 1.0)], None)]).unwrap();
        assert_eq!(store.count(None).unwrap(), 1);
    }

    #[test]
    fn what_was_acknowledged_is_there_after_reopening_without_a_flush() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("store");
        let store = EdgeStore::open(&folder, 0).unwrap();
        store.upsert(vec![conformance::point(7, &[(1, 1.0)], None)]).unwrap();
        // Forgotten, not dropped: no destructor flushes anything, as after `kill -9`.
        std::mem::forget(store);
        let copy = dir.path().join("copy");
        copy_folder(&folder, &copy);
        let again = EdgeStore::open(&copy, 0).unwrap();
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
