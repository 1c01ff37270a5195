//! Tables of HTML as Markdown tables: spans filled in, heads of several rows joined, tables for layout undone.

use std::rc::Rc;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::{Element, Node};
use markup5ever_rcdom::NodeData;

use crate::text::spaced;

/// A cell that spans rows is repeated in each, so that every row can be quoted alone; not if it is longer than this.
const REPEATED: usize = 80;
/// Widest table, in columns, and longest span of rows: more is not a table but an attack.
const COLUMNS: usize = 256;
const SPAN: usize = 4096;
/// Cells of one table that spans may fill.
const FILLED: usize = 100_000;

/// A cell as it stands in its row.
struct Cell {
    text: String,
    head: bool,
    columns: usize,
    rows: usize,
}

pub(super) fn table(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    let mut rows: Vec<(bool, Vec<Rc<Node>>)> = Vec::new();
    let mut captions = Vec::new();
    collect(element.node, false, &mut rows, &mut captions);
    let width = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let (nested, own) = (text_in_tables(element.node), text_length(element.node));
    let mut out = String::from("\n\n");
    for caption in captions {
        out.push_str(&format!("{}\n\n", handlers.walk_children(&caption).content.trim()));
    }
    if width <= 1 || nested * 2 > own {
        // A table for layout: its cells are blocks.
        for cell in rows.iter().flat_map(|(_, cells)| cells) {
            let content = handlers.walk_children(cell).content;
            if !content.trim().is_empty() {
                out.push_str(&format!("{}\n\n", content.trim()));
            }
        }
    } else {
        let rows = rows.into_iter().map(|(head, cells)| cells.iter().map(|c| cell(handlers, c, head)).collect());
        out.push_str(&markdown(rows.collect()));
        out.push('\n');
    }
    Some(out.into())
}

fn name(node: &Node) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => name.local.as_ref(),
        _ => "",
    }
}

/// Rows of this table, not of those inside it; true for rows in `thead`.
fn collect(node: &Rc<Node>, head: bool, rows: &mut Vec<(bool, Vec<Rc<Node>>)>, captions: &mut Vec<Rc<Node>>) {
    for child in node.children.borrow().iter() {
        match name(child) {
            "tr" => {
                let cells = child.children.borrow();
                let cells: Vec<Rc<Node>> = cells.iter().filter(|c| matches!(name(c), "td" | "th")).cloned().collect();
                if !cells.is_empty() {
                    rows.push((head, cells));
                }
            }
            "thead" => collect(child, true, rows, captions),
            "tbody" | "tfoot" => collect(child, false, rows, captions),
            "caption" => captions.push(child.clone()),
            _ => {}
        }
    }
}

fn text_length(node: &Node) -> usize {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().chars().filter(|c| !c.is_whitespace()).count(),
        _ => node.children.borrow().iter().map(|c| text_length(c)).sum(),
    }
}

fn text_in_tables(node: &Node) -> usize {
    let inside = |c: &Rc<Node>| if name(c) == "table" { text_length(c) } else { text_in_tables(c) };
    node.children.borrow().iter().map(inside).sum()
}

fn cell(handlers: &dyn Handlers, node: &Rc<Node>, head: bool) -> Cell {
    let span = |wanted: &str, most: usize| match &node.data {
        NodeData::Element { attrs, .. } => {
            let found = attrs.borrow().iter().find(|a| a.name.local.as_ref() == wanted).map(|a| a.value.to_string());
            found.and_then(|v| v.trim().parse::<usize>().ok()).unwrap_or(1).clamp(1, most)
        }
        _ => 1,
    };
    Cell {
        text: on_one_line(&handlers.walk_children(node).content),
        head: head || name(node) == "th",
        columns: span("colspan", COLUMNS),
        rows: span("rowspan", SPAN),
    }
}

/// Lists and tables in a cell become words in a row.
fn on_one_line(content: &str) -> String {
    let line = |line: &str| -> Option<String> {
        let line = line.trim();
        if line.starts_with("|-") {
            return None;
        }
        if let Some(row) = line.strip_prefix('|') {
            let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
            return Some(format!("{};", cells.join(", ")));
        }
        let item = line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")).unwrap_or(line);
        (!item.trim().is_empty()).then(|| item.trim().trim_start_matches('#').trim().to_owned())
    };
    let text = content.lines().filter_map(line).collect::<Vec<_>>().join(" ");
    spaced(text.trim_end_matches(';')).replace('|', "/")
}

fn markdown(rows: Vec<Vec<Cell>>) -> String {
    let heads = rows.iter().take_while(|row| row.iter().all(|c| c.head)).count().clamp(1, rows.len().max(1));
    let mut grid: Vec<Vec<Option<String>>> = vec![Vec::new(); rows.len()];
    let mut filled = 0;
    for (r, row) in rows.into_iter().enumerate() {
        let mut at = 0;
        for cell in row {
            while grid[r].get(at).is_some_and(Option::is_some) {
                at += 1;
            }
            if at + cell.columns > COLUMNS {
                break;
            }
            let short = cell.text.chars().count() <= REPEATED;
            let last = if filled < FILLED { (r + cell.rows).min(grid.len()) } else { r + 1 };
            filled += (last - r) * cell.columns;
            for (below, line) in grid[r..last].iter_mut().enumerate() {
                if line.len() < at + cell.columns {
                    line.resize(at + cell.columns, None);
                }
                for (right, place) in line[at..at + cell.columns].iter_mut().enumerate() {
                    // Over several columns only a head is repeated: it names each of them.
                    let repeat = (below == 0 || short) && (right == 0 || r < heads);
                    *place = Some(if repeat { cell.text.clone() } else { String::new() });
                }
            }
            at += cell.columns;
        }
    }
    let width = grid.iter().map(Vec::len).max().unwrap_or(0);
    let text = |row: &Vec<Option<String>>, column: usize| row.get(column).cloned().flatten().unwrap_or_default();
    let head: Vec<String> = (0..width)
        .map(|column| {
            let mut levels: Vec<String> = grid[..heads].iter().map(|row| text(row, column)).collect();
            levels.dedup();
            levels.retain(|l| !l.is_empty());
            levels.join(" ")
        })
        .collect();
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(width));
    for row in &grid[heads..] {
        let cells: Vec<String> = (0..row.len()).map(|column| text(row, column)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use htmd::HtmlToMarkdown;

    fn convert(html: &str) -> String {
        HtmlToMarkdown::builder().add_handler(vec!["table"], super::table).build().convert(html).unwrap()
    }

    #[test]
    fn spans_are_filled_so_that_every_row_stands_alone() {
        let html = "<table><thead><tr><th rowspan=2>Year</th><th colspan=2>Cells</th></tr><tr><th>made</th><th>sold</th></tr></thead>\
            <tr><td rowspan=2>2025</td><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr><tr><td colspan=2>none</td><td>5</td></tr></table>";
        let expected =
            "| Year | Cells made | Cells sold |\n|---|---|---|\n| 2025 | 1 | 2 |\n| 2025 | 3 | 4 |\n| none |  | 5 |";
        assert_eq!(convert(html), expected);
    }

    #[test]
    fn tables_for_layout_are_undone_and_small_ones_in_cells_are_lists() {
        let data = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>";
        assert_eq!(convert(&format!("<table><tr><td>{data}</td></tr></table>")), "| a | b |\n|---|---|\n| 1 | 2 |");
        let html = format!(
            "<table><tr><th>Name</th><th>What it says at length</th></tr><tr><td>long enough</td><td>see {data}</td></tr></table>"
        );
        assert!(convert(&html).contains("| long enough | see a, b; 1, 2 |"), "{}", convert(&html));
    }

    #[test]
    fn an_absurd_span_costs_nothing() {
        let html =
            "<table><tr><td colspan=999999999 rowspan=999999999>x</td><td>y</td></tr><tr><td>z</td></tr></table>";
        assert!(convert(html).len() < 20_000);
    }
}
