//! Restrictions that a question states in words: "projects since 2021", "2019년 이후 과제", "KIST가 수행한 과제".
//!
//! In: a question and the institutions of the index. Out: years and institutions to filter by. Only a question that asks for
//! *documents* restricts: "How did prices change since 2021?" may be answered by a report of 2019 as well as by one of 2024.

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
/// What follows the name of who did it.
static DONE_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\s*(이|가|에서|의|은|는)?\s*(한|낸|쓴|수행|개발|연구|제안|출원|발표|작성|주관|참여|과제|논문|특허|보고서)",
    )
});
/// What stands before it.
static DONE_EN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(by|from|of|at)\s+(the\s+)?$"));

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
}

impl Restrictions {
    pub(super) fn is_empty(&self) -> bool {
        *self == Restrictions::default()
    }
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
pub(super) fn restrictions(question: &str, institutions: &[String]) -> Restrictions {
    if !asks_for_documents(question) {
        return Restrictions::default();
    }
    let mut found = Restrictions::default();
    if let Some((from, to)) = years(&BETWEEN, question).and_then(|y| Some((*y.first()?, *y.get(1)?))) {
        (found.year_from, found.year_to) = (Some(from.min(to)), Some(from.max(to)));
    } else {
        let one = |pattern: &Regex| years(pattern, question).and_then(|y| y.first().copied());
        found.year_from = one(&SINCE).or(one(&AFTER).map(|y| y + 1));
        found.year_to = one(&UNTIL).or(one(&BEFORE).map(|y| y - 1));
    }
    found.institutions = institutions.iter().filter(|name| did(question, name)).cloned().collect();
    found
}

/// The years of the first match.
fn years(pattern: &Regex, question: &str) -> Option<Vec<i64>> {
    let captures = pattern.captures(question)?;
    let years: Vec<i64> = captures.iter().skip(1).flatten().filter_map(|m| m.as_str().parse().ok()).collect();
    years.iter().all(|y| (1900..=2100).contains(y)).then_some(years)
}

/// True where the question says that this institution did the work.
fn did(question: &str, institution: &str) -> bool {
    let (question, name) = (question.to_lowercase(), institution.trim().to_lowercase());
    // An institution is also known by the short name in its brackets: Korea Institute … (KIST).
    let short = name.rsplit_once('(').map(|(_, s)| s.trim_end_matches([')', ' ']).to_owned());
    let long = name.split('(').next().unwrap_or_default().trim().to_owned();
    [Some(long), short].into_iter().flatten().filter(|n| n.chars().count() >= 2).any(|name| {
        super::word_places(&question, &name)
            .any(|(before, after)| DONE_KO.is_match(after) || DONE_EN.is_match(before) || after.starts_with("'s "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn who_did_it_is_an_institution_of_the_index() {
        let known =
            ["한빛전지연구원".to_owned(), "Korea Institute of Science (KIST)".to_owned(), "Northgate".to_owned()];
        let who = |question: &str| restrictions(question, &known).institutions;
        assert_eq!(who("한빛전지연구원이 수행한 과제는?"), ["한빛전지연구원"]);
        assert_eq!(who("KIST가 한 수소 과제"), ["Korea Institute of Science (KIST)"]);
        assert_eq!(who("Projects on sealing by Northgate"), ["Northgate"]);
        assert!(who("Which projects cite Northgate as a competitor?").is_empty());
        assert!(who("한빛전지연구원 파일럿 셀의 용량은?").is_empty());
        assert!(who("patents by Northgates").is_empty());
    }
}
