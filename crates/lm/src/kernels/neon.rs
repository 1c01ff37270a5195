//! NEON: four rows a register, one token at a time. Compiled for aarch64, never run: no such machine here.
//!
//! The quantized formats only; floats take the scalar path, which LLVM vectorises.

use std::arch::aarch64::*;

use super::activations::{Group, HALF};
use super::{BLOCK, Format, Products, TILE, scalar};

/// See `Path::tile`.
///
/// # Safety
/// The processor has NEON; `tile` has `format.tile_bytes(width)` bytes, and `group` holds `width` numbers
/// for each of its rows in the form that `format` needs.
#[target_feature(enable = "neon")]
pub(super) unsafe fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    if format.needs().floats {
        return scalar::tile(format, tile, width, group, out);
    }
    for (t, out) in out.iter_mut().enumerate().take(group.rows) {
        *out = [0.0; TILE];
        for b in 0..width / BLOCK {
            let at = b * group.rows + t;
            let codes = &tile[format.scale_bytes(width) + b * format.code_bytes()..][..format.code_bytes()];
            let x = &group.codes[at * BLOCK..][..BLOCK];
            let halves: &[(usize, usize)] =
                if format == Format::Q6K { &[(0, HALF), (HALF, BLOCK)] } else { &[(0, BLOCK)] };
            for (half, &(from, to)) in halves.iter().enumerate() {
                let begin = match format {
                    Format::Q8_0 => group.less128[at],
                    Format::Q4_0 => group.less8[at],
                    Format::Q6K => group.less32[(2 * b + half) * group.rows + t],
                    _ => 0,
                };
                let mut dots = [begin; TILE];
                // SAFETY: `codes` is a block of this format, `x` a block of activations.
                unsafe { dot(format, codes, x, from / 4, to / 4, &mut dots) };
                for (r, (sum, dot)) in out.iter_mut().zip(dots).enumerate() {
                    let (d, min) = super::pack::scale_at(format, tile, b, from, r);
                    *sum = (dot as f32).mul_add(d * group.scale[at], *sum);
                    if matches!(format, Format::Q4K | Format::Q5K) {
                        *sum = min.mul_add(group.less[at], *sum);
                    }
                }
            }
        }
    }
}

/// Adds the products of groups `from..to` to the sums of sixteen rows.
///
/// # Safety
/// The processor has NEON; `codes` is a block of `format`, `x` has 32 numbers.
#[target_feature(enable = "neon")]
unsafe fn dot(format: Format, codes: &[u8], x: &[i8], from: usize, to: usize, dots: &mut [i32; TILE]) {
    for g in from..to {
        let four = i32::from_le_bytes([x[g * 4] as u8, x[g * 4 + 1] as u8, x[g * 4 + 2] as u8, x[g * 4 + 3] as u8]);
        let x = vreinterpretq_s8_s32(vdupq_n_s32(four));
        for quarter in 0..4 {
            // SAFETY: sixteen bytes at `quarter * 16` of 64; offsets are below `code_bytes` of the format.
            let load = |at: usize| unsafe { vld1q_u8(codes[at + quarter * 16..at + quarter * 16 + 16].as_ptr()) };
            let nibble = || {
                let both = load(g % 4 * 64);
                if g < 4 { vandq_u8(both, vdupq_n_u8(15)) } else { vshrq_n_u8::<4>(both) }
            };
            let high = |at: usize, shift: i8, bits: u8| {
                vshlq_n_u8::<4>(vandq_u8(vshlq_u8(load(at), vdupq_n_s8(-shift)), vdupq_n_u8(bits)))
            };
            let w = match format {
                Format::Q8_0 => load(g * 64),
                Format::Q5K => vorrq_u8(nibble(), high(256, g as i8, 1)),
                Format::Q6K => vorrq_u8(nibble(), high(256 + g / 4 * 64, (g % 4 * 2) as i8, 3)),
                _ => nibble(),
            };
            // Unsigned bytes need nine bits with a sign: widen both sides to sixteen.
            let low = vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(w))), vmovl_s8(vget_low_s8(x)));
            let upper = vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(w))), vmovl_s8(vget_high_s8(x)));
            // 255 · 127 fits sixteen bits; pairs are added in 32.
            let sums = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(upper));
            let mut four = [0i32; 4];
            // SAFETY: four numbers.
            unsafe { vst1q_s32(four.as_mut_ptr(), sums) };
            four.iter().zip(&mut dots[quarter * 4..]).for_each(|(&sum, dot)| *dot += sum);
        }
    }
}
