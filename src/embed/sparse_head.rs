//! The sparse head of M3 encoders (bge-m3): what each token of a text weighs, as the encoder learnt it.
//!
//! In: the last hidden states of a text's tokens. Out: `relu(w · h + b)` by token id, the largest where a token occurs more
//! than once, special tokens left out ([M3-Embedding](https://arxiv.org/abs/2402.03216), section 3.2). Two such vectors are
//! compared by their inner product, without IDF: the weights hold the rarity already. The head is `sparse_linear.pt` or
//! `sparse_linear.safetensors` beside the transformer: `weight` `[1, hidden]` and `bias` `[1]`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor, safetensors};
use tokenizers::Tokenizer;

use crate::text::bm25::SparseVector;

/// The files a head may be in; the first that is there is read.
const FILES: [&str; 2] = ["sparse_linear.safetensors", "sparse_linear.pt"];

/// Weights of one linear layer with one output, and the tokens that are left out.
pub(super) struct SparseHead {
    weight: Vec<f32>,
    bias: f32,
    special: HashSet<u32>,
}

impl SparseHead {
    /// Reads the head in `folder` for hidden states `hidden` wide, and the bytes it was read from; `None` where there is
    /// none. An error names the file and what is wrong with it.
    pub(super) fn load(
        folder: &Path,
        hidden: usize,
        tokenizer: &Tokenizer,
    ) -> Result<Option<(SparseHead, Vec<u8>)>, String> {
        let Some(file) = FILES.iter().map(|name| folder.join(name)).find(|file| file.is_file()) else {
            return Ok(None);
        };
        let wrong = |what: String| {
            format!(
                "{}: {what}; a sparse head is a linear layer, `weight` [1, {hidden}] and `bias` [1]. Take the file of the \
                 model itself, or switch encoder_sparse off",
                file.display()
            )
        };
        let bytes = fs_err::read(&file).map_err(|e| wrong(e.to_string()))?;
        let pickled = file.extension().is_some_and(|e| e == "pt");
        let tensors = if pickled { of_pickle(&file) } else { of_safetensors(&bytes) }.map_err(wrong)?;
        let values = |name: &str, shapes: &[&[usize]]| -> Result<Vec<f32>, String> {
            let tensor = tensors.get(name).ok_or_else(|| {
                let mut there: Vec<&str> = tensors.keys().map(String::as_str).collect();
                there.sort_unstable();
                wrong(format!("it has no tensor `{name}` (it has: {})", there.join(", ")))
            })?;
            if !shapes.contains(&tensor.dims()) {
                return Err(wrong(format!("`{name}` has the shape {:?}", tensor.dims())));
            }
            let flat = tensor.flatten_all().and_then(|t| t.to_dtype(DType::F32)).and_then(|t| t.to_vec1());
            flat.map_err(|e| wrong(format!("`{name}`: {e}")))
        };
        let weight = values("weight", &[&[1, hidden], &[hidden]])?;
        let bias = values("bias", &[&[1], &[]])?.first().copied().unwrap_or_default();
        let added = tokenizer.get_added_tokens_decoder();
        let special = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect();
        Ok(Some((SparseHead { weight, bias, special }, bytes)))
    }

    /// The vector of a text: `ids` are its tokens, `rows` `[tokens, hidden]` their last hidden states. `None` where no
    /// token weighs anything.
    pub(super) fn weigh(&self, ids: &[u32], rows: &[f32]) -> Option<SparseVector> {
        let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
        for (id, row) in ids.iter().zip(rows.chunks_exact(self.weight.len())) {
            let weight = row.iter().zip(&self.weight).map(|(h, w)| h * w).sum::<f32>() + self.bias;
            if weight > 0.0 && !self.special.contains(id) {
                let largest = weights.entry(*id).or_insert(weight);
                *largest = largest.max(weight);
            }
        }
        let (indices, values) = weights.into_iter().unzip();
        Some(SparseVector { indices, values }).filter(|v| !v.indices.is_empty())
    }
}

fn of_safetensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>, String> {
    safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| e.to_string())
}

/// A `torch.save`d state dict. Unlike Python's, this reader of pickles runs nothing that stands in the file.
fn of_pickle(file: &Path) -> Result<HashMap<String, Tensor>, String> {
    let read = || -> candle_core::Result<HashMap<String, Tensor>> {
        let pickled = PthTensors::new(file, None)?;
        let mut tensors = HashMap::new();
        for (name, info) in pickled.tensor_infos() {
            // What is larger than any head is not one, and room for it is not to be made.
            if info.layout.shape().elem_count() > 1 << 20 {
                candle_core::bail!("`{name}` has the shape {:?}", info.layout.dims());
            }
            if let Some(tensor) = pickled.get(name)? {
                tensors.insert(name.clone(), tensor);
            }
        }
        Ok(tensors)
    };
    read().map_err(|e| format!("not a state dict of tensors: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Tokenizer {
        let json = serde_json::json!({
            "version": "1.0", "normalizer": null, "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null,
            "added_tokens": [{ "id": 0, "content": "<s>", "special": true, "single_word": false, "lstrip": false,
                               "rstrip": false, "normalized": false }],
            "model": { "type": "WordLevel", "vocab": { "<s>": 0, "cell": 1, "anode": 2, "the": 3 }, "unk_token": "the" },
        });
        json.to_string().parse().unwrap()
    }

    fn save(folder: &Path, tensors: &[(&str, Tensor)]) {
        let tensors: HashMap<&str, Tensor> = tensors.iter().cloned().collect();
        candle_core::safetensors::save(&tensors, folder.join("sparse_linear.safetensors")).unwrap();
    }

    fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
        Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_token_weighs_its_largest_and_special_or_worthless_ones_nothing() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &[("weight", tensor(&[1.0, -1.0], &[1, 2])), ("bias", tensor(&[0.5], &[1]))]);
        let (head, bytes) = SparseHead::load(dir.path(), 2, &tokenizer()).unwrap().unwrap();
        assert!(!bytes.is_empty());
        // <s> anode cell anode the: 9.5, 1.5, 0.5 + 1 - 0.25, 3.5, -1.5.
        let rows = [9.0, 0.0, 1.0, 0.0, 1.0, 0.25, 3.0, 0.0, 0.0, 2.0];
        let vector = head.weigh(&[0, 2, 1, 2, 3], &rows).unwrap();
        assert_eq!((vector.indices, vector.values), (vec![1, 2], vec![1.25, 3.5]));
        assert_eq!(head.weigh(&[0, 3], &[9.0, 0.0, 0.0, 2.0]), None, "nothing is no vector");
    }

    #[test]
    fn a_folder_without_a_head_has_none_and_a_bad_one_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let load = || SparseHead::load(dir.path(), 2, &tokenizer());
        assert!(load().unwrap().is_none());
        let error = |what: &[(&str, Tensor)]| {
            save(dir.path(), what);
            load().err().unwrap()
        };
        let bias = ("bias", tensor(&[0.5], &[1]));
        let missing = error(std::slice::from_ref(&bias));
        assert!(missing.contains("no tensor `weight`") && missing.contains("it has: bias"), "{missing}");
        assert!(missing.contains("sparse_linear.safetensors") && missing.contains("encoder_sparse"), "{missing}");
        let wide = error(&[("weight", tensor(&[1.0, 2.0, 3.0], &[1, 3])), bias]);
        assert!(wide.contains("[1, 3]") && wide.contains("[1, 2]"), "{wide}");
        fs_err::remove_file(dir.path().join("sparse_linear.safetensors")).unwrap();
        fs_err::write(dir.path().join("sparse_linear.pt"), b"rubbish").unwrap();
        let rubbish = load().err().unwrap();
        assert!(rubbish.contains("sparse_linear.pt") && rubbish.contains("state dict"), "{rubbish}");
    }
}
