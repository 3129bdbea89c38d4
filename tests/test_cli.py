"""The command line beside pytest."""

from __future__ import annotations

import json

import pytest

from freezebench.cli import main


def test_doctor_says_what_can_be_measured_and_why_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every finding has a source or a reason; the exit code is 0 whatever is missing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["doctor", "--json"]) == 0
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["device cpu"]["available"]
    assert {"torch", "bf16 on cpu", "nvml", "cpu_energy_j", "peak_rss_bytes", "preset distilbert-sst2"} <= set(findings)
    assert all(finding["detail"] for finding in findings.values())
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("yes") and "device cpu" in line for line in lines)


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["doctor", "--colour"]])
def test_bad_commands_exit_with_code_4(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As in pytest, a usage error is 4."""
    assert main(arguments) == 4
    assert "usage: python -m freezebench" in capsys.readouterr().err
