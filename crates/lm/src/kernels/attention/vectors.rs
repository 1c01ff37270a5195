//! The tiles of [`super::tiles`] multiplied without AMX: `vdpbf16ps` on processors with AVX-512 and bf16.
//!
//! One instruction adds two products of bf16 to each of sixteen f32 sums: a line of a tile of weights, two columns
//! deep, times two numbers of one token, broadcast from memory. Denormal numbers count as zero, as with AMX. Instruction
//! set: Intel 64 and IA-32 manuals, volume 2 (`VDPBF16PS`).

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use crate::kernels::TILE;
use crate::kernels::amx::{Multiply, Soon, Square, Tile};

/// Tokens whose sums with two times sixteen rows are in registers: sixteen of 32, enough to hide the latency.
const TOKENS: usize = 8;

/// Having one is the proof that the processor has AVX-512 with bf16.
pub(super) struct Vectors(());

impl Vectors {
    /// # Safety
    /// The processor has AVX-512 F with bf16.
    pub(super) unsafe fn new() -> Vectors {
        Vectors(())
    }
}

impl Multiply for Vectors {
    fn multiply(&mut self, x: [&[Tile]; 2], w: [&[Tile]; 2], out: &mut Square, add: bool, _: Option<Soon>) {
        assert!(x.iter().chain(&w).all(|tiles| tiles.len() == x[0].len()), "tiles disagree");
        for (x, out) in x.iter().zip(out) {
            for token in (0..TILE).step_by(TOKENS) {
                let [first, second] = &mut *out;
                let to = [first.0[token..].as_mut_ptr().cast(), second.0[token..].as_mut_ptr().cast()];
                // SAFETY: `Vectors::new` was promised the instructions; the slices are of one length, and from `token`
                // on there are `TOKENS` lines in a tile of tokens and in each tile of sums.
                unsafe { some(x, w, token, to, add) };
            }
        }
    }
}

/// Products of [`TOKENS`] tokens from line `token` on with two times sixteen rows, written or added to the lines at `to`.
///
/// # Safety
/// The processor has AVX-512 with bf16; the slices have one length; at `to` are `TOKENS` lines of sixteen sums each, and
/// `token + TOKENS` is at most sixteen.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn some(x: &[Tile], w: [&[Tile]; 2], token: usize, to: [*mut f32; 2], add: bool) {
    let mut sums = [[_mm512_setzero_ps(); 2]; TOKENS];
    // SAFETY: the caller's promise; a line of a tile is 64 bytes, and its `k`th pair of numbers four of them.
    unsafe {
        if add {
            for t in 0..TOKENS {
                sums[t] = to.map(|to| _mm512_loadu_ps(to.add(t * TILE)));
            }
        }
        for ((x, first), second) in x.iter().zip(w[0]).zip(w[1]) {
            let x = x.0.as_ptr().add(token).cast::<i32>();
            for k in 0..TILE {
                let first = numbers(_mm512_loadu_si512(first.0[k].as_ptr().cast()));
                let second = numbers(_mm512_loadu_si512(second.0[k].as_ptr().cast()));
                for t in 0..TOKENS {
                    let x = numbers(_mm512_set1_epi32(*x.add(t * TILE + k)));
                    sums[t][0] = _mm512_dpbf16_ps(sums[t][0], x, first);
                    sums[t][1] = _mm512_dpbf16_ps(sums[t][1], x, second);
                }
            }
        }
        for t in 0..TOKENS {
            _mm512_storeu_ps(to[0].add(t * TILE), sums[t][0]);
            _mm512_storeu_ps(to[1].add(t * TILE), sums[t][1]);
        }
    }
}

/// The same bits as bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn numbers(bits: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes without invalid values.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::kernels::amx::ZERO;
    use crate::kernels::{BLOCK, Path};

    fn tiles(count: usize, random: &mut StdRng) -> Vec<Tile> {
        let mut line = || std::array::from_fn(|_| bf16::from_f32(random.random_range(-2.0..2.0)).to_bits());
        (0..count).map(|_| Tile(std::array::from_fn(|_| line()))).collect()
    }

    /// The product of line `m` of tiles of tokens with row `n` of tiles of weights, and the sum of its terms' sizes.
    fn product(x: &[Tile], w: &[Tile], m: usize, n: usize) -> (f64, f64) {
        let number = |bits: u16| f64::from(bf16::from_bits(bits).to_f32());
        let terms = x
            .iter()
            .zip(w)
            .flat_map(|(x, w)| (0..BLOCK).map(move |k| number(x.0[m][k]) * number(w.0[k / 2][2 * n + k % 2])));
        terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn sums_are_those_of_the_tiles_term_by_term(seed in any::<u64>(), deep in 1usize..9, add in any::<bool>()) {
            if !Path::all().into_iter().any(Path::attends_in_bf16) {
                eprintln!("skipped: this processor has no AVX-512 with bf16");
                return Ok(());
            }
            let mut random = StdRng::seed_from_u64(seed);
            let [x0, x1, w0, w1] = std::array::from_fn(|_| tiles(deep, &mut random));
            let mut out = ZERO;
            let all = out.iter_mut().flatten().flat_map(|sums| sums.0.as_flattened_mut());
            all.for_each(|sum| *sum = random.random_range(-9.0..9.0));
            let before = out;
            // SAFETY: asked for above.
            unsafe { Vectors::new() }.multiply([&x0, &x1], [&w0, &w1], &mut out, add, None);
            for (i, x) in [x0, x1].iter().enumerate() {
                for (j, w) in [&w0, &w1].into_iter().enumerate() {
                    for (m, n) in (0..TILE).flat_map(|m| (0..TILE).map(move |n| (m, n))) {
                        let (sum, size) = product(x, w, m, n);
                        let expect = sum + if add { f64::from(before[i][j].0[m][n]) } else { 0.0 };
                        let found = f64::from(out[i][j].0[m][n]);
                        // Additions in f32, of up to 256 terms.
                        prop_assert!((found - expect).abs() <= 1e-6 * (size + 9.0), "{found} for {expect}");
                    }
                }
            }
        }
    }
}
