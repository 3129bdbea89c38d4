"""Verdicts as sentences."""

from __future__ import annotations

import pytest

import made_up
from experiments import judged, summary_settings
from freezebench.report.markdown import results_table
from freezebench.report.summary import summarize
from freezebench.report.verdict_text import gate_sentence
from freezebench.verdicts.judge import judge


@pytest.mark.parametrize(
    ("accuracy", "limit", "num", "start"),
    [
        (0.9, 5.0, 3, "emb is within 5 points of no freezing: drop "),
        (0.7, 5.0, 3, "WORSE emb is not within 5 points of no freezing: drop "),
        (0.85, 5.0, 3, "UNDECIDED emb is not shown to be within 5 points of no freezing: drop "),
        (0.9, 5.0, 1, "UNDECIDED emb is not shown to be within 5 points"),
    ],
)
def test_gate_sentences_have_limit_and_observation(accuracy: float, limit: float, num: int, start: str) -> None:
    """The first word is the standing; the limit is the asserted one."""
    sentence = gate_sentence(judged("emb", accuracy, limit=limit, num=num))
    assert sentence.startswith(start)
    assert "bound" in sentence


def test_invalid_runs_are_named_first() -> None:
    """The sentence has the cause."""
    result = judge("emb", [made_up.broken("emb")], made_up.seeds("none"), margin_pp=2.0, limit_pp=5.0)
    assert gate_sentence(result) == "BROKEN invalid: emb: seed 42: non-finite loss: at step 3"
    assert "BROKEN" not in results_table(summarize([judged("none", 0.9), result], summary_settings()))
