//! Question sets: who asks what of which documents, and what would be right.
//!
//! In: a file in one of the field's formats. Out: a [`QuestionSet`], the same for all. Knows nothing of how it is answered.

mod formats;
mod python;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::statistics::sample;
use super::wording::Convention;
use crate::document::{Access, Language};
use crate::generate::Message;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum QuestionFormat {
    /// SQuAD 1.1 / 2.0 JSON, or JSON lines with paragraph, question, answer
    Squad,
    /// KorQuAD 1.0 JSON, or a BEIR folder whose queries carry `answers`
    Korquad,
    /// MT-RAG generation tasks, JSON lines
    Mtrag,
    /// PubMedQA, JSON or JSON lines
    Pubmedqa,
    /// ALCE JSON: question, answer, docs
    Alce,
    /// RAGChecker JSON: results with query, gt_answer, retrieved_context
    Ragchecker,
    /// Our own eval/SECTOR/questions.jsonl; the documents are the sector's
    Questions,
}

impl QuestionFormat {
    /// Whose exact match and F1 a question of this format is scored by. Our own are in two languages: in Korean a particle
    /// makes another word of a right one, so characters count there.
    pub fn convention(self, language: Language) -> Convention {
        match (self, language) {
            (QuestionFormat::Korquad, _) | (QuestionFormat::Questions, Language::Ko) => Convention::Korquad,
            (
                QuestionFormat::Squad
                | QuestionFormat::Mtrag
                | QuestionFormat::Pubmedqa
                | QuestionFormat::Alce
                | QuestionFormat::Ragchecker,
                _,
            )
            | (QuestionFormat::Questions, Language::En | Language::Other) => Convention::Squad,
        }
    }
}

/// A document that belongs to a question set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Source {
    /// Its id in the set.
    #[serde(rename = "_id")]
    pub id: String,
    /// Title, where there is one.
    pub title: String,
    /// Text.
    pub text: String,
    /// Who may see it.
    pub access: Access,
}

/// What one of our own questions points at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gold {
    /// Document: an id of the set, or a path below the sector's documents.
    pub document: String,
    /// Its words that answer.
    #[serde(default)]
    pub quote: String,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Question {
    /// Id.
    pub id: String,
    /// The question, the last turn of a conversation.
    pub text: String,
    /// Earlier turns.
    pub history: Vec<Message>,
    /// Language.
    pub language: Language,
    /// Kind, as the set calls it.
    pub kind: String,
    /// Whether the documents answer it; `None` where the set does not say or says "in part".
    pub answerable: Option<bool>,
    /// Right answers, short.
    pub answers: Vec<String>,
    /// A right answer in sentences.
    pub long_answer: Option<String>,
    /// `yes`, `no` or `maybe`.
    pub decision: Option<String>,
    /// Strings that a right answer holds.
    pub must_include: Vec<String>,
    /// Where the answer is.
    pub gold: Vec<Gold>,
    /// The access level of the evidence; a reader below it must get an abstention.
    pub access: Access,
    /// Documents that are left out of the index for this question (an unanswerable twin).
    pub without: Vec<String>,
}

/// Questions with their documents.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionSet {
    /// File or folder name.
    pub name: String,
    /// Format.
    pub format: QuestionFormat,
    /// Documents; empty where they are a sector's.
    pub documents: Vec<Source>,
    /// Questions, in the order of the file (or of the sample).
    pub questions: Vec<Question>,
    /// Questions of the whole set.
    pub total: usize,
}

impl QuestionSet {
    /// Reads a file (or, for KorQuAD, a BEIR folder).
    pub fn open(path: &Path, format: QuestionFormat) -> Result<QuestionSet, EvaluateError> {
        let read = match format {
            QuestionFormat::Squad => formats::squad(path),
            QuestionFormat::Korquad => formats::korquad(path),
            QuestionFormat::Mtrag => formats::mtrag(path),
            QuestionFormat::Pubmedqa => formats::pubmedqa(path),
            QuestionFormat::Alce => formats::alce(path),
            QuestionFormat::Ragchecker => formats::ragchecker(path),
            QuestionFormat::Questions => formats::questions(path).map(|questions| (Vec::new(), questions)),
        };
        let called = clap::ValueEnum::to_possible_value(&format).map_or_else(String::new, |v| v.get_name().to_owned());
        let wrong = |path: String, what: String| EvaluateError::Dataset {
            path,
            what: format!("{what} (read as --format {called}; `sectora eval answers --help` lists the others)"),
        };
        let here = || path.display().to_string();
        let (documents, questions) = read.map_err(|e| match e {
            EvaluateError::Dataset { path, what } => wrong(path, what),
            other => other,
        })?;
        if questions.is_empty() {
            return Err(wrong(here(), "no questions in it".into()));
        }
        if let Some(n) = questions.iter().position(|q| q.text.trim().is_empty()) {
            return Err(wrong(here(), format!("question {} (id `{}`) has no text", n + 1, questions[n].id)));
        }
        if let Some((n, id)) = repeated(&questions) {
            return Err(wrong(here(), format!("question {}: the id `{id}` stands twice", n + 1)));
        }
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        Ok(QuestionSet { name, format, documents, total: questions.len(), questions })
    }

    /// Keeps `limit` questions drawn with `seed`; the documents stay, so that finding is as hard as before.
    pub fn sample(&mut self, limit: usize, seed: u64) {
        self.questions = sample(std::mem::take(&mut self.questions), limit, seed);
    }
}

/// The first question whose id was there before; without ids nothing can repeat.
fn repeated(questions: &[Question]) -> Option<(usize, &str)> {
    let mut seen = std::collections::HashSet::new();
    let mut named = questions.iter().enumerate().filter(|(_, q)| !q.id.is_empty());
    named.find(|(_, q)| !seen.insert(q.id.as_str())).map(|(n, q)| (n, q.id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_files_are_refused_with_what_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("set");
        let error = |text: &str, format| {
            fs_err::write(&file, text).unwrap();
            QuestionSet::open(&file, format).unwrap_err().to_string()
        };
        let one = r#"{"id": "7", "question": "Q?", "answerable": true}"#;
        for (text, format, expected) in [
            ("", QuestionFormat::Squad, "no questions in it (read as --format squad"),
            (r#"{"data": ["#, QuestionFormat::Squad, "EOF while parsing"),
            (r#"{"data": []}"#, QuestionFormat::Korquad, "no questions"),
            (r#"{"data": []}"#, QuestionFormat::Pubmedqa, "line 1: neither `id` nor `pubid`"),
            (r#"{"id": "7"}"#, QuestionFormat::Pubmedqa, "question 1 (id `7`) has no text"),
            ("[]", QuestionFormat::Mtrag, "line 1"),
            ("<html>", QuestionFormat::Alce, "line 1 column 1"),
            (&format!("{one}\n{one}"), QuestionFormat::Questions, "question 2: the id `7` stands twice"),
            (&format!("{one}\n{{"), QuestionFormat::Questions, "line 2"),
        ] {
            let said = error(text, format);
            assert!(said.contains(expected) && said.contains("--format"), "{text}: {said}");
        }
        // Windows line ends and a byte order mark are no mistake.
        fs_err::write(&file, format!("\u{feff}{one}\r\n\r\n")).unwrap();
        assert_eq!(QuestionSet::open(&file, QuestionFormat::Questions).unwrap().questions.len(), 1);
    }

    #[test]
    fn a_sample_repeats_by_seed_and_keeps_the_order() {
        let question = |i: usize| Question { id: format!("{i:03}"), ..Question::default() };
        let set = |n| QuestionSet {
            name: String::new(),
            format: QuestionFormat::Squad,
            documents: vec![],
            questions: (0..n).map(question).collect(),
            total: n,
        };
        let (mut a, mut b, mut c) = (set(200), set(200), set(200));
        a.sample(20, 1);
        b.sample(20, 1);
        c.sample(20, 2);
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert!(a.questions.is_sorted_by_key(|q| q.id.clone()) && a.questions.len() == 20);
    }
}
