//! May an answer in JSON be shown, and which words support it?
//!
//! Every string is read as sentences, each of which must stand as one of a plain answer would (a fragment whatever the question); every number
//! must occur in a passage or in the question. Names that the schema itself gives (`enum`, `const`), booleans
//! and `null` are choices, not claims: they are not checked, and an answer of nothing else is not shown.

use std::collections::HashSet;

use serde_json::Value;

use super::verify::{Verified, Verifier};
use crate::text::sentences;

/// The claims of a JSON text with what supports them, or nothing when one of them does not stand.
pub(super) fn check(text: &str, schema: &Value, verifier: &Verifier<'_>) -> Option<Vec<Verified>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let mut given = HashSet::new();
    literals(schema, &mut given);
    let mut claims = Vec::new();
    let mut figures = 0;
    if !stands(&value, &given, verifier, &mut claims, &mut figures) || claims.len() + figures == 0 {
        return None;
    }
    Some(claims)
}

/// The strings that a schema offers for choice.
fn literals<'a>(schema: &'a Value, into: &mut HashSet<&'a str>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("const", Value::String(literal)) => drop(into.insert(literal)),
                    ("enum", Value::Array(all)) => into.extend(all.iter().filter_map(Value::as_str)),
                    _ => literals(value, into),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| literals(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn stands(
    value: &Value,
    given: &HashSet<&str>,
    verifier: &Verifier<'_>,
    claims: &mut Vec<Verified>,
    figures: &mut usize,
) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => {
            *figures += 1;
            verifier.knows_figures(&number.to_string())
        }
        Value::String(text) if given.contains(text.as_str()) => true,
        Value::String(text) => {
            sentences(text).into_iter().map(|span| span.slice(text)).all(|piece| match verifier.check_value(piece) {
                Some(claim) => {
                    claims.push(claim);
                    true
                }
                None => !verifier.claims(piece),
            })
        }
        Value::Array(all) => all.iter().all(|value| stands(value, given, verifier, claims, figures)),
        Value::Object(fields) => fields.values().all(|value| stands(value, given, verifier, claims, figures)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Material;
    use super::*;
    use crate::document::Passage;
    use crate::retrieve::Glossary;
    use crate::retrieve::Translations;

    fn passage(n: usize, text: &str) -> Passage {
        Passage::whole(n, "Kilns", text)
    }

    fn shown(value: Value) -> Option<Vec<usize>> {
        let passages = [
            passage(1, "The Norwind tunnel kiln saved 23.5 % of its natural gas after the recuperator was installed."),
            passage(2, "The glaze defects fell to 1.2 %."),
        ];
        let glossary = Glossary::new(&[]);
        let question = "How much gas did the Norwind kiln save in 2021?";
        let screened = super::super::screen::Screened::new(question, &passages, false);
        let translations = Translations::new().unwrap();
        let material = Material { passages: &passages, screened: &screened, translations: &translations, read: None };
        let verifier = Verifier::new(question, &material, &glossary);
        let schema = json!({ "properties": { "kind": { "enum": ["saving", "loss"] } } });
        let claims = check(&value.to_string(), &schema, &verifier)?;
        Some(claims.iter().map(|claim| claim.quotes[0].n).collect())
    }

    #[test]
    fn every_string_needs_support_and_every_number_a_place() {
        let sound = json!({
            "answer": "The Norwind tunnel kiln saved 23.5 % of its natural gas.",
            "kind": "saving",
            "percent": 23.5,
            "year": 2021,
            "more": [{ "text": "The glaze defects fell to 1.2 %." }, null, true],
        });
        assert_eq!(shown(sound.clone()), Some(vec![1, 2]));
        for (field, wrong) in [
            ("answer", json!("The Norwind tunnel kiln saved 42 % of its natural gas.")),
            ("answer", json!("A zeppelin crossed the Atlantic.")),
            ("percent", json!(24.5)),
            ("kind", json!("a catastrophe of zeppelins")),
        ] {
            let mut other = sound.clone();
            other[field] = wrong.clone();
            assert_eq!(shown(other), None, "{field}: {wrong}");
        }
    }

    #[test]
    fn choices_alone_are_not_an_answer_and_what_is_no_json_is_none() {
        assert_eq!(shown(json!({ "kind": "saving", "sure": true })), None);
        assert_eq!(shown(json!({ "percent": 23.5 })), Some(vec![]));
        let glossary = Glossary::new(&[]);
        let passages = [];
        let screened = super::super::screen::Screened::new("q?", &passages, false);
        let translations = Translations::new().unwrap();
        let material = Material { passages: &passages, screened: &screened, translations: &translations, read: None };
        assert!(check("{\"cut\": ", &json!({}), &Verifier::new("q?", &material, &glossary)).is_none());
    }
}
