//! Planted regressions: what the gate must catch, done to real answers on purpose.

use serde::Serialize;

use super::peer::Response;
use super::statistics::Random;
use crate::text::sentences;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Plant {
    /// The passages come in random order
    ShuffledRanking,
    /// The answer loses its marks and citations
    DroppedCitations,
    /// A figure that no document holds is added to each answer
    FabricatedNumber,
    /// Whatever is asked, the first passage's first sentence is the answer
    AlwaysAnswer,
    /// Nothing is ever answered
    AlwaysAbstain,
}

impl Plant {
    /// The broken response.
    pub fn apply(self, mut response: Response, seed: u64) -> Response {
        match self {
            Plant::ShuffledRanking => Random::new(seed).shuffle(&mut response.passages),
            Plant::DroppedCitations => {
                response.answer = super::wording::without_marks(&response.answer);
                response.citations.clear();
            }
            Plant::FabricatedNumber if !response.abstained => response.answer.insert_str(0, "It was 987.654 GW. [1] "),
            Plant::FabricatedNumber => {}
            Plant::AlwaysAnswer if response.abstained => {
                if let Some(first) = response.passages.first() {
                    let span = sentences(&first.text).first().copied().unwrap_or_default();
                    response.answer = format!("{} [{}]", span.slice(&first.text), first.n);
                    response.abstained = false;
                }
            }
            Plant::AlwaysAnswer => {}
            Plant::AlwaysAbstain => {
                response.abstained = true;
                response.citations.clear();
            }
        }
        response
    }
}
