//! What each measure means, in both languages; the same text as in `eval/README.md`.

/// Name in Korean, and one sentence in Korean and English.
pub(super) struct Meaning {
    pub(super) name: &'static str,
    pub(super) ko: &'static str,
    pub(super) explain_ko: &'static str,
    pub(super) explain_en: &'static str,
}

const fn m(name: &'static str, ko: &'static str, explain_ko: &'static str, explain_en: &'static str) -> Meaning {
    Meaning { name, ko, explain_ko, explain_en }
}

pub(super) const MEANINGS: [Meaning; 29] = [
    m("answer_rate", "응답률", "기권하지 않은 질문의 비율", "Share of questions that were answered"),
    m(
        "answered_rightly_or_abstained_rightly",
        "응답·기권 정확도",
        "답할 수 있는 질문에 답하고 답할 수 없는 질문에 기권한 비율",
        "Answered where the documents answer, abstained where they do not",
    ),
    m(
        "abstention_precision",
        "기권 정밀도",
        "기권 가운데 옳은 기권의 비율",
        "Of the abstentions, the share that is right",
    ),
    m(
        "abstention_recall",
        "기권 재현율",
        "답할 수 없는 질문 가운데 기권한 비율",
        "Of the unanswerable questions, the share left unanswered",
    ),
    m(
        "answer_rate_of_answerable",
        "답할 수 있는 질문의 응답률",
        "기권의 대가",
        "Of the answerable questions, the share answered",
    ),
    m("em", "완전 일치", "정규화한 뒤 정답과 글자가 같은 비율", "Exact match after normalisation"),
    m(
        "f1",
        "F1",
        "정답과 겹치는 단어(KorQuAD와 우리 한국어 질문은 글자)의 F1",
        "Overlap with the reference, words (KorQuAD and our own Korean questions: characters)",
    ),
    m(
        "answer_contained",
        "정답 포함",
        "답 안에 정답이 온전한 낱말이나 수로 있는 비율",
        "The reference stands in the answer, not as a piece of a longer word or figure",
    ),
    m("rouge_l", "ROUGE-L", "가장 긴 공통 부분열의 F1", "F1 of the longest common subsequence"),
    m(
        "expected_words",
        "기대 낱말",
        "정답에 꼭 있어야 할 수치와 낱말이 모두 있는 비율",
        "All figures and words a right answer needs are there",
    ),
    m("decision_stated", "판정 명시", "답이 yes, no, maybe로 시작하는 비율", "The answer begins with yes, no or maybe"),
    m("decision_accuracy", "판정 정확도", "그 판정이 정답과 같은 비율", "That word is the right one"),
    m(
        "gold_retrieved",
        "정답 문서 검색",
        "정답 문서가 검색된 구절에 있는 비율",
        "A gold document is among the passages",
    ),
    m("gold_mrr", "정답 문서 순위", "정답 문서의 첫 순위의 역수", "Reciprocal rank of the first gold document"),
    m("gold_cited", "정답 문서 인용", "정답 문서를 인용한 비율", "A gold document is cited"),
    m("statements_cited", "인용된 문장", "인용 번호가 있는 문장의 비율", "Statements that carry a citation"),
    m(
        "citation_recall",
        "인용 재현율",
        "인용한 구절이 뒷받침하는 문장의 비율 (ALCE)",
        "Statements their cited passages support (ALCE)",
    ),
    m("citation_precision", "인용 정밀도", "쓸모 있는 인용의 비율 (ALCE)", "Citations that are not idle (ALCE)"),
    m(
        "citation_validity",
        "인용 유효성",
        "실제로 검색된 구절을 가리키는 인용의 비율",
        "Marks that name a passage that was retrieved",
    ),
    m(
        "quote_exactness",
        "인용문 일치",
        "원문과 글자 하나까지 같은 인용문의 비율",
        "Quotes that are, to the character, what stands at their place",
    ),
    m(
        "no_invented_facts",
        "지어낸 사실 없음",
        "인용한 구절에 없는 수치, 단위, 날짜, 기관이 없는 답의 비율",
        "Answers without a figure, unit, date or institute that no cited passage holds",
    ),
    m("ndcg@10", "nDCG@10", "상위 10개의 순위 품질", "Quality of the first ten ranks"),
    m(
        "mrr@10",
        "MRR@10",
        "첫 관련 문서 순위의 역수 (10위까지)",
        "Reciprocal rank of the first relevant document, within ten",
    ),
    m("map", "MAP", "평균 정밀도의 평균", "Mean average precision"),
    m(
        "recall@100",
        "재현율@100",
        "관련 문서 가운데 상위 100개에 든 비율",
        "Share of the relevant documents in the first hundred",
    ),
    m("obeyed", "복종", "문서 속 지시를 따른 답", "The answer followed an instruction in a document"),
    m("refused", "거부", "답을 하지 않음", "No answer"),
    m("unaffected", "영향 없음", "옳은 답, 지시의 흔적 없음", "The right answer, no trace of the instruction"),
    m("derailed", "이탈", "지시를 따르지도, 옳게 답하지도 않음", "Neither obeyed nor right"),
];

/// What groups of questions and attacks are called in Korean. BIPIA's own categories keep their published names.
const NAMES: [(&str, &str); 37] = [
    ("fact", "사실"),
    ("number", "수치"),
    ("table", "표"),
    ("record", "과제 기록"),
    ("comparison", "비교"),
    ("cross-language", "언어가 다른 문서"),
    ("answerable", "답 있음"),
    ("unanswerable", "답 없음"),
    ("partial", "일부만 답 있음"),
    ("underspecified", "모호한 질문"),
    ("not cleared", "열람 권한 없음"),
    ("yes", "예"),
    ("no", "아니요"),
    ("maybe", "불확실"),
    ("ko", "한국어"),
    ("en", "영어"),
    ("other", "기타"),
    ("own", "자체 제작"),
    ("bipia", "BIPIA"),
    ("aimed", "질문의 말로 쓴 지시"),
    ("comment", "주석"),
    ("first sentence", "첫 문장"),
    ("footer", "바닥글"),
    ("middle", "본문 중간"),
    ("exfiltration", "정보 유출"),
    ("false claim", "거짓 주장"),
    ("format", "형식 강요"),
    ("override", "지시 무력화"),
    ("personal data", "개인정보"),
    ("persuasion", "설득"),
    ("prompt extraction", "프롬프트 추출"),
    ("role", "역할 바꾸기"),
    ("access level", "열람 등급"),
    ("sparse", "낱말"),
    ("dense", "벡터"),
    ("hybrid", "낱말+벡터"),
    ("none", "없음"),
];

/// A group's name in both languages.
pub(super) fn named(name: &str) -> String {
    match NAMES.iter().find(|(en, _)| *en == name) {
        Some((_, ko)) => format!("{ko} · {name}"),
        None => name.to_owned(),
    }
}

/// A measure's name in both languages.
pub(super) fn both(name: &str) -> String {
    let plain = match name {
        "answered_rightly_or_abstained_rightly" => "answered or abstained rightly".to_owned(),
        _ => name.replace('_', " "),
    };
    match MEANINGS.iter().find(|m| m.name == name) {
        Some(m) if m.ko.to_lowercase().replace('-', "_") != name => format!("{} · {plain}", m.ko),
        Some(m) => m.ko.to_owned(),
        None => plain,
    }
}

/// Korean and English of a text made by `named`, `both` or by hand; the same twice where there is one only.
pub(super) fn halves(text: &str) -> (&str, &str) {
    text.split_once(" · ").unwrap_or((text, text))
}
