"""The trainer engine: the same job through the Transformers Trainer, the reference for correctness and speed."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from freezebench.errors import SettingsError
from freezebench.tasks.classification import logits_of
from freezebench.training.batches.batching import EpochLoader
from freezebench.training.engines.job import Progress

if TYPE_CHECKING:
    import torch

    from freezebench.training.engines.job import Emit, Job, TrainingResult


def train(job: Job, emit: Emit) -> TrainingResult:
    """Fine-tune the job's model by the Transformers Trainer; the best epoch is kept in memory, nothing is saved.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
        SettingsError: If the job is on a GPU that Trainer would not choose.
    """
    if job.device.type == "cuda" and job.device.index != 0:
        raise SettingsError(
            f"the trainer engine trains on the first visible GPU, not on {job.device}. "
            f"Set CUDA_VISIBLE_DEVICES={job.device.index}, or use the standard engine."
        )
    progress = Progress(job, emit)
    with tempfile.TemporaryDirectory(prefix="freezebench-trainer-") as folder:
        trainer = _JobTrainer(job, progress, folder)
        trainer.train()
    return progress.finish()


class _JobTrainer(Trainer):
    """A Trainer that draws the job's batches and reports to its progress."""

    def __init__(self, job: Job, progress: Progress, folder: str) -> None:
        self._job = job
        self._epochs = _EpochCallback(progress)
        super().__init__(
            model=job.model,
            args=_arguments(job, folder),
            processing_class=job.tokenizer,
            callbacks=[self._epochs],
        )
        # Trainer adds callbacks of its own that print; progress is shown by freezebench.
        for callback in [c for c in self.callback_handler.callbacks if type(c).__name__ in _PRINTING_CALLBACKS]:
            self.remove_callback(callback)

    def get_train_dataloader(self) -> EpochLoader:
        """Return the job's own batches, so that both engines see the same ones."""
        batches = self._job.batches()
        if not isinstance(batches, EpochLoader):
            raise TypeError("the Trainer draws its own batches, not those of the cached engine")
        return batches

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        """Return the mean cross-entropy of one batch."""
        # Trainer has just switched train mode on.
        self._job.train_mode()
        labels = inputs.pop("labels")
        return cross_entropy(logits_of(model(**inputs)), labels)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Run one step and remember its loss."""
        loss: torch.Tensor = super().training_step(*args, **kwargs)
        self._epochs.loss = loss
        return loss


_PRINTING_CALLBACKS = {"PrinterCallback", "ProgressCallback", "NotebookProgressCallback"}


class _EpochCallback(TrainerCallback):
    """Tells the progress when epochs and steps begin and end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.loss: torch.Tensor | None = None

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self._progress.start()

    def on_pre_optimizer_step(self, *_: Any, optimizer: Any = None, **__: Any) -> None:
        # accelerate wraps the optimizer; its state is inside.
        self._progress.backward_done(getattr(optimizer, "optimizer", optimizer))

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if self.loss is not None:
            self._progress.step(self.loss)

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self._progress.pause()


def _arguments(job: Job, folder: str) -> TrainingArguments:
    """Return the protocol in the Trainer's words."""
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
    # More visible GPUs would make Trainer split every batch among them (DataParallel): another experiment.
    arguments._n_gpu = min(1, arguments.n_gpu)  # noqa: SLF001 - there is no public way
    return arguments
