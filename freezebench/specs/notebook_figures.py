"""Figures that the notebook published (wesleyacheng, Kaggle, July 2023): DistilBERT on SST-2, one seed, one GPU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedRun:
    """One configuration of the notebook.

    Attributes:
        num_trainable_params: Number of parameters that trained.
        train_s: Runtime in seconds, including the evaluations between the epochs.
        samples_per_s: Training sentences per second.
        steps_per_s: Optimizer steps per second.
        train_loss: Mean training loss, in nats.
        validation_loss: Loss on 910 sentences, in nats; ``validation_accuracy`` and ``validation_f1`` are from 0 to 1.
        test_accuracy: Accuracy on 911 sentences, 0 to 1; ``test_f1`` is the F1 on the same sentences.
    """

    num_trainable_params: int
    train_s: float
    samples_per_s: float
    steps_per_s: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_f1: float
    test_accuracy: float
    test_f1: float


def _run(params: int, *figures: float) -> PublishedRun:
    train_s, samples, steps, loss, val_loss, val_accuracy, val_f1, accuracy, f1 = figures
    return PublishedRun(
        num_trainable_params=params,
        train_s=train_s,
        samples_per_s=samples,
        steps_per_s=steps,
        train_loss=loss,
        validation_loss=val_loss,
        validation_accuracy=val_accuracy,
        validation_f1=val_f1,
        test_accuracy=accuracy,
        test_f1=f1,
    )


# In the order of the notebook's tables; tests compare the presets' limits with these drops.
PUBLISHED: dict[str, PublishedRun] = {
    "none": _run(66955010, 211.844, 326.655, 10.243, 0.0664, 0.2792, 0.9055, 0.9095, 0.8891, 0.8891),
    "emb": _run(43119362, 204.0313, 339.164, 10.636, 0.0722, 0.2792, 0.911, 0.9148, 0.8935, 0.8919),
    "emb+L0": _run(36031490, 184.0252, 376.035, 11.792, 0.078, 0.2801, 0.9077, 0.9125, 0.8902, 0.8881),
    "emb+L0-1": _run(28943618, 163.0884, 424.31, 13.306, 0.0849, 0.2906, 0.8978, 0.9032, 0.8847, 0.8822),
    "emb+L0-2": _run(21855746, 143.3975, 482.575, 15.133, 0.1009, 0.2625, 0.9132, 0.915, 0.8968, 0.8917),
    "emb+L0-3": _run(14767874, 124.2522, 556.932, 17.464, 0.1389, 0.2627, 0.889, 0.8908, 0.8902, 0.8853),
    "emb+L0-4": _run(7680002, 104.59, 661.631, 20.748, 0.2338, 0.2669, 0.8912, 0.8937, 0.8771, 0.8724),
    "emb+L0-5": _run(592130, 87.4571, 791.245, 24.812, 0.4265, 0.3483, 0.8505, 0.8547, 0.8222, 0.8172),
}
