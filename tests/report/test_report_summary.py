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
        "Recommended: emb, the cheapest configuration within 2 points and its limits: trains 2.00× as fast"
    )
    assert lines[2].startswith("Decided: 2 of 2 at their limits")


def test_every_line_of_the_summary() -> None:
    """All of them, so that a line that is added or lost is noticed."""
    claim = "The notebook's claim that freezing"
    drops = "emb: drop -0.5 points [-1.1, +0.1], 3 seeds", "emb+L0: drop +18.8 points [+15.7, +21.9], 3 seeds"
    assert small_summary().lines == (
        (
            "Deepest safe prefix: emb is within 2 points of no freezing (drop -0.5 points, upper bound 0.1, 3 seeds) "
            "at learning rate 5e-05; trains 2.00× as fast (2.00 to 2.00), with 70.0 % of the parameters."
        ),
        (
            "Recommended: emb, the cheapest configuration within 2 points and its limits: trains 2.00× as fast "
            "(2.00 to 2.00), 25 % less "
            "peak memory."
        ),
        "Decided: 2 of 2 at their limits (limits from --freeze-max-drop; margin 2 points).",
        f"CPU package energy not measured: {made_up.NO_RAPL}.",
        f"{claim} the embeddings improves accuracy: undecided ({drops[0]}, Holm-adjusted p = 0.13).",
        (
            f"{claim} more layers lowers accuracy, but less than one thinks: supported ({drops[1]}; 23.6 points would "
            "be in proportion to the frozen parameters)."
        ),
        f"{claim} all but the last one or two layers is the sweet spot: supported ({drops[0]}; {drops[1]}; margin 2).",
    )


def test_the_title_counts_invalid_runs() -> None:
    """An experiment without a valid run has its number of seeds in the title, not zero."""
    titles = []
    for num in (1, 3):
        baseline = made_up.seeds("none", num=num)
        broken = [replace(record, status="invalid", reason="non-finite loss: nan") for record in baseline]
        titles.append(
            summarize([judge("none", broken, broken, margin_pp=2.0, limit_pp=None)], summary_settings()).title
        )
    assert titles[0].endswith("; 1 seed, invalid")
    assert titles[1].endswith("; 3 seeds, all invalid")


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
