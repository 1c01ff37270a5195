//! How much of one text another covers: the share of its information (weighed terms) that occurs there,
//! in the same words or in synonyms. 0: nothing, 1: everything.
//!
//! Lexical evidence only: it knows when a text is *about* something else, not when it contradicts.

use std::collections::HashSet;
use std::ops::Range;

use super::{Term, analyse};

/// Words that ask rather than say; a text that answers does not repeat them. Beginnings of Korean words.
const ASKING_KO: [&str; 30] = [
    "무엇",
    "무슨",
    "뭐",
    "얼마",
    "몇",
    "어느",
    "어떤",
    "어떻",
    "누가",
    "누구",
    "언제",
    "어디",
    "왜",
    "인가",
    "있나",
    "있습니",
    "있는가",
    "했나",
    "했습니",
    "했는가",
    "하나요",
    "합니",
    "되나",
    "됐나",
    "됩니",
    "되는가",
    "알려",
    "설명",
    "말해",
    "인지",
];
/// The same in English, whole words.
const ASKING_EN: [&str; 29] = [
    "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "many", "much", "do", "does", "did", "can",
    "could", "would", "tell", "explain", "describe", "give", "show", "list", "me", "about", "any", "there", "has",
    "have",
];

/// A place in a text and terms that mean the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Synonyms {
    /// Where in the text (bytes).
    pub span: Range<usize>,
    /// What may stand there instead.
    pub others: Vec<String>,
}

/// A text taken apart, to be looked for in others.
#[derive(Clone, Debug)]
pub struct Coverage {
    parts: Vec<Part>,
    total: f32,
}

#[derive(Clone, Debug)]
struct Part {
    term: String,
    /// Where in the text that was taken apart.
    span: Range<usize>,
    weight: f32,
    /// Each is a set of words that must all occur.
    alternatives: Vec<Vec<String>>,
}

/// The terms of a text, ready to be looked up.
pub fn term_set(text: &str) -> HashSet<String> {
    analyse(text).into_iter().map(|t| t.text).collect()
}

/// The whole words (no parts of words) of a text.
pub fn whole_words(text: &str) -> Vec<String> {
    analyse(text).into_iter().filter(|t| t.weight >= 1.0).map(|t| t.text).collect()
}

impl Coverage {
    /// Takes a statement apart. Terms weigh what the analyser says until [`Self::weigh`] is called.
    pub fn of_statement(text: &str, synonyms: &[Synonyms]) -> Coverage {
        Coverage::build(analyse(text), synonyms)
    }

    /// Takes a question apart: as a statement, without the words that only ask.
    pub fn of_question(question: &str, synonyms: &[Synonyms]) -> Coverage {
        Coverage::build(analyse(question).into_iter().filter(|t| !asks(question, &t.span)).collect(), synonyms)
    }

    fn build(terms: Vec<Term>, synonyms: &[Synonyms]) -> Coverage {
        let mut seen = HashSet::new();
        let parts: Vec<Part> = terms
            .into_iter()
            .filter(|t| seen.insert(t.text.clone()))
            .map(|t| Part { term: t.text, span: t.span, weight: t.weight, alternatives: Vec::new() })
            .collect();
        let total = parts.iter().map(|p| p.weight).sum();
        Coverage { parts, total }.or(synonyms)
    }

    /// Each term is also covered by the synonyms of the place it stands in.
    pub fn or(mut self, synonyms: &[Synonyms]) -> Coverage {
        for part in &mut self.parts {
            let holds = |s: &&Synonyms| s.span.start <= part.span.start && part.span.end <= s.span.end;
            let others = synonyms.iter().filter(holds).flat_map(|s| &s.others);
            part.alternatives.extend(others.map(|o| whole_words(o)).filter(|words| !words.is_empty()));
        }
        self
    }

    /// The terms, in order.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|p| p.term.as_str())
    }

    /// Multiplies each term's weight by its rarity, in the order of [`Self::terms`].
    pub fn weigh(mut self, rarity: impl IntoIterator<Item = f32>) -> Coverage {
        self.parts.iter_mut().zip(rarity).for_each(|(p, r)| p.weight *= r);
        self.total = self.parts.iter().map(|p| p.weight).sum();
        self
    }

    /// Makes the terms from byte `from` on weigh at least `share` of the whole, whatever their rarity; nothing where they, or the
    /// others, are none.
    pub fn stress(mut self, from: usize, share: f32) -> Coverage {
        let stressed = |p: &Part| p.span.start >= from;
        let own: f32 = self.parts.iter().filter(|p| stressed(p)).map(|p| p.weight).sum();
        let factor = share / (1.0 - share) * (self.total - own) / own;
        if own > 0.0 && factor > 1.0 {
            self.parts.iter_mut().filter(|p| p.span.start >= from).for_each(|p| p.weight *= factor);
            self.total = self.parts.iter().map(|p| p.weight).sum();
        }
        self
    }

    /// The same with each term's weight multiplied by what `factor` says of its place in the text; terms of weight 0 are left out.
    pub fn reweighed(&self, factor: impl Fn(&Range<usize>) -> f32) -> Coverage {
        let mut parts = self.parts.clone();
        parts.iter_mut().for_each(|p| p.weight *= factor(&p.span));
        parts.retain(|p| p.weight > 0.0);
        Coverage { total: parts.iter().map(|p| p.weight).sum(), parts }
    }

    /// The same without the terms in these places of the text.
    pub fn without(&self, places: &[Range<usize>]) -> Coverage {
        let is_within = |span: &Range<usize>| places.iter().any(|p| p.start <= span.start && span.end <= p.end);
        self.reweighed(|span| f32::from(u8::from(!is_within(span))))
    }

    /// True where there is nothing to cover.
    pub fn is_empty(&self) -> bool {
        self.total <= 0.0
    }

    /// Which share of these terms the text that was taken apart holds, itself or by a synonym that they hold whole; 0 of none.
    pub fn share_asked(&self, terms: &HashSet<String>) -> f32 {
        let by_synonym = |term: &String| {
            let mut sets = self.parts.iter().flat_map(|p| &p.alternatives);
            sets.any(|words| words.contains(term) && words.iter().all(|w| terms.contains(w)))
        };
        let asked = terms.iter().filter(|t| self.parts.iter().any(|p| p.term == **t) || by_synonym(t));
        if terms.is_empty() { 0.0 } else { asked.count() as f32 / terms.len() as f32 }
    }

    /// The share covered by a text with these terms; 0 where there is nothing to cover.
    pub fn by(&self, text: &HashSet<String>) -> f32 {
        let covered =
            |p: &&Part| text.contains(&p.term) || p.alternatives.iter().any(|a| a.iter().all(|w| text.contains(w)));
        if self.total > 0.0 {
            self.parts.iter().filter(covered).map(|p| p.weight).sum::<f32>() / self.total
        } else {
            0.0
        }
    }
}

/// True when the word around `span` only asks.
fn asks(question: &str, span: &Range<usize>) -> bool {
    let before = question.get(..span.start).unwrap_or("");
    let start =
        before.char_indices().rev().take_while(|(_, c)| c.is_alphanumeric()).last().map_or(span.start, |(i, _)| i);
    let word: String = question.get(start..).unwrap_or("").chars().take_while(|c| c.is_alphanumeric()).collect();
    let word = word.to_lowercase();
    ASKING_KO.iter().any(|a| word.starts_with(a)) || ASKING_EN.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_only_ask_do_not_count() {
        let coverage = Coverage::of_question("What is the binder?", &[]);
        assert!((coverage.by(&term_set("The binder was polyacrylic acid.")) - 1.0).abs() < 1e-6);
        let coverage = Coverage::of_question("바인더는 무엇인가?", &[]);
        assert!((coverage.by(&term_set("바인더로 폴리아크릴산을 썼다.")) - 1.0).abs() < 1e-6);
        assert_eq!(coverage.by(&term_set("전해질 첨가제")), 0.0);
    }

    #[test]
    fn what_is_stressed_decides() {
        let question = "세라믹막 오존 산화 과제의 목표는 무엇인가? 비용은?";
        let stressed = Coverage::of_question(question, &[]).stress(question.find("비용").unwrap(), 0.55);
        let topic = term_set("세라믹막 오존 산화 과제의 목표는 유기물 제거이다.");
        let both = term_set("세라믹막 오존 산화 과제의 목표는 유기물 제거이다. 비용은 3억 원이다.");
        assert!(Coverage::of_question(question, &[]).by(&topic) > 0.7);
        assert!((stressed.by(&topic) - 0.45).abs() < 0.01, "{}", stressed.by(&topic));
        assert!((stressed.by(&both) - 1.0).abs() < 1e-6);
        // Nothing else to weigh against: nothing changes.
        let alone = Coverage::of_question("비용은?", &[]);
        assert_eq!(alone.clone().stress(0, 0.55).by(&both), alone.by(&both));
    }

    #[test]
    fn synonyms_cover_and_rarity_weighs() {
        let question = "바인더 비용";
        let synonyms = [Synonyms { span: 0.."바인더".len(), others: vec!["binder".into()] }];
        let coverage = Coverage::of_question(question, &synonyms);
        let text = term_set("The binder was new.");
        let before = coverage.by(&text);
        assert!(before > 0.3 && before < 0.7, "{before}");
        let first_is_rare: Vec<f32> =
            coverage.terms().enumerate().map(|(i, _)| if i == 0 { 10.0 } else { 0.1 }).collect();
        assert!(coverage.weigh(first_is_rare).by(&text) > 0.9);
    }
}
