//! A set of tokens: one bit for each of a vocabulary.

/// Tokens that may come next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenSet {
    words: Vec<u32>,
}

impl TokenSet {
    /// No tokens of a vocabulary of `size`.
    pub(crate) fn none(size: usize) -> TokenSet {
        TokenSet { words: vec![0; size.div_ceil(32)] }
    }

    pub(crate) fn insert(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 32) {
            *word |= 1 << (id % 32);
        }
    }

    pub(crate) fn remove(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 32) {
            *word &= !(1 << (id % 32));
        }
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 32).is_some_and(|word| word >> (id % 32) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_beyond_its_size() {
        let mut set = TokenSet::none(40);
        for id in [0, 31, 32, 39, 4000] {
            set.insert(id);
        }
        set.remove(31);
        let held: Vec<u32> = (0..5000).filter(|&id| set.contains(id)).collect();
        assert_eq!(held, [0, 32, 39]);
    }
}
