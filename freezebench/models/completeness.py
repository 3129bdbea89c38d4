"""Check that configuration and weights of a checkpoint belong together, and tell which parameters are new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict

from freezebench.errors import ModelError, one_line
from freezebench.models.weight_files import stored_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    import torch
    from transformers import PretrainedConfig, PreTrainedModel

_NEW = "new_parameters"
# Loops of a model's constructor run this often at most.
_MOST_MODULES = 1000
_COUNT = re.compile(r"layers?$|layers?_|blocks|block_sizes|groups")


class LoadingReport(TypedDict):
    """Parts of the report of ``from_pretrained(output_loading_info=True)``."""

    missing_keys: set[str]
    unexpected_keys: set[str]
    mismatched_keys: set[tuple[str, torch.Size, torch.Size]]


def new_parameters(model: torch.nn.Module) -> tuple[str, ...] | None:
    """Return the names of the parameters that a model's checkpoint lacks or has in another shape.

    They start from the seed's random numbers. ``None`` if that is not known: a factory's model.
    """
    names: tuple[str, ...] | None = getattr(model, _NEW, None)
    return names


def note_new_parameters(model: torch.nn.Module, names: Collection[str]) -> None:
    """Keep the names of new parameters with the model, for :func:`new_parameters`."""
    setattr(model, _NEW, tuple(name for name, _ in model.named_parameters() if name in names))


def check_sizes(config: PretrainedConfig, folder: Path, name: str, make: Callable[..., Any]) -> None:
    """Check that a checkpoint's configuration does not describe a far larger encoder than its weights hold.

    Loading would allocate it before any comparison. Here it is made without memory for its parameters.

    Args:
        config: The configuration.
        folder: The checkpoint's folder.
        name: The model's name in error messages.
        make: Makes the model of a configuration.

    Raises:
        ModelError: If it does, or transformers cannot make the model.
    """
    import torch

    for key, value in config.to_dict().items():
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int) and number > _MOST_MODULES and _COUNT.search(key):
                raise ModelError(
                    f"cannot load the model {name!r}: {key} in its config.json is {repr(number)[:40]}, and freezebench "
                    f"loads models of up to {_MOST_MODULES}. Write the number that belongs to the weights."
                )
    try:
        with torch.device("meta"):
            model = make(config)
    except Exception as error:
        raise ModelError(
            f"cannot load the model {name!r}: transformers cannot make the model that its config.json describes "
            f"({type(error).__name__}: {one_line(error)}). Write the configuration that belongs to the weights."
        ) from error
    described = sum(parameter.numel() for parameter in model.base_model.parameters())
    # A parameter takes a byte or more.
    stored = sum(tensor.num_bytes for tensor in stored_tensors(folder, name).values())
    if described > 2 * stored:
        raise ModelError(
            f"cannot load the model {name!r}: its config.json describes an encoder of {described:,} parameters, but "
            f"its weights have {stored:,} bytes. Give the configuration that belongs to the weights."
        )


def check_complete(model: PreTrainedModel, report: LoadingReport, name: str) -> None:
    """Check that only parameters of the head are missing from a checkpoint, and that none of its layers is left out.

    Args:
        model: The model as it was loaded; it keeps the names of its new parameters.
        report: Loading report of transformers.
        name: The model's name in error messages.

    Raises:
        ModelError: If an embedding or a layer would start from random numbers, or layers in the weights have no place
            in the model.
    """
    mismatched = {key: (tuple(stored), tuple(expected)) for key, stored, expected in report["mismatched_keys"]}
    fresh = {*report["missing_keys"], *mismatched}
    note_new_parameters(model, fresh)
    _check_layers(model, report["unexpected_keys"], name)
    if all(not key.startswith(f"{model.base_model_prefix}.") for key in fresh):
        return
    from freezebench.models.layers import find_layers

    # A pooler belongs to the base model, but many pretrained checkpoints lack it; find_layers counts it to the head.
    missing = sorted(fresh - set(find_layers(model).head))
    if not missing:
        return
    if missing[0] in mismatched:
        stored, expected = mismatched[missing[0]]
        raise ModelError(
            f"cannot load the model {name!r}: {missing[0]} has shape {stored} in its weights, but {expected} by its "
            "config.json. Give the configuration that belongs to the weights."
        )
    raise ModelError(
        f"cannot load the model {name!r}: its weights lack {len(missing)} parameters of the encoder, such as "
        f"{missing[0]}. "
        "Give a checkpoint of this architecture."
    )


def _check_layers(model: PreTrainedModel, unexpected: Collection[str], name: str) -> None:
    """Check that no layer of a checkpoint is left out: a configuration with fewer layers would cut the encoder.

    Heads of pretraining have no place in a classifier, either, and are left out.

    Raises:
        ModelError: If one is.
    """
    numbered = sorted(key for key in unexpected if re.search(r"\.\d+\.", key))
    if not numbered:
        return
    from freezebench.models.layers import find_layers

    layers = find_layers(model)
    prefix = f"{model.base_model_prefix}."
    stack = layers.stack.removeprefix(prefix)
    left_out = [key for key in numbered if key.removeprefix(prefix).startswith(f"{stack}.")]
    if left_out:
        raise ModelError(
            f"cannot load the model {name!r}: its weights have layers that its config.json, with {layers.num_layers} "
            f"layers, leaves out, such as {left_out[0]}. Give the configuration that belongs to the weights."
        )
