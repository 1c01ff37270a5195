//! The only place where [`Config`] becomes parts: the sector, its index, an encoder, a generator.
//!
//! Doors (command line, server, evaluation) hold an [`App`] and ask it; they build nothing themselves.

mod generator;
mod maintenance;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::answer::{self, Answer, AnswerError, Ask, Event, Prompted, Writer};
use crate::config::Config;
use crate::document::{Access, Document, Language, Passage};
use crate::embed::{EmbedError, Embedder, EncoderOptions, Reranker, StaticModel, TransformerEncoder, open_reranker};
use crate::error::{Classified, ErrorKind};
use crate::generate::{ExtractiveGenerator, GenerateError, Generator, Memory, PromptStyle};
use crate::index::{
    self, Catalog, EdgeOptions, Filter, Index, IndexError, Progress, QdrantOptions, Report, StorePlace, SyncOptions,
    VectorStore,
};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::model_store::{ModelError, ModelKind, ModelStore};
use crate::prompt;
use crate::retrieve::{self, Found, Glossary, Lexicon, Parts, Respelling, RetrieveError, SearchOptions, SetAside};
use crate::sector::{Bilingual, Sector, SectorError};
use generator::Spans;

pub use maintenance::{Maintenance, Rebuilt};

/// Everything one sector needs, ready to work.
pub struct App {
    config: Config,
    sector: Sector,
    glossary: Glossary,
    lexicon: Lexicon,
    index: Index,
    embedder: Option<Box<dyn Embedder>>,
    // Shared with the app that takes over from this one when the index gets another encoder.
    reranker: Option<Arc<dyn Reranker>>,
    generator: Arc<dyn Generator>,
    notes: Vec<Bilingual>,
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
    /// The models.
    #[error(transparent)]
    Model(#[from] ModelError),
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
            AppError::Model(e) => e.kind(),
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
        Self::assemble(config, Purpose::Answer)
    }

    /// Opens it to be filled; with `rebuild` the vector store is started anew.
    pub fn open_for_ingest(config: Config, rebuild: bool) -> Result<App, AppError> {
        Self::assemble(config, Purpose::Ingest { rebuild })
    }

    fn assemble(config: Config, purpose: Purpose) -> Result<App, AppError> {
        let sector = Sector::open(&config.sector, Path::new(&config.sectors_dir))?;
        let mut notes = Vec::new();
        let models = models(&config)?;
        let embedder = embedder(&config, &models)?;
        if let Some(encoder) = embedder.as_deref().filter(|e| config.encoder_sparse && !e.learns_weights()) {
            let id = encoder.id();
            notes.push(Bilingual {
                ko: format!("encoder_sparse를 쓸 수 없습니다: {id}의 폴더에 sparse_linear.pt나 sparse_linear.safetensors가 없습니다"),
                en: format!(
                    "encoder_sparse does not apply: {id} has no sparse head (sparse_linear.pt or sparse_linear.safetensors in its folder)"
                ),
            });
        }
        if let Some(encoder) = embedder.as_deref().filter(|e| config.encoder_late && !e.sees_neighbours()) {
            let id = encoder.id();
            notes.push(Bilingual {
                ko: format!("encoder_late를 쓸 수 없습니다: {id}의 벡터는 문맥 속 토큰의 평균이 아닙니다"),
                en: format!("encoder_late does not apply: the vectors of {id} are not means of tokens in context"),
            });
        }
        let (generator, rebuild) = match &purpose {
            Purpose::Answer => (generator::open(&config, &sector.name, &models, &mut notes)?, false),
            // Nothing is written while documents are read: a model would only take memory.
            Purpose::Ingest { rebuild } => (Box::new(ExtractiveGenerator) as Box<dyn Generator>, *rebuild),
        };
        if matches!(purpose, Purpose::Answer)
            && (config.search.wordings > 0 || config.search.hyde)
            && generator.prompt_style() != PromptStyle::Chat
        {
            let name = generator.name();
            notes.push(Bilingual {
                ko: format!("search.wordings와 search.hyde를 쓸 수 없습니다: {name}은(는) 글을 짓지 않습니다"),
                en: format!("search.wordings and search.hyde do not apply: {name} writes no text of its own"),
            });
        }
        let folder = index_folder(&config, &sector);
        let index = index::open(&folder, &store_place(&config, &sector), embedder.as_deref(), rebuild)?;
        let glossary = glossary(&config, &sector, &index.catalog)?;
        let reranker = match (&purpose, config.search.reranker.as_str()) {
            (Purpose::Ingest { .. }, _) | (Purpose::Answer, "none") => None,
            (Purpose::Answer, folder) => Some(Arc::from(open_reranker(Path::new(folder))?)),
        };
        Ok(App {
            glossary,
            lexicon: Lexicon::default(),
            index,
            embedder,
            reranker,
            generator: generator.into(),
            notes,
            sector,
            config,
        })
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
    pub fn notes(&self) -> &[Bilingual] {
        &self.notes
    }

    /// The encoder of the index, if it has one.
    pub fn embedder(&self) -> Option<&dyn Embedder> {
        self.embedder.as_deref()
    }

    /// What the local language model of `config` would take in memory, before it is loaded; `None` where
    /// another generator writes.
    pub fn memory(config: &Config) -> Result<Option<Memory>, AppError> {
        generator::memory(config)
    }

    /// What writes answers.
    pub fn generator_name(&self) -> &str {
        self.generator.name()
    }

    /// True when what writes answers can say how likely its words were.
    pub fn has_logprobs(&self) -> bool {
        self.generator.has_logprobs()
    }

    /// True when what writes answers can write JSON that follows a schema.
    pub fn follows_schemas(&self) -> bool {
        self.generator.follows_schemas()
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
        &*self.index.store
    }

    /// The folder of this sector's index.
    pub fn index_folder(&self) -> PathBuf {
        index_folder(&self.config, &self.sector)
    }

    /// A question with its typing errors mended by the words of the index (`search.spelling`), and what was changed.
    pub fn respell(&self, question: &str) -> Result<(String, Vec<Respelling>), RetrieveError> {
        retrieve::respell(&self.parts(), question)
    }

    /// The passages for a question, and what of it was left aside.
    pub fn search(&self, question: &str, options: &SearchOptions) -> Result<Found, RetrieveError> {
        retrieve::search_with(&self.parts(), question, &[], options)
    }

    /// What is said beside the passages found for `question`, as it was searched for, in its language: why there are
    /// none, where it is the filters of `options` that no passage passes, or a filter by year that leaves out documents
    /// without one; what of the question was left aside; else that none of the passages has a word of it.
    pub fn note_on_search(
        &self,
        question: &str,
        options: &SearchOptions,
        passages: &[Passage],
        set_aside: Option<&SetAside>,
    ) -> Result<Option<String>, RetrieveError> {
        let (language, parts) = (Language::detect(question), self.parts());
        if passages.is_empty() {
            return Ok(match retrieve::unmatched(&parts, options)? {
                Some(filters) => Some(filters.message(language)),
                None => retrieve::undated(&parts, options)?.map(|undated| undated.message(language)),
            });
        }
        if let Some(aside) = set_aside {
            return Ok(Some(aside.messages(language).join(" ")));
        }
        let has_no_word = retrieve::is_by_meaning_alone(&parts, question, passages)?;
        Ok(has_no_word.then(|| prompt::by_meaning_alone(language).to_owned()))
    }

    /// True where the index holds documents above this level, which a search at it does not look at.
    pub fn withholds(&self, access: Access) -> Result<bool, IndexError> {
        let all = Filter::default().sector(&self.sector.name);
        let seen = all.clone().access_up_to(access);
        Ok(self.store().count(Some(&all))? > self.store().count(Some(&seen))?)
    }

    /// A cited answer; blocks, and hands sentences to `on` as they are verified.
    pub fn answer(&self, ask: &Ask, on: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<Answer, AnswerError> {
        answer::answer(&self.parts(), &self.writer(), ask, on)
    }

    /// What the generator would be shown for a question, among the passages that `wanted` lets through.
    pub fn prompted(&self, ask: &Ask, wanted: &dyn Fn(&Passage) -> bool) -> Result<Prompted, AnswerError> {
        answer::prompted(&self.parts(), &self.writer(), ask, wanted)
    }

    /// What writes, for those who ask it for something else than answers.
    pub fn generator(&self) -> &dyn Generator {
        &*self.generator
    }

    /// Who writes answers, and what is let through, as [`App::answer`] has it.
    pub fn writer(&self) -> Writer<'_> {
        let settings = &self.config.answer;
        Writer {
            generator: &*self.generator,
            reader: settings.reader.then_some(&Spans),
            min_support: settings.min_support,
            quote_instead: settings.quote_instead,
            personal_data: settings.personal_data,
        }
    }

    /// Lets another generator write from now on; `name` as in [`Config::generator`].
    pub fn write_with(&mut self, name: &str) -> Result<(), AppError> {
        let config = Config { generator: name.to_owned(), ..self.config.clone() };
        let models = models(&config)?;
        self.generator = generator::open(&config, &self.sector.name, &models, &mut self.notes)?.into();
        self.config = config;
        Ok(())
    }

    /// A document with its extracted text.
    pub fn document(&self, id: &str) -> Result<Document, IndexError> {
        self.index.catalog.document(id)
    }

    /// Reads documents into the index; resumable, and idempotent. The abbreviations they explain are known to the next `App`.
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
            limits: Limits::new(settings.worker_memory_mb, settings.worker_cpu_s, settings.max_input_mb),
            program: request.program.clone(),
            prune: request.prune,
            cancel: request.cancel,
        };
        index::sync(&self.index.catalog, self.store(), self.embedder(), &options, progress)
    }

    /// What a search needs; the portfolio's functions take it as it is.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            catalog: &self.index.catalog,
            store: self.store(),
            embedder: self.embedder(),
            reranker: self.reranker.as_deref(),
            sector: &self.sector,
            glossary: &self.glossary,
            lexicon: &self.lexicon,
            settings: &self.config.search,
        }
    }
}

/// What an [`App`] is opened for.
enum Purpose {
    Answer,
    Ingest { rebuild: bool },
}

/// What the settings say of an encoder of a folder.
pub fn encoder_options(config: &Config) -> EncoderOptions {
    EncoderOptions {
        truncate_dim: Some(config.encoder_dim).filter(|dim| *dim > 0),
        int8: config.encoder_int8,
        threads: config.threads,
        sparse: config.encoder_sparse,
        late: config.encoder_late,
        ..EncoderOptions::default()
    }
}

fn models(config: &Config) -> Result<ModelStore, AppError> {
    Ok(ModelStore::open(&config.models_dir(), config.is_offline())?)
}

/// The encoder that `config.encoder` names; `auto` is the first that is present, else the one inside the program.
fn embedder(config: &Config, models: &ModelStore) -> Result<Option<Box<dyn Embedder>>, AppError> {
    let options = encoder_options(config);
    let open = |folder: &Path| -> Result<Option<Box<dyn Embedder>>, AppError> {
        Ok(Some(Box::new(TransformerEncoder::open_with(folder, &options)?)))
    };
    match config.encoder.as_str() {
        "none" => Ok(None),
        "embedded" => Ok(Some(Box::new(StaticModel::embedded()?))),
        "auto" => match models.present(ModelKind::Encoder) {
            Some(folder) => open(&folder),
            None => Ok(Some(Box::new(StaticModel::embedded()?))),
        },
        name => open(&models.resolve(name, ModelKind::Encoder)?),
    }
}

/// The sector's glossary, with the abbreviations that the documents of the index explain (`search.acronyms`).
fn glossary(config: &Config, sector: &Sector, catalog: &Catalog) -> Result<Glossary, IndexError> {
    let mined = if config.search.acronyms { catalog.same_things()? } else { Vec::new() };
    Ok(Glossary::of_index(&sector.glossary, &mined))
}

fn store_place(config: &Config, sector: &Sector) -> StorePlace {
    let store = &config.store;
    if store.url.is_empty() {
        return StorePlace::Embedded(EdgeOptions { quantized: store.quantized, ..EdgeOptions::default() });
    }
    let collection = match store.collection.as_str() {
        "" => format!("sectora-{}", sector.name),
        name => name.to_owned(),
    };
    let api_key = Some(store.api_key.clone()).filter(|key| !key.is_empty());
    StorePlace::Server(QdrantOptions { url: store.url.clone(), api_key, collection, quantized: store.quantized })
}

fn index_folder(config: &Config, sector: &Sector) -> PathBuf {
    config.data_dir().join("sectors").join(&sector.name)
}
