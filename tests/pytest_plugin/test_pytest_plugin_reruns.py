"""``--reruns`` of pytest-rerunfailures: broken runs are trained again, and runs that fail by their figures are not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from freezebench.records.run_record import InvalidCause
from freezebench.runs import experiment

pytest.importorskip("pytest_rerunfailures")

Project = Callable[..., pytest.Pytester]

FLAGS = ["-Wignore::pytest.PytestWarning", "--reruns=2", "--freeze-grid=none,emb", "--freeze-num-seeds=3", "-rR"]
STAYS = "*A rerun trains nothing again but runs that crashed, *so that this result stays. Use --freeze-resume=no *"


def _properties(junit: Path, name: str) -> list[Counter[str | None]]:
    """Return how often each property is there, for every attempt of a test that is in the file."""
    cases = ET.parse(junit).getroot().iter("testcase")  # noqa: S314 - ours
    return [Counter(item.get("name") for item in case.iter("property")) for case in cases if case.get("name") == name]


def _break_once(monkeypatch: pytest.MonkeyPatch, freeze: str, cause: InvalidCause, *, times: int = 1) -> list[str]:
    """Let the second seed of a configuration break at its first attempts; return the runs that train."""
    run, ran = experiment.run, list[str]()

    def breaks(spec: Any, **options: Any) -> Any:
        ran.append(f"{spec.freeze} {spec.seed}")
        record = run(spec, **options)
        if (spec.freeze, spec.seed) == (freeze, 43) and ran.count(ran[-1]) <= times:
            return replace(record, status="invalid", cause=cause, reason="there was a fault", test=None)
        return record

    monkeypatch.setattr(experiment, "run", breaks)
    return ran


def test_a_verdict_by_its_figures_is_not_trained_again(project: Project, reach: Callable[..., list[str]]) -> None:
    """Every attempt fails with the same figures; the message says why, and each JUnit property is there once."""
    ran = reach(none=0.9, emb=0.6)
    session = project("max_drop=5")
    junit, saved = session.path / "j.xml", session.path / "b.json"
    result = session.runpytest_inprocess(*FLAGS, f"--junitxml={junit}", f"--benchmark-json={saved}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "rerun": 2}
    assert Counter(ran) == {f"{freeze} {seed}": 1 for freeze in ("none", "emb") for seed in (42, 43, 44)}
    result.stdout.fnmatch_lines(["*INFERIOR: emb is not within 5 points of no freezing: *", STAYS])
    attempts = _properties(junit, "test_it[emb]")
    assert all(set(attempt.values()) == {1} for attempt in attempts)
    assert attempts[-1]["freezebench_message"] == 1
    assert [bench["param"] for bench in json.loads(saved.read_text(encoding="utf-8"))["benchmarks"]] == ["none"]


@pytest.mark.parametrize("freeze", ["none", "emb"])
@pytest.mark.parametrize("cause", ["killed", "timeout", "crash", "out_of_memory"])
def test_a_run_that_broke_is_trained_again(
    project: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, freeze: str, cause: InvalidCause
) -> None:
    """Only that run; the test passes, and summary and JUnit say what was trained again and why."""
    reach()
    ran = _break_once(monkeypatch, freeze, cause)
    session = project("max_drop=90")
    junit = session.path / "j.xml"
    result = session.runpytest_inprocess(*FLAGS, f"--junitxml={junit}")
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1}
    assert Counter(ran) == {
        f"{name} {seed}": 1 + ((name, seed) == (freeze, 43)) for name in ("none", "emb") for seed in (42, 43, 44)
    }
    result.stdout.fnmatch_lines([f"freezebench: trained again in a rerun: {freeze} seed 43 (there was a fault)"])
    attempts = _properties(junit, f"test_it[{freeze}]")
    assert all(set(attempt.values()) == {1} for attempt in attempts)
    assert attempts[-1]["freezebench_retrained"] == 1


@pytest.mark.parametrize("cause", ["non_finite_loss", "nothing_trained", "inputs_changed"])
def test_a_run_that_would_break_again_is_not_trained_again(
    project: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, cause: InvalidCause
) -> None:
    """What follows from the figures or the files needs other settings, not another attempt."""
    reach()
    ran = _break_once(monkeypatch, "emb", cause)
    result = project("max_drop=90").runpytest_inprocess(*FLAGS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "rerun": 2}
    assert ran.count("emb 43") == 1
    result.stdout.fnmatch_lines(["*emb: seed 43: there was a fault*"])
    result.stdout.fnmatch_lines([STAYS])


def test_a_run_that_breaks_at_every_attempt_fails(
    project: Project, reach: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as there are attempts."""
    reach()
    ran = _break_once(monkeypatch, "emb", "killed", times=9)
    result = project("max_drop=90").runpytest_inprocess(*FLAGS)
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "rerun": 2}
    assert ran.count("emb 43") == 3


def test_a_test_that_fails_by_itself_is_saved_once(project: Project, reach: Callable[..., list[str]]) -> None:
    """What follows ``freeze_run()`` may fail and be rerun; pytest-benchmark's file has each test once."""
    ran = reach()
    session = project("max_drop=90")
    path = session.path / "test_project.py"
    path.write_text(
        path.read_text(encoding="utf-8") + "\n    tries.append(1)\n    assert len(tries) != 2\n\ntries = []\n"
    )
    saved = session.path / "b.json"
    result = session.runpytest_inprocess(*FLAGS, f"--benchmark-json={saved}")
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1}
    assert len(ran) == 6
    assert [bench["param"] for bench in json.loads(saved.read_text(encoding="utf-8"))["benchmarks"]] == ["none", "emb"]


@pytest.mark.slow
def test_a_worker_that_was_killed_is_replaced_for_the_rerun(project: Project, faults: Callable[..., None]) -> None:
    """A real one: the run breaks, the rerun of its test trains it in a new process, and the session is green."""
    faults(emb="killed")
    session = project("max_drop=90, grid='none,emb', num_seeds=1, inconclusive='pass'")
    session.makeconftest(
        "import os\ndef pytest_runtest_logreport(report):\n"
        "    if report.outcome == 'rerun': os.environ.pop('FREEZEBENCH_FAULTS', None)\n"
    )
    result = session.runpytest_subprocess("--reruns=1", "-Wdefault::pytest.PytestWarning")
    assert result.parseoutcomes() == {"passed": 2, "rerun": 1}
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*emb seed 42: invalid: *SIGKILL*", "freezebench: trained again in a rerun: emb seed 42 (*SIGKILL*"]
    )
