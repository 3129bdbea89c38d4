"""One option: its names, its parser and its help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.config.lists import split_list, without_duplicates
from freezebench.errors import SettingsError, SpecError
from freezebench.escaping import has_surrogates, visible

if TYPE_CHECKING:
    from collections.abc import Callable

# Grids of a hundred layers have 1,200 characters. A text of millions would take hours, and fill the screen.
_MAX_CHARS = 5000
_MAX_SHOWN = 200
_MAX_ENTRIES = 1000  # each is looked up as a path
# The key of a marker's dictionary whose value all configurations have that are not among the keys.
_DEFAULT = "default"


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
        may_lack_value: Whether the flag may have no value and then means yes.
        is_list: Whether several values may be given: by a list, by commas, or by repeating the flag. Its parsed value
            is a tuple.
        takes_pairs: Whether it takes NAME=VALUE pairs: a dictionary or a list of them, with commas between them, or by
            repeating the flag. Its parser takes them all.
    """

    name: str
    metavar: str
    parser: Callable[[str], object]
    help: str
    session_wide: bool = False
    is_switch: bool = False
    may_lack_value: bool = False
    is_list: bool = False
    takes_pairs: bool = False

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
            value: The text of a flag or ini key, the texts of a flag that was repeated, or a marker's Python value: a
                number, a list or a dictionary per configuration.
            where: The option's name in error messages, which depends on its source.

        Raises:
            SettingsError: If the value cannot be parsed, with its source, the value and what is expected.
        """
        if self.takes_pairs and isinstance(value, dict):
            value = [f"{_text(name, where)}={_text(item, where)}" for name, item in value.items()]
        if not self.is_list:
            return self._parse(value, where)
        entries = value if isinstance(value, (list, tuple)) else split_list(_text(value, where))
        if not entries or (len(entries) > 1 and not all(entries)):
            shown = _shown(",".join(map(str, entries)))
            raise SettingsError(f"{where}={shown}: the list or an entry of it is empty. Give names without gaps.")
        if len(entries) > _MAX_ENTRIES:
            shown = _shown(",".join(map(str, entries[:_MAX_ENTRIES])))
            raise SettingsError(
                f"{where}={shown}: the list has {len(entries):,} entries, and at most {_MAX_ENTRIES:,} are read. "
                "Leave some out."
            )
        texts = [str(self._parse(entry, where)) for entry in entries]
        return without_duplicates(texts) if len(texts) > 1 else tuple(texts)

    def _parse(self, value: object, where: str) -> object:
        """Return the value of an option, or of one entry of its list.

        Raises:
            SettingsError: If it cannot be parsed.
        """
        text = _text(value, where)
        try:
            _check_text(text)
            return self.parser(text)
        except (SettingsError, SpecError) as error:
            raise SettingsError(f"{where}={_shown(text)}: {error}") from error


def _text(value: object, where: str) -> str:
    """Return a value as the command line writes it.

    Raises:
        SettingsError: If it has no text.
    """
    if callable(value) or isinstance(value, (bytes, bytearray, set, frozenset)):
        raise SettingsError(
            f"{where}: a value of type {type(value).__name__} cannot be used. Give text, a number, a list or a "
            "dictionary; the text of a factory is 'module:function'."
        )
    try:
        return as_text(value)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def _check_text(text: str) -> None:
    """Refuse a text that is too long for any option, or not valid Unicode.

    Raises:
        SettingsError: If it is.
    """
    if len(text) > _MAX_CHARS:
        raise SettingsError(f"the value has {len(text):,} characters, and at most {_MAX_CHARS:,} are read. Shorten it.")
    if has_surrogates(text):
        raise SettingsError("the value holds bytes that are not UTF-8. Write it in UTF-8.")


def _shown(text: str) -> str:
    """Return a text for a message, on one line, and cut if it is long."""
    return visible(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")


def as_text(value: object) -> str:
    """Return a marker's number, list or dictionary as the command line writes it.

    Raises:
        SettingsError: If a value in it has no text, such as a number of too many digits.
    """
    try:
        return _joined(value)
    except Exception as error:
        # Python limits the digits of numbers that it writes.
        raise SettingsError(
            f"a marker's value cannot be written as text ({error}). Give a number or a text."
        ) from error


def _joined(value: object) -> str:
    # Every option then needs only one parser, and a marker accepts and refuses the same values as the command line.
    if isinstance(value, dict):
        return ",".join(str(item) if key == _DEFAULT else f"{key}:{item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value).strip()
