//! AMX: how are 16 rows times up to 12 tokens multiplied in one instruction?
//!
//! `tdpbssd` multiplies a tile of activations (a line a token) by a tile of weights (four columns of 16
//! rows a line, which is how `pack` lays a group out) into a tile of exact int32 sums. A sum may only span
//! columns that share their scales, so sums are stored after 32 columns (16 for Q6_K), scaled and added in
//! f32 with AVX-512, in the order of the scalar path: the results are the same bits. The weights of a task
//! are expanded to signed bytes once, for all its tokens. Fewer than [`LEAST`] tokens take the VNNI path.
//!
//! What the instructions do is behind [`Tiles`], which has two implementations: [`Registers`], the
//! instructions themselves, on Linux; and in the tests an emulation, so that all else runs on every
//! machine. [`usable`] asks the processor and the system and then multiplies once by way of trial:
//! instructions that do not do what is expected of them are not used.
//!
//! Instruction set: Intel 64 and IA-32 manuals, volume 1, chapter 18 (palettes, `XCR0`), volume 2 (`LDTILECFG`,
//! `TDPBSSD`); permission: the kernel's Documentation/arch/x86/xstate.rst.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use super::activations::Group;
use super::{Activations, BLOCK, Format, GROUP, Matrix, Needs, Pages, Path, Pool, Products, SUPER, TILE, Write};

mod finish;
#[cfg(target_os = "linux")]
mod registers;
#[cfg(target_os = "linux")]
pub(super) use registers::Registers;
#[cfg(test)]
mod tests;

/// Fewest tokens that are worth a tile.
pub(super) const LEAST: usize = 4;
/// Spans that are summed together, each in a register of its own.
pub(super) const CHUNK: usize = 4;
/// Why most processors do not use it.
const NONE: &str = "no AMX with int8 on Linux";
/// Bytes of a line of a tile.
pub(super) const LINE: usize = 64;

/// Int32 sums of one span of columns: a row of 16 a token.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [[i32; TILE]; GROUP]);

impl Sums {
    const ZERO: Sums = Sums([[0; TILE]; GROUP]);
}

/// Eight tile registers: 0 to 3 hold sums, 4 and 5 activations, 6 and 7 weights.
pub(super) trait Tiles {
    /// Sets the shapes: sums `(tokens, 16)`, activations `(tokens, span)`, weights `(span / 4, 64)`.
    fn configure(&mut self, tokens: usize, span: usize);
    /// Clears a register of sums.
    fn zero<const TO: usize>(&mut self);
    /// Fills a register with lines that begin `stride` bytes apart.
    fn load<const TO: usize>(&mut self, from: &[i8], stride: usize);
    /// Adds the products of signed bytes to a register of sums.
    fn dot<const TO: usize, const X: usize, const W: usize>(&mut self);
    /// Writes a register of sums.
    fn store<const FROM: usize>(&mut self, to: &mut Sums);
}

/// Sixty-four codes, aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [i8; LINE]);

impl Line {
    pub(super) const ZERO: Line = Line([0; LINE]);
}

/// Columns whose products may be added as integers.
pub(super) const fn span(format: Format) -> usize {
    match format {
        Format::Q6K => BLOCK / 2,
        _ => BLOCK,
    }
}

/// Multiplies some tiles of a matrix with all groups; `write` gets a tile, a token and products from there on.
///
/// # Safety
/// The processor has what `avx512::tile` asks for; `groups` were checked against the matrix.
pub(super) unsafe fn tiles<T: Tiles>(
    registers: &mut T,
    matrix: &Matrix,
    range: Range<usize>,
    groups: &[Group],
    write: &mut Write<'_>,
) {
    thread_local! {
        static EXPANDED: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    }
    let (format, width) = (matrix.format(), matrix.columns());
    let size = width / 4;
    EXPANDED.with_borrow_mut(|lines| {
        if lines.len() < range.len() * size {
            lines.resize(range.len() * size, Line::ZERO);
        }
        for (tile, lines) in range.clone().zip(lines.chunks_exact_mut(size)) {
            // SAFETY: the caller's promise.
            unsafe { finish::expand(format, matrix.tile(tile), width, lines) };
        }
        let mut products: Products = [[0.0; TILE]; GROUP];
        for (index, group) in groups.iter().enumerate() {
            let mut first = 0;
            while first < group.rows {
                let tokens = match group.rows - first {
                    12.. => 12,
                    8.. => 8,
                    4.. => 4,
                    rest => rest,
                };
                if tokens >= LEAST {
                    registers.configure(tokens, span(format));
                }
                for (tile, lines) in range.clone().zip(lines.chunks_exact(size)) {
                    let part = Part { format, width, tile: matrix.tile(tile), lines, group, first };
                    let out = &mut products[..tokens];
                    // SAFETY: the caller's promise; `first` and the tokens after it are rows of the group.
                    unsafe {
                        match tokens {
                            12 => finish::products::<T, 12>(registers, &part, out),
                            8 => finish::products::<T, 8>(registers, &part, out),
                            4 => finish::products::<T, 4>(registers, &part, out),
                            _ => finish::rest(&part, out),
                        }
                    }
                    write(tile, index * GROUP + first, out);
                }
                first += tokens;
            }
        }
    });
}

/// One tile, expanded, and some tokens of a group.
pub(super) struct Part<'a> {
    pub(super) format: Format,
    pub(super) width: usize,
    pub(super) tile: &'a [u8],
    pub(super) lines: &'a [Line],
    pub(super) group: &'a Group,
    /// The first of the tokens.
    pub(super) first: usize,
}

/// The sums of up to [`CHUNK`] spans from `span` on.
#[inline(always)]
pub(super) fn sums<T: Tiles>(registers: &mut T, part: &Part<'_>, first: usize, to: &mut [Sums; CHUNK]) {
    let size = span(part.format);
    let count = CHUNK.min(part.width / size - first);
    let codes = bytes(part.lines);
    macro_rules! spans {
        ($($index:literal $x:literal $w:literal),*) => {
            $(if $index < count {
                let column = (first + $index) * size;
                let x = (column / BLOCK * part.group.rows + part.first) * BLOCK + column % BLOCK;
                registers.zero::<$index>();
                registers.load::<$x>(&part.group.codes[x..], BLOCK);
                registers.load::<$w>(&codes[column * TILE..], LINE);
                registers.dot::<$index, $x, $w>();
            })*
            $(if $index < count {
                registers.store::<$index>(&mut to[$index]);
            })*
        };
    }
    spans!(0 4 6, 1 5 7, 2 4 6, 3 5 7);
}

fn bytes(lines: &[Line]) -> &[i8] {
    // SAFETY: a `Line` is 64 bytes without padding, and any byte may be read as i8.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE) }
}

/// Why tiles are not used, or that they are; found out once.
pub(super) fn usable() -> Result<(), &'static str> {
    static USABLE: OnceLock<Result<(), &'static str>> = OnceLock::new();
    *USABLE.get_or_init(|| {
        #[cfg(target_os = "linux")]
        {
            registers::permitted()?;
            match agrees(&mut registers::Registers::new()) {
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

/// Multiplies a little of every format and compares with the scalar path, bit for bit.
fn agrees<T: Tiles>(registers: &mut T) -> bool {
    let (rows, width, tokens) = (TILE, 2 * SUPER, GROUP + 8 + 4 + 1);
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let x: Vec<f32> = (0..tokens * width).map(|_| (f32::from(random()) - 127.0) / 64.0).collect();
    let scalar = Path::scalar();
    let mut activations = Activations::default();
    let needs = Needs { codes: true, floats: false };
    activations.fill((&mut Pool::new(1), scalar, needs), (tokens, width), &|t, out| {
        out.copy_from_slice(&x[t * width..][..width]);
    });
    [Format::Q8_0, Format::Q4_0, Format::Q4K, Format::Q5K, Format::Q6K].into_iter().all(|format| {
        let mut bytes: Vec<u8> = (0..format.file_bytes(rows * width)).map(|_| random()).collect();
        format.tame(&mut bytes);
        let Ok(matrix) = Matrix::pack(&mut Pages::default(), format, (rows, width), &bytes) else { return false };
        let mut same = true;
        // SAFETY: only called where the processor has AVX-512; the group was filled for codes of `width`.
        unsafe {
            tiles(registers, &matrix, 0..1, activations.groups(), &mut |_, token, found| {
                let mut expect: Products = [[0.0; TILE]; GROUP];
                scalar.tile(&matrix, 0, &activations.groups()[token / GROUP], &mut expect);
                let expect = &expect[token % GROUP..][..found.len()];
                let differ = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
                same &= !found.as_flattened().iter().zip(expect.as_flattened()).any(differ);
            });
        }
        same
    })
}
