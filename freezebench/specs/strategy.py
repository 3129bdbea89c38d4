"""Strategies as values: what trains of the parts that are not frozen, with arguments, such as ``lora(r=4)``.

This is what can be said of a strategy without a model: its id, its place among configurations and its checks. How it is
applied to a model is in ``strategies``.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from freezebench.errors import FreezebenchError, SpecError, named
from freezebench.specs.fields import brief
from freezebench.specs.names import ENGINES
from freezebench.specs.numbers import decimal_number, whole_number
from freezebench.units import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# In this order they are applied, and written in ids: which parameters train, when they do, and at which rates.
Kind = Literal["parameters", "schedule", "rates"]
LARGEST_FACTOR = 1000.0
# Values that can be read again from an id.
_TEXT = re.compile(r"[A-Za-z0-9_.|*-]{1,200}")
_WHOLE_END = 10**15


@dataclass(frozen=True, kw_only=True)
class StrategySpec:
    """A strategy with its arguments, which are the fields of a subclass: a frozen dataclass with defaults for all.

    Fields are whole numbers, decimal numbers, or texts of letters, digits and ``_ - . | *``. ``__post_init__`` may
    refuse values by raising ``SpecError``.

    Attributes:
        name: The word in ids, of lower-case letters, digits, ``_`` and ``-``.
        summary: What trains, as the end of a sentence.
        source: The publication that it comes from.
        kind: What it decides: which ``parameters`` train, the ``schedule`` by which they do, or the ``rates``. Of each
            kind, a configuration has one strategy at most.
        family: The group of configurations that plots draw with one marker.
        rate_factor: Its usual learning rate, as a multiple of the rate with which all parameters train.
        rate_source: Where that factor comes from.
        engines: The engines that can train it.
        extra: The extra of freezebench that installs the library it needs; ``None``: it needs no other library.
        library: The module of that library.
    """

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    source: ClassVar[str] = ""
    kind: ClassVar[Kind] = "parameters"
    family: ClassVar[str] = "other"
    rate_factor: ClassVar[float] = 1.0
    rate_source: ClassVar[str] = ""
    engines: ClassVar[tuple[str, ...]] = ENGINES
    extra: ClassVar[str | None] = None
    library: ClassVar[str | None] = None

    def __str__(self) -> str:
        """Return the canonical id: arguments that have their default are left out."""
        given = [
            f"{field.name}={_text(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{self.name}({','.join(given)})" if given else self.name

    @classmethod
    def usage(cls) -> str:
        """Return how it is written, with the default of every argument: ``lora(r=8,alpha=16)``."""
        arguments = ",".join(f"{field.name}={_text(field.default)}" for field in fields(cls))
        return f"{cls.name}({arguments})" if arguments else cls.name

    @property
    def position(self) -> tuple[int, str]:
        """Sort key among the strategies of a configuration."""
        return (get_args(Kind).index(self.kind), self.name)

    @classmethod
    def of(cls, arguments: Mapping[str, str], text: str) -> Self:
        """Return the strategy with arguments that are given as texts.

        Args:
            arguments: The texts by name; a single one may have the empty name.
            text: The part of the freeze spec in error messages.

        Raises:
            SpecError: If there is no such argument, or a value cannot be read or is refused.
        """
        known = {field.name: field for field in fields(cls)}
        values = {}
        for name, value in arguments.items():
            field = next(iter(known.values())) if not name and len(known) == 1 else known.get(name)
            if field is None:
                raise SpecError(_unknown_argument(cls, name, text))
            values[field.name] = _value(field, value, text)
        with errors_named(cls.name, brief(text)):
            return cls(**values)

    def check_arguments(self) -> None:
        """Check that the arguments can be written in an id, and be read again.

        Raises:
            SpecError: If one cannot.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not _is_readable(value, field.default):
                raise SpecError(
                    f"{type(self).__name__}({field.name}={brief(value)}): give {_what(field.default)}, such as "
                    f"{field.name}={brief(field.default)}."
                )

    def check(self, num_layers: int, model: str) -> None:
        """Check that a model of ``num_layers`` layers can be trained this way, as far as that can be said without it.

        Args:
            num_layers: Number of its layers.
            model: What messages call it.

        Raises:
            SpecError: If it cannot.
        """

    def check_epochs(self, num_epochs: int, num_layers: int) -> None:
        """Check that a training is long enough.

        Args:
            num_epochs: Its number of epochs.
            num_layers: Number of the model's layers that are not frozen.

        Raises:
            SpecError: If it is not.
        """


@contextmanager
def errors_named(strategy: str, what: str) -> Iterator[None]:
    """Name a strategy where its code, which may be anybody's, fails.

    Args:
        strategy: Its name or id.
        what: What it fails on.

    Raises:
        SpecError: If it fails.
    """
    try:
        yield
    except FreezebenchError:
        raise
    except Exception as error:
        raise SpecError(
            f"the strategy {strategy} fails on {what} ({named(error)}). Correct the strategy, or choose another one."
        ) from error


def _unknown_argument(strategy: type[StrategySpec], name: str, text: str) -> str:
    """Return the message on an argument that a strategy does not have."""
    known = [field.name for field in fields(strategy)]
    if not known:
        return f"{brief(text)}: {strategy.name} takes no arguments. Write {strategy.name}."
    if not name:
        return f"{brief(text)}: name the arguments. Write for example {strategy.usage()}."
    return f"{brief(text)}: {strategy.name} has no argument {name!r}.{did_you_mean(name, known)}"


def _value(field: Field[object], text: str, part: str) -> object:
    """Return the value of an argument, of the type of its default.

    Raises:
        SpecError: If the text cannot be read as one.
    """
    if isinstance(field.default, int):
        number: float | None = whole_number(text)
        what = "whole number"
    elif isinstance(field.default, float):
        number, what = decimal_number(text), "number"
    else:
        return text
    if number is None:
        raise SpecError(
            f"{brief(part)}: cannot read {field.name}={brief(text)} as a {what}. "
            f"Write for example {field.name}={_text(field.default)}."
        )
    return number


def _is_readable(value: object, default: object) -> bool:
    """Return whether the value of an argument is equal to what is read from its text."""
    if isinstance(default, int):
        return type(value) is int and abs(value) < _WHOLE_END
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str) and (value == default or _TEXT.fullmatch(value) is not None)


def _what(default: object) -> str:
    """Return what an argument with a default is."""
    if isinstance(default, int):
        return "a whole number"
    return "a finite number" if isinstance(default, float) else "a text of letters, digits and _ - . | *"


def _text(value: object) -> str:
    """Return the value of an argument as ids have it: no character in it separates parts."""
    if isinstance(value, float):
        return repr(value).removesuffix(".0").replace("e+", "e")
    return str(value)
