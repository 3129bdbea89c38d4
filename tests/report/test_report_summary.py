"""The sentences of the summary."""

from __future__ import annotations

from dataclasses import replace

import made_up
from experiments import small_summary, summary_settings
from freezebench.report.summary import summarize
from freezebench.verdicts.judge import judge


def test_the_deepest_safe_prefix_is_one_sentence_with_its_rates() -> None:
    """The answer comes first, then the number of decided configurations."""
    lines = small_summary().lines
    assert lines[0].startswith("Deepest safe prefix: emb is within 2 points of no freezing (drop ")
    assert "learning rate" in lines[0]
    assert lines[1].startswith(
        "Recommended: emb, the cheapest configuration within 2 points and its limits: 2.00× as fast"
    )
    assert lines[2].startswith("decided 2 of 2 at their limits")


def test_nothing_is_recommended_with_an_invalid_baseline() -> None:
    """The unfrozen configuration cannot be recommended either."""
    baseline = made_up.seeds("none", accuracy=0.9, num=1)
    broken = [replace(record, status="invalid", reason="non-finite loss: nan") for record in baseline]
    results = [
        judge(freeze, made_up.seeds("emb", num=1) if freeze == "emb" else broken, broken, margin_pp=2.0, limit_pp=None)
        for freeze in ("none", "emb")
    ]
    line = next(line for line in summarize(results, summary_settings()).lines if line.startswith("Recommended: "))
    assert line.startswith("Recommended: nothing, ")
    assert "non-finite loss: nan" in line


def test_what_was_not_measured_has_a_footnote() -> None:
    """There is one line per distinct reason."""
    footnotes = [line for line in small_summary().lines if made_up.NO_RAPL in line]
    assert footnotes == [f"CPU package energy not measured: {made_up.NO_RAPL}."]
