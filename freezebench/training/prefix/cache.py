"""The prefix cache: what frozen layers make of every sentence, computed once and shared by configurations and seeds."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from freezebench.training.batches.batching import batches_by_tokens
from freezebench.training.device import autocast, rows_at_once
from freezebench.training.prefix.spill import NoRoomError, Room, release
from freezebench.training.prefix.splice import EnoughError, observed

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Mapping

    from freezebench.training.batches.packed import FlatSplit
    from freezebench.training.prefix.files import PrefixFolder
    from freezebench.training.prefix.frozen_part import FrozenPart

DEFAULT_LIMIT_BYTES = 2**27

_BATCHES_IN_MEMORY = 32  # batches of the pass after which mapped files leave this process's memory
_OF_THIS_SESSION = ("memory", "memory-mapped file")


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The outputs of a frozen prefix for some splits.

    Attributes:
        hidden: Per split the hidden states behind the prefix, without padding, shape (tokens, width), or
            (sentences, width) where the first token of each sentence is all that is needed.
        first_only: Whether they are of the first tokens only.
        seconds: Duration of the pass that computed them now; ``None`` if they were there already.
        num_bytes: Their size.
        where: ``memory``, ``memory-mapped file``, or the file that an earlier session kept.
        maps: The memory-mapped temporary files, if any.
    """

    hidden: Mapping[str, torch.Tensor]
    first_only: bool = False
    seconds: float | None = None
    num_bytes: int
    where: str = _OF_THIS_SESSION[0]
    maps: tuple[mmap.mmap, ...] = ()

    @property
    def is_from_earlier(self) -> bool:
        """Whether an earlier session kept them."""
        return self.where not in _OF_THIS_SESSION

    def release(self) -> None:
        """Let mapped files leave this process's resident memory; what was written stays in the file."""
        release(self.maps)

    def rows(self, split: str, indices: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the hidden states of one padded batch, shape (batch, tokens, width)."""
        chosen = indices[:, None] if self.first_only else places
        # Several times as fast as indexing by a matrix.
        return self.hidden[split].index_select(0, chosen.flatten()).view(*chosen.shape, -1)


class PrefixCache:
    """Outputs of frozen prefixes by content: weights, inputs, precision and depth.

    Attributes:
        num_passes: How often the frozen layers were run over the data.
        num_uses: How often outputs were asked for.
        checked: By key and depth, for outputs that were found to be the model's in this session, which of the ways to
            leave its frozen layers out does not change its scores.
        answers: By question, key and what it is about, whether quick ways compute what models do.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES, folder: PrefixFolder | None = None) -> None:
        """Keep up to ``limit_bytes`` in memory, and what comes later in memory-mapped temporary files.

        Args:
            limit_bytes: The limit.
            folder: Where outputs are kept from session to session; ``None``: nowhere.
        """
        self._room = Room(limit_bytes)
        self._kept: dict[str, Prefix] = {}
        self._depths: set[int] = set()
        self._folder = folder
        self.num_passes = 0
        self.num_uses = 0
        self.checked: dict[tuple[str, int], int] = {}
        self.answers: dict[tuple[str, ...], bool] = {}

    def expect(self, depths: Iterable[int]) -> None:
        """Say which depths will be asked for, so that one pass serves them all."""
        self._depths.update(depths)

    def prefix(self, part: FrozenPart, depth: int, splits: Mapping[str, FlatSplit], key: str) -> Prefix:
        """Return the hidden states behind the first ``depth`` layers, from the cache or by one pass over the data.

        Args:
            part: The model and how it runs.
            depth: Number of frozen layers; 0 for the embeddings alone.
            splits: The data, by name.
            key: What :meth:`FrozenPart.key` says of them.

        Raises:
            NoRoomError: If there is no room for them.
        """
        self.num_uses += 1
        if f"{key}-{depth}" not in self._kept and self._folder is not None:
            self._kept.update(self._folder.read(key, sorted(self._depths | {depth})))
        if f"{key}-{depth}" in self._kept:
            return self._kept[f"{key}-{depth}"]
        began = time.perf_counter()
        wanted = {one for one in self._depths | {depth} if one <= part.num_layers and f"{key}-{one}" not in self._kept}
        made = self._made(part, depth, wanted, splits)
        seconds = time.perf_counter() - began
        for one, prefix in made.items():
            self._kept[f"{key}-{one}"] = prefix
            if self._folder is not None:
                self._folder.write(key, one, prefix)
            prefix.release()
        return Prefix(**{**vars(made[depth]), "seconds": seconds})

    def take_notes(self) -> tuple[str, ...]:
        """Return what the person should know of the kept files, once."""
        notes = tuple(self._folder.notes) if self._folder is not None else ()
        if self._folder is not None:
            self._folder.notes.clear()
        return notes

    def _made(
        self, part: FrozenPart, depth: int, wanted: set[int], splits: Mapping[str, FlatSplit]
    ) -> dict[int, Prefix]:
        """Return the hidden states at all wanted depths, or where there is no room for them at one depth alone."""
        if wanted != {depth}:
            with suppress(NoRoomError):
                return self._run(part, sorted(wanted), splits)
        return self._run(part, [depth], splits)

    @torch.no_grad()
    def _run(self, part: FrozenPart, depths: list[int], splits: Mapping[str, FlatSplit]) -> dict[int, Prefix]:
        """Compute the hidden states at several depths in one pass."""
        num_tokens = rows_at_once(part.device)
        dtype = torch.bfloat16 if part.precision == "bf16" else torch.float32
        last = part.num_layers
        made = {depth: _Draft(dtype=dtype, first_only=depth == last and part.first_suffices()) for depth in depths}
        was_training = part.model.training
        part.model.eval()
        try:
            with (
                observed(part.model, part.stack, depths, only=True) as seen,
                self._room.given_back_on_failure(),
            ):
                for name, split in splits.items():
                    for number, indices in enumerate(batches_by_tokens(split.lengths, num_tokens)):
                        places, real = split.places(indices)
                        batch = split.batch(indices, places, real)
                        batch.pop("labels")
                        with suppress(EnoughError), autocast(part.precision, part.device), part.ops or nullcontext():
                            part.model(**{column: tensor.to(part.device) for column, tensor in batch.items()})
                        rows = _Rows.of(indices, places, real, split.first(real))
                        for depth, draft in made.items():
                            draft.add(name, seen[depth], rows, splits, self._room)
                            if number % _BATCHES_IN_MEMORY == 0:
                                release(draft.maps)
        finally:
            part.model.train(was_training)
        self.num_passes += 1
        return {depth: draft.done() for depth, draft in made.items()}


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What of a padded batch is kept, and where: numbers of its rows, and of those they become.

    Attributes:
        every: Numbers of all real tokens in the batch laid out flat, and where they stand in the split.
        first: The same of every sentence's first token; they stand where their sentence does.
    """

    every: tuple[torch.Tensor, torch.Tensor]
    first: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, indices: torch.Tensor, places: torch.Tensor, real: torch.Tensor, first: torch.Tensor) -> _Rows:
        """Return them for sentences, the places of their tokens, and masks of all tokens and of first ones."""
        every = real.flatten().nonzero().squeeze(1)
        return cls(every=(every, places.flatten()[every]), first=(first.flatten().nonzero().squeeze(1), indices))


@dataclass
class _Draft:
    """Hidden states at one depth, as far as they are computed."""

    dtype: torch.dtype
    first_only: bool
    hidden: dict[str, torch.Tensor] = field(default_factory=dict)
    maps: list[mmap.mmap] = field(default_factory=list)

    def add(self, name: str, seen: torch.Tensor, rows: _Rows, splits: Mapping[str, FlatSplit], room: Room) -> None:
        """Keep the hidden states of one batch of a split, shape (batch, tokens or 1, width).

        Raises:
            NoRoomError: At the first batch, if there is no room for all splits.
        """
        taken, targets = rows.first if self.first_only else rows.every
        states = seen.flatten(0, 1).index_select(0, taken.to(seen.device)).to("cpu", self.dtype)
        if not self.hidden:
            for one, split in splits.items():
                num = len(split) if self.first_only else len(split.fields["input_ids"])
                self.hidden[one] = room.take((num, states.shape[-1]), self.dtype, self.maps)
        self.hidden[name][targets] = states

    def done(self) -> Prefix:
        """Return them."""
        return Prefix(
            hidden=self.hidden,
            first_only=self.first_only,
            num_bytes=sum(tensor.numel() * tensor.element_size() for tensor in self.hidden.values()),
            where=_OF_THIS_SESSION[bool(self.maps)],
            maps=tuple(self.maps),
        )
