//! BM25 as sparse vectors: the document side holds term saturation and length, the query side term
//! weights, and the store multiplies by IDF (Robertson & Zaragoza 2009, eq. 3.15).

use serde::{Deserialize, Serialize};

/// A sparse vector: strictly increasing dimensions and their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseVector {
    /// Dimensions: 32-bit hashes of terms.
    pub indices: Vec<u32>,
    /// Values, one a dimension.
    pub values: Vec<f32>,
}

/// BM25's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bm25 {
    /// Saturation of term frequency.
    pub k1: f32,
    /// Strength of length normalisation, 0 to 1.
    pub b: f32,
}

impl Default for Bm25 {
    fn default() -> Self {
        Bm25 { k1: 1.2, b: 0.75 }
    }
}

/// Sum of term weights: the "length" BM25 normalises by.
pub fn length(_text: &str) -> f32 {
    todo!("helper: text")
}

/// The vector of a text to be found. `average_length` is the mean of [`length`] over the index.
pub fn document_vector(_text: &str, _bm25: Bm25, _average_length: f32) -> SparseVector {
    todo!("helper: text")
}

/// The vector of a question.
pub fn query_vector(_text: &str) -> SparseVector {
    todo!("helper: text")
}
