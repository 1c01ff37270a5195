//! The AMX path on an emulation of its registers, and on the registers where there are any.

#![allow(clippy::needless_range_loop, reason = "several arrays share one index")]

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::kernels::pack::{code_at, scale_at};

/// What Intel's manual says of `tilezero`, `tileloadd`, `tdpbssd` and `tilestored`.
#[derive(Default)]
struct Emulated {
    shape: Option<(usize, usize)>,
    registers: [Vec<Vec<u8>>; 8],
    /// Weights are taken as unsigned, to see whether the trial notices.
    wrong: bool,
}

impl Tiles for Emulated {
    fn configure(&mut self, tokens: usize, span: usize) {
        self.shape = Some((tokens, span));
        for (i, register) in self.registers.iter_mut().enumerate() {
            *register = match i {
                0..=3 => vec![vec![0; 64]; tokens],
                4 | 5 => vec![vec![0; span]; tokens],
                _ => vec![vec![0; 64]; span / 4],
            };
        }
    }

    fn zero<const TO: usize>(&mut self) {
        assert!(self.shape.is_some(), "not configured");
        self.registers[TO].iter_mut().for_each(|line| line.fill(0));
    }

    fn load<const TO: usize>(&mut self, from: &[i8], stride: usize) {
        assert!(self.shape.is_some(), "not configured");
        for (i, line) in self.registers[TO].iter_mut().enumerate() {
            line.iter_mut().zip(&from[i * stride..]).for_each(|(to, &from)| *to = from as u8);
        }
    }

    fn dot<const TO: usize, const X: usize, const W: usize>(&mut self) {
        let (x, w) = (self.registers[X].clone(), self.registers[W].clone());
        let sign = |byte: u8| if self.wrong { i32::from(byte) } else { i32::from(byte as i8) };
        for (line, x) in self.registers[TO].iter_mut().zip(x) {
            for (n, sum) in line.chunks_exact_mut(4).enumerate() {
                let mut total = i32::from_le_bytes(sum.try_into().unwrap());
                for (k, w) in w.iter().enumerate() {
                    for j in 0..4 {
                        total += i32::from(x[k * 4 + j] as i8) * sign(w[n * 4 + j]);
                    }
                }
                sum.copy_from_slice(&total.to_le_bytes());
            }
        }
    }

    fn store<const FROM: usize>(&mut self, to: &mut Sums) {
        for (to, line) in to.0.iter_mut().zip(&self.registers[FROM]) {
            to.iter_mut().zip(line.chunks_exact(4)).for_each(|(x, b)| *x = i32::from_le_bytes(b.try_into().unwrap()));
        }
    }
}

const FORMATS: [Format; 5] = [Format::Q8_0, Format::Q4_0, Format::Q4K, Format::Q5K, Format::Q6K];

struct Case {
    matrix: Matrix,
    x: Activations,
}

/// Every code occurs; scales are numbers.
fn case(format: Format, rows: usize, width: usize, tokens: usize, seed: u64) -> Case {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0u8; format.file_bytes(rows * width)];
    random.fill(&mut bytes[..]);
    format.tame(&mut bytes);
    let numbers: Vec<f32> = (0..tokens * width).map(|_| random.random_range(-3.0f32..3.0).powi(3)).collect();
    let mut x = Activations::default();
    let needs = Needs { codes: true, floats: false };
    x.fill((&mut Pool::new(1), Path::scalar(), needs), (tokens, width), &|t, out| {
        out.copy_from_slice(&numbers[t * width..][..width]);
    });
    Case { matrix: Matrix::pack(&mut Pages::default(), format, (rows, width), &bytes).unwrap(), x }
}

/// Of a tile and a group, by the scalar path.
fn expected(case: &Case, tile: usize, group: usize) -> Products {
    let mut out: Products = [[0.0; TILE]; GROUP];
    Path::scalar().tile(&case.matrix, tile, &case.x.groups()[group], &mut out);
    out
}

fn bits(rows: &[[f32; TILE]]) -> Vec<u32> {
    rows.as_flattened().iter().map(|x| x.to_bits()).collect()
}

fn has_avx512() -> bool {
    Path::all().iter().any(|path| path.name() == "avx512-vnni")
}

/// All products by these registers equal the scalar ones bit for bit.
fn check<T: Tiles>(registers: &mut T, case: &Case) {
    let tiles_of = case.matrix.rows().div_ceil(TILE);
    let mut seen = 0;
    // SAFETY: the caller has seen that there is AVX-512; the groups were filled for this width.
    unsafe {
        tiles(registers, &case.matrix, 0..tiles_of, case.x.groups(), &mut |tile, token, found| {
            let expect = expected(case, tile, token / GROUP);
            assert_eq!(bits(found), bits(&expect[token % GROUP..][..found.len()]), "{:?} {tile} {token}", case.matrix);
            seen += found.len();
        });
    }
    assert_eq!(seen, tiles_of * case.x.tokens(), "every token of every tile");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Needs no AVX-512: sums by tiles, then scaled and added as the scalar path does.
    #[test]
    fn sums_of_tiles_scaled_and_added_equal_the_scalar_products(
        seed in any::<u64>(), supers in 1usize..4, tokens in 4usize..=GROUP,
    ) {
        for format in FORMATS {
            let case = case(format, TILE, supers * SUPER, tokens, seed);
            let (width, group, tile) = (case.matrix.columns(), &case.x.groups()[0], case.matrix.tile(0));
            let mut lines = vec![Line::ZERO; width / 4];
            for column in 0..width {
                for r in 0..TILE {
                    let code = code_at(format, tile, width, column / BLOCK, column % BLOCK, r) as i32 - format.zero();
                    lines[column / 4].0[r * 4 + column % 4] = code as i8;
                }
            }
            let mut registers = Emulated::default();
            registers.configure(tokens, span(format));
            let part = Part { format, width, tile, lines: &lines, group, first: 0 };
            let mut found = [[0.0f32; TILE]; GROUP];
            let mut chunk = [Sums::ZERO; CHUNK];
            for first in (0..width / span(format)).step_by(CHUNK) {
                sums(&mut registers, &part, first, &mut chunk);
                for (s, sums) in (first..width / span(format)).zip(&chunk) {
                    let (b, i) = (s * span(format) / BLOCK, s * span(format) % BLOCK);
                    for t in 0..tokens {
                        for r in 0..TILE {
                            let (d, min) = scale_at(format, tile, b, i, r);
                            let at = b * group.rows + t;
                            found[t][r] = (sums.0[t][r] as f32).mul_add(d * group.scale[at], found[t][r]);
                            if matches!(format, Format::Q4K | Format::Q5K) {
                                found[t][r] = min.mul_add(group.less[at], found[t][r]);
                            }
                        }
                    }
                }
            }
            let expect = expected(&case, 0, 0);
            prop_assert_eq!(bits(&found[..tokens]), bits(&expect[..tokens]), "{:?}", format);
        }
    }

    #[test]
    fn the_path_on_emulated_registers_equals_the_scalar_one_bit_for_bit(
        seed in any::<u64>(), rows in 1usize..70, blocks in 1usize..20, supers in 1usize..4, tokens in 1usize..40,
    ) {
        if !has_avx512() {
            eprintln!("skipped: no AVX-512 here, which scales what AMX sums");
            return Ok(());
        }
        for format in FORMATS {
            let width = if matches!(format, Format::Q8_0 | Format::Q4_0) { blocks * BLOCK } else { supers * SUPER };
            check(&mut Emulated::default(), &case(format, rows, width, tokens, seed));
        }
    }

    #[test]
    fn the_path_on_this_processor_equals_the_scalar_one_bit_for_bit(
        seed in any::<u64>(), rows in 1usize..70, supers in 1usize..4, tokens in 1usize..40,
    ) {
        #[cfg(target_os = "linux")]
        if has_avx512() && usable().is_ok() {
            for format in FORMATS {
                check(&mut Registers::new(), &case(format, rows, supers * SUPER, tokens, seed));
            }
            return Ok(());
        }
        eprintln!("skipped: AMX cannot be used here ({:?}); seed {seed}, {rows}, {supers}, {tokens}", usable());
    }
}

#[test]
fn the_trial_passes_registers_that_multiply_and_fails_registers_that_do_not() {
    if !has_avx512() {
        eprintln!("skipped: no AVX-512 here, which scales what AMX sums");
        return;
    }
    assert!(agrees(&mut Emulated::default()));
    assert!(!agrees(&mut Emulated { wrong: true, ..Emulated::default() }));
}

#[test]
fn a_path_that_is_not_usable_is_not_offered() {
    let offered = Path::all().iter().any(|path| path.name() == "amx-int8");
    assert_eq!(offered, has_avx512() && usable().is_ok(), "{:?}", usable());
}
