//! Every crate in the tree is under a licence we accept, and comes from the registry.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Permissive licences, and the file-wise copyleft of MPL-2.0.
const ACCEPTED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// `bzip2-1.0.6` is BSD-like; spelled out because its identifier holds a version.
const ALSO: &str = "bzip2-1.0.6";
/// Crates that must not come in: a C library of the system, a second TLS stack, GPL.
const REFUSED: [&str; 4] = ["openssl-sys", "aws-lc-sys", "html2md", "onig_sys"];

/// Whether an SPDX expression can be met: one side of each `OR`, all sides of each `AND`.
fn acceptable(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some(parts) = split(expression, " OR ") {
        return parts.iter().any(|p| acceptable(p));
    }
    if let Some(parts) = split(expression, " AND ") {
        return parts.iter().all(|p| acceptable(p));
    }
    if let Some(inner) = expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        return acceptable(inner);
    }
    // An exception only ever permits more.
    let licence = expression.split(" WITH ").next().unwrap_or(expression);
    ACCEPTED.contains(&licence) || licence == ALSO
}

/// The parts between `word` outside parentheses, if there are several.
fn split(expression: &str, word: &str) -> Option<Vec<String>> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0i32, 0);
    for (i, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[i..].starts_with(word) => {
                parts.push(expression[from..i].to_owned());
                from = i + word.len();
            }
            _ => {}
        }
    }
    parts.push(expression[from..].to_owned());
    (parts.len() > 1).then_some(parts)
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for good in
        ["MIT", "MIT/Apache-2.0", "GPL-2.0 OR MIT", "(MIT OR GPL-3.0) AND ISC", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(acceptable(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "proprietary", ""] {
        assert!(!acceptable(bad), "{bad}");
    }
}

#[test]
fn every_dependency_is_under_an_accepted_licence() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("");
        let from_registry = package["source"].as_str().is_none_or(|s| s.starts_with("registry+"));
        if !acceptable(licence) || !from_registry || REFUSED.contains(&name) {
            wrong.insert(format!("{name}: {licence}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
