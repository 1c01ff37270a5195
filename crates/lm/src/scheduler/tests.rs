use candle_core::quantized::GgmlDType;

use super::*;
use crate::random::{RandomShape, write_gguf};
use crate::{Architecture, Kv, Memory, Model};

/// Tokens that would end a text.
const ENDS: [u32; 2] = [285, 287];

fn write_tiny(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let file = folder.path().join("tiny.gguf");
    write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::F32, &file, 11).unwrap();
    file
}

/// On one thread.
fn tiny(options: &Options) -> Model {
    let folder = tempfile::tempdir().unwrap();
    Model::open(&write_tiny(&folder), &Options { threads: 1, ..options.clone() }).unwrap()
}

/// A request that writes so many tokens.
fn add(scheduler: &mut Scheduler, tokens: Vec<u32>, written: usize) -> u64 {
    let logit_bias = ENDS.map(|id| (id, -100.0)).to_vec();
    let sampling = Sampling { max_tokens: written, logit_bias, ..Sampling::default() };
    scheduler.add(Prompt::from(tokens), &sampling, None, Instant::now()).unwrap()
}

/// One step, and what ended in it.
fn step(scheduler: &mut Scheduler) -> Vec<(u64, Generation)> {
    let mut ends = Vec::new();
    scheduler.step(&mut |id, output| {
        if let Output::Done(done) = output {
            ends.push((id, done.unwrap()));
        }
        ControlFlow::Continue(())
    });
    ends
}

#[test]
fn a_token_outside_the_vocabulary_is_refused_and_the_request_beside_it_goes_on() {
    let mut model = tiny(&Options { sequences: 2, ..Options::default() });
    let scheduler = &mut model.scheduler;
    let good = add(scheduler, vec![1, 2, 3], 3);
    let outside = scheduler.decoder().shape().vocabulary as u32;
    let bad = scheduler.add(Prompt::from(vec![1, outside]), &Sampling::default(), None, Instant::now());
    assert!(matches!(bad, Err(LmError::Tokenizer(_))), "{bad:?}");
    let mut ends = Vec::new();
    while !scheduler.is_idle() {
        ends.extend(step(scheduler).into_iter().map(|(id, done)| (id, done.completion_tokens)));
    }
    assert_eq!(ends, [(good, 3)]);
}

#[test]
fn a_long_prompt_has_each_third_step_while_short_ones_keep_coming() {
    const LONG: usize = 300;
    let mut model = tiny(&Options { sequences: 4, lookup: 0, ..Options::default() });
    let scheduler = &mut model.scheduler;
    // It writes all the time, so that steps are small.
    let writer = add(scheduler, vec![0; 3], 200);
    assert!(step(scheduler).is_empty());
    let long = add(scheduler, vec![255; LONG], 1);
    let (mut shorts, mut answered) = (0, 0);
    for _ in 0..3 * LONG.div_ceil(READ_BESIDE) {
        // Each fills a step, and none begins like another.
        while scheduler.has_room() {
            shorts += 1;
            add(scheduler, vec![shorts; READ_BESIDE], 1);
        }
        for (id, done) in step(scheduler) {
            assert!(id != writer && done.reused_tokens == 0, "{done:?}");
            if id == long {
                assert!(answered > 4, "short prompts stood behind a long one: {answered} were answered");
                return;
            }
            answered += 1;
        }
    }
    panic!("{answered} of {shorts} short prompts went before a long one");
}

/// One step in which nothing ends, and how many tokens of prompts it reads.
fn read(scheduler: &mut Scheduler) -> usize {
    // As a step begins.
    while scheduler.admit() {}
    scheduler.plan();
    let readers = scheduler.running.iter().filter(|running| running.sequence.is_reading());
    let tokens = readers.map(|running| running.now.len()).sum();
    assert!(step(scheduler).is_empty());
    tokens
}

#[test]
fn steps_in_which_one_writes_read_no_more_of_prompts_than_they_may() {
    let mut model = tiny(&Options { sequences: 4, lookup: 0, ..Options::default() });
    let scheduler = &mut model.scheduler;
    add(scheduler, vec![0; READ_ALONE + 10], 200);
    assert_eq!([read(scheduler), read(scheduler)], [READ_ALONE, 10], "nobody writes");
    for n in 1..=3 {
        add(scheduler, vec![n; 150], 100);
    }
    let steps: Vec<usize> = (0..450 / READ_BESIDE + 2).map(|_| read(scheduler)).collect();
    let mut expect = vec![READ_BESIDE; 450 / READ_BESIDE];
    expect.extend([450 % READ_BESIDE, 0]);
    assert_eq!(steps, expect);
}

#[test]
fn of_what_ended_sequences_left_the_least_recently_used_goes_first() {
    // Room for three caches.
    let mut model = tiny(&Options { context: 256, kv_positions: 768, ..Options::default() });
    let scheduler = &mut model.scheduler;
    let reused = |first: u32| {
        add(scheduler, vec![first; 100], 1);
        let mut ends = Vec::new();
        while !scheduler.is_idle() {
            ends.extend(step(scheduler));
        }
        ends[0].1.reused_tokens
    };
    // 1 is used again before 4 wants room: 2 goes. When 2 comes back, 4 does. The last token of a prompt is always read.
    assert_eq!([1, 2, 3, 1, 4, 1, 3, 2].map(reused), [0, 0, 0, 99, 0, 99, 99, 0]);
}

#[test]
fn caches_in_use_and_kept_take_what_was_announced_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_tiny(&folder);
    for kv in [Kv::F16, Kv::F32, Kv::Q8] {
        // Three whole contexts; a context is no multiple of the sixteen positions that lie together.
        let options = Options { context: 500, sequences: 3, kv, threads: 1, ..Options::default() };
        let announced = Memory::plan(&file, &options).unwrap().kv as usize;
        let mut model = Model::open(&file, &options).unwrap();
        let scheduler = &mut model.scheduler;
        for n in 0..15 {
            // Large and small ones, with four beginnings: caches are made, cut, resized, copied and dropped.
            let length = [400, 350, 300, 90, 200][n % 5];
            add(scheduler, (0..length).map(|k| (n as u32 % 4 * 60 + k) % 250).collect(), 8);
        }
        let mut most = 0;
        while !scheduler.is_idle() {
            step(scheduler);
            let running = scheduler.running.iter().map(|running| (&running.cache, running.capacity));
            let kept = scheduler.kept.iter().map(|kept| (&kept.cache, kept.capacity));
            let (mut positions, mut bytes) = (0, 0);
            for (cache, capacity) in running.chain(kept) {
                let Cache::Cpu(cache) = cache else { panic!("not on a CPU") };
                assert_eq!(cache.capacity, capacity);
                positions += capacity;
                bytes += cache.allocated();
            }
            assert!(positions <= scheduler.limits.positions, "{positions} positions");
            assert!(bytes <= announced, "{kv:?}: {bytes} bytes, {announced} were announced");
            most = most.max(bytes);
        }
        assert_eq!(most, announced, "{kv:?}");
    }
}
