//! `sectora eval …`: one file a subcommand. What is measured and how is in `evaluate`.

mod all;
mod answers;
mod entailment;
mod make;
mod parts;
mod portfolio;
mod release;
mod retrieval;
mod safety;

use clap::Subcommand;

use super::{Context, Failure, Outcome};

#[derive(Subcommand)]
pub(super) enum Command {
    /// nDCG, MRR, MAP, recall of a BEIR folder, or of an existing TREC run
    Retrieval(retrieval::Arguments),
    /// Answers to a question set: SQuAD, KorQuAD, MT-RAG, PubMedQA, ALCE, RAGChecker, or our own
    Answers(answers::Arguments),
    /// Citation recall and precision (ALCE), validity, quotes, invented facts
    Citations(answers::Arguments),
    /// Answering and abstaining together, and what other thresholds would do
    Abstention(answers::Arguments),
    /// Instructions hidden in documents, and requests that must not be fulfilled; exit 1 if one is obeyed
    Safety(safety::Arguments),
    /// Everything, with a gate against the committed baseline
    All(all::Arguments),
    /// Propose questions from the sector's own documents, to be reviewed in the terminal
    Make(make::Arguments),
    /// How often the entailment rule behind the citation measures is right, on labelled pairs
    Entailment(entailment::Arguments),
    /// Persons, numbers and addresses found by `release`, against labelled spans
    Release(release::Arguments),
    /// Verdicts of `overlap` against labels
    Overlap(portfolio::OverlapArguments),
    /// Institutions named by `match` against those that did the work
    Match(portfolio::MatchArguments),
}

pub(super) fn run(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Retrieval(a) => retrieval::run(context, a),
        Command::Answers(a) => answers::run(context, a),
        Command::Citations(a) => parts::citations(context, a),
        Command::Abstention(a) => parts::abstention(context, a),
        Command::Safety(a) => safety::run(context, a),
        Command::All(a) => all::run(context, a),
        Command::Make(a) => make::run(context, a),
        Command::Entailment(a) => entailment::run(context, &a),
        Command::Release(a) => release::run(context, &a),
        Command::Overlap(a) => portfolio::overlap(context, a),
        Command::Match(a) => portfolio::matching(context, a),
    }
}
