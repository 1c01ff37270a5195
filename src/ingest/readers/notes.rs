//! Speaker notes of a PPTX, attached to the slide that names them in its relationships, and its hidden slides, left out.

use quick_xml::events::Event;

use super::package::{self, Archive};
use super::{damaged, numbers};
use crate::ingest::{Part, ReadError};

/// Placeholders of a notes page that are not notes: the slide's picture, number, date, header, footer.
const OTHER: [&str; 5] = ["sldImg", "sldNum", "dt", "hdr", "ftr"];

/// Adds each slide's notes below its text and takes hidden slides out, with a line that says which. Parts and slides
/// correspond by order, or nothing is done.
pub(super) fn attach(bytes: &[u8], parts: &mut Vec<Part>) -> Result<Option<String>, ReadError> {
    let mut archive = package::open(bytes, "PPTX")?;
    let slides = slides(&mut archive)?;
    if slides.len() != parts.len() {
        return Ok(None);
    }
    let mut hidden = Vec::new();
    for (slide, part) in slides.iter().zip(parts.iter_mut()) {
        if is_hidden(&mut archive, slide)? {
            hidden.push(part.number);
            continue;
        }
        let relations = package::relations(&mut archive, slide, "PPTX")?;
        let Some(page) = relations.into_values().find(|r| r.kind.ends_with("/notesSlide")) else { continue };
        if let Some(notes) = package::part(&mut archive, &page.target, "PPTX")?.and_then(|xml| notes(&xml))
            && !notes.is_empty()
        {
            part.markdown.push_str(&format!("\n\nNotes:\n\n{notes}\n"));
        }
    }
    parts.retain(|p| !hidden.contains(&p.number));
    Ok((!hidden.is_empty())
        .then(|| format!("hidden slides left out: {}; show them and ingest the file again", numbers(&hidden))))
}

/// Whether a slide is left out of the show. Where it is not well-formed the parser has judged it.
fn is_hidden(archive: &mut Archive<'_>, slide: &str) -> Result<bool, ReadError> {
    let xml = package::part(archive, slide, "PPTX")?;
    let shown = xml.and_then(|xml| package::root_attribute(&xml, "show"));
    Ok(shown.is_some_and(|show| matches!(show.as_str(), "0" | "false")))
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
    let relations = package::relations(archive, "ppt/presentation.xml", "PPTX")?;
    Ok(ids.iter().filter_map(|id| relations.get(id)).map(|r| r.target.clone()).collect())
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
    use super::package::made::{relations, zipped};
    use super::*;
    use crate::document::UnitKind;

    fn part(number: u32) -> Part {
        Part { kind: UnitKind::Slide, number, label: None, markdown: "slide".into() }
    }

    #[test]
    fn notes_go_to_the_slide_that_names_them_and_hidden_slides_go() {
        let mut files = vec![
            ("ppt/presentation.xml", "<p:presentation><p:sldIdLst><p:sldId id=\"256\" r:id=\"r2\"/><p:sldId id=\"257\" r:id=\"r1\"/></p:sldIdLst></p:presentation>".to_owned()),
            ("ppt/_rels/presentation.xml.rels", relations(&[("r1", "slide", "slides/slide1.xml"), ("r2", "slide", "/ppt/slides/slide2.xml")])),
            ("ppt/slides/_rels/slide1.xml.rels", relations(&[("x", "notesSlide", "../notesSlides/notesSlide7.xml")])),
            ("ppt/notesSlides/notesSlide7.xml", "<p:notes><p:sp><p:nvPr><p:ph type=\"sldNum\"/></p:nvPr><a:p><a:t>12</a:t></a:p></p:sp><p:sp><p:nvPr><p:ph type=\"body\"/></p:nvPr><a:p><a:r><a:t>말할 것 &amp; more</a:t></a:r></a:p></p:sp></p:notes>".to_owned()),
        ];
        let mut parts = vec![part(1), part(2)];
        assert_eq!(attach(&zipped(&files), &mut parts).unwrap(), None);
        assert_eq!(parts[0].markdown, "slide", "slide2.xml comes first and has no notes");
        assert_eq!(parts[1].markdown, "slide\n\nNotes:\n\n말할 것 & more\n");

        files.push(("ppt/slides/slide2.xml", "<p:sld show=\"0\"><p:cSld/></p:sld>".into()));
        let mut parts = vec![part(1), part(2)];
        let said = attach(&zipped(&files), &mut parts).unwrap().unwrap();
        assert!(said.starts_with("hidden slides left out: 1;"), "{said}");
        assert_eq!(parts.iter().map(|p| p.number).collect::<Vec<_>>(), [2]);
    }
}
