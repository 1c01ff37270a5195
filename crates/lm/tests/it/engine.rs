//! Requests to an engine: what waits, what runs together, and what each gets.

use std::ops::ControlFlow;

use candle_core::quantized::GgmlDType;
use sectora_lm::random::RandomShape;
use sectora_lm::{Architecture, ChatMessage, Engine, Event, Finish, LmError, Options, Request, Sampling};

use super::{Tiny, end, endless, kinds, sampling, write};

fn request(text: &str, sampling: Sampling) -> Request {
    Request { messages: vec![ChatMessage::user(text)], sampling, form: None, segments: Vec::new() }
}

#[test]
fn the_engine_answers_busy_when_its_queue_is_full_and_drops_what_nobody_waits_for() {
    // Large enough that the running answer is not over before the line has been filled behind it.
    let shape = RandomShape { layers: 12, hidden: 256, feed_forward: 1024, ..RandomShape::tiny(Architecture::Qwen3) };
    let engine = Engine::start(Tiny::of(&shape, GgmlDType::F32).model(), 1).unwrap();
    let ask = |max_tokens| request("x", sampling(max_tokens));
    let running = engine.submit(ask(450)).unwrap();
    assert!(matches!(running.next(), Some(Event::Text(_))));
    let waiting = engine.submit(ask(4)).unwrap();
    assert!(matches!(engine.submit(ask(4)), Err(LmError::Busy { waiting: 1 })));
    drop(running);
    assert_eq!(end(&waiting).1.completion_tokens, 4);
    let generation = engine.run(ask(400), &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!(generation.finish, Finish::Cancelled);
    assert!(generation.completion_tokens < 400);
}

#[test]
fn requests_computed_together_get_the_text_and_the_logits_that_each_gets_alone() {
    for architecture in [Architecture::Qwen3, Architecture::Gemma3, Architecture::Phi3] {
        for (quant, tiny) in kinds(architecture) {
            let open = |sequences| tiny.open(&Options { sequences, lookup: 6, ..Options::default() });
            let mut alone = open(1);
            let ends = endless(&alone);
            let ask = |i: usize| {
                let words = ["quote ", "the cell ", "전지 ", "x "][i % 4].repeat(3 + 17 * (i % 3));
                let drawn = Sampling {
                    temperature: if i.is_multiple_of(3) { 0.0 } else { 0.9 },
                    top_p: 0.95,
                    frequency_penalty: if i.is_multiple_of(2) { 0.3 } else { 0.0 },
                    seed: i as u64,
                    logit_bias: ends.clone(),
                    // What is reported depends on all logits: another bit shows that would change no token.
                    logprobs: Some(1),
                    ..sampling(40 + 9 * i)
                };
                (format!("{i} {words}"), drawn)
            };
            let write_alone = |i: usize| {
                alone.forget();
                let (text, sampling) = ask(i);
                write(&mut alone, &text, &sampling)
            };
            let expect: Vec<_> = (0..7).map(write_alone).collect();
            let engine = Engine::start(open(5), 16).unwrap();
            let submit = |i| {
                let (text, sampling) = ask(i);
                engine.submit(request(&text, sampling)).unwrap()
            };
            let tickets: Vec<_> = (0..7).map(submit).collect();
            for (i, (ticket, (expect, alone))) in tickets.iter().zip(&expect).enumerate() {
                let (text, done) = end(ticket);
                assert_eq!(done.completion_tokens, 40 + 9 * i, "{architecture:?} {quant:?} request {i}");
                assert_eq!(&text, expect, "{architecture:?} {quant:?} request {i}");
                assert!(done.tokens == alone.tokens, "{architecture:?} {quant:?} request {i}: other logits");
            }
        }
    }
}

#[test]
fn a_short_request_ends_before_a_long_one_that_came_first() {
    let shape = RandomShape { layers: 6, hidden: 256, feed_forward: 512, ..RandomShape::tiny(Architecture::Qwen3) };
    let model = Tiny::of(&shape, GgmlDType::F32).open(&Options { sequences: 2, ..Options::default() });
    let engine = Engine::start(model, 4).unwrap();
    let ask = |n| request("x", sampling(n));
    let long = engine.submit(ask(400)).unwrap();
    assert!(matches!(long.next(), Some(Event::Text(_))));
    let short = engine.run(ask(3), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(short.completion_tokens, 3);
    assert!(short.longest_pause_s > 0.0 && short.longest_pause_s <= short.total_s - short.first_token_s, "{short:?}");
    assert_eq!(engine.run(ask(1), &mut |_| ControlFlow::Continue(())).unwrap().longest_pause_s, 0.0);
    long.cancel();
    let (_, long) = end(&long);
    assert_eq!(long.finish, Finish::Cancelled);
    assert!(long.completion_tokens < 400, "{}", long.completion_tokens);
}

#[test]
fn the_same_beginning_is_read_once_by_requests_that_run_together() {
    let tiny = Tiny::new(Architecture::Qwen3);
    let options = Options { sequences: 3, kv_positions: 2048, ..Options::default() };
    let engine = Engine::start(tiny.open(&options), 8).unwrap();
    let mut fresh = tiny.model();
    let passages = "the same passages for everybody ".repeat(9);
    let asked: Vec<String> = (0..3).map(|i| format!("{passages}{i}?")).collect();
    let submit = |q: &String| engine.submit(request(q, sampling(20))).unwrap();
    let tickets: Vec<_> = asked.iter().map(submit).collect();
    let ends: Vec<_> = tickets.iter().map(end).collect();
    for (question, (found, _)) in asked.iter().zip(&ends) {
        fresh.forget();
        assert_eq!(&write(&mut fresh, question, &sampling(20)).0, found);
    }
    assert!(
        ends[1..].iter().all(|(_, g)| g.reused_tokens > 250),
        "{:?}",
        ends.iter().map(|e| &e.1).collect::<Vec<_>>()
    );
}

#[test]
fn what_does_not_fit_in_memory_waits_and_is_answered() {
    let tiny = Tiny::new(Architecture::Llama);
    // Room for two contexts of 512; four requests of about 300 positions each.
    let options = Options { sequences: 4, kv_positions: 1024, ..Options::default() };
    let engine = Engine::start(tiny.open(&options), 8).unwrap();
    let mut fresh = tiny.model();
    let question = |i: usize| format!("{i}{}", "y".repeat(250));
    let submit = |i| engine.submit(request(&question(i), sampling(40))).unwrap();
    let tickets: Vec<_> = (0..4).map(submit).collect();
    for (i, ticket) in tickets.iter().enumerate() {
        fresh.forget();
        assert_eq!(end(ticket).0, write(&mut fresh, &question(i), &sampling(40)).0);
    }
}
