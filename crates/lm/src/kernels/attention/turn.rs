//! How do keys and values that were computed at one position get to another?
//!
//! Values do not know their position: they are copied. A rotary embedding turns each pair of dimensions by an
//! angle proportional to the position (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), and turns add up,
//! R(p + n) = R(n) R(p): a key moves on by `n` when it is turned once more. Sixteen keys of a tile turn
//! together; what comes out is rounded to the store's form, so each move costs one rounding.

use std::ops::Range;

use super::store::{BLOCK, Kv, Store};
use super::{KvLayer, LANES};
use crate::kernels::ops::Rotation;
use crate::kernels::pages::Pages;
use crate::kernels::path::{Path, dispatch};
use crate::kernels::pool::Pool;

/// By which angles keys turn, the same for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn<'a> {
    /// Cosines, one a pair of dimensions.
    pub(crate) cos: &'a [f32],
    /// Sines.
    pub(crate) sin: &'a [f32],
    /// Which two dimensions are a pair.
    pub(crate) rotation: Rotation,
}

impl KvLayer {
    /// Takes over positions `source` of a layer of the same model and stores them from `at` on; without a
    /// `turn` bit for bit.
    pub(crate) fn paste(
        &mut self,
        (pool, path): (&mut Pool, Path),
        from: &KvLayer,
        source: Range<usize>,
        at: usize,
        turn: Option<Turn<'_>>,
    ) {
        let width = self.width;
        pool.chunks(&mut self.stores, 1, &|head, stores| {
            let (to, from) = (&mut stores[0], &from.stores[head]);
            to.paste_values(from, width, source.clone(), at);
            match turn {
                None => to.paste_keys(from, width, source.clone(), at),
                Some(turn) => to.paste_turned(path, from, width, (source.clone(), at), turn),
            }
        });
    }
}

impl Store {
    fn paste_values(&mut self, from: &Store, width: usize, source: Range<usize>, at: usize) {
        fn rows<T: Copy>(to: &mut [T], from: &[T], width: usize, source: &Range<usize>, at: usize) {
            let from = &from[source.start * width..source.end * width];
            to[at * width..][..from.len()].copy_from_slice(from);
        }
        match (self, from) {
            (Store::Half { values, .. }, Store::Half { values: from, .. }) => rows(values, from, width, &source, at),
            (Store::Full { values, .. }, Store::Full { values: from, .. }) => rows(values, from, width, &source, at),
            (
                Store::Eight { values, value_scales, .. },
                Store::Eight { values: from, value_scales: from_scales, .. },
            ) => {
                rows(values, from, width, &source, at);
                rows(value_scales, from_scales, width.div_ceil(BLOCK), &source, at);
            }
            (Store::Half { .. } | Store::Full { .. } | Store::Eight { .. }, _) => another_form(),
        }
    }

    fn paste_keys(&mut self, from: &Store, width: usize, source: Range<usize>, at: usize) {
        match (self, from) {
            (Store::Half { keys, .. }, Store::Half { keys: from, .. }) => lanes(keys, from, width, source, at),
            (Store::Full { keys, .. }, Store::Full { keys: from, .. }) => lanes(keys, from, width, source, at),
            (Store::Eight { keys, key_scales, .. }, Store::Eight { keys: from, key_scales: from_scales, .. }) => {
                lanes(keys, from, width, source.clone(), at);
                lanes(key_scales, from_scales, width.div_ceil(BLOCK), source, at);
            }
            (Store::Half { .. } | Store::Full { .. } | Store::Eight { .. }, _) => another_form(),
        }
    }

    /// Tile by tile: as f32, turned, as it is stored, and from there lane by lane to its place.
    fn paste_turned(
        &mut self,
        path: Path,
        from: &Store,
        width: usize,
        (source, at): (Range<usize>, usize),
        turn: Turn<'_>,
    ) {
        let mut pages = Pages::of(Store::lines(self.kv(), LANES, width));
        let mut tile = Store::new(&mut pages, self.kv(), LANES, width);
        let mut wide = vec![0.0; LANES * width];
        for first in (source.start / LANES * LANES..source.end).step_by(LANES) {
            from.widen_keys(path, first, width, &mut wide);
            let (keys, Turn { cos, sin, rotation }) = (&mut wide[..], turn);
            let pair = match rotation {
                Rotation::Halves => (1, cos.len()),
                Rotation::Neighbours => (2, 1),
            };
            dispatch!(path => spin(keys: &mut [f32], cos: &[f32], sin: &[f32], pair: (usize, usize)));
            tile.narrow_tile(path, &wide);
            let here = source.start.max(first)..source.end.min(first + LANES);
            self.paste_keys(&tile, width, here.start - first..here.end - first, at + here.start - source.start);
        }
    }

    fn kv(&self) -> Kv {
        match self {
            Store::Half { .. } => Kv::F16,
            Store::Full { .. } => Kv::F32,
            Store::Eight { .. } => Kv::Q8,
        }
    }

    /// Stores a whole tile of keys as the first of this store.
    fn narrow_tile(&mut self, path: Path, wide: &[f32]) {
        use half::slice::HalfFloatSliceExt;
        match self {
            Store::Half { keys, .. } => keys[..wide.len()].convert_from_f32_slice(wide),
            Store::Full { keys, .. } => keys[..wide.len()].copy_from_slice(wide),
            Store::Eight { keys, key_scales, .. } => {
                let (codes, scales) = (&mut keys[..wide.len()], &mut key_scales[..]);
                dispatch!(path => round_tile(wide: &[f32], codes: &mut [i8], scales: &mut [f32]));
            }
        }
    }
}

fn another_form() -> ! {
    unreachable!("all caches of a model have one form")
}

/// Positions `source` of `[tile][width][16]` to those from `at` on.
fn lanes<T: Copy>(to: &mut [T], from: &[T], width: usize, source: Range<usize>, at: usize) {
    let mut done = 0;
    while done < source.len() {
        let (a, b) = (source.start + done, at + done);
        let count = (LANES - a % LANES).min(LANES - b % LANES).min(source.len() - done);
        let from = from[a / LANES * LANES * width..][..LANES * width].chunks_exact(LANES);
        let to = to[b / LANES * LANES * width..][..LANES * width].chunks_exact_mut(LANES);
        for (to, from) in to.zip(from) {
            to[b % LANES..][..count].copy_from_slice(&from[a % LANES..][..count]);
        }
        done += count;
    }
}

/// Turns sixteen keys, `[dim][16]`; pair `i` is the dimensions `i * step` and `i * step + apart`.
#[inline(always)]
fn spin(keys: &mut [f32], cos: &[f32], sin: &[f32], (step, apart): (usize, usize)) {
    for (i, (&c, &s)) in cos.iter().zip(sin).enumerate() {
        let (first, second) = keys[i * step * LANES..].split_at_mut(apart * LANES);
        for (a, b) in first[..LANES].iter_mut().zip(&mut second[..LANES]) {
            (*a, *b) = (*a * c - *b * s, *a * s + *b * c);
        }
    }
}

/// As `store::round`, for sixteen keys together: codes `[dim][16]`, scales `[dim / 32][16]`.
#[inline(always)]
fn round_tile(wide: &[f32], codes: &mut [i8], scales: &mut [f32]) {
    let blocks = wide.chunks(BLOCK * LANES).zip(codes.chunks_mut(BLOCK * LANES));
    for ((block, codes), scales) in blocks.zip(scales.as_chunks_mut::<LANES>().0) {
        let (mut most, mut poison) = ([0.0f32; LANES], [0.0f32; LANES]);
        for row in block.as_chunks::<LANES>().0 {
            for ((most, poison), &x) in most.iter_mut().zip(&mut poison).zip(row) {
                *most = most.max(x.abs());
                *poison += x * 0.0;
            }
        }
        let inverse = most.map(|most| if most > 1e-30 { 127.0 / most } else { 0.0 });
        for (row, codes) in block.as_chunks::<LANES>().0.iter().zip(codes.as_chunks_mut::<LANES>().0) {
            for ((code, &x), inverse) in codes.iter_mut().zip(row).zip(&inverse) {
                *code = ((x * inverse + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4B40_0000) as i8;
            }
        }
        for ((scale, most), poison) in scales.iter_mut().zip(&most).zip(&poison) {
            *scale = most / 127.0 + poison;
        }
    }
}

#[cfg(test)]
impl KvLayer {
    /// Keys of one head as f32, position by position, and values likewise.
    pub(crate) fn contents(&self, head: usize, positions: Range<usize>) -> (Vec<f32>, Vec<f32>) {
        let (path, width, store) = (Path::best(), self.width, &self.stores[head]);
        let mut values = vec![0.0; positions.len() * width];
        store.widen_values(path, positions.start, width, &mut values);
        let key = |p: usize| -> Vec<f32> {
            let mut tile = vec![0.0; LANES * width];
            store.widen_keys(path, p / LANES * LANES, width, &mut tile);
            tile.iter().skip(p % LANES).step_by(LANES).copied().collect()
        };
        (positions.flat_map(key).collect(), values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::kernels::{Heads, rotate};

    /// Cosines and sines of position `p`, one a pair.
    fn row(p: usize, pairs: usize) -> (Vec<f32>, Vec<f32>) {
        let angle = |i: usize| p as f32 * (1.0 / 10_000f64.powf(i as f64 / pairs as f64)) as f32;
        ((0..pairs).map(|i| angle(i).cos()).collect(), (0..pairs).map(|i| angle(i).sin()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_key_that_was_turned_is_the_key_computed_there(
            seed in any::<u64>(), dim in 1usize..4, unturned in 0usize..2, tokens in 1usize..50, before in 0usize..40,
            on in 0usize..300, neighbours in any::<bool>(), kv in proptest::sample::select(&[Kv::F16, Kv::F32, Kv::Q8][..]),
        ) {
            let heads = Heads { queries: 2, keys: 2, dim: dim * 24 };
            let pairs = heads.dim / 2 - 6 * unturned;
            let rotation = if neighbours { Rotation::Neighbours } else { Rotation::Halves };
            let mut random = StdRng::seed_from_u64(seed);
            let mut numbers = || -> Vec<f32> { (0..tokens * 2 * heads.dim).map(|_| random.random_range(-2.0..2.0)).collect() };
            let (k, v) = (numbers(), numbers());
            let rotated = |path: Path, first: usize| -> Vec<f32> {
                let mut k = k.clone();
                for (t, token) in k.chunks_exact_mut(2 * heads.dim).enumerate() {
                    let (cos, sin) = row(first + t, pairs);
                    token.chunks_exact_mut(heads.dim).for_each(|head| rotate(path, rotation, head, &cos, &sin));
                }
                k
            };
            let tolerance = match kv { Kv::F32 => 1e-4, Kv::F16 => 3e-3, Kv::Q8 => 0.05 };
            let (cos, sin) = row(on, pairs);
            let mut first: Option<Vec<_>> = None;
            for path in Path::all() {
                let mut pool = Pool::new(2);
                let write = |pool: &mut Pool, at: usize| {
                    let mut layer = KvLayer::new(heads, at + tokens, kv);
                    layer.write(pool, path, at, &rotated(path, at), &v);
                    layer
                };
                let (from, there) = (write(&mut pool, before), write(&mut pool, before + on));
                let mut moved = KvLayer::new(heads, before + on + tokens, kv);
                let turn = Some(Turn { cos: &cos, sin: &sin, rotation });
                moved.paste((&mut pool, path), &from, before..before + tokens, before + on, turn);
                let place = before + on..before + on + tokens;
                let all: Vec<_> = (0..2).map(|head| moved.contents(head, place.clone())).collect();
                for (head, (keys, values)) in all.iter().enumerate() {
                    let (expect, expect_values) = there.contents(head, place.clone());
                    prop_assert!(values == &expect_values);
                    let differences = keys.iter().zip(&expect).map(|(a, b)| (a - b).abs());
                    let most = differences.fold(0.0, f32::max);
                    prop_assert!(most < tolerance, "{:?} {:?}: {}", kv, path, most);
                }
                // All paths do the same arithmetic.
                prop_assert!(first.get_or_insert(all.clone()) == &all, "{:?}", path);

                let mut copied = KvLayer::new(heads, on + tokens, kv);
                copied.paste((&mut pool, path), &from, before..before + tokens, on, None);
                for head in 0..2 {
                    let (a, b) = (copied.contents(head, on..on + tokens), from.contents(head, before..before + tokens));
                    prop_assert!(a == b, "a copy changed a bit");
                }
            }
        }
    }
}
