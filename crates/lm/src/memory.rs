//! How much memory will a model take? Answered from the header of its file, before anything is loaded.
//!
//! On a CPU, and for what this crate allocates: weights as the kernels lay them out, keys and values of all
//! positions that may be held, the rows of the largest step, and the vocabulary. All of it is an upper bound
//! but the vocabulary, which is an estimate.

use std::fmt;
use std::path::Path;

use crate::gguf::Gguf;
use crate::kernels::{self, Format, Heads, KvLayer, Pool};
use crate::scheduler::Limits;
use crate::{LmError, Options, Shape};

/// Bytes of the vocabulary's names, bytes and merges, a token: a guess on the safe side; only the total was compared with a real peak.
const TOKEN: u64 = 700;

/// Bytes, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights, norms and rotary tables.
    pub weights: u64,
    /// Keys and values of running and ended requests together.
    pub kv: u64,
    /// Kept segments.
    pub segments: u64,
    /// Rows on their way through a layer, and logits.
    pub work: u64,
    /// The tokenizer.
    pub vocabulary: u64,
    /// The largest tensor as the file has it, which is there only while the model is loaded.
    pub loading: u64,
}

impl Memory {
    /// What the file at `path` would take with these options.
    pub fn plan(path: &Path, options: &Options) -> Result<Memory, LmError> {
        Memory::of(Gguf::open(path)?, options)
    }

    /// The same of a file that is open already.
    pub fn of(mut gguf: Gguf, options: &Options) -> Result<Memory, LmError> {
        if options.quantize {
            gguf.quantize();
        }
        let shape = Shape::read(&gguf)?;
        let window = options.context.clamp(1, shape.context);
        let mut weights = times(&[2 * 4, shape.rope_dim / 2, window, if shape.window.is_some() { 2 } else { 1 }]);
        let mut loading = 0;
        for info in gguf.tensor_names().filter_map(|name| gguf.info(name)) {
            let (rows, columns) = match info.dims.as_slice() {
                [rows, columns] => (*rows, *columns),
                dims => (1, dims.iter().product()),
            };
            let format = match info.dims.len() {
                2 => Format::of(info.dtype).unwrap_or(Format::F16),
                _ => Format::F32,
            };
            let packed = format.packed_bytes(rows, columns) as u64;
            weights = weights.saturating_add(if info.dims.len() == 2 { packed } else { 4 * columns as u64 });
            loading = loading.max(info.bytes() as u64);
        }
        let limits = Limits::of(options, window);
        let heads = Heads { queries: shape.heads, keys: shape.kv_heads, dim: shape.head_dim };
        let (rows, logits) = (limits.rows(), limits.logits());
        let (q, kv) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        // The stream and what is added to it; queries twice, keys and values, joined or not; gate and up
        // likewise; and the widest of them quantized and as floats.
        let row = 2 * shape.hidden + 3 * q + 4 * kv + 4 * shape.feed_forward;
        let widest = shape.feed_forward.max(shape.hidden).max(q);
        let path = options.path.unwrap_or_else(kernels::Path::best);
        let tiles = kernels::tile_bytes(path, window, heads, Pool::count(options.threads)) as u64;
        let work = [times(&[rows, row * 4 + widest * 7]), times(&[logits, shape.vocabulary, 4]), tiles];
        let position = KvLayer::position_bytes(heads, options.kv);
        // A cache is made of whole sixteens of positions, also where the window, its largest size, is not.
        let filled = (window.next_multiple_of(16) - window).saturating_mul(limits.positions / window);
        let positions = limits.positions.saturating_add(filled).div_ceil(16);
        Ok(Memory {
            weights,
            kv: times(&[positions, 16, position, shape.layers]),
            segments: limits.segment_bytes as u64,
            work: work.into_iter().fold(0, u64::saturating_add),
            vocabulary: shape.vocabulary as u64 * TOKEN,
            loading,
        })
    }

    /// The most there is at any time.
    pub fn peak(&self) -> u64 {
        let running = self.kv.saturating_add(self.segments).saturating_add(self.work);
        self.weights.saturating_add(self.vocabulary).saturating_add(self.loading.max(running))
    }
}

/// Their product, or the largest number: sizes are what a header says.
fn times(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1u64, |product, &size| product.saturating_mul(size as u64))
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| bytes.div_ceil(1 << 20);
        let Memory { weights, kv, segments, work, vocabulary, .. } = *self;
        let all = [mb(self.peak()), mb(weights), mb(kv), mb(work), mb(vocabulary)];
        let [peak, weights, kv, work, vocabulary] = all;
        write!(f, "{peak} MB at most: weights {weights}, keys and values {kv}, ")?;
        if segments > 0 {
            write!(f, "those of segments {}, ", mb(segments))?;
        }
        write!(f, "work {work}, vocabulary {vocabulary}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::quantized::GgmlDType;

    use super::*;
    use crate::Architecture;
    use crate::cpu_decoder::CpuDecoder;
    use crate::gguf::{TensorInfo, Value};
    use crate::random::{RandomShape, write_gguf};

    #[test]
    fn what_no_machine_can_hold_is_told_at_once() {
        const MANY: usize = 1 << 24;
        let numbers = [
            ("block_count", MANY),
            ("context_length", MANY),
            ("feed_forward_length", MANY),
            ("attention.head_count", MANY),
            ("attention.key_length", 1024),
        ];
        let mut metadata = HashMap::from([("general.architecture".to_owned(), Value::String("llama".into()))]);
        metadata.extend(numbers.map(|(key, n)| (format!("llama.{key}"), Value::Int(n as i64))));
        let tensor = |name: String, rows: usize, columns: usize| {
            (name, TensorInfo::at(GgmlDType::F32, vec![rows, columns], 0, rows * columns * 4))
        };
        let tensors = [
            tensor("token_embd.weight".into(), 288, 64),
            tensor(format!("blk.{}.attn_output.weight", MANY - 1), 64, MANY * 1024),
        ];
        let gguf = Gguf::assembled("x.gguf".into(), Vec::new(), metadata, HashMap::from(tensors));
        let memory = Memory::of(gguf, &Options { context: MANY, ..Options::default() }).unwrap();
        assert_eq!((memory.kv, memory.peak()), (u64::MAX, u64::MAX));
    }

    #[test]
    fn weights_take_what_was_announced_and_little_less() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.gguf");
        for architecture in Architecture::ALL {
            for (quant, quantize, tied) in [
                (GgmlDType::F32, false, true),
                (GgmlDType::F32, true, false),
                (GgmlDType::F16, false, false),
                (GgmlDType::Q8_0, false, true),
                (GgmlDType::Q4K, false, false),
                (GgmlDType::Q3K, false, true),
            ] {
                let tiny = RandomShape::tiny(architecture);
                let shape = RandomShape { hidden: 256, feed_forward: 256, head_dim: 64, tied, ..tiny };
                write_gguf(&shape, quant, &file, 3).unwrap();
                let options = Options { context: 100, threads: 1, quantize, ..Options::default() };
                let announced = Memory::plan(&file, &options).unwrap().weights;
                let mut gguf = Gguf::open(&file).unwrap();
                if quantize {
                    gguf.quantize();
                }
                let shape = Shape::read(&gguf).unwrap();
                let taken = CpuDecoder::load(&mut gguf, &shape, 100, &options).unwrap().allocated() as u64;
                // Neither of Gemma's two layers sees everything, and the rotary table of such layers is not kept.
                assert!(
                    (taken..taken + taken / 8).contains(&announced),
                    "{architecture:?} {quant:?}: {taken} taken, {announced} announced"
                );
            }
        }
    }
}
