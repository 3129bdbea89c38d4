"""The cached engine: the same training as the standard one, with frozen prefixes computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cached_runs import PROTOCOL, cached_run, frozen_model, write_encoder
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.runs.evaluation_check import DEPENDS_ON_PADDING
from freezebench.runs.experiment import run
from freezebench.training.cpu import embedding_rows
from freezebench.training.engines import cached as engine
from freezebench.training.engines import loop
from freezebench.training.engines.events import Emit
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import TrainingResult
from freezebench.training.prefix import feed
from freezebench.training.prefix.cls_only import ClsOnlyLayer
from freezebench.training.prefix.feed import Feed
from tiny import packed_splits

# Recorded on an AMD EPYC, torch 2.13.0, one thread.
TRACE = [
    0.69302589,
    0.6984731,
    0.69371885,
    0.69398957,
    0.6913929,
    0.69551766,
    0.69320589,
    0.69108868,
    0.6954152,
    0.69488573,
    0.69316453,
    0.69126922,
]
_SHUFFLED = replace(PROTOCOL, batch_order="shuffled")  # as the standard engine does
SPECS = ["none", "emb", "emb+L0", "emb+L0-1"]
_DIRECT_CALLS = (
    "its code calls layer.forward(...) directly, which runs no hooks, and hidden states are taken by hooks on layers"
)
_OTHER_OUTPUT = "its layers do not return hidden states of shape (batch, tokens, width)"


@pytest.mark.parametrize(
    "architecture", ["distilbert", "bert", "roberta", "electra", "deberta-v2", "mpnet", "modernbert", "roformer"]
)
def test_losses_equal_those_of_the_standard_engine(architecture: str, tmp_path: Path, tiny_data: Path) -> None:
    """With dropout off and the same batches, for layers of many architectures."""
    model = write_encoder(architecture, tmp_path / "model")
    for freeze_text in SPECS:
        cached = run(replace(cached_run(model, tiny_data, freeze=freeze_text), protocol=_SHUFFLED))
        spec = replace(cached.spec, protocol=replace(PROTOCOL, engine="standard"))
        standard = run(spec)
        assert not cached.warnings
        assert cached.is_valid, cached.reason
        assert ("prefix_s" in cached.readings) is (freeze_text != "none")
        assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)
        assert cached.test
        assert standard.test
        assert cached.test.loss == pytest.approx(standard.test.loss, rel=1e-4)


@pytest.mark.parametrize(
    ("architecture", "why"),
    [
        ("fnet", "the scores of a sentence change with how far it is padded"),  # Fourier's transform, over padding, too
        ("squeezebert", _DIRECT_CALLS),
        ("longformer", _OTHER_OUTPUT),  # as many tokens as its windows need
        ("xlnet", _OTHER_OUTPUT),  # (tokens, batch, width)
    ],
)
def test_architectures_that_cannot_be_spliced_train_whole(
    architecture: str, why: str, tmp_path: Path, tiny_data: Path
) -> None:
    """The losses are those of the standard engine, and a warning gives the reason."""
    model = write_encoder(architecture, tmp_path / "model")
    cached = run(replace(cached_run(model, tiny_data, freeze="emb+L0"), protocol=_SHUFFLED))
    standard = run(replace(cached.spec, protocol=replace(PROTOCOL, engine="standard")))
    assert cached.warnings[0] == f"nothing is cached: {why}"
    # Two have no use for a mask of padding. Longformer pads to its windows itself, and masks that.
    assert cached.warnings[1:] == (DEPENDS_ON_PADDING,) * (architecture in {"fnet", "xlnet"})
    assert standard.warnings == cached.warnings[1:]
    assert cached.step_losses
    assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)


def test_frozen_layers_that_are_no_prefix_train_whole(tiny_model: Path, tiny_data: Path) -> None:
    """They are trained by the same loop, with a warning."""
    record = run(cached_run(tiny_model, tiny_data, freeze="L1"))
    assert record.is_valid
    assert record.warnings == ("nothing is cached for L1: the embeddings are not frozen",)
    assert "prefix_s" not in record.readings


def test_the_loss_trace_is_pinned(tiny_model: Path, tiny_data: Path) -> None:
    """On one machine two runs are equal bit for bit; a refactoring reproduces the float32 trace, dropout on."""
    spec = replace(cached_run(tiny_model, tiny_data, freeze="emb+L0"), protocol=replace(PROTOCOL, dropout=True))
    first, second = run(spec), run(spec)
    assert first.step_losses == second.step_losses
    assert first.step_losses == pytest.approx(TRACE, rel=1e-5)


def test_frozen_layers_do_not_run_in_training(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainable layers run in every step, frozen ones never."""
    computed: list[int] = []

    def counted(jobs: list[Job], emit: Emit) -> TrainingResult:
        for number in range(2):
            query = jobs[0].model.get_submodule(f"distilbert.transformer.layer.{number}.attention.q_lin")
            query.register_forward_hook(lambda *_, number=number: computed.append(number))
        result = loop.train(jobs, emit)
        in_training.update(computed)
        return result

    in_training: set[int] = set()
    monkeypatch.setitem(experiment._ENGINES, "cached", counted)
    assert run(cached_run(tiny_model, tiny_data, freeze="emb+L0")).is_valid
    assert in_training == {1}
    assert len(computed) > 12


@pytest.mark.parametrize("freeze", ["none", "emb+L0"])
def test_batches_padded_to_multiples_give_the_same_losses(
    freeze: str, tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More padding changes no loss; no batch is longer than the longest sentence."""
    expected = run(cached_run(tiny_model, tiny_data, freeze=freeze))
    monkeypatch.setattr(feed, "length_multiple", lambda _: 7)
    padded = run(cached_run(tiny_model, tiny_data, freeze=freeze))
    assert padded.reason is None
    assert padded.step_losses == pytest.approx(expected.step_losses, rel=1e-4)
    model, tokenizer = frozen_model(tiny_model, "none")
    splits = packed_splits(model, tokenizer)
    widths = {Feed(model, splits).width("train", torch.tensor([number])) for number in range(len(splits["train"]))}
    longest = int(splits["train"].lengths.max())
    assert widths == {7, longest}


def test_equivalence_checks_run_once_a_session(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other seeds use their results; another freeze spec, model or session is checked again."""
    checks: list[str] = []
    for name in ("check_embedding_rows", "check_cls_only"):
        own: Callable[..., bool] = getattr(engine, name)

        def recorded_check(*args: object, name: str = name, own: Callable[..., bool] = own) -> bool:
            checks.append(name)
            return own(*args)

        monkeypatch.setattr(engine, name, recorded_check)
    monkeypatch.setattr(embedding_rows, "_MIN_ROWS", 1)
    other = write_encoder("distilbert", tmp_path / "other")
    data_cache = DataCache()

    def compared(model: Path, freeze: str, data_cache: DataCache) -> list[str]:
        checks.clear()
        for seed in (1, 2):
            assert run(cached_run(model, tiny_data, freeze=freeze, seed=seed), data_cache=data_cache).is_valid
        return list(checks)

    assert compared(tiny_model, "none", data_cache) == ["check_embedding_rows", "check_cls_only"]
    assert compared(tiny_model, "none", data_cache) == []
    assert compared(tiny_model, "emb", data_cache) == ["check_cls_only"]
    assert compared(other, "none", data_cache) == ["check_embedding_rows", "check_cls_only"]
    assert compared(tiny_model, "none", DataCache()) == ["check_embedding_rows", "check_cls_only"]


def test_a_failed_check_holds_for_other_seeds(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last layer runs by its own code in every run."""
    monkeypatch.setattr(engine, "check_cls_only", lambda *_: False)
    monkeypatch.setattr(ClsOnlyLayer, "__enter__", None)
    data_cache = DataCache()
    assert all(
        run(cached_run(tiny_model, tiny_data, freeze="emb", seed=seed), data_cache=data_cache).is_valid
        for seed in (1, 2)
    )
