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
# The words in capitals are the first word of a failure, which people search logs for.
STANDINGS: dict[Standing, Term] = {
    # A test that asserts nothing has not passed anything.
    "no_limit": Term(word="no limit", tone="faint"),
    "ok": Term(word="ok", tone="good"),
    "undecided": Term(word="UNDECIDED", tone="unsure"),
    "worse": Term(word="WORSE", tone="bad"),
    "broken": Term(word="BROKEN", tone="bad"),
}


def verdict_term(verdict: VerdictKey, not_run: str | None = None) -> Term:
    """Return how a verdict at the margin is shown.

    Args:
        verdict: The verdict.
        not_run: Why a configuration was not run, in a few words; ``None``: it cannot be run.
    """
    if verdict != "not_run":
        return VERDICTS[verdict]
    return replace(VERDICTS[verdict], word=not_run or "left out")
