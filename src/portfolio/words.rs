//! Which words of one text does the other say, in the same or in other words, in the same or in another language?
//!
//! In: two texts' words. Out: for each word how near the nearest word of the other text is, 0 to 1. The same term counts 1,
//! a term that the glossary brings into the other text [`BY_GLOSSARY`], and, where the encoder has a vector for a word
//! alone, any other pair its cosine above [`FLOOR`]. Word by word meets what the vectors of sentences blur.

use std::collections::BTreeMap;

use super::facet::Facet;
use super::similarity::{Terms, Weigher};
use crate::embed::{Side, dot};
use crate::retrieve::RetrieveError;
use crate::text::{analyse, bm25};

/// Words of a text that are compared, rarest first.
const WORDS: usize = 400;
/// What a word is worth that only the glossary brings together.
const BY_GLOSSARY: f32 = 0.9;
/// A cosine of two words up to this says nothing.
const FLOOR: f32 = 0.4;

/// The different words of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    all: Vec<Word>,
    /// One after the other; empty without an encoder that knows words.
    vectors: Vec<f32>,
    /// The terms of each sentence with their weights, as they follow each other.
    sentences: Vec<Vec<(u32, f32)>>,
    /// Those of the title.
    title: Vec<(u32, f32)>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    term: u32,
    idf: f32,
    aim: bool,
    method: bool,
    /// No figure, unit or symbol: two syllables or three letters at least.
    spoken: bool,
}

impl Words {
    /// Of a title and of sentences with their facets.
    pub(super) fn of(weigher: &Weigher<'_>, title: &str, sentences: &[(Facet, &str)]) -> Result<Words, RetrieveError> {
        let mut found: BTreeMap<u32, (String, bool, bool)> = BTreeMap::new();
        let texts = [(Facet::Other, title)];
        let mut following: Vec<Vec<u32>> = Vec::with_capacity(sentences.len() + 1);
        for (facet, text) in texts.iter().chain(sentences) {
            let mut terms: Vec<(usize, u32)> = Vec::new();
            for term in analyse(text).into_iter().filter(|t| t.weight >= 1.0) {
                let surface = || text.get(term.span.clone()).unwrap_or("").to_lowercase();
                let dimension = bm25::dimension(&term.text);
                let slot = found.entry(dimension).or_insert_with(|| (surface(), false, false));
                slot.1 |= *facet == Facet::Aim;
                slot.2 |= matches!(facet, Facet::Method | Facet::Material);
                terms.push((term.span.start, dimension));
            }
            terms.sort_unstable();
            following.push(terms.into_iter().map(|t| t.1).collect());
        }
        let mut ordered = Vec::with_capacity(following.len());
        for terms in &following {
            let weighed =
                terms.iter().map(|t| Ok((*t, weigher.idf(*t)?))).collect::<Result<Vec<_>, RetrieveError>>()?;
            ordered.push(weighed.into_iter().filter(|(_, idf)| *idf > 0.0).collect::<Vec<_>>());
        }
        let mut all: Vec<(Word, String)> = Vec::new();
        for (term, (surface, aim, method)) in found {
            let idf = weigher.idf(term)?;
            if idf > 0.0 {
                let letters = |kind: fn(char) -> bool| surface.chars().filter(|c| kind(*c)).count();
                let spoken = letters(|c| ('가'..='힣').contains(&c)) >= 2 || letters(|c| c.is_ascii_alphabetic()) >= 3;
                all.push((Word { term, idf, aim, method, spoken }, surface));
            }
        }
        if all.len() > WORDS {
            all.sort_by(|a, b| b.0.idf.total_cmp(&a.0.idf).then(a.0.term.cmp(&b.0.term)));
            all.truncate(WORDS);
            all.sort_unstable_by_key(|w| w.0.term);
        }
        let mut vectors = Vec::new();
        if let Some(embedder) = weigher.embedder().filter(|e| e.knows_words()) {
            let texts: Vec<&str> = all.iter().map(|w| w.1.as_str()).collect();
            vectors = embedder.embed(&texts, Side::Document)?.concat();
        }
        let sentences = ordered.split_off(1);
        let title = ordered.pop().unwrap_or_default();
        Ok(Words { all: all.into_iter().map(|w| w.0).collect(), vectors, sentences, title })
    }

    /// The words of a sentence with their weights; those of the title after the last.
    pub(super) fn sentence(&self, sentence: usize) -> &[(u32, f32)] {
        self.sentences.get(sentence).unwrap_or(&self.title)
    }

    /// True for a word that is more than a figure, a unit or a symbol.
    pub(super) fn spoken(&self, term: u32) -> bool {
        self.place(term).is_some_and(|at| self.all[at].spoken)
    }

    /// Where a word stands among the different words of the text; `None` for one that is not compared.
    pub(super) fn place(&self, term: u32) -> Option<usize> {
        self.all.binary_search_by_key(&term, |w| w.term).ok()
    }

    /// How much of these sentences' weight the other text says in the same order, 0 to 1: for each sentence of this text
    /// the one of `other` that `with` names, and of those two the heaviest common subsequence of terms (Wagner and
    /// Fischer 1974), from two terms on. Words strewn over another text meet one by one, hardly ever in a row.
    pub(super) fn in_order(&self, other: &Words, with: impl Fn(usize) -> Option<usize>) -> f32 {
        let weight = |s: &[(u32, f32)]| s.iter().map(|t| t.1).sum::<f32>();
        let total: f32 = self.sentences.iter().map(|s| weight(s)).sum();
        let said =
            self.sentences.iter().enumerate().filter_map(|(i, s)| Some(common(s, other.sentences.get(with(i)?)?)));
        if total > 0.0 { said.sum::<f32>() / total } else { 0.0 }
    }

    /// The words' weights, in order.
    fn idf(&self) -> impl Iterator<Item = f32> {
        self.all.iter().map(|w| w.idf)
    }

    /// The share of the weight of those words `of` keeps for which `worth` (one a word) stands.
    fn share(&self, worth: &[f32], of: impl Fn(&Word) -> bool) -> f32 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (word, worth) in self.all.iter().zip(worth).filter(|(w, _)| of(w)) {
            sum += word.idf * worth;
            total += word.idf;
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }

    /// Weighed mean over all words.
    pub(super) fn over_all(&self, worth: &[f32]) -> f32 {
        self.share(worth, |_| true)
    }

    /// Weighed mean over the words of aims.
    pub(super) fn over_aims(&self, worth: &[f32]) -> f32 {
        self.share(worth, |w| w.aim)
    }

    /// Weighed mean over the words of methods and materials.
    pub(super) fn over_methods(&self, worth: &[f32]) -> f32 {
        self.share(worth, |w| w.method)
    }
}

/// How near each word of one text is to each of another by their vectors, `(cos − FLOOR) / (1 − FLOOR)`; 0 without any.
pub(super) struct Nearness {
    worth: Vec<f32>,
    columns: usize,
}

impl Nearness {
    /// No word near another.
    pub(super) fn none() -> Nearness {
        Nearness { worth: Vec::new(), columns: 0 }
    }

    /// Of the words of `a` to those of `b`.
    pub(super) fn of(a: &Words, b: &Words) -> Nearness {
        let columns = b.all.len();
        let dim = a.vectors.len().checked_div(a.all.len()).unwrap_or(0);
        if dim == 0 || b.vectors.len() != columns * dim {
            return Nearness::none();
        }
        let worth = |va: &[f32], vb: &[f32]| ((dot(va, vb) - FLOOR) / (1.0 - FLOOR)).clamp(0.0, 1.0);
        let row = |va| b.vectors.chunks_exact(dim).map(move |vb| worth(va, vb));
        let worth = a.vectors.chunks_exact(dim).flat_map(row).collect();
        Nearness { worth, columns }
    }

    /// For each word of `a` how near the nearest word of sentence `j` of `b` is, whose terms with what the glossary adds are
    /// `b_terms`.
    pub(super) fn met(&self, a: &Words, (b, j): (&Words, usize), b_terms: &Terms) -> Vec<f32> {
        let others: Vec<usize> = b.sentence(j).iter().filter_map(|(t, _)| b.place(*t)).collect();
        let nearest = |row: &[f32]| others.iter().map(|at| row[*at]).fold(0f32, f32::max);
        let mut met: Vec<f32> = match self.columns {
            0 => vec![0.0; a.all.len()],
            columns => self.worth.chunks_exact(columns).map(nearest).collect(),
        };
        same(a, &mut met, |term| others.iter().any(|at| b.all[*at].term == term), b_terms);
        met
    }
}

/// A word met by less is not said.
const SAID: f32 = 0.3;

/// How much of the sentences' weight of `a` the other text says *together*, 0 to 1: for each sentence of `a` the one of `b` that says
/// most of it, from two words on, in whatever order and, by `near`, in other words or another language. Whoever tells of the same
/// work in own words keeps together what belongs together; words strewn over another text meet here and there. `b_terms` are
/// those of the sentences of `b` with what the glossary adds.
pub(super) fn together(a: &Words, b: &Words, near: &Nearness, b_terms: &[&Terms]) -> f32 {
    let places: Vec<Vec<usize>> =
        b.sentences.iter().map(|s| s.iter().filter_map(|(t, _)| b.place(*t)).collect()).collect();
    let sentences = places.len().min(b_terms.len());
    let mut worth = vec![0f32; a.all.len() * sentences];
    for (i, word) in a.all.iter().enumerate() {
        let own = b.place(word.term);
        let row = near.worth.get(i * near.columns..(i + 1) * near.columns).unwrap_or_default();
        for (j, at) in places.iter().take(sentences).enumerate() {
            worth[i * sentences + j] = if own.is_some_and(|p| at.contains(&p)) {
                1.0
            } else {
                let by_glossary = if b_terms[j].contains(word.term) { BY_GLOSSARY } else { 0.0 };
                at.iter().filter_map(|p| row.get(*p)).fold(by_glossary, |most, w| most.max(*w))
            };
        }
    }
    let (mut said, mut total) = (0.0, 0.0);
    for sentence in &a.sentences {
        let mut words: Vec<usize> = sentence.iter().filter_map(|(t, _)| a.place(*t)).collect();
        words.sort_unstable();
        words.dedup();
        total += words.iter().map(|i| a.all[*i].idf).sum::<f32>();
        let by = |j: usize| {
            let met = words.iter().map(|i| (a.all[*i].idf, worth[i * sentences + j])).filter(|(_, w)| *w >= SAID);
            let (sum, n) = met.fold((0.0, 0usize), |(sum, n), (idf, w)| (sum + idf * w, n + 1));
            if n >= 2 { sum } else { 0.0 }
        };
        said += (0..sentences).map(by).fold(0f32, f32::max);
    }
    if total > 0.0 { said / total } else { 0.0 }
}

/// Weight of the heaviest common subsequence; 0 where it is a single term.
fn common(a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
    let mut above = vec![(0f32, 0u32); b.len() + 1];
    for (term, idf) in a {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push((0f32, 0u32));
        for (j, (other, _)) in b.iter().enumerate() {
            let left: (f32, u32) = row[j];
            let mut best = if left.0 > above[j + 1].0 { left } else { above[j + 1] };
            if term == other && above[j].0 + idf > best.0 {
                best = (above[j].0 + idf, above[j].1 + 1);
            }
            row.push(best);
        }
        above = row;
    }
    above.last().map_or(0.0, |(weight, terms)| if *terms >= 2 { *weight } else { 0.0 })
}

/// For each word of `a` and of `b` how near the nearest word of the other text is: 1 for the same term, less for one that
/// the glossary brings, nothing else. The terms are those of the whole texts with what the glossary adds.
pub(super) fn meet_exactly(a: &Words, a_terms: &Terms, b: &Words, b_terms: &Terms) -> (Vec<f32>, Vec<f32>) {
    let (mut of_a, mut of_b) = (vec![0f32; a.all.len()], vec![0f32; b.all.len()]);
    same(a, &mut of_a, |term| b.place(term).is_some(), b_terms);
    same(b, &mut of_b, |term| a.place(term).is_some(), a_terms);
    (of_a, of_b)
}

/// Raises what words are worth where a text has the term itself, or the glossary brings it.
fn same(words: &Words, worth: &mut [f32], has: impl Fn(u32) -> bool, terms: &Terms) {
    for (word, worth) in words.all.iter().zip(worth) {
        if has(word.term) {
            *worth = 1.0;
        } else if terms.contains(word.term) {
            *worth = worth.max(BY_GLOSSARY);
        }
    }
}

/// The same where words also meet by their vectors.
pub(super) fn meet(a: &Words, a_terms: &Terms, b: &Words, b_terms: &Terms, near: &Nearness) -> (Vec<f32>, Vec<f32>) {
    let (mut of_a, mut of_b) = (vec![0f32; a.all.len()], vec![0f32; b.all.len()]);
    if near.columns > 0 {
        for (x, row) in of_a.iter_mut().zip(near.worth.chunks_exact(near.columns)) {
            for (y, worth) in of_b.iter_mut().zip(row) {
                *x = x.max(*worth);
                *y = y.max(*worth);
            }
        }
    }
    same(a, &mut of_a, |term| b.place(term).is_some(), b_terms);
    same(b, &mut of_b, |term| a.place(term).is_some(), a_terms);
    debug_assert!(a.idf().all(|i| i > 0.0));
    (of_a, of_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[(u32, bool)], vectors: Vec<f32>) -> Words {
        Words {
            all: all.iter().map(|&(term, aim)| Word { term, idf: 1.0, aim, method: !aim, spoken: true }).collect(),
            vectors,
            ..Words::default()
        }
    }

    #[test]
    fn words_in_a_row_are_said_in_order_and_strewn_words_are_not() {
        let said = |sentences: &[&[u32]]| Words {
            sentences: sentences.iter().map(|s| s.iter().map(|t| (*t, 1.0)).collect()).collect(),
            ..Words::default()
        };
        let a = said(&[&[1, 2, 3, 4], &[5, 6]]);
        assert_eq!(a.in_order(&said(&[&[9, 1, 2, 8, 4]]), |_| Some(0)), 0.5);
        assert_eq!(a.in_order(&said(&[&[4, 9], &[3, 2, 1]]), Some), 0.0);
        assert_eq!(a.in_order(&a, Some), 1.0);
        assert_eq!(a.in_order(&a, |_| None), 0.0);
    }

    #[test]
    fn words_of_one_sentence_are_said_together_and_strewn_words_are_not() {
        let said = |sentences: &[&[u32]]| {
            let mut all: Vec<u32> = sentences.iter().flat_map(|s| s.iter().copied()).collect();
            all.sort_unstable();
            let sentences = sentences.iter().map(|s| s.iter().map(|t| (*t, 1.0)).collect()).collect();
            Words { sentences, ..words(&all.iter().map(|t| (*t, true)).collect::<Vec<_>>(), Vec::new()) }
        };
        let a = said(&[&[1, 2, 3, 4]]);
        let none = Terms::default();
        let share = |b: Words, terms: &[&Terms]| together(&a, &b, &Nearness::none(), terms);
        assert_eq!(share(said(&[&[4, 9, 3, 1], &[2]]), &[&none, &none]), 0.75);
        assert_eq!(share(said(&[&[1, 9], &[2, 8], &[3], &[4]]), &[&none; 4]), 0.0);
        // A word that the glossary brings into a sentence is said there.
        let glossary = Terms::unit(vec![(2, 1.0)]);
        assert_eq!(share(said(&[&[1, 9]]), &[&glossary]), (1.0 + BY_GLOSSARY) / 4.0);
    }

    #[test]
    fn the_same_term_the_glossary_and_a_near_vector_meet() {
        let a = words(&[(1, true), (2, true), (3, false)], vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]);
        let b = words(&[(1, true), (9, false)], vec![1.0, 0.0, 0.0, 1.0]);
        let none = Terms::default();
        let (of_a, of_b) = meet(&a, &none, &b, &none, &Nearness::of(&a, &b));
        assert_eq!((of_a[0], of_b[0]), (1.0, 1.0));
        // Cosine 0.8 of the third word to the second of b, above a floor of 0.4.
        assert!((of_a[2] - 0.4 / 0.6).abs() < 1e-5);
        assert!((a.over_methods(&of_a) - of_a[2]).abs() < 1e-6);
        let without = Words { vectors: Vec::new(), ..a };
        let other = Words { vectors: Vec::new(), ..b };
        let glossary = Terms::unit(vec![(2, 1.0)]);
        assert_eq!(meet(&without, &none, &other, &glossary, &Nearness::none()).0, [1.0, BY_GLOSSARY, 0.0]);
    }
}
