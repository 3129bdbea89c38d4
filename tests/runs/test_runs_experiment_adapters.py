"""Runs with adapters: every engine, and the Transformers Trainer with a PeftModel, train the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from architectures import ARCHITECTURES, build
from freezebench.models.load import load_model
from freezebench.runs import setup
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.strategies.freeze import apply
from tiny import sentences, write_model, write_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

peft = pytest.importorskip("peft", reason="the extra `peft` is not installed")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of PEFT, which uses what transformers deprecates
]
PROTOCOL = Protocol(
    engine="standard",
    num_epochs=2,
    batch_size=8,
    learning_rate=1e-2,
    precision="float32",
    dropout=False,
    batch_order="bucketed",
)


@pytest.fixture(params=["distilbert", "bert", "modernbert"])
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny checkpoint of an architecture, with its tokenizer."""
    family, options, *_ = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    build(family, options, num_layers=3).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    return tmp_path


@pytest.mark.parametrize("freeze", ["lora", "emb+L0-1+lora(r=4,targets=all)"])
def test_engines_give_the_same_losses(checkpoint: Path, tiny_data: Path, freeze: str) -> None:
    """Behind a cached prefix, too: embeddings alone under ``lora``, two layers more under the other one."""
    standard = RunSpec(
        model=str(checkpoint), data=DataSpec(source=str(tiny_data)), freeze=freeze, device="cpu", protocol=PROTOCOL
    )
    records = [run(replace(standard, protocol=replace(PROTOCOL, engine=name))) for name in ("standard", "cached")]
    assert [record.reason for record in records] == [None, None]
    first, cached = (record.step_losses for record in records)
    assert first is not None
    assert max(first) - min(first) > 0.01  # weights change between steps
    assert cached == pytest.approx(first, abs=1e-4, rel=0)
    assert "prefix_bytes" in records[1].readings
    assert not any("cached" in warning or "unchanged" in warning for warning in records[1].warnings)
    added, trained = records[1].num_added_params, records[1].num_trainable_params
    assert added is not None
    assert trained is not None
    assert 0 < added < trained
    memory = {name: reading.value for name, reading in records[0].readings.items() if reading.unit == "B"}
    assert memory["weights_added_bytes"] == 4 * added
    assert (memory["weights_merged_bytes"] or 0) + 4 * added == memory["allocated_parameters_bytes"]
    assert memory["allocated_gradients_bytes"] == 4 * trained
    assert 8 * trained <= (memory["allocated_optimizer_bytes"] or 0) < 9 * trained  # two moments, and step counts
    activations = records[0].readings["allocated_rest_bytes"]
    assert activations.value is None
    assert "torch does not count what it allocates on a CPU" in (activations.reason or "")


def test_runs_with_and_without_adapters_share_a_prefix(tiny_data: Path, tmp_path: Path) -> None:
    """One pass serves all of them, whatever their seeds, down to the first layer with adapters."""
    cache = DataCache()
    spec = RunSpec(
        model=str(write_model(tmp_path, n_layers=3)),
        data=DataSpec(source=str(tiny_data)),
        device="cpu",
        protocol=replace(PROTOCOL, engine="cached", num_epochs=1),
    )
    cache.expect(["emb", "emb+L0-1", "emb+L0-2"])
    freezes = ("emb+L0-1+lora(r=2)", "lora(r=2)", "emb+L0-1", "emb+L0-1+ia3")
    records = [
        run(replace(spec, freeze=freeze, seed=seed), data_cache=cache) for freeze in freezes for seed in (42, 43)
    ]
    assert [record.reason for record in records] == [None] * 8
    assert cache.prefixes.num_passes == 1
    assert run(replace(spec, freeze="emb+L0-2"), data_cache=cache).is_valid
    assert cache.prefixes.num_passes == 2  # behind the layer that has had adapters
    alone = run(replace(spec, freeze="emb+L0-1+lora(r=2)", seed=43))
    assert alone.step_losses == records[1].step_losses


def test_a_weight_that_the_model_has_fixed_may_have_adapters(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has another name then, and the warning of the fixed weight is the usual one."""

    def load_fixed(*args: Any, **kwargs: Any) -> Any:
        model, tokenizer = load_model(*args, **kwargs)
        model.get_parameter("distilbert.transformer.layer.0.attention.q_lin.weight").requires_grad_(False)
        return model, tokenizer

    monkeypatch.setattr(setup, "load_model", load_fixed)
    data = DataSpec(source=str(tiny_data))
    record = run(RunSpec(model=str(tiny_model), data=data, freeze="lora(r=2)", device="cpu", protocol=PROTOCOL))
    assert record.reason is None
    assert record.warnings[0].startswith("256 of 6,834 parameters never train")


@pytest.mark.parametrize("freeze", ["lora", "dora", "ia3"])
def test_the_trainer_with_a_peft_model_gives_the_same_losses(tiny_model: Path, tiny_data: Path, freeze: str) -> None:
    """A PeftModel of the same configuration, trained without freezebench; every step has the whole training set."""
    protocol = replace(PROTOCOL, num_epochs=5, batch_size=48, evaluate_before=False)
    spec = RunSpec(
        model=str(tiny_model),
        data=DataSpec(source=str(tiny_data)),
        freeze=freeze,
        device="cpu",
        protocol=protocol,
        seed=3,
    )
    record = run(spec)
    assert record.step_losses == pytest.approx(_trainer_losses(tiny_model, freeze, protocol, seed=3), abs=1e-4, rel=0)


def test_an_adapter_that_the_model_does_not_use_is_a_fault(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of the same layer train, so that the layer has changed."""
    forward = peft.tuners.lora.Linear.forward

    def without_queries(self: Any, hidden: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.base_layer(hidden) if self in queries else forward(self, hidden)
        return output

    def with_adapters(*arguments: Any, **options: Any) -> Any:
        applied = apply(*arguments, **options)
        queries[:] = [arguments[0].get_submodule("distilbert.transformer.layer.1.attention.q_lin")]
        return applied

    queries: list[Any] = []
    monkeypatch.setattr(setup, "apply", with_adapters)
    monkeypatch.setattr(peft.tuners.lora.Linear, "forward", without_queries)
    spec = RunSpec(
        model=str(tiny_model), data=DataSpec(source=str(tiny_data)), freeze="lora", device="cpu", protocol=PROTOCOL
    )
    record = run(spec)
    assert record.cause == "not_as_specified"
    assert "layer.1.attention.q_lin.lora_A.default.weight, which lora adds" in str(record.reason)


def _trainer_losses(folder: Path, freeze: str, protocol: Protocol, *, seed: int) -> list[float]:
    """Return the losses of the Trainer's steps with adapters of PEFT."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    attention = ["q_lin", "k_lin", "v_lin", "out_lin"]
    saved = ["pre_classifier", "classifier"]
    config = {
        "lora": lambda: peft.LoraConfig(r=8, lora_alpha=16, target_modules=attention, modules_to_save=saved),
        "dora": lambda: peft.LoraConfig(
            r=8, lora_alpha=16, target_modules=attention, modules_to_save=saved, use_dora=True
        ),
        "ia3": lambda: peft.IA3Config(
            target_modules=["k_lin", "v_lin", "lin2"], feedforward_modules=["lin2"], modules_to_save=saved
        ),
    }[freeze]()
    off = dict.fromkeys(("dropout", "attention_dropout", "seq_classif_dropout"), 0.0)
    torch.manual_seed(seed)
    load: Any = AutoModelForSequenceClassification.from_pretrained
    model = peft.get_peft_model(load(folder, num_labels=2, **off), config)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    losses = []

    def loss_of(outputs: Any, labels: torch.Tensor, **_: object) -> torch.Tensor:
        loss = torch.nn.functional.cross_entropy(outputs["logits"], labels)
        losses.append(loss.item())
        return loss

    arguments = TrainingArguments(
        output_dir=str(folder.parent / "trainer"),
        num_train_epochs=protocol.num_epochs,
        per_device_train_batch_size=protocol.batch_size,
        learning_rate=protocol.learning_rate,
        weight_decay=protocol.weight_decay,
        max_grad_norm=protocol.max_grad_norm,
        lr_scheduler_type="linear",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    examples = [
        {**tokenizer(text, return_token_type_ids=False), "labels": label} for text, label in sentences(48, 2, 0)
    ]
    made: Any = Trainer(
        model=model, args=arguments, train_dataset=examples, processing_class=tokenizer, compute_loss_func=loss_of
    )
    made.train()
    return losses
