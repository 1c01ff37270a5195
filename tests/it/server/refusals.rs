use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::fixture::{SERVICE, call, get, json as body_of, post};

/// Expects `{"error": {message, type, param, code}}` and returns it.
async fn refused(request: Request<Body>, status: StatusCode) -> Value {
    let response = call(&SERVICE, request).await;
    let error = body_of(&response)["error"].clone();
    assert_eq!(response.status(), status, "{error}");
    assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{error}");
    assert!(error["type"].is_string() && error.get("param").is_some() && error.get("code").is_some(), "{error}");
    error
}

#[tokio::test]
async fn a_wrong_chat_request_names_its_field() {
    let user = json!([{ "role": "user", "content": "gas?" }]);
    let m = "sectora-kiln";
    for (body, param, code) in [
        (json!({ "messages": user }), "model", "missing_required_parameter"),
        (json!({ "model": m }), "messages", "missing_required_parameter"),
        (json!({ "model": m, "messages": [] }), "messages", "invalid_value"),
        (json!({ "model": m, "messages": "gas?" }), "messages", "invalid_type"),
        (json!({ "model": m, "messages": [{ "role": "user", "content": 3 }] }), "messages[0].content", "invalid_type"),
        (json!({ "model": m, "messages": [{ "role": "user" }] }), "messages[0].content", "invalid_value"),
        (
            json!({ "model": m, "messages": [{ "role": "user", "content": " " }] }),
            "messages[0].content",
            "invalid_value",
        ),
        (
            json!({ "model": m, "messages": [{ "role": "wizard", "content": "x" }] }),
            "messages[0].role",
            "invalid_value",
        ),
        (
            json!({ "model": m, "messages": [{ "role": "tool", "content": "x" }] }),
            "messages[0].role",
            "unsupported_parameter",
        ),
        (
            json!({ "model": m, "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }] }),
            "messages[0].content[0].type",
            "unsupported_parameter",
        ),
        (
            json!({ "model": m, "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": "y" }] }),
            "messages[1].role",
            "invalid_value",
        ),
        (json!({ "model": m, "messages": user, "n": 2 }), "n", "unsupported_parameter"),
        (json!({ "model": m, "messages": user, "tools": [{}] }), "tools", "unsupported_parameter"),
        (json!({ "model": m, "messages": user, "logprobs": true }), "logprobs", "unsupported_parameter"),
        (json!({ "model": m, "messages": user, "top_logprobs": 2 }), "top_logprobs", "invalid_value"),
        (json!({ "model": m, "messages": user, "presence_penalty": 2.5 }), "presence_penalty", "invalid_value"),
        (json!({ "model": m, "messages": user, "frequency_penalty": -3 }), "frequency_penalty", "invalid_value"),
        (json!({ "model": m, "messages": user, "logit_bias": { "x": 1 } }), "logit_bias", "invalid_value"),
        (json!({ "model": m, "messages": user, "logit_bias": { "7": 101 } }), "logit_bias.7", "invalid_value"),
        (json!({ "model": m, "messages": user, "logit_bias": [7] }), "logit_bias", "invalid_type"),
        (json!({ "model": m, "messages": user, "top_k": -2 }), "top_k", "invalid_value"),
        (json!({ "model": m, "messages": user, "min_p": 1.5 }), "min_p", "invalid_value"),
        (json!({ "model": m, "messages": user, "repetition_penalty": 0 }), "repetition_penalty", "invalid_value"),
        (
            json!({ "model": m, "messages": user, "response_format": { "type": "json_object" } }),
            "response_format",
            "unsupported_parameter",
        ),
        (
            json!({ "model": m, "messages": user, "response_format": { "type": "xml" } }),
            "response_format.type",
            "invalid_value",
        ),
        (
            json!({ "model": m, "messages": user, "response_format": { "type": "json_schema" } }),
            "response_format.json_schema.schema",
            "missing_required_parameter",
        ),
        (json!({ "model": m, "messages": user, "temperature": 2.1 }), "temperature", "invalid_value"),
        (json!({ "model": m, "messages": user, "temperature": "hot" }), "temperature", "invalid_type"),
        (json!({ "model": m, "messages": user, "top_p": -0.1 }), "top_p", "invalid_value"),
        (json!({ "model": m, "messages": user, "max_tokens": 0 }), "max_tokens", "invalid_value"),
        (
            json!({ "model": m, "messages": user, "max_completion_tokens": -1 }),
            "max_completion_tokens",
            "invalid_value",
        ),
        (json!({ "model": m, "messages": user, "seed": 1.5 }), "seed", "invalid_type"),
        (json!({ "model": m, "messages": user, "stop": ["a", "b", "c", "d", "e"] }), "stop", "invalid_value"),
        (json!({ "model": m, "messages": user, "stop": [1] }), "stop[0]", "invalid_type"),
        (json!({ "model": m, "messages": user, "stream": "yes" }), "stream", "invalid_type"),
        (json!({ "model": m, "messages": user, "stream_options": {} }), "stream_options", "invalid_value"),
        (json!({ "model": m, "messages": user, "sectora": { "filter": {} } }), "sectora.filter", "invalid_type"),
        (json!({ "model": m, "messages": user, "sectora": { "limit": 99 } }), "sectora.limit", "invalid_value"),
        (
            json!({ "model": m, "messages": user, "sectora": { "filters": { "year_from": 2024, "year_to": 2020 } } }),
            "sectora.filters.year_from",
            "invalid_value",
        ),
    ] {
        let error = refused(post("/v1/chat/completions", body.to_string()), StatusCode::BAD_REQUEST).await;
        assert_eq!((error["param"].as_str(), error["code"].as_str()), (Some(param), Some(code)), "{body}: {error}");
        assert!(error["message"].as_str().unwrap().contains(param), "{error}");
    }
}

#[tokio::test]
async fn what_openai_takes_is_taken() {
    let body = json!({
        "model": "sectora-kiln",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": "How much natural gas did the Norwind tunnel kiln save?", "name": "kim" },
        ],
        "n": 1, "temperature": 0, "top_p": 0, "max_tokens": 100000, "seed": -3, "stop": null, "tools": [], "user": "u1",
        "presence_penalty": 0.5, "response_format": { "type": "text" }, "store": false, "unheard_of": { "x": [1] },
    });
    assert_eq!(call(&SERVICE, post("/v1/chat/completions", body.to_string())).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn token_numbers_and_several_prompts_are_refused_clearly() {
    let prompt = |prompt: Value| json!({ "model": "sectora-kiln", "prompt": prompt }).to_string();
    let tokens = refused(post("/v1/completions", prompt(json!([1, 2, 3]))), StatusCode::BAD_REQUEST).await;
    assert_eq!(tokens["param"], "prompt[0]");
    assert!(tokens["message"].as_str().unwrap().contains("token numbers"), "{tokens}");
    let two = refused(post("/v1/completions", prompt(json!(["a", "b"]))), StatusCode::BAD_REQUEST).await;
    assert_eq!(two["param"], "prompt");
    let none = refused(post("/v1/completions", "{\"model\": \"sectora-kiln\"}"), StatusCode::BAD_REQUEST).await;
    assert_eq!((none["param"].as_str(), none["code"].as_str()), (Some("prompt"), Some("missing_required_parameter")));
}

#[tokio::test]
async fn an_unknown_model_is_not_found_and_the_known_one_is_named() {
    let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "x" }] }).to_string();
    let error = refused(post("/v1/chat/completions", body), StatusCode::NOT_FOUND).await;
    assert_eq!(error["code"], "model_not_found");
    assert!(error["message"].as_str().unwrap().contains("sectora-kiln"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_not_json_or_does_not_say_so_is_refused() {
    for broken in ["", "{", "{\"model\": \"x\"} trailing", "\u{feff}{}", "{\"model\": \"x\",", "nul"] {
        let error = refused(post("/v1/chat/completions", broken), StatusCode::BAD_REQUEST).await;
        assert_eq!(error["code"], "invalid_json", "{broken:?}: {error}");
    }
    let deep = "[".repeat(100_000);
    refused(post("/v1/search", deep), StatusCode::BAD_REQUEST).await;
    let mut plain = post("/v1/chat/completions", "{}");
    plain.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    let error = refused(plain, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    assert!(error["message"].as_str().unwrap().contains("application/json"), "{error}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large() {
    let long = json!({ "q": "x".repeat(3 << 20) }).to_string();
    let error = refused(post("/v1/search", long), StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(error["code"], "body_too_large");
}

#[tokio::test]
async fn a_text_too_long_for_a_question_is_refused_and_told_where_it_can_go() {
    let long = "gas ".repeat(4_000);
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let chat = |messages: Value| json!({ "model": "sectora-kiln", "messages": messages }).to_string();
    let earlier = json!([message("user", &long), message("assistant", "23.5 %"), message("user", "gas?")]);
    for (path, body, param) in [
        ("/v1/search", json!({ "q": long }).to_string(), "q"),
        ("/v1/completions", json!({ "model": "sectora-kiln", "prompt": long }).to_string(), "prompt"),
        ("/v1/chat/completions", chat(json!([message("user", &long)])), "messages[0].content"),
        ("/v1/chat/completions", chat(earlier), "messages[0].content"),
    ] {
        let error = refused(post(path, body), StatusCode::BAD_REQUEST).await;
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!("string_above_max_length")), "{error}");
        assert_eq!(error["type"], "invalid_request_error");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("at most 12288 ") && told.contains("/v1/overlap"), "{told}");
    }
    let error = refused(get(&format!("/v1/search?q={}", "x".repeat(13_000))), StatusCode::BAD_REQUEST).await;
    assert_eq!(error["param"], "q");
    // An earlier answer may be longer, but not of any length.
    let gas = message("user", "gas?");
    let after = |answer: &str| chat(json!([gas, message("assistant", answer), gas]));
    assert_eq!(call(&SERVICE, post("/v1/chat/completions", after(&long))).await.status(), StatusCode::OK);
    let error = refused(post("/v1/chat/completions", after(&long.repeat(6))), StatusCode::BAD_REQUEST).await;
    assert_eq!(error["param"], "messages[1].content");
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_method_are_told_apart() {
    refused(get("/v1/documents/%ff"), StatusCode::BAD_REQUEST).await;
    assert_eq!(refused(get("/v1/nothing"), StatusCode::NOT_FOUND).await["code"], "unknown_url");
    let response = call(&SERVICE, get("/v1/chat/completions")).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "POST");
    assert_eq!(body_of(&response)["error"]["code"], "method_not_allowed");
}

#[tokio::test]
async fn a_foreign_host_is_refused() {
    for host in ["evil.example", "evil.example:7878", "127.0.0.1.evil.example"] {
        let request = Request::get("/v1/models").header(header::HOST, host).body(Body::empty()).unwrap();
        assert_eq!(refused(request, StatusCode::FORBIDDEN).await["code"], "foreign_host");
    }
    let nameless = Request::get("/v1/models").body(Body::empty()).unwrap();
    refused(nameless, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_wrong_search_names_its_parameter() {
    for (query, param) in [
        ("", "q"),
        ("q=%20", "q"),
        ("q=x&year_from=last", "year_from"),
        ("q=x&year_from=2024&year_to=2020", "year_from"),
        ("q=x&language=fr", "language"),
        ("q=x&limit=0", "limit"),
        ("q=x&mode=psychic", "mode"),
        ("q=x&yearfrom=2020", "yearfrom"),
    ] {
        let error = refused(get(&format!("/v1/search?{query}")), StatusCode::BAD_REQUEST).await;
        assert_eq!(error["param"], param, "{query}: {error}");
    }
    let mistyped = json!({ "q": "x", "filters": { "yearfrom": 2020 } }).to_string();
    let error = refused(post("/v1/search", mistyped), StatusCode::BAD_REQUEST).await;
    assert!(error["message"].as_str().unwrap().contains("year_from"), "{error}");
}
