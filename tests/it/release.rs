//! What may be released of a document, as a user asks.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::program::{code, json, sectora};

const LETTER: &str = "담당: 김하늘 선임 (010-2345-6789)\n\n분리막 두께는 12 µm였다. 바인더 배합비는 영업비밀이다.\n";

fn asked(arguments: &[&str], text: &str) -> (i32, Value) {
    let dir = tempfile::tempdir().unwrap();
    let mut child = sectora(dir.path())
        .args(["--json", "--quiet", "release"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (code(&output), json(&output))
}

#[test]
fn redact_replaces_persons_and_says_where_in_characters() {
    let (exit, found) = asked(&["redact", "-"], LETTER);
    assert_eq!(exit, 0);
    assert!(found["text"].as_str().unwrap().starts_with("담당: [PERSON 1] 선임 ([PHONE])\n"), "{found}");
    let phone = &found["spans"].as_array().unwrap().iter().find(|s| s["label"] == "PHONE").unwrap();
    let at = |key: &str| phone[key].as_u64().unwrap() as usize;
    let said: String = LETTER.chars().skip(at("start")).take(at("end") - at("start")).collect();
    assert_eq!((said.as_str(), &phone["action"], &phone["rule"]), ("010-2345-6789", &"mask".into(), &"mobile".into()));
}

#[test]
fn decide_gives_the_part_the_reason_and_the_provision_and_exits_1_for_a_marked_document() {
    let (exit, found) = asked(&["decide", "-"], LETTER);
    assert_eq!((exit, &found["decision"]), (0, &"release_in_part".into()));
    let withheld = found["parts"].as_array().unwrap().iter().find(|p| p["decision"] == "withhold").unwrap();
    assert_eq!(withheld["reasons"][0]["code"], "business_secret");
    assert!(withheld["reasons"][0]["provision"].as_str().unwrap().contains("제7호"));
    let text = found["text"].as_str().unwrap();
    assert!(text.contains("12 µm") && !text.contains("배합비") && !text.contains("김하늘"), "{text}");
    let (exit, found) = asked(&["decide", "-"], "CONFIDENTIAL\n\nThe cell kept 91 %.");
    assert_eq!((exit, &found["decision"], &found["text"]), (1, &"withhold".into(), &"".into()));
}

#[test]
fn a_file_of_the_demonstration_is_read_and_a_missing_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let release = |given: &str| sectora(dir.path()).args(["--json", "release", "redact", given]).output().unwrap();
    let found = json(&release("sectors/battery/documents/reports/sulfide-pilot-line-final.pdf"));
    assert!(found["text"].as_str().unwrap().contains("80.7 %"), "{found}");
    let missing = release("no-such.pdf");
    assert_eq!(code(&missing), 2);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no-such.pdf: no such file"), "{missing:?}");
}

#[test]
fn a_document_of_the_index_is_called_as_show_calls_it() {
    let dir = tempfile::tempdir().unwrap();
    let ingest = sectora(dir.path()).args(["--quiet", "ingest"]).output().unwrap();
    assert_eq!(code(&ingest), 0, "{ingest:?}");
    for given in ["memos/supplier-visit-note.md", "projects.jsonl#NE-22-204", "NE-22-204"] {
        let show = sectora(dir.path()).args(["--json", "show", given]).output().unwrap();
        let decided = sectora(dir.path()).args(["--json", "release", "decide", given]).output().unwrap();
        let doc_id = json(&show)["doc_id"].as_str().unwrap().to_owned();
        let by_id = sectora(dir.path()).args(["--json", "release", "decide", &doc_id]).output().unwrap();
        assert!(json(&decided)["decision"].is_string(), "{given}: {decided:?}");
        assert_eq!(json(&decided), json(&by_id), "{given}");
    }
}

#[test]
fn a_policy_of_the_sector_is_heeded_and_a_mistyped_label_named() {
    let dir = tempfile::tempdir().unwrap();
    let sector = |table: &str| {
        let text = format!("name='x'\ntitle={{ko='',en=''}}\n{table}\n");
        fs_err::write(dir.path().join("sector.toml"), text).unwrap();
        sectora(dir.path()).arg("--sector").arg(dir.path()).args(["--json", "release", "policy"]).output().unwrap()
    };
    let rows = json(&sector("[release.actions]\nEMAIL = 'keep'"));
    let email = rows.as_array().unwrap().iter().find(|r| r["label"] == "EMAIL").unwrap();
    assert_eq!(email["action"], "keep");
    let wrong = sector("[release.actions]\nEMIAL = 'keep'");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(code(&wrong) == 2 && said.contains("`EMIAL` is no label") && said.contains("sector.toml"), "{said}");
}
