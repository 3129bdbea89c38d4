"""Every task by the standard engine, and by transformers' Trainer with the loss of its own heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainingArguments

from freezebench.models.load import load_model
from freezebench.specs.names import TASKS, TaskName
from freezebench.specs.run import Protocol
from freezebench.training.batches.encoding import encode
from freezebench.training.engines import loop
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.engines.job import Job
from task_data import NAMES, split
from tiny import trainable_names

_PROTOCOL = Protocol(num_epochs=2, batch_size=8, learning_rate=1e-2, dropout=False)


def _job(folder: Path, task: TaskName) -> Job:
    num_labels = len(NAMES[task])
    torch.manual_seed(5)
    model, tokenizer = load_model(str(folder), num_labels, task=task)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # Trainer switches the model to train mode
    validation = encode(split(task, 12, 1), tokenizer, model, 32)
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=encode(split(task, 28), tokenizer, model, 32),
        protocol=_PROTOCOL,
        precision="float32",
        seed=3,
        names=trainable_names(model),
        epochs=range(2),
        evaluate=lambda: evaluate(model, validation, tokenizer, num_labels=num_labels, precision="float32"),
    )


class _Plain(Trainer):
    """A Trainer with the job's batches; loss and optimizer are its own."""

    def __init__(self, job: Job, folder: Path) -> None:
        arguments = TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=2,
            per_device_train_batch_size=8,
            learning_rate=1e-2,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        self.losses: list[float] = []
        self._job = job
        super().__init__(model=job.model, args=arguments)

    def get_train_dataloader(self) -> Any:
        return self._job.batches()

    def training_step(self, model: Any, *arguments: Any, **named: Any) -> torch.Tensor:
        loss = super().training_step(model, *arguments, **named)
        self.losses.append(float(loss))
        return loss


@pytest.mark.parametrize("task", TASKS)
def test_losses_are_those_of_transformers_own_training(tiny_model: Path, tmp_path: Path, task: TaskName) -> None:
    """Step by step: AutoModelForTokenClassification with labels -100, and the losses that problem_type names."""
    reference = _Plain(_job(tiny_model, task), tmp_path)
    reference.train()
    result = loop.train([_job(tiny_model, task)], lambda _: None)
    assert len(result.step_losses) == 8
    assert result.step_losses == pytest.approx(reference.losses, rel=1e-4, abs=1e-5)
