"""The engines: the notebook's protocol, and that both give the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from freezebench.data.splits import Split
from freezebench.errors import SettingsError
from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.run_record import EpochRecord, Evaluation
from freezebench.specs.run import Protocol
from freezebench.training.batches.encoding import encode
from freezebench.training.engines import loop, step, trainer
from freezebench.training.engines.evaluate import evaluate
from freezebench.training.engines.events import BackwardDone, Event
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import NonFiniteLossError, TrainingResult
from tiny import sentences, trainable_names

Train = Callable[[Job, Callable[[Event], None]], TrainingResult]
ENGINES: dict[str, Train] = {
    "standard": lambda job, emit: loop.train([job], emit),
    "trainer": lambda job, emit: trainer.train([job], emit),
}
PROTOCOL = Protocol(num_epochs=3, batch_size=8, learning_rate=1e-2, dropout=False)


def _split(num: int, num_labels: int = 2, seed: int = 0) -> Split:
    texts, labels = zip(*sentences(num, num_labels, seed), strict=True)
    return Split(texts=tuple((text,) for text in texts), labels=labels)


def _job(folder: Path, protocol: Protocol = PROTOCOL, *, num_labels: int = 2, frozen: str = "embeddings") -> Job:
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=num_labels, ignore_mismatched_sizes=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = frozen not in name
    validation = encode(_split(20, num_labels, 1), tokenizer, model, 32)
    return Job(
        model=model,
        tokenizer=tokenizer,
        train=encode(_split(42, num_labels), tokenizer, model, 32),
        protocol=protocol,
        precision="float32",
        seed=3,
        names=trainable_names(model),
        epochs=range(protocol.num_epochs),
        evaluate=lambda: evaluate(model, validation, tokenizer, num_labels=num_labels, precision="float32"),
    )


@pytest.mark.parametrize("num_labels", [2, 3])
def test_standard_and_trainer_give_the_same_loss_trace(tiny_model: Path, num_labels: int) -> None:
    """With the same seed and batches and dropout off, losses are equal step by step, and so are the weights."""
    jobs = {name: _job(tiny_model, num_labels=num_labels) for name in ENGINES}
    results = {name: ENGINES[name](job, lambda _: None) for name, job in jobs.items()}
    standard, reference = results["standard"], results["trainer"]
    assert len(standard.step_losses) == 18
    assert standard.step_losses == pytest.approx(reference.step_losses, rel=1e-5)
    assert len(set(standard.step_losses)) == 18
    for mine, theirs in zip(standard.epochs, reference.epochs, strict=True):
        assert mine.validation.loss == pytest.approx(theirs.validation.loss, rel=1e-5)
    assert standard.best_epoch == reference.best_epoch
    weights = [list(jobs[name].model.parameters()) for name in ENGINES]
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)


def test_rates_per_parameter_give_the_same_loss_trace(tiny_model: Path) -> None:
    """Trainer's groups, which decay weights or not, are divided by the factors of the rates."""
    protocol = replace(PROTOCOL, num_epochs=2)
    names = sorted(_job(tiny_model).names)
    factors = {name: 0.5 if ".layer.0." in name else 0.1 for name in names if "distilbert" in name}
    jobs = {name: replace(_job(tiny_model, protocol), rate_factors=factors) for name in ENGINES}
    losses = {name: ENGINES[name](job, lambda _: None).step_losses for name, job in jobs.items()}
    assert losses["standard"] == pytest.approx(losses["trainer"], rel=1e-5)
    alike = loop.train([_job(tiny_model, protocol)], lambda _: None).step_losses
    assert losses["standard"][:1] == alike[:1]
    assert losses["standard"][1:] != alike[1:]


def test_the_trainer_refuses_stages(tiny_model: Path) -> None:
    """Its loop cannot change what trains."""
    job = _job(tiny_model)
    with pytest.raises(SettingsError, match=r"this training has 2 stages\. Use the standard engine"):
        trainer.train([job, job], lambda _: None)


def test_standard_is_the_protocol_of_the_notebook(tiny_model: Path) -> None:
    """Plain AdamW with linear decay to 0 and clipping at 1, written out once more, gives the same losses."""
    job = _job(tiny_model)
    result = loop.train([job], lambda _: None)
    again = _job(tiny_model)
    parameters = [parameter for parameter in again.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses: list[float] = []
    batches = again.batches()
    for epoch in range(3):
        batches.set_epoch(epoch)
        for batch in batches:
            optimizer.param_groups[0]["lr"] = 1e-2 * (1 - len(losses) / 18)
            labels = batch.pop("labels")
            loss = cross_entropy(again.model.eval()(**batch).logits, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    assert result.step_losses == pytest.approx(losses, rel=1e-5)


def test_clipping_needs_no_grad_scale(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimizer that ignores ``grad_scale`` gets gradients that are clipped before."""
    protocol = replace(PROTOCOL, num_epochs=1, max_grad_norm=0.01)
    expected = loop.train([_job(tiny_model, protocol)], lambda _: None)
    monkeypatch.setattr(step, "scales_gradients", lambda _: False)
    clipped = loop.train([_job(tiny_model, protocol)], lambda _: None)
    assert clipped.step_losses == pytest.approx(expected.step_losses, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_repeats_bit_by_bit(tiny_model: Path, engine: str) -> None:
    """Two runs with one seed, dropout on, give identical traces on one machine."""
    protocol = replace(PROTOCOL, dropout=True)
    traces = []
    for _ in range(2):
        job = _job(tiny_model, protocol)
        torch.manual_seed(3)
        traces.append(ENGINES[engine](job, lambda _: None).step_losses)
    assert traces[0] == traces[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_frozen_layers_are_in_train_mode(tiny_model: Path, engine: str) -> None:
    """As in the notebook; with dropout off every module is in eval mode."""
    for dropout in (True, False):
        job = _job(tiny_model, replace(PROTOCOL, num_epochs=1, dropout=dropout))
        modes: list[bool] = []
        embeddings = job.model.get_submodule("distilbert.embeddings")
        embeddings.register_forward_pre_hook(lambda module, _, modes=modes: modes.append(module.training))

        def forget_warm_up(event: Event, modes: list[bool] = modes) -> None:
            if isinstance(event, TrainingStarted):
                modes.clear()

        # Evaluation, which switches dropout off, is that of another model here.
        ENGINES[engine](replace(job, evaluate=_job(tiny_model).evaluate), forget_warm_up)
        assert modes == [dropout] * 6


@pytest.mark.parametrize("engine", ENGINES)
def test_the_weights_of_the_best_epoch_are_restored(tiny_model: Path, engine: str) -> None:
    """After training, the model has the weights of the epoch whose validation loss was lowest."""
    job = _job(tiny_model)
    losses = iter([0.5, 0.3, 0.4])
    snapshots = []

    def scripted() -> Evaluation:
        snapshots.append([parameter.detach().clone() for parameter in job.model.parameters()])
        return replace(_job(tiny_model).evaluate(), loss=next(losses))

    result = ENGINES[engine](replace(job, evaluate=scripted), lambda _: None)
    assert result.best_epoch == 2
    for kept, best in zip(job.model.parameters(), snapshots[1], strict=True):
        assert torch.equal(kept, best)
    assert not all(torch.equal(a, b) for a, b in zip(snapshots[1], snapshots[2], strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_only_trainable_weights_change(tiny_model: Path, engine: str) -> None:
    """Frozen weights do not change, all others do."""
    job = _job(tiny_model)
    before = {name: parameter.detach().clone() for name, parameter in job.model.named_parameters()}
    ENGINES[engine](job, lambda _: None)
    changed = {name for name, parameter in job.model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == {name for name in before if "embeddings" not in name}


@pytest.mark.parametrize("engine", ENGINES)
def test_events_come_in_order(tiny_model: Path, engine: str) -> None:
    """Training starts, steps and pauses in every epoch; its evaluation comes during the pause."""
    events: list[Event] = []
    result = ENGINES[engine](_job(tiny_model), events.append)
    kinds = [type(event) for event in events if not isinstance(event, BackwardDone)]
    epoch = [TrainingStarted, *[StepRecord] * 6, TrainingPaused, EpochRecord]
    assert kinds == epoch * 3
    assert [event.step for event in events if isinstance(event, StepRecord)] == list(range(1, 19))
    assert len(result.step_s) == 18
    assert 0 < result.train_s <= result.train_and_eval_s
    assert result.train_s == pytest.approx(sum(record.train_s or 0.0 for record in result.epochs))
    assert sum(result.step_s) <= result.train_s


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_backward_pass_emits_an_event(tiny_model: Path, engine: str) -> None:
    """Every trainable parameter has its gradient and its optimizer state then."""
    job = _job(tiny_model)
    trainable = [parameter for parameter in job.model.parameters() if parameter.requires_grad]
    seen: list[tuple[int, int]] = []

    def look(event: Event) -> None:
        if isinstance(event, BackwardDone):
            assert isinstance(event.optimizer, torch.optim.AdamW)
            seen.append((sum(parameter.grad is not None for parameter in trainable), len(event.optimizer.state)))

    ENGINES[engine](job, look)
    assert seen == [(len(trainable), len(trainable))]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_is_not_finite_ends_the_run(tiny_model: Path, engine: str) -> None:
    """The error names the step; the Trainer does not hide NaN."""
    job = _job(tiny_model)
    with torch.no_grad():
        job.model.get_parameter("classifier.weight").fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match="training loss was nan at step 1"):
        ENGINES[engine](job, lambda _: None)


@pytest.mark.parametrize("engine", ENGINES)
def test_bf16_trains(tiny_model: Path, engine: str) -> None:
    """Mixed precision lowers the loss as well; weights stay float32."""
    job = replace(_job(tiny_model), precision="bf16")
    result = ENGINES[engine](job, lambda _: None)
    assert result.step_losses[-1] < result.step_losses[0]
    assert {parameter.dtype for parameter in job.model.parameters()} == {torch.float32}
