"""Check that a factory returns the same model in every call, or one that the seed of the run determines.

A drop is the difference of two models that began alike. The weights of a checkpoint are those of its files; a factory
is code, which may draw random numbers, count its calls or read a file that changes. So its models are compared by the
hashes of all their tensors and of their modules: in the preflight check for several calls, and in every run.

Torch is seeded with the seed of the run before each call. Only the head may follow from that, as the new head of a
checkpoint does, and new adapters: parameters that train beside fixed ones in the embeddings or in a layer. A factory
whose embeddings and layers are meant to depend on the seed says so by a parameter ``seed``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import torch

from freezebench.errors import ModelError
from freezebench.strategies.freeze import fixed_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from freezebench.models.layers import LayerMap

_MODULES = "its modules"
# Representations of modules may hold addresses in memory, which differ from call to call.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def tensor_hashes(model: torch.nn.Module) -> dict[str, str]:
    """Return the SHA-256 of every parameter and buffer of a model by name, and of its modules with their settings."""
    hashes = {_MODULES: hashlib.sha256(_ADDRESS.sub("", repr(model)).encode()).hexdigest()}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        values = tensor.detach().cpu().contiguous()
        digest = hashlib.sha256(f"{values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
        hashes[name] = digest.hexdigest()
    return hashes


def initial_sha256(model: torch.nn.Module, layers: LayerMap, fixed: Collection[str] = ()) -> tuple[str, str]:
    """Return two SHA-256 of a model: of its embeddings and layers without adapters, and of all of it.

    Args:
        model: The model as its factory returned it.
        layers: Its layers.
        fixed: Names of the parameters that the factory has fixed.
    """
    hashes = tensor_hashes(model)
    return _combined(_encoder(hashes, layers, fixed)), _combined(hashes)


def check_factory(
    name: str, seed: int, make: Callable[[int], tuple[torch.nn.Module, LayerMap]], *, seeded: bool
) -> None:
    """Check a factory by three calls: two with one seed, and one with another seed.

    Args:
        name: The factory's name in the message.
        seed: A seed of the session.
        make: Calls the factory for a run with a seed, and returns the model and its layers.
        seeded: Whether the factory says that its models depend on the seed.

    Raises:
        ModelError: If it returns another model for the same seed, or other embeddings or layers for another seed
            although it does not say that they depend on it.
    """
    model, layers = make(seed)
    fixed = fixed_parameters(model)
    first = tensor_hashes(model)
    again = tensor_hashes(make(seed)[0])
    if changed := _first_difference(first, again):
        raise ModelError(
            f"the factory {name} returned another model in a second call with the same seed (first difference: "
            f"{changed}), so that a drop would be between two models. Draw random weights from torch alone, which is "
            "seeded before every call, and let nothing else change between calls."
        )
    if seeded:
        return
    other = _encoder(tensor_hashes(make(seed + 1)[0]), layers, fixed)
    if changed := _first_difference(_encoder(first, layers, fixed), other):
        raise ModelError(
            f"the factory {name} returned another encoder for seed {seed + 1} than for seed {seed} (first "
            f"difference: {changed}): only the head and adapters may depend on the seed. Load the weights "
            "from a file, or call torch.manual_seed with a number of your own; if every seed is to have an encoder of "
            "its own, write def factory(num_labels, seed)."
        )


def _encoder(hashes: Mapping[str, str], layers: LayerMap, fixed: Collection[str]) -> dict[str, str]:
    """Return the hashes of all but head and adapters; buffers belong where parameters beside them do."""
    stack = (layers.emb, *layers.layers)
    adapters = {name for names in stack if not set(names).isdisjoint(fixed) for name in names if name not in fixed}
    parents = {name.rpartition(".")[0] for names in stack for name in names}
    head_alone = {name.rpartition(".")[0] for name in layers.head} - parents
    return {
        name: sha256
        for name, sha256 in hashes.items()
        if name not in adapters.union(layers.head) and name.rpartition(".")[0] not in head_alone
    }


def _combined(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(
        "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items())).encode()
    ).hexdigest()


def _first_difference(first: Mapping[str, str], second: Mapping[str, str]) -> str | None:
    """Return the name of the first tensor that differs or that only one of two models has; ``None`` if none does."""
    return next((name for name in {**first, **second} if first.get(name) != second.get(name)), None)
