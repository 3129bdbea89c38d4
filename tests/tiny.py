"""A tiny checkpoint and a tiny data set that it can learn: one word of a sentence determines its class."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.training.batches.packed import PackedSplit

WORDS = {
    0: ("awful", "boring", "clumsy", "dull"),
    1: ("bright", "charming", "delightful", "elegant"),
    2: ("average", "plain", "usual", "mixed"),
}
# The sizes of a BERT configuration.
SMALL_BERT = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
}
_FILLER = ("the", "film", "was", "a", "rather", "story", "with", "cast", "and", "plot")


def sentences(num: int, num_labels: int, seed: int) -> list[tuple[str, int]]:
    """Return balanced sentences whose class is determined by one word."""
    draw = random.Random(seed)  # noqa: S311 - test data
    examples = []
    for index in range(num):
        label = index % num_labels
        words = draw.choices(_FILLER, k=draw.randint(2, 7))
        words.insert(draw.randint(0, len(words)), draw.choice(WORDS[label]))
        examples.append((" ".join(words), label))
    return examples


def write_data(folder: Path, *, num_labels: int = 2, sizes: tuple[int, int, int] = (48, 24, 40)) -> Path:
    """Write train, validation and test files of made-up sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, num) in enumerate(zip(("train", "validation", "test"), sizes, strict=True)):
        lines = [json.dumps({"text": text, "label": label}) for text, label in sentences(num, num_labels, seed)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def trainable_names(model: torch.nn.Module) -> frozenset[str]:
    """Return the names of the parameters that require gradients."""
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def packed_splits(model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, num: int = 24) -> dict[str, PackedSplit]:
    """Return made-up training sentences of two classes, tokenized and without padding."""
    from freezebench.data.splits import Split
    from freezebench.training.batches.encoding import encode
    from freezebench.training.batches.packed import PackedSplit

    texts, labels = zip(*sentences(num, 2, 0), strict=True)
    split = Split(texts=tuple((text,) for text in texts), labels=labels)
    return {"train": PackedSplit(encode(split, tokenizer, model, 32), tokenizer)}


def words_tokenizer() -> PreTrainedTokenizerBase:
    """Return a word-level tokenizer of the made-up sentences' words."""
    from transformers import BertTokenizer

    vocabulary = {word: index for index, word in enumerate(_vocabulary())}
    return BertTokenizer(vocab=vocabulary, model_max_length=64)


def write_tokenizer(folder: Path) -> None:
    """Write that tokenizer and its vocabulary."""
    (folder / "vocab.txt").write_text("\n".join(_vocabulary()) + "\n", encoding="utf-8")
    words_tokenizer().save_pretrained(folder)


def write_letters_tokenizer(folder: Path) -> None:
    """Write a tokenizer of letters without special tokens: a text of other characters has no token."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    letters = {"[PAD]": 0} | {chr(ord("a") + index): 1 + index for index in range(26)}
    tokenizer = Tokenizer(BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = Whitespace()
    arguments: dict[str, Any] = {"tokenizer_object": tokenizer, "pad_token": "[PAD]", "model_max_length": 64}
    make: Any = PreTrainedTokenizerFast
    make(**arguments).save_pretrained(folder)


def _vocabulary() -> list[str]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*special, *_FILLER, *(word for some in WORDS.values() for word in some)]


def write_model(
    folder: Path, *, n_layers: int = 2, seed: int = 0, is_pretrained: bool = False, vocab_size: int = 64
) -> Path:
    """Write a randomly initialised DistilBERT of a few thousand parameters with its tokenizer.

    Args:
        folder: Where to write it.
        n_layers: Number of layers.
        seed: Seed of the weights.
        is_pretrained: Whether its frozen parts are of use, as those of a pretrained model: the embeddings of the words
            of a class are close to each other, and the layers have weights large enough to pass that on.
        vocab_size: Number of rows of the word embedding.
    """
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    # Tiny models are faster on one thread, above all where machines are shared.
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    spread = 0.2 if is_pretrained else 0.02  # DistilBERT's own
    config = DistilBertConfig(
        vocab_size=vocab_size,
        dim=16,
        n_heads=2,
        hidden_dim=32,
        n_layers=n_layers,
        max_position_embeddings=64,
        initializer_range=spread,
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        model = DistilBertForSequenceClassification(config)
        if is_pretrained:
            embeddings = model.distilbert.embeddings.word_embeddings.weight
            for words in WORDS.values():
                embeddings[[_vocabulary().index(word) for word in words]] += 2 * spread * torch.randn(config.dim)
            model.classifier.weight.normal_(0.0, 0.02)  # the head is new
        model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def loaded_predictions(folder: Path) -> list[int]:
    """Return what a saved model predicts for the test sentences of ``write_data``, loaded as a user would."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    texts = [text for text, _ in sentences(40, 2, 2)]
    with torch.inference_mode():
        scores = model(**tokenizer(texts, truncation=True, padding=True, return_tensors="pt")).logits
    return list(scores.argmax(dim=-1).tolist())
