//! Plain text and Markdown, in whatever encoding; and which kind of text a text is.

use encoding_rs::{EUC_KR, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{Input, body, damaged, document};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

/// A text is believed to be one, spoilt here and there, up to one bad place in so many characters (and a few in a short one).
const SPOILT: usize = 50;

pub(super) fn read(input: &Input<'_>, format: Format) -> Result<Extracted, ReadError> {
    let decoded =
        decode(input.bytes).ok_or_else(|| damaged("text", "not text in UTF-8, UTF-16, CP949 or Windows-1252"))?;
    document(input, format, None, body(decoded.text))
}

/// A text and what had to be left out of it.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) warning: Option<String>,
}

/// The text of `bytes` in UTF-8, UTF-16 (with or without a mark), CP949 or Windows-1252; `None` for anything else.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    decode_as(bytes, None)
}

/// As [`decode`]; the page's own word on its encoding decides where the bytes do not.
pub(super) fn decode_html(bytes: &[u8]) -> Option<Decoded> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(2048)]).to_ascii_lowercase();
    let label = head.split("charset=").nth(1).map(|rest| {
        rest.trim_start_matches(['"', '\''])
            .chars()
            .take_while(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect::<String>()
    });
    decode_as(bytes, label.and_then(|l| Encoding::for_label(l.as_bytes())))
}

fn decode_as(bytes: &[u8], stated: Option<&'static Encoding>) -> Option<Decoded> {
    let encoding = if let Some((marked, _)) = Encoding::for_bom(bytes) {
        marked
    } else if bytes.contains(&0)
        && let Some(wide) = utf16_without_mark(bytes)
    {
        // Latin text in UTF-16 is well-formed UTF-8 with a NUL after every letter.
        wide
    } else if std::str::from_utf8(bytes).is_ok() || spoilt_utf8(bytes) {
        UTF_8
    } else {
        utf16_without_mark(bytes).or(stated.filter(|e| *e != UTF_8)).unwrap_or_else(|| eight_bit(bytes))
    };
    let (text, _, wrong) = encoding.decode(bytes);
    let control = |c: &char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    let letters = text.chars().count();
    let rubbish = text.chars().filter(control).count();
    let bad = if wrong { text.matches('\u{fffd}').count() } else { 0 };
    if rubbish * 100 > letters || bad > 3 + letters / SPOILT {
        return None;
    }
    let warning = (bad > 0).then(|| {
        format!("{bad} {} not {} and left out", if bad == 1 { "place was" } else { "places were" }, encoding.name())
    });
    Some(Decoded { text: text.into_owned(), warning })
}

/// UTF-8 with a few bad bytes: most of what is not ASCII is well-formed.
fn spoilt_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= 4 * bad
}

/// CP949 if the bytes above ASCII come in pairs as Hangul, Hanja and signs of KS X 1001 do; else Windows-1252.
fn eight_bit(bytes: &[u8]) -> &'static Encoding {
    let (mut paired, mut high, mut at) = (0usize, 0usize, 0);
    while at < bytes.len() {
        if bytes[at] < 0x80 {
            at += 1;
            continue;
        }
        if (0xA1..=0xFE).contains(&bytes[at]) && bytes.get(at + 1).is_some_and(|b| (0xA1..=0xFE).contains(b)) {
            (paired, high, at) = (paired + 2, high + 2, at + 2);
        } else {
            (high, at) = (high + 1, at + 1);
        }
    }
    if paired * 5 >= high * 4 || high * 3 > bytes.len() { EUC_KR } else { WINDOWS_1252 }
}

/// UTF-16 of Latin text has a zero in every other byte; of Korean, a Hangul lead byte, and a zero beside each blank and line end.
/// Hangul in CP949 has such lead bytes too, and no zero: what is well-formed there without any is not UTF-16.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    if bytes.len() < 4 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    if !bytes.contains(&0) && EUC_KR.decode_without_bom_handling_and_without_replacement(bytes).is_some() {
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
    let markdown = extension == "md" || extension == "markdown";
    if looks_like_html(&lower, markdown) {
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
    if !markdown && extension != "txt" && super::records::delimiter(start).is_some() {
        return Format::Csv;
    }
    if extension == "csv" || extension == "tsv" {
        return Format::Csv;
    }
    let marked = start.lines().take(200).filter(|l| is_markdown(l)).count();
    if markdown || marked >= 1 { Format::Markdown } else { Format::Text }
}

/// Markdown often begins with elements of HTML; a page that is named so begins as a page.
fn looks_like_html(lower: &str, markdown: bool) -> bool {
    ["<!doctype html", "<html", "<body"].iter().any(|start| lower.starts_with(start))
        || (!markdown
            && lower.starts_with('<')
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
            assert_eq!(decode(bytes), Some(Decoded { text: text.into(), warning: None }));
        }
        assert_eq!(decode(&[0, 159, 146, 150, 0, 1]), None);
    }

    #[test]
    fn utf16_without_a_mark_is_told_from_utf8_and_cp949() {
        let read = |bytes: &[u8]| decode(bytes).map(|d| d.text);
        let english = "Plain English, nothing more.\n";
        let little: Vec<u8> = english.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = english.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!([read(&little).as_deref(), read(&big).as_deref()], [Some(english); 2]);
        let korean = "전고체전지의이온전도도를측정하였다\r\n";
        assert_eq!(read(&EUC_KR.encode(korean).0).as_deref(), Some(korean));
        let little: Vec<u8> = korean.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&little).as_deref(), Some(korean));
        assert_eq!(read(b"\x7fELF\x01\x01\x00\x00\x02\x00\x3e\x00\x9c\x10\x00\x00"), None, "no text");
    }

    #[test]
    fn markdown_may_begin_with_elements() {
        let readme = "<p align=\"center\"><div>Logo</div></p>\n\n# Cells\n\nText.\n";
        assert_eq!(kind(readme, "README.md"), Format::Markdown);
        assert_eq!(kind(readme, "readme.html"), Format::Html);
        assert_eq!(kind("<!DOCTYPE html><html><body>x</body></html>", "page.md"), Format::Html);
    }

    #[test]
    fn a_spoilt_text_is_read_and_what_is_missing_is_said() {
        let mut bytes = "전고체 전지의 이온전도도를 측정하였다. ".repeat(5).into_bytes();
        bytes.insert(29, 0xFF);
        let decoded = decode(&bytes).unwrap();
        assert!(decoded.text.contains("이온전도도를 측정하였다."), "{decoded:?}");
        assert_eq!(decoded.warning.as_deref(), Some("1 place was not UTF-8 and left out"));
    }

    #[test]
    fn western_accents_are_not_taken_for_korean() {
        let (bytes, _, _) = WINDOWS_1252.encode("The café’s naïve “Äther” costs 20 €, says Müller.\n");
        assert_eq!(decode(&bytes).unwrap().text, "The café’s naïve “Äther” costs 20 €, says Müller.\n");
    }

    #[test]
    fn a_page_says_its_encoding() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS
            .encode("<html><head><meta charset=\"shift_jis\"></head><body>電池の研究</body></html>");
        assert!(decode_html(&bytes).unwrap().text.contains("電池の研究"));
    }
}
