"""Evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from freezebench.data.splits import Split
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.order import batches_by_length
from freezebench.training.engines.evaluate import evaluate
from tiny import sentences


def _loaded(folder: Path) -> tuple[Any, Any]:
    return AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_evaluation_is_in_the_order_of_the_data(tiny_model: Path) -> None:
    """Sorting by length mixes up no predictions, padding changes none, and train mode is restored."""
    model, tokenizer = _loaded(tiny_model)
    texts, labels = zip(*sentences(90, 2, 0), strict=True)
    encoded = encode(Split(texts=tuple((t,) for t in texts), labels=labels), tokenizer, model, 32)
    model.train()
    evaluation = evaluate(model, encoded, tokenizer, num_labels=2, precision="float32")
    assert model.training
    model.eval()
    with torch.no_grad():
        single = [model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits for text in texts]
    logits = torch.cat(single)
    assert evaluation.predictions == tuple(logits.argmax(dim=1).tolist())
    assert evaluation.loss == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels))), rel=1e-5
    )
    assert evaluation.accuracy == pytest.approx(float(np.mean(np.array(evaluation.predictions) == np.array(labels))))
    assert sorted(i for batch in batches_by_length(encoded, 7) for i in batch) == list(range(90))
