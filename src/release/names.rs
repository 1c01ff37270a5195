//! Names of persons, Korean and English: by what stands beside them, by their own form, and wherever they come again.
//!
//! A Korean name is a surname of one or two syllables and a given name of one or two. Beside a label (`성명:`), a title (`씨`, `박사`) or a rank
//! any such word is a name; alone only where both syllables are usual in given names and the word is none of everyday language. A surname
//! before a title (`김 박사`) is one where it can hardly say which or how many. An English name needs a title, a label, or a usual given name
//! before a capitalised word. What was a name once in a text is one everywhere in it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Label};
use crate::document::Span;
use crate::text::lexicon;

/// Surnames of one syllable, some 99 % of the population.
const SURNAMES: &str = "김이박최정강조윤장임한오서신권황안송류유홍전고문손양배백허남심노하곽성차주우구나민진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모탁국어은편용예봉경사부";
/// Surnames of two.
const DOUBLE: [&str; 8] = ["남궁", "황보", "선우", "제갈", "사공", "서문", "독고", "동방"];
/// Syllables that usually begin a given name.
const FIRST: &str = "민서지현수영은하준도예승정재성동미혜태상경진유주시윤채건우연나다소세가종병광기원용인희규명선순춘옥창대철홍형찬한해효보슬아라초봄새솔이가온빛";
/// Syllables that usually end one.
const SECOND: &str = "준우윤현호진수민연은영희아훈원빈서율경정주석철식환규혁태욱섭숙자미나라인일형택균권덕란선순옥화혜림린솔비채안리람엽웅재찬천필한헌범곤근길남동래령록렬교하늘별지예서애";
/// More syllables of given names, trusted only beside a label, a title or a department.
const RARER: &str =
    "슬결겸관광규봉배복삼생세실심암양업오월종창춘출태표학향협후흥꺽돈무백범산심언여영울운원익장중지창파";
/// Words that look like names, are none, and are not in the lexicon.
const EVERYDAY: &str = "연예인 차라리 이태원 고인 신기한 주연 하원 상원 지명 구경 국정원 사상자 육성 이하 원시인 하시기 전대인 양도인 양수인 전차인 소지자 유명 추기경 천주교 서해안 고도화 이영화 유기물 정화조 \
    경영진 공급자 구매자 기술자 도급인 민원인 배상인 사육사 상속인 수급인 수임인 신고인 위임인 유가족 임대료 전임자 주관사 지배인 채권자 표시자 현수막 형사부 방문자 소유주 조작자 여주인 인솔자 지휘자 진술인 서약자 \
    국고 주거 주말 기일 기한 현금 이체 여권 성별 연봉 은행 전용 표준 서초 송파 노원 은평 강서 강동 강남 강북 마포 도봉 구로 금천 성남 안양 안산 고양 용인 원주 전주 나주 경주 진주 공주 여주 양주 광주 제주 하남 오산 정하지 경기도 지정서 인정서 인원수 조교수 \
    부교수 신시장 신산업 신소재 신소자 선순환 기지원 고안정 국가철 배아나 노하우 이수자 인가서 제규정 선도형 최우수 진보성 차별성 인준서 용예정 우수자 연수자 한해서 고지서 인건비 유가식 추종형 왕성한 봉우리 주원인";
/// Ranks and titles that stand beside a Korean name.
const TITLES: &str = "주무관|사무관|서기관|행정관|연구관|연구사|책임연구원|선임연구원|수석연구원|연구위원|연구원|책임|선임|수석|과장|부장|차장|팀장|실장|국장|본부장|센터장|소장|원장|단장|처장|처장|이사장|이사|대표이사|대표|상무|전무|부사장|사장|회장|위원장|위원|교수|박사|석사|대리|사원|주임|간호사|의사|약사|전문의|전공의|변호사|판사|검사|기자|작가|감독|선수|장관|차관|의원|총장|학장|교장|교사|교감|선생님|선생|씨|님|군|양|매니저|팀원|조교|기사|반장|경위|경감|순경|경사|대위|소위|병장";
/// Surnames that hardly mean anything else before a title. Left out are, among the common ones, those that say which or how many: `전 위원`
/// (former), `신 대표` (new), `고 박사` (late), `한 교수` (a), `양 팀장` (both), `현`, `구`, `주`, `하`, `차`.
const TELLING: &str = "김박최정강조윤장임오서권황안송류유홍문손배백허심노곽성우진민엄나";
/// Those of them that count close up too; `조교수`, `정교사`, `백사장`, `노교수` are no names.
const TELLING_CLOSE: &str = "김박최윤황송홍권";
/// Those of them that behind a figure count or number: `제3 조`, `2 배`.
const COUNTING: &str = "조장강배백";
/// Titles that are other things, or nothing by themselves: an examination, an intention, an article, `이른바`.
const UNTELLING_TITLES: [&str; 9] = ["검사", "의사", "기사", "경위", "소위", "군", "양", "님", "씨"];
/// Titles that only persons bear: before them `이` is a surname, before others it says which (`이 연구원`, this institute; `이 책임`).
const ONLY_PERSONS: &str = "박사|교수|위원장|위원|연구위원|책임연구원|선임연구원|수석연구원|부장|차장|팀장|실장|국장|본부장|센터장|의원|변호사|판사|장관|차관|총장|주무관|사무관|간호사|선생님|선생";
/// What may follow a title inside its word, beside [`PARTICLES`] and an honorific.
const BEHIND_TITLE: &str =
    "께서는 에게는 에게서 에게도 이었다 였다 측 측은 측이 와의 과의 이나 까지 부터 보다 처럼 한테";
/// Labels before a name.
const LABELS: &str = "성명|성 명|이름|이 름|성함|담당자|담당관|전문관|계약담당|담당|책임자|연구책임자|총괄책임자|실무담당|작성자|신청인|신청자|민원인|대표자|대표|환자명|환자|보호자|수신인|수취인|받는 ?분|보내는 ?분|발신인|예금주|계약자|피보험자|수익자|근로자|사용자|임차인|임대인|매도인|매수인|원고|피고|채무자|채권자|재판장|검사장|피고인|참고인|고소인|피의자|진료의|주치의|처방의|담당의|담당의사|의사명|검진의|판정의|명의자|명의인|소유자|운전자|가입자|수험자|학생명|학생|지도교수|저자|발명자|고안자|참여연구원|연구원|심사위원|평가위원|위원|기안자|검토자|결재자|결재|협조자|면담자|강사|팀장|과장|부장|대표이사|주무관|사무관|서기관|박사|교수|실장|센터장|원장|소장|국장|본부장|차장|대리|사원|주임|이사|간호사|약사|판사|검사|변호사|재판장|서기|후보자명|후보자|응시자|양도인|양수인|전대인|전차인|도급인|수급인|위반자|환자명|보증인|증인|감정인|법정대리인|세대주|사업주|원임대인|공증인|이름은|저는|제 이름은";

static KOREAN_NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?:^|[^가-힣])(?P<label>{LABELS})(?:\s?\([^)\n]{{0,12}}\))?(?P<between>\s?[:：|(]?[ \t]{{0,3}}\n?[ \t]{{0,3}})(?P<v>[가-힣]{{2,}}|[가-힣] [가-힣] ?[가-힣])"
    ))
    .expect("constant pattern")
});
static KOREAN_TITLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?:^|[^가-힣])(?P<v>[가-힣]{{2,4}}?)(?P<space>\s?)\(?(?P<title>{TITLES})(?P<after>[가-힣]{{0,2}})"
    ))
    .expect("constant pattern")
});
/// A foreign name after a label: in Hangul with a Latin form behind it, or in Latin letters.
static FOREIGN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?:^|[^가-힣])(?:{LABELS}|영문\s?성명|영문명)\s?[:：|]\s?(?:(?P<v>[가-힣]{{1,6}}(?: [가-힣]{{1,6}}){{1,3}}) ?\(\p{{Lu}}|(?P<w>\p{{Lu}}[\p{{L}}'’.-]+(?:,? \p{{Lu}}[\p{{L}}'’.-]*){{1,3}}))"
    ))
    .expect("constant pattern")
});
/// A name behind a department at the end of a line.
static SIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)[가-힣A-Za-z0-9](?:팀|부|과|실|처|국|센터|연구소|연구원|대학교|병원|본부|사업단)[ \t]{1,6}(?P<v>[가-힣]{3})[ \t]*(?:\(인\)|\(서명\)|드림|올림|배상)?[ \t]*$")
        .expect("constant pattern")
});
/// `박 씨`, `문 모(36) 씨`: a surname and a polite word.
static SURNAME_ALONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?:^|[^가-힣])(?P<v>[{SURNAMES}])(?: ?(?:모 ?)?(?:\(\d{{1,2}}\) ?)?씨(?:은|는|이|가|을|를|의|에게|와|과|도|로|측|,|\s|\.|$)| ?모\(\d)"))
        .expect("constant pattern")
});
/// `김 박사`, `박 전 위원`, `윤실장`: a surname and a title. What joins words, or goes on in one, is no border.
static SURNAME_TITLED: LazyLock<Regex> = LazyLock::new(|| {
    let titles: Vec<&str> = TITLES.split('|').filter(|t| !UNTELLING_TITLES.contains(t)).collect();
    Regex::new(&format!(
        r"(?:^|[^\p{{L}}\p{{N}}_·ㆍ・‧/~–-])(?P<v>[{SURNAMES}])(?P<space>[ \u{{a0}}](?:전 )?)?(?P<title>{})",
        titles.join("|")
    ))
    .expect("constant pattern")
});
/// The title behind a name.
static TITLE_BEHIND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"^\s?\(?(?P<v>{TITLES})")).expect("constant pattern"));
/// Words of three syllables in a row, parted by dots or commas.
static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^가-힣])(?P<v>[가-힣]{3}(?: ?[·ㆍ,] ?[가-힣]{3})+)(?:[^가-힣]|$)").expect("constant pattern")
});
/// The Latin form in brackets behind a name.
static LATIN_FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^ ?\((?P<v>\p{Lu}[\p{Latin}'’-]+(?:,? \p{Lu}[\p{Latin}'’-]+){1,3})\)").expect("constant pattern")
});
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[가-힣]+").expect("constant pattern"));
static LATIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\p{Lu}[\p{Latin}'’-]+(?:(?: \p{Lu}\.)? \p{Lu}[\p{Latin}'’-]+)*").expect("constant pattern")
});
static LATIN_TITLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u:\b)(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Sir|Madam)\.? (?P<v>\p{Lu}[\p{Latin}'’-]+(?:(?: \p{Lu}\.)? \p{Lu}[\p{Latin}'’-]+){0,2})").expect("constant pattern")
});
static LATIN_NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?im)(?:^|[^\p{L}])(?:full name|name of (?:the )?(?:applicant|patient|customer)|name|author|principal investigator|PI|contact(?: person)?|attn|inventor|signed(?: by)?|my name is|i am called)\s?[:：|]?\s{1,3}(?P<v>(?-i:\p{Lu}[\p{Latin}'’-]+(?:(?: \p{Lu}\.)? \p{Lu}[\p{Latin}'’-]+){1,2}))").expect("constant pattern")
});
/// Words after a given name that make it the name of something else.
const INSTITUTIONAL: &str = "Research Conference University State Foundation Award Awards Seminar Telescope Estuary Space Institute College \
    Street Avenue Road Bypass Prize Medal Lecture Laboratory National Center Centre School Hospital Library Museum Fund Trust Island River Lake \
    Theorem Equation Model Method Problem Effect Number Test Algorithm Law";
/// Given names that alone are months, places or words.
const COMMON: &str = "April June May August Dawn Austin Julia Victoria Florence Virginia Georgia Charlotte Jordan Madison Lincoln Mark Bill Frank Rose Grace Hope \
    Iris Heather Hazel Ivan Jade Jean Joy Kim Lee Leo Max Olive Pearl Ray Rita Robin Ruby Sandy Scott Stella Terry Violet Martin Gordon Douglas Alan Crystal Amber Daisy Lily";
/// Where persons are addressed, or speak and live.
static LATIN_SPOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:(?-u:\b)(?:Dear|Hi|Hello|Hey|Thanks|Regards|Sincerely|Yours|Cheers|I am|I'm|I’m|My name is|my name is|named|called|Meet|ask(?:ed)?|told|met|contact|Contact),? )(?P<v>\p{Lu}[\p{Latin}'’-]+(?:(?: \p{Lu}\.)? \p{Lu}[\p{Latin}'’-]+){0,2})|(?P<w>\p{Lu}[\p{Latin}-]+(?:(?: \p{Lu}\.)? \p{Lu}[\p{Latin}-]+){0,2})(?:['’]s (?:phone|number|address|card|account|birthday|house|wife|husband|son|daughter|mother|father)| (?:said|says|lives|lived|was born|asked|wrote|told|joined|married|died|moved))").expect("constant pattern")
});
/// What may follow a Korean name inside its word.
const PARTICLES: &str =
    "은 는 이 가 을 를 의 에게 와 과 도 께서 께 만 로 으로 이다 이며 이고 에 님 씨 이라 라고 입니다 이에요 예요";

/// Usual given names in Latin letters (European and English-speaking countries, and romanised Korean ones).
const GIVEN: &str = "aaron abigail adam adrian agnes aidan alan albert alberto alejandro alex alexander alexandra alfred alice alicia alina allison amanda amber amelia amy ana andrea andreas andrei andrew angela anita ann anna anne annette anthony antonio april arthur ashley astrid audrey austin barbara beatrice ben benjamin bernard beth betty bill billy bjorn bob bonnie boris brad bradley brandon brenda brian bruce bryan caleb cameron camille carl carla carlos carmen carol caroline carolyn catherine cecilia charles charlotte cheryl chris christian christina christine christopher claire clara claudia colin connor craig cristina cynthia daisy dale dan dana daniel daniela danielle david dawn dean deborah debra denise dennis derek diana diane diego dmitri dominic donald donna dorothy douglas dylan edgar edith eduardo edward edwin eileen elaine eleanor elena elisabeth elizabeth ella ellen emily emma enrique eric erica erik erin ernest ethan eugene eva evan evelyn felix fernando fiona florence frances francesca francesco francis francisco frank franz fred frederick gabriel gabriela gareth gary gavin george gerald gerard gina giovanni giulia gloria gordon grace graham greg gregory guillaume gustav hanna hannah hans harold harry hazel heather hector heidi helen helena henri henrik henry herbert holly howard hugo ian ibrahim ida igor ingrid irene irina iris isaac isabel isabella ivan jack jacob jacqueline jaime jake james jamie jan jane janet janice jason javier jean jeff jeffrey jennifer jenny jeremy jerry jesse jessica jill jim joan joanna joe joel johan johannes john johnny jon jonas jonathan jordan jorge jose josef joseph joshua joyce juan judith judy julia julian julie june justin kai karen karin karl karla kate katherine kathleen kathryn katie keith kelly ken kenneth kevin kim kimberly kirsten klaus kristen kristina kurt kyle lars laura lauren laurence lawrence lea leah lee lena leo leon leonard leslie liam lily linda lisa lois lorenzo louis louise lucas lucia lucy luigi luis luke lydia lynn madison manuel marc marcel marco marcus margaret maria marie marina mario marion marjorie mark marta martha martin mary mason mathias matteo matthew maureen maurice max megan melanie melissa mia michael michelle miguel mike mila mohamed mohammed monica monika morgan nadia nancy naomi natalia natalie natasha nathan neil nicholas nicola nicolas nicole nina noah nora norman oleg olga oliver olivia oscar oskar otto owen pablo pamela patricia patrick paul paula pauline pedro peggy penelope peter petra philip philipp phillip phyllis pierre rachel rafael ralph ramon raymond rebecca ricardo richard rita robert roberto robin rodney roger roland ronald rosa rose rosemary roy ruben russell ruth ryan sabrina sally sam samantha samuel sandra sara sarah scott sean sebastian serge sergei sergio sharon sheila shirley silvia simon simone sofia sophia sophie stanley stefan stella stephanie stephen steve steven stuart sue susan suzanne sven sylvia tamara tanya tara teresa terry theodore theresa thomas tiffany tim timothy tina todd tom tony tracy travis trevor tyler valentina valerie vanessa vera vernon veronica victor victoria vincent viktor vladimir walter wanda wayne wendy werner wilhelm william xavier yuri yvonne zachary zoe minjun seojun jihoon jiwoo minseo seoyeon jimin sujin hyunwoo minho jisoo eunji hana junho sungmin youngsoo";

/// Every name and the rank beside it; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut add = |start: usize, end: usize, rule, confidence| {
        found.push(Finding { span: Span { start, end }, label: Label::Person, rule, confidence });
    };
    let mut at = 0;
    while let Some(m) = KOREAN_NAMED.captures_at(text, at) {
        let (label, value) =
            (m.name("label").expect("a group of the pattern"), m.name("v").expect("a group of the pattern"));
        let marked = m.name("between").is_some_and(|b| b.as_str().contains([':', '：', '|']));
        let name = named(value.as_str(), marked);
        // What follows a label and is no name may be the next label: `담당 주임 김하늘`.
        at = if name.is_some() { value.end() } else { label.end() };
        if let Some(name) = name {
            known.insert(name);
            add(value.start(), value.start() + name.len(), "labelled-name", 0.92);
        }
    }
    for m in FOREIGN.captures_iter(text).filter_map(|m| m.name("v").or_else(|| m.name("w"))) {
        known.insert(m.as_str());
        add(m.start(), m.end(), "labelled-name", 0.85);
    }
    for m in KOREAN_TITLED.captures_iter(text) {
        let (value, title) =
            (m.name("v").expect("a group of the pattern"), m.name("title").expect("a group of the pattern"));
        let apart = !m.name("space").is_some_and(|s| s.as_str().is_empty());
        // `님`, `씨`, `군`, `양` close up are too often the end of a word for names of two syllables.
        let sure = value.as_str().chars().count() >= 3 || (apart && title.as_str().chars().count() > 1);
        let ends = ending_is_free(m.name("after").map_or("", |a| a.as_str()));
        if sure
            && ends
            && is_korean_name(value.as_str())
            && is_usual(value.as_str(), true)
            && !is_inflected(value.as_str())
        {
            if value.as_str().chars().count() > 2 {
                known.insert(value.as_str());
            }
            add(value.start(), value.end(), "titled-name", 0.88);
        }
    }
    for m in WORD.find_iter(text) {
        let name = without_particle(m.as_str());
        // `1,450천원은` is an amount, `기도하는` a verb.
        if text[..m.start()].ends_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let verb = name.ends_with('하') && m.as_str().len() > name.len();
        if !verb && name.chars().count() == 3 && is_korean_name(name) && is_usual(name, false) && !is_inflected(name) {
            add(m.start(), m.start() + name.len(), "korean-name", 0.6);
        }
    }
    for m in SIGNED.captures_iter(text).filter_map(|m| m.name("v")) {
        if is_korean_name(m.as_str()) && is_usual(m.as_str(), true) && !is_inflected(m.as_str()) {
            known.insert(m.as_str());
            add(m.start(), m.end(), "signature", 0.7);
        }
    }
    for m in SURNAME_ALONE.captures_iter(text).filter_map(|m| m.name("v")) {
        add(m.start(), m.end(), "surname-titled", 0.7);
    }
    let listed: Vec<(usize, usize)> = LISTED
        .captures_iter(text)
        .filter_map(|m| m.name("v"))
        .filter(|m| {
            m.as_str()
                .split(['·', 'ㆍ', ','])
                .all(|part| is_korean_name(part.trim()) && is_usual(part.trim(), true) && !is_inflected(part.trim()))
        })
        .flat_map(|m| WORD.find_iter(m.as_str()).map(move |w| (m.start() + w.start(), m.start() + w.end())))
        .collect();
    for (start, end) in listed {
        known.insert(&text[start..end]);
        add(start, end, "listed-name", 0.8);
    }
    for (pattern, rule) in [(&*LATIN_TITLED, "titled-name"), (&*LATIN_NAMED, "labelled-name")] {
        for m in pattern.captures_iter(text).filter_map(|m| m.name("v")) {
            known.insert(m.as_str());
            add(m.start(), m.end(), rule, 0.88);
        }
    }
    for m in LATIN.find_iter(text) {
        let words: Vec<&str> = m.as_str().split(' ').collect();
        let Some(at) = words.iter().position(|w| is_given(w)) else { continue };
        let alone = words.len() - at == 1;
        let capitals = words[at].chars().all(char::is_uppercase);
        let common = COMMON.split(' ').any(|c| c == words[at]);
        if words[at..].iter().any(|w| INSTITUTIONAL.split(' ').any(|i| i == *w)) || alone && (common || capitals) {
            continue;
        }
        // `St. Louis`, `San Diego`.
        let place = at > 0 && matches!(words[at - 1], "San" | "Santa" | "Saint") || text[..m.start()].ends_with("St. ");
        if place {
            continue;
        }
        let from = m.start() + words[..at].iter().map(|w| w.len() + 1).sum::<usize>();
        let to = from + words[at..].iter().take(4).map(|w| w.len() + 1).sum::<usize>() - 1;
        if !alone {
            known.insert(&text[from..to]);
        }
        add(from, to, "given-name", if alone { 0.5 } else { 0.75 });
    }
    for m in LATIN.find_iter(text) {
        let words: Vec<&str> = m.as_str().split(' ').filter(|w| !w.ends_with('.')).collect();
        let unknown = |w: &&str| {
            w.chars().count() > 2
                && w.chars().skip(1).all(|c| c.is_lowercase() || "'’-".contains(c) || w.contains('-'))
                && !lexicon::is_word(&w.to_lowercase())
        };
        if (2..=3).contains(&words.len()) && words.iter().all(unknown) && !is_organisation(text, m.end()) {
            add(m.start(), m.end(), "unknown-words", 0.5);
        }
    }
    for m in LATIN_SPOKEN.captures_iter(text).filter_map(|m| m.name("v").or_else(|| m.name("w"))) {
        if m.as_str().split(' ').all(|w| !lexicon::is_word(&w.to_lowercase())) {
            add(m.start(), m.end(), "spoken-name", 0.65);
        }
    }
    again(text, &known, &mut found);
    found.extend(titled_surnames(text, &found));
    let latin: Vec<Finding> = found.iter().filter_map(|f| latin_form(text, f)).collect();
    found.extend(latin);
    found.extend(positions(text, &found));
    found
}

fn latin_form(text: &str, name: &Finding) -> Option<Finding> {
    if !name.span.slice(text).starts_with(|c: char| ('가'..='힣').contains(&c)) {
        return None;
    }
    let m = LATIN_FORM.captures(&text[name.span.end..])?.name("v")?;
    let span = Span { start: name.span.end + m.start(), end: name.span.end + m.end() };
    Some(Finding { span, label: Label::Person, rule: "latin-form", confidence: 0.85 })
}

/// The name that a labelled value begins with. Where nothing but a space parts it from its label, it must look like a name by itself.
fn named(value: &str, marked: bool) -> Option<&str> {
    let name = if value.chars().count() <= 4 { without_particle(value) } else { leading_name(value)? };
    let alone = name.chars().count() > 2 && is_usual(name, true) && !is_inflected(name);
    let fits = is_korean_name(name) && (marked || alone);
    fits.then_some(name)
}

/// Three syllables before a title or particle in a longer word: `홍길동주무관`, `홍길동입니다`.
fn leading_name(word: &str) -> Option<&str> {
    let at = word.char_indices().nth(3)?.0;
    let rest = &word[at..];
    (is_particle(rest) || TITLES.split('|').any(|t| rest.starts_with(t))).then(|| &word[..at])
}

/// A word with an ending that names hardly have: `고인은`, `유지율`, `채용한`, `방식별`.
fn is_inflected(name: &str) -> bool {
    const NAME_LIKE: &str = "정영희우훈호현윤준민빈철환혁욱숙란옥림린솔웅찬필범";
    let starts: String = name.chars().take(2).collect();
    let word = lexicon::is_word(&starts) || is_everyday(&starts);
    name.ends_with(['한', '별', '율', '화', '권']) || word && !name.ends_with(|c| NAME_LIKE.contains(c))
}

fn is_everyday(word: &str) -> bool {
    static NOT: LazyLock<BTreeSet<&str>> =
        LazyLock::new(|| EVERYDAY.split_whitespace().chain(TITLES.split('|')).chain(LABELS.split('|')).collect());
    NOT.contains(word)
}

/// Names that were seen once, wherever they stand.
fn again(text: &str, known: &BTreeSet<&str>, found: &mut Vec<Finding>) {
    for name in known {
        for (start, said) in text.match_indices(name) {
            let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
            let rest = &text[start + said.len()..];
            let hangul = said.starts_with(|c: char| ('가'..='힣').contains(&c));
            let tail: String = rest.chars().take_while(|c| ('가'..='힣').contains(c)).collect();
            let free = if hangul {
                tail.is_empty() || is_particle(&tail) || TITLES.split('|').any(|t| tail.starts_with(t))
            } else {
                !letter(rest.chars().next())
            };
            if free && !letter(text[..start].chars().next_back()) {
                let span = Span { start, end: start + said.len() };
                found.push(Finding { span, label: Label::Person, rule: "known-name", confidence: 0.8 });
            }
        }
    }
}

/// Surnames alone before a title. One that may say which or how many is a name where the text names somebody of it with the same title.
fn titled_surnames(text: &str, found: &[Finding]) -> Vec<Finding> {
    let named: BTreeSet<(&str, &str)> = found
        .iter()
        .filter(|f| f.confidence >= 0.8)
        .filter_map(|f| {
            let title = TITLE_BEHIND.captures(&text[f.span.end..])?.name("v")?;
            let surname = f.span.slice(text).chars().next()?;
            Some((&text[f.span.start..f.span.start + surname.len_utf8()], title.as_str()))
        })
        .collect();
    let is_name = |surname: regex::Match<'_>, title: &str, apart: bool| {
        let is_in = |set: &str| set.contains(surname.as_str());
        if !apart {
            return is_in(TELLING_CLOSE);
        }
        let counts = is_in(COUNTING) && text[..surname.start()].trim_end().ends_with(char::is_numeric);
        let this = surname.as_str() == "이" && ONLY_PERSONS.split('|').any(|t| t == title);
        is_in(TELLING) && !counts || this || named.contains(&(surname.as_str(), title))
    };
    let mut out = Vec::new();
    for m in SURNAME_TITLED.captures_iter(text) {
        let (Some(surname), Some(title)) = (m.name("v"), m.name("title")) else { continue };
        let tail = WORD.find(&text[title.end()..]).filter(|tail| tail.start() == 0).map_or("", |tail| tail.as_str());
        let tail = tail.strip_prefix("님").unwrap_or(tail);
        let free = tail.is_empty() || is_particle(tail) || BEHIND_TITLE.split(' ').any(|p| p == tail);
        if free && is_name(surname, title.as_str(), m.name("space").is_some()) {
            let span = Span { start: surname.start(), end: surname.end() };
            out.push(Finding { span, label: Label::Person, rule: "surname-titled", confidence: 0.7 });
        }
    }
    out
}

/// Ranks beside the names found.
fn positions(text: &str, found: &[Finding]) -> Vec<Finding> {
    static BEFORE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!(r"(?:^|[^가-힣])(?P<v>{TITLES})\s{{1,2}}$")).expect("constant pattern"));
    let rank = |m: regex::Match<'_>, from: usize| {
        let polite = matches!(m.as_str(), "씨" | "님" | "군" | "양" | "선생님" | "위원");
        let span = Span { start: from + m.start(), end: from + m.end() };
        (!polite).then_some(Finding { span, label: Label::Position, rule: "rank", confidence: 0.85 })
    };
    let mut out = Vec::new();
    for finding in found.iter().filter(|f| f.confidence >= 0.8) {
        let after = TITLE_BEHIND.captures(&text[finding.span.end..]).and_then(|m| m.name("v"));
        out.extend(after.and_then(|m| rank(m, finding.span.end)));
        let from = text[..finding.span.start].char_indices().rev().nth(9).map_or(0, |(i, _)| i);
        let before = BEFORE.captures(&text[from..finding.span.start]).and_then(|m| m.name("v"));
        out.extend(before.and_then(|m| rank(m, from)));
    }
    out
}

/// Has the form of a Korean name and is no everyday word.
fn is_korean_name(word: &str) -> bool {
    let tight: String = word.chars().filter(|c| *c != ' ').collect();
    let count = tight.chars().count();
    let surname = tight.chars().next().is_some_and(|c| SURNAMES.contains(c));
    let double = DOUBLE.iter().any(|d| tight.starts_with(d));
    let long_enough = (2..=3).contains(&count) && surname || (3..=4).contains(&count) && double;
    long_enough && !is_everyday(&tight) && !lexicon::is_word(&tight)
}

/// Its given name is made of usual syllables; `rarer` ones count too beside a label or title.
fn is_usual(name: &str, rarer: bool) -> bool {
    let skip = if DOUBLE.iter().any(|d| name.starts_with(d)) && name.chars().count() > 3 { 2 } else { 1 };
    let loose = |c: char| rarer && (FIRST.contains(c) || SECOND.contains(c) || RARER.contains(c));
    let given: Vec<char> = name.chars().skip(skip).collect();
    match given[..] {
        [only] => FIRST.contains(only) || SECOND.contains(only),
        [first, second] => (FIRST.contains(first) || loose(first)) && (SECOND.contains(second) || loose(second)),
        _ => false,
    }
}

fn without_particle(word: &str) -> &str {
    let mut best = word;
    if word.chars().count() > 3 {
        for particle in PARTICLES.split(' ') {
            if let Some(rest) = word.strip_suffix(particle)
                && rest.chars().count() == 3
            {
                best = rest;
            }
        }
    }
    best
}

fn is_particle(ending: &str) -> bool {
    PARTICLES.split(' ').any(|p| p == ending)
}

/// What follows a title inside its word is a particle.
fn ending_is_free(after: &str) -> bool {
    after.is_empty() || PARTICLES.split(' ').any(|p| after.starts_with(p))
}

/// What follows makes it the name of a company, a place or a thing.
fn is_organisation(text: &str, end: usize) -> bool {
    static AFTER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:,? (?:Inc|Ltd|LLC|GmbH|AG|Corp|Co|SA|BV|Oy|AB|University|Institute|College|Street|Avenue|Road|\p{Lu})|[-/]?\d)").expect("constant pattern")
    });
    AFTER.is_match(&text[end..])
}

fn is_given(word: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| GIVEN.split_whitespace().collect());
    NAMES.contains(word.to_lowercase().trim_end_matches("'s").trim_end_matches("’s"))
}

#[cfg(test)]
mod tests {
    use super::Label;
    use crate::release::{self, Policy, redact};

    fn persons(text: &str) -> Vec<String> {
        let found = release::find(text);
        found.iter().filter(|f| f.label == Label::Person).map(|f| f.span.slice(text).to_owned()).collect()
    }

    #[test]
    fn a_surname_before_a_title_is_a_name() {
        let text = "김 박사는 말했다. “박 위원, 최 교수님께 물었다.” 권 전 센터장과 윤실장이 왔다. 이 박사도 왔다.";
        assert_eq!(persons(text), ["김", "박", "최", "권", "윤", "이"]);
        assert_eq!(persons("Dr. Lee measured it; Prof. Kim agreed."), ["Lee", "Kim"]);
        let shown = redact("조 팀장은 김 박사에게 물었다.", &Policy::default());
        assert_eq!(shown.text, "[PERSON 1] 팀장은 [PERSON 2] 박사에게 물었다.");
    }

    #[test]
    fn what_says_which_or_how_many_is_a_surname_only_of_somebody_named_with_that_title() {
        let text = "한서윤 팀장이 시험하였다. 한 팀장은 결과를 냈다. 한 연구원이 도왔다.";
        assert_eq!(persons(text), ["한서윤", "한"]);
        for text in [
            "우수 위원을 뽑았다. 전 위원은 모두 왔다.",
            "신 교수법을 썼다. 김 박사과정 학생과 박 위원회가 있다.",
            "고 박사의 책과 현 대표의 글을 읽었다. 한 교수가 물었다.",
            "이 연구원은 2001년에 섰고 이 책임은 크다. 이 대표 시료를 쟀다.",
            "노·사·정 위원이 모였다. 제3 조 위원과 양 팀장이 갔다.",
            "조교수와 정교사가 백사장을 걸었다. 강 검사와 장 검사를 하였다.",
        ] {
            assert_eq!(persons(text), Vec::<String>::new(), "{text}");
        }
    }
}
