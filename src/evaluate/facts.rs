//! Which figures, units, dates and institutes of an answer stand in none of the passages it rests on?
//!
//! By rule, not by reading: a figure is a run of digits (thousands separators aside); its unit counts as
//! wrong only if the evidence always writes that figure with another unit; an institute is recognised by its
//! ending or its head word. It does not see a wrong statement made of right figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

/// Something an answer says that the evidence does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Invented {
    /// `figure`, `unit`, `date` or `name`.
    pub kind: &'static str,
    /// As the answer writes it.
    pub text: String,
}

const UNIT: &str = r"(%p?|℃|°C|ppm|ppb|[kMG]?Pa|[kMG]?Wh(?:/(?:kg|L|l))?|mAh(?:/(?:g|cm2))?|[kMGm]?W|[mk]?V|[mk]?A|[kMG]?Hz|[mknμµ]?m|[mkμµ]?g|[mμµ]?L|kN|°|K|bar|억\s?원|만\s?원|백만\s?원|조\s?원|원|년|개월|월|일|시간|분|초|회|배|톤|명|개|건|million|billion|years?|months?|days?|hours?|minutes?|seconds?|cycles?|times|tonnes?|won|euros?|dollars?)";

static FIGURE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"(\d+(?:[.,]\d+)*)(?:\s?{UNIT})?")).expect("constant pattern"));
static MONTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(January|February|March|April|June|July|August|September|October|November|December)\b")
        .expect("constant pattern")
});
static INSTITUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"[가-힣A-Za-z0-9]{2,}(?:연구원|연구소|연구센터|대학교|기술원|과학원|진흥원|평가원|재단|공사|공단|학회|협회)",
        r"|\b(?:The\s+)?(?:University|Institute|Ministry|Department|Academy)\s+(?:of|for)(?:\s+(?:and|the|of|for|[A-Z][\w-]*))*\s+[A-Z][\w-]*",
        r"|\b(?:[A-Z][\w&-]*\s+){1,5}(?:Institute|University|Laboratory|Laboratories|Centre|Center|Corporation|Company|Foundation|Agency|Consortium|Inc|Ltd|GmbH)\b",
    ))
    .expect("constant pattern")
});

/// What `claim` says that neither the question nor any passage of `evidence` does, without repeats.
pub fn invented(claim: &str, question: &str, evidence: &[&str]) -> Vec<Invented> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut squashed = String::new();
    for text in evidence.iter().copied().chain([question]) {
        for (figure, unit) in figures(text) {
            known.entry(figure).or_default().insert(unit);
        }
        squashed.push_str(&squash(text));
        squashed.push('\n');
    }
    let mut out = BTreeSet::new();
    for (figure, unit) in figures(claim) {
        match known.get(&figure) {
            None => drop(out.insert(Invented { kind: "figure", text: format!("{figure}{unit}") })),
            // A figure that stands somewhere without a unit (in a table, in a sum) can carry any.
            Some(units) if !unit.is_empty() && !units.contains(&unit) && !units.contains("") => {
                out.insert(Invented { kind: "unit", text: format!("{figure} {unit}") });
            }
            Some(_) => {}
        }
    }
    for month in MONTH.find_iter(claim).map(|m| m.as_str()) {
        if !squashed.contains(&month.to_lowercase()) && !names_month(month, &known) {
            out.insert(Invented { kind: "date", text: month.to_owned() });
        }
    }
    for name in INSTITUTE.find_iter(claim).map(|m| bare(m.as_str())) {
        if name.contains(|c: char| c.is_alphabetic()) && !squashed.contains(&squash(name)) {
            out.insert(Invented { kind: "name", text: name.to_owned() });
        }
    }
    out.into_iter().collect()
}

/// The figures of a text, each with its unit in one spelling ("" for none known).
fn figures(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for found in FIGURE.captures_iter(text) {
        let digits = found.get(1).map_or("", |m| m.as_str());
        let unit = found.get(2).filter(|u| ends(text, u.as_str(), u.end())).map_or("", |u| u.as_str());
        out.push((plain(digits), one_spelling(unit)));
    }
    out
}

/// `1,200` is 1200; `3,4` and `1,2,3` are lists, whose first figure stands for the rest here and there alike.
fn plain(digits: &str) -> String {
    let digits = digits.trim_end_matches(['.', ',']);
    let mut groups = digits.split(',');
    let first = groups.next().unwrap_or("");
    let thousands = groups.clone().all(|g| g.split('.').next().is_some_and(|whole| whole.len() == 3));
    if thousands { format!("{first}{}", groups.collect::<String>()) } else { digits.to_owned() }
}

/// A Latin unit must not be the beginning of a word (`5 month` is no metre).
fn ends(text: &str, unit: &str, at: usize) -> bool {
    !unit.ends_with(|c: char| c.is_ascii_alphabetic())
        || !text[at..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

fn one_spelling(unit: &str) -> String {
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    match unit.as_str() {
        "℃" | "°C" => "°C".into(),
        "년" | "year" | "years" => "년".into(),
        "개월" | "month" | "months" => "개월".into(),
        "일" | "day" | "days" => "일".into(),
        "시간" | "hour" | "hours" => "시간".into(),
        "분" | "minute" | "minutes" => "분".into(),
        "초" | "second" | "seconds" => "초".into(),
        "회" | "cycle" | "cycles" | "times" => "회".into(),
        "톤" | "tonne" | "tonnes" => "톤".into(),
        "원" | "won" => "원".into(),
        "euro" | "euros" => "euro".into(),
        "dollar" | "dollars" => "dollar".into(),
        _ => unit.replace('µ', "μ"),
    }
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

/// An English name without what only begins the sentence.
fn bare(name: &str) -> &str {
    const OPENERS: [&str; 12] =
        ["The ", "At ", "In ", "By ", "From ", "With ", "For ", "A ", "An ", "And ", "But ", "Both "];
    let mut name = name;
    while let Some(rest) = OPENERS.iter().find_map(|o| name.strip_prefix(o)) {
        name = rest.trim_start();
    }
    name
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
