//! Bytes of one file -> its parts, one file a format family. Runs inside the worker process.
//!
//! The format is decided by content ([`recognise`]); a file's name only breaks ties between kinds of text.

mod docx;
mod html_style;
mod html_table;
mod hwp;
mod hwp5;
mod hwpx;
mod notes;
mod odf;
mod office;
mod omml;
mod package;
mod pdf;
mod pdf_cmap;
mod records;
mod symbol;
mod text;
mod web;
mod workbook;
mod xlsx;

use sha2::{Digest, Sha256};

use super::{Extracted, Part, ReadError, RecordMapping};
use crate::document::{Format, Metadata, UnitKind};
use crate::text::spaced;

/// Ranges of pages named in one warning.
const RANGES: usize = 20;

/// What a reader is given.
pub(super) struct Input<'a> {
    /// The file.
    pub(super) bytes: &'a [u8],
    /// Its name, for ties.
    pub(super) name: &'a str,
    /// Record fields.
    pub(super) mapping: &'a RecordMapping,
}

/// Reads a file: one document, or one a record.
pub(super) fn read(input: &Input<'_>) -> Result<Vec<Extracted>, ReadError> {
    if input.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty);
    }
    let format = recognise(input.bytes, input.name)?;
    let mut documents = by_format(input, format)?;
    let spoilt = matches!(format, Format::Markdown | Format::Text | Format::Csv | Format::Json | Format::Jsonl)
        .then(|| text::decode(input.bytes).and_then(|d| d.warning))
        .flatten();
    if let (Some(first), Some(warning)) = (documents.first_mut(), spoilt) {
        first.warnings.push(warning);
    }
    Ok(documents)
}

fn by_format(input: &Input<'_>, format: Format) -> Result<Vec<Extracted>, ReadError> {
    match format {
        Format::Pdf => pdf::read(input).map(one),
        Format::Xlsx | Format::Xls => workbook::read(input, format),
        Format::Docx | Format::Pptx | Format::Doc | Format::Ppt => office::read(input, format).map(one),
        Format::Hwp | Format::Hwpx => hwp::read(input, format).map(one),
        Format::Odf => odf::read(input).map(one),
        Format::Html => web::read(input).map(one),
        Format::Markdown | Format::Text => text::read(input, format).map(one),
        Format::Csv => records::read_csv(input),
        Format::Json => records::read_json(input),
        Format::Jsonl => records::read_jsonl(input),
    }
}

fn one(document: Extracted) -> Vec<Extracted> {
    vec![document]
}

/// A whole file as one document.
fn document(
    input: &Input<'_>,
    format: Format,
    title: Option<String>,
    parts: Vec<Part>,
) -> Result<Extracted, ReadError> {
    if parts.iter().all(|p| p.markdown.trim().is_empty()) {
        return Err(ReadError::NoText(format!("{} {}", parts.len(), if parts.len() == 1 { "part" } else { "parts" })));
    }
    Ok(Extracted {
        format,
        title: title.map(|t| spaced(&t)).filter(|t| !t.is_empty()),
        record: None,
        sha256: sha256(input.bytes),
        metadata: Metadata::default(),
        parts,
        warnings: Vec::new(),
    })
}

fn body(markdown: String) -> Vec<Part> {
    vec![Part { kind: UnitKind::Body, number: 1, label: None, markdown }]
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A parser's words in one line of at most 200 characters.
pub(super) fn one_line(words: &str) -> String {
    let line = spaced(words);
    if line.chars().count() <= 200 { line } else { line.chars().take(199).chain(['…']).collect() }
}

/// Ascending numbers of pages or slides in few words: `3, 7-25`.
fn numbers(ascending: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in ascending {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let one = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let shown: Vec<String> = ranges.iter().take(RANGES).map(one).collect();
    match ranges.len().saturating_sub(RANGES) {
        0 => shown.join(", "),
        _ => format!("{} and others up to {}", shown.join(", "), ranges.last().map_or(0, |(_, last)| *last)),
    }
}

fn damaged(format: &str, what: impl std::fmt::Display) -> ReadError {
    ReadError::Damaged { format: format.into(), what: one_line(&what.to_string()) }
}

/// The format of a file by its content.
pub(super) fn recognise(bytes: &[u8], name: &str) -> Result<Format, ReadError> {
    // Some producers put a few bytes before `%PDF-`; readers accept it within the first kilobyte.
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|w| w == b"%PDF-") {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return container(bytes);
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
        return compound(bytes);
    }
    // Formats that would pass for text or for rubbish, and how to turn them into one that is read.
    for (mark, name) in [
        (&b"{\\rtf"[..], "RTF; save it as DOCX"),
        (&b"%!PS"[..], "PostScript; convert it to PDF"),
        (&b"HWP Document File V"[..], "HWP 3; save it as HWP 5 or HWPX"),
    ] {
        if bytes.starts_with(mark) {
            return Err(ReadError::UnknownFormat(name.into()));
        }
    }
    match text::decode(bytes) {
        Some(decoded) => Ok(text::kind(&decoded.text, name)),
        None => Err(ReadError::UnknownFormat(describe(head))),
    }
}

/// Which of the ZIP-based formats.
fn container(bytes: &[u8]) -> Result<Format, ReadError> {
    let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|e| damaged("ZIP", e))?;
    let has = |prefix: &str| archive.file_names().flatten().any(|n| n.starts_with(prefix));
    if has("word/") {
        Ok(Format::Docx)
    } else if has("ppt/") {
        Ok(Format::Pptx)
    } else if has("xl/") {
        Ok(Format::Xlsx)
    } else if has("Contents/section") || has("Contents/header.xml") || has("Contents/content.hpf") {
        Ok(Format::Hwpx)
    } else if has("content.xml") {
        Ok(Format::Odf)
    } else {
        Err(ReadError::UnknownFormat("a ZIP archive without a document; unpack it first".into()))
    }
}

/// Which of the OLE2 formats, by the UTF-16 names in its directory.
fn compound(bytes: &[u8]) -> Result<Format, ReadError> {
    let utf16 = |name: &str| name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let has = |name: &str| {
        let name = utf16(name);
        bytes.windows(name.len()).any(|w| w == name)
    };
    if has("EncryptedPackage") {
        Err(ReadError::Encrypted)
    } else if has("FileHeader") {
        Ok(Format::Hwp)
    } else if has("WordDocument") {
        Ok(Format::Doc)
    } else if has("PowerPoint Document") {
        Ok(Format::Ppt)
    } else if has("Workbook") || has("Book") {
        Ok(Format::Xls)
    } else {
        Err(ReadError::UnknownFormat("an OLE2 container without a known document".into()))
    }
}

fn describe(head: &[u8]) -> String {
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("binary, begins {}", hex.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_not_the_name() {
        let format = |bytes: &[u8], name: &str| recognise(bytes, name).unwrap();
        assert_eq!(format(b"%PDF-1.7\n", "a.txt"), Format::Pdf);
        assert_eq!(format(b"<!DOCTYPE html><html><body>x</body></html>", "a.pdf"), Format::Html);
        assert_eq!(format(b"{\"a\": 1}\n{\"a\": 2}\n", "a.txt"), Format::Jsonl);
        assert_eq!(format(b"[{\"a\": 1}]", "a.txt"), Format::Json);
        assert_eq!(format(b"a,b,c\n1,2,3\n4,5,6\n", "data"), Format::Csv);
        assert_eq!(format(b"# Title\n\nText with **bold** words.\n", "a"), Format::Markdown);
        assert_eq!(format(b"Plain words, nothing more.\nA second line, too.\n", "a.dat"), Format::Text);
    }

    #[test]
    fn numbers_are_told_in_ranges() {
        assert_eq!(numbers(&[3, 7, 8, 9, 25]), "3, 7-9, 25");
        let odd: Vec<u32> = (0..30).map(|i| 2 * i + 1).collect();
        assert!(numbers(&odd).ends_with("37, 39 and others up to 59"), "{}", numbers(&odd));
    }

    #[test]
    fn rubbish_and_foreign_containers_are_named() {
        let error = recognise(&[0, 1, 2, 3, 255, 254, 0, 0, 7], "a.txt").unwrap_err().to_string();
        assert!(error.contains("00 01 02 03"), "{error}");
        let error = recognise(b"{\\rtf1\\ansi text}", "a.doc").unwrap_err().to_string();
        assert!(error.contains("save it as DOCX"), "{error}");
        assert!(matches!(recognise(b"PK\x03\x04broken", "a.docx"), Err(ReadError::Damaged { .. })));
        assert_eq!(
            read(&Input { bytes: b" \n", name: "a", mapping: &RecordMapping::default() }),
            Err(ReadError::Empty)
        );
    }
}
