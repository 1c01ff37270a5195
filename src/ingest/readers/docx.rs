//! A Word document before its parser sees it: equations on one line, line breaks as blanks, raised and
//! lowered digits as such, characters of symbol fonts as Unicode; deleted, moved-away and hidden text gone.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::{omml, package, symbol};
use crate::ingest::ReadError;

/// Tracked deletions, the old place of what was moved, and the look that text had before a tracked change.
const DELETED: [&str; 3] = ["del", "moveFrom", "rPrChange"];
/// Stands for a character that nobody knows.
const UNKNOWN: &str = "[?]";
/// Unknown characters reported one by one.
const UNKNOWN_SHOWN: usize = 20;

/// What a document does not show as it was meant.
#[derive(Default)]
struct Lost {
    /// Pieces of hidden text.
    hidden: usize,
    /// Characters of symbol fonts that are not known, by font and code, and how often they stand.
    unknown: BTreeMap<(String, String), usize>,
}

/// The package with its parts rewritten, `None` when they can stay as they are; and what was left out, a line each.
pub(super) fn rewrite(bytes: &[u8]) -> Result<(Option<Vec<u8>>, Vec<String>), ReadError> {
    let wanted = |name: &str| {
        let part = name.strip_prefix("word/").and_then(|n| n.strip_suffix(".xml")).unwrap_or("");
        ["document", "footnotes", "endnotes"]
            .iter()
            .any(|p| part.strip_prefix(p).is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())))
    };
    let mut lost = Lost::default();
    let new = package::rewrite(bytes, "DOCX", wanted, |_, xml| rewritten(xml, &mut lost))?;
    let mut warnings = Vec::new();
    if lost.hidden > 0 {
        let pieces = if lost.hidden == 1 { "piece" } else { "pieces" };
        warnings.push(format!(
            "{} {pieces} of hidden text left out; unhide it in Word and ingest the file again if it belongs to the text",
            lost.hidden
        ));
    }
    warnings.extend(lost.unknown.iter().take(UNKNOWN_SHOWN).map(|((font, code), times)| {
        format!("the character {code} of the font `{font}` is not known and reads {UNKNOWN}, {times} times; write it as text")
    }));
    Ok((new, warnings))
}

fn rewritten(xml: &str, lost: &mut Lost) -> Option<String> {
    let mut out = String::with_capacity(xml.len());
    let mut equation: Option<omml::Equation> = None;
    let mut deleted = 0usize;
    let mut raised: Option<bool> = None;
    // For each open run, whether it is hidden; text boxes open runs inside a run.
    let mut hidden: Vec<bool> = Vec::new();
    let mut of_paragraph = false;
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
        let is_hidden = hidden.last().is_some_and(|hidden| *hidden);
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
            // The mark at the end of a paragraph may be hidden while its text is not.
            Event::Start(e) | Event::Empty(e) if word && name == "vanish" && !of_paragraph => {
                if let Some(hidden) = hidden.last_mut() {
                    *hidden = package::attribute(e, "val").is_none() || package::is_on(e, "val");
                }
            }
            Event::Empty(e) if word && name == "br" => {
                if package::attribute(e, "type").is_none_or(|t| t == "textWrapping") {
                    out.push_str("<w:t xml:space=\"preserve\"> </w:t>");
                    last = ' ';
                    return;
                }
            }
            Event::Start(e) | Event::Empty(e) if word && name == "sym" => {
                if !is_hidden {
                    let font = package::attribute(e, "font").unwrap_or_default();
                    let code = package::attribute(e, "char").unwrap_or_default();
                    let known = u32::from_str_radix(&code, 16).ok().and_then(|code| symbol::character(&font, code));
                    let text = known.map_or_else(|| UNKNOWN.to_owned(), String::from);
                    let text = raised.and_then(|up| shifted(&text, up)).unwrap_or(text);
                    last = text.chars().last().unwrap_or(last);
                    out.push_str(&format!("<w:t xml:space=\"preserve\">{}</w:t>", package::escaped(&text)));
                    if known.is_none() {
                        *lost.unknown.entry((font, code)).or_insert(0) += 1;
                    }
                }
                return;
            }
            Event::End(_) if word && name == "sym" => return,
            Event::Start(_) if word && name == "r" => {
                raised = None;
                hidden.push(is_hidden);
            }
            Event::End(_) if word && name == "r" => {
                hidden.pop();
            }
            Event::Start(_) if word && name == "pPr" => of_paragraph = true,
            Event::End(_) if word && name == "pPr" => of_paragraph = false,
            Event::Start(_) | Event::End(_) if word && name == "p" => last = ' ',
            Event::Start(_) if word && name == "t" => {
                in_text = true;
                lost.hidden += usize::from(is_hidden);
            }
            Event::End(_) if word && name == "t" => in_text = false,
            _ => {}
        }
        if in_text && let Some(text) = package::characters(&event) {
            if is_hidden {
                return;
            }
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
pub(super) fn shifted(text: &str, up: bool) -> Option<String> {
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

    fn rewritten(xml: &str) -> Option<String> {
        super::rewritten(xml, &mut Lost::default())
    }

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
    #[test]
    fn characters_of_symbol_fonts_are_text_and_unknown_ones_are_seen() {
        let xml = "<w:r><w:t>5 </w:t><w:sym w:font=\"Symbol\" w:char=\"F06D\"/><w:t>m</w:t></w:r>\
            <w:r><w:sym w:font=\"Wingdings\" w:char=\"F0A7\"/><w:sym w:font=\"MT Extra\" w:char=\"F06C\"/></w:r>";
        let mut lost = Lost::default();
        let text = super::rewritten(xml, &mut lost).unwrap();
        let t = |text: &str| format!("<w:t xml:space=\"preserve\">{text}</w:t>");
        let expected = format!("<w:r><w:t>5 </w:t>{}<w:t>m</w:t></w:r><w:r>{}{}</w:r>", t("µ"), t("•"), t("[?]"));
        assert_eq!(text, expected);
        assert_eq!(lost.unknown, BTreeMap::from([(("MT Extra".into(), "F06C".into()), 1)]));
    }

    #[test]
    fn hidden_runs_are_no_text_but_a_hidden_paragraph_mark_hides_nothing() {
        let run = |properties: &str, text: &str| format!("<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>");
        let mark = "<w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>";
        let before = "<w:rPrChange w:id=\"1\"><w:rPr><w:vanish/></w:rPr></w:rPrChange>";
        let xml = format!(
            "<w:p>{mark}{}{}{}{}</w:p>",
            run("", "a"),
            run("<w:vanish/>", "secret"),
            run("<w:vanish w:val=\"0\"/>", "b"),
            run(before, "c")
        );
        let mut lost = Lost::default();
        let text = super::rewritten(&xml, &mut lost).unwrap();
        let shown: Vec<&str> = text.split("<w:t>").skip(1).filter_map(|t| t.split('<').next()).collect();
        assert_eq!((shown, lost.hidden), (vec!["a", "", "b", "c"], 1));
    }
}
