//! Which part of a sentence says what is wanted, and which only that something is?
//!
//! In: a sentence of a need. Out: the part that says what: without `We are looking for a partner who can …` before it, or
//! `… 할 수 있는 기관을 찾습니다` behind it. By the form of such sentences, at their ends only: English says first that it wants,
//! Korean last. How rare a word is cannot tell: nobody's project says `누군가`, nor what nobody has done. And which sentence of a
//! call says only when, where and how to apply?

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::text::analyse;

/// Who wants, that he wants, and whom: a person or body counts as framing only where a word joins what it is to do.
static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?xi)^\W*(?:
            (?:(?:we|i|(?:our|the|this)\s+company)(?:\s*(?:['’]re|are|am|is|have|has|do|also|now|still|currently|urgently))*\s*)?
            \b(?:needs?|requires?|wants?|wanted|wish(?:es)?|(?:would|['’]d)\s+like|seeks?|seeking|looks?\s+for|looking\s+for|search\s+for
                |searching\s+for|in\s+(?:need|search)\s+of|(?:is|are)\s+there)(?:\s*:\s*|\s+)
            (?:to\s+(?:(?:find|identify|hire|contact|engage|meet)\s+)?)?
            (?:(?:(?:an?|the|some|any|one|other)\s+)?
               (?:(?:research|technology|development|industrial|academic|external|suitable|qualified|experienced)\s+)*
               (?:someone|somebody|anyone|anybody|people|partners?|institut(?:e|ion)s?|organi[sz]ations?|compan(?:y|ies)|firms?
                 |suppliers?|providers?|contractors?|experts?|specialists?|researchers?|groups?|teams?|labs?|laborator(?:y|ies)
                 |universit(?:y|ies)|help|support|expertise|experience)
               (?:\s+(?:who|that|which|with|for|to|in|on|of|can|could|is|are|has|have|able|capable|experienced|expertise
                 |experience|skilled|knowledge))+\s+)?
            |(?:당사|저희|우리)\s?(?:회사|기관|연구소)?(?:는|은|가|에서는|에서)\s+
        )",
    )
});
/// Whom one wants, and that one wants, up to the end of the sentence.
static TAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?xi)(?:
            \s+(?:is|are)\s+(?:urgently\s+)?(?:needed|required|wanted|sought)
            |(?:^|\s+)
             (?:(?:(?:수|있는|해\s?줄|할|하는|맡을|맡아\s?줄|수행할|가능한|보유한|가진|갖춘|도와줄|도울|함께\s?할|적합한|경험[이을]?|역량[이을]?
                  |능력[이을]?|공동|협력|전문|연구|수행)\s+)*
                (?:전문|연구|협력|수행|공급|제조)?(?:기관|기업|업체|회사|연구실|연구소|연구진|연구팀|연구자|전문가|파트너|협력사|공급사|대학교?|곳|팀|분
                  |사람|누군가)[이가을를은는도]?\s*)?
             (?:찾(?:습니다|는다|고\s*있\S*|고\s*싶\S*|아요|음)
               |구(?:합니다|한다|하고\s*있\S*|해요|함)
               |(?:필요(?:로\s*)?|원|희망|모집|요청|의뢰|부탁|요구)(?:합니다|한다|하다|하고\s*있\S*|됩니다|된다|드립니다|해요|함|중)
               |바(?:랍니다|란다)
               |싶(?:습니다|다|어요|음)
               |있(?:습니까|나요|을까요|는가))
        )[\s.!?。…~]*$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// The part of a sentence that says what is wanted (bytes of it); all of it where nothing else would be left.
pub(super) fn wanted(sentence: &str) -> Range<usize> {
    let start = HEAD.find(sentence).map_or(0, |found| found.end());
    let end = TAIL.find(&sentence[start..]).map_or(sentence.len(), |found| start + found.start());
    let says_something = analyse(&sentence[start..end]).iter().any(|term| term.weight >= 1.0);
    if says_something { start..end } else { 0..sentence.len() }
}

/// A sentence on applying says one of these.
static APPLYING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?xi)접수|마감|신청|제출|(?-u:\b)(?:deadlines?|closing\ date|submissions?|submit(?:ted)?|appl(?:y|ications?)|due)(?-u:\b)",
    )
});
/// Beginnings of Korean words on when, where and how to apply.
const APPLYING_KO: &str = "접수 마감 신청 제출 기한 기간 일정 일시 시각 오전 오후 자정 정오 까지 부터 이전 이후 이내 공고 공모 과제 사업 연구개발계획서 연구계획서 계획서 \
    제안서 서류 양식 서식 첨부 붙임 별첨 온라인 인터넷 전산 시스템 누리집 홈페이지 웹사이트 전자우편 이메일 메일 우편 등기 방문 직접 전자문서 공문 문의 \
    담당 통해 통하여 따라 대로 하여 한다 합니다 해야 바랍 바란다 받는다 받습니다 받지 된다 됩니다 이다 입니다 있다 있습니다 않는다 않습니다 가능 불가 도착 소인 \
    한함 한하 유효 기준 반드시 모든 모두 또는";
/// English words on the same.
const APPLYING_EN: &str = "a an all and any apply applicant applicants application applications are as at be before by call calls close closes closing \
    complete completed date deadline deadlines documents due electronic electronically email end ends for forms form from full in is it later local mail \
    may midnight must no noon not of on online only open opens or our page portal post proposal proposals received shall should site submission \
    submissions submit submitted system than the their them they this through time to until via web website will with your you \
    am pm cet cest utc gmt kst january february march april may june july august september october november december jan feb mar apr jun jul aug \
    sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday";
/// Words that say something else may be so many: the name of a site.
const OTHER_WORDS: usize = 1;

/// True for a sentence of a call that says only when, where and how to apply.
pub(super) fn is_on_applying(sentence: &str) -> bool {
    if !APPLYING.is_match(sentence) {
        return false;
    }
    let lower = sentence.to_lowercase();
    let is_on_it = |word: &&str| {
        let is_short = word.chars().nth(1).is_none();
        is_short
            || word.contains(|c: char| c.is_ascii_digit())
            || APPLYING_KO.split_whitespace().any(|begin| word.starts_with(begin))
            || APPLYING_EN.split_whitespace().any(|known| *word == known)
    };
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| !is_on_it(word)).count() <= OTHER_WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_and_where_to_apply_is_told_from_what_is_to_be_done() {
        for sentence in [
            "신청서는 2026년 3월 2일부터 3월 27일 18시까지 온라인으로 접수한다.",
            "제출 기한: 2026. 5. 8.(금) 오후 6시",
            "The deadline for submission is 12 June 2026, 17:00 CET.",
            "Proposals must be submitted through the portal by noon on 3 May.",
        ] {
            assert!(is_on_applying(sentence), "{sentence}");
        }
        for sentence in [
            "시제품과 내구 시험 성적서를 2차년도에 제출하여야 한다.",
            "신청 과제는 저온에서 굳는 접착제를 다루어야 한다.",
            "Coatings are applied by slot die at 20 m/min.",
            "Submitted samples are aged in brine for 500 hours.",
            "블레이드 결빙을 멀리서 감지하는 기술을 개발한다.",
            "",
        ] {
            assert!(!is_on_applying(sentence), "{sentence}");
        }
    }

    #[test]
    fn what_is_wanted_is_left_without_that_it_is_wanted() {
        for (sentence, part) in [
            ("We need someone for dry electrode coating.", "dry electrode coating."),
            ("We're looking for a research partner who can recycle spent membranes.", "recycle spent membranes."),
            ("Seeking experts in brine chemistry", "brine chemistry"),
            ("We’d like to weave curved ribs", "weave curved ribs"),
            ("Our company would like to coat thick films", "coat thick films"),
            ("Is there a lab that can weave curved ribs?", "weave curved ribs?"),
            ("A coating line for dry electrodes is needed.", "A coating line for dry electrodes"),
            ("건식 전극을 코팅할 수 있는 기관을 찾습니다.", "건식 전극을 코팅할"),
            ("당사는 폐막을 되살리는 전문업체를 구합니다", "폐막을 되살리는"),
            ("용융염으로 양극재를 재생하고 싶다", "용융염으로 양극재를 재생하고"),
            ("농축수 처리를 맡을 기관을 찾는다.", "농축수 처리를"),
            ("결빙을 멀리서 감지하는 기술이 필요하다.", "결빙을 멀리서 감지하는 기술이"),
        ] {
            assert_eq!(&sentence[wanted(sentence)], part);
        }
    }

    #[test]
    fn what_is_wanted_itself_stays() {
        for (sentence, part) in [
            ("We need a coating line for dry electrodes", "a coating line for dry electrodes"),
            ("We need a catalyst", "a catalyst"),
            ("We need support structures for printed bridges.", "support structures for printed bridges."),
            ("수소 저장 기술 개발 업체를 찾습니다", "수소 저장 기술 개발"),
        ] {
            assert_eq!(&sentence[wanted(sentence)], part);
        }
        for sentence in [
            "The need for speed grew.",
            "Membranes that need no cleaning",
            "Need-based watering of orchards",
            "돛을 미는 강한 바람",
            "필요한 압력은 3 MPa이다.",
            "해안에서 잃은 것을 찾아 주는 부표",
            "수소 충전소 부지를 지원합니다.",
            "기관을 찾습니다.",
            "",
        ] {
            assert_eq!(wanted(sentence), 0..sentence.len(), "{sentence}");
        }
    }
}
