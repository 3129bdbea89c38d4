"""The overview of a session: above the tables of its experiments, and its sentence at the very end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

AGAIN = """
@pytest.mark.freeze({marker}, max_length=8)
def test_shorter(freeze_run):
    freeze_run()
"""


@pytest.mark.slow
def test_several_experiments_begin_with_their_overview(project: Callable[..., pytest.Pytester]) -> None:
    """The last line of the session repeats its sentence; a session of one experiment has none."""
    pytester = project("grid='none,emb', num_seeds=2")
    path = pytester.path / "test_project.py"
    source = path.read_text(encoding="utf-8")
    marker = source.partition("freeze(")[2].partition(")\n")[0]
    path.write_text(source + AGAIN.format(marker=marker), encoding="utf-8")
    lines = pytester.runpytest_inprocess("-Wdefault::pytest.PytestWarning").outlines
    titles = [line.strip("= ") for line in lines if line.startswith("=") and "freezebench: " in line]
    assert titles[0] == "freezebench: 2 experiments"
    assert len(titles) == 3
    assert [line.partition("(")[2].partition(")")[0] for line in lines if line[:3] in ("1: ", "2: ")][:2] == [
        "max_length None",
        "max_length 8",
    ]
    sentences = [index for index, line in enumerate(lines) if line.startswith("No prefix is non-inferior")]
    assert len(sentences) == 2
    assert sentences[1] > max(index for index, line in enumerate(lines) if titles[-1] in line)
    single = pytester.runpytest_inprocess("-Wdefault::pytest.PytestWarning", "-k", "test_it")
    assert [line for line in single.outlines if re.search(r"freezebench: \d+ experiments|No prefix was", line)] == []
