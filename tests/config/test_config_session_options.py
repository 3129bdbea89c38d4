"""The options of a session: where those of a test contradict those of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.config.session_options import SessionOptions
from freezebench.errors import SettingsError
from freezebench.specs.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping


def _options(flags: Mapping[str, object], ini: Mapping[str, object]) -> SessionOptions:
    return SessionOptions(
        flags, ini, read_depth=lambda _: 6, default_preset=lambda *, may_fall_back: ("embedded", str(may_fall_back))
    )


@pytest.mark.parametrize(
    ("flags", "ini", "marker", "name"),
    [
        ({"device": "cuda:1"}, {}, {}, "--freeze-device=cuda:1: "),
        ({}, {"device": "cpu"}, {}, "ini key freeze_device=cpu: "),
        ({}, {}, {"device": "cuda"}, "freeze marker of test_x, device=cuda: "),
        ({}, {"device": "auto"}, {"device": "cuda"}, "freeze marker of test_x, device=cuda: "),
    ],
)
def test_one_device_beside_several(
    flags: Mapping[str, object], ini: Mapping[str, object], marker: Mapping[str, object], name: str
) -> None:
    """A device of its own contradicts --freeze-devices, wherever it is set; the message says where."""
    options = _options({"devices": "cuda:0,cuda:1", **flags}, ini)
    with pytest.raises(SettingsError, match="with --freeze-devices, runs train on any of its devices") as caught:
        options.settings(marker, "test_x")
    assert str(caught.value).startswith(name)
    assert _options(flags, ini).settings(marker, "test_x").device != "auto"


def test_one_device_beside_a_cluster() -> None:
    """The device of a run is what its slot has."""
    options = _options({"cluster": "auto"}, {})
    with pytest.raises(SettingsError, match="device=cuda: with --freeze-cluster, runs train on any device of the"):
        options.settings({"device": "cuda"}, "test_x")
    assert options.settings({}, "test_x").device == "auto"


def test_a_flag_overrides_the_device_of_a_marker() -> None:
    """As the message advises."""
    options = _options({"devices": "all", "device": "auto"}, {})
    assert options.settings({"device": "cuda:1"}, "test_x").device == "auto"


EMBEDDED = PRESETS["embedded"]
STUDY = {"model": ["embedded", "other", "my.models:make"], "data": [EMBEDDED.data.source, "films"]}


def test_every_model_is_combined_with_every_data_set() -> None:
    """By names for ids; the strongest source decides each list, and one value is no list."""
    options = _options({"data": ["x", "y"]}, {"model": "c,d"})
    both = {"a-x": {"model": "a", "data": "x"}, "a-y": {"model": "a", "data": "y"}}
    both |= {"b-x": {"model": "b", "data": "x"}, "b-y": {"model": "b", "data": "y"}}
    assert options.experiments({"model": ["a", "b"], "data": "z"}, "test_x", "test_x") == both
    assert options.experiments({"model": ["a"]}, "test_x", "test_x") == {"x": {"data": "x"}, "y": {"data": "y"}}
    assert _options({"data": "x"}, {}).experiments({"model": ["a"]}, "test_x", "test_x") == {"": {}}


def test_what_belongs_to_the_preset_holds_for_its_own_experiment_alone() -> None:
    """Limits, rates, dropout and the size of the training set; everything else holds for all."""
    options = _options({}, {})
    chosen = list(options.experiments(STUDY, "test_x", "test_x").values())
    assert len(chosen) == 6
    settings = [options.settings({**STUDY, "epochs": 9}, "test_x", "test_x", own) for own in chosen]
    assert [(own.model, own.data.source) for own in settings] == [(own["model"], own["data"]) for own in chosen]
    assert {own.protocol.num_epochs for own in settings} == {9}
    settings = [options.settings(STUDY, "test_x", "test_x", own) for own in chosen]
    assert [own.max_drop == EMBEDDED.max_drop for own in settings] == [True] + [False] * 5
    assert [bool(own.max_drop.numbers) for own in settings] == [True] + [False] * 5
    # The rates are those of its model, whatever the data.
    is_of_model = [own.model == EMBEDDED.model for own in settings]
    assert sum(is_of_model) > 1
    assert [own.learning_rates == EMBEDDED.learning_rates for own in settings] == is_of_model
    assert [own.protocol.dropout for own in settings] == [False] + [True] * 5
    assert [own.looks for own in settings] == [EMBEDDED.looks] * 6


def test_a_stated_depth_is_that_of_the_factories() -> None:
    """Of other models the depth is read; a single model contradicts a wrong number."""
    options = _options({}, {})
    chosen = options.experiments(STUDY, "test_x", "test_x").values()
    settings = [options.settings({**STUDY, "num_layers": 2}, "test_x", "test_x", own) for own in chosen]
    assert [len(options.grid(own)) for own in settings] == [8, 8, 8, 8, 4, 4]
    with pytest.raises(SettingsError, match=r"num_layers=2 was given, but embedded has 6 layers"):
        options.grid(options.settings({"model": ["embedded"], "num_layers": 2}, "test_x"))
