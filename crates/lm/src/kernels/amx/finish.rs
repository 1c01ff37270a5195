//! What AVX-512 does around the tile registers: it expands weights before, and scales and adds sums after.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use super::{CHUNK, LINE, Line, Part, Sums, Tiles, sums};
use crate::kernels::avx512::{Q4_0, Q4K, Q5K, Q6K, Q8_0, accumulate, format, group_codes, scale, some};
use crate::kernels::{BLOCK, Format, GROUP, Products, TILE};

/// Calls a function whose first parameter is a format of codes.
macro_rules! by_format {
    ($format:expr, $name:ident($($argument:expr),*) $(, $more:ident)*) => {
        match $format {
            Format::Q8_0 => $name::<Q8_0 $(, $more)*>($($argument),*),
            Format::Q4_0 => $name::<Q4_0 $(, $more)*>($($argument),*),
            Format::Q4K => $name::<Q4K $(, $more)*>($($argument),*),
            Format::Q5K => $name::<Q5K $(, $more)*>($($argument),*),
            Format::Q6K => $name::<Q6K $(, $more)*>($($argument),*),
            Format::F32 | Format::F16 | Format::Bf16 => panic!("floats have no codes"),
        }
    };
}

/// Writes the codes of a tile without their zero point, four columns a line.
///
/// # Safety
/// The processor has AVX-512 F and BW; `tile` has `form.tile_bytes(width)` bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn expand(form: Format, tile: &[u8], width: usize, lines: &mut [Line]) {
    // SAFETY: the caller's promise.
    unsafe { by_format!(form, expand_as(tile, width, lines)) }
}

/// # Safety
/// As [`expand`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn expand_as<const F: u8>(tile: &[u8], width: usize, lines: &mut [Line]) {
    let codes = &tile[const { format(F) }.scale_bytes(width)..];
    let zero = _mm512_set1_epi8(const { format(F) }.zero() as i8);
    for (block, lines) in codes.chunks_exact(const { format(F) }.code_bytes()).zip(lines.chunks_exact_mut(8)) {
        for (g, line) in lines.iter_mut().enumerate() {
            // SAFETY: a block of format `F` has eight groups; a line is 64 aligned bytes.
            unsafe {
                let codes = _mm512_sub_epi8(group_codes::<F>(block.as_ptr(), g), zero);
                _mm512_store_si512(line.0.as_mut_ptr().cast(), codes);
            }
        }
    }
}

/// `R` tokens by tile registers that are configured for them.
///
/// # Safety
/// The processor has what `avx512::tile` asks for; the part's group was checked, and `first + R <= rows`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn products<T: Tiles, const R: usize>(registers: &mut T, part: &Part<'_>, out: &mut [[f32; TILE]]) {
    // SAFETY: the caller's promise.
    unsafe { by_format!(part.format, products_as(registers, part, out), T, R) }
}

/// # Safety
/// As [`products`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn products_as<const F: u8, T: Tiles, const R: usize>(
    registers: &mut T,
    part: &Part<'_>,
    out: &mut [[f32; TILE]],
) {
    assert!(out.len() == R && R <= GROUP && part.first + R <= part.group.rows, "tokens beyond the group");
    let halves = if F == Q6K { 2 } else { 1 };
    let spans = part.width / BLOCK * halves;
    let mut totals = [_mm512_setzero_ps(); R];
    let scales = part.tile.as_ptr();
    // While one chunk is scaled and added, the next is multiplied.
    let mut chunks = [[Sums::ZERO; CHUNK]; 2];
    sums(registers, part, 0, &mut chunks[0]);
    for (index, first) in (0..spans).step_by(CHUNK).enumerate() {
        let [even, odd] = &mut chunks;
        let (now, next) = if index % 2 == 0 { (even, odd) } else { (odd, even) };
        if first + CHUNK < spans {
            sums(registers, part, first + CHUNK, next);
        }
        for s in first..spans.min(first + CHUNK) {
            let (b, half) = (s / halves, s % halves);
            let at = b * part.group.rows + part.first;
            // SAFETY: `b` is a block of the tile; `at` and the `R` entries from there are of this group.
            unsafe {
                let (d, min) = scale::<F>(scales, b, half);
                let mut dots = [_mm512_setzero_si512(); R];
                for t in 0..R {
                    dots[t] = _mm512_loadu_si512(now[s - first].0[t].as_ptr().cast());
                }
                accumulate(&mut totals, dots, d, part.group.scale.as_ptr().add(at));
                if F == Q4K || F == Q5K {
                    let less = part.group.less.as_ptr().add(at);
                    for t in 0..R {
                        totals[t] = _mm512_fmadd_ps(min, _mm512_set1_ps(*less.add(t)), totals[t]);
                    }
                }
            }
        }
    }
    for t in 0..R {
        // SAFETY: a row of `out` is sixteen floats.
        unsafe { _mm512_storeu_ps(out[t].as_mut_ptr(), totals[t]) };
    }
}

/// The last tokens of a group, too few for a tile.
///
/// # Safety
/// As [`products`], with `out.len()` for `R`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn rest(part: &Part<'_>, out: &mut [[f32; TILE]]) {
    assert!(part.first + out.len() <= part.group.rows, "tokens beyond the group");
    let mut products: Products = [[0.0; TILE]; GROUP];
    for t in part.first..part.first + out.len() {
        // SAFETY: the caller's promise.
        unsafe { by_format!(part.format, one(part, t, &mut products)) };
    }
    out.copy_from_slice(&products[part.first..][..out.len()]);
}

/// # Safety
/// As [`rest`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn one<const F: u8>(part: &Part<'_>, token: usize, products: &mut Products) {
    // SAFETY: the caller's promise.
    unsafe { some::<F, 1>(part.tile, part.width, part.group, token, products) };
}
const _: () = assert!(LINE == TILE * 4);
