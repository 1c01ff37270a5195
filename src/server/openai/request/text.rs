//! A string or a list of strings, where OpenAI takes numbers of tokens too.

use serde::Deserialize;

/// Texts: a string or a list of strings. Lists of token numbers are refused by saying so.
#[derive(Debug, PartialEq)]
pub(in crate::server::openai) struct Text(pub(in crate::server::openai) Vec<String>);

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
