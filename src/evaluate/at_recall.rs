//! How precise is "done already" where nine of ten repeats are found, and how sure is that?
//!
//! In: pairs with a project, a probability and what they are. Out: [`AtRecall`]. What is resampled are projects, not pairs: the
//! proposals made of one project share its words.

use serde::Serialize;

use super::statistics::{Random, percentile};

/// Resamples.
const RESAMPLES: usize = 1000;

/// A judged pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// The project whose proposals share its words.
    pub project: usize,
    /// Probability of `done already`.
    pub done: f64,
    /// It is a repeat.
    pub is: bool,
}

/// Precision at the highest threshold that finds a given share of the repeats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtRecall {
    /// Share of those at or above the threshold that are repeats.
    pub precision: f64,
    /// 2.5th percentile over resampled projects; a resample in which so many repeats cannot be found counts as precision 0.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
    /// The threshold.
    pub threshold: f64,
}

/// `None` where there are no repeats, or so many of them were no candidates that the share cannot be reached.
pub(super) fn at_recall(pairs: &[Pair], recall: f64, seed: u64) -> Option<AtRecall> {
    let mut projects: Vec<usize> = pairs.iter().map(|p| p.project).collect();
    projects.sort_unstable();
    projects.dedup();
    let mut order = pairs.to_vec();
    order.sort_by(|a, b| b.done.total_cmp(&a.done));
    let place: Vec<usize> = order.iter().map(|p| projects.binary_search(&p.project).unwrap_or(0)).collect();
    let (precision, threshold) = once(&order, &place, &vec![1; projects.len()], recall).filter(|(_, t)| *t > 0.0)?;
    let mut random = Random::new(seed);
    let mut drawn: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut times = vec![0; projects.len()];
            (0..projects.len()).for_each(|_| times[random.below(projects.len())] += 1);
            once(&order, &place, &times, recall).map(|(precision, _)| precision)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    Some(AtRecall { precision, low: percentile(&drawn, 0.025)?, high: percentile(&drawn, 0.975)?, threshold })
}

/// Precision and threshold, both 0 where the share cannot be reached; `None` without repeats. `pairs` fall by probability; each counts
/// as often as its project was drawn.
fn once(pairs: &[Pair], place: &[usize], times: &[usize], recall: f64) -> Option<(f64, f64)> {
    let weigh = || pairs.iter().zip(place).map(|(pair, place)| (pair, times[*place]));
    let all: usize = weigh().filter(|(p, _)| p.is).map(|(_, n)| n).sum();
    if all == 0 {
        return None;
    }
    let need = (all as f64 * recall).ceil() as usize;
    let (mut right, mut said, mut threshold) = (0, 0, None);
    for (pair, n) in weigh().filter(|(_, n)| *n > 0) {
        // Those as likely as the last one needed are said too.
        if threshold.is_some_and(|t| pair.done < t) {
            break;
        }
        said += n;
        right += if pair.is { n } else { 0 };
        if right >= need {
            threshold = Some(pair.done);
        }
    }
    Some(threshold.filter(|t| *t > 0.0).map_or((0.0, 0.0), |t| (right as f64 / said as f64, t)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(project: usize, done: f64, is: bool) -> Pair {
        Pair { project, done, is }
    }

    #[test]
    fn everything_as_likely_as_the_last_repeat_needed_counts() {
        let pairs: Vec<Pair> = (0..10).map(|i| pair(i, 0.9 - 0.05 * i as f64, true)).collect();
        let mut more = pairs.clone();
        more.extend([pair(0, 0.95, false), pair(1, pairs[8].done, false), pair(2, 0.1, false)]);
        let found = at_recall(&more, 0.9, 1).unwrap();
        assert!((found.precision - 9.0 / 11.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.threshold, pairs[8].done);
        assert!(found.low <= found.precision && found.precision <= found.high);
    }

    #[test]
    fn repeats_that_were_no_candidates_cannot_be_reached() {
        assert_eq!(at_recall(&[pair(0, 0.0, true), pair(0, 0.5, false)], 0.9, 1), None);
        assert_eq!(at_recall(&[pair(0, 0.5, false)], 0.9, 1), None);
    }

    #[test]
    fn a_resample_in_which_they_cannot_be_reached_counts_as_precision_0() {
        // 18 of 20 are just nine of ten; a resample with the other two drawn three times or more (a third of all) has too few.
        let pairs: Vec<Pair> = (0..20).map(|i| pair(i, if i < 18 { 0.9 } else { 0.0 }, true)).collect();
        let found = at_recall(&pairs, 0.9, 1);
        assert_eq!(found, Some(AtRecall { precision: 1.0, low: 0.0, high: 1.0, threshold: 0.9 }));
    }
}
