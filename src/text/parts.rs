//! What a question asks that asks several things: `예산과 주관기관은?`, `How thick is it, and what did it cost?`, `LFP와 NMC는 어떻게 다른가?`
//!
//! By conjunctions and particles, not by reading. A question that is one thing has no parts. Where words only look joined
//! (`전해질과 반응하는`) it has none either.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// One of several things that a question asks.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionPart {
    /// The words that are this part's alone (bytes of the question).
    pub span: Range<usize>,
    /// A clause that asks by itself; else a name beside others in one clause, which share its other words.
    pub is_clause: bool,
}

/// Parts at most; a question of more is a list.
const MOST: usize = 4;
/// Words of a name behind a conjunction, at most.
const NAME_WORDS: usize = 3;

static CLAUSE_EN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?:,\s*|\s+)and\s+(?:what|how|which|when|who|whom|where|why|did|was|were|is|are|does|do)\b")
});
static CLAUSE_KO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:얼마나?|무엇|누구|언제|어디|어떠하|어떻|몇\s?\S{1,6}?)\s?(?:이고|이며|이었고|이었으며|였고|였으며|인지와?|하며|되며|되고|했고|고|며),?\s+",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// The parts of a question, in order; none where it asks one thing.
pub fn parts(question: &str) -> Vec<QuestionPart> {
    let clauses = clauses(question);
    let (spans, is_clause) = if clauses.len() > 1 { (clauses, true) } else { (names(question), false) };
    if !(2..=MOST).contains(&spans.len()) {
        return Vec::new();
    }
    spans.into_iter().map(|span| QuestionPart { span, is_clause }).collect()
}

impl QuestionPart {
    /// The part as it is told to a reader.
    pub fn shown<'q>(&self, question: &'q str) -> &'q str {
        let text =
            question[self.span.clone()].trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '(' | ')' | '%'));
        if self.is_clause { text.strip_prefix("and ").unwrap_or(text) } else { without_particle(text) }
    }

    /// What this part alone asks: the question without the other parts.
    pub fn alone(&self, question: &str, all: &[QuestionPart]) -> String {
        let mut out = question.to_owned();
        for other in all.iter().rev().filter(|p| *p != self) {
            out.replace_range(other.span.clone(), " ");
        }
        out
    }
}

/// Sentences and clauses that ask.
fn clauses(question: &str) -> Vec<Range<usize>> {
    let mut cuts = vec![0];
    let whole = question.trim_end();
    cuts.extend(whole.match_indices(['?', '？']).map(|(at, mark)| at + mark.len()).filter(|at| *at < whole.len()));
    cuts.extend(CLAUSE_EN.find_iter(whole).map(|m| m.start()));
    cuts.extend(CLAUSE_KO.find_iter(whole).map(|m| m.end()));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.push(whole.len());
    let spans = cuts.windows(2).map(|w| w[0]..w[1]);
    spans.filter(|s| question[s.clone()].chars().filter(|c| c.is_alphanumeric()).count() > 2).collect()
}

/// A word of the question and where it stands.
type Word<'q> = (Range<usize>, &'q str);

/// Names that stand beside each other.
fn names(question: &str) -> Vec<Range<usize>> {
    let words: Vec<Word<'_>> = words(question);
    for (i, (_, word)) in words.iter().enumerate() {
        let found = if is_korean_conjunction(word) || *word == "및" {
            korean(&words, i)
        } else if ["and", "versus", "vs", "vs."].contains(&word.to_lowercase().as_str()) {
            english(&words, i)
        } else {
            None
        };
        if let Some(found) = found {
            return found;
        }
    }
    Vec::new()
}

fn words(question: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut from = None;
    for (at, c) in question.char_indices().chain([(question.len(), ' ')]) {
        match (c.is_whitespace(), from) {
            (true, Some(start)) => {
                words.push((start..at, &question[start..at]));
                from = None;
            }
            (false, None) => from = Some(at),
            _ => {}
        }
    }
    words
}

/// What follows names that are related, not listed.
const RELATED: [&str; 24] = [
    "같", "관련", "관계", "함께", "다른", "반응", "접촉", "결합", "연결", "연계", "상관", "유사", "동일", "동시", "맞",
    "협력", "공동", "혼합", "섞", "더불", "무관", "합", "만나", "닿",
];
/// What stands between two names that are compared.
const COMPARED: [&str; 4] = ["비교", "달리", "견주", "대비"];
/// Nouns that end as the particle does.
const NOUNS: [&str; 12] =
    ["결과", "효과", "성과", "초과", "통과", "경과", "여과", "투과", "부과", "학과", "교과", "사과"];

/// `X와`, `X과`: the particle fits the syllable before it, and the word is no noun of its own.
fn is_korean_conjunction(word: &str) -> bool {
    let mut back = word.chars().rev();
    let (Some(last), Some(before)) = (back.next(), back.next()) else { return false };
    let ends_in_consonant = if ('가'..='힣').contains(&before) {
        Some(!(before as u32 - '가' as u32).is_multiple_of(28))
    } else {
        before.is_alphanumeric().then_some(last == '과')
    };
    match (last, ends_in_consonant) {
        ('과', Some(true)) => !NOUNS.iter().any(|n| word.ends_with(n)),
        ('와', Some(false)) => true,
        _ => false,
    }
}

fn korean(words: &[Word<'_>], at: usize) -> Option<Vec<Range<usize>>> {
    let begins = |i: usize, with: &[&str]| words.get(i).is_some_and(|w| with.iter().any(|r| w.1.starts_with(r)));
    let first = if words[at].1 == "및" { at.checked_sub(1)? } else { at };
    let mut parts = vec![with_figure(words, first)];
    // `A, B와 C는`: what stands before with a comma is listed too.
    for i in (0..first).rev().take_while(|i| words[*i].1.ends_with(',')) {
        parts.insert(0, words[i].0.clone());
    }
    let mut next = at + 1;
    loop {
        if begins(next, &COMPARED) {
            next += 1;
        } else if begins(next, &RELATED) {
            return None;
        }
        let name = words.get(next..)?.iter().take(NAME_WORDS);
        let length = name.clone().position(|w| has_particle(w.1)).map_or(name.len(), |n| n + 1);
        let name = words.get(next..next + length).filter(|n| !n.is_empty())?;
        if name.iter().any(|w| w.1.starts_with("사이") || w.1.starts_with("간의")) {
            return None;
        }
        parts.push(name[0].0.start..name[length - 1].0.end);
        next += length;
        let goes_on = is_korean_conjunction(name[length - 1].1);
        if !goes_on || parts.len() > MOST {
            return Some(parts);
        }
    }
}

fn english(words: &[Word<'_>], at: usize) -> Option<Vec<Range<usize>>> {
    const ENDS: [&str; 36] = [
        "of", "in", "for", "at", "by", "with", "from", "to", "on", "as", "that", "which", "did", "do", "does", "is",
        "was", "were", "are", "be", "has", "have", "between", "during", "after", "before", "over", "under", "per",
        "when", "if", "differ", "compare", "affect", "reach", "achieve",
    ];
    let bare = |w: &str| w.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let left = at.checked_sub(1).filter(|i| !ENDS.contains(&bare(words[*i].1).as_str()))?;
    let mut parts = vec![with_figure(words, left)];
    for i in (0..left).rev().take_while(|i| words[*i].1.ends_with(',')) {
        parts.insert(0, words[i].0.clone());
    }
    let mut from = at + 1;
    while words.get(from).is_some_and(|w| ["the", "a", "an", "its", "their"].contains(&bare(w.1).as_str())) {
        from += 1;
    }
    let name = words.get(from..)?.iter().take(NAME_WORDS).take_while(|w| !ENDS.contains(&bare(w.1).as_str()));
    let length = name.clone().position(|w| w.1.ends_with(['?', ',', '.'])).map_or(name.clone().count(), |n| n + 1);
    let name = words.get(from..from + length).filter(|n| !n.is_empty())?;
    parts.push(name[0].0.start..name[length - 1].0.end);
    Some(parts)
}

/// The word at `i`, with the figure before it where it is a unit: `3 MPa`.
fn with_figure(words: &[Word<'_>], i: usize) -> Range<usize> {
    let figure =
        i.checked_sub(1).and_then(|before| words.get(before)).filter(|w| w.1.ends_with(|c: char| c.is_ascii_digit()));
    figure.map_or(words[i].0.start, |w| w.0.start)..words[i].0.end
}

const PARTICLES: [&str; 16] =
    ["에서는", "에서", "에는", "으로", "은", "는", "이", "가", "을", "를", "의", "에", "로", "와", "과", "도"];

fn has_particle(word: &str) -> bool {
    word.ends_with(['?', '？', ',', '.'])
        || PARTICLES.iter().any(|p| word.strip_suffix(p).is_some_and(|w| !w.is_empty()))
}

fn without_particle(text: &str) -> &str {
    let topic = ["에서는", "에서", "은", "는", "을", "를", "의", "와", "과"];
    let bare = topic.iter().find_map(|p| text.strip_suffix(p)).filter(|t| t.chars().count() > 1);
    bare.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(question: &str) -> Vec<&str> {
        parts(question).iter().map(|p| p.shown(question)).collect()
    }

    #[test]
    fn names_beside_each_other_are_parts() {
        assert_eq!(shown("수계 전환 과제의 예산과 주관기관은?"), ["예산", "주관기관"]);
        assert_eq!(shown("LFP와 NMC 셀의 벤트 가스에서 수소 비율은 어떻게 다른가?"), ["LFP", "NMC 셀"]);
        assert_eq!(shown("NMC와 비교하면 LFP의 수소 비율은?"), ["NMC", "LFP"]);
        assert_eq!(shown("막의 두께, 압력 및 온도는 얼마인가?"), ["두께", "압력", "온도"]);
        assert_eq!(shown("What were the yield and the purity of the salt?"), ["yield", "purity"]);
        assert_eq!(shown("How do LFP and NMC cells differ?"), ["LFP", "NMC cells"]);
        assert_eq!(shown("가압 3 MPa와 1 MPa에서 저항은?"), ["3 MPa", "1 MPa"]);
    }

    #[test]
    fn clauses_that_ask_are_parts() {
        let question = "Which institution runs SALTWAY and what is its budget?";
        assert_eq!(shown(question), ["Which institution runs SALTWAY", "what is its budget"]);
        assert!(parts(question).iter().all(|p| p.is_clause));
        assert_eq!(shown("예산은 얼마이고 책임자는 누구인가?"), ["예산은 얼마이고", "책임자는 누구인가"]);
        assert_eq!(shown("목표는 무엇인가? 결과는?"), ["목표는 무엇인가", "결과는"]);
    }

    #[test]
    fn one_thing_has_no_parts() {
        for question in [
            "전해질과 반응하는 물질은?",
            "양극과 음극 사이의 간격은?",
            "시험 결과는 무엇인가?",
            "What is the thickness?",
            "바인더는 무엇인가?",
            "예산은 얼마이고 ",
            "",
        ] {
            assert!(parts(question).is_empty(), "{question}: {:?}", shown(question));
        }
    }

    #[test]
    fn a_part_alone_asks_without_the_others() {
        let question = "수계 전환 과제의 예산과 주관기관은?";
        let all = parts(question);
        assert_eq!(
            all[1].alone(question, &all).split_whitespace().collect::<Vec<_>>().join(" "),
            "수계 전환 과제의 주관기관은?"
        );
    }

    proptest! {
        #[test]
        fn parts_of_any_text_are_in_order_and_can_be_told_apart(
            question in "(\\PC|[가-힣]{1,4}|얼마|이고|이며|무엇|인지와|와|과|및|을|[0-9]{1,3}|and what|and|vs|[?,. \n]|  ){0,40}"
        ) {
            let all = parts(&question);
            let mut before = 0;
            for part in &all {
                prop_assert!(before <= part.span.start && part.span.start < part.span.end, "{:?}", all);
                before = part.span.end;
                prop_assert!(question.contains(part.shown(&question)));
                part.alone(&question, &all);
            }
        }
    }
}
