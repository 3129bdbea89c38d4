"""One transformer layer as one operation: normalisation behind attention and behind the feed-forward network.

That is what BERT, DistilBERT, RoBERTa, ELECTRA and their kin are made of. Run by their own code, such a layer is some
sixty operations forward and backward, each with its own dispatch, intermediate tensor and node of autograd, which on
two cores take as long as half of the matrix products. Here forward and backward are written out: one cast per tensor,
residuals added within the products, in the number format of the products throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

from freezebench.training.attention import attend, attend_backward

if TYPE_CHECKING:
    from torch import Tensor

_gelu_backward = torch.ops.aten.gelu_backward
_norm_backward = torch.ops.aten.native_layer_norm_backward


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a layer is beside its parameters.

    Attributes:
        num_heads: Heads of its attention.
        scale: Factor of the attention's scores.
        attention_dropout: Rate of dropout on the attention's weights.
        output_dropout: Rate behind the attention's output.
        down_dropout: Rate behind the feed-forward network.
        gelu: How GELU is computed: ``none`` or ``tanh``.
        eps: What each normalisation adds to the variance.
        first_only: Whether only the first token of every sentence goes on behind attention.
    """

    num_heads: int
    scale: float
    attention_dropout: float
    output_dropout: float
    down_dropout: float
    gelu: str
    eps: tuple[float, float]
    first_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Casts:
    """A layer's matrices in the number format of the products: query, key and value one under the other."""

    query: Tensor
    key_value: Tensor
    output: Tensor
    up: Tensor
    down: Tensor
    biases: tuple[Tensor, ...]


class Block(torch.autograd.Function):
    """A layer of post-norm transformers."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, bias: Tensor | None, keeps: tuple[Tensor | None, ...], shape: Shape, casts: Casts, *parameters: Tensor
    ) -> Tensor:
        batch, length, width = hidden.shape
        heads, per_head = shape.num_heads, width // shape.num_heads
        inputs = hidden.reshape(-1, width).to(casts.query.dtype)
        going = inputs.view(batch, length, width)[:, 0] if shape.first_only else inputs
        b_query, b_key_value, b_output, b_up, b_down = casts.biases
        query = _by_head(torch.addmm(b_query, going, casts.query.t()), batch, heads)
        both = torch.addmm(b_key_value, inputs, casts.key_value.t())
        key, value = both.view(batch, length, 2, heads, per_head).permute(2, 0, 3, 1, 4).reshape(2, -1, length, per_head)
        keep, keep_output, keep_down = keeps
        attended, weights = attend(query, key, value, bias, keep, shape.scale)
        attended = _by_token(attended, batch, heads)
        norm_1, bias_1, norm_2, bias_2 = parameters[-4:]

        summed = torch.addmm(b_output, attended, casts.output.t())
        if keep_output is not None:
            summed *= keep_output
        summed += going
        middle, mean_1, rstd_1 = torch.native_layer_norm(summed, [width], norm_1, bias_1, shape.eps[0])
        wide = torch.addmm(b_up, middle, casts.up.t())
        bent = torch.nn.functional.gelu(wide, approximate=shape.gelu)
        ending = torch.addmm(b_down, bent, casts.down.t())
        if keep_down is not None:
            ending *= keep_down
        ending += middle
        output, mean_2, rstd_2 = torch.native_layer_norm(ending, [width], norm_2, bias_2, shape.eps[1])
        ctx.save_for_backward(
            inputs, query, key, value, weights, keep, attended, summed, mean_1, rstd_1, middle, wide, bent, ending, mean_2, rstd_2,
            keep_output, keep_down, norm_1, bias_1, norm_2, bias_2,
        )  # fmt: skip
        ctx.shape, ctx.casts, ctx.sizes, ctx.dtype = shape, casts, (batch, length, width), hidden.dtype
        return output.view(batch, -1, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (
            inputs, query, key, value, weights, keep, attended, summed, mean_1, rstd_1, middle, wide, bent, ending, mean_2, rstd_2,
            keep_output, keep_down, norm_1, bias_1, norm_2, bias_2,
        ) = ctx.saved_tensors  # fmt: skip
        shape, casts, (batch, length, width) = ctx.shape, ctx.casts, ctx.sizes
        heads = shape.num_heads
        learns = ctx.needs_input_grad[5:]
        gradient = gradient.reshape(-1, width).to(inputs.dtype)
        of_ending, of_norm_2, of_bias_2 = _norm_backward(
            gradient, ending, [width], mean_2, rstd_2, norm_2, bias_2, [True, learns[-2], learns[-1]]
        )
        of_down = of_ending if keep_down is None else of_ending * keep_down
        of_wide = _gelu_backward(of_down @ casts.down, wide, approximate=shape.gelu)
        of_middle = torch.addmm(of_ending, of_wide, casts.up)
        of_summed, of_norm_1, of_bias_1 = _norm_backward(
            of_middle, summed, [width], mean_1, rstd_1, norm_1, bias_1, [True, learns[-4], learns[-3]]
        )
        of_output = of_summed if keep_output is None else of_summed * keep_output
        of_attended = _by_head(of_output @ casts.output, batch, heads)
        parts = attend_backward(of_attended, query, key, value, weights, keep, shape.scale)
        of_query, of_key, of_value = (_by_token(part, batch, heads) for part in parts)
        of_key_value = torch.cat([of_key, of_value], dim=1)
        going = inputs.view(batch, length, width)[:, 0] if shape.first_only else inputs
        of_hidden = None
        if ctx.needs_input_grad[0]:
            of_going = torch.addmm(of_summed, of_query, casts.query)
            if shape.first_only:
                of_hidden = (of_key_value @ casts.key_value).view(batch, length, width)
                of_hidden[:, 0] += of_going
            else:
                of_hidden = torch.addmm(of_going, of_key_value, casts.key_value).view(batch, length, width)
            of_hidden = of_hidden.to(ctx.dtype)
        of_weights = (
            *_parameters(of_query, going, learns[0:2]),
            *_halves(_parameters(of_key_value, inputs, learns[2:4])),
            *_parameters(of_output, attended, learns[6:8]),
            *_parameters(of_wide, middle, learns[8:10]),
            *_parameters(of_down, bent, learns[10:12]),
        )
        return of_hidden, None, None, None, None, *of_weights, of_norm_1, of_bias_1, of_norm_2, of_bias_2


def _parameters(outputs: Tensor, inputs: Tensor, learns: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of a linear layer's weight and bias, shapes (outputs, inputs) and (outputs,)."""
    return outputs.t() @ inputs if learns[0] else None, outputs.sum(0) if learns[1] else None


def _halves(both: tuple[Tensor | None, Tensor | None]) -> tuple[Tensor | None, ...]:
    """Return weight and bias of the first layer of two that stand one under the other, then those of the second."""
    weight, bias = ((None, None) if one is None else one.chunk(2) for one in both)
    return weight[0], bias[0], weight[1], bias[1]


def _by_head(tensor: Tensor, batch: int, heads: int) -> Tensor:
    """Return (batch x tokens, width) as (batch x heads, tokens, width of a head)."""
    split = tensor.view(batch, -1, heads, tensor.shape[-1] // heads).transpose(1, 2)
    return split.reshape(batch * heads, -1, split.shape[-1])


def _by_token(tensor: Tensor, batch: int, heads: int) -> Tensor:
    """Return (batch x heads, tokens, width of a head) as (batch x tokens, width)."""
    split = tensor.view(batch, heads, -1, tensor.shape[-1]).transpose(1, 2)
    return split.reshape(-1, heads * split.shape[-1])
