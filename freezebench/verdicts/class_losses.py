"""Classes whose recall freezing lowers: the drop of each, classes that are lost, and those that lose the most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from freezebench.units import with_and
from freezebench.verdicts.above_zero import lower_bound, shown_above_zero
from freezebench.verdicts.class_recalls import recalled
from freezebench.verdicts.mean_squares import mean_squares, outcome_differences
from freezebench.verdicts.subsets import SubsetEvidence, too_few_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from freezebench.records.run_record import RunRecord
    from freezebench.verdicts.class_recalls import Recalled
    from freezebench.verdicts.mean_squares import Floats
    from freezebench.verdicts.subsets import SubsetVerdict

# A class counts as lost from this share of its recall without freezing.
_LOST = 0.1
_MANY = 2


def class_evidence(baseline: Sequence[RunRecord], records: Sequence[RunRecord]) -> list[SubsetEvidence]:
    """Return the drop in recall of every class, label or type of entities, in their order.

    Args:
        baseline: The unfrozen runs.
        records: The candidate's runs, of the same seeds on the same test sentences.
    """
    return [
        SubsetEvidence(
            name=own.name,
            kind="class",
            num_examples=own.is_right.shape[1],
            baseline=unfrozen.recall,
            candidate=own.recall,
            squares=None if too_few else mean_squares(_losses(unfrozen, own), own.groups),
            too_few=too_few,
        )
        for unfrozen, own in zip(recalled(baseline), recalled(records), strict=True)
        for too_few in [too_few_units(own.is_right.shape[1], own.groups)]
    ]


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
        if after <= _LOST * before and shown_above_zero(_losses(unfrozen, own), own.groups, alpha=alpha):
            kept = f"recall {100 * after:.1f} %, without freezing {100 * before:.0f} %"
            texts.append(f"{own.text} ({kept})")
    return f"hardly recognised: {with_and(texts)}" if texts else None


def carrying_classes(
    baseline: Sequence[RunRecord], records: Sequence[RunRecord], verdicts: Sequence[SubsetVerdict]
) -> str | None:
    """Return which classes lose more than the others, as a sentence; ``None`` if none does.

    Its recall has to be shown to fall, and to fall by more than that of all other classes together; the two together
    have to fall as well, since what one class loses others may gain. All three are shown at the error rate of its
    interval, which the classes share.

    Args:
        baseline: The unfrozen runs.
        records: The candidate's runs, of the same seeds on the same test sentences.
        verdicts: Those on the classes, in their order.
    """
    classes = list(zip(recalled(baseline), recalled(records), verdicts, strict=True))
    if len(classes) < _MANY or len(records) < _MANY:
        return None
    losses = [_losses(unfrozen, own).astype(float) for unfrozen, own, _ in classes]
    known = [own.groups for _, own, _ in classes if own.groups is not None]
    groups = np.concatenate(known) if known else None
    texts = []
    for number, (_, own, subset) in enumerate(classes):
        verdict = subset.verdict
        if verdict is None or verdict.lower_pp is None or not verdict.lower_pp > 0:
            continue
        is_own = np.repeat(np.arange(len(losses)) == number, [loss.shape[1] for loss in losses])
        drops, unit = _two_drops(np.hstack(losses), is_own)
        shown = [
            lower_bound(numbers, groups, alpha=verdict.alpha, unit=unit) > 0
            for numbers in (drops[0] - drops[1], drops[0] + drops[1])
        ]
        if all(shown):
            texts.append(_carrying_text(own.text, *(float(100 * drop.mean()) for drop in drops)))
    return "; ".join(texts) or None


def _carrying_text(name: str, own: float, others: float) -> str:
    """Return that a class loses more than the others, with the drops of its recall and of theirs, in points."""
    moves = "rises" if others < 0 else "drops"
    loses, its = ("lose", "their") if name.startswith("entities ") else ("loses", "its")
    return (
        f"{name} {loses} more than the others: {its} recall drops by {own:.1f} points, that of all others together "
        f"{moves} by {abs(others):.1f}"
    )


def _two_drops(losses: Floats, is_own: NDArray[np.bool_]) -> tuple[tuple[Floats, Floats], float]:
    """Return numbers whose means are the drops of a class and of all others, and by what one item changes one, at most.

    The spread of each mean is that of its own items: ``D + (n / n_c) (d - D)`` for items of a class with drop ``D``,
    and ``D`` for others.
    """
    drops = []
    for is_in in (is_own, ~is_own):
        drop, weight = losses[:, is_in].mean(), losses.shape[1] / is_in.sum()
        drops.append(drop + np.where(is_in, weight * (losses - drop), 0.0))
    return (drops[0], drops[1]), max(losses.shape[1] / is_in.sum() for is_in in (is_own, ~is_own))


def _losses(unfrozen: Recalled, own: Recalled) -> NDArray[np.int8]:
    """Return 1 where only the unfrozen run is right, -1 where only the other one is, shape (seeds, items)."""
    return outcome_differences(unfrozen.is_right, own.is_right)
