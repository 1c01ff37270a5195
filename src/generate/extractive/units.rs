//! A figure of a question in another unit is another figure: `25 kV/cm` is not `25 °C`.

use std::collections::HashSet;

use super::candidates::{Candidate, Kind};
use crate::text::coverage::term_set;
use crate::text::{Figure, figures, rows};

/// Takes from candidates the digits that a question gives with a unit where they stand with other units only. Figures without a
/// unit that is recognised, here or there, are left alone.
pub(super) fn without_figures_of_other_units(candidates: &mut [Candidate<'_>], asked: &[Figure]) {
    for figure in asked {
        let same: Vec<&str> = asked.iter().filter(|f| digits(f) == digits(figure)).map(|f| f.unit.as_str()).collect();
        if same.contains(&"") {
            continue;
        }
        let terms: HashSet<String> = term_set(digits(figure));
        for c in candidates.iter_mut().filter(|c| terms.iter().any(|term| c.terms.contains(term))) {
            let held = units(c, digits(figure));
            let is_another = |unit: &String| !unit.is_empty() && same.iter().all(|s| measured(s) != measured(unit));
            if !held.is_empty() && held.iter().all(is_another) {
                c.terms.retain(|term| !terms.contains(term));
            }
        }
    }
}

fn digits(figure: &Figure) -> &str {
    figure.digits.trim_start_matches('-')
}

/// The units in which a candidate gives these digits; of a cell without one, that of its column.
fn units(c: &Candidate<'_>, wanted: &str) -> Vec<String> {
    let units = |text: &str, column: &str| -> Vec<String> {
        let found = figures(text).into_iter().filter(|f| digits(f) == wanted);
        found.map(|f| if f.unit.is_empty() { column.to_owned() } else { f.unit }).collect()
    };
    if c.kind != Kind::Row {
        return units(c.text, "");
    }
    let mut names = rows::cells(c.header);
    rows::cells(c.text).flat_map(|cell| units(cell, &names.next().map(unit_of_column).unwrap_or_default())).collect()
}

/// The unit in brackets behind the name of a column: `Pressure (MPa)`; empty where none is recognised.
fn unit_of_column(name: &str) -> String {
    let inside = name.trim().strip_suffix([')', ']']).and_then(|name| name.rsplit_once(['(', '[']));
    let one = inside.map(|(_, unit)| format!("1 {}", unit.trim())).unwrap_or_default();
    figures(&one).into_iter().find(|f| f.span == (0..one.len())).map(|f| f.unit).unwrap_or_default()
}

/// What a unit measures by: units that are written for each other are one.
fn measured(unit: &str) -> &str {
    match unit.split('/').next().unwrap_or_default() {
        "%p" => "%",
        "K" | "°" => "°C",
        "ppm" => "mg",
        "백만원" => "million",
        "명" | "건" => "개",
        unit => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidates::candidates;
    use super::super::wanted::Fields;
    use super::*;
    use crate::generate::Evidence;
    use crate::text::coverage::Coverage;

    /// True where the only candidate of a text still has `40` for this question.
    fn keeps_it(question: &str, text: &str) -> bool {
        let evidence = Evidence { n: 1, heading: "Filters".into(), text, header: None };
        let mut found = candidates(&evidence, 0, &Fields::of("", Coverage::of_question("", &[])));
        without_figures_of_other_units(&mut found, &figures(question));
        assert_eq!(found.len(), 1, "{text}");
        found[0].terms.contains("40")
    }

    #[test]
    fn digits_match_in_their_own_unit() {
        let question = "What did the filter lose at 40 kPa?";
        assert!(!keeps_it(question, "The slurry held 40 % solids."));
        assert!(keeps_it(question, "The filter lost 12 % at 40 kPa."));
        assert!(keeps_it(question, "The filter lost 40 % at 40 kPa."));
        assert!(keeps_it(question, "The filter of line 40 lost 12 %."), "a unit that is not known");
        assert!(keeps_it("What did the filter lose in 40 runs?", "The slurry held 40 % solids."));
        assert!(keeps_it("What was lost at 40 kPa, and with 40 % solids?", "The slurry held 40 % solids."));
        assert!(keeps_it("At 40 mg/L?", "The slurry held 40 ppm of salt."), "written for each other");
    }

    #[test]
    fn a_cell_has_the_unit_of_its_column() {
        let table = |column: &str| format!("| Line | {column} |\n|---|---|\n| north line | 40 |\n");
        for (column, is_kept) in
            [("Pressure (kPa)", true), ("Solids (%)", false), ("Solids", true), ("Age [days]", false)]
        {
            let question = "Which line ran at 40 kPa?";
            assert_eq!(keeps_it(question, &table(column)), is_kept, "{column}");
        }
    }
}
