//! Words of the passages that say in the other language what a word of the question says.
//!
//! In: the words of a question and the texts found for it. Out: synonyms, to be used like those of a glossary. They are
//! found by the embedded encoder's vectors of single words, which lie close where one translates the other. Of 66 Korean
//! words 97 % have a cosine above 0.6 to their translation, and three to their opposite or neighbour too; but each of those
//! lies further than [`NEAR_BEST`] below the best word that the encoder knows, whether that is in the texts or not. So 양극,
//! a battery's cathode, is met by no anode (in electrolysis, where it is one, the glossary has to say so). It knows no
//! loanword that the encoder has never read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::embed::{EmbedError, StaticModel, dot};
use crate::text::coverage::{Synonyms, whole_words};
use crate::text::{Term, analyse};

/// A word translates another from this cosine on …
const SAME_MEANING: f32 = 0.6;
/// … one that is no piece of its own from this on: the sum of its pieces may lie near what only one of them means (벼물바구미,
/// a weevil, at 0.66 from `rice`) …
const OF_PIECES: f32 = 0.7;
/// … and if none comes closer by more than this, in the texts or among all pieces of the encoder; or it is a form of that.
const NEAR_BEST: f32 = 0.1;
/// A word whose every translation is met by chance says nothing: shorter Latin words are not looked at.
const SHORTEST: usize = 3;

/// The encoder's pieces in Hangul and in Latin script.
static PIECES: LazyLock<[Vec<(&'static str, u32)>; 2]> = LazyLock::new(|| {
    [Script::Hangul, Script::Latin]
        .map(|script| StaticModel::pieces().filter(|(piece, _)| Script::of(piece) == Some(script)).collect())
});

/// Finds them.
pub struct Translations {
    words: StaticModel,
    /// Words asked for, with the nearest piece of the other script and its cosine.
    nearest: Mutex<HashMap<String, Option<(&'static str, f32)>>>,
}

impl Translations {
    /// Prepares the vectors of words.
    pub fn new() -> Result<Translations, EmbedError> {
        Ok(Translations { words: StaticModel::embedded()?, nearest: Mutex::default() })
    }

    /// For each word of `question` the words of `texts`, one or two in a row, that translate it.
    pub fn of<'a>(&self, question: &str, texts: impl IntoIterator<Item = &'a str>) -> Vec<Synonyms> {
        let asked: Vec<(Script, Term)> =
            analyse(question).into_iter().filter_map(|t| Some((Script::of(&t.text)?, t))).collect();
        let is_asked_in = |script: Script| asked.iter().any(|(s, _)| *s == script);
        let wanted: Vec<Script> =
            [Script::Hangul, Script::Latin].into_iter().filter(|s| is_asked_in(s.other())).collect();
        let mut names: BTreeMap<String, Script> = BTreeMap::new();
        for text in texts {
            collect(text, &wanted, &mut names);
        }
        let candidates: Vec<(Script, Vec<f32>, String)> =
            names.into_iter().map(|(name, script)| (script, self.words.vector(&name), name)).collect();
        let translated = |(script, term): &(Script, Term)| {
            let word = script.spelt(question, term);
            let vector = self.words.vector(word);
            let least = if self.words.has_word(&word.to_lowercase()) { SAME_MEANING } else { OF_PIECES };
            let cosines: Vec<(f32, &String)> = candidates
                .iter()
                .filter(|(s, _, _)| *s == script.other())
                .map(|(_, v, name)| (dot(v, &vector), name))
                .filter(|(cosine, _)| *cosine >= least)
                .collect();
            let here = cosines.iter().map(|c| c.0).fold(0.0, f32::max);
            let known = if cosines.is_empty() { None } else { self.nearest(word, script.other(), &vector) };
            let best = known.map_or(here, |(_, cosine)| here.max(cosine));
            let is_form = |name: &str| known.is_some_and(|(piece, _)| whole_words(piece) == whole_words(name));
            let stands = |(cosine, name): &(f32, &String)| *cosine >= best - NEAR_BEST || is_form(name);
            let others = cosines.into_iter().filter(stands).map(|c| c.1.clone()).collect();
            Synonyms { span: term.span.clone(), others }
        };
        asked.iter().map(translated).filter(|s| !s.others.is_empty()).collect()
    }

    /// The nearest piece of a script, and its cosine.
    fn nearest(&self, word: &str, script: Script, vector: &[f32]) -> Option<(&'static str, f32)> {
        let known = || self.nearest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nearest) = known().get(word) {
            return *nearest;
        }
        let nearest = match script {
            Script::Hangul => self.words.nearest(vector, &PIECES[0]),
            Script::Latin => self.words.nearest(vector, &PIECES[1]),
        };
        known().insert(word.to_owned(), nearest);
        nearest
    }
}

/// The words of `text` in the scripts looked for, and each two in a row.
fn collect(text: &str, wanted: &[Script], into: &mut BTreeMap<String, Script>) {
    let mut before: Option<(Script, Term)> = None;
    for term in analyse(text).into_iter().filter(|t| t.weight >= 1.0) {
        let script = Script::of(&term.text).filter(|s| wanted.contains(s));
        let Some(script) = script else {
            before = None;
            continue;
        };
        let word = script.spelt(text, &term).to_lowercase();
        if let Some((_, first)) = before.filter(|(s, t)| *s == script && text[t.span.end..term.span.start] == *" ") {
            into.insert(format!("{} {word}", script.spelt(text, &first).to_lowercase()), script);
        }
        into.insert(word, script);
        before = Some((script, term));
    }
}

/// The two scripts that words are translated between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Hangul,
    Latin,
}

impl Script {
    /// `None` for figures, codes and what is too short to mean one thing.
    pub(super) fn of(term: &str) -> Option<Script> {
        if term.chars().all(|c| ('가'..='힣').contains(&c)) {
            return Some(Script::Hangul);
        }
        (term.len() >= SHORTEST && term.chars().all(|c| c.is_ascii_alphabetic())).then_some(Script::Latin)
    }

    fn other(self) -> Script {
        match self {
            Script::Hangul => Script::Latin,
            Script::Latin => Script::Hangul,
        }
    }

    /// The word as the encoder knows it: in Korean without its particle, in English as written.
    pub(super) fn spelt<'a>(self, text: &'a str, term: &'a Term) -> &'a str {
        match self {
            Script::Hangul => &term.text,
            Script::Latin => &text[term.span.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(question: &str, text: &str, word: &str) -> Vec<String> {
        let at = question.find(word).unwrap();
        let all = Translations::new().unwrap().of(question, [text]);
        all.into_iter().filter(|s| s.span.start == at).flat_map(|s| s.others).collect()
    }

    #[test]
    fn a_word_is_found_in_the_other_language_and_its_opposite_is_not() {
        let text = "The anode was coated first. The hydrogen pressure fell.";
        assert_eq!(others("음극의 코팅 두께는?", text, "음극"), ["anode"]);
        assert!(others("양극의 코팅 두께는?", text, "양극").is_empty());
        assert!(others("산소 농도는?", text, "산소").is_empty());
        assert!(others("벼물바구미는?", "The rice was dried.", "벼물바구미").is_empty(), "one of five pieces");
        assert_eq!(
            others("불순물은?", "The impurities were removed.", "불순물"),
            ["impurities"],
            "not the nearest form"
        );
        assert!(others("수소 압력은?", text, "수소").contains(&"hydrogen".to_owned()));
        assert_eq!(others("When did the pressure fall?", "수소 압력이 떨어졌다.", "pressure"), ["압력"]);
    }

    #[test]
    fn a_question_in_the_language_of_the_text_needs_nothing() {
        let translations = Translations::new().unwrap();
        assert!(translations.of("How thick was the anode?", ["The cathode was 80 µm thick."]).is_empty());
        assert!(translations.of("음극의 두께는?", ["양극 두께는 80 µm였다."]).is_empty());
        assert!(translations.of("", [""]).is_empty());
    }
}
