use crate::document::{Chunk, Document};

/// How large chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Upper bound in tokens (of our own estimate: see `tokens`).
    pub max_tokens: usize,
    /// Chunks are filled at least this far where the structure allows.
    pub min_tokens: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        ChunkOptions { max_tokens: 320, min_tokens: 160 }
    }
}

/// Cuts a document along its sections; never across one.
pub fn chunk(_document: &Document, _options: ChunkOptions) -> Vec<Chunk> {
    todo!("helper: text")
}
