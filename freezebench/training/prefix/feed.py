"""The cached engine's feed: batches with little padding, and the forward pass that they go through."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Self

import torch

from freezebench.tasks.scores import logits_of
from freezebench.training.batches.order import batches_by_tokens
from freezebench.training.device import inference_batch_tokens, length_multiple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from freezebench.tasks.base import Task
    from freezebench.training.batches.encoding import Batch
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.cpu.embedding_rows import UsedEmbeddingRows
    from freezebench.training.cpu.operations import CpuOperations
    from freezebench.training.prefix.cached_prefix import CachedPrefix
    from freezebench.training.prefix.cls_only import ClsOnlyLayer
    from freezebench.training.prefix.splice import Splice

_HIDDEN = "hidden"


class Feed:
    """Makes batches and computes their scores, with cached hidden states in place of a frozen prefix if there are any.

    While a feed is open, its parts replace code of the model: see the classes of the arguments.

    Attributes:
        model: The model on its device.
        splits: The data.
        prefix: The cached hidden states; ``None`` if the whole model runs.
        warnings: Warnings for the user, such as why nothing is cached although something is frozen.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        splits: Mapping[str, PackedSplit],
        *,
        prefix: CachedPrefix | None = None,
        splice: Splice | None = None,
        cpu_operations: CpuOperations | None = None,
        embedding_rows: UsedEmbeddingRows | None = None,
        cls_only_layer: ClsOnlyLayer | None = None,
        hidden_requires_grad: bool = False,
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Combine the parts of a feed.

        Args:
            model: The model on its device.
            splits: The data.
            prefix: Cached hidden states behind a frozen prefix; needs ``splice``.
            splice: Leaves the frozen prefix out.
            cpu_operations: Faster operations on a CPU; ``None``: PyTorch's own.
            embedding_rows: The used rows of the word embedding; ``None``: the whole table.
            cls_only_layer: The last layer, which continues with first tokens only; ``None``: with all tokens.
            hidden_requires_grad: Whether gradients of the cached hidden states are computed, although nothing uses
                them. Layers under reentrant gradient checkpointing learn only if one of their inputs requires one.
            warnings: Warnings for the user.
        """
        self.model, self.splits = model, splits
        self.prefix, self._splice = prefix, splice
        self._cpu_operations, self._embedding_rows = cpu_operations, embedding_rows
        self._cls_only_layer = cls_only_layer
        self._hidden_requires_grad, self.warnings = hidden_requires_grad, warnings
        device = next(model.parameters()).device
        self._multiple, self._inference_tokens = length_multiple(device), inference_batch_tokens(device)
        self._contexts = ExitStack()

    def __enter__(self) -> Self:
        # The parts are independent of each other: each replaces other code of the model.
        for context in (self._splice, self._embedding_rows, self._cls_only_layer):
            if context is not None:
                self._contexts.enter_context(context)
        if self._cpu_operations is not None:
            self._cpu_operations.embedding_rows = self._embedding_rows
        return self

    def __exit__(self, *_: object) -> None:
        if self._cpu_operations is not None:
            self._cpu_operations.embedding_rows = None
        if self.prefix is not None:
            self.prefix.release_pages()
        self._contexts.close()

    def with_warnings(self, *warnings: str) -> Self:
        """Add warnings and return this feed."""
        self.warnings += warnings
        return self

    def with_prefix(self, prefix: CachedPrefix, splice: Splice) -> Feed:
        """Return a feed that leaves a prefix out; its word embedding is frozen, so that the table stays whole."""
        return Feed(
            self.model,
            self.splits,
            prefix=prefix,
            splice=splice,
            cpu_operations=self._cpu_operations,
            cls_only_layer=self._cls_only_layer,
        )

    def with_embedding_rows(self, rows: UsedEmbeddingRows) -> Feed:
        """Return a feed of the whole model whose word embedding holds the used rows only."""
        return Feed(
            self.model,
            self.splits,
            cpu_operations=self._cpu_operations,
            embedding_rows=rows,
            cls_only_layer=self._cls_only_layer,
        )

    def with_cls_only(self, layer: ClsOnlyLayer) -> Feed:
        """Return a feed of the whole model whose last layer continues with first tokens only."""
        return Feed(
            self.model,
            self.splits,
            cpu_operations=self._cpu_operations,
            embedding_rows=self._embedding_rows,
            cls_only_layer=layer,
        )

    def by_own_code(self) -> Feed:
        """Return a feed of the same batches and prefix whose other layers run by the model's own code."""
        return Feed(
            self.model,
            self.splits,
            prefix=self.prefix,
            splice=self._splice,
            hidden_requires_grad=True,
            warnings=self.warnings,
        )

    def batch(self, split: str, sentences: torch.Tensor, *, multiple: int | None = None) -> Batch:
        """Return one padded batch of a split, with the cached hidden states if there are any.

        Args:
            split: Name of the split.
            sentences: Numbers of the batch's sentences, shape (batch,).
            multiple: What its length is rounded up to a multiple of; ``None``: what suits training on the device.
        """
        indices, is_token = self.splits[split].token_indices(
            sentences, cls_only=self.cls_only, multiple=multiple or self._multiple
        )
        batch = self.splits[split].batch(sentences, indices, is_token)
        if self.prefix is not None:
            batch[_HIDDEN] = self.prefix.batch(split, sentences, indices)
        return batch

    def token_indices(
        self, split: str, sentences: torch.Tensor, *, cls_only: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what :meth:`PackedSplit.token_indices` does, for the length of batches that suits the device."""
        return self.splits[split].token_indices(sentences, cls_only=cls_only, multiple=self._multiple)

    def width(self, split: str, sentences: torch.Tensor) -> int:
        """Return the number of positions per sentence of a batch."""
        return 1 if self.cls_only else self.splits[split].width(sentences, self._multiple)

    @property
    def task(self) -> Task:
        """What is learned."""
        return next(iter(self.splits.values())).task

    @property
    def cls_only(self) -> bool:
        """Whether batches consist of first tokens only, behind a prefix of all layers."""
        return self.prefix is not None and self.prefix.cls_only

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the scores of a batch on the model's device, without its labels, as the model returns them."""
        with self._cpu_operations or nullcontext():
            if self._splice is None:
                return logits_of(self.model(**batch))
            # With bf16 they are cached in bf16; layers get the float32 that the frozen layers would have returned.
            hidden = batch.pop(_HIDDEN).float()
            if self._hidden_requires_grad:
                hidden = hidden.detach().requires_grad_()
            return logits_of(self._splice(hidden, **batch))

    def clear_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Clear the gradients of a step."""
        rows = self._embedding_rows
        for parameter in parameters:
            # The gradient of the used rows is kept and reset in place, which is faster than a new one.
            if rows is None or parameter is not rows.weight:
                parameter.grad = None
        if rows is not None:
            rows.clear_gradient()

    def evaluation(self, split: str) -> Iterator[tuple[list[int], Batch]]:
        """Yield sentence numbers and batch, sentences of similar length together, padded to the longest of them."""
        for sentences in batches_by_tokens(self._lengths(split), self._inference_tokens):
            yield sentences.tolist(), self.batch(split, sentences, multiple=1)

    def _lengths(self, split: str) -> torch.Tensor:
        """Return the number of positions that each sentence of a split takes, shape (sentences,)."""
        # Behind all layers a sentence is one vector, so that batches need not be sorted by length.
        lengths = self.splits[split].lengths
        return torch.ones_like(lengths) if self.cls_only else lengths
