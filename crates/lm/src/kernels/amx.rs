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

use super::activations::Source;
use super::avx512::put;
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
    /// `out[i][j] = x[i] · w[j]` over all tiles of the slices, which are of one length; `add` adds to `out`. Meanwhile
    /// memory that will be written `soon` may be asked for.
    fn multiply(&mut self, x: [&[Tile]; 2], w: [&[Tile]; 2], out: &mut Square, add: bool, soon: Option<Soon>);
}

/// For each half of a [`SIDE`] of tokens sixteen places of 128 bytes each, `step` bytes apart.
#[derive(Clone, Copy)]
pub(super) struct Soon {
    halves: [*const u8; 2],
    step: usize,
}

/// Rows of activations as tiles: for each [`SIDE`] rows, for each part of [`DEEP`] times 32 columns, the tiles of the
/// first half of the rows, then those of the second.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tiles: Vec<Tile>,
}

impl Rows {
    /// As [`super::Activations::fill`].
    pub(super) fn fill(&mut self, pool: &mut Pool, (tokens, width): (usize, usize), from: Source<'_>) {
        thread_local! {
            static NUMBERS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        let deep = width / BLOCK;
        pool.chunks(self.reserve((tokens, width)), 2 * deep, &|side, tiles| {
            NUMBERS.with_borrow_mut(|numbers| {
                numbers.resize(width, 0.0);
                for line in 0..SIDE {
                    let token = side * SIDE + line;
                    let numbers = match from {
                        Source::Rows(all) if token < tokens => &all[token * width..][..width],
                        Source::Made(row) if token < tokens => {
                            row(token, numbers);
                            &*numbers
                        }
                        Source::Rows(_) | Source::Made(_) => {
                            numbers.fill(0.0);
                            &*numbers
                        }
                    };
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
enum Weights<'a> {
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

/// What becomes of the products of a [`SIDE`] of tokens with a pair of tiles, while they are in the first-level cache.
trait Take {
    /// Where they go to.
    fn place(&self, side: usize, pair: usize) -> Soon;

    /// Products with rows or tiles that are not there mean nothing.
    ///
    /// # Safety
    /// As [`tiles`].
    unsafe fn take(&self, side: usize, pair: usize, square: &Square);
}

/// Multiplies some tiles of a matrix with all rows.
///
/// # Safety
/// The processor has AVX-512 with bf16; `x` holds `sides` times [`SIDE`] rows of the matrix's width.
unsafe fn tiles<M: Multiply>(
    registers: &mut M,
    weights: Weights<'_>,
    range: Range<usize>,
    (x, sides): (&Rows, usize),
    taker: &impl Take,
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
                let w = [&first[..part.len()], &second[..part.len()]];
                for (side, sums) in sums.iter_mut().enumerate() {
                    let last = part.end == deep;
                    let soon = last.then(|| taker.place(side, pair));
                    registers.multiply(x.part(side, deep, &part), w, sums, from > 0, soon);
                    if last {
                        // SAFETY: the caller's promise.
                        unsafe { taker.take(side, pair, sums) };
                    }
                }
            }
        }
    });
}

/// Multiplies some tiles of a matrix with all rows; `out`, `(tokens, rows)`, gets the products or, if `add`, more of them.
///
/// # Safety
/// As [`tiles`], with `tokens` rows in `x`; `out` has room for all products, and nobody else uses the columns of this
/// range.
pub(super) unsafe fn products<M: Multiply>(
    registers: &mut M,
    matrix: &Matrix,
    range: Range<usize>,
    (x, tokens): (&Rows, usize),
    (out, add): (Shareable<f32>, bool),
) {
    let taker = Floats { range: range.clone(), tokens, rows: matrix.rows(), out, add };
    // SAFETY: the caller's promise.
    unsafe { tiles(registers, Weights::One(matrix), range, (x, tokens.div_ceil(SIDE)), &taker) }
}

/// Writes products down.
struct Floats {
    range: Range<usize>,
    tokens: usize,
    rows: usize,
    out: Shareable<f32>,
    add: bool,
}

impl Take for Floats {
    fn place(&self, side: usize, pair: usize) -> Soon {
        let column = (self.range.start + 2 * pair) * TILE;
        let place = |half: usize| (side * SIDE + half * TILE) * self.rows + column;
        let halves = [place(0), place(1)].map(|at| self.out.get().wrapping_add(at).cast_const().cast());
        Soon { halves, step: self.rows * size_of::<f32>() }
    }

    unsafe fn take(&self, side: usize, pair: usize, square: &Square) {
        for (half, sums) in square.iter().enumerate() {
            let from = side * SIDE + half * TILE;
            for (tile, sums) in (self.range.start + 2 * pair..self.range.end).zip(sums) {
                let lines = &sums.0[..self.tokens.saturating_sub(from).min(TILE)];
                let (column, columns) = (tile * TILE, self.rows.min(tile * TILE + TILE) - tile * TILE);
                // SAFETY: these tokens and columns are within `out`; the caller gave this range to nobody else.
                unsafe {
                    let out = self.out.get().wrapping_add(from * self.rows + column);
                    put(lines, (out, self.rows), columns, self.add);
                }
            }
        }
    }
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
    let taker = Gates { first: range.start, deep: both[0].rows() / BLOCK, gelu, out };
    // SAFETY: the caller's promise.
    unsafe { tiles(registers, Weights::Gated(both), range, (x, sides), &taker) }
}

/// Writes gates down.
struct Gates {
    first: usize,
    deep: usize,
    gelu: bool,
    out: Shareable<Tile>,
}

impl Gates {
    /// The tile of half a side that a pair goes to.
    fn tile(&self, side: usize, half: usize, pair: usize) -> *mut Tile {
        let block = (self.first + pair) / 2;
        let part = block / DEEP * DEEP..(block / DEEP * DEEP + DEEP).min(self.deep);
        let at = 2 * (side * self.deep + part.start) + half * part.len() + (block - part.start);
        self.out.get().wrapping_add(at)
    }
}

impl Take for Gates {
    fn place(&self, side: usize, pair: usize) -> Soon {
        let halves = [0, 1].map(|half| self.tile(side, half, pair).cast_const().cast());
        Soon { halves, step: 2 * size_of::<[u16; BLOCK]>() }
    }

    unsafe fn take(&self, side: usize, pair: usize, square: &Square) {
        let column = (self.first + pair) % 2 * TILE;
        for (half, [gate, up]) in square.iter().enumerate() {
            // SAFETY: sixteen columns of this tile belong to this pair, and the caller gave this range to nobody else.
            unsafe { convert::gate(self.gelu, gate, up, self.tile(side, half, pair).cast::<u16>().add(column)) };
        }
    }
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
    given.fill(&mut Pool::new(1), (tokens, width), Source::Rows(&x));
    Format::QUANTIZED.into_iter().all(|format| {
        let mut bytes: Vec<u8> = (0..format.file_bytes(rows * width)).map(|_| random()).collect();
        format.tame(&mut bytes);
        let Ok(matrix) = Matrix::pack(&mut Pages::default(), format, (rows, width), &bytes) else { return false };
        let mut weights = vec![0.0; rows * width];
        weights.chunks_exact_mut(width).enumerate().for_each(|(index, row)| matrix.row(index, row));
        let mut out = vec![0.0; tokens * rows];
        // SAFETY: only called where the processor has AVX-512 with bf16; the rows have the matrix's width, and `out` is
        // the place of their products.
        unsafe {
            let out = (Shareable::new(out.as_mut_ptr()), false);
            products(registers, &matrix, 0..rows / TILE, (&given, tokens), out);
        }
        out.chunks_exact(rows)
            .zip(x.chunks_exact(width))
            .all(|(found, x)| found.iter().zip(weights.chunks_exact(width)).all(|(found, w)| is_close(x, w, *found)))
    })
}

/// True where `found` is the product of two rows that were rounded to bf16.
fn is_close(x: &[f32], w: &[f32], found: f32) -> bool {
    let rounded = |x: f32| f64::from(half::bf16::from_f32(x).to_f32());
    let terms = || x.iter().zip(w).map(|(&x, &w)| rounded(x) * rounded(w));
    // A weight is rounded from a product of its own, which may fall to the other side of the middle now and then.
    (f64::from(found) - terms().sum::<f64>()).abs() <= 2e-4 * terms().map(f64::abs).sum::<f64>()
}
