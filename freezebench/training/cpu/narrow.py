"""AdamW for gradients in a narrower number format than their parameters: bf16, as products of matrices made them.

Autograd would widen such a gradient as a whole: it is written to memory, and read again for its norm and for the step.
Here it is widened in pieces, which the step finds in the processor's caches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from torch.nn import Parameter

    Pieces = list[tuple[Tensor, Tensor, Tensor]]

_PIECE = 2**18  # numbers: a piece with its weights and both moments is some megabytes


def can_be_narrow() -> bool:
    """Return whether this PyTorch has gradients of another number format, and the step that is used here."""
    return hasattr(torch.Tensor, "grad_dtype") and hasattr(torch, "_fused_adamw_")


class NarrowAdamW:
    """The step of a fused AdamW for gradients that it does not take itself; its rates, scale and state are used."""

    def __init__(self, optimizer: torch.optim.AdamW) -> None:
        """Take the optimizer that moves all other parameters."""
        self._optimizer = optimizer
        self._pieces: dict[Parameter, Pieces] = {}
        self._wide = torch.empty(0)

    @torch.no_grad()
    def step(self, gradients: Mapping[Parameter, Tensor]) -> None:
        """Move parameters by their gradients, divided by the optimizer's ``grad_scale``."""
        group = self._optimizer.param_groups[0]
        beta1, beta2 = group["betas"]
        for parameter, gradient in gradients.items():
            pieces = self._pieces.get(parameter) or self._prepare(parameter)
            step = self._optimizer.state[parameter]["step"].add_(1)
            parts = gradient.reshape(-1).tensor_split(len(pieces))
            for (weights, mean, square), part in zip(pieces, parts, strict=True):
                wide = self._wide[: len(part)].copy_(part)
                torch._fused_adamw_(
                    [weights],
                    [wide],
                    [mean],
                    [square],
                    [],
                    [step],
                    lr=group["lr"],
                    beta1=beta1,
                    beta2=beta2,
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    amsgrad=False,
                    maximize=False,
                    grad_scale=self._optimizer.grad_scale,  # type: ignore[attr-defined]
                )

    def _prepare(self, parameter: Parameter) -> Pieces:
        """Return pieces of a parameter and of both moments, which it is given if it has none."""
        state = self._optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        flat = [tensor.detach().view(-1) for tensor in (parameter, state["exp_avg"], state["exp_avg_sq"])]
        num_pieces = -(-parameter.numel() // _PIECE)
        pieces = list(zip(*(one.tensor_split(num_pieces) for one in flat), strict=True))
        if len(self._wide) < len(pieces[0][0]):
            self._wide = flat[0].new_empty(len(pieces[0][0]))
        self._pieces[parameter] = pieces
        return pieces
