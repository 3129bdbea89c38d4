"""What may differ between two runs that are compared on request: the names that ``--freeze-compare-across`` takes."""

from __future__ import annotations

from dataclasses import fields

from freezebench.specs.run import Protocol

# Fields of the protocol whose option has another name.
_OPTIONS = {"num_epochs": "epochs", "learning_rate": "lr"}


def across_name(field: str) -> str:
    """Return the name of a field of the protocol: that of its option, if it has one."""
    return _OPTIONS.get(field, field).replace("_", "-")


# The test set is not among them: accuracy is compared example by example.
ACROSS = ("model", "data", *(across_name(field.name) for field in fields(Protocol)))
