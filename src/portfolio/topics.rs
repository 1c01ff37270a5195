//! What is the portfolio about? Topics by spherical k-means over projects, labelled by title words.
//!
//! Deterministic: the first centre is the project nearest to the mean, each next the one farthest from all
//! centres so far (ties by order), then Lloyd's steps until nothing moves (Dhillon & Modha 2001).
//! Topics are a view, not a truth: another number of topics cuts differently.

use super::holdings::Holdings;
use super::similarity::{Meaning, Terms, dense_cosine, mean_vector};

/// Lloyd's steps at most.
const STEPS: usize = 30;

/// A topic.
pub struct Topic {
    /// Words that name it.
    pub label: Vec<String>,
    /// Projects, by index into the holdings.
    pub members: Vec<usize>,
}

/// So many topics fit a portfolio of `n` projects.
pub fn fitting(n: usize) -> usize {
    ((n as f64 / 2.0).sqrt().round() as usize).clamp(1, 40)
}

/// Cuts the portfolio into at most `k` topics.
pub fn topics(holdings: &Holdings, k: usize) -> Vec<Topic> {
    let n = holdings.all.len();
    let k = k.clamp(1, n.max(1));
    let items: Vec<&Meaning> = holdings.all.iter().map(|h| &h.meaning).collect();
    if n == 0 {
        return Vec::new();
    }
    let mut centres = vec![items[first(&items)].clone()];
    let mut nearest: Vec<f32> = items.iter().map(|m| near(m, &centres[0])).collect();
    while centres.len() < k {
        let far = (0..n).fold(0, |a, b| if nearest[b] < nearest[a] { b } else { a });
        centres.push(items[far].clone());
        for (slot, item) in nearest.iter_mut().zip(&items) {
            *slot = slot.max(near(item, &centres[centres.len() - 1]));
        }
    }
    let mut of = vec![usize::MAX; n];
    for _ in 0..STEPS {
        let next: Vec<usize> = items
            .iter()
            .map(|m| {
                let scores = centres.iter().map(|c| near(m, c));
                scores.enumerate().fold((0, f32::MIN), |best, (i, s)| if s > best.1 { (i, s) } else { best }).0
            })
            .collect();
        if next == of {
            break;
        }
        of = next;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members = || of.iter().zip(&items).filter(move |(o, _)| **o == c).map(|(_, m)| *m);
            if members().next().is_some() {
                *centre = Meaning { terms: Terms::sum(members().map(|m| &m.terms)), vector: mean_vector(members()) };
            }
        }
    }
    let mut out: Vec<Topic> = centres
        .iter()
        .enumerate()
        .map(|(c, centre)| Topic {
            label: holdings.label(&centre.terms, 3),
            members: of.iter().enumerate().filter(|(_, o)| **o == c).map(|(i, _)| i).collect(),
        })
        .filter(|t| !t.members.is_empty())
        .collect();
    out.sort_by(|a, b| b.members.len().cmp(&a.members.len()).then_with(|| a.label.cmp(&b.label)));
    out
}

fn first(items: &[&Meaning]) -> usize {
    let mean = Terms::sum(items.iter().map(|m| &m.terms));
    (0..items.len())
        .fold((0, f32::MIN), |best, i| {
            let s = items[i].terms.cosine(&mean);
            if s > best.1 { (i, s) } else { best }
        })
        .0
}

fn near(a: &Meaning, b: &Meaning) -> f32 {
    let words = a.terms.cosine(&b.terms);
    dense_cosine(a, b).map_or(words, |c| 0.5 * words + 0.5 * c)
}
