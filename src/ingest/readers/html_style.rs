//! What the style sheets in a page hide: `<style>.draft { display: none }</style>`.
//!
//! In: a page, or the declarations of a `style` attribute. Out: the page without the elements with text that its sheets hide on every
//! screen. Of the rules that match an element the most specific decides, of equals the last; a rule for some screens only (`@media
//! (min-width: 768px)`, `@supports`) may show and does not hide. Knows `display` and `visibility`; does not know `!important`, nested
//! rules and linked sheets.

use std::collections::HashMap;

use dom_smoothie::Readability;

use super::web::SKIPPED;

/// A page with more rules than this stays as it is: a few of them would not say what is shown.
const RULES: usize = 1000;

/// One selector of a rule that says whether elements are shown.
struct Rule {
    selector: String,
    /// How many ids, how many classes, attributes and pseudo-classes, how many elements it names.
    specificity: [usize; 3],
    hides: bool,
}

/// The page without what its style sheets hide; `None` where they hide no text, or most of it: that waits for a script to show it.
pub(super) fn without_hidden(html: &str) -> Option<String> {
    // A page without a sheet need not be parsed for one.
    if !html.to_ascii_lowercase().contains("<style") {
        return None;
    }
    let page = Readability::from(html);
    // Those in `noscript` are for browsers without scripts.
    let sheets = page.doc.select(":not(noscript) > style");
    let sheets = sheets.iter().filter(|sheet| is_for_screens(&sheet.attr_or("media", "all")));
    let rules: Vec<Rule> = sheets.flat_map(|sheet| rules(&sheet.text())).take(RULES + 1).collect();
    if rules.len() > RULES || !rules.iter().any(|rule| rule.hides) {
        return None;
    }
    let before = text_length(&page);
    let mut decided = HashMap::new();
    for rule in &rules {
        let found = page.doc.try_select(&rule.selector);
        for node in found.iter().flat_map(|found| found.nodes()) {
            let decides = decided.entry(node.id).or_insert((rule, *node));
            if rule.specificity >= decides.0.specificity {
                decides.0 = rule;
            }
        }
    }
    for (_, node) in decided.into_values().filter(|(rule, _)| rule.hides) {
        // Pages that a script is to show hide their body first.
        let is_whole = |name: &str| matches!(name, "html" | "body") || SKIPPED.contains(&name);
        let is_whole = node.node_name().is_none_or(|name| is_whole(&name));
        let is_shown = node.attr("style").is_some_and(|style| hides(&style) == Some(false));
        if !is_whole && !is_shown {
            node.remove_from_parent();
        }
    }
    let after = text_length(&page);
    (after < before && after * 2 >= before).then(|| page.doc.html().to_string())
}

/// Letters and digits of what a page says.
fn text_length(page: &Readability) -> usize {
    let of = |selector: &str| page.doc.select(selector).text().chars().filter(|c| c.is_alphanumeric()).count();
    of("body").saturating_sub(of("body script, body style"))
}

/// Whether declarations (`color: red; display: none`) hide what they stand for; `None` where they say nothing of it.
pub(super) fn hides(declarations: &str) -> Option<bool> {
    let (mut display, mut visibility) = (None, None);
    for (name, value) in declarations.split(';').filter_map(|declaration| declaration.split_once(':')) {
        let value = value.trim().to_ascii_lowercase();
        match name.trim().to_ascii_lowercase().as_str() {
            "display" => display = Some(value.starts_with("none")),
            "visibility" => visibility = Some(value.starts_with("hidden")),
            _ => {}
        }
    }
    (display.is_some() || visibility.is_some()).then_some(display == Some(true) || visibility == Some(true))
}

/// The rules of a sheet that say whether elements are shown, in order.
fn rules(sheet: &str) -> Vec<Rule> {
    let mut found = Vec::new();
    let sheet = without_comments(sheet);
    let mut rest = sheet.as_str();
    // Bytes left of the sheet where the block ends whose rules hold for some screens only.
    let mut some_until = sheet.len();
    while let Some((before, inside)) = rest.split_once('{') {
        // Before it stand the end of a block that was open, or rules of one line such as `@import`.
        let prelude = before.rsplit(['}', ';']).next().unwrap_or_default().trim();
        let for_some = inside.len() > some_until;
        if let Some(at_rule) = prelude.strip_prefix('@') {
            let media = at_rule.strip_prefix("media");
            if media.is_some_and(is_for_no_screen) {
                rest = &inside[block_len(inside)..];
                continue;
            }
            if !for_some && !media.is_some_and(is_for_screens) {
                some_until = inside.len() - block_len(inside);
            }
            rest = inside;
            continue;
        }
        let (declarations, after) = inside.split_once('}').unwrap_or((inside, ""));
        if let Some(hides) = hides(declarations).filter(|hides| !(*hides && for_some)) {
            found.extend(prelude.split(',').map(str::trim).map(|selector| Rule {
                selector: selector.to_owned(),
                specificity: specificity(selector),
                hides,
            }));
        }
        rest = after;
    }
    found
}

fn without_comments(sheet: &str) -> String {
    let mut out = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// True for media queries that a screen of any size meets.
fn is_for_screens(queries: &str) -> bool {
    let meets = |query: &str| matches!(query.to_ascii_lowercase().as_str(), "" | "all" | "screen" | "only screen");
    queries.split(',').map(str::trim).any(meets)
}

/// True for media queries that no screen meets.
fn is_for_no_screen(queries: &str) -> bool {
    let medium = |query: &str| query.trim().to_ascii_lowercase().trim_start_matches("only ").to_owned();
    queries.split(',').map(medium).all(|medium| medium.starts_with("print") || medium.starts_with("speech"))
}

/// Bytes up to the end of the block that is open.
fn block_len(inside: &str) -> usize {
    let mut open = 1usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at + 1;
        }
    }
    inside.len()
}

/// Source: W3C, Selectors Level 4, section 17; counted by the marks that begin each part.
fn specificity(selector: &str) -> [usize; 3] {
    let count = |marks: &[char]| selector.matches(marks).count();
    let is_element = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    [count(&['#']), count(&['.', '[', ':']), selector.split([' ', '>', '+', '~']).filter(is_element).count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_class_an_id_or_an_element_hides_is_taken_out() {
        let sheet = "/* .seen { display: none } */ @import url(a.css); .draft, p#old { color: red; Display : NONE !important }\
            i { visibility: hidden }";
        let html = format!(
            "<style>{sheet}</style><p class='seen'>Seen.</p><div class='a draft'><p>Draft.</p></div><p id='old'>Old.</p>\
             <div id='old'>Other.</div><p>It <i>never</i> was.</p>"
        );
        let text = without_hidden(&html).unwrap();
        assert!(["Seen.", "Other.", "It ", " was."].iter().all(|kept| text.contains(kept)), "{text}");
        assert!(["Draft.", "Old.", "never"].iter().all(|gone| !text.contains(gone)), "{text}");
    }

    #[test]
    fn what_another_rule_or_the_element_itself_shows_stays() {
        let sheet = ".tab { display: none } .tab.open { display: block } div { display: block } .late { display: none } .late { display: flex }\
            .own { display: none } body, template { display: none }";
        let html = format!(
            "<style>{sheet}</style><div class='tab open'>Open.</div><div class='tab'>Closed.</div><p class='late'>Late.</p>\
             <p class='own' style='display: block'>Own.</p>"
        );
        let text = without_hidden(&html).unwrap();
        assert!(["Open.", "Late.", "Own."].iter().all(|kept| text.contains(kept)), "{text}");
        assert!(!text.contains("Closed."), "{text}");
    }

    #[test]
    fn sheets_for_other_media_hide_nothing_and_what_some_screen_shows_stays() {
        let page = |sheet: &str| without_hidden(&format!("{sheet}<p>It stands.</p><p class='x'>Text.</p>"));
        for sheet in [
            "<style>@media print { .y { color: red } .x { display: none } }</style>",
            "<style>@media (max-width: 600px) { .x { display: none } }</style>",
            "<style media='print'>.x { display: none }</style>",
            "<style>.x::before { display: none }</style>",
            "<noscript><style>.x { display: none }</style></noscript>",
            "<style>.x { color: red } @media print {</style>",
            "<style>.x { display: none } @media (min-width: 9px) { @supports (gap: 0) { .x { display: block } } } .y { display: none }</style>",
        ] {
            assert_eq!(page(sheet), None, "{sheet}");
        }
        for sheet in [
            "<style>@media print { .y { display: none } } .x { display: none }</style>",
            "<style>@media screen, print { .x { display: none } }</style>",
            "<style>@media (min-width: 9px) { .y { display: block } } .x { display: none }</style>",
        ] {
            assert!(page(sheet).is_some_and(|text| !text.contains("Text.")), "{sheet}");
        }
    }

    #[test]
    fn what_hides_most_of_a_page_waits_for_a_script_to_show_it() {
        let sheet = "<style>[v-cloak] { display: none } p { display: block }</style>";
        assert_eq!(without_hidden(&format!("{sheet}<p>Menu.</p><div v-cloak><p>The kiln was fired.</p></div>")), None);
        let some = without_hidden(&format!("{sheet}<p>The kiln was fired.</p><div v-cloak><p>Menu.</p></div>"));
        assert!(some.is_some_and(|text| text.contains("fired") && !text.contains("Menu.")));
    }
}
