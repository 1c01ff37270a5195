//! `bench llm --tests rN`: what does it bring to use the keys and values of passages again in another order, and what
//! does it change?
//!
//! Six passages between rules and a question, N tokens in all, are read once; then the same passages come in another
//! order, with another question. Seconds to the first token of both, without reuse across places and with it, and by
//! how much the logits after the second prompt then differ from those of reading it all.

use std::ops::ControlFlow;

use sectora_lm::{LmError, Model, Prompt, Sampling};
use serde::Serialize;

use super::Failure;

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
    /// Least seconds to the first token of all rounds: when the passages are first read, and in another order.
    first_token_s: [f64; 2],
    /// The same in each round.
    rounds: Vec<[f64; 2]>,
    /// With one thread, least seconds that it had a processor meanwhile: what counts on a machine that does other things.
    #[serde(skip_serializing_if = "Option::is_none")]
    processor_s: Option<[f64; 2]>,
    /// From the logits of reading all.
    difference: Difference,
    /// For comparison, what it changes to read all in the first order.
    other_order: Difference,
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
    let (first, second, same) = (prompt(&PASSAGES, 0), prompt(&REORDERED, 1), prompt(&PASSAGES, 1));
    let mut seconds: Vec<Vec<[f64; 2]>> = vec![Vec::new(); MODES.len()];
    let mut processor: Vec<Option<[f64; 2]>> = vec![None; MODES.len()];
    let mut reused = [0; MODES.len()];
    for _ in 0..rounds {
        for (at, mode) in MODES.into_iter().enumerate() {
            model.set_segments(mode.map_or(0, |_| BYTES), mode.unwrap_or(0.0));
            let mut read = |prompt: &Prompt| {
                let one = Sampling { max_tokens: 1, ..Sampling::default() };
                model.generate(prompt, &one, &|| false, &mut |_| ControlFlow::Continue(())).map_err(failed)
            };
            read(&Prompt::from(&[1, 2]))?;
            let clocks = processor_time();
            let cold = read(&first)?;
            let between = processor_time();
            let again = read(&second)?;
            seconds[at].push([cold.first_token_s, again.first_token_s]);
            reused[at] = again.reused_tokens;
            if let (1, Some(begin), Some(between), Some(end)) = (threads, clocks, between, processor_time()) {
                let [cold, again] = processor[at].unwrap_or([f64::MAX; 2]);
                processor[at] = Some([cold.min(between - begin), again.min(end - between)]);
            }
        }
    }
    model.set_segments(0, 0.0);
    let plain = model.logits(&second).map_err(failed)?;
    let other_order = difference(&plain, &model.logits(&same).map_err(failed)?);
    let mut all = Vec::new();
    for (((mode, rounds), processor_s), reused_tokens) in MODES.into_iter().zip(seconds).zip(processor).zip(reused) {
        model.set_segments(mode.map_or(0, |_| BYTES), mode.unwrap_or(0.0));
        let logits = model.logits(&second).map_err(failed)?;
        let least = |i: usize| rounds.iter().map(|round: &[f64; 2]| round[i]).fold(f64::MAX, f64::min);
        all.push(Reused {
            model: name.to_owned(),
            quant: quant.to_owned(),
            threads,
            tokens,
            reread: mode,
            reused_tokens,
            first_token_s: [least(0), least(1)],
            rounds,
            processor_s,
            difference: difference(&plain, &logits),
            other_order,
        });
    }
    model.set_segments(0, 0.0);
    Ok(all)
}

/// Seconds that this thread has had a processor, where the system says so.
fn processor_time() -> Option<f64> {
    let text = fs_err::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse::<f64>().ok().map(|ns| ns / 1e9)
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
    let Reused { quant, tokens, reread, reused_tokens, first_token_s: [cold, again], .. } = reused;
    let mode = reread.map_or("read anew".to_owned(), |share| format!("used again but {:.0} %", 100.0 * share));
    let (what, d) = match reread {
        None => ("in the first order logits differ", &reused.other_order),
        Some(_) => ("logits differ", &reused.difference),
    };
    let processor = reused.processor_s.map_or_else(String::new, |[cold, again]| {
        format!(" (on the processor {cold:.2} and {again:.3} s, {:.1} times)", cold / again)
    });
    format!(
        "{quant:<10} {tokens} tokens, passages in another order, {mode:<22} first token {cold:.2} s at first, {again:.3} s then{processor} \
         ({reused_tokens} tokens reused); {what} by {:.4} at most, {:.4} on average (their deviation {:.2}), KL {:.5}{}",
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
