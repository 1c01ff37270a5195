//! What does it do to answers to compute passages apart? `segments MODEL.gguf PROMPTS.jsonl [share,share…]`
//!
//! A line of the prompts is `{"messages": [{"role", "content"}…], "segments": ["text"…], "answer": "text"}`. Each token of
//! the answer is foretold after the prompt and the answer so far: reading everything, and with each share of the segments read
//! again. Printed: the mean Kullback-Leibler divergence a token (nats) from reading everything, the largest and the mean
//! difference of logits, how often the likeliest token is another, and the answer's loss (nats a token).

use std::error::Error;

use sectora_lm::{ChatMessage, Model, Options};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    messages: Vec<Message>,
    segments: Vec<String>,
    answer: String,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(Default)]
struct Sums {
    tokens: usize,
    kl: f64,
    largest: f64,
    mean: f64,
    other: usize,
    loss: f64,
    apart: usize,
    read: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, prompts, rest @ ..] = arguments.as_slice() else {
        return Err("segments MODEL.gguf PROMPTS.jsonl".into());
    };
    let shares = rest.first().map_or("0,0.1,0.25,0.5", String::as_str);
    let shares = shares.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let lines = std::fs::read_to_string(prompts)?;
    let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>()?;
    let mut model = Model::open(file.as_ref(), &Options { lookup: 0, ..Options::default() })?;
    let mut plain: Vec<Vec<Vec<f64>>> = Vec::new();
    for share in [None].into_iter().chain(shares.into_iter().map(Some)) {
        model.set_segments(share.map_or(0, |_| 256 << 20), share.unwrap_or(0.0));
        let mut sums = Sums::default();
        for (n, Line { messages, segments, answer }) in lines.iter().enumerate() {
            let chat = |m: &Message| ChatMessage { role: m.role.clone(), content: m.content.clone() };
            let messages: Vec<ChatMessage> = messages.iter().map(chat).collect();
            let mut prompt = model.prompt_with(&messages, segments)?;
            sums.apart += prompt.segments.iter().map(|segment| segment.len()).sum::<usize>();
            sums.read += prompt.tokens.len();
            let mut logprobs = Vec::new();
            for token in model.tokenizer().encode(answer)? {
                let now = normalized(&model.logits(&prompt)?);
                sums.loss -= now[token as usize];
                sums.tokens += 1;
                if let Some(expect) = plain.get(n).map(|all| &all[logprobs.len()]) {
                    let pairs = || expect.iter().zip(&now);
                    let differences = || pairs().map(|(p, q)| (p - q).abs());
                    sums.kl += pairs().map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
                    sums.largest = differences().fold(sums.largest, f64::max);
                    sums.mean += differences().sum::<f64>() / now.len() as f64;
                    sums.other += usize::from(best(expect) != best(&now));
                }
                logprobs.push(now);
                prompt.tokens.push(token);
            }
            if share.is_none() {
                plain.push(logprobs);
            }
        }
        let Sums { tokens, kl, largest, mean, other, loss, apart, read } = sums;
        let each = |sum: f64| sum / tokens.max(1) as f64;
        println!(
            "{:<12} {tokens} tokens of {} answers; {apart} of {read} tokens of prompts in segments; KL {:.5}, log probabilities differ by \
             {largest:.3} at most, {:.4} on average; another first choice {:.2} %; loss {:.4}",
            share.map_or("read anew".to_owned(), |share| format!("share {share}")),
            lines.len(),
            each(kl),
            each(mean),
            100.0 * each(other as f64),
            each(loss)
        );
    }
    Ok(())
}

/// Natural logarithms of probabilities.
fn normalized(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - most).exp()).sum();
    logits.iter().map(|&x| f64::from(x - most) - sum.ln()).collect()
}

fn best(logprobs: &[f64]) -> Option<usize> {
    logprobs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i)
}
