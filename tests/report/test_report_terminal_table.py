"""Tables on a terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from experiments import varied_summary
from freezebench.report.terminal_table import aligned, figure_tables, plain_text

_CASES: dict[str, dict[str, Any]] = {
    "cpu": {"on_gpu": False},
    "gpu": {"on_gpu": True},
    "contended": {"on_gpu": False, "contended": {"none": 1, "emb": 3, "emb+L0": 2}},
}


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("case", _CASES)
def test_the_tables_are_golden(case: str, width: int) -> None:
    """They equal the golden files; FREEZEBENCH_WRITE_GOLDEN=1 writes these anew, to be read before a commit."""
    golden = Path(__file__).with_name("golden") / f"{case}_{width}.txt"
    shown = "\n\n".join(plain_text(table) for table in figure_tables(varied_summary(**_CASES[case]), width)) + "\n"
    if os.environ.get("FREEZEBENCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_numbers_are_aligned_at_the_decimal_point() -> None:
    """This holds for any size; a missing number is a dash."""
    assert aligned([145.4, 9.75, None, 0.102], "{:g}".format) == ("145.4  ", "  9.75 ", "  –    ", "  0.102")
    assert aligned([-0.04, 12.3], "{:+.1f}".format) == (" +0.0", "+12.3")
    assert aligned([-0.001], "{:.0f} %".format) == ("0 %",)
