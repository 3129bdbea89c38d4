"""The plan's lines on what judges an experiment."""

from __future__ import annotations

from dataclasses import replace

import made_up
from experiments import settings
from freezebench.report.judging_plan import judging_lines, limit_lines, stored_fault_lines
from freezebench.verdicts.judge import judge
from made_up import facts


def test_task_metric_and_margin_with_its_unit() -> None:
    """The plan always has them; a header only where they are not accuracy of a classifier."""
    usual = "freezebench: task sequence-classification, judged by accuracy, margin 2 points"
    assert judging_lines(settings(), facts(100)) == [usual]
    assert judging_lines(settings(), facts(100), with_usual=False) == []
    (line,) = judging_lines(settings(metric="log-loss", margin="0.05"), facts(100), with_usual=False)
    assert line == "freezebench: task sequence-classification, judged by log loss, margin 0.05 nats"
    regression = replace(facts(100), task="regression", label_names=("stars",))
    (line,) = judging_lines(settings(), regression, with_usual=False)
    assert line.startswith("freezebench: task regression, judged by Pearson")


def test_slices_and_limits() -> None:
    """Slices have their sizes; limits are shown where they are asserted."""
    data = replace(
        facts(4),
        test_slices=(0, 1, 0, 0),
        slice_names=("short", "long"),
    )
    own = settings(
        test="tweets=reviews:tweets",
        slice_column="length",
        max_slice_drop="4",
        max_test_drop="5",
    )
    usual = "freezebench: task sequence-classification, judged by accuracy, margin 2 points"
    assert judging_lines(own, data) == [
        f"{usual}, --freeze-max-slice-drop=4, --freeze-max-test-drop=5",
        "freezebench: slices of length: short (3), long (1)",
        (
            "freezebench: Too few examples for a verdict, whatever is trained: slice short (3, and an interval needs "
            "10), slice long (1, and an interval needs 10)."
        ),
    ]


def test_limits_that_the_design_cannot_show_are_named() -> None:
    """Whatever the margin; others are part of the plan alone."""
    limited = settings(max_drop="emb:1,emb+L0:9", num_seeds="3", margin="20")
    (line,) = limit_lines(limited, facts(400), ["none", "emb", "emb+L0"], with_usual=False)
    assert line == (
        "freezebench: limits on the drop: 1 point for emb; 9 points for emb+L0. Expect inconclusive tests of emb: its "
        "limit is smaller than 2.9 points"
    )
    wide = settings(max_drop="9", num_seeds="3")
    assert limit_lines(wide, facts(400), ["none", "emb"], with_usual=False) == []
    assert limit_lines(wide, facts(400), ["none", "emb"]) == ["freezebench: limits on the drop: 9 points for emb"]
    assert limit_lines(settings(max_drop="9", num_seeds="1"), facts(400), ["emb"], with_usual=False) == []
    assert limit_lines(settings(), facts(400), ["none"]) == []


def test_invalid_runs_of_earlier_sessions_are_named() -> None:
    """Those of the baseline end everything, and come alone; valid and open ones have no line."""
    none, emb = made_up.seeds("none"), made_up.seeds("emb")
    valid = judge("emb", emb, none, margin_pp=2.0, limit_pp=None)
    assert stored_fault_lines(None, [valid]) == []
    broken = judge("emb", [made_up.broken("emb")], none[:1], margin_pp=2.0, limit_pp=None)
    (line,) = stored_fault_lines(judge("none", none, none, margin_pp=2.0, limit_pp=None), [valid, broken])
    assert line.startswith("freezebench: emb is invalid, so that it would not train further: seed 42: non-finite loss")
    assert " Try --freeze-lr=5e-05,emb:5e-06: " in line
    assert line.endswith(" Runs that were finished are not trained again; --freeze-resume=no would do that")
    constant = [made_up.one_class("none")]
    (line,) = stored_fault_lines(judge("none", constant, constant, margin_pp=2.0, limit_pp=None), [broken])
    assert line.startswith("freezebench: the unfrozen baseline is invalid, so that nothing further would train: seed ")
