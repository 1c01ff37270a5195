//! A text with everything replaced that the policy does not release.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Action, Finding, Label, Policy, find};

/// One finding and what was done with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Where in the text that came in, and what.
    pub finding: Finding,
    /// What was done.
    pub action: Action,
    /// What stands there now; the text itself where it was kept.
    pub replacement: String,
}

/// The text that may be shown, and every finding in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted {
    /// The text with replacements in it.
    pub text: String,
    /// Every finding, kept ones too; places are those of the text that came in.
    pub findings: Vec<Shown>,
}

/// Replaces what `policy` does not release. The same person gets the same number throughout: `[PERSON 2]`.
pub fn redact(text: &str, policy: &Policy) -> Redacted {
    let mut persons: HashMap<String, usize> = HashMap::new();
    let mut shown = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in find(text) {
        let said = finding.span.slice(text);
        let action = policy.of(&finding, said);
        let replacement = match action {
            Action::Keep => said.to_owned(),
            Action::Generalise => coarser(finding.label, said).unwrap_or_else(|| masked(finding.label)),
            Action::Mask if finding.label == Label::Person => {
                let next = persons.len() + 1;
                format!("[PERSON {}]", persons.entry(said.split_whitespace().collect()).or_insert(next))
            }
            Action::Mask => masked(finding.label),
        };
        out.push_str(&text[at..finding.span.start]);
        out.push_str(&replacement);
        at = finding.span.end;
        shown.push(Shown { finding, action, replacement });
    }
    out.push_str(&text[at..]);
    Redacted { text: out, findings: shown }
}

fn masked(label: Label) -> String {
    format!("[{}]", label.name())
}

/// Year of birth, decade of age, city and district of an address; `None` where that cannot be read.
fn coarser(label: Label, said: &str) -> Option<String> {
    static YEAR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:19|20)\d\d").expect("constant pattern"));
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{1,3}").expect("constant pattern"));
    static DISTRICT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^\s*[가-힣]+(?:특별시|광역시|특별자치시|특별자치도|도|시)?(?:\s+[가-힣]{1,6}(?:시|군|구)(?:\s|$)){0,2}",
        )
        .expect("constant pattern")
    });
    match label {
        Label::DtBirth => YEAR.find(said).map(|year| format!("[{}: {}]", label.name(), year.as_str())),
        Label::Age => {
            let age: u32 = NUMBER.find(said)?.as_str().parse().ok()?;
            Some(format!("[{}: {}-{}]", label.name(), age / 10 * 10, age / 10 * 10 + 9))
        }
        Label::Address => {
            let district = DISTRICT.find(said)?.as_str().trim();
            (!district.is_empty()).then(|| format!("[{}: {district}]", label.name()))
        }
        _ => None,
    }
}
