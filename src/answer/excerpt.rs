//! Which sentences does the small reader get to read?
//!
//! In: the passages, best first, the question taken apart, and how many tokens there are. Out: a text for each passage, its chosen
//! sentences in their order, empty where none was chosen. Chosen are those that [`ranked`] finds likeliest, and with
//! the likeliest of all the one that stands above it, which names what it speaks of. Knows nothing of prompts.

use std::collections::BTreeMap;

use crate::document::{Language, Span};
use crate::generate::{Evidence, ranked};
use crate::text::coverage::Coverage;
use crate::text::{rows, sentences};

/// The texts cut to `room` tokens in all, as `tokens` counts them.
pub(super) fn excerpts(
    evidence: &[Evidence<'_>],
    (question, language): (&str, Language),
    coverage: &Coverage,
    room: usize,
    tokens: &dyn Fn(&str) -> usize,
) -> Vec<String> {
    let mut ranked = ranked(question, coverage, evidence);
    if let Some(&(passage, first)) = ranked.first() {
        let above = sentences(evidence[passage].text).into_iter().take_while(|s| s.end <= first.start).last();
        if let Some(above) = above {
            ranked.insert(1, (passage, above));
        }
    }
    let (mut chosen, mut left) = (vec![BTreeMap::new(); evidence.len()], room);
    for (passage, span) in ranked {
        let shown = shown(&evidence[passage], span, language);
        // One for what stands between two sentences.
        let needed = tokens(&shown) + 1;
        if needed <= left && chosen[passage].insert(span.start, shown).is_none() {
            left -= needed;
        }
    }
    chosen.into_iter().map(|shown| shown.into_values().collect::<Vec<_>>().join("\n")).collect()
}

/// A sentence as it stands; a row with the names of its columns.
fn shown(evidence: &Evidence<'_>, span: Span, language: Language) -> String {
    let text = span.slice(evidence.text).trim();
    match rows::is_row(text) {
        true => rows::read(text, rows::header_of(evidence.text, span.start).or(evidence.header), language),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn cut(texts: [&str; 2], question: &str, room: usize) -> Vec<String> {
        let evidence: Vec<Evidence<'_>> = texts
            .into_iter()
            .zip(1..)
            .map(|(text, n)| Evidence { n, heading: String::new(), text, header: None })
            .collect();
        excerpts(&evidence, (question, Language::En), &Coverage::of_question(question, &[]), room, &words)
    }

    #[test]
    fn what_answers_comes_first_with_the_sentence_above_it_then_as_much_as_fits_in_order() {
        let long = "The pilot line opened late. Its owner is a foundation of two brothers. Nobody ever visited the pilot hall. The line had a yield of 91 percent.";
        let short = "A short note on other things.";
        let question = "What was the yield of the pilot line?";
        let nearest = "Nobody ever visited the pilot hall.\nThe line had a yield of 91 percent.";
        assert_eq!(cut([short, long], question, 17), ["", nearest]);
        let more = format!("The pilot line opened late.\n{nearest}");
        assert_eq!(cut([short, long], question, 23), ["", more.as_str()]);
    }

    #[test]
    fn a_row_is_shown_with_the_names_of_its_columns() {
        let table = "| Cell | Loss |\n|---|---|\n| A1 pouch cell | 3 % |\n| B7 coin cell | 4 % |\n";
        assert_eq!(cut([table, ""], "What is the loss of the B7 coin cell?", 8), ["Cell: B7 coin cell; Loss: 4 %", ""]);
    }

    #[test]
    fn no_room_leaves_nothing() {
        assert_eq!(cut(["The yield was 91 percent.", ""], "yield?", 2), ["", ""]);
    }
}
