"""A search over an encoder of 24 layers against ``all``, both really trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deep_models import CLOSED
from tiny import write_data

TEST = """
import pytest

@pytest.mark.freeze(
    model="deep_models:closed_layer", data={data!r}, device="cpu", precision="float32", engine="cached",
    epochs=4, lr=2e-2, batch_size=16, num_seeds=3, margin=20,
)
def test_it(freeze_run):
    freeze_run()
"""
LADDER = ["emb", "emb+L0", *(f"emb+L0-{last}" for last in range(1, 24))]
# The model learns with these prefixes frozen, and guesses with deeper ones.
SAFE = LADDER[: CLOSED + 1]


def _rows(report: Path) -> dict[str, dict[str, Any]]:
    experiment = json.loads((report / "report.json").read_text())["experiments"][0]
    return {row["freeze"]: row for row in experiment["configurations"]}


def _safe(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [freeze for freeze, row in rows.items() if row["verdict"] == "non_inferior"]


def _num_runs(rows: dict[str, dict[str, Any]]) -> int:
    return sum(len(row["runs"]) for row in rows.values())


@pytest.mark.slow
@pytest.mark.usefixtures("without_matplotlib")
def test_search_gives_the_answer_of_all_in_a_third_of_its_runs(
    project: Callable[..., pytest.Pytester], tmp_path: Path
) -> None:
    """What it did not train is skipped with the answer, and what it trained has the verdict that it has in ``all``."""
    data = write_data(tmp_path / "data", sizes=(160, 24, 300))
    session = project()
    session.makepyfile(test_project=TEST.format(data=str(data)))

    def run(grid: str) -> tuple[pytest.RunResult, dict[str, dict[str, Any]]]:
        flags = (f"--freeze-grid={grid}", f"--freeze-report={tmp_path / grid}", "-rs")
        result = session.runpytest_inprocess(*flags, "-Wdefault::pytest.PytestWarning")
        return result, _rows(tmp_path / grid)

    result, rows_of_all = run("all")
    result.assert_outcomes(passed=26)
    assert list(rows_of_all) == ["none", *LADDER]
    assert rows_of_all["none"]["accuracy"] > 0.9
    assert _safe(rows_of_all) == SAFE
    assert _num_runs(rows_of_all) == 78

    result, rows = run("search")
    trained = [freeze for freeze in LADDER if rows[freeze]["runs"]]
    assert {SAFE[-1], LADDER[len(SAFE)]} < set(trained)
    assert _safe(rows)[-1] == SAFE[-1]
    assert {freeze: rows[freeze]["verdict"] for freeze in trained} == {
        freeze: rows_of_all[freeze]["verdict"] for freeze in trained
    }
    assert _num_runs(rows) <= 78 / 3
    result.assert_outcomes(passed=1 + len(trained), skipped=25 - len(trained))
    deeper = f"{LADDER[len(SAFE)]} is not shown to be non-inferior"
    answer = f"the search found {SAFE[-1]} to be the deepest safe prefix; {deeper}"
    result.stdout.fnmatch_lines([f"SKIPPED*not needed: {LADDER[-1]}, since {answer}"])
    assert all(rows[freeze]["not_needed"] == answer for freeze in set(LADDER) - set(trained))
