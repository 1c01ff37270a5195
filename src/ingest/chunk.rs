//! From a document to chunks: what is indexed, retrieved and cited as one.
//!
//! A chunk never leaves its section, so its heading path holds for all of it. Inside a section the
//! Markdown structure decides (tables, lists and paragraphs whole where they fit, then sentences,
//! then words). A section that is only a heading gives no chunk where the heading stands in the path
//! of the section below it; else (a statement in an outline, a slide with nothing but a title) it is one.

use sha2::{Digest, Sha256};
use text_splitter::{ChunkCapacity, ChunkConfig, ChunkSizer, MarkdownSplitter};

use crate::document::{Chunk, Document, Section, Span};
use crate::text::tokens;

/// How large chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Upper bound in tokens (of our own estimate: see [`tokens`]).
    pub max_tokens: usize,
    /// Chunks are filled at least this far where the structure allows.
    pub min_tokens: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        ChunkOptions { max_tokens: 384, min_tokens: 192 }
    }
}

/// Cuts a document along its sections; never across one.
///
/// Spans are in order, disjoint, trimmed, and together cover every visible character except those of
/// headings without text that the next section's path repeats. Only a heading longer than half of
/// `max_tokens` may be cut from its text.
pub fn chunk(document: &Document, options: ChunkOptions) -> Vec<Chunk> {
    let sections = &document.sections;
    let next = sections.iter().skip(1).map(Some).chain([None]);
    let found = sections.iter().zip(next).flat_map(|(section, next)| {
        let is_repeated = !section.path.is_empty() && next.is_some_and(|next| next.path.starts_with(&section.path));
        split_section(&document.text, section, options, is_repeated).into_iter().map(move |span| (section, span))
    });
    let chunks = (0u32..).zip(found).map(|(ordinal, (section, span))| Chunk {
        id: chunk_id(&document.id, ordinal),
        doc_id: document.id.clone(),
        ordinal,
        span,
        path: section.path.clone(),
        page: document.page_at(span.start),
    });
    chunks.collect()
}

/// The point id of a chunk: the first eight bytes, big endian, of SHA-256 of `doc_id:ordinal`, with
/// the top bit cleared so that it fits a signed database column.
fn chunk_id(doc_id: &str, ordinal: u32) -> u64 {
    let digest = Sha256::digest(format!("{doc_id}:{ordinal}"));
    let first = digest.iter().take(8).fold(0u64, |id, &byte| (id << 8) | u64::from(byte));
    first & (u64::MAX >> 1)
}

/// `is_repeated` says that the heading stands elsewhere, too.
fn split_section(text: &str, section: &Section, options: ChunkOptions, is_repeated: bool) -> Vec<Span> {
    let whole = trim(text, section.span);
    let body = trim(text, Span { start: whole.start + heading_len(whole.slice(text), section), end: whole.end });
    let heading_tokens = tokens(&text[whole.start..body.start]);
    if whole.is_empty() || (body.is_empty() && is_repeated) {
        return Vec::new();
    }
    if body.is_empty() || heading_tokens * 2 > options.max_tokens {
        return split(text, whole, options.min_tokens, options.max_tokens);
    }
    // Room is kept for the heading, which goes with the first chunk.
    let max = options.max_tokens - heading_tokens;
    let mut spans = split(text, body, options.min_tokens, max);
    if let Some(first) = spans.first_mut() {
        first.start = whole.start;
    }
    spans
}

/// Bytes of the section's own heading line at its start, 0 if it has none.
fn heading_len(text: &str, section: &Section) -> usize {
    let line = text.lines().next().unwrap_or("");
    let rest = line.trim_start_matches('#');
    let marked = (1..=6).contains(&(line.len() - rest.len())) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    let named = section.path.last().is_some_and(|heading| heading.trim() == line.trim());
    if marked || named { line.len() } else { 0 }
}

fn split(text: &str, span: Span, min_tokens: usize, max_tokens: usize) -> Vec<Span> {
    let max = max_tokens.max(1);
    let capacity =
        ChunkCapacity::new(min_tokens.clamp(1, max)).with_max(max).expect("the least is clamped to the most");
    let splitter = MarkdownSplitter::new(ChunkConfig::new(capacity).with_sizer(Tokens));
    let mut spans = Vec::new();
    for window in windows(text, span) {
        let pieces = splitter.chunk_indices(window.slice(text));
        let found = pieces.map(|(at, piece)| Span { start: window.start + at, end: window.start + at + piece.len() });
        for piece in found.map(|s| trim(text, s)).filter(|s| !s.is_empty()) {
            join_or_push(text, piece, min_tokens, max, &mut spans);
        }
    }
    spans
}

/// Adds a piece, or lengthens the one before where one of the two is a remnant and both fit together.
fn join_or_push(text: &str, piece: Span, min_tokens: usize, max: usize, spans: &mut Vec<Span>) {
    let is_remnant = |s: Span| tokens(s.slice(text)) < min_tokens / 2;
    if let Some(last) = spans.last_mut() {
        let both = Span { start: last.start, end: piece.end };
        if (is_remnant(*last) || is_remnant(piece)) && tokens(both.slice(text)) <= max {
            *last = both;
            return;
        }
    }
    spans.push(piece);
}

/// Bytes the splitter sees at once. Its time grows with the square of text that has no structure.
const WINDOW: usize = 32 << 10;

/// Cuts a long span at blank lines, or else line ends, or else spaces, into windows.
fn windows(text: &str, span: Span) -> Vec<Span> {
    let mut windows = Vec::new();
    let mut rest = span;
    while rest.len() > WINDOW {
        let limit = text.floor_char_boundary(rest.start + WINDOW);
        let head = &text[rest.start..limit];
        // A cut in the first half would leave the window nearly empty.
        let far = |at: &usize| *at > WINDOW / 2;
        let blank_line = head.rfind("\n\n").filter(far);
        let cut = blank_line.or_else(|| head.rfind('\n').filter(far)).or_else(|| head.rfind(' ').filter(far));
        let end = rest.start + cut.unwrap_or(head.len());
        windows.push(Span { start: rest.start, end });
        rest.start = end;
    }
    windows.push(rest);
    windows
}

struct Tokens;

impl ChunkSizer for Tokens {
    fn size(&self, chunk: &str) -> usize {
        tokens(chunk)
    }
}

fn trim(text: &str, span: Span) -> Span {
    let slice = span.slice(text);
    let start = span.start + (slice.len() - slice.trim_start().len());
    Span { start, end: start + slice.trim().len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{Format, Language, Metadata, Unit, UnitKind};

    /// A document whose sections begin at its `#` lines and whose pages begin at the given bytes.
    fn document(text: &str, pages: &[usize]) -> Document {
        let mut starts = vec![0];
        starts.extend(text.match_indices("\n#").map(|(i, _)| i + 1));
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let sections = starts.iter().zip(ends).map(|(&start, end)| {
            let heading = text[start..end].lines().next().unwrap_or("").strip_prefix("# ");
            Section { path: heading.map(str::to_owned).into_iter().collect(), span: Span { start, end } }
        });
        let page_ends = pages.iter().skip(1).copied().chain([text.len()]);
        let units = (1..).zip(pages.iter().zip(page_ends)).map(|(number, (&start, end))| Unit {
            kind: UnitKind::Page,
            number,
            label: None,
            span: Span { start, end },
        });
        Document {
            id: "0123456789abcdef".into(),
            source: "a.md".into(),
            format: Format::Markdown,
            title: "A".into(),
            language: Language::Other,
            metadata: Metadata::default(),
            text: text.into(),
            units: units.collect(),
            sections: sections.collect(),
        }
    }

    fn texts<'d>(document: &'d Document, chunks: &[Chunk]) -> Vec<&'d str> {
        chunks.iter().map(|c| c.span.slice(&document.text)).collect()
    }

    const SMALL: ChunkOptions = ChunkOptions { max_tokens: 20, min_tokens: 10 };

    #[test]
    fn a_heading_goes_with_its_text_and_a_bare_one_is_a_chunk_unless_the_next_path_holds_it() {
        let text = format!("# Part\n\n# Aims\n\n{}\n\n# It lasts 300 cycles\n\n# End\n", "one two. ".repeat(20));
        let mut document = document(&text, &[0]);
        document.sections[1].path.insert(0, "Part".into());
        let chunks = chunk(&document, SMALL);
        assert!(chunks.len() > 3);
        assert!(texts(&document, &chunks)[0].starts_with("# Aims\n\none two"));
        assert_eq!(texts(&document, &chunks)[chunks.len() - 2..], ["# It lasts 300 cycles", "# End"]);
        let paths: Vec<String> = chunks.iter().map(|c| c.path.join("/")).collect();
        assert_eq!((paths[0].as_str(), paths[paths.len() - 2].as_str()), ("Part/Aims", "It lasts 300 cycles"));
    }

    #[test]
    fn a_document_of_headings_alone_can_still_be_found() {
        let document = document("# Only a title", &[0]);
        assert_eq!(texts(&document, &chunk(&document, SMALL)), ["# Only a title"]);
    }

    #[test]
    fn a_table_that_fits_stays_whole() {
        let table = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |";
        let text = format!("# T\n\n{}\n\n{table}\n\n{}", "word ".repeat(35), "tail ".repeat(35));
        let document = document(&text, &[0]);
        let chunks = chunk(&document, ChunkOptions { max_tokens: 40, min_tokens: 20 });
        assert!(texts(&document, &chunks).iter().any(|c| c.contains(table)), "{:?}", texts(&document, &chunks));
    }

    #[test]
    fn a_short_remnant_joins_its_neighbour() {
        let text = format!("{}\n\n{}\n\nlast words", "one ".repeat(12), "two ".repeat(12));
        let document = document(&text, &[0]);
        let chunks = chunk(&document, SMALL);
        assert_eq!(chunks.len(), 2);
        assert!(texts(&document, &chunks)[1].ends_with("last words"));
    }

    #[test]
    fn a_long_text_without_structure_is_cut_at_words() {
        let text = "word ".repeat(20_000);
        let document = document(&text, &[0]);
        let chunks = chunk(&document, SMALL);
        assert!(chunks.len() >= 1_000);
        assert!(texts(&document, &chunks).iter().all(|c| c.split(' ').all(|w| w == "word")));
    }

    #[test]
    fn the_page_is_that_of_the_first_visible_byte() {
        let text = "# A\n\nfirst page text\n\n# B\n\nsecond page text";
        let document = document(text, &[0, text.find("\n\n# B").expect("it is there")]);
        let pages: Vec<Option<u32>> = chunk(&document, SMALL).iter().map(|c| c.page).collect();
        assert_eq!(pages, [Some(1), Some(2)]);
    }

    #[test]
    fn ids_depend_on_document_and_ordinal_only() {
        assert_eq!(chunk_id("0123456789abcdef", 0), chunk_id("0123456789abcdef", 0));
        assert_ne!(chunk_id("0123456789abcdef", 0), chunk_id("0123456789abcdef", 1));
        // python3 -c "import hashlib; print(int.from_bytes(hashlib.sha256(b'abc:7').digest()[:8],'big') & (1<<63)-1)"
        assert_eq!(chunk_id("abc", 7), 3_787_764_931_056_613_112);
    }

    proptest! {
        #[test]
        fn chunks_are_ordered_bounded_and_cover_every_visible_character(
            text in "(# [A-Za-z가-힣]{1,12}\n|[A-Za-z]{1,9} |[가-힣]{1,6} |[0-9]{1,5}|\n|\n\n|- |\\| a \\| b \\|\n|\\|-\\|-\\|\n|\\. |```\n|> |\\PC){0,120}",
            max_tokens in 12usize..60,
        ) {
            let document = document(&text, &[0]);
            let chunks = chunk(&document, ChunkOptions { max_tokens, min_tokens: max_tokens / 2 });
            let mut before = 0;
            let mut uncovered = vec![];
            for c in &chunks {
                prop_assert!(before <= c.span.start && c.span.start < c.span.end);
                let slice = text.get(c.span.start..c.span.end).expect("on character boundaries");
                prop_assert_eq!(slice, slice.trim());
                prop_assert!(document.sections.iter().any(|s| s.span.start <= c.span.start && c.span.end <= s.span.end));
                prop_assert!(tokens(slice) <= max_tokens, "{} tokens in {:?}", tokens(slice), slice);
                uncovered.push(Span { start: before, end: c.span.start });
                before = c.span.end;
            }
            uncovered.push(Span { start: before, end: text.len() });
            let in_a_path = |line: &str| {
                let heading = line.trim_start().strip_prefix("# ");
                heading.is_some_and(|heading| chunks.iter().any(|c| c.path.iter().any(|h| h == heading)))
            };
            for line in uncovered.iter().flat_map(|gap| gap.slice(&text).lines()) {
                prop_assert!(line.trim().is_empty() || in_a_path(line), "lost {:?}", line);
            }
        }
    }
}
