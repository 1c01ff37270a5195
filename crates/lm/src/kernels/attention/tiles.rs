//! Attention of many queries in bf16: keys and values become tiles, once for all queries of a step, which AMX multiplies
//! or, without it, `vdpbf16ps`.
//!
//! As in the general case [`KEYS`] keys at a time pass through a block of queries with a running maximum and sum;
//! scores, in units of ln 2, and context are sums of tile registers. One head of keys after the other, so that the tiles of one are all
//! the memory it takes. Products are of bf16, all else is f32.

use std::arch::x86_64::*;
use std::cell::RefCell;

use super::store::Store;
use super::{Heads, KEYS, View};
use crate::kernels::amx::convert::{exp2, in_turn, line, side_by_side};
use crate::kernels::amx::{Multiply, SIDE, Square, Tile, ZERO};
use crate::kernels::pool::{Pool, Shareable};
use crate::kernels::{BLOCK, TILE};

/// By how much a score may lie above what its row's scores are compared with before all that was summed is shrunk, so that
/// this seldom happens: weights are at most 2¹².
const SLACK: f32 = 12.0;

/// Tiles of [`KEYS`] positions of one head.
#[derive(Clone, Copy)]
struct Sizes {
    /// Numbers a head, filled up to whole registers.
    width: usize,
    /// Tiles of 32 dimensions.
    deep: usize,
    /// Pairs of tiles of 16 dimensions.
    wide: usize,
}

impl Sizes {
    fn new(width: usize) -> Sizes {
        Sizes { width, deep: width.div_ceil(BLOCK), wide: width.div_ceil(SIDE) }
    }

    /// Tiles of keys: for each 16 positions one for each 32 dimensions.
    fn keys(self) -> usize {
        KEYS / TILE * self.deep
    }

    /// Tiles of values: for each 16 dimensions one for each 32 positions.
    fn values(self) -> usize {
        2 * self.wide * (KEYS / BLOCK)
    }
}

/// As `KvLayer::attend`.
pub(super) fn attend<M: Multiply>(
    registers: fn() -> M,
    pool: &mut Pool,
    (heads, width, stores): (Heads, usize, &[Store]),
    view: View,
    q: &[f32],
    out: &mut [f32],
) {
    thread_local! {
        static TILES: RefCell<Vec<Tile>> = const { RefCell::new(Vec::new()) };
        static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
    }
    let sizes = Sizes::new(width);
    let each = sizes.keys() + sizes.values();
    let share = heads.queries / heads.keys;
    let rows = view.tokens * share;
    let all = view.position + view.tokens;
    // Blocks of keys begin at multiples of their size, so that what a row gets does not depend on its neighbours.
    let begin = view.window.map_or(0, |window| (view.position + 1).saturating_sub(window)) / KEYS;
    let blocks = all.div_ceil(KEYS) - begin;
    let sides = rows.div_ceil(SIDE);
    let out = Shareable::new(out.as_mut_ptr());
    TILES.with_borrow_mut(|tiles| {
        if tiles.len() < blocks * each {
            tiles.resize(blocks * each, Tile::ZERO);
        }
        for (head, store) in stores.iter().enumerate() {
            let tiles = &mut tiles[..blocks * each];
            pool.chunks(tiles, each, &|block, tiles| {
                let first = (begin + block) * KEYS;
                // SAFETY: only the path that has these instructions comes here.
                unsafe { convert(store, sizes, first..all.min(first + KEYS), tiles) };
            });
            let tiles = &*tiles;
            pool.run(sides, &|task| {
                // Late queries see most; begin with them.
                let side = sides - 1 - task;
                SCRATCH.with_borrow_mut(|scratch| {
                    let row = |r: usize| Some(side * SIDE + r).filter(|&row| row < rows);
                    let place = |row: usize| (row / share * heads.queries + head * share + row % share) * heads.dim;
                    let seen = |r: usize| {
                        row(r).map_or(0..0, |row| {
                            let last = view.position + row / share;
                            view.window.map_or(0, |w| (last + 1).saturating_sub(w))..last + 1
                        })
                    };
                    scratch.begin(sizes);
                    for r in 0..SIDE {
                        let q = row(r).map(|row| &q[place(row)..][..heads.dim]);
                        // SAFETY: as above.
                        unsafe { scratch.query(r, q, view.scale * std::f32::consts::LOG2_E, sizes) };
                    }
                    let last = (0..SIDE).rev().find_map(row).map_or(0, |row| view.position + row / share);
                    let registers = &mut registers();
                    for block in seen(0).start / KEYS..last / KEYS + 1 {
                        let (keys, values) = tiles[(block - begin) * each..][..each].split_at(sizes.keys());
                        let first = block * KEYS;
                        // Tiles that no query of this side sees are left out.
                        let parts = (last + 1 - first).min(KEYS).div_ceil(BLOCK);
                        scratch.scores(registers, keys, sizes, parts);
                        for r in 0..SIDE {
                            let seen = seen(r);
                            let (a, b) =
                                (seen.start.max(first) - first, seen.end.min(first + KEYS).saturating_sub(first));
                            // SAFETY: as above.
                            unsafe { scratch.softmax(r, a.min(KEYS), b) };
                        }
                        scratch.values(registers, values, sizes, parts);
                    }
                    for r in 0..SIDE {
                        let Some(row) = row(r) else { break };
                        // SAFETY: `place(row)` is the beginning of one query head's `dim` numbers within `out`,
                        // whose length the caller compared; each pair of token and head belongs to one task, and
                        // `out` is borrowed mutably until `run` returns.
                        unsafe {
                            let out = std::slice::from_raw_parts_mut(out.get().add(place(row)), heads.dim);
                            scratch.give(r, out);
                        }
                    }
                });
            });
        }
    });
}

/// Makes tiles of some positions of a store; what is beyond them becomes zero.
///
/// # Safety
/// The processor has AVX-512 with bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
unsafe fn convert(store: &Store, sizes: Sizes, positions: std::ops::Range<usize>, tiles: &mut [Tile]) {
    let Sizes { width, deep, wide } = sizes;
    let (keys, values) = tiles.split_at_mut(sizes.keys());
    let count = positions.len();
    for (tile, keys) in keys.chunks_exact_mut(deep).enumerate() {
        if tile * TILE >= count {
            keys.fill(Tile::ZERO);
            continue;
        }
        // Positions beyond the last are in the store, from earlier or as zeros, and get no weight.
        let first = (positions.start + tile * TILE) * width;
        for (d, out) in (0..deep * BLOCK).step_by(2).zip(keys.iter_mut().flat_map(|tile| &mut tile.0)) {
            let pair = if d < width {
                // SAFETY: sixteen keys, dimension by dimension, lie at `first`; `width` is a multiple of sixteen.
                unsafe { side_by_side(store.key(first, d, width), store.key(first, d + 1, width)) }
            } else {
                _mm512_setzero_si512()
            };
            // SAFETY: a line of a tile is 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), pair) };
        }
    }
    for (d, values) in (0..2 * wide).zip(values.chunks_exact_mut(KEYS / BLOCK)) {
        for (pair, out) in values.iter_mut().flat_map(|tile| &mut tile.0).enumerate() {
            let value = |at: usize| {
                if at < count && d * TILE < width {
                    // SAFETY: position `at` is in the store, and so are its dimensions from `d * 16` on.
                    unsafe { store.value(positions.start + at, d * TILE, width) }
                } else {
                    _mm512_setzero_ps()
                }
            };
            let both = side_by_side(value(2 * pair), value(2 * pair + 1));
            // SAFETY: a line of a tile is 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), both) };
        }
    }
}

/// A block of queries on its way through the keys: rows 0 to 15 are in the first of two tiles.
#[derive(Default)]
struct Scratch {
    numbers: Vec<f32>,
    /// `[half][deep]`
    queries: Vec<Tile>,
    /// For each 32 keys.
    scores: Vec<Square>,
    /// `[half][KEYS / 32]`
    weights: Vec<Tile>,
    /// For each 32 dimensions.
    context: Vec<Square>,
    /// What the scores of a row are compared with: about their maximum.
    most: Vec<f32>,
    sum: Vec<f32>,
    shrink: Vec<f32>,
}

impl Scratch {
    fn begin(&mut self, sizes: Sizes) {
        self.numbers.resize(sizes.deep * BLOCK, 0.0);
        self.queries.resize(2 * sizes.deep, Tile::ZERO);
        self.scores.resize(KEYS / SIDE, ZERO);
        self.weights.resize(2 * (KEYS / BLOCK), Tile::ZERO);
        self.context.clear();
        self.context.resize(sizes.wide, ZERO);
        for (vec, value) in [(&mut self.shrink, 1.0), (&mut self.most, f32::NEG_INFINITY), (&mut self.sum, 0.0)] {
            vec.clear();
            vec.resize(SIDE, value);
        }
    }

    /// # Safety
    /// The processor has AVX-512 with bf16.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn query(&mut self, r: usize, q: Option<&[f32]>, scale: f32, sizes: Sizes) {
        self.numbers.fill(0.0);
        if let Some(q) = q {
            self.numbers.iter_mut().zip(q).for_each(|(to, x)| *to = x * scale);
        }
        let tiles = &mut self.queries[r / TILE * sizes.deep..][..sizes.deep];
        // SAFETY: the caller's promise.
        unsafe { line(&self.numbers, tiles, r % TILE) };
    }

    /// Scores with the first `parts` times 32 keys.
    fn scores(&mut self, registers: &mut impl Multiply, keys: &[Tile], sizes: Sizes, parts: usize) {
        let (first, second) = self.queries.split_at(sizes.deep);
        for (keys, scores) in keys.chunks_exact(2 * sizes.deep).zip(&mut self.scores).take(parts) {
            let (a, b) = keys.split_at(sizes.deep);
            registers.multiply([first, second], [a, b], scores, false, None);
        }
    }

    /// Turns the scores `a..b` of a row into weights and all others into zero.
    ///
    /// # Safety
    /// The processor has AVX-512 with bf16.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
    unsafe fn softmax(&mut self, r: usize, a: usize, b: usize) {
        let (half, line) = (r / TILE, r % TILE);
        let weights = &mut self.weights[half * (KEYS / BLOCK)..][..KEYS / BLOCK];
        if a >= b {
            weights.iter_mut().for_each(|tile| tile.0[line].fill(0));
            self.shrink[r] = 1.0;
            return;
        }
        let seen = |j: usize| {
            let below = |n: usize| ((1u32 << n.saturating_sub(j * TILE).min(TILE)) - 1) as u16;
            below(b) & !below(a)
        };
        // SAFETY: a line is sixteen floats.
        let score = |j: usize| unsafe { _mm512_loadu_ps(self.scores[j / 2][half][j % 2].0[line].as_ptr()) };
        let before = self.most[r];
        let mut highest = _mm512_set1_ps(before);
        for j in 0..KEYS / TILE {
            // What is not a number is passed over here and shows in its weight.
            highest = _mm512_mask_max_ps(highest, seen(j), score(j), highest);
        }
        let highest = _mm512_reduce_max_ps(highest);
        let most = if highest > before + SLACK { highest } else { before };
        let weight = |j: usize| {
            let less = _mm512_sub_ps(score(j), _mm512_set1_ps(most));
            _mm512_maskz_mov_ps(seen(j), exp2(less))
        };
        let mut sums = _mm512_setzero_ps();
        for (part, tile) in weights.iter_mut().enumerate() {
            let (first, second) = (weight(2 * part), weight(2 * part + 1));
            sums = _mm512_add_ps(sums, _mm512_add_ps(first, second));
            // SAFETY: a line is 64 bytes.
            unsafe { _mm512_storeu_si512(tile.0[line].as_mut_ptr().cast(), in_turn(first, second)) };
        }
        let shrink = if before == most { 1.0 } else { f32::exp2(before - most) };
        self.shrink[r] = shrink;
        self.most[r] = most;
        self.sum[r] = self.sum[r] * shrink + _mm512_reduce_add_ps(sums);
    }

    /// `context = context * shrink + weights · values`, of the first `parts` times 32 positions.
    fn values(&mut self, registers: &mut impl Multiply, values: &[Tile], sizes: Sizes, parts: usize) {
        let (first, second) = self.weights.split_at(KEYS / BLOCK);
        let weights = [&first[..parts], &second[..parts]];
        if self.shrink.iter().any(|&shrink| shrink != 1.0) {
            for square in &mut self.context[..sizes.wide] {
                for (half, sums) in square.iter_mut().enumerate() {
                    for sums in sums {
                        for (row, shrink) in sums.0.iter_mut().zip(&self.shrink[half * TILE..]) {
                            row.iter_mut().for_each(|x| *x *= shrink);
                        }
                    }
                }
            }
        }
        for (values, context) in values.chunks_exact(2 * (KEYS / BLOCK)).zip(&mut self.context) {
            let (a, b) = values.split_at(KEYS / BLOCK);
            registers.multiply(weights, [&a[..parts], &b[..parts]], context, true, None);
        }
    }

    /// What a row takes from the values.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[target_feature(enable = "avx512f")]
    unsafe fn give(&self, r: usize, out: &mut [f32]) {
        let inverse = 1.0 / self.sum[r];
        let context = self.context.iter().flat_map(|square| &square[r / TILE]).map(|sums| &sums.0[r % TILE]);
        for (out, context) in out.chunks_mut(TILE).zip(context) {
            out.iter_mut().zip(context).for_each(|(out, x)| *out = x * inverse);
        }
    }
}
