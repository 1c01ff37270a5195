//! Files: quantized, damaged, and written by others.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use sectora_lm::gguf::Gguf;
use sectora_lm::{Architecture, Finish, Model, Options, Sampling, Tokenizer};

use super::{Tiny, endless, sampling, wide, write};

#[test]
fn quantized_weights_load_and_generate() {
    let shape = wide(Architecture::Qwen3, 4, 64);
    for quant in [GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q6K, GgmlDType::F16] {
        let mut model = Tiny::of(&shape, quant).model();
        let unending = Sampling { logit_bias: endless(&model), ..sampling(4) };
        let (_, generation) = write(&mut model, "x", &unending);
        assert_eq!((generation.finish, generation.completion_tokens), (Finish::Length, 4), "{quant:?}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_not_a_panic() {
    let tiny = Tiny::new(Architecture::Gemma3);
    let bytes = std::fs::read(tiny.path()).unwrap();
    let cut = tiny.dir.path().join("cut.gguf");
    for length in (0..bytes.len()).step_by(bytes.len() / 97) {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        assert!(Model::open(&cut, &Options::default()).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn files_with_flipped_bytes_in_the_header_never_panic() {
    let tiny = Tiny::new(Architecture::Llama);
    let mut bytes = std::fs::read(tiny.path()).unwrap();
    let damaged = tiny.dir.path().join("damaged.gguf");
    for at in (0..4096.min(bytes.len())).step_by(29) {
        for flip in [0xFF, 0x01] {
            bytes[at] ^= flip;
            std::fs::write(&damaged, &bytes).unwrap();
            if let Ok(mut model) = Model::open(&damaged, &Options::default()) {
                let _ = model.generate(&[1, 2, 3], &sampling(2), &|| false, &mut |_| ControlFlow::Continue(()));
            }
            bytes[at] ^= flip;
        }
    }
}

/// `shared/data` next to the repository, or nothing.
fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SECTORA_SHARED_DATA").map(PathBuf::from);
    let root = root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let path = root.join(path);
    if !path.exists() {
        eprintln!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn foreign_files_are_refused_with_a_reason() {
    let Some(folder) = shared("models") else { return };
    let cases = [
        ("gguf_fixtures/empty.gguf", ""),
        ("gguf_fixtures/tiny.gguf", ""),
        ("gguf_fixtures/tiny.safetensors", "GGUF"),
        ("gguf_fixtures/mnist.onnx", "GGUF"),
        ("ggml_vocab_llama/ggml-vocab-llama.gguf", "token_embd.weight"),
        ("gguf_fixtures", "not a usable model folder: no config.json"),
    ];
    for (file, expect) in cases {
        let error = Model::open(&folder.join(file), &Options::default()).err().unwrap().to_string();
        assert!(error.contains(expect), "{file}: {error}");
        println!("{error}");
    }
}

#[test]
fn the_llama_vocabulary_encodes_as_sentencepiece_does() {
    let Some(path) = shared("models/ggml_vocab_llama/ggml-vocab-llama.gguf") else { return };
    let gguf = Gguf::open(&path).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
    // From llama.cpp's tests/test-tokenizer-0-llama for the same vocabulary, after the token 1 that begins a text.
    let cases: [(&str, &[u32]); 5] = [
        ("Hello world", &[15043, 3186]),
        (" Hello World!", &[29871, 15043, 2787, 29991]),
        ("this is 🦙.cpp", &[445, 338, 29871, 243, 162, 169, 156, 29889, 8223]),
        ("нещо на Български", &[1538, 4851, 665, 1386, 29713, 1305]),
        ("   Hello", &[1678, 15043]),
    ];
    for (text, expect) in cases {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!((ids[0], &ids[1..]), (1, expect), "{text}");
        assert_eq!(tokenizer.decode(&ids).trim_start(), text.trim_start());
    }
    let korean = "전고체 전지의 이온 전도도는 1.2 mS/cm이다.";
    assert_eq!(tokenizer.decode(&tokenizer.encode(korean).unwrap()).trim(), korean);
}
