//! BM25 as sparse vectors: the document side holds term saturation and length, the query side term
//! weights, and the store multiplies by IDF (Robertson & Zaragoza 2009, eq. 3.15).

use serde::{Deserialize, Serialize};

use super::analyse::{Role, Script, each_term};

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
        Bm25 { k1: 0.7, b: 0.6 }
    }
}

/// Sum of the weights of [`analyse`](super::analyse)'s terms: the "length" BM25 normalises by.
pub fn length(text: &str) -> f32 {
    let mut length = 0.0;
    each_term(text, |_, role, _| length += length_of(role));
    length
}

/// The vector of a text to be found. `average_length` is the mean of [`length`] over the index.
///
/// A term that occurs `tf` times, whatever its weight, has the value
/// `tf · (k1 + 1) / (tf + k1 · (1 − b + b · length / average_length))`.
pub fn document_vector(text: &str, bm25: Bm25, average_length: f32) -> SparseVector {
    let mut length = 0.0;
    let mut vector = sums(text, |_, role| {
        length += length_of(role);
        1.0
    });
    // An index that knows no average yet takes this text for average.
    let relative = if average_length > 0.0 { length / average_length } else { 1.0 };
    let norm = bm25.k1 * (1.0 - bm25.b + bm25.b * relative);
    for tf in &mut vector.values {
        *tf = *tf * (bm25.k1 + 1.0) / (*tf + norm);
    }
    vector
}

/// A field's vector added to the whole text's: what stands in a title says more about the subject than what stands below.
pub fn add_field(whole: &mut SparseVector, field: &SparseVector, weight: f32) {
    for (index, value) in field.indices.iter().zip(&field.values) {
        match whole.indices.binary_search(index) {
            Ok(at) => whole.values[at] += weight * value,
            Err(at) => {
                whole.indices.insert(at, *index);
                whole.values.insert(at, weight * value);
            }
        }
    }
}

/// What a Latin name or code in a Korean question (an acronym, a product, a project's short name) counts beside its
/// Korean words: whoever writes one means that one.
const NAME_IN_KOREAN: f32 = 2.0;

/// The vector of a question: each term's weight, summed over its occurrences.
pub fn query_vector(text: &str) -> SparseVector {
    let korean = text.chars().any(|c| Script::of(c) == Script::Hangul);
    let is_name = |term: &str| {
        term.starts_with(|c: char| c.is_ascii_alphanumeric()) && term.contains(|c: char| c.is_ascii_alphabetic())
    };
    sums(text, |term, role| role.weight() * if korean && is_name(term) { NAME_IN_KOREAN } else { 1.0 })
}

/// How rare a term is that `with_term` of `total` chunks have: `ln(1 + (total − n + 0.5) / (n + 0.5))`.
pub fn idf(total: u64, with_term: u64) -> f32 {
    let (total, n) = (total.max(with_term) as f32, with_term as f32);
    (1.0 + (total - n + 0.5) / (n + 0.5)).ln()
}

/// The dimension of a term: FNV-1a over its UTF-8 bytes, 64 bit, folded to 32 by exclusive or.
///
/// Part of the index format: it changes only together with [`ANALYSER`](super::ANALYSER).
/// Source: Fowler, Noll, Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub fn dimension(term: &str) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in term.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as u32
}

fn length_of(role: Role) -> f32 {
    match role {
        Role::Whole | Role::Part => role.weight(),
        Role::Aid => 0.0,
    }
}

/// For each dimension of `text`, the sum over its terms of `value(term, role)`.
fn sums(text: &str, mut value: impl FnMut(&str, Role) -> f32) -> SparseVector {
    let mut entries: Vec<(u32, f32)> = Vec::new();
    each_term(text, |term, role, _| entries.push((dimension(term), value(term, role))));
    entries.sort_unstable_by_key(|&(index, _)| index);
    let mut vector = SparseVector::default();
    for occurrences in entries.chunk_by(|a, b| a.0 == b.0) {
        vector.indices.push(occurrences[0].0);
        vector.values.push(occurrences.iter().map(|&(_, value)| value).sum());
    }
    vector
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(vector: &SparseVector, term: &str) -> f32 {
        let at = vector.indices.binary_search(&dimension(term));
        at.map_or(0.0, |i| vector.values[i])
    }

    #[test]
    fn dimensions_are_those_of_published_fnv_1a() {
        // FNV-1a 64 of "a" is af63dc4c8601ec8c, of "foobar" 85944171f73967e8.
        assert_eq!(dimension("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
        assert_eq!(dimension("foobar"), 0x8594_4171 ^ 0xf739_67e8);
    }

    #[test]
    fn document_values_follow_the_formula() {
        let text = "battery battery anode";
        let bm25 = Bm25 { k1: 1.2, b: 0.75 };
        let vector = document_vector(text, bm25, 6.0);
        let norm = 1.2 * (0.25 + 0.75 * 3.0 / 6.0);
        assert!((value(&vector, "batteri") - 2.0 * 2.2 / (2.0 + norm)).abs() < 1e-6);
        assert!((value(&vector, "anod") - 2.2 / (1.0 + norm)).abs() < 1e-6);
        assert_eq!(length(text), 3.0);
    }

    #[test]
    fn a_query_weighs_whole_words_above_their_parts() {
        let query = query_vector("전고체전지");
        assert_eq!(value(&query, "전고체전지"), 1.0);
        assert_eq!(value(&query, "~고체"), 0.5);
    }

    #[test]
    fn a_field_adds_its_share_and_keeps_the_order() {
        let bm25 = Bm25::default();
        let mut whole = document_vector("anode coating", bm25, 2.0);
        let alone = whole.clone();
        let title = document_vector("graphite anode", bm25, 2.0);
        add_field(&mut whole, &title, 0.4);
        assert!((value(&whole, "anod") - value(&alone, "anod") - 0.4 * value(&title, "anod")).abs() < 1e-6);
        assert!((value(&whole, "graphit") - 0.4 * value(&title, "graphit")).abs() < 1e-6);
        assert_eq!(value(&whole, "coat"), value(&alone, "coat"));
        assert!(whole.indices.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_empty_text_or_index_gives_no_infinities() {
        assert_eq!(document_vector("", Bm25::default(), 0.0), SparseVector::default());
        assert!(document_vector("전해질", Bm25::default(), 0.0).values.iter().all(|v| v.is_finite()));
    }

    proptest! {
        #[test]
        fn vectors_are_strictly_increasing_and_positive(text in "\\PC{0,200}") {
            for vector in [query_vector(&text), document_vector(&text, Bm25::default(), 50.0)] {
                prop_assert_eq!(vector.indices.len(), vector.values.len());
                prop_assert!(vector.indices.is_sorted_by(|a, b| a < b));
                prop_assert!(vector.values.iter().all(|v| *v > 0.0 && v.is_finite()));
            }
        }
    }
}
