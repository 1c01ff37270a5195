//! From a question to a cited answer, or to an honest "the documents do not say".
//!
//! The order: condense a follow-up, retrieve, measure support, generate, and let through only those
//! sentences that `verify` finds in the passages they cite. Nothing reaches a reader unverified, not
//! even while streaming: a sentence is handed on when it is complete and checked.
//! Knows nothing of HTTP, terminals or files.

mod completed;
mod conversation;
mod draft;
mod excerpt;
mod listing;
mod reading;
mod remarks;
mod screen;
mod structured;
mod verify;
mod wordings;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::document::{CharIndex, Language, Passage, Span};
use crate::embed::EmbedError;
use crate::error::{Classified, ErrorKind};
use crate::generate::{
    Evidence, ExtractiveGenerator, Finish, GenerateError, Generator, Message, PromptStyle, Read, Request, Sampling,
    SpanFinder, TokenLogprob,
};
use crate::index::IndexError;
use crate::prompt::{self, PromptError};
use crate::retrieve::{self, Parts, Respelling, RetrieveError, SearchOptions, Support, Translations};
use crate::text::coverage::Coverage;
use crate::text::{self, QuestionPart, parts as question_parts, sentences};
use draft::Draft;
use reading::{Asked, Reading};
pub use reading::{Prompted, prompted};
use screen::Screened;
pub use screen::{Personal, Reason, Withheld, withheld};
use verify::{Verified, Verifier};
pub use wordings::wordings;

/// A question and how to answer it.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The question as asked.
    pub question: String,
    /// Earlier turns, oldest first.
    pub history: Vec<Message>,
    /// Restrictions and number of passages.
    pub search: SearchOptions,
    /// Sampling.
    pub sampling: Sampling,
    /// The JSON schema that the answer must follow; it is then shown whole or not at all.
    pub schema: Option<serde_json::Value>,
}

/// What happens while an answer is made.
#[derive(Clone, Debug)]
pub enum Event {
    /// The passages the answer will rest on, numbered as they were found; the text numbers them in the order of mention.
    Passages(Vec<Passage>),
    /// The generator has made some text that is not shown yet; an occasion to break off between sentences.
    Writing,
    /// The next verified sentence with its citations; the concatenation of all is the answer.
    Sentence(String),
}

/// One link from a sentence of the answer to the words that support it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Citation {
    /// Passage number, as in `[n]`: from 1 in the order of first mention; of JSON that a schema asked for, as the passage was found.
    pub n: usize,
    /// Document id.
    pub doc_id: String,
    /// Document title.
    pub title: String,
    /// Path of the source.
    pub source: String,
    /// Page, slide or sheet number; `null` where the format has none.
    pub page: Option<u32>,
    /// Heading path, outermost first, joined by ` > `.
    pub section: String,
    /// The words of the source, byte for byte.
    pub quote: String,
    /// First character of the quote in the document's extracted text.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// Which sentence of the answer, from 0.
    pub sentence: usize,
}

/// Milliseconds spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Condensing the question, and wording it otherwise.
    pub condense: f64,
    /// Retrieval.
    pub retrieve: f64,
    /// Until the generator's first piece of text, from its start.
    pub first_token: f64,
    /// Generation and verification.
    pub generate: f64,
    /// All of it.
    pub total: f64,
}

/// A finished answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The question that was searched for (differs from the one asked where that was a follow-up).
    pub question: String,
    /// Words of the question that no document has, and what was searched for instead.
    pub respelt: Vec<Respelling>,
    /// The text; each sentence ends with its citations. Empty where a stop string stands before all of it.
    pub answer: String,
    /// What must be known beside it, in the language of the question: what was left aside of the question, documents
    /// without a year that a filter left out where nothing answers, a figure of the question that the sources give
    /// otherwise, a part of it that they do not answer, an aim in place of a result, another value in another document.
    pub notes: Vec<String>,
    /// True when the documents do not answer, or no document passes the filters; `answer` then says which.
    pub abstained: bool,
    /// What wrote it.
    pub generator: String,
    /// Where each sentence comes from.
    pub citations: Vec<Citation>,
    /// What was retrieved, best first; with an abstention, the nearest there is. Each has the number of its citations; those that
    /// are not cited have the next ones.
    pub passages: Vec<Passage>,
    /// How well the passages answer, 0 to 1, by their words and by reading them; without a reader the share of the question that the
    /// best one covers (across languages of what can be recognised).
    pub support: f32,
    /// Sentences of the passages that were no evidence, by why.
    pub withheld: BTreeMap<Reason, usize>,
    /// Sentences the generator wrote that no passage supports; they were left out.
    pub dropped_sentences: usize,
    /// Tokens read.
    pub prompt_tokens: usize,
    /// Tokens written.
    pub completion_tokens: usize,
    /// False when the token limit cut the text.
    pub complete: bool,
    /// The generator's tokens of the sentences that were let through, as it wrote them, where the sampling
    /// asks how likely they were. What was left out is left out here too.
    #[serde(skip)]
    pub tokens: Vec<TokenLogprob>,
    /// Where the time went.
    pub timings_ms: Timings,
}

/// What can go wrong while answering.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Retrieval failed.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// The catalogue failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The encoder failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The generator failed.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A template of ours is wrong.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The reader left.
    #[error("cancelled")]
    Cancelled,
}

impl Classified for AnswerError {
    fn kind(&self) -> ErrorKind {
        match self {
            AnswerError::Retrieve(e) => e.kind(),
            AnswerError::Index(e) => e.kind(),
            AnswerError::Embed(e) => e.kind(),
            AnswerError::Generate(e) => e.kind(),
            AnswerError::Prompt(_) => ErrorKind::Internal,
            AnswerError::Cancelled => ErrorKind::Cancelled,
        }
    }

    fn for_client(&self) -> String {
        match self {
            AnswerError::Retrieve(e) => e.for_client(),
            AnswerError::Index(e) => e.for_client(),
            AnswerError::Embed(e) => e.for_client(),
            AnswerError::Generate(e) => e.for_client(),
            AnswerError::Prompt(_) | AnswerError::Cancelled => self.to_string(),
        }
    }
}

/// What answering needs besides retrieval.
pub struct Writer<'a> {
    /// Writes the text.
    pub generator: &'a dyn Generator,
    /// Reads the sentences of the passages, so that what says the same in other words is found too.
    pub reader: Option<&'a dyn SpanFinder>,
    /// Below this support nothing is answered.
    pub min_support: f32,
    /// Where no sentence of a language model is supported, sentences of the documents stand in their place.
    pub quote_instead: bool,
    /// Personal data in the passages may be told.
    pub personal_data: bool,
}

/// Answers `ask`, handing passages and verified sentences to `on` as they come.
pub fn answer(
    parts: &Parts<'_>,
    writer: &Writer<'_>,
    ask: &Ask,
    on: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Answer, AnswerError> {
    let begin = Instant::now();
    retrieve::check_length(&ask.question)?;
    let language = Language::detect(&ask.question);
    if ask.schema.is_none() && text::listing(&ask.question).is_some() {
        let (question, respelt) = retrieve::respell(parts, &ask.question)?;
        if let Some(list) = listing::list(parts, writer, ask, &question)? {
            return listed(parts, list, &ask.sampling, (question, respelt), begin, on);
        }
    }
    let is_new = |before: &str, question: &str| conversation::is_new(parts, &ask.search, before, question);
    let conversation::Standalone { before, own } = conversation::standalone(writer.generator, language, ask, &is_new)?;
    // What was respelt of an earlier question was said then.
    let (before, _) = retrieve::respell(parts, &before)?;
    let (own, respelt) = retrieve::respell(parts, &own)?;
    let (question, own_from) = if before.is_empty() { (own, 0) } else { (format!("{before} {own}"), before.len() + 1) };
    let wordings = wordings(writer.generator, language, &question, parts.settings)?;
    let condensed = begin.elapsed();

    let retrieve::Found { passages, set_aside } = retrieve::search_with(parts, &question, &wordings, &ask.search)?;
    // A follow-up is one thing, with what was asked before ahead of it.
    let several = if own_from == 0 { question_parts(&question) } else { Vec::new() };
    let passages = completed::completed(parts, &question, &several, &ask.search, passages)?;
    let retrieved = begin.elapsed();
    let screened = Screened::new(&question, &passages, writer.personal_data);
    if on(Event::Passages(screened.shown(&passages))).is_break() {
        return Err(AnswerError::Cancelled);
    }

    let asked = Asked { language, question: &question, own_from };
    let reading = Reading::of(parts, writer.reader, asked, &several, &passages, screened)?;
    let Reading { screened, measure, support, asks_for_personal, .. } = &reading;
    let mut draft = Draft::default();
    let mut quoted_instead = false;
    if reading.is_asked(writer) {
        let material = reading.material(&passages);
        let messages = messages(parts, writer.generator, language, ask, &question, measure.coverage(), &material)?;
        let asked = (question.as_str(), several.as_slice());
        write(writer.generator, parts, ask, asked, measure, &material, &messages, &mut draft, on)?;
        let chats = writer.generator.prompt_style() == PromptStyle::Chat;
        if writer.quote_instead && chats && ask.schema.is_none() && draft.is_all_unsupported() {
            draft.start_over();
            write(&ExtractiveGenerator, parts, ask, asked, measure, &material, &[], &mut draft, on)?;
            quoted_instead = !draft.text.is_empty();
        }
    }

    let abstained = draft.text.is_empty() && !draft.stopped;
    let mut undated = None;
    if abstained {
        let unmatched = if passages.is_empty() { retrieve::unmatched(parts, &ask.search)? } else { None };
        if unmatched.is_none() && !*asks_for_personal {
            undated = retrieve::undated(parts, &ask.search)?;
        }
        draft.text = match unmatched {
            Some(filters) => filters.message(language),
            None if *asks_for_personal => prompt::personal_data(language).to_owned(),
            None => prompt::abstention(language).to_owned(),
        };
        if on(Event::Sentence(draft.text.clone())).is_break() {
            return Err(AnswerError::Cancelled);
        }
    }
    let is_cited = |p: &&Passage| draft.sentences.iter().flat_map(|s| &s.quotes).any(|quote| quote.n == p.n);
    let sources: Vec<&Passage> = passages.iter().filter(is_cited).collect();
    let mut notes = set_aside.map(|aside| aside.unless_said(&sources).messages(language)).unwrap_or_default();
    notes.extend(undated.map(|undated| undated.message(language)));
    if ask.schema.is_none() {
        notes.extend(quoted_instead.then(|| prompt::quoted_instead(language).to_owned()));
        let material = reading.material(&passages);
        notes.extend(remarks::remarks(asked, &several, measure.coverage(), &material, &draft.sentences));
    }
    let mut cited = citations(parts, &draft.sentences, &passages)?;
    let mut shown = screened.shown(&passages);
    // JSON stands as it was written: its marks, where it has any, name the passages as they were found.
    if ask.schema.is_none() {
        draft.number(&mut cited, &mut shown);
    }
    Ok(Answer {
        notes,
        citations: cited,
        question,
        respelt,
        answer: draft.text,
        abstained,
        generator: if quoted_instead { ExtractiveGenerator.name() } else { writer.generator.name() }.to_owned(),
        withheld: screened.counts(),
        passages: shown,
        support: *support,
        dropped_sentences: draft.dropped,
        prompt_tokens: draft.prompt_tokens,
        completion_tokens: draft.completion_tokens,
        complete: draft.complete,
        tokens: draft.tokens,
        timings_ms: Timings {
            condense: ms(condensed),
            retrieve: ms(retrieved - condensed),
            first_token: draft.first_token_s * 1e3,
            generate: ms(begin.elapsed() - retrieved),
            total: ms(begin.elapsed()),
        },
    })
}

fn ms(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e3
}

/// A list as an answer.
fn listed(
    parts: &Parts<'_>,
    list: listing::List,
    sampling: &Sampling,
    (question, respelt): (String, Vec<Respelling>),
    begin: Instant,
    on: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Answer, AnswerError> {
    let listing::List { passages, screened, lines, is_whole, notes, support } = list;
    let mut shown = screened.shown(&passages);
    if on(Event::Passages(shown.clone())).is_break() {
        return Err(AnswerError::Cancelled);
    }
    let retrieved = begin.elapsed();
    let mut draft = Draft::default();
    for line in draft.list(lines, &sampling.stop) {
        if on(Event::Sentence(line)).is_break() {
            return Err(AnswerError::Cancelled);
        }
    }
    let mut cited = citations(parts, &draft.sentences, &passages)?;
    draft.number(&mut cited, &mut shown);
    Ok(Answer {
        question,
        respelt,
        answer: draft.text,
        notes,
        abstained: false,
        generator: ExtractiveGenerator.name().to_owned(),
        citations: cited,
        passages: shown,
        support,
        withheld: screened.counts(),
        dropped_sentences: 0,
        prompt_tokens: 0,
        completion_tokens: draft.completion_tokens,
        complete: is_whole,
        tokens: Vec::new(),
        timings_ms: Timings {
            retrieve: ms(retrieved),
            generate: ms(begin.elapsed() - retrieved),
            total: ms(begin.elapsed()),
            ..Timings::default()
        },
    })
}

/// What was retrieved, and what of it may be said.
struct Material<'a> {
    passages: &'a [Passage],
    screened: &'a Screened,
    translations: &'a Translations,
    read: Option<&'a Read>,
}

fn evidence<'a>(material: &Material<'a>) -> Vec<Evidence<'a>> {
    material
        .passages
        .iter()
        .zip(material.screened.texts())
        .map(|(p, text)| {
            let mut heading = p.title.clone();
            for h in p.path.iter().filter(|h| **h != p.title) {
                heading.push_str(" > ");
                heading.push_str(h);
            }
            for fact in [p.metadata.institution.clone(), p.metadata.year.map(|y| y.to_string())].into_iter().flatten() {
                heading.push_str(" | ");
                heading.push_str(&fact);
            }
            Evidence { n: p.n, heading, text, header: p.header.as_deref() }
        })
        .collect()
}

/// The prompt, with as many of the latest turns as fit beside the whole evidence; for the small reader, without
/// turns and with as much of the evidence as fits.
fn messages(
    parts: &Parts<'_>,
    generator: &dyn Generator,
    language: Language,
    ask: &Ask,
    question: &str,
    coverage: &Coverage,
    material: &Material<'_>,
) -> Result<Vec<Message>, AnswerError> {
    let evidence = evidence(material);
    match generator.prompt_style() {
        PromptStyle::None => return Ok(Vec::new()),
        PromptStyle::Reader => return Ok(reader_prompt(generator, language, ask, question, coverage, &evidence)?.0),
        PromptStyle::Chat => {}
    }
    let title = parts.sector.title.of(language);
    let room = generator.context_tokens().saturating_sub(ask.sampling.max_tokens);
    conversation::fit(generator, room, &ask.history, |history| {
        let mut messages = prompt::answer(language, title, question, &evidence, history)?;
        if let (Some(schema), Some(last)) = (&ask.schema, messages.last_mut()) {
            last.content.push_str(&prompt::json(language, schema));
        }
        Ok(messages)
    })
}

/// Tokens of passages that the small reader is shown: as many as it learnt to look through.
const READ: usize = 192;

/// The passages of which something is shown; also the texts that are left of all of them.
fn reader_prompt(
    generator: &dyn Generator,
    language: Language,
    ask: &Ask,
    question: &str,
    coverage: &Coverage,
    evidence: &[Evidence<'_>],
) -> Result<(Vec<Message>, Vec<String>), PromptError> {
    let tokens = |text: &str| generator.count_tokens(text);
    let bare: Vec<Evidence<'_>> = evidence.iter().map(|e| Evidence { text: "", ..e.clone() }).collect();
    let around: usize = prompt::reader(language, question, &bare)?.iter().map(|m| tokens(&m.content)).sum();
    // Its answers are short: a quarter of the window is enough for one. Control tokens and joints take a few more.
    let window = generator.context_tokens();
    let kept = ask.sampling.max_tokens.min(window / 4) + around + 16;
    let cut =
        excerpt::excerpts(evidence, (question, language), coverage, window.saturating_sub(kept).min(READ), &tokens);
    let shown = evidence.iter().zip(&cut).filter(|(_, text)| !text.is_empty());
    let shown: Vec<_> = shown.map(|(e, text)| Evidence { text, ..e.clone() }).collect();
    Ok((prompt::reader(language, question, &shown)?, cut))
}

#[allow(clippy::too_many_arguments)]
fn write(
    generator: &dyn Generator,
    parts: &Parts<'_>,
    ask: &Ask,
    (question, several): (&str, &[QuestionPart]),
    measure: &Support,
    material: &Material<'_>,
    messages: &[Message],
    draft: &mut Draft,
    on: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(), AnswerError> {
    let evidence = evidence(material);
    let request = Request {
        question,
        evidence: &evidence,
        coverage: measure.coverage(),
        parts: several,
        read: material.read,
        messages,
        sampling: &ask.sampling,
        schema: ask.schema.as_ref(),
        silence: prompt::abstention(Language::detect(question)),
    };
    let verifier = Verifier::new(question, material, parts.glossary);
    if let Some(schema) = &ask.schema {
        return write_json(generator, &request, (schema, &verifier), draft, on);
    }
    let mut buffer = String::new();
    // Bytes of the text before the buffer.
    let mut before = 0;
    let mut left = false;
    let generation = generator.generate(&request, &mut |piece| {
        on(Event::Writing)?;
        buffer.push_str(piece);
        // The last sentence may still grow.
        let spans = sentences(&buffer);
        let Some((_, complete)) = spans.split_last().filter(|(_, c)| !c.is_empty()) else {
            return ControlFlow::Continue(());
        };
        let done = complete.last().map_or(0, |s| s.end);
        for span in complete {
            let shown = draft.offer(span.slice(&buffer), moved(*span, before), &verifier);
            left |= shown.is_some_and(|shown| on(Event::Sentence(shown)).is_break());
            if left || draft.goes_in_circles() {
                return ControlFlow::Break(());
            }
        }
        buffer.drain(..done);
        before += done;
        ControlFlow::Continue(())
    })?;
    let circles = draft.goes_in_circles();
    if left || (generation.finish == Finish::Cancelled && !circles) {
        return Err(AnswerError::Cancelled);
    }
    if !circles {
        for span in sentences(&buffer) {
            let shown = draft.offer(span.slice(&buffer), moved(span, before), &verifier);
            if shown.is_some_and(|shown| on(Event::Sentence(shown)).is_break()) {
                return Err(AnswerError::Cancelled);
            }
        }
    }
    // What is left of a document's sentence may be too little to stand alone; what is left of a model's may be untrue.
    let quotes = generator.prompt_style() == PromptStyle::None;
    draft.stopped = generation.finish == Finish::StopString && (quotes || draft.is_blank());
    let complete = circles || generation.finish.is_complete();
    draft.end(generation, complete);
    Ok(())
}

/// JSON is one statement: it is checked when it is whole.
fn write_json(
    generator: &dyn Generator,
    request: &Request<'_>,
    (schema, verifier): (&serde_json::Value, &Verifier<'_>),
    draft: &mut Draft,
    on: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(), AnswerError> {
    let mut text = String::new();
    let generation = generator.generate(request, &mut |piece| {
        text.push_str(piece);
        on(Event::Writing)
    })?;
    if generation.finish == Finish::Cancelled {
        return Err(AnswerError::Cancelled);
    }
    let complete = generation.finish.is_complete();
    let claims = structured::check(&text, schema, verifier);
    if claims.is_some() && on(Event::Sentence(text.clone())).is_break() {
        return Err(AnswerError::Cancelled);
    }
    draft.end_json(text, claims, generation, complete);
    Ok(())
}

fn moved(span: Span, by: usize) -> Span {
    Span { start: span.start + by, end: span.end + by }
}

/// Turns quotes within passages into places in documents.
fn citations(parts: &Parts<'_>, sentences: &[Verified], passages: &[Passage]) -> Result<Vec<Citation>, AnswerError> {
    let mut out = Vec::new();
    for (i, sentence) in sentences.iter().enumerate() {
        for quote in &sentence.quotes {
            let Some(passage) = passages.iter().find(|p| p.n == quote.n) else { continue };
            let document = parts.catalog.document(&passage.doc_id)?;
            let from = passage.span.start;
            let span = Span { start: from + quote.span.start, end: from + quote.span.end };
            let (start, end) = CharIndex::new(&document.text).chars(span);
            out.push(Citation {
                n: quote.n,
                doc_id: passage.doc_id.clone(),
                title: passage.title.clone(),
                source: passage.source.clone(),
                page: document.page_at(span.start),
                section: passage.path.join(" > "),
                quote: span.slice(&document.text).to_owned(),
                start,
                end,
                sentence: i,
            });
        }
    }
    Ok(out)
}
