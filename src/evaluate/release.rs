//! Is what is personal found? `release`'s findings against labelled spans, label by label.
//!
//! A labelled span counts as found if a finding of its label overlaps it, a finding as right if a labelled span of its label overlaps it
//! (partial matching of SemEval 2013 task 9). `hidden`: every character of it is replaced under the policy, whatever the label. What a
//! collection labels and Sectora does not count as personal (organisations, places, dates) is left out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::EvaluateError;
use super::json_lines::json_lines;
use crate::document::Span;
use crate::release::{Action, Label, Policy, redact};

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseFormat {
    /// One JSON array of `{full_text, spans: [{entity_type, start_position, end_position}]}`, offsets in characters (presidio-research).
    Presidio,
    /// JSON lines `{text, pii: [{type, text}]}` without places: every occurrence is one (ko-pii).
    KoPii,
    /// Lines `character TAB tag`, an empty line between sentences, `B-PS` and `I-PS` for persons (KLUE-NER).
    KlueNer,
}

/// A text and what is labelled in it.
pub struct Labelled {
    text: String,
    spans: Vec<(Label, Span)>,
}

/// One label's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Labelled spans.
    pub labelled: usize,
    /// Of these, found under their label.
    pub found: usize,
    /// Of these, wholly replaced.
    pub hidden: usize,
    /// Findings.
    pub findings: usize,
    /// Of these, right.
    pub right: usize,
    /// `found / labelled`.
    pub recall: f64,
    /// `right / findings`.
    pub precision: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// Counts by label and of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleaseReport {
    /// Texts.
    pub texts: usize,
    /// Every label that is labelled.
    pub labels: BTreeMap<&'static str, Counts>,
    /// Their sum.
    pub all: Counts,
}

/// Reads a collection.
pub fn load(path: &Path, format: ReleaseFormat) -> Result<Vec<Labelled>, EvaluateError> {
    let text = fs_err::read_to_string(path)?;
    let wrong = |what: String| EvaluateError::Dataset { path: path.display().to_string(), what };
    let texts = match format {
        ReleaseFormat::Presidio => {
            let rows: Vec<Presidio> = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
            rows.into_iter().map(Presidio::labelled).collect()
        }
        ReleaseFormat::KoPii => {
            let rows = json_lines(path, &text).map(|row| row.map(KoPii::labelled));
            rows.collect::<Result<_, EvaluateError>>()?
        }
        ReleaseFormat::KlueNer => klue(&text),
    };
    let any = |t: &Vec<Labelled>| t.iter().any(|l| !l.spans.is_empty());
    if any(&texts) { Ok(texts) } else { Err(wrong("no labelled span of a label that Sectora knows".into())) }
}

/// Finds and compares, over the labels that the collection has.
pub fn measure(texts: &[Labelled], policy: &Policy) -> ReleaseReport {
    let mut labels: BTreeMap<&'static str, Counts> = BTreeMap::new();
    for (label, _) in texts.iter().flat_map(|t| &t.spans) {
        labels.entry(label.name()).or_default();
    }
    for labelled in texts {
        let redacted = redact(&labelled.text, policy);
        let meets = |a: Span, b: Span| a.start < b.end && b.start < a.end;
        for (label, span) in &labelled.spans {
            let counts = labels.entry(label.name()).or_default();
            counts.labelled += 1;
            let same = |f: &&crate::release::Shown| f.finding.label == *label && meets(f.finding.span, *span);
            counts.found += usize::from(redacted.findings.iter().any(|f| same(&f)));
            let replaced: Vec<Span> =
                redacted.findings.iter().filter(|f| f.action != Action::Keep).map(|f| f.finding.span).collect();
            let shown = |(at, c): (usize, char)| {
                c.is_alphanumeric() && !replaced.iter().any(|r| (r.start..r.end).contains(&(span.start + at)))
            };
            counts.hidden += usize::from(!span.slice(&labelled.text).char_indices().any(shown));
        }
        for finding in &redacted.findings {
            // What the collection does not label at all says nothing about precision.
            let Some(counts) = labels.get_mut(finding.finding.label.name()) else { continue };
            counts.findings += 1;
            let right =
                labelled.spans.iter().any(|(l, s)| *l == finding.finding.label && meets(*s, finding.finding.span));
            counts.right += usize::from(right);
        }
    }
    let mut all = Counts::default();
    for counts in labels.values_mut() {
        all.labelled += counts.labelled;
        all.found += counts.found;
        all.hidden += counts.hidden;
        all.findings += counts.findings;
        all.right += counts.right;
        counts.rate();
    }
    all.rate();
    ReleaseReport { texts: texts.len(), labels, all }
}

impl Counts {
    fn rate(&mut self) {
        let share = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        self.recall = share(self.found, self.labelled);
        self.precision = share(self.right, self.findings);
        let sum = self.recall + self.precision;
        self.f1 = if sum == 0.0 { 0.0 } else { 2.0 * self.recall * self.precision / sum };
    }
}

#[derive(Deserialize)]
struct Presidio {
    full_text: String,
    spans: Vec<PresidioSpan>,
}

#[derive(Deserialize)]
struct PresidioSpan {
    entity_type: String,
    start_position: usize,
    end_position: usize,
}

impl Presidio {
    fn labelled(self) -> Labelled {
        let byte = |at: usize| self.full_text.char_indices().nth(at).map_or(self.full_text.len(), |(i, _)| i);
        let known = |name: &str| match name {
            "STREET_ADDRESS" => Some(Label::Address),
            "PHONE_NUMBER" => Some(Label::Phone),
            "EMAIL_ADDRESS" => Some(Label::Email),
            "CREDIT_CARD" => Some(Label::Card),
            "IBAN_CODE" => Some(Label::Account),
            "US_SSN" => Some(Label::Ssn),
            "ZIP_CODE" => Some(Label::PostalCode),
            "IP_ADDRESS" => Some(Label::Ip),
            "US_DRIVER_LICENSE" => Some(Label::DriverLicense),
            "DOMAIN_NAME" => Some(Label::Url),
            other => Label::named(other),
        };
        let spans = self.spans.iter().filter_map(|s| {
            Some((known(&s.entity_type)?, Span { start: byte(s.start_position), end: byte(s.end_position) }))
        });
        Labelled { spans: spans.collect(), text: self.full_text }
    }
}

#[derive(Deserialize)]
struct KoPii {
    text: String,
    pii: Vec<KoPiiValue>,
}

#[derive(Deserialize)]
struct KoPiiValue {
    #[serde(rename = "type")]
    kind: String,
    text: String,
}

impl KoPii {
    fn labelled(self) -> Labelled {
        let mut spans = Vec::new();
        for value in self.pii.iter().filter(|v| !v.text.is_empty()) {
            let Some(label) = Label::named(&value.kind) else { continue };
            for (start, said) in self.text.match_indices(value.text.as_str()) {
                let span = Span { start, end: start + said.len() };
                let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
                let inside =
                    digit(self.text[..start].chars().next_back()) || digit(self.text[span.end..].chars().next());
                if !inside && !spans.contains(&(label, span)) {
                    spans.push((label, span));
                }
            }
        }
        Labelled { text: self.text, spans }
    }
}

fn klue(file: &str) -> Vec<Labelled> {
    let mut texts = Vec::new();
    let mut now = Labelled { text: String::new(), spans: Vec::new() };
    for line in file.lines().chain([""]).filter(|l| !l.starts_with("## ")) {
        let Some((character, tag)) = line.rsplit_once('\t') else {
            if !now.text.is_empty() {
                texts.push(std::mem::replace(&mut now, Labelled { text: String::new(), spans: Vec::new() }));
            }
            continue;
        };
        let start = now.text.len();
        now.text.push_str(character);
        let end = now.text.len();
        match (tag.trim(), now.spans.last_mut()) {
            ("B-PS", _) => now.spans.push((Label::Person, Span { start, end })),
            ("I-PS", Some((_, span))) => span.end = end,
            _ => {}
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_under_its_label_and_what_is_hidden_is_counted_apart() {
        let row = |text: &str, pii: &[(&str, &str)]| {
            let value = |(kind, text): &(&str, &str)| KoPiiValue { kind: (*kind).into(), text: (*text).into() };
            KoPii { text: text.into(), pii: pii.iter().map(value).collect() }.labelled()
        };
        let texts = [
            row("담당: 김하늘 (010-2345-6789), 010-2345-6789", &[("PERSON", "김하늘"), ("PHONE", "010-2345-6789")]),
            row("성명: 홍길동, 별명 쓱쓱이", &[("PERSON", "쓱쓱이")]),
        ];
        let report = measure(&texts, &Policy::default());
        let (person, phone) = (report.labels["PERSON"], report.labels["PHONE"]);
        assert_eq!((phone.labelled, phone.found, phone.hidden, phone.findings, phone.right), (2, 2, 2, 2, 2));
        assert_eq!((person.labelled, person.found, person.hidden, person.findings, person.right), (2, 1, 1, 2, 1));
        assert_eq!(report.all.labelled, 4);
    }

    #[test]
    fn persons_of_klue_are_read_by_character() {
        let texts = klue("## 주석\n김\tB-PS\n씨\tO\n \tO\n이\tB-PS\n산\tI-PS\n\n가\tO\n");
        assert_eq!(texts.len(), 2);
        let said: Vec<&str> = texts[0].spans.iter().map(|(_, s)| s.slice(&texts[0].text)).collect();
        assert_eq!(said, ["김", "이산"]);
    }
}
