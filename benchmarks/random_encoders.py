"""Encoders of well-known shapes with random weights, for benchmarks: time, memory and energy do not depend on them.

Each function is a factory as ``--freeze-model=module:function`` takes it. The tokenizer is that of the embedded
checkpoint, whose 30,522 token ids fit every vocabulary here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Classifier = tuple[PreTrainedModel, PreTrainedTokenizerBase]

# Sentences of SST-2's training split have 19.3 words on average, with a standard deviation of 9.3, and 1 to 52 of them.
_MEAN_WORDS, _SD_WORDS, _MOST_WORDS = 19.3, 9.3, 52


def minilm_l6(num_labels: int) -> Classifier:
    """Return a classifier of MiniLM-L6's shape: 6 layers of width 384, 23 million parameters."""
    return _classifier(num_labels, dim=384, hidden_dim=1536)


def distilbert_base(num_labels: int) -> Classifier:
    """Return a classifier of DistilBERT-base's shape: 6 layers of width 768, 67 million parameters."""
    return _classifier(num_labels, dim=768, hidden_dim=3072)


def multilingual_minilm_l6(num_labels: int) -> Classifier:
    """Return a classifier of MiniLM-L6's shape with XLM-RoBERTa's 250,002 tokens: 107 million parameters."""
    return _classifier(num_labels, dim=384, hidden_dim=1536, vocab_size=250_002)


def _classifier(num_labels: int, *, dim: int, hidden_dim: int, vocab_size: int = 30_522) -> Classifier:
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForSequenceClassification

    from freezebench.models.source import ModelSource

    config = DistilBertConfig(vocab_size=vocab_size, dim=dim, hidden_dim=hidden_dim, n_layers=6, n_heads=12)
    config.num_labels = num_labels
    folder = ModelSource.resolve("embedded").folder
    return DistilBertForSequenceClassification(config), AutoTokenizer.from_pretrained(folder)


for _factory in (minilm_l6, distilbert_base, multilingual_minilm_l6):
    _factory.num_layers = 6  # type: ignore[attr-defined]  # read before the factory is called


def write_sentences(folder: Path, *, num_train: int, num_test: int, seed: int = 0) -> Path:
    """Write splits of random words whose lengths are distributed like SST-2's, and return their folder.

    The labels are random, too: nothing can be learned from these sentences.
    """
    random = np.random.default_rng(seed)
    words = [f"{first}{second}" for first in ("sun", "rain", "cloud", "sea") for second in ("light", "fall", "side")]
    shape = (_MEAN_WORDS / _SD_WORDS) ** 2
    folder.mkdir(parents=True, exist_ok=True)
    for split, num in (("train", num_train), ("validation", num_test), ("test", num_test)):
        lengths = random.gamma(shape, _MEAN_WORDS / shape, size=num).round().clip(1, _MOST_WORDS).astype(int)
        rows = (
            {"text": f"{number} {' '.join(random.choice(words, size=length))}", "label": number % 2}
            for number, length in enumerate(lengths.tolist())
        )
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
