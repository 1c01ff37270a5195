//! How good are the verdicts of `overlap`? On proposals made by construction, planted repeats, and known groups.
//!
//! Works on the index of the [`App`] at hand. Training and testing never share a project. Every figure of
//! [`Measured`] can be recomputed from [`Row`]s, which hold each judged pair.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::rewritten::{Made, Original, Recipe, make};
use super::statistics::{Estimate, Random, bootstrap};
use crate::app::App;
use crate::document::{Access, Document};
use crate::portfolio::landscape::{LandscapeOptions, landscape};
use crate::portfolio::overlap::{OverlapOptions, compared};
use crate::portfolio::verdict::{Features, STANDING, WeightFile, Weights, severity, weight_file, weights};
use crate::portfolio::{Holdings, Institutes, Kind, PortfolioError, Project, Proposal, project};

/// What to measure.
#[derive(Clone, Debug)]
pub struct OverlapEvaluation {
    /// Projects proposals are made of.
    pub projects: usize,
    /// Seed.
    pub seed: u64,
    /// Fit on the training half and judge with the new weights.
    pub fit: bool,
    /// Proposals written by hand (as for `--pairs`), fitted on as well.
    pub by_hand: Option<PathBuf>,
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
    features: Option<Features>,
    /// Place among the candidates by [`STANDING`], from 0.
    #[serde(skip)]
    standing: usize,
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
    /// Precision at the highest threshold that finds nine of ten repeats, and that threshold.
    pub at_recall_90: Option<(f64, f64)>,
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
    /// Precision where nine of ten are found, and the threshold.
    pub at_recall_90: Option<(f64, f64)>,
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
}

/// The first few that are not labelled are `related`.
const RELATED_RANKS: usize = 3;
/// Candidates at these places are `none` for fitting: those before may be related, those after are easy.
const NONE: std::ops::RangeInclusive<usize> = 15..=27;
/// What a pair of a proposal written by hand weighs in fitting: there are few, and they are what people write.
const BY_HAND: f64 = 12.0;
/// What a labelled pair weighs more than one that is `related` or `none`, of which there are many.
const LABELLED: f64 = 1.5;

/// Makes proposals of the index's projects, judges them, and compares with the labels.
pub fn constructed(app: &App, options: &OverlapEvaluation) -> Result<Measured, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let originals = originals(app, &institutes, options)?;
    if originals.len() < 4 {
        return Err(EvaluateError::Dataset {
            path: app.index_folder().display().to_string(),
            what: "fewer than 4 projects in English with aims and methods; ingest records first".into(),
        });
    }
    let mut random = Random::new(options.seed);
    let mut jobs: Vec<(usize, bool, Made)> = Vec::new();
    for (i, (document, project)) in originals.iter().enumerate() {
        let far = &originals[(i + originals.len() / 2) % originals.len()];
        // Pairs (i, far) fall into the same half, so that no project is in both.
        let training = (i % (originals.len() / 2).max(1)) % 2 == 0;
        for recipe in Recipe::ALL {
            let of = Original { document, project };
            let made = make(recipe, &of, &Original { document: &far.0, project: &far.1 }, &mut random);
            jobs.push((jobs.len(), training, made));
        }
    }
    let mut rows = judge_all(app, &institutes, &jobs)?;
    let by_hand = match &options.by_hand {
        Some(file) if options.fit => judge_all(app, &institutes, &written(file)?)?,
        _ => Vec::new(),
    };
    let with_encoder = app.embedder().is_some();
    let mut fitted = None;
    if options.fit {
        let new = fit(&rows, &by_hand, app, originals.len(), options);
        for row in rows.iter_mut() {
            if let Some(features) = &row.features {
                (row.kind, row.done) = verdict(&new, features);
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
        || weights(with_encoder).made.clone(),
        |f| if with_encoder { f.vectors.made.clone() } else { f.words.made.clone() },
    );
    measure(app, &rows, originals.len(), made, fitted)
}

/// Proposals of a file, each once as it is and once with the earlier work it was written about left out of the index.
fn written(file: &Path) -> Result<Vec<(usize, bool, Made)>, EvaluateError> {
    let mut jobs = Vec::new();
    for pair in read_pairs(file)? {
        let Some(text) = pair.text else { continue };
        let Some(kind) = Kind::ALL.into_iter().find(|k| k.name() == pair.kind) else {
            let what = format!("`{}` is no kind of verdict", pair.kind);
            return Err(EvaluateError::Dataset { path: file.display().to_string(), what });
        };
        let made = |labels, exclude| Made { recipe: Recipe::Reworded, text: text.clone(), labels, exclude, noise: 1.0 };
        jobs.push((jobs.len(), true, made(vec![(pair.prior.clone(), kind)], Vec::new())));
        jobs.push((jobs.len(), true, made(Vec::new(), vec![pair.prior])));
    }
    Ok(jobs)
}

/// Judges on all processors; rows in order of the proposals.
fn judge_all(app: &App, institutes: &Institutes, jobs: &[(usize, bool, Made)]) -> Result<Vec<Row>, EvaluateError> {
    let mut rows: Vec<Row> = Vec::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let share = jobs.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| -> Result<(), EvaluateError> {
        let workers: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| {
                scope.spawn(move || -> Result<Vec<Row>, PortfolioError> {
                    let mut rows = Vec::new();
                    for (n, training, made) in jobs {
                        rows.extend(judge(app, institutes, *n, *training, made)?);
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

fn verdict(weights: &Weights, features: &Features) -> (Kind, f64) {
    let p = weights.probabilities(features);
    let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
    (Kind::FITTED[best], p[0])
}

/// Judges one proposal: a row a candidate, and a row for each labelled project that was not among them.
fn judge(
    app: &App,
    institutes: &Institutes,
    n: usize,
    training: bool,
    made: &Made,
) -> Result<Vec<Row>, PortfolioError> {
    let proposal = Proposal::from_text(&made.text, institutes)?;
    let options = OverlapOptions { exclude: made.exclude.clone(), ..OverlapOptions::default() };
    let (_, candidates) = compared(&app.parts(), institutes, &proposal, &options)?;
    let model = weights(app.embedder().is_some());
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
                standing: usize::MAX,
            });
        }
    }
    Ok(rows)
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

fn fit(rows: &[Row], by_hand: &[Row], app: &App, projects: usize, options: &OverlapEvaluation) -> Weights {
    let mut pairs: Vec<(Features, usize)> = Vec::new();
    let mut each: Vec<f64> = Vec::new();
    let all = rows.iter().filter(|r| r.training).map(|r| (r, 1.0)).chain(by_hand.iter().map(|r| (r, BY_HAND)));
    for (row, weight) in all {
        let Some(features) = row.features else { continue };
        let Some(kind) = Kind::FITTED.iter().position(|k| *k == row.label) else { continue };
        if row.label == Kind::None && !NONE.contains(&row.standing) {
            continue;
        }
        pairs.push((features, kind));
        each.push(
            weight
                * match row.label {
                    Kind::DoneAlready | Kind::SameAim | Kind::SameMethod => LABELLED,
                    Kind::None => 0.5,
                    Kind::Related | Kind::Continuation => 1.0,
                },
        );
    }
    let hand = options.by_hand.as_ref().map_or_else(String::new, |file| format!(" --by-hand {}", file.display()));
    let made = format!(
        "fitted by `sectora eval overlap --projects {projects} --seed {} --fit{hand}` on {} pairs of proposals made by construction (half of the projects) and written by hand, from an index of {} documents, {}",
        options.seed,
        pairs.len(),
        app.catalog().stats().map_or(0, |s| s.documents),
        app.embedder().map_or_else(|| "words only".to_owned(), |e| format!("encoder {}", e.id())),
    );
    Weights::fit(&pairs, &each, 1e-3, 1500, made)
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
        by_noise.push(NoiseRow { from, to, recall, precision, at_recall_90: at_recall(&inside, 0.9) });
    }
    let mut recipes = Vec::new();
    for recipe in Recipe::ALL {
        let mine: Vec<&&Row> = test.iter().filter(|r| r.recipe == recipe).collect();
        let labels = match recipe {
            Recipe::FacetChanged => vec![Kind::SameAim, Kind::SameMethod],
            Recipe::NearTopic => vec![Kind::Related],
            Recipe::Reworded | Recipe::Shortened | Recipe::Split | Recipe::Korean => vec![Kind::DoneAlready],
        };
        for label in labels {
            let of: Vec<&&&Row> = mine.iter().filter(|r| r.label == label).collect();
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
        documents: app.catalog().stats()?.documents,
        encoder: app.embedder().map(|e| e.id().to_owned()),
        weights: made,
        recall,
        precision,
        by_noise,
        at_recall_90: at_recall(&test, 0.9),
        recipes,
        confusion: confusion.into_iter().map(|((a, b), n)| (a, b, n)).collect(),
        calibration,
        calibration_error,
        fitted,
    })
}

/// Recall and precision of `done already`.
fn quality(rows: &[&Row]) -> (Option<Estimate>, Option<Estimate>) {
    let is = |kind: Kind| f64::from(u8::from(kind == Kind::DoneAlready));
    let found: Vec<f64> = rows.iter().filter(|r| r.label == Kind::DoneAlready).map(|r| is(r.kind)).collect();
    let said: Vec<f64> = rows.iter().filter(|r| r.kind == Kind::DoneAlready).map(|r| is(r.label)).collect();
    (bootstrap(&found, 3), bootstrap(&said, 4))
}

/// Precision and threshold where the share `recall` of the repeats is found.
fn at_recall(test: &[&Row], recall: f64) -> Option<(f64, f64)> {
    let mut positives: Vec<f64> = test.iter().filter(|r| r.label == Kind::DoneAlready).map(|r| r.done).collect();
    positives.sort_by(|a, b| b.total_cmp(a));
    let need = (positives.len() as f64 * recall).ceil() as usize;
    let threshold = *positives.get(need.checked_sub(1)?)?;
    if threshold <= 0.0 {
        return None;
    }
    let said: Vec<&&Row> = test.iter().filter(|r| r.done >= threshold).collect();
    let right = said.iter().filter(|r| r.label == Kind::DoneAlready).count();
    Some((right as f64 / said.len().max(1) as f64, threshold))
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

/// A pair of `repeats.jsonl`, or a proposal written by hand about a project of the index.
#[derive(Clone, Debug, Deserialize)]
struct Planted {
    /// Project of the index that is checked …
    #[serde(default)]
    proposal: Option<String>,
    /// … or the text of a proposal, the first line its title.
    #[serde(default)]
    text: Option<String>,
    /// The earlier work.
    prior: String,
    kind: String,
    #[serde(default)]
    languages: String,
}

/// A planted pair, judged.
#[derive(Clone, Debug, Serialize)]
pub struct PlantedRow {
    /// Proposal: a project, or the first line of a text.
    pub proposal: String,
    /// The earlier work.
    pub prior: String,
    /// Label.
    pub label: String,
    /// Languages of the earlier work and the proposal.
    pub languages: String,
    /// What it was judged; `None`: not among the candidates.
    pub judged: Option<Kind>,
    /// Of `done already`.
    pub done: f64,
    /// Rank among the verdicts, from 1; 0: not there.
    pub rank: usize,
    /// Other work judged `done already` (or a continuation): to be looked at.
    pub others: Vec<String>,
    /// The best pair of sentences.
    pub evidence: Option<(String, String)>,
}

fn read_pairs(file: &Path) -> Result<Vec<Planted>, EvaluateError> {
    let text = fs_err::read_to_string(file)?;
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let invalid = |what: String| EvaluateError::Dataset { path: file.display().to_string(), what };
    lines.map(|(n, l)| serde_json::from_str(l).map_err(|e| invalid(format!("line {}: {e}", n + 1)))).collect()
}

/// Judges the pairs of a file on the index at hand. Ids may be written `file#id`.
pub fn planted(app: &App, file: &Path, weights: Option<Arc<WeightFile>>) -> Result<Vec<PlantedRow>, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let invalid = |what: String| EvaluateError::Dataset { path: file.display().to_string(), what };
    let id = |s: &str| s.rsplit('#').next().unwrap_or(s).to_owned();
    let mut by_source: HashMap<String, Document> = HashMap::new();
    project::each(
        app.catalog(),
        &institutes,
        |document, project| {
            by_source.insert(project.id, document);
            Ok(())
        },
        |_| true,
    )?;
    let mut rows = Vec::new();
    for (n, pair) in read_pairs(file)?.into_iter().enumerate() {
        let (shown, proposal) = match (&pair.proposal, &pair.text) {
            (Some(name), _) => {
                let document = by_source
                    .get(&id(name))
                    .ok_or_else(|| invalid(format!("pair {}: `{name}` is not in the index", n + 1)))?;
                (name.clone(), Proposal::of(document.clone(), &institutes))
            }
            (None, Some(text)) => {
                (text.lines().next().unwrap_or("").to_owned(), Proposal::from_text(text, &institutes)?)
            }
            (None, None) => return Err(invalid(format!("pair {}: neither `proposal` nor `text`", n + 1))),
        };
        let options =
            OverlapOptions { limit: 40, with_none: true, weights: weights.clone(), ..OverlapOptions::default() };
        let found = crate::portfolio::overlap::find(&app.parts(), &institutes, &proposal, &options)?;
        let prior = id(&pair.prior);
        let at = found.verdicts.iter().position(|v| v.project_id == prior);
        let verdict = at.map(|i| &found.verdicts[i]);
        let done = |v: &crate::portfolio::overlap::Verdict| v.probabilities.first().map_or(0.0, |p| p.1);
        rows.push(PlantedRow {
            proposal: shown,
            label: pair.kind,
            languages: pair.languages,
            judged: verdict.map(|v| v.kind),
            done: verdict.map_or(0.0, done),
            rank: at.map_or(0, |i| i + 1),
            others: found
                .verdicts
                .iter()
                .filter(|v| v.project_id != prior && matches!(v.kind, Kind::DoneAlready | Kind::Continuation))
                .map(|v| v.project_id.clone())
                .collect(),
            evidence: verdict
                .and_then(|v| v.evidence.first())
                .map(|e| (e.proposal.quote.clone(), e.source.quote.clone())),
            prior,
        });
    }
    Ok(rows)
}

/// Known groups of the same work: pairs found and missed by `overlap --all`.
#[derive(Clone, Debug, Serialize)]
pub struct Grouped {
    /// Pairs in the groups whose projects are in the index.
    pub pairs: usize,
    /// Judged `done already` with at least probability 0.5.
    pub found: usize,
    /// Missed pairs.
    pub missed: Vec<(String, String)>,
    /// Pairs judged so that are in no group: to be looked at.
    pub others: Vec<(String, String, f64)>,
    /// B³ of `consolidate` on the members of the groups, every other project of the index being a distractor.
    pub b_cubed: BCubed,
    /// Seconds of `overlap --all`.
    pub seconds: f64,
}

/// B³ (Bagga & Baldwin 1998).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BCubed {
    /// Precision.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// Items.
    pub items: usize,
    /// F1 over all projects of the index, the distractors being groups of one.
    pub f1_all: f64,
}

/// Compares `overlap --all` and `consolidate` with groups of external ids (a JSON list of lists).
pub fn grouped(
    app: &App,
    file: &Path,
    threshold: f32,
    weights: Option<Arc<WeightFile>>,
) -> Result<Grouped, EvaluateError> {
    let institutes = Institutes::new(&app.sector().institutes);
    let groups: Vec<Vec<String>> = serde_json::from_str(&fs_err::read_to_string(file)?).map_err(|e| {
        EvaluateError::Dataset { path: file.display().to_string(), what: format!("a list of lists of ids: {e}") }
    })?;
    let holdings = Holdings::load(&app.parts(), &institutes, Access::Public)?;
    let begin = std::time::Instant::now();
    let options = LandscapeOptions { limit: usize::MAX, weights, ..LandscapeOptions::default() };
    let found = landscape(&app.parts(), &institutes, &holdings, &options)?;
    let seconds = begin.elapsed().as_secs_f64();
    let known: HashSet<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    let key = |a: &str, b: &str| if a <= b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) };
    let mut wanted: HashSet<(String, String)> = HashSet::new();
    for group in &groups {
        let present: Vec<&String> = group.iter().filter(|g| known.contains(g.as_str())).collect();
        for (i, a) in present.iter().enumerate() {
            wanted.extend(present[i + 1..].iter().map(|b| key(a, b)));
        }
    }
    let said: HashMap<(String, String), f64> = found
        .pairs
        .iter()
        .filter(|p| p.done >= 0.5)
        .map(|p| (key(&p.later.project_id, &p.earlier.project_id), p.done))
        .collect();
    let mut missed: Vec<(String, String)> = wanted.iter().filter(|w| !said.contains_key(*w)).cloned().collect();
    missed.sort();
    let mut others: Vec<(String, String, f64)> =
        said.iter().filter(|(k, _)| !wanted.contains(*k)).map(|((a, b), p)| (a.clone(), b.clone(), *p)).collect();
    others.sort_by(|a, b| b.2.total_cmp(&a.2));
    Ok(Grouped {
        pairs: wanted.len(),
        found: wanted.len() - missed.len(),
        missed,
        others,
        b_cubed: b_cubed(app, &institutes, &holdings, &groups, threshold)?,
        seconds,
    })
}

fn b_cubed(
    app: &App,
    institutes: &Institutes,
    holdings: &Holdings,
    groups: &[Vec<String>],
    threshold: f32,
) -> Result<BCubed, EvaluateError> {
    use crate::portfolio::consolidate::{ConsolidateOptions, consolidate};
    let options = ConsolidateOptions { threshold, limit: usize::MAX, ..ConsolidateOptions::default() };
    let found = consolidate(&app.parts(), institutes, holdings, &options)?;
    let mut predicted: HashMap<&str, Vec<&str>> = HashMap::new();
    for group in &found.groups {
        let ids: Vec<&str> = group.members.iter().map(|m| m.project_id.as_str()).collect();
        ids.iter().for_each(|id| drop(predicted.insert(id, ids.clone())));
    }
    let gold: HashMap<&str, &Vec<String>> =
        groups.iter().flat_map(|g| g.iter().map(move |id| (id.as_str(), g))).collect();
    let score = |id: &str| -> (f64, f64) {
        let alone = [id];
        let mine: &[&str] = predicted.get(id).map_or(&alone, Vec::as_slice);
        let own = [id.to_owned()];
        let truth: &[String] = gold.get(id).map_or(&own, |g| g.as_slice());
        let both = mine.iter().filter(|m| truth.iter().any(|t| t == *m)).count() as f64;
        (both / mine.len() as f64, both / truth.len() as f64)
    };
    let f1 = |ids: &[&str]| -> (f64, f64, f64) {
        let n = ids.len().max(1) as f64;
        let scores: Vec<(f64, f64)> = ids.iter().map(|id| score(id)).collect();
        let (p, r) = (scores.iter().map(|s| s.0).sum::<f64>() / n, scores.iter().map(|s| s.1).sum::<f64>() / n);
        (p, r, if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 })
    };
    let all: Vec<&str> = holdings.all.iter().map(|h| h.project.id.as_str()).collect();
    let members: Vec<&str> = all.iter().copied().filter(|id| gold.contains_key(id)).collect();
    let (precision, recall, members_f1) = f1(&members);
    Ok(BCubed { precision, recall, f1: members_f1, items: members.len(), f1_all: f1(&all).2 })
}
