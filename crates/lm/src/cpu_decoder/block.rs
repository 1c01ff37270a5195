//! A block: attention and feed-forward network, each added to the stream of the tokens' rows.

use std::sync::Arc;

use super::weights::{Linear, Loader};
use super::{Buffers, Step};
use crate::cpu_rope::{Rope, Ropes};
use crate::kernels::{Source, View, gated, gated_product, product, rms_norm, rms_norm_in_place};
use crate::{Architecture, LmError, Shape};

pub(super) struct Block {
    attention_norm: Vec<f32>,
    qkv: Qkv,
    q_norm: Option<Vec<f32>>,
    k_norm: Option<Vec<f32>>,
    pub(super) rope: Arc<Rope>,
    pub(super) window: Option<usize>,
    attention_output: Linear,
    post_attention_norm: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    gate_up: GateUp,
    down: Linear,
    post_feed_forward_norm: Option<Vec<f32>>,
}

/// Queries, keys and values: three matrices, or one (Phi 3).
enum Qkv {
    Apart([Linear; 3]),
    Joined(Linear),
}

/// Gate and up: two matrices, or one with the gate first (Phi 3).
enum GateUp {
    Apart([Linear; 2]),
    Joined(Linear),
}

impl Block {
    pub(super) fn load(load: &mut Loader<'_>, index: usize, ropes: &Ropes) -> Result<Block, LmError> {
        let shape = load.shape;
        let name = |part: &str| format!("blk.{index}.{part}");
        let weight = |part: &str| format!("blk.{index}.{part}.weight");
        let Shape { heads, kv_heads, head_dim, hidden, feed_forward, .. } = *shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let local = shape.is_local(index);
        let qkv = match load.has(&weight("attn_qkv")) {
            true => Qkv::Joined(load.linear(&name("attn_qkv"), q + 2 * kv, hidden)?),
            false => Qkv::Apart([
                load.linear(&name("attn_q"), q, hidden)?,
                load.linear(&name("attn_k"), kv, hidden)?,
                load.linear(&name("attn_v"), kv, hidden)?,
            ]),
        };
        let gate_up = match load.has(&weight("ffn_gate")) {
            true => GateUp::Apart([
                load.linear(&name("ffn_gate"), feed_forward, hidden)?,
                load.linear(&name("ffn_up"), feed_forward, hidden)?,
            ]),
            false => GateUp::Joined(load.linear(&name("ffn_up"), 2 * feed_forward, hidden)?),
        };
        Ok(Block {
            attention_norm: load.vector(&weight("attn_norm"), hidden)?,
            qkv,
            q_norm: load.optional(&weight("attn_q_norm"), head_dim)?,
            k_norm: load.optional(&weight("attn_k_norm"), head_dim)?,
            rope: if local { ropes.local.clone() } else { ropes.global.clone() },
            window: shape.window.filter(|_| local),
            attention_output: load.linear(&name("attn_output"), hidden, q)?,
            post_attention_norm: load.optional(&weight("post_attention_norm"), hidden)?,
            feed_forward_norm: load.vector(&weight("ffn_norm"), hidden)?,
            gate_up,
            down: load.linear(&name("ffn_down"), hidden, feed_forward)?,
            post_feed_forward_norm: load.optional(&weight("post_ffw_norm"), hidden)?,
        })
    }

    pub(super) fn matrices(&self) -> Vec<&Linear> {
        let mut all = vec![&self.attention_output, &self.down];
        match &self.qkv {
            Qkv::Apart(some) => all.extend(some),
            Qkv::Joined(one) => all.push(one),
        }
        match &self.gate_up {
            GateUp::Apart(some) => all.extend(some),
            GateUp::Joined(one) => all.push(one),
        }
        all
    }

    #[cfg(test)]
    pub(super) fn norms(&self) -> impl Iterator<Item = &Vec<f32>> {
        let optional = [&self.q_norm, &self.k_norm, &self.post_attention_norm, &self.post_feed_forward_norm];
        optional.into_iter().flatten().chain([&self.attention_norm, &self.feed_forward_norm])
    }

    pub(super) fn forward(&self, step: &mut Step<'_, '_>) {
        self.attend(step);
        self.feed(step);
    }

    fn attend(&self, step: &mut Step<'_, '_>) {
        let Step { shape, path, pool, positions, index, parts, buffers } = step;
        let (path, positions) = (*path, *positions);
        let Shape { heads, kv_heads, head_dim, hidden, .. } = **shape;
        let (q_width, kv_width) = (heads * head_dim, kv_heads * head_dim);
        let epsilon = shape.norm_epsilon as f32;
        let Buffers { x, q, k, v, joined, context, delta, rows, .. } = &mut **buffers;
        let tokens = x.len() / hidden;
        q.resize(tokens * q_width, 0.0);
        k.resize(tokens * kv_width, 0.0);
        v.resize(tokens * kv_width, 0.0);
        context.resize(tokens * q_width, 0.0);
        let norm = &self.attention_norm;
        let normed = |t: usize, out: &mut [f32]| rms_norm(path, &x[t * hidden..][..hidden], norm, epsilon, out);
        match &self.qkv {
            Qkv::Apart([wq, wk, wv]) => {
                let needs = wq.needs().or(wk.needs()).or(wv.needs());
                rows.fill((&mut **pool, path, needs), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&wq.weight, q), (&wk.weight, k), (&wv.weight, v)]);
                wq.add_bias(pool, path, q);
                wk.add_bias(pool, path, k);
                wv.add_bias(pool, path, v);
            }
            Qkv::Joined(all) => {
                let width = q_width + 2 * kv_width;
                joined.resize(tokens * width, 0.0);
                rows.fill((&mut **pool, path, all.needs()), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&all.weight, joined)]);
                all.add_bias(pool, path, joined);
                for (t, row) in joined.chunks_exact(width).enumerate() {
                    q[t * q_width..][..q_width].copy_from_slice(&row[..q_width]);
                    k[t * kv_width..][..kv_width].copy_from_slice(&row[q_width..q_width + kv_width]);
                    v[t * kv_width..][..kv_width].copy_from_slice(&row[q_width + kv_width..]);
                }
            }
        }
        let rope = &*self.rope;
        for (all, width, norm) in [(&mut *q, q_width, &self.q_norm), (&mut *k, kv_width, &self.k_norm)] {
            pool.chunks(all, width * 4, &|chunk, some| {
                for (i, token) in some.chunks_exact_mut(width).enumerate() {
                    for head in token.chunks_exact_mut(head_dim) {
                        if let Some(norm) = norm {
                            rms_norm_in_place(path, head, norm, epsilon);
                        }
                        rope.apply(path, head, positions[chunk * 4 + i]);
                    }
                }
            });
        }
        let mut first = 0;
        for part in parts.iter_mut() {
            let layer = &mut part.cache.layers[*index];
            for run in part.runs {
                let (position, tokens) = (run.start, run.len());
                let (queries, keys) =
                    (first * q_width..(first + tokens) * q_width, first * kv_width..(first + tokens) * kv_width);
                layer.write(pool, path, position, &k[keys.clone()], &v[keys]);
                let view = View { position, tokens, window: self.window, scale: shape.attention_scale as f32 };
                let path = if part.writes { path.for_writing() } else { path };
                layer.attend(pool, path, view, &q[queries.clone()], &mut context[queries]);
                first += tokens;
            }
        }
        rows.fill((&mut **pool, path, self.attention_output.needs()), (tokens, q_width), Source::Rows(context));
        let norm = (self.post_attention_norm.as_deref(), epsilon);
        self.attention_output.add_to(pool, path, rows, norm, (x, delta));
    }

    fn feed(&self, step: &mut Step<'_, '_>) {
        let Step { shape, path, pool, buffers, .. } = step;
        let path = *path;
        let Shape { hidden, feed_forward: width, .. } = **shape;
        let (epsilon, gelu) = (shape.norm_epsilon as f32, shape.architecture == Architecture::Gemma3);
        let Buffers { x, joined, gate, up, delta, rows, gates, .. } = &mut **buffers;
        let tokens = x.len() / hidden;
        let norm = &self.feed_forward_norm;
        let normed = |t: usize, out: &mut [f32]| rms_norm(path, &x[t * hidden..][..hidden], norm, epsilon, out);
        let down = self.down.needs();
        match &self.gate_up {
            GateUp::Apart([wg, wu]) => {
                rows.fill((&mut **pool, path, wg.needs().or(wu.needs())), (tokens, hidden), Source::Made(&normed));
                let plain = wg.bias.is_none() && wu.bias.is_none();
                if plain && gated_product(pool, path, rows, [&wg.weight, &wu.weight], gelu, (gates, down)) {
                    std::mem::swap(rows, gates);
                } else {
                    gate.resize(tokens * width, 0.0);
                    up.resize(tokens * width, 0.0);
                    product(pool, path, rows, &mut [(&wg.weight, gate), (&wu.weight, up)]);
                    wg.add_bias(pool, path, gate);
                    wu.add_bias(pool, path, up);
                    let row = |t: usize, out: &mut [f32]| {
                        gated(path, gelu, &gate[t * width..][..width], &up[t * width..][..width], out);
                    };
                    rows.fill((&mut **pool, path, down), (tokens, width), Source::Made(&row));
                }
            }
            GateUp::Joined(all) => {
                joined.resize(tokens * 2 * width, 0.0);
                rows.fill((&mut **pool, path, all.needs()), (tokens, hidden), Source::Made(&normed));
                product(pool, path, rows, &mut [(&all.weight, joined)]);
                all.add_bias(pool, path, joined);
                let row = |t: usize, out: &mut [f32]| {
                    let (gate, up) = joined[t * 2 * width..][..2 * width].split_at(width);
                    gated(path, gelu, gate, up, out);
                };
                rows.fill((&mut **pool, path, down), (tokens, width), Source::Made(&row));
            }
        }
        let norm = (self.post_feed_forward_norm.as_deref(), epsilon);
        self.down.add_to(pool, path, rows, norm, (x, delta));
    }
}
