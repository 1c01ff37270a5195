//! A passage taken apart, to be asked what it supports.

use std::collections::{BTreeSet, HashSet};

use super::particulars::figures;
use crate::document::{Passage, Span};
use crate::text::coverage::term_set;
use crate::text::{rows, sentences};

/// A passage with those of its sentences that are evidence.
pub(super) struct Prepared<'a> {
    pub(super) passage: &'a Passage,
    /// Title, headings, institution, year and what of the text is evidence.
    pub(super) context: String,
    pub(super) figures: BTreeSet<String>,
    pub(super) sentences: Vec<Said>,
    pub(super) withheld: Vec<Span>,
}

/// A sentence, or a row of a table.
pub(super) struct Said {
    /// Bytes within the passage's text.
    pub(super) span: Span,
    pub(super) terms: HashSet<String>,
    /// Also those of what it is read with: the sentences before and after it (of a row, the header), title, headings,
    /// institution and year.
    pub(super) around: HashSet<String>,
    /// The figures there.
    pub(super) figures: BTreeSet<String>,
}

impl<'a> Prepared<'a> {
    /// `text` is what of the passage's is evidence, `withheld` the places of the rest.
    pub(super) fn new(passage: &'a Passage, text: &str, withheld: &[Span]) -> Prepared<'a> {
        let columns = passage.header.as_deref().unwrap_or_default();
        let institution = passage.metadata.institution.as_deref().unwrap_or_default();
        let year = passage.metadata.year.map(|y| y.to_string()).unwrap_or_default();
        let head = format!("{}\n{}\n{institution} {year}", passage.title, passage.path.join("\n"));
        let context = format!("{head}\n{columns}\n{text}");
        let stays = |s: &Span| !withheld.contains(s) && !passage.text[s.start..s.end].ends_with('?');
        let spans: Vec<Span> = sentences(&passage.text).into_iter().filter(stays).collect();
        let read: Vec<Read> = spans.iter().map(|s| Read::of(s.slice(&passage.text))).collect();
        let head = Read::of(&head);
        let said = |i: usize| {
            let mut around = head.clone();
            if is_row(passage, spans[i]) {
                // Other rows say the same of other things.
                let header = rows::header_of(&passage.text, spans[i].start).or(passage.header.as_deref());
                around.add(&read[i]);
                around.add(&Read::of(header.unwrap_or_default()));
            } else {
                let neighbours = i.saturating_sub(1)..(i + 2).min(spans.len());
                neighbours.filter(|j| !is_row(passage, spans[*j])).for_each(|j| around.add(&read[j]));
            }
            Said { span: spans[i], terms: read[i].terms.clone(), around: around.terms, figures: around.figures }
        };
        let sentences = (0..spans.len()).map(said).collect();
        Prepared { passage, figures: figures(&context), context, sentences, withheld: withheld.to_vec() }
    }
}

fn is_row(passage: &Passage, span: Span) -> bool {
    rows::is_row(span.slice(&passage.text))
}

/// What a piece of text holds.
#[derive(Clone)]
struct Read {
    terms: HashSet<String>,
    figures: BTreeSet<String>,
}

impl Read {
    fn of(text: &str) -> Read {
        Read { terms: term_set(text), figures: figures(text) }
    }

    fn add(&mut self, other: &Read) {
        self.terms.extend(other.terms.iter().cloned());
        self.figures.extend(other.figures.iter().cloned());
    }
}
