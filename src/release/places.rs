//! Postal addresses, Korean and English, from the street or lot number on; a city or a district alone is nobody's.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Label};
use crate::document::Span;

/// Provinces and great cities, as they are shortened.
const PROVINCES: [&str; 17] = [
    "서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "경기", "강원", "충북", "충남", "전북", "전남",
    "경북", "경남", "제주",
];

static KOREAN: LazyLock<Regex> = LazyLock::new(|| {
    // Province or city, districts, town, street or lot with its number, building, floor and room.
    Regex::new(concat!(
        r"(?:[가-힣]{2,4}(?:특별자치시|특별자치도|특별시|광역시|시|도)\s+|(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주)\s+)?",
        r"(?:[가-힣]{1,6}(?:시|군|구)\s+){0,2}",
        r"(?:[가-힣]{1,6}\d{0,2}(?:읍|면|동|가|리)\s+){0,2}",
        r"(?:[가-힣][가-힣0-9·]{0,12}(?:대로|로|길|동|리|가)\s?(?:\d{1,3}(?:번)?길\s?)?)(?:산\s?)?\d{1,5}(?:-\d{1,5})?(?:번지|번길\s?\d{1,4}(?:-\d{1,4})?)?",
        r"(?:,?\s?(?:[가-힣A-Za-z0-9]{0,14}(?:아파트|빌딩|타워|오피스텔|빌라|센터|청사|캠퍼스|단지|마을|행복주택|하이츠|자이|푸르지오|래미안)\s?)*(?:[가-힣A-Za-z]\s?동|[A-Z]?\d{1,4}\s?(?:동|층|호|단지)|지하\s?\d층)(?:\s?\d{1,4}\s?[층호])*)*",
        r"(?:\s?\([가-힣0-9, ]{2,30}(?:동|아파트|가|빌딩|타워)[가-힣0-9, ]{0,20}\))?",
    ))
    .expect("constant pattern")
});

static ENGLISH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?-u:\b)\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:\p{Lu}[\p{L}'’.-]* ){1,4}?(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Crescent|Way|Place|Pl|Square|Terrace|Parkway|Pkwy|Circle|Highway|Hwy)(?-u:\b)\.?",
        r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|No)\.? ?#?\w{1,5})?(?:,?\s\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+)?,?(?: [A-Z]{2})?(?:,? \d{4,5}(?:-\d{4})?)?)?",
        r"|(?-u:\b)P\.? ?O\.? Box \d{1,6}",
    ))
    .expect("constant pattern")
});

/// `lives at 63 Rue …`: from the number to the end of the sentence or line.
static LIVED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?-u:\b)(?:live[sd]?|living|reside[sd]?|residing|moved?|ship(?:ped|ping)?|sent|mail(?:ed)?|deliver(?:ed)?|meet \w+) (?:in|at|to|from):? (?P<v>\d{1,6}[A-Za-z]? (?-i:\p{Lu})[^\n?!.;]{4,80})")
        .expect("constant pattern")
});

/// After `address:` or `주소:`, the rest of the line if a number stands in it.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:(?:자택|거주지|도로명|본점|사업장|현)?\s?주\s?소(?:지)?|소재지|(?-u:\b)(?:home|postal|mailing|private|residential)? ?address)\s?(?:[:：|]|is|was|은|는)\s*(?P<v>[^\n|;]{4,100})")
        .expect("constant pattern")
});

static POSTAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:우편\s?번호|우\)|\(?우|(?-u:\b)zip(?: code)?(?: is)?|postcode|postal code)\s?[:：)]?\s?\(?(?P<v>\d{4,5}(?:-\d{4})?|\d{3}-\d{3}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})(?-u:\b)|[(\[](?P<w>\d{5})[)\]]\s?[가-힣]{2,7}(?:시|도)|(?m:^)(?P<x>\d{5})\s+[가-힣]{2,7}(?:시|도)\s")
        .expect("constant pattern")
});

/// Addresses and postal codes.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |span: Span, label, rule, confidence| found.push(Finding { span, label, rule, confidence });
    for m in KOREAN.find_iter(text) {
        // Without a city or district before it, `제3로 12` may be anything.
        let said = m.as_str();
        let district = |w: &&str| w.ends_with(['시', '군', '구', '도']) || PROVINCES.contains(w);
        let districts = said.split_whitespace().filter(district).count();
        let street = said.contains('로') || said.contains('길');
        if districts > 0 && (street || districts > 1 || said.contains("번지")) {
            add(
                trimmed(text, m.start(), m.end()),
                Label::Address,
                "korean-address",
                if districts > 1 { 0.92 } else { 0.7 },
            );
        }
    }
    for m in ENGLISH.find_iter(text) {
        add(trimmed(text, m.start(), m.end()), Label::Address, "english-address", 0.85);
    }
    for m in LIVED.captures_iter(text).filter_map(|m| m.name("v")) {
        add(trimmed(text, m.start(), m.end()), Label::Address, "lived-at", 0.6);
    }
    for m in NAMED.captures_iter(text).filter_map(|m| m.name("v")) {
        let said = m.as_str();
        if said.chars().any(|c| c.is_ascii_digit())
            && !said.contains('@')
            && !said.contains("://")
            && said.matches('.').count() < 3
        {
            add(trimmed(text, m.start(), m.end()), Label::Address, "named-address", 0.6);
        }
    }
    for m in POSTAL.captures_iter(text).filter_map(|m| ["v", "w", "x"].into_iter().find_map(|g| m.name(g))) {
        add(Span { start: m.start(), end: m.end() }, Label::PostalCode, "postal-code", 0.93);
    }
    found
}

/// Without spaces and marks at the ends.
fn trimmed(text: &str, start: usize, end: usize) -> Span {
    let said = &text[start..end];
    let start = start + (said.len() - said.trim_start().len());
    Span { start, end: start + said.trim().trim_end_matches([',', '.', '(', '/']).trim_end().len() }
}
