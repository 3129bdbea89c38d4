"""``python -m freezebench compare`` with the numbers and names of pytest-benchmark's files."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from freezebench.cli import main
from freezebench.records.benchmark_storage import machine_id
from freezebench.records.saved import from_records
from freezebench.scoring.metric import Metric
from freezebench.scoring.metrics import METRICS
from made_up import seeds
from saved_runs import benchmark_json, configuration, write

GOOD, WORSE = configuration("emb", num=5), configuration("emb", num=5, accuracy=0.7)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with .benchmarks: two runs of this kind of machine, and one of another with the same number."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".benchmarks"
    names = (f"{machine_id()}/0001_main", f"{machine_id()}/0003_branch", "Darwin-CPython-3.9-64bit/0001_mac")
    for age, (name, run) in enumerate(zip(names, (GOOD, WORSE, WORSE), strict=True)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        file = write(folder / f"{name}.json", benchmark_json(run))
        os.utime(file, (age, age))
    write(folder / machine_id() / "0002_sort.json", benchmark_json())
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "source"),
    [
        (["0001", "0003"], 1, "0001_main.json"),
        (["0003", "0001"], 0, "0003_branch.json"),
        (["0001_main", "0001"], 0, "0001_main.json"),
        (["Darwin*/0001", "0003"], 0, "0001_mac.json"),
        (["0001", "0003", "--benchmark-storage=.benchmarks"], 1, "0001_main.json"),
        (["0001", "0003", "--benchmark-storage=file://./.benchmarks"], 1, "0001_main.json"),
        ([".benchmarks/Darwin-CPython-3.9-64bit/0001_mac.json", "0003"], 0, "0001_mac.json"),
        # The highest number that begins so and holds freeze results.
        (["00", "0001"], 0, "0003_branch.json"),
    ],
)
@pytest.mark.usefixtures("saved")
def test_numbers_are_those_of_pytest_benchmark(
    arguments: list[str], code: int, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of this kind of machine, unless another one is named; the first line says which file was taken."""
    assert main(["compare", *arguments]) == code
    assert source in capsys.readouterr().out.splitlines()[0]


def test_a_file_or_folder_of_that_name_comes_first(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that exists is what was meant, wherever the storage is."""
    write(Path("0001"), benchmark_json(WORSE))
    assert main(["compare", "0001", "0003", f"--benchmark-storage={saved}"]) == 0
    assert "(0001), saved → now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["0009", "0001"],
            "newest first: Darwin-CPython-3.9-64bit/0001_mac, 0003_branch, 0001_main. Take one with compare Darwin-CPy",
        ),
        (["before", "after"], "error: compare before: there is no such file or folder (seen from "),
        (["0002", "0001"], "error: compare 0002: {saved}"),
        (["[", "0001"], "has a name that begins so."),
        (["**", "[0"], "has a name that begins so."),
        (["0001", "Linux/0001/x"], "error: Linux/0001/x: cannot be read (No such file or directory)"),
        (["./0001", "0001"], "error: 0001: cannot be read (No such file or directory)"),
        (["0001", "0003", "--benchmark-storage=nowhere"], "--benchmark-storage=nowhere: there is no such folder"),
        (["0001", "0003", "--benchmark-storage=elasticsearch+http://h"], "freezebench reads saved runs from files."),
    ],
)
def test_what_is_not_there_is_named(
    arguments: list[str], message: str, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the newest runs that are, for any machine, and how to take one."""
    assert main(["compare", *arguments]) == 4
    assert message.format(saved=saved) in " ".join(capsys.readouterr().err.split())


def test_without_a_storage_the_message_says_what_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And none is made."""
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "0001", "0002"]) == 4
    error = capsys.readouterr().err
    assert error.startswith("error: compare 0001: there is no such file or folder (seen from ")
    assert "the number of a saved run, with --benchmark-storage=DIR" in " ".join(error.split())
    assert list(tmp_path.iterdir()) == []


def _files(tmp_path: Path, old: Metric, new: Metric) -> list[str]:
    """Write runs of two metrics and return their files."""
    runs = seeds("emb", num_test=60)
    return [
        str(write(tmp_path / name, benchmark_json(from_records("emb", runs, node_id="t.py::test[emb]", metric=metric))))
        for name, metric in (("old.json", old), ("new.json", new))
    ]


def test_another_metric_is_compared_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table and sentences name it."""
    files = _files(tmp_path, METRICS["macro-f1"], METRICS["macro-f1"])
    assert main(["compare", *files, "--margin=10"]) == 0
    shown = capsys.readouterr().out
    assert "macro F1 %" in shown
    assert "passed: emb: macro F1: drop 0.00 points, upper bound" in shown


def test_a_saved_run_of_another_metric_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, and with the code of what cannot be compared."""
    files = _files(tmp_path, METRICS["macro-f1"], METRICS["accuracy"])
    assert main(["compare", *files, "--compare-across=model,data,lr"]) == 4
    shown = capsys.readouterr().out
    assert "metric macro-f1 → accuracy" in shown
    assert shown.endswith("The metric has to be the same. Choose another run.\n")


def test_the_options_that_admit_differences_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the names that the option takes, with those that are given already; followed, they are compared."""
    other = replace(GOOD, protocol={**GOOD.protocol, "num_epochs": 9, "learning_rate": 0.5})
    files = [str(write(tmp_path / f"{n}.json", benchmark_json(run))) for n, run in enumerate((GOOD, other))]
    assert main(["compare", *files]) == 4
    shown = capsys.readouterr().out
    assert re.search(r": epochs \d+ → 9, lr \S+ → 0.5\.", shown)
    assert shown.endswith("To compare across these: --compare-across=epochs,lr.\n")
    assert main(["compare", *files, "--compare-across=lr"]) == 4
    assert capsys.readouterr().out.endswith("--compare-across=lr,epochs.\n")
    assert main(["compare", *files, "--compare-across=epochs,lr"]) == 0


def test_margins_fit_the_unit_of_the_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Points have bounds; in a unit of its own, a margin has to be given."""
    files = _files(tmp_path, METRICS["accuracy"], METRICS["accuracy"])
    assert main(["compare", *files, "--margin=0.02"]) == 4
    assert "--margin=0.02: give percentage points" in capsys.readouterr().err
    nats = replace(METRICS["accuracy"], name="own:loss", label="own loss", unit="nats", higher_is_better=False)
    files = _files(tmp_path, nats, nats)
    assert main(["compare", *files]) == 4
    assert "is judged by loss, in nats, in which no margin is usual. Give --margin" in capsys.readouterr().err
    assert main(["compare", *files, "--margin=0.2"]) == 0


@pytest.mark.usefixtures("saved")
def test_a_limit_of_a_configuration_that_neither_run_has(capsys: pytest.CaptureFixture[str]) -> None:
    """It would hold for nothing."""
    assert main(["compare", "0003", "0001", "--max-time=emb+L0:1.1"]) == 4
    message = (
        "--max-time has a value for emb+L0, which is no configuration of 0003 or 0001, so that the value would hold"
    )
    assert f"{message} for nothing. Choose from emb." in capsys.readouterr().err
