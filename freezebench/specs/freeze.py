"""Freeze specs: the frozen parts of an encoder, as a value and as a readable id such as ``emb+L0-3``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from freezebench.errors import SpecError
from freezebench.specs.fields import brief, whole

GRAMMAR = "none, emb, L3, L0-3, head, or parts joined by '+' such as emb+L0-3"

MOST_LAYERS = 10_000  # no encoder is nearly as deep
# ASCII digits of limited number: \d matches the digits of all scripts, and a range of 10**9 layers would fill the
# memory.
_LAYERS = re.compile(r"[Ll]([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True, kw_only=True)
class FreezeSpec:
    """The parts of an encoder whose parameters do not train.

    Attributes:
        embeddings: Whether all parameters before the layer stack are frozen.
        layers: Frozen transformer layers, numbered from 0 as in module names, ascending.
        head: Whether all parameters after the layer stack are frozen.

    Raises:
        SpecError: If the layers are not ascending numbers, or a value is of another type.
    """

    embeddings: bool = False
    layers: tuple[int, ...] = ()
    head: bool = False

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

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the spec of an id such as ``emb+L0-3``; ``str()`` returns the canonical id.

        The parts may be in any order, overlap, and be in upper or lower case.

        Raises:
            SpecError: If a part is not in the grammar, a range runs backwards, or ``none`` is joined with other parts.
        """
        if not isinstance(text, str):
            raise SpecError(f"FreezeSpec.parse({brief(text)}): give a text. Write {GRAMMAR}.")
        parts = [part.strip() for part in text.split("+")]
        embeddings = head = False
        layers: set[int] = set()
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
                case _:
                    layers.update(_parse_layers(part, text))
        return cls(embeddings=embeddings, layers=tuple(sorted(layers)), head=head)

    @classmethod
    def prefix(cls, num_frozen_layers: int) -> Self:
        """Return the spec that freezes the embeddings and the first ``num_frozen_layers`` layers.

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
        return "+".join(parts) or "none"

    @property
    def is_none(self) -> bool:
        """Whether nothing is frozen: the baseline."""
        return not (self.embeddings or self.layers or self.head)

    @property
    def is_prefix(self) -> bool:
        """Whether this is a step of the ladder: nothing, or the embeddings and layers 0 to k - 1 are frozen."""
        if self.is_none:
            return True
        return self.embeddings and not self.head and self.layers == tuple(range(len(self.layers)))

    @property
    def num_frozen_layers(self) -> int:
        """Number of frozen transformer layers at any position."""
        return len(self.layers)

    @property
    def frozen_order(self) -> tuple[int, bool, bool, tuple[int, ...]]:
        """Sort key that puts the least frozen spec first."""
        # The number of frozen parts comes first; the rest makes the order of equally many unique.
        return (len(self.layers) + self.embeddings + self.head, self.head, not self.embeddings, self.layers)

    def check(self, num_layers: int, model: str) -> None:
        """Make sure that a model of ``num_layers`` layers can be frozen this way.

        Raises:
            SpecError: If a layer does not exist or no parameter would train.
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


def _parse_layers(part: str, text: str) -> range:
    """Return the layer numbers of ``L3`` or ``L0-3``."""
    match = _LAYERS.fullmatch(part)
    if match is None:
        raise SpecError(f"cannot read {brief(part)} in freeze spec {brief(text)}. Write {GRAMMAR}.")
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if last < first:
        raise SpecError(
            f"layer range {brief(part)} in freeze spec {brief(text)} runs backwards. Write L{last}-{first}."
        )
    return range(first, last + 1)


def _ranges(layers: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the (first, last) numbers of each run of consecutive layers."""
    runs: list[tuple[int, int]] = []
    for layer in layers:
        if runs and layer == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], layer)
        else:
            runs.append((layer, layer))
    return runs
