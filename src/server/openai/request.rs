//! What OpenAI's clients send, and its lowering to a question.
//!
//! Fields of OpenAI that are not named here are ignored, as OpenAI ignores fields it does not know.
//! Fields that would change the answer and cannot be honoured (tools, several choices) are refused by name. `top_k`, `min_p` and `repetition_penalty` are extensions that other engines have too. Every field is optional to serde, so that a missing
//! one is reported in our words.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::errors::ApiError;
use super::super::wire::{self, At, Filters, Names, names_schema};
use crate::answer::Ask;
use crate::app::App;
use crate::config::Config;
use crate::generate::{Message, Role, Sampling};

/// More new tokens than this are not written, whatever is asked: answers are a few sentences.
const MAX_NEW_TOKENS: i64 = 4096;
/// Bytes of an earlier answer at most: more than so many tokens are.
const MAX_ANSWER: usize = 64 << 10;
/// Stop strings at most, as at OpenAI.
const MAX_STOP: usize = 4;
/// Bytes of a JSON schema at most.
const MAX_SCHEMA: usize = 32 << 10;
/// Tokens with a bias at most.
const MAX_BIAS: usize = 1024;
/// Alternatives beside a token at most, as at OpenAI.
const MAX_TOP_LOGPROBS: usize = 20;

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

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatMessage {
    /// `system`, `developer`, `user` or `assistant`.
    role: String,
    /// A string, or a list of `{"type": "text", "text": …}`.
    #[schema(schema_with = content_schema)]
    content: Option<Content>,
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
                let missing = || ApiError::field(at, "is required").code("missing_required_parameter");
                let schema = self.json_schema.and_then(|s| s.schema).ok_or_else(missing)?;
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
    fn lower(self, config: &Config) -> Result<crate::retrieve::SearchOptions, ApiError> {
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

fn new_tokens(field: &'static str, asked: Option<i64>) -> Result<Option<usize>, ApiError> {
    match asked {
        None => Ok(None),
        Some(n) if n >= 1 => Ok(Some(n.min(MAX_NEW_TOKENS) as usize)),
        Some(n) => Err(ApiError::field(field, format!("{n} is less than 1"))),
    }
}

/// The fields of both doors that say how tokens are drawn.
struct Wishes {
    temperature: Option<f64>,
    top_k: Option<i64>,
    top_p: Option<f64>,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    logit_bias: Option<BTreeMap<String, f64>>,
    seed: Option<i64>,
    max_tokens: Option<usize>,
    stop: Option<Names>,
}

impl Wishes {
    fn lower(self, config: &Config) -> Result<Sampling, ApiError> {
        let settings = &config.answer;
        let mut temperature = in_range("temperature", self.temperature, 0.0..=2.0)?.unwrap_or(settings.temperature);
        let mut top_p = in_range("top_p", self.top_p, 0.0..=1.0)?.unwrap_or(settings.top_p);
        if top_p == 0.0 {
            // An empty nucleus holds the likeliest token alone.
            (temperature, top_p) = (0.0, 1.0);
        }
        let top_k = match self.top_k.unwrap_or(0) {
            // What other engines take for "all".
            -1 | 0 => 0,
            k => usize::try_from(k).map_err(|_| ApiError::field("top_k", format!("{k} is less than 0")))?,
        };
        let repetition_penalty = self.repetition_penalty.unwrap_or(1.0);
        if !(0.01..=2.0).contains(&repetition_penalty) {
            let message = format!("{repetition_penalty} is not between 0.01 and 2");
            return Err(ApiError::field("repetition_penalty", message));
        }
        let Names(stop) = self.stop.unwrap_or_default();
        if stop.len() > MAX_STOP {
            return Err(ApiError::field("stop", format!("{} strings; at most {MAX_STOP}", stop.len())));
        }
        if stop.iter().any(String::is_empty) {
            return Err(ApiError::field("stop", "holds an empty string"));
        }
        Ok(Sampling {
            temperature,
            top_k,
            top_p,
            min_p: in_range("min_p", self.min_p, 0.0..=1.0)?.unwrap_or(0.0),
            repetition_penalty,
            presence_penalty: in_range("presence_penalty", self.presence_penalty, -2.0..=2.0)?.unwrap_or(0.0),
            frequency_penalty: in_range("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?.unwrap_or(0.0),
            logit_bias: logit_bias(self.logit_bias.unwrap_or_default())?,
            seed: self.seed.map_or(settings.seed, i64::cast_unsigned),
            max_tokens: self.max_tokens.unwrap_or(settings.max_tokens),
            stop,
            logprobs: None,
        })
    }
}

fn logit_bias(asked: BTreeMap<String, f64>) -> Result<Vec<(u32, f32)>, ApiError> {
    if asked.len() > MAX_BIAS {
        return Err(ApiError::field("logit_bias", format!("{} tokens; at most {MAX_BIAS}", asked.len())));
    }
    let lower = |(token, bias): (String, f64)| {
        let field = format!("logit_bias.{token}");
        let Ok(id) = token.parse::<u32>() else {
            return Err(ApiError::field("logit_bias", format!("{token:?} is not the number of a token")));
        };
        match (-100.0..=100.0).contains(&bias) {
            true => Ok((id, bias as f32)),
            false => Err(ApiError::field(field, format!("{bias} is not between -100 and 100"))),
        }
    };
    asked.into_iter().map(lower).collect()
}

/// How many of the likeliest tokens are asked for, if log probabilities are.
fn logprobs(asked: Option<bool>, top: Option<i64>, app: &App) -> Result<Option<usize>, ApiError> {
    match (asked, top) {
        (Some(true), top) => {
            if !app.has_logprobs() {
                let message = format!("{} writes no tokens whose probability it could tell", app.generator_name());
                return Err(ApiError::unsupported("logprobs", message));
            }
            let top = top.unwrap_or(0);
            let count = usize::try_from(top).ok().filter(|&n| n <= MAX_TOP_LOGPROBS);
            let wrong = || ApiError::field("top_logprobs", format!("{top} is not between 0 and {MAX_TOP_LOGPROBS}"));
            count.map(Some).ok_or_else(wrong)
        }
        (Some(false) | None, None) => Ok(None),
        (Some(false) | None, Some(_)) => {
            Err(ApiError::field("top_logprobs", "is allowed only together with `logprobs: true`"))
        }
    }
}

fn in_range(
    field: &'static str,
    value: Option<f64>,
    range: std::ops::RangeInclusive<f64>,
) -> Result<Option<f64>, ApiError> {
    match value {
        Some(x) if !range.contains(&x) => {
            Err(ApiError::field(field, format!("{x} is not between {} and {}", range.start(), range.end())))
        }
        value => Ok(value),
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

/// The question, and the turns before it.
fn conversation(messages: Option<Vec<ChatMessage>>) -> Result<(String, Vec<Message>), ApiError> {
    let messages = messages.ok_or_else(|| missing("messages"))?;
    let mut turns = Vec::new();
    for (i, message) in messages.into_iter().enumerate() {
        let role = match message.role.as_str() {
            "system" | "developer" => continue,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" | "function" => {
                let message = "this server answers from documents and calls no tools";
                return Err(ApiError::unsupported(&format!("messages[{i}].role"), message));
            }
            other => {
                let message = format!("{other:?} is not `system`, `developer`, `user` or `assistant`");
                return Err(ApiError::field(format!("messages[{i}].role"), message));
            }
        };
        let field = format!("messages[{i}].content");
        let content = match message.content {
            Some(content) => content.text(i)?,
            None => return Err(ApiError::field(field, "is required")),
        };
        if role == Role::User {
            wire::check_length(&field, &content)?;
        } else if content.len() > MAX_ANSWER {
            let message = format!("has {} bytes; an answer has at most {MAX_ANSWER}", content.len());
            return Err(wire::too_long(&field, message));
        }
        turns.push((i, Message { role, content }));
    }
    match turns.pop() {
        None => Err(ApiError::field("messages", "holds no message of the user, so there is no question")),
        Some((i, last)) if last.role == Role::User => {
            let question = not_blank(format!("messages[{i}].content"), last.content)?;
            Ok((question, turns.into_iter().map(|(_, turn)| turn).collect()))
        }
        Some((i, _)) => {
            Err(ApiError::field(format!("messages[{i}].role"), "the last message must be the user's question"))
        }
    }
}

/// The content of a message.
#[derive(Debug, PartialEq)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, PartialEq, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl Content {
    /// The text of message `i`.
    fn text(self, i: usize) -> Result<String, ApiError> {
        let parts = match self {
            Content::Text(text) => return Ok(text),
            Content::Parts(parts) => parts,
        };
        let mut texts = Vec::with_capacity(parts.len());
        for (j, part) in parts.into_iter().enumerate() {
            match (part.kind.as_str(), part.text) {
                ("text", Some(text)) => texts.push(text),
                ("text", None) => {
                    return Err(ApiError::field(format!("messages[{i}].content[{j}].text"), "is required"));
                }
                (other, _) => {
                    let message = format!("{other:?} parts cannot be read; send `text` parts");
                    return Err(ApiError::unsupported(&format!("messages[{i}].content[{j}].type"), message));
                }
            }
        }
        Ok(texts.join("\n"))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;
        impl<'de> serde::de::Visitor<'de> for TextOrParts {
            type Value = Content;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of text parts")
            }
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = list.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

fn content_schema() -> utoipa::openapi::schema::Schema {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let part = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("type", string())
        .property("text", string())
        .required("type")
        .required("text");
    OneOfBuilder::new().item(string()).item(ArrayBuilder::new().items(part)).into()
}

/// Texts: a string or a list of strings. Lists of token numbers are refused by saying so.
#[derive(Debug, PartialEq)]
pub(super) struct Text(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> serde::de::Visitor<'de> for Strings {
            type Value = Text;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings (token numbers cannot be read: send the text itself)")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(vec![text.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
                let mut texts = Vec::new();
                while let Some(OneText(text)) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Text(texts))
            }
        }
        deserializer.deserialize_any(Strings)
    }
}

struct OneText(String);

impl<'de> Deserialize<'de> for OneText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneString;
        impl serde::de::Visitor<'_> for OneString {
            type Value = OneText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string (token numbers cannot be read: send the text itself)")
            }
            fn visit_str<E>(self, text: &str) -> Result<OneText, E> {
                Ok(OneText(text.to_owned()))
            }
        }
        deserializer.deserialize_any(OneString)
    }
}
