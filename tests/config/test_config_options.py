"""Options and settings: every option by flag, by ini, by marker and by default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from freezebench.config.options import OPTIONS
from freezebench.config.session_settings import SessionSettings, resolve_session
from freezebench.config.settings import Settings, check_names, resolve
from freezebench.config.sources import Source
from freezebench.data.load import load_data
from freezebench.errors import SettingsError
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.run import DataSpec, Protocol


def _resolve(flags: dict[str, Any] | None = None, marker: Any = None, ini: Any = None) -> Settings:
    sources = [
        Source(label="{flag}", values=flags or {}),
        Source(label="freeze marker of test_x, {name}", values=marker or {}),
        Source(label="ini key {ini}", values=ini or {}),
    ]
    return resolve(sources, lambda: ("embedded", "the default in this test"))


def _resolve_session(flags: dict[str, Any] | None = None, ini: Any = None) -> SessionSettings:
    return resolve_session(
        [Source(label="{flag}", values=flags or {}), Source(label="ini key {ini}", values=ini or {})]
    )


# Option: (text, attribute of the settings, value), for options that a marker may set.
CASES: dict[str, tuple[str, str, Any]] = {
    "grid": ("emb+L0,none", "grid", "emb+L0,none"),
    "preset": ("notebook", "preset", "notebook"),
    "model": ("some/model", "model", "some/model"),
    "data": ("some/data", "data.source", "some/data"),
    "text_column": ("premise, hypothesis", "data.text_columns", ("premise", "hypothesis")),
    "label_column": ("stars", "data.label_column", "stars"),
    "num_seeds": ("3,6", "looks", InterimLooks(counts=(3, 6))),
    "seed": ("7", "seed", 7),
    "epochs": ("4", "protocol.num_epochs", 4),
    "batch_size": ("16", "protocol.batch_size", 16),
    "lr": ("1e-3", "learning_rates", PerSpec(default=1e-3)),
    "max_train": ("100", "data.max_train", 100),
    "max_length": ("32", "protocol.max_length", 32),
    "engine": ("trainer", "protocol.engine", "trainer"),
    "prefix_mode": ("train", "protocol.prefix_mode", "train"),
    "device": ("cuda:1", "device", "cuda:1"),
    "precision": ("bf16", "protocol.precision", "bf16"),
    "margin": ("1.5", "margin_pp", 1.5),
    "max_drop": ("3,emb:1", "max_drop", PerSpec(default=3.0, by_spec=(("emb", 1.0),))),
    "pool_seeds": ("yes", "pool_seeds", True),
    "min_speedup": ("emb:1.5", "costs.min_speedup", PerSpec(by_spec=(("emb", 1.5),))),
    "min_energy_saving": ("10", "costs.min_energy_saving", PerSpec(default=10.0)),
    "min_memory_saving": ("10", "costs.min_memory_saving", PerSpec(default=10.0)),
    "max_time": ("1.05", "costs.max_time", PerSpec(default=1.05)),
    "max_energy": ("1.05", "costs.max_energy", PerSpec(default=1.05)),
    "max_memory": ("1.01", "costs.max_memory", PerSpec(default=1.01)),
    "inconclusive": ("fail", "inconclusive", "fail"),
}

# The same for options of the whole session.
SESSION_CASES: dict[str, tuple[str, str, Any]] = {
    "prefix_cache": ("kept", "prefix_cache", "kept"),
    "prefix_cache_size": ("3GiB", "prefix_cache_bytes", 3 * 2**30),
    "cache_memory": ("64MiB", "cache_bytes", 64 * 2**20),
    "plan": ("yes", "plan", True),
    "report": ("out", "report", "out"),
    "store": ("runs", "store", "runs"),
    "resume": ("no", "resume", False),
    "isolate": ("run", "isolate", "run"),
    "timeout": ("30min", "timeout_s", 1800.0),
}


def _get(settings: Settings | SessionSettings, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_the_list_of_options_is_golden() -> None:
    """Adding or renaming an option is a decision, not an accident."""
    assert [option.flag for option in OPTIONS] == [
        "--freeze-grid",
        "--freeze-preset",
        "--freeze-model",
        "--freeze-data",
        "--freeze-text-column",
        "--freeze-label-column",
        "--freeze-num-seeds",
        "--freeze-seed",
        "--freeze-epochs",
        "--freeze-batch-size",
        "--freeze-lr",
        "--freeze-max-train",
        "--freeze-max-length",
        "--freeze-engine",
        "--freeze-prefix-mode",
        "--freeze-prefix-cache",
        "--freeze-prefix-cache-size",
        "--freeze-cache-memory",
        "--freeze-device",
        "--freeze-precision",
        "--freeze-margin",
        "--freeze-max-drop",
        "--freeze-pool-seeds",
        "--freeze-min-speedup",
        "--freeze-min-energy-saving",
        "--freeze-min-memory-saving",
        "--freeze-max-time",
        "--freeze-max-energy",
        "--freeze-max-memory",
        "--freeze-inconclusive",
        "--freeze-plan",
        "--freeze-report",
        "--freeze-store",
        "--freeze-resume",
        "--freeze-isolate",
        "--freeze-timeout",
    ]
    assert set(CASES) == {option.name for option in OPTIONS if not option.session_wide}
    assert set(SESSION_CASES) == {option.name for option in OPTIONS if option.session_wide}


@pytest.mark.parametrize("name", CASES)
def test_every_option_by_flag_ini_and_marker(name: str) -> None:
    """A value lands in its setting whatever it comes from, and differs from the default."""
    text, path, value = CASES[name]
    assert _get(_resolve(flags={name: text}), path) == value
    assert _get(_resolve(ini={name: text}), path) == value
    assert _get(_resolve(marker={name: text}), path) == value
    assert _get(_resolve(), path) != value


@pytest.mark.parametrize("name", SESSION_CASES)
def test_every_session_wide_option_by_flag_and_ini(name: str) -> None:
    """A flag beats the ini key, the value differs from the default, and no marker can set it."""
    text, path, value = SESSION_CASES[name]
    other = {"prefix_cache_size": "1GiB", "cache_memory": "1GiB", "plan": "no", "resume": "yes", "isolate": "worker"}
    another = {**other, "timeout": "1h"}.get(name, "9")
    assert _get(_resolve_session(flags={name: text}, ini={name: another}), path) == value
    assert _get(_resolve_session(ini={name: text}), path) == value
    assert _get(_resolve_session(), path) != value
    with pytest.raises(SettingsError, match=f"there is no argument '{name}'"):
        check_names({name: text}, "freeze marker of test_x")


def test_finished_runs_are_not_reused_where_a_saved_run_is_compared_unless_requested() -> None:
    """Reused times would be those of an earlier session."""
    assert resolve_session([]).resume
    assert not resolve_session([], has_reference=True).resume
    assert resolve_session([Source(label="{flag}", values={"resume": "yes"})], has_reference=True).resume


@pytest.mark.parametrize("name", [name for name in CASES if name != "preset"])
def test_flag_beats_marker_beats_ini(name: str) -> None:
    """The most specific source that a person set now wins."""
    text, path, value = CASES[name]
    other = {
        "grid": "emb",
        "device": "cpu",
        "engine": "standard",
        "precision": "float32",
        "inconclusive": "pass",
        "pool_seeds": "no",
        "prefix_mode": "eval",
    }
    another = other.get(name, "9")
    assert _get(_resolve(flags={name: text}, marker={name: another}, ini={name: another}), path) == value
    assert _get(_resolve(marker={name: text}, ini={name: another}), path) == value


BAD = [
    ("grid", "emb,,", "empty entry"),
    ("grid", "emb+L3-1", "runs backwards"),
    ("preset", "sst3", "choose from distilbert-sst2, embedded, notebook"),
    ("model", "", "empty"),
    ("data", "", "empty"),
    ("text_column", "a,b,c", "two different ones"),
    ("label_column", "", "empty"),
    ("num_seeds", "0", "whole number from 1 on"),
    ("num_seeds", "three", "whole number from 1 on"),
    ("num_seeds", "5,3", "increasing"),
    ("num_seeds", "3,x", "increasing ones"),
    ("pool_seeds", "maybe", "choose yes or no"),
    ("plan", "maybe", "choose yes or no"),
    ("min_speedup", "0.5", "from 1.01"),
    ("min_memory_saving", "100", "to 99.9"),
    ("cache_memory", "64", "with its unit"),
    ("prefix_mode", "off", "choose from eval, train"),
    ("prefix_cache", "", "empty"),
    ("prefix_cache_size", "10", "with its unit"),
    ("inconclusive", "skip,emb:maybe", "choose from skip, pass, fail"),
    ("inconclusive", "skip,fail", "two policies"),
    ("min_energy_saving", "0", "from 0.1"),
    ("max_time", "0.05", "1.05 for at most 5 % more"),
    ("max_energy", "x", "cannot read"),
    ("max_memory", "nan", "not a finite number"),
    ("max_drop", "none:3", "none is the baseline"),
    ("min_speedup", "none:3", "none is the baseline"),
    ("seed", "-1", "whole number from 0 on"),
    ("epochs", "1.5", "whole number from 1 on"),
    ("batch_size", "0", "whole number from 1 on"),
    ("lr", "0", "above 0"),
    ("lr", "nan", "not a finite number"),
    ("lr", "5", "at most 1"),
    ("max_train", "1", "from 2 on"),
    ("max_length", "2", "from 4 on"),
    ("engine", "cached2", "choose from standard, cached, trainer"),
    ("device", "tpu", "choose from auto, cpu, cuda"),
    ("precision", "fp8", "choose from auto, float32, bf16"),
    ("margin", "0.02", "Did you mean 2 points"),
    ("margin", "-1", "percentage points"),
    ("max_drop", "emb:0.05", "Did you mean 5 points"),
    ("max_drop", "emb=2", "cannot read"),
    ("inconclusive", "warn", "choose from skip, pass, fail"),
    ("report", "", "empty"),
    ("store", "", "empty"),
    ("resume", "perhaps", "choose yes or no"),
    ("isolate", "fork", "choose from worker, run, none"),
    ("timeout", "90", "with its unit"),
    ("timeout", "0s", "above 0"),
]


@pytest.mark.parametrize(("name", "text", "part"), BAD)
def test_bad_values_name_option_value_and_remedy(name: str, text: str, part: str) -> None:
    """The message begins with the flag and value that were given."""
    parse = _resolve_session if name in SESSION_CASES else _resolve
    with pytest.raises(SettingsError, match=part) as caught:
        parse(flags={name: text})
    flag = "--freeze-" + name.replace("_", "-")
    assert str(caught.value).startswith(f"{flag}={text}: ")


def test_every_option_has_a_bad_value_tested() -> None:
    """No option is without a check."""
    assert {name for name, _, _ in BAD} == set(CASES) | set(SESSION_CASES)


def test_marker_values_may_be_python_values() -> None:
    """Numbers, lists and dictionaries read like their text forms."""
    settings = _resolve(marker={"grid": ["none", "emb"], "max_drop": {"emb": 2}, "epochs": 3, "lr": 1e-4})
    assert settings.grid == "none,emb"
    assert settings.max_drop.get("emb") == 2
    assert settings.protocol.num_epochs == 3
    assert settings.learning_rates.get("none") == 1e-4


def test_unknown_marker_arguments_are_refused() -> None:
    """A misspelt argument is an error that lists the right ones."""
    with pytest.raises(SettingsError, match=r"no argument 'epoch'.*epochs"):
        check_names({"epoch": 3}, "freeze marker of test_x")


def test_preset_limits_hold_for_the_presets_own_experiment_only() -> None:
    """Another model, data set or protocol has no documented cost; device, seeds and precision do not matter."""
    assert _resolve().limits_from == "preset embedded"
    assert _resolve({"device": "cpu", "num_seeds": "5", "precision": "float32"}).limits_from == "preset embedded"
    for name, text in [("model", "x"), ("data", "y"), ("epochs", "9"), ("lr", "0.5"), ("max_train", "9")]:
        settings = _resolve({name: text})
        assert settings.limits_from is None, name
        assert settings.max_drop == PerSpec()
    assert _resolve({"model": "x", "max_drop": "3"}).limits_from == "--freeze-max-drop"


def test_seeds_and_rates_reach_the_run() -> None:
    """Seeds count up from the first one; a configuration's own rate replaces the protocol's."""
    settings = _resolve({"num_seeds": "3", "seed": "7", "lr": "1e-4,emb:1e-3"})
    assert settings.seeds == (7, 8, 9)
    assert settings.run_spec("emb", 7).protocol.learning_rate == 1e-3
    assert settings.run_spec("none", 7).protocol.learning_rate == 1e-4


def test_rates_without_a_default_keep_the_presets() -> None:
    """Naming one configuration's rate does not take the others' away."""
    settings = _resolve({"lr": "emb:1e-3"})
    assert settings.learning_rates.default == _resolve().learning_rates.default
    assert settings.named_specs == (("--freeze-lr", "emb"),)


def test_the_notebook_preset_resolves_to_the_notebooks_protocol() -> None:
    """Every setting of the notebook, and its halves of the test split: 910 for validation, 911 for test."""
    settings = _resolve({"preset": "notebook"})
    spec = settings.run_spec("emb", 42)
    assert settings.seeds == (42,)
    assert spec.model == "distilbert-base-uncased"
    assert spec.data == DataSpec(source="SetFit/sst2", split_rule="notebook")
    assert spec.protocol == Protocol(
        engine="standard", precision="float32", num_epochs=10, batch_size=32, learning_rate=5e-5, evaluate_before=True
    )
    assert (spec.protocol.weight_decay, spec.protocol.max_grad_norm, spec.protocol.dropout) == (0.0, 1.0, True)
    # The data stand in a folder next to the checkout.
    folder = Path(os.environ.get("FREEZEBENCH_SST2", Path(__file__).parents[3] / "shared" / "data" / "sst2"))
    if not folder.is_dir():
        pytest.skip(f"the real SST-2 is not at {folder}")
    # Another place for the same data keeps the preset's split.
    local = _resolve({"preset": "notebook", "data": str(folder)}).run_spec("none", 42)
    data = load_data(local.data)
    assert (len(data.train), len(data.validation), len(data.test)) == (6920, 910, 911)


def test_undecided_tests_have_a_policy_per_configuration() -> None:
    """One word for all, and words of their own; a marker may give a dictionary."""
    settings = _resolve({"inconclusive": "pass,emb+L0:fail"})
    assert [settings.policy(spec) for spec in ("emb", "emb+L0")] == ["pass", "fail"]
    assert _resolve(marker={"inconclusive": {"emb": "fail"}}).policy("emb") == "fail"
    assert _resolve(marker={"inconclusive": {"emb": "fail"}}).policy("emb+L0") == "skip"
