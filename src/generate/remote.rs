//! Any engine that speaks OpenAI's chat completions: vLLM, llama.cpp's server, Ollama, a cloud service.
//!
//! `POST {base}/chat/completions` with `stream: true`; the answer is read as server-sent events, or as one
//! JSON document where an engine ignores `stream`. The key is sent and never shown.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finish, GenerateError, Generation, Generator, PromptStyle, Request, Sink, TokenLogprob};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest line of a stream, and longest answer of an engine that does not stream.
const MAX_BYTES: u64 = 4 << 20;
/// Characters of a foreign error that are shown.
const SHOWN: usize = 300;

/// Where the engine is.
#[derive(Clone)]
pub struct RemoteOptions {
    /// Base address, for instance `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// Model name sent to it.
    pub model: String,
    /// Bearer key.
    pub api_key: Option<String>,
    /// Its context window, tokens.
    pub context_tokens: usize,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
}

impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} (key {})", self.model, self.url, if self.api_key.is_some() { "set" } else { "not set" })
    }
}

/// An OpenAI-compatible engine.
pub struct RemoteGenerator {
    name: String,
    options: RemoteOptions,
    agent: ureq::Agent,
}

impl RemoteGenerator {
    /// Checks the address; nothing is sent yet.
    pub fn new(options: RemoteOptions) -> Result<RemoteGenerator, GenerateError> {
        let options = RemoteOptions { url: options.url.trim_end_matches('/').to_owned(), ..options };
        if !options.url.starts_with("http://") && !options.url.starts_with("https://") {
            let what = "the address must begin with http:// or https://".into();
            return Err(GenerateError::Remote { url: options.url, what });
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(options.timeout))
            .build();
        Ok(RemoteGenerator { name: format!("remote:{}", options.model), agent: agent.into(), options })
    }

    fn body(&self, request: &Request<'_>) -> Value {
        let sampling = request.sampling;
        let mut body = json!({
            "model": self.options.model,
            "messages": request.messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "max_tokens": sampling.max_tokens,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        if !sampling.stop.is_empty() {
            body["stop"] = json!(sampling.stop);
        }
        // Only what differs from the usual, since not every engine knows every field.
        for (name, value, usual) in [
            ("presence_penalty", sampling.presence_penalty, 0.0),
            ("frequency_penalty", sampling.frequency_penalty, 0.0),
            ("repetition_penalty", sampling.repetition_penalty, 1.0),
            ("min_p", sampling.min_p, 0.0),
        ] {
            if value != usual {
                body[name] = json!(value);
            }
        }
        if sampling.top_k > 0 {
            body["top_k"] = json!(sampling.top_k);
        }
        if !sampling.logit_bias.is_empty() {
            let bias = sampling.logit_bias.iter().map(|(id, bias)| (id.to_string(), json!(bias)));
            body["logit_bias"] = Value::Object(bias.collect());
        }
        if let Some(schema) = request.schema {
            let schema = json!({ "name": "answer", "strict": true, "schema": schema });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        }
        if let Some(top) = sampling.logprobs {
            body["logprobs"] = json!(true);
            body["top_logprobs"] = json!(top);
        }
        body
    }

    fn error(&self, what: impl Into<String>) -> GenerateError {
        GenerateError::Remote { url: self.options.url.clone(), what: what.into() }
    }

    /// What an engine's refusal means for the one who runs Sectora.
    fn refusal(&self, status: u16, body: &str) -> GenerateError {
        let said = serde_json::from_str::<Value>(body).ok();
        let said = said.as_ref().and_then(error_message).unwrap_or(body);
        let said: String = said.trim().chars().take(SHOWN).collect();
        let hint = match status {
            401 | 403 => "; set SECTORA_REMOTE__API_KEY",
            404 => "; check remote.url (it usually ends in /v1) and remote.model",
            429 => "; it has too much to do, ask again later",
            _ => "",
        };
        self.error(format!("status {status}: {said}{hint}"))
    }
}

impl Generator for RemoteGenerator {
    fn name(&self) -> &str {
        &self.name
    }

    fn context_tokens(&self) -> usize {
        self.options.context_tokens
    }

    fn prompt_style(&self) -> PromptStyle {
        PromptStyle::Chat
    }

    fn has_logprobs(&self) -> bool {
        true
    }

    fn follows_schemas(&self) -> bool {
        true
    }

    fn generate(&self, request: &Request<'_>, sink: &mut Sink<'_>) -> Result<Generation, GenerateError> {
        let begin = Instant::now();
        let address = format!("{}/chat/completions", self.options.url);
        let mut post = self.agent.post(&address).header("accept", "text/event-stream");
        if let Some(key) = &self.options.api_key {
            post = post.header("authorization", format!("Bearer {key}"));
        }
        let mut response = post.send_json(self.body(request)).map_err(|e| match e {
            ureq::Error::Timeout(_) => {
                self.error(format!("no answer within {:?} (remote.timeout_s)", self.options.timeout))
            }
            other => self.error(format!("{other}; is the engine running?")),
        })?;
        let status = response.status().as_u16();
        let reader = response.body_mut().as_reader();
        if status != 200 {
            let mut body = String::new();
            // Half a refusal still says more than none.
            let _ = reader.take(MAX_BYTES).read_to_string(&mut body);
            return Err(self.refusal(status, &body));
        }
        let mut answer = Answer {
            begin,
            sink,
            generation: Generation {
                finish: if request.sampling.stop.is_empty() { Finish::Stop } else { Finish::StopString },
                prompt_tokens: 0,
                completion_tokens: 0,
                first_token_s: 0.0,
                tokens: Vec::new(),
            },
            written: 0,
            ended: false,
        };
        let read = read_events(BufReader::new(reader), &mut answer);
        match read {
            Ok(()) if answer.ended => Ok(answer.generation),
            Ok(()) => Err(self.error("the stream ended before the answer did")),
            Err(what) => Err(self.error(what)),
        }
    }
}

/// What was received so far.
struct Answer<'a, 's> {
    begin: Instant,
    sink: &'a mut Sink<'s>,
    generation: Generation,
    /// Bytes of text so far.
    written: usize,
    ended: bool,
}

/// Reads server-sent events (or one JSON document) until the answer ends.
fn read_events(mut reader: impl BufRead, answer: &mut Answer<'_, '_>) -> Result<(), String> {
    let mut line = Vec::new();
    let mut whole = String::new();
    loop {
        line.clear();
        let read = (&mut reader).take(MAX_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|e| format!("the stream broke off: {e}"))? == 0 {
            break;
        }
        if line.len() as u64 >= MAX_BYTES || whole.len() as u64 >= MAX_BYTES {
            return Err(format!("it sent more than {MAX_BYTES} bytes in one piece"));
        }
        let text = String::from_utf8_lossy(&line);
        let Some(data) = text.trim_end().strip_prefix("data:") else {
            if !text.starts_with([':', 'e', 'i', 'r']) {
                whole.push_str(&text);
            }
            continue;
        };
        if answer.event(data.trim_start())?.is_break() {
            return Ok(());
        }
    }
    match whole.trim() {
        "" => Ok(()),
        document => answer.event(document).map(|_| ()),
    }
}

impl Answer<'_, '_> {
    /// One chunk; `Break` when nothing more is to be read.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, String> {
        if data == "[DONE]" {
            self.ended = true;
            return Ok(ControlFlow::Break(()));
        }
        let shown = || data.chars().take(SHOWN).collect::<String>();
        let value: Value = serde_json::from_str(data).map_err(|e| format!("not JSON ({e}): {}", shown()))?;
        if let Some(what) = error_message(&value) {
            return Err(what.chars().take(SHOWN).collect());
        }
        let chunk: Chunk = serde_json::from_value(value).map_err(|e| format!("not a completion ({e}): {}", shown()))?;
        if let Some(usage) = chunk.usage {
            self.generation.prompt_tokens = usage.prompt_tokens;
            self.generation.completion_tokens = usage.completion_tokens;
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(ControlFlow::Continue(())) };
        let content = choice.delta.or(choice.message).and_then(|m| m.content).unwrap_or_default();
        let mut start = self.written;
        for token in choice.logprobs.and_then(|l| l.content).unwrap_or_default() {
            let bytes = |bytes: Option<Vec<u8>>, text: String| bytes.unwrap_or_else(|| text.into_bytes());
            let top = token.top_logprobs.into_iter().map(|t| (bytes(t.bytes, t.token), t.logprob)).collect();
            let bytes = bytes(token.bytes, token.token);
            let length = bytes.len();
            self.generation.tokens.push(TokenLogprob { start, bytes, logprob: token.logprob, top });
            start += length;
        }
        self.written += content.len();
        if !content.is_empty() {
            if self.generation.first_token_s == 0.0 {
                self.generation.first_token_s = self.begin.elapsed().as_secs_f64();
            }
            if (self.sink)(&content).is_break() {
                self.generation.finish = Finish::Cancelled;
                self.ended = true;
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(reason) = choice.finish_reason {
            self.ended = true;
            if reason == "length" {
                self.generation.finish = Finish::Length;
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// `{"error": {"message": …}}`, or `{"error": "…"}`.
fn error_message(value: &Value) -> Option<&str> {
    let error = value.get("error").filter(|e| !e.is_null())?;
    error["message"].as_str().or(error.as_str()).or(Some("an error without a message"))
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    message: Option<Delta>,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
struct Logprob {
    token: String,
    logprob: f32,
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<Logprob>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::{Message, Role, Sampling};
    use super::*;
    use crate::text::coverage::Coverage;

    /// Answers one request with `response`, and hands out what it was asked.
    fn engine(response: Vec<u8>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let (asked, receiver) = channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let n = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&request);
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
                if n == 0 || body.is_some_and(|body| body.ends_with('}')) {
                    break;
                }
            }
            // Not every test looks at what was asked, and a cancelled client may have closed already.
            let _ = asked.send(String::from_utf8(request).unwrap());
            let _ = stream.write_all(&response);
        });
        (url, receiver)
    }

    fn http(status: &str, kind: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}").into_bytes()
    }

    fn events(body: &str) -> Vec<u8> {
        http("200 OK", "text/event-stream", body)
    }

    fn generator(url: &str) -> RemoteGenerator {
        let api_key = Some("secret-key".to_owned());
        let timeout = Duration::from_secs(5);
        RemoteGenerator::new(RemoteOptions {
            url: url.into(),
            model: "m".into(),
            api_key,
            context_tokens: 100,
            timeout,
        })
        .unwrap()
    }

    fn ask(url: &str, pieces: usize) -> Result<(String, Generation), GenerateError> {
        ask_with(&Sampling { stop: vec!["끝".into()], ..Sampling::default() }, url, pieces)
    }

    fn ask_with(sampling: &Sampling, url: &str, pieces: usize) -> Result<(String, Generation), GenerateError> {
        let messages = [Message { role: Role::User, content: "질문".into() }];
        let coverage = Coverage::of_question("질문", &[]);
        let request = Request { messages: &messages, ..Request::new("질문", &coverage, sampling) };
        let mut text = String::new();
        let mut left = pieces;
        let generation = generator(url).generate(&request, &mut |piece| {
            text.push_str(piece);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok((text, generation))
    }

    const STREAM: &str = ": keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"안\"}}]}\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"녕\"},\"finish_reason\":\"length\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

    #[test]
    fn a_stream_is_read_piece_by_piece_with_its_usage() {
        let (url, asked) = engine(events(STREAM));
        let (text, generation) = ask(&url, 99).unwrap();
        assert_eq!(text, "안녕");
        assert_eq!((generation.finish, generation.prompt_tokens, generation.completion_tokens), (Finish::Length, 7, 2));
        let asked = asked.recv().unwrap();
        assert!(asked.starts_with("POST /v1/chat/completions HTTP/1.1"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer secret-key"), "{asked}");
        let body: Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(
            (&body["stream"], &body["messages"][0]["role"], &body["stop"][0]),
            (&json!(true), &json!("user"), &json!("끝"))
        );
        assert_eq!(body["stream_options"]["include_usage"], true, "else engines do not say it in a stream");
    }

    #[test]
    fn a_sink_that_breaks_ends_the_reading() {
        let (url, _) = engine(events(STREAM));
        let (text, generation) = ask(&url, 1).unwrap();
        assert_eq!((text.as_str(), generation.finish), ("안", Finish::Cancelled));
    }

    #[test]
    fn an_engine_that_does_not_stream_is_understood() {
        let body = "{\n  \"choices\": [\n{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}";
        let (url, _) = engine(http("200 OK", "application/json", body));
        assert_eq!(ask(&url, 99).unwrap().0, "whole");
    }

    #[test]
    fn where_stop_strings_were_sent_one_of_them_may_have_ended_the_text() {
        let body = "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}";
        let (url, _) = engine(http("200 OK", "application/json", body));
        assert_eq!(ask(&url, 99).unwrap().1.finish, Finish::StopString);
        let (url, _) = engine(http("200 OK", "application/json", body));
        assert_eq!(ask_with(&Sampling::default(), &url, 99).unwrap().1.finish, Finish::Stop);
    }

    #[test]
    fn refusals_and_broken_streams_say_what_to_do_and_never_the_key() {
        let refused = |response: Vec<u8>, expect: &[&str]| {
            let (url, _) = engine(response);
            let error = ask(&url, 99).unwrap_err().to_string();
            assert!(expect.iter().all(|e| error.contains(e)) && !error.contains("secret-key"), "{error}");
        };
        let denied = "{\"error\":{\"message\":\"bad key\"}}";
        refused(http("401 Unauthorized", "application/json", denied), &["401", "bad key", "SECTORA_REMOTE__API_KEY"]);
        refused(http("404 Not Found", "text/plain", "nothing here"), &["404", "nothing here", "remote.url"]);
        refused(events("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"), &["out of memory"]);
        refused(events("data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n"), &["ended before the answer"]);
        refused(events("data: {oops\n\n"), &["not JSON", "{oops"]);
        refused(http("200 OK", "text/html", "<html>login</html>"), &["not JSON", "<html>"]);
        assert!(!format!("{:?}", generator("http://x").options).contains("secret-key"));
    }

    #[test]
    fn an_engine_that_is_not_there_is_named() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = ask(&format!("http://127.0.0.1:{port}/v1"), 99).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("is the engine running?"), "{error}");
        assert!(
            RemoteGenerator::new(RemoteOptions { url: "localhost:1".into(), ..generator("http://x").options }).is_err()
        );
    }
}
