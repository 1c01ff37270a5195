//! The decoder: token ids in, logits of the next token out.
//!
//! One of two: on a CPU our own kernels ([`crate::kernels`]), on CUDA and Metal candle's. They read the same
//! files and are held to the same numbers. On a CPU several sequences pass through a step together, each with
//! its own [`Cache`]; candle's layers hold one sequence.

use std::ops::Range;

use candle_core::Device;

use crate::cache::{Cache, CpuCache};
use crate::candle_decoder::CandleDecoder;
use crate::cpu_decoder::{self, CpuDecoder};
use crate::gguf::Gguf;
use crate::{LmError, Options, Shape};

/// A loaded model, and the positions that one sequence of it has seen.
pub struct Decoder {
    inner: Inner,
    window: usize,
    vocabulary: usize,
    /// The sequence that [`Decoder::forward`] and its like continue.
    own: Cache,
}

// One exists at a time, so its size does not matter.
#[allow(clippy::large_enum_variant, reason = "one value lives for the whole program")]
enum Inner {
    Cpu(CpuDecoder),
    Candle(CandleDecoder),
}

/// What one sequence brings to a step.
pub(crate) struct Part<'a> {
    /// What it has read.
    pub(crate) cache: &'a mut Cache,
    /// What it reads now.
    pub(crate) tokens: &'a [u32],
    /// Whether it wrote these tokens; else they are a prompt's.
    pub(crate) writes: bool,
    /// Where these tokens stand, in order; what is between the runs, and before them, must be in the cache.
    pub(crate) runs: &'a [Range<usize>],
    /// Of so many tokens at the end the logits of what follows are wanted.
    pub(crate) wanted: usize,
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
        let own = match &inner {
            Inner::Cpu(decoder) => Cache::Cpu(decoder.cache(0)),
            Inner::Candle(_) => Cache::Device,
        };
        Ok(Decoder { inner, window, vocabulary: shape.vocabulary, own })
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
        self.position_of(&self.own)
    }

    /// Forgets everything seen.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Forgets what came after the first `positions` tokens; false, and everything is forgotten, where the
    /// device cannot keep a part.
    pub fn truncate(&mut self, positions: usize) -> bool {
        self.with_own(|decoder, own| decoder.cut(own, positions) == positions)
    }

    /// Reads `tokens` into the cache.
    pub fn prefill(&mut self, tokens: &[u32]) -> Result<(), LmError> {
        self.read_own(tokens, 0).map(|_| ())
    }

    /// Reads `tokens` (at least one) and gives the logits of what follows the last. One token alone counts as written:
    /// where prompts are read with instructions of their own (AMX, AVX-512 with bf16), its numbers are not the same bits.
    pub fn forward(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LmError> {
        self.read_own(tokens, 1)
    }

    /// Reads `tokens` and gives the logits of what follows each, one row after the other.
    pub fn forward_all(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LmError> {
        self.read_own(tokens, tokens.len())
    }

    fn read_own(&mut self, tokens: &[u32], wanted: usize) -> Result<Vec<f32>, LmError> {
        self.with_own(|decoder, own| {
            // The whole window, when first used.
            decoder.resize(own, decoder.window);
            let from = decoder.position_of(own);
            let run = from..from + tokens.len();
            decoder.read(&mut [Part { cache: own, tokens, writes: tokens.len() == 1, runs: &[run], wanted }])
        })
    }

    fn with_own<T>(&mut self, f: impl FnOnce(&mut Decoder, &mut Cache) -> T) -> T {
        let mut own = std::mem::replace(&mut self.own, Cache::Device);
        let result = f(self, &mut own);
        self.own = own;
        result
    }

    /// The parts that compute: `cpu avx512-vnni, 2 threads` or `candle`.
    pub fn describe(&self) -> String {
        match &self.inner {
            Inner::Cpu(decoder) => decoder.describe(),
            Inner::Candle(_) => "candle".into(),
        }
    }

    /// Bytes that writing one token after `depth` others reads on a CPU.
    pub(crate) fn token_bytes(&self, depth: usize) -> Option<usize> {
        match &self.inner {
            Inner::Cpu(decoder) => Some(decoder.token_bytes(depth)),
            Inner::Candle(_) => None,
        }
    }

    /// True where a token that was written has the same keys and values as one of a prompt, bit for bit.
    pub(crate) fn reads_as_it_writes(&self) -> bool {
        match &self.inner {
            Inner::Cpu(decoder) => decoder.reads_as_it_writes(),
            Inner::Candle(_) => true,
        }
    }

    /// True where several sequences can be held, copied and cut anywhere.
    pub(crate) fn has_many(&self) -> bool {
        matches!(self.inner, Inner::Cpu(_))
    }

    /// An empty cache with room for `positions`.
    pub(crate) fn cache(&mut self, positions: usize) -> Cache {
        match &mut self.inner {
            Inner::Cpu(decoder) => Cache::Cpu(decoder.cache(positions)),
            Inner::Candle(decoder) => {
                decoder.clear();
                Cache::Device
            }
        }
    }

    /// Gives a cache room for `positions`, which must hold what is in it.
    pub(crate) fn resize(&self, cache: &mut Cache, positions: usize) {
        if let (Inner::Cpu(decoder), Cache::Cpu(cache)) = (&self.inner, cache)
            && cache.capacity != positions
        {
            decoder.resize(cache, positions);
        }
    }

    /// Copies the first `positions` of a cache into another that has room for them.
    pub(crate) fn copy(to: &mut Cache, from: &Cache, positions: usize) {
        if let (Cache::Cpu(to), Cache::Cpu(from)) = (to, from) {
            to.copy(from, positions);
        }
    }

    /// Bytes that the keys and values of one position take on a CPU.
    pub(crate) fn position_bytes(&self) -> Option<usize> {
        match &self.inner {
            Inner::Cpu(decoder) => Some(decoder.position_bytes()),
            Inner::Candle(_) => None,
        }
    }

    /// A copy of some positions of a cache, as a cache of their own.
    pub(crate) fn take(&mut self, from: &Cache, positions: Range<usize>) -> Cache {
        match (&mut self.inner, from) {
            (Inner::Cpu(decoder), Cache::Cpu(from)) => Cache::Cpu(decoder.take(from, positions)),
            (Inner::Cpu(_) | Inner::Candle(_), _) => Cache::Device,
        }
    }

    /// Puts what [`Decoder::take`] copied to `at`, which is `by` positions on from where it was computed.
    pub(crate) fn place(&mut self, cache: &mut Cache, segment: &Cache, at: usize, by: usize) {
        if let (Inner::Cpu(decoder), Cache::Cpu(cache), Cache::Cpu(segment)) = (&mut self.inner, cache, segment) {
            decoder.place(cache, segment, at, by);
        }
    }

    /// Says that the first `positions` tokens are what a cache holds, whatever was written after them.
    pub(crate) fn hold(&mut self, cache: &mut Cache, positions: usize) {
        match cache {
            Cache::Cpu(cache) => cache.position = positions,
            Cache::Device => {
                self.cut(cache, positions);
            }
        }
    }

    /// Tokens that a cache holds.
    pub(crate) fn position_of(&self, cache: &Cache) -> usize {
        match (&self.inner, cache) {
            (_, Cache::Cpu(cache)) => cache.position,
            (Inner::Candle(decoder), Cache::Device) => decoder.position(),
            (Inner::Cpu(_), Cache::Device) => 0,
        }
    }

    /// Forgets what came after the first `positions` tokens and says how many remain: none, where the device
    /// cannot keep a part.
    pub(crate) fn cut(&mut self, cache: &mut Cache, positions: usize) -> usize {
        match (&mut self.inner, cache) {
            (_, Cache::Cpu(cache)) => cache.position = cache.position.min(positions),
            (Inner::Candle(decoder), Cache::Device) => {
                if positions < decoder.position() {
                    decoder.clear();
                }
            }
            (Inner::Cpu(_), Cache::Device) => {}
        }
        match &self.inner {
            Inner::Cpu(_) => positions,
            Inner::Candle(decoder) => decoder.position(),
        }
    }

    /// Reads the tokens of several sequences together, and gives the wanted logits one row after the other.
    pub(crate) fn read(&mut self, parts: &mut [Part<'_>]) -> Result<Vec<f32>, LmError> {
        for part in &*parts {
            self.check(part)?;
        }
        match &mut self.inner {
            Inner::Cpu(decoder) => {
                let mut read = Vec::with_capacity(parts.len());
                for Part { cache, tokens, writes, runs, wanted } in parts {
                    if let Cache::Cpu(cache) = cache {
                        let (writes, wanted) = (*writes, *wanted);
                        read.push(cpu_decoder::Part { cache, tokens, writes, runs, wanted });
                    }
                }
                Ok(decoder.read(&mut read))
            }
            Inner::Candle(decoder) => {
                let mut all = Vec::new();
                for Part { tokens, wanted, .. } in parts {
                    let (body, last) = tokens.split_at(tokens.len() - *wanted);
                    match (body, last) {
                        (_, []) => decoder.prefill(tokens)?,
                        (_, [_]) => all.extend(decoder.forward(tokens)?),
                        (body, last) => {
                            if !body.is_empty() {
                                decoder.prefill(body)?;
                            }
                            for token in last {
                                all.extend(decoder.forward(&[*token])?);
                            }
                        }
                    }
                }
                Ok(all)
            }
        }
    }

    fn check(&self, part: &Part<'_>) -> Result<(), LmError> {
        let room = match &part.cache {
            Cache::Cpu(CpuCache { capacity, .. }) => self.window.min(*capacity),
            Cache::Device => self.window,
        };
        let all = part.runs.last().map_or(0, |run| run.end);
        debug_assert_eq!(
            part.runs.iter().map(Range::len).sum::<usize>(),
            part.tokens.len(),
            "runs and tokens disagree"
        );
        if part.tokens.is_empty() || all > room {
            return Err(LmError::TooLong { tokens: all, window: room });
        }
        match part.tokens.iter().find(|&&id| id as usize >= self.vocabulary) {
            None => Ok(()),
            Some(id) => {
                let vocabulary = self.vocabulary;
                Err(LmError::Tokenizer(format!("token {id} is outside the model's vocabulary of {vocabulary}")))
            }
        }
    }
}
