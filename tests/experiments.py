"""Made-up experiments for tests of page and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import made_up
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.records.data_facts import SplitFacts
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.records.trace import RunTrace, TraceJson
from freezebench.report.experiment import Experiment
from freezebench.report.summary import Summary, summarize
from freezebench.verdicts.judge import ConfigurationResult, judge

ACCURACIES = {"none": 0.9, "emb": 0.9, "emb+L0": 0.88, "emb+L0-1": 0.7}
_STRETCH: TraceJson = {
    "rule": "at most 200 points",
    "series": [
        {
            "metric": "power_w",
            "device": "GPU-1",
            "times_s": [0.0, 1.0, 2.0],
            "values": [80.0, None, 90.0],
            "num_samples": 3,
        },
        {
            "metric": "rss_bytes",
            "device": "cpu",
            "times_s": [0.0, 1.0],
            "values": [2.0**30, 2.0**31],
            "num_samples": 2,
        },
    ],
}
# One stretch per epoch, as runs record them.
TRACE: RunTrace = {"stretches": [_STRETCH, _STRETCH]}
SPLITS = {
    "train": SplitFacts(class_counts=(60, 40), word_counts=(0, 0, 30, 50, 20), num_in_train=0, num_repeated=3),
    "validation": SplitFacts(class_counts=(25, 25), word_counts=(0, 0, 50), num_in_train=2, num_repeated=0),
    "test": SplitFacts(class_counts=(200, 200), word_counts=(0, 0, 400), num_in_train=7, num_repeated=1),
}
# Accuracy, seconds, GiB and joules of a ladder: figures of many sizes.
VARIED_FIGURES = {
    "none": (0.94, 145.4, 1.32, 8123.0),
    "emb": (0.94, 134.4, 1.30, 7902.0),
    "emb+L0": (0.93, 23.3, 1.25, 700.0),
    "emb+L0-3": (0.80, 9.754, 0.9, 81.0),
    "emb+L0-5": (0.65, 0.102, 0.61, 2.4),
}

_NUM_SEEDS = 3


def settings(**flags: Any) -> Settings:
    """Return settings of the tiny experiment."""
    values = {"model": "tiny", "data": "made-up", "max_drop": "5", **flags}
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "the default here"))


def on_gpu(record: RunRecord, **changes: Any) -> RunRecord:
    """Return a run with everything measured, as on a GPU, and with facts of its data."""
    order = {"none": 4, "emb": 3, "emb+L0": 2}.get(record.spec.freeze, 1)
    readings = {
        **record.readings,
        "peak_allocated_bytes": Reading(value=order * 2.0**30, unit="B", source="torch"),
        **{
            f"{phase}_s": Reading(value=share * order, unit="s", source="clock")
            for phase, share in {"data": 0.1, "forward": 0.3, "backward": 0.5, "optimizer": 0.1}.items()
        },
        "energy_j": Reading(value=order * 100.0 + record.spec.seed, unit="J", source="NVML", uncertainty=10.0),
    }
    changes.setdefault("data", record.data and replace(record.data, splits=SPLITS))
    return replace(record, device="cuda:0", device_name="a GPU", readings=readings, trace=TRACE, **changes)


def results(*, num: int = 3, everything: bool = True, **changes: Any) -> list[ConfigurationResult]:
    """Return the results of a small grid."""
    arms = {freeze: made_up.seeds(freeze, accuracy=accuracy, num=num) for freeze, accuracy in ACCURACIES.items()}
    if everything:
        arms = {freeze: [on_gpu(record, **changes) for record in records] for freeze, records in arms.items()}
    return [judge(freeze, arms[freeze], arms["none"], margin_pp=2.0, limit_pp=5.0) for freeze in arms]


def experiment(
    *, num: int = 3, everything: bool = True, flags: dict[str, Any] | None = None, **changes: Any
) -> Experiment:
    """Return the experiment of a small grid."""
    requested = settings(**(flags or {}))
    return Experiment.of(requested, summarize(results(num=num, everything=everything, **changes), requested))


def partly_fixed_experiment(**flags: Any) -> Experiment:
    """Return an experiment on a model that trains 800 of its 1,000 parameters without freezing.

    Freezing the embeddings alone changes nothing, and the last rung of the ladder would train nothing.
    """
    arms = {"none": (0.9, 800), "emb+L0": (0.9, 200)}
    runs = {
        freeze: [replace(record, num_trainable_params=num) for record in made_up.seeds(freeze, accuracy=accuracy)]
        for freeze, (accuracy, num) in arms.items()
    }
    configurations = [
        *(judge(freeze, runs[freeze], runs["none"], margin_pp=2.0, limit_pp=5.0) for freeze in runs),
        ConfigurationResult.not_run("emb", same_as="none"),
        ConfigurationResult.not_run("emb+L0-1", left_out="nothing of tiny would be left to train"),
    ]
    requested = settings(**flags)
    return Experiment.of(requested, summarize(configurations, requested))


def not_run_experiment() -> Experiment:
    """Return an experiment in which not even the baseline was run, since nothing was to be compared with it."""
    requested = settings()
    same = [ConfigurationResult.not_run(freeze, same_as="none") for freeze in ("emb", "emb+L0")]
    return Experiment.of(requested, summarize(same, requested))


def broken_experiment() -> Experiment:
    """Return an experiment without a valid run."""
    requested = settings()
    baseline, candidate = made_up.broken("none"), made_up.broken("emb")
    configurations = [
        judge(record.spec.freeze, [record], [baseline], margin_pp=2.0, limit_pp=None)
        for record in (baseline, candidate)
    ]
    return Experiment.of(requested, summarize(configurations, requested))


def summary_settings(model: str = "tiny", **flags: str) -> Settings:
    """Return the settings of an experiment without limits; the model may have a name that no option takes."""
    values = {"model": "tiny", "data": "made-up", **flags}
    return replace(resolve([Source(label="{flag}", values=values)], lambda: ("embedded", "x")), model=model)


def judged(freeze: str, accuracy: float, *, limit: float | None = 5.0, num: int = 3) -> ConfigurationResult:
    """Return the result of a configuration with this accuracy, against a baseline of 0.9."""
    baseline = made_up.seeds("none", accuracy=0.9, num=num)
    records = baseline if freeze == "none" else made_up.seeds(freeze, accuracy=accuracy, num=num)
    return judge(freeze, records, baseline, margin_pp=2.0, limit_pp=limit)


def trained(
    freeze: str, accuracy: float, loss: float, *, rate: float = 5e-5, unfrozen_rate: float = 5e-5, **changes: Any
) -> ConfigurationResult:
    """Return the result of a configuration whose training loss stayed at this value for 600 steps, its rate given.

    The unfrozen runs ended at a training loss of 0.5.
    """

    def at_rate(record: RunRecord, rate: float) -> RunRecord:
        protocol = replace(record.spec.protocol, learning_rate=rate)
        return replace(record, spec=replace(record.spec, protocol=protocol))

    records = [
        replace(
            at_rate(run, rate),
            epochs=tuple(replace(epoch, train_loss=loss) for epoch in run.epochs),
            **{"step_losses": (loss + run.spec.seed / 1e6,) * 600, **changes},
        )
        for run in made_up.seeds(freeze, accuracy=accuracy)
    ]
    baseline = [at_rate(run, unfrozen_rate) for run in made_up.seeds("none", accuracy=0.9)]
    return judge(freeze, records, baseline, margin_pp=2.0, limit_pp=5.0)


def small_summary() -> Summary:
    """Return the summary of a baseline, a configuration without a drop, and one with a large drop."""
    configurations = [judged("emb+L0", 0.7), judged("none", 0.9), judged("emb", 0.9)]
    return summarize(configurations, summary_settings(max_drop="5"))


def _varied_runs(freeze: str, *, on_gpu: bool, num_contended: int = 0) -> list[RunRecord]:
    """Return the runs of one configuration of ``VARIED_FIGURES``; the last ones trained beside other work."""
    accuracy, seconds, gib, joules = VARIED_FIGURES[freeze]
    names = ("peak_allocated_bytes", "energy_j") if on_gpu else ("peak_rss_bytes", "cpu_energy_j")
    energy = (
        Reading(value=joules, unit="J", source="NVML", uncertainty=0.05 * joules)
        if on_gpu
        else Reading.not_measured("J", "powercap", made_up.NO_RAPL)
    )
    readings = {
        names[0]: Reading(value=gib * 2**30, unit="B", source="torch"),
        names[1]: energy,
    }
    device: dict[str, Any] = {"device": "cuda:0", "device_name": "a GPU"} if on_gpu else {}
    runs = []
    for index, run in enumerate(made_up.seeds(freeze, accuracy=accuracy, readings=readings, **device)):
        is_contended = index >= _NUM_SEEDS - num_contended
        # Times differ a little from seed to seed, in a way of its own for each configuration.
        noise = 1 + 0.002 * ((len(freeze) + index * index) % 5)
        time_s = Reading(value=seconds * noise * (2.5 if is_contended else 1.0), unit="s", source="clock")
        timed = replace(run, readings={"train_s": time_s, **run.readings})
        runs.append(made_up.contended(timed, 0.3 + index / 100) if is_contended else timed)
    return runs


def varied_summary(*, on_gpu: bool, contended: Mapping[str, int] = MappingProxyType({}), **flags: str) -> Summary:
    """Return the summary of a ladder with figures of many sizes, and of some runs that trained beside other work."""
    limit = 5.0 if on_gpu else None
    asserted = {"max_drop": "5"} if on_gpu else {}
    arms = {
        freeze: _varied_runs(freeze, on_gpu=on_gpu, num_contended=contended.get(freeze, 0)) for freeze in VARIED_FIGURES
    }
    results = [
        judge(freeze, runs, arms["none"], margin_pp=2.0, limit_pp=None if freeze == "none" else limit)
        for freeze, runs in arms.items()
    ]
    return summarize(results, summary_settings(**asserted, **flags))
