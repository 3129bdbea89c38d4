"""``top-K``: the ladder named from above, such as ``top-2``, of which the two top layers and the head train.

Which layers that freezes is known with the depth of the model. Ids, tables and records have the frozen layers:
``top-2`` is ``emb+L0-3`` of a model of six layers.
"""

from __future__ import annotations

import re

from freezebench.errors import SpecError
from freezebench.specs.fields import brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.strategies import split_outside_parentheses

_TOP = re.compile(r"top-([0-9]{1,4})", re.ASCII | re.IGNORECASE)


def names_top_layers(text: str) -> bool:
    """Return whether a configuration is named by the layers that train."""
    return _split(text)[0] is not None


def canonical_name(text: str) -> str:
    """Return the canonical id of a configuration; of one that is named by its top layers, ``top-K`` in place of them.

    Raises:
        SpecError: If it cannot be read.
    """
    top, others = _split(text)
    if top is None:
        return str(FreezeSpec.parse(text))
    if any(_TOP.fullmatch(part) for part in others):
        raise SpecError(f"{brief(text)} names the top layers twice. Name them once, such as top-{top}.")
    # With the embeddings, as every top-K freezes them: what cannot be combined with a frozen part is refused here.
    rest = str(FreezeSpec.parse("+".join(["emb", *others]))).removeprefix("emb")
    return f"top-{top}{rest}"


def spec_at_depth(text: str, num_layers: int, model: str) -> FreezeSpec:
    """Return the configuration of a name.

    Args:
        text: A freeze spec, or one with ``top-K``.
        num_layers: Depth of the layer stack.
        model: Name of the model in error messages.

    Raises:
        SpecError: If it cannot be read, or the model has fewer layers.
    """
    top, others = _split(canonical_name(text))
    if top is None:
        return FreezeSpec.parse(text)
    if top > num_layers:
        raise SpecError(
            f"cannot train the {top} top layers alone: {model} has {num_layers}. Choose from top-0, which trains the "
            f"head alone, to top-{num_layers}, which freezes the embeddings alone."
        )
    return FreezeSpec.parse("+".join([str(FreezeSpec.prefix(num_layers - top)), *others]))


def _split(text: str) -> tuple[int | None, list[str]]:
    """Return K of the first ``top-K``, ``None`` if there is none, and the other parts."""
    parts = split_outside_parentheses(text, "+")
    matches = [(_TOP.fullmatch(part), position) for position, part in enumerate(parts)]
    match, position = next((found for found in matches if found[0]), (None, 0))
    if match is None:
        return None, parts
    return int(match[1]), parts[:position] + parts[position + 1 :]
