//! Which full stops end a sentence: not those of abbreviations, dates, decimals, and numbers of lists and captions.

use super::blocks::is_enumerator;
use super::{is_final_ending, is_hangul};

/// Whether `stop` ends a sentence: `before` is the sentence so far, `tail` the quotes and brackets
/// that touch the stop, `rest` what follows.
pub(super) fn ends_sentence(before: &str, stop: char, tail: &str, rest: &str) -> bool {
    let Some(next) = rest.chars().next() else { return true };
    if matches!(stop, '。' | '！' | '？') {
        return true;
    }
    let last = before.chars().next_back().unwrap_or(' ');
    if !next.is_whitespace() {
        // 했다.그리고: a lost space. Otherwise 3.5, example.org, "…다."라고.
        return tail.is_empty() && is_final_ending(last) && is_hangul(next);
    }
    if matches!(stop, '?' | '!') {
        return true;
    }
    let following = rest.trim_start();
    let Some(next) = following.chars().next() else { return true };
    // `20 … 40 °C`: from one figure to another.
    if (stop == '…' || tail.starts_with("..")) && next.is_ascii_digit() && ends_with_figure(before) {
        return false;
    }
    if is_hangul(last) {
        return !is_bare_label(before);
    }
    if last.is_whitespace() {
        return true;
    }
    if last.is_ascii_digit() {
        return !is_bare_label(before)
            && !next.is_ascii_digit()
            && may_start_sentence(following)
            && !ends_with_date(before);
    }
    let word = last_word(before);
    if word.is_empty() {
        return may_start_sentence(following);
    }
    if tail.is_empty() && is_abbreviation(word, following) && !is_unit(before, word) {
        return false;
    }
    may_start_sentence(following)
}

/// True after a figure, with or without its unit: `20`, `20 °C`.
fn ends_with_figure(before: &str) -> bool {
    let before = before.trim_end();
    let mut words = before.rsplit(char::is_whitespace).take(2);
    !before.ends_with(is_final_ending) && words.any(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

/// A lower-case word goes on with the sentence before it, but pH and mRNA may start one.
fn may_start_sentence(following: &str) -> bool {
    let mut word = following.chars().take_while(|c| c.is_alphanumeric());
    !following.starts_with(char::is_lowercase) || word.any(|c| c.is_uppercase() || c.is_ascii_digit())
}

/// True when the sentence so far is only the number of a list item (`1`, `12`, `가`, `(2`) or of a figure or table above its caption
/// (`Fig. 2`, `그림 3`).
fn is_bare_label(before: &str) -> bool {
    let label = before.trim().trim_start_matches(['(', '*', '<', '[']);
    let mut chars = label.chars();
    let lone = chars.next().is_some_and(is_enumerator) && chars.next().is_none();
    let number = label.len() <= 3 && !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    lone || number || is_caption_label(label)
}

/// What the numbers of figures and tables stand behind.
const CAPTIONS: [&str; 11] = ["fig", "figs", "figure", "table", "tab", "scheme", "box", "그림", "표", "사진", "도표"];

fn is_caption_label(label: &str) -> bool {
    // The longest name and a number such as 12-3.
    if label.len() > 16 {
        return false;
    }
    let name = label.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    let has_number = label[name.len()..].contains(|c: char| c.is_ascii_digit());
    has_number && CAPTIONS.contains(&name.trim_end_matches(['.', ' ', '\u{A0}']).to_lowercase().as_str())
}

/// True for a line that begins as the caption of a figure or table does: `Fig. 2. The kiln`, `[그림 3-1] 전극`; not for a sentence of
/// one: `그림 3과 같이`.
pub(crate) fn begins_a_caption(line: &str) -> bool {
    let line = line.trim_start_matches(['(', '*', '<', '[']);
    let Some(number) = line.find(|c: char| c.is_ascii_digit()) else { return false };
    let rest = line[number..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    !rest.starts_with(is_hangul) && is_caption_label(&line[..line.len() - rest.len()])
}

/// True after `2024. 3`, `2024. 3. 15` or `3. 15`: dates are written with stops in Korean. `3.15` is a decimal.
fn ends_with_date(before: &str) -> bool {
    let is_apart = before.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_whitespace));
    let mut groups = before.rsplit('.').take(3).map(str::trim_start);
    let number = |g: Option<&str>, most: usize| {
        g.is_some_and(|g| (1..=most).contains(&g.len()) && g.bytes().all(|b| b.is_ascii_digit()))
    };
    let up_to = |g: &str, most: u8| g.len() <= 2 && g.parse().is_ok_and(|n: u8| (1..=most).contains(&n));
    let ends_in_month = |g: &str| up_to(g.rsplit(char::is_whitespace).next().unwrap_or_default(), 12);
    let ends_in_year = |g: Option<&str>| {
        g.is_some_and(|g| {
            let digits = g.bytes().rev().take_while(u8::is_ascii_digit).count();
            digits == 4 || (digits == 2 && g[..g.len() - 2].ends_with(['\'', '’', '‘']))
        })
    };
    let (last, middle, first) = (groups.next(), groups.next(), groups.next());
    let day_of_month = is_apart && last.is_some_and(|g| up_to(g, 31)) && middle.is_some_and(ends_in_month);
    number(last, 2) && (ends_in_year(middle) || (number(middle, 2) && ends_in_year(first)) || day_of_month)
}

/// The Latin letters (and inner stops, as in `e.g`) right before the stop.
fn last_word(before: &str) -> &str {
    let start = before
        .char_indices()
        .rev()
        .take(12)
        .take_while(|(_, c)| c.is_alphabetic() && !is_hangul(*c) || *c == '.')
        .last();
    start.map_or("", |(i, _)| before[i..].trim_start_matches('.'))
}

/// Abbreviations that never end a sentence before more text of the same paragraph.
const NEVER_LAST: &[&str] = &[
    "fig", "figs", "eq", "eqs", "eqn", "ref", "refs", "sec", "sect", "chap", "ch", "tab", "vol", "pp", "dr", "prof",
    "mr", "mrs", "ms", "st", "vs", "al", "e.g", "i.e", "eg", "ie", "cf", "viz", "approx", "ca", "resp", "ed", "eds",
    "rev", "gen", "sen", "rep", "gov", "univ", "dept", "suppl", "ext",
];
/// Abbreviations before a number.
const BEFORE_NUMBER: &[&str] = &[
    "no", "nos", "p", "art", "par", "para", "ver", "v", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept",
    "oct", "nov", "dec",
];
/// Abbreviations that end a sentence only before a capital.
const BEFORE_LOWER: &[&str] =
    &["etc", "inc", "ltd", "co", "corp", "max", "min", "avg", "est", "temp", "conc", "wt", "a.m", "p.m", "ph.d"];
/// Countries that stand before names (`the U.S. Department of Energy`): they end a sentence only before a word that begins one.
const COUNTRIES: &[&str] = &["u.s", "u.k", "e.u", "u.n"];
/// Words that begin sentences, not names.
const OPENERS: &[&str] = &[
    "the", "a", "an", "this", "that", "these", "those", "it", "its", "they", "their", "we", "our", "he", "she",
    "there", "in", "on", "at", "for", "from", "with", "after", "before", "since", "as", "by", "to", "when", "while",
    "if", "but", "and", "however", "although", "no", "all", "both", "each", "such", "here", "then", "thus",
];
/// Forms of companies that `Co.` stands before.
const BEHIND_COMPANY: &[&str] = &["ltd", "limited", "inc", "kg", "llc", "kgaa"];

/// True for the `V` of `4.2 V` and the `C` of `25 °C`: a unit after its figure, not somebody's initial.
fn is_unit(before: &str, word: &str) -> bool {
    let figure = before[..before.len() - word.len()].trim_end();
    word.chars().count() == 1 && figure.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '°' | 'º' | '/' | '·'))
}

/// True where `word` and its stop go on with the sentence at `following`.
fn is_abbreviation(word: &str, following: &str) -> bool {
    let next = following.chars().next().unwrap_or(' ');
    let mut letters = word.chars();
    if let (Some(initial), None) = (letters.next(), letters.next())
        && initial.is_uppercase()
    {
        return true;
    }
    let lower = word.to_lowercase();
    let listed = |list: &[&str]| list.contains(&lower.as_str());
    let then = |list: &[&str]| {
        let word: String = following.chars().take_while(|c| c.is_alphabetic()).take(12).collect();
        list.contains(&word.to_lowercase().as_str())
    };
    listed(NEVER_LAST)
        || (listed(BEFORE_NUMBER) && next.is_ascii_digit())
        || (listed(BEFORE_LOWER) && !next.is_uppercase() && !is_hangul(next))
        || (listed(COUNTRIES) && !is_hangul(next) && !then(OPENERS))
        || (lower == "co" && then(BEHIND_COMPANY))
}

#[cfg(test)]
mod tests {
    use super::super::sentences;
    use super::super::tests::check;

    #[test]
    fn dates_with_stops_stay_whole() {
        check(
            "접수는 2024. 3. 15. 마감한다. 이후는 받지 않는다.",
            &["접수는 2024. 3. 15. 마감한다.", "이후는 받지 않는다."],
        );
        check("접수는 '24. 3. 마감한다.", &["접수는 '24. 3. 마감한다."]);
        check("접수는 3. 15. 마감한다. 끝.", &["접수는 3. 15. 마감한다.", "끝."]);
        check("12. 31. 끝난다.", &["12. 31. 끝난다."]);
        check("비율은 3. 45. 다음은", &["비율은 3. 45.", "다음은"]);
        check("비율은 2.5. 다음은", &["비율은 2.5.", "다음은"]);
        check("The pH was 7.4. It held.", &["The pH was 7.4.", "It held."]);
    }

    #[test]
    fn a_unit_of_one_letter_ends_a_sentence() {
        let text = "It kept 84 % at 25 °C. Lithium was charged to 4.2 V. The end by J. Smith came.";
        let found: Vec<&str> = sentences(text).iter().map(|s| s.slice(text)).collect();
        assert_eq!(found, ["It kept 84 % at 25 °C.", "Lithium was charged to 4.2 V.", "The end by J. Smith came."]);
    }

    #[test]
    fn abbreviations_decimals_and_initials_do_not_end_a_sentence() {
        check(
            "See Fig. 3 of Smith et al. (2019), e.g. No. 5. It rose by 3.5 %.",
            &["See Fig. 3 of Smith et al. (2019), e.g. No. 5.", "It rose by 3.5 %."],
        );
        check("Dr. J. Kim came. He said no. Then he left.", &["Dr. J. Kim came.", "He said no.", "Then he left."]);
        check(
            "Salts, solvents, etc. were dried. pH was 7. mRNA fell.",
            &["Salts, solvents, etc. were dried.", "pH was 7.", "mRNA fell."],
        );
    }

    #[test]
    fn names_behind_a_country_or_a_company_do_not_begin_a_sentence() {
        check(
            "It was funded by the U.S. Department of Energy. It was tested in the U.S. The cells held.",
            &["It was funded by the U.S. Department of Energy.", "It was tested in the U.S.", "The cells held."],
        );
        check(
            "Kiln Co. Ltd. built it. It was made by Kiln Ltd. Tests followed.",
            &["Kiln Co. Ltd. built it.", "It was made by Kiln Ltd.", "Tests followed."],
        );
    }

    #[test]
    fn captions_and_ranges_stay_whole() {
        check("Fig. 2. XRD patterns of the cathode", &["Fig. 2. XRD patterns of the cathode"]);
        check("그림 3. 전해질의 단면", &["그림 3. 전해질의 단면"]);
        check("**Table 2-1. Cells.** It held.", &["**Table 2-1. Cells.**", "It held."]);
        check("It is seen in Fig. 2. XRD was next.", &["It is seen in Fig. 2.", "XRD was next."]);
        check("It held at 20 … 40 °C. Then 20 ... 40 °C.", &["It held at 20 … 40 °C.", "Then 20 ... 40 °C."]);
        check("20 °C … 40 °C에서 보았다.", &["20 °C … 40 °C에서 보았다."]);
        check("시험은 끝났다… 2021년에 다시 하였다.", &["시험은 끝났다…", "2021년에 다시 하였다."]);
        check("It broke at last... 3 cells were left.", &["It broke at last...", "3 cells were left."]);
    }
    #[test]
    fn a_caption_is_told_from_a_sentence_of_a_figure() {
        for caption in ["Fig. 2. The kiln", "Table 4: Cells", "[그림 3-1] 전극", "<표 4> 결과", "**표 2-1. 셀**"]
        {
            assert!(super::begins_a_caption(caption), "{caption}");
        }
        for other in ["그림 3과 같이 구웠다", "표준 3종", "The kiln of 1921", "2021. 3", "그림"] {
            assert!(!super::begins_a_caption(other), "{other}");
        }
    }
}
