"""Grids: the freeze specs of one comparison, and values given per configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from freezebench.errors import SpecError
from freezebench.specs.freeze import GRAMMAR, FreezeSpec


def ladder(num_layers: int) -> list[FreezeSpec]:
    """Return ``none, emb, emb+L0, …``: the nested prefixes of an encoder, the last of which trains the head alone.

    Raises:
        SpecError: If there is no layer.
    """
    if num_layers < 1:
        raise SpecError(f"a ladder needs a model with at least one layer, not {num_layers}.")
    return [FreezeSpec(), *(FreezeSpec.prefix(frozen) for frozen in range(num_layers + 1))]


def split_grid(text: str) -> list[str]:
    """Return the canonical ids of a grid text, ``all`` kept as it is, without knowing a model.

    Raises:
        SpecError: If the text is empty or an entry cannot be read.
    """
    entries = [entry.strip() for entry in text.split(",")]
    if not all(entries):
        raise SpecError(f"freeze grid {text!r} has an empty entry. Write 'all', or a list such as none,emb,emb+L0-3.")
    return ["all" if entry.lower() == "all" else str(FreezeSpec.parse(entry)) for entry in entries]


def parse_grid(text: str, num_layers: int, model: str = "the model") -> list[FreezeSpec]:
    """Return the freeze specs of a grid text, each once, least frozen first.

    Args:
        text: ``all`` (the whole ladder), one spec, or a comma-separated list of both.
        num_layers: Depth of the layer stack.
        model: What error messages call the model.

    Raises:
        SpecError: If an entry cannot be read or the model cannot be frozen that way.
    """
    specs: set[FreezeSpec] = set()
    for entry in split_grid(text):
        specs.update(ladder(num_layers) if entry == "all" else [FreezeSpec.parse(entry)])
    for spec in specs:
        spec.check(num_layers, model)
    return sorted(specs, key=lambda spec: spec.frozen_order)


@dataclass(frozen=True, kw_only=True)
class PerSpec:
    """A number for every configuration, with exceptions: ``5``, ``emb+L0-4:5,emb+L0-5:12`` or ``2,emb+L0-5:12``.

    Attributes:
        default: The number of configurations that are not named; ``None`` if there is none.
        by_spec: (canonical id, number) pairs, sorted by id.
    """

    default: float | None = None
    by_spec: tuple[tuple[str, float], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the numbers that a text gives.

        Raises:
            SpecError: If an entry cannot be read, a number is not finite, or something is given twice.
        """
        default: float | None = None
        by_spec: dict[str, float] = {}
        for entry in text.split(","):
            spec_text, colon, number_text = entry.rpartition(":")
            number = _parse_number(number_text, text)
            if not colon:
                if default is not None:
                    raise SpecError(f"{text!r} gives two numbers without a configuration. Write 2,emb+L0-5:12.")
                default = number
                continue
            spec = str(FreezeSpec.parse(spec_text))
            if spec in by_spec:
                raise SpecError(f"{text!r} gives configuration {spec} twice. Give it once.")
            by_spec[spec] = number
        return cls(default=default, by_spec=tuple(sorted(by_spec.items())))

    def __str__(self) -> str:
        entries = [] if self.default is None else [f"{self.default:g}"]
        return ",".join(entries + [f"{spec}:{number:g}" for spec, number in self.by_spec])

    def get(self, spec: FreezeSpec | str) -> float | None:
        """Return the number of one configuration; ``None`` if it has none."""
        return dict(self.by_spec).get(str(spec), self.default)

    @property
    def numbers(self) -> list[float]:
        """Every number that was given."""
        return ([] if self.default is None else [self.default]) + [number for _, number in self.by_spec]


def _parse_number(number_text: str, text: str) -> float:
    """Return one finite number of a per-configuration text."""
    try:
        number = float(number_text)
    except ValueError:
        raise SpecError(
            f"cannot read {number_text.strip()!r} in {text!r} as a number. "
            f"Write one number, or numbers per configuration such as emb+L0-4:5 ({GRAMMAR})."
        ) from None
    if not math.isfinite(number):
        raise SpecError(f"{number_text.strip()!r} in {text!r} is not a finite number.")
    return number
