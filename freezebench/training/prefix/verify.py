"""Verification of a cached prefix: some sentences are computed by the whole model, too, and compared.

Splicing and caching rest on assumptions about a model's code. None of them is trusted. Before a run uses a prefix, some
sentences of every split, short and long, are run through the whole model, and the following has to hold:

1. Padding is ignored: a sentence by itself has the scores that it has in a batch of longer ones, and in train mode its
   scores do not depend on the hidden states of padding (as they would with batch normalization over tokens).
2. The splice changes nothing: computed hidden states, put in place of the frozen layers, give the same scores. Three
   variants are tried, which leave out more or fewer of the modules around the layers.
3. The cache holds the right values: cached hidden states equal the computed ones, and give the same loss.

If 1 or 2 fails, the whole model runs in every step and a warning says why (``SpliceError``). If 3 fails, something is
wrong with the cache, and the run ends (``PrefixMismatchError``). In these checks the head has random weights.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import transformers

from freezebench.tasks.scores import logits_of
from freezebench.training.device import autocast
from freezebench.training.prefix.equivalence import (
    model_inputs,
    relative_error,
    sample_batch,
    sample_of_all_lengths,
    scores_of_rows,
)
from freezebench.training.prefix.hidden_states import SpliceError, captured_hidden_states
from freezebench.training.prefix.layer_interface import observe_interface
from freezebench.training.prefix.modes import eval_mode, random_head, train_mode
from freezebench.training.prefix.splice import Splice
from freezebench.training.random_state import isolated_random_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.specs.run import Precision
    from freezebench.training.prefix.cache import PrefixCache
    from freezebench.training.prefix.cached_prefix import CachedPrefix
    from freezebench.training.prefix.feed import Feed
    from freezebench.training.prefix.frozen_prefix import FrozenPrefix

_NUM_CHECKED = 8
_NUM_PADDED = 3
# Limits for rounding: other batches sum in another order. A mistake changes figures by as much as they are large.
SCORE_TOLERANCE: dict[Precision, float] = {"float32": 1e-3, "bf16": 0.05}
_HIDDEN_TOLERANCE: dict[Precision, float] = {"float32": 1e-3, "bf16": 0.02}


class PrefixMismatchError(Exception):
    """Cached hidden states are not what the model computes: nothing trained on them could be trusted."""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """Some sentences of one split, computed by the whole model.

    Attributes:
        split: Name of the split.
        sentences: Their numbers, shape (batch,).
        hidden: Hidden states behind the frozen layers, shape (batch, tokens, width).
        labels: Their labels, as in the batch.
        rows: The scores that are evaluated, shape (rows, outputs).
    """

    split: str
    sentences: torch.Tensor
    hidden: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor


def verified_feed(
    whole: Feed, frozen: FrozenPrefix, head: tuple[str, ...], depth: int, cache: PrefixCache, *, key: str
) -> Feed:
    """Return a feed with a cached prefix, verified once in a session for a model, its data and a depth.

    Args:
        whole: The feed of the whole model.
        frozen: The model and how its prefix runs.
        head: Names of the parameters behind the stack.
        depth: Number of frozen layers.
        cache: The session's prefixes and results of checks.
        key: What :meth:`FrozenPrefix.key` returns for them.

    Raises:
        SpliceError: If the model's layers cannot be left out, or leaving them out or padding changes its scores.
        PrefixMismatchError: If cached hidden states are not what the model computes.
    """
    # Not memorized with the result: it holds modules of this model, and another seed has another model.
    interface = observe_interface(frozen.model, frozen.stack, model_inputs(sample_batch(whole), whole.model))
    # Some models use the embeddings elsewhere, too, or an output of the final module's parts: then these have to run.
    interfaces = [
        interface,
        replace(interface, final_module=None),
        replace(interface, embedding_module=None, final_module=None),
    ]
    splices = [Splice(frozen.model, frozen.stack, depth, variant) for variant in interfaces]
    results, check = cache.check_results, ("splice", key, str(depth))
    if check in results:
        return whole.with_prefix(cache.prefix(frozen, depth, whole.splits, key), splices[results[check]])
    with eval_mode(frozen.model), random_head(frozen.model, head), torch.no_grad():
        if ("padding", key) not in results and not _ignores_padding(whole):
            raise SpliceError("the scores of a sentence change with how far it is padded")
        samples = [_computed(whole, frozen, split, depth) for split in whole.splits]
        variant = _first_equivalent(whole, frozen, splices, samples)

        def cls_suffices() -> bool:
            if whole.task.by_word:
                return False
            last = frozen.num_layers
            at_end = samples if depth == last else [_computed(whole, frozen, split, last) for split in whole.splits]
            splice = Splice(frozen.model, frozen.stack, last, interface)
            return _is_equivalent(whole, frozen, splice, at_end, cls_only=True)

        prefix = cache.prefix(replace(frozen, cls_suffices=cls_suffices), depth, whole.splits, key)
        feed = whole.with_prefix(prefix, splices[variant])
        for sample in samples:
            _compare(feed, prefix, frozen, sample)
    results["padding", key] = True  # it does not depend on the depth
    results[check] = variant
    return feed


def _first_equivalent(whole: Feed, frozen: FrozenPrefix, splices: Sequence[Splice], samples: Sequence[_Sample]) -> int:
    """Return the number of the first splice that leaves the scores unchanged, also in train mode.

    Raises:
        SpliceError: If none does.
    """
    for number, splice in enumerate(splices):
        if _is_equivalent(whole, frozen, splice, samples, cls_only=False):
            if not _ignores_padding_in_training(whole, frozen, splice, samples[0]):
                raise SpliceError("in training, the scores change with the hidden states of padding")
            return number
    raise SpliceError("the scores change when the frozen layers are left out")


def _computed(whole: Feed, frozen: FrozenPrefix, split: str, depth: int) -> _Sample:
    """Return some sentences of a split as the whole model computes them."""
    sentences = sample_of_all_lengths(whole.splits[split], _NUM_CHECKED)
    batch = whole.batch(split, sentences)
    with (
        captured_hidden_states(frozen.model, frozen.stack, [depth]) as states,
        autocast(frozen.precision, frozen.device),
    ):
        rows = scores_of_rows(whole, batch)
    return _Sample(split=split, sentences=sentences, hidden=states[depth], labels=batch["labels"], rows=rows)


def _ignores_padding(whole: Feed) -> bool:
    """Return whether a sentence by itself has the scores that it has in a batch with longer ones."""
    sentences = sample_of_all_lengths(whole.splits["train"], _NUM_PADDED)
    padded, alone = (scores_of_rows(whole, whole.batch("train", some)) for some in (sentences, sentences[:1]))
    padded = padded[: len(alone)]
    # This check runs without autocast: weights decide about rounding.
    is_exact = next(whole.model.parameters()).dtype is torch.float32
    return relative_error(alone, padded) <= SCORE_TOLERANCE["float32" if is_exact else "bf16"]


def _ignores_padding_in_training(whole: Feed, frozen: FrozenPrefix, splice: Splice, sample: _Sample) -> bool:
    """Return whether in train mode the scores do not depend on the hidden states of padding.

    Those of a cached prefix differ from the model's own: padding has the index of its sentence's first token.
    """
    shortest_and_longest = [0, -1]
    sentences = sample.sentences[shortest_and_longest]
    indices, is_token = whole.token_indices(sample.split, sentences)
    batch = whole.splits[sample.split].batch(sentences, indices, is_token)
    inputs = model_inputs(batch, frozen.model)
    is_padding = ~is_token[..., None].to(sample.hidden.device)

    def scores(filling: float) -> torch.Tensor:
        # Another filling represents other hidden states of padding, such as those that a cache returns.
        hidden = sample.hidden[shortest_and_longest].masked_fill(is_padding, filling)
        with isolated_random_state(frozen.device), train_mode(frozen.model), splice:
            transformers.set_seed(0)  # so that all calls draw the same dropout masks
            with autocast(frozen.precision, frozen.device):
                return whole.task.rows(logits_of(splice(hidden, **inputs)), batch["labels"])

    limit = SCORE_TOLERANCE[frozen.precision]
    expected = scores(0.0)
    # If two equal calls differ, the model draws random numbers that no seed controls: there is nothing to compare.
    return relative_error(scores(1.0), expected) <= limit or relative_error(scores(0.0), expected) > limit


def _is_equivalent(
    whole: Feed, frozen: FrozenPrefix, splice: Splice, samples: Sequence[_Sample], *, cls_only: bool
) -> bool:
    """Return whether the scores stay the same when computed hidden states replace the frozen layers."""
    for sample in samples:
        split = whole.splits[sample.split]
        indices, is_token = whole.token_indices(sample.split, sample.sentences, cls_only=cls_only)
        inputs = model_inputs(split.batch(sample.sentences, indices, is_token), frozen.model)
        hidden = sample.hidden
        if cls_only:
            _, is_token = whole.token_indices(sample.split, sample.sentences)
            hidden = hidden[split.first_token_mask(is_token).to(hidden.device)][:, None]
        with splice, autocast(frozen.precision, frozen.device), frozen.cpu_operations or nullcontext():
            rows = whole.task.rows(logits_of(splice(hidden, **inputs)), sample.labels)
        if relative_error(rows, sample.rows) > SCORE_TOLERANCE[frozen.precision]:
            return False
    return True


def _compare(feed: Feed, prefix: CachedPrefix, frozen: FrozenPrefix, sample: _Sample) -> None:
    """Compare cached with computed hidden states, and the losses that follow from both.

    Raises:
        PrefixMismatchError: If they differ by more than rounding.
    """
    split = feed.splits[sample.split]
    indices, is_token = feed.token_indices(sample.split, sample.sentences)
    cached = prefix.batch(sample.split, sample.sentences, indices).to(sample.hidden)
    mask = split.first_token_mask(is_token) if prefix.cls_only else is_token
    computed = sample.hidden[mask.to(sample.hidden.device)]
    cached = cached[:, 0] if prefix.cls_only else cached[mask.to(cached.device)]
    error = float((cached - computed).norm() / computed.norm().clamp(min=1e-6))
    with feed, autocast(frozen.precision, frozen.device):
        rows = scores_of_rows(feed, feed.batch(sample.split, sample.sentences))
    labels = feed.task.rows(sample.labels, sample.labels).to(frozen.device)
    loss, expected = (float(feed.task.loss(scores, labels)) for scores in (rows, sample.rows))
    limit = SCORE_TOLERANCE[frozen.precision] * (1 + expected)
    # Written so that NaN fails.
    if error <= _HIDDEN_TOLERANCE[frozen.precision] and abs(loss - expected) <= limit:
        return
    advice = "Run again; if it persists, use --freeze-engine=standard"
    if prefix.is_from_earlier:
        advice = (
            "The model that wrote that file differed in something that weights, configuration and source do not show. "
            "Remove the file and run again"
        )
    raise PrefixMismatchError(
        f"the cached prefix (in {prefix.where}) is not what the model computes: on {len(sample.sentences)} sentences "
        f"of the {sample.split} split it differs by {error:.1%}, the loss is {loss:.4f} instead of "
        f"{expected:.4f}. {advice}"
    )
