//! A question for the most or the least of a table of which an answer shows some rows: nobody has compared them.
//!
//! In: the question and what the answer cites. Out: how many rows of such a table are shown, and how many it has.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Cited;
use crate::document::Span;
use crate::text::rows;

/// Rows shown, and rows that the table has in the cited passage, of the first table that is not shown whole.
pub(super) fn compared(question: &str, cited: &[Cited<'_>]) -> Option<(usize, usize)> {
    if !asks_for_an_extreme(question) {
        return None;
    }
    let table_of = |c: &Cited<'_>| Some((c.passage.n, rows_around(&c.passage.text, c.span)?));
    let tables: Vec<(usize, Vec<Range<usize>>)> = cited.iter().filter_map(table_of).collect();
    tables.iter().find_map(|(n, table)| {
        let places = cited.iter().filter(|c| c.passage.n == *n).map(|c| c.span.start);
        let shown: BTreeSet<usize> = places.filter_map(|at| table.iter().position(|row| row.contains(&at))).collect();
        (shown.len() < table.len()).then_some((shown.len(), table.len()))
    })
}

/// The most or the least of something; `at least` and `most of` ask for none.
fn asks_for_an_extreme(question: &str) -> bool {
    const EXTREMES: [&str; 18] = [
        "highest",
        "lowest",
        "largest",
        "smallest",
        "longest",
        "shortest",
        "greatest",
        "fewest",
        "best",
        "worst",
        "cheapest",
        "thickest",
        "thinnest",
        "strongest",
        "weakest",
        "fastest",
        "slowest",
        "biggest",
    ];
    let lowered = question.to_lowercase();
    let words: Vec<&str> = lowered.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_extreme = |i: usize, word: &str| match word {
        "most" | "least" => !(i > 0 && words[i - 1] == "at") && words.get(i + 1) != Some(&"of"),
        "가장" | "제일" => true,
        _ => EXTREMES.contains(&word),
    };
    words.iter().enumerate().any(|(i, word)| is_extreme(i, word))
}

/// The bytes of the rows of the table that holds this row of a text, without its header and rules; none where it is no row.
fn rows_around(text: &str, row: Span) -> Option<Vec<Range<usize>>> {
    if !rows::is_row(row.slice(text)) {
        return None;
    }
    let (mut table, mut begin) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let place = begin..begin + line.len();
        begin = place.end;
        if !rows::is_row(line) {
            if place.start > row.start {
                break;
            }
            table.clear();
        } else if !rows::is_rule(line) && !rows::is_header(text, place.start) {
            table.push(place);
        }
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cited, cited_at};
    use super::*;
    use crate::document::Passage;

    const TABLE: &str = "Cells count.\n| Kiln | Cracks |\n|---|---|\n| A | 7 |\n| B | 19 |\n| C | 2 |\n\n| D | 40 |\n";

    fn compared_in(question: &str, quotes: &[&str]) -> Option<(usize, usize)> {
        let passage = Passage::whole(1, "Kilns", TABLE);
        let cited = quotes.iter().map(|quote| cited(quote, &passage));
        compared(question, &cited.collect::<Vec<_>>())
    }

    #[test]
    fn rows_of_a_table_that_are_not_shown_are_told_where_an_extreme_is_asked_for() {
        assert_eq!(compared_in("Which kiln had the most cracks?", &["| A | 7 |", "| C | 2 |"]), Some((2, 3)));
        assert_eq!(compared_in("균열이 가장 적은 가마는?", &["| B | 19 |"]), Some((1, 3)));
        assert_eq!(compared_in("균열이 가장 적은 가마는?", &["| A | 7 |", "| B | 19 |", "| C | 2 |"]), None);
        assert_eq!(compared_in("Which kiln had the most cracks?", &["Cells count."]), None, "no row");
        assert_eq!(compared_in("Which kiln had the most cracks?", &["| D | 40 |"]), None, "a table of one row");
    }

    #[test]
    fn of_a_row_that_stands_in_two_tables_the_one_is_counted_that_is_cited() {
        let text = "| Kiln | Cracks |\n|---|---|\n| A | 7 |\n| B | 19 |\n| C | 2 |\n\nNext winter.\n\n\
                    | Kiln | Cracks |\n|---|---|\n| A | 7 |\n| B | 3 |\n";
        let (passage, row) = (Passage::whole(1, "Kilns", text), "| A | 7 |");
        let compared = |start: usize| compared("Which kiln had the most cracks?", &[cited_at(start, row, &passage)]);
        assert_eq!(compared(text.find(row).unwrap()), Some((1, 3)));
        assert_eq!(compared(text.rfind(row).unwrap()), Some((1, 2)));
    }

    #[test]
    fn a_bound_and_a_share_are_no_extremes() {
        for question in ["Which kiln had at least 5 cracks?", "Where were most of the cracks?", "A의 균열 수는?", ""]
        {
            assert_eq!(compared_in(question, &["| A | 7 |"]), None, "{question}");
        }
    }
}
