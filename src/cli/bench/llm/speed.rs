//! How fast a model of ours does a workload once.

use std::ops::ControlFlow;
use std::time::Instant;

use sectora_lm::{Form, Generation, LmError, Model, Options, Sampling};

use super::Failure;
use super::workload::{Grammar, Workload};

/// Tokens of a chat's prompt in a batch.
pub(super) const BATCH_PROMPT: usize = 16;

#[derive(Default)]
pub(super) struct Speed {
    pub(super) tokens_per_s: f64,
    /// Seconds to the first token, cold and over the same passages.
    pub(super) first_token_s: Option<[f64; 2]>,
    /// Share of the time that the grammar takes.
    pub(super) grammar_share: Option<f64>,
    /// Tokens a second of the same text without drafts.
    pub(super) without_drafts: Option<f64>,
    /// Longest seconds between two tokens of a chat, alone and while another's prompt is read.
    pub(super) pause_s: Option<[f64; 2]>,
}

impl Speed {
    fn plain(tokens_per_s: f64) -> Speed {
        Speed { tokens_per_s, ..Speed::default() }
    }
}

/// Does a workload; where it decodes, `write` tokens are written.
pub(super) fn of(model: &mut Model, workload: Workload, write: usize) -> Result<Speed, Failure> {
    let write = write.max(2);
    match workload {
        Workload::Prefill(tokens) => prefill(model, tokens),
        Workload::Decode(depth) => Ok(Speed::plain(written_per_s(&generate(model, &words(depth, 0), write)?))),
        Workload::FirstToken(tokens) => first_token(model, tokens),
        Workload::Batch(chats) => batch(model, chats, write),
        Workload::Formed(depth, grammar) => formed(model, depth, grammar, write),
        Workload::Quoting(tokens) => quoting(model, tokens),
        Workload::Beside(tokens) => beside(model, tokens, write),
    }
}

fn prefill(model: &mut Model, tokens: usize) -> Result<Speed, Failure> {
    start(model)?;
    let done = generate(model, &words(tokens, 0), 1)?;
    Ok(Speed::plain(tokens as f64 / done.first_token_s))
}

fn first_token(model: &mut Model, tokens: usize) -> Result<Speed, Failure> {
    start(model)?;
    let question = |seed| [words(tokens, 0), words(32, seed)].concat();
    let cold = generate(model, &question(5), 1)?;
    let again = generate(model, &question(11), 1)?;
    let first_token_s = Some([cold.first_token_s, again.first_token_s]);
    Ok(Speed { first_token_s, ..Speed::plain((tokens + 32) as f64 / again.first_token_s) })
}

fn batch(model: &mut Model, chats: usize, write: usize) -> Result<Speed, Failure> {
    let sampling = Sampling { max_tokens: write, ..Sampling::default() };
    let requests: Vec<_> = (0..chats as u32).map(|i| (words(BATCH_PROMPT, 7 * i), sampling.clone())).collect();
    let begin = Instant::now();
    let ends = model.generate_all(&requests).map_err(failed)?;
    let written: usize = ends.iter().map(|end| end.completion_tokens).sum();
    Ok(Speed::plain(written as f64 / begin.elapsed().as_secs_f64()))
}

/// A chat alone, and the same while the prompt of another is read.
fn beside(model: &mut Model, tokens: usize, write: usize) -> Result<Speed, Failure> {
    // The scheduler reads such a prompt in pieces of 64; the chat must outlast it.
    let write = write.max(2 * tokens.div_ceil(64));
    let chat = (words(BATCH_PROMPT, 0), Sampling { max_tokens: write, ..Sampling::default() });
    let other = (words(tokens, 7), Sampling { max_tokens: 1, ..Sampling::default() });
    let mut of_chat = |requests: &[(Vec<u32>, Sampling)]| {
        start(model)?;
        let ends = model.generate_all(requests).map_err(failed)?;
        ends.into_iter().next().ok_or_else(|| Failure::internal("a request had no end".to_owned()))
    };
    let alone = of_chat(std::slice::from_ref(&chat))?;
    let busy = of_chat(&[chat, other])?;
    let pause_s = Some([alone.longest_pause_s, busy.longest_pause_s]);
    Ok(Speed { pause_s, ..Speed::plain(written_per_s(&busy)) })
}

fn formed(model: &mut Model, depth: usize, grammar: Grammar, write: usize) -> Result<Speed, Failure> {
    // Quotations all the time are the dearest that a citing text can be.
    let mark = model.tokenizer().id("\"").filter(|_| grammar == Grammar::Citing);
    let logit_bias = mark.map(|id| (id, 50.0)).into_iter().collect();
    let sampling = Sampling { max_tokens: write, logit_bias, ..Sampling::default() };
    let text = "What was measured, where, and how often it was repeated. ".repeat(30);
    let form = match grammar {
        Grammar::Citing => Form::Citing((1..=6).map(|n| (n, format!("{n}: {text}"))).collect()),
        Grammar::Json => Form::Json(serde_json::json!({
            "type": "object",
            "properties": { "answer": { "type": "string" }, "sources": { "type": "array", "items": { "type": "integer" } } },
            "required": ["answer", "sources"],
            "additionalProperties": false,
        })),
    };
    let wanted = (&sampling, Some(&form));
    let done = model.generate_as(words(depth, 0), wanted, &|| false, &mut |_| ControlFlow::Continue(()));
    let done = done.map_err(failed)?;
    let grammar_share = Some(done.form_s / (done.total_s - done.first_token_s));
    Ok(Speed { grammar_share, ..Speed::plain(written_per_s(&done)) })
}

/// The same answer without drafts and with them. A grammar allows one text only, so that any
/// weights write it; of its bytes two thirds stand in the prompt, in sentences that other words join.
fn quoting(model: &mut Model, tokens: usize) -> Result<Speed, Failure> {
    let passage = |n: usize| {
        let [a, b, c] = [n * 7919 % 97, n * 104_729 % 89, n * 1_299_709 % 83];
        format!("In trial {n} the cell kept {a}.{b} % of its charge after {c}00 cycles at {b} degrees. ")
    };
    let mut text: String = (0..).map(passage).take(tokens.div_ceil(20)).collect();
    let mut prompt = model.tokenizer().encode(&text).map_err(failed)?;
    prompt.truncate(tokens);
    text.truncate(model.tokenizer().decode(&prompt).len());
    let answer = quotes(&text).ok_or_else(|| {
        Failure::bad_input(format!(
            "test q{tokens}: with this model so many tokens hold no three sentences to quote; name more"
        ))
    })?;
    let without_drafts = Some(written(model, &prompt, &answer, 0)?);
    let drafting = written(model, &prompt, &answer, Options::default().lookup)?;
    model.set_lookup(0);
    Ok(Speed { without_drafts, ..Speed::plain(drafting) })
}

/// Tokens a second of an answer that the grammar makes the only one, with drafts of at most `lookup` tokens.
fn written(model: &mut Model, prompt: &[u32], answer: &str, lookup: usize) -> Result<f64, Failure> {
    let form = Form::Json(serde_json::json!({ "const": answer }));
    let sampling = Sampling { max_tokens: 4 * answer.len(), ..Sampling::default() };
    model.set_lookup(lookup);
    let mut text = String::new();
    let done = model.generate_as(prompt, (&sampling, Some(&form)), &|| false, &mut |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    });
    let done = done.map_err(failed)?;
    if serde_json::from_str::<String>(&text).ok().as_deref() != Some(answer) {
        return Err(Failure::internal(format!("the model wrote {text:?} where only {answer:?} was allowed")));
    }
    Ok(written_per_s(&done))
}

/// An answer of three sentences of a text, each behind words of its own; none where the text has fewer.
fn quotes(text: &str) -> Option<String> {
    const OWN: [&str; 3] =
        ["As the reports of both groups say: ", "What followed was less clear, but ", "Nobody repeated it, and so "];
    let sentences: Vec<&str> = text.split_inclusive(". ").filter(|sentence| sentence.ends_with(". ")).collect();
    let quoted = OWN.iter().enumerate().map(|(i, own)| format!("{own}{}", sentences[sentences.len() * (i + 1) / 5]));
    (sentences.len() >= OWN.len()).then(|| quoted.collect())
}

/// The last round left its prompt in the cache.
fn start(model: &mut Model) -> Result<(), Failure> {
    model.forget();
    generate(model, &[251, 1], 1).map(drop)
}

fn generate(model: &mut Model, prompt: &[u32], new: usize) -> Result<Generation, Failure> {
    let sampling = Sampling { max_tokens: new, ..Sampling::default() };
    model.generate(prompt, &sampling, &|| false, &mut |_| ControlFlow::Continue(())).map_err(failed)
}

/// Ordinary words of any vocabulary that is large enough; small ones have their bytes there.
fn words(length: usize, seed: u32) -> Vec<u32> {
    (0..length.max(1) as u32).map(|i| (seed + i * 37) % 250).collect()
}

/// Tokens a second after the first.
fn written_per_s(done: &Generation) -> f64 {
    done.completion_tokens.saturating_sub(1) as f64 / (done.total_s - done.first_token_s)
}

fn failed(e: LmError) -> Failure {
    Failure::internal(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::quotes;

    #[test]
    fn an_answer_quotes_three_sentences_or_there_is_none() {
        assert_eq!(quotes(""), None);
        assert_eq!(quotes("One. Two. Thr"), None);
        let five = quotes("Nil. One. Two. Three. Four. ").unwrap();
        assert!(["say: One. ", "but Two. ", "so Three. "].iter().all(|part| five.contains(part)), "{five}");
        assert!(quotes("Nil. One. Two. ").is_some());
    }
}
