//! `kill -9` at random moments of an ingest: run again, it ends in the same index.
//!
//! `SECTORA_KILLS` sets how many times (default 3).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::program::{json as document, sectora, sectora_with};

pub(crate) fn documents(folder: &Path, n: usize) {
    for i in 0..n {
        let body: String =
            (0..30).map(|j| format!("Sample {j} of cell {i} lost {} mAh in test {}.\n\n", i * j % 97, j * 7)).collect();
        std::fs::write(
            folder.join(format!("cell-{i:03}.md")),
            format!("# Cell {i}\n\n{body}## 결과\n\n셀 {i}의 수명은 {}회였다.\n", i * 13),
        )
        .unwrap();
    }
}

/// What the index answers to a fixed set of questions: scores in thousandths (how segments are laid out moves the last
/// bit) and chunk ids. Of equal scores at the cut any may be returned, so there only the score counts.
pub(crate) fn fingerprint(data: &Path, encoder: &str) -> Vec<Vec<(i64, u64)>> {
    let one = |question: &&str| {
        let output =
            sectora_with(data, encoder).args(["--json", "search", question, "--passages", "50"]).output().unwrap();
        let found = document(&output)["passages"].as_array().unwrap().clone();
        let rows = found.iter().map(|p| {
            let score = (p["score"].as_f64().unwrap() * 1e3).round() as i64;
            (score, p["chunk_id"].as_u64().unwrap())
        });
        let mut rows: Vec<(i64, u64)> = rows.collect();
        assert_eq!(rows.len(), 50);
        let last = rows[49].0;
        rows.iter_mut().filter(|r| r.0 == last).for_each(|r| r.1 = 0);
        rows.sort_unstable();
        rows
    };
    ["cell 7 lost mAh", "셀 31의 수명", "sample 29 of cell 77 in test 203", "lost 55 mAh"].iter().map(one).collect()
}

fn ingest(data: &Path, folder: &Path) -> Value {
    let output = sectora(data).arg("ingest").arg(folder).args(["--json", "-q"]).output().unwrap();
    document(&output)
}

/// How many times a test kills.
pub(crate) fn kills() -> u32 {
    std::env::var("SECTORA_KILLS").ok().and_then(|k| k.parse().ok()).unwrap_or(3)
}

/// Moments within `duration`, always the same shares of it.
pub(crate) fn moments(duration: Duration) -> impl Iterator<Item = Duration> {
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        Duration::from_micros(seed % duration.as_micros().max(1) as u64)
    })
}

#[test]
fn killed_at_random_and_run_again_it_ends_the_same() {
    let kills = kills();
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path(), 120);
    let whole = tempfile::tempdir().unwrap();
    let begin = std::time::Instant::now();
    let report = ingest(whole.path(), folder.path());
    let duration = begin.elapsed();
    let (chunks, expected) = (report["chunks"].clone(), fingerprint(whole.path(), "none"));
    assert!(chunks.as_u64().unwrap() > 120);

    let mut moments = moments(duration);
    for kill in 0..kills {
        let data = tempfile::tempdir().unwrap();
        let mut child = sectora(data.path())
            .arg("ingest")
            .arg(folder.path())
            .args(["--json", "-q"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Anywhere from the first moment to the usual end.
        std::thread::sleep(moments.next().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let report = ingest(data.path(), folder.path());
        assert_eq!(report["chunks"], chunks, "after kill {kill}");
        assert_eq!(fingerprint(data.path(), "none"), expected, "after kill {kill}");
        let doctor = sectora(data.path()).args(["--json", "doctor"]).output().unwrap();
        assert!(doctor.status.success(), "catalogue and store agree: {}", String::from_utf8_lossy(&doctor.stdout));
    }
}
