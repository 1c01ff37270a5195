//! Parts of a ZIP package (DOCX, PPTX, XLSX, HWPX, ODF): unpacked within a limit, and rewritten before a parser reads them.
//!
//! The parsers drop some text (equations, line breaks, shapes) and show some otherwise than the program it was written in.
//! Rather than a second parser for the whole format, such text is first moved to where the parser looks: one pass over the
//! XML events.

use std::collections::HashMap;
use std::io::{Cursor, Read, Write};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::write::SimpleFileOptions;

use super::damaged;
use crate::ingest::ReadError;

/// Most bytes that the XML of one package may unpack to.
pub(super) const LIMIT: u64 = 256 << 20;

pub(super) type Archive<'a> = zip::ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn open<'a>(bytes: &'a [u8], format: &str) -> Result<Archive<'a>, ReadError> {
    zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(format, e))
}

/// One part as text; `None` when there is none of that name or it is not UTF-8.
pub(super) fn part(archive: &mut Archive<'_>, name: &str, format: &str) -> Result<Option<String>, ReadError> {
    let file = match archive.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(e) => return Err(damaged(format, e)),
    };
    if file.encrypted() {
        return Err(ReadError::Encrypted);
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| damaged(format, e))?;
    if bytes.len() as u64 > LIMIT {
        return Err(ReadError::Limit(format!("{} MiB unpacked", LIMIT >> 20)));
    }
    Ok(String::from_utf8(bytes).ok().map(|text| text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

/// The package with every part that `wanted` names replaced by what `rewritten` makes of its name and text.
///
/// `None` when nothing changed. A part that is not well-formed is left for the parser to judge.
pub(super) fn rewrite(
    bytes: &[u8],
    format: &str,
    wanted: impl Fn(&str) -> bool,
    mut rewritten: impl FnMut(&str, &str) -> Option<String>,
) -> Result<Option<Vec<u8>>, ReadError> {
    let mut archive = open(bytes, format)?;
    let names: Vec<String> = archive.file_names().flatten().filter(|n| wanted(n)).map(|n| n.into_owned()).collect();
    let mut changed: Vec<(String, String)> = Vec::new();
    let mut total = 0;
    for name in names {
        let Some(xml) = part(&mut archive, &name, format)? else { continue };
        total += xml.len() as u64;
        if total > LIMIT {
            return Err(ReadError::Limit(format!("{} MiB unpacked", LIMIT >> 20)));
        }
        if let Some(new) = rewritten(&name, &xml).filter(|new| *new != xml) {
            changed.push((name, new));
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |e: zip::result::ZipError| damaged(format, e);
    for i in 0..archive.len() {
        let file = archive.by_index_raw(i).map_err(failed)?;
        let name = file.name().map_err(failed)?.into_owned();
        match changed.iter().find(|(n, _)| *n == name) {
            Some((_, xml)) => {
                let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
                writer.start_file(name, stored).map_err(failed)?;
                writer.write_all(xml.as_bytes()).map_err(|e| damaged(format, e))?;
            }
            None => writer.raw_copy_file(file).map_err(failed)?,
        }
    }
    Ok(Some(writer.finish().map_err(failed)?.into_inner()))
}

/// What one part of an Office package points at.
pub(super) struct Relation {
    pub(super) kind: String,
    /// Name of the other part.
    pub(super) target: String,
}

/// What the part `name` points at, by relationship id.
pub(super) fn relations(
    archive: &mut Archive<'_>,
    name: &str,
    format: &str,
) -> Result<HashMap<String, Relation>, ReadError> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut found = HashMap::new();
    if let Some(xml) = part(archive, &format!("{folder}/_rels/{file}.rels"), format)? {
        events(&xml, |event| {
            if let Event::Start(e) | Event::Empty(e) = &event
                && let (Some(id), Some(kind), Some(target)) =
                    (attribute(e, "Id"), attribute(e, "Type"), attribute(e, "Target"))
            {
                found.insert(id, Relation { kind, target: resolved(folder, &target) });
            }
        })
        .map_err(|e| damaged(format, e))?;
    }
    Ok(found)
}

/// A target as a name in the package: relative to the folder of the part, or from the root.
fn resolved(folder: &str, target: &str) -> String {
    let from = if target.starts_with('/') { "" } else { folder };
    let mut path: Vec<&str> = Vec::new();
    for step in from.split('/').chain(target.split('/')).filter(|s| !s.is_empty() && *s != ".") {
        if step == ".." {
            path.pop();
        } else {
            path.push(step);
        }
    }
    path.join("/")
}

/// Walks the events of `xml`, up to where it is not well-formed.
pub(super) fn events(xml: &str, mut each: impl FnMut(Event<'_>)) -> Result<(), quick_xml::Error> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(()),
            event => each(event),
        }
    }
}

/// An attribute of the element that holds all others.
pub(super) fn root_attribute(xml: &str, name: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().ok()? {
            Event::Start(e) | Event::Empty(e) => return attribute(&e, name),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Writes an event as it stood.
pub(super) fn echo(event: &Event<'_>, out: &mut String) {
    let mut put = |before: &str, inner: &str, after: &str| {
        out.push_str(before);
        out.push_str(inner);
        out.push_str(after);
    };
    match event {
        Event::Start(e) => put("<", e, ">"),
        Event::Empty(e) => put("<", e, "/>"),
        Event::End(e) => put("</", e, ">"),
        Event::Text(e) => put("", e, ""),
        Event::CData(e) => put("<![CDATA[", e, "]]>"),
        Event::GeneralRef(e) => put("&", e, ";"),
        Event::Decl(e) => put("<?", e, "?>"),
        Event::Comment(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
    }
}

/// The characters of a text, CDATA or reference event.
pub(super) fn characters(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Text(e) => Some(e.xml_content(quick_xml::XmlVersion::Implicit1_0).into_owned()),
        Event::CData(e) => Some(e.xml_content(quick_xml::XmlVersion::Implicit1_0).into_owned()),
        Event::GeneralRef(e) => {
            let number = e.resolve_char_ref().ok().flatten().map(String::from);
            number.or_else(|| quick_xml::escape::resolve_predefined_entity(e).map(str::to_owned))
        }
        _ => None,
    }
}

/// The value of an attribute by its local name.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|a| a.key.local_name().as_ref() == name)?;
    let raw = found.value.into_owned();
    Some(quick_xml::escape::unescape(&raw).map(|v| v.into_owned()).unwrap_or(raw))
}

/// Whether an attribute that switches something is there and says so.
pub(super) fn is_on(element: &BytesStart<'_>, name: &str) -> bool {
    attribute(element, name).is_some_and(|v| matches!(v.as_str(), "1" | "true" | "on"))
}

/// Text made safe for XML.
pub(super) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// Packages made for tests.
#[cfg(test)]
pub(super) mod made {
    use std::io::Write;

    /// The content types of an Office package, which no reader here needs.
    pub(crate) const TYPES: &str = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>";

    pub(crate) fn zipped(files: &[(&str, String)]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// A part of relationships: id, kind and target of each.
    pub(crate) fn relations(list: &[(&str, &str, &str)]) -> String {
        let one = |(id, kind, target): &(&str, &str, &str)| {
            format!(
                "<Relationship Id=\"{id}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/>"
            )
        };
        let all: String = list.iter().map(one).collect();
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{all}</Relationships>"
        )
    }
}
