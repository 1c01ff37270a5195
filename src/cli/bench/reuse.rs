//! `bench llm --tests rN`: what does it bring to use the keys and values of passages again in another order, and what
//! does it change?
//!
//! Six passages between rules and a question, N tokens in all, are read once; then the same passages come in another
//! order, with another question. Seconds to the first token of both, without reuse across places and with it, and by
//! how much the logits after the second prompt then differ from those of reading it all.

use std::ops::ControlFlow;

use sectora_lm::{LmError, Model, Prompt, Sampling};
use serde::Serialize;

use super::{Failure, median};

/// Room for the passages.
pub(super) const BYTES: usize = 512 << 20;
/// Shares of each passage that are read again; nothing is reading all without reuse.
const MODES: [Option<f64>; 6] = [None, Some(0.0), Some(0.05), Some(0.1), Some(0.25), Some(0.5)];
const PASSAGES: [usize; 6] = [0, 1, 2, 3, 4, 5];
const REORDERED: [usize; 6] = [3, 0, 5, 1, 4, 2];
/// Tokens of the question; of a passage's number.
const QUESTION: usize = 32;
const NUMBER: usize = 4;

/// One way of reading the second prompt.
#[derive(Serialize)]
pub(super) struct Reused {
    model: String,
    quant: String,
    threads: usize,
    tokens: usize,
    /// Share of each passage that is read again; nothing without reuse across places.
    reread: Option<f64>,
    /// Tokens of the second prompt that were not computed again.
    reused_tokens: usize,
    /// Medians of the seconds to the first token: when the passages are first read, and in another order.
    first_token_s: [f64; 2],
    /// The same in each round.
    rounds: Vec<[f64; 2]>,
    /// From the logits of reading all.
    difference: Difference,
}

/// Between logits of the same prompt.
#[derive(Clone, Copy, Serialize)]
struct Difference {
    largest: f64,
    mean: f64,
    /// Kullback-Leibler divergence of the next token's distribution from that of the other logits, in nats.
    kl: f64,
    /// Standard deviation of the other logits.
    deviation: f64,
    /// The likeliest token is the same.
    same_first: bool,
}

pub(super) fn run(
    model: &mut Model,
    tokens: usize,
    rounds: usize,
    (name, quant, threads): (&str, &str, usize),
) -> Result<Vec<Reused>, Failure> {
    let failed = |e: LmError| Failure::internal(e.to_string());
    let vocabulary = model.tokenizer().len();
    let prompt = |order: &[usize], question: usize| prompt(tokens, vocabulary, order, question);
    let (first, second) = (prompt(&PASSAGES, 0), prompt(&REORDERED, 1));
    let mut seconds: Vec<Vec<[f64; 2]>> = vec![Vec::new(); MODES.len()];
    let mut reused = [0; MODES.len()];
    for _ in 0..rounds {
        for (at, mode) in MODES.into_iter().enumerate() {
            model.set_segments(mode.map_or(0, |_| BYTES), mode.unwrap_or(0.0));
            let mut read = |prompt: &Prompt| {
                let one = Sampling { max_tokens: 1, ..Sampling::default() };
                model.generate(prompt, &one, &|| false, &mut |_| ControlFlow::Continue(())).map_err(failed)
            };
            read(&Prompt::from(&[1, 2]))?;
            let (cold, again) = (read(&first)?, read(&second)?);
            seconds[at].push([cold.first_token_s, again.first_token_s]);
            reused[at] = again.reused_tokens;
        }
    }
    let mut plain = Vec::new();
    let mut all = Vec::new();
    for ((mode, rounds), reused_tokens) in MODES.into_iter().zip(seconds).zip(reused) {
        model.set_segments(mode.map_or(0, |_| BYTES), mode.unwrap_or(0.0));
        let logits = model.logits(&second).map_err(failed)?;
        if mode.is_none() {
            plain.clone_from(&logits);
        }
        let middle = |i: usize| median(&rounds.iter().map(|round| round[i]).collect::<Vec<_>>());
        all.push(Reused {
            model: name.to_owned(),
            quant: quant.to_owned(),
            threads,
            tokens,
            reread: mode,
            reused_tokens,
            first_token_s: [middle(0), middle(1)],
            rounds,
            difference: difference(&plain, &logits),
        });
    }
    model.set_segments(0, 0.0);
    Ok(all)
}

/// Rules, passages in this order with a number before each, a question.
fn prompt(tokens: usize, vocabulary: usize, order: &[usize], question: usize) -> Prompt {
    let rules = tokens / 32;
    let each = (tokens - rules - QUESTION).saturating_sub(NUMBER * order.len()) / order.len();
    // Any words: a linear congruential generator over the first of the vocabulary, which are no control tokens.
    let words = |seed: usize, count: usize| {
        let known = (vocabulary / 2).max(200) as u64;
        let mut state = seed as u64 * 7919 + 12345;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % known) as u32
        })
        .take(count)
    };
    let mut prompt = Prompt { tokens: words(100, rules).collect(), context: rules, segments: Vec::new() };
    for (n, &passage) in order.iter().enumerate() {
        prompt.tokens.extend(words(200 + n, NUMBER));
        let begin = prompt.tokens.len();
        prompt.tokens.extend(words(passage, each));
        prompt.segments.push(begin..prompt.tokens.len());
    }
    prompt.tokens.extend(words(300 + question, QUESTION));
    prompt
}

fn difference(plain: &[f32], other: &[f32]) -> Difference {
    let count = plain.len() as f64;
    let apart = || plain.iter().zip(other).map(|(a, b)| f64::from((a - b).abs()));
    let mean = plain.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let normal = |logits: &[f32]| {
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = logits.iter().map(|&x| f64::from(x - most).exp()).sum();
        f64::from(most) + sum.ln()
    };
    let (a, b) = (normal(plain), normal(other));
    let kl = plain.iter().zip(other).map(|(&p, &q)| {
        let (p, q) = (f64::from(p) - a, f64::from(q) - b);
        p.exp() * (p - q)
    });
    let best = |logits: &[f32]| logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
    Difference {
        largest: apart().fold(0.0, f64::max),
        mean: apart().sum::<f64>() / count,
        kl: kl.sum(),
        deviation: (plain.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count).sqrt(),
        same_first: best(plain) == best(other),
    }
}

pub(super) fn line(reused: &Reused) -> String {
    let Reused { quant, tokens, reread, reused_tokens, first_token_s: [cold, again], difference: d, .. } = reused;
    let mode = reread.map_or("read anew".to_owned(), |share| format!("used again but {:.0} %", 100.0 * share));
    format!(
        "{quant:<10} {tokens} tokens, passages in another order, {mode:<22} first token {cold:.2} s at first, {again:.3} s then \
         ({reused_tokens} tokens reused); logits differ by {:.4} at most, {:.4} on average (their deviation {:.2}), KL {:.6}{}",
        d.largest,
        d.mean,
        d.deviation,
        d.kl,
        if d.same_first { "" } else { ", another first token" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_hold_the_same_passages_and_fill_the_prompt() {
        let (a, b) = (prompt(2048, 151_936, &PASSAGES, 0), prompt(2048, 151_936, &REORDERED, 1));
        let texts = |p: &Prompt| {
            let mut all: Vec<Vec<u32>> = p.segments.iter().map(|s| p.tokens[s.clone()].to_vec()).collect();
            all.sort();
            all
        };
        assert_eq!(texts(&a), texts(&b));
        assert_ne!(a.tokens[a.segments[0].clone()], b.tokens[b.segments[0].clone()]);
        assert!((2040..=2048).contains(&a.tokens.len()), "{}", a.tokens.len());
    }

    #[test]
    fn logits_do_not_differ_from_themselves() {
        let logits = [1.0, -2.0, 0.5];
        let same = difference(&logits, &logits);
        assert_eq!((same.largest, same.mean, same.kl, same.same_first), (0.0, 0.0, 0.0, true));
        let other = difference(&logits, &[1.0, 2.0, 0.5]);
        assert!(other.kl > 0.1 && other.largest == 4.0 && !other.same_first);
    }
}
