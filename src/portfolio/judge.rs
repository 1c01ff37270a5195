//! What is an earlier work to a later one, by their texts, and by who did both and when?
//!
//! In: the probabilities of the pair ([`super::verdict`]), the two projects, and which sentences of the later one the earlier
//! says. Out: a [`Kind`] with its probability. A single proposal and the whole portfolio are judged by this one rule; whoever
//! asks puts the work that began later in the proposal's place.

use super::compare::{Match, STRONG};
use super::project::Project;
use super::verdict::Kind;

/// The likeliest kind. Work of the same group that is not simply repeated is a continuation, unless both are known to have begun
/// in one year. Of the later work so many `sentences` were compared; `matches` are their best counterparts in the earlier one.
pub(super) fn judge(
    p: &[f64; 5],
    (later, sentences): (&Project, usize),
    earlier: &Project,
    matches: &[Match],
) -> (Kind, f64) {
    let best = (0..5).fold(0, |a, b| if p[b] > p[a] { b } else { a });
    let kind = Kind::FITTED[best];
    let overlapping = p[0] + p[1] + p[2];
    let followed = match (earlier.began(), later.began()) {
        (Some(earlier), Some(later)) => earlier < later,
        _ => true,
    };
    if overlapping > 0.5 && followed && same_group(later, earlier) {
        let covered = matches.iter().filter(|m| m.alike >= STRONG).count();
        let repeats_all = kind == Kind::DoneAlready && covered * 5 >= sentences * 4;
        if !repeats_all {
            return (Kind::Continuation, overlapping);
        }
    }
    (kind, p[best])
}

fn same_group(a: &Project, b: &Project) -> bool {
    let institute = matches!((&a.institute, &b.institute), (Some(x), Some(y)) if x.key == y.key);
    let (of_a, of_b) = (named(a), named(b));
    let person = of_a.iter().any(|p| of_b.iter().any(|q| p.eq_ignore_ascii_case(q)));
    // A person who moved is still the same group; one institute with two known, different people is not.
    person || (institute && (of_a.is_empty() || of_b.is_empty()))
}

/// The people whose names are known: of a mailbox alone there are dots, the same as of anybody else's.
fn named(project: &Project) -> Vec<&str> {
    project.people.iter().map(String::as_str).filter(|name| name.contains(char::is_alphabetic)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::portfolio::Institutes;

    fn project(year: Option<i32>, person: &str) -> Project {
        let read = Project::read(&Document::plain("p", String::new()), &Institutes::new(&[]));
        Project { year, people: vec![person.to_owned()], ..read }
    }

    #[test]
    fn later_work_of_the_same_group_goes_on_unless_it_repeats_all_or_began_in_the_same_year() {
        let done = [0.9, 0.0, 0.0, 0.1, 0.0];
        let strong = |n: usize| vec![Match { proposal: 0, candidate: 0, alike: STRONG }; n];
        let (first, next) = (project(Some(2015), "Mara Quill"), project(Some(2018), "mara quill"));
        assert_eq!(judge(&done, (&next, 5), &first, &strong(3)), (Kind::Continuation, 0.9));
        assert_eq!(judge(&done, (&next, 5), &first, &strong(4)), (Kind::DoneAlready, 0.9));
        for other in [project(Some(2015), "Ida Moss"), project(Some(2018), "Mara Quill")] {
            assert_eq!(judge(&done, (&next, 5), &other, &strong(3)).0, Kind::DoneAlready);
        }
        assert_eq!(judge(&done, (&project(None, "Mara Quill"), 5), &first, &strong(3)).0, Kind::Continuation);
        assert_eq!(judge(&[0.2, 0.1, 0.1, 0.6, 0.0], (&next, 5), &first, &[]), (Kind::Related, 0.6));
    }

    #[test]
    fn two_persons_of_whom_only_blotted_mailboxes_are_known_are_not_one() {
        let read = |year, mailbox: &str| {
            let mut record = Document::plain("p.jsonl#1", String::new());
            record.metadata.fields.insert("pi".into(), mailbox.into());
            Project { year: Some(year), ..Project::read(&record, &Institutes::new(&[])) }
        };
        let (first, next) = (read(2015, "mara@gaon.kr"), read(2018, "ines@miru.kr"));
        assert_eq!(first.people, next.people);
        assert_eq!(judge(&[0.9, 0.0, 0.0, 0.1, 0.0], (&next, 5), &first, &[]).0, Kind::DoneAlready);
    }
}
