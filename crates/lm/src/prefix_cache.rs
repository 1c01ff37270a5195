//! Which earlier prompt begins like this one? Keys and values of past requests, within a byte budget.
//!
//! The last request's stay in the decoder and cost nothing. Before another prompt overwrites them they are
//! copied here, and the copies used least recently go when the budget is full.

use crate::cpu_decoder::CpuDecoder;
use crate::kernels::Saved;

/// A prefix shorter than this is read again sooner than it is copied.
const LEAST: usize = 64;

/// Copies, the most recently used last.
#[derive(Debug)]
pub(crate) struct PrefixCache {
    budget: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    tokens: Vec<u32>,
    saved: Saved,
}

impl PrefixCache {
    pub(crate) fn new(budget: usize) -> PrefixCache {
        PrefixCache { budget, entries: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Before a prompt is read that shares `from` tokens with `seen`, the decoder's: sets those aside that
    /// would be lost, and puts a better copy in their place, if there is one.
    pub(crate) fn exchange(
        &mut self,
        decoder: &mut CpuDecoder,
        seen: &mut Vec<u32>,
        shared: &dyn Fn(&[u32]) -> usize,
        from: &mut usize,
    ) {
        if self.budget == 0 {
            return;
        }
        if seen.len() >= *from + LEAST {
            decoder.truncate(seen.len());
            self.keep(seen.clone(), decoder);
        }
        let best = self.entries.iter().enumerate().map(|(i, entry)| (shared(&entry.tokens), i)).max();
        let Some((common, index)) = best.filter(|&(common, _)| common >= *from + LEAST) else {
            return;
        };
        let entry = self.entries.remove(index);
        decoder.restore(entry.tokens.len(), &entry.saved);
        seen.clone_from(&entry.tokens);
        *from = common;
        self.entries.push(entry);
    }

    fn keep(&mut self, tokens: Vec<u32>, decoder: &CpuDecoder) {
        // A copy that this one continues is contained in it.
        self.entries.retain(|entry| !tokens.starts_with(&entry.tokens));
        if decoder.cache_bytes(tokens.len()) > self.budget {
            return;
        }
        self.entries.push(Entry { tokens, saved: decoder.save() });
        while self.entries.iter().map(|entry| entry.saved.bytes()).sum::<usize>() > self.budget {
            self.entries.remove(0);
        }
    }
}
