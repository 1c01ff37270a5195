//! Asked whether something is so, what a study found answers; that it looked into it does not, however alike the words.

use std::collections::HashMap;

use super::AIM;
use super::candidates::{Candidate, Kind, Tells};
use crate::generate::Evidence;
use crate::text::{leaves_open, states_a_result};

/// A study that says of this share of a question that it looked into it is about the question …
const ABOUT: f32 = 0.35;
/// … and what it reports gains this, …
const REPORTED: f32 = 0.15;
/// … and this much of that share: it repeats little of what was asked.
const CARRIED: f32 = 0.5;

/// Marks the sentences that say what was looked into and, in the same documents, those that say what came out, and weighs them.
/// `evidence` holds the passages of the candidates' ranks.
pub(super) fn prefer_what_was_found(candidates: &mut [Candidate<'_>], evidence: &[Evidence<'_>]) {
    let mut studies: HashMap<&str, Study> = HashMap::new();
    let study_of = |c: &Candidate<'_>| title(&evidence[c.rank].heading);
    for c in candidates.iter_mut().filter(|c| c.kind == Kind::Sentence && (c.is_aim || leaves_open(c.text))) {
        c.tells = Tells::WhatIsOpen;
        let study = studies.entry(study_of(c)).or_default();
        study.looked_into = study.looked_into.max(c.score);
    }
    for c in candidates.iter_mut().filter(|c| c.kind == Kind::Sentence && c.tells == Tells::Anything) {
        let study = studies.get_mut(study_of(c)).filter(|study| study.looked_into >= ABOUT);
        if let Some(study) = study.filter(|_| states_a_result(c.text, &evidence[c.rank].heading)) {
            c.tells = Tells::WhatWasFound;
            c.score += REPORTED + CARRIED * study.looked_into;
            study.reports = true;
        }
    }
    for c in candidates.iter_mut().filter(|c| c.tells == Tells::WhatIsOpen) {
        c.score -= if studies.get(study_of(c)).is_some_and(|study| study.reports) { 2.0 * AIM } else { AIM };
    }
}

/// What is known of a document of the evidence.
#[derive(Default)]
struct Study {
    /// The share of the question of which it says that it looked into it.
    looked_into: f32,
    /// It says what came out.
    reports: bool,
}

/// The title that a passage's heading path begins with.
fn title(heading: &str) -> &str {
    let end = [" > ", " | "].iter().filter_map(|mark| heading.find(mark)).min();
    &heading[..end.unwrap_or(heading.len())]
}
