//! AVX2 with FMA and F16C: eight rows a register, up to four tokens at once.
//!
//! `vpmaddubsw` adds two products into 16 bits and saturates, so each format adds as many pairs as fit:
//! 15 · 127 · 2 eight times, 31 · 127 · 2 four times, 63 · 127 · 2 twice. Codes of eight bits would not fit
//! even once; there the sign moves from the weight to the activation, 128 · 127 · 2 fits.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use super::activations::Group;
use super::number::{BF16, F16, F32, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q8_0, format};
use super::pack::SUPER_SCALES;
use super::{BLOCK, Format, Products};

/// See `Path::tile`.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; `tile` has `format.tile_bytes(width)` bytes, and `group` holds
/// `width` numbers for each of its rows in the form that `format` needs.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    macro_rules! tokens {
        ($format:ident) => {{
            const F: u8 = Format::$format as u8;
            let mut t = 0;
            while t < group.rows {
                // SAFETY: the caller's promise; `t` and the tokens after it are rows of the group.
                t += match group.rows - t {
                    4.. => unsafe { some::<F, 4>(tile, width, group, t, out) },
                    2.. => unsafe { some::<F, 2>(tile, width, group, t, out) },
                    _ => unsafe { some::<F, 1>(tile, width, group, t, out) },
                };
            }
        }};
    }
    match format {
        Format::F32 => tokens!(F32),
        Format::F16 => tokens!(F16),
        Format::Bf16 => tokens!(Bf16),
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

/// With so few tokens memory is what is waited for.
pub(super) const FEW: usize = 4;
/// How far ahead of the codes memory is asked for: the processor's own prefetching ends at each page.
const AHEAD: usize = 4096;

/// Groups whose products fit 16 bits together.
const fn together(number: u8) -> usize {
    match number {
        Q4_0 | Q4_1 | Q4K => 8,
        Q5_0 | Q5_1 | Q5K => 4,
        Q8_0 => 1,
        _ => 2,
    }
}

/// `T` tokens from `first`, rows 0..8, then 8..16; gives `T`.
///
/// # Safety
/// As [`tile`], and `first + T <= group.rows`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn some<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    out: &mut Products,
) -> usize {
    for side in 0..2 {
        // SAFETY: the caller's promise.
        let sums = unsafe {
            if F == F32 || F == F16 || F == BF16 {
                dense::<F, T>(tile, width, group, first, side)
            } else {
                quantized::<F, T>(tile, width, group, first, side)
            }
        };
        for t in 0..T {
            // SAFETY: eight floats at 0 or 8 of a row of sixteen.
            unsafe { _mm256_storeu_ps(out[first + t].as_mut_ptr().add(side * 8), sums[t]) };
        }
    }
    T
}

/// # Safety
/// As [`some`]; `side` is 0 or 1.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dense<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    side: usize,
) -> [__m256; T] {
    let mut sums = [_mm256_setzero_ps(); T];
    // SAFETY: `floats` holds `width` times `group.rows` numbers, `first + T <= group.rows`; `tile` holds
    // `width` times sixteen weights, of which eight from `side * 8` are read.
    unsafe {
        for k in 0..width {
            let weights = tile.as_ptr().add((2 * k + side) * const { format(F).code_bytes() / 2 });
            let x = group.floats.as_ptr().add(k * group.rows + first);
            let w = match F {
                F32 => _mm256_loadu_ps(weights.cast()),
                F16 => _mm256_cvtph_ps(_mm_loadu_si128(weights.cast())),
                _ => {
                    let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(weights.cast()));
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
                }
            };
            for t in 0..T {
                sums[t] = _mm256_fmadd_ps(w, _mm256_set1_ps(*x.add(t)), sums[t]);
            }
        }
    }
    sums
}

/// # Safety
/// As [`some`]; `side` is 0 or 1.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn quantized<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    side: usize,
) -> [__m256; T] {
    let mut sums = [_mm256_setzero_ps(); T];
    let zero = [_mm256_setzero_si256(); T];
    let rows = group.rows;
    // SAFETY: `tile` holds the scales and codes of `width / 32` blocks in the layout of `pack`, and the
    // arrays of `group` hold `width / 32 * rows` entries (`less32` twice, `codes` 32 times as many), of which
    // `T` from `first` are read for each block: the caller's promise. `side` picks eight of sixteen rows.
    unsafe {
        let scales = tile.as_ptr();
        let codes = scales.add(format(F).scale_bytes(width) + side * 32);
        for b in 0..width / BLOCK {
            let at = b * rows + first;
            let codes = codes.add(b * const { format(F).code_bytes() });
            if T <= FEW {
                ahead(codes, const { format(F).code_bytes() });
            }
            let x = group.codes.as_ptr().add(at * BLOCK);
            let x_scale = group.scale.as_ptr().add(at);
            match F {
                Q8_0 | Q4_0 | Q5_0 => {
                    let d = halves(scales.add(b * 32 + side * 16));
                    // Signed weights of eight bits need no zero point.
                    let begin = match F {
                        Q8_0 => zero,
                        _ => start(group.less(const { format(F).zero() }).as_ptr().add(at)),
                    };
                    accumulate(&mut sums, dot::<F, T>(codes, 0, 8, x, begin), d, x_scale);
                }
                Q4_1 | Q5_1 | Q4K | Q5K => {
                    let (d, min) = with_min::<F>(scales, b, side);
                    accumulate(&mut sums, dot::<F, T>(codes, 0, 8, x, zero), d, x_scale);
                    let less = group.less.as_ptr().add(at);
                    for t in 0..T {
                        sums[t] = _mm256_fmadd_ps(min, _mm256_set1_ps(*less.add(t)), sums[t]);
                    }
                }
                _ => {
                    let d = scales.add(b / 8 * SUPER_SCALES + side * 16);
                    let step = scales.add(b / 8 * SUPER_SCALES + 64 + b % 8 * 32 + side * 8);
                    let d = halves(d);
                    for half in 0..2 {
                        let d = _mm256_mul_ps(d, signed(step.add(half * 16)));
                        let less = group.less32.as_ptr().add((2 * b + half) * rows + first);
                        let dots = dot::<F, T>(codes, half * 4, half * 4 + 4, x, start(less));
                        accumulate(&mut sums, dots, d, x_scale);
                    }
                }
            }
        }
    }
    sums
}

/// Scales and minimums of eight rows in block `b` of a format that has both.
///
/// # Safety
/// At `scales` is a tile of format `F` with more than `b` blocks; `side` is 0 or 1.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn with_min<const F: u8>(scales: *const u8, b: usize, side: usize) -> (__m256, __m256) {
    // SAFETY: the caller's promise; the layout is `pack`'s.
    unsafe {
        if F == Q4_1 || F == Q5_1 {
            let d = scales.add(b * 64 + side * 16);
            return (halves(d), halves(d.add(32)));
        }
        let d = scales.add(b / 8 * SUPER_SCALES + side * 16);
        let step = scales.add(b / 8 * SUPER_SCALES + 64 + b % 8 * 32 + side * 8);
        (_mm256_mul_ps(halves(d), unsigned(step)), _mm256_mul_ps(halves(d.add(32)), unsigned(step.add(16))))
    }
}

/// Eight f16 as f32.
///
/// # Safety
/// Sixteen bytes can be read at `bytes`.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn halves(bytes: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(bytes.cast()) })
}

/// Eight signed bytes as floats.
///
/// # Safety
/// Eight bytes can be read at `bytes`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn signed(bytes: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(bytes.cast()) }))
}

/// Eight unsigned bytes as floats.
///
/// # Safety
/// Eight bytes can be read at `bytes`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn unsigned(bytes: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(bytes.cast()) }))
}

/// # Safety
/// `T` numbers can be read at `less`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn start<const T: usize>(less: *const i32) -> [__m256i; T] {
    let mut dots = [_mm256_setzero_si256(); T];
    for t in 0..T {
        // SAFETY: the caller's promise.
        dots[t] = _mm256_set1_epi32(unsafe { *less.add(t) });
    }
    dots
}

/// Asks for the memory that will be read [`AHEAD`] bytes later, which may be the next tile's.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn ahead(codes: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        _mm_prefetch::<_MM_HINT_T0>(codes.wrapping_add(AHEAD + line).cast());
    }
}

/// `sums[t] += dots[t] * (d * scale[t])`
///
/// # Safety
/// `T` numbers can be read at `scale`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn accumulate<const T: usize>(sums: &mut [__m256; T], dots: [__m256i; T], d: __m256, scale: *const f32) {
    for t in 0..T {
        // SAFETY: the caller's promise.
        let scale = _mm256_mul_ps(d, _mm256_set1_ps(unsafe { *scale.add(t) }));
        sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[t]), scale, sums[t]);
    }
}

/// Adds the products of groups `from..to` of a block with the activations of `T` tokens.
///
/// # Safety
/// `codes` is a block of format `F` (or its second half of rows); at `x` are `T` times 32 activations.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn dot<const F: u8, const T: usize>(
    codes: *const u8,
    from: usize,
    to: usize,
    x: *const i8,
    mut dots: [__m256i; T],
) -> [__m256i; T] {
    let ones = _mm256_set1_epi16(1);
    let mut g = from;
    while g < to {
        let end = to.min(g + together(F));
        let mut short = [_mm256_setzero_si256(); T];
        while g < end {
            // SAFETY: the caller's promise; a group is four activations, g < 8.
            unsafe {
                let w = group_codes::<F>(codes, g);
                // Signed for `vpsignb`.
                let w = if F == Q8_0 { _mm256_xor_si256(w, _mm256_set1_epi8(-128)) } else { w };
                for t in 0..T {
                    let x = _mm256_set1_epi32(x.add(t * BLOCK + g * 4).cast::<i32>().read_unaligned());
                    let two = match F {
                        // Never more than 128 · 127 · 2: activations are within ±127.
                        Q8_0 => _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)),
                        _ => _mm256_maddubs_epi16(w, x),
                    };
                    short[t] = if together(F) == 1 { two } else { _mm256_add_epi16(short[t], two) };
                }
            }
            g += 1;
        }
        for t in 0..T {
            dots[t] = _mm256_add_epi32(dots[t], _mm256_madd_epi16(short[t], ones));
        }
    }
    dots
}

/// The 32 codes of eight rows in group `g`, as they lie there: unsigned.
///
/// # Safety
/// `codes` is a block of format `F` (or its second half of rows), `g < 8`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn group_codes<const F: u8>(codes: *const u8, g: usize) -> __m256i {
    // SAFETY: offsets are below `code_bytes` of the format; see `pack`.
    let load = |at: usize| unsafe { _mm256_loadu_si256(codes.add(at).cast()) };
    if F == Q8_0 {
        return load(g * 64);
    }
    let both = load(g % 4 * 64);
    let low = _mm256_and_si256(if g < 4 { both } else { _mm256_srli_epi16::<4>(both) }, _mm256_set1_epi8(15));
    match F {
        Q5_0 | Q5_1 | Q5K => {
            let high = load(256);
            let bit = match g {
                0 => _mm256_slli_epi16::<4>(high),
                1 => _mm256_slli_epi16::<3>(high),
                2 => _mm256_slli_epi16::<2>(high),
                3 => _mm256_slli_epi16::<1>(high),
                4 => high,
                5 => _mm256_srli_epi16::<1>(high),
                6 => _mm256_srli_epi16::<2>(high),
                _ => _mm256_srli_epi16::<3>(high),
            };
            _mm256_or_si256(low, _mm256_and_si256(bit, _mm256_set1_epi8(16)))
        }
        Q4_0 | Q4_1 | Q4K => low,
        _ => {
            let high = load(256 + g / 4 * 64);
            let bits = match g % 4 {
                0 => _mm256_slli_epi16::<4>(high),
                1 => _mm256_slli_epi16::<2>(high),
                2 => high,
                _ => _mm256_srli_epi16::<2>(high),
            };
            _mm256_or_si256(low, _mm256_and_si256(bits, _mm256_set1_epi8(48)))
        }
    }
}
