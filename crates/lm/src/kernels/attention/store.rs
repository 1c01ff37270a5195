//! In what form are the keys and values of one head kept?
//!
//! Keys lie sixteen positions to a tile, dimension by dimension; values row by row. A number is an f16, as in
//! llama.cpp; or an f32, where exactness matters more than half the memory; or eight bits with an f32 scale for
//! each 32 dimensions of a position, which halves the memory and what a token of an answer has to read.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::LANES;
use crate::kernels::pages::{Pages, Zeros, lines};
use crate::kernels::path::{Path, dispatch};

/// Dimensions that share a scale in [`Kv::Q8`].
pub(super) const BLOCK: usize = 32;

/// The forms, as parameters of functions.
#[cfg(target_arch = "x86_64")]
pub(super) const FULL: u8 = 0;
#[cfg(target_arch = "x86_64")]
pub(super) const HALF: u8 = 1;
#[cfg(target_arch = "x86_64")]
pub(super) const EIGHT: u8 = 2;

/// How keys and values are kept on a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kv {
    /// 16 bits a number.
    #[default]
    F16,
    /// 32 bits a number: exact.
    F32,
    /// 9 bits a number: eight and a share of a scale.
    Q8,
}

/// Keys `[tile][dim][16]` and values `[position][width]` of one head.
#[derive(Debug)]
pub(super) enum Store {
    Half {
        keys: Zeros<f16>,
        values: Zeros<f16>,
    },
    Full {
        keys: Zeros<f32>,
        values: Zeros<f32>,
    },
    /// The scales of keys are `[tile][dim / 32][16]`, those of values `[position][dim / 32]`.
    Eight {
        keys: Zeros<i8>,
        values: Zeros<i8>,
        key_scales: Zeros<f32>,
        value_scales: Zeros<f32>,
    },
}

impl Store {
    /// Lines that a store takes.
    pub(super) fn lines(kv: Kv, positions: usize, width: usize) -> usize {
        let (size, scales) = Store::numbers(positions, width);
        match kv {
            Kv::F16 => 2 * lines::<f16>(size),
            Kv::F32 => 2 * lines::<f32>(size),
            Kv::Q8 => 2 * (lines::<i8>(size) + lines::<f32>(scales)),
        }
    }

    /// Zeros whose pages are not touched.
    pub(super) fn new(pages: &mut Pages, kv: Kv, positions: usize, width: usize) -> Store {
        let (size, scales) = Store::numbers(positions, width);
        match kv {
            Kv::F16 => Store::Half { keys: pages.zeros(size), values: pages.zeros(size) },
            Kv::F32 => Store::Full { keys: pages.zeros(size), values: pages.zeros(size) },
            Kv::Q8 => Store::Eight {
                keys: pages.zeros(size),
                values: pages.zeros(size),
                key_scales: pages.zeros(scales),
                value_scales: pages.zeros(scales),
            },
        }
    }

    /// Numbers, and scales, of so many keys or values in whole tiles.
    fn numbers(positions: usize, width: usize) -> (usize, usize) {
        let positions = positions.next_multiple_of(LANES);
        (positions * width, positions * width.div_ceil(BLOCK))
    }

    /// Bytes that the key and the value of one position take.
    pub(super) fn position_bytes(kv: Kv, width: usize) -> usize {
        match kv {
            Kv::F16 => 4 * width,
            Kv::F32 => 8 * width,
            Kv::Q8 => 2 * width + 8 * width.div_ceil(BLOCK),
        }
    }

    /// Bytes of its memory.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        match self {
            Store::Half { keys, values } => keys.allocated() + values.allocated(),
            Store::Full { keys, values } => keys.allocated() + values.allocated(),
            Store::Eight { keys, values, key_scales, value_scales } => {
                keys.allocated() + values.allocated() + key_scales.allocated() + value_scales.allocated()
            }
        }
    }

    /// Stores the key and the value of position `at`.
    pub(super) fn write(&mut self, path: Path, (at, width): (usize, usize), k: &[f32], v: &[f32]) {
        let row = at * width..at * width + v.len();
        match self {
            Store::Half { keys, values } => {
                let mut narrow = [f16::ZERO; 1024];
                halve(path, k, &mut narrow[..k.len()]);
                place(keys, at, width, &narrow[..k.len()]);
                halve(path, v, &mut values[row]);
            }
            Store::Full { keys, values } => {
                place(keys, at, width, k);
                values[row].copy_from_slice(v);
            }
            Store::Eight { keys, values, key_scales, value_scales } => {
                let (mut codes, mut scales) = ([0i8; 1024], [0.0f32; 1024 / BLOCK]);
                let blocks = width.div_ceil(BLOCK);
                let used = k.len().div_ceil(BLOCK);
                eight_bits(path, k, &mut codes[..k.len()], &mut scales[..used]);
                place(keys, at, width, &codes[..k.len()]);
                place(key_scales, at, blocks, &scales[..used]);
                eight_bits(path, v, &mut values[row], &mut value_scales[at * blocks..at * blocks + used]);
            }
        }
    }

    /// Takes over the first `positions` of a store of the same form.
    pub(super) fn copy(&mut self, from: &Store, positions: usize, width: usize) {
        // Whole tiles of keys: what the last one holds beyond `positions` is never read.
        let (tiles, blocks) = (positions.next_multiple_of(LANES), width.div_ceil(BLOCK));
        let (k, v) = (tiles * width, positions * width);
        match (self, from) {
            (Store::Half { keys, values }, Store::Half { keys: from_keys, values: from_values }) => {
                keys[..k].copy_from_slice(&from_keys[..k]);
                values[..v].copy_from_slice(&from_values[..v]);
            }
            (Store::Full { keys, values }, Store::Full { keys: from_keys, values: from_values }) => {
                keys[..k].copy_from_slice(&from_keys[..k]);
                values[..v].copy_from_slice(&from_values[..v]);
            }
            (
                Store::Eight { keys, values, key_scales, value_scales },
                Store::Eight { keys: from_keys, values: from_values, key_scales: from_k, value_scales: from_v },
            ) => {
                keys[..k].copy_from_slice(&from_keys[..k]);
                values[..v].copy_from_slice(&from_values[..v]);
                key_scales[..tiles * blocks].copy_from_slice(&from_k[..tiles * blocks]);
                value_scales[..positions * blocks].copy_from_slice(&from_v[..positions * blocks]);
            }
            (Store::Half { .. } | Store::Full { .. } | Store::Eight { .. }, _) => {
                unreachable!("all caches of a model have one form")
            }
        }
    }

    /// Dimension `d` of the sixteen keys whose tile begins at number `tile`.
    ///
    /// # Safety
    /// The processor has AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn key(&self, tile: usize, d: usize, width: usize) -> __m512 {
        let at = tile + d * LANES;
        // SAFETY: slicing proves that sixteen numbers can be read.
        unsafe {
            match self {
                Store::Half { keys, .. } => _mm512_cvtph_ps(_mm256_loadu_si256(keys[at..at + LANES].as_ptr().cast())),
                Store::Full { keys, .. } => _mm512_loadu_ps(keys[at..at + LANES].as_ptr()),
                Store::Eight { keys, key_scales, .. } => {
                    let codes = _mm_loadu_si128(keys[at..at + LANES].as_ptr().cast());
                    let scales = tile / width * width.div_ceil(BLOCK) + d / BLOCK * LANES;
                    let scales = _mm512_loadu_ps(key_scales[scales..scales + LANES].as_ptr());
                    _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), scales)
                }
            }
        }
    }

    /// Sixteen dimensions, from `d` on, of the value of a position.
    ///
    /// # Safety
    /// The processor has AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn value(&self, position: usize, d: usize, width: usize) -> __m512 {
        let at = position * width + d;
        // SAFETY: slicing proves that sixteen numbers can be read.
        unsafe {
            match self {
                Store::Half { values, .. } => {
                    _mm512_cvtph_ps(_mm256_loadu_si256(values[at..at + LANES].as_ptr().cast()))
                }
                Store::Full { values, .. } => _mm512_loadu_ps(values[at..at + LANES].as_ptr()),
                Store::Eight { values, value_scales, .. } => {
                    let codes = _mm_loadu_si128(values[at..at + LANES].as_ptr().cast());
                    let scale = _mm512_set1_ps(value_scales[position * width.div_ceil(BLOCK) + d / BLOCK]);
                    _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), scale)
                }
            }
        }
    }

    /// Whole tiles of keys from position `first` as f32.
    pub(super) fn widen_keys(&self, path: Path, first: usize, width: usize, out: &mut [f32]) {
        let range = first * width..first * width + out.len();
        match self {
            Store::Half { keys, .. } => keys[range].convert_to_f32_slice(out),
            Store::Full { keys, .. } => out.copy_from_slice(&keys[range]),
            Store::Eight { keys, key_scales, .. } => {
                let (keys, scales) = (&keys[range], &key_scales[first * width.div_ceil(BLOCK)..]);
                dispatch!(path => wide_keys(keys: &[i8], scales: &[f32], width: usize, out: &mut [f32]));
            }
        }
    }

    /// Values from position `first` as f32.
    pub(super) fn widen_values(&self, path: Path, first: usize, width: usize, out: &mut [f32]) {
        let range = first * width..first * width + out.len();
        match self {
            Store::Half { values, .. } => values[range].convert_to_f32_slice(out),
            Store::Full { values, .. } => out.copy_from_slice(&values[range]),
            Store::Eight { values, value_scales, .. } => {
                let (values, scales) = (&values[range], &value_scales[first * width.div_ceil(BLOCK)..]);
                dispatch!(path => wide_values(values: &[i8], scales: &[f32], width: usize, out: &mut [f32]));
            }
        }
    }
}

/// Rounds to the nearest f16.
fn halve(path: Path, from: &[f32], to: &mut [f16]) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn avx512(from: &[f32], to: &mut [f16]) {
        let ((from, rest), (to, last)) = (from.as_chunks::<LANES>(), to.as_chunks_mut::<LANES>());
        for (from, to) in from.iter().zip(to) {
            // SAFETY: both are sixteen numbers.
            unsafe {
                let half = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_loadu_ps(from.as_ptr()));
                _mm256_storeu_si256(to.as_mut_ptr().cast(), half);
            }
        }
        last.convert_from_f32_slice(rest);
    }
    assert_eq!(from.len(), to.len(), "lengths disagree");
    #[cfg(target_arch = "x86_64")]
    if path.is_avx512() {
        // SAFETY: having the path proves the instructions.
        return unsafe { avx512(from, to) };
    }
    let _ = path;
    to.convert_from_f32_slice(from);
}

fn place<T: Copy>(keys: &mut [T], at: usize, width: usize, key: &[T]) {
    let tile = &mut keys[at / LANES * LANES * width..][..LANES * width];
    tile[at % LANES..].iter_mut().step_by(LANES).zip(key).for_each(|(to, &from)| *to = from);
}

fn eight_bits(path: Path, numbers: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    dispatch!(path => round(numbers: &[f32], codes: &mut [i8], scales: &mut [f32]));
}

/// Codes within ±127 and a scale for each block; a number that is none makes its block's scale none.
#[inline(always)]
fn round(numbers: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    for ((block, codes), scale) in numbers.chunks(BLOCK).zip(codes.chunks_mut(BLOCK)).zip(scales) {
        let most = block.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let poison: f32 = block.iter().map(|x| x * 0.0).sum();
        let inverse = if most > 1e-30 { 127.0 / most } else { 0.0 };
        for (code, &x) in codes.iter_mut().zip(block) {
            // Rounds as `activations::quantize` does.
            *code = ((x * inverse + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4B40_0000) as i8;
        }
        *scale = most / 127.0 + poison;
    }
}

#[inline(always)]
fn wide_keys(keys: &[i8], scales: &[f32], width: usize, out: &mut [f32]) {
    let tiles = keys.chunks_exact(LANES * width).zip(scales.chunks_exact(LANES * width.div_ceil(BLOCK)));
    for ((keys, scales), out) in tiles.zip(out.chunks_exact_mut(LANES * width)) {
        let dims = keys.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0);
        for (d, (keys, out)) in dims.enumerate() {
            let scales = &scales[d / BLOCK * LANES..][..LANES];
            for ((out, &key), scale) in out.iter_mut().zip(keys).zip(scales) {
                *out = f32::from(key) * scale;
            }
        }
    }
}

#[inline(always)]
fn wide_values(values: &[i8], scales: &[f32], width: usize, out: &mut [f32]) {
    let rows = values.chunks_exact(width).zip(scales.chunks_exact(width.div_ceil(BLOCK)));
    for ((values, scales), out) in rows.zip(out.chunks_exact_mut(width)) {
        for ((values, scale), out) in values.chunks(BLOCK).zip(scales).zip(out.chunks_mut(BLOCK)) {
            out.iter_mut().zip(values).for_each(|(out, &value)| *out = f32::from(value) * scale);
        }
    }
}
