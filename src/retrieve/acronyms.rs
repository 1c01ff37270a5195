//! What the documents themselves say are two names of one thing, as rows of a glossary: Korean name, English name, abbreviation.
//!
//! In: the pairs of an index with how many chunks say them. Out: rows. An abbreviation with one meaning joins its Korean and its
//! English name in one row; one with several (CE is an efficiency here, an element there) stands with each of them apart, so that
//! they do not become names of each other.

use std::collections::BTreeMap;

use crate::sector::GlossaryRow;
use crate::text::coverage::whole_words;
use crate::text::{SameThing, is_abbreviation};

/// One meaning stands alone where the next is said at most this share as often.
const RIVAL: f32 = 0.5;
/// Meanings of one abbreviation that are kept, in each language.
const MEANINGS: usize = 3;
/// A Korean name as short as a person's, or as a word for anything (시스템), must be said so often to belong to an abbreviation.
const VAGUE: usize = 3;
const SAID: u64 = 3;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Korean,
    English,
    Short,
}

fn kind(name: &str) -> Kind {
    if name.chars().any(|c| ('가'..='힣').contains(&c)) {
        Kind::Korean
    } else if is_abbreviation(name) {
        Kind::Short
    } else {
        Kind::English
    }
}

/// Spellings of one name, told by their stems, with how often each is said.
type Meanings = BTreeMap<Vec<String>, BTreeMap<String, u64>>;

/// The rows, in a fixed order.
pub(super) fn rows(pairs: &[(SameThing, u64)]) -> Vec<GlossaryRow> {
    let mut by_short: BTreeMap<String, [Meanings; 2]> = BTreeMap::new();
    let mut rows = Vec::new();
    for (pair, n) in pairs {
        let (a, b) = (&pair.name, &pair.other);
        let (short, long) = match (kind(a), kind(b)) {
            (Kind::Short, Kind::Korean | Kind::English) => (a, b),
            (Kind::Korean | Kind::English, Kind::Short) => (b, a),
            (Kind::Korean, Kind::English) | (Kind::English, Kind::Korean) => {
                rows.push(GlossaryRow { terms: vec![a.clone(), b.clone()] });
                continue;
            }
            (Kind::Short, Kind::Short) | (Kind::Korean, Kind::Korean) | (Kind::English, Kind::English) => continue,
        };
        let korean = kind(long) == Kind::Korean;
        if korean && long.chars().count() <= VAGUE && *n < SAID {
            continue;
        }
        let meanings = &mut by_short.entry(singular(short).to_owned()).or_default()[usize::from(korean)];
        *meanings.entry(whole_words(long)).or_default().entry(long.clone()).or_default() += n;
    }
    for (short, [english, korean]) in by_short {
        let (english, korean) = (ranked(&english), ranked(&korean));
        if is_one(&english) && is_one(&korean) {
            let names = english.first().into_iter().chain(korean.first()).map(|m| m.0.clone());
            rows.push(GlossaryRow { terms: std::iter::once(short).chain(names).collect() });
        } else {
            let names = english.iter().take(MEANINGS).chain(korean.iter().take(MEANINGS));
            rows.extend(names.map(|m| GlossaryRow { terms: vec![short.clone(), m.0.clone()] }));
        }
    }
    rows
}

/// RFB for RFBs.
fn singular(short: &str) -> &str {
    short.strip_suffix('s').filter(|s| is_abbreviation(s)).unwrap_or(short)
}

/// Each meaning by its most frequent spelling, with how often it is said in all, most frequent first.
fn ranked(meanings: &Meanings) -> Vec<(String, u64)> {
    let mut ranked: Vec<(String, u64)> = meanings
        .values()
        .filter_map(|spellings| {
            let most = spellings.iter().max_by_key(|(text, n)| (**n, std::cmp::Reverse((*text).clone())))?;
            Some((most.0.clone(), spellings.values().sum()))
        })
        .collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

fn is_one(ranked: &[(String, u64)]) -> bool {
    match ranked {
        [] | [_] => true,
        [first, second, ..] => second.1 as f32 <= first.1 as f32 * RIVAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pairs: &[(&str, &str, u64)]) -> Vec<Vec<String>> {
        let pairs: Vec<_> =
            pairs.iter().map(|(a, b, n)| (SameThing { name: (*a).into(), other: (*b).into() }, *n)).collect();
        rows(&pairs).into_iter().map(|r| r.terms).collect()
    }

    #[test]
    fn an_abbreviation_joins_the_names_of_both_languages() {
        let pairs = [
            ("redox flow battery", "RFB", 3),
            ("Redox flow batteries", "RFBs", 1),
            ("레독스흐름전지", "RFB", 1),
            ("고체전해질", "solid electrolyte", 1),
        ];
        assert_eq!(
            made(&pairs),
            [vec!["고체전해질", "solid electrolyte"], vec!["RFB", "redox flow battery", "레독스흐름전지"]]
        );
    }

    #[test]
    fn meanings_of_one_abbreviation_do_not_become_names_of_each_other() {
        let pairs = [("coulombic efficiency", "CE", 3), ("capillary electrophoresis", "CE", 2)];
        assert_eq!(made(&pairs), [vec!["CE", "coulombic efficiency"], vec!["CE", "capillary electrophoresis"]]);
    }

    #[test]
    fn a_person_with_an_affiliation_is_no_abbreviation() {
        assert!(made(&[("홍길동", "KAIST", 1)]).is_empty());
        assert_eq!(made(&[("양극재", "CAM", 3)]), [vec!["CAM", "양극재"]]);
    }
}
