use std::collections::HashMap;

use candle_core::safetensors;

use super::super::dot;
use super::super::tiny::numbers;
use super::*;

const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cell", "anode", "전해질", "lithium"];

/// A BERT of 8 words, 16 dimensions and 2 layers with arbitrary weights.
fn tiny(folder: &Path) {
    let config = serde_json::json!({
        "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 32, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
        "max_position_embeddings": 12, "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    });
    fs_err::write(folder.join("config.json"), config.to_string()).unwrap();
    let vocab: HashMap<&str, usize> = WORDS.iter().enumerate().map(|(i, w)| (*w, i)).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
    });
    fs_err::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    // Fixed weights in -1..1: a test on other weights each time would be another test each time.
    let mut numbers = numbers("encoder");
    let mut next = move || numbers.next().unwrap() * 2.0 - 1.0;
    let mut add = |name: &str, shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    add("embeddings.word_embeddings.weight", &[WORDS.len(), 16]);
    add("embeddings.position_embeddings.weight", &[12, 16]);
    add("embeddings.token_type_embeddings.weight", &[2, 16]);
    let norms = ["embeddings".to_owned()]
        .into_iter()
        .chain((0..2).flat_map(|l| ["attention.output", "output"].map(|p| format!("encoder.layer.{l}.{p}"))));
    for norm in norms {
        add(&format!("{norm}.LayerNorm.weight"), &[16]);
        add(&format!("{norm}.LayerNorm.bias"), &[16]);
    }
    for layer in 0..2 {
        for (name, out, inp) in [
            ("attention.self.query", 16, 16),
            ("attention.self.key", 16, 16),
            ("attention.self.value", 16, 16),
            ("attention.output.dense", 16, 16),
            ("intermediate.dense", 32, 16),
            ("output.dense", 16, 32),
        ] {
            add(&format!("encoder.layer.{layer}.{name}.weight"), &[out, inp]);
            add(&format!("encoder.layer.{layer}.{name}.bias"), &[out]);
        }
    }
    safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

fn tiny_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    tiny(dir.path());
    dir
}

/// Writes `modules.json` with these modules after the transformer, each with its `config.json`.
fn modules(folder: &Path, modules: &[(&str, serde_json::Value)]) {
    let mut lines = vec![serde_json::json!({ "path": "", "type": "sentence_transformers.models.Transformer" })];
    for (i, (class, config)) in modules.iter().enumerate() {
        let path = format!("{}_{class}", i + 1);
        fs_err::create_dir_all(folder.join(&path)).unwrap();
        fs_err::write(folder.join(&path).join("config.json"), config.to_string()).unwrap();
        lines.push(serde_json::json!({ "path": path, "type": format!("sentence_transformers.anywhere.{class}") }));
    }
    fs_err::write(folder.join("modules.json"), serde_json::to_string(&lines).unwrap()).unwrap();
}

fn one(encoder: &TransformerEncoder, text: &str, side: Side) -> Vec<f32> {
    encoder.embed(&[text], side).unwrap().remove(0)
}

#[test]
fn batched_equals_single_and_order_is_kept() {
    let dir = tiny_folder();
    let encoder = TransformerEncoder::open(dir.path()).unwrap();
    let texts = ["lithium cell anode 전해질 cell", "cell", "전해질 lithium", ""];
    let together = encoder.embed(&texts, Side::Document).unwrap();
    for (text, vector) in texts.iter().zip(&together) {
        let alone = encoder.embed(&[text], Side::Document).unwrap();
        assert!(dot(&alone[0], vector) > 0.99999, "{text}");
        assert!((dot(vector, vector) - 1.0).abs() < 1e-5, "unit length");
    }
    let apart = together[0].iter().zip(&together[1]).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(apart > 1e-4, "different texts differ, here by {apart}");
    assert!(encoder.embed(&[], Side::Query).unwrap().is_empty());
}

#[test]
fn with_eight_bits_the_vectors_are_nearly_the_same_and_the_name_says_so() {
    let dir = tiny_folder();
    // Widths that are multiples of 32, unlike the tiny model's 16, are those of `inner`; the others stay as they are.
    let full = TransformerEncoder::open(dir.path()).unwrap();
    let options = EncoderOptions { int8: true, threads: 2, ..EncoderOptions::default() };
    let rounded = TransformerEncoder::open_with(dir.path(), &options).unwrap();
    assert_eq!(rounded.id(), format!("{}+int8", full.id()));
    let text = "lithium cell anode 전해질";
    let (a, b) = (one(&full, text, Side::Document), one(&rounded, text, Side::Document));
    let same = dot(&a, &b);
    assert!(same > 0.999 && same < 1.0 - 1e-9, "rounded, and little: {same}");
    let other = one(&rounded, "cell", Side::Document);
    assert_eq!(one(&rounded, "cell", Side::Document), other, "the same every time");
}

#[test]
fn a_sparse_head_is_used_where_asked_for_and_the_name_says_so() {
    let dir = tiny_folder();
    let asked = EncoderOptions { sparse: true, ..EncoderOptions::default() };
    let without = TransformerEncoder::open_with(dir.path(), &asked).unwrap();
    assert!(!without.learns_weights(), "the folder has none");
    let weight: Vec<f32> = (0..16).map(|i| if i % 2 == 0 { 1.0 } else { -0.5 }).collect();
    let tensors = HashMap::from([
        ("weight", Tensor::from_vec(weight, (1, 16), &Device::Cpu).unwrap()),
        ("bias", Tensor::from_vec(vec![4.0f32], 1, &Device::Cpu).unwrap()),
    ]);
    safetensors::save(&tensors, dir.path().join("sparse_linear.safetensors")).unwrap();
    let plain = TransformerEncoder::open(dir.path()).unwrap();
    assert_eq!(plain.id(), without.id());
    assert!(plain.encode(&["cell"], Side::Query).unwrap()[0].learned.is_none(), "nobody asked for it");
    let encoder = TransformerEncoder::open_with(dir.path(), &asked).unwrap();
    assert!(encoder.learns_weights() && encoder.id().starts_with(&format!("{}+sparse@", plain.id())));
    let texts = ["lithium cell anode cell", "anode"];
    let together = encoder.encode(&texts, Side::Document).unwrap();
    for (text, both) in texts.iter().zip(&together) {
        assert!(dot(&both.dense, &one(&plain, text, Side::Document)) > 0.99999, "vectors stay as they are");
        let alone = encoder.encode(&[text], Side::Document).unwrap().remove(0).learned.unwrap();
        let learned = both.learned.as_ref().unwrap();
        assert_eq!(learned.indices, alone.indices);
        assert!(learned.values.iter().zip(&alone.values).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    let ids = &together[0].learned.as_ref().unwrap().indices;
    assert!(ids.contains(&4) && ids.is_sorted_by(|a, b| a < b), "a word said twice is weighed once: {ids:?}");
}

#[test]
fn late_chunks_see_their_neighbours_and_are_the_mean_of_their_own_tokens() {
    let dir = tiny_folder();
    let plain = TransformerEncoder::open(dir.path()).unwrap();
    let late = EncoderOptions { late: true, ..EncoderOptions::default() };
    let encoder = TransformerEncoder::open_with(dir.path(), &late).unwrap();
    assert!(encoder.sees_neighbours() && encoder.id() == format!("{}+late", plain.id()));
    let together = |chunks: &[&str]| -> Vec<Vec<f32>> {
        encoder.encode_together("", chunks).unwrap().into_iter().map(|e| e.dense).collect()
    };
    // One window of [CLS] cell anode lithium [SEP]: the mean of its three words is made of those of both chunks.
    let (whole, two) = (together(&["cell anode lithium"]), together(&["cell anode", "lithium"]));
    let pooling = |chunk: std::ops::Range<usize>| {
        let batch = Batch::new(&encoder.tokenize(&["cell anode lithium"], Side::Document).unwrap());
        encoder.pooled(&batch, &[chunk], 0).unwrap().remove(0).dense
    };
    assert!(dot(&whole[0], &pooling(1..4)) > 0.99999);
    assert!(dot(&two[0], &pooling(1..3)) > 0.99999 && dot(&two[1], &pooling(3..4)) > 0.99999);
    let alone = together(&["lithium"]);
    assert!(dot(&alone[0], &two[1]) < 0.9999, "beside others it is another vector");
    // Twelve positions hold ten words: eleven are two windows, and a chunk of twenty is cut.
    assert_eq!(together(&["cell ".repeat(6).as_str(), "anode ".repeat(5).as_str(), "cell"]).len(), 3);
    assert_eq!(encoder.cut(), 0);
    together(&["cell ".repeat(20).as_str()]);
    assert_eq!(encoder.cut(), 1);
    let without: Vec<_> = plain.encode_together("cell", &["anode"]).unwrap();
    assert!(dot(&without[0].dense, &one(&plain, "cell\nanode", Side::Document)) > 0.99999);
    modules(dir.path(), &[("Pooling", serde_json::json!({ "pooling_mode": "cls" }))]);
    assert!(!TransformerEncoder::open_with(dir.path(), &late).unwrap().sees_neighbours(), "a first token has no share");
}

#[test]
fn the_folder_says_how_many_dimensions_to_keep_unless_told_otherwise() {
    let dir = tiny_folder();
    let whole = one(&TransformerEncoder::open(dir.path()).unwrap(), "cell anode", Side::Document);
    let stated = dir.path().join("config_sentence_transformers.json");
    fs_err::write(&stated, r#"{"truncate_dim": 6}"#).unwrap();
    let encoder = TransformerEncoder::open(dir.path()).unwrap();
    assert_eq!(encoder.dim(), 6);
    let kept = one(&encoder, "cell anode", Side::Document);
    let norm = whole[..6].iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!(kept.iter().zip(&whole).all(|(k, w)| (k - w / norm).abs() < 1e-5), "the first ones, of length 1 again");
    let options = EncoderOptions { truncate_dim: Some(4), ..EncoderOptions::default() };
    assert_eq!(TransformerEncoder::open_with(dir.path(), &options).unwrap().dim(), 4);
    fs_err::write(&stated, r#"{"truncate_dim": 99}"#).unwrap();
    assert!(TransformerEncoder::open(dir.path()).err().unwrap().to_string().contains("99"));
}

#[test]
fn a_text_longer_than_the_model_reads_is_cut() {
    let dir = tiny_folder();
    let encoder = TransformerEncoder::open(dir.path()).unwrap();
    let long = "cell ".repeat(500);
    let cut = "cell ".repeat(10);
    let vectors = encoder.embed(&[&long, &cut], Side::Document).unwrap();
    assert!(dot(&vectors[0], &vectors[1]) > 0.99999);
    assert_eq!(encoder.cut(), 1, "the text of ten words fits");
}

#[test]
fn the_modules_of_the_folder_are_applied_in_their_order() {
    let dir = tiny_folder();
    let cls = ("Pooling", serde_json::json!({ "pooling_mode": "cls" }));
    modules(dir.path(), std::slice::from_ref(&cls));
    let plain = one(&TransformerEncoder::open(dir.path()).unwrap(), "cell anode", Side::Document);
    assert_eq!(plain.len(), 16);
    let norm = dot(&plain, &plain).sqrt();
    assert!((norm - 1.0).abs() > 0.01, "not normalised unless the folder says so: {norm}");
    // A dense layer that doubles the first three and hands them through tanh.
    let activation = "torch.nn.modules.activation.Tanh";
    let dense =
        serde_json::json!({ "in_features": 16, "out_features": 3, "bias": false, "activation_function": activation });
    modules(dir.path(), &[cls.clone(), ("Dense", dense.clone()), ("Normalize", serde_json::json!({}))]);
    let weight: Vec<f32> = (0..48).map(|i| if i % 16 == i / 16 { 2.0 } else { 0.0 }).collect();
    let weight = HashMap::from([("linear.weight", Tensor::from_vec(weight, (3, 16), &Device::Cpu).unwrap())]);
    safetensors::save(&weight, dir.path().join("2_Dense/model.safetensors")).unwrap();
    let encoder = TransformerEncoder::open(dir.path()).unwrap();
    let mut wanted: Vec<f32> = plain[..3].iter().map(|x| (2.0 * x).tanh()).collect();
    normalise(&mut wanted);
    let made = one(&encoder, "cell anode", Side::Document);
    assert!(encoder.dim() == 3 && made.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{made:?} {wanted:?}");
    // Matryoshka: the first dimensions, normed again.
    let options = EncoderOptions { truncate_dim: Some(2), ..EncoderOptions::default() };
    let short = TransformerEncoder::open_with(dir.path(), &options).unwrap();
    wanted.truncate(2);
    normalise(&mut wanted);
    assert!(one(&short, "cell anode", Side::Document).iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-5));
    let options = EncoderOptions { truncate_dim: Some(4), ..EncoderOptions::default() };
    assert!(TransformerEncoder::open_with(dir.path(), &options).is_err());
}

#[test]
fn a_module_that_is_not_understood_is_refused_by_name() {
    let dir = tiny_folder();
    let pooling = ("Pooling", serde_json::json!({ "pooling_mode_mean_tokens": true }));
    let dense = |key: &str, value: serde_json::Value| {
        let mut config = serde_json::json!({ "in_features": 16, "out_features": 3 });
        config[key] = value;
        ("Dense", config)
    };
    for (second, named) in [
        (("LSTM", serde_json::json!({})), "LSTM"),
        (("Pooling", serde_json::json!({ "pooling_mode": "mean" })), "Pooling"),
        (dense("activation_function", "my.Own".into()), "my.Own"),
        (dense("in_features", 17.into()), "17"),
        (dense("use_residual", true.into()), "use_residual"),
    ] {
        modules(dir.path(), &[pooling.clone(), second]);
        let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
    }
    modules(dir.path(), &[]);
    let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("Pooling"), "{error}");
}

#[test]
fn questions_and_documents_have_the_prefixes_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("small-e5");
    fs_err::create_dir(&folder).unwrap();
    tiny(&folder);
    let stated = folder.join("config_sentence_transformers.json");
    let prompts = |json: &str| {
        fs_err::write(&stated, json).unwrap();
        TransformerEncoder::open(&folder).unwrap()
    };
    let plain = prompts(r#"{"prompts": {"query": "", "document": " "}}"#);
    let wanted = one(&plain, "cell anode", Side::Query);
    let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    let stated = prompts(r#"{"prompts": {"query": "cell ", "passage": "lithium "}}"#);
    assert!(same(&one(&stated, "anode", Side::Query), &wanted));
    assert!(same(&one(&stated, "anode", Side::Document), &one(&plain, "lithium anode", Side::Query)));
    let default = prompts(r#"{"prompts": {"s2p": "cell "}, "default_prompt_name": "s2p"}"#);
    assert!(same(&one(&default, "anode", Side::Document), &wanted));
    let by_name = prompts(r#"{"prompts": {"query": "", "document": ""}}"#);
    assert!(same(&one(&by_name, "anode", Side::Query), &one(&plain, "query: anode", Side::Query)));
    assert!(same(&one(&by_name, "anode", Side::Document), &one(&plain, "passage: anode", Side::Query)));
    // A prefix that does not count in the mean is still read.
    let pooling = serde_json::json!({ "pooling_mode": "mean", "include_prompt": false });
    modules(&folder, &[("Pooling", pooling)]);
    let prefixed = prompts(r#"{"prompts": {"query": "cell "}}"#);
    assert_eq!(prefixed.skipped, [2, 0], "[CLS] and one word");
}

#[test]
fn what_is_missing_or_unsupported_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("config.json") && error.contains("sentence-transformers"), "{error}");
    tiny(dir.path());
    fs_err::write(dir.path().join("model.safetensors"), b"rubbish").unwrap();
    let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
    fs_err::write(dir.path().join("config.json"), r#"{"model_type":"t5"}"#).unwrap();
    let error = TransformerEncoder::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("`t5`"), "{error}");
}

/// `SECTORA_TEST_MINILM` names a folder with all-MiniLM-L6-v2; the figures are sentence-transformers' own.
#[test]
fn the_real_minilm_knows_what_belongs_together() {
    let Some(folder) = std::env::var_os("SECTORA_TEST_MINILM") else {
        eprintln!("skipped: SECTORA_TEST_MINILM is not set");
        return;
    };
    let encoder = TransformerEncoder::open(Path::new(&folder)).unwrap();
    let texts = ["A battery stores energy.", "Energy is kept in an accumulator.", "The poem was written in spring."];
    let vectors = encoder.embed(&texts, Side::Document).unwrap();
    assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]) + 0.2);
}
