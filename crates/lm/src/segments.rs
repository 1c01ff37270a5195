//! Which segments have been computed already?
//!
//! Keys and values of segments of prompts (see [`crate::prompt`]) under the tokens they were computed from, the exact
//! ones: the context and the segment. Memory is a number of bytes fixed beforehand; what was used least recently
//! goes first. Knows nothing of where a segment stands in a prompt.

use crate::cache::Cache;

/// Segments of one model.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// The most recently used last.
    entries: Vec<Entry>,
    /// Bytes of all entries, and at most.
    bytes: usize,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    context: Vec<u32>,
    tokens: Vec<u32>,
    bytes: usize,
    cache: Cache,
}

impl Segments {
    /// None yet, and room for `most` bytes.
    pub(crate) fn new(most: usize) -> Segments {
        Segments { entries: Vec::new(), bytes: 0, most }
    }

    /// Bytes in use.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// True for one that is here.
    pub(crate) fn contains(&self, context: &[u32], tokens: &[u32]) -> bool {
        self.position(context, tokens).is_some()
    }

    /// The keys and values of `tokens` computed after `context`.
    pub(crate) fn find(&mut self, context: &[u32], tokens: &[u32]) -> Option<&Cache> {
        let at = self.position(context, tokens)?;
        self.entries[at..].rotate_left(1);
        self.entries.last().map(|entry| &entry.cache)
    }

    /// Forgets segments until `bytes` more fit; false, and nothing is forgotten, where they never will.
    pub(crate) fn make_room(&mut self, bytes: usize) -> bool {
        if bytes > self.most {
            return false;
        }
        let mut gone = 0;
        while self.bytes + bytes > self.most {
            self.bytes -= self.entries[gone].bytes;
            gone += 1;
        }
        self.entries.drain(..gone);
        true
    }

    /// Keeps one of so many bytes, for which room was made.
    pub(crate) fn insert(&mut self, context: &[u32], tokens: &[u32], cache: Cache, bytes: usize) {
        if !self.contains(context, tokens) && self.make_room(bytes) {
            self.bytes += bytes;
            self.entries.push(Entry { context: context.to_vec(), tokens: tokens.to_vec(), bytes, cache });
        }
    }

    fn position(&self, context: &[u32], tokens: &[u32]) -> Option<usize> {
        self.entries.iter().position(|entry| entry.tokens == tokens && entry.context == context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first_and_the_budget_holds() {
        let mut segments = Segments::new(100);
        for token in 1..=3 {
            segments.insert(&[9], &[token], Cache::Device, 30);
        }
        assert!(segments.find(&[9], &[1]).is_some() && segments.find(&[8], &[1]).is_none());
        segments.insert(&[9], &[4], Cache::Device, 50);
        let here = |segments: &Segments| -> Vec<u32> { (1..=5).filter(|&t| segments.contains(&[9], &[t])).collect() };
        assert_eq!((here(&segments), segments.bytes()), (vec![1, 4], 80));
        segments.insert(&[9], &[4], Cache::Device, 50);
        segments.insert(&[9], &[5], Cache::Device, 101);
        assert_eq!((here(&segments), segments.bytes()), (vec![1, 4], 80));
        assert!(segments.make_room(100) && here(&segments).is_empty());
    }
}
