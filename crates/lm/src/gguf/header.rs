//! A file's header: metadata, and where its tensors are.

use std::collections::HashMap;
use std::io::Read;

use candle_core::quantized::GgmlDType;

use super::{Source, TensorInfo, Value};

const MAGIC: &[u8; 4] = b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_DIMENSIONS: u32 = 4;

pub(super) type Parsed = (HashMap<String, Value>, HashMap<String, TensorInfo>);

/// A reader that never believes a length it has not compared with the bytes that are left.
pub(super) struct Header {
    pub(super) file: Source,
    at: u64,
    len: u64,
}

impl Header {
    pub(super) fn new(file: Source, len: u64) -> Header {
        Header { file, at: 0, len }
    }

    pub(super) fn read(&mut self) -> Result<Parsed, String> {
        let magic: [u8; 4] = self.bytes()?;
        if &magic != MAGIC {
            return Err(format!("it begins with {magic:02x?} and not with \"GGUF\""));
        }
        let version = u32::from_le_bytes(self.bytes()?);
        if !(2..=3).contains(&version) {
            return Err(format!("GGUF version {version} is not supported (2 and 3 are)"));
        }
        let tensor_count = self.count("tensors", 8 + 4 + 4 + 8)?;
        let key_count = self.count("metadata entries", 8 + 4 + 1)?;
        let mut metadata = HashMap::new();
        for _ in 0..key_count {
            let key = self.string()?;
            let kind = u32::from_le_bytes(self.bytes()?);
            let value = self.value(kind).map_err(|what| format!("metadata {key}: {what}"))?;
            metadata.insert(key, value);
        }
        let mut tensors = HashMap::new();
        for _ in 0..tensor_count {
            let name = self.string()?;
            let info = self.tensor_info().map_err(|what| format!("tensor {name}: {what}"))?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(format!("tensor {name} is listed twice"));
            }
        }
        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Int(n)) if *n > 0 && n.count_ones() == 1 => *n as u64,
            Some(other) => return Err(format!("general.alignment is {other:?}, not a power of two")),
        };
        self.place(&mut tensors, alignment)?;
        Ok((metadata, tensors))
    }

    /// Turns offsets into places in the file and checks that each tensor lies inside it.
    fn place(&self, tensors: &mut HashMap<String, TensorInfo>, alignment: u64) -> Result<(), String> {
        let outside = || "the tensor table points outside the file".to_owned();
        let data = self.at.checked_next_multiple_of(alignment).ok_or_else(outside)?;
        for (name, info) in tensors {
            info.start = data.checked_add(info.start).ok_or_else(outside)?;
            let end = info.start.checked_add(info.bytes as u64).ok_or_else(outside)?;
            if end > self.len {
                let (bytes, start, len) = (info.bytes, info.start, self.len);
                return Err(format!("tensor {name} takes {bytes} bytes from {start}, but the file ends at {len}"));
            }
        }
        Ok(())
    }

    fn tensor_info(&mut self) -> Result<TensorInfo, String> {
        let rank = u32::from_le_bytes(self.bytes()?);
        if rank > MAX_DIMENSIONS {
            return Err(format!("{rank} dimensions (at most {MAX_DIMENSIONS})"));
        }
        let mut dims = Vec::new();
        for _ in 0..rank {
            let dim = u64::from_le_bytes(self.bytes()?);
            dims.push(usize::try_from(dim).map_err(|_| format!("dimension {dim}"))?);
        }
        dims.reverse();
        if dims.contains(&0) {
            return Err(format!("shape {dims:?} has no elements"));
        }
        let dtype = dtype(u32::from_le_bytes(self.bytes()?))?;
        let start = u64::from_le_bytes(self.bytes()?);
        let row = dims.last().copied().unwrap_or(1);
        if !row.is_multiple_of(dtype.block_size()) {
            return Err(format!("rows of {row} elements do not fill blocks of {}", dtype.block_size()));
        }
        let elements = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        let bytes = elements.and_then(|n| (n / dtype.block_size()).checked_mul(dtype.type_size()));
        match bytes {
            Some(bytes) if bytes as u64 <= self.len => Ok(TensorInfo::at(dtype, dims, start, bytes)),
            _ => Err(format!("shape {dims:?} is larger than the file")),
        }
    }

    fn value(&mut self, kind: u32) -> Result<Value, String> {
        if kind != kind::ARRAY {
            return self.scalar(kind);
        }
        let element = u32::from_le_bytes(self.bytes()?);
        let least = kind::least_bytes(element).ok_or_else(|| format!("array of value type {element}"))?;
        let count = self.count("array elements", least)?;
        match element {
            kind::STRING => (0..count).map(|_| self.string()).collect::<Result<_, _>>().map(Value::Strings),
            kind::F32 | kind::F64 => {
                let floats = (0..count).map(|_| match self.scalar(element)? {
                    Value::Float(x) => Ok(x),
                    other => Err(format!("{other:?} in an array of floats")),
                });
                floats.collect::<Result<_, _>>().map(Value::Floats)
            }
            _ => {
                let ints = (0..count).map(|_| match self.scalar(element)? {
                    Value::Int(n) => Ok(n),
                    Value::Bool(b) => Ok(i64::from(b)),
                    other => Err(format!("{other:?} in an array of integers")),
                });
                ints.collect::<Result<_, _>>().map(Value::Ints)
            }
        }
    }

    fn scalar(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            kind::U8 => Value::Int(u8::from_le_bytes(self.bytes()?).into()),
            kind::I8 => Value::Int(i8::from_le_bytes(self.bytes()?).into()),
            kind::U16 => Value::Int(u16::from_le_bytes(self.bytes()?).into()),
            kind::I16 => Value::Int(i16::from_le_bytes(self.bytes()?).into()),
            kind::U32 => Value::Int(u32::from_le_bytes(self.bytes()?).into()),
            kind::I32 => Value::Int(i32::from_le_bytes(self.bytes()?).into()),
            kind::U64 => {
                let n = u64::from_le_bytes(self.bytes()?);
                Value::Int(i64::try_from(n).map_err(|_| format!("integer {n} is too large"))?)
            }
            kind::I64 => Value::Int(i64::from_le_bytes(self.bytes()?)),
            kind::F32 => Value::Float(f32::from_le_bytes(self.bytes()?).into()),
            kind::F64 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            kind::BOOL => Value::Bool(self.bytes::<1>()? != [0]),
            kind::STRING => Value::String(self.string()?),
            other => return Err(format!("value type {other} is not known")),
        })
    }

    fn string(&mut self) -> Result<String, String> {
        let len = self.count("string bytes", 1)?;
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        })
    }

    /// A count of things that take at least `least` bytes each.
    fn count(&mut self, what: &str, least: u64) -> Result<usize, String> {
        let count = u64::from_le_bytes(self.bytes()?);
        let left = self.len - self.at;
        match count.checked_mul(least) {
            Some(needed) if needed <= left => Ok(count as usize),
            _ => Err(format!("{count} {what} are declared before byte {} with {left} bytes left", self.at)),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        if bytes.len() as u64 > self.len - self.at {
            return Err(format!("it ends at byte {} in the middle of its header", self.len));
        }
        self.file.read_exact(bytes).map_err(|e| format!("reading at byte {}: {e}", self.at))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// Value types as the file numbers them.
mod kind {
    pub(super) const U8: u32 = 0;
    pub(super) const I8: u32 = 1;
    pub(super) const U16: u32 = 2;
    pub(super) const I16: u32 = 3;
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const STRING: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
    pub(super) const U64: u32 = 10;
    pub(super) const I64: u32 = 11;
    pub(super) const F64: u32 = 12;

    /// Fewest bytes an array element takes; arrays of arrays do not occur in models and are refused.
    pub(super) fn least_bytes(kind: u32) -> Option<u64> {
        match kind {
            U8 | I8 | BOOL => Some(1),
            U16 | I16 => Some(2),
            U32 | I32 | F32 => Some(4),
            U64 | I64 | F64 | STRING => Some(8),
            _ => None,
        }
    }
}

/// Element types as ggml numbers them; newer ones (IQ, MXFP4) have no kernel in candle.
fn dtype(number: u32) -> Result<GgmlDType, String> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        15 => GgmlDType::Q8K,
        30 => GgmlDType::BF16,
        other => return Err(format!("quantization type {other} has no kernel here; choose a Q4_K_M or Q8_0 file")),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::gguf::Gguf;

    /// A header of version 3 with these counts, then `rest`.
    fn file(tensors: u64, keys: u64, rest: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(keys.to_le_bytes());
        bytes.extend(rest);
        raw(&bytes)
    }

    fn raw(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn refused((_dir, path): (tempfile::TempDir, PathBuf), expect: &str) {
        let error = Gguf::open(&path).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn other_files_and_truncated_headers_are_refused() {
        refused(raw(b""), "ends at byte 0");
        refused(raw(b"PK\x03\x04 a zip file"), "not with \"GGUF\"");
        refused(raw(b"GGUF\x09\0\0\0"), "version 9");
        refused(raw(b"GGUF\x03\0\0\0\x01"), "ends at byte 9");
    }

    #[test]
    fn declared_counts_are_compared_with_the_file_before_anything_is_allocated() {
        refused(file(u64::MAX, 0, b""), "tensors are declared");
        refused(file(0, 1 << 60, b""), "metadata entries are declared");
        let huge_string = [&u64::MAX.to_le_bytes()[..], b"a name"].concat();
        refused(file(0, 1, &huge_string), "string bytes are declared");
        let huge_array = [string("k"), 9u32.to_le_bytes().into(), 4u32.to_le_bytes().into(), vec![0xff; 7]].concat();
        refused(file(0, 1, &huge_array), "metadata k");
    }

    #[test]
    fn a_tensor_must_lie_inside_the_file() {
        let tensor = |dims: &[u64], dtype: u32, offset: u64| {
            let mut bytes = string("t");
            bytes.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|d| bytes.extend(d.to_le_bytes()));
            bytes.extend(dtype.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes
        };
        refused(file(1, 0, &tensor(&[u64::MAX, u64::MAX], 0, 0)), "larger than the file");
        refused(file(1, 0, &tensor(&[8], 0, 1 << 40)), "but the file ends");
        refused(file(1, 0, &tensor(&[8], 0, u64::MAX)), "points outside");
        refused(file(1, 0, &tensor(&[33], 8, 0)), "do not fill blocks");
        refused(file(1, 0, &tensor(&[0], 0, 0)), "shape [0] has no elements");
        refused(file(1, 0, &tensor(&[32, 0], 8, 0)), "shape [0, 32] has no elements");
        refused(file(1, 0, &tensor(&[32], 23, 0)), "quantization type 23");
    }

    #[test]
    fn an_alignment_of_zero_is_refused() {
        let zero = [string("general.alignment"), 4u32.to_le_bytes().into(), 0u32.to_le_bytes().into()].concat();
        refused(file(0, 1, &zero), "general.alignment");
    }
}
