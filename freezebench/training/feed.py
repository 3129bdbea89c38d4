"""The cached engine's feed: batches without waste, and a frozen prefix that was computed once and is spliced in."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Self

import torch

from freezebench.errors import ModelError
from freezebench.tasks.layers import find_layers
from freezebench.training.batching import batches_by_tokens, logits_of
from freezebench.training.blocks import Blocks
from freezebench.training.first import FirstTokens
from freezebench.training.inputs import BucketedBatches
from freezebench.training.loader import FeedLoader
from freezebench.training.precision import lengths_in, rows_at_once
from freezebench.training.prefix import FrozenPart
from freezebench.training.quick import QuickOps
from freezebench.training.room import NoRoomError
from freezebench.training.rows import used_rows
from freezebench.training.splice import SpliceError
from freezebench.training.verify import blocks_agree, first_agrees, forms_of, rows_agree, verified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.run import Precision, PrefixMode
    from freezebench.tasks.layers import LayerMap
    from freezebench.training.batching import Batch
    from freezebench.training.inputs import FlatSplit
    from freezebench.training.prefix import Prefix, PrefixCache
    from freezebench.training.rows import UsedRows
    from freezebench.training.splice import Splice

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
        blocks: Blocks | None = None,
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
            first: The last layer goes on with first tokens only; ``None``: with all, or ``blocks`` sees to it.
            blocks: Layers that run as one operation each; ``None``: by their own code.
            warnings: What the person should know.
        """
        self.model, self.splits = model, splits
        self.prefix, self._splice = prefix, splice
        self._ops, self._rows, self._first, self._blocks = ops, rows, first, blocks
        self.warnings = warnings
        device = next(model.parameters()).device
        self._multiple, self._rows_at_once = lengths_in(device), rows_at_once(device)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for context in (self._splice, self._rows, self._first, self._blocks):
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
        blocks = None if self._blocks is None else self._blocks.behind(splice.depth)
        return self._with(prefix=prefix, splice=splice, rows=None, blocks=blocks)

    def with_rows(self, rows: UsedRows | None) -> Feed:
        """Return a feed of the whole model that keeps some rows of the word embedding only."""
        return self._with(rows=rows)

    def with_first(self, first: FirstTokens | None) -> Feed:
        """Return a feed of the whole model whose last layer goes on with first tokens only."""
        return self._with(first=first)

    def with_blocks(self, blocks: Blocks | None) -> Feed:
        """Return a feed of the whole model some of whose layers run as one operation each."""
        return self._with(blocks=blocks)

    def _with(self, **changes: Any) -> Feed:
        """Return a feed of the same model, some of its parts replaced, without warnings."""
        parts = {"ops": self._ops, "rows": self._rows, "first": self._first, "blocks": self._blocks}
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
            hidden = batch.pop(_HIDDEN)
            takes_any = self._blocks is not None and self._splice.depth in self._blocks.forms
            return logits_of(self._splice(hidden if takes_any else hidden.float(), **batch))

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


def make_feed(
    model: torch.nn.Module,
    freeze: FreezeSpec,
    splits: Mapping[str, FlatSplit],
    cache: PrefixCache,
    *,
    precision: Precision,
    prefix_mode: PrefixMode = "eval",
    weight_decay: float = 0.0,
    seed: int = 0,
    layers: LayerMap | None = None,
) -> Feed:
    """Return the feed of one run: with a cached prefix where one is frozen and leaving it out changes nothing.

    Args:
        model: The frozen model on its device.
        freeze: What is frozen.
        splits: The data.
        cache: Where prefixes are kept.
        precision: Number format of the forward passes.
        prefix_mode: ``eval`` turns dropout off in what is frozen; with ``train`` nothing can be cached.
        weight_decay: AdamW's; where it is 0, embedding rows that never occur stay out of the way.
        seed: Seeds dropout on a CPU.
        layers: The model's layers, where they are known; ``None`` finds them, by a forward pass.

    Raises:
        PrefixMismatchError: If cached outputs are not what the model computes.
    """
    ops = QuickOps(seed) if next(model.parameters()).device.type == "cpu" else None
    whole = Feed(model, splits, ops=ops)
    if ops is not None and weight_decay == 0.0:
        rows = used_rows(model, [ids for split in splits.values() for ids in split.all_ids()])
        whole = whole.with_rows(rows if rows and rows_agree(whole, rows) else None)
    layers, why = _splittable(model, layers)
    blocks = None
    if layers is not None:
        # A cached prefix of every layer leaves the last one out.
        is_cached = freeze.is_prefix and not freeze.is_none and prefix_mode == "eval"
        runs_last = not (is_cached and freeze.num_frozen_layers == len(layers.layers))
        whole, blocks = _quickened(whole, layers, ops, runs_last=runs_last)
    if freeze.is_none or prefix_mode == "train":
        return whole
    if not freeze.is_prefix:
        return whole.warned(f"nothing is cached for {freeze}: what is frozen is no prefix")
    if layers is None:
        return whole.warned(f"nothing is cached: {why}")
    frozen = frozenset({*layers.emb, *(name for layer in layers.layers for name in layer)})
    part = FrozenPart(model=model, stack=layers.stack, names=frozen, precision=precision, ops=ops, blocks=blocks)
    try:
        feed = verified(whole, part, layers.head, freeze.num_frozen_layers, cache)
    except SpliceError as error:
        return whole.warned(f"nothing is cached: {error}")
    except NoRoomError as error:
        return whole.warned(f"nothing is cached for {freeze}: {error}")
    return feed.warned(*cache.take_notes())


def _quickened(whole: Feed, layers: LayerMap, ops: QuickOps | None, *, runs_last: bool) -> tuple[Feed, Blocks | None]:
    """Return a feed that computes the same in fewer operations, and the layers that run as one with all their tokens.

    Args:
        whole: The feed of the whole model.
        layers: The model's layers.
        ops: Quick operations; ``None``: those of PyTorch, and layers by their own code.
        runs_last: Whether the last layer runs in training.
    """
    modules = list(whole.model.get_submodule(layers.stack).children())
    last = len(modules) - 1
    shortened = FirstTokens(modules[last])
    first = shortened if runs_last and first_agrees(whole, shortened, layers.head) else None
    if ops is not None:
        blocks = Blocks(forms_of(whole, modules), ops.pool)
        in_blocks = first is not None and last in blocks.forms
        chosen = blocks.with_first_only(last) if in_blocks else blocks
        quick = whole.with_first(None if in_blocks else first).with_blocks(chosen)
        if blocks.forms and blocks_agree(whole, quick.with_rows(None), modules, layers.head):
            return quick, blocks
    return whole.with_first(first), None


def _splittable(model: torch.nn.Module, layers: LayerMap | None) -> tuple[LayerMap | None, str]:
    """Return the model's layers if they are one stack, else ``None`` and why not."""
    try:
        layers = layers or find_layers(model)
    except ModelError as error:
        return None, str(error)
    if "{" in layers.stack:
        return None, "its layers are spread over parallel lists"
    return layers, ""
