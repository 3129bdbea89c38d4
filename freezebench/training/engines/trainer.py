"""The trainer engine: the same job through the Transformers Trainer, the reference for correctness and speed."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainerCallback, TrainingArguments

from freezebench.errors import SettingsError
from freezebench.tasks.scores import logits_of
from freezebench.training.batches.loader import EpochLoader
from freezebench.training.engines.log import TrainingLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from freezebench.training.batches.encoding import Batch
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.job import Job
    from freezebench.training.engines.log import TrainingResult


def train(jobs: Sequence[Job], emit: Emit) -> TrainingResult:
    """Fine-tune a model by the Transformers Trainer; the best epoch is kept in memory, nothing is saved.

    Args:
        jobs: The stages, of which there must be one.
        emit: Receives the events.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
        SettingsError: If there are several stages, or the job is on a GPU that Trainer would not choose.
    """
    if len(jobs) > 1:
        raise SettingsError(
            f"the trainer engine cannot change what trains between epochs, and this training has {len(jobs)} stages. "
            "Use the standard engine, and leave trainer out of the engines of the strategy."
        )
    (job,) = jobs
    if job.device.type == "cuda" and job.device.index != 0:
        raise SettingsError(
            f"the trainer engine trains on the first visible GPU, not on {job.device}. "
            f"Set CUDA_VISIBLE_DEVICES={job.device.index}, or use the standard engine."
        )
    log = TrainingLog(jobs, emit)
    log.start_stage(job)
    with tempfile.TemporaryDirectory(prefix="freezebench-trainer-") as folder:
        trainer = _JobTrainer(job, log, folder)
        trainer.train()
    return log.finish()


class _JobTrainer(Trainer):
    """A Trainer that draws the job's batches and reports to its log."""

    def __init__(self, job: Job, log: TrainingLog, folder: str) -> None:
        self._job = job
        self._log_callback = _LogCallback(log)
        super().__init__(
            model=job.model,
            args=_arguments(job, folder),
            processing_class=job.tokenizer,
            callbacks=[self._log_callback],
        )
        # Trainer adds callbacks of its own that print; freezebench shows the progress itself.
        for callback in [c for c in self.callback_handler.callbacks if type(c).__name__ in _PRINTING_CALLBACKS]:
            self.remove_callback(callback)

    def get_train_dataloader(self) -> EpochLoader:
        """Return the job's own batches, so that both engines see the same ones."""
        batches = self._job.batches()
        if not isinstance(batches, EpochLoader):
            raise TypeError("the trainer engine was given the feed of the cached engine: its job must have no feed")
        return batches

    def create_optimizer(self, *arguments: Any) -> torch.optim.Optimizer:
        """Return Trainer's own optimizer, its groups divided by the factors of the job's rates."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(*arguments)
        factors = {
            parameter: self._job.rate_factors.get(name, 1.0) for name, parameter in self._job.model.named_parameters()
        }
        groups = []
        for group in optimizer.param_groups:
            for factor in dict.fromkeys(factors[parameter] for parameter in group["params"]):
                parameters = [parameter for parameter in group["params"] if factors[parameter] == factor]
                groups.append({**group, "params": parameters, "lr": group["lr"] * factor})
        optimizer.param_groups[:] = groups
        return optimizer

    def compute_loss(self, model: torch.nn.Module, inputs: Batch, *_: object, **__: object) -> torch.Tensor:
        """Return the mean loss of one batch."""
        # Trainer has switched the whole model to train mode.
        self._job.set_train_mode()
        labels = inputs.pop("labels")
        return self._job.train.task.loss(logits_of(model(**inputs)), labels)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run one step and keep its loss for the log."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self._log_callback.loss = loss
        return loss


_PRINTING_CALLBACKS = {"PrinterCallback", "ProgressCallback", "NotebookProgressCallback"}


class _LogCallback(TrainerCallback):
    """Reports the beginning and end of epochs and steps to the log."""

    def __init__(self, log: TrainingLog) -> None:
        self._log = log
        self.loss: torch.Tensor | None = None

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        self._log.start_epoch()

    def on_pre_optimizer_step(self, *_: object, optimizer: torch.optim.Optimizer | None = None, **__: object) -> None:
        # accelerate wraps the optimizer, which has the state.
        if optimizer is not None:
            self._log.backward_done(getattr(optimizer, "optimizer", optimizer))

    def on_step_end(self, *_: object, **__: object) -> None:
        if self.loss is not None:
            self._log.step(self.loss)

    def on_epoch_end(self, *_: object, **__: object) -> None:
        self._log.end_epoch()


def _arguments(job: Job, folder: str) -> TrainingArguments:
    """Return the protocol as the Trainer's arguments."""
    protocol = job.protocol
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=protocol.num_epochs,
        per_device_train_batch_size=protocol.batch_size,
        learning_rate=protocol.learning_rate,
        weight_decay=protocol.weight_decay,
        max_grad_norm=protocol.max_grad_norm,
        lr_scheduler_type="linear",
        warmup_steps=0,
        bf16=job.precision == "bf16",
        use_cpu=job.device.type == "cpu",
        seed=job.seed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    # With several visible GPUs Trainer would split every batch among them (DataParallel), which is another experiment.
    arguments._n_gpu = min(1, arguments.n_gpu)  # noqa: SLF001 - there is no public way
    return arguments
