//! Behaviour that needs a generator which takes its time: a slow OpenAI-compatible engine of the test's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;

use super::fixture::{call, json as body_of, post as request, service};

/// A sentence that the passages support, and one that they do not.
pub(super) const TRUE: &str = "The Norwind tunnel kiln saved 23.5 % of its natural gas [1]. ";
const UNTRUE: &str = "Wandering words about nothing in particular ";

/// What an engine says at its `i`th piece.
type Says = Arc<dyn Fn(usize) -> &'static str + Send + Sync>;

/// An engine that says what it says, whatever it is asked.
pub(super) struct Engine {
    pub(super) address: SocketAddr,
    /// Streams that are being read.
    open: Arc<AtomicUsize>,
    /// Requests that came.
    asked: Arc<AtomicUsize>,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Engine {
    /// Sends `piece` and then wandering words, `times` pieces in all, one every 30 ms.
    pub(super) fn start(piece: &'static str, times: usize) -> Engine {
        Engine::saying(Arc::new(move |i| if i == 0 { piece } else { UNTRUE }), times)
    }

    fn saying(says: Says, times: usize) -> Engine {
        let open = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(AtomicUsize::new(0));
        let (counted, came) = (Arc::clone(&open), Arc::clone(&asked));
        let completions = move || {
            let counted = Arc::clone(&counted);
            came.fetch_add(1, Ordering::SeqCst);
            let says = Arc::clone(&says);
            async move { babble(counted, says, times) }
        };
        let router = Router::new().route("/v1/chat/completions", post(completions));
        let (told, address) = std::sync::mpsc::channel();
        // A runtime of its own, because tests with and without one use it; it ends with the process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Engine { address, open, asked }
    }

    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("remote.url", format!("http://{}/v1", self.address)), ("remote.model", "slow".to_owned())]
    }

    /// Waits until `n` streams are open; false after 10 s.
    async fn comes_to(&self, n: usize) -> bool {
        let begin = Instant::now();
        while self.open.load(Ordering::SeqCst) != n {
            if begin.elapsed() > Duration::from_secs(10) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

fn babble(counted: Arc<AtomicUsize>, says: Says, times: usize) -> Response {
    counted.fetch_add(1, Ordering::SeqCst);
    let open = Open(counted);
    let chunk = |delta: Value, finish: Value| {
        let token = json!({ "token": delta["content"], "logprob": -0.5, "bytes": null, "top_logprobs": [] });
        let logprobs = delta.get("content").map(|_| json!({ "content": [token] }));
        let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs }]);
        let chunk =
            json!({ "id": "x", "object": "chat.completion.chunk", "created": 0, "model": "slow", "choices": choices });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let ticks = IntervalStream::new(tokio::time::interval(Duration::from_millis(30))).take(times);
    let mut i = 0;
    let pieces = ticks.map(move |_| {
        let _open = &open;
        i += 1;
        chunk(json!({ "content": says(i - 1) }), Value::Null)
    });
    let end = tokio_stream::iter([chunk(json!({}), json!("stop")), Bytes::from_static(b"data: [DONE]\n\n")]);
    let body = Body::from_stream(pieces.chain(end).map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn question(stream: bool) -> axum::http::Request<Body> {
    let messages = json!([{ "role": "user", "content": "How much natural gas did the Norwind tunnel kiln save?" }]);
    request(
        "/v1/chat/completions",
        json!({ "model": "sectora-kiln", "messages": messages, "stream": stream }).to_string(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_a_plain_answer_stops_the_generator() {
    let engine = Engine::start(TRUE, usize::MAX);
    let service = service("remote", &engine.settings(), 1, 1);
    let running = tokio::spawn(async move { call(&service, question(false)).await });
    assert!(engine.comes_to(1).await, "the engine was never asked");
    running.abort();
    assert!(engine.comes_to(0).await, "the engine still writes for nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_a_stream_stops_the_generator_also_between_sentences() {
    for piece in [TRUE, UNTRUE] {
        let engine = Engine::start(piece, usize::MAX);
        let service = service("remote", &engine.settings(), 1, 1);
        let response = tower::ServiceExt::oneshot(service, question(true)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(engine.comes_to(1).await, "the engine was never asked");
        drop(response);
        assert!(engine.comes_to(0).await, "the engine still writes {piece:?} for nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_that_goes_in_circles_is_stopped_and_what_it_said_is_shown_once() {
    let engine = Engine::saying(Arc::new(|_| TRUE), usize::MAX);
    let service = service("remote", &engine.settings(), 1, 1);
    let answer = body_of(&call(&service, question(false)).await);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"].as_str().unwrap().matches("23.5 %").count(), 1, "{answer}");
    assert_eq!((&choice["finish_reason"], &answer["sectora"]["dropped_sentences"]), (&json!("stop"), &json!(0)));
    assert!(engine.comes_to(0).await, "the engine still writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_question_again_is_no_answer() {
    for said in [
        "How much natural gas did the Norwind tunnel kiln save? [1]",
        "Question: did the Norwind tunnel kiln save natural gas? [1]",
    ] {
        let engine = Engine::start(said, 1);
        let service = service("remote", &engine.settings(), 1, 1);
        let answer = body_of(&call(&service, question(false)).await);
        assert_eq!(answer["sectora"]["abstained"], true, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_document_supports_the_model_the_documents_are_quoted_and_a_note_says_so() {
    let engine = Engine::start("The Norwind tunnel kiln bought hydrogen worth 77 million EUR [1].", 1);
    let mut settings = engine.settings();
    let quoting = body_of(&call(&service("remote", &settings, 1, 1), question(false)).await);
    let sectora = &quoting["sectora"];
    assert_eq!((&sectora["abstained"], &sectora["generator"]), (&json!(false), &json!("extractive")), "{quoting}");
    assert!(sectora["notes"].to_string().contains("language model wrote"), "{quoting}");
    assert!(!quoting["choices"][0]["message"]["content"].to_string().contains("hydrogen"), "{quoting}");
    // Also where it never stops saying so.
    let circles = Engine::saying(Arc::new(|_| "The kiln bought hydrogen worth 77 million EUR [1]. "), usize::MAX);
    let again = body_of(&call(&service("remote", &circles.settings(), 1, 1), question(false)).await);
    assert_eq!(again["choices"][0]["message"]["content"], quoting["choices"][0]["message"]["content"], "{again}");
    settings.push(("answer.quote_instead", "false".to_owned()));
    let silent = body_of(&call(&service("remote", &settings, 1, 1), question(false)).await);
    assert_eq!((&silent["sectora"]["abstained"], &silent["sectora"]["dropped_sentences"]), (&json!(true), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_a_stop_string_may_have_ended_before_it_wrote_gives_an_empty_answer_and_no_refusal() {
    let cases = [("", json!("Saved"), false), ("", json!([]), true), (UNTRUE, json!("Saved"), true)];
    for (said, stop, abstained) in cases {
        let engine = Engine::start(said, 1);
        let mut settings = engine.settings();
        settings.push(("answer.quote_instead", "false".to_owned()));
        let service = service("remote", &settings, 1, 1);
        let messages = json!([{ "role": "user", "content": "How much natural gas did the Norwind tunnel kiln save?" }]);
        let body = json!({ "model": "sectora-kiln", "messages": messages, "stop": stop });
        let answer = body_of(&call(&service, request("/v1/chat/completions", body.to_string())).await);
        assert_eq!(answer["sectora"]["abstained"], abstained, "{said:?}, {stop}: {answer}");
        assert_eq!(answer["choices"][0]["message"]["content"] == "", !abstained, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_probabilities_are_those_of_the_sentences_that_were_let_through() {
    for (piece, shown) in [(TRUE, 1), (UNTRUE, 0)] {
        let engine = Engine::start(piece, 2);
        let service = service("remote", &engine.settings(), 1, 1);
        let messages = json!([{ "role": "user", "content": "How much natural gas did the Norwind tunnel kiln save?" }]);
        let body = json!({ "model": "sectora-kiln", "messages": messages, "logprobs": true, "top_logprobs": 2 });
        let answer = body_of(&call(&service, request("/v1/chat/completions", body.to_string())).await);
        let logprobs = &answer["choices"][0]["logprobs"]["content"];
        assert_eq!(logprobs.as_array().map_or(0, Vec::len), shown, "{answer}");
        if shown > 0 {
            assert_eq!((&logprobs[0]["token"], &logprobs[0]["logprob"]), (&json!(TRUE), &json!(-0.5)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_json_is_shown_when_all_of_it_is_supported_and_refused_otherwise() {
    let good = r#"{"answer":"The Norwind tunnel kiln saved 23.5 % of its natural gas.","percent":23.5}"#;
    let bad = r#"{"answer":"The Norwind tunnel kiln saved 23.5 % of its natural gas.","percent":77}"#;
    for (text, supported) in [(good, true), (bad, false)] {
        let engine = Engine::start(text, 1);
        let service = service("remote", &engine.settings(), 1, 1);
        let messages = json!([{ "role": "user", "content": "How much natural gas did the Norwind tunnel kiln save?" }]);
        let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "object" } } });
        let body = json!({ "model": "sectora-kiln", "messages": messages, "response_format": format });
        let answer = body_of(&call(&service, request("/v1/chat/completions", body.to_string())).await);
        let message = &answer["choices"][0]["message"];
        if supported {
            assert_eq!(message["content"], text, "{answer}");
            assert_eq!(answer["sectora"]["citations"][0]["n"], 1, "{answer}");
        } else {
            assert!(message["content"].is_null() && message["refusal"].is_string(), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_is_answered_at_once_and_search_still_works() {
    let engine = Engine::start(TRUE, usize::MAX);
    let service = service("remote", &engine.settings(), 1, 1);
    let ask = || {
        tokio::spawn({
            let service = service.clone();
            async move { call(&service, question(false)).await }
        })
    };
    let working = ask();
    assert!(engine.comes_to(1).await, "the engine was never asked");
    let waiting = ask();
    tokio::time::sleep(Duration::from_millis(300)).await;

    let refused = tokio::time::timeout(Duration::from_secs(5), call(&service, question(true))).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(body_of(&refused)["error"]["code"], "server_busy");
    let found = call(&service, super::fixture::get("/v1/search?q=kiln")).await;
    assert_eq!(found.status(), StatusCode::OK);

    // The one that waits gets the place of the one that leaves.
    working.abort();
    let begin = Instant::now();
    while engine.asked.load(Ordering::SeqCst) < 2 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the waiting request was forgotten");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    waiting.abort();
    assert!(engine.comes_to(0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_out_of_reach_is_a_status_and_not_a_broken_stream() {
    let settings = vec![("remote.url", "http://127.0.0.1:9/v1".to_owned()), ("remote.model", "gone".to_owned())];
    let service = service("remote", &settings, 1, 1);
    for stream in [false, true] {
        let response = call(&service, question(stream)).await;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        // The passages are found before the engine is asked, so a stream may have begun.
        if response.status() == StatusCode::OK {
            assert!(stream && text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
        } else {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{text}");
            assert!(text.contains("127.0.0.1:9"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_is_read_by_the_engine_and_only_what_stands_in_it_is_kept() {
    let said = "{\"title\": {\"value\": \"\", \"quote\": \"\"}, \"institution\": {\"value\": \"Brackwater Kilns\", \"quote\": \"It is asked for by Brackwater Kilns.\"}, \
                \"programme\": {\"value\": \"Clean Heat\", \"quote\": \"paid by Clean Heat\"}}";
    let engine = Engine::start(said, 1);
    let service = service("remote", &engine.settings(), 1, 1);
    let text = "A quiet kiln\n\nThe aim is a kiln that saves gas. It is asked for by Brackwater Kilns.";
    let body = json!({ "text": text, "read": true }).to_string();
    let found = body_of(&call(&service, request("/v1/overlap", body)).await);
    let institution = &found["proposal"]["institution"];
    assert_eq!((&institution["value"], &institution["from"]), (&json!("Brackwater Kilns"), &json!("generator")));
    assert!(institution["confidence"].as_f64().unwrap() < 0.6, "{institution}");
    let refused = found["proposal"]["reading"]["refused"].to_string();
    assert!(refused.contains("Clean Heat") && refused.contains("does not stand in the text"), "{refused}");
    // Nobody is asked who was not called for.
    let before = engine.asked.load(Ordering::SeqCst);
    let plain = body_of(&call(&service, request("/v1/overlap", json!({ "text": text }).to_string())).await);
    assert!(plain["proposal"]["reading"].is_null() && plain["proposal"]["institution"].is_null());
    assert_eq!(engine.asked.load(Ordering::SeqCst), before);
}
