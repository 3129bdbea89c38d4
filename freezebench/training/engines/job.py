"""The jobs that an engine trains: one for each stage of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from freezebench.tasks.scores import logits_of
from freezebench.training.batches.loader import EpochLoader, FeedLoader
from freezebench.training.batches.order import BucketedBatches, ShuffledBatches
from freezebench.training.device import autocast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from transformers import PreTrainedTokenizerBase

    from freezebench.records.run_record import Evaluation
    from freezebench.specs.run import Precision, Protocol
    from freezebench.training.batches.encoding import Batch, Encoded
    from freezebench.training.batches.order import BatchOrder
    from freezebench.training.prefix.feed import Feed


@dataclass(frozen=True, kw_only=True)
class Job:
    """A frozen model on its device, tokenized data, and the protocol by which to train: one stage of a training.

    Most trainings have one stage. The jobs of several stages have the same model, data and protocol.

    Attributes:
        model: The model.
        tokenizer: Pads the batches.
        train: Training sentences.
        protocol: How to train.
        precision: Resolved number format.
        seed: Seeds the order of sentences.
        names: Names of the parameters that train in this stage.
        epochs: The epochs of this stage, counted from 0.
        evaluate: Evaluates the model on the validation split.
        feed: Batches and forward passes of the cached engine; ``None``: padded batches through the whole model.
        eval_modules: Frozen modules that stay in eval mode (without dropout) in training.
        rate_factor: Learning rate in this stage, as a multiple of the protocol's.
        rate_factors: Learning rates as multiples of the stage's, by name of the parameter; 1 for all others.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    train: Encoded
    protocol: Protocol
    precision: Precision
    seed: int
    names: frozenset[str]
    epochs: range
    evaluate: Callable[[], Evaluation]
    feed: Feed | None = None
    eval_modules: tuple[torch.nn.Module, ...] = ()
    rate_factor: float = 1.0
    rate_factors: Mapping[str, float] = field(default_factory=dict)

    @cached_property  # a search for the first parameter in every step would take a few percent of a small one
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def batches(self) -> EpochLoader | FeedLoader:
        """Return the training batches, in the same order for all configurations and engines."""
        order = self._order()
        return EpochLoader(self.train, order, self.tokenizer) if self.feed is None else FeedLoader(self.feed, order)

    def _order(self) -> BatchOrder:
        """Return the order of batches that the protocol names."""
        batch_size = self.protocol.batch_size
        if self.protocol.order_of_batches == "shuffled":
            return ShuffledBatches(len(self.train), batch_size, self.seed)
        return BucketedBatches(self.train.lengths, self.train.task.strata(self.train.labels), batch_size, self.seed)

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the scores of a batch without its labels, shape (batch, outputs) or (batch, tokens, outputs)."""
        return logits_of(self.model(**batch)) if self.feed is None else self.feed.logits(batch)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss of a batch on the device, and its scores."""
        inputs = dict(batch)
        labels = inputs.pop("labels")
        with autocast(self.precision, self.device):
            logits = self.logits(inputs)
        # Outside of autocast and in float32, to which logits_of() converts the scores.
        return self.train.task.loss(logits, labels), logits

    def set_train_mode(self) -> None:
        """Turn dropout on if the protocol has it, except in the modules that stay in eval mode."""
        self.model.train(self.protocol.dropout)
        for module in self.eval_modules:
            module.eval()

    def clear_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Clear the gradients of a step."""
        if self.feed is not None:
            self.feed.clear_gradients(parameters)
            return
        for parameter in parameters:
            parameter.grad = None
