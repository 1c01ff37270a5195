//! From the features of a pair (proposal, earlier work) to a verdict with its probability.
//!
//! Multinomial logistic regression: `p(kind) = exp(w_kind · x) / Σ exp(w · x)` with x the standardised
//! [`FEATURES`] and a constant. The weights are data (`verdict.weights.toml`), fitted by
//! `sectora eval overlap --fit` on pairs built by construction; the file says how. Nothing here knows where
//! features come from.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a candidate is to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Aim and method were both worked on before.
    #[serde(rename = "done already")]
    DoneAlready,
    /// The aim is the same, the way another.
    #[serde(rename = "same aim, other method")]
    SameAim,
    /// The way is the same, the aim another.
    #[serde(rename = "same method, other aim")]
    SameMethod,
    /// Earlier work of the same group that the proposal goes on with.
    #[serde(rename = "continuation by the same group")]
    Continuation,
    /// The same field.
    #[serde(rename = "related")]
    Related,
    /// Nothing to do with it.
    #[serde(rename = "none")]
    None,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] =
        [Kind::DoneAlready, Kind::SameAim, Kind::SameMethod, Kind::Continuation, Kind::Related, Kind::None];
    /// The kinds that the text alone decides, in the order of the weights.
    pub const FITTED: [Kind; 5] = [Kind::DoneAlready, Kind::SameAim, Kind::SameMethod, Kind::Related, Kind::None];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::DoneAlready => "done already",
            Kind::SameAim => "same aim, other method",
            Kind::SameMethod => "same method, other aim",
            Kind::Continuation => "continuation by the same group",
            Kind::Related => "related",
            Kind::None => "none",
        }
    }

    /// In Korean, for reports.
    pub fn korean(self) -> &'static str {
        match self {
            Kind::DoneAlready => "이미 수행됨",
            Kind::SameAim => "목표 같음, 방법 다름",
            Kind::SameMethod => "방법 같음, 목표 다름",
            Kind::Continuation => "같은 연구진의 후속",
            Kind::Related => "관련 있음",
            Kind::None => "무관",
        }
    }
}

/// Names of the features, in order: of the pair alone (0 to 1), then among the other candidates (−1 to 1); from [`BY_WORDS`]
/// on by words alone, which vectors blur.
pub const FEATURES: [&str; 57] = [
    "whole_cosine",
    "proposal_covered",
    "candidate_covered",
    "aim_cosine",
    "method_cosine",
    "aim_matched",
    "method_matched",
    "candidate_aim_matched",
    "candidate_method_matched",
    "weaker_facet",
    "title_cosine",
    "strong_sentences",
    "best_sentence",
    "figures_shared",
    "whole_vector",
    "sentence_vector",
    "words_met",
    "candidate_words_met",
    "aim_words_met",
    "method_words_met",
    "vector_cosine",
    "same_language",
    "said_together",
    "words_stand_out",
    "candidate_words_stand_out",
    "whole_stands_out",
    "vector_stands_out",
    "title_stands_out",
    "aim_stands_out",
    "method_stands_out",
    "weaker_stands_out",
    "aim_over_method",
    "met_elsewhere",
    "aim_met_elsewhere",
    "method_met_elsewhere",
    "share_of_best",
    "lead",
    "lead_over_second",
    "sentences_stand_out",
    "quarter_stands_out",
    "aim_sentences_stand_out",
    "method_sentences_stand_out",
    "weaker_sentences_stand_out",
    "aim_over_method_sentences",
    "length",
    "together_stands_out",
    "standing",
    "exact_words_met",
    "exact_said_together",
    "exact_together_stands_out",
    "said_in_order",
    "order_stands_out",
    "exact_title_stands_out",
    "order_of_met",
    "order_share_of_best",
    "order_lead",
    "words_strewn",
];

/// Place of the feature that says best, without any weights, how a candidate stands among the others.
pub const STANDING: usize = BY_WORDS - 1;

/// Place of the first feature of words alone.
pub const BY_WORDS: usize = 47;

/// Place of `same_language`: where it is 0, the features from [`BY_WORDS`] on say nothing, for words of two languages have no
/// order in common, and count as if they were usual.
const SAME_LANGUAGE: usize = 21;

/// Features that say nothing about how much is repeated.
const FREE: [&str; 4] = ["same_language", "aim_over_method", "aim_over_method_sentences", "length"];
/// Features that speak against a repetition the larger they are.
const AGAINST: [&str; 4] = ["met_elsewhere", "aim_met_elsewhere", "method_met_elsewhere", "words_strewn"];
/// Rows of [`Kind::FITTED`] (`done already`, `related`, `none`) of which none may fall behind the next as two texts become
/// more alike.
const ORDERED: [usize; 3] = [0, 3, 4];

/// Row of `related`.
const RELATED: usize = ORDERED[1];

/// Cosine of whole texts from which two texts begin to be copies, and from which they are.
const COPY: [f64; 2] = [0.7, 0.9];

/// Row of `none`.
const NONE: usize = ORDERED[2];

/// Place of `vector_cosine`.
const VECTOR_COSINE: usize = 20;

/// Place of `length`, which is not fitted: what was written by hand to fit on is short, records of finished work are not, and a
/// weight on it would only tell the two apart.
const LENGTH: usize = 44;

/// Place of `words_strewn`, the last feature, which is not fitted but ruled by [`Weights::strewn`].
const STREWN: usize = FEATURES.len() - 1;

/// The features of one pair.
pub type Features = [f32; FEATURES.len()];

/// Orders verdicts: what repeats most first.
pub fn severity(p: &[f64; 5]) -> f64 {
    p[0] + 0.6 * p[1] + 0.5 * p[2] + 0.15 * p[3]
}

/// Fitted weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// How they were made.
    pub made: String,
    /// Feature names, to be compared with [`FEATURES`].
    pub features: Vec<String>,
    /// Means of the features over the training pairs.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub deviation: Vec<f64>,
    /// One row a kind of [`Kind::FITTED`], the constant last.
    pub rows: Vec<Vec<f64>>,
    /// From which `words_strewn` up `done already` begins to fade, and from which it is not said; without it nothing fades.
    #[serde(default)]
    pub strewn: Option<[f64; 2]>,
    /// Below which two texts have nothing to do with each other, however much one stands out; without it there is no floor.
    #[serde(default)]
    pub floor: Option<Floor>,
}

/// What a pair must reach by itself to be more than `none`. In a small index the best of the unrelated stand out as much as
/// a repeat does in a large one, so features that compare candidates with each other cannot tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// Of `vector_cosine`: from which the fitted figures begin to count, and from which they count whole.
    pub vector: [f64; 2],
    /// Of `whole_cosine`, either being enough.
    pub whole: [f64; 2],
}

impl Floor {
    /// How much of the fitted figures counts, 0 to 1.
    fn reached(&self, features: &Features) -> f64 {
        let part = |[from, to]: [f64; 2], at: usize| ((f64::from(features[at]) - from) / (to - from)).clamp(0.0, 1.0);
        part(self.vector, VECTOR_COSINE).max(part(self.whole, 0))
    }
}

/// The floor for the encoder inside the program (`docs/portfolio.md`, step 5, says what it was chosen on).
pub const FLOOR: Floor = Floor { vector: [0.28, 0.36], whole: [0.12, 0.2] };

/// The file: one set for indexes without an encoder, two for those with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightFile {
    /// Words only.
    pub words: Weights,
    /// Words and vectors.
    pub vectors: Weights,
    /// The same for an index of few documents; without it, as for one of many.
    #[serde(default)]
    pub few: Option<Weights>,
}

/// Up to how many documents an index is judged as one of few, and from how many on as one of many; between them (on a logarithmic scale)
/// the one goes over into the other. Among few, the nearest of another topic stands out as a repeat does among many.
pub const FEW: [f64; 2] = [20.0, 3000.0];

/// Weights as they hold for an index of some size.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    many: &'a Weights,
    /// Those for few documents, and the share that they have.
    few: Option<(&'a Weights, f64)>,
}

impl<'a> Model<'a> {
    /// One set of weights, whatever the size.
    pub fn of(weights: &'a Weights) -> Model<'a> {
        Model { many: weights, few: None }
    }

    /// Probabilities of the kinds of [`Kind::FITTED`], which sum to 1.
    pub fn probabilities(&self, features: &Features) -> [f64; 5] {
        let many = self.many.probabilities(features);
        match self.few {
            None => many,
            Some((few, share)) => {
                let few = few.probabilities(features);
                std::array::from_fn(|k| share * few[k] + (1.0 - share) * many[k])
            }
        }
    }

    /// True where the weights for few documents have a share.
    pub fn judges_as_few(&self) -> bool {
        self.few.is_some()
    }

    /// How the weights were made.
    pub fn made(&self) -> String {
        match self.few {
            None => self.many.made.clone(),
            Some((few, 1.0)) => few.made.clone(),
            Some((few, _)) => format!("{}; {}", few.made, self.many.made),
        }
    }

    /// Which of the program's weights for an index with an encoder these are, in Korean.
    pub fn made_in_korean(&self) -> &'static str {
        match self.few {
            None => "프로그램에 포함된 값(문서가 많은 색인용)",
            Some((_, 1.0)) => "프로그램에 포함된 값(문서가 적은 색인용)",
            Some(_) => "프로그램에 포함된 값(문서가 적은 색인용과 많은 색인용을 함께 씀)",
        }
    }
}

impl WeightFile {
    /// The weights for an index of so many documents.
    pub fn model(&self, with_encoder: bool, documents: u64) -> Model<'_> {
        if !with_encoder {
            return Model { many: &self.words, few: None };
        }
        let [from, to] = FEW.map(f64::ln);
        let share = 1.0 - (((documents.max(1) as f64).ln() - from) / (to - from)).clamp(0.0, 1.0);
        let few = self.few.as_ref().filter(|_| share > 0.0);
        Model { many: &self.vectors, few: few.map(|few| (few, share)) }
    }
}

const FILE: &str = include_str!("verdict.weights.toml");

static FITTED: LazyLock<WeightFile> =
    LazyLock::new(|| toml::from_str(FILE).expect("the program's own weights are tested"));

/// The shipped weights for an index of so many documents.
pub fn weights(with_encoder: bool, documents: u64) -> Model<'static> {
    FITTED.model(with_encoder, documents)
}

/// A weight file of one's own, checked.
pub fn read_weights(text: &str) -> Result<WeightFile, String> {
    let file: WeightFile = toml::from_str(text).map_err(|e| e.to_string())?;
    let n = FEATURES.len();
    let all = || [&file.words, &file.vectors].into_iter().chain(&file.few);
    let fits = |w: &Weights| {
        w.features == FEATURES
            && w.rows.len() == Kind::FITTED.len()
            && w.rows.iter().all(|r| r.len() == n + 1)
            && w.mean.len() == n
            && w.deviation.len() == n
    };
    if !all().all(fits) {
        return Err(format!(
            "weights need {} rows of {} numbers for the features {}",
            Kind::FITTED.len(),
            n + 1,
            FEATURES.join(", ")
        ));
    }
    if !all().all(Weights::are_numbers) {
        return Err("weights are finite numbers; `strewn`, `vector` and `whole` go from a lower one to a higher".into());
    }
    Ok(file)
}

/// The shipped file, to be refitted in part.
pub fn weight_file() -> WeightFile {
    FITTED.clone()
}

impl Weights {
    /// False where no probability would come out: of `nan` and `inf`, and of bounds between which nothing lies.
    fn are_numbers(&self) -> bool {
        let mut bounds = self.floor.iter().flat_map(|floor| [floor.vector, floor.whole]).chain(self.strewn);
        let finite = self.rows.iter().flatten().chain(&self.mean).chain(&self.deviation).all(|x| x.is_finite());
        finite && bounds.all(|[from, to]| from.is_finite() && to.is_finite() && from < to)
    }

    /// Probabilities of the kinds of [`Kind::FITTED`], which sum to 1. A copy is `done already` whatever stands beside
    /// it: from a cosine of the whole texts of `COPY` up, by which no pair was fitted, the fitted figures fade out.
    pub fn probabilities(&self, features: &Features) -> [f64; 5] {
        let [from, to] = COPY;
        let copy = ((f64::from(features[0]) - from) / (to - from)).clamp(0.0, 1.0);
        let mut p = self.fitted(features);
        if let Some([from, to]) = self.strewn {
            // Many of the proposal's words, but neither its title nor their order: another text of the same vocabulary.
            let faded = p[0] * ((f64::from(features[STREWN]) - from) / (to - from)).clamp(0.0, 1.0);
            p[0] -= faded;
            p[RELATED] += faded;
        }
        if let Some(floor) = &self.floor {
            let reached = floor.reached(features);
            p = p.map(|p| p * reached);
            p[NONE] += 1.0 - reached;
        }
        let mut p = p.map(|p| p * (1.0 - copy));
        p[0] += copy;
        p
    }

    fn fitted(&self, features: &Features) -> [f64; 5] {
        let x = self.standardise(features);
        let mut scores = [0f64; 5];
        for (score, row) in scores.iter_mut().zip(&self.rows) {
            *score = row.iter().zip(x.iter().chain([&1.0])).map(|(w, x)| w * x).sum();
        }
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        scores.iter_mut().for_each(|s| *s = (*s - top).exp());
        let sum: f64 = scores.iter().sum();
        scores.map(|s| s / sum)
    }

    fn keep_order(&mut self) {
        for (i, name) in FEATURES.iter().enumerate().filter(|(_, name)| !FREE.contains(name)) {
            let sign = if AGAINST.contains(name) { -1.0 } else { 1.0 };
            let [done, related, none] = ORDERED;
            let falling = [done, related, none].map(|row| sign * self.rows[row][i]);
            for (row, value) in ORDERED.into_iter().zip(pooled(falling)) {
                self.rows[row][i] = sign * value;
            }
        }
    }

    fn standardise(&self, features: &Features) -> Vec<f64> {
        let said = if features[SAME_LANGUAGE] > 0.0 { FEATURES.len() } else { BY_WORDS };
        let scaled = features.iter().zip(&self.mean).zip(&self.deviation).enumerate();
        scaled.map(|(i, ((f, m), d))| if i < said { (f64::from(*f) - m) / d.max(1e-6) } else { 0.0 }).collect()
    }

    /// Fits by gradient descent with momentum on the mean log-loss and `l2 / 2 · |w|²` (the constant is free), under the
    /// constraint that what makes two texts more alike never makes `done already` less likely beside `related`, nor
    /// `related` beside `none` (after every step weights out of order are pooled, as in isotonic regression). Forty features that
    /// say nearly the same otherwise get large weights of both signs, which mislead on texts of another making.
    /// `pairs` holds features and the index into [`Kind::FITTED`]; `each` the weight of a pair.
    pub fn fit(pairs: &[(Features, usize)], each: &[f64], l2: f64, steps: usize, made: String) -> Weights {
        let n = FEATURES.len();
        let total: f64 = each.iter().sum::<f64>().max(1e-9);
        let (mut mean, mut deviation) = (vec![0f64; n], vec![0f64; n]);
        for i in 0..n {
            // Over the pairs of which the feature says something.
            let said = || {
                let all = pairs.iter().map(|p| &p.0).zip(each);
                all.filter(|(x, _)| i < BY_WORDS || x[SAME_LANGUAGE] > 0.0).map(|(x, w)| (f64::from(x[i]), w))
            };
            let weight = said().map(|(_, w)| w).sum::<f64>().max(1e-9);
            mean[i] = said().map(|(x, w)| x * w).sum::<f64>() / weight;
            deviation[i] = said().map(|(x, w)| (x - mean[i]).powi(2) * w).sum::<f64>() / weight;
        }
        // What is ruled is not fitted, nor is length. A feature that never varies (vectors without an encoder) gets no weight.
        let flat: Vec<bool> =
            deviation.iter().enumerate().map(|(i, d)| i == STREWN || i == LENGTH || *d < 1e-10).collect();
        deviation.iter_mut().for_each(|d| *d = d.sqrt().max(1e-3));
        let mut weights = Weights {
            made,
            features: FEATURES.iter().map(|f| (*f).to_owned()).collect(),
            mean,
            deviation,
            rows: vec![vec![0.0; n + 1]; 5],
            strewn: None,
            floor: None,
        };
        let standard: Vec<Vec<f64>> = pairs.iter().map(|(x, _)| weights.standardise(x)).collect();
        let mut speed = vec![vec![0f64; n + 1]; 5];
        for _ in 0..steps {
            let mut slope = vec![vec![0f64; n + 1]; 5];
            for (((x, kind), s), w) in pairs.iter().zip(&standard).zip(each) {
                let p = weights.fitted(x);
                for (k, row) in slope.iter_mut().enumerate() {
                    let error = w * (p[k] - f64::from(u8::from(k == *kind))) / total;
                    row.iter_mut().zip(s.iter().chain([&1.0])).for_each(|(g, x)| *g += error * x);
                }
            }
            for (k, row) in weights.rows.iter_mut().enumerate() {
                for (i, w) in row.iter_mut().enumerate() {
                    let decay = if i < n { l2 * *w } else { 0.0 };
                    speed[k][i] = 0.9 * speed[k][i] - 0.3 * (slope[k][i] + decay);
                    if i == n || !flat[i] {
                        *w += speed[k][i];
                    }
                }
            }
            weights.keep_order();
        }
        let round = |v: &mut f64| *v = (*v * 1e4).round() / 1e4;
        weights.rows.iter_mut().flatten().for_each(round);
        weights.mean.iter_mut().chain(&mut weights.deviation).for_each(round);
        weights.deviation.iter_mut().for_each(|d| *d = d.max(1e-3));
        weights
    }
}

/// The nearest three numbers that do not rise (pool adjacent violators).
fn pooled([a, b, c]: [f64; 3]) -> [f64; 3] {
    let (front, back, all) = ((a + b) / 2.0, (b + c) / 2.0, (a + b + c) / 3.0);
    match (a < b, b < c) {
        (false, false) => [a, b, c],
        (true, false) if front >= c => [front, front, c],
        (false, true) if a >= back => [a, back, back],
        (true, false) | (false, true) | (true, true) => [all, all, all],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_weights_are_those_of_these_features_and_kinds() {
        assert_eq!((FEATURES[SAME_LANGUAGE], FEATURES[LENGTH]), ("same_language", "length"));
        let WeightFile { words, vectors, few } = weight_file();
        for w in [words, vectors].into_iter().chain(few) {
            assert_eq!(w.features, FEATURES);
            assert_eq!(w.rows.len(), Kind::FITTED.len());
            assert!(w.rows.iter().all(|r| r.len() == FEATURES.len() + 1));
            assert!(w.mean.len() == FEATURES.len() && w.deviation.len() == FEATURES.len());
            let sum: f64 = w.probabilities(&[0.3; FEATURES.len()]).iter().sum();
            assert!((sum - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn weights_from_which_no_probability_would_come_are_refused() {
        let read = |change: &dyn Fn(&mut WeightFile)| {
            let mut file = weight_file();
            change(&mut file);
            read_weights(&toml::to_string(&file).unwrap())
        };
        assert_eq!(read(&|_| ()), Ok(weight_file()));
        let wrong: [&dyn Fn(&mut WeightFile); 4] = [
            &|file| file.words.rows[0][0] = f64::NAN,
            &|file| file.vectors.mean[3] = f64::INFINITY,
            &|file| file.vectors.strewn = Some([0.4, 0.4]),
            &|file| file.few.iter_mut().for_each(|few| few.floor = Some(Floor { whole: [0.2, 0.1], ..FLOOR })),
        ];
        for change in wrong {
            assert!(read(change).unwrap_err().contains("finite numbers"));
        }
        assert!(read(&|file| drop(file.words.rows.pop())).unwrap_err().contains("rows of"));
    }

    /// Features of a pair whose figures are all `alone`, and which stands among the others as `among`.
    fn features(alone: f32, among: f32) -> Features {
        let mut x = [alone; FEATURES.len()];
        for (name, value) in FEATURES.iter().zip(&mut x) {
            *value = match *name {
                "same_language" => 1.0,
                "length" => 0.5,
                n if n.ends_with("elsewhere") => (0.5 - alone) / 2.0,
                "words_strewn" => 0.0,
                n if n.starts_with("aim_over") => 0.0,
                n if n.contains("stand") || n.contains("lead") => among,
                _ => alone,
            };
        }
        x
    }

    #[test]
    fn equal_texts_are_done_already_and_strangers_are_nothing() {
        for (with_encoder, documents) in [(false, 20), (false, 5000), (true, 20), (true, 300), (true, 5000)] {
            let w = weights(with_encoder, documents);
            let same = w.probabilities(&features(0.9, 0.8));
            let strange = w.probabilities(&features(0.05, -0.1));
            assert!(same[0] > 0.9, "{same:?}");
            assert!(strange[4] > 0.5 && strange[0] < 0.05, "{strange:?}");
        }
    }

    #[test]
    fn a_copy_is_done_already_even_if_others_are_copies_too() {
        let mut copy = features(0.0, 0.0);
        copy[0] = 0.97;
        assert!([20, 300, 5000].iter().all(|&n| weights(true, n).probabilities(&copy)[0] > 0.99));
    }

    #[test]
    fn the_weights_for_few_documents_go_over_into_those_for_many() {
        let file = weight_file();
        let (few, many) = (file.few.clone().unwrap(), file.vectors.clone());
        let x = features(0.3, 0.4);
        let done = |documents| file.model(true, documents).probabilities(&x)[0];
        assert_eq!([done(0), done(20)], [few.probabilities(&x)[0]; 2]);
        assert_eq!([done(3000), done(100_000)], [many.probabilities(&x)[0]; 2]);
        let half = (20f64 * 3000.0).sqrt().round() as u64;
        assert!((done(half) - (done(20) + done(3000)) / 2.0).abs() < 1e-3);
        assert!(file.model(true, 20).made() == few.made && file.model(true, 3000).made() == many.made);
        let korean = [20, 300, 3000].map(|documents| file.model(true, documents).made_in_korean());
        assert!(korean[0] != korean[1] && korean[1] != korean[2] && korean[0].contains("적은"), "{korean:?}");
        assert_eq!(WeightFile { few: None, ..file.clone() }.model(true, 20).probabilities(&x), many.probabilities(&x));
        assert_eq!(file.model(false, 20).probabilities(&x), file.words.probabilities(&x));
    }

    #[test]
    fn strewn_words_are_related_at_most() {
        let mut strewn = features(0.9, 0.8);
        assert!(weights(true, 5000).probabilities(&strewn)[0] > 0.9);
        strewn[0] = 0.5;
        strewn[STREWN] = 0.5;
        let p = weights(true, 5000).probabilities(&strewn);
        assert!(p[0] == 0.0 && (p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{p:?}");
    }

    #[test]
    fn what_has_nothing_in_common_is_nothing_however_much_it_stands_out() {
        let mut unrelated = features(0.5, 0.8);
        unrelated[0] = 0.1;
        unrelated[VECTOR_COSINE] = 0.25;
        assert_eq!(FEATURES[VECTOR_COSINE], "vector_cosine");
        let without = Weights { floor: None, ..weight_file().vectors };
        assert!(without.probabilities(&unrelated)[NONE] < 0.5);
        assert_eq!([20, 5000].map(|n| weights(true, n).probabilities(&unrelated)[NONE]), [1.0; 2]);
        // The same words, or vectors that are near, are enough.
        for (at, near) in [(0, 0.3), (VECTOR_COSINE, 0.45)] {
            let mut related = unrelated;
            related[at] = near;
            assert_eq!(weights(true, 5000).probabilities(&related), without.probabilities(&related));
        }
    }

    #[test]
    fn across_languages_the_order_of_words_says_nothing() {
        let mut across = features(0.5, 0.3);
        across[SAME_LANGUAGE] = 0.0;
        let mut otherwise = across;
        otherwise[BY_WORDS..STREWN].fill(0.0);
        let (a, b) = (weights(true, 5000).probabilities(&across), weights(true, 5000).probabilities(&otherwise));
        assert_eq!(a, b);
        otherwise[SAME_LANGUAGE] = 1.0;
        assert_ne!(
            weights(true, 5000).probabilities(&features(0.5, 0.3)),
            weights(true, 5000).probabilities(&otherwise)
        );
    }

    #[test]
    fn numbers_out_of_order_are_pooled() {
        assert_eq!(pooled([3.0, 2.0, 1.0]), [3.0, 2.0, 1.0]);
        assert_eq!(pooled([1.0, 3.0, 0.0]), [2.0, 2.0, 0.0]);
        assert_eq!(pooled([5.0, 1.0, 3.0]), [5.0, 2.0, 2.0]);
        assert_eq!(pooled([1.0, 2.0, 3.0]), [2.0, 2.0, 2.0]);
        assert_eq!(pooled([1.0, 2.0, 1.8]), [1.6, 1.6, 1.6].map(|_: f64| (1.0 + 2.0 + 1.8) / 3.0));
    }

    #[test]
    fn more_alike_is_never_less_repeated_whatever_the_pairs_say() {
        // Labels turned round: the texts that are alike are called strange.
        let pair = |v: f32, kind| ([v; FEATURES.len()], kind);
        let pairs: Vec<(Features, usize)> = (0..60).map(|i| pair(i as f32 / 60.0, [0, 3, 4][i / 20])).collect();
        let w = Weights::fit(&pairs, &vec![1.0; pairs.len()], 1e-3, 100, String::new());
        let at = FEATURES.iter().position(|f| *f == "whole_cosine").unwrap();
        let against = FEATURES.iter().position(|f| *f == "met_elsewhere").unwrap();
        assert!(w.rows[0][at] >= w.rows[3][at] && w.rows[3][at] >= w.rows[4][at], "{:?}", w.rows);
        assert!(w.rows[0][against] <= w.rows[3][against], "{:?}", w.rows);
    }

    #[test]
    fn fitting_separates_what_can_be_separated() {
        let pair = |v: f32, kind| ([v; FEATURES.len()], kind);
        let pairs: Vec<(Features, usize)> =
            (0..50).flat_map(|i| [pair(0.8 + i as f32 / 500.0, 0), pair(i as f32 / 500.0, 4)]).collect();
        let w = Weights::fit(&pairs, &vec![1.0; pairs.len()], 1e-3, 300, String::new());
        assert!(w.probabilities(&[0.9; FEATURES.len()])[0] > 0.9);
        assert!(w.probabilities(&[0.05; FEATURES.len()])[4] > 0.9);
    }
}
