//! What a card says of a model.

use std::fmt;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::ModelError;

/// The built-in cards; of each kind the one to prefer first.
const BUILT_IN: &[(&str, &str)] = &[
    ("qwen3-1.7b", include_str!("../../models/qwen3-1.7b.toml")),
    ("qwen3-0.6b", include_str!("../../models/qwen3-0.6b.toml")),
    ("gemma-3-1b-it", include_str!("../../models/gemma-3-1b-it.toml")),
    ("phi-3.5-mini-instruct", include_str!("../../models/phi-3.5-mini-instruct.toml")),
    ("llama-3.2-1b-instruct", include_str!("../../models/llama-3.2-1b-instruct.toml")),
    ("multilingual-e5-small", include_str!("../../models/multilingual-e5-small.toml")),
    ("all-minilm-l6-v2", include_str!("../../models/all-minilm-l6-v2.toml")),
];

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Writes text; one GGUF file.
    Generator,
    /// Turns text into vectors; a folder.
    Encoder,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ModelKind::Generator => "generator (a GGUF file, or a Hugging Face folder with config.json, tokenizer.json and model*.safetensors)",
            ModelKind::Encoder => "encoder (a folder with config.json, tokenizer.json and model.safetensors)",
        })
    }
}

/// A model and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What commands and settings call it.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it does.
    pub kind: ModelKind,
    /// Repository on the hub.
    pub repo: String,
    /// Commit of that repository; without it the card is unpinned.
    #[serde(default)]
    pub revision: Option<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Languages it was made for.
    pub languages: Vec<String>,
    /// Longest input it was trained on, tokens.
    pub context: usize,
    /// Memory it needs at work, approximately.
    pub memory_mb: u64,
    /// Its files; of a generator the first is the model.
    pub files: Vec<CardFile>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// Path in the repository.
    pub path: String,
    /// Hash; without it the card is unpinned.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Size, approximately; none where it does not matter.
    #[serde(default)]
    pub megabytes: Option<u64>,
}

impl Card {
    /// True when revision and all hashes are pinned.
    pub fn is_pinned(&self) -> bool {
        self.revision.is_some() && self.files.iter().all(|file| file.sha256.is_some())
    }

    /// Size of a download, approximately.
    pub fn megabytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.megabytes).sum()
    }

    fn parse(text: &str) -> Result<Card, String> {
        let card: Card = toml::from_str(text).map_err(|e| e.to_string())?;
        let inside = |path: &str| {
            !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
        };
        let plain = |name: &str| !name.contains(['/', '\\']) && inside(name);
        if !plain(&card.name) {
            return Err(format!("the name {:?} is no file name", card.name));
        }
        if card.files.is_empty() {
            return Err("it lists no files".into());
        }
        if let Some(file) = card.files.iter().find(|file| !inside(&file.path)) {
            return Err(format!("the file {:?} lies outside the model's folder", file.path));
        }
        let hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if card.files.iter().filter_map(|file| file.sha256.as_ref()).any(|found| !hash(found)) {
            return Err("a sha256 is not 64 hexadecimal digits in lower case".into());
        }
        Ok(card)
    }
}

/// The built-in cards and those in `folder`, which replace built-in ones of the same name and come first.
pub(super) fn all(folder: &Path) -> Result<Vec<Card>, ModelError> {
    let mut cards = own(folder)?;
    for (name, text) in BUILT_IN {
        let path = Path::new("models").join(format!("{name}.toml"));
        let card = Card::parse(text).map_err(|what| ModelError::Card { path, what })?;
        if cards.iter().all(|own| own.name != card.name) {
            cards.push(card);
        }
    }
    Ok(cards)
}

fn own(folder: &Path) -> Result<Vec<Card>, ModelError> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let text = fs_err::read_to_string(&path)?;
        Card::parse(&text).map_err(|what| ModelError::Card { path, what })
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_in_the_folder_is_built_in_under_its_file_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let cards = all(Path::new("/nowhere")).unwrap();
        let mut files: Vec<String> = own(&folder).unwrap().into_iter().map(|card| card.name).collect();
        let mut built_in: Vec<String> = cards.into_iter().map(|card| card.name).collect();
        files.sort();
        built_in.sort();
        assert_eq!(files, built_in);
        assert!(BUILT_IN.iter().all(|(name, text)| Card::parse(text).unwrap().name == *name));
    }

    #[test]
    fn a_card_cannot_write_outside_its_folder() {
        let text = BUILT_IN[0].1;
        let parse = |from: &str, to: &str| Card::parse(&text.replace(from, to)).map(|_| ());
        for path in ["../../etc/passwd", "/etc/passwd", ""] {
            assert!(parse("Qwen3-1.7B-Q8_0.gguf", path).is_err(), "{path}");
        }
        assert!(parse("name = \"qwen3-1.7b\"", "name = \"../x\"").is_err());
        assert!(parse("licence", "license").is_err());
    }
}
