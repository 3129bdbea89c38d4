"""Running post-norm transformer layers as one operation each, while a model's own code does the rest."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import torch

from freezebench.training.cpu.attention import PaddingBias
from freezebench.training.cpu.block import Casts, run_block
from freezebench.training.cpu.block_form import mask_input
from freezebench.training.cpu.narrow import can_be_narrow
from freezebench.training.patch import standing_in
from freezebench.training.prefix.splice import hidden_input

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from freezebench.training.cpu.block import Keeps, Shape
    from freezebench.training.cpu.block_form import BlockForm
    from freezebench.training.cpu.operations import MaskPool

_NUM_MATRICES = 12  # weights and biases, normalisations left out


class Blocks:
    """While open, layers of known form run as one operation each."""

    def __init__(self, forms: Mapping[int, BlockForm], pool: MaskPool) -> None:
        """Take layers by their number, and where dropout masks come from."""
        self.forms, self._pool = dict(forms), pool
        self._padding = PaddingBias()
        self._casts: dict[tuple[BlockForm, torch.dtype], tuple[Any, Casts]] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for form in self.forms.values():
            self._open.enter_context(standing_in(form.layer, self._forward(form, form.layer.forward)))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._casts.clear()

    def behind(self, depth: int) -> Blocks:
        """Return those of the layers behind the first ``depth``."""
        return Blocks({number: form for number, form in self.forms.items() if number >= depth}, self._pool)

    def with_first_only(self, number: int) -> Blocks:
        """Return the same layers, but that one goes on with the first token of every sentence."""
        form = self.forms[number]
        first = replace(form, shape=replace(form.shape, first_only=True))
        return Blocks({**self.forms, number: first}, self._pool)

    def _forward(self, form: BlockForm, own: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands in for a layer's forward pass."""

        def forward(*args: Any, **kwargs: Any) -> Any:
            # A mode of torch functions would look at every property of every tensor in here.
            with torch._C.DisableTorchFunction():  # noqa: SLF001 - as PyTorch's own documentation has it
                output = self._run(form, args, kwargs)
            if output is None:
                return own(*args, **kwargs)
            return output if form.beside is None else (output, *form.beside)

        return forward

    def _run(self, form: BlockForm, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
        """Return a layer's output; ``None`` where its mask hides other keys from every query: its own code can do that.

        Args:
            form: The layer.
            args: What it was called with.
            kwargs: The same, by name.
        """
        shape = form.shape
        hidden, _ = hidden_input(args, kwargs)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else hidden.dtype
        batch, length, _ = hidden.shape
        mask, bias = mask_input(args, kwargs), None
        if mask is not None:
            scores = torch.Size((batch, shape.num_heads, length, length))
            bias = self._padding.rows(mask, scores, dtype) if mask.dtype is torch.bool else None
            if bias is None:
                return None
        keeps = self._keeps(shape, hidden.shape, dtype) if form.layer.training else (None, None, None)
        return run_block(hidden, bias, keeps, shape, self._cast(form, dtype), form.parameters)

    def _keeps(self, shape: Shape, sizes: torch.Size, dtype: torch.dtype) -> Keeps:
        """Return dropout's factors for the attention's weights, its output, and the feed-forward network's."""
        batch, length, width = sizes
        queries = 1 if shape.first_only else length
        masks = (
            ((batch * shape.num_heads, queries, length), shape.attention_dropout),
            ((batch * queries, width), shape.output_dropout),
            ((batch * queries, width), shape.down_dropout),
        )
        keep, keep_output, keep_down = (self._pool.mask(of, rate, dtype) if rate else None for of, rate in masks)
        return keep, keep_output, keep_down

    def _cast(self, form: BlockForm, dtype: torch.dtype) -> Casts:
        """Return a layer's matrices in a number format, cast again after they were changed."""
        matrices = form.parameters[:_NUM_MATRICES]
        state = [(one._version, one.data_ptr()) for one in matrices]  # noqa: SLF001 - has no public name
        seen, casts = self._casts.get((form, dtype)) or (None, Casts.of(matrices, dtype))
        if seen != state:
            casts.fill(matrices)
            if torch.is_grad_enabled():
                self._narrow(matrices[::2], dtype)
            self._casts[form, dtype] = (state, casts)
        return casts

    def _narrow(self, weights: Sequence[torch.nn.Parameter], dtype: torch.dtype) -> None:
        """Have the gradients of weights stay in the number format of the products while the layers are open.

        Nothing is added to them: layers that freezebench knows run once each, on weights of their own.
        """
        if not can_be_narrow():
            return
        for weight in weights:
            is_free = weight.requires_grad and weight.grad is None and weight.is_contiguous()  # to be cut into pieces
            if is_free and weight.grad_dtype is not dtype:
                weight.grad_dtype = dtype
                self._open.callback(_widen, weight)


def _widen(weight: torch.nn.Parameter) -> None:
    gradient, weight.grad = weight.grad, None  # the format cannot be changed while there is one
    weight.grad_dtype = weight.dtype
    weight.grad = None if gradient is None else gradient.to(weight.dtype)
