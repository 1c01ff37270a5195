//! An overlap check as a page for people: Markdown, or HTML that needs nothing from elsewhere.
//!
//! In: an [`Overlap`]. Out: text in the reader's language; quotes stay in the language of their source.

use super::compare::SENTENCES;
use super::overlap::{Evidence, NewSentence, Overlap, Verdict};
use super::project::{Fact, Origin, SURE};
use super::reading::{Reading, Standing};
use super::verdict::Kind;
use crate::document::Language;
use crate::text::money::{self, Money};
use crate::text::spaced;

/// New sentences that a report shows.
const NEW_SHOWN: usize = 20;

impl Overlap {
    /// The language reports are in unless another is asked for: the proposal's.
    pub fn language(&self) -> Language {
        if self.proposal.language == "ko" { Language::Ko } else { Language::En }
    }

    /// As Markdown.
    pub fn markdown(&self, language: Language) -> String {
        let t = Words::of(language);
        let mut out = format!("# {}: {}\n\n", t.title, spaced(&self.proposal.title));
        if let Some(applicant) = self.applicant(&t) {
            out.push_str(&format!("{applicant}\n\n"));
        }
        if let Some(reading) = &self.proposal.reading {
            let lines = t.reading(reading);
            out.push_str(&format!("{}\n\n", lines.iter().map(|l| format!("- {l}")).collect::<Vec<_>>().join("\n")));
        }
        out.push_str(&format!("{}\n\n", t.summary(self)));
        if let Some(left_out) = t.left_out(self.proposal.left_out) {
            out.push_str(&format!("{left_out}\n\n"));
        }
        out.push_str(&format!("> {}\n\n", t.decides));
        for (i, verdict) in self.verdicts.iter().enumerate() {
            out.push_str(&self.verdict_markdown(i + 1, verdict, &t));
        }
        out.push_str(&format!("## {}\n\n", t.new));
        if self.new_in_proposal.is_empty() {
            out.push_str(&format!("{}\n", t.nothing_new));
        }
        let (shown, more) = self.new_shown(&t);
        for NewSentence { quote: q, nearest } in shown {
            out.push_str(&format!("- “{}” ({}–{}, {} {nearest:.2})\n", spaced(&q.quote), q.start, q.end, t.nearest));
        }
        if let Some(more) = more {
            out.push_str(&format!("\n{more}\n"));
        }
        out.push_str(&format!("\n---\n\n{}\n", t.made(self)));
        out
    }

    /// Who applies, marked where that is not sure.
    pub(super) fn applicant(&self, t: &Words) -> Option<String> {
        self.proposal.institution.as_ref().map(|institution| format!("{}: {}", t.institution, t.fact(institution)))
    }

    /// The first new sentences, and how many more there are.
    pub(super) fn new_shown(&self, t: &Words) -> (&[NewSentence], Option<String>) {
        let shown = self.new_in_proposal.len().min(NEW_SHOWN);
        let more = self.new_in_proposal.len() - shown;
        (&self.new_in_proposal[..shown], (more > 0).then(|| t.more(more)))
    }

    fn verdict_markdown(&self, n: usize, v: &Verdict, t: &Words) -> String {
        let mut out =
            format!("## {n}. {} ({:.0} %): {}\n\n", t.kind(v.kind, v.later), v.probability * 100.0, spaced(&v.title));
        out.push_str(&format!("{}\n\n", facts(v, t)));
        if let Some(reached) = &v.reached {
            let (quote, start, end) = (spaced(&reached.quote), reached.start, reached.end);
            out.push_str(&format!("{}: “{quote}” ({start}–{end})\n\n", t.reached));
        }
        for Evidence { proposal, source, alike } in &v.evidence {
            let page = source.page.map(|p| format!(", p. {p}")).unwrap_or_default();
            out.push_str(&format!(
                "- {} ({}–{}): “{}”\n  {} `{}` ({}–{}{page}): “{}”  \n  {}: {alike:.2}\n",
                t.proposal,
                proposal.start,
                proposal.end,
                spaced(&proposal.quote),
                t.source(v.later),
                v.project_id,
                source.start,
                source.end,
                spaced(&source.quote),
                t.alike,
            ));
        }
        out.push('\n');
        out
    }

    /// As one HTML page without script, fonts or pictures.
    pub fn html(&self, language: Language) -> String {
        let t = Words::of(language);
        let lang = if language == Language::Ko { "ko" } else { "en" };
        let mut out = format!(
            "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{0}</title><style>\
             body{{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}}\
             table{{border-collapse:collapse;width:100%}}td,th{{border:1px solid #bbb;padding:.4rem .6rem;vertical-align:top;text-align:left}}\
             .kind{{font-weight:700}}.note{{background:#f4f1e6;padding:.6rem 1rem}}small{{color:#555}}</style></head><body>\n<h1>{0}</h1>\n<h2>{1}</h2>\n",
            t.title,
            escape(&self.proposal.title)
        );
        if let Some(applicant) = self.applicant(&t) {
            out.push_str(&format!("<p>{}</p>\n", escape(&applicant)));
        }
        for line in self.proposal.reading.iter().flat_map(|reading| t.reading(reading)) {
            out.push_str(&format!("<p><small>{}</small></p>\n", escape(&line)));
        }
        out.push_str(&format!("<p>{}</p>\n", escape(&t.summary(self))));
        if let Some(left_out) = t.left_out(self.proposal.left_out) {
            out.push_str(&format!("<p>{left_out}</p>\n"));
        }
        out.push_str(&format!("<p class=\"note\">{}</p>\n", t.decides));
        for (i, v) in self.verdicts.iter().enumerate() {
            out.push_str(&format!(
                "<section>\n<h2>{}. <span class=\"kind\">{}</span> {:.0} %</h2>\n<p>{}<br><small>{}</small></p>\n",
                i + 1,
                t.kind(v.kind, v.later),
                v.probability * 100.0,
                escape(&v.title),
                escape(&facts(v, &t))
            ));
            if let Some(r) = &v.reached {
                out.push_str(&format!(
                    "<p>{}: <q>{}</q> <small>{}–{}</small></p>\n",
                    t.reached,
                    escape(&r.quote),
                    r.start,
                    r.end
                ));
            }
            out.push_str(&format!(
                "<table><tr><th>{}</th><th>{}</th><th>{}</th></tr>\n",
                t.proposal,
                t.source(v.later),
                t.alike
            ));
            for e in &v.evidence {
                let page = e.source.page.map(|p| format!(", p. {p}")).unwrap_or_default();
                out.push_str(&format!(
                    "<tr><td><q>{}</q><br><small>{}–{}</small></td><td><q>{}</q><br><small>{} {}–{}{page}</small></td><td>{:.2}</td></tr>\n",
                    escape(&e.proposal.quote), e.proposal.start, e.proposal.end, escape(&e.source.quote), escape(&v.project_id),
                    e.source.start, e.source.end, e.alike
                ));
            }
            out.push_str("</table>\n</section>\n");
        }
        out.push_str(&format!("<h2>{}</h2>\n", t.new));
        if self.new_in_proposal.is_empty() {
            out.push_str(&format!("<p>{}</p>\n", t.nothing_new));
        } else {
            let (shown, more) = self.new_shown(&t);
            out.push_str("<ul>\n");
            for NewSentence { quote: q, nearest } in shown {
                out.push_str(&format!(
                    "<li><q>{}</q> <small>{}–{}, {} {nearest:.2}</small></li>\n",
                    escape(&q.quote),
                    q.start,
                    q.end,
                    t.nearest
                ));
            }
            out.push_str("</ul>\n");
            if let Some(more) = more {
                out.push_str(&format!("<p>{more}</p>\n"));
            }
        }
        out.push_str(&format!("<hr><p><small>{}</small></p>\n</body></html>\n", escape(&t.made(self))));
        out
    }
}

/// Who, when, how far, for how much.
pub(super) fn facts(v: &Verdict, t: &Words) -> String {
    // A document's own words say its budget best, unless its unit stands elsewhere.
    let in_own_words = v.budget_stated.as_ref().filter(|stated| {
        v.budget.is_none_or(|amount| money::stated(&stated.value) == Some(Money { amount, currency: v.currency }))
    });
    let in_number = || v.budget.map(|amount| format!("{}: {}", t.budget, money::shown(amount, v.currency)));
    let known = [
        Some(v.project_id.clone()),
        v.institution.clone(),
        (!v.people.is_empty()).then(|| v.people.join(", ")),
        period(v),
        v.programme.as_ref().map(|f| t.fact(f)),
        v.stage.as_ref().map(|f| t.fact(f)),
        v.status.as_ref().map(|f| t.fact(f)),
        in_own_words.map(|f| t.fact(f)).or_else(in_number),
        v.later.then(|| t.later.to_owned()),
        (v.left_out > 0).then(|| t.not_compared(v.left_out)),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn period(v: &Verdict) -> Option<String> {
    match (v.period, v.year) {
        ((Some(a), Some(b)), _) if a != b => Some(format!("{a}–{b}")),
        ((Some(a), _), _) => Some(a.to_string()),
        (_, year) => year.map(|y| y.to_string()),
    }
}

/// Text as HTML content.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) struct Words {
    ko: bool,
    pub(super) title: &'static str,
    pub(super) institution: &'static str,
    pub(super) unsure: &'static str,
    pub(super) decides: &'static str,
    pub(super) reached: &'static str,
    pub(super) proposal: &'static str,
    pub(super) alike: &'static str,
    pub(super) new: &'static str,
    pub(super) nothing_new: &'static str,
    pub(super) nearest: &'static str,
    pub(super) budget: &'static str,
    pub(super) later: &'static str,
}

impl Words {
    pub(super) fn of(language: Language) -> Words {
        match language {
            Language::Ko => Words {
                ko: true,
                title: "과제 중복성 검토",
                institution: "신청 기관",
                unsure: "불확실",
                decides: "판정은 근거 문장을 보여 주는 참고 자료이며, 결정은 사람이 합니다. 확률은 추정값이며 아직 이 자료로 보정되지 않았습니다.",
                reached: "도달 수준",
                proposal: "제안서",
                alike: "유사도",
                new: "제안서에서 새로운 내용",
                nothing_new: "다른 과제에 없는 문장을 찾지 못했습니다.",
                nearest: "가장 가까운 문장",
                budget: "예산",
                later: "제안보다 나중에 시작",
            },
            Language::En | Language::Other => Words {
                ko: false,
                title: "Overlap check",
                institution: "Applicant",
                unsure: "unsure",
                decides: "A verdict shows its evidence; a person decides. The probability is an estimate that was not calibrated on your documents.",
                reached: "How far it got",
                proposal: "Proposal",
                alike: "alike",
                new: "New in the proposal",
                nothing_new: "No sentence was found that other work does not say.",
                nearest: "nearest",
                budget: "budget",
                later: "began after the proposal",
            },
        }
    }

    /// What an earlier work is to the proposal; of a `later` one, what it does after it.
    pub(super) fn kind(&self, kind: Kind, later: bool) -> &'static str {
        match kind {
            Kind::DoneAlready if later => self.say("나중에 다시 수행됨", "done again later"),
            Kind::Continuation if later => self.say("같은 연구진이 나중에 이어감", "continued later by the same group"),
            Kind::DoneAlready | Kind::SameAim | Kind::SameMethod | Kind::Continuation | Kind::Related | Kind::None => {
                self.say(kind.korean(), kind.name())
            }
        }
    }

    /// Whose sentences stand beside the proposal's.
    pub(super) fn source(&self, later: bool) -> &'static str {
        if later { self.say("나중 과제", "Later work") } else { self.say("선행 과제", "Earlier work") }
    }

    fn say(&self, korean: &'static str, english: &'static str) -> &'static str {
        if self.ko { korean } else { english }
    }

    /// A value, marked where it is not sure.
    fn fact(&self, fact: &Fact) -> String {
        let value = spaced(&fact.value);
        if fact.confidence < SURE { format!("{value} ({})", self.unsure) } else { value }
    }

    /// How many new sentences are not shown.
    fn more(&self, n: usize) -> String {
        match (self.ko, n) {
            (true, _) => format!("그 밖에 {n}개 문장이 더 있습니다."),
            (false, 1) => "And 1 more sentence.".to_owned(),
            (false, _) => format!("And {n} more sentences."),
        }
    }

    /// That a long proposal was compared in part; `None` where it was compared whole.
    pub(super) fn left_out(&self, n: usize) -> Option<String> {
        let said = match self.ko {
            true => format!(
                "제안서가 길어 문장 {n}개는 비교하지 않았습니다. 목표·방법·결과를 말하고 드문 용어가 많은 문장 {SENTENCES}개를 골라 비교했으며, 나머지가 다른 과제에 있는지는 알 수 없습니다. 중요한 장은 따로 검토하십시오."
            ),
            false => format!(
                "The proposal is long: {n} of its sentences were not compared. The {SENTENCES} that say most of aims, methods and results in rare terms were; whether other work says the others is not known. Check chapters that matter by themselves."
            ),
        };
        (n > 0).then_some(said)
    }

    fn not_compared(&self, n: usize) -> String {
        match self.ko {
            true => format!("비교하지 않은 문장 {n}개"),
            false => format!("sentences not compared: {n}"),
        }
    }

    /// What a language model read, a line a value; what differs from what was known is shown with it.
    pub(super) fn reading(&self, reading: &Reading) -> Vec<String> {
        let by = &reading.by;
        let mut out: Vec<String> = Vec::new();
        for read in &reading.facts {
            let (name, value) = (read.kind.name(), spaced(&read.fact.value));
            let place = match &read.fact.origin {
                Origin::Generator { start, end, .. } | Origin::Text { start, end } => format!("{start}–{end}"),
                Origin::Field => String::new(),
            };
            let known = read.known.as_ref().map_or_else(String::new, |k| spaced(&k.value));
            out.push(match (read.standing, self.ko) {
                (Standing::Taken, true) => format!("{by} 판독, {name}: “{value}” ({place}, {})", self.unsure),
                (Standing::Taken, false) => format!("read by {by}, {name}: “{value}” ({place}, {})", self.unsure),
                (Standing::Agrees, true) => format!("{by} 판독, {name}: “{value}” ({place}), 이미 알려진 값과 같음"),
                (Standing::Agrees, false) => format!("read by {by}, {name}: “{value}” ({place}), as known already"),
                (Standing::Differs, true) => {
                    format!("{by} 판독, {name}: “{value}” ({place}), 알려진 값 “{known}”과 다름: 알려진 값을 씀")
                }
                (Standing::Differs, false) => {
                    format!("read by {by}, {name}: “{value}” ({place}) differs from “{known}”, which is kept")
                }
            });
        }
        let (facets, refused) = (reading.facets.len(), reading.refused.len());
        out.push(match self.ko {
            true => format!("{by}: 문장 {facets}개의 성격을 고쳤고, {refused}건은 본문에서 확인되지 않아 버렸습니다."),
            false => {
                format!("{by}: facet of {facets} sentences changed, {refused} statements refused as not borne out.")
            }
        });
        out
    }

    pub(super) fn summary(&self, overlap: &Overlap) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::None) {
            for v in overlap.verdicts.iter().filter(|v| v.kind == kind) {
                let name = self.kind(kind, v.later);
                match kinds.iter_mut().find(|k| k.0 == name) {
                    Some((_, n)) => *n += 1,
                    None => kinds.push((name, 1)),
                }
            }
        }
        let counts: Vec<String> = kinds.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let (compared, documents) = (overlap.judged_by.compared, overlap.judged_by.documents);
        match (self.ko, counts.is_empty()) {
            (true, true) => {
                format!("색인된 문서 {documents}건 가운데 후보 {compared}건을 비교했으나 이 제안과 닮은 것이 없습니다.")
            }
            (true, false) => {
                format!("색인된 문서 {documents}건 가운데 후보 {compared}건을 비교했습니다: {}.", counts.join(", "))
            }
            (false, true) => {
                format!(
                    "Nothing in the index resembles this proposal: {compared} candidates of {documents} documents were compared."
                )
            }
            (false, false) => {
                format!("{compared} candidates of {documents} documents were compared: {}.", counts.join(", "))
            }
        }
    }

    pub(super) fn made(&self, overlap: &Overlap) -> String {
        let judged_by = &overlap.judged_by;
        match (self.ko, &judged_by.encoder) {
            (true, encoder) => {
                let by = match encoder {
                    Some(encoder) => format!("인코더 {encoder}"),
                    None => "단어만 비교(언어 간에는 용어집만)".to_owned(),
                };
                let weights = &judged_by.weights_korean;
                format!("{by}, 가중치: {weights}. 가중치를 정한 방법과 이의 제기 방법은 docs/portfolio.md에 있습니다.")
            }
            (false, Some(e)) => {
                format!("Encoder {e}; weights: {}. How to contest a verdict: docs/portfolio.md.", judged_by.weights)
            }
            (false, None) => format!(
                "By words only (across languages only the glossary); weights: {}. How to contest a verdict: docs/portfolio.md.",
                judged_by.weights
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The text of a report in each of its shapes.
    fn shapes(found: &Overlap, language: Language) -> [String; 3] {
        let mut docx = String::new();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(found.docx(language))).unwrap();
        archive.by_name("word/document.xml").unwrap().read_to_string(&mut docx).unwrap();
        [found.markdown(language), found.html(language).replace("&amp;", "&"), docx.replace("&amp;", "&")]
    }

    #[test]
    fn every_shape_of_a_report_says_the_same() {
        let found = Overlap::sample();
        for shape in shapes(&found, Language::En) {
            for said in ["Applicant: Calder & Sons (unsure)", "budget: 1,420,000,000 KRW", "3–18", "20–30", "0.10"]
            {
                assert!(shape.contains(said), "{said}: {shape}");
            }
            assert!(!shape.contains("not compared") && !shape.contains("more sentence"), "{shape}");
        }
        for shape in shapes(&found, Language::Ko) {
            assert!(shape.contains("신청 기관: Calder & Sons (불확실)"), "{shape}");
            assert!(shape.contains("프로그램에 포함된 값") && !shape.contains("fitted"), "{shape}");
        }
    }

    #[test]
    fn what_began_after_the_proposal_is_no_earlier_work() {
        let mut found = Overlap::sample();
        found.verdicts[0].kind = Kind::DoneAlready;
        for shape in shapes(&found, Language::En) {
            assert!(shape.contains("done already 1.") && shape.contains("Earlier work"), "{shape}");
        }
        let mut later = found.verdicts[0].clone();
        later.later = true;
        found.verdicts.push(Verdict { kind: Kind::Continuation, ..later.clone() });
        found.verdicts[0] = later;
        for shape in shapes(&found, Language::En) {
            for said in
                ["done again later 1, continued later by the same group 1.", "Later work", "began after the proposal"]
            {
                assert!(shape.contains(said), "{said}: {shape}");
            }
            assert!(!shape.contains("done already") && !shape.contains("Earlier work"), "{shape}");
        }
        for shape in shapes(&found, Language::Ko) {
            for said in ["나중에 다시 수행됨 1, 같은 연구진이 나중에 이어감 1.", "나중 과제", "제안보다 나중에 시작"]
            {
                assert!(shape.contains(said), "{said}: {shape}");
            }
            assert!(!shape.contains("이미 수행됨") && !shape.contains("선행 과제"), "{shape}");
        }
    }

    #[test]
    fn a_report_says_what_it_leaves_out() {
        let mut found = Overlap::sample();
        found.proposal.left_out = 340;
        found.verdicts[0].left_out = 12;
        let new = found.new_in_proposal[0].clone();
        found.new_in_proposal.resize(NEW_SHOWN + 3, new);
        for shape in shapes(&found, Language::En) {
            assert_eq!(shape.matches("It is new.").count(), NEW_SHOWN);
            for said in ["340 of its sentences were not", "sentences not compared: 12", "And 3 more sentences."] {
                assert!(shape.contains(said), "{said}: {shape}");
            }
        }
        for shape in shapes(&found, Language::Ko) {
            for said in ["문장 340개는 비교하지", "비교하지 않은 문장 12개", "3개 문장이 더"] {
                assert!(shape.contains(said), "{said}: {shape}");
            }
        }
    }

    #[test]
    fn a_budget_is_shown_in_the_documents_words_where_they_say_it_all() {
        let t = Words::of(Language::Ko);
        let mut verdict = Overlap::sample().verdicts.remove(0);
        let stated = |value: &str| Some(Fact { value: value.into(), origin: Origin::Field, confidence: 0.9 });
        verdict.budget_stated = stated("14억 2천만 원");
        assert!(facts(&verdict, &t).contains("14억 2천만 원"));
        verdict.budget_stated = stated("1,420,000");
        assert!(facts(&verdict, &t).contains("예산: 1,420,000,000 KRW"));
        verdict.budget = None;
        assert!(facts(&verdict, &t).ends_with("1,420,000"));
    }
}
