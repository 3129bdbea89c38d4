"""Finished runs of every task whose scores are signal, difficulty and noise, for tests of verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import made_up
from freezebench.records.data_facts import SetFacts
from freezebench.records.evaluated import evaluated_examples
from freezebench.records.run_record import Evaluation
from freezebench.records.scores import pack_scores
from freezebench.scoring.metrics import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.names import TaskName


NAMES: dict[TaskName, tuple[str, ...]] = {
    "sequence-classification": ("negative", "neutral", "positive"),
    "multi-label": ("toxic", "rude", "long"),
    "token-classification": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "regression": ("stars",),
}
# Words of a sentence of token classification: two persons of two words, a place of one.
_SENTENCE = (1, 2, 0, 0, 3, 0, 1, 2)


def runs(
    task: TaskName,
    freeze: str = "none",
    *,
    noise: float = 0.5,
    num: int = 3,
    num_test: int = 300,
    shares: Sequence[float] = (0.55, 0.3, 0.15),
    blind: Mapping[int, float] | None = None,
    further: Sequence[str] = (),
    **facts: Any,
) -> list[RunRecord]:
    """Return the runs of one configuration with several seeds.

    Args:
        task: What is learned.
        freeze: The configuration.
        noise: Standard deviation of what is random in a score, from run to run.
        num: Number of seeds.
        num_test: Number of test examples.
        shares: Share of every class, or of every label.
        blind: By how much the score of the right class is lower than it would be, for some classes or labels.
        further: Names of further test sets.
        facts: Fields of the data set, such as ``test_groups``.
    """
    base = made_up.facts(num_test)
    data = replace(base, task=task, label_names=NAMES[task], **_labels(task, num_test, shares, 1))
    sets = tuple(
        SetFacts(name=name, source=name, num_test=num_test, test_sha256=name, **_labels(task, num_test, shares, number))
        for number, name in enumerate(further, 2)
    )
    data = replace(data, test_sets=sets, **facts)
    records = []
    for run in made_up.seeds(freeze, num=num, num_test=num_test, data=data):
        rng = np.random.default_rng([run.spec.seed, *freeze.encode()])
        evaluations = {name: _evaluation(data, name, rng, noise, blind or {}) for name in ("", *further)}
        records.append(replace(run, test=evaluations.pop(""), tests=evaluations))
    return records


def _labels(task: TaskName, num_test: int, shares: Sequence[float], number: int) -> dict[str, Any]:
    """Return the true labels of a test set, as its facts hold them."""
    rng = np.random.default_rng(number)
    if task == "regression":
        return {"test_labels": (), "test_values": tuple(rng.normal(3, 1, num_test).tolist())}
    if task == "multi-label":
        has = rng.random((num_test, 3)) < np.array(shares)
        return {"test_labels": tuple(has.astype(int).ravel().tolist())}
    if task == "token-classification":
        lengths = rng.choice([5, 6, 8], num_test)
        labels = [label for length in lengths for label in _SENTENCE[:length]]
        return {"test_labels": tuple(labels), "test_lengths": tuple(lengths.tolist())}
    return {"test_labels": tuple(rng.choice(3, num_test, p=shares).tolist())}


def _evaluation(data: Any, name: str, rng: np.random.Generator, noise: float, blind: Mapping[int, float]) -> Evaluation:
    """Return the evaluation of a run on a test set: scores of signal, difficulty of the example, and noise."""
    facts = data.of_test_set(name)
    difficulty = np.random.default_rng(7)
    if data.task == "regression":
        values = np.array(facts.test_values, dtype=float)
        scores = values + 0.5 * difficulty.normal(size=len(values)) + noise * rng.normal(size=len(values))
        packed = pack_scores(scores[:, np.newaxis].astype(np.float32))
        return Evaluation(loss=0.3, accuracy=None, f1=None, scores=packed)
    labels = np.array(facts.test_labels)
    if data.task == "multi-label":
        labels = labels.reshape(-1, 3)
        weaker = np.array([blind.get(label, 0.0) for label in range(3)])
        signal = 1.5 * (2 * labels - 1) - weaker * labels
    else:
        signal = 2.0 * np.eye(len(data.label_names))[labels]
        for label, lower in blind.items():
            signal[labels == label, label] -= lower
            if data.task == "token-classification":
                signal[labels == label, 0] += lower  # else the tag of a later word of the same type is likely
    scores = signal + 0.7 * difficulty.normal(size=signal.shape) + noise * rng.normal(size=signal.shape)
    predictions = (scores > 0) if data.task == "multi-label" else scores.argmax(axis=1)
    evaluation = Evaluation(
        loss=0.3,
        accuracy=0.0,
        f1=0.5,
        predictions=tuple(predictions.astype(int).ravel().tolist()),
        scores=pack_scores(scores.astype(np.float32)),
    )
    examples = evaluated_examples(evaluation, data, facts)
    share = float((examples.labels == examples.predictions).mean())
    return replace(evaluation, accuracy=ACCURACY.value(examples) if data.task == "multi-label" else share)
