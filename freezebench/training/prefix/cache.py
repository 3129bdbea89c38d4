"""The prefix cache: hidden states behind frozen layers, computed once and shared by configurations and seeds.

One pass over the data serves all depths that are expected: the hidden states at a smaller depth are computed on the way
to a larger one. The pass runs in eval mode on batches of similar lengths, and writes what is not padding into packed
tensors, at the indices by which :class:`PackedSplit` finds tokens again.
"""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from freezebench.training.batches.order import batches_by_tokens
from freezebench.training.device import autocast, inference_batch_tokens
from freezebench.training.prefix.cached_prefix import IN_MEMORY, IN_TEMPORARY_FILE, CachedPrefix
from freezebench.training.prefix.hidden_states import StopForwardError, captured_hidden_states
from freezebench.training.prefix.modes import eval_mode
from freezebench.training.prefix.spill import OutOfSpaceError, SpillingAllocator, release_pages

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Mapping

    from freezebench.training.batches.packed import PackedSplit
    from freezebench.training.prefix.files import PrefixFolder
    from freezebench.training.prefix.frozen_prefix import FrozenPrefix

DEFAULT_LIMIT_BYTES = 2**27

_BATCHES_PER_RELEASE = 32  # batches of a pass after which mapped files are removed from resident memory


class PrefixCache:
    """Cached prefixes by content: weights, inputs, precision and depth.

    Attributes:
        num_passes: How often the frozen layers were run over the data.
        check_results: Results of the session's equivalence checks, by check, key and what else they depend on.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES, folder: PrefixFolder | None = None) -> None:
        """Keep hidden states in memory up to a limit, beyond it in memory-mapped temporary files.

        Args:
            limit_bytes: The limit.
            folder: Keeps prefixes from session to session; ``None``: they end with this object.
        """
        self._allocator = SpillingAllocator(limit_bytes)
        self._prefixes: dict[str, CachedPrefix] = {}
        self._depths: set[int] = set()
        self._folder = folder
        self.num_passes = 0
        self.check_results: dict[tuple[str, ...], int] = {}

    def expect(self, depths: Iterable[int]) -> None:
        """Announce depths that will be requested, so that one pass serves them all."""
        self._depths.update(depths)

    def prefix(self, frozen: FrozenPrefix, depth: int, splits: Mapping[str, PackedSplit], key: str) -> CachedPrefix:
        """Return the hidden states behind the first ``depth`` layers, from the cache or by one pass over the data.

        If another process with the same folder computes them now, this waits and reads its files; that time is charged
        to no run.

        Args:
            frozen: The model and how it runs.
            depth: Number of frozen layers; 0 for the embeddings alone.
            splits: The data, by name.
            key: What :meth:`FrozenPrefix.key` returns for them.

        Raises:
            OutOfSpaceError: If neither memory nor disk has space for them.
        """
        key, largest = frozen.shared_key(depth, splits, key)
        self._read(key, depth)
        if f"{key}-{depth}" not in self._prefixes:
            with nullcontext() if self._folder is None else self._folder.computing(key):
                self._read(key, depth)  # another process may have computed it meanwhile
                if f"{key}-{depth}" not in self._prefixes:
                    return self._computed(frozen, depth, splits, key, largest)
        return self._prefixes[f"{key}-{depth}"]

    def _read(self, key: str, depth: int) -> None:
        """Read the files of expected depths that are not in memory, unless the requested one is."""
        if self._folder is not None and f"{key}-{depth}" not in self._prefixes:
            depths = sorted(other for other in self._depths | {depth} if f"{key}-{other}" not in self._prefixes)
            self._prefixes.update(self._folder.read(key, depths))

    def _computed(
        self, frozen: FrozenPrefix, depth: int, splits: Mapping[str, PackedSplit], key: str, largest: int
    ) -> CachedPrefix:
        """Compute the hidden states of a depth and of all others up to a largest that are expected, and keep them."""
        began = time.perf_counter()
        depths = {other for other in self._depths | {depth} if other <= largest}
        missing = {other for other in depths if f"{key}-{other}" not in self._prefixes}
        computed = self._compute_as_many_as_fit(frozen, depth, missing, splits)
        seconds = time.perf_counter() - began
        for other, prefix in computed.items():
            self._prefixes[f"{key}-{other}"] = prefix
            if self._folder is not None:
                self._folder.write(key, other, prefix)
            prefix.release_pages()
        # The duration is returned once: the run that caused the pass is charged with it, later ones are not.
        return replace(computed[depth], seconds=seconds)

    def take_notes(self) -> tuple[str, ...]:
        """Return the warnings about files that were read or written since the last call."""
        if self._folder is None:
            return ()
        notes = tuple(self._folder.notes)
        self._folder.notes.clear()
        return notes

    def _compute_as_many_as_fit(
        self, frozen: FrozenPrefix, depth: int, missing: set[int], splits: Mapping[str, PackedSplit]
    ) -> dict[int, CachedPrefix]:
        """Return the hidden states at all missing depths, or if there is no space for all, at one depth alone."""
        if missing != {depth}:
            with suppress(OutOfSpaceError):
                return self._compute(frozen, sorted(missing), splits)
        return self._compute(frozen, [depth], splits)

    @torch.no_grad()
    def _compute(
        self, frozen: FrozenPrefix, depths: list[int], splits: Mapping[str, PackedSplit]
    ) -> dict[int, CachedPrefix]:
        """Return the hidden states at several depths, computed in one pass."""
        model, device = frozen.model, frozen.device
        num_tokens = inference_batch_tokens(device)
        # Half of the memory, at the precision of the matrix products that follow.
        dtype = torch.bfloat16 if frozen.precision == "bf16" else torch.float32
        last = frozen.num_layers
        drafts = {depth: _Draft(dtype=dtype, cls_only=depth == last and frozen.cls_suffices()) for depth in depths}
        with (
            eval_mode(model),
            captured_hidden_states(model, frozen.stack, depths, stop=True) as states,
            self._allocator.undone_on_error(),
        ):
            for name, split in splits.items():
                for number, sentences in enumerate(batches_by_tokens(split.lengths, num_tokens)):
                    indices, is_token = split.token_indices(sentences)
                    batch = split.batch(sentences, indices, is_token)
                    batch.pop("labels")
                    operations = frozen.cpu_operations or nullcontext()
                    with suppress(StopForwardError), autocast(frozen.precision, device), operations:
                        model(**{column: tensor.to(device) for column, tensor in batch.items()})
                    rows = _Rows.of(sentences, indices, is_token, split.first_token_mask(is_token))
                    for depth, draft in drafts.items():
                        draft.add(name, states[depth], rows, splits, self._allocator)
                        if number % _BATCHES_PER_RELEASE == 0:
                            release_pages(draft.maps)
        self.num_passes += 1
        return {depth: draft.finished() for depth, draft in drafts.items()}


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Which positions of a padded batch are kept, and the rows of the packed tensors that they become.

    Attributes:
        tokens: Numbers of all tokens' positions in the flattened batch, and their packed indices.
        first_tokens: Numbers of the first tokens' positions, and the numbers of their sentences.
    """

    tokens: tuple[torch.Tensor, torch.Tensor]
    first_tokens: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(
        cls, sentences: torch.Tensor, indices: torch.Tensor, is_token: torch.Tensor, is_first: torch.Tensor
    ) -> _Rows:
        """Return the rows of a batch: its sentences, the packed indices of its positions, masks of (first) tokens."""
        tokens = is_token.flatten().nonzero().squeeze(1)
        first_tokens = is_first.flatten().nonzero().squeeze(1)
        return cls(tokens=(tokens, indices.flatten()[tokens]), first_tokens=(first_tokens, sentences))


@dataclass
class _Draft:
    """The hidden states at one depth during a pass."""

    dtype: torch.dtype
    cls_only: bool
    hidden: dict[str, torch.Tensor] = field(default_factory=dict)
    maps: list[mmap.mmap] = field(default_factory=list)

    def add(
        self,
        name: str,
        states: torch.Tensor,
        rows: _Rows,
        splits: Mapping[str, PackedSplit],
        allocator: SpillingAllocator,
    ) -> None:
        """Add the hidden states of one batch of a split, shape (batch, tokens or 1, width).

        Raises:
            OutOfSpaceError: At the first batch, if there is no space for all splits.
        """
        sources, targets = rows.first_tokens if self.cls_only else rows.tokens
        values = states.flatten(0, 1).index_select(0, sources.to(states.device)).to("cpu", self.dtype)
        # The width of hidden states is known at the first batch only.
        if not self.hidden:
            for other, split in splits.items():
                num_rows = len(split) if self.cls_only else len(split.fields["input_ids"])
                self.hidden[other] = allocator.allocate((num_rows, values.shape[-1]), self.dtype, self.maps)
        self.hidden[name][targets] = values

    def finished(self) -> CachedPrefix:
        """Return the hidden states of all splits."""
        return CachedPrefix(
            hidden=self.hidden,
            cls_only=self.cls_only,
            num_bytes=sum(tensor.numel() * tensor.element_size() for tensor in self.hidden.values()),
            where=IN_TEMPORARY_FILE if self.maps else IN_MEMORY,
            maps=tuple(self.maps),
        )
