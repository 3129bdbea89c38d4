"""What a configuration trains of a model, so that configurations that train the same can be told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, kw_only=True)
class TrainableSet:
    """The parameters that a configuration trains; equal for two configurations of a model if they train the same.

    Attributes:
        num_params: Number of parameters; 0 if nothing is left to train.
        sha256: Hash of the sorted names of the model's trainable parameters, and of when and at which rates they train.
        refusal: Why the configuration cannot be applied to the model, as the end of a sentence; ``None``: it can.
    """

    num_params: int
    sha256: str
    refusal: str | None = None

    @classmethod
    def refused(cls, refusal: str) -> Self:
        """Return the set of a configuration that cannot be applied."""
        return cls(num_params=0, sha256="", refusal=refusal)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        *,
        num_params: int,
        rate_factors: Mapping[str, float] | None = None,
        stages: Iterable[tuple[int, float, Iterable[str]]] = (),
    ) -> Self:
        """Return the set of some parameters.

        Args:
            names: Names of the parameters as the model has them.
            num_params: Number of numbers in them.
            rate_factors: Learning rates as multiples of the run's, by name.
            stages: First epoch, multiple of the rate and names of the parameters, of each stage.
        """
        lines = sorted(names)
        lines += [f"{name} {factor}" for name, factor in sorted((rate_factors or {}).items()) if factor != 1]
        lines += [f"{epoch} {factor} {' '.join(sorted(stage))}" for epoch, factor, stage in stages]
        return cls(num_params=num_params, sha256=hashlib.sha256("\n".join(lines).encode()).hexdigest())
