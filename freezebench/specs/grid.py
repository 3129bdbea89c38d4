"""Grids: the freeze specs of a comparison, and numbers per configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from freezebench.errors import SpecError
from freezebench.specs.entries import split_entries
from freezebench.specs.fields import brief, real, whole
from freezebench.specs.freeze import GRAMMAR, MOST_LAYERS, FreezeSpec
from freezebench.specs.numbers import decimal_number
from freezebench.specs.top_layers import canonical_name, names_top_layers, spec_at_depth

_PAIR = 2  # a freeze spec and its number
# What stands for the ladder: all of it, or those of its prefixes that the search for the deepest safe one needs.
ALL, SEARCH = "all", "search"
# What stands for some prefixes beside other ways to train less.
STRATEGIES = "strategies"
# Words in a grid that stand for several configurations.
WORDS = (ALL, SEARCH, STRATEGIES)


def ladder(num_layers: int) -> list[FreezeSpec]:
    """Return ``none, emb, emb+L0, …``: the nested prefixes of an encoder; with the last one only the head trains.

    Raises:
        SpecError: If ``num_layers`` is below 1.
    """
    if num_layers < 1:
        raise SpecError(f"cannot make a ladder of {num_layers} layers: give 1 or more.")
    return [FreezeSpec(), *(FreezeSpec.prefix(frozen) for frozen in range(num_layers + 1))]


def comparison(num_layers: int) -> list[FreezeSpec]:
    """Return a comparison of freezing with other ways to train less, for an encoder of some depth.

    A third and half of the layers are depths that mostly turn out safe; the head alone is the cheapest that can be had.
    """
    third, half = FreezeSpec.prefix(num_layers // 3), FreezeSpec.prefix(num_layers // 2)
    others = [FreezeSpec.parse(text) for text in ("bitfit", "lora", f"{third}+lora", "lpft")]
    return [FreezeSpec(), third, half, FreezeSpec.prefix(num_layers), *others]


def split_grid(text: str) -> list[str]:
    """Return the canonical ids of a grid text; words and ``top-K`` stay, since the model's depth is not known here.

    Raises:
        SpecError: If the text is empty, an entry cannot be read, or prefixes are named that ``search`` chooses.
    """
    entries = split_entries(text)
    if not all(entries):
        raise SpecError(
            f"freeze grid {brief(text)} has an empty entry. Write 'all', 'search', 'strategies', or a list such as "
            "none,emb,emb+L0-3."
        )
    # Parsing them now reports errors at the option; the model's configuration is read much later.
    names = [entry.lower() if entry.lower() in WORDS else canonical_name(entry) for entry in entries]
    if SEARCH not in names:
        return names
    # The prefixes of 'strategies' are among those that a search chooses from.
    named = [name for name in names if name not in ("none", SEARCH, STRATEGIES)]
    prefix = next((name for name in named if name == ALL or _is_prefix(name)), None)
    if prefix is not None:
        raise SpecError(
            f"freeze grid {brief(text)} names {prefix} besides 'search', which chooses itself which prefixes are "
            f"trained. Leave out {prefix} or 'search'; what is no prefix, such as L3, may be named."
        )
    return names


def _is_prefix(name: str) -> bool:
    """Return whether a name is that of a step of the ladder, whatever the depth."""
    # All layers but the top ones are a prefix of any model that has so many.
    return (spec_at_depth(name, MOST_LAYERS, "") if names_top_layers(name) else FreezeSpec.parse(name)).is_prefix


def grid_at_depth(text: str, num_layers: int, model: str) -> str:
    """Return a grid text in which every configuration has its canonical id; words stay.

    Raises:
        SpecError: If the model has fewer layers than ``top-K`` names.
    """
    return ",".join(name if name in WORDS else str(spec_at_depth(name, num_layers, model)) for name in split_grid(text))


def specs_of(text: str, num_layers: int, model: str = "the model") -> list[FreezeSpec]:
    """Return the freeze specs of a grid text without duplicates, least frozen first; whether they fit is not checked.

    Raises:
        SpecError: If an entry cannot be parsed, or the model has fewer layers than ``top-K`` names.
    """
    words = {ALL: ladder, SEARCH: ladder, STRATEGIES: comparison}
    # A set, since different texts may name the same spec: L0-1 and L0+L1.
    specs: set[FreezeSpec] = set()
    for entry in split_grid(text):
        specs.update(words[entry](num_layers) if entry in words else [spec_at_depth(entry, num_layers, model)])
    return sorted(specs, key=lambda spec: spec.frozen_order)


def parse_grid(text: str, num_layers: int, model: str = "the model") -> list[FreezeSpec]:
    """Return the freeze specs of a grid text without duplicates, least frozen first.

    Args:
        text: ``all`` or ``search`` (the whole ladder), ``strategies`` (some prefixes beside other ways to train less),
            one spec, ``top-K`` (the K top layers train), or a comma-separated list of these.
        num_layers: Depth of the layer stack.
        model: Name of the model in error messages.

    Raises:
        SpecError: If an entry cannot be parsed or the model cannot be frozen that way.
    """
    if not isinstance(text, str):
        raise SpecError(f"parse_grid({brief(text)}): give a text, such as 'all' or 'none,emb,emb+L0-3'.")
    depth = whole(num_layers)
    if depth is None or not 1 <= depth <= MOST_LAYERS:
        raise SpecError(f"parse_grid(num_layers={brief(num_layers)}): give a whole number from 1 to {MOST_LAYERS}.")
    specs = specs_of(text, depth, model)
    for spec in specs:
        spec.check(depth, model)
    return specs


@dataclass(frozen=True, kw_only=True)
class PerSpec:
    """A number per configuration, with an optional default: ``5``, ``emb+L0-4:5,emb+L0-5:12`` or ``2,emb+L0-5:12``.

    Attributes:
        default: The number of all configurations that are not named; ``None`` if there is none.
        by_spec: (canonical id, number) pairs, sorted by id: a tuple, so that settings can be dictionary keys. Until the
            depth of the model is known, ``top-K`` is among them; see ``at_depth``.

    Raises:
        SpecError: If a number is not finite, or ``by_spec`` is no tuple of pairs.
    """

    default: float | None = None
    by_spec: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        pairs: object = self.by_spec
        are_pairs = isinstance(pairs, tuple) and all(isinstance(pair, tuple) and len(pair) == _PAIR for pair in pairs)
        if not are_pairs or not all(math.isfinite(real(number)) for number in self.numbers):
            raise SpecError(
                f"PerSpec(default={brief(self.default)}, by_spec={brief(pairs)}): give finite numbers, such as "
                "PerSpec.parse('2,emb+L0-5:12')."
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the numbers of a text.

        Args:
            text: Numbers, or configurations and numbers with a colon between, separated by commas.

        Raises:
            SpecError: If an entry cannot be parsed, a number is not finite, or a configuration has two numbers.
        """
        if not isinstance(text, str):
            raise SpecError(f"PerSpec.parse({brief(text)}): give a text, such as '2,emb+L0-5:12'.")
        default: float | None = None
        by_spec: dict[str, float] = {}
        for entry in split_entries(text):
            # An entry without a colon is the default.
            spec_text, colon, number_text = entry.rpartition(":")
            number = _parse_number(number_text, text)
            if not colon:
                if default is not None:
                    raise SpecError(f"{brief(text)} gives two numbers without a configuration. Write 2,emb+L0-5:12.")
                default = number
                continue
            spec = canonical_name(spec_text)
            if spec in by_spec:
                raise SpecError(f"{brief(text)} gives configuration {spec} twice. Give it once.")
            by_spec[spec] = number
        return cls(default=default, by_spec=tuple(sorted(by_spec.items())))

    def at_depth(self, num_layers: int, model: str) -> Self:
        """Return these numbers with canonical ids in place of ``top-K``.

        Args:
            num_layers: Number of the model's layers.
            model: What messages call the model.

        Raises:
            SpecError: If the model has fewer layers, or a configuration has two numbers.
        """
        by_spec: dict[str, float] = {}
        for name, number in self.by_spec:
            spec = str(spec_at_depth(name, num_layers, model))
            if spec in by_spec:
                raise SpecError(f"{brief(str(self))} gives configuration {spec} of {model} twice. Give it once.")
            by_spec[spec] = number
        return replace(self, by_spec=tuple(sorted(by_spec.items())))

    def __str__(self) -> str:
        entries = [] if self.default is None else [f"{self.default:g}"]
        return ",".join(entries + [f"{spec}:{number:g}" for spec, number in self.by_spec])

    def get(self, spec: FreezeSpec | str) -> float | None:
        """Return the number of a configuration: its own, else the default; ``None`` if there is neither.

        Args:
            spec: The configuration, or its id.

        Raises:
            SpecError: If a text is no freeze spec.
        """
        # Another notation of an id names the same configuration, and a misspelt one none that could have a default.
        name = str(spec if isinstance(spec, FreezeSpec) else FreezeSpec.parse(spec))
        return dict(self.by_spec).get(name, self.default)

    @property
    def numbers(self) -> list[float]:
        """All numbers, the default first."""
        return ([] if self.default is None else [self.default]) + [number for _, number in self.by_spec]


def _parse_number(number_text: str, text: str) -> float:
    """Return the number of one entry.

    Raises:
        SpecError: If it is no finite number.
    """
    number = decimal_number(number_text)
    if number is None:
        raise SpecError(
            f"cannot read {brief(number_text.strip())} in {brief(text)} as a number. "
            f"Write one number, or numbers per configuration such as emb+L0-4:5 ({GRAMMAR})."
        )
    if not math.isfinite(number):
        raise SpecError(f"{brief(number_text.strip())} in {brief(text)} is not a finite number. Give a finite one.")
    return number
