//! Weights by their names in the file, repacked for the kernels.

use std::sync::Arc;

use crate::gguf::Gguf;
use crate::kernels::{Activations, Format, Matrix, Needs, Pages, Path, Pool, add, add_product, product, rms_norm};
use crate::{LmError, Shape};

/// Reads weights by name and refuses a shape that the metadata does not announce.
pub(super) struct Loader<'a> {
    gguf: &'a mut Gguf,
    pub(super) shape: &'a Shape,
    pages: Pages,
}

impl<'a> Loader<'a> {
    pub(super) fn new(gguf: &'a mut Gguf, shape: &'a Shape) -> Loader<'a> {
        Loader { gguf, shape, pages: Pages::default() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.gguf.info(name).is_some()
    }

    pub(super) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Matrix, LmError> {
        self.gguf.check_dims(name, &[rows, columns])?;
        let (dtype, bytes) = self.gguf.bytes(name)?;
        let packed = match Format::of(dtype) {
            Some(format) => Matrix::pack(&mut self.pages, format, (rows, columns), &bytes),
            None => {
                let numbers = self.gguf.numbers(name)?;
                let half: Vec<u8> = numbers.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
                Matrix::pack(&mut self.pages, Format::F16, (rows, columns), &half)
            }
        };
        packed
            .map_err(|what| LmError::Gguf { path: self.gguf.path().to_owned(), what: format!("tensor {name}: {what}") })
    }

    pub(super) fn linear(&mut self, name: &str, rows: usize, columns: usize) -> Result<Linear, LmError> {
        let weight = Arc::new(self.matrix(&format!("{name}.weight"), rows, columns)?);
        Ok(Linear { weight, bias: self.optional(&format!("{name}.bias"), rows)? })
    }

    pub(super) fn vector(&mut self, name: &str, width: usize) -> Result<Vec<f32>, LmError> {
        self.gguf.check_dims(name, &[width])?;
        self.gguf.numbers(name)
    }

    pub(super) fn optional(&mut self, name: &str, width: usize) -> Result<Option<Vec<f32>>, LmError> {
        match self.has(name) {
            true => self.vector(name, width).map(Some),
            false => Ok(None),
        }
    }
}

pub(super) struct Linear {
    pub(super) weight: Arc<Matrix>,
    pub(super) bias: Option<Vec<f32>>,
}

impl Linear {
    pub(super) fn needs(&self) -> Needs {
        self.weight.format().needs()
    }

    pub(super) fn add_bias(&self, pool: &mut Pool, path: Path, rows: &mut [f32]) {
        if let Some(bias) = &self.bias {
            pool.chunks(rows, bias.len() * 16, &|_, rows| {
                rows.chunks_exact_mut(bias.len()).for_each(|row| add(path, row, bias));
            });
        }
    }

    /// `x += rows Wᵀ`, or `x += norm(rows Wᵀ)`; `delta` is used where that takes two steps.
    pub(super) fn add_to(
        &self,
        pool: &mut Pool,
        path: Path,
        rows: &Activations,
        (norm, epsilon): (Option<&[f32]>, f32),
        (x, delta): (&mut [f32], &mut Vec<f32>),
    ) {
        if norm.is_none() && self.bias.is_none() {
            return add_product(pool, path, rows, &self.weight, x);
        }
        delta.resize(x.len(), 0.0);
        product(pool, path, rows, &mut [(&self.weight, delta)]);
        self.add_bias(pool, path, delta);
        let (hidden, delta) = (self.weight.rows(), &*delta);
        pool.chunks(x, hidden * 16, &|index, rows| {
            for (i, row) in rows.chunks_exact_mut(hidden).enumerate() {
                let delta = &delta[(index * 16 + i) * hidden..][..hidden];
                match norm {
                    None => add(path, row, delta),
                    Some(norm) => {
                        let mut normed = vec![0.0; hidden];
                        rms_norm(path, delta, norm, epsilon, &mut normed);
                        add(path, row, &normed);
                    }
                }
            }
        });
    }
}
