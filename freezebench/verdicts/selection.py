"""Which of several configurations may be recommended: non-inferiority, corrected by Holm's method over sequences.

Configurations that are nested make a sequence, which is judged in order. A recommendation is chosen among several
sequences, and each of them has a chance to be wrong, so they share the error rate:

    emb ─► emb+L0 ─► emb+L0-1        each sequence begins with a third of it; once all of one sequence is shown,
    lora ─► emb+L0-1+lora            its share passes to the others
    bitfit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.noninferiority import Verdict


def num_shown(sequences: Sequence[Sequence[Verdict]]) -> list[int]:
    """Return how many verdicts at the begin of each sequence hold together, at the error rate of a single one.

    With one sequence these are the non-inferior ones before any other (``deepest_safe``). With ``m`` sequences, the
    next verdict of each sequence needs a p-value of at most ``alpha / m``, and ``m`` counts only the sequences of which
    not all is shown yet. With sequences of one verdict this is Holm's method (1979); in general, it is the graphical
    procedure of Bretz, Maurer, Brannath and Posch (2009, Statistics in Medicine 28:586-604) in which a verdict passes
    its error rate to the next one of its sequence, and the last one to the other sequences in equal parts. The
    probability that any of the verdicts is wrong stays at most ``alpha``, whatever the true drops and however the
    verdicts depend on each other, as far as each bound has its error rate.

    Args:
        sequences: The verdicts of configurations in the order in which they are judged, at their margins.
    """
    counts = [0] * len(sequences)
    while True:
        still_open = [index for index, sequence in enumerate(sequences) if counts[index] < len(sequence)]
        level = 1 / max(len(still_open), 1)
        shown = [index for index in still_open if _holds(sequences[index][counts[index]], level)]
        if not shown:
            return counts
        for index in shown:
            counts[index] += 1


def _holds(verdict: Verdict, level: float) -> bool:
    """Return whether a verdict is non-inferior at a part of its error rate, from 0 to 1."""
    if verdict.outcome != "non_inferior" or verdict.interval is None:
        return False
    # The verdict's own error rate needs no computation, which could differ from the verdict in the last digit.
    return level == 1 or p_value(verdict) <= level * verdict.alpha


def p_value(verdict: Verdict) -> float:
    """Return the one-sided p-value against a drop of the margin or more; 1 without an interval.

    It is ``P(T(df) <= (D - margin) / SE)`` for the drop ``D``, so that the upper bound at ``1 - p`` is the margin.
    """
    from scipy.special import stdtr  # the start-up of freezebench does without it

    interval = verdict.interval
    if interval is None or interval.num_seeds <= 1:
        return 1.0
    return float(stdtr(interval.df, (interval.drop_pp - verdict.margin_pp) / interval.se_pp))
