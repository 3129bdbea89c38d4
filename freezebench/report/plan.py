"""The plan: what is going to run and what it can resolve, said before anything is trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.verdicts.planning import resolvable_margin
from freezebench.verdicts.resources import MIN_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freezebench.settings import Settings


def plan_lines(settings: Settings) -> list[str]:
    """Return the settings in words."""
    protocol = settings.protocol
    seeds = f"seeds {_range(settings.seeds[: settings.looks.counts[0]])}"
    if len(settings.looks.counts) > 1:
        seeds += f", up to {settings.seeds[-1]} where undecided (looks after {settings.looks} seeds)"
    return [
        f"freezebench: {text}"
        for text in (
            f"preset {settings.preset} ({settings.preset_reason})",
            f"model {settings.model}, data {settings.data.source}, grid {settings.grid}, {seeds}",
            f"engine {protocol.engine}, device {settings.device}, precision {protocol.precision}",
            f"{protocol.num_epochs} epochs, batch {protocol.batch_size}, learning rate {settings.learning_rates}",
        )
    ]


def _range(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)


def resolution_line(settings: Settings, num_sentences: int) -> str:
    """Return which drop this design can tell from the margin, before anything is trained."""
    looks = settings.looks
    if looks.max_seeds == 1:
        return "freezebench: one seed gives figures and no verdict; use --freeze-num-seeds=3 or more for verdicts"
    resolved = {count: resolvable_margin(count, num_sentences, alpha=looks.alpha) for count in looks.counts}
    texts = [f"{count} seed{'s' if count > 1 else ''} {margin:.1f} points" for count, margin in resolved.items()]
    line = (
        f"freezebench: {num_sentences} test sentences × {', '.join(texts)}: the smallest margin resolved (80 % power)"
    )
    if min(resolved.values()) > settings.margin_pp:
        line += (
            f", more than the margin of {settings.margin_pp:g}: expect undecided verdicts; more seeds or sentences help"
        )
    return line


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


def num_first_runs(grids: Mapping[Settings, Sequence[str]], *, with_times: bool) -> int:
    """Return how many runs a session needs at least: the first look of everything, and what is interleaved.

    Args:
        grids: The planned configurations of every test's settings.
        with_times: Whether required savings of time and energy are checked.
    """
    firsts, repeated = set(), {}
    for settings, grid in grids.items():
        for freeze in dict.fromkeys(("none", *grid)):
            timed = freeze != "none" and with_times and settings.costs.times_savings_of(freeze)
            first = settings.looks.counts[0]
            seeds = range(settings.seed, settings.seed + (max(first, MIN_RUNS) if timed else first))
            firsts |= {settings.run_spec(freeze, seed).run_id for seed in seeds}
            if timed:
                repeated[settings.run_spec(freeze, settings.seed).run_id] = MIN_RUNS
    return len(firsts) + sum(repeated.values())
