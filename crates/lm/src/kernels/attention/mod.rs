//! Which earlier tokens does a token attend to, and what does it take from them?
//!
//! Keys and values of one layer live in a [`KvLayer`]; each request has its own, with room for the positions it
//! may come to. Scores are never written out whole: 128 keys at a time pass through a block of up to 24 queries
//! with a running maximum and sum (Milakov and Gimelshein 2018, <https://arxiv.org/abs/1805.02867>; Dao et al. 2022,
//! <https://arxiv.org/abs/2205.14135>). Query heads that share a key head are rows of the same block, so
//! a key is read once for all of them.
//!
//! How the numbers are kept is a [`Kv`], see [`store`]. Arithmetic is f32; prompts attend in tiles of bf16 where the
//! processor multiplies them ([`tiles`]).

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

#[cfg(target_arch = "x86_64")]
mod avx512;
mod store;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod turn;
#[cfg(target_arch = "x86_64")]
mod vectors;

use std::cell::RefCell;

pub use store::Kv;
pub(crate) use turn::Turn;

use self::store::Store;
use super::ops::exp;
use super::pages::Pages;
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
    pub(crate) fn new(heads: Heads, positions: usize, kv: Kv) -> KvLayer {
        let width = heads.dim.next_multiple_of(LANES);
        // One region, so that it is worth large pages.
        let mut pages = Pages::of(heads.keys * Store::lines(kv, positions, width));
        let stores = (0..heads.keys).map(|_| Store::new(&mut pages, kv, positions, width)).collect();
        KvLayer { heads, width, stores }
    }

    /// Bytes that one position of a layer takes.
    pub(crate) fn position_bytes(heads: Heads, kv: Kv) -> usize {
        heads.keys * Store::position_bytes(kv, heads.dim.next_multiple_of(LANES))
    }

    /// Bytes of its memory.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.stores.iter().map(Store::allocated).sum()
    }

    /// True where keys and values are kept as they are, and so must not be rounded on the way either.
    #[cfg(target_arch = "x86_64")]
    fn is_exact(&self) -> bool {
        self.stores.iter().all(|store| matches!(store, Store::Full { .. }))
    }

    /// Stores `k` and `v`, `(tokens, heads.keys * heads.dim)`, from `position` on.
    pub(crate) fn write(&mut self, pool: &mut Pool, path: Path, position: usize, k: &[f32], v: &[f32]) {
        let (Heads { keys: count, dim, .. }, width) = (self.heads, self.width);
        let tokens = k.len() / (count * dim);
        let write = |head: usize, store: &mut Store| {
            for t in 0..tokens {
                let row = (t * count + head) * dim..(t * count + head + 1) * dim;
                store.write(path, (position + t, width), &k[row.clone()], &v[row]);
            }
        };
        if tokens < 8 {
            self.stores.iter_mut().enumerate().for_each(|(head, store)| write(head, store));
        } else {
            pool.chunks(&mut self.stores, 1, &|head, store| write(head, &mut store[0]));
        }
    }

    /// Takes over the first `positions` of a layer of the same model.
    pub(crate) fn copy(&mut self, from: &KvLayer, positions: usize) {
        for (to, from) in self.stores.iter_mut().zip(&from.stores) {
            to.copy(from, positions, self.width);
        }
    }

    /// `q` and `out` are `(tokens, heads.queries * heads.dim)`; positions up to the last query's are stored.
    pub(crate) fn attend(&self, pool: &mut Pool, path: Path, view: View, q: &[f32], out: &mut [f32]) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let row = self.heads.queries * self.heads.dim;
        assert_eq!((q.len(), out.len()), (view.tokens * row, view.tokens * row), "shapes disagree");
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if path.is_amx() && !self.is_exact() {
            let layer = (self.heads, self.width, self.stores.as_slice());
            return tiles::attend(super::amx::Registers::new, pool, layer, view, q, out);
        }
        #[cfg(target_arch = "x86_64")]
        if path.attends_in_bf16() && !self.is_exact() {
            let layer = (self.heads, self.width, self.stores.as_slice());
            // SAFETY: having the path proves the instructions.
            let vectors = || unsafe { vectors::Vectors::new() };
            return tiles::attend(vectors, pool, layer, view, q, out);
        }
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
                // Blocks of keys begin at multiples of their size: what a row gets does not depend on its neighbours.
                let (from, to) = (seen(rows.start).0 / KEYS * KEYS, seen(rows.end - 1).1);
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
        // What rows beyond these hold is computed with by some paths and never looked at.
        self.queries.resize(width * ROWS, 0.0);
        self.context.resize(width * ROWS, 0.0);
        self.context[..rows * width].fill(0.0);
        self.scores.resize(ROWS * KEYS, 0.0);
        self.wide.resize(KEYS * width, 0.0);
        for (vec, value) in [(&mut self.shrink, 1.0), (&mut self.most, f32::NEG_INFINITY), (&mut self.sum, 0.0)] {
            vec.clear();
            vec.resize(ROWS, value);
        }
    }

    fn query(&mut self, r: usize, q: &[f32], scale: f32) {
        let filled = q.iter().map(|x| x * scale).chain(std::iter::repeat(0.0));
        self.queries[r..].iter_mut().step_by(ROWS).zip(filled).for_each(|(to, x)| *to = x);
    }

    /// Scores of all rows with `count` keys from `first`, rounded up to whole tiles.
    fn scores(&mut self, path: Path, store: &Store, first: usize, count: usize) {
        let (width, rows, tiles) = (self.width, self.rows, count.div_ceil(LANES));
        let range = first * width..(first + tiles * LANES) * width;
        let (queries, scores) = (&self.queries, &mut self.scores);
        assert!(queries.len() == width * ROWS && scores.len() == ROWS * KEYS && tiles * LANES <= KEYS && rows <= ROWS);
        #[cfg(target_arch = "x86_64")]
        if path.is_avx512() {
            // SAFETY: having the path proves the instructions; sizes were compared above and by slicing.
            unsafe {
                match store {
                    Store::Half { keys, .. } => {
                        let keys = (keys[range].as_ptr().cast(), std::ptr::null());
                        avx512::scores::<{ store::HALF }>(keys, queries, scores, width, rows, tiles);
                    }
                    Store::Full { keys, .. } => {
                        let keys = (keys[range].as_ptr().cast(), std::ptr::null());
                        avx512::scores::<{ store::FULL }>(keys, queries, scores, width, rows, tiles);
                    }
                    Store::Eight { keys, key_scales, .. } => {
                        let blocks = width.div_ceil(store::BLOCK);
                        let scales = key_scales[first * blocks..(first + tiles * LANES) * blocks].as_ptr();
                        let keys = (keys[range].as_ptr().cast(), scales);
                        avx512::scores::<{ store::EIGHT }>(keys, queries, scores, width, rows, tiles);
                    }
                }
            }
            return;
        }
        match store {
            Store::Full { keys, .. } => plain_scores(path, &keys[range], queries, scores, width, rows),
            Store::Half { .. } | Store::Eight { .. } => {
                let wide = &mut self.wide[..tiles * LANES * width];
                store.widen_keys(path, first, width, wide);
                plain_scores(path, wide, queries, scores, width, rows);
            }
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
        #[cfg(target_arch = "x86_64")]
        if path.is_avx512() {
            // SAFETY: having the path proves the instructions; sizes were compared above and by slicing.
            unsafe {
                match store {
                    Store::Half { values, .. } => {
                        let values = (values[range].as_ptr().cast(), std::ptr::null());
                        avx512::values::<{ store::HALF }>(values, weights, shrink, context, width, rows, count);
                    }
                    Store::Full { values, .. } => {
                        let values = (values[range].as_ptr().cast(), std::ptr::null());
                        avx512::values::<{ store::FULL }>(values, weights, shrink, context, width, rows, count);
                    }
                    Store::Eight { values, value_scales, .. } => {
                        let blocks = width.div_ceil(store::BLOCK);
                        let scales = value_scales[first * blocks..(first + count) * blocks].as_ptr();
                        let values = (values[range].as_ptr().cast(), scales);
                        avx512::values::<{ store::EIGHT }>(values, weights, shrink, context, width, rows, count);
                    }
                }
            }
            return;
        }
        match store {
            Store::Full { values, .. } => plain_values(path, &values[range], weights, shrink, context, width, rows),
            Store::Half { .. } | Store::Eight { .. } => {
                let wide = &mut self.wide[..count * width];
                store.widen_values(path, first, width, wide);
                plain_values(path, wide, weights, shrink, context, width, rows);
            }
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
