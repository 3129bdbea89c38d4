"""Gradient checkpointing: recomputed values equal those of the forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from cached_runs import feed_of
from encoders import encoder
from freezebench.strategies.freeze import freeze
from freezebench.training.prefix.cache import PrefixCache
from freezebench.training.prefix.checkpointing import NOTE, is_recomputed
from tiny import packed_splits, words_tokenizer

if TYPE_CHECKING:
    from freezebench.training.prefix.feed import Feed

Gradients = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """The made-up words' tokenizer."""
    return words_tokenizer()


def _feed(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, freeze_text: str, cache: PrefixCache | None = None
) -> Feed:
    freeze(model, freeze_text)
    splits = packed_splits(model, tokenizer)
    return feed_of(model, freeze_text, splits, cache)


def _checkpoint(model: Any, *, use_reentrant: bool = False) -> None:
    """Turn gradient checkpointing on, by the name that this version of Transformers has for it."""
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": use_reentrant})


def _gradients(feed: Feed) -> Gradients:
    """Return the gradients of two steps together, dropout on where it is in what learns."""
    model = feed.model.train()
    torch.manual_seed(5)
    with feed:
        for start in (0, 8):
            batch = feed.batch("train", torch.arange(start, start + 8))
            batch.pop("labels")
            feed.logits(batch).square().sum().backward()  # type: ignore[no-untyped-call]
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


# torch warns where a layer of an older Transformers release runs again on inputs without gradients.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("freeze_text", ["none", "emb", "emb+L0"])
def test_gradients_equal_those_without_checkpointing(
    freeze_text: str, attention: str, use_reentrant: bool, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Bit for bit: dropout behind the cached prefix is the same when layers run again."""
    plain = _feed(encoder("bert", attention), tokenizer, freeze_text)
    assert not plain.warnings
    expected = _gradients(plain.by_own_code())
    model = encoder("bert", attention)
    _checkpoint(model, use_reentrant=use_reentrant)
    feed = _feed(model, tokenizer, freeze_text)
    assert feed.warnings == (NOTE,)
    assert (feed.prefix is None) is (freeze_text == "none")
    got = _gradients(feed)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert set(got) == set(expected) == learning
    assert all(torch.equal(got[name], expected[name]) for name in expected)


def test_checkpointing_is_detected_in_a_model_that_was_checked_before(tokenizer: PreTrainedTokenizerBase) -> None:
    """With equal weights and configuration, in one session."""
    cache = PrefixCache()
    model = encoder("bert", "sdpa")
    assert not _feed(model, tokenizer, "emb", cache).warnings
    _checkpoint(model)
    assert _feed(model, tokenizer, "emb", cache).warnings == (NOTE,)


def test_a_head_alone_recomputes_nothing(tokenizer: PreTrainedTokenizerBase) -> None:
    """Its backward pass contains no layers, so that there is no warning."""
    model = encoder("bert", "sdpa")
    _checkpoint(model)
    feed = _feed(model, tokenizer, "emb+L0-1")
    assert feed.cls_only
    assert not feed.warnings


class _Custom(torch.nn.Module):
    """Checkpoints in its own way, with hidden states that do not require a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(64, 16)
        self.layers = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Dropout(0.3)) for _ in range(2)
        )
        self.out = torch.nn.Linear(16, 2)
        self.drop = torch.nn.Dropout(0.0)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        from torch.utils.checkpoint import checkpoint

        hidden = self.drop(self.table(input_ids))
        for layer in self.layers:
            hidden = checkpoint(layer, hidden, use_reentrant=True)
        weights = attention_mask.unsqueeze(-1).float()
        logits: torch.Tensor = self.out((hidden * weights).sum(1) / weights.sum(1))
        return logits


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # where its layers are looked for
def test_checkpointing_by_the_models_own_code_is_detected(tokenizer: PreTrainedTokenizerBase) -> None:
    """No attribute shows it; behind a cached prefix its layers learn."""
    torch.manual_seed(1)
    feed = _feed(_Custom(), tokenizer, "emb")
    assert feed.warnings == (NOTE,)
    assert feed.prefix is not None
    assert {"layers.0.0.weight", "layers.1.0.weight", "out.weight"} <= set(_gradients(feed))


def test_the_detection_restores_the_model(tokenizer: PreTrainedTokenizerBase) -> None:
    """Random state, mode and gradients are as before."""
    feed = _feed(encoder("bert", "sdpa"), tokenizer, "none").by_own_code()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    assert not is_recomputed(feed)
    assert torch.equal(torch.rand(3), expected)
    assert all(parameter.grad is None for parameter in feed.model.parameters())
    assert not feed.model.training
