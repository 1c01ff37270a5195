//! Which models there are, and where on this machine: a card in `models/` becomes a verified local path.
//!
//! In: a card's name, or a path, which is always accepted. Out: a GGUF file (generator) or a folder
//! (encoder). A model is looked for in the data folder's `models/` and in the hub's cache; only
//! [`ModelStore::pull`] goes to the network. Knows nothing of what a model computes.
//!
//! A card without `revision` and `sha256` is *unpinned*: what the hub sends cannot be checked, so it is
//! refused unless the caller allows it.

mod adapted;
mod card;
mod hub;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use adapted::{Adapted, Current};
pub(crate) use adapted::{put, write_whole};
pub use card::{Card, CardFile, ModelKind};
use hub::Hub;
use sha2::{Digest, Sha256};

use crate::error::{Classified, ErrorKind};

/// File name of a reading model that is taken instead of the one inside the program.
const READER: &str = "reader.gguf";

/// What can go wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Neither a card nor a path.
    #[error("no model is called {name} and no file or folder has this path; `sectora models list` shows: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names of cards.
        known: String,
    },
    /// The card or path is of the other kind.
    #[error("{name} is no {wanted}")]
    Kind {
        /// What was asked for.
        name: String,
        /// What was needed.
        wanted: ModelKind,
    },
    /// Known, but not on this machine.
    #[error("{name} is not on this machine; `sectora models pull {name}` downloads it, or put its files in {}", folder.display())]
    Absent {
        /// Card.
        name: String,
        /// Where its files may be put by hand.
        folder: PathBuf,
    },
    /// Downloads are switched off.
    #[error("{name} is not downloaded while offline (--offline, HF_HUB_OFFLINE)")]
    Offline {
        /// Card.
        name: String,
    },
    /// A card that cannot be checked.
    #[error(
        "{name} has no pinned revision and hash, so what comes cannot be checked; accept that with --allow-unpinned"
    )]
    Unpinned {
        /// Card.
        name: String,
    },
    /// The hub did not deliver.
    #[error("{url}: {what}; or put the file in {} by hand", folder.display())]
    Hub {
        /// What was asked for.
        url: String,
        /// What happened.
        what: String,
        /// Where its files may be put by hand.
        folder: PathBuf,
    },
    /// A file is not what its card says.
    #[error("{} has the sha256 {found} and its card says {expected}; delete it and pull again", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// Computed.
        found: String,
        /// Pinned.
        expected: String,
    },
    /// A card that is not one.
    #[error("card {}: {what}", path.display())]
    Card {
        /// The card.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Classified for ModelError {
    fn kind(&self) -> ErrorKind {
        match self {
            ModelError::Unknown { .. } | ModelError::Absent { .. } => ErrorKind::NotFound,
            ModelError::Kind { .. } | ModelError::Unpinned { .. } | ModelError::Card { .. } => ErrorKind::BadInput,
            ModelError::Offline { .. } | ModelError::Hub { .. } | ModelError::Io(_) => ErrorKind::Unavailable,
            ModelError::Hash { .. } => ErrorKind::Conflict,
        }
    }
}

/// What a check of one file said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// The file.
    pub path: PathBuf,
    /// Its sha256.
    pub sha256: String,
    /// True when the card pins this hash; false when the card has none.
    pub pinned: bool,
}

/// The cards, and the places where models lie.
pub struct ModelStore {
    folder: PathBuf,
    offline: bool,
    cards: Vec<Card>,
    hub: Hub,
}

impl ModelStore {
    /// The built-in cards and those in `folder`, where models may also lie; the hub and its cache are those
    /// of `HF_ENDPOINT` and `HF_HOME`, which `hf-hub` reads.
    pub fn open(folder: &Path, offline: bool) -> Result<ModelStore, ModelError> {
        ModelStore::with_hub(folder, offline, Hub::from_env())
    }

    fn with_hub(folder: &Path, offline: bool, hub: Hub) -> Result<ModelStore, ModelError> {
        Ok(ModelStore { cards: card::all(folder)?, folder: folder.to_owned(), offline, hub })
    }

    /// All cards; of each kind the one to prefer comes first.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The card of this name.
    pub fn card(&self, name: &str) -> Result<&Card, ModelError> {
        self.cards.iter().find(|card| card.name == name).ok_or_else(|| {
            let known = self.cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>().join(", ");
            ModelError::Unknown { name: name.into(), known }
        })
    }

    /// Where a model is: the GGUF file of a generator, the folder of an encoder; nothing if it is not here.
    pub fn locate(&self, card: &Card) -> Option<PathBuf> {
        let by_hand = [self.by_hand(card), self.folder.clone()];
        let folders = by_hand.into_iter().chain(self.hub.snapshot(card));
        let complete = |folder: &PathBuf| card.files.iter().all(|file| folder.join(&file.path).is_file());
        let folder = folders.into_iter().find(complete)?;
        Some(match card.kind {
            ModelKind::Generator => folder.join(&card.files.first()?.path),
            ModelKind::Encoder => folder,
        })
    }

    /// The first model of this kind that is here: a card's, else any GGUF file in the models folder.
    pub fn present(&self, kind: ModelKind) -> Option<PathBuf> {
        let of_kind = self.cards.iter().filter(|card| card.kind == kind);
        of_kind.into_iter().find_map(|card| self.locate(card)).or_else(|| match kind {
            ModelKind::Generator => self.any_gguf(),
            ModelKind::Encoder => None,
        })
    }

    /// A reading model of one's own, `reader.gguf` in the models folder; without it the one inside the program is meant.
    pub fn reader(&self) -> Option<PathBuf> {
        Some(self.folder.join(READER)).filter(|path| path.is_file())
    }

    /// The models adapted to a sector.
    pub fn adapted(&self, sector: &str) -> Adapted {
        Adapted::of(self.folder.join("adapted").join(sector))
    }

    /// The path that a setting means: a path that exists, or the model of a card.
    pub fn resolve(&self, name: &str, kind: ModelKind) -> Result<PathBuf, ModelError> {
        let path = Path::new(name);
        let card = match self.card(name) {
            Ok(card) => card,
            Err(_) if path.exists() => return path_of_kind(path, kind),
            Err(unknown) => return Err(unknown),
        };
        if card.kind != kind {
            return Err(ModelError::Kind { name: name.into(), wanted: kind });
        }
        self.locate(card).ok_or_else(|| ModelError::Absent { name: name.into(), folder: self.by_hand(card) })
    }

    /// Downloads what is missing, checks it against the card, and says where it is.
    pub fn pull(&self, name: &str, allow_unpinned: bool, progress: bool) -> Result<PathBuf, ModelError> {
        let card = self.card(name)?;
        if self.locate(card).is_none() {
            if !card.is_pinned() && !allow_unpinned {
                return Err(ModelError::Unpinned { name: name.into() });
            }
            if self.offline {
                return Err(ModelError::Offline { name: name.into() });
            }
            for file in &card.files {
                let path = self.hub.fetch(card, file, progress).map_err(|(url, what)| {
                    let folder = self.by_hand(card);
                    ModelError::Hub { url, what, folder }
                })?;
                if let Err(error) = verify_file(&path, file) {
                    hub::discard(&path);
                    return Err(error);
                }
            }
        }
        self.verify(name)?;
        self.resolve(name, card.kind)
    }

    /// Computes the hash of each file of a model and compares it with the card.
    pub fn verify(&self, name: &str) -> Result<Vec<Verified>, ModelError> {
        let card = self.card(name)?;
        let located = self.resolve(name, card.kind)?;
        let folder = match card.kind {
            ModelKind::Generator => located.parent().map(Path::to_owned).unwrap_or_default(),
            ModelKind::Encoder => located,
        };
        card.files.iter().map(|file| verify_file(&folder.join(&file.path), file)).collect()
    }

    /// Where the files of a card may be put by hand.
    pub fn by_hand(&self, card: &Card) -> PathBuf {
        self.folder.join(&card.name)
    }

    fn any_gguf(&self) -> Option<PathBuf> {
        let entries = fs_err::read_dir(&self.folder).ok()?;
        let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        // The reader is asked for by name (`embedded`); it is not what `auto` should prefer to the documents' own sentences.
        files.retain(|path| path.is_file() && is_gguf(path) && path.file_name().is_none_or(|name| name != READER));
        files.sort();
        files.into_iter().next()
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

fn path_of_kind(path: &Path, kind: ModelKind) -> Result<PathBuf, ModelError> {
    let fits = match kind {
        // A GGUF file, or a Hugging Face folder.
        ModelKind::Generator => path.is_file() && is_gguf(path) || path.join("config.json").is_file(),
        ModelKind::Encoder => path.is_dir(),
    };
    if fits { Ok(path.to_owned()) } else { Err(ModelError::Kind { name: path.display().to_string(), wanted: kind }) }
}

fn verify_file(path: &Path, file: &CardFile) -> Result<Verified, ModelError> {
    let found = sha256(path)?;
    match &file.sha256 {
        Some(expected) if *expected != found => {
            Err(ModelError::Hash { path: path.to_owned(), found, expected: expected.clone() })
        }
        pinned => Ok(Verified { path: path.to_owned(), sha256: found, pinned: pinned.is_some() }),
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String, ModelError> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
