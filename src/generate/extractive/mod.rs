//! No model: the sentences of the evidence that answer, as they stand, each with its citation.
//!
//! A sentence is scored by how much of the question it covers, terms weighed by their rarity in the index. What its title, headings and the sentence before say counts at a discount, because prose does not
//! repeat its subject. A question that asks for a figure or a time prefers sentences that hold one. Of a record's line of facts
//! (`name: value | name: value`) only those answer whose names are asked for; their context is the whole line. The cells of a row are
//! said of their columns. A question that asks several things gets a sentence for each that has one; one that asks what
//! came out prefers sentences that do not say what was meant to.

mod candidates;
mod cue;
mod reading;
mod span;
mod studies;
mod units;
mod wanted;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::Instant;

use regex::Regex;

use super::{Evidence, Finish, GenerateError, Generation, Generator, PromptStyle, Request, Sink};
use crate::document::Span;
use crate::text::coverage::Coverage;
use crate::text::{Figure, QuestionPart, asks_for_a_result, asks_for_an_aim, figures, rows, tokens, without_reaching};
use candidates::{Candidate, Kind, Tells, candidates};
use cue::Cue;
pub(crate) use cue::asks_for_a_figure;
pub(crate) use reading::read;
pub use reading::{Read, SpanFinder};
pub use span::SpanGenerator;
use studies::prefer_what_was_found;
use units::without_figures_of_other_units;
use wanted::{Fields, may_ask_whether, without_names};

/// Sentences at most.
const SENTENCES: usize = 3;
/// A sentence counts as an answer if it covers at least this share of the question, context included …
const MIN_SCORE: f32 = 0.35;
/// … and further sentences only if they come this close to the best one.
const NEAR_BEST: f32 = 0.75;
/// What the context of a sentence covers counts this much.
const CONTEXT: f32 = 0.6;
/// Two sentences that share more of their terms than this say the same.
const SAME: f32 = 0.8;
/// Preference for the better retrieved passage, a rank.
const RANK: f32 = 0.03;
/// What a sentence gains that holds the kind of thing asked for.
const CUE: f32 = 0.15;
/// What a record's line covers counts this much for the facts in it: they are said of nothing else.
const RECORD: f32 = 0.9;
/// What a row covers with the names of its columns counts this much: they are said of its cells only.
const COLUMNS: f32 = 0.9;
/// What a sentence loses that says an aim where the result is asked for, or what was looked into where yes or no is …
const AIM: f32 = 0.2;
/// … and another sentence holds so much of what it holds of the question.
const ALIKE: f32 = 0.8;
/// What a line loses that ends like no sentence.
const FRAGMENT: f32 = 0.1;
/// What an earlier clause counts in a later one.
const EARLIER: f32 = 0.5;
/// A sentence answers a part of a question if it holds more than this of what the part asks.
const PART: f32 = 0.5;
/// What a fact of a record gains whose name is asked for.
const NAMED: f32 = 0.1;
/// Longer pieces than this, in characters, are rarely sentences (a form's cells, a list without stops) …
const LONG: usize = 300;
/// … and cover a question by chance: what they lose for every further hundred characters.
const LONG_LOSS: f32 = 0.1;

/// The generator that is always there.
pub struct ExtractiveGenerator;

impl Generator for ExtractiveGenerator {
    fn name(&self) -> &str {
        "extractive"
    }

    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::None
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let begin = Instant::now();
        let chosen = choose(request);
        Ok(write(request, begin, chosen.iter().map(|c| (c.text, c.n)), sink))
    }
}

/// Writes texts, each with the number of its passage.
fn write<'a>(
    request: &Request<'_>,
    begin: Instant,
    texts: impl Iterator<Item = (&'a str, usize)>,
    sink: &mut Sink<'_>,
) -> Generation {
    let evidence: usize = request.evidence.iter().map(|e| tokens(e.text)).sum();
    let mut out = Generation {
        finish: Finish::Stop,
        prompt_tokens: tokens(request.question) + evidence,
        completion_tokens: 0,
        first_token_s: begin.elapsed().as_secs_f64(),
        tokens: Vec::new(),
    };
    for (text, n) in texts {
        let stop = stopped_at(&format!("{text} [{n}]"), &request.sampling.stop);
        let said = stop.map_or(text, |at| before_stop(text, at));
        if said.is_empty() {
            out.finish = Finish::StopString;
            break;
        }
        let sentence = format!("{said} [{n}]");
        let tokens = tokens(&sentence);
        // Where room ends, sentences are whole or not written: half of one has no citation. The first is written however long it is.
        if out.completion_tokens > 0 && out.completion_tokens + tokens > request.sampling.max_tokens {
            out.finish = Finish::Length;
            break;
        }
        out.completion_tokens += tokens;
        // A blank line, because a fact or a table row has no full stop.
        if sink(&format!("{sentence}\n\n")) == ControlFlow::Break(()) {
            out.finish = Finish::Cancelled;
            break;
        }
        if stop.is_some() {
            out.finish = Finish::StopString;
            break;
        }
    }
    out
}

/// Where the first of these strings stands in a text.
fn stopped_at(text: &str, stop: &[String]) -> Option<usize> {
    stop.iter().filter_map(|stop| text.find(stop.as_str())).min()
}

/// What stands of a sentence before a stop string at byte `at`, which may lie behind it. Half a figure would be another one.
fn before_stop(text: &str, at: usize) -> &str {
    let (said, rest) = text.split_at(at.min(text.len()));
    let cuts_a_figure = rest.trim_start_matches(['.', ',']).starts_with(|c: char| c.is_ascii_digit());
    let in_figure = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    let said = if cuts_a_figure { said.trim_end_matches(in_figure) } else { said };
    said.trim_end()
}

/// All pieces of the evidence that can stand in an answer, the likeliest first: place of the passage in `evidence`, place in its text.
pub(crate) fn ranked(question: &str, coverage: &Coverage, evidence: &[Evidence<'_>]) -> Vec<(usize, Span)> {
    let asked = Asked::new(coverage.clone(), coverage.clone(), (question, question));
    let scored = evidence.iter().enumerate().flat_map(|(rank, e)| {
        let asked = &asked;
        let candidates = candidates(e, rank, &asked.fields).into_iter();
        candidates.map(move |c| (asked.score(&c).0, (rank, Span { start: c.place.start, end: c.place.end })))
    });
    let mut scored: Vec<(f32, (usize, Span))> = scored.collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, place)| place).collect()
}

/// Candidates as they are held against a question, the likeliest by their words first.
struct Scored<'a> {
    candidates: Vec<Candidate<'a>>,
    whole: Asked,
    /// The parts of a question that asks several things.
    parts: Vec<Asked>,
}

fn scored<'a>(question: &str, parts: &[QuestionPart], coverage: &Coverage, evidence: &[Evidence<'a>]) -> Scored<'a> {
    let wants_a_result = asks_for_a_result(question);
    let coverage = match wants_a_result {
        true => without_reaching(question, coverage),
        false => coverage.clone(),
    };
    let whole = Asked::new(coverage.clone(), coverage.clone(), (question, question));
    let of_passage = |(rank, e): (usize, &Evidence<'a>)| candidates(e, rank, &whole.fields);
    let mut candidates: Vec<Candidate<'a>> = evidence.iter().enumerate().flat_map(of_passage).collect();
    let codes = codes(question);
    candidates.retain(|c| c.kind != Kind::Row || !names_another(c.text, &codes));
    let asked_figures = figures(question);
    without_rows_of_other_figures(&mut candidates, &asked_figures);
    without_figures_of_other_units(&mut candidates, &asked_figures);
    for c in &mut candidates {
        (c.score, c.covered) = whole.score(c);
    }
    if wants_a_result {
        // Only where something else speaks of what is asked: a known aim is better than silence.
        let own = |c: &Candidate<'_>| coverage.by(&c.with_columns());
        let results = candidates.iter().filter(|c| !c.is_aim && (!whole.cue.is_required() || c.meets(whole.cue)));
        let told = results.map(own).fold(0.0, f32::max);
        candidates.iter_mut().filter(|c| c.is_aim && told >= ALIKE * own(c)).for_each(|c| c.score -= AIM);
    }
    if may_ask_whether(&question.to_lowercase()) && !asks_for_an_aim(question) {
        prefer_what_was_found(&mut candidates, evidence);
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let parts = parts.iter().map(|part| Asked::part((question, parts), &coverage, part)).collect();
    Scored { candidates, whole, parts }
}

/// The sentences that answer, best first; none where nothing covers enough, or where a reader found no answer.
fn choose<'a>(request: &Request<'a>) -> Vec<Candidate<'a>> {
    let Scored { mut candidates, whole, parts } =
        scored(request.question, request.parts, request.coverage, request.evidence);
    let least = if request.read.is_some() { reading::LEAST } else { MIN_SCORE };
    if let Some(read) = request.read {
        read.mark(&mut candidates);
        candidates.iter_mut().for_each(|c| c.score += reading::gain(c, 0));
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    let best = candidates.first().map_or(0.0, |c| c.score);
    let mut chosen: Vec<Candidate<'a>> = Vec::new();
    let answers = |i: usize, c: &Candidate<'_>| parts[i].is_answered_by(c, &parts) || c.surely_answers(i + 1);
    // One sentence may answer several parts: the best of all is looked at first.
    if best >= least && candidates.first().is_some_and(|c| (0..parts.len()).any(|i| answers(i, c))) {
        chosen.push(candidates.remove(0));
    }
    for (i, part) in parts.iter().enumerate().filter(|(_, part)| !part.own.is_empty()) {
        if chosen.len() == SENTENCES || chosen.iter().any(|c| answers(i, c)) {
            continue;
        }
        let read = |c: &Candidate<'_>| c.found(i + 1).map_or(0.0, |_| reading::gain(c, i + 1));
        let score = |c: &Candidate<'_>| part.score(c).0 + read(c);
        let answering = candidates.iter().enumerate().filter(|(_, c)| answers(i, c)).map(|(at, c)| (at, score(c)));
        if let Some((at, _)) = answering.filter(|(_, s)| *s >= least).reduce(|a, b| if b.1 > a.1 { b } else { a }) {
            chosen.push(candidates.remove(at));
        }
    }
    if best < least && chosen.is_empty() {
        return Vec::new();
    }
    for candidate in candidates {
        if chosen.len() == SENTENCES || candidate.score < best * NEAR_BEST {
            break;
        }
        // The same fact of another record, or of another row, is beside the point, unless that one is asked for as much.
        let elsewhere = chosen.first().is_some_and(|c| c.is_one_of_many() && candidate.covered < c.covered);
        // Nor does what was looked into add to what was found.
        let is_open = candidate.tells == Tells::WhatIsOpen && chosen.iter().any(|c| c.tells == Tells::WhatWasFound);
        if !elsewhere && !is_open && chosen.iter().all(|c| overlap(&c.terms, &candidate.terms) <= SAME) {
            chosen.push(candidate);
        }
    }
    // Without a sentence that holds the kind of thing asked for (`열흘` does too, to a reader), the question is not answered.
    let cue = whole.cue;
    if cue.is_required() && !chosen.iter().any(|c| c.meets(cue) || c.surely_answers(0)) {
        chosen.clear();
    }
    chosen
}

/// A question, or a part of one, as candidates are held against it.
struct Asked {
    coverage: Coverage,
    /// What the part alone asks.
    own: Coverage,
    fields: Fields,
    cue: Cue,
}

impl Asked {
    fn part((question, all): (&str, &[QuestionPart]), coverage: &Coverage, part: &QuestionPart) -> Asked {
        let holds =
            |p: &QuestionPart, span: &std::ops::Range<usize>| p.span.start <= span.start && span.end <= p.span.end;
        // Clauses lean on the one before: `… and what is its budget?`
        let factor = |span: &std::ops::Range<usize>| match all.iter().find(|p| holds(p, span)) {
            Some(p) if p == part => 1.0,
            Some(p) if p.is_clause && p.span.start < part.span.start => EARLIER,
            Some(_) => 0.0,
            None => 1.0,
        };
        let own = coverage.reweighed(|span| f32::from(u8::from(holds(part, span))));
        Asked::new(coverage.reweighed(factor), own, (question, &part.alone(question, all)))
    }

    /// `text` asks `own` of the question.
    fn new(coverage: Coverage, own: Coverage, (question, text): (&str, &str)) -> Asked {
        Asked { coverage, fields: Fields::of(text, without_names(question, &own)), own, cue: Cue::of(text) }
    }

    /// How well a candidate answers, and the share of the question that it covers in its context.
    fn score(&self, c: &Candidate<'_>) -> (f32, f32) {
        let coverage = &self.coverage;
        let own = coverage.by(&c.terms);
        let in_table = if c.columns.is_empty() { own } else { coverage.by(&c.with_columns()) };
        let with_context = coverage.by(&c.in_context());
        let bonus = if in_table > 0.0 && c.meets(self.cue) { CUE } else { 0.0 };
        // A sentence that shares nothing with the question is not its answer, whatever stands above it.
        let base = match c.kind {
            Kind::Fact(_) => RECORD * with_context + NAMED,
            Kind::Row | Kind::Sentence if own > 0.0 || with_context > 0.8 => {
                own + COLUMNS * (in_table - own) + CONTEXT * (with_context - in_table)
            }
            Kind::Row | Kind::Sentence => 0.0,
        };
        let fragment = if c.is_fragment { FRAGMENT } else { 0.0 };
        let excess = c.text.chars().count().saturating_sub(LONG) as f32 / 100.0;
        (base + bonus - fragment - RANK * c.rank as f32 - LONG_LOSS * excess, with_context)
    }

    /// True where a candidate holds what this part asks: itself, or under headings that do not hold all parts alike.
    fn is_answered_by(&self, c: &Candidate<'_>, all: &[Asked]) -> bool {
        if matches!(c.kind, Kind::Fact(_)) {
            return self.fields.ask_for(c.text);
        }
        let itself = self.own.by(&c.with_columns()) > PART;
        let above_all = || all.iter().all(|part| part.own.by(&c.context) > PART);
        let holds = itself || (self.own.by(&c.in_context()) > PART && !above_all());
        holds && (!self.cue.is_required() || c.meets(self.cue))
    }
}

/// Names with a number: `HD-077`, `NCM811`, as (letters, number); a Korean particle may touch them.
fn codes(text: &str) -> Vec<(String, String)> {
    static CODE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u:\b)([A-Za-z]{1,8})[-_]?([0-9]{1,6})(?-u:\b)").expect("constant pattern"));
    CODE.captures_iter(text).map(|c| (c[1].to_lowercase(), c[2].to_owned())).collect()
}

/// True for a row of `HD-076` where the question names `HD-077`.
fn names_another(row: &str, asked: &[(String, String)]) -> bool {
    let held = codes(row);
    let alike = |(letters, _): &&(String, String)| held.iter().any(|(other, _)| other == letters);
    !asked.is_empty()
        && asked.iter().any(|code| alike(&code))
        && asked.iter().filter(alike).all(|code| !held.contains(code))
}

/// Where a row gives a figure of the question in the column of its unit (`3 MPa`, `| Pressure (MPa) |`), that row is meant, and the other
/// rows of the table are not.
fn without_rows_of_other_figures(candidates: &mut Vec<Candidate<'_>>, asked: &[Figure]) {
    let column_of = |name: &str, unit: &str| {
        name.split(|c: char| c.is_whitespace() || "()[],;".contains(c)).any(|word| word == unit)
    };
    let given = |c: &Candidate<'_>, figure: &Figure| -> Vec<(usize, bool)> {
        if c.kind != Kind::Row || figure.unit.is_empty() {
            return Vec::new();
        }
        let named = rows::cells(c.header).zip(rows::cells(c.text)).enumerate();
        named
            .filter(|(_, (name, _))| column_of(name, &figure.unit))
            .map(|(i, (_, cell))| (i, cell == figure.digits))
            .collect()
    };
    let mut meant: HashSet<(String, usize)> = HashSet::new();
    for (c, figure) in candidates.iter().flat_map(|c| asked.iter().map(move |f| (c, f))) {
        let columns = given(c, figure).into_iter().filter(|(_, same)| *same);
        meant.extend(columns.map(|(column, _)| (c.header.to_owned(), column)));
    }
    candidates.retain(|c| {
        let mut columns = asked.iter().flat_map(|figure| given(c, figure));
        !columns.any(|(column, same)| !same && meant.contains(&(c.header.to_owned(), column)))
    });
}

fn overlap(a: &HashSet<String>, b: &HashSet<String>) -> f32 {
    let smaller = a.len().min(b.len());
    if smaller == 0 { 1.0 } else { a.intersection(b).count() as f32 / smaller as f32 }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::generate::Sampling;
    use crate::text::coverage::Synonyms;

    const EN: &str = "# Cycling\n\nThe pouch cells used graphite anodes. After 500 cycles at 45 °C they kept 83 % of their capacity. Gas was not analysed.";
    const KO: &str = "## 결과\n\n전해질의 이온전도도는 25 ℃에서 3.2 mS/cm였다. 압착 압력은 300 MPa로 하였다.";

    fn answer(question: &str) -> String {
        written(question, &Sampling::default()).0
    }

    fn written(question: &str, sampling: &Sampling) -> (String, Generation) {
        let evidence = [
            Evidence { n: 1, heading: "Pouch cell ageing".into(), text: EN, header: None },
            Evidence { n: 2, heading: "황화물계 고체전해질".into(), text: KO, header: None },
        ];
        let coverage = Coverage::of_question(question, &[]);
        said(&ExtractiveGenerator, &Request { evidence: &evidence, ..Request::new(question, &coverage, sampling) })
    }

    fn said(generator: &dyn Generator, request: &Request<'_>) -> (String, Generation) {
        let mut out = String::new();
        let sink = &mut |piece: &str| {
            out.push_str(piece);
            ControlFlow::Continue(())
        };
        let made = generator.generate(request, sink).unwrap();
        (out, made)
    }

    /// Finds the first of these words that a sentence has, so much likelier than not, and nothing in any other sentence.
    pub(super) struct Finds<'a>(pub(super) &'a [(&'a str, f32)]);

    impl SpanFinder for Finds<'_> {
        fn find(&self, asked: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            assert!(!asked.is_empty());
            let found = sentences.iter().map(|(_, text)| {
                let place = |(words, margin): &(&str, f32)| text.find(words).map(|at| (at..at + words.len(), *margin));
                self.0.iter().find_map(place).unwrap_or((0..0, -9.0))
            });
            Ok(found.collect())
        }
    }

    /// What is read of a passage, and what a generator says of it then.
    pub(super) fn read_and_said(
        generator: &dyn Generator,
        finder: &dyn SpanFinder,
        passage: Evidence<'_>,
        question: &str,
    ) -> (Read, String) {
        let (evidence, sampling) = ([passage], Sampling::default());
        let (coverage, parts) = (Coverage::of_question(question, &[]), crate::text::parts(question));
        let read = read(finder, (question, question), &parts, &coverage, &evidence).unwrap();
        let plain = Request::new(question, &coverage, &sampling);
        let request = Request { evidence: &evidence, parts: &parts, read: Some(&read), ..plain };
        let (out, _) = said(generator, &request);
        (read, out.trim_end().to_owned())
    }

    #[test]
    fn a_limit_of_tokens_ends_it_between_sentences_and_a_stop_string_before_itself() {
        let question = "What did the pouch cells keep after 500 cycles and at which pressure, voltage and temperature?";
        let (whole, made) = written(question, &Sampling::default());
        let sentences: Vec<&str> = whole.trim_end().split("\n\n").collect();
        assert!(sentences.len() >= 2 && made.finish == Finish::Stop, "{whole}");
        assert!(made.prompt_tokens > made.completion_tokens && made.completion_tokens > 10);
        let (short, made) = written(question, &Sampling { max_tokens: 1, ..Sampling::default() });
        assert_eq!((short.trim_end(), made.finish), (sentences[0], Finish::Length));
        let second = sentences[1].split_whitespace().next().unwrap().to_owned();
        assert!(!sentences[0].contains(&second), "{second}");
        let (stopped, made) = written(question, &Sampling { stop: vec![second], ..Sampling::default() });
        assert_eq!((stopped.trim_end(), made.finish), (sentences[0], Finish::StopString));
        let question = "How much capacity was kept after 500 cycles?";
        let sampling = |stop: &str| Sampling { stop: vec![stop.into()], ..Sampling::default() };
        let stopped = |stop: &str| written(question, &sampling(stop)).0;
        let whole = "After 500 cycles at 45 °C they kept 83 % of their capacity. [1]";
        assert!(stopped("nowhere").starts_with(whole));
        assert_eq!(stopped(" of their"), "After 500 cycles at 45 °C they kept 83 % [1]\n\n");
        assert_eq!(stopped("3 %"), "After 500 cycles at 45 °C they kept [1]\n\n", "not 8");
        assert_eq!(stopped(" ["), format!("{whole}\n\n"));
        assert_eq!(stopped("After"), "");
        let finish = |question: &str, stop: &str| written(question, &sampling(stop)).1.finish;
        assert_eq!(finish(question, "After"), Finish::StopString);
        assert_eq!(finish(question, "nowhere"), Finish::Stop);
        assert_eq!(finish("Who won the football match in Paris?", "After"), Finish::Stop, "nothing answers");
    }

    #[test]
    fn a_fact_that_only_says_what_the_question_says_is_no_answer() {
        let record = "id: K-4 | institution: Tarn Glass Institute | year: 2021\n\nFrost split the bricks.";
        assert!(chosen("Tarn Glass Institute의 2021년 판매액은?", "Kilns", record).is_empty());
        assert!(chosen("Who is the chairman of Tarn Glass Institute?", "Kilns", record).is_empty());
        assert_eq!(chosen("Who ran the kilns of 2021?", "Kilns", record), ["institution: Tarn Glass Institute"]);
    }

    #[test]
    fn the_same_digits_in_another_unit_are_no_reason_to_show_a_sentence() {
        let text = "Much foam was seen at 40 kPa. The slurry foam held 40 % solids.";
        assert_eq!(chosen("How much foam was seen at 40 kPa?", "Filters", text), ["Much foam was seen at 40 kPa."]);
    }

    #[test]
    fn the_row_of_another_figure_is_no_answer() {
        let text =
            "| Line | Pressure (MPa) | Retention (%) |\n|---|---|---|\n| north | 1 | 61.5 |\n| north | 3 | 80.7 |\n";
        let wanted = Fields::of("", Coverage::of_question("", &[]));
        let evidence = Evidence { n: 1, heading: "Cells".into(), text, header: None };
        let left = |question: &str| {
            let mut rows = candidates(&evidence, 0, &wanted);
            without_rows_of_other_figures(&mut rows, &figures(question));
            rows.iter().map(|c| c.text.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left("What retention at 3 MPa?"), ["| north | 3 | 80.7 |"]);
        assert_eq!(left("What retention above 2 MPa?").len(), 2);
        assert_eq!(left("Which cells kept 80 % or more?").len(), 2);
    }

    #[test]
    fn the_sentence_that_answers_comes_first_with_its_passage() {
        let text = answer("How much capacity was kept after 500 cycles?");
        assert!(text.starts_with("After 500 cycles at 45 °C they kept 83 % of their capacity. [1]"), "{text}");
        let text = answer("고체전해질의 이온전도도는 얼마인가?");
        assert!(text.starts_with("전해질의 이온전도도는 25 ℃에서 3.2 mS/cm였다. [2]"), "{text}");
    }

    #[test]
    fn says_nothing_when_nothing_covers_the_question() {
        assert_eq!(answer("Who won the football match in Paris?"), "");
        assert_eq!(answer("올해 쌀 수확량은 얼마인가?"), "");
    }

    #[test]
    fn a_question_for_a_price_is_not_answered_with_a_temperature() {
        assert_eq!(answer("How much did the pouch cells at 45 °C cost?"), "");
        assert_eq!(answer("전해질의 가격은 얼마인가?"), "");
        assert!(Cue::of("What is the recycling rate of lithium?") == Cue::Figure);
        assert!(Cue::of("공정의 회수율은?") == Cue::Figure);
        assert!(Cue::of("What is the effect of rate?") == Cue::Other);
        assert!(Cue::Figure.is_met("압력은 3MPa였다") && !Cue::Figure.is_met("It was made of NCM811 in CO2."));
    }

    #[test]
    fn a_table_is_quoted_by_its_rows_not_by_its_header() {
        let text = "| Cell | Loss after storage (%) |\n|---|---|\n| cell A1 | 3.1 |\n| cell A2 | 4.7 |\n";
        let evidence = [Evidence { n: 1, heading: "Loss after storage".into(), text, header: None }];
        let question = "What was the loss after storage of cell A2?";
        let chosen = chosen_of(question, &evidence, &[], &[]);
        assert_eq!(chosen.first().map(|(_, text)| text.as_str()), Some("| cell A2 | 4.7 |"));
        assert!(chosen.iter().all(|(_, text)| !text.contains("Cell | Loss")));
    }

    #[test]
    fn of_a_records_facts_the_one_asked_for_answers() {
        let text = "acronym: SALTWAY | institution: Hanbit Institute | start_date: 2019-04 | budget_mkrw: 1200\n\nSALTWAY studies salt-tolerant seals.";
        let evidence = [Evidence { n: 1, heading: "Seals that live with salt".into(), text, header: None }];
        let ask = |question: &str, synonyms: &[Synonyms]| {
            chosen_of(question, &evidence, &[], synonyms).into_iter().next().map(|(_, text)| text)
        };
        assert_eq!(ask("Which institution runs SALTWAY?", &[]).as_deref(), Some("institution: Hanbit Institute"));
        assert_eq!(ask("What is the budget of the SALTWAY project?", &[]).as_deref(), Some("budget_mkrw: 1200"));
        assert_eq!(ask("Who leads SALTWAY?", &[]).as_deref(), Some("institution: Hanbit Institute"));
        assert_eq!(ask("When did SALTWAY begin?", &[]).as_deref(), Some("start_date: 2019-04"));
        let body = Synonyms { span: 10.."SALTWAY의 기관".len(), others: vec!["institution".into()] };
        assert_eq!(ask("SALTWAY의 기관은?", &[body]).as_deref(), Some("institution: Hanbit Institute"));
        let other = "acronym: SALTER | institution: Dawon Cells | start_date: 2020-01\n";
        let both = [evidence[0].clone(), Evidence { n: 2, heading: "Saltier seals".into(), text: other, header: None }];
        let found = chosen_of("Which institution runs SALTWAY?", &both, &[], &[]);
        assert_eq!(found.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1]);
    }

    /// Number of the passage and text of what is chosen.
    fn chosen_of(
        question: &str,
        evidence: &[Evidence<'_>],
        parts: &[QuestionPart],
        synonyms: &[Synonyms],
    ) -> Vec<(usize, String)> {
        let coverage = Coverage::of_question(question, synonyms);
        let sampling = Sampling::default();
        let request = Request { evidence, parts, ..Request::new(question, &coverage, &sampling) };
        choose(&request).iter().map(|c| (c.n, c.text.to_owned())).collect()
    }

    /// What is chosen of one passage, its parts as the question has them.
    fn chosen(question: &str, heading: &str, text: &str) -> Vec<String> {
        let evidence = [Evidence { n: 1, heading: heading.into(), text, header: None }];
        let found = chosen_of(question, &evidence, &crate::text::parts(question), &[]);
        found.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn each_part_of_a_question_gets_its_sentence() {
        let text = "세라믹막의 투과 유량은 24.6 L/m2·h였다. 세라믹막 시험은 동해에서 하였다. 교체 주기는 14개월이었다.";
        let found = chosen("세라믹막의 투과 유량과 교체 주기는?", "세라믹막", text);
        assert_eq!(found[..2], ["세라믹막의 투과 유량은 24.6 L/m2·h였다.", "교체 주기는 14개월이었다."]);
        let text = "The vent gas of LFP cells held 41 % hydrogen. Cells were opened in argon. NMC cells gave 18 %.";
        let found = chosen("How much hydrogen do LFP and NMC cells give?", "Vent gas", text);
        assert!(found[0].contains("41 %") && found.iter().any(|s| s.contains("18 %")), "{found:?}");
    }

    #[test]
    fn what_came_out_is_preferred_to_what_was_meant_to() {
        let text = "The project aims to reach a coulombic efficiency of 90 %. The coulombic efficiency was 86.4 %.";
        let found = chosen("What coulombic efficiency was reached?", "Anodes", text);
        assert_eq!(found[0], "The coulombic efficiency was 86.4 %.");
        let found =
            chosen("What coulombic efficiency was reached?", "Anodes", &text[..text.find(" The coul").unwrap()]);
        assert_eq!(found, ["The project aims to reach a coulombic efficiency of 90 %."], "better than silence");
    }

    #[test]
    fn whoever_asks_whether_it_is_so_is_told_what_came_out() {
        let open = "To determine whether glazed bricks split less in frost.";
        let found = "Glazed bricks split as often as bare ones, with no significant difference.";
        let text = format!("{open} Sixty bricks were laid on a north wall. {found}");
        let first = |question, heading| chosen(question, heading, &text)[0].clone();
        assert_eq!(first("Do glazed bricks split less in frost?", "Winters"), found);
        assert_eq!(first("Bricks in frost: do glazed ones split less?", "Winters"), found);
        assert_eq!(
            first("What was to be determined on glazed bricks in frost?", "Winters"),
            open,
            "asks something else"
        );
        // What another document reports is no answer to it.
        let evidence = |n, heading: &str, text| Evidence { n, heading: heading.into(), text, header: None };
        let other = "Bricks of the old kiln were often found split.";
        let apart = [evidence(1, "Winters | 2019", open), evidence(2, "Kilns | 2021", other)];
        let together = [evidence(1, "Winters | 2019", open), evidence(2, "Winters > 3 | 2019", other)];
        let least = |passages: &[Evidence<'_>]| {
            let coverage = Coverage::of_question("Do glazed bricks split less in frost?", &[]);
            let scored = scored("Do glazed bricks split less in frost?", &[], &coverage, passages);
            scored.candidates.iter().find(|c| c.text == other).unwrap().score
        };
        assert!(least(&together) > least(&apart) + 0.2);
    }

    #[test]
    fn a_row_is_known_by_its_columns_and_not_mistaken_for_its_neighbour() {
        let text = "| sample_id | salt_rejection_pct |\n|---|---|\n| HD-076 | 97.8 |\n| HD-077 | 99.2 |\n\nSalt rejection is discussed elsewhere.";
        assert_eq!(chosen("What is the salt rejection of HD-077?", "Screening", text), ["| HD-077 | 99.2 |"]);
        assert!(
            chosen("What is the salt rejection of HD-079?", "Screening", text).iter().all(|row| !row.contains("HD-"))
        );
        let text = "| 시료 | 염 제거율 (%) |\n|---|---|\n| HD-076 | 97.8 |\n| HD-077 | 99.2 |\n";
        assert_eq!(chosen("HD-077의 염 제거율은?", "선별", text), ["| HD-077 | 99.2 |"]);
        assert!(chosen("HD-079의 염 제거율은?", "선별", text).is_empty());
    }

    #[test]
    fn fields_meet_their_names_in_the_other_language_and_letterheads_are_no_answers() {
        let text = "해든물연구원\n\n문서번호: 해든-2022\n\n작성자: 정하늘, 해든물연구원\n\nlead: 정하늘\nperiod: 2020 ~ 2022\nbudget: 12\n";
        assert_eq!(chosen("해든물연구원 과제의 연구책임자는?", "막 시험", text), ["lead: 정하늘"]);
        assert_eq!(chosen("해든물연구원 과제의 비용은 얼마인가?", "막 시험", text), ["budget: 12"]);
        let text = "| 주관기관 | 한빛 |\n|---|---|\n| 총연구비 | 3억 원 |\n";
        assert_eq!(chosen("막 시험의 주관기관은?", "막 시험", text)[0], "| 주관기관 | 한빛 |");
    }

    #[test]
    fn a_heading_is_never_an_answer() {
        assert!(!answer("Cycling of pouch cells").contains('#'));
    }
}
