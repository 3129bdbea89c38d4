"""The second evaluation of some test sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freezebench.data.splits import Split
from freezebench.models.load import load_model
from freezebench.runs.evaluation_check import DEPENDS_ON_PADDING, Reevaluation, check_data
from freezebench.runs.weights import UnsoundRunError
from freezebench.training.batches.encoding import Encoded, encode
from freezebench.training.engines.evaluate import class_scores, evaluation_of
from tiny import sentences

NUM = 20
NAMES = ("bad", "good")


@pytest.fixture
def model(tiny_model: Path) -> Any:
    """The tiny model with larger weights: as it is, it scores all sentences about the same."""
    loaded, _ = load_model(str(tiny_model))
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(5.0)
    return loaded


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    """Its tokenizer."""
    return load_model(str(tiny_model))[1]


def _split(num: int = NUM) -> Split:
    texts, labels = zip(*sentences(num, 2, 0), strict=True)
    return Split(texts=tuple((text,) for text in texts), labels=labels)


def _check(model: Any, tokenizer: Any, *, num: int = NUM, change: Any = lambda scores: scores) -> tuple[str, ...]:
    """Evaluate and check; ``change`` is applied to the first evaluation's scores."""
    split = _split(num)
    encoded = encode(split, tokenizer, model, 32)
    scores = change(class_scores(model, encoded, tokenizer, num_labels=2, precision="float32"))
    again = Reevaluation(model, tokenizer, split, precision="float32", max_length=32)
    return again.check(evaluation_of(scores, encoded, NAMES), scores)


@pytest.mark.parametrize("num", [2, 7, NUM])
def test_a_right_evaluation_passes(model: Any, tokenizer: Any, num: int) -> None:
    """Also with fewer sentences than are evaluated again."""
    assert _check(model, tokenizer, num=num) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores: scores.roll(1, dims=0), "and their scores differ from the first evaluation by up to"),
        (lambda scores: scores + 0.01, "and their scores differ from the first evaluation by up to 0.01"),
        (lambda scores: scores.index_fill(0, torch.tensor([3]), torch.nan), "1 test sentences have no scores"),
    ],
)
def test_wrong_scores_are_found(model: Any, tokenizer: Any, change: Any, message: str) -> None:
    """Those of other sentences, of slightly other weights, and missing ones."""
    with pytest.raises(UnsoundRunError, match=message):
        _check(model, tokenizer, change=change)


def test_predictions_have_to_follow_from_the_scores(model: Any, tokenizer: Any) -> None:
    """So does the accuracy from the predictions."""
    split = _split()
    encoded = encode(split, tokenizer, model, 32)
    scores = class_scores(model, encoded, tokenizer, num_labels=2, precision="float32")
    evaluation = evaluation_of(scores, encoded, NAMES, keep_scores=True)
    again = Reevaluation(model, tokenizer, split, precision="float32", max_length=32)
    first = 1 - evaluation.predictions[0]
    with pytest.raises(UnsoundRunError, match="1 predictions do not follow from the scores"):
        again.check(replace(evaluation, predictions=(first, *evaluation.predictions[1:])), scores)
    with pytest.raises(UnsoundRunError, match=r"the test accuracy is given as 150.0 %, and \d+ of 20"):
        again.check(replace(evaluation, accuracy=1.5), scores)
    with pytest.raises(UnsoundRunError, match="19 sentences were evaluated, and the test split has 20"):
        again.check(replace(evaluation, predictions=evaluation.predictions[1:]), scores[1:])
    with pytest.raises(UnsoundRunError, match="the scores in the record are not those of the model"):
        again.check(evaluation, scores + 1e-6)


def test_a_model_that_is_random_in_eval_mode_is_named(model: Any, tokenizer: Any) -> None:
    """It is no fault of the evaluation."""
    forward = model.classifier.forward
    model.classifier.forward = lambda hidden: forward(hidden) + torch.randn(2)
    (warning,) = _check(model, tokenizer)
    assert warning == "the model gives other scores each time it evaluates a sentence, even in eval mode"


def test_a_model_without_a_mask_is_named(model: Any, tokenizer: Any) -> None:
    """Its predictions depend on which sentences share a batch."""
    forward = model.forward

    def unmasked(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return forward(input_ids=input_ids, attention_mask=torch.ones_like(attention_mask))

    model.forward = unmasked
    (warning,) = _check(model, tokenizer)
    assert warning == DEPENDS_ON_PADDING


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda split: split.at(range(10)), "10 of 20 test sentences were used"),
        (lambda split: replace(split, labels=split.labels[::-1]), "the labels of the test sentences are not those of"),
        (lambda split: replace(split, texts=split.texts[::-1]), "the test sentences are not those of the data"),
    ],
)
def test_tokenized_data_have_to_be_the_data(model: Any, tokenizer: Any, change: Any, message: str) -> None:
    """All labels, the number of sentences, and some of them."""

    def tokenized(split: Split) -> Encoded:
        return encode(split, tokenizer, model, 32)

    split = _split()
    check_data({"test": split}, {"test": tokenized(split)}, tokenized)
    with pytest.raises(UnsoundRunError, match=message):
        check_data({"test": split}, {"test": tokenized(change(split))}, tokenized)
