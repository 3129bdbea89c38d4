"""The last layer for [CLS] tokens only: the same scores and gradients, or the whole layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from encoders import batch, encoder
from freezebench.models.layers import find_layers
from freezebench.specs.names import TaskName
from freezebench.tasks.base import IGNORED
from freezebench.tasks.registry import TASKS
from freezebench.training.prefix.cls_only import ClsOnlyLayer
from freezebench.training.prefix.equivalence import check_cls_only
from freezebench.training.prefix.feed import Feed


class _Split:
    """A split that consists of one batch."""

    lengths = torch.tensor([9, 3, 5, 2])

    def __init__(self, task: TaskName) -> None:
        self.task = TASKS[task]

    def __len__(self) -> int:
        return 4

    def token_indices(self, indices: torch.Tensor, **_: object) -> tuple[torch.Tensor, torch.Tensor]:
        return indices, indices

    def batch(self, indices: torch.Tensor, *_: object) -> dict[str, torch.Tensor]:
        fields = {name: values[indices] for name, values in batch().items()}
        labels = (
            fields["attention_mask"].where(fields["attention_mask"] == 1, IGNORED)
            if self.task.by_word
            else torch.zeros(len(indices), dtype=torch.int64)
        )
        return {**fields, "labels": labels}


def _checked(model: torch.nn.Module, task: TaskName = "sequence-classification") -> tuple[bool, ClsOnlyLayer]:
    layers = find_layers(model)
    layer_patch = ClsOnlyLayer(list(model.get_submodule(layers.stack).children())[-1])
    splits: Any = {"train": _Split(task)}
    return check_cls_only(Feed(model, splits), layer_patch, layers.head), layer_patch


@pytest.fixture
def linear_tokens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of how many tokens of a sentence each linear layer was given."""
    seen: list[int] = []
    forward = torch.nn.Linear.forward

    def counted(self: torch.nn.Linear, given: torch.Tensor) -> torch.Tensor:
        result = forward(self, given)
        seen.append(result.shape[1] if result.ndim == 3 else 0)
        return result

    monkeypatch.setattr(torch.nn.Linear, "forward", counted)
    return seen


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ["distilbert", "bert", "roberta", "electra", "modernbert"])
def test_scores_and_gradients_stay_the_same(architecture: str, attention: str, linear_tokens: list[int]) -> None:
    """And the last layer's feed-forward network gets one token per sentence."""
    model = encoder(architecture, attention)
    is_equivalent, layer_patch = _checked(model)
    assert is_equivalent
    results = []
    for opened in (False, True):
        model.zero_grad()
        linear_tokens.clear()
        if opened:
            with layer_patch:
                scores = model(**batch()).logits
        else:
            scores = model(**batch()).logits
        torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        results.append((scores.detach(), gradients, linear_tokens.count(1)))
    (scores, gradients, none), (got, got_gradients, shortened) = results
    assert none == 0
    assert shortened >= 3  # attention's output, and the feed-forward network's two
    assert torch.allclose(scores, got, atol=1e-6)
    assert gradients.keys() == got_gradients.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, got_gradients[name], atol=1e-6), name


def test_the_layer_is_restored() -> None:
    """Closed, the layer computes every token again."""
    model = encoder("distilbert", "sdpa")
    _, layer_patch = _checked(model)
    layer = model.distilbert.transformer.layer[-1]
    with layer_patch:
        assert model.distilbert(**batch()).last_hidden_state.shape[1] == 1
    assert "forward" not in vars(layer)
    assert model.distilbert(**batch()).last_hidden_state.shape[1] == 9


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("modernbert", {"classifier_pooling": "mean"}),
        ("xlnet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}),
    ],
)
def test_heads_that_read_other_tokens_are_detected(architecture: str, changes: dict[str, Any]) -> None:
    """A head that takes the mean of all tokens, or the last one, needs all of them."""
    is_equivalent, _ = _checked(encoder(architecture, "eager", **changes))
    assert not is_equivalent


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ["distilbert", "bert", "roberta", "modernbert"])
def test_scores_of_words_need_every_token(architecture: str, attention: str) -> None:
    """The check itself finds that a classifier of words reads all of them."""
    model = encoder(architecture, attention, auto_class="AutoModelForTokenClassification")
    is_equivalent, _ = _checked(model, "token-classification")
    assert not is_equivalent
