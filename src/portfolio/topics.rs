//! What is the portfolio about? Topics by spherical k-means over projects, labelled by title words.
//!
//! Deterministic: the first centre is the project nearest to the mean, each next the one farthest from all
//! centres so far (ties by order), then Lloyd's steps until nothing moves (Dhillon & Modha 2001).
//! Topics are a view, not a truth: another number of topics cuts differently.

use std::collections::BTreeMap;

use super::holdings::Holdings;
use super::similarity::{Meaning, Terms, dense_cosine, mean_vector};
use crate::document::Language;
use crate::retrieve::Glossary;
use crate::text::analyse;
use crate::text::coverage::Synonyms;

/// Lloyd's steps at most.
const STEPS: usize = 30;

/// A topic.
pub struct Topic {
    /// Words that name it.
    pub label: Vec<String>,
    /// Projects, by index into the holdings.
    pub members: Vec<usize>,
}

/// So many topics fit a portfolio of `n` projects.
pub fn fitting(n: usize) -> usize {
    ((n as f64 / 2.0).sqrt().round() as usize).clamp(1, 40)
}

/// Cuts the portfolio into at most `k` topics.
pub fn topics(holdings: &Holdings, k: usize) -> Vec<Topic> {
    let n = holdings.all.len();
    let k = k.clamp(1, n.max(1));
    let items: Vec<&Meaning> = holdings.all.iter().map(|h| &h.meaning).collect();
    if n == 0 {
        return Vec::new();
    }
    let mut centres = vec![items[first(&items)].clone()];
    let mut nearest: Vec<f32> = items.iter().map(|m| near(m, &centres[0])).collect();
    while centres.len() < k {
        let far = (0..n).fold(0, |a, b| if nearest[b] < nearest[a] { b } else { a });
        centres.push(items[far].clone());
        for (slot, item) in nearest.iter_mut().zip(&items) {
            *slot = slot.max(near(item, &centres[centres.len() - 1]));
        }
    }
    let mut of = vec![usize::MAX; n];
    for _ in 0..STEPS {
        let next: Vec<usize> = items
            .iter()
            .map(|m| {
                let scores = centres.iter().map(|c| near(m, c));
                scores.enumerate().fold((0, f32::MIN), |best, (i, s)| if s > best.1 { (i, s) } else { best }).0
            })
            .collect();
        if next == of {
            break;
        }
        of = next;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members = || of.iter().zip(&items).filter(move |(o, _)| **o == c).map(|(_, m)| *m);
            if members().next().is_some() {
                *centre = Meaning { terms: Terms::sum(members().map(|m| &m.terms)), vector: mean_vector(members()) };
            }
        }
    }
    let mut out: Vec<Topic> = centres
        .iter()
        .enumerate()
        .map(|(c, centre)| Topic {
            label: holdings.label(&centre.terms, 3),
            members: of.iter().enumerate().filter(|(_, o)| **o == c).map(|(i, _)| i).collect(),
        })
        .filter(|t| !t.members.is_empty())
        .collect();
    out.sort_by(|a, b| b.members.len().cmp(&a.members.len()).then_with(|| a.label.cmp(&b.label)));
    out
}

/// A topic's label for a reader: a word of the other language gives way to the name that the glossary has in the reader's, of the longest term
/// that holds the word in most of the `titles` that have it. Abbreviations are the same in both and stay; so does what the glossary does not know.
/// One thing is named once.
pub fn in_language(label: &[String], titles: &[&str], glossary: &Glossary, reader: Language) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in label {
        let foreign = match reader {
            Language::Ko => !korean(word) && word.contains(char::is_lowercase),
            Language::En | Language::Other => korean(word),
        };
        let name = if foreign { named(word, titles, glossary, reader) } else { None };
        let name = name.unwrap_or_else(|| word.clone());
        if !out.iter().any(|o| o.contains(&name) || name.contains(o) || same_thing(o, &name, glossary)) {
            out.push(name);
        }
    }
    out
}

/// True for two spellings of one name, and for two names of one row of the glossary.
fn same_thing(a: &str, b: &str, glossary: &Glossary) -> bool {
    let words =
        |text: &str| -> Vec<String> { analyse(text).into_iter().filter(|t| t.weight >= 1.0).map(|t| t.text).collect() };
    let wanted = words(b);
    words(a) == wanted || glossary.matches(a).iter().flat_map(|row| &row.others).any(|other| words(other) == wanted)
}

fn named(word: &str, titles: &[&str], glossary: &Glossary, reader: Language) -> Option<String> {
    let term = analyse(word).into_iter().next()?.text;
    let mut count: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for title in titles {
        let places: Vec<_> = analyse(title).into_iter().filter(|t| t.text == term).map(|t| t.span).collect();
        if places.is_empty() {
            continue;
        }
        let holds = |s: &&Synonyms| places.iter().any(|at| s.span.start <= at.start && at.end <= s.span.end);
        let rows = glossary.matches(title);
        let longest = rows.iter().filter(holds).max_by_key(|s| s.span.len());
        *count.entry(longest.and_then(|s| name_in(&s.others, reader))).or_default() += 1;
    }
    if count.is_empty() {
        return glossary.matches(word).first().and_then(|s| name_in(&s.others, reader));
    }
    let (name, n) = count.iter().max_by_key(|(_, n)| **n)?;
    if n * 2 > count.values().sum() { name.clone() } else { None }
}

/// The first name of that language that is no abbreviation.
fn name_in(names: &[String], reader: Language) -> Option<String> {
    let wanted = |n: &&String| match reader {
        Language::Ko => korean(n),
        Language::En | Language::Other => !korean(n) && n.contains(char::is_lowercase),
    };
    names.iter().find(wanted).cloned()
}

fn korean(word: &str) -> bool {
    word.contains(|c: char| ('가'..='힣').contains(&c))
}

fn first(items: &[&Meaning]) -> usize {
    let mean = Terms::sum(items.iter().map(|m| &m.terms));
    (0..items.len())
        .fold((0, f32::MIN), |best, i| {
            let s = items[i].terms.cosine(&mean);
            if s > best.1 { (i, s) } else { best }
        })
        .0
}

fn near(a: &Meaning, b: &Meaning) -> f32 {
    let words = a.terms.cosine(&b.terms);
    dense_cosine(a, b).map_or(words, |c| 0.5 * words + 0.5 * c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::GlossaryRow;

    fn shown(label: &[&str], titles: &[&str], reader: Language) -> Vec<String> {
        let row = |terms: &[&str]| GlossaryRow { terms: terms.iter().map(|t| (*t).to_owned()).collect() };
        let rows = [
            row(&["분리막", "세퍼레이터", "separator"]),
            row(&["열폭주", "thermal runaway"]),
            row(&["리튬인산철", "LFP", "lithium iron phosphate"]),
            row(&["모듈", "module"]),
        ];
        let label: Vec<String> = label.iter().map(|w| (*w).to_owned()).collect();
        in_language(&label, titles, &Glossary::new(&rows), reader)
    }

    #[test]
    fn a_word_of_the_other_language_is_shown_by_its_name_in_the_glossary() {
        let titles =
            ["Separators that stop thermal runaway", "Runaway is thermal runaway in LFP cells", "Separator shrinkage"];
        assert_eq!(shown(&["Separators", "runaway", "LFP"], &titles, Language::Ko), ["분리막", "열폭주", "LFP"]);
        assert_eq!(shown(&["Separators", "runaway"], &titles, Language::En), ["Separators", "runaway"]);
        assert_eq!(shown(&["분리막"], &["분리막의 수축"], Language::En), ["separator"]);
        assert_eq!(shown(&["modules", "vehicle", "모듈"], &["Vehicle modules"], Language::Ko), ["모듈", "vehicle"]);
    }

    #[test]
    fn two_names_of_one_thing_are_one() {
        assert_eq!(shown(&["분리막", "세퍼레이터", "모듈"], &["분리막의 수축"], Language::Ko), ["분리막", "모듈"]);
        assert_eq!(shown(&["Separators", "분리막"], &["분리막의 수축"], Language::En), ["Separators"]);
        let titles = ["Thermal runaway of cells"];
        assert_eq!(shown(&["열폭주", "runaway", "LFP"], &titles, Language::Ko), ["열폭주", "LFP"]);
    }

    #[test]
    fn a_word_that_the_titles_use_otherwise_stays() {
        let titles = ["A runaway reaction", "Runaway growth of lithium", "Thermal runaway"];
        assert_eq!(shown(&["runaway", "growth"], &titles, Language::Ko), ["runaway", "growth"]);
    }
}
