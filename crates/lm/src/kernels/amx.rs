//! AMX: how are 32 rows of weights times 32 tokens multiplied with four instructions a step?
//!
//! `tdpbf16ps` multiplies a tile of 16 tokens by a tile of 16 rows of weights, 32 columns deep, and adds to f32
//! sums that stay in the registers over all columns. Numbers are bf16 on both sides. Weights are expanded, scales
//! multiplied in, once for all tokens of a product. Rounding them and the activations to eight significant bits moves a
//! product about half as much as int8 activations with a scale for 32 columns do (`kernels/tests.rs` measures both).
//! Int8 tiles (`tdpbssd`) have twice the peak, but their sums must leave the registers every 32 columns to be
//! scaled: built and measured, they were slower (`ARCHITECTURE.md`).
//!
//! A prompt is read this way; what is written, a token or a few at a time, is read by VNNI, so that a row
//! never depends on how many rows stand beside it. What the instructions do is behind [`Multiply`], which has two
//! implementations: [`Registers`], the instructions themselves, on Linux; and in the tests an emulation. [`usable`]
//! asks the processor and the system and then multiplies once by way of trial: instructions that do not do what is
//! expected of them are not used.
//!
//! Instruction set: Intel 64 and IA-32 manuals, volume 1, chapter 18 (palettes, `XCR0`), volume 2 (`LDTILECFG`,
//! `TDPBF16PS`); permission: the kernel's Documentation/arch/x86/xstate.rst.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use super::pool::Shareable;
use super::{BLOCK, Format, Matrix, Pages, Pool, SUPER, TILE};

pub(super) mod convert;
#[cfg(target_os = "linux")]
mod registers;
#[cfg(target_os = "linux")]
pub(super) use registers::Registers;
#[cfg(test)]
mod tests;

/// Tokens, and rows of weights, that are multiplied together: two tiles of each.
pub(super) const SIDE: usize = 2 * TILE;
/// Tiles that are multiplied before the next rows come: those of two times 16 rows stay in the first-level cache.
const DEEP: usize = 16;
/// Tiles that a thread expands at once, at most: 256 rows share what is in its second-level cache.
const TASK: usize = 16;
/// Why most processors do not use it.
const NONE: &str = "no AMX with bf16 on Linux";

/// Sixteen lines of 32 bf16. Of tokens: a line each. Of weights: a line two columns, both of one row in turn.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Tile(pub(super) [[u16; BLOCK]; TILE]);

impl Tile {
    pub(super) const ZERO: Tile = Tile([[0; BLOCK]; TILE]);
}

/// Products of 16 tokens, a line each, with 16 rows.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [[f32; TILE]; TILE]);

/// Of two tiles of tokens with two of rows: `[token tile][row tile]`.
pub(super) type Square = [[Sums; 2]; 2];
pub(super) const ZERO: Square = [[Sums([[0.0; TILE]; TILE]); 2]; 2];

/// Tiles that a thread takes at once, an even number: as many as it can where each thread still gets two lots.
pub(super) fn task(tiles: usize, threads: usize) -> usize {
    (tiles / (2 * threads)).next_multiple_of(2).clamp(2, TASK)
}

/// What multiplies.
pub(super) trait Multiply {
    /// `out[i][j] = x[i] · w[j]` over all tiles of the slices, which are of one length; `add` adds to `out`.
    fn multiply(&mut self, x: [&[Tile]; 2], w: [&[Tile]; 2], out: &mut Square, add: bool);
}

/// Rows of activations as tiles: for each [`SIDE`] rows, for each part of [`DEEP`] times 32 columns, the tiles of the
/// first half of the rows, then those of the second.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tiles: Vec<Tile>,
}

impl Rows {
    /// As [`Activations::fill`].
    pub(super) fn fill(
        &mut self,
        pool: &mut Pool,
        (tokens, width): (usize, usize),
        row: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        thread_local! {
            static NUMBERS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        let deep = width / BLOCK;
        pool.chunks(self.reserve((tokens, width)), 2 * deep, &|side, tiles| {
            NUMBERS.with_borrow_mut(|numbers| {
                numbers.resize(width, 0.0);
                for line in 0..SIDE {
                    let token = side * SIDE + line;
                    if token < tokens {
                        row(token, numbers);
                    } else {
                        numbers.fill(0.0);
                    }
                    for (numbers, tiles) in numbers.chunks(DEEP * BLOCK).zip(tiles.chunks_mut(2 * DEEP)) {
                        let half = tiles.len() / 2;
                        let tiles = if line < TILE { &mut tiles[..half] } else { &mut tiles[half..] };
                        // SAFETY: only the path that has these instructions has its rows in this form.
                        unsafe { convert::line(numbers, tiles, line % TILE) };
                    }
                }
            });
        });
    }

    /// Room for so many rows, holding anything.
    pub(super) fn reserve(&mut self, (tokens, width): (usize, usize)) -> &mut [Tile] {
        let count = tokens.div_ceil(SIDE) * 2 * (width / BLOCK);
        if self.tiles.len() < count {
            self.tiles.resize(count, Tile::ZERO);
        }
        &mut self.tiles[..count]
    }

    /// The tiles of some rows and a part of the columns.
    fn part(&self, side: usize, deep: usize, part: &Range<usize>) -> [&[Tile]; 2] {
        let both = &self.tiles[2 * (side * deep + part.start)..2 * (side * deep + part.end)];
        let (first, second) = both.split_at(part.len());
        [first, second]
    }
}

/// What rows are multiplied with.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a> {
    One(&'a Matrix),
    /// Gate and up of one shape, a tile of each a pair.
    Gated([&'a Matrix; 2]),
}

impl<'a> Weights<'a> {
    fn matrix(self) -> &'a Matrix {
        match self {
            Weights::One(matrix) | Weights::Gated([matrix, _]) => matrix,
        }
    }

    /// The `at`th of the tiles that are multiplied for some tiles of the result, two of which make a pair.
    fn tile(self, range: &Range<usize>, at: usize) -> Option<(&'a Matrix, usize)> {
        match self {
            Weights::One(matrix) => Some((matrix, range.start + at)).filter(|(_, tile)| *tile < range.end),
            Weights::Gated(both) => Some((both[at % 2], range.start + at / 2)).filter(|(_, tile)| *tile < range.end),
        }
    }

    fn pairs(self, tiles: usize) -> usize {
        match self {
            Weights::One(_) => tiles.div_ceil(2),
            Weights::Gated(_) => tiles,
        }
    }
}

/// Multiplies some tiles of a matrix with all rows. `take` gets the number of a [`SIDE`] of rows, of a pair of tiles, and
/// their products, of which those with rows or tiles that are not there mean nothing.
///
/// # Safety
/// The processor has AVX-512 with bf16; `x` holds `sides` times [`SIDE`] rows of the matrix's width.
pub(super) unsafe fn tiles<M: Multiply>(
    registers: &mut M,
    weights: Weights<'_>,
    range: Range<usize>,
    (x, sides): (&Rows, usize),
    take: &mut impl FnMut(usize, usize, &Square),
) {
    thread_local! {
        static SCRATCH: RefCell<(Vec<Tile>, Vec<Square>)> = const { RefCell::new((Vec::new(), Vec::new())) };
    }
    let width = weights.matrix().columns();
    let (deep, pairs) = (width / BLOCK, weights.pairs(range.len()));
    assert!(2 * pairs <= TASK, "too many tiles at once");
    SCRATCH.with_borrow_mut(|(expanded, sums)| {
        expanded.resize(expanded.len().max(pairs * 2 * DEEP), Tile::ZERO);
        sums.resize(sums.len().max(pairs * sides), ZERO);
        // A part of the columns at a time, of which the second-level cache holds all tokens and all these rows.
        for from in (0..deep).step_by(DEEP) {
            let part = from..(from + DEEP).min(deep);
            for (at, expanded) in expanded.chunks_exact_mut(DEEP).enumerate().take(2 * pairs) {
                if let Some((matrix, tile)) = weights.tile(&range, at) {
                    let (tile, expanded) = (matrix.tile(tile), &mut expanded[..part.len()]);
                    // SAFETY: the caller's promise.
                    unsafe { convert::expand(matrix.format(), tile, width, part.clone(), expanded) };
                }
            }
            let pairs = expanded.chunks_exact(2 * DEEP).zip(sums.chunks_exact_mut(sides)).take(pairs);
            for (pair, (expanded, sums)) in pairs.enumerate() {
                let (first, second) = expanded.split_at(DEEP);
                for (side, sums) in sums.iter_mut().enumerate() {
                    let w = [&first[..part.len()], &second[..part.len()]];
                    registers.multiply(x.part(side, deep, &part), w, sums, from > 0);
                    if part.end == deep {
                        // While they are in the first-level cache.
                        take(side, pair, sums);
                    }
                }
            }
        }
    });
}

/// Multiplies some tiles of a matrix with all rows; `write` gets the first of sixteen rows of the matrix, a token, and
/// their products.
///
/// # Safety
/// As [`tiles`], with `tokens` rows in `x`.
pub(super) unsafe fn products<M: Multiply>(
    registers: &mut M,
    matrix: &Matrix,
    range: Range<usize>,
    (x, tokens): (&Rows, usize),
    write: &mut impl FnMut(usize, usize, &[f32; TILE]),
) {
    let mut take = |side: usize, pair: usize, square: &Square| {
        let first = range.start + 2 * pair;
        for (half, row) in square.iter().enumerate() {
            let from = side * SIDE + half * TILE;
            for (line, token) in (from..tokens.min(from + TILE)).enumerate() {
                for (tile, sums) in (first..range.end).zip(row) {
                    write(tile * TILE, token, &sums.0[line]);
                }
            }
        }
    };
    // SAFETY: the caller's promise.
    unsafe { tiles(registers, Weights::One(matrix), range.clone(), (x, tokens.div_ceil(SIDE)), &mut take) }
}

/// Writes `activation(gate) * up` as rows of the product that comes next, in whose memory these tiles have their place.
///
/// # Safety
/// As [`tiles`]; `out` has room for these rows of the matrices' rows as columns, whose number is a multiple of
/// [`BLOCK`], and nobody else uses the places of this range.
pub(super) unsafe fn gates<M: Multiply>(
    registers: &mut M,
    (both, gelu): ([&Matrix; 2], bool),
    range: Range<usize>,
    (x, sides): (&Rows, usize),
    out: Shareable<Tile>,
) {
    let deep = both[0].rows() / BLOCK;
    let mut take = |side: usize, pair: usize, square: &Square| {
        let (block, column) = ((range.start + pair) / 2, (range.start + pair) % 2 * TILE);
        let part = block / DEEP * DEEP..(block / DEEP * DEEP + DEEP).min(deep);
        for (half, [gate, up]) in square.iter().enumerate() {
            let at = 2 * (side * deep + part.start) + half * part.len() + (block - part.start);
            // SAFETY: `out` has `sides` times two tiles a block, of which this is one; sixteen columns of it belong to
            // this pair, and the caller gave this range to nobody else.
            unsafe { convert::gate(gelu, gate, up, (&raw mut (*out.get().add(at)).0).cast::<u16>().add(column)) };
        }
    };
    // SAFETY: the caller's promise.
    unsafe { tiles(registers, Weights::Gated(both), range.clone(), (x, sides), &mut take) }
}

/// Why tiles are not used, or that they are; found out once.
pub(super) fn usable() -> Result<(), &'static str> {
    static USABLE: OnceLock<Result<(), &'static str>> = OnceLock::new();
    *USABLE.get_or_init(|| {
        #[cfg(target_os = "linux")]
        {
            registers::permitted()?;
            match agrees(&mut Registers::new()) {
                true => Ok(()),
                false => {
                    let why = "this processor's AMX gives other products than its other instructions";
                    // A library should be silent, but who has such a machine must hear of it.
                    eprintln!("sectora-lm: {why}; it is not used");
                    Err(why)
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        Err(NONE)
    })
}

/// What to say where the processor has AMX and it is not used.
pub(super) fn warning() -> Option<&'static str> {
    match usable() {
        Err(why) if why != NONE => Some(why),
        Ok(()) | Err(_) => None,
    }
}

/// Multiplies a little of every format and compares with the products of the same numbers term by term.
fn agrees<M: Multiply>(registers: &mut M) -> bool {
    let (rows, width, tokens) = (SIDE + TILE, 2 * SUPER, SIDE + 5);
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let x: Vec<f32> = (0..tokens * width).map(|_| (f32::from(random()) - 127.0) / 64.0).collect();
    let mut given = Rows::default();
    given.fill(&mut Pool::new(1), (tokens, width), &|t, out| out.copy_from_slice(&x[t * width..][..width]));
    [Format::Q8_0, Format::Q4_0, Format::Q4K, Format::Q5K, Format::Q6K].into_iter().all(|format| {
        let mut bytes: Vec<u8> = (0..format.file_bytes(rows * width)).map(|_| random()).collect();
        format.tame(&mut bytes);
        let Ok(matrix) = Matrix::pack(&mut Pages::default(), format, (rows, width), &bytes) else { return false };
        let mut weights = vec![0.0; rows * width];
        weights.chunks_exact_mut(width).enumerate().for_each(|(index, row)| matrix.row(index, row));
        let mut same = true;
        // SAFETY: only called where the processor has AVX-512 with bf16; the rows have the matrix's width.
        unsafe {
            products(registers, &matrix, 0..rows / TILE, (&given, tokens), &mut |row, token, found| {
                let (x, w) = (&x[token * width..][..width], weights[row * width..].chunks_exact(width));
                same &= found.iter().zip(w).all(|(found, w)| is_close(x, w, *found));
            });
        }
        same
    })
}

/// True where `found` is the product of two rows that were rounded to bf16.
fn is_close(x: &[f32], w: &[f32], found: f32) -> bool {
    let rounded = |x: f32| f64::from(half::bf16::from_f32(x).to_f32());
    let terms = || x.iter().zip(w).map(|(&x, &w)| rounded(x) * rounded(w));
    // A weight is rounded from a product of its own, which may fall to the other side of the middle now and then.
    (f64::from(found) - terms().sum::<f64>()).abs() <= 2e-4 * terms().map(f64::abs).sum::<f64>()
}
