//! Proposals made from finished projects by program, with labels that follow from how they were made.
//!
//! A project is reworded (synonyms of `eval/overlap/lexicon.tsv`; a share of the other words dropped or replaced by words
//! of another project), its sentences shuffled within their facet, its title changed likewise. `noise` is that share,
//! drawn from 10 to 85 % for each proposal: authors who describe the same work again share about a third of their
//! words. It is a model of another author, not one. Nothing of a data set is written down here.

use std::collections::HashMap;

use super::statistics::Random;
use crate::document::Document;
use crate::portfolio::{Facet, Kind, Project};

const LEXICON: &str = include_str!("../../eval/overlap/lexicon.tsv");

/// How a proposal was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// Two thirds of the sentences, reworded and shuffled.
    Reworded,
    /// Three or four sentences, reworded.
    Shortened,
    /// Every other sentence, reworded: a project handed in as two.
    Split,
    /// Words of the lexicon in Korean, the rest as it was (technical words, as Korean proposals do).
    Korean,
    /// The aim of one project with the method of another, far one.
    FacetChanged,
    /// Another project of the same topic, reworded; itself left out of the index.
    NearTopic,
}

impl Recipe {
    /// All.
    pub const ALL: [Recipe; 6] =
        [Recipe::Reworded, Recipe::Shortened, Recipe::Split, Recipe::Korean, Recipe::FacetChanged, Recipe::NearTopic];
}

/// A made proposal.
pub struct Made {
    /// How.
    pub recipe: Recipe,
    /// Its text; the first line is the title.
    pub text: String,
    /// Project id -> what it is to this proposal. Everything else is at most related.
    pub labels: Vec<(String, Kind)>,
    /// Project ids that are left out of the comparison.
    pub exclude: Vec<String>,
    /// Share of the words outside the lexicon that were dropped or replaced.
    pub noise: f64,
}

/// A project with its text.
pub struct Original<'a> {
    /// Text.
    pub document: &'a Document,
    /// Facets.
    pub project: &'a Project,
}

impl Original<'_> {
    fn sentences(&self, facets: &[Facet]) -> Vec<&str> {
        self.project.spans(facets).map(|s| s.slice(&self.document.text)).collect()
    }

    /// True when it has enough of both facets to be taken apart.
    pub fn fits(&self) -> bool {
        self.sentences(&[Facet::Aim]).len() >= 2 && self.sentences(&[Facet::Method, Facet::Material]).len() >= 3
    }
}

/// Makes one proposal; `far` gives the method of [`Recipe::FacetChanged`].
pub fn make(recipe: Recipe, of: &Original<'_>, far: &Original<'_>, random: &mut Random) -> Made {
    let noise = (10 + random.below(76)) as f64 / 100.0;
    let foreign: Vec<&str> = far.document.text.split_whitespace().filter(|w| w.chars().count() > 4).collect();
    let id = of.project.id.clone();
    let (aims, methods) = (of.sentences(&[Facet::Aim]), of.sentences(&[Facet::Method, Facet::Material]));
    let results = of.sentences(&[Facet::Result]);
    let mut some = |mut from: Vec<&str>, share: f64| -> Vec<String> {
        random.shuffle(&mut from);
        let n = ((from.len() as f64 * share).ceil() as usize).max(1);
        from.into_iter().take(n).map(str::to_owned).collect()
    };
    let (sentences, labels, exclude) = match recipe {
        Recipe::Reworded | Recipe::Korean => (
            join([some(aims, 0.67), some(methods, 0.67), some(results, 0.5)]),
            vec![(id, Kind::DoneAlready)],
            Vec::new(),
        ),
        Recipe::Shortened => {
            (join([some(aims, 0.01), some(methods, 0.34), Vec::new()]), vec![(id, Kind::DoneAlready)], Vec::new())
        }
        Recipe::Split => {
            (join([some(aims, 0.5), some(methods, 0.5), Vec::new()]), vec![(id, Kind::DoneAlready)], Vec::new())
        }
        Recipe::FacetChanged => {
            let others = far.sentences(&[Facet::Method, Facet::Material]);
            (
                join([some(aims, 0.8), some(others, 0.67), Vec::new()]),
                vec![(id, Kind::SameAim), (far.project.id.clone(), Kind::SameMethod)],
                Vec::new(),
            )
        }
        Recipe::NearTopic => (join([some(aims, 0.67), some(methods, 0.67), Vec::new()]), Vec::new(), vec![id]),
    };
    let korean = recipe == Recipe::Korean;
    let lexicon = Lexicon::new();
    let title = lexicon.reword(&of.document.title, noise, korean, &foreign, random);
    let mut text = format!("{title}\n\n");
    for sentence in sentences {
        text.push_str(&lexicon.reword(&sentence, noise, korean, &foreign, random));
        text.push_str(if korean { " 연구한다.\n" } else { "\n" });
    }
    Made { recipe, text, labels, exclude, noise }
}

fn join(parts: [Vec<String>; 3]) -> Vec<String> {
    parts.into_iter().flatten().collect()
}

struct Lexicon {
    rows: HashMap<&'static str, (Vec<&'static str>, &'static str)>,
}

impl Lexicon {
    fn new() -> Lexicon {
        let rows = LEXICON.lines().filter(|l| !l.starts_with('#')).filter_map(|line| {
            let mut cells = line.split('\t');
            let (word, same, korean) = (cells.next()?, cells.next()?, cells.next()?);
            Some((word, (same.split('|').collect(), korean)))
        });
        Lexicon { rows: rows.collect() }
    }

    fn reword(&self, sentence: &str, noise: f64, korean: bool, foreign: &[&str], random: &mut Random) -> String {
        let mut out: Vec<String> = Vec::new();
        for word in sentence.split_whitespace() {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let tail: String =
                word.chars().rev().take_while(|c| !c.is_alphanumeric()).collect::<Vec<_>>().into_iter().rev().collect();
            match self.rows.get(bare.as_str()) {
                Some((_, ko)) if korean => out.push(format!("{ko}{tail}")),
                Some((same, _)) => out.push(format!("{}{tail}", same[random.below(same.len())])),
                // Function words of English would betray the language of the original.
                None if korean && bare.len() <= 4 && bare.chars().all(|c| c.is_ascii_lowercase()) => {}
                None if (random.below(1000) as f64) < noise * 1000.0 => match foreign.len() {
                    n if n > 0 && !korean && random.below(2) == 0 => out.push(foreign[random.below(n)].to_owned()),
                    _ => out.push(tail),
                },
                None => out.push(word.to_owned()),
            }
        }
        out.retain(|w| !w.is_empty());
        out.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewording_changes_words_and_keeps_others() {
        let lexicon = Lexicon::new();
        let mut random = Random::new(7);
        let out = lexicon.reword("We investigate graphene, using experiments.", 0.0, false, &[], &mut random);
        assert!(out.contains("graphene,") && !out.contains("investigate") && !out.contains("experiments"), "{out}");
        let ko = lexicon.reword("We investigate graphene, using experiments.", 0.0, true, &[], &mut random);
        assert!(ko.contains("조사하다") && ko.contains("graphene,") && !ko.contains("We"), "{ko}");
        assert!(lexicon.reword("graphene oxide film", 1.0, false, &[], &mut random).is_empty());
    }
}
