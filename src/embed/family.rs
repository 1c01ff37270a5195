//! Which family a folder's transformer is of: the one place that lists them.
//!
//! In: `config.json` and weights. Out: a model that turns packed token ids into hidden states. A new family is a file of its
//! own and a line in each list here.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use sectora_lm::Products;

use super::EmbedError;
use super::batch::Batch;
use super::bert::{self, Bert};
use super::folder::Folder;
use super::gte::{self, Gte};
use super::modernbert::{self, ModernBert};
use super::qwen3::{self, Qwen3};

/// The families, each in its own file.
pub(super) enum Transformer {
    Bert(Bert),
    Gte(Gte),
    ModernBert(ModernBert),
    Qwen3(Qwen3),
}

impl Transformer {
    pub(super) fn forward(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        match self {
            Transformer::Bert(model) => model.forward(batch),
            Transformer::Gte(model) => model.forward(batch),
            Transformer::ModernBert(model) => model.forward(batch),
            Transformer::Qwen3(model) => model.forward(batch),
        }
    }

    /// Rounds the matrices of all layers to eight bits.
    pub(super) fn round(&mut self, threads: usize) -> candle_core::Result<()> {
        let products = Arc::new(Products::new(threads));
        match self {
            Transformer::Bert(model) => model.linears().try_for_each(|l| l.round(&products)),
            Transformer::Gte(model) => model.linears().try_for_each(|l| l.round(&products)),
            Transformer::ModernBert(model) => model.linears().try_for_each(|l| l.round(&products)),
            Transformer::Qwen3(model) => model.linears().try_for_each(|l| l.round(&products)),
        }
    }
}

/// What `config.json` says, by family.
pub(super) enum Shape {
    Bert(bert::Config),
    Gte(gte::Config),
    ModernBert(modernbert::Config),
    Qwen3(qwen3::Config),
}

impl Shape {
    pub(super) fn read(folder: &Folder<'_>) -> Result<Shape, EmbedError> {
        match folder.model_type()?.as_deref() {
            Some("bert" | "roberta" | "xlm-roberta" | "camembert") => Ok(Shape::Bert(folder.config()?)),
            Some("new" | "gte") => Ok(Shape::Gte(folder.config()?)),
            Some("modernbert") => Ok(Shape::ModernBert(folder.config()?)),
            Some("qwen3") => Ok(Shape::Qwen3(folder.config()?)),
            other => Err(EmbedError::Architecture {
                folder: folder.display(),
                model_type: other.unwrap_or("(none)").to_owned(),
            }),
        }
    }

    /// Width of a hidden state.
    pub(super) fn hidden(&self) -> usize {
        match self {
            Shape::Bert(config) => config.hidden_size,
            Shape::Gte(config) => config.hidden_size,
            Shape::ModernBert(config) => config.hidden_size,
            Shape::Qwen3(config) => config.hidden_size,
        }
    }

    /// Tokens there are positions for.
    pub(super) fn positions(&self) -> usize {
        match self {
            Shape::Bert(config) => config.longest(),
            Shape::Gte(config) => config.max_position_embeddings,
            Shape::ModernBert(config) => config.max_position_embeddings,
            Shape::Qwen3(config) => config.max_position_embeddings,
        }
    }

    pub(super) fn load(&self, vb: &VarBuilder<'_>) -> candle_core::Result<Transformer> {
        match self {
            Shape::Bert(config) => Bert::load(vb, config).map(Transformer::Bert),
            Shape::Gte(config) => Gte::load(vb, config).map(Transformer::Gte),
            Shape::ModernBert(config) => ModernBert::load(vb, config).map(Transformer::ModernBert),
            Shape::Qwen3(config) => Qwen3::load(vb, config).map(Transformer::Qwen3),
        }
    }
}
