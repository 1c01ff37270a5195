//! What is searched beside the question itself: other wordings of it, and a passage that might answer it (HyDE), both written by
//! the language model and never shown.
//!
//! In: a question and the settings. Out: texts to search with; none where the generator writes no text of its own.

use super::AnswerError;
use super::conversation::written;
use crate::config::Search;
use crate::document::Language;
use crate::generate::{Generator, PromptStyle};
use crate::prompt;

/// New tokens of one wording, and of the passage.
const WORDING_TOKENS: usize = 64;
const PASSAGE_TOKENS: usize = 128;

/// The texts that `settings.wordings` and `settings.hyde` ask for, other wordings first; they are searched with beside `question`
/// ([`crate::retrieve::search_with`]). Only chat models write any.
pub fn wordings(
    generator: &dyn Generator,
    language: Language,
    question: &str,
    settings: &Search,
) -> Result<Vec<String>, AnswerError> {
    let mut texts = Vec::new();
    match generator.prompt_style() {
        PromptStyle::Chat => {}
        // The small model has learnt to read passages, not to write of its own.
        PromptStyle::None | PromptStyle::Reader => return Ok(texts),
    }
    if settings.wordings > 0 {
        let messages = prompt::wordings(language, question, settings.wordings)?;
        let text = written(generator, question, &messages, WORDING_TOKENS * settings.wordings, Vec::new())?;
        let lines = text.lines().map(bare).filter(|l| l.contains(char::is_alphabetic) && *l != question);
        texts.extend(lines.take(settings.wordings).map(str::to_owned));
    }
    if settings.hyde {
        let text = written(generator, question, &prompt::hyde(language, question)?, PASSAGE_TOKENS, Vec::new())?;
        texts.extend(Some(text.trim().to_owned()).filter(|t| !t.is_empty()));
    }
    Ok(texts)
}

/// A line of a list without its number or mark; figures at its beginning (`2차전지`, `-20 °C`, `3.5 V`) stay.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let behind = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let item = if behind.len() < line.len() { behind.strip_prefix(['.', ')']) } else { line.strip_prefix(['-', '*']) };
    item.filter(|item| !item.starts_with(|c: char| c.is_ascii_digit())).map_or(line, bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{ExtractiveGenerator, Finish, GenerateError, Generation, Request, Sink};

    /// Writes the same text whatever it is asked.
    struct Says(&'static str);

    impl Generator for Says {
        fn name(&self) -> &str {
            "says"
        }
        fn context_tokens(&self) -> usize {
            400
        }
        fn count_tokens(&self, text: &str) -> usize {
            text.len()
        }
        fn prompt_style(&self) -> PromptStyle {
            PromptStyle::Chat
        }
        fn generate(&self, _: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
            let _ = sink(self.0);
            let (finish, tokens) = (Finish::Stop, Vec::new());
            Ok(Generation { finish, prompt_tokens: 0, completion_tokens: 0, first_token_s: 0.0, tokens })
        }
    }

    fn asked(generator: &dyn Generator, wordings: usize, hyde: bool) -> Vec<String> {
        let defaults = crate::config::Config::load(None, &Vec::new()).unwrap().0.search;
        let settings = Search { wordings, hyde, ..defaults };
        super::wordings(generator, Language::En, "How thick is it?", &settings).unwrap()
    }

    #[test]
    fn a_model_gives_other_wordings_without_their_numbers() {
        let says = Says("1. What is its thickness?\n\nHow thick is it?\n2) How wide?\nMore?");
        assert_eq!(asked(&says, 2, false), ["What is its thickness?", "How wide?"]);
        assert!(asked(&says, 0, false).is_empty());
        assert_eq!(asked(&Says(" It was thick. "), 0, true), ["It was thick."]);
        let says = Says("1. 2차전지는 얼마나 두꺼운가?\n- -20 °C에서는?\n** 3.5 V에서는?\n3D 막은?\n4.\n5\n");
        assert_eq!(asked(&says, 9, false), ["2차전지는 얼마나 두꺼운가?", "-20 °C에서는?", "3.5 V에서는?", "3D 막은?"]);
    }

    #[test]
    fn who_writes_nothing_of_his_own_gives_none() {
        assert!(asked(&ExtractiveGenerator, 3, true).is_empty());
    }
}
