//! NEON: four rows a register, sixteen rows and up to four tokens at once.
//!
//! Where the processor has the dot-product extension, `sdot` adds four products of signed bytes to each of four sums;
//! elsewhere products are made in 16 bits and added in pairs. Codes of Q8_0 lie unsigned in a tile: turning their highest
//! bit over takes 128 off, so that they need no correction. All other codes are below 64 and so have no sign either way.
//!
//! `sdot` is written as `asm!`, since its intrinsic is not stable in Rust 1.97. Of the extension i8mm, `usdot` would
//! spare that one bit only, and `smmla` wants eight columns of two rows in a register, another layout of tiles.
//!
//! The tests ran under qemu's emulation of processors with and without the extension (CONTRIBUTING.md has the command),
//! never on a real Arm processor: what it computes is tested, how fast it is nobody has measured.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::aarch64::*;
use std::arch::asm;

use super::activations::Group;
use super::number::{BF16, F16, F32, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, format};
use super::pack::SUPER_SCALES;
use super::{BLOCK, Format, Products, TILE};

/// Registers that hold something of sixteen rows.
const QUARTERS: usize = TILE / 4;
/// A number of each of sixteen rows.
type Floats = [float32x4_t; QUARTERS];
/// Dot products of sixteen rows with `T` tokens.
type Dots<const T: usize> = [[int32x4_t; QUARTERS]; T];

/// See `Path::tile`.
///
/// # Safety
/// `tile` has `format.tile_bytes(width)` bytes, and `group` holds `width` numbers for each of its rows in the form that
/// `format` needs.
pub(super) unsafe fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    // SAFETY: the caller's promise.
    unsafe { all::<false>(format, tile, width, group, out) }
}

/// The same with the dot-product extension.
///
/// # Safety
/// As [`tile`], and the processor has the extension.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn tile_dot(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    // SAFETY: the caller's promise.
    unsafe { all::<true>(format, tile, width, group, out) }
}

/// Compiled once with `sdot` and once without: what has this attribute becomes part of either function above.
///
/// # Safety
/// As [`tile`], with `DOT` as [`tile_dot`].
#[inline(always)]
unsafe fn all<const DOT: bool>(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    macro_rules! tokens {
        ($some:ident, $format:ident $(, $dot:ident)?) => {{
            let mut t = 0;
            while t < group.rows {
                // SAFETY: the caller's promise; `t` and the tokens after it are rows of the group.
                t += match group.rows - t {
                    4.. => unsafe { $some::<$format, 4 $(, $dot)?>(tile, width, group, t, out) },
                    2.. => unsafe { $some::<$format, 2 $(, $dot)?>(tile, width, group, t, out) },
                    _ => unsafe { $some::<$format, 1 $(, $dot)?>(tile, width, group, t, out) },
                };
            }
        }};
    }
    match format {
        Format::F32 => tokens!(dense, F32),
        Format::F16 => tokens!(dense, F16),
        Format::Bf16 => tokens!(dense, BF16),
        Format::Q8_0 => tokens!(quantized, Q8_0, DOT),
        Format::Q4_0 => tokens!(quantized, Q4_0, DOT),
        Format::Q4_1 => tokens!(quantized, Q4_1, DOT),
        Format::Q5_0 => tokens!(quantized, Q5_0, DOT),
        Format::Q5_1 => tokens!(quantized, Q5_1, DOT),
        Format::Q4K => tokens!(quantized, Q4K, DOT),
        Format::Q5K => tokens!(quantized, Q5K, DOT),
        Format::Q6K => tokens!(quantized, Q6K, DOT),
    }
}

/// `T` tokens from `first`; gives `T`.
///
/// # Safety
/// As [`tile`], and `first + T <= group.rows`.
#[inline(always)]
unsafe fn dense<const F: u8, const T: usize>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    out: &mut Products,
) -> usize {
    // SAFETY: `floats` holds `width` times `group.rows` numbers, and `first + T <= group.rows`; `tile` holds `width`
    // times sixteen weights.
    unsafe {
        let mut sums = [[vdupq_n_f32(0.0); QUARTERS]; T];
        for k in 0..width {
            let weights = tile.as_ptr().add(k * const { format(F).code_bytes() });
            for q in 0..QUARTERS {
                let w = match F {
                    F32 => vld1q_f32(weights.cast::<f32>().add(q * 4)),
                    F16 => four_halves(weights.add(q * 8)),
                    _ => vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(weights.cast::<u16>().add(q * 4)))),
                };
                for t in 0..T {
                    sums[t][q] = vfmaq_n_f32(sums[t][q], w, *group.floats.as_ptr().add(k * group.rows + first + t));
                }
            }
        }
        give(sums, &mut out[first..])
    }
}

/// The same of codes.
///
/// # Safety
/// As [`dense`], with `DOT` as [`tile_dot`].
#[inline(always)]
unsafe fn quantized<const F: u8, const T: usize, const DOT: bool>(
    tile: &[u8],
    width: usize,
    group: &Group,
    first: usize,
    out: &mut Products,
) -> usize {
    let rows = group.rows;
    // SAFETY: `tile` holds the scales and codes of `width / 32` blocks in the layout of `pack`, and the arrays of `group`
    // hold `width / 32 * rows` entries (`less32` twice, `codes` 32 times as many), of which `T` from `first` are read for
    // each block: the caller's promise.
    unsafe {
        let mut sums = [[vdupq_n_f32(0.0); QUARTERS]; T];
        let zero = [[vdupq_n_s32(0); QUARTERS]; T];
        let scales = tile.as_ptr();
        let codes = scales.add(const { format(F) }.scale_bytes(width));
        for b in 0..width / BLOCK {
            let at = b * rows + first;
            let codes = codes.add(b * const { format(F).code_bytes() });
            let x = group.codes.as_ptr().add(at * BLOCK);
            let x_scale = group.scale.as_ptr().add(at);
            let step = scales.add(b / 8 * SUPER_SCALES + 64 + b % 8 * 32);
            let d = scales.add(b / 8 * SUPER_SCALES);
            match F {
                Q8_0 | Q4_0 | Q5_0 => {
                    // Codes of Q8_0 are signed by now, those of Q4_0 and Q5_0 are 8 and 16 too large.
                    let start = match F {
                        Q8_0 => zero,
                        _ => start(group.less(const { format(F).zero() }).as_ptr().add(at)),
                    };
                    let dots = dot::<F, T, DOT>(codes, 0, x, start);
                    let dots = dot::<F, T, DOT>(codes, 1, x, dots);
                    accumulate(&mut sums, dots, halves(scales.add(b * 32)), x_scale);
                }
                Q4_1 | Q5_1 | Q4K | Q5K => {
                    let (d, min) = match F {
                        Q4_1 | Q5_1 => (halves(scales.add(b * 64)), halves(scales.add(b * 64 + 32))),
                        _ => (times(halves(d), unsigned(step)), times(halves(d.add(32)), unsigned(step.add(16)))),
                    };
                    let dots = dot::<F, T, DOT>(codes, 0, x, zero);
                    let dots = dot::<F, T, DOT>(codes, 1, x, dots);
                    accumulate(&mut sums, dots, d, x_scale);
                    for t in 0..T {
                        let less = *group.less.as_ptr().add(at + t);
                        for q in 0..QUARTERS {
                            sums[t][q] = vfmaq_n_f32(sums[t][q], min[q], less);
                        }
                    }
                }
                _ => {
                    for half in 0..2 {
                        let less = group.less32.as_ptr().add((2 * b + half) * rows + first);
                        let dots = dot::<F, T, DOT>(codes, half, x, start(less));
                        accumulate(&mut sums, dots, times(halves(d), signed(step.add(half * 16))), x_scale);
                    }
                }
            }
        }
        give(sums, &mut out[first..])
    }
}

/// Writes the sums of `T` tokens; gives `T`.
#[inline(always)]
fn give<const T: usize>(sums: [[float32x4_t; QUARTERS]; T], out: &mut [[f32; TILE]]) -> usize {
    for (sums, out) in sums.iter().zip(out) {
        for (&sum, out) in sums.iter().zip(out.as_chunks_mut::<4>().0) {
            // SAFETY: four floats.
            unsafe { vst1q_f32(out.as_mut_ptr(), sum) };
        }
    }
    T
}

/// Adds the products of half a block with the activations of `T` tokens.
///
/// # Safety
/// `codes` is a block of format `F`; at `x` are `T` times 32 activations; `DOT` as [`tile_dot`].
#[inline(always)]
unsafe fn dot<const F: u8, const T: usize, const DOT: bool>(
    codes: *const u8,
    half: usize,
    x: *const i8,
    mut dots: Dots<T>,
) -> Dots<T> {
    // SAFETY: the caller's promise; a group is four activations.
    unsafe {
        let x: [int8x16_t; T] = std::array::from_fn(|t| vld1q_s8(x.add(t * BLOCK + half * 16)));
        add_group::<F, T, DOT, 0>(codes, half, x, &mut dots);
        add_group::<F, T, DOT, 1>(codes, half, x, &mut dots);
        add_group::<F, T, DOT, 2>(codes, half, x, &mut dots);
        add_group::<F, T, DOT, 3>(codes, half, x, &mut dots);
    }
    dots
}

/// Those of group `half * 4 + G`.
///
/// # Safety
/// As [`dot`].
#[inline(always)]
unsafe fn add_group<const F: u8, const T: usize, const DOT: bool, const G: i32>(
    codes: *const u8,
    half: usize,
    x: [int8x16_t; T],
    dots: &mut Dots<T>,
) {
    for q in 0..QUARTERS {
        // SAFETY: the caller's promise; `sdot` changes nothing but its first operand.
        unsafe {
            let w = group_codes::<F>(codes.add(q * 16), half * 4 + G as usize);
            for t in 0..T {
                let sums = &mut dots[t][q];
                if DOT {
                    asm!("sdot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{g}]", sums = inout(vreg) *sums, w = in(vreg) w,
                        x = in(vreg) x[t], g = const G, options(pure, nomem, nostack, preserves_flags));
                } else {
                    let x = vreinterpretq_s8_s32(vdupq_laneq_s32::<G>(vreinterpretq_s32_s8(x[t])));
                    // Two times 128 · 127 fit sixteen bits.
                    let products = vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vmull_high_s8(w, x));
                    *sums = vpadalq_s16(*sums, products);
                }
            }
        }
    }
}

/// Sixteen codes of group `g` of a block, four of each of four rows, signed.
///
/// # Safety
/// `codes` is a quarter of a block of format `F`, `g < 8`.
#[inline(always)]
unsafe fn group_codes<const F: u8>(codes: *const u8, g: usize) -> int8x16_t {
    // SAFETY: offsets are below `code_bytes` of the format; see `pack`.
    unsafe {
        if F == Q8_0 {
            return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes.add(g * 64)), vdupq_n_u8(0x80)));
        }
        let both = vld1q_u8(codes.add(g % 4 * 64));
        let low = if g < 4 { vandq_u8(both, vdupq_n_u8(15)) } else { vshrq_n_u8::<4>(both) };
        // A negative shift is one to the right.
        let high = |at: usize, shift: usize, mask: u8| {
            vandq_u8(vshlq_u8(vld1q_u8(codes.add(at)), vdupq_n_s8(4 - shift as i8)), vdupq_n_u8(mask))
        };
        vreinterpretq_s8_u8(match F {
            Q5_0 | Q5_1 | Q5K => vorrq_u8(low, high(256, g, 16)),
            Q6K => vorrq_u8(low, high(256 + g / 4 * 64, g % 4 * 2, 48)),
            _ => low,
        })
    }
}

/// # Safety
/// `T` numbers can be read at `less`.
#[inline(always)]
unsafe fn start<const T: usize>(less: *const i32) -> Dots<T> {
    // SAFETY: the caller's promise.
    std::array::from_fn(|t| unsafe { [vdupq_n_s32(*less.add(t)); QUARTERS] })
}

/// `sums[t] += dots[t] * (d * scale[t])`
///
/// # Safety
/// `T` numbers can be read at `scale`.
#[inline(always)]
unsafe fn accumulate<const T: usize>(sums: &mut [Floats; T], dots: Dots<T>, d: Floats, scale: *const f32) {
    for t in 0..T {
        for q in 0..QUARTERS {
            // SAFETY: the caller's promise.
            unsafe {
                let scale = vmulq_n_f32(d[q], *scale.add(t));
                sums[t][q] = vfmaq_f32(sums[t][q], vcvtq_f32_s32(dots[t][q]), scale);
            }
        }
    }
}

#[inline(always)]
fn times(a: Floats, b: Floats) -> Floats {
    // SAFETY: NEON is part of aarch64.
    std::array::from_fn(|q| unsafe { vmulq_f32(a[q], b[q]) })
}

/// # Safety
/// Four f16 can be read.
#[inline(always)]
unsafe fn four_halves(bytes: *const u8) -> float32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(bytes.cast()))) }
}

/// # Safety
/// Sixteen f16 can be read.
#[inline(always)]
unsafe fn halves(bytes: *const u8) -> Floats {
    // SAFETY: the caller's promise.
    std::array::from_fn(|q| unsafe { four_halves(bytes.add(q * 8)) })
}

/// # Safety
/// Sixteen bytes can be read.
#[inline(always)]
unsafe fn unsigned(bytes: *const u8) -> Floats {
    // SAFETY: the caller's promise.
    unsafe {
        let all = vld1q_u8(bytes);
        let (low, high) = (vmovl_u8(vget_low_u8(all)), vmovl_high_u8(all));
        [vget_low_u16(low), vget_high_u16(low), vget_low_u16(high), vget_high_u16(high)]
            .map(|four| vcvtq_f32_u32(vmovl_u16(four)))
    }
}

/// # Safety
/// Sixteen bytes can be read.
#[inline(always)]
unsafe fn signed(bytes: *const u8) -> Floats {
    // SAFETY: the caller's promise.
    unsafe {
        let all = vld1q_s8(bytes.cast());
        let (low, high) = (vmovl_s8(vget_low_s8(all)), vmovl_high_s8(all));
        [vget_low_s16(low), vget_high_s16(low), vget_low_s16(high), vget_high_s16(high)]
            .map(|four| vcvtq_f32_s32(vmovl_s16(four)))
    }
}
