"""The options of a session: where those of a test contradict those of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from freezebench.config.session_options import SessionOptions
from freezebench.errors import SettingsError

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


def test_a_flag_overrides_the_device_of_a_marker() -> None:
    """As the message advises."""
    options = _options({"devices": "all", "device": "auto"}, {})
    assert options.settings({"device": "cuda:1"}, "test_x").device == "auto"
