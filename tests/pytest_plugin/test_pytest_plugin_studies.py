"""Several models and data sets: every model with every data set is an experiment of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tiny import write_data, write_model

TEST = "@freeze(grid='none,emb')\ndef test_it(freeze_run): freeze_run()\n"
FLAGS = ("--freeze-model=small,deep", "--freeze-data=films", "--freeze-data=books")
COMBINED = [f"{model}-{data}-{freeze}" for model in ("small", "deep") for data in ("films", "books") for freeze in "ne"]
IDS = [name[:-1] + {"n": "none", "e": "emb"}[name[-1]] for name in COMBINED]


@pytest.fixture
def study(cases: Callable[[str], pytest.Pytester]) -> Callable[[str], pytest.Pytester]:
    """Make a project beside two models, of two and three layers, and two data sets."""

    def make(source: str = TEST) -> pytest.Pytester:
        pytester = cases(source)
        write_model(pytester.path / "small")
        write_model(pytester.path / "deep", n_layers=3)
        for name in ("films", "books"):
            write_data(pytester.path / name)
        return pytester

    return make


def _ids(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Return what is in the brackets of the tests that pytest collects."""
    result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    assert result.ret == pytest.ExitCode.OK
    return [line.partition("[")[2].removesuffix("]") for line in result.outlines if "::" in line]


def test_every_model_with_every_data_set(
    study: Callable[[str], pytest.Pytester], reach: Callable[..., list[str]]
) -> None:
    """Each has a test per configuration, runs of its own, and a table."""
    ran = reach()
    pytester = study(TEST)
    assert sorted(_ids(pytester, *FLAGS)) == sorted(IDS)
    result = pytester.runpytest_inprocess(*FLAGS)
    result.assert_outcomes(passed=8)
    assert len(ran) == 8
    tables = [line.strip("= ") for line in result.outlines if line.startswith("==") and "freezebench: " in line]
    assert sorted(tables) == sorted(
        f"freezebench: {model} on {data}" for model in ("small", "deep") for data in ("films", "books")
    )
