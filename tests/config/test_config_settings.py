"""Settings: every option by flag, ini key, marker and default."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

import pytest

from freezebench.config.options import OPTIONS
from freezebench.config.settings import Settings, check_names, resolve
from freezebench.config.sources import Source
from freezebench.data.load import load_data
from freezebench.errors import SettingsError, SpecError
from freezebench.specs.data import DataSpec, NamedSource
from freezebench.specs.grid import PerSpec
from freezebench.specs.interim_looks import InterimLooks
from freezebench.specs.presets import PRESETS
from freezebench.specs.run import Protocol


def _resolve(
    flags: Mapping[str, object] | None = None,
    marker: Mapping[str, object] | None = None,
    ini: Mapping[str, object] | None = None,
) -> Settings:
    sources = [
        Source(label="{flag}", values=flags or {}),
        Source(label="freeze marker of test_x, {name}", values=marker or {}),
        Source(label="ini key {ini}", values=ini or {}),
    ]
    return resolve(sources, lambda: ("embedded", "the default in this test"))


# Option: (text, attribute of the settings, value), for options that a marker may set.
CASES: dict[str, tuple[str, str, object]] = {
    "grid": ("emb+L0,none", "grid", "emb+L0,none"),
    "preset": ("notebook", "preset", "notebook"),
    "model": ("some/model", "model", "some/model"),
    "data": ("some/data", "data.source", "some/data"),
    "text_column": ('"review, text", title', "data.text_columns", ("review, text", "title")),
    "label_column": ("stars", "data.label_column", "stars"),
    "bad_rows": ("drop", "data.bad_rows", "drop"),
    "task": ("multi-label", "data.task", "multi-label"),
    "test": (
        "tweets=reviews:tweets",
        "data.test_sets",
        (NamedSource(name="tweets", source="reviews:tweets"),),
    ),
    "slice_column": ("domain", "data.slice_column", "domain"),
    "group_column": ("document", "data.group_column", "document"),
    "num_seeds": ("3,6", "looks", InterimLooks(counts=(3, 6))),
    "seed": ("7", "seed", 7),
    "epochs": ("4", "protocol.num_epochs", 4),
    "batch_size": ("24", "protocol.batch_size", 24),
    "lr": ("1e-3", "learning_rates", PerSpec(default=1e-3)),
    "tune_lr": ("3, 1", "tune_lr", (1.0, 3.0)),
    "max_train": ("100", "data.max_train", 100),
    "max_length": ("32", "protocol.max_length", 32),
    "dropout": ("yes", "protocol.dropout", True),
    "engine": ("trainer", "protocol.engine", "trainer"),
    "prefix_mode": ("train", "protocol.prefix_mode", "train"),
    "batch_order": ("shuffled", "protocol.batch_order", "shuffled"),
    "device": ("cuda:1", "device", "cuda:1"),
    "precision": ("bf16", "protocol.precision", "bf16"),
    "margin": ("1.5", "margin_pp", 1.5),
    "metric": ("accuracy", "metric", "accuracy"),
    "max_slice_drop": ("3", "max_slice_drop", 3.0),
    "max_test_drop": ("3", "max_test_drop", 3.0),
    "max_drop": ("3,emb:1", "max_drop", PerSpec(default=3.0, by_spec=(("emb", 1.0),))),
    "pool_seeds": ("yes", "pool_seeds", True),
    "claims": ("yes", "claims", True),
    "min_speedup": ("emb:1.5", "costs.min_speedup", PerSpec(by_spec=(("emb", 1.5),))),
    "min_energy_saving": ("10", "costs.min_energy_saving", PerSpec(default=10.0)),
    "min_memory_saving": ("10", "costs.min_memory_saving", PerSpec(default=10.0)),
    "max_time": ("1.05", "costs.max_time", PerSpec(default=1.05)),
    "max_energy": ("1.05", "costs.max_energy", PerSpec(default=1.05)),
    "max_memory": ("1.01", "costs.max_memory", PerSpec(default=1.01)),
    "max_regression": ("1,none:0.5", "max_regression", PerSpec(default=1.0, by_spec=(("none", 0.5),))),
    "inconclusive": ("fail", "inconclusive", "fail"),
}


# Options without which one cannot be given.
NEEDED: dict[str, dict[str, object]] = {
    "max_slice_drop": {"slice_column": "domain"},
    "max_test_drop": {"test": "tweets=reviews:tweets"},
}


def _get(settings: Settings, path: str) -> object:
    value: object = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_every_option_of_a_test_is_tested() -> None:
    """The cases are complete."""
    assert set(CASES) == {option.name for option in OPTIONS if not option.session_wide}


@pytest.mark.parametrize("name", CASES)
def test_every_option_by_flag_ini_and_marker(name: str) -> None:
    """Each source sets the same attribute of the settings, and the value differs from the default."""
    text, path, value = CASES[name]
    values = {name: text, **NEEDED.get(name, {})}
    assert _get(_resolve(flags=values), path) == value
    assert _get(_resolve(ini=values), path) == value
    assert _get(_resolve(marker=values), path) == value
    assert _get(_resolve(), path) != value


@pytest.mark.parametrize("name", [name for name in CASES if name != "preset"])
def test_flag_beats_marker_beats_ini(name: str) -> None:
    """The command line is stronger than the marker, and the marker stronger than the ini file."""
    text, path, value = CASES[name]
    other = {
        "grid": "emb",
        "device": "cpu",
        "engine": "standard",
        "precision": "float32",
        "inconclusive": "pass",
        "pool_seeds": "no",
        "claims": "no",
        "dropout": "no",
        "bad_rows": "error",
        "prefix_mode": "eval",
        "task": "regression",
        "test": "other=x",
        "metric": "metrics:f",
        "batch_order": "bucketed",
    }
    another = other.get(name, "9")
    ini = {name: another, **NEEDED.get(name, {})}
    assert _get(_resolve(flags={name: text}, marker={name: another}, ini=ini), path) == value
    assert _get(_resolve(marker={name: text}, ini=ini), path) == value


def test_only_the_presets_own_experiment_leaves_out_dropout() -> None:
    """Another model or other data train with dropout, as is usual, until the option says otherwise."""
    assert not _resolve().protocol.dropout
    assert _resolve({"model": "x"}).protocol.dropout
    assert _resolve({"data": "./mine"}).protocol.dropout
    assert not _resolve({"data": "./mine", "dropout": "no"}).protocol.dropout


def test_marker_values_may_be_python_values() -> None:
    """Numbers, lists and dictionaries give the same as their text forms."""
    settings = _resolve(marker={"grid": ["none", "emb"], "max_drop": {"emb": 2}, "epochs": 3, "lr": 1e-4})
    assert settings.grid == "none,emb"
    assert settings.max_drop.get("emb") == 2
    assert settings.protocol.num_epochs == 3
    assert settings.learning_rates.get("none") == 1e-4


def test_a_dictionary_may_have_a_default() -> None:
    """The key is no configuration; texts of the command line have a number without one."""
    settings = _resolve(
        marker={"lr": {"default": 1e-4, "emb": 1e-3}, "inconclusive": {"default": "fail", "emb": "pass"}}
    )
    assert settings.learning_rates == PerSpec(default=1e-4, by_spec=(("emb", 1e-3),))
    assert [settings.policy(name) for name in ("emb", "emb+L0")] == ["pass", "fail"]
    with pytest.raises(SettingsError, match="default"):
        _resolve({"lr": "default:1e-4"})


@pytest.mark.parametrize("source", ["flags", "marker", "ini"])
def test_the_usual_rate_of_a_strategy_is_a_multiple_of_the_rate_of_none(source: str) -> None:
    """Of the one that none has itself, too, wherever it was given; others that are not named have the default."""
    values = {"model": "x", "lr": "none:1.3e-4,emb:2e-4"}
    settings = _resolve(**{source: values})
    rates = {name: settings.run_spec(name, 7).protocol.learning_rate for name in ("none", "emb", "emb+L0", "bitfit")}
    assert rates == {"none": 1.3e-4, "emb": 2e-4, "emb+L0": 5e-5, "bitfit": 2.6e-3}
    assert _resolve({"model": "x"}).run_spec("bitfit", 7).protocol.learning_rate == 1e-3
    assert PRESETS["embedded"].run_spec("bitfit").protocol.learning_rate == 2.6e-3


def test_unknown_marker_arguments_are_refused() -> None:
    """A misspelt argument is an error that lists the existing ones."""
    with pytest.raises(SettingsError, match=r"no argument 'epoch'.*epochs"):
        check_names({"epoch": 3}, "freeze marker of test_x")


def test_preset_limits_hold_for_the_presets_own_experiment_only() -> None:
    """Another model, data set or protocol has no documented drop; device, seeds and precision do not matter."""
    assert _resolve().limits_from == "preset embedded"
    assert _resolve({"device": "cpu", "num_seeds": "5", "precision": "float32"}).limits_from == "preset embedded"
    for name, text in [("model", "x"), ("data", "y"), ("epochs", "9"), ("lr", "0.5"), ("max_train", "9")]:
        settings = _resolve({name: text})
        assert settings.limits_from is None, name
        assert settings.max_drop == PerSpec()
    assert _resolve({"model": "x", "max_drop": "3"}).limits_from == "--freeze-max-drop"


def test_the_presets_sample_is_taken_of_its_own_data_only() -> None:
    """All sentences of another data set train, unless the option limits them."""
    assert _resolve().data.max_train == PRESETS["embedded"].data.max_train is not None
    assert _resolve({"data": "reviews", "model": "x"}).data.max_train == PRESETS["embedded"].data.max_train
    assert _resolve({"data": "./mine"}).data.max_train is None
    assert _resolve({"data": "./mine", "max_train": "9"}).data.max_train == 9


def test_the_presets_rates_hold_for_its_model_whatever_the_data() -> None:
    """Another model trains at the usual rate; an own rate replaces all of them."""
    own = PRESETS["embedded"].learning_rates
    assert _resolve({"data": "./mine"}).learning_rates == _resolve().learning_rates == own
    assert _resolve({"data": "./mine", "task": "regression"}).learning_rates == own
    assert _resolve({"data": "./mine", "lr": "1e-3"}).learning_rates == PerSpec(default=1e-3)
    assert _resolve({"model": "x"}).learning_rates == PerSpec(default=5e-5)
    assert _resolve({"data": "./mine"}).protocol.dropout


def test_seeds_and_rates_reach_the_run() -> None:
    """Seeds count up from the first one; the rate of a configuration replaces the protocol's."""
    settings = _resolve({"num_seeds": "3", "seed": "7", "lr": "1e-4,emb:1e-3"})
    assert settings.seeds == (7, 8, 9)
    assert settings.run_spec("emb", 7).protocol.learning_rate == 1e-3
    assert settings.run_spec("none", 7).protocol.learning_rate == 1e-4


def test_rates_without_a_default_keep_the_presets() -> None:
    """Rates of configurations that are not named are the preset's."""
    settings = _resolve({"lr": "emb:1e-3"})
    assert settings.learning_rates.default == _resolve().learning_rates.default
    assert settings.named_specs == (("--freeze-lr", "emb"),)
    policies = _resolve({"inconclusive": "skip,emb:pass,emb+L0:fail"})
    assert policies.named_specs == (("--freeze-inconclusive", "emb"), ("--freeze-inconclusive", "emb+L0"))


def test_values_of_a_weaker_source_than_the_grids_may_name_more_than_it_has() -> None:
    """Between flags, marker and ini file, and between the markers of a test."""
    wide: dict[str, object] = {"max_drop": {"emb": 1, "emb+L0": 3}}
    grid: dict[str, object] = {"grid": "emb"}
    assert _resolve(flags=grid, marker=wide).wider_options == ("freeze marker of test_x, max_drop",)
    assert _resolve(marker=grid, ini=wide).wider_options == ("ini key freeze_max_drop",)
    assert _resolve(marker=ChainMap(grid, wide)).wider_options == ("freeze marker of test_x, max_drop",)
    others = (_resolve(marker=grid | wide), _resolve(marker=wide), _resolve(flags=wide, marker=grid))
    assert not any(settings.wider_options for settings in (*others, _resolve(marker=ChainMap(wide, grid))))


def test_the_notebook_preset_resolves_to_the_notebooks_protocol() -> None:
    """All settings are the notebook's, as is the division of the test split: 910 for validation, 911 for test."""
    settings = _resolve({"preset": "notebook"})
    spec = settings.run_spec("emb", 42)
    assert settings.seeds == (42,)
    assert spec.model == "distilbert-base-uncased"
    assert spec.data == DataSpec(source="SetFit/sst2", split_rule="notebook")
    assert spec.protocol == Protocol(
        engine="standard", precision="float32", num_epochs=10, batch_size=32, learning_rate=5e-5, evaluate_before=True
    )
    assert (spec.protocol.weight_decay, spec.protocol.max_grad_norm, spec.protocol.dropout) == (0.0, 1.0, True)
    # The data are in a folder next to the checkout.
    folder = Path(os.environ.get("FREEZEBENCH_SST2", Path(__file__).parents[3] / "shared" / "data" / "sst2"))
    if not folder.is_dir():
        pytest.skip(f"the real SST-2 is not at {folder}")
    # The same data from another source keep the preset's split rule.
    local = _resolve({"preset": "notebook", "data": str(folder)}).run_spec("none", 42)
    data = load_data(local.data)
    assert (len(data.train), len(data.validation), len(data.test)) == (6920, 910, 911)


def test_undecided_tests_have_a_policy_per_configuration() -> None:
    """A policy for all configurations, and for single ones; a marker may use a dictionary."""
    settings = _resolve({"inconclusive": "pass,emb+L0:fail"})
    assert [settings.policy(spec) for spec in ("emb", "emb+L0")] == ["pass", "fail"]
    assert _resolve(marker={"inconclusive": {"emb": "fail"}}).policy("emb") == "fail"
    assert _resolve(marker={"inconclusive": {"emb": "fail"}}).policy("emb+L0") == "skip"
    assert settings.policy("L0+EMB") == "fail"
    with pytest.raises(SpecError, match="cannot read 'embb'"):
        settings.policy("embb")
