//! How does one candidate stand out among the others?
//!
//! In: for each candidate of one proposal what was measured of it alone ([`Alone`]). Out: features that compare it with
//! the other candidates in its language. An author's own words move every figure of a proposal up or down, and so does
//! another language; among forty texts on the same topic the one that tells of the same work still leads. Every `stands
//! out` is `(x − mean of the others) / standard deviation of the others`, cut to −2 … 8 and divided by 8.

use super::facet::Facet;

/// With fewer others of its language a candidate is compared with those of all languages.
const FEW: usize = 4;
/// Number of features of a context.
pub(super) const CONTEXT: usize = 24;

/// What is known of one candidate without the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Alone {
    /// Language group.
    pub language: usize,
    /// Cosine of the whole texts' terms.
    pub whole: f32,
    /// Cosine of their vectors (0 without an encoder); where words alone are looked at, how much is said in the same order.
    pub vector: f32,
    /// Titles, by vector or else by words.
    pub title: f32,
    /// For each sentence of the proposal, the nearest of the candidate, by vector or else by words.
    pub nearest: Vec<f32>,
    /// Share of the proposal's words that the candidate says.
    pub met: f32,
    /// Of the words of its aims.
    pub aim_met: f32,
    /// Of the words of its methods.
    pub method_met: f32,
    /// Share of the candidate's words that the proposal says.
    pub candidate_met: f32,
    /// Share of the proposal's words that the candidate says together, sentence by sentence.
    pub together: f32,
}

/// The features, one row a candidate. `facets` are those of the proposal's sentences; `best` is the share of the
/// proposal's words (all, aims, methods) said by any of the candidates in a set.
pub(super) fn context(
    candidates: &[Alone],
    facets: &[Facet],
    best: impl Fn(&[usize]) -> [f32; 3],
) -> Vec<[f32; CONTEXT]> {
    let mut out = vec![[0f32; CONTEXT]; candidates.len()];
    let mut languages: Vec<usize> = candidates.iter().map(|c| c.language).collect();
    languages.sort_unstable();
    languages.dedup();
    for language in languages {
        let own: Vec<usize> = (0..candidates.len()).filter(|i| candidates[*i].language == language).collect();
        let group: Vec<usize> = if own.len() > FEW { own.clone() } else { (0..candidates.len()).collect() };
        let rows = of_group(candidates, &group, facets, best(&group));
        for (at, row) in group.iter().zip(rows) {
            if own.contains(at) {
                out[*at] = row;
            }
        }
    }
    out
}

fn of_group(candidates: &[Alone], group: &[usize], facets: &[Facet], best: [f32; 3]) -> Vec<[f32; CONTEXT]> {
    let column = |f: &dyn Fn(&Alone) -> f32| -> Vec<f32> { group.iter().map(|i| f(&candidates[*i])).collect() };
    let standing = |f: &dyn Fn(&Alone) -> f32, least: f32| outstanding(&column(f), least, (-2.0, 8.0));
    let mean_of = |c: &Alone, wanted: &[Facet]| {
        mean(c.nearest.iter().zip(facets).filter(|(_, f)| wanted.contains(f)).map(|(n, _)| *n))
    };
    let (aim, method) = (&[Facet::Aim][..], &[Facet::Method, Facet::Material][..]);
    let words = standing(&|c| c.met, 0.02);
    let back = standing(&|c| c.candidate_met, 0.02);
    let whole = standing(&|c| c.whole, 0.02);
    let vector = standing(&|c| c.vector, 0.03);
    let title = standing(&|c| c.title, 0.05);
    let said_together = standing(&|c| c.together, 0.02);
    let aim_words = standing(&|c| c.aim_met, 0.02);
    let method_words = standing(&|c| c.method_met, 0.02);
    let aim_near = standing(&|c| mean_of(c, aim), 0.03);
    let method_near = standing(&|c| mean_of(c, method), 0.03);
    let sentences: Vec<Vec<f32>> = (0..facets.len())
        .map(|s| outstanding(&column(&|c| c.nearest.get(s).copied().unwrap_or(0.0)), 0.04, (-2.0, 5.0)))
        .collect();
    let together: Vec<f32> = (0..group.len()).map(|i| words[i] + back[i] + whole[i] + vector[i]).collect();
    let top = column(&|c| c.met).into_iter().fold(0f32, f32::max);
    group
        .iter()
        .enumerate()
        .map(|(i, at)| {
            let c = &candidates[*at];
            let (aims, methods) = ((aim_words[i] + aim_near[i]) / 2.0, (method_words[i] + method_near[i]) / 2.0);
            let of = |wanted: &[Facet]| {
                mean(sentences.iter().zip(facets).filter(|(_, f)| wanted.contains(f)).map(|(s, _)| s[i]))
            };
            let (aim_sentences, method_sentences) = (of(aim), of(method));
            let mut all: Vec<f32> = sentences.iter().map(|s| s[i]).collect();
            all.sort_by(f32::total_cmp);
            let mut others: Vec<f32> = (0..group.len()).filter(|j| *j != i).map(|j| together[j]).collect();
            others.sort_by(|a, b| b.total_cmp(a));
            let lead = |place: usize| (together[i] - others.get(place).copied().unwrap_or(0.0)).clamp(-1.0, 1.0);
            [
                words[i],
                back[i],
                whole[i],
                vector[i],
                title[i],
                aims,
                methods,
                aims.min(methods),
                aims - methods,
                best[0] - c.met,
                best[1] - c.aim_met,
                best[2] - c.method_met,
                if top > 0.0 { c.met / top } else { 0.0 },
                lead(0),
                lead(1),
                mean(all.iter().copied()),
                all.get(all.len() / 4).copied().unwrap_or(0.0),
                aim_sentences,
                method_sentences,
                aim_sentences.min(method_sentences),
                aim_sentences - method_sentences,
                ((facets.len().max(1) as f32).ln() / 4.0).min(1.5),
                said_together[i],
                together[i] / 4.0,
            ]
        })
        .collect()
}

/// How far each value lies above the others, in their standard deviations (at least `least`), cut and brought to at most 1.
fn outstanding(values: &[f32], least: f32, (low, high): (f32, f32)) -> Vec<f32> {
    let n = values.len() as f32;
    let (sum, squares) = values.iter().fold((0f64, 0f64), |(s, q), v| (s + f64::from(*v), q + f64::from(v * v)));
    values
        .iter()
        .map(|v| {
            if n < 4.0 {
                // Too few to say: what most of those have that stand out a little.
                return 2.0 / high;
            }
            let others = f64::from(n) - 1.0;
            let mean = (sum - f64::from(*v)) / others;
            let variance = ((squares - f64::from(v * v)) / others - mean * mean).max(0.0);
            ((f64::from(*v) - mean) / variance.sqrt().max(f64::from(least))).clamp(low.into(), high.into()) as f32
                / high
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, n) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    if n == 0 { 0.0 } else { sum / n as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(language: usize, met: f32) -> Alone {
        Alone { language, met, whole: met, candidate_met: met, nearest: vec![met], ..Alone::default() }
    }

    #[test]
    fn the_one_that_leads_stands_out_in_its_own_language() {
        // Six texts in the proposal's language all meet more of its words than the one in the other language that tells of the same work.
        let mut candidates: Vec<Alone> = (0..6).map(|i| alone(0, 0.5 + 0.01 * i as f32)).collect();
        candidates.extend((0..6).map(|i| alone(1, 0.10 + 0.005 * i as f32)));
        candidates.push(alone(1, 0.3));
        let rows = context(&candidates, &[Facet::Aim], |_| [0.6, 0.6, 0.0]);
        assert!(rows[12][0] > 0.8, "{:?}", rows[12]);
        assert!(rows[..12].iter().all(|r| r[0] < 0.5));
        assert!(rows[12][13] > 0.5 && rows[5][13] < 0.5);
    }

    #[test]
    fn few_candidates_say_little() {
        let rows = context(&[alone(0, 0.9), alone(0, 0.1)], &[Facet::Aim], |_| [0.9, 0.9, 0.0]);
        assert_eq!(rows[0][0], rows[1][0]);
        assert!(context(&[], &[], |_| [0.0; 3]).is_empty());
    }
}
