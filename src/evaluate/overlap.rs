//! How good are the verdicts of `overlap`? On proposals made by construction, planted repeats, and known groups.
//!
//! Works on the index of the [`App`] at hand. Training and testing never share a project. Every figure of
//! [`Measured`] can be recomputed from [`Row`]s, which hold each judged pair.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::at_recall::{AtRecall, Pair, at_recall};
use super::few::{self, HeldOut};
use super::repeats::{asked, read_pairs};
use super::rewritten::{Made, Original, Recipe, make};
use super::statistics::{Estimate, Random, bootstrap};
use super::{EvaluateError, features};
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
    /// Where to write the features of every judged pair, one JSON object a line.
    pub features_out: Option<PathBuf>,
    /// Features written so, in place of judging anew; of all but the first only the proposals written by hand, which are fitted on.
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
    /// What it is, by construction.
    pub label: Kind,
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
    #[serde(skip)]
    pub(super) features: Option<Features>,
    /// The same pair, seen among a few of the candidates only.
    #[serde(skip)]
    pub(super) among_few: Option<Features>,
    /// Place among the candidates by [`STANDING`], from 0.
    #[serde(skip)]
    pub(super) standing: usize,
}

/// What came out, on the test half.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Projects proposals were made of, and proposals.
    pub projects: usize,
    /// Proposals judged in the test half.
    pub proposals: usize,
    /// Documents in the index.
    pub documents: u64,
    /// Encoder.
    pub encoder: Option<String>,
    /// How the weights were made.
    pub weights: String,
    /// `done already`: share of the made repeats that were found (their source judged so).
    pub recall: Option<Estimate>,
    /// `done already`: share of those judged so that are.
    pub precision: Option<Estimate>,
    /// Precision at the highest threshold that finds nine of ten repeats.
    pub at_recall_90: Option<AtRecall>,
    /// By how much was reworded: share from, to, recall, precision, precision at recall 0.90.
    pub by_noise: Vec<NoiseRow>,
    /// Per recipe: share whose labelled projects were judged as labelled, and their recall@10 among candidates.
    pub recipes: Vec<RecipeRow>,
    /// Label × verdict, counts of pairs whose label follows from construction.
    pub confusion: Vec<(Kind, Kind, usize)>,
    /// Of `done already`: probability from, to, pairs, mean probability, share that are.
    pub calibration: Vec<(f64, f64, usize, f64, f64)>,
    /// Expected calibration error over these bins.
    pub calibration_error: f64,
    /// Fitted weights, to be put into the program's file.
    pub fitted: Option<WeightFile>,
    /// Of weights for few documents: what they make of each index that they were not fitted on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<HeldOut>,
}

/// Proposals reworded by so much.
#[derive(Clone, Debug, Serialize)]
pub struct NoiseRow {
    /// Share of words dropped or replaced, from.
    pub from: f64,
    /// To.
    pub to: f64,
    /// `done already`: found.
    pub recall: Option<Estimate>,
    /// `done already`: right.
    pub precision: Option<Estimate>,
    /// Precision where nine of ten are found.
    pub at_recall_90: Option<AtRecall>,
}

/// One recipe.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeRow {
    /// Recipe.
    pub recipe: Recipe,
    /// Label.
    pub label: Kind,
    /// Judged as labelled.
    pub right: Option<Estimate>,
    /// Among the first ten candidates.
    pub recall_10: Option<Estimate>,
    /// Proposals for which something that is not was judged `done already`.
    pub false_alarms: usize,
    /// `done already`: share of what was judged so for proposals of this recipe that is.
    pub precision: Option<Estimate>,
    /// Precision where nine of ten of this recipe's repeats are found.
    pub at_recall_90: Option<AtRecall>,
}

/// The first few that are not labelled are `related`.
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

/// Makes proposals of the index's projects (or reads what was judged before), and compares the verdicts with the labels.
pub fn constructed(app: &App, options: &OverlapEvaluation) -> Result<Measured, EvaluateError> {
    let (mut rows, mut by_hand) = match options.features_in.first() {
        Some(file) => features::read(file)?,
        None => judged(app, options)?,
    };
    let others = options.features_in.iter().skip(1).map(|file| Ok((file.clone(), features::read(file)?.1)));
    let others: Vec<(PathBuf, Vec<Row>)> = others.collect::<Result<_, EvaluateError>>()?;
    let projects_of =
        |rows: &[Row]| rows.iter().map(|r| r.proposal).collect::<HashSet<usize>>().len() / Recipe::ALL.len();
    if options.fit && options.few {
        let (few, held_out) = few::fitted(&by_hand, &others, app);
        let made = few.made.clone();
        let file = WeightFile { few: Some(few), ..weight_file() };
        return Ok(Measured { held_out, ..measure(app, &rows, projects_of(&rows), made, Some(file))? });
    }
    by_hand.extend(others.into_iter().flat_map(|(_, rows)| rows));
    if let Some(file) = &options.features_out {
        features::write(file, &rows, &by_hand)?;
    }
    let projects = projects_of(&rows);
    let (with_encoder, documents) = (app.embedder().is_some(), app.catalog().document_count()?);
    let mut fitted = None;
    if options.fit {
        let new = fit(&rows, &by_hand, app, projects, options);
        for row in rows.iter_mut() {
            if let Some(features) = &row.features {
                (row.kind, row.done) = verdict(Model::of(&new), features);
            }
        }
        rerank(&mut rows, &new);
        let mut file = weight_file();
        if with_encoder {
            file.vectors = new
        } else {
            file.words = new
        }
        fitted = Some(file);
    }
    let made = fitted.as_ref().map_or_else(
        || weights(with_encoder, documents).made(),
        |f| if with_encoder { f.vectors.made.clone() } else { f.words.made.clone() },
    );
    measure(app, &rows, projects, made, fitted)
}

/// Rows of made proposals, and of those written by hand.
fn judged(app: &App, options: &OverlapEvaluation) -> Result<(Vec<Row>, Vec<Row>), EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let originals = originals(app, &institutes, options)?;
    if originals.len() < 4 {
        return Err(EvaluateError::Dataset {
            path: app.index_folder().display().to_string(),
            what: "fewer than 4 projects in English with aims and methods; ingest records first".into(),
        });
    }
    let mut random = Random::new(options.seed);
    let mut jobs: Vec<Job> = Vec::new();
    for (i, (document, project)) in originals.iter().enumerate() {
        let far = &originals[(i + originals.len() / 2) % originals.len()];
        // Pairs (i, far) fall into the same half, so that no project is in both.
        let training = (i % (originals.len() / 2).max(1)) % 2 == 0;
        for recipe in Recipe::ALL {
            let of = Original { document, project };
            let made = make(recipe, &of, &Original { document: &far.0, project: &far.1 }, &mut random);
            jobs.push(Job { number: jobs.len(), training, made, document: None });
        }
    }
    let rows = judge_all(app, &institutes, &jobs)?;
    let by_hand = match &options.by_hand {
        Some(file) => judge_all(app, &institutes, &written(app, file, &institutes)?)?,
        None => Vec::new(),
    };
    Ok((rows, by_hand))
}

/// A proposal to be judged: made, or a document of the index.
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

/// Judges on all processors; rows in order of the proposals.
fn judge_all(app: &App, institutes: &Institutes, jobs: &[Job]) -> Result<Vec<Row>, EvaluateError> {
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
                        rows.extend(judge(app, institutes, job)?);
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
    let p = weights.probabilities(features);
    let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
    (Kind::FITTED[best], p[0])
}

/// Judges one proposal: a row a candidate, and a row for each labelled project that was not among them.
fn judge(app: &App, institutes: &Institutes, job: &Job) -> Result<Vec<Row>, PortfolioError> {
    let (n, training, made) = (job.number, job.training, &job.made);
    let proposal = match &job.document {
        Some(document) => Proposal::of(document.clone(), institutes),
        None => Proposal::from_text(&made.text, institutes)?,
    };
    let options = OverlapOptions { exclude: made.exclude.clone(), ..OverlapOptions::default() };
    let (own, candidates) = compared(&app.parts(), institutes, &proposal, &options)?;
    let model = weights(app.embedder().is_some(), app.catalog().document_count()?);
    let mut rows = rows(model, n, training, made, &candidates);
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

fn rows(model: Model<'_>, n: usize, training: bool, made: &Made, candidates: &[Compared]) -> Vec<Row> {
    let mut order: Vec<(f64, usize)> = candidates
        .iter()
        .enumerate()
        .map(|(i, c)| (severity(&model.probabilities(&c.comparison.features)), i))
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut rows = Vec::new();
    let mut standing: Vec<usize> = (0..candidates.len()).collect();
    let stands = |i: usize| candidates[i].comparison.features[STANDING];
    standing.sort_by(|a, b| stands(*b).total_cmp(&stands(*a)).then(a.cmp(b)));
    let sources: Vec<&str> = candidates
        .iter()
        .filter(|c| made.labels.iter().any(|l| l.0 == c.project.id))
        .map(|c| c.document.title.as_str())
        .collect();
    for (rank, (_, i)) in order.iter().enumerate() {
        let candidate = &candidates[*i];
        let label = made.labels.iter().find(|l| l.0 == candidate.project.id).map(|l| l.1);
        // The same joint project under another number has no label of its own: left out.
        let twin = label.is_none() && sources.iter().any(|t| t.eq_ignore_ascii_case(&candidate.document.title));
        if twin {
            continue;
        }
        let features = candidate.comparison.features;
        let standing = standing.iter().position(|s| s == i).unwrap_or(0);
        let (kind, done) = verdict(model, &features);
        rows.push(Row {
            proposal: n,
            recipe: made.recipe,
            project_id: candidate.project.id.clone(),
            label: label.unwrap_or(if standing < RELATED_RANKS + sources.len() { Kind::Related } else { Kind::None }),
            kind,
            done,
            rank: rank + 1,
            training,
            noise: made.noise,
            features: Some(features),
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
                label: *label,
                kind: Kind::None,
                done: 0.0,
                rank: 0,
                training,
                noise: made.noise,
                features: None,
                among_few: None,
                standing: usize::MAX,
            });
        }
    }
    rows
}

fn rerank(rows: &mut [Row], model: &Weights) {
    let mut scores: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        if let Some(features) = &row.features {
            scores.entry(row.proposal).or_default().push((severity(&model.probabilities(features)), i));
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
            let Some(kind) = Kind::FITTED.iter().position(|k| *k == row.label) else { continue };
            if row.label == Kind::None && !NONE.contains(&row.standing) {
                continue;
            }
            let of_label = match row.label {
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

fn fit(rows: &[Row], by_hand: &[Row], app: &App, projects: usize, options: &OverlapEvaluation) -> Weights {
    let mut all = Pairs::default();
    all.add(rows.iter().filter(|r| r.training), 1.0 - FEW, FEW);
    all.add(by_hand, BY_HAND * (1.0 - FEW), BY_HAND * FEW);
    let Pairs { pairs, each } = all;
    let hand = options.by_hand.as_ref().map_or_else(String::new, |file| format!(" --by-hand {}", file.display()));
    let made = format!(
        "fitted by `sectora eval overlap --projects {projects} --seed {} --fit{hand}` on {} pairs of proposals made by construction (half of the projects) and written by hand, from an index of {} documents, {}",
        options.seed,
        pairs.len(),
        app.catalog().document_count().unwrap_or(0),
        app.embedder().map_or_else(|| "words only".to_owned(), |e| format!("encoder {}", e.id())),
    );
    // Chosen by four-fold cross-validation over the training half.
    Weights {
        strewn: app.embedder().map(|_| [0.15, 0.4]),
        floor: app.embedder().map(|_| FLOOR),
        ..Weights::fit(&pairs, &each, 1e-3, 600, made)
    }
}

fn measure(
    app: &App,
    rows: &[Row],
    projects: usize,
    made: String,
    fitted: Option<WeightFile>,
) -> Result<Measured, EvaluateError> {
    let test: Vec<&Row> = rows.iter().filter(|r| !r.training).collect();
    let proposals: HashSet<usize> = test.iter().map(|r| r.proposal).collect();
    let (recall, precision) = quality(&test);
    let mut by_noise = Vec::new();
    for (from, to) in [(0.0, 0.35), (0.35, 0.6), (0.6, 1.0)] {
        let inside: Vec<&Row> = test.iter().copied().filter(|r| r.noise >= from && r.noise < to).collect();
        let (recall, precision) = quality(&inside);
        by_noise.push(NoiseRow { from, to, recall, precision, at_recall_90: nine_of_ten(&inside) });
    }
    let mut recipes = Vec::new();
    for recipe in Recipe::ALL {
        let mine: Vec<&Row> = test.iter().copied().filter(|r| r.recipe == recipe).collect();
        let labels = match recipe {
            Recipe::FacetChanged => vec![Kind::SameAim, Kind::SameMethod],
            Recipe::NearTopic => vec![Kind::Related],
            Recipe::Reworded | Recipe::Shortened | Recipe::Split | Recipe::Korean => vec![Kind::DoneAlready],
        };
        for label in labels {
            let of: Vec<&&Row> = mine.iter().filter(|r| r.label == label).collect();
            let right: Vec<f64> = of.iter().map(|r| f64::from(u8::from(r.kind == label))).collect();
            let ten: Vec<f64> = of.iter().map(|r| f64::from(u8::from((1..=10).contains(&r.rank)))).collect();
            let alarms: HashSet<usize> = mine
                .iter()
                .filter(|r| r.kind == Kind::DoneAlready && r.label != Kind::DoneAlready)
                .map(|r| r.proposal)
                .collect();
            recipes.push(RecipeRow {
                recipe,
                label,
                right: bootstrap(&right, 1),
                recall_10: bootstrap(&ten, 2),
                false_alarms: alarms.len(),
                precision: quality(&mine).1,
                at_recall_90: nine_of_ten(&mine),
            });
        }
    }
    let mut confusion: BTreeMap<(Kind, Kind), usize> = BTreeMap::new();
    for row in &test {
        *confusion.entry((row.label, row.kind)).or_insert(0) += 1;
    }
    let (calibration, calibration_error) = calibration(&test);
    Ok(Measured {
        projects,
        proposals: proposals.len(),
        documents: app.catalog().document_count()?,
        encoder: app.embedder().map(|e| e.id().to_owned()),
        weights: made,
        recall,
        precision,
        by_noise,
        at_recall_90: nine_of_ten(&test),
        recipes,
        confusion: confusion.into_iter().map(|((a, b), n)| (a, b, n)).collect(),
        calibration,
        calibration_error,
        fitted,
        held_out: Vec::new(),
    })
}

/// Recall and precision of `done already`.
fn quality(rows: &[&Row]) -> (Option<Estimate>, Option<Estimate>) {
    let is = |kind: Kind| f64::from(u8::from(kind == Kind::DoneAlready));
    let found: Vec<f64> = rows.iter().filter(|r| r.label == Kind::DoneAlready).map(|r| is(r.kind)).collect();
    let said: Vec<f64> = rows.iter().filter(|r| r.kind == Kind::DoneAlready).map(|r| is(r.label)).collect();
    (bootstrap(&found, 3), bootstrap(&said, 4))
}

/// Precision where nine of ten repeats are found.
fn nine_of_ten(rows: &[&Row]) -> Option<AtRecall> {
    let pair =
        |r: &&Row| Pair { project: r.proposal / Recipe::ALL.len(), done: r.done, is: r.label == Kind::DoneAlready };
    at_recall(&rows.iter().map(pair).collect::<Vec<_>>(), 0.9, 5)
}

type Bins = Vec<(f64, f64, usize, f64, f64)>;

fn calibration(test: &[&Row]) -> (Bins, f64) {
    let edges = [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0001];
    let mut out = Vec::new();
    let mut error = 0.0;
    let judged: Vec<&&Row> = test.iter().filter(|r| r.rank > 0).collect();
    for pair in edges.windows(2) {
        let inside: Vec<&&&Row> = judged.iter().filter(|r| r.done >= pair[0] && r.done < pair[1]).collect();
        if inside.is_empty() {
            continue;
        }
        let n = inside.len() as f64;
        let mean = inside.iter().map(|r| r.done).sum::<f64>() / n;
        let right = inside.iter().filter(|r| r.label == Kind::DoneAlready).count() as f64 / n;
        error += n / judged.len() as f64 * (mean - right).abs();
        out.push((pair[0], pair[1].min(1.0), inside.len(), mean, right));
    }
    (out, error)
}
