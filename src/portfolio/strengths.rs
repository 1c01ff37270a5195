//! Who is strong in what, how sure is that, and how could work be divided?
//!
//! In: the index. Out: a profile per institute, a row per topic (who leads, follows, stands alone), suggestions
//! with their reasons, and a map (topics × institutes) as SVG. A project counts
//! `recency · outcome`: `recency = 0.5^(age / 8 years)`, `outcome = 1 + TRL / 18 + 0.25 if its results hold
//! figures`, halved if it was stopped. An institute's share in a topic is the mean of a Beta distribution with
//! the institute's share of the whole portfolio as prior (strength `PRIOR` projects); the interval is its 90 %.
//! It counts what is in the index: a strong institute that reported little looks weak, and the interval is wide.

use std::collections::BTreeMap;

use serde::Serialize;

use super::PortfolioError;
use super::holdings::{Citation, Holding, Holdings, cite};
use super::report::escape;
use super::sums::{Sum, by_currency};
use super::topics::{Topic, fitting, in_language, topics};
use crate::document::Language;
use crate::retrieve::Parts;

/// Years after which a project counts half.
const HALF_LIFE: f64 = 8.0;
/// Projects the prior is worth.
const PRIOR: f64 = 2.0;

/// The portfolio's strengths.
#[derive(Clone, Debug, Serialize)]
pub struct Strengths {
    /// Projects counted.
    pub projects: usize,
    /// The year recency is counted from.
    pub year: i32,
    /// Institutes, most weight first.
    pub institutes: Vec<Profile>,
    /// Topics, largest first.
    pub topics: Vec<TopicRow>,
    /// Who could do what, with reasons.
    pub suggestions: Vec<String>,
}

/// One institute.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// Name.
    pub institution: String,
    /// Projects.
    pub projects: usize,
    /// Weighed projects.
    pub weight: f64,
    /// Budgets, where known.
    pub budget: Vec<Sum>,
    /// Projects without a known budget.
    pub budget_unknown: usize,
    /// First and last year.
    pub years: (Option<i32>, Option<i32>),
    /// Its topics, strongest first.
    pub topics: Vec<Share>,
}

/// An institute's part in a topic.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Topic, index into [`Strengths::topics`].
    pub topic: usize,
    /// Words that name it.
    pub label: Vec<String>,
    /// Institute.
    pub institution: String,
    /// Projects.
    pub projects: usize,
    /// Share of the topic's weight, drawn towards the institute's share of everything.
    pub share: f64,
    /// 90 % interval.
    pub interval: (f64, f64),
    /// Share in the topic over share in the portfolio; above 1: specialised.
    pub specialisation: f64,
    /// What it rests on.
    pub citations: Vec<Citation>,
}

/// One topic.
#[derive(Clone, Debug, Serialize)]
pub struct TopicRow {
    /// Words that name it.
    pub label: Vec<String>,
    /// Projects.
    pub projects: usize,
    /// Who leads, `None` where nobody clearly does.
    pub leads: Option<String>,
    /// Who follows.
    pub follows: Vec<String>,
    /// Nobody else works on it.
    pub alone: bool,
    /// Every institute's part, largest first.
    pub shares: Vec<Share>,
}

/// What a project counts.
pub fn weight(holding: &Holding, year: i32) -> f64 {
    let project = &holding.project;
    let age = project.end.or(project.year).map_or(HALF_LIFE, |y| f64::from((year - y).max(0)));
    let trl =
        project.stage.as_ref().and_then(|s| s.value.chars().filter_map(|c| c.to_digit(10)).next_back()).unwrap_or(0);
    let status = project.status.as_ref().map_or(String::new(), |s| s.value.to_lowercase());
    let stopped = ["stopped", "cancel", "terminated", "중단", "취소"].iter().any(|w| status.contains(w));
    let outcome = 1.0 + f64::from(trl.min(9)) / 18.0 + if holding.has_results { 0.25 } else { 0.0 };
    0.5f64.powf(age / HALF_LIFE) * outcome * if stopped { 0.5 } else { 1.0 }
}

/// The year the portfolio ends.
pub fn present(holdings: &Holdings) -> i32 {
    holdings.all.iter().filter_map(|h| h.project.year.or(h.project.start)).max().unwrap_or(2000)
}

/// Works out the strengths; `k` topics, or as many as fit; suggestions in the reader's language, topics named in it where the glossary can.
pub fn strengths(
    parts: &Parts<'_>,
    holdings: &Holdings,
    k: Option<usize>,
    reader: Language,
) -> Result<Strengths, PortfolioError> {
    if holdings.all.is_empty() {
        return Err(PortfolioError::Nothing("the index holds no projects; ingest records or reports first".into()));
    }
    let year = present(holdings);
    let mut topics = topics(holdings, k.unwrap_or_else(|| fitting(holdings.all.len())));
    for topic in &mut topics {
        let titles: Vec<&str> = topic.members.iter().map(|i| holdings.all[*i].project.title.as_str()).collect();
        topic.label = in_language(&topic.label, &titles, parts.glossary, reader);
    }
    let mut by_institute: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, h) in holdings.all.iter().enumerate() {
        if let Some(institute) = &h.project.institute {
            by_institute.entry(&institute.key).or_default().push(i);
        }
    }
    let weights: Vec<f64> = holdings.all.iter().map(|h| weight(h, year)).collect();
    let total: f64 = by_institute.values().flatten().map(|i| weights[*i]).sum::<f64>().max(1e-9);
    let mut rows = Vec::with_capacity(topics.len());
    for (t, topic) in topics.iter().enumerate() {
        rows.push(row(parts, holdings, t, topic, &by_institute, &weights, total)?);
    }
    let mut institutes: Vec<Profile> = by_institute
        .values()
        .map(|members| {
            let name = name(holdings, members[0]);
            let years = members.iter().filter_map(|i| holdings.all[*i].project.began());
            let ends = members.iter().filter_map(|i| holdings.all[*i].project.end.or(holdings.all[*i].project.year));
            let mut shares: Vec<Share> = rows
                .iter()
                .flat_map(|r: &TopicRow| r.shares.iter().filter(|s| s.institution == name).cloned())
                .collect();
            shares.sort_by(|a, b| b.share.total_cmp(&a.share));
            Profile {
                projects: members.len(),
                weight: members.iter().map(|i| weights[*i]).sum(),
                budget: by_currency(members.iter().filter_map(|i| holdings.all[*i].project.money())),
                budget_unknown: members.iter().filter(|i| holdings.all[**i].project.budget.is_none()).count(),
                years: (years.min(), ends.max()),
                topics: shares,
                institution: name,
            }
        })
        .collect();
    institutes.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.institution.cmp(&b.institution)));
    let suggestions = rows.iter().filter_map(|row| suggestion(row, reader)).collect();
    Ok(Strengths { projects: holdings.all.len(), year, institutes, topics: rows, suggestions })
}

fn name(holdings: &Holdings, project: usize) -> String {
    holdings.all[project].project.institute.as_ref().map_or_else(String::new, |i| i.name.clone())
}

fn row(
    parts: &Parts<'_>,
    holdings: &Holdings,
    t: usize,
    topic: &Topic,
    by_institute: &BTreeMap<&str, Vec<usize>>,
    weights: &[f64],
    total: f64,
) -> Result<TopicRow, PortfolioError> {
    let inside = |i: &usize| topic.members.binary_search(i).is_ok();
    let sum: f64 = by_institute.values().flatten().filter(|i| inside(i)).map(|i| weights[*i]).sum();
    let mut shares = Vec::new();
    for members in by_institute.values() {
        let mut own: Vec<usize> = members.iter().copied().filter(|i| inside(i)).collect();
        if own.is_empty() {
            continue;
        }
        own.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
        let mine: f64 = own.iter().map(|i| weights[*i]).sum();
        let overall = members.iter().map(|i| weights[*i]).sum::<f64>() / total;
        let (a, b) = (mine + PRIOR * overall, (sum - mine).max(0.0) + PRIOR * (1.0 - overall));
        let (share, interval) = beta(a, b);
        let mut citations = Vec::new();
        for i in own.iter().take(3) {
            let h = &holdings.all[*i];
            if let Some(span) = h.result.or(h.aim) {
                citations.push(cite(parts, &h.project, span)?);
            }
        }
        shares.push(Share {
            topic: t,
            label: topic.label.clone(),
            institution: name(holdings, own[0]),
            projects: own.len(),
            share,
            interval,
            specialisation: if sum > 0.0 && overall > 0.0 { mine / sum / overall } else { 0.0 },
            citations,
        });
    }
    shares.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.institution.cmp(&b.institution)));
    // Somebody leads whose lower bound is above the next one's middle.
    let leads = match shares.as_slice() {
        [only] => Some(only.institution.clone()),
        [first, second, ..] if first.interval.0 > second.share => Some(first.institution.clone()),
        _ => None,
    };
    Ok(TopicRow {
        label: topic.label.clone(),
        projects: topic.members.len(),
        alone: shares.len() == 1,
        follows: shares
            .iter()
            .filter(|s| Some(&s.institution) != leads.as_ref())
            .take(4)
            .map(|s| s.institution.clone())
            .collect(),
        leads,
        shares,
    })
}

/// Mean and 90 % interval of a Beta distribution, the interval by the normal approximation, cut to 0 to 1.
fn beta(a: f64, b: f64) -> (f64, (f64, f64)) {
    let n = a + b;
    let mean = a / n;
    let deviation = (a * b / (n * n * (n + 1.0))).sqrt();
    (mean, ((mean - 1.645 * deviation).max(0.0), (mean + 1.645 * deviation).min(1.0)))
}

/// A suggestion names the institutes with the largest shares, so many.
const NAMED: usize = 2;

/// A sentence on who could do what, with its reasons; `None` where there is nothing to divide.
fn suggestion(row: &TopicRow, reader: Language) -> Option<String> {
    let [first, second, ..] = row.shares.as_slice() else { return None };
    let topic = row.label.join(", ");
    let quote =
        |s: &Share| s.citations.first().map(|c| format!(" ({}, {})", c.project_id, c.title)).unwrap_or_default();
    let percent =
        |s: &Share| format!("{:.0} % [{:.0}–{:.0}]", s.share * 100.0, s.interval.0 * 100.0, s.interval.1 * 100.0);
    let (a, b) = (&first.institution, &second.institution);
    let (share_a, share_b, cited_a, cited_b) = (percent(first), percent(second), quote(first), quote(second));
    let (own, all) = (first.projects, row.projects);
    Some(match (row.leads.is_some(), reader) {
        (true, Language::Ko) => format!(
            "{topic}: {a} 주도 제안. 과제 {all}건 가운데 {own}건이 이 기관의 것이고 비중은 {share_a}이다{cited_a}. {b}의 참여 제안: 비중 {share_b}{cited_b}."
        ),
        (false, Language::Ko) => format!(
            "{topic}: 뚜렷한 주도 기관이 없다. {a}({share_a}){cited_a}, {b}({share_b}){cited_b} 두 기관이 나란히 하고 있으므로 나누거나 합칠 수 있다."
        ),
        (true, Language::En | Language::Other) => format!(
            "{topic}: {a} could lead, because {own} of {all} projects are its own, a share of {share_a}{cited_a}; {b} could contribute, with {share_b}{cited_b}."
        ),
        (false, Language::En | Language::Other) => format!(
            "{topic}: nobody clearly leads; {a} with {share_a}{cited_a} and {b} with {share_b}{cited_b} work on it side by side and could divide it or join."
        ),
    })
}

impl Strengths {
    /// What concerns one institute, by the name it is shown by: its profile, the topics it works on with its part
    /// alone, and the suggestions that name it.
    pub fn of_institute(mut self, institution: &str, reader: Language) -> Strengths {
        let is_it = |share: &Share| share.institution == institution;
        let named = self.topics.iter().filter(|row| row.shares.iter().take(NAMED).any(is_it));
        self.suggestions = named.filter_map(|row| suggestion(row, reader)).collect();
        self.institutes.retain(|profile| profile.institution == institution);
        self.topics.iter_mut().for_each(|row| row.shares.retain(is_it));
        self.topics.retain(|row| !row.shares.is_empty());
        // Shares point to their topic, of which there are fewer now.
        let before: Vec<usize> = self.topics.iter().flat_map(|row| &row.shares).map(|share| share.topic).collect();
        let profiles = self.institutes.iter_mut().flat_map(|profile| &mut profile.topics);
        for share in profiles.chain(self.topics.iter_mut().flat_map(|row| &mut row.shares)) {
            share.topic = before.iter().position(|topic| *topic == share.topic).unwrap_or(share.topic);
        }
        self
    }

    /// The map topics × institutes, labelled in the reader's language: the darker, the larger the share; a thin ring where
    /// the interval is wide.
    pub fn svg(&self, reader: Language) -> String {
        let (title, unit, legend) = match reader {
            Language::Ko => ("주제 × 기관", "과제", "넓이: 주제에서 차지하는 비중, 옅을수록 불확실함 (90 % 구간)"),
            Language::En | Language::Other => (
                "Topics × institutes",
                "projects",
                "area: share of the topic; the paler, the less sure (90 % interval)",
            ),
        };
        let institutes: Vec<&Profile> = self.institutes.iter().take(24).collect();
        let (left, top, cell) = (320, 200, 34);
        let (width, height) = (left + cell * institutes.len() + 150, top + cell * self.topics.len() + 50);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        for (x, profile) in institutes.iter().enumerate() {
            let (px, py) = (left + x * cell + cell / 2, top - 8);
            out.push_str(&format!(
                "<text x=\"{px}\" y=\"{py}\" transform=\"rotate(-50 {px} {py})\">{}</text>\n",
                escape(&short(&profile.institution, 30))
            ));
        }
        for (y, topic) in self.topics.iter().enumerate() {
            let py = top + y * cell + cell / 2;
            out.push_str(&format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{} ({})</text>\n",
                left - 8,
                py + 4,
                escape(&short(&topic.label.join(", "), 44)),
                topic.projects
            ));
            for (x, profile) in institutes.iter().enumerate() {
                let (px, share) =
                    (left + x * cell + cell / 2, topic.shares.iter().find(|s| s.institution == profile.institution));
                let Some(share) = share else {
                    out.push_str(&format!("<circle cx=\"{px}\" cy=\"{py}\" r=\"1.5\" fill=\"#d0d0d0\"/>\n"));
                    continue;
                };
                let radius = 3.0 + 12.0 * share.share.sqrt();
                let sure = 1.0 - (share.interval.1 - share.interval.0).min(1.0);
                out.push_str(&format!(
                    "<circle cx=\"{px}\" cy=\"{py}\" r=\"{radius:.1}\" fill=\"#1f6f8b\" fill-opacity=\"{:.2}\" stroke=\"#1f6f8b\"><title>{}: {}, {:.0} % [{:.0}–{:.0}], {} {unit}</title></circle>\n",
                    0.15 + 0.85 * sure, escape(&profile.institution), escape(&topic.label.join(", ")), share.share * 100.0, share.interval.0 * 100.0, share.interval.1 * 100.0, share.projects
                ));
            }
        }
        out.push_str(&format!("<text x=\"8\" y=\"{}\" fill=\"#555\">{legend}</text>\n</svg>\n", height - 14));
        out
    }
}

fn short(text: &str, n: usize) -> String {
    if text.chars().count() <= n { text.to_owned() } else { text.chars().take(n - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_narrows_with_more_projects_and_stays_in_range() {
        let (mean, (low, high)) = beta(1.0, 1.0);
        assert!((mean - 0.5).abs() < 1e-9 && low >= 0.0 && high <= 1.0);
        let (_, (l, h)) = beta(50.0, 50.0);
        assert!(h - l < high - low);
    }

    fn part(topic: usize, institution: &str, share: f64) -> Share {
        Share {
            topic,
            label: vec![format!("topic {topic}")],
            institution: institution.to_owned(),
            projects: 1,
            share,
            interval: (0.0, 1.0),
            specialisation: 1.0,
            citations: Vec::new(),
        }
    }

    #[test]
    fn of_one_institute_its_own_topics_and_the_suggestions_that_name_it_are_left() {
        let row = |topic: usize, of: &[&str]| TopicRow {
            label: vec![format!("topic {topic}")],
            projects: of.len(),
            leads: None,
            follows: Vec::new(),
            alone: of.len() == 1,
            shares: of.iter().enumerate().map(|(i, name)| part(topic, name, 0.5 - 0.1 * i as f64)).collect(),
        };
        let profile = |name: &str, topics: &[usize]| Profile {
            institution: name.to_owned(),
            projects: topics.len(),
            weight: 1.0,
            budget: Vec::new(),
            budget_unknown: topics.len(),
            years: (None, None),
            topics: topics.iter().map(|topic| part(*topic, name, 0.5)).collect(),
        };
        let all = Strengths {
            projects: 6,
            year: 2026,
            institutes: vec![profile("A", &[0, 2]), profile("B", &[0, 2]), profile("C", &[1, 2])],
            topics: vec![row(0, &["A", "B"]), row(1, &["C"]), row(2, &["A", "C", "B"])],
            suggestions: vec!["of every topic".to_owned()],
        };
        let found = all.of_institute("B", Language::En);
        assert_eq!(found.institutes.iter().map(|p| p.institution.as_str()).collect::<Vec<_>>(), ["B"]);
        assert_eq!(found.topics.iter().map(|t| t.label[0].as_str()).collect::<Vec<_>>(), ["topic 0", "topic 2"]);
        assert!(found.topics.iter().all(|t| t.shares.len() == 1 && t.shares[0].institution == "B"));
        for share in found.institutes[0].topics.iter().chain(found.topics.iter().flat_map(|t| &t.shares)) {
            assert_eq!(found.topics[share.topic].label, share.label);
        }
        assert_eq!(found.suggestions.len(), 1, "of topic 2 the first two are named, of topic 1 nobody");
        assert!(found.suggestions[0].starts_with("topic 0: "), "{}", found.suggestions[0]);
    }
}
