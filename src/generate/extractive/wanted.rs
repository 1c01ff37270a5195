//! Which fields of a record a question asks for.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::cue::Cue;
use crate::text::coverage::{Coverage, term_set, whole_words};
use crate::text::fields::{self, FieldName};
use crate::text::{institutes, listing, may_be_year};

/// Words in the names of fields that do not say which field it is.
const VAGUE: &str = "project award date name total 과제 사업 일자";
/// Words in the names of fields that answer `when` …
const WHEN_FIELDS: &str = "year start end period duration 연도 시작 종료 기간";
/// … and `who`.
const WHO_FIELDS: &str =
    "institution institute organisation organization company researcher investigator 기관 책임자 업체";
const WHO: [&str; 6] = ["누가", "누구", "who ", "주관기관", "수행기관", "어느 기관"];
/// Fields whose values are names or times: those of others may stand in a question by chance.
const NAMES_AND_TIMES: [&str; 7] = ["institution", "partners", "lead", "year", "start", "end", "period"];

/// Which fields of a record a question asks for.
pub(super) struct Fields {
    question: Coverage,
    vague: HashSet<String>,
    /// Words in the names of fields that answer this question's `when` or `who`.
    telling: HashSet<String>,
    /// Known fields that it names, in whichever language.
    named: Vec<&'static FieldName>,
    /// The words of the question; none where it may ask whether they are so.
    said: Vec<String>,
}

impl Fields {
    /// `coverage` is that of the question [`without_names`].
    pub(super) fn of(question: &str, coverage: Coverage) -> Fields {
        let lower = question.to_lowercase();
        let mut telling = HashSet::new();
        if Cue::of(question) == Cue::Time {
            telling.extend(term_set(WHEN_FIELDS));
        }
        if WHO.iter().any(|w| lower.contains(w)) {
            telling.extend(term_set(WHO_FIELDS));
        }
        let names = names(question);
        let is_in_name = |at: &usize| names.iter().any(|name| name.contains(at));
        let unnamed: String = question.char_indices().map(|(at, c)| if is_in_name(&at) { ' ' } else { c }).collect();
        let said = if may_ask_whether(&lower) { Vec::new() } else { whole_words(question) };
        // `연구한 과제 목록` asks for no researcher.
        let joining = listing(question).map(|listing| listing.asking).unwrap_or_default();
        Fields {
            question: coverage.without(&joining),
            vague: term_set(VAGUE),
            telling,
            named: fields::asked(&unnamed),
            said,
        }
    }

    /// True for a field that the question names.
    pub(super) fn is_named(&self, field: &FieldName) -> bool {
        self.named.contains(&field)
    }

    /// True when the question asks for the field of this fact: by its name in either language, by at least half of its
    /// telling words, or by `when` or `who`. A name or a time that it says itself is none that it asks for.
    pub(super) fn ask_for(&self, fact: &str) -> bool {
        let Some((name, value)) = fact.split_once(": ") else { return false };
        let field = fields::field(name);
        let name: HashSet<String> = term_set(&name.replace('_', " ")).difference(&self.vague).cloned().collect();
        let by_name = field.is_some_and(|field| self.is_named(field)) || self.question.share_asked(&name) >= 0.5;
        let may_be_chance =
            || by_name && !NAMES_AND_TIMES.iter().any(|name| field.is_some() && fields::field(name) == field);
        (by_name || !name.is_disjoint(&self.telling)) && (!self.says(value) || may_be_chance())
    }

    /// True where a value stands in the question, blanks and particles aside; of figures, years only.
    fn says(&self, value: &str) -> bool {
        let is_figure = !value.contains(|c: char| c.is_alphabetic() && c != '년');
        if is_figure && !may_be_year(value.trim().trim_end_matches('년')) {
            return false;
        }
        let value = whole_words(value).concat();
        let begins = |from: usize| {
            let mut rest = value.as_str();
            for word in &self.said[from..] {
                match rest.strip_prefix(word.as_str()) {
                    Some("") => return true,
                    Some(left) => rest = left,
                    None => return false,
                }
            }
            false
        };
        (0..self.said.len()).any(begins)
    }
}

/// The coverage of a question, or of a part of one, without the words of its names: `Institute` in one asks for no institute, `2023년`
/// for no year.
pub(super) fn without_names(question: &str, coverage: &Coverage) -> Coverage {
    let names = names(question);
    coverage.reweighed(|span| f32::from(u8::from(!names.iter().any(|name| name.contains(&span.start)))))
}

/// English names of institutes, and years. Korean names cannot be told from roles (`책임연구원`).
fn names(question: &str) -> Vec<Range<usize>> {
    static YEAR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)[0-9]{4}\s?년도?|(?-u:\b)year\s+[0-9]{4}").expect("constant pattern"));
    // What stands before `Institute` where one is asked for.
    const ASKING: &str =
        "which what whose the name project lead leading host performing partner participating responsible research";
    let asks = |word: &str| ASKING.split(' ').any(|asking| word.eq_ignore_ascii_case(asking));
    // A particle touches the name: `Institute의`.
    let latin = |c: char| if c.is_ascii() { c.to_string() } else { ".".repeat(c.len_utf8()) };
    let english: String = question.chars().map(latin).collect();
    let begin = |name: &str| name.as_ptr() as usize - english.as_ptr() as usize;
    let institutes = institutes(&english).filter(|name| !name.split_whitespace().any(asks));
    let institutes = institutes.map(|name| begin(name)..begin(name) + name.len());
    institutes.chain(YEAR.find_iter(question).map(|year| year.range())).collect()
}

/// True where a question, in lower case, may ask whether what it says is so, or which of what it says: there the same words answer.
pub(super) fn may_ask_whether(question: &str) -> bool {
    const BEGINS: [&str; 17] = [
        "is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "can", "could", "will", "would",
        "should", "may", "might",
    ];
    const CHOICE: [&str; 8] = [" or ", "which of ", "either ", "whether ", "아니면", " 중 ", " 중에", "가운데"];
    const ENDS: [&str; 7] = ["가", "나", "까", "냐", "요", "지", "죠"];
    /// `주관기관은 한빛인가?` asks whether, whatever the rest of the question asks.
    const COPULA: [&str; 6] = ["인가", "인가요", "입니까", "맞나", "맞나요", "맞는가"];
    const ASKING: [&str; 12] =
        ["무엇", "뭐", "무슨", "누구", "누가", "어느", "어떤", "어떻", "어디", "언제", "얼마", "몇"];
    let words: Vec<&str> = question.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let [first, .., last] = words.as_slice() else { return false };
    // `Glazed bricks: are they safe?`
    let begins_behind_a_colon = question.split(':').skip(1).any(|clause| {
        let mut words = clause.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        words.next().is_some_and(|word| BEGINS.contains(&word))
    });
    let asks = |text: &str| ASKING.iter().any(|word| text.contains(word));
    let ends = |with: &[&str]| with.iter().any(|end| last.ends_with(end));
    BEGINS.contains(first)
        || begins_behind_a_colon
        || words.windows(2).any(|two| two[0] == "and" && BEGINS.contains(&two[1]))
        || CHOICE.iter().any(|word| question.contains(word))
        || (ends(&ENDS) && !asks(question))
        || (ends(&COPULA) && !asks(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(question: &str, fact: &str) -> bool {
        Fields::of(question, without_names(question, &Coverage::of_question(question, &[]))).ask_for(fact)
    }

    #[test]
    fn a_name_or_a_time_that_the_question_says_is_not_asked_for() {
        assert!(!asks("Who is the chairman of Tarn Ceramics?", "institution: Tarn Ceramics"));
        assert!(asks("Who is the chairman of Tarn Ceramics?", "institution: Orvik Glass"));
        assert!(!asks("한빛요업이 주관기관인 과제는?", "주관기관: 한빛 요업"));
        assert!(asks("소성로 과제의 주관기관은?", "주관기관: 한빛요업"));
        assert!(asks("한빛의 소성로 과제 주관기관은?", "주관기관: 한빛요업"), "only the beginning of it");
        assert!(!asks("2021년에 시작한 과제는?", "시작: 2021년"));
        assert!(asks("2021년 소성로 과제의 시작은?", "시작: 2021-03"));
    }

    #[test]
    fn words_and_figures_stand_in_both_by_chance() {
        assert!(asks("실증 과제의 단계는?", "단계: 실증"));
        assert!(asks("12개월 과제의 예산은?", "예산: 12"));
        assert!(asks("2000년 과제의 예산은?", "예산: 2000"));
    }

    #[test]
    fn whoever_asks_whether_it_is_so_is_told() {
        let fact = "주관기관: 한빛요업";
        for question in [
            "소성로 과제의 주관기관은 한빛요업인가?",
            "소성로 과제의 예산은 얼마이고 주관기관은 한빛요업인가?",
            "한빛요업이 소성로 과제의 주관기관이었나?",
            "한빛요업과 가온유리 중 소성로 과제의 주관기관은?",
        ] {
            assert!(asks(question, fact), "{question}");
        }
        assert!(!asks("한빛요업이 주관기관인 소성로 과제의 목표는 무엇인가?", fact));
        for question in ["Was Tarn Ceramics the institution?", "Which institution ran it, Tarn Ceramics or Orvik?"] {
            assert!(asks(question, "institution: Tarn Ceramics"), "{question}");
        }
    }

    #[test]
    fn a_field_is_not_named_by_a_part_of_a_proper_name_or_of_a_year() {
        let other = "institution: Orvik Glass";
        assert!(!asks("What did the Tarn Glass Institute find on frost?", other));
        assert!(!asks("Tarn Glass Institute의 서리 시험 결과는?", other));
        assert!(asks("Which institute worked with the Tarn Glass Institute?", other));
        assert!(asks("Which Institute found frost?", other), "no name");
        assert!(!asks("What was sold in the year 2021?", "year: 2019"));
        assert!(asks("In which year was it sold?", "year: 2019"));
        let question = "2021년 판매액은?";
        let year = crate::text::coverage::Synonyms { span: 0.."2021년".len(), others: vec!["year".into()] };
        let coverage = Coverage::of_question(question, &[year]);
        assert!(Fields::of(question, coverage.clone()).ask_for("year: 2019"));
        assert!(!Fields::of(question, without_names(question, &coverage)).ask_for("year: 2019"));
    }
}
