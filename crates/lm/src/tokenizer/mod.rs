//! Text to token ids and back, rebuilt from the metadata of a GGUF file.
//!
//! Two kinds exist: byte-level BPE (`gpt2`: Qwen, Llama 3, Phi 4) and SentencePiece with scores
//! (`llama`: Llama 2, Gemma, Phi 3). A `tokenizer.json` beside the file wins over its metadata.
//! Tokens give back bytes, not text: a character may be spread over several tokens.

mod byte_level;
mod spm;

use std::collections::{HashMap, HashSet};
use std::path::Path;

pub(crate) use byte_level::character;

use crate::LmError;
use crate::gguf::{Gguf, Value};

/// Text to token ids and back.
pub struct Tokenizer {
    encoder: Encoder,
    /// Bytes of each token; empty for control tokens.
    bytes: Vec<Vec<u8>>,
    ids: HashMap<String, u32>,
    names: Vec<String>,
    control: HashSet<u32>,
    end: HashSet<u32>,
    bos: Option<u32>,
    add_bos: bool,
    eos: Option<u32>,
}

enum Encoder {
    ByteLevel(Box<tokenizers::Tokenizer>),
    Spm(Box<spm::Spm>),
}

/// Names under which model families end a turn; `tokenizer.ggml.eos_token_id` alone often misses one.
const END_NAMES: &[&str] = &[
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|end|>",
    "</s>",
    "<eos>",
    "<|end_of_turn|>",
    "[|endofturn|]",
];

impl Tokenizer {
    /// Rebuilds the tokenizer of an open model file.
    pub fn from_gguf(gguf: &Gguf) -> Result<Tokenizer, LmError> {
        let vocabulary = Vocabulary::read(gguf)?;
        if let Some(rules) = gguf.tokenizer_json() {
            return Tokenizer::from_json(&rules, vocabulary);
        }
        let encoder = match vocabulary.model.as_str() {
            "gpt2" => Encoder::ByteLevel(Box::new(byte_level::build(gguf, &vocabulary)?)),
            "llama" => Encoder::Spm(Box::new(spm::Spm::new(gguf, &vocabulary)?)),
            other => {
                let beside = gguf.path().with_file_name("tokenizer.json");
                let hint = format!("put the model's tokenizer.json at {}", beside.display());
                return Err(LmError::Tokenizer(format!("kind {other:?} is not known; {hint}")));
            }
        };
        Ok(vocabulary.finish(encoder))
    }

    /// The rules of a `tokenizer.json`; ids, types and end tokens stay those of the GGUF.
    fn from_json(path: &Path, vocabulary: Vocabulary) -> Result<Tokenizer, LmError> {
        let about = |what: String| LmError::Tokenizer(format!("{}: {what}", path.display()));
        let tokenizer = tokenizers::Tokenizer::from_file(path).map_err(|e| about(e.to_string()))?;
        let held = vocabulary.tokens.len();
        // Names are not compared: converters to GGUF write some of them with other spaces.
        let beyond = tokenizer.get_vocab(true).into_iter().filter(|(_, id)| *id as usize >= held);
        if let Some((name, id)) = beyond.min_by_key(|(_, id)| *id) {
            let what = format!("its token {name:?} has the id {id} and the model has {held} tokens");
            return Err(about(format!("{what}; they do not belong together")));
        }
        Ok(vocabulary.finish(Encoder::ByteLevel(Box::new(tokenizer))))
    }

    /// Token ids of `text`, in which the names of control tokens stand for the tokens; the beginning of
    /// text is put before it if the model wants one and the text has none.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let mut ids = match &self.encoder {
            Encoder::ByteLevel(tokenizer) => {
                let encoding = tokenizer.encode_fast(text, false).map_err(|e| LmError::Tokenizer(e.to_string()))?;
                encoding.get_ids().to_vec()
            }
            Encoder::Spm(spm) => spm.encode(text),
        };
        if let Some(bos) = self.bos.filter(|_| self.add_bos)
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// The bytes of a token; none for a control token.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Text of tokens; bytes that are no UTF-8 are replaced.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// True when the token ends a turn or the text.
    pub fn is_end(&self, id: u32) -> bool {
        self.end.contains(&id)
    }

    /// The tokens that end a turn or the text.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u32> {
        self.end.iter().copied()
    }

    /// The id of a token by its name.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// Name of the token that begins a text.
    pub fn bos(&self) -> Option<&str> {
        self.name(self.bos?)
    }

    /// Name of the token that ends a text.
    pub fn eos(&self) -> Option<&str> {
        self.name(self.eos?)
    }

    /// Tokens in the vocabulary.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// `text` with the names of control tokens broken by a space, so that a document cannot end a turn.
    pub fn defuse(&self, text: &str) -> String {
        let mut safe = text.to_owned();
        for name in self.control.iter().filter_map(|&id| self.name(id)) {
            let mut letters = name.chars();
            if let Some(first) = letters.next()
                && letters.as_str() != ""
                && safe.contains(name)
            {
                safe = safe.replace(name, &format!("{first} {}", letters.as_str()));
            }
        }
        safe
    }

    fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(String::as_str)
    }
}

/// What the metadata says about tokens.
pub(crate) struct Vocabulary {
    model: String,
    tokens: Vec<String>,
    types: Vec<i64>,
    ids: HashMap<String, u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    more_ends: Vec<u32>,
    add_bos: bool,
}

impl Vocabulary {
    fn read(gguf: &Gguf) -> Result<Vocabulary, LmError> {
        let missing = |key: &str| LmError::Tokenizer(format!("{} has no {key}", gguf.path().display()));
        let model = gguf.str("tokenizer.ggml.model").ok_or_else(|| missing("tokenizer.ggml.model"))?.to_owned();
        let tokens = gguf.strings("tokenizer.ggml.tokens").ok_or_else(|| missing("tokenizer.ggml.tokens"))?.to_vec();
        let mut types = match gguf.get("tokenizer.ggml.token_type") {
            Some(Value::Ints(types)) => types.clone(),
            _ => Vec::new(),
        };
        types.resize(tokens.len(), Value::NORMAL_TOKEN);
        let id = |key: &str| {
            let id = gguf.int(&format!("tokenizer.ggml.{key}_token_id")).filter(|&id| id < tokens.len());
            id.map(|id| id as u32)
        };
        let ids = tokens.iter().enumerate().map(|(i, t)| (t.clone(), i as u32)).collect();
        let add_bos = gguf.bool("tokenizer.ggml.add_bos_token").unwrap_or(model == "llama");
        let more_ends = ["eot", "eom"].into_iter().filter_map(id).collect();
        Ok(Vocabulary { bos: id("bos"), eos: id("eos"), more_ends, model, tokens, types, ids, add_bos })
    }

    fn finish(self, encoder: Encoder) -> Tokenizer {
        let is_control = |id: &u32| matches!(self.types[*id as usize], Value::CONTROL_TOKEN | Value::UNKNOWN_TOKEN);
        let control: HashSet<u32> = (0..self.tokens.len() as u32).filter(is_control).collect();
        let named = END_NAMES.iter().filter_map(|name| self.ids.get(*name)).filter(|id| control.contains(id));
        let end = named.copied().chain(self.eos).chain(self.more_ends.iter().copied()).collect();
        let piece: fn(&str) -> Vec<u8> = match self.model.as_str() {
            "gpt2" => byte_level::bytes,
            _ => spm::bytes,
        };
        let bytes = self.tokens.iter().zip(&self.types).enumerate().map(|(id, (token, &kind))| {
            let id = id as u32;
            match kind {
                Value::USER_TOKEN => spm::bytes(token),
                _ if control.contains(&id) => Vec::new(),
                _ => piece(token),
            }
        });
        let bytes = bytes.collect();
        let Vocabulary { tokens, ids, bos, eos, add_bos, .. } = self;
        Tokenizer { encoder, bytes, ids, names: tokens, control, end, bos, add_bos, eos }
    }

    /// Names of tokens that stand for themselves in a text: control and user-defined ones.
    fn special(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        self.tokens.iter().zip(&self.types).enumerate().filter_map(|(id, (token, &kind))| {
            let control = matches!(kind, Value::CONTROL_TOKEN | Value::UNKNOWN_TOKEN);
            let special = control || kind == Value::USER_TOKEN;
            (special && !token.is_empty()).then_some((id as u32, token.as_str(), control))
        })
    }
}
