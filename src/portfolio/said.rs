//! What does a work say of a need, word by word, and is that enough to found a match on?
//!
//! In: a need and a work, taken apart into [`Side`]s. Out: [`Said`], the pairs of sentences, and whether one sentence or the
//! title is enough by itself. It knows nothing of who did the work.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use super::compare::{Match, Side};
use super::facet::Facet;
use super::words::{Nearness, Words};

/// Two sentences less alike than this do not speak of what the need asks for: not enough to rest a match on.
pub(super) const SAID: f32 = 0.12;
/// A sentence that says so much of the whole need stands for two, and so does a title of which the need says so much.
const ALONE: f32 = 0.5;
/// What two sentences are worth that have one word in common at most.
const ONE_WORD: f32 = 0.5;
/// Words less near than this do not meet.
const MET: f32 = 0.3;

/// What a work says of a need.
pub(super) struct Said {
    /// Pairs of sentences, the most telling first; the title of the work counts as its last sentence.
    pub(super) pairs: Vec<Match>,
    /// For each sentence of the need the largest share of its weight that a sentence of the work says.
    pub(super) nearest: Vec<f32>,
    /// One of its sentences, or its title, is enough by itself.
    pub(super) alone: bool,
}

/// The words of a need and what they weigh in it.
pub(super) struct Asked<'n> {
    side: &'n Side,
    /// How much each sentence says what the need is about, as a share of the most telling one.
    telling: Vec<f32>,
    /// The words of each sentence, weighed by how much of the need is about them.
    topical: Vec<Vec<(u32, f32)>>,
    /// The different words of all sentences, weighed so.
    whole: Vec<(u32, f32)>,
}

impl<'n> Asked<'n> {
    /// Taken apart so far that works can be held against it.
    pub(super) fn new(side: &'n Side) -> Asked<'n> {
        let sentences = || (0..side.sentences.len()).map(|i| side.words().sentence(i));
        // How much of the need is about a word: its weight over all sentences, as a share of the heaviest word's.
        let mut about: HashMap<u32, f32> = HashMap::new();
        for (term, idf) in sentences().flatten() {
            *about.entry(*term).or_insert(0.0) += idf;
        }
        let heaviest = about.values().copied().fold(f32::MIN_POSITIVE, f32::max);
        about.values_mut().for_each(|w| *w /= heaviest);
        let telling = |words: &[(u32, f32)]| share(words, |term| about[&term]);
        let mut all: Vec<f32> = sentences().map(telling).collect();
        let most = all.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        all.iter_mut().for_each(|t| *t /= most);
        let topical: Vec<Vec<(u32, f32)>> =
            sentences().map(|words| words.iter().map(|(t, idf)| (*t, idf * about[t])).collect()).collect();
        Asked { side, telling: all, whole: different(topical.iter().flatten()), topical }
    }

    /// What `work` says of it, word by word: words meet as in [`Words`], in the same or another language. Words
    /// that the need says most weightily count whole, what calls say in general (`expected`, `real time`) hardly.
    pub(super) fn said_by(&self, work: &Side) -> Said {
        let near = Nearness::of(self.side.words(), work.words());
        let mut found: Vec<Match> = Vec::new();
        let mut nearest = vec![0f32; self.side.sentences.len()];
        let mut alone = false;
        // The title of the work says something too.
        for (j, meaning) in work.sentences.iter().map(|(_, m)| m).chain([&work.title]).enumerate() {
            let met = near.met(self.side.words(), (work.words(), j), &meaning.terms);
            let worth = |term: u32| worth(self.side.words(), &met, term);
            alone |= says_most(self.side.words(), &self.whole, worth);
            for (i, (sentence, _)) in self.side.sentences.iter().enumerate() {
                let words = self.side.words().sentence(i);
                let weight = self.telling[i] * if sentence.facet == Facet::Other { 0.5 } else { 1.0 };
                // One word in common is no statement in common, nor is `20 kg`.
                let spoken = words.iter().filter(|(t, _)| self.side.words().spoken(*t) && worth(*t) > 0.0);
                let stated = if spoken.count() < 2 { ONE_WORD } else { 1.0 };
                nearest[i] = nearest[i].max(stated * share(words, worth));
                let alike = stated * weight * share(&self.topical[i], worth);
                if alike > 0.0 {
                    found.push(Match { proposal: i, candidate: j, alike });
                }
            }
        }
        found.sort_by(|a, b| {
            b.alike.total_cmp(&a.alike).then((a.proposal, a.candidate).cmp(&(b.proposal, b.candidate)))
        });
        // A title is short: where the need says most of it, the work is about what is asked, however much more the need says.
        let at = work.sentences.len();
        let (title, back) = (different(work.words().sentence(at)), OnceCell::new());
        let by_title = found.iter().filter(|p| p.candidate == at && p.alike >= SAID).any(|p| {
            let near = back.get_or_init(|| Nearness::of(work.words(), self.side.words()));
            let terms = &self.side.sentences[p.proposal].1.terms;
            let met = near.met(work.words(), (self.side.words(), p.proposal), terms);
            says_most(work.words(), &title, |term| worth(work.words(), &met, term))
        });
        Said { pairs: found, nearest, alone: alone || by_title }
    }
}

/// What a word of a text is worth, `met` being how near the nearest word of a sentence is to each of its words.
fn worth(words: &Words, met: &[f32], term: u32) -> f32 {
    words.place(term).map(|at| met[at]).filter(|met| *met >= MET).unwrap_or(0.0)
}

/// The different ones of some words, each with all its weight.
fn different<'w>(words: impl IntoIterator<Item = &'w (u32, f32)>) -> Vec<(u32, f32)> {
    let mut sums: BTreeMap<u32, f32> = BTreeMap::new();
    words.into_iter().for_each(|(term, weight)| *sums.entry(*term).or_insert(0.0) += weight);
    sums.into_iter().collect()
}

/// True where of some different words of a text [`ALONE`] is said, and two at least that are more than a figure or a unit.
fn says_most(text: &Words, words: &[(u32, f32)], worth: impl Fn(u32) -> f32) -> bool {
    let spoken = words.iter().filter(|(term, _)| text.spoken(*term) && worth(*term) > 0.0);
    spoken.count() >= 2 && share(words, worth) >= ALONE
}

/// The mean of what words are worth, weighed.
fn share(words: &[(u32, f32)], worth: impl Fn(u32) -> f32) -> f32 {
    let total: f32 = words.iter().map(|w| w.1).sum();
    let sum: f32 = words.iter().map(|(term, weight)| weight * worth(*term)).sum();
    if total > 0.0 { sum / total } else { 0.0 }
}
