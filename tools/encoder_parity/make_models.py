"""Small random encoders as sentence-transformers folders: every family, pooling and module that Sectora reads.

Usage: make_models.py OUT_DIR. Weights are drawn with a fixed seed and wide enough that different texts get different
vectors (with the usual 0.02 all vectors of a random model are nearly the same, and any comparison passes).
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig, BertForSequenceClassification, BertModel, GteConfig, GteModel, ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3Model,
    RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "texts.json").read_text())
VOCABULARY = 600


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special))
    cls, sep = t.token_to_id("[CLS]"), t.token_to_id("[SEP]")
    t.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                   sep_token="[SEP]", mask_token="[MASK]",
                                   model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    t.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=special,
                                                         unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", cls_token="<s>",
                                   sep_token="</s>", pad_token="<pad>", unk_token="<unk>")


def byte_level(special, template=None):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if template:
        t.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(s, t.token_to_id(s)) for s in special if s in template.split()])
    return t


def shape(**more):
    return dict(vocab_size=VOCABULARY, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
                intermediate_size=96, initializer_range=0.25) | more


def bert(out):
    return BertModel(BertConfig(max_position_embeddings=128, **shape())), word_piece()


def xlmr(out):
    config = XLMRobertaConfig(max_position_embeddings=130, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                              type_vocab_size=1, **shape())
    return XLMRobertaModel(config), unigram()


def roberta(out):
    config = RobertaConfig(max_position_embeddings=130, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                           type_vocab_size=1, hidden_act="gelu_new", layer_norm_eps=1e-5, **shape())
    t = byte_level(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>")
    return RobertaModel(config), PreTrainedTokenizerFast(
        tokenizer_object=t, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
        unk_token="<unk>")


NTK = dict(base=500.0, factor=4.0)


def gte(types, **rope):
    """GTE as transformers has it since 5.23; 48 dimensions in 4 heads."""
    def make(out):
        config = GteConfig(max_position_embeddings=512, pad_token_id=0, type_vocab_size=types, rope_parameters=rope, **shape())
        return GteModel(config), word_piece()
    return make


def as_published(folder, published):
    """The same weights as the authors' folders have them: `model_type` new, names under `new.`, NTK scaling by its own name.

    transformers knows no NTK scaling; that of `gte-ntk` is the same frequencies as linear scaling of another base:
    (base s)^(-2i/d) / s^(2/d)."""
    shutil.copytree(folder, published)
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    assert (rope["rope_type"], rope["rope_theta"]) == ("linear", NTK["base"] * NTK["factor"])
    config |= dict(model_type="new", architectures=["NewModel"], position_embedding_type="rope", layer_norm_type="layer_norm",
                   pack_qkv=True, logn_attention_scale=False, logn_attention_clip1=False, rope_theta=NTK["base"],
                   rope_scaling=dict(type="ntk", factor=NTK["factor"]))
    (published / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    save_file({f"new.{name}": value for name, value in weights.items()}, published / "model.safetensors")
    (published / "reference").write_text(folder.name)


def modernbert(out):
    config = ModernBertConfig(max_position_embeddings=512, local_attention=16, initializer_cutoff_factor=20.0,
                              pad_token_id=1, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
                              **shape(num_hidden_layers=5))
    t = byte_level(["[UNK]", "[PAD]", "[CLS]", "[SEP]"], "[CLS] $A [SEP]")
    return ModernBertModel(config), PreTrainedTokenizerFast(
        tokenizer_object=t, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]")


def qwen3(out):
    config = Qwen3Config(max_position_embeddings=512, num_key_value_heads=2, head_dim=16, pad_token_id=0,
                         bos_token_id=0, eos_token_id=0, **shape())
    t = byte_level(["<|endoftext|>"], "$A <|endoftext|>")
    return Qwen3Model(config), PreTrainedTokenizerFast(
        tokenizer_object=t, eos_token="<|endoftext|>", pad_token="<|endoftext|>", padding_side="left")


INSTRUCTION = {"query": "Instruct: find passages that answer the question\nQuery:", "document": ""}
PROMPTS = {"query": "query: ", "document": "passage: "}
# name: family, longest input, pooling, further modules, prompts
CASES = {
    "bert-mean": (bert, 100, dict(pooling_mode="mean"), [Normalize()], None),
    "bert-cls-dense": (bert, 128, dict(pooling_mode="cls"), [Dense(48, 20, activation_function=torch.nn.Tanh()), Normalize()], None),
    "bert-mean-max": (bert, 64, dict(pooling_mode=["mean", "max"]), [Dense(96, 96, bias=False, activation_function=torch.nn.Identity())], None),
    "bert-weighted": (bert, 64, dict(pooling_mode=["weightedmean", "mean_sqrt_len_tokens"]), [], None),
    "xlmr-mean-prompts": (xlmr, 128, dict(pooling_mode="mean"), [Normalize()], PROMPTS),
    "xlmr-cls": (xlmr, 128, dict(pooling_mode="cls"), [Normalize()], None),
    "roberta-last": (roberta, 128, dict(pooling_mode="lasttoken"), [Normalize()], None),
    "roberta-no-prompt": (roberta, 128, dict(pooling_mode="mean", include_prompt=False), [Normalize()], PROMPTS),
    "gte-cls": (gte(0, rope_type="default", rope_theta=1000.0), 256, dict(pooling_mode="cls"), [Normalize()], None),
    "gte-types-prompts": (gte(2, rope_type="default", rope_theta=1000.0), 256, dict(pooling_mode="mean"), [Normalize()], PROMPTS),
    "gte-ntk": (gte(1, rope_type="linear", rope_theta=NTK["base"] * NTK["factor"], factor=NTK["factor"] ** (2 / 12)), 256,
                dict(pooling_mode="cls"), [Normalize()], None),
    "modernbert-mean": (modernbert, 256, dict(pooling_mode="mean"), [Normalize()], None),
    "modernbert-cls": (modernbert, 64, dict(pooling_mode="cls"), [], None),
    "qwen3-last": (qwen3, 256, dict(pooling_mode="lasttoken"), [Normalize()], INSTRUCTION),
}


def classifiers(out, kind, labels):
    """Sequence classifiers: with one label as bge-reranker (XLM-R) and ms-marco-MiniLM (BERT) are, with three as entailment models are."""
    named = dict(num_labels=len(labels), id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)})
    bert_config = BertConfig(max_position_embeddings=128, **named, **shape())
    xlmr_config = XLMRobertaConfig(max_position_embeddings=130, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                                   type_vocab_size=1, **named, **shape())
    for name, model, tokenizer, longest in [
        ("bert", BertForSequenceClassification, word_piece(), 128),
        ("xlmr", XLMRobertaForSequenceClassification, unigram(), 128),
    ]:
        torch.manual_seed(1)
        tokenizer.model_max_length = longest
        model = model(bert_config if name == "bert" else xlmr_config)
        model.save_pretrained(out / kind / name)
        tokenizer.save_pretrained(out / kind / name)
        print(name, "made in", kind)


def with_sparse_head(folder, out, pickled):
    """The head that M3 encoders have beside the transformer: pickled in halves as bge-m3's is, or as safetensors."""
    shutil.copytree(folder, out)
    torch.manual_seed(2)
    head = torch.nn.Linear(48, 1)
    if pickled:
        torch.save(head.half().state_dict(), out / "sparse_linear.pt")
    else:
        save_file(head.state_dict(), out / "sparse_linear.safetensors")


def main():
    out = Path(sys.argv[1])
    classifiers(out, "rerankers", ["LABEL_0"])
    classifiers(out, "entailment", ["contradiction", "entailment", "neutral"])
    for name, (family, longest, pooling, modules, prompts) in CASES.items():
        torch.manual_seed(1)
        model, tokenizer = family(out)
        with torch.no_grad():
            for key, value in model.named_parameters():
                if "norm" not in key.lower() and key.endswith("bias"):
                    value.normal_(0, 0.1)
        folder = out / "parts" / name
        tokenizer.model_max_length = longest
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(str(folder), max_seq_length=longest)
        parts = [transformer, Pooling(model.config.hidden_size, **pooling), *modules]
        encoder = SentenceTransformer(modules=parts, prompts=prompts, device="cpu")
        encoder.save(str(out / name))
        print(name, "made")
    as_published(out / "gte-ntk", out / "gte-ntk-published")
    with_sparse_head(out / "xlmr-cls", out / "m3-pickled", pickled=True)
    with_sparse_head(out / "bert-mean", out / "m3-safetensors", pickled=False)


main()
