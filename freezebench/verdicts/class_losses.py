"""Classes whose recall freezing lowers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.verdicts.above_zero import shown_above_zero
from freezebench.verdicts.class_recalls import recalled
from freezebench.verdicts.classes import joined
from freezebench.verdicts.mean_squares import outcome_differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord

# A class counts as lost from this share of its recall without freezing.
_LOST = 0.1


def lost_class_sentence(records: Sequence[RunRecord], baseline: Sequence[RunRecord], *, alpha: float) -> str | None:
    """Return which classes a candidate recognises hardly or not at all, and the unfrozen runs are shown to do better.

    A class of very few sentences may be missed by chance: it counts if the one-sided lower bound of the loss in recall,
    over seeds and sentences, is above 0.

    Args:
        records: The candidate's runs.
        baseline: The unfrozen runs of the same seeds on the same test sentences.
        alpha: Error rate of the bound.
    """
    texts = []
    for unfrozen, own in zip(recalled(baseline), recalled(records), strict=True):
        before, after = unfrozen.recall, own.recall
        losses = outcome_differences(unfrozen.is_right, own.is_right)
        if after <= _LOST * before and shown_above_zero(losses, own.groups, alpha=alpha):
            kept = f"recall {100 * after:.1f} %, without freezing {100 * before:.0f} %"
            texts.append(f"{own.text} ({kept})")
    return f"hardly recognised: {joined(texts)}" if texts else None
