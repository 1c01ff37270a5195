//! More text around a found chunk: what stands before and after it, or the whole section it belongs to (small to big: a small
//! chunk is found, its section is read).
//!
//! In: a document, its chunks and which of them was found. Out: the span to show, never beyond the document's section, never
//! longer than the limit, and always around the chunk itself.

use crate::config::Expand;
use crate::document::{Chunk, Document, Span};
use crate::text::tokens;

/// What is shown of `chunk`: at most `most` tokens (as [`tokens`] estimates them), or the chunk alone where that is longer.
pub(super) fn expanded(document: &Document, chunks: &[Chunk], chunk: &Chunk, how: Expand, most: usize) -> Span {
    let reach = match how {
        Expand::None => return chunk.span,
        Expand::Neighbours => 1,
        Expand::Section => usize::MAX,
    };
    let Some(at) = chunks.iter().position(|c| c.id == chunk.id) else { return chunk.span };
    let mut span = chunk.span;
    let (mut before, mut after) = (true, true);
    for step in 1..=reach {
        // One more on either side; a side that ended, or would be too much, stays as it is.
        for (open, neighbour) in [
            (&mut before, at.checked_sub(step).and_then(|i| chunks.get(i))),
            (&mut after, at.checked_add(step).and_then(|i| chunks.get(i))),
        ] {
            let wider = neighbour
                .filter(|n| *open && n.path == chunk.path)
                .map(|n| Span { start: span.start.min(n.span.start), end: span.end.max(n.span.end) });
            match wider.filter(|s| tokens(s.slice(&document.text)) <= most) {
                Some(wider) => span = wider,
                None => *open = false,
            }
        }
        if !before && !after {
            break;
        }
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Format, Language, Metadata};

    /// Three chunks under one heading, a fourth under another; ten letters each.
    fn document() -> (Document, Vec<Chunk>) {
        let document = Document {
            id: "d".into(),
            source: "d.md".into(),
            format: Format::Markdown,
            title: "T".into(),
            language: Language::En,
            metadata: Metadata::default(),
            text: "abcdefghi ".repeat(4),
            units: Vec::new(),
            sections: Vec::new(),
        };
        let chunk = |i: usize| Chunk {
            id: i as u64,
            doc_id: "d".into(),
            ordinal: i as u32,
            span: Span { start: i * 10, end: i * 10 + 9 },
            path: vec![if i < 3 { "one" } else { "two" }.into()],
            page: None,
        };
        (document, (0..4).map(chunk).collect())
    }

    fn shown(chunk: usize, how: Expand, most: usize) -> (usize, usize) {
        let (document, chunks) = document();
        let span = expanded(&document, &chunks, &chunks[chunk], how, most);
        (span.start, span.end)
    }

    #[test]
    fn neighbours_and_sections_end_at_the_heading() {
        assert_eq!(shown(2, Expand::None, 100), (20, 29));
        assert_eq!(shown(2, Expand::Neighbours, 100), (10, 29));
        assert_eq!(shown(1, Expand::Neighbours, 100), (0, 29));
        assert_eq!(shown(2, Expand::Section, 100), (0, 29));
        assert_eq!(shown(3, Expand::Section, 100), (30, 39));
    }

    #[test]
    fn the_limit_holds_but_never_cuts_the_chunk() {
        assert_eq!(shown(1, Expand::Section, 4), (0, 19));
        assert_eq!(shown(1, Expand::Section, 1), (10, 19));
    }
}
