//! Which institute is meant? Korean, English, abbreviated and former names brought to one.
//!
//! First rules that hold everywhere (legal forms, articles, `University of X`, departments after a comma),
//! then a table: the program's (`institutes.toml`, public names only) and the sector's `[[institutes]]`.
//! It does not know that two institutes merged, nor anything that is not written in those tables.

use std::collections::HashMap;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::sector::InstituteRow;
use crate::text::spaced;

const TABLE: &str = include_str!("institutes.toml");

/// Legal forms and the like, written without blanks and dots; they say nothing about who it is.
const FORMS: [&str; 40] = [
    "co",
    "ltd",
    "inc",
    "corp",
    "corporation",
    "company",
    "gmbh",
    "ag",
    "llc",
    "llp",
    "lp",
    "plc",
    "sa",
    "sas",
    "srl",
    "spa",
    "bv",
    "nv",
    "ab",
    "oy",
    "as",
    "kg",
    "ev",
    "limited",
    "incorporated",
    "the",
    "of",
    "and",
    "for",
    "at",
    "de",
    "der",
    "des",
    "la",
    "le",
    "du",
    "et",
    "zu",
    "und",
    "fur",
];
/// English words that bodies write in front of the name.
const BODIES: [&str; 8] = ["regents", "chancellor", "masters", "scholars", "provost", "fellows", "trustees", "board"];

/// The tables, ready for look-up.
pub struct Institutes {
    known: HashMap<String, usize>,
    shown: Vec<String>,
}

#[derive(Deserialize)]
struct Table {
    institutes: Vec<InstituteRow>,
}

/// An institute as it was written and as it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Institute {
    /// Equal for all names of one institute.
    pub key: String,
    /// Name to show.
    pub name: String,
}

impl Institutes {
    /// The program's table with the sector's rows, which win.
    pub fn new(rows: &[InstituteRow]) -> Institutes {
        let table: Table = toml::from_str(TABLE).expect("the program's own table is tested");
        let mut out = Institutes { known: HashMap::new(), shown: Vec::new() };
        for row in table.institutes.iter().chain(rows) {
            let Some(first) = row.names.first() else { continue };
            let at = out.shown.len();
            out.shown.push(first.clone());
            for name in row.names.iter().chain(&row.former) {
                out.known.insert(key(name), at);
            }
        }
        out
    }

    /// The institute behind a name; of a name in no table, its key by the rules.
    pub fn find(&self, written: &str) -> Institute {
        let cleaned = clean(written);
        // The table first with the whole name, then without its department: `KAIST 신소재공학과`.
        let candidates = [written.trim().to_owned(), cleaned.clone(), without_department(&cleaned)];
        for name in &candidates {
            if let Some(&at) = self.known.get(&key(name)) {
                return Institute { key: format!("#{}", key(&self.shown[at])), name: self.shown[at].clone() };
            }
        }
        // `한국과학기술원(KAIST)`: both the name and what stands in brackets are looked up.
        if let Some((before, inside)) = bracketed(&cleaned) {
            for name in [before, inside] {
                if let Some(&at) = self.known.get(&key(name)) {
                    return Institute { key: format!("#{}", key(&self.shown[at])), name: self.shown[at].clone() };
                }
            }
        }
        let name = without_department(&cleaned);
        Institute { key: key(&name), name }
    }
}

/// White space squeezed and Korean legal forms off.
fn clean(written: &str) -> String {
    let mut text: String = written.nfkc().collect();
    for form in ["(주)", "(재)", "(사)", "주식회사", "유한회사", "재단법인", "사단법인", "산학협력단", "학교법인"]
    {
        text = text.replace(form, " ");
    }
    spaced(&text)
}

/// `X University, Dept. of Y` and `미르대학교 에너지공학과` are X University and 미르대학교.
fn without_department(name: &str) -> String {
    let korean = |word: &str| word.ends_with("대학교") || word.ends_with("연구원") || word.ends_with("연구소");
    let words: Vec<&str> = name.split(' ').collect();
    if let Some(at) = words.iter().position(|w| korean(w))
        && at + 1 < words.len()
    {
        return words[..=at].join(" ");
    }
    match name.split_once(',') {
        Some((head, tail)) if is_department(tail) => head.trim().to_owned(),
        _ => name.to_owned(),
    }
}

fn is_department(tail: &str) -> bool {
    let tail = tail.trim().to_lowercase();
    ["dep", "faculty", "school", "division", "college", "laborator", "center", "centre", "institute of"]
        .iter()
        .any(|word| tail.starts_with(word))
}

fn bracketed(name: &str) -> Option<(&str, &str)> {
    let (before, rest) = name.split_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    Some((before.trim(), inside.trim()))
}

/// Equal for two spellings of one name: letters folded, words that carry nothing left out, the rest in order of the alphabet.
fn key(name: &str) -> String {
    let folded: String = name.nfkd().filter(|c| !('\u{300}'..='\u{36F}').contains(c)).nfc().collect::<String>();
    let folded = folded.to_lowercase().replace('.', "");
    let mut words: Vec<String> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty() && !FORMS.contains(w) && !BODIES.contains(w))
        .map(|w| match w {
            "univ" | "universitat" | "universite" | "universita" | "universiteit" | "universidad" | "universitet" => {
                "university".to_owned()
            }
            "inst" | "institut" | "instituto" => "institute".to_owned(),
            "natl" => "national".to_owned(),
            "tech" => "technology".to_owned(),
            _ => w.to_owned(),
        })
        .collect();
    words.sort();
    words.dedup();
    let key = words.join(" ");
    // A name of such words only (`The Company`) is its own key.
    if key.is_empty() { folded.trim().to_owned() } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let table = Institutes::new(&[InstituteRow {
            names: vec!["가온에너지소재".into(), "Gaon Energy Materials".into()],
            former: vec!["가온화학".into()],
        }]);
        table.find(a).key == table.find(b).key
    }

    #[test]
    fn names_of_one_institute_meet() {
        for (a, b) in [
            ("KAIST", "한국과학기술원"),
            ("한국과학기술원(KAIST)", "Korea Advanced Institute of Science and Technology"),
            ("전자부품연구원", "KETI"),
            ("(주)가온에너지소재", "Gaon Energy Materials Co., Ltd."),
            ("㈜가온화학", "가온에너지소재 주식회사"),
            ("미르대학교 에너지공학과", "미르대학교 산학협력단"),
            ("University of Cambridge", "THE CHANCELLOR MASTERS AND SCHOLARS OF THE UNIVERSITY OF CAMBRIDGE"),
            ("Northgate Cell Works Inc.", "northgate cell works"),
            ("Uppsala Univ.", "UPPSALA UNIVERSITET"),
            ("Quillmere University, Department of Chemistry", "University of Quillmere"),
        ] {
            assert!(same(a, b), "{a} / {b}");
        }
    }

    #[test]
    fn different_institutes_stay_apart() {
        for (a, b) in [
            ("KAIST", "KIST"),
            ("한국전기연구원", "한국전자기술연구원"),
            ("University of California-Los Angeles", "University of California-Berkeley"),
            ("서울대학교", "서울시립대학교"),
            ("", "KIST"),
        ] {
            assert!(!same(a, b), "{a} / {b}");
        }
    }
}
