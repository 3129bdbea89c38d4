"""The looks of a test, and what a search asks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.specs.entries import split_entries
from freezebench.specs.grid import SEARCH
from freezebench.specs.interim_looks import MAX_FAILED

if TYPE_CHECKING:
    from freezebench.config.sources import ParsedOptions
    from freezebench.specs.interim_looks import InterimLooks


def resolve_looks(options: ParsedOptions, usual: InterimLooks) -> InterimLooks:
    """Return the looks of a test; the verdicts of a search share their error rate.

    Args:
        options: The options that were set.
        usual: The looks of the preset.

    Raises:
        SettingsError: If a search could not judge one depth after the other.
    """
    looks = options.get("num_seeds", usual)
    if SEARCH not in split_entries(options.get("grid", "")):
        return looks
    grid = options.origins["grid"]
    if options.get("pool_seeds", default=False):
        raise SettingsError(
            f"{options.origins['pool_seeds']}: pooled verdicts need the runs of all configurations, and {grid} trains "
            "only those that it needs, one after the other. Leave one of them out."
        )
    if looks.max_seeds == 1:
        raise SettingsError(
            f"{grid} chooses prefixes by verdicts, and one seed gives no verdict. Use --freeze-num-seeds=3 or more."
        )
    return looks.shared_by(MAX_FAILED)
