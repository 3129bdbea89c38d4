"""The error classes, and the text of an error on one line.

A message gives what was requested, what is true, and what to do.
"""

from freezebench.escaping import terminal_text, visible

_MAX_CHARS = 200


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
    """An option, ini value or marker argument that is not valid or contradicts another one."""


class DataError(FreezebenchError, ValueError):
    """A data set that is missing, unreadable or unfit for classification."""


class ModelError(FreezebenchError, ValueError):
    """A model that is missing or unreadable, or whose layers cannot be found."""


class RecordError(FreezebenchError, ValueError):
    """A saved record that is damaged, of another program, or of a schema that this version cannot read."""


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, cut if it is long, without its full stop."""
    return visible(" ".join(str(error).split()))[:_MAX_CHARS].rstrip(".")
