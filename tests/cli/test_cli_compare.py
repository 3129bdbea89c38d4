"""``python -m freezebench compare`` with the numbers and names of pytest-benchmark's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from freezebench.cli import main
from freezebench.records.benchmark_storage import machine_id
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
