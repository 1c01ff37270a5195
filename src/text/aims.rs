//! Does a sentence say what was meant to be, or what came out? And which of the two does a question ask for?
//!
//! By the words of research reports in both languages: `목표는 …이다`, `…하고자 한다`, `we aim to`; a sentence that also says that
//! the aim was reached or missed tells a result.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::coverage::Coverage;

static AIM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)목표(는|로|를|치는|값은)|목적(은|으로|을)|고자\s?(한다|하였다|했다|함|하며)|할\s?(계획|예정)|(하|얻|만드|높이|낮추|줄이|막)는\s?것(이다|을)\s?|개발한다|확보한다|검증한다|\b(we|this project|the project|it)\s+(aims?|intends?|plans?|seeks?|will)\b|\b(aims?|aimed|goals?|objectives?)\s+(is|are|was|to|of)\b|\btargets?\s+(is|are|was|were|of)\b|\b(is|are) (planned|expected) to\b|\bwill be\b",
    )
});
/// The aim is spoken of from the other end.
static REACHED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)달성하였|달성했|달성되|넘었|넘어섰|초과하였|초과했|상회|만족하였|만족했|못\s?미쳤|미달|이루었|이뤘|(이루|달성하|만족하|도달하)지\s?못|도달하였|도달했|\b(reached|exceeded|achieved|attained|met|missed|fell short)\b",
    )
});
static AIM_HEADING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^[\d.\s]*(aims?|objectives?|goals?|(연구|과제|개발|최종)?\s?(목표|목적))\s*$"));
static RESULT_ASKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)달성|결과|성과|실제로|\b(was|were|did|achieved|reached|obtained|attained|measured|results?|outcome)\b",
    )
});
static AIM_ASKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)목표|목적|계획|예정|\b(aims?|goals?|objectives?|targets?|targeted|planned|plans?|intend(s|ed)?)\b")
});

/// What `question` asks, taken apart as `coverage`, without the verbs of reaching: every aim has them, whatever it is about.
pub fn without_reaching(question: &str, coverage: &Coverage) -> Coverage {
    const REACHING: [&str; 7] = ["reach", "achiev", "attain", "obtain", "달성", "도달", "얻"];
    let word = |span: &Range<usize>| question.get(span.clone()).unwrap_or_default().to_lowercase();
    let bare = coverage.reweighed(|span| f32::from(u8::from(!REACHING.iter().any(|r| word(span).starts_with(r)))));
    if bare.is_empty() { coverage.clone() } else { bare }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// True for a question that asks what came out, not what was meant to.
pub fn asks_for_a_result(question: &str) -> bool {
    (RESULT_ASKED.is_match(question) || is_past(question)) && !AIM_ASKED.is_match(question)
}

/// True where a Korean verb asks in the past: a syllable that ends in ㅆ before `나`, `는가`, `습니까` … (`있나`, `겠나` are none).
fn is_past(question: &str) -> bool {
    const SYLLABLES: std::ops::RangeInclusive<char> = '가'..='힣';
    let ends_in_past =
        |c: char| SYLLABLES.contains(&c) && (c as u32 - '가' as u32) % 28 == 20 && !matches!(c, '있' | '겠');
    let asks = |c: char| matches!(c, '나' | '는' | '습' | '을' | '지' | '니' | '어');
    question.chars().zip(question.chars().skip(1)).any(|(c, next)| ends_in_past(c) && asks(next))
}

/// True for a sentence that says what was meant to be: in its own words, or right under a heading of aims (`heading`: outermost
/// first, joined by ` > `; facts of the document may follow behind ` | `).
pub fn states_an_aim(sentence: &str, heading: &str) -> bool {
    let path = heading.split(" | ").next().unwrap_or_default();
    let last = path.rsplit(" > ").next().unwrap_or_default();
    (AIM.is_match(sentence) || AIM_HEADING.is_match(last)) && !REACHED.is_match(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_and_results_are_told_apart_in_both_languages() {
        for aim in [
            "최종 목표는 500회 수명을 얻는 것이다.",
            "초기 쿨롱 효율을 90 % 이상으로 올려 쓰는 것이 목표이며 리튬을 보충하고자 한다.",
            "The project aims to reach 90 % efficiency.",
            "The target is 400 Wh/kg.",
            "A second kiln will be built.",
        ] {
            assert!(AIM.is_match(aim), "{aim}");
        }
        for result in [
            "가압 3 MPa에서 500회 유지율은 80.7 %로 최종 목표 80 %를 넘었다.",
            "The target of 90 % was missed by two points.",
            "The sputtering target cracked.",
            "효율은 91.8 %로 올랐다.",
            "수뢰부를 벗어난 낙뢰는 120회 가운데 5회(4.2 %)로, 목표를 이루지 못하였다.",
            "목표는 달성하지 못했다.",
        ] {
            assert!(!states_an_aim(result, ""), "{result}");
        }
        assert!(states_an_aim("쿨롱 효율을 90 %로 올린다.", "음극 과제 > aim | 다온셀테크 | 2018"));
        assert!(states_an_aim("Losses below 5 %.", "Kilns > 2. Objectives"));
        assert!(!states_an_aim("효율은 91.8 %였다.", "음극 과제 > result"));
        assert!(!states_an_aim("Two pads were replaced.", "1. Objective > 3. Discussion | Orvik"));
    }

    #[test]
    fn a_question_for_what_was_reached_is_not_one_for_the_aim() {
        assert!(asks_for_a_result("초기 효율은 얼마였나?") && asks_for_a_result("What efficiency was achieved?"));
        assert!(asks_for_a_result("수율은 얼마까지 올랐나?"), "an ending of the past");
        assert!(
            !asks_for_a_result("초기 효율의 목표는 얼마였나?") && !asks_for_a_result("What was the target efficiency?")
        );
        assert!(!asks_for_a_result("두께는 얼마인가?") && !asks_for_a_result("What is the thickness?"));
    }
}
