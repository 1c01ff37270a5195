//! SentencePiece with scores, as llama.cpp runs it: the adjacent pair whose joint piece has the best
//! score is merged until none is left; what has no piece becomes its bytes.
//!
//! Control and user-defined tokens are cut out of the text first, longest name first.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use aho_corasick::{AhoCorasick, MatchKind};

use super::Vocabulary;
use crate::LmError;
use crate::gguf::{Gguf, Value};

/// Stands for a space inside pieces.
const SPACE: &str = "\u{2581}";

/// A SentencePiece vocabulary with scores.
pub(super) struct Spm {
    pieces: HashMap<String, (u32, f32)>,
    bytes: [Option<u32>; 256],
    unknown: u32,
    special: AhoCorasick,
    special_ids: Vec<u32>,
    space_first: bool,
    /// White space after a control token is dropped (Phi 3 marks its tokens so).
    strip_after_control: bool,
}

impl Spm {
    pub(super) fn new(gguf: &Gguf, vocabulary: &Vocabulary) -> Result<Spm, LmError> {
        let scores = match gguf.get("tokenizer.ggml.scores") {
            Some(Value::Floats(scores)) if scores.len() == vocabulary.tokens.len() => scores,
            _ => return Err(LmError::Tokenizer("tokenizer.ggml.scores is missing or has another length".into())),
        };
        let mut bytes = [None; 256];
        for (value, slot) in bytes.iter_mut().enumerate() {
            *slot = vocabulary.ids.get(&format!("<0x{value:02X}>")).copied();
        }
        let entries = vocabulary.tokens.iter().zip(scores).enumerate();
        let pieces = entries.map(|(id, (token, score))| (token.clone(), (id as u32, *score as f32))).collect();
        let (special_ids, names): (Vec<u32>, Vec<&str>) = vocabulary.special().map(|(id, name, _)| (id, name)).unzip();
        let special = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(names);
        let unknown = gguf.int("tokenizer.ggml.unknown_token_id").filter(|&id| id < vocabulary.tokens.len());
        Ok(Spm {
            pieces,
            bytes,
            unknown: unknown.unwrap_or(0) as u32,
            special: special.map_err(|e| LmError::Tokenizer(e.to_string()))?,
            special_ids,
            space_first: gguf.bool("tokenizer.ggml.add_space_prefix").unwrap_or(true),
            strip_after_control: gguf.str("general.architecture") == Some("phi3"),
        })
    }

    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut from = 0;
        let mut after_special = true;
        for found in self.special.find_iter(text) {
            self.encode_plain(&text[from..found.start()], after_special, &mut ids);
            ids.push(self.special_ids[found.pattern().as_usize()]);
            from = found.end();
            after_special = true;
        }
        after_special |= from == 0;
        self.encode_plain(&text[from..], after_special, &mut ids);
        ids
    }

    fn encode_plain(&self, text: &str, after_special: bool, ids: &mut Vec<u32>) {
        let strip = self.strip_after_control && after_special && !ids.is_empty();
        let text = if strip { text.trim_start() } else { text };
        if text.is_empty() {
            return;
        }
        let mut spaced = text.replace(' ', SPACE);
        if self.space_first && after_special {
            spaced.insert_str(0, SPACE);
        }
        for piece in self.merge(&spaced) {
            match self.pieces.get(piece) {
                Some((id, _)) => ids.push(*id),
                None => ids.extend(piece.bytes().map(|b| self.bytes[b as usize].unwrap_or(self.unknown))),
            }
        }
    }

    /// Cuts `text` into pieces by merging characters, best score first, leftmost first among equals.
    fn merge<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(i, (start, c))| Symbol { start, len: c.len_utf8(), before: i.checked_sub(1), after: Some(i + 1) })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.after = None;
        }
        let mut queue = BinaryHeap::new();
        let pair = |symbols: &[Symbol], left: usize| {
            let right = symbols[left].after?;
            let len = symbols[left].len + symbols[right].len;
            let (_, score) = self.pieces.get(&text[symbols[left].start..symbols[left].start + len])?;
            Some(Pair { score: *score, left, right, len })
        };
        queue.extend((0..symbols.len()).filter_map(|left| pair(&symbols, left)));
        while let Some(Pair { left, right, len, .. }) = queue.pop() {
            let stale = symbols[left].len == 0
                || symbols[right].len == 0
                || symbols[left].len + symbols[right].len != len
                || symbols[left].after != Some(right);
            if stale {
                continue;
            }
            let after = symbols[right].after;
            symbols[left].len = len;
            symbols[left].after = after;
            symbols[right].len = 0;
            if let Some(after) = after {
                symbols[after].before = Some(left);
            }
            queue.extend(symbols[left].before.and_then(|before| pair(&symbols, before)));
            queue.extend(pair(&symbols, left));
        }
        symbols.iter().filter(|s| s.len > 0).map(|s| &text[s.start..s.start + s.len]).collect()
    }
}

struct Symbol {
    start: usize,
    len: usize,
    before: Option<usize>,
    after: Option<usize>,
}

#[derive(PartialEq)]
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    len: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Pair) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Pair) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The bytes that a piece stands for.
pub(super) fn bytes(piece: &str) -> Vec<u8> {
    let byte = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => vec![byte],
        None => piece.replace(SPACE, " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_token_that_the_model_lacks_is_its_first_token() {
        let tokens = ["<unk>", "a"].map(str::to_owned).to_vec();
        let metadata = [
            ("model", Value::String("llama".into())),
            ("tokens", Value::Strings(tokens)),
            ("scores", Value::Floats(vec![0.0, 0.0])),
            ("add_space_prefix", Value::Bool(false)),
            ("unknown_token_id", Value::Int(7)),
        ];
        let metadata = metadata.map(|(key, value)| (format!("tokenizer.ggml.{key}"), value));
        let gguf = Gguf::assembled("x.gguf".into(), Vec::new(), HashMap::from(metadata), HashMap::new());
        let spm = Spm::new(&gguf, &Vocabulary::read(&gguf).unwrap()).unwrap();
        assert_eq!(spm.encode("ab"), [1, 0]);
    }
}
