//! Runs the program as a user does.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The program, started in the repository with a data folder of its own, words only, no model.
pub(crate) fn sectora(data: &Path) -> Command {
    sectora_as(data, "none", "extractive")
}

/// The same with another generator.
pub(crate) fn sectora_writing(data: &Path, generator: &str) -> Command {
    sectora_as(data, "none", generator)
}

/// The same with an encoder.
pub(crate) fn sectora_with(data: &Path, encoder: &str) -> Command {
    sectora_as(data, encoder, "extractive")
}

fn sectora_as(data: &Path, encoder: &str, generator: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sectora"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--data-dir").arg(data);
    command.args(["--offline", "--encoder", encoder, "--generator", generator]);
    command
}

/// What a command printed as its one JSON document.
pub(crate) fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| {
        panic!("stdout is one JSON document ({e}): {text}\nstderr: {}", String::from_utf8_lossy(&output.stderr))
    })
}

/// Exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself")
}

#[test]
fn wrong_use_is_exit_2_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["ask", "q", "--passages", "0"][..], "1 to 50"),
        (&["ask", "q", "--since", "2020", "--until", "2010"], "--since 2020 is after --until 2010"),
        (&["ask", "q", "--temperature", "-1"], "--temperature -1: must be 0 to 2"),
        (&["adapt", "--minutes", "-1"], "--minutes -1: must be over 0"),
        (&["adapt", "--minutes", "0"], "--minutes 0: must be over 0"),
        (&["adapt", "--held-out", "-0.5"], "--held-out -0.5: must be over 0 and under 1"),
        (&["adapt", "--steps", "-1"], "--steps -1: must be a whole number, 0 or more"),
        (&["ask", "q", "--passages", "-3"], "--passages -3: must be a whole number, 0 or more"),
        (&["overlap", "x", "--limit", "two"], "--limit two: must be a whole number, 0 or more"),
        (&["serve", "--port", "70000"], "--port 70000: is out of range"),
        (&["consolidate", "--max-budget", "-1"], "--max-budget -1: must be over 0"),
        (&["ingest", "/nonexistent/folder"], "/nonexistent/folder"),
        (&["--sector", "no-such-sector", "ask", "q"], "battery"),
        (&["ingest", "--map", "colour=c"], "no field `colour`"),
        (&["show", "0123456789abcdef"], "no document `0123456789abcdef`"),
        (&["--config", "/nonexistent.toml", "config"], "/nonexistent.toml"),
    ] {
        let output = sectora(dir.path()).args(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 2, "{arguments:?}: {words}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
    }
}

/// What describes a sector is no document of it.
#[test]
fn the_folder_of_a_sector_stands_for_its_documents() {
    let dir = tempfile::tempdir().unwrap();
    let pack = dir.path().join("steel");
    fs_err::create_dir_all(pack.join("papers")).unwrap();
    fs_err::write(pack.join("sector.toml"), "name='steel'\ntitle={ko='철강',en='Steel'}\ndocuments=['papers']\n")
        .unwrap();
    fs_err::write(pack.join("README.md"), "# About this pack\n\nWritten for nobody in particular.\n").unwrap();
    fs_err::write(pack.join("papers/slag.md"), "# Slag\n\nThe slag held 4.1 % of iron.\n").unwrap();
    for (folder, files) in [(pack.clone(), 1), (dir.path().to_path_buf(), 2)] {
        let data = tempfile::tempdir().unwrap();
        let output = sectora(data.path()).args(["--json", "ingest"]).arg(&folder).output().unwrap();
        let report = json(&output);
        assert_eq!((&report["files"], &report["documents"]), (&files.into(), &files.into()), "{report}");
    }
}

#[test]
fn documents_in_the_folder_of_another_sector_are_read_with_a_note_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let pack = dir.path().join("steel");
    fs_err::create_dir_all(pack.join("papers")).unwrap();
    fs_err::write(pack.join("sector.toml"), "name='steel'\ntitle={ko='철강',en='Steel'}\ndocuments=['papers']\n")
        .unwrap();
    fs_err::write(pack.join("papers/slag.md"), "# Slag\n\nThe slag held 4.1 % of iron.\n").unwrap();
    let ingest = |sector: &Path, path: &Path| {
        let data = tempfile::tempdir().unwrap();
        let output = sectora(data.path()).arg("--sector").arg(sector).arg("ingest").arg(path).output().unwrap();
        assert_eq!(code(&output), 0);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for path in [pack.clone(), pack.join("papers/slag.md")] {
        let words = ingest(Path::new("battery"), &path);
        assert!(words.contains("sector `steel`") && words.contains("the index of `battery`"), "{words}");
        assert!(words.contains(&format!("--sector {}", fs_err::canonicalize(&pack).unwrap().display())), "{words}");
        assert_eq!(ingest(&pack, &path), "");
    }
    let desalination = ingest(Path::new("battery"), Path::new("sectors/desalination"));
    assert!(desalination.contains("sectora --sector desalination ingest sectors/desalination"), "{desalination}");
}

#[test]
fn a_folder_without_a_readable_file_is_exit_1_and_one_file_is_no_plural() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("inbox");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join(".hidden.md"), "# Hidden\n\nNot looked at.\n").unwrap();
    let ingest = || sectora(dir.path()).arg("ingest").arg(&folder).output().unwrap();
    let output = ingest();
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 1, "{words}");
    assert!(words.starts_with(&format!("no readable file in {}; readable: PDF, ", folder.display())), "{words}");
    fs_err::write(folder.join("slag.md"), "# Slag\n\nThe slag held iron.\n").unwrap();
    let output = ingest();
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 0, "{words}");
    assert!(words.starts_with("1 file: 1 added") && words.contains("\n1 document, "), "{words}");
    assert!(words.contains(" 1 chunk in the index"), "{words}");
}

#[test]
fn a_column_of_map_that_no_record_has_is_an_error_and_the_index_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("projects.csv");
    fs_err::write(&file, "award_id,heading,abstract\nA1,Slag,The slag held iron.\nA2,Kiln,The kiln held heat.\n")
        .unwrap();
    let ingest =
        |map: &str| sectora(dir.path()).args(["--json", "ingest"]).arg(&file).args(["--map", map]).output().unwrap();
    assert_eq!(json(&ingest("id=award_id,title=heading"))["documents"], 2);
    let output = ingest("id=award_idd,title=heading");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 2, "{words}");
    for said in ["projects.csv", "`award_idd`", "`abstract`, `award_id`, `heading`", "--map"] {
        assert!(words.contains(said), "{said}: {words}");
    }
    let found = sectora(dir.path()).args(["--json", "search", "slag iron"]).output().unwrap();
    assert_eq!(json(&found)["passages"][0]["title"], "Slag", "what was read before is as before");
}

#[test]
fn an_empty_index_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let output = sectora(dir.path()).args(["ask", "What is known?"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("sectora ingest"));
}

#[test]
fn a_reader_who_leaves_ends_the_program_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("{} --data-dir {} config | head -1", env!("CARGO_BIN_EXE_sectora"), dir.path().display());
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn two_at_once_are_told_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let notes = tempfile::tempdir().unwrap();
    (0..300).for_each(|i| {
        std::fs::write(notes.path().join(format!("{i}.md")), format!("# Note {i}\n\nText {i}.\n")).unwrap()
    });
    let mut first = sectora(dir.path()).arg("ingest").arg(notes.path()).args(["--json", "-q"]).spawn().unwrap();
    let lock = dir.path().join("sectors/battery/lock");
    while !std::fs::read_to_string(&lock).is_ok_and(|t| t.contains(&first.id().to_string())) {
        assert!(first.try_wait().unwrap().is_none(), "the first still runs");
        std::thread::yield_now();
    }
    let second = sectora(dir.path()).args(["search", "note"]).output().unwrap();
    let finished = first.try_wait().unwrap().is_some();
    assert!(first.wait().unwrap().success());
    if !finished {
        assert_eq!(code(&second), 2);
        assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another sectora process"));
    }
}
