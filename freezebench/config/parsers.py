"""Readers: from what people type for an option to its value, or a sentence on what was expected."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.specs.grid import PerSpec
    from freezebench.specs.interim_looks import InterimLooks

INCONCLUSIVE_POLICIES = ("skip", "pass", "fail")

_SMALLEST_POINTS = 0.1
_LARGEST_SEED = 2**32 - 10_000


def whole(smallest: int, what: str) -> Callable[[str], int]:
    """Return a reader of whole numbers."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest:
            raise SettingsError(f"{what} is a whole number from {smallest} on.")
        return number

    return read


def seed(text: str) -> int:
    """Return a seed that torch, numpy and the Trainer all take, with room for those that follow it."""
    number = whole(0, "a seed")(text)
    if number > _LARGEST_SEED:
        raise SettingsError(f"a seed is at most {_LARGEST_SEED}.")
    return number


def choice(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise SettingsError(f"choose from {', '.join(choices)}.")
        return text

    return read


def text(text: str) -> str:
    """Return any text but an empty one."""
    if not text:
        raise SettingsError("the value is empty. Give one, or leave the option out.")
    return text


def columns(text: str) -> tuple[str, ...]:
    """Return the names of one or two columns."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(names) > 2 or len(set(names)) != len(names):  # noqa: PLR2004 - a sentence or a pair
        raise SettingsError("give one column, or two different ones for sentence pairs: premise,hypothesis.")
    return names


def device(text: str) -> str:
    """Return the name of a device."""
    if text in ("auto", "cpu", "cuda") or (text.startswith("cuda:") and text[5:].isdecimal()):
        return text
    raise SettingsError("choose from auto, cpu, cuda, cuda:0, cuda:1, …")


def grid(text: str) -> str:
    """Return a grid whose entries are in the grammar, without spaces."""
    from freezebench.specs.grid import split_grid

    return ",".join(split_grid(text))


def looks(text: str) -> InterimLooks:
    """Return the numbers of seeds after which a configuration is looked at."""
    from freezebench.specs.interim_looks import InterimLooks

    return InterimLooks.parse(text)


def yes_or_no(text: str) -> bool:
    """Return whether a text says yes."""
    words = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if text.lower() not in words:
        raise SettingsError("choose yes or no.")
    return words[text.lower()]


def _check_not_baseline(limits: PerSpec) -> None:
    """Refuse a limit on the configuration that everything is measured from: it would assert nothing."""
    if any(spec == "none" for spec, _ in limits.by_spec):
        raise SettingsError("none is the baseline that drops are measured from. Name what is frozen, such as emb.")


def per_spec(smallest: float, largest: float, expected: str, *, of_freezing: bool = True) -> Callable[[str], PerSpec]:
    """Return a reader of numbers per configuration within bounds; what freezing saves is not asked of the baseline."""

    def read(text: str) -> PerSpec:
        from freezebench.specs.grid import PerSpec

        numbers = PerSpec.parse(text)
        if of_freezing:
            _check_not_baseline(numbers)
        if any(not smallest <= number <= largest for number in numbers.numbers):
            raise SettingsError(f"{expected}, from {smallest:g} to {largest:g}.")
        return numbers

    return read


def size(text: str) -> int:
    """Return a number of bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)", text)
    if match is None:
        raise SettingsError("give a size with its unit, such as 512MiB or 4GiB.")
    return int(float(match[1]) * 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(match[2]))


def duration(text: str) -> float:
    """Return a number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text)
    if match is None or float(match[1]) == 0:
        raise SettingsError("give a duration above 0 with its unit, such as 90s, 30min or 2h.")
    return float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]


RATIO = per_spec(
    0.1, 10, "the limit is a multiple of the saved run's figure, 1.05 for at most 5 % more", of_freezing=False
)
SAVING = per_spec(0.1, 99.9, "the saving is in per cent of what no freezing needs")


def learning_rates(text: str) -> PerSpec:
    """Return learning rates per configuration."""
    from freezebench.specs.grid import PerSpec

    rates = PerSpec.parse(text)
    if any(not 0 < rate <= 1 for rate in rates.numbers):
        raise SettingsError("a learning rate is a number above 0 and at most 1, such as 5e-5.")
    return rates


def _check_points(number: float) -> None:
    if not (math.isfinite(number) and _SMALLEST_POINTS <= number <= 100):  # noqa: PLR2004 - percentage points
        meant = f" Did you mean {number * 100:g} points?" if 0 < number < _SMALLEST_POINTS else ""
        raise SettingsError(f"the limit is in percentage points, from {_SMALLEST_POINTS} to 100.{meant}")


def policies(text: str) -> str:
    """Return one policy, or one per configuration, in canonical words: ``skip,emb+L0-5:pass``."""
    from freezebench.specs.freeze import FreezeSpec

    words: dict[str, str] = {}
    for entry in text.split(","):
        spec, colon, word = entry.strip().rpartition(":")
        if word not in INCONCLUSIVE_POLICIES:
            raise SettingsError(f"choose from {', '.join(INCONCLUSIVE_POLICIES)}, or per configuration: skip,emb:fail.")
        name = str(FreezeSpec.parse(spec)) if colon else ""
        if name in words:
            raise SettingsError(f"{name or 'what is not named'} has two policies. Give it one.")
        words[name] = word
    return ",".join(f"{name}:{word}" if name else word for name, word in words.items())


def points(text: str) -> float:
    """Return a number of percentage points."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    _check_points(number)
    return number


def points_per_spec(text: str) -> PerSpec:
    """Return percentage points per configuration."""
    from freezebench.specs.grid import PerSpec

    limits = PerSpec.parse(text)
    _check_not_baseline(limits)
    for number in limits.numbers:
        _check_points(number)
    return limits
