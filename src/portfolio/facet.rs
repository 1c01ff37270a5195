//! What does a sentence of a proposal or report speak of: aim, method, material or result?
//!
//! In: a text. Out: its sentences as [`Span`]s, each with a [`Facet`] and a confidence. Decided by the
//! heading above, cue phrases in Korean and English, and the place in the text, in this order of weight.
//! It does not understand the sentence: where no cue stands, the place decides and confidence is low.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::fields::is_labelled;
use crate::document::Span;
use crate::text::{analyse, sentences};

/// What a sentence speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Facet {
    /// What is to be reached, and why.
    Aim,
    /// What is done for it.
    Method,
    /// What it is done with.
    Material,
    /// What came out.
    Result,
    /// Money, people, dates, dissemination.
    Other,
}

impl Facet {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Facet::Aim => "aim",
            Facet::Method => "method",
            Facet::Material => "material",
            Facet::Result => "result",
            Facet::Other => "other",
        }
    }
}

/// A sentence and what it speaks of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sentence {
    /// Where it stands in the text.
    pub span: Span,
    /// What it speaks of.
    pub facet: Facet,
    /// 0 (a guess from the place) to 1 (heading and phrases agree).
    pub confidence: f32,
}

/// Words of headings, lower case.
const HEADINGS: [(Facet, &[&str]); 5] = [
    (
        Facet::Aim,
        &[
            "aim",
            "objective",
            "goal",
            "purpose",
            "problem",
            "motivation",
            "need",
            "idea",
            "summary",
            "scope",
            "목표",
            "목적",
            "필요성",
            "배경",
            "개요",
            "문제",
            "challenge",
        ],
    ),
    (
        Facet::Method,
        &[
            "method",
            "approach",
            "work plan",
            "workplan",
            "methodology",
            "procedure",
            "experimental",
            "design",
            "tasks",
            "work package",
            "연구내용",
            "연구 내용",
            "방법",
            "추진",
            "실험",
            "공정",
            "내용",
            "전략",
            "how",
        ],
    ),
    (Facet::Material, &["material", "sample", "dataset", "data", "specimen", "재료", "시료", "원료", "소재", "자료"]),
    (
        Facet::Result,
        &[
            "result",
            "outcome",
            "finding",
            "conclusion",
            "performance",
            "evaluation",
            "결과",
            "성과",
            "실적",
            "결론",
            "성능",
            "평가",
            "findings",
        ],
    ),
    (
        Facet::Other,
        &[
            "budget",
            "cost",
            "funding",
            "team",
            "schedule",
            "reference",
            "dissemination",
            "연구비",
            "예산",
            "인력",
            "일정",
            "참고",
            "구성",
            "체계",
            "novelty",
            "차별성",
            "risk",
            "위험",
            "broader impact",
            "acknowledg",
        ],
    ),
];

/// Phrases inside sentences, lower case, with their weight.
const PHRASES: [(Facet, &[(&str, f32)]); 5] = [
    (
        Facet::Aim,
        &[
            ("aim", 1.0),
            ("objective", 1.0),
            ("goal", 1.0),
            ("seek", 0.8),
            ("we propose to", 0.6),
            ("purpose", 0.8),
            ("in order to", 0.3),
            ("so that", 0.3),
            ("is meant to", 1.0),
            ("overarching", 0.8),
            ("we want to", 1.0),
            ("research question", 1.0),
            ("hypothes", 0.6),
            ("challenge", 0.4),
            ("intend", 0.7),
            ("this project will", 0.5),
            ("the project will", 0.4),
            ("remains unknown", 0.6),
            ("poorly understood", 0.6),
            ("목표", 1.2),
            ("목적", 1.2),
            ("하고자", 1.0),
            ("위하여", 0.4),
            ("위해", 0.3),
            ("필요하다", 0.6),
            ("개발한다", 0.5),
            ("확보한다", 0.7),
            ("줄인다", 0.5),
            ("높인다", 0.5),
            ("핵심이다", 0.6),
            ("가리고자", 1.0),
        ],
    ),
    (
        Facet::Method,
        &[
            ("method", 0.7),
            ("approach", 0.6),
            ("using", 0.5),
            ("by means of", 0.8),
            ("technique", 0.6),
            ("we will use", 1.0),
            ("we use", 0.9),
            ("will be used", 0.9),
            ("will be measured", 0.8),
            ("combin", 0.4),
            ("experiment", 0.5),
            ("simulat", 0.6),
            ("algorithm", 0.6),
            ("model", 0.2),
            ("develop", 0.2),
            ("measure", 0.4),
            ("were ", 0.3),
            ("was ", 0.2),
            ("coated", 0.4),
            ("heated", 0.4),
            ("trained", 0.4),
            ("interview", 0.6),
            ("survey", 0.6),
            ("fieldwork", 0.7),
            ("analy", 0.3),
            ("spectroscop", 0.6),
            ("방법", 0.7),
            ("이용하여", 0.9),
            ("이용해", 0.9),
            ("사용하여", 0.8),
            ("사용한다", 0.7),
            ("통해", 0.4),
            ("측정", 0.4),
            ("제조하", 0.6),
            ("도포하", 0.6),
            ("비교하였다", 0.6),
            ("넣고", 0.3),
            ("썼다", 0.7),
            ("쓴다", 0.7),
            ("조립하", 0.6),
            ("시험하", 0.5),
            ("설계", 0.5),
            ("하고,", 0.2),
            ("학습", 0.4),
            ("추정하", 0.5),
        ],
    ),
    (
        Facet::Material,
        &[
            ("sample", 0.5),
            ("specimen", 0.8),
            ("dataset", 0.8),
            ("cohort", 0.6),
            ("powder", 0.4),
            ("feedstock", 0.7),
            ("raw material", 0.9),
            ("consists of", 0.4),
            ("시료", 0.7),
            ("원료", 0.8),
            ("분말", 0.4),
            ("활물질은", 0.8),
            ("데이터", 0.5),
            ("구매하", 0.6),
            ("조성", 0.4),
        ],
    ),
    (
        Facet::Result,
        &[
            ("result", 0.6),
            ("we found", 1.0),
            ("showed", 0.8),
            ("reached", 0.8),
            ("achieved", 0.8),
            ("increased", 0.5),
            ("decreased", 0.5),
            ("improved", 0.5),
            ("fell", 0.6),
            ("rose", 0.6),
            ("yielded", 0.6),
            ("stopped", 0.3),
            ("was gone", 0.5),
            ("retained", 0.6),
            ("outcome", 0.5),
            ("will lead to", 0.3),
            ("결과", 0.6),
            ("였다", 0.5),
            ("이었다", 0.6),
            ("되었다", 0.5),
            ("올랐", 0.9),
            ("내려갔", 0.9),
            ("도달", 0.8),
            ("낮아졌", 0.9),
            ("확인되", 0.7),
            ("나타났", 0.8),
            ("줄었", 0.8),
            ("늘었", 0.8),
            ("머물렀", 0.9),
            ("관찰", 0.5),
            ("못 미쳤", 0.9),
            ("달성", 0.7),
        ],
    ),
    (
        Facet::Other,
        &[
            ("budget", 0.8),
            ("applicant:", 1.0),
            ("funding", 0.6),
            ("undergraduate", 0.7),
            ("outreach", 0.8),
            ("broader impact", 1.0),
            ("intellectual merit", 1.5),
            ("statutory mission", 2.0),
            ("k-12", 0.8),
            ("underrepresented", 0.9),
            ("graduate students", 0.7),
            ("will be trained", 0.7),
            ("workshop", 0.3),
            ("this award reflects", 2.0),
            ("인건비", 1.0),
            ("연구비", 0.8),
            ("제안기관", 1.2),
            ("백만원", 0.6),
            ("총괄책임자", 1.2),
            ("to our knowledge", 1.2),
            ("사례가 보고되지", 1.2),
            ("travel", 0.5),
        ],
    ),
];

/// Sentences that carry content, each with its facet. Headings decide but are not returned; lines of
/// facts (`name: value | name: value`) and table rows of figures only are left out.
pub fn facets(text: &str) -> Vec<Sentence> {
    let spans: Vec<Span> = sentences(text).into_iter().flat_map(|span| apart(text, span)).collect();
    let mut out: Vec<Sentence> = Vec::new();
    let mut heading: Option<Facet> = None;
    for span in &spans {
        let line = span.slice(text).trim();
        if is_heading(line) {
            heading = heading_facet(line);
            continue;
        }
        if is_facts(line) || too_short(line) {
            continue;
        }
        out.push(Sentence {
            span: *span,
            facet: heading.unwrap_or(Facet::Other),
            confidence: f32::from(u8::from(heading.is_some())),
        });
    }
    let total = out.len();
    let mut headings = out.iter().map(|s| (s.confidence > 0.0).then_some(s.facet)).collect::<Vec<_>>().into_iter();
    for (i, sentence) in out.iter_mut().enumerate() {
        let heading = headings.next().flatten();
        let place = if total > 1 { i as f32 / (total - 1) as f32 } else { 0.0 };
        (sentence.facet, sentence.confidence) = judge(sentence.span.slice(text), heading, place);
    }
    out
}

/// Sentences that stand together without a blank between them, as where the tags of a page were dropped
/// (`… toward shared goals.This category …`, `Scope:This award …`).
fn apart(text: &str, span: Span) -> Vec<Span> {
    let mut out = Vec::new();
    let mut start = span.start;
    for found in GLUED.captures_iter(span.slice(text)) {
        let end = span.start + found.get(1).expect("the first group is not optional").end();
        out.push(Span { start, end });
        start = end;
    }
    out.push(Span { start, end: span.end });
    out
}

static GLUED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:[a-z]{3}|[a-z]\))([.;:!?])[A-Z][a-z]*[ ,]").expect("constant pattern"));

fn judge(sentence: &str, heading: Option<Facet>, place: f32) -> (Facet, f32) {
    let lower = sentence.to_lowercase();
    let mut scores = [0f32; 5];
    for (facet, phrases) in PHRASES {
        scores[facet as usize] += phrases.iter().filter(|(p, _)| lower.contains(p)).map(|(_, w)| w).sum::<f32>();
    }
    if let Some(facet) = heading {
        scores[facet as usize] += 1.6;
    }
    // Abstracts begin with why and end with what came or will come of it.
    if place <= 0.2 {
        scores[Facet::Aim as usize] += 0.35;
    } else if place < 0.8 {
        scores[Facet::Method as usize] += 0.3;
    } else {
        scores[Facet::Result as usize] += 0.25;
    }
    let order = [Facet::Aim, Facet::Method, Facet::Result, Facet::Material, Facet::Other];
    let best = order.into_iter().fold(Facet::Aim, |a, b| if scores[b as usize] > scores[a as usize] { b } else { a });
    let second = order.into_iter().filter(|f| *f != best).map(|f| scores[f as usize]).fold(0.0, f32::max);
    let margin = scores[best as usize] - second;
    (best, (margin / 1.5).clamp(0.0, 1.0))
}

/// `# …`, `1. 연구 목표`, `□ 연구 내용`, `Objective:`: a short line that ends in no full stop and says a heading's word.
fn is_heading(line: &str) -> bool {
    if line.starts_with('#') {
        return true;
    }
    let words = line.split_whitespace().count();
    let ended = line.ends_with(['.', '!', '?', '다', ';', '|']) || line.contains(": ");
    words <= 6 && !ended && line.chars().count() <= 40 && heading_facet(line).is_some() && !line.starts_with('|')
}

fn heading_facet(line: &str) -> Option<Facet> {
    let lower = line.trim_start_matches('#').trim().to_lowercase();
    HEADINGS.iter().find(|(_, words)| words.iter().any(|w| lower.contains(w))).map(|(facet, _)| *facet)
}

/// A record's line of facts, a labelled fact, a table row, a line in bold alone (a title), or who wrote it.
fn is_facts(line: &str) -> bool {
    let bold = line.starts_with("**") && line.ends_with("**");
    let byline = ["작성:", "작성자:", "Author:", "Authors:", "Written by"].iter().any(|b| line.starts_with(b));
    let listed = line.starts_with('|') || (line.matches(" | ").count() >= 2 && line.matches(": ").count() >= 2);
    bold || byline || listed || is_labelled(line)
}

fn too_short(line: &str) -> bool {
    analyse(line).iter().filter(|t| t.weight >= 1.0).count() < 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(&str, Facet)> {
        facets(text).iter().map(|s| (s.span.slice(text), s.facet)).collect()
    }

    #[test]
    fn headings_and_phrases_decide_in_both_languages() {
        let ko = "id: 1 | who: 가온 | year: 2021\n\n## 연구 목표\n\n초기 효율을 90 % 이상으로 올리는 것이 목표이다.\n\n## 연구 방법\n\n리튬박을 극판에 겹쳐 감고 숙성하였다.\n\n## 결과\n\n초기 효율이 91 %로 올랐다.";
        let found = of(ko);
        assert_eq!(found.iter().map(|f| f.1).collect::<Vec<_>>(), [Facet::Aim, Facet::Method, Facet::Result]);
        assert!(found[1].0.starts_with("리튬박을"));
        let en = "We aim to extend the life of anode-free cells. Lithium foil is pressed on copper using a heated roll. The cells retained 81 % after 300 cycles.";
        assert_eq!(of(en).iter().map(|f| f.1).collect::<Vec<_>>(), [Facet::Aim, Facet::Method, Facet::Result]);
    }

    #[test]
    fn sentences_without_a_blank_between_them_are_two() {
        let text =
            "This builds relationships on shared goals.The category honours those who work in Node.js and e.g. Java.";
        let found: Vec<&str> = of(text).iter().map(|f| f.0).collect();
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with("goals.") && found[1].starts_with("The category"), "{found:?}");
    }

    #[test]
    fn money_is_no_aim() {
        assert_eq!(of("인건비 820백만원, 장비비 640백만원이며 연구비 총액은 다음과 같다.")[0].1, Facet::Other);
        assert_eq!(
            of("This award reflects NSF's statutory mission and has been deemed worthy of support.")[0].1,
            Facet::Other
        );
    }

    #[test]
    fn a_sentence_without_cue_has_low_confidence() {
        let found = facets("Molten salt fills pores between grains slowly.");
        assert!(found[0].confidence < 0.5);
        assert!(facets("").is_empty());
    }
}
