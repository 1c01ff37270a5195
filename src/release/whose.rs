//! Whose height, weight or age is it: a person's, or that of an animal, a plant, a column, a cheese?
//!
//! What stands nearest decides, within the sentence: a name or a word for a person, or the word for a thing. Where the sentence has
//! neither, the value is a person's in a form (`키: 175 cm`) of a text that names somebody, beside the other measure of a body
//! (`키 168cm, 몸무게 58kg`), and as `만 34세`, which is said of persons only.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Label};
use crate::document::Span;

/// Bytes of a sentence that are looked at before and behind a value.
const SENTENCE: usize = 400;
/// Bytes above the line of a form in which whoever or whatever it is about is looked for first.
const ABOVE: usize = 300;
/// Bytes behind a value in which it may be said whose it is.
const BEHIND: usize = 60;
/// Words between an age before its noun and that noun (`a 25-year-old sourdough starter`), at most.
const TO_NOUN: usize = 5;
/// A name that is less sure is none here.
const SURE: f64 = 0.6;

static PERSON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)(?:^|[^변전])환자|피험자|대상자|수검자|참가자|참여자|지원자|응시자|신청인|신청자|청구인|신고인|신고자|진술인|면담자|피보험자|가입자
        |계약자|근로자|작업자|직원|고객|회원|보호자|보행자|운전자|목격자|실종자|피해자|가해자|용의자|수험자|수혜자|입주자|세입자|임차인|임대인
        |매도인|매수인|학생|원아|아동|신생아|아기|임산부|임신부|어르신|노인|사람|성명|성함|이름|체격|인상착의|혈압|검진|진료|체질량|아버지|어머니
        |(?:^|[^가-힣])(?:소아|유아|영아|성인|남성|여성|남자|여자|성별|신체|산모|본인|사원|원고|피고|저는|제가|아들)
        |(?:^|[^가-힣])(?:남|여|男|女)(?:[^가-힣]|$)
        |(?-u:\b)(?:bmi|patients?|participants?|volunteers?|subjects|subject['’]s|the\ subject|s?he|his|her|him|i['’](?:m|ll|ve)
            |i\ (?:am|was|just|will|turn(?:ed)?)|my|m[ae]n|wom[ae]n|males?|females?|boys?|girls?|child(?:ren)?|infants?|toddlers?|adults?
            |students?|pupils?|employees?|applicants?|candidates?|workers?|residents?|drivers?|passengers?|victims?|suspects?|donors?
            |brother|sister|father|mother|son|daughter|wife|husband|people|persons?|mrs?|ms|miss)(?-u:\b)",
    )
    .expect("constant pattern")
});
static THING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)젖소|한우|육우|착유우|건유우|송아지|암소|가축|축우|돼지|자돈|모돈|비육|육계|산란계|병아리|오리|염소|산양|면양|반려견|강아지|고양이
        |마우스|생쥐|흰쥐|랫드|래트|토끼|비글|원숭이|동물|어류|물고기|넙치|개체|공시축|작물|식물|초장|묘목|나무|수목|모종|유묘|옥수수|토마토
        |딸기|상추|종자|버섯|치즈|요구르트|발효유|와인|균주|종균|스타터|효모|컬럼|칼럼|기둥|탱크|반응기|거품|포말|시편|로봇|드론
        |(?:^|[^가-힣])(?:소|닭|쥐|벼|밀|탑)(?:은|는|이|가|의|도)?(?:[^가-힣]|$)
        |(?-u:\b)(?:cows?|cattle|cal(?:f|ves)|heifers?|steers?|bulls?|pigs?|piglets?|sows?|hens?|chickens?|broilers?|poultry|sheep|ewes?
            |lambs?|goats?|horses?|dogs?|cats?|mice|mouse|rats?|rabbits?|monkeys?|animals?|livestock|herds?|fish|salmon|shrimps?|plants?
            |trees?|crops?|seedlings?|shoots?|leaf|leaves|grass|maize|wheat|rice|barley|tomato(?:es)?|cheeses?|yogh?urts?|whiske?ys?
            |wines?|beers?|cultures?|starters?|strains?|yeasts?|foams?|froth|columns?|tanks?|reactors?|bioreactors?|vats?|concrete|mortar
            |timber|soil|compost|catalysts?|membranes?|specimens?|robots?|drones?)(?-u:\b)",
    )
    .expect("constant pattern")
});
/// A sentence, or the line of a form, up to its value: nothing but what is measured.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^[^가-힣a-z\n]*(?:\[?[가-힣]{1,8}\]?\s?[:：\]]\s?)?(?:만\s?)?(?:(?:성별|키|신장|체중|몸무게|나이|연령|sex|gender|age|height|weight|body ?weight)\s?[/·,|]?\s?)+(?:\([^)\n]{0,8}\))?\s?[:：|]?\s?(?:약\s?|만\s?)?$",
    )
    .expect("constant pattern")
});
static END: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[.!?。]\s|\n").expect("constant pattern"));
static TITLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[^a-z])(?:mrs?|ms|dr|prof|no|vs|st)$").expect("constant pattern"));
static TALL: LazyLock<Regex> = LazyLock::new(|| Regex::new("키|신장").expect("constant pattern"));
static HEAVY: LazyLock<Regex> = LazyLock::new(|| Regex::new("체중|몸무게").expect("constant pattern"));
static HEIGHT: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?i)height").expect("constant pattern"));
static YEAR_OLD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^[- ]years?[- ]old").expect("constant pattern"));
/// What makes the name before it the owner of what follows.
static OWNS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:['’]s|\s?[,:(|])").expect("constant pattern"));

/// Somebody or something that is named.
struct Mark {
    span: Span,
    is_person: bool,
    /// Of a name: it owns what follows. Whoever is named in a sentence may be the one who measured.
    owns: bool,
}

/// Leaves out the heights, weights and ages that are no person's.
pub(super) fn keep_personal(text: &str, found: &mut Vec<Finding>) {
    if !found.iter().any(|f| is_of_body(f.label)) {
        return;
    }
    let named: Vec<Span> = found.iter().filter(|f| tells_who(f)).map(|f| f.span).collect();
    let marks = marks(text, &named);
    found.retain(|f| !is_of_body(f.label) || is_personal(text, f, &marks, !named.is_empty()));
}

fn is_of_body(label: Label) -> bool {
    matches!(label, Label::Height | Label::Weight | Label::Age)
}

fn tells_who(finding: &Finding) -> bool {
    match finding.label {
        Label::Person => finding.confidence >= SURE,
        Label::Rrn
        | Label::Frn
        | Label::Ssn
        | Label::Passport
        | Label::DriverLicense
        | Label::DtBirth
        | Label::MedicalInsurance
        | Label::Nationality => true,
        _ => false,
    }
}

/// In the order of the text.
fn marks(text: &str, named: &[Span]) -> Vec<Mark> {
    let of = |pattern: &'static Regex, is_person| {
        let span = |m: regex::Match<'_>| Span { start: m.start(), end: m.end() };
        pattern.find_iter(text).map(move |m| Mark { span: span(m), is_person, owns: true })
    };
    let mut out: Vec<Mark> = of(&PERSON, true).chain(of(&THING, false)).collect();
    out.extend(named.iter().map(|&span| Mark { span, is_person: true, owns: OWNS.is_match(&text[span.end..]) }));
    out.sort_by_key(|m| (m.span.start, m.span.end));
    out
}

fn is_personal(text: &str, finding: &Finding, marks: &[Mark], is_anybody_named: bool) -> bool {
    let Span { start, end } = finding.span;
    let (begin, stop) = (sentence_start(text, start), sentence_end(text, end));
    let sentence = &text[begin..stop];
    let of_anything = finding.label == Label::Height && HEIGHT.is_match(&text[begin..start]);
    let counts = |m: &&Mark| m.owns || !of_anything;
    let first_behind = marks.partition_point(|m| m.span.start < end);
    let nearest_before = |at: usize, from: usize| {
        let before = marks[..marks.partition_point(|m| m.span.start < at)].iter().rev();
        before.take_while(|m| m.span.start >= from).filter(|m| m.span.end <= at).find(counts)
    };
    let behind = marks[first_behind..].iter().find(counts).filter(|m| m.span.start < stop);
    if finding.label == Label::Age
        && YEAR_OLD.is_match(&text[end..])
        && let Some(noun) = behind.filter(|m| text[end..m.span.start].split_whitespace().count() <= TO_NOUN)
    {
        return noun.is_person;
    }
    let near = nearest_before(start, begin).or(behind.filter(|m| m.span.start - end <= BEHIND));
    if let Some(near) = near {
        return near.is_person;
    }
    if finding.label == Label::Age && text[start..end].starts_with('만') {
        return true;
    }
    if finding.label != Label::Age && TALL.is_match(sentence) && HEAVY.is_match(sentence) {
        return true;
    }
    let above = || nearest_before(begin, begin.saturating_sub(ABOVE)).is_none_or(|m| m.is_person);
    FORM.is_match(&text[begin..start]) && is_anybody_named && above()
}

/// Where the sentence or line begins in which `at` stands.
fn sentence_start(text: &str, at: usize) -> usize {
    let from = text.floor_char_boundary(at.saturating_sub(SENTENCE));
    let is_end = |m: &regex::Match<'_>| !(m.as_str().starts_with('.') && TITLE.is_match(&text[from..from + m.start()]));
    END.find_iter(&text[from..at]).filter(is_end).last().map_or(from, |m| from + m.end())
}

fn sentence_end(text: &str, at: usize) -> usize {
    let to = text.floor_char_boundary((at + SENTENCE).min(text.len()));
    END.find(&text[at..to]).map_or(to, |m| at + m.start())
}

#[cfg(test)]
mod tests {
    use crate::release::find;

    fn of_bodies(text: &str) -> Vec<String> {
        let found = find(text).into_iter().filter(|f| super::is_of_body(f.label));
        found.map(|f| format!("{}:{}", f.label.name(), f.span.slice(text))).collect()
    }

    #[test]
    fn heights_weights_and_ages_of_things_are_nobodys() {
        for text in [
            "The antifoam lowered the froth height from 38 cm to 12 cm.",
            "Packing height is 120 cm; Dr. Lee set a liquid height of 95 cm.",
            "연구책임자: 김하늘\n\n벼의 키 92 cm와 이삭 길이를 쟀다. 착유우 체중 640 kg, 나이 48개월이었다.",
            "성명: 김하늘\n역할: 사양 시험\n\n공시축 6두\n체중: 612 kg\n나이: 30개월",
            "Whisky aged 12 years and a hard cheese aged 18 months were compared.",
            "Mr. Novak keeps a 30-year-old sourdough starter.",
            "The drum turned 90 times. 차세대(5세대) 통신을 쓴다.",
        ] {
            assert_eq!(of_bodies(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn those_of_a_person_are_found_in_sentences_and_forms() {
        for (text, found) in [
            ("환자는 신장 171cm, 체중 66kg이다.", &["HEIGHT:171cm", "WEIGHT:66kg"][..]),
            ("성명: 김하늘\n나이: 34세\n키: 175 cm\n체중: 70 kg", &["AGE:34세", "HEIGHT:175 cm", "WEIGHT:70 kg"]),
            ("Patient: body weight 72 kg, height 181 cm", &["WEIGHT:72 kg", "HEIGHT:181 cm"]),
            ("Name: Nora Lind\nAge: 34\nHeight: 168 cm", &["AGE:34", "HEIGHT:168 cm"]),
            ("오늘 재 보니 키 168cm, 몸무게 58kg이었다.", &["HEIGHT:168cm", "WEIGHT:58kg"]),
            ("저는 만 29세이며 부산에 산다. 올해 만 30세가 된다.", &["AGE:만 29세", "AGE:만 30세"]),
            ("신고인: 김하늘 (남, 41세)", &["AGE:41세"]),
            ("The cheese was tasted by a 52-year-old woman; she turned 53.", &["AGE:52", "AGE:53"]),
        ] {
            assert_eq!(of_bodies(text), found, "{text}");
        }
    }
}
