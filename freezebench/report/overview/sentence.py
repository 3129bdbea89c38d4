"""The one sentence on all experiments: at how many of them which share of the layers is safe to freeze."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

from freezebench.report.overview.rows import STATE_TERMS
from freezebench.units import with_and, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.overview.rows import Next, OverviewRow

# A share that is named holds for every experiment whose deepest safe prefix freezes at least as many of the layers.
_SHARES = (
    (Fraction(0), ""),
    (Fraction(1, 3), "the first third of the layers"),
    (Fraction(1, 2), "the first half of the layers"),
    (Fraction(2, 3), "the first two thirds of the layers"),
    (Fraction(1), "all layers"),
)
_NEXT: dict[Next, str] = {"inferior": "is inferior", "inconclusive": "is inconclusive", "invalid": "is invalid"}
# What the words say of a single experiment without a safe prefix.
_ONE = {
    "inferior": "the least frozen prefix is inferior",
    "inconclusive": "the least frozen prefix is inconclusive",
    "invalid": "the least frozen prefix is invalid",
    "baseline invalid": "the baseline is invalid",
    "nothing compared": "nothing was compared",
}
_OF_THE_LAYERS = " of the layers"
_BOTH = 2


def sentence(rows: Sequence[OverviewRow]) -> str:
    """Return how far freezing was safe in how many experiments, what is known beyond, and which have no answer.

    Only verdicts count: a deeper prefix that is not decided is neither safe nor unsafe.
    """
    safe = [row for row in rows if row.state == "safe"]
    others = Counter(row.answer.word for row in rows if row.state != "safe")
    counts = [f"{others[term.word]} {term.word}" for term in STATE_TERMS.values() if others[term.word]]
    # What is true of all of them needs no number.
    words = next(iter(others)) if len(others) == 1 else ", ".join(counts)
    if not safe:
        everywhere = "either of the 2" if len(rows) == _BOTH else f"any of the {len(rows)}"
        return f"No prefix is non-inferior {_margin(rows)} in {everywhere} experiments: {words}."
    parts = [_safe_part(safe, rows) + _where_one_is(safe), *_deeper_part(safe)]
    if others:
        num = others.total()
        parts.append(f"in the other one {_ONE[words]}" if num == 1 else f"the other {num}: {words}")
    return f"{'; '.join(parts)}."


def _safe_part(safe: Sequence[OverviewRow], rows: Sequence[OverviewRow]) -> str:
    """Return how many experiments have which share of their layers safe: the most common share first."""
    # Without a known depth no more than the embeddings is claimed.
    shares = [row.frozen_share or Fraction(0) for row in safe]
    # Of several shares that hold for equally many experiments, the largest says most.
    claims = {sum(share >= bound for share in shares): phrase for bound, phrase in _SHARES}
    claims.pop(0, None)
    (most, phrase), *deeper = claims.items()
    frozen = f"the embeddings and {phrase}" if phrase else "the embeddings"
    text = f"Freezing {frozen} is non-inferior {_margin(rows)} in {_of_all(most, len(rows))}"
    further: list[str] = []
    for num, deeper_phrase in deeper:
        # What the shares are shares of is said once.
        is_said = _OF_THE_LAYERS in text + "".join(further)
        further.append(f"{deeper_phrase.removesuffix(_OF_THE_LAYERS) if is_said else deeper_phrase} in {num}")
    return text + (f", {with_and(further)}" if further else "")


def _of_all(num: int, num_all: int) -> str:
    if num < num_all:
        return f"{num} of {num_all} experiments"
    return "both experiments" if num_all == _BOTH else f"all {num_all} experiments"


def _margin(rows: Sequence[OverviewRow]) -> str:
    margins = {(row.experiment.margin_pp, row.metric.drop_unit) for row in rows}
    if len(margins) > 1:
        return "at the margin of each"
    ((margin, unit),) = margins
    return f"at a margin of {with_unit(margin, unit)}"


def _where_one_is(safe: Sequence[OverviewRow]) -> str:
    """Return the same as ``_deeper_part`` of a single experiment, as the end of a clause; empty if there are more."""
    if len(safe) > 1:
        return ""
    state = safe[0].next_deeper[1]
    known = f", where the next deeper prefix that was tried {_NEXT[state]}" if state in _NEXT else ""
    return ", where no deeper prefix was tried" if state == "not_tried" else known


def _deeper_part(safe: Sequence[OverviewRow]) -> list[str]:
    """Return what is known about the prefix after the deepest safe one; empty where all layers are safe."""
    if len(safe) == 1:
        return []
    counts = Counter(row.next_deeper[1] for row in safe)
    known = [(words, counts[state]) for state, words in _NEXT.items() if counts[state]]
    num_ends = counts["not_tried"]
    texts = [f"{words} in {num}{'' if index else _of_safe(num, safe)}" for index, (words, num) in enumerate(known)]
    parts = [f"the next deeper prefix that was tried {with_and(texts)}"] if texts else []
    if num_ends:
        parts.append(f"in {num_ends}{'' if texts else _of_safe(num_ends, safe)} no deeper prefix was tried")
    return parts


def _of_safe(num: int, safe: Sequence[OverviewRow]) -> str:
    """Return what follows a number of the experiments that have a safe prefix."""
    return " of them" if num == len(safe) else f" of the {len(safe)}"
