//! Grouped-query attention over a growing key-value cache, causal, optionally with a sliding window.
//!
//! On the CPU candle's fused kernels read one interleaved cache; on other devices, and for a prefill
//! that a sliding window cuts, plain matrix products with a mask do.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::attention::cpu_flash::causal::causal_decode_f32_interleaved;
use candle_nn::attention::{AttnMask, flash_attn};
use candle_nn::kv_cache::RawInterleavedKvCache;

/// Positions that a fresh cache has room for; it doubles when full.
const FIRST_POSITIONS: usize = 256;

/// Keys and values of one layer.
#[derive(Debug)]
pub(crate) struct Attention {
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f64,
    /// Tokens a query sees, itself included.
    window: Option<usize>,
    cache: KvCache,
}

#[derive(Debug)]
enum KvCache {
    Cpu(Interleaved),
    Device(Option<(Tensor, Tensor)>),
}

/// candle's cache, made when first used.
struct Interleaved(Option<RawInterleavedKvCache>);

impl std::fmt::Debug for Interleaved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} positions", self.0.as_ref().map_or(0, RawInterleavedKvCache::len))
    }
}

impl Attention {
    pub(crate) fn new(
        (heads, kv_heads, head_dim): (usize, usize, usize),
        scale: f64,
        window: Option<usize>,
        device: &Device,
    ) -> Attention {
        let cache = if device.is_cpu() { KvCache::Cpu(Interleaved(None)) } else { KvCache::Device(None) };
        Attention { heads, kv_heads, head_dim, scale, window, cache }
    }

    /// Forgets all positions; the memory is kept for the next request.
    pub(crate) fn clear(&mut self) {
        match &mut self.cache {
            KvCache::Cpu(Interleaved(Some(cache))) => cache.reset(),
            KvCache::Cpu(Interleaved(None)) => {}
            KvCache::Device(cache) => *cache = None,
        }
    }

    /// `q` is `(1, heads, tokens, head_dim)`, `k` and `v` with `kv_heads`, rotated; `position` is that of
    /// the first token. Gives `(1, tokens, heads * head_dim)`.
    pub(crate) fn forward(&mut self, q: &Tensor, k: &Tensor, v: &Tensor, position: usize) -> Result<Tensor> {
        let tokens = q.dim(2)?;
        let all = position + tokens;
        // The earliest key that the first of these queries may see.
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let cut = self.window.is_some_and(|window| all > window);
        let (heads, kv_heads, head_dim) = (self.heads, self.kv_heads, self.head_dim);
        let context = match &mut self.cache {
            KvCache::Cpu(Interleaved(cache)) => {
                let cache =
                    cache.get_or_insert_with(|| RawInterleavedKvCache::new(kv_heads, head_dim, FIRST_POSITIONS));
                cache.write_kv_batch(&rows(k)?, &rows(v)?, tokens);
                let stride = kv_heads * 2 * head_dim;
                let seen = &cache.data()[first * stride..];
                if tokens == 1 {
                    let q: Vec<f32> = q.flatten_all()?.to_vec1()?;
                    let context = causal_decode_f32_interleaved(
                        &q,
                        seen,
                        heads,
                        kv_heads,
                        head_dim,
                        all - first,
                        self.scale as f32,
                    )?;
                    return context.reshape((1, 1, heads * head_dim));
                }
                let seen = Tensor::from_slice(seen, (1, all - first, kv_heads, 2 * head_dim), &Device::Cpu)?;
                let k = seen.narrow(D::Minus1, 0, head_dim)?;
                let v = seen.narrow(D::Minus1, head_dim, head_dim)?;
                if cut {
                    let mask = self.mask(tokens, position, first, &Device::Cpu)?;
                    self.with_mask(q, &k.transpose(1, 2)?, &v.transpose(1, 2)?, Some(&mask))?
                } else {
                    let q = q.transpose(1, 2)?.contiguous()?;
                    let mask = AttnMask::causal_with_offset(position);
                    flash_attn::<f32>(&q, &k.contiguous()?, &v.contiguous()?, self.scale as f32, mask, None, None)?
                }
            }
            KvCache::Device(cache) => {
                let (k, v) = match cache.take() {
                    None => (k.contiguous()?, v.contiguous()?),
                    Some((old_k, old_v)) => (Tensor::cat(&[&old_k, k], 2)?, Tensor::cat(&[&old_v, v], 2)?),
                };
                *cache = Some((k.clone(), v.clone()));
                let (k, v) = (k.narrow(2, first, all - first)?, v.narrow(2, first, all - first)?);
                let mask = match tokens {
                    1 => None,
                    _ => Some(self.mask(tokens, position, first, q.device())?),
                };
                self.with_mask(q, &k, &v, mask.as_ref())?
            }
        };
        context.transpose(1, 2)?.reshape((1, tokens, heads * head_dim))
    }

    /// 0 where query `position + i` sees key `first + j`, else -∞.
    fn mask(&self, tokens: usize, position: usize, first: usize, device: &Device) -> Result<Tensor> {
        let keys = position + tokens - first;
        let mut mask = Vec::with_capacity(tokens * keys);
        for query in position..position + tokens {
            mask.extend((first..first + keys).map(|key| {
                let seen = key <= query && self.window.is_none_or(|window| query - key < window);
                if seen { 0.0 } else { f32::NEG_INFINITY }
            }));
        }
        Tensor::from_vec(mask, (tokens, keys), device)
    }

    /// softmax(q kᵀ · scale + mask) v; heads that share a key are stacked as more rows of it.
    fn with_mask(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (tokens, keys) = (q.dim(2)?, k.dim(2)?);
        let (heads, kv_heads, head_dim) = (self.heads, self.kv_heads, self.head_dim);
        let rows = heads / kv_heads * tokens;
        let q = q.contiguous()?.reshape((1, kv_heads, rows, head_dim))?;
        let scores = (q.matmul(&k.contiguous()?.t()?)? * self.scale)?.reshape((1, heads, tokens, keys))?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let weights = candle_nn::ops::softmax_last_dim(&scores)?.reshape((1, kv_heads, rows, keys))?;
        weights.matmul(&v.contiguous()?)?.reshape((1, heads, tokens, head_dim))
    }
}

/// `(1, heads, tokens, head_dim)` as rows of tokens.
fn rows(x: &Tensor) -> Result<Vec<f32>> {
    x.transpose(1, 2)?.flatten_all()?.to_vec1()
}
