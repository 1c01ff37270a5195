//! What AVX-512 does beside the tile registers: numbers become bf16, in the order in which tiles want them.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{Sums, Tile};
use crate::kernels::avx512::{group_codes, scale};
use crate::kernels::number::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, format};
use crate::kernels::{BLOCK, Format, TILE};

/// Two registers of f32 as bf16, one after the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(in crate::kernels) fn in_turn(first: __m512, second: __m512) -> __m512i {
    // SAFETY: both are 64 bytes without invalid values.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first)) }
}

/// Two registers of f32 as bf16, number by number: what a line of weights has of two columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(in crate::kernels) fn side_by_side(first: __m512, second: __m512) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            (order[2 * i], order[2 * i + 1]) = (i as u16, 16 + i as u16);
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, in_turn(first, second))
}

/// Writes a row of numbers into line `line` of tiles of 32 columns each.
///
/// # Safety
/// The processor has AVX-512 with bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(in crate::kernels) unsafe fn line(numbers: &[f32], tiles: &mut [Tile], line: usize) {
    for (block, tile) in numbers.as_chunks::<BLOCK>().0.iter().zip(tiles) {
        // SAFETY: a block and a line are 32 numbers.
        unsafe {
            let both = in_turn(_mm512_loadu_ps(block.as_ptr()), _mm512_loadu_ps(block.as_ptr().add(TILE)));
            _mm512_storeu_si512(tile.0[line].as_mut_ptr().cast(), both);
        }
    }
}

/// Writes the weights of some blocks of a matrix's tile, 32 columns a tile.
///
/// # Safety
/// The processor has AVX-512 with bf16; `tile` has `form.tile_bytes(width)` bytes, and these blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")]
pub(super) unsafe fn expand(form: Format, tile: &[u8], width: usize, blocks: Range<usize>, tiles: &mut [Tile]) {
    // SAFETY: the caller's promise.
    unsafe {
        match form {
            Format::Q8_0 => expand_as::<Q8_0>(tile, width, blocks, tiles),
            Format::Q4_0 => expand_as::<Q4_0>(tile, width, blocks, tiles),
            Format::Q4_1 => expand_as::<Q4_1>(tile, width, blocks, tiles),
            Format::Q5_0 => expand_as::<Q5_0>(tile, width, blocks, tiles),
            Format::Q5_1 => expand_as::<Q5_1>(tile, width, blocks, tiles),
            Format::Q4K => expand_as::<Q4K>(tile, width, blocks, tiles),
            Format::Q5K => expand_as::<Q5K>(tile, width, blocks, tiles),
            Format::Q6K => expand_as::<Q6K>(tile, width, blocks, tiles),
            Format::F32 | Format::F16 | Format::Bf16 => panic!("floats have no codes"),
        }
    }
}

/// # Safety
/// As [`expand`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")]
unsafe fn expand_as<const F: u8>(tile: &[u8], width: usize, blocks: Range<usize>, tiles: &mut [Tile]) {
    let codes = &tile[const { format(F) }.scale_bytes(width)..];
    let zero = _mm512_set1_ps(const { format(F) }.zero() as f32);
    let low = _mm512_set1_epi32(255);
    let tile_bytes = format(F).tile_bytes(width);
    for (b, out) in blocks.zip(tiles) {
        let block = &codes[b * const { format(F) }.code_bytes()..][..const { format(F) }.code_bytes()];
        // The same of the next tile, which comes next: at each tile the processor's own prefetching begins anew.
        for line in (0..block.len()).step_by(64) {
            _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(tile_bytes + line).cast());
        }
        for half in 0..2 {
            // SAFETY: `b` is a block of the tile, which has eight groups of four columns; a tile has sixteen lines.
            unsafe {
                let (d, min) = scale::<F>(tile.as_ptr(), b, half);
                // weight = d (code - zero) - min
                let less = _mm512_fmadd_ps(d, zero, min);
                for g in half * 4..half * 4 + 4 {
                    let codes = group_codes::<F>(block.as_ptr(), g);
                    let weight = |code: __m512i| _mm512_fmsub_ps(_mm512_cvtepi32_ps(code), d, less);
                    let first = weight(_mm512_and_si512(codes, low));
                    let second = weight(_mm512_and_si512(_mm512_srli_epi32::<8>(codes), low));
                    let third = weight(_mm512_and_si512(_mm512_srli_epi32::<16>(codes), low));
                    let fourth = weight(_mm512_srli_epi32::<24>(codes));
                    _mm512_store_si512(out.0[2 * g].as_mut_ptr().cast(), side_by_side(first, second));
                    _mm512_store_si512(out.0[2 * g + 1].as_mut_ptr().cast(), side_by_side(third, fourth));
                }
            }
        }
    }
}

/// Writes `activation(gate) * up` into sixteen columns of a tile of activations, with GELU or SiLU.
///
/// # Safety
/// The processor has AVX-512 with bf16; at `out` are sixteen numbers, and as many in each of fifteen lines of a tile below.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) unsafe fn gate(gelu: bool, gate: &Sums, up: &Sums, out: *mut u16) {
    for (line, (gate, up)) in gate.0.iter().zip(&up.0).enumerate() {
        // SAFETY: a line of sums is sixteen floats; the caller's promise.
        unsafe {
            let (g, up) = (_mm512_loadu_ps(gate.as_ptr()), _mm512_loadu_ps(up.as_ptr()));
            let product = _mm512_mul_ps(if gelu { gelu_of(g) } else { silu_of(g) }, up);
            let narrow = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(product));
            _mm256_storeu_si256(out.add(line * BLOCK).cast(), narrow);
        }
    }
}

/// x / (1 + e⁻ˣ)
#[inline]
#[target_feature(enable = "avx512f")]
fn silu_of(x: __m512) -> __m512 {
    divided(x, exp(_mm512_sub_ps(_mm512_setzero_ps(), x)))
}

/// x/2 (1 + tanh z) = x / (1 + e^-2z), z = √(2/π) (x + 0.044715 x³)
#[inline]
#[target_feature(enable = "avx512f")]
fn gelu_of(x: __m512) -> __m512 {
    let cubic =
        _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-1.595_769 * 0.044_715), _mm512_set1_ps(-1.595_769));
    divided(x, exp(_mm512_mul_ps(x, cubic)))
}

/// x / (1 + e): sixteen bits from a table and a step of Newton's, far below what bf16 shows.
#[inline]
#[target_feature(enable = "avx512f")]
fn divided(x: __m512, e: __m512) -> __m512 {
    let d = _mm512_add_ps(e, _mm512_set1_ps(1.0));
    let r = _mm512_rcp14_ps(d);
    let r = _mm512_mul_ps(r, _mm512_fnmadd_ps(d, r, _mm512_set1_ps(2.0)));
    _mm512_mul_ps(x, r)
}

/// eˣ as `ops::exp`, for x of at most 88; of less than -87 it is e^-87. Not a number stays so.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp(x: __m512) -> __m512 {
    let all = |x: f32| _mm512_set1_ps(x);
    // Of two operands, one of them not a number, the instructions give the second.
    let x = _mm512_max_ps(all(-87.0), _mm512_min_ps(all(88.0), x));
    let n = _mm512_roundscale_ps::<0>(_mm512_mul_ps(x, all(std::f32::consts::LOG2_E)));
    let r = _mm512_fmadd_ps(n, all(2.121_944_4e-4), _mm512_fmadd_ps(n, all(-0.693_359_4), x));
    let mut p = all(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = _mm512_fmadd_ps(p, r, all(c));
    }
    let p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), all(1.0));
    _mm512_scalef_ps(p, n)
}

/// 2ˣ, relative error below 1e-5; nothing for x far below zero. Not a number stays so.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::kernels) fn exp2(x: __m512) -> __m512 {
    let n = _mm512_roundscale_ps::<0>(x);
    let r = _mm512_sub_ps(x, n);
    // Terms of the series of e^(r ln 2), |r| at most 1/2.
    let mut p = _mm512_set1_ps(1.333_355_8e-3);
    for c in [9.618_129e-3, 5.550_411e-2, 2.402_265e-1, 6.931_472e-1, 1.0] {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    }
    _mm512_scalef_ps(p, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_as_exact_as_they_say() {
        if !is_x86_feature_detected!("avx512f") {
            eprintln!("skipped: no AVX-512");
            return;
        }
        // SAFETY: the processor has AVX-512; a register is sixteen floats.
        let lanes = |all: __m512| unsafe { std::mem::transmute::<__m512, [f32; 16]>(all) };
        for i in -86_000..87_000 {
            let x = i as f32 / 1000.0;
            // SAFETY: as above.
            let [e, two] = unsafe { [exp(_mm512_set1_ps(x)), exp2(_mm512_set1_ps(x))].map(lanes) };
            assert!((f64::from(e[3]) / f64::from(x).exp() - 1.0).abs() < 2e-7, "{x}");
            assert!((f64::from(two[3]) / f64::from(x).exp2() - 1.0).abs() < 1e-5, "{x}");
        }
        // SAFETY: as above.
        let edges = unsafe {
            [exp2(_mm512_set1_ps(-1e6)), exp2(_mm512_set1_ps(f32::NAN)), exp(_mm512_set1_ps(f32::NAN))].map(lanes)
        };
        assert!(edges[0][0] == 0.0 && edges[1][0].is_nan() && edges[2][0].is_nan());
    }
}
