//! Tidies the Markdown tables of a page: rows and columns that are blank throughout go, and a blank head gives its place
//! to the first row that says something. Cells are not touched.

/// Tidies every table among the lines of a page.
pub(super) fn tidy(page: &mut Vec<String>) {
    let mut out: Vec<String> = Vec::with_capacity(page.len());
    let mut rest = page.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|l| l.starts_with('|')).count();
        if length < 3 {
            out.push(first.clone());
            rest = &rest[1..];
            continue;
        }
        let (table, after) = rest.split_at(length);
        match tidied(table) {
            Some(lines) => out.extend(lines),
            None => out.extend_from_slice(table),
        }
        rest = after;
    }
    *page = out;
}

/// The table's lines; `None` when it stays as it is, or is not one with a head and a rule below it.
fn tidied(lines: &[String]) -> Option<Vec<String>> {
    let rows: Vec<Vec<&str>> = lines.iter().map(|l| cells(l)).collect::<Option<_>>()?;
    let width = rows.iter().map(Vec::len).max()?;
    let rule = |row: &[&str]| row.iter().all(|c| c.contains('-') && c.chars().all(|c| matches!(c, '-' | ':')));
    if !rule(rows.get(1)?) || rows.iter().skip(2).any(|r| rule(r)) {
        return None;
    }
    let blank = |row: &[&str]| row.iter().all(|c| c.is_empty());
    let kept: Vec<&Vec<&str>> =
        rows.iter().enumerate().filter(|(i, row)| *i != 1 && !blank(row)).map(|(_, row)| row).collect();
    let mut is_filled = vec![false; width];
    for row in &kept {
        row.iter().zip(&mut is_filled).for_each(|(cell, filled)| *filled |= !cell.is_empty());
    }
    let columns: Vec<usize> = (0..width).filter(|c| is_filled[*c]).collect();
    if kept.len() + 1 == rows.len() && columns.len() == width {
        return None;
    }
    // A row may be short; padded to the widest, a table could grow with the square of its length.
    let line = |row: &[&str]| {
        let cells: Vec<&str> = columns.iter().map_while(|c| row.get(*c).copied()).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut out = Vec::with_capacity(kept.len() + 1);
    for (i, row) in kept.into_iter().enumerate() {
        if i == 0 {
            // The rule is as wide as the head.
            let mut head = row.clone();
            head.resize(width, "");
            out.extend([line(&head), format!("|{}", "---|".repeat(columns.len()))]);
        } else {
            out.push(line(row));
        }
    }
    Some(out)
}

/// The cells of a row, trimmed. `None` where an escaped bar makes them hard to tell apart.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    (!inner.contains("\\|") && !inner.contains('`')).then(|| inner.split('|').map(str::trim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(text: &str) -> String {
        let mut page: Vec<String> = text.lines().map(str::to_owned).collect();
        tidy(&mut page);
        page.join("\n")
    }

    #[test]
    fn blank_rows_and_columns_go_and_the_first_row_becomes_the_head() {
        let table = "text\n|  |  |  |\n| --- | --- | --- |\n| cell |  | value |\n|  |  |  |\n| A1 |  | 3 |\nafter";
        assert_eq!(tidied(table), "text\n| cell | value |\n|---|---|\n| A1 | 3 |\nafter");
    }

    #[test]
    fn a_full_table_and_lines_that_are_none_stay() {
        for text in
            ["| a | b |\n| --- | --- |\n| 1 |  |", "| a \\| b |  |\n|---|---|\n|  |  |", "| x |\n| y |\n| z |\n"]
        {
            assert_eq!(tidied(text), text.trim_end());
        }
    }

    #[test]
    fn a_row_wider_than_the_head_keeps_its_cells_and_a_short_one_stays_short() {
        let table = "| a |  |\n|---|---|\n| 1 |  | 2 |\n| 3 |\n|  |  |";
        assert_eq!(tidied(table), "| a |  |\n|---|---|\n| 1 | 2 |\n| 3 |");
    }

    #[test]
    fn a_table_of_blanks_vanishes() {
        assert_eq!(tidied("| | |\n|---|---|\n| | |"), "");
    }
}
