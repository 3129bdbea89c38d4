"""Splicing: the frozen first layers of a model are left out, and cached hidden states take their place.

The model's own code still runs from end to end, since it computes masks and positions for the remaining layers. Only
the forward methods of the frozen parts are replaced, and the input of the first remaining layer::

    whole     embeddings ──► layer 0 ──► layer 1 ──► layer 2 ──► head
    spliced   (replaced)     (replaced)  (replaced)      ▲
                                                         └── cached hidden states, put in by a hook

The replaced methods return the cached hidden states, too, since code between the layers may look at their shape or
type. Whether all this leaves the scores unchanged is checked, not assumed: see ``verify``.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from freezebench.training.patched_forward import patched_forward
from freezebench.training.prefix.hidden_states import SpliceError, hidden_input
from freezebench.training.prefix.layer_interface import with_hidden_states

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from freezebench.training.prefix.layer_interface import LayerInterface


class Splice:
    """While open, the first layers of a model are left out; a call takes the hidden states that replace them.

    Parameters keep their names.

    Attributes:
        depth: Number of layers left out.
    """

    def __init__(self, model: torch.nn.Module, stack: str, depth: int, interface: LayerInterface) -> None:
        """Prepare to leave out the first ``depth`` layers of a model, and the modules around them that are known."""
        self._model = model
        self._layers = list(model.get_submodule(stack).children())
        self.depth, self._interface = depth, interface
        self._hidden: torch.Tensor | None = None
        # Undone in reverse order, also after an error.
        self._contexts = ExitStack()

    def __enter__(self) -> Self:
        replacements: list[tuple[torch.nn.Module | None, Callable[..., object]]] = [
            (self._interface.embedding_module, self._embedding_output),
            *((layer, self._layer_output) for layer in self._layers[: self.depth]),
        ]
        if self.depth == len(self._layers):
            # Only behind all layers: otherwise the final module has to run the remaining ones.
            replacements.append((self._interface.final_module, self._final_output))
        for module, forward in replacements:
            if module is not None:
                self._contexts.enter_context(patched_forward(module, forward))
        if self.depth < len(self._layers):
            hook = self._layers[self.depth].register_forward_pre_hook(self._replace_input, with_kwargs=True)
            self._contexts.callback(hook.remove)
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts.close()
        self._hidden = None

    def __call__(self, hidden: torch.Tensor, **inputs: torch.Tensor) -> object:
        """Return the model's output for a batch, given its hidden states behind the frozen prefix.

        Args:
            hidden: Shape (batch, tokens, width).
            inputs: The batch's token fields, each of shape (batch, tokens).
        """
        # Not reset at the end of the call: a layer under gradient checkpointing runs again in the backward pass.
        self._hidden = hidden
        output: object = self._model(**inputs)
        return output

    def _hidden_states(self) -> torch.Tensor:
        if self._hidden is None:
            raise SpliceError("a spliced model was called without hidden states")
        return self._hidden

    def _layer_output(self, *_: object, **__: object) -> object:
        """Replace the forward method of a frozen layer."""
        if self._interface.other_outputs is None:
            return self._hidden_states()
        return (self._hidden_states(), *self._interface.other_outputs)

    def _embedding_output(self, *_: object, **__: object) -> torch.Tensor:
        """Replace the forward method of the embedding module."""
        return self._hidden_states()

    def _final_output(self, *_: object, **__: object) -> object:
        """Replace the forward method of the final module: everything up to the last layer, masks included."""
        return with_hidden_states(self._interface.final_output, self._hidden_states())

    def _replace_input(
        self, _: torch.nn.Module, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """Put the hidden states into the arguments of the first remaining layer."""
        _hidden, name = hidden_input(args, kwargs)
        if isinstance(name, int):
            return (*args[:name], self._hidden_states(), *args[name + 1 :]), kwargs
        return args, {**kwargs, name: self._hidden_states()}
