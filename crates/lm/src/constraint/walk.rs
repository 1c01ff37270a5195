//! The walk through a vocabulary's trie along a grammar of bytes.

use toktrie::Recognizer;

/// A grammar that is read byte after byte.
pub(super) trait Bytes {
    /// Where in it a text is.
    type State: Copy;

    /// The state after one more byte; none where the grammar does not allow it.
    fn push(&self, state: Self::State, byte: u8) -> Option<Self::State>;

    /// The same after several.
    fn read(&self, state: Self::State, bytes: &[u8]) -> Option<Self::State> {
        bytes.iter().try_fold(state, |state, &byte| self.push(state, byte))
    }
}

/// Bytes that a character still lacks after `byte`, if before it lacked `before`.
pub(super) fn lacks(before: u8, byte: u8) -> u8 {
    match byte {
        0x80..=0xBF => before.saturating_sub(1),
        0xC0..=0xDF => 1,
        0xE0..=0xEF => 2,
        0xF0.. => 3,
        _ => 0,
    }
}

/// One walk: the states of the bytes from the root of the trie to where it is.
pub(super) struct Walk<'a, G: Bytes> {
    grammar: &'a G,
    states: Vec<G::State>,
}

impl<'a, G: Bytes> Walk<'a, G> {
    pub(super) fn new(grammar: &'a G, state: G::State) -> Walk<'a, G> {
        Walk { grammar, states: vec![state] }
    }
}

impl<G: Bytes> Recognizer for Walk<'_, G> {
    fn pop_bytes(&mut self, count: usize) {
        self.states.truncate(self.states.len() - count);
    }

    fn collapse(&mut self) {
        let last = self.states.len() - 1;
        self.states.drain(..last);
    }

    fn trie_finished(&mut self) {
        self.states.truncate(1);
    }

    fn try_push_byte(&mut self, byte: u8) -> bool {
        let state = self.states.last().and_then(|state| self.grammar.push(*state, byte));
        state.map(|state| self.states.push(state)).is_some()
    }
}
