"""The feed of one run is put together: every quick way is compared with the model's own before it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from freezebench.training.cpu.embedding_rows import used_rows
from freezebench.training.cpu.operations import QuickOps
from freezebench.training.prefix.checkpointing import NOTE, is_recomputed
from freezebench.training.prefix.cls_only import FirstTokens
from freezebench.training.prefix.equivalence import first_agrees, rows_agree
from freezebench.training.prefix.feed import Feed
from freezebench.training.prefix.frozen_part import FrozenPart
from freezebench.training.prefix.spill import NoRoomError
from freezebench.training.prefix.splice import SpliceError
from freezebench.training.prefix.verify import verified

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from freezebench.models.layers import LayerMap
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.run import Precision, PrefixMode
    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.prefix.cache import PrefixCache


class Once:
    """Asks every question once in a session: runs of other seeds have the same layers, and the same answers."""

    def __init__(self, answers: dict[tuple[str, ...], bool], key: str, about: str) -> None:
        """Ask about a model.

        Args:
            answers: Those that were given in the session.
            key: Hash of the model and its data; empty: every question is asked.
            about: What else answers depend on.
        """
        self._answers, self._key, self._about = answers, key, about

    def __call__(self, question: str, ask: Callable[[], bool]) -> bool:
        """Return the answer to a question, which ``ask`` finds out."""
        name = (question, self._key, self._about)
        if not self._key or name not in self._answers:
            self._answers[name] = ask()
        return self._answers[name]


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
    layers, why = _splittable(model, layers)
    part = None if layers is None else _frozen_part(model, layers, precision, ops)
    is_cached = freeze.is_prefix and not freeze.is_none and prefix_mode == "eval"
    # A GPU has compared outputs faster than weights are hashed.
    key = part.key(splits) if part and (ops or is_cached) else ""
    once = Once(cache.answers, key, f"{freeze} {prefix_mode}")
    whole = Feed(model, splits, ops=ops)
    if ops is not None and weight_decay == 0.0:
        rows = used_rows(model, [ids for split in splits.values() for ids in split.all_ids()])
        whole = whole.with_rows(rows if rows and once("rows", lambda: rows_agree(whole, rows)) else None)
    # A cached prefix of every layer leaves the last one out.
    if layers is not None and not (is_cached and freeze.num_frozen_layers == len(layers.layers)):
        whole = _with_cls_only(whole, layers, once)
    if freeze.is_none or prefix_mode == "train":
        feed = whole
    elif not freeze.is_prefix:
        feed = whole.warned(f"nothing is cached for {freeze}: what is frozen is no prefix")
    elif layers is None or part is None:
        feed = whole.warned(f"nothing is cached: {why}")
    else:
        feed = _cached(whole, part, freeze, layers, cache=cache, key=key)
    own = feed.by_own_code()
    return own.warned(NOTE) if once("recomputed", lambda: is_recomputed(own)) else feed


def _cached(
    whole: Feed, part: FrozenPart, freeze: FreezeSpec, layers: LayerMap, *, cache: PrefixCache, key: str
) -> Feed:
    """Return a feed with what is frozen cached, or the feed of the whole model and why nothing is."""
    try:
        feed = verified(whole, part, layers.head, freeze.num_frozen_layers, cache, key=key)
    except SpliceError as error:
        return whole.warned(f"nothing is cached: {error}")
    except NoRoomError as error:
        return whole.warned(f"nothing is cached for {freeze}: {error}")
    return feed.warned(*cache.take_notes())


def _frozen_part(model: torch.nn.Module, layers: LayerMap, precision: Precision, ops: QuickOps | None) -> FrozenPart:
    """Return what the outputs of frozen layers depend on, whichever of them are frozen."""
    names = frozenset({*layers.emb, *(name for layer in layers.layers for name in layer)})
    return FrozenPart(model=model, stack=layers.stack, names=names, precision=precision, ops=ops)


def _with_cls_only(whole: Feed, layers: LayerMap, once: Once) -> Feed:
    """Return a feed whose last layer goes on with first tokens only, where that changes no score."""
    last = list(whole.model.get_submodule(layers.stack).children())[-1]
    first = FirstTokens(last)
    suffices = once("first tokens", lambda: first_agrees(whole, first, layers.head))
    return whole.with_first(first) if suffices else whole


def _splittable(model: torch.nn.Module, layers: LayerMap | None) -> tuple[LayerMap | None, str]:
    """Return the model's layers if they are one stack, else ``None`` and why not."""
    try:
        layers = layers or find_layers(model)
    except ModelError as error:
        return None, str(error)
    if "{" in layers.stack:
        return None, "its layers are spread over parallel lists"
    return layers, ""
