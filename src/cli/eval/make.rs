use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::super::{Context, Failure, Outcome};
use crate::evaluate::make::{self, MakeOptions, Proposal, leaks};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Where accepted questions are appended (questions.jsonl)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Answerable questions at most
    #[arg(long, value_name = "N", default_value_t = 40)]
    count: usize,
    /// Answerable questions at most from one document
    #[arg(long, value_name = "N", default_value_t = 3)]
    per_document: usize,
    /// Every N-th question gets an unanswerable twin; 0: none
    #[arg(long, value_name = "N", default_value_t = 4)]
    twin_every: usize,
    /// Largest share of the answering passage's terms that a question may repeat
    #[arg(long, value_name = "SHARE", default_value_t = 0.6)]
    leak: f32,
    /// Seed of the choice
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Accept every proposal without asking (a set nobody reviewed proves little)
    #[arg(long)]
    accept_all: bool,
}

#[derive(Serialize)]
struct Made {
    file: String,
    proposed: usize,
    accepted: usize,
    edited: usize,
    dropped: usize,
}

pub(super) fn run(context: &Context, arguments: Arguments) -> Result<Outcome, Failure> {
    if !arguments.accept_all && !std::io::stdin().is_terminal() && context.output.is_json() {
        return Err(Failure::bad_input("review needs a terminal; or give --accept-all"));
    }
    let options = MakeOptions {
        count: arguments.count,
        per_document: arguments.per_document,
        twin_every: arguments.twin_every,
        leak: arguments.leak,
        seed: arguments.seed,
    };
    let app = context.open()?;
    let (known, ids) = known(&arguments.out)?;
    let mut proposals: Vec<Proposal> = make::propose(&app, &options)?
        .into_iter()
        .filter(|p| !known.contains(&(p.question.clone(), p.answerable)))
        .collect();
    number_on(&mut proposals, &ids);
    if proposals.is_empty() && known.is_empty() {
        return Err(Failure::bad_input("nothing to ask about: is the sector indexed? (`sectora ingest`)"));
    }
    let mut made = Made {
        file: arguments.out.display().to_string(),
        proposed: proposals.len(),
        accepted: 0,
        edited: 0,
        dropped: 0,
    };
    let mut file = append(&arguments.out)?;
    let mut input = std::io::stdin().lock();
    for (i, proposal) in proposals.iter().enumerate() {
        let decided = if arguments.accept_all {
            Decision::Accept(proposal.clone())
        } else {
            review(proposal, i + 1, proposals.len(), arguments.leak, &mut input)?
        };
        match decided {
            Decision::Accept(p) => {
                made.accepted += 1;
                made.edited += usize::from(p != *proposal);
                // Written at once: a review that is broken off keeps what was decided.
                let line = serde_json::to_string(&p).map_err(|e| Failure::internal(e.to_string()))?;
                writeln!(file, "{line}").map_err(|e| Failure::bad_input(e.to_string()))?;
            }
            Decision::Drop => made.dropped += 1,
            Decision::Quit => break,
        }
    }
    context.output.result(&made, |m| {
        format!(
            "{}: {} accepted ({} edited), {} dropped of {} proposed",
            m.file, m.accepted, m.edited, m.dropped, m.proposed
        )
    });
    Ok(Outcome::Yes)
}

enum Decision {
    Accept(Proposal),
    Drop,
    Quit,
}

/// Shows one proposal and reads `a`, `e`, `d` or `q`; the end of input quits.
/// What was edited may not leak more than what is proposed.
fn review(proposal: &Proposal, n: usize, of: usize, most: f32, input: &mut impl BufRead) -> Result<Decision, Failure> {
    let mut proposal = proposal.clone();
    loop {
        let mut err = std::io::stderr().lock();
        let gold = proposal.gold.first();
        let _ = writeln!(
            err,
            "\n{n} of {of}  {}  {}  leak {:.2}",
            proposal.kind,
            proposal.language.name(),
            leaks(&proposal)
        );
        let _ = writeln!(
            err,
            "  Q: {}\n  A: {}",
            proposal.question,
            if proposal.answerable { &proposal.answer } else { "(none)" }
        );
        if let Some(gold) = gold {
            let _ = writeln!(err, "  {}: “{}”", gold.document, gold.quote);
        } else {
            let _ = writeln!(err, "  asked without {}", proposal.without.join(", "));
        }
        if !proposal.must_include.is_empty() {
            let _ = writeln!(err, "  a right answer holds: {}", proposal.must_include.join("; "));
        }
        let _ = write!(err, "[a]ccept  [e]dit  [d]rop  [q]uit: ");
        let _ = err.flush();
        let Some(choice) = line(input)? else { return Ok(Decision::Quit) };
        match choice.trim() {
            "a" | "accept" if leaks(&proposal) > most => {
                let _ = writeln!(
                    err,
                    "  the question holds its answer or {:.2} of the evidence's terms (--leak {most}): edit or drop it",
                    leaks(&proposal)
                );
            }
            "a" | "accept" => return Ok(Decision::Accept(proposal)),
            "d" | "drop" => return Ok(Decision::Drop),
            "q" | "quit" => return Ok(Decision::Quit),
            "e" | "edit" => {
                let before = proposal.answer.clone();
                for (label, field) in [("Q", &mut proposal.question), ("A", &mut proposal.answer)] {
                    let _ = write!(err, "  new {label} (empty keeps it): ");
                    let _ = err.flush();
                    if let Some(text) = line(input)?.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()) {
                        *field = text;
                    }
                }
                // A sentence is told in other words too and demands none; what demanded words demands the new ones.
                if proposal.answer != before && !proposal.must_include.is_empty() {
                    proposal.must_include = vec![proposal.answer.clone()];
                }
            }
            _ => {}
        }
    }
}

fn line(input: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut text = String::new();
    let read = input.read_line(&mut text).map_err(|e| Failure::bad_input(format!("standard input: {e}")))?;
    Ok((read > 0).then_some(text))
}

/// Questions already in the file are not proposed again, and their ids not given again.
type Known = (BTreeSet<(String, bool)>, BTreeSet<String>);

fn known(file: &Path) -> Result<Known, Failure> {
    #[derive(serde::Deserialize)]
    struct Line {
        id: String,
        question: String,
        answerable: bool,
    }
    let mut all = Known::default();
    if !file.exists() {
        return Ok(all);
    }
    let text = fs_err::read_to_string(file).map_err(|e| Failure::bad_input(e.to_string()))?;
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|e| {
            Failure::bad_input(format!(
                "{} line {}: {e}; questions are only added to a file of questions, name another with --out",
                file.display(),
                i + 1
            ))
        })?;
        all.0.insert((line.question, line.answerable));
        all.1.insert(line.id);
    }
    Ok(all)
}

/// Goes on counting where the file ends; a twin keeps its question's number.
fn number_on(proposals: &mut [Proposal], ids: &BTreeSet<String>) {
    let number = |id: &str| id.strip_prefix('m').and_then(|n| n.trim_end_matches("-u").parse::<usize>().ok());
    let last = ids.iter().filter_map(|id| number(id)).max().unwrap_or(0);
    for proposal in proposals {
        if let Some(n) = number(&proposal.id) {
            let twin = if proposal.id.ends_with("-u") { "-u" } else { "" };
            proposal.id = format!("m{:03}{twin}", last + n);
        }
    }
}

/// Opens the file to write behind its last line, which an editor may have left without an end.
fn append(file: &Path) -> Result<fs_err::File, Failure> {
    let open = || -> std::io::Result<fs_err::File> {
        if let Some(parent) = file.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let mut opened = fs_err::OpenOptions::new().create(true).append(true).open(file)?;
        if fs_err::read(file)?.last().is_some_and(|byte| *byte != b'\n') {
            opened.write_all(b"\n")?;
        }
        Ok(opened)
    };
    open().map_err(|e| Failure::bad_input(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Language;

    fn decide(input: &str) -> Decision {
        decide_on(&[], input)
    }

    fn decide_on(must_include: &[&str], input: &str) -> Decision {
        let proposal = Proposal {
            id: "m001".into(),
            question: "Q?".into(),
            language: Language::En,
            answerable: true,
            kind: "fact".into(),
            answer: "A".into(),
            must_include: must_include.iter().map(|w| (*w).to_owned()).collect(),
            gold: vec![],
            without: vec![],
            access: crate::document::Access::Public,
        };
        review(&proposal, 1, 1, 0.6, &mut input.as_bytes()).ok().unwrap()
    }

    #[test]
    fn a_review_accepts_edits_drops_and_quits() {
        assert!(matches!(decide("a\n"), Decision::Accept(p) if p.question == "Q?"));
        assert!(
            matches!(decide("e\nBetter?\n\na\n"), Decision::Accept(p) if p.question == "Better?" && p.answer == "A")
        );
        assert!(matches!(decide("what\nd\n"), Decision::Drop));
        assert!(matches!(decide("q\n"), Decision::Quit));
        assert!(matches!(decide(""), Decision::Quit));
        // An edit that gives the answer away is not accepted.
        assert!(matches!(decide("e\nIs it 83 %?\n83 %\na\nd\n"), Decision::Drop));
    }

    #[test]
    fn an_edited_answer_is_what_a_right_one_must_hold() {
        let edited = "e\n\n85 %\na\n";
        assert!(matches!(decide_on(&["83"], edited), Decision::Accept(p) if p.must_include == ["85 %"]));
        assert!(matches!(decide_on(&[], edited), Decision::Accept(p) if p.must_include.is_empty()));
        assert!(matches!(decide_on(&["83"], "e\nBetter?\n\na\n"), Decision::Accept(p) if p.must_include == ["83"]));
    }

    #[test]
    fn a_question_is_added_on_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("questions.jsonl");
        let line = |id: &str| format!("{{\"id\": \"{id}\", \"question\": \"Q {id}?\", \"answerable\": true}}");
        for id in ["m001", "m002"] {
            write!(append(&file).ok().unwrap(), "{}", line(id)).unwrap();
        }
        assert_eq!(fs_err::read_to_string(&file).unwrap(), format!("{}\n{}", line("m001"), line("m002")));
        assert_eq!(known(&file).ok().unwrap().1.len(), 2);
    }

    #[test]
    fn a_second_review_goes_on_counting_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("questions.jsonl");
        fs_err::write(&file, "{\"id\": \"m007-u\", \"question\": \"Q?\", \"answerable\": false}\n").unwrap();
        let (known, ids) = known(&file).ok().unwrap();
        assert!(known.contains(&("Q?".to_owned(), false)));
        let Decision::Accept(proposal) = decide("a\n") else { panic!("accepted") };
        let mut made = [proposal];
        number_on(&mut made, &ids);
        assert_eq!(made[0].id, "m008");
        fs_err::write(&file, "notes of somebody\n").unwrap();
        assert!(super::known(&file).is_err());
    }
}
