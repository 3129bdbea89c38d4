"""What a configuration trains of a model, so that configurations that train the same can be told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True)
class TrainableSet:
    """The parameters that a configuration trains; equal for two configurations of a model if they train the same.

    Attributes:
        num_params: Number of parameters; 0 if nothing is left to train.
        sha256: Hash of the sorted names of the model's trainable parameters.
    """

    num_params: int
    sha256: str

    @classmethod
    def of(cls, names: Iterable[str], *, num_params: int) -> Self:
        """Return the set of some parameters.

        Args:
            names: Names of the parameters as the model has them.
            num_params: Number of numbers in them.
        """
        return cls(num_params=num_params, sha256=hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest())
