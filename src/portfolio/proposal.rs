//! A proposal: text with a title, its facts and its sentences by facet.
//!
//! From a file through the ingest worker, from plain text as it stands (offsets then count characters of
//! exactly that text), or from a document of the index.

use std::path::Path;

use super::PortfolioError;
use super::facet::{Facet, Sentence};
use super::institute::Institutes;
use super::project::Project;
use super::reading::Reading;
use crate::config;
use crate::document::{Document, Span};
use crate::ingest::{ExtractOptions, Limits, RecordMapping, assemble, extract};

/// Longest text that is read, bytes; a proposal of 100 pages has some 400,000.
const LONGEST: usize = 4 << 20;

/// What is to be checked.
pub struct Proposal {
    /// Its text and place.
    pub document: Document,
    /// Its facts and sentences.
    pub project: Project,
    /// What a language model read in it, where one was asked.
    pub reading: Option<Reading>,
}

impl Proposal {
    /// A document of the index, or one just read.
    pub fn of(document: Document, institutes: &Institutes) -> Proposal {
        let mut project = Project::read(&document, institutes);
        let (text, whole) = (document.text.as_str(), document.text.trim());
        if project.sentences.is_empty() && !whole.is_empty() {
            // A few words that are no sentence say what is wanted all the same.
            let start = text.len() - text.trim_start().len();
            let span = Span { start, end: start + whole.len() };
            project.sentences.push(Sentence { span, facet: Facet::Aim, confidence: 0.0 });
        }
        Proposal { document, project, reading: None }
    }

    /// Plain text or Markdown, byte for byte.
    pub fn from_text(text: &str, institutes: &Institutes) -> Result<Proposal, PortfolioError> {
        if text.trim().is_empty() {
            return Err(PortfolioError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PortfolioError::TooLong { bytes: text.len(), limit: LONGEST });
        }
        Ok(Proposal::of(Document::plain("-", text.to_owned()), institutes))
    }

    /// A file of any format that ingest reads, in a worker. A file of records must hold one.
    pub fn from_file(
        path: &Path,
        program: &Path,
        settings: &config::Ingest,
        mapping: &RecordMapping,
        institutes: &Institutes,
    ) -> Result<Proposal, PortfolioError> {
        let limits = Limits::new(settings.worker_memory_mb, settings.worker_cpu_s, settings.max_input_mb);
        let shown = path.display().to_string();
        let mut found = extract(path, &ExtractOptions { program, limits, mapping })
            .map_err(|source| PortfolioError::Read { path: shown.clone(), source })?;
        if found.len() != 1 {
            return Err(PortfolioError::Records { path: shown, records: found.len() });
        }
        let extracted = found.remove(0);
        let name = path.file_name().map_or_else(|| shown.clone(), |n| n.to_string_lossy().into_owned());
        let document = assemble(extracted, &name, None);
        if document.text.trim().is_empty() {
            return Err(PortfolioError::Empty);
        }
        if document.text.len() > LONGEST {
            return Err(PortfolioError::TooLong { bytes: document.text.len(), limit: LONGEST });
        }
        Ok(Proposal::of(document, institutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_with_personal_data_is_neither_compared_nor_quoted() {
        let text = "# Dry electrodes\n\nThe aim is a coating without solvent.\n\n연구책임자: 김하늘 (010-2345-6789)\n\nJane Holloway can be reached on +44 20 7946 0123. The film was 62 µm thick.";
        let proposal = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
        let quoted: Vec<&str> = proposal.project.sentences.iter().map(|s| s.span.slice(text)).collect();
        assert!(quoted.contains(&"The aim is a coating without solvent."), "{quoted:?}");
        assert!(quoted.contains(&"The film was 62 µm thick."), "{quoted:?}");
        assert!(!quoted.iter().any(|q| q.contains("7946") || q.contains("2345")), "{quoted:?}");
        assert!(proposal.project.people.iter().all(|p| !p.contains("2345")), "{:?}", proposal.project.people);
    }
}
