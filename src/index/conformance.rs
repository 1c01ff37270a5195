//! helper: index
