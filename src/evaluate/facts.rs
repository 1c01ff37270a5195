//! Which figures, units, dates and institutes of an answer stand in none of the passages it rests on?
//!
//! By rule, not by reading: a figure is a run of digits (thousands separators aside); its unit counts as
//! wrong only if the evidence always writes that figure with another unit; an institute is recognised by its
//! ending or its head word. It does not see a wrong statement made of right figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use crate::text::{Figure, figures, institutes};

/// Something an answer says that the evidence does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Invented {
    /// `figure`, `unit`, `date` or `name`.
    pub kind: &'static str,
    /// As the answer writes it.
    pub text: String,
}

static MONTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(January|February|March|April|June|July|August|September|October|November|December)\b")
        .expect("constant pattern")
});
/// What `claim` says that neither the question nor any passage of `evidence` does, without repeats.
pub fn invented(claim: &str, question: &str, evidence: &[&str]) -> Vec<Invented> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut squashed = String::new();
    for text in evidence.iter().copied().chain([question]) {
        for Figure { digits, unit, .. } in figures(text) {
            known.entry(digits).or_default().insert(unit);
        }
        squashed.push_str(&squash(text));
        squashed.push('\n');
    }
    let mut out = BTreeSet::new();
    for Figure { digits, unit, .. } in figures(claim) {
        match known.get(&digits) {
            None => drop(out.insert(Invented { kind: "figure", text: format!("{digits}{unit}") })),
            // A figure that stands somewhere without a unit (in a table, in a sum) can carry any.
            Some(units) if !unit.is_empty() && !units.contains(&unit) && !units.contains("") => {
                out.insert(Invented { kind: "unit", text: format!("{digits} {unit}") });
            }
            Some(_) => {}
        }
    }
    for month in MONTH.find_iter(claim).map(|m| m.as_str()) {
        if !squashed.contains(&month.to_lowercase()) && !names_month(month, &known) {
            out.insert(Invented { kind: "date", text: month.to_owned() });
        }
    }
    for name in institutes(claim) {
        if name.contains(|c: char| c.is_alphabetic()) && !squashed.contains(&squash(name)) {
            out.insert(Invented { kind: "name", text: name.to_owned() });
        }
    }
    out.into_iter().collect()
}

/// A Korean or numeric date writes the month as a figure.
fn names_month(month: &str, known: &BTreeMap<String, BTreeSet<String>>) -> bool {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let number = MONTHS.iter().position(|m| *m == month).map_or(0, |i| i + 1);
    known.get(&number.to_string()).is_some_and(|units| units.contains("월"))
        || known.contains_key(&format!("{number:02}"))
}

fn squash(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(claim: &str, evidence: &str) -> Vec<String> {
        invented(claim, "", &[evidence]).into_iter().map(|i| format!("{} {}", i.kind, i.text)).collect()
    }

    #[test]
    fn a_figure_that_is_nowhere_is_invented_and_one_in_the_question_is_not() {
        assert_eq!(texts("유지율은 93 %였다.", "유지율은 83 %였다."), ["figure 93%"]);
        assert!(texts("예산은 2,350 백만 원이다.", "예산 2350").is_empty());
        assert!(invented("After 500 cycles it failed.", "What happened after 500 cycles?", &["It failed."]).is_empty());
    }

    #[test]
    fn a_wrong_unit_is_seen_unless_the_evidence_leaves_it_open() {
        assert_eq!(texts("It held 3 kPa.", "It held 3 MPa."), ["unit 3 kPa"]);
        assert!(texts("75일마다 세정했다.", "| 간격(일) | 24 | 75 |").is_empty());
        assert!(texts("in 5 months", "in 5 months").is_empty());
        assert!(texts("500회 뒤", "after 500 cycles").is_empty());
    }

    #[test]
    fn institutes_and_months_are_looked_for_in_both_languages() {
        assert_eq!(texts("한빛전지연구원이 했다.", "대한전지연구소가 했다."), ["name 한빛전지연구원"]);
        assert!(texts("한빛전지연구원은 했다.", "한빛 전지연구원의 과제").is_empty());
        assert_eq!(
            texts("The Hanbit Battery Institute did it in July.", "Somebody did it."),
            ["date July", "name Hanbit Battery Institute"]
        );
        assert!(texts("It was July.", "2022년 7월이었다.").is_empty());
        assert_eq!(
            texts("The University of Port Linden built it.", "It was built."),
            ["name University of Port Linden"]
        );
    }
}
