//! Texts in a form: JSON of a schema, citations and quotations, copies.

use std::ops::ControlFlow;

use sectora_lm::{Architecture, ChatMessage, Finish, Form, LmError, Sampling};

use super::{Tiny, sampling, write_as};

/// Drawn so that every token has a chance.
fn hot(seed: u64, max_tokens: usize) -> Sampling {
    Sampling { temperature: 3.0, seed, ..sampling(max_tokens) }
}

#[test]
fn json_has_the_form_of_its_schema_whatever_the_model_would_say() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 8 },
            "kind": { "enum": ["gas", "전지"] },
            "year": { "type": "integer", "minimum": 1990, "maximum": 2030 },
            "parts": { "type": "array", "items": { "$ref": "#/$defs/part" }, "maxItems": 2 },
        },
        "$defs": { "part": { "type": "object", "properties": { "ok": { "type": "boolean" } }, "required": ["ok"], "additionalProperties": false } },
        "required": ["name", "kind", "year", "parts"],
        "additionalProperties": false,
    });
    let form = Form::Json(schema);
    let mut model = Tiny::new(Architecture::Qwen3).model();
    let mut ended = 0;
    for seed in 0..10 {
        let (text, generation) = write_as(&mut model, "x", &hot(seed, 150), Some(&form));
        if generation.finish == Finish::Length {
            continue;
        }
        ended += 1;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(value["name"].as_str().unwrap().chars().count() <= 8, "{text}");
        assert!(["gas", "전지"].contains(&value["kind"].as_str().unwrap()), "{text}");
        assert!((1990..=2030).contains(&value["year"].as_i64().unwrap()), "{text}");
        assert!(value["parts"].as_array().unwrap().iter().all(|part| part["ok"].is_boolean()), "{text}");
    }
    assert!(ended > 4, "only {ended} of 10 ended: the test shows little");
    let wrong = Form::Json(serde_json::json!({ "type": "nothing" }));
    let prompt = model.prompt(&[ChatMessage::user("x")]).unwrap();
    let refused =
        model.generate_as(&prompt, (&sampling(3), Some(&wrong)), &|| false, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(LmError::Sampling { field: "response_format", .. })), "{refused:?}");
}

#[test]
fn an_answer_cites_only_passages_that_are_there_and_quotes_only_their_words() {
    let passages =
        vec![(3, "The cell held 92 % after 500 cycles.".to_owned()), (17, "전해질은 황화물이다.".to_owned())];
    let form = Form::Citing(passages.clone());
    let mut model = Tiny::new(Architecture::Llama).model();
    // A bias makes brackets and quotation marks frequent in random text.
    let often: Vec<(u32, f32)> =
        ["[", "\"", "]"].iter().filter_map(|s| model.tokenizer().id(s)).map(|id| (id, 6.0)).collect();
    let (mut marks, mut quotes) = (0, 0);
    for seed in 0..12 {
        let drawn = Sampling { temperature: 1.5, seed, logit_bias: often.clone(), ..sampling(150) };
        let (text, generation) = write_as(&mut model, "x", &drawn, Some(&form));
        assert!(generation.form_s > 0.0);
        for (at, _) in text.match_indices('[') {
            let rest = &text[at + 1..];
            let whole = rest.find(']').map_or(rest, |end| &rest[..end]);
            assert!(
                ["3", "17"].iter().any(|n| if rest.contains(']') { whole == *n } else { n.starts_with(whole) }),
                "{text}"
            );
            marks += 1;
        }
        // Quotation marks after a digit are inches; the others come in pairs.
        let mut inside: Option<String> = None;
        let mut before = ' ';
        for c in text.chars() {
            inside = match (inside, c) {
                (None, '"') if !before.is_ascii_digit() => Some(String::new()),
                (None, _) => None,
                (Some(quote), '"') => {
                    assert!(
                        !quote.is_empty() && passages.iter().any(|(_, p)| p.contains(&quote)),
                        "{quote:?} in {text}"
                    );
                    quotes += 1;
                    None
                }
                (Some(mut quote), c) => {
                    quote.push(c);
                    Some(quote)
                }
            };
            before = c;
        }
    }
    assert!(marks > 20 && quotes > 20, "{marks} marks and {quotes} quotations: the test shows little");
}

#[test]
fn an_answer_that_only_copies_is_made_of_pieces_of_the_passages_it_cites() {
    let passages = vec![
        (3, "The cell held 92 % after 500 cycles.".to_owned()),
        (5, "전해질은 황화물이다. 92 % [7] kept.".to_owned()),
    ];
    let form = Form::Copying { passages: passages.clone(), silence: "Nothing answers.".to_owned() };
    let mut model = Tiny::new(Architecture::Qwen3).model();
    let mut ended = 0;
    for seed in 0..20 {
        let (text, generation) = write_as(&mut model, "x", &hot(seed, 120), Some(&form));
        if generation.finish == Finish::Length {
            continue;
        }
        ended += 1;
        if text.trim_start() == "Nothing answers." {
            continue;
        }
        let pieces: Vec<&str> = text.trim_start().split_inclusive("].").map(str::trim_start).collect();
        assert!((1..=4).contains(&pieces.len()), "{text}");
        for piece in pieces {
            let (said, mark) = piece.rsplit_once(" [").unwrap_or_else(|| panic!("{text}"));
            let n: usize = mark.strip_suffix("].").unwrap_or_else(|| panic!("{text}")).parse().unwrap();
            assert!(passages.iter().any(|(number, passage)| *number == n && passage.contains(said)), "{text}");
        }
    }
    assert!(ended > 4, "only {ended} of 20 ended: the test shows little");
}
