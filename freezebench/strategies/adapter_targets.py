"""Find the linear modules of layers that adapters are added to, by the structure of the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from freezebench.errors import SpecError
from freezebench.models.naming import model_name
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from freezebench.models.layers import LayerMap

_ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
# The last part of a projection's name: k_lin, key_proj, value, v, and the fused ones Wqkv, c_attn, in_proj.
_KEY_OR_VALUE = re.compile(r"(?:^|_)(?:k|v|key|value|kv|qkv|wqkv|c_attn|in_proj)(?:_|$)", re.IGNORECASE)
_NUM_SHOWN = 12
# Modules of torch that use the weights of the modules inside them without calling these.
_BYPASSING = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)


@dataclass(frozen=True, kw_only=True)
class LinearModule:
    """A linear module of a layer that is not frozen.

    Attributes:
        path: Its path in the model.
        in_features: Width of its input.
        out_features: Width of its output.
        is_transposed: Whether its weight has the shape (input, output), as in GPT-2's ``Conv1D``.
        is_attention: Whether it is inside an attention module.
        bypassed_by: Class of the module around it that uses its weight without calling it; ``None``: it is called.
        twin: Another path of the module, or of its weight; ``None`` if it has one only.
    """

    path: str
    in_features: int
    out_features: int
    is_transposed: bool
    is_attention: bool
    bypassed_by: str | None
    twin: str | None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]

    @property
    def is_key_or_value(self) -> bool:
        """Whether it projects to keys or values of attention, or to these together with queries."""
        return self.is_attention and _KEY_OR_VALUE.search(self.name) is not None

    @property
    def is_feed_forward_output(self) -> bool:
        """Whether it is the last matrix of a feed-forward network, whose input is wider than its output."""
        return not self.is_attention and self.in_features > self.out_features


def linear_modules(model: torch.nn.Module, layers: LayerMap, open_names: Collection[str]) -> list[LinearModule]:
    """Return the linear modules of layers that have parameters in ``open_names``.

    Args:
        model: The model.
        layers: Its layers.
        open_names: Names of the parameters that are not frozen.
    """
    parts = (set(layer) for layer in layers.layers)
    weights = {name for layer in parts if not layer.isdisjoint(open_names) for name in layer}
    paths: dict[int, list[str]] = {}  # of every weight
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(weight := getattr(module, "weight", None), torch.nn.Parameter):
            paths.setdefault(id(weight), []).append(path)
    return [
        linear
        for path, module in model.named_modules()
        if f"{path}.weight" in weights and (linear := _linear(model, path, module, layers, paths)) is not None
    ]


def _linear(
    model: torch.nn.Module, path: str, module: torch.nn.Module, layers: LayerMap, paths: dict[int, list[str]]
) -> LinearModule | None:
    """Return a module as a linear one; ``None`` if it is none."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, Conv1D):
        widths = module.weight.shape
    elif isinstance(module, torch.nn.Linear):
        widths = module.weight.shape[::-1]
    else:
        return None
    around = list(_around(model, path, layers.stack))
    bypassing = [type(outer).__name__ for _, outer in around if isinstance(outer, _BYPASSING)]
    others = [other for other in paths[id(module.weight)] if other != path]
    return LinearModule(
        path=path,
        in_features=int(widths[0]),
        out_features=int(widths[1]),
        is_transposed=isinstance(module, Conv1D),
        is_attention=any(_ATTENTION.search(name) for name, _ in around)
        # The class of a layer is no sign: it may be called after its attention.
        or any(_ATTENTION.search(type(outer).__name__) for _, outer in around[1:]),
        bypassed_by=bypassing[0] if bypassing else None,
        twin=others[0] if others else None,
    )


def _around(model: torch.nn.Module, path: str, stack: str) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield name and module of everything on the way from the stack to a module, the module included."""
    above = stack.partition("{")[0].rstrip(".")  # parallel lists are called after what is in them: attentions
    module = model.get_submodule(above)
    for name in path.removeprefix(above).strip(".").split("."):
        module = module.get_submodule(name)
        yield name, module


def find_targets(
    linears: list[LinearModule], targets: str, strategy: str, model: torch.nn.Module
) -> list[LinearModule]:
    """Return the modules that get adapters.

    Args:
        linears: The linear modules of the layers that are not frozen.
        targets: ``attention``, ``all``, ``usual``, or suffixes of paths joined by ``|``.
        strategy: What messages call the strategy.
        model: The model.

    Raises:
        SpecError: If there is none, or one of them cannot have an adapter.
    """
    if not linears:
        raise SpecError(
            f"cannot apply {strategy}: the layers of {model_name(model)} that are not frozen have no linear modules "
            "(torch.nn.Linear). Choose another strategy, such as bitfit."
        )
    names = listed(list(dict.fromkeys(linear.name for linear in linears)), _NUM_SHOWN)
    by_name = targets not in _BY_STRUCTURE
    if by_name:
        chosen = _named(linears, targets.split("|"), strategy, model, names)
    else:
        is_target = _BY_STRUCTURE[targets]
        chosen = [linear for linear in linears if is_target(linear)]
    if not chosen:
        raise SpecError(
            f"cannot apply {strategy}: targets={targets} matches no linear module in the layers of "
            f"{model_name(model)} that are not frozen. Write targets=all, or choose by name: {names}."
        )
    called = [linear for linear in chosen if linear.bypassed_by is None]
    bypassed = [linear for linear in chosen if linear.bypassed_by is not None]
    if bypassed and (by_name or not called):
        raise SpecError(
            f"cannot apply {strategy}: {bypassed[0].path} of {model_name(model)} is inside a "
            f"torch.nn.{bypassed[0].bypassed_by}, which uses its weight without calling it, so that an adapter there "
            f"would have no effect. Choose other targets among {names}, or another strategy, such as bitfit."
        )
    shared = next((linear for linear in called if linear.twin is not None), None)
    if shared is not None:
        raise SpecError(
            f"cannot apply {strategy}: {shared.path} and {shared.twin} of {model_name(model)} share a weight, so that "
            f"an adapter of one could not be merged into it. Choose other targets among {names}."
        )
    return called


def _named(
    linears: list[LinearModule], suffixes: list[str], strategy: str, model: torch.nn.Module, names: str
) -> list[LinearModule]:
    """Return the modules of some names.

    Raises:
        SpecError: If a name matches none.
    """
    for suffix in suffixes:
        if not any(_ends_with(linear.path, suffix) for linear in linears):
            raise SpecError(
                f"cannot apply {strategy}: {suffix} is no linear module in the layers of {model_name(model)} that are "
                f"not frozen. Choose from attention, all, {names}."
            )
    return [linear for linear in linears if any(_ends_with(linear.path, suffix) for suffix in suffixes)]


def _ends_with(path: str, suffix: str) -> bool:
    """Return whether a suffix is the path or its end after a dot, as in PEFT's ``target_modules``."""
    return path == suffix or path.endswith(f".{suffix}")


_BY_STRUCTURE: dict[str, Callable[[LinearModule], bool]] = {
    "attention": lambda linear: linear.is_attention,
    "all": lambda _: True,
    "usual": lambda linear: linear.is_key_or_value or linear.is_feed_forward_output,
}
