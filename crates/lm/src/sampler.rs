//! From logits to the next token, as [`Sampling`] asks.
//!
//! The sampler holds what a draw depends on besides the logits: the random numbers since the seed, the
//! tokens of the prompt and those drawn so far. It knows nothing of models, texts or other requests, which
//! is why the same seed gives the same tokens alone and in a batch.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use toktrie::SimpleVob;

use crate::{LmError, Sampling};

/// A token whose logit is so many temperatures below the best has a chance under 1e-26: left out.
const NEVER: f64 = -60.0;

/// Draws tokens.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: StdRng,
    /// Tokens of the prompt; filled only where a penalty asks.
    prompt: HashSet<u32>,
    /// How often each token was drawn.
    drawn: HashMap<u32, u32>,
    scores: Vec<f32>,
}

/// A token that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// Which.
    pub id: u32,
    /// The natural logarithm of its probability under the model's own logits, before grammar, bias,
    /// penalties and temperature; where asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens in the same measure, best first.
    pub top: Vec<(u32, f32)>,
}

impl Sampler {
    /// A sampler that begins at the seed, for the answer to `prompt`.
    pub fn new(sampling: &Sampling, prompt: &[u32]) -> Sampler {
        let repeats = sampling.repetition_penalty != 1.0;
        Sampler {
            random: StdRng::seed_from_u64(sampling.seed),
            prompt: if repeats { prompt.iter().copied().collect() } else { HashSet::new() },
            drawn: HashMap::new(),
            scores: Vec::new(),
            sampling: sampling.clone(),
        }
    }

    /// The next token.
    pub fn next(&mut self, logits: &[f32]) -> Result<Drawn, LmError> {
        if !self.changes_scores() {
            let id = pick(&self.sampling, &mut self.random, logits)?;
            return Ok(self.take(id, logits));
        }
        let mut scores = std::mem::take(&mut self.scores);
        scores.clear();
        scores.extend_from_slice(logits);
        let drawn = self.next_of(logits, &mut scores);
        self.scores = scores;
        drawn
    }

    /// The next token by `scores`, which [`only`] made of the logits.
    pub(crate) fn next_of(&mut self, logits: &[f32], scores: &mut [f32]) -> Result<Drawn, LmError> {
        self.change(scores);
        let id = pick(&self.sampling, &mut self.random, scores)?;
        Ok(self.take(id, logits))
    }

    /// Counts a token that was drawn, and says how likely it was.
    fn take(&mut self, id: u32, logits: &[f32]) -> Drawn {
        *self.drawn.entry(id).or_default() += 1;
        let (logprob, top) = match self.sampling.logprobs {
            None => (None, Vec::new()),
            Some(count) => {
                let normaliser = log_sum_exp(logits);
                let logprob = |id: u32| (f64::from(logits[id as usize]) - normaliser) as f32;
                let best = best_of(logits, count).into_iter().map(|id| (id, logprob(id))).collect();
                (Some(logprob(id)), best)
            }
        };
        Drawn { id, logprob, top }
    }

    fn changes_scores(&self) -> bool {
        let Sampling { repetition_penalty, presence_penalty, frequency_penalty, logit_bias, .. } = &self.sampling;
        *repetition_penalty != 1.0 || *presence_penalty != 0.0 || *frequency_penalty != 0.0 || !logit_bias.is_empty()
    }

    /// Bias, penalties.
    fn change(&self, scores: &mut [f32]) {
        for &(id, bias) in &self.sampling.logit_bias {
            if let Some(score) = scores.get_mut(id as usize) {
                *score += bias;
            }
        }
        let repetition = self.sampling.repetition_penalty as f32;
        if repetition != 1.0 {
            let used = self.drawn.keys().filter(|id| !self.prompt.contains(id));
            for &id in self.prompt.iter().chain(used) {
                if let Some(score) = scores.get_mut(id as usize) {
                    *score = if *score > 0.0 { *score / repetition } else { *score * repetition };
                }
            }
        }
        let (presence, frequency) = (self.sampling.presence_penalty, self.sampling.frequency_penalty);
        if presence != 0.0 || frequency != 0.0 {
            for (&id, &count) in &self.drawn {
                if let Some(score) = scores.get_mut(id as usize) {
                    *score -= (presence + frequency * f64::from(count)) as f32;
                }
            }
        }
    }
}

/// Of a row of logits those of tokens that are allowed; all others become minus infinity.
pub(crate) fn only(allowed: &SimpleVob, logits: &[f32], scores: &mut Vec<f32>) {
    scores.clear();
    scores.extend_from_slice(logits);
    let words = allowed.as_slice().iter().copied().chain(std::iter::repeat(0));
    for (word, scores) in words.zip(scores.chunks_mut(32)).filter(|(word, _)| *word != u32::MAX) {
        for (bit, score) in scores.iter_mut().enumerate() {
            if word >> bit & 1 == 0 {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// One token by temperature, `top_k`, `top_p` and `min_p`.
fn pick(sampling: &Sampling, random: &mut StdRng, scores: &[f32]) -> Result<u32, LmError> {
    let best = best(scores).ok_or_else(|| candle_core::Error::Msg("the model's logits are not numbers".into()))?;
    if sampling.temperature <= 0.0 || sampling.top_k == 1 {
        return Ok(best as u32);
    }
    let exponent = |id: usize| f64::from(scores[id] - scores[best]) / sampling.temperature;
    let likely = (0..scores.len()).map(|id| (id, exponent(id))).filter(|&(_, e)| e > NEVER);
    let mut kept: Vec<(u32, f64)> = likely.map(|(id, e)| (id as u32, e.exp())).collect();
    if sampling.top_k > 0 && sampling.top_k < kept.len() {
        kept.select_nth_unstable_by(sampling.top_k, likelier);
        kept.truncate(sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        let wanted = sampling.top_p * kept.iter().map(|(_, weight)| weight).sum::<f64>();
        nucleus(&mut kept, wanted);
    }
    if sampling.min_p > 0.0 {
        // The best weighs exactly 1.
        kept.retain(|&(_, weight)| weight >= sampling.min_p);
    }
    let mut left = random.random::<f64>() * kept.iter().map(|(_, weight)| weight).sum::<f64>();
    for &(id, weight) in &kept {
        left -= weight;
        if left < 0.0 {
            return Ok(id);
        }
    }
    Ok(best as u32)
}

/// The first of the highest scores; nothing where a score is not a number or the highest is not finite. In
/// sixteen lanes that vectorise: a vocabulary of 150,000 takes longer than a layer, compared one by one.
fn best(scores: &[f32]) -> Option<usize> {
    const LANES: usize = 16;
    let (mut most, mut odd) = ([f32::NEG_INFINITY; LANES], [0u32; LANES]);
    let (chunks, rest) = scores.as_chunks::<LANES>();
    for chunk in chunks {
        for (most, &x) in most.iter_mut().zip(chunk) {
            *most = if x > *most { x } else { *most };
        }
        for (odd, &x) in odd.iter_mut().zip(chunk) {
            *odd |= u32::from(x.is_nan());
        }
    }
    let highest = most.iter().chain(rest).fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m });
    let odd = odd.iter().any(|&odd| odd != 0) || rest.iter().any(|x| x.is_nan());
    (!odd && highest.is_finite()).then(|| scores.iter().position(|&x| x == highest)).flatten()
}

fn likelier(a: &(u32, f64), b: &(u32, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Keeps the fewest, likeliest, that together weigh `wanted`. Only as many are sorted as are needed: a
/// nucleus is small and a vocabulary is not.
fn nucleus(all: &mut Vec<(u32, f64)>, wanted: f64) {
    let (mut sorted, mut sum) = (0, 0.0);
    let mut step = 64;
    while sorted < all.len() {
        let rest = &mut all[sorted..];
        let now = step.min(rest.len());
        if now < rest.len() {
            rest.select_nth_unstable_by(now, likelier);
        }
        rest[..now].sort_unstable_by(likelier);
        for (i, (_, weight)) in rest[..now].iter().enumerate() {
            sum += weight;
            if sum >= wanted {
                all.truncate(sorted + i + 1);
                return;
            }
        }
        sorted += now;
        step *= 8;
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(most) + logits.iter().map(|&x| f64::from(x - most).exp()).sum::<f64>().ln()
}

fn best_of(logits: &[f32], count: usize) -> Vec<u32> {
    let better = |&a: &u32, &b: &u32| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b));
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    if count < ids.len() {
        ids.select_nth_unstable_by(count, better);
        ids.truncate(count);
    }
    ids.sort_unstable_by(better);
    ids
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOGITS: [f32; 4] = [0.0, 3.0, 2.0, -1.0];

    fn draw(sampling: &Sampling, logits: &[f32], n: usize) -> Vec<u32> {
        // One sampler a draw would repeat the first random number; penalties are tested by themselves.
        let mut sampler = Sampler::new(sampling, &[]);
        (0..n).map(|_| sampler.next(logits).unwrap().id).collect()
    }

    fn warm(seed: u64) -> Sampling {
        Sampling { temperature: 1.0, seed, ..Sampling::default() }
    }

    #[test]
    fn greedy_takes_the_best_and_the_first_of_equals() {
        assert_eq!(draw(&Sampling::default(), &LOGITS, 3), [1, 1, 1]);
        assert_eq!(draw(&Sampling::default(), &[1.0, 2.0, 2.0], 1), [1]);
    }

    #[test]
    fn the_best_of_a_vocabulary_is_found_wherever_it_stands_and_never_among_what_is_not_a_number() {
        for len in [1, 15, 16, 17, 100] {
            for at in 0..len {
                let mut scores: Vec<f32> = (0..len).map(|i| -((i * 7 % 13) as f32)).collect();
                scores[at] = 0.5;
                assert_eq!(best(&scores), Some(at), "{len}");
                scores[len - 1] = 0.5;
                assert_eq!(best(&scores), Some(at), "{len}");
                for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
                    scores[at] = bad;
                    assert_eq!(best(&scores), None, "{len} {bad}");
                }
            }
        }
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[f32::NEG_INFINITY; 20]), None);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        assert_eq!(draw(&warm(7), &LOGITS, 50), draw(&warm(7), &LOGITS, 50));
        assert_ne!(draw(&warm(7), &LOGITS, 50), draw(&warm(8), &LOGITS, 50));
    }

    #[test]
    fn the_nucleus_leaves_out_the_tail() {
        // Probabilities 0.035, 0.705, 0.259, 0.013: 0.9 needs the first two.
        let drawn = |top_p| draw(&Sampling { top_p, ..warm(3) }, &LOGITS, 2_000);
        assert!(drawn(0.9).iter().all(|&id| id == 1 || id == 2));
        assert!(drawn(0.9).contains(&2));
        assert!(drawn(0.0).iter().all(|&id| id == 1));
    }

    #[test]
    fn presence_counts_once_and_frequency_each_time() {
        let next = |presence_penalty: f64, frequency_penalty: f64, drawn: &[u32]| {
            let sampling = Sampling { presence_penalty, frequency_penalty, ..Sampling::default() };
            let mut sampler = Sampler::new(&sampling, &[]);
            drawn.iter().for_each(|&id| *sampler.drawn.entry(id).or_default() += 1);
            sampler.next(&LOGITS).unwrap().id
        };
        // 3.0 against 2.0: a presence penalty of 0.6 never suffices, a frequency penalty does the second time.
        assert_eq!(next(0.6, 0.0, &[1, 1, 1]), 1);
        assert_eq!(next(0.0, 0.6, &[1]), 1);
        assert_eq!(next(0.0, 0.6, &[1, 1]), 2);
        assert_eq!(next(1.1, 0.0, &[1]), 2);
        assert_eq!(next(-2.0, 0.0, &[2]), 2);
    }

    #[test]
    fn repetition_weighs_on_the_tokens_of_the_prompt_too() {
        let sampling = Sampling { repetition_penalty: 2.0, ..Sampling::default() };
        assert_eq!(Sampler::new(&sampling, &[1]).next(&LOGITS).unwrap().id, 2);
        // What is below zero gets lower: -1 · 2 falls behind -1.5.
        assert_eq!(Sampler::new(&sampling, &[0]).next(&[-1.0, -1.5]).unwrap().id, 1);
    }

    #[test]
    fn bias_forbids_and_enforces_and_a_set_forbids_for_certain() {
        let biased = |id, bias| Sampling { logit_bias: vec![(id, bias)], ..warm(1) };
        assert!(!draw(&biased(1, -100.0), &LOGITS, 500).contains(&1));
        assert!(draw(&biased(3, 100.0), &LOGITS, 100).iter().all(|&id| id == 3));
        let mut allowed = SimpleVob::alloc(4);
        allowed.allow_token(0);
        allowed.allow_token(3);
        let mut sampler = Sampler::new(&warm(2), &[]);
        let mut next_of = |allowed: &SimpleVob| {
            let mut scores = Vec::new();
            only(allowed, &LOGITS, &mut scores);
            sampler.next_of(&LOGITS, &mut scores)
        };
        assert!((0..500).all(|_| [0, 3].contains(&next_of(&allowed).unwrap().id)));
        assert!(next_of(&SimpleVob::alloc(4)).is_err());
    }

    #[test]
    fn only_what_a_set_allows_keeps_its_logit_whatever_the_words_of_the_set() {
        const TOKENS: usize = 110;
        let logits: Vec<f32> = (0..TOKENS).map(|id| id as f32).collect();
        let rules: [fn(usize) -> bool; 5] =
            [|_| true, |_| false, |id| id < 32, |id| id >= 64, |id| id < 32 || id.is_multiple_of(3)];
        let mut scores = vec![7.0; 3];
        // A set may know fewer tokens than there are logits, or one more.
        for known in [70, 96, TOKENS, TOKENS + 1] {
            for (index, rule) in rules.iter().enumerate() {
                let mut allowed = SimpleVob::alloc(known);
                (0..known).filter(|&id| rule(id)).for_each(|id| allowed.set(id, true));
                only(&allowed, &logits, &mut scores);
                for (id, &score) in scores.iter().enumerate() {
                    let expect = if id < known && rule(id) { logits[id] } else { f32::NEG_INFINITY };
                    assert_eq!(score, expect, "rule {index}, {known} known, token {id}");
                }
                assert_eq!(scores.len(), TOKENS);
            }
        }
    }

    #[test]
    fn logits_that_are_not_numbers_are_an_error() {
        assert!(Sampler::new(&Sampling::default(), &[]).next(&[f32::NAN, f32::NAN]).is_err());
        assert!(Sampler::new(&Sampling::default(), &[]).next(&[]).is_err());
    }

    /// The probabilities that the options ask for, computed the slow and obvious way.
    fn expected(sampling: &Sampling, logits: &[f32]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        let most = f64::from(logits[order[0]]);
        let weight = |id: usize| ((f64::from(logits[id]) - most) / sampling.temperature).exp();
        if sampling.top_k > 0 {
            order.truncate(sampling.top_k);
        }
        let total: f64 = order.iter().map(|&id| weight(id)).sum();
        let mut sum = 0.0;
        let mut kept = Vec::new();
        for id in order {
            if kept.is_empty() || sampling.top_p >= 1.0 || sum < sampling.top_p * total {
                sum += weight(id);
                kept.push(id);
            }
        }
        kept.retain(|&id| weight(id) >= sampling.min_p);
        let mass: f64 = kept.iter().map(|&id| weight(id)).sum();
        let mut all = vec![0.0; logits.len()];
        kept.iter().for_each(|&id| all[id] = weight(id) / mass);
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn frequencies_follow_the_distribution_that_the_options_ask_for(
            logits in prop::collection::vec(-4.0f32..4.0, 2..12),
            temperature in 0.3f64..2.0,
            top_k in 0usize..8,
            top_p in 0.2f64..1.2,
            min_p in 0.0f64..0.3,
            seed in 0u64..1000,
        ) {
            let sampling = Sampling { temperature, top_k, top_p: top_p.min(1.0), min_p, seed, ..Sampling::default() };
            let n = 4_000;
            let drawn = draw(&sampling, &logits, n);
            for (id, &probability) in expected(&sampling, &logits).iter().enumerate() {
                let count = drawn.iter().filter(|&&d| d == id as u32).count();
                if probability == 0.0 {
                    prop_assert_eq!(count, 0);
                }
                // Five standard deviations: one false alarm in a million comparisons.
                let deviation = (n as f64 * probability * (1.0 - probability)).sqrt();
                prop_assert!((count as f64 - n as f64 * probability).abs() <= 5.0 * deviation + 1e-6);
            }
        }

        #[test]
        fn a_large_nucleus_is_the_one_that_full_sorting_finds(
            logits in prop::collection::vec(-2.0f32..2.0, 100..1500),
            top_p in 0.01f64..0.999,
        ) {
            let mut all: Vec<(u32, f64)> =
                logits.iter().enumerate().map(|(id, &x)| (id as u32, f64::from(x).exp())).collect();
            let mut sorted = all.clone();
            sorted.sort_by(likelier);
            let wanted = top_p * all.iter().map(|(_, w)| w).sum::<f64>();
            let mut sum = 0.0;
            let place = sorted.iter().position(|(_, w)| { sum += w; sum >= wanted });
            sorted.truncate(place.map_or(usize::MAX, |last| last + 1));
            nucleus(&mut all, wanted);
            prop_assert_eq!(all, sorted);
        }

        #[test]
        fn reported_probabilities_are_those_of_the_softmax_and_come_best_first(
            logits in prop::collection::vec(-9.0f32..9.0, 2..40),
            count in 0usize..20,
        ) {
            let sampling = Sampling { logprobs: Some(count), presence_penalty: 1.0, ..warm(4) };
            let drawn = Sampler::new(&sampling, &[]).next(&logits).unwrap();
            let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
            let exact = |id: u32| (f64::from(logits[id as usize]).exp() / total).ln();
            prop_assert!((f64::from(drawn.logprob.unwrap()) - exact(drawn.id)).abs() < 1e-4);
            prop_assert_eq!(drawn.top.len(), count.min(logits.len()));
            prop_assert!(drawn.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert!(drawn.top.first().is_none_or(|&(id, _)| logits[id as usize] == best));
            for (id, logprob) in drawn.top {
                prop_assert!((f64::from(logprob) - exact(id)).abs() < 1e-4);
            }
        }
    }
}
