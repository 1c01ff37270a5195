//! Follow-up questions and the context window.

use super::{AnswerError, Ask};
use crate::document::Language;
use crate::generate::{self, Generator, Message, PromptStyle, Role, Sampling};
use crate::prompt::{self, PromptError};

/// Longest history that is shown to a model for condensing: turns.
const CONDENSE_TURNS: usize = 6;
/// A question this short leans on what was said before.
const SHORT_WORDS: usize = 4;
/// Words that point back.
const POINTING: [&str; 20] = [
    "그",
    "그것",
    "그건",
    "그럼",
    "그러면",
    "이것",
    "이건",
    "저것",
    "거기",
    "여기",
    "해당",
    "위의",
    "it",
    "its",
    "they",
    "their",
    "that",
    "those",
    "this",
    "there",
];

/// A question that needs no conversation around it.
#[derive(Debug, PartialEq)]
pub(super) struct Standalone {
    /// What was asked before and is still spoken of; may be empty.
    pub(super) before: String,
    /// What is asked now.
    pub(super) own: String,
}

/// The question in words that need no conversation around them.
///
/// A chat model rewrites it; without one, a question that points back (`그`, `it`, or only a few words) is searched together
/// with the last one that does not.
pub(super) fn standalone(generator: &dyn Generator, language: Language, ask: &Ask) -> Result<Standalone, AnswerError> {
    let alone = |own: &str| Standalone { before: String::new(), own: own.to_owned() };
    let mut asked = ask.history.iter().rev().filter(|m| m.role == Role::User).peekable();
    let Some(last) = asked.peek().map(|m| m.content.clone()) else { return Ok(alone(&ask.question)) };
    match generator.prompt_style() {
        PromptStyle::Chat => {}
        // The reader learns to condense, but was not measured to do it better than this.
        PromptStyle::None | PromptStyle::Reader if points_back(&ask.question) => {
            let topic = asked.find(|m| !points_back(&m.content)).map_or(last, |m| m.content.clone());
            return Ok(Standalone { before: topic, own: without_pointing(&ask.question) });
        }
        PromptStyle::None | PromptStyle::Reader => return Ok(alone(&ask.question)),
    }
    let recent = &ask.history[ask.history.len().saturating_sub(CONDENSE_TURNS)..];
    let room = generator.context_tokens().saturating_sub(128);
    let messages = fit(generator, room, recent, |h| prompt::condense(language, &ask.question, h))?;
    let text = written(generator, &ask.question, &messages, 96, vec!["\n".into()])?;
    let rewritten = text.trim();
    Ok(alone(if rewritten.is_empty() { &ask.question } else { rewritten }))
}

/// What the generator writes to `messages`; not an answer, and never shown.
pub(super) fn written(
    generator: &dyn Generator,
    question: &str,
    messages: &[Message],
    max_tokens: usize,
    stop: Vec<String>,
) -> Result<String, AnswerError> {
    let sampling = Sampling { max_tokens, stop, ..Sampling::default() };
    Ok(generate::written(generator, question, messages, &sampling, None)?)
}

/// Renders with as many of the latest turns as fit into `room` tokens; the oldest go first. With none
/// left, the prompt is returned as it is and the generator decides whether it fits.
pub(super) fn fit(
    generator: &dyn Generator,
    room: usize,
    history: &[Message],
    render: impl Fn(&[Message]) -> Result<Vec<Message>, PromptError>,
) -> Result<Vec<Message>, AnswerError> {
    // Chat templates add a few tokens around each message.
    let size = |m: &[Message]| m.iter().map(|m| generator.count_tokens(&m.content) + 8).sum::<usize>();
    let mut from = 0;
    loop {
        let messages = render(&history[from..])?;
        if from >= history.len() || size(&messages) <= room {
            return Ok(messages);
        }
        from += 1;
    }
}

fn points_back(question: &str) -> bool {
    let words = || question.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    words().count() <= SHORT_WORDS || words().any(points)
}

fn points(word: &str) -> bool {
    POINTING.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str())
}

/// The question without the words that point back, which no document answers; as it is where it has no others.
fn without_pointing(question: &str) -> String {
    let own: Vec<&str> = question.split_whitespace().filter(|word| !points(word)).collect();
    if own.is_empty() { question.to_owned() } else { own.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Finish, GenerateError, Generation, Request, Sink};

    /// Counts words as tokens and answers with the last line of the prompt.
    struct Echo;

    impl Generator for Echo {
        fn name(&self) -> &str {
            "echo"
        }
        fn context_tokens(&self) -> usize {
            400
        }
        fn count_tokens(&self, text: &str) -> usize {
            text.split_whitespace().count()
        }
        fn prompt_style(&self) -> PromptStyle {
            PromptStyle::Chat
        }
        fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
            let turns = request.messages.last().map_or(0, |m| m.content.matches("User:").count());
            let _ = sink(&format!("rewritten from {turns} turns"));
            Ok(Generation {
                finish: Finish::Stop,
                prompt_tokens: 0,
                completion_tokens: 0,
                first_token_s: 0.0,
                tokens: Vec::new(),
            })
        }
    }

    fn turn(role: Role, content: String) -> Message {
        Message { role, content }
    }

    #[test]
    fn the_oldest_turns_are_dropped_first() {
        let history: Vec<_> = (0..6).map(|i| turn(Role::User, format!("q{i} {}", "word ".repeat(100)))).collect();
        let messages = fit(&Echo, 250, &history, |h| prompt::answer(Language::En, "s", "q?", &[], h)).unwrap();
        let kept: Vec<_> = messages.iter().filter(|m| m.content.starts_with('q')).map(|m| &m.content[..2]).collect();
        assert_eq!(kept, ["q5"]);
    }

    #[test]
    fn a_model_rewrites_a_follow_up() {
        let history = vec![turn(Role::User, "What is NCM?".into()), turn(Role::Assistant, "A cathode.".into())];
        let ask = Ask { question: "And its cost?".into(), history, ..Ask::default() };
        assert_eq!(standalone(&Echo, Language::En, &ask).unwrap().own, "rewritten from 1 turns");
        let first = Ask { question: "What is NCM?".into(), ..Ask::default() };
        assert_eq!(standalone(&Echo, Language::En, &first).unwrap().own, "What is NCM?");
    }

    #[test]
    fn without_a_model_every_follow_up_stands_behind_the_last_whole_question() {
        let asked = |turns: &[&str], question: &str| {
            let history = turns.iter().map(|t| turn(Role::User, (*t).to_owned())).collect();
            let ask = Ask { question: question.into(), history, ..Ask::default() };
            let found = standalone(&crate::generate::ExtractiveGenerator, Language::Ko, &ask).unwrap();
            (found.before, found.own)
        };
        let topic = "사용후 전지 모듈 90초 등급 선별기 과제의 목표는 무엇인가?";
        let expected = |own: &str| (topic.to_owned(), own.to_owned());
        assert_eq!(asked(&[topic], "그럼 비용은?"), expected("비용은?"));
        assert_eq!(asked(&[topic, "그럼 비용은?"], "주관기관은 어디야?"), expected("주관기관은 어디야?"));
        assert_eq!(asked(&[topic], "그건?"), expected("그건?"));
        assert_eq!(asked(&[], "비용은?"), (String::new(), "비용은?".to_owned()));
        assert_eq!(asked(&["비용은?"], "기관은?"), ("비용은?".to_owned(), "기관은?".to_owned()));
    }

    #[test]
    fn pointing_words_and_short_questions_lean_on_the_conversation() {
        assert!(points_back("그럼 비용은 얼마나 들었고 누가 냈나?"));
        assert!(points_back("Why?"));
        assert!(!points_back("What capacity did the silicon anode keep after 500 cycles?"));
    }
}
