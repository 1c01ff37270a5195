//! A proposal: text with a title, its facts and its sentences by facet.
//!
//! From a file through the ingest worker, from plain text as it stands (offsets then count characters of
//! exactly that text), or from a document of the index.

use std::path::Path;

use super::PortfolioError;
use super::facet::{Facet, Sentence};
use super::institute::Institutes;
use super::project::{Project, stated, stated_title};
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
    /// A document of the index, or one just read. The title that it states is its title, whatever stands above.
    pub fn of(mut document: Document, institutes: &Institutes) -> Proposal {
        let found = stated(&document);
        let mut project = Project::of(&document, &found, institutes);
        if let Some(title) = stated_title(&document, &found).map(str::to_owned) {
            project.title.clone_from(&title);
            document.title = title;
        }
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
    use crate::document::Format;

    #[test]
    fn a_proposal_is_called_by_the_title_that_it_states_on_a_line_of_its_own() {
        let institutes = Institutes::new(&[]);
        let of = |text: &str| {
            let read = Proposal::from_text(text, &institutes).unwrap();
            assert_eq!(read.document.title, read.project.title);
            read.project.title
        };
        let korean =
            "# 연구개발계획서\n\n과제명: 갈대 뿌리로 갯벌 물을 거르는 못\n주관기관: 나루연구소\n\n못을 셋 판다.";
        assert_eq!(of(korean), "갈대 뿌리로 갯벌 물을 거르는 못");
        assert_eq!(
            of("# Application form\n\n| Project title | Reed beds for tidal ponds |\n"),
            "Reed beds for tidal ponds"
        );
        for heading in [
            "# Reed beds\n\nThe last project, project title: Tidal ponds, ended in 2019.",
            "# Reed beds\n\n과제명:\n주관기관: 나루연구소\n",
            "# Reed beds\n\n과제명: 미정\n",
            "# Reed beds\n\n| 과제명 | 세부내용 |\n|---|---|\n",
        ] {
            assert_eq!(of(heading), "Reed beds", "{heading}");
        }
        let mut record = Document::plain("p.jsonl#1", "Reed beds\n\n과제명: 갈대 뿌리로 거르는 못\n".to_owned());
        (record.format, record.metadata.external_id) = (Format::Jsonl, Some("1".into()));
        assert_eq!(Proposal::of(record, &institutes).project.title, "Reed beds");
    }

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
