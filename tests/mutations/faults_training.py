"""Faults in how a model is frozen and trained."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from freezebench.models.layers import LayerMap
from freezebench.runs import experiment, setup
from freezebench.runs.data_cache import DataCache
from freezebench.training.batches import loader
from freezebench.training.engines import loop
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import TrainingLog
from freezebench.training.engines.step import Step
from mutant import CANDIDATE, Fault, Mutant

_NO_TRAINING_SENTENCE = "a batch does not consist of training sentences: *"
_STAGES = "lpft(probe=2)"
_IN_STAGES = {"grid": f"none,{_STAGES}"}
_LAYER_0, _LAYER_1 = "distilbert.transformer.layer.0", "distilbert.transformer.layer.1"


def _frozen_layer_trains(mutant: Mutant) -> None:
    def apply(original: Any, model: Any, *arguments: Any, **named: Any) -> Any:
        applied = original(model, *arguments, **named)
        model.get_submodule(_LAYER_0).requires_grad_(True)
        return applied

    mutant.replace(setup, "apply", apply, only=CANDIDATE)


def _frozen_weight_is_written(mutant: Mutant) -> None:
    def update(original: Any, self: Step) -> None:
        original(self)
        with torch.no_grad():
            self.model.get_parameter(f"{_LAYER_0}.ffn.lin1.weight").mul_(0.999)

    mutant.replace(Step, "update", update, only=CANDIDATE)


def _layers_off_by_one(mutant: Mutant) -> None:
    def names(original: Any, self: LayerMap, spec: Any) -> Any:
        shifted = replace(spec, layers=tuple((layer + 1) % self.num_layers for layer in spec.layers))
        return original(self, shifted)

    mutant.replace(LayerMap, "names", names, only=CANDIDATE)


def _optimizer_of(mutant: Mutant, keeps: Any) -> None:
    """Make the optimizer hold the parameters that ``keeps`` selects by name and parameter."""

    def optimizer(original: Any, jobs: list[Job]) -> Any:
        made = original(jobs)
        made.param_groups[0]["params"] = [p for n, p in jobs[0].model.named_parameters() if keeps(n, p)]
        return made

    mutant.replace(loop, "make_optimizer", optimizer, only=CANDIDATE)


def _optimizer_lacks_a_layer(mutant: Mutant) -> None:
    _optimizer_of(mutant, lambda name, parameter: parameter.requires_grad and not name.startswith(_LAYER_1))


def _optimizer_before_freezing(mutant: Mutant) -> None:
    _optimizer_of(mutant, lambda _, __: True)


def _layer_without_gradient(mutant: Mutant) -> None:
    def init(original: Any, self: Step, its_job: Job, optimizer: Any) -> None:
        original(self, its_job, optimizer)
        for parameter in its_job.model.get_submodule(_LAYER_1).parameters():
            parameter.register_hook(torch.zeros_like)  # type: ignore[no-untyped-call]

    mutant.replace(Step, "__init__", init, only=CANDIDATE)


def _rate_too_low(only: str | None) -> Any:
    def put_in(mutant: Mutant) -> None:
        def optimizer(original: Any, jobs: list[Job]) -> Any:
            rate = jobs[0].protocol.learning_rate / 10
            protocol = replace(jobs[0].protocol, learning_rate=rate)
            return original([replace(job, protocol=protocol) for job in jobs])

        mutant.replace(loop, "make_optimizer", optimizer, only=only)

    return put_in


def _schedule(factor: float) -> Any:
    def put_in(mutant: Mutant) -> None:
        def schedule(original: Any, optimizer: Any, _: Any) -> Any:
            return original(optimizer, lambda _: factor)

        mutant.replace(torch.optim.lr_scheduler, "LambdaLR", schedule)

    return put_in


def _steps_skipped(mutant: Mutant) -> None:
    calls: list[None] = []

    def update(original: Any, self: Step) -> None:
        calls.append(None)
        if len(calls) % 2 == 0:
            original(self)
        else:
            self.clear_gradients()

    mutant.replace(Step, "update", update, only=CANDIDATE)


def _gradients_not_cleared(mutant: Mutant) -> None:
    mutant.replace(Job, "clear_gradients", lambda *_: None, only=CANDIDATE)


def _labels(wrong: Any, only: str | None) -> Any:
    """Put in other labels in the loss."""

    def put_in(mutant: Mutant) -> None:
        def loss(original: Any, self: Job, batch: Any) -> Any:
            return original(self, {**batch, "labels": wrong(batch["labels"])})

        mutant.replace(Job, "loss", loss, only=only)

    return put_in


def _shuffled(labels: torch.Tensor) -> torch.Tensor:
    return labels[torch.randperm(len(labels))]


def shuffle_labels(mutant: Mutant) -> None:
    """Shuffle the training labels of the candidate, which then learns nothing."""
    _labels(_shuffled, CANDIDATE)(mutant)


def _off_by_one(labels: torch.Tensor) -> torch.Tensor:
    return (labels + 1) % 2


def _all_one_class(labels: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(labels)


def _losses_that_hide_nan(mutant: Mutant) -> None:
    def loss(original: Any, self: Job, batch: Any) -> Any:
        value, logits = original(self, batch)
        with torch.no_grad():
            self.model.get_parameter("classifier.bias").fill_(math.nan)
        return torch.nan_to_num(value, nan=0.0), logits

    def evaluation(original: Any, *arguments: Any, **named: Any) -> Any:
        return replace(original(*arguments, **named), loss=0.0)

    mutant.replace(Job, "loss", loss, only=CANDIDATE)
    mutant.replace(experiment, "evaluation_of", evaluation, only=CANDIDATE)


def _best_epoch_ignored(mutant: Mutant) -> None:
    def finish(original: Any, self: TrainingLog) -> Any:
        last = {name: tensor.detach().clone() for name, tensor in self._changing_tensors()}
        self._best = last
        return original(self)

    mutant.replace(TrainingLog, "finish", finish, only=CANDIDATE)


def _half_of_the_data(mutant: Mutant) -> None:
    def order(original: Any, self: Job) -> Any:
        half = len(self.train) // 2
        train = replace(self.train, examples=self.train.examples[:half], labels=self.train.labels[:half])
        return original(replace(self, train=train))

    mutant.replace(Job, "_order", order, only=CANDIDATE)


def _trained_on_test(mutant: Mutant) -> None:
    test: list[Any] = []

    def tokenized(original: Any, self: DataCache, *arguments: Any) -> Any:
        data = original(self, *arguments)
        test[:] = data.splits["test"].examples
        return data

    def make(original: Any, **arguments: Any) -> Any:
        some = tuple(test[: len(arguments["train"])])
        train = replace(arguments["train"], examples=some, labels=tuple(example["labels"] for example in some))
        return original(**{**arguments, "train": train})

    mutant.replace(DataCache, "tokenized", tokenized)
    mutant.replace(experiment, "Job", make, only=CANDIDATE)


def _no_attention_mask(mutant: Mutant) -> None:
    mutant.replace(loader, "collator", without_mask)


def without_mask(original: Any, *arguments: Any) -> Any:
    """Return a collator whose attention mask has padding among the tokens."""

    def collate(examples: Any) -> Any:
        batch = original(*arguments)(examples)
        return {**batch, "attention_mask": torch.ones_like(batch["attention_mask"])}

    return collate


def _one_seed_for_all(mutant: Mutant) -> None:
    def run(original: Any, spec: Any, **arguments: Any) -> Any:
        return replace(original(replace(spec, seed=42), **arguments), spec=spec)

    mutant.replace(experiment, "run", run)


def _one_head_for_all(mutant: Mutant) -> None:
    def load(original: Any, *arguments: Any, **named: Any) -> Any:
        torch.manual_seed(0)
        return original(*arguments, **named)

    mutant.replace(setup, "load_model", load)


def _one_order_for_all(mutant: Mutant) -> None:
    mutant.replace(Job, "_order", lambda original, self: original(replace(self, seed=42)))


def _weights_not_restored(mutant: Mutant) -> None:
    loaded: dict[int, Any] = {}

    def load(original: Any, *arguments: Any, **named: Any) -> Any:
        seed = torch.initial_seed()
        if seed not in loaded:
            loaded[seed] = original(*arguments, **named)
        return loaded[seed]

    mutant.replace(setup, "load_model", load)


def _dropout_in_the_frozen_part(mutant: Mutant) -> None:
    mutant.replace(setup, "frozen_modules", lambda *_: (), only=CANDIDATE)


def _stage_trains_what_is_frozen(*, updates: bool) -> Any:
    """Let a layer have gradients in the stage of the head, and be updated or not."""

    def put_in(mutant: Mutant) -> None:
        def init(original: Any, self: Step, its_job: Job, optimizer: Any) -> None:
            original(self, its_job, optimizer)
            layer = its_job.model.get_submodule(_LAYER_1)
            layer.requires_grad_(True)
            self.parameters += [*layer.parameters()] if updates else []

        mutant.replace(Step, "__init__", init, only=_STAGES)

    return put_in


def _without_factors(only: str, **changes: Any) -> Any:
    """Leave out factors of rates."""

    def put_in(mutant: Mutant) -> None:
        def without(original: Any, *arguments: Any) -> Any:
            return original(
                *([replace(job, **changes) for job in item] if isinstance(item, list) else item for item in arguments)
            )

        for name in ("make_optimizer", "decaying_rates"):
            mutant.replace(loop, name, without, only=only)

    return put_in


FAULTS = (
    Fault(
        name="frozen-layer-trains",
        change="a layer that has to be frozen trains",
        ending="INVALID",
        sentence=f"16 parameters are not as emb+L0 says: {_LAYER_0}.attention.k_lin.bias is trainable, not frozen",
        put_in=_frozen_layer_trains,
    ),
    Fault(
        name="frozen-weight-written",
        change="code writes to a frozen weight",
        ending="INVALID",
        sentence=f"frozen weights changed: {_LAYER_0}.ffn.lin1.weight",
        put_in=_frozen_weight_is_written,
    ),
    Fault(
        name="layers-off-by-one",
        change="the numbers of layers are off by one, so that emb+L0 freezes L1",
        ending="INVALID",
        sentence="32 parameters are not as emb+L0 says: *",
        put_in=_layers_off_by_one,
    ),
    Fault(
        name="optimizer-lacks-a-layer",
        change="the optimizer lacks the parameters of a layer that trains",
        ending="INVALID",
        sentence="the optimizer has 4 parameters, and 20 train: it lacks *",
        put_in=_optimizer_lacks_a_layer,
    ),
    Fault(
        name="optimizer-before-freezing",
        change="the optimizer is made before the model is frozen",
        ending="INVALID",
        sentence="the optimizer has 40 parameters, and 20 train: it updates the frozen parameter *",
        put_in=_optimizer_before_freezing,
    ),
    Fault(
        name="no-gradient",
        change="no gradient reaches a layer that has to train",
        ending="warning",
        sentence="L1: trainable, but unchanged by training, since no gradient reached it",
        put_in=_layer_without_gradient,
        marker={"max_drop": 40},
    ),
    *(
        Fault(
            name=f"rate-too-low-{arm}",
            change=f"the learning rate of {words} is a tenth of what it has to be",
            ending="INVALID",
            sentence="the learning rate of the last step was 5.56e-06; the rate 0.002 has decayed to 5.56e-05 by then",
            put_in=_rate_too_low(only),
        )
        for arm, words, only in (
            ("candidate", "the candidate", CANDIDATE),
            ("baseline", "the baseline", "none"),
            ("both", "both arms", None),
        )
    ),
    Fault(
        name="rate-constant",
        change="the learning rate does not decay",
        ending="INVALID",
        sentence="the learning rate of the last step was 0.002; the rate 0.002 has decayed to 5.56e-05 by then",
        put_in=_schedule(1.0),
    ),
    Fault(
        name="rate-zero",
        change="the schedule sets the learning rate to 0",
        ending="INVALID",
        sentence="the learning rate of the last step was 0; *",
        put_in=_schedule(0.0),
    ),
    Fault(
        name="rates-of-layers",
        change="all layers have the rate of the head, although lower layers have to have lower ones",
        ending="INVALID",
        sentence="the learning rate of the last step was 5.56e-05; the rate 0.001024 has decayed to 2.84e-05 by then",
        put_in=_without_factors("llrd(decay=0.8)", rate_factors={}),
        marker={"grid": "none,llrd(decay=0.8)"},
    ),
    Fault(
        name="rate-of-a-stage",
        change="the head alone trains at the rate of the whole model, although it has to have a higher one",
        ending="INVALID",
        sentence="the learning rate of the last step was 0.00139; the rate 0.004 has decayed to 0.00278 by then",
        put_in=_without_factors(_STAGES, rate_factor=1.0),
        marker=_IN_STAGES,
    ),
    Fault(
        name="stage-trains-frozen",
        change="a layer trains in the epochs in which only the head has to",
        ending="INVALID",
        sentence=f"weights that are frozen in epoch 1 changed: {_LAYER_1}.*",
        put_in=_stage_trains_what_is_frozen(updates=True),
        marker=_IN_STAGES,
    ),
    Fault(
        name="stale-gradient",
        change="gradients pile up in a layer that does not train yet",
        ending="INVALID",
        sentence=f"a parameter has a gradient in a stage in which it does not train: {_LAYER_1}.*",
        put_in=_stage_trains_what_is_frozen(updates=False),
        marker=_IN_STAGES,
    ),
    Fault(
        name="steps-skipped",
        change="every other optimizer step is skipped",
        ending="INVALID",
        sentence="the optimizer made 18 steps; 3 epochs have 36",
        put_in=_steps_skipped,
    ),
    Fault(
        name="gradients-not-cleared",
        change="gradients are not cleared between steps",
        ending="INVALID",
        sentence="the gradients of the first step are added to those of the second: *",
        put_in=_gradients_not_cleared,
    ),
    Fault(
        name="labels-shuffled-candidate",
        change="the training labels of the candidate are shuffled",
        ending="INFERIOR",
        sentence="INFERIOR: emb+L0 *",
        put_in=shuffle_labels,
    ),
    Fault(
        name="labels-shuffled-baseline",
        change="the training labels of the baseline are shuffled",
        ending="INVALID",
        sentence="INVALID: none: *one class*",
        put_in=_labels(_shuffled, "none"),
    ),
    Fault(
        name="labels-off-by-one-candidate",
        change="the loss of the candidate uses class numbers that are off by one",
        ending="INFERIOR",
        sentence="INFERIOR: emb+L0 *",
        put_in=_labels(_off_by_one, CANDIDATE),
    ),
    Fault(
        name="labels-off-by-one",
        change="the loss of both arms uses class numbers that are off by one",
        ending="INVALID",
        sentence="INVALID: none: *one class*",
        put_in=_labels(_off_by_one, None),
    ),
    Fault(
        name="majority-candidate",
        change="the candidate learns to predict one class",
        ending="INFERIOR",
        sentence="emb+L0: *predict* one class for every test sentence",
        put_in=_labels(_all_one_class, CANDIDATE),
    ),
    Fault(
        name="majority-baseline",
        change="the baseline learns to predict one class",
        ending="INVALID",
        sentence="INVALID: none: seed 42 predicts one class for every test sentence",
        put_in=_labels(_all_one_class, "none"),
    ),
    Fault(
        name="nan-hidden",
        change="losses that are not a number are replaced by 0",
        ending="INVALID",
        sentence="200 test sentences have no scores, or none that are finite",
        put_in=_losses_that_hide_nan,
    ),
    Fault(
        name="best-epoch-ignored",
        change="the last epoch's weights are evaluated, not the best epoch's",
        ending="INVALID",
        sentence="the weights after training are not those of the epoch with the lowest validation loss: *",
        put_in=_best_epoch_ignored,
        marker={"epochs": 5, "lr": 5e-3},
    ),
    Fault(
        name="half-of-the-data",
        change="only half of the training sentences are used",
        ending="INVALID",
        sentence="the optimizer made 18 steps; 3 epochs have 36",
        put_in=_half_of_the_data,
    ),
    Fault(
        name="trained-on-test",
        change="the candidate trains on test sentences",
        ending="INVALID",
        sentence=_NO_TRAINING_SENTENCE,
        put_in=_trained_on_test,
    ),
    Fault(
        name="no-mask-in-training",
        change="training batches lack the mask of padding",
        ending="INVALID",
        sentence=_NO_TRAINING_SENTENCE,
        put_in=_no_attention_mask,
    ),
    Fault(
        name="one-seed-for-all",
        change="all seeds train with one seed",
        ending="INVALID",
        sentence="as if the seed had no effect",
        put_in=_one_seed_for_all,
    ),
    Fault(
        name="one-head-for-all",
        change="all seeds start with the same head",
        ending="warning",
        sentence="loading the model set torch's seed to 0: every seed may start from the same head",
        put_in=_one_head_for_all,
    ),
    Fault(
        name="one-order-for-all",
        change="all seeds train on the sentences in one order",
        ending="warning",
        sentence="every seed trains on the sentences in the same order, *",
        put_in=_one_order_for_all,
    ),
    Fault(
        name="weights-not-restored",
        change="the candidate continues from the trained weights of the baseline",
        ending="INVALID",
        sentence="the run did not start from the pretrained weights, as the first run of this session did: *",
        put_in=_weights_not_restored,
    ),
    Fault(
        name="dropout-in-the-frozen-part",
        change="dropout is on in a frozen part that has to run in eval mode",
        ending="INVALID",
        sentence="distilbert.embeddings trained in train mode, with dropout; the protocol has it in eval mode",
        put_in=_dropout_in_the_frozen_part,
        marker={"prefix_mode": "eval"},
    ),
)
