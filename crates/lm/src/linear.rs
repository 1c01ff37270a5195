//! Rows times a matrix of eight-bit weights, for whoever has such a product and no language model: encoders.
//!
//! In: a matrix of f32, rounded once to Q8_0 (int8 with an f16 scale for each 32 of a row). Rows are rounded to int8 on the
//! fly in the same way, and the products of integers are exact; on a processor with AMX both sides are rounded to bf16
//! instead, and their products are added in f32. Knows nothing of what is multiplied.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use half::f16;

use crate::kernels::{Activations, Format, Matrix, Pages, Path, Pool, Source, product};

/// Numbers that share a scale; a row's length must be a multiple.
const BLOCK: usize = 32;

/// Threads and memory that products share; one product at a time.
pub struct Products {
    path: Path,
    state: Mutex<State>,
}

struct State {
    pool: Pool,
    rows: Activations,
    pages: Pages,
}

/// `[outputs, inputs]` of eight-bit weights.
pub struct Linear8 {
    matrix: Matrix,
}

impl fmt::Debug for Linear8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matrix.fmt(f)
    }
}

impl Products {
    /// On so many threads; 0 is one a processor. The fastest that the processor has.
    pub fn new(threads: usize) -> Products {
        Products::on(Path::best(), threads)
    }

    /// The same with products of integers on every processor, with AMX too: for what must not come out otherwise on another
    /// machine.
    pub fn of_integers(threads: usize) -> Products {
        Products::on(Path::best().for_writing(), threads)
    }

    fn on(path: Path, threads: usize) -> Products {
        let state = State { pool: Pool::new(threads), rows: Activations::default(), pages: Pages::default() };
        Products { path, state: Mutex::new(state) }
    }

    /// Rounds a matrix, `weights` being its rows one after another; `None` where a row's length is not a multiple of 32.
    pub fn round(&self, weights: &[f32], outputs: usize, inputs: usize) -> Option<Linear8> {
        if outputs == 0 || inputs == 0 || !inputs.is_multiple_of(BLOCK) || weights.len() != outputs * inputs {
            return None;
        }
        let bytes: Vec<u8> = weights.as_chunks::<BLOCK>().0.iter().flat_map(round_block).collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let matrix = Matrix::pack(&mut state.pages, Format::Q8_0, (outputs, inputs), &bytes);
        Some(Linear8 { matrix: matrix.ok()? })
    }

    /// `out = x Wᵀ`: rows of `inputs` to rows of `outputs`.
    ///
    /// # Panics
    /// Where the lengths of `x` and `out` do not fit the matrix.
    pub fn multiply(&self, x: &[f32], weights: &Linear8, out: &mut [f32]) {
        let (inputs, matrix) = (weights.matrix.columns(), &weights.matrix);
        assert!(x.len().is_multiple_of(inputs), "{} numbers are not rows of {inputs}", x.len());
        // A panic in a product leaves buffers that are filled anew.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { pool, rows, .. } = &mut *state;
        let how = (&mut *pool, self.path, Format::Q8_0.needs());
        rows.fill(how, (x.len() / inputs, inputs), Source::Rows(x));
        product(pool, self.path, rows, &mut [(matrix, out)]);
    }
}

/// A block as GGUF writes it: the scale, then the codes.
fn round_block(block: &[f32; BLOCK]) -> [u8; 2 + BLOCK] {
    let largest = block.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let scale = f16::from_f32(largest / 127.0);
    let inverse = if scale.to_f32() > 0.0 { 1.0 / scale.to_f32() } else { 0.0 };
    let mut bytes = [0; 2 + BLOCK];
    bytes[..2].copy_from_slice(&scale.to_le_bytes());
    for (byte, x) in bytes[2..].iter_mut().zip(block) {
        *byte = (x * inverse).round().clamp(-127.0, 127.0) as i8 as u8;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_that_of_the_numbers_but_for_rounding() {
        let (outputs, inputs, rows) = (50, 96, 30);
        let number = |i: usize| ((i * 7919 + 13) % 2003) as f32 / 1001.5 - 1.0;
        let weights: Vec<f32> = (0..outputs * inputs).map(number).collect();
        let x: Vec<f32> = (0..rows * inputs).map(|i| number(i * 31 + 5)).collect();
        for products in [Products::new(2), Products::of_integers(2)] {
            let matrix = products.round(&weights, outputs, inputs).unwrap();
            let mut out = vec![0.0; rows * outputs];
            products.multiply(&x, &matrix, &mut out);
            for r in 0..rows {
                for o in 0..outputs {
                    let pairs = x[r * inputs..][..inputs].iter().zip(&weights[o * inputs..][..inputs]);
                    let exact: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    // Two roundings to 1/254 of about 1, of 96 products of random sign.
                    assert!((f64::from(out[r * outputs + o]) - exact).abs() < 0.1, "{r} {o}");
                }
            }
            let alone = &mut vec![0.0; outputs];
            products.multiply(&x[inputs..2 * inputs], &matrix, alone);
            assert_eq!(alone[..], out[outputs..2 * outputs], "a row does not depend on its neighbours");
            assert!(products.round(&weights[..outputs * 33], outputs, 33).is_none());
        }
    }

    #[test]
    fn a_block_of_zeros_stays_zero_and_the_largest_number_is_kept() {
        assert_eq!(round_block(&[0.0; BLOCK]), [0; 2 + BLOCK]);
        let mut block = [0.1; BLOCK];
        block[3] = -2.0;
        assert_eq!(round_block(&block)[2 + 3] as i8, -127);
    }
}
