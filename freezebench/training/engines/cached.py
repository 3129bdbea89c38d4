"""The feed of one run of the cached engine: every faster computation is checked before it is used."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezebench.errors import ModelError
from freezebench.models.layers import find_layers
from freezebench.specs.freeze import FreezeSpec
from freezebench.training.cpu.embedding_rows import find_used_rows
from freezebench.training.cpu.operations import CpuOperations
from freezebench.training.prefix.checkpointing import NOTE, is_recomputed
from freezebench.training.prefix.cls_only import ClsOnlyLayer
from freezebench.training.prefix.equivalence import check_cls_only, check_embedding_rows
from freezebench.training.prefix.feed import Feed
from freezebench.training.prefix.frozen_prefix import FrozenPrefix
from freezebench.training.prefix.hidden_states import SpliceError
from freezebench.training.prefix.hooks import GRADIENT_NOTE, MODULE_NOTE, hooked_gradient, hooked_module
from freezebench.training.prefix.spill import OutOfSpaceError
from freezebench.training.prefix.verify import verified_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from freezebench.models.layers import LayerMap
    from freezebench.specs.run import Precision, PrefixMode
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.prefix.cache import PrefixCache


class CheckMemo:
    """Runs each check once in a session: runs with other seeds have the same layers, hence the same results."""

    def __init__(self, results: dict[tuple[str, ...], int], key: str, condition: str) -> None:
        """Prepare the checks of one run.

        Args:
            results: The session's results.
            key: Hash of the model and its data; empty: every check runs.
            condition: What else the results depend on.
        """
        self._results, self._key, self._condition = results, key, condition

    def __call__(self, name: str, check: Callable[[], bool]) -> bool:
        """Return the result of a check, which ``check`` computes if it is not known."""
        item = (name, self._key, self._condition)
        if not self._key or item not in self._results:
            self._results[item] = check()
        return bool(self._results[item])


def make_feed(
    model: torch.nn.Module,
    freeze: str,
    splits: Mapping[str, PackedSplit],
    cache: PrefixCache,
    *,
    depth: int | None,
    precision: Precision,
    prefix_mode: PrefixMode = "eval",
    weight_decay: float = 0.0,
    stage: int = 0,
    num_stages: int = 1,
    seed: int = 0,
    layers: LayerMap | None = None,
    plain: tuple[str, int] | None = None,
) -> Feed:
    """Return the feed of one stage of a run, with a cached prefix if one is frozen and can be left out.

    Args:
        model: The model on its device, frozen as in this stage.
        freeze: Canonical id of what is frozen.
        splits: The data.
        cache: The session's prefixes and results of checks.
        depth: Number of layers of the frozen prefix; ``None``: not even the embeddings are frozen.
        precision: Number format of the forward passes.
        prefix_mode: ``eval`` turns dropout off in what is frozen; with ``train`` nothing can be cached.
        weight_decay: AdamW's; if it is 0, rows of the word embedding that the data do not use are left out.
        stage: Number of the stage, counted from 0.
        num_stages: Number of stages of the run; with several, all rows of the word embedding are kept.
        seed: Seeds dropout on a CPU.
        layers: The model's layers; ``None`` finds them, by a forward pass.
        plain: Of a model to which strategies have added something, as :class:`FrozenPrefix` has it.

    Raises:
        PrefixMismatchError: If cached hidden states are not what the model computes.
    """
    if module := hooked_module(model):
        return Feed(model, splits, warnings=(MODULE_NOTE.format(module),))
    operations = CpuOperations(seed) if next(model.parameters()).device.type == "cpu" else None
    layers, reason = _single_stack(model, layers)
    frozen = None if layers is None else _frozen_prefix(model, layers, precision, operations, plain)
    is_cached = depth is not None and prefix_mode == "eval"
    # On a GPU the checks take less time than a hash of the weights.
    key = frozen.key(splits) if frozen and (operations or is_cached) else ""
    # What is frozen decides which layers recompute and whether the word embedding trains.
    check_once = CheckMemo(cache.check_results, key, f"{freeze} {stage} {depth} {prefix_mode}")
    whole = Feed(model, splits, cpu_operations=operations)
    # The table has to have one shape in all stages, in some of which it may be frozen.
    if operations is not None and weight_decay == 0.0 and num_stages == 1:
        whole = _with_used_rows(whole, check_once)
    # A cached prefix of all layers leaves out the last one, too. Words need the states of all tokens.
    leaves_out_last = layers is not None and is_cached and depth == len(layers.layers)
    if layers is not None and not leaves_out_last and not whole.task.by_word:
        whole = _with_cls_only(whole, layers, check_once)
    feed = whole
    if depth is not None and prefix_mode == "eval":
        feed = _with_prefix(whole, freeze, depth, layers, frozen, reason=reason, cache=cache, key=key)
    elif stage == 0 and depth is None and prefix_mode == "eval" and not FreezeSpec.parse(freeze).frozen_parts.is_none:
        feed = whole.with_warnings(f"nothing is cached for {freeze}: the embeddings are not frozen")
    # Last, since a cached prefix may leave out everything that would run again.
    own = feed.by_own_code()
    if parameter := hooked_gradient(model):
        return own.with_warnings(GRADIENT_NOTE.format(parameter))
    return own.with_warnings(NOTE) if check_once("recomputed", lambda: is_recomputed(own)) else feed


def _with_prefix(
    whole: Feed,
    freeze: str,
    depth: int,
    layers: LayerMap | None,
    frozen: FrozenPrefix | None,
    *,
    reason: str,
    cache: PrefixCache,
    key: str,
) -> Feed:
    """Return a feed with the frozen prefix cached, or the feed of the whole model with the reason why nothing is.

    Args:
        whole: The feed of the whole model.
        freeze: Canonical id of what is frozen.
        depth: Number of frozen layers.
        layers: The model's layers, if they are one stack.
        frozen: How their hidden states are computed.
        reason: Why the layers are not one stack.
        cache: The session's prefixes and results of checks.
        key: Hash of the model and its data.
    """
    if layers is None or frozen is None:
        return whole.with_warnings(f"nothing is cached: {reason}")
    try:
        feed = verified_feed(whole, frozen, layers.head, depth, cache, key=key)
    except SpliceError as error:
        return whole.with_warnings(f"nothing is cached: {error}")
    except OutOfSpaceError as error:
        return whole.with_warnings(f"nothing is cached for {freeze}: {error}")
    return feed.with_warnings(*cache.take_notes())


def _frozen_prefix(
    model: torch.nn.Module,
    layers: LayerMap,
    precision: Precision,
    operations: CpuOperations | None,
    plain: tuple[str, int] | None,
) -> FrozenPrefix:
    """Return how hidden states are computed, for any number of frozen layers."""
    names = frozenset({*layers.emb, *itertools.chain(*layers.layers)})
    return FrozenPrefix(
        model=model, stack=layers.stack, names=names, precision=precision, cpu_operations=operations, plain=plain
    )


def _with_used_rows(whole: Feed, check_once: CheckMemo) -> Feed:
    """Return a feed whose word embedding holds the used rows only, if that changes no score."""
    # Padding is looked up, too, so that its row has to exist.
    rows = find_used_rows(whole.model, [ids for split in whole.splits.values() for ids in split.all_ids()])
    if rows is None or not check_once("rows", lambda: check_embedding_rows(whole, rows)):
        return whole
    return whole.with_embedding_rows(rows)


def _with_cls_only(whole: Feed, layers: LayerMap, check_once: CheckMemo) -> Feed:
    """Return a feed whose last layer continues with first tokens only, if that changes no score."""
    layer = ClsOnlyLayer(list(whole.model.get_submodule(layers.stack).children())[-1])
    suffices = check_once("first tokens", lambda: check_cls_only(whole, layer, layers.head))
    return whole.with_cls_only(layer) if suffices else whole


def _single_stack(model: torch.nn.Module, layers: LayerMap | None) -> tuple[LayerMap | None, str]:
    """Return the model's layers if they are one stack, else ``None`` and the reason."""
    try:
        layers = layers or find_layers(model)
    except ModelError as error:
        return None, str(error)
    if "{" in layers.stack:
        return None, "its layers are spread over parallel lists"
    return layers, ""
