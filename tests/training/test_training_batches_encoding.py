"""Tokenized data: fields, truncation and the longest input."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from freezebench.data.splits import Split
from freezebench.errors import DataError
from freezebench.training.batches.encoding import encode, longest_input
from tiny import write_letters_tokenizer


def _loaded(folder: Path) -> tuple[Any, Any]:
    return AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_encoding_truncates_and_keeps_the_fields_of_forward(tiny_model: Path) -> None:
    """Token types, which DistilBERT does not have, are left out; long inputs are cut."""
    model, tokenizer = _loaded(tiny_model)
    split = Split(texts=(("the film was awful " * 9,), ("the plot",)), labels=(0, 1))
    encoded = encode(split, tokenizer, model, 10)
    assert [len(example["input_ids"]) for example in encoded.examples] == [10, 4]
    assert set(encoded.examples[0]) == {"input_ids", "attention_mask", "labels"}


def test_pairs_are_encoded_together(tiny_model: Path) -> None:
    """Two texts make one input with a separator between them."""
    model, tokenizer = _loaded(tiny_model)
    split = Split(texts=(("the film", "the plot"),), labels=(0,))
    assert len(encode(split, tokenizer, model, 32).examples[0]["input_ids"]) == 7


def test_a_text_without_tokens_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """There is nothing to classify; the message has the place of the first one and counts the others."""
    model, _ = _loaded(tiny_model)
    write_letters_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    split = Split(texts=(("a film",), ("123",), ("?",)), labels=(0, 1, 0))
    with pytest.raises(
        DataError, match=r"example 2: the text has no token .*, and so have 1 more texts of this split\."
    ):
        encode(split, tokenizer, model, 10)
    # Of a pair, one text may have none.
    pairs = Split(texts=(("123", "film"), ("film", "")), labels=(0, 1))
    assert [len(example["input_ids"]) for example in encode(pairs, tokenizer, model, 10).examples] == [4, 4]


def test_the_longest_input_is_the_smallest_limit(tiny_model: Path) -> None:
    """RoBERTa's positions start after its padding id, XLNet's have no limit."""
    model, tokenizer = _loaded(tiny_model)
    assert longest_input(model, tokenizer, None) == 64
    assert longest_input(model, tokenizer, 16) == 16
    roberta: Any = torch.nn.ModuleDict({"position_embeddings": torch.nn.Embedding(34, 4, padding_idx=1)})
    roberta.config = SimpleNamespace(max_position_embeddings=34, pad_token_id=1)
    assert longest_input(roberta, tokenizer, None) == 32
    xlnet: Any = torch.nn.ModuleDict()
    xlnet.config = SimpleNamespace(max_position_embeddings=-1)
    assert longest_input(xlnet, tokenizer, None) == 64
    unlimited: Any = SimpleNamespace(model_max_length=int(1e30))
    assert longest_input(torch.nn.Linear(1, 1), unlimited, None) == 512
