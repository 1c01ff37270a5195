//! What one sequence remembers: the keys and values of the tokens it has read.
//!
//! A decoder has no memory of its own. Whoever generates holds a cache for each sequence and lends it for a
//! step, so that several sequences can pass through the weights together.

use crate::kernels::KvLayer;

/// Keys and values of one sequence, all layers.
#[derive(Debug)]
pub(crate) enum Cache {
    /// On a CPU.
    Cpu(CpuCache),
    /// On another device candle's layers hold the one there is.
    Device,
}

/// Keys and values on a CPU, allocated for a number of positions; pages of memory, 2 MiB where a layer has as much, are
/// taken when written.
#[derive(Debug)]
pub(crate) struct CpuCache {
    pub(crate) layers: Vec<KvLayer>,
    /// Tokens read.
    pub(crate) position: usize,
    /// Tokens there is room for.
    pub(crate) capacity: usize,
}

impl CpuCache {
    /// Takes over the first `positions` of another cache, layer by layer.
    pub(crate) fn copy(&mut self, from: &CpuCache, positions: usize) {
        for (to, from) in self.layers.iter_mut().zip(&from.layers) {
            to.copy(from, positions);
        }
        self.position = positions;
    }

    /// Bytes of its memory.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.layers.iter().map(KvLayer::allocated).sum()
    }

    /// Room for `capacity` positions, which must hold what is there; `layer` makes an empty layer of that
    /// size. One layer at a time exists twice.
    pub(crate) fn resize(&mut self, capacity: usize, layer: impl Fn() -> KvLayer) {
        for old in &mut self.layers {
            let small = std::mem::replace(old, layer());
            old.copy(&small, self.position);
        }
        self.capacity = capacity;
    }
}
