"""Verdicts on parts of the evidence: classes and slices of the test set, and further test sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from freezebench.verdicts.noninferiority import Verdict  # noqa: TC001 - the annotations are read, see specs.typed

SubsetKind = Literal["class", "slice", "test set"]


@dataclass(frozen=True, kw_only=True)
class SubsetVerdict:
    """What the runs show of one class, one slice or one further test set.

    Attributes:
        name: Its name.
        kind: What it is.
        num_examples: Number of its examples.
        baseline: The metric of the unfrozen runs on it, mean over seeds, in the metric's own scale; of a class its
            recall. ``None``: it has no value.
        candidate: The same of the configuration.
        verdict: Drop, bounds and verdict at the margin; ``None``: there is no interval, see ``reason``.
        reason: Why there is no interval; empty if there is one.
    """

    name: str
    kind: SubsetKind
    num_examples: int
    baseline: float | None
    candidate: float | None
    verdict: Verdict | None
    reason: str = ""
