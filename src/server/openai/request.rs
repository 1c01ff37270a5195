//! What OpenAI's clients send, and its lowering to a question.
//!
//! Fields of OpenAI that are not named here are ignored, as OpenAI ignores fields it does not know. Fields that would change the
//! answer and cannot be honoured (tools, several choices) are refused by name. `top_k`, `min_p` and `repetition_penalty` are
//! extensions that other engines have too. Every field is optional to serde, so that a missing one is reported in our words.

mod conversation;
mod sampling;
mod text;

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::errors::ApiError;
use super::super::wire::{self, At, Filters, Names, names_schema};
use crate::answer::Ask;
use crate::app::App;
use crate::config::Config;
use crate::generate::Sampling;
use crate::retrieve::SearchOptions;
use conversation::{ChatMessage, conversation};
use sampling::{Wishes, logprobs, new_tokens};
pub(super) use text::Text;

/// Bytes of a JSON schema at most.
const MAX_SCHEMA: usize = 32 << 10;

/// `POST /v1/chat/completions`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ChatRequest {
    /// One of `/v1/models`.
    model: Option<String>,
    /// The conversation. The last message must be the user's: it is the question. A message of the user has at most
    /// 12 KiB, one of the assistant 64 KiB. System and developer messages are accepted and have no effect: what may be
    /// said is decided by the documents alone.
    messages: Option<Vec<ChatMessage>>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// 0 to 2; 0 is greedy.
    temperature: Option<f64>,
    /// 0 to 1.
    top_p: Option<f64>,
    /// New tokens at most (older name).
    max_tokens: Option<i64>,
    /// New tokens at most; wins over `max_tokens`.
    max_completion_tokens: Option<i64>,
    /// Same seed, same text.
    seed: Option<i64>,
    /// A string or up to four that end the text.
    #[schema(schema_with = names_schema)]
    stop: Option<Names>,
    /// Only 1.
    n: Option<i64>,
    /// How likely the tokens of the answer were, as the generator wrote them. Sentences that were left out
    /// are left out. Refused where the generator has no tokens.
    logprobs: Option<bool>,
    /// 0 to 20 of the likeliest tokens beside each.
    top_logprobs: Option<i64>,
    /// -2 to 2.
    presence_penalty: Option<f64>,
    /// -2 to 2.
    frequency_penalty: Option<f64>,
    /// Numbers of the generator's tokens, -100 to 100 each.
    #[schema(value_type = Option<Object>)]
    logit_bias: Option<BTreeMap<String, f64>>,
    /// Extension: only so many of the likeliest tokens; 0 is all.
    top_k: Option<i64>,
    /// Extension: 0 to 1, only tokens at least so likely as this share of the likeliest.
    min_p: Option<f64>,
    /// Extension: over 0 to 2, weakens tokens that prompt or answer hold already; 1 is none.
    repetition_penalty: Option<f64>,
    /// Refused unless empty.
    #[schema(value_type = Option<Vec<Object>>)]
    tools: Option<serde_json::Value>,
    /// Refused unless empty.
    #[schema(value_type = Option<Vec<Object>>)]
    functions: Option<serde_json::Value>,
    /// `{"type": "text"}`, `{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {"schema": …}}`. JSON
    /// whose strings and numbers the passages do not support is not shown: the message has a `refusal` instead.
    response_format: Option<ResponseFormat>,
    /// Extension: which documents may be used.
    sectora: Option<Restriction>,
}

/// `POST /v1/completions`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CompletionRequest {
    /// One of `/v1/models`.
    model: Option<String>,
    /// The question, at most 12 KiB: a string or a list of one.
    #[schema(schema_with = names_schema)]
    prompt: Option<Text>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// 0 to 2; 0 is greedy.
    temperature: Option<f64>,
    /// 0 to 1.
    top_p: Option<f64>,
    /// New tokens at most.
    max_tokens: Option<i64>,
    /// Same seed, same text.
    seed: Option<i64>,
    /// A string or up to four that end the text.
    #[schema(schema_with = names_schema)]
    stop: Option<Names>,
    /// Only 1.
    n: Option<i64>,
    /// Only 1.
    best_of: Option<i64>,
    /// Refused if true.
    echo: Option<bool>,
    /// Refused unless empty.
    suffix: Option<String>,
    /// Refused: `/v1/chat/completions` gives them.
    logprobs: Option<i64>,
    /// -2 to 2.
    presence_penalty: Option<f64>,
    /// -2 to 2.
    frequency_penalty: Option<f64>,
    /// Numbers of the generator's tokens, -100 to 100 each.
    #[schema(value_type = Option<Object>)]
    logit_bias: Option<BTreeMap<String, f64>>,
    /// Extension: only so many of the likeliest tokens; 0 is all.
    top_k: Option<i64>,
    /// Extension: 0 to 1, only tokens at least so likely as this share of the likeliest.
    min_p: Option<f64>,
    /// Extension: over 0 to 2, weakens tokens that prompt or answer hold already; 1 is none.
    repetition_penalty: Option<f64>,
    /// Extension: which documents may be used.
    sectora: Option<Restriction>,
}

/// What is streamed besides the text.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
struct StreamOptions {
    /// One more chunk at the end with the token counts.
    include_usage: Option<bool>,
}

/// The form of the answer.
#[derive(Debug, Deserialize, ToSchema)]
struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<JsonSchema>,
}

/// A schema with its name.
#[derive(Debug, Deserialize, ToSchema)]
struct JsonSchema {
    /// Draft 2020-12, as llguidance understands it.
    #[schema(value_type = Option<Object>)]
    schema: Option<serde_json::Value>,
}

impl ResponseFormat {
    fn lower(self, app: &App) -> Result<Option<serde_json::Value>, ApiError> {
        let schema = match self.kind.as_str() {
            "text" => return Ok(None),
            "json_object" => serde_json::json!({ "type": "object" }),
            "json_schema" => {
                let at = "response_format.json_schema.schema";
                let schema = self.json_schema.and_then(|s| s.schema).ok_or_else(|| missing(at))?;
                if !schema.is_object() || schema.to_string().len() > MAX_SCHEMA {
                    return Err(ApiError::field(at, format!("is not an object of at most {MAX_SCHEMA} bytes")));
                }
                schema
            }
            other => {
                let message = format!("{other:?} is not `text`, `json_object` or `json_schema`");
                return Err(ApiError::field("response_format.type", message));
            }
        };
        if !app.follows_schemas() {
            let message = format!("{} copies sentences and writes no JSON", app.generator_name());
            return Err(ApiError::unsupported("response_format", message));
        }
        Ok(Some(schema))
    }
}

/// The extension field `sectora` of a request.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Restriction {
    /// Which documents may be used.
    filters: Option<Filters>,
    /// Passages to answer from, 1 to 50.
    limit: Option<i64>,
    /// `auto`, `sparse`, `dense` or `hybrid`.
    mode: Option<String>,
}

/// A request that was found good.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) ask: Ask,
    /// `None` for one response, else how to stream.
    pub(super) stream: Option<Streaming>,
}

/// How to stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streaming {
    pub(super) include_usage: bool,
}

impl ChatRequest {
    pub(super) fn lower(self, app: &App) -> Result<Asked, ApiError> {
        let model = known_model(self.model, &app.model_names())?;
        only_one("n", self.n)?;
        refuse_list("tools", self.tools)?;
        refuse_list("functions", self.functions)?;
        let logprobs = logprobs(self.logprobs, self.top_logprobs, app)?;
        let schema = self.response_format.map(|format| format.lower(app)).transpose()?.flatten();
        if schema.is_some() && self.stream == Some(true) {
            let message = "an answer in JSON is checked as a whole; ask for it without `stream`";
            return Err(ApiError::unsupported("response_format", message));
        }
        let max_tokens = match self.max_completion_tokens {
            Some(n) => new_tokens("max_completion_tokens", Some(n))?,
            None => new_tokens("max_tokens", self.max_tokens)?,
        };
        let wishes = Wishes {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            logit_bias: self.logit_bias,
            seed: self.seed,
            max_tokens,
            stop: self.stop,
        };
        let sampling = Sampling { logprobs, ..wishes.lower(app.config())? };
        let (question, history) = conversation(self.messages)?;
        let search = self.sectora.unwrap_or_default().lower(app.config())?;
        let stream = streaming(self.stream, self.stream_options)?;
        Ok(Asked { model, ask: Ask { question, history, search, sampling, schema }, stream })
    }
}

impl CompletionRequest {
    pub(super) fn lower(self, app: &App) -> Result<Asked, ApiError> {
        let model = known_model(self.model, &app.model_names())?;
        only_one("n", self.n)?;
        only_one("best_of", self.best_of)?;
        if self.echo == Some(true) {
            return Err(ApiError::unsupported("echo", "the question is not repeated"));
        }
        if self.suffix.is_some_and(|s| !s.is_empty()) {
            return Err(ApiError::unsupported("suffix", "text is not inserted before a suffix"));
        }
        if self.logprobs.is_some() {
            let message = "only `/v1/chat/completions` gives log probabilities";
            return Err(ApiError::unsupported("logprobs", message));
        }
        let max_tokens = new_tokens("max_tokens", self.max_tokens)?;
        let wishes = Wishes {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            logit_bias: self.logit_bias,
            seed: self.seed,
            max_tokens,
            stop: self.stop,
        };
        let sampling = wishes.lower(app.config())?;
        let question = match self.prompt.map(|Text(texts)| texts) {
            None => return Err(missing("prompt")),
            Some(texts) => match <[String; 1]>::try_from(texts) {
                Ok([text]) => {
                    wire::check_length("prompt", &text)?;
                    not_blank("prompt", text)?
                }
                Err(texts) => {
                    let message = format!("{} prompts; send one prompt a request", texts.len());
                    return Err(ApiError::unsupported("prompt", message));
                }
            },
        };
        let search = self.sectora.unwrap_or_default().lower(app.config())?;
        let stream = streaming(self.stream, self.stream_options)?;
        Ok(Asked { model, ask: Ask { question, history: Vec::new(), search, sampling, schema: None }, stream })
    }
}

impl Restriction {
    fn lower(self, config: &Config) -> Result<SearchOptions, ApiError> {
        self.filters.unwrap_or_default().lower(config, self.limit, self.mode.as_deref(), At::Extension)
    }
}

/// `asked` if it is one of `known`.
pub(super) fn known_model(asked: Option<String>, known: &[String]) -> Result<String, ApiError> {
    let asked = asked.ok_or_else(|| missing("model"))?;
    if known.contains(&asked) {
        return Ok(asked);
    }
    Err(unknown_model(&asked, known))
}

/// 404 with the names there are.
pub(super) fn unknown_model(asked: &str, known: &[String]) -> ApiError {
    let message = format!("the model `{asked}` does not exist here; there is: {}", known.join(", "));
    ApiError::new(axum::http::StatusCode::NOT_FOUND, message).code("model_not_found").param("model")
}

fn missing(field: &'static str) -> ApiError {
    ApiError::field(field, "is required").code("missing_required_parameter")
}

fn not_blank(field: impl Into<String>, text: String) -> Result<String, ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::field(field, "is empty"));
    }
    Ok(text)
}

fn only_one(field: &'static str, asked: Option<i64>) -> Result<(), ApiError> {
    match asked {
        None | Some(1) => Ok(()),
        Some(n) => Err(ApiError::unsupported(field, format!("{n} is not possible; one answer a request"))),
    }
}

fn refuse_list(field: &'static str, value: Option<serde_json::Value>) -> Result<(), ApiError> {
    match value {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(serde_json::Value::Array(list)) if list.is_empty() => Ok(()),
        Some(_) => Err(ApiError::unsupported(field, "this server answers from documents and calls no tools")),
    }
}

fn streaming(stream: Option<bool>, options: Option<StreamOptions>) -> Result<Option<Streaming>, ApiError> {
    match (stream, options) {
        (Some(true), options) => {
            Ok(Some(Streaming { include_usage: options.and_then(|o| o.include_usage).unwrap_or(false) }))
        }
        (Some(false) | None, None) => Ok(None),
        (Some(false) | None, Some(_)) => {
            Err(ApiError::field("stream_options", "is allowed only together with `stream: true`"))
        }
    }
}
