//! Personal data of a named or nameable person: numbers and addresses that an answer must not hand out.
//!
//! A value counts by its own form (resident number, card number with its check digit, mobile number) or by the words
//! beside it (passport, account, home address). What an office publishes about itself (a switchboard, `info@…`) does not.

use std::sync::LazyLock;

use regex::Regex;

use super::sentences;
use super::width::narrowed;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Personal {
    /// Resident registration, social security and foreigner numbers.
    NationalId,
    /// Passport or driving licence.
    Passport,
    /// Card number.
    Card,
    /// Bank account, IBAN.
    Account,
    /// A person's telephone number.
    Phone,
    /// A person's e-mail address.
    Email,
    /// Where somebody lives.
    Home,
    /// Date of birth.
    Birth,
}

struct Rule {
    kind: Personal,
    /// What the value looks like.
    value: Regex,
    /// What must stand in the same sentence.
    beside: Option<Regex>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let regex = |text: &str| Regex::new(text).expect("constant pattern");
    let rule = |kind, value: &str, beside: &str| Rule {
        kind,
        value: regex(value),
        beside: (!beside.is_empty()).then(|| regex(beside)),
    };
    vec![
        rule(
            Personal::NationalId,
            r"(^|[^0-9-])[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])\s?-\s?[1-8]([0-9*]{6})($|[^0-9])",
            "",
        ),
        rule(
            Personal::NationalId,
            r"[0-9]{6}\s?-?\s?[1-8][0-9]{6}|[0-9]{3}-[0-9]{2}-[0-9]{4}",
            r"(?i)주민\s?(등록)?\s?번호|외국인\s?등록|social security|(?-u:\b)ssn(?-u:\b)|resident registration|national id",
        ),
        rule(
            Personal::NationalId,
            r"(?-u:\b)[A-Z]{2}\s?[0-9]{2}\s?[0-9]{2}\s?[0-9]{2}\s?[A-D](?-u:\b)",
            r"(?i)national insurance|(?-u:\b)nino(?-u:\b)",
        ),
        rule(
            Personal::Passport,
            r"(?-u:\b)[A-Z]{1,2}[0-9]{2,3}[A-Z]?[0-9]{4,5}(?-u:\b)|(?-u:\b)[0-9]{9}(?-u:\b)|(?-u:\b)[0-9]{2}-[0-9]{2}-[0-9]{6}-[0-9]{2}(?-u:\b)",
            r"(?i)여권|passport|운전\s?면허|driv(er|ing)'?s? licen[cs]e",
        ),
        rule(Personal::Card, r"(^|[^0-9])([0-9][ -]?){12,18}[0-9]($|[^0-9])", ""),
        // In the groups that cards have, between other figures: `4111-1111-1111-1111 12/27`.
        rule(
            Personal::Card,
            r"(^|[^0-9])([0-9]{4}([ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}|[0-9]{4}[ -]?[0-9]{6}[ -]?[0-9]{5})($|[^0-9])",
            "",
        ),
        rule(
            Personal::Account,
            r"(?-u:\b)[0-9]{2,6}-[0-9]{2,6}-[0-9]{2,8}(-[0-9]{1,6})?(?-u:\b)|(?-u:\b)[0-9]{10,14}(?-u:\b)",
            r"(?i)계좌|통장|(?-u:\b)account(?-u:\b)|은행",
        ),
        rule(
            Personal::Account,
            r"(?-u:\b)[A-Z]{2}[0-9]{2}\s?([A-Z0-9]{4}\s?){2,7}[A-Z0-9]{1,4}(?-u:\b)",
            r"(?i)iban|account|bank|계좌",
        ),
        rule(
            Personal::Phone,
            r"(^|[^0-9-])(\+?82[ -]?\(?0?\)?)?0?1[016789][ .-]?[0-9]{3,4}[ .-]?[0-9]{4}($|[^0-9-])",
            "",
        ),
        rule(
            Personal::Phone,
            r"\+?\(?[0-9][0-9 ().-]{6,}[0-9]",
            r"(?i)휴대\s?(전화|폰)|핸드폰|자택\s?전화|집\s?전화|(?-u:\b)(mobile|cell(ular)?|private|personal|home) (phone|number|telephone|line)|(?-u:\b)mobile(?-u:\b).{0,12}[:+]",
        ),
        rule(Personal::Phone, r"\+?\(?[0-9][0-9 ().-]{6,}[0-9]|내선\s?[0-9]{3,4}|(?-u:\b)ext\.? ?[0-9]{2,5}", ""),
        rule(Personal::Email, r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", ""),
        rule(
            Personal::Home,
            r"[0-9]",
            r"(?i)(집|자택|거주지|주소지|본적)\s?(의\s?)?주소|자택(은|:|\s?소재)|(로|길|동|호|번지|아파트)에서?\s?(거주|살고)|(?-u:\b)(home|private|residential) address|(?-u:\b)(lives|resides|residing|living) at(?-u:\b).{0,30}[0-9]|(?-u:\b)address of (Mr|Ms|Mrs|Dr)",
        ),
        rule(Personal::Home, r"[0-9]", r"(주소)\s?[:：는은].{0,40}(로|길|동|리|번지)\s?[0-9]+"),
        rule(
            Personal::Birth,
            r"[0-9]{1,4}\s?[.년/-]\s?[0-9]{1,2}\s?[.월/-]\s?[0-9]{1,2}|(?-u:\b)[0-9]{1,2} (January|February|March|April|May|June|July|August|September|October|November|December),? [0-9]{4}|(?-u:\b)[A-Z][a-z]+ [0-9]{1,2},? [0-9]{4}|(?-u:\b)[0-9]{6}(?-u:\b)",
            r"(?i)생년\s?월일|출생일|생일|date of birth|birth ?date|birthday|(?-u:\b)was born (on|in)(?-u:\b).{0,12}[0-9]{1,2}|(?-u:\b)dob(?-u:\b)",
        ),
    ]
});

/// A person, by title or by the form of a name with a rank.
static PERSON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"[가-힣]{2,4}\s?(연구원|책임|선임|수석|과장|부장|차장|팀장|주무관|사무관|서기관|박사|교수|대리|사원|주임|실장|센터장|국장|이사|대표|씨|님)|(연구원|과장|부장|차장|팀장|주무관|사무관|서기관|박사|교수|대리|사원|주임|실장|담당자|책임자|성명|이름|연락처)\s?[:(]?\s?[가-힣]{2,4}([\s,(]|$)|(?-u:\b)(Mr|Ms|Mrs|Dr|Prof)\.? [A-Z]|(?-u:\b)[A-Z][a-z]+ ([A-Z]\. )?[A-Z][a-z]+('s|’s)?(?-u:\b).{0,40}(?-u:\b)(phone|mobile|cell|number|reached|call|e-?mail)|(?-u:\b)(phone|mobile|cell|call|e-?mail|number)(?-u:\b).{0,30}(?-u:\b)[A-Z][a-z]+ [A-Z][a-z]+",
    )
    .expect("constant pattern")
});

/// Mailboxes of offices.
const OFFICES: [&str; 40] = [
    "info",
    "contact",
    "office",
    "call",
    "help",
    "support",
    "admin",
    "press",
    "rnd",
    "service",
    "mail",
    "webmaster",
    "inquiry",
    "enquir",
    "privacy",
    "postmaster",
    "sales",
    "team",
    "desk",
    "secretariat",
    "editor",
    "noreply",
    "no-reply",
    "grant",
    "proposal",
    "project",
    "program",
    "funding",
    "center",
    "centre",
    "library",
    "news",
    "public",
    "hr",
    "recruit",
    "apply",
    "submission",
    "cs",
    "master",
    "data",
];

/// The kind of personal data that a sentence holds, if any.
pub fn held(sentence: &str) -> Option<Personal> {
    let sentence = &*narrowed(sentence);
    if !sentence.bytes().any(|b| b.is_ascii_digit() || b == b'@') {
        return None;
    }
    RULES.iter().filter(|r| r.beside.as_ref().is_none_or(|b| b.is_match(sentence))).find_map(|rule| {
        let mut values = rule.value.find_iter(sentence).map(|m| m.as_str());
        let holds = match rule.kind {
            Personal::Card => values.any(is_card),
            Personal::Email => values.any(|v| is_private_mailbox(v, sentence)),
            Personal::Phone if rule.beside.is_none() && !rule.value.as_str().contains("1[016789]") => {
                values.any(is_telephone) && PERSON.is_match(sentence)
            }
            Personal::Phone if rule.beside.is_some() => values.any(is_telephone),
            Personal::NationalId
            | Personal::Passport
            | Personal::Account
            | Personal::Home
            | Personal::Birth
            | Personal::Phone => values.next().is_some(),
        };
        holds.then_some(rule.kind)
    })
}

/// True for a question that asks for what belongs to a person.
pub fn asked_for(question: &str) -> bool {
    static ASKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)주민\s?(등록)?\s?번호|외국인\s?등록|여권|운전\s?면허|휴대\s?(전화|폰)|핸드폰|(집|자택)\s?(주소|전화)|거주지|계좌|카드\s?번호|생년월일|생일|연락처|passport|social security|mobile|cell ?phone|phone number|home address|private|personal|account number|card number|date of birth|birthday|licen[cs]e number").expect("constant pattern")
    });
    ASKED.is_match(question)
}

/// True for a question whose words can mean what belongs to a person, and other things too (the number of a project).
pub fn may_be_asked_for(question: &str) -> bool {
    static ASKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)번호|전화|메일|주소|사는\s?곳|거주|(?-u:\b)(number|e-?mail|address|phone|call|reach|contact|lives?|born)(?-u:\b)")
            .expect("constant pattern")
    });
    asked_for(question) || ASKED.is_match(question)
}

/// The sentence with every digit and mailbox replaced by as many dots.
pub fn blotted(sentence: &str) -> String {
    static BLOTTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[\w.．+-]+[@＠][\w.．-]+|\d").expect("constant pattern"));
    BLOTTED.replace_all(sentence, |m: &regex::Captures<'_>| "•".repeat(m[0].chars().count())).into_owned()
}

/// The text with the sentences that hold personal data blotted out, letter for letter: places in it stay where they are.
pub fn without_personal_data(text: &str) -> String {
    let mut shown = text.to_owned();
    for span in sentences(text).into_iter().rev().filter(|s| held(s.slice(text)).is_some()) {
        shown.replace_range(span.start..span.end, &blotted(span.slice(text)));
    }
    shown
}

/// Thirteen to nineteen digits whose check digit (Luhn, ISO/IEC 7812-1) holds.
pub(crate) fn is_card(value: &str) -> bool {
    let digits: Vec<u32> = value.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { (d * 2) / 10 + (d * 2) % 10 } else { *d }).sum();
    (13..=19).contains(&digits.len()) && matches!(digits[0], 3..=6) && sum.is_multiple_of(10)
}

/// Eight to fifteen digits in the groups of a telephone number: not a date, not a range of years, not a figure.
fn is_telephone(value: &str) -> bool {
    if value.starts_with("내선") || value.to_lowercase().starts_with("ext") {
        return true;
    }
    let groups: Vec<&str> = value.split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty()).collect();
    let [first, second, rest @ ..] = groups.as_slice() else { return false };
    let digits: usize = groups.iter().map(|g| g.len()).sum();
    let year = first.len() == 4 && (first.starts_with("19") || first.starts_with("20"));
    let dialled = value.starts_with(['0', '+']) && digits >= 9;
    let grouped = first.len() >= 2 && second.len() >= 3 && rest.last().is_some_and(|last| last.len() >= 3);
    (8..=15).contains(&digits) && !year && (dialled || grouped)
}

fn is_private_mailbox(address: &str, sentence: &str) -> bool {
    let local = address.split('@').next().unwrap_or("").to_lowercase();
    let office =
        OFFICES.iter().any(|o| local.starts_with(o) || local.split(['.', '-', '_', '+']).any(|part| part == *o));
    let lower = sentence.to_lowercase();
    let said = ["private", "personal", "개인", "사적"].iter().any(|w| lower.contains(w));
    said || !office
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_belongs_to_a_person_is_recognised() {
        for (sentence, kind) in [
            ("김하늘 선임의 주민등록번호는 850203-1234567이다.", Personal::NationalId),
            ("Her social security number is 078-05-1120.", Personal::NationalId),
            ("The passport number of Ida Morrow is K1234567.", Personal::Passport),
            ("카드번호 4111-1111-1111-1111로 결제하였다.", Personal::Card),
            ("결제: 4111-1111-1111-1111 12/27", Personal::Card),
            ("Paid with 3782 822463 10005 03/28.", Personal::Card),
            ("법인카드 2 4111 1111 1111 1111", Personal::Card),
            ("급여 계좌번호는 다온은행 301-22-445566이다.", Personal::Account),
            ("담당: 010 2345 6789", Personal::Phone),
            ("Jane Holloway can be reached on +44 20 7946 0123.", Personal::Phone),
            ("Her private e-mail is info@holloway.example.", Personal::Email),
            ("이메일 hskim@lab.example 로 보낸다.", Personal::Email),
            ("이 과장의 집 주소는 가람시 큰길 7이다.", Personal::Home),
            ("생년월일: 1985. 2. 3.", Personal::Birth),
        ] {
            assert_eq!(held(sentence), Some(kind), "{sentence}");
        }
    }

    #[test]
    fn a_question_for_money_or_years_asks_for_nobody() {
        for question in [
            "청솔전력연구소의 총연구비는?",
            "2023년 흐름전지 안전성 과제는?",
            "What did the cell keep after 500 cycles?",
        ] {
            assert!(!may_be_asked_for(question), "{question}");
        }
        assert!(may_be_asked_for("김하늘 선임의 번호는?") && !asked_for("김하늘 선임의 번호는?"));
        assert!(asked_for("김하늘 선임의 휴대전화는?"));
    }

    #[test]
    fn only_the_sentence_with_personal_data_is_blotted_and_nothing_moves() {
        let text = "용량은 83.2 %였다. 담당자 휴대전화는 010-2345-6789이다. The cell kept 91 % after 500 cycles.";
        let shown = without_personal_data(text);
        assert_eq!(
            shown,
            "용량은 83.2 %였다. 담당자 휴대전화는 •••-••••-••••이다. The cell kept 91 % after 500 cycles."
        );
        assert_eq!(shown.chars().count(), text.chars().count());
        assert_eq!(without_personal_data(""), "");
    }

    #[test]
    fn figures_years_and_offices_are_not() {
        for plain in [
            "The project ran from 2019 to 2023 and cost 1,240,000,000 won.",
            "The cell kept 83.2 % after 500 cycles at 45 °C and 4.35 V.",
            "과제번호 20213030040590의 2단계는 2024. 3. 1.에 시작하였다.",
            "문의: 대표전화 02-3460-9114, rnd-help@agency.example",
            "The trial used 6204-2RS bearings and ISO 12405-4:2018.",
            "doi 10.1016/j.jpowsour.2020.228950",
            "용량은 1,000회 뒤 2010-2015년의 값과 같았다.",
            "A card reader was installed at the gate in 2020.",
        ] {
            assert_eq!(held(plain), None, "{plain}");
        }
    }

    #[test]
    fn digits_of_the_full_width_block_are_digits() {
        assert_eq!(held("2023년 총사업비는 １２３４５６７８ 천원이다."), None);
        for (sentence, kind) in [
            ("담당: ０１０－２３４５－６７８９", Personal::Phone),
            ("김하늘 선임의 주민등록번호는 ８５０２０３－１２３４５６７이다.", Personal::NationalId),
            ("이메일 ｈｓｋｉｍ＠ｌａｂ．ｅｘａｍｐｌｅ 로 보낸다.", Personal::Email),
        ] {
            assert_eq!(held(sentence), Some(kind), "{sentence}");
        }
        assert_eq!(blotted("ｈｓｋｉｍ＠ｌａｂ．ｅｘａｍｐｌｅ, ０１０"), "•••••••••••••••••, •••");
        // Digits of another script are no number that a rule knows.
        assert_eq!(held("연락처: ٠١٠-٢٣٤٥-٦٧٨٩ 7"), None);
    }

    proptest! {
        #[test]
        fn any_sentence_can_be_asked_and_blotted(text in "(\\PC|[0-9０-９٠-٩]{1,8}|[-@＠. ()+]|전화|계좌|카드){0,40}") {
            held(&text);
            prop_assert_eq!(without_personal_data(&text).chars().count(), text.chars().count());
        }
    }
}
