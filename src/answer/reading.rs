//! What of the retrieved passages a generator gets to read, and whether it is asked at all.
//!
//! In: a question and its passages. Out: how much of the question they hold, and the prompt. [`super::answer`] goes on from
//! here to a text; [`prompted`] stops here, for whoever trains a generator on what it will be shown.

use super::screen::Screened;
use super::{AnswerError, Ask, Material, Writer, evidence, messages, reader_prompt};
use crate::document::{Language, Passage};
use crate::generate::{self, Message, PromptStyle, Read, SpanFinder};
use crate::retrieve::{self, Parts, Support, Translations};
use crate::text::QuestionPart;
use crate::text::coverage::Coverage;
use crate::text::fields::{self, FieldName};

/// Of what a passage in the other language says, the words that are recognised as translations hold about this share. Of the 19
/// cross-language questions of the demonstration sectors 10 are answered with it and 5 without; of the battery sector's 16 with the
/// documents that answer them removed, 1 and 0.
const KNOWN_ACROSS: f32 = 0.7;

/// What the share of the question that the best passage covers counts beside the score of the best sentence read …
const WORDS: f32 = 0.25;
/// … from which sum on the documents are taken to answer (eval/README.md, "Is there an answer at all?") …
const LINE: f32 = 0.5;
/// … and how fast that becomes likelier above it.
const STEEPNESS: f32 = 2.5;

/// Passages as they are read for one question.
pub(super) struct Reading {
    pub(super) screened: Screened,
    pub(super) translations: Translations,
    pub(super) measure: Support,
    /// What a reader found, where there is one.
    pub(super) read: Option<Read>,
    /// How well the passages answer, 0 to 1; where nothing reads, the share of the question that the best one covers.
    pub(super) support: f32,
    /// What was asked for is withheld.
    pub(super) asks_for_personal: bool,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) language: Language,
    pub(super) question: &'a str,
    /// Byte from which on a follow-up asks itself; before it stands what was asked earlier. 0: there is no earlier question.
    pub(super) own_from: usize,
}

impl Reading {
    pub(super) fn of(
        parts: &Parts<'_>,
        reader: Option<&dyn SpanFinder>,
        Asked { language, question, own_from }: Asked<'_>,
        several: &[QuestionPart],
        passages: &[Passage],
        screened: Screened,
    ) -> Result<Reading, AnswerError> {
        let translations = Translations::new()?;
        let measure = Support::new(question, parts.glossary, parts.catalog)?
            .across(&translations, question, passages)
            .of_follow_up(own_from);
        let fields = fields::asked(question);
        let held = |(p, text): (&Passage, &str)| {
            let share = measure.of(&in_context(p, text, &fields));
            if is_across(language, p.language) { (share / KNOWN_ACROSS).min(1.0) } else { share }
        };
        let support = passages.iter().zip(screened.texts()).map(held).fold(0.0, f32::max);
        let asks_for_personal = screened.answers_with_personal_data(passages, measure.coverage());
        let mut reading = Reading { screened, translations, measure, read: None, support, asks_for_personal };
        if let Some(reader) = reader.filter(|_| !asks_for_personal) {
            let evidence = evidence(&reading.material(passages));
            let own = read_for(question, own_from);
            let read = generate::read(reader, (question, own), several, reading.measure.coverage(), &evidence)?;
            reading.support = answered(support, read.best());
            reading.read = Some(read);
        }
        Ok(reading)
    }

    /// True where a generator is asked; else nothing is answered.
    pub(super) fn is_asked(&self, writer: &Writer<'_>) -> bool {
        self.support >= writer.min_support && !self.asks_for_personal
    }

    pub(super) fn material<'a>(&'a self, passages: &'a [Passage]) -> Material<'a> {
        Material { passages, screened: &self.screened, translations: &self.translations, read: self.read.as_ref() }
    }
}

/// What a reader is asked: of a follow-up its own words, since what was asked before is answered by what was answered
/// before; all of it where those only ask (`왜?`).
fn read_for(question: &str, own_from: usize) -> &str {
    let own = &question[own_from..];
    if Coverage::of_question(own, &[]).is_empty() { question } else { own }
}

/// How well the passages answer, 0 to 1: 0.5 at [`LINE`], 0 where there is no sentence.
fn answered(words: f32, best: Option<f32>) -> f32 {
    best.map_or(0.0, |score| 1.0 / (1.0 + (-STEEPNESS * (score + WORDS * words - LINE)).exp()))
}

fn is_across(question: Language, passage: Language) -> bool {
    matches!((question, passage), (Language::Ko, Language::En) | (Language::En, Language::Ko))
}

/// What a passage says, with the title and headings it stands under, the header of a table that it continues, and the other names of the
/// fields asked for that it gives.
pub(super) fn in_context(passage: &Passage, text: &str, asked: &[&'static FieldName]) -> String {
    let columns = passage.header.as_deref().unwrap_or_default().replace('_', " ");
    let fields = fields::names_in(text, asked);
    format!("{}\n{}\n{columns}\n{text}\n{fields}", passage.title, passage.path.join("\n"))
}

/// What a generator would be shown for a question.
#[derive(Clone, Debug)]
pub struct Prompted {
    /// The prompt.
    pub messages: Vec<Message>,
    /// The passages in it.
    pub passages: Vec<Passage>,
    /// Of each passage, the text that the prompt has: screened, and cut where the window is small.
    pub texts: Vec<String>,
    /// Passages that were found and not wanted; others stand in their place.
    pub left_out: usize,
    /// False where no generator would be asked: the passages hold too little of the question.
    pub is_asked: bool,
}

/// The prompt that [`super::answer`] would write for `ask`, among the passages that `wanted` lets through. History,
/// other wordings and schemas are not looked at.
pub fn prompted(
    parts: &Parts<'_>,
    writer: &Writer<'_>,
    ask: &Ask,
    wanted: &dyn Fn(&Passage) -> bool,
) -> Result<Prompted, AnswerError> {
    let language = Language::detect(&ask.question);
    let (question, _) = retrieve::respell(parts, &ask.question)?;
    let (passages, left_out) = chosen(parts, &question, ask, wanted)?;
    let screened = Screened::new(&question, &passages, writer.personal_data);
    let asked = Asked { language, question: &question, own_from: 0 };
    let reading = Reading::of(parts, writer.reader, asked, &[], &passages, screened)?;
    let (material, coverage) = (reading.material(&passages), reading.measure.coverage());
    let shown = evidence(&material);
    let (messages, texts) = match writer.generator.prompt_style() {
        PromptStyle::Reader => reader_prompt(writer.generator, language, ask, &question, coverage, &shown)?,
        PromptStyle::Chat | PromptStyle::None => {
            let texts = shown.iter().map(|e| e.text.to_owned()).collect();
            (messages(parts, writer.generator, language, ask, &question, coverage, &material)?, texts)
        }
    };
    let is_asked = reading.is_asked(writer);
    Ok(Prompted { messages, texts, left_out, is_asked, passages })
}

/// How much further a search looks where passages are left out.
const FURTHER: usize = 6;

/// As many passages as are asked for, numbered from 1, and how many were left out.
fn chosen(
    parts: &Parts<'_>,
    question: &str,
    ask: &Ask,
    wanted: &dyn Fn(&Passage) -> bool,
) -> Result<(Vec<Passage>, usize), AnswerError> {
    let found = retrieve::search(parts, question, &ask.search)?;
    let all = found.len();
    let kept: Vec<Passage> = found.into_iter().filter(|p| wanted(p)).collect();
    let left_out = all - kept.len();
    if left_out == 0 {
        return Ok((kept, 0));
    }
    let mut options = ask.search.clone();
    options.limit = options.limit.saturating_mul(FURTHER);
    let mut passages: Vec<Passage> = retrieve::search(parts, question, &options)?;
    passages.retain(|p| wanted(p));
    passages.truncate(ask.search.limit);
    passages.iter_mut().zip(1..).for_each(|(p, n)| p.n = n);
    Ok((passages, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follow_up_is_read_for_what_it_asks_itself() {
        let question = "보호필름은 몇 시간을 버텼나? 발전량 손실은?";
        let own_from = question.find("발전량").unwrap();
        assert_eq!(read_for(question, own_from), "발전량 손실은?");
        assert_eq!(read_for(question, 0), question);
        let why = "Which film failed in the rig? Why?";
        assert_eq!(read_for(why, why.find("Why").unwrap()), why, "nothing of its own to find");
    }
}
