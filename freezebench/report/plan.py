"""The plan: what is going to run and what it can resolve, said before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.verdicts.planning import resolvable_margin

if TYPE_CHECKING:
    from freezebench.settings import Settings


def plan_lines(settings: Settings) -> list[str]:
    """Return the settings in words."""
    protocol = settings.protocol
    seeds = ", ".join(str(seed) for seed in settings.seeds)
    return [
        f"freezebench: {text}"
        for text in (
            f"preset {settings.preset} ({settings.preset_reason})",
            f"model {settings.model}, data {settings.data.source}, grid {settings.grid}, seeds {seeds}",
            f"engine {protocol.engine}, device {settings.device}, precision {protocol.precision}",
            f"{protocol.num_epochs} epochs, batch {protocol.batch_size}, learning rate {settings.learning_rates}",
        )
    ]


def resolution_line(settings: Settings, num_sentences: int) -> str:
    """Return which drop this design can tell from the margin, before anything is trained."""
    if settings.num_seeds == 1:
        return "freezebench: one seed gives figures and no verdict; use --freeze-num-seeds=3 or more for verdicts"
    resolvable = resolvable_margin(settings.num_seeds, num_sentences)
    line = f"freezebench: {settings.num_seeds} seeds × {num_sentences} test sentences resolve {resolvable:.1f} points"
    if resolvable > settings.margin_pp:
        line += (
            f", more than the margin of {settings.margin_pp:g}: expect undecided verdicts; more seeds or sentences help"
        )
    return line
