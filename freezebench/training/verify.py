"""The prefix cache is verified, not trusted: some sentences are computed without it and compared."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from freezebench.training.batching import logits_of
from freezebench.training.block_form import observed_blocks
from freezebench.training.precision import autocast
from freezebench.training.splice import Splice, SpliceError, observed, observed_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.specs.run import Precision
    from freezebench.training.batching import Batch
    from freezebench.training.block_form import BlockForm
    from freezebench.training.feed import Feed
    from freezebench.training.first import FirstTokens
    from freezebench.training.inputs import FlatSplit
    from freezebench.training.prefix import FrozenPart, PrefixCache
    from freezebench.training.rows import UsedRows

_NUM_CHECKED = 8
# For what depends on the form of a batch alone: the shortest sentence, the longest, and one between.
_NUM_SHAPED = 3
# Rounding: another batch, another order of sums. What is wrong is wrong by as much as the figures are large.
SCORES = {"float32": 1e-3, "bf16": 0.05}
_HIDDEN_STATES = {"float32": 1e-3, "bf16": 0.02}
# The same sums in another order, gradients too.
_SAME_PRODUCTS = 1e-4
# The same sums in the same order but for how matrices are cut: a few units in the last place.
_SAME_SUMS = 1e-5


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
    form = observed_form(model, part.stack, _shaped(whole))
    # Some models use the embeddings' output elsewhere, too, or read what is no output: then they have to run.
    forms = [form, replace(form, ender=None), replace(form, embedder=None, ender=None)]
    splices = [Splice(model, part.stack, depth, one) for one in forms]
    if (key, depth) in cache.checked:
        return whole.with_prefix(cache.prefix(part, depth, whole.splits, key), splices[cache.checked[key, depth]])
    with _at_rest(model), _noisy(model, head), torch.no_grad():
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


def rows_agree(whole: Feed, rows: UsedRows) -> bool:
    """Return whether a model whose word embedding holds the rows in use alone computes what the whole one does."""
    model = whole.model
    inputs = _shaped(whole)
    with _at_rest(model), torch.no_grad():
        expected = whole.logits(dict(inputs))
        try:
            with whole.with_rows(rows) as shrunk:
                got = shrunk.logits(dict(inputs))
        except (IndexError, RuntimeError, ValueError):
            return False  # the table is used in another way than by token ids
    return torch.equal(expected, got)


def first_agrees(whole: Feed, first: FirstTokens, head: tuple[str, ...]) -> bool:
    """Return whether a model whose last layer goes on with first tokens only computes the whole one's scores."""
    model = whole.model
    inputs = _shaped(whole)
    with _at_rest(model), _noisy(model, head), torch.no_grad():
        expected = whole.logits(dict(inputs))
        try:
            with whole.with_first(first) as shortened:
                got = shortened.logits(dict(inputs))
        except (IndexError, RuntimeError, ValueError):
            return False  # the layer is of another build
    return got.shape == expected.shape and _error(got, expected) <= _SAME_SUMS


def forms_of(whole: Feed, modules: Sequence[torch.nn.Module]) -> dict[int, BlockForm]:
    """Return which of a model's layers are post-norm transformer layers, by number."""
    inputs = _shaped(whole)
    with _at_rest(whole.model):
        return observed_blocks(whole.model, modules, inputs)


def blocks_agree(whole: Feed, quick: Feed, modules: Sequence[torch.nn.Module], head: tuple[str, ...]) -> bool:
    """Return whether a feed whose layers run as one operation each computes the whole model's scores and gradients."""
    model = whole.model
    learning = [one for module in modules for one in module.parameters() if one.requires_grad]
    inputs = _shaped(whole)
    with _at_rest(model), _noisy(model, head):
        expected = _scores_and_gradient(whole, inputs, learning)
        try:
            with quick:
                got = _scores_and_gradient(quick, inputs, learning)
        except (IndexError, RuntimeError, ValueError):
            return False  # the layers are of another build
    return all(_error(one, other) <= _SAME_PRODUCTS for one, other in zip(got, expected, strict=True))


def _scores_and_gradient(
    feed: Feed, inputs: Batch, learning: Sequence[torch.nn.Parameter]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scores and, in one row, the gradient of some parameters, of a feed in its present state."""
    logits = feed.logits(dict(inputs))
    gradients = torch.autograd.grad(logits.square().sum(), learning) if learning else ()
    return logits.detach(), torch.cat([torch.zeros(1), *(one.flatten() for one in gradients)])


def _computed(whole: Feed, part: FrozenPart, split: str, depth: int) -> _Sample:
    """Return some sentences of a split as the whole model computes them."""
    indices = _chosen(whole.splits[split])
    inputs = _inputs(whole.batch(split, indices), part.model)
    with observed(part.model, part.stack, [depth]) as seen, autocast(part.precision, part.device):
        logits = whole.logits(inputs)
    return _Sample(split=split, indices=indices, hidden=seen[depth], logits=logits)


def _padding_is_nothing(whole: Feed) -> bool:
    """Return whether a sentence by itself has the scores that it has beside longer ones."""
    indices = _chosen(whole.splits["train"], _NUM_SHAPED)
    batches = (_inputs(whole.batch("train", some), whole.model) for some in (indices, indices[:1]))
    beside, alone = (whole.logits(batch)[:1] for batch in batches)
    is_exact = next(whole.model.parameters()).dtype is torch.float32
    return _error(alone, beside) <= SCORES["float32" if is_exact else "bf16"]


def _spliced_agrees(whole: Feed, part: FrozenPart, splice: Splice, samples: list[_Sample], *, first_only: bool) -> bool:
    """Return whether the scores stay when the hidden states just computed are put in the frozen layers' place."""
    for sample in samples:
        flat = whole.splits[sample.split]
        places, real = whole.places(sample.split, sample.indices, first_only=first_only)
        inputs = _inputs(flat.batch(sample.indices, places, real), part.model)
        hidden = sample.hidden
        if first_only:
            _, everything = whole.places(sample.split, sample.indices)
            hidden = hidden[flat.first(everything).to(hidden.device)][:, None]
        with splice, autocast(part.precision, part.device), part.ops or nullcontext():
            got = logits_of(splice(hidden, **inputs))
        if _error(got, sample.logits) > SCORES[_key(part.precision)]:
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
        logits = feed.logits(_inputs(feed.batch(sample.split, sample.indices), part.model))
    losses = [float(cross_entropy(scores, labels)) for scores in (logits, sample.logits)]
    limit = SCORES[_key(part.precision)]
    if not (error <= _HIDDEN_STATES[_key(part.precision)] and abs(losses[0] - losses[1]) <= limit * (1 + losses[1])):
        raise PrefixMismatchError(
            f"the cached prefix (in {prefix.where}) is not what the model computes: on {len(labels)} sentences of "
            f"the {sample.split} split it differs by {error:.1%}, the loss is {losses[0]:.4f} instead of "
            f"{losses[1]:.4f}. Run again; if it persists, use --freeze-engine=standard"
        )


def _key(precision: Precision) -> str:
    return "bf16" if precision == "bf16" else "float32"


def _error(got: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference, relative to the largest score."""
    return float((expected - got).abs().max() / expected.abs().max().clamp(min=1e-6))


def _chosen(split: FlatSplit, num: int = _NUM_CHECKED) -> torch.Tensor:
    """Return some sentences of all lengths: the shortest, the longest, and between."""
    order = split.lengths.argsort(stable=True)
    return order[torch.linspace(0, len(order) - 1, min(num, len(order))).long()]


def _shaped(whole: Feed) -> Batch:
    """Return a small batch without labels that shows what depends on a batch's form alone."""
    return _inputs(whole.batch("train", _chosen(whole.splits["train"], _NUM_SHAPED)), whole.model)


def _inputs(batch: Batch, model: torch.nn.Module) -> Batch:
    """Return a batch without its labels on the model's device."""
    device = next(model.parameters()).device
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


@contextmanager
def _at_rest(model: torch.nn.Module) -> Iterator[None]:
    """Turn dropout off for a while."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def _noisy(model: torch.nn.Module, names: tuple[str, ...]) -> Iterator[None]:
    """Give the head random weights for a while: one that starts at zero would make every check pass."""
    generator = torch.Generator().manual_seed(0)
    parameters: dict[str, Any] = {name: model.get_parameter(name) for name in names}
    kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        with torch.no_grad():
            for parameter in parameters.values():
                noise = torch.randn(parameter.shape, generator=generator) / max(parameter.shape[-1], 1) ** 0.5
                parameter.copy_(noise.to(parameter.device))
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(kept[name])
