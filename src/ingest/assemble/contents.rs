//! Tables of contents: runs of lines that end in a page number.

use std::sync::LazyLock;

use regex::Regex;

/// Lines in a row that end in a page number make a table of contents.
const CONTENTS_RUN: usize = 4;

/// Takes away runs of lines that end in a page number after dots or, below the heading of a table of contents, after one `…` or on
/// pages a wide gap: elsewhere these stand in ranges and between the cells of a table. `goes_on` says that the page before ended in
/// such a run; gives back whether this one does.
pub(super) fn remove_contents(page: &mut Vec<String>, paged: bool, goes_on: bool) -> bool {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:\.{3,}|…+|·{3,}|(?:\. ){3,}| {4,})[\s|*.]*([0-9]{1,4}|[ivxl]{1,6})\**\s*\|?$")
            .expect("a constant pattern")
    });
    let entry = |line: &String| -> Option<Entry> {
        let found = ENTRY.captures(line)?;
        let dotted = ["...", "……", "···", ". . ."].iter().any(|dots| found[0].contains(dots));
        let is_entry = dotted || found[0].contains('…') || (paged && !line.trim_start().starts_with('|'));
        // Roman numerals number what comes before the first page.
        is_entry.then(|| Entry { dotted, page: found[1].parse().unwrap_or(0) })
    };
    let entries: Vec<Option<Entry>> = page.iter().map(entry).collect();
    let blank: Vec<bool> = page.iter().map(|l| l.trim().is_empty()).collect();
    let mut remove = vec![false; page.len()];
    let mut ends_in_contents = false;
    let mut i = 0;
    while i < page.len() {
        let mut end = i;
        let mut run: Vec<&Entry> = Vec::new();
        while end < page.len() && (entries[end].is_some() || (blank[end] && !run.is_empty())) {
            run.extend(&entries[end]);
            end += 1;
        }
        if run.len() >= CONTENTS_RUN {
            let above = (0..i).rev().find(|h| !blank[*h]);
            let heading = above.filter(|h| is_contents_heading(&page[*h]));
            let is_below = heading.is_some() || (above.is_none() && goes_on);
            let in_order = run.is_sorted_by_key(|entry| entry.page);
            let dotted = run.iter().all(|entry| entry.dotted);
            let is_contents = if dotted { is_below || in_order } else { is_below && in_order };
            if is_contents {
                remove[i..end].fill(true);
                ends_in_contents = end == page.len();
                // The heading of the table goes with it.
                if let Some(h) = heading {
                    remove[h] = true;
                }
            }
        }
        i = end.max(i + 1);
    }
    let mut keep = remove.iter().map(|r| !r);
    page.retain(|_| keep.next().unwrap_or(true));
    ends_in_contents
}

/// A line of a table of contents.
struct Entry {
    /// Several dots lead to the number, not one `…` or a gap alone.
    dotted: bool,
    page: u32,
}

fn is_contents_heading(line: &str) -> bool {
    let word: String = line.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    matches!(word.as_str(), "목차" | "차례" | "contents" | "tableofcontents" | "표목차" | "그림목차")
}

#[cfg(test)]
mod tests {
    use super::super::assemble;
    use super::super::tests::{paged, pages};
    use crate::document::UnitKind;

    #[test]
    fn a_table_of_contents_goes_with_its_heading() {
        let text = "# 목차\n\n1. 서론 ........ 1\n2. 실험 ........ 4\n3. 결과 ........ 9\n4. 결론 ........ 12\n\n# 서론\n\n본문이다.\n";
        let document = assemble(pages(UnitKind::Body, &[text]), "r.md", None);
        assert!(!document.text.contains("목차") && !document.text.contains("...."), "{}", document.text);
        assert_eq!(document.title, "서론");
    }

    #[test]
    fn rows_and_lines_with_a_wide_gap_are_no_table_of_contents() {
        let table = "| Cell           | Loss |\n|----------------|------|\n| A1             |    3 |\n| A2             |    4 |\n| A3             |    5 |\n| A4             |    6 |";
        let data = "Temperature    25\nPressure    30\nHumidity    40\nFlow    55";
        for text in [table, data] {
            for kind in [UnitKind::Body, UnitKind::Page] {
                assert_eq!(assemble(pages(kind, &[text]), "r", None).text.trim(), text, "{kind:?}");
            }
        }
        let listed = "Contents\n\nTemperature    25\nPressure    30\nHumidity    28\nFlow    55";
        assert_eq!(paged(&[listed]).trim(), listed, "its numbers go down");
        let dotted = "Cells    ...... 25\nRuns ...... 3\nDays ...... 40\nTests ...... 2";
        assert_eq!(paged(&[dotted]).trim(), dotted);
    }

    #[test]
    fn a_table_of_contents_by_gaps_goes_from_its_heading_over_the_end_of_the_page() {
        let first = "Contents\n\n1 Aims    1\n2 Kilns    4\n3 Glazes    9\n4 Firing    12";
        let second = "5 Gas    15\n6 Cost    20\n7 Waste    22\n8 Outlook    30\n\nThe kiln was fired.";
        assert_eq!(paged(&[first, second]).trim(), "The kiln was fired.");
        let short = "1 … 10\n2 … 20\n3 … 30\n4 … 40\n\nThe kiln was fired.";
        assert_eq!(paged(&[short]).trim(), short);
        assert_eq!(paged(&[format!("Contents\n\n{short}").as_str()]).trim(), "The kiln was fired.");
    }
}
