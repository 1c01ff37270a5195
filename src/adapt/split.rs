//! Which documents are learnt from, and which are kept to measure with.
//!
//! In: proposals of [`crate::evaluate::make`]. Out: two sets that share no document. Held-out documents are not even
//! read in training: their passages are left out of its prompts. What two documents both say, the split cannot know.

use std::collections::BTreeSet;

use crate::document::Access;
use crate::evaluate::make::Proposal;
use crate::evaluate::statistics::Random;

/// Every so many-th held-out question is also asked with its evidence taken away.
const TWIN_EVERY: usize = 2;

/// Proposals by what they are for.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    /// To learn from, twins among them.
    pub(super) learn: Vec<Proposal>,
    /// To measure with, twins among them.
    pub(super) held_out: Vec<Proposal>,
    /// Documents that are learnt from.
    pub(super) learnt_documents: usize,
    /// Documents (sources) that are not.
    pub(super) held_documents: BTreeSet<String>,
}

/// Draws `share` of the documents, at least one, to be held out. What is not public is neither learnt nor asked.
pub(super) fn split(proposals: Vec<Proposal>, share: f64, seed: u64) -> Split {
    let public = proposals.into_iter().filter(|p| p.access == Access::Public);
    let (twins, answerable): (Vec<Proposal>, Vec<Proposal>) = public.partition(|p| !p.answerable);
    let all: BTreeSet<&str> = answerable.iter().flat_map(documents).collect();
    let mut order: Vec<&str> = all.into_iter().collect();
    Random::new(seed).shuffle(&mut order);
    let count = ((order.len() as f64 * share).round() as usize).clamp(1, order.len().max(1));
    let held: BTreeSet<String> = order.iter().take(count).map(|d| (*d).to_owned()).collect();
    let is_held = |p: &Proposal| documents(p).any(|d| held.contains(d));
    let touches_only_held = |p: &Proposal| documents(p).all(|d| held.contains(d));
    let mut split = Split { learnt_documents: order.len() - count.min(order.len()), ..Split::default() };
    for proposal in &answerable {
        // Evidence on both sides would be learnt from a document that is measured with.
        match (is_held(proposal), touches_only_held(proposal)) {
            (true, true) => split.held_out.push(proposal.clone()),
            (false, _) => split.learn.push(proposal.clone()),
            (true, false) => {}
        }
    }
    let mut asked = 0;
    for twin in twins {
        if !is_held(&twin) {
            split.learn.push(twin);
        } else if touches_only_held(&twin) {
            if asked % TWIN_EVERY == 0 {
                split.held_out.push(twin);
            }
            asked += 1;
        }
    }
    split.held_documents = held;
    split
}

/// Where a proposal's evidence is, or was.
fn documents(proposal: &Proposal) -> impl Iterator<Item = &str> {
    proposal.gold.iter().map(|g| g.document.as_str()).chain(proposal.without.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Language;
    use crate::evaluate::dataset::Gold;

    fn proposals() -> Vec<Proposal> {
        let one = |i: usize, n: usize| Proposal {
            id: format!("m{i:02}{n}"),
            question: format!("q{i}.{n}?"),
            language: Language::En,
            answerable: true,
            kind: "number".into(),
            answer: "1".into(),
            must_include: vec![],
            gold: vec![Gold { document: format!("d{i:02}"), quote: "1".into() }],
            without: vec![],
            access: if i == 0 { Access::Internal } else { Access::Public },
        };
        let answerable: Vec<Proposal> = (0..21).flat_map(|i| (0..3).map(move |n| one(i, n))).collect();
        let twins = answerable.iter().map(|p| Proposal {
            id: format!("{}-u", p.id),
            answerable: false,
            without: vec![p.gold[0].document.clone()],
            gold: vec![],
            ..p.clone()
        });
        answerable.iter().cloned().chain(twins.collect::<Vec<_>>()).collect()
    }

    #[test]
    fn no_document_is_on_both_sides_and_what_is_not_public_on_neither() {
        let made = split(proposals(), 0.3, 7);
        assert_eq!((made.held_documents.len(), made.learnt_documents), (6, 14));
        let touched = |side: &[Proposal]| side.iter().flat_map(documents).map(str::to_owned).collect::<BTreeSet<_>>();
        let (learnt, held) = (touched(&made.learn), touched(&made.held_out));
        assert!(learnt.is_disjoint(&held) && held == made.held_documents && learnt.len() == 14);
        assert!(!learnt.contains("d00") && !held.contains("d00"));
        assert_eq!(made.held_out.iter().filter(|p| p.answerable).count(), 18);
        assert_eq!(made.held_out.iter().filter(|p| !p.answerable).count(), 9);
        assert_eq!(made.learn.len(), 14 * 6);
    }

    #[test]
    fn the_same_seed_splits_alike_and_another_does_not() {
        let held = |seed| split(proposals(), 0.3, seed).held_documents;
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        assert_eq!(split(Vec::new(), 0.3, 1).learn.len(), 0);
    }
}
