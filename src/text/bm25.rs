//! BM25 as sparse vectors: the document side holds term saturation and length, the query side term
//! weights, and the store multiplies by IDF (Robertson & Zaragoza 2009, eq. 3.15).

use serde::{Deserialize, Serialize};

use super::analyse::each_term;

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
pub fn length(text: &str) -> f32 {
    let mut length = 0.0;
    each_term(text, |_, weight, _| length += weight);
    length
}

/// The vector of a text to be found. `average_length` is the mean of [`length`] over the index.
///
/// With `tf` the sum of a term's weights in the text, its value is
/// `tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / average_length))`.
pub fn document_vector(text: &str, bm25: Bm25, average_length: f32) -> SparseVector {
    let (frequencies, length) = frequencies(text);
    // An index that knows no average yet takes this text for average.
    let relative = if average_length > 0.0 { length / average_length } else { 1.0 };
    let norm = bm25.k1 * (1.0 - bm25.b + bm25.b * relative);
    let mut vector = frequencies;
    for tf in &mut vector.values {
        *tf = *tf * (bm25.k1 + 1.0) / (*tf + norm);
    }
    vector
}

/// The vector of a question: each term's summed weight.
pub fn query_vector(text: &str) -> SparseVector {
    frequencies(text).0
}

/// The dimension of a term: FNV-1a over its UTF-8 bytes, 64 bit, folded to 32 by exclusive or.
///
/// Part of the index format: it changes only together with [`ANALYSER`](super::ANALYSER).
/// <http://www.isthe.com/chongo/tech/comp/fnv/>
pub fn dimension(term: &str) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in term.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as u32
}

/// Summed weights by dimension, and their total.
fn frequencies(text: &str) -> (SparseVector, f32) {
    let mut entries: Vec<(u32, f32)> = Vec::new();
    let mut length = 0.0;
    each_term(text, |term, weight, _| {
        entries.push((dimension(term), weight));
        length += weight;
    });
    entries.sort_unstable_by_key(|&(index, _)| index);
    let mut vector = SparseVector::default();
    for (index, weight) in entries {
        match (vector.indices.last(), vector.values.last_mut()) {
            (Some(&last), Some(value)) if last == index => *value += weight,
            (Some(_), Some(_)) | (None, _) | (_, None) => {
                vector.indices.push(index);
                vector.values.push(weight);
            }
        }
    }
    (vector, length)
}
