//! The messages of a chat: the question, and the turns before it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::super::errors::ApiError;
use super::super::super::wire;
use super::{missing, not_blank};
use crate::generate::{Message, Role};

/// Bytes of an earlier answer at most: more than so many tokens are.
const MAX_ANSWER: usize = 64 << 10;

/// One message.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ChatMessage {
    /// `system`, `developer`, `user` or `assistant`.
    role: String,
    /// A string, or a list of `{"type": "text", "text": …}`.
    #[schema(schema_with = content_schema)]
    content: Option<Content>,
}

/// The question, and the turns before it.
pub(super) fn conversation(messages: Option<Vec<ChatMessage>>) -> Result<(String, Vec<Message>), ApiError> {
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
