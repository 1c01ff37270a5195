use clap::Args;
use serde::Serialize;

use super::ask::SearchArguments;
use super::{Context, Failure, Outcome};
use crate::app::App;
use crate::document::{Language, Passage};
use crate::prompt;
use crate::retrieve::{self, Respelling, SearchMode, Support, Translations};
use crate::text::coverage::{Coverage, term_set};
use crate::text::spaced;

#[derive(Args)]
pub(super) struct Arguments {
    /// What to look for
    query: String,
    #[command(flatten)]
    search: SearchArguments,
}

#[derive(Serialize)]
struct Found {
    query: String,
    /// Words that no document has, and what was searched for instead.
    respelt: Vec<Respelling>,
    /// Which vectors were searched: `sparse`, `dense` or `hybrid`.
    mode: SearchMode,
    passages: Vec<Passage>,
    /// Why there are no passages, where it is the filters; what of the query was left aside; that none of the passages has a word of it.
    note: Option<String>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let options = arguments.search.lower(&context.config)?;
    let app = context.open_for(&arguments.query)?;
    let (question, respelt) = app.respell(&arguments.query)?;
    let retrieve::Found { passages, set_aside } = app.search(&question, &options)?;
    let note = match app.note_on_search(&arguments.query, &options, &passages, set_aside.as_ref())? {
        None if is_by_meaning_alone(&app, &question, &passages)? => {
            Some(by_meaning_alone(Language::detect(&arguments.query)).to_owned())
        }
        note => note,
    };
    let mode = options.mode.in_index(app.embedder().is_some());
    let found = Found { query: arguments.query, respelt, mode, passages, note };
    context.output.result(&found, text);
    Ok(if found.passages.is_empty() { Outcome::No } else { Outcome::Yes })
}

/// True where none of the passages has a word of the question, a glossary's name for one, or a translation of one.
fn is_by_meaning_alone(app: &App, question: &str, passages: &[Passage]) -> Result<bool, Failure> {
    let parts = app.parts();
    let words = Support::new(question, parts.glossary, parts.catalog)?;
    if passages.is_empty() || !have_none_of(passages, words.coverage()) {
        return Ok(false);
    }
    let across = words.across(&Translations::new()?, question, passages);
    Ok(have_none_of(passages, across.coverage()))
}

fn have_none_of(passages: &[Passage], words: &Coverage) -> bool {
    let holds = |p: &Passage| {
        let (by, year) = (p.metadata.institution.as_deref(), p.metadata.year.map(|year| year.to_string()));
        let (header, kind) = (p.header.as_deref(), p.metadata.doc_type.as_deref());
        let beside = [by, year.as_deref(), header, kind].map(Option::unwrap_or_default).join("\n");
        words.by(&term_set(&format!("{}\n{}\n{}\n{beside}", p.title, p.path.join("\n"), p.text))) > 0.0
    };
    !words.is_empty() && !passages.iter().any(holds)
}

fn by_meaning_alone(language: Language) -> &'static str {
    match language {
        Language::Ko => "찾은 글에는 검색어의 낱말이 하나도 없습니다. 뜻이 가장 가까운 순서일 뿐입니다.",
        Language::En | Language::Other => {
            "None of these texts has a word of the query; they are only the nearest by meaning."
        }
    }
}

fn text(found: &Found) -> String {
    let language = Language::detect(&found.query);
    let respelt = found.respelt.iter().map(|r| prompt::respelt(language, &r.from, &r.to));
    respelt.chain(found.passages.iter().map(line)).chain(found.note.clone()).collect::<Vec<_>>().join("\n")
}

fn line(p: &Passage) -> String {
    let page = p.page.map(|n| format!(" p. {n}")).unwrap_or_default();
    let text: String = spaced(&p.text).chars().take(200).collect();
    format!("{:2}. {:.3}  {}{page}  ({})\n      {text}", p.n, p.score, p.title, p.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_without_a_word_of_the_query_are_told_from_those_with_one() {
        let mut passage = Passage::whole(1, "Kiln gas", "The kiln saved 23 % of its gas.");
        passage.metadata.institution = Some("Norwind Institute".into());
        let passages = [passage];
        let none = |query: &str| have_none_of(&passages, &Coverage::of_question(query, &[]));
        assert!(none("qqxyz") && none("football world cup"));
        for query in ["gas of whales", "Norwind", "", "What is it about?"] {
            assert!(!none(query), "{query}");
        }
        assert!(!have_none_of(&passages, &Coverage::of_statement("kilns", &[])));
    }
}
