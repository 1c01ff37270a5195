//! Every setting, and where its value came from: defaults < `sectora.toml` < `SECTORA_*` environment < flags.
//!
//! Nested keys are written `server.port` in a file's `[server]` table and `SECTORA_SERVER__PORT` in the environment.
//! This is the only module that reads the environment; past [`crate::app`] nobody does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Source, Value};
use serde::{Deserialize, Serialize};

use crate::document::Language;
use crate::error::{Classified, ErrorKind};

/// The defaults, which are also the list of all keys.
const DEFAULTS: &str = include_str!("config.defaults.toml");

/// `SECTORA_*` variables that are not settings: the tests' own.
const NOT_SETTINGS: [&str; 3] = ["SECTORA_TEST_", "SECTORA_SHARED_DATA", "SECTORA_KILLS"];

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where indexes, models and state are kept; empty: the platform's data folder.
    pub data_dir: String,
    /// Where language models, encoders and adapted models are kept; empty: `models` in the data folder.
    pub models_dir: String,
    /// Sector name, or a folder with a `sector.toml`.
    pub sector: String,
    /// Folder in which sectors are looked for by name.
    pub sectors_dir: String,
    /// Never open a network connection, except to addresses the user configured.
    pub offline: bool,
    /// `auto`, `extractive`, `span`, `embedded`, `adapted`, `remote`, a model card's name, or a path to a GGUF file or a Hugging
    /// Face folder.
    pub generator: String,
    /// Whether `embedded` takes the reader adapted to the sector where there is one (`sectora adapt`).
    pub adapted: bool,
    /// `auto`, `none`, a model card's name, or a folder.
    pub encoder: String,
    /// Compute an encoder of a folder with eight-bit weights: faster, and its vectors change by about 1 %.
    pub encoder_int8: bool,
    /// Keep so many dimensions of its vectors (models trained as Matryoshka dolls); 0: as many as the folder says, else all.
    pub encoder_dim: usize,
    /// Use the sparse head of an encoder that has one (bge-m3: `sparse_linear.pt`): its weights of tokens are searched
    /// beside words and vectors. An index is made with it or without.
    pub encoder_sparse: bool,
    /// Late chunking: the chunks of a document are encoded in sight of each other, as many at once as the encoder reads, where its
    /// vectors are means of tokens. An index is made with it or without.
    pub encoder_late: bool,
    /// Threads for computing; 0: as many as there are processors.
    pub threads: usize,
    /// How a local model keeps keys and values on a CPU: `f16`, `f32` (exact, twice the memory) or `q8` (nine
    /// sixteenths of it, less exact).
    pub kv: Kv,
    /// Matrices of floats of a local model (F32, F16, BF16) are quantized to Q8_0 when they are read.
    pub quantize: bool,
    /// MiB in which a local model on a CPU keeps keys and values of passages, to use them again wherever a passage stands
    /// in a prompt; 0: passages are read anew unless a prompt begins alike. Costs answers (ARCHITECTURE.md).
    pub passage_kv_mb: usize,
    /// Of each passage so used, the share at its beginning that is read again in its place, 0 to 1.
    pub passage_kv_reread: f32,
    /// Reading documents.
    pub ingest: Ingest,
    /// Where vectors are kept.
    pub store: Store,
    /// Finding passages.
    pub search: Search,
    /// Writing answers.
    pub answer: Answer,
    /// An OpenAI-compatible engine.
    pub remote: Remote,
    /// The HTTP server.
    pub server: Server,
}

/// See [`Config::kv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kv {
    /// 16 bits a number.
    F16,
    /// 32 bits a number.
    F32,
    /// Eight bits a number and a scale for each 32.
    Q8,
}

/// Reading documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Largest source file, MiB.
    pub max_input_mb: u64,
    /// Address space of a worker, MiB.
    pub worker_memory_mb: u64,
    /// CPU time of a worker, seconds.
    pub worker_cpu_s: u64,
    /// Largest chunk, tokens.
    pub chunk_max_tokens: usize,
    /// A chunk is filled at least this far where the structure allows, tokens.
    pub chunk_min_tokens: usize,
}

/// Where vectors are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Address of a Qdrant server's REST interface; empty: a shard of our own in the data folder.
    pub url: String,
    /// Its `api-key`; never printed.
    pub api_key: String,
    /// Collection; empty: `sectora-<sector>`.
    pub collection: String,
    /// Search int8 copies of the vectors, held in memory, and compare the best hits again with the vectors on disk: for some
    /// hundred thousand chunks and more. A collection of a server gets them when it is made.
    pub quantized: bool,
}

/// Finding passages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Passages given to the generator.
    pub passages: usize,
    /// Candidates from each of the dense and the sparse side.
    pub prefetch: usize,
    /// Constant of reciprocal rank fusion.
    pub rrf_k: u32,
    /// Weight of the dense side in the fusion, times the encoder's own (`Embedder::score_weight`).
    pub dense_weight: f32,
    /// Weight of the sparse side in the fusion.
    pub sparse_weight: f32,
    /// Weight of an encoder's learned sparse side in the fusion (`encoder_sparse`).
    pub learned_weight: f32,
    /// Weight of glossary terms added to a question, relative to its own (0 switches them off).
    pub glossary_weight: f32,
    /// Whether a question that asks for documents ("projects since 2021", "KIST가 수행한 과제") is taken at its word: years and
    /// institutions in it become filters, unless filters were given or nothing would be left.
    pub filters: bool,
    /// Whether a word of the question that no document has is replaced by a near one that documents have. The answer says so.
    pub spelling: bool,
    /// Whether names that the documents put side by side ("redox flow battery (RFB)", "전고체전지(ASSB)") join the glossary.
    pub acronyms: bool,
    /// Whether texts in the other language are also searched by the words of the index that translate the question's.
    pub across_words: bool,
    /// A passage that shares this much of its terms with a better one is left out; 1 keeps all.
    pub near_duplicate: f32,
    /// Other wordings of a question that the language model writes and that are searched beside it.
    pub wordings: usize,
    /// Whether it also writes a passage that might answer, to search with (HyDE).
    pub hyde: bool,
    /// What relevance counts beside novelty when passages are chosen (maximal marginal relevance): 1 keeps the order of the search.
    pub mmr: f32,
    /// What is shown of a found chunk: `none` more than itself, its `neighbours`, or its `section`.
    pub expand: Expand,
    /// At most so many tokens of them.
    pub expand_tokens: usize,
    /// `none`, or the folder of a cross-encoder that orders the best passages anew.
    pub reranker: String,
    /// How many passages it is given.
    pub rerank_candidates: usize,
    /// Milliseconds a question it may take; passages not reached keep their order behind.
    pub rerank_ms: u64,
}

/// What is shown of a found chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expand {
    /// The chunk.
    #[default]
    None,
    /// The chunk, the one before and the one after, where they stand under the same heading.
    Neighbours,
    /// As much of the section as the limit allows.
    Section,
}

/// Writing answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// 0 is greedy.
    pub temperature: f64,
    /// Nucleus.
    pub top_p: f64,
    /// Seed.
    pub seed: u64,
    /// New tokens at most.
    pub max_tokens: usize,
    /// How well the passages must answer before anything is answered, 0 to 1.
    pub min_support: f32,
    /// Whether sentences are read (by the reader inside the program), not only compared word by word.
    pub reader: bool,
    /// Where no sentence of a language model is supported: the documents' own sentences in their place, instead of none.
    pub quote_instead: bool,
    /// Whether answers may hold personal data of the documents (resident numbers, private telephones, home addresses …).
    pub personal_data: bool,
}

/// An OpenAI-compatible engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Base address, for instance `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// Model name sent to it.
    pub model: String,
    /// Bearer key; never printed.
    pub api_key: String,
    /// Its context window, tokens.
    pub context_tokens: usize,
    /// Seconds to wait for it.
    pub timeout_s: u64,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address to bind.
    pub host: String,
    /// Port; 0: any free one.
    pub port: u16,
    /// Answers made at the same time.
    pub concurrency: usize,
    /// Requests that may wait for a place; more are answered 429.
    pub queue: usize,
    /// Seconds running answers get to finish after SIGTERM.
    pub grace_s: u64,
}

/// Values set by flags: `key` as in [`Config`] (dotted), value as text.
pub type Flags = Vec<(&'static str, String)>;

/// One setting, where it came from, and its value as text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// Dotted key.
    pub key: String,
    /// Value; keys are never shown.
    pub value: String,
    /// `default`, the file's path, the variable's name, or `flag`.
    pub origin: String,
}

/// What can be wrong with settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named explicitly is not there.
    #[error("configuration file {0} does not exist; leave out --config or create it")]
    Missing(String),
    /// A value of the wrong type, or an unknown key.
    #[error("{0}. `sectora config` prints every key, its value and where it comes from")]
    Invalid(String),
    /// A value outside its range.
    #[error("{key} = {value} ({origin}): {what}")]
    Range {
        /// Dotted key.
        key: &'static str,
        /// Value.
        value: String,
        /// Where from.
        origin: String,
        /// The rule.
        what: &'static str,
    },
}

impl Classified for ConfigError {
    fn kind(&self) -> ErrorKind {
        match self {
            ConfigError::Missing(_) | ConfigError::Invalid(_) | ConfigError::Range { .. } => ErrorKind::BadInput,
        }
    }
}

impl Config {
    /// Layers defaults, the file (`file`, else `sectora.toml` here if it exists), the environment and flags.
    pub fn load(file: Option<&Path>, flags: &Flags) -> Result<(Config, Vec<Provenance>), ConfigError> {
        let variables = std::env::vars().filter(|(k, _)| k.starts_with("SECTORA_")).collect();
        Self::layer(file, variables, flags)
    }

    fn layer(
        file: Option<&Path>,
        variables: HashMap<String, String>,
        flags: &Flags,
    ) -> Result<(Config, Vec<Provenance>), ConfigError> {
        let file = match file {
            Some(f) if !f.is_file() => return Err(ConfigError::Missing(f.display().to_string())),
            Some(f) => Some(f.to_path_buf()),
            None => Some(PathBuf::from("sectora.toml")).filter(|f| f.is_file()),
        };
        let variables: HashMap<String, String> =
            variables.into_iter().filter(|(k, _)| !NOT_SETTINGS.iter().any(|p| k.starts_with(p))).collect();
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(f) = &file {
            builder = builder.add_source(File::from(f.as_path()).format(FileFormat::Toml));
        }
        builder = builder.add_source(environment(variables.clone()));
        for (key, value) in flags {
            builder = builder.set_override(*key, value.as_str()).map_err(invalid)?;
        }
        let config: Config = builder.build().map_err(invalid)?.try_deserialize().map_err(invalid)?;
        let provenance = provenance(&config, file.as_deref(), &variables, flags)?;
        config.check(&provenance)?;
        Ok((config, provenance))
    }

    /// The models' folder: as set, or `models` in the data folder.
    pub fn models_dir(&self) -> PathBuf {
        match self.models_dir.as_str() {
            "" => self.data_dir().join("models"),
            folder => PathBuf::from(folder),
        }
    }

    /// The data folder: as set, or the platform's (`$XDG_DATA_HOME/sectora`, `~/.local/share/sectora`).
    pub fn data_dir(&self) -> PathBuf {
        if !self.data_dir.is_empty() {
            return PathBuf::from(&self.data_dir);
        }
        let set = |k: &str| std::env::var_os(k).filter(|v| !v.is_empty()).map(PathBuf::from);
        set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|h| h.join(".local").join("share")))
            .or_else(|| set("LOCALAPPDATA"))
            .unwrap_or_else(|| PathBuf::from("."))
            .join("sectora")
    }

    /// True when nothing may be downloaded: `offline`, or the model hub's own `HF_HUB_OFFLINE`.
    pub fn is_offline(&self) -> bool {
        let hub = std::env::var("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
        self.offline || ["1", "true", "yes", "on"].contains(&hub.as_str())
    }

    fn check(&self, provenance: &[Provenance]) -> Result<(), ConfigError> {
        let rule = |key: &'static str, holds: bool, what: &'static str| {
            if holds {
                return Ok(());
            }
            let found = provenance.iter().find(|p| p.key == key);
            Err(ConfigError::Range {
                key,
                value: found.map(|p| p.value.clone()).unwrap_or_default(),
                origin: found.map(|p| p.origin.clone()).unwrap_or_default(),
                what,
            })
        };
        let unit = |x: f32| (0.0..=1.0).contains(&x);
        rule("passage_kv_mb", self.passage_kv_mb <= 1 << 20, "must be at most 1048576")?;
        rule("passage_kv_reread", unit(self.passage_kv_reread), "must be 0 to 1")?;
        rule("search.passages", (1..=50).contains(&self.search.passages), "must be 1 to 50")?;
        rule("search.prefetch", (1..=10_000).contains(&self.search.prefetch), "must be 1 to 10000")?;
        rule("search.rrf_k", self.search.rrf_k >= 1, "must be at least 1")?;
        rule("search.dense_weight", self.search.dense_weight >= 0.0, "must not be negative")?;
        rule("search.sparse_weight", self.search.sparse_weight >= 0.0, "must not be negative")?;
        rule("search.learned_weight", self.search.learned_weight >= 0.0, "must not be negative")?;
        rule("search.glossary_weight", unit(self.search.glossary_weight), "must be 0 to 1")?;
        rule("search.near_duplicate", unit(self.search.near_duplicate), "must be 0 to 1")?;
        rule("search.rerank_candidates", (1..=200).contains(&self.search.rerank_candidates), "must be 1 to 200")?;
        rule("search.rerank_ms", (1..=60_000).contains(&self.search.rerank_ms), "must be 1 to 60000")?;
        rule("answer.temperature", (0.0..=2.0).contains(&self.answer.temperature), "must be 0 to 2")?;
        rule("answer.top_p", self.answer.top_p > 0.0 && self.answer.top_p <= 1.0, "must be over 0 and at most 1")?;
        rule("answer.max_tokens", self.answer.max_tokens >= 1, "must be at least 1")?;
        rule("answer.min_support", unit(self.answer.min_support), "must be 0 to 1")?;
        rule("ingest.chunk_max_tokens", self.ingest.chunk_max_tokens >= 32, "must be at least 32")?;
        rule(
            "ingest.chunk_min_tokens",
            self.ingest.chunk_min_tokens <= self.ingest.chunk_max_tokens,
            "must not be over ingest.chunk_max_tokens",
        )?;
        rule("ingest.worker_memory_mb", self.ingest.worker_memory_mb >= 256, "must be at least 256")?;
        rule("ingest.worker_cpu_s", self.ingest.worker_cpu_s >= 1, "must be at least 1")?;
        rule("server.concurrency", self.server.concurrency >= 1, "must be at least 1")
    }
}

fn environment(variables: HashMap<String, String>) -> Environment {
    Environment::with_prefix("SECTORA").prefix_separator("_").separator("__").source(Some(variables))
}

fn invalid(e: config::ConfigError) -> ConfigError {
    ConfigError::Invalid(format!("configuration: {e}"))
}

fn provenance(
    config: &Config,
    file: Option<&Path>,
    variables: &HashMap<String, String>,
    flags: &Flags,
) -> Result<Vec<Provenance>, ConfigError> {
    let in_file = match file {
        Some(f) => flatten(&File::from(f).format(FileFormat::Toml).collect().map_err(invalid)?),
        None => Vec::new(),
    };
    let table = toml::Value::try_from(config).map_err(|e| ConfigError::Invalid(e.to_string()))?;
    Ok(leaves("", &table)
        .into_iter()
        .map(|(key, value)| {
            let variable = format!("SECTORA_{}", key.replace('.', "__").to_uppercase());
            let origin = if flags.iter().any(|(k, _)| *k == key) {
                "flag".to_owned()
            } else if variables.contains_key(&variable) {
                variable
            } else if in_file.contains(&key) {
                file.map(|f| f.display().to_string()).unwrap_or_default()
            } else {
                "default".to_owned()
            };
            let secret = key.ends_with("api_key") && value != "\"\"";
            Provenance { key, value: if secret { "\"(set)\"".to_owned() } else { value }, origin }
        })
        .collect())
}

fn leaves(prefix: &str, value: &toml::Value) -> Vec<(String, String)> {
    match value {
        toml::Value::Table(t) => t
            .iter()
            .flat_map(|(k, v)| leaves(&if prefix.is_empty() { k.clone() } else { format!("{prefix}.{k}") }, v))
            .collect(),
        leaf => vec![(prefix.to_owned(), leaf.to_string())],
    }
}

fn flatten(map: &config::Map<String, Value>) -> Vec<String> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<String>) {
        match &value.kind {
            config::ValueKind::Table(t) => {
                t.iter().for_each(|(k, v)| walk(&format!("{prefix}.{k}"), v, out));
            }
            _ => out.push(prefix.to_owned()),
        }
    }
    let mut out = Vec::new();
    map.iter().for_each(|(k, v)| walk(k, v, &mut out));
    out
}

/// The language of the session that the program was started in: Korean where the environment says so, else English.
pub fn session_language() -> Language {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default();
    if locale.to_lowercase().starts_with("ko") { Language::Ko } else { Language::En }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layered(
        file: &str,
        variables: &[(&str, &str)],
        flags: &Flags,
    ) -> Result<(Config, Vec<Provenance>), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sectora.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::layer(Some(&path), variables, flags)
    }

    fn origin(all: &[Provenance], key: &str) -> String {
        all.iter().find(|p| p.key == key).unwrap().origin.clone()
    }

    #[test]
    fn each_layer_wins_over_the_one_before_and_says_so() {
        let file = "[server]\nport = 1\nqueue = 2\nconcurrency = 3\n";
        let variables = [("SECTORA_SERVER__QUEUE", "20"), ("SECTORA_SERVER__CONCURRENCY", "30")];
        let (config, all) = layered(file, &variables, &vec![("server.concurrency", "300".into())]).unwrap();
        assert_eq!((config.server.port, config.server.queue, config.server.concurrency), (1, 20, 300));
        assert!(origin(&all, "server.port").ends_with("sectora.toml"));
        assert_eq!(origin(&all, "server.queue"), "SECTORA_SERVER__QUEUE");
        assert_eq!(origin(&all, "server.concurrency"), "flag");
        assert_eq!(origin(&all, "server.host"), "default");
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_refused_by_name() {
        let unknown = layered("[server]\nprot = 1\n", &[], &vec![]).unwrap_err().to_string();
        assert!(unknown.contains("prot"), "{unknown}");
        let wrong = layered("", &[("SECTORA_SEARCH__PASSAGES", "many")], &vec![]).unwrap_err().to_string();
        assert!(wrong.contains("passages") || wrong.contains("many"), "{wrong}");
        let range = layered("", &[("SECTORA_SEARCH__PASSAGES", "0")], &vec![]).unwrap_err().to_string();
        assert!(range.contains("search.passages") && range.contains("1 to 50"), "{range}");
    }

    #[test]
    fn a_key_is_never_printed() {
        let (_, all) = layered("", &[("SECTORA_REMOTE__API_KEY", "s3cret")], &vec![]).unwrap();
        assert!(all.iter().all(|p| !p.value.contains("s3cret")));
    }
}
