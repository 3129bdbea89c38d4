"""Temporary states of a model in checks: eval mode, train mode, a head with random weights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """Switch a model to eval mode while the context is open."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def train_mode(module: torch.nn.Module) -> Iterator[None]:
    """Switch a module to train mode while the context is open; restore the modes of its parts and its buffers."""
    modes = {part: part.training for part in module.modules()}
    # Batch normalization updates its running statistics in every forward pass in train mode.
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    module.train()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])


@contextmanager
def random_head(model: torch.nn.Module, names: tuple[str, ...]) -> Iterator[None]:
    """Give the head random weights while the context is open.

    A head that starts at zero gives the same scores to all inputs, and any comparison of scores would succeed.

    Args:
        model: The model.
        names: Names of the head's parameters.
    """
    generator = torch.Generator().manual_seed(0)
    parameters = {name: model.get_parameter(name) for name in names}
    originals = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        with torch.no_grad():
            for parameter in parameters.values():
                # Scores of about the size of the hidden states, so that one tolerance suits all heads.
                noise = torch.randn(parameter.shape, generator=generator) / max(parameter.shape[-1], 1) ** 0.5
                parameter.copy_(noise.to(parameter.device))
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(originals[name])
