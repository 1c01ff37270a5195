//! The engine from outside: random weights written, loaded, generated from. No Python, no download. One test binary: each would
//! link candle again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod engine;
mod files;
mod folder;
mod forms;
mod logits;
mod segments;
mod text;

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::quantized::GgmlDType;
use sectora_lm::random::{RandomShape, write_gguf};
use sectora_lm::{Architecture, ChatMessage, Generation, Model, Options, Sampling};

/// A file of random weights.
struct Tiny {
    dir: tempfile::TempDir,
}

impl Tiny {
    fn new(architecture: Architecture) -> Tiny {
        Tiny::of(&RandomShape::tiny(architecture), GgmlDType::F32)
    }

    fn of(shape: &RandomShape, quant: GgmlDType) -> Tiny {
        let dir = tempfile::tempdir().unwrap();
        write_gguf(shape, quant, &dir.path().join("tiny.gguf"), 11).unwrap();
        Tiny { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("tiny.gguf")
    }

    fn open(&self, options: &Options) -> Model {
        Model::open(&self.path(), options).unwrap()
    }

    fn model(&self) -> Model {
        self.open(&Options::default())
    }
}

/// Everything that was written, and how it ended.
fn write(model: &mut Model, prompt: &str, sampling: &Sampling) -> (String, Generation) {
    let prompt = model.prompt(&[ChatMessage::user(prompt)]).unwrap();
    let mut text = String::new();
    let generation = model.generate(&prompt, sampling, &|| false, &mut |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    });
    (text, generation.unwrap())
}

fn sampling(max_tokens: usize) -> Sampling {
    Sampling { max_tokens, ..Sampling::default() }
}
