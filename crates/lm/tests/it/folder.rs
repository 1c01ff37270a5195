//! A Hugging Face folder gives what the GGUF file of the same weights gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sectora_lm::gguf::Gguf;
use sectora_lm::lora::{Lora, LoraOptions, merge};
use sectora_lm::random::{RandomShape, write_gguf};
use sectora_lm::{Architecture, Decoder, Kv, Memory, Model, Options, Tokenizer};
use serde_json::json;

use candle_core::Device;
use candle_core::quantized::GgmlDType;

use super::{sampling, write_after};

/// Shape and numbers by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A tiny GGUF and a folder with the same weights, written in the other form.
struct Both {
    folder: tempfile::TempDir,
    file: PathBuf,
    tensors: Tensors,
}

impl Both {
    fn new(architecture: Architecture) -> Both {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("same.gguf");
        let shape = RandomShape { tied: architecture != Architecture::Llama, ..RandomShape::tiny(architecture) };
        write_gguf(&shape, GgmlDType::F32, &file, 5).unwrap();
        let mut gguf = Gguf::open(&file).unwrap();
        let names: Vec<String> = gguf.tensor_names().map(str::to_owned).collect();
        let mut tensors = BTreeMap::new();
        for name in names {
            let dims = gguf.info(&name).unwrap().dims.clone();
            let tensor = gguf.tensor(&name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
            let mut numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            match architecture {
                Architecture::Llama if name.contains("attn_q.") => numbers = halves(&numbers, dims[0], shape.heads),
                Architecture::Llama if name.contains("attn_k.") => numbers = halves(&numbers, dims[0], shape.kv_heads),
                Architecture::Gemma3 if name.ends_with("norm.weight") => numbers.iter_mut().for_each(|x| *x -= 1.0),
                _ => {}
            }
            tensors.insert(theirs(&name, architecture), (dims, numbers));
        }
        write_safetensors(&folder.path().join("model.safetensors"), &tensors, GgmlDType::F32);
        let model_type = match architecture {
            Architecture::Gemma3 => "gemma3_text",
            other => other.name(),
        };
        let gelu = if architecture == Architecture::Gemma3 { "gelu_pytorch_tanh" } else { "silu" };
        let config = json!({
            "model_type": model_type, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "max_position_embeddings": 512,
            "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "rope_local_base_freq": 10000.0, "hidden_act": gelu,
            "tie_word_embeddings": architecture != Architecture::Llama, "eos_token_id": 287,
            "sliding_window": if architecture == Architecture::Gemma3 { json!(16) } else { json!(null) },
        });
        let write = |name: &str, json: &serde_json::Value| {
            std::fs::write(folder.path().join(name), json.to_string()).unwrap();
        };
        write("config.json", &config);
        write("tokenizer.json", &tokenizer(&gguf));
        write(
            "tokenizer_config.json",
            &json!({ "chat_template": "{{ messages[0].content }}", "eos_token": "<|im_end|>" }),
        );
        // Beside the GGUF file the rules of the folder would win.
        let apart = tempfile::tempdir().unwrap().keep();
        let moved = apart.join("same.gguf");
        std::fs::rename(&file, &moved).unwrap();
        Both { folder, file: moved, tensors }
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.file.parent().unwrap());
    }
}

/// Rows of each head from neighbouring pairs to halves.
fn halves(numbers: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let (width, head) = (numbers.len() / rows, rows / heads);
    let row = |index: usize| {
        let (first, within) = (index / head * head, index % head);
        let from = first + within % (head / 2) * 2 + within / (head / 2);
        &numbers[from * width..(from + 1) * width]
    };
    (0..rows).flat_map(row).copied().collect()
}

fn theirs(name: &str, architecture: Architecture) -> String {
    match name {
        "token_embd.weight" => return "model.embed_tokens.weight".into(),
        "output_norm.weight" => return "model.norm.weight".into(),
        "output.weight" => return "lm_head.weight".into(),
        _ => {}
    }
    let mut parts = name.splitn(4, '.').skip(1);
    let (index, part, kind) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let module = match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_qkv" => "self_attn.qkv_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "ffn_norm" if architecture == Architecture::Gemma3 => "pre_feedforward_layernorm",
        "ffn_norm" | "post_attention_norm" => "post_attention_layernorm",
        "post_ffw_norm" => "post_feedforward_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" if architecture == Architecture::Phi3 => "mlp.gate_up_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        other => panic!("{other}"),
    };
    format!("model.layers.{index}.{module}.{kind}")
}

/// A number of this type: what it is, and its bytes.
fn stored(x: f32, dtype: GgmlDType) -> (f32, Vec<u8>) {
    match dtype {
        GgmlDType::F32 => (x, x.to_le_bytes().to_vec()),
        GgmlDType::F16 => {
            let half = half::f16::from_f32(x);
            (half.to_f32(), half.to_le_bytes().to_vec())
        }
        GgmlDType::BF16 => {
            let half = half::bf16::from_f32(x);
            (half.to_f32(), half.to_le_bytes().to_vec())
        }
        other => panic!("{other:?}"),
    }
}

fn write_safetensors(path: &Path, tensors: &Tensors, dtype: GgmlDType) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let kind = format!("{dtype:?}");
    for (name, (dims, numbers)) in tensors {
        let start = data.len();
        numbers.iter().for_each(|&x| data.extend(stored(x, dtype).1));
        header.insert(name.clone(), json!({ "dtype": kind, "shape": dims, "data_offsets": [start, data.len()] }));
    }
    let header = serde_json::Value::Object(header).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    std::fs::write(path, bytes).unwrap();
}

/// The tokens of the file as byte-level BPE.
fn tokenizer(gguf: &Gguf) -> serde_json::Value {
    let names = gguf.strings("tokenizer.ggml.tokens").unwrap();
    let vocab: serde_json::Map<String, _> =
        names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    let special: Vec<_> = (names.len() - 3..names.len())
        .map(|id| {
            json!({
                "id": id, "content": names[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": special, "normalizer": null,
        "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": ["a b"],
        },
    })
}

#[test]
fn a_folder_gives_the_logits_of_the_file_with_the_same_weights() {
    for architecture in Architecture::ALL {
        let both = Both::new(architecture);
        let logits = |path: &Path| {
            let mut decoder = Decoder::open(&mut Gguf::open(path).unwrap(), &Options::default()).unwrap();
            decoder.forward_all(&[5, 17, 200, 33, 5, 90]).unwrap()
        };
        let (expect, found) = (logits(&both.file), logits(both.folder.path()));
        assert!(expect.iter().any(|x| x.abs() > 0.1), "{architecture:?}: the logits say nothing");
        // Gemma's norms lose a last bit where 1 is taken away and added again.
        let limit = if architecture == Architecture::Gemma3 { 1e-4 } else { 0.0 };
        let difference = expect.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(expect.len() == found.len() && difference <= limit, "{architecture:?}: {difference}");
    }
}

#[test]
fn numbers_of_16_bits_give_the_logits_that_they_give_in_32() {
    for architecture in Architecture::ALL {
        let both = Both::new(architecture);
        let weights = both.folder.path().join("model.safetensors");
        let logits = |quantize: bool| {
            let mut gguf = Gguf::open(both.folder.path()).unwrap();
            if quantize {
                gguf.quantize();
            }
            let options = Options { kv: Kv::F32, ..Options::default() };
            Decoder::open(&mut gguf, &options).unwrap().forward_all(&[5, 17, 200, 33, 5, 90]).unwrap()
        };
        for dtype in [GgmlDType::F16, GgmlDType::BF16] {
            let mut rounded = both.tensors.clone();
            rounded.values_mut().flat_map(|(_, numbers)| numbers).for_each(|x| *x = stored(*x, dtype).0);
            write_safetensors(&weights, &rounded, GgmlDType::F32);
            let expect = [false, true].map(logits);
            write_safetensors(&weights, &rounded, dtype);
            let gguf = Gguf::open(both.folder.path()).unwrap();
            let are_read_as_such = gguf.tensor_names().all(|name| gguf.info(name).unwrap().dtype == dtype);
            assert!(are_read_as_such, "{architecture:?} {dtype:?}");
            for (expect, found) in expect.iter().zip(&[false, true].map(logits)) {
                let difference = expect.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(expect.len() == found.len() && difference < 1e-4, "{architecture:?} {dtype:?}: {difference}");
            }
        }
    }
}

#[test]
fn a_folder_speaks_with_its_own_tokenizer_and_template_and_can_be_quantized() {
    let both = Both::new(Architecture::Qwen3);
    let exact = Options::default();
    let small = Options { quantize: true, ..Options::default() };
    let size = |options| Memory::plan(both.folder.path(), options).unwrap().weights;
    assert!(size(&small) * 3 < size(&exact), "{} {}", size(&small), size(&exact));
    for options in [exact, small] {
        let mut model = Model::open(both.folder.path(), &options).unwrap();
        let messages = [sectora_lm::ChatMessage::user("cab <|im_end|>")];
        let prompt = model.prompt(&messages).unwrap();
        assert_eq!(model.tokenizer().decode(&prompt), "cab < |im_end|>", "a message cannot spell a control token");
        assert!(model.tokenizer().is_end(287));
        assert!(write_after(&mut model, &prompt, &sampling(5), None).1.completion_tokens <= 5);
    }
}

#[test]
fn a_model_merged_from_a_folder_keeps_its_tokenizer_and_overwrites_no_other() {
    let both = Both::new(Architecture::Qwen3);
    let mut gguf = Gguf::open(both.folder.path()).unwrap();
    let lora = Lora::open(&mut gguf, &LoraOptions { rank: 2, window: 64, ..LoraOptions::default() }).unwrap();
    let out = tempfile::tempdir().unwrap();
    let merged = out.path().join("model.gguf");
    merge(&mut gguf, lora.adapters(), &[], &merged).unwrap();
    let encode = |gguf: &Gguf| Tokenizer::from_gguf(gguf).unwrap().encode("cab 12 <|im_end|>").unwrap();
    let ids = encode(&gguf);
    // The pair that only the folder's rules merge.
    assert!(ids.contains(&256), "{ids:?}");
    assert_eq!(encode(&Gguf::open(&merged).unwrap()), ids);

    let rules = out.path().join("tokenizer.json");
    merge(&mut gguf, lora.adapters(), &[], &merged).unwrap();
    std::fs::write(&rules, "{}").unwrap();
    let error = merge(&mut gguf, lora.adapters(), &[], &merged).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json") && error.contains("a folder of its own"), "{error}");
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), "{}");
}

#[test]
fn rules_beside_a_file_that_know_a_token_it_lacks_are_refused() {
    let both = Both::new(Architecture::Qwen3);
    let gguf = Gguf::open(&both.file).unwrap();
    let rules = std::fs::read_to_string(both.folder.path().join("tokenizer.json")).unwrap();
    // As many tokens as before.
    let other = rules.replace("\"ab\":256", "\"ab\":9999");
    assert_ne!(rules, other);
    for (rules, is_good) in [(rules, true), (other, false)] {
        std::fs::write(both.file.with_file_name("tokenizer.json"), rules).unwrap();
        match Tokenizer::from_gguf(&gguf) {
            Ok(_) => assert!(is_good),
            Err(error) => assert!(!is_good && error.to_string().contains("\"ab\" has the id 9999"), "{error}"),
        }
    }
}

#[test]
fn a_folder_that_lacks_something_or_asks_for_what_is_not_there_says_so() {
    let both = Both::new(Architecture::Llama);
    let path = |name: &str| both.folder.path().join(name);
    let refused = |expect: &str| {
        let error = Gguf::open(both.folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let change = |name: &str, from: &str, to: &str, expect: &str| {
        let before = std::fs::read_to_string(path(name)).unwrap();
        assert!(before.contains(from), "{from}");
        std::fs::write(path(name), before.replace(from, to)).unwrap();
        refused(expect);
        std::fs::write(path(name), before).unwrap();
    };
    change("config.json", "\"llama\"", "\"mixtral\"", "model_type is mixtral");
    change("config.json", "\"num_attention_heads\":4", "\"num_attention_heads\":-4", "num_attention_heads");
    change(
        "config.json",
        "\"rope_theta\"",
        "\"rope_scaling\":{\"rope_type\":\"yarn\"},\"rope_theta\"",
        "rotary scaling yarn",
    );
    for (factors, lacking) in [("[1.5]", "long_factor"), ("[1.5,\"x\"]", "short_factor"), ("[]", "short_factor")] {
        let scaling = format!(
            "\"rope_scaling\":{{\"rope_type\":\"longrope\",\"original_max_position_embeddings\":256,\
             \"short_factor\":{factors}}},\"rope_theta\""
        );
        change("config.json", "\"rope_theta\"", &scaling, &format!("no list of numbers {lacking}"));
    }
    change("config.json", "\"silu\"", "\"relu\"", "activation is relu");
    for wrong in ["\"partial_rotary_factor\":-2.0", "\"head_dim\":1000000000000"] {
        change("config.json", "\"rope_theta\"", &format!("{wrong},\"rope_theta\""), "partial_rotary_factor is");
    }
    change("config.json", "{", "", "config.json is not JSON");
    change("tokenizer.json", "\"ab\":256", "\"ab\":9999", "token 9999");
    let whole = std::fs::read(path("model.safetensors")).unwrap();
    for length in [0, 7, 8, 100, whole.len() - 1] {
        std::fs::write(path("model.safetensors"), &whole[..length]).unwrap();
        assert!(Gguf::open(both.folder.path()).is_err(), "cut to {length} bytes");
    }
    let mut huge = whole.clone();
    huge[..8].fill(0xff);
    std::fs::write(path("model.safetensors"), &huge).unwrap();
    refused("a header of 18446744073709551615 bytes");
    std::fs::remove_file(path("model.safetensors")).unwrap();
    refused("no model*.safetensors");
    std::fs::remove_file(path("config.json")).unwrap();
    refused("no config.json in it; a model folder holds");
}
