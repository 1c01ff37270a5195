//! An overlap check as a page for people: Markdown, or HTML that needs nothing from elsewhere.
//!
//! In: an [`Overlap`]. Out: text in the reader's language; quotes stay in the language of their source.

use super::overlap::{Evidence, Overlap, Verdict};
use super::project::Origin;
use super::reading::{Reading, Standing};
use super::verdict::Kind;
use crate::document::Language;

impl Overlap {
    /// The language reports are in unless another is asked for: the proposal's.
    pub fn language(&self) -> Language {
        if self.proposal.language == "ko" { Language::Ko } else { Language::En }
    }

    /// As Markdown.
    pub fn markdown(&self, language: Language) -> String {
        let t = Words::of(language);
        let mut out = format!("# {}: {}\n\n", t.title, line(&self.proposal.title));
        if let Some(institution) = &self.proposal.institution {
            let unsure =
                if institution.confidence < super::project::SURE { format!(" ({})", t.unsure) } else { String::new() };
            out.push_str(&format!("{}: {}{unsure}\n\n", t.institution, line(&institution.value)));
        }
        if let Some(reading) = &self.proposal.reading {
            let lines = t.reading(reading);
            out.push_str(&format!("{}\n\n", lines.iter().map(|l| format!("- {l}")).collect::<Vec<_>>().join("\n")));
        }
        out.push_str(&format!("{}\n\n", t.summary(self)));
        out.push_str(&format!("> {}\n\n", t.decides));
        for (i, verdict) in self.verdicts.iter().enumerate() {
            out.push_str(&self.verdict_markdown(i + 1, verdict, &t));
        }
        out.push_str(&format!("## {}\n\n", t.new));
        if self.new_in_proposal.is_empty() {
            out.push_str(&format!("{}\n", t.nothing_new));
        }
        for sentence in self.new_in_proposal.iter().take(20) {
            let q = &sentence.quote;
            out.push_str(&format!(
                "- “{}” ({}–{}, {} {:.2})\n",
                line(&q.quote),
                q.start,
                q.end,
                t.nearest,
                sentence.nearest
            ));
        }
        out.push_str(&format!("\n---\n\n{}\n", t.made(self)));
        out
    }

    fn verdict_markdown(&self, n: usize, v: &Verdict, t: &Words) -> String {
        let mut out = format!("## {n}. {} ({:.0} %): {}\n\n", t.kind(v.kind), v.probability * 100.0, line(&v.title));
        out.push_str(&format!("{}\n\n", facts(v, t)));
        if let Some(reached) = &v.reached {
            out.push_str(&format!("{}: “{}” ({}–{})\n\n", t.reached, line(&reached.quote), reached.start, reached.end));
        }
        for Evidence { proposal, source, alike } in &v.evidence {
            let page = source.page.map(|p| format!(", p. {p}")).unwrap_or_default();
            out.push_str(&format!(
                "- {} ({}–{}): “{}”\n  {} `{}` ({}–{}{page}): “{}”  \n  {}: {alike:.2}\n",
                t.proposal,
                proposal.start,
                proposal.end,
                line(&proposal.quote),
                t.source,
                v.project_id,
                source.start,
                source.end,
                line(&source.quote),
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
        for line in self.proposal.reading.iter().flat_map(|reading| t.reading(reading)) {
            out.push_str(&format!("<p><small>{}</small></p>\n", escape(&line)));
        }
        out.push_str(&format!("<p>{}</p>\n<p class=\"note\">{}</p>\n", escape(&t.summary(self)), t.decides));
        for (i, v) in self.verdicts.iter().enumerate() {
            out.push_str(&format!(
                "<section>\n<h2>{}. <span class=\"kind\">{}</span> {:.0} %</h2>\n<p>{}<br><small>{}</small></p>\n",
                i + 1,
                t.kind(v.kind),
                v.probability * 100.0,
                escape(&v.title),
                escape(&facts(v, &t))
            ));
            if let Some(r) = &v.reached {
                out.push_str(&format!("<p>{}: <q>{}</q></p>\n", t.reached, escape(&r.quote)));
            }
            out.push_str(&format!(
                "<table><tr><th>{}</th><th>{}</th><th>{}</th></tr>\n",
                t.proposal, t.source, t.alike
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
            out.push_str("<ul>\n");
            for s in self.new_in_proposal.iter().take(20) {
                out.push_str(&format!(
                    "<li><q>{}</q> <small>{}–{}</small></li>\n",
                    escape(&s.quote.quote),
                    s.quote.start,
                    s.quote.end
                ));
            }
            out.push_str("</ul>\n");
        }
        out.push_str(&format!("<hr><p><small>{}</small></p>\n</body></html>\n", escape(&t.made(self))));
        out
    }
}

/// Who, when, how far, for how much.
pub(super) fn facts(v: &Verdict, t: &Words) -> String {
    let unsure = |f: &super::Fact| match f.confidence < super::project::SURE {
        true => format!("{} ({})", line(&f.value), t.unsure),
        false => line(&f.value),
    };
    let known = [
        Some(v.project_id.clone()),
        v.institution.clone(),
        (!v.people.is_empty()).then(|| v.people.join(", ")),
        period(v),
        v.programme.as_ref().map(unsure),
        v.stage.as_ref().map(unsure),
        v.status.as_ref().map(unsure),
        v.budget.map(|b| format!("{}: {b}", t.budget)).or_else(|| v.budget_stated.as_ref().map(unsure)),
        v.later.then(|| t.later.to_owned()),
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

/// Text on one line.
pub(super) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
    pub(super) source: &'static str,
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
                source: "선행 과제",
                alike: "유사도",
                new: "제안서에서 새로운 내용",
                nothing_new: "선행 과제에 없는 문장을 찾지 못했습니다.",
                nearest: "가장 가까운 문장",
                budget: "예산",
                later: "제안보다 늦게 시작",
            },
            Language::En | Language::Other => Words {
                ko: false,
                title: "Overlap check",
                institution: "Applicant",
                unsure: "unsure",
                decides: "A verdict shows its evidence; a person decides. The probability is an estimate that was not calibrated on your documents.",
                reached: "How far it got",
                proposal: "Proposal",
                source: "Earlier work",
                alike: "alike",
                new: "New in the proposal",
                nothing_new: "No sentence was found that earlier work does not say.",
                nearest: "nearest",
                budget: "budget",
                later: "began later than the proposal",
            },
        }
    }

    pub(super) fn kind(&self, kind: Kind) -> &'static str {
        if self.ko { kind.korean() } else { kind.name() }
    }

    /// What a language model read, a line a value; what differs from what was known is shown with it.
    pub(super) fn reading(&self, reading: &Reading) -> Vec<String> {
        let by = &reading.by;
        let mut out: Vec<String> = Vec::new();
        for read in &reading.facts {
            let (name, value) = (read.kind.name(), line(&read.fact.value));
            let place = match &read.fact.origin {
                Origin::Generator { start, end, .. } | Origin::Text { start, end } => format!("{start}–{end}"),
                Origin::Field => String::new(),
            };
            let known = read.known.as_ref().map_or_else(String::new, |k| line(&k.value));
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
        let of = |kind| overlap.verdicts.iter().filter(|v| v.kind == kind).count();
        let counts: Vec<String> = Kind::ALL
            .into_iter()
            .filter(|k| *k != Kind::None && of(*k) > 0)
            .map(|k| format!("{} {}", self.kind(k), of(k)))
            .collect();
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
        let encoder = overlap.judged_by.encoder.as_deref();
        match (self.ko, encoder) {
            (true, Some(e)) => format!(
                "인코더 {e}, 가중치: {}. 이의 제기 방법은 docs/portfolio.md에 있습니다.",
                overlap.judged_by.weights
            ),
            (true, None) => format!(
                "단어만 비교(언어 간에는 용어집만), 가중치: {}. 이의 제기 방법은 docs/portfolio.md에 있습니다.",
                overlap.judged_by.weights
            ),
            (false, Some(e)) => format!(
                "Encoder {e}; weights: {}. How to contest a verdict: docs/portfolio.md.",
                overlap.judged_by.weights
            ),
            (false, None) => format!(
                "By words only (across languages only the glossary); weights: {}. How to contest a verdict: docs/portfolio.md.",
                overlap.judged_by.weights
            ),
        }
    }
}
