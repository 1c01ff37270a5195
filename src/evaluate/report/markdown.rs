use std::fmt::Write;

use super::{Report, Table};
use crate::text::spaced;

/// Tables and cases; plots are in the HTML form only.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("# {}\n\n", report.title);
    for (name, value) in &report.facts {
        let _ = writeln!(out, "- {name}: {value}");
    }
    for section in &report.sections {
        let _ = write!(out, "\n## {}\n\n{}\n", section.heading, section.intro);
        section.tables.iter().for_each(|t| table(&mut out, t));
        if !section.cases.is_empty() {
            out.push_str("\n### 가장 나쁜 사례 · The worst cases\n");
        }
        for case in &section.cases {
            let _ = write!(out, "\n**{}** {}\n\n", case.id, case.why);
            let lines = [("Q", &case.question), ("A", &case.answer), ("정답 · reference", &case.reference)];
            for (label, text) in lines.into_iter().filter(|(_, t)| !t.is_empty()) {
                let _ = writeln!(out, "- {label}: {}", spaced(text));
            }
            for (label, text) in &case.passages {
                let _ = writeln!(out, "- {label}: {}", spaced(text));
            }
        }
    }
    out
}

fn table(out: &mut String, table: &Table) {
    if !table.caption.is_empty() {
        let _ = write!(out, "\n{}\n", table.caption);
    }
    let cells = |row: &[String]| row.iter().map(|c| spaced(c).replace('|', "\\|")).collect::<Vec<_>>().join(" | ");
    let _ = write!(out, "\n| {} |\n|{}\n", cells(&table.columns), "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let _ = writeln!(out, "| {} |", cells(row));
    }
}
