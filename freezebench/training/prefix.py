"""The prefix cache: what frozen layers make of every sentence, computed once and shared by configurations and seeds."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from freezebench.training.batching import batches_by_length_of
from freezebench.training.precision import autocast
from freezebench.training.splice import observed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.specs.run import Precision
    from freezebench.training.inputs import FlatSplit

DEFAULT_LIMIT_BYTES = 2 * 2**30

_PASS_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The outputs of a frozen prefix for some splits.

    Attributes:
        hidden: Per split the hidden states behind the prefix, without padding, shape (tokens, width).
        seconds: Duration of the pass that computed them now; ``None`` if they were there already.
        num_bytes: Their size.
        spilled: Whether they lie in a memory-mapped file.
    """

    hidden: Mapping[str, torch.Tensor]
    seconds: float | None
    num_bytes: int
    spilled: bool


class PrefixCache:
    """Outputs of frozen prefixes by content: weights, inputs, precision and depth.

    Attributes:
        num_passes: How often the frozen layers were run over the data.
        num_uses: How often outputs were asked for.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Keep up to ``limit_bytes`` in memory, and what comes later in memory-mapped temporary files."""
        self._limit = limit_bytes
        self._used = 0
        self._kept: dict[str, tuple[dict[str, torch.Tensor], bool]] = {}
        self._depths: set[int] = set()
        self.num_passes = 0
        self.num_uses = 0

    def expect(self, depths: set[int]) -> None:
        """Say which depths will be asked for, so that one pass serves them all."""
        self._depths |= depths

    def prefix(
        self,
        model: torch.nn.Module,
        stack: str,
        depth: int,
        splits: Mapping[str, FlatSplit],
        *,
        precision: Precision,
        frozen: frozenset[str],
    ) -> Prefix:
        """Return the hidden states behind the first ``depth`` layers, from the cache or by one pass over the data.

        Args:
            model: The model, on its device; its weights in front of the last expected depth are part of the key.
            stack: Module path of its layers.
            depth: Number of frozen layers; 0 for the embeddings alone.
            splits: The data, by name.
            precision: Number format of the forward pass.
            frozen: Names of the parameters before or inside the stack, which the outputs depend on.
        """
        self.num_uses += 1
        key = _key(model, splits, precision, frozen)
        seconds = None
        if f"{key}-{depth}" not in self._kept:
            began = time.perf_counter()
            num_layers = len(list(model.get_submodule(stack).children()))
            wanted = {one for one in self._depths | {depth} if one <= num_layers and f"{key}-{one}" not in self._kept}
            self._run(model, stack, sorted(wanted), splits=splits, precision=precision, key=key)
            seconds = time.perf_counter() - began
        hidden, spilled = self._kept[f"{key}-{depth}"]
        num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in hidden.values())
        return Prefix(hidden=hidden, seconds=seconds, num_bytes=num_bytes, spilled=spilled)

    @torch.no_grad()
    def _run(
        self,
        model: torch.nn.Module,
        stack: str,
        depths: list[int],
        *,
        splits: Mapping[str, FlatSplit],
        precision: Precision,
        key: str,
    ) -> None:
        """Compute the hidden states at several depths in one pass."""
        self.num_passes += 1
        device = next(model.parameters()).device
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        was_training = model.training
        model.eval()
        made: dict[int, dict[str, torch.Tensor]] = {depth: {} for depth in depths}
        spilled: dict[int, bool] = {}
        try:
            with observed(model, stack, depths) as seen:
                for name, split in splits.items():
                    for indices in batches_by_length_of(split.lengths, _PASS_BATCH):
                        places, real = split.places(indices)
                        batch = split.batch(indices, places, real)
                        batch.pop("labels")
                        with autocast(precision, device):
                            model(**{field: tensor.to(device) for field, tensor in batch.items()})
                        for depth in depths:
                            rows = seen[depth][real.to(device)].to("cpu", dtype)
                            if name not in made[depth]:
                                shape = (len(split.fields["input_ids"]), rows.shape[-1])
                                made[depth][name], into_file = self._room(shape, dtype)
                                spilled[depth] = spilled.get(depth, False) or into_file
                            made[depth][name][places[real]] = rows
        finally:
            model.train(was_training)
        for depth in depths:
            self._kept[f"{key}-{depth}"] = made[depth], spilled[depth]

    def _room(self, shape: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, bool]:
        """Return room for hidden states, and whether it is a file: memory up to the limit, then the disk."""
        num_bytes = shape[0] * shape[1] * dtype.itemsize
        if self._used + num_bytes <= self._limit:
            self._used += num_bytes
            return torch.empty(shape, dtype=dtype), False
        # NumPy has no bf16: the bits travel as whole numbers of the same size.
        bits = np.int16 if dtype is torch.bfloat16 else np.int32
        # The file has no name, so that nothing is left behind whatever ends this process; the map keeps it alive.
        with tempfile.TemporaryFile(prefix="freezebench-prefix-") as file:
            mapped = np.memmap(file, dtype=bits, mode="w+", shape=shape)
        return torch.from_numpy(mapped).view(dtype), True


def _key(model: torch.nn.Module, splits: Mapping[str, FlatSplit], precision: Precision, frozen: frozenset[str]) -> str:
    """Return a hash of everything that the outputs depend on: architecture, weights, token ids, number format."""
    device = next(model.parameters()).device
    digest = hashlib.sha256(f"{type(model).__qualname__} {getattr(model, 'config', '')} {precision} {device}".encode())
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in state.items():
        if name in frozen or not isinstance(tensor, torch.nn.Parameter):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    for name, split in splits.items():
        for field, values in sorted(split.fields.items()):
            digest.update(f"{name} {field}".encode())
            digest.update(values.numpy().tobytes())
        digest.update(split.offsets.numpy().tobytes())
    return digest.hexdigest()
