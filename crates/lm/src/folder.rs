//! A Hugging Face folder as if it were a GGUF file: `config.json`, `tokenizer.json`, `model*.safetensors`.
//!
//! In: a folder. Out: a [`Gguf`] whose metadata says what the configuration says and whose tensors have GGUF's
//! names, with the two changes that llama.cpp's converter makes: rows of Llama's Q and K are put in the order of
//! neighbouring rotary pairs, and Gemma's norms are stored as 1 + weight. What the configuration asks for and
//! this engine lacks is refused by name. Format of the tensors: <https://github.com/huggingface/safetensors>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use serde_json::Value as Json;

use crate::gguf::{Change, Gguf, Source, TensorInfo, Value};
use crate::{Architecture, LmError};

/// Longest header of a safetensors file, as its own library has it.
const MAX_HEADER: u64 = 100_000_000;
/// No model's heads have more dimensions.
const LARGEST_HEAD: i64 = 1 << 16;

/// Opens a folder.
pub(crate) fn open(folder: &Path) -> Result<Gguf, LmError> {
    let broken = |what: String| LmError::Folder { path: folder.to_owned(), what };
    if !folder.join("config.json").exists() {
        let needs = "no config.json in it; a model folder holds config.json, tokenizer.json and model*.safetensors (a GGUF file is named itself)";
        return Err(broken(needs.into()));
    }
    let config = Config { json: json(folder, "config.json")?, folder };
    let architecture = config.architecture()?;
    let mut metadata = config.metadata(architecture)?;
    let (files, mut tensors) = tensors(folder, &config, architecture)?;
    config.rope(architecture, &mut metadata, &mut tensors)?;
    let embedding = tensors.get("token_embd.weight").ok_or_else(|| broken("it has no embed_tokens.weight".into()))?;
    let vocabulary = embedding.dims.first().copied().unwrap_or(0);
    tokens(folder, &config, vocabulary, &mut metadata)?;
    Ok(Gguf::assembled(folder.join("config.json"), files, metadata, tensors))
}

fn json(folder: &Path, name: &str) -> Result<Json, LmError> {
    let path = folder.join(name);
    let text = std::fs::read(&path).map_err(|source| LmError::Io { path, source })?;
    serde_json::from_slice(&text)
        .map_err(|e| LmError::Folder { path: folder.to_owned(), what: format!("{name} is not JSON: {e}") })
}

/// `config.json`.
struct Config<'a> {
    json: Json,
    folder: &'a Path,
}

impl Config<'_> {
    fn unsupported(&self, what: String) -> LmError {
        LmError::Unsupported { path: self.folder.join("config.json"), what }
    }

    fn architecture(&self) -> Result<Architecture, LmError> {
        match self.json["model_type"].as_str().unwrap_or("not stated") {
            "llama" | "mistral" => Ok(Architecture::Llama),
            "qwen2" => Ok(Architecture::Qwen2),
            "qwen3" => Ok(Architecture::Qwen3),
            "gemma3_text" => Ok(Architecture::Gemma3),
            "phi3" => Ok(Architecture::Phi3),
            other => Err(self.unsupported(format!(
                "its model_type is {other}; llama, mistral, qwen2, qwen3, gemma3_text and phi3 are known"
            ))),
        }
    }

    fn size(&self, key: &str) -> Option<i64> {
        self.json[key].as_i64().filter(|&n| n > 0)
    }

    fn needed(&self, key: &str) -> Result<i64, LmError> {
        let what = || format!("config.json has {} for {key}", self.json[key]);
        self.size(key).ok_or_else(|| LmError::Folder { path: self.folder.to_owned(), what: what() })
    }

    /// Sizes, by the names that [`crate::Shape`] reads.
    fn metadata(&self, architecture: Architecture) -> Result<HashMap<String, Value>, LmError> {
        let name = architecture.name();
        let mut all = HashMap::from([("general.architecture".to_owned(), Value::String(name.to_owned()))]);
        let heads = self.needed("num_attention_heads")?;
        let head_dim = self.size("head_dim").unwrap_or(self.needed("hidden_size")? / heads);
        let share = self.json["partial_rotary_factor"].as_f64().unwrap_or(1.0);
        if share <= 0.0 || share > 1.0 || head_dim > LARGEST_HEAD {
            let what = format!("its heads have {head_dim} dimensions and its partial_rotary_factor is {share}");
            return Err(self.unsupported(what));
        }
        let turned = head_dim as f64 * share;
        let mut context = self.needed("max_position_embeddings")?;
        let sliding = self.size("sliding_window");
        let gemma = architecture == Architecture::Gemma3;
        // Elsewhere than in Gemma every layer may see less than everything: below that size it makes no difference.
        let unused = architecture != Architecture::Llama && self.json["use_sliding_window"] != Json::Bool(true);
        if let Some(window) = sliding.filter(|_| !gemma && !(unused && architecture != Architecture::Phi3)) {
            context = context.min(window);
        }
        if gemma {
            self.check_gemma(head_dim)?;
            all.insert(format!("{name}.attention.sliding_window"), Value::Int(self.needed("sliding_window")?));
        }
        let sizes = [
            ("block_count", self.needed("num_hidden_layers")?),
            ("context_length", context),
            ("embedding_length", self.needed("hidden_size")?),
            ("feed_forward_length", self.needed("intermediate_size")?),
            ("attention.head_count", heads),
            ("attention.head_count_kv", self.size("num_key_value_heads").unwrap_or(heads)),
            ("attention.key_length", head_dim),
            ("attention.value_length", head_dim),
            ("rope.dimension_count", turned as i64),
        ];
        all.extend(sizes.map(|(key, n)| (format!("{name}.{key}"), Value::Int(n))));
        let epsilon = self.json["rms_norm_eps"].as_f64().unwrap_or(1e-6);
        all.insert(format!("{name}.attention.layer_norm_rms_epsilon"), Value::Float(epsilon));
        let silent = ["silu", "gelu_pytorch_tanh"][usize::from(gemma)];
        let act = ["hidden_act", "hidden_activation"].map(|key| self.json[key].as_str());
        if let Some(other) = act.into_iter().flatten().next().filter(|&act| act != silent) {
            return Err(self.unsupported(format!("its activation is {other}, and {name} has {silent} here")));
        }
        Ok(all)
    }

    /// What [`crate::Shape`] takes for granted of Gemma 3.
    fn check_gemma(&self, head_dim: i64) -> Result<(), LmError> {
        let full = |(i, kind): (usize, &Json)| (kind == "full_attention") == (i + 1).is_multiple_of(6);
        let layers = self.json["layer_types"].as_array();
        let pattern = self.size("sliding_window_pattern").unwrap_or(6) == 6;
        if !pattern || layers.is_some_and(|layers| !layers.iter().enumerate().all(full)) {
            return Err(self.unsupported("not each sixth of its layers sees everything".into()));
        }
        let layers = self.needed("num_hidden_layers")?;
        let scale = self.json["query_pre_attn_scalar"].as_i64().unwrap_or(head_dim);
        if layers != 62 && scale != head_dim {
            return Err(self.unsupported(format!("its query_pre_attn_scalar is {scale} and its heads have {head_dim}")));
        }
        Ok(())
    }

    /// Rotary base and scaling; factors become the tensors that GGUF has for them.
    fn rope(
        &self,
        architecture: Architecture,
        metadata: &mut HashMap<String, Value>,
        tensors: &mut HashMap<String, TensorInfo>,
    ) -> Result<(), LmError> {
        let key = |field: &str| format!("{}.rope.{field}", architecture.name());
        let all = &self.json["rope_parameters"];
        let (global, local) = match &all["full_attention"] {
            Json::Object(_) => (&all["full_attention"], &all["sliding_attention"]),
            _ => (all, &Json::Null),
        };
        let first = |places: [&Json; 2]| places.into_iter().find_map(Json::as_f64);
        let base = first([&global["rope_theta"], &self.json["rope_theta"]]);
        let local = first([&local["rope_theta"], &self.json["rope_local_base_freq"]]);
        metadata.extend(base.map(|base| (key("freq_base"), Value::Float(base))));
        metadata.extend(local.map(|base| (key("freq_base_swa"), Value::Float(base))));
        let scaling = if self.json["rope_scaling"].is_object() { &self.json["rope_scaling"] } else { global };
        let number = |field: &str| {
            let what = format!("config.json has no number {field} for its rotary scaling");
            scaling[field].as_f64().ok_or(LmError::Folder { path: self.folder.to_owned(), what })
        };
        let kind = [&scaling["rope_type"], &scaling["type"]].into_iter().find_map(Json::as_str).unwrap_or("default");
        match kind {
            "default" => {}
            "linear" => {
                metadata.insert(key("scaling.type"), Value::String("linear".into()));
                metadata.insert(key("scaling.factor"), Value::Float(number("factor")?));
            }
            "llama3" => {
                let dim = match metadata.get(&key("dimension_count")) {
                    Some(Value::Int(dim)) => *dim as usize,
                    _ => 0,
                };
                let wave = ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"];
                let [factor, low, high, original] = wave.map(number);
                let factors = llama3(dim, base.unwrap_or(1e4), factor?, [low?, high?], original?);
                tensors.insert("rope_freqs.weight".into(), TensorInfo::given(factors));
            }
            "longrope" => {
                let original = number("original_max_position_embeddings")
                    .or_else(|e| self.json["original_max_position_embeddings"].as_f64().ok_or(e))?;
                let longest = self.needed("max_position_embeddings")? as f64;
                for (field, name) in [("short_factor", "short"), ("long_factor", "long")] {
                    let list = scaling[field].as_array().filter(|list| !list.is_empty());
                    let factors: Option<Vec<f32>> =
                        list.and_then(|list| list.iter().map(|x| Some(x.as_f64()? as f32)).collect());
                    let what = format!("config.json has no list of numbers {field} for its rotary scaling");
                    let factors = factors.ok_or(LmError::Folder { path: self.folder.to_owned(), what })?;
                    tensors.insert(format!("rope_factors_{name}.weight"), TensorInfo::given(factors));
                }
                let usual = (1.0 + (longest / original).ln().max(0.0) / original.ln()).sqrt();
                let factor = scaling["attention_factor"].as_f64().unwrap_or(usual);
                metadata.insert(key("scaling.original_context_length"), Value::Int(original as i64));
                metadata.insert(key("scaling.attn_factor"), Value::Float(factor));
            }
            other => return Err(self.unsupported(format!("rotary scaling {other} is not supported"))),
        }
        Ok(())
    }
}

/// Factors of the wavelengths by `transformers`' rope_type llama3: long ones are stretched, short ones kept.
fn llama3(dim: usize, base: f64, factor: f64, [low, high]: [f64; 2], original: f64) -> Vec<f32> {
    let stretch = |i: usize| {
        let wavelength = std::f64::consts::TAU * base.powf(2.0 * i as f64 / dim as f64);
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..dim / 2).map(|i| stretch(i) as f32).collect()
}

type Placed = (Vec<Source>, HashMap<String, TensorInfo>);

/// The tensors of all files, under GGUF's names.
fn tensors(folder: &Path, config: &Config<'_>, architecture: Architecture) -> Result<Placed, LmError> {
    let broken = |what: String| LmError::Folder { path: folder.to_owned(), what };
    let io = |source| LmError::Io { path: folder.to_owned(), source };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(io)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("model") && name.ends_with(".safetensors")
    });
    paths.sort();
    if paths.is_empty() {
        return Err(broken("it has no model*.safetensors".into()));
    }
    let heads = config.needed("num_attention_heads")? as usize;
    let kv_heads = config.size("num_key_value_heads").map_or(heads, |n| n as usize);
    let tied = config.json["tie_word_embeddings"] == Json::Bool(true);
    let (mut files, mut all) = (Vec::new(), HashMap::new());
    for path in paths {
        let (file, found) = table(&path)?;
        for (name, mut info) in found {
            if name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight") {
                continue;
            }
            let known = gguf_name(&name, architecture).ok_or_else(|| broken(format!("tensor {name} is not known")))?;
            info.file = files.len();
            info.change = match architecture {
                Architecture::Llama if known.contains(".attn_q.") => Change::Paired { heads },
                Architecture::Llama if known.contains(".attn_k.") => Change::Paired { heads: kv_heads },
                Architecture::Gemma3 if known.ends_with("norm.weight") => Change::PlusOne,
                Architecture::Llama | Architecture::Gemma3 => Change::None,
                Architecture::Qwen2 | Architecture::Qwen3 | Architecture::Phi3 => Change::None,
            };
            if all.insert(known, info).is_some() {
                return Err(broken(format!("tensor {name} is there twice")));
            }
        }
        files.push(Source::File(file));
    }
    Ok((files, all))
}

type Table = (BufReader<File>, Vec<(String, TensorInfo)>);

/// Where the tensors of one file lie; every length is compared with that of the file.
fn table(path: &Path) -> Result<Table, LmError> {
    let io = |source| LmError::Io { path: path.to_owned(), source };
    let broken = |what: String| LmError::Folder { path: path.to_owned(), what };
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let mut file = BufReader::new(file);
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(io)?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size + 8 > len {
        return Err(broken(format!("a header of {size} bytes is declared and the file has {len}")));
    }
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header).map_err(io)?;
    let header: Json = serde_json::from_slice(&header).map_err(|e| broken(format!("its header is not JSON: {e}")))?;
    let mut all = Vec::new();
    for (name, about) in header.as_object().into_iter().flatten().filter(|(name, _)| *name != "__metadata__") {
        let wrong = || broken(format!("tensor {name}: {about}"));
        let dtype = match about["dtype"].as_str() {
            Some("F32") => GgmlDType::F32,
            Some("F16") => GgmlDType::F16,
            Some("BF16") => GgmlDType::BF16,
            _ => return Err(broken(format!("tensor {name} is {}; F32, F16 and BF16 are read", about["dtype"]))),
        };
        let list = |json: &Json| -> Option<Vec<u64>> { json.as_array()?.iter().map(Json::as_u64).collect() };
        let dims = list(&about["shape"]).ok_or_else(wrong)?;
        let offsets = list(&about["data_offsets"]).ok_or_else(wrong)?;
        let &[start, end] = offsets.as_slice() else { return Err(wrong()) };
        let numbers = dims.iter().try_fold(dtype.type_size() as u64, |product, &dim| product.checked_mul(dim));
        let inside = end.checked_add(8 + size).is_some_and(|end| end <= len);
        if !inside || end.checked_sub(start) != numbers || dims.is_empty() || dims.contains(&0) {
            return Err(wrong());
        }
        let dims = dims.into_iter().map(|dim| dim as usize).collect();
        all.push((name.clone(), TensorInfo::at(dtype, dims, 8 + size + start, (end - start) as usize)));
    }
    Ok((file, all))
}

fn gguf_name(name: &str, architecture: Architecture) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        "lm_head.weight" => return Some("output.weight".into()),
        _ => {}
    }
    let (index, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, kind) = rest.rsplit_once('.')?;
    let gemma = architecture == Architecture::Gemma3;
    let part = match module {
        "input_layernorm" => "attn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.qkv_proj" => "attn_qkv",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "post_attention_layernorm" if gemma => "post_attention_norm",
        "pre_feedforward_layernorm" if gemma => "ffn_norm",
        "post_feedforward_layernorm" if gemma => "post_ffw_norm",
        "post_attention_layernorm" => "ffn_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" | "mlp.gate_up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    index.parse::<usize>().ok()?;
    matches!(kind, "weight" | "bias").then(|| format!("blk.{index}.{part}.{kind}"))
}

/// Names, kinds and special ids of tokens; the rules stay in `tokenizer.json`, which the tokenizer reads itself.
fn tokens(
    folder: &Path,
    config: &Config<'_>,
    vocabulary: usize,
    metadata: &mut HashMap<String, Value>,
) -> Result<(), LmError> {
    let broken = |what: String| LmError::Folder { path: folder.to_owned(), what };
    let path = folder.join("tokenizer.json");
    let rules = json(folder, "tokenizer.json")?;
    let tokenizer = tokenizers::Tokenizer::from_file(&path).map_err(|e| broken(format!("tokenizer.json: {e}")))?;
    // Ids without a name are control tokens that no text can spell.
    let mut names: Vec<String> = (0..vocabulary).map(|id| format!("<|unused {id}|>")).collect();
    let mut kinds = vec![Value::UNKNOWN_TOKEN; vocabulary];
    for (name, id) in tokenizer.get_vocab(true) {
        let id = id as usize;
        if id >= vocabulary {
            return Err(broken(format!("tokenizer.json has a token {id} and the model embeds {vocabulary}")));
        }
        (names[id], kinds[id]) = (name, Value::NORMAL_TOKEN);
    }
    for added in rules["added_tokens"].as_array().into_iter().flatten() {
        let special = added["special"] == Json::Bool(true);
        if let Some(kind) = added["id"].as_u64().and_then(|id| kinds.get_mut(id as usize)) {
            *kind = if special { Value::CONTROL_TOKEN } else { Value::USER_TOKEN };
        }
    }
    let about = json(folder, "tokenizer_config.json").unwrap_or_default();
    let bytes = [&rules["pre_tokenizer"], &rules["decoder"]].iter().any(|part| part.to_string().contains("ByteLevel"));
    let model = if bytes { "gpt2" } else { "llama" };
    let id = |json: &Json| match json {
        Json::String(name) => tokenizer.token_to_id(name),
        Json::Object(token) => tokenizer.token_to_id(token.get("content")?.as_str()?),
        Json::Number(id) => id.as_u64().and_then(|id| u32::try_from(id).ok()),
        Json::Array(list) => list.first()?.as_u64().and_then(|id| u32::try_from(id).ok()),
        Json::Null | Json::Bool(_) => None,
    };
    let mut put = |key: &str, value: Value| metadata.insert(format!("tokenizer.{key}"), value);
    put("ggml.model", Value::String(model.into()));
    put("ggml.tokens", Value::Strings(names));
    put("ggml.token_type", Value::Ints(kinds));
    let bos = id(&about["bos_token"]).or_else(|| id(&config.json["bos_token_id"]));
    let eos = id(&about["eos_token"]).or_else(|| id(&config.json["eos_token_id"]));
    // Further tokens that end a turn.
    let generation = json(folder, "generation_config.json").unwrap_or_default();
    let ends = [&generation["eos_token_id"], &config.json["eos_token_id"]];
    let more = ends.iter().filter_map(|ends| ends.as_array()).flatten().filter_map(id).find(|&id| Some(id) != eos);
    for (name, id) in [("bos", bos), ("eos", eos), ("eot", more)] {
        id.map(|id| put(&format!("ggml.{name}_token_id"), Value::Int(id.into())));
    }
    let begins =
        tokenizer.encode_fast("", true).is_ok_and(|all| all.get_ids().first().copied() == bos && bos.is_some());
    put("ggml.add_bos_token", Value::Bool(begins));
    let beside = std::fs::read_to_string(folder.join("chat_template.jinja")).ok();
    let template = match &about["chat_template"] {
        Json::String(text) => Some(text.clone()),
        Json::Array(all) => {
            let usual = all.iter().find(|one| one["name"] == "default");
            usual.and_then(|one| one["template"].as_str()).map(str::to_owned)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => None,
    };
    beside.or(template).map(|text| put("chat_template", Value::String(text)));
    Ok(())
}
