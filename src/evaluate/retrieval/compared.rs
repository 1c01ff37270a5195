//! Intervals and tests of the main metrics.

use std::collections::BTreeMap;

use super::super::metrics::{self, PerQuery};
use super::super::statistics::{self, Comparison, Estimate, Pair};
use super::ModeResult;

/// The metrics that intervals and tests are made for.
pub(in crate::evaluate) const MAIN: [&str; 4] = ["ndcg@10", "mrr@10", "map", "recall@100"];

pub(super) fn confidence(values: &PerQuery, seed: u64) -> BTreeMap<String, Estimate> {
    let estimate = |m: &&str| Some(((*m).to_owned(), statistics::bootstrap(&metrics::column(values, m), seed)?));
    MAIN.iter().filter_map(estimate).collect()
}

/// The level's mode (the last of `kinds`) against the other rows, and mistyped questions against the same respelt.
pub(super) fn between_modes(modes: &[ModeResult], kinds: usize, seed: u64) -> Vec<Comparison> {
    let Some(last) = modes.get(kinds - 1) else { return Vec::new() };
    let mut pairs: Vec<(Named<'_>, Named<'_>)> =
        modes.iter().filter(|m| m.mode != last.mode).map(|m| (named(last), named(m))).collect();
    if let [wrong, mended, _] = &modes[kinds..] {
        pairs.push((named(mended), named(wrong)));
    }
    compare(&pairs, seed)
}

/// A system's name and what it gave.
type Named<'v> = (&'v str, &'v PerQuery);

fn named(mode: &ModeResult) -> Named<'_> {
    (mode.mode, &mode.per_query)
}

/// Every pair by every metric, corrected together: all that one table shows.
pub(super) fn compare(pairs: &[(Named<'_>, Named<'_>)], seed: u64) -> Vec<Comparison> {
    let pairs = pairs.iter().flat_map(|(one, other)| {
        MAIN.iter().map(move |metric| Pair {
            metric,
            names: (one.0, other.0),
            a: metrics::column(one.1, metric),
            b: metrics::column(other.1, metric),
        })
    });
    statistics::compare(&pairs.collect::<Vec<_>>(), seed)
}
