//! From text to dense vectors: the [`Embedder`] seam.
//!
//! In: texts and the side they stand on. Out: `f32` vectors to be compared by cosine. Knows nothing of stores or
//! documents. [`TransformerEncoder`] reads a sentence-transformers folder; each family of transformers is one file
//! (`bert`, `gte`, `modernbert`, `qwen3`), on shared layers (`layers`) and fused row operations (`ops`). Rerankers are
//! cross-encoders (`reranker`) or a language model that judges (`judge`).
//! [`StaticModel`] is part of the program.

mod background;
mod batch;
mod bert;
mod encoder;
mod family;
mod folder;
mod gte;
mod judge;
mod late;
mod layers;
mod modernbert;
mod nli;
mod ops;
mod pair;
mod pooling;
mod qwen3;
mod reranker;
mod span;
mod sparse_head;
mod static_model;
#[cfg(test)]
mod tiny;

pub use background::Background;
pub use encoder::{EncoderOptions, TransformerEncoder};
pub use judge::open_reranker;
pub use nli::NliModel;
#[cfg(test)]
pub(crate) use pair::fixture as tiny_classifier;
pub use reranker::{CrossEncoder, Reranker};
pub use span::{Found, SpanReader};
pub use static_model::StaticModel;

use crate::error::{Classified, ErrorKind};
use crate::text::bm25::SparseVector;

/// Which side of a search a text stands on (some encoders prefix them differently).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A question.
    Query,
    /// A text to be found.
    Document,
}

/// All that an encoder says of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// [`Embedder::dim`] numbers.
    pub dense: Vec<f32>,
    /// What its tokens weigh, by token id, to be compared by inner product; `None` from an encoder without a sparse head, and
    /// where no token weighs anything.
    pub learned: Option<SparseVector>,
}

/// Turns texts into vectors that are compared by cosine.
pub trait Embedder: Send + Sync {
    /// Name and content hash of the weights; an index records it and refuses another.
    fn id(&self) -> &str;
    /// Length of every vector.
    fn dim(&self) -> usize;
    /// One vector a text, in order; an empty text has one too, that of its special tokens. Of length 1 where the model
    /// says so (a `Normalize` module, or nothing said at all); a model without it gives the lengths it was trained with.
    fn embed(&self, texts: &[&str], side: Side) -> Result<Vec<Vec<f32>>, EmbedError>;
    /// The same, with the learned weights of tokens where the encoder has a sparse head.
    fn encode(&self, texts: &[&str], side: Side) -> Result<Vec<Encoded>, EmbedError> {
        let dense = self.embed(texts, side)?;
        Ok(dense.into_iter().map(|dense| Encoded { dense, learned: None }).collect())
    }
    /// Texts to be found that stand one after another under `title`; where [`Self::sees_neighbours`], each is encoded in sight of
    /// those around it, else with the title alone.
    fn encode_together(&self, title: &str, chunks: &[&str]) -> Result<Vec<Encoded>, EmbedError> {
        encode_apart(self, title, chunks)
    }
    /// Whether [`Self::encode_together`] reads a document as a whole (late chunking), so that an index should use it.
    fn sees_neighbours(&self) -> bool {
        false
    }
    /// Whether [`Self::encode`] gives learned weights. An index that has them is made anew for an encoder that has not.
    fn learns_weights(&self) -> bool {
        false
    }
    /// For an encoder weaker than the words: what its cosine weighs beside their scores (`retrieve::fusion`), times
    /// `search.dense_weight`. `None`: [`Self::background`] decides.
    fn score_weight(&self) -> Option<f32> {
        None
    }
    /// What its cosines are worth, for an encoder that joins Korean and English: measured once, on first use. `None`: words and
    /// vectors are joined by reciprocal rank.
    fn background(&self) -> Result<Option<&Background>, EmbedError> {
        Ok(None)
    }
    /// True if a word alone has a vector as good as within a text (no context), so that words can be compared one by one.
    fn knows_words(&self) -> bool {
        false
    }
    /// How many texts so far were longer than the encoder reads, so that their end is not in their vector.
    fn cut(&self) -> u64 {
        0
    }
}

/// Texts to be found, each with the title alone.
fn encode_apart<E: Embedder + ?Sized>(encoder: &E, title: &str, chunks: &[&str]) -> Result<Vec<Encoded>, EmbedError> {
    let texts: Vec<String> = chunks.iter().map(|c| format!("{title}\n{c}")).collect();
    encoder.encode(&texts.iter().map(String::as_str).collect::<Vec<_>>(), Side::Document)
}

/// What can go wrong with an encoder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the encoder is missing or unreadable.
    #[error(
        "encoder {folder}: {what}. An encoder folder holds config.json, tokenizer.json and model.safetensors (a sentence-transformers folder works as it is)"
    )]
    Load {
        /// The folder.
        folder: String,
        /// What is wrong.
        what: String,
    },
    /// The architecture in `config.json` is not supported.
    #[error(
        "encoder {folder}: model_type `{model_type}` is not supported; supported: bert, roberta, xlm-roberta, camembert, modernbert, new (GTE), gte, qwen3"
    )]
    Architecture {
        /// The folder.
        folder: String,
        /// As in `config.json`.
        model_type: String,
    },
    /// Computing failed.
    #[error("encoding {texts} texts with {id} failed: {what}")]
    Compute {
        /// [`Embedder::id`].
        id: String,
        /// How many texts.
        texts: usize,
        /// The cause.
        what: String,
    },
}

impl Classified for EmbedError {
    fn kind(&self) -> ErrorKind {
        match self {
            EmbedError::Load { .. } | EmbedError::Architecture { .. } => ErrorKind::BadInput,
            EmbedError::Compute { .. } => ErrorKind::Internal,
        }
    }
}

/// Shortest norm that is divided by, as in PyTorch's `normalize`.
const EPSILON: f32 = 1e-12;

/// Brings a vector to unit length; one of zeros stays as it is.
pub fn normalise(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(EPSILON);
    vector.iter_mut().for_each(|x| *x /= norm);
}

/// The dot product of two vectors; of unit length, their cosine. Sixteen sums at a time, so that the compiler uses wide
/// registers.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (a, b) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (x, y) in a.0.iter().zip(b.0) {
        for ((s, x), y) in sums.iter_mut().zip(x).zip(y) {
            *s += x * y;
        }
    }
    sums.iter().sum::<f32>() + a.1.iter().zip(b.1).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn a_dot_product_counts_every_place() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        assert_eq!(dot(&a, &[1.0; 37]), 666.0);
    }
}
