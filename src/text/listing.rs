//! Does a question ask which documents there are (`Which projects did Northgate run since 2021?`, `건식 전극을 다룬 과제 목록`),
//! or which institutes worked on something?
//!
//! By form, in both languages. What has to be read to be known (a condition with a figure, a comparison, a denial, what became of a
//! project, who paid for it) is no such question: a list by words would be wrong there. Words that only join are a closed list; all
//! others say what the documents are about.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{figures, may_be_year};

/// What is to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Projects: whatever tells of work.
    Projects,
    /// Documents of a type, or any.
    Documents(Option<DocumentKind>),
    /// Who did the work.
    Institutions,
}

/// Types of documents that a question names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A patent or an application for one.
    Patent,
    /// A paper.
    Paper,
    /// A report.
    Report,
    /// A call for projects.
    Call,
    /// A proposal.
    Proposal,
}

/// A question for a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Of what.
    pub listed: Listed,
    /// Bytes of the question that only ask or join; what is left says of what the documents are.
    pub asking: Vec<Range<usize>>,
    /// It names who did the work (`Which projects did … run?`, `…가 수행한 과제`): a list by words would be of those that name him.
    pub names_actor: bool,
    /// Byte at which the noun ends that is asked for.
    pub noun_end: usize,
    /// `전고체 전지의 과제는?` may ask for what is still to be solved; it asks for projects where an institute is named so.
    pub may_be_problems: bool,
}

const NOUNS_EN: &str =
    "(?:projects|studies|papers|articles|patents|reports|calls|proposals|documents|publications|awards|grants)";
const NOUNS_KO: &str = "(?:연구\\s*과제|과제|프로젝트|연구|논문|특허|보고서|공고|문서|문헌|제안서)";

static OPEN_EN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        concat!(
            r"(?i)^\W*(?:(?:hi|hello|hey|please|so|and)\b\W*)*",
            r"(?:(?:can|could|would)\s+you\s+(?:please\s+)?|i(?:'d|\s+would)\s+like\s+to\s+see\s+|tell\s+me\s+)?",
            r"(?:which|what\s+are|what|how\s+many|do\s+(?:we|you)\s+have|(?:are|were)\s+there|have\s+there\s+been",
            r"|(?:list|show|name|enumerate|find|give)(?:\s+me)?(?:\s+a\s+list\s+of)?)",
            r"(?:\s+(?:all|any|every|of|the))*\s+(?P<between>(?:[\w/-]+\s+){{0,4}}?)(?P<noun>{})\b"
        ),
        NOUNS_EN
    ))
});
static WHO_EN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^\W*(?:(?:which|what)\s+(?P<between>(?:[\w/-]+\s+){0,2}?)(?:institutes|institutions|organi[sz]ations|companies|laboratories|labs|universities)",
        r"|who(?:\s+else)?)\s+(?:(?:has|have|is|are)\s+)?(?:already\s+)?(?:work(?:s|ed|ing)?\s+on|stud(?:y|ied|ies)|research(?:es|ed)?)\b"
    ))
});
/// Of these nothing stands between `which` and a noun that it describes.
const NOT_BETWEEN: [&str; 28] = [
    "of", "did", "do", "does", "was", "were", "is", "are", "has", "have", "in", "by", "that", "and", "can", "could",
    "may", "must", "should", "will", "would", "from", "to", "for", "about", "on", "the", "kind",
];

static LIST_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        concat!(
            "(?:(?:어떤|무슨)\\s*)?(?P<noun>{})(?P<several>들)?",
            "(?:의?\\s*(?P<list>목록|리스트)(?:을|를|이|은|는|좀)?(?:\\s*(?:좀\\s*)?(?:보여|알려|주|부탁|필요|정리|만들|뽑아)[가-힣\\s]*)?[\\s.?？!]*$",
            "|[을를]?\\s*(?:모두\\s*|전부\\s*|다\\s*|좀\\s*)*(?:알려|보여|나열|열거|찾아|정리|검색)[가-힣]*(?:\\s*[줘주달][가-힣\\s]*)?[\\s.?？!]*$",
            "|[은는이가]?\\s*(?:모두\\s*|전부\\s*|총\\s*)?몇\\s*(?:건|개|편)(?:인가|인지|이나|입니까|이야|야|이죠|죠|이에요|예요|있|되)?[가-힣]{{0,3}}[\\s.?？!]*$",
            "|(?:[은는이가]|에는)?\\s*(?:무엇|뭐|어떤\\s*것)(?:들)?(?:[이가]?\\s*있[가-힣]*|인가요?|인지|입니까|이야|야|예요|이에요)?[\\s.?？!]*$",
            "|[이가은는]?\\s*있(?:나|는가|습니까|어|는지|을까)[가-힣]{{0,2}}[\\s.?？!]*$",
            "|[은는]?[\\s?？]*$)"
        ),
        NOUNS_KO
    ))
});
static DONE_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        "(?:어떤|무슨)\\s*(?P<noun>{NOUNS_KO})(?:들)?[을를]\\s*(?:수행|진행|추진|연구|개발)?(?:했|하였|해\\s?왔)[가-힣]*[\\s.?？!]*$"
    ))
});
static WHO_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        "(?:연구|개발)(?:한|하는|해\\s?온|하고\\s?있는)\\s*(?:연구기관|기관|연구소|기업|회사|대학|업체)",
        "(?:들?\\s*(?:목록|리스트)|들(?:[은는이]?\\s*(?:어디|누구|모두)[가-힣]*|[은는]?)?)[\\s.?？!]*$"
    ))
});
/// What may stand before a Korean noun that is a project, and not a problem that is left (`남은 과제는?`).
static DESCRIBED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:[한된룬는쓴낸온련]|이후|이전|부터|까지|년도?)\s*(?:연구|국가|정부|R&D)?\s*$"));
static OF: LazyLock<Regex> = LazyLock::new(|| pattern(r"의\s*(?:연구|국가|정부|R&D)?\s*$"));
static A_PROBLEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:남은|필요한|중요한|시급한|가능한|어려운|해야\s?할|향후|앞으로의|당면한|후의|위한|되는)\s*(?:연구\s*)?$",
    )
});

/// Who did it: `did X run`, `by X`; not `have dealt with`.
static ACTOR_EN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:did|does|do)\s+(?P<who>[\w&.'-]+)|(?:has|have)\s+(?P<having>[\w&.'-]+)|(?:by|at|from)\s+[^\s\d])",
    )
});
static ACTOR_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"[가-힣A-Za-z)’'”](?:이|가|에서|은|는)\s+(?:(?:19|20)\d{2}\s*년도?\s*(?:이후|이래|부터|이전|까지)?에?\s*|지금까지\s*|그동안\s*|최근\s*)?",
        r"(?:(?:수행|진행|추진|주관|연구|개발|발표|출원|작성|제출|제안)(?:한|했던|하는|해\s?온)|한|낸|쓴|(?:어떤|무슨)\s)"
    ))
});

/// Words that only join what is asked for and what it is about, whole.
static JOINING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^(?:deal(?:s|t|ing)?|with|concern(?:s|ed|ing)?|address(?:es|ed|ing)?|cover(?:s|ed|ing)?|work(?:s|ed|ing)?|carried|out",
        r"|conducted|done|run|ran|studied|researched|investigated|exists?|existed|about|published|filed",
        r"|focus(?:es|ed)?|related|relating|uses?|used|using|all|any|some|several|two|three|four|five|ten|have|has|had|been",
        r"|mention(?:s|ed|ing)?|discuss(?:es|ed|ing)?|already|so|far|did|does|do|is|are|was|were|there|the|a|an|of|in|on|by|for|at|from",
        r"|this|these|index|sector|we|you|here|please",
        r"|(?:수행|진행|추진|주관|연구|개발|발표|출원|작성|제출|제안|이용|사용|활용|언급)(?:한|된|했던|하는|되는|하여|해|해온)",
        r"|다룬|다루는|관한|관련|관련된|관련한|대한|대해|한|된|낸|쓴|나온|있는|모두|전부|전체|지금까지|그동안|현재|최근|우리|우리의|이",
        r"|색인의|색인에|색인에서|분야의|분야에서|어떤|무슨|좀)$",
    ))
});
/// What must be read, not looked up by words.
static TO_BE_READ: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)\b(?:not|never|no|without|nobody|fail\w*|most|least|more|less|fewer|than|best|worst|first|last",
        r"|(?:high|low|larg|small|long|short|new|old|lat|earli|great|bigg|cheap|fast|strong)est|why|when|how\s+long|same|differ\w*",
        r"|compar\w*|both|reach(?:ed)?|achiev\w*|exceed\w*|missed|reject\w*|select\w*|exclud\w*|approv\w*|won|awarded|stop\w*",
        r"|terminat\w*|abandon\w*|cancel\w*|withdr\w*|finish\w*|complet\w*|running|ongoing|success\w*|planned|funded|funding|paid",
        r"|met|hit|fell|overr[au]n|extended|expired?|based|starts?|started|began|begun|ran|improv\w*|due|required|available|eligible|similar|customers?|suppliers?|partners?|by\s+each|per|until)\b",
        r"|않|없|못|아닌|아니|가장[^자]|더\s|보다\s|최고|최대|최소[^침]|최초|처음|마지막|왜\s|언제|비교|차이|같은|실패|달성|넘[은긴]|얼마",
        r"|완료|종료|진행\s?중|중단|성공|제외|선정|탈락|거절|철회|우수|예정|계획|지원|참여|협력|공동|고객|납품|신청|평가|시작|착수|개시|미달|충족|채[운우]|연장|지연|상용화|수\s?있는|해야\s|남아\s?있|남겨진|[이가]\s*(?:큰|많은|긴|짧은|높은|낮은|작은|적은)\s|별로|[가-힣]별\s",
    ))
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

impl Listing {
    /// True where a name at `place` belongs to something else than what is asked for: `Which projects use electrolyte from …?`
    pub fn is_of_another_thing(&self, question: &str, place: &Range<usize>) -> bool {
        let between = question.get(self.noun_end..place.start).unwrap_or_default();
        let mut words: Vec<&str> = between.split_whitespace().collect();
        let is_preposition = |word: &&str| matches!(&*word.to_lowercase(), "from" | "of" | "at");
        words.pop_if(|word| word.eq_ignore_ascii_case("the"));
        words.pop().filter(is_preposition).is_some() && words.iter().any(|word| !JOINING.is_match(word))
    }
}

/// What `question` wants listed, where it asks for a list.
pub fn listing(question: &str) -> Option<Listing> {
    // `CO2` and `46계열` are names; a figure with a unit, or alone, is a condition.
    let has_figure = figures(question).iter().any(|f| !may_be_year(&f.digits));
    if has_figure || TO_BE_READ.is_match(question) {
        return None;
    }
    let mut found = in_english(question).or_else(|| in_korean(question))?;
    let words = question.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let start = bare.as_ptr() as usize - question.as_ptr() as usize;
        (start..start + bare.len(), bare)
    });
    found.asking.extend(words.filter(|(_, word)| JOINING.is_match(word)).map(|(span, _)| span));
    Some(found)
}

/// True where a question leans on what was said before: `Which projects worked on it?`, `그 과제 목록`.
pub fn points_elsewhere(question: &str) -> bool {
    static POINTING: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)\b(?:it|its|they|them|their|those|that|such|rest|others?)\b|(?:^|\s)(?:그|저)(?:\s?(?:것|들|중|과제|기관|문서|연구)|\s)|거기|나머지|이것|이들",
        )
    });
    POINTING.is_match(question)
}

fn in_english(question: &str) -> Option<Listing> {
    let is_described = |between: &str| !between.split_whitespace().any(|w| NOT_BETWEEN.contains(&&*w.to_lowercase()));
    if let Some(found) = WHO_EN.captures(question) {
        let whole = found.get(0)?.range();
        let asking = match found.name("between") {
            Some(between) if !is_described(between.as_str()) => return None,
            Some(between) => vec![whole.start..between.start(), between.end()..whole.end],
            None => vec![whole],
        };
        return Some(of_institutions(asking));
    }
    let found = OPEN_EN.captures(question)?;
    let (between, noun) = (found.name("between")?, found.name("noun")?);
    let rest = &question[noun.end()..];
    let is_owner = rest.starts_with(['\'', '’', '-', '/']);
    let asks_of_it = rest.split_whitespace().next().is_some_and(|next| {
        matches!(
            &*next.to_lowercase(),
            "can" | "could" | "may" | "must" | "should" | "will" | "would" | "say" | "state"
        )
    });
    if is_owner || asks_of_it || !is_described(between.as_str()) {
        return None;
    }
    let actor = ACTOR_EN.captures_iter(rest).any(|actor| {
        let own = |name: &str| actor.name(name).map(|m| m.as_str());
        let joins = |word: &str| JOINING.is_match(word) && !matches!(word, "the" | "The");
        own("who").or(own("having")).is_none_or(|word| !joins(word))
    });
    Some(Listing {
        listed: of_noun(noun.as_str()),
        asking: vec![found.get(0)?.start()..between.start(), noun.range()],
        names_actor: actor,
        noun_end: noun.end(),
        may_be_problems: false,
    })
}

fn of_institutions(asking: Vec<Range<usize>>) -> Listing {
    let noun_end = asking.iter().map(|span| span.end).max().unwrap_or(0);
    Listing { listed: Listed::Institutions, asking, names_actor: false, noun_end, may_be_problems: false }
}

fn in_korean(question: &str) -> Option<Listing> {
    if let Some(found) = WHO_KO.find(question) {
        return Some(of_institutions(vec![found.range()]));
    }
    let done = DONE_KO.captures(question);
    let is_done = done.is_some();
    let found = done.or_else(|| LIST_KO.captures(question))?;
    let (whole, noun) = (found.get(0)?, found.name("noun")?);
    let listed = of_noun(noun.as_str());
    let before = &question[..whole.start()];
    // `재활용연구 목록` is one word; its topic would be cut in two.
    if before.ends_with(char::is_alphanumeric) {
        return None;
    }
    let is_described = DESCRIBED.is_match(before) && !A_PROBLEM.is_match(before);
    let says_list = found.name("list").is_some() || found.name("several").is_some() || is_done;
    // A paper or a patent is one whatever stands before it; `과제` is also a problem, `연구` any research.
    let is_plain = matches!(listed, Listed::Documents(Some(_)));
    let is_sure = is_described || says_list || is_plain || before.trim().is_empty();
    let names_actor = ACTOR_KO.is_match(question);
    (is_sure || OF.is_match(before)).then(|| Listing {
        listed,
        asking: vec![whole.range()],
        names_actor,
        noun_end: noun.end(),
        may_be_problems: !is_sure,
    })
}

fn of_noun(noun: &str) -> Listed {
    let noun: String = noun.to_lowercase().split_whitespace().collect();
    match noun.as_str() {
        "patents" | "특허" => Listed::Documents(Some(DocumentKind::Patent)),
        "papers" | "articles" | "publications" | "논문" => Listed::Documents(Some(DocumentKind::Paper)),
        "reports" | "보고서" => Listed::Documents(Some(DocumentKind::Report)),
        "calls" | "공고" => Listed::Documents(Some(DocumentKind::Call)),
        "proposals" | "제안서" => Listed::Documents(Some(DocumentKind::Proposal)),
        "documents" | "문서" | "문헌" => Listed::Documents(None),
        _ => Listed::Projects,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATENTS: Listed = Listed::Documents(Some(DocumentKind::Patent));

    /// What is listed, and the words that are left of the question.
    fn asked(question: &str) -> Option<(Listed, String)> {
        let found = listing(question)?;
        let mut left = question.as_bytes().to_vec();
        found.asking.iter().for_each(|span| left[span.clone()].fill(b' '));
        let left = String::from_utf8(left).unwrap();
        let words = left.split_whitespace().map(|w| w.trim_matches(['?', '.', ',', '!'])).filter(|w| !w.is_empty());
        Some((found.listed, words.collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn questions_for_documents_are_known_and_what_is_left_is_what_they_are_about() {
        for (question, listed, about) in [
            ("Which projects dealt with dry electrodes?", Listed::Projects, "dry electrodes"),
            ("What solid-state battery projects are there?", Listed::Projects, "solid-state battery"),
            ("List all patents on separators", PATENTS, "separators"),
            ("How many projects are there on silicon anodes?", Listed::Projects, "silicon anodes"),
            ("List all projects on lead", Listed::Projects, "lead"),
            ("Hello, could you give me a list of projects on brine?", Listed::Projects, "brine"),
            ("Name three projects on recycling", Listed::Projects, "recycling"),
            ("건식 전극을 다룬 과제 목록", Listed::Projects, "건식 전극을"),
            ("전고체 전지에 관한 과제는?", Listed::Projects, "전고체 전지에"),
            ("분리막 특허를 모두 보여 줘.", PATENTS, "분리막"),
            ("분리막 과제 목록 좀 보여주세요", Listed::Projects, "분리막"),
            ("사용후핵연료 과제 목록", Listed::Projects, "사용후핵연료"),
            ("인지과학 과제 목록", Listed::Projects, "인지과학"),
            ("과제는 모두 몇 건인가?", Listed::Projects, ""),
            ("실리콘 음극을 연구한 기관들은 어디인가?", Listed::Institutions, "실리콘 음극을"),
            ("Which institutes worked on silicon anodes?", Listed::Institutions, "silicon anodes"),
            ("Who has worked on brine?", Listed::Institutions, "brine"),
        ] {
            assert_eq!(asked(question), Some((listed, about.to_owned())), "{question}");
        }
    }

    #[test]
    fn what_has_to_be_read_is_no_question_for_a_list() {
        for question in [
            "Which project measured the retention?",
            "Which projects kept more than 80 %?",
            "Which projects did not reach their aim?",
            "Which project has the largest budget?",
            "Which cell did both projects use?",
            "What do the reports say about corrosion?",
            "What can projects request from the fund?",
            "What should reports state about swelling?",
            "List all patents' inventors",
            "List the projects the fund rejected",
            "List running projects",
            "Which projects met the target?",
            "Which projects started in 2021?",
            "What are the reports based on?",
            "2021년에 시작된 과제는 몇 건인가?",
            "해결해야 하는 과제는?",
            "남아 있는 과제는 무엇인가?",
            "예산이 큰 과제 목록",
            "How many reports are due each year?",
            "신청할 수 있는 과제는 몇 개인가?",
            "Which companies withdrew from the project?",
            "Which institutes were customers of the plant?",
            "What groups of additives were tested?",
            "전고체 전지의 남은 과제는?",
            "해결이 필요한 과제는 무엇인가?",
            "제외되는 과제는 무엇인가?",
            "완료된 과제 목록",
            "연도별 과제 목록",
            "어느 과제가 92 %를 넘었나?",
            "그 과제를 수행한 기관은 어디인가?",
            "관통 시험 보고서는 몇 개의 셀을 시험했나?",
            "리뷰에서 다룬 논문은 몇 편을 비교했나?",
            "업체들이 요구한 조건은?",
            "농도구배 전구체 연속 생산 과제, 끝내 못 채운 목표",
            "이 연구는 무엇을 목표로 하나?",
        ] {
            assert_eq!(listing(question), None, "{question}");
        }
    }

    #[test]
    fn a_question_that_names_who_did_it_says_so() {
        let names_actor = |question: &str| listing(question).map(|l| l.names_actor);
        for question in [
            "How many projects did Samsung SDI run?",
            "How many projects does the fund have?",
            "Which reports are there by Northgate?",
            "가온이 수행한 과제 목록",
            "가온에서 2020년 이후 한 과제는 몇 건인가?",
            "가온은 어떤 과제를 수행했나요?",
        ] {
            assert_eq!(names_actor(question), Some(true), "{question}");
        }
        for question in
            ["Which projects have dealt with brine?", "Which projects do we have on brine?", "염수를 다룬 과제는?"]
        {
            assert_eq!(names_actor(question), Some(false), "{question}");
        }
    }

    #[test]
    fn a_name_behind_another_thing_is_not_who_did_the_work() {
        let is_other = |question: &str, name: &str| {
            let at = question.find(name).unwrap();
            listing(question).unwrap().is_of_another_thing(question, &(at..at + name.len()))
        };
        assert!(is_other("Which projects use electrolyte from Corvane?", "Corvane"));
        assert!(!is_other("Which projects of Corvane are on salts?", "Corvane"));
        assert!(!is_other("List the reports published by Corvane", "Corvane"));
    }

    #[test]
    fn projects_are_told_from_problems() {
        let may_be_problems = |question: &str| listing(question).map(|l| l.may_be_problems);
        assert_eq!(may_be_problems("전고체 전지의 과제는 무엇인가?"), Some(true));
        assert_eq!(may_be_problems("전고체 전지에 관한 과제는 무엇인가?"), Some(false));
    }

    #[test]
    fn what_leans_on_an_earlier_question_is_known() {
        for question in ["Which institutes worked on it?", "show the rest", "그 중 보고서 목록", "나머지 과제 목록"]
        {
            assert!(points_elsewhere(question), "{question}");
        }
        for question in ["How many projects are there?", "그래핀 과제 목록", "List all projects"] {
            assert!(!points_elsewhere(question), "{question}");
        }
    }
}
