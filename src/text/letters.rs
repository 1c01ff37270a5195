//! Plainer writings of a text.

/// The letters and digits of `text`, lower-case: what is the same in two writings that differ in blanks, marks or case.
///
/// ```
/// assert_eq!(sectora::text::letters("Re-Cell_2 (80 %)"), "recell280");
/// ```
pub fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of `text` in one line, one blank between them.
///
/// ```
/// assert_eq!(sectora::text::spaced(" Re-Cell\n\t2 "), "Re-Cell 2");
/// ```
pub fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
