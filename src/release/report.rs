//! What the doors print: the same facts with offsets in characters, and for a person as text.

use serde::Serialize;

use super::{Action, Decision, Outcome, Part, Reason, Redacted, Shown};
use crate::document::{CharIndex, Document, Span};

/// A redacted text: `release redact --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedactedReport {
    /// The text with replacements in it.
    pub text: String,
    /// Every finding, in order.
    pub spans: Vec<SpanReport>,
}

/// One finding; offsets count characters of the text that came in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanReport {
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// `PERSON`, `PHONE`, …
    pub label: &'static str,
    /// `keep`, `mask`, `generalise`.
    pub action: Action,
    /// Why it is personal, or that it is not: `personal`, `public`, …
    pub code: &'static str,
    /// The provision, in Korean.
    pub provision: &'static str,
    /// The rule that saw it.
    pub rule: &'static str,
    /// How sure the rule is, 0 to 1.
    pub confidence: f64,
    /// What stands there now.
    pub replacement: String,
}

/// A decision: `release decide --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionReport {
    /// `release`, `release_in_part`, `withhold`.
    pub decision: &'static str,
    /// Reasons that concern the whole.
    pub reasons: Vec<ReasonReport>,
    /// What is not released as it is.
    pub parts: Vec<PartReport>,
    /// What may be released; empty where the whole is withheld.
    pub text: String,
    /// Every finding.
    pub spans: Vec<SpanReport>,
}

/// A sentence or line that is not released as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartReport {
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Page, where the format has pages.
    pub page: Option<u32>,
    /// `release_in_part` (persons replaced) or `withhold`.
    pub decision: &'static str,
    /// Why.
    pub reasons: Vec<ReasonReport>,
}

/// Why: code, provision, rule, the words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReasonReport {
    /// `personal`, `business_secret`, …
    pub code: &'static str,
    /// The provision, in Korean.
    pub provision: &'static str,
    /// The rule that saw it.
    pub rule: &'static str,
    /// The words it saw; of persons only what stands there now.
    pub words: String,
    /// How sure the rule is, 0 to 1.
    pub confidence: f64,
}

impl Redacted {
    /// With offsets in characters of `text`, which was redacted.
    pub fn report(&self, text: &str) -> RedactedReport {
        RedactedReport { text: self.text.clone(), spans: spans(text, &self.findings) }
    }
}

impl Decision {
    /// With offsets in characters of the document's text.
    pub fn report(&self, document: &Document) -> DecisionReport {
        let index = CharIndex::new(&document.text);
        let part = |p: &Part| {
            let (start, end) = index.chars(p.span);
            PartReport {
                start,
                end,
                page: document.page_at(p.span.start),
                decision: p.outcome.name(),
                reasons: p.reasons.iter().map(|r| self.reason(document, r)).collect(),
            }
        };
        DecisionReport {
            decision: self.outcome.name(),
            reasons: self.reasons.iter().map(|r| self.reason(document, r)).collect(),
            parts: self.parts.iter().map(part).collect(),
            text: self.text.clone(),
            spans: spans(&document.text, &self.findings),
        }
    }

    /// For a person: the decision, then each part with its reasons. Nothing personal is repeated.
    pub fn text_report(&self, document: &Document) -> String {
        let report = self.report(document);
        let mut out = format!("{}\n", report.decision);
        let line = |r: &ReasonReport| format!("  {} ({}), {}: {}\n", r.code, r.provision, r.rule, r.words);
        report.reasons.iter().for_each(|r| out.push_str(&line(r)));
        for part in &report.parts {
            let page = part.page.map_or_else(String::new, |p| format!(", page {p}"));
            out.push_str(&format!("{} {}-{}{page}\n", part.decision, part.start, part.end));
            part.reasons.iter().for_each(|r| out.push_str(&line(r)));
        }
        if self.outcome != Outcome::Withhold {
            out.push_str(&format!("\n{}\n", report.text.trim_end()));
        }
        out
    }

    fn reason(&self, document: &Document, reason: &Reason) -> ReasonReport {
        let replaced = self.findings.iter().find(|f| f.finding.span == reason.span && f.action != Action::Keep);
        let words = replaced.map_or_else(|| reason.span.slice(&document.text).to_owned(), |f| f.replacement.clone());
        ReasonReport {
            code: reason.basis.code(),
            provision: reason.basis.provision(),
            rule: reason.rule,
            words: if reason.span == Span::default() { document.metadata.access.name().to_owned() } else { words },
            confidence: reason.confidence,
        }
    }
}

fn spans(text: &str, findings: &[Shown]) -> Vec<SpanReport> {
    let index = CharIndex::new(text);
    let one = |f: &Shown| {
        let (start, end) = index.chars(f.finding.span);
        SpanReport {
            start,
            end,
            label: f.finding.label.name(),
            action: f.action,
            code: f.finding.label.basis().code(),
            provision: f.finding.label.basis().provision(),
            rule: f.finding.rule,
            confidence: f.finding.confidence,
            replacement: f.replacement.clone(),
        }
    };
    findings.iter().map(one).collect()
}
