"""``doctor``: the devices of ``--freeze-devices=all``."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from freezebench.cli import main
from freezebench.errors import SettingsError
from freezebench.meters import usable_gpus
from freezebench.meters.devices import DeviceInfo
from freezebench.meters.usable_gpus import UsableGpus
from freezebench.specs import installed_strategies, strategies


def test_doctor_names_the_devices_of_a_session(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that --freeze-devices=all uses, by the names that choose some; or why they cannot be listed."""
    gpus = UsableGpus(devices=(DeviceInfo(uuid="GPU-a", name="H200"), DeviceInfo(uuid="MIG-b")))
    answers: list[Any] = [UsableGpus(), gpus, SettingsError("NVML hangs. Reset the GPU.")]

    def answer(_: object) -> UsableGpus:
        if isinstance(answers[0], SettingsError):
            raise answers[0]
        return answers[0]  # type: ignore[no-any-return]

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(usable_gpus, "usable_gpus", answer)
    found = []
    while answers:
        assert main(["doctor", "--json"]) == 0
        (row,) = [row for row in json.loads(capsys.readouterr().out) if row["name"] == "--freeze-devices=all"]
        found.append((row["available"], row["detail"]))
        answers.pop(0)
    assert found == [
        (True, "cpu"),
        (True, "cuda:0 (H200, GPU-a), cuda:1 (unnamed, MIG-b)"),
        (False, "NVML hangs. Reset the GPU."),
    ]


def test_doctor_lists_strategies_and_what_they_lack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that needs a library says how to install it; a broken one of another package says what is wrong."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(usable_gpus, "usable_gpus", lambda _: UsableGpus())
    monkeypatch.setattr(import_module("freezebench.cli.doctor"), "find_spec", lambda _: None)
    monkeypatch.setattr(strategies, "known_strategies", lambda: ("bitfit", "lora", "of-nobody"))
    monkeypatch.setattr(installed_strategies, "unusable_strategies", lambda: {"emb": "theirs has a strategy 'emb'"})
    assert main(["doctor", "--json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["name"].startswith("strategy ")]
    assert [(row["name"], row["available"]) for row in rows] == [
        ("strategy emb", False),
        ("strategy bitfit", True),
        ("strategy lora", False),
        ("strategy of-nobody", False),
    ]
    assert rows[1]["detail"] == "bitfit: biases and the head"
    assert rows[2]["detail"] == "peft is not installed: run `python -m pip install 'freezebench[peft]'`"
    assert rows[3]["detail"].startswith("there is no strategy ")


@pytest.mark.usefixtures("own_strategies")
def test_doctor_names_the_package_of_a_strategy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of freezebench itself have none."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(usable_gpus, "usable_gpus", lambda _: UsableGpus())
    assert main(["doctor", "--json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["name"].startswith("strategy ")]
    assert [row["name"] for row in rows if row["detail"].endswith(" (of own-strategies)")] == [
        "strategy few",
        "strategy later",
        "strategy slower",
    ]
