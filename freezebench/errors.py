"""The error classes: each message says what was asked, what is true, and what to do."""


class FreezebenchError(Exception):
    """Base of every error that freezebench raises on purpose."""


class SpecError(FreezebenchError, ValueError):
    """A freeze spec, grid or per-configuration value that cannot be read or cannot be applied."""


class SettingsError(FreezebenchError, ValueError):
    """An option, ini value or marker argument that is out of range or contradicts another one."""


class DataError(FreezebenchError, ValueError):
    """A data set that is missing, unreadable or unfit for classification."""


class ModelError(FreezebenchError, ValueError):
    """A model that is missing or unreadable, or whose layers cannot be found."""


class RecordError(FreezebenchError, ValueError):
    """A stored record that is damaged, foreign, or of a schema that this version does not know."""
