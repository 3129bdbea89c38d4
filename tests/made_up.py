"""Finished runs made up of plain figures, for tests of verdicts and reports."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from freezebench.planning.finished import FinishedRuns, NeededRun
from freezebench.records.consistency import f1_score
from freezebench.records.data_facts import DataFacts
from freezebench.records.reading import Reading
from freezebench.records.run_record import EpochRecord, Evaluation, RunRecord
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings

NO_RAPL = "no /sys/class/powercap"


def record(
    freeze: str = "none", seed: int = 42, *, accuracy: float = 0.9, num_test: int = 400, **changes: Any
) -> RunRecord:
    """Return a valid run whose outcomes are drawn from seed and accuracy."""
    rng = np.random.default_rng([seed, *freeze.encode()])
    labels = np.arange(num_test) % 2
    # Sentences differ in difficulty, in the same way for every run: that is what pairing lives from.
    difficulty = np.random.default_rng(1).random(num_test)
    is_wrong = difficulty + 0.05 * rng.random(num_test) > accuracy
    predictions = np.where(is_wrong, 1 - labels, labels)
    frozen = {"none": 0, "emb": 1}.get(freeze, 2)
    test = Evaluation(
        loss=0.3,
        accuracy=float((predictions == labels).mean()),
        f1=f1_score(labels.tolist(), predictions.tolist(), 2),
        predictions=tuple(predictions.tolist()),
    )
    validation = replace(test, predictions=())
    values = {
        "spec": RunSpec(
            model="tiny",
            data=DataSpec(source="made-up"),
            freeze=freeze,
            seed=seed,
            protocol=Protocol(num_epochs=2),
        ),
        "started_at": "2026-11-23T00:00:00+00:00",
        "device": "cpu",
        "device_name": "a CPU",
        "precision": "float32",
        "model_sha256": "ab" * 32,
        "files_sha256": "ef" * 32,
        "data": DataFacts(
            num_train=100,
            num_validation=50,
            num_test=num_test,
            train_sha256="t",
            validation_sha256="v",
            test_sha256=f"test{num_test}",
            test_labels=tuple(labels.tolist()),
            label_names=("negative", "positive"),
        ),
        "num_layers": 2,
        "num_params": 1000,
        "num_trainable_params": 1000 - 300 * frozen,
        # Runs of two seeds never have the same losses.
        "step_losses": (0.7 + seed / 1e6, 0.5),
        "epochs": (
            EpochRecord(epoch=1, train_loss=0.7, train_s=5.0, validation=validation),
            EpochRecord(epoch=2, train_loss=0.5, train_s=5.0, validation=validation),
        ),
        "best_epoch": 1,
        "test": test,
        "readings": {
            "train_s": Reading(value=10.0 / (1 + frozen), unit="s", source="clock"),
            "samples_per_s": Reading(value=20.0 * (1 + frozen), unit="1/s", source="clock"),
            "peak_rss_bytes": Reading(value=2.0**30 * (2 - frozen / 2), unit="B", source="VmHWM"),
            "cpu_energy_j": Reading.not_measured("J", "powercap", NO_RAPL),
        },
        "environment": {"torch": "2.13.0"},
    }
    return RunRecord(**{**values, **changes})


class Inputs:
    """In place of a ``DataCache``: the hashes of the data and models of all made-up runs."""

    def __init__(self) -> None:
        run = record()
        self._data = SimpleNamespace(facts=run.data)
        self._files = SimpleNamespace(weights_sha256=run.model_sha256, files_sha256=run.files_sha256)

    def data(self, _: RunSpec) -> SimpleNamespace:
        """Return the facts of the data, with their hashes."""
        return self._data

    def file_hashes(self, _: RunSpec) -> SimpleNamespace:
        """Return the hashes of a model's files."""
        return self._files


def facts(num_test: int, *, num_distinct: int | None = None) -> DataFacts:
    """Return the facts of a data set whose last test sentences repeat the first ones if fewer are distinct."""
    data = record(num_test=num_test).data
    assert data is not None
    groups = None if num_distinct is None else tuple(index % num_distinct for index in range(num_test))
    return replace(data, test_groups=groups)


def seeds(freeze: str, *, num: int = 3, **options: Any) -> list[RunRecord]:
    """Return one configuration's runs with several seeds."""
    return [record(freeze, 42 + index, **options) for index in range(num)]


def contended(run: RunRecord, share: float = 0.41) -> RunRecord:
    """Return a run whose threads waited for a processor for this share of the training time."""
    waited = Reading(value=share, unit="1", source="made up")
    return replace(run, readings={**run.readings, "contended_share": waited})


def broken(freeze: str, seed: int = 42) -> RunRecord:
    """Return a run that broke."""
    return RunRecord(
        spec=record(freeze, seed).spec, status="invalid", cause="non_finite_loss", reason="non-finite loss: at step 3"
    )


def one_class(freeze: str, seed: int = 42) -> RunRecord:
    """Return a valid run that predicts the same class for every test sentence."""
    valid = record(freeze, seed)
    assert valid.test is not None
    predictions = (0,) * len(valid.test.predictions)
    return replace(valid, test=replace(valid.test, accuracy=0.5, f1=0.0, predictions=predictions))


def predicting(freeze: str, labels: Sequence[int], predictions: Sequence[int], **changes: Any) -> list[RunRecord]:
    """Return three runs with these predictions for a test set with these labels."""
    runs = []
    for run in seeds(freeze, num_test=len(labels), **changes):
        assert run.test is not None
        assert run.data is not None
        accuracy = float(np.mean(np.array(labels) == np.array(predictions)))
        runs.append(
            replace(
                run,
                test=replace(run.test, predictions=tuple(predictions), accuracy=accuracy),
                data=replace(run.data, test_labels=tuple(labels)),
            )
        )
    return runs


def lopsided(freeze: str, share: float) -> list[RunRecord]:
    """Return runs on 400 sentences, 97 % of class 0, that find this share of the others and make no other mistake."""
    labels = [1] * 12 + [0] * 388
    return predicting(freeze, labels, [int(index < share * 12) for index in range(400)])


def three_classes(freeze: str, predicted: Sequence[int], *, num_rare: int = 12) -> list[RunRecord]:
    """Return runs that predict some of three classes, of which the last is rare; class 0 instead of the others."""
    labels = [2] * num_rare + [0, 1] * 194
    runs = predicting(freeze, labels, [label if label in predicted else 0 for label in labels])
    names = ("negative", "positive", "rare")
    return [replace(run, data=run.data and replace(run.data, label_names=names)) for run in runs]


def alike(freeze: str, *seeds: int) -> list[RunRecord]:
    """Return runs whose seeds have no effect: all predict the same."""
    first = record(freeze)
    return [replace(first, spec=replace(first.spec, seed=seed)) for seed in seeds]


def finished(settings: Settings, *records: RunRecord) -> FinishedRuns:
    """Return runs as finished ones of a session with these settings."""
    runs = FinishedRuns()
    for item in records:
        runs.add(NeededRun(spec=settings.run_spec(item.spec.freeze, item.spec.seed)), item)
    return runs
