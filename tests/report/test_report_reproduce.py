"""The command that runs an experiment again, and its differences from the preset."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from experiments import settings
from freezebench.config.options import OPTIONS
from freezebench.config.settings import Settings, resolve
from freezebench.config.sources import Source
from freezebench.records.files import plain
from freezebench.report.reproduce import preset_differences, reproduction_command
from freezebench.specs.presets import PRESETS


def _resolved(text: str) -> Settings:
    """Return the settings that a command gives."""
    program, folder, *flags = shlex.split(text)
    assert (program, folder) == ("pytest", "benchmarks")
    names = {option.flag: option for option in OPTIONS}
    values: dict[str, Any] = {}
    for flag in flags:
        name, equals, value = flag.partition("=")
        values[names[name].name] = value if equals else True
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", ""))


def _comparable(requested: Settings) -> Settings:
    """Return settings without the names of their sources."""
    return replace(requested, preset_reason="", limits_from=None, named_specs=())


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"preset": "notebook", "model": "embedded", "data": "/some folder/it's mine", "epochs": "3"},
        {"lr": "5e-5,emb+L0-5:1e-3", "max_drop": "2,emb:1", "num_seeds": "3,5,8", "seed": "7", "margin": "1.5"},
        {"text_column": "premise,hypothesis", "label_column": "gold", "max_train": "100", "max_length": "64"},
        {"engine": "trainer", "precision": "float32", "batch_size": "8", "device": "cpu", "grid": "none,emb"},
        {"dropout": "yes", "preset": "embedded"},
        {"dropout": "no", "preset": "notebook"},
        {"min_speedup": "emb:1.5", "max_memory": "1.01", "pool_seeds": True},
        {"data": "./mine", "max_train": str(PRESETS["embedded"].data.max_train)},
        {"model": "$(touch x); <script>"},
        {"metric": "accuracy", "margin": "2", "test": "a=x y,b=it's", "max_test_drop": "4", "task": "multi-label"},
    ],
)
def test_the_command_gives_the_same_settings(flags: dict[str, Any]) -> None:
    """Every value is quoted for a shell; settings of the preset are not repeated."""
    requested = settings(**flags)
    again = _resolved(reproduction_command(json.loads(json.dumps(plain(requested)))))
    assert _comparable(again) == _comparable(requested)


# A value of every option of a test that differs from the default, with which ``test_no_option_is_forgotten`` begins.
_OTHER_VALUES = {
    "grid": "none,emb",
    "preset": "notebook",
    "model": "tiny",
    "data": "made-up",
    "text_column": "premise,hypothesis",
    "label_column": "gold",
    "bad_rows": "drop",
    "task": "multi-label",
    "test": "tweets=reviews:tweets,products=./my products",
    "slice_column": "domain",
    "group_column": "document",
    "num_seeds": "3,6",
    "seed": "7",
    "epochs": "7",
    "batch_size": "8",
    "lr": "5e-5,emb:1e-3",
    "tune_lr": "0.5,1,2",
    "max_train": "100",
    "max_length": "64",
    "dropout": "yes",
    "engine": "trainer",
    "prefix_mode": "train",
    "batch_order": "shuffled",
    "device": "cpu",
    "precision": "float32",
    "margin": "1.5",
    "metric": "accuracy",
    "max_drop": "2,emb:1",
    "max_slice_drop": "3.5",
    "max_test_drop": "4",
    "pool_seeds": True,
    "claims": True,
    "min_speedup": "emb:1.5",
    "min_energy_saving": "10",
    "min_memory_saving": "20",
    "max_time": "1.05,emb:1.1",
    "max_energy": "1.2",
    "max_regression": "1,none:0.5",
    "max_memory": "1.01",
    "inconclusive": "skip,emb:pass",
}


# Options without which one cannot be given.
_NEEDED = {"max_slice_drop": {"slice_column": "domain"}, "max_test_drop": {"test": "tweets=reviews:tweets"}}


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if not option.session_wide])
def test_no_option_is_forgotten(name: str) -> None:
    """The command keeps every option of a test; a new option needs a value above."""
    usual, requested = (
        resolve([Source(label="{flag}", values=values)], lambda: ("embedded", ""))
        for values in ({}, {name: _OTHER_VALUES[name], **_NEEDED.get(name, {})})
    )
    assert _comparable(requested) != _comparable(usual)
    again = _resolved(reproduction_command(json.loads(json.dumps(plain(requested)))))
    assert _comparable(again) == _comparable(requested)


def test_the_preset_alone_is_a_short_command() -> None:
    """Defaults are left out, except the configurations, model, data and the number of seeds."""
    requested = plain(resolve([Source(label="{flag}", values={"preset": "embedded"})], lambda: ("", "")))
    command = "pytest benchmarks --freeze-preset=embedded --freeze-grid=all --freeze-model=embedded"
    assert reproduction_command(requested) == f"{command} --freeze-data=reviews --freeze-num-seeds=3,5"
    assert preset_differences(requested) == "All settings are the preset's."


def test_differences_from_the_preset_are_named() -> None:
    """A run with another model does not reproduce the notebook."""
    requested = plain(settings(preset="notebook", lr="1e-3"))
    assert preset_differences(requested) == "These settings differ from the preset's: model, data, learning rates."
    tuned = plain(resolve([Source(label="{flag}", values={"tune_lr": "yes"})], lambda: ("embedded", "")))
    assert preset_differences(tuned) == "These settings differ from the preset's: tuned learning rates."
