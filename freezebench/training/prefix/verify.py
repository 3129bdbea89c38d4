"""The prefix cache is verified, not trusted: some sentences are computed without it and compared."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import transformers
from torch.nn.functional import cross_entropy

from freezebench.tasks.classification import logits_of
from freezebench.training.device import autocast, isolated_random_state
from freezebench.training.prefix.equivalence import as_inputs, at_rest, noisy, relative_error, shaped, spread
from freezebench.training.prefix.splice import Splice, SpliceError, in_train_mode, observed, observed_form

if TYPE_CHECKING:
    from freezebench.specs.run import Precision
    from freezebench.training.prefix.cache import PrefixCache
    from freezebench.training.prefix.feed import Feed
    from freezebench.training.prefix.frozen_part import FrozenPart

_NUM_CHECKED = 8
_NUM_PADDED = 3
# Rounding: another batch, another order of sums. What is wrong is wrong by as much as the figures are large.
SCORES = {"float32": 1e-3, "bf16": 0.05}
_HIDDEN_STATES = {"float32": 1e-3, "bf16": 0.02}


class PrefixMismatchError(Exception):
    """Cached outputs of a frozen prefix are not what the model computes: nothing trained on them could be trusted."""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """Some sentences of one split, computed by the whole model.

    Attributes:
        split: Name of the split.
        indices: The sentences.
        hidden: Hidden states behind the frozen layers, shape (batch, tokens, width).
        logits: Class scores, shape (batch, classes).
    """

    split: str
    indices: torch.Tensor
    hidden: torch.Tensor
    logits: torch.Tensor


def verified(whole: Feed, part: FrozenPart, head: tuple[str, ...], depth: int, cache: PrefixCache, *, key: str) -> Feed:
    """Return a feed with a cached prefix, after some sentences of every split were computed both ways.

    That is done once in a session for a model, its data and a depth: other seeds have the same frozen layers.

    Args:
        whole: The feed of the whole model.
        part: The model and how its prefix runs.
        head: Names of the parameters behind the stack.
        depth: Number of frozen layers.
        cache: Where prefixes are kept.
        key: What :meth:`FrozenPart.key` says of them.

    Raises:
        SpliceError: If the model's layers cannot be left out, or leaving them out or padding changes its scores.
        PrefixMismatchError: If cached outputs are not what the model computes.
    """
    model = part.model
    form = observed_form(model, part.stack, shaped(whole))
    # Some models use the embeddings' output elsewhere, too, or read what is no output: then they have to run.
    forms = [form, replace(form, ender=None), replace(form, embedder=None, ender=None)]
    splices = [Splice(model, part.stack, depth, one) for one in forms]
    if (key, depth) in cache.checked:
        return whole.with_prefix(cache.prefix(part, depth, whole.splits, key), splices[cache.checked[key, depth]])
    with at_rest(model), noisy(model, head), torch.no_grad():
        is_known = any(one == key for one, _ in cache.checked)  # padding is no matter of depth
        if not is_known and not _padding_is_nothing(whole):
            raise SpliceError("the scores of a sentence change with how far it is padded")
        samples = [_computed(whole, part, split, depth) for split in whole.splits]
        fitting = (
            number for number, one in enumerate(splices) if _spliced_agrees(whole, part, one, samples, first_only=False)
        )
        chosen = next(fitting, None)
        if chosen is None:
            raise SpliceError("the scores change when the frozen layers are left out")
        if not _padding_is_nothing_in_training(whole, part, splices[chosen], samples[0]):
            raise SpliceError("in training, the scores change with what stands in the padding")
        last = part.num_layers

        def first_suffices() -> bool:
            ends = samples if depth == last else [_computed(whole, part, split, last) for split in whole.splits]
            return _spliced_agrees(whole, part, Splice(model, part.stack, last, form), ends, first_only=True)

        part = replace(part, first_suffices=first_suffices)
        feed = whole.with_prefix(cache.prefix(part, depth, whole.splits, key), splices[chosen])
        for sample in samples:
            _compare(feed, part, sample)
    cache.checked[key, depth] = chosen
    return feed


def _computed(whole: Feed, part: FrozenPart, split: str, depth: int) -> _Sample:
    """Return some sentences of a split as the whole model computes them."""
    indices = spread(whole.splits[split], _NUM_CHECKED)
    inputs = as_inputs(whole.batch(split, indices), part.model)
    with observed(part.model, part.stack, [depth]) as seen, autocast(part.precision, part.device):
        logits = whole.logits(inputs)
    return _Sample(split=split, indices=indices, hidden=seen[depth], logits=logits)


def _padding_is_nothing(whole: Feed) -> bool:
    """Return whether a sentence by itself has the scores that it has beside longer ones."""
    indices = spread(whole.splits["train"], _NUM_PADDED)
    batches = (as_inputs(whole.batch("train", some), whole.model) for some in (indices, indices[:1]))
    beside, alone = (whole.logits(batch)[:1] for batch in batches)
    is_exact = next(whole.model.parameters()).dtype is torch.float32
    return relative_error(alone, beside) <= SCORES["float32" if is_exact else "bf16"]


def _padding_is_nothing_in_training(whole: Feed, part: FrozenPart, splice: Splice, sample: _Sample) -> bool:
    """Return whether what learns takes no notice of the padding in train mode, as batch normalisation over tokens does.

    Cached hidden states have other padding than the model's own.
    """
    some = [0, -1]  # the shortest and the longest sentence
    indices = sample.indices[some]
    places, real = whole.places(sample.split, indices)
    inputs = as_inputs(whole.splits[sample.split].batch(indices, places, real), part.model)
    padding = ~real[..., None].to(sample.hidden.device)

    def scores(filling: float) -> torch.Tensor:
        hidden = sample.hidden[some].masked_fill(padding, filling)
        with isolated_random_state(part.device), in_train_mode(part.model), splice:
            transformers.set_seed(0)  # the same dropout
            with autocast(part.precision, part.device):
                return logits_of(splice(hidden, **inputs))

    limit = SCORES[_key(part.precision)]
    expected = scores(0.0)
    # Random numbers that no seed reaches leave nothing to compare.
    return relative_error(scores(1.0), expected) <= limit or relative_error(scores(0.0), expected) > limit


def _spliced_agrees(whole: Feed, part: FrozenPart, splice: Splice, samples: list[_Sample], *, first_only: bool) -> bool:
    """Return whether the scores stay when the hidden states just computed are put in the frozen layers' place."""
    for sample in samples:
        flat = whole.splits[sample.split]
        places, real = whole.places(sample.split, sample.indices, first_only=first_only)
        inputs = as_inputs(flat.batch(sample.indices, places, real), part.model)
        hidden = sample.hidden
        if first_only:
            _, everything = whole.places(sample.split, sample.indices)
            hidden = hidden[flat.first(everything).to(hidden.device)][:, None]
        with splice, autocast(part.precision, part.device), part.ops or nullcontext():
            got = logits_of(splice(hidden, **inputs))
        if relative_error(got, sample.logits) > SCORES[_key(part.precision)]:
            return False
    return True


def _compare(feed: Feed, part: FrozenPart, sample: _Sample) -> None:
    """Compare cached with computed hidden states and the loss that results from each.

    Raises:
        PrefixMismatchError: If they differ by more than rounding.
    """
    flat, prefix = feed.splits[sample.split], feed.prefix
    assert prefix is not None  # noqa: S101 - a feed with a prefix is what is compared
    places, real = feed.places(sample.split, sample.indices)
    kept = prefix.rows(sample.split, sample.indices, places).to(sample.hidden)
    taken = flat.first(real) if prefix.first_only else real
    computed = sample.hidden[taken.to(sample.hidden.device)]
    kept = kept[:, 0] if prefix.first_only else kept[taken.to(kept.device)]
    error = float((kept - computed).norm() / computed.norm().clamp(min=1e-6))
    labels = flat.labels[sample.indices].to(part.device)
    with feed, autocast(part.precision, part.device):
        logits = feed.logits(as_inputs(feed.batch(sample.split, sample.indices), part.model))
    losses = [float(cross_entropy(scores, labels)) for scores in (logits, sample.logits)]
    limit = SCORES[_key(part.precision)]
    if not (error <= _HIDDEN_STATES[_key(part.precision)] and abs(losses[0] - losses[1]) <= limit * (1 + losses[1])):
        advice = "Run again; if it persists, use --freeze-engine=standard"
        if prefix.is_from_earlier:
            advice = (
                "The model was another one when that file was written, by more than its weights, configuration and "
                "source tell. Remove the file and run again"
            )
        raise PrefixMismatchError(
            f"the cached prefix (in {prefix.where}) is not what the model computes: on {len(labels)} sentences of "
            f"the {sample.split} split it differs by {error:.1%}, the loss is {losses[0]:.4f} instead of "
            f"{losses[1]:.4f}. {advice}"
        )


def _key(precision: Precision) -> str:
    return "bf16" if precision == "bf16" else "float32"
