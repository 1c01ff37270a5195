//! Maps from glyphs to characters (ToUnicode CMaps) of a PDF, before unpdf sees them: it drops an entry whose
//! hex string holds a blank, as in `<00bf><0066 0069>`, and so the ligatures fi, fl and ff of many typeset files.
//!
//! Offsets must stay, so a corrected map is written over the old one, which is never shorter.

use std::io::{Read, Write};

/// Longest stream that is looked at, packed and unpacked: maps are small.
const PACKED: usize = 256 << 10;
const UNPACKED: u64 = 2 << 20;
/// Bytes before `stream` in which its dictionary is looked for.
const DICTIONARY: usize = 400;

/// The file with such maps corrected; `None` when there are none.
pub(super) fn corrected(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], b"stream") {
        let word = at + found;
        at = word + 6;
        if bytes[..word].ends_with(b"end") {
            continue;
        }
        let start = at + bytes[at..].iter().take(2).take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let Some(length) = find(&bytes[start..bytes.len().min(start + PACKED)], b"endstream") else { continue };
        let dictionary = &bytes[word.saturating_sub(DICTIONARY)..word];
        let dictionary = &dictionary[dictionary.windows(3).rposition(|w| w == b"obj").unwrap_or(0)..];
        let packed = &bytes[start..start + length];
        at = start + length;
        // Fonts, pictures and pages have these; maps do not.
        if [&b"/Subtype"[..], b"/Length1", b"/DecodeParms"].iter().any(|key| find(dictionary, key).is_some()) {
            continue;
        }
        let flate = find(dictionary, b"/FlateDecode").is_some();
        if let Some(new) = replacement(packed, flate) {
            out.get_or_insert_with(|| bytes.to_vec())[start..start + length].copy_from_slice(&new);
        }
    }
    out
}

/// The stream's new bytes, as many as the old ones.
fn replacement(packed: &[u8], flate: bool) -> Option<Vec<u8>> {
    let map = if flate {
        let mut map = Vec::new();
        flate2::read::ZlibDecoder::new(packed).take(UNPACKED).read_to_end(&mut map).ok()?;
        map
    } else {
        packed.to_vec()
    };
    find(&map, b"beginbf")?;
    let new = without_blanks(&map)?;
    // What stands before and after the entries is the same in every map, and nobody reads it.
    let from = find(&new, b"begincodespacerange").unwrap_or(0);
    let whole = if flate { deflated(&new)? } else { new.clone() };
    let mut new = if whole.len() <= packed.len() {
        whole
    } else {
        let short = [b"begincmap 1 ", &new[from..]].concat();
        if flate { deflated(&short)? } else { short }
    };
    if new.len() > packed.len() {
        return None;
    }
    new.resize(packed.len(), b'\n');
    Some(new)
}

/// The map without blanks inside hex strings; `None` when there are none.
fn without_blanks(map: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(map.len());
    let mut rest = map;
    while let Some(open) = rest.iter().position(|b| *b == b'<') {
        out.extend(&rest[..=open]);
        rest = &rest[open + 1..];
        let end = rest.iter().position(|b| *b == b'>').unwrap_or(0);
        // A dictionary `<< … >>` is no hex string.
        if rest[..end].iter().all(|b| b.is_ascii_hexdigit() || b.is_ascii_whitespace()) {
            out.extend(rest[..end].iter().filter(|b| b.is_ascii_hexdigit()));
            rest = &rest[end..];
        }
    }
    out.extend(rest);
    (out.len() < map.len()).then_some(out)
}

fn deflated(data: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).ok()?;
    encoder.finish().ok()
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut at = 0;
    loop {
        at += bytes[at..].iter().position(|b| *b == first)?;
        if bytes[at..].starts_with(word) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CIDSystemInfo << /Registry (Adobe) >> def\n\
        1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar\n<00bf><0066 0069>\nendbfchar endcmap end end";

    fn file(dictionary: &str, stream: &[u8]) -> Vec<u8> {
        let head = format!("%PDF-1.4\n5 0 obj\n<<{dictionary} /Length {}>>\nstream\n", stream.len());
        [head.as_bytes(), stream, b"\nendstream\nendobj\n"].concat()
    }

    fn map_in(file: &[u8], flate: bool) -> String {
        let start = find(file, b"stream\n").unwrap() + 7;
        if !flate {
            return String::from_utf8_lossy(&file[start..]).into_owned();
        }
        let mut text = String::new();
        flate2::read::ZlibDecoder::new(&file[start..]).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn ligatures_are_mapped_and_no_offset_moves() {
        let packed = deflated(MAP.as_bytes()).unwrap();
        for (file, flate) in [(file("/Filter/FlateDecode", &packed), true), (file("", MAP.as_bytes()), false)] {
            let corrected = corrected(&file).unwrap();
            assert_eq!(corrected.len(), file.len());
            assert!(corrected.ends_with(b"endstream\nendobj\n"));
            let map = map_in(&corrected, flate);
            assert!(map.contains("<00bf><00660069>") && map.contains("<0000> <FFFF>"), "{map}");
        }
    }

    #[test]
    fn other_streams_and_maps_in_order_stay_as_they_are() {
        assert_eq!(corrected(&file("", MAP.replace("0066 0069", "00660069").as_bytes())), None);
        assert_eq!(corrected(&file("/Subtype/Image", MAP.as_bytes())), None);
        assert_eq!(corrected(&file("", b"BT <00 41> Tj ET")), None, "the text of a page is no map");
        assert_eq!(corrected(b"%PDF-1.4 stream without an end"), None);
    }
}
