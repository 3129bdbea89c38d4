"""The comparison with a saved run as text."""

from __future__ import annotations

from dataclasses import replace

from freezebench.report.comparison import comparison_lines
from freezebench.specs.grid import PerSpec
from freezebench.specs.limits import CostLimits
from freezebench.verdicts.compare import compare
from saved_runs import configuration, saved


def test_the_comparison_shows_both_runs_and_lists_the_rest() -> None:
    """Old and new figures, limits, and a line for every configuration that was not compared."""
    old = saved(configuration("none"), configuration("emb"), configuration("head"))
    other_data = replace(configuration("emb"), data_sha256={"test": "x"})
    renamed = configuration("none", test="u.py::test_other", accuracy=0.7)
    new = saved(renamed, other_data, configuration("emb+L0"))
    costs = CostLimits(max_memory=PerSpec(default=1.01))
    text = "\n".join(comparison_lines(compare(old, new, margin_pp=2, costs=costs)))
    assert "compared with the run of 2026-11-23 (0001_old.json), saved → now" in text
    assert "10.0 s → 10.0 s (1.000×)" in text
    assert "2.00 GiB → 2.00 GiB (1.000×) passed" in text
    assert "– → –" in text
    assert "INFERIOR: none: accuracy: drop " in text
    assert "passed: none: peak memory: 1.000× the saved run's, at most 1.01× allowed." in text
    assert "Renamed: t.py::test_it[none] is now u.py::test_other[none]." in text
    assert "Not compared: t.py::test_it[emb]: test sentences sha256 test400 → sha256 x." in text
    assert "Not in the saved run: t.py::test_it[emb+L0]." in text
    assert "Only in the saved run: t.py::test_it[head]." in text


def test_limits_can_be_left_out() -> None:
    """Pytest's summary has a line per limit already; the reasons why figures cannot be compared stay."""
    other = replace(configuration(), device_name="another CPU")
    lines = comparison_lines(compare(saved(configuration()), saved(other), margin_pp=2), with_parts=False)
    assert not any(line.startswith(("passed", "INFERIOR", "INCONCLUSIVE")) for line in lines)
    assert "emb: train time: not comparable: device a CPU → another CPU." in lines


def test_the_table_fits_the_terminal() -> None:
    """A table that is too wide is split, and each part repeats the names of the configurations."""
    comparison = compare(saved(configuration("emb")), saved(configuration("emb")), margin_pp=2)
    narrow, wide = (comparison_lines(comparison, with_parts=False, width=width) for width in (60, 140))
    assert max(map(len, narrow[1:])) <= 60
    assert sum(line.startswith("frozen ") for line in narrow) == 2
    assert sum(line.startswith("frozen ") for line in wide) == 1
    for part in ("5 s → 5 s", "GiB →", "– → –"):
        assert part in "\n".join(narrow)


def test_configurations_of_several_experiments_are_told_apart() -> None:
    """By the ids of their cases; by whole names if those are equal, too."""
    cases = [replace(configuration("emb"), node_id=f"a.py::test_it[{name}-emb]", model=name) for name in ("x", "y[1]")]
    lines = comparison_lines(compare(saved(*cases), saved(*cases), margin_pp=2), with_parts=False)
    assert [line.partition("  ")[0] for line in lines[3:5]] == ["x-emb", "y[1]-emb"]
    functions = [configuration("emb", test=f"a.py::test_{name}") for name in ("it", "that")]
    lines = comparison_lines(compare(saved(*functions), saved(*functions), margin_pp=2), with_parts=False)
    assert [line.partition("  ")[0] for line in lines[3:5]] == ["a.py::test_it[emb]", "a.py::test_that[emb]"]
    no_tests = [replace(configuration("emb"), node_id=None, model=name, experiment_id=name) for name in ("x", "y")]
    lines = comparison_lines(compare(saved(*no_tests), saved(*no_tests), margin_pp=2), with_parts=False)
    assert [line.partition("  ")[0] for line in lines[3:5]] == ["emb (x on made-up)", "emb (y on made-up)"]


def test_an_empty_comparison_says_so() -> None:
    """Without a common configuration the lines do not look like a pass."""
    lines = comparison_lines(compare(saved(configuration("emb")), saved(configuration("head")), margin_pp=2))
    assert "Nothing was compared." in lines
