//! Names of the fields of records and forms, in both languages: `주관기관` and `institution` are one field.
//!
//! In: a field's name as a document writes it, or a question. Out: which field it is, how a reader of either language is shown its
//! name, and which fields a question asks for.

use super::rows;
use crate::document::Language;

/// A field that many records have.
#[derive(Debug, PartialEq)]
pub struct FieldName {
    ko: &'static str,
    en: &'static str,
    /// What documents call it: lower case, one blank between words.
    names: &'static [&'static str],
    /// What a question calls it that asks for it, beside the Korean names: beginnings of Korean words, whole English ones.
    asked: &'static [&'static str],
}

impl FieldName {
    /// What documents call it in one word: the words of longer names are too common to stand for it.
    pub fn names_joined(&self) -> String {
        self.names.iter().filter(|name| !name.contains(' ')).copied().collect::<Vec<_>>().join(" ")
    }
}

const FIELDS: [FieldName; 15] = [
    FieldName {
        ko: "주관기관",
        en: "institution",
        names: &[
            "institution",
            "host institution",
            "lead institution",
            "performing institution",
            "institute",
            "organisation",
            "organization",
            "lead partner",
            "performer",
            "coordinator",
            "주관기관",
            "주관연구기관",
            "주관연구개발기관",
            "수행기관",
            "연구기관",
            "기관명",
            "기관",
        ],
        asked: &[
            "institution",
            "institute",
            "organisation",
            "organization",
            "who runs",
            "who ran",
            "who carried out",
            "누가 수행",
        ],
    },
    FieldName {
        ko: "참여기관",
        en: "partners",
        names: &[
            "partners",
            "partner",
            "participants",
            "participating institutions",
            "참여기관",
            "공동연구기관",
            "협력기관",
        ],
        asked: &["partners", "participants"],
    },
    FieldName {
        ko: "연구책임자",
        en: "lead",
        names: &[
            "lead",
            "leader",
            "project lead",
            "project leader",
            "project manager",
            "pi",
            "principal investigator",
            "investigator",
            "책임자",
            "연구책임자",
            "과제책임자",
            "총괄책임자",
        ],
        asked: &["who leads", "who led", "project leader", "project lead", "principal investigator", "in charge"],
    },
    FieldName {
        ko: "예산",
        en: "budget",
        names: &[
            "budget",
            "total budget",
            "budget project",
            "cost",
            "total cost",
            "amount",
            "award amount",
            "funding",
            "예산",
            "비용",
            "연구비",
            "총연구비",
            "연구개발비",
            "사업비",
            "총사업비",
            "과제비",
            "지원금",
        ],
        asked: &["budget", "funding", "project cost", "cost of the project", "the project cost"],
    },
    FieldName {
        ko: "기간",
        en: "period",
        names: &[
            "period",
            "duration",
            "term",
            "project period",
            "기간",
            "연구기간",
            "과제기간",
            "사업기간",
            "수행기간",
            "연구개발기간",
        ],
        asked: &["period", "duration", "how long did the project", "how long was the project"],
    },
    FieldName {
        ko: "시작",
        en: "start",
        names: &[
            "start",
            "start date",
            "started",
            "begin",
            "begin date",
            "start year",
            "시작",
            "시작일",
            "착수",
            "착수일",
            "개시일",
        ],
        asked: &["start date", "started", "begin", "began"],
    },
    FieldName {
        ko: "종료",
        en: "end",
        names: &["end", "end date", "ended", "finish", "completion", "종료", "종료일", "완료일"],
        asked: &["ended", "finished", "끝난", "끝났"],
    },
    FieldName { ko: "연도", en: "year", names: &["year", "연도", "년도"], asked: &["which year", "what year"] },
    FieldName {
        ko: "단계",
        en: "stage",
        names: &["stage", "trl", "technology readiness level", "단계", "기술성숙도"],
        asked: &["trl", "technology readiness"],
    },
    FieldName { ko: "상태", en: "status", names: &["status", "상태", "진행상태", "진행 상태"], asked: &[] },
    FieldName {
        ko: "사업",
        en: "programme",
        names: &["program", "programme", "funding programme", "사업", "사업명", "세부사업명"],
        asked: &["programme", "funding program"],
    },
    FieldName {
        ko: "과제번호",
        en: "project number",
        names: &["project id", "project no", "project number", "award id", "award number", "과제번호", "과제고유번호"],
        asked: &["project number", "project id", "award number"],
    },
    FieldName { ko: "과제명", en: "title", names: &["title", "project title", "과제명", "제목"], asked: &[] },
    FieldName {
        ko: "약칭",
        en: "acronym",
        names: &["acronym", "project acronym", "약칭", "약어"],
        asked: &["acronym"],
    },
    FieldName {
        ko: "핵심어",
        en: "keywords",
        names: &["keywords", "keyword", "핵심어", "키워드"],
        asked: &["keywords"],
    },
];

/// Units that stand at the end of a field's name.
const UNITS: [(&str, &str, &str); 9] = [
    ("mkrw", "백만 원", "million KRW"),
    ("krw", "원", "KRW"),
    ("keur", "천 유로", "thousand EUR"),
    ("meur", "백만 유로", "million EUR"),
    ("eur", "유로", "EUR"),
    ("kusd", "천 달러", "thousand USD"),
    ("musd", "백만 달러", "million USD"),
    ("usd", "달러", "USD"),
    ("months", "개월", "months"),
];

/// The field that a document calls `name`, a unit in brackets aside.
pub fn field(name: &str) -> Option<&'static FieldName> {
    let plain = plain(name.split('(').next().unwrap_or_default());
    FIELDS.iter().find(|f| f.names.contains(&without_unit(&plain).0))
}

/// The name as a reader is shown it; one that is not known as it is.
pub fn shown(name: &str, language: Language) -> String {
    let plain = plain(name);
    let (bare, unit) = without_unit(&plain);
    let Some(field) = FIELDS.iter().find(|f| f.names.contains(&bare)) else { return name.to_owned() };
    // Who reads the language of the document is shown its own word.
    let is_korean = bare.contains(|c: char| ('가'..='힣').contains(&c));
    let (own, unit) = match language {
        Language::Ko => (if is_korean { bare } else { field.ko }, unit.map(|u| u.1)),
        Language::En | Language::Other => (if is_korean { field.en } else { bare }, unit.map(|u| u.2)),
    };
    unit.map_or_else(|| own.to_owned(), |unit| format!("{own} ({unit})"))
}

/// A fact `name: value` with its name as a reader is shown it; `None` for any other text.
pub fn shown_fact(text: &str, language: Language) -> Option<String> {
    let (name, value) = text.split_once(": ")?;
    field(name)?;
    Some(format!("{}: {value}", shown(name.trim(), language)))
}

/// Everything that documents call those of `wanted` that a text gives, in a line of facts, a row of names and values, or a line of its
/// own: what a question may say in another language, or in another word.
pub fn names_in(text: &str, wanted: &[&'static FieldName]) -> String {
    let fact = |piece: &str| piece.split_once(": ").and_then(|(name, _)| field(name));
    let of_line = |line: &str| -> Vec<&'static FieldName> {
        let pairs = rows::pairs(line).unwrap_or_default().into_iter().filter_map(|(name, _)| field(name));
        pairs.chain(line.split(" | ").filter_map(fact)).collect()
    };
    let given: Vec<&FieldName> = if wanted.is_empty() { Vec::new() } else { text.lines().flat_map(of_line).collect() };
    wanted.iter().filter(|field| given.contains(field)).map(|field| field.names_joined()).collect::<Vec<_>>().join(" ")
}

/// `name: value; name: value` with the names that `text` has for these fields and values, as a form, a row or a record writes them;
/// `None` where it does not have one of them.
pub fn as_written(fact: &str, text: &str) -> Option<String> {
    let one = |piece: &str| {
        let (name, value) = piece.split_once(": ")?;
        let wanted = field(name)?;
        let written = text.match_indices(value.trim()).find_map(|(at, found)| {
            let after = text[at + found.len()..].trim_start_matches(' ');
            if !(after.is_empty() || after.starts_with(['|', '\n'])) {
                return None;
            }
            let before = text[..at].trim_end_matches([' ', '|', ':']);
            let name = before.rsplit(['\n', '|']).next().unwrap_or_default().trim();
            field(name).filter(|found| *found == wanted).map(|_| name)
        })?;
        Some(format!("{written}: {value}"))
    };
    fact.split("; ").map(one).collect::<Option<Vec<_>>>().map(|all| all.join("; "))
}

/// The fields that a question asks for. A period is also its start and its end.
pub fn asked(question: &str) -> Vec<&'static FieldName> {
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let spaced = format!(" {} ", words.join(" "));
    let named = |f: &&FieldName| {
        let korean = f.names.iter().chain(f.asked).filter(|n| n.contains(|c: char| ('가'..='힣').contains(&c)));
        let mut korean = korean.filter(|n| n.chars().count() > 1);
        korean.any(|n| spaced.contains(&format!(" {n}"))) || f.asked.iter().any(|n| spaced.contains(&format!(" {n} ")))
    };
    let mut found: Vec<&FieldName> = FIELDS.iter().filter(named).collect();
    if found.iter().any(|f| f.en == "period") {
        found.extend(FIELDS.iter().filter(|f| ["start", "end"].contains(&f.en)));
    }
    found
}

/// Lower case, words apart: `budget_mkrw` is `budget mkrw`, `연구 책임자` stays as it is.
fn plain(name: &str) -> String {
    let marks = |c: char| !c.is_alphanumeric();
    name.to_lowercase().split(marks).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

fn without_unit(plain: &str) -> (&str, Option<&'static (&'static str, &'static str, &'static str)>) {
    let unit = plain.rsplit_once(' ').and_then(|(bare, last)| Some((bare, UNITS.iter().find(|u| u.0 == last)?)));
    unit.map_or((plain, None), |(bare, unit)| (bare, Some(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(question: &str) -> Vec<&'static str> {
        asked(question).into_iter().map(|f| f.en).collect()
    }

    #[test]
    fn one_field_has_names_in_both_languages() {
        assert_eq!(field("institution"), field("주관기관"));
        assert_eq!(field("budget_mkrw"), field("연구비"));
        assert_eq!(field("Start date"), field("착수일"));
        assert!(field("pressure").is_none() && field("").is_none());
    }

    #[test]
    fn a_reader_is_shown_the_name_in_his_language_with_its_unit() {
        assert_eq!(shown("budget_mkrw", Language::Ko), "예산 (백만 원)");
        assert_eq!(shown("budget_mkrw", Language::En), "budget (million KRW)");
        assert_eq!(shown("주관기관", Language::En), "institution");
        assert_eq!(shown("수행기관", Language::Ko), "수행기관");
        assert_eq!(shown_fact("institution: 한빛", Language::Ko).as_deref(), Some("주관기관: 한빛"));
        assert_eq!(shown_fact("Result: it held.", Language::Ko), None);
    }

    #[test]
    fn a_fact_is_found_as_its_document_writes_it() {
        let record = "id: HD-1 | institution: 한빛 | budget_mkrw: 870";
        assert_eq!(as_written("예산 (백만 원): 870", record).as_deref(), Some("budget_mkrw: 870"));
        assert_eq!(as_written("예산 (백만 원): 87", record), None);
        assert_eq!(as_written("연구책임자: 한빛", record), None);
        let form = "| 주관기관 | 한빛 |\n| 기간 | 2021 |";
        assert_eq!(as_written("institution: 한빛; period: 2021", form).as_deref(), Some("주관기관: 한빛; 기간: 2021"));
        assert_eq!(as_written("It held.", form), None);
    }

    #[test]
    fn a_text_is_searched_for_the_fields_that_are_asked_for_by_all_their_names() {
        let asked = asked("막 과제의 연구책임자는?");
        assert!(names_in("id: P1 | lead: 정하늘 | budget: 3", &asked).contains("연구책임자"));
        assert!(!names_in("id: P1 | lead: 정하늘 | budget: 3", &asked).contains("예산"));
        assert!(names_in("| 책임자 | 정하늘 |", &asked).contains("lead"));
        assert_eq!(names_in("Lead was found in the water.", &asked), "");
    }

    #[test]
    fn a_question_asks_for_fields_by_their_names() {
        assert_eq!(names("수계 전환 과제의 비용과 주관기관은?"), ["institution", "budget"]);
        assert_eq!(names("과제 기간은?"), ["period", "start", "end"]);
        assert_eq!(names("연구책임자는 누구인가?"), ["lead"]);
        assert_eq!(names("What is the budget and who leads SALTWAY?"), ["lead", "budget"]);
        assert!(names("How long does the cell take to charge at the start-up?").is_empty());
        assert!(names("저장기간에 따른 열화는?").is_empty());
    }
}
