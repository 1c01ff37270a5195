//! Does a sentence say what was meant to be, or what came out? And which of the two does a question ask for?
//!
//! By the words of research reports in both languages: `목표는 …이다`, `…하고자 한다`, `we aim to`; a sentence that also says that
//! the aim was reached or missed tells a result.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::coverage::Coverage;
use super::rows;

static AIM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)목표(치|값)?(는|은|로|를|을|이다|이며|이고|이었|였|임|입니다|다\b)|목표\s[가-힣]+[은는]\s|목적(은|으로|을|이다|이며|이고|임|입니다)",
        // Wanting: `…고자 한다`, `…려(고) 한다`; a document that is considered (`고려한다`) wants nothing.
        r"|고자\s?(한다|합니다|하였|했|함|하며|하고\s?있|하는\s?것)",
        r"|(려고\s?|[가-힣]{2}려\s|\b하려\s)(한다|합니다|하였|했|함|하며|하고\s?있)",
        // Planning and expecting.
        r"|할\s?(계획|예정|것이다|것임|것입니다)|(계획|방침|예정|전망)(이다|이며|이고|이었|임|입니다)",
        r"|것으로\s?(기대|예상|전망)[되된됨됩하한함합]|겠(다|습니다)\W*$",
        r"|(하|얻|만드|높이|낮추|줄이|막)는\s?것(이다|을)\s?|개발한다|확보한다|검증한다",
        r"|\b(we|it|project|study|work|programme?|consortium|team)\s+(aims?|intends?|plans?|seeks?|targets?|will|shall)\b",
        r"|\b(aims?|aimed|aiming|intends?|plans?|seeks?|sought|hopes?|proposes?|goals?|objectives?)\s+to\b",
        r"|\baims?\s+(at|for)\b|\bwe\s+(intend|plann|propos|hop)ed\s+to\b",
        r"|\b(aims?|aimed|goals?|objectives?)\s+(is|are|was|were|of)\b|\bpurpose\s+(is|was)\b|\btargets?\s+(is|are|was|were|of)\b",
        r"|\b(is|are|was|were)\s+(planned|expected|intended|scheduled|projected|anticipated|meant)\s+(to|for)\b",
        r"|\b(is|are|was|were)\s+(yet\s+)?to\s+be\b|\b(is|are)\s+to\s+(reach|achieve|attain|exceed|demonstrate)\b|\bwill be\b",
    ))
});
/// A line that is labelled so: `최종목표: …`, `| Target | …`.
static AIM_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^\W*(\w+\s?){0,2}?(목표|목적|aims?|objectives?|goals?|targets?)\s?(치|값|내용)?\s?[:：|]")
});
/// … but what came out follows beside it: `목표: 90 % | 실적: 86 %`.
static RESULT_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)[|;,]\s*(최종\s?)?(실적|결과|성과|달성|results?|actual|achieved|outcomes?)\s?(치|값|내용)?\s?[:：|]")
});
/// The aim is spoken of from the other end.
static REACHED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)(달성|초과|만족|충족|도달)(하였|했|되었|됐|됨|된\s|되어\s)|넘었|넘겼|넘어섰|상회|못\s?미쳤|미달|이루었|이뤘|이루어졌",
        r"|(이루|달성하|달성되|만족하|충족하|도달하)지\s?못|목표\s?(달성(률|율|도)|대비)",
        r"|(목표로|목적으로|예정|계획|려고?|고자)\s?(이었|였|하였|했)(으나|지만|는데)",
        r"|\b(reached|exceeded|achieved|attained|met|missed|fell short)\b",
        r"|\b(aimed|planned|intended|hoped|sought)\b.*\b(but|yet|however)\b",
    ))
});
/// … but is still ahead.
static TO_BE_REACHED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(to|will|shall|should|must|can|may)\s+be\s+(reached|exceeded|achieved|attained|met)\b")
});
/// What was looked into, or is not known: where a study begins, not what it found.
static LOOKED_INTO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        // A purpose that is a sentence: `To determine whether …`, as abstracts begin.
        r"(?i)^\W*(in order )?to\s+(\w+ly\s+|further\s+|better\s+)?(evaluate|determine|examine|assess|investigate|compare|identify|analy[sz]e",
        r"|study|describe|test|explore|report|review|characteri[sz]e|clarify|establish|understand|define|estimate|measure|quantify",
        r"|validate|verify|find out|elucidate|ascertain|document|present)\b",
        r"|\b(this|our|the (present|current))\s+(\w+\s+)?(study|work|paper|trial|project|analysis|survey|article|report|review)\s+(\w+ly\s+)?",
        r"(was designed|aims?|aimed|examine[sd]?|investigate[sd]?|evaluate[sd]?|assess(es|ed)?|explore[sd]?|analy[sz]e[sd]?|stud(ied|ies)",
        r"|compare[sd]?|asks?|asked|sought|set out|measure[sd]?|reviews?|reviewed|describes?)\b",
        r"|\bwe\s+(\w+ly\s+|then\s+|also\s+|therefore\s+|here\s+)?(aim(ed)?|examined?|investigated?|evaluated?|assess(ed)?|explored?|asked|sought",
        r"|set out|hypothesi[sz]ed?|wondered)\b",
        r"|\b(we|study|studies|work|paper|trial|project|authors)\s+(then\s+|also\s+)?(analy[sz]ed?|tested?|stud(y|ied))\b",
        r".*\b(whether|if|(the|its|their)\s+([\w-]+\s+)?(effects?|roles?|impact|association|relation\w*|influence|value|prevalence|efficacy|feasibility|use|ability))\b",
        r"|\b(is|are|remains?|remained)\s+(still\s+|largely\s+|yet\s+)?(unclear|unknown|uncertain|controversial|debated|disputed|poorly understood|to be (shown|seen|determined|established))\b",
        r"|\b(has|have)\s+(yet\s+to|(not|never)\s+(yet\s+)?)\s*be(en)?\s+(fully\s+)?(explored|studied|investigated|examined|determined|established|clarified|reported|evaluated)\b",
        r"|\blittle is known\b|(여부를|영향을|효과를)\s+(조사|검토|평가|분석|확인)하(였다|고자|기\s?위)|(밝혀|알려)(지지|져\s?있지)\s?않|알려진\s?바\s?없|논란이",
    ))
});
/// What came out.
static FOUND: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)\bsignifican(t|tly|ce)\b|\bno\s+(\w+\s+){0,2}(difference|evidence|association|correlation|effect|change|increase|decrease|relationship|benefit)s?\b",
        r"|\b(was|were|is|are)\s+(\w+\s+)?(associated|correlated|related|higher|lower|greater|more|less|fewer|better|worse|superior|inferior",
        r"|similar|comparable|effective|equivalent|increased|decreased|reduced|improved|found|observed|detected|longer|shorter|larger|smaller|common|different)\b",
        r"|\b(increased|decreased|improved|reduced|rose|fell|declined|dropped|showed|demonstrated|revealed|indicated|suggest(s|ed)?|found that",
        r"|resulted|led to|yielded|predicted|correlated|differed|exceeded|achieved|reached|did not)\b",
        r"|\bp\s?[<=>]\s?0?\.\d|\b(odds|hazard) ratio\b|\b95\s?%\s?(CI|confidence)\b",
        // A figure that was: `열수축은 3.2 %였다`.
        r"|\d[^.]{0,24}(였다|이었다|였으며|이었으며)|나타났|보였다|확인되었|밝혀졌|관찰되었|증가하였|감소하였|높았|낮았|컸다|작았|개선되었|향상되었|유의한|유의하게|차이가\s?없|달성하였|얻었|늘었|줄었|올랐|떨어졌",
    ))
});
static AIM_HEADING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^[\d.\s]*(\w+\s+){0,2}(aims?|objectives?|goals?)(\s+(and|&)\s+(aims?|objectives?|goals?|scope))?(\s+of\s.*)?\s*$",
        r"|(목표|목적)(\s?내용|\s?(및|와|과|·|,)\s?(내용|필요성|범위|배경|목적|목표|개요))?\s*$",
        r"|^[\d.\s]*(기대\s?(효과|성과)|expected\s+(results?|outcomes?|effects?|impacts?|benefits?))",
    ))
});
/// `3. 결과`, `Results and discussion`, `Main findings`.
static RESULT_HEADING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)^[\d.\s]*(\w+\s+){0,2}(results?|findings?|conclusions?)(\s+(and|&)\s+\w+)?\s*$",
        r"|^[\d.\s]*([가-힣]+\s?){0,2}(결과|성과|결론)(\s?(및|와|과|·|,)\s?[가-힣]+)?\s*$",
    ))
});
/// … and such that results follow: `Progress towards objectives`.
static REACHED_HEADING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(towards?|against|versus|vs)\b|\b(achiev|attain|fulfil)\w*\s+of\b"));
static AIM_NAMED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)목표|목적|\b(aims?|goals?|objectives?|targets?)\b"));
static RESULT_ASKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)달성|결과|성과|실적|실제|실측|\b(was|were|did|achieved|reached|obtained|attained|measured|results?|outcomes?)\b",
        r"|\bactual(ly)?\b|\b(has|have|had)\b.*\bbeen\b",
    ))
});
static AIM_ASKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)목표|목적|계획|예정|\b(aims?|goals?|objectives?|targets?|targeted|planned|plans?|intend(s|ed)?)\b",
        r"|(기대|예상)\s?(성과|결과)[은는이가]?\s*(무엇|[?？]|$)|\bwhat\s+(\w+\s+)?(is|are)\s+(the\s+)?expected\b",
    ))
});
/// Beside [`REACHED`], what asks whether an aim was reached: `목표를 달성하지 …`, `Did it meet its target?`
static REACHING_ASKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)(달성|도달|충족|만족)(하|되)지",
        r"|\b(did|has|have|was|were)\b.*\b(reach|achieve|attain|meet|exceed|miss)\b.*\b(aims?|goals?|objectives?|targets?)\b",
    ))
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

/// True for a question that asks what came out, not what was meant to: whether an aim was reached, too.
pub fn asks_for_a_result(question: &str) -> bool {
    asks_whether_reached(question)
        || ((RESULT_ASKED.is_match(question) || is_past(question)) && !AIM_ASKED.is_match(question))
}

/// True for a question, or a part of one, that asks what was meant to be.
pub fn asks_for_an_aim(question: &str) -> bool {
    AIM_ASKED.is_match(question) && !asks_whether_reached(question)
}

fn asks_whether_reached(question: &str) -> bool {
    AIM_NAMED.is_match(question) && (is_reached(question) || REACHING_ASKED.is_match(question))
}

fn is_reached(text: &str) -> bool {
    REACHED.is_match(&TO_BE_REACHED.replace_all(text, ""))
}

/// True where a Korean verb asks in the past: a syllable that ends in ㅆ before `나`, `는가`, `습니까` … (`있나`, `겠나` are none).
fn is_past(question: &str) -> bool {
    const SYLLABLES: std::ops::RangeInclusive<char> = '가'..='힣';
    let ends_in_past =
        |c: char| SYLLABLES.contains(&c) && (c as u32 - '가' as u32) % 28 == 20 && !matches!(c, '있' | '겠');
    let asks = |c: char| matches!(c, '나' | '는' | '습' | '을' | '지' | '니' | '어' | '던' | '냐' | '죠');
    question.chars().zip(question.chars().skip(1)).any(|(c, next)| ends_in_past(c) && asks(next))
}

/// True for a sentence that says what was meant to be: in its own words, or right under a heading of aims (`heading`: outermost
/// first, joined by ` > `; facts of the document may follow behind ` | `).
pub fn states_an_aim(sentence: &str, heading: &str) -> bool {
    let last = last_heading(heading);
    let is_below_aims = AIM_HEADING.is_match(last) && !REACHED_HEADING.is_match(last) && !is_reached(last);
    let is_labelled = AIM_LABEL.is_match(sentence) && !RESULT_LABEL.is_match(sentence);
    (AIM.is_match(sentence) || is_labelled || is_below_aims) && !is_reached(sentence)
}

/// True for a sentence that says what was looked into, or that it is not known: none of what came out.
pub fn leaves_open(sentence: &str) -> bool {
    LOOKED_INTO.is_match(sentence)
}

/// True for a sentence that reports what came out: in its own words, or right under a heading of results (`heading` as in
/// [`states_an_aim`]). Elsewhere many results have none of these words.
pub fn states_a_result(sentence: &str, heading: &str) -> bool {
    (FOUND.is_match(sentence) || RESULT_HEADING.is_match(last_heading(heading))) && !leaves_open(sentence)
}

/// The innermost heading of a path.
fn last_heading(heading: &str) -> &str {
    let path = heading.split(" | ").next().unwrap_or_default();
    path.rsplit(" > ").next().unwrap_or_default()
}

/// True for a row of column names that, the first aside, are those of aims: `| 항목 | 목표 |`.
pub fn names_only_aims(header: &str) -> bool {
    let mut columns = rows::cells(header).skip(1).filter(|name| !name.is_empty()).peekable();
    columns.peek().is_some() && columns.all(|name| AIM_NAMED.is_match(name) && !is_reached(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_study_begins_is_told_from_what_it_found() {
        for open in [
            "We investigated whether frost splits bricks.",
            "This study evaluated the long-term effect of salt on seals.",
            "Its role in wear remains unclear.",
            "염분이 밀봉에 미치는 영향을 평가하고자 하였다.",
            "그 원인은 아직 밝혀지지 않았다.",
            "To determine whether frost is more common on the north side.",
            "This paper compares two glazes for kilns.",
            "The present study retrospectively reviewed six winters.",
            "It remains unclear if salt was significantly worse than frost.",
            "Whether frost reduced the strength has yet to be explored.",
            "How often bricks fell has not been reported.",
        ] {
            assert!(leaves_open(open) && !states_a_result(open, ""), "{open}");
        }
        for result in [
            "There was no significant difference between the two glazes.",
            "Bricks from the north side were more often split (p < 0.01).",
            "Frost reduced the strength by a third.",
            "북쪽 벽돌의 균열이 유의하게 많이 나타났다.",
            "강도는 3 MPa 낮았다.",
            "동결 뒤 강도는 세로 3.2 MPa, 가로 2.8 MPa였다.",
        ] {
            assert!(states_a_result(result, "") && !leaves_open(result), "{result}");
        }
        for found in ["Frost split the bricks.", "We tested four bricks and two split.", "영향은 3 % 이내였다."]
        {
            assert!(!leaves_open(found), "{found}");
        }
    }

    #[test]
    fn aims_and_results_are_told_apart_in_both_languages() {
        for aim in [
            "최종 목표는 500회 수명을 얻는 것이다.",
            "초기 쿨롱 효율을 90 % 이상으로 올려 쓰는 것이 목표이며 리튬을 보충하고자 한다.",
            "두께를 1 mm로 낮추려 한다.",
            "효율을 높이려고 하였다.",
            "수율 90 %를 목표로 한다.",
            "수명 연장을 목적으로 하였다.",
            "2027년까지 출력을 두 배로 늘릴 계획이다.",
            "2027년 준공 예정임.",
            "손실이 3 %로 줄어들 것으로 기대된다.",
            "목표 수율은 95 %이다.",
            "90 %가 달성되도록 하는 것을 목표로 한다.",
            "최종목표: 500회 수명 80 % 이상",
            "| 최종 목표 | 수명 500회 |",
            "목표: 수율 90 % 달성 | 기간: 2년",
            "The project aims to reach 90 % efficiency.",
            "SALTWAY aims to cut the loss to 3 %.",
            "The target is 400 Wh/kg.",
            "A second kiln will be built.",
            "The yield is to be raised to 90 %.",
            "The line was expected to give 2 GWh.",
            "The aim of 90 % is to be reached by 2027.",
            "This study targets a loss of 3 %.",
            "Objective: a loss under 3 %.",
        ] {
            assert!(states_an_aim(aim, ""), "{aim}");
        }
        for result in [
            "가압 3 MPa에서 500회 유지율은 80.7 %로 최종 목표 80 %를 넘었다.",
            "The target of 90 % was missed by two points.",
            "The sputtering target cracked.",
            "효율은 91.8 %로 올랐다.",
            "수뢰부를 벗어난 낙뢰는 120회 가운데 5회(4.2 %)로, 목표를 이루지 못하였다.",
            "목표는 달성하지 못했다.",
            "목표 달성률은 104 %였다.",
            "수율 90 %를 목표로 하였으나 86 %에 그쳤다.",
            "두께를 낮추려 하였으나 실패하였다.",
            "전해질 두께를 고려 하였다.",
            "개발 계획은 2019년에 승인되었다.",
            "We aimed for 90 % but came to 86 %.",
            "The drug targets the tumour.",
            "목표: 90 % | 실적: 86 %",
            "| Target | 90 % | Result | 86 % |",
        ] {
            assert!(!states_an_aim(result, ""), "{result}");
        }
    }

    #[test]
    fn a_heading_or_the_names_of_columns_say_that_aims_follow() {
        assert!(states_an_aim("쿨롱 효율을 90 %로 올린다.", "음극 과제 > aim | 다온셀테크 | 2018"));
        for heading in ["2. Objectives", "1.2 Aims and scope", "연구 목표 및 내용", "사업 목적", "5. 기대효과"]
        {
            assert!(states_an_aim("Losses below 5 %.", &format!("Kilns > {heading}")), "{heading}");
        }
        for heading in ["2. Progress towards goals", "Results against goals", "Achievement of goals", "Achieved aims"] {
            assert!(!states_an_aim("Losses fell to 4 %.", &format!("Kilns > {heading}")), "{heading}");
        }
        assert!(!states_an_aim("효율은 91.8 %였다.", "음극 과제 > result"));
        assert!(!states_an_aim("Two pads were replaced.", "1. Objective > 3. Discussion | Orvik"));
        assert!(names_only_aims("| 항목 | 목표 |") && names_only_aims("| Item | Target | Final goal |"));
        assert!(!names_only_aims("| 항목 | 목표 | 달성 |") && !names_only_aims("| 항목 | 목표 대비(%) |"));
        assert!(!names_only_aims("| 목표 |") && !names_only_aims(""));
    }

    #[test]
    fn a_heading_says_that_results_follow() {
        let plain = "The bricks of the north side were the first to go.";
        assert!(!states_a_result(plain, "Kilns > 2. Method | Orvik | 2019"));
        for heading in
            ["result", "3. Results and discussion", "Main findings", "4. 시험 결과", "연구 성과 및 활용", "결론"]
        {
            assert!(states_a_result(plain, &format!("Kilns > {heading} | Orvik | 2019")), "{heading}");
        }
        for heading in ["Resulting losses in kilns", "결과물 활용 계획", "2. 기대효과"] {
            assert!(!states_a_result(plain, &format!("Kilns > {heading}")), "{heading}");
        }
        assert!(!states_a_result("It remains unclear why.", "Kilns > Results"));
    }

    #[test]
    fn a_question_for_what_was_reached_is_not_one_for_the_aim() {
        for result in [
            "초기 효율은 얼마였나?",
            "What efficiency was achieved?",
            "수율은 얼마까지 올랐나?",
            "유지율이 얼마였죠?",
            "결과는?",
            "실제 수율은?",
            "최종 목표 80 %를 달성하였는가?",
            "목표 달성률은?",
            "Did the project reach its targets?",
            "Were the expected results obtained?",
            "예상 결과는 실제로 나타났나?",
            "Was the target of 90 % met?",
            "How far has the loss been cut?",
        ] {
            assert!(asks_for_a_result(result) && !asks_for_an_aim(result), "{result}");
        }
        for aim in [
            "초기 효율의 목표는 얼마였나?",
            "달성하고자 한 목표는 얼마였나?",
            "What was the target efficiency?",
            "What target was to be reached?",
            "무엇을 할 계획이었나?",
            "이 과제의 기대 성과는?",
            "What are the expected results of the project?",
            "What outcome is expected?",
        ] {
            assert!(asks_for_an_aim(aim) && !asks_for_a_result(aim), "{aim}");
        }
        for neither in ["두께는 얼마인가?", "What is the thickness?"] {
            assert!(!asks_for_a_result(neither) && !asks_for_an_aim(neither), "{neither}");
        }
    }
}
