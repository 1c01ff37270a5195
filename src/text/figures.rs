//! Figures with their units: `60 °C`, `-20 °C`, `500회`, `1,200 mAh/g`, `100 m²`.
//!
//! By pattern, not by reading: a figure is a run of digits (thousands separators aside), with the minus that touches it or is said
//! (`영하 20 °C`). A dash behind a letter or another figure is none: `NCM-811`, `3-5 %`, `20 °C -40 °C`.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::width::narrow;

// What begins with the name of a shorter unit stands before it.
const UNIT: &str = concat!(
    r"(%p?|℃|°C|ppm|ppb|million|billion|years?|months?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|cycles?|times|tonnes?|won",
    r"|euros?|dollars?|[mμµ]?S/c?m|(?:[kMG]?Pa|[kMG]?Wh|[mk]?Ah|[kMGm]?W|[mk]?V|[mk]?A|[kMG]?Hz|[mkμµ]?g|[mμµ]?L|kN|[cmk]?m[²³23]",
    r"|[cmknμµ]?m)(?:/(?:kg|g|mL|L|l|min|[cm]?m[²³23]|[cm]?m|h|s))?|h|°|K|bar",
    r"|억\s?원|만\s?원|백만\s?원|조\s?원|원|년|개월|월|일|시간|분|초|회|배|톤|명|개|건)",
);

static FIGURE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"([0-9０-９]+(?:[.,][0-9０-９]+)*)(?:\s?{UNIT})?")).expect("constant pattern")
});

/// A figure of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Without thousands separators, `-` in front of a negative one.
    pub digits: String,
    /// In one spelling; empty where none is recognised.
    pub unit: String,
    /// Where in the text (bytes), sign and unit included.
    pub span: Range<usize>,
}

/// The figures of a text, in order.
pub fn figures(text: &str) -> Vec<Figure> {
    let figure = |found: regex::Captures<'_>| {
        let digits = found.get(1)?;
        let unit = found.get(2).filter(|u| ends(u.as_str(), &text[u.end()..]));
        let end = unit.map_or(digits.end(), |u| u.end());
        let unit = one_spelling(unit.map_or("", |u| u.as_str()));
        let before = &text[..digits.start()];
        let minus = minus(before).max(minus_in_words(before, &unit));
        let sign = if minus > 0 { "-" } else { "" };
        let digits_of = format!("{sign}{}", plain(digits.as_str()));
        Some(Figure { digits: digits_of, unit, span: digits.start() - minus..end })
    };
    FIGURE.captures_iter(text).filter_map(figure).collect()
}

/// True for a whole number that may be a year, 1900 to 2099.
pub fn may_be_year(digits: &str) -> bool {
    digits.parse().is_ok_and(|year: u32| (1900..2100).contains(&year))
}

/// `1,200` is 1200; `3,4` and `1,2,3` are lists, whose first figure stands for the rest here and there alike.
fn plain(digits: &str) -> String {
    let digits: String = digits.chars().map(narrow).collect();
    let mut groups = digits.split(',');
    let first = groups.next().unwrap_or("");
    let thousands = groups.clone().all(|g| g.split('.').next().is_some_and(|whole| whole.len() == 3));
    if thousands { format!("{first}{}", groups.collect::<String>()) } else { digits }
}

/// Bytes of the minus at the end of what stands before a figure; 0 where the dash joins it to something, or there is none.
fn minus(before: &str) -> usize {
    let Some(dash) = before.chars().next_back().filter(|c| matches!(c, '-' | '−' | '–' | '－')) else { return 0 };
    let rest = &before[..before.len() - dash.len_utf8()];
    let apart = rest.chars().next_back().is_none_or(|c| {
        c.is_whitespace()
            || matches!(
                c,
                '(' | '[' | '{' | '|' | '~' | '=' | ':' | ',' | '<' | '>' | '≤' | '≥' | '≈' | '"' | '\'' | '“' | '‘'
            )
    });
    // `20 -40`, `20 °C -40 °C`: a range that lost a blank.
    let said = rest.trim_end_matches(' ');
    let is_range = said.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '%' | '℃')) || said.ends_with("°C");
    if apart && !is_range { dash.len_utf8() } else { 0 }
}

/// Bytes of a minus in words: `영하 40도`, `minus 40 °C`; `plus or minus 2 °C` has none.
fn minus_in_words(before: &str, unit: &str) -> usize {
    let said = before.trim_end_matches(' ');
    let korean = said.strip_suffix("영하").filter(|rest| !rest.ends_with(char::is_alphanumeric));
    let english = || {
        let rest = said.strip_suffix("minus").or_else(|| said.strip_suffix("Minus"))?;
        let is_sign = rest.is_empty() || rest.ends_with(char::is_whitespace);
        let is_tolerance = ["or", "plus", "/"].iter().any(|word| rest.trim_end().ends_with(word));
        (unit == "°C" && is_sign && !is_tolerance).then_some(rest)
    };
    korean.or_else(english).map_or(0, |rest| before.len() - rest.len())
}

/// A Latin unit must not be the beginning of a word or of another unit (`5 month` is no metre, `5 m/day` neither); a quarter
/// (`2분기`) and a fraction (`4분의 1`) are no minutes.
fn ends(unit: &str, after: &str) -> bool {
    if unit == "분" {
        let of = after.strip_prefix('의');
        let is_fraction = of.is_some_and(|rest| rest.trim_start().starts_with(char::is_numeric));
        return !(after.starts_with('기') || is_fraction);
    }
    let mut after = after.chars();
    let next = after.next();
    let latin = unit.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '²' | '³'));
    let goes_on = match next {
        Some('²' | '³' | '^' | '_') => true,
        Some('/') => after.next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, 'μ' | 'µ')),
        Some(c) => c.is_ascii_alphanumeric(),
        None => false,
    };
    !(latin && goes_on)
}

fn one_spelling(unit: &str) -> String {
    let unit: String = unit.chars().filter(|c| !c.is_whitespace()).collect();
    match unit.as_str() {
        "℃" | "°C" => "°C".into(),
        "년" | "year" | "years" => "년".into(),
        "개월" | "month" | "months" => "개월".into(),
        "일" | "day" | "days" => "일".into(),
        "시간" | "hour" | "hours" | "hr" | "hrs" | "h" => "시간".into(),
        "분" | "minute" | "minutes" | "min" | "mins" => "분".into(),
        "초" | "second" | "seconds" | "sec" | "secs" => "초".into(),
        "회" | "cycle" | "cycles" | "times" => "회".into(),
        "톤" | "tonne" | "tonnes" => "톤".into(),
        "원" | "won" => "원".into(),
        "euro" | "euros" => "euro".into(),
        "dollar" | "dollars" => "dollar".into(),
        _ => unit.replace('µ', "μ").replace("m2", "m²").replace("m3", "m³").replace("/l", "/L"),
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

    fn found(text: &str) -> Vec<(String, String)> {
        figures(text).into_iter().map(|f| (f.digits, f.unit)).collect()
    }

    fn one(digits: &str, unit: &str) -> (String, String) {
        (digits.to_owned(), unit.to_owned())
    }

    #[test]
    fn a_minus_in_words_is_one_too() {
        for text in ["영하 20 °C에서", "영하20℃", "(영하 20℃)", "at minus 20 °C", "Minus 20 °C"] {
            assert_eq!(found(text), [one("-20", "°C")], "{text}");
        }
        assert_eq!(found("영하 40도에서"), [one("-40", "")]);
        for text in ["plus or minus 20 °C", "+/minus 20 °C", "terminus 20 °C", "운영하 20 °C"] {
            assert_eq!(found(text), [one("20", "°C")], "{text}");
        }
        assert_eq!(found("10 minus 3 samples"), [one("10", ""), one("3", "")]);
        assert_eq!(&"at 영하 20 °C"[figures("at 영하 20 °C")[0].span.clone()], "영하 20 °C");
    }

    #[test]
    fn a_minus_belongs_to_its_figure_and_a_dash_between_two_does_not() {
        for text in ["-20 °C", "at −20 ℃", "(–20°C)", "| -20 °C |", "영하 -20℃"] {
            assert_eq!(found(text), [one("-20", "°C")], "{text}");
        }
        assert_eq!(found("-20 ~ -40 °C"), [one("-20", ""), one("-40", "°C")]);
        assert_eq!(found("3-5 %"), [one("3", ""), one("5", "%")]);
        assert_eq!(found("20 °C -40 °C"), [one("20", "°C"), one("40", "°C")]);
        assert_eq!(found("20 -40 °C"), [one("20", ""), one("40", "°C")]);
        assert_eq!(found("NCM-811, 2021-03, - 5 %"), [one("811", ""), one("2021", ""), one("03", ""), one("5", "%")]);
        let text = "약 −20 ℃에서";
        assert_eq!(&text[figures(text)[0].span.clone()], "−20 ℃");
    }

    #[test]
    fn a_unit_is_read_whole_or_not_at_all() {
        for (text, digits, unit) in [
            ("100 m²", "100", "m²"),
            ("100 m2 of film", "100", "m²"),
            ("3 m³/h", "3", "m³/h"),
            ("60 Ah", "60", "Ah"),
            ("60Ah급", "60", "Ah"),
            ("5 cm", "5", "cm"),
            ("10 min", "10", "분"),
            ("2 h", "2", "시간"),
            ("30 minutes", "30", "분"),
            ("5 mA/cm2", "5", "mA/cm²"),
            ("3.2 mS/cm였다", "3.2", "mS/cm"),
            ("5 mg/L", "5", "mg/L"),
            ("5 mL", "5", "mL"),
            ("300 Wh/kg", "300", "Wh/kg"),
            ("12 V/24 V", "12", "V"),
            ("5 m/day", "5", ""),
            ("10 m^2", "10", ""),
            ("5 metres", "5", ""),
            ("2분기 실적", "2", ""),
            ("4분의 1", "4", ""),
            ("10분의 초음파 처리", "10", "분"),
            ("30분 동안", "30", "분"),
            ("１２ ％p", "12", ""),
            ("１２ %", "12", "%"),
        ] {
            assert_eq!(found(text)[0], one(digits, unit), "{text}");
        }
    }
}
