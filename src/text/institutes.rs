//! Names of institutes in a text, by their ending or head word.

use std::sync::LazyLock;

use regex::Regex;

static INSTITUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"[가-힣A-Za-z0-9]{2,}(?:연구원|연구소|연구센터|대학교|기술원|과학원|진흥원|평가원|재단|공사|공단|학회|협회)",
        r"|\b(?:The\s+)?(?:University|Institute|Ministry|Department|Academy)\s+(?:of|for)(?:\s+(?:and|the|of|for|[A-Z][\w-]*))*\s+[A-Z][\w-]*",
        r"|\b(?:[A-Z][\w&-]*\s+){1,5}(?:Institute|University|Laboratory|Laboratories|Centre|Center|Corporation|Company|Foundation|Agency|Consortium|Inc|Ltd|GmbH)\b",
    ))
    .expect("constant pattern")
});

/// The institutes that a text names, in order.
pub fn institutes(text: &str) -> impl Iterator<Item = &str> {
    INSTITUTE.find_iter(text).map(|m| bare(m.as_str()))
}

/// An English name without what only begins the sentence.
fn bare(name: &str) -> &str {
    const OPENERS: [&str; 12] =
        ["The ", "At ", "In ", "By ", "From ", "With ", "For ", "A ", "An ", "And ", "But ", "Both "];
    let mut name = name;
    while let Some(rest) = OPENERS.iter().find_map(|o| name.strip_prefix(o)) {
        name = rest.trim_start();
    }
    name
}
