//! Runs of letters and digits: English words, numbers with units, codes, chemical formulas.

use super::analyse::{Role, Script, english_term, lower};
use super::normalise::Letter;

/// Where the run of letters, digits and inner connectors that starts at `from` ends.
pub(super) fn run_end(letters: &[Letter], from: usize) -> usize {
    let mut at = from;
    while at < letters.len() {
        let inside = match letters[at].ch {
            '-' | '_' | '.' | ',' => connects(letters, from, at),
            c => Script::of(c) == Script::Latin,
        };
        if !inside {
            break;
        }
        at += 1;
    }
    at
}

/// True when the mark at `at` holds the run together.
fn connects(letters: &[Letter], from: usize, at: usize) -> bool {
    if at == from {
        return false;
    }
    let (before, after) = (letters[at - 1].ch, letters.get(at + 1).map_or(' ', |l| l.ch));
    if Script::of(before) != Script::Latin || Script::of(after) != Script::Latin {
        return false;
    }
    match letters[at].ch {
        '.' if before.is_ascii_digit() || after.is_ascii_digit() => before.is_ascii_digit() && after.is_ascii_digit(),
        // U.S.A., but not the end of one sentence and the start of the next.
        '.' => {
            let lone_before = at - from < 2 || letters[at - 2].ch == '.';
            let lone_after = letters.get(at + 2).is_none_or(|l| Script::of(l.ch) == Script::None);
            lone_before && lone_after
        }
        ',' => is_thousands_separator(letters, from, at),
        _ => true,
    }
}

/// 1,000 and 12,345,678; not 1,3 or 2019,2020.
fn is_thousands_separator(letters: &[Letter], from: usize, at: usize) -> bool {
    let digit = |i: usize| letters.get(i).is_some_and(|l| l.ch.is_ascii_digit());
    let digits_before = (from..at).rev().take_while(|&i| digit(i)).count();
    (1..=3).contains(&digits_before) && (1..=3).all(|i| digit(at + i)) && !digit(at + 4)
}

/// The terms of one run; `rest` is what follows it.
pub(super) fn terms(
    run: &[Letter],
    rest: &[Letter],
    buffer: &mut String,
    emit: &mut impl FnMut(&str, Role, &[Letter]),
) {
    let is_mark = |l: &Letter| matches!(l.ch, '-' | '_');
    if !run.iter().any(is_mark) {
        return piece(run, rest, buffer, emit);
    }
    let pieces = || run.split(is_mark).filter(|p| !p.is_empty());
    if pieces().all(|p| Kind::of(p) == Kind::Number) {
        // 2019-2021, 010-1234: each number stands for itself.
        pieces().for_each(|p| number(p, &[], buffer, emit));
        return;
    }
    let all_words = pieces().all(|p| Kind::of(p) == Kind::Word);
    joined(run, buffer);
    if all_words {
        super::english::stem(buffer);
    }
    emit(buffer, if all_words { Role::Part } else { Role::Whole }, run);
    for p in pieces() {
        match Kind::of(p) {
            Kind::Word => {
                english_term(p, buffer);
                if !buffer.is_empty() && (all_words || p.len() > 1) {
                    emit(buffer, if all_words || p.len() > 2 { Role::Whole } else { Role::Part }, p);
                }
            }
            Kind::Number | Kind::Mixed => {
                lower(p, buffer);
                emit(buffer, Role::Part, p);
            }
        }
    }
}

/// What a run without connectors is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Number,
    Mixed,
}

impl Kind {
    fn of(piece: &[Letter]) -> Kind {
        let digits = piece.iter().any(|l| l.ch.is_ascii_digit());
        let letters = piece.iter().any(|l| !l.ch.is_ascii_digit() && Script::of(l.ch) == Script::Latin);
        match (letters, digits) {
            (true, true) => Kind::Mixed,
            (false, true) => Kind::Number,
            (true, false) | (false, false) => Kind::Word,
        }
    }
}

fn piece(piece: &[Letter], rest: &[Letter], buffer: &mut String, emit: &mut impl FnMut(&str, Role, &[Letter])) {
    match Kind::of(piece) {
        Kind::Word => {
            if piece.iter().any(|l| l.ch == '.') {
                lower(piece, buffer);
                buffer.retain(|c| c != '.');
                if super::english::is_stop_word(buffer) {
                    buffer.clear();
                }
            } else {
                english_term(piece, buffer);
            }
            if !buffer.is_empty() {
                emit(buffer, Role::Whole, piece);
            }
        }
        Kind::Number => number(piece, rest, buffer, emit),
        Kind::Mixed => mixed(piece, buffer, emit),
    }
}

/// A number, and the number joined with the unit after it.
fn number(digits: &[Letter], rest: &[Letter], buffer: &mut String, emit: &mut impl FnMut(&str, Role, &[Letter])) {
    lower(digits, buffer);
    buffer.retain(|c| c != ',');
    emit(buffer, Role::Whole, digits);
    let unit = unit_after(rest);
    if let Some(&last) = unit.last() {
        buffer.extend(unit.iter().flat_map(|l| l.ch.to_lowercase()));
        emit(buffer, Role::Whole, &[digits[0], last]);
    }
}

/// Units that may stand apart from their number.
const UNITS: &[&str] = &[
    "%", "wt", "vol", "mol", "mmol", "nm", "um", "μm", "mm", "cm", "m", "km", "ng", "ug", "μg", "mg", "g", "kg", "t",
    "ml", "ul", "μl", "l", "ms", "s", "sec", "min", "h", "hr", "hz", "khz", "mhz", "ghz", "thz", "v", "mv", "kv", "ma",
    "a", "ah", "mah", "w", "mw", "kw", "gw", "wh", "kwh", "mwh", "gwh", "j", "kj", "mj", "ev", "kev", "mev", "n", "kn",
    "pa", "kpa", "mpa", "gpa", "bar", "k", "°c", "°f", "c", "rpm", "db", "ppm", "ppb", "f", "mf", "ohm", "bp", "kb",
    "mb", "gb", "tb", "kda", "nmol", "μmol", "μa", "m2", "cm2", "cm3", "m3",
];

const LONGEST_UNIT: usize = 4;

/// The unit at the start of `rest`, directly or after one space; empty if there is none.
fn unit_after(rest: &[Letter]) -> &[Letter] {
    let apart = rest.first().is_some_and(|l| l.ch == ' ');
    let rest = if apart { &rest[1..] } else { rest };
    let len = match rest.first().map_or(' ', |l| l.ch) {
        '%' => 1,
        '°' => 1 + rest[1..].iter().take_while(|l| matches!(l.ch, 'C' | 'F')).count().min(1),
        c if super::korean::is_syllable(c) && !apart => 1,
        _ => rest.iter().take(LONGEST_UNIT + 1).take_while(|l| Script::of(l.ch) == Script::Latin).count(),
    };
    let unit = &rest[..len];
    let korean = unit.first().is_some_and(|l| super::korean::is_syllable(l.ch));
    if korean && !super::korean::is_particle(&[unit[0].ch]) || is_unit(unit) { unit } else { &[] }
}

fn is_unit(letters: &[Letter]) -> bool {
    (1..=LONGEST_UNIT).contains(&letters.len())
        && UNITS.iter().any(|unit| unit.chars().eq(letters.iter().flat_map(|l| l.ch.to_lowercase())))
}

/// Letters and digits in one: a number with its unit, a formula, or a code.
fn mixed(piece: &[Letter], buffer: &mut String, emit: &mut impl FnMut(&str, Role, &[Letter])) {
    let digits = piece.iter().take_while(|l| l.ch.is_ascii_digit() || matches!(l.ch, '.' | ',')).count();
    if digits > 0 && is_unit(&piece[digits..]) {
        number(&piece[..digits], &piece[digits..], buffer, emit);
        english_term(&piece[digits..], buffer);
        if !buffer.is_empty() {
            emit(buffer, Role::Whole, &piece[digits..]);
        }
        return;
    }
    joined(piece, buffer);
    emit(buffer, Role::Whole, piece);
    if let Some(groups) = formula(piece) {
        for (element, count) in groups {
            let symbol = &piece[element..count.start];
            lower(symbol, buffer);
            emit(buffer, Role::Part, symbol);
            if !count.is_empty() {
                let group = &piece[element..count.end];
                lower(group, buffer);
                emit(buffer, Role::Part, group);
            }
        }
        return;
    }
    let is_digit = |l: &Letter| l.ch.is_ascii_digit() || matches!(l.ch, '.' | ',');
    for part in piece.chunk_by(|a, b| is_digit(a) == is_digit(b)) {
        if part.len() > 1 {
            lower(part, buffer);
            emit(buffer, Role::Part, part);
        }
    }
}

/// The run in lower case; a hyphen goes where a letter stands on either side, `_` and the comma of thousands always.
fn joined(run: &[Letter], buffer: &mut String) {
    lower(run, buffer);
    if !buffer.contains(['-', '_', ',']) {
        return;
    }
    let chars: Vec<char> = buffer.chars().collect();
    buffer.clear();
    for (i, &c) in chars.iter().enumerate() {
        let digit = |j: usize| chars.get(j).is_some_and(char::is_ascii_digit);
        let kept = match c {
            '_' | ',' => false,
            '-' => i > 0 && digit(i - 1) && digit(i + 1),
            _ => true,
        };
        if kept {
            buffer.push(c);
        }
    }
}

/// Symbols of the elements.
const ELEMENTS: &str = " H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru \
     Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U \
     Np Pu ";

/// For a chemical formula of two elements or more: where each element starts, and the range of its count.
fn formula(piece: &[Letter]) -> Option<Vec<(usize, std::ops::Range<usize>)>> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < piece.len() {
        let two: Option<[char; 2]> = piece.get(at + 1).map(|next| [piece[at].ch, next.ch]);
        let symbol_len = match two {
            Some(pair) if is_element(&pair) => 2,
            _ if is_element(&[piece[at].ch]) => 1,
            _ => return None,
        };
        let count_start = at + symbol_len;
        let count_len = piece[count_start..].iter().take_while(|l| l.ch.is_ascii_digit() || l.ch == '.').count();
        groups.push((at, count_start..count_start + count_len));
        at = count_start + count_len;
    }
    (groups.len() >= 2).then_some(groups)
}

fn is_element(symbol: &[char]) -> bool {
    let mut padded = String::from(" ");
    padded.extend(symbol);
    padded.push(' ');
    symbol.iter().all(char::is_ascii_alphabetic) && ELEMENTS.contains(&padded)
}

#[cfg(test)]
mod tests {
    use super::super::analyse;

    fn terms(text: &str) -> Vec<String> {
        analyse(text).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn codes_are_kept_whole_beside_their_parts() {
        assert_eq!(terms("6204-2RS"), ["6204-2rs", "6204", "2rs"]);
        assert_eq!(terms("NCM811"), ["ncm811", "ncm", "811"]);
        assert_eq!(terms("NCM-811"), ["ncm811", "ncm", "811"]);
        assert_eq!(terms("state-of-the-art"), ["stateoftheart", "state", "art"]);
    }

    #[test]
    fn a_formula_gives_its_elements_and_their_counts() {
        let found = terms("LiNi0.8Co0.1Mn0.1O2");
        assert_eq!(found[0], "lini0.8co0.1mn0.1o2");
        for part in ["li", "ni", "ni0.8", "co0.1", "mn", "o2"] {
            assert!(found.iter().any(|t| t == part), "{part} in {found:?}");
        }
        assert_eq!(terms("LiFePO₄"), terms("LiFePO4"));
    }

    #[test]
    fn numbers_are_kept_with_their_units() {
        assert_eq!(terms("5 mg"), ["5", "5mg", "mg"]);
        assert_eq!(terms("5mg"), terms("5 mg"));
        assert_eq!(terms("5㎎"), terms("5 mg"));
        assert_eq!(terms("1,000 W"), ["1000", "1000w", "w"]);
        assert_eq!(terms("80 %"), terms("80%"));
        assert_eq!(terms("0.85"), ["0.85"]);
        assert_eq!(terms("2019-2021"), ["2019", "2021"]);
        assert_eq!(terms("300억원"), ["300", "300억", "억원", "~억원"]);
    }

    #[test]
    fn a_stop_joins_initials_but_not_sentences() {
        assert_eq!(terms("the U.S.A. won"), ["usa", "won"]);
        assert_eq!(terms("cells.The anode"), ["cell", "anod"]);
        assert_eq!(terms("Li2O.Then"), terms("Li2O. Then"));
    }
}
