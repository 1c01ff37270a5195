//! What `bench llm` prints.

use std::collections::BTreeMap;

use serde::Serialize;

use super::OURS;
use super::reuse::{self, Reused};
use super::workload::Workload;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) results: Vec<Measured>,
    /// Of rN tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reused: Vec<Reused>,
    /// How many times as fast as a peer: `QUANT TEST sectora/PEER`, and as one chat: `QUANT batch N/batch 1`.
    pub(super) ratios: BTreeMap<String, f64>,
    /// Most bytes in memory that were announced from the file's header, and that the process had in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<[u64; 2]>,
}

#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) engine: String,
    pub(super) model: String,
    pub(super) quant: String,
    pub(super) threads: usize,
    pub(super) test: String,
    /// The median of the rounds.
    pub(super) tokens_per_s: f64,
    /// Every round.
    pub(super) rounds: Vec<f64>,
    /// Seconds to the first token, cold and over the same passages, in tN tests: medians of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_token_s: Option<[f64; 2]>,
    /// Longest seconds between two tokens of a chat, alone and while a prompt of N tokens is read, in sN tests: medians of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pause_s: Option<[f64; 2]>,
    /// Share of the time that the grammar takes, in cN and jN tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grammar_share: Option<f64>,
    /// In dN tests: bytes that a token reads, bytes a second that as many threads read from memory (the best of
    /// all rounds), and which share of that the median round reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reading: Option<Reading>,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Reading {
    pub(super) token_bytes: u64,
    pub(super) bytes_per_s: f64,
    pub(super) share: f64,
}

/// Tokens a second that this engine writes in one chat, where that was measured.
pub(super) fn one_chat(results: &[Measured], quant: &str) -> Option<f64> {
    let alone = |m: &&Measured| m.engine == OURS && m.test == Workload::Batch(1).to_string() && m.quant == quant;
    results.iter().find(alone).map(|m| m.tokens_per_s)
}

pub(super) fn table(report: &Report) -> String {
    let mut lines = vec![format!("{:<10} {:<24} {:<24} {:>12}", "quant", "engine", "test", "tokens/s")];
    for m in &report.results {
        let first = m.first_token_s.map_or_else(String::new, |[cold, again]| {
            format!("   first token {cold:.2} s cold, {again:.3} s again ({:.1} times)", cold / again)
        });
        let first = m.reading.map_or(first, |r| {
            let (bytes, speed) = (r.token_bytes as f64 / 1e6, r.bytes_per_s / 1e9);
            format!("   {bytes:.0} MB a token, {:.0} % of {speed:.1} GB/s", 100.0 * r.share)
        });
        let first = m.pause_s.map_or(first, |[alone, busy]| {
            format!("   longest pause {:.0} ms, alone {:.0} ms", 1e3 * busy, 1e3 * alone)
        });
        let first = m.grammar_share.map_or(first, |share| format!("   grammar {:.2} % of it", 100.0 * share));
        lines.push(format!("{:<10} {:<24} {:<24} {:>12.1}{first}", m.quant, m.engine, m.test, m.tokens_per_s));
    }
    lines.extend(report.reused.iter().map(reuse::line));
    lines.extend(report.ratios.iter().map(|(what, ratio)| format!("{what}: {ratio:.2}")));
    if let Some([announced, measured]) = report.memory {
        lines.push(format!("memory: {} MB announced, {} MB at most in use", announced >> 20, measured >> 20));
    }
    lines.join("\n")
}

/// The median of each of two times; none without rounds.
pub(super) fn medians(rounds: &[[f64; 2]]) -> Option<[f64; 2]> {
    let of = |i: usize| median(&rounds.iter().map(|round| round[i]).collect::<Vec<f64>>());
    (!rounds.is_empty()).then(|| [of(0), of(1)])
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub(super) fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, middle) if n % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_rounds() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 30.0]), 3.0);
        assert_eq!(medians(&[[3.0, 0.1], [1.0, 0.3], [2.0, 0.2]]), Some([2.0, 0.2]));
        assert_eq!(medians(&[]), None);
    }

    #[test]
    fn many_chats_are_compared_with_one_of_this_engine() {
        let measured = |engine: &str, tokens_per_s| Measured {
            engine: engine.into(),
            model: String::new(),
            quant: "q4_0".into(),
            threads: 2,
            test: Workload::Batch(1).to_string(),
            tokens_per_s,
            rounds: Vec::new(),
            first_token_s: None,
            pause_s: None,
            grammar_share: None,
            reading: None,
        };
        let results = [measured("candle", 5.0), measured("sectora", 60.0)];
        assert_eq!((one_chat(&results, "q4_0"), one_chat(&results, "q8_0")), (Some(60.0), None));
        assert_eq!(one_chat(&results[..1], "q4_0"), None);
    }
}
