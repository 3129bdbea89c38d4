"""The cached engine's feed: batches without waste, and a frozen prefix that was computed once and is spliced in."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

import torch

from freezebench.errors import ModelError
from freezebench.tasks.layers import find_layers
from freezebench.training.batching import batches_by_length_of, logits_of
from freezebench.training.inputs import BucketedBatches
from freezebench.training.precision import autocast
from freezebench.training.splice import Splice, SpliceError, layer_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.run import Precision
    from freezebench.tasks.layers import LayerMap
    from freezebench.training.batching import Batch
    from freezebench.training.inputs import FlatSplit
    from freezebench.training.prefix import Prefix, PrefixCache

_NUM_CHECKED = 8
# Rounding through the layers that remain; a wrong prefix is wrong by as much as the scores are large.
_TOLERANCE = {"float32": 1e-3, "bf16": 0.1}
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
        max_tokens: int | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._model, self._splits = model, splits
        self.prefix, self._splice, self._max_tokens = prefix, splice, max_tokens
        self.warnings = warnings
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._splice is not None:
            self._open.enter_context(self._splice)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def batch(self, split: str, indices: torch.Tensor) -> Batch:
        """Return one padded batch of a split, with the prefix's outputs where they are cached."""
        flat = self._splits[split]
        places, real = flat.places(indices, max_tokens=self._max_tokens)
        batch = flat.batch(indices, places, real)
        if self.prefix is not None:
            batch[_HIDDEN] = self.prefix.hidden[split][places]
        return batch

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the class scores of a batch on the model's device, labels left out, shape (batch, classes)."""
        if self._splice is None:
            return logits_of(self._model(**batch))
        return logits_of(self._splice(batch.pop(_HIDDEN).float(), **batch))

    def epochs(self, batch_size: int, seed: int) -> FeedLoader:
        """Return the training batches of every epoch."""
        return FeedLoader(self, BucketedBatches(self._splits["train"].lengths, batch_size, seed))

    def evaluation(self, split: str, batch_size: int) -> Iterator[tuple[list[int], Batch]]:
        """Yield sentence numbers and batch, sentences of like length together."""
        for indices in batches_by_length_of(self._splits[split].lengths, batch_size):
            yield indices.tolist(), self.batch(split, indices)


class FeedLoader:
    """The training batches of an epoch, to be iterated once per epoch."""

    def __init__(self, feed: Feed, order: BucketedBatches) -> None:
        self._feed, self._order, self._epoch = feed, order, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, that the next iteration yields."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        for indices in self._order.epoch(self._epoch):
            yield self._feed.batch("train", indices)


def make_feed(
    model: torch.nn.Module,
    freeze: FreezeSpec,
    splits: Mapping[str, FlatSplit],
    cache: PrefixCache,
    precision: Precision,
) -> Feed:
    """Return the feed of one run: with a cached prefix where one is frozen and leaving it out changes nothing.

    Args:
        model: The frozen model on its device.
        freeze: What is frozen.
        splits: The data.
        cache: Where prefixes are kept.
        precision: Number format of the forward passes.
    """
    if freeze.is_none:
        return Feed(model, splits)
    if not freeze.is_prefix:
        return Feed(model, splits, warnings=(f"nothing is cached for {freeze}: what is frozen is no prefix",))
    try:
        return _cached(model, find_layers(model), freeze.num_frozen_layers, splits, cache=cache, precision=precision)
    except (SpliceError, ModelError) as error:
        return Feed(model, splits, warnings=(f"nothing is cached: {error}",))


def _cached(
    model: torch.nn.Module,
    layers: LayerMap,
    depth: int,
    splits: Mapping[str, FlatSplit],
    *,
    cache: PrefixCache,
    precision: Precision,
) -> Feed:
    """Return a feed with a cached prefix that was checked.

    Raises:
        SpliceError: If the model's layers cannot be left out, or leaving them out changes its scores.
    """
    if "{" in layers.stack:
        raise SpliceError("its layers are spread over parallel lists")
    whole = Feed(model, splits)
    sample = _sample(splits["train"])
    inputs = _without_labels(whole.batch("train", sample), model)
    pattern = layer_pattern(model, layers.stack, inputs)
    frozen = frozenset({*layers.emb, *(name for layer in layers.layers for name in layer)})
    prefix = cache.prefix(model, layers.stack, depth, splits, precision=precision, frozen=frozen)
    splice = Splice(model, layers.stack, depth, pattern)
    # Where nothing but the head is left, most models need no more than the first token.
    candidates = [1, None] if depth == layers.num_layers else [None]
    for max_tokens in candidates:
        feed = Feed(model, splits, prefix=prefix, splice=splice, max_tokens=max_tokens)
        if _agree(model, layers, whole, feed, sample=sample, precision=precision):
            return feed
    raise SpliceError("the scores change when the frozen layers are left out")


def _sample(split: FlatSplit) -> torch.Tensor:
    """Return some sentences of all lengths: the shortest, the longest, and between."""
    order = split.lengths.argsort(stable=True)
    places = torch.linspace(0, len(order) - 1, min(_NUM_CHECKED, len(order))).long()
    return order[places]


def _without_labels(batch: Batch, model: torch.nn.Module) -> Batch:
    device = next(model.parameters()).device
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


@torch.no_grad()
def _agree(
    model: torch.nn.Module, layers: LayerMap, whole: Feed, cached: Feed, *, sample: torch.Tensor, precision: Precision
) -> bool:
    """Return whether a feed with cached prefix gives the scores of the whole model, dropout off."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    with _noisy(model, layers.head), autocast(precision, device):
        expected = whole.logits(_without_labels(whole.batch("train", sample), model))
        with cached:
            got = cached.logits(_without_labels(cached.batch("train", sample), model))
    model.train(was_training)
    scale = expected.abs().max().clamp(min=1e-6)
    return bool((expected - got).abs().max() <= _TOLERANCE[precision] * scale)


@contextmanager
def _noisy(model: torch.nn.Module, names: tuple[str, ...]) -> Iterator[None]:
    """Give the head random weights for a while: one that starts at zero would make every check pass."""
    generator = torch.Generator().manual_seed(0)
    parameters: dict[str, Any] = {name: model.get_parameter(name) for name in names}
    kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        for parameter in parameters.values():
            noise = torch.randn(parameter.shape, generator=generator) / max(parameter.shape[-1], 1) ** 0.5
            parameter.copy_(noise.to(parameter.device))
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.copy_(kept[name])
