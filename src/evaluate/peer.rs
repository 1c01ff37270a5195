//! Who answers: the library in this process, a running Sectora, any OpenAI-compatible server, or recorded answers.
//!
//! In: a [`Question`]. Out: a [`Response`], the same from all. A server that shows no passages has none: what
//! needs them is then not measured, never guessed.

mod without;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::{Regex, RegexSet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::EvaluateError;
use super::dataset::Question;
use crate::answer::Ask;
use crate::app::App;
use crate::document::CharIndex;
use crate::generate::{Message, Sampling};
use crate::retrieve::SearchOptions;
use crate::text::sentences;

/// A passage that was shown with an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// Number that marks use.
    pub n: usize,
    /// Document id.
    pub doc_id: String,
    /// Document title.
    pub title: String,
    /// Source path, `#record` appended for records.
    pub source: String,
    /// Heading path.
    pub section: String,
    /// Text.
    pub text: String,
    /// The header of the table that the passage begins in the middle of.
    pub header: Option<String>,
    /// Institution, as metadata.
    pub institution: Option<String>,
    /// Year, as metadata.
    pub year: Option<i32>,
    /// Retrieval score.
    pub score: f32,
}

/// A citation that came with an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cited {
    /// Passage number.
    pub n: usize,
    /// Document id.
    pub doc_id: String,
    /// Source path.
    pub source: String,
    /// Words.
    pub quote: String,
    /// First character in the document's text.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Response {
    /// The text with its marks.
    pub answer: String,
    /// It says that it does not know.
    pub abstained: bool,
    /// What wrote it.
    pub generator: String,
    /// Citations with their quotes.
    pub citations: Vec<Cited>,
    /// Passages; `None`-like emptiness is told from "none found" by `shows_passages`.
    pub passages: Vec<Shown>,
    /// False for a server that shows no passages.
    pub shows_passages: bool,
    /// Share of the question that the best passage covers; what abstention is decided by.
    pub support: Option<f32>,
    /// Milliseconds.
    pub ms: f64,
}

/// Who is asked.
pub enum Peer {
    /// This process.
    Local(Box<App>),
    /// Over HTTP.
    Server(Server),
    /// Answers made elsewhere, by question id (the format of SQuAD's predictions).
    Recorded(BTreeMap<String, String>),
}

impl Peer {
    /// Asks.
    pub fn ask(&self, question: &Question) -> Result<Response, EvaluateError> {
        self.ask_without(question, &HashSet::new())
    }

    /// Asks where the chunks of `hidden` are not found. Only this process can leave them out; whoever else is asked finds them.
    pub fn ask_without(&self, question: &Question, hidden: &HashSet<u64>) -> Result<Response, EvaluateError> {
        match self {
            Peer::Local(app) => local(app, question, hidden),
            Peer::Server(server) => server.ask(question).map_err(|e| match e {
                EvaluateError::Peer { url, what } => {
                    EvaluateError::Peer { url, what: format!("question {}: {what}", question.id) }
                }
                other => other,
            }),
            Peer::Recorded(answers) => {
                let answer = answers.get(&question.id).cloned().unwrap_or_default();
                let abstained = answer.is_empty() || says_unknown(&answer);
                Ok(Response { abstained, answer, generator: "recorded".into(), ..Response::default() })
            }
        }
    }

    /// Lets another generator write from now on, which only this process can be told; `name` as in [`App::write_with`].
    pub fn write_with(&mut self, name: &str) -> Result<(), EvaluateError> {
        match self {
            Peer::Local(app) => Ok(app.write_with(name)?),
            Peer::Server(server) => Err(server.wrong("it chooses its generator itself")),
            Peer::Recorded(_) => {
                Err(EvaluateError::Peer { url: "recorded answers".into(), what: "they are written already".into() })
            }
        }
    }

    /// The stored text of a document, to hold a quote against; `None` where the peer keeps none.
    pub fn text(&self, doc_id: &str) -> Result<Option<String>, EvaluateError> {
        match self {
            Peer::Local(app) => Ok(Some(app.document(doc_id)?.text)),
            Peer::Server(server) => Ok(server.document(doc_id)),
            Peer::Recorded(_) => Ok(None),
        }
    }
}

/// How a question is put to the library in this process.
pub fn asked(app: &App, question: &str, history: &[Message]) -> Ask {
    let settings = &app.config().answer;
    Ask {
        question: question.to_owned(),
        history: history.to_vec(),
        search: SearchOptions { limit: app.config().search.passages, ..SearchOptions::default() },
        sampling: Sampling {
            temperature: settings.temperature,
            top_p: settings.top_p,
            seed: settings.seed,
            max_tokens: settings.max_tokens.max(1),
            ..Sampling::default()
        },
        schema: None,
    }
}

fn local(app: &App, question: &Question, hidden: &HashSet<u64>) -> Result<Response, EvaluateError> {
    let ask = asked(app, &question.text, &question.history);
    let begin = Instant::now();
    let answer = match hidden.is_empty() {
        true => app.answer(&ask, &mut |_| ControlFlow::Continue(()))?,
        false => without::answer(app, &ask, hidden)?,
    };
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    let cited = answer.citations.into_iter().map(|c| Cited {
        n: c.n,
        doc_id: c.doc_id,
        source: c.source,
        quote: c.quote,
        start: c.start,
        end: c.end,
    });
    let shown = answer.passages.into_iter().map(|p| Shown {
        n: p.n,
        doc_id: p.doc_id,
        title: p.title,
        source: p.source,
        section: p.path.join(" > "),
        text: p.text,
        header: p.header,
        institution: p.metadata.institution,
        year: p.metadata.year,
        score: p.score,
    });
    Ok(Response {
        abstained: answer.abstained,
        generator: answer.generator,
        citations: cited.collect(),
        passages: shown.collect(),
        shows_passages: true,
        support: Some(answer.support),
        answer: answer.answer,
        ms,
    })
}

/// A server that speaks OpenAI's chat completions.
pub struct Server {
    url: String,
    model: String,
    agent: ureq::Agent,
}

/// Longest answer of a server.
const MAX_BYTES: u64 = 16 << 20;

impl Server {
    /// Reaches `url` (with or without `/v1`) and asks for its models; `model` is by default the first.
    pub fn connect(url: &str, model: Option<&str>, timeout: Duration) -> Result<Server, EvaluateError> {
        let base = url.trim_end_matches('/').trim_end_matches("/v1").to_owned() + "/v1";
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build().into();
        let mut server = Server { url: base, model: String::new(), agent };
        let listed = match model {
            Some(model) => Some(model.to_owned()),
            None => server.get("/models")?["data"][0]["id"].as_str().map(str::to_owned),
        };
        server.model = listed.ok_or_else(|| server.wrong("lists no model; name one with --server-model"))?;
        Ok(server)
    }

    /// What it is called in a table.
    pub fn name(&self) -> String {
        format!("{} at {}", self.model, self.url)
    }

    fn ask(&self, question: &Question) -> Result<Response, EvaluateError> {
        let mut messages: Vec<Value> = question.history.iter().map(|m| json!(m)).collect();
        messages.push(json!({ "role": "user", "content": question.text }));
        let body = json!({ "model": self.model, "messages": messages, "temperature": 0.0, "stream": false });
        let begin = Instant::now();
        let sent = self.agent.post(format!("{}/chat/completions", self.url)).send_json(&body);
        let value = self.json(sent)?;
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        let text = &value["choices"][0]["message"]["content"];
        let text = text.as_str().ok_or_else(|| self.wrong("an answer without choices[0].message.content"))?;
        let grounds = &value["sectora"];
        let read = |key: &str| grounds.get(key).cloned().unwrap_or_else(|| json!([]));
        // Notes below an answer are no statements of it.
        let notes: Vec<String> = serde_json::from_value(read("notes")).unwrap_or_default();
        let answer = text.strip_suffix(&format!("\n\n{}", notes.join("\n"))).unwrap_or(text).to_owned();
        Ok(Response {
            abstained: grounds["abstained"].as_bool().unwrap_or_else(|| says_unknown(&answer)),
            generator: grounds["generator"].as_str().unwrap_or(&self.model).to_owned(),
            citations: serde_json::from_value(read("citations")).unwrap_or_default(),
            passages: serde_json::from_value(read("passages")).unwrap_or_default(),
            shows_passages: grounds.is_object(),
            support: grounds["support"].as_f64().map(|s| s as f32),
            answer,
            ms,
        })
    }

    fn document(&self, id: &str) -> Option<String> {
        self.get(&format!("/documents/{id}")).ok()?["text"].as_str().map(str::to_owned)
    }

    fn get(&self, path: &str) -> Result<Value, EvaluateError> {
        self.json(self.agent.get(format!("{}{path}", self.url)).call())
    }

    fn json(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, EvaluateError> {
        let mut response = sent.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_BYTES).read_to_string();
        let text = text.map_err(|e| self.wrong(&e.to_string()))?;
        if !status.is_success() {
            return Err(self.wrong(&format!("status {status}: {}", text.chars().take(300).collect::<String>())));
        }
        serde_json::from_str(&text).map_err(|e| {
            let start: String = text.chars().take(80).collect();
            self.wrong(&format!("not JSON ({e}): {start:?}; is this the address of an OpenAI-compatible API?"))
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> EvaluateError {
        let advice = match error {
            ureq::Error::Timeout(_) => "it did not answer in time; SECTORA_REMOTE__TIMEOUT_S gives it longer",
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => "give --server as http://HOST:PORT",
            _ => "is a server running there?",
        };
        self.wrong(&format!("{error}: {advice}"))
    }

    fn wrong(&self, what: &str) -> EvaluateError {
        EvaluateError::Peer { url: self.url.clone(), what: what.to_owned() }
    }
}

/// Characters of the longest sentence that is taken for a refusal.
const REFUSAL: usize = 240;

/// What a question is answered from, as a refusal calls it.
const SOURCES: &str = concat!(
    r"(?:(?:(?:the|these|those|this|your|my|our|any|all)\s+(?:(?:of|the|provided|given|available|supplied|retrieved|cited|above|numbered|relevant|attached)\s+)*",
    r"(?:documents?|sources?|passages?|contexts?|texts?|excerpts?|articles?|references?|search\s+results?))|",
    r"(?:(?:the\s+)?(?:provided|given|available|supplied|retrieved)\s+(?:documents?|sources?|passages?|contexts?|texts?|excerpts?|articles?|information|data|materials?|records?|reports?)))",
    r"(?:\s+(?:provided|given|supplied|above|of\s+(?:this|the|your)\s+\w+))?"
);
/// What may stand before a refusal.
const POLITELY: &str = r"(?i)^(?:(?:(?:i['’]m|i am|we['’]re|we are)\s+)?(?:very\s+)?sorry|(?:my\s+)?apologies|i apologi[sz]e|unfortunately|죄송하지만|죄송합니다만|죄송합니다|유감스럽게도|안타깝게도)[\s,.!:;-]*(?:but\s+)?";
/// What follows a half-sentence that says no: an answer after all.
const AND_YET: &str = r"(?i)\b(?:but|however|although|though)\b|지만|으나|그러나";

/// A refusal to answer in common words, for peers that have no field for it: their first sentence, where it is short and says
/// of the documents or of the speaker that there is no answer. A statement in the negative (`The cathode does not contain
/// cobalt.`) is none.
pub fn says_unknown(answer: &str) -> bool {
    static POLITE: LazyLock<Regex> = LazyLock::new(|| Regex::new(POLITELY).expect("constant pattern"));
    static YET: LazyLock<Regex> = LazyLock::new(|| Regex::new(AND_YET).expect("constant pattern"));
    static PATTERNS: LazyLock<RegexSet> = LazyLock::new(|| RegexSet::new(refusals()).expect("constant patterns"));
    let plain = POLITE.replace(answer.trim(), "");
    let first = sentences(&plain).first().map_or("", |span| span.slice(&plain)).trim();
    first.chars().count() <= REFUSAL && !YET.is_match(first) && PATTERNS.is_match(first)
}

fn refusals() -> Vec<String> {
    let lead = format!(r"(?i)^(?:(?:based on|according to|from|in|within|given|using)\s+{SOURCES}\s*,?\s+)?");
    let not = r"(?:do(?:es)?\s+not|don['’]?t|doesn['’]?t|did\s+not|didn['’]?t|cannot|can\s+not|can['’]?t|could\s+not|couldn['’]?t)\s+(?:\w+ly\s+)?";
    let told = r"(?:mentioned|stated|specified|provided|given|found|described|discussed|available|included|covered|addressed|answered|contained|said|reported)";
    let tells = r"(?:answers?|contains?|provides?|mentions?|says?|states?|specif(?:y|ies)|includes?|gives?|address(?:es)?|discuss(?:es)?|ha(?:ve|s)|covers?|indicates?|describes?|tells?|reports?|supports?|explains?|names?)\b";
    vec![
        format!(r"{lead}{SOURCES}\s+{not}{tells}"),
        format!(r"{lead}(?:none of\s+{SOURCES}|no (?:document|source|passage)s?)\s+(?:\w+ly\s+)?{tells}"),
        format!(r"{lead}(?:I|we)\s+{not}(?:answer|know|find|provide|say|tell|determine|see|locate|give|have|identify|confirm|help)\b"),
        format!(r"{lead}(?:I|we)(?:['’](?:m|re)|\s+am|\s+are|\s+was|\s+were)\s+(?:not\s+(?:sure|able)|unable)\b"),
        format!(r"{lead}(?:I|we)\s+(?:have|had|find|found|see)\s+no\b"),
        format!(r"{lead}(?:there\s+(?:is|was)\s+)?(?:no|not\s+enough|insufficient)\s+(?:relevant\s+|specific\s+|such\s+)?(?:answer|information)\b"),
        format!(r"{lead}there\s+(?:is|are|was|were)\s+(?:no|nothing|not\s+any)\b.*\b(?:in|within)\s+{SOURCES}"),
        format!(r"{lead}(?:(?:the|this|your|that)\s+)?question\s+(?:is\s+(?:unanswerable|not\s+answered)|can(?:not|\s+not|['’]?t)\s+be\s+answered)"),
        format!(r"{lead}(?:unanswerable|not\s+{told})\b"),
        format!(r"(?i)\b(?:is|are|was|were|has|have)(?:\s+not|n['’]t)\s+(?:been\s+)?(?:\w+ly\s+)?{told}\s+(?:anywhere\s+)?(?:in|by|within|from)\s+{SOURCES}"),
        concat!(
            r"(?:문서|자료|출처|문맥|본문|지문|구절|제공된|주어진).*(?:찾지 못|찾을 수 없|알 수 없|답할 수 없|답변할 수 없|확인할 수 없|확인되지 않|",
            r"나와 있지 않|나오지 않|언급되지 않|언급되어 있지 않|언급이 없|정보가 없|내용이 없|답이 없|들어 있지 않|적혀 있지 않|포함되어 있지 않)"
        )
        .to_owned(),
        concat!(
            r"^(?:(?:저는|제가|그|이|해당)\s+)*(?:(?:질문|물음|답변|답|내용|정보|부분|것)(?:에\s*대해서?는?|에는|에|을|를|은|는|이|가)?\s*)*(?:잘\s+)?",
            r"(?:모르겠|모릅니다|알 수 없|답할 수 없|답변할 수 없|답변드릴 수 없|찾지 못|찾을 수 없|정보가 없|확인할 수 없)\S*$"
        )
        .to_owned(),
    ]
}

/// True if the quote is, byte for byte, what stands at its place.
pub fn is_exact(citation: &Cited, text: &str) -> bool {
    // Offsets are characters; the end of the text is checked by the length of the slice.
    let (start, end) = (citation.start, citation.end);
    let index = CharIndex::new(text);
    end > start
        && index.char_at(text.len()) >= end
        && text.chars().skip(start).take(end - start).eq(citation.quote.chars())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Language;

    #[test]
    fn quotes_are_held_against_the_text_character_by_character() {
        let cited = |quote: &str, start, end| Cited { quote: quote.into(), start, end, ..Cited::default() };
        let text = "전해질 is solid.";
        assert!(is_exact(&cited("전해질", 0, 3), text));
        assert!(!is_exact(&cited("전해질", 1, 4), text));
        assert!(!is_exact(&cited("전해", 0, 3), text));
        assert!(!is_exact(&cited("", 3, 3), text));
        assert!(!is_exact(&cited("solid.", 7, 99), text));
    }

    #[test]
    fn refusals_in_common_words_are_recognised() {
        for no in [
            crate::prompt::abstention(Language::Ko),
            crate::prompt::abstention(Language::En),
            "The documents do not answer this question.",
            "I don't know.",
            "Sorry, but I cannot find this in the provided context. Ask somebody else.",
            "Based on the documents, I'm unable to determine the yield.",
            "The provided context does not explicitly mention the budget.",
            "There is not enough information to answer.",
            "The budget is not mentioned in the given passages.",
            "None of the documents says so.",
            "죄송합니다. 제공된 자료에는 해당 내용이 없습니다.",
            "그 질문에는 답변드릴 수 없습니다.",
            "알 수 없습니다.",
        ] {
            assert!(says_unknown(no), "{no}");
        }
    }

    #[test]
    fn a_statement_in_the_negative_is_an_answer() {
        for yes in [
            "",
            "The cell kept 83 %.",
            "용량은 83 %였다.",
            "It was not heated.",
            "The cathode does not contain cobalt.",
            "The material does not contain cobalt.",
            "The heat source cannot provide 85 °C.",
            "The cause could not be determined.",
            "The cell kept 83 %. The documents do not say why.",
            "I do not know the exact figure, but it kept about 83 %.",
            "용량 저하의 원인은 알 수 없었다.",
            "균열은 확인할 수 없었다.",
            "문서에서 정확한 값을 찾지 못했지만 약 83 %였다.",
        ] {
            assert!(!says_unknown(yes), "{yes}");
        }
    }

    #[test]
    fn recorded_answers_are_found_by_id_and_silence_is_abstention() {
        let peer = Peer::Recorded([("1".to_owned(), "A".to_owned())].into());
        let ask = |id: &str| peer.ask(&Question { id: id.into(), ..Question::default() }).unwrap();
        assert!(!ask("1").abstained && ask("2").abstained);
    }

    #[test]
    fn another_generator_for_answers_that_were_made_elsewhere_is_an_error() {
        let error = Peer::Recorded(BTreeMap::new()).write_with("extractive").unwrap_err();
        assert_eq!(error.to_string(), "recorded answers: they are written already");
    }
}
