//! HWP 5 files before unhwp sees them: the bodies of documents for distribution (배포용 문서) are unscrambled,
//! ruby and composed characters become text where they stand.
//!
//! Source: Hancom, "한글 문서 파일 형식 5.0" and "배포용 문서 구조", revision 1.2. A document for distribution
//! keeps its sections in `ViewText`, AES-128-ECB encrypted under a key that the stream itself carries.

use std::io::{Cursor, Read, Write};

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use cfb::CompoundFile;

use super::{damaged, package};
use crate::ingest::ReadError;

const COMPRESSED: u32 = 1;
/// A password, DRM, encryption with a certificate, DRM with a certificate.
const ENCRYPTED: u32 = 1 << 1 | 1 << 4 | 1 << 8 | 1 << 10;
const DISTRIBUTION: u32 = 1 << 2;
/// Offset of the flags in the stream `FileHeader`.
const FLAGS: usize = 36;
/// Record tags.
const DISTRIBUTE_DOC_DATA: u32 = 28;
const PARA_TEXT: u32 = 67;
const CTRL_HEADER: u32 = 71;
/// Length of the record with the key.
const KEY_DATA: usize = 256;
/// Sections looked for.
const SECTIONS: usize = 4096;

type File = CompoundFile<Cursor<Vec<u8>>>;

/// The file with sections as unhwp reads them; `None` when they can stay as they are.
pub(super) fn rewrite(bytes: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let mut file = CompoundFile::open(Cursor::new(bytes.to_vec())).map_err(|e| damaged("HWP", e))?;
    let mut header = stream(&mut file, "FileHeader")?;
    let flags = header.get(FLAGS..FLAGS + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    if flags & ENCRYPTED != 0 {
        return Err(ReadError::Encrypted);
    }
    let scrambled = flags & DISTRIBUTION != 0;
    let folder = if scrambled { "ViewText" } else { "BodyText" };
    let mut total = 0;
    let mut sections: Vec<(String, Vec<u8>)> = Vec::new();
    for number in 0..SECTIONS {
        let name = format!("{folder}/Section{number}");
        if !file.is_stream(&name) {
            break;
        }
        // A stream that the container does not deliver would end the parser's list of sections without a word.
        let data = match unpacked(stream(&mut file, &name)?, &name, flags) {
            Ok(data) => data,
            // The parser leaves out what it cannot unpack and says so; in place of a scrambled section it would read a notice
            // that stands there for older programs.
            Err(_) if !scrambled => continue,
            Err(error) => return Err(error),
        };
        total += data.len() as u64;
        if total > package::LIMIT {
            return Err(ReadError::Limit(format!("{} MiB unpacked", package::LIMIT >> 20)));
        }
        if let Some(data) = with_ruby(&data).or_else(|| scrambled.then_some(data)) {
            sections.push((format!("BodyText/Section{number}"), data));
        }
    }
    if sections.is_empty() {
        return Ok(None);
    }
    let failed = |e: std::io::Error| damaged("HWP", e);
    if !file.is_storage("BodyText") {
        file.create_storage("BodyText").map_err(failed)?;
    }
    for (name, data) in sections {
        let data = if flags & COMPRESSED != 0 { deflated(&data).map_err(failed)? } else { data };
        file.create_stream(&name).map_err(failed)?.write_all(&data).map_err(failed)?;
    }
    if scrambled {
        header[FLAGS..FLAGS + 4].copy_from_slice(&(flags & !DISTRIBUTION).to_le_bytes());
        file.create_stream("FileHeader").map_err(failed)?.write_all(&header).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    Ok(Some(file.into_inner().into_inner()))
}

/// The text that Hangul keeps for file listings: the first page or so.
pub(super) fn preview(bytes: &[u8]) -> Option<String> {
    let mut file = CompoundFile::open(Cursor::new(bytes.to_vec())).ok()?;
    let data = stream(&mut file, "PrvText").ok()?;
    let units: Vec<u16> = data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    // Table cells stand in angle brackets.
    let text = String::from_utf16_lossy(&units).replace("><", " | ").replace(['<', '>', '\0'], " ");
    text.chars().any(char::is_alphanumeric).then_some(text)
}

/// The records of a section, without scrambling and compression.
fn unpacked(mut data: Vec<u8>, name: &str, flags: u32) -> Result<Vec<u8>, ReadError> {
    if flags & DISTRIBUTION != 0 {
        data = unscrambled(&data).ok_or_else(|| damaged("HWP", format!("{name}: no key for distribution")))?;
    }
    if flags & COMPRESSED != 0 {
        data = inflated(&data).map_err(|e| damaged("HWP", format!("{name}: {e}")))?;
    }
    Ok(data)
}

fn stream(file: &mut File, name: &str) -> Result<Vec<u8>, ReadError> {
    let mut data = Vec::new();
    let stream = file.open_stream(name).map_err(|e| damaged("HWP", format!("{name}: {e}")))?;
    stream.take(package::LIMIT).read_to_end(&mut data).map_err(|e| damaged("HWP", format!("{name}: {e}")))?;
    Ok(data)
}

fn inflated(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::DeflateDecoder::new(data).take(package::LIMIT + 1).read_to_end(&mut out)?;
    Ok(out)
}

fn deflated(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data)?;
    encoder.finish()
}

/// Removes the scrambling of a `ViewText` stream: its first record holds the key, hidden under the
/// output of the C library's `rand` seeded with the record's first four bytes.
fn unscrambled(data: &[u8]) -> Option<Vec<u8>> {
    let head = u32::from_le_bytes(data.get(..4)?.try_into().ok()?);
    if head & 0x3ff != DISTRIBUTE_DOC_DATA || (head >> 20) as usize != KEY_DATA {
        return None;
    }
    let mut hidden: [u8; KEY_DATA] = data.get(4..4 + KEY_DATA)?.try_into().ok()?;
    let seed = u32::from_le_bytes(hidden[..4].try_into().ok()?);
    let mut state = seed;
    let mut rand = || {
        state = state.wrapping_mul(214_013).wrapping_add(2_531_011);
        (state >> 16) & 0x7fff
    };
    let (mut mask, mut left) = (0, 0);
    for (i, byte) in hidden.iter_mut().enumerate() {
        if left == 0 {
            mask = (rand() & 0xff) as u8;
            left = (rand() & 0xf) + 1;
        }
        if i >= 4 {
            *byte ^= mask;
        }
        left -= 1;
    }
    let at = 4 + (seed & 0xf) as usize;
    let key: [u8; 16] = hidden[at..at + 16].try_into().ok()?;
    let cipher = Aes128::new(&key.into());
    let mut body = data[4 + KEY_DATA..].to_vec();
    body.truncate(body.len() / 16 * 16);
    for block in body.chunks_exact_mut(16) {
        let block: &mut [u8; 16] = block.try_into().ok()?;
        cipher.decrypt_block(block.into());
    }
    Some(body)
}

/// One record of a section.
struct Record<'a> {
    tag: u32,
    level: u32,
    data: &'a [u8],
}

fn records(mut data: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut out = Vec::new();
    while data.len() >= 4 {
        let head = u32::from_le_bytes(data[..4].try_into().ok()?);
        let (mut at, mut size) = (4usize, (head >> 20) as usize);
        if size == 0xfff {
            size = u32::from_le_bytes(data.get(4..8)?.try_into().ok()?) as usize;
            at = 8;
        }
        let body = data.get(at..at.checked_add(size)?)?;
        out.push(Record { tag: head & 0x3ff, level: head >> 10 & 0x3ff, data: body });
        data = &data[at + size..];
    }
    Some(out)
}

fn write(record: &Record<'_>, data: &[u8], out: &mut Vec<u8>) {
    let short = data.len() < 0xfff;
    let size = if short { data.len() as u32 } else { 0xfff };
    out.extend((record.tag | record.level << 10 | size << 20).to_le_bytes());
    if !short {
        out.extend((data.len() as u32).to_le_bytes());
    }
    out.extend(data);
}

/// The section with the text of ruby and composed characters in place of their controls; `None` without any.
fn with_ruby(section: &[u8]) -> Option<Vec<u8>> {
    let records = records(section)?;
    let spoken = |r: &Record<'_>| r.tag == CTRL_HEADER && control_text(r.data).is_some();
    if !records.iter().any(spoken) {
        return None;
    }
    let mut out = Vec::with_capacity(section.len());
    for (i, record) in records.iter().enumerate() {
        if record.tag != PARA_TEXT {
            write(record, record.data, &mut out);
            continue;
        }
        // The controls of a paragraph follow it one level below the header, in the order of their marks.
        let mut texts = records[i + 1..]
            .iter()
            .take_while(|r| r.level >= record.level)
            .filter(|r| r.level == record.level && spoken(r))
            .filter_map(|r| control_text(r.data));
        let mut data = Vec::with_capacity(record.data.len());
        let mut at = 0;
        while let Some(unit) = record.data.get(at..at + 2) {
            let code = u16::from_le_bytes([unit[0], unit[1]]);
            let length = if code < 32 && !matches!(code, 0 | 10 | 13 | 24..=31) { 16 } else { 2 };
            let whole = record.data.get(at..at + length).unwrap_or(&record.data[at..]);
            match (code == 23).then(|| texts.next()).flatten() {
                Some(text) => data.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
                None => data.extend(whole),
            }
            at += length;
        }
        write(record, &data, &mut out);
    }
    Some(out)
}

/// What a control shows as text: ruby as `word(gloss)`, or the characters that are set in one place.
fn control_text(data: &[u8]) -> Option<String> {
    let string = |at: usize| -> Option<(String, usize)> {
        let length = u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?) as usize;
        let units: Vec<u16> =
            data.get(at + 2..at + 2 + 2 * length)?.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        Some((String::from_utf16_lossy(&units), at + 2 + 2 * length))
    };
    let (text, end) = string(4)?;
    if text.trim().is_empty() {
        return None;
    }
    // Names of controls are stored back to front.
    match data.get(..4)? {
        b"tudt" => {
            let gloss = string(end).map(|(t, _)| t).filter(|t| !t.trim().is_empty());
            Some(gloss.map_or(text.clone(), |g| format!("{text}({g})")))
        }
        b"spct" => Some(text),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use aes::cipher::BlockCipherEncrypt;

    use super::*;

    fn record(tag: u32, level: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&Record { tag, level, data: &[] }, data, &mut out);
        out
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A section of one paragraph a text.
    fn section(texts: &[&str]) -> Vec<u8> {
        texts
            .iter()
            .flat_map(|t| [record(66, 0, &[0; 22]), record(PARA_TEXT, 1, &utf16(&format!("{t}\r")))].concat())
            .collect()
    }

    /// Scrambles as Hangul does: the way of [`unscrambled`] back.
    fn scrambled(body: &[u8], seed: u32) -> Vec<u8> {
        let key = *b"sixteen byte key";
        let mut hidden = [0u8; KEY_DATA];
        let at = 4 + (seed & 0xf) as usize;
        hidden[at..at + 16].copy_from_slice(&key);
        let mut state = seed;
        let mut rand = || {
            state = state.wrapping_mul(214_013).wrapping_add(2_531_011);
            (state >> 16) & 0x7fff
        };
        let (mut mask, mut left) = (0, 0);
        for (i, byte) in hidden.iter_mut().enumerate() {
            if left == 0 {
                mask = (rand() & 0xff) as u8;
                left = (rand() & 0xf) + 1;
            }
            if i >= 4 {
                *byte ^= mask;
            }
            left -= 1;
        }
        hidden[..4].copy_from_slice(&seed.to_le_bytes());
        let cipher = Aes128::new(&key.into());
        let mut body = body.to_vec();
        body.resize(body.len().div_ceil(16) * 16, 0);
        for block in body.chunks_exact_mut(16) {
            let block: &mut [u8; 16] = block.try_into().unwrap();
            cipher.encrypt_block(block.into());
        }
        [record(DISTRIBUTE_DOC_DATA, 0, &hidden), body].concat()
    }

    /// An HWP file with the given flags, streams beside the usual ones.
    pub(crate) fn hwp(flags: u32, streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let mut header = b"HWP Document File".to_vec();
        header.resize(256, 0);
        header[32..36].copy_from_slice(&[0, 0, 0, 5]);
        header[FLAGS..FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
        for folder in ["BodyText", "ViewText"] {
            file.create_storage(folder).unwrap();
        }
        let usual = [("FileHeader", header), ("DocInfo", Vec::new())];
        for (name, data) in usual.iter().map(|(n, d)| (*n, d)).chain(streams.iter().map(|(n, d)| (*n, d))) {
            let data =
                if flags & COMPRESSED != 0 && name == "DocInfo" { deflated(data).unwrap() } else { data.clone() };
            file.create_stream(name).unwrap().write_all(&data).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn read(bytes: &[u8]) -> Result<crate::ingest::Extracted, ReadError> {
        let mapping = crate::ingest::RecordMapping::default();
        let input = super::super::Input { bytes, name: "a.hwp", mapping: &mapping };
        super::super::read(&input).map(|mut all| all.remove(0))
    }

    #[test]
    fn a_document_for_distribution_is_read_whole() {
        for seed in [0x1234_5678, 0xffff_ffff, 7] {
            let view = scrambled(&deflated(&section(&["배포용 문서의 본문", "둘째 문단"])).unwrap(), seed);
            let body = deflated(&section(&["상위 버전의 배포용 문서입니다"])).unwrap();
            let file = hwp(COMPRESSED | DISTRIBUTION, &[("ViewText/Section0", view), ("BodyText/Section0", body)]);
            let text = read(&file).unwrap().parts.remove(0).markdown;
            assert!(text.contains("배포용 문서의 본문") && text.contains("둘째 문단"), "{text}");
            assert!(!text.contains("상위 버전"), "{text}");
        }
    }

    #[test]
    fn ruby_and_composed_characters_are_text() {
        let ruby = [b"tudt".to_vec(), vec![2, 0], utf16("電池"), vec![2, 0], utf16("전지"), vec![0; 8]].concat();
        let mark = [vec![23, 0], b"tudt".to_vec(), vec![0; 8], vec![23, 0]].concat();
        let text = [utf16("새 "), mark, utf16(" 소재\r")].concat();
        let body = [record(66, 0, &[0; 22]), record(PARA_TEXT, 1, &text), record(CTRL_HEADER, 1, &ruby)].concat();
        let found = read(&hwp(0, &[("BodyText/Section0", body)])).unwrap().parts.remove(0).markdown;
        assert!(found.contains("새 電池(전지) 소재"), "{found}");
    }

    #[test]
    fn encryption_of_every_kind_is_said_and_a_damaged_key_too() {
        for flag in [1, 4, 8, 10] {
            let file = hwp(COMPRESSED | 1 << flag, &[("BodyText/Section0", vec![1; 64])]);
            assert_eq!(read(&file), Err(ReadError::Encrypted), "flag {flag}");
        }
        let error = read(&hwp(DISTRIBUTION, &[("ViewText/Section0", vec![1; 64])])).unwrap_err();
        assert!(error.to_string().contains("ViewText/Section0"), "{error}");
    }

    #[test]
    fn a_damaged_section_costs_no_other() {
        let good = deflated(&section(&["첫 구역의 본문"])).unwrap();
        let bad = vec![0xff; 64];
        let file = hwp(COMPRESSED, &[("BodyText/Section0", good), ("BodyText/Section1", bad.clone())]);
        let found = read(&file).unwrap();
        assert!(found.parts[0].markdown.contains("첫 구역의 본문"), "{:?}", found.parts);
        assert!(found.warnings[0].starts_with("section 2 is damaged"), "{:?}", found.warnings);

        let error = read(&hwp(COMPRESSED, &[("BodyText/Section0", bad)])).unwrap_err().to_string();
        assert!(error.starts_with("damaged HWP file: section 1"), "{error}");
    }

    #[test]
    fn the_preview_stands_in_where_the_body_gives_nothing_and_says_so() {
        let file = hwp(0, &[("BodyText/Section0", section(&[""])), ("PrvText", utf16("<연구 개요><전고체>"))]);
        let read = read(&file).unwrap();
        assert!(read.parts[0].markdown.contains("연구 개요 | 전고체"), "{:?}", read.parts);
        assert!(read.warnings[0].contains("preview"), "{:?}", read.warnings);
    }
}
