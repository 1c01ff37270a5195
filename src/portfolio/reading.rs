//! What does a language model read in a proposal that no pattern found: its facts, and what unsure sentences speak of?
//!
//! In: a [`Proposal`] and a [`Generator`] that follows JSON schemas. Out: a [`Reading`], and the proposal's gaps filled. Nothing is
//! believed: a value must stand in the text as it is, inside the quote the model gives for it where that stands there too (small
//! models seldom copy a line exactly), else it is refused; what a record or a pattern says stays, and a differing value is shown
//! beside it; facets count only where the model also knew those of sentences that patterns are sure of. Knows nothing of the index. Example: `proposal.read_with(app.generator(), &institutes)?`.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::PortfolioError;
use super::facet::{Facet, Sentence};
use super::fields::{self, FieldKind};
use super::institute::Institutes;
use super::project::{Fact, Origin};
use super::proposal::Proposal;
use crate::document::{CharIndex, Language, Span};
use crate::generate::{self, Generator, Message, PromptStyle, Sampling};
use crate::prompt;
use crate::text::{letters, money, names_nobody, personal};

/// What a value read by a model is believed: less than any label a pattern finds, and marked unsure wherever it is shown.
const READ: f32 = 0.25;
/// Facets that a pattern is less sure of are asked for.
const UNSURE_FACET: f32 = 0.2;
/// Sentences whose facet a pattern is at least so sure of are controls.
const SURE_FACET: f32 = 0.6;
/// Controls of one facet in a question, and at least so many in all, of two facets or more: whoever says the same each time fails.
const CONTROLS: usize = 3;
const LEAST_CONTROLS: usize = 4;
/// Share of the controls that must be right.
const RIGHT: f32 = 0.75;
/// Unsure sentences of one question, and questions at most.
const BATCH: usize = 20;
const BATCHES: usize = 4;
/// Bytes of the text that facts are read from: they stand on the first pages.
const HEAD: usize = 12_000;
/// New tokens for the facts, and for one sentence's facet.
const FACT_TOKENS: usize = 900;
const FACET_TOKENS: usize = 12;
/// Characters of a value, and of one that is refused.
const LONGEST: usize = 200;
const SHOWN: usize = 80;
/// What is asked for, in this order.
const ASKED: [FieldKind; 9] = [
    FieldKind::Title,
    FieldKind::Institution,
    FieldKind::Person,
    FieldKind::Programme,
    FieldKind::Period,
    FieldKind::Budget,
    FieldKind::Stage,
    FieldKind::Status,
    FieldKind::Keywords,
];
const FACETS: [Facet; 5] = [Facet::Aim, Facet::Method, Facet::Material, Facet::Result, Facet::Other];

/// What a model read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// Which model.
    pub by: String,
    /// Values that stand in the text.
    pub facts: Vec<ReadFact>,
    /// Sentences whose facet it changed.
    pub facets: Vec<ReadFacet>,
    /// Sentences that patterns are sure of: asked, and known by the model too.
    pub controls: usize,
    /// Of these, right.
    pub controls_right: usize,
    /// What was not believed, and why.
    pub refused: Vec<Refused>,
}

/// A value beside what was known already.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadFact {
    /// Of what.
    pub kind: FieldKind,
    /// The value and its place.
    #[serde(flatten)]
    pub fact: Fact,
    /// How it stands to what a record or a pattern says.
    pub standing: Standing,
    /// What that says; it is kept.
    pub known: Option<Fact>,
}

/// How a value that was read stands to what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was known: it is taken.
    Taken,
    /// The same was known.
    Agrees,
    /// Something else was known, and is kept.
    Differs,
}

/// A sentence that speaks of something else than its place suggests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadFacet {
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// By heading, phrases and place.
    pub was: Facet,
    /// By the model.
    pub now: Facet,
}

/// What a model said and nobody believes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// `title`, `facets`, …, or `answer` for all of it.
    pub of: String,
    /// The beginning of what it said.
    pub said: String,
    /// Why.
    pub why: String,
}

impl Proposal {
    /// Has a model read what patterns left open, and keeps what it read in [`Proposal::reading`].
    pub fn read_with(&mut self, generator: &dyn Generator, institutes: &Institutes) -> Result<(), PortfolioError> {
        if generator.prompt_style() != PromptStyle::Chat || !generator.follows_schemas() {
            return Err(PortfolioError::NoModel(generator.name().to_owned()));
        }
        let mut reading = Reading {
            by: generator.name().to_owned(),
            facts: Vec::new(),
            facets: Vec::new(),
            controls: 0,
            controls_right: 0,
            refused: Vec::new(),
        };
        self.read_facts(generator, institutes, &mut reading)?;
        self.read_facets(generator, &mut reading)?;
        self.reading = Some(reading);
        Ok(())
    }

    fn read_facts(
        &mut self,
        generator: &dyn Generator,
        institutes: &Institutes,
        reading: &mut Reading,
    ) -> Result<(), PortfolioError> {
        let text = &self.document.text;
        let messages = fitting(generator, self.document.language, text)?;
        let said = match object(ask(generator, &messages, &fact_schema(), FACT_TOKENS)?) {
            Ok(said) => said,
            Err(refused) => {
                reading.refused.push(refused);
                return Ok(());
            }
        };
        let index = CharIndex::new(text);
        let patterns = fields::fields(text);
        for kind in ASKED {
            let name = kind.name();
            let part = |key: &str| said.get(name).and_then(|v| v.get(key)).and_then(Value::as_str).unwrap_or("").trim();
            let (value, quote) = (part("value"), part("quote"));
            if value.is_empty() {
                continue;
            }
            let span = match verified(text, kind, value, quote) {
                Ok(span) => span,
                Err(why) => {
                    reading.refused.push(refusal(name, value, why));
                    continue;
                }
            };
            if let Some(why) = self.is_another_field(kind, span.slice(text)) {
                reading.refused.push(refusal(name, value, why));
                continue;
            }
            let (start, end) = index.chars(span);
            let by = reading.by.clone();
            let origin = Origin::Generator { start, end, by };
            let fact = Fact { value: span.slice(text).to_owned(), origin, confidence: READ };
            let known = self.known(kind).or_else(|| {
                let field = patterns.iter().find(|f| f.kind == kind)?;
                let (start, end) = index.chars(field.span);
                let (value, confidence) = (field.span.slice(text).to_owned(), field.confidence);
                Some(Fact { value, origin: Origin::Text { start, end }, confidence })
            });
            let standing = match &known {
                None => Standing::Taken,
                Some(known) if same(&known.value, &fact.value) => Standing::Agrees,
                Some(known) if kind == FieldKind::Period && same_years(&known.value, &fact.value) => Standing::Agrees,
                Some(known) if kind == FieldKind::Budget && same_amount(&known.value, &fact.value) => Standing::Agrees,
                Some(_) => Standing::Differs,
            };
            reading.facts.push(ReadFact { kind, fact, standing, known });
        }
        for read in reading.facts.iter().filter(|f| f.standing == Standing::Taken) {
            self.take(read.kind, &read.fact, institutes);
        }
        Ok(())
    }

    /// Why a value is not one of this kind, where the project has it as another: models fill every field they are asked for.
    fn is_another_field(&self, kind: FieldKind, value: &str) -> Option<&'static str> {
        let institution = self.project.institution.as_ref();
        if kind == FieldKind::Programme && same(value, &self.project.title) {
            return Some("is the title");
        }
        let is_institution = kind == FieldKind::Person && institution.is_some_and(|known| same(value, &known.value));
        is_institution.then_some("is the institution")
    }

    /// What the project holds already, however it came there.
    fn known(&self, kind: FieldKind) -> Option<Fact> {
        let project = &self.project;
        let stated = |value: String| Some(Fact { value, origin: Origin::Field, confidence: 1.0 });
        match kind {
            FieldKind::Title => (!project.title.is_empty()).then(|| stated(project.title.clone()))?,
            FieldKind::Institution => project.institution.clone(),
            FieldKind::Person => (!project.people.is_empty()).then(|| stated(project.people.join(", ")))?,
            FieldKind::Programme => project.programme.clone(),
            FieldKind::Budget => {
                project.budget_stated.clone().or_else(|| stated(money::shown(project.budget?, project.currency)))
            }
            FieldKind::Stage => project.stage.clone(),
            FieldKind::Status => project.status.clone(),
            FieldKind::Keywords => (!project.keywords.is_empty()).then(|| stated(project.keywords.join(", ")))?,
            FieldKind::Period => match (project.start, project.end) {
                (None, None) => None,
                (start, end) => {
                    let years: Vec<String> = [start, end].into_iter().flatten().map(|y| y.to_string()).collect();
                    stated(years.join("–"))
                }
            },
            FieldKind::Number => None,
        }
    }

    fn take(&mut self, kind: FieldKind, fact: &Fact, institutes: &Institutes) {
        let project = &mut self.project;
        match kind {
            FieldKind::Title => project.title.clone_from(&fact.value),
            FieldKind::Institution => {
                project.institute = Some(institutes.find(&fact.value));
                project.institution = Some(fact.clone());
            }
            FieldKind::Person => project.people = vec![fact.value.clone()],
            FieldKind::Programme => project.programme = Some(fact.clone()),
            FieldKind::Period => {
                if let Some((start, end)) = fields::years(&fact.value) {
                    (project.start, project.end) = (Some(start), Some(end));
                }
            }
            FieldKind::Budget => project.budget_stated = Some(fact.clone()),
            FieldKind::Stage => project.stage = Some(fact.clone()),
            FieldKind::Status => project.status = Some(fact.clone()),
            FieldKind::Keywords => project.keywords = fields::keywords(&fact.value),
            FieldKind::Number => {}
        }
    }

    fn read_facets(&mut self, generator: &dyn Generator, reading: &mut Reading) -> Result<(), PortfolioError> {
        let sentences = self.project.sentences.clone();
        let unsure: Vec<usize> = (0..sentences.len()).filter(|i| sentences[*i].confidence < UNSURE_FACET).collect();
        let controls = controls(&sentences);
        if unsure.is_empty() {
            return Ok(());
        }
        if controls.is_empty() {
            let why = "too few sentences whose facet is sure, by which the model could be checked";
            reading.refused.push(refusal("facets", "", why));
            return Ok(());
        }
        let index = CharIndex::new(&self.document.text);
        for batch in unsure.chunks(BATCH).take(BATCHES) {
            let mut asked: Vec<usize> = batch.iter().chain(&controls).copied().collect();
            asked.sort_unstable();
            let texts: Vec<&str> = asked.iter().map(|i| sentences[*i].span.slice(&self.document.text)).collect();
            let messages = prompt::facets(self.document.language, &texts)?;
            let tokens = FACET_TOKENS * asked.len() + 16;
            if !fits(generator, &messages, tokens) {
                reading.refused.push(refusal("facets", "", "the sentences do not fit into the model's window"));
                return Ok(());
            }
            let said = match object(ask(generator, &messages, &facet_schema(asked.len()), tokens)?) {
                Ok(said) => said,
                Err(refused) => {
                    reading.refused.push(Refused { of: "facets".into(), ..refused });
                    continue;
                }
            };
            let facet = |at: usize| {
                let n = asked.iter().position(|i| *i == at)? + 1;
                let name = said.get(&format!("s{n}"))?.as_str()?;
                FACETS.into_iter().find(|f| f.name() == name)
            };
            let right = controls.iter().filter(|i| facet(**i) == Some(sentences[**i].facet)).count();
            reading.controls += controls.len();
            reading.controls_right += right;
            if (right as f32) < RIGHT * controls.len() as f32 {
                let why = format!("of {} sentences whose facet is sure it knew {right}", controls.len());
                reading.refused.push(refusal("facets", "", &why));
                continue;
            }
            for &at in batch {
                let (Some(now), was) = (facet(at), sentences[at].facet) else { continue };
                self.project.sentences[at] = Sentence { facet: now, confidence: READ, ..sentences[at] };
                if now != was {
                    let (start, end) = index.chars(sentences[at].span);
                    reading.facets.push(ReadFacet { start, end, was, now });
                }
            }
        }
        Ok(())
    }
}

/// Sentences that patterns are sure of, a few of each facet; none where they are too few or all of one facet.
fn controls(sentences: &[Sentence]) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    let mut facets = 0;
    for facet in FACETS {
        let sure = |i: &usize| sentences[*i].facet == facet && sentences[*i].confidence >= SURE_FACET;
        let before = chosen.len();
        chosen.extend((0..sentences.len()).filter(sure).take(CONTROLS));
        facets += usize::from(chosen.len() > before);
    }
    if chosen.len() < LEAST_CONTROLS || facets < 2 { Vec::new() } else { chosen }
}

/// The place of `value` in the text, inside `quote` where that stands there; else why it is not believed.
fn verified(text: &str, kind: FieldKind, value: &str, quote: &str) -> Result<Span, &'static str> {
    let whole = Span { start: 0, end: text.len() };
    if value.chars().count() > LONGEST {
        return Err("too long for a value");
    }
    if value.chars().filter(|c| c.is_alphanumeric()).count() < 2 {
        return Err("no value");
    }
    let digit = value.chars().any(|c| c.is_ascii_digit());
    let telling = match kind {
        FieldKind::Period | FieldKind::Budget | FieldKind::Stage | FieldKind::Number => digit,
        FieldKind::Title
        | FieldKind::Institution
        | FieldKind::Person
        | FieldKind::Programme
        | FieldKind::Status
        | FieldKind::Keywords => value.chars().any(char::is_alphabetic),
    };
    if !telling {
        return Err("no value of this kind");
    }
    if personal::held(value).is_some() {
        return Err("personal data");
    }
    if matches!(kind, FieldKind::Institution | FieldKind::Person) && names_nobody(value) {
        return Err("names nobody");
    }
    let quoted = find(text, quote, whole).and_then(|inside| find(text, value, inside));
    quoted.or_else(|| find(text, value, whole)).ok_or("does not stand in the text")
}

/// Where `wanted` stands within a part of the text; runs of white space count as one blank.
fn find(text: &str, wanted: &str, within: Span) -> Option<Span> {
    let pieces: Vec<&str> = wanted.split_whitespace().collect();
    let first = *pieces.first()?;
    let part = within.slice(text);
    part.match_indices(first).find_map(|(at, _)| {
        let mut end = at + first.len();
        for piece in &pieces[1..] {
            let blank = part[end..].len() - part[end..].trim_start().len();
            if blank == 0 || !part[end + blank..].starts_with(piece) {
                return None;
            }
            end += blank + piece.len();
        }
        Some(Span { start: within.start + at, end: within.start + end })
    })
}

/// Two values are the same if one holds the other, letters and digits counted only.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (letters(a), letters(b));
    a.contains(&b) || b.contains(&a)
}

/// Two periods are the same if they begin and end in the same years.
fn same_years(a: &str, b: &str) -> bool {
    let years = fields::years(a);
    years.is_some() && years == fields::years(b)
}

/// Two budgets are the same if they are the same amount, however it is written: `1.42 billion KRW`, `14억 2천만 원`.
fn same_amount(a: &str, b: &str) -> bool {
    let amount = |text: &str| money::stated(text).map(|m| m.amount);
    amount(a).is_some() && amount(a) == amount(b)
}

/// The prompt for the facts with as much of the text's beginning as fits, personal data blotted out.
fn fitting(generator: &dyn Generator, language: Language, text: &str) -> Result<Vec<Message>, PortfolioError> {
    let mut length = text.len().min(HEAD);
    loop {
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let messages = prompt::facts(language, &personal::without_personal_data(&text[..length]))?;
        if fits(generator, &messages, FACT_TOKENS) || length < 200 {
            return Ok(messages);
        }
        length = length * 3 / 4;
    }
}

fn fits(generator: &dyn Generator, messages: &[Message], answer: usize) -> bool {
    let asked: usize = messages.iter().map(|m| generator.count_tokens(&m.content) + 8).sum();
    asked + answer <= generator.context_tokens()
}

fn ask(
    generator: &dyn Generator,
    messages: &[Message],
    schema: &Value,
    max_tokens: usize,
) -> Result<String, PortfolioError> {
    let sampling = Sampling { max_tokens, ..Sampling::default() };
    Ok(generate::written(generator, "", messages, &sampling, Some(schema))?)
}

fn object(said: String) -> Result<Map<String, Value>, Refused> {
    match serde_json::from_str(said.trim()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(refusal("answer", &said, "no JSON object of the schema")),
    }
}

fn refusal(of: &str, said: &str, why: &str) -> Refused {
    let said: String = personal::without_personal_data(said).chars().take(SHOWN).collect();
    Refused { of: of.to_owned(), said, why: why.to_owned() }
}

/// An object with these members, all of them asked for and no others.
fn schema_of(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    let members: Map<String, Value> = members.into_iter().collect();
    let required: Vec<&String> = members.keys().collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": members })
}

fn fact_schema() -> Value {
    let text = || json!({ "type": "string" });
    let fact = || schema_of([("value".to_owned(), text()), ("quote".to_owned(), text())]);
    schema_of(ASKED.into_iter().map(|kind| (kind.name().to_owned(), fact())))
}

fn facet_schema(sentences: usize) -> Value {
    let facet = || json!({ "type": "string", "enum": FACETS.map(Facet::name) });
    schema_of((1..=sentences).map(|n| (format!("s{n}"), facet())))
}

#[cfg(test)]
mod tests;
