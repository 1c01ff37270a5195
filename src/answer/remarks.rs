//! What must be said beside an answer so that it is not taken for more than it is.
//!
//! In: the question, the sentences that were let through and the passages they cite. Out: remarks, a sentence each: a figure of the
//! question that the source gives otherwise, a part of the question that no cited sentence answers, an aim where a result was asked
//! for. By form, whoever wrote the answer; the texts themselves are in `prompt`.

use std::collections::BTreeSet;

use super::reading::Asked;
use super::verify::Verified;
use crate::document::Passage;
use crate::prompt;
use crate::text::coverage::{Coverage, term_set};
use crate::text::{Figure, QuestionPart, asks_for_a_result, fields, figures, rows, states_an_aim};

/// Share of what a part of a question asks that the cited sentences must hold.
const PART: f32 = 0.5;
/// The same of a clause, whose verb is seldom the source's.
const CLAUSE: f32 = 0.3;
/// Figures of the source that are told, at most.
const TOLD: usize = 3;

/// A sentence of an answer and a passage that it cites.
struct Cited<'a> {
    claim: &'a str,
    quote: &'a str,
    passage: &'a Passage,
}

/// The remarks on an answer made of `sentences`; none where there are none.
pub(super) fn remarks(
    Asked { language, question, own_from }: Asked<'_>,
    parts: &[QuestionPart],
    coverage: &Coverage,
    sentences: &[Verified],
    passages: &[Passage],
) -> Vec<String> {
    let cited: Vec<Cited<'_>> = sentences
        .iter()
        .flat_map(|sentence| sentence.quotes.iter().map(move |quote| (sentence, quote)))
        .filter_map(|(sentence, quote)| {
            let passage = passages.iter().find(|p| p.n == quote.n)?;
            Some(Cited { claim: &sentence.claim, quote: quote.span.slice(&passage.text), passage })
        })
        .collect();
    if cited.is_empty() {
        return Vec::new();
    }
    let own = &question[own_from..];
    let contradicted = contradicted(own, &cited).into_iter();
    let figures = contradicted.map(|(asked, given)| prompt::other_figure(language, &asked, &given));
    let unanswered = unanswered(question, parts, coverage, &cited);
    let parts = (!unanswered.is_empty()).then(|| prompt::unanswered(language, &unanswered));
    let aim = only_aims(own, &cited).then(|| prompt::only_an_aim(language));
    figures.chain(parts).chain(aim.map(str::to_owned)).collect()
}

impl Cited<'_> {
    /// Title, headings and institution, as [`states_an_aim`] takes them.
    fn heading(&self) -> String {
        let institution = self.passage.metadata.institution.as_deref().unwrap_or_default();
        format!("{} > {} | {institution}", self.passage.title, self.passage.path.join(" > "))
    }

    fn is_aim(&self) -> bool {
        states_an_aim(self.quote, &self.heading())
    }

    fn columns(&self) -> &str {
        let at = self.passage.text.find(self.quote).unwrap_or(0);
        let is_row = rows::is_row(self.quote);
        let header = rows::header_of(&self.passage.text, at).or(self.passage.header.as_deref());
        header.filter(|_| is_row).unwrap_or_default()
    }
}

/// True where a result is asked for and nothing but aims is cited.
fn only_aims(question: &str, cited: &[Cited<'_>]) -> bool {
    asks_for_a_result(question) && cited.iter().all(Cited::is_aim)
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
            texts.into_iter().flatten().map(|f| f.digits).chain(year).collect::<Vec<_>>()
        })
        .collect();
    let mut out = Vec::new();
    for (measure, text) in &asked {
        if known.contains(&measure.digits) {
            continue;
        }
        let of_same_unit = |c: &Cited<'_>| {
            let found = measures(c.quote, false).into_iter().filter(|(m, _)| m.unit == measure.unit);
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
    for Figure { digits, unit, span } in figures(text) {
        let (before, after) = (&text[..span.start], &text[span.end..]);
        // The 811 of NCM811 and the 2 of 3-2 are no measures.
        let is_code = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '/' | '_'));
        let is_year =
            digits.parse().is_ok_and(|y: u32| (1900..2100).contains(&y)) && matches!(unit.as_str(), "" | "년");
        let (unit, end) = match unit.as_str() {
            _ if is_year => (YEAR.to_owned(), span.end),
            "" => spelt(after).map_or((String::new(), span.end), |(unit, length)| (unit.to_owned(), span.end + length)),
            _ => (unit, span.end),
        };
        let is_bound = is_question
            && (is_bounded(before, after) || (is_year && !states_a_year(before, after, &text[span.clone()])));
        if !is_code && !unit.is_empty() && !is_bound {
            out.push((Measure { digits, unit }, &text[span.start..end]));
        }
    }
    out
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

/// The known fields that a fact or a row of a form names.
fn named_fields(claim: &str) -> Vec<&'static fields::FieldName> {
    let pairs = rows::pairs(claim).unwrap_or_default().into_iter().map(|(name, _)| name);
    pairs.chain(claim.split_once(": ").map(|(name, _)| name)).filter_map(fields::field).collect()
}

/// Quantities and the units they are given in.
const QUANTITIES: [(&[&str], &[&str]); 8] = [
    (&["농도", "concentration"], &["ppm", "ppb", "%", "mg", "g"]),
    (&["온도", "수온", "temperature"], &["°C", "K"]),
    (&["압력", "pressure"], &["Pa", "kPa", "MPa", "GPa", "bar"]),
    (&["시간", "기간", "time", "duration"], &["초", "분", "시간", "일", "개월", "년"]),
    (&["두께", "길이", "폭", "thickness", "length", "width"], &["nm", "μm", "mm", "cm", "m", "km"]),
    (
        &["비용", "가격", "단가", "예산", "cost", "price", "budget"],
        &["원", "만원", "억원", "백만원", "euro", "dollar", "million"],
    ),
    (&["용량", "capacity"], &["mAh", "Ah", "A", "Wh", "kWh", "MWh", "mAh/g", "L"]),
    (&["전압", "voltage"], &["V", "mV", "kV"]),
];

/// True where a part names a quantity and the sentence gives one of its kind, without its name.
fn gives(part: &str, quote: &str) -> bool {
    let lower = part.to_lowercase();
    let asked = QUANTITIES.iter().filter(|(names, _)| names.iter().any(|name| lower.contains(name)));
    let units: Vec<&str> = asked.flat_map(|(_, units)| units.iter().copied()).collect();
    !units.is_empty() && measures(quote, false).iter().any(|(m, _)| units.contains(&m.unit.as_str()))
}

/// The parts of the question, as it has them, that no cited sentence speaks of.
fn unanswered(question: &str, all: &[QuestionPart], coverage: &Coverage, cited: &[Cited<'_>]) -> Vec<String> {
    let said: Vec<_> = cited
        .iter()
        .map(|c| {
            let columns = c.columns().replace('_', " ");
            term_set(&format!("{}\n{}\n{columns}\n{}", c.quote, c.claim, c.heading()))
        })
        .collect();
    let own = |part: &QuestionPart| {
        coverage.reweighed(|span| f32::from(u8::from(part.span.start <= span.start && span.end <= part.span.end)))
    };
    let owns: Vec<Coverage> = all.iter().map(own).collect();
    let is_named = |part: &QuestionPart| {
        let asked = fields::asked(&question[part.span.clone()]);
        cited.iter().flat_map(|c| named_fields(c.claim)).any(|field| asked.contains(&field))
    };
    let missing = all.iter().zip(&owns).filter(|(part, own)| {
        !own.is_empty()
            && !is_named(part)
            && said.iter().all(|in_context| own.by(in_context) < if part.is_clause { CLAUSE } else { PART })
            && !cited.iter().any(|c| gives(&question[part.span.clone()], c.quote))
    });
    missing.map(|(part, _)| part.shown(question).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contradicted_by(question: &str, text: &str) -> Vec<(String, Vec<String>)> {
        let passage = Passage::whole(1, "Cells", text);
        contradicted(question, &[Cited { claim: text, quote: text, passage: &passage }])
    }

    #[test]
    fn an_aim_stands_in_place_of_a_result_only_where_no_result_is_cited() {
        let aim = Passage::whole(1, "Skin", "The project aims to last 25 hours in the rain rig.");
        let result = Passage::whole(2, "Skin", "The first pit appeared after 26.8 hours.");
        let cited = |passages: &[&Passage], question: &str| {
            let cited = passages.iter().map(|&passage| Cited { claim: &passage.text, quote: &passage.text, passage });
            only_aims(question, &cited.collect::<Vec<_>>())
        };
        let question = "How many hours did the skin last in the rain rig?";
        assert!(cited(&[&aim], question));
        assert!(!cited(&[&aim, &result], question) && !cited(&[&result], question));
        assert!(!cited(&[&aim], "How many hours is the skin planned to last?"));
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
        assert_eq!(contradicted_by("At 45 °C?", "| 45 | 60 °C |"), [], "a cell without a unit can carry any");
    }
}
