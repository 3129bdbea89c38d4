"""Ids of freeze specs in saved files: their strategies may be of packages that are not installed here."""

from __future__ import annotations

from freezebench.errors import RecordError, SpecError
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.installed_strategies import is_usable
from freezebench.specs.strategies import known_strategies, split_outside_parentheses


def saved_freeze(text: object) -> str:
    """Return the canonical id of a configuration that a file names.

    Raises:
        RecordError: If it is no freeze spec, or has a strategy that is not installed.
    """
    if not isinstance(text, str):
        raise RecordError(f"'freeze' is missing or no text: {brief(text)}")
    try:
        return str(FreezeSpec.parse(text))
    except SpecError as error:
        words = (part.partition("(")[0] for part in split_outside_parentheses(text, "+"))
        missing = next((word for word in words if is_usable(word) and word not in known_strategies()), None)
        if missing is None:
            raise RecordError(f"no freeze spec: {error}") from error
        raise RecordError(
            f"it has the configuration {brief(text)}, and no installed package has the strategy {missing}; install the "
            "package that has it"
        ) from error
