//! How tokens are to be drawn and when a text ends; what of it is refused.
//!
//! A model's logits pass, in this order: the set of tokens a grammar allows, `logit_bias`, the penalties,
//! `temperature`, `top_k`, `top_p`, `min_p`; then one token is drawn. Each step sees what the one before left.

use crate::LmError;

/// Most alternatives that are reported beside a token.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// How tokens are drawn and when a text ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 is greedy.
    pub temperature: f64,
    /// Only so many of the likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Nucleus: the smallest set of tokens with this probability (Holtzman et al. 2020).
    pub top_p: f64,
    /// Only tokens at least so likely as this share of the likeliest (Nguyen et al. 2024).
    pub min_p: f64,
    /// Logits of tokens in prompt or answer are divided by it where positive, multiplied where negative
    /// (Keskar et al. 2019); 1 is none.
    pub repetition_penalty: f64,
    /// Taken from the logit of every token that the answer has used, as at OpenAI.
    pub presence_penalty: f64,
    /// Taken from the logit once for each time that the answer has used the token, as at OpenAI.
    pub frequency_penalty: f64,
    /// Added to the logits of these tokens; -100 forbids in practice, 100 enforces.
    pub logit_bias: Vec<(u32, f32)>,
    /// Same seed, same prompt, same text, alone or beside others.
    pub seed: u64,
    /// Most new tokens.
    pub max_tokens: usize,
    /// Strings that end the text and are no part of it.
    pub stop: Vec<String>,
    /// Report the log probability of each token and of so many likeliest ones.
    pub logprobs: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
            max_tokens: 512,
            stop: Vec::new(),
            logprobs: None,
        }
    }
}

impl Sampling {
    /// Refuses what cannot be meant, by the name of the field.
    pub fn check(&self, vocabulary: usize) -> Result<(), LmError> {
        let rule = |field: &'static str, holds: bool, value: String, what: &str| match holds {
            true => Ok(()),
            false => Err(LmError::Sampling { field, what: format!("{value} is not {what}") }),
        };
        let number = |field, value: f64, range: std::ops::RangeInclusive<f64>| {
            let what = format!("between {} and {}", range.start(), range.end());
            rule(field, range.contains(&value), value.to_string(), &what)
        };
        number("temperature", self.temperature, 0.0..=100.0)?;
        number("top_p", self.top_p, 0.0..=1.0)?;
        number("min_p", self.min_p, 0.0..=1.0)?;
        number("repetition_penalty", self.repetition_penalty, 0.01..=100.0)?;
        number("presence_penalty", self.presence_penalty, -2.0..=2.0)?;
        number("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?;
        for &(token, bias) in &self.logit_bias {
            number("logit_bias", f64::from(bias), -100.0..=100.0)?;
            let what = format!("a token of this model, which has {vocabulary}");
            rule("logit_bias", (token as usize) < vocabulary, token.to_string(), &what)?;
        }
        let top = self.logprobs.unwrap_or(0);
        rule("top_logprobs", top <= MAX_TOP_LOGPROBS, top.to_string(), &format!("at most {MAX_TOP_LOGPROBS}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_meant_is_refused_by_the_name_of_its_field() {
        let good = Sampling { logit_bias: vec![(9, -100.0)], logprobs: Some(20), ..Sampling::default() };
        assert!(good.check(10).is_ok());
        let cases = [
            ("temperature", Sampling { temperature: f64::NAN, ..good.clone() }),
            ("temperature", Sampling { temperature: -0.1, ..good.clone() }),
            ("top_p", Sampling { top_p: 1.1, ..good.clone() }),
            ("min_p", Sampling { min_p: -1.0, ..good.clone() }),
            ("repetition_penalty", Sampling { repetition_penalty: 0.0, ..good.clone() }),
            ("presence_penalty", Sampling { presence_penalty: 2.5, ..good.clone() }),
            ("frequency_penalty", Sampling { frequency_penalty: f64::INFINITY, ..good.clone() }),
            ("logit_bias", Sampling { logit_bias: vec![(10, 1.0)], ..good.clone() }),
            ("logit_bias", Sampling { logit_bias: vec![(1, 101.0)], ..good.clone() }),
            ("top_logprobs", Sampling { logprobs: Some(21), ..good.clone() }),
        ];
        for (name, sampling) in cases {
            match sampling.check(10) {
                Err(LmError::Sampling { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
