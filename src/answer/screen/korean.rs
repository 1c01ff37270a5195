//! Korean sentences that order the reader to say, write or do something.
//!
//! Korean says it at the end: the last word carries the mood (`-하라`, `-하세요`, `-십시오`, `-해 줘`, `-ㄹ 것`). What its verb means decides,
//! and whether the sentence speaks of the answer.

use std::sync::LazyLock;

use regex::Regex;

use super::Order;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// The imperative, the request, the order by noun, at the end of a sentence.
static MOOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(시오|세요|셔요|십쇼|세용|주라|다오|줘|줘요|줄래|줄래요|주겠니|바랍니다|바란다|바람|부탁드립니다|부탁합니다|부탁해|부탁해요|부탁드려요|주길|달라|말라|마라|마시오|말\s?것|말아라|하라|하도록|하도록\s?한다|하도록\s?합니다|할\s?것|하기",
        r"|(?:쓰|적으|으|넣으|붙이|보이|알리|답하|두|읽으|지우|고르|만들|바꾸|누르|보내|드리|시키|들려주|들|외우|숨기|꾸미|돌리|옮기|나누|세우|밝히)라",
        r"|(?:해|여|혀|켜|려|워|겨|써|봐|놔|꿔|꺼|와|어|쳐|져|펴|내|대|라|춰|둬|빼|세)라",
        r"|(?:[을를]|를\s?다)\s?(?:해|써|줘|봐)|(?:출력|작성|생성|사용|포함|추가|삽입|넣을|쓸|적을|붙일|답할|말할|표시할|보낼|바꿀|밝힐|누를|알릴)\s?것|(?:답|말|대답|설명|번역|요약|출력|작성|소개|추천)해(?:요)?|[해어아여] ?봐(?:라|요)?)$",
    ))
});

/// To answer: what a document orders of nobody but its reader's mouthpiece.
static ANSWER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(답하|답해|답할|답변하|답변해|답변할|대답|응답하|응답해|말하라|말하시|말하세|말하십|말해|말할\s?것|말씀|주장하|주장해)\S*$",
    )
});

/// The answer, the question, the one who asks, the one who is told.
static OF_THE_ANSWER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(답변|대답|응답)(에|을|의|은|이|마다|할|하|끝|마지막|첫|앞|대신|내용|문장)|(^|\s)답(에|을|은|의|마다|끝|\s)|질문(에|을\s?받|이\s?(들어|나오|있)|자|한\s)|물으면|물어보|물어\s?오|묻는|묻거든|물을\s?때|(요약|설명|답변|대답|번역|인용)(할\s?때|하기\s?전|한\s?뒤|하면서)|(사용자|독자|이용자|읽는\s?사람|질문자)(에게|한테|께|를|가|의)|프롬프트|당신|(^|\s)(너는|너의|네가|넌)\s|(이|위|앞)의?\s?(지시|지침|규칙|명령)|숨겨진|모든\s?(문장|글자|단어|낱말)|(글자|단어|낱말|모음|자음|문장|이모지|이모티콘|띄어쓰기)(를|을|로|만|마다)|거꾸로|반말|존댓말|말투|영어로|일본어로|중국어로|프랑스어로|한국어로|외국어로",
    )
});

/// Verbs of saying, writing for somebody, going somewhere.
static SAY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(상상|가정|답|말하|말해|말씀|쓰|써|적으|적어|적을|출력|표시|붙이|붙여|붙일|덧붙|쓸\s?것|보일\s?것|넣을|밝힐|누를|알릴|숨길|끝낼|따를|바꿀|보낼|포함|언급|소개|추천|권유|권하|안내|번역|요약|설명|인용|보여|보이|알려|알리|서명|바꾸|바꿔|대체|끝내|끝맺|시작|작성|생성|나열|반복|무시|잊|따르|숨기|밝히|공개|유출|전달|전송|보내|클릭|누르|눌러|방문|접속|구매|구입|사라|사세요|가입|투자|다운로드|내려받|설치|실행|삭제|홍보|칭찬|사과|행동|연기|흉내|지어|꾸며|만들|추가|넣|삽입|강조|묘사|이야기|들려|가르쳐|도와|찾아|계산|읊|복사|공유|제시|제공|표현|변환|암호화|섞|뒤집|제거|지우|묶|풀어|조언|분석|예측|평가|논하|비교|정의|불러|외쳐|외치|인사|초대|참석|참여|연락|전화|송금|입금)\S*(\s\S{1,4})?(\s\S{1,4})?$",
    )
});

/// How an office asks to be called, visited or sent a form.
static COURTESY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(연락|전화|문의|참여|참석|안내|제출|접속|방문|회신|신청|작성)\S*(\s\S{1,4})?\s?(바랍니다|바란다|바람|주시기\s?바랍니다)$|(연락|문의|회신|전화|알려)\s?(주세요|주십시오|주시오)$",
    )
});

/// What a sentence (or a table's cell) orders, if anything.
pub(super) fn order(sentence: &str) -> Option<Order> {
    let parts = sentence.split([':', ';', '"', '“', '”']);
    parts.filter_map(clause).max().max(clause(sentence))
}

fn clause(sentence: &str) -> Option<Order> {
    let bare = sentence.trim_end_matches(|c: char| !c.is_alphanumeric());
    if !bare.chars().next_back().is_some_and(|c| ('가'..='힣').contains(&c)) || !MOOD.is_match(bare) {
        return None;
    }
    match () {
        () if ANSWER.is_match(bare) => Some(Order::Utter),
        () if COURTESY.is_match(bare) => Some(Order::Work),
        () if !SAY.is_match(bare) => Some(Order::Work),
        () if OF_THE_ANSWER.is_match(bare) => Some(Order::Utter),
        () => Some(Order::Say),
    }
}
