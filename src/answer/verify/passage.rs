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
        let said = |i: usize| {
            let beside = beside(passage, &spans, i);
            let around = format!("{head}\n{beside}");
            let terms = term_set(spans[i].slice(&passage.text));
            Said { span: spans[i], terms, around: term_set(&around), figures: figures(&around) }
        };
        let sentences = (0..spans.len()).map(said).collect();
        Prepared { passage, figures: figures(&context), context, sentences, withheld: withheld.to_vec() }
    }
}

/// The `i`th sentence with its neighbours, or a row with its header. Other rows say the same of other things.
fn beside(passage: &Passage, spans: &[Span], i: usize) -> String {
    let text = &passage.text;
    let sentence = spans[i].slice(text);
    if rows::is_row(sentence) {
        let header = rows::header_of(text, spans[i].start).or(passage.header.as_deref()).unwrap_or_default();
        return format!("{header}\n{sentence}");
    }
    let neighbours = spans[i.saturating_sub(1)..(i + 2).min(spans.len())].iter().map(|s| s.slice(text));
    neighbours.filter(|s| !rows::is_row(s)).collect::<Vec<_>>().join("\n")
}
