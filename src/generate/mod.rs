//! From a question and its evidence to text: the [`Generator`] seam.
//!
//! Four living implementations: `local` (crates/lm), `remote` (any OpenAI-compatible engine), `extractive` (no model: the
//! sentences of the evidence that answer) and `span` (of those the words that answer). Text comes out as it is made;
//! the sink can stop it. What a sentence may claim is not decided here but in `answer`.

mod extractive;
mod local;
mod remote;

use std::ops::ControlFlow;

pub use extractive::{ExtractiveGenerator, Read, SpanFinder, SpanGenerator};
pub(crate) use extractive::{asks_for_a_figure, ranked, read};
pub use local::{LocalGenerator, LocalOptions, PROMPT_KEY, READER, chat_message};
pub use remote::{RemoteGenerator, RemoteOptions};
pub use sectora_lm::Memory;

use crate::error::{Classified, ErrorKind};
use crate::text::QuestionPart;
use crate::text::coverage::Coverage;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The rules.
    System,
    /// The researcher.
    User,
    /// Sectora.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub content: String,
}

/// How the next token is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f64,
    /// Only so many of the likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Nucleus: keep the smallest set of tokens with this probability.
    pub top_p: f64,
    /// Only tokens at least so likely as this share of the likeliest.
    pub min_p: f64,
    /// Weakens tokens that prompt or text hold already; 1 is none.
    pub repetition_penalty: f64,
    /// Weakens tokens that the text holds already, once.
    pub presence_penalty: f64,
    /// Weakens them for each time.
    pub frequency_penalty: f64,
    /// Added to the logits of these tokens of the generator's own vocabulary.
    pub logit_bias: Vec<(u32, f32)>,
    /// Same seed, same text.
    pub seed: u64,
    /// Upper bound of new tokens.
    pub max_tokens: usize,
    /// Strings that end the text (not part of it).
    pub stop: Vec<String>,
    /// Report how likely each token was, and so many likeliest ones.
    pub logprobs: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
            max_tokens: 400,
            stop: Vec::new(),
            logprobs: None,
        }
    }
}

/// A passage as a generator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence<'a> {
    /// The number a citation uses.
    pub n: usize,
    /// Heading path and title, for context.
    pub heading: String,
    /// The passage, byte-exact.
    pub text: &'a str,
    /// The header of the table that the passage begins in the middle of.
    pub header: Option<&'a str>,
}

/// What a generator is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The standalone question.
    pub question: &'a str,
    /// The evidence, best first.
    pub evidence: &'a [Evidence<'a>],
    /// The question taken apart: its terms, synonyms, and how rare each is in the index.
    pub coverage: &'a Coverage,
    /// What the question asks, where it asks several things.
    pub parts: &'a [QuestionPart],
    /// What a reader found in the evidence, where one read it.
    pub read: Option<&'a Read>,
    /// The rendered prompt for a language model; evidence and question are in it.
    pub messages: &'a [Message],
    /// Sampling.
    pub sampling: &'a Sampling,
    /// The JSON schema that the text must follow.
    pub schema: Option<&'a serde_json::Value>,
    /// What is written where nothing answers; empty where something must be.
    pub silence: &'a str,
}

impl<'a> Request<'a> {
    /// A question, without evidence, prompt, schema or parts.
    pub fn new(question: &'a str, coverage: &'a Coverage, sampling: &'a Sampling) -> Request<'a> {
        Request {
            question,
            evidence: &[],
            coverage,
            parts: &[],
            read: None,
            messages: &[],
            sampling,
            schema: None,
            silence: "",
        }
    }
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The generator ended it.
    Stop,
    /// A stop string ended it; of a remote engine, which does not tell the two apart, one may have.
    StopString,
    /// `max_tokens` or the context window is used up.
    Length,
    /// The sink asked for no more.
    Cancelled,
}

impl Finish {
    /// True where nothing is missing of what was asked for.
    pub fn is_complete(self) -> bool {
        match self {
            Finish::Stop | Finish::StopString => true,
            Finish::Length | Finish::Cancelled => false,
        }
    }
}

/// A token of a text and how likely it was.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// Byte of the text at which it begins.
    pub start: usize,
    /// Its bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens and theirs, best first.
    pub top: Vec<(Vec<u8>, f32)>,
}

/// What came of a request besides the text, which went to the sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens read (0 where the generator has no tokens).
    pub prompt_tokens: usize,
    /// Tokens written (0 where the generator has no tokens).
    pub completion_tokens: usize,
    /// Seconds until the first piece of text.
    pub first_token_s: f64,
    /// The tokens of the text, where [`Sampling::logprobs`] asks for them.
    pub tokens: Vec<TokenLogprob>,
}

/// How what a generator reads is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptStyle {
    /// Not at all: it does not read [`Request::messages`], and nothing needs condensing for it.
    None,
    /// Rules, passages and question, as messages to a chat model.
    Chat,
    /// As the small model of `models/reader` learnt it: the task, then the text.
    Reader,
}

/// Receives text as it is made; `Break` stops the generator before its next token.
pub type Sink<'s> = dyn FnMut(&str) -> ControlFlow<()> + 's;

/// Makes text from evidence.
pub trait Generator: Send + Sync {
    /// `extractive`, `span`, `local:<model>` or `remote:<model>`: what an answer says made it.
    fn name(&self) -> &str;
    /// Context window in tokens; `usize::MAX` where there is none.
    fn context_tokens(&self) -> usize {
        usize::MAX
    }
    /// Tokens in `text` (an upper estimate where the tokenizer is not at hand).
    fn count_tokens(&self, text: &str) -> usize {
        crate::text::tokens(text)
    }
    /// How its prompt is laid out.
    fn prompt_style(&self) -> PromptStyle;
    /// True when it can say how likely its tokens were.
    fn has_logprobs(&self) -> bool {
        false
    }
    /// True when it can write JSON that follows a schema.
    fn follows_schemas(&self) -> bool {
        false
    }
    /// Writes the text to `sink` piece by piece.
    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError>;
}

/// What can go wrong while generating.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The model's files cannot be used.
    #[error("model {model}: {what}")]
    Load {
        /// Name or path.
        model: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// The prompt does not fit.
    #[error(
        "the prompt has {tokens} tokens and the context window of {model} holds {window}; ask for fewer passages (`--passages`, over HTTP `sectora.limit`) or a shorter question"
    )]
    TooLong {
        /// Name.
        model: String,
        /// Prompt tokens.
        tokens: usize,
        /// Window.
        window: usize,
    },
    /// A sampling option that this model cannot follow.
    #[error("{field}: {what}")]
    Sampling {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The remote engine did not answer as it should.
    #[error("engine at {url}: {what}")]
    Remote {
        /// Its address.
        url: String,
        /// What happened.
        what: String,
    },
    /// The queue before the model is full.
    #[error("{model} is busy and {waiting} requests wait already; ask again later")]
    Busy {
        /// Name.
        model: String,
        /// Length of the queue.
        waiting: usize,
    },
    /// Computing failed.
    #[error("{model} failed while generating: {what}")]
    Compute {
        /// Name.
        model: String,
        /// The cause.
        what: String,
    },
}

/// What `generator` writes to `messages`, whole: for steps whose text is no answer and never shown as it is.
pub fn written(
    generator: &dyn Generator,
    question: &str,
    messages: &[Message],
    sampling: &Sampling,
    schema: Option<&serde_json::Value>,
) -> Result<String, GenerateError> {
    let coverage = Coverage::of_question(question, &[]);
    let request = Request { messages, schema, ..Request::new(question, &coverage, sampling) };
    let mut text = String::new();
    generator.generate(&request, &mut |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    })?;
    Ok(text)
}

impl Classified for GenerateError {
    fn kind(&self) -> ErrorKind {
        match self {
            GenerateError::Load { .. } | GenerateError::TooLong { .. } | GenerateError::Sampling { .. } => {
                ErrorKind::BadInput
            }
            GenerateError::Remote { .. } => ErrorKind::Unavailable,
            GenerateError::Busy { .. } => ErrorKind::Busy,
            GenerateError::Compute { .. } => ErrorKind::Internal,
        }
    }

    fn for_client(&self) -> String {
        match self {
            GenerateError::TooLong { model, tokens, window } => format!(
                "the prompt has {tokens} tokens and the context window of {model} holds {window}; ask for fewer passages (`sectora.limit`) or a shorter question"
            ),
            GenerateError::Load { .. }
            | GenerateError::Sampling { .. }
            | GenerateError::Remote { .. }
            | GenerateError::Busy { .. }
            | GenerateError::Compute { .. } => self.to_string(),
        }
    }
}
