//! Which part of a sentence says what is wanted, and which only that something is?
//!
//! In: a sentence of a need. Out: the part that says what: without `We are looking for a partner who can …` before it, or
//! `… 할 수 있는 기관을 찾습니다` behind it. By the form of such sentences, at their ends only: English says first that it wants,
//! Korean last. How rare a word is cannot tell: nobody's project says `누군가`, nor what nobody has done.

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

#[cfg(test)]
mod tests {
    use super::*;

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
