//! What must be said beside an answer so that it is not taken for more than it is.
//!
//! In: the question, the sentences that were let through and the passages they cite. Out: remarks, a sentence each: a figure of the
//! question that the source gives otherwise, a part of the question that no cited sentence answers, an aim where a result was asked
//! for. By form, whoever wrote the answer (a clause of the question also by what a reader found); the texts themselves are in `prompt`.

use std::collections::{BTreeSet, HashSet};

use super::reading::Asked;
use super::verify::Verified;
use crate::document::Passage;
use crate::generate::{Read, asks_for_a_figure};
use crate::prompt;
use crate::text::coverage::{Coverage, term_set};
use crate::text::width::narrowed;
use crate::text::{
    Figure, QuestionPart, asks_for_a_result, asks_for_an_aim, fields, figures, is_hangul, letters, names_only_aims,
    rows, states_an_aim,
};

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
    read: Option<&Read>,
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
    let unanswered = unanswered(question, parts, coverage, read, &cited);
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
        states_an_aim(self.quote, &self.heading()) || names_only_aims(self.columns())
    }

    fn has_a_figure(&self) -> bool {
        self.quote.chars().any(char::is_numeric)
    }

    fn said(&self) -> Said {
        let year = self.passage.metadata.year.map(|year| year.to_string()).unwrap_or_default();
        let text = format!("{}\n{}\n{}\n{year}", self.quote, self.claim, self.columns().replace('_', " "));
        let in_context = format!("{text}\n{}", self.heading());
        Said { terms: term_set(&in_context), letters: letters(&narrowed(&in_context)), figures: figures(&text) }
    }

    fn columns(&self) -> &str {
        let at = self.passage.text.find(self.quote).unwrap_or(0);
        let is_row = rows::is_row(self.quote);
        let header = rows::header_of(&self.passage.text, at).or(self.passage.header.as_deref());
        header.filter(|_| is_row).unwrap_or_default()
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
            out.push((Measure { digits: value(&digits).to_owned(), unit }, &text[span.start..end]));
        }
    }
    out
}

/// The digits of a figure in one spelling: `2.50` is 2.5.
fn value(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
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

/// Quantities and the units they are given in.
const QUANTITIES: [(&[&str], &[&str]); 12] = [
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
    (&["무게", "중량", "질량", "weight", "mass"], &["mg", "g", "kg", "톤"]),
    (&["면적", "area"], &["mm²", "cm²", "m²"]),
    (&["출력", "전력", "power"], &["W", "mW", "kW", "MW", "GW"]),
    (&["에너지", "energy"], &["Wh", "kWh", "MWh", "GWh", "Wh/kg", "Wh/L"]),
];

/// True where a part names a quantity and the sentence gives one of its kind, without its name.
fn gives(part: &str, quote: &str) -> bool {
    let lower = part.to_lowercase();
    let asked = QUANTITIES.iter().filter(|(names, _)| names.iter().any(|name| lower.contains(name)));
    let units: Vec<&str> = asked.flat_map(|(_, units)| units.iter().copied()).collect();
    !units.is_empty() && measures(quote, false).iter().any(|(m, _)| units.contains(&m.unit.as_str()))
}

/// What a cited sentence says, its columns, title and headings among it, ready to be looked up.
struct Said {
    terms: HashSet<String>,
    /// By its letters and digits alone, whatever the blanks and hyphens between them.
    letters: String,
    /// Without those of title and headings, which are often only numbered.
    figures: Vec<Figure>,
}

/// The parts of the question, as it has them, that no cited sentence speaks of.
fn unanswered(
    question: &str,
    all: &[QuestionPart],
    coverage: &Coverage,
    read: Option<&Read>,
    cited: &[Cited<'_>],
) -> Vec<String> {
    let said: Vec<Said> = cited.iter().map(Cited::said).collect();
    let is_missing = |(at, part): &(usize, &QuestionPart)| {
        let text = &question[part.span.clone()];
        let own = only(coverage, |at| part.span.contains(&at));
        let fields = fields::asked(text);
        let gives_field = |c: &Cited<'_>| [c.claim, c.quote].iter().any(|t| !fields::names_in(t, &fields).is_empty());
        // By its words a name can be found; a clause may be answered in any.
        let is_read =
            |c: &Cited<'_>| part.is_clause && read.is_some_and(|read| read.answers_part(c.passage.n, c.quote, *at));
        !own.is_empty()
            && !said.iter().any(|said| speaks_of(said, question, part, &own))
            && !cited.iter().any(|c| gives(text, c.quote) || gives_field(c) || is_read(c))
            && !is_of_the_kind(question, text, &own, cited)
    };
    let missing = all.iter().enumerate().filter(is_missing);
    missing.map(|(_, part)| part.shown(question).to_owned()).collect()
}

/// The terms of a question that begin at one of these bytes.
fn only(coverage: &Coverage, holds: impl Fn(usize) -> bool) -> Coverage {
    coverage.reweighed(|span| f32::from(u8::from(holds(span.start))))
}

/// True where a sentence holds enough of what a part asks: in its words or their synonyms, joined or apart, or by its figures.
fn speaks_of(said: &Said, question: &str, part: &QuestionPart, own: &Coverage) -> bool {
    let spelt = own.terms().filter(|term| is_spelt(term, &said.letters)).map(str::to_owned);
    let terms: HashSet<String> = said.terms.iter().cloned().chain(spelt).collect();
    let same = |a: &Figure, b: &Figure| {
        value(&a.digits) == value(&b.digits) && (a.unit == b.unit || a.unit.is_empty() || b.unit.is_empty())
    };
    // A figure with its unit and particle: `60도와` of what is said at 60 °C.
    let text = &question[part.span.clone()];
    let held: Vec<(usize, usize)> = figures(text)
        .into_iter()
        .filter(|figure| said.figures.iter().any(|other| same(figure, other)))
        .map(|figure| (part.span.start + figure.span.start, part.span.start + word_end(text, figure.span.end)))
        .collect();
    let rest = only(own, |at| !held.iter().any(|(from, to)| (*from..*to).contains(&at)));
    let least = if part.is_clause { CLAUSE } else { PART };
    own.by(&terms) >= least || rest.is_empty() || rest.by(&terms) >= least
}

/// True for a term whose letters stand in these, joined to others or not: `용량` in `용량유지율`.
fn is_spelt(term: &str, letters: &str) -> bool {
    const SYLLABLES: usize = 2;
    const LATIN: usize = 5;
    let bare = term.trim_start_matches('~');
    let least = if bare.chars().all(is_hangul) { SYLLABLES } else { LATIN };
    let is_word = bare.chars().all(char::is_alphabetic);
    is_word && bare.chars().count() >= least && letters.contains(bare)
}

/// Where the letters and digits from byte `at` on end.
fn word_end(text: &str, at: usize) -> usize {
    text[at..].find(|c: char| !c.is_alphanumeric()).map_or(text.len(), |length| at + length)
}

/// The word of `text` that holds byte `at`.
fn word_at(text: &str, at: usize) -> &str {
    let before = text[..at].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    &text[at - before.len()..word_end(text, at)]
}

/// True for a part that asks for nothing but the aim, or what came out, where a sentence of that kind is cited: it has words of
/// its own.
fn is_of_the_kind(question: &str, part: &str, own: &Coverage, cited: &[Cited<'_>]) -> bool {
    const GENERAL: [&str; 17] = [
        "목표",
        "목적",
        "결과",
        "성과",
        "최종",
        "달성",
        "도달",
        "aim",
        "goal",
        "objective",
        "result",
        "outcome",
        "final",
        "reach",
        "achiev",
        "attain",
        "found",
    ];
    let is_general = |at: usize| {
        let word = word_at(question, at).to_lowercase();
        GENERAL.iter().any(|general| word.starts_with(general))
    };
    only(own, |at| !is_general(at)).is_empty()
        && (asks_for_an_aim(part) && cited.iter().any(Cited::is_aim)
            || asks_for_a_result(part) && !cited.iter().all(Cited::is_aim))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::generate::{Evidence, GenerateError, SpanFinder, read};
    use crate::text::parts;

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
        let other = Passage::whole(3, "Skin", "The rig stands in Orvale.");
        assert!(cited(&[&aim, &other], question), "no sentence without a figure says how many hours");
        assert!(!cited(&[&aim, &other], "Where did the rig stand?"));
    }

    #[test]
    fn a_row_of_a_table_of_aims_is_one() {
        let row = |table: &str| {
            let passage = Passage::whole(1, "Skin", table);
            let quote = table.lines().last().unwrap();
            only_aims("How many hours did the skin last?", &[Cited { claim: quote, quote, passage: &passage }])
        };
        assert!(row("| Item | Target |\n|---|---|\n| skin | 25 hours |"));
        assert!(!row("| Item | Target | Result |\n|---|---|---|\n| skin | 25 hours | 26.8 hours |"));
    }

    /// The parts of a question that are missing where these sentences of one passage are cited.
    fn missing(question: &str, sentences: &[&str], read: Option<&Read>) -> Vec<String> {
        let passage = Passage::whole(1, "Cells", &sentences.join(" "));
        let cited = sentences.iter().map(|s| Cited { claim: s, quote: s, passage: &passage }).collect::<Vec<_>>();
        unanswered(question, &parts(question), &Coverage::of_question(question, &[]), read, &cited)
    }

    #[test]
    fn a_part_is_spoken_of_in_another_spelling_too() {
        for (question, text) in [
            ("용량과 유지율은?", "용량유지율은 500회 뒤 83 %였다."),
            ("60도와 90도에서 유지율은?", "At 60 °C they kept 83 %, at 90 °C 41 %."),
            ("3 MPa와 1 MPa에서 저항은?", "3.0 MPa에서 12 mΩ, 1.0 MPa에서 15 mΩ였다."),
            ("예산과 책임자는?", "lead: 정하늘 | budget_mkrw: 870"),
        ] {
            assert!(missing(question, &[text], None).is_empty(), "{question}");
        }
        assert_eq!(missing("60도와 90도에서 유지율은?", &["At 60 °C they kept 83 %."], None), ["90도"]);
        assert_eq!(missing("3 MPa와 1 MPa에서 저항은?", &["3.0 MPa에서 12 mΩ였다."], None), ["1 MPa"]);
        assert_eq!(missing("예산과 특허는?", &["lead: 정하늘 | budget_mkrw: 870"], None), ["특허"]);
    }

    #[test]
    fn aim_and_result_are_spoken_of_by_sentences_of_that_kind() {
        let (aim, result) = ("수명 500회를 얻고자 한다.", "500회에서 83 %를 유지하였다.");
        let question = "목표는 무엇인가? 결과는?";
        assert!(missing(question, &[aim, result], None).is_empty());
        assert_eq!(missing(question, &[aim], None), ["결과는"]);
        assert_eq!(missing(question, &[result], None), ["목표는 무엇인가"]);
        let question = "What were the aim and the result of the cell project?";
        assert_eq!(missing(question, &["We hope to cut the loss to 3 %."], None), ["result"]);
        assert!(missing(question, &["We hope to cut the loss to 3 %.", "It was 4 %."], None).is_empty());
    }

    /// Finds these words wherever they stand, and is sure of it.
    struct Finds(&'static str);

    impl SpanFinder for Finds {
        fn find(&self, _: &str, sentences: &[(&str, &str)]) -> Result<Vec<(Range<usize>, f32)>, GenerateError> {
            let place = |text: &str| text.find(self.0).map_or((0..0, -9.0), |at| (at..at + self.0.len(), 9.0));
            Ok(sentences.iter().map(|&(_, text)| place(text)).collect())
        }
    }

    #[test]
    fn a_clause_that_is_answered_in_other_words_is_spoken_of_where_a_reader_says_so() {
        let question = "How thick is the felt, and why did the seal fail?";
        let sentences = ["The felt is 2 mm thick.", "Moisture crept below the lid."];
        assert_eq!(missing(question, &sentences, None), ["why did the seal fail"]);
        let text = sentences.join(" ");
        let evidence = [Evidence { n: 1, heading: "Cells".into(), text: &text, header: None }];
        let coverage = Coverage::of_question(question, &[]);
        let read = read(&Finds("Moisture"), (question, question), &parts(question), &coverage, &evidence).unwrap();
        assert!(missing(question, &sentences, Some(&read)).is_empty());
        assert_eq!(missing(question, &sentences[..1], Some(&read)), ["why did the seal fail"], "it is not cited");
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
