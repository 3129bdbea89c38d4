"""What a session will need and can decide, computed before anything is trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.errors import DataError, SettingsError
from freezebench.verdicts.power import resolvable_margin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings

_MIN_TEST_SENTENCES = 2


def check_num_sentences(settings: Settings, num_sentences: int) -> None:
    """Check that the test split is large enough for an interval.

    Raises:
        DataError: If it is not.
    """
    if num_sentences < _MIN_TEST_SENTENCES:
        raise DataError(
            f"{settings.data.source} has {num_sentences} test sentence: an interval needs at least "
            f"{_MIN_TEST_SENTENCES}. Give a larger test split."
        )


def refuse_undecidable(settings: Settings, grid: Sequence[str], num_sentences: int) -> None:
    """Refuse a session that could only fail: undecided fails, and no allowed number of seeds resolves a limit.

    Raises:
        SettingsError: If that is so for some configuration of the grid.
    """
    if not settings.limits_from:
        return
    looks = settings.looks
    resolved = min(resolvable_margin(count, num_sentences, alpha=looks.alpha) for count in looks.counts)
    for freeze in grid:
        limit = settings.max_drop.get(freeze)
        if freeze != "none" and settings.policy(freeze) == "fail" and limit is not None and limit < resolved:
            best = "no verdict at all" if math.isinf(resolved) else f"{resolved:.1f} points"
            design = f"--freeze-num-seeds={looks} on {num_sentences} test sentences"
            raise SettingsError(
                f"{freeze} is limited to {limit:g} points ({settings.limits_from}) and undecided tests fail "
                f"(--freeze-inconclusive=fail), but {design} resolves {best}: "
                "the run could only fail. Use more seeds, more sentences, a wider limit, or skip what is undecided."
            )
