//! Where chunks live: the [`VectorStore`] seam, the catalogue of documents, and the resumable pipeline that keeps them the same.
//!
//! The **catalogue** (SQLite) is the truth: which sources were read, their extracted text, their chunks.
//! The **store** (qdrant-edge, or a Qdrant server) is derived from it and can be rebuilt at any time.
//! Knows nothing of questions, answers or HTTP.

mod catalog;
#[cfg(test)]
mod conformance;
mod edge;
mod filter;
mod lock;
mod qdrant;
#[cfg(test)]
mod qdrant_standin;
mod sync;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use catalog::{Catalog, Stats};
pub use edge::EdgeStore;
pub use filter::{Condition, Filter};
pub use lock::Lock;
pub use qdrant::{QdrantOptions, QdrantStore};
pub use sync::{Phase, Progress, Report, ReportRow, Status, SyncOptions, indexed_text, sync};

use crate::embed::Embedder;
use crate::error::{Classified, ErrorKind};
use crate::text::ANALYSER;
use crate::text::bm25::SparseVector;

/// Layout of catalogue and store; another one is refused.
const LAYOUT: u32 = 2;

/// Name of the dense vector in every store.
pub const DENSE: &str = "dense";
/// Name of the sparse vector in every store.
pub const SPARSE: &str = "sparse";

/// One chunk as a store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// [`crate::document::Chunk::id`].
    pub id: u64,
    /// Unit-length vector; `None` where the index has no encoder.
    pub dense: Option<Vec<f32>>,
    /// BM25 document vector (without IDF, which the store applies).
    pub sparse: SparseVector,
    /// What can be filtered on.
    pub payload: Payload,
}

/// The filterable facts of a chunk. The text is not here: it is in the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// Sector name.
    pub sector: String,
    /// Document id.
    pub doc_id: String,
    /// Institution, normalised by trimming only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// Year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i64>,
    /// Document type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_type: Option<String>,
    /// `ko`, `en`, `other`.
    pub language: String,
    /// `public`, `internal`, `restricted`.
    pub access: String,
}

/// Which vectors a query uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Cosine over the dense vectors.
    Dense(Vec<f32>),
    /// BM25.
    Sparse(SparseVector),
    /// Both, fused by reciprocal rank (Cormack 2009), weighted as Qdrant does:
    /// `sum(1 / (k - 1 + rank / weight))`, ranks from 1.
    Hybrid {
        /// Query vector.
        dense: Vec<f32>,
        /// Query terms.
        sparse: SparseVector,
        /// RRF constant.
        k: u32,
        /// Weights of dense and sparse.
        weights: [f32; 2],
        /// Candidates taken from each side before fusion.
        prefetch: usize,
    },
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Vectors and fusion.
    pub mode: Mode,
    /// Only points that satisfy this.
    pub filter: Option<Filter>,
    /// At most this many hits.
    pub limit: usize,
    /// Compare with every vector instead of walking the graph.
    pub exact: bool,
}

/// A found point; hits come best first, equal scores by ascending id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Point id.
    pub id: u64,
    /// BM25, cosine or fused score.
    pub score: f32,
}

/// A place that keeps points and finds them.
pub trait VectorStore: Send + Sync {
    /// Inserts or replaces; acknowledged means it survives `kill -9`.
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError>;
    /// Removes by id; unknown ids are ignored.
    fn delete(&self, ids: &[u64]) -> Result<(), IndexError>;
    /// Finds.
    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError>;
    /// Counts exactly.
    fn count(&self, filter: Option<&Filter>) -> Result<u64, IndexError>;
    /// Ids in ascending order after `after`, at most `limit`.
    fn ids(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, IndexError>;
    /// Values of a payload key with their counts, most frequent first.
    fn facet(&self, key: &str, filter: Option<&Filter>) -> Result<Vec<(String, u64)>, IndexError>;
    /// Writes everything to disk.
    fn flush(&self) -> Result<(), IndexError>;
    /// [`Self::flush`], and optimises segments where that is ours to do.
    fn maintain(&self) -> Result<(), IndexError>;
}

/// What every index records about how it was made, and refuses to mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Layout version of catalogue and store.
    pub layout: u32,
    /// [`crate::text::ANALYSER`].
    pub analyser: String,
    /// [`crate::embed::Embedder::id`], `None` for a sparse-only index.
    pub encoder: Option<String>,
    /// Dense dimension, 0 without an encoder.
    pub dim: usize,
    /// Where the vectors are: `embedded`, or the address of a collection.
    #[serde(default = "embedded")]
    pub store: String,
}

fn embedded() -> String {
    "embedded".to_owned()
}

/// Where the vectors are kept.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// In a shard beside the catalogue.
    Embedded,
    /// In a collection of a Qdrant server.
    Server(QdrantOptions),
}

/// An index ready to use. One process at a time holds it: the shard is not made for two.
pub struct Index {
    /// Documents and chunks.
    pub catalog: Catalog,
    /// Vectors.
    pub store: Box<dyn VectorStore>,
    _lock: Lock,
}

/// Opens the index in `folder`, creating it if need be, and checks that it was made as it will be used.
/// With `rebuild` the store is started anew, to be filled from the catalogue by [`sync`].
pub fn open(
    folder: &Path,
    place: &StorePlace,
    embedder: Option<&dyn Embedder>,
    rebuild: bool,
) -> Result<Index, IndexError> {
    fs_err::create_dir_all(folder)?;
    let lock = Lock::take(folder)?;
    let catalog = Catalog::open(&folder.join("catalog.sqlite3"))?;
    let asked = Fingerprint {
        layout: LAYOUT,
        analyser: ANALYSER.to_owned(),
        encoder: embedder.map(|e| e.id().to_owned()),
        dim: embedder.map_or(0, Embedder::dim),
        store: match place {
            StorePlace::Embedded => embedded(),
            StorePlace::Server(options) => format!("{options}"),
        },
    };
    match catalog.fingerprint()? {
        Some(found) if found != asked && !rebuild => {
            let path = folder.display().to_string();
            return Err(IndexError::Fingerprint { path, found: found.to_string(), asked: asked.to_string() });
        }
        Some(_) if !rebuild => {}
        known => {
            // In this order an interruption is repaired by the next rebuild.
            catalog.mark_all_pending()?;
            clear_store(&folder.join("vectors"), place, known.is_none() && !rebuild)?;
            catalog.set_fingerprint(&asked)?;
        }
    }
    let store = open_store(&catalog, &folder.join("vectors"), place, asked.dim)?;
    Ok(Index { catalog, store, _lock: lock })
}

/// Empties the store. A collection that this catalogue never wrote is not ours to empty unless somebody said `--rebuild`.
fn clear_store(vectors: &Path, place: &StorePlace, never_ours: bool) -> Result<(), IndexError> {
    match place {
        StorePlace::Embedded if vectors.exists() => fs_err::remove_dir_all(vectors)?,
        StorePlace::Embedded => {}
        StorePlace::Server(options) if never_ours => QdrantStore::refuse_foreign(options)?,
        StorePlace::Server(options) => QdrantStore::remove(options.clone())?,
    }
    Ok(())
}

/// Opens the store. One that has vanished is made again, and the catalogue fills it.
fn open_store(
    catalog: &Catalog,
    vectors: &Path,
    place: &StorePlace,
    dim: usize,
) -> Result<Box<dyn VectorStore>, IndexError> {
    let (store, new): (Box<dyn VectorStore>, bool) = match place {
        StorePlace::Embedded => {
            let new = !vectors.exists();
            (Box::new(EdgeStore::open(vectors, dim)?), new)
        }
        StorePlace::Server(options) => {
            let (store, new) = QdrantStore::open(options.clone(), dim)?;
            (Box::new(store), new)
        }
    };
    if new {
        catalog.mark_all_pending()?;
    }
    Ok(store)
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encoder = self.encoder.as_deref().unwrap_or("none");
        let Fingerprint { analyser, dim, layout, store, .. } = self;
        write!(f, "analyser {analyser}, encoder {encoder}, {dim} dimensions, layout {layout}, {store} vectors")
    }
}

/// What can go wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A file cannot be read or written.
    #[error("index file: {0}")]
    Io(#[from] std::io::Error),
    /// The catalogue refused.
    #[error("catalogue {path}: {source}")]
    Catalog {
        /// The database file.
        path: String,
        /// Cause.
        source: rusqlite::Error,
    },
    /// The store refused.
    #[error("vector store at {path}: {what}")]
    Store {
        /// Folder or address.
        path: String,
        /// Cause.
        what: String,
    },
    /// The index was made differently.
    #[error(
        "the index at {path} was made with {found} and cannot be used with {asked}. Use the same settings, another --data-dir, or rebuild it with `sectora ingest --rebuild`"
    )]
    Fingerprint {
        /// Folder.
        path: String,
        /// What the index records.
        found: String,
        /// What was asked.
        asked: String,
    },
    /// Somebody else writes.
    #[error(
        "the index in {path} is in use by another sectora process ({holder}); stop it, ask it over HTTP, or use another --data-dir"
    )]
    Locked {
        /// Folder.
        path: String,
        /// Process id and command, where known.
        holder: String,
    },
    /// A document that is not there.
    #[error("no document `{0}` in this index; citations and `sectora search --json` name documents by `doc_id`")]
    NoDocument(String),
    /// Encoding the chunks failed.
    #[error(transparent)]
    Embed(#[from] crate::embed::EmbedError),
    /// Ctrl-C.
    #[error("interrupted; run the same command again and it goes on from here")]
    Interrupted,
}

impl Classified for IndexError {
    fn kind(&self) -> ErrorKind {
        match self {
            IndexError::Io(_) | IndexError::Catalog { .. } | IndexError::Store { .. } => ErrorKind::Internal,
            IndexError::Fingerprint { .. } | IndexError::Locked { .. } => ErrorKind::Conflict,
            IndexError::NoDocument(_) => ErrorKind::NotFound,
            IndexError::Embed(e) => e.kind(),
            IndexError::Interrupted => ErrorKind::Cancelled,
        }
    }
}
