"""Strategies of other packages: entry points of the group ``freezebench.strategies``.

Their code may be anybody's, and any of it may be broken. What is wrong with a strategy is said where a freeze spec
names it, and nowhere else.
"""

from __future__ import annotations

import re
from contextlib import suppress
from copy import copy
from dataclasses import MISSING, fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from freezebench.errors import SpecError, named
from freezebench.specs.fields import brief, real
from freezebench.specs.names import ENGINES
from freezebench.specs.strategy import LARGEST_FACTOR, Kind, StrategySpec

GROUP = "freezebench.strategies"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
# Words of freeze specs and grids: whatever a package offers by these names is never looked up.
_TAKEN = re.compile(r"none|emb|head|all|search|strategies|l[0-9]+(?:-[0-9]+)?|top-[0-9]+")
_ARGUMENT = re.compile(r"[a-z_][a-z0-9_]*")
_TEXTS = ("summary", "source", "family", "rate_source")
_LIBRARY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_usable(name: str) -> bool:
    """Return whether a strategy can have a name."""
    return NAME.fullmatch(name) is not None and _TAKEN.fullmatch(name) is None


@cache
def _offered() -> tuple[tuple[EntryPoint, ...], str]:
    """Return all entry points of the group, and why they cannot be read."""
    try:
        return tuple(entry_points(group=GROUP)), ""
    except Exception as error:  # noqa: BLE001 - one package with broken metadata breaks them all
        return (), named(error)


@cache
def installed_strategies() -> tuple[str, ...]:
    """Return the names of the strategies of other packages, those that no freeze spec can name left out."""
    return tuple(sorted({entry.name for entry in _offered()[0] if is_usable(entry.name)}))


def package_of(name: str) -> str:
    """Return the package that offers a strategy; packages, joined by ``and``, if there are several."""
    return " and ".join(sorted({_package(entry) for entry in _entries(name)}))


def check_not_offered(name: str) -> None:
    """Check that no other package offers a strategy by the name of one of freezebench's own.

    Raises:
        SpecError: If one does: which of the two is meant could not be said.
    """
    if _entries(name):
        raise SpecError(
            f"{name} is a strategy of freezebench, and {package_of(name)} offers one of this name, too. "
            "Remove that package, or rename its strategy."
        )


def unusable_strategies() -> dict[str, str]:
    """Return of each strategy of other packages that no freeze spec can name why that is so, as a sentence."""
    return {
        entry.name: f"{_package(entry)} has a strategy {brief(entry.name)}, which freeze specs cannot name: a name has "
        "lower-case letters, digits, _ and -, a letter first, and is no other word of freeze specs or grids"
        for entry in _offered()[0]
        if not is_usable(entry.name)
    }


def why_not_found(word: str) -> str:
    """Return why no strategy is found by a word although some package offers it; empty if none does.

    Args:
        word: The word, as the user wrote it.
    """
    problem = _offered()[1]
    if problem:
        return f"the entry points of installed packages cannot be read ({problem})"
    return next((why for name, why in unusable_strategies().items() if name.casefold() == word.casefold()), "")


def load_strategy(name: str) -> type[StrategySpec]:
    """Return the class of a strategy of another package.

    Raises:
        SpecError: If several packages offer it, or it cannot be loaded, or is not as it must be.
    """
    entries, packages = _entries(name), package_of(name)
    if len({entry.value for entry in entries}) > 1:
        raise SpecError(
            f"there are {len(entries)} strategies {name}, of {packages}. Remove all packages but one that offer it."
        )
    where = f"the strategy {name} of {packages} ({entries[0].value})"
    try:
        loaded: object = entries[0].load()
    except (Exception, SystemExit) as error:
        raise SpecError(f"cannot load {where}: {named(error)}. Correct or uninstall {packages}.") from error
    if not (isinstance(loaded, type) and issubclass(loaded, StrategySpec) and callable(getattr(loaded, "apply", None))):
        raise SpecError(f"{where} is no subclass of freezebench.Strategy. Correct or uninstall {packages}.")
    if loaded.name != name:
        raise SpecError(f"{where} has the name {brief(loaded.name)}. Give entry point and class the same name.")
    problem = class_problem(loaded)
    if problem:
        raise SpecError(f"{where} is not as a strategy must be: {problem}. Correct or uninstall {packages}.")
    return loaded


def class_problem(strategy: type[StrategySpec]) -> str:
    """Return what is wrong with the class of a strategy; empty if nothing is."""
    problem = _attribute_problem(strategy) or _field_problem(strategy)
    if problem:
        return problem
    try:
        is_value = _is_value(strategy)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - anybody's code
        return f"it cannot be made without arguments ({named(error)})"
    return "" if is_value else "it is no frozen dataclass, whose values are equal where all arguments are"


def _attribute_problem(strategy: type[StrategySpec]) -> str:
    """Return what is wrong with the attributes of a class; empty if nothing is."""
    wrong = next((name for name in _TEXTS if not isinstance(getattr(strategy, name), str)), None)
    if wrong is not None:
        return f"{wrong} is {brief(getattr(strategy, wrong))}, and no text"
    if strategy.kind not in get_args(Kind):
        return f"kind is {brief(strategy.kind)}, and none of {', '.join(get_args(Kind))}"
    engines: object = strategy.engines
    if not (isinstance(engines, tuple) and engines and all(engine in ENGINES for engine in engines)):
        return f"engines is {brief(engines)}, and no tuple of some of {', '.join(ENGINES)}"
    library: object = strategy.library
    if library is not None and not (isinstance(library, str) and _LIBRARY.fullmatch(library)):
        return f"library is {brief(library)}, and not the name of a module"
    if not 0 < real(strategy.rate_factor) <= LARGEST_FACTOR:
        return f"rate_factor is {brief(strategy.rate_factor)}, and no number above 0 up to {LARGEST_FACTOR:g}"
    return ""


def _field_problem(strategy: type[StrategySpec]) -> str:
    """Return what is wrong with the arguments of a class; empty if nothing is."""
    for field in fields(strategy):
        if field.default is MISSING or type(field.default) not in (int, float, str):
            return f"its field {field.name} has no default that is a whole number, a decimal number or a text"
        if not _ARGUMENT.fullmatch(field.name):
            return f"its field {field.name} has capital letters, which arguments in freeze specs do not have"
    return ""


def _is_value(strategy: type[StrategySpec]) -> bool:
    """Return whether values of a class are equal, and have equal hashes and ids, exactly where their arguments are."""
    default = strategy()
    others = []
    for field in fields(strategy):
        others.append(copy(default))
        object.__setattr__(others[-1], field.name, f"{field.default}x")
    return (
        default == strategy()
        and hash(default) == hash(strategy())
        and str(default) == strategy.name
        and default not in others
    )


def _entries(name: str) -> list[EntryPoint]:
    return [entry for entry in _offered()[0] if entry.name == name]


def _package(entry: EntryPoint) -> str:
    """Return the name of the package of an entry point, whose metadata may be empty or missing."""
    name: object = None
    with suppress(Exception):
        name = None if entry.dist is None else entry.dist.name
    return name if isinstance(name, str) and name else "a package without a name"
