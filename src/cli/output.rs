//! Where text goes: results on stdout, notes and progress on stderr, and nothing but JSON on stdout with `--json`.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

#[derive(Clone)]
pub(super) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Output {
        Output { json, quiet }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// True when a person watches: progress bars make sense.
    pub(super) fn is_interactive(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }

    /// The result of a command: as JSON with `--json`, else as `text` writes it.
    pub(super) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            let mut json = serde_json::to_string_pretty(value).expect("our own plain data serialises");
            json.push('\n');
            write(&json);
        } else {
            let mut text = text(value);
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            write(&text);
        }
    }

    /// Text as it is made; nothing with `--json`.
    pub(super) fn piece(&self, text: &str) {
        if !self.json {
            write(text);
        }
    }

    /// A remark for a person, on stderr.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "note: {text}");
        }
    }

    /// One line on stderr as it is (progress in JSON lines).
    pub(super) fn line(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Why the command failed: on stderr, and as one JSON document on stdout with `--json`.
    pub(super) fn failure(&self, message: &str) {
        if self.json {
            write(&format!("{}\n", serde_json::json!({ "error": { "message": message } })));
        }
        let _ = writeln!(std::io::stderr(), "sectora: {message}");
    }
}

/// Writes to stdout; a reader who left (`| head`) ends the program quietly, as is usual in a pipe.
fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "sectora: cannot write to stdout: {e}");
            std::process::exit(3);
        }
    }
}
