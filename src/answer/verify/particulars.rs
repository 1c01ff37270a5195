//! The particulars of a text, which no other words can say: figures, and names written in capitals or with digits.
//!
//! ```text
//! "NCM811 kept 1,200 mAh at DC-2308" -> figures 811, 1200, 2308; names NCM811, DC-2308
//! ```

use std::collections::BTreeSet;

/// Names written in capitals or with digits (`LFP`, `NCM811`, `DC-2308`), in order; a unit behind a figure is none.
pub(super) fn names(text: &str) -> Vec<&str> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut names = Vec::new();
    let mut behind_figure = false;
    for word in text.split(|c: char| !of_name(c) && c != '.' && c != ',') {
        if word.is_empty() {
            continue;
        }
        let name = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let capitals = name.chars().filter(char::is_ascii_uppercase).count();
        let digits = name.contains(|c: char| c.is_ascii_digit());
        // `58F`, `3C`: a figure with its unit.
        let figure = name.starts_with(|c: char| c.is_ascii_digit());
        if !figure
            && !name.contains(['.', ','])
            && (capitals > 1 || (capitals == 1 && digits))
            && !(behind_figure && !digits)
        {
            names.push(name);
        }
        behind_figure = figure;
    }
    names
}

/// The figures of a text: runs of digits with their decimal part, thousands separators removed.
pub(super) fn figures(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let chars: Vec<char> = text.chars().collect();
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let mut i = 0;
    while i < chars.len() {
        if !digit(i) {
            i += 1;
            continue;
        }
        let mut figure = String::new();
        while digit(i) || (matches!(chars.get(i), Some('.' | ',')) && digit(i + 1) && !figure.is_empty()) {
            if chars[i] != ',' {
                figure.push(chars[i]);
            }
            i += 1;
        }
        out.insert(figure);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_capitals_and_codes_but_not_units() {
        let text = "The LFP cells (NCM811, DC-2308) of Tessaly kept 80 % at 3 MPa and 5.6 GWh; BMS의 C3-sample, 3C, 0.5C, U.S. AI.";
        assert_eq!(names(text), ["LFP", "NCM811", "DC-2308", "BMS", "C3-sample", "AI"]);
        assert!(names("Calcium above 0.15 wt% lowered it. 리튬은 남았다.").is_empty());
    }

    #[test]
    fn figures_ignore_thousands_separators() {
        assert_eq!(figures("1,200 mAh at 4.35 V").into_iter().collect::<Vec<_>>(), ["1200", "4.35"]);
    }
}
