//! Which projects gain most by being together: correlation clustering, greedy merges and then moves of single projects.
//!
//! In: how alike projects are, and `θ`. Out: groups of them, each project in one. Knows nothing of institutes and budgets.

use std::collections::{BTreeSet, HashMap};

use super::super::holdings::Holdings;

/// Neighbours of a project with which it is listed.
const NEIGHBOURS: usize = 40;
/// Share of `θ` that listed pairs are at least alike.
const LISTED: f32 = 0.3;
/// Rounds of local search at most.
const ROUNDS: usize = 20;

/// What pairs of projects gain by being together: `alike − θ` of those listed, and of any other the least of these.
pub(super) struct Gains {
    /// Each once, the smaller index first, in order.
    listed: Vec<(usize, usize, f32)>,
    by_pair: HashMap<(usize, usize), f32>,
    /// Never above 0, so that no group gains by what was not compared.
    unlisted: f32,
}

impl Gains {
    pub(super) fn among(holdings: &Holdings, items: &[usize], threshold: f32) -> Gains {
        let allowed: BTreeSet<usize> = items.iter().copied().collect();
        let mut listed: Vec<(usize, usize, f32)> = Vec::new();
        for (i, near) in holdings.neighbours(NEIGHBOURS, threshold * LISTED).into_iter().enumerate() {
            if allowed.contains(&i) {
                let near = near.into_iter().filter(|(j, _)| allowed.contains(j));
                listed.extend(near.map(|(j, s)| (i.min(j), i.max(j), s - threshold)));
            }
        }
        listed.sort_by_key(|a| (a.0, a.1));
        listed.dedup_by_key(|p| (p.0, p.1));
        Gains::new(listed)
    }

    fn new(listed: Vec<(usize, usize, f32)>) -> Gains {
        let by_pair = listed.iter().map(|(a, b, g)| ((*a, *b), *g)).collect();
        let unlisted = listed.iter().map(|p| p.2).fold(0.0, f32::min);
        Gains { listed, by_pair, unlisted }
    }

    fn of(&self, a: usize, b: usize) -> f32 {
        self.by_pair.get(&(a.min(b), a.max(b))).copied().unwrap_or(self.unlisted)
    }

    /// Of a group: of all its pairs.
    pub(super) fn within(&self, members: &[usize]) -> f64 {
        let pairs = members.iter().enumerate().flat_map(|(x, a)| members[x + 1..].iter().map(move |b| (*a, *b)));
        pairs.map(|(a, b)| f64::from(self.of(a, b))).sum()
    }

    /// The sum of those above 0.
    pub(super) fn bound(&self) -> f64 {
        // The sum of nothing is −0.0 in Rust.
        self.listed.iter().map(|(_, _, g)| f64::from(g.max(0.0))).sum::<f64>() + 0.0
    }
}

/// Maximises the objective: greedy merges, then moves of single items.
pub(super) fn partition(n: usize, items: &[usize], gains: &Gains) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); n];
    for &(a, b, _) in &gains.listed {
        near[a].push(b);
        near[b].push(a);
    }
    let of = |a: usize, b: usize| gains.of(a, b);
    let mut home: Vec<usize> = (0..n).collect();
    let mut groups: HashMap<usize, Vec<usize>> = items.iter().map(|i| (*i, vec![*i])).collect();
    let mut order: Vec<&(usize, usize, f32)> = gains.listed.iter().filter(|p| p.2 > 0.0).collect();
    order.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    for (a, b, _) in order {
        let (x, y) = (home[*a], home[*b]);
        if x == y {
            continue;
        }
        let total: f32 =
            groups[&x].iter().flat_map(|i| groups[&y].iter().map(move |j| (*i, *j))).map(|(i, j)| of(i, j)).sum();
        if total > 0.0 {
            let moved = groups.remove(&y).unwrap_or_default();
            moved.iter().for_each(|i| home[*i] = x);
            groups.entry(x).or_default().extend(moved);
        }
    }
    let with = |i: usize, group: &[usize]| -> f32 { group.iter().filter(|j| **j != i).map(|j| of(i, *j)).sum() };
    for _ in 0..ROUNDS {
        let mut moved = false;
        for &i in items {
            let here = home[i];
            let now = with(i, &groups[&here]);
            let mut targets: Vec<usize> = near[i].iter().map(|j| home[*j]).filter(|h| *h != here).collect();
            targets.sort_unstable();
            targets.dedup();
            let best = targets.into_iter().map(|t| (with(i, &groups[&t]), t)).max_by(|a, b| a.0.total_cmp(&b.0));
            let (target, value) = match best {
                Some((value, t)) if value > 0.0 => (t, value),
                _ => (usize::MAX, 0.0),
            };
            if value > now + 1e-6 {
                let target = if target == usize::MAX { fresh(&groups, n, i) } else { target };
                if let Some(group) = groups.get_mut(&here) {
                    group.retain(|j| *j != i);
                    if group.is_empty() {
                        groups.remove(&here);
                    }
                }
                groups.entry(target).or_default().push(i);
                home[i] = target;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut out: Vec<Vec<usize>> = groups.into_values().collect();
    out.iter_mut().for_each(|g| g.sort_unstable());
    out.sort();
    out
}

/// A name for a group of its own that no other group has.
fn fresh(groups: &HashMap<usize, Vec<usize>>, n: usize, item: usize) -> usize {
    if groups.contains_key(&item) { (n..).find(|k| !groups.contains_key(k)).unwrap_or(item) } else { item }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_found_is_the_best_of_all_on_a_small_case() {
        let pairs = [(0, 1, 0.5), (1, 2, 0.4), (0, 2, -0.3), (2, 3, 0.6), (3, 4, -0.1)];
        let found = partition(5, &[0, 1, 2, 3, 4], &Gains::new(pairs.to_vec()));
        assert_eq!(found, [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn nothing_alike_stays_apart() {
        assert_eq!(partition(3, &[0, 2], &Gains::new(vec![(0, 2, -0.1)])), [vec![0], vec![2]]);
    }

    #[test]
    fn no_group_gains_more_than_the_bound_by_pairs_that_are_not_listed() {
        let n = NEIGHBOURS + 20;
        let (holdings, all) = (Holdings::of_terms(vec![vec![(1, 1.0)]; n]), (0..n).collect::<Vec<usize>>());
        let gains = Gains::among(&holdings, &all, 0.4);
        assert!(gains.listed.len() < n * (n - 1) / 2, "each lists its nearest only");
        assert_eq!(partition(n, &all, &gains), std::slice::from_ref(&all));
        assert!(gains.within(&all) > 0.0 && gains.within(&all) <= gains.bound());
        let far = Gains::new(vec![(0, 1, 0.5), (1, 2, 0.5), (2, 3, -0.25)]);
        assert_eq!((far.within(&[0, 1, 2]), far.bound()), (0.75, 1.0));
    }
}
