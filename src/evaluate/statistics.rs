//! Is a difference real? Bootstrap intervals, paired permutation tests, Holm's correction.
//!
//! Deterministic: the same numbers and seed give the same answer on any machine. Every method works on
//! one value a question; questions are what is sampled, or clusters of them where they are not independent.

use std::collections::HashSet;

use serde::Serialize;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// Sign flips of a permutation test.
const PERMUTATIONS: usize = 10_000;
/// A corrected p below this is called a difference.
pub const ALPHA: f64 = 0.05;

/// SplitMix64 (Steele, Lea & Flood 2014): small, seedable, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `n` (0 for `n` = 0).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A mean and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
    /// Questions.
    pub n: usize,
}

/// `limit` of the items drawn with `seed`, in their order; all where there are no more.
pub fn sample<T>(items: Vec<T>, limit: usize, seed: u64) -> Vec<T> {
    if limit >= items.len() {
        return items;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    Random::new(seed).shuffle(&mut order);
    let drawn: HashSet<usize> = order.into_iter().take(limit).collect();
    items.into_iter().enumerate().filter(|(i, _)| drawn.contains(i)).map(|(_, item)| item).collect()
}

/// The percentile bootstrap (Efron 1979) of a mean; `None` without values.
pub fn bootstrap(values: &[f64], seed: u64) -> Option<Estimate> {
    resampled(&values.iter().map(|v| (*v, 1)).collect::<Vec<_>>(), seed)
}

/// The same where values come in clusters that are alike within (the proposals of one project): clusters are what is drawn, each with
/// all of its values (Davison & Hinkley 1997, 3.8). A draw without a value is passed over; `None` without values.
pub fn bootstrap_clusters(clusters: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    resampled(&clusters.iter().map(|c| (c.iter().sum(), c.len())).collect::<Vec<_>>(), seed)
}

/// Of what is drawn together the sum and the number of its values.
fn resampled(sums: &[(f64, usize)], seed: u64) -> Option<Estimate> {
    let mean = |(sum, n): (f64, usize)| (n > 0).then(|| sum / n as f64);
    let all = total(sums.iter().copied());
    let mut random = Random::new(seed);
    let mut means: Vec<f64> =
        (0..RESAMPLES).filter_map(|_| mean(total((0..sums.len()).map(|_| sums[random.below(sums.len())])))).collect();
    means.sort_by(f64::total_cmp);
    let (low, high) = (percentile(&means, 0.025)?, percentile(&means, 0.975)?);
    Some(Estimate { mean: mean(all)?, low, high, n: all.1 })
}

/// Sum and number of all values.
fn total(sums: impl Iterator<Item = (f64, usize)>) -> (f64, usize) {
    sums.fold((0.0, 0), |(sum, n), (more, m)| (sum + more, n + m))
}

/// The value below which a share of the `sorted` ones lies, the nearest of them; `None` without values.
pub fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get((sorted.len().saturating_sub(1) as f64 * share).round() as usize).copied()
}

/// Two-sided p of "the same questions would have come out either way round": signs of the differences are
/// flipped at random (Fisher 1935; Smucker et al. 2007 for retrieval). Never 0: the observed one counts.
pub fn permutation(a: &[f64], b: &[f64], seed: u64) -> f64 {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).filter(|d| *d != 0.0).collect();
    let observed = differences.iter().sum::<f64>().abs();
    if differences.is_empty() {
        return 1.0;
    }
    let mut random = Random::new(seed);
    let mut as_far = 1usize;
    for _ in 0..PERMUTATIONS {
        let mut sum = 0.0;
        for block in differences.chunks(64) {
            let mut signs = random.bits();
            for d in block {
                sum += if signs & 1 == 0 { *d } else { -*d };
                signs >>= 1;
            }
        }
        // Sums in another order differ in the last bits.
        as_far += usize::from(f64::abs(sum) >= observed - 1e-12);
    }
    as_far as f64 / (PERMUTATIONS + 1) as f64
}

/// Holm's step-down correction (1979): p values in, corrected p values out, in the same order.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![0.0; p.len()];
    let mut highest: f64 = 0.0;
    for (rank, i) in order.into_iter().enumerate() {
        highest = highest.max((p[i] * (p.len() - rank) as f64).min(1.0));
        corrected[i] = highest;
    }
    corrected
}

/// Two systems on the same questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What was compared.
    pub metric: String,
    /// One system.
    pub a: String,
    /// The other.
    pub b: String,
    /// Mean of a less mean of b.
    pub difference: f64,
    /// Questions.
    pub n: usize,
    /// Of the paired permutation test.
    pub p: f64,
    /// Holm-corrected over everything compared together.
    pub p_corrected: f64,
    /// `a is better`, `b is better` or `inside the noise`.
    pub verdict: String,
}

/// Values of two systems by metric, in the same order of questions.
pub struct Pair<'v> {
    /// Metric.
    pub metric: &'v str,
    /// Names of the systems.
    pub names: (&'v str, &'v str),
    /// Values of the first.
    pub a: Vec<f64>,
    /// Values of the second.
    pub b: Vec<f64>,
}

/// Tests all pairs together. Higher is taken as better.
pub fn compare(pairs: &[Pair<'_>], seed: u64) -> Vec<Comparison> {
    let p: Vec<f64> = pairs.iter().map(|pair| permutation(&pair.a, &pair.b, seed)).collect();
    let corrected = holm(&p);
    let rows = pairs.iter().zip(p).zip(corrected).map(|((pair, p), p_corrected)| {
        let n = pair.a.len().min(pair.b.len());
        let difference = pair.a.iter().zip(&pair.b).map(|(a, b)| a - b).sum::<f64>() / n.max(1) as f64;
        let verdict = match p_corrected < ALPHA {
            true if difference > 0.0 => format!("{} is better", pair.names.0),
            true => format!("{} is better", pair.names.1),
            false => "inside the noise".to_owned(),
        };
        Comparison {
            metric: pair.metric.to_owned(),
            a: pair.names.0.to_owned(),
            b: pair.names.1.to_owned(),
            difference,
            n,
            p,
            p_corrected,
            verdict,
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of SplitMix64 with seed 1234567, as in its reference implementation.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_bootstrap_interval_is_near_the_normal_one_and_repeats() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let e = bootstrap(&values, 7).unwrap();
        let half = 1.96 * (0.25f64 * 0.75 / 400.0).sqrt();
        assert_eq!(e.mean, 0.25);
        assert!((e.low - (0.25 - half)).abs() < 0.01 && (e.high - (0.25 + half)).abs() < 0.01, "{e:?}");
        assert_eq!(bootstrap(&values, 7), Some(e));
        assert_eq!(bootstrap(&[], 7), None);
    }

    #[test]
    fn values_that_are_alike_within_clusters_make_a_wider_interval() {
        let clusters = [vec![1.0; 4], vec![0.0; 4], Vec::new()];
        let e = bootstrap_clusters(&clusters, 1).unwrap();
        assert_eq!((e.mean, e.low, e.high, e.n), (0.5, 0.0, 1.0, 8));
        let alone = bootstrap(&clusters.concat(), 1).unwrap();
        assert!(alone.low > 0.0 && alone.high < 1.0, "{alone:?}");
        // One value a cluster is the plain bootstrap.
        let each: Vec<Vec<f64>> = clusters.concat().into_iter().map(|v| vec![v]).collect();
        assert_eq!(bootstrap_clusters(&each, 1), Some(alone));
        assert_eq!(bootstrap_clusters(&[Vec::new()], 1), None);
    }

    #[test]
    fn a_permutation_test_sees_a_difference_and_does_not_invent_one() {
        let a: Vec<f64> = (0..50).map(f64::from).collect();
        let better: Vec<f64> = a.iter().map(|x| x + 1.0).collect();
        assert!(permutation(&better, &a, 1) < 0.001);
        assert_eq!(permutation(&a, &a, 1), 1.0);
        // Four differences of one sign: exactly 2 of 16 sign patterns are as far out.
        let p = permutation(&[1.0, 1.0, 1.0, 1.0], &[0.0; 4], 3);
        assert!((p - 0.125).abs() < 0.01, "{p}");
    }

    #[test]
    fn under_the_null_p_is_below_alpha_as_often_as_alpha_says() {
        let mut random = Random::new(5);
        let mut draw = || (0..30).map(|_| random.below(1000) as f64).collect::<Vec<f64>>();
        let small = (0..400).filter(|i| permutation(&draw(), &draw(), *i) < 0.05).count();
        assert!((8..=34).contains(&small), "{small} of 400, 20 expected");
    }

    #[test]
    fn holm_agrees_with_the_worked_example() {
        // 0.01*4, 0.02*3, 0.03*2, 0.04*1, each at least the one before.
        let corrected = holm(&[0.03, 0.01, 0.04, 0.02]);
        for (got, expected) in corrected.iter().zip([0.06, 0.04, 0.06, 0.06]) {
            assert!((got - expected).abs() < 1e-12, "{corrected:?}");
        }
    }

    #[test]
    fn a_difference_inside_the_noise_is_called_that() {
        let pair = |b: Vec<f64>| Pair { metric: "m", names: ("x", "y"), a: vec![0.5, 0.6, 0.4, 0.5], b };
        assert_eq!(compare(&[pair(vec![0.4, 0.7, 0.4, 0.6])], 1)[0].verdict, "inside the noise");
        let many = Pair { metric: "m", names: ("x", "y"), a: vec![1.0; 40], b: vec![0.5; 40] };
        assert_eq!(compare(&[many], 1)[0].verdict, "x is better");
    }
}
