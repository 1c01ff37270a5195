//! Python literals as some data sets carry them inside JSON (`"[{'title': 'A', 'ok': True}]"`), read as JSON values.
//!
//! Strings, numbers, lists, tuples, dictionaries with string keys, `True`, `False`, `None`; nothing is evaluated.

use serde_json::{Map, Number, Value};

/// Nesting at most; data sets have three.
const DEEPEST: usize = 32;

/// The value, or `None` where `text` is not one literal.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.blank();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blank();
        match self.rest.chars().next().filter(|_| depth < DEEPEST)? {
            '[' => self.sequence("[", "]", depth),
            '(' => self.sequence("(", ")", depth),
            '{' => self.dictionary(depth),
            '\'' | '"' => self.string().map(Value::String),
            _ if self.take("True") => Some(Value::Bool(true)),
            _ if self.take("False") => Some(Value::Bool(false)),
            _ if self.take("None") => Some(Value::Null),
            _ => self.number(),
        }
    }

    fn sequence(&mut self, open: &str, close: &str, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        self.take(open);
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(",") && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn dictionary(&mut self, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        self.take("{");
        while !self.take("}") {
            self.blank();
            let key = self.string()?;
            if !self.take(":") {
                return None;
            }
            map.insert(key, self.value(depth + 1)?);
            if !self.take(",") && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    fn string(&mut self) -> Option<String> {
        let mut chars = self.rest.char_indices();
        let (_, quote) = chars.next().filter(|(_, c)| matches!(c, '\'' | '"'))?;
        let mut out = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    'x' => out.push(code(&mut chars, 2)?),
                    'u' => out.push(code(&mut chars, 4)?),
                    'U' => out.push(code(&mut chars, 8)?),
                    other @ ('\\' | '\'' | '"') => out.push(other),
                    other => out.extend(['\\', other]),
                },
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(out);
                }
                c => out.push(c),
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let end =
            self.rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let number = text.parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(text.parse().ok()?))?;
        self.rest = rest;
        Some(Value::Number(number))
    }
}

fn code(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let hex: String = chars.take(digits).map(|(_, c)| c).collect();
    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_dictionaries_quotes_and_escapes_are_read() {
        let text = r#"[{'a': 'it\'s', "b": "x\n\xe9\u2014", 'ok': True, 'no': None, 'n': -1.5, 't': (1, 2,)}, ]"#;
        let expected = json!([{"a": "it's", "b": "x\né—", "ok": true, "no": null, "n": -1.5, "t": [1, 2]}]);
        assert_eq!(literal(text), Some(expected));
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in ["", "[", "['a' 'b']", "{1: 2}", "print()", "'open", "[1] 2", &"[".repeat(10_000)] {
            assert_eq!(literal(text), None, "{text:.20}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}'\":,\\\\xu0-9TFN가 ]{0,60}") {
            let _ = literal(&text);
        }
    }
}
