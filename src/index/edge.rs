//! helper: index
/// The embedded store.
pub struct EdgeStore;
