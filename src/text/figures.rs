//! Figures with their units: `60 °C`, `500회`, `1,200 mAh/g`.
//!
//! By pattern, not by reading: a figure is a run of digits (thousands separators aside).

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

const UNIT: &str = r"(%p?|℃|°C|ppm|ppb|million|billion|years?|months?|days?|hours?|minutes?|seconds?|cycles?|times|tonnes?|won|euros?|dollars?|[kMG]?Pa|[kMG]?Wh(?:/(?:kg|L|l))?|mAh(?:/(?:g|cm2))?|[kMGm]?W|[mk]?V|[mk]?A|[kMG]?Hz|[mknμµ]?m|[mkμµ]?g|[mμµ]?L|kN|°|K|bar|억\s?원|만\s?원|백만\s?원|조\s?원|원|년|개월|월|일|시간|분|초|회|배|톤|명|개|건)";

static FIGURE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"(\d+(?:[.,]\d+)*)(?:\s?{UNIT})?")).expect("constant pattern"));

/// A figure of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Without thousands separators.
    pub digits: String,
    /// In one spelling; empty where none is recognised.
    pub unit: String,
    /// Where in the text (bytes), the unit included.
    pub span: Range<usize>,
}

/// The figures of a text, in order.
pub fn figures(text: &str) -> Vec<Figure> {
    let figure = |found: regex::Captures<'_>| {
        let digits = found.get(1)?;
        let unit = found.get(2).filter(|u| ends(text, u.as_str(), u.end()));
        let end = unit.map_or(digits.end(), |u| u.end());
        let unit = one_spelling(unit.map_or("", |u| u.as_str()));
        Some(Figure { digits: plain(digits.as_str()), unit, span: digits.start()..end })
    };
    FIGURE.captures_iter(text).filter_map(figure).collect()
}

/// `1,200` is 1200; `3,4` and `1,2,3` are lists, whose first figure stands for the rest here and there alike.
fn plain(digits: &str) -> String {
    let digits = digits.trim_end_matches(['.', ',']);
    let mut groups = digits.split(',');
    let first = groups.next().unwrap_or("");
    let thousands = groups.clone().all(|g| g.split('.').next().is_some_and(|whole| whole.len() == 3));
    if thousands { format!("{first}{}", groups.collect::<String>()) } else { digits.to_owned() }
}

/// A Latin unit must not be the beginning of a word (`5 month` is no metre).
fn ends(text: &str, unit: &str, at: usize) -> bool {
    !unit.ends_with(|c: char| c.is_ascii_alphabetic())
        || !text[at..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

fn one_spelling(unit: &str) -> String {
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    match unit.as_str() {
        "℃" | "°C" => "°C".into(),
        "년" | "year" | "years" => "년".into(),
        "개월" | "month" | "months" => "개월".into(),
        "일" | "day" | "days" => "일".into(),
        "시간" | "hour" | "hours" => "시간".into(),
        "분" | "minute" | "minutes" => "분".into(),
        "초" | "second" | "seconds" => "초".into(),
        "회" | "cycle" | "cycles" | "times" => "회".into(),
        "톤" | "tonne" | "tonnes" => "톤".into(),
        "원" | "won" => "원".into(),
        "euro" | "euros" => "euro".into(),
        "dollar" | "dollars" => "dollar".into(),
        _ => unit.replace('µ', "μ"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_with_their_units_in_one_spelling_and_their_place() {
        let text = "1,200 mAh at 60℃ after 500 cycles in 5 months of 2021";
        let found: Vec<(String, String, &str)> =
            figures(text).into_iter().map(|f| (f.digits, f.unit, &text[f.span])).collect();
        let expected = [
            ("1200", "mAh", "1,200 mAh"),
            ("60", "°C", "60℃"),
            ("500", "회", "500 cycles"),
            ("5", "개월", "5 months"),
            ("2021", "", "2021"),
        ];
        assert_eq!(found, expected.map(|(d, u, s)| (d.to_owned(), u.to_owned(), s)));
    }
}
