//! The model that is adapted: which file, what it is called, the hash that says it is the same.

use std::path::{Path, PathBuf};

use sectora_lm::gguf::Gguf;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::AdaptError;
use crate::config::Config;
use crate::generate::{PROMPT_KEY, READER};
use crate::model_store::{ModelKind, ModelStore, sha256};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Base {
    /// What `--generator` calls it: `embedded`, or a path.
    pub generator: String,
    /// Of its bytes; of a folder, of the names and hashes of its model files.
    pub sha256: String,
    /// Its prompts are laid out as the project's reader has them, so `embedded` may be its adaptation.
    pub is_reader: bool,
    #[serde(skip)]
    file: Option<PathBuf>,
    #[serde(skip)]
    quantize: bool,
}

impl Base {
    /// The model of `config.generator`; with `auto`, the project's reader.
    pub(super) fn of(config: &Config) -> Result<Base, AdaptError> {
        let models = ModelStore::open(&config.models_dir(), config.is_offline())?;
        let file = match config.generator.as_str() {
            "auto" | "embedded" => models.reader(),
            name @ ("extractive" | "span" | "remote" | "adapted") => {
                return Err(AdaptError::Generator(name.to_owned()));
            }
            name => Some(models.resolve(name, ModelKind::Generator)?),
        };
        let sha256 = match &file {
            None => hex(&Sha256::digest(READER)),
            Some(folder) if folder.is_dir() => of_folder(folder)?,
            Some(file) => sha256(file)?,
        };
        let generator = file.as_ref().map_or_else(|| "embedded".to_owned(), |f| f.display().to_string());
        let mut base = Base { generator, sha256, is_reader: false, file, quantize: config.quantize };
        base.is_reader = base.open()?.str(PROMPT_KEY) == Some("reader");
        Ok(base)
    }

    /// Its weights.
    pub(super) fn open(&self) -> Result<Gguf, AdaptError> {
        let mut gguf = match &self.file {
            Some(file) => Gguf::open(file)?,
            None => Gguf::of_bytes("the reader inside the program", READER)?,
        };
        if self.quantize {
            gguf.quantize();
        }
        Ok(gguf)
    }

    /// Bytes that a model of its size takes on disk.
    pub(super) fn bytes(&self) -> Result<u64, AdaptError> {
        let gguf = self.open()?;
        let tensors: usize = gguf.tensor_names().filter_map(|name| gguf.info(name)).map(|i| i.bytes()).sum();
        let tokenizer = gguf.tokenizer_json().map_or(Ok(0), |file| fs_err::metadata(file).map(|about| about.len()))?;
        // Metadata, which is mostly the vocabulary, and distances.
        Ok(tensors as u64 + tokenizer + (4 << 20))
    }
}

/// Of the files that make the model, whatever else lies beside them.
fn of_folder(folder: &Path) -> Result<String, AdaptError> {
    let mut names: Vec<PathBuf> = fs_err::read_dir(folder)?.filter_map(|e| Some(e.ok()?.path())).collect();
    let is_model = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        name == "config.json" || name == "tokenizer.json" || name.ends_with(".safetensors")
    };
    names.retain(is_model);
    names.sort();
    let mut all = Sha256::new();
    for path in names {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        all.update(format!("{name} {}\n", sha256(&path)?));
    }
    Ok(hex(&all.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::GgmlDType;
    use sectora_lm::Architecture;
    use sectora_lm::random::{RandomShape, write_gguf};

    use super::*;

    #[test]
    fn a_tokenizer_beside_the_model_takes_room_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tiny.gguf");
        write_gguf(&RandomShape::tiny(Architecture::Qwen3), GgmlDType::Q8_0, &file, 5).unwrap();
        let (generator, sha256) = (String::new(), String::new());
        let base = Base { generator, sha256, is_reader: false, file: Some(file), quantize: false };
        let without = base.bytes().unwrap();
        fs_err::write(dir.path().join("tokenizer.json"), [b' '; 1000]).unwrap();
        assert_eq!(base.bytes().unwrap(), without + 1000);
    }
}
