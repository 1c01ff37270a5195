//! Follow-up questions and the context window.

use std::collections::HashSet;

use super::reading::in_context;
use super::{AnswerError, Ask};
use crate::document::{Language, Passage};
use crate::generate::{self, Generator, Message, PromptStyle, Role, Sampling};
use crate::prompt::{self, PromptError};
use crate::retrieve::{self, Parts, SearchMode, SearchOptions, Support};
use crate::text::coverage::term_set;
use crate::text::{analyse, fields};

/// Longest history that is shown to a model for condensing: turns.
const CONDENSE_TURNS: usize = 6;
/// A question this short leans on what was said before.
const SHORT_WORDS: usize = 4;
/// Earlier questions of which it is found out whether they leant on another, at most.
const LOOKED_BACK: usize = 3;
/// A document speaks of a question if a passage of it holds this share of what the best passage holds of that question.
const SPEAKS: f32 = 0.8;
/// The same share of a short question: held by documents that speak of the one before, it leans on that one.
const LEANS: f32 = 0.5;
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

/// Says of two questions whether the second is a new one ([`is_new`]).
type IsNew<'a> = dyn Fn(&str, &str) -> Result<bool, AnswerError> + 'a;

/// The question in words that need no conversation around them.
///
/// A chat model rewrites it; without one, a question that points back (`그`, `it`, or only a few words) is searched together
/// with the last one that does not, at the earliest the first, unless it could be asked of itself and `is_new` says that it is.
pub(super) fn standalone(
    generator: &dyn Generator,
    language: Language,
    ask: &Ask,
    is_new: &IsNew<'_>,
) -> Result<Standalone, AnswerError> {
    let alone = |own: &str| Standalone { before: String::new(), own: own.to_owned() };
    let asked = ask.history.iter().filter(|m| m.role == Role::User).map(|m| m.content.as_str());
    let asked: Vec<&str> = asked.filter(|question| !question.trim().is_empty()).collect();
    let Some(first) = asked.first() else { return Ok(alone(&ask.question)) };
    match generator.prompt_style() {
        PromptStyle::Chat => {}
        // The reader learns to condense, but was not measured to do it better than this.
        PromptStyle::None | PromptStyle::Reader if points_back(&ask.question) => {
            let whole = asked.iter().rposition(|question| !points_back(question));
            // Nothing stands before the first: however short, it leans on nothing. What follows may be as short and as whole.
            let topic = match whole.or(may_be_new("", first).then_some(0)) {
                Some(at) => topic(&asked[at..], &may_be_new, is_new)?,
                None => topic(&asked, &|_: &str, question: &str| !has_pointing(question), is_new)?,
            };
            if may_be_new(topic, &ask.question) && is_new(topic, &ask.question)? {
                return Ok(alone(&ask.question));
            }
            return Ok(Standalone { before: topic.to_owned(), own: without_pointing(&ask.question) });
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

/// The last of these questions that leans on none before it; the first leans on none. `may_be` says of two by their words whether the
/// second may be a new one.
fn topic<'a>(
    asked: &[&'a str],
    may_be: &dyn Fn(&str, &str) -> bool,
    is_new: &IsNew<'_>,
) -> Result<&'a str, AnswerError> {
    let mut topic = asked[0];
    for &question in &asked[asked.len().saturating_sub(LOOKED_BACK).max(1)..] {
        if may_be(topic, question) && is_new(topic, question)? {
            topic = question;
        }
    }
    Ok(topic)
}

/// True where the documents that speak of `before` hold little of `question` and others hold more: it is about another
/// thing. By words alone, from a search for each of the two and one for both together.
pub(super) fn is_new(
    parts: &Parts<'_>,
    options: &SearchOptions,
    before: &str,
    question: &str,
) -> Result<bool, AnswerError> {
    let parts = &Parts { reranker: None, ..*parts };
    let options = SearchOptions { mode: SearchMode::Sparse, ..options.clone() };
    let search = |question: &str| retrieve::search(parts, question, &options);
    let (of_before, of_question) = (held(parts, before)?, held(parts, question)?);
    let spoken = search(before)?;
    let most = spoken.iter().map(&of_before).fold(0.0, f32::max);
    let speaking = spoken.iter().filter(|&p| of_before(p) >= SPEAKS * most);
    let documents: HashSet<&str> = speaking.map(|p| p.doc_id.as_str()).collect();
    let both = search(&format!("{before} {question}"))?;
    let there = both.iter().filter(|p| documents.contains(p.doc_id.as_str()));
    let there = there.map(&of_question).fold(0.0, f32::max);
    let anywhere = search(question)?.iter().map(&of_question).fold(0.0, f32::max);
    Ok(there < LEANS * anywhere)
}

/// Says of a passage which share of the question it holds.
fn held(parts: &Parts<'_>, question: &str) -> Result<impl Fn(&Passage) -> f32, AnswerError> {
    let measure = Support::new(question, parts.glossary, parts.catalog)?;
    let fields = fields::asked(question);
    Ok(move |p: &Passage| measure.of(&in_context(p, &p.text, &fields)))
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
    // What is too long by itself is not rendered: a client may send tens of thousands of turns.
    let mut alone = 0;
    let latest = history.iter().rev().take_while(|turn| {
        alone += generator.count_tokens(&turn.content) + 1;
        alone <= room
    });
    let (mut from, mut to) = (history.len() - latest.count(), history.len());
    let mut at = from;
    while from < to {
        let messages = render(&history[at..])?;
        if size(&messages) > room {
            from = at + 1;
        } else if at == from {
            return Ok(messages);
        } else {
            to = at;
        }
        at = from + (to - from) / 2;
    }
    Ok(render(&history[to..])?)
}

fn points_back(question: &str) -> bool {
    let words = question.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    words.count() <= SHORT_WORDS || has_pointing(question)
}

fn has_pointing(question: &str) -> bool {
    question.split_whitespace().any(points)
}

/// True for a Korean question that could be asked of itself: it points nowhere, has a noun that `before` has not
/// (`무게는`), and asks something of it (not `무게는?`). An English one as short leans on what was said.
fn may_be_new(before: &str, question: &str) -> bool {
    const MARKS: [&str; 6] = ["은", "는", "이", "가", "을", "를"];
    let known = term_set(before);
    let is_subject = |end: usize| {
        let behind = MARKS.iter().find_map(|mark| question[end..].strip_prefix(mark));
        behind.is_some_and(|rest| rest.starts_with(char::is_whitespace) && rest.contains(char::is_alphanumeric))
    };
    !has_pointing(question)
        && question.split_whitespace().all(|word| word != "이")
        && analyse(question).iter().any(|t| t.weight >= 1.0 && is_subject(t.span.end) && !known.contains(&t.text))
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
    fn as_many_turns_as_fit_are_found_among_any_number_in_a_few_steps() {
        let turns = |count: usize| (0..count).map(|i| turn(Role::User, format!("q{i} word"))).collect::<Vec<_>>();
        let rendered = std::cell::Cell::new(0);
        let kept = |room: usize, history: &[Message]| {
            rendered.set(0);
            let render = |h: &[Message]| {
                rendered.set(rendered.get() + 1);
                Ok([&[turn(Role::System, "rule ".repeat(92))][..], h].concat())
            };
            fit(&Echo, room, history, render).unwrap().len() - 1
        };
        // A rule of 100 tokens with its frame, turns of 10.
        for (room, expected) in [(100, 0), (109, 0), (110, 1), (255, 15), (90, 0), (0, 0)] {
            assert_eq!(kept(room, &turns(20_000)), expected, "{room}");
            assert!(rendered.get() < 20, "{room}: {}", rendered.get());
        }
        assert_eq!((kept(300, &turns(12)), rendered.get()), (12, 1));
        assert_eq!((kept(300, &[]), rendered.get()), (0, 1));
    }

    #[test]
    fn a_model_rewrites_a_follow_up() {
        let history = vec![turn(Role::User, "What is NCM?".into()), turn(Role::Assistant, "A cathode.".into())];
        let ask = Ask { question: "And its cost?".into(), history, ..Ask::default() };
        assert_eq!(standalone(&Echo, Language::En, &ask, &never).unwrap().own, "rewritten from 1 turns");
        let first = Ask { question: "What is NCM?".into(), ..Ask::default() };
        assert_eq!(standalone(&Echo, Language::En, &first, &never).unwrap().own, "What is NCM?");
    }

    fn never(_: &str, _: &str) -> Result<bool, AnswerError> {
        Ok(false)
    }

    fn always(_: &str, _: &str) -> Result<bool, AnswerError> {
        Ok(true)
    }

    fn without_a_model(is_new: &IsNew<'_>, turns: &[&str], question: &str) -> (String, String) {
        let history = turns.iter().map(|t| turn(Role::User, (*t).to_owned())).collect();
        let ask = Ask { question: question.into(), history, ..Ask::default() };
        let found = standalone(&crate::generate::ExtractiveGenerator, Language::Ko, &ask, is_new).unwrap();
        (found.before, found.own)
    }

    #[test]
    fn without_a_model_every_follow_up_stands_behind_the_last_whole_question() {
        let asked = |turns: &[&str], question: &str| without_a_model(&never, turns, question);
        let topic = "사용후 전지 모듈 90초 등급 선별기 과제의 목표는 무엇인가?";
        let expected = |own: &str| (topic.to_owned(), own.to_owned());
        assert_eq!(asked(&[topic], "그럼 비용은?"), expected("비용은?"));
        assert_eq!(asked(&[topic, "그럼 비용은?"], "주관기관은 어디야?"), expected("주관기관은 어디야?"));
        assert_eq!(asked(&[topic], "그건?"), expected("그건?"));
        assert_eq!(asked(&[], "비용은?"), (String::new(), "비용은?".to_owned()));
        assert_eq!(asked(&["비용은?"], "기관은?"), ("비용은?".to_owned(), "기관은?".to_owned()));
    }

    #[test]
    fn a_whole_question_with_a_noun_of_its_own_is_asked_alone_where_the_documents_say_so() {
        let first = "60 m급 블레이드 시험은 몇 달로 줄었나?";
        let (second, third) = ("탄소섬유 스파캡은 얼마나 가벼운가?", "접수 마감은 언제인가?");
        let alone = |question: &str| (String::new(), question.to_owned());
        assert_eq!(without_a_model(&always, &[first], second), alone(second));
        assert_eq!(without_a_model(&always, &[first, second], third), alone(third));
        for half in [
            "발전량 손실은?",
            "왜 실패했나?",
            "시험은 언제 끝났나?",
            "그 무게는 얼마인가?",
            "이 과제의 예산은 얼마인가?",
            "And its budget?",
        ] {
            assert_eq!(without_a_model(&always, &[first], half).0, first, "{half}");
        }
        // What follows leans on the last that was asked alone.
        let but_third = |_: &str, question: &str| -> Result<bool, AnswerError> { Ok(question != third) };
        for question in [third, "무게는?"] {
            let found = without_a_model(&but_third, &[first, second], question);
            assert_eq!(found, (second.to_owned(), question.to_owned()));
        }
        assert_eq!(without_a_model(&always, &[third, "왜?"], "그건?").0, third);
    }

    #[test]
    fn a_first_question_leans_on_nothing_however_short_it_is() {
        for (turns, question) in [
            (["분리막 건조 온도는?", "그 과제의 예산은?"], "어느 기관이 했나?"),
            (["How thick was it?", "And its budget?"], "Who paid for that?"),
        ] {
            assert_eq!(without_a_model(&never, &turns, question).0, turns[0]);
            // What points back is no new subject, whatever the documents say.
            let follow_up = |_: &str, question: &str| -> Result<bool, AnswerError> { Ok(question == turns[1]) };
            assert_eq!(without_a_model(&follow_up, &turns, question).0, turns[0]);
        }
        // As short, and about another thing.
        let turns = ["분리막 건조 온도는?", "염수 순환관의 수명은?"];
        let second = |_: &str, question: &str| -> Result<bool, AnswerError> { Ok(question == turns[1]) };
        assert_eq!(without_a_model(&second, &turns, "그 비용은?").0, turns[1]);
    }

    #[test]
    fn pointing_words_and_short_questions_lean_on_the_conversation() {
        assert!(points_back("그럼 비용은 얼마나 들었고 누가 냈나?"));
        assert!(points_back("Why?"));
        assert!(!points_back("What capacity did the silicon anode keep after 500 cycles?"));
    }
}
