"""Comparison with a saved run: what fails a test, what is refused before training, and what is only shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[..., pytest.Pytester]

GRID = "--freeze-grid=none,emb"
SAVE = (GRID, "--benchmark-save=ref")


def _saved_file(pytester: pytest.Pytester) -> Path:
    return next((pytester.path / ".benchmarks").rglob("*.json"))


def _change(pytester: pytest.Pytester, **values: Any) -> None:
    """Change figures of every saved configuration."""
    file = _saved_file(pytester)
    content = json.loads(file.read_text(encoding="utf-8"))
    for bench in content["benchmarks"]:
        bench["extra_info"]["freezebench"].update(values)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_an_unchanged_run_passes_and_a_worse_one_fails(project: Project, reached: dict[str, Any]) -> None:
    """Accuracy is always judged, time only with a limit; a run that fails is not saved as the next reference."""
    pytester = project("num_seeds=5")
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    limits = ("--freeze-max-time=1.05", "--freeze-max-memory=1.01")
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "-v", *limits)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "Limit passed: emb: accuracy: drop 0.00 points, upper bound * allowed: 2 points below the saved run*",
            "Limit passed: emb: train time: 1.000× the saved run's, at most 1.05× allowed, 5 against 5 saved runs.",
            "Limit passed: emb: peak memory: 1.000× the saved run's, at most 1.01× allowed.",
            "freezebench: compared with the run of *0001_ref.json), saved → now",
            "none *89.5 → 89.5 passed *1.000×) passed*",
        ]
    )
    reached["slower"] = 1.5
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", *limits, "--benchmark-json=new.json")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*EXCEEDED: emb*", "*EXCEEDED: train time: 1.500× the saved run's, at most 1.05× allowed*"]
    )
    assert json.loads((pytester.path / "new.json").read_text(encoding="utf-8"))["benchmarks"] == []
    # Recording and time gates are off, accuracy is not.
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", *limits, "--benchmark-disable")
    result.assert_outcomes(passed=2)
    reached["accuracy"] = 0.6
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "--benchmark-disable")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*INFERIOR: accuracy: drop *, lower bound *, allowed: 2 points below the saved run*"])


def test_a_limit_needs_a_saved_run(project: Project, reached: dict[str, Any]) -> None:
    """Without one, or without the flag that names it, nothing is trained, and the message says how to save one."""
    pytester = project()
    # pytest-benchmark warns about the missing file as well.
    compare = ("--benchmark-compare", "-W", "ignore")
    for flags in ((), compare):
        result = pytester.runpytest_inprocess(GRID, "--freeze-max-memory=1.01", *flags)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*there is no saved run to compare with. *--benchmark-save=NAME*"])
    assert reached["ran"] == 0
    # Time limits are off, and no limit is left.
    assert pytester.runpytest_inprocess(GRID, "--freeze-max-time=1.1", "--benchmark-disable").ret == 0
    result = pytester.runpytest_inprocess(GRID, *compare)
    assert result.ret == 0
    note = "--benchmark-compare found no saved run: nothing is compared.*"
    warning = f"freezebench: warning: {note}"
    result.stdout.fnmatch_lines([f"freezebench: {note}", "*test_project.py*", warning, "*2 passed*", warning])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"benchmarks": [', "*damaged or no JSON*"),
        (
            '{"machine_info": {}, "datetime": "", "benchmarks": [{"fullname": "x", "stats": {}, "extra_info": {}}]}',
            "*holds no freezebench figures*",
        ),
    ],
)
def test_a_damaged_or_foreign_reference_is_refused(
    project: Project, reached: dict[str, Any], content: str, message: str
) -> None:
    """A comparison that was requested and cannot be made is an error: exit code 4, and the message names the file."""
    pytester = project()
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    _saved_file(pytester).write_text(content, encoding="utf-8")
    reached["ran"] = 0
    # pytest-benchmark warns about the file as well.
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "-W", "ignore")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    result.stderr.fnmatch_lines(["*0001_ref.json*"])
    assert reached["ran"] == 0


def test_a_renamed_test_finds_its_partner(project: Project, reached: dict[str, Any]) -> None:
    """The same experiment and configuration are compared, and the summary names the renaming."""
    pytester = project()
    assert reached["ran"] == 0
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    source = (pytester.path / "test_project.py").read_text(encoding="utf-8")
    (pytester.path / "test_project.py").unlink()
    pytester.makepyfile(test_renamed=source)
    result = pytester.runpytest_inprocess("--freeze-grid=none,emb+L0", "--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "Renamed: test_project.py::test_it[[]none[]] is now test_renamed.py::test_it[[]none[]].",
            "Not in the saved run: test_renamed.py::test_it[[]emb+L0[]].",
            "Only in the saved run: test_project.py::test_it[[]emb[]].",
        ]
    )
    result = pytester.runpytest_inprocess("--freeze-grid=none,emb+L0", "--benchmark-compare", "--freeze-max-memory=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*[[]emb+L0[]] is limited to 2× *holds no such configuration*"])


def test_another_protocol_is_refused(project: Project, reached: dict[str, Any]) -> None:
    """Without a limit the summary names what differs; with one, nothing is trained."""
    pytester = project()
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "--freeze-epochs=9", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["Not compared: *[[]emb[]]: epochs 8 → 9."])
    result.stdout.fnmatch_lines(["SKIPPED*INCONCLUSIVE: none", "*INCONCLUSIVE: *epochs 8 → 9"])
    # As in continuous integration, where nothing is trained.
    assert "To compare across these: --freeze-compare-across=epochs." in result.outlines
    reached["ran"] = 0
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "--freeze-epochs=9", "--freeze-max-memory=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is not comparable: epochs 8 → 9. *with --freeze-compare-across=epochs, or save*"])
    _change(pytester, data_sha256={"test": "f" * 64})
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "--freeze-max-memory=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is not comparable: test sentences sha256 ffffffffffff → sha256 *"])
    assert reached["ran"] == 0


def test_another_device_refuses_limits_on_costs(project: Project, reached: dict[str, Any]) -> None:
    """Accuracy is compared across device models; limits on time and on memory are refused before training."""
    pytester = project()
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    _change(pytester, device_name="another CPU")
    result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", "--freeze-max-regression=50")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [f"emb: {cost}: not comparable: device another CPU → *" for cost in ("train time", "peak memory")]
    )
    reached["ran"] = 0
    for limit in ("--freeze-max-time=1.1", "--freeze-max-memory=1.01"):
        result = pytester.runpytest_inprocess(GRID, "--benchmark-compare", limit)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*is not comparable: device another CPU → *"])
    assert reached["ran"] == 0


def test_too_few_seeds_for_time_are_reported_before_training(project: Project, reached: dict[str, Any]) -> None:
    """The design cannot decide: a note if undecided tests are skipped, an error if they fail."""
    pytester = project("num_seeds=3")
    assert pytester.runpytest_inprocess(*SAVE).ret == 0
    flags = (GRID, "--benchmark-compare", "--freeze-max-time=1.1")
    result = pytester.runpytest_inprocess(*flags)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*limits on time and energy need 5 runs on both sides; 3 are planned and 3 saved*"])
    reached["ran"] = 0
    result = pytester.runpytest_inprocess(*flags, "--freeze-inconclusive=fail")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--freeze-num-seeds=5*the run could only fail.*"])
    assert reached["ran"] == 0
