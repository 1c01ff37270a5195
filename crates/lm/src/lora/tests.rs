use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::ops::{causal_softmax, composed_softmax};
use super::*;
use crate::random::{RandomShape, write_gguf};
use crate::{Decoder, Kv, Options};

fn written(architecture: Architecture, dtype: GgmlDType, folder: &Path) -> Gguf {
    let file = folder.join(format!("{}.gguf", architecture.name()));
    write_gguf(&RandomShape::tiny(architecture), dtype, &file, 11).unwrap();
    Gguf::open(&file).unwrap()
}

fn options(seed: u64) -> LoraOptions {
    LoraOptions { rank: 3, alpha: 6.0, seed, window: 512, ..LoraOptions::default() }
}

fn tokens(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i * 37 % 250).collect()
}

/// The engine's logits of what follows each token, f32 throughout.
fn engine(gguf: &mut Gguf, tokens: &[u32]) -> Vec<f32> {
    let options = Options { kv: Kv::F32, threads: 1, context: 512, ..Options::default() };
    Decoder::open(gguf, &options).unwrap().forward_all(tokens).unwrap()
}

fn rows(lora: &Lora, tokens: &[u32]) -> Vec<f32> {
    lora.logits(tokens, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Gives every B random numbers, so that the addition says something.
fn disturb(lora: &Lora, spread: f32) {
    let mut random = StdRng::seed_from_u64(9);
    for variable in lora.adapters().variables() {
        let numbers: Vec<f32> = (0..variable.elem_count()).map(|_| random.random_range(-spread..spread)).collect();
        variable.set(&Tensor::from_vec(numbers, variable.dims(), &Device::Cpu).unwrap()).unwrap();
    }
}

#[test]
fn logits_are_the_engines_own_and_a_merged_file_has_those_of_the_addition() {
    let dir = tempfile::tempdir().unwrap();
    // More tokens than are computed in one piece.
    let tokens = tokens(300);
    for architecture in TRAINABLE {
        let mut gguf = written(architecture, GgmlDType::F32, dir.path());
        let lora = Lora::open(&mut gguf, &options(1)).unwrap();
        let before = engine(&mut gguf, &tokens);
        let most = furthest(&rows(&lora, &tokens), &before);
        assert!(most < 1e-3, "{architecture:?}: {most}");

        disturb(&lora, 0.1);
        let merged = dir.path().join("merged.gguf");
        merge(&mut gguf, lora.adapters(), &[("sectora.note", "x".into())], &merged).unwrap();
        let mut merged = Gguf::open(&merged).unwrap();
        assert_eq!(merged.str("sectora.note"), Some("x"));
        let after = engine(&mut merged, &tokens);
        let (most, moved) = (furthest(&rows(&lora, &tokens), &after), furthest(&before, &after));
        assert!(most < 2e-3 && moved > 0.05, "{architecture:?}: {most} apart, moved by {moved}");
    }
}

#[test]
fn an_addition_whose_b_is_zero_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = written(Architecture::Qwen3, GgmlDType::Q8_0, dir.path());
    let (one, other) = (Lora::open(&mut gguf, &options(1)).unwrap(), Lora::open(&mut gguf, &options(2)).unwrap());
    assert_eq!(rows(&one, &tokens(40)), rows(&other, &tokens(40)), "whatever A is");
    disturb(&one, 0.1);
    assert_ne!(rows(&one, &tokens(40)), rows(&other, &tokens(40)));
    let path = dir.path().join("merged.gguf");
    merge(&mut gguf, other.adapters(), &[], &path).unwrap();
    let mut merged = Gguf::open(&path).unwrap();
    let names: Vec<String> = gguf.tensor_names().map(str::to_owned).collect();
    for name in names {
        assert_eq!(gguf.info(&name).unwrap().dims, merged.info(&name).unwrap().dims);
        let floats = |gguf: &mut Gguf| -> Vec<f32> {
            let tensor = gguf.tensor(&name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
            tensor.flatten_all().unwrap().to_vec1().unwrap()
        };
        // A number of Q8_0 that is rounded again may move by the scale's own rounding to f16.
        assert!(furthest(&floats(&mut gguf), &floats(&mut merged)) < 1e-3, "{name}");
    }
    let mut keys: Vec<&str> = gguf.entries().map(|(key, _)| key).collect();
    keys.sort_unstable();
    for key in keys {
        assert_eq!(gguf.get(key), merged.get(key), "{key}");
    }
}

#[test]
fn the_loss_is_the_cross_entropy_of_the_answer_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = written(Architecture::Qwen3, GgmlDType::F32, dir.path());
    let lora = Lora::open(&mut gguf, &options(1)).unwrap();
    let example = lora.example(&[ChatMessage::user("가 or b?")], "b [1].").unwrap();
    assert!(lora.tokenizer().is_end(*example.tokens.last().unwrap()));
    assert_eq!(lora.tokenizer().decode(&example.tokens[example.from..]), "b [1].");
    let vocabulary = lora.shape().vocabulary;
    let logits = engine(&mut gguf, &example.tokens);
    let nats = |at: usize| {
        let row = &logits[(at - 1) * vocabulary..][..vocabulary];
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = row.iter().map(|x| f64::from(x - largest).exp()).sum();
        sum.ln() - f64::from(row[example.tokens[at] as usize] - largest)
    };
    let places = example.from..example.tokens.len();
    let expected = places.clone().map(nats).sum::<f64>() / places.len() as f64;
    let loss = f64::from(lora.loss(&example).unwrap().to_scalar::<f32>().unwrap());
    assert!((loss - expected).abs() < 1e-3, "{loss} {expected}");
}

/// Central differences for A and B of matrices at both ends of the model.
#[test]
fn gradients_are_those_of_finite_differences() {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = written(Architecture::Qwen3, GgmlDType::F32, dir.path());
    let lora = Lora::open(&mut gguf, &options(1)).unwrap();
    disturb(&lora, 0.2);
    let example = Example { tokens: tokens(30), from: 12 };
    let gradients = lora.loss(&example).unwrap().backward().unwrap();
    let loss = || f64::from(lora.loss(&example).unwrap().to_scalar::<f32>().unwrap());
    for name in ["blk.0.attn_q", "blk.0.attn_k", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_gate"] {
        let pair = lora.adapters().pair(name).unwrap();
        for variable in [&pair.a, &pair.b] {
            let gradient: Vec<f32> = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let numbers: Vec<f32> = variable.flatten_all().unwrap().to_vec1().unwrap();
            // Where the gradient is largest a difference of f32 losses says most.
            let at = (0..gradient.len()).max_by(|&i, &j| gradient[i].abs().total_cmp(&gradient[j].abs())).unwrap();
            let moved = |by: f32| {
                let mut numbers = numbers.clone();
                numbers[at] += by;
                variable.set(&Tensor::from_vec(numbers, variable.dims(), &Device::Cpu).unwrap()).unwrap();
                loss()
            };
            let step = 0.02;
            let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            moved(0.0);
            let expected = f64::from(gradient[at]);
            assert!((slope - expected).abs() < 0.03 * expected.abs() + 2e-4, "{name}: {slope} {expected}");
        }
    }
}

#[test]
fn a_softmax_of_our_own_is_the_composed_one_forth_and_back() {
    let numbers: Vec<f32> = (0..2 * 5 * 9).map(|i| (i as f32 * 1.7).sin() * 4.0).collect();
    let scores = Var::from_tensor(&Tensor::from_vec(numbers, (2, 5, 9), &Device::Cpu).unwrap()).unwrap();
    let weights = Tensor::arange(0u32, 90, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap().reshape((2, 5, 9));
    let weights = (weights.unwrap() / 7.0).unwrap();
    let through = |y: Tensor| {
        let gradients = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (flat(&y), flat(gradients.get(&scores).unwrap()))
    };
    let own = through(causal_softmax(&scores, 4).unwrap());
    let composed = through(composed_softmax(&scores, 4).unwrap());
    assert!(furthest(&own.0, &composed.0) < 1e-6 && furthest(&own.1, &composed.1) < 1e-5);
    assert_eq!(own.0[5..9], [0.0; 4], "row 0 sees 5 columns");
}

/// Steps on two examples, and the addition that came of them.
fn trained(gguf: &mut Gguf, seed: u64, steps: usize) -> (Vec<f64>, Vec<Vec<f32>>) {
    let lora = Lora::open(gguf, &options(seed)).unwrap();
    let example = |q: &str, a: &str| lora.example(&[ChatMessage::user(q)], a).unwrap();
    let (one, two) = (example("How much?", "83 % [1]."), example("Since when?", "2019 [2]."));
    let schedule = Schedule { steps, warm_up: 2, rate: 0.02, ..Schedule::default() };
    let mut trainer = Trainer::new(&lora, schedule).unwrap();
    let losses = (0..steps).map(|_| trainer.step(&lora, &[&one, &two]).unwrap().loss).collect();
    let numbers = lora.adapters().variables();
    (losses, numbers.iter().map(|v| v.flatten_all().unwrap().to_vec1().unwrap()).collect())
}

#[test]
fn training_lowers_the_loss_and_the_same_seed_gives_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = written(Architecture::Qwen3, GgmlDType::Q8_0, dir.path());
    let (losses, weights) = trained(&mut gguf, 5, 25);
    assert!(losses[24] < 0.5 * losses[0], "{losses:?}");
    let (again, same) = trained(&mut gguf, 5, 25);
    assert!(again == losses && same == weights);
    assert_ne!(trained(&mut gguf, 6, 25).1, weights);
}

#[test]
fn several_examples_in_a_step_are_their_mean_and_a_long_gradient_is_clipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut gguf = written(Architecture::Qwen3, GgmlDType::F32, dir.path());
    let lora = Lora::open(&mut gguf, &options(1)).unwrap();
    disturb(&lora, 0.2);
    let (one, two) = (Example { tokens: tokens(20), from: 9 }, Example { tokens: tokens(31), from: 4 });
    let loss = |e: &Example| f64::from(lora.loss(e).unwrap().to_scalar::<f32>().unwrap());
    let mean = (loss(&one) + loss(&two)) / 2.0;
    let before: Vec<Vec<f32>> =
        lora.adapters().variables().iter().map(|v| v.flatten_all().unwrap().to_vec1().unwrap()).collect();
    let schedule = Schedule { clip: 1e-9, decay: 0.0, warm_up: 0, rate: 0.01, ..Schedule::default() };
    let step = Trainer::new(&lora, schedule).unwrap().step(&lora, &[&one, &two]).unwrap();
    assert!((step.loss - mean).abs() < 1e-4 && step.norm > 0.01, "{step:?} {mean}");
    // AdamW divides by the gradient's own size, but for an epsilon of 1e-8: clipped to 1e-9 a step is short.
    let now = lora.adapters().variables();
    let moved = now
        .iter()
        .zip(&before)
        .map(|(v, before)| furthest(&v.flatten_all().unwrap().to_vec1::<f32>().unwrap(), before));
    let moved = moved.fold(0.0, f32::max);
    assert!(moved > 0.0 && moved < 0.002, "{moved}");
}

#[test]
fn a_saved_addition_comes_back_and_another_ranks_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("adapter.safetensors");
    let mut gguf = written(Architecture::Qwen3, GgmlDType::F32, dir.path());
    let lora = Lora::open(&mut gguf, &options(1)).unwrap();
    disturb(&lora, 0.1);
    lora.adapters().save(&file).unwrap();
    let other = Lora::open(&mut gguf, &options(2)).unwrap();
    other.adapters().restore(&file).unwrap();
    assert_eq!(rows(&lora, &tokens(20)), rows(&other, &tokens(20)));
    let wide = Lora::open(&mut gguf, &LoraOptions { rank: 5, ..options(1) }).unwrap();
    let error = wide.adapters().restore(&file).unwrap_err().to_string();
    assert!(error.contains("[3, 64]") && error.contains("[5, 64]"), "{error}");
    std::fs::write(&file, "no adapter").unwrap();
    assert!(other.adapters().restore(&file).unwrap_err().to_string().contains("adapter.safetensors"));
}

#[test]
fn a_family_whose_blocks_are_not_known_here_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for architecture in [Architecture::Gemma3, Architecture::Phi3] {
        let mut gguf = written(architecture, GgmlDType::F32, dir.path());
        let error = Lora::open(&mut gguf, &options(1)).err().unwrap().to_string();
        assert!(error.contains(architecture.name()) && error.contains("qwen3"), "{error}");
        assert!(memory(&gguf, 8, 100, 10).is_err());
    }
}

#[test]
fn the_rate_rises_straight_and_falls_like_a_cosine() {
    let schedule = Schedule { steps: 110, warm_up: 10, rate: 1.0, floor: 0.1, ..Schedule::default() };
    let rates: Vec<f64> = [0, 4, 9, 10, 60, 110, 500].iter().map(|&s| schedule.at(s)).collect();
    for (rate, expected) in rates.iter().zip([0.1, 0.5, 1.0, 1.0, 0.55, 0.1, 0.1]) {
        assert!((rate - expected).abs() < 1e-9, "{rates:?}");
    }
}
