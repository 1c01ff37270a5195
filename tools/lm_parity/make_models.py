"""Small random models of each architecture: a GGUF in f32, and the logits PyTorch `transformers` gives.

Usage: make_models.py OUT_DIR   (needs torch, transformers and gguf; `run.sh` makes the environment)

For each case: OUT_DIR/CASE.gguf, the same weights as a Hugging Face folder OUT_DIR/CASE, and OUT_DIR/CASE.json with
`prompt` (ids read at once), `next` (ids fed one by one), `logits` (one row after the prompt, one after each of
`next`) and `half_shift`: by how much PyTorch's own logits move when keys and values are rounded to f16.
The weights are renamed to GGUF's names here by hand, with the two changes llama.cpp's converter makes:
Llama's Q and K rows are permuted for neighbouring rotary pairs, Gemma's norms are stored as 1 + weight.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers as t

PROMPT = [(i * 37 + 11) % 250 for i in range(45)]
NEXT = [3, 200, 17, 17, 90, 41, 5, 249]
SIZES = dict(
    vocab_size=288,
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=7,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    rms_norm_eps=1e-6,
    pad_token_id=0,
    bos_token_id=0,
    eos_token_id=287,
    attn_implementation="eager",
)


def rope(theta, **scaling):
    return {"rope_theta": theta, "rope_type": "default", **scaling}


def cases():
    """Name -> (architecture, model, extra GGUF metadata, extra tensors)."""
    llama = t.LlamaConfig(**SIZES, rope_parameters=rope(10000.0), tie_word_embeddings=False)
    yield "llama", "llama", t.LlamaForCausalLM(llama), {}, {}

    scaling = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)
    config = t.LlamaConfig(**SIZES, rope_parameters={"rope_theta": 500000.0, **scaling}, tie_word_embeddings=True)
    yield "llama3.2", "llama", t.LlamaForCausalLM(config), {}, {"rope_freqs.weight": llama3_factors(16, 500000.0, scaling)}

    config = t.Qwen2Config(**SIZES, rope_parameters=rope(1000000.0), tie_word_embeddings=True)
    yield "qwen2", "qwen2", t.Qwen2ForCausalLM(config), {}, {}

    config = t.Qwen3Config(**SIZES, head_dim=32, rope_parameters=rope(1000000.0), tie_word_embeddings=True)
    yield "qwen3", "qwen3", t.Qwen3ForCausalLM(config), {}, {}

    kinds = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(7)]
    config = t.Gemma3TextConfig(
        **SIZES, head_dim=32, query_pre_attn_scalar=32, sliding_window=16, layer_types=kinds,
        rope_parameters={"full_attention": rope(1000000.0), "sliding_attention": rope(10000.0)},
        hidden_activation="gelu_pytorch_tanh", tie_word_embeddings=True)
    yield "gemma3", "gemma3", t.Gemma3ForCausalLM(config), {"attention.sliding_window": 16}, {}

    config = t.Phi3Config(**SIZES, rope_parameters=rope(10000.0), tie_word_embeddings=False)
    yield "phi3", "phi3", t.Phi3ForCausalLM(config), {}, {}

    short, long = [1.0 + 0.05 * i for i in range(8)], [1.0 + 1.5 * i for i in range(8)]
    sizes = {**SIZES, "max_position_embeddings": 32}
    scaling = dict(rope_type="longrope", rope_theta=10000.0, short_factor=short, long_factor=long,
                   original_max_position_embeddings=32, factor=8.0)
    config = t.Phi3Config(**{**sizes, "max_position_embeddings": 256}, original_max_position_embeddings=32,
                          rope_parameters=scaling, tie_word_embeddings=False)
    attention = float(np.sqrt(1 + np.log(256 / 32) / np.log(32)))
    tensors = {"rope_factors_short.weight": np.array(short, np.float32), "rope_factors_long.weight": np.array(long, np.float32)}
    metadata = {"rope.scaling.original_context_length": 32, "rope.scaling.attn_factor": attention}
    yield "phi3.5-long", "phi3", t.Phi3ForCausalLM(config), metadata, tensors


def llama3_factors(dim, base, scaling):
    """What llama.cpp's converter writes to `rope_freqs.weight` for rope_type llama3."""
    freqs = 1.0 / base ** (np.arange(0, dim, 2) / dim)
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    factors = []
    for wavelength in 2 * np.pi / freqs:
        if wavelength < high:
            factors.append(1.0)
        elif wavelength > low:
            factors.append(scaling["factor"])
        else:
            smooth = (scaling["original_max_position_embeddings"] / wavelength - scaling["low_freq_factor"]) / (
                scaling["high_freq_factor"] - scaling["low_freq_factor"])
            factors.append(1.0 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, np.float32)


NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
BLOCK = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate_up_proj": "ffn_up",
}


def gguf_name(name, architecture):
    if name in NAMES:
        return NAMES[name]
    _, _, index, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    norms = {"post_attention_layernorm": "ffn_norm"}
    if architecture == "gemma3":
        norms = {
            "post_attention_layernorm": "post_attention_norm",
            "pre_feedforward_layernorm": "ffn_norm",
            "post_feedforward_layernorm": "post_ffw_norm",
        }
    return f"blk.{index}.{ {**BLOCK, **norms}[module] }.{kind}"


def permute(weight, heads):
    """Rows of Q or K from rotary halves to neighbouring pairs."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def write(path, architecture, model, metadata, tensors):
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    parameters = config.rope_parameters
    writer.add_rope_freq_base(parameters.get("full_attention", parameters)["rope_theta"])
    for key, value in metadata.items():
        (writer.add_uint32 if isinstance(value, int) else writer.add_float32)(f"{architecture}.{key}", value)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensor.detach().float().numpy()
        if architecture == "llama" and ".q_proj." in name:
            array = permute(array, config.num_attention_heads)
        if architecture == "llama" and ".k_proj." in name:
            array = permute(array, config.num_key_value_heads)
        if architecture == "gemma3" and name.endswith("norm.weight"):
            array = array + 1
        writer.add_tensor(gguf_name(name, architecture), np.ascontiguousarray(array))
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_folder(folder, model):
    """Weights and configuration as `transformers` writes them, with a tokenizer of as many meaningless tokens."""
    model.save_pretrained(folder)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocabulary = {f"t{i}": i for i in range(model.config.vocab_size)}
    rules = {"version": "1.0", "added_tokens": [], "pre_tokenizer": level, "decoder": level,
             "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(rules))


def with_half_cache(model, ids):
    """Logits with keys and values rounded to f16 before attention sees them."""
    module = sys.modules[type(model).__module__]
    attend, calls = module.eager_attention_forward, []

    def rounded(self, query, key, value, *rest, **named):
        calls.append(1)
        return attend(self, query, key.half().float(), value.half().float(), *rest, **named)

    module.eager_attention_forward = rounded
    try:
        logits = model(ids).logits[0]
    finally:
        module.eager_attention_forward = attend
    assert len(calls) == model.config.num_hidden_layers, "the rounding was never called"
    return logits


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for name, architecture, model, metadata, tensors in cases():
        model = model.float().eval()
        with torch.no_grad():
            for path, parameter in model.named_parameters():
                # Larger than the usual 0.02, so that attention is not flat and logits differ.
                centre = 1.0 if "norm" in path and architecture != "gemma3" else 0.0
                parameter.copy_(centre + torch.randn_like(parameter) * (0.15 if parameter.dim() > 1 else 0.3))
            ids = torch.tensor([PROMPT + NEXT])
            logits = model(ids).logits[0]
            shift = (with_half_cache(model, ids) - logits)[len(PROMPT) - 1:].abs().max().item()
        rows = logits[len(PROMPT) - 1:].double().tolist()
        write(out / f"{name}.gguf", architecture, model, metadata, tensors)
        write_folder(out / name, model)
        case = {"prompt": PROMPT, "next": NEXT, "logits": rows, "half_shift": shift}
        (out / f"{name}.json").write_text(json.dumps(case))
        print(f"{name}: logits of {len(rows)} positions, standard deviation {logits.std():.2f}")


main()
