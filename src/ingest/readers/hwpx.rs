//! HWPX sections before unhwp sees them: it reads the runs and tables of a paragraph and nothing that is anchored in it.
//!
//! Text in shapes, captions, headers, footnotes and endnotes becomes paragraphs after the one it is
//! anchored in; equations, ruby, composed characters and form fields become text where they stand;
//! tracked deletions and reviewers' memos are left out.

use quick_xml::events::{BytesStart, Event};

use super::package;
use crate::ingest::ReadError;

/// The package with its sections rewritten; `None` when they can stay as they are.
pub(super) fn rewrite(bytes: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let manifest = package::part(&mut package::open(bytes, "HWPX")?, "META-INF/manifest.xml", "HWPX")?;
    if manifest.is_some_and(|m| m.contains("encryption-data")) {
        return Err(ReadError::Encrypted);
    }
    let wanted = |name: &str| {
        name.strip_prefix("Contents/section")
            .and_then(|n| n.strip_suffix(".xml"))
            .is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
    };
    package::rewrite(bytes, "HWPX", wanted, |_, xml| rewritten(xml))
}

/// Shapes in shapes, this deep: no person draws more, and each level moves its text once more.
const DEEPEST: usize = 50;

/// What is written of an open element.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The element and what is in it.
    Keep,
    /// Neither, but paragraphs found below are moved behind the enclosing one.
    Mute,
    /// A list of paragraphs that is moved behind the enclosing one.
    Move,
    /// Nothing at all.
    Drop,
    /// The text of it only.
    Text,
}

#[derive(Default)]
struct Rewriter {
    /// Where events go: the section, and inside moved lists one more each.
    outs: Vec<String>,
    /// Open elements with the mode of each.
    open: Vec<(String, Mode)>,
    /// For each open paragraph, what was moved out of it.
    moved: Vec<String>,
    /// For each open `subText` and the like: the text so far.
    text: String,
    /// Inside a tracked deletion.
    deleted: bool,
}

fn rewritten(xml: &str) -> Option<String> {
    let mut rewriter = Rewriter { outs: vec![String::with_capacity(xml.len())], ..Rewriter::default() };
    package::events(xml, |event| match &event {
        Event::Start(e) => rewriter.start(e),
        Event::Empty(e) => rewriter.empty(e),
        Event::End(e) => rewriter.end(e.local_name().as_ref(), e),
        other => rewriter.other(other),
    })
    .ok()?;
    rewriter.outs.pop().filter(|_| rewriter.outs.is_empty())
}

impl Rewriter {
    fn mode(&self) -> Mode {
        self.open.last().map_or(Mode::Keep, |(_, mode)| *mode)
    }

    fn put(&mut self, text: &str) {
        if let Some(out) = self.outs.last_mut() {
            out.push_str(text);
        }
    }

    /// A run of its own for text that stood outside of `t`; runs do not nest, so it is a `t` in the open one.
    fn put_text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.put(&format!("<hp:t>{}</hp:t>", package::escaped(text)));
        }
    }

    fn start(&mut self, e: &BytesStart<'_>) {
        let name = e.local_name().as_ref().to_owned();
        let parent = self.open.last().map_or("", |(name, _)| name.as_str()).to_owned();
        let mode = match (self.mode(), name.as_str()) {
            (Mode::Drop, _) => Mode::Drop,
            (Mode::Text, _) => Mode::Text,
            (_, "fieldBegin" | "hiddenComment" | "memo") => Mode::Drop,
            (Mode::Mute, "subList") if self.outs.len() > DEEPEST => Mode::Drop,
            (Mode::Mute, "subList") => Mode::Move,
            (Mode::Mute, "script" | "mainText" | "subText" | "text") => Mode::Text,
            (Mode::Mute, _) => Mode::Mute,
            // In a run stand text, tables and section properties; all else is anchored there.
            (Mode::Keep, _) if parent == "run" && !matches!(name.as_str(), "t" | "tbl") => Mode::Mute,
            (Mode::Keep, "caption") => Mode::Mute,
            (Mode::Keep, _) if parent == "t" => Mode::Keep,
            (Mode::Keep | Mode::Move, _) => Mode::Keep,
        };
        self.fields(&name, e);
        match mode {
            Mode::Keep if parent == "t" => self.mark(&name),
            Mode::Keep => {
                if name == "p" {
                    self.moved.push(String::new());
                }
                let tag = format!("<{}>", &**e);
                self.put(&tag);
            }
            Mode::Move => self.outs.push(String::new()),
            Mode::Text => self.text.clear(),
            Mode::Mute | Mode::Drop => {
                // unhwp numbers headings by what the section's properties say.
                if name == "secPr" && mode == Mode::Mute {
                    let tag = format!("<{}/>", &**e);
                    self.put(&tag);
                }
            }
        }
        self.open.push((name, mode));
    }

    fn empty(&mut self, e: &BytesStart<'_>) {
        let name = e.local_name().as_ref().to_owned();
        let parent = self.open.last().map_or("", |(name, _)| name.as_str()).to_owned();
        self.fields(&name, e);
        if parent == "t" && self.mode() == Mode::Keep {
            self.mark(&name);
        } else if self.mode() == Mode::Keep || (name == "secPr" && self.mode() != Mode::Drop) {
            let tag = format!("<{}/>", &**e);
            self.put(&tag);
        }
    }

    fn end(&mut self, name: &str, raw: &str) {
        let Some((_, mode)) = self.open.pop() else { return };
        let parent = self.open.last().map_or("", |(name, _)| name.as_str()).to_owned();
        match mode {
            Mode::Keep if parent == "t" => {}
            Mode::Keep => {
                let tag = format!("</{raw}>");
                self.put(&tag);
                if name == "p" {
                    let moved = self.moved.pop().unwrap_or_default();
                    self.put(&moved);
                }
            }
            Mode::Move => {
                if let Some(list) = self.outs.pop().filter(|_| !self.outs.is_empty()) {
                    match self.moved.last_mut() {
                        Some(moved) => moved.push_str(&list),
                        None => self.put(&list),
                    }
                }
            }
            Mode::Text => {
                let text = std::mem::take(&mut self.text);
                match name {
                    // The script stands in front of the sign of its reading: ruby reads `word(gloss)`.
                    "subText" if !text.trim().is_empty() => self.put_text(&format!("({text})")),
                    _ => self.put_text(&text),
                }
            }
            Mode::Mute | Mode::Drop => {}
        }
    }

    fn other(&mut self, event: &Event<'_>) {
        match self.mode() {
            Mode::Text => self.text.push_str(&package::characters(event).unwrap_or_default()),
            Mode::Keep if !self.deleted || self.open.last().is_none_or(|(name, _)| name != "t") => {
                if let Some(out) = self.outs.last_mut() {
                    package::echo(event, out);
                }
            }
            _ => {}
        }
    }

    /// An element within text: a blank of some kind, or the bounds of a tracked change.
    fn mark(&mut self, name: &str) {
        match name {
            "deleteBegin" => self.deleted = true,
            "deleteEnd" => self.deleted = false,
            "hyphen" if !self.deleted => self.put("-"),
            "lineBreak" | "tab" | "nbSpace" | "fwSpace" if !self.deleted => self.put(" "),
            _ => {}
        }
    }

    /// Text that is an attribute: composed characters, word art, buttons.
    fn fields(&mut self, name: &str, e: &BytesStart<'_>) {
        let key = match name {
            "compose" => "composeText",
            "textart" => "text",
            "btn" | "checkBtn" | "radioBtn" => "caption",
            "listItem" => "displayText",
            _ => return,
        };
        if matches!(self.mode(), Mode::Keep | Mode::Mute)
            && let Some(text) = package::attribute(e, key)
        {
            self.put_text(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(inner: &str) -> String {
        format!("<hp:p><hp:run>{inner}</hp:run></hp:p>")
    }

    #[test]
    fn text_of_shapes_and_footnotes_follows_the_paragraph_it_is_anchored_in() {
        let shape = |inner: &str| {
            format!(
                "<hp:rect><hp:sz width=\"1\"/><hp:drawText><hp:subList>{inner}</hp:subList></hp:drawText></hp:rect>"
            )
        };
        let inner = format!("<hp:t>바깥</hp:t>{}", shape(&paragraph("<hp:t>안쪽</hp:t>")));
        let note = "<hp:ctrl><hp:footNote><hp:subList><hp:p><hp:run><hp:t>각주</hp:t></hp:run></hp:p></hp:subList></hp:footNote></hp:ctrl>";
        let xml = paragraph(&format!("<hp:t>본문</hp:t>{}{note}<hp:t>끝</hp:t>", shape(&paragraph(&inner))));
        let expected = "<hp:p><hp:run><hp:t>본문</hp:t><hp:t>끝</hp:t></hp:run></hp:p>\
            <hp:p><hp:run><hp:t>바깥</hp:t></hp:run></hp:p><hp:p><hp:run><hp:t>안쪽</hp:t></hp:run></hp:p>\
            <hp:p><hp:run><hp:t>각주</hp:t></hp:run></hp:p>";
        assert_eq!(rewritten(&xml).unwrap(), expected);
    }

    #[test]
    fn equations_ruby_and_marks_become_text_where_they_stand() {
        let xml = paragraph(
            "<hp:t>가<hp:lineBreak/>나<hp:deleteBegin Id=\"1\"/>다<hp:deleteEnd Id=\"1\"/></hp:t>\
             <hp:equation version=\"1\"><hp:sz/><hp:script>1 over 2</hp:script></hp:equation>\
             <hp:dutmal><hp:mainText>電池</hp:mainText><hp:subText>전지</hp:subText></hp:dutmal>",
        );
        let expected = paragraph("<hp:t>가 나</hp:t><hp:t>1 over 2</hp:t><hp:t>電池</hp:t><hp:t>(전지)</hp:t>");
        assert_eq!(rewritten(&xml).unwrap(), expected);
    }

    #[test]
    fn cells_keep_their_lists_and_captions_move_out() {
        let xml = paragraph(
            "<hp:tbl><hp:caption><hp:subList><hp:p><hp:run><hp:t>표 1</hp:t></hp:run></hp:p></hp:subList></hp:caption>\
             <hp:tr><hp:tc><hp:subList><hp:p><hp:run><hp:t>값</hp:t></hp:run></hp:p></hp:subList></hp:tc></hp:tr></hp:tbl>",
        );
        let text = rewritten(&xml).unwrap();
        assert!(
            text.contains("<hp:tc><hp:subList><hp:p>")
                && text.ends_with("<hp:p><hp:run><hp:t>표 1</hp:t></hp:run></hp:p>"),
            "{text}"
        );
    }
}
