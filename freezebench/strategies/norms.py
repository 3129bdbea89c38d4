"""Norms: only normalization layers and the head train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.errors import SpecError
from freezebench.models.naming import model_name
from freezebench.strategies.base import Strategy, Trainable

if TYPE_CHECKING:
    import torch

    from freezebench.models.layers import LayerMap

_SCALE = 8.0  # a power of two, so that scaling does not round


@dataclass(frozen=True, kw_only=True)
class Norms(Strategy):
    """Trains the normalization layers of all parts that are not frozen, and the head.

    Source: Qi, Ruan, Zuo and Li (2022), Parameter-Efficient Tuning on Layer Normalization for Pre-trained Language
    Models, https://arxiv.org/abs/2211.08682. The rate is the one of PEFT's method comparison
    (https://github.com/huggingface/peft, method_comparison/MetaMathQA), which trains normalization layers at 1e-4 and
    all parameters at 1e-5.
    """

    name = "norms"
    summary = "normalization layers and the head"
    source = "Qi, Ruan, Zuo and Li 2022"
    family = "some parameters"
    rate_factor = 10.0
    rate_source = "PEFT's method comparison trains normalization layers at 1e-4, and all parameters at 1e-5"

    def apply(self, model: torch.nn.Module, layers: LayerMap, trainable: Trainable) -> Trainable:
        """Return the parameters of normalization layers, and the head.

        Raises:
            SpecError: If embeddings and layers have no normalization layer that is not frozen.
        """
        norms = trainable.names.intersection(
            f"{name}.{own}" if name else own
            for name, module in model.named_modules()
            if is_normalization(module)
            for own, _ in module.named_parameters(recurse=False)
        )
        if not norms.difference(layers.head):
            raise SpecError(
                f"cannot apply norms: the embeddings and layers of {model_name(model)} that are not frozen have no "
                "normalization layers with parameters. Choose another strategy, such as bitfit or lora."
            )
        return trainable.only(norms | set(layers.head))


def is_normalization(module: torch.nn.Module) -> bool:
    """Return whether a module is a normalization layer with parameters, which transformers has many classes of.

    Such a module has one or two parameters, a gain and a shift, which are vectors of one size, and none in modules
    below it. It is one by the name of its class, or because the scale of its input does not matter to its output.
    """
    from torch import nn

    own = [parameter for _, parameter in module.named_parameters(recurse=False)]
    if not 0 < len(own) <= 2 or len(own) < len(list(module.parameters())):  # noqa: PLR2004 - gain and shift
        return False
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return True
    if own[0].dim() > 1 or len({parameter.shape for parameter in own}) > 1:
        return False
    return "norm" in type(module).__name__.lower() or _ignores_scale(module, own[0])


def _ignores_scale(module: torch.nn.Module, parameter: torch.nn.Parameter) -> bool:
    """Return whether a module gives inputs of another scale the same output, and other inputs another one."""
    import torch

    try:
        draw = torch.Generator().manual_seed(0)
        hidden = torch.randn(2, 3, max(parameter.numel(), 2), generator=draw).to(parameter)
        with torch.no_grad():
            output, scaled, other = module(hidden), module(_SCALE * hidden), module(hidden.flip(0))
            return bool(torch.allclose(output, scaled, rtol=1e-2, atol=1e-3) and not torch.allclose(output, other))
    except Exception:  # noqa: BLE001 - a module that takes anything else is no normalization layer
        return False
