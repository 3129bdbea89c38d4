"""One transformer layer as one operation: normalisation behind attention and behind the feed-forward network.

That is what BERT, DistilBERT, RoBERTa, ELECTRA and their kin are made of. Run by their own code, such a layer is some
sixty operations forward and backward, each with its own dispatch, intermediate tensor and node of autograd, which on
two cores take as long as half of the matrix products. Here forward and backward are written out: one cast per tensor,
residuals added within the products, in the number format of the products throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu

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


class _Kept(NamedTuple):
    """What forward keeps for backward; rows are tokens, or sentences where first tokens alone go on."""

    inputs: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor
    attended: Tensor
    summed: Tensor
    mean_1: Tensor
    rstd_1: Tensor
    middle: Tensor
    wide: Tensor
    bent: Tensor
    ending: Tensor
    mean_2: Tensor
    rstd_2: Tensor
    keep: Tensor | None
    keep_output: Tensor | None
    keep_down: Tensor | None
    norm_1: Tensor
    bias_1: Tensor
    norm_2: Tensor
    bias_2: Tensor


class Block(torch.autograd.Function):
    """A layer of post-norm transformers."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes no names
        ctx: Any,
        hidden: Tensor,
        bias: Tensor | None,
        keeps: tuple[Tensor | None, Tensor | None, Tensor | None],
        shape: Shape,
        casts: Casts,
        *parameters: Tensor,
    ) -> Tensor:
        """Return the layer's output, shape (batch, tokens, width), or (batch, 1, width) of first tokens.

        Args:
            ctx: Autograd's.
            hidden: Hidden states, shape (batch, tokens, width).
            bias: What to add to the attention's scores, shape (batch x heads, 1, tokens).
            keeps: Dropout's factors of the attention's weights, its output, and the feed-forward network's.
            shape: What the layer is beside its parameters.
            casts: Its matrices in the number format of the products.
            parameters: All parameters, to which the gradients belong; the last four, of the norms, are used themselves.
        """
        batch, length, width = hidden.shape
        inputs = hidden.reshape(-1, width).to(casts.query.dtype)
        going = _going(inputs, shape, batch)
        b_query, b_key_value, b_output, b_up, b_down = casts.biases
        keep, keep_output, keep_down = keeps
        norm_1, bias_1, norm_2, bias_2 = parameters[-4:]

        query = _by_head(torch.addmm(b_query, going, casts.query.t()), batch, shape.num_heads)
        both = torch.addmm(b_key_value, inputs, casts.key_value.t()).view(batch, length, 2, shape.num_heads, -1)
        key, value = both.permute(2, 0, 3, 1, 4).reshape(2, *query.shape[:1], length, query.shape[-1])
        attended, weights = attend(query, key, value, bias, keep, shape.scale)
        attended = _by_token(attended, batch, shape.num_heads)
        summed = _dropped(torch.addmm(b_output, attended, casts.output.t()), keep_output).add_(going)
        middle, mean_1, rstd_1 = torch.native_layer_norm(summed, [width], norm_1, bias_1, shape.eps[0])

        wide = torch.addmm(b_up, middle, casts.up.t())
        bent = gelu(wide, approximate=shape.gelu)
        ending = _dropped(torch.addmm(b_down, bent, casts.down.t()), keep_down).add_(middle)
        output, mean_2, rstd_2 = torch.native_layer_norm(ending, [width], norm_2, bias_2, shape.eps[1])
        kept = (inputs, query, key, value, weights, attended, summed, mean_1, rstd_1, middle, wide, bent, ending)
        ctx.save_for_backward(*_Kept(*kept, mean_2, rstd_2, *keeps, norm_1, bias_1, norm_2, bias_2))
        ctx.shape, ctx.casts, ctx.sizes, ctx.dtype = shape, casts, hidden.shape, hidden.dtype
        return output.view(batch, -1, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden states and parameters."""
        kept, shape, casts, (batch, _, width) = _Kept(*ctx.saved_tensors), ctx.shape, ctx.casts, ctx.sizes
        learns = ctx.needs_input_grad[5:]
        gradient = gradient.reshape(-1, width).to(kept.inputs.dtype)
        of_ending, *of_norm_2 = _norm_backward(
            gradient, kept.ending, [width], kept.mean_2, kept.rstd_2, kept.norm_2, kept.bias_2, [True, *learns[-2:]]
        )
        of_down = _kept_of(of_ending, kept.keep_down)
        of_wide = _gelu_backward(of_down @ casts.down, kept.wide, approximate=shape.gelu)
        of_middle = torch.addmm(of_ending, of_wide, casts.up)
        of_summed, *of_norm_1 = _norm_backward(
            of_middle, kept.summed, [width], kept.mean_1, kept.rstd_1, kept.norm_1, kept.bias_1, [True, *learns[-4:-2]]
        )
        of_output = _kept_of(of_summed, kept.keep_output)
        of_attended = _by_head(of_output @ casts.output, batch, shape.num_heads)
        parts = attend_backward(of_attended, kept.query, kept.key, kept.value, kept.weights, kept.keep, shape.scale)
        of_query, of_key, of_value = (_by_token(part, batch, shape.num_heads) for part in parts)
        of_key_value = torch.cat([of_key, of_value], dim=1)
        of_hidden = None
        if ctx.needs_input_grad[0]:
            of_going = torch.addmm(of_summed, of_query, casts.query)
            if shape.first_only:
                of_hidden = (of_key_value @ casts.key_value).view(ctx.sizes)
                of_hidden[:, 0] += of_going
            else:
                of_hidden = torch.addmm(of_going, of_key_value, casts.key_value).view(ctx.sizes)
            of_hidden = of_hidden.to(ctx.dtype)
        of_parameters = (
            *_gradients(of_query, _going(kept.inputs, shape, batch), learns[0:2]),
            *_halves(_gradients(of_key_value, kept.inputs, (learns[2] or learns[4], learns[3] or learns[5]))),
            *_gradients(of_output, kept.attended, learns[6:8]),
            *_gradients(of_wide, kept.middle, learns[8:10]),
            *_gradients(of_down, kept.bent, learns[10:12]),
        )
        return of_hidden, None, None, None, None, *of_parameters, *of_norm_1, *of_norm_2


def _going(inputs: Tensor, shape: Shape, batch: int) -> Tensor:
    """Return the rows that go on behind attention: all, or every sentence's first."""
    return inputs.view(batch, -1, inputs.shape[-1])[:, 0] if shape.first_only else inputs


def _dropped(tensor: Tensor, keep: Tensor | None) -> Tensor:
    """Return a tensor of this operation's own, changed in place, times dropout's factors."""
    return tensor if keep is None else tensor.mul_(keep)


def _kept_of(gradient: Tensor, keep: Tensor | None) -> Tensor:
    """Return the gradient in front of dropout; the one behind it is still needed."""
    return gradient if keep is None else gradient * keep


def _gradients(outputs: Tensor, inputs: Tensor, learns: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
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
