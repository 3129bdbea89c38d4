"""Faults in evaluation, in cached prefixes, and in measured times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from faults_training import without_mask
from freezebench.records.run_record import Evaluation
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.training.batches import encoding
from freezebench.training.engines import evaluate, job
from freezebench.training.engines.log import TrainingLog, TrainingResult
from freezebench.training.prefix import cache
from freezebench.training.prefix.cache import PrefixCache
from mutant import CANDIDATE, Fault, Mutant

_NUM_TEST = 200
_AGAIN = "4 test sentences were evaluated once more, one by one, and their scores differ *"
_PREFIX = "the cached prefix (in memory) is not what the model computes: *"
_CACHED = {"engine": "cached", "dropout": False}


def _dropout_in_evaluation(mutant: Mutant) -> None:
    def scores(original: Any, model: torch.nn.Module, *arguments: Any, **named: Any) -> Any:
        model.train()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(model), "eval", lambda self: self)
            result = original(model, *arguments, **named)
        model.eval()
        return result

    mutant.replace(experiment, "class_scores", scores, only=CANDIDATE)


def _no_attention_mask(mutant: Mutant) -> None:
    mutant.replace(evaluate, "collator", without_mask)


def _half_precision(mutant: Mutant) -> None:
    for module in (evaluate, job):
        mutant.replace(module, "autocast", lambda original, _, device: original("bf16", device))


def _test_set_cut(mutant: Mutant) -> None:
    def encode(original: Any, *arguments: Any) -> Any:
        encoded = original(*arguments)
        if len(encoded) != _NUM_TEST:
            return encoded
        half = _NUM_TEST // 2
        return replace(encoded, examples=encoded.examples[:half], labels=encoded.labels[:half])

    mutant.replace(encoding, "encode", encode)


def _other_data_for_candidate(mutant: Mutant) -> None:
    def data(original: Any, self: DataCache, spec: Any) -> Any:
        whole = original(self, spec)
        return replace(whole, test=whole.test.at(range(_NUM_TEST // 2)))

    mutant.replace(DataCache, "data", data, only=CANDIDATE)


def _training_sentences_evaluated(mutant: Mutant) -> None:
    train: list[Any] = []

    def make(original: Any, **arguments: Any) -> Any:
        train[:] = arguments["train"].examples
        return original(**arguments)

    def scores(original: Any, model: Any, data: Any, *arguments: Any, **named: Any) -> Any:
        if len(data) == _NUM_TEST:
            data = replace(data, examples=tuple(train[number % len(train)] for number in range(_NUM_TEST)))
        return original(model, data, *arguments, **named)

    mutant.replace(experiment, "Job", make)
    mutant.replace(experiment, "class_scores", scores)


def _order_of_batches(mutant: Mutant) -> None:
    def scores(original: Any, model: Any, data: Any, *arguments: Any, **named: Any) -> Any:
        return original(model, data, *arguments, **named)[data.lengths.argsort(stable=True)]

    mutant.replace(experiment, "class_scores", scores)


def _labels_leak(mutant: Mutant) -> None:
    def evaluation(original: Any, scores: torch.Tensor, data: Any, *arguments: Any, **named: Any) -> Evaluation:
        right: Evaluation = original(scores, data, *arguments, **named)
        return replace(right, predictions=data.labels, accuracy=1.0) if len(data) == _NUM_TEST else right

    mutant.replace(experiment, "evaluation_of", evaluation, only=CANDIDATE)


def _prefix(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Mutant], None]:
    """Change the hidden states of cached prefixes."""

    def put_in(mutant: Mutant) -> None:
        def prefix(original: Any, self: PrefixCache, *arguments: Any) -> Any:
            right = original(self, *arguments)
            return replace(right, hidden={name: change(hidden) for name, hidden in right.hidden.items()})

        mutant.replace(PrefixCache, "prefix", prefix)

    return put_in


def _prefix_of_other_weights(mutant: Mutant) -> None:
    def prefix(original: Any, self: PrefixCache, frozen: Any, *arguments: Any) -> Any:
        weight = frozen.model.get_parameter("distilbert.transformer.layer.0.ffn.lin1.weight")
        right = weight.detach().clone()
        with torch.no_grad():
            weight.mul_(1.1)
            stale = original(self, frozen, *arguments)
            weight.copy_(right)
        return stale

    mutant.replace(PrefixCache, "prefix", prefix)


def _prefix_with_dropout(mutant: Mutant) -> None:
    @contextmanager
    def train_mode(_: Any, model: torch.nn.Module) -> Iterator[None]:
        model.train()
        yield
        model.eval()

    mutant.replace(cache, "eval_mode", train_mode)


def _train_s(wrong: Callable[[TrainingResult], float]) -> Callable[[Mutant], None]:
    """Put in another training time."""

    def put_in(mutant: Mutant) -> None:
        def finish(original: Any, self: TrainingLog) -> TrainingResult:
            result: TrainingResult = original(self)
            return replace(result, train_s=wrong(result))

        mutant.replace(TrainingLog, "finish", finish, only=CANDIDATE)

    return put_in


FAULTS = (
    Fault(
        name="dropout-in-evaluation",
        change="dropout stays on in evaluation",
        ending="INVALID",
        sentence=_AGAIN,
        put_in=_dropout_in_evaluation,
    ),
    Fault(
        name="no-mask-in-evaluation",
        change="batches of evaluation lack the mask of padding",
        ending="INVALID",
        sentence=_AGAIN,
        put_in=_no_attention_mask,
    ),
    Fault(
        name="half-precision",
        change="forward passes run in bf16, and float32 is reported",
        ending="INVALID",
        sentence=_AGAIN,
        put_in=_half_precision,
    ),
    Fault(
        name="test-set-cut",
        change="half of the test sentences are dropped before evaluation",
        ending="INVALID",
        sentence="100 of 200 test sentences were used",
        put_in=_test_set_cut,
    ),
    Fault(
        name="other-data-for-candidate",
        change="the candidate gets half of the test split",
        ending="INVALID",
        sentence="200 of 100 test sentences were used",
        put_in=_other_data_for_candidate,
    ),
    Fault(
        name="training-sentences-evaluated",
        change="training sentences are evaluated in place of test sentences",
        ending="INVALID",
        sentence=_AGAIN,
        put_in=_training_sentences_evaluated,
    ),
    Fault(
        name="order-of-batches",
        change="predictions come in the order of batches, not of sentences",
        ending="INVALID",
        sentence=_AGAIN,
        put_in=_order_of_batches,
    ),
    Fault(
        name="labels-leak",
        change="the labels of the test sentences are recorded as predictions",
        ending="INVALID",
        sentence="predictions do not follow from the scores of the model",
        put_in=_labels_leak,
    ),
    Fault(
        name="prefix-of-other-weights",
        change="the cached prefix is that of other weights",
        ending="INVALID",
        sentence=_PREFIX,
        put_in=_prefix_of_other_weights,
        marker=_CACHED,
    ),
    Fault(
        name="prefix-of-other-data",
        change="the cached prefix is shifted by one token",
        ending="INVALID",
        sentence=_PREFIX,
        put_in=_prefix(lambda hidden: hidden.roll(1, dims=0)),
        marker=_CACHED,
    ),
    Fault(
        name="prefix-of-other-precision",
        change="the cached prefix is in bf16, and the run in float32",
        ending="INVALID",
        sentence=_PREFIX,
        put_in=_prefix(lambda hidden: hidden.bfloat16().float()),
        marker=_CACHED,
    ),
    Fault(
        name="prefix-with-dropout",
        change="the cached prefix is computed with dropout",
        ending="INVALID",
        sentence=_PREFIX,
        put_in=_prefix_with_dropout,
        marker=_CACHED,
    ),
    Fault(
        name="time-halved",
        change="half of the training time is reported",
        ending="INVALID",
        sentence="the times contradict each other: all steps took *",
        put_in=_train_s(lambda result: result.train_s / 2),
    ),
    Fault(
        name="time-zero",
        change="the reported training time is 0",
        ending="INVALID",
        sentence="the times contradict each other: all steps took *, training 0.0000 s",
        put_in=_train_s(lambda _: 0.0),
    ),
    Fault(
        name="time-of-evaluation",
        change="evaluations count as training time",
        ending="INVALID",
        sentence="the times contradict each other: training took *, the windows of the meters *",
        put_in=_train_s(lambda result: result.train_and_eval_s),
    ),
)
