"""Attention within a transformer layer, from hidden states to the sums in front of its output's linear layer.

Two ways, of the same form: every token asks, or every sentence's first token alone. Each keeps what it needs for
backward in a tuple of tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

from freezebench.training.cpu.attention import attend, attend_backward, dropped, softmax_gradient, weights_of
from freezebench.training.cpu.linear import linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from freezebench.training.cpu.block import Casts, Shape

    Gradients = tuple[Tensor | None, ...]

T = TypeVar("T")


class AllQueries(NamedTuple):
    """What is kept where every token asks; rows are tokens.

    Attributes:
        inputs: Hidden states, shape (rows, width).
        query: Shape (batch x heads, tokens, width of a head).
        key: Like ``query``.
        value: Like ``query``.
        weights: The attention's weights, shape (batch x heads, tokens, tokens); ``None``: they are computed again.
        keep: Dropout's factors of the weights.
        bias: What is added to the scores, shape (batch x heads, 1, tokens).
    """

    inputs: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    weights: Tensor | None
    keep: Tensor | None
    bias: Tensor | None

    @classmethod
    def attend(  # noqa: PLR0917 - as the layer has them
        cls, inputs: Tensor, bias: Tensor | None, keep: Tensor | None, shape: Shape, casts: Casts, batch: int
    ) -> tuple[Tensor, AllQueries]:
        """Return what is attended, shape (rows, width), and what is kept.

        Args:
            inputs: Hidden states, shape (rows, width).
            bias: What to add to the scores, shape (batch x heads, 1, tokens).
            keep: Dropout's factors, shape (batch x heads, tokens, tokens).
            shape: What the layer is beside its parameters.
            casts: Its matrices.
            batch: Number of sentences.
        """
        width, heads = inputs.shape[1], shape.num_heads
        made = linear(inputs, casts.attention, casts.b_attention).view(batch, -1, 3, heads, width // heads)
        query, key, value = made.permute(2, 0, 3, 1, 4).reshape(3, batch * heads, -1, width // heads)
        attended, weights = attend(query, key, value, bias, keep, shape.scale)
        rows = attended.view(batch, heads, -1, width // heads).transpose(1, 2).reshape(-1, width)
        return rows, cls(inputs, query, key, value, weights, keep, bias)

    def gradients(
        self, of_attended: Tensor, of_going: Tensor, shape: Shape, casts: Casts, learns: Sequence[bool]
    ) -> tuple[Tensor | None, Gradients]:
        """Return the gradients of hidden states, shape (rows, width), and of the first six parameters.

        Args:
            of_attended: Gradient of what is attended, shape (rows, width).
            of_going: Gradient of the hidden states that go past attention, shape (rows, width).
            shape: What the layer is beside its parameters.
            casts: Its matrices.
            learns: Whether hidden states and each of the six parameters have a gradient.
        """
        width, heads, (_, length, per_head) = self.inputs.shape[1], shape.num_heads, self.query.shape
        of_heads = of_attended.view(-1, length, heads, per_head).transpose(1, 2).reshape(self.query.shape)
        parts = of_heads.new_empty(3, *self.query.shape)
        attend_backward(of_heads, *self[1:], shape.scale, out=parts.unbind())
        of_made = parts.view(3, -1, heads, length, per_head).permute(1, 3, 0, 2, 4).reshape(-1, 3 * width)
        of_hidden = torch.addmm(of_going, of_made, casts.attention) if learns[0] else None
        of_weight = of_made.t() @ self.inputs if any(learns[1::2]) else None
        of_bias = of_made.sum(0) if any(learns[2::2]) else None
        return of_hidden, by_turns(_thirds(of_weight), _thirds(of_bias))


class FirstQueries(NamedTuple):
    """What is kept where every sentence's first token alone asks; no token's key and value is computed for that.

    One query a sentence makes it cheaper to take it to where the hidden states are, and their weighted sum to where the
    values are, than all hidden states to keys and values: q (W x) = (W^T q) x. What a key's bias adds to all scores of
    a sentence alike, softmax takes away again.

    Attributes:
        hidden: Hidden states, shape (batch, tokens, width).
        query: Shape (heads, batch, width of a head).
        asked: The query in the place of hidden states, shape (batch, heads, width).
        weights: The attention's weights, shape (batch, heads, tokens).
        summed: Hidden states times weights, shape (batch, heads, width).
        total: Sum of a sentence's weights: not 1 where some are dropped, shape (heads, batch, 1).
        keep: Dropout's factors of the weights, in their shape.
    """

    hidden: Tensor
    query: Tensor
    asked: Tensor
    weights: Tensor
    summed: Tensor
    total: Tensor
    keep: Tensor | None

    @classmethod
    def attend(  # noqa: PLR0917 - as the layer has them
        cls, inputs: Tensor, bias: Tensor | None, keep: Tensor | None, shape: Shape, casts: Casts, batch: int
    ) -> tuple[Tensor, FirstQueries]:
        """Return what is attended, shape (batch, width), and what is kept; arguments as of :class:`AllQueries`."""
        width, heads = inputs.shape[1], shape.num_heads
        hidden = inputs.view(batch, -1, width)
        of_query, of_key, of_value = casts.attention.view(3, heads, -1, width)
        b_query, _, b_value = casts.b_attention.view(3, heads, 1, -1)
        first = hidden[:, 0].expand(heads, batch, width)
        query = torch.baddbmm(b_query, first, of_query.mT)
        asked = torch.bmm(query, of_key).transpose(0, 1).contiguous()
        scores = torch.bmm(asked, hidden.mT).mul_(shape.scale)
        if bias is not None:
            scores.add_(bias.view(batch, heads, -1))
        weights = weights_of(scores)
        keep = None if keep is None else keep.view(weights.shape)
        kept = dropped(weights, keep)
        summed = torch.bmm(kept, hidden)
        total = kept.sum(-1).t().unsqueeze(-1)
        attended = torch.baddbmm(total * b_value, summed.transpose(0, 1), of_value.mT)
        return attended.transpose(0, 1).reshape(batch, width), cls(hidden, query, asked, weights, summed, total, keep)

    def gradients(
        self, of_attended: Tensor, of_going: Tensor, shape: Shape, casts: Casts, learns: Sequence[bool]
    ) -> tuple[Tensor | None, Gradients]:
        """Return gradients as :meth:`AllQueries.gradients` does; ``of_going`` is of first tokens, (batch, width)."""
        batch, _, width = self.hidden.shape
        heads = shape.num_heads
        of_query, of_key, of_value = casts.attention.view(3, heads, -1, width)
        b_value = casts.b_attention.view(3, heads, -1, 1)[2]
        back = of_attended.view(batch, heads, -1).transpose(0, 1)
        into_sum = torch.bmm(back, of_value).transpose(0, 1).contiguous()
        into_total = torch.bmm(back, b_value).transpose(0, 1)
        into_weights = torch.baddbmm(into_total, into_sum, self.hidden.mT)
        into_scores = softmax_gradient(into_weights, self.weights, self.keep).mul_(shape.scale)
        into_asked = torch.bmm(into_scores, self.hidden).transpose(0, 1)
        into_query = torch.bmm(into_asked, of_key.mT)
        of_hidden = None
        if learns[0]:
            both = torch.cat([dropped(self.weights, self.keep), into_scores], dim=1)
            of_hidden = torch.bmm(both.mT, torch.cat([into_sum, self.asked], dim=1))
            of_hidden[:, 0] += of_going
            of_hidden[:, 0] += torch.bmm(into_query, of_query).sum(0)
            of_hidden = of_hidden.view(-1, width)
        rows = into_query.transpose(0, 1).reshape(batch, width)
        of_weights = (
            rows.t() @ self.hidden[:, 0] if learns[1] else None,
            torch.bmm(self.query.mT, into_asked).view(width, width) if learns[3] else None,
            torch.bmm(back.mT, self.summed.transpose(0, 1)).view(width, width) if learns[5] else None,
        )
        of_biases = (
            rows.sum(0) if learns[2] else None,
            rows.new_zeros(width) if learns[4] else None,
            (back * self.total).sum(1).flatten() if learns[6] else None,
        )
        return of_hidden, by_turns(of_weights, of_biases)


def _thirds(tensor: Tensor | None) -> Gradients:
    """Return the parts of what belongs to query, key and value, one under the other."""
    return (None,) * 3 if tensor is None else tensor.chunk(3)


def by_turns(weights: Sequence[T], biases: Sequence[T]) -> tuple[T, ...]:
    """Return weights and biases layer by layer."""
    return tuple(one for pair in zip(weights, biases, strict=True) for one in pair)


KINDS: dict[bool, Any] = {False: AllQueries, True: FirstQueries}
