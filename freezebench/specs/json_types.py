"""Types of JSON values, for what is written to files and sent between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Read-only collections, so that a dictionary of strings counts as a dictionary of JSON values. What is read from a file
# has the type ``object`` until it is checked.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
