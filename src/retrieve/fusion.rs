//! Joining the words' ranking with that of an encoder, by score.
//!
//! Reciprocal ranks treat both sides alike and lose much where one is weaker, or where a question in one language asks a
//! collection in two: whatever stands in both lists is in the question's language. Scores keep what the sides know of their own
//! certainty, and what says most about it is how much of the question the words found: where a text holds all of it, the
//! encoder has little to add; where the best holds a fifth, the words guess. Texts in the other language share no words
//! with the question, so they are looked for apart: by cosine, and by the words of the index that translate the question's.
//! The second orders them among themselves; how they compete with the question's own language the best cosine says alone.

use std::collections::BTreeMap;

use crate::document::Language;
use crate::embed::{Background, EmbedError, Embedder};
use crate::index::{Catalog, Filter, Hit, IndexError, Mode, Query, VectorStore, best_first, indexed_text};
use crate::text::bm25::SparseVector;

use super::{Lexicon, RetrieveError, Support};

/// The words' scores count in full from this share of the question found …
const REACH: f32 = 0.5;
/// … in the best of this many hits.
const LOOKED_AT: usize = 3;
/// A cosine below this share of the best one says nothing.
const FLOOR: f32 = 0.5;
/// Nor does one below this, to a text in the other language.
const FLOOR_ACROSS: f32 = 0.2;
/// What a cosine to a text in the other language weighs, relative to one in the question's.
const ACROSS: f32 = 3.0;

/// What one standard deviation above chance weighs beside the words, of an encoder with a [`Background`].
const LIFT: f32 = 0.15;

/// How an encoder's ranking is joined with that of the words.
#[derive(Clone, Copy)]
pub enum Join<'a> {
    /// By reciprocal rank, in the store: an encoder of which no more is known.
    Ranks,
    /// By score, on this scale.
    Scores(Scale<'a>),
}

impl<'a> Join<'a> {
    /// As the encoder says of itself, where both sides are asked. Learned weights of tokens are a third side, and go by rank.
    pub fn of(mode: &Mode, encoder: Option<&'a dyn Embedder>) -> Result<Join<'a>, EmbedError> {
        let Some(encoder) = encoder.filter(|_| matches!(mode, Mode::Hybrid { .. })) else { return Ok(Join::Ranks) };
        Ok(match (encoder.score_weight(), encoder.learns_weights()) {
            (Some(weight), _) => Join::Scores(Scale::Cosine(weight)),
            (None, true) => Join::Ranks,
            (None, false) => encoder.background()?.map_or(Join::Ranks, |b| Join::Scores(Scale::Chance(b))),
        })
    }
}

/// What two scores are joined by.
#[derive(Clone, Copy)]
pub enum Scale<'a> {
    /// The encoder's weight; cosines count as they are.
    Cosine(f32),
    /// Cosines count by how far they exceed chance.
    Chance(&'a Background),
}

/// A question in both forms, and how it is measured.
pub struct Question<'a> {
    /// As asked.
    pub text: &'a str,
    /// Its words, weighed.
    pub support: &'a Support,
    /// Words of the other language for it; `None`: only vectors meet across languages.
    pub lexicon: Option<&'a Lexicon>,
    /// Its vector.
    pub dense: Vec<f32>,
    /// Its terms.
    pub sparse: SparseVector,
    /// What the encoder's cosines are worth.
    pub scale: Scale<'a>,
}

/// Hits of both sides, joined by score, best first.
pub fn search(
    catalog: &Catalog,
    store: &dyn VectorStore,
    question: Question<'_>,
    filter: Option<&Filter>,
    weights: [f32; 2],
    prefetch: usize,
    limit: usize,
) -> Result<Vec<Hit>, RetrieveError> {
    let ask = |mode: Mode, languages: &[Language]| {
        let filter = match languages {
            [] => filter.cloned(),
            some => Some(filter.cloned().unwrap_or_default().languages(some)),
        };
        store.query(&Query { mode, filter, limit: prefetch, exact: false })
    };
    let sparse = ask(Mode::Sparse(question.sparse), &[])?;
    let asked = Language::detect(question.text);
    let (same, other): (&[Language], &[Language]) = match asked {
        Language::Ko => (&[Language::Ko, Language::Other], &[Language::En]),
        Language::En => (&[Language::En, Language::Other], &[Language::Ko]),
        Language::Other => (&[], &[]),
    };
    let scale = question.scale;
    let lifted = |hits: Vec<Hit>, answered: Language| match scale {
        Scale::Cosine(_) => hits,
        Scale::Chance(background) => {
            let (mean, spread) = background.by_chance(&question.dense, asked, answered);
            hits.into_iter().map(|h| Hit { id: h.id, score: (h.score - mean) / spread }).collect()
        }
    };
    let mut across = if other.is_empty() { Vec::new() } else { ask(Mode::Dense(question.dense.clone()), other)? };
    across = lifted(across, other.first().copied().unwrap_or(asked));
    // Single words add nothing to an encoder that reads whole sentences across languages (measured: they cost).
    let by_words = question.lexicon.filter(|_| matches!(scale, Scale::Cosine(_)) && !across.is_empty());
    if let Some(lexicon) = by_words {
        let translated = lexicon.translated(catalog, question.text)?;
        if !translated.indices.is_empty() {
            across = with_words(across, &ask(Mode::Sparse(translated), other)?, prefetch);
        }
    }
    let dense = lifted(ask(Mode::Dense(question.dense.clone()), same)?, asked);
    let found = found(catalog, question.support, &sparse)?;
    let sides = Sides { sparse: &sparse, dense: &dense, across: &across, found };
    Ok(match scale {
        Scale::Cosine(weight) => by_score(&sides, [weights[0] * weight, weights[1]], limit),
        Scale::Chance(_) => by_lift(&sides, weights, limit),
    })
}

/// Hits by cosine and by translated words, each as a share of the best above the floor, added; the best keeps the best cosine.
fn with_words(across: Vec<Hit>, words: &[Hit], limit: usize) -> Vec<Hit> {
    let above = |score: f32| (score - FLOOR_ACROSS).max(0.0);
    let best = across.first().map_or(0.0, |h| above(h.score));
    let most = words.first().map_or(1.0, |h| h.score.max(f32::MIN_POSITIVE));
    let mut shares = BTreeMap::<u64, f32>::new();
    for hit in &across {
        shares.insert(hit.id, above(hit.score) / best.max(f32::MIN_POSITIVE));
    }
    for hit in words {
        *shares.entry(hit.id).or_insert(0.0) += hit.score / most;
    }
    let whole = shares.values().copied().fold(f32::MIN_POSITIVE, f32::max);
    best_first(shares.into_iter().map(|(id, s)| Hit { id, score: FLOOR_ACROSS + best * s / whole }), limit)
}

/// The share of the question that the best of the words' first hits holds.
fn found(catalog: &Catalog, support: &Support, sparse: &[Hit]) -> Result<f32, IndexError> {
    let mut best = 0.0f32;
    for hit in sparse.iter().take(LOOKED_AT) {
        // A chunk deleted meanwhile holds nothing.
        let Some(chunk) = catalog.chunk(hit.id)? else { continue };
        best = best.max(support.of(&indexed_text(&catalog.document(&chunk.doc_id)?, &chunk)));
    }
    Ok(best)
}

/// What each side found, best first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides<'a> {
    /// By words.
    pub sparse: &'a [Hit],
    /// By vector, in the question's language.
    pub dense: &'a [Hit],
    /// By vector, in the other one.
    pub across: &'a [Hit],
    /// The share of the question that the words found, 0 to 1.
    pub found: f32,
}

/// `sparse / best sparse · min(1, found / REACH) · weights[1]`, and `(1 − found) · weights[0]` times what a cosine has above
/// its floor; best first, equal scores by id.
pub fn by_score(sides: &Sides<'_>, weights: [f32; 2], limit: usize) -> Vec<Hit> {
    let mut scores: BTreeMap<u64, f32> = by_words(sides, weights[1]).collect();
    let unsure = if sides.sparse.is_empty() { 1.0 } else { 1.0 - sides.found.clamp(0.0, 1.0) };
    if let (Some(first), Some(last)) = (sides.dense.first(), sides.dense.last()) {
        let floor = last.score.max(FLOOR * first.score);
        for hit in sides.dense {
            *scores.entry(hit.id).or_insert(0.0) += (hit.score - floor).max(0.0) * unsure * weights[0];
        }
    }
    for hit in sides.across {
        *scores.entry(hit.id).or_insert(0.0) += (hit.score - FLOOR_ACROSS).max(0.0) * ACROSS * unsure * weights[0];
    }
    best_first(scores.into_iter().map(|(id, score)| Hit { id, score }), limit)
}

/// `sparse / best sparse · min(1, found / REACH) · weights[1] + LIFT · lift · weights[0]`, best first, equal scores by id: an
/// encoder that knows as much as the words counts whatever they found, in either language alike. A text that only the words
/// have is as far above chance as the last one of the encoder's.
pub fn by_lift(sides: &Sides<'_>, weights: [f32; 2], limit: usize) -> Vec<Hit> {
    let lift = |hit: &Hit| LIFT * hit.score * weights[0];
    let mut scores: BTreeMap<u64, f32> = sides.dense.iter().chain(sides.across).map(|h| (h.id, lift(h))).collect();
    let least = sides.dense.last().map_or(0.0, lift);
    for (id, score) in by_words(sides, weights[1]) {
        *scores.entry(id).or_insert(least) += score;
    }
    best_first(scores.into_iter().map(|(id, score)| Hit { id, score }), limit)
}

/// `sparse / best sparse · min(1, found / REACH) · weight`.
fn by_words<'s>(sides: &Sides<'s>, weight: f32) -> impl Iterator<Item = (u64, f32)> + use<'s> {
    // Words alone must keep their order, whatever they found.
    let alone = sides.dense.is_empty() && sides.across.is_empty();
    let sure = if alone { 1.0 } else { (sides.found / REACH).min(1.0) };
    let whole = sides.sparse.first().map_or(1.0, |first| first.score.max(f32::MIN_POSITIVE));
    sides.sparse.iter().map(move |hit| (hit.id, hit.score / whole * sure * weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(scores: &[(u64, f32)]) -> Vec<Hit> {
        scores.iter().map(|(id, score)| Hit { id: *id, score: *score }).collect()
    }

    fn ids(hits: &[Hit]) -> Vec<u64> {
        hits.iter().map(|h| h.id).collect()
    }

    #[test]
    fn words_that_found_the_question_lead_and_words_that_did_not_follow() {
        let (dense, sparse) = (hits(&[(9, 0.8), (1, 0.5), (8, 0.3)]), hits(&[(1, 10.0), (2, 9.0)]));
        let with = |found| ids(&by_score(&Sides { sparse: &sparse, dense: &dense, across: &[], found }, [1.0, 1.0], 3));
        assert_eq!(with(0.9), [1, 2, 9]);
        assert_eq!(with(0.1), [9, 1, 2]);
    }

    #[test]
    fn a_text_in_the_other_language_competes_by_its_cosine() {
        let (sparse, across) = (hits(&[(1, 10.0)]), hits(&[(5, 0.7), (6, 0.1)]));
        let with =
            |found| ids(&by_score(&Sides { sparse: &sparse, dense: &[], across: &across, found }, [1.0, 1.0], 2));
        assert_eq!(with(0.3), [5, 1]);
        assert_eq!(with(0.8), [1, 5]);
    }

    #[test]
    fn what_is_far_above_chance_comes_first_in_either_language() {
        let (sparse, dense) = (hits(&[(1, 10.0), (2, 4.0)]), hits(&[(1, 3.0), (3, 2.5), (4, 0.5)]));
        let with = |lift, found| {
            let across = hits(&[(5, lift)]);
            ids(&by_lift(&Sides { sparse: &sparse, dense: &dense, across: &across, found }, [1.0, 1.0], 3))
        };
        assert_eq!(with(5.0, 0.1), [5, 1, 3], "the words found a fifth of what they need");
        assert_eq!(with(5.0, 0.9), [1, 5, 2]);
        assert_eq!(with(1.0, 0.9), [1, 2, 3]);
    }

    #[test]
    fn one_side_alone_keeps_its_order() {
        let some = hits(&[(4, 0.9), (7, 0.8), (5, 0.7)]);
        let sides = Sides::default();
        assert_eq!(ids(&by_score(&Sides { dense: &some, ..sides }, [1.0, 1.0], 2)), [4, 7]);
        assert_eq!(ids(&by_score(&Sides { sparse: &some, ..sides }, [1.0, 1.0], 9)), [4, 7, 5]);
        assert!(by_score(&sides, [1.0, 1.0], 9).is_empty());
    }
}
