//! HTML: the article without navigation, as Markdown.

use super::{Input, body, damaged, document, text};
use crate::document::Format;
use crate::ingest::{Extracted, ReadError};

/// Elements that are never content.
const SKIPPED: [&str; 10] = ["script", "style", "nav", "header", "footer", "aside", "form", "noscript", "head", "svg"];
/// The article is believed only if it keeps this share of the page's text; else the whole body is taken.
const ARTICLE_SHARE: f32 = 0.4;

pub(super) fn read(input: &Input<'_>) -> Result<Extracted, ReadError> {
    let html = text::decode(input.bytes).ok_or_else(|| damaged("HTML", "not text"))?;
    let markdown = |html: &str| {
        let converter = htmd::HtmlToMarkdown::builder().skip_tags(SKIPPED.to_vec()).build();
        converter.convert(html).map_err(|e| damaged("HTML", e))
    };
    let whole = markdown(&html)?;
    let article = dom_smoothie::Readability::new(html.as_str(), None, None).and_then(|mut r| r.parse());
    let (title, text) = match article {
        Ok(article) => {
            let inner = markdown(&article.content)?;
            let enough = inner.chars().count() as f32 >= ARTICLE_SHARE * whole.chars().count() as f32;
            (Some(article.title), if enough { inner } else { whole })
        }
        Err(_) => (None, whole),
    };
    document(input, Format::Html, title, body(text))
}
