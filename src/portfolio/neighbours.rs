//! Which projects are nearest to which? The portfolio joined with itself, with bounded work for each project.
//!
//! In: the [`Holdings`]. Out: for a project its nearest others by [`Holdings::alike`], best first. By words through an
//! inverted list: a project's heaviest terms are looked up, unless they stand in more than `COMMON` projects. By vectors,
//! where they may speak, each with each up to `EXHAUSTIVE` projects; above that only within the `PROBED_CELLS` nearest of
//! about √n cells (inverted file, Jégou et al. 2011). What shares no rare word and lies in none of these cells is not found.

use std::collections::HashMap;

use super::holdings::Holdings;
use crate::embed::dot;

/// Terms of a project that are looked up.
const PROBED: usize = 28;
/// A term in more projects than this is not looked up.
const COMMON: usize = 3000;
/// Up to so many projects each is compared with each by vector.
const EXHAUSTIVE: usize = 20_000;
/// Cells of vectors that are looked into.
const PROBED_CELLS: usize = 8;
/// Projects the cells are made of, for each cell.
const SAMPLED: usize = 40;
/// Lloyd's steps.
const STEPS: usize = 6;

/// The inverted lists and cells of a portfolio.
pub(super) struct Neighbours<'h> {
    holdings: &'h Holdings,
    lists: HashMap<u32, Vec<(u32, f32)>>,
    vectors: Vectors,
}

/// Where vectors are looked for.
enum Vectors {
    /// There are none.
    None,
    /// Everywhere.
    All,
    /// In cells, one set a language.
    Cells(Vec<Cells>),
}

/// What one search at a time needs: one a thread.
pub(super) struct Scratch {
    score: Vec<f32>,
    touched: Vec<usize>,
}

impl Scratch {
    /// For a portfolio of `n` projects.
    pub(super) fn new(n: usize) -> Scratch {
        Scratch { score: vec![0.0; n], touched: Vec::new() }
    }
}

impl<'h> Neighbours<'h> {
    /// Builds the lists and, where the portfolio is large, the cells.
    pub(super) fn new(holdings: &'h Holdings) -> Neighbours<'h> {
        let mut lists: HashMap<u32, Vec<(u32, f32)>> = HashMap::new();
        for (i, h) in holdings.all.iter().enumerate() {
            for (d, w) in h.meaning.terms.entries() {
                lists.entry(*d).or_default().push((i as u32, *w));
            }
        }
        lists.retain(|_, l| l.len() > 1 && l.len() <= COMMON);
        let n = holdings.all.len();
        let vectors = match holdings.all.iter().any(|h| h.meaning.vector.is_some()) {
            false => Vectors::None,
            true if n <= EXHAUSTIVE => Vectors::All,
            true => Vectors::Cells(Cells::of(holdings)),
        };
        Neighbours { holdings, lists, vectors }
    }

    /// At most `k` others that are at least `floor` alike to project `i`, best first.
    pub(super) fn of(&self, i: usize, k: usize, floor: f32, scratch: &mut Scratch) -> Vec<(usize, f32)> {
        let mut near = self.all(i, 3 * k, floor, scratch);
        near.truncate(k);
        near
    }

    /// All that were compared with project `i` and are at least `floor` alike, best first: `by_words` of them at most by
    /// words, and what vectors bring.
    pub(super) fn all(&self, i: usize, by_words: usize, floor: f32, scratch: &mut Scratch) -> Vec<(usize, f32)> {
        let mut found = self.by_words(i, by_words, scratch);
        match &self.vectors {
            Vectors::None => {}
            Vectors::All => found.extend((0..self.holdings.all.len()).filter(|j| self.speaks(i, *j, floor))),
            Vectors::Cells(sets) => {
                for cells in sets.iter().filter(|c| self.holdings.vectors_speak(i, c.language)) {
                    found.extend(cells.near(self.holdings, i).filter(|j| self.speaks(i, *j, floor)));
                }
            }
        }
        ranked(self.holdings, i, found, floor)
    }

    /// Those that share most weight of the terms that are looked up.
    fn by_words(&self, i: usize, most: usize, scratch: &mut Scratch) -> Vec<usize> {
        let Scratch { score, touched } = scratch;
        for (d, w) in heaviest(self.holdings, i) {
            for (j, other) in self.lists.get(&d).into_iter().flatten() {
                let j = *j as usize;
                if score[j] == 0.0 {
                    touched.push(j);
                }
                score[j] += w * other;
            }
        }
        let mut found: Vec<(usize, f32)> = touched.iter().filter(|j| **j != i).map(|&j| (j, score[j])).collect();
        touched.drain(..).for_each(|j| score[j] = 0.0);
        let better = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if found.len() > most {
            found.select_nth_unstable_by(most, better);
            found.truncate(most);
        }
        found.into_iter().map(|f| f.0).collect()
    }

    /// True where the vectors alone make the two alike enough.
    fn speaks(&self, i: usize, j: usize, floor: f32) -> bool {
        i != j && self.holdings.alike_by_vector(i, j).is_some_and(|s| s >= floor)
    }
}

/// The terms of project `i` that are looked up, with their weights.
pub(super) fn heaviest(holdings: &Holdings, i: usize) -> Vec<(u32, f32)> {
    let mut terms = holdings.all[i].meaning.terms.entries().to_vec();
    terms.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    terms.truncate(PROBED);
    terms
}

/// Of the candidates those that are at least `floor` alike to project `i`, each once, best first.
pub(super) fn ranked(holdings: &Holdings, i: usize, mut found: Vec<usize>, floor: f32) -> Vec<(usize, f32)> {
    found.sort_unstable();
    found.dedup();
    let mut near: Vec<(usize, f32)> =
        found.into_iter().map(|j| (j, holdings.alike(i, j))).filter(|(_, s)| *s >= floor).collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    near
}

/// The vectors of one language, each in the cell whose centre is nearest.
struct Cells {
    language: &'static str,
    centres: Vec<Vec<f32>>,
    members: Vec<Vec<u32>>,
}

impl Cells {
    /// One set a language.
    fn of(holdings: &Holdings) -> Vec<Cells> {
        let mut languages: Vec<&'static str> = holdings.all.iter().map(|h| h.project.language).collect();
        languages.sort_unstable();
        languages.dedup();
        languages.into_iter().map(|language| Cells::of_language(holdings, language)).collect()
    }

    fn of_language(holdings: &Holdings, language: &'static str) -> Cells {
        let mine: Vec<u32> = (0..holdings.all.len())
            .filter(|i| holdings.all[*i].project.language == language && holdings.all[*i].meaning.vector.is_some())
            .map(|i| i as u32)
            .collect();
        let vector = |i: u32| holdings.all[i as usize].meaning.vector.as_deref().unwrap_or(&[]);
        let k = ((mine.len() as f64).sqrt() as usize).max(1).min(mine.len());
        // Every so many-th: documents stand in order of their ids, which are hashes.
        let sample: Vec<u32> = mine.iter().copied().step_by((mine.len() / (k * SAMPLED).max(1)).max(1)).collect();
        let mut centres: Vec<Vec<f32>> =
            sample.iter().step_by((sample.len() / k.max(1)).max(1)).take(k).map(|i| vector(*i).to_vec()).collect();
        for _ in 0..STEPS {
            let mut sums: Vec<Vec<f32>> = centres.iter().map(|c| vec![0.0; c.len()]).collect();
            for &i in &sample {
                let sum = &mut sums[nearest(&centres, vector(i))];
                sum.iter_mut().zip(vector(i)).for_each(|(s, v)| *s += v);
            }
            for (centre, sum) in centres.iter_mut().zip(sums) {
                let norm = dot(&sum, &sum).sqrt();
                if norm > 0.0 {
                    *centre = sum.into_iter().map(|v| v / norm).collect();
                }
            }
        }
        let mut members = vec![Vec::new(); centres.len()];
        mine.iter().for_each(|&i| members[nearest(&centres, vector(i))].push(i));
        Cells { language, centres, members }
    }

    /// The projects of the cells nearest to project `i`.
    fn near<'c>(&'c self, holdings: &Holdings, i: usize) -> impl Iterator<Item = usize> + use<'c> {
        let vector = holdings.all[i].meaning.vector.as_deref().unwrap_or(&[]);
        let mut order: Vec<(usize, f32)> = self.centres.iter().map(|c| dot(c, vector)).enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.truncate(PROBED_CELLS);
        order.into_iter().flat_map(|(c, _)| self.members[c].iter().map(|j| *j as usize))
    }
}

fn nearest(centres: &[Vec<f32>], vector: &[f32]) -> usize {
    let scores = centres.iter().map(|c| dot(c, vector)).enumerate();
    scores.fold((0, f32::MIN), |best, s| if s.1 > best.1 { s } else { best }).0
}
