//! helper: index
/// The catalogue.
pub struct Catalog;
/// A source row.
pub struct SourceRow;
/// Counts.
pub struct Stats;
