"""Models with hooks train as with the engine standard, and a warning says why nothing is faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import prune as torch_prune

from freezebench.models.load import load_model
from freezebench.runs import setup
from freezebench.runs.experiment import run
from freezebench.specs.data import DataSpec
from freezebench.specs.run import Protocol, RunSpec
from freezebench.training.capture.preconditions import NotCapturableError, check_depends_on_inputs_alone
from freezebench.training.prefix.hooks import hooked_gradient, hooked_module
from tiny import write_model

Register = Callable[[Any], object]
prune: Any = torch_prune  # it has no type annotations

PROTOCOL = Protocol(
    num_epochs=1,
    batch_size=8,
    learning_rate=1e-2,
    dropout=False,
    precision="float32",
    engine="cached",
    batch_order="shuffled",
)


def words(model: Any) -> Any:
    """Return the weights of the word embedding."""
    return model.distilbert.embeddings.word_embeddings.weight


def layer(model: Any, number: int) -> Any:
    """Return a layer."""
    return model.distilbert.transformer.layer[number]


def halve(_module: object, _args: object, output: Any) -> Any:
    """Return half of a layer's hidden states."""
    return (output[0] / 2, *output[1:]) if isinstance(output, tuple) else output / 2


def halve_in_training(model: Any) -> object:
    """Register a hook that does something while the model trains only, which no check in evaluation mode shows."""
    return layer(model, 0).register_forward_hook(lambda *args: halve(*args) if model.training else None)


def alternate(model: Any) -> object:
    """Register a hook that does something else in each call."""
    calls: list[int] = []

    def hook(*args: Any) -> Any:
        calls.append(1)
        return halve(*args) if len(calls) % 2 else None

    return layer(model, 1).register_forward_hook(hook)


def no_gradient(parameter: Any) -> None:
    """Set the gradient of a parameter to zero."""
    parameter.grad.zero_()


def scaled(_module: object, gradients: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return gradients that are half as large."""
    return tuple(gradient / 2 for gradient in gradients)


HOOKS: dict[str, tuple[Register, str]] = {
    "zero gradients of words": (
        lambda model: words(model).register_hook(lambda grad: grad * 0),
        "word_embeddings.weight",
    ),
    "after a gradient": (lambda model: words(model).register_post_accumulate_grad_hook(no_gradient), "word_embeddings"),
    "a gradient of the head": (
        lambda model: model.classifier.bias.register_hook(lambda grad: grad / 2),
        "classifier.bias",
    ),
    "after a layer": (lambda model: layer(model, 0).register_forward_hook(halve), "layer.0"),
    "after the last layer": (lambda model: layer(model, 1).register_forward_hook(halve), "layer.1"),
    "before a layer": (lambda model: layer(model, 1).register_forward_pre_hook(lambda *_: None), "layer.1"),
    "in training only": (halve_in_training, "layer.0"),
    "in turn": (alternate, "layer.1"),
    "before a backward pass": (
        lambda model: layer(model, 1).ffn.lin1.register_full_backward_pre_hook(scaled),
        "layer.1.ffn.lin1",
    ),
    "pruned weights": (
        lambda model: prune.l1_unstructured(layer(model, 0).ffn.lin1, "weight", 0.5),
        "layer.0.ffn.lin1",
    ),
}


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with so many words that only the used rows of their embeddings would train."""
    return write_model(tmp_path_factory.mktemp("wide"), vocab_size=4096)


@pytest.fixture
def trained(wide_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Train a model with hooks."""

    def train(register: Register, engine: Any, freeze: str) -> Any:
        def hooked(*args: Any, **options: Any) -> Any:
            model, tokenizer = load_model(*args, **options)
            register(model)
            return model, tokenizer

        monkeypatch.setattr(setup, "load_model", hooked)
        protocol = replace(PROTOCOL, engine=engine)
        data = DataSpec(source=str(tiny_data))
        return run(RunSpec(model=str(wide_model), data=data, freeze=freeze, device="cpu", protocol=protocol))

    return train


@pytest.mark.parametrize("freeze", ["none", "emb+L0"])
@pytest.mark.parametrize("name", HOOKS)
def test_losses_equal_those_of_the_standard_engine(trained: Callable[..., Any], name: str, freeze: str) -> None:
    """A hook on a gradient that is not computed has no effect, so that nothing is said of it."""
    register, place = HOOKS[name]
    standard, cached = (trained(register, engine, freeze) for engine in ("standard", "cached"))
    assert standard.is_valid, standard.reason
    assert cached.is_valid, cached.reason
    assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)
    assert cached.test.predictions == standard.test.predictions
    is_frozen = freeze != "none" and "word_embeddings" in place
    assert any(place in warning for warning in cached.warnings) is not is_frozen
    is_on_module = not ("gradient" in name and "backward" not in name)
    assert any("nothing is cached: hooks" in warning for warning in cached.warnings) is is_on_module
    assert ("prefix_s" in cached.readings) is (freeze != "none" and not is_on_module)


def test_a_model_without_hooks_has_none(wide_model: Path) -> None:
    """Also after a forward pass, and where Transformers registers its own for gradient checkpointing."""
    model: Any = load_model(str(wide_model))[0]
    model(input_ids=torch.ones(1, 4, dtype=torch.int64))
    assert hooked_module(model) is None
    assert hooked_gradient(model) is None
    model.enable_input_require_grads()
    assert hooked_module(model) is None


def test_frozen_parameters_have_no_gradient_to_hook(wide_model: Path) -> None:
    """The hook counts again when the parameter trains."""
    model: Any = load_model(str(wide_model))[0]
    words(model).register_hook(torch.zeros_like)
    assert hooked_gradient(model) == "distilbert.embeddings.word_embeddings.weight"
    words(model).requires_grad_(False)
    assert hooked_gradient(model) is None


@pytest.mark.parametrize("name", ["zero gradients of words", "after a layer"])
def test_steps_with_hooks_are_not_captured(wide_model: Path, name: str) -> None:
    """A replay on a GPU would not call them."""
    register, place = HOOKS[name]
    model = load_model(str(wide_model))[0]
    register(model)

    class Step:
        def __init__(self) -> None:
            self.model = model

    step: Any = Step()
    with pytest.raises(NotCapturableError, match=f"hooks are registered on .*{place}"):
        check_depends_on_inputs_alone(step, {})
