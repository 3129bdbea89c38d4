"""The folder of pytest-benchmark's files, searched as pytest-benchmark searches it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_benchmark.logger import Logger
from pytest_benchmark.plugin import pytest_addoption
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_machine_id

from freezebench.errors import SettingsError
from freezebench.records.benchmark_storage import DEFAULT_STORAGE, BenchmarkStorage, is_name, machine_id

FILES = (
    f"{get_machine_id()}/0001_main.json",  # type: ignore[no-untyped-call]
    f"{get_machine_id()}/0002_branch.json",  # type: ignore[no-untyped-call]
    f"{get_machine_id()}/0010_main.json",  # type: ignore[no-untyped-call]
    "Darwin-CPython-3.11-64bit/0001_mac.json",
    "Darwin-CPython-3.11-64bit/0003_mac.json",
    "0004_moved.json",
    "notes.txt",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage with the runs of two kinds of machine, one folder below the working folder."""
    for name in FILES:
        path = tmp_path / "saved" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "saved"


def test_the_kind_of_machine_is_named_as_pytest_benchmark_does() -> None:
    """Otherwise no number would be found."""
    assert machine_id() == get_machine_id()  # type: ignore[no-untyped-call]


def test_the_default_is_that_of_pytest_benchmark() -> None:
    """Of its option --benchmark-storage."""
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)  # type: ignore[no-untyped-call]
    assert parser.parse([]).benchmark_storage == DEFAULT_STORAGE


@pytest.mark.parametrize(
    "name",
    [
        *("0001", "0001_", "0001_main", "0001*", "00", "1", "*", "0004", "0099", "[0-9][0-9][0-9][0-9]_"),
        *("Darwin*/0001", "Darwin-CPython-3.11-64bit/0003", "*/0001", "*/*", "**", "Linux*/", "none/0001"),
        *("saved/0004_moved.json", "saved/notes.txt"),
    ],
)
def test_names_select_what_they_select_in_pytest(name: str, folder: Path) -> None:
    """The same files in the same order: numbers, beginnings of names, patterns, other machines, and paths."""
    logger = Logger(Logger.QUIET)  # type: ignore[no-untyped-call]
    theirs = FileStorage("saved", logger, default_machine_id=get_machine_id())  # type: ignore[no-untyped-call]
    for uri in ("saved", "file://saved", "file://./saved", str(folder), f"file://{folder}"):
        ours = BenchmarkStorage.open(uri)
        assert ours.query(name) == theirs.query(name)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ["a/b/c", "/", "/0001", ""])
def test_what_is_no_name_selects_nothing(name: str, folder: Path) -> None:
    """With some of them, pytest-benchmark raises an error of its own."""
    assert BenchmarkStorage.open(str(folder)).query(name) == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("elasticsearch+http://host", "freezebench reads saved runs from files. Give file://FOLDER"),
        ("nowhere", "--benchmark-storage=nowhere: there is no such folder (seen from "),
        ("file://nowhere", "--benchmark-storage=file://nowhere: there is no such folder"),
        ("", "--benchmark-storage=: there is no such folder"),
        ("file://", "--benchmark-storage=file://: there is no such folder"),
        ("saved/notes.txt", "--benchmark-storage=saved/notes.txt: there is no such folder"),
        ("~nobody-of-this-name/x", "there is no such folder"),
        ("x" * 300, "there is no such folder"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_storage_that_is_no_folder_is_refused(uri: str, message: str) -> None:
    """And no folder is made."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        BenchmarkStorage.open(uri)
    assert not Path("nowhere").exists()


def test_paths_are_no_names() -> None:
    """A path that does not exist is reported as a path."""
    assert [text for text in ("0001", "Linux*/0001", "before", "0001_main", "*") if not is_name(text)] == []
    paths = ("/a", "~/a", "./a", "../a", "a.json", "a/b/c", "a/", "", ".benchmarks")
    assert [text for text in paths if is_name(text)] == []
