//! Restrictions that a question states in words: "projects since 2021", "2019년 이후 과제", "KIST가 수행한 과제".
//!
//! In: a question and the institutions of the index. Out: years and institutions to filter by. Only a question that asks for
//! *documents* restricts: "How did prices change since 2021?" may be answered by a report of 2019 as well as by one of 2024.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

static DOCUMENTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(projects?|studies|papers?|patents?|reports?|calls|awards?|grants?|proposals?|documents?|publications?|research)\b|과제|논문|특허|보고서|공고|문헌|문서|프로젝트|연구(는|를|가|들|의|에는|\s|,|\?|$)",
    )
});
static SINCE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\bsince\s+(\d{4})\b|(\d{4})\s*년도?\s*(?:이후|이래|부터)"));
static AFTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:after|later than)\s+(\d{4})\b"));
static UNTIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:until|up to|no later than)\s+(\d{4})\b|(\d{4})\s*년도?\s*(?:이전|까지)"));
static BEFORE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:before|earlier than)\s+(\d{4})\b|(\d{4})\s*년도?\s*전(?:에|의|\s)"));
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:between|from)\s+(\d{4})\s*(?:and|to|through|until|-|–|~)\s*(\d{4})\b|(\d{4})\s*년?\s*(?:부터|에서|~|–|-)\s*(\d{4})\s*년",
    )
});
/// What follows the name of who did it: after a particle or a blank, for `누리` is not `누리연구소`.
static DONE_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^['’”)]?(?:(?:이|가|에서|의|은|는)\s*|\s+)(?:(?:19|20)\d{2}\s*년도?\s*(?:이후|이래|부터|이전|까지)?에?\s*|지금까지\s*|그동안\s*|최근\s*)?",
        r"(?:(?:한|낸|쓴|했던|해\s?온)\s|(?:수행|개발|제안|출원|발표|작성|주관|제출|진행|추진)|연구(?:한|하|했|된|\s*과제|를|는|가|\s|,|\?|$)",
        r"|(?:어떤|무슨|몇)\s|과제|프로젝트|논문|특허|보고서|공고|문서|제안서)",
    ))
});
/// What stands before it.
static DONE_EN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(by|from|of|at)\s+(the\s+)?$"));
/// What stands around it in a question for its works: `What projects did … run?`
static ASKED_EN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(did|does|do|has|have)\s+(the\s+)?$"));
static ASKED_VERB_EN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s+((already\s+)?(run|done|do|carry|carried|conduct|conducted|lead|led|publish|published|file|filed|have|hold|held|finish|finished)\b)",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// What a question restricts itself to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Restrictions {
    /// First year.
    pub(super) year_from: Option<i64>,
    /// Last year.
    pub(super) year_to: Option<i64>,
    /// Names as the index has them.
    pub(super) institutions: Vec<String>,
    /// Where the question says so (bytes).
    pub(super) said: Vec<Range<usize>>,
    /// It names an institution of the index otherwise than as who did the work.
    pub(super) names_another: bool,
}

/// An institution of the index.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// As the index has it.
    pub(super) name: String,
    /// What the sector calls it besides.
    pub(super) others: Vec<String>,
}

/// True for a question that asks for documents: only then is it worth looking at the institutions of the index.
pub(super) fn asks_for_documents(question: &str) -> bool {
    DOCUMENTS.is_match(question)
}

/// True for what begins as a question does: `Which Institute` is no name.
pub(super) fn asks(name: &str) -> bool {
    const ASKING: [&str; 12] =
        ["which", "what", "who", "when", "where", "why", "how", "does", "did", "do", "is", "are"];
    name.split_whitespace().next().is_some_and(|first| ASKING.contains(&first.to_lowercase().as_str()))
}

/// What `question` restricts itself to; nothing where it does not ask for documents.
pub(super) fn restrictions(question: &str, institutions: &[Known]) -> Restrictions {
    if !asks_for_documents(question) {
        return Restrictions::default();
    }
    restrictions_of(question, institutions)
}

fn restrictions_of(question: &str, institutions: &[Known]) -> Restrictions {
    let mut found = Restrictions::default();
    let mut said = Vec::new();
    if let Some((between, place)) = years(&BETWEEN, question)
        && let [from, to] = between[..]
    {
        (found.year_from, found.year_to) = (Some(from.min(to)), Some(from.max(to)));
        said.push(place);
    } else {
        let mut one = |pattern: &Regex| {
            let (years, place) = years(pattern, question)?;
            said.push(place);
            years.first().copied()
        };
        found.year_from = one(&SINCE).or_else(|| one(&AFTER).map(|y| y + 1));
        found.year_to = one(&UNTIL).or_else(|| one(&BEFORE).map(|y| y - 1));
    }
    let names = named(question, institutions);
    for (i, known) in institutions.iter().enumerate() {
        if names.iter().any(|named| named.institution == i && named.is_who) {
            found.institutions.push(known.name.clone());
        }
    }
    said.extend(names.iter().filter(|named| named.is_who).map(|named| named.place.clone()));
    // Two institutions may have one name: the place is known then.
    found.names_another = names.iter().any(|named| !said.contains(&named.place));
    found.said = said;
    found
}

/// The same of a question for a list, which may also mean one year.
pub(super) fn of_list(question: &str, institutions: &[Known]) -> Restrictions {
    let mut found = restrictions_of(question, institutions);
    if found.year_from.is_none()
        && found.year_to.is_none()
        && let Some((year, place)) = one_year(question)
    {
        (found.year_from, found.year_to) = (Some(year), Some(year));
        found.said.push(place);
    }
    found
}

/// The one year that a question for a list means (`in 2018`, `2023년 과제`), and where it says it.
fn one_year(question: &str) -> Option<(i64, Range<usize>)> {
    static IN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)\b(?:in|from|of|during)\s+(\d{4})\b|\b(\d{4})\s*년도?(?:에|의)?(?:\s|$)"));
    let (years, place) = years(&IN, question)?;
    Some((*years.first()?, place))
}

/// The years of the first match, and where it stands.
fn years(pattern: &Regex, question: &str) -> Option<(Vec<i64>, Range<usize>)> {
    let captures = pattern.captures(question)?;
    let years: Vec<i64> = captures.iter().skip(1).flatten().filter_map(|m| m.as_str().parse().ok()).collect();
    let place = captures.get(0)?.range();
    years.iter().all(|y| (1900..=2100).contains(y)).then_some((years, place))
}

/// A place where a question names an institution.
struct Named {
    /// Which of those known.
    institution: usize,
    place: Range<usize>,
    /// The question says that it did the work.
    is_who: bool,
}

/// Where `question` names which of these institutions; of a name within a longer one only the longer.
fn named(question: &str, institutions: &[Known]) -> Vec<Named> {
    let lower = question.to_lowercase();
    let is_who = |before: &str, after: &str| {
        DONE_KO.is_match(after)
            || DONE_EN.is_match(before)
            || after.starts_with("'s ")
            || (ASKED_EN.is_match(before) && ASKED_VERB_EN.is_match(after))
    };
    let places = |institution: usize, form: &str| {
        let found = super::word_places(&lower, form).map(|(before, after)| Named {
            institution,
            place: before.len()..before.len() + form.len(),
            is_who: is_who(before, after),
        });
        found.collect::<Vec<_>>()
    };
    let forms: Vec<(usize, String)> =
        institutions.iter().enumerate().flat_map(|(i, known)| known.forms().into_iter().map(move |f| (i, f))).collect();
    let mut all: Vec<Named> = forms.iter().flat_map(|(i, form)| places(*i, form)).collect();
    // `Brackwater` for `Brackwater Institute`, where no other institution begins so and it is written as a name.
    let forms: HashSet<&str> = forms.iter().map(|(_, form)| form.as_str()).collect();
    let mut firsts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, known) in institutions.iter().enumerate() {
        if let Some(first) = known.first_word() {
            firsts.entry(first).or_default().push(i);
        }
    }
    for (first, having) in firsts {
        let [i] = having[..] else { continue };
        if forms.contains(first.to_lowercase().as_str()) {
            continue;
        }
        let as_name = |named: &Named| question.get(named.place.clone()) == Some(first);
        all.extend(places(i, &first.to_lowercase()).into_iter().filter(as_name));
    }
    let within = |a: &Range<usize>, b: &Range<usize>| b.start <= a.start && a.end <= b.end && a != b;
    let longest: Vec<bool> = all.iter().map(|n| !all.iter().any(|other| within(&n.place, &other.place))).collect();
    all.into_iter().zip(longest).filter(|(_, is_longest)| *is_longest).map(|(named, _)| named).collect()
}

/// Words that begin many names of institutions.
const COMMON: [&str; 24] = [
    "university",
    "universita",
    "universitat",
    "universite",
    "universidad",
    "institute",
    "institut",
    "institution",
    "national",
    "korea",
    "korean",
    "technical",
    "technische",
    "centre",
    "center",
    "state",
    "royal",
    "new",
    "energy",
    "한국",
    "국립",
    "재단법인",
    "사단법인",
    "주식회사",
];

impl Known {
    /// What it is called, in lower case: without brackets and legal forms, by its abbreviation, each partner by itself.
    fn forms(&self) -> Vec<String> {
        static LEGAL: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)^(?:\(주\)|㈜|\(재\)|\(사\)|주식회사\s+|재단법인\s+|the\s+)|\s*(?:\(주\)|㈜|,?\s+(?:inc|ltd|llc|gmbh|corp|co|plc|ag|s\.?a)\.?)$",
            )
        });
        let mut forms = Vec::new();
        for name in std::iter::once(&self.name).chain(&self.others) {
            for one in name.split([';', '/']) {
                let bare = LEGAL.replace_all(one.trim(), "");
                let bare = bare.trim().to_lowercase();
                // An institution is also known by the short name in its brackets: Korea Institute … (KIST).
                let (long, short) = bare.split_once('(').unwrap_or((&bare, ""));
                forms.extend([long, short.trim_end_matches(')')].map(|form| form.trim().to_owned()));
            }
        }
        forms.retain(|form| form.chars().count() >= 2);
        forms
    }

    /// The first word of a name of several, if it is no common one.
    fn first_word(&self) -> Option<&str> {
        let (first, _) = self.name.trim().split_once(' ')?;
        let is_name = first.chars().count() > 2 && first.chars().all(char::is_alphanumeric);
        (is_name && !COMMON.contains(&&*first.to_lowercase())).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Known {
        Known { name: name.to_owned(), others: Vec::new() }
    }

    fn span(question: &str) -> (Option<i64>, Option<i64>) {
        let found = restrictions(question, &[]);
        (found.year_from, found.year_to)
    }

    #[test]
    fn years_are_read_in_both_languages() {
        assert_eq!(span("Which projects since 2021 dealt with silicon?"), (Some(2021), None));
        assert_eq!(span("papers published after 2019"), (Some(2020), None));
        assert_eq!(span("reports between 2018 and 2020 on corrosion"), (Some(2018), Some(2020)));
        assert_eq!(span("patents before 2015"), (None, Some(2014)));
        assert_eq!(span("2019년 이후 전고체 과제는?"), (Some(2019), None));
        assert_eq!(span("2018년부터 2020년까지 수행된 과제"), (Some(2018), Some(2020)));
        assert_eq!(span("2016년까지 나온 보고서"), (None, Some(2016)));
    }

    #[test]
    fn a_question_for_a_fact_restricts_nothing() {
        assert_eq!(span("How did lithium prices change since 2021?"), (None, None));
        assert_eq!(span("2019년 이후 생산량은 얼마나 늘었나?"), (None, None));
        assert_eq!(span("projects since 12021"), (None, None));
    }

    #[test]
    fn an_institution_is_known_by_the_names_that_people_use() {
        let known = [
            "Brackwater Institute",
            "Northgate Cell Works",
            "Northgate",
            "(주)다온요업",
            "누리",
            "누리연구소",
            "The University of Veld",
            "Able Works, Inc.",
            "Able Works; 누리",
        ]
        .map(known);
        let who = |question: &str| restrictions(question, &known).institutions;
        assert_eq!(who("Which projects did Brackwater run?"), ["Brackwater Institute"]);
        assert_eq!(who("Projects by Northgate Cell Works"), ["Northgate Cell Works"]);
        assert_eq!(who("Projects by Northgate"), ["Northgate"]);
        assert_eq!(who("다온요업이 수행한 과제 목록"), ["(주)다온요업"]);
        assert_eq!(who("누리연구소가 수행한 과제 목록"), ["누리연구소"]);
        assert_eq!(who("Which projects did University of Veld run?"), ["The University of Veld"]);
        assert_eq!(who("Which projects did Able Works run?"), ["Able Works, Inc.", "Able Works; 누리"]);
        assert!(who("도담전극이 참여한 과제 목록").is_empty());
        assert!(!restrictions("Projects by Northgate Cell Works", &known).names_another);
    }

    #[test]
    fn one_year_is_read_in_both_languages() {
        let year = |question: &str| one_year(question).map(|(year, _)| year);
        assert_eq!(year("Which projects ran in 2018?"), Some(2018));
        assert_eq!(year("2023년 과제 목록"), Some(2023));
        assert_eq!(year("2023년에 나온 보고서"), Some(2023));
        assert_eq!(year("projects on the 2023 standard"), None);
    }

    #[test]
    fn where_a_restriction_is_said_is_known() {
        let question = "Which projects since 2021 did Northgate run on seals?";
        let said = restrictions(question, &[known("Northgate")]).said;
        assert_eq!(said.iter().map(|at| &question[at.clone()]).collect::<Vec<_>>(), ["since 2021", "Northgate"]);
        assert!(restrictions("Which projects are there?", &[known("Northgate")]).said.is_empty());
    }

    #[test]
    fn who_did_it_is_an_institution_of_the_index() {
        let mut known = ["한빛전지연구원", "Korea Institute of Science (KIST)", "Northgate"].map(known);
        known[0].others = vec!["HBRI".into()];
        let who = |question: &str| restrictions(question, &known).institutions;
        assert_eq!(who("한빛전지연구원이 수행한 과제는?"), ["한빛전지연구원"]);
        assert_eq!(who("KIST가 한 수소 과제"), ["Korea Institute of Science (KIST)"]);
        assert_eq!(who("한빛전지연구원이 2020년 이후 한 과제는 몇 건인가?"), ["한빛전지연구원"]);
        assert_eq!(who("HBRI가 수행한 과제 목록"), ["한빛전지연구원"]);
        assert_eq!(who("‘한빛전지연구원’이 수행한 과제"), ["한빛전지연구원"]);
        assert_eq!(who("Projects on sealing by Northgate"), ["Northgate"]);
        assert_eq!(who("What projects did Northgate run since 2021?"), ["Northgate"]);
        assert!(who("Which projects does Northgate criticise?").is_empty());
        assert!(who("Which projects cite Northgate as a competitor?").is_empty());
        assert!(who("한빛전지연구원 파일럿 셀의 용량은?").is_empty());
        assert!(who("patents by Northgates").is_empty());
        let names_another = |question: &str| restrictions(question, &known).names_another;
        assert!(names_another("Which projects cite Northgate as a competitor?"));
        assert!(!names_another("Which projects did Northgate run?") && !names_another("Which projects are there?"));
    }
}
