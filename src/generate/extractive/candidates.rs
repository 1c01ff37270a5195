//! The pieces of the evidence that can stand in an answer: sentences, rows of tables, facts of records.
//!
//! Left out: headings, labels, questions, headers of tables, facts that are not asked for, by-lines and letterheads.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::super::Evidence;
use super::cue::Cue;
use super::wanted::Fields;
use crate::text::coverage::term_set;
use crate::text::fields::{self, FieldName};
use crate::text::{institutes, rows, sentences, states_an_aim};

/// A piece of the evidence.
pub(super) struct Candidate<'a> {
    pub(super) n: usize,
    /// Place of its passage among those retrieved, from 0.
    pub(super) rank: usize,
    pub(super) text: &'a str,
    /// Its bytes in the passage.
    pub(super) place: Range<usize>,
    pub(super) terms: HashSet<String>,
    /// The names of a row's columns: they are said of every cell.
    pub(super) columns: HashSet<String>,
    /// The header that they come from, as written.
    pub(super) header: &'a str,
    pub(super) context: HashSet<String>,
    pub(super) kind: Kind,
    /// It says what was meant to be, not what came out.
    pub(super) is_aim: bool,
    /// Where it is asked whether something is so: what of a study it tells.
    pub(super) tells: Tells,
    /// A line that ends like no sentence: a title, an item of a list.
    pub(super) is_fragment: bool,
    /// The share of the question that it covers with its context.
    pub(super) covered: f32,
    pub(super) score: f32,
    /// The sentence before it.
    pub(super) before: &'a str,
    /// What a reader found in it for the whole question, and for each part of it; nothing where none read it.
    pub(super) found: Vec<Option<Found>>,
}

/// The words of a candidate that a reader takes for the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// As the passage writes them; empty where it does not.
    pub(super) words: String,
    /// Logarithm of how many times likelier they are than that it does not answer.
    pub(super) margin: f32,
}

/// What a candidate is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Sentence,
    Row,
    /// A fact of a record whose name is asked for.
    Fact(Option<&'static FieldName>),
}

/// What a sentence tells to somebody who asks whether something is so.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tells {
    Anything,
    /// That it was looked into, or is not known.
    WhatIsOpen,
    /// What came out where a document says that it looked into just this.
    WhatWasFound,
}

impl Found {
    /// True where the words are likelier to answer than not.
    pub(super) fn is_sure(&self) -> bool {
        self.margin > 0.0
    }
}

impl Candidate<'_> {
    /// True where it holds the kind of thing asked for.
    pub(super) fn meets(&self, cue: Cue) -> bool {
        let is = |names: &[&str]| matches!(self.kind, Kind::Fact(Some(field)) if names.iter().any(|name| fields::field(name) == Some(field)));
        let digits = self.text.contains(|c: char| c.is_ascii_digit());
        match cue {
            Cue::Money if is(&["budget"]) => digits,
            Cue::Time if is(&["period", "start", "end", "year"]) => digits,
            // The unit of a cell stands in the header.
            Cue::Money if digits => cue.is_met(&format!("{} {}", self.text, self.header)),
            Cue::Money | Cue::Figure | Cue::Time | Cue::Other => cue.is_met(self.text),
        }
    }

    /// What a reader found in it: for the whole question 0, for a part of it its number from 1.
    pub(super) fn found(&self, asked: usize) -> Option<&Found> {
        self.found.get(asked)?.as_ref()
    }

    /// True where what was found in it is likelier to answer than not.
    pub(super) fn surely_answers(&self, asked: usize) -> bool {
        self.found(asked).is_some_and(Found::is_sure)
    }

    /// Its terms, those of its columns and those of what stands above it.
    pub(super) fn in_context(&self) -> HashSet<String> {
        self.terms.iter().chain(&self.columns).chain(&self.context).cloned().collect()
    }

    /// Its terms and those of its columns.
    pub(super) fn with_columns(&self) -> HashSet<String> {
        self.terms.union(&self.columns).cloned().collect()
    }

    /// True for one line of several of its kind: of a record, of a table.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.kind != Kind::Sentence
    }
}

/// The pieces of a passage that can stand in an answer.
pub(super) fn candidates<'a>(evidence: &Evidence<'a>, rank: usize, wanted: &Fields) -> Vec<Candidate<'a>> {
    let heading = term_set(&evidence.heading);
    let mut label: HashSet<String> = HashSet::new();
    let mut before: HashSet<String> = HashSet::new();
    let mut out = Vec::new();
    let start = |text: &str| text.as_ptr() as usize - evidence.text.as_ptr() as usize;
    let candidate = |text: &'a str, kind, context: HashSet<String>| Candidate {
        n: evidence.n,
        rank,
        text,
        place: start(text)..start(text) + text.len(),
        terms: term_set(text),
        columns: HashSet::new(),
        header: "",
        context,
        kind,
        is_fragment: kind == Kind::Sentence && is_fragment(text),
        is_aim: kind == Kind::Sentence && states_an_aim(text, &evidence.heading),
        tells: Tells::Anything,
        covered: 0.0,
        score: 0.0,
        before: "",
        found: Vec::new(),
    };
    let mut last = "";
    for span in sentences(evidence.text) {
        let text = span.slice(evidence.text);
        let terms = term_set(text);
        let is_row = rows::is_row(text);
        let facts = facts(text);
        if text.starts_with('#') || (!is_row && facts.is_empty() && terms.len() < 3) {
            // A heading, or a label like `Eligibility`, stands for all that follows it.
            label = terms;
            before.clear();
            last = "";
            continue;
        }
        // A question is no answer; it tells what the next sentence is about.
        if text.ends_with('?') {
            before = terms;
            last = text;
            continue;
        }
        if is_row {
            let pairs = rows::pairs(text);
            if rows::is_rule(text) || rows::is_header(evidence.text, span.start) || (pairs.is_none() && terms.len() < 3)
            {
                continue;
            }
            let header = rows::header_of(evidence.text, span.start).or(evidence.header).filter(|_| pairs.is_none());
            let context = heading.iter().chain(&label).cloned().collect();
            let mut row = candidate(text, Kind::Row, context);
            let names = pairs.unwrap_or_default().into_iter().filter_map(|(name, _)| fields::field(name));
            let named = names.filter(|field| wanted.is_named(field));
            row.terms.extend(named.flat_map(|field| term_set(&field.names_joined())));
            let columns = header.map(named_cells(text)).unwrap_or_default();
            out.push(Candidate { columns, header: header.unwrap_or_default(), ..row });
            continue;
        }
        if !facts.is_empty() {
            let context: HashSet<String> = heading.iter().chain(&label).chain(&terms).cloned().collect();
            let asked = facts.into_iter().filter(|fact| wanted.ask_for(fact));
            out.extend(asked.map(|fact| {
                let mut found = candidate(fact, Kind::Fact(field_of(fact)), context.clone());
                // Whatever the question calls the field, this is it.
                let named = field_of(fact).filter(|field| wanted.is_named(field));
                found.terms.extend(named.iter().flat_map(|field| term_set(&field.names_joined())));
                found
            }));
            continue;
        }
        // A title or a letterhead above everything else stands for what follows, as a heading does.
        let is_furniture = is_furniture(text);
        if out.is_empty() && (is_furniture || is_fragment(text)) {
            label.extend(terms.iter().cloned());
        }
        if is_furniture {
            before = terms;
            continue;
        }
        let context = heading.iter().chain(&label).chain(&before).cloned().collect();
        before = terms;
        out.push(Candidate { before: std::mem::replace(&mut last, text), ..candidate(text, Kind::Sentence, context) });
    }
    out
}

/// The terms of those names of a header under which the row holds something.
fn named_cells(row: &str) -> impl FnOnce(&str) -> HashSet<String> {
    move |header| {
        let named = rows::cells(header).zip(rows::cells(row)).filter(|(_, cell)| !cell.is_empty());
        named.flat_map(|(name, _)| term_set(&name.replace('_', " "))).collect()
    }
}

/// The facts of a line `name: value | name: value`, as the reader of record files writes it, or of lines `name: value` below each
/// other; none of any other text. Two facts or more; one alone, or lines below each other, where the names are those of known fields.
fn facts(text: &str) -> Vec<&str> {
    let is_fact = |f: &&str| f.split_once(": ").is_some_and(|(name, _)| name.split_whitespace().count() <= 3);
    let is_known = |f: &&str| field_of(f).is_some();
    let beside: Vec<&str> = text.split(" | ").map(str::trim).collect();
    if beside.len() >= 2 && beside.iter().all(is_fact) {
        return beside;
    }
    let below: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if below.iter().all(is_fact) && below.iter().filter(|f| is_known(f)).count() * 2 > below.len() {
        return below;
    }
    Vec::new()
}

fn field_of(fact: &str) -> Option<&'static FieldName> {
    fields::field(fact.split_once(": ")?.0)
}

/// A line that ends like no sentence and holds no figure.
fn is_fragment(text: &str) -> bool {
    let end = text.trim_end_matches(['"', '\'', '”', '’', ')', ']', ' ']);
    !end.ends_with(['.', '!', ':', ';', '다', '요', '음', '임', '함', '됨', '까'])
        && !text.contains(|c: char| c.is_ascii_digit())
}

/// The same with a year: `A. Kim, Hanbit Institute, 2022`.
fn is_fragment_or_dated(text: &str) -> bool {
    is_fragment(text.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | ',' | '(' | ')')))
}

/// By-lines, letterheads and addresses: lines that say who wrote to whom and when, and no sentence.
fn is_furniture(text: &str) -> bool {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^\W*(수신|발신|참조|작성|작성자|작성일|작성일자|문서\s?번호|보고일|보고자|담당|담당자|제출|제출일|제출처|발행|발행일|발행처|저자|교신저자|주소|전화|팩스|배포|보안등급|from|to|cc|date|dated|subject|ref|reference|prepared (by|for)|written by|submitted (by|to)|authors?|by|affiliations?|correspondence|tel|phone|fax|address|contact|e-?mail|document (no|number|id)|report (no|number)|version|revision|classification|distribution)\.?\s*[:：]",
        )
        .expect("constant pattern")
    });
    static BY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(By\s+)?\p{Lu}[\p{L}.\-]*(\s+\p{Lu}[\p{L}.\-]*)*(\s*[,;·]\s*(and\s+)?\p{Lu}[\p{L}.\-]*(\s+(of|for|and|the|\p{Lu}[\p{L}.\-]*))*|\s*[,(]\s*\d{4}\)?|\s*[,;]?\s+and\s+\p{Lu}[\p{L}.\- ]*)*\.?$")
            .expect("constant pattern")
    });
    let short = text.chars().count() <= 160;
    let is_a_name = institutes(text).any(|name| name.trim() == text.trim());
    let by = || is_fragment_or_dated(text) && BY.is_match(text) && text.contains([',', ';', '·']);
    // A label before a whole sentence (`Subject: the kiln cracked.`) still heads a letter.
    short && (LABEL.is_match(text) || is_a_name || by())
}
