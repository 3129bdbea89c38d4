"""The store in whole sessions: repeated sessions, damaged files, full and read-only disks."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freezebench.executors import in_process
from freezebench.records import store as store_module
from freezebench.records.store import decode
from freezebench.runs import experiment
from saved_runs import outcomes

Project = Callable[..., pytest.Pytester]

MARKER = "max_drop=90, grid='none,emb', num_seeds=2"


@pytest.mark.usefixtures("without_matplotlib")
def test_a_second_session_trains_nothing_and_finds_the_same(project: Project, tmp_path: Path) -> None:
    """Runs are saved once and reused once; --freeze-resume=no trains and saves them again, with the same outcomes."""
    store = tmp_path / "runs"
    session = project(MARKER)
    first = session.runpytest_inprocess(f"--freeze-store={store}", f"--freeze-report={tmp_path / 'a'}")
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*trained in*", f"freezebench: saved 4 runs to {store}"])
    files = {path.name: path.read_bytes() for path in store.iterdir()}
    assert len(files) == 4
    second = session.runpytest_inprocess(f"--freeze-store={store}", f"--freeze-report={tmp_path / 'b'}")
    second.assert_outcomes(passed=2)
    second.stdout.fnmatch_lines([f"freezebench: reused 4 runs of earlier sessions from {store}*"])
    second.stdout.no_fnmatch_line("*trained in*")
    third = session.runpytest_inprocess(
        f"--freeze-store={store}", "--freeze-resume=no", f"--freeze-report={tmp_path / 'c'}"
    )
    third.stdout.fnmatch_lines(["*trained in*"])
    third.stdout.no_fnmatch_line("*reused from an earlier session*")
    anew = {path.name: path.read_bytes() for path in store.iterdir()}
    assert anew.keys() == files.keys()
    assert all(anew[name] != files[name] for name in files)
    assert outcomes(tmp_path / "a") == outcomes(tmp_path / "b") == outcomes(tmp_path / "c")


@pytest.mark.slow
def test_a_configuration_that_is_added_to_reused_runs_has_no_speedup(project: Project, tmp_path: Path) -> None:
    """The unfrozen runs are those of another session; trained anew, all runs are of one."""
    session, store = project(MARKER), f"--freeze-store={tmp_path / 'runs'}"
    session.runpytest_inprocess(store).stdout.no_fnmatch_line("No speed-up of *")
    added = session.runpytest_inprocess(store, "--freeze-grid=none,emb,emb+L0")
    added.stdout.fnmatch_lines(["No speed-up of emb+L0: the unfrozen runs of the same seeds are of another session*"])
    anew = session.runpytest_inprocess(store, "--freeze-grid=none,emb,emb+L0", "--freeze-resume=no")
    anew.stdout.no_fnmatch_line("No speed-up of *")


@pytest.mark.slow
def test_a_changed_model_configuration_is_another_run(project: Project, tmp_path: Path, tiny_model: Path) -> None:
    """With the same weights but another dropout rate, no run is reused."""
    store = tmp_path / "runs"
    session = project(MARKER)
    # Every baseline has to learn, or its runs are invalid and not saved.
    arguments = [f"--freeze-store={store}", "--freeze-lr=3e-3", "--freeze-epochs=16"]
    session.runpytest_inprocess(*arguments).assert_outcomes(passed=2)
    other = tmp_path / "other"
    other.mkdir()
    for path in tiny_model.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    first = session.runpytest_inprocess(*arguments, f"--freeze-model={other}")
    first.stdout.no_fnmatch_line("*reused from an earlier session*")
    (other / "config.json").write_text(json.dumps({**config, "dropout": 0.0}), encoding="utf-8")
    second = session.runpytest_inprocess(*arguments, f"--freeze-model={other}")
    second.stdout.no_fnmatch_line("*reused from an earlier session*")
    assert len(list(store.glob("*.json"))) == 12


def test_a_damaged_file_is_set_aside_and_trained_again(project: Project, tmp_path: Path) -> None:
    """One of four runs is trained again; the session passes, and the summary reports the file."""
    store = tmp_path / "runs"
    session = project(MARKER)
    session.runpytest_inprocess(f"--freeze-store={store}")
    damaged = min(store.glob("*.json"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:1000])
    result = session.runpytest_inprocess(f"--freeze-store={store}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["freezebench: *is not used: it is damaged or not JSON*", "freezebench: reused 3 runs*", "*saved 1 run to*"]
    )
    assert decode(damaged.read_bytes()).test == decode(whole).test


@pytest.mark.slow
def test_a_disk_that_fills_up_costs_nothing_but_the_store(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests pass, and the summary names what was not saved and what to do."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "_write_whole", full)
    result = project(MARKER).runpytest_inprocess(f"--freeze-store={tmp_path / 'runs'}")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["freezebench: runs could not be saved to * (No space left on device): *Free space, or name another folder*"]
    )


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return a function that makes a folder read-only, for the superuser as well."""

    def refuse(folder: Path) -> None:
        def refusing(name: str) -> None:
            real = getattr(os, name)

            def call(path: str | Path, *arguments: Any, **options: Any) -> Any:
                flags = arguments[0] if name == "open" and arguments else 0
                reads = name == "open" and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
                if not reads and folder in (Path(path), *Path(path).parents):
                    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
                return real(path, *arguments, **options)

            monkeypatch.setattr(os, name, call)

        for name in ("open", "mkdir", "link", "rename", "replace", "unlink", "rmdir", "utime"):
            refusing(name)

    return refuse


@pytest.mark.slow
def test_a_store_that_can_only_be_read(project: Project, tmp_path: Path, read_only: Callable[[Path], None]) -> None:
    """Runs in it are reused; a run that is trained passes, and the summary reports that it was not saved."""
    store = tmp_path / "runs"
    session = project(MARKER)
    session.runpytest_inprocess(f"--freeze-store={store}").assert_outcomes(passed=2)
    files = {path.name: path.read_bytes() for path in store.iterdir()}
    read_only(store)
    again = session.runpytest_inprocess(f"--freeze-store={store}")
    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines(["freezebench: reused 4 runs*"])
    again.stdout.no_fnmatch_line("*could not be saved*")
    more = session.runpytest_inprocess(f"--freeze-store={store}", "--freeze-grid=none,emb,L0")
    more.assert_outcomes(passed=3)
    more.stdout.fnmatch_lines(
        [
            "freezebench: runs could not be saved to * (Read-only file system): *name another folder with --freeze-s*",
            "freezebench: reused 4 runs*",
        ]
    )
    assert {path.name: path.read_bytes() for path in store.iterdir()} == files


@pytest.mark.slow
def test_a_damaged_file_in_a_store_that_can_only_be_read(
    project: Project, tmp_path: Path, read_only: Callable[[Path], None]
) -> None:
    """The file is not trusted, its run is trained again, and the file is not moved."""
    store = tmp_path / "runs"
    session = project(MARKER)
    session.runpytest_inprocess(f"--freeze-store={store}")
    damaged = min(store.glob("*.json"))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    read_only(store)
    result = session.runpytest_inprocess(f"--freeze-store={store}")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*could not be moved (Read-only file system): the run is trained again and not saved*"]
    )
    assert len(damaged.read_bytes()) == 1000


@pytest.mark.slow
def test_a_model_that_is_edited_during_a_run_poisons_no_store(
    project: Project, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs from then on are invalid and not kept; the one before is kept under the configuration that it had."""
    model, store = Path(shutil.copytree(tiny_model, tmp_path / "model")), tmp_path / "runs"
    original = (model / "config.json").read_bytes()
    session, arguments = project(MARKER), [f"--freeze-store={store}", f"--freeze-model={model}"]
    calls, train = [], experiment._train

    def edited(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            (model / "config.json").write_bytes(original.replace(b'"dropout": 0.1', b'"dropout": 0.4'))
        return train(*given, **options)

    monkeypatch.setattr(experiment, "_train", edited)
    result = session.runpytest_inprocess(*arguments)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"*INVALID: emb: seed 42: {model} changed while this session ran (config.json): runs before and after*"]
    )
    assert len(list(store.glob("*.json"))) == 1
    again = session.runpytest_inprocess(*arguments)
    again.stdout.no_fnmatch_line("freezebench: reused*")
    (model / "config.json").write_bytes(original)
    restored = session.runpytest_inprocess(*arguments)
    restored.assert_outcomes(passed=2)
    restored.stdout.fnmatch_lines(["freezebench: reused 1 run of earlier sessions*"])


@pytest.mark.slow
def test_runs_of_this_process_are_others_than_those_of_a_worker(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --freeze-isolate=none a conftest may have patched anything, so that no worker's session reuses its runs."""
    store = tmp_path / "runs"
    session = project(MARKER)
    session.runpytest_inprocess(f"--freeze-store={store}", "--freeze-isolate=none").assert_outcomes(passed=2)
    environments = [decode(path.read_bytes()).environment for path in store.glob("*.json")]
    assert [environment["isolation"] for environment in environments] == ["none"] * 4
    monkeypatch.setattr(in_process, "_IN_PROCESS", {})  # as a worker's records are
    other = session.runpytest_inprocess(f"--freeze-store={store}")
    other.assert_outcomes(passed=2)
    other.stdout.no_fnmatch_line("freezebench: reused*")
