//! AVX-512 with VNNI: sixteen rows a register, up to twelve tokens at once.
//!
//! `vpdpbusd` adds four products of an unsigned code with a signed activation to each of sixteen sums; the
//! four activations are broadcast from memory, so a weight that is in a register serves all tokens.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use super::activations::Group;
use super::number::{BF16, F16, F32, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, format};
use super::pack::SUPER_SCALES;
use super::{BLOCK, Format, Products, SUPER, TILE};

/// See `Path::tile`.
///
/// # Safety
/// The processor has AVX-512 F, BW and VNNI; `tile` has `format.tile_bytes(width)` bytes, and `group` holds
/// `width` numbers for each of its rows in the form that `format` needs.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    macro_rules! tokens {
        ($format:ident) => {{
            const F: u8 = Format::$format as u8;
            let mut t = 0;
            while t < group.rows {
                // SAFETY: the caller's promise; `t` and the tokens after it are rows of the group.
                t += match group.rows - t {
                    12.. => unsafe { some::<F, 12>(tile, width, group, t, out) },
                    8.. => unsafe { some::<F, 8>(tile, width, group, t, out) },
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
const FEW: usize = 4;
/// How far ahead memory is asked for, into the second-level cache: lines on their way to the first are few, and while they
/// wait for memory nothing else is loaded.
const AHEAD: usize = 8 << 10;

/// `T` tokens from `first`; gives `T`.
///
/// # Safety
/// As [`tile`], and `first + T <= group.rows`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn some<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    out: &mut Products,
) -> usize {
    // SAFETY: the caller's promise.
    let sums = unsafe {
        if F == F32 || F == F16 || F == BF16 {
            dense::<F, T>(tile, width, group, first)
        } else {
            quantized::<F, T>(tile, width, group, first)
        }
    };
    for t in 0..T {
        // SAFETY: a row of `out` is sixteen floats.
        unsafe { _mm512_storeu_ps(out[first + t].as_mut_ptr(), sums[t]) };
    }
    T
}

/// # Safety
/// As [`some`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn dense<const F: u8, const T: usize>(tile: &[u8], width: usize, group: &Group, first: usize) -> [__m512; T] {
    let mut sums = [_mm512_setzero_ps(); T];
    // SAFETY: `floats` holds `width` times `group.rows` numbers, and `first + T <= group.rows`; `tile` holds
    // `width` times sixteen weights.
    unsafe {
        for k in 0..width {
            let weights = tile.as_ptr().add(k * const { format(F).code_bytes() });
            let x = group.floats.as_ptr().add(k * group.rows + first);
            let w = match F {
                F32 => _mm512_loadu_ps(weights.cast()),
                F16 => _mm512_cvtph_ps(_mm256_loadu_si256(weights.cast())),
                _ => {
                    let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(weights.cast()));
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
                }
            };
            for t in 0..T {
                sums[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(*x.add(t)), sums[t]);
            }
        }
    }
    sums
}

/// # Safety
/// As [`some`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn quantized<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
) -> [__m512; T] {
    let mut sums = [_mm512_setzero_ps(); T];
    let rows = group.rows;
    let zero = [_mm512_setzero_si512(); T];
    // SAFETY: `tile` holds the scales and codes of `width / 32` blocks in the layout of `pack`, and the
    // arrays of `group` hold `width / 32 * rows` entries (`less32` twice, `codes` 32 times as many), of which
    // `T` from `first` are read for each block: the caller's promise.
    unsafe {
        let scales = tile.as_ptr();
        let codes = scales.add(format(F).scale_bytes(width));
        for b in 0..width / BLOCK {
            let at = b * rows + first;
            let codes = codes.add(b * const { format(F).code_bytes() });
            if T <= FEW {
                // Asked for as the tile lies in memory, scales first, not in the two streams they are read in: that is fastest.
                let share = const { format(F).code_bytes() + format(F).scale_bytes(SUPER) / (SUPER / BLOCK) };
                ahead(scales.wrapping_add(AHEAD + b * share), share);
            }
            let x = group.codes.as_ptr().add(at * BLOCK);
            let x_scale = group.scale.as_ptr().add(at);
            match F {
                Q8_0 | Q4_0 | Q5_0 => {
                    let less = group.less(const { format(F).zero() });
                    let (d, _) = scale::<F>(scales, b, 0);
                    let dots = dot::<F, T>(codes, 0, 8, x, start(less.as_ptr().add(at)));
                    accumulate(&mut sums, dots, d, x_scale);
                }
                Q4_1 | Q5_1 | Q4K | Q5K => {
                    let (d, min) = scale::<F>(scales, b, 0);
                    let dots = dot::<F, T>(codes, 0, 8, x, zero);
                    accumulate(&mut sums, dots, d, x_scale);
                    let less = group.less.as_ptr().add(at);
                    for t in 0..T {
                        sums[t] = _mm512_fmadd_ps(min, _mm512_set1_ps(*less.add(t)), sums[t]);
                    }
                }
                _ => {
                    for half in 0..2 {
                        let (d, _) = scale::<F>(scales, b, half);
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

/// Writes the first `columns` of some lines of sums, or adds them, to lines that lie `step` numbers apart.
///
/// # Safety
/// The processor has AVX-512; these numbers exist.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn put(lines: &[[f32; TILE]], (out, step): (*mut f32, usize), columns: usize, add: bool) {
    let there = ((1u32 << columns) - 1) as __mmask16;
    for (line, sums) in lines.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let (sums, out) = (_mm512_loadu_ps(sums.as_ptr()), out.add(line * step));
            if columns == TILE {
                _mm512_storeu_ps(out, if add { _mm512_add_ps(_mm512_loadu_ps(out), sums) } else { sums });
                continue;
            }
            let sums = if add { _mm512_add_ps(_mm512_maskz_loadu_ps(there, out), sums) } else { sums };
            _mm512_mask_storeu_ps(out, there, sums);
        }
    }
}

/// See `activations::quantize`: the same arithmetic, two registers a block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) fn quantize(group: &mut Group, t: usize, numbers: &[f32]) {
    let rows = group.rows;
    let shift = _mm512_set1_ps(12_582_912.0);
    for (b, block) in numbers.as_chunks::<BLOCK>().0.iter().enumerate() {
        let at = b * rows + t;
        let codes: &mut [i8; BLOCK] = match (&mut group.codes[at * BLOCK..(at + 1) * BLOCK]).try_into() {
            Ok(codes) => codes,
            Err(_) => return,
        };
        // SAFETY: a block is two times sixteen floats.
        let x = unsafe { [_mm512_loadu_ps(block.as_ptr()), _mm512_loadu_ps(block.as_ptr().add(16))] };
        // Of two operands, one of them not a number, the instruction gives the second.
        let most = _mm512_max_ps(_mm512_abs_ps(x[0]), _mm512_setzero_ps());
        let most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(x[1]), most));
        let nothing = _mm512_add_ps(_mm512_mul_ps(x[0], _mm512_setzero_ps()), _mm512_mul_ps(x[1], _mm512_setzero_ps()));
        let poison = if _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(nothing, nothing) == 0 { 0.0 } else { f32::NAN };
        let inverse = _mm512_set1_ps(if most > 1e-30 { 127.0 / most } else { 0.0 });
        let mut halves = [0i32; 2];
        for half in 0..2 {
            let code = _mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(x[half], inverse), shift));
            let code = _mm512_sub_epi32(code, _mm512_set1_epi32(0x4B40_0000));
            // SAFETY: half of the 32 codes.
            unsafe { _mm_storeu_si128(codes.as_mut_ptr().add(half * 16).cast(), _mm512_cvtepi32_epi8(code)) };
            halves[half] = _mm512_reduce_add_epi32(code);
        }
        let sum = halves[0].wrapping_add(halves[1]);
        let scale = most / 127.0 + poison;
        group.scale[at] = scale;
        group.less8[at] = sum.wrapping_mul(-8);
        group.less16[at] = sum.wrapping_mul(-16);
        group.less128[at] = sum.wrapping_mul(-128);
        group.less32[2 * b * rows + t] = halves[0].wrapping_mul(-32);
        group.less32[(2 * b + 1) * rows + t] = halves[1].wrapping_mul(-32);
        group.less[at] = -(scale * sum as f32);
    }
}

/// Scales and minimums of (a half of) block `b`.
///
/// # Safety
/// At `scales` is a tile of format `F` with more than `b` blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn scale<const F: u8>(scales: *const u8, b: usize, half: usize) -> (__m512, __m512) {
    // SAFETY: the caller's promise; the layout is `pack`'s.
    unsafe {
        let halves = |at: *const u8| _mm512_cvtph_ps(_mm256_loadu_si256(at.cast()));
        match F {
            Q8_0 | Q4_0 | Q5_0 => return (halves(scales.add(b * 32)), _mm512_setzero_ps()),
            Q4_1 | Q5_1 => return (halves(scales.add(b * 64)), halves(scales.add(b * 64 + 32))),
            _ => {}
        }
        let (d, step) = (scales.add(b / 8 * SUPER_SCALES), scales.add(b / 8 * SUPER_SCALES + 64 + b % 8 * 32));
        if F == Q6K {
            let step = _mm512_cvtepi8_epi32(_mm_loadu_si128(step.add(half * 16).cast()));
            return (_mm512_mul_ps(halves(d), _mm512_cvtepi32_ps(step)), _mm512_setzero_ps());
        }
        (_mm512_mul_ps(halves(d), unsigned(step)), _mm512_mul_ps(halves(d.add(32)), unsigned(step.add(16))))
    }
}

/// Sixteen unsigned bytes as floats.
///
/// # Safety
/// Sixteen bytes can be read at `bytes`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn unsigned(bytes: *const u8) -> __m512 {
    // SAFETY: the caller's promise.
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(bytes.cast()) }))
}

/// # Safety
/// `T` numbers can be read at `less`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn start<const T: usize>(less: *const i32) -> [__m512i; T] {
    let mut dots = [_mm512_setzero_si512(); T];
    for t in 0..T {
        // SAFETY: the caller's promise.
        dots[t] = _mm512_set1_epi32(unsafe { *less.add(t) });
    }
    dots
}

/// Asks for so many bytes, which may be the next tile's.
#[inline]
#[target_feature(enable = "avx512f")]
fn ahead(from: *const u8, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        far(from.wrapping_add(line));
    }
}

/// Asks for a line into the second-level cache.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn far(line: *const u8) {
    _mm_prefetch::<_MM_HINT_T1>(line.cast());
}

/// `sums[t] += dots[t] * (d * scale[t])`
///
/// # Safety
/// `T` numbers can be read at `scale`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn accumulate<const T: usize>(sums: &mut [__m512; T], dots: [__m512i; T], d: __m512, scale: *const f32) {
    for t in 0..T {
        // SAFETY: the caller's promise.
        let scale = _mm512_mul_ps(d, _mm512_set1_ps(unsafe { *scale.add(t) }));
        sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[t]), scale, sums[t]);
    }
}

/// Adds the products of groups `from..to` of a block with the activations of `T` tokens.
///
/// # Safety
/// `codes` is a block of format `F`; at `x` are `T` times 32 activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn dot<const F: u8, const T: usize>(
    codes: *const u8,
    from: usize,
    to: usize,
    x: *const i8,
    mut dots: [__m512i; T],
) -> [__m512i; T] {
    for i in from..to {
        // Groups g and g + 4 are the low and the high half of the same bytes: taken in turn, these need not stay in a register.
        let g = if matches!(F, Q4_0 | Q4_1 | Q4K) { i / 2 + i % 2 * 4 } else { i };
        // SAFETY: the caller's promise; a group is four activations, g < 8.
        unsafe {
            let w = group_codes::<F>(codes, g);
            for t in 0..T {
                let x = _mm512_set1_epi32(x.add(t * BLOCK + g * 4).cast::<i32>().read_unaligned());
                dots[t] = _mm512_dpbusd_epi32(dots[t], w, x);
            }
        }
    }
    dots
}

/// The 64 codes of group `g` of a block, one a byte.
///
/// # Safety
/// `codes` is a block of format `F`, `g < 8`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn group_codes<const F: u8>(codes: *const u8, g: usize) -> __m512i {
    // SAFETY: offsets are below `code_bytes` of the format; see `pack`.
    let load = |at: usize| unsafe { _mm512_loadu_si512(codes.add(at).cast()) };
    if F == Q8_0 {
        return load(g * 64);
    }
    let both = load(g % 4 * 64);
    let low = _mm512_and_si512(if g < 4 { both } else { _mm512_srli_epi16::<4>(both) }, _mm512_set1_epi8(15));
    match F {
        Q5_0 | Q5_1 | Q5K => {
            let high = load(256);
            let bit = match g {
                0 => _mm512_slli_epi16::<4>(high),
                1 => _mm512_slli_epi16::<3>(high),
                2 => _mm512_slli_epi16::<2>(high),
                3 => _mm512_slli_epi16::<1>(high),
                4 => high,
                5 => _mm512_srli_epi16::<1>(high),
                6 => _mm512_srli_epi16::<2>(high),
                _ => _mm512_srli_epi16::<3>(high),
            };
            _mm512_or_si512(low, _mm512_and_si512(bit, _mm512_set1_epi8(16)))
        }
        Q6K => {
            let high = load(256 + g / 4 * 64);
            let bits = match g % 4 {
                0 => _mm512_slli_epi16::<4>(high),
                1 => _mm512_slli_epi16::<2>(high),
                2 => high,
                _ => _mm512_srli_epi16::<2>(high),
            };
            _mm512_or_si512(low, _mm512_and_si512(bits, _mm512_set1_epi8(48)))
        }
        _ => low,
    }
}
