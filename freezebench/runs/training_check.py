"""Check that an engine trains as the spec says, by what can be observed from outside while it does.

Each check costs about as much as a step or less, and none depends on the code that it checks::

    before         sentences, labels and order of batches
    first step     of each stage: modes of the modules, cleared gradients
    every epoch    checksums of the weights whose validation loss is the lowest so far
    last step      of each stage: parameters, learning rates and numbers of steps of the optimizer
    every stage    the weights that do not train in it have not changed
    afterwards     the weights are those of the best epoch, and the times fit into each other
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.runs.weights import UnsoundRunError, checksums, frozen_by_spec
from freezebench.training.engines.events import BackwardDone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.records.run_record import Evaluation
    from freezebench.specs.run import RunSpec
    from freezebench.strategies.freeze import Applied
    from freezebench.training.batches.encoding import Encoded
    from freezebench.training.engines.events import Emit, Event
    from freezebench.training.engines.job import Job
    from freezebench.training.engines.log import TrainingResult

_RATE_TOLERANCE = 1e-4  # rates are float32 on a GPU
_MIN_BATCHES = 4  # fewer batches may come in one order for several seeds by chance
_NUM_OTHER_SEEDS = 3
# Two clocks, those of device and host, differ by less.
_CLOCK_RATIO = 1.02
_CLOCK_S = 1e-3


class TrainingCheck:
    """Observes one run's training."""

    def __init__(self, model: torch.nn.Module, spec: RunSpec, applied: Applied, *, num_train: int) -> None:
        """Take what the run has to be like.

        Args:
            model: The model.
            spec: What to run.
            applied: What trains of the model.
            num_train: Number of training sentences.
        """
        self._model, self._protocol, self._applied = model, spec.protocol, applied
        self._freeze = spec.freeze
        self._frozen_by_spec = frozen_by_spec(applied.layers, spec.freeze_spec)
        self._trainable = applied.trainable.names
        self._stages = applied.trainable.in_stages(spec.protocol.num_epochs)
        self._stage = 0
        self._steps_per_epoch = math.ceil(num_train / spec.protocol.batch_size)
        self._resting: dict[str, int] = {}
        self._lowest_loss = math.inf
        self._best: dict[str, int] = {}

    def validated(self, evaluation: Evaluation) -> Evaluation:
        """Return the evaluation after an epoch; the weights are remembered if its loss is the lowest so far."""
        if evaluation.loss < self._lowest_loss:
            self._lowest_loss, self._best = evaluation.loss, checksums(self._model, self._trainable)
        return evaluation

    def watching(self, emit: Emit) -> Emit:
        """Return a function that checks the training at its events, and passes them on to ``emit``."""

        def check(event: Event) -> None:
            if isinstance(event, TrainingStarted):
                self._start_epoch(event.epoch - 1)
            elif isinstance(event, BackwardDone):
                self._check_optimizer(event.optimizer)
            elif isinstance(event, StepRecord) and event.step == self._epochs.start * self._steps_per_epoch + 1:
                self._check_modes()
                self._check_gradients()
            emit(event)
            # After the meters have stopped.
            if isinstance(event, TrainingPaused) and event.epoch == self._epochs.stop:
                self._check_resting()

        return check

    def check_best(self, weights: dict[str, int]) -> None:
        """Check that the weights after training, given as checksums, are those of the lowest validation loss.

        Raises:
            UnsoundRunError: If they are not.
        """
        other = [name for name, checksum in self._best.items() if weights[name] != checksum]
        if other:
            raise UnsoundRunError(
                "not_as_specified",
                f"the weights after training are not those of the epoch with the lowest validation loss: {min(other)}",
            )

    @property
    def _names(self) -> frozenset[str]:
        """Names of the parameters that train in the current stage."""
        return self._stages[self._stage][0].names

    @property
    def _epochs(self) -> range:
        """The epochs of the current stage, counted from 0."""
        return self._stages[self._stage][1]

    def _start_epoch(self, epoch: int) -> None:
        """Note the weights that have to stay as they are in a stage that begins with this epoch, counted from 0."""
        for number, (stage, epochs) in enumerate(self._stages):
            if epoch == epochs.start:
                self._stage = number
                # Those that never train are checked after the training.
                self._resting = checksums(self._model, self._trainable - stage.names)

    def _check_resting(self) -> None:
        """Check at the end of a stage that the weights that do not train in it have not changed."""
        after = checksums(self._model, self._resting)
        changed = [name for name, checksum in self._resting.items() if after[name] != checksum]
        if changed:
            first, last = self._epochs.start + 1, self._epochs.stop
            when = f"epoch {first}" if first == last else f"epochs {first} to {last}"
            raise UnsoundRunError(
                "frozen_weights_changed", f"weights that are frozen in {when} changed: {min(changed)}"
            )

    def _check_modes(self) -> None:
        """Check that nothing is in train mode that the protocol has in eval mode: a frozen part, or the whole model."""
        frozen_in_eval = self._protocol.frozen_part_runs_in == "eval"
        # What the model itself has fixed, and a frozen head, run as the trainable part does.
        frozen = self._frozen_by_spec | self._applied.frozen_names(self._names)
        in_eval = _modules_of(self._model, frozen) if frozen_in_eval else iter(())
        if not self._protocol.dropout:
            in_eval = self._model.named_modules()
        wrong = next((name for name, module in in_eval if module.training), None)
        if wrong is not None:
            raise UnsoundRunError(
                "not_as_specified",
                f"{wrong or 'the model'} trained in train mode, with dropout; the protocol has it in eval mode",
            )

    def _check_gradients(self) -> None:
        """Check that the gradients of a step are cleared before the next; captured steps overwrite theirs."""
        for name, parameter in self._model.named_parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if name in self._trainable - self._names:
                raise UnsoundRunError(
                    "not_as_specified", f"a parameter has a gradient in a stage in which it does not train: {name}"
                )
            if gradient.is_cpu and gradient.any():
                raise UnsoundRunError(
                    "not_as_specified", f"the gradients of the first step are added to those of the second: {name}"
                )

    def _check_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Check before the last update what the optimizer updates, at which rate, and how often it has done so."""
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        names = {name for name, parameter in self._model.named_parameters() if id(parameter) in held}
        if names != self._trainable:
            wrong = min(names ^ self._trainable)
            verb = "lacks" if wrong in self._trainable else "updates the frozen parameter"
            raise UnsoundRunError(
                "not_as_specified",
                f"the optimizer has {len(names)} parameters, and {len(self._trainable)} train: it {verb} {wrong}",
            )
        self._check_num_steps(optimizer)
        self._check_rates(optimizer)

    def _check_num_steps(self, optimizer: torch.optim.Optimizer) -> None:
        """Check how often the optimizer has updated the parameters, except for the step that is about to come."""
        # A parameter that a gradient reaches in some steps only has fewer than others of the same stages.
        most: dict[int, int] = {}
        for name, parameter in self._model.named_parameters():
            state = optimizer.state.get(parameter, {})
            if name in self._names & self._applied.trainable.added and not state and parameter.grad is None:
                raise UnsoundRunError(
                    "not_as_specified",
                    f"no gradient reaches {name}, which {self._freeze} adds: the model does not use it",
                )
            if name in self._trainable and (state or parameter.grad is not None):
                num_epochs, num_steps = self._num_epochs(name), int(state.get("step", 0)) + (name in self._names)
                most[num_epochs] = max(most.get(num_epochs, 0), num_steps)
        for num_epochs, num_steps in most.items():
            expected = num_epochs * self._steps_per_epoch
            # Updates of what has not trained yet show in its weights at the end of the stage.
            if num_steps != expected and num_epochs:
                raise UnsoundRunError(
                    "not_as_specified",
                    f"the optimizer made {num_steps} steps; {num_epochs} epochs have {expected}",
                )

    def _num_epochs(self, name: str) -> int:
        """Return the number of epochs, up to the current stage, in which a parameter trains."""
        return sum(len(epochs) for stage, epochs in self._stages[: self._stage + 1] if name in stage.names)

    def _check_rates(self, optimizer: torch.optim.Optimizer) -> None:
        """Check the rate of every parameter at the last step of a stage."""
        num_steps = self._protocol.num_epochs * self._steps_per_epoch
        # Rates decay linearly from their first value to 0 after the last step of the training.
        left = (num_steps - self._epochs.stop * self._steps_per_epoch + 1) / num_steps
        stage, factors = self._stages[self._stage][0], self._applied.trainable.rate_factors
        rates = {id(item): float(group["lr"]) for group in optimizer.param_groups for item in group["params"]}
        for name, parameter in self._model.named_parameters():
            if name not in self._trainable:
                continue
            first = self._protocol.learning_rate * stage.rate_factor * factors.get(name, 1.0)
            if not math.isclose(rates[id(parameter)], first * left, rel_tol=_RATE_TOLERANCE):
                raise UnsoundRunError(
                    "not_as_specified",
                    f"the learning rate of the last step was {rates[id(parameter)]:.3g}; the rate "
                    f"{first:g} has decayed to {first * left:.3g} by then",
                )


def seed_note(seed: int) -> tuple[str, ...]:
    """Return a warning if torch's random state, right after a model was loaded, goes back to another seed."""
    if torch.initial_seed() == seed:
        return ()
    return (f"loading the model set torch's seed to {torch.initial_seed()}: every seed may start from the same head",)


def check_batches(job: Job, train: Encoded) -> tuple[str, ...]:
    """Check that batches hold training sentences with their labels; return a warning if all seeds have one order.

    Raises:
        UnsoundRunError: If the tokens under a batch's attention mask, with their label, are no training sentence.
    """
    batches = job.batches()
    batch = batches.average_batch()
    # Behind a cached prefix of all layers, batches hold first tokens only.
    if "attention_mask" in batch and not (job.feed is not None and job.feed.cls_only):
        rows = zip(batch["input_ids"], batch["attention_mask"].bool(), batch["labels"], strict=True)
        unknown = {
            (tuple(ids[mask].tolist()), _hashable((label[mask] if train.task.by_word else label).tolist()))
            for ids, mask, label in rows
        }
        # A large training set is only looked through, since copies of it would count in the peak memory of the run.
        lengths = {len(tokens) for tokens, _ in unknown}
        for example in train.examples:
            if len(example["input_ids"]) in lengths:
                unknown.discard((tuple(example["input_ids"]), _hashable(example["labels"])))
        if unknown:
            raise UnsoundRunError(
                "not_as_specified",
                "a batch does not consist of training sentences: its tokens, attention mask or labels are wrong",
            )
    if len(batches) < _MIN_BATCHES:
        return ()
    for number in range(1, _NUM_OTHER_SEEDS + 1):
        other = replace(job, seed=job.seed + number).batches().average_batch()
        if any(not torch.equal(other[name], tensor) for name, tensor in batch.items()):
            return ()
    return ("every seed trains on the sentences in the same order, so that seeds differ by less than they should",)


def _hashable(label: object) -> object:
    """Return a sentence's label, or its several labels as a tuple."""
    return tuple(label) if isinstance(label, list) else label


def check_times(result: TrainingResult, window_s: float) -> None:
    """Check that the steps fit into the training time, and that into the windows of the meters.

    Args:
        result: Measurements of the engine.
        window_s: Length of the meters' windows together.

    Raises:
        UnsoundRunError: If a part took longer than the whole.
    """
    steps_s = math.fsum(result.step_s)
    for part_s, part, whole_s, whole in (
        (steps_s, "all steps", result.train_s, "training"),
        (result.train_s, "training", window_s, "the windows of the meters"),
    ):
        if part_s > whole_s * _CLOCK_RATIO + _CLOCK_S:
            raise UnsoundRunError(
                "not_as_specified",
                f"the times contradict each other: {part} took {part_s:.4f} s, {whole} {whole_s:.4f} s",
            )


def _modules_of(model: torch.nn.Module, frozen: frozenset[str]) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the modules of the frozen part: those whose parameters are all frozen.

    A module without parameters, such as dropout, belongs to the nearest module around it that has some.
    """

    def visit(name: str, module: torch.nn.Module, *, is_frozen: bool) -> Iterator[tuple[str, torch.nn.Module]]:
        own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters()]
        is_frozen = frozen.issuperset(own) if own else is_frozen
        if is_frozen:
            yield name, module
        for key, child in module.named_children():
            yield from visit(f"{name}.{key}" if name else key, child, is_frozen=is_frozen)

    return visit("", model, is_frozen=False)
