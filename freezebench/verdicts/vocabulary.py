"""The words for verdicts, the same in terminal, Markdown, page, chart and messages.

Saved files hold the keys (``non_inferior``); people read the words (``non-inferior``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from freezebench.verdicts.gate import Standing

# What a table shows for a configuration: the outcome of its verdict, that it is the baseline, or that it was not run.
VerdictKey = Literal["baseline", "non_inferior", "inconclusive", "inferior", "invalid", "not_run"]
# What a colour means; the empty text is the usual colour.
Tone = Literal["", "good", "unsure", "bad", "faint"]


@dataclass(frozen=True, kw_only=True)
class Term:
    """How an outcome or a standing is shown.

    Attributes:
        word: What tables, legends and sentences call it.
        sign: A character that repeats the word, so that colour is never the only difference.
        tone: What its colour means.
    """

    word: str
    sign: str = ""
    tone: Tone = ""


# From best to worst, which is the order of legends and the order in which the page sorts.
VERDICTS: dict[VerdictKey, Term] = {
    "baseline": Term(word="baseline", sign="■", tone="faint"),
    "non_inferior": Term(word="non-inferior", sign="✓", tone="good"),
    "inconclusive": Term(word="inconclusive", sign="?", tone="unsure"),
    "inferior": Term(word="inferior", sign="✗", tone="bad"),
    "invalid": Term(word="invalid", sign="!", tone="bad"),
    "not_run": Term(word="not run", sign="–", tone="faint"),
}
# The words in capitals are the first word of a failure, which people search logs for. They are those of verdicts.
STANDINGS: dict[Standing, Term] = {
    # A test that asserts nothing has not passed anything.
    "no_limit": Term(word="no limit", tone="faint"),
    "ok": Term(word="passed", tone="good"),
    "undecided": Term(word="INCONCLUSIVE", tone="unsure"),
    "worse": Term(word="INFERIOR", tone="bad"),
    "broken": Term(word="INVALID", tone="bad"),
}

# A configuration that only takes too long is not inferior: the metric has lost nothing.
EXCEEDED = Term(word="EXCEEDED", tone="bad")


def standing_term(standing: Standing, *, is_cost: bool = False) -> Term:
    """Return how the standing of a test, or of one of its limits, is shown.

    Args:
        standing: The standing.
        is_cost: Whether it is that of limits on time, memory or energy alone.
    """
    return EXCEEDED if is_cost and standing == "worse" else STANDINGS[standing]


def verdict_term(verdict: VerdictKey, not_run: str | None = None) -> Term:
    """Return how a verdict at the margin is shown.

    Args:
        verdict: The verdict.
        not_run: Why a configuration was not run, in a few words; ``None``: it cannot be run.
    """
    if verdict != "not_run":
        return VERDICTS[verdict]
    return replace(VERDICTS[verdict], word=not_run or "left out")
