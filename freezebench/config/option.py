"""One option: its names, its parser and its help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: Name in Python and in the marker; with dashes in the flag, with underscores in the ini key.
        metavar: What ``pytest --help`` shows for the value.
        parser: Returns the value of a text; raises ``SettingsError`` or ``SpecError`` with what is expected.
        help: What the option does, with its unit and default.
        session_wide: Whether it holds for the whole session, so that no ``freeze`` marker can set it for its test.
        is_switch: Whether the flag takes no value and means yes.
    """

    name: str
    metavar: str
    parser: Callable[[str], object]
    help: str
    session_wide: bool = False
    is_switch: bool = False

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--freeze-" + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        """The ini key."""
        return "freeze_" + self.name

    def parse(self, value: object, where: str) -> object:
        """Return the option's value.

        Args:
            value: The text of a flag or ini key, or a marker's Python value: a number, a list or a dictionary per
                configuration.
            where: The option's name in error messages, which depends on its source.

        Raises:
            SettingsError: If the value cannot be parsed, with its source, the value and what is expected.
        """
        text = _as_text(value)
        try:
            return self.parser(text)
        except (SettingsError, SpecError) as error:
            raise SettingsError(f"{where}={text}: {error}") from error


def _as_text(value: object) -> str:
    """Return a marker's number, list or dictionary as the command line writes it."""
    # Every option then needs only one parser, and a marker accepts and refuses the same values as the command line.
    if isinstance(value, dict):
        return ",".join(f"{key}:{number}" for key, number in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value).strip()
