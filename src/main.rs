//! The program: a worker for one file when it is started as one, else the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|a| a == sectora::ingest::WORKER) {
        return sectora::ingest::worker_main();
    }
    sectora::cli::run()
}
