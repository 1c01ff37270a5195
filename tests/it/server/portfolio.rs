use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use serde_json::json;

use sectora::release::Label;
use sha2::{Digest, Sha256};

use super::fixture::{DOCUMENTS, SERVICE, call, fetch, get, json as json_of, post, send, service};

#[tokio::test]
async fn overlap_shows_public_documents_only() {
    let text = "Xenotime alloy\nThe withheld alloy xenotime-77 melts at 912 degrees in the vault furnace.";
    let found = send("/v1/overlap", json!({ "text": text, "limit": 50 })).await;
    assert_eq!(found["proposal"]["text"], text);
    assert!(!found["verdicts"].to_string().contains("vault furnace"), "{found}");
    let strengths = fetch("/v1/strengths").await;
    assert!(strengths["projects"].as_u64().unwrap() >= 1);
    assert!(!strengths.to_string().contains("vault furnace"));
}

#[tokio::test]
async fn a_match_is_for_a_need_or_an_institution_and_the_page_is_there() {
    let found = send("/v1/match", json!({ "need": "A kiln that burns natural gas with less fuel." })).await;
    assert!(found["matches"].is_array());
    assert!(send("/v1/consolidate", json!({})).await["groups"].is_array());
    let redacted = send("/v1/release/redact", json!({ "text": "mail: ida.morrow@lab.example" })).await;
    assert_eq!(redacted["text"], "mail: [EMAIL]");
    let decided =
        send("/v1/release/decide", json!({ "text": "The recipe is a trade secret. It melts at 912 K." })).await;
    assert_eq!(decided["text"], "[WITHHELD: business_secret] It melts at 912 K.");
    assert_eq!(call(&SERVICE, get("/portfolio")).await.status(), StatusCode::OK);
    let map = call(&SERVICE, get("/v1/strengths.svg?language=ko")).await;
    assert_eq!(map.status(), StatusCode::OK);
    assert!(String::from_utf8(map.into_body()).unwrap().contains("주제 × 기관"));
    assert_eq!(call(&SERVICE, get("/v1/strengths?language=fr")).await.status(), StatusCode::BAD_REQUEST);
    let api = fetch("/openapi.json").await;
    for path in [
        "/v1/overlap",
        "/v1/overlap/report",
        "/v1/overlap/all",
        "/v1/match",
        "/v1/strengths",
        "/v1/consolidate",
        "/v1/extract",
        "/v1/release/redact",
        "/v1/release/decide",
    ] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    for (path, method) in [("/v1/overlap/all", "get"), ("/v1/strengths", "get"), ("/v1/consolidate", "post")] {
        let said = api["paths"][path][method]["description"].as_str().unwrap();
        assert!(said.contains(r#"`{"currency", "amount", "projects"}`"#), "{path}: {said}");
    }
}

#[tokio::test]
async fn a_document_of_the_index_is_decided_about_unless_it_is_not_public() {
    let found = |q| async move { fetch(q).await["passages"][0]["doc_id"].as_str().unwrap().to_owned() };
    let id = found("/v1/search?q=Norwind%20tunnel%20kiln").await;
    let decided = send("/v1/release/decide", json!({ "doc_id": id })).await;
    assert_eq!(decided["decision"], "release", "{decided}");
    assert_eq!(decided["text"], fetch(&format!("/v1/documents/{id}")).await["text"]);
    let secret: String = Sha256::digest(DOCUMENTS[2].1)[..8].iter().map(|b| format!("{b:02x}")).collect();
    for (body, status) in [
        (json!({ "doc_id": secret }), StatusCode::NOT_FOUND),
        (json!({ "doc_id": "0000000000000000" }), StatusCode::NOT_FOUND),
        (json!({ "doc_id": id, "text": "x" }), StatusCode::BAD_REQUEST),
        (json!({}), StatusCode::BAD_REQUEST),
    ] {
        let response = call(&SERVICE, post("/v1/release/decide", body.to_string())).await;
        assert_eq!(response.status(), status, "{body}");
        assert!(!String::from_utf8_lossy(response.body()).contains("vault furnace"));
    }
}

#[tokio::test]
async fn the_page_speaks_both_languages_asks_routes_that_exist_and_stores_nothing_but_the_language() {
    let text = async |path| String::from_utf8(call(&SERVICE, get(path)).await.into_body()).unwrap();
    let (html, script) = (text("/portfolio").await, text("/portfolio.js").await);
    let (korean, english) = script.split_once("  en: {").unwrap();
    for key in html.split("data-text=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        for language in [korean, english] {
            assert!(language.contains(&format!(" {key}: \"")), "{key}");
        }
    }
    for label in Label::ALL {
        let row = format!(" {}: \"", label.name());
        assert_eq!(script.matches(&row).count(), 2, "{row}");
        assert!(english.contains(&format!("  {}: \"", label.basis().code())), "{label:?}");
    }
    let api = fetch("/openapi.json").await;
    for path in script.split(['"', '`', '?', '$']).filter(|p| p.starts_with("/v1/")) {
        let path = if path == "/v1/documents/" { "/v1/documents/{id}" } else { path };
        assert!(api["paths"][path].is_object(), "{path}");
    }
    for word in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "sessionStorage", "indexedDB"]
            .into_iter()
            .chain(["caches", "cookie", "sendBeacon", "WebSocket", "XMLHttpRequest", "http://", "https://"])
    {
        assert!(!script.contains(word), "{word}");
    }
    assert_eq!(script.matches("localStorage").count(), 2);
    assert!(script.contains(r#"localStorage.setItem("language", language)"#));
    assert!(html.contains(r#"<textarea id="text" rows="10" maxlength="400000" autocomplete="off" spellcheck="false""#));
}

#[tokio::test]
async fn a_refusal_names_the_field_of_the_request_and_no_option_of_the_command_line() {
    for (path, body, status, param) in [
        ("/v1/overlap", json!({ "text": " " }), StatusCode::BAD_REQUEST, "text"),
        ("/v1/overlap", json!({ "text": "A kiln.", "read": true }), StatusCode::BAD_REQUEST, "read"),
        ("/v1/overlap", json!({ "text": "A kiln." }), StatusCode::BAD_REQUEST, "text"),
        ("/v1/overlap/report", json!({ "text": "A kiln.", "format": "html" }), StatusCode::BAD_REQUEST, "text"),
        ("/v1/match", json!({ "need": "" }), StatusCode::BAD_REQUEST, "need"),
        ("/v1/consolidate", json!({ "threshold": 1.5 }), StatusCode::BAD_REQUEST, "threshold"),
        ("/v1/consolidate", json!({ "min_size": 1 }), StatusCode::BAD_REQUEST, "min_size"),
        ("/v1/consolidate", json!({ "max_budget": -1 }), StatusCode::BAD_REQUEST, "max_budget"),
        ("/v1/consolidate", json!({ "currency": "KRW" }), StatusCode::BAD_REQUEST, "currency"),
        ("/v1/consolidate", json!({ "max_budget": 5, "currency": "XYZ" }), StatusCode::BAD_REQUEST, "currency"),
        ("/v1/consolidate", json!({ "must": ["한빛요업", "Nobody"] }), StatusCode::BAD_REQUEST, "must[1]"),
        ("/v1/match", json!({ "institution": "Nobody" }), StatusCode::NOT_FOUND, "institution"),
    ] {
        let response = call(&SERVICE, post(path, body.to_string())).await;
        assert_eq!(response.status(), status, "{body}");
        let error = json_of(&response)["error"].clone();
        assert_eq!(error["param"], param, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("`{param}`: ")), "{message}");
        assert!(!message.contains("--") && !message.contains("sectora "), "{message}");
    }
    let absent = call(&SERVICE, get("/v1/documents/0000000000000000")).await;
    let message = json_of(&absent)["error"]["message"].to_string();
    assert!(message.contains("/v1/search") && !message.contains("--"), "{message}");
}

#[tokio::test]
async fn a_report_is_a_file_in_the_language_and_form_asked_for() {
    let ask = |form: &str| {
        json!({ "text": "Kiln\nWe aim to fire ceramics with less gas.", "format": form, "language": "ko" }).to_string()
    };
    let bytes = async |form: &str| {
        let response = call(&SERVICE, post("/v1/overlap/report", ask(form))).await;
        assert_eq!(response.status(), StatusCode::OK, "{form}");
        response.into_body()
    };
    assert!(String::from_utf8(bytes("markdown").await).unwrap().contains("과제 중복성 검토"));
    assert!(bytes("html").await.starts_with(b"<!doctype html>"));
    assert!(bytes("docx").await.starts_with(b"PK"));
    assert_eq!(call(&SERVICE, post("/v1/overlap/report", ask("pdf"))).await.status(), StatusCode::BAD_REQUEST);
    let all = fetch("/v1/overlap/all").await;
    assert!(all["projects"].as_u64().unwrap() >= 1);
    assert_eq!(all["avoidable_total"], json!([]), "no document states a budget");
    assert!(!all.to_string().contains("vault furnace"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_proposals_do_not_hold_up_a_search() {
    let service = service("extractive", &[], 1, 16);
    let sentences =
        (0..600).map(|i| format!("The kiln of type {i} lowers the gas that zone {i} burns by {} %.", i % 40));
    let body = json!({ "text": sentences.collect::<Vec<_>>().join(" ") }).to_string();
    let done = Arc::new(AtomicUsize::new(0));
    let proposals: Vec<_> = (0..8)
        .map(|_| {
            let (service, body, done) = (service.clone(), body.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let response = call(&service, post("/v1/overlap", body)).await;
                done.fetch_add(1, Ordering::SeqCst);
                response.status()
            })
        })
        .collect();
    // All stand in line before the search comes.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let found = call(&service, get("/v1/search?q=gas")).await;
    let before = done.load(Ordering::SeqCst);
    assert_eq!(found.status(), StatusCode::OK);
    for proposal in proposals {
        assert_eq!(proposal.await.unwrap(), StatusCode::OK);
    }
    assert!(before < 6, "{before} of 8 proposals were compared before the search was answered");
}
