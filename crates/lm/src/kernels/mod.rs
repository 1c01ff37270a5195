//! How does a CPU multiply by quantized weights, and attend, as fast as it can?
//!
//! In: the bytes of a GGUF tensor, repacked once into a [`Matrix`], and rows of f32, quantized on the fly
//! into [`Activations`]. Out: rows of f32. A matrix is a list of tiles of [`TILE`] rows whose codes lie
//! interleaved as the dot-product instructions read them; [`product`] hands tiles to the threads of a
//! [`Pool`]. Which instructions are used is a [`Path`], found out at run time. All paths but AMX do the same
//! arithmetic in the same order, and the tests hold each to the scalar one bit for bit; AMX, which only reads
//! prompts, rounds to bf16 where the others round to int8, and is held to a tighter bound than they.
//!
//! | path | instructions |
//! | --- | --- |
//! | AMX | `tdpbf16ps`, 32 rows × 32 tokens in tile registers |
//! | AVX-512 | `vpdpbusd`, 16 rows × up to 12 tokens in registers |
//! | AVX-VNNI | `vpdpbusd`, two times 8 rows × up to 6 tokens |
//! | AVX2 | `vpmaddubsw`, 8 rows × up to 4 tokens |
//! | NEON | `smull`/`sadalp`, compiled but never run: no such machine was at hand |
//! | scalar | plain Rust: the reference, and slow |
//!
//! Only this folder of the repository holds `unsafe`. It knows nothing of models or files.

mod activations;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
mod bandwidth;
#[cfg(target_arch = "aarch64")]
mod neon;
mod ops;
mod pack;
mod pages;
mod path;
mod pool;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use activations::{Activations, Needs};
pub use attention::Kv;
pub(crate) use attention::{Heads, KvLayer, View};
pub use bandwidth::read_bandwidth;
pub(crate) use ops::{Rotation, add, gated, rms_norm, rms_norm_in_place, rotate};
pub(crate) use pack::Matrix;
pub(crate) use pages::Pages;
pub use path::Path;
pub(crate) use pool::Pool;

use pool::Shareable;

/// Rows of a matrix that are computed together.
const TILE: usize = 16;
/// Tokens that are computed together.
const GROUP: usize = 12;
/// Numbers that share a scale.
const BLOCK: usize = 32;
/// Numbers that share the scale of scales in the K formats.
const SUPER: usize = 256;
/// Tiles that a thread takes at once when there are many: 64 rows share the activations in its cache.
const TILES_A_TASK: usize = 4;

/// How the numbers of a tile are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
    Q4K,
    Q5K,
    Q6K,
}

/// The products of one tile: a row of 16 numbers a token.
type Products = [[f32; TILE]; GROUP];

/// Takes a tile, a token, and the products of that tile with the tokens from there on.
type Write<'a> = dyn FnMut(usize, usize, &[[f32; TILE]]) + 'a;

/// Multiplies the same activations with several matrices; `out` is `(tokens, rows)`.
pub(crate) fn product(pool: &mut Pool, path: Path, x: &Activations, all: &mut [(&Matrix, &mut [f32])]) {
    struct Part<'a> {
        matrix: &'a Matrix,
        out: Shareable<f32>,
        tasks: usize,
    }
    let step = if x.tokens() > 1 { TILES_A_TASK } else { 2 * TILES_A_TASK };
    let parts: Vec<Part<'_>> = all
        .iter_mut()
        .map(|(matrix, out)| {
            assert_eq!((out.len(), x.width()), (x.tokens() * matrix.rows(), matrix.columns()), "shapes disagree");
            Part { matrix, out: Shareable::new(out.as_mut_ptr()), tasks: matrix.tiles().div_ceil(step) }
        })
        .collect();
    pool.run(parts.iter().map(|part| part.tasks).sum(), &|mut task| {
        let mut parts = parts.iter();
        let Some(part) = parts.find(|part| {
            let here = task < part.tasks;
            if !here {
                task -= part.tasks;
            }
            here
        }) else {
            return;
        };
        let (matrix, rows) = (part.matrix, part.matrix.rows());
        let tiles = task * step..(task * step + step).min(matrix.tiles());
        path.tiles(matrix, tiles, x, &mut |tile, token, products| {
            let first = tile * TILE;
            let width = TILE.min(rows - first);
            for (t, product) in products.iter().enumerate() {
                let at = (token + t) * rows + first;
                // SAFETY: `at + width` is within the token's row of `out`, whose length was compared
                // above; each tile of each matrix belongs to one task, so no two tasks write the same
                // numbers, and `all` is borrowed mutably until `run` returns.
                let out = unsafe { std::slice::from_raw_parts_mut(part.out.get().add(at), width) };
                out.copy_from_slice(&product[..width]);
            }
        });
    });
}
