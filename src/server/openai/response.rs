//! What OpenAI's clients receive: whole answers and streamed chunks, with `sectora` beside them.
//!
//! A streamed answer is: one chunk with the role and the passages found, one chunk a verified sentence, one with the notes if there are
//! any, one with the finish reason and the whole `sectora` object, one with the usage if asked for, `[DONE]`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::response::sse::Event;
use futures_core::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::answering::{Answering, Step};
use super::super::wire::{Grounds, Passage};
use super::request::Streaming;
use crate::answer::Answer;
use crate::document::Language;
use crate::prompt;

/// Which of the two answering doors a response belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Completions,
}

/// What every piece of one response carries.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) model: String,
}

/// Tokens (0 where the generator has none).
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
}

/// The answer to `POST /v1/chat/completions`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatCompletion {
    id: String,
    /// `chat.completion`
    object: &'static str,
    created: u64,
    model: String,
    choices: [ChatChoice; 1],
    usage: Usage,
    /// Extension: citations, passages, abstention.
    sectora: Grounds,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChatChoice {
    index: u32,
    message: AssistantMessage,
    logprobs: Option<Logprobs>,
    /// `stop` or `length`
    finish_reason: &'static str,
}

/// How likely the generator's tokens were.
#[derive(Debug, Serialize, ToSchema)]
struct Logprobs {
    /// The tokens of the sentences that were let through, as the generator wrote them: its citation marks
    /// differ from those in the message, which are numbered in the order of mention.
    content: Vec<Logprob>,
    refusal: Option<()>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Logprob {
    #[serde(flatten)]
    token: Alternative,
    /// The likeliest tokens, best first.
    top_logprobs: Vec<Alternative>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Alternative {
    /// Bytes that are no character show as U+FFFD.
    token: String,
    /// Natural logarithm, before temperature and penalties.
    logprob: f32,
    bytes: Vec<u8>,
}

impl Logprobs {
    /// `None` where they were not asked for, or where there is no token.
    fn of(answer: &Answer) -> Option<Logprobs> {
        let alternative = |bytes: &[u8], logprob| Alternative {
            token: String::from_utf8_lossy(bytes).into_owned(),
            // JSON has no -∞; OpenAI writes this.
            logprob: f32::max(logprob, -9999.0),
            bytes: bytes.to_vec(),
        };
        let content = answer.tokens.iter().map(|token| Logprob {
            token: alternative(&token.bytes, token.logprob),
            top_logprobs: token.top.iter().map(|(bytes, logprob)| alternative(bytes, *logprob)).collect(),
        });
        (!answer.tokens.is_empty()).then(|| Logprobs { content: content.collect(), refusal: None })
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct AssistantMessage {
    /// `assistant`
    role: &'static str,
    /// Each sentence ends with its citations `[n]`, and notes follow below a blank line; or JSON as asked for.
    content: Option<String>,
    /// In place of JSON that the documents do not support.
    refusal: Option<String>,
}

/// The answer to `POST /v1/completions`, whole or in pieces.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TextCompletion {
    id: String,
    /// `text_completion`
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<TextChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    usage: Option<Option<Usage>>,
    /// Extension: citations, passages, abstention.
    #[serde(skip_serializing_if = "Option::is_none")]
    sectora: Option<Extension>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TextChoice {
    index: u32,
    text: String,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

/// A piece of a streamed chat answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatChunk {
    id: String,
    /// `chat.completion.chunk`
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<ChunkChoice>,
    /// Absent unless asked for; `null` until the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    usage: Option<Option<Usage>>,
    /// Extension: on the first chunk the passages, on the chunk with the finish reason everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    sectora: Option<Extension>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    /// On the chunk with the finish reason, for all of the text.
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// The field `sectora` of a chunk.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Extension {
    /// When search is done and writing begins.
    Found {
        /// What the answer will rest on, without numbers.
        passages: Vec<Passage>,
    },
    /// At the end.
    Whole(Box<Grounds>),
}

impl ChatCompletion {
    /// `structured`: JSON was asked for, so that a sentence in its place is a refusal.
    pub(super) fn new(head: Head, answer: Answer, structured: bool) -> ChatCompletion {
        ChatCompletion {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            usage: usage(&answer),
            sectora: Grounds::new(&answer),
            choices: [ChatChoice {
                index: 0,
                logprobs: Logprobs::of(&answer),
                finish_reason: finish_reason(&answer),
                message: match (structured, answer.abstained) {
                    (true, true) => AssistantMessage { role: "assistant", content: None, refusal: Some(answer.answer) },
                    (true, false) => {
                        AssistantMessage { role: "assistant", content: Some(answer.answer), refusal: None }
                    }
                    (false, _) => {
                        let content = answer.answer.clone() + &notes(&answer).unwrap_or_default();
                        AssistantMessage { role: "assistant", content: Some(content), refusal: None }
                    }
                },
            }],
        }
    }
}

impl TextCompletion {
    pub(super) fn new(head: Head, answer: &Answer) -> TextCompletion {
        let text = answer.answer.clone() + &notes(answer).unwrap_or_default();
        TextCompletion {
            usage: Some(Some(usage(answer))),
            sectora: Some(Extension::Whole(Box::new(Grounds::new(answer)))),
            ..TextCompletion::piece(head, finish_reason(answer).into(), text)
        }
    }

    fn piece(head: Head, finish_reason: Option<&'static str>, text: String) -> TextCompletion {
        TextCompletion {
            id: head.id,
            object: "text_completion",
            created: head.created,
            model: head.model,
            choices: vec![TextChoice { index: 0, text, logprobs: None, finish_reason }],
            usage: None,
            sectora: None,
        }
    }
}

/// What was respelt, and the notes, as the end of a content: many clients show nothing else. None where a stop string
/// left nothing of the content, of which they would be all.
fn notes(answer: &Answer) -> Option<String> {
    if answer.answer.is_empty() {
        return None;
    }
    let language = Language::detect(&answer.question);
    let respelt = answer.respelt.iter().map(|r| prompt::respelt(language, &r.from, &r.to));
    let all: Vec<String> = respelt.chain(answer.notes.iter().cloned()).collect();
    (!all.is_empty()).then(|| format!("\n\n{}", all.join("\n")))
}

fn usage(answer: &Answer) -> Usage {
    Usage {
        prompt_tokens: answer.prompt_tokens,
        completion_tokens: answer.completion_tokens,
        total_tokens: answer.prompt_tokens + answer.completion_tokens,
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    // An abstention is a whole answer, whatever the generator had begun.
    if answer.complete || answer.abstained { "stop" } else { "length" }
}

/// An answer as server-sent events.
pub(super) struct Chunks {
    door: Door,
    /// JSON was asked for: nothing is written below it.
    structured: bool,
    head: Head,
    streaming: Streaming,
    answering: Answering,
    ready: VecDeque<Event>,
    ended: bool,
}

impl Chunks {
    pub(super) fn new(door: Door, structured: bool, head: Head, streaming: Streaming, answering: Answering) -> Chunks {
        Chunks { door, structured, head, streaming, answering, ready: VecDeque::new(), ended: false }
    }

    fn render(&mut self, step: Step) {
        match step {
            Step::Passages(passages) => {
                let delta = Delta { role: Some("assistant"), content: Some(String::new()) };
                self.push(delta, (None, None), Some(Extension::Found { passages }));
            }
            Step::Sentence(text) => self.push(Delta { role: None, content: Some(text) }, (None, None), None),
            Step::Done(answer) => {
                if let Some(notes) = notes(&answer).filter(|_| !self.structured) {
                    self.push(Delta { role: None, content: Some(notes) }, (None, None), None);
                }
                let whole = Extension::Whole(Box::new(Grounds::new(&answer)));
                let end = (Some(finish_reason(&answer)), Logprobs::of(&answer));
                self.push(Delta::default(), end, Some(whole));
                if self.streaming.include_usage {
                    self.push_usage(usage(&answer));
                }
                self.ready.push_back(Event::default().data("[DONE]"));
                self.ended = true;
            }
            Step::Failed(error) => {
                self.ready.push_back(json(&error.body()));
                self.ended = true;
            }
        }
    }

    fn push(
        &mut self,
        delta: Delta,
        (finish_reason, logprobs): (Option<&'static str>, Option<Logprobs>),
        sectora: Option<Extension>,
    ) {
        // Asked-for usage is `null` on every chunk but its own.
        let usage = self.streaming.include_usage.then_some(None);
        let event = match self.door {
            Door::Chat => {
                let choices = vec![ChunkChoice { index: 0, delta, logprobs, finish_reason }];
                json(&ChatChunk { usage, sectora, ..self.chat_chunk(choices) })
            }
            Door::Completions => {
                let text = delta.content.unwrap_or_default();
                json(&TextCompletion {
                    usage,
                    sectora,
                    ..TextCompletion::piece(self.head.clone(), finish_reason, text)
                })
            }
        };
        self.ready.push_back(event);
    }

    fn push_usage(&mut self, usage: Usage) {
        let usage = Some(Some(usage));
        let event = match self.door {
            Door::Chat => json(&ChatChunk { usage, ..self.chat_chunk(Vec::new()) }),
            Door::Completions => {
                let piece = TextCompletion::piece(self.head.clone(), None, String::new());
                json(&TextCompletion { usage, choices: Vec::new(), ..piece })
            }
        };
        self.ready.push_back(event);
    }

    fn chat_chunk(&self, choices: Vec<ChunkChoice>) -> ChatChunk {
        let Head { id, created, model } = self.head.clone();
        ChatChunk { id, object: "chat.completion.chunk", created, model, choices, usage: None, sectora: None }
    }
}

fn json(value: &impl Serialize) -> Event {
    Event::default().json_data(value).expect("these structs have string keys only and serialise into memory")
}

impl Stream for Chunks {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.answering.poll_step(context)) {
                Some(step) => self.render(step),
                None => self.ended = true,
            }
        }
    }
}
