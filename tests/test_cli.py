"""The commands that need no pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import experiments
from fake_pip import Pip
from freezebench import __version__
from freezebench.cli import main
from freezebench.config.session_settings import SessionSettings
from freezebench.data import reviews
from freezebench.models import embedded
from freezebench.records.saved import SavedConfiguration
from freezebench.report.publish import write_report
from freezebench.report.summary import summarize
from freezebench.specs.names import PRESET_NAMES
from saved_runs import benchmark_json, configuration, write


def test_doctor_says_what_can_be_measured_and_why_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every finding has a source or a reason; the exit code is 0 whatever is missing."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["doctor", "--json"]) == 0
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["device cpu"]["available"]
    assert {"torch", "bf16 on cpu", "nvml", "cpu_energy_j", "peak_rss_bytes"} <= set(findings)
    assert {f"preset {name}" for name in PRESET_NAMES} <= set(findings)
    assert all(finding["detail"] for finding in findings.values())
    for finding in findings.values():
        if "not in the local cache" in finding["detail"]:
            assert ": run `hf download " in finding["detail"]
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("yes") and "device cpu" in line for line in lines)


def test_doctor_says_whether_the_embedded_preset_is_complete(
    pip: Pip, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model comes with a package; the data have to be fetched once."""
    monkeypatch.setattr(embedded, "checkpoint_folder", lambda: Path("/the/checkpoint"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for is_available, detail in (
        (False, f"reviews is not in {pip.path.parent}: run `python -m freezebench fetch` once with network"),
        (True, "/the/checkpoint"),
    ):
        assert main(["doctor", "--json"]) == 0
        findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
        finding = findings["preset embedded"]
        assert (finding["available"], finding["detail"]) == (is_available, detail)
        reviews.fetch()


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["doctor", "--colour"]])
def test_bad_commands_exit_with_code_4(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As in pytest, a usage error is 4."""
    assert main(arguments) == 4
    assert "usage: python -m freezebench" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """The command, the installed distribution and the package have one source of the version."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"freezebench {__version__}\n"
    assert metadata.version("freezebench") == __version__


GOOD = configuration("emb", num=5)


def _write(folder: Path, name: str, *configurations: SavedConfiguration) -> str:
    return str(write(folder / name, benchmark_json(*configurations)))


@pytest.mark.parametrize(
    ("new", "options", "code", "text"),
    [
        (GOOD, [], 0, "passed: emb: accuracy: drop 0.00 points"),
        (configuration("emb", num=5, accuracy=0.7), [], 1, "INFERIOR: emb: accuracy"),
        (configuration("emb", num=5, accuracy=0.7), ["--margin=40"], 0, "passed: emb: accuracy"),
        (configuration("emb", num=1), [], 0, "INCONCLUSIVE: emb: accuracy"),
        (configuration("emb", num=1), ["--strict"], 2, "INCONCLUSIVE: emb: accuracy"),
        (GOOD, ["--max-time=1.05", "--strict"], 0, "train time: 1.000× the saved run's, at most 1.05× allowed"),
        (GOOD, ["--strict"], 0, "– → –"),
        (GOOD, ["--max-energy=1.05,head:2"], 4, "has a value for head"),
        (GOOD, ["--max-energy=1.05", "--strict"], 2, "allowed: 1.05× the saved run's, not measured"),
        (GOOD, ["--max-memory=0.9"], 1, "EXCEEDED: emb: peak memory: 1.000× the saved run's, at most 0.9× allowed"),
        (replace(GOOD, device_name="B"), ["--max-time=2"], 0, "INCONCLUSIVE: emb: train time"),
        (replace(GOOD, device_name="B"), ["--max-time=2", "--strict"], 2, "not comparable: device a CPU → B"),
        (replace(GOOD, model="other"), [], 4, "Not compared: t.py::test_it[emb]: model tiny → other"),
        (replace(GOOD, model="other"), ["--compare-across=lr"], 4, "model tiny → other"),
        (replace(GOOD, model="other"), ["--compare-across=model,lr"], 0, "Compared across: model tiny → other."),
        (
            replace(configuration("emb", num=5, accuracy=0.7), model="other"),
            ["--compare-across=model"],
            1,
            "INFERIOR: emb: accuracy",
        ),
        (configuration("head"), [], 4, "Nothing was compared."),
        (replace(GOOD, broken="seed 42: out of memory"), [], 1, "is invalid in the new run: seed 42: out of memory"),
    ],
)
def test_compare_exits_with_what_it_found(  # noqa: PLR0917 - four columns of the table, two fixtures
    new: SavedConfiguration,
    options: list[str],
    code: int,
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """0 passes, 1 is a proven regression, 2 undecided where that is asked for, 4 not comparable."""
    files = [_write(tmp_path, "old.json", GOOD), _write(tmp_path, "new.json", new)]
    assert main(["compare", *files, *options]) == code
    assert text in "".join(capsys.readouterr())


def test_a_configuration_without_a_partner_is_not_strict(tmp_path: Path) -> None:
    """Whichever run lacks it."""
    files = [_write(tmp_path, "one.json", GOOD), _write(tmp_path, "two.json", GOOD, configuration("head", num=5))]
    for old, new in (files, files[::-1]):
        assert main(["compare", old, new]) == 0
        assert main(["compare", old, new, "--strict"]) == 2


def test_a_configuration_without_a_partner_is_no_success_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in pytest, where it fails the session unless it is allowed by name, or all are; a regression comes first."""
    files = [_write(tmp_path, "one.json", GOOD), _write(tmp_path, "two.json", GOOD, configuration("head", num=5))]
    for old, new in (files, files[::-1]):
        monkeypatch.delenv("CI", raising=False)
        assert main(["compare", old, new]) == 0
        assert main(["compare", old, new, "--strict", "--allow-unmatched=head"]) == 0
        monkeypatch.setenv("CI", "true")
        assert main(["compare", old, new]) == 2
        assert main(["compare", old, new, "--allow-unmatched=emb"]) == 2
        assert main(["compare", old, new, "--allow-unmatched=emb,head"]) == 0
        assert main(["compare", old, new, "--allow-unmatched=all"]) == 0
    worse = _write(tmp_path, "worse.json", configuration("emb", num=5, accuracy=0.7))
    assert main(["compare", files[1], worse]) == 1


def test_a_saved_run_that_is_all_invalid_compares_nothing(tmp_path: Path) -> None:
    """This is no success, strict or not."""
    old = _write(tmp_path, "old.json", replace(GOOD, broken="seed 42: out of memory"))
    assert main(["compare", old, _write(tmp_path, "new.json", GOOD)]) == 4


def test_nothing_decided_is_no_success_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed decides nothing."""
    files = [_write(tmp_path, "old.json", GOOD), _write(tmp_path, "new.json", configuration("emb", num=1))]
    assert main(["compare", *files]) == 0
    monkeypatch.setenv("BUILDKITE", "true")
    assert main(["compare", *files]) == 2


def test_compare_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script finds every figure, its standing and the exit code."""
    files = [_write(tmp_path, "old.json", GOOD), _write(tmp_path, "new.json", GOOD, configuration("head"))]
    assert main(["compare", *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["exit_code"], found["standing"]) == (0, "ok")
    assert found["only_new"] == ["t.py::test_it[head]"]
    assert [one["quantity"] for one in found["configurations"][0]["quantities"]] == [
        "accuracy",
        "train time",
        "peak memory",
        "energy",
    ]


def test_a_proven_regression_comes_before_what_cannot_be_compared(tmp_path: Path) -> None:
    """Another protocol elsewhere does not hide it."""
    old = _write(tmp_path, "old.json", GOOD, configuration("head"))
    worse, other = configuration("emb", num=5, accuracy=0.7), replace(configuration("head"), model="other")
    assert main(["compare", old, _write(tmp_path, "new.json", worse, other)]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged or no JSON"),
        ("", "damaged or no JSON"),
        ({"benchmarks": [{"fullname": "x", "extra_info": {}}]}, "holds no freezebench figures"),
        (
            {"benchmarks": [{"fullname": "x", "extra_info": {"freezebench": {"schema": 99}}}]},
            "a newer version wrote it",
        ),
        ({"experiments": [], "schema": 99}, "report of schema 99"),
        (None, "cannot be read"),
    ],
)
def test_bad_input_exits_with_code_4(
    content: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Corrupted, truncated, foreign, newer or missing: one sentence that names the file."""
    good, bad = _write(tmp_path, "good.json", GOOD), tmp_path / "bad.json"
    if content is not None:
        write(bad, content)
    assert main(["compare", good, str(bad)]) == 4
    error = capsys.readouterr().err
    assert message in error
    assert str(bad) in error


@pytest.mark.parametrize(
    "options",
    [
        ["--margin=0.02"],
        ["--margin=x"],
        ["--compare-across=colour"],
        ["--allow-unmatched=embb"],
        ["--max-time=fast"],
        ["--max-time=99"],
        ["--max-memory=emb"],
        ["--x"],
    ],
)
def test_bad_limits_exit_with_code_4(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line refuses what pytest's options refuse."""
    good = _write(tmp_path, "good.json", GOOD)
    assert main(["compare", good, good, *options]) == 4
    assert options[0].partition("=")[0] in capsys.readouterr().err


def test_a_folder_without_a_report_exits_with_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which file it looked for."""
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 4
    assert "report.json: cannot be read in this folder" in capsys.readouterr().err


def _saved_report(folder: Path) -> Path:
    """Write a report without its page."""
    asked = experiments.settings()
    folder.mkdir()
    write_report(folder, [(asked, summarize(experiments.results(), asked))], SessionSettings())
    return folder


def test_a_report_is_made_from_saved_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the folder of the runs, with its pictures."""
    folder = _saved_report(tmp_path / "reports")
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"wrote {folder / 'index.html'} and 18 pictures\n"
    assert "Freeze emb+L0: " in (folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("without_matplotlib")
def test_a_report_may_be_named_by_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page goes into the file's folder."""
    folder = _saved_report(tmp_path / "reports")
    assert main(["report", str(folder / "report.json")]) == 0
    assert capsys.readouterr().out == f"wrote {folder / 'index.html'}\n"


@pytest.mark.usefixtures("without_matplotlib")
def test_several_reports_make_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each under the name of its folder."""
    before, after = _saved_report(tmp_path / "before"), _saved_report(tmp_path / "after")
    assert main(["report", str(before), str(after), f"--output={tmp_path / 'both'}"]) == 0
    content = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    assert str(before) in content
    assert str(after) in content
    assert main(["report", str(before), str(after)]) == 4
    assert "name its folder with --output=DIR" in capsys.readouterr().err


@pytest.mark.usefixtures("without_matplotlib")
def test_bad_input_of_a_report_exits_with_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, foreign, or nowhere to write to."""
    assert main(["report", str(tmp_path)]) == 4
    assert "report.json: cannot be read in this folder" in capsys.readouterr().err
    foreign = _write(tmp_path, "b.json", GOOD)
    assert main(["report", foreign]) == 4
    assert "is a pytest-benchmark file" in capsys.readouterr().err
    folder = _saved_report(tmp_path / "reports")
    damaged = (folder / "report.json").read_text(encoding="utf-8").replace('"precision": "float32"', '"precision": {}')
    assert main(["report", str(write(tmp_path / "d.json", damaged))]) == 4
    assert "it is no run record: precision: {} is no text" in capsys.readouterr().err
    assert main(["report", str(folder), f"--output={foreign}"]) == 4
    assert f"--output={foreign}: cannot write there" in capsys.readouterr().err


def test_a_narrow_encoding_ends_in_no_traceback() -> None:
    """Characters that a terminal cannot show are escaped, in what is asked for and in what is wrong."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "freezebench", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    shown = run("compare", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert r"epochs, \u2026" in " ".join(shown.stdout.split())
    refused = run("compare", "./–", "caf\udce9")
    assert refused.returncode == 4
    assert refused.stderr.startswith(r"error: \u2013: cannot be read (No such file or directory).")
