use super::{Extracted, Override};
use crate::document::Document;

/// Cleans the parts and lays them out as one document. `source` is the path shown to readers.
pub fn assemble(_extracted: Extracted, _source: &str, _stated: Option<&Override>) -> Document {
    todo!("helper: readers")
}
