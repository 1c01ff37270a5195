//! How alike are two texts, by words and, where the index has an encoder, by vectors?
//!
//! Words: cosine of `sqrt(tf) · idf` over the analyser's terms, each side expanded by the glossary so that
//! Korean and English meet. A term that no document has, but the glossary knows, is as rare as the commonest of its names
//! that documents have: a Korean word is no rarer than its English one because the index is in English. Vectors: cosine, counted from one standard deviation above the mean of the
//! texts at hand (so that encoders with different scales give comparable numbers) up to 1.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use crate::embed::{Embedder, Side, dot};
use crate::retrieve::{Glossary, Parts, RetrieveError};
use crate::text::bm25::{self, SparseVector};

/// Weight of the other terms of a matched glossary row.
const GLOSSARY_WEIGHT: f32 = 0.8;
/// Texts encoded at a time.
const BATCH: usize = 128;

/// Weighs terms by their rarity in the index.
pub struct Weigher<'a> {
    parts: &'a Parts<'a>,
    idf: RefCell<HashMap<u32, f32>>,
    /// For terms that no document has, how rare their other names are.
    by_glossary: OnceCell<HashMap<u32, f32>>,
}

/// A text's weighed terms, of unit length; strictly increasing dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    entries: Vec<(u32, f32)>,
    /// Sum of the weights before they were brought to unit length: how much the text says.
    pub mass: f32,
}

impl<'a> Weigher<'a> {
    /// Over the index of `parts`.
    pub fn new(parts: &'a Parts<'a>) -> Self {
        Weigher { parts, idf: RefCell::default(), by_glossary: OnceCell::new() }
    }

    /// The terms of a text.
    pub fn terms(&self, text: &str) -> Result<Terms, RetrieveError> {
        let vector = self.expand(text);
        self.look_up(&vector.indices)?;
        let idf = self.idf.borrow();
        let weigh = |(&d, &v): (&u32, &f32)| (d, v.max(0.0).sqrt() * idf.get(&d).copied().unwrap_or(0.0));
        let entries: Vec<(u32, f32)> = vector.indices.iter().zip(&vector.values).map(weigh).collect();
        Ok(Terms::unit(entries))
    }

    /// How rare a term is.
    pub fn idf(&self, dimension: u32) -> Result<f32, RetrieveError> {
        self.look_up(&[dimension])?;
        Ok(self.idf.borrow().get(&dimension).copied().unwrap_or(0.0))
    }

    /// The index's encoder.
    pub fn embedder(&self) -> Option<&'a dyn Embedder> {
        self.parts.embedder
    }

    fn expand(&self, text: &str) -> SparseVector {
        let glossary: &Glossary = self.parts.glossary;
        glossary.expand(text, GLOSSARY_WEIGHT)
    }

    fn look_up(&self, dimensions: &[u32]) -> Result<(), RetrieveError> {
        let missing: Vec<u32> = {
            let known = self.idf.borrow();
            dimensions.iter().copied().filter(|d| !known.contains_key(d)).collect()
        };
        if !missing.is_empty() {
            let (total, with_term) = self.parts.catalog.frequencies(&missing)?;
            let mut known = self.idf.borrow_mut();
            for (dimension, n) in missing.into_iter().zip(with_term) {
                let unseen = if n == 0 { self.of_other_names()?.get(&dimension).copied() } else { None };
                known.insert(dimension, unseen.unwrap_or_else(|| bm25::idf(total, n)));
            }
        }
        Ok(())
    }

    /// For each term of the glossary that no document has: how rare the commonest other name is of which documents have every
    /// word, a name being as rare as its rarest word. The rarer where several rows name the term.
    fn of_other_names(&self) -> Result<&HashMap<u32, f32>, RetrieveError> {
        if let Some(known) = self.by_glossary.get() {
            return Ok(known);
        }
        let rows: Vec<Vec<Vec<u32>>> = self.parts.glossary.names().collect();
        let mut all: Vec<u32> = rows.iter().flatten().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        let (total, with_term) = self.parts.catalog.frequencies(&all)?;
        let frequency: HashMap<u32, u64> = all.into_iter().zip(with_term).collect();
        let mut found: HashMap<u32, f32> = HashMap::new();
        for row in &rows {
            let rarest_words = row.iter().filter_map(|name| name.iter().map(|d| frequency[d]).min());
            let Some(commonest) = rarest_words.filter(|n| *n > 0).max() else { continue };
            for dimension in row.iter().flatten().filter(|d| frequency[*d] == 0) {
                let idf = found.entry(*dimension).or_insert(0.0);
                *idf = idf.max(bm25::idf(total, commonest));
            }
        }
        Ok(self.by_glossary.get_or_init(|| found))
    }
}

impl Terms {
    /// From weighed entries, brought to unit length.
    pub fn unit(mut entries: Vec<(u32, f32)>) -> Terms {
        entries.retain(|(_, w)| *w > 0.0);
        let norm = entries.iter().map(|(_, w)| w * w).sum::<f32>().sqrt();
        let mass = entries.iter().map(|(_, w)| w).sum();
        if norm > 0.0 {
            entries.iter_mut().for_each(|(_, w)| *w /= norm);
        }
        Terms { entries, mass }
    }

    /// The sum of several texts, of unit length.
    pub fn sum<'t>(all: impl IntoIterator<Item = &'t Terms>) -> Terms {
        let mut sums: HashMap<u32, f32> = HashMap::new();
        for terms in all {
            for (d, w) in &terms.entries {
                *sums.entry(*d).or_insert(0.0) += w;
            }
        }
        let mut entries: Vec<(u32, f32)> = sums.into_iter().collect();
        entries.sort_unstable_by_key(|(d, _)| *d);
        Terms::unit(entries)
    }

    /// Dimensions with their weights.
    pub fn entries(&self) -> &[(u32, f32)] {
        &self.entries
    }

    /// True if the text has this term.
    pub fn contains(&self, dimension: u32) -> bool {
        self.entries.binary_search_by_key(&dimension, |e| e.0).is_ok()
    }

    /// True when nothing was said.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Cosine, 0 to 1.
    pub fn cosine(&self, other: &Terms) -> f32 {
        let mut sum = 0.0;
        merge(&self.entries, &other.entries, |a, b| sum += a * b);
        sum
    }

    /// The share of this text's weight that occurs in the other.
    pub fn covered_by(&self, other: &Terms) -> f32 {
        let (mut sum, total) = (0.0, self.entries.iter().map(|(_, w)| w).sum::<f32>());
        merge(&self.entries, &other.entries, |a, _| sum += a);
        if total > 0.0 { sum / total } else { 0.0 }
    }
}

fn merge(a: &[(u32, f32)], b: &[(u32, f32)], mut both: impl FnMut(f32, f32)) {
    let (mut i, mut j) = (0, 0);
    while let (Some((da, wa)), Some((db, wb))) = (a.get(i), b.get(j)) {
        match da.cmp(db) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both(*wa, *wb);
                i += 1;
                j += 1;
            }
        }
    }
}

/// One sentence (or a whole text) on both scales.
#[derive(Clone, Debug, Default)]
pub struct Meaning {
    /// Words.
    pub terms: Terms,
    /// Vector, where there is an encoder.
    pub vector: Option<Vec<f32>>,
}

/// Prepares texts, vectors in batches.
pub fn meanings(weigher: &Weigher<'_>, texts: &[&str]) -> Result<Vec<Meaning>, RetrieveError> {
    let vectors = match weigher.parts.embedder {
        Some(embedder) => encode(embedder, texts)?.into_iter().map(Some).collect(),
        None => vec![None; texts.len()],
    };
    texts.iter().zip(vectors).map(|(text, vector)| Ok(Meaning { terms: weigher.terms(text)?, vector })).collect()
}

fn encode(embedder: &dyn Embedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, RetrieveError> {
    let mut out = Vec::with_capacity(texts.len());
    for batch in texts.chunks(BATCH) {
        out.extend(embedder.embed(batch, Side::Document)?);
    }
    Ok(out)
}

/// What a cosine of this encoder is worth among the texts at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    floor: f32,
}

impl Scale {
    /// From cosines of pairs that mostly do not belong together.
    pub fn of(cosines: &[f32]) -> Scale {
        if cosines.is_empty() {
            return Scale { floor: 0.0 };
        }
        let n = cosines.len() as f32;
        let mean = cosines.iter().sum::<f32>() / n;
        let variance = cosines.iter().map(|c| (c - mean).powi(2)).sum::<f32>() / n;
        Scale { floor: (mean + variance.sqrt()).clamp(0.0, 0.95) }
    }

    /// 0 at the floor or below, 1 for equal vectors.
    pub fn worth(self, cosine: f32) -> f32 {
        ((cosine - self.floor) / (1.0 - self.floor)).clamp(0.0, 1.0)
    }
}

/// Cosine of two vectors of unit length; `None` without an encoder.
pub fn dense_cosine(a: &Meaning, b: &Meaning) -> Option<f32> {
    Some(dot(a.vector.as_ref()?, b.vector.as_ref()?))
}

/// The mean vector of several meanings, of unit length.
pub fn mean_vector<'m>(all: impl IntoIterator<Item = &'m Meaning>) -> Option<Vec<f32>> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in all.into_iter().filter_map(|m| m.vector.as_ref()) {
        if sum.is_empty() {
            sum = vec![0.0; vector.len()];
        }
        sum.iter_mut().zip(vector).for_each(|(s, v)| *s += v);
    }
    let norm = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm == 0.0 {
        return None;
    }
    sum.iter_mut().for_each(|v| *v /= norm);
    Some(sum)
}

/// Both scales in one: the larger of the words' cosine and the vectors' worth.
pub fn alike(a: &Meaning, b: &Meaning, scale: Scale) -> f32 {
    let words = a.terms.cosine(&b.terms);
    dense_cosine(a, b).map_or(words, |c| words.max(scale.worth(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_and_coverage_follow_their_formulas() {
        let a = Terms::unit(vec![(1, 3.0), (2, 4.0)]);
        let b = Terms::unit(vec![(2, 1.0), (5, 0.0)]);
        assert!((a.cosine(&b) - 0.8).abs() < 1e-6);
        assert!((a.covered_by(&b) - 4.0 / 7.0).abs() < 1e-6);
        assert_eq!(a.mass, 7.0);
        assert_eq!(Terms::default().cosine(&a), 0.0);
        assert_eq!(Terms::default().covered_by(&a), 0.0);
    }

    #[test]
    fn a_cosine_is_worth_nothing_among_its_likes() {
        let scale = Scale::of(&[0.7, 0.8, 0.9]);
        assert_eq!(scale.worth(0.8), 0.0);
        assert!((scale.worth(1.0) - 1.0).abs() < 1e-6);
        assert_eq!(Scale::of(&[]).worth(0.5), 0.5);
    }
}
