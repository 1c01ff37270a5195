//! A whole model file again: each matrix with its addition, in the format it had.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{self, Value as Written};

use super::Adapters;
use crate::LmError;
use crate::gguf::{Gguf, Value};

/// Writes `gguf` with the additions to `path`, `notes` among its metadata, and waits until it is on disk. What has no
/// addition keeps its bytes; a matrix that has one is quantized anew as it was. Where the tokenizer is a
/// `tokenizer.json` beside `gguf`, a copy of it is put beside `path`; another one that lies there is refused.
///
/// The file is written in place: write beside where it is to be, then rename.
pub fn merge(gguf: &mut Gguf, adapters: &Adapters, notes: &[(&str, String)], path: &Path) -> Result<(), LmError> {
    copy_tokenizer(gguf, path)?;
    let mut names: Vec<String> = gguf.tensor_names().map(str::to_owned).collect();
    names.sort();
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let tensor = gguf.tensor(&name, &Device::Cpu)?;
        let delta = name.strip_suffix(".weight").map(|matrix| adapters.delta(matrix)).transpose()?.flatten();
        let tensor = match delta {
            None => tensor,
            Some(delta) => QTensor::quantize(&(tensor.dequantize(&Device::Cpu)? + delta)?, tensor.dtype())?,
        };
        tensors.push((name, tensor));
    }
    let mut metadata: Vec<(String, Written)> = gguf
        .entries()
        // Tensors are laid out anew, at the distance every reader assumes.
        .filter(|(key, _)| *key != "general.alignment" && !notes.iter().any(|(noted, _)| noted == key))
        .map(|(key, value)| (key.to_owned(), written(value)))
        .collect();
    metadata.extend(notes.iter().map(|(key, text)| ((*key).to_owned(), Written::String(text.clone()))));
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    let metadata: Vec<(&str, &Written)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let io = |source| LmError::Io { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    gguf_file::write(&mut file, &metadata, &tensors).map_err(|e| match e {
        candle_core::Error::Io(source) => io(source),
        other => other.into(),
    })?;
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)
}

/// A `tokenizer.json` has rules that the metadata lacks: how words are cut, which pairs are merged.
fn copy_tokenizer(gguf: &Gguf, path: &Path) -> Result<(), LmError> {
    let Some(from) = gguf.tokenizer_json() else { return Ok(()) };
    let rules = std::fs::read(&from).map_err(|source| LmError::Io { path: from, source })?;
    let to = path.with_file_name("tokenizer.json");
    let copied = match std::fs::read(&to) {
        Ok(there) if there == rules => Ok(()),
        Ok(_) => Err(std::io::Error::new(
            ErrorKind::AlreadyExists,
            "another model's tokenizer lies here; write the merged model to a folder of its own",
        )),
        Err(_) => File::create(&to).and_then(|mut file| file.write_all(&rules).and_then(|()| file.sync_all())),
    };
    copied.map_err(|source| LmError::Io { path: to, source })
}

/// The types that llama.cpp expects of sizes, token types, scores and frequencies.
fn written(value: &Value) -> Written {
    let int = |n: i64| match (u32::try_from(n), i32::try_from(n)) {
        (Ok(n), _) => Written::U32(n),
        (_, Ok(n)) => Written::I32(n),
        _ => Written::I64(n),
    };
    let small = |n: i64| i32::try_from(n).map_or(Written::I64(n), Written::I32);
    match value {
        Value::Int(n) => int(*n),
        Value::Float(x) => Written::F32(*x as f32),
        Value::Bool(b) => Written::Bool(*b),
        Value::String(s) => Written::String(s.clone()),
        Value::Ints(all) => Written::Array(match all.iter().all(|n| i32::try_from(*n).is_ok()) {
            true => all.iter().map(|n| small(*n)).collect(),
            false => all.iter().map(|n| Written::I64(*n)).collect(),
        }),
        Value::Floats(all) => Written::Array(all.iter().map(|x| Written::F32(*x as f32)).collect()),
        Value::Strings(all) => Written::Array(all.iter().map(|s| Written::String(s.clone())).collect()),
    }
}
