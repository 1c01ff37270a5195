//! Word's equations (OMML) on one line, in the linear form that Word itself shows: `x=(-b±√(b^2-4ac))/2a`.
//!
//! Source of the form: M. Sargent, "UnicodeMath, A Nearly Plain-Text Encoding of Mathematics", 2016.

use quick_xml::events::{BytesStart, Event};

use super::package;
use crate::text::spaced;

/// Deeper equations are shown as their characters in a row.
const DEEPEST: usize = 60;

/// An element of an equation.
#[derive(Default)]
struct Node {
    name: String,
    /// Value of the `val` attribute.
    value: Option<String>,
    text: String,
    children: Vec<Node>,
}

/// Collects the events of one `m:oMath` and says when it is complete.
#[derive(Default)]
pub(super) struct Equation {
    open: Vec<Node>,
    /// Elements left out because they lie too deep.
    skipped: usize,
}

impl Equation {
    /// Takes the next event, the opening of `m:oMath` first; hands back the line at its end.
    pub(super) fn take(&mut self, event: &Event<'_>) -> Option<String> {
        match event {
            Event::Start(_) if self.open.len() >= DEEPEST => self.skipped += 1,
            Event::Start(e) => self.open.push(node(e)),
            Event::Empty(e) if self.open.len() < DEEPEST => {
                if let Some(parent) = self.open.last_mut() {
                    parent.children.push(node(e));
                }
            }
            Event::End(_) if self.skipped > 0 => self.skipped -= 1,
            Event::End(_) => {
                let done = self.open.pop()?;
                match self.open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Some(spaced(&line(&done))),
                }
            }
            other => {
                if let (Some(parent), Some(text)) = (self.open.last_mut(), package::characters(other)) {
                    // Line ends between elements are layout of the file, not of the equation.
                    if parent.name == "t" || self.skipped > 0 || !text.trim().is_empty() {
                        parent.text.push_str(&text);
                    }
                }
            }
        }
        None
    }
}

fn node(e: &BytesStart<'_>) -> Node {
    Node { name: e.local_name().as_ref().to_owned(), value: package::attribute(e, "val"), ..Node::default() }
}

fn line(node: &Node) -> String {
    let child = |name: &str| node.children.iter().find(|c| c.name == name);
    let of = |name: &str| child(name).map(line).unwrap_or_default();
    let each = |name: &str| node.children.iter().filter(|c| c.name == name).map(line).collect::<Vec<_>>();
    let property = |owner: &str, name: &str| {
        child(owner)
            .and_then(|p| p.children.iter().find(|c| c.name == name))
            .map(|c| c.value.clone().unwrap_or_default())
    };
    match node.name.as_str() {
        "f" => {
            let bar = property("fPr", "type").unwrap_or_default();
            let sign = if bar == "noBar" { "¦" } else { "/" };
            format!("{}{sign}{}", grouped(&of("num")), grouped(&of("den")))
        }
        "sSup" => format!("{}^{}", grouped(&of("e")), grouped(&of("sup"))),
        "sSub" => format!("{}_{}", grouped(&of("e")), grouped(&of("sub"))),
        "sSubSup" => format!("{}_{}^{}", grouped(&of("e")), grouped(&of("sub")), grouped(&of("sup"))),
        "sPre" => format!("_{}^{} {}", grouped(&of("sub")), grouped(&of("sup")), of("e")),
        "rad" => {
            let degree = of("deg");
            let sign = match degree.trim() {
                "" => "√".to_owned(),
                "3" => "∛".to_owned(),
                "4" => "∜".to_owned(),
                n => format!("{}√", grouped(n)),
            };
            format!("{sign}({})", of("e"))
        }
        "nary" => {
            let sign = property("naryPr", "chr").filter(|c| !c.is_empty()).unwrap_or_else(|| "∫".into());
            let bound =
                |mark: &str, text: String| if text.is_empty() { text } else { format!("{mark}{}", grouped(&text)) };
            format!("{sign}{}{} {}", bound("_", of("sub")), bound("^", of("sup")), of("e"))
        }
        "d" => {
            let mark = |name: &str, usual: &str| property("dPr", name).unwrap_or_else(|| usual.into());
            format!("{}{}{}", mark("begChr", "("), each("e").join(&mark("sepChr", "|")), mark("endChr", ")"))
        }
        "func" => {
            let argument = of("e");
            let space = if argument.starts_with(['(', '[', '{', '⟨']) { "" } else { " " };
            format!("{}{space}{argument}", of("fName"))
        }
        "limLow" => format!("{}_{}", of("e"), grouped(&of("lim"))),
        "limUpp" => format!("{}^{}", of("e"), grouped(&of("lim"))),
        "m" => format!("[{}]", each("mr").join("; ")),
        "mr" => each("e").join(", "),
        "eqArr" => each("e").join("; "),
        "acc" => {
            let sign = property("accPr", "chr").filter(|c| !c.is_empty()).unwrap_or_else(|| "\u{302}".into());
            format!("{}{sign}", grouped(&of("e")))
        }
        "bar" => format!("{}\u{305}", grouped(&of("e"))),
        name if name.ends_with("Pr") => String::new(),
        _ => {
            // `&` marks alignment in arrays of equations, it is not a sign.
            let mut out = node.text.replace('&', "");
            node.children.iter().for_each(|c| out.push_str(&line(c)));
            out
        }
    }
}

/// In brackets, unless it is one number, one name or bracketed already.
fn grouped(text: &str) -> String {
    let text = text.trim();
    let simple = text.chars().all(char::is_alphanumeric) || text.chars().count() <= 1;
    let bracketed = text.starts_with('(') && {
        let mut depth = 0i32;
        let closes = text.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0
        });
        closes.is_some_and(|(i, c)| i + c.len_utf8() == text.len())
    };
    if simple || bracketed { text.to_owned() } else { format!("({text})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(inner: &str) -> String {
        let mut equation = Equation::default();
        let mut found = None;
        package::events(&format!("<m:oMath>{inner}</m:oMath>"), |e| found = equation.take(&e).or(found.take()))
            .unwrap();
        found.unwrap()
    }

    fn run(text: &str) -> String {
        format!("<m:r><m:t>{text}</m:t></m:r>")
    }

    #[test]
    fn fractions_roots_and_powers_keep_their_grouping() {
        let square = format!("<m:sSup><m:e>{}</m:e><m:sup>{}</m:sup></m:sSup>", run("b"), run("2"));
        let root = format!("<m:rad><m:radPr/><m:deg/><m:e>{square}{}</m:e></m:rad>", run("-4ac"));
        let whole = format!("{}<m:f><m:num>{}{root}</m:num><m:den>{}</m:den></m:f>", run("x="), run("-b±"), run("2a"));
        assert_eq!(linear(&whole), "x=(-b±√(b^2-4ac))/2a");
    }

    #[test]
    fn sums_matrices_and_functions_are_written_out() {
        let sum = format!(
            "<m:nary><m:naryPr><m:chr m:val=\"∑\"/></m:naryPr><m:sub>{}</m:sub><m:sup>{}</m:sup><m:e>{}</m:e></m:nary>",
            run("i=1"),
            run("n"),
            run("x")
        );
        assert_eq!(linear(&sum), "∑_(i=1)^n x");
        let row = |a: &str, b: &str| format!("<m:mr><m:e>{}</m:e><m:e>{}</m:e></m:mr>", run(a), run(b));
        assert_eq!(linear(&format!("<m:m>{}{}</m:m>", row("a", "b"), row("c", "d"))), "[a, b; c, d]");
        assert_eq!(
            linear(&format!("<m:func><m:fName>{}</m:fName><m:e>{}</m:e></m:func>", run("log"), run("x"))),
            "log x"
        );
    }

    #[test]
    fn an_equation_nested_too_deeply_ends_instead_of_overflowing() {
        let deep = format!("{}{}{}", "<m:e>".repeat(5000), run("x"), "</m:e>".repeat(5000));
        assert_eq!(linear(&format!("{deep}{}", run("y"))), "xy");
    }
}
