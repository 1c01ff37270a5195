//! Filters in our own words; each store translates them.

use crate::document::{Access, Language};

/// All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The conditions.
    pub all: Vec<Condition>,
}

/// One condition on a [`super::Payload`] field.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The field is one of these.
    AnyOf(&'static str, Vec<String>),
    /// The integer field lies in `from..=to`.
    Range(&'static str, Option<i64>, Option<i64>),
}

impl Filter {
    /// Only this sector.
    pub fn sector(mut self, name: &str) -> Self {
        self.all.push(Condition::AnyOf("sector", vec![name.to_owned()]));
        self
    }

    /// Only these institutions.
    pub fn institutions(self, names: &[String]) -> Self {
        self.any("institution", names)
    }

    /// Only these document types.
    pub fn doc_types(self, names: &[String]) -> Self {
        self.any("doc_type", names)
    }

    /// Only this language.
    pub fn language(mut self, language: Language) -> Self {
        self.all.push(Condition::AnyOf("language", vec![language.name().to_owned()]));
        self
    }

    /// Only these languages (any if empty).
    pub fn languages(self, languages: &[Language]) -> Self {
        self.any("language", &languages.iter().map(|l| l.name().to_owned()).collect::<Vec<_>>())
    }

    /// Only years in `from..=to`.
    pub fn years(mut self, from: Option<i64>, to: Option<i64>) -> Self {
        if from.is_some() || to.is_some() {
            self.all.push(Condition::Range("year", from, to));
        }
        self
    }

    /// Only what a reader cleared for `level` may see.
    pub fn access_up_to(mut self, level: Access) -> Self {
        let names = Access::ALL.iter().filter(|a| **a <= level).map(|a| a.name().to_owned()).collect();
        self.all.push(Condition::AnyOf("access", names));
        self
    }

    fn any(mut self, key: &'static str, names: &[String]) -> Self {
        if !names.is_empty() {
            self.all.push(Condition::AnyOf(key, names.to_vec()));
        }
        self
    }
}
