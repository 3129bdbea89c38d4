"""Evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import custom_models
from freezebench.data.splits import Split
from freezebench.records.run_record import Evaluation
from freezebench.runs.evaluation_check import DEPENDS_ON_PADDING
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.batches.encoding import encode
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.engines import evaluate as evaluation
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.prefix.feed import Feed
from tiny import sentences, write_data


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


def test_evaluation_uses_the_same_batches_with_and_without_a_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that attends to padding has other scores in other batches, but the same ones on both paths."""
    model, tokenizer = custom_models.attends_to_padding(2)
    texts, labels = zip(*sentences(300, 2, 0), strict=True)
    encoded = encode(Split(texts=tuple((t,) for t in texts), labels=labels), tokenizer, model, 32)
    feed = Feed(model, {"test": PackedSplit(encoded, tokenizer)})

    def both() -> list[Evaluation]:
        return [
            evaluate(model, encoded, tokenizer, num_labels=2, precision="float32", feed=path)
            for path in (None, (feed, "test"))
        ]

    whole, fed = both()
    assert whole.predictions == fed.predictions
    assert whole.loss == pytest.approx(fed.loss, rel=1e-6)
    # Batches of other sizes give another loss: the equality above is due to the same batches.
    monkeypatch.setattr(evaluation, "inference_batch_tokens", lambda _: 100)
    other, fed = both()
    assert abs(other.loss - fed.loss) > 1e-4


@pytest.mark.parametrize("freeze", ["none", "emb+L0"])
def test_predictions_are_the_same_with_both_engines(freeze: str, tmp_path: Path) -> None:
    """Sentence by sentence, of a model that attends to padding, before and after training, and with the warning."""
    data = write_data(tmp_path / "data", sizes=(24, 24, 400))
    protocol = Protocol(
        num_epochs=1, batch_size=8, precision="float32", dropout=False, evaluate_before=True, batch_order="shuffled"
    )
    spec = RunSpec(
        model="custom_models:attends_to_padding",
        data=DataSpec(source=str(data)),
        freeze=freeze,
        device="cpu",
        protocol=protocol,
    )
    standard, cached = run(spec), run(replace(spec, protocol=replace(protocol, engine="cached")))
    assert DEPENDS_ON_PADDING in standard.warnings
    assert DEPENDS_ON_PADDING in cached.warnings
    assert "prefix_s" not in cached.readings
    assert standard.test_before is not None
    assert cached.test_before is not None
    assert standard.test_before.predictions == cached.test_before.predictions
    assert standard.test_before.loss == pytest.approx(cached.test_before.loss, rel=1e-6)
    assert standard.test is not None
    assert cached.test is not None
    assert standard.test.predictions == cached.test.predictions
    assert standard.test.loss == pytest.approx(cached.test.loss, rel=1e-5)
