"""The error classes, and errors as text of bounded size: a message on one line, the end of a traceback.

A message gives what was requested, what is true, and what to do.
"""

from __future__ import annotations

import traceback

from freezebench.escaping import terminal_text, visible

_MAX_CHARS = 200
_MAX_LINES = 40
_MAX_LINE_CHARS = 400
_MAX_MESSAGE_LINES = 8


class FreezebenchError(Exception):
    """Base class of all errors that freezebench raises on purpose; their messages may be shown as they are."""

    def __str__(self) -> str:
        """Return the message for a terminal: paths and names in it may hold any character."""
        return terminal_text(super().__str__())


class SpecError(FreezebenchError, ValueError):
    """A freeze spec, grid or number per configuration that cannot be parsed or applied to the model."""


class NothingToTrainError(SpecError):
    """A freeze spec that would leave nothing of the model to train."""


class SettingsError(FreezebenchError, ValueError):
    """An option, ini value, or argument of a marker or function that is not valid or contradicts another one."""


class DataError(FreezebenchError, ValueError):
    """A data set that is missing or unreadable, or that the task cannot be learned from."""


class ModelError(FreezebenchError, ValueError):
    """A model that is missing or unreadable, or whose layers cannot be found."""


class RecordError(FreezebenchError, ValueError):
    """A saved record that is damaged, of another program, or of a schema that this version cannot read."""


class UnknownNameError(FreezebenchError, KeyError):
    """A name by which nothing can be looked up: a figure of a record, or a preset."""

    def __str__(self) -> str:
        # A KeyError shows the repr of its argument, since that is usually a key and no sentence.
        return terminal_text(str(self.args[0]))


def message(error: BaseException) -> str:
    """Return an error's message; that of a class whose ``__str__`` fails is a sentence on that."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the code of a user may raise anything
        return f"the message cannot be shown, since str() of this {type(error).__name__} fails"


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, cut if it is long, without its full stop."""
    return visible(" ".join(message(error)[: 10 * _MAX_CHARS].split()))[:_MAX_CHARS].rstrip(".")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, cut if it is long, every character of it visible."""
    lines = message(error)[: 10 * _MAX_LINE_CHARS].strip().splitlines() or ["no message"]
    return visible(_cut(lines[0]))


def named(error: BaseException) -> str:
    """Return an error's class and the first line of its message, if it has one."""
    name = type(error).__name__
    return f"{name}: {first_line(error)}" if message(error).strip() else name


def last_lines(text: str, *, most: int = _MAX_LINES) -> str:
    """Return the last lines of a text, each cut if it is long, in characters that every encoding of Unicode has."""
    lines = "\n".join(_cut(line) for line in text.splitlines()[-most:])
    return lines.encode(errors="backslashreplace").decode()


def traceback_end(error: BaseException) -> str:
    """Return the last lines of an error's traceback, the errors that caused it included."""
    try:
        entries = traceback.format_exception(error, limit=-_MAX_LINES)
    except Exception:  # noqa: BLE001 - groups that are nested too deep, or memory that is short
        entries = [f"{type(error).__name__}: {message(error)}"]
    # A message of many lines, and the lines of carets under code, would leave no place for the frames.
    return last_lines("\n".join(_beginning(entry) for entry in entries))


def _beginning(entry: str) -> str:
    lines = [line for line in entry.rstrip("\n").splitlines() if not line or line.strip(" ^~|")]
    rest = [] if len(lines) <= _MAX_MESSAGE_LINES else ["  …"]
    return "\n".join(lines[:_MAX_MESSAGE_LINES] + rest)


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_LINE_CHARS else line[:_MAX_LINE_CHARS] + "…"
