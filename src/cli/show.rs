use std::cmp::Reverse;
use std::collections::HashSet;

use clap::Args;
use serde_json::json;

use super::{Context, Failure, Outcome};
use crate::app::App;
use crate::document::{CharIndex, Document, Unit, UnitKind};
use crate::error::{Classified, ErrorKind};
use crate::text::letters;

/// Documents that are told where a name fits several, at most; where it fits none, those nearest to it.
const TOLD: usize = 10;
const NEAREST: usize = 5;
/// From this likeness on, in percent, a name is near another.
const NEAR: usize = 50;
/// Characters of an unknown name that are repeated, at most.
const REPEATED: usize = 200;

#[derive(Args)]
pub(super) struct Arguments {
    /// A document id (a citation's `doc_id`), or a source as answers print it: `reports/x.pdf`, `x.pdf`, `projects.jsonl#P1`, `P1`
    #[arg(value_name = "ID|SOURCE")]
    document: String,
    /// Only this page, slide or sheet; with --json, of all units only its place
    #[arg(long, value_name = "N")]
    page: Option<u32>,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    let app = context.open()?;
    let document = match named(&app, &arguments.document)? {
        Some(document) => document,
        None => return Err(unknown(&arguments.document, app.catalog().document_sources()?)),
    };
    let units = units(&document, arguments.page)?;
    let index = CharIndex::new(&document.text);
    let place = |span| {
        let (start, end) = index.chars(span);
        json!({ "start": start, "end": end })
    };
    let value = json!({
        "doc_id": document.id,
        "title": document.title,
        "source": document.source,
        "format": document.format,
        "language": document.language,
        "metadata": document.metadata,
        "text": document.text,
        "units": units.iter().map(|u| json!({
            "kind": u.kind, "number": u.number, "label": u.label, "span": place(u.span)
        })).collect::<Vec<_>>(),
        "sections": document.sections.iter().map(|s| json!({
            "path": s.path, "span": place(s.span)
        })).collect::<Vec<_>>(),
    });
    context.output.result(&value, |_| match arguments.page {
        None => document.text.clone(),
        Some(_) => units.iter().map(|u| u.span.slice(&document.text)).collect::<Vec<_>>().join("\n"),
    });
    Ok(Outcome::Yes)
}

/// The document that is called so, if there is one: by its id, by its source or the end of it, by the id of its record.
pub(super) fn named(app: &App, given: &str) -> Result<Option<Document>, Failure> {
    let catalog = app.catalog();
    match catalog.document(given) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return Ok(Some(found?)),
    }
    let path = given.strip_prefix("./").unwrap_or(given);
    let mut found = catalog.documents_of_file(path)?;
    // The name of a file may have the mark, and the id of a record.
    for (file, record) in [path.split_once('#'), path.rsplit_once('#')].into_iter().flatten() {
        if found.is_empty() {
            found = catalog.documents_of_file(file)?;
            found.retain(|(_, source)| is_record(source, file, record));
        }
    }
    if found.is_empty() {
        for id in catalog.find_external(given)? {
            let source = catalog.document(&id)?.source;
            found.push((id, source));
        }
    }
    let as_given: Vec<&(String, String)> = found.iter().filter(|(_, source)| source == path).collect();
    match (found.as_slice(), as_given.as_slice()) {
        ([(id, _)], _) | (_, [(id, _)]) => Ok(Some(catalog.document(id)?)),
        ([], _) => Ok(None),
        (several, _) => Err(ambiguous(given, several)),
    }
}

/// True for the source of this record of a file, which is given by its path or the end of it.
fn is_record(source: &str, file: &str, record: &str) -> bool {
    let of = source.strip_suffix(record).and_then(|rest| rest.strip_suffix('#'));
    of.is_some_and(|of| of.ends_with(file) || file.ends_with(of))
}

fn ambiguous(given: &str, found: &[(String, String)]) -> Failure {
    let told = found.iter().take(TOLD).map(|(id, source)| format!("\n  {source}  ({id})")).collect::<String>();
    let more = found.len().saturating_sub(TOLD);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Failure::bad_input(format!(
        "`{given}` names {} documents; give the source or the id of one:{told}{more}",
        found.len()
    ))
}

fn unknown(given: &str, sources: Vec<String>) -> Failure {
    let near: String = nearest(given, sources).iter().map(|source| format!("\n  {source}")).collect();
    let near = if near.is_empty() { near } else { format!("; spelt alike:{near}") };
    let given: String = given.chars().take(REPEATED).collect();
    Failure::bad_input(format!(
        "no document `{given}` in this index; a document is called by its `doc_id`, or by its source as answers and searches print it{near}"
    ))
}

/// The sources whose file or record is spelt most like that of `given`, the most alike first: by the share of pairs of letters
/// that both have (Dice 1945).
fn nearest(given: &str, sources: Vec<String>) -> Vec<String> {
    let wanted = pairs(given);
    let likeness = |source: &str| {
        let own = pairs(source);
        200 * wanted.intersection(&own).count() / (wanted.len() + own.len()).max(1)
    };
    let mut near: Vec<(usize, String)> = sources.into_iter().map(|source| (likeness(&source), source)).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR);
    near.sort_by_key(|(likeness, _)| Reverse(*likeness));
    near.into_iter().take(NEAREST).map(|(_, source)| source).collect()
}

/// Pairs of letters of the last part of a source.
fn pairs(source: &str) -> HashSet<(char, char)> {
    let last = letters(source.rsplit(['/', '#']).next().unwrap_or_default());
    last.chars().zip(last.chars().skip(1)).collect()
}

/// All units, or those of a page.
fn units(document: &Document, page: Option<u32>) -> Result<Vec<&Unit>, Failure> {
    let Some(page) = page else { return Ok(document.units.iter().collect()) };
    let numbered = || document.units.iter().filter(|u| u.kind != UnitKind::Body);
    let found: Vec<&Unit> = numbered().filter(|u| u.number == page).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known = match numbered().map(|u| u.number).max() {
        Some(last) => format!("the last is {last}"),
        None => "its format has no pages".to_owned(),
    };
    Err(Failure::bad_input(format!("{} has no page {page}; {known}", document.source)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Span;

    #[test]
    fn what_is_spelt_alike_is_told_the_most_alike_first() {
        let sources =
            || ["data/p.jsonl#NE-21-195", "data/p.jsonl#NE-21-187", "data/p.jsonl#KB-16-031", "reports/kiln.pdf"];
        let near = |given: &str| nearest(given, sources().map(str::to_owned).to_vec());
        assert_eq!(near("p.jsonl#NE-21-1877"), ["data/p.jsonl#NE-21-187", "data/p.jsonl#NE-21-195"]);
        assert_eq!(near("kilns.pdf"), ["reports/kiln.pdf"]);
        assert!(near("0123456789abcdef").is_empty() && near("").is_empty());
        let message = unknown("kilns.pdf", sources().map(str::to_owned).to_vec()).message;
        assert!(message.ends_with("; spelt alike:\n  reports/kiln.pdf"), "{message}");
        assert!(unknown(&"가".repeat(9000), Vec::new()).message.chars().count() < 400);
    }

    #[test]
    fn a_record_is_called_by_its_file_and_its_id_whichever_has_the_mark() {
        for (source, file, record) in [
            ("sub/p.jsonl#A", "p.jsonl", "A"),
            ("p.jsonl#A", "/data/p.jsonl", "A"),
            ("sub/q#r.jsonl#A", "sub/q#r.jsonl", "A"),
            ("p.jsonl#A#1", "p.jsonl", "A#1"),
        ] {
            assert!(is_record(source, file, record), "{source}");
        }
        assert!(!is_record("p.jsonl#A#1", "p.jsonl", "1") && !is_record("p.jsonl#A", "p.jsonl", ""));
    }

    #[test]
    fn of_many_documents_ten_are_told() {
        let found: Vec<_> = (1..=12).map(|n| (format!("id{n}"), format!("p.jsonl#{n}"))).collect();
        let message = ambiguous("p.jsonl", &found).message;
        assert!(
            message.starts_with("`p.jsonl` names 12 documents; give the source or the id of one:\n  p.jsonl#1  (id1)")
        );
        assert!(message.ends_with("\n  p.jsonl#10  (id10)\n  and 2 more"), "{message}");
    }

    #[test]
    fn a_page_that_is_not_there_is_told_with_the_last_that_is() {
        let unit = |number, start| {
            let span = Span { start, end: start + 4 };
            Unit { kind: UnitKind::Page, number, label: None, span }
        };
        let plain = Document::plain("a.txt", "One.Two.".to_owned());
        let paged = Document { units: vec![unit(1, 0), unit(2, 4)], ..plain.clone() };
        let numbers = |found: Result<Vec<&Unit>, Failure>| {
            found.map(|units| units.iter().map(|u| u.number).collect::<Vec<_>>()).map_err(|failure| failure.message)
        };
        assert_eq!(numbers(units(&paged, Some(2))), Ok(vec![2]));
        assert_eq!(numbers(units(&paged, None)), Ok(vec![1, 2]));
        assert_eq!(numbers(units(&paged, Some(3))), Err("a.txt has no page 3; the last is 2".to_owned()));
        assert_eq!(numbers(units(&plain, Some(1))), Err("a.txt has no page 1; its format has no pages".to_owned()));
    }
}
