//! What is done with each kind of finding: the sector's `[release]` table over the defaults of [`Label::action`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, Label};

/// What is done with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Shown as it is.
    Keep,
    /// Replaced by its label.
    Mask,
    /// Replaced by something coarser: year of birth, decade of age, city and district.
    Generalise,
}

/// A `[release]` table that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// No such label.
    #[error("[release.actions]: `{label}` is no label; the labels are {known}")]
    Label {
        /// What stands there.
        label: String,
        /// What may.
        known: String,
    },
    /// Out of range.
    #[error("[release]: threshold = {0} must be 0 to 1")]
    Threshold(f64),
}

/// The `[release]` table of a `sector.toml` as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Findings less sure than this are kept (default 0.5).
    pub threshold: Option<f64>,
    /// Label to `keep`, `mask` or `generalise`.
    #[serde(default)]
    pub actions: BTreeMap<String, Action>,
    /// Names, telephone numbers and mailboxes that are public anyway (an office's own): kept.
    #[serde(default)]
    pub public: Vec<String>,
}

/// What is done with each label, from which confidence on.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    threshold: f64,
    actions: BTreeMap<Label, Action>,
    public: Vec<String>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { threshold: 0.5, actions: BTreeMap::new(), public: Vec::new() }
    }
}

impl Policy {
    /// Reads a sector's table.
    pub fn new(table: &Table) -> Result<Policy, PolicyError> {
        let mut policy = Policy { public: table.public.clone(), ..Policy::default() };
        if let Some(threshold) = table.threshold {
            if !(0.0..=1.0).contains(&threshold) {
                return Err(PolicyError::Threshold(threshold));
            }
            policy.threshold = threshold;
        }
        for (name, action) in &table.actions {
            let unknown = || PolicyError::Label { label: name.clone(), known: Label::ALL.map(Label::name).join(", ") };
            policy.actions.insert(Label::named(name).ok_or_else(unknown)?, *action);
        }
        Ok(policy)
    }

    /// What is done with a label.
    pub fn action(&self, label: Label) -> Action {
        self.actions.get(&label).copied().unwrap_or_else(|| label.action())
    }

    /// What is done with one finding, whose words are `said`.
    pub fn of(&self, finding: &Finding, said: &str) -> Action {
        if finding.confidence < self.threshold || self.public.iter().any(|p| p == said) {
            return Action::Keep;
        }
        self.action(finding.label)
    }
}
