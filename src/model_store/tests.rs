use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::*;

const WEIGHTS: &[u8] = b"GGUF and then what a model would be";

/// A stand-in for the hub that serves [`WEIGHTS`] under every path of revision `main` or `abc`.
fn hub() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 2048];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
                    _ => break,
                }
            }
            count.fetch_add(1, Ordering::SeqCst);
            let request = String::from_utf8(request).unwrap();
            let found = ["/resolve/main/", "/resolve/abc/"].iter().any(|r| request.contains(r));
            let range = request.lines().find_map(|l| l.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
            let head = "x-repo-commit: abc\r\netag: \"etag1\"\r\nconnection: close\r\n";
            let (from, to) = range.as_deref().and_then(|r| r.split_once('-')).unwrap_or(("0", ""));
            let from: usize = from.parse().unwrap();
            let to = to.parse().map_or(WEIGHTS.len(), |to: usize| (to + 1).min(WEIGHTS.len()));
            let body = &WEIGHTS[from..to];
            let (status, length) = if found { ("206 Partial Content", body.len()) } else { ("404 Not Found", 0) };
            let total = WEIGHTS.len();
            let last = to.saturating_sub(1);
            let ranges = format!("content-range: bytes {from}-{last}/{total}\r\ncontent-length: {length}\r\n");
            stream.write_all(format!("HTTP/1.1 {status}\r\n{head}{ranges}\r\n").as_bytes()).unwrap();
            stream.write_all(&body[..length]).unwrap();
        }
    });
    (url, requests)
}

struct Place {
    dir: tempfile::TempDir,
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Place {
    fn new() -> Place {
        let (url, requests) = hub();
        Place { dir: tempfile::tempdir().unwrap(), url, requests }
    }

    fn models(&self) -> PathBuf {
        self.dir.path().join("models")
    }

    /// A card `small` with these two extra lines, and a store that reads it.
    fn store(&self, revision: &str, sha256: &str, offline: bool) -> ModelStore {
        fs_err::create_dir_all(self.models()).unwrap();
        let card = format!(
            "name = \"small\"\ntitle = \"Small\"\nkind = \"generator\"\nrepo = \"someone/small\"\n{revision}\nlicence = \"MIT\"\nlanguages = [\"ko\"]\ncontext = 10\nmemory_mb = 1\n[[files]]\npath = \"small.gguf\"\n{sha256}\n"
        );
        fs_err::write(self.models().join("small.toml"), card).unwrap();
        ModelStore::with_hub(&self.models(), offline, Hub::at(&self.url, &self.dir.path().join("cache"))).unwrap()
    }
}

fn pinned_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let hash: String = Sha256::digest(WEIGHTS).iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256 = \"{hash}\"")
    })
}

const REVISION: &str = "revision = \"abc\"";

#[test]
fn a_pinned_model_is_pulled_checked_and_found_again_without_the_hub() {
    let place = Place::new();
    let store = place.store(REVISION, pinned_hash(), false);
    assert!(matches!(store.resolve("small", ModelKind::Generator), Err(ModelError::Absent { .. })));
    let path = store.pull("small", false, false).unwrap();
    assert_eq!(fs_err::read(&path).unwrap(), WEIGHTS);
    assert!(store.verify("small").unwrap()[0].pinned);
    let asked = place.requests.load(Ordering::SeqCst);
    let offline = place.store(REVISION, pinned_hash(), true);
    assert_eq!(offline.pull("small", false, false).unwrap(), path);
    assert_eq!(offline.present(ModelKind::Generator), Some(path));
    assert_eq!(place.requests.load(Ordering::SeqCst), asked);
}

#[test]
fn an_unpinned_model_needs_permission() {
    let place = Place::new();
    let store = place.store("", "", false);
    assert!(matches!(store.pull("small", false, false), Err(ModelError::Unpinned { .. })));
    assert_eq!(place.requests.load(Ordering::SeqCst), 0);
    let path = store.pull("small", true, false).unwrap();
    let verified = store.verify("small").unwrap();
    assert_eq!((verified[0].pinned, &verified[0].path), (false, &path));
}

#[test]
fn a_download_with_another_hash_is_refused_and_removed() {
    let place = Place::new();
    let wrong = format!("sha256 = \"{}\"", "0".repeat(64));
    let store = place.store(REVISION, &wrong, false);
    let error = store.pull("small", false, false).unwrap_err();
    assert!(matches!(error, ModelError::Hash { .. }), "{error}");
    assert_eq!(store.present(ModelKind::Generator), None);
}

#[test]
fn a_hub_out_of_reach_is_one_line_with_a_way_out() {
    let place = Place::new();
    assert!(matches!(place.store(REVISION, "", true).pull("small", true, false), Err(ModelError::Offline { .. })));
    place.store(REVISION, "", false);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hub = Hub::at(&format!("http://127.0.0.1:{port}"), &place.dir.path().join("cache"));
    let store = ModelStore::with_hub(&place.models(), false, hub).unwrap();
    let error = store.pull("small", true, false).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.contains(&port.to_string()) && error.contains("by hand"), "{error}");
    let missing = place.store("revision = \"gone\"", "", false).pull("small", true, false).unwrap_err().to_string();
    assert!(missing.contains("404") && !missing.contains('\n'), "{missing}");
}

#[test]
fn files_put_by_hand_and_paths_are_accepted() {
    let place = Place::new();
    let store = place.store(REVISION, pinned_hash(), true);
    let folder = place.models().join("small");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("small.gguf"), WEIGHTS).unwrap();
    assert_eq!(store.resolve("small", ModelKind::Generator).unwrap(), folder.join("small.gguf"));
    assert!(store.verify("small").is_ok());
    fs_err::write(folder.join("small.gguf"), "changed").unwrap();
    assert!(matches!(store.verify("small"), Err(ModelError::Hash { .. })));

    let other = place.dir.path().join("other.gguf");
    fs_err::write(&other, "x").unwrap();
    assert_eq!(store.resolve(other.to_str().unwrap(), ModelKind::Generator).unwrap(), other);
    let as_encoder = store.resolve(other.to_str().unwrap(), ModelKind::Encoder);
    assert!(matches!(as_encoder, Err(ModelError::Kind { .. })));
    assert!(matches!(store.resolve("small", ModelKind::Encoder), Err(ModelError::Kind { .. })));
    let unknown = store.resolve("nothing-like-it", ModelKind::Generator).unwrap_err().to_string();
    assert!(unknown.contains("qwen3-0.6b"), "{unknown}");
}

#[test]
fn any_gguf_in_the_models_folder_counts_as_present() {
    let place = Place::new();
    let store = place.store(REVISION, pinned_hash(), true);
    assert_eq!(store.present(ModelKind::Generator), None);
    fs_err::write(place.models().join("mine.GGUF"), "x").unwrap();
    assert_eq!(store.present(ModelKind::Generator), Some(place.models().join("mine.GGUF")));
}
