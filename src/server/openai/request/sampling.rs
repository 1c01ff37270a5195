//! How tokens are drawn: what clients may ask for, and its bounds.

use std::collections::BTreeMap;

use super::super::super::errors::ApiError;
use super::super::super::wire::Names;
use crate::app::App;
use crate::config::Config;
use crate::generate::Sampling;

/// More new tokens than this are not written, whatever is asked: answers are a few sentences.
const MAX_NEW_TOKENS: i64 = 4096;
/// Stop strings at most, as at OpenAI.
const MAX_STOP: usize = 4;
/// Tokens with a bias at most.
const MAX_BIAS: usize = 1024;
/// Alternatives beside a token at most, as at OpenAI.
const MAX_TOP_LOGPROBS: usize = 20;

/// The fields of both doors that say how tokens are drawn.
pub(super) struct Wishes {
    pub(super) temperature: Option<f64>,
    pub(super) top_k: Option<i64>,
    pub(super) top_p: Option<f64>,
    pub(super) min_p: Option<f64>,
    pub(super) repetition_penalty: Option<f64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) logit_bias: Option<BTreeMap<String, f64>>,
    pub(super) seed: Option<i64>,
    pub(super) max_tokens: Option<usize>,
    pub(super) stop: Option<Names>,
}

impl Wishes {
    pub(super) fn lower(self, config: &Config) -> Result<Sampling, ApiError> {
        let settings = &config.answer;
        let mut temperature = in_range("temperature", self.temperature, 0.0..=2.0)?.unwrap_or(settings.temperature);
        let mut top_p = in_range("top_p", self.top_p, 0.0..=1.0)?.unwrap_or(settings.top_p);
        if top_p == 0.0 {
            // An empty nucleus holds the likeliest token alone.
            (temperature, top_p) = (0.0, 1.0);
        }
        let top_k = match self.top_k.unwrap_or(0) {
            // What other engines take for "all".
            -1 | 0 => 0,
            k => usize::try_from(k).map_err(|_| ApiError::field("top_k", format!("{k} is less than 0")))?,
        };
        let repetition_penalty = self.repetition_penalty.unwrap_or(1.0);
        if !(0.01..=2.0).contains(&repetition_penalty) {
            let message = format!("{repetition_penalty} is not between 0.01 and 2");
            return Err(ApiError::field("repetition_penalty", message));
        }
        let Names(stop) = self.stop.unwrap_or_default();
        if stop.len() > MAX_STOP {
            return Err(ApiError::field("stop", format!("{} strings; at most {MAX_STOP}", stop.len())));
        }
        if stop.iter().any(String::is_empty) {
            return Err(ApiError::field("stop", "holds an empty string"));
        }
        Ok(Sampling {
            temperature,
            top_k,
            top_p,
            min_p: in_range("min_p", self.min_p, 0.0..=1.0)?.unwrap_or(0.0),
            repetition_penalty,
            presence_penalty: in_range("presence_penalty", self.presence_penalty, -2.0..=2.0)?.unwrap_or(0.0),
            frequency_penalty: in_range("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?.unwrap_or(0.0),
            logit_bias: logit_bias(self.logit_bias.unwrap_or_default())?,
            seed: self.seed.map_or(settings.seed, i64::cast_unsigned),
            max_tokens: self.max_tokens.unwrap_or(settings.max_tokens),
            stop,
            logprobs: None,
        })
    }
}

pub(super) fn new_tokens(field: &'static str, asked: Option<i64>) -> Result<Option<usize>, ApiError> {
    match asked {
        None => Ok(None),
        Some(n) if n >= 1 => Ok(Some(n.min(MAX_NEW_TOKENS) as usize)),
        Some(n) => Err(ApiError::field(field, format!("{n} is less than 1"))),
    }
}

fn logit_bias(asked: BTreeMap<String, f64>) -> Result<Vec<(u32, f32)>, ApiError> {
    if asked.len() > MAX_BIAS {
        return Err(ApiError::field("logit_bias", format!("{} tokens; at most {MAX_BIAS}", asked.len())));
    }
    let lower = |(token, bias): (String, f64)| {
        let Ok(id) = token.parse::<u32>() else {
            return Err(ApiError::field("logit_bias", format!("{token:?} is not the number of a token")));
        };
        match (-100.0..=100.0).contains(&bias) {
            true => Ok((id, bias as f32)),
            false => Err(ApiError::field(format!("logit_bias.{token}"), format!("{bias} is not between -100 and 100"))),
        }
    };
    asked.into_iter().map(lower).collect()
}

/// How many of the likeliest tokens are asked for, if log probabilities are.
pub(super) fn logprobs(asked: Option<bool>, top: Option<i64>, app: &App) -> Result<Option<usize>, ApiError> {
    match (asked, top) {
        (Some(true), top) => {
            if !app.has_logprobs() {
                let message = format!("{} writes no tokens whose probability it could tell", app.generator_name());
                return Err(ApiError::unsupported("logprobs", message));
            }
            let top = top.unwrap_or(0);
            let count = usize::try_from(top).ok().filter(|&n| n <= MAX_TOP_LOGPROBS);
            let wrong = || ApiError::field("top_logprobs", format!("{top} is not between 0 and {MAX_TOP_LOGPROBS}"));
            count.map(Some).ok_or_else(wrong)
        }
        (Some(false) | None, None) => Ok(None),
        (Some(false) | None, Some(_)) => {
            Err(ApiError::field("top_logprobs", "is allowed only together with `logprobs: true`"))
        }
    }
}

fn in_range(
    field: &'static str,
    value: Option<f64>,
    range: std::ops::RangeInclusive<f64>,
) -> Result<Option<f64>, ApiError> {
    match value {
        Some(x) if !range.contains(&x) => {
            Err(ApiError::field(field, format!("{x} is not between {} and {}", range.start(), range.end())))
        }
        value => Ok(value),
    }
}
