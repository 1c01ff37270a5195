//! JSON lines: a value a line, empty lines passed over.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::EvaluateError;

/// The values of the `text` of a file; an error names the file and the line.
pub(super) fn json_lines<T: DeserializeOwned>(
    path: &Path,
    text: &str,
) -> impl Iterator<Item = Result<T, EvaluateError>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(move |(i, line)| {
        serde_json::from_str(line).map_err(|e| {
            let (path, what) = (path.display().to_string(), format!("line {}: {e}", i + 1));
            EvaluateError::Dataset { path, what }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_json_is_named_and_an_empty_one_is_none() {
        let read = |text: &str| json_lines::<u32>(Path::new("a.jsonl"), text).collect::<Result<Vec<u32>, _>>();
        assert_eq!(read("1\n\n 2 \n").unwrap(), [1, 2]);
        let error = read("1\n\nx\n").unwrap_err().to_string();
        assert!(error.starts_with("a.jsonl: line 3: "), "{error}");
    }
}
