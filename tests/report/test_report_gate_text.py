"""The messages of tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import judged, summary_settings
from freezebench.report.gate_text import gate_sentence
from freezebench.report.markdown import results_table
from freezebench.report.more_evidence import undecided_sentences
from freezebench.report.summary import summarize
from freezebench.verdicts.gate import Part
from freezebench.verdicts.judge import judge


@pytest.mark.parametrize(
    ("accuracy", "limit", "num", "start"),
    [
        (0.9, 5.0, 3, "emb is within 5 points of no freezing: drop "),
        (0.7, 5.0, 3, "INFERIOR: emb is not within 5 points of no freezing: drop "),
        (0.85, 5.0, 3, "INCONCLUSIVE: emb is not shown to be within 5 points of no freezing: drop "),
        (0.9, 5.0, 1, "INCONCLUSIVE: emb is not shown to be within 5 points"),
    ],
)
def test_gate_sentences_have_limit_and_observation(accuracy: float, limit: float, num: int, start: str) -> None:
    """The first word is the standing; the limit is the asserted one."""
    sentence = gate_sentence(judged("emb", accuracy, limit=limit, num=num))
    assert sentence.startswith(start)
    assert "bound" in sentence


@pytest.mark.parametrize(
    ("accuracy", "quantity", "word"),
    [
        (0.9, "energy", "EXCEEDED"),
        (0.9, "slices", "INFERIOR"),
        (0.7, "train time", "INFERIOR"),
        (0.85, "peak memory", "EXCEEDED"),
    ],
)
def test_a_cost_past_its_limit_is_exceeded(accuracy: float, quantity: str, word: str) -> None:
    """It gives the first word, and that of the table, unless the metric has lost too much as well."""
    part = Part(quantity=quantity, standing="worse", sentence="too much")
    result = replace(judged("emb", accuracy, limit=5.0), parts=(part,))
    sentence = gate_sentence(result)
    assert sentence.startswith(f"{word}: emb is ")
    limit, advice = sentence.splitlines()[1:]
    assert limit == f"  {'INFERIOR' if quantity == 'slices' else 'EXCEEDED'}: too much"
    assert advice == ("  Freeze less, or relax the limit." if word == "INFERIOR" else "  Relax the limit.")
    compared, *rest = gate_sentence(replace(result, is_compared=True)).splitlines()[2:]
    assert compared == "  It passed in the saved run: find the change that made it fail, for example with git bisect."
    assert rest == []
    assert f" {word} " in results_table(summarize([judged("none", 0.9), result], summary_settings()))


def test_a_limit_that_failed_is_not_told_what_would_decide_another_one() -> None:
    """More seeds would show that the drop is within its limit, and the test would fail as before."""
    result = judged("emb", 0.85, limit=5.0)
    assert "more seed" in gate_sentence(result)
    part = Part(quantity="slices", standing="worse", sentence="too much")
    failed = gate_sentence(replace(result, parts=(part,)))
    assert failed.startswith("INFERIOR: emb is not shown to be within 5 points of no freezing: drop ")
    assert "more seed" not in failed


def test_invalid_runs_are_named_first() -> None:
    """The sentence has the cause."""
    result = judge("emb", [made_up.broken("emb")], made_up.seeds("none"), margin_pp=2.0, limit_pp=5.0)
    cause, advice = gate_sentence(result).splitlines()
    assert cause == "INVALID: emb: seed 42: non-finite loss: at step 3"
    assert advice == "  Try --freeze-lr=5e-05,emb:5e-06: at 5e-05 the loss became infinite or not a number."
    assert "INVALID" not in results_table(summarize([judged("none", 0.9), result], summary_settings()))


def test_a_run_of_one_class_within_its_limit_is_not_told_to_relax_it() -> None:
    """A limit on the drop accepts no model that ignores the sentences, however wide it is."""
    records = [made_up.one_class("emb"), *made_up.seeds("emb", accuracy=0.9)[1:]]
    result = judge("emb", records, made_up.seeds("none", accuracy=0.9), margin_pp=90.0, limit_pp=90.0)
    sentence = gate_sentence(result)
    assert sentence.startswith("INFERIOR: emb is within 90 points of no freezing: drop ")
    assert "relax" not in sentence


def test_a_run_of_one_class_comes_before_its_drop() -> None:
    """More evidence would not help, so that none is requested."""
    records = [made_up.one_class("emb"), *made_up.seeds("emb", accuracy=0.85)[1:]]
    result = judge("emb", records, made_up.seeds("none", accuracy=0.9), margin_pp=20.0, limit_pp=20.0)
    assert result.gate is not None
    assert result.gate.outcome == "inconclusive"
    sentence = gate_sentence(result)
    assert sentence.startswith("INFERIOR: emb ignores the sentences in some run, and so fails whatever its drop: drop ")
    assert "seed 42 predicts one class" in sentence
    assert "more seeds" not in sentence
    assert undecided_sentences([result]) == []
