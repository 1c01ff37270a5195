//! From text to terms: Korean and English analysis, sentences, BM25 sparse vectors.
//!
//! In: any text. Out: [`Term`]s with their place, sentences, [`bm25::SparseVector`]s.
//! Knows nothing of documents, stores or models.

mod abbreviations;
mod analyse;
pub mod bm25;
mod codes;
pub mod coverage;
mod english;
mod hanja;
mod korean;
pub mod lexicon;
mod normalise;
pub mod personal;
mod sentences;
mod tokens;

pub use abbreviations::{SameThing, abbreviations, is_abbreviation};
pub use analyse::{ANALYSER, Term, analyse};
pub use sentences::sentences;
pub use tokens::tokens;
