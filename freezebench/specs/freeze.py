"""Freeze specs: the frozen parts of an encoder, as a value and as a readable id such as ``emb+L0-3``.

What trains of the other parts may be given by strategies, such as in ``emb+L0-1+bitfit``.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Self

from freezebench.errors import SpecError
from freezebench.specs.fields import brief, whole
from freezebench.specs.installed_strategies import why_not_found
from freezebench.specs.names import ENGINES
from freezebench.specs.strategies import (
    has_paired_parentheses,
    known_strategies,
    parse_strategy,
    split_outside_parentheses,
)
from freezebench.specs.strategy import StrategySpec, errors_named
from freezebench.units import did_you_mean

GRAMMAR = "none, emb, L3, L0-3, head, a strategy such as lora, or parts joined by '+' such as emb+L0-3"
FrozenOrder = tuple[tuple[tuple[int, str], ...], int, bool, bool, tuple[int, ...]]

MOST_LAYERS = 10_000  # no encoder is nearly as deep
_KINDS = {
    "parameters": "which parameters train",
    "schedule": "when parameters train",
    "rates": "at which rates parameters train",
}
# ASCII digits of limited number: \d matches the digits of all scripts, and a range of 10**9 layers would fill the
# memory.
_LAYERS = re.compile(r"[Ll]([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True, kw_only=True)
class FreezeSpec:
    """The parts of an encoder whose parameters do not train, and what trains of the others.

    Attributes:
        embeddings: Whether all parameters before the layer stack are frozen.
        layers: Frozen transformer layers, numbered from 0 as in module names, ascending.
        head: Whether all parameters after the layer stack are frozen.
        strategies: What trains of the other parts, at most one strategy of each kind; without one, all of it.

    Raises:
        SpecError: If the layers are not ascending numbers, a value is of another type, two strategies are of one kind,
            or the head, which every strategy trains, is frozen.
    """

    embeddings: bool = False
    layers: tuple[int, ...] = ()
    head: bool = False
    strategies: tuple[StrategySpec, ...] = ()

    def __post_init__(self) -> None:
        layers: object = self.layers
        numbers = tuple(whole(layer) for layer in layers) if isinstance(layers, tuple) else (None,)
        found = tuple(number for number in numbers if number is not None and 0 <= number < MOST_LAYERS)
        # One form only, so that equal specs are equal values and have equal ids.
        if len(found) < len(numbers) or list(found) != sorted(set(found)):
            raise SpecError(
                f"FreezeSpec(layers={brief(layers)}): give a tuple of ascending numbers from 0, such as layers=(0, 1)."
            )
        object.__setattr__(self, "layers", found)
        for name, value in (("embeddings", self.embeddings), ("head", self.head)):
            if not isinstance(value, bool):
                raise SpecError(f"FreezeSpec({name}={brief(value)}): give True or False.")
        self._check_strategies()

    def _check_strategies(self) -> None:
        """Check that strategies can be combined with each other and with what is frozen; put them in order.

        Raises:
            SpecError: If they cannot.
        """
        given: object = self.strategies
        if not isinstance(given, tuple) or not all(isinstance(strategy, StrategySpec) for strategy in given):
            raise SpecError(
                f"FreezeSpec(strategies={brief(given)}): give a tuple of strategies, or use FreezeSpec.parse."
            )
        for strategy in self.strategies:
            strategy.check_arguments()
        strategies = sorted(self.strategies, key=lambda strategy: strategy.position)
        object.__setattr__(self, "strategies", tuple(strategies))
        for first, second in itertools.pairwise(strategies):
            if first.kind == second.kind:
                raise SpecError(
                    f"{first} and {second} cannot be combined: both say {_KINDS[first.kind]}. Leave out one."
                )
        if strategies and self.head:
            raise SpecError(f"{strategies[0]} trains the head, and {self} has it frozen. Leave out head.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the spec of an id such as ``emb+L0-3``; ``str()`` returns the canonical id.

        The parts may be in any order, overlap, and be in upper or lower case.

        Args:
            text: The parts, joined by ``+``: ``none``, ``emb``, ``L3``, ``L0-3``, ``head`` and strategies.

        Raises:
            SpecError: If a part is not in the grammar, a range runs backwards, ``none`` is joined with other parts, or
                parts cannot be combined.
        """
        if not isinstance(text, str):
            raise SpecError(f"FreezeSpec.parse({brief(text)}): give a text. Write {GRAMMAR}.")
        if not has_paired_parentheses(text):
            raise SpecError(
                f"freeze spec {brief(text)} has parentheses that are not closed, or inside others. "
                "Write the arguments of a strategy as in lora(r=4)."
            )
        parts = split_outside_parentheses(text, "+")
        embeddings = head = False
        layers: set[int] = set()
        strategies: list[StrategySpec] = []
        for part in parts:
            match part.lower():
                case "none" if len(parts) == 1:
                    pass
                case "none":
                    raise SpecError(
                        f"freeze spec {brief(text)} joins none with other parts: it freezes nothing. Leave it out."
                    )
                case "emb":
                    embeddings = True
                case "head":
                    head = True
                case _ if (numbers := _parse_layers(part, text)) is not None:
                    layers.update(numbers)
                case _ if (strategy := parse_strategy(part, text)) is not None:
                    strategies.append(strategy)
                case _:
                    raise SpecError(_not_read(part, text))
        return cls(
            embeddings=embeddings, layers=tuple(sorted(layers)), head=head, strategies=tuple(dict.fromkeys(strategies))
        )

    @classmethod
    def prefix(cls, num_frozen_layers: int) -> Self:
        """Return the spec that freezes the embeddings and the first ``num_frozen_layers`` layers.

        Args:
            num_frozen_layers: Number of frozen layers; 0 freezes the embeddings alone.

        Raises:
            SpecError: If that is no whole number from 0 on.
        """
        number = whole(num_frozen_layers)
        if number is None or not 0 <= number <= MOST_LAYERS:
            raise SpecError(
                f"FreezeSpec.prefix({brief(num_frozen_layers)}): give the number of frozen layers, 0 to {MOST_LAYERS}."
            )
        return cls(embeddings=True, layers=tuple(range(number)))

    def __str__(self) -> str:
        parts = ["emb"] if self.embeddings else []
        parts += [f"L{first}" if first == last else f"L{first}-{last}" for first, last in _ranges(self.layers)]
        parts += ["head"] if self.head else []
        parts += [str(strategy) for strategy in self.strategies]
        return "+".join(parts) or "none"

    @property
    def is_none(self) -> bool:
        """Whether everything trains in the usual way: the baseline."""
        return not (self.embeddings or self.layers or self.head or self.strategies)

    @property
    def frozen_parts(self) -> FreezeSpec:
        """This spec without its strategies."""
        return replace(self, strategies=())

    @property
    def rate_factor(self) -> float:
        """Usual learning rate of its strategies, as a multiple of the rate with which all parameters train."""
        return math.prod(strategy.rate_factor for strategy in self.strategies)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that can train all of its strategies."""
        return tuple(engine for engine in ENGINES if all(engine in strategy.engines for strategy in self.strategies))

    @property
    def family(self) -> str:
        """What this configuration has in common with those that plots draw with the same marker."""
        if self.strategies:
            return self.strategies[0].family
        return "frozen prefix" if self.is_prefix else "frozen parts"

    @property
    def is_prefix(self) -> bool:
        """Whether this is a step of the ladder: nothing, or the embeddings and layers 0 to k - 1 are frozen."""
        if self.is_none:
            return True
        is_stack_from_bottom = self.embeddings and self.layers == tuple(range(len(self.layers)))
        return is_stack_from_bottom and not self.head and not self.strategies

    @property
    def num_frozen_layers(self) -> int:
        """Number of frozen transformer layers at any position."""
        return len(self.layers)

    @property
    def frozen_order(self) -> FrozenOrder:
        """Sort key that puts the least frozen spec first, and those with strategies last."""
        places = {name: place for place, name in enumerate(known_strategies())}
        strategies = tuple((places.get(strategy.name, len(places)), str(strategy)) for strategy in self.strategies)
        # The number of frozen parts comes first; the rest makes the order of equally many unique.
        num_frozen = len(self.layers) + self.embeddings + self.head
        return (strategies, num_frozen, self.head, not self.embeddings, self.layers)

    def check(self, num_layers: int, model: str) -> None:
        """Make sure that a model of ``num_layers`` layers can be frozen this way.

        Args:
            num_layers: Number of the model's layers.
            model: What messages call the model.

        Raises:
            SpecError: If a layer does not exist, no parameter would train, or a strategy cannot be applied.
        """
        # A spec is parsed before the model is known, so that its depth is checked separately.
        outside = [layer for layer in self.layers if layer >= num_layers]
        if outside:
            last = num_layers - 1
            choice = "L0" if last == 0 else f"L0 … L{last}"
            layer = f"layer {outside[0]}" + ("" if str(self) == f"L{outside[0]}" else f" of {self}")
            raise SpecError(f"cannot freeze {layer}: {model} has layers 0 to {last}. Choose from emb, {choice}, head.")
        if self.embeddings and self.head and len(self.layers) == num_layers:
            raise SpecError(f"cannot freeze {self}: nothing of {model} would be left to train. Leave out one part.")
        for strategy in self.strategies:
            if strategy.library is not None and find_spec(strategy.library) is None:
                package = strategy.library if strategy.extra is None else f"'freezebench[{strategy.extra}]'"
                raise SpecError(
                    f"{strategy} needs {strategy.library}, which is not installed. Run: python -m pip install {package}"
                )
            if strategy.kind != "rates" and self.embeddings and len(self.layers) == num_layers:
                raise SpecError(
                    f"cannot apply {self}: {strategy.name} changes what trains of embeddings and layers, and all of "
                    f"{model} are frozen. Write {self.frozen_parts}, or freeze fewer layers."
                )
            with errors_named(str(strategy), f"a model of {num_layers} layers"):
                strategy.check(num_layers, model)

    def check_epochs(self, num_epochs: int, num_layers: int) -> None:
        """Make sure that a training of a model of ``num_layers`` layers is long enough for the strategies.

        Args:
            num_epochs: Number of epochs of the training.
            num_layers: Number of the model's layers.

        Raises:
            SpecError: If it is not.
        """
        for strategy in self.strategies:
            with errors_named(str(strategy), f"a training of {num_epochs} epochs"):
                strategy.check_epochs(num_epochs, num_layers - self.num_frozen_layers)


def _parse_layers(part: str, text: str) -> range | None:
    """Return the layer numbers of ``L3`` or ``L0-3``; ``None`` for any other part.

    Raises:
        SpecError: If a range runs backwards.
    """
    match = _LAYERS.fullmatch(part)
    if match is None:
        return None
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if last < first:
        raise SpecError(
            f"layer range {brief(part)} in freeze spec {brief(text)} runs backwards. Write L{last}-{first}."
        )
    return range(first, last + 1)


def _not_read(part: str, text: str) -> str:
    """Return the message on a part that is none."""
    cannot = f"cannot read {brief(part)} in freeze spec {brief(text)}"
    word = part.partition("(")[0].strip()
    why = why_not_found(word)
    if not why and not re.match(r"[A-Za-z]{3}", part):
        return f"{cannot}. Write {GRAMMAR}."
    why = why or "it is neither a part of an encoder nor a strategy that is installed"
    hint = did_you_mean(word, ["none", "emb", "head", *known_strategies()])
    return f"{cannot}: {why}. Write {GRAMMAR}, or install the strategy's package.{hint}"


def _ranges(layers: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the (first, last) numbers of each run of consecutive layers."""
    runs: list[tuple[int, int]] = []
    for layer in layers:
        if runs and layer == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], layer)
        else:
            runs.append((layer, layer))
    return runs
