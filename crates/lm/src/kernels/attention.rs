//! Which earlier tokens does a token attend to, and what does it take from them?
//!
//! Keys and values of one layer live in a [`KvLayer`] that was allocated once for the whole window. Scores
//! are never written out whole: 128 keys at a time pass through a block of up to 24 queries with a running
//! maximum and sum (Milakov and Gimelshein 2018, <https://arxiv.org/abs/1805.02867>; Dao et al. 2022,
//! <https://arxiv.org/abs/2205.14135>). Query heads that share a key head are rows of the same block, so
//! a key is read once for all of them.
//!
//! Keys lie sixteen positions to a tile, dimension by dimension; values row by row. Both are f16, as in
//! llama.cpp, or f32 where exactness matters more than half the memory. Arithmetic is f32.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use std::cell::RefCell;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::ops::exp;
use super::path::{Path, dispatch};
use super::pool::{Pool, Shareable};

/// Queries of one block.
pub(super) const ROWS: usize = 24;
/// Keys that pass at once.
pub(super) const KEYS: usize = 128;
/// Lanes of a tile.
const LANES: usize = 16;

/// How many heads, and how wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heads {
    /// Query heads.
    pub(crate) queries: usize,
    /// Key and value heads.
    pub(crate) keys: usize,
    /// Numbers a head.
    pub(crate) dim: usize,
}

/// Keys and values of one layer.
#[derive(Debug)]
pub(crate) struct KvLayer {
    heads: Heads,
    /// `dim`, filled up to whole registers.
    width: usize,
    stores: Vec<Store>,
}

/// Keys `[tile][dim][16]` and values `[position][width]` of one head.
#[derive(Debug)]
enum Store {
    Half { keys: Vec<f16>, values: Vec<f16> },
    Full { keys: Vec<f32>, values: Vec<f32> },
}

/// What a query sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Position of the first query.
    pub(crate) position: usize,
    /// Queries.
    pub(crate) tokens: usize,
    /// Positions a query sees, itself included.
    pub(crate) window: Option<usize>,
    /// Factor of the scores.
    pub(crate) scale: f32,
}

impl KvLayer {
    /// Room for `positions`; pages of memory are taken when first written.
    pub(crate) fn new(heads: Heads, positions: usize, exact: bool) -> KvLayer {
        let width = heads.dim.next_multiple_of(LANES);
        let size = positions.next_multiple_of(LANES) * width;
        let store = |_| match exact {
            true => Store::Full { keys: vec![0.0; size], values: vec![0.0; size] },
            false => Store::Half { keys: zeros(size), values: zeros(size) },
        };
        KvLayer { heads, width, stores: (0..heads.keys).map(store).collect() }
    }

    /// Bytes that one position takes.
    pub(crate) fn position_bytes(&self) -> usize {
        let number = if matches!(self.stores.first(), Some(Store::Full { .. })) { 4 } else { 2 };
        self.stores.len() * self.width * 2 * number
    }

    /// Stores `k` and `v`, `(tokens, heads.keys * heads.dim)`, from `position` on.
    pub(crate) fn write(&mut self, pool: &mut Pool, path: Path, position: usize, k: &[f32], v: &[f32]) {
        let (Heads { keys: count, dim, .. }, width) = (self.heads, self.width);
        let tokens = k.len() / (count * dim);
        let write = |head: usize, store: &mut Store| match store {
            Store::Half { keys, values } => {
                let mut narrow = [f16::ZERO; 1024];
                for t in 0..tokens {
                    let (at, row) = (position + t, (t * count + head) * dim);
                    path.narrow(&k[row..row + dim], &mut narrow[..dim]);
                    place(keys, at, width, &narrow[..dim]);
                    path.narrow(&v[row..row + dim], &mut values[at * width..at * width + dim]);
                }
            }
            Store::Full { keys, values } => {
                for t in 0..tokens {
                    let (at, row) = (position + t, (t * count + head) * dim);
                    place(keys, at, width, &k[row..row + dim]);
                    values[at * width..at * width + dim].copy_from_slice(&v[row..row + dim]);
                }
            }
        };
        if tokens < 8 {
            self.stores.iter_mut().enumerate().for_each(|(head, store)| write(head, store));
        } else {
            pool.chunks(&mut self.stores, 1, &|head, store| write(head, &mut store[0]));
        }
    }

    /// `q` and `out` are `(tokens, heads.queries * heads.dim)`; positions up to the last query's are stored.
    pub(crate) fn attend(&self, pool: &mut Pool, path: Path, view: View, q: &[f32], out: &mut [f32]) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let row = self.heads.queries * self.heads.dim;
        assert_eq!((q.len(), out.len()), (view.tokens * row, view.tokens * row), "shapes disagree");
        let share = self.heads.queries / self.heads.keys;
        let blocks = (view.tokens * share).div_ceil(ROWS);
        let out = Shareable::new(out.as_mut_ptr());
        pool.run(blocks * self.heads.keys, &|task| {
            // Late blocks see most; begin with them.
            let (block, head) = (blocks - 1 - task / self.heads.keys, task % self.heads.keys);
            SCRATCH.with_borrow_mut(|scratch| {
                let rows = block * ROWS..((block + 1) * ROWS).min(view.tokens * share);
                let place =
                    |row: usize| (row / share * self.heads.queries + head * share + row % share) * self.heads.dim;
                scratch.begin(self.width, rows.len());
                for (r, row) in rows.clone().enumerate() {
                    scratch.query(r, &q[place(row)..][..self.heads.dim], view.scale);
                }
                let seen = |row: usize| {
                    let last = view.position + row / share;
                    (view.window.map_or(0, |w| (last + 1).saturating_sub(w)), last + 1)
                };
                let (from, to) = (seen(rows.start).0 / LANES * LANES, seen(rows.end - 1).1);
                for first in (from..to).step_by(KEYS) {
                    let count = KEYS.min(to - first);
                    scratch.scores(path, &self.stores[head], first, count);
                    for (r, row) in rows.clone().enumerate() {
                        let (a, b) = seen(row);
                        let (a, b) = (a.max(first) - first, b.min(first + count).saturating_sub(first));
                        scratch.softmax(path, r, a.min(count), b);
                    }
                    scratch.values(path, &self.stores[head], first, count);
                }
                for (r, row) in rows.enumerate() {
                    let inverse = 1.0 / scratch.sum[r];
                    let context = &scratch.context[r * self.width..][..self.heads.dim];
                    // SAFETY: `place(row)` is the beginning of one query head's `dim` numbers within `out`,
                    // whose length was compared above; each pair of token and head belongs to one task, and
                    // `out` is borrowed mutably until `run` returns.
                    let out = unsafe { std::slice::from_raw_parts_mut(out.get().add(place(row)), self.heads.dim) };
                    out.iter_mut().zip(context).for_each(|(out, x)| *out = x * inverse);
                }
            });
        });
    }

    /// Appends the stored keys and values of `positions` to `out` as they are, or puts them back.
    pub(crate) fn save(&self, positions: usize, out: &mut Saved) {
        for store in &self.stores {
            // Whole tiles of keys: what the last one holds beyond `positions` is never read.
            let (k, v) = (positions.next_multiple_of(LANES) * self.width, positions * self.width);
            match store {
                Store::Half { keys, values } => {
                    out.half.extend_from_slice(&keys[..k]);
                    out.half.extend_from_slice(&values[..v]);
                }
                Store::Full { keys, values } => {
                    out.full.extend_from_slice(&keys[..k]);
                    out.full.extend_from_slice(&values[..v]);
                }
            }
        }
    }

    /// See [`KvLayer::save`]; `at` counts what earlier layers took.
    pub(crate) fn restore(&mut self, positions: usize, saved: &Saved, at: &mut usize) {
        for store in &mut self.stores {
            let (k, v) = (positions.next_multiple_of(LANES) * self.width, positions * self.width);
            match store {
                Store::Half { keys, values } => {
                    keys[..k].copy_from_slice(&saved.half[*at..*at + k]);
                    values[..v].copy_from_slice(&saved.half[*at + k..*at + k + v]);
                }
                Store::Full { keys, values } => {
                    keys[..k].copy_from_slice(&saved.full[*at..*at + k]);
                    values[..v].copy_from_slice(&saved.full[*at + k..*at + k + v]);
                }
            }
            *at += k + v;
        }
    }
}

/// Keys and values of some positions, set aside.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    half: Vec<f16>,
    full: Vec<f32>,
}

/// Zeros whose pages are not touched: `vec![f16::ZERO; n]` would write each of them.
fn zeros(size: usize) -> Vec<f16> {
    use half::vec::HalfBitsVecExt;
    vec![0u16; size].reinterpret_into()
}

fn place<T: Copy>(keys: &mut [T], at: usize, width: usize, key: &[T]) {
    let tile = &mut keys[at / LANES * LANES * width..][..LANES * width];
    tile[at % LANES..].iter_mut().step_by(LANES).zip(key).for_each(|(to, &from)| *to = from);
}

/// One block of queries on its way through the keys.
#[derive(Debug, Default)]
struct Scratch {
    width: usize,
    rows: usize,
    /// `[dim][ROWS]`
    queries: Vec<f32>,
    /// `[ROWS][KEYS]`: scores, then weights.
    scores: Vec<f32>,
    /// `[ROWS][width]`
    context: Vec<f32>,
    /// By how much the context shrinks because the maximum rose.
    shrink: Vec<f32>,
    most: Vec<f32>,
    sum: Vec<f32>,
    /// Keys or values as f32, for paths that do not convert in registers.
    wide: Vec<f32>,
}

impl Scratch {
    fn begin(&mut self, width: usize, rows: usize) {
        (self.width, self.rows) = (width, rows);
        for (vec, size) in [(&mut self.queries, width * ROWS), (&mut self.context, width * ROWS)] {
            vec.clear();
            vec.resize(size, 0.0);
        }
        self.scores.resize(ROWS * KEYS, 0.0);
        self.wide.resize(KEYS * width, 0.0);
        for (vec, value) in [(&mut self.shrink, 1.0), (&mut self.most, f32::NEG_INFINITY), (&mut self.sum, 0.0)] {
            vec.clear();
            vec.resize(ROWS, value);
        }
    }

    fn query(&mut self, r: usize, q: &[f32], scale: f32) {
        self.queries[r..].iter_mut().step_by(ROWS).zip(q).for_each(|(to, &x)| *to = x * scale);
    }

    /// Scores of all rows with `count` keys from `first`, rounded up to whole tiles.
    fn scores(&mut self, path: Path, store: &Store, first: usize, count: usize) {
        let (width, rows, tiles) = (self.width, self.rows, count.div_ceil(LANES));
        let range = first * width..(first + tiles * LANES) * width;
        let (queries, scores) = (&self.queries, &mut self.scores);
        assert!(queries.len() == width * ROWS && scores.len() == ROWS * KEYS && tiles * LANES <= KEYS && rows <= ROWS);
        match store {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: having the path proves the instructions; sizes were compared above and by slicing.
            Store::Half { keys, .. } if path.is_avx512() => unsafe {
                avx512::scores::<true>(keys[range].as_ptr().cast(), queries, scores, width, rows, tiles);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Store::Full { keys, .. } if path.is_avx512() => unsafe {
                avx512::scores::<false>(keys[range].as_ptr().cast(), queries, scores, width, rows, tiles);
            },
            Store::Half { keys, .. } => {
                let wide = &mut self.wide[..tiles * LANES * width];
                path.widen(&keys[range], wide);
                plain_scores(path, wide, queries, scores, width, rows);
            }
            Store::Full { keys, .. } => plain_scores(path, &keys[range], queries, scores, width, rows),
        }
    }

    /// Turns the scores `a..b` of a row into weights and all others into zero.
    fn softmax(&mut self, path: Path, r: usize, a: usize, b: usize) {
        let row: &mut [f32; KEYS] = match (&mut self.scores[r * KEYS..][..KEYS]).try_into() {
            Ok(row) => row,
            Err(_) => return,
        };
        if a >= b {
            row.fill(0.0);
            self.shrink[r] = 1.0;
            return;
        }
        row[..a].fill(f32::NEG_INFINITY);
        row[b..].fill(f32::NEG_INFINITY);
        let before = self.most[r];
        let (most, sum) = dispatch!(path => weigh(row: &mut [f32; KEYS], before: f32) -> (f32, f32));
        row[..a].fill(0.0);
        row[b..].fill(0.0);
        // The first block: nothing to shrink, and e^-∞ is zero by hand.
        let shrink = if before == f32::NEG_INFINITY { 0.0 } else { exp(before - most) };
        self.shrink[r] = shrink;
        self.most[r] = most;
        self.sum[r] = self.sum[r] * shrink + sum;
    }

    /// `context = context * shrink + weights · values`
    fn values(&mut self, path: Path, store: &Store, first: usize, count: usize) {
        let (width, rows) = (self.width, self.rows);
        let range = first * width..(first + count) * width;
        let (weights, shrink, context) = (&self.scores, &self.shrink, &mut self.context);
        assert!(weights.len() == ROWS * KEYS && shrink.len() == ROWS && context.len() == ROWS * width && rows <= ROWS);
        match store {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: having the path proves the instructions; sizes were compared above and by slicing.
            Store::Half { values, .. } if path.is_avx512() => unsafe {
                avx512::values::<true>(values[range].as_ptr().cast(), weights, shrink, context, width, rows, count);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Store::Full { values, .. } if path.is_avx512() => unsafe {
                avx512::values::<false>(values[range].as_ptr().cast(), weights, shrink, context, width, rows, count);
            },
            Store::Half { values, .. } => {
                let wide = &mut self.wide[..count * width];
                path.widen(&values[range], wide);
                plain_values(path, wide, weights, shrink, context, width, rows);
            }
            Store::Full { values, .. } => plain_values(path, &values[range], weights, shrink, context, width, rows),
        }
    }
}

/// Scores to weights under the new maximum; gives it and the sum of the weights.
#[inline(always)]
fn weigh(row: &mut [f32; KEYS], before: f32) -> (f32, f32) {
    let mut most = [before; LANES];
    for chunk in row.as_chunks::<LANES>().0 {
        for (m, &s) in most.iter_mut().zip(chunk) {
            // Not `max`: a score that is not a number must show in the result.
            *m = if s <= *m { *m } else { s };
        }
    }
    let most = most.iter().fold(before, |m, &s| if s <= m { m } else { s });
    let mut sums = [0.0f32; LANES];
    for chunk in row.as_chunks_mut::<LANES>().0 {
        for (sum, s) in sums.iter_mut().zip(chunk) {
            *s = if *s == f32::NEG_INFINITY { 0.0 } else { exp(*s - most) };
            *sum += *s;
        }
    }
    (most, sums.iter().sum())
}

fn plain_scores(path: Path, keys: &[f32], queries: &[f32], scores: &mut [f32], width: usize, rows: usize) {
    dispatch!(path => score(keys: &[f32], queries: &[f32], scores: &mut [f32], width: usize, rows: usize));
}

#[inline(always)]
fn score(keys: &[f32], queries: &[f32], scores: &mut [f32], width: usize, rows: usize) {
    for (tile, keys) in keys.chunks_exact(LANES * width).enumerate() {
        // Four rows at a time: eight sums in AVX2's sixteen registers.
        for r in (0..rows).step_by(4) {
            let mut sums = [[0.0f32; LANES]; 4];
            for (key, query) in keys.as_chunks::<LANES>().0.iter().zip(queries.chunks_exact(ROWS)) {
                for (sum, &q) in sums.iter_mut().zip(&query[r..]) {
                    sum.iter_mut().zip(key).for_each(|(sum, &k)| *sum += k * q);
                }
            }
            for (t, sum) in sums.iter().enumerate().take(rows - r) {
                scores[(r + t) * KEYS + tile * LANES..][..LANES].copy_from_slice(sum);
            }
        }
    }
}

fn plain_values(
    path: Path,
    values: &[f32],
    weights: &[f32],
    shrink: &[f32],
    context: &mut [f32],
    width: usize,
    rows: usize,
) {
    dispatch!(path => take(values: &[f32], weights: &[f32], shrink: &[f32], context: &mut [f32], width: usize, rows: usize));
}

#[inline(always)]
fn take(values: &[f32], weights: &[f32], shrink: &[f32], context: &mut [f32], width: usize, rows: usize) {
    for at in (0..width).step_by(LANES) {
        for r in (0..rows).step_by(4) {
            let mut sums = [[0.0f32; LANES]; 4];
            for (t, sum) in sums.iter_mut().enumerate() {
                let old = &context[(r + t) * width + at..][..LANES];
                sum.iter_mut().zip(old).for_each(|(sum, &x)| *sum = x * shrink[r + t]);
            }
            for (key, value) in values.chunks_exact(width).enumerate() {
                let value: &[f32; LANES] = match (&value[at..at + LANES]).try_into() {
                    Ok(value) => value,
                    Err(_) => return,
                };
                for (t, sum) in sums.iter_mut().enumerate() {
                    let w = weights[(r + t) * KEYS + key];
                    sum.iter_mut().zip(value).for_each(|(sum, &v)| *sum += w * v);
                }
            }
            for (t, sum) in sums.iter().enumerate().take(rows - r) {
                context[(r + t) * width + at..][..LANES].copy_from_slice(sum);
            }
        }
    }
}

impl Path {
    /// f16 to f32; `half` finds out by itself whether the processor converts.
    fn widen(self, from: &[f16], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }

    /// f32 to f16, to the nearest.
    fn narrow(self, from: &[f32], to: &mut [f16]) {
        to.convert_from_f32_slice(from);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{KEYS, LANES, ROWS};

    /// Sixteen numbers from element `at`.
    ///
    /// # Safety
    /// They can be read.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load<const HALF: bool>(from: *const u8, at: usize) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe {
            if HALF {
                _mm512_cvtph_ps(_mm256_loadu_si256(from.add(at * 2).cast()))
            } else {
                _mm512_loadu_ps(from.add(at * 4).cast())
            }
        }
    }

    /// # Safety
    /// AVX-512 F; at `keys` are `tiles` tiles of `width`; sizes as in `Scratch::scores`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn scores<const HALF: bool>(
        keys: *const u8,
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
                    24.. => score::<HALF, 24, 1>(keys, q, s, width, tiles),
                    12.. => score::<HALF, 12, 2>(keys, q, s, width, tiles),
                    8.. => score::<HALF, 8, 2>(keys, q, s, width, tiles),
                    4.. => score::<HALF, 4, 4>(keys, q, s, width, tiles),
                    2.. => score::<HALF, 2, 4>(keys, q, s, width, tiles),
                    _ => score::<HALF, 1, 8>(keys, q, s, width, tiles),
                };
            }
        }
    }

    /// # Safety
    /// As [`scores`], with `T` rows at `q` and `s`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn score<const HALF: bool, const T: usize, const U: usize>(
        keys: *const u8,
        q: *const f32,
        s: *mut f32,
        width: usize,
        tiles: usize,
    ) -> usize {
        let mut tile = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while tile + U <= tiles {
                score_tiles::<HALF, T, U>(keys, q, s, width, tile);
                tile += U;
            }
            while tile < tiles {
                score_tiles::<HALF, T, 1>(keys, q, s, width, tile);
                tile += 1;
            }
        }
        T
    }

    /// # Safety
    /// As [`score`]; tiles `tile..tile + U` exist.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn score_tiles<const HALF: bool, const T: usize, const U: usize>(
        keys: *const u8,
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
                    let key = load::<HALF>(keys, ((tile + u) * width + d) * LANES);
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
    /// AVX-512 F; at `from` are `count` values of `width`; sizes as in `Scratch::values`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn values<const HALF: bool>(
        from: *const u8,
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
                    24.. => take::<HALF, 24, 1>(from, w, k, c, width, count),
                    12.. => take::<HALF, 12, 2>(from, w, k, c, width, count),
                    8.. => take::<HALF, 8, 2>(from, w, k, c, width, count),
                    4.. => take::<HALF, 4, 4>(from, w, k, c, width, count),
                    2.. => take::<HALF, 2, 4>(from, w, k, c, width, count),
                    _ => take::<HALF, 1, 8>(from, w, k, c, width, count),
                };
            }
        }
    }

    /// # Safety
    /// As [`values`], with `T` rows at `w`, `shrink` and `c`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn take<const HALF: bool, const T: usize, const U: usize>(
        from: *const u8,
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
                take_columns::<HALF, T, U>(from, w, shrink, c, (width, count, at));
                at += U * LANES;
            }
            while at < width {
                take_columns::<HALF, T, 1>(from, w, shrink, c, (width, count, at));
                at += LANES;
            }
        }
        T
    }

    /// # Safety
    /// As [`take`]; columns `at..at + 16 U` are below `width`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn take_columns<const HALF: bool, const T: usize, const U: usize>(
        from: *const u8,
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
                    let value = load::<HALF>(from, key * width + at + u * LANES);
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
}
