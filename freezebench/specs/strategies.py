"""The registry of strategies, and how they are written in freeze specs.

A strategy is found by its name: among those below, then among those of other packages. Its module is imported when a
freeze spec names it. So nothing is imported that is not used, and a broken strategy of some package is no trouble to a
session that does not use it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.specs.fields import brief
from freezebench.specs.installed_strategies import NAME, check_not_offered, installed_strategies, load_strategy
from freezebench.units import did_you_mean

if TYPE_CHECKING:
    from freezebench.specs.strategy import StrategySpec

# Where each of freezebench's own strategies is, in the order of tables.
STRATEGIES = {
    "bitfit": "freezebench.strategies.bitfit:BitFit",
    "norms": "freezebench.strategies.norms:Norms",
    "lora": "freezebench.strategies.adapters:Lora",
    "dora": "freezebench.strategies.adapters:Dora",
    "ia3": "freezebench.strategies.adapters:Ia3",
    "unfreeze": "freezebench.strategies.unfreeze:Unfreeze",
    "lpft": "freezebench.strategies.lpft:Lpft",
    "llrd": "freezebench.strategies.llrd:Llrd",
}
# The characters of an argument's text are those that need no quoting in ids, file names and tables.
_ARGUMENTS = re.compile(r"[A-Za-z0-9_.,=|*\- ]{0,400}")


def split_outside_parentheses(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators that are not inside parentheses, without blanks around them."""
    parts: list[str] = []
    start = depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth <= 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def has_paired_parentheses(text: str) -> bool:
    """Return whether every parenthesis that opens is closed before the next one opens."""
    found = re.sub(r"[^()]", "", text)
    return found == "()" * (len(found) // 2)


def known_strategies() -> tuple[str, ...]:
    """Return the names of all strategies, freezebench's own first."""
    return (*STRATEGIES, *(name for name in installed_strategies() if name not in STRATEGIES))


def parse_strategy(part: str, spec: str) -> StrategySpec | None:
    """Return the strategy that a part of a freeze spec names, with its arguments; ``None`` if it names none.

    Args:
        part: The part, such as ``lora(r=4)``.
        spec: The whole freeze spec, for error messages.

    Raises:
        SpecError: If the strategy cannot be loaded, or its arguments cannot be read or are refused.
    """
    word, parenthesis, rest = part.strip().partition("(")
    name = word.strip().lower() if word.isascii() else ""
    if not NAME.fullmatch(name) or name not in known_strategies():
        return None
    strategy = strategy_class(name)
    text, closing, after = rest.rpartition(")")
    if parenthesis and (not closing or after or not _ARGUMENTS.fullmatch(text)):
        raise SpecError(
            f"cannot read the arguments of {name} in freeze spec {brief(spec)}: they are pairs NAME=VALUE of letters, "
            f"digits and _ - . | *, separated by commas. Write for example {strategy.usage()}."
        )
    # Values, which may be names of modules, are in upper and lower case.
    arguments: dict[str, str] = {}
    for argument in text.split(",") if text.strip() else ():
        key, equals, value = (item.strip() for item in argument.rpartition("="))
        key = key.lower()
        if key in arguments:
            raise SpecError(
                f"freeze spec {brief(spec)} gives {key or 'an argument'} twice in {brief(part)}. Give it once."
            )
        if not value or (equals and not key):
            raise SpecError(f"cannot read {brief(argument)} in freeze spec {brief(spec)}. Write NAME=VALUE.")
        arguments[key] = value
    return strategy.of(arguments, part.strip())


@cache
def strategy_class(name: str) -> type[StrategySpec]:
    """Return the class of a strategy.

    Raises:
        SpecError: If there is none of this name, or it cannot be loaded.
    """
    if name in STRATEGIES:
        check_not_offered(name)
        module, _, attribute = STRATEGIES[name].partition(":")
        own: type[StrategySpec] = getattr(import_module(module), attribute)
        return own
    if name not in installed_strategies():
        raise SpecError(f"there is no strategy {brief(name)}.{did_you_mean(name, known_strategies())}")
    return load_strategy(name)
