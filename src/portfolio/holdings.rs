//! The whole portfolio in memory, small: each project's facts, its weightiest terms, its neighbours.
//!
//! In: the index. Out: [`Holdings`]. A project takes about 1 kB plus its facts; texts stay in the catalogue and
//! are read again where a quote is needed. Neighbours are found by `Neighbours` (`neighbours.rs`).

use std::collections::HashMap;

use super::PortfolioError;
use super::facet::Facet;
use super::institute::Institutes;
use super::neighbours::{Neighbours, Scratch};
use super::project::{self, Project};
use super::similarity::{Meaning, Scale, Terms, Weigher, dense_cosine, meanings};
use crate::document::{Access, CharIndex, Document, Span};
use crate::embed::Embedder;
use crate::retrieve::Parts;
use crate::text::{analyse, bm25};

/// Terms kept of a project.
const KEPT: usize = 80;
/// Bytes of a project's text that its vector is made of.
const VECTOR_TEXT: usize = 1200;

/// One project of the portfolio.
pub struct Holding {
    /// Facts; sentences are places in the catalogue's text.
    pub project: Project,
    /// Words and vector of title and content.
    pub meaning: Meaning,
    /// Its results hold figures.
    pub has_results: bool,
    /// The most telling sentence: an aim, else the first.
    pub aim: Option<Span>,
    /// The result with most figures.
    pub result: Option<Span>,
}

/// All projects of an index that a reader may see.
pub struct Holdings {
    /// In order of document id.
    pub all: Vec<Holding>,
    /// Shown form of each term that occurs in a title.
    pub words: HashMap<u32, String>,
    /// What the reader is cleared for.
    pub(super) access: Access,
    scale: Scale,
    /// For an encoder weaker than the words: what its vectors weigh beside them.
    weak: Option<f32>,
}

impl Holdings {
    /// Reads the portfolio.
    pub fn load(parts: &Parts<'_>, institutes: &Institutes, access: Access) -> Result<Holdings, PortfolioError> {
        let weigher = Weigher::new(parts);
        let mut all: Vec<Holding> = Vec::new();
        let mut forms: HashMap<u32, HashMap<String, u32>> = HashMap::new();
        let mut heads: Vec<String> = Vec::new();
        let mut failed: Option<PortfolioError> = None;
        project::each(
            parts.catalog,
            institutes,
            |document, project| {
                if failed.is_none() {
                    match holding(&weigher, &document, project) {
                        Ok(found) => {
                            count_forms(&document.title, &mut forms);
                            heads.push(head(&document));
                            all.push(found);
                        }
                        Err(error) => failed = Some(error),
                    }
                }
                Ok(())
            },
            |document| document.metadata.access <= access,
        )?;
        if let Some(error) = failed {
            return Err(error);
        }
        if parts.embedder.is_some() {
            for (chunk, texts) in all.chunks_mut(256).zip(heads.chunks(256)) {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                for (holding, found) in chunk.iter_mut().zip(meanings(&weigher, &texts)?) {
                    holding.meaning.vector = found.vector;
                }
            }
        }
        let words = forms
            .into_iter()
            .filter_map(|(d, f)| Some((d, f.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?.0)))
            .collect();
        let scale = scale(&all);
        Ok(Holdings { all, words, access, scale, weak: parts.embedder.and_then(Embedder::score_weight) })
    }

    /// How alike two projects are, 0 to 1. Vectors of an encoder that is weaker than the words only speak where the words
    /// cannot, across languages: within one they make everything of a field alike.
    pub fn alike(&self, a: usize, b: usize) -> f32 {
        let words = self.all[a].meaning.terms.cosine(&self.all[b].meaning.terms);
        words.max(self.alike_by_vector(a, b).unwrap_or(0.0))
    }

    /// True where the vector of project `i` may be compared with those of texts in `language`.
    pub(super) fn vectors_speak(&self, i: usize, language: &str) -> bool {
        self.weak.is_none() || self.all[i].project.language != language
    }

    /// How alike two projects are by their vectors; `None` where these have nothing to say.
    pub(super) fn alike_by_vector(&self, a: usize, b: usize) -> Option<f32> {
        if !self.vectors_speak(a, self.all[b].project.language) {
            return None;
        }
        let cosine = dense_cosine(&self.all[a].meaning, &self.all[b].meaning)?;
        Some(self.scale.worth(cosine) * self.weak.unwrap_or(1.0))
    }

    /// For each project its nearest others, at most `k`, at least `floor` alike, best first.
    pub fn neighbours(&self, k: usize, floor: f32) -> Vec<Vec<(usize, f32)>> {
        let (near, mut scratch) = (Neighbours::new(self), Scratch::new(self.all.len()));
        (0..self.all.len()).map(|i| near.of(i, k, floor, &mut scratch)).collect()
    }

    /// Words that name a set of projects: heavy in their sum, from titles.
    pub fn label(&self, terms: &Terms, n: usize) -> Vec<String> {
        let mut heavy: Vec<(u32, f32)> = terms.entries().to_vec();
        heavy.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut out: Vec<String> = Vec::new();
        for (d, _) in heavy {
            if let Some(word) = self.words.get(&d)
                && !out.iter().any(|o: &String| {
                    o.to_lowercase().contains(&word.to_lowercase()) || word.to_lowercase().contains(&o.to_lowercase())
                })
            {
                out.push(word.clone());
                if out.len() == n {
                    break;
                }
            }
        }
        out
    }
}

fn holding(weigher: &Weigher<'_>, document: &Document, mut project: Project) -> Result<Holding, PortfolioError> {
    let mut text = document.title.clone();
    for sentence in project.sentences.iter().filter(|s| s.facet != Facet::Other) {
        text.push('\n');
        text.push_str(sentence.span.slice(&document.text));
    }
    let mut entries = weigher.terms(&text)?.entries().to_vec();
    entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    entries.truncate(KEPT);
    entries.sort_unstable_by_key(|e| e.0);
    let digits = |span: Span| span.slice(&document.text).chars().filter(char::is_ascii_digit).count();
    let of = |facet| project.sentences.iter().filter(move |s| s.facet == facet).map(|s| s.span);
    let aim = of(Facet::Aim).next().or_else(|| project.sentences.first().map(|s| s.span));
    let result = of(Facet::Result).max_by_key(|s| digits(*s));
    let has_results = result.is_some_and(|s| digits(s) > 0);
    // Places of all sentences would be most of the memory; they are found again where needed.
    project.sentences = Vec::new();
    Ok(Holding { meaning: Meaning { terms: Terms::unit(entries), vector: None }, project, has_results, aim, result })
}

/// The text a project's vector is made of: title, then aims, then the rest.
fn head(document: &Document) -> String {
    let mut end = document.text.len().min(VECTOR_TEXT);
    while !document.text.is_char_boundary(end) {
        end -= 1;
    }
    let body = &document.text[..end];
    // A record begins with a line of facts, which says nothing of its content.
    let body = if body.starts_with('#') {
        body
    } else {
        body.split_once("\n\n").filter(|(f, _)| f.contains(": ")).map_or(body, |b| b.1)
    };
    format!("{}\n{}", document.title, body)
}

fn count_forms(title: &str, forms: &mut HashMap<u32, HashMap<String, u32>>) {
    for term in analyse(title).into_iter().filter(|t| t.weight >= 1.0) {
        let shown = title.get(term.span.clone()).unwrap_or("").to_owned();
        if shown.chars().filter(|c| c.is_alphabetic()).count() >= 2 {
            *forms.entry(bm25::dimension(&term.text)).or_default().entry(shown).or_insert(0) += 1;
        }
    }
}

/// From pairs that mostly do not belong together.
fn scale(all: &[Holding]) -> Scale {
    let n = all.len();
    if n < 3 {
        return Scale::of(&[]);
    }
    let pairs = (0..n.min(2000)).map(|i| (i * n / n.min(2000), (i * 7919 + n / 2) % n)).filter(|(a, b)| a != b);
    let cosines: Vec<f32> = pairs.filter_map(|(a, b)| dense_cosine(&all[a].meaning, &all[b].meaning)).collect();
    Scale::of(&cosines)
}

/// A quote of a project; characters of its extracted text.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Citation {
    /// The source system's id, else the source's path.
    pub project_id: String,
    /// Document.
    pub doc_id: String,
    /// Title.
    pub title: String,
    /// Year.
    pub year: Option<i32>,
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Byte-exact.
    pub quote: String,
}

/// Quotes `span` of a project.
pub fn cite(parts: &Parts<'_>, project: &Project, span: Span) -> Result<Citation, PortfolioError> {
    Ok(citation(project, &parts.catalog.document(&project.doc_id)?, span))
}

/// The same of a document at hand.
pub fn citation(project: &Project, document: &Document, span: Span) -> Citation {
    let (start, end) = CharIndex::new(&document.text).chars(span);
    Citation {
        project_id: project.id.clone(),
        doc_id: project.doc_id.clone(),
        title: project.title.clone(),
        year: project.year,
        start,
        end,
        quote: span.slice(&document.text).to_owned(),
    }
}
