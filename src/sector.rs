//! A sector pack: one folder with a `sector.toml` that says all Sectora needs to know of an industry.
//!
//! Adding an industry is adding a folder; no code changes. Knows nothing of stores or models.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::document::{Access, Language};
use crate::error::{Classified, ErrorKind};
use crate::ingest::{Override, RecordMapping};
use crate::release;
use crate::text::bm25::Bm25;
use crate::text::letters;
use crate::text::width::narrowed;

/// The file that makes a folder a sector pack.
pub const SECTOR_FILE: &str = "sector.toml";

/// An industry: its languages, documents, record fields, glossary and examples.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sector {
    /// Short name, also the payload value and the folder name of its index.
    pub name: String,
    /// Name for people.
    pub title: Bilingual,
    /// One sentence for people.
    #[serde(default)]
    pub description: Bilingual,
    /// Languages of the documents.
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Folders and files that `sectora ingest` reads when no path is given, relative to the pack.
    #[serde(default)]
    pub documents: Vec<PathBuf>,
    /// Questions for the start page.
    #[serde(default)]
    pub examples: Examples,
    /// What the fields of record files mean.
    #[serde(default)]
    pub records: RecordMapping,
    /// What is done with personal data on release.
    #[serde(default)]
    pub release: release::Table,
    /// BM25 parameters.
    #[serde(default)]
    pub bm25: Bm25,
    /// Terms that mean the same.
    #[serde(default)]
    pub glossary: Vec<GlossaryRow>,
    /// Names of one institute.
    #[serde(default)]
    pub institutes: Vec<InstituteRow>,
    /// Facts about single files.
    #[serde(default)]
    pub documents_override: Vec<DocumentOverride>,
    /// The folder of the pack.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Korean.
    pub ko: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// The text in a reader's language.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::Ko => &self.ko,
            Language::En | Language::Other => &self.en,
        }
    }
}

/// Example questions in both languages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Korean.
    #[serde(default)]
    pub ko: Vec<String>,
    /// English.
    #[serde(default)]
    pub en: Vec<String>,
}

/// One row of the glossary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlossaryRow {
    /// Korean, English, abbreviations, in any order.
    pub terms: Vec<String>,
}

/// The names of one institute; the first is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstituteRow {
    /// Korean, English, abbreviations, in any order.
    pub names: Vec<String>,
    /// What it was called before.
    #[serde(default)]
    pub former: Vec<String>,
}

impl InstituteRow {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.names.iter().chain(&self.former)
    }
}

/// The rows of institutes by their names; width, case, blanks and marks do not matter. A name in two rows is the first one's.
pub struct InstituteNames<'s>(HashMap<String, &'s InstituteRow>);

impl<'s> InstituteNames<'s> {
    /// The names that `sector` gives institutes.
    pub fn of(sector: &'s Sector) -> InstituteNames<'s> {
        let mut rows = HashMap::new();
        for row in &sector.institutes {
            for name in row.all() {
                rows.entry(plain(name)).or_insert(row);
            }
        }
        InstituteNames(rows)
    }

    /// The row that has this name.
    pub fn row(&self, name: &str) -> Option<&'s InstituteRow> {
        self.0.get(&plain(name)).copied()
    }
}

fn plain(name: &str) -> String {
    letters(&narrowed(name))
}

/// Facts about one file that the file itself does not state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentOverride {
    /// Path relative to the documents folder.
    pub path: String,
    /// Document type.
    pub doc_type: Option<String>,
    /// Institution.
    pub institution: Option<String>,
    /// Year.
    pub year: Option<i32>,
    /// Access level.
    pub access: Option<Access>,
    /// Anything else.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// What can be wrong with a sector pack.
#[derive(Debug, thiserror::Error)]
pub enum SectorError {
    /// No such pack.
    #[error(
        "no sector `{name}`: {looked} holds no `{name}/sector.toml`. Known there: {known}. Choose with --sector NAME or --sector FOLDER"
    )]
    NotFound {
        /// What was asked.
        name: String,
        /// Where.
        looked: String,
        /// What is there.
        known: String,
    },
    /// The pack's file is wrong.
    #[error("{path}: {what}")]
    Invalid {
        /// File.
        path: String,
        /// What is wrong.
        what: String,
    },
}

impl Classified for SectorError {
    fn kind(&self) -> ErrorKind {
        match self {
            SectorError::NotFound { .. } => ErrorKind::NotFound,
            SectorError::Invalid { .. } => ErrorKind::BadInput,
        }
    }
}

impl Sector {
    /// Opens a pack by name (in `sectors_dir`) or by folder.
    pub fn open(name: &str, sectors_dir: &Path) -> Result<Sector, SectorError> {
        let by_folder = Path::new(name).join(SECTOR_FILE);
        let by_name = sectors_dir.join(name).join(SECTOR_FILE);
        let path = if is_plain_name(name) && by_name.is_file() {
            by_name
        } else if by_folder.is_file() {
            by_folder
        } else {
            let known = list(sectors_dir);
            return Err(SectorError::NotFound {
                name: name.to_owned(),
                looked: sectors_dir.display().to_string(),
                known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            });
        };
        let invalid = |what: String| SectorError::Invalid { path: path.display().to_string(), what };
        let text = fs_err::read_to_string(&path).map_err(|e| invalid(e.to_string()))?;
        let mut sector: Sector = toml::from_str(&text).map_err(|e| invalid(e.to_string().trim_end().to_owned()))?;
        if !is_plain_name(&sector.name) {
            return Err(invalid(format!("name = `{}` may hold letters, digits, `-` and `_` only", sector.name)));
        }
        release::Policy::new(&sector.release).map_err(|e| invalid(e.to_string()))?;
        sector.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(sector)
    }

    /// The pack's own documents, absolute or relative to the working folder.
    pub fn document_roots(&self) -> Vec<PathBuf> {
        self.documents.iter().map(|d| self.folder.join(d)).collect()
    }

    /// What the pack states about the file at `path` (as given to ingest).
    pub fn stated(&self, path: &Path) -> Option<Override> {
        let row = self.documents_override.iter().find(|row| {
            self.document_roots().iter().any(|root| path.strip_prefix(root).is_ok_and(|p| p == Path::new(&row.path)))
        })?;
        Some(Override {
            doc_type: row.doc_type.clone(),
            institution: row.institution.clone(),
            year: row.year,
            access: row.access,
            fields: row.fields.clone(),
        })
    }
}

/// What to read where `root` was named: the documents of the pack that `root` is, or `root` itself.
pub fn documents_below(root: &Path) -> Result<Vec<PathBuf>, SectorError> {
    if !root.join(SECTOR_FILE).is_file() {
        return Ok(vec![root.to_path_buf()]);
    }
    Ok(Sector::open(&root.to_string_lossy(), Path::new(""))?.document_roots())
}

/// The pack whose folder `path` is or lies in, the nearest one; `None` where there is none, or its file is wrong.
pub fn around(path: &Path) -> Option<Sector> {
    let path = fs_err::canonicalize(path).ok()?;
    let folder = path.ancestors().find(|folder| folder.join(SECTOR_FILE).is_file())?;
    Sector::open(&folder.to_string_lossy(), Path::new("")).ok()
}

/// Names of the packs in a folder, sorted.
pub fn list(sectors_dir: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(sectors_dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().join(SECTOR_FILE).is_file())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_sector_is_refused_with_the_known_ones() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("steel")).unwrap();
        fs_err::write(dir.path().join("steel/sector.toml"), "name='steel'\ntitle={ko='철강',en='Steel'}\n").unwrap();
        let error = Sector::open("stele", dir.path()).unwrap_err().to_string();
        assert!(error.contains("stele") && error.contains("steel"), "{error}");
        assert_eq!(Sector::open("steel", dir.path()).unwrap().title.ko, "철강");
        assert!(Sector::open("../steel", &dir.path().join("steel")).is_err());
    }

    #[test]
    fn a_mistyped_key_names_its_line() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("x")).unwrap();
        fs_err::write(dir.path().join("x/sector.toml"), "name='x'\ntitel={ko='',en=''}\n").unwrap();
        let error = Sector::open("x", dir.path()).unwrap_err().to_string();
        assert!(error.contains("titel") && error.contains("line 2"), "{error}");
    }
}
