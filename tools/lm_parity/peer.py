"""What llama.cpp makes of a real GGUF file: token ids, prompts, logits, greedy continuations.

Usage: peer.py MODEL.gguf OUT_DIR   (needs llama-cpp-python, or its package on PYTHONPATH and llama.cpp's libraries in
LLAMA_CPP_LIB_PATH; numpy, jinja2, gguf). `crates/lm/examples/peer.rs` compares. Nothing of this belongs into the repository.

OUT_DIR/peer.json: for each string of `peer_texts.json` the ids; for each chat what jinja2 renders, set up as `transformers`
sets it up; for each text its ids; for each beginning the ids that follow greedily. OUT_DIR/NAME.f32: logits of a text,
one row a token. OUT_DIR/exact.gguf, where it takes at most 3 GB: the same weights as f32, which nobody has to round.
"""

import datetime
import json
import pathlib
import sys

import gguf
import jinja2.sandbox
import llama_cpp as l
import numpy as np

HERE = pathlib.Path(__file__).parent
NEW = 48


def main():
    model_path, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    given = json.loads((HERE / "peer_texts.json").read_text())
    llama = l.Llama(str(model_path), n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=2, n_threads_batch=2, logits_all=True, verbose=False)
    tokenize = lambda text: llama.tokenize(text.encode(), add_bos=True, special=True)
    texts = {}
    for name, text in given["texts"].items():
        # Where a vocabulary knows no Korean a text has many tokens.
        ids = tokenize(text)[:500]
        llama.reset()
        llama.eval(ids)
        np.asarray(llama.scores[: len(ids)], np.float32).tofile(out / f"{name}.f32")
        texts[name] = ids
    result = {
        "strings": [[text, tokenize(text)] for text in given["strings"]],
        "explained": given["explained"],
        "chats": [[chat, render(llama.metadata, llama, chat)] for chat in given["chats"]],
        "texts": texts,
        "greedy": [greedy(llama, tokenize(text)) for text in given["greedy"]],
    }
    (out / "peer.json").write_text(json.dumps(result))
    exact(model_path, out / "exact.gguf")


def greedy(llama, ids):
    """What was read, what follows, and by how much each first choice exceeded the second."""
    llama.reset()
    llama.eval(ids)
    new, margins = [], []
    for _ in range(NEW):
        row = llama.scores[llama.n_tokens - 1]
        second, first = np.argsort(row)[-2:]
        new.append(int(first))
        margins.append(float(row[first] - row[second]))
        llama.eval([int(first)])
    return {"read": ids, "new": new, "margins": margins}


def render(metadata, llama, chat):
    source = metadata.get("tokenizer.chat_template")
    if source is None:
        return None
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    def fail(message):
        raise jinja2.exceptions.TemplateError(message)

    environment.globals["raise_exception"] = fail
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    name = lambda id: llama._model.token_get_text(id) if id >= 0 else ""
    messages = [{"role": role, "content": content} for role, content in chat]
    return environment.from_string(source).render(
        messages=messages, bos_token=name(llama.token_bos()), eos_token=name(llama.token_eos()), add_generation_prompt=True,
        enable_thinking=False)


def exact(source, path):
    reader = gguf.GGUFReader(source)
    if sum(int(np.prod(t.shape)) * 4 for t in reader.tensors) > 3e9:
        return
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(path, architecture)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
