"""The cached hidden states behind a frozen prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.training.prefix.spill import release_pages

if TYPE_CHECKING:
    import mmap
    from collections.abc import Mapping

    import torch

IN_MEMORY, IN_TEMPORARY_FILE = "memory", "memory-mapped file"


@dataclass(frozen=True, kw_only=True)
class CachedPrefix:
    """The hidden states behind a frozen prefix, for some splits.

    Attributes:
        hidden: Per split the hidden states without padding, shape (tokens, width), or (sentences, width) with
            ``cls_only``.
        cls_only: Whether they are those of the first token of each sentence only.
        seconds: Duration of the pass that computed them now; ``None`` if they were cached before.
        num_bytes: Their size.
        where: ``memory``, ``memory-mapped file``, or the path of the file that an earlier session wrote.
        maps: The memory-mapped temporary files, if any.
    """

    hidden: Mapping[str, torch.Tensor]
    cls_only: bool = False
    seconds: float | None = None
    num_bytes: int
    where: str = IN_MEMORY
    maps: tuple[mmap.mmap, ...] = ()

    @property
    def is_from_earlier(self) -> bool:
        """Whether an earlier session wrote them."""
        return self.where not in {IN_MEMORY, IN_TEMPORARY_FILE}

    def release_pages(self) -> None:
        """Remove mapped files from this process's resident memory; what was written stays in the files."""
        release_pages(self.maps)

    def batch(self, split: str, sentences: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Return the hidden states of one padded batch, shape (batch, width of the batch, width).

        Args:
            split: Name of the split.
            sentences: Numbers of the batch's sentences, shape (batch,).
            indices: Packed index of each position, see :meth:`PackedSplit.token_indices`.
        """
        rows = sentences[:, None] if self.cls_only else indices
        # Several times as fast as indexing by a matrix.
        return self.hidden[split].index_select(0, rows.flatten()).view(*rows.shape, -1)
