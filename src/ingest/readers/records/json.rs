//! JSON as it is found in files: with the numbers of Python that are none, and with the list of records inside an object.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::documents::FACT;
use super::fields::{absent_column, entries, fields, listed};
use crate::ingest::RecordMapping;

/// JSON, also as Python writes it: `NaN` and the infinities are nulls.
pub(super) fn parse(text: &str) -> serde_json::Result<Value> {
    static TOKEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s)"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)"#).expect("a constant pattern"));
    serde_json::from_str(text).or_else(|error| {
        if !text.contains("NaN") && !text.contains("Infinity") {
            return Err(error);
        }
        let null =
            |found: &regex::Captures<'_>| if found[0].starts_with('"') { found[0].to_owned() } else { "null".into() };
        serde_json::from_str(&TOKEN.replace_all(text, null))
    })
}

/// The items of a file's one list of records, and a warning that names what stands beside it: the file is that list, or an object
/// that holds it and is no record itself. Under a strict mapping an object that holds no list is the only record.
pub(super) fn listed_records<'v>(value: &'v Value, mapping: &RecordMapping) -> (&'v [Value], Vec<String>) {
    let is_list = |value: &Value| value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    let items = |list: &'v Value| list.as_array().filter(|_| is_list(list)).map(Vec::as_slice).unwrap_or_default();
    let Value::Object(outer) = value else { return (items(value), Vec::new()) };
    let mut lists = outer.iter().filter(|(_, value)| is_list(value));
    let only = lists.next().filter(|_| lists.next().is_none());
    let is_record = if mapping.strict {
        absent_column(&entries(outer).into_iter().map(|(name, _)| name).collect(), mapping).is_none()
    } else {
        let long = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() > FACT);
        outer.values().any(long) || fields(std::iter::once(outer), mapping).is_some()
    };
    match only.filter(|_| !is_record) {
        Some((name, list)) => {
            let beside: BTreeSet<String> = outer.keys().filter(|other| *other != name).cloned().collect();
            let warning = (!beside.is_empty()).then(|| format!("left out, beside the records: {}", listed(&beside)));
            (items(list), warning.into_iter().collect())
        }
        None if mapping.strict => (std::slice::from_ref(value), Vec::new()),
        None => (items(value), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found, names, read};
    use super::*;

    #[test]
    fn the_records_of_a_json_file_are_found_inside_an_object_and_beside_others() {
        let mapping = RecordMapping { id: Some("no".into()), strict: true, ..RecordMapping::default() };
        let wrapped = r#"{"count": 2, "data": [{"no": "1", "text": "a"}, null, {"no": "2", "text": "b"}]}"#;
        for mapping in [&mapping, &RecordMapping::default()] {
            let found = read(wrapped, "p.json", mapping).unwrap();
            assert_eq!(found.len(), 2);
            let warnings = ["left out, beside the records: `count`", "record 2: not an object"];
            assert_eq!(found[0].warnings, warnings);
        }
        let one = r#"{"text": "a report", "authors": [{"name": "A", "description": "b"}]}"#;
        assert_eq!(found(one, "p.json")[0].record, None, "a document with a list in it");
        for wrong in [one, "[1, 2]"] {
            let error = read(wrong, "p.json", &mapping).unwrap_err().to_string();
            assert!(error.contains("`no`"), "{wrong}: {error}");
        }
        assert_eq!(names(&read(r#"{"no": "7", "text": "a"}"#, "p.json", &mapping).unwrap()), ["7"]);
    }

    #[test]
    fn numbers_of_python_that_are_none_are_nulls() {
        let text = r#"{"id": "1", "text": "NaN is kept, so is \"Infinity", "loss": NaN, "gain": -Infinity, "runs": 3}"#;
        for (bytes, name) in [(format!("{text}\n{text}\n"), "p.jsonl"), (format!("[{text}]"), "p.json")] {
            let found = found(&bytes, name);
            assert_eq!(found[0].parts[0].markdown, "id: 1 | runs: 3\n\nNaN is kept, so is \"Infinity\n\n", "{name}");
        }
    }
}
