use std::path::PathBuf;

use clap::Args;

use super::{Context, Failure, Outcome};
use crate::document::{Access, Language};
use crate::portfolio::strengths::{Profile, Share, Strengths, TopicRow, strengths};
use crate::portfolio::{Citation, Holdings, Institutes};
use crate::text::spaced;

#[derive(Args)]
pub(super) struct Arguments {
    /// Number of topics; default: as many as fit
    #[arg(long, value_name = "N")]
    topics: Option<usize>,
    /// Only this institute: its topics, and the suggestions that name it
    #[arg(long, value_name = "NAME")]
    institution: Option<String>,
    /// Write the map topics × institutes
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    /// Language of the text, the suggestions and the map, and of topics where the glossary has their names
    #[arg(long, value_parser = ["ko", "en"], default_value = "en")]
    language: String,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if arguments.topics.is_some_and(|n| !(1..=200).contains(&n)) {
        return Err(Failure::bad_input("--topics must be 1 to 200"));
    }
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let access = arguments.access;
    let reader = super::reader(&arguments.language);
    let holdings = Holdings::load(&app.parts(), &institutes, access)?;
    let mut found = strengths(&app.parts(), &holdings, arguments.topics, reader)?;
    if let Some(file) = &arguments.svg {
        fs_err::write(file, found.svg(reader)).map_err(|e| Failure::bad_input(e.to_string()))?;
    }
    if let Some(name) = &arguments.institution {
        let Some(institute) = holdings.institute(&institutes.find(name).key) else {
            return Err(Failure::bad_input(format!("--institution {name}: no project of it in this index")));
        };
        found = found.of_institute(&institute.name, reader);
    }
    let one = arguments.institution.is_some();
    context.output.result(&found, |found| match found.institutes.first().filter(|_| one) {
        Some(profile) => of_one(found, profile, reader),
        None => text(found, reader),
    });
    Ok(Outcome::Yes)
}

/// The whole portfolio, topic by topic.
fn text(found: &Strengths, reader: Language) -> String {
    let korean = reader == Language::Ko;
    let (projects, institutes, topics, year) = (found.projects, found.institutes.len(), found.topics.len(), found.year);
    let mut out = if korean {
        format!("과제 {projects}건, 기관 {institutes}곳, 주제 {topics}개 ({year}년 기준 가중치)\n\n")
    } else {
        format!("{projects} projects, {institutes} institutes, {topics} topics (weights as of {year})\n\n")
    };
    for topic in &found.topics {
        let (label, n, lead) = (topic.label.join(", "), topic.projects, lead(topic, korean));
        let of = if korean { format!("과제 {n}건") } else { format!("{n} projects") };
        out.push_str(&format!("{label} ({of}): {lead}\n"));
        for share in topic.shares.iter().take(4) {
            let (part, interval) = (share.share * 100.0, interval(share));
            out.push_str(&format!("  {part:4.0} % {interval}  {} ({})\n", share.institution, share.projects));
            if let Some(citation) = share.citations.first() {
                out.push_str(&quoted(citation));
            }
        }
    }
    out + &suggested(found, korean)
}

/// One institute: its topics with their evidence.
fn of_one(found: &Strengths, profile: &Profile, reader: Language) -> String {
    let korean = reader == Language::Ko;
    let years = match profile.years {
        (Some(first), Some(last)) if first != last => format!(", {first}–{last}"),
        (Some(only), _) | (None, Some(only)) => format!(", {only}"),
        (None, None) => String::new(),
    };
    let (name, projects, topics, year) = (&profile.institution, profile.projects, profile.topics.len(), found.year);
    let mut out = if korean {
        format!("{name}: 과제 {projects}건{years}, 주제 {topics}개 ({year}년 기준 가중치)\n\n")
    } else {
        format!("{name}: {projects} projects{years}, {topics} topics (weights as of {year})\n\n")
    };
    for share in &profile.topics {
        let topic = &found.topics[share.topic];
        let (label, n, own, lead) = (topic.label.join(", "), topic.projects, share.projects, lead(topic, korean));
        let (part, interval) = (share.share * 100.0, interval(share));
        let of = if korean { format!("과제 {n}건 가운데 {own}건") } else { format!("{own} of {n} projects") };
        out.push_str(&format!("{label} ({of}): {part:.0} % {interval}, {lead}\n"));
        share.citations.iter().for_each(|c| out.push_str(&quoted(c)));
    }
    out + &suggested(found, korean)
}

/// Who leads a topic, and whether nobody else works on it.
fn lead(topic: &TopicRow, korean: bool) -> String {
    let alone = match (topic.alone, korean) {
        (true, true) => ", 단독",
        (true, false) => ", alone",
        (false, _) => "",
    };
    match (&topic.leads, korean) {
        (Some(leads), true) => format!("{leads} 주도{alone}"),
        (Some(leads), false) => format!("{leads} leads{alone}"),
        (None, true) => format!("뚜렷한 주도 기관 없음{alone}"),
        (None, false) => format!("nobody clearly leads{alone}"),
    }
}

/// Of a share, in hundredths.
fn interval(share: &Share) -> String {
    let (low, high) = share.interval;
    format!("[{:.0}–{:.0}]", low * 100.0, high * 100.0)
}

fn quoted(c: &Citation) -> String {
    let quote = spaced(&c.quote);
    format!("        “{quote}” ({}, {}–{})\n", c.project_id, c.start, c.end)
}

fn suggested(found: &Strengths, korean: bool) -> String {
    if found.suggestions.is_empty() {
        return String::new();
    }
    let lines: String = found.suggestions.iter().map(|s| format!("- {s}\n")).collect();
    format!("\n{}\n{lines}", if korean { "역할 분담 제안" } else { "Suggestions" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_institute_is_told_of_by_its_own_topics_in_the_readers_language() {
        let cited = Citation {
            project_id: "P-1".into(),
            doc_id: "0".into(),
            title: "Blade coating".into(),
            year: Some(2021),
            start: 0,
            end: 12,
            quote: "It held\n26.8 h.".into(),
        };
        let share = Share {
            topic: 0,
            label: vec!["erosion".into()],
            institution: "Mir".into(),
            projects: 2,
            share: 0.4,
            interval: (0.2, 0.6),
            specialisation: 1.5,
            citations: vec![cited],
        };
        let profile = Profile {
            institution: "Mir".into(),
            projects: 3,
            weight: 2.0,
            budget: Vec::new(),
            budget_unknown: 3,
            years: (Some(2019), Some(2024)),
            topics: vec![share.clone()],
        };
        let topic = TopicRow {
            label: vec!["erosion".into()],
            projects: 5,
            leads: None,
            follows: vec!["Mir".into()],
            alone: false,
            shares: vec![share],
        };
        let found = Strengths {
            projects: 9,
            year: 2026,
            institutes: vec![profile.clone()],
            topics: vec![topic],
            suggestions: vec!["erosion: Mir could lead.".into()],
        };
        assert_eq!(
            of_one(&found, &profile, Language::En),
            "Mir: 3 projects, 2019–2024, 1 topics (weights as of 2026)\n\n\
             erosion (2 of 5 projects): 40 % [20–60], nobody clearly leads\n        \
             “It held 26.8 h.” (P-1, 0–12)\n\nSuggestions\n- erosion: Mir could lead.\n"
        );
        let korean = of_one(&found, &profile, Language::Ko);
        for part in ["Mir: 과제 3건, 2019–2024", "(과제 5건 가운데 2건): 40 %", "\n역할 분담 제안\n"]
        {
            assert!(korean.contains(part), "{part}: {korean}");
        }
        let whole = text(&found, Language::Ko);
        assert!(whole.starts_with("과제 9건, 기관 1곳, 주제 1개"), "{whole}");
        assert!(whole.contains("erosion (과제 5건): 뚜렷한 주도 기관 없음\n"), "{whole}");
    }
}
