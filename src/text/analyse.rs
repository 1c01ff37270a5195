use std::ops::Range;

/// Name and version of the analyser; an index records it and refuses another.
pub const ANALYSER: &str = "koen-1";

/// One term of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The normalised term; what is hashed into a sparse dimension.
    pub text: String,
    /// Weight in a query and a document, 1.0 for a whole word, less for a part of one.
    pub weight: f32,
    /// Bytes of the input the term came from.
    pub span: Range<usize>,
}

/// All terms of `text`, in order.
pub fn analyse(_text: &str) -> Vec<Term> {
    todo!("helper: text")
}
