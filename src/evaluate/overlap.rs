//! Proposals made by construction and written by hand, judged by `overlap`: to fit its weights, and to measure them.
//!
//! Works on the index of the [`App`] at hand. Training and testing never share a project that proposals are made of. Every figure of
//! [`Measured`] is computed from [`Row`]s, which hold each pair of a proposal and a candidate.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::features::{self, Origin, Rows};
use super::measured::{Measured, measure, projects};
use super::repeats::{asked, read_pairs};
use super::rewritten::{Made, Original, Recipe, make};
use super::statistics::Random;
use super::{EvaluateError, few};
use crate::app::App;
use crate::document::{Access, Document};
use crate::portfolio::overlap::{OverlapOptions, compared};
use crate::portfolio::verdict::{
    FLOOR, Features, Model, STANDING, WeightFile, Weights, severity, weight_file, weights,
};
use crate::portfolio::{Compared, Institutes, Kind, PortfolioError, Project, Proposal, Side, compare, project};

/// What to measure.
#[derive(Clone, Debug)]
pub struct OverlapEvaluation {
    /// Projects proposals are made of.
    pub projects: usize,
    /// Seed.
    pub seed: u64,
    /// Fit on the training half and judge with the new weights.
    pub fit: bool,
    /// Fit the weights for an index of few documents instead, and measure them on indexes left out of the fit.
    pub few: bool,
    /// Proposals written by hand (as for `--pairs`), fitted on as well.
    pub by_hand: Option<PathBuf>,
    /// Where to write the features of every pair, one JSON object a line.
    pub features_out: Option<PathBuf>,
    /// Features written so, in place of comparing anew: the first of this index; of the others, of other indexes with the same
    /// encoder, only the proposals written by hand, which are fitted on.
    pub features_in: Vec<PathBuf>,
}

/// One judged pair.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Number of the proposal.
    pub proposal: usize,
    /// How it was made.
    pub recipe: Recipe,
    /// Candidate.
    pub project_id: String,
    /// What it is, by construction; of other candidates nothing is known but that the proposal was not made of them.
    pub label: Option<Kind>,
    /// What it was judged.
    pub kind: Kind,
    /// Probability of `done already`.
    pub done: f64,
    /// Rank among the candidates by how much they overlap, from 1; 0: not among the candidates.
    pub rank: usize,
    /// In the half that weights are fitted on.
    pub training: bool,
    /// Share of the words that were dropped or replaced.
    pub noise: f64,
    /// What it counts as in fitting: its label, or what its place by [`STANDING`] suggests. Nothing is measured against the latter,
    /// for the model reads that feature.
    #[serde(skip)]
    pub(super) fitted_as: Kind,
    #[serde(skip)]
    pub(super) features: Option<Features>,
    /// The same pair, seen among a few of the candidates only.
    #[serde(skip)]
    pub(super) among_few: Option<Features>,
    /// Place among the candidates by [`STANDING`], from 0.
    #[serde(skip)]
    pub(super) standing: usize,
}

/// The first few that are not labelled are `related` for fitting.
const RELATED_RANKS: usize = 3;
/// Candidates at these places are `none` for fitting: those before may be related, those after are easy.
const NONE: std::ops::RangeInclusive<usize> = 15..=27;
/// What a pair of a proposal written by hand weighs in fitting: there are few, and they are what people write. A sixth of what it
/// was when there were fewer, none of them judged in small indexes as well.
const BY_HAND: f64 = 2.0;
/// What a pair seen among a few candidates weighs of the whole: as many others as a small index has.
const FEW: f64 = 0.5;
/// What a labelled pair weighs more than one that is `related` or `none`, of which there are many.
const LABELLED: f64 = 1.5;

/// Makes proposals of the index's projects (or reads what was compared before), judges them, and compares verdicts with labels.
pub fn constructed(app: &App, options: &OverlapEvaluation) -> Result<Measured, EvaluateError> {
    let (encoder, documents) = (app.embedder().map(|e| e.id()), app.catalog().document_count()?);
    let mut rows = match options.features_in.first() {
        Some(file) => {
            let rows = features::read(file)?;
            rows.origin.must_be(file, encoder, Some(documents))?;
            rows
        }
        None => compare_all(app, options)?,
    };
    let mut others: Vec<(PathBuf, Vec<Row>)> = Vec::new();
    for file in options.features_in.iter().skip(1) {
        let other = features::read(file)?;
        other.origin.must_be(file, encoder, None)?;
        others.push((file.clone(), other.by_hand));
    }
    if let Some(file) = &options.features_out {
        features::write(file, &rows)?;
    }
    let mut held_out = Vec::new();
    let fitted = match (options.fit, options.few, encoder) {
        (false, _, _) => None,
        (true, true, None) => {
            let what = "--few fits weights for an index with an encoder, and this one has none";
            return Err(EvaluateError::Level(what.into()));
        }
        (true, true, Some(encoder)) => {
            let (few, outside) = few::fitted(&rows.by_hand, &others, encoder);
            held_out = outside;
            Some(WeightFile { few: Some(few), ..weight_file() })
        }
        (true, false, _) => {
            let by_hand = rows.by_hand.iter().chain(others.iter().flat_map(|(_, rows)| rows));
            let new = fit(&rows.made, by_hand, &rows.origin);
            let mut file = weight_file();
            if encoder.is_some() {
                file.vectors = new;
            } else {
                file.words = new;
            }
            Some(file)
        }
    };
    let model = match &fitted {
        // What was just fitted, whatever the size of the index.
        Some(file) if !options.few => Model::of(if encoder.is_some() { &file.vectors } else { &file.words }),
        Some(file) => file.model(encoder.is_some(), documents),
        None => weights(encoder.is_some(), documents),
    };
    judge_all(&mut rows.made, model);
    let made = model.made();
    Ok(Measured { held_out, ..measure(&rows, made, fitted) })
}

/// Compares made proposals, and those written by hand, with their candidates.
fn compare_all(app: &App, options: &OverlapEvaluation) -> Result<Rows, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let mut originals = originals(app, &institutes, options)?;
    originals.truncate(whole_pairs(originals.len()));
    if originals.is_empty() {
        return Err(EvaluateError::Dataset {
            path: app.index_folder().display().to_string(),
            what: "fewer than 4 projects in English with aims and methods; ingest records first (`--projects` is 4 at least)"
                .into(),
        });
    }
    let mut random = Random::new(options.seed);
    let mut jobs: Vec<Job> = Vec::new();
    for (i, (document, project)) in originals.iter().enumerate() {
        let far = &originals[partner(i, originals.len())];
        let training = trains(i, originals.len());
        for recipe in Recipe::ALL {
            let of = Original { document, project };
            let made = make(recipe, &of, &Original { document: &far.0, project: &far.1 }, &mut random);
            jobs.push(Job { number: jobs.len(), training, made, document: None });
        }
    }
    let made = compare_jobs(app, &institutes, &jobs)?;
    let by_hand = match &options.by_hand {
        Some(file) => compare_jobs(app, &institutes, &written(app, file, &institutes)?)?,
        None => Vec::new(),
    };
    let origin = Origin {
        encoder: app.embedder().map(|e| e.id().to_owned()),
        documents: app.catalog().document_count()?,
        seed: options.seed,
        by_hand: options.by_hand.clone(),
    };
    Ok(Rows { origin, made, by_hand })
}

/// How many of `n` projects are used: pairs, as many for training as for testing.
fn whole_pairs(n: usize) -> usize {
    n / 4 * 4
}

/// The project whose words and methods the proposals of project `i` borrow; it borrows from `i` in turn.
fn partner(i: usize, n: usize) -> usize {
    (i + n / 2) % n
}

/// True if proposals of project `i`, and so those of its partner, are fitted on.
fn trains(i: usize, n: usize) -> bool {
    (i % (n / 2)).is_multiple_of(2)
}

/// A proposal to be compared: made, or a document of the index.
struct Job {
    number: usize,
    training: bool,
    made: Made,
    document: Option<Document>,
}

/// Proposals of a file, each once as it is and once with the earlier work it was written about left out of the index.
fn written(app: &App, file: &Path, institutes: &Institutes) -> Result<Vec<Job>, EvaluateError> {
    let mut jobs: Vec<Job> = Vec::new();
    let known = asked(app, institutes)?;
    for (n, pair) in read_pairs(file)?.into_iter().enumerate() {
        let invalid = |what: String| EvaluateError::Dataset { path: file.display().to_string(), what };
        let Some(kind) = Kind::ALL.into_iter().find(|k| k.name() == pair.kind) else {
            return Err(invalid(format!("pair {}: `{}` is no kind of verdict", n + 1, pair.kind)));
        };
        let document = match (&pair.text, pair.indexed()) {
            (None, Some(id)) => Some(
                known
                    .get(&id)
                    .cloned()
                    .ok_or_else(|| invalid(format!("pair {}: `{id}` is not in the index", n + 1)))?,
            ),
            _ => None,
        };
        let text = pair.text.clone().unwrap_or_default();
        let prior = pair.prior_id();
        for (labels, exclude) in [(vec![(prior.clone(), kind)], Vec::new()), (Vec::new(), vec![prior.clone()])] {
            let made = Made { recipe: Recipe::Reworded, text: text.clone(), labels, exclude, noise: 1.0 };
            jobs.push(Job { number: jobs.len(), training: true, made, document: document.clone() });
        }
    }
    Ok(jobs)
}

/// Compares on all processors; rows in order of the proposals.
fn compare_jobs(app: &App, institutes: &Institutes, jobs: &[Job]) -> Result<Vec<Row>, EvaluateError> {
    let mut rows: Vec<Row> = Vec::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let share = jobs.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| -> Result<(), EvaluateError> {
        let workers: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| {
                scope.spawn(move || -> Result<Vec<Row>, PortfolioError> {
                    let mut rows = Vec::new();
                    for job in jobs {
                        rows.extend(compare_job(app, institutes, job)?);
                    }
                    Ok(rows)
                })
            })
            .collect();
        for worker in workers {
            let found = worker.join().map_err(|_| EvaluateError::Level("a measuring thread panicked".into()))?;
            rows.extend(found?);
        }
        Ok(())
    })?;
    rows.sort_by_key(|r| r.proposal);
    Ok(rows)
}

fn originals(
    app: &App,
    institutes: &Institutes,
    options: &OverlapEvaluation,
) -> Result<Vec<(Document, Project)>, EvaluateError> {
    let mut all: Vec<(Document, Project)> = Vec::new();
    let mut titles: HashSet<String> = HashSet::new();
    project::each(
        app.catalog(),
        institutes,
        |document, project| {
            let fits = Original { document: &document, project: &project }.fits();
            // Joint projects stand in the index several times; one of them is enough.
            if fits && project.language == "en" && titles.insert(document.title.to_lowercase()) {
                all.push((document, project));
            }
            Ok(())
        },
        |document| document.metadata.access == Access::Public,
    )?;
    Random::new(options.seed).shuffle(&mut all);
    all.truncate(options.projects);
    Ok(all)
}

pub(super) fn verdict(weights: Model<'_>, features: &Features) -> (Kind, f64) {
    likeliest(&weights.probabilities(features))
}

/// The likeliest kind, and how likely the first of them, `done already`, is.
fn likeliest(p: &[f64; 5]) -> (Kind, f64) {
    let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
    (Kind::FITTED[best], p[0])
}

/// Compares one proposal: a row a candidate, and a row for each labelled project that was not among them.
fn compare_job(app: &App, institutes: &Institutes, job: &Job) -> Result<Vec<Row>, PortfolioError> {
    let (n, training, made) = (job.number, job.training, &job.made);
    let proposal = match &job.document {
        Some(document) => Proposal::of(document.clone(), institutes),
        None => Proposal::from_text(&made.text, institutes)?,
    };
    let options = OverlapOptions { exclude: made.exclude.clone(), ..OverlapOptions::default() };
    let (own, candidates) = compared(&app.parts(), institutes, &proposal, &options)?;
    let mut rows = rows(n, training, made, &candidates);
    // The same among fewer: a small index holds fewer others, and the same work must be seen in it too.
    let kept = few(&candidates, made, n);
    let sides: Vec<&Side> = kept.iter().map(|i| &candidates[*i].side).collect();
    for (i, comparison) in kept.iter().zip(compare(&own, &sides)) {
        if let Some(row) = rows.iter_mut().find(|r| r.project_id == candidates[*i].project.id) {
            row.among_few = Some(comparison.features);
        }
    }
    Ok(rows)
}

/// A few of the candidates (6 to 25), those with a label among them.
fn few(candidates: &[Compared], made: &Made, seed: usize) -> Vec<usize> {
    let mut random = Random::new(seed as u64 + 77);
    let labelled = |i: &usize| made.labels.iter().any(|l| l.0 == candidates[*i].project.id);
    let (mut kept, mut others): (Vec<usize>, Vec<usize>) = (0..candidates.len()).partition(labelled);
    random.shuffle(&mut others);
    kept.extend(others.into_iter().take(6 + random.below(20)));
    kept.sort_unstable();
    kept
}

/// Rows that nobody has judged yet ([`judge_all`]), in order of the candidates.
fn rows(n: usize, training: bool, made: &Made, candidates: &[Compared]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut standing: Vec<usize> = (0..candidates.len()).collect();
    let stands = |i: usize| candidates[i].comparison.features[STANDING];
    standing.sort_by(|a, b| stands(*b).total_cmp(&stands(*a)).then(a.cmp(b)));
    let sources: Vec<&str> = candidates
        .iter()
        .filter(|c| made.labels.iter().any(|l| l.0 == c.project.id))
        .map(|c| c.document.title.as_str())
        .collect();
    for (i, candidate) in candidates.iter().enumerate() {
        let label = made.labels.iter().find(|l| l.0 == candidate.project.id).map(|l| l.1);
        // The same joint project under another number has no label of its own: left out.
        let twin = label.is_none() && sources.iter().any(|t| t.eq_ignore_ascii_case(&candidate.document.title));
        if twin {
            continue;
        }
        let standing = standing.iter().position(|s| *s == i).unwrap_or(0);
        let guess = if standing < RELATED_RANKS + sources.len() { Kind::Related } else { Kind::None };
        rows.push(Row {
            proposal: n,
            recipe: made.recipe,
            project_id: candidate.project.id.clone(),
            label,
            kind: Kind::None,
            done: 0.0,
            rank: 0,
            training,
            noise: made.noise,
            fitted_as: label.unwrap_or(guess),
            features: Some(candidate.comparison.features),
            among_few: None,
            standing,
        });
    }
    for (id, label) in &made.labels {
        if !rows.iter().any(|r| r.project_id == *id) {
            rows.push(Row {
                proposal: n,
                recipe: made.recipe,
                project_id: id.clone(),
                label: Some(*label),
                kind: Kind::None,
                done: 0.0,
                rank: 0,
                training,
                noise: made.noise,
                fitted_as: *label,
                features: None,
                among_few: None,
                standing: usize::MAX,
            });
        }
    }
    rows
}

/// Verdict, probability and rank of every row by this model; what was no candidate stays `none` at rank 0.
fn judge_all(rows: &mut [Row], model: Model<'_>) {
    let mut scores: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (i, row) in rows.iter_mut().enumerate() {
        if let Some(features) = &row.features {
            let p = model.probabilities(features);
            (row.kind, row.done) = likeliest(&p);
            scores.entry(row.proposal).or_default().push((severity(&p), i));
        }
    }
    for mut list in scores.into_values() {
        list.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (rank, (_, i)) in list.into_iter().enumerate() {
            rows[i].rank = rank + 1;
        }
    }
}

/// Pairs to fit on, with the index into [`Kind::FITTED`] and what each weighs: of each row as it stands among all candidates, and among a few.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) pairs: Vec<(Features, usize)>,
    pub(super) each: Vec<f64>,
}

impl Pairs {
    /// `among_all` and `among_few`: what the two weigh.
    pub(super) fn add<'a>(&mut self, rows: impl IntoIterator<Item = &'a Row>, among_all: f64, among_few: f64) {
        for row in rows {
            let Some(kind) = Kind::FITTED.iter().position(|k| *k == row.fitted_as) else { continue };
            if row.fitted_as == Kind::None && !NONE.contains(&row.standing) {
                continue;
            }
            let of_label = match row.fitted_as {
                Kind::DoneAlready | Kind::SameAim | Kind::SameMethod => LABELLED,
                Kind::None => 0.5,
                Kind::Related | Kind::Continuation => 1.0,
            };
            for (features, weight) in [(row.features, among_all), (row.among_few, among_few)] {
                if let Some(features) = features.filter(|_| weight > 0.0) {
                    self.pairs.push((features, kind));
                    self.each.push(weight * of_label);
                }
            }
        }
    }
}

fn fit<'a>(made: &[Row], by_hand: impl Iterator<Item = &'a Row>, origin: &Origin) -> Weights {
    let mut all = Pairs::default();
    all.add(made.iter().filter(|r| r.training), 1.0 - FEW, FEW);
    all.add(by_hand, BY_HAND * (1.0 - FEW), BY_HAND * FEW);
    let Pairs { pairs, each } = all;
    let encoder = origin.encoder.as_deref();
    let hand = origin.by_hand.as_ref().map_or_else(String::new, |file| format!(" --by-hand {}", file.display()));
    let made = format!(
        "fitted by `sectora eval overlap --projects {} --seed {} --fit{hand}` on {} pairs of proposals made by construction (half of the projects) and written by hand, from an index of {} documents, {}",
        projects(made),
        origin.seed,
        pairs.len(),
        origin.documents,
        encoder.map_or_else(|| "words only".to_owned(), |e| format!("encoder {e}")),
    );
    // Chosen by four-fold cross-validation over the training half.
    Weights {
        strewn: encoder.map(|_| [0.15, 0.4]),
        floor: encoder.map(|_| FLOOR),
        ..Weights::fit(&pairs, &each, 1e-3, 600, made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portfolio::verdict::FEATURES;

    #[test]
    fn who_borrows_from_whom_stays_in_one_half_and_the_halves_are_equal() {
        for asked in 0..=50 {
            let n = whole_pairs(asked);
            assert!(n <= asked && asked - n < 4);
            for i in 0..n {
                let far = partner(i, n);
                assert_eq!((partner(far, n), trains(far, n)), (i, trains(i, n)), "{i} of {n}");
                assert_ne!(far, i);
            }
            assert_eq!((0..n).filter(|i| trains(*i, n)).count(), n / 2, "{n}");
        }
        // The draw that the weights of the program were fitted on.
        assert_eq!((whole_pairs(120), partner(3, 120), trains(3, 120), trains(62, 120)), (120, 63, false, true));
    }

    fn row(label: Option<Kind>, fitted_as: Kind, features: Option<Features>) -> Row {
        Row {
            proposal: 0,
            recipe: Recipe::Reworded,
            project_id: String::new(),
            label,
            kind: Kind::SameAim,
            done: 0.3,
            rank: 7,
            training: true,
            noise: 0.2,
            fitted_as,
            features,
            among_few: None,
            standing: 0,
        }
    }

    #[test]
    fn rows_are_judged_by_the_model_at_hand_whatever_they_were_judged_before() {
        let mut copy = [0.5; FEATURES.len()];
        copy[0] = 0.97;
        let mut rows = [
            row(None, Kind::None, Some([0.0; FEATURES.len()])),
            row(Some(Kind::DoneAlready), Kind::DoneAlready, Some(copy)),
        ];
        let file = weight_file();
        judge_all(&mut rows, Model::of(&file.vectors));
        assert_eq!(rows.each_ref().map(|r| (r.kind, r.rank)), [(Kind::None, 2), (Kind::DoneAlready, 1)]);
        assert!(rows[0].done < 0.01 && rows[1].done > 0.99, "{rows:?}");
    }

    #[test]
    fn what_has_no_label_is_fitted_as_its_place_suggests() {
        let features = Some([0.1; FEATURES.len()]);
        let mut all = Pairs::default();
        all.add(&[row(None, Kind::Related, features), row(None, Kind::None, features)], 1.0, 0.0);
        // The second stands first, where what is not labelled may be related.
        assert_eq!(all.pairs.iter().map(|p| Kind::FITTED[p.1]).collect::<Vec<_>>(), [Kind::Related]);
    }
}
