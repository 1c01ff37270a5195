//! Plain text and Markdown, in whatever encoding; and which kind of text a text is.

use encoding_rs::{EUC_KR, UTF_8, UTF_16BE, UTF_16LE};

use super::{Input, body, damaged, document};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let text = decode(input.bytes).ok_or_else(|| damaged("text", "not text in UTF-8, UTF-16 or CP949"))?;
    document(input, format, None, body(text))
}

/// The text of `bytes` in UTF-8, UTF-16 (with or without a mark) or CP949; `None` for anything else.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let encoding = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        UTF_8
    } else if bytes.starts_with(&[0xFF, 0xFE]) {
        UTF_16LE
    } else if bytes.starts_with(&[0xFE, 0xFF]) {
        UTF_16BE
    } else if std::str::from_utf8(bytes).is_ok() {
        UTF_8
    } else {
        utf16_without_mark(bytes).unwrap_or(EUC_KR)
    };
    let (text, _, wrong) = encoding.decode(bytes);
    let control = |c: &char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    let letters = text.chars().count();
    let rubbish = text.chars().filter(control).count();
    (!wrong && rubbish * 100 <= letters).then(|| text.into_owned())
}

/// UTF-16 of Latin text has a zero in every other byte; of Korean, a Hangul lead byte.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    if bytes.len() < 4 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let share = |offset: usize| {
        let high = bytes.iter().skip(offset).step_by(2);
        let fits = high.clone().filter(|b| **b == 0 || (0xAC..=0xD7).contains(*b) || **b == 0x30).count();
        fits as f32 / high.count() as f32
    };
    let (little, big) = (share(1), share(0));
    if little > 0.9 && little > big {
        Some(UTF_16LE)
    } else if big > 0.9 {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Which kind of text this is; the file's name breaks ties only.
pub(super) fn kind(text: &str, name: &str) -> Format {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let lower: String = start.chars().take(2000).collect::<String>().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    if looks_like_html(&lower) {
        return Format::Html;
    }
    if start.starts_with('{') || start.starts_with('[') {
        let mut lines = start.lines().filter(|l| !l.trim().is_empty());
        let first = lines.next().unwrap_or("");
        let whole_line =
            serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok() && first.trim_start().starts_with('{');
        if whole_line && (lines.next().is_some_and(|l| l.trim_start().starts_with('{')) || extension == "jsonl") {
            return Format::Jsonl;
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(start).is_ok() || extension == "json" {
            return Format::Json;
        }
        if extension == "jsonl" {
            return Format::Jsonl;
        }
    }
    if extension != "md" && extension != "txt" && super::records::delimiter(start).is_some() {
        return Format::Csv;
    }
    if extension == "csv" || extension == "tsv" {
        return Format::Csv;
    }
    let marked = start.lines().take(200).filter(|l| is_markdown(l)).count();
    if extension == "md" || extension == "markdown" || marked >= 1 { Format::Markdown } else { Format::Text }
}

fn looks_like_html(lower: &str) -> bool {
    lower.starts_with("<!doctype html")
        || lower.starts_with("<html")
        || (lower.starts_with('<')
            && ["<head", "<body", "<div", "<p>", "<table", "<html"].iter().any(|t| lower.contains(t)))
}

fn is_markdown(line: &str) -> bool {
    let hashes = line.chars().take_while(|c| *c == '#').count();
    ((1..=6).contains(&hashes) && line[hashes..].starts_with(' '))
        || line.starts_with("```")
        || (line.starts_with('|') && line.trim_end().ends_with('|'))
        || line.contains("](http")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_text_is_read_in_every_usual_encoding() {
        let text = "전고체 전지의 이온전도도는 3.2 mS/cm이다.\n";
        let (cp949, _, _) = EUC_KR.encode(text);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked: Vec<u8> = [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for bytes in [text.as_bytes(), &cp949, &little, &marked] {
            assert_eq!(decode(bytes).as_deref(), Some(text));
        }
        assert_eq!(decode(&[0, 159, 146, 150, 0, 1]), None);
    }
}
