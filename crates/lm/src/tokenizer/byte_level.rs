//! Byte-level BPE: every byte is a printable character, words are cut by a regular expression, pairs
//! are merged by rank.
//!
//! The expressions are those that llama.cpp uses for the same `tokenizer.ggml.pre` names
//! (`src/llama-vocab.cpp`). An unknown name is refused: a wrong cut silently makes a model worse.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, NormalizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::Vocabulary;
use crate::LmError;
use crate::gguf::Gguf;

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The tokenizer that the metadata describes.
pub(super) fn build(gguf: &Gguf, vocabulary: &Vocabulary) -> Result<Tokenizer, LmError> {
    let about = |e: tokenizers::Error| LmError::Tokenizer(e.to_string());
    let lines = gguf.strings("tokenizer.ggml.merges").unwrap_or_default();
    let merges = lines.iter().map(|line| {
        // A merge of tokens that begin with a space is written with one more before it.
        let middle = line.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(i, _)| i);
        let pair = middle.and_then(|i| Some((line.get(..i)?.to_owned(), line.get(i + 1..)?.to_owned())));
        pair.ok_or_else(|| LmError::Tokenizer(format!("merge {line:?} is not a pair")))
    });
    let merges: Vec<(String, String)> = merges.collect::<Result<_, _>>()?;
    let pre = gguf.str("tokenizer.ggml.pre").unwrap_or("default");
    let rules = Rules::of(pre)?;
    let vocab: Vocab = vocabulary.ids.iter().map(|(token, id)| (token.clone(), *id)).collect();
    let bpe = BPE::builder().vocab_and_merges(vocab, merges);
    let bpe = bpe.ignore_merges(rules.whole_words_first).build().map_err(about)?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(rules.cut));
    if rules.nfc {
        tokenizer.with_normalizer(Some(NormalizerWrapper::from(NFC))).map_err(about)?;
    }
    let added =
        vocabulary.special().map(|(_, name, control)| AddedToken::from(name.to_owned(), control).normalized(false));
    tokenizer.add_tokens(added.collect::<Vec<_>>()).map_err(about)?;
    Ok(tokenizer)
}

struct Rules {
    cut: PreTokenizerWrapper,
    nfc: bool,
    /// A word that is a token is not merged from its bytes.
    whole_words_first: bool,
}

impl Rules {
    fn of(pre: &str) -> Result<Rules, LmError> {
        let cut = |pattern: &str| {
            let pattern = SplitPattern::Regex(pattern.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
                .map_err(|e| LmError::Tokenizer(e.to_string()))?;
            Ok::<_, LmError>(Sequence::new(vec![split.into(), ByteLevel::new(false, false, false).into()]).into())
        };
        let words = ByteLevel::new(false, false, true);
        Ok(match pre {
            "qwen2" | "deepseek-r1-qwen" => Rules { cut: cut(QWEN2)?, nfc: true, whole_words_first: false },
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "smaug-bpe" => {
                Rules { cut: cut(LLAMA3)?, nfc: false, whole_words_first: true }
            }
            "gpt-4o" | "llama4" => Rules { cut: cut(GPT4O)?, nfc: false, whole_words_first: false },
            "tekken" => Rules { cut: cut(TEKKEN)?, nfc: false, whole_words_first: true },
            "smollm" => {
                let cut = Sequence::new(vec![Digits::new(true).into(), words.into()]).into();
                Rules { cut, nfc: false, whole_words_first: false }
            }
            "default" | "gpt-2" | "gpt2" => Rules { cut: words.into(), nfc: false, whole_words_first: false },
            other => {
                let hint = "put the model's tokenizer.json beside the GGUF file";
                return Err(LmError::Tokenizer(format!("pre-tokenizer {other:?} is not known; {hint}")));
            }
        })
    }
}

/// The bytes that a token's characters stand for.
pub(super) fn bytes(token: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for c in token.chars() {
        match byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(c.to_string().into_bytes()),
        }
    }
    bytes
}

/// The character that stands for a byte: itself where printable, else the next free one from U+0100.
pub(crate) fn character(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(byte) {
        return byte.into();
    }
    let before = (0..byte).filter(|&b| !printable(b)).count() as u32;
    char::from_u32(0x100 + before).expect("U+0100 to U+0143 are characters")
}

fn byte(c: char) -> Option<u8> {
    // 68 bytes are not printable: 0..=32, 127..=160 and 173.
    match c as u32 {
        0x100..=0x120 => Some((c as u32 - 0x100) as u8),
        0x121..=0x142 => Some((c as u32 - 0x121 + 127) as u8),
        0x143 => Some(173),
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some(c as u32 as u8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character_and_comes_back() {
        for b in 0..=255 {
            assert_eq!(byte(character(b)), Some(b), "{b}");
        }
        assert_eq!(character(b' '), 'Ġ');
        assert_eq!(bytes("Ġê°Ģ"), " 가".as_bytes());
    }

    #[test]
    fn an_unknown_pre_tokenizer_is_refused_with_a_way_out() {
        let error = Rules::of("unheard-of").err().unwrap().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
    }
}
