//! What a sentence-transformers folder says of itself.
//!
//! In: a folder as `SentenceTransformer.save` writes it (from version 2 to 6), or a bare transformer. Out: its weights,
//! its tokenizer, and the modules that follow the transformer. A module that is not understood is an error: leaving
//! one out would give other vectors than the model's own.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::layers::Linear;
use super::ops::Activation;
use super::pooling::{Mode, Pooling};
use super::sparse_head::SparseHead;
use super::{EmbedError, Side};

/// The files of a folder, with errors that name it.
pub(super) struct Folder<'a> {
    root: &'a Path,
    /// Where the transformer lies: the root, or `0_Transformer` in old folders.
    transformer: PathBuf,
    modules: Option<Vec<Module>>,
}

/// One line of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

impl Module {
    /// The class without its package, which changed between versions.
    fn class(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }
}

/// What follows the transformer.
pub(super) struct Head {
    pub(super) pooling: Pooling,
    pub(super) dense: Vec<Dense>,
    pub(super) normalise: bool,
}

/// A linear layer with an activation after pooling.
pub(super) struct Dense {
    pub(super) linear: Linear,
    pub(super) activation: Option<Activation>,
    pub(super) output: usize,
}

/// Prefixes of the two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompts {
    query: String,
    document: String,
}

impl Prompts {
    pub(super) fn of(&self, side: Side) -> &str {
        match side {
            Side::Query => &self.query,
            Side::Document => &self.document,
        }
    }
}

/// `sentence_bert_config.json`
#[derive(Default, Deserialize)]
struct SentenceBert {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

/// `tokenizer_config.json`
#[derive(Default, Deserialize)]
struct TokenizerConfig {
    /// 1e30 stands for no limit.
    model_max_length: Option<f64>,
}

/// `config_sentence_transformers.json`
#[derive(Default, Deserialize)]
struct SentenceTransformers {
    #[serde(default)]
    prompts: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    default_prompt_name: Option<String>,
    #[serde(default)]
    truncate_dim: Option<usize>,
}

#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
    #[serde(default)]
    module_input_name: Option<String>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct WeightIndex {
    weight_map: HashMap<String, String>,
}

impl<'a> Folder<'a> {
    /// Reads `modules.json`, if there is one.
    pub(super) fn open(root: &'a Path) -> Result<Folder<'a>, EmbedError> {
        let mut folder = Folder { root, transformer: root.to_path_buf(), modules: None };
        let modules: Option<Vec<Module>> = folder.optional(&root.join("modules.json"))?;
        if let Some(first) = modules.as_ref().and_then(|m| m.first()) {
            if first.class() != "Transformer" {
                return Err(folder.wrong(format!("modules.json starts with {}, not with a Transformer", first.kind)));
            }
            folder.transformer = root.join(&first.path);
        }
        folder.modules = modules;
        Ok(folder)
    }

    /// For messages.
    pub(super) fn display(&self) -> String {
        self.root.display().to_string()
    }

    /// The folder's last name.
    pub(super) fn name(&self) -> String {
        self.root.file_name().map_or_else(|| "encoder".into(), |n| n.to_string_lossy().into_owned())
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> EmbedError {
        EmbedError::Load { folder: self.display(), what: what.to_string() }
    }

    /// The transformer's `config.json`.
    pub(super) fn config<T: DeserializeOwned>(&self) -> Result<T, EmbedError> {
        self.json(&self.transformer.join("config.json"))
    }

    /// The family that `config.json` names.
    pub(super) fn model_type(&self) -> Result<Option<String>, EmbedError> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: Option<String>,
        }
        Ok(self.config::<Kind>()?.model_type)
    }

    /// The transformer's weights as f32, and a hash of their bytes.
    pub(super) fn weights(&self, device: &Device) -> Result<(VarBuilder<'static>, String), EmbedError> {
        let index = self.transformer.join("model.safetensors.index.json");
        let mut files = vec!["model.safetensors".to_owned()];
        if let Some(index) = self.optional::<WeightIndex>(&index)? {
            files = index.weight_map.into_values().collect();
            files.sort();
            files.dedup();
        }
        let mut hash = Sha256::new();
        let mut tensors = HashMap::new();
        for file in files {
            let path = self.transformer.join(&file);
            if !path.is_file() && self.transformer.join("pytorch_model.bin").is_file() {
                let what = "has pytorch_model.bin only, which is not read because unpickling runs code; convert it: \
                            SentenceTransformer(…).save(…, safe_serialization=True)";
                return Err(self.wrong(what));
            }
            let bytes = self.bytes(&path)?;
            hash.update(&bytes);
            tensors.extend(safetensors::load_buffer(&bytes, device).map_err(|e| self.wrong(format!("{file}: {e}")))?);
        }
        Ok((VarBuilder::from_tensors(tensors, DType::F32, device), short(hash)))
    }

    /// The sparse head, if there is one, and a hash of its bytes.
    pub(super) fn sparse_head(
        &self,
        hidden: usize,
        tokenizer: &Tokenizer,
    ) -> Result<Option<(SparseHead, String)>, EmbedError> {
        let found = SparseHead::load(self.root, hidden, tokenizer).map_err(|what| self.wrong(what))?;
        Ok(found.map(|(head, bytes)| (head, short(Sha256::new_with_prefix(bytes)))))
    }

    /// Tokens an input may have: what the folder says, at most what the model has positions for.
    pub(super) fn longest(&self, positions: usize) -> Result<usize, EmbedError> {
        let stated: SentenceBert =
            self.optional(&self.transformer.join("sentence_bert_config.json"))?.unwrap_or_default();
        let tokenizer: TokenizerConfig =
            self.optional(&self.transformer.join("tokenizer_config.json"))?.unwrap_or_default();
        let tokenizer = tokenizer.model_max_length.filter(|n| *n >= 1.0 && *n < 1e9).map(|n| n as usize);
        let longest = stated.max_seq_length.or(tokenizer).unwrap_or(positions).min(positions);
        if longest < 3 {
            return Err(self.wrong(format!("an input of {longest} tokens has no room for a text")));
        }
        Ok(longest)
    }

    /// The tokenizer, cutting at `longest` tokens and never padding.
    pub(super) fn tokenizer(&self, longest: usize) -> Result<Tokenizer, EmbedError> {
        let wrong = |e: tokenizers::Error| self.wrong(format!("tokenizer.json: {e}"));
        let bytes = self.bytes(&self.transformer.join("tokenizer.json"))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(wrong)?;
        let truncation = TruncationParams { max_length: longest, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(wrong)?;
        tokenizer.with_padding(None);
        Ok(tokenizer)
    }

    /// Whether texts are lowercased before the tokenizer sees them.
    pub(super) fn lowercase(&self) -> Result<bool, EmbedError> {
        let stated: Option<SentenceBert> = self.optional(&self.transformer.join("sentence_bert_config.json"))?;
        Ok(stated.is_some_and(|s| s.do_lower_case))
    }

    /// Prefixes as the folder states them; e5 models, which do not, are known by their name (their model card).
    pub(super) fn prompts(&self) -> Result<Prompts, EmbedError> {
        let stated: SentenceTransformers =
            self.optional(&self.root.join("config_sentence_transformers.json"))?.unwrap_or_default();
        let prompts = stated.prompts.unwrap_or_default();
        let named = |name: &str| prompts.get(name).cloned().flatten();
        let default = stated.default_prompt_name.and_then(|name| named(&name)).unwrap_or_default();
        // The order in which `encode_query` and `encode_document` look.
        let found = Prompts {
            query: named("query").unwrap_or_else(|| default.clone()),
            document: ["document", "passage", "corpus"].into_iter().find_map(named).unwrap_or(default),
        };
        let name = self.name();
        let part = |wanted: &str| name.split(['-', '_', '.']).any(|part| part == wanted);
        if found == Prompts::default() && part("e5") && !part("instruct") {
            return Ok(Prompts { query: "query: ".into(), document: "passage: ".into() });
        }
        Ok(found)
    }

    /// Dimensions to keep, where the folder says so.
    pub(super) fn truncate_dim(&self) -> Result<Option<usize>, EmbedError> {
        let stated: Option<SentenceTransformers> =
            self.optional(&self.root.join("config_sentence_transformers.json"))?;
        Ok(stated.and_then(|s| s.truncate_dim))
    }

    /// The modules after the transformer, of vectors `hidden` wide.
    pub(super) fn head(&self, hidden: usize, device: &Device) -> Result<Head, EmbedError> {
        // Without modules.json a folder is a bare transformer: its mean, normalised for cosine.
        let Some(modules) = &self.modules else {
            return Ok(Head { pooling: Pooling::of(&[Mode::Mean]), dense: Vec::new(), normalise: true });
        };
        let mut pooling = None;
        let mut dense = Vec::new();
        let mut normalise = false;
        for module in &modules[1..] {
            let folder = self.root.join(&module.path);
            match module.class() {
                "Pooling" if pooling.is_none() => {
                    pooling = Some(self.json::<Pooling>(&folder.join("config.json"))?);
                }
                "Dense" if !normalise => {
                    let width = dense.last().map(|d: &Dense| d.output);
                    let width = width.or(pooling.as_ref().map(|p| p.modes().len() * hidden)).unwrap_or(hidden);
                    dense.push(self.dense(&folder, width, device)?);
                }
                "Normalize" => normalise = true,
                // Only while training.
                "Dropout" => {}
                _ => {
                    let what = format!(
                        "modules.json names {} at this place, which is not supported; supported: Transformer, Pooling, \
                         Dense, Normalize, Dropout, in this order",
                        module.kind
                    );
                    return Err(self.wrong(what));
                }
            }
        }
        let Some(pooling) = pooling else {
            return Err(self.wrong("modules.json names no Pooling: this is not an encoder of one vector a text"));
        };
        Ok(Head { pooling, dense, normalise })
    }

    fn dense(&self, folder: &Path, width: usize, device: &Device) -> Result<Dense, EmbedError> {
        let file = folder.join("config.json");
        let config: DenseConfig = self.json(&file)?;
        let wrong = |what: String| Err(self.wrong(format!("{}: {what}", file.display())));
        if config.in_features != width {
            return wrong(format!("in_features is {}, what comes in is {width} wide", config.in_features));
        }
        if config.use_residual {
            return wrong("use_residual is not supported".into());
        }
        if let Some(input) = config.module_input_name.filter(|n| n != "sentence_embedding") {
            return wrong(format!("module_input_name {input} is not supported, only sentence_embedding"));
        }
        let stated = config.activation_function.unwrap_or_else(|| "Tanh".into());
        let activation = match stated.rsplit('.').next().unwrap_or_default() {
            "Identity" => None,
            "Tanh" => Some(Activation::Tanh),
            "ReLU" => Some(Activation::Relu),
            "GELU" => Some(Activation::Gelu),
            "SiLU" => Some(Activation::Silu),
            _ => return wrong(format!("activation_function {stated} is not supported")),
        };
        let path = folder.join("model.safetensors");
        let load = || -> candle_core::Result<Linear> {
            let tensors: HashMap<String, Tensor> = safetensors::load(&path, device)?;
            let vb = VarBuilder::from_tensors(tensors, DType::F32, device);
            Linear::load(&vb, "linear", config.in_features, config.out_features, config.bias)
        };
        let linear = load().map_err(|e| self.wrong(format!("{}: {e}", path.display())))?;
        Ok(Dense { linear, activation, output: config.out_features })
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>, EmbedError> {
        fs_err::read(path).map_err(|e| self.wrong(e))
    }

    fn json<T: DeserializeOwned>(&self, path: &Path) -> Result<T, EmbedError> {
        serde_json::from_slice(&self.bytes(path)?).map_err(|e| self.wrong(format!("{}: {e}", path.display())))
    }

    fn optional<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, EmbedError> {
        if path.is_file() { self.json(path).map(Some) } else { Ok(None) }
    }
}

/// The first six bytes, in hexadecimal.
fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect()
}
