"""``doctor --freeze-cluster`` on a cluster whose bridge a test replaces."""

from __future__ import annotations

import json

import pytest

from fake_bridge import LOOK, node
from freezebench.cli import main
from joined import use_bridge

MEASURES = [{"name": "energy_j[GPU-1]", "available": True, "detail": "NVML"}]
ANSWERS = "if command['do'] == 'request': answer(command, {'device_name': 'A100', 'precision': 'bf16'})"


def test_nodes_devices_and_measures_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with the name of its node; one that a session would refuse says why."""
    other = {**LOOK, "versions": {**LOOK["versions"], "torch": "2.12.0"}}
    nodes = [node("good", gpus=1, look={**LOOK, "measures": MEASURES}), node("old", gpus=1, look=other)]
    use_bridge(monkeypatch, ANSWERS, nodes=nodes)
    assert main(["doctor", "--freeze-cluster=auto", "--json"]) == 0
    rows = {row["name"]: (row["available"], row["detail"]) for row in json.loads(capsys.readouterr().out)}
    assert rows == {
        "good: node 10.0.0.4": (True, "freezebench 0.1.0, torch 2.13.0, python 3.11.7, as here"),
        "old: node 10.0.0.3": (False, "torch 2.12.0, and 2.13.0 here"),
        "good cuda:0: device": (True, "A100, bf16"),
        "old cuda:0: device": (True, "A100, bf16"),
        "good: energy_j[GPU-1]": (True, "NVML"),
    }
    assert main(["doctor", "--freeze-cluster=auto"]) == 0
    assert "good cuda:0: device" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            "'lost', call=command['call'], reason='its actor is gone'",
            "old cpu of the Ray cluster at 10.0.0.1:6379: its",
        ),
        ("'fault', call=command['call'], cause='crash', reason='its process ended', log=''", "its process ended"),
        ("'event', call=command['call'], line=json.dumps({'event': 'Answer', 'error': 'no CUDA'})", "no CUDA"),
    ],
)
def test_a_device_that_does_not_work_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reply: str, reason: str
) -> None:
    """The others are listed all the same."""
    use_bridge(monkeypatch, f"if command['do'] == 'request': reply({reply})", nodes=[node("old")])
    assert main(["doctor", "--freeze-cluster=auto", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert not rows["old cpu: device"]["available"]
    assert rows["old cpu: device"]["detail"].startswith(reason)


def test_a_bad_address_ends_with_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    """As with pytest."""
    assert main(["doctor", "--freeze-cluster=head"]) == 4
    assert "error: --freeze-cluster=head: give auto, " in capsys.readouterr().err
