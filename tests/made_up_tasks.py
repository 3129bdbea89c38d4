"""Made-up runs and experiments of every task, for tests of reports: scores are labels with noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import experiments
import made_up
from freezebench.records.data_facts import SetFacts
from freezebench.records.run_record import Evaluation, RunRecord
from freezebench.records.scores import pack_scores
from freezebench.report.experiment import Experiment
from freezebench.report.summary import summarize
from freezebench.scoring.metrics import metric_of
from freezebench.verdicts.crossed import Interval
from freezebench.verdicts.judge import ConfigurationResult, judge
from freezebench.verdicts.noninferiority import decide
from freezebench.verdicts.subsets import SubsetVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from freezebench.specs.names import TaskName
    from freezebench.verdicts.subsets import SubsetKind

LABELS: dict[TaskName, tuple[str, ...]] = {
    "sequence-classification": ("negative", "neutral", "positive"),
    "regression": ("rating",),
    "multi-label": ("price", "service", "taste"),
    "token-classification": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
}
NOISES = {"none": 0.5, "emb": 0.5, "emb+L0": 0.9}
_SENTENCE = 6  # words of a sentence


def run(
    task: TaskName, freeze: str = "none", seed: int = 42, *, noise: float = 0.5, num_test: int = 300, **changes: Any
) -> RunRecord:
    """Return a valid run of a task: the larger the noise, the worse.

    Args:
        task: What it learns.
        freeze: Canonical id of the freeze spec.
        seed: Its seed.
        noise: Standard deviation of what is added to scores that are right.
        num_test: Number of test examples.
        changes: Fields of the data, such as ``test_slices``, ``slice_names``, ``test_groups`` and ``test_sets``.
    """
    record = made_up.record(freeze, seed, num_test=num_test)
    assert record.data is not None
    evaluation, facts = _evaluated(task, freeze, seed, noise, num_test)
    tests = {}
    for item in changes.get("test_sets", ()):
        # Texts of other kinds are harder.
        tests[item.name], _ = _evaluated(task, freeze, seed, 1.3 * noise, item.num_test)
    data = replace(record.data, task=task, label_names=LABELS[task], **{**facts, **changes})
    return replace(record, data=data, test=evaluation, tests=tests)


def further_set(task: TaskName, name: str, num_test: int = 200, **changes: Any) -> SetFacts:
    """Return the facts of a further test set of a task."""
    facts = _evaluated(task, "none", 0, 0.0, num_test)[1]
    return SetFacts(name=name, source=f"reviews:{name}", num_test=num_test, test_sha256=name, **{**facts, **changes})


def divided(task: TaskName, num_test: int = 300) -> dict[str, Any]:
    """Return fields of the data that divide its test split into slices and groups, and add further test sets."""
    return {
        "num_test": num_test,
        "test_sets": (further_set(task, "tweets"), further_set(task, "few", 12)),
        "test_slices": tuple(index % 3 for index in range(num_test)),
        "slice_names": ("books", "films", "music"),
        "test_groups": tuple(index // 2 for index in range(num_test)),
    }


def arms(task: TaskName, noises: Mapping[str, float], *, num: int = 3, **options: Any) -> dict[str, list[RunRecord]]:
    """Return runs of several configurations, with several seeds each."""
    return {
        freeze: [run(task, freeze, 42 + index, noise=noise, **options) for index in range(num)]
        for freeze, noise in noises.items()
    }


def results(
    task: TaskName,
    metric: str | None = None,
    *,
    margin: float = 2.0,
    limit: float | None = None,
    noises: Mapping[str, float] = NOISES,
    **options: Any,
) -> list[ConfigurationResult]:
    """Return the results of a small grid, judged by a metric."""
    runs = arms(task, noises, **options)
    judged = metric_of(metric, task, LABELS[task])
    return [
        judge(freeze, runs[freeze], runs["none"], margin_pp=margin, limit_pp=limit, metric=judged) for freeze in runs
    ]


def experiment(
    task: TaskName, metric: str | None = None, *, flags: Mapping[str, Any] | None = None, **options: Any
) -> Experiment:
    """Return the experiment of a small grid, judged by a metric."""
    named = {} if metric is None else {"metric": metric}
    requested = replace(
        experiments.settings(**{**named, "margin": str(options.get("margin", 2.0)), **(flags or {})}), limits_from=None
    )
    return Experiment.of(requested, summarize(results(task, metric, **options), requested))


def subset(
    kind: SubsetKind, name: str, drop: float | None, *, half: float = 1.0, num: int = 120, too_few: str | None = None
) -> SubsetVerdict:
    """Return the verdict on a class, slice or test set, at a margin of 2 points; without a drop it has none."""
    verdict = None
    if drop is not None:
        interval = Interval(
            drop_pp=drop, lower_pp=drop - half, upper_pp=drop + half, se_pp=half / 2, df=10.0, alpha=0.05, num_seeds=3,
            num_sentences=num,
        )  # fmt: skip
        verdict = decide(interval, 2.0, too_few=too_few)
    return SubsetVerdict(
        name=name,
        kind=kind,
        num_examples=num,
        baseline=0.9,
        candidate=None if drop is None else 0.9 - drop / 100,
        verdict=verdict,
        reason="too few examples: 3 sentences" if drop is None else "",
    )


def with_subsets(name: str = "", *, slice_column: str | None = None) -> Experiment:
    """Return an experiment whose candidates have verdicts on classes, slices and test sets, named with a text."""
    experiment = experiments.experiment(num=3)
    results = []
    for result in experiment.results:
        records = tuple(
            replace(record, spec=replace(record.spec, data=replace(record.spec.data, slice_column=slice_column)))
            for record in result.records
        )
        worse = 10.0 if result.freeze in ("emb+L0", "emb+L0-1") else 0.0
        results.append(
            replace(
                result,
                records=records,
                classes=(subset("class", f"{name}bad", worse), subset("class", f"{name}good", 0.1)),
                slices=(subset("slice", f"{name}books", worse / 2), subset("slice", f"{name}films", None, num=3)),
                test_sets=(
                    subset("test set", f"{name}tweets", 0.4),
                    subset("test set", f"{name}products", 0.5, too_few="9 sentences of class bad"),
                ),
            )
        )
    requested = experiments.settings()
    return Experiment.of(requested, summarize(results, requested))


def _evaluated(
    task: TaskName, freeze: str, seed: int, noise: float, num_test: int
) -> tuple[Evaluation, dict[str, Any]]:
    """Return the evaluation of a run on made-up labels, and the facts of these."""
    truth, own = np.random.default_rng(num_test), np.random.default_rng([seed, *freeze.encode()])
    # Part of the noise is that of the sentence, which all runs share: that is what pairing lives from.
    shape = (num_test * (_SENTENCE if task == "token-classification" else 1), len(LABELS[task]))
    shared = truth.normal(size=shape)
    errors = noise * (0.9 * shared + 0.4 * own.normal(size=shape))
    if task == "regression":
        values = truth.normal(3, 1, num_test).round(1)
        scores = (values[:, np.newaxis] + errors).astype(np.float32)
        evaluation = Evaluation(loss=noise**2, accuracy=None, f1=None, scores=pack_scores(scores))
        return evaluation, {"test_labels": (), "test_values": tuple(values.tolist())}
    labels = _labels(task, truth, shape)
    targets = labels if task == "multi-label" else np.eye(shape[1])[labels]
    scores = (2 * targets - 1 + errors).astype(np.float32)
    predictions = (scores > 0).astype(int) if task == "multi-label" else scores.argmax(axis=1)
    share = float((predictions == labels).mean())
    evaluation = Evaluation(
        loss=0.3, accuracy=share, f1=share, predictions=tuple(predictions.ravel().tolist()), scores=pack_scores(scores)
    )
    facts: dict[str, Any] = {"test_labels": tuple(labels.ravel().tolist())}
    if task == "token-classification":
        facts["test_lengths"] = (_SENTENCE,) * num_test
    return evaluation, facts


def _labels(task: TaskName, truth: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return true labels: of classes one per row, of several labels 0 or 1 for each, of words the tags of entities."""
    if task == "multi-label":
        return (truth.random(shape) < (0.5, 0.3, 0.2)).astype(np.int64)
    if task == "sequence-classification":
        return truth.choice(shape[1], shape[0], p=(0.55, 0.3, 0.15)).astype(np.int64)
    persons, places = np.array([0, 1, 2, 0, 0, 3]), np.array([3, 4, 0, 0, 1, 0])
    sentences = [persons if truth.random() < 0.5 else places for _ in range(shape[0] // _SENTENCE)]
    return np.concatenate(sentences)
