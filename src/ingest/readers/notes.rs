//! Speaker notes of a PPTX, attached to the slide that names them in its relationships.

use std::collections::HashMap;

use quick_xml::events::Event;

use super::damaged;
use super::package::{self, Archive};
use crate::ingest::{Part, ReadError};

/// Placeholders of a notes page that are not notes: the slide's picture, number, date, header, footer.
const OTHER: [&str; 5] = ["sldImg", "sldNum", "dt", "hdr", "ftr"];

/// Adds each slide's notes below its text. Parts and slides correspond by order, or nothing is added.
pub(super) fn attach(bytes: &[u8], parts: &mut [Part]) -> Result<(), ReadError> {
    let mut archive = package::open(bytes, "PPTX")?;
    let slides = slides(&mut archive)?;
    if slides.len() != parts.len() {
        return Ok(());
    }
    for (slide, part) in slides.iter().zip(parts) {
        let Some(page) = relations(&mut archive, slide)?.into_values().find(|r| r.kind.ends_with("/notesSlide")) else {
            continue;
        };
        if let Some(notes) = package::part(&mut archive, &page.target, "PPTX")?.and_then(|xml| notes(&xml))
            && !notes.is_empty()
        {
            part.markdown.push_str(&format!("\n\nNotes:\n\n{notes}\n"));
        }
    }
    Ok(())
}

struct Relation {
    kind: String,
    target: String,
}

/// Names of the slides' parts in the order of the presentation.
fn slides(archive: &mut Archive<'_>) -> Result<Vec<String>, ReadError> {
    let mut ids = Vec::new();
    if let Some(xml) = package::part(archive, "ppt/presentation.xml", "PPTX")? {
        package::events(&xml, |event| {
            if let Event::Start(e) | Event::Empty(e) = &event
                && e.local_name().as_ref() == "sldId"
            {
                ids.extend(e.attributes().flatten().find(|a| a.key.as_ref() == "r:id").map(|a| a.value.into_owned()));
            }
        })
        .map_err(|e| damaged("PPTX", e))?;
    }
    let relations = relations(archive, "ppt/presentation.xml")?;
    Ok(ids.iter().filter_map(|id| relations.get(id)).map(|r| r.target.clone()).collect())
}

/// What a part points at, by relationship id.
fn relations(archive: &mut Archive<'_>, name: &str) -> Result<HashMap<String, Relation>, ReadError> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut found = HashMap::new();
    if let Some(xml) = package::part(archive, &format!("{folder}/_rels/{file}.rels"), "PPTX")? {
        package::events(&xml, |event| {
            if let Event::Start(e) | Event::Empty(e) = &event
                && let (Some(id), Some(kind), Some(target)) =
                    (package::attribute(e, "Id"), package::attribute(e, "Type"), package::attribute(e, "Target"))
            {
                found.insert(id, Relation { kind, target: resolved(folder, &target) });
            }
        })
        .map_err(|e| damaged("PPTX", e))?;
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

/// The paragraphs of a notes page.
fn notes(xml: &str) -> Option<String> {
    let mut paragraphs = vec![String::new()];
    let (mut other, mut in_text) = (false, false);
    package::events(xml, |event| match &event {
        Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
            "sp" => other = false,
            "ph" => other = package::attribute(e, "type").is_some_and(|t| OTHER.contains(&t.as_str())),
            "p" => paragraphs.push(String::new()),
            "br" | "tab" => paragraphs.last_mut().into_iter().for_each(|p| p.push(' ')),
            "t" => in_text = matches!(event, Event::Start(_)),
            _ => {}
        },
        Event::End(e) if e.local_name().as_ref() == "t" => in_text = false,
        text if in_text && !other => {
            let text = package::characters(text).unwrap_or_default();
            paragraphs.last_mut().into_iter().for_each(|p| p.push_str(&text));
        }
        _ => {}
    })
    .ok()?;
    paragraphs.retain(|p| !p.trim().is_empty());
    Some(paragraphs.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::document::UnitKind;

    #[test]
    fn notes_go_to_the_slide_that_names_them() {
        let relation = |id: &str, kind: &str, target: &str| {
            format!(
                "<Relationship Id=\"{id}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/>"
            )
        };
        let relations = |inner: &str| format!("<Relationships>{inner}</Relationships>");
        let files = [
            ("ppt/presentation.xml", "<p:presentation><p:sldIdLst><p:sldId id=\"256\" r:id=\"r2\"/><p:sldId id=\"257\" r:id=\"r1\"/></p:sldIdLst></p:presentation>".to_owned()),
            ("ppt/_rels/presentation.xml.rels", relations(&format!("{}{}", relation("r1", "slide", "slides/slide1.xml"), relation("r2", "slide", "/ppt/slides/slide2.xml")))),
            ("ppt/slides/_rels/slide1.xml.rels", relations(&relation("x", "notesSlide", "../notesSlides/notesSlide7.xml"))),
            ("ppt/notesSlides/notesSlide7.xml", "<p:notes><p:sp><p:nvPr><p:ph type=\"sldNum\"/></p:nvPr><a:p><a:t>12</a:t></a:p></p:sp><p:sp><p:nvPr><p:ph type=\"body\"/></p:nvPr><a:p><a:r><a:t>말할 것 &amp; more</a:t></a:r></a:p></p:sp></p:notes>".to_owned()),
        ];
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        let bytes = archive.finish().unwrap().into_inner();
        let part = |number| Part { kind: UnitKind::Slide, number, label: None, markdown: "slide".into() };
        let mut parts = vec![part(1), part(2)];
        attach(&bytes, &mut parts).unwrap();
        assert_eq!(parts[0].markdown, "slide", "slide2.xml comes first and has no notes");
        assert_eq!(parts[1].markdown, "slide\n\nNotes:\n\n말할 것 & more\n");
    }
}
