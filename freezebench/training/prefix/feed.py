"""The cached engine's feed: batches without waste, and a frozen prefix that was computed once and is spliced in."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Self

import torch

from freezebench.tasks.classification import logits_of
from freezebench.training.batches.batching import batches_by_tokens
from freezebench.training.batches.loader import FeedLoader
from freezebench.training.batches.packed import BucketedBatches
from freezebench.training.device import lengths_in, rows_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from freezebench.training.batches.batching import Batch
    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.cpu.embedding_rows import UsedRows
    from freezebench.training.cpu.operations import QuickOps
    from freezebench.training.prefix.cache import Prefix
    from freezebench.training.prefix.cls_only import FirstTokens
    from freezebench.training.prefix.splice import Splice

_HIDDEN = "hidden"


class Feed:
    """Hands a model its batches; where a prefix is cached, its outputs instead of the frozen layers' work.

    Attributes:
        prefix: The cached outputs; ``None`` where the whole model runs.
        warnings: What the person should know: why nothing is cached although something is frozen.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        splits: Mapping[str, FlatSplit],
        *,
        prefix: Prefix | None = None,
        splice: Splice | None = None,
        ops: QuickOps | None = None,
        rows: UsedRows | None = None,
        first: FirstTokens | None = None,
        asks_gradient: bool = False,
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Take what was made ready.

        Args:
            model: The model on its device.
            splits: The data.
            prefix: Cached outputs of what is frozen; needs ``splice``.
            splice: Leaves the frozen layers out.
            ops: Quick operations; ``None``: PyTorch's own.
            rows: Rows of the word embedding that are in use; ``None``: the whole table is.
            first: The last layer goes on with first tokens only; ``None``: with all.
            asks_gradient: Whether a gradient of the cached outputs is asked for, which nobody reads: without it, layers
                under gradient checkpointing of the reentrant kind would learn nothing.
            warnings: What the person should know.
        """
        self.model, self.splits = model, splits
        self.prefix, self._splice = prefix, splice
        self._ops, self._rows, self._first = ops, rows, first
        self._asks_gradient, self.warnings = asks_gradient, warnings
        device = next(model.parameters()).device
        self._multiple, self._rows_at_once = lengths_in(device), rows_at_once(device)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for context in (self._splice, self._rows, self._first):
            if context is not None:
                self._open.enter_context(context)
        if self._ops is not None:
            self._ops.rows = self._rows
        return self

    def __exit__(self, *_: object) -> None:
        if self._ops is not None:
            self._ops.rows = None
        if self.prefix is not None:
            self.prefix.release()
        self._open.close()

    def warned(self, *warnings: str) -> Self:
        """Return this feed with more warnings."""
        self.warnings += warnings
        return self

    def with_prefix(self, prefix: Prefix, splice: Splice) -> Feed:
        """Return a feed that leaves a prefix out; its word embedding is frozen, so that all rows stay."""
        return self._with(prefix=prefix, splice=splice, rows=None)

    def with_rows(self, rows: UsedRows | None) -> Feed:
        """Return a feed of the whole model that keeps some rows of the word embedding only."""
        return self._with(rows=rows)

    def with_first(self, first: FirstTokens | None) -> Feed:
        """Return a feed of the whole model whose last layer goes on with first tokens only."""
        return self._with(first=first)

    def by_own_code(self) -> Feed:
        """Return a feed of the same batches whose model runs by its own code, whatever is left of it."""
        return Feed(
            self.model,
            self.splits,
            prefix=self.prefix,
            splice=self._splice,
            asks_gradient=True,
            warnings=self.warnings,
        )

    def _with(self, **changes: Any) -> Feed:
        """Return a feed of the same model, some of its parts replaced, without warnings."""
        parts = {"ops": self._ops, "rows": self._rows, "first": self._first}
        return Feed(self.model, self.splits, **{**parts, **changes})

    def batch(self, split: str, indices: torch.Tensor) -> Batch:
        """Return one padded batch of a split, with the prefix's outputs where they are cached."""
        places, real = self.places(split, indices, first_only=self.first_only)
        batch = self.splits[split].batch(indices, places, real)
        if self.prefix is not None:
            batch[_HIDDEN] = self.prefix.rows(split, indices, places)
        return batch

    def places(
        self, split: str, indices: torch.Tensor, *, first_only: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what :meth:`FlatSplit.places` does, as wide as the device likes its batches."""
        return self.splits[split].places(indices, first_only=first_only, multiple=self._multiple)

    def width(self, split: str, indices: torch.Tensor) -> int:
        """Return how many positions a batch of a split has."""
        return 1 if self.first_only else self.splits[split].width(indices, self._multiple)

    @property
    def first_only(self) -> bool:
        """Whether first tokens are all that is left to work on."""
        return self.prefix is not None and self.prefix.first_only

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the class scores of a batch on the model's device, labels left out, shape (batch, classes)."""
        with self._ops or nullcontext():
            if self._splice is None:
                return logits_of(self.model(**batch))
            hidden = batch.pop(_HIDDEN).float()
            if self._asks_gradient:
                hidden = hidden.detach().requires_grad_()
            return logits_of(self._splice(hidden, **batch))

    def clear_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Forget the gradients of a step."""
        kept = None if self._rows is None else self._rows.weight
        for parameter in parameters:
            if parameter is not kept:
                parameter.grad = None
        if self._rows is not None:
            self._rows.clear()

    def epochs(self, batch_size: int, seed: int) -> FeedLoader:
        """Return the training batches of every epoch."""
        return FeedLoader(self, BucketedBatches(self._lengths("train"), batch_size, seed))

    def evaluation(self, split: str) -> Iterator[tuple[list[int], Batch]]:
        """Yield sentence numbers and batch, sentences of like length together."""
        for indices in batches_by_tokens(self._lengths(split), self._rows_at_once):
            yield indices.tolist(), self.batch(split, indices)

    def _lengths(self, split: str) -> torch.Tensor:
        """Return how many positions of each sentence of a split are worked on, shape (sentences,)."""
        lengths = self.splits[split].lengths
        return torch.ones_like(lengths) if self.first_only else lengths
