"""What a session will need and can decide, computed before anything is trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.errors import DataError, SettingsError
from freezebench.planning.interleaving import seeds_at_least
from freezebench.verdicts.power import resolvable_margin
from freezebench.verdicts.resources import MIN_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.config.settings import Settings
    from freezebench.specs.run import RunSpec

_MIN_TEST_SENTENCES = 2


def first_runs(grids: Mapping[Settings, Sequence[str]], *, with_times: bool) -> list[RunSpec]:
    """Return the runs that a session needs at least: the first look of everything, and what is interleaved.

    Args:
        grids: The planned configurations of every test's settings.
        with_times: Whether required savings of time and energy are checked.
    """
    firsts: dict[str, RunSpec] = {}
    repeated: dict[str, list[RunSpec]] = {}
    for settings, grid in grids.items():
        for freeze in dict.fromkeys(("none", *grid)):
            is_timed = freeze != "none" and with_times and settings.costs.needs_paired_runs(freeze)
            specs = [settings.run_spec(freeze, seed) for seed in seeds_at_least(settings, is_timed=is_timed)]
            firsts |= {spec.run_id: spec for spec in specs}
            if is_timed:
                # The baseline runs between them are trained again for every configuration that is timed.
                baseline = [settings.run_spec("none", settings.seed + index) for index in range(MIN_RUNS)]
                repeated[specs[0].run_id] = baseline
    return [*firsts.values(), *(spec for specs in repeated.values() for spec in specs)]


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
