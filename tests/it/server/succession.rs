//! Another encoder for an index that is in use, within one process.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use sectora::app::{App, AppError, IngestRequest, Maintenance, Rebuilt};
use sectora::config::Config;
use sectora::index::IndexError;
use sectora::retrieve::{SearchMode, SearchOptions};

use super::fixture::sector_folder;

fn config(folder: &Path, encoder: &str) -> Config {
    let flags = vec![
        ("data_dir", folder.join("data").display().to_string()),
        ("sector", folder.join("kiln").display().to_string()),
        ("generator", "extractive".to_owned()),
        ("encoder", encoder.to_owned()),
        ("offline", "true".to_owned()),
    ];
    Config::load(None, &flags).unwrap().0
}

/// Hands an app without an encoder to `while_waiting` once a store with one stands beside its own; the store's fate.
fn reembedded(while_waiting: impl FnOnce(App)) -> Result<Rebuilt, String> {
    let folder = sector_folder();
    for (name, text) in [
        ("long.md", "# Storage\n\nA redox flow battery (RFB) was built. The electrolyte was pumped through felt.\n"),
        ("short.md", "# Pump hall\n\nIn June the RFB leaked for two days.\n"),
    ] {
        std::fs::write(folder.join("kiln/docs").join(name), text).unwrap();
    }
    let never = AtomicBool::new(false);
    let request = IngestRequest {
        roots: Vec::new(),
        mapping: None,
        prune: false,
        program: env!("CARGO_BIN_EXE_sectora").into(),
        cancel: &never,
    };
    App::open(config(&folder, "none")).unwrap().ingest(&request, &mut |_| {}).unwrap();
    let app = App::open(config(&folder, "none")).unwrap();
    let (told, waiting) = mpsc::channel();
    std::thread::scope(|scope| {
        let rebuilding = scope.spawn(|| {
            let index = Maintenance::of(config(&folder, "embedded")).map_err(|e| e.to_string())?;
            index.reembed(&never, &mut |_| (), &mut || told.send(()).unwrap()).map_err(|e| e.to_string())
        });
        waiting.recv_timeout(Duration::from_secs(120)).unwrap();
        while_waiting(app);
        rebuilding.join().unwrap()
    })
}

#[test]
fn the_app_that_takes_over_knows_what_the_documents_abbreviate() {
    let options = SearchOptions { mode: SearchMode::Sparse, ..SearchOptions::default() };
    let sources = |app: &App| -> Vec<String> {
        let found = app.search("redox flow battery", &options).unwrap();
        found.passages.into_iter().map(|p| p.source).collect()
    };
    let rebuilt = reembedded(|app| {
        let new = app.successor(&AtomicBool::new(false)).unwrap().unwrap();
        assert!(new.embedder().is_some());
        assert!(sources(&app).iter().any(|s| s.ends_with("short.md")), "{:?}", sources(&app));
        assert_eq!(sources(&new), sources(&app));
        // The one that builds has to see that somebody still holds the index.
        std::thread::sleep(Duration::from_secs(2));
    });
    assert!(matches!(rebuilt, Ok(Rebuilt::TakenOver(_))), "{rebuilt:?}");
}

#[test]
fn a_server_that_stops_while_it_takes_over_leaves_the_store_to_who_built_it() {
    let rebuilt = reembedded(|app| {
        let stopped = app.successor(&AtomicBool::new(true));
        assert!(matches!(stopped, Err(AppError::Index(IndexError::Interrupted))));
        // Time for the one that waits to look.
        std::thread::sleep(Duration::from_secs(2));
    });
    assert!(matches!(rebuilt, Ok(Rebuilt::Switched(_))), "{rebuilt:?}");
}
