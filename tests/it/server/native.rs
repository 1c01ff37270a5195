use axum::http::{StatusCode, header};
use serde_json::json;

use super::fixture::{SERVICE, call, fetch, get, json as body_of, send, service};

#[tokio::test]
async fn search_by_link_and_by_body_find_the_same() {
    let link = fetch("/v1/search?q=natural%20gas&institution=Norwind%20Institute&year_from=2020&limit=2").await;
    let filters = json!({ "institution": "Norwind Institute", "year_from": 2020 });
    let body = send("/v1/search", json!({ "q": "natural gas", "filters": filters, "limit": 2 })).await;
    assert_eq!(link["passages"], body["passages"]);
    assert_eq!(link["passages"][0]["institution"], "Norwind Institute");
    assert_eq!(link["passages"][0]["year"], 2021);
}

#[tokio::test]
async fn each_filter_leaves_out_the_rest() {
    for (filter, left) in [
        ("institution=%ED%95%9C%EB%B9%9B%EC%9A%94%EC%97%85", "한빛요업"),
        ("year_from=2022", "한빛요업"),
        ("year_to=2022", "Norwind Institute"),
        ("doc_type=report", "Norwind Institute"),
        ("language=ko", "한빛요업"),
    ] {
        let found = fetch(&format!("/v1/search?q=kiln%20%EC%86%8C%EC%84%B1&{filter}")).await;
        let passages = found["passages"].as_array().unwrap();
        assert!(!passages.is_empty(), "{filter}");
        assert!(passages.iter().all(|p| p["institution"] == left), "{filter}: {passages:?}");
    }
}

#[tokio::test]
async fn a_search_whose_filter_nothing_passes_says_so_and_what_there_is() {
    let found = fetch("/v1/search?q=kiln&doc_type=memo&institution=Nobody").await;
    assert_eq!(found["passages"], json!([]));
    let note = found["note"].as_str().unwrap();
    assert!(
        note.starts_with("No document of this sector passes the filter (type: memo; institution: Nobody)."),
        "{note}"
    );
    assert!(note.contains("these types:") && note.contains("report") && note.contains("record"), "{note}");
    assert!(note.contains("Norwind Institute") && note.contains("한빛요업"), "{note}");
    for without in ["q=kiln", "q=qqqqzzzz&doc_type=report"] {
        let found = fetch(&format!("/v1/search?{without}")).await;
        assert!(found["note"].is_null(), "{without}: {found}");
    }
}

#[tokio::test]
async fn passages_without_a_word_of_the_query_are_said_to_be_near_by_meaning_alone() {
    let service = service("extractive", &[("encoder", "embedded".to_owned())], 1, 1);
    let note = async |query: &str| {
        let found = body_of(&call(&service, get(&format!("/v1/search?mode=dense&q={query}"))).await);
        assert!(!found["passages"].as_array().unwrap().is_empty(), "{query}: {found}");
        found["note"].clone()
    };
    let none = "None of these texts has a word of the query; they are only the nearest by meaning.";
    assert_eq!(note("football%20stadium").await, none);
    assert_eq!(note("%EC%B6%95%EA%B5%AC%EC%9E%A5").await.as_str().unwrap().matches("낱말이 하나도").count(), 1);
    for query in ["glaze%20stadium", "%EC%86%8C%EC%84%B1%20%EC%98%A8%EB%8F%84"] {
        assert!(note(query).await.is_null(), "{query}");
    }
}

#[tokio::test]
async fn a_restricted_document_is_neither_found_nor_shown() {
    let found = fetch("/v1/search?q=xenotime-77%20alloy&limit=50").await;
    assert!(!found.to_string().contains("vault furnace"), "{found}");
    // Its id is the hash of its content, which a guesser may know.
    let digest =
        sha256("# Withheld alloy\n\nThe withheld alloy xenotime-77 melts at 912 degrees in the vault furnace.\n");
    let response = call(&SERVICE, get(&format!("/v1/documents/{}", &digest[..16]))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let absent = call(&SERVICE, get("/v1/documents/0000000000000000")).await;
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect()
}

#[tokio::test]
async fn the_sector_says_what_can_be_asked() {
    let sector = fetch("/v1/sector").await;
    assert_eq!(sector["title"]["ko"], "소성로");
    assert_eq!(sector["model"], "sectora-kiln");
    assert_eq!(sector["examples"]["en"][0], "What did the Norwind kiln save?");
    let names: Vec<_> =
        sector["institutions"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"한빛요업") && names.contains(&"Norwind Institute"), "{names:?}");
}

#[tokio::test]
async fn health_and_readiness() {
    assert_eq!(fetch("/healthz").await["status"], "ok");
    assert!(fetch("/readyz").await["passages"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let page = call(&SERVICE, get("/")).await;
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
    let html = String::from_utf8(page.into_body()).unwrap();
    assert!(
        !html.contains("http://")
            && !html.contains("https://")
            && !html.contains("<style")
            && !html.contains(" style=")
    );
    for path in ["/app.js", "/style.css", "/icon.svg"] {
        assert!(html.contains(path), "{path}");
        assert_eq!(call(&SERVICE, get(path)).await.status(), StatusCode::OK, "{path}");
    }
    let script = String::from_utf8(call(&SERVICE, get("/app.js")).await.into_body()).unwrap();
    for dangerous in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(dangerous), "{dangerous}");
    }
}

#[tokio::test]
async fn every_route_is_described() {
    let api = fetch("/openapi.json").await;
    for (path, methods) in [
        ("/v1/chat/completions", vec!["post"]),
        ("/v1/completions", vec!["post"]),
        ("/v1/models", vec!["get"]),
        ("/v1/models/{id}", vec!["get"]),
        ("/v1/embeddings", vec!["post"]),
        ("/v1/search", vec!["get", "post"]),
        ("/v1/documents/{id}", vec!["get"]),
        ("/v1/sector", vec!["get"]),
        ("/healthz", vec!["get"]),
        ("/readyz", vec!["get"]),
    ] {
        for method in methods {
            assert!(api["paths"][path][method].is_object(), "{method} {path}");
        }
    }
    // Every type that a route names is there.
    let text = api.to_string();
    for name in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(api["components"]["schemas"][name].is_object(), "{name}");
    }
    assert_eq!(call(&SERVICE, get("/docs/")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_response_has_an_id() {
    let (a, b) = (call(&SERVICE, get("/healthz")).await, call(&SERVICE, get("/nowhere")).await);
    assert!(a.headers().contains_key("x-request-id") && b.headers().contains_key("x-request-id"));
    assert_ne!(a.headers()["x-request-id"], b.headers()["x-request-id"]);
    assert_eq!(body_of(&b)["error"]["code"], "unknown_url");
}
