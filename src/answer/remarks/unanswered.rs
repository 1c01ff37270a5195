//! The parts of a question that no cited sentence speaks of.
//!
//! In: a question that asks several things, and what its answer cites. Out: those parts, as the question has them. `예산과 특허는?`, where
//! only a budget is cited, leaves `특허`.

use std::collections::HashSet;

use super::{Cited, measures, spelt_out, value};
use crate::generate::Read;
use crate::text::coverage::{Coverage, term_set};
use crate::text::fields::FieldName;
use crate::text::width::narrowed;
use crate::text::{
    Figure, QuestionPart, asks_for_a_result, asks_for_an_aim, fields, figures, is_hangul, letters, may_be_year, rows,
};

/// Share of what a part of a question asks that the cited sentences must hold.
const PART: f32 = 0.5;
/// The same of a clause, whose verb is seldom the source's.
const CLAUSE: f32 = 0.3;

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

/// What a cited sentence says, its columns, title and headings among it, ready to be looked up.
struct Said {
    terms: HashSet<String>,
    /// In lower case, in order.
    words: Vec<String>,
    /// Without those of title and headings, which are often only numbered.
    figures: Vec<Figure>,
    is_row: bool,
}

/// A part of the question, ready to be looked for.
struct Wanted<'q> {
    /// Which, from 0.
    at: usize,
    part: &'q QuestionPart,
    text: &'q str,
    own: Coverage,
    fields: Vec<&'static FieldName>,
    /// It asks for nothing but the aim, or what came out: what answers has words of its own.
    is_general: bool,
}

/// The parts of the question, as it has them, that no cited sentence speaks of.
pub(super) fn unanswered(
    question: &str,
    all: &[QuestionPart],
    coverage: &Coverage,
    read: Option<&Read>,
    cited: &[Cited<'_>],
) -> Vec<String> {
    let said: Vec<Said> = cited.iter().map(Said::of).collect();
    let wanted: Vec<Wanted<'_>> =
        all.iter().enumerate().map(|(at, part)| Wanted::of(question, coverage, at, part)).collect();
    let says = |i: usize, part: &Wanted<'_>| part.is_said(&cited[i], &said[i], read);
    let alone = |i: usize, part: &Wanted<'_>| {
        let mut others = (0..cited.len()).filter(|other| cited[*other].claim != cited[i].claim);
        says(i, part) && !others.any(|other| says(other, part))
    };
    // What gives another part its field, or alone answers it, is not what came out.
    let is_of_another = |i: usize, part: &Wanted<'_>| {
        let mut others = wanted.iter().filter(|o| o.at != part.at && !o.is_general && !asks_for_an_aim(o.text));
        others.any(|other| other.is_named(&cited[i]) || alone(i, other))
    };
    let is_of_the_kind = |i: usize, part: &Wanted<'_>| {
        if cited[i].is_aim() {
            asks_for_an_aim(part.text)
        } else {
            asks_for_a_result(part.text) && !is_of_another(i, part)
        }
    };
    let is_missing = |part: &&Wanted<'_>| {
        let answers = |i: usize| says(i, part) || part.is_general && is_of_the_kind(i, part);
        !part.own.is_empty() && !(0..cited.len()).any(answers)
    };
    wanted.iter().filter(is_missing).map(|wanted| wanted.part.shown(question).to_owned()).collect()
}

impl<'q> Wanted<'q> {
    fn of(question: &'q str, coverage: &Coverage, at: usize, part: &'q QuestionPart) -> Wanted<'q> {
        let text = &question[part.span.clone()];
        let own = only(coverage, |at| part.span.contains(&at));
        let is_general = only(&own, |at| !is_general(word_at(question, at))).is_empty();
        Wanted { at, part, text, own, fields: fields::asked(text), is_general }
    }

    /// True where a fact or a row of names and values gives a field that the part asks for.
    fn is_named(&self, c: &Cited<'_>) -> bool {
        [c.claim, c.quote()].iter().any(|text| !fields::names_in(text, &self.fields).is_empty())
    }

    fn is_said(&self, c: &Cited<'_>, said: &Said, read: Option<&Read>) -> bool {
        // By its words a name can be found; a clause may be answered in any.
        let is_read =
            || self.part.is_clause && read.is_some_and(|read| read.answers_part(c.passage.n, c.quote(), self.at));
        self.is_spoken_of(said) || gives(self.text, c.quote()) || self.is_named(c) || is_read()
    }

    /// True where a sentence holds enough of what the part asks, in its words or their synonyms, joined or apart, and in its
    /// figures with their units.
    fn is_spoken_of(&self, said: &Said) -> bool {
        let figures = figures(self.text);
        let spelt = self.own.terms().filter(|term| is_spelt(term, &said.words)).map(str::to_owned);
        let terms: HashSet<String> = said.terms.iter().cloned().chain(spelt).collect();
        let holds_words = |own: &Coverage| own.by(&terms) >= if self.part.is_clause { CLAUSE } else { PART };
        // With unit and particle: `60도와`.
        let places: Vec<_> = figures.iter().map(|f| f.span.start..word_end(self.text, f.span.end)).collect();
        let begin = self.part.span.start;
        let rest = only(&self.own, |at| !places.iter().any(|place| place.contains(&(at - begin))));
        let holds_figures = figures.iter().all(|f| said.holds(f) || f.unit.is_empty() && holds_words(&self.own));
        if rest.is_empty() { holds_figures } else { holds_words(&rest) && (holds_figures || holds_words(&self.own)) }
    }
}

impl Said {
    fn of(c: &Cited<'_>) -> Said {
        let year = c.passage.metadata.year.map(|year| year.to_string()).unwrap_or_default();
        let text = format!("{}\n{}\n{}\n{year}", c.quote(), c.claim, c.columns().replace('_', " "));
        let in_context = format!("{text}\n{}", c.heading());
        let words = narrowed(&in_context);
        let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(letters).collect();
        let is_row = rows::is_row(c.quote());
        Said { terms: term_set(&in_context), words, figures: with_shared_units(&text), is_row }
    }

    /// True for a figure that is said, with its unit where it has one: what has none may be of any in a row, or is a year.
    fn holds(&self, asked: &Figure) -> bool {
        let is_bare = |f: &Figure| f.unit.is_empty() && (self.is_row || may_be_year(&f.digits));
        let mut same = self.figures.iter().filter(|f| value(&f.digits) == value(&asked.digits));
        same.any(|f| f.unit == asked.unit || asked.unit.is_empty() || is_bare(f))
    }
}

/// The figures of a text, each with its unit, which those of a list or a range share: `1, 3 and 5 MPa`.
fn with_shared_units(text: &str) -> Vec<Figure> {
    const JOINTS: [&str; 14] = [",", "/", "~", "-", "–", "∼", "·", "and", "or", "to", "및", "와", "과", "또는"];
    let mut found = spelt_out(text);
    for i in (1..found.len()).rev() {
        let (before, behind) = found.split_at_mut(i);
        let (figure, next) = (&mut before[i - 1], &behind[0]);
        let joint = text.get(figure.span.end..next.span.start).unwrap_or_default().trim();
        if figure.unit.is_empty() && JOINTS.contains(&joint) {
            figure.unit.clone_from(&next.unit);
        }
    }
    found
}

/// True where a part names a quantity and the sentence gives one of its kind, without its name.
fn gives(part: &str, quote: &str) -> bool {
    let lower = part.to_lowercase();
    let asked = QUANTITIES.iter().filter(|(names, _)| names.iter().any(|name| lower.contains(name)));
    let units: Vec<&str> = asked.flat_map(|(_, units)| units.iter().copied()).collect();
    !units.is_empty() && measures(quote, false).iter().any(|(m, _)| units.contains(&m.unit.as_str()))
}

/// The terms of a question that begin at one of these bytes.
fn only(coverage: &Coverage, holds: impl Fn(usize) -> bool) -> Coverage {
    coverage.reweighed(|span| f32::from(u8::from(holds(span.start))))
}

/// True for a term that stands in these words, joined or apart: `용량` in `용량유지율`, `halfcell` in `half cells`. Within a word only in
/// Korean: `ratio` is not in `operation`.
fn is_spelt(term: &str, words: &[String]) -> bool {
    const SYLLABLES: usize = 2;
    const LATIN: usize = 5;
    let bare = term.trim_start_matches('~');
    let is_korean = bare.chars().all(is_hangul);
    let is_long = bare.chars().count() >= if is_korean { SYLLABLES } else { LATIN };
    let is_apart = |from: usize| {
        let mut rest = bare;
        for word in &words[from..] {
            let is_piece = word.chars().count() >= SYLLABLES && rest.chars().count() >= SYLLABLES;
            match rest.strip_prefix(word.as_str()) {
                Some("") => return is_piece,
                Some(left) if is_piece => rest = left,
                Some(_) => return false,
                None => return is_piece && rest.len() < bare.len() && word.starts_with(rest),
            }
        }
        false
    };
    let is_within = || is_korean && words.iter().any(|word| word.contains(bare));
    is_long && bare.chars().all(char::is_alphabetic) && (is_within() || (0..words.len()).any(is_apart))
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

/// True for a word of every aim and every result, whatever it is about.
fn is_general(word: &str) -> bool {
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
    let word = word.to_lowercase();
    GENERAL.iter().any(|general| word.starts_with(general))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::tests::cited;
    use super::*;
    use crate::document::Passage;
    use crate::generate::{Evidence, GenerateError, SpanFinder, read};
    use crate::text::parts;

    /// The parts of a question that are missing where these sentences of one passage are cited.
    fn missing(question: &str, sentences: &[&str], read: Option<&Read>) -> Vec<String> {
        let passage = Passage::whole(1, "Cells", &sentences.join(" "));
        let cited = sentences.iter().map(|s| cited(s, &passage)).collect::<Vec<_>>();
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
    fn a_figure_is_spoken_of_with_its_unit_or_in_a_row_or_a_list() {
        let missing = |text: &str| missing("3 MPa와 1 MPa에서 저항은?", &[text], None);
        assert_eq!(missing("시료 1은 3.0 MPa에서 12 mΩ였다."), ["1 MPa"]);
        assert!(missing("| 시료 | 압력(MPa) |\n|---|---|\n| A | 3 |\n| B | 1 |").is_empty());
        assert!(missing("At 1 and 3 MPa it was 15 and 12 mΩ.").is_empty());
    }

    #[test]
    fn a_part_is_not_spoken_of_where_its_letters_stand_within_other_words_or_across_them() {
        let salt = "The concentration of salt was 35 g per litre.";
        assert_eq!(missing("What were the concentration and the ratio of salt?", &[salt], None), ["ratio"]);
        assert_eq!(missing("비용과 효과는?", &["유효 과제의 비용은 3억 원이다."], None), ["효과"]);
        let is_spelt = |term: &str, text: &str| is_spelt(term, &text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(is_spelt("용량유지율", "낮은 용량 유지율은") && is_spelt("selfdischarg", "the self discharge"));
        assert!(!is_spelt("수도권", "할 수 도권") && !is_spelt("ratio", "the operation"));
    }

    #[test]
    fn what_answers_another_part_is_not_what_came_out() {
        let cost = "The felt seal project cost 40 million won.";
        let question = "What were the cost and the results of the felt seal project?";
        assert_eq!(missing(question, &[cost], None), ["results"]);
        assert!(missing(question, &[cost, "The seal lasted 41 days."], None).is_empty());
        let question = "What did the felt seal project cost, and what was the result?";
        assert_eq!(missing(question, &[cost], None), ["what was the result"]);
        assert_eq!(missing("염수 과제의 예산과 성과는?", &["예산: 870"], None), ["성과"]);
        let period = ["시작: 2021-03", "종료: 2023-02"];
        assert_eq!(missing("염수 과제의 기간과 성과는?", &period, None), ["성과"]);
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
}
