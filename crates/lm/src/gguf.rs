//! What is in a GGUF file: metadata, and tensors by name.
//!
//! In: a path, or the bytes of a file. Out: [`Gguf`], whose every declared length was checked against the length of the file
//! before anything was allocated, so that a truncated or hostile file is an error and not a crash.
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little endian.
//! Does not know what a model is.

mod header;
mod tensor;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::{GgmlDType, QStorage, QTensor};

use crate::{LmError, folder};
use header::Header;
pub(crate) use tensor::Change;
pub use tensor::TensorInfo;

/// A metadata value; integers and floats are widened.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any integer type.
    Int(i64),
    /// f32 or f64.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// UTF-8 (invalid bytes replaced).
    String(String),
    /// An array of any integer type or of booleans.
    Ints(Vec<i64>),
    /// An array of f32 or f64.
    Floats(Vec<f64>),
    /// An array of strings.
    Strings(Vec<String>),
}

impl Value {
    /// Kinds of tokens in `tokenizer.ggml.token_type`.
    pub(crate) const NORMAL_TOKEN: i64 = 1;
    pub(crate) const UNKNOWN_TOKEN: i64 = 2;
    pub(crate) const CONTROL_TOKEN: i64 = 3;
    pub(crate) const USER_TOKEN: i64 = 4;
}

/// An open GGUF file, or a Hugging Face folder that is read like one.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    files: Vec<Source>,
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, TensorInfo>,
}

/// Where bytes are read from.
#[derive(Debug)]
pub(crate) enum Source {
    File(BufReader<File>),
    Program(Cursor<&'static [u8]>),
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Source::File(file) => file.read(into),
            Source::Program(bytes) => bytes.read(into),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match self {
            Source::File(file) => file.seek(to),
            Source::Program(bytes) => bytes.seek(to),
        }
    }
}

impl Gguf {
    /// Reads header, metadata and tensor table; tensors are read by [`Gguf::tensor`]. A folder is taken for one of
    /// Hugging Face: `config.json`, `tokenizer.json`, `model*.safetensors`.
    pub fn open(path: &Path) -> Result<Gguf, LmError> {
        if path.is_dir() {
            return folder::open(path);
        }
        let io = |source| LmError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(broken(path, "not a regular file".into()));
        }
        Gguf::read(path, Source::File(BufReader::new(file)), about.len())
    }

    /// The same for a file that is part of the program; `name` is what errors call it.
    pub fn of_bytes(name: &str, bytes: &'static [u8]) -> Result<Gguf, LmError> {
        Gguf::read(Path::new(name), Source::Program(Cursor::new(bytes)), bytes.len() as u64)
    }

    fn read(path: &Path, file: Source, len: u64) -> Result<Gguf, LmError> {
        let mut header = Header::new(file, len);
        let (metadata, tensors) = header.read().map_err(|what| broken(path, what))?;
        Ok(Gguf { path: path.to_owned(), files: vec![header.file], metadata, tensors })
    }

    /// From parts that were read elsewhere.
    pub(crate) fn assembled(
        path: PathBuf,
        files: Vec<Source>,
        metadata: HashMap<String, Value>,
        tensors: HashMap<String, TensorInfo>,
    ) -> Gguf {
        Gguf { path, files, metadata, tensors }
    }

    /// From now on matrices of floats are read as Q8_0, where their rows fill blocks.
    pub fn quantize(&mut self) {
        let floats = [GgmlDType::F32, GgmlDType::F16, GgmlDType::BF16];
        for info in self.tensors.values_mut() {
            let fits = info.dims.len() == 2 && info.dims[1].is_multiple_of(GgmlDType::Q8_0.block_size());
            if fits && floats.contains(&info.dtype) {
                info.dtype = GgmlDType::Q8_0;
            }
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `tokenizer.json` beside the file, or in the folder, which wins over the metadata. A file that is part of the
    /// program lies nowhere, and nothing lies beside it.
    pub fn tokenizer_json(&self) -> Option<PathBuf> {
        let in_program = self.files.iter().any(|file| matches!(file, Source::Program(_)));
        let beside = self.path.with_file_name("tokenizer.json");
        (!in_program && beside.is_file()).then_some(beside)
    }

    /// The value of a metadata key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A string value.
    pub fn str(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Value::String(s)) => Some(s),
            _ => None,
        }
    }

    /// A non-negative integer value.
    pub fn int(&self, key: &str) -> Option<usize> {
        match self.get(key) {
            Some(Value::Int(n)) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Float(x)) => Some(*x),
            Some(Value::Int(n)) => Some(*n as f64),
            _ => None,
        }
    }

    /// A boolean value.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// A list of strings.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        match self.get(key) {
            Some(Value::Strings(list)) => Some(list),
            _ => None,
        }
    }

    /// All metadata, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Names of all tensors, in no order.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Type and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// Refuses a tensor of another shape than the metadata announces; one that is missing is refused when it is read.
    pub(crate) fn check_dims(&self, name: &str, dims: &[usize]) -> Result<(), LmError> {
        let found = self.info(name).map(|info| info.dims.as_slice());
        if found.is_some_and(|found| found != dims) {
            let what = format!("tensor {name} has the shape {found:?}, and its metadata asks for {dims:?}");
            return Err(broken(&self.path, what));
        }
        Ok(())
    }

    /// Reads a tensor on to `device`.
    pub fn tensor(&mut self, name: &str, device: &Device) -> Result<QTensor, LmError> {
        let (dtype, raw) = self.bytes(name)?;
        let storage = QStorage::from_data(Cow::Owned(raw), device, dtype)?;
        let dims = self.tensors.get(name).map_or(&[][..], |info| info.dims.as_slice());
        Ok(QTensor::new(storage, dims)?)
    }

    /// Reads the numbers of a tensor, row after row.
    pub(crate) fn numbers(&mut self, name: &str) -> Result<Vec<f32>, LmError> {
        Ok(self.tensor(name, &Device::Cpu)?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?)
    }

    /// Reads the bytes of a tensor.
    pub fn bytes(&mut self, name: &str) -> Result<(GgmlDType, Vec<u8>), LmError> {
        let Some(info) = self.tensors.get(name) else {
            return Err(broken(&self.path, format!("tensor {name} is missing")));
        };
        let raw = match &info.change {
            Change::Given(numbers) => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Change::None | Change::Paired { .. } | Change::PlusOne => {
                let io = |source| LmError::Io { path: self.path.clone(), source };
                let mut raw = vec![0; info.bytes];
                let file = &mut self.files[info.file];
                file.seek(SeekFrom::Start(info.start)).map_err(io)?;
                file.read_exact(&mut raw).map_err(io)?;
                raw
            }
        };
        info.changed(raw)
    }
}

fn broken(path: &Path, what: String) -> LmError {
    LmError::Gguf { path: path.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 3 that counts no tensors and no metadata.
    const EMPTY: &[u8] = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn a_file_in_the_program_has_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gguf");
        std::fs::write(&path, EMPTY).unwrap();
        assert_eq!(Gguf::open(&path).unwrap().tokenizer_json(), None);
        let beside = dir.path().join("tokenizer.json");
        std::fs::write(&beside, "{}").unwrap();
        assert_eq!(Gguf::open(&path).unwrap().tokenizer_json(), Some(beside));
        // Whatever lies where its name would be.
        assert_eq!(Gguf::of_bytes(path.to_str().unwrap(), EMPTY).unwrap().tokenizer_json(), None);
    }
}
