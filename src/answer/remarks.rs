//! What must be said beside an answer so that it is not taken for more than it is.
//!
//! In: the question, the sentences that were let through and the passages they cite. Out: remarks, a sentence each: a figure of the
//! question that the source gives otherwise, a part of the question that no cited sentence answers, an aim where a result was asked
//! for, a table of which some rows are shown where the most or the least was asked for, a value that another document gives
//! otherwise. By form, whoever wrote the answer (a clause of the question, and another document, also by what a reader found);
//! the texts themselves are in `prompt`.

mod disagreement;
mod extreme;
mod unanswered;

use std::collections::BTreeSet;

use super::Material;
use super::reading::Asked;
use super::verify::Verified;
use crate::document::{Passage, Span};
use crate::generate::asks_for_a_figure;
use crate::prompt;
use crate::text::coverage::Coverage;
use crate::text::{
    Figure, QuestionPart, asks_for_a_result, figures, may_be_year, names_only_aims, rows, states_an_aim,
};
use disagreement::disagreements;
use extreme::compared;
use unanswered::unanswered;

/// Figures of the source that are told, at most.
const TOLD: usize = 3;

/// A sentence of an answer and the words of a passage that it cites.
struct Cited<'a> {
    claim: &'a str,
    passage: &'a Passage,
    /// Where in the passage's text they stand (bytes): what it says twice is read at the place that is cited.
    span: Span,
}

/// The remarks on an answer made of `sentences`; none where there are none.
pub(super) fn remarks(
    Asked { language, question, own_from }: Asked<'_>,
    parts: &[QuestionPart],
    coverage: &Coverage,
    &Material { passages, screened, read, .. }: &Material<'_>,
    sentences: &[Verified],
) -> Vec<String> {
    let cited: Vec<Cited<'_>> = sentences
        .iter()
        .flat_map(|sentence| sentence.quotes.iter().map(move |quote| (sentence, quote)))
        .filter_map(|(sentence, quote)| {
            let passage = passages.iter().find(|p| p.n == quote.n)?;
            Some(Cited { claim: &sentence.claim, passage, span: quote.span })
        })
        .collect();
    if cited.is_empty() {
        return Vec::new();
    }
    let own = &question[own_from..];
    let contradicted = contradicted(own, &cited).into_iter();
    let figures = contradicted.map(|(asked, given)| prompt::other_figure(language, &asked, &given));
    let unanswered = unanswered(question, parts, coverage, read, &cited);
    let parts = (!unanswered.is_empty()).then(|| prompt::unanswered(language, &unanswered));
    let aim = only_aims(own, &cited).then(|| prompt::only_an_aim(language));
    let rows = compared(own, &cited).map(|(shown, all)| prompt::rows_not_compared(language, shown, all));
    let others = read.map(|read| disagreements(language, read, &cited, passages, screened)).unwrap_or_default();
    figures.chain(parts).chain(aim.map(str::to_owned)).chain(rows).chain(others).collect()
}

impl<'a> Cited<'a> {
    fn quote(&self) -> &'a str {
        self.span.slice(&self.passage.text)
    }

    /// Title, headings and institution, as [`states_an_aim`] takes them.
    fn heading(&self) -> String {
        let institution = self.passage.metadata.institution.as_deref().unwrap_or_default();
        format!("{} > {} | {institution}", self.passage.title, self.passage.path.join(" > "))
    }

    fn is_aim(&self) -> bool {
        states_an_aim(self.quote(), &self.heading()) || names_only_aims(self.columns())
    }

    fn has_a_figure(&self) -> bool {
        self.quote().chars().any(char::is_numeric)
    }

    fn columns(&self) -> &'a str {
        let header = rows::header_of(&self.passage.text, self.span.start).or(self.passage.header.as_deref());
        header.filter(|_| rows::is_row(self.quote())).unwrap_or_default()
    }
}

/// True where a result is asked for and nothing but aims is cited: of a question that a figure answers, among the sentences that
/// hold one.
fn only_aims(question: &str, cited: &[Cited<'_>]) -> bool {
    let of_figures = asks_for_a_figure(question) && cited.iter().any(Cited::has_a_figure);
    asks_for_a_result(question) && cited.iter().filter(|c| !of_figures || c.has_a_figure()).all(Cited::is_aim)
}

/// Figures of the question that no cited passage holds, each with those that the cited sentences give in the same unit.
fn contradicted(question: &str, cited: &[Cited<'_>]) -> Vec<(String, Vec<String>)> {
    let asked: Vec<(Measure, &str)> = measures(question, true);
    let known: BTreeSet<String> = cited
        .iter()
        .flat_map(|c| {
            let p = c.passage;
            let year = p.metadata.year.map(|y| y.to_string());
            let texts =
                [&p.title, &p.text, &p.path.join(" "), p.header.as_ref().unwrap_or(&String::new())].map(|t| figures(t));
            texts.into_iter().flatten().map(|f| value(&f.digits).to_owned()).chain(year).collect::<Vec<_>>()
        })
        .collect();
    let mut out = Vec::new();
    for (measure, text) in &asked {
        let is_spelt = |words: &String| cited.iter().any(|c| words_of(&c.passage.text).any(|word| word == *words));
        if known.contains(&measure.digits) || in_words(&measure.digits).as_ref().is_some_and(is_spelt) {
            continue;
        }
        let of_same_unit = |c: &Cited<'_>| {
            let found = measures(c.quote(), false).into_iter().filter(|(m, _)| m.unit == measure.unit);
            found
                .filter(|(m, _)| asked.iter().all(|(a, _)| a != m))
                .map(|(_, text)| text.to_owned())
                .collect::<Vec<_>>()
        };
        let mut given: Vec<String> = cited.iter().flat_map(of_same_unit).collect();
        if given.is_empty() && measure.unit == YEAR {
            given = cited.iter().filter_map(|c| c.passage.metadata.year).map(|year| year.to_string()).collect();
        }
        let mut seen = BTreeSet::new();
        given.retain(|text| seen.insert(text.clone()));
        given.truncate(TOLD);
        if !given.is_empty() {
            out.push(((*text).to_owned(), given));
        }
    }
    out
}

/// A whole number below a hundred in English words: `fifteen`, `twenty-one`.
fn in_words(digits: &str) -> Option<String> {
    const ONES: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let number: usize = digits.parse().ok()?;
    match (number / 10, number % 10) {
        (0 | 1, _) => Some(ONES[number].to_owned()),
        (tens @ 2..=9, 0) => Some(TENS[tens - 2].to_owned()),
        (tens @ 2..=9, ones) => Some(format!("{}-{}", TENS[tens - 2], ONES[ones])),
        _ => None,
    }
}

/// The words of a text in lower case; those joined by a hyphen are one.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.map(|word| word.trim_matches('-').to_lowercase()).filter(|word| !word.is_empty())
}

/// A figure with its unit, to be compared.
#[derive(Clone, Debug, PartialEq)]
struct Measure {
    digits: String,
    unit: String,
}

/// The unit of a year.
const YEAR: &str = "year";

/// The figures of a text that have a unit, and years, as they stand there. Of a question only those that it states exactly:
/// `more than 80 %` is none.
fn measures(text: &str, is_question: bool) -> Vec<(Measure, &str)> {
    let mut out = Vec::new();
    for Figure { digits, unit, span } in spelt_out(text) {
        let (before, after) = (&text[..span.start], &text[span.end..]);
        // The 811 of NCM811 and the 2 of 3-2 are no measures.
        let is_code = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '/' | '_'));
        let is_year = may_be_year(&digits) && matches!(unit.as_str(), "" | "년");
        let unit = if is_year { YEAR.to_owned() } else { unit };
        let is_bound = is_question
            && (is_bounded(before, after) || (is_year && !states_a_year(before, after, &text[span.clone()])));
        if !is_code && !unit.is_empty() && !is_bound {
            out.push((Measure { digits: value(&digits).to_owned(), unit }, &text[span]));
        }
    }
    out
}

/// The digits of a figure in one spelling: `2.50` is 2.5.
fn value(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// The figures of a text, also those whose unit is written as a word.
fn spelt_out(text: &str) -> Vec<Figure> {
    let mut found = figures(text);
    for figure in found.iter_mut().filter(|f| f.unit.is_empty() && !may_be_year(&f.digits)) {
        if let Some((unit, length)) = spelt(&text[figure.span.end..]) {
            figure.unit = unit.to_owned();
            figure.span.end += length;
        }
    }
    found
}

/// A unit that is written as a word behind a figure, and the bytes up to its end.
fn spelt(after: &str) -> Option<(&'static str, usize)> {
    const WORDS: [(&str, &str, &str); 6] = [
        ("도에서", "도", "°C"),
        ("도씨", "도씨", "°C"),
        ("도일", "도", "°C"),
        ("퍼센트", "퍼센트", "%"),
        ("percent", "percent", "%"),
        ("degrees", "degrees", "°C"),
    ];
    let bare = after.trim_start_matches(' ');
    // `60 C` of a text that lost its degree sign; 2C is a rate.
    if bare.len() < after.len() && bare.starts_with('C') && !bare[1..].starts_with(|c: char| c.is_alphanumeric()) {
        return Some(("°C", after.len() - bare.len() + 1));
    }
    let (_, word, unit) = WORDS.iter().find(|(begins, ..)| bare.starts_with(begins))?;
    Some((unit, after.len() - bare.len() + word.len()))
}

/// True where a figure is a bound, not a value.
fn is_bounded(before: &str, after: &str) -> bool {
    const AFTER: [&str; 12] =
        ["이상", "이하", "초과", "미만", "이내", "넘", "을 넘", "를 넘", "보다", "까지", "부터", "or more"];
    const BEFORE: [&str; 14] = [
        "over", "above", "below", "under", "than", "least", "most", "exceed", "exceeds", "exceeded", "beyond",
        "within", "since", "until",
    ];
    let last = before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    AFTER.iter().any(|word| after.trim_start().starts_with(word)) || BEFORE.contains(&last.as_str())
}

/// True where a year is a date, not a bound: `in 2019`, `2019년에`, `the 2019 report`.
fn states_a_year(before: &str, after: &str, year: &str) -> bool {
    let last = before.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    let bounds = ["after", "before", "since", "until", "from", "between", "and", "to", "through"];
    let later = ["이후", "이전", "이래", "도 이후", "도 이전", "전에", "~", "-", "–", "에서 2"];
    let is_korean = year.ends_with('년') || after.starts_with("년");
    !bounds.contains(&last.as_str())
        && !later.iter().any(|word| after.trim_start().starts_with(word))
        && (is_korean || ["in", "of", "the", "during", "year"].contains(&last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sentence that says what it cites, at the first place where the passage has it.
    pub(super) fn cited<'a>(quote: &'a str, passage: &'a Passage) -> Cited<'a> {
        cited_at(passage.text.find(quote).unwrap(), quote, passage)
    }

    /// The same at the place that begins with this byte.
    pub(super) fn cited_at<'a>(start: usize, quote: &'a str, passage: &'a Passage) -> Cited<'a> {
        Cited { claim: quote, passage, span: Span { start, end: start + quote.len() } }
    }

    fn contradicted_by(question: &str, text: &str) -> Vec<(String, Vec<String>)> {
        let passage = Passage::whole(1, "Cells", text);
        contradicted(question, &[cited(text, &passage)])
    }

    #[test]
    fn an_aim_stands_in_place_of_a_result_only_where_no_result_is_cited() {
        let aim = Passage::whole(1, "Skin", "The project aims to last 25 hours in the rain rig.");
        let result = Passage::whole(2, "Skin", "The first pit appeared after 26.8 hours.");
        let cited = |passages: &[&Passage], question: &str| {
            let cited = passages.iter().map(|&passage| cited(&passage.text, passage));
            only_aims(question, &cited.collect::<Vec<_>>())
        };
        let question = "How many hours did the skin last in the rain rig?";
        assert!(cited(&[&aim], question));
        assert!(!cited(&[&aim, &result], question) && !cited(&[&result], question));
        assert!(!cited(&[&aim], "How many hours is the skin planned to last?"));
        let other = Passage::whole(3, "Skin", "The rig stands in Orvale.");
        assert!(cited(&[&aim, &other], question), "no sentence without a figure says how many hours");
        assert!(!cited(&[&aim, &other], "Where did the rig stand?"));
    }

    #[test]
    fn a_row_of_a_table_of_aims_is_one() {
        const QUESTION: &str = "How many hours did the skin last?";
        let row = |table: &str| {
            let passage = Passage::whole(1, "Skin", table);
            only_aims(QUESTION, &[cited(table.lines().last().unwrap(), &passage)])
        };
        assert!(row("| Item | Target |\n|---|---|\n| skin | 25 hours |"));
        assert!(!row("| Item | Target | Result |\n|---|---|---|\n| skin | 25 hours | 26.8 hours |"));
        let tables =
            "| Item | Target |\n|---|---|\n| skin | 25 hours |\n\n| Item | Result |\n|---|---|\n| skin | 25 hours |";
        let (passage, row) = (Passage::whole(1, "Skin", tables), "| skin | 25 hours |");
        assert!(only_aims(QUESTION, &[cited_at(tables.find(row).unwrap(), row, &passage)]));
        assert!(!only_aims(QUESTION, &[cited_at(tables.rfind(row).unwrap(), row, &passage)]), "the same of results");
    }

    #[test]
    fn a_figure_that_the_source_gives_otherwise_is_found_with_its_unit() {
        let told = |asked: &str, given: &str| vec![(asked.to_owned(), vec![given.to_owned()])];
        let text = "After 300 cycles at 60 °C the cells of 2021 kept 83 %.";
        assert_eq!(contradicted_by("What was kept at 90 °C?", text), told("90 °C", "60 °C"));
        assert_eq!(contradicted_by("90도에서 300회 뒤 유지율은?", text), told("90도", "60 °C"));
        assert_eq!(contradicted_by("500회 뒤 유지율은?", text), told("500회", "300 cycles"));
        assert_eq!(contradicted_by("What was kept at 60 degrees after 300 cycles?", text), []);
        assert_eq!(contradicted_by("Which cells of NCM811 kept more than 80 %?", text), [], "a code, and a bound");
        assert_eq!(contradicted_by("80 % 이상 유지한 셀은?", text), []);
        assert_eq!(contradicted_by("What happened in 2019?", "It failed in 2021."), told("2019", "2021"));
        assert_eq!(contradicted_by("What happened since 2019?", "It failed in 2021."), []);
        assert_eq!(contradicted_by("What was kept at 90 °C?", "They kept 83 %."), [], "no other temperature is given");
        let text = "The target of fifteen minutes is met; charging takes 14.2 minutes. Twenty-one cells were tried.";
        assert_eq!(contradicted_by("Was the target of 15 minutes met?", text), [], "a figure in words");
        assert_eq!(contradicted_by("Was the target of 16 minutes met?", text), told("16 minutes", "14.2 minutes"));
        assert_eq!((in_words("21").as_deref(), in_words("40").as_deref()), (Some("twenty-one"), Some("forty")));
        assert_eq!((in_words("100"), in_words("1.5")), (None, None));
        assert_eq!(contradicted_by("At 45 °C?", "| 45 | 60 °C |"), [], "a cell without a unit can carry any");
    }
}
