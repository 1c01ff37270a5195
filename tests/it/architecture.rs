//! The rules of the house, read from the source: data flows one way, every module says what it is for, and
//! ARCHITECTURE.md leaves nothing out.

use std::path::{Path, PathBuf};

/// Rooms in the order data flows; a room knows only rooms before it. Rooms on one line are siblings that do not meet.
const ORDER: [&[&str]; 13] = [
    &["error"],
    &["document"],
    &["text"],
    &["release"],
    &["config", "ingest"],
    &["sector"],
    &["embed", "generate", "model_store"],
    &["index", "prompt"],
    &["retrieve"],
    &["answer", "portfolio"],
    &["app"],
    &["evaluate", "server"],
    &["adapt"],
];
/// The last door knows everything.
const DOOR: &str = "cli";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn room(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Rooms that a file names in `crate::room` paths, tests left out.
fn known_rooms(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let code: Vec<&str> = code.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    let mut out: Vec<String> = Vec::new();
    for part in code.join("\n").split("crate::").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        out.push(name);
    }
    out.sort();
    out.dedup();
    out
}

fn level(room: &str) -> Option<usize> {
    ORDER.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn a_room_knows_only_rooms_before_it() {
    let mut wrong = Vec::new();
    for file in sources(&root().join("src")) {
        let from = room(&file);
        if [DOOR, "main", "lib"].contains(&from.as_str()) {
            continue;
        }
        let here = level(&from).unwrap_or_else(|| panic!("`{from}` has no place in ORDER"));
        for to in known_rooms(&std::fs::read_to_string(&file).unwrap()) {
            let upward = level(&to).is_none_or(|there| there > here || (there == here && to != from));
            if to != from && upward {
                wrong.push(format!("{}: crate::{to}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "upward or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_says_what_it_is_for_and_has_its_place_in_the_architecture() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for file in sources(&root().join("src")) {
        let name = file.strip_prefix(root().join("src")).unwrap().to_string_lossy().replace('\\', "/");
        let is_door = name.ends_with("/mod.rs") || !name.contains('/');
        if is_door {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{name} begins with //!");
            let shown = name.trim_end_matches("mod.rs");
            assert!(map.contains(&format!("src/{shown}")), "ARCHITECTURE.md leaves out src/{shown}");
        }
    }
    for entry in std::fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') && name != "target" {
            assert!(map.contains(&format!("{name}/")), "ARCHITECTURE.md leaves out {name}/");
        }
    }
}

#[test]
fn only_config_reads_the_environment() {
    for file in sources(&root().join("src")).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(&text);
        let reads = ["env::var(", "env::var_os(", "env::vars("].iter().any(|c| code.contains(c));
        assert!(!reads || room(&file) == "config", "{} reads the environment", file.display());
    }
}

#[test]
fn unsafe_code_lives_in_the_kernels_only_and_each_block_says_why() {
    for folder in ["src", "crates/lm/src"] {
        for file in sources(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let used = ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|c| text.contains(c));
            let kernels = file.starts_with(root().join("crates/lm/src/kernels"));
            assert!(!used || kernels && text.contains("SAFETY"), "{}", file.display());
        }
    }
}
