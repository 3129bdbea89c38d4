"""What to do where an experiment gave no answer: what would decide it.

Every piece of advice follows from figures of the runs and names them; where none applies, none is given.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.report.metric_text import result_metric, unsigned_drop
from freezebench.report.more_evidence import evidence_to_recommend
from freezebench.report.recommendation import sequences, shown_safe
from freezebench.report.repairs import repairing_steps
from freezebench.report.verdict_text import judged_ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.verdicts.judge import ConfigurationResult

# Where freezing finds nothing of its own to freeze.
UNFIX = (
    "The model itself has parameters fixed (requires_grad=False, or no gradient reaches them): make trainable what "
    "freezing is to be tried on, or freeze other parts."
)


def deciding_steps(candidates: Sequence[ConfigurationResult], margin_pp: float) -> tuple[str, ...]:
    """Return what would decide the configuration that has to be proven safe first, or repair it if it is invalid.

    Args:
        candidates: Configurations without the baseline, none of them recommended.
        margin_pp: Decision margin in percentage points.
    """
    first = first_open(candidates)
    if first.verdict is not None and first.verdict.too_few is not None:
        label = result_metric(first).label
        return (f"Use a test set with more examples: {first.verdict.too_few} are too few to judge {label}.",)
    verdict = first.verdict
    interval = None if verdict is None else verdict.interval
    if verdict is None or interval is None:
        return repairing_steps(first)
    if interval.num_seeds == 1:
        return ("Train at least 3 seeds (--freeze-num-seeds=3): one seed cannot tell training noise from freezing.",)
    if interval.drop_pp >= margin_pp:
        return _after_loss(first, interval.drop_pp)
    if first.class_loss is not None:
        return repairing_steps(first) or (f"Freeze less than {first.freeze}.",)
    step = evidence_to_recommend(first, verdict, len(sequences(candidates)))
    return () if step is None else (step,)


def _after_loss(first: ConfigurationResult, drop_pp: float) -> tuple[str, ...]:
    """Return what to change where the configuration to prove safe has lost more than the margin."""
    drop = unsigned_drop(drop_pp, result_metric(first))
    loss = f"No number of seeds would show that {first.freeze} is non-inferior, if its drop stays at {drop}."
    # The first step is also the last line of a session.
    return *repairing_steps(first), loss


def first_open(candidates: Sequence[ConfigurationResult]) -> ConfigurationResult:
    """Return the configuration to decide next: the first prefix that is not shown safe, else the smallest drop."""
    shown = [result for sequence in shown_safe(candidates) for result in sequence]
    ladder = judged_ladder(candidates)
    for result in sequences(candidates)[0] if ladder else ():
        if result not in shown:
            return result
    judged = [result for result in candidates if result.verdict and result.verdict.drop_pp is not None]
    return min(judged or candidates, key=_drop_pp)


def _drop_pp(result: ConfigurationResult) -> float:
    drop = None if result.verdict is None else result.verdict.drop_pp
    return math.inf if drop is None else drop
