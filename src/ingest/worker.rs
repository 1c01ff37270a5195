use std::path::Path;

use super::{ExtractOptions, Extracted, ReadError};

/// Reads one file in a worker process.
pub fn extract(_path: &Path, _options: &ExtractOptions<'_>) -> Result<Vec<Extracted>, ReadError> {
    todo!("helper: readers")
}

/// What the program does when it is started as a worker: one request on stdin, one reply on stdout.
pub fn worker_main() -> std::process::ExitCode {
    todo!("helper: readers")
}
