//! No model: the sentences of the evidence that answer, as they stand, each with its citation.
//!
//! A sentence is scored by how much of the question it covers, terms weighed by their rarity in the index. What its title, headings and the sentence before say counts at a discount, because prose does not
//! repeat its subject. A question that asks for a figure or a time prefers sentences that hold one. Of a record's line of facts
//! (`name: value | name: value`) only those answer whose names are asked for; their context is the whole line.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Instant;

use super::{Evidence, Finish, GenerateError, Generation, Generator, PromptStyle, Request, Sink};
use crate::text::coverage::{Coverage, term_set};
use crate::text::sentences;

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

    fn context_tokens(&self) -> usize {
        usize::MAX
    }

    fn count_tokens(&self, text: &str) -> usize {
        crate::text::tokens(text)
    }

    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::None
    }

    fn has_logprobs(&self) -> bool {
        false
    }

    fn follows_schemas(&self) -> bool {
        false
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let begin = Instant::now();
        let chosen = choose(request);
        let first_token_s = begin.elapsed().as_secs_f64();
        let evidence: usize = request.evidence.iter().map(|e| self.count_tokens(e.text)).sum();
        let mut out = Generation {
            finish: Finish::Stop,
            prompt_tokens: self.count_tokens(request.question) + evidence,
            completion_tokens: 0,
            first_token_s,
            tokens: Vec::new(),
        };
        for candidate in &chosen {
            let sentence = format!("{} [{}]", candidate.text, candidate.n);
            let tokens = self.count_tokens(&sentence);
            // Sentences are whole or not written: half of one has no citation. The first is written however long it is.
            if out.completion_tokens > 0 && out.completion_tokens + tokens > request.sampling.max_tokens {
                out.finish = Finish::Length;
                break;
            }
            if request.sampling.stop.iter().any(|stop| sentence.contains(stop.as_str())) {
                break;
            }
            out.completion_tokens += tokens;
            // A blank line, because a fact or a table row has no full stop.
            if sink(&format!("{sentence}\n\n")) == ControlFlow::Break(()) {
                out.finish = Finish::Cancelled;
                break;
            }
        }
        Ok(out)
    }
}

struct Candidate<'a> {
    n: usize,
    text: &'a str,
    terms: HashSet<String>,
    context: HashSet<String>,
    /// A fact of a record whose name is asked for.
    named: bool,
    /// The share of the question that it covers with its context.
    covered: f32,
    score: f32,
}

/// The sentences that answer, best first; none where nothing covers enough.
fn choose<'a>(request: &Request<'a>) -> Vec<Candidate<'a>> {
    let fields = Fields::of(request.question, request.coverage);
    let mut candidates: Vec<Candidate<'a>> = request.evidence.iter().flat_map(|e| candidates(e, &fields)).collect();
    let coverage = request.coverage;
    let cue = Cue::of(request.question);
    for (rank, e) in request.evidence.iter().enumerate() {
        for c in candidates.iter_mut().filter(|c| c.n == e.n) {
            let own = coverage.by(&c.terms);
            let with_context = coverage.by(&c.terms.union(&c.context).cloned().collect());
            let bonus = if own > 0.0 && cue.is_met(c.text) { CUE } else { 0.0 };
            // A sentence that shares nothing with the question is not its answer, whatever stands above it.
            let base = match c.named {
                true => RECORD * with_context,
                false if own > 0.0 || with_context > 0.8 => own + CONTEXT * (with_context - own),
                false => 0.0,
            };
            let named = if c.named { NAMED } else { 0.0 };
            c.covered = with_context;
            let excess = c.text.chars().count().saturating_sub(LONG) as f32 / 100.0;
            c.score = base + bonus + named - RANK * rank as f32 - LONG_LOSS * excess;
        }
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let best = candidates.first().map_or(0.0, |c| c.score);
    if best < MIN_SCORE {
        return Vec::new();
    }
    let mut chosen: Vec<Candidate<'a>> = Vec::new();
    for candidate in candidates {
        if chosen.len() == SENTENCES || candidate.score < best * NEAR_BEST {
            break;
        }
        // The same fact of another record is beside the point, unless that record is asked for as much.
        let elsewhere = chosen.first().is_some_and(|c| c.named && candidate.covered < c.covered);
        if !elsewhere && chosen.iter().all(|c| overlap(&c.terms, &candidate.terms) <= SAME) {
            chosen.push(candidate);
        }
    }
    // Without a sentence that holds the kind of thing asked for, the question is not answered.
    if cue.is_required() && !chosen.iter().any(|c| cue.is_met(c.text)) {
        chosen.clear();
    }
    chosen
}

/// The sentences of a passage that can stand in an answer.
fn candidates<'a>(evidence: &Evidence<'a>, fields: &Fields<'_>) -> Vec<Candidate<'a>> {
    let heading = term_set(&evidence.heading);
    let mut label: HashSet<String> = HashSet::new();
    let mut before: HashSet<String> = HashSet::new();
    let mut out = Vec::new();
    for span in sentences(evidence.text) {
        let text = span.slice(evidence.text);
        let terms = term_set(text);
        let is_row = text.starts_with('|');
        if text.starts_with('#') || (!is_row && terms.len() < 3) {
            // A heading, or a label like `Eligibility`, stands for all that follows it.
            label = terms;
            before.clear();
            continue;
        }
        // A question is no answer; it tells what the next sentence is about.
        if text.ends_with('?') {
            before = terms;
            continue;
        }
        let next_line =
            evidence.text[span.end..].trim_start_matches(' ').strip_prefix('\n').and_then(|t| t.lines().next());
        let heads_a_table = next_line.is_some_and(is_table_rule);
        if is_table_rule(text) || heads_a_table || (is_row && terms.len() < 3) {
            continue;
        }
        let facts = facts(text);
        if !facts.is_empty() {
            let context: HashSet<String> = heading.union(&terms).cloned().collect();
            out.extend(facts.into_iter().filter(|fact| fields.ask_for(fact)).map(|text| Candidate {
                n: evidence.n,
                text,
                terms: term_set(text),
                context: context.clone(),
                named: true,
                covered: 0.0,
                score: 0.0,
            }));
            continue;
        }
        let context = heading.iter().chain(&label).chain(&before).cloned().collect();
        before.clone_from(&terms);
        out.push(Candidate { n: evidence.n, text, terms, context, named: false, covered: 0.0, score: 0.0 });
    }
    out
}

/// The facts of a record's line, as the reader of record files writes them; none of any other line.
fn facts(line: &str) -> Vec<&str> {
    let facts: Vec<&str> = line.split(" | ").map(str::trim).collect();
    let is_fact = |f: &&str| f.split_once(": ").is_some_and(|(name, _)| name.split_whitespace().count() <= 3);
    if facts.len() >= 3 && facts.iter().all(is_fact) { facts } else { Vec::new() }
}

/// Words in the names of fields that do not say which field it is.
const VAGUE: &str = "project award date name total 과제 사업 일자";
/// Words in the names of fields that answer `when` …
const WHEN_FIELDS: &str = "year start end period duration 연도 시작 종료 기간";
/// … and `who`.
const WHO_FIELDS: &str =
    "institution institute organisation organization company researcher investigator 기관 책임자 업체";
const WHO: [&str; 6] = ["누가", "누구", "who ", "주관기관", "수행기관", "어느 기관"];

/// Which fields of a record a question asks for.
struct Fields<'a> {
    question: &'a Coverage,
    vague: HashSet<String>,
    /// Words in the names of fields that answer this question's `when` or `who`.
    telling: HashSet<String>,
}

impl<'a> Fields<'a> {
    fn of(question: &str, coverage: &'a Coverage) -> Fields<'a> {
        let lower = question.to_lowercase();
        let mut telling = HashSet::new();
        if Cue::of(question) == Cue::Time {
            telling.extend(term_set(WHEN_FIELDS));
        }
        if WHO.iter().any(|w| lower.contains(w)) {
            telling.extend(term_set(WHO_FIELDS));
        }
        Fields { question: coverage, vague: term_set(VAGUE), telling }
    }

    /// True when the question asks for the field of this fact: by at least half of its telling words, or by `when` or `who`.
    fn ask_for(&self, fact: &str) -> bool {
        let Some((name, _)) = fact.split_once(": ") else { return false };
        let name: HashSet<String> = term_set(&name.replace('_', " ")).difference(&self.vague).cloned().collect();
        self.question.share_asked(&name) >= 0.5 || !name.is_disjoint(&self.telling)
    }
}

/// The line under a table's header.
fn is_table_rule(line: &str) -> bool {
    line.starts_with('|') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn overlap(a: &HashSet<String>, b: &HashSet<String>) -> f32 {
    let smaller = a.len().min(b.len());
    if smaller == 0 { 1.0 } else { a.intersection(b).count() as f32 / smaller as f32 }
}

/// What kind of thing a question asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cue {
    Money,
    Figure,
    Time,
    Other,
}

const MONEY: [&str; 11] =
    ["비용", "원가", "단가", "가격", "예산", "연구비", "cost", "price", "budget", "expensive", "funding"];
const TIME: [&str; 8] = ["언제", "몇 년", "연도", "when ", "what year", "which year", "마감일", "deadline"];
const FIGURE: [&str; 12] = [
    "얼마",
    "몇",
    "how much",
    "how many",
    "how high",
    "how large",
    "how thick",
    "how long",
    "what percentage",
    "what share",
    "수치",
    "값은",
];
/// Quantities that are asked for by name alone: `What is the yield of …?`, `…의 수율은?`
const QUANTITY_EN: [&str; 6] = ["rate", "ratio", "yield", "efficiency", "percentage", "share"];
const QUANTITY_KO: [&str; 9] = ["율은", "률은", "비율", "농도는", "온도는", "압력은", "속도는", "두께는", "밀도는"];
/// Signs of an amount of money.
const CURRENCY: [&str; 14] =
    ["원", "krw", "usd", "eur", "$", "€", "₩", "£", "won", "dollar", "euro", "budget", "억", "cost"];

fn names_a_quantity(lower: &str) -> bool {
    let asked = lower.trim_end_matches(['?', '？', '.', ' ']);
    let subject = ["what is the ", "what was the ", "what were the "].iter().find_map(|w| asked.strip_prefix(w));
    // Only the head of the subject: `the recycling rate of lithium`, not `the effect of the rate`.
    let head = subject.map(|s| s.split(" of ").next().unwrap_or(s));
    head.is_some_and(|h| h.split_whitespace().next_back().is_some_and(|w| QUANTITY_EN.contains(&w)))
        || QUANTITY_KO.iter().any(|w| asked.ends_with(w))
}

impl Cue {
    fn of(question: &str) -> Cue {
        let lower = question.to_lowercase();
        let any = |words: &[&str]| words.iter().any(|w| lower.contains(w));
        if any(&MONEY) && any(&["얼마", "how much", "what ", "몇"]) {
            Cue::Money
        } else if any(&TIME) {
            Cue::Time
        } else if any(&FIGURE) || names_a_quantity(&lower) {
            Cue::Figure
        } else {
            Cue::Other
        }
    }

    fn is_required(self) -> bool {
        self != Cue::Other
    }

    fn is_met(self, sentence: &str) -> bool {
        // The 2 of CO2 and the 811 of NCM811 are no figures.
        let mut words = sentence.split(|c: char| !c.is_alphanumeric());
        let digits = words.any(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        match self {
            Cue::Figure => digits,
            Cue::Time => {
                digits
                    && (sentence.split(|c: char| !c.is_ascii_digit()).any(|r| r.len() == 4) || sentence.contains('월'))
            }
            Cue::Money => digits && CURRENCY.iter().any(|c| sentence.to_lowercase().contains(c)),
            Cue::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
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
            Evidence { n: 1, heading: "Pouch cell ageing".into(), text: EN },
            Evidence { n: 2, heading: "황화물계 고체전해질".into(), text: KO },
        ];
        let coverage = Coverage::of_question(question, &[]);
        let request =
            Request { question, evidence: &evidence, coverage: &coverage, messages: &[], sampling, schema: None };
        let mut out = String::new();
        let sink = &mut |piece: &str| {
            out.push_str(piece);
            ControlFlow::Continue(())
        };
        let made = ExtractiveGenerator.generate(&request, sink).unwrap();
        (out, made)
    }

    #[test]
    fn a_limit_of_tokens_and_a_stop_string_end_it_between_sentences() {
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
        assert_eq!((stopped.trim_end(), made.finish), (sentences[0], Finish::Stop));
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
        let evidence = [Evidence { n: 1, heading: "Loss after storage".into(), text }];
        let question = "What was the loss after storage of cell A2?";
        let coverage = Coverage::of_question(question, &[]);
        let sampling = Sampling::default();
        let request = Request {
            question,
            evidence: &evidence,
            coverage: &coverage,
            messages: &[],
            sampling: &sampling,
            schema: None,
        };
        let chosen: Vec<&str> = choose(&request).iter().map(|c| c.text).collect();
        assert_eq!(chosen.first(), Some(&"| cell A2 | 4.7 |"));
        assert!(chosen.iter().all(|c| !c.contains("Cell | Loss")));
    }

    #[test]
    fn of_a_records_facts_the_one_asked_for_answers() {
        let text = "acronym: SALTWAY | institution: Hanbit Institute | start_date: 2019-04 | budget_mkrw: 1200\n\nSALTWAY studies salt-tolerant seals.";
        let evidence = [Evidence { n: 1, heading: "Seals that live with salt".into(), text }];
        let sampling = Sampling::default();
        let ask = |question: &str, synonyms: &[Synonyms]| {
            let coverage = Coverage::of_question(question, synonyms);
            let request = Request {
                question,
                evidence: &evidence,
                coverage: &coverage,
                messages: &[],
                sampling: &sampling,
                schema: None,
            };
            choose(&request).first().map(|c| c.text.to_owned())
        };
        assert_eq!(ask("Which institution runs SALTWAY?", &[]).as_deref(), Some("institution: Hanbit Institute"));
        assert_eq!(ask("What is the budget of the SALTWAY project?", &[]).as_deref(), Some("budget_mkrw: 1200"));
        assert_eq!(ask("Who leads SALTWAY?", &[]).as_deref(), Some("institution: Hanbit Institute"));
        assert_eq!(ask("When did SALTWAY begin?", &[]).as_deref(), Some("start_date: 2019-04"));
        let body = Synonyms { span: 10.."SALTWAY의 기관".len(), others: vec!["institution".into()] };
        assert_eq!(ask("SALTWAY의 기관은?", &[body]).as_deref(), Some("institution: Hanbit Institute"));
        let other = "acronym: SALTER | institution: Dawon Cells | start_date: 2020-01\n";
        let both = [evidence[0].clone(), Evidence { n: 2, heading: "Saltier seals".into(), text: other }];
        let question = "Which institution runs SALTWAY?";
        let coverage = Coverage::of_question(question, &[]);
        let request = Request {
            question,
            evidence: &both,
            coverage: &coverage,
            messages: &[],
            sampling: &sampling,
            schema: None,
        };
        assert_eq!(choose(&request).iter().map(|c| c.n).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_heading_is_never_an_answer() {
        assert!(!answer("Cycling of pouch cells").contains('#'));
    }
}
