use std::sync::Mutex;

use super::*;
use crate::generate::{ExtractiveGenerator, Finish, GenerateError, Generation, Request, Sink};

/// Answers each question with the next text, and keeps what it was asked.
struct Says {
    texts: Mutex<Vec<String>>,
    asked: Mutex<Vec<(String, Value)>>,
    window: usize,
}

impl Says {
    fn new(texts: &[String]) -> Says {
        Says { texts: Mutex::new(texts.iter().rev().cloned().collect()), asked: Mutex::default(), window: 40_000 }
    }
}

impl Generator for Says {
    fn name(&self) -> &str {
        "says"
    }
    fn context_tokens(&self) -> usize {
        self.window
    }
    fn count_tokens(&self, text: &str) -> usize {
        text.len()
    }
    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::Chat
    }
    fn has_logprobs(&self) -> bool {
        false
    }
    fn follows_schemas(&self) -> bool {
        true
    }
    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let prompt = request.messages.last().map_or_else(String::new, |m| m.content.clone());
        self.asked.lock().unwrap().push((prompt, request.schema.cloned().unwrap_or_default()));
        let _ = sink(&self.texts.lock().unwrap().pop().unwrap_or_default());
        let (finish, tokens) = (Finish::Stop, Vec::new());
        Ok(Generation { finish, prompt_tokens: 0, completion_tokens: 0, first_token_s: 0.0, tokens })
    }
}

/// A proposal without a single label, whose first sentences have headings above them.
const TEXT: &str = "# Quiet pumps\n\nThis request comes from Harbour Pump Works and is led by Ines Halvorsen.\n\
    The work is to last\nfrom 2031 to 2034 and to cost 2.4 million EUR. Call 010-2345-6789 for more.\n\n\
    ## Objective\n\nThe aim is a pump that hums at less than 40 decibels. Our goal is to reach the purpose of silence.\n\n\
    ## Method\n\nThe rotor is measured by means of lasers using this technique. Blades are heated and experiments use the method.\n\n\
    ## More\n\nBronze bushings grip wet shafts tightly.\n";

fn proposal() -> Proposal {
    Proposal::from_text(TEXT, &Institutes::new(&[])).unwrap()
}

fn fact(value: &str, quote: &str) -> Value {
    json!({ "value": value, "quote": quote })
}

fn facts(given: &[(&str, Value)]) -> String {
    let all = ASKED.into_iter().map(|k| {
        let found = given.iter().find(|(name, _)| *name == k.name());
        (k.name().to_owned(), found.map_or_else(|| fact("", ""), |(_, v)| v.clone()))
    });
    Value::Object(all.collect()).to_string()
}

fn read(texts: &[String]) -> (Proposal, Reading) {
    let mut proposal = proposal();
    proposal.read_with(&Says::new(texts), &Institutes::new(&[])).unwrap();
    let reading = proposal.reading.clone().unwrap();
    (proposal, reading)
}

#[test]
fn values_that_stand_in_their_quote_fill_gaps_with_their_place_and_little_confidence() {
    let given = facts(&[
        ("institution", fact("Harbour Pump Works", "comes from Harbour Pump Works and is led")),
        // A small model's quote is often nearly one: the value must stand in the text all the same.
        ("person", fact("Ines Halvorsen", "The project is led by Ines Halvorsen")),
        // White space may differ: the quote runs over the end of a line.
        ("period", fact("2031 to 2034", "to last from 2031 to 2034")),
    ]);
    let (proposal, reading) = read(&[given]);
    let institution = proposal.project.institution.as_ref().unwrap();
    let Origin::Generator { start, end, by } = &institution.origin else { panic!("{institution:?}") };
    assert_eq!(TEXT.chars().skip(*start).take(end - start).collect::<String>(), "Harbour Pump Works");
    assert_eq!((by.as_str(), institution.confidence), ("says", READ));
    assert_eq!(proposal.project.people, ["Ines Halvorsen"]);
    assert_eq!((proposal.project.start, proposal.project.end), (Some(2031), Some(2034)));
    assert!(reading.facts.iter().all(|f| f.standing == Standing::Taken), "{reading:?}");
}

#[test]
fn what_does_not_stand_in_the_text_is_refused_and_changes_nothing() {
    let given = facts(&[
        ("institution", fact("Harbour Pumps Ltd", "comes from Harbour Pumps Ltd")),
        ("programme", fact("Horizon", "The aim is a pump")),
        ("budget", fact("million EUR", "2.4 million EUR")),
        ("status", fact("010-2345-6789", "Call 010-2345-6789 for more.")),
        ("keywords", fact("?", "?")),
    ]);
    let (changed, reading) = read(&[given]);
    let why: Vec<(&str, &str)> = reading.refused.iter().map(|r| (r.of.as_str(), r.why.as_str())).collect();
    for expected in [
        ("institution", "does not stand in the text"),
        ("programme", "does not stand in the text"),
        ("budget", "no value of this kind"),
        ("keywords", "no value"),
    ] {
        assert!(why.contains(&expected), "{expected:?} {why:?}");
    }
    let status = reading.refused.iter().find(|r| r.of == "status").unwrap();
    assert!(!status.said.contains("2345"), "{status:?}");
    assert!(reading.facts.is_empty());
    let before = proposal().project;
    assert_eq!((changed.project.institution, changed.project.status), (before.institution, before.status));
}

#[test]
fn what_a_pattern_found_stays_and_a_differing_value_is_shown_beside_it() {
    let text = "Applicant: Calder Institute\n\nThe pumps of Harbour Pump Works are loud. The aim is a quiet one.";
    let mut proposal = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
    let given = facts(&[("institution", fact("Harbour Pump Works", "The pumps of Harbour Pump Works are loud."))]);
    proposal.read_with(&Says::new(&[given]), &Institutes::new(&[])).unwrap();
    let read = &proposal.reading.as_ref().unwrap().facts[0];
    assert_eq!(read.standing, Standing::Differs);
    assert_eq!(read.known.as_ref().unwrap().value, "Calder Institute");
    assert_eq!(proposal.project.institution.as_ref().unwrap().value, "Calder Institute");
    let agreeing = facts(&[("institution", fact("Calder Institute", "Applicant: Calder Institute"))]);
    proposal.read_with(&Says::new(&[agreeing]), &Institutes::new(&[])).unwrap();
    assert_eq!(proposal.reading.unwrap().facts[0].standing, Standing::Agrees);
}

#[test]
fn a_field_filled_with_another_one_is_refused_and_years_agree_however_they_are_written() {
    let text = "# Quiet pumps\n\nApplicant: Calder Institute\n\nPeriod: 2031-2034\n\nThe work runs from July 2031 to June 2034. The aim is a quiet pump.";
    let mut proposal = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
    let given = facts(&[
        ("person", fact("Calder Institute", "Applicant: Calder Institute")),
        ("programme", fact("Quiet pumps", "Quiet pumps")),
        ("period", fact("July 2031 to June 2034", "")),
    ]);
    proposal.read_with(&Says::new(&[given]), &Institutes::new(&[])).unwrap();
    let reading = proposal.reading.unwrap();
    let why: Vec<(&str, &str)> = reading.refused.iter().map(|r| (r.of.as_str(), r.why.as_str())).collect();
    assert!(why.contains(&("person", "is the institution")) && why.contains(&("programme", "is the title")), "{why:?}");
    assert!(proposal.project.people.is_empty() && proposal.project.programme.is_none());
    let period = &reading.facts[0];
    assert_eq!((period.kind, period.standing), (FieldKind::Period, Standing::Agrees), "{period:?}");
}

#[test]
fn a_placeholder_is_no_person_and_a_budget_agrees_however_it_is_written() {
    let text = "# 조용한 펌프\n\n연구책임자: 공개하지 않음\n\n총연구비: 14억 2천만 원\n\n\
        모두 1,420백만원을 쓴다. 조용한 펌프가 목표이다.";
    let mut proposal = Proposal::from_text(text, &Institutes::new(&[])).unwrap();
    let given = facts(&[
        ("person", fact("공개하지 않음", "연구책임자: 공개하지 않음")),
        ("budget", fact("1,420백만원", "모두 1,420백만원을 쓴다.")),
    ]);
    proposal.read_with(&Says::new(&[given]), &Institutes::new(&[])).unwrap();
    let reading = proposal.reading.unwrap();
    assert!(reading.refused.iter().any(|r| r.of == "person" && r.why == "names nobody"), "{reading:?}");
    assert!(proposal.project.people.is_empty());
    let budget = &reading.facts[0];
    assert_eq!((budget.kind, budget.standing), (FieldKind::Budget, Standing::Agrees), "{budget:?}");
}

/// What the model would have to say of each sentence it is shown, `unsure` for those that patterns are unsure of.
fn labels(unsure: &str, controls: Option<&str>) -> String {
    let sentences = proposal().project.sentences;
    let chosen = controls_of(&sentences);
    let mut asked: Vec<usize> =
        (0..sentences.len()).filter(|i| sentences[*i].confidence < UNSURE_FACET || chosen.contains(i)).collect();
    asked.sort_unstable();
    let said = asked.iter().enumerate().map(|(n, i)| {
        let sure = chosen.contains(i).then(|| controls.unwrap_or(sentences[*i].facet.name()));
        (format!("s{}", n + 1), json!(sure.unwrap_or(unsure)))
    });
    Value::Object(said.collect()).to_string()
}

fn controls_of(sentences: &[Sentence]) -> Vec<usize> {
    let chosen = super::controls(sentences);
    assert!(chosen.len() >= LEAST_CONTROLS, "the text has too few sure sentences: {sentences:?}");
    chosen
}

#[test]
fn facets_of_unsure_sentences_change_if_the_model_knows_the_sure_ones() {
    let (proposal, reading) = read(&[facts(&[]), labels("material", None)]);
    assert_eq!(reading.controls, reading.controls_right);
    let last = proposal.project.sentences.last().unwrap();
    assert_eq!((last.span.slice(TEXT), last.facet), ("Bronze bushings grip wet shafts tightly.", Facet::Material));
    let shown = reading.facets.last().unwrap();
    let quote: String = TEXT.chars().skip(shown.start).take(shown.end - shown.start).collect();
    assert_eq!((quote.as_str(), shown.now), (last.span.slice(TEXT), Facet::Material));
}

#[test]
fn a_model_that_says_the_same_of_every_sentence_is_not_believed() {
    let (changed, reading) = read(&[facts(&[]), labels("material", Some("material"))]);
    assert!(reading.facets.is_empty() && reading.refused[0].why.contains("knew 0"), "{reading:?}");
    let facets = |p: &Proposal| p.project.sentences.iter().map(|s| s.facet).collect::<Vec<_>>();
    assert_eq!(facets(&changed), facets(&proposal()));
}

#[test]
fn no_json_is_refused_as_a_whole() {
    for nonsense in ["", "Sure! Here it is", "[1, 2]", "{\"title\": {\"value\": \"Quiet"] {
        let (_, reading) = read(&[nonsense.to_owned(), nonsense.to_owned()]);
        assert!(reading.facts.is_empty() && reading.facets.is_empty() && reading.refused.len() == 2, "{reading:?}");
    }
}

#[test]
fn the_model_sees_no_personal_data_a_closed_schema_and_what_fits_its_window() {
    let says = Says::new(&[facts(&[])]);
    proposal().read_with(&says, &Institutes::new(&[])).unwrap();
    let (prompt, schema) = says.asked.lock().unwrap()[0].clone();
    assert!(prompt.contains("Harbour Pump Works") && !prompt.contains("2345"), "{prompt}");
    assert_eq!(schema["required"].as_array().unwrap().len(), ASKED.len());
    assert_eq!(schema["additionalProperties"], false);
    let mut long = Proposal::from_text(&"The aim is silence. ".repeat(2000), &Institutes::new(&[])).unwrap();
    let small = Says { window: 4000, ..Says::new(&[facts(&[])]) };
    long.read_with(&small, &Institutes::new(&[])).unwrap();
    assert!(small.asked.lock().unwrap()[0].0.len() + FACT_TOKENS < 4000);
}

#[test]
fn whoever_writes_nothing_of_his_own_is_no_reader() {
    let error = proposal().read_with(&ExtractiveGenerator, &Institutes::new(&[])).unwrap_err();
    assert!(error.to_string().contains("extractive") && error.to_string().contains("--generator"), "{error}");
}
