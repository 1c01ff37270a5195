//! Segments of prompts, computed once and used again at another place: what must stay exact, and what may change.

use std::ops::Range;

use candle_core::quantized::GgmlDType;
use sectora_lm::random::RandomShape;
use sectora_lm::{Architecture, ChatMessage, Engine, Generation, Kv, Memory, Model, Options, Prompt, Request};

use super::{Tiny, end, sampling, wide, write_after};

/// Room for every segment of a test.
fn apart(reread: f64) -> Options {
    Options { segment_bytes: 1 << 20, segment_reread: reread, threads: 2, ..Options::default() }
}

fn plain() -> Options {
    Options { threads: 2, ..Options::default() }
}

/// Passages of 70 to 90 tokens after 40 tokens of rules, a mark of 3 before each and a question of 20 at the end.
fn prompt(order: &[u32]) -> Prompt {
    let mut tokens: Vec<u32> = (0..40).map(|i| (i * 11 + 5) % 250).collect();
    let mut segments: Vec<Range<usize>> = Vec::new();
    for (n, &passage) in (0u32..).zip(order) {
        tokens.extend([91, 49 + n, 93]);
        let first = tokens.len();
        tokens.extend((0..70 + 4 * passage).map(|i| (passage * 31 + i * (7 + passage)) % 250));
        segments.push(first..tokens.len());
    }
    tokens.extend((0..20).map(|i| (i * 13 + 3) % 250));
    Prompt { tokens, context: 40, segments }
}

fn write(model: &mut Model, prompt: &Prompt) -> (String, Generation) {
    write_after(model, prompt, &sampling(24), None)
}

fn largest(a: &[f32], b: &[f32]) -> f32 {
    assert!(a.len() == b.len() && !a.is_empty());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_segment_at_its_own_place_changes_no_bit() {
    let families = [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3, Architecture::Phi3];
    let floats = families.map(|architecture| (architecture, Tiny::new(architecture)));
    // Quantized, as most are: with AMX prompts have products and attention of their own.
    let eight = (Architecture::Qwen3, Tiny::of(&wide(Architecture::Qwen3, 4, 64), GgmlDType::Q8_0));
    for (architecture, tiny) in floats.into_iter().chain([eight]) {
        for kv in [Kv::F16, Kv::F32, Kv::Q8] {
            let (mut apart, mut plain) =
                (tiny.open(&Options { kv, ..apart(0.0) }), tiny.open(&Options { kv, ..plain() }));
            let mut own = prompt(&[1, 2]);
            // The first segment follows the context at once; the second is read with what stands between.
            (own.context, own.segments) = (43, vec![own.segments[0].clone()]);
            let expect = plain.logits(&own).unwrap();
            assert!(apart.logits(&own).unwrap() == expect, "{architecture:?} {kv:?}");
            // From the store: only the rules are the same as before.
            let mut other = own.clone();
            other.tokens.truncate(own.segments[0].end);
            other.tokens.extend([9; 30]);
            let expect = plain.logits(&other).unwrap();
            assert!(apart.logits(&other).unwrap() == expect, "{architecture:?} {kv:?}");
        }
    }
}

#[test]
fn a_segment_read_again_as_a_whole_changes_no_bit() {
    let tiny = Tiny::new(Architecture::Qwen3);
    let (mut apart, mut plain) = (tiny.open(&apart(1.0)), tiny.open(&plain()));
    for order in [&[1, 2, 3][..], &[3, 1, 2]] {
        assert!(apart.logits(prompt(order)).unwrap() == plain.logits(prompt(order)).unwrap());
    }
}

/// With one layer keys and values depend on tokens and positions only, so that nothing is lost but by rounding:
/// whatever is wrong with a place, a turn or a mask shows here.
#[test]
fn with_one_layer_segments_at_any_place_are_as_if_read_there() {
    for architecture in Architecture::ALL {
        let tiny = Tiny::of(&RandomShape { layers: 1, ..RandomShape::tiny(architecture) }, GgmlDType::F32);
        for (kv, tolerance) in [(Kv::F32, 2e-4), (Kv::F16, 0.01), (Kv::Q8, 0.15)] {
            for reread in [0.0, 0.1, 0.5] {
                let mut apart = tiny.open(&Options { kv, ..apart(reread) });
                let mut plain = tiny.open(&Options { kv, ..plain() });
                for order in [&[1, 2, 3, 4][..], &[3, 1], &[4, 3, 1, 2]] {
                    let most = largest(&apart.logits(prompt(order)).unwrap(), &plain.logits(prompt(order)).unwrap());
                    assert!(most < tolerance, "{architecture:?} {kv:?} {reread} {order:?}: {most}");
                }
            }
        }
    }
}

#[test]
fn what_was_at_hand_changes_the_work_and_not_a_bit_of_the_logits() {
    for architecture in Architecture::ALL {
        let tiny = Tiny::new(architecture);
        for reread in [0.0, 0.2] {
            let mut model = tiny.open(&apart(reread));
            let first = model.logits(prompt(&[2, 4, 1])).unwrap();
            assert!(
                largest(&first, &tiny.open(&plain()).logits(prompt(&[2, 4, 1])).unwrap()) > 1e-6,
                "{architecture:?}: nothing was computed apart"
            );
            model.forget();
            for order in [&[1, 2][..], &[4, 3, 2], &[2, 4, 3]] {
                write(&mut model, &prompt(order));
            }
            assert!(model.logits(prompt(&[2, 4, 1])).unwrap() == first, "{architecture:?} {reread}");
            // Again over the same beginning, whose cache is kept.
            assert!(model.logits(prompt(&[2, 4, 1])).unwrap() == first, "{architecture:?} {reread}");
        }
    }
}

#[test]
fn passages_in_another_order_are_not_read_again() {
    let tiny = Tiny::new(Architecture::Qwen3);
    let mut model = tiny.open(&apart(0.0));
    let reused = |model: &mut Model, order: &[u32]| write(model, &prompt(order)).1.reused_tokens;
    assert_eq!(reused(&mut model, &[1, 2, 3]), 0);
    // 74, 78 and 82 tokens; the 40 of the rules and the first mark are a shared beginning, too short for a copy but cut to.
    assert!(reused(&mut model, &[3, 1, 2]) >= 74 + 78 + 82);
    assert!(reused(&mut model, &[4, 2]) >= 78);
    let mut model = tiny.open(&apart(0.5));
    reused(&mut model, &[1, 2, 3]);
    let half = reused(&mut model, &[3, 2, 1]);
    assert!((117..117 + 60).contains(&half), "{half}");
}

#[test]
fn the_budget_is_kept_and_a_segment_beyond_it_is_read_in_its_place() {
    let shape = RandomShape::tiny(Architecture::Qwen3);
    let tiny = Tiny::of(&shape, GgmlDType::F32);
    // Keys and values of two layers in f16.
    let position = shape.layers * shape.kv_heads * shape.head_dim * 2 * 2;
    let room = |positions: usize| Options { segment_bytes: positions * position, ..apart(0.0) };
    let expect = write(&mut tiny.open(&apart(0.0)), &prompt(&[1, 2, 3])).0;
    // One of 96 positions at a time.
    let mut one = tiny.open(&room(96));
    write(&mut one, &prompt(&[1, 2]));
    one.forget();
    write(&mut one, &prompt(&[2, 1]));
    // The first of the prompt was computed last.
    let (_, done) = write(&mut one, &prompt(&[4, 2]));
    assert!(done.reused_tokens >= 78, "{done:?}");
    assert_eq!(write(&mut one, &prompt(&[1, 2, 3])).0, expect);
    let mut none = tiny.open(&room(48));
    let order = prompt(&[1, 2, 3]);
    assert!(none.logits(&order).unwrap() == tiny.open(&plain()).logits(&order).unwrap());
    let file = tiny.path();
    let (with, without) = (Memory::plan(&file, &room(96)).unwrap(), Memory::plan(&file, &plain()).unwrap());
    assert_eq!((with.segments as usize, with.peak() - without.peak()), (96 * position, with.segments));
}

#[test]
fn a_request_without_segments_takes_nothing_that_was_computed_apart() {
    let tiny = Tiny::new(Architecture::Qwen3);
    let (mut both, mut fresh) = (tiny.open(&apart(0.0)), tiny.open(&plain()));
    let marked = prompt(&[1, 2, 3]);
    let bare = Prompt::from(&marked.tokens);
    both.logits(&marked).unwrap();
    assert!(both.logits(&bare).unwrap() == fresh.logits(&bare).unwrap());
    let expect = tiny.open(&apart(0.0)).logits(&marked).unwrap();
    assert!(both.logits(&marked).unwrap() == expect);
}

/// Passages of letters, as a caller has them.
fn passage(n: usize) -> String {
    let word = ["cell ", "전지 ", "salt ", "gas "][n % 4];
    format!("Title {n} | 2024\n{}", word.repeat(16 + n)).trim_end().to_owned()
}

fn ask(order: &[usize], marked: bool, question: &str) -> Request {
    let passages: Vec<String> = order.iter().map(|&n| passage(n)).collect();
    let listed = (1..).zip(&passages).map(|(n, p)| format!("[{n}] {p}\n\n")).collect::<String>();
    Request {
        messages: vec![ChatMessage::system("Cite."), ChatMessage::user(&format!("{listed}Question: {question}"))],
        sampling: sampling(12),
        form: None,
        segments: if marked { passages } else { Vec::new() },
    }
}

fn run(engine: &Engine, request: Request) -> (String, Generation) {
    end(&engine.submit(request).unwrap())
}

#[test]
fn requests_with_segments_and_without_do_not_disturb_each_other() {
    for architecture in [Architecture::Qwen3, Architecture::Gemma3, Architecture::Llama] {
        let tiny = Tiny::new(architecture);
        let requests: Vec<Request> = (0..8)
            .map(|i| {
                let order = [[0, 1, 2], [2, 0, 1], [3, 2, 0], [0, 1, 2]][i % 4];
                ask(&order, i % 3 != 2, ["why?", "how long?"][i / 4])
            })
            .collect();
        let alone = |request: &Request| {
            let engine = Engine::start(tiny.open(&apart(0.1)), 1).unwrap();
            run(&engine, request.clone()).0
        };
        let expect: Vec<String> = requests.iter().map(alone).collect();
        // Room for some of the segments only.
        let few = Options { sequences: 4, segment_bytes: 80_000, ..apart(0.1) };
        let engine = Engine::start(tiny.open(&few), 16).unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                requests.iter().map(|request| scope.spawn(|| run(&engine, request.clone()).0)).collect();
            for (i, (thread, expect)) in threads.into_iter().zip(&expect).enumerate() {
                assert_eq!(&thread.join().unwrap(), expect, "{architecture:?} request {i}");
            }
        });
    }
}

#[test]
fn texts_are_found_in_the_messages_and_used_again() {
    let tiny = Tiny::new(Architecture::Qwen3);
    let engine = Engine::start(tiny.open(&apart(0.0)), 1).unwrap();
    run(&engine, ask(&[0, 1, 2], true, "why?"));
    let (_, again) = run(&engine, ask(&[2, 0, 1], true, "how long did it last?"));
    let texts: usize = (0..3).map(|n| passage(n).len()).sum();
    // A token of this model is a byte.
    assert!(again.reused_tokens >= texts, "{} of {texts}", again.reused_tokens);
    let (_, none) = run(&engine, ask(&[1, 2, 0], false, "why?"));
    assert!(none.reused_tokens < 64, "{}", none.reused_tokens);
    // A text that is not there, or not in this order, is no segment.
    let mut wrong = ask(&[0, 1, 2], true, "what?");
    wrong.segments = vec![passage(2), passage(0), "nowhere".into(), String::new()];
    let right = Request { segments: vec![passage(2)], ..wrong.clone() };
    let (text, done) = run(&engine, wrong);
    // The first alone, and the few tokens that all prompts begin with.
    let first = passage(2).len();
    assert!((first..first + 64).contains(&done.reused_tokens), "{} of {first}", done.reused_tokens);
    assert_eq!(text, run(&Engine::start(tiny.open(&apart(0.0)), 1).unwrap(), right).0);
}
