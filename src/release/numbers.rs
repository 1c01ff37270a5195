//! Values that are recognised by their own form, their check digit, or the words beside them.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Label};
use crate::document::Span;
use crate::text::personal::is_card;

/// How far before a value its name may stand (characters of the same line, or the whole line before).
const NEAR: usize = 40;

struct Rule {
    name: &'static str,
    label: Label,
    confidence: f64,
    /// The value is the group `v`, or the whole match.
    value: Regex,
    /// What must stand near it.
    beside: Option<Regex>,
    /// What the value must satisfy besides.
    holds: fn(&str) -> bool,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let regex = |text: &str| Regex::new(text).expect("constant pattern");
    let rule = |name, label, confidence, value: &str, beside: &str, holds| Rule {
        name,
        label,
        confidence,
        value: regex(value),
        beside: (!beside.is_empty()).then(|| regex(beside)),
        holds,
    };
    let any: fn(&str) -> bool = |_| true;
    vec![
        rule("resident-number", Label::Rrn, 0.95, r"\d{6} ?[-–] ?[1-4][\dxX*●○•]{6}", "", is_born),
        rule(
            "resident-number-named",
            Label::Rrn,
            0.97,
            r"\d{6} ?[-–]? ?[1-4][\dxX*●○•]{0,6}",
            r"(?i)주민|resident registration|(?-u:\b)rrn(?-u:\b)",
            is_born,
        ),
        rule("foreigner-number", Label::Frn, 0.95, r"\d{6} ?[-–] ?[5-8][\dxX*●○•]{6}", "", is_born),
        rule(
            "foreigner-number-named",
            Label::Frn,
            0.97,
            r"\d{6} ?[-–]? ?[1-8][\dxX*●○•]{6}",
            r"(?i)외국인\s?등록|alien registration|foreigner",
            any,
        ),
        rule("social-security", Label::Ssn, 0.85, r"\d{3}-\d{2}-\d{4}", "", is_ssn),
        rule(
            "national-insurance",
            Label::Ssn,
            0.95,
            r"(?-u:\b)[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D](?-u:\b)",
            r"(?i)national insurance|(?-u:\b)nino(?-u:\b)",
            any,
        ),
        rule(
            "passport",
            Label::Passport,
            0.93,
            r"(?-u:\b)[A-Z]{1,2}\d{3}[A-Z\d]\d{3,5}(?-u:\b)|(?-u:\b)[A-Z\d]{9}(?-u:\b)",
            r"(?i)여권|passport",
            |value| digits(value).len() >= 4,
        ),
        rule(
            "driver-license",
            Label::DriverLicense,
            0.94,
            r"(?:(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주) ?)?\d{2}-\d{2}-\d{6}-\d{2}|(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주) ?\d{2}-\d{6}-\d{2}",
            "",
            any,
        ),
        rule(
            "driver-license-named",
            Label::DriverLicense,
            0.93,
            r"\d{2,4}(?:-\d{2,6}){2,5}|(?-u:\b)[A-Z]?\d{6,14}(?-u:\b)",
            r"(?i)면허|driv(?:er|ing)[’']?s? licen[cs]e",
            any,
        ),
        rule("card", Label::Card, 0.9, r"\d{4}(?:[ -]?\d{4}){2}[ -]?\d{1,7}|\d{4}[ -]?\d{6}[ -]?\d{5}", "", is_card),
        rule("card-groups", Label::Card, 0.85, r"[3-9]\d{3}([ -])[\d*xX]{4}([ -])[\d*xX]{4}([ -])\d{4}", "", any),
        rule("card-named", Label::Card, 0.88, r"\d{4}(?:[ -]?[\d*xX]{4}){3}|\d{12,19}", r"(?i)카드|(?-u:\b)card", any),
        rule(
            "iban",
            Label::Account,
            0.95,
            r"(?i)(?-u:\b)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?-u:\b)",
            "",
            is_iban,
        ),
        rule(
            "account",
            Label::Account,
            0.9,
            r"\d{2,6}(?:-\d{1,8}){1,3}|\d{10,14}",
            r"(?i)은행|계좌|통장|예금|적금|입금|출금|이체|환불|뱅크|농협|수협|축협|우체국|새마을금고|신협|(?:국민|신한|우리|하나|기업|카카오|토스) ?$|(?-u:\b)bank|account (?:no|number)|(?-u:\b)acct",
            is_account,
        ),
        rule("business-number", Label::BusinessReg, 0.87, r"\d{3}-\d{2}-\d{5}", "", any),
        rule(
            "corporation-number",
            Label::CorpReg,
            0.98,
            r"\d{6}-\d{7}",
            r"법인\s?(?:등록)?\s?번호|등기\s?번호|법인\s?등록",
            any,
        ),
        rule(
            "mobile",
            Label::Phone,
            0.95,
            r"(?:\+?82[ )-]{0,2}\(?0?\)?)?0?1[016789][) .-]{1,2}[\d*xX]{3,4}[ .-]\d{4}|01[016789]\d{7,8}",
            "",
            any,
        ),
        rule(
            "telephone",
            Label::Phone,
            0.9,
            r"(?:\+?82[ )-]{0,2}\(?0?\)?|\(?0)(?:2|[3-6]\d|70|50\d|80)[) .-]{1,2}\d{3,4}[ .-]\d{4}(?:\s?\(?내선 ?\d{2,5}\)?)?",
            "",
            any,
        ),
        rule(
            "extension",
            Label::Phone,
            0.7,
            r"(?i)(?:내선\s?(?:번호)?\s?:?\s?|(?-u:\b)ext\.? ?)(?P<v>\d{2,5})",
            "",
            any,
        ),
        rule(
            "international",
            Label::Phone,
            0.9,
            r"\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}(?:x\d{1,5})?",
            "",
            any,
        ),
        rule(
            "north-american",
            Label::Phone,
            0.85,
            r"(?:1[.-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?:x\d{1,5})?",
            "",
            any,
        ),
        rule(
            "telephone-named",
            Label::Phone,
            0.8,
            r"\(?\d{2,4}\)?(?:[ .-]\d{2,4}){1,4}|\d{7,11}",
            r"(?i)전화|연락처|팩스|휴대|핸드폰|(?-u:\b)(?:tele)?phone|(?-u:\b)tel(?-u:\b)|(?-u:\b)fax|(?-u:\b)mobile|(?-u:\b)cell(?-u:\b)|(?-u:\b)call(?:ed|ing)? (?:me|us|him|her|at|on)?",
            is_telephone,
        ),
        rule("mail", Label::Email, 0.97, r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", "", any),
        rule("link", Label::Url, 0.95, r#"(?i)(?:https?://|www\.)[^\s<>()"'가-힣]+[^\s<>()"'가-힣.,;:]"#, "", any),
        rule(
            "domain",
            Label::Url,
            0.7,
            r"(?-u:\b)(?:[a-z0-9-]+\.){1,4}(?:go\.kr|co\.kr|or\.kr|re\.kr|ac\.kr|kr|com|org|net)(?:/[^\s<>()가-힣]*)?(?-u:\b)",
            "",
            any,
        ),
        rule("address-v4", Label::Ip, 0.85, r"(?:\d{1,3}\.){3}\d{1,3}", "", is_address),
        rule(
            "birth-named",
            Label::DtBirth,
            0.93,
            r"\d{4} ?[.년/-] ?\d{1,2} ?[.월/-] ?\d{1,2} ?일?|\d{2}[./]\d{1,2}[./]\d{1,2}|(?-u:\b)\d{6}(?-u:\b)|\d{8}|(?-u:\b)[A-Z][a-z]+ \d{1,2},? \d{4}|\d{1,2} [A-Z][a-z]+ \d{4}|\d{1,2}/\d{1,2}/\d{4}",
            r"(?i)생년\s?월일|생일|출생|(?:주민|등록)\s?번호\s?앞|(?:남|여|(?-u:\b)(?:fe)?male|[MF])\s?[/,·|]\s?$|(?-u:\b)dob(?-u:\b)|birth|(?-u:\b)born(?-u:\b)",
            any,
        ),
        rule(
            "born",
            Label::DtBirth,
            0.93,
            r"(?P<v>(?:19|20)?\d{2} ?[.년/-] ?\d{1,2} ?[.월/-] ?\d{1,2} ?[.일]?) ?(?:생|출생)",
            "",
            any,
        ),
        rule(
            "age",
            Label::Age,
            0.8,
            r"(?P<v>만 ?\d{1,3} ?(?:세|살))|(?:나이|연령)\s?[:：|는은]?\s?(?P<y>\d{1,3} ?(?:세|살)?)|(?:나이|연령|남|여|[,/(])\s?[:(/]?\s?(?P<w>\d{1,3} ?세)|(?P<x>\d{1,3} ?세)(?:의|인)? (?:남|여|환자|아동)",
            "",
            any,
        ),
        rule(
            "age-en",
            Label::Age,
            0.8,
            r"(?i)(?P<v>\d{1,3})[- ]years?[- ]old|(?-u:\b)aged? ?(?:is|of|:)? ?(?P<w>\d{1,3})(?-u:\b)|(?-u:\b)(?P<x>\d{1,3}) years? of age|(?-u:\b)(?:turned|turning|turn) (?P<y>\d{1,3})(?-u:\b)|(?P<z>\d{1,3}) ?y/o",
            "",
            any,
        ),
        rule(
            "plate",
            Label::Vehicle,
            0.9,
            r"(?:(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주) ?)?\d{2,3} ?[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호배] ?\d{4}",
            "",
            is_plate,
        ),
        rule(
            "insurance-card",
            Label::MedicalInsurance,
            0.93,
            r"\d{1,3}-\d{2,10}(?:-\d{4,5})?(?:-\d)?|(?:[A-Z]{2,4}-)?\d{8,13}",
            r"건강\s?보험|의료\s?보험|보험증|증\s?번호|요양\s?기호",
            any,
        ),
        rule(
            "prescription",
            Label::PrescriptionId,
            0.93,
            r"(?-u:\b)(?:RX|PRSC|PR)-?\d{4,}(?:[- ]\d{2,8}){0,3}(?:-[A-Z]{1,3})?(?-u:\b)",
            "",
            any,
        ),
        rule(
            "prescription-named",
            Label::PrescriptionId,
            0.9,
            r"(?-u:\b)[A-Z0-9]{2,}(?:-[A-Z0-9]{2,}){1,3}(?-u:\b)|\d{8,14}",
            r"처방전?\s?(?:교부)?\s?번호",
            any,
        ),
        rule(
            "height",
            Label::Height,
            0.85,
            r"\d{2,3}(?:\.\d)? ?(?:cm|㎝|센티)|(?:키|신장)(?:는|가)?\s?[:：|]?\s?(?P<v>1\d\d(?:\.\d)?(?: ?(?:cm|㎝|센티))?)",
            r"(?i)신장|키(?:는|가|\s|:|/)|(?-u:\b)height",
            any,
        ),
        rule("weight", Label::Weight, 0.85, r"\d{1,3}(?:\.\d)? ?(?:kg|㎏|킬로)", r"(?i)체중|몸무게|body ?weight", any),
        rule(
            "nationality",
            Label::Nationality,
            0.85,
            r"(?:국적|[Nn]ationality)\s?[:：|]?\s?(?P<v>[가-힣]{2,8}|\p{Lu}\p{L}+)|(?P<w>[가-힣]{2,8}) ?국적",
            "",
            any,
        ),
        rule(
            "school",
            Label::Education,
            0.7,
            r"(?:최종\s?)?학력\s?[:：|]\s?(?P<v>[가-힣A-Za-z ]{2,30}?(?:대학교|대학원|대학|고등학교|학사|석사|박사)(?: ?(?:졸업|수료|중퇴|재학))?)",
            "",
            any,
        ),
        rule(
            "subject",
            Label::Major,
            0.7,
            r"(?:전공|학과)\s?[:：|]\s?(?P<v>[가-힣A-Za-z]{2,20}(?:학과|학부|과|학|공학)?)",
            "",
            any,
        ),
        rule(
            "password",
            Label::Secret,
            0.9,
            r"(?i)(?:비밀번호|패스워드|암호|password|passwd|(?-u:\b)pwd|api[ _-]?key|secret[ _-]?key|access[ _-]?token)\s?(?:[:=]|is|은|는)\s?(?P<v>[^\s,;)]{4,})",
            "",
            any,
        ),
        rule(
            "access-key",
            Label::Secret,
            0.97,
            r"(?-u:\b)(?:AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,})(?-u:\b)",
            "",
            any,
        ),
        rule(
            "private-key",
            Label::Secret,
            0.99,
            r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
            "",
            any,
        ),
    ]
});

/// Every value of every rule; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter() {
        for m in rule.value.captures_iter(text) {
            let group = ["v", "w", "x", "y", "z"].into_iter().find_map(|g| m.name(g)).or_else(|| m.get(0));
            let Some(value) = group else { continue };
            let span = Span { start: value.start(), end: value.end() };
            let named = rule.beside.as_ref().is_none_or(|beside| beside.is_match(before(text, span.start)));
            // `5세대` is a generation.
            let after = &text[span.end..];
            if rule.label == Label::Age && (is_bound(after) || after.starts_with('대')) {
                continue;
            }
            if named && stands_free(text, span) && (rule.holds)(value.as_str()) {
                found.push(Finding { span, label: rule.label, rule: rule.name, confidence: rule.confidence });
            }
        }
    }
    found
}

/// What stands before `at`: the same line, up to [`NEAR`] characters of it; where that is short, the line above too (a form's label).
fn before(text: &str, at: usize) -> &str {
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let from = text[line..at].char_indices().rev().nth(NEAR - 1).map_or(line, |(i, _)| line + i);
    if from > line || text[line..at].trim().chars().count() > 2 || line == 0 {
        return &text[from..at];
    }
    let above = text[..line - 1].rfind('\n').map_or(0, |n| n + 1);
    let above = text[above..at].char_indices().rev().nth(NEAR - 1).map_or(above, |(i, _)| above + i);
    &text[above..at]
}

/// `만 39세 이하`: a condition, nobody's age.
fn is_bound(after: &str) -> bool {
    ["이하", "이상", "미만", "초과", "까지", "부터", "~"].iter().any(|w| after.trim_start().starts_with(w))
}

/// No digit, and no part of a longer number or code, on either side.
fn stands_free(text: &str, span: Span) -> bool {
    let value = span.slice(text);
    let (first, last) = (value.chars().next(), value.chars().next_back());
    let mut left = text[..span.start].chars().rev();
    let mut right = text[span.end..].chars();
    let (l, l2) = (left.next(), left.next());
    let (r, r2) = (right.next(), right.next());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let joins = |c: Option<char>| c.is_some_and(|c| matches!(c, '-' | '.' | ',' | '/' | '–'));
    let left_free = !digit(first)
        || !(digit(l)
            || l.is_some_and(|c| c.is_ascii_alphabetic())
            || (joins(l) && digit(l2) && l != Some(','))
            || (l == Some('-') && l2.is_some_and(|c| c.is_alphanumeric())));
    let right_free = !digit(last)
        || !(digit(r) || r.is_some_and(|c| c.is_ascii_alphabetic()) || (joins(r) && digit(r2) && r != Some(',')));
    left_free && right_free
}

fn digits(value: &str) -> Vec<u32> {
    value.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// The first six digits are a date.
fn is_born(value: &str) -> bool {
    let d = digits(value);
    d.len() >= 7 && (1..=12).contains(&(d[2] * 10 + d[3])) && (1..=31).contains(&(d[4] * 10 + d[5]))
}

fn is_ssn(value: &str) -> bool {
    let mut groups = value.split('-');
    let mut number = || groups.next().and_then(|g| g.parse::<u32>().ok()).filter(|n| *n > 0);
    matches!((number(), number(), number()), (Some(area), Some(_), Some(_)) if area != 666 && area < 900)
}

/// The check digits hold (ISO 13616: letters as numbers, rotated by four, remainder 1 by 97).
fn is_iban(value: &str) -> bool {
    let letters: Vec<u8> = value.bytes().filter(|b| *b != b' ').map(|b| b.to_ascii_uppercase()).collect();
    let rotated = letters[4..].iter().chain(&letters[..4]);
    let rest = rotated.fold(0u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b - b'A') + 10) % 97,
    });
    (15..=34).contains(&letters.len()) && rest == 1
}

/// Nine to sixteen digits, and neither a telephone number nor a date.
fn is_account(value: &str) -> bool {
    let groups: Vec<&str> = value.split('-').collect();
    let year =
        groups[0].len() == 4 && (groups[0].starts_with("19") || groups[0].starts_with("20")) && groups.len() == 3;
    (9..=16).contains(&digits(value).len()) && !year && !value.starts_with("01")
}

fn is_telephone(value: &str) -> bool {
    (7..=15).contains(&digits(value).len())
}

/// Four numbers up to 255 that are not a version's small ones.
fn is_address(value: &str) -> bool {
    let parts: Vec<u32> = value.split('.').filter_map(|p| p.parse().ok()).collect();
    parts.len() == 4 && parts.iter().all(|p| *p <= 255) && (parts[0] >= 10 || parts[1] >= 10)
}

/// `12호 2024` is an issue and its year.
fn is_plate(value: &str) -> bool {
    !(value.contains("호 20") || value.contains("호 19"))
}
