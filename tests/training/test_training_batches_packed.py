"""Packed splits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cached_runs import frozen_model
from freezebench.training.batches.encoding import Encoded, encode
from freezebench.training.batches.packed import NotPackableError, PackedSplit
from tiny import sentences


def test_batches_equal_those_of_the_collator(tiny_model: Path) -> None:
    """Index arithmetic pads as transformers does, on either side."""
    from transformers import AutoTokenizer

    from freezebench.data.splits import Split
    from freezebench.training.batches.encoding import collator

    model, _ = frozen_model(tiny_model, "none")
    for side in ("right", "left"):
        tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side=side)
        texts, labels = zip(*sentences(20, 2, 0), strict=True)
        split = Split(texts=tuple((text,) for text in texts), labels=labels)
        encoded = encode(split, tokenizer, model, 32)
        packed = PackedSplit(encoded, tokenizer)
        indices = torch.tensor([3, 0, 11])
        expected = collator(tokenizer, encoded.task)([encoded.examples[index] for index in indices.tolist()])
        batch = packed.batch(indices, *packed.token_indices(indices))
        assert set(batch) == set(expected)
        assert all(torch.equal(batch[name], expected[name]) for name in batch)


def test_fields_without_one_number_per_token_are_refused(tiny_model: Path) -> None:
    """The boxes of document models, for instance, which have four numbers per token."""
    _, tokenizer = frozen_model(tiny_model, "none")
    ids = {"input_ids": [5, 6], "labels": 0}
    weights = PackedSplit(Encoded(examples=({**ids, "weight": [0.5, 1.0]},), labels=(0,)), tokenizer).fields["weight"]
    assert weights.tolist() == [0.5, 1.0]
    for odd in ([[0, 0, 1, 1], [0, 0, 1, 1]], [1, 2, 3]):
        with pytest.raises(NotPackableError, match="one number per token"):
            PackedSplit(Encoded(examples=({**ids, "bbox": odd},), labels=(0,)), tokenizer)
