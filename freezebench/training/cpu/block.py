"""One transformer layer as one operation: normalisation behind attention and behind the feed-forward network.

That is what BERT, DistilBERT, RoBERTa, ELECTRA and their kin are made of. Run by their own code, such a layer is some
sixty operations forward and backward, each with its own dispatch, intermediate tensor and node of autograd, which on
two cores take as long as half of the matrix products. Here forward and backward are written out: one cast per tensor,
residuals added within the products, in the number format of the products throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu

from freezebench.training.cpu.attention import dropped
from freezebench.training.cpu.block_attention import KINDS, by_turns
from freezebench.training.cpu.linear import linear, linear_gelu, linear_plus, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    Keeps = tuple[Tensor | None, Tensor | None, Tensor | None]

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


@dataclass(kw_only=True)
class Casts:
    """A layer's matrices in the number format of the products, to be filled again after they changed.

    Attributes:
        attention: Query, key and value one under the other, shape (3 x width, width).
        b_attention: Their biases, shape (3 x width,).
        output: Behind attention, shape (width, width).
        b_output: Its bias.
        up: Into the feed-forward network, shape (inner width, width).
        b_up: Its bias.
        down: Out of the feed-forward network, shape (width, inner width).
        b_down: Its bias.
        number: How often they were filled.
    """

    attention: Tensor
    b_attention: Tensor
    output: Tensor
    b_output: Tensor
    up: Tensor
    b_up: Tensor
    down: Tensor
    b_down: Tensor
    number: int = 0
    _packed: Casts | None = None

    @classmethod
    @torch.inference_mode(mode=False)  # an evaluation may come first, and what it makes could not be filled in training
    def of(cls, matrices: Sequence[Tensor], dtype: torch.dtype) -> Casts:
        """Return room for a layer's matrices, given as weight and bias in turn, in a number format."""
        query, b_query = matrices[:2]
        output, b_output, up, b_up, down, b_down = (one.new_empty(one.shape, dtype=dtype) for one in matrices[6:])
        return cls(
            attention=query.new_empty(3 * len(query), query.shape[1], dtype=dtype),
            b_attention=b_query.new_empty(3 * len(b_query), dtype=dtype),
            output=output,
            b_output=b_output,
            up=up,
            b_up=b_up,
            down=down,
            b_down=b_down,
        )

    @torch.no_grad()
    def fill(self, matrices: Sequence[Tensor]) -> None:
        """Cast a layer's matrices, given as weight and bias in turn."""
        asking = by_turns(self.attention.chunk(3), self.b_attention.chunk(3))
        rest = (self.output, self.b_output, self.up, self.b_up, self.down, self.b_down)
        for mine, one in zip((*asking, *rest), matrices, strict=True):
            mine.copy_(one)
        self.number += 1
        self._packed = None

    def packed(self) -> Casts:
        """Return the same, the matrices laid out for many products with them as they are."""
        if self._packed is None:
            attention, output, up, down = map(packed, (self.attention, self.output, self.up, self.down))
            self._packed = replace(self, attention=attention, output=output, up=up, down=down)
        return self._packed


class _Kept(NamedTuple):
    """What forward keeps beside attention; rows are tokens, or sentences where first tokens alone go on."""

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
    keep_output: Tensor | None
    keep_down: Tensor | None
    norm_1: Tensor
    bias_1: Tensor
    norm_2: Tensor
    bias_2: Tensor


def run_block(  # noqa: PLR0917 - as autograd takes them
    hidden: Tensor, bias: Tensor | None, keeps: Keeps, shape: Shape, casts: Casts, parameters: Sequence[Tensor]
) -> Tensor:
    """Return a layer's output, shape (batch, tokens, width), or (batch, 1, width) of first tokens.

    Args:
        hidden: Hidden states, shape (batch, tokens, width).
        bias: What to add to the attention's scores, shape (batch x heads, 1, tokens).
        keeps: Dropout's factors of the attention's weights, its output, and the feed-forward network's.
        shape: What the layer is beside its parameters.
        casts: Its matrices in the number format of the products.
        parameters: All parameters, to which the gradients belong; the last four, of the norms, are used themselves.
    """
    if torch.is_grad_enabled() and (hidden.requires_grad or any(one.requires_grad for one in parameters)):
        output: Tensor = Block.apply(hidden, bias, keeps, shape, casts, *parameters)  # type: ignore[no-untyped-call]
        return output
    return _forward(hidden, bias, keeps, shape, casts, parameters, learns=False)[0]


class Block(torch.autograd.Function):
    """A layer of post-norm transformers that learns, or is behind one that does."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes no names
        ctx: Any,
        hidden: Tensor,
        bias: Tensor | None,
        keeps: Keeps,
        shape: Shape,
        casts: Casts,
        *parameters: Tensor,
    ) -> Tensor:
        """Return the layer's output; arguments as of :func:`run_block`."""
        output, kept = _forward(hidden, bias, keeps, shape, casts, parameters, learns=True)
        ctx.save_for_backward(*kept)
        ctx.shape, ctx.casts, ctx.number, ctx.sizes, ctx.dtype = shape, casts, casts.number, hidden.shape, hidden.dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of hidden states and parameters.

        Raises:
            RuntimeError: If weights were changed since forward.
        """
        shape, casts, width = ctx.shape, ctx.casts, ctx.sizes[-1]
        if casts.number != ctx.number:
            raise RuntimeError("weights of a layer were changed between its forward and its backward pass")
        kind, saved = KINDS[shape.first_only], ctx.saved_tensors
        attention, kept = kind(*saved[: len(kind._fields)]), _Kept(*saved[len(kind._fields) :])
        learns = ctx.needs_input_grad[5:]
        gradient = gradient.reshape(-1, width).to(kept.ending.dtype)
        of_ending, *of_norm_2 = _norm_backward(
            gradient, kept.ending, [width], kept.mean_2, kept.rstd_2, kept.norm_2, kept.bias_2, [True, *learns[-2:]]
        )
        of_down = dropped(of_ending, kept.keep_down)
        of_wide = _gelu_backward(of_down @ casts.down, kept.wide, approximate=shape.gelu)
        of_middle = torch.addmm(of_ending, of_wide, casts.up)
        of_summed, *of_norm_1 = _norm_backward(
            of_middle, kept.summed, [width], kept.mean_1, kept.rstd_1, kept.norm_1, kept.bias_1, [True, *learns[-4:-2]]
        )
        of_output = dropped(of_summed, kept.keep_output)
        of_parameters = (
            *_gradients(of_output, kept.attended, learns[6:8]),
            *_gradients(of_wide, kept.middle, learns[8:10]),
            *_gradients(of_down, kept.bent, learns[10:12]),
        )
        of_hidden, of_attention = attention.gradients(
            of_output @ casts.output, of_summed, shape, casts, (ctx.needs_input_grad[0], *learns[:6])
        )
        if of_hidden is not None:
            of_hidden = of_hidden.view(ctx.sizes).to(ctx.dtype)
        return of_hidden, None, None, None, None, *of_attention, *of_parameters, *of_norm_1, *of_norm_2


def _forward(  # noqa: PLR0917 - as autograd takes them
    hidden: Tensor,
    bias: Tensor | None,
    keeps: Keeps,
    shape: Shape,
    casts: Casts,
    parameters: Sequence[Tensor],
    *,
    learns: bool,
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """Return a layer's output and, if it learns, what backward needs."""
    batch, _, width = hidden.shape
    inputs = hidden.reshape(-1, width).to(casts.b_output.dtype)
    if not learns and not shape.first_only:
        casts = casts.packed()
    keep, keep_output, keep_down = keeps
    norm_1, bias_1, norm_2, bias_2 = parameters[-4:]
    attended, attention = KINDS[shape.first_only].attend(inputs, bias, keep, shape, casts, batch)
    summed = _sum(attended, casts.output, casts.b_output, keep_output, _going(inputs, shape, batch))
    middle, mean_1, rstd_1 = torch.native_layer_norm(summed, [width], norm_1, bias_1, shape.eps[0])
    if learns:  # what GELU was given is needed again
        wide = linear(middle, casts.up, casts.b_up)
        bent = gelu(wide, approximate=shape.gelu)
    else:
        bent = linear_gelu(middle, casts.up, casts.b_up, shape.gelu)
    ending = _sum(bent, casts.down, casts.b_down, keep_down, middle)
    output, mean_2, rstd_2 = torch.native_layer_norm(ending, [width], norm_2, bias_2, shape.eps[1])
    output = output.view(batch, -1, width)
    if not learns:
        return output, ()
    kept = (attended, summed, mean_1, rstd_1, middle, wide, bent, ending, mean_2, rstd_2, keep_output, keep_down)
    return output, (*attention, *_Kept(*kept, norm_1, bias_1, norm_2, bias_2))


def _going(inputs: Tensor, shape: Shape, batch: int) -> Tensor:
    """Return the rows that go on behind attention: all, or every sentence's first."""
    return inputs.view(batch, -1, inputs.shape[-1])[:, 0] if shape.first_only else inputs


def _sum(inputs: Tensor, weight: Tensor, bias: Tensor, keep: Tensor | None, other: Tensor) -> Tensor:
    """Return ``other`` plus a linear layer's output with dropout."""
    if keep is None:
        return linear_plus(inputs, weight, bias, other)
    return torch.addcmul(other, linear(inputs, weight, bias), keep)


def _gradients(outputs: Tensor, inputs: Tensor, learns: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of a linear layer's weight and bias, shapes (outputs, inputs) and (outputs,)."""
    return outputs.t() @ inputs if learns[0] else None, outputs.sum(0) if learns[1] else None
