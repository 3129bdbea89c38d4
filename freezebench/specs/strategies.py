"""The registry of strategies, and how they are written in freeze specs.

A strategy is found by its name: among those below, then among the entry points ``freezebench.strategies`` of installed
packages. Its module is imported when a freeze spec names it. So nothing is imported that is not used, and a broken
strategy of some package is no trouble to a session that does not use it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from freezebench.errors import SpecError, named
from freezebench.specs.fields import brief
from freezebench.specs.strategy import StrategySpec
from freezebench.units import did_you_mean

GROUP = "freezebench.strategies"

# Where each of freezebench's own strategies is, in the order of tables.
STRATEGIES = {
    "bitfit": "freezebench.strategies.bitfit:BitFit",
}
# The characters of an argument's text are those that need no quoting in ids, file names and tables.
_STRATEGY = re.compile(r"([a-z][a-z0-9_-]{0,39})(?:\(([A-Za-z0-9_.,=|*\- ]{0,400})\))?", re.ASCII)


def split_outside_parentheses(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators that are not inside parentheses, without blanks around them."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == separator and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


@cache
def known_strategies() -> tuple[str, ...]:
    """Return the names of all strategies, freezebench's own first."""
    return (*STRATEGIES, *sorted(entry_points(group=GROUP).names - STRATEGIES.keys()))


def parse_strategy(part: str, spec: str) -> StrategySpec | None:
    """Return the strategy that a part of a freeze spec names, with its arguments; ``None`` if it names none.

    Args:
        part: The part, such as ``lora(r=4)``.
        spec: The whole freeze spec, for error messages.

    Raises:
        SpecError: If the strategy cannot be loaded, or its arguments cannot be read or are refused.
    """
    match = _STRATEGY.fullmatch(part.strip().lower())
    if match is None or match[1] not in known_strategies():
        return None
    # Names of modules, in arguments, are in upper and lower case.
    text = part.strip()[match.start(2) : match.end(2)] if match[2] else ""
    arguments: dict[str, str] = {}
    for argument in split_outside_parentheses(text, ",") if text.strip() else ():
        name, equals, value = argument.rpartition("=")
        name = name.strip().lower()
        if name in arguments:
            raise SpecError(f"freeze spec {brief(spec)} gives {name or 'an argument'} twice in {part}. Give it once.")
        if not value.strip() or (equals and not name):
            raise SpecError(f"cannot read {brief(argument)} in freeze spec {brief(spec)}. Write NAME=VALUE.")
        arguments[name] = value.strip()
    return strategy_class(match[1]).of(arguments, part.strip())


@cache
def strategy_class(name: str) -> type[StrategySpec]:
    """Return the class of a strategy.

    Raises:
        SpecError: If there is none of this name, or it cannot be loaded.
    """
    if name in STRATEGIES:
        module, _, attribute = STRATEGIES[name].partition(":")
        own: type[StrategySpec] = getattr(import_module(module), attribute)
        return own
    entries = list(entry_points(group=GROUP, name=name))
    if not entries:
        raise SpecError(f"there is no strategy {brief(name)}.{did_you_mean(name, known_strategies())}")
    packages = sorted({entry.dist.name if entry.dist else "a package" for entry in entries})
    if len(packages) > 1:
        raise SpecError(f"{' and '.join(packages)} both have a strategy {name}. Remove one of them.")
    where = f"the strategy {name} of {packages[0]} ({entries[0].value})"
    try:
        loaded: object = entries[0].load()
    except (Exception, SystemExit) as error:
        raise SpecError(f"cannot load {where}: {named(error)}. Correct or uninstall {packages[0]}.") from error
    if not (isinstance(loaded, type) and issubclass(loaded, StrategySpec) and callable(getattr(loaded, "apply", None))):
        raise SpecError(f"{where} is no subclass of freezebench.Strategy. Correct or uninstall {packages[0]}.")
    if loaded.name != name:
        raise SpecError(f"{where} has the name {loaded.name!r}. Give entry point and class the same name.")
    return loaded
