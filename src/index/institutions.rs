//! Which institutions did the work that a reader may see? What page and messages offer as filters.
//!
//! In: a store and what the documents must satisfy. Out: names as written, with their passages. Entries that name nobody
//! (`비공개`, `N/A`) are no institutions here, as they are none where projects are compared.

use super::{Filter, IndexError, VectorStore};
use crate::text::names_nobody;

/// The institutions of the chunks that satisfy `filter`, with the number of these chunks, most first.
pub fn institutions(store: &dyn VectorStore, filter: &Filter) -> Result<Vec<(String, u64)>, IndexError> {
    let mut all = store.facet("institution", Some(filter))?;
    all.retain(|(name, _)| !names_nobody(name));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{EdgeOptions, EdgeStore, Payload, Point, conformance};

    #[test]
    fn entries_that_name_nobody_are_no_institutions() {
        let dir = tempfile::tempdir().unwrap();
        let kept = conformance::KINDS[0];
        let store = EdgeStore::open(&dir.path().join("store"), kept, EdgeOptions::default()).unwrap();
        let written = ["가온 연구원", "비공개", "not disclosed", "가온 연구원", "N/A", "한국비공개연구원"];
        let points = written.iter().zip(1u64..).map(|(name, id)| {
            let point = conformance::point(id, &[(1, 1.0)], None);
            Point { payload: Payload { institution: Some((*name).to_owned()), ..point.payload }, ..point }
        });
        store.upsert(points.collect()).unwrap();
        let filter = Filter::default().sector("test");
        let found = institutions(&store, &filter).unwrap();
        assert_eq!(found, [("가온 연구원".to_owned(), 2), ("한국비공개연구원".to_owned(), 1)]);
        assert!(institutions(&store, &Filter::default().sector("other")).unwrap().is_empty());
    }
}
