//! From text to terms: Korean and English analysis, sentences, BM25 sparse vectors.
//!
//! In: any text. Out: [`Term`]s with their place, sentences, [`bm25::SparseVector`]s.
//! Knows nothing of documents, stores or models.

mod abbreviations;
mod aims;
mod analyse;
pub mod bm25;
mod codes;
pub mod coverage;
mod english;
pub mod fields;
mod figures;
mod hanja;
mod institutes;
mod korean;
mod letters;
pub mod lexicon;
mod listing;
pub mod money;
mod nobody;
mod normalise;
mod numbered;
mod parts;
pub mod personal;
pub mod rows;
mod sentences;
mod tokens;
pub mod width;

pub use abbreviations::{SameThing, abbreviations, is_abbreviation};
pub use aims::{
    asks_for_a_result, asks_for_an_aim, leaves_open, names_only_aims, states_a_result, states_an_aim, without_reaching,
};
pub(crate) use analyse::is_hangul;
pub use analyse::{ANALYSER, Term, analyse};
pub use figures::{Figure, figures, may_be_year};
pub use institutes::institutes;
pub use letters::{letters, spaced};
pub use listing::{DocumentKind, Listed, Listing, listing, points_elsewhere};
pub use nobody::names_nobody;
pub use numbered::Numbered;
pub use parts::{QuestionPart, parts};
pub(crate) use sentences::{begins_a_caption, columns, is_final_ending};
pub use sentences::{is_whole_sentence, sentences};
pub use tokens::tokens;
