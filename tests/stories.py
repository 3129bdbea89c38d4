"""Whole made-up sessions, one for each kind of answer: what terminal and page show for them is looked at and kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import made_up
import made_up_tasks
from freezebench.config.settings import resolve
from freezebench.config.sources import Source
from freezebench.records.reading import Reading
from freezebench.report.experiment import Experiment
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.config.settings import Settings
    from freezebench.records.run_record import RunRecord

# Accuracy, seconds of training, GiB, and share of the parameters, of the packaged model on film reviews.
_LADDER = {
    "none": (0.820, 61.0, 1.30, 1.0),
    "emb": (0.823, 59.8, 1.12, 0.48),
    "emb+L0": (0.824, 45.1, 1.05, 0.40),
    "emb+L0-1": (0.814, 35.8, 0.98, 0.32),
    "emb+L0-2": (0.808, 26.6, 0.91, 0.24),
    "emb+L0-3": (0.800, 17.3, 0.84, 0.16),
    "emb+L0-4": (0.790, 8.2, 0.77, 0.08),
    "emb+L0-5": (0.688, 0.24, 0.70, 0.01),
}
_NUM_PARAMS = 22_713_218


def _settings(**values: str) -> Settings:
    return resolve([Source(label="{flag}", values={"preset": "embedded", **values})], lambda: ("embedded", "x"))


def _runs(freeze: str, requested: Settings, *, num_test: int = 3000, **readings: float) -> list[RunRecord]:
    """Return the runs of one configuration with the figures of the ladder; ``readings`` replace some of them."""
    accuracy, seconds, gib, share = _LADDER[freeze]
    records = []
    for index, seed in enumerate(requested.seeds[:3]):
        # Runs of equal length would have an interval of no width.
        figures = {
            "train_s": (seconds * (1 + 0.02 * ((index + len(freeze)) % 3)), "s"),
            "peak_rss_bytes": (gib * 2**30, "B"),
            "contended_share": (0.004, "1"),
            **{name: (value, "1") for name, value in readings.items()},
        }
        record = made_up.record(freeze, seed, accuracy=accuracy, num_test=num_test)
        assert record.data is not None
        records.append(
            replace(
                record,
                spec=requested.run_spec(freeze, seed),
                data=replace(record.data, num_train=1200, num_validation=400),
                device_name="a CPU of two cores",
                num_layers=6,
                num_params=_NUM_PARAMS,
                num_trainable_params=round(share * _NUM_PARAMS),
                readings={
                    **{
                        name: Reading(value=value, unit=unit, source="made up")
                        for name, (value, unit) in figures.items()
                    },
                    "cpu_energy_j": Reading.not_measured("J", "powercap", made_up.NO_RAPL),
                },
            )
        )
    return records


def _experiment(requested: Settings, arms: dict[str, list[RunRecord]]) -> Experiment:
    results = [
        judge(freeze, records, arms["none"], margin_pp=requested.margin_pp, limit_pp=requested.max_drop.get(freeze))
        for freeze, records in arms.items()
    ]
    return Experiment.of(requested, summarize(results, requested))


def all_well() -> Experiment:
    """Return a session that recommends a configuration."""
    requested = _settings()
    return _experiment(requested, {freeze: _runs(freeze, requested) for freeze in _LADDER})


def nothing_safe() -> Experiment:
    """Return a session with too few test sentences to decide even the least frozen configuration."""
    requested = _settings(grid="none,emb+L0-2,emb+L0-3,emb+L0-4,emb+L0-5")
    grid = ("none", "emb+L0-2", "emb+L0-3", "emb+L0-4", "emb+L0-5")
    return _experiment(requested, {freeze: _runs(freeze, requested, num_test=400) for freeze in grid})


def all_invalid() -> Experiment:
    """Return a session whose rate was too low to learn anything, so that the baseline predicts one class."""
    requested = _settings(lr="1e-7")

    def constant(record: RunRecord) -> RunRecord:
        assert record.test is not None
        test = replace(record.test, predictions=(1,) * len(record.test.predictions), accuracy=0.5, f1=2 / 3)
        epochs = tuple(replace(epoch, train_loss=0.693) for epoch in record.epochs)
        return replace(record, test=test, epochs=epochs)

    return _experiment(requested, {freeze: [constant(run) for run in _runs(freeze, requested)] for freeze in _LADDER})


def contended() -> Experiment:
    """Return a session beside other work, which took turns with every run."""
    requested = _settings()
    return _experiment(requested, {freeze: _runs(freeze, requested, contended_share=0.41) for freeze in _LADDER})


def by_macro_f1() -> Experiment:
    """Return a session on three unbalanced classes that judges macro F1, slices, groups and further test sets."""
    fields = made_up_tasks.divided("sequence-classification", 1800)
    fields["test_sets"] = (made_up_tasks.further_set("sequence-classification", "tweets", 600),)
    noises = {"none": 0.8, "emb": 0.8, "emb+L0": 0.9, "emb+L0-1": 1.4}
    return made_up_tasks.experiment("sequence-classification", "macro-f1", noises=noises, **fields)


STORIES: dict[str, Callable[[], Experiment]] = {
    story.__name__: story for story in (all_well, nothing_safe, all_invalid, contended, by_macro_f1)
}
