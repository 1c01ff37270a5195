//! The reference: what every path must give, bit for bit, without any special instruction.

use super::activations::{Group, HALF};
use super::pack::{bf16_at, code_at, f16_at, f32_at, scale_at};
use super::{BLOCK, Format, Products, TILE};

/// See `Path::tile`.
pub(super) fn tile(format: Format, tile: &[u8], width: usize, group: &Group, out: &mut Products) {
    for (t, out) in out.iter_mut().enumerate().take(group.rows) {
        for (r, out) in out.iter_mut().enumerate().take(TILE) {
            *out = match format {
                Format::F32 => dense(width, group, t, |k| f32_at(tile, k * 64 + r * 4)),
                Format::F16 => dense(width, group, t, |k| f16_at(tile, k * 32 + r * 2)),
                Format::Bf16 => dense(width, group, t, |k| bf16_at(tile, k * 32 + r * 2)),
                Format::Q8_0
                | Format::Q4_0
                | Format::Q4_1
                | Format::Q5_0
                | Format::Q5_1
                | Format::Q4K
                | Format::Q5K
                | Format::Q6K => quantized(format, tile, width, group, (t, r)),
            };
        }
    }
}

fn dense(width: usize, group: &Group, t: usize, weight: impl Fn(usize) -> f32) -> f32 {
    (0..width).fold(0.0, |sum, k| weight(k).mul_add(group.floats[k * group.rows + t], sum))
}

fn quantized(format: Format, tile: &[u8], width: usize, group: &Group, (t, r): (usize, usize)) -> f32 {
    let mut sum = 0.0f32;
    for b in 0..width / BLOCK {
        let at = b * group.rows + t;
        let scale = group.scale[at];
        let dot = |from: usize, to: usize, start: i32| {
            (from..to).fold(start, |dot, i| {
                let code = i32::from(code_at(format, tile, width, b, i, r));
                dot + code * i32::from(group.codes[at * BLOCK + i])
            })
        };
        let (d, min) = scale_at(format, tile, b, 0, r);
        match format {
            Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => {
                sum = (dot(0, BLOCK, group.less(format.zero())[at]) as f32).mul_add(d * scale, sum);
            }
            Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => {
                sum = (dot(0, BLOCK, 0) as f32).mul_add(d * scale, sum);
                sum = min.mul_add(group.less[at], sum);
            }
            Format::Q6K => {
                for half in 0..2 {
                    let (d, _) = scale_at(format, tile, b, half * HALF, r);
                    let start = group.less32[(2 * b + half) * group.rows + t];
                    sum = (dot(half * HALF, (half + 1) * HALF, start) as f32).mul_add(d * scale, sum);
                }
            }
            Format::F32 | Format::F16 | Format::Bf16 => {}
        }
    }
    sum
}
