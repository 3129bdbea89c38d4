"""What a run trains, before its training: a frozen model on its device, tokenized data, and the feed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from freezebench.errors import SpecError
from freezebench.models.completeness import new_parameters
from freezebench.models.layers import find_layers
from freezebench.models.load import load_model
from freezebench.runs.evaluation_check import check_data
from freezebench.runs.factory_check import initial_sha256
from freezebench.runs.training_check import seed_note
from freezebench.runs.weights import UnsoundRunError, check_freezing, check_start, checksums, trainable_by_spec
from freezebench.strategies.freeze import apply, fixed_note, fixed_parameters, frozen_modules, set_trainable
from freezebench.training.batches.encoding import encode, longest_input, unscored_note
from freezebench.training.batches.packed import NotPackableError
from freezebench.training.batches.unknown_tokens import unknown_note
from freezebench.training.device import resolve_device
from freezebench.training.engines.cached import make_feed
from freezebench.training.prefix.frozen_prefix import model_key
from freezebench.training.prefix.verify import PrefixMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedTokenizerBase

    from freezebench.data.load import TextData
    from freezebench.models.source import ModelSource
    from freezebench.records.run_record import RunRecord
    from freezebench.runs.data_cache import DataCache, TokenizedData
    from freezebench.specs.run import Precision, RunSpec
    from freezebench.strategies.base import Stage
    from freezebench.strategies.freeze import Applied
    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.prefix.cache import PrefixCache
    from freezebench.training.prefix.feed import Feed


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a run trains: a frozen model on its device, and its tokenized data.

    Attributes:
        model: The model, its parameters' ``requires_grad`` set.
        tokenizer: Its tokenizer.
        initial_sha256: Of a factory's model as it was loaded, the content hashes of embeddings and layers, and of all.
        applied: What trains, and its layers.
        data: The tokenized data set.
        label_names: Name of every class or label, which the model has an output for.
        precision: Number format of the forward passes.
        warnings: What a user should know of the model.
        plain: Of a model to which strategies have added something, its key before, and the number of its leading
            layers to which nothing was added.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    initial_sha256: tuple[str, str] | None
    applied: Applied
    data: TokenizedData
    label_names: tuple[str, ...]
    precision: Precision
    warnings: tuple[str, ...]
    plain: tuple[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class StageSetup:
    """What a stage of a training needs.

    Attributes:
        stage: What trains in it.
        epochs: Its epochs, counted from 0.
        feed: Batches and forward passes of the cached engine; ``None`` for the other engines.
        eval_modules: Frozen modules whose dropout stays off in training.
    """

    stage: Stage
    epochs: range
    feed: Feed | None
    eval_modules: tuple[torch.nn.Module, ...]


def set_up(source: ModelSource, data: TextData, data_cache: DataCache, *, spec: RunSpec, precision: Precision) -> Setup:
    """Load and freeze the model, move it to its device, and tokenize the data.

    Raises:
        SpecError: If the training is too short for a strategy.
        UnsoundRunError: If the parameters that train, or the labels, are not those of the spec.
    """
    torch.manual_seed(spec.seed)  # the head's initial weights
    model, tokenizer = load_model(source, data.num_labels, label_names=data.label_names, seed=spec.seed, task=data.task)
    warnings = seed_note(spec.seed)
    layers = find_layers(model)
    loaded = checksums(model)
    if source.kind != "factory":  # whose encoder may be random
        check_start(loaded, data_cache.first_weights(spec, loaded), layers)
    # Read before freezing, which sets requires_grad of every parameter.
    fixed = fixed_parameters(model)
    warnings += fixed_note(model, fixed)  # before strategies give parameters other names
    initial = initial_sha256(model, layers, fixed) if source.kind == "factory" else None
    spec.freeze_spec.check_epochs(spec.protocol.num_epochs, layers.num_layers)
    plain_key = ""
    if spec.engine == "cached" and spec.freeze_spec.strategies:
        names = {*layers.emb, *itertools.chain(*layers.layers)}
        plain_key = model_key(model, names, precision, resolve_device(spec.device))
    applied = apply(model, spec.freeze_spec, layers, fixed=fixed)
    last = max((stage.first_epoch for stage in applied.trainable.stages), default=1)
    if last > spec.protocol.num_epochs:
        raise SpecError(
            f"{spec.freeze} begins its last stage with epoch {last}, and the training has {spec.protocol.num_epochs}. "
            f"Use --freeze-epochs={last} or more."
        )
    depth = applied.num_plain_layers if plain_key and applied.trainable.added else None
    unfrozen = trainable_by_spec(model, applied.layers, spec.freeze_spec, fixed)
    # Strategies train a part of it, and what they have added.
    is_all = not spec.freeze_spec.strategies
    check_freezing(model, spec.freeze_spec, unfrozen if is_all else unfrozen & applied.trainable.names)
    model.to(resolve_device(spec.device))
    tokenized = data_cache.tokenized(spec, tokenizer, model)
    max_length = longest_input(model, tokenizer, spec.protocol.max_length)
    check_data(data.splits, tokenized.splits, lambda some: encode(some, tokenizer, model, max_length))
    return Setup(
        model=model,
        tokenizer=tokenizer,
        initial_sha256=initial,
        applied=applied,
        data=tokenized,
        label_names=data.label_names,
        precision=precision,
        warnings=warnings
        + unscored_note(tokenized.splits, max_length, data.label_names)
        + unknown_note(tokenized.unknown),
        plain=None if depth is None else (plain_key, depth),
    )


def with_model(draft: RunRecord, setup: Setup) -> RunRecord:
    """Return the draft with what is known of the model once a spec was applied to it."""
    summary = setup.applied.summary
    return replace(
        draft,
        new_parameters=new_parameters(setup.model),
        initial_sha256=setup.initial_sha256,
        num_layers=summary.num_layers,
        num_params=summary.num_params,
        num_trainable_params=summary.num_trainable_params,
        num_added_params=summary.num_added_params,
    )


def stages_of(spec: RunSpec, setup: Setup, data_cache: DataCache) -> tuple[tuple[StageSetup, ...], tuple[str, ...]]:
    """Return what each stage of the training needs, and warnings.

    All feeds are made before the training, when the model has the weights with which prefixes are cached for all runs.
    So the prefix of a stage ends before the first layer that trains in it or has trained in an earlier one. If the
    stages train ever more of the model, it is all that is frozen.

    Raises:
        UnsoundRunError: If a cached prefix differs from what the model computes.
    """
    applied = setup.applied
    stages = applied.trainable.in_stages(spec.protocol.num_epochs)
    packed, warnings = _packed(spec, setup)
    feeds: list[Feed | None] = [None] * len(stages)
    if packed is not None:
        trained = itertools.accumulate((stage.names for stage, _ in stages), lambda names, more: names | more)
        depths = [applied.cached_depth(names) for names in trained]
        # One pass over the data computes the prefixes of all stages.
        data_cache.prefixes.expect(depth for depth in depths if depth is not None)
        feeds = [
            _feed(spec, setup, packed, data_cache.prefixes, stage=number, depth=depth, names=stage.names)
            for number, ((stage, _), depth) in enumerate(zip(stages, depths, strict=True))
        ]
        warnings = tuple(dict.fromkeys(warning for feed in feeds if feed for warning in feed.warnings))
    runs_in_eval = spec.protocol.frozen_part_runs_in == "eval"
    return tuple(
        StageSetup(
            stage=stage,
            epochs=epochs,
            feed=feed,
            eval_modules=frozen_modules(setup.model, applied.frozen_names(stage.names)) if runs_in_eval else (),
        )
        for (stage, epochs), feed in zip(stages, feeds, strict=True)
    ), warnings


def _packed(spec: RunSpec, setup: Setup) -> tuple[Mapping[str, PackedSplit] | None, tuple[str, ...]]:
    """Return the data as the cached engine takes it, and a warning if it cannot; nothing for the other engines."""
    if spec.engine != "cached":
        return None, ()
    try:
        return setup.data.packed, ()
    except NotPackableError as error:
        return None, (f"nothing is cached: {error}",)


def _feed(
    spec: RunSpec,
    setup: Setup,
    packed: Mapping[str, PackedSplit],
    prefixes: PrefixCache,
    *,
    stage: int,
    depth: int | None,
    names: frozenset[str],
) -> Feed:
    """Return the feed of a stage, counted from 0, in which some parameters train.

    Raises:
        UnsoundRunError: If a cached prefix differs from what the model computes.
    """
    set_trainable(setup.model, names)
    try:
        return make_feed(
            setup.model,
            spec.freeze,
            packed,
            prefixes,
            depth=depth,
            precision=setup.precision,
            prefix_mode=spec.protocol.frozen_part_runs_in,
            weight_decay=spec.protocol.weight_decay,
            stage=stage,
            num_stages=len(setup.applied.trainable.in_stages(spec.protocol.num_epochs)),
            seed=spec.seed,
            layers=setup.applied.layers,
            plain=setup.plain,
        )
    except PrefixMismatchError as error:
        raise UnsoundRunError("prefix_mismatch", str(error)) from error
