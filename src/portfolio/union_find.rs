//! Which items belong together, where pairs of them do: disjoint sets (Galler & Fischer 1964), paths halved as they are walked.

/// Sets of the items 0 to `n - 1`; the least item of a set stands for it.
pub(crate) struct UnionFind(Vec<usize>);

impl UnionFind {
    /// Every item in a set of its own.
    pub(crate) fn new(n: usize) -> UnionFind {
        UnionFind((0..n).collect())
    }

    /// The least item of the set of `i`.
    pub(crate) fn find(&mut self, mut i: usize) -> usize {
        let UnionFind(leads) = self;
        while leads[i] != i {
            leads[i] = leads[leads[i]];
            i = leads[i];
        }
        i
    }

    /// Makes the sets of two items one.
    pub(crate) fn union(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::UnionFind;

    #[test]
    fn what_is_linked_through_others_is_one_set_named_by_its_least() {
        let mut sets = UnionFind::new(6);
        [(4, 5), (3, 2), (5, 3)].into_iter().for_each(|(a, b)| sets.union(a, b));
        assert_eq!([0, 1, 2, 3, 4, 5].map(|i| sets.find(i)), [0, 1, 2, 2, 2, 2]);
    }
}
