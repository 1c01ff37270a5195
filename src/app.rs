//! The only place where [`Config`] becomes parts: the sector, its index, an encoder, a generator.
//!
//! Doors (command line, server, evaluation) hold an [`App`] and ask it; they build nothing themselves.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::answer::{self, Answer, AnswerError, Ask, Event, Writer};
use crate::config::Config;
use crate::document::{Document, Passage};
use crate::embed::{EmbedError, Embedder};
use crate::error::{Classified, ErrorKind};
use crate::generate::{ExtractiveGenerator, GenerateError, Generator};
use crate::index::{self, Catalog, Index, IndexError, Progress, Report, SyncOptions, VectorStore};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::retrieve::{self, Glossary, Parts, RetrieveError, SearchOptions};
use crate::sector::{Sector, SectorError};

/// Everything one sector needs, ready to work.
pub struct App {
    config: Config,
    sector: Sector,
    glossary: Glossary,
    index: Index,
    embedder: Option<Box<dyn Embedder>>,
    generator: Box<dyn Generator>,
    notes: Vec<String>,
}

/// What can go wrong while the parts are put together.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The sector pack.
    #[error(transparent)]
    Sector(#[from] SectorError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The encoder.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The generator.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Settings that do not go together.
    #[error("{0}")]
    Settings(String),
}

impl Classified for AppError {
    fn kind(&self) -> ErrorKind {
        match self {
            AppError::Sector(e) => e.kind(),
            AppError::Index(e) => e.kind(),
            AppError::Embed(e) => e.kind(),
            AppError::Generate(e) => e.kind(),
            AppError::Settings(_) => ErrorKind::BadInput,
        }
    }
}

/// What to read into the index.
pub struct IngestRequest<'a> {
    /// Files and folders; empty: the sector's own documents.
    pub roots: Vec<PathBuf>,
    /// Field mapping that replaces the sector's.
    pub mapping: Option<RecordMapping>,
    /// Remove documents whose source has gone.
    pub prune: bool,
    /// The program that parses files (started as a worker).
    pub program: PathBuf,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

impl App {
    /// Opens what `config` describes.
    pub fn open(config: Config) -> Result<App, AppError> {
        Self::assemble(config, false)
    }

    /// Opens it to be filled; with `rebuild` the vector store is started anew.
    pub fn open_for_ingest(config: Config, rebuild: bool) -> Result<App, AppError> {
        Self::assemble(config, rebuild)
    }

    fn assemble(config: Config, rebuild: bool) -> Result<App, AppError> {
        let sector = Sector::open(&config.sector, Path::new(&config.sectors_dir))?;
        let mut notes = Vec::new();
        let embedder: Option<Box<dyn Embedder>> = None;
        let generator: Box<dyn Generator> = Box::new(ExtractiveGenerator);
        notes.push("no encoder at hand: search is by words only".into());
        let folder = index_folder(&config, &sector);
        let index = index::open(&folder, embedder.as_deref(), rebuild)?;
        let glossary = Glossary::new(&sector.glossary);
        Ok(App { glossary, index, embedder, generator, notes, sector, config })
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sector.
    pub fn sector(&self) -> &Sector {
        &self.sector
    }

    /// Remarks a person should see once: what was not found and what is used in its place.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The encoder of the index, if it has one.
    pub fn embedder(&self) -> Option<&dyn Embedder> {
        self.embedder.as_deref()
    }

    /// What writes answers.
    pub fn generator_name(&self) -> &str {
        self.generator.name()
    }

    /// Names an OpenAI client may ask for; the first is the default.
    pub fn model_names(&self) -> Vec<String> {
        vec![format!("sectora-{}", self.sector.name)]
    }

    /// Documents and chunks.
    pub fn catalog(&self) -> &Catalog {
        &self.index.catalog
    }

    /// Vectors.
    pub fn store(&self) -> &dyn VectorStore {
        &self.index.store
    }

    /// The folder of this sector's index.
    pub fn index_folder(&self) -> PathBuf {
        index_folder(&self.config, &self.sector)
    }

    /// The passages for a question.
    pub fn search(&self, question: &str, options: &SearchOptions) -> Result<Vec<Passage>, RetrieveError> {
        retrieve::search(&self.parts(), question, options)
    }

    /// A cited answer; blocks, and hands sentences to `on` as they are verified.
    pub fn answer(&self, ask: &Ask, on: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<Answer, AnswerError> {
        let writer = Writer { generator: &*self.generator, min_support: self.config.answer.min_support };
        answer::answer(&self.parts(), &writer, ask, on)
    }

    /// A document with its extracted text.
    pub fn document(&self, id: &str) -> Result<Document, IndexError> {
        self.index.catalog.document(id)
    }

    /// Reads documents into the index; resumable, and idempotent.
    pub fn ingest(
        &self,
        request: &IngestRequest<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, IndexError> {
        let settings = &self.config.ingest;
        let roots = if request.roots.is_empty() { self.sector.document_roots() } else { request.roots.clone() };
        let options = SyncOptions {
            sector: self.sector.name.clone(),
            roots,
            mapping: request.mapping.clone().unwrap_or_else(|| self.sector.records.clone()),
            stated: &|path| self.sector.stated(path),
            chunks: ChunkOptions { max_tokens: settings.chunk_max_tokens, min_tokens: settings.chunk_min_tokens },
            bm25: self.sector.bm25,
            limits: Limits {
                memory: settings.worker_memory_mb << 20,
                cpu: Duration::from_secs(settings.worker_cpu_s),
                wall: Duration::from_secs(settings.worker_cpu_s.saturating_mul(3) / 2),
                input: settings.max_input_mb << 20,
                ..Limits::default()
            },
            program: request.program.clone(),
            prune: request.prune,
            cancel: request.cancel,
        };
        index::sync(&self.index.catalog, &self.index.store, self.embedder(), &options, progress)
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            catalog: &self.index.catalog,
            store: &self.index.store,
            embedder: self.embedder(),
            sector: &self.sector,
            glossary: &self.glossary,
            settings: &self.config.search,
        }
    }
}

fn index_folder(config: &Config, sector: &Sector) -> PathBuf {
    config.data_dir().join("sectors").join(&sector.name)
}
