//! Which facts of a project does a document state (title, institute, period, money, TRL …)?
//!
//! In: extracted text. Out: [`Field`]s, each with the place it was read from and a confidence: a label at
//! the start of a line or cell is sure, the same label inside a sentence is not. Nothing is guessed
//! without a label, except a TRL and what kind of document it is.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Match, Regex};
use serde::Serialize;

use crate::document::Span;
use crate::text::{letters, names_nobody};

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Title.
    Title,
    /// Performing institute.
    Institution,
    /// Principal investigator.
    Person,
    /// Programme.
    Programme,
    /// Period.
    Period,
    /// Budget.
    Budget,
    /// Stage (TRL).
    Stage,
    /// Status.
    Status,
    /// Keywords.
    Keywords,
    /// Number in the funder's books.
    Number,
}

impl FieldKind {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            FieldKind::Title => "title",
            FieldKind::Institution => "institution",
            FieldKind::Person => "person",
            FieldKind::Programme => "programme",
            FieldKind::Period => "period",
            FieldKind::Budget => "budget",
            FieldKind::Stage => "stage",
            FieldKind::Status => "status",
            FieldKind::Keywords => "keywords",
            FieldKind::Number => "number",
        }
    }
}

/// A fact and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What it is.
    pub kind: FieldKind,
    /// The value, byte-exact.
    pub span: Span,
    /// 0 to 1.
    pub confidence: f32,
}

const LABELS: [(FieldKind, &str); 9] = [
    (
        FieldKind::Title,
        "연구개발과제명|연구과제명|과제명|사업과제명|project title|title of (?:the )?project|proposal title",
    ),
    (
        FieldKind::Institution,
        "주관연구개발기관|주관연구기관|주관기관|수행기관|제안기관|신청기관|연구기관|기관명|applicant|host institution|performing (?:organi[sz]ation|institution)|institution|lead partner|coordinator",
    ),
    (
        FieldKind::Person,
        "연구책임자|총괄책임자|과제책임자|책임자|principal investigator|project leader|project manager|\\bPI\\b",
    ),
    (
        FieldKind::Programme,
        "사업명|세부사업명|내역사업명|programme|program name|funding program(?:me)?|call identifier",
    ),
    (
        FieldKind::Period,
        "총연구개발기간|총연구기간|연구개발기간|연구기간|수행기간|사업기간|과제기간|기간|project period|period|duration",
    ),
    (
        FieldKind::Budget,
        "총연구개발비|총연구비|신청 연구비|연구개발비|총사업비|사업비|연구비|requested funding|total budget|budget|total cost|award amount",
    ),
    (FieldKind::Stage, "기술성숙도|기술준비도|TRL|technology readiness level"),
    (FieldKind::Keywords, "핵심어|키워드|주제어|keywords?|index terms"),
    (
        FieldKind::Number,
        "과제고유번호|과제번호|과제 번호|project (?:no|number|id)\\.?|award (?:no|number|id)\\.?|grant (?:no|number)\\.?",
    ),
];

static PATTERNS: LazyLock<Vec<(FieldKind, Regex)>> = LazyLock::new(|| {
    LABELS
        .iter()
        .map(|(kind, labels)| {
            // A value ends at the end of its line or cell, or where a sentence does.
            let pattern = format!(r"(?i)(^|[|\n○□•\-\*,(]|[ \t]|\. )\s*(?:\*\*)?(?:{labels})(?:\*\*)?\s*(?:\([^)\n]{{0,20}}\))?\s*([:：|]|는|은|[ \t]{{2,}})\s*(?:\*\*)?([^|\n]{{1,160}})");
            (*kind, Regex::new(&pattern).expect("a constant pattern"))
        })
        .collect()
});
static TRL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)TRL\s*([1-9])(?:\s*(?:→|->|~|-|to|에서)\s*(?:TRL\s*)?([1-9]))?").expect("a constant pattern")
});
static NUMBER_KO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:과제번호|과제고유번호)\s*([A-Z0-9][A-Z0-9\-]{4,30})").expect("a constant pattern")
});
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(최종보고서|중간보고서|결과보고서|final report|interim report|제안서|proposal)")
        .expect("a constant pattern")
});
/// What goes on behind its full stop, in names of persons and institutes.
const IN_NAMES: [&str; 10] = ["dr", "prof", "mr", "mrs", "ms", "assoc", "univ", "tech", "inst", "dept"];
static SENTENCE_END: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"다\.(?:\s|$)|[a-z)]\. +[A-Z가-힣]|\.\s*$").expect("a constant pattern"));

/// Bytes in which fields are looked for: they stand on the first pages.
const HEAD: usize = 12_000;

/// Ends of the labels of a form that say who asks and when, not what is asked for.
const WHO_ASKS_KO: [&str; 38] = [
    "기업명",
    "회사명",
    "업체명",
    "상호",
    "기관명",
    "수요기업",
    "수요기관",
    "신청기업",
    "신청기관",
    "신청인",
    "대표",
    "대표자",
    "대표자명",
    "담당",
    "담당자",
    "담당자명",
    "담당부서",
    "부서명",
    "직위",
    "직책",
    "성명",
    "연락처",
    "전화번호",
    "팩스",
    "이메일",
    "전자우편",
    "주소",
    "소재지",
    "등록번호",
    "업종",
    "업태",
    "설립일",
    "종업원수",
    "매출액",
    "작성일",
    "작성자",
    "제출일",
    "접수번호",
];
/// Words of such labels in English; a label of these words alone is one.
const WHO_ASKS_EN: [&str; 31] = [
    "address",
    "applicant",
    "author",
    "by",
    "company",
    "contact",
    "customer",
    "date",
    "department",
    "e",
    "email",
    "employees",
    "fax",
    "founded",
    "id",
    "mail",
    "name",
    "no",
    "number",
    "of",
    "organisation",
    "organization",
    "person",
    "phone",
    "registration",
    "requester",
    "revenue",
    "submission",
    "submitted",
    "telephone",
    "website",
];

/// True for a line of a form that says who asks and when: `기업명: 주식회사 바람결에너지`, `Contact person: …`. What goes
/// on in another line says more.
pub(super) fn says_who_asks(line: &str) -> bool {
    let Some((label, _)) = line.split_once([':', '：']) else { return false };
    let label = label.trim_matches(|c: char| !c.is_alphanumeric());
    if label.is_empty() || label.chars().count() > 20 || line.trim().contains('\n') {
        return false;
    }
    let korean = letters(label);
    let lower = label.to_lowercase();
    let mut english = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    WHO_ASKS_KO.iter().any(|end| korean.ends_with(end)) || english.all(|word| WHO_ASKS_EN.contains(&word))
}

/// True for a line that begins with a label and a colon: it states a fact of the project, not what was done.
pub(super) fn is_labelled(line: &str) -> bool {
    // A label is short, and looking for all of them takes time.
    let colon = line.char_indices().take(40).any(|(_, c)| matches!(c, ':' | '：'));
    colon
        && PATTERNS.iter().any(|(_, pattern)| {
            let found = pattern.captures(line).and_then(|c| Some((c.get(0)?.start(), c.get(2)?.as_str())));
            matches!(found, Some((0, ":" | "：")))
        })
}

/// The facts that `text` states, the surest of each kind.
pub fn fields(text: &str) -> Vec<Field> {
    let mut end = text.len().min(HEAD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    let mut found: Vec<Field> = Vec::new();
    for (kind, pattern) in PATTERNS.iter() {
        for captures in pattern.captures_iter(head) {
            let (Some(before), Some(mark), Some(value)) = (captures.get(1), captures.get(2), captures.get(3)) else {
                continue;
            };
            let span = value_span(head, value.start(), value.end());
            if names_no_value(head, mark.range(), span) {
                continue;
            }
            let is_name = matches!(kind, FieldKind::Institution | FieldKind::Person);
            if span.is_empty()
                || (*kind == FieldKind::Stage && !span.slice(head).contains(|c: char| c.is_ascii_digit()))
                || (is_name && names_nobody(span.slice(head)))
            {
                continue;
            }
            let at_start = before.as_str().trim().is_empty() && (before.start() == 0 || before.as_str().contains('\n'))
                || before.as_str().contains(['\n', '|', '○', '□', '•', '*', '-']);
            let labelled = matches!(mark.as_str(), ":" | "：" | "|");
            let confidence = match (at_start, labelled) {
                (true, true) => 0.9,
                (false, true) => 0.7,
                (true, false) => 0.5,
                (false, false) => 0.3,
            };
            found.push(Field { kind: *kind, span, confidence });
        }
    }
    if let Some(m) = TRL.find(head) {
        found.push(Field { kind: FieldKind::Stage, span: Span { start: m.start(), end: m.end() }, confidence: 0.6 });
    }
    if let Some(m) = NUMBER_KO.captures(head).and_then(|c| c.get(1)) {
        found.push(Field { kind: FieldKind::Number, span: Span { start: m.start(), end: m.end() }, confidence: 0.8 });
    }
    if let Some(m) = STATUS.find(head) {
        found.push(Field { kind: FieldKind::Status, span: Span { start: m.start(), end: m.end() }, confidence: 0.5 });
    }
    surest(found)
}

/// True for what stands behind the mark of a label and is no value of it: the next name in a table's header, what follows
/// the table, or, where a form was left empty, its next entry or a heading.
fn names_no_value(text: &str, mark: Range<usize>, value: Span) -> bool {
    let is_below = text[mark.end..value.start].contains('\n');
    let said = value.slice(text);
    match &text[mark] {
        "|" => is_below || crate::text::fields::field(said).is_some(),
        _ => is_below && (said.starts_with('#') || is_labelled(said)),
    }
}

/// Trims, and cuts where a sentence ends.
fn value_span(text: &str, start: usize, end: usize) -> Span {
    let raw = &text[start..end];
    let in_name = |stop: usize| {
        let word = raw[..stop].rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        IN_NAMES.contains(&word.to_lowercase().as_str())
    };
    // The full stop stands behind the letter that a match begins with.
    let ends = |m: &Match<'_>| m.as_str().starts_with(['다', '.']) || !in_name(m.start() + 1);
    let cut = SENTENCE_END.find_iter(raw).find(ends).map_or(raw.len(), |m| {
        m.start() + raw[m.start()..].chars().next().map_or(0, |c| if c == '.' { 0 } else { c.len_utf8() })
    });
    let raw = &raw[..cut];
    let left = raw.len() - raw.trim_start_matches(|c: char| c.is_whitespace() || c == '*').len();
    let right = raw.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '*' | ',' | '.')).len();
    Span { start: start + left, end: start + right.max(left) }
}

fn surest(mut found: Vec<Field>) -> Vec<Field> {
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.span.start.cmp(&b.span.start)));
    let mut out: Vec<Field> = Vec::new();
    for field in found {
        if !out.iter().any(|f| f.kind == field.kind) {
            out.push(field);
        }
    }
    out.sort_by_key(|f| f.span.start);
    out
}

static YEAR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:19[5-9]\d|20\d\d)").expect("a constant pattern"));

/// The single words of a list of keywords.
pub fn keywords(list: &str) -> Vec<String> {
    list.split([',', ';', '·']).map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect()
}

/// First and last year of a period.
pub fn years(text: &str) -> Option<(i32, i32)> {
    let years: Vec<i32> = YEAR.find_iter(text).filter_map(|m| m.as_str().parse().ok()).collect();
    Some((*years.first()?, *years.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, kind: FieldKind) -> Option<String> {
        fields(text).into_iter().find(|f| f.kind == kind).map(|f| f.span.slice(text).to_owned())
    }

    #[test]
    fn labels_in_both_languages_give_fields_with_their_place() {
        let ko = "# 제안서\n\n제안기관: 가온대학교 에너지공학과 | 신청 연구비: 1,950백만원 | 기간: 2024년 7월 ~ 2027년 6월\n과제번호 NR-24-LM-02\n";
        assert_eq!(of(ko, FieldKind::Institution).unwrap(), "가온대학교 에너지공학과");
        assert_eq!(of(ko, FieldKind::Budget).unwrap(), "1,950백만원");
        assert_eq!(of(ko, FieldKind::Period).unwrap(), "2024년 7월 ~ 2027년 6월");
        assert_eq!(of(ko, FieldKind::Number).unwrap(), "NR-24-LM-02");
        let en = "# Proposal\n\nApplicant: Ardenlake Centre. Submitted 12 April 2024. Requested funding: 1.3 million EUR for 30 months.\n";
        assert_eq!(of(en, FieldKind::Institution).unwrap(), "Ardenlake Centre");
        assert!(of(en, FieldKind::Budget).unwrap().starts_with("1.3 million EUR"));
    }

    #[test]
    fn a_line_of_a_label_is_known_from_a_sentence() {
        for line in
            ["Institution: Harrow Coast Agronomy", "연구기간: 2026-03 ~ 2028-12", "**주관기관**: 가온에너지소재"]
        {
            assert!(is_labelled(line), "{line}");
        }
        for line in ["The budget was cut twice: first in May.", "We grew rice: the yield was 5 t/ha.", "기간은 길었다."]
        {
            assert!(!is_labelled(line), "{line}");
        }
    }

    #[test]
    fn a_label_inside_a_sentence_is_less_sure() {
        let sure = fields("과제명: 나트륨이온전지 음극\n");
        let unsure = fields("이 과제에서 연구비는 부족하였고 일정이 늦어졌다.\n");
        assert!(sure[0].confidence > 0.8);
        assert!(unsure.iter().all(|f| f.confidence < 0.8));
    }

    #[test]
    fn a_label_before_an_entry_that_names_nobody_is_no_field() {
        assert_eq!(of("연구책임자: 공개하지 않음\n주관기관: 비공개\n", FieldKind::Person), None);
        let second = "Principal investigator: TBD\n\nproject leader: Nora Lind\n";
        assert_eq!(of(second, FieldKind::Person).as_deref(), Some("Nora Lind"));
    }

    #[test]
    fn what_follows_an_empty_entry_is_not_its_value() {
        let form = "연구책임자:\n주관기관: 가온대학교\n과제명:\n\n# 연구 목표\n\n| 기간 |\n\n연구비가 부족하였다.\n";
        assert_eq!(of(form, FieldKind::Person), None);
        assert_eq!(of(form, FieldKind::Institution).as_deref(), Some("가온대학교"));
        assert_eq!((of(form, FieldKind::Title), of(form, FieldKind::Period)), (None, None));
        let below = "Project title:\nQuiet pumps\n";
        assert_eq!(of(below, FieldKind::Title).as_deref(), Some("Quiet pumps"));
    }

    #[test]
    fn the_names_of_a_tables_columns_are_not_each_others_values() {
        let columns = "| 과제명 | 주관기관 | 사업비 |\n|---|---|---|\n| 나트륨 음극 | 가온 | 10억 원 |\n";
        assert_eq!((of(columns, FieldKind::Title), of(columns, FieldKind::Institution)), (None, None));
        let form = "| 과제명 | 나트륨 음극 |\n|---|---|\n| 주관기관 | 가온 |\n";
        assert_eq!(of(form, FieldKind::Title).as_deref(), Some("나트륨 음극"));
        assert_eq!(of(form, FieldKind::Institution).as_deref(), Some("가온"));
    }

    #[test]
    fn a_name_is_not_cut_behind_its_title() {
        let led = |by: &str| of(&format!("Principal investigator: {by}\n"), FieldKind::Person);
        assert_eq!(led("Prof. Dr. Nora Lind. The aim is a pump.").as_deref(), Some("Prof. Dr. Nora Lind"));
        assert_eq!(led("Nora Lind. The aim is a pump.").as_deref(), Some("Nora Lind"));
    }

    #[test]
    fn a_line_that_says_who_asks_is_known_from_one_that_says_for_what() {
        for line in ["기업명: 주식회사 바람결에너지", "- 담당자 이메일: a@b.example", "Contact person: Ida Morrow"]
        {
            assert!(says_who_asks(line), "{line}");
        }
        for line in [
            "요구 성능: 결빙 감지 95 % 이상",
            "운전 온도: -30~50 °C",
            "Contact resistance: under 5 mΩ",
            "기업명: 바람결에너지\n결빙을 감지하고 싶다.",
            "결빙",
        ] {
            assert!(!says_who_asks(line), "{line}");
        }
    }

    #[test]
    fn a_period_gives_its_years() {
        assert_eq!(years("2024년 7월 ~ 2027년 6월"), Some((2024, 2027)));
        assert_eq!(years("30 months"), None);
    }
}
