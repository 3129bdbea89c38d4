"""freezebench: which encoder layers can be frozen, what accuracy it costs, and what time, memory and energy it saves.

Freeze the embeddings and the first two layers of a model, and judge outcomes that you have already:

>>> import freezebench
>>> spec = freezebench.FreezeSpec.parse("emb+L0-1")
>>> spec.num_frozen_layers
2
>>> baseline = [[True] * 95 + [False] * 5] * 3   # 3 seeds x 100 sentences: was the prediction right?
>>> frozen = [[True] * 94 + [False] * 6] * 3
>>> verdict = freezebench.noninferiority(baseline, frozen, margin_pp=5)
>>> verdict.outcome, round(verdict.drop_pp, 1)
('non_inferior', 1.0)

``load_model`` and ``freeze`` apply a spec to a model, ``run`` trains and records one configuration, and ``measure``
measures any code. Training by pytest needs none of this: see ``pytest --help``, group freezebench.

The public names are loaded on first use (PEP 562), so that importing the pytest plugin loads neither torch nor numpy.
All modules of the package are internal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.errors import (
        DataError,
        FreezebenchError,
        ModelError,
        NothingToTrainError,
        RecordError,
        SettingsError,
        SpecError,
        UnknownNameError,
    )
    from freezebench.meters.devices import DeviceInfo
    from freezebench.meters.trace import Series, Trace
    from freezebench.meters.window import MeterSession, Window, measure
    from freezebench.models.by_name import load_model
    from freezebench.pytest_plugin.fixtures import FreezeRun
    from freezebench.records.data_facts import DataFacts, SetFacts, SplitFacts
    from freezebench.records.reading import Reading
    from freezebench.records.run_record import EpochRecord, Evaluation, RunRecord
    from freezebench.records.trace import RunTrace, SeriesJson, TraceJson
    from freezebench.runs.single import run
    from freezebench.specs.data import DataSpec, NamedSource
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.grid import PerSpec, parse_grid
    from freezebench.specs.interim_looks import InterimLooks
    from freezebench.specs.limits import CostLimits
    from freezebench.specs.presets import Preset, preset
    from freezebench.specs.run import Protocol, RunSpec
    from freezebench.specs.strategy import StrategySpec
    from freezebench.strategies.base import Stage, Strategy, Trainable
    from freezebench.strategies.freeze import FreezeSummary, freeze
    from freezebench.verdicts.crossed import Interval
    from freezebench.verdicts.gate import Part
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.mean_squares import OutcomesError
    from freezebench.verdicts.noninferiority import Verdict, noninferiority
    from freezebench.verdicts.subsets import SubsetVerdict
    from freezebench.verdicts.tuned_rate import RateTrial, TunedRate

# The only place of the version: pyproject.toml reads it from here.
__version__ = "0.1.0"

# Type checkers read the imports above and this list, Python the modules below: tests hold that the three agree.
__all__ = [
    "ConfigurationResult",
    "CostLimits",
    "DataError",
    "DataFacts",
    "DataSpec",
    "DeviceInfo",
    "EpochRecord",
    "Evaluation",
    "FreezeRun",
    "FreezeSpec",
    "FreezeSummary",
    "FreezebenchError",
    "InterimLooks",
    "Interval",
    "MeterSession",
    "ModelError",
    "NamedSource",
    "NothingToTrainError",
    "OutcomesError",
    "Part",
    "PerSpec",
    "Preset",
    "Protocol",
    "RateTrial",
    "Reading",
    "RecordError",
    "RunRecord",
    "RunSpec",
    "RunTrace",
    "Series",
    "SeriesJson",
    "SetFacts",
    "Settings",
    "SettingsError",
    "SpecError",
    "SplitFacts",
    "Stage",
    "Strategy",
    "StrategySpec",
    "SubsetVerdict",
    "Trace",
    "TraceJson",
    "Trainable",
    "TunedRate",
    "UnknownNameError",
    "Verdict",
    "Window",
    "freeze",
    "load_model",
    "measure",
    "noninferiority",
    "parse_grid",
    "preset",
    "run",
]

_NAMES = {
    "config.settings": ("Settings",),
    "errors": (
        "DataError",
        "FreezebenchError",
        "ModelError",
        "NothingToTrainError",
        "RecordError",
        "SettingsError",
        "SpecError",
        "UnknownNameError",
    ),
    "meters.devices": ("DeviceInfo",),
    "meters.trace": ("Series", "Trace"),
    "meters.window": ("MeterSession", "Window", "measure"),
    "models.by_name": ("load_model",),
    "pytest_plugin.fixtures": ("FreezeRun",),
    "records.data_facts": ("DataFacts", "SetFacts", "SplitFacts"),
    "records.reading": ("Reading",),
    "records.run_record": ("EpochRecord", "Evaluation", "RunRecord"),
    "records.trace": ("RunTrace", "SeriesJson", "TraceJson"),
    "runs.single": ("run",),
    "specs.freeze": ("FreezeSpec",),
    "specs.grid": ("PerSpec", "parse_grid"),
    "specs.interim_looks": ("InterimLooks",),
    "specs.limits": ("CostLimits",),
    "specs.presets": ("Preset", "preset"),
    "specs.data": ("DataSpec", "NamedSource"),
    "specs.run": ("Protocol", "RunSpec"),
    "specs.strategy": ("StrategySpec",),
    "strategies.base": ("Stage", "Strategy", "Trainable"),
    "strategies.freeze": ("FreezeSummary", "freeze"),
    "verdicts.crossed": ("Interval",),
    "verdicts.gate": ("Part",),
    "verdicts.judge": ("ConfigurationResult",),
    "verdicts.mean_squares": ("OutcomesError",),
    "verdicts.noninferiority": ("Verdict", "noninferiority"),
    "verdicts.subsets": ("SubsetVerdict",),
    "verdicts.tuned_rate": ("RateTrial", "TunedRate"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


# Type checkers must not see it: to them, every name would then exist.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Return a public name from the module that defines it, which is imported now.

        Raises:
            AttributeError: If the name is not public.
        """
        if name not in _MODULES:
            from freezebench.units import did_you_mean

            raise AttributeError(f"module 'freezebench' has no attribute {name!r}.{did_you_mean(name, __all__)}")
        value: object = getattr(import_module(f"freezebench.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the names of the package, the public ones included."""
    return sorted({*globals(), *__all__})
