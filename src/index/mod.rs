//! Where chunks live: the [`VectorStore`] seam, the catalogue of documents, and the resumable pipeline that keeps them the same.
//!
//! The **catalogue** (SQLite) is the truth: which sources were read, their extracted text, their chunks.
//! The **store** (qdrant-edge, or a Qdrant server) is derived from it and can be rebuilt at any time.
//! Knows nothing of questions, answers or HTTP.

mod answering;
mod archive;
mod catalog;
#[cfg(test)]
mod conformance;
mod counts;
mod edge;
mod fill;
mod filter;
mod generation;
mod institutions;
mod lock;
mod qdrant;
#[cfg(test)]
mod qdrant_standin;
mod reembed;
mod sha256;
mod space;
mod sync;
mod terms;
mod vocabulary;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use answering::Answering;
pub use archive::{Archived, BackupOptions, Manifest, Restored, backup, restore};
pub use catalog::Catalog;
pub use counts::Stats;
pub use edge::{EdgeOptions, EdgeStore};
pub use fill::{FillOptions, fill, indexed_text};
pub use filter::{Condition, Filter};
pub use generation::sweep;
pub use institutions::institutions;
pub use lock::Lock;
pub use qdrant::{QdrantOptions, QdrantStore};
pub use reembed::{Next, Ready};
pub use sync::{Phase, Progress, Report, ReportRow, Status, SyncOptions, WORKERS, sync};
pub use vocabulary::vocabulary_form;

use crate::embed::Embedder;
use crate::error::{Classified, ErrorKind};
use crate::ingest::ReadError;
use crate::text::ANALYSER;
use crate::text::bm25::SparseVector;

/// Layout of catalogue and store; another one is refused, an older one can be migrated ([`Next`]).
const LAYOUT: u32 = 2;

/// The catalogue's file in an index folder.
const CATALOG: &str = "catalog.sqlite3";

/// Name of the dense vector in every store.
pub const DENSE: &str = "dense";
/// Name of the sparse vector in every store.
pub const SPARSE: &str = "sparse";
/// Name of the sparse vector of an encoder that weighs tokens, in the stores of such encoders.
pub const LEARNED: &str = "learned";

/// Which vectors a store keeps beside those of the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vectors {
    /// Length of the dense ones, 0 for none.
    pub dim: usize,
    /// Whether there are learned sparse ones.
    pub learned: bool,
}

impl Vectors {
    /// What an encoder gives.
    pub fn of(embedder: Option<&dyn Embedder>) -> Vectors {
        embedder.map_or_else(Vectors::default, |e| Vectors { dim: e.dim(), learned: e.learns_weights() })
    }

    /// Dense ones alone.
    pub fn dense(dim: usize) -> Vectors {
        Vectors { dim, learned: false }
    }
}

/// One chunk as a store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// [`crate::document::Chunk::id`].
    pub id: u64,
    /// Unit-length vector; `None` where the index has no encoder.
    pub dense: Option<Vec<f32>>,
    /// BM25 document vector (without IDF, which the store applies).
    pub sparse: SparseVector,
    /// What the encoder's sparse head weighs its tokens ([`crate::embed::Encoded::learned`]), compared as it is.
    pub learned: Option<SparseVector>,
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
    /// Inner product of learned weights; only of a store that has them.
    Learned(SparseVector),
    /// All of them, fused by reciprocal rank (Cormack 2009), weighted as Qdrant does:
    /// `sum(1 / (k - 1 + rank / weight))`, ranks from 1.
    Hybrid {
        /// Query vector.
        dense: Vec<f32>,
        /// Query terms.
        sparse: SparseVector,
        /// Learned weights of the question's tokens; only for a store that has them.
        learned: Option<SparseVector>,
        /// RRF constant.
        k: u32,
        /// Weights of dense, sparse and learned.
        weights: [f32; 3],
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

/// The `limit` best, best first; ties by id.
pub fn best_first(hits: impl Iterator<Item = Hit>, limit: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = hits.collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    hits.truncate(limit);
    hits
}

/// A place that keeps points and finds them.
pub trait VectorStore: Send + Sync {
    /// Inserts or replaces; acknowledged means it survives `kill -9`.
    fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError>;
    /// Removes by id; unknown ids are ignored.
    fn delete(&self, ids: &[u64]) -> Result<(), IndexError>;
    /// Finds.
    fn query(&self, query: &Query) -> Result<Vec<Hit>, IndexError>;
    /// The same for several searches, in their order; a server answers all in one request.
    fn query_batch(&self, queries: &[Query]) -> Result<Vec<Vec<Hit>>, IndexError> {
        queries.iter().map(|query| self.query(query)).collect()
    }
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
    /// Whether its encoder weighs tokens too. (Left out where it does not, so that older indexes stay as they are.)
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learned: bool,
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
    Embedded(EdgeOptions),
    /// In a collection of a Qdrant server.
    Server(QdrantOptions),
}

impl Fingerprint {
    /// What the store of such an index keeps.
    fn vectors(&self) -> Vectors {
        Vectors { dim: self.dim, learned: self.learned }
    }

    /// Whether an index that is made now would record the same.
    pub fn is_now(&self, place: &StorePlace, embedder: Option<&dyn Embedder>) -> bool {
        *self == Fingerprint::now(place, embedder)
    }

    /// What an index that is made now records.
    fn now(place: &StorePlace, embedder: Option<&dyn Embedder>) -> Fingerprint {
        let Vectors { dim, learned } = Vectors::of(embedder);
        Fingerprint {
            layout: LAYOUT,
            analyser: ANALYSER.to_owned(),
            encoder: embedder.map(|e| e.id().to_owned()),
            dim,
            learned,
            store: match place {
                StorePlace::Embedded(_) => embedded(),
                StorePlace::Server(options) => format!("{options}"),
            },
        }
    }
}

/// An index ready to use. One process at a time holds it: the shard is not made for two.
pub struct Index {
    /// Documents and chunks.
    pub catalog: Catalog,
    /// Vectors.
    pub store: Box<dyn VectorStore>,
    lock: Arc<Lock>,
}

/// Opens the index in `folder`, creating it if need be, and checks that it was made as it will be used.
/// With `rebuild` the store is started anew, to be filled from the catalogue by [`sync()`].
pub fn open(
    folder: &Path,
    place: &StorePlace,
    embedder: Option<&dyn Embedder>,
    rebuild: bool,
) -> Result<Index, IndexError> {
    fs_err::create_dir_all(folder)?;
    let lock = Arc::new(Lock::take(folder)?);
    let catalog = Catalog::open(&folder.join(CATALOG))?;
    generation::sweep(folder, place, &catalog)?;
    let asked = Fingerprint::now(place, embedder);
    match catalog.fingerprint()? {
        Some(found) if found != asked && !rebuild => return Err(mismatch(folder, &found, &asked)),
        Some(_) if !rebuild => {}
        known => {
            // In this order an interruption is repaired by the next rebuild.
            catalog.mark_all_pending()?;
            let never_ours = known.is_none() && !rebuild;
            generation::clear(folder, place, &catalog.generation()?, never_ours)?;
            catalog.set_fingerprint(&asked)?;
        }
    }
    // One that has vanished is made again, and the catalogue fills it.
    if !generation::exists(folder, place, &catalog.generation()?)? {
        catalog.mark_all_pending()?;
    }
    let store = generation::open(folder, place, &catalog.generation()?, asked.vectors())?;
    Ok(Index { catalog, store, lock })
}

impl Index {
    /// Takes over the store that was built beside this one's ([`Next`]): what it lacks is added, then the catalogue names
    /// it. This index goes on answering from the old store until it is dropped; [`sweep`] then removes that.
    pub fn successor(
        &self,
        folder: &Path,
        place: &StorePlace,
        embedder: Option<&dyn Embedder>,
        options: FillOptions<'_>,
    ) -> Result<Index, IndexError> {
        let catalog = Catalog::open(&folder.join(CATALOG))?;
        if let Some(next) = Next::begin(folder, place, embedder, "", &catalog)? {
            next.build(&catalog, embedder, options, &mut |_| ())?;
            next.switch(&catalog)?;
        }
        let store = generation::open(folder, place, &catalog.generation()?, Vectors::of(embedder))?;
        Ok(Index { catalog, store, lock: Arc::clone(&self.lock) })
    }
}

/// Holds the index in `folder` without opening it; an error names who else does.
pub fn hold(folder: &Path) -> Result<Lock, IndexError> {
    Lock::take(folder)
}

fn mismatch(folder: &Path, found: &Fingerprint, asked: &Fingerprint) -> IndexError {
    let path = folder.display().to_string();
    IndexError::Fingerprint { path, found: found.to_string(), asked: asked.to_string() }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encoder = self.encoder.as_deref().unwrap_or("none");
        let Fingerprint { analyser, dim, layout, store, learned, .. } = self;
        let learned = if *learned { " and learned weights" } else { "" };
        write!(f, "analyser {analyser}, encoder {encoder}, {dim} dimensions{learned}, layout {layout}, {store} vectors")
    }
}

/// What can go wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A file cannot be read or written.
    #[error("index file: {0}")]
    Io(#[from] std::io::Error),
    /// The catalogue refused.
    #[error("catalogue {path}: {source}{}", if_full(source))]
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
    /// The disk has too little room for what is about to be written.
    #[error(
        "{} MB are free on the disk of {path}, and {} MB are needed: the vector store lays out its files beforehand. Make room, or use \
         another --data-dir, and run the command again; nothing is lost",
        free >> 20,
        bytes >> 20
    )]
    NoRoom {
        /// Folder.
        path: String,
        /// Bytes there are.
        free: u64,
        /// Bytes asked for.
        bytes: u64,
    },
    /// The index was made differently.
    #[error(
        "the index at {path} was made with {found} and cannot be used with {asked}. Use the same settings or another --data-dir; or build its vectors anew from the stored texts: \
         `sectora index reembed` for another encoder, `sectora index migrate` for an older analyser or layout"
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
    /// Nothing was ever read into it.
    #[error("there is no index in {0}; `sectora ingest` makes one")]
    NoIndex(String),
    /// An archive, or where it goes.
    #[error("{file}: {what}")]
    Archive {
        /// The archive, or what is in its way.
        file: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A file that the mapping given for it does not fit.
    #[error("{path}: {source}. Correct `--map`, or leave the file out; what the index has of it is as before")]
    Mapping {
        /// The file.
        path: String,
        /// What it lacks.
        source: ReadError,
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

/// On a full disk SQLite speaks of input and output.
fn if_full(source: &rusqlite::Error) -> &'static str {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::DiskFull) => {
            ". If the disk of that folder is full, make room and run the command again; nothing is lost"
        }
        _ => "",
    }
}

impl Classified for IndexError {
    fn kind(&self) -> ErrorKind {
        match self {
            IndexError::Io(_) | IndexError::Catalog { .. } | IndexError::Store { .. } => ErrorKind::Internal,
            IndexError::Fingerprint { .. } | IndexError::Locked { .. } => ErrorKind::Conflict,
            IndexError::NoDocument(_) | IndexError::NoIndex(_) => ErrorKind::NotFound,
            IndexError::Archive { .. } | IndexError::Mapping { .. } => ErrorKind::BadInput,
            IndexError::NoRoom { .. } => ErrorKind::Unavailable,
            IndexError::Embed(e) => e.kind(),
            IndexError::Interrupted => ErrorKind::Cancelled,
        }
    }

    fn for_client(&self) -> String {
        match self {
            IndexError::NoIndex(_) => {
                "there is no index; whoever runs this server must read documents into it".to_owned()
            }
            IndexError::Fingerprint { found, asked, .. } => {
                format!(
                    "the index was made with {found} and cannot be used with {asked}; whoever runs this server must make it anew"
                )
            }
            IndexError::Locked { .. } => "the index is in use by another process of the server's machine".to_owned(),
            IndexError::NoDocument(id) => {
                format!("no document `{id}` in this index; citations and /v1/search name documents by `doc_id`")
            }
            IndexError::NoRoom { .. } => "the disk of the server is full".to_owned(),
            IndexError::Io(_)
            | IndexError::Catalog { .. }
            | IndexError::Store { .. }
            | IndexError::Archive { .. }
            | IndexError::Mapping { .. }
            | IndexError::Embed(_)
            | IndexError::Interrupted => self.to_string(),
        }
    }
}
