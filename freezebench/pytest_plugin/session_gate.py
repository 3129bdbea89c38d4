"""What must not be green: complaints about a session as a whole, which no single test reports.

In CI each complaint fails the session. Elsewhere it is a warning in the summary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.pytest_plugin.options import find_session

if TYPE_CHECKING:
    import pytest

    from freezebench.session import FreezeSession


@dataclass(frozen=True)
class Complaint:
    """A reason why a session must not pass in CI.

    Attributes:
        name: The last part of the failed report's node id, such as ``decided``.
        sentence: What is wrong and what to do.
    """

    name: str
    sentence: str


def complaints(config: pytest.Config) -> list[Complaint]:
    """Return what is wrong with a session once its tests have run; a session without freeze tests has no complaint."""
    session = find_session(config)
    if session is None:
        return []
    return [Complaint("decided", sentence) for sentence in _undecided(session)]


def _undecided(session: FreezeSession) -> list[str]:
    """Return a complaint if candidates were trained and none of them is decided."""
    from freezebench.report.verdict_text import is_decided

    candidates = [result for _, group in session.results() for result in group if not result.is_baseline]
    if not candidates or any(map(is_decided, candidates)):
        return []
    return [f"UNDECIDED: no candidate was decided (0 of {len(candidates)}). Use more seeds or more test sentences."]
