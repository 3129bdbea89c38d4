"""The option ``tune_lr``: by which factors of its usual learning rate each configuration is tried."""

from __future__ import annotations

from freezebench.errors import SettingsError
from freezebench.specs.numbers import decimal_number

# What the flag without a value means: about a third, once and three times the usual rate.
USUAL_FACTORS = "0.33,1,3"
_OFF, _ON = ("no", "false", "off"), ("yes", "true", "on")
_SMALLEST, _LARGEST = 0.001, 1000
_FEWEST, _MOST = 2, 9


def parse_tune_lr(text: str) -> tuple[float, ...]:
    """Return the factors in ascending order; none if rates are not tuned."""
    if text.lower() in _OFF:
        return ()
    entries = (USUAL_FACTORS if text.lower() in _ON else text).split(",")
    factors = {factor for factor in map(decimal_number, entries) if factor is not None}
    is_in_range = all(_SMALLEST <= factor <= _LARGEST for factor in factors)
    if len(factors) < len(entries) or not is_in_range or not _FEWEST <= len(factors) <= _MOST:
        raise SettingsError(
            f"give {_FEWEST} to {_MOST} different factors from {_SMALLEST:g} to {_LARGEST:g}, such as "
            f"--freeze-tune-lr={USUAL_FACTORS}. The flag without a value means these; write it behind the tests."
        )
    return tuple(sorted(factors))
