use clap::Args;

use super::{Context, Failure, Outcome};
use crate::document::{Access, Language};
use crate::portfolio::matching::{self, MatchOptions, Matches, Openings};
use crate::portfolio::{Holdings, Institutes};
use crate::text::spaced;

#[derive(Args)]
pub(super) struct Arguments {
    /// The need in its own words: text, a file, or `-` for standard input
    #[arg(value_name = "NEED|FILE|-", required_unless_present = "institution")]
    need: Option<String>,
    /// The other way: calls of the index for this institute
    #[arg(long, value_name = "NAME", conflicts_with = "need")]
    institution: Option<String>,
    /// Institutes or calls shown
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,
    /// Highest access level you are cleared for
    #[arg(long, value_parser = super::access_levels(), default_value = "public")]
    access: Access,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let app = context.open()?;
    let institutes = Institutes::new(&app.sector().institutes);
    let access = arguments.access;
    let limit = arguments.limit as usize;
    if let Some(name) = &arguments.institution {
        let holdings = Holdings::load(&app.parts(), &institutes, access)?;
        let found = matching::for_institute(&app.parts(), &institutes, &holdings, name, limit, access)?;
        context.output.result(&found, |found| openings(found, Language::detect(name)));
        return Ok(if found.calls.is_empty() { Outcome::No } else { Outcome::Yes });
    }
    let need = arguments.need.as_deref().unwrap_or("-");
    let path = std::path::Path::new(need);
    let is_file = path.is_file();
    // One word with a file's ending is meant as a file.
    if !is_file && path.extension().is_some_and(|e| (2..=5).contains(&e.len())) && !need.contains(char::is_whitespace) {
        return Err(Failure::bad_input(format!("{need}: no such file")));
    }
    let need = if need == "-" || is_file {
        super::overlap::read(&app, need, &institutes)?
    } else {
        crate::portfolio::Proposal::from_text(need, &institutes)?
    };
    let language = Language::detect(&need.document.text);
    let found = matching::for_need(
        &app.parts(),
        &institutes,
        &need,
        &MatchOptions { limit, access, ..MatchOptions::default() },
    )?;
    context.output.result(&found, |found| text(found, language));
    // Nothing that says what was asked for is no match, whatever the scores.
    Ok(if found.matches.iter().all(|m| m.thin) { Outcome::No } else { Outcome::Yes })
}

/// Where no document is a call: what makes one.
const NO_CALL: (&str, &str) = (
    "이 색인에서 볼 수 있는 문서 가운데 공고가 없습니다. 공고의 문서 유형을 call로 지정하십시오. 레코드: `ingest --map type=열이름` 또는 sector.toml의 [records] doc_type. 파일: sector.toml의 [[documents_override]]에 doc_type = \"call\" (docs/portfolio.md 참고)\n",
    "No document of this index that you may see is a call. Give calls the type `call`: records by `ingest --map type=COLUMN` or `doc_type` in [records] of sector.toml, files by doc_type = \"call\" in [[documents_override]] there (docs/portfolio.md).\n",
);

/// The words of a language for a person.
fn say(language: Language) -> impl Fn(&'static str, &'static str) -> &'static str {
    move |korean, english| if language == Language::Ko { korean } else { english }
}

/// In the language of the need.
fn text(found: &Matches, language: Language) -> String {
    let say = say(language);
    let mut out = String::new();
    if found.matches.iter().all(|m| m.thin) {
        out.push_str(say(
            "이 색인에는 이 수요가 말하는 것을 다룬 기관이 없습니다.",
            "No institute's work in this index says what the need asks for.",
        ));
        out.push_str(if found.matches.is_empty() { "\n" } else { say(" 가장 가까운 것:\n", " The nearest:\n") });
    }
    for (i, m) in found.matches.iter().enumerate() {
        let thin = if m.thin { say("  (근거 부족)", "  (thin evidence)") } else { "" };
        out.push_str(&format!("{:2}. {:.3}  {}{thin}\n", i + 1, m.score, m.institution));
        for c in &m.citations {
            out.push_str(&format!(
                "      “{}” ({} {}, {}–{})\n",
                spaced(&c.citation.quote),
                c.citation.project_id,
                spaced(&c.citation.title),
                c.citation.start,
                c.citation.end
            ));
        }
        if let Some(gap) = m.gap.first() {
            let (name, and, more) = (say("남는 것", "gap"), say("외", "and"), m.gap.len() - 1);
            let more = if more > 0 { format!(" {and} {more}{}", say("개", " more")) } else { String::new() };
            out.push_str(&format!("      {name}: “{}”{more}\n", spaced(gap)));
        }
    }
    out
}

/// In the language of the institute's name.
fn openings(found: &Openings, language: Language) -> String {
    let say = say(language);
    let (institution, projects) = (&found.institution, found.projects);
    let mut out = format!("{institution}: {}{projects}{}\n", say("과제 ", ""), say("개", " projects"));
    if found.calls.is_empty() {
        out.push_str(say(NO_CALL.0, NO_CALL.1));
    }
    let (of_call, own) = (say("공고", "call"), say("과제", "own"));
    for (i, call) in found.calls.iter().enumerate() {
        out.push_str(&format!("{:2}. {:.3}  {} ({})\n", i + 1, call.score, spaced(&call.title), call.source));
        for (wanted, done) in call.pairs.iter().take(2) {
            out.push_str(&format!("      {of_call}: “{}”\n", spaced(&wanted.quote)));
            out.push_str(&format!("      {own}: “{}” ({})\n", spaced(&done.quote), done.project_id));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portfolio::matching::Opening;

    #[test]
    fn a_call_is_named_by_its_title_and_its_source() {
        let (doc_id, source) = ("0123456789abcdef".to_owned(), "calls/kilns.md".to_owned());
        let call = Opening { doc_id, source, title: "Quiet kilns".into(), year: None, score: 0.5, pairs: Vec::new() };
        let found = Openings { institution: "KAIST".into(), projects: 3, calls: vec![call] };
        let said = openings(&found, Language::En);
        assert!(said.contains(" 1. 0.500  Quiet kilns (calls/kilns.md)\n") && !said.contains("0123456789"), "{said}");
    }

    #[test]
    fn where_nothing_is_a_call_it_says_what_makes_one() {
        let none = Openings { institution: "KAIST".into(), projects: 3, calls: Vec::new() };
        for language in [Language::Ko, Language::En] {
            let said = openings(&none, language);
            assert!(said.contains("--map type=") && said.contains("[[documents_override]]"), "{said}");
        }
    }
}
