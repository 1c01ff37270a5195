//! From the last hidden states of a text's tokens to one vector, as sentence-transformers' `Pooling` does.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// How tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// The first token.
    Cls,
    /// The largest of each dimension.
    Max,
    /// The mean.
    Mean,
    /// The sum over the square root of the length.
    MeanSqrtLenTokens,
    /// The mean, a token weighing as much as its place (the first 1).
    #[serde(rename = "weightedmean")]
    WeightedMean,
    /// The last token.
    #[serde(rename = "lasttoken")]
    LastToken,
}

/// The modes, side by side in the vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pooling {
    modes: Vec<Mode>,
    include_prompt: bool,
}

impl Pooling {
    /// These modes, prompts included.
    pub(super) fn of(modes: &[Mode]) -> Pooling {
        Pooling { modes: modes.to_vec(), include_prompt: true }
    }

    pub(super) fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// Whether it is the mean of the tokens and nothing else.
    pub(super) fn is_mean(&self) -> bool {
        self.modes == [Mode::Mean]
    }

    /// Whether the tokens of the prefix count.
    pub(super) fn includes_prompt(&self) -> bool {
        self.include_prompt
    }

    /// One vector from the rows `[tokens, width]` of a text whose first `skip` tokens do not count.
    pub(super) fn pool(&self, rows: &[f32], width: usize, skip: usize) -> Vec<f32> {
        let tokens = rows.len() / width;
        let skip = skip.min(tokens.saturating_sub(1));
        let counted = || rows.chunks_exact(width).enumerate().skip(skip);
        let sum = |weight: &dyn Fn(usize) -> f32| {
            let mut sum = vec![0.0; width];
            for (i, row) in counted() {
                let w = weight(i);
                sum.iter_mut().zip(row).for_each(|(s, x)| *s += w * x);
            }
            sum
        };
        let divided = |mut sum: Vec<f32>, by: f32| {
            sum.iter_mut().for_each(|x| *x /= by);
            sum
        };
        let n = (tokens - skip) as f32;
        let mut out = Vec::with_capacity(self.modes.len() * width);
        for mode in &self.modes {
            out.extend(match mode {
                Mode::Cls => counted().next().map(|(_, row)| row.to_vec()).unwrap_or_default(),
                Mode::LastToken => counted().last().map(|(_, row)| row.to_vec()).unwrap_or_default(),
                Mode::Mean => divided(sum(&|_| 1.0), n),
                Mode::MeanSqrtLenTokens => divided(sum(&|_| 1.0), n.sqrt()),
                Mode::WeightedMean => {
                    divided(sum(&|i| (i + 1) as f32), (skip + 1..=tokens).map(|i| i as f32).sum::<f32>())
                }
                Mode::Max => {
                    let mut max = vec![f32::NEG_INFINITY; width];
                    counted().for_each(|(_, row)| max.iter_mut().zip(row).for_each(|(m, x)| *m = m.max(*x)));
                    max
                }
            });
        }
        out
    }
}

/// `pooling_mode` (one or several names) since version 6, a switch a mode before.
impl<'de> Deserialize<'de> for Pooling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pooling, D::Error> {
        let config = Config::deserialize(deserializer)?;
        let modes = match config.pooling_mode {
            Some(OneOrMore::One(mode)) => vec![mode],
            Some(OneOrMore::More(modes)) => modes,
            None => {
                let switches = [
                    (config.pooling_mode_cls_token, Mode::Cls),
                    (config.pooling_mode_max_tokens, Mode::Max),
                    (config.pooling_mode_mean_tokens, Mode::Mean),
                    (config.pooling_mode_mean_sqrt_len_tokens, Mode::MeanSqrtLenTokens),
                    (config.pooling_mode_weightedmean_tokens, Mode::WeightedMean),
                    (config.pooling_mode_lasttoken, Mode::LastToken),
                ];
                switches.into_iter().filter_map(|(on, mode)| on.then_some(mode)).collect()
            }
        };
        if modes.is_empty() {
            return Err(D::Error::custom("no pooling mode is switched on"));
        }
        Ok(Pooling { modes, include_prompt: config.include_prompt })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Mode),
    More(Vec<Mode>),
}

#[derive(Deserialize)]
struct Config {
    pooling_mode: Option<OneOrMore>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
    #[serde(default = "yes")]
    include_prompt: bool,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(config: &str, skip: usize) -> Vec<f32> {
        let pooling: Pooling = serde_json::from_str(config).unwrap();
        pooling.pool(&[1.0, 8.0, 3.0, 2.0, 5.0, 2.0], 2, skip)
    }

    #[test]
    fn every_mode_by_hand() {
        assert_eq!(pooled(r#"{"pooling_mode": "cls"}"#, 0), [1.0, 8.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "max"}"#, 0), [5.0, 8.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "mean"}"#, 0), [3.0, 4.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "lasttoken"}"#, 0), [5.0, 2.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "weightedmean"}"#, 0), [22.0 / 6.0, 18.0 / 6.0]);
        let root = 3.0f32.sqrt();
        assert_eq!(pooled(r#"{"pooling_mode": "mean_sqrt_len_tokens"}"#, 0), [9.0 / root, 12.0 / root]);
        assert_eq!(pooled(r#"{"pooling_mode": ["mean", "cls"]}"#, 0), [3.0, 4.0, 1.0, 8.0]);
    }

    #[test]
    fn old_switches_are_read_in_their_fixed_order() {
        let config =
            r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true, "word_embedding_dimension": 2}"#;
        assert_eq!(pooled(config, 0), [1.0, 8.0, 3.0, 4.0]);
        assert_eq!(pooled(r#"{"pooling_mode_lasttoken": true}"#, 0), [5.0, 2.0]);
    }

    #[test]
    fn a_prompt_may_be_left_out() {
        assert_eq!(pooled(r#"{"pooling_mode": "mean", "include_prompt": false}"#, 1), [4.0, 2.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "weightedmean"}"#, 1), [21.0 / 5.0, 10.0 / 5.0]);
        assert_eq!(pooled(r#"{"pooling_mode": "mean"}"#, 99), [5.0, 2.0], "one token is always left");
    }

    #[test]
    fn an_unknown_or_absent_mode_is_an_error() {
        assert!(serde_json::from_str::<Pooling>(r#"{"pooling_mode": "attention"}"#).is_err());
        assert!(serde_json::from_str::<Pooling>("{}").is_err());
    }
}
