//! Each path against the scalar one, and the scalar one against what candle says the bytes mean.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const TYPES: [GgmlDType; 11] = [
    GgmlDType::F32,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::Q8_0,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

/// A matrix of this type, and the numbers it stands for as candle reads them.
fn matrix(dtype: GgmlDType, rows: usize, columns: usize, random: &mut StdRng) -> (Matrix, Vec<f32>) {
    let values: Vec<f32> = (0..rows * columns).map(|_| random.random_range(-1.0..1.0)).collect();
    let tensor = Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap();
    let quantized = QTensor::quantize(&tensor, dtype).unwrap();
    packed(dtype, rows, columns, &quantized.data().unwrap())
}

fn packed(dtype: GgmlDType, rows: usize, columns: usize, bytes: &[u8]) -> (Matrix, Vec<f32>) {
    let matrix = Matrix::pack(&mut Pages::default(), Format::of(dtype).unwrap(), (rows, columns), bytes).unwrap();
    let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, dtype).unwrap();
    let tensor = QTensor::new(storage, (rows, columns)).unwrap();
    let numbers = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (matrix, numbers)
}

fn activations(path: Path, pool: &mut Pool, needs: Needs, width: usize, rows: &[f32]) -> Activations {
    let mut x = Activations::default();
    x.fill((pool, path, needs), (rows.len() / width, width), Source::Rows(rows));
    x
}

fn multiply(path: Path, threads: usize, matrix: &Matrix, rows: &[f32]) -> Vec<f32> {
    let mut pool = Pool::new(threads);
    let x = activations(path, &mut pool, matrix.format().needs(), matrix.columns(), rows);
    let mut out = vec![f32::NAN; x.tokens() * matrix.rows()];
    product(&mut pool, path, &x, &mut [(matrix, &mut out)]);
    out
}

/// Those that round activations to int8 and add alike.
fn alike() -> impl Iterator<Item = Path> {
    Path::all().into_iter().filter(|path| path.multiplies_as_it_writes())
}

fn scalar() -> Path {
    Path::named("scalar").unwrap()
}

/// Bytes of `rows` rows where every code and scale occurs, with scales that are numbers.
fn any_bytes(dtype: GgmlDType, rows: usize, columns: usize, random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0u8; rows * columns / dtype.block_size() * dtype.type_size()];
    random.fill(&mut bytes[..]);
    let scale = |bytes: &mut [u8], random: &mut StdRng| {
        bytes.copy_from_slice(&half::f16::from_f32(random.random_range(-2.0..2.0)).to_le_bytes());
    };
    for block in bytes.chunks_exact_mut(dtype.type_size()) {
        match dtype {
            GgmlDType::Q8_0 | GgmlDType::Q4_0 | GgmlDType::Q5_0 => scale(&mut block[..2], random),
            GgmlDType::Q4_1 | GgmlDType::Q5_1 | GgmlDType::Q4K | GgmlDType::Q5K => {
                scale(&mut block[..2], random);
                scale(&mut block[2..4], random);
            }
            GgmlDType::Q6K => scale(&mut block[208..], random),
            _ => {}
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Random bytes, so that codes like -128 occur which no quantizer writes.
    #[test]
    fn every_path_equals_the_scalar_one_bit_for_bit(
        seed in any::<u64>(), rows in 1usize..70, supers in 1usize..4, tokens in 1usize..28, threads in 1usize..4,
    ) {
        let mut random = StdRng::seed_from_u64(seed);
        let columns = supers * SUPER;
        let x: Vec<f32> = (0..tokens * columns).map(|_| random.random_range(-3.0f32..3.0).powi(3)).collect();
        for dtype in TYPES {
            let (matrix, numbers) = match dtype.block_size() {
                1 => matrix(dtype, rows, columns, &mut random),
                _ => packed(dtype, rows, columns, &any_bytes(dtype, rows, columns, &mut random)),
            };
            for index in [0, rows - 1] {
                let mut row = vec![0.0; columns];
                matrix.row(index, &mut row);
                prop_assert_eq!(&row, &numbers[index * columns..][..columns], "{:?}: row {}", dtype, index);
            }
            let expect = multiply(scalar(), 1, &matrix, &x);
            for path in alike() {
                let found = multiply(path, threads, &matrix, &x);
                let same = found.iter().zip(&expect).position(|(a, b)| a.to_bits() != b.to_bits());
                prop_assert_eq!(same, None, "{:?} {:?}", dtype, path);
            }
        }
    }
}

#[test]
fn every_path_quantizes_alike_down_to_zeros_and_the_smallest_numbers() {
    let mut random = StdRng::seed_from_u64(3);
    let (tokens, width) = (17, 6 * BLOCK);
    let mut rows: Vec<f32> = (0..tokens * width).map(|_| random.random_range(-1.0f32..1.0).powi(5)).collect();
    rows[..BLOCK].fill(0.0);
    rows[BLOCK..2 * BLOCK].fill(-0.0);
    rows[2 * BLOCK..3 * BLOCK].iter_mut().for_each(|x| *x *= 1e-38);
    rows[3 * BLOCK..4 * BLOCK].fill(-2.5);
    // Halves, which round to even.
    (0..BLOCK).for_each(|i| rows[4 * BLOCK + i] = if i == 0 { 127.0 } else { i as f32 - 16.5 });
    let needs = Needs { codes: true, floats: false };
    let expect = activations(scalar(), &mut Pool::new(1), needs, width, &rows);
    for path in alike() {
        let found = activations(path, &mut Pool::new(2), needs, width, &rows);
        for (a, b) in found.groups().iter().zip(expect.groups()) {
            let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(a.codes, b.codes, "{path:?}");
            assert_eq!([&a.less8, &a.less16, &a.less128, &a.less32], [&b.less8, &b.less16, &b.less128, &b.less32]);
            assert_eq!((bits(&a.scale), bits(&a.less)), (bits(&b.scale), bits(&b.less)), "{path:?}");
        }
    }
}

#[test]
fn products_are_within_the_rounding_of_activations() {
    let mut random = StdRng::seed_from_u64(1);
    let (rows, columns, tokens) = (40, 512, 5);
    let x: Vec<f32> = (0..tokens * columns).map(|_| random.random_range(-1.0..1.0)).collect();
    for (dtype, path) in TYPES.into_iter().flat_map(|dtype| Path::all().into_iter().map(move |path| (dtype, path))) {
        let (matrix, numbers) = matrix(dtype, rows, columns, &mut random);
        let found = multiply(path, 2, &matrix, &x);
        let (mut error, mut size) = (0.0f64, 0.0f64);
        for t in 0..tokens {
            for r in 0..rows {
                let pairs = numbers[r * columns..][..columns].iter().zip(&x[t * columns..][..columns]);
                let exact: f64 = pairs.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                error += (f64::from(found[t * rows + r]) - exact).powi(2);
                size += exact * exact;
            }
        }
        let relative = (error / size).sqrt();
        println!("{dtype:?}, {}: relative error {relative:.1e}", path.name());
        let most = match (matrix.format().needs().floats, path.multiplies_as_it_writes()) {
            (true, _) => 1e-6,
            // Uniform numbers rounded to 1/127 of their block's largest: 1/127/√12 over 1/√3, about 0.4 %.
            (false, true) => 5e-3,
            // Both sides rounded to eight significant bits: √2 times 0.17 %.
            (false, false) => 2.5e-3,
        };
        assert!(relative < most, "{dtype:?} {path:?}: {relative}");
    }
}

#[test]
fn a_row_that_is_not_a_number_shows_in_its_products_and_in_no_other() {
    let mut random = StdRng::seed_from_u64(2);
    let (matrix, _) = matrix(GgmlDType::Q8_0, 32, 64, &mut random);
    for path in Path::all() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = vec![1.0; 3 * 64];
            x[64 + 40] = bad;
            let out = multiply(path, 1, &matrix, &x);
            assert!(out[32..64].iter().all(|x| !x.is_finite()), "{path:?}");
            assert!(out[..32].iter().chain(&out[64..]).all(|x| x.is_finite()), "{path:?}");
        }
    }
}

#[test]
fn tiles_take_hardly_more_memory_than_the_file() {
    let (rows, columns) = (4 * TILE, 4 * SUPER);
    for dtype in TYPES {
        let file = rows * columns / dtype.block_size() * dtype.type_size();
        let tiles = Format::of(dtype).unwrap().packed_bytes(rows, columns);
        assert!(tiles >= file && tiles * 100 <= file * 103, "{dtype:?}: {tiles} bytes, {file} in the file");
    }
}

#[test]
fn bytes_that_do_not_fit_are_refused() {
    for (rows, columns, bytes) in [(0, 32, 0), (1, 0, 0), (1, 33, 34), (2, 32, 34), (1, 32, 35)] {
        let packed = Matrix::pack(&mut Pages::default(), Format::Q8_0, (rows, columns), &vec![0; bytes]);
        assert!(packed.is_err(), "{rows} {columns} {bytes}");
    }
}

/// softmax(q·k) v, term by term.
fn attention(heads: Heads, view: View, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f64> {
    let share = heads.queries / heads.keys;
    let mut out = Vec::new();
    for t in 0..view.tokens {
        let last = view.position + t;
        let first = view.window.map_or(0, |w| (last + 1).saturating_sub(w));
        for head in 0..heads.queries {
            let at = |key: usize| (key * heads.keys + head / share) * heads.dim;
            let q = &q[(t * heads.queries + head) * heads.dim..][..heads.dim];
            let score = |key: usize| -> f64 {
                let pairs = q.iter().zip(&k[at(key)..]);
                pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() * f64::from(view.scale)
            };
            let scores: Vec<f64> = (first..=last).map(score).collect();
            let most = scores.iter().copied().fold(f64::MIN, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
            let sum: f64 = weights.iter().sum();
            out.extend((0..heads.dim).map(|d| {
                let terms = weights.iter().enumerate().map(|(i, w)| w * f64::from(v[at(first + i) + d]));
                terms.sum::<f64>() / sum
            }));
        }
    }
    out
}

/// Rows of heads as a cache of this form keeps them.
fn kept(kv: Kv, dim: usize, rows: &[f32]) -> Vec<f32> {
    let eighth = |block: &[f32]| -> Vec<f32> {
        let most = block.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        block.iter().map(|x| (x * (127.0 / most)).round_ties_even() * (most / 127.0)).collect()
    };
    match kv {
        Kv::F32 => rows.to_vec(),
        Kv::F16 => rows.iter().map(|&x| half::f16::from_f32(x).to_f32()).collect(),
        Kv::Q8 => rows.chunks(dim).flat_map(|row| row.chunks(BLOCK).flat_map(eighth)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn attention_equals_the_formula_on_every_path(
        seed in any::<u64>(), keys in 1usize..4, share in 1usize..6, dim in 1usize..5, position in 0usize..300,
        tokens in 1usize..40, window in proptest::option::of(1usize..200),
        kv in proptest::sample::select(&[Kv::F16, Kv::F32, Kv::Q8][..]),
    ) {
        let heads = Heads { queries: keys * share, keys, dim: dim * 24 };
        let mut random = StdRng::seed_from_u64(seed);
        let all = position + tokens;
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-2.0..2.0)).collect() };
        let (k, v) = (numbers(all * keys * heads.dim), numbers(all * keys * heads.dim));
        let q = numbers(tokens * heads.queries * heads.dim);
        let view = View { position, tokens, window, scale: 0.3 };
        let expect = attention(heads, view, &q, &kept(kv, heads.dim, &k), &kept(kv, heads.dim, &v));
        let row = keys * heads.dim;
        for path in Path::all() {
            let mut pool = Pool::new(2);
            let mut layer = KvLayer::new(heads, all, kv);
            layer.write(&mut pool, path, 0, &k[..position * row], &v[..position * row]);
            layer.write(&mut pool, path, position, &k[position * row..], &v[position * row..]);
            let mut other = KvLayer::new(heads, all + 20, kv);
            other.copy(&layer, all);
            for layer in [layer, other] {
                let mut out = vec![f32::NAN; q.len()];
                layer.attend(&mut pool, path, view, &q, &mut out);
                let difference = out.iter().zip(&expect).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
                // Queries, keys, weights and values are rounded to eight significant bits (bf16) for prompts where the processor multiplies those, unless they are kept exactly.
                let most = if path.for_writing() == path || kv == Kv::F32 { 2e-5 } else { 5e-2 };
                prop_assert!(difference < most, "{:?} {:?}: {}", kv, path, difference);
            }
        }
    }
}

/// What makes an answer the same alone, in company and after a reuse: the queries of a step may be any part of a text.
#[test]
fn what_a_query_takes_does_not_depend_on_the_queries_beside_it() {
    let mut random = StdRng::seed_from_u64(11);
    let heads = Heads { queries: 6, keys: 2, dim: 48 };
    let all = 300;
    let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-2.0..2.0)).collect() };
    let (k, v) = (numbers(all * heads.keys * heads.dim), numbers(all * heads.keys * heads.dim));
    let q = numbers(all * heads.queries * heads.dim);
    let row = heads.queries * heads.dim;
    for (path, kv) in Path::all().into_iter().flat_map(|path| [(path, Kv::F16), (path, Kv::Q8)]) {
        let mut pool = Pool::new(2);
        let mut layer = KvLayer::new(heads, all, kv);
        layer.write(&mut pool, path, 0, &k, &v);
        for window in [None, Some(200)] {
            let mut attend = |from: usize, to: usize| {
                let view = View { position: from, tokens: to - from, window, scale: 0.2 };
                let mut out = vec![f32::NAN; (to - from) * row];
                layer.attend(&mut pool, path, view, &q[from * row..to * row], &mut out);
                out
            };
            let together = attend(0, all);
            for (from, to) in [(0, 1), (1, 40), (127, 129), (131, 260), (299, 300)] {
                let expect = &together[from * row..to * row];
                assert_eq!(attend(from, to), expect, "{path:?} {kv:?} {window:?} {from}..{to}");
            }
        }
    }
}
