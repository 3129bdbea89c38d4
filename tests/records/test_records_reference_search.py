"""The search for a saved run by name: which file is taken, and what is said where there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_benchmark.logger import Logger
from pytest_benchmark.storage.file import FileStorage

from freezebench.errors import RecordError
from freezebench.records.reference_search import RequestedRun, find_anchor, find_run, listing
from saved_runs import benchmark_json, configuration, write

MACHINE = "Linux-CPython-3.12-64bit"
OPTION = "--benchmark-compare"


@dataclass
class Saved:
    """A storage of pytest-benchmark, to which runs are added that were saved one after the other."""

    storage: FileStorage

    def add(self, name: str, *, is_ordinary: bool = False) -> Path:
        """Save a run of one freeze test, or of ordinary benchmarks."""
        file = self.storage.path / name
        file.parent.mkdir(exist_ok=True)
        content = benchmark_json(*([] if is_ordinary else [configuration()]))
        write(file, content)
        age = len(list(self.storage.path.rglob("*.json")))
        os.utime(file, (age, age))
        return file

    def find(self, name: str | None, *, is_required: bool = True) -> RequestedRun:
        """Search for a run."""
        return find_run(self.storage, name, option=OPTION, is_required=is_required)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """An empty storage."""
    logger = Logger(Logger.QUIET)  # type: ignore[no-untyped-call]
    return Saved(FileStorage(tmp_path / "storage", logger, default_machine_id=MACHINE))  # type: ignore[no-untyped-call]


def test_the_highest_number_of_this_machine_is_taken(saved: Saved) -> None:
    """With a name, the highest one of those that begin with it."""
    saved.add(f"{MACHINE}/0002_main.json")
    saved.add(f"{MACHINE}/0001_main.json")
    other = saved.add("Darwin-CPython-3.12-64bit/0009_main.json")
    run = saved.find(None).saved
    assert run
    assert run.source.endswith("0002_main.json")
    first = saved.storage.path / MACHINE / "0001_main.json"
    for name, file in {"0001": first, "Darwin*/0009": other, str(other): other}.items():
        run = saved.find(name).saved
        assert run
        assert run.source == str(file)


def test_files_of_other_benchmarks_are_passed_over(saved: Saved) -> None:
    """A note names them, and what was taken."""
    file = saved.add(f"{MACHINE}/0001_main.json")
    saved.add(f"{MACHINE}/0002_sort.json", is_ordinary=True)
    saved.add(f"{MACHINE}/0003_sort.json", is_ordinary=True)
    assert saved.find(None).notes == (
        f"{OPTION}: passed over 0003_sort, 0002_sort, ordinary benchmarks only. It takes {file}.",
    )
    with pytest.raises(RecordError, match=r"^--benchmark-compare=0003: .*0003_sort.json: holds no freezebench figures"):
        saved.find("0003")


def test_a_damaged_file_is_not_passed_over(saved: Saved) -> None:
    """An older run would be compared without a word."""
    saved.add(f"{MACHINE}/0001_main.json")
    saved.add(f"{MACHINE}/0002_main.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match=r"0002_main.json: is damaged"):
        saved.find(None)


@pytest.mark.parametrize("name", [None, "main", "a/b/c", "*"])
def test_what_is_not_there_is_an_error_where_it_is_required(saved: Saved, name: str | None) -> None:
    """Elsewhere it is a note; both name what is saved elsewhere."""
    with pytest.raises(RecordError, match=r"(saves|Save) one with.* --benchmark-save=NAME"):
        saved.find(name)
    saved.add("Linux-CPython-3.9-64bit/0004_old.json")
    remedy = "Take one with --benchmark-compare=Linux-CPython-3.9-64bit/0004_old."
    with pytest.raises(RecordError) as caught:
        saved.find(name)
    assert str(caught.value).endswith(remedy)
    found = saved.find(name, is_required=False)
    assert found.saved is None
    assert "nothing is compared. " in found.notes[0]
    assert found.notes[0].endswith(remedy)


def test_the_newest_few_runs_with_freeze_results_are_listed(saved: Saved) -> None:
    """The newest one first, whatever its number, each by the name that takes it."""
    names = ("0007_a", "0001_b", "0002_c", "0003_d")
    for name in names[:2]:
        saved.add(f"Other/{name}.json")
    for name in names[2:]:
        saved.add(f"{MACHINE}/{name}.json")
    saved.add(f"{MACHINE}/0009_sort.json", is_ordinary=True)
    (saved.storage.path / MACHINE / "0010_link.json").symlink_to("nowhere")
    text = listing(saved.storage, OPTION)
    assert text.endswith("newest first: 0003_d, 0002_c, Other/0001_b. Take one with --benchmark-compare=0003_d.")


def test_the_run_that_was_taken_is_not_offered(saved: Saved) -> None:
    """A message that refuses it names others, if there are any."""
    saved.add(f"{MACHINE}/0001_main.json")
    assert saved.find(None).elsewhere == ""
    saved.add(f"{MACHINE}/0002_main.json")
    text = saved.find(None).elsewhere
    assert text.endswith("newest first: 0001_main. Take one with --benchmark-compare=0001_main.")
    assert text.startswith("Other saved runs in ")


def test_a_file_of_tests_is_no_value_of_the_option(saved: Saved, tmp_path: Path) -> None:
    """``pytest --benchmark-compare tests/test_a.py`` gives it as one."""
    saved.add(f"{MACHINE}/0001_main.json")
    tests = tmp_path / "test_a.py"
    tests.write_text("def test_a(): ...\n")
    with pytest.raises(RecordError) as caught:
        saved.find(str(tests))
    assert str(caught.value).startswith(f"{OPTION}={tests}: {tests} is no saved run. There is {tests}: if it holds ")
    assert "write it before --benchmark-compare;" in str(caught.value)


def test_an_anchor_is_a_path_or_a_name(saved: Saved) -> None:
    """A path comes first; without pytest-benchmark there are no names."""
    file = saved.add(f"{MACHINE}/0001_v1.json")
    for name, storage in ((str(file), None), ("0001_v1", saved.storage)):
        run = find_anchor(storage, name, option="--freeze-anchor")
        assert run.saved
        assert (run.saved.source, run.is_required) == (str(file), True)
    with pytest.raises(RecordError, match=r"^--freeze-anchor=v2: there is no such file or folder"):
        find_anchor(None, "v2", option="--freeze-anchor")
    with pytest.raises(RecordError, match=r"^--freeze-anchor=v2: no saved run in .* begins so"):
        find_anchor(saved.storage, "v2", option="--freeze-anchor")
    with pytest.raises(RecordError, match=r"^--freeze-anchor=.*report.json: cannot be read in this folder"):
        find_anchor(saved.storage, str(file.parent), option="--freeze-anchor")
