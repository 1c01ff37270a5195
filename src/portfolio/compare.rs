//! The features of a pair, and the sentences of both sides that show them.
//!
//! In: a proposal and all its candidates, taken apart into [`Side`]s. Out: [`Features`] and [`Match`]es of each. Of a pair
//! alone: words, sentences, facets; among the candidates: [`super::context`]. Symmetric only where said.

use super::context::{Alone, CONTEXT, context};
use super::facet::{Facet, Sentence};
use super::similarity::{Meaning, Scale, Terms, Weigher, alike, dense_cosine, mean_vector, meanings};
use super::verdict::{BY_WORDS, FEATURES, Features};
use super::words::{Nearness, Words, meet, meet_exactly, together};
use crate::document::{Language, Span};
use crate::retrieve::RetrieveError;
use crate::text::analyse;

/// A sentence that is at least so alike to another is strong.
pub(super) const STRONG: f32 = 0.3;
/// Sentences of one side that are compared: of a longer text the most telling ones.
pub(super) const SENTENCES: usize = 160;
/// Shares below this are as good as nothing to divide by.
const LITTLE: f32 = 0.1;
/// A facet is matched by the mean of its best sentences, so many.
const BEST: usize = 3;

/// One text, ready to be compared.
pub struct Side {
    /// Title.
    pub title: Meaning,
    /// Sentences (money and the like left out) with their facets.
    pub sentences: Vec<(Sentence, Meaning)>,
    /// Sentences that are not compared, because the text has more than are.
    pub left_out: usize,
    whole: Meaning,
    aim: Terms,
    method: Terms,
    figures: Vec<String>,
    words: Words,
    language: Language,
}

/// Two sentences that say alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index into the proposal's sentences.
    pub proposal: usize,
    /// Index into the candidate's sentences.
    pub candidate: usize,
    /// 0 to 1.
    pub alike: f32,
}

/// A pair, compared.
pub struct Comparison {
    /// For the verdict.
    pub features: Features,
    /// For each sentence of the proposal its best counterpart, in order of the text.
    pub matches: Vec<Match>,
}

impl Side {
    /// Takes a text apart.
    pub fn new(weigher: &Weigher<'_>, title: &str, text: &str, sentences: &[Sentence]) -> Result<Side, RetrieveError> {
        let mut kept: Vec<Sentence> = sentences.iter().filter(|s| s.facet != Facet::Other).copied().collect();
        // A text of which nothing was recognised is compared as it is.
        if kept.is_empty() {
            kept = sentences.to_vec();
        }
        let left_out = kept.len().saturating_sub(SENTENCES);
        if left_out > 0 {
            let weighed = kept
                .iter()
                .map(|s| Ok((s.facet, weigher.terms(s.span.slice(text))?.mass)))
                .collect::<Result<Vec<_>, RetrieveError>>()?;
            kept = most_telling(&weighed, SENTENCES).into_iter().map(|at| kept[at]).collect();
        }
        let mut texts: Vec<&str> = vec![title];
        texts.extend(kept.iter().map(|s| s.span.slice(text)));
        let mut found = meanings(weigher, &texts)?.into_iter();
        let title_meaning = found.next().unwrap_or_default();
        let sentences: Vec<(Sentence, Meaning)> = kept.into_iter().zip(found).collect();
        let joined = |facets: &[Facet]| -> Terms {
            Terms::sum(sentences.iter().filter(|(s, _)| facets.contains(&s.facet)).map(|(_, m)| &m.terms))
        };
        let whole_text: String = texts.join("\n");
        let faceted: Vec<(Facet, &str)> =
            sentences.iter().map(|(s, _)| s.facet).zip(texts[1..].iter().copied()).collect();
        let whole = Meaning {
            terms: weigher.terms(&whole_text)?,
            vector: mean_vector(sentences.iter().map(|(_, m)| m).chain([&title_meaning])),
        };
        Ok(Side {
            aim: joined(&[Facet::Aim]),
            method: joined(&[Facet::Method, Facet::Material]),
            figures: figures(&whole_text),
            words: Words::of(weigher, title, &faceted)?,
            language: Language::detect(&whole_text),
            whole,
            title: title_meaning,
            sentences,
            left_out,
        })
    }

    /// The sentence's place.
    pub fn span(&self, sentence: usize) -> Span {
        self.sentences.get(sentence).map(|(s, _)| s.span).unwrap_or_default()
    }

    /// The language it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The whole text's weighed terms.
    pub fn terms(&self) -> &Terms {
        &self.whole.terms
    }

    /// The words of its sentences.
    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// The mean vector, where there is an encoder.
    pub fn vector(&self) -> Option<&Vec<f32>> {
        self.whole.vector.as_ref()
    }
}

/// The places of the `n` most telling of some sentences, each given by its facet and the weight of its terms, in order of
/// the text: what is aimed at, done and reached before what it is done with, and of these what says most that is rare.
fn most_telling(sentences: &[(Facet, f32)], n: usize) -> Vec<usize> {
    let tells = |at: usize| matches!(sentences[at].0, Facet::Aim | Facet::Method | Facet::Result);
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by(|a, b| tells(*b).cmp(&tells(*a)).then(sentences[*b].1.total_cmp(&sentences[*a].1)));
    order.truncate(n);
    order.sort_unstable();
    order
}

/// Fewer texts than this of one language do not give a scale of their own.
const FEW: usize = 4;

/// Compares a proposal with its candidates: each alone, then among the others.
pub fn compare(p: &Side, candidates: &[&Side]) -> Vec<Comparison> {
    let facets: Vec<Facet> = p.sentences.iter().map(|(s, _)| s.facet).collect();
    let mut pairs: Vec<Pair> = Vec::with_capacity(candidates.len());
    for language in Language::ALL {
        // Cosines across languages are lower than within one: each has a scale of its own.
        let same: Vec<&Side> = candidates.iter().copied().filter(|c| c.language == language).collect();
        let group = if same.len() < FEW { candidates } else { &same };
        let (sentences, whole) = (sentence_scale(p, group), whole_scale(p, group));
        for (at, candidate) in candidates.iter().enumerate().filter(|(_, c)| c.language == language) {
            pairs.push(pair(p, candidate, at, sentences, whole));
        }
    }
    pairs.sort_by_key(|pair| pair.at);
    let seen = |look: &dyn Fn(&Pair) -> &Look| -> Vec<[f32; CONTEXT]> {
        let alone: Vec<Alone> = pairs.iter().map(|pair| look(pair).alone.clone()).collect();
        let met_by_any = |group: &[usize]| {
            let mut any = pairs.first().map_or_else(Vec::new, |first| vec![0f32; look(first).met.len()]);
            for worth in group.iter().map(|i| &look(&pairs[*i]).met) {
                any.iter_mut().zip(worth).for_each(|(a, w)| *a = a.max(*w));
            }
            [p.words.over_all(&any), p.words.over_aims(&any), p.words.over_methods(&any)]
        };
        context(&alone, &facets, met_by_any)
    };
    let (among, by_words) = (seen(&|pair| &pair.look), seen(&|pair| &pair.by_words));
    let orders: Vec<f32> = pairs.iter().map(|pair| pair.by_words.alone.vector).collect();
    pairs
        .into_iter()
        .enumerate()
        .zip(among.iter().zip(&by_words))
        .map(|((i, mut pair), (among, by_words))| {
            pair.features[BY_WORDS - CONTEXT..BY_WORDS].copy_from_slice(among);
            let mut literal = literal(&pair.by_words.alone, &orders, i, by_words);
            if candidates[i].language != p.language {
                // Nothing stands in the same order in another language: words that the glossary brings are not strewn.
                literal[literal.len() - 1] = 0.0;
            }
            pair.features[BY_WORDS..].copy_from_slice(&literal);
            Comparison { features: pair.features, matches: pair.matches }
        })
        .collect()
}

/// What words alone say of candidate `i`: the same terms met, how much of that in the same order, and both beside the other
/// candidates. A text of the same vocabulary meets many words, but strewn: neither in order nor, leading in that, sentence by sentence.
fn literal(alone: &Alone, orders: &[f32], i: usize, among: &[f32; CONTEXT]) -> [f32; FEATURES.len() - BY_WORDS] {
    let [words, back, _, order, title, ..] = *among;
    let together = among[CONTEXT - 2];
    let others = orders.iter().enumerate().filter(|(j, _)| *j != i).fold(0f32, |most, (_, o)| most.max(*o));
    let said = alone.vector;
    // Told in own words: said together by the one that also says most in order. Another that says more in order is the source.
    let told = if said >= others.max(LITTLE) { together } else { 0.0 };
    [
        alone.met,
        alone.together,
        together,
        said,
        order,
        title,
        (said / alone.met.max(LITTLE)).min(1.0),
        said / said.max(others).max(LITTLE),
        ((said - others) * 4.0).clamp(-1.0, 1.0),
        (words.min(back) - order.max(title).max(told)).max(0.0),
    ]
}

/// The scale of sentence vectors among these texts (see [`Scale`]).
fn sentence_scale(proposal: &Side, candidates: &[&Side]) -> Scale {
    let mut cosines = Vec::new();
    for (i, (_, a)) in proposal.sentences.iter().enumerate() {
        // A sample spread over both texts is enough for a mean and a deviation.
        for (j, candidate) in candidates.iter().enumerate() {
            let n = candidate.sentences.len();
            if n > 0 {
                let (_, b) = &candidate.sentences[(i * 7 + j * 3) % n];
                cosines.extend(dense_cosine(a, b));
            }
        }
    }
    Scale::of(&cosines)
}

/// The scale of whole-text vectors among these texts; of one text alone nothing can be said but the cosine itself.
fn whole_scale(proposal: &Side, candidates: &[&Side]) -> Scale {
    let cosines: Vec<f32> = candidates.iter().filter_map(|c| dense_cosine(&proposal.whole, &c.whole)).collect();
    if cosines.len() < FEW { Scale::of(&[]) } else { Scale::of(&cosines) }
}

/// One candidate, before it is seen among the others.
struct Pair {
    at: usize,
    features: Features,
    matches: Vec<Match>,
    /// By words and, where there is an encoder, vectors.
    look: Look,
    /// By words alone, which vectors blur: the same terms, in the same sentences, in the same order.
    by_words: Look,
}

/// What is seen of one candidate, in one way of looking.
struct Look {
    alone: Alone,
    /// For each word of the proposal how near the candidate's nearest is.
    met: Vec<f32>,
}

fn pair(p: &Side, c: &Side, at: usize, sentences: Scale, whole: Scale) -> Pair {
    let (np, nc) = (p.sentences.len(), c.sentences.len());
    let mut best_of_p = vec![(0f32, 0usize); np];
    let mut best_of_c = vec![0f32; nc];
    let mut vector_of_p = vec![0f32; np];
    let mut nearest = vec![0f32; np];
    let mut by_words = vec![(0f32, 0usize); np];
    for (i, (_, a)) in p.sentences.iter().enumerate() {
        for (j, (_, b)) in c.sentences.iter().enumerate() {
            let words = a.terms.cosine(&b.terms);
            let cosine = dense_cosine(a, b);
            let s = cosine.map_or(words, |c| words.max(sentences.worth(c)));
            if s > best_of_p[i].0 {
                best_of_p[i] = (s, j);
            }
            if words > by_words[i].0 {
                by_words[i] = (words, j);
            }
            best_of_c[j] = best_of_c[j].max(s);
            nearest[i] = nearest[i].max(cosine.unwrap_or(words));
            if let Some(cosine) = cosine {
                vector_of_p[i] = vector_of_p[i].max(sentences.worth(cosine));
            }
        }
    }
    let of_p = |facets: &[Facet]| -> f32 {
        top(p.sentences.iter().zip(&best_of_p).filter(|((s, _), _)| facets.contains(&s.facet)).map(|(_, b)| b.0))
    };
    let of_c = |facets: &[Facet]| -> f32 {
        top(c.sentences.iter().zip(&best_of_c).filter(|((s, _), _)| facets.contains(&s.facet)).map(|(_, b)| *b))
    };
    let (aim, method) = (&[Facet::Aim][..], &[Facet::Method, Facet::Material][..]);
    let (aim_matched, method_matched) = (of_p(aim), of_p(method));
    let strong = best_of_p.iter().filter(|b| b.0 >= STRONG).count() as f32 / np.max(1) as f32;
    let shared = p.figures.iter().filter(|f| c.figures.binary_search(f).is_ok()).count();
    let few = p.figures.len().min(c.figures.len());
    let near = Nearness::of(&p.words, &c.words);
    let (met, met_of_c) = meet(&p.words, &p.whole.terms, &c.words, &c.whole.terms, &near);
    let c_terms: Vec<&Terms> = c.sentences.iter().map(|(_, m)| &m.terms).collect();
    let (exact, exact_of_c) = meet_exactly(&p.words, &p.whole.terms, &c.words, &c.whole.terms);
    let in_order = p.words.in_order(&c.words, |i| by_words.get(i).filter(|b| b.0 > 0.0).map(|b| b.1));
    let vector = dense_cosine(&p.whole, &c.whole);
    let alone = Alone {
        language: c.language as usize,
        whole: p.whole.terms.cosine(&c.whole.terms),
        vector: vector.unwrap_or(0.0),
        title: dense_cosine(&p.title, &c.title).unwrap_or_else(|| p.title.terms.cosine(&c.title.terms)),
        nearest,
        met: p.words.over_all(&met),
        aim_met: p.words.over_aims(&met),
        method_met: p.words.over_methods(&met),
        candidate_met: c.words.over_all(&met_of_c),
        together: together(&p.words, &c.words, &near, &c_terms),
    };
    let words_alone = Alone {
        language: alone.language,
        whole: alone.whole,
        vector: in_order,
        title: p.title.terms.cosine(&c.title.terms),
        nearest: by_words.iter().map(|b| b.0).collect(),
        met: p.words.over_all(&exact),
        aim_met: p.words.over_aims(&exact),
        method_met: p.words.over_methods(&exact),
        candidate_met: c.words.over_all(&exact_of_c),
        together: together(&p.words, &c.words, &Nearness::none(), &c_terms),
    };
    let mut features: Features = [0.0; FEATURES.len()];
    let of_pair = [
        alone.whole,
        p.whole.terms.covered_by(&c.whole.terms),
        c.whole.terms.covered_by(&p.whole.terms),
        p.aim.cosine(&c.aim).max(p.aim.cosine(&c.title.terms)),
        p.method.cosine(&c.method),
        aim_matched,
        method_matched,
        of_c(aim),
        of_c(method),
        aim_matched.min(method_matched),
        alike(&p.title, &c.title, sentences),
        strong,
        best_of_p.iter().map(|b| b.0).fold(0.0, f32::max),
        if few >= 2 { shared as f32 / few as f32 } else { 0.0 },
        vector.map_or(0.0, |cosine| whole.worth(cosine)),
        top(vector_of_p.into_iter()),
        alone.met,
        alone.candidate_met,
        alone.aim_met,
        alone.method_met,
        alone.vector,
        if p.language == c.language { 1.0 } else { 0.0 },
        alone.together,
    ];
    features[..of_pair.len()].copy_from_slice(&of_pair);
    let matches = best_of_p
        .iter()
        .enumerate()
        .filter(|(_, b)| b.0 > 0.0)
        .map(|(proposal, &(alike, candidate))| Match { proposal, candidate, alike })
        .collect();
    Pair { at, features, matches, look: Look { alone, met }, by_words: Look { alone: words_alone, met: exact } }
}

/// Mean of the best few; 0 for none.
fn top(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(BEST);
    if values.is_empty() { 0.0 } else { values.iter().sum::<f32>() / values.len() as f32 }
}

/// Codes and numbers with at least two digits or a letter: what is the same in every language.
fn figures(text: &str) -> Vec<String> {
    let telling = |t: &str| {
        let digits = t.chars().filter(char::is_ascii_digit).count();
        let letters = t.chars().filter(|c| c.is_alphabetic()).count();
        digits >= 1
            && (digits >= 2 || letters >= 1)
            && !(letters == 0 && digits == 4 && (t.starts_with("19") || t.starts_with("20")))
    };
    let mut found: Vec<String> =
        analyse(text).into_iter().filter(|t| t.weight >= 1.0 && telling(&t.text)).map(|t| t.text).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_most_telling_sentences_are_compared_wherever_they_stand() {
        let mut sentences = vec![(Facet::Aim, 1.0); 200];
        sentences.extend([(Facet::Material, 9.0), (Facet::Method, 7.0), (Facet::Other, 9.0), (Facet::Result, 8.0)]);
        let chosen = most_telling(&sentences, SENTENCES);
        assert_eq!(chosen.len(), SENTENCES);
        assert!(chosen.is_sorted() && chosen.ends_with(&[157, 201, 203]), "{chosen:?}");
        assert_eq!(most_telling(&[(Facet::Other, 1.0), (Facet::Aim, 0.5), (Facet::Other, 2.0)], 2), [1, 2]);
    }
}
