//! The path on this processor and on emulated registers, against products term by term.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::kernels::{Activations, Needs, Path, add_product, gated, gated_product, product};

/// What `tdpbf16ps` does, in the order in which it adds; `wrong` swaps the two columns of a pair.
#[derive(Default)]
struct Emulated {
    wrong: bool,
}

impl Multiply for Emulated {
    fn multiply(&mut self, x: [&[Tile]; 2], w: [&[Tile]; 2], out: &mut Square, add: bool, _: Option<Soon>) {
        let number = |bits: u16| half::bf16::from_bits(bits).to_f32();
        for (i, x) in x.iter().enumerate() {
            for (j, w) in w.iter().enumerate() {
                for m in 0..TILE {
                    for n in 0..TILE {
                        let mut sum = if add { out[i][j].0[m][n] } else { 0.0 };
                        for (x, w) in x.iter().zip(*w) {
                            for k in 0..TILE {
                                for odd in 0..2 {
                                    let from = if self.wrong { 1 - odd } else { odd };
                                    sum += number(x.0[m][2 * k + odd]) * number(w.0[k][2 * n + from]);
                                }
                            }
                        }
                        out[i][j].0[m][n] = sum;
                    }
                }
            }
        }
    }
}

/// What has to be there for conversion to bf16, beside the registers.
fn converts() -> bool {
    is_x86_feature_detected!("avx512bf16") && Path::all().iter().any(|path| path.name() == "avx512-vnni")
}

/// A matrix in which every code occurs, with scales that are numbers.
fn any_matrix(format: Format, (rows, width): (usize, usize), random: &mut StdRng) -> Matrix {
    let mut bytes = vec![0u8; format.file_bytes(rows * width)];
    random.fill(&mut bytes[..]);
    format.tame(&mut bytes);
    Matrix::pack(&mut Pages::default(), format, (rows, width), &bytes).unwrap()
}

/// Multiplies random rows with a random matrix in which every code occurs; all products are close, and no token is
/// left out.
fn check<M: Multiply>(registers: &mut M, format: Format, (rows, width, tokens): (usize, usize, usize), seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let matrix = any_matrix(format, (rows, width), &mut random);
    let x: Vec<f32> = (0..tokens * width).map(|_| random.random_range(-3.0f32..3.0).powi(3)).collect();
    let mut given = Rows::default();
    given.fill(&mut Pool::new(2), (tokens, width), Source::Rows(&x));
    let mut weights = vec![0.0; rows.next_multiple_of(TILE) * width];
    (0..rows).for_each(|r| matrix.row(r, &mut weights[r * width..][..width]));
    let start: Vec<f32> = (0..tokens * rows).map(|i| (i % 7) as f32).collect();
    for add in [false, true] {
        let mut out = start.clone();
        let place = (Shareable::new(out.as_mut_ptr()), add);
        // SAFETY: the caller has seen that the processor converts; the rows have the matrix's width, and `out` is the
        // place of their products.
        unsafe { products(registers, &matrix, 0..rows.div_ceil(TILE), (&given, tokens), place) };
        for (i, (found, start)) in out.iter().zip(&start).enumerate() {
            let (x, w) = (&x[i / rows * width..][..width], &weights[i % rows * width..][..width]);
            // What is added is small beside the products' tolerance.
            let found = if add { found - start } else { *found };
            assert!(is_close(x, w, found), "{format:?} row {}, token {}, add {add}: {found}", i % rows, i / rows);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn products_on_emulated_registers_are_those_of_the_rounded_numbers(
        seed in any::<u64>(), rows in 1usize..70, blocks in 1usize..20, supers in 1usize..4, tokens in 1usize..40,
    ) {
        if !converts() {
            eprintln!("skipped: this processor does not convert to bf16");
            return Ok(());
        }
        for format in Format::QUANTIZED {
            let width = format.unit() * if format.unit() == BLOCK { blocks } else { supers };
            check(&mut Emulated::default(), format, (rows, width, tokens), seed);
        }
    }

    #[test]
    fn products_on_this_processor_are_those_of_the_rounded_numbers(
        seed in any::<u64>(), rows in 1usize..140, supers in 1usize..6, tokens in 1usize..140,
    ) {
        #[cfg(target_os = "linux")]
        if converts() && usable().is_ok() {
            for format in Format::QUANTIZED {
                check(&mut Registers::new(), format, (rows, supers * SUPER, tokens), seed);
            }
            return Ok(());
        }
        eprintln!("skipped: AMX cannot be used here ({:?}); seed {seed}, {rows}, {supers}, {tokens}", usable());
    }
}

#[test]
fn the_trial_passes_registers_that_multiply_and_fails_registers_that_do_not() {
    if !converts() {
        eprintln!("skipped: this processor does not convert to bf16");
        return;
    }
    assert!(agrees(&mut Emulated::default()));
    assert!(!agrees(&mut Emulated { wrong: true }));
}

#[test]
fn a_path_that_is_not_usable_is_not_offered() {
    let offered = Path::all().iter().any(|path| path.name() == "amx-bf16");
    assert_eq!(offered, converts() && usable().is_ok(), "{:?}", usable());
}

#[test]
fn gates_are_those_of_the_two_products() {
    let Some(path) = Path::named("amx") else {
        eprintln!("skipped: AMX cannot be used here ({:?})", usable());
        return;
    };
    let mut random = StdRng::seed_from_u64(7);
    // 18 tiles: the last task has two.
    let (rows, width, tokens) = (18 * TILE, 3 * SUPER, 37);
    let [gate, up, down] = [(Format::Q4K, rows, width), (Format::Q6K, rows, width), (Format::Q8_0, 40, rows)]
        .map(|(format, rows, width)| any_matrix(format, (rows, width), &mut random));
    let x: Vec<f32> = (0..tokens * width).map(|_| random.random_range(-0.01f32..0.01)).collect();
    let (mut pool, needs) = (Pool::new(2), gate.format().needs());
    let mut given = Activations::default();
    given.fill((&mut pool, path, needs), (tokens, width), Source::Rows(&x));
    let (mut g, mut u) = (vec![0.0; tokens * rows], vec![0.0; tokens * rows]);
    product(&mut pool, path, &given, &mut [(&gate, &mut g), (&up, &mut u)]);
    for gelu in [false, true] {
        let (mut apart, mut gates) = (Activations::default(), Activations::default());
        let row = |t: usize, out: &mut [f32]| gated(path, gelu, &g[t * rows..][..rows], &u[t * rows..][..rows], out);
        apart.fill((&mut pool, path, needs), (tokens, rows), Source::Made(&row));
        assert!(gated_product(&mut pool, path, &given, [&gate, &up], gelu, (&mut gates, needs)));
        let [expect, found] = [&apart, &gates].map(|x| {
            let mut out = vec![0.0; tokens * down.rows()];
            product(&mut pool, path, x, &mut [(&down, &mut out)]);
            out
        });
        let most = expect.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        // Of a number in the middle of two of bf16 the last bits decide, which are computed in two ways.
        let same = expect.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-3 * most);
        assert!(same && most > 0.0, "gelu {gelu}");
        let mut add = vec![1.0; tokens * down.rows()];
        add_product(&mut pool, path, &gates, &down, &mut add);
        assert!(add.iter().zip(&found).all(|(sum, product)| *sum == 1.0 + product), "gelu {gelu}");
        let floats = Needs { floats: true, ..needs };
        for (path, needs) in [(path.for_writing(), needs), (path, floats)] {
            assert!(!gated_product(&mut pool, path, &given, [&gate, &up], gelu, (&mut apart, needs)));
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_rows_beside_it() {
    let Some(path) = Path::named("amx") else {
        eprintln!("skipped: AMX cannot be used here ({:?})", usable());
        return;
    };
    let mut random = StdRng::seed_from_u64(5);
    let (format, rows, width, tokens) = (Format::Q4K, 50, 5 * SUPER, 70);
    let matrix = any_matrix(format, (rows, width), &mut random);
    let x: Vec<f32> = (0..tokens * width).map(|_| random.random_range(-3.0f32..3.0)).collect();
    let multiply = |from: usize, to: usize| -> Vec<f32> {
        let mut given = Activations::default();
        let how = (&mut Pool::new(2), path, format.needs());
        given.fill(how, (to - from, width), Source::Rows(&x[from * width..to * width]));
        let mut out = vec![f32::NAN; (to - from) * rows];
        product(&mut Pool::new(2), path, &given, &mut [(&matrix, &mut out)]);
        out
    };
    let all = multiply(0, tokens);
    for (from, to) in [(0, 1), (17, 18), (16, 70), (31, 33), (64, 70)] {
        assert_eq!(multiply(from, to), all[from * rows..to * rows], "{from}..{to}");
    }
}
