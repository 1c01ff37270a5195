//! HTML: the article without navigation and without what its author hid, as Markdown.

use std::rc::Rc;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::{Element, HtmlToMarkdown, Node};
use markup5ever_rcdom::NodeData;

use super::{Input, body, damaged, document, docx, html_style, html_table, text};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

/// Elements that are never content.
pub(super) const SKIPPED: [&str; 12] = [
    "script", "style", "nav", "footer", "aside", "noscript", "head", "svg", "select", "button", "textarea", "template",
];
/// The article is believed only if it keeps this share of the page's text outside of links; else the whole body is taken.
const ARTICLE_SHARE: f32 = 0.7;
/// Characters that the converter escapes, some of them at the start of a line only. Nobody reads the Markdown as Markdown again
/// but by its headings, lists and tables, and a name such as NCM_811 must stand as it is searched and quoted.
const ESCAPED: &str = "\\*_`[]<=~>-+#.";
/// They go through the converter as characters that no text has, so far behind.
const AWAY: u32 = 0x10_ff00;
/// A form with more text than this, in characters, holds the page (as some frameworks write it), not a search box.
const FORM_TEXT: usize = 500;

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let decoded = text::decode_html(input.bytes).ok_or_else(|| damaged("HTML", "not text"))?;
    let seen = html_style::without_hidden(&decoded.text);
    let html = seen.as_deref().unwrap_or(&decoded.text);
    let (all, prose) = (converter(true), converter(false));
    let whole = markdown(&all, html)?;
    let article = dom_smoothie::Readability::new(html, None, None).and_then(|mut page| page.parse());
    let (title, text) = match article {
        Ok(article) => {
            let words = |text: String| text.chars().filter(|c| c.is_alphanumeric()).count() as f32;
            let share = words(markdown(&prose, &article.content)?) / words(markdown(&prose, html)?).max(1.0);
            let inner = markdown(&all, &article.content)?;
            let text = if share >= ARTICLE_SHARE { with_heading(inner, &whole) } else { whole };
            (Some(article.title.to_string()), text)
        }
        Err(_) => (None, whole),
    };
    let mut read = document(input, Format::Html, title, body(text))?;
    if seen.is_some() {
        read.warnings.push("text that a style sheet of the page hides was left out".into());
    }
    read.warnings.extend(decoded.warning);
    Ok(read)
}

fn markdown(converter: &HtmlToMarkdown, html: &str) -> Result<String, ReadError> {
    let tree = converter.html_to_tree(html).map_err(|e| damaged("HTML", e))?;
    prepare(&tree);
    let back = |c: char| match (c as u32).checked_sub(AWAY).and_then(char::from_u32) {
        Some(own) if ESCAPED.contains(own) => own,
        _ => c,
    };
    Ok(converter.tree_to_markdown(&tree).chars().map(back).collect())
}

/// Takes hidden elements out, and what the converter would escape out of its sight (in code it escapes nothing); raises figures,
/// for `10<sup>6</sup>` is no 106.
fn prepare(tree: &Rc<Node>) {
    let away = |c: char| if ESCAPED.contains(c) { char::from_u32(AWAY + c as u32).unwrap_or(c) } else { c };
    let mut open = vec![tree.clone()];
    while let Some(node) = open.pop() {
        if let NodeData::Text { contents } = &node.data {
            let text: String = contents.borrow().chars().map(away).collect();
            *contents.borrow_mut() = text.into();
        }
        node.children.borrow_mut().retain(|child| !is_hidden(child));
        if is_named(&node, &["sup"]) {
            node.children.borrow().iter().for_each(|child| raise(child));
        }
        if !is_named(&node, &["pre", "code"]) {
            open.extend(node.children.borrow().iter().cloned());
        }
    }
}

fn raise(node: &Node) {
    if let NodeData::Text { contents } = &node.data {
        let raised = docx::shifted(&contents.borrow(), true);
        if let Some(raised) = raised {
            *contents.borrow_mut() = raised.into();
        }
    }
}

/// Hidden by an attribute or a style of its own (what style sheets hide is gone by then); pages that a script is to show hide their
/// body first.
fn is_hidden(node: &Node) -> bool {
    let NodeData::Element { attrs, .. } = &node.data else { return false };
    let hides = |name: &str, value: &str| match name {
        "hidden" => !value.eq_ignore_ascii_case("until-found"),
        "style" => html_style::hides(value) == Some(true),
        _ => false,
    };
    !is_named(node, &["html", "body"]) && attrs.borrow().iter().any(|a| hides(a.name.local.as_ref(), &a.value))
}

/// Cutting out the article loses the page's main heading where that stands outside of it.
fn with_heading(article: String, whole: &str) -> String {
    match whole.lines().find(|l| l.starts_with("# ")) {
        Some(heading) if !article.contains(heading.trim_start_matches("# ").trim()) => {
            format!("{heading}\n\n{article}")
        }
        _ => article,
    }
}

fn converter(links: bool) -> HtmlToMarkdown {
    let mut skipped = SKIPPED.to_vec();
    if !links {
        skipped.push("a");
    }
    let mut builder = HtmlToMarkdown::builder().skip_tags(skipped);
    if links {
        // Addresses of links are no text; they would be found, quoted and counted as if they were.
        builder = builder.add_handler(vec!["a"], children);
    }
    builder
        .add_handler(vec!["table"], html_table::table)
        .add_handler(vec!["header"], page_header)
        .add_handler(vec!["form"], form)
        .build()
}

fn children(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    Some(handlers.walk_children(element.node))
}

/// The header of an article holds its title, that of a page its menu.
fn page_header(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    let titled = contains(element.node, &["h1", "h2"]);
    Some(if titled { handlers.walk_children(element.node) } else { "".into() })
}

fn form(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    let content = handlers.walk_children(element.node);
    Some(if content.content.chars().count() > FORM_TEXT { content } else { "".into() })
}

fn contains(node: &Rc<Node>, tags: &[&str]) -> bool {
    node.children.borrow().iter().any(|child| is_named(child, tags) || contains(child, tags))
}

fn is_named(node: &Node, tags: &[&str]) -> bool {
    matches!(&node.data, NodeData::Element { name, .. } if tags.contains(&name.local.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let mapping = crate::ingest::RecordMapping::default();
        let html = format!("<!DOCTYPE html><html><body>{html}</body></html>");
        read(&Input { bytes: html.as_bytes(), name: "a.html", mapping: &mapping }).unwrap().parts.remove(0).markdown
    }

    #[test]
    fn text_around_a_table_is_kept_and_addresses_of_links_are_not() {
        let rows: String = (0..9).map(|i| format!("<tr><td>cell {i}</td><td>value {i}</td></tr>")).collect();
        let html = format!(
            "<header><a href='/'>Menu</a></header><h1>Cells</h1><p>Before <a href='http://a.example/x'>the link</a>.</p><table>{rows}</table><p>After.</p>"
        );
        let text = text(&html);
        assert!(text.contains("# Cells") && text.contains("Before the link.") && text.contains("After."), "{text}");
        assert!(!text.contains("Menu") && !text.contains("a.example"), "{text}");
    }

    #[test]
    fn a_form_around_the_page_is_the_page_a_search_box_is_not() {
        let long = "전고체 전지의 수명을 다룬다. ".repeat(60);
        let text = text(&format!("<form><input name=q>찾기</form><form action='x'><p>{long}</p></form>"));
        assert!(text.contains("전고체") && !text.contains("찾기"), "{text}");
    }

    fn converted(html: &str) -> String {
        markdown(&converter(true), html).unwrap()
    }

    #[test]
    fn names_and_signs_stand_as_the_page_shows_them() {
        let text = converted(
            "<p>NCM_811 * 2 [mol] a\\b x &lt;b&gt; y</p><p># 1</p><p>1. first</p><p>- none</p><p>+ 3</p><p>a <b>bold</b> word</p>\
             <ul><li>one</li></ul><pre><code>let a_b = *c;\n</code></pre>",
        );
        for line in ["NCM_811 * 2 [mol] a\\b x <b> y", "# 1", "1. first", "- none", "+ 3", "a **bold** word", "*   one"]
        {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
        assert!(text.contains("```\nlet a_b = *c;\n```"), "{text}");
    }

    #[test]
    fn raised_figures_are_no_digits_of_what_stands_before() {
        let text = converted("<p>5 × 10<sup>6</sup> Pa, 10<sup>-3</sup> S/cm, the 4<sup>th</sup>, H<sub>2</sub>O</p>");
        assert_eq!(text, "5 × 10⁶ Pa, 10⁻³ S/cm, the 4th, H2O");
    }

    #[test]
    fn what_the_author_hid_is_no_text() {
        let text = converted(
            "<p>Seen.</p><p hidden>Draft.</p><div style='color:red; Display : none'><p>Trap.</p></div><p style='visibility:hidden'>Trap.</p>\
             <table><tr><th>a</th><th>b</th></tr><tr style='display:none'><td>7</td><td>8</td></tr><tr><td>1</td><td>2</td></tr></table>",
        );
        assert!(text.contains("Seen.") && text.contains("| 1 | 2 |"), "{text}");
        assert!(!text.contains("Draft") && !text.contains("Trap") && !text.contains('7'), "{text}");
    }

    #[test]
    fn what_a_style_sheet_hides_is_neither_in_the_article_nor_in_the_rest_and_the_report_says_so() {
        let long = "The kiln was fired twice and cooled for a day. ".repeat(60);
        let html = format!(
            "<html><head><style>.draft {{ display: none }}</style></head><body><article><h1>Kilns</h1><p>{long}</p>\
             <p class='draft'>Draft.</p></article></body></html>"
        );
        let mapping = crate::ingest::RecordMapping::default();
        let read = read(&Input { bytes: html.as_bytes(), name: "a.html", mapping: &mapping }).unwrap();
        let text = &read.parts[0].markdown;
        assert!(text.contains("fired twice") && !text.contains("Draft"), "{text}");
        assert_eq!(read.warnings, ["text that a style sheet of the page hides was left out"]);
        assert_eq!(self::text("<style>.x { display: none }</style><p>Seen.</p><p class=x>Trap.</p>").trim(), "Seen.");
    }
}
