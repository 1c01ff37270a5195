//! Is what stands where a name would the name of anybody? `비공개`, `추후 선정`, `N/A` are entries of forms, no institutions or persons.
//!
//! In: an entry. Out: yes or no. Knows what forms say, not who exists.

/// What forms say where they name nobody, without blanks, brackets and full stops at the ends.
const NOBODY: [&str; 17] = [
    "비공개",
    "미공개",
    "미정",
    "미상",
    "없음",
    "해당없음",
    "해당사항없음",
    "n/a",
    "n.a",
    "none",
    "unknown",
    "tbd",
    "tba",
    "confidential",
    "undisclosed",
    "notdisclosed",
    "notapplicable",
];
/// What such an entry begins with.
const NOBODY_YET: [&str; 5] = ["추후", "공개하지않", "tobedetermined", "tobeannounced", "notyet"];

/// True for an entry that stands where a name would and names nobody: `비공개`, `추후 선정`, `N/A`, `○○○`.
///
/// ```
/// use sectora::text::names_nobody;
/// assert!(names_nobody("비공개 (심사용)") && !names_nobody("한국비공개연구원"));
/// ```
pub fn names_nobody(entry: &str) -> bool {
    let ends = |c: char| !c.is_alphanumeric();
    let inside = entry.trim_matches(ends);
    // What stands in brackets behind it says why.
    let bare = inside.split(['(', '[', '（']).next().unwrap_or(inside).trim_matches(ends);
    let bare = bare.split_whitespace().collect::<String>().to_lowercase();
    bare.is_empty() || NOBODY.contains(&bare.as_str()) || NOBODY_YET.iter().any(|begin| bare.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_names_nobody_is_no_name() {
        for entry in [
            "공개하지 않음",
            "비공개",
            "비공개(심사용)",
            "미정 (선정 후 통보)",
            "해당 없음",
            "추후 선정",
            "N/A",
            "n.a.",
            "None",
            "TBD",
            "to be determined",
            "not disclosed",
            "Confidential",
            "-",
            "○○○",
            "[unknown]",
        ] {
            assert!(names_nobody(entry), "{entry}");
        }
        for entry in ["김미정", "정하늘", "Nora Tbilisi", "Calder Institute", "한국비공개연구원"] {
            assert!(!names_nobody(entry), "{entry}");
        }
    }
}
