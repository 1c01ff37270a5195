//! helper: index
/// Progress.
pub struct Progress;
/// Report.
pub struct Report;
/// Options.
pub struct SyncOptions;
/// Runs the pipeline.
pub fn sync() {}
