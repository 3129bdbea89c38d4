"""Parser of the option ``test``: further test sets, each with a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from freezebench.specs.data import NamedSource


def parse_test_sets(text: str) -> tuple[NamedSource, ...]:
    """Return further test sets: ``tweets=reviews:tweets,products=./products``."""
    from freezebench.specs.data import SET_NAME, NamedSource

    # A comma that no NAME= follows belongs to a path.
    pairs = [pair.partition("=") for pair in re.split(rf",(?=\s*{SET_NAME.pattern}\s*=)", text, flags=re.ASCII)]
    sets = [(name.strip(), source.strip()) for name, _, source in pairs]
    if not all(source and SET_NAME.fullmatch(name) for name, source in sets):
        raise SettingsError(
            "give NAME=SOURCE, such as tweets=reviews:tweets: a name of letters, digits, '_', '-' and '.', and a data "
            "set as --freeze-data takes it."
        )
    names = [name for name, _ in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(f"two test sets have the name {twice!r}. Name each differently.")
    return tuple(NamedSource(name=name, source=source) for name, source in sets)
