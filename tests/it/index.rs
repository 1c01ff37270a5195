//! What is done to an index as a whole: backup, restoration, migration, another encoder; killed anywhere, nothing is lost.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::interrupted::{documents, fingerprint, kills, moments};
use super::program::{code, json as document, sectora, sectora_with};

/// A data folder whose index holds `n` notes.
fn indexed(n: usize, encoder: &str) -> (tempfile::TempDir, tempfile::TempDir) {
    let (data, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    documents(notes.path(), n);
    let output =
        sectora_with(data.path(), encoder).arg("ingest").arg(notes.path()).args(["--json", "-q"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    (data, notes)
}

/// `sectora index …` with its exit code and what it printed for people.
fn index(data: &Path, encoder: &str, arguments: &[&str]) -> (i32, String) {
    let output = sectora_with(data, encoder).arg("index").args(arguments).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (code(&output), words)
}

fn healthy(data: &Path, encoder: &str) {
    let doctor = sectora_with(data, encoder).args(["--json", "doctor"]).output().unwrap();
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
}

#[test]
fn a_backup_restored_elsewhere_answers_the_same() {
    let (data, _notes) = indexed(40, "embedded");
    let expected = fingerprint(data.path(), "embedded");
    let files = tempfile::tempdir().unwrap();
    for (name, more) in [("whole.zip", &[][..]), ("texts.zip", &["--without-vectors"][..])] {
        let file = files.path().join(name);
        let file = file.to_str().unwrap();
        let (exit, words) = index(data.path(), "embedded", &[&["backup", file], more].concat());
        assert_eq!(exit, 0, "{words}");
        let (exit, words) = index(data.path(), "embedded", &[&["backup", file], more].concat());
        assert!(exit == 2 && words.contains("--replace"), "an existing file is kept: {words}");
        assert_eq!(index(data.path(), "embedded", &[&["backup", file, "--replace"], more].concat()).0, 0);

        let elsewhere = tempfile::tempdir().unwrap();
        let (exit, words) = index(elsewhere.path(), "embedded", &["restore", file]);
        assert_eq!(exit, 0, "{words}");
        assert_eq!(fingerprint(elsewhere.path(), "embedded"), expected, "{name}");
        healthy(elsewhere.path(), "embedded");
        let (exit, words) = index(elsewhere.path(), "embedded", &["restore", file]);
        assert!(exit == 2 && words.contains("--replace"), "an index is not written over: {words}");
        assert_eq!(index(elsewhere.path(), "embedded", &["restore", file, "--replace"]).0, 0);
        assert_eq!(fingerprint(elsewhere.path(), "embedded"), expected, "{name} over itself");
        let left: Vec<String> = std::fs::read_dir(elsewhere.path().join("sectors/battery"))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("vectors") || name.starts_with("restoring"))
            .collect();
        assert_eq!(left.len(), 1, "the replaced vectors have gone: {left:?}");
    }
    let whole = std::fs::metadata(files.path().join("whole.zip")).unwrap().len();
    assert!(std::fs::metadata(files.path().join("texts.zip")).unwrap().len() < whole);
}

#[test]
fn a_damaged_or_foreign_archive_is_refused_and_the_index_stays() {
    let (data, _notes) = indexed(40, "none");
    let expected = fingerprint(data.path(), "none");
    let files = tempfile::tempdir().unwrap();
    let good = files.path().join("good.zip");
    assert_eq!(index(data.path(), "none", &["backup", good.to_str().unwrap()]).0, 0);
    let bytes = std::fs::read(&good).unwrap();

    let mut cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text.zip", b"not an archive".to_vec(), "no index archive"),
        ("empty.zip", Vec::new(), "no index archive"),
        ("cut.zip", bytes[..bytes.len() / 2].to_vec(), "cut off"),
    ];
    // A changed bit in what any file holds is found. (One in a run of zeros may be unpacked to the same zeros: not that.)
    let held = |archive: &[u8], name: &str| -> Option<Vec<u8>> {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).ok()?;
        let mut text = Vec::new();
        zip.by_name(name).ok()?.read_to_end(&mut text).ok()?;
        Some(text)
    };
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let names = zip.file_names().map(|n| n.unwrap().into_owned());
    let stores: Vec<String> = names.filter(|n| n.ends_with("payload_storage/page_0.dat")).collect();
    for name in ["catalog.sqlite3", &stores[0]] {
        let file = zip.by_name(name).unwrap();
        let from = file.data_start().unwrap();
        let places = from + file.compressed_size() / 3..from + file.compressed_size();
        let whole = held(&bytes, name);
        let mut changes = places.map(|at| {
            let mut changed = bytes.clone();
            changed[usize::try_from(at).unwrap()] ^= 0x10;
            changed
        });
        let changed = changes.find(|changed| held(changed, name) != whole).unwrap();
        cases.push(("changed.zip", changed, "damaged"));
    }
    for (name, bytes, expected_words) in cases {
        let file = files.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let (exit, words) = index(data.path(), "none", &["restore", file.to_str().unwrap(), "--replace"]);
        assert_eq!(exit, 2, "{name}: {words}");
        assert!(words.contains(name) && words.contains(expected_words), "{name}: {words}");
        assert_eq!(fingerprint(data.path(), "none"), expected, "{name}");
    }
    let other = sectora(data.path())
        .args(["--sector", "desalination", "index", "restore", good.to_str().unwrap()])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&other.stderr);
    assert!(code(&other) == 2 && words.contains("sector `battery`"), "{words}");
    let (exit, words) = index(tempfile::tempdir().unwrap().path(), "none", &["backup", "nothing.zip"]);
    assert!(exit == 2 && words.contains("sectora ingest"), "{words}");
}

#[test]
fn killed_while_an_archive_is_restored_there_is_the_old_index_or_the_new() {
    let (old, _old_notes) = indexed(40, "none");
    let (new, _new_notes) = indexed(70, "none");
    let archive = new.path().join("new.zip");
    let archive = archive.to_str().unwrap();
    assert_eq!(index(new.path(), "none", &["backup", archive]).0, 0);
    let back = old.path().join("old.zip");
    let back = back.to_str().unwrap();
    assert_eq!(index(old.path(), "none", &["backup", back]).0, 0);
    let (before, after) = (fingerprint(old.path(), "none"), fingerprint(new.path(), "none"));
    assert_ne!(before, after);
    let begin = Instant::now();
    assert_eq!(index(old.path(), "none", &["restore", archive, "--replace"]).0, 0);
    let mut moments = moments(begin.elapsed());
    for kill in 0..kills() {
        assert_eq!(index(old.path(), "none", &["restore", back, "--replace"]).0, 0);
        let mut child = sectora(old.path())
            .args(["index", "restore", archive, "--replace", "-q"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moments.next().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fingerprint(old.path(), "none");
        assert!(found == before || found == after, "kill {kill}: neither the old nor the new");
        healthy(old.path(), "none");
    }
}

#[test]
fn killed_while_the_encoder_changes_the_old_one_answers_until_the_new_one_does() {
    let (data, _notes) = indexed(60, "none");
    let before = fingerprint(data.path(), "none");
    let whole = {
        let (data, _notes) = indexed(60, "none");
        let begin = Instant::now();
        let (exit, words) = index(data.path(), "embedded", &["reembed"]);
        assert_eq!(exit, 0, "{words}");
        (fingerprint(data.path(), "embedded"), begin.elapsed())
    };
    let mut moments = moments(whole.1);
    for kill in 0..kills() {
        let mut child = sectora_with(data.path(), "embedded")
            .args(["index", "reembed", "-q"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moments.next().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let old = sectora(data.path()).args(["--json", "search", "cell"]).output().unwrap();
        if code(&old) == 0 {
            assert_eq!(fingerprint(data.path(), "none"), before, "kill {kill}: the old store");
        } else {
            assert_eq!(fingerprint(data.path(), "embedded"), whole.0, "kill {kill}: the new store");
        }
    }
    let (exit, words) = index(data.path(), "embedded", &["reembed"]);
    assert_eq!(exit, 0, "{words}");
    assert_eq!(fingerprint(data.path(), "embedded"), whole.0);
    healthy(data.path(), "embedded");
    let (exit, words) = index(data.path(), "embedded", &["reembed"]);
    assert!(exit == 0 && words.contains("nothing to do"), "{words}");
    let old = sectora(data.path()).args(["search", "cell"]).output().unwrap();
    assert!(String::from_utf8_lossy(&old.stderr).contains("index reembed"), "the old settings are told what to do");
}

/// A running server; killed when dropped.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(data: &Path) -> Serving {
        let child = sectora(data)
            .args(["serve", "--port", "0", "--json", "-q"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut serving = Serving { child, url: String::new() };
        let mut text = String::new();
        for line in BufReader::new(serving.child.stdout.take().unwrap()).lines() {
            text.push_str(&line.unwrap());
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                serving.url = value["listening"].as_str().unwrap().to_owned();
                return serving;
            }
        }
        panic!("the server did not say where it listens: {text}");
    }

    fn search(&self) -> Value {
        let found = ureq::post(format!("{}/v1/search", self.url)).send_json(json!({ "q": "cell 7 lost mAh" }));
        found.unwrap().body_mut().read_json().unwrap()
    }

    fn encoder(&self) -> Value {
        let sector: Value =
            ureq::get(format!("{}/v1/sector", self.url)).call().unwrap().body_mut().read_json().unwrap();
        sector["encoder"].clone()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_running_server_changes_its_encoder_and_answers_all_the_while() {
    let (data, _notes) = indexed(60, "none");
    let server = Serving::start(data.path());
    assert!(server.encoder().is_null());
    let texts = data.path().join("texts.zip");
    let (exit, words) = index(data.path(), "none", &["backup", texts.to_str().unwrap()]);
    assert!(exit == 2 && words.contains("--without-vectors"), "vectors are the server's: {words}");
    let (exit, words) = index(data.path(), "none", &["backup", texts.to_str().unwrap(), "--without-vectors"]);
    assert_eq!(exit, 0, "texts can be had beside it: {words}");

    let mut child = sectora_with(data.path(), "embedded")
        .args(["index", "reembed", "--json", "-q"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = 0;
    while child.try_wait().unwrap().is_none() {
        assert!(!server.search()["passages"].as_array().unwrap().is_empty());
        asked += 1;
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(document(&output)["state"], "taken over", "{asked} searches were answered meanwhile");
    // The catalogue names the new store; the server opens it at once.
    let begin = Instant::now();
    while server.encoder().is_null() {
        assert!(begin.elapsed().as_secs() < 120, "the server has the new encoder");
    }
    assert!(!server.search()["passages"].as_array().unwrap().is_empty());
    drop(server);
    healthy(data.path(), "embedded");
}

#[test]
fn an_index_of_an_older_layout_is_migrated_from_its_texts() {
    let (data, notes) = indexed(40, "none");
    let expected = fingerprint(data.path(), "none");
    let catalog = data.path().join("sectors/battery/catalog.sqlite3");
    // As the program of layout 1 left it: no lengths of headings.
    let connection = rusqlite::Connection::open(&catalog).unwrap();
    let changed = connection
        .execute("UPDATE meta SET value = json_set(value, '$.layout', 1) WHERE key = 'fingerprint'", [])
        .unwrap();
    assert_eq!(changed, 1);
    connection.execute("DELETE FROM meta WHERE key = 'average_heading_length'", []).unwrap();
    drop(connection);
    // The sources are not needed.
    drop(notes);
    let refused = sectora(data.path()).args(["search", "cell"]).output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(code(&refused) == 2 && words.contains("layout 1") && words.contains("index migrate"), "{words}");
    let (exit, words) = index(data.path(), "embedded", &["migrate"]);
    assert!(exit == 2 && words.contains("index reembed"), "migrating does not change the encoder: {words}");
    let (exit, words) = index(data.path(), "none", &["migrate"]);
    assert_eq!(exit, 0, "{words}");
    assert_eq!(fingerprint(data.path(), "none"), expected);
    healthy(data.path(), "none");
}
