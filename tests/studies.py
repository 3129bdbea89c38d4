"""Made-up sessions of several experiments: what terminal, Markdown and page show for them is looked at and kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import made_up
from freezebench.config.settings import resolve
from freezebench.config.sources import Source
from freezebench.records.reading import Reading
from freezebench.report.experiment import Experiment
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import ConfigurationResult, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freezebench.config.settings import Settings
    from freezebench.records.run_record import RunRecord

_CPU = "a CPU of two cores"


@dataclass(frozen=True, kw_only=True)
class Study:
    """One made-up experiment.

    Attributes:
        model: Its model.
        data: Its data set.
        depth: Number of layers of the model.
        accuracies: Accuracy of every configuration that was run.
        num_test: Number of test sentences; few leave small drops undecided.
        device: The device model.
        change: Returns what becomes of a run.
        not_run: Configurations that were not run, with the one that trains the same.
        flags: Further settings.
    """

    model: str = "small"
    data: str = "reviews"
    depth: int = 6
    accuracies: Mapping[str, float] = field(default_factory=lambda: ladder(6, safe=3))
    num_test: int = 3000
    device: str = _CPU
    change: Callable[[RunRecord], RunRecord] = lambda run: run
    not_run: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, Any] = field(default_factory=dict)

    def experiment(self) -> Experiment:
        """Return the experiment with its results."""
        values = {"preset": "embedded", "model": self.model, "data": self.data, "max_drop": "20", **self.flags}
        settings = resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x"))
        arms = {freeze: self._runs(freeze, settings) for freeze in self.accuracies}
        results = [
            judge(freeze, runs, arms["none"], margin_pp=settings.margin_pp, limit_pp=None)
            for freeze, runs in arms.items()
        ]
        results += [ConfigurationResult.not_run(freeze, same_as=same) for freeze, same in self.not_run.items()]
        return Experiment.of(settings, summarize(results, settings))

    def _runs(self, freeze: str, settings: Settings) -> list[RunRecord]:
        """Return the runs of one configuration; each frozen layer saves its share of time and memory."""
        num_frozen = list(self.accuracies).index(freeze)
        share = 1 - 0.95 * num_frozen / (self.depth + 1)
        runs = []
        for index, seed in enumerate(settings.seeds[:3]):
            run = made_up.record(freeze, seed, accuracy=self.accuracies[freeze], num_test=self.num_test)
            readings = {
                "train_s": Reading(value=60 * share * (1 + 0.01 * ((index + num_frozen) % 3)), unit="s", source="x"),
                "peak_rss_bytes": Reading(value=2.0**30 * (0.5 + share / 2), unit="B", source="x"),
                "cpu_energy_j": Reading.not_measured("J", "powercap", made_up.NO_RAPL),
            }
            changed = replace(
                run,
                spec=settings.run_spec(freeze, seed),
                device_name=self.device,
                num_layers=self.depth,
                num_params=1_000_000,
                num_trainable_params=round(1_000_000 * share),
                readings=readings,
            )
            runs.append(self.change(changed))
        return runs


def ladder(depth: int, *, safe: int, base: float = 0.8, loss: float = 0.06) -> dict[str, float]:
    """Return the accuracies of a whole ladder of which the first ``safe`` prefixes lose next to nothing."""
    names = ["emb", *(f"emb+L0-{last}" if last else "emb+L0" for last in range(depth))]
    return {
        "none": base,
        **{name: base - (0.002 if index < safe else loss) for index, name in enumerate(names)},
    }


def _on_gpu(run: RunRecord) -> RunRecord:
    """Return a run on a GPU, with its memory and energy."""
    seconds = run.value("train_s") or 0.0
    readings = {
        **run.readings,
        "peak_allocated_bytes": Reading(value=run.value("peak_rss_bytes"), unit="B", source="torch"),
        "energy_j": Reading(value=250 * seconds, unit="J", source="NVML", uncertainty=5 * seconds),
    }
    return replace(run, device="cuda:0", readings=readings)


def _broken(run: RunRecord) -> RunRecord:
    """Return a run without freezing as a broken one, other runs as they are."""
    return run if run.spec.freeze != "none" else made_up.broken("none", run.spec.seed)


def one() -> list[Experiment]:
    """Return a single experiment."""
    return [Study().experiment()]


def two_by_two() -> list[Experiment]:
    """Return two models on two data sets; the second model is half as deep."""
    return [
        Study(model=model, data=data, depth=depth, accuracies=ladder(depth, safe=safe)).experiment()
        for model, data, depth, safe in (
            ("large", "reviews", 6, 4),
            ("large", "tweets", 6, 3),
            ("small", "reviews", 3, 2),
            ("small", "tweets", 3, 4),
        )
    ]


def uneven() -> list[Experiment]:
    """Return experiments that do not fill the matrix, on two device models, with grids of their own."""
    return [
        Study(model="large", accuracies=ladder(6, safe=5)).experiment(),
        Study(model="large", accuracies=ladder(6, safe=4), flags={"epochs": "5"}).experiment(),
        Study(
            model="large", data="tweets", depth=12, accuracies={"none": 0.8, "emb": 0.8, "emb+L0-3": 0.8}
        ).experiment(),
        Study(device="NVIDIA GPU of another kind", change=_on_gpu).experiment(),
    ]


def mixed_answers() -> list[Experiment]:
    """Return one experiment of each kind of answer: only the first one has a safe prefix."""
    return [
        Study().experiment(),
        Study(data="broken", change=_broken).experiment(),
        Study(data="few", num_test=60).experiment(),
        Study(data="hard", accuracies=ladder(6, safe=0)).experiment(),
        Study(data="alone", accuracies={"none": 0.8}).experiment(),
        Study(model="fixed", accuracies={"none": 0.8, "emb+L0": 0.8}, not_run={"emb": "none"}).experiment(),
        Study(model="fixed", data="hard", accuracies={"none": 0.8}, not_run={"emb": "none"}).experiment(),
    ]


def strategies() -> list[Experiment]:
    """Return an experiment that compares freezing with strategies, some of long names."""
    accuracies = {
        "none": 0.8,
        "emb+L0-2": 0.8,
        "bitfit": 0.798,
        "emb+L0-2+bitfit": 0.795,
        "emb+lora(r=4,alpha=8)": 0.74,
    }
    return [Study(accuracies=accuracies).experiment()]


def long_names(num: int) -> list[Experiment]:
    """Return some models with long names on one data set."""
    return [
        Study(
            model=f"an-organization-of-long-name/a-model-of-long-name-{number:02}-uncased-whole-word-masking",
            data="another-organization/reviews-of-films-and-products",
            accuracies=ladder(6, safe=number % 8),
        ).experiment()
        for number in range(num)
    ]


def thirty_models() -> list[Experiment]:
    """Return thirty models with long names on one data set."""
    return long_names(30)


STUDIES: dict[str, Callable[[], list[Experiment]]] = {
    study.__name__: study for study in (two_by_two, uneven, mixed_answers, thirty_models)
}
