//! The decoder: token ids in, logits of the next token out.
//!
//! One of two: on a CPU our own kernels ([`crate::kernels`]), on CUDA and Metal candle's. They read the same
//! files and are held to the same numbers.

use candle_core::Device;

use crate::candle_decoder::CandleDecoder;
use crate::cpu_decoder::CpuDecoder;
use crate::gguf::Gguf;
use crate::{LmError, Options, Shape};

/// A loaded model and the positions it has seen.
pub struct Decoder {
    inner: Inner,
    window: usize,
    vocabulary: usize,
}

// One exists at a time, so its size does not matter.
#[allow(clippy::large_enum_variant, reason = "one value lives for the whole program")]
enum Inner {
    Cpu(CpuDecoder),
    Candle(CandleDecoder),
}

impl Decoder {
    /// Loads all weights on to `device`, for contexts of at most `window` tokens.
    pub fn load(gguf: &mut Gguf, window: usize, device: &Device) -> Result<Decoder, LmError> {
        Decoder::open(gguf, &Options { device: device.clone(), context: window, ..Options::default() })
    }

    /// Loads all weights.
    pub fn open(gguf: &mut Gguf, options: &Options) -> Result<Decoder, LmError> {
        let shape = Shape::read(gguf)?;
        let window = options.context.clamp(1, shape.context);
        let inner = match options.device.is_cpu() && !options.candle_kernels {
            true => Inner::Cpu(CpuDecoder::load(gguf, &shape, window, options)?),
            false => Inner::Candle(CandleDecoder::load(gguf, window, &options.device)?),
        };
        Ok(Decoder { inner, window, vocabulary: shape.vocabulary })
    }

    /// Sizes.
    pub fn shape(&self) -> &Shape {
        match &self.inner {
            Inner::Cpu(decoder) => decoder.shape(),
            Inner::Candle(decoder) => decoder.shape(),
        }
    }

    /// Most tokens of one context.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Tokens seen since [`Decoder::clear`].
    pub fn position(&self) -> usize {
        match &self.inner {
            Inner::Cpu(decoder) => decoder.position(),
            Inner::Candle(decoder) => decoder.position(),
        }
    }

    /// Forgets everything seen.
    pub fn clear(&mut self) {
        match &mut self.inner {
            Inner::Cpu(decoder) => decoder.truncate(0),
            Inner::Candle(decoder) => decoder.clear(),
        }
    }

    /// Forgets what came after the first `positions` tokens; false, and everything is forgotten, where the
    /// device cannot keep a part.
    pub fn truncate(&mut self, positions: usize) -> bool {
        match &mut self.inner {
            Inner::Cpu(decoder) => {
                decoder.truncate(positions);
                true
            }
            Inner::Candle(decoder) => {
                if positions < decoder.position() {
                    decoder.clear();
                }
                decoder.position() == positions
            }
        }
    }

    /// Reads `tokens` into the cache.
    pub fn prefill(&mut self, tokens: &[u32]) -> Result<(), LmError> {
        self.check(tokens)?;
        match &mut self.inner {
            Inner::Cpu(decoder) => {
                decoder.read(tokens, 0);
                Ok(())
            }
            Inner::Candle(decoder) => decoder.prefill(tokens),
        }
    }

    /// Reads `tokens` (at least one) and gives the logits of what follows the last.
    pub fn forward(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LmError> {
        self.check(tokens)?;
        match &mut self.inner {
            Inner::Cpu(decoder) => Ok(decoder.read(tokens, 1)),
            Inner::Candle(decoder) => decoder.forward(tokens),
        }
    }

    /// Reads `tokens` and gives the logits of what follows each, one row after the other.
    pub fn forward_all(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LmError> {
        self.check(tokens)?;
        match &mut self.inner {
            Inner::Cpu(decoder) => Ok(decoder.read(tokens, tokens.len())),
            Inner::Candle(decoder) => {
                let mut all = Vec::with_capacity(tokens.len() * self.vocabulary);
                for token in tokens {
                    all.extend(decoder.forward(&[*token])?);
                }
                Ok(all)
            }
        }
    }

    /// The parts that compute: `cpu avx512-vnni, 2 threads` or `candle`.
    pub fn describe(&self) -> String {
        match &self.inner {
            Inner::Cpu(decoder) => decoder.describe(),
            Inner::Candle(_) => "candle".into(),
        }
    }

    /// The CPU decoder, whose cache can be set aside.
    pub(crate) fn cpu(&mut self) -> Option<&mut CpuDecoder> {
        match &mut self.inner {
            Inner::Cpu(decoder) => Some(decoder),
            Inner::Candle(_) => None,
        }
    }

    fn check(&self, tokens: &[u32]) -> Result<(), LmError> {
        let (all, window) = (self.position() + tokens.len(), self.window);
        if tokens.is_empty() || all > window {
            return Err(LmError::TooLong { tokens: all, window });
        }
        match tokens.iter().find(|&&id| id as usize >= self.vocabulary) {
            None => Ok(()),
            Some(id) => {
                let vocabulary = self.vocabulary;
                Err(LmError::Tokenizer(format!("token {id} is outside the model's vocabulary of {vocabulary}")))
            }
        }
    }
}
