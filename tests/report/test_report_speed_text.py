"""Speed-ups in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

import made_up
from experiments import judged
from freezebench.report.rows import Row, row
from freezebench.report.speed_text import contended_share, other_session_sentence, saving_sentence, speed_text
from freezebench.verdicts.judge import judge
from freezebench.verdicts.speedup import OTHER_SESSION

_RESULT = judged("emb", 0.9)
_ROW: Row = row(_RESULT)


@pytest.mark.parametrize(
    ("ratio", "lower", "upper", "text"),
    [
        (1.7, 1.62, 1.79, "training is 1.7× faster (1.6–1.8)"),
        (1.05, 1.02, 1.08, "training is 1.05× faster (1.02–1.08)"),
        (254.2, 240.1, 269.0, "training is 254× faster (240–269)"),
        (2.0, 2.0, 2.0, "training is 2.0× faster"),
        (0.8, 0.7, 0.85, "training is 1.2× slower (1.2–1.4)"),
        (1.19, 0.9, 1.5, "training is not shown to be faster (0.90–1.50×)"),
        (1.7, None, None, "its speed-up is not known: one pair of runs has no spread"),
        (None, None, None, "its speed-up was not measured"),
    ],
)
def test_words_claim_what_the_interval_shows(
    ratio: float | None, lower: float | None, upper: float | None, text: str
) -> None:
    """A gain or loss has its interval; without one, or with 1 in it, nothing is claimed."""
    assert speed_text(replace(_ROW, speedup=ratio, speedup_lower=lower, speedup_upper=upper), _RESULT) == text


def test_a_busy_machine_is_the_reason_whichever_arm_it_disturbed() -> None:
    """The share is the largest of both arms; undisturbed runs have none."""
    assert contended_share(_RESULT) is None
    baseline = [made_up.contended(run, 0.3 + index / 10) for index, run in enumerate(made_up.seeds("none"))]
    result = judge("emb", made_up.seeds("emb"), baseline, margin_pp=2.0, limit_pp=None)
    text = "its speed-up is not known: the machine was busy (50 % of the time)"
    assert speed_text(row(result), result) == text


def test_configurations_of_another_session_are_named() -> None:
    """Their speed-ups are missing in the table, and the sentence says why."""
    other = replace(_ROW, speedup=None, speedup_reason=OTHER_SESSION)
    assert other_session_sentence([_ROW]) is None
    sentence = str(other_session_sentence([_ROW, other, replace(other, freeze="emb+L0")]))
    assert sentence.startswith("No speed-up of emb, emb+L0: the unfrozen runs of the same seeds are of another session")


@pytest.mark.parametrize(
    ("memory", "energy", "sentence"),
    [
        (0.48, 0.3, "It takes 48 % less peak memory and 30 % less energy."),
        (-0.05, None, "It takes 5 % more peak memory."),
        (0.001, None, None),
        (None, None, None),
    ],
)
def test_savings_are_named_where_they_are_known(
    memory: float | None, energy: float | None, sentence: str | None
) -> None:
    """What was not measured, or is nothing, is not named."""
    assert saving_sentence(replace(_ROW, memory_saving=memory, energy_saving=energy)) == sentence
