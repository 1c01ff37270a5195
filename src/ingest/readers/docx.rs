//! A Word document before its parser sees it: equations on one line, line breaks as blanks, raised and
//! lowered digits as such, deleted and moved-away text gone.

use quick_xml::events::Event;

use super::{omml, package};
use crate::ingest::ReadError;

/// Tracked deletions, and the old place of what was moved.
const DELETED: [&str; 2] = ["del", "moveFrom"];

/// The package with its parts rewritten; `None` when they can stay as they are.
pub(super) fn rewrite(bytes: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let wanted = |name: &str| {
        let part = name.strip_prefix("word/").and_then(|n| n.strip_suffix(".xml")).unwrap_or("");
        ["document", "footnotes", "endnotes"]
            .iter()
            .any(|p| part.strip_prefix(p).is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())))
    };
    package::rewrite(bytes, "DOCX", wanted, rewritten)
}

fn rewritten(xml: &str) -> Option<String> {
    let mut out = String::with_capacity(xml.len());
    let mut equation: Option<omml::Equation> = None;
    let mut deleted = 0usize;
    let mut raised: Option<bool> = None;
    let mut in_text = false;
    let mut last = ' ';
    package::events(xml, |event| {
        if let Some(open) = &mut equation {
            if let Some(line) = open.take(&event) {
                equation = None;
                if !line.is_empty() {
                    let space = if last.is_whitespace() { "" } else { " " };
                    out.push_str(&format!(
                        "<w:r><w:t xml:space=\"preserve\">{space}{}</w:t></w:r>",
                        package::escaped(&line)
                    ));
                    last = line.chars().last().unwrap_or(' ');
                }
            }
            return;
        }
        let name = match &event {
            Event::Start(e) | Event::Empty(e) => e.local_name().as_ref().to_owned(),
            Event::End(e) => e.local_name().as_ref().to_owned(),
            _ => String::new(),
        };
        if deleted > 0 {
            match &event {
                Event::Start(_) => deleted += 1,
                Event::End(_) => deleted -= 1,
                _ => {}
            }
            return;
        }
        let word = match &event {
            Event::Start(e) | Event::Empty(e) => e.starts_with("w:"),
            Event::End(e) => e.starts_with("w:"),
            _ => false,
        };
        match &event {
            Event::Start(e) if e.starts_with("m:") && name == "oMath" => {
                let mut open = omml::Equation::default();
                open.take(&event);
                equation = Some(open);
                return;
            }
            Event::Start(_) | Event::End(_) if name == "oMathPara" => return,
            Event::Start(_) if word && DELETED.contains(&name.as_str()) => {
                deleted = 1;
                return;
            }
            Event::Empty(_) if word && (name == "u" || DELETED.contains(&name.as_str())) => return,
            Event::Empty(e) if word && name == "vertAlign" => {
                raised = match package::attribute(e, "val").as_deref() {
                    Some("superscript") => Some(true),
                    Some("subscript") => Some(false),
                    _ => None,
                };
                return;
            }
            Event::Empty(e) if word && name == "br" => {
                if package::attribute(e, "type").is_none_or(|t| t == "textWrapping") {
                    out.push_str("<w:t xml:space=\"preserve\"> </w:t>");
                    last = ' ';
                    return;
                }
            }
            Event::Start(_) if word && name == "r" => raised = None,
            Event::Start(_) | Event::End(_) if word && name == "p" => last = ' ',
            Event::Start(_) if word && name == "t" => in_text = true,
            Event::End(_) if word && name == "t" => in_text = false,
            _ => {}
        }
        if in_text && let Some(text) = package::characters(&event) {
            last = text.chars().last().unwrap_or(last);
            if let Some(shifted) = raised.and_then(|up| shifted(&text, up)) {
                out.push_str(&shifted);
                return;
            }
        }
        package::echo(&event, &mut out);
    })
    .ok()?;
    Some(out)
}

/// `10-3` with a raised `-3` would read as a subtraction: signs and digits have raised and lowered
/// characters of their own. `None` where one of them has not.
fn shifted(text: &str, up: bool) -> Option<String> {
    const UP: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    const DOWN: [char; 10] = ['₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉'];
    let one = |c: char| match (c, up) {
        ('0'..='9', true) => UP.get(c as usize - '0' as usize).copied(),
        ('0'..='9', false) => DOWN.get(c as usize - '0' as usize).copied(),
        ('+', true) => Some('⁺'),
        ('-' | '−' | '–', true) => Some('⁻'),
        ('+', false) => Some('₊'),
        ('-' | '−' | '–', false) => Some('₋'),
        (' ', _) => Some(' '),
        _ => None,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_stand_where_they_stood() {
        let xml = "<w:p><w:r><w:t>area</w:t></w:r><m:oMathPara><m:oMath><m:r><w:rPr/><m:t>A=πr</m:t></m:r></m:oMath></m:oMathPara><w:r><w:t xml:space=\"preserve\"> holds</w:t></w:r></w:p>";
        let expected = "<w:p><w:r><w:t>area</w:t></w:r><w:r><w:t xml:space=\"preserve\"> A=πr</w:t></w:r><w:r><w:t xml:space=\"preserve\"> holds</w:t></w:r></w:p>";
        assert_eq!(rewritten(xml).unwrap(), expected);
    }

    #[test]
    fn deletions_go_insertions_stay() {
        let xml = "<w:p><w:del w:id=\"1\"><w:r><w:delText>old</w:delText></w:r></w:del><w:ins w:id=\"2\"><w:r><w:t>new</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>there</w:t></w:r></w:moveFrom></w:p>";
        assert_eq!(rewritten(xml).unwrap(), "<w:p><w:ins w:id=\"2\"><w:r><w:t>new</w:t></w:r></w:ins></w:p>");
    }

    #[test]
    fn line_breaks_part_words_and_raised_digits_stay_raised() {
        let xml = "<w:r><w:t>a</w:t><w:br/><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val=\"superscript\"/></w:rPr><w:t>-3</w:t></w:r>";
        let text = rewritten(xml).unwrap();
        assert!(
            text.contains("<w:t>a</w:t><w:t xml:space=\"preserve\"> </w:t>") && text.contains("<w:t>⁻³</w:t>"),
            "{text}"
        );
        assert_eq!(shifted("th", true), None);
    }
}
