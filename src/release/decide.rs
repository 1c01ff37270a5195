//! Part by part: may it be released, and if not, why.
//!
//! A sentence is withheld where its words claim a secret, security, or a decision that is not finished; persons in it are replaced. A mark on a
//! line of its own (`대외비`, `CONFIDENTIAL`) or an access level above public withholds the whole document. Each reason names its rule, the
//! provision and the words. The rules see words, not facts: that something *is* a trade secret nobody can tell from a text.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::{Match, Regex};

use super::{Action, Basis, Policy, Shown, redact};
use crate::document::{Access, Document, Span};
use crate::text::sentences;

/// What may be done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As it is.
    Release,
    /// With parts replaced or left out.
    ReleaseInPart,
    /// Not at all.
    Withhold,
}

impl Outcome {
    /// `release`, `release_in_part`, `withhold`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Release => "release",
            Outcome::ReleaseInPart => "release_in_part",
            Outcome::Withhold => "withhold",
        }
    }
}

/// Why a part is not released as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// Under which provision.
    pub basis: Basis,
    /// Which rule.
    pub rule: &'static str,
    /// The words that say so (bytes of the text); empty for an access level.
    pub span: Span,
    /// How sure the rule is, 0 to 1 (set by hand).
    pub confidence: f64,
}

/// A sentence or line that is not released as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where (bytes).
    pub span: Span,
    /// `Withhold`, or `ReleaseInPart` where only persons are replaced.
    pub outcome: Outcome,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
}

/// What may be released of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Of the whole.
    pub outcome: Outcome,
    /// Reasons that concern the whole document: a mark, an access level.
    pub reasons: Vec<Reason>,
    /// What is not released as it is, in order.
    pub parts: Vec<Part>,
    /// The text to release: persons replaced, withheld sentences as `[WITHHELD: code]`; empty where the whole is withheld.
    pub text: String,
    /// Every finding and what is done with it.
    pub findings: Vec<Shown>,
}

struct Rule {
    name: &'static str,
    basis: Basis,
    confidence: f64,
    words: Regex,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |name, basis, confidence, words: &str| Rule {
        name,
        basis,
        confidence,
        words: Regex::new(&format!("(?i){words}")).expect("constant pattern"),
    };
    vec![
        rule(
            "classified",
            Basis::Security,
            0.9,
            r"군사\s?기밀|[ⅠⅡⅢ1-3]급\s?비밀|(?-u:\b)(?:classified information|top secret)",
        ),
        rule(
            "core-technology",
            Basis::Security,
            0.7,
            r"국가\s?핵심\s?기술|방위\s?산업\s?기술|보안\s?과제|전략\s?물자|수출\s?(?:통제|허가)\s?(?:대상|품목|기술)|(?-u:\b)ITAR(?-u:\b)|export[- ]controlled",
        ),
        rule(
            "trade-secret",
            Basis::BusinessSecret,
            0.85,
            r"영업\s?비밀|기업\s?비밀|대외비|사내\s?한|trade secrets?|company confidential|commercially sensitive|commercial[- ]in[- ]confidence|(?-u:\b)proprietary (?:information|data|know-how|recipe|process)",
        ),
        rule(
            "price",
            Basis::BusinessSecret,
            0.6,
            r"(?:납품|공급|매입|제조)\s?(?:단가|원가)[^.\n]{0,30}\d|(?:unit|purchase|transfer) (?:price|cost) of [^.\n]{0,12}\d",
        ),
        rule(
            "third-party",
            Basis::BusinessSecret,
            0.85,
            r"비밀\s?유지\s?(?:계약|협약|의무|약정|서약)|(?-u:\b)NDA(?-u:\b)|non-disclosure|under (?:a )?confidentiality",
        ),
        rule(
            "before-filing",
            Basis::BusinessSecret,
            0.8,
            r"출원\s?(?:예정|준비|전(?:이|에|까지|\s|의))|특허[^.\n]{0,12}(?:출원할|출원\s?예정)|미공개\s?(?:기술|자료|결과|데이터|특허|발명)|공개\s?전\s?(?:기술|결과|특허)|(?-u:\b)(?:to be filed|before (?:the )?(?:patent )?filing|not yet filed|unpublished (?:results?|data|invention|patent))|under embargo|embargoed",
        ),
        rule(
            "not-decided",
            Basis::Deliberation,
            0.75,
            r"(?:결정|확정)된?\s?(?:것이|바가|되지|되진)?\s?(?:아니|않|없)|심의\s?중|내부\s?검토|검토\s?중인?\s?(?:안|사항|계획)|미확정|확정\s?전|(?-u:\b)(?:draft for internal|internal review|still under (?:internal )?(?:review|deliberation)|not yet decided)",
        ),
        rule(
            "evaluation",
            Basis::Deliberation,
            0.75,
            r"(?:평가|심사|심의)\s?위원(?:별)?[^.\n]{0,12}(?:의견|평점|점수)|(?:평가|심사)\s?(?:점수|평점)\s?[:：은는]?\s?\d|(?:reviewer|evaluator|panel)(?:s|[’']s|s[’'])? (?:comments?|scores?|opinions?)",
        ),
    ]
});

/// Not so, right behind a claim: `영업비밀에 해당하지 않는다`, `영업비밀 여부: 없음`, `trade secrets are not included`. Whatever
/// else is not done (`영업비밀이므로 공개하지 않는다`) belongs to the claim.
static DENIED_BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^\s?(?:등|여부|사항|정보|기술|자료|과제|지정)?\s?[:：]?\s?(?:은|는|이|가|에|에는|에도|도|로|으로|로는|으로는|을|를)?\s?(?:전혀|더\s?이상)?\s?",
        r"(?:해당\s?(?:하지|되지)?\s?(?:않|없|안)|아니|아닌|아님|없|해제|(?:포함|지정|분류|취급)(?:하지|되지|되어\s?있지)\s?않|볼\s?수\s?없|보지\s?않)",
        r"|^[a-z]*\s?(?:[:：]\s?(?:none|no|n/a)\b|(?:is|are|was|were|has|have|does|do)\s+(?:not|no longer)\s+(?:been\s+)?(?:included?|contained?|involved?|claimed?|concerned|affected|applicable|apply)\b)",
    ))
    .expect("constant pattern")
});

/// Not so, right before it: `contains no trade secrets`.
static DENIED_BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:no|not|without|none of|neither)(?:\s+(?:an?|any|the|of|known|such|other|longer|considered))*\s*$",
    )
    .expect("constant pattern")
});

/// Between the claims of a list.
static JOINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:\s|,|·|/|및|또는|혹은|이나|나|와|과|\b(?:or|and|nor|any)\b)+").expect("constant pattern")
});

static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?im)^[\s#>*\[(<{【■□◆◇※_|-]*(?P<v>대\s?외\s?비|극\s?비|비\s?밀|[ⅠⅡⅢ1-3]급\s?비밀|사내\s?한|내부\s?(?:검토|보고)?용|대외\s?유출\s?금지|(?:strictly |company |commercial[- ]in[- ])?confiden(?:tial|ce)|(?:top )?secret|for internal use only|internal use only|not for (?:public )?(?:distribution|release)|proprietary)[\s*\])>}】■□◆◇※_|.!-]*$")
        .expect("constant pattern")
});

/// Decides about a document.
pub fn decide(document: &Document, policy: &Policy) -> Decision {
    let text = document.text.as_str();
    let mut whole: Vec<Reason> = MARK
        .captures_iter(text)
        .filter_map(|m| m.name("v"))
        .map(|m| {
            let security = m.as_str().contains(['급', '극']) || m.as_str().to_lowercase().ends_with("secret");
            let basis = if security { Basis::Security } else { Basis::BusinessSecret };
            Reason { basis, rule: "mark", span: Span { start: m.start(), end: m.end() }, confidence: 0.95 }
        })
        .collect();
    match document.metadata.access {
        Access::Public => {}
        Access::Internal | Access::Restricted => {
            whole.push(Reason {
                basis: Basis::BusinessSecret,
                rule: "access-level",
                span: Span::default(),
                confidence: 1.0,
            });
        }
    }
    let redacted = redact(text, policy);
    let mut parts = Vec::new();
    for span in sentences(text) {
        let mut reasons = claims(text, span);
        let outcome = if reasons.is_empty() { Outcome::ReleaseInPart } else { Outcome::Withhold };
        reasons.extend(persons(&redacted.findings, span));
        if !reasons.is_empty() {
            parts.push(Part { span, outcome, reasons });
        }
    }
    let outcome = match (whole.is_empty(), parts.is_empty()) {
        (false, _) => Outcome::Withhold,
        (true, false) => Outcome::ReleaseInPart,
        (true, true) => Outcome::Release,
    };
    let text = if outcome == Outcome::Withhold { String::new() } else { released(text, &parts, &redacted.findings) };
    Decision { outcome, reasons: whole, parts, text, findings: redacted.findings }
}

/// What a sentence claims about itself.
fn claims(text: &str, sentence: Span) -> Vec<Reason> {
    let said = sentence.slice(text);
    let mut claims: Vec<(&Rule, Match<'_>)> =
        RULES.iter().flat_map(|rule| rule.words.find_iter(said).map(move |m| (rule, m))).collect();
    claims.sort_by_key(|(_, m)| m.start());
    // Where the list ends that begins at a claim (`영업비밀이나 국가핵심기술`, `trade secrets or proprietary data`): the
    // last claims first, since each list goes on in a later one.
    let mut end_from: HashMap<usize, usize> = HashMap::new();
    let mut ends = vec![0; claims.len()];
    let mut denied: HashSet<usize> = HashSet::new();
    for (at, (_, m)) in claims.iter().enumerate().rev() {
        let next = JOINT.find(&said[m.end()..]).and_then(|joint| end_from.get(&(m.end() + joint.end())));
        let end = next.copied().unwrap_or(m.end());
        end_from.insert(m.start(), end);
        ends[at] = end;
        if DENIED_BEHIND.is_match(&said[end..]) || DENIED_BEFORE.is_match(shortly_before(said, m.start())) {
            denied.insert(end);
        }
    }
    let seen = |rule: &Rule| {
        let own = claims.iter().zip(&ends).filter(|((by, _), _)| std::ptr::eq(*by, rule));
        let ((_, m), _) = own.into_iter().find(|(_, end)| !denied.contains(end))?;
        let span = Span { start: sentence.start + m.start(), end: sentence.start + m.end() };
        Some(Reason { basis: rule.basis, rule: rule.name, span, confidence: rule.confidence })
    };
    RULES.iter().filter_map(seen).collect()
}

/// As much before a claim as a denial takes.
fn shortly_before(said: &str, start: usize) -> &str {
    const BYTES: usize = 64;
    &said[said.floor_char_boundary(start.saturating_sub(BYTES))..start]
}

/// The findings of a sentence that are not shown as they are.
fn persons(findings: &[Shown], sentence: Span) -> Vec<Reason> {
    findings
        .iter()
        .filter(|f| {
            f.action != Action::Keep && f.finding.span.start >= sentence.start && f.finding.span.start < sentence.end
        })
        .map(|f| Reason {
            basis: f.finding.label.basis(),
            rule: f.finding.rule,
            span: f.finding.span,
            confidence: f.finding.confidence,
        })
        .collect()
}

/// The text with persons replaced and withheld sentences left out.
fn released(text: &str, parts: &[Part], findings: &[Shown]) -> String {
    let withheld = parts.iter().filter(|p| p.outcome == Outcome::Withhold);
    let mut changes: Vec<(Span, String)> =
        withheld.map(|p| (p.span, format!("[WITHHELD: {}]", p.reasons[0].basis.code()))).collect();
    let inside =
        |span: Span, changes: &[(Span, String)]| changes.iter().any(|(w, _)| span.start < w.end && w.start < span.end);
    let open: Vec<(Span, String)> = findings
        .iter()
        .filter(|f| f.action != Action::Keep && !inside(f.finding.span, &changes))
        .map(|f| (f.finding.span, f.replacement.clone()))
        .collect();
    changes.extend(open);
    changes.sort_by_key(|(span, _)| span.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (span, instead) in changes {
        out.push_str(&text[at..span.start]);
        out.push_str(&instead);
        at = span.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, Language, Metadata};

    fn document(text: &str) -> Document {
        Document {
            id: String::new(),
            source: "-".into(),
            format: Format::Text,
            title: String::new(),
            language: Language::Ko,
            metadata: Metadata::default(),
            text: text.into(),
            units: Vec::new(),
            sections: Vec::new(),
        }
    }

    #[test]
    fn a_sentence_that_claims_a_secret_is_left_out_and_the_rest_released() {
        let text = "흐름전지의 효율은 82 %였다. 전해액 배합비는 영업비밀로 공개하지 않기로 하였다. 담당 김하늘 선임에게 묻는다.";
        let decision = decide(&document(text), &Policy::default());
        assert_eq!(decision.outcome, Outcome::ReleaseInPart);
        assert_eq!(
            decision.text,
            "흐름전지의 효율은 82 %였다. [WITHHELD: business_secret] 담당 [PERSON 1] 선임에게 묻는다."
        );
        assert_eq!(decision.parts[0].reasons[0].rule, "trade-secret");
        assert_eq!(decision.parts[0].reasons[0].span.slice(text), "영업비밀");
        assert_eq!(decision.parts[1].reasons[0].basis, Basis::Personal);
    }

    #[test]
    fn a_claim_that_is_denied_withholds_nothing() {
        for text in [
            "이 기술은 국가핵심기술에 해당하지 않는다.",
            "The report contains no trade secrets.",
            "보안과제가 아니다.",
            "영업비밀 여부: 해당 없음",
            "이 과제는 국가핵심기술이나 방위산업기술에 해당하지 않는다.",
            "It holds no trade secrets or proprietary data.",
            "영업비밀로 볼 수 없다.",
            "Trade secrets are not included in this report.",
            "Trade secrets: none.",
            "The cell kept 91 % after 500 cycles.",
        ] {
            assert_eq!(decide(&document(text), &Policy::default()).outcome, Outcome::Release, "{text}");
        }
    }

    #[test]
    fn what_is_not_to_be_done_is_no_denial() {
        for text in [
            "이 문서의 원가 자료는 영업비밀이므로 외부에 공개할 수 없다.",
            "단가는 비밀유지계약에 따라 공개하지 않는다.",
            "The resin recipe is a trade secret and must not be disclosed.",
            "조성은 영업비밀이 아니지만, 공정은 영업비밀이다.",
            "예산은 아직 확정되지 않았다.",
        ] {
            let decision = decide(&document(text), &Policy::default());
            assert_eq!(decision.outcome, Outcome::ReleaseInPart, "{text}");
            assert!(decision.text.starts_with("[WITHHELD: "), "{}", decision.text);
        }
    }

    #[test]
    fn a_list_of_any_length_is_read() {
        let list = "영업비밀, ".repeat(50_000);
        for (end, outcome) in [("대외비에 해당하지 않는다.", Outcome::Release), ("대외비이다.", Outcome::ReleaseInPart)]
        {
            assert_eq!(decide(&document(&format!("{list}{end}")), &Policy::default()).outcome, outcome);
        }
    }

    #[test]
    fn a_mark_or_an_access_level_withholds_the_whole() {
        let marked = decide(&document("# 보고서\n\n[대외비]\n\n효율은 82 %였다."), &Policy::default());
        assert_eq!((marked.outcome, marked.text.as_str()), (Outcome::Withhold, ""));
        assert_eq!(marked.reasons[0].rule, "mark");
        let spoken = decide(&document("The results are confidential to nobody any more."), &Policy::default());
        assert_eq!(spoken.outcome, Outcome::Release);
        let mut internal = document("효율은 82 %였다.");
        internal.metadata.access = Access::Internal;
        assert_eq!(decide(&internal, &Policy::default()).reasons[0].rule, "access-level");
    }
}
