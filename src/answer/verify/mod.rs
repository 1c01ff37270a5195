//! Lets a generated sentence through only with the words of the passages that support it.
//!
//! A sentence stands if a sentence of at least one passage supports it, read with its neighbours and the headings above (a row of a table:
//! with its header alone): enough of its information occurs there (terms weighed by how rare they are among the passages; across
//! languages glossary terms and words that the embedded encoder takes for translations count), **every figure in it occurs there**,
//! and every name in capitals, under that name or another of the glossary. The question vouches for neither: whoever asks what a cell kept
//! at 45 °C must not be told what it kept at 25 °C as if that were the answer. A citation the generator gave is kept if it
//! passes, dropped if not; a sentence without a valid one is given the best passage that supports it,
//! or left out. The quote is the passage's own sentence that shares most with the claim.
//!
//! A *fragment* (`80.7 %`, a name, half a sentence) says something only together with the question: it stands where a sentence
//! of a passage holds it whole and that sentence, under its headings, holds a share of the question too, or a reader takes those words
//! for the answer. That sentence is the quote. A value in JSON is a fragment whose field says what it is; there the question is not looked for.
//!
//! What it cannot see: a sentence that uses the passage's words to say the opposite.

use std::collections::{BTreeSet, HashMap};

mod particulars;
mod passage;

use super::Material;
use super::screen;
use crate::document::{Language, Span};
use crate::generate::Read;
use crate::retrieve::{Glossary, Translations};
use crate::text::coverage::{Coverage, term_set, whole_words};
use crate::text::{analyse, fields, rows};
use particulars::{figures, names};
use passage::{Prepared, Said};

/// Share of a claim's information that a passage in the same language must hold.
const SAME_LANGUAGE: f32 = 0.5;
/// The same across languages, where many words have no known translation. On 1,000 pairs of news sentences about half of the
/// translations stand (a third of the Korean ones fall for figures like `1억 2천만`), 8 % of their neighbours, under 1 % of others.
const CROSS_LANGUAGE: f32 = 0.15;

/// Share of a question in an answer that is the question asked, which makes it no answer.
const OF_THE_QUESTION: f32 = 0.5;

/// Words a claim must have to stand without being quoted.
const LEAST_WORDS: usize = 2;
/// Share of the question's information that the sentence around a fragment must hold.
const AROUND_FRAGMENT: f32 = 0.3;

/// A sentence that may be shown, with what supports it.
#[derive(Clone)]
pub(super) struct Verified {
    text: String,
    /// As the generator wrote it, without marks.
    pub(super) claim: String,
    /// One a cited passage, in the order cited.
    pub(super) quotes: Vec<Quote>,
}

/// Words of a passage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    /// Passage number.
    pub(super) n: usize,
    /// Bytes within the passage's text.
    pub(super) span: Span,
}

impl Verified {
    /// The same behind the name of what the sentence is of.
    pub(super) fn headed(&self, name: &str) -> Verified {
        self.named(&format!("{name}: {}", self.text))
    }

    /// That name alone, with what supports the sentence.
    pub(super) fn named(&self, name: &str) -> Verified {
        // A bracket with a figure in a title would be taken for a citation.
        Verified { text: split_citations(name).0, claim: self.claim.clone(), quotes: self.quotes.clone() }
    }

    /// A statement of ours about passages, each of which bears it out by these words.
    pub(super) fn of_all(text: String, quotes: Vec<Quote>) -> Verified {
        Verified { claim: text.clone(), text, quotes }
    }

    /// The sentence with its citations at the end, under the numbers that `number` gives the passages.
    pub(super) fn shown(&self, number: &mut dyn FnMut(usize) -> usize) -> String {
        let marks: String = self.quotes.iter().map(|q| format!("[{}]", number(q.n))).collect();
        format!("{} {marks}", self.text)
    }
}

/// The passages of one answer, prepared for checking claims.
pub(super) struct Verifier<'a> {
    passages: Vec<Prepared<'a>>,
    read: Option<&'a Read>,
    glossary: &'a Glossary,
    translations: &'a Translations,
    question: &'a str,
    language: Language,
    asked: Coverage,
    question_figures: BTreeSet<String>,
    /// How rare a term is among the passages' sentences.
    idf: HashMap<String, f32>,
    rarest: f32,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(question: &'a str, material: &Material<'a>, glossary: &'a Glossary) -> Self {
        let screened = material.screened;
        let all = material.passages.iter().enumerate();
        let passages: Vec<Prepared<'a>> =
            all.map(|(i, p)| Prepared::new(p, screened.text(i), screened.withheld(i))).collect();
        let mut frequency: HashMap<&String, f32> = HashMap::new();
        let all = passages.iter().flat_map(|p| &p.sentences);
        all.clone().flat_map(|s| &s.terms).for_each(|t| *frequency.entry(t).or_default() += 1.0);
        let n = all.count() as f32;
        let idf = frequency.into_iter().map(|(t, df)| (t.clone(), (1.0 + (n - df + 0.5) / (df + 0.5)).ln())).collect();
        let translations = material.translations;
        let mut verifier = Verifier {
            read: material.read,
            glossary,
            translations,
            question,
            language: Language::detect(question),
            asked: Coverage::of_question(question, &glossary.matches(question)),
            question_figures: figures(question),
            idf,
            rarest: (1.0 + 2.0 * n + 1.0).ln(),
            passages,
        };
        verifier.asked = verifier.by_rarity(verifier.asked.clone());
        verifier
    }

    /// True when `piece` says something at all (a lone citation or a heading mark does not).
    pub(super) fn claims(&self, piece: &str) -> bool {
        !analyse(&split_citations(piece).0).is_empty()
    }

    /// True when `piece` only says again what the generator was given to read with: the question, in its words or near
    /// them, or the line of headings above a passage.
    pub(super) fn repeats_the_prompt(&self, piece: &str) -> bool {
        let (text, _) = split_citations(piece);
        let text = text.trim();
        let said = Coverage::of_statement(text, &[]);
        let asks = text.ends_with(['?', '？']);
        if asks && said.by(&term_set(self.question)) >= OF_THE_QUESTION {
            return true;
        }
        let parts: Vec<&str> = text.trim_end_matches('.').split(['>', '|']).map(str::trim).collect();
        let headings = |p: &Prepared<'_>| {
            let known =
                |part: &&str| p.passage.title.starts_with(*part) || p.passage.path.iter().any(|h| h.starts_with(*part));
            parts.iter().all(known)
        };
        (asks || parts.len() > 1) && self.passages.iter().any(headings)
    }

    /// The sentence with the citations that hold, or `None`.
    pub(super) fn check(&self, piece: &str) -> Option<Verified> {
        self.checked(piece, &|prepared, span| self.answers(prepared, span))
    }

    /// The same for a value of JSON.
    pub(super) fn check_value(&self, piece: &str) -> Option<Verified> {
        self.checked(piece, &|_, _| true)
    }

    fn checked(&self, piece: &str, fits: &Fits<'_>) -> Option<Verified> {
        let (claim, cited) = split_citations(piece);
        let quoted = without_last_marks(piece);
        if !self.claims(piece) || screen::is_addressed_to_a_machine(&claim) {
            return None;
        }
        let mut quotes: Vec<Quote> = Vec::new();
        for n in cited {
            let found =
                self.passages.iter().find(|p| p.passage.n == n).and_then(|p| self.supports(p, &claim, quoted, fits));
            if let Some((_, quote)) = found.filter(|(_, q)| quotes.iter().all(|other| other.n != q.n)) {
                quotes.push(quote);
            }
        }
        if quotes.is_empty() {
            let best = self
                .passages
                .iter()
                .filter_map(|p| self.supports(p, &claim, quoted, fits))
                .reduce(|best, next| if next.0 > best.0 { next } else { best })?;
            quotes.push(best.1);
        }
        let text = self.display(&claim, &quotes[0]);
        Some(Verified { text, claim, quotes })
    }

    /// True when every figure of `text` occurs in a passage or in the question.
    pub(super) fn knows_figures(&self, text: &str) -> bool {
        let known = |figure| self.passages.iter().any(|p| p.figures.contains(figure));
        figures(text).iter().all(|figure| known(figure) || self.question_figures.contains(figure))
    }

    /// How well a passage supports a claim, and its words that do; `None` where it does not. `quoted` is the claim with the marks that
    /// stand within it, which may be the document's own.
    fn supports(&self, prepared: &Prepared<'_>, claim: &str, quoted: &str, fits: &Fits<'_>) -> Option<(f32, Quote)> {
        let text = &prepared.passage.text;
        let n = prepared.passage.n;
        let (mut parts, mut is_withheld) = (false, false);
        // The full stop after a fragment is the answer's.
        let said = [quoted, claim].into_iter().find(|said| text.contains(said)).unwrap_or(claim.trim_end_matches('.'));
        let words = term_set(said);
        for start in places(text, said) {
            let span = Span { start, end: start + said.len() };
            // What rests on an order is obedience, not evidence.
            if prepared.withheld.iter().any(|w| w.start < span.end && span.start < w.end) {
                is_withheld = true;
                continue;
            }
            let around = prepared.sentences.iter().find(|s| s.span.start <= span.start && span.end <= s.span.end);
            match around.filter(|s| s.terms.len() > words.len()) {
                None => return Some((2.0, Quote { n, span })),
                Some(s) if fits(prepared, s.span) || self.read.is_some_and(|read| read.answers(n, said)) => {
                    return Some((2.0, Quote { n, span: s.span }));
                }
                Some(_) => parts = true,
            }
        }
        if parts || is_withheld || whole_words(claim).len() < LEAST_WORDS {
            return None;
        }
        let across = Language::detect(claim) != prepared.passage.language;
        let (coverage, floor) = match across {
            true => (self.weighed(claim).or(&self.translations.of(claim, [prepared.context.as_str()])), CROSS_LANGUAGE),
            false => (self.weighed(claim), SAME_LANGUAGE),
        };
        let figures = figures(claim);
        let names: Vec<_> = names(claim).into_iter().map(|name| self.known_as(name)).collect();
        let stands = |said: &&Said| {
            let figures = figures.iter().all(|f| said.figures.contains(f));
            let all_there = |terms: &Vec<String>| terms.iter().all(|t| said.around.contains(t));
            figures && names.iter().all(|forms| forms.iter().any(all_there)) && coverage.by(&said.around) >= floor
        };
        let held = prepared.sentences.iter().filter(stands).map(|said| (coverage.by(&said.terms), said));
        let (_, said) = held.reduce(|a, b| if b.0 > a.0 { b } else { a })?;
        Some((coverage.by(&said.around), Quote { n, span: said.span }))
    }

    /// The terms of a name as it is written, without the `s` of several, and of others that the glossary knows for it.
    fn known_as(&self, name: &str) -> Vec<Vec<String>> {
        let synonyms = self.glossary.matches(name);
        let others = synonyms.iter().flat_map(|s| &s.others).map(String::as_str);
        let forms = [name, name.trim_end_matches('s')].into_iter().chain(others).map(whole_words);
        forms.filter(|terms| !terms.is_empty()).collect()
    }

    /// Whether a sentence under its headings holds enough of the question for a part of it to be an answer.
    fn answers(&self, prepared: &Prepared<'_>, sentence: Span) -> bool {
        let passage = prepared.passage;
        let context = format!("{}\n{}\n{}", passage.title, passage.path.join("\n"), sentence.slice(&passage.text));
        let across = Language::detect(self.question) != passage.language;
        let (asked, floor) = match across {
            true => (self.asked.clone().or(&self.translations.of(self.question, [context.as_str()])), CROSS_LANGUAGE),
            false => (self.asked.clone(), AROUND_FRAGMENT),
        };
        asked.terms().next().is_none() || asked.by(&term_set(&context)) >= floor
    }

    /// The claim's terms, weighed by how rare they are among the passages.
    fn weighed(&self, claim: &str) -> Coverage {
        self.by_rarity(Coverage::of_statement(claim, &self.glossary.matches(claim)))
    }

    fn by_rarity(&self, coverage: Coverage) -> Coverage {
        let rarity: Vec<f32> = coverage.terms().map(|t| self.idf.get(t).copied().unwrap_or(self.rarest)).collect();
        coverage.weigh(rarity)
    }

    /// The claim as a reader sees it: Markdown marks removed, a table row read out with its header.
    fn display(&self, claim: &str, quote: &Quote) -> String {
        let row = claim.trim();
        if rows::is_row(row) {
            let passage = self.passages.iter().find(|p| p.passage.n == quote.n).map(|p| p.passage);
            let header = passage.and_then(|p| rows::header_of(&p.text, quote.span.start).or(p.header.as_deref()));
            // A reference in the name of a column would be taken for a citation.
            return split_citations(&rows::read(row, header, self.language)).0;
        }
        if let Some(fact) = fields::shown_fact(row, self.language) {
            return fact;
        }
        let plain = without_marks(row).replace("**", "").replace("__", "");
        // Extracted text is broken into lines; the quote keeps them, the sentence need not.
        let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        if plain.is_empty() { row.to_owned() } else { plain }
    }
}

/// A line without the marks of headings, quotations and lists before it; a minus or `>` before a figure is none.
fn without_marks(line: &str) -> &str {
    let bare = line.trim_start_matches(['#', '>', '*', '•', ' ']);
    let marks = line[..line.len() - bare.len()].trim_end();
    if marks.ends_with('>') && bare.starts_with(|c: char| c.is_ascii_digit()) {
        return &line[marks.len() - 1..];
    }
    bare.strip_prefix("- ").map_or(bare, without_marks)
}

/// Whether a fragment of this sentence answers.
type Fits<'f> = dyn Fn(&Prepared<'_>, Span) -> bool + 'f;

/// Where a text holds a claim whole: not `3` in `13`, in `3.2` or in `C3`.
fn places<'t>(text: &'t str, claim: &'t str) -> impl Iterator<Item = usize> + 't {
    let begins = |start: usize| {
        let mut before = text[..start].chars().rev();
        match (before.next(), claim.chars().next()) {
            (Some('.' | ','), Some(c)) if c.is_ascii_digit() => !before.next().is_some_and(|b| b.is_ascii_digit()),
            (Some(b), Some(c)) => !(b.is_ascii_alphanumeric() && c.is_ascii_alphanumeric()),
            _ => true,
        }
    };
    let ends = |end: usize| {
        let mut after = text[end..].chars();
        match (claim.chars().next_back(), after.next()) {
            (Some(c), Some('.' | ',')) if c.is_ascii_digit() => !after.next().is_some_and(|a| a.is_ascii_digit()),
            (Some(c), Some(a)) if c.is_ascii_digit() => !a.is_ascii_digit(),
            (Some(c), Some(a)) => !(c.is_ascii_alphabetic() && a.is_ascii_alphabetic()),
            _ => true,
        }
    };
    text.match_indices(claim).map(|(start, _)| start).filter(move |s| begins(*s) && ends(*s + claim.len()))
}

/// A piece without the marks at its end.
fn without_last_marks(piece: &str) -> &str {
    let mut text = piece.trim();
    while let Some((before, inside)) = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('['))
        && numbers(inside).is_some()
    {
        text = before.trim_end();
    }
    text
}

/// The numbers of a mark, of what stands between its brackets; none where it is no mark.
fn numbers(inside: &str) -> Option<Vec<usize>> {
    let numbers = inside.split([',', ' ', ';']).filter(|s| !s.is_empty()).map(|s| s.parse().ok());
    numbers.collect::<Option<Vec<usize>>>().filter(|numbers| !numbers.is_empty())
}

/// Splits off `[1]`, `[1, 2]`, `[1][3]` anywhere in a piece.
fn split_citations(piece: &str) -> (String, Vec<usize>) {
    let (mut text, mut cited) = (String::with_capacity(piece.len()), Vec::new());
    let mut rest = piece;
    while let Some(open) = rest.find('[') {
        let inside = rest[open + 1..].find(']').map(|close| &rest[open + 1..open + 1 + close]);
        match (inside.and_then(numbers), inside) {
            (Some(numbers), Some(inside)) => {
                text.push_str(rest[..open].trim_end());
                cited.extend(numbers);
                rest = &rest[open + inside.len() + 2..];
            }
            _ => {
                text.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    text.push_str(rest);
    (text.trim().to_owned(), cited)
}

#[cfg(test)]
mod tests;
