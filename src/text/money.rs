//! Amounts of money as numbers: a cell under its column's name, or a phrase: `14억 5천만 원`, `EUR 1.9 million`.
//!
//! In: a text, or a column's name and a cell. Out: the amount in the currency's base unit (won, dollars, euros) and the
//! currency, where one is written. Reads figures, no numerals in words; knows no exchange rates.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::fields;

/// An amount in its currency's base unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Money {
    /// In won, dollars, euros …
    pub amount: f64,
    /// ISO 4217 code, where the currency is written.
    pub currency: Option<&'static str>,
}

/// ISO 4217 codes and what texts write for them, lower case.
const CURRENCIES: [(&str, &[&str]); 5] = [
    ("KRW", &["krw", "won", "원", "₩", "￦"]),
    ("USD", &["usd", "us$", "$", "us dollars", "us dollar", "dollars", "dollar", "달러"]),
    ("EUR", &["eur", "euros", "euro", "€", "유로"]),
    ("GBP", &["gbp", "£", "pounds", "pound", "파운드"]),
    ("JPY", &["jpy", "yen", "¥", "￥", "엔"]),
];
/// English words for powers of ten, lower case, without a plural.
const SCALES: [(&str, f64); 12] = [
    ("k", 1e3),
    ("thousand", 1e3),
    ("1000", 1e3),
    ("m", 1e6),
    ("mn", 1e6),
    ("mln", 1e6),
    ("mio", 1e6),
    ("million", 1e6),
    ("1000000", 1e6),
    ("bn", 1e9),
    ("billion", 1e9),
    ("trillion", 1e12),
];
const KOREAN: &str = "조|천억|백억|십억|억|천만|백만|십만|만|천|백|십";
const ENGLISH: &str = r"trillions?|billions?|bn|millions?|mio\.?|mln|mn|m|thousands?|k";
/// A figure inside a Korean amount.
const FIGURE: &str = r"[0-9][0-9,]*(?:\.[0-9]+)?";
/// Characters of a text that are read.
const LONGEST: usize = 200;

struct Patterns {
    /// A figure, its thousands set apart by commas, dots, blanks or apostrophes.
    figure: Regex,
    /// A currency before it, perhaps in thousands: `k€`, `USD thousand`.
    before: Regex,
    /// Behind it: `억 5천만 원`; first with a currency at the end, then without.
    korean: Regex,
    /// Behind it: `million EUR`, `k€`.
    english: Regex,
    /// Behind it: a currency alone.
    currency: Regex,
    /// One part of a Korean amount.
    part: Regex,
    /// The unit at the end of a column's name.
    unit: Regex,
    /// Between the two ends of a range.
    range: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compiled = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
    let names: Vec<String> = CURRENCIES.iter().flat_map(|(_, names)| *names).map(|n| regex::escape(n)).collect();
    let currency = names.join("|");
    let parts = format!(r"(?:\s*{FIGURE}\s*(?:{KOREAN}))*");
    let scale = format!(r"{ENGLISH}|1,?000,?000|1,?000");
    Patterns {
        figure: compiled(r"[0-9]{1,3}(?:[ \u{a0}\u{202f}'’][0-9]{3})+(?-u:\b)(?:[.,][0-9]+)?|[0-9][0-9,.]*"),
        before: compiled(&format!(r"(?i)(?:^|[^a-z])(k|m|bn)?\s?({currency})(?:[\s(]+({ENGLISH})\)?)?\s*$")),
        korean: compiled(&format!(
            r"(?i)^\s*({KOREAN})({parts}(?:\s*{FIGURE})?)\s*({currency})(?:[^a-z]|$)|^\s*({KOREAN})({parts})"
        )),
        english: compiled(&format!(r"(?i)^\s*({ENGLISH})(?:\s*(?:of\s+)?({currency}))?(?:[^a-z]|$)")),
        currency: compiled(&format!(r"(?i)^\s*({currency})(?:[^a-z]|$)")),
        part: compiled(&format!(r"({FIGURE})\s*({KOREAN})?")),
        unit: compiled(&format!(
            r"(?i)(?:^|[\s_,:：(\[（/-])(?:({KOREAN})?\s*({currency})|({scale})\s*(?:of\s+)?({currency})|({currency})\s*({scale})|({KOREAN}|{ENGLISH}))\s*[)\]）]?\s*$"
        )),
        range: compiled(&format!(
            r"(?i)^\s*(?:[-–—−~～∼〜]|to\s|에서\s)\s*(?:(?:k|m|bn)?\s?({currency})(?:[\s(]+(?:{ENGLISH})\)?)?\s*)?$"
        )),
    }
});

/// The amount that a text states: of several the first with a currency, else the first with a unit such as `백만`, else
/// the only number. Of a range, whose unit and currency belong to both ends, that is the lower end; [`upper_in_column`] has the
/// other.
///
/// ```
/// use sectora::text::money::{Money, stated};
/// assert_eq!(stated("총 14억 5천만 원"), Some(Money { amount: 1.45e9, currency: Some("KRW") }));
/// assert_eq!(stated("EUR 3-5 million"), Some(Money { amount: 3e6, currency: Some("EUR") }));
/// ```
pub fn stated(text: &str) -> Option<Money> {
    let found = read(text)?;
    of_amount(found.number * found.scale.unwrap_or(1.0), found.currency)
}

/// The amount in a cell of a column, whose name may say the unit: `2,100,000` under `총연구비(천원)` is 2,100,000,000 won.
/// A cell that states a unit of its own, or another currency, stands for itself.
pub fn in_column(name: &str, cell: &str) -> Option<Money> {
    let (found, unit) = counted(name, cell)?;
    of_amount(found.number * unit.scale, unit.currency)
}

/// None of a number that is too large to be one: `1e308`.
fn of_amount(amount: f64, currency: Option<&'static str>) -> Option<Money> {
    Some(Money { amount: cents(amount), currency }).filter(|money| money.amount.is_finite())
}

/// The upper end of the range in a cell, in the same unit as [`in_column`]'s lower one; `None` where it states one amount.
///
/// ```
/// use sectora::text::money::upper_in_column;
/// assert_eq!(upper_in_column("Budget", "EUR 3-5 million"), Some(5e6));
/// assert_eq!(upper_in_column("Budget", "EUR 3 million"), None);
/// ```
pub fn upper_in_column(name: &str, cell: &str) -> Option<f64> {
    let (found, unit) = counted(name, cell)?;
    let (number, own) = found.upper?;
    let upper = cents(number * own.unwrap_or(unit.scale));
    (upper.is_finite() && upper > cents(found.number * unit.scale)).then_some(upper)
}

/// What a cell states, and what that is counted in: its own unit, else that of its column.
fn counted(name: &str, cell: &str) -> Option<(Figure, Unit)> {
    let found = read(cell)?;
    let unit = unit(name).map_or(Unit { scale: 1.0, currency: None }, |(_, unit)| unit);
    let own = found.is_behind || found.currency.is_some() && found.currency != unit.currency;
    let scale = found.scale.unwrap_or(if own { 1.0 } else { unit.scale });
    let currency = found.currency.or(unit.currency);
    Some((found, Unit { scale, currency }))
}

/// A column's name without the unit at its end: `총연구비` of `총연구비(천원)`.
pub fn bare(name: &str) -> &str {
    unit(name).map_or(name, |(bare, _)| bare)
}

/// The field of a record that holds this amount, as written there, with the currency that its name or value states.
pub fn of_fields(facts: &BTreeMap<String, String>, amount: f64) -> Option<(&str, Money)> {
    field_of(facts, amount).map(|(_, value, money)| (value, money))
}

/// The upper end of the range whose lower end is this amount, where the field that holds it states one.
pub fn upper_of_fields(facts: &BTreeMap<String, String>, amount: f64) -> Option<f64> {
    let (name, value, _) = field_of(facts, amount)?;
    upper_in_column(name, value)
}

/// The name of that field, what is written there, and the amount.
fn field_of(facts: &BTreeMap<String, String>, amount: f64) -> Option<(&str, &str, Money)> {
    let is_budget = |name: &str| fields::field(bare(name)).is_some_and(|f| Some(f) == fields::field("budget"));
    let said = facts.iter().filter(|(_, value)| value.len() <= LONGEST).filter_map(|(name, value)| {
        let money = in_column(name, value).filter(|m| (m.amount - amount).abs() < 0.005)?;
        Some((name, value, money))
    });
    let best = said.max_by_key(|(name, _, money)| (is_budget(name), money.currency.is_some()));
    best.map(|(name, value, money)| (name.as_str(), value.as_str(), money))
}

/// `1,420,000,000 KRW`.
pub fn shown(amount: f64, currency: Option<&str>) -> String {
    let written = if amount.fract() == 0.0 { format!("{:.0}", amount.abs()) } else { format!("{:.2}", amount.abs()) };
    let (whole, fraction) = written.split_at(written.find('.').unwrap_or(written.len()));
    let mut out = String::from(if amount < 0.0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    match currency {
        Some(code) => format!("{out} {code}"),
        None => out,
    }
}

/// A number of a text with what stands around it.
struct Figure {
    number: f64,
    /// Of `million`, `백만`; 1 where the number has it in it.
    scale: Option<f64>,
    currency: Option<&'static str>,
    /// The currency stands behind the number: a sign before it may be a cell's format.
    is_behind: bool,
    is_year: bool,
    /// Where it is the lower end of a range: the other end and its own scale.
    upper: Option<(f64, Option<f64>)>,
}

fn read(text: &str) -> Option<Figure> {
    let text: String = text.chars().take(LONGEST).collect();
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let plain = Figure { number, scale: None, currency: None, is_behind: false, is_year: false, upper: None };
        return number.is_finite().then_some(plain);
    }
    let mut all = figures(text);
    let first = |is: &dyn Fn(&Figure) -> bool| all.iter().position(is);
    let best = first(&|f| f.currency.is_some() && !f.is_year)
        .or_else(|| first(&|f| f.currency.is_some()))
        .or_else(|| first(&|f| f.scale.is_some()))
        .or_else(|| (all.len() == 1).then_some(0))?;
    let mut found = all.swap_remove(best);
    // `- 3` is an item of a list.
    if best == 0 && text.strip_prefix(['-', '−']).is_some_and(|rest| !rest.starts_with(char::is_whitespace)) {
        found.number = -found.number;
    }
    Some(found)
}

/// The amounts of a text, in order.
fn figures(text: &str) -> Vec<Figure> {
    let mut all: Vec<Figure> = Vec::new();
    let mut until = 0;
    for found in PATTERNS.figure.find_iter(text) {
        // A full stop or comma behind a figure belongs to the sentence.
        let written = found.as_str().trim_end_matches(['.', ',']);
        let end = found.start() + written.len();
        // The 5천만 of 14억 5천만 is a part of the amount before it.
        let Some(value) = number(written).filter(|_| found.start() >= until) else { continue };
        let between = &text[until..found.start()];
        let ahead = PATTERNS.before.captures(&text[..found.start()]);
        let of_ahead = |group: usize| ahead.as_ref().and_then(|c| c.get(group)).map(|m| m.as_str());
        let behind = behind(value, &text[end..]);
        until = end + behind.length;
        let scale = behind.scale.or_else(|| of_ahead(1).or_else(|| of_ahead(3)).and_then(scale));
        let figure = Figure {
            number: behind.number,
            scale,
            currency: behind.currency.or_else(|| of_ahead(2).and_then(currency)),
            is_behind: behind.currency.is_some(),
            is_year: scale.is_none() && written.len() == 4 && (1900.0..2100.0).contains(&value),
            upper: None,
        };
        // `Phase 2 - EUR 3 million`: a currency before the upper end alone makes no range.
        let is_range = |lower: &Figure| {
            let dash = PATTERNS.range.captures(between);
            dash.is_some_and(|dash| dash.get(1).is_none() || lower.currency.is_some() || lower.scale.is_some())
        };
        if let Some(lower) = all.last_mut().filter(|lower| is_range(lower)) {
            lower.take_over(&figure, behind.power.or(scale));
        }
        all.push(figure);
    }
    all
}

impl Figure {
    /// The lower end of a range takes the scale (`power`) and the currency that it lacks from the upper one. A bare year is none:
    /// `2021-3 million`.
    fn take_over(&mut self, upper: &Figure, power: Option<f64>) {
        if self.is_year && self.currency.is_none() {
            return;
        }
        if self.scale.is_none() && power.is_some() {
            (self.scale, self.is_year) = (power, false);
        }
        if self.currency.is_none() {
            (self.currency, self.is_behind) = (upper.currency, upper.is_behind);
        }
        self.upper = Some((upper.number, upper.scale));
    }
}

/// A number with what stands behind it.
struct Behind {
    number: f64,
    /// Of `million`; 1 where the number has it in it.
    scale: Option<f64>,
    /// What the first unit of a Korean amount stands for.
    power: Option<f64>,
    currency: Option<&'static str>,
    /// Bytes of all this.
    length: usize,
}

/// The number, its scale and its currency by what stands behind it.
fn behind(number: f64, after: &str) -> Behind {
    let bare = Behind { number, scale: None, power: None, currency: None, length: 0 };
    if let Some(found) = PATTERNS.korean.captures(after) {
        let either = |a: usize, b: usize| found.get(a).or_else(|| found.get(b));
        let said = |group: Option<regex::Match<'_>>| group.map_or("", |m| m.as_str()).to_owned();
        let (unit, more) = (said(either(1, 4)), said(either(2, 5)));
        let (small, large) = powers(&unit);
        return Behind {
            number: chained(number, &unit, &more),
            scale: Some(1.0),
            power: Some(small * large),
            currency: found.get(3).and_then(|m| currency(m.as_str())),
            length: either(3, 5).map_or(0, |m| m.end()),
        };
    }
    if let Some(found) = PATTERNS.english.captures(after) {
        let money = found.get(2);
        let length = money.or_else(|| found.get(1)).map_or(0, |m| m.end());
        return Behind { scale: scale(&found[1]), currency: money.and_then(|m| currency(m.as_str())), length, ..bare };
    }
    let money = PATTERNS.currency.captures(after).and_then(|found| found.get(1));
    let length = money.map_or(0, |m| m.end());
    Behind { currency: money.and_then(|m| currency(m.as_str())), length, ..bare }
}

/// `14`, `억` and ` 5천만`: a part adds to those before it while units become smaller.
fn chained(first: f64, unit: &str, more: &str) -> f64 {
    let rest = PATTERNS.part.captures_iter(more);
    let rest = rest.map(|c| (number(&c[1]).unwrap_or(0.0), c.get(2).map_or("", |m| m.as_str())));
    let (mut total, mut open) = (0.0, 0.0);
    let (mut last_small, mut last_large) = (f64::INFINITY, f64::INFINITY);
    for (number, unit) in std::iter::once((first, unit)).chain(rest) {
        let (small, large) = powers(unit);
        // `10억 20억` are two amounts.
        if small >= last_small || large > 1.0 && large >= last_large {
            break;
        }
        open += number * small;
        last_small = small;
        if large > 1.0 {
            total += open * large;
            (open, last_small, last_large) = (0.0, f64::INFINITY, large);
        }
    }
    total + open
}

/// `천만` is a thousand of ten thousand.
fn powers(korean: &str) -> (f64, f64) {
    let small = match korean.chars().next() {
        Some('천') => 1e3,
        Some('백') => 1e2,
        Some('십') => 1e1,
        _ => 1.0,
    };
    let large = match korean.chars().next_back() {
        Some('조') => 1e12,
        Some('억') => 1e8,
        Some('만') => 1e4,
        _ => 1.0,
    };
    (small, large)
}

/// What a column's cells are counted in.
struct Unit {
    scale: f64,
    currency: Option<&'static str>,
}

/// The name of a column and the unit at its end.
fn unit(column: &str) -> Option<(&str, Unit)> {
    let found = PATTERNS.unit.captures(column)?;
    let group = |at: usize| found.get(at).map(|m| m.as_str());
    let code = group(2).or(group(4)).or(group(5)).and_then(currency);
    // A power of ten alone is a unit in brackets only.
    if code.is_none() && !column.trim_end().ends_with([')', ']', '）']) {
        return None;
    }
    let scale = group(1).or(group(3)).or(group(6)).or(group(7)).and_then(scale).unwrap_or(1.0);
    let before = &column[..found.get(0)?.start()];
    let opened = before.rfind(['(', '[', '（']).filter(|at| !before[*at..].contains([')', ']', '）']));
    let before = opened.map_or(before, |at| &before[..at]);
    let before = before.trim_end_matches([' ', '_', ',', ':', '：', '-', '/']);
    Some((before.strip_suffix(" in").unwrap_or(before), Unit { scale, currency: code }))
}

fn currency(written: &str) -> Option<&'static str> {
    let written = written.to_lowercase();
    CURRENCIES.iter().find(|(_, names)| names.contains(&written.as_str())).map(|(code, _)| *code)
}

fn scale(written: &str) -> Option<f64> {
    let lower = written.to_lowercase().replace(',', "");
    let bare = lower.trim_end_matches(['s', '.']);
    let (small, large) = powers(bare);
    let english = SCALES.iter().find(|(name, _)| *name == bare).map(|(_, scale)| *scale);
    english.or_else(|| (small * large > 1.0).then_some(small * large))
}

/// A figure with separators: `1,499,900.50`, `1.499.900,50`, `1 499 900`, `1,5`.
fn number(written: &str) -> Option<f64> {
    let bare: String = written.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    let bare = bare.trim_end_matches(['.', ',']);
    let (dots, commas) = (bare.matches('.').count(), bare.matches(',').count());
    let comma_is_decimal = match dots {
        0 => commas == 1 && bare.rfind(',').is_some_and(|at| bare.len() - at <= 3),
        _ => commas == 1 && bare.rfind(',') > bare.rfind('.'),
    };
    let plain = match (comma_is_decimal, dots) {
        (true, _) => bare.replace('.', "").replace(',', "."),
        (false, 0 | 1) => bare.replace(',', ""),
        (false, _) => bare.replace(['.', ','], ""),
    };
    plain.parse().ok()
}

/// Without what a product of binary fractions adds.
fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: f64, currency: &'static str) -> Option<Money> {
        Some(Money { amount, currency: (!currency.is_empty()).then_some(currency) })
    }

    #[test]
    fn amounts_are_numbers_in_the_base_unit_of_their_currency() {
        for (text, amount, currency) in [
            ("14억 5천만 원", 1.45e9, "KRW"),
            ("총 34억 5천만 원 (현금)", 3.45e9, "KRW"),
            ("2억5000만원", 2.5e8, "KRW"),
            ("3천5백만 원", 3.5e7, "KRW"),
            ("1억 2,345만 6,000원", 123_456_000.0, "KRW"),
            ("1조 2천억 원", 1.2e12, "KRW"),
            ("1,200백만원", 1.2e9, "KRW"),
            ("1,950 백만 원(정부 1,500백만원)", 1.95e9, "KRW"),
            ("74억원을 쓴다", 7.4e9, "KRW"),
            ("10억 20억 원", 1e9, "KRW"),
            ("₩2,100,000", 2.1e6, "KRW"),
            ("KRW 870 million", 8.7e8, "KRW"),
            ("USD 900,000", 9e5, "USD"),
            ("US$ 2.5bn", 2.5e9, "USD"),
            ("12만 달러", 1.2e5, "USD"),
            ("2.5 million dollars", 2.5e6, "USD"),
            ("EUR 1.9 million", 1.9e6, "EUR"),
            ("1.3 million EUR for 30 months", 1.3e6, "EUR"),
            ("1.9 M€", 1.9e6, "EUR"),
            ("k€ 450", 4.5e5, "EUR"),
            ("450k€", 4.5e5, "EUR"),
            ("MEUR 3", 3e6, "EUR"),
            ("USD thousand 640", 6.4e5, "USD"),
            ("EUR million 1.9", 1.9e6, "EUR"),
            ("KRW (million) 870", 8.7e8, "KRW"),
            ("€ 1,499,900.50", 1_499_900.5, "EUR"),
            ("1.499.900,50 EUR", 1_499_900.5, "EUR"),
            ("1 499 900 €", 1_499_900.0, "EUR"),
            ("1,5 Mio. Euro", 1.5e6, "EUR"),
            ("£1.2m", 1.2e6, "GBP"),
            ("3,000만 엔", 3e7, "JPY"),
        ] {
            assert_eq!(stated(text), money(amount, currency), "{text}");
        }
    }

    #[test]
    fn both_ends_of_a_range_have_its_unit_and_the_lower_one_counts() {
        for (text, amount, currency) in [
            ("EUR 3-5 million", 3e6, "EUR"),
            ("EUR 1.9 – 2.3 million in all", 1.9e6, "EUR"),
            ("3 to 5 million USD", 3e6, "USD"),
            ("USD 3 million to 5 million", 3e6, "USD"),
            ("€3 - €5 million", 3e6, "EUR"),
            ("3~5억 원", 3e8, "KRW"),
            ("10∼20백만원", 1e7, "KRW"),
            ("3억~5억 원", 3e8, "KRW"),
            ("3억 5천만 ~ 5억 원", 3.5e8, "KRW"),
            ("EUR 2000-2500 thousand", 2e6, "EUR"),
            ("2-3 million", 2e6, ""),
            ("2021-3 million EUR", 3e6, "EUR"),
            ("Phase 2 - EUR 3 million", 3e6, "EUR"),
            ("3 million to USD 5 million", 3e6, "USD"),
            ("2021~2023, 5억 원", 5e8, "KRW"),
        ] {
            assert_eq!(stated(text), money(amount, currency), "{text}");
        }
        assert_eq!(in_column("Budget (EUR)", "3-5 million"), money(3e6, "EUR"));
    }

    #[test]
    fn the_upper_end_of_a_range_is_in_the_unit_of_the_lower_one() {
        for (column, cell, upper) in [
            ("budget", "EUR 3-5 million", Some(5e6)),
            ("budget", "USD 3 million to 5 million", Some(5e6)),
            ("budget", "USD thousand 600-640", Some(6.4e5)),
            ("budget", "USD thousand 600 - USD thousand 640", Some(6.4e5)),
            ("budget", "USD 1-2 thousand", Some(2e3)),
            ("Budget (k€)", "€ 450-500", Some(5e5)),
            ("예산", "3~5억 원", Some(5e8)),
            ("예산", "3억 5천만 ~ 5억 원", Some(5e8)),
            ("예산", "5억 원", None),
            ("budget", "USD 640", None),
            ("budget", "2021-3 million EUR", None),
            ("budget", "추후 협의", None),
        ] {
            assert_eq!(upper_in_column(column, cell), upper, "{column}: {cell}");
        }
        let facts: BTreeMap<String, String> = [("budget".to_owned(), "EUR 3-5 million".to_owned())].into();
        assert_eq!((upper_of_fields(&facts, 3e6), upper_of_fields(&facts, 5e6)), (Some(5e6), None));
    }

    #[test]
    fn an_amount_is_told_from_years_months_and_other_numbers() {
        assert_eq!(stated("5년간 12억 원"), money(1.2e9, "KRW"));
        assert_eq!(stated("2024 USD 900,000"), money(9e5, "USD"));
        assert_eq!(stated("H2020 EUR 2 million"), money(2e6, "EUR"));
        assert_eq!(stated("3.2 million for 30 months"), money(3.2e6, ""));
        assert_eq!(stated("1,200"), money(1200.0, ""));
        assert_eq!(stated("-5"), money(-5.0, ""));
        assert_eq!(stated("A$ 5,000"), money(5000.0, ""), "no dollar of the United States");
        for text in ["", "-", "추후 협의", "NaN", "1e308", "-1e308", "2021-2023", "2021-03-01"] {
            assert_eq!(stated(text), None, "{text}");
        }
        assert_eq!(in_column("총연구비(천원)", "1e305"), None);
    }

    #[test]
    fn a_column_says_the_unit_of_its_cells() {
        for (name, cell, amount, currency) in [
            ("총연구비(천원)", "2,100,000", 2.1e9, "KRW"),
            ("연구비 (단위: 백만 원)", "870", 8.7e8, "KRW"),
            ("사업비(억원)", "12.5", 1.25e9, "KRW"),
            ("예산[만원]", "3,000", 3e7, "KRW"),
            ("연구비(원)", "1,200", 1200.0, "KRW"),
            ("budget_mkrw", "2350", 2.35e9, "KRW"),
            ("amount_usd", "900000", 9e5, "USD"),
            ("Amount (USD thousand)", "900", 9e5, "USD"),
            ("Award, million USD", "2", 2e6, "USD"),
            ("Budget (in thousands of USD)", "450", 4.5e5, "USD"),
            ("Budget (M€)", "1.9", 1.9e6, "EUR"),
            ("Budget (k€)", "€ 450", 4.5e5, "EUR"),
            ("grant k€", "450", 4.5e5, "EUR"),
            ("Cost (1,000 JPY)", "30", 3e4, "JPY"),
            ("Budget (millions)", "3", 3e6, ""),
            ("budget", "1,200", 1200.0, ""),
            ("project", "7", 7.0, ""),
            ("총연구비(천원)", "21억 원", 2.1e9, "KRW"),
            ("Budget (M€)", "1,900,000 EUR", 1.9e6, "EUR"),
            ("총연구비(천원)", "USD 900", 900.0, "USD"),
        ] {
            assert_eq!(in_column(name, cell), money(amount, currency), "{name}: {cell}");
        }
        for (name, without) in [
            ("총연구비(천원)", "총연구비"),
            ("연구비 (단위: 백만 원)", "연구비"),
            ("Budget in EUR", "Budget"),
            ("budget_mkrw", "budget"),
            ("참여 인원", "참여 인원"),
            ("length m", "length m"),
        ] {
            assert_eq!(bare(name), without);
        }
    }

    #[test]
    fn the_field_that_holds_an_amount_states_its_currency() {
        let facts = [("year", "2350"), ("budget_mkrw", "2350"), ("상태", "완료")];
        let facts: BTreeMap<String, String> = facts.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        assert_eq!(of_fields(&facts, 2.35e9), money(2.35e9, "KRW").map(|m| ("2350", m)));
        assert_eq!(of_fields(&facts, 7.0), None);
    }

    #[test]
    fn amounts_are_shown_with_their_thousands_apart() {
        assert_eq!(shown(1.42e9, Some("KRW")), "1,420,000,000 KRW");
        assert_eq!(shown(-1_499_900.5, Some("EUR")), "-1,499,900.50 EUR");
        assert_eq!(shown(870.0, None), "870");
    }
}
