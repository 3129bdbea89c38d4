"""The preflight check: faults of model, tokenizer and configurations are found before training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freezebench.errors import DataError, ModelError, NothingToTrainError, SpecError
from freezebench.models.load import load_model
from freezebench.models.source import ModelSource
from freezebench.runs import preflight as preflight_module
from freezebench.runs.data_cache import DataCache
from freezebench.runs.preflight import preflight
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from task_data import write_task_data
from tiny import write_letters_tokenizer

Alter = Callable[[Callable[[Any, Any], Any]], None]


@pytest.fixture
def spec(tiny_model: Path, tiny_data: Path) -> RunSpec:
    """A run of the tiny model on the tiny data."""
    return RunSpec(model=str(tiny_model), data=DataSpec(source=str(tiny_data)))


@pytest.fixture
def data_cache() -> DataCache:
    """The inputs of a session."""
    return DataCache()


@pytest.fixture
def alter(monkeypatch: pytest.MonkeyPatch) -> Alter:
    """Have the preflight check load a model and tokenizer that a function has changed."""

    def alter(change: Callable[[Any, Any], Any]) -> None:
        def altered(*args: Any, **options: Any) -> Any:
            model, tokenizer = load_model(*args, **options)
            change(model, tokenizer)
            return model, tokenizer

        monkeypatch.setattr(preflight_module, "load_model", altered)

    return alter


def test_a_sound_model_passes_and_leaves_the_random_state(spec: RunSpec, data_cache: DataCache) -> None:
    """Nothing is raised, and torch's random state is preserved."""
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    preflight(spec, ["none", "emb+L0-1"], data_cache)
    assert torch.equal(torch.rand(1), expected)


def test_configurations_that_freeze_everything_are_refused(spec: RunSpec, data_cache: DataCache) -> None:
    """Every configuration is applied to the model."""
    with pytest.raises(SpecError, match="nothing of"):
        preflight(spec, ["none", "emb+L0-1+head"], data_cache)


def test_a_tokenizer_that_cannot_pad_is_refused(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """The message names the missing padding token."""
    alter(lambda _, tokenizer: setattr(tokenizer, "pad_token", None))
    with pytest.raises(ModelError, match="padding token"):
        preflight(spec, ["none"], data_cache)


def test_scores_of_another_shape_are_refused(
    spec: RunSpec, data_cache: DataCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that scores tokens or another number of classes is no classifier of these sentences."""
    real = load_model

    def with_three_classes(source: ModelSource, _num_labels: int, **_: Any) -> Any:
        return real(source, 3)

    monkeypatch.setattr(preflight_module, "load_model", with_three_classes)
    with pytest.raises(ModelError, match=r"shape \(2, 3\) for 2 sentences of 2 classes"):
        preflight(spec, ["none"], data_cache)


def test_scores_of_words_have_the_shape_of_tokens(
    tiny_model: Path, tmp_path: Path, data_cache: DataCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A classifier of texts is refused, with what the model has to return."""
    data = DataSpec(source=str(write_task_data(tmp_path, "token-classification")), task="token-classification")
    spec = RunSpec(model=str(tiny_model), data=data)
    assert set(preflight(spec, ["none", "emb+L0"], data_cache)) == {"none", "emb+L0"}
    real = load_model

    def of_texts(source: ModelSource, num_labels: int, **_: Any) -> Any:
        return real(source, num_labels)

    monkeypatch.setattr(preflight_module, "load_model", of_texts)
    with pytest.raises(ModelError, match=r"shape \(2, 4\) .* Give a model for token-classification, which"):
        preflight(spec, ["none"], data_cache)


def test_a_model_that_fails_on_the_data_is_refused(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """The message quotes the model's error."""

    def refuse(_module: Any, _args: Any, inputs: dict[str, torch.Tensor]) -> None:
        if len(inputs["input_ids"]) > 1:
            raise RuntimeError("one at a time, please")

    alter(lambda model, _: model.register_forward_pre_hook(refuse, with_kwargs=True))
    with pytest.raises(ModelError, match="one at a time, please"):
        preflight(spec, ["none"], data_cache)


def test_a_model_that_fails_in_bf16_alone_is_refused(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """DeBERTa masks padding by a number that bf16 cannot represent; without the check, every run would be invalid."""

    def hide(_module: Any, _args: Any, scores: torch.Tensor) -> torch.Tensor:
        return scores.masked_fill(scores > torch.inf, torch.finfo(torch.float32).min)

    alter(lambda model, _: model.classifier.register_forward_hook(hide))
    on_cpu = replace(spec, device="cpu")
    preflight(replace(on_cpu, protocol=Protocol(precision="float32")), ["none"], data_cache)
    with pytest.raises(ModelError, match=r"not in bf16.*without overflow.*--freeze-precision=float32"):
        preflight(replace(on_cpu, protocol=Protocol(precision="bf16")), ["none"], data_cache)


def test_a_model_that_cannot_be_saved_is_refused_only_where_it_is_to_be_saved(
    spec: RunSpec, data_cache: DataCache, alter: Alter
) -> None:
    """A factory may return a model without save_pretrained."""
    alter(lambda model, _: setattr(model, "save_pretrained", None))
    preflight(spec, ["emb"], data_cache)
    with pytest.raises(ModelError, match="has no method save_pretrained"):
        preflight(spec, ["emb"], data_cache, will_save=True)


def test_what_each_configuration_trains_is_returned(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """Embeddings and layer 0 are fixed, so that freezing them changes nothing."""

    def fix(model: Any, _: Any) -> None:
        for part in (model.distilbert.embeddings, model.distilbert.transformer.layer[0]):
            part.requires_grad_(False)

    grid = ["none", "emb", "emb+L0", "L1", "emb+L0-1"]
    plain = preflight(spec, grid, data_cache)
    assert len({trains.sha256 for trains in plain.values()}) == len(grid)
    alter(fix)
    fixed = preflight(spec, grid, data_cache)
    assert fixed["none"] == fixed["emb"] == fixed["emb+L0"]
    assert fixed["L1"] == fixed["emb+L0-1"] == plain["emb+L0-1"]
    assert plain["none"].num_params > fixed["none"].num_params == plain["emb+L0"].num_params


def test_tied_parameters_are_one(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """They train, or not, under the part that they belong to, and count once."""

    def tie(model: Any, _: Any) -> None:
        # The head scores by what the embeddings are normalized with.
        model.pre_classifier.bias = model.distilbert.embeddings.LayerNorm.bias

    grid = ["none", "emb"]
    plain = preflight(spec, grid, data_cache)
    alter(tie)
    tied = preflight(spec, grid, data_cache)
    width = 16
    assert {freeze: plain[freeze].num_params - tied[freeze].num_params for freeze in grid} == dict.fromkeys(grid, width)


def test_nothing_to_train_is_a_fault_only_of_what_has_to_train(
    spec: RunSpec, data_cache: DataCache, alter: Alter
) -> None:
    """The head is fixed, so that the last rung of the ladder has nothing to train."""
    alter(lambda model, _: [part.requires_grad_(False) for part in (model.pre_classifier, model.classifier)])
    grid = ["none", "emb+L0-1"]
    trains = preflight(spec, grid, data_cache, may_train_nothing=["emb+L0-1"])
    assert (trains["none"].num_params > 0, trains["emb+L0-1"].num_params) == (True, 0)
    with pytest.raises(
        NothingToTrainError, match=r"cannot freeze emb\+L0-1: nothing of .* Leave out one part, or make"
    ):
        preflight(spec, grid, data_cache)


def test_a_model_that_trains_nothing_by_itself_is_refused(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """There is no part to leave out of no freezing."""
    alter(lambda model, _: model.requires_grad_(False))
    with pytest.raises(NothingToTrainError, match=r"cannot freeze none: nothing of .* to train\. Make some of the"):
        preflight(spec, ["none", "emb"], data_cache, may_train_nothing=["emb"])


def _run_without_gradient(module: Any) -> None:
    """Have a module run under ``torch.no_grad``."""
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), {"forward": torch.no_grad()(kind.forward)})


def test_what_no_gradient_reaches_does_not_train(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """An encoder under torch.no_grad trains as little as one whose parameters are fixed, and leaves the same."""
    grid = ["none", "emb", "emb+L0", "emb+L0-1"]
    plain = preflight(spec, grid, data_cache)
    alter(lambda model, _: _run_without_gradient(model.distilbert))
    assert preflight(spec, grid, data_cache) == dict.fromkeys(grid, plain["emb+L0-1"])
    with pytest.raises(NothingToTrainError, match=r"cannot freeze head: .* since no gradient reaches distilbert"):
        preflight(spec, [*grid, "head"], data_cache)
    assert preflight(spec, ["none", "head"], data_cache, may_train_nothing=["head"])["head"].num_params == 0


def test_a_detached_part_does_not_train(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """Gradients end at the input of the last layer."""

    def detach(model: Any, _: Any) -> None:
        def hook(_module: Any, args: tuple[torch.Tensor, ...], kwargs: Any) -> Any:
            return (args[0].detach(), *args[1:]), kwargs

        model.distilbert.transformer.layer[1].register_forward_pre_hook(hook, with_kwargs=True)

    plain = preflight(spec, ["emb+L0"], data_cache)
    alter(detach)
    grid = ["none", "emb", "emb+L0"]
    assert preflight(spec, grid, data_cache) == dict.fromkeys(grid, plain["emb+L0"])


def test_a_model_without_any_gradient_is_left_to_training(spec: RunSpec, data_cache: DataCache, alter: Alter) -> None:
    """It fails there with its own error; here every parameter counts."""
    plain = preflight(spec, ["none", "emb"], data_cache)
    alter(lambda model, _: _run_without_gradient(model))
    assert preflight(spec, ["none", "emb"], data_cache) == plain


def test_a_text_without_tokens_is_found(
    spec: RunSpec, data_cache: DataCache, tiny_model: Path, tiny_data: Path, tmp_path: Path
) -> None:
    """All splits are looked through if the tokenizer adds no special token, with every engine."""
    model, data = tmp_path / "model", tmp_path / "data"
    shutil.copytree(tiny_model, model)
    shutil.copytree(tiny_data, data)
    write_letters_tokenizer(model)
    spec = replace(spec, model=str(model), data=DataSpec(source=str(data)))
    preflight(spec, ["none"], data_cache)
    with (data / "test.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "1 2 3 !", "label": 1}\n')
    for engine in ("standard", "cached", "trainer"):
        run = replace(spec, protocol=Protocol(engine=engine))
        with pytest.raises(DataError, match=r"test.jsonl, line 41: the text has no token in the model's tokenizer\. "):
            preflight(run, ["none"], DataCache())
