//! Logits are the same however they are computed.

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use sectora_lm::gguf::Gguf;
use sectora_lm::random::RandomShape;
use sectora_lm::{Architecture, Decoder, Kv, Options};

use super::{Tiny, wide};

#[test]
fn reading_in_chunks_gives_the_same_logits_as_token_by_token() {
    for architecture in Architecture::ALL {
        let tiny = Tiny::new(architecture);
        let decoder = |chunks: &[usize]| {
            let mut gguf = Gguf::open(&tiny.path()).unwrap();
            let mut decoder = Decoder::load(&mut gguf, 512, &Device::Cpu).unwrap();
            let tokens: Vec<u32> = (0..60).map(|i| i * 7 % 250).collect();
            let mut rest = tokens.as_slice();
            let mut logits = Vec::new();
            for &chunk in chunks.iter().cycle() {
                let (now, later) = rest.split_at(chunk.min(rest.len()));
                if now.is_empty() {
                    break;
                }
                logits = decoder.forward(now).unwrap();
                rest = later;
            }
            logits
        };
        let whole = decoder(&[60]);
        // Chunks of 7 cross the sliding window of 16; 1 is how an answer is written.
        for chunks in [&[7][..], &[1], &[25, 1, 1]] {
            let other = decoder(chunks);
            let difference = whole.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < 2e-4, "{architecture:?} {chunks:?}: {difference}");
        }
    }
}

#[test]
fn our_kernels_and_candles_give_the_same_logits_within_the_rounding_of_activations() {
    for architecture in Architecture::ALL {
        let shape = RandomShape { feed_forward: 512, ..wide(architecture, 8, 32) };
        for (quant, tolerance) in [
            (GgmlDType::F32, 1e-4),
            (GgmlDType::F16, 5e-3),
            (GgmlDType::Q8_0, 0.05),
            (GgmlDType::Q4_0, 0.05),
            (GgmlDType::Q4K, 0.05),
            (GgmlDType::Q5K, 0.05),
            (GgmlDType::Q6K, 0.05),
            (GgmlDType::Q4_1, 0.05),
            (GgmlDType::Q5_0, 0.05),
            (GgmlDType::Q5_1, 0.05),
            (GgmlDType::Q3K, 0.05),
        ] {
            let tiny = Tiny::of(&shape, quant);
            let logits = |candle_kernels: bool| {
                let options = Options { candle_kernels, kv: Kv::F32, context: 512, ..Options::default() };
                let mut gguf = Gguf::open(&tiny.path()).unwrap();
                let mut decoder = Decoder::open(&mut gguf, &options).unwrap();
                let tokens: Vec<u32> = (0..70).map(|i| i * 7 % 250).collect();
                let mut all = decoder.forward(&tokens[..50]).unwrap();
                all.extend(decoder.forward_all(&tokens[50..]).unwrap());
                all
            };
            let (ours, candles) = (logits(false), logits(true));
            let squares = |rows: &mut dyn Iterator<Item = f32>| rows.map(|x| f64::from(x) * f64::from(x)).sum::<f64>();
            let error =
                squares(&mut ours.iter().zip(&candles).map(|(a, b)| a - b)) / squares(&mut candles.iter().copied());
            let error = error.sqrt();
            println!("{architecture:?} {quant:?}: relative difference {error:.1e}");
            assert!(error < tolerance, "{architecture:?} {quant:?}: {error}");
        }
    }
}

#[test]
fn instructions_threads_and_chunks_do_not_change_a_bit_of_the_logits() {
    let shape = wide(Architecture::Qwen3, 8, 32);
    let tiny = Tiny::of(&shape, GgmlDType::Q8_0);
    let logits = |threads: usize, chunk: usize| {
        let options = Options { threads, context: 512, ..Options::default() };
        let mut decoder = Decoder::open(&mut Gguf::open(&tiny.path()).unwrap(), &options).unwrap();
        let tokens: Vec<u32> = (0..300).map(|i| i * 7 % 250).collect();
        let rows = tokens.chunks(chunk).map(|some| decoder.forward_all(some).unwrap());
        rows.last().unwrap()[..].iter().rev().take(shape.vocabulary).map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let expect = logits(1, 300);
    for (threads, chunk) in [(1, 2), (2, 37), (3, 10), (2, 150)] {
        assert!(logits(threads, chunk) == expect, "{threads} threads, chunks of {chunk}");
    }
    // One token alone counts as written, which some processors do with other instructions.
    assert!(logits(1, 1) == logits(2, 1), "threads, token by token");
}
