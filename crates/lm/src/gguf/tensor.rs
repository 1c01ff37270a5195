//! Where a tensor lies, and what is done with it when it is read.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use crate::LmError;

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Element type as it is read.
    pub dtype: GgmlDType,
    /// Rows first, as candle has it (the file has them reversed).
    pub dims: Vec<usize>,
    /// Element type in the file.
    pub(super) stored: GgmlDType,
    /// Which of the files.
    pub(crate) file: usize,
    /// First byte in the file.
    pub(super) start: u64,
    /// Length in bytes.
    pub(super) bytes: usize,
    /// What is done with it when it is read.
    pub(crate) change: Change,
}

/// What is done with a tensor of a Hugging Face folder when it is read; GGUF has it done already.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    None,
    /// Rows of each head from rotary halves to neighbouring pairs.
    Paired {
        heads: usize,
    },
    /// 1 is added, in f32.
    PlusOne,
    /// It is not in a file: these numbers.
    Given(Vec<f32>),
}

impl TensorInfo {
    /// A tensor as it lies in the first file.
    pub(crate) fn at(dtype: GgmlDType, dims: Vec<usize>, start: u64, bytes: usize) -> TensorInfo {
        TensorInfo { dtype, dims, stored: dtype, file: 0, start, bytes, change: Change::None }
    }

    /// A vector that lies in no file.
    pub(crate) fn given(numbers: Vec<f32>) -> TensorInfo {
        let dims = vec![numbers.len()];
        TensorInfo { change: Change::Given(numbers), ..TensorInfo::at(GgmlDType::F32, dims, 0, 0) }
    }

    /// Most bytes that it takes while it is read.
    pub fn bytes(&self) -> usize {
        let numbers: usize = self.dims.iter().product();
        // As it is stored, as f32, and quantized.
        if self.dtype == self.stored { self.bytes } else { self.bytes + numbers * 6 }
    }

    /// Its bytes as it is read, and their type, from those that are stored.
    pub(super) fn changed(&self, raw: Vec<u8>) -> Result<(GgmlDType, Vec<u8>), LmError> {
        let raw = match self.change {
            Change::PlusOne => {
                let more = self.numbers(raw)?.iter().flat_map(|x| (x + 1.0).to_le_bytes()).collect();
                return Ok((GgmlDType::F32, more));
            }
            Change::Paired { heads } => paired(&raw, self.dims[0], heads),
            Change::None | Change::Given(_) => raw,
        };
        if self.dtype == self.stored {
            return Ok((self.dtype, raw));
        }
        let floats = Tensor::from_vec(self.numbers(raw)?, self.dims.as_slice(), &Device::Cpu)?;
        Ok((self.dtype, QTensor::quantize(&floats, self.dtype)?.data()?.into_owned()))
    }

    /// The numbers that the stored bytes are.
    fn numbers(&self, raw: Vec<u8>) -> Result<Vec<f32>, LmError> {
        let storage = QStorage::from_data(Cow::Owned(raw), &Device::Cpu, self.stored)?;
        let tensor = QTensor::new(storage, self.dims.as_slice())?;
        Ok(tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?)
    }
}

/// Rows of each head, first those of one half and then those of the other, in turns.
fn paired(raw: &[u8], rows: usize, heads: usize) -> Vec<u8> {
    let (row, head) = (raw.len() / rows.max(1), rows / heads.max(1));
    let mut out = Vec::with_capacity(raw.len());
    for index in 0..rows {
        let (first, within) = (index / head.max(1) * head, index % head.max(1));
        let from = first + within / 2 + within % 2 * (head / 2);
        out.extend_from_slice(&raw[from * row..(from + 1) * row]);
    }
    out
}
