//! What stands on the other side of a matrix product: rows of numbers, quantized on the fly.
//!
//! Each 32 numbers become int8 with one f32 scale, so that products of integers are exact. [`GROUP`] rows
//! lie interleaved, block by block, which lets a kernel address all of them from one pointer. Formats
//! whose codes are unsigned need sums of the codes too; they are kept here, once for all matrices that
//! share the rows. Matrices of floats take the rows as they are.

#![allow(clippy::needless_range_loop, reason = "several arrays of registers share one index")]

use super::{BLOCK, GROUP, Path, pool::Pool};

/// Sixteenths of a superblock have their own scale in Q6_K.
pub(super) const HALF: usize = BLOCK / 2;

/// Rows, ready for [`super::Matrix`].
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// Rows.
    tokens: usize,
    /// Numbers a row.
    width: usize,
    groups: Vec<Group>,
    /// What the AMX path takes instead of codes.
    #[cfg(target_arch = "x86_64")]
    tiles: super::amx::Rows,
}

/// Up to [`GROUP`] rows; `t` counts them, `b` blocks, and rows vary fastest but for the codes.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Rows.
    pub(super) rows: usize,
    /// `[b][t][32]`
    pub(super) codes: Vec<i8>,
    /// `[b][t]`: what one unit of a code stands for.
    pub(super) scale: Vec<f32>,
    /// `[b][t]`: minus the sum of the codes, times 8, 16 and 128: what the zero points of Q4_0, Q5_0 and Q8_0 add.
    pub(super) less8: Vec<i32>,
    pub(super) less16: Vec<i32>,
    pub(super) less128: Vec<i32>,
    /// `[b][half][t]`: minus the sum of half the codes, times 32, for Q6_K.
    pub(super) less32: Vec<i32>,
    /// `[b][t]`: minus the sum of the numbers that the codes stand for, for formats with a minimum.
    pub(super) less: Vec<f32>,
    /// `[k][t]`: the numbers themselves.
    pub(super) floats: Vec<f32>,
    row: Vec<f32>,
}

/// Where rows come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// One after the other.
    Rows(&'a [f32]),
    /// Each is written when it is its turn.
    Made(&'a (dyn Fn(usize, &mut [f32]) + Sync)),
}

/// Which forms are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// int8.
    pub(crate) codes: bool,
    /// f32.
    pub(crate) floats: bool,
}

impl Needs {
    pub(crate) fn or(self, other: Needs) -> Needs {
        Needs { codes: self.codes || other.codes, floats: self.floats || other.floats }
    }
}

impl Activations {
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups[..self.tokens.div_ceil(GROUP)]
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn tiles(&self) -> &super::amx::Rows {
        &self.tiles
    }

    /// Room for so many rows in tiles, which the caller fills.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn reserve(&mut self, (tokens, width): (usize, usize)) -> &mut [super::amx::Tile] {
        (self.tokens, self.width) = (tokens, width);
        self.tiles.reserve((tokens, width))
    }

    /// Takes `tokens` rows of `width` numbers.
    pub(crate) fn fill(
        &mut self,
        (pool, path, needs): (&mut Pool, Path, Needs),
        (tokens, width): (usize, usize),
        from: Source<'_>,
    ) {
        if let Source::Rows(all) = from {
            assert_eq!(all.len(), tokens * width, "not {tokens} rows of {width} numbers");
        }
        (self.tokens, self.width) = (tokens, width);
        #[cfg(target_arch = "x86_64")]
        let needs = if path.is_amx() && needs.codes {
            self.tiles.fill(pool, (tokens, width), from);
            if !needs.floats {
                return;
            }
            Needs { codes: false, ..needs }
        } else {
            needs
        };
        let groups = tokens.div_ceil(GROUP);
        if self.groups.len() < groups {
            self.groups.resize_with(groups, Group::default);
        }
        pool.chunks(&mut self.groups[..groups], 1, &|index, group| {
            let group = &mut group[0];
            let first = index * GROUP;
            group.resize(GROUP.min(tokens - first), width, needs);
            let mut made = std::mem::take(&mut group.row);
            made.resize(width, 0.0);
            for t in 0..group.rows {
                let numbers = match from {
                    Source::Rows(all) => &all[(first + t) * width..][..width],
                    Source::Made(row) => {
                        row(first + t, &mut made);
                        &*made
                    }
                };
                if needs.codes {
                    path.quantize(group, t, numbers);
                }
                if needs.floats {
                    let rows = group.rows;
                    numbers.iter().zip(group.floats[t..].iter_mut().step_by(rows)).for_each(|(&x, y)| *y = x);
                }
            }
            group.row = made;
        });
    }
}

impl Group {
    /// Minus the sums of the codes times `zero`, the code of a format that stands for zero.
    #[inline(always)]
    pub(super) fn less(&self, zero: i32) -> &[i32] {
        match zero {
            8 => &self.less8,
            16 => &self.less16,
            _ => &self.less128,
        }
    }

    fn resize(&mut self, rows: usize, width: usize, needs: Needs) {
        self.rows = rows;
        if needs.codes {
            let blocks = width / BLOCK * rows;
            self.codes.resize(blocks * BLOCK, 0);
            self.scale.resize(blocks, 0.0);
            self.less8.resize(blocks, 0);
            self.less16.resize(blocks, 0);
            self.less128.resize(blocks, 0);
            self.less32.resize(blocks * 2, 0);
            self.less.resize(blocks, 0.0);
        }
        if needs.floats {
            self.floats.resize(width * rows, 0.0);
        }
    }
}

/// Quantizes row `t`. Plain Rust, compiled once for each path but AVX-512, which has its own; the arithmetic
/// is the same on all.
#[inline(always)]
pub(super) fn quantize(group: &mut Group, t: usize, numbers: &[f32]) {
    let rows = group.rows;
    for (b, block) in numbers.as_chunks::<BLOCK>().0.iter().enumerate() {
        let mut most = [0.0f32; 16];
        // Zero, or not a number where the block holds one or an infinity, so that damage stays visible.
        let mut poison = [0.0f32; 16];
        for (i, &x) in block.iter().enumerate() {
            most[i % 16] = most[i % 16].max(x.abs());
            poison[i % 16] += x * 0.0;
        }
        let most = most.iter().fold(0.0f32, |m, &x| m.max(x));
        let poison: f32 = poison.iter().sum();
        let inverse = if most > 1e-30 { 127.0 / most } else { 0.0 };
        let at = (b * rows + t) * BLOCK;
        let codes: &mut [i8; BLOCK] = match (&mut group.codes[at..at + BLOCK]).try_into() {
            Ok(codes) => codes,
            Err(_) => return,
        };
        let mut halves = [0i32; 2];
        for half in 0..2 {
            let mut sum = 0i32;
            for i in half * HALF..(half + 1) * HALF {
                // Adding 1.5 · 2²³ rounds to the nearest integer, ties to even, and leaves it in the low bits.
                let code = ((block[i] * inverse + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4B40_0000);
                codes[i] = code as i8;
                sum = code.wrapping_add(sum);
            }
            halves[half] = sum;
        }
        let sum = halves[0].wrapping_add(halves[1]);
        let scale = most / 127.0 + poison;
        let at = b * rows + t;
        group.scale[at] = scale;
        group.less8[at] = sum.wrapping_mul(-8);
        group.less16[at] = sum.wrapping_mul(-16);
        group.less128[at] = sum.wrapping_mul(-128);
        group.less32[2 * b * rows + t] = halves[0].wrapping_mul(-32);
        group.less32[(2 * b + 1) * rows + t] = halves[1].wrapping_mul(-32);
        group.less[at] = -(scale * sum as f32);
    }
}
