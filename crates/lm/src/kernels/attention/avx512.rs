//! Scores and weighted sums with AVX-512: sixteen positions, or sixteen dimensions, a register.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::arch::x86_64::*;

use super::store::{BLOCK, EIGHT, HALF};
use super::{KEYS, LANES, ROWS};
use crate::kernels::avx512::far;

/// With so few rows memory is what is waited for.
const FEW: usize = 4;

/// Sixteen numbers from element `at`.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<const KIND: u8>(from: *const u8, at: usize) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        match KIND {
            HALF => _mm512_cvtph_ps(_mm256_loadu_si256(from.add(at * 2).cast())),
            EIGHT => _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.add(at).cast()))),
            _ => _mm512_loadu_ps(from.add(at * 4).cast()),
        }
    }
}

/// Numbers in a line of the cache.
const fn line(kind: u8) -> usize {
    match kind {
        HALF => 32,
        EIGHT => 64,
        _ => 16,
    }
}

/// # Safety
/// AVX-512 F; at `keys` are `tiles` tiles of `width` of the `KIND` of store, with their scales if it has them; sizes as in `Scratch::scores`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn scores<const KIND: u8>(
    (keys, scales): (*const u8, *const f32),
    queries: &[f32],
    scores: &mut [f32],
    width: usize,
    rows: usize,
    tiles: usize,
) {
    let (q, s) = (queries.as_ptr(), scores.as_mut_ptr());
    let mut r = 0;
    while r < rows {
        // SAFETY: the caller's promise; rows `r..r + T` are below `rows`, tiles `tile..tile + U` below `tiles`.
        unsafe {
            let (q, s) = (q.add(r), s.add(r * KEYS));
            r += match rows - r {
                24.. => score::<KIND, 24, 1>((keys, scales), q, s, width, tiles),
                12.. => score::<KIND, 12, 2>((keys, scales), q, s, width, tiles),
                8.. => score::<KIND, 8, 2>((keys, scales), q, s, width, tiles),
                4.. => score::<KIND, 4, 4>((keys, scales), q, s, width, tiles),
                2.. => score::<KIND, 2, 4>((keys, scales), q, s, width, tiles),
                _ => score::<KIND, 1, 8>((keys, scales), q, s, width, tiles),
            };
        }
    }
}

/// # Safety
/// As [`scores`], with `T` rows at `q` and `s`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn score<const KIND: u8, const T: usize, const U: usize>(
    (keys, scales): (*const u8, *const f32),
    q: *const f32,
    s: *mut f32,
    width: usize,
    tiles: usize,
) -> usize {
    let mut tile = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while tile + U <= tiles {
            score_tiles::<KIND, T, U>((keys, scales), q, s, width, tile);
            tile += U;
        }
        while tile < tiles {
            score_tiles::<KIND, T, 1>((keys, scales), q, s, width, tile);
            tile += 1;
        }
    }
    T
}

/// # Safety
/// As [`score`]; tiles `tile..tile + U` exist.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn score_tiles<const KIND: u8, const T: usize, const U: usize>(
    (keys, scales): (*const u8, *const f32),
    q: *const f32,
    s: *mut f32,
    width: usize,
    tile: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); T]; U];
    // SAFETY: a tile is `width` times sixteen numbers; `q` has `width` times `ROWS`; a row of scores `KEYS`.
    unsafe {
        for d in 0..width {
            for u in 0..U {
                let at = ((tile + u) * width + d) * LANES;
                if T <= FEW && d % const { line(KIND) / LANES } == 0 {
                    // The tiles that come after these.
                    far(keys.wrapping_add((at + U * width * LANES) * 64 / const { line(KIND) }));
                }
                let mut key = load::<KIND>(keys, at);
                if KIND == EIGHT {
                    let scale = scales.add(((tile + u) * width.div_ceil(BLOCK) + d / BLOCK) * LANES);
                    key = _mm512_mul_ps(key, _mm512_loadu_ps(scale));
                }
                for t in 0..T {
                    sums[u][t] = _mm512_fmadd_ps(key, _mm512_set1_ps(*q.add(d * ROWS + t)), sums[u][t]);
                }
            }
        }
        for u in 0..U {
            for t in 0..T {
                _mm512_storeu_ps(s.add(t * KEYS + (tile + u) * LANES), sums[u][t]);
            }
        }
    }
}

/// # Safety
/// AVX-512 F; at `from` are `count` values of `width` of the `KIND` of store, with their scales if it has them; sizes as in `Scratch::values`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn values<const KIND: u8>(
    (from, scales): (*const u8, *const f32),
    weights: &[f32],
    shrink: &[f32],
    context: &mut [f32],
    width: usize,
    rows: usize,
    count: usize,
) {
    let (w, k, c) = (weights.as_ptr(), shrink.as_ptr(), context.as_mut_ptr());
    let mut r = 0;
    while r < rows {
        // SAFETY: the caller's promise; rows `r..r + T` are below `rows`.
        unsafe {
            let (w, k, c) = (w.add(r * KEYS), k.add(r), c.add(r * width));
            r += match rows - r {
                24.. => take::<KIND, 24, 1>((from, scales), w, k, c, width, count),
                12.. => take::<KIND, 12, 2>((from, scales), w, k, c, width, count),
                8.. => take::<KIND, 8, 2>((from, scales), w, k, c, width, count),
                4.. => take::<KIND, 4, 4>((from, scales), w, k, c, width, count),
                2.. => take::<KIND, 2, 8>((from, scales), w, k, c, width, count),
                _ => take::<KIND, 1, 8>((from, scales), w, k, c, width, count),
            };
        }
    }
}

/// # Safety
/// As [`values`], with `T` rows at `w`, `shrink` and `c`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn take<const KIND: u8, const T: usize, const U: usize>(
    (from, scales): (*const u8, *const f32),
    w: *const f32,
    shrink: *const f32,
    c: *mut f32,
    width: usize,
    count: usize,
) -> usize {
    let mut at = 0;
    // SAFETY: the caller's promise; `width` is a multiple of sixteen.
    unsafe {
        while at + U * LANES <= width {
            take_columns::<KIND, T, U>((from, scales), w, shrink, c, (width, count, at));
            at += U * LANES;
        }
        while at < width {
            take_columns::<KIND, T, 1>((from, scales), w, shrink, c, (width, count, at));
            at += LANES;
        }
    }
    T
}

/// # Safety
/// As [`take`]; columns `at..at + 16 U` are below `width`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn take_columns<const KIND: u8, const T: usize, const U: usize>(
    (from, scales): (*const u8, *const f32),
    w: *const f32,
    shrink: *const f32,
    c: *mut f32,
    (width, count, at): (usize, usize, usize),
) {
    let mut sums = [[_mm512_setzero_ps(); T]; U];
    // SAFETY: the caller's promise; a row of weights is `KEYS` long and `count` at most that.
    unsafe {
        for u in 0..U {
            for t in 0..T {
                let old = _mm512_loadu_ps(c.add(t * width + at + u * LANES));
                sums[u][t] = _mm512_mul_ps(old, _mm512_set1_ps(*shrink.add(t)));
            }
        }
        for key in 0..count {
            for u in 0..U {
                if T <= FEW && u % const { line(KIND) / LANES } == 0 {
                    far(from.wrapping_add(((key + KEYS / 2) * width + at + u * LANES) * 64 / const { line(KIND) }));
                }
                let mut value = load::<KIND>(from, key * width + at + u * LANES);
                if KIND == EIGHT {
                    let scale = scales.add(key * width.div_ceil(BLOCK) + (at + u * LANES) / BLOCK);
                    value = _mm512_mul_ps(value, _mm512_set1_ps(*scale));
                }
                for t in 0..T {
                    sums[u][t] = _mm512_fmadd_ps(value, _mm512_set1_ps(*w.add(t * KEYS + key)), sums[u][t]);
                }
            }
        }
        for u in 0..U {
            for t in 0..T {
                _mm512_storeu_ps(c.add(t * width + at + u * LANES), sums[u][t]);
            }
        }
    }
}
