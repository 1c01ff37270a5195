//! From logits to the next token: greedy, or temperature and nucleus with a seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::LmError;

/// How tokens are drawn and when a text ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f64,
    /// Nucleus: the smallest set of tokens with this probability (Holtzman et al. 2020).
    pub top_p: f64,
    /// Same seed, same prompt, same text.
    pub seed: u64,
    /// Most new tokens.
    pub max_tokens: usize,
    /// Strings that end the text and are no part of it.
    pub stop: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 0.0, top_p: 1.0, seed: 0, max_tokens: 512, stop: Vec::new() }
    }
}

/// Draws tokens.
#[derive(Debug)]
pub struct Sampler {
    temperature: f64,
    top_p: f64,
    random: StdRng,
}

impl Sampler {
    /// A sampler that begins at the seed.
    pub fn new(sampling: &Sampling) -> Sampler {
        let random = StdRng::seed_from_u64(sampling.seed);
        Sampler { temperature: sampling.temperature, top_p: sampling.top_p, random }
    }

    /// The next token.
    pub fn next(&mut self, logits: &[f32]) -> Result<u32, LmError> {
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a)));
        let best = best.filter(|&id| logits[id].is_finite());
        let best = best.ok_or_else(|| candle_core::Error::Msg("the model's logits are not numbers".into()))?;
        if self.temperature <= 0.0 || !self.temperature.is_finite() {
            return Ok(best as u32);
        }
        let weight = |id: usize| (f64::from(logits[id] - logits[best]) / self.temperature).exp();
        let mut drawn: Vec<(usize, f64)> = (0..logits.len()).map(|id| (id, weight(id))).collect();
        let total: f64 = drawn.iter().map(|(_, w)| w).sum();
        let mut mass = total;
        if self.top_p < 1.0 {
            drawn.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let wanted = self.top_p.max(0.0) * total;
            let mut sum = 0.0;
            let kept = drawn.iter().position(|(_, w)| {
                sum += w;
                sum >= wanted
            });
            drawn.truncate(kept.map_or(drawn.len(), |last| last + 1));
            mass = sum;
        }
        let mut left = self.random.random::<f64>() * mass;
        for (id, weight) in &drawn {
            left -= weight;
            if left < 0.0 {
                return Ok(*id as u32);
            }
        }
        Ok(best as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.0, 3.0, 2.0, -1.0];

    fn draw(temperature: f64, top_p: f64, seed: u64, n: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(&Sampling { temperature, top_p, seed, ..Sampling::default() });
        (0..n).map(|_| sampler.next(&LOGITS).unwrap()).collect()
    }

    #[test]
    fn greedy_takes_the_best_and_the_first_of_equals() {
        assert_eq!(draw(0.0, 1.0, 0, 3), [1, 1, 1]);
        assert_eq!(Sampler::new(&Sampling::default()).next(&[1.0, 2.0, 2.0]).unwrap(), 1);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        assert_eq!(draw(1.0, 1.0, 7, 50), draw(1.0, 1.0, 7, 50));
        assert_ne!(draw(1.0, 1.0, 7, 50), draw(1.0, 1.0, 8, 50));
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let drawn = draw(1.0, 1.0, 1, 20_000);
        let total: f64 = LOGITS.iter().map(|&l| f64::from(l).exp()).sum();
        for id in 0..4 {
            let share = drawn.iter().filter(|&&d| d == id).count() as f64 / drawn.len() as f64;
            let expected = f64::from(LOGITS[id as usize]).exp() / total;
            assert!((share - expected).abs() < 0.015, "{id}: {share} {expected}");
        }
    }

    #[test]
    fn the_nucleus_leaves_out_the_tail() {
        // Probabilities 0.035, 0.705, 0.259, 0.013: 0.9 needs the first two.
        assert!(draw(1.0, 0.9, 3, 2_000).iter().all(|&id| id == 1 || id == 2));
        assert!(draw(1.0, 0.0, 3, 100).iter().all(|&id| id == 1));
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        assert!(Sampler::new(&Sampling::default()).next(&[f32::NAN, f32::NAN]).is_err());
        assert!(Sampler::new(&Sampling::default()).next(&[]).is_err());
    }
}
