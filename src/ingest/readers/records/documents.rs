//! Records as documents, one each.
//!
//! In: records and what their [`Fields`] mean. Out: documents whose metadata and text hold what the records say, under names that
//! differ; what is told of the file once is a warning of the first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::super::{body, sha256};
use super::fields::{Fields, entries, listed};
use super::{Record, Several, WARNINGS};
use crate::document::{Access, Format, Metadata};
use crate::ingest::Extracted;
use crate::text::{Numbered, money, spaced};

/// Characters of a fact; a longer text is a section of its own.
pub(super) const FACT: usize = 200;

/// One document a record; `place` is what a number counts: `line`, `row`.
pub(super) fn documents(
    records: Vec<(usize, Record)>,
    fields: &Fields,
    format: Format,
    place: &str,
    mut warnings: Vec<String>,
) -> Vec<Extracted> {
    let mut out: Vec<Extracted> = Vec::with_capacity(records.len());
    let mut noted = Noted::default();
    let mut names = Names::default();
    for (number, record) in records {
        let at = format!("{place} {number}");
        let mut document = record_document(&at, &record, fields, format, &mut noted);
        names.tell_apart(&mut document, at);
        out.push(document);
    }
    let levels = Access::ALL.map(Access::name).join(", ");
    warnings.extend(noted.unknown_access.into_iter().take(WARNINGS).map(|(said, records)| {
        format!("access `{said}` ({records} records) is none of {levels}: taken as restricted")
    }));
    if !noted.left_out.is_empty() {
        let what = format!("not in the text, being lists of objects, objects in objects or over {FACT} characters");
        warnings.push(format!("{what}: {}", listed(&noted.left_out)));
    }
    warnings.extend(noted.bare.told("records have neither a title nor a text"));
    warnings.extend(names.twice.told("records have an id that another has"));
    if let Some(first) = out.first_mut() {
        first.warnings.append(&mut warnings);
    }
    out
}

/// What is told of a file's records once, not of each.
#[derive(Default)]
struct Noted {
    /// What access levels say that are none, and how often. Nobody may see more by a word that was not understood.
    unknown_access: BTreeMap<String, usize>,
    /// Fields that say something which is not in the text.
    left_out: BTreeSet<String>,
    /// Records that are facts alone.
    bare: Several,
}

/// The names of the records of a file. Two different ones of one id stay two: the second is `P1~2`.
#[derive(Default)]
struct Names {
    /// Where the record of each name is.
    given: HashMap<String, String>,
    numbered: Numbered,
    /// Hashes of the records; what is the same twice is dropped later.
    seen: HashSet<String>,
    twice: Several,
}

impl Names {
    fn tell_apart(&mut self, document: &mut Extracted, at: String) {
        let Some(id) = document.record.clone() else { return };
        if !self.seen.insert(document.sha256.clone()) {
            return;
        }
        let name = self.numbered.free(&id, "~", |name| !self.given.contains_key(name));
        if name != id {
            let first = self.given.get(&id).map_or("", String::as_str);
            self.twice.add(format!("{at}: the id `{id}` is that of {first}, too; this record is called `{name}`"));
        }
        self.given.insert(name.clone(), at);
        document.record = Some(name);
    }
}

fn record_document(at: &str, record: &Record, fields: &Fields, format: Format, noted: &mut Noted) -> Extracted {
    let entries = entries(record);
    let value = |name: &String| entries.iter().find(|(n, _)| n == name).and_then(|(_, value)| plain(value));
    let get = |name: &Option<String>| name.as_ref().and_then(value);
    let id = get(&fields.id);
    let object = || fields.institution.as_ref().and_then(|name| record.get(name));
    let institution = get(&fields.institution).or_else(|| object().and_then(named_in));
    let year = get(&fields.year);
    let budget = fields.budget.as_deref().zip(get(&fields.budget));
    let used = |name: &String| fields.text.contains(name) || fields.title.as_ref() == Some(name);
    // Facts of a record are part of its text, under the source's own names, so that an answer can cite them.
    let mut facts: Vec<String> = Vec::new();
    let mut sections: Vec<(&str, String)> = Vec::new();
    let mut extra: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in entries.iter().filter(|(name, _)| !used(name)) {
        let text = plain(value);
        let is_short = text.as_ref().is_none_or(|text| text.chars().count() <= FACT);
        let is_section = !is_short && value.is_string() && !fields.is_mapped;
        if holds_objects(value) || (!is_short && !is_section) {
            noted.left_out.insert(name.clone());
        }
        let Some(text) = text else { continue };
        if is_section {
            sections.push((name.as_str(), text.clone()));
        } else if is_short {
            facts.push(format!("{name}: {}", spaced(&text)));
        }
        extra.insert(name.clone(), text);
    }
    let title = get(&fields.title);
    let is_bare = title.is_none() && sections.is_empty() && !fields.text.iter().any(|name| value(name).is_some());
    if is_bare && !facts.is_empty() {
        let only = listed(&extra.keys().cloned().collect());
        noted.bare.add(format!("{at}: neither a title nor a text, only {only}"));
    }
    let mut markdown = facts.join(" | ");
    if !markdown.is_empty() {
        markdown.push_str("\n\n");
    }
    for name in &fields.text {
        if let Some(text) = value(name) {
            if fields.text.len() > 1 {
                markdown.push_str(&format!("## {name}\n\n"));
            }
            markdown.push_str(&text);
            markdown.push_str("\n\n");
        }
    }
    sections.iter().for_each(|(name, text)| markdown.push_str(&format!("## {name}\n\n{text}\n\n")));
    let access = get(&fields.access).map_or(Access::default(), |said| {
        Access::named(&said.to_lowercase()).unwrap_or_else(|| {
            *noted.unknown_access.entry(said).or_insert(0) += 1;
            Access::Restricted
        })
    });
    Extracted {
        format,
        title,
        record: Some(id.clone().unwrap_or_else(|| at.to_owned())),
        sha256: sha256(serde_json::to_string(record).unwrap_or_default().as_bytes()),
        metadata: Metadata {
            external_id: id,
            institution,
            year: year.as_deref().and_then(year_in),
            budget: budget.and_then(|(column, said)| money::in_column(column, &said)).map(|m| m.amount),
            doc_type: Some(get(&fields.doc_type).unwrap_or_else(|| "record".into())),
            access,
            fields: extra,
        },
        parts: body(markdown),
        warnings: Vec::new(),
    }
}

/// True for a value that says something which [`plain`] leaves out.
fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Object(inner) => !inner.is_empty(),
        Value::Array(items) => items.iter().any(holds_objects),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A value as text: lists joined, objects and nulls left out.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Array(items) => items.iter().filter_map(plain).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The name of an object, or of the first that has one in a list of objects: `[{"name": "가온"}, {"name": "다온"}]`.
fn named_in(value: &Value) -> Option<String> {
    match value {
        Value::Object(inner) => inner.get("name").and_then(plain),
        Value::Array(items) => items.iter().find_map(named_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The first four-digit year, 1900 to 2099, in a text such as `2021-03-01` or `03/2021`.
fn year_in(text: &str) -> Option<i32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 4 || run.len() == 8)
        .filter_map(|run| run[..4].parse().ok())
        .find(|year| (1900..2100).contains(year))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, names, read};
    use super::*;
    use crate::ingest::RecordMapping;

    #[test]
    fn mapped_fields_become_metadata_and_stay_visible_in_the_text() {
        let mapping = RecordMapping {
            id: Some("no".into()),
            text: vec!["aim".into(), "result".into()],
            institution: Some("who".into()),
            year: Some("from".into()),
            budget: Some("won".into()),
            ..RecordMapping::default()
        };
        let line =
            r#"{"no":"P1","title":"양극재","aim":"가","result":"나","who":"가온","from":"2021-03-01","won":"1,200"}"#;
        let found = read(&format!("{line}\n"), "p.jsonl", &mapping).unwrap();
        let meta = &found[0].metadata;
        assert_eq!((meta.institution.as_deref(), meta.year, meta.budget), (Some("가온"), Some(2021), Some(1200.0)));
        let text = &found[0].parts[0].markdown;
        assert!(text.contains("who: 가온") && text.contains("## aim\n\n가") && text.contains("won: 1,200"), "{text}");
    }

    #[test]
    fn an_access_level_is_never_lowered_by_its_spelling_or_its_place() {
        let mut rows = String::from("text,level\n");
        (0..120).for_each(|i| rows.push_str(&format!("row {i},\n")));
        rows.push_str("a,RESTRICTED\nb,Internal\nc,대외비\nd,대외비\n");
        let mapping = RecordMapping { access: Some("level".into()), ..RecordMapping::default() };
        let found = read(&rows, "p.csv", &mapping).unwrap();
        let levels: Vec<Access> = found[119..].iter().map(|d| d.metadata.access).collect();
        let expected = [Access::Public, Access::Restricted, Access::Internal, Access::Restricted, Access::Restricted];
        assert_eq!(levels, expected);
        assert_eq!(found[0].warnings.len(), 1);
        assert!(found[0].warnings[0].contains("`대외비` (2 records)"), "{:?}", found[0].warnings);
    }

    #[test]
    fn years_are_found_in_dates() {
        assert_eq!(year_in("01/09/2015"), Some(2015));
        assert_eq!(year_in("20210301"), Some(2021));
        assert_eq!(year_in("n/a 12345"), None);
    }

    #[test]
    fn a_budget_is_counted_in_the_unit_of_its_column_or_its_own() {
        for (column, cell, budget) in [
            ("총연구비(천원)", "2,100,000", Some(2.1e9)),
            ("연구비 (백만 원)", "870", Some(8.7e8)),
            ("budget", "€ 1,499,900.50", Some(1_499_900.5)),
            ("budget", "1,200", Some(1200.0)),
            ("예산", "14억 5천만 원", Some(1.45e9)),
            ("amount", "추후 협의", None),
        ] {
            let table = format!("id;text;{column}\n1;one;{cell}\n2;two;{cell}\n");
            let found = read(&table, "p.csv", &RecordMapping::default()).unwrap();
            assert_eq!(found[0].metadata.budget, budget, "{column}: {cell}");
        }
    }

    #[test]
    fn no_field_of_a_record_is_lost_in_silence() {
        let long = "가스를 줄인다. ".repeat(40);
        let line = serde_json::json!({
            "id": "P1", "abstract": "본문", "objective": long, "results": {"loss": "3 %", "runs": [1, 2], "raw": {"a": 1}},
            "team": [{"name": "가람"}], "empty": {}, "none": null,
        });
        let found = found(&format!("{line}\n{line}\n"), "p.jsonl");
        let text = &found[0].parts[0].markdown;
        assert!(text.contains("results.loss: 3 %") && text.contains("results.runs: 1, 2"), "{text}");
        assert!(text.ends_with(&format!("본문\n\n## objective\n\n{}\n\n", long.trim())), "{text}");
        assert_eq!(found[0].metadata.fields["results.loss"], "3 %");
        assert_eq!(found[0].warnings.len(), 1);
        assert!(found[0].warnings[0].ends_with(": `results.raw`, `team`"), "{:?}", found[0].warnings);
    }

    #[test]
    fn a_mapping_of_the_text_leaves_other_long_fields_out_and_says_so() {
        let line = serde_json::json!({"id": "1", "aim": "가", "notes": "나 ".repeat(150), "org": {"name": "가온"}});
        let mapping = RecordMapping {
            text: vec!["aim".into()],
            institution: Some("org.name".into()),
            ..RecordMapping::default()
        };
        let found = read(&format!("{line}\n{line}\n"), "p.jsonl", &mapping).unwrap();
        assert_eq!(found[0].parts[0].markdown, "id: 1 | org.name: 가온\n\n가\n\n");
        assert_eq!(found[0].metadata.institution.as_deref(), Some("가온"));
        assert!(found[0].warnings[0].ends_with(": `notes`"), "{:?}", found[0].warnings);
    }

    #[test]
    fn an_institution_that_is_an_object_or_a_list_of_them_is_called_by_its_name() {
        let lines = r#"{"id":"1","text":"a","organisation":{"name":"가온","city":"대전"}}
{"id":"2","text":"b","organisation":[{"role":"lead"},{"name":"다온"},{"name":"라온"}]}
{"id":"3","text":"c","organisation":"마온"}
"#;
        let of = |lines: &str| -> Vec<Option<String>> {
            found(lines, "p.jsonl").into_iter().map(|d| d.metadata.institution).collect()
        };
        assert_eq!(of(lines), ["가온", "다온", "마온"].map(|name| Some(name.to_owned())));
        let objects = "{\"id\":\"1\",\"text\":\"a\",\"company\":{\"name\":\"가온\"}}\n{\"id\":\"2\",\"text\":\"b\"}\n";
        assert_eq!(of(objects), [Some("가온".to_owned()), None]);
    }

    #[test]
    fn records_of_one_id_are_told_apart_and_a_line_number_is_no_id() {
        let lines = "{\"id\":\"P1\",\"text\":\"a\"}\n{\"id\":\"P1\",\"text\":\"b\"}\n{\"text\":\"c\"}\n{\"id\":3,\"text\":\"d\"}\n\
                     {\"id\":\"P1\",\"text\":\"a\"}\n{\"id\":\"P1~2\",\"text\":\"e\"}\n";
        let found = found(lines, "p.jsonl");
        assert_eq!(names(&found), ["P1", "P1~2", "line 3", "3", "P1", "P1~2~2"]);
        assert_eq!(found[1].metadata.external_id.as_deref(), Some("P1"));
        assert_eq!(found[0].warnings.len(), 2, "{:?}", found[0].warnings);
        let said = "line 2: the id `P1` is that of line 1, too; this record is called `P1~2`";
        assert_eq!(found[0].warnings[0], said);
    }

    #[test]
    fn a_record_of_facts_alone_is_named() {
        let mut lines = String::from("{\"id\":\"1\",\"text\":\"a\"}\n{\"id\":\"2\",\"title\":\"b\"}\n");
        (3..26).for_each(|id| lines.push_str(&format!("{{\"id\":\"{id}\",\"sum\":5,\"text\":\" \"}}\n")));
        let found = found(&lines, "p.jsonl");
        assert_eq!((found.len(), found[0].warnings.len()), (25, WARNINGS + 1), "{:?}", found[0].warnings);
        assert_eq!(found[0].warnings[0], "line 3: neither a title nor a text, only `id`, `sum`");
        assert_eq!(found[0].warnings[WARNINGS], "3 more records have neither a title nor a text");
    }
}
