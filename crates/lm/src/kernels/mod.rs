//! How does a CPU multiply by quantized weights, and attend, as fast as it can?
//!
//! In: the bytes of a GGUF tensor, repacked once into a [`Matrix`], and rows of f32, quantized on the fly
//! into [`Activations`]. Out: rows of f32. A matrix is a list of tiles of [`TILE`] rows whose codes lie
//! interleaved as the dot-product instructions read them; [`product`] hands tiles to the threads of a
//! [`Pool`]. Which instructions are used is a [`Path`], found out at run time. All paths but AMX do the same
//! products in the same order, and the tests hold each to the scalar one bit for bit; AMX, for prompts and for
//! encoders, rounds to bf16 where the others round to int8, and is held to a tighter bound than they. Attention of
//! prompts rounds to bf16 on the two paths that are named after it.
//!
//! | path | instructions |
//! | --- | --- |
//! | AMX | `tdpbf16ps`, 32 rows × 32 tokens in tile registers |
//! | AVX-512 | `vpdpbusd`, 16 rows × up to 12 tokens in registers; with bf16, prompts attend by `vdpbf16ps` |
//! | AVX-VNNI | `vpdpbusd`, two times 8 rows × up to 6 tokens |
//! | AVX2 | `vpmaddubsw`, 8 rows × up to 4 tokens |
//! | NEON | `sdot`, or `smull` and `sadalp` without that extension, 16 rows × up to 4 tokens; run under emulation only |
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
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod number;
mod ops;
mod pack;
mod pages;
mod path;
mod pool;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use activations::{Activations, Needs, Source};
pub use attention::Kv;
pub(crate) use attention::{Heads, KvLayer, Turn, View};
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
/// How the numbers of a tile are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4K,
    Q5K,
    Q6K,
}

/// The products of one tile: a row of 16 numbers a token.
type Products = [[f32; TILE]; GROUP];

/// Bytes that a path which reads prompts in tiles takes for them, at most: keys and values of one head over a whole
/// `window`, and each thread's weights and sums.
pub(crate) fn tile_bytes(path: Path, window: usize, heads: Heads, threads: usize) -> usize {
    if path == path.for_writing() {
        return 0;
    }
    // Keys are filled up to 32 dimensions, values to 32 as well; both are two bytes. A thread's tiles are 768 KiB.
    window.next_multiple_of(attention::KEYS) * heads.dim.next_multiple_of(BLOCK) * 4 + (threads << 20)
}

/// `out = activation(x gateᵀ) * (x upᵀ)`, ready for the product that comes next, without writing any of it down as
/// floats. False where the path cannot, and then nothing was done.
pub(crate) fn gated_product(
    pool: &mut Pool,
    path: Path,
    x: &Activations,
    both: [&Matrix; 2],
    gelu: bool,
    (out, needs): (&mut Activations, Needs),
) -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if path.is_amx() && both.iter().all(|matrix| matrix.format().needs().codes) {
        let [gate, up] = both;
        let (rows, tokens) = (gate.rows(), x.tokens());
        if needs.floats || !rows.is_multiple_of(BLOCK) {
            return false;
        }
        assert_eq!((rows, gate.columns()), (up.rows(), up.columns()), "gates of two shapes");
        assert_eq!(x.width(), gate.columns(), "shapes disagree");
        let step = amx::task(2 * gate.tiles(), pool.threads()) / 2;
        let out = Shareable::new(out.reserve((tokens, rows)).as_mut_ptr());
        pool.run(gate.tiles().div_ceil(step), &|task| {
            let tiles = task * step..(task * step + step).min(gate.tiles());
            let x = (x.tiles(), tokens.div_ceil(amx::SIDE));
            // SAFETY: having the path proves the instructions; the width was compared above; `out` was made for so many
            // rows, is borrowed mutably until `run` returns, and each tile of the matrices belongs to one task.
            unsafe { amx::gates(&mut amx::Registers::new(), (both, gelu), tiles, x, out) };
        });
        return true;
    }
    let _ = (pool, path, x, both, gelu, out, needs);
    false
}

/// Multiplies the same activations with several matrices; `out` is `(tokens, rows)`.
pub(crate) fn product(pool: &mut Pool, path: Path, x: &Activations, all: &mut [(&Matrix, &mut [f32])]) {
    run(pool, path, x, all, false);
}

/// The same, added to what is in `out`.
pub(crate) fn add_product(pool: &mut Pool, path: Path, x: &Activations, matrix: &Matrix, out: &mut [f32]) {
    run(pool, path, x, &mut [(matrix, out)], true);
}

fn run(pool: &mut Pool, path: Path, x: &Activations, all: &mut [(&Matrix, &mut [f32])], add: bool) {
    let total = all.iter().map(|(matrix, _)| matrix.tiles()).sum();
    let (mut left, mut tasks) = (total, Vec::new());
    for (matrix, out) in all.iter_mut() {
        let (matrix, out): (&Matrix, &mut [f32]) = (matrix, out);
        assert_eq!((out.len(), x.width()), (x.tokens() * matrix.rows(), matrix.columns()), "shapes disagree");
        let out = Shareable::new(out.as_mut_ptr());
        let mut first = 0;
        while first < matrix.tiles() {
            let count = path.tiles_a_task(x.tokens(), (left, total), pool.threads()).min(matrix.tiles() - first);
            tasks.push((matrix, first..first + count, out));
            (first, left) = (first + count, left - count);
        }
    }
    pool.run(tasks.len(), &|task| {
        let (matrix, tiles, out) = tasks[task].clone();
        let rows = matrix.rows();
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if path.is_amx() && matrix.format().needs().codes {
            let registers = &mut amx::Registers::new();
            // SAFETY: having the path proves the instructions; width and room were compared above; each tile of each
            // matrix belongs to one task, and `all` is borrowed mutably until `run` returns.
            unsafe { amx::products(registers, matrix, tiles, (x.tiles(), x.tokens()), (out, add)) };
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if path.is_avx512() {
            // SAFETY: the length of `out` was compared above; each tile of each matrix belongs to one task, and `all` is
            // borrowed mutably until `run` returns.
            unsafe { path.tiles_to(matrix, tiles, x, out.get(), add) };
            return;
        }
        path.tiles(matrix, tiles, x, &mut |first, token, products| {
            let width = TILE.min(rows - first);
            let at = token * rows + first;
            // SAFETY: `at + width` is within the token's row of `out`, whose length was compared above; each tile of
            // each matrix belongs to one task, so no two tasks write the same numbers, and `all` is borrowed mutably
            // until `run` returns.
            let out = unsafe { std::slice::from_raw_parts_mut(out.get().add(at), width) };
            match <&mut [f32; TILE]>::try_from(&mut *out) {
                // Of a length that is known it is a few instructions.
                Ok(out) if add => out.iter_mut().zip(products).for_each(|(out, product)| *out += product),
                Ok(out) => *out = *products,
                Err(_) if add => out.iter_mut().zip(products).for_each(|(out, product)| *out += product),
                Err(_) => out.copy_from_slice(&products[..width]),
            }
        });
    });
}
