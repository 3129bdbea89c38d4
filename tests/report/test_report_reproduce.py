"""The command that runs an experiment again asks for the same experiment."""

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
from freezebench.report.reproduce import command, unlike


def _again(text: str) -> Settings:
    """Return what a command asks for."""
    program, folder, *flags = shlex.split(text)
    assert (program, folder) == ("pytest", "benchmarks")
    names = {option.flag: option for option in OPTIONS}
    values: dict[str, Any] = {}
    for flag in flags:
        name, equals, value = flag.partition("=")
        values[names[name].name] = value if equals else True
    return resolve([Source(label="{flag}", values=values)], lambda: ("embedded", ""))


def _aside(asked: Settings) -> Settings:
    """Return settings without where they come from."""
    return replace(asked, preset_reason="", limits_from=None, named_specs=())


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"preset": "notebook", "model": "embedded", "data": "/some folder/it's mine", "epochs": "3"},
        {"lr": "5e-5,emb+L0-5:1e-3", "max_drop": "2,emb:1", "num_seeds": "3,5,8", "seed": "7", "margin": "1.5"},
        {"text_column": "premise,hypothesis", "label_column": "gold", "max_train": "100", "max_length": "64"},
        {"engine": "trainer", "precision": "float32", "batch_size": "8", "device": "cpu", "grid": "none,emb"},
        {"min_speedup": "emb:1.5", "max_memory": "1.01", "pool_seeds": True},
        {"model": "$(touch x); <script>"},
    ],
)
def test_the_command_asks_for_the_same_experiment(flags: dict[str, Any]) -> None:
    """Whatever was set, quoted for a shell; what stays the preset's is not repeated."""
    asked = settings(**flags)
    again = _again(command(json.loads(json.dumps(plain(asked)))))
    assert _aside(again) == _aside(asked)


def test_the_preset_alone_is_a_short_command() -> None:
    """Defaults are left out, but for the configurations and seeds that ran."""
    asked = plain(resolve([Source(label="{flag}", values={"preset": "embedded"})], lambda: ("", "")))
    assert command(asked) == "pytest benchmarks --freeze-preset=embedded --freeze-grid=all --freeze-num-seeds=3"
    assert unlike(asked) == "Everything that was asked for is the preset's."


def test_an_experiment_that_is_not_its_presets_says_so() -> None:
    """A reproduction with another model is none."""
    asked = plain(settings(preset="notebook", lr="1e-3"))
    assert unlike(asked) == "Not the preset's own: model, data, learning rates."
