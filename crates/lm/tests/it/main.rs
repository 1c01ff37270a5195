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
use sectora_lm::{Architecture, ChatMessage, Event, Form, Generation, Model, Options, Prompt, Sampling, Ticket};

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

/// Rows of 256 numbers, which fill the blocks of every quantization.
fn wide(architecture: Architecture, heads: usize, head_dim: usize) -> RandomShape {
    RandomShape { hidden: 256, feed_forward: 256, heads, head_dim, ..RandomShape::tiny(architecture) }
}

/// A model of floats and quantized ones, as most are: of these alone prompts are read with AMX or attend in bf16, where the
/// processor can.
fn kinds(architecture: Architecture) -> [(GgmlDType, Tiny); 3] {
    let quantized = |quant| (quant, Tiny::of(&wide(architecture, 4, 64), quant));
    [(GgmlDType::F32, Tiny::new(architecture)), quantized(GgmlDType::Q8_0), quantized(GgmlDType::Q4K)]
}

/// A bias against the two tokens that would end a text.
fn endless(model: &Model) -> Vec<(u32, f32)> {
    ["<|endoftext|>", "<|im_end|>"].map(|name| (model.tokenizer().id(name).unwrap(), -100.0)).to_vec()
}

/// Everything that was written, and how it ended.
fn write(model: &mut Model, prompt: &str, sampling: &Sampling) -> (String, Generation) {
    write_as(model, prompt, sampling, None)
}

/// The same for a text that must have a form.
fn write_as(model: &mut Model, prompt: &str, sampling: &Sampling, form: Option<&Form>) -> (String, Generation) {
    let prompt = model.prompt(&[ChatMessage::user(prompt)]).unwrap();
    write_after(model, &prompt, sampling, form)
}

/// The same after tokens.
fn write_after(
    model: &mut Model,
    prompt: impl Into<Prompt>,
    sampling: &Sampling,
    form: Option<&Form>,
) -> (String, Generation) {
    let mut text = String::new();
    let generation = model.generate_as(prompt, (sampling, form), &|| false, &mut |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    });
    (text, generation.unwrap())
}

/// Waits for the end of a request: its text, and how it ended.
fn end(ticket: &Ticket) -> (String, Generation) {
    let mut text = String::new();
    loop {
        match ticket.next().unwrap() {
            Event::Text(piece) => text.push_str(&piece),
            Event::Done(done) => return (text, done.unwrap()),
        }
    }
}

fn sampling(max_tokens: usize) -> Sampling {
    Sampling { max_tokens, ..Sampling::default() }
}
