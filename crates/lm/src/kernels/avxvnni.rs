//! AVX-VNNI: what AVX2 does, with `vpdpbusd` on eight rows a register.
//!
//! Processors of clients since 2021 have it without AVX-512. One instruction takes the place of three, and
//! nothing saturates, so all formats share one loop. Sixteen rows go through it together, so that an
//! activation that was broadcast serves both registers of them; the running sums lie in memory, where a block
//! of 32 columns meets them once. Matrices of floats take the way of AVX2.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use super::activations::Group;
use super::avx2::{self, group_codes, halves, signed, with_min};
use super::number::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q8_0, format};
use super::pack::SUPER_SCALES;
use super::{BLOCK, Format, Products, TILE};

/// Dot products of eight rows and eight rows with `T` tokens.
type Dots<const T: usize> = [[__m256i; T]; 2];

/// See `Path::tile`.
///
/// # Safety
/// The processor has AVX2, FMA, F16C and AVX-VNNI; `tile` has `format.tile_bytes(width)` bytes, and `group`
/// holds `width` numbers for each of its rows in the form that `format` needs.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    macro_rules! tokens {
        ($format:ident) => {{
            const F: u8 = Format::$format as u8;
            let mut t = 0;
            while t < group.rows {
                // SAFETY: the caller's promise; `t` and the tokens after it are rows of the group.
                t += match group.rows - t {
                    6.. => unsafe { some::<F, 6>(tile, width, group, t, out) },
                    4.. => unsafe { some::<F, 4>(tile, width, group, t, out) },
                    2.. => unsafe { some::<F, 2>(tile, width, group, t, out) },
                    _ => unsafe { some::<F, 1>(tile, width, group, t, out) },
                };
            }
        }};
    }
    match format {
        // SAFETY: the caller's promise holds more than this one asks.
        Format::F32 | Format::F16 | Format::Bf16 => unsafe { avx2::tile(format, tile, width, group, out) },
        Format::Q8_0 => tokens!(Q8_0),
        Format::Q4_0 => tokens!(Q4_0),
        Format::Q4_1 => tokens!(Q4_1),
        Format::Q5_0 => tokens!(Q5_0),
        Format::Q5_1 => tokens!(Q5_1),
        Format::Q4K => tokens!(Q4K),
        Format::Q5K => tokens!(Q5K),
        Format::Q6K => tokens!(Q6K),
    }
}

/// `T` tokens from `first`; gives `T`.
///
/// # Safety
/// As [`tile`], and `first + T <= group.rows`.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn some<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    out: &mut Products,
) -> usize {
    let rows = group.rows;
    let mut sums = [[_mm256_setzero_ps(); T]; 2];
    // SAFETY: `tile` holds the scales and codes of `width / 32` blocks in the layout of `pack`, and the
    // arrays of `group` hold `width / 32 * rows` entries (`less32` twice, `codes` 32 times as many), of which
    // `T` from `first` are read for each block: the caller's promise. A row of `out` is sixteen floats.
    unsafe {
        let scales = tile.as_ptr();
        let codes = scales.add(format(F).scale_bytes(width));
        for b in 0..width / BLOCK {
            let at = b * rows + first;
            let codes = codes.add(b * const { format(F).code_bytes() });
            if T <= avx2::FEW {
                avx2::ahead(codes, const { format(F).code_bytes() });
            }
            let x = group.codes.as_ptr().add(at * BLOCK);
            let x_scale = group.scale.as_ptr().add(at);
            match F {
                Q8_0 | Q4_0 | Q5_0 => {
                    let less = group.less(const { format(F).zero() }).as_ptr();
                    let d = [halves(scales.add(b * 32)), halves(scales.add(b * 32 + 16))];
                    accumulate(&mut sums, dot::<F, T>(codes, 0, 8, x, start(less.add(at))), d, x_scale);
                }
                Q4_1 | Q5_1 | Q4K | Q5K => {
                    let both = [with_min::<F>(scales, b, 0), with_min::<F>(scales, b, 1)];
                    let d = both.map(|(d, _)| d);
                    let zero = [[_mm256_setzero_si256(); T]; 2];
                    accumulate(&mut sums, dot::<F, T>(codes, 0, 8, x, zero), d, x_scale);
                    let less = group.less.as_ptr().add(at);
                    for side in 0..2 {
                        let (_, min) = both[side];
                        for t in 0..T {
                            sums[side][t] = _mm256_fmadd_ps(min, _mm256_set1_ps(*less.add(t)), sums[side][t]);
                        }
                    }
                }
                _ => {
                    let step = scales.add(b / 8 * SUPER_SCALES + 64 + b % 8 * 32);
                    let d = scales.add(b / 8 * SUPER_SCALES);
                    let d = [halves(d), halves(d.add(16))];
                    for half in 0..2 {
                        let step = step.add(half * 16);
                        let d = [_mm256_mul_ps(d[0], signed(step)), _mm256_mul_ps(d[1], signed(step.add(8)))];
                        let less = group.less32.as_ptr().add((2 * b + half) * rows + first);
                        let dots = dot::<F, T>(codes, half * 4, half * 4 + 4, x, start(less));
                        accumulate(&mut sums, dots, d, x_scale);
                    }
                }
            }
        }
        for t in 0..T {
            for side in 0..2 {
                _mm256_storeu_ps(out[first + t].as_mut_ptr().add(side * TILE / 2), sums[side][t]);
            }
        }
    }
    T
}

/// # Safety
/// `T` numbers can be read at `less`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn start<const T: usize>(less: *const i32) -> Dots<T> {
    let mut dots = [_mm256_setzero_si256(); T];
    for t in 0..T {
        // SAFETY: the caller's promise.
        dots[t] = _mm256_set1_epi32(unsafe { *less.add(t) });
    }
    [dots, dots]
}

/// `sums[side][t] += dots[side][t] * (d[side] * scale[t])`
///
/// # Safety
/// `T` numbers can be read at `scale`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn accumulate<const T: usize>(sums: &mut [[__m256; T]; 2], dots: Dots<T>, d: [__m256; 2], scale: *const f32) {
    for t in 0..T {
        // SAFETY: the caller's promise.
        let scale = _mm256_set1_ps(unsafe { *scale.add(t) });
        for side in 0..2 {
            let scale = _mm256_mul_ps(d[side], scale);
            sums[side][t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[side][t]), scale, sums[side][t]);
        }
    }
}

/// Adds the products of groups `from..to` of a block with the activations of `T` tokens.
///
/// # Safety
/// `codes` is a block of format `F`; at `x` are `T` times 32 activations.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn dot<const F: u8, const T: usize>(
    codes: *const u8,
    from: usize,
    to: usize,
    x: *const i8,
    mut dots: Dots<T>,
) -> Dots<T> {
    for g in from..to {
        // SAFETY: the caller's promise; a group is four activations, g < 8; the second eight rows lie 32
        // bytes after the first.
        unsafe {
            let w = [group_codes::<F>(codes, g), group_codes::<F>(codes.add(32), g)];
            for t in 0..T {
                let x = _mm256_set1_epi32(x.add(t * BLOCK + g * 4).cast::<i32>().read_unaligned());
                for side in 0..2 {
                    dots[side][t] = _mm256_dpbusd_avx_epi32(dots[side][t], w[side], x);
                }
            }
        }
    }
    dots
}
