//! `bench portfolio`: how long does `overlap --all` take over so many projects, how much memory, and what does it find?
//!
//! Projects are made up: every 200 share a subject with 60 words of its own, beside words drawn by Zipf's law; sentences
//! open with what marks aims, methods and results. One in a hundred tells of an earlier project again, with 40 % of its words
//! replaced. They are read by the ordinary way into a catalogue; vectors are computed where the portfolio needs them, and
//! no vector store is filled, which `overlap --all` does not ask.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome, this_program};
use super::{memory, temporary};
use crate::document::Access;
use crate::embed::{Embedder, StaticModel};
use crate::evaluate::statistics::Random;
use crate::index::{Answering, Catalog, Hit, Query, SyncOptions, sync};
use crate::ingest::{ChunkOptions, Limits, RecordMapping};
use crate::portfolio::landscape::{Landscape, LandscapeOptions, landscape, remembered_neighbours};
use crate::portfolio::{Holdings, Institutes};
use crate::retrieve::{Glossary, Lexicon, Parts};
use crate::sector::Sector;
use crate::text::bm25::Bm25;

/// Records in one file.
const A_FILE: usize = 10_000;
/// Projects that share a subject.
const A_SUBJECT: usize = 200;
/// Words of a subject.
const OWN: usize = 60;
/// General words.
const VOCABULARY: usize = 30_000;
/// One in so many projects is a repeat.
const REPEATS: usize = 100;
/// Share of a repeat's words that are replaced, in hundredths.
const REPLACED: usize = 40;
/// Openings of the sentences of a project.
const OPENINGS: [&str; 12] = [
    "The aim of this project is to understand",
    "We aim to develop",
    "We use",
    "The method is based on",
    "Samples are prepared from",
    "We measure",
    "The approach combines",
    "A model is fitted to",
    "Experiments are performed with",
    "The results show",
    "We expect to demonstrate",
    "It was found that",
];
const WORDS_A_SENTENCE: usize = 15;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Projects
    #[arg(long, default_value_t = 10_000)]
    projects: usize,
    /// Projects that arrive afterwards, to be compared alone; 0: the portfolio is read once only
    #[arg(long, default_value_t = 100)]
    new: usize,
    /// Neighbours of each project that are judged
    #[arg(long, default_value_t = 10)]
    neighbours: usize,
    /// Find each project's neighbours and judge none
    #[arg(long)]
    join_only: bool,
    /// Seed
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

#[derive(Serialize)]
struct Report {
    projects: usize,
    new: usize,
    neighbours: usize,
    encoder: String,
    /// Seconds of reading the records into the catalogue.
    ingest_s: f64,
    /// Seconds of reading the portfolio into memory, and of `overlap --all`.
    load_s: f64,
    all_s: f64,
    /// The same after the new projects have come.
    again_load_s: f64,
    again_s: f64,
    /// Projects compared then.
    again_compared: usize,
    /// Pairs judged.
    judged: usize,
    /// Planted repeats, those among the listed pairs of any kind, those judged `done already`, and other pairs said so. The
    /// words mean nothing, so what the verdict makes of them says little; whether they are listed is the join's doing.
    repeats: usize,
    /// Planted repeats that have the project they repeat among their neighbours.
    joined: usize,
    listed: usize,
    found: usize,
    others: usize,
    /// Peak memory of the process before and after.
    before_bytes: Option<u64>,
    peak_bytes: Option<u64>,
    /// Size of what is remembered between runs.
    remembered_bytes: u64,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Outcome, Failure> {
    if arguments.projects < 2 || arguments.neighbours == 0 {
        return Err(Failure::bad_input("--projects must be at least 2, --neighbours at least 1"));
    }
    let folder = temporary()?;
    let embedder = StaticModel::embedded()?;
    let sector = Sector::open(&context.config.sector, Path::new(&context.config.sectors_dir))?;
    let institutes = Institutes::new(&[]);
    let catalog = Catalog::open(&folder.path().join("catalog.sqlite3"))?;
    let glossary = Glossary::of_sector(&[]);
    let lexicon = Lexicon::default();
    let parts = Parts {
        catalog: &catalog,
        store: &NOWHERE,
        embedder: Some(&embedder),
        reranker: None,
        sector: &sector,
        glossary: &glossary,
        lexicon: &lexicon,
        settings: &context.config.search,
    };
    let remembered = folder.path().join("remembered.jsonl");
    let options = LandscapeOptions {
        neighbours: arguments.neighbours,
        limit: arguments.projects + arguments.new,
        judges: !arguments.join_only,
        remember: Some(remembered.clone()),
        ..LandscapeOptions::default()
    };
    let world = World::new(arguments.seed, arguments.projects + arguments.new);
    let begin = Instant::now();
    fill(context, &catalog, &world, folder.path(), 0..arguments.projects)?;
    let ingest_s = begin.elapsed().as_secs_f64();
    context.output.note(&format!("{} projects read in {ingest_s:.0} s", arguments.projects));
    let before_bytes = memory("VmHWM:");
    let once = || -> Result<(f64, f64, Landscape, usize), Failure> {
        let begin = Instant::now();
        let holdings = Holdings::load(&parts, &institutes, Access::Public)?;
        let load_s = begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        let found = landscape(&parts, &institutes, &holdings, &options)?;
        let all_s = begin.elapsed().as_secs_f64();
        let near = remembered_neighbours(&parts, &holdings, &options)?;
        Ok((load_s, all_s, found, joined(&near, &holdings, &world)))
    };
    let (load_s, all_s, found, joined) = once()?;
    let peak_bytes = memory("VmHWM:");
    let pairs = |least: f64| -> Vec<(usize, usize)> {
        let likely = found.pairs.iter().filter(|p| p.done >= least);
        likely.filter_map(|p| Some((p.later.project_id.parse().ok()?, p.earlier.project_id.parse().ok()?))).collect()
    };
    let said = pairs(0.5);
    let planted = |(a, b): &(usize, usize)| world.repeats(*a) == Some(*b) || world.repeats(*b) == Some(*a);
    let repeats = (0..arguments.projects).filter(|i| world.repeats(*i).is_some()).count();
    let right = said.iter().filter(|p| planted(p)).count();
    let listed = pairs(0.0).iter().filter(|p| planted(p)).count();
    let (mut again_load_s, mut again_s, mut again_compared) = (0.0, 0.0, 0);
    if arguments.new > 0 {
        fill(context, &catalog, &world, folder.path(), arguments.projects..arguments.projects + arguments.new)?;
        let again = once()?;
        (again_load_s, again_s, again_compared) = (again.0, again.1, again.2.compared);
    }
    let report = Report {
        projects: arguments.projects,
        new: arguments.new,
        neighbours: arguments.neighbours,
        encoder: embedder.id().to_owned(),
        ingest_s,
        load_s,
        all_s,
        again_load_s,
        again_s,
        again_compared,
        judged: found.judged,
        repeats,
        joined,
        listed,
        found: right,
        others: said.len() - right,
        before_bytes,
        peak_bytes,
        remembered_bytes: fs_err::metadata(&remembered).map_or(0, |m| m.len()),
    };
    context.output.result(&report, text);
    Ok(Outcome::Yes)
}

/// How many planted repeats have what they repeat among their nearest.
fn joined(near: &[Vec<usize>], holdings: &Holdings, world: &World) -> usize {
    let number = |k: usize| holdings.all[k].project.id.parse::<usize>().ok();
    let has_it = |(i, near): (usize, &Vec<usize>)| {
        let repeated = number(i).and_then(|n| world.repeats(n));
        repeated.is_some() && near.iter().any(|j| number(*j) == repeated)
    };
    near.iter().enumerate().filter(|pair| has_it(*pair)).count()
}

fn text(r: &Report) -> String {
    let mib = |b: Option<u64>| b.map_or_else(|| "?".into(), |b| format!("{:.0} MiB", b as f64 / f64::from(1 << 20)));
    format!(
        "{} projects, {} neighbours each, {}\nread into the catalogue: {:.1} s\nportfolio into memory: {:.1} s ({:.2} ms a project)\noverlap --all: {:.1} s ({:.2} ms a project), {} pairs judged\n{} new projects afterwards: {:.1} s into memory, {:.1} s, {} compared\nplanted repeats: {} of {} among the neighbours, {} listed, {} judged done already; {} other pairs so\nmemory: peak {} (before: {}); remembered: {}\n",
        r.projects,
        r.neighbours,
        r.encoder,
        r.ingest_s,
        r.load_s,
        1e3 * r.load_s / r.projects as f64,
        r.all_s,
        1e3 * r.all_s / r.projects as f64,
        r.judged,
        r.new,
        r.again_load_s,
        r.again_s,
        r.again_compared,
        r.joined,
        r.repeats,
        r.listed,
        r.found,
        r.others,
        mib(r.peak_bytes),
        mib(r.before_bytes),
        mib(Some(r.remembered_bytes)),
    )
}

/// Reads projects into the catalogue by the ordinary way.
fn fill(
    context: &Context,
    catalog: &Catalog,
    world: &World,
    folder: &Path,
    projects: std::ops::Range<usize>,
) -> Result<(), Failure> {
    let records = folder.join(format!("records-{}", projects.start));
    fs_err::create_dir_all(&records).map_err(|e| Failure::internal(e.to_string()))?;
    let from = projects.start;
    for first in projects.clone().step_by(A_FILE) {
        let file = records.join(format!("{first:09}.jsonl"));
        world.write(&file, first..projects.end.min(first + A_FILE)).map_err(|e| Failure::internal(e.to_string()))?;
    }
    let name = |field: &str| Some(field.to_owned());
    let never = AtomicBool::new(false);
    let options = SyncOptions {
        sector: "bench".into(),
        roots: vec![records],
        mapping: RecordMapping {
            id: name("id"),
            title: name("title"),
            text: vec!["text".into()],
            institution: name("institution"),
            year: name("year"),
            budget: name("budget"),
            ..RecordMapping::default()
        },
        stated: &|_| None,
        chunks: ChunkOptions::default(),
        bm25: Bm25::default(),
        limits: Limits::default(),
        program: this_program()?,
        prune: false,
        cancel: &never,
    };
    let done = sync(catalog, &NOWHERE, None, &options, &mut |_| {})?;
    if done.failed > 0 {
        return Err(Failure::internal(format!("{} of {} files from {from} were not read", done.failed, done.files)));
    }
    context.output.note(&format!("{} documents in the catalogue", done.documents));
    Ok(())
}

/// The made-up projects; each can be written without the others.
struct World {
    seed: u64,
    projects: usize,
    /// Cumulative Zipf weights of the general words.
    zipf: Vec<f64>,
}

impl World {
    fn new(seed: u64, projects: usize) -> World {
        let mut sum = 0.0;
        let zipf = (1..=VOCABULARY)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        World { seed, projects, zipf }
    }

    fn random(&self, of: usize, salt: u64) -> Random {
        Random::new(
            self.seed ^ (of as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03),
        )
    }

    /// The earlier project that this one repeats; none that is a repeat itself, for its own words stand nowhere.
    fn repeats(&self, project: usize) -> Option<usize> {
        let is_repeat = |project: usize| project % REPEATS == REPEATS - 1;
        is_repeat(project).then(|| {
            let drawn = self.random(project, 1).below(project);
            drawn - usize::from(is_repeat(drawn))
        })
    }

    fn write(&self, file: &Path, projects: std::ops::Range<usize>) -> std::io::Result<()> {
        let mut out = BufWriter::new(fs_err::File::create(file)?);
        for i in projects {
            let mut random = self.random(i, 2);
            let mut sentences = self.sentences(self.repeats(i).unwrap_or(i));
            if self.repeats(i).is_some() {
                for word in sentences.iter_mut().flatten() {
                    if random.below(100) < REPLACED {
                        *word = self.word(&mut random);
                    }
                }
                random.shuffle(&mut sentences[1..]);
            }
            let text: Vec<String> = sentences[1..]
                .iter()
                .zip(OPENINGS)
                .map(|(words, opening)| format!("{opening} {}.", words.join(" ")))
                .collect();
            let record = serde_json::json!({
                "id": format!("{i}"), "title": sentences[0].join(" "), "text": text.join(" "),
                "institution": format!("Institute of {}", spelled(7_000_000 + random.below(self.projects / 20 + 1))),
                "year": 2000 + (i * 25 / self.projects.max(1)), "budget": 100_000 + random.below(900_000),
            });
            serde_json::to_writer(&mut out, &record)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Title and sentences, as words.
    fn sentences(&self, project: usize) -> Vec<Vec<String>> {
        let mut random = self.random(project, 3);
        let subjects = self.projects.div_ceil(A_SUBJECT);
        let subject = random.below(subjects);
        // A project holds to a third of its subject's words.
        let own: Vec<usize> = (0..OWN / 3).map(|_| random.below(OWN)).collect();
        let words = |n: usize, random: &mut Random| -> Vec<String> {
            (0..n)
                .map(|_| match random.below(100) {
                    0..40 => spelled(1_000_000 + subject * OWN + own[random.below(own.len())]),
                    // Names and terms that few others use.
                    40..50 => spelled(20_000_000 + project * 16 + random.below(16)),
                    _ => self.word(random),
                })
                .collect()
        };
        let mut out = vec![words(7, &mut random)];
        out.extend((0..OPENINGS.len()).map(|_| words(WORDS_A_SENTENCE, &mut random)));
        out
    }

    fn word(&self, random: &mut Random) -> String {
        let at = random.below(1 << 30) as f64 / f64::from(1 << 30) * self.zipf[VOCABULARY - 1];
        spelled(self.zipf.partition_point(|sum| *sum < at).min(VOCABULARY - 1))
    }
}

/// A word for a number: syllables of a consonant and a vowel.
fn spelled(number: usize) -> String {
    let (mut rest, mut out) = (number + 2_000, String::new());
    while rest > 0 {
        out.push(char::from(b"bdfgklmnprstvz"[rest % 14]));
        rest /= 14;
        out.push(char::from(b"aeiou"[rest % 5]));
        rest /= 5;
    }
    out
}

/// The portfolio joined with itself asks the catalogue only.
static NOWHERE: Answering<fn(&Query) -> Vec<Hit>> = Answering(|_| Vec::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repeat_repeats_stands_in_the_portfolio() {
        let world = World::new(42, 20_000);
        let sources: Vec<(usize, usize)> = (0..20_000).filter_map(|i| Some((i, world.repeats(i)?))).collect();
        assert_eq!(sources.len(), 20_000 / REPEATS);
        assert!(sources.iter().all(|(i, source)| source < i && world.repeats(*source).is_none()), "{sources:?}");
    }
}
